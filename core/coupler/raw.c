#include "raw.h"
#include <scrip/crc.h>
#include <string.h>

#define CRC_LEN   2U
#define BITS_NINE 9U

static bool bit_at(const uint8_t *bytes, size_t i)
{
    return ((unsigned)bytes[i / 8] >> i % 8 & 1U) != 0;
}

static void bit_set(uint8_t *bytes, size_t i, bool bit)
{
    bytes[i / 8] = (uint8_t)((bytes[i / 8] & ~(1U << i % 8)) | (unsigned)bit << i % 8);
}

/* Take the stream apart into bytes and their parity. A last byte without its parity bit goes out with a wrong one: no
 * card takes it either way. */
static void apart(const uint8_t *stream, size_t bits, struct scrip_frame *frame)
{
    const size_t whole = bits / BITS_NINE;
    const size_t rest = bits % BITS_NINE;

    scrip_frame_clear(frame);
    frame->bits = (uint16_t)(8 * whole + rest);
    memset(frame->data, 0, (frame->bits + 7U) / 8U);
    for (size_t i = 0; i < bits; i++) {
        if (i % BITS_NINE < 8) {
            bit_set(frame->data, i / BITS_NINE * 8 + i % BITS_NINE, bit_at(stream, i));
        } else {
            scrip_frame_parity_set(frame, i / BITS_NINE, bit_at(stream, i));
        }
    }
    if (rest == 8) {
        scrip_frame_parity_set(frame, whole, !scrip_odd_parity(frame->data[whole]));
    }
}

static enum scrip_status together(const struct scrip_frame *frame, struct scrip_buf *rx, uint8_t *last_bits)
{
    const size_t whole = frame->bits / 8U;
    const size_t bits = frame->bits + whole;
    const size_t len = (bits + 7) / 8;

    if (frame->align != 0 || frame->collision != 0) {
        return SCRIP_E_MAC; /* where the parity bits of that are, nobody can say */
    }
    if (len > rx->cap - rx->len) {
        return SCRIP_E_SPACE;
    }
    uint8_t *out = rx->at + rx->len;
    memset(out, 0, len);
    for (size_t i = 0; i < bits; i++) {
        const size_t byte = i / BITS_NINE;
        bit_set(out, i,
                i % BITS_NINE < 8 ? bit_at(frame->data, 8 * byte + i % BITS_NINE) : scrip_frame_parity(frame, byte));
    }
    rx->len += len;
    *last_bits = bits % 8;
    return SCRIP_OK;
}

enum scrip_status raw_to_frame(const struct scrip_coupler_raw *how, struct scrip_bytes tx, struct scrip_frame *frame)
{
    uint8_t at[SCRIP_FRAME_MAX / 8 * BITS_NINE];
    const size_t most = how->parity ? SCRIP_FRAME_MAX : sizeof at;
    struct scrip_buf out = scrip_buf(at, most);
    const unsigned cut = (how->last_bits & 7U) != 0 ? 8U - (how->last_bits & 7U) : 0;

    SCRIP_TRY(scrip_buf_add_bytes(&out, tx));
    if (how->crc_out) {
        SCRIP_TRY(scrip_buf_add_le(&out, scrip_crc16_a(tx), CRC_LEN));
    }
    if (out.len == 0) {
        return SCRIP_E_ARGUMENT;
    }
    const size_t bits = 8 * out.len - cut;
    if (!how->parity) {
        apart(at, bits, frame);
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_frame_bytes(frame, scrip_buf_bytes(&out)));
    frame->bits = (uint16_t)bits;
    frame->data[out.len - 1] &= (uint8_t)(0xFFU >> cut);
    return SCRIP_OK;
}

/* The first byte of an answer to a cut frame was begun by the reader: its parity is not looked at. */
static bool parity_good(const struct scrip_frame *frame)
{
    const size_t whole = ((size_t)frame->align + frame->bits) / 8;
    for (size_t i = frame->align != 0 ? 1 : 0; i < whole; i++) {
        if (scrip_frame_parity(frame, i) != scrip_odd_parity(frame->data[i])) {
            return false;
        }
    }
    return frame->collision == 0;
}

enum scrip_status raw_from_frame(const struct scrip_coupler_raw *how, const struct scrip_frame *frame,
                                 struct scrip_buf *rx, uint8_t *last_bits)
{
    struct scrip_bytes content;
    if (!how->parity) {
        return together(frame, rx, last_bits);
    }
    if (how->crc_in && frame->bits >= 8) {
        if (scrip_frame_content_crc(frame, &content) != SCRIP_OK) {
            return SCRIP_E_MAC;
        }
        SCRIP_TRY(scrip_buf_add_bytes(rx, content));
        *last_bits = 0;
        return SCRIP_OK;
    }
    if (!parity_good(frame)) {
        return SCRIP_E_MAC;
    }
    SCRIP_TRY(scrip_buf_add(rx, frame->data, scrip_frame_len(frame)));
    *last_bits = (frame->align + frame->bits) % 8;
    return SCRIP_OK;
}
