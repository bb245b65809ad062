/* The pipeline of a card with the command set of MIFARE Classic.
 *
 *   stage       frame                        next
 *   SELECTED    60, 61                       CHALLENGED, nT in the clear
 *   CHALLENGED  {nR}{aR} good                OPEN; bad: silence, and out
 *   OPEN        60, 61                       CHALLENGED, nT enciphered
 *   OPEN        a command with two parts     SECOND
 *   SECOND      its second part              OPEN
 *   OPEN        another command              OPEN
 *   any         50 00                        HALT
 *   any         what may not be              NAK or silence, and out: IDLE, or HALT for a card that was woken from it
 */
#include "wire.h"
#include <scrip/mifare_front.h>

enum stage { SELECTED, CHALLENGED, OPEN, SECOND };

enum { PROOF_BITS = 64, ETU_FC = 128, NONCE_PERIOD = 65535, COMMAND_LEN = 2 };

#define NONCE_SEED 0x01200145U /* of the generator when the field comes */

/* ---- leaving ---- */

static void forget(struct scrip_mifare_front *front)
{
    scrip_wipe(&front->cipher, sizeof front->cipher);
    front->stage = SELECTED;
    front->buffer_valid = false;
}

static bool is_enciphered(const struct scrip_mifare_front *front)
{
    return front->stage == OPEN || front->stage == SECOND;
}

/* Out, without a word. */
static enum scrip_status leave(struct scrip_mifare_front *front)
{
    forget(front);
    scrip_picc_a_drop(&front->a);
    return SCRIP_OK;
}

/* Out, with a NAK. */
static enum scrip_status refuse(struct scrip_mifare_front *front, struct scrip_frame *out, uint8_t why)
{
    scrip_frame_nibble(out, (uint8_t)(why | (front->buffer_valid ? 0U : SCRIP_CLASSIC_NAK_NO_BUFFER)));
    if (is_enciphered(front)) {
        scrip_mifare_sm_encrypt(&front->cipher, out);
    }
    return leave(front);
}

static enum scrip_status halt(struct scrip_mifare_front *front)
{
    forget(front);
    scrip_picc_a_halt(&front->a);
    return SCRIP_OK;
}

void scrip_mifare_front_power(struct scrip_mifare_front *front, struct scrip_picc *picc, bool on)
{
    forget(front);
    front->on_fc = picc->now_fc;
    picc->busy_us = 0;
    if (on) {
        scrip_picc_a_on(&front->a);
    } else {
        scrip_picc_a_off(&front->a);
    }
}

/* ---- three passes ---- */

static uint32_t uid4(const struct scrip_mifare_front *front)
{
    return scrip_get_be32(front->a.uid + front->a.uid_len - 4U);
}

/* The generator's state after `clocks`. 65536 is 1 to the period of 65535: folding spares a long division. */
static uint32_t generated(uint64_t clocks)
{
    while (clocks > NONCE_PERIOD) {
        clocks = (clocks & 0xFFFFU) + (clocks >> 16);
    }
    return scrip_crypto1_successor(NONCE_SEED, (uint32_t)clocks);
}

static enum scrip_status make_nonce(struct scrip_mifare_front *front, uint64_t now_fc)
{
    uint8_t bytes[4];
    if (front->genuine) {
        front->nt = generated((now_fc - front->on_fc) / ETU_FC);
        return SCRIP_OK;
    }
    SCRIP_TRY(front->random->fill(front->random->ctx, bytes, sizeof bytes));
    front->nt = scrip_get_be32(bytes);
    return SCRIP_OK;
}

static enum scrip_status send_nonce(struct scrip_mifare_front *front, const uint8_t key[6], struct scrip_frame *out)
{
    const bool nested = is_enciphered(front);
    uint8_t nonce[4];
    scrip_put_be32(nonce, front->nt);
    SCRIP_TRY(scrip_frame_bytes(out, SCRIP_BYTES_OF(nonce)));
    if (nested) {
        scrip_crypto1_load(&front->cipher, key);
        scrip_mifare_sm_encrypt_nonce(&front->cipher, out, uid4(front));
    } else {
        (void)scrip_crypto1_begin(&front->cipher, key, uid4(front), front->nt);
    }
    return SCRIP_OK;
}

