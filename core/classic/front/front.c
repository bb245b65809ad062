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
#include <string.h>

enum stage { SELECTED, CHALLENGED, OPEN, SECOND };

enum { CODE_RATS = 0xE0, PROOF_BITS = 64 };

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

void scrip_mifare_front_power(struct scrip_mifare_front *front, bool on)
{
    forget(front);
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

/* nT under the keystream that went over it; a parity bit goes under the keystream bit of the next data bit. */
static void encipher_nonce(struct scrip_mifare_front *front, uint32_t stream, struct scrip_frame *out)
{
    uint8_t ks[5];
    scrip_put_be32(ks, stream);
    ks[4] = scrip_crypto1_peek(&front->cipher) ? 1 : 0;
    for (size_t i = 0; i < 4; i++) {
        scrip_frame_parity_set(out, i, scrip_frame_parity(out, i) != ((ks[i + 1] & 1U) != 0));
        out->data[i] = (uint8_t)(out->data[i] ^ ks[i]);
    }
}

static enum scrip_status challenge(struct scrip_mifare_front *front, struct scrip_picc *picc, uint8_t code,
                                   uint8_t block, struct scrip_frame *out)
{
    const bool nested = is_enciphered(front);
    uint8_t key[6];
    uint8_t nonce[4];
    uint32_t nt;
    const enum scrip_status found = front->ops->key(picc, block, code == CMD_AUTH_B, key);
    if (found == SCRIP_E_NV) {
        return found;
    }
    if (found != SCRIP_OK || front->ops->nonce(picc, &nt) != SCRIP_OK) {
        scrip_wipe(key, sizeof key);
        return leave(front);
    }
    front->sector = scrip_classic_sector(block);
    front->key_b = code == CMD_AUTH_B;
    front->buffer_valid = false;
    front->nt = nt;
    scrip_put_be32(nonce, nt);
    const enum scrip_status framed = scrip_frame_bytes(out, SCRIP_BYTES_OF(nonce));
    const uint32_t stream = scrip_crypto1_begin(&front->cipher, key, uid4(front), nt);
    scrip_wipe(key, sizeof key);
    if (nested) {
        encipher_nonce(front, stream, out);
    }
    front->stage = CHALLENGED;
    return framed;
}

/* One byte that the reader enciphered, and whether its parity is right. Of {nR} the plain bits are fed back. */
static uint8_t decipher(struct scrip_crypto1 *cipher, const struct scrip_frame *in, size_t i, bool feed, bool *good)
{
    uint8_t plain = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        const bool value = ((in->data[i] >> bit & 1U) != 0) != scrip_crypto1_peek(cipher);
        (void)scrip_crypto1_bit(cipher, feed && value);
        plain = (uint8_t)(plain | (value ? 1U << bit : 0U));
    }
    *good = *good && (scrip_frame_parity(in, i) != scrip_crypto1_peek(cipher)) == scrip_odd_parity(plain);
    return plain;
}

static enum scrip_status prove(struct scrip_mifare_front *front, const struct scrip_frame *in, struct scrip_frame *out)
{
    uint8_t proof[8];
    bool good = true;
    if (in->bits != PROOF_BITS || in->align != 0) {
        return leave(front);
    }
    for (size_t i = 0; i < sizeof proof; i++) {
        proof[i] = decipher(&front->cipher, in, i, i < 4, &good);
    }
    if (!good || in->collision != 0) {
        return leave(front);
    }
    if (scrip_get_be32(proof + 4) != scrip_crypto1_successor(front->nt, 64)) {
        if (front->leak) {
            front->stage = OPEN; /* enciphers the NAK */
            return refuse(front, out, SCRIP_CLASSIC_NAK_DAMAGED);
        }
        return leave(front);
    }
    uint8_t answer[4];
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
    if (row == front->ops->count || plain.len != 2) {
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
    return plain.len == 2 && plain.at[0] == code;
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
    if (front->stage == SELECTED && plain.at[0] == CODE_RATS) {
        return leave(front); /* a card of part 3 does not know it: no answer */
    }
    return front->stage == OPEN ? first_part(front, picc, plain, out) : refuse(front, out, 0);
}

/* Active: the frame is for the card. */
static enum scrip_status pass(struct scrip_mifare_front *front, struct scrip_picc *picc, const struct scrip_frame *in,
                              struct scrip_frame *out)
{
    struct scrip_frame plain;
    struct scrip_bytes content;
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
        return refuse(front, out, SCRIP_CLASSIC_NAK_DAMAGED);
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
        scrip_mifare_front_power(front, false);
    }
    return status;
}
