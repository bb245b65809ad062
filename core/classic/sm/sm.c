/* sm.c: the first keystream bit of each next byte is also the one over the parity bit before it. The cipher is not
 * clocked for parity, so the bit over the last one is only looked at. */
#include <scrip/mifare_sm.h>

#define NONCE_LEN  4U
#define NONCE_BITS 32U

static void flip_parity(struct scrip_frame *frame, size_t i, unsigned bit)
{
    frame->parity[i / 8] ^= (uint8_t)((bit & 1U) << i % 8);
}

static size_t whole_bytes(const struct scrip_frame *frame)
{
    return frame->bits <= 8U * SCRIP_FRAME_MAX ? frame->bits / 8U : SCRIP_FRAME_MAX;
}

/* The bits behind the last whole byte: a MIFARE answer, or a cut frame. */
static void cover_rest(struct scrip_crypto1 *cipher, struct scrip_frame *frame, size_t len)
{
    const unsigned rest = len < SCRIP_FRAME_MAX ? frame->bits % 8U : 0;
    if (rest == 4) {
        frame->data[len] ^= scrip_crypto1_nibble(cipher);
        return;
    }
    for (unsigned bit = 0; bit < rest; bit++) {
        frame->data[len] ^= (uint8_t)((scrip_crypto1_bit(cipher, false) ? 1U : 0U) << bit);
    }
}

/* Put the frame from byte `from` on under the keystream; enciphering and deciphering are the same. */
static void cover(struct scrip_crypto1 *cipher, struct scrip_frame *frame, size_t from)
{
    const size_t len = whole_bytes(frame);
    for (size_t i = from; i < len; i++) {
        const uint8_t key = scrip_crypto1_byte(cipher, 0);
        frame->data[i] ^= key;
        if (i > 0) {
            flip_parity(frame, i - 1, key);
        }
    }
    if (len > 0) {
        flip_parity(frame, len - 1, scrip_crypto1_peek(cipher) ? 1U : 0U);
    }
    cover_rest(cipher, frame, len);
}

/* The first four bytes under a keystream that is known already. */
static void cover_nonce(struct scrip_frame *frame, uint32_t key)
{
    scrip_put_be32(frame->data, scrip_get_be32(frame->data) ^ key);
    for (size_t i = 0; i + 1 < NONCE_LEN; i++) {
        flip_parity(frame, i, key >> (16 - 8 * i));
    }
}

static enum scrip_status check_parity(const struct scrip_frame *frame)
{
    const size_t len = whole_bytes(frame);
    for (size_t i = 0; i < len; i++) {
        if (scrip_frame_parity(frame, i) != scrip_odd_parity(frame->data[i])) {
            return SCRIP_E_MAC;
        }
    }
    return SCRIP_OK;
}

void scrip_mifare_sm_encrypt(struct scrip_crypto1 *cipher, struct scrip_frame *frame)
{
    cover(cipher, frame, 0);
}

enum scrip_status scrip_mifare_sm_decrypt(struct scrip_crypto1 *cipher, struct scrip_frame *frame)
{
    cover(cipher, frame, 0);
    return check_parity(frame);
}

void scrip_mifare_sm_encrypt_nonce(struct scrip_crypto1 *cipher, struct scrip_frame *frame, uint32_t mask)
{
    if (frame->bits < NONCE_BITS) {
        return;
    }
    cover_nonce(frame, scrip_crypto1_word(cipher, scrip_get_be32(frame->data) ^ mask));
    cover(cipher, frame, NONCE_LEN);
}

enum scrip_status scrip_mifare_sm_decrypt_nonce(struct scrip_crypto1 *cipher, struct scrip_frame *frame, uint32_t mask)
{
    if (frame->bits < NONCE_BITS) {
        return SCRIP_E_LENGTH;
    }
    const uint32_t enciphered = scrip_get_be32(frame->data);
    cover_nonce(frame, enciphered ^ scrip_crypto1_word_open(cipher, enciphered, mask));
    cover(cipher, frame, NONCE_LEN);
    return check_parity(frame);
}