static enum scrip_status challenge(struct scrip_mifare_front *front, struct scrip_picc *picc, uint8_t code,
                                   uint8_t block, struct scrip_frame *out)
{
    uint8_t key[6];
    const enum scrip_status found = front->ops->key(picc, block, code == CMD_AUTH_B, key);
    if (found == SCRIP_E_NV) {
        return found;
    }
    if (found != SCRIP_OK || make_nonce(front, picc->now_fc) != SCRIP_OK) {
        scrip_wipe(key, sizeof key);
        return leave(front);
    }
    const enum scrip_status sent = send_nonce(front, key, out);
    scrip_wipe(key, sizeof key);
    front->sector = scrip_classic_sector(block);
    front->key_b = code == CMD_AUTH_B;
    front->buffer_valid = false;
    front->stage = CHALLENGED;
    return sent;
}

/* {nR}{aR} came. */
static enum scrip_status prove(struct scrip_mifare_front *front, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_frame plain = *in;
    uint8_t answer[4];
    if (in->bits != PROOF_BITS || in->align != 0 || in->collision != 0 ||
        scrip_mifare_sm_decrypt_nonce(&front->cipher, &plain, 0) != SCRIP_OK) {
        return leave(front);
    }
    if (scrip_get_be32(plain.data + 4) != scrip_crypto1_successor(front->nt, 64)) {
        if (!front->genuine) {
            return leave(front);
        }
        front->stage = OPEN; /* puts the NAK under the keystream */
        return refuse(front, out, SCRIP_CLASSIC_NAK_DAMAGED);
    }
    scrip_put_be32(answer, scrip_crypto1_successor(front->nt, 96));
    SCRIP_TRY(scrip_frame_bytes(out, SCRIP_BYTES_OF(answer)));
    scrip_mifare_sm_encrypt(&front->cipher, out);
    front->stage = OPEN;
    return SCRIP_OK;
}

/* ---- commands ---- */

static enum scrip_status answer(struct scrip_mifare_front *front, uint8_t kind, const uint8_t *data,
                                struct scrip_frame *out)
{
    if (kind == SCRIP_CLASSIC_ANSWER_SILENCE) {
        return SCRIP_OK; /* consumes no keystream */
    }
    if (kind == SCRIP_CLASSIC_ANSWER_BLOCK) {
        SCRIP_TRY(scrip_frame_bytes_crc(out, scrip_bytes(data, SCRIP_CLASSIC_BLOCK)));
    } else {
        scrip_frame_nibble(out, SCRIP_CLASSIC_ACK);
    }
    scrip_mifare_sm_encrypt(&front->cipher, out);
    return SCRIP_OK;
}

/* What a handler did not agree to. */
static enum scrip_status deny(struct scrip_mifare_front *front, enum scrip_status status, struct scrip_frame *out)
{
    return status == SCRIP_E_NV ? status : refuse(front, out, 0);
}

static enum scrip_status finish(struct scrip_mifare_front *front, struct scrip_picc *picc, const uint8_t *operand,
                                struct scrip_frame *out)
{
    const struct scrip_mifare_handler *handler = &front->ops->handlers[front->row];
    uint8_t data[SCRIP_CLASSIC_BLOCK] = {0};
    const enum scrip_status status = handler->finish(picc, front->block, operand, data);
    if (status != SCRIP_OK) {
        return deny(front, status, out);
    }
    front->stage = OPEN;
    return answer(front, scrip_classic_command(handler->opcode)->answer, data, out);
}

static enum scrip_status first_part(struct scrip_mifare_front *front, struct scrip_picc *picc, struct scrip_bytes plain,
                                    struct scrip_frame *out)
{
    size_t row = 0;
    while (row < front->ops->count && front->ops->handlers[row].opcode != plain.at[0]) {
        row++;
    }
    if (row == front->ops->count || plain.len != COMMAND_LEN) {
        return refuse(front, out, 0);
    }
    const enum scrip_status status = front->ops->handlers[row].check(picc, plain.at[1]);
    if (status != SCRIP_OK) {
        return deny(front, status, out);
    }
    front->row = (uint8_t)row;
    front->block = plain.at[1];
    if (scrip_classic_command(plain.at[0])->operand == 0) {
        return finish(front, picc, NULL, out);
    }
    front->stage = SECOND;
    return answer(front, SCRIP_CLASSIC_ANSWER_ACK, NULL, out);
}

