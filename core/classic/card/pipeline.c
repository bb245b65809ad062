/* pipeline.c: the way of every frame through the card.
 *
 *   selection (scrip_picc_a) -> stage -> Crypto-1 -> parity and CRC -> row of the table -> check -> operand -> finish
 *   -> Crypto-1
 *
 * A NAK is four bits: 4 when the transfer buffer is not valid, 1 when the frame was damaged. */
#include "card.h"

#define COMMAND_LEN 2U
#define CRC_LEN     2U

typedef enum verdict handler_function(struct scrip_classic_card *card, const struct command *command);

struct handlers {
    uint8_t opcode;
    handler_function *check;
    handler_function *finish;
};

static const struct handlers handlers[ROWS] = {
#define CLASSIC_COMMAND(opcode, id, name, session, operand, answer, timeout_ms, timeout2_ms, handler)                  \
    [ROW_##id] = {(opcode), check_##handler, finish_##handler},
#include "commands.def"
#undef CLASSIC_COMMAND
};

void card_forget(struct scrip_classic_card *card)
{
    card->stage = STAGE_SELECTED;
    card->buffer_valid = false;
    scrip_wipe(&card->cipher, sizeof card->cipher);
}

static void fall(struct scrip_classic_card *card)
{
    card_forget(card);
    scrip_picc_a_drop(&card->a);
}

static bool in_session(const struct scrip_classic_card *card)
{
    return card->stage == STAGE_SESSION || card->stage == STAGE_OPERAND;
}

static void send(struct scrip_classic_card *card, struct scrip_frame *out)
{
    if (in_session(card)) {
        scrip_mifare_sm_encrypt(&card->cipher, out);
    }
}

static void refuse(struct scrip_classic_card *card, unsigned why, struct scrip_frame *out)
{
    scrip_frame_nibble(out, (uint8_t)(why | (card->buffer_valid ? 0U : SCRIP_CLASSIC_NAK_NO_BUFFER)));
    send(card, out);
    fall(card);
}

/* What follows from a verdict that is not YES. */
static enum scrip_status settle(struct scrip_classic_card *card, enum verdict verdict, struct scrip_frame *out)
{
    scrip_frame_clear(out);
    switch (verdict) {
    case NO:
    case DAMAGED:
        refuse(card, verdict == NO ? SCRIP_CLASSIC_NAK : SCRIP_CLASSIC_NAK_DAMAGED, out);
        return SCRIP_OK;
    case SILENT:
        fall(card);
        return SCRIP_OK;
    default: /* LOST */
        card_forget(card);
        scrip_picc_a_off(&card->a);
        return SCRIP_E_NV;
    }
}

/* A good end: the answer that the row names. */
static enum scrip_status finish(struct scrip_classic_card *card, uint8_t row, const struct command *command)
{
    const enum verdict verdict = handlers[row].finish(card, command);
    if (verdict != YES) {
        return settle(card, verdict, command->out);
    }
    switch (scrip_classic_command(command->opcode)->answer) {
    case SCRIP_CLASSIC_ANSWER_ACK:
        scrip_frame_nibble(command->out, SCRIP_CLASSIC_ACK);
        send(card, command->out);
        break;
    case SCRIP_CLASSIC_ANSWER_BLOCK:
        send(card, command->out);
        break;
    default: /* NONCE: enciphered already, under the new key; SILENCE */
        break;
    }
    return SCRIP_OK;
}

static enum scrip_status run(struct scrip_classic_card *card, uint8_t row, const struct command *command)
{
    const struct scrip_classic_command *facts = scrip_classic_command(command->opcode);
    const enum verdict verdict = facts->session && !in_session(card) ? NO : handlers[row].check(card, command);

    if (verdict != YES) {
        return settle(card, verdict, command->out);
    }
    if (facts->operand == 0) {
        return finish(card, row, command);
    }
    card->stage = STAGE_OPERAND;
    card->row = row;
    card->block = command->block;
    scrip_frame_nibble(command->out, SCRIP_CLASSIC_ACK);
    send(card, command->out);
    return SCRIP_OK;
}

/* Outside a session a card answers nothing that it does not understand [ISO/IEC 14443-3]; inside one it says NAK. */
static enum scrip_status not_understood(struct scrip_classic_card *card, struct scrip_frame *out)
{
    return settle(card, in_session(card) ? NO : SILENT, out);
}

static enum scrip_status first_frame(struct scrip_classic_card *card, struct scrip_bytes content,
                                     struct scrip_frame *out)
{
    if (content.len == COMMAND_LEN) {
        for (uint8_t row = 0; row < ROWS; row++) {
            if (handlers[row].opcode == content.at[0]) {
                return run(card, row, &(struct command){.opcode = content.at[0], .block = content.at[1], .out = out});
            }
        }
    }
    return not_understood(card, out);
}

static enum scrip_status second_frame(struct scrip_classic_card *card, struct scrip_bytes content,
                                      struct scrip_frame *out)
{
    const uint8_t opcode = handlers[card->row].opcode;
    if (content.len != scrip_classic_command(opcode)->operand) {
        return settle(card, NO, out);
    }
    const struct command command = {.opcode = opcode, .block = card->block, .operand = content.at, .out = out};
    card->stage = STAGE_SESSION;
    return finish(card, card->row, &command);
}

/* Parity or CRC is wrong, or these are no bytes. Outside a session only what looks like one of our commands is told. */
static enum scrip_status damaged(struct scrip_classic_card *card, const struct scrip_frame *frame,
                                 struct scrip_frame *out)
{
    const bool ours = frame->bits == 8 * (COMMAND_LEN + CRC_LEN) && scrip_classic_command(frame->data[0]) != NULL;
    return settle(card, in_session(card) || ours ? DAMAGED : SILENT, out);
}

static enum scrip_status active(struct scrip_classic_card *card, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_frame frame = *in;
    struct scrip_bytes content;

    card->picc.busy_us = BUSY_US;
    if (card->stage == STAGE_NONCE) {
        const enum verdict verdict = auth_prove(card, &frame, out);
        return verdict == YES ? SCRIP_OK : settle(card, verdict, out);
    }
    if (in_session(card)) {
        (void)scrip_mifare_sm_decrypt(&card->cipher, &frame); /* parity is looked at with the CRC */
    }
    if (scrip_frame_content_crc(&frame, &content) != SCRIP_OK) {
        return damaged(card, &frame, out);
    }
    return card->stage == STAGE_OPERAND ? second_frame(card, content, out) : first_frame(card, content, out);
}

enum scrip_status card_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_classic_card *card = (struct scrip_classic_card *)picc;

    scrip_frame_clear(out);
    picc->busy_us = 0;
    switch (scrip_picc_a_frame(&card->a, in, out)) {
    case SCRIP_PICC_ANSWERED:
        return SCRIP_OK;
    case SCRIP_PICC_PASS:
        return active(card, in, out);
    default: /* SILENT, SELECTED */
        card_forget(card);
        return SCRIP_OK;
    }
}