static enum scrip_status second_part(struct scrip_mifare_front *front, struct scrip_picc *picc,
                                     struct scrip_bytes plain, struct scrip_frame *out)
{
    const uint8_t opcode = front->ops->handlers[front->row].opcode;
    return plain.len == scrip_classic_command(opcode)->operand ? finish(front, picc, plain.at, out)
                                                               : refuse(front, out, 0);
}

static bool is(struct scrip_bytes plain, uint8_t code)
{
    return plain.len == COMMAND_LEN && plain.at[0] == code;
}

/* Outside a session a card answers nothing but its own commands [ISO/IEC 14443-3, 6.4]: the rest is for others. */
static bool is_known(size_t len, uint8_t code)
{
    return len == COMMAND_LEN && scrip_classic_command(code) != NULL;
}

static enum scrip_status command(struct scrip_mifare_front *front, struct scrip_picc *picc, struct scrip_bytes plain,
                                 struct scrip_frame *out)
{
    if (front->stage == SECOND) {
        return second_part(front, picc, plain, out);
    }
    if (is(plain, CMD_AUTH_A) || is(plain, CMD_AUTH_B)) {
        return challenge(front, picc, plain.at[0], plain.at[1], out);
    }
    if (is(plain, CMD_HALT) && plain.at[1] == 0) {
        return halt(front);
    }
    if (front->stage == OPEN) {
        return first_part(front, picc, plain, out);
    }
    return is_known(plain.len, plain.at[0]) ? refuse(front, out, 0) : leave(front);
}

/* Parity or CRC is wrong. */
static enum scrip_status damaged(struct scrip_mifare_front *front, const struct scrip_frame *frame,
                                 struct scrip_frame *out)
{
    return is_enciphered(front) || is_known(frame->bits / 8U - 2U, frame->data[0])
               ? refuse(front, out, SCRIP_CLASSIC_NAK_DAMAGED)
               : leave(front);
}

/* Active: the frame is for the card. */
static enum scrip_status pass(struct scrip_mifare_front *front, struct scrip_picc *picc, const struct scrip_frame *in,
                              struct scrip_frame *out)
{
    struct scrip_frame plain;
    struct scrip_bytes content;
    if (in->rate != SCRIP_RATE_106) {
        return leave(front);
    }
    if (front->stage == CHALLENGED) {
        return prove(front, in, out);
    }
    if (in->align != 0 || in->bits % 8 != 0 || in->bits == 0 || in->bits > 8U * SCRIP_FRAME_MAX) {
        return leave(front);
    }
    plain = *in;
    if (is_enciphered(front)) {
        (void)scrip_mifare_sm_decrypt(&front->cipher, &plain); /* parity is looked at below */
    }
    const enum scrip_status status = scrip_frame_content_crc(&plain, &content);
    if (status == SCRIP_E_MAC) {
        return damaged(front, &plain, out);
    }
    return status != SCRIP_OK || content.len == 0 ? leave(front) : command(front, picc, content, out);
}

enum scrip_status scrip_mifare_front_frame(struct scrip_mifare_front *front, struct scrip_picc *picc,
                                           const struct scrip_frame *in, struct scrip_frame *out)
{
    picc->busy_us = 0;
    scrip_frame_clear(out);
    switch (scrip_picc_a_frame(&front->a, in, out)) {
    case SCRIP_PICC_PASS:
        break;
    case SCRIP_PICC_ANSWERED:
    case SCRIP_PICC_SILENT:
    case SCRIP_PICC_SELECTED:
    default:
        forget(front);
        return SCRIP_OK;
    }
    const enum scrip_status status = pass(front, picc, in, out);
    if (status != SCRIP_OK) { /* no power: silent until the field comes again */
        scrip_frame_clear(out);
        scrip_mifare_front_power(front, picc, false);
    }
    return status;
}
