#include <scrip/crc.h>
#include <scrip/frame.h>
#include <string.h>

#define CRC_LEN     2U
#define EDGE_ETU    2U   /* start of a frame and its end */
#define START_FC    512U /* the subcarrier that a card begins with above 106 kbit/s */
#define ETU_FC_106  128U
#define PARITY_SIZE (sizeof((struct scrip_frame *)NULL)->parity)

_Static_assert(SCRIP_FRAME_MAX % 8 == 0 && PARITY_SIZE * 8 == SCRIP_FRAME_MAX, "eight parity bits to a byte");

void scrip_frame_clear(struct scrip_frame *frame)
{
    frame->bits = 0;
    frame->align = 0;
    frame->rate = SCRIP_RATE_106;
    frame->collision = 0;
}

void scrip_frame_short(struct scrip_frame *frame, uint8_t code)
{
    scrip_frame_clear(frame);
    frame->bits = 7;
    frame->data[0] = code & 0x7FU;
}

void scrip_frame_nibble(struct scrip_frame *frame, uint8_t value)
{
    scrip_frame_clear(frame);
    frame->bits = 4;
    frame->data[0] = value & 0x0FU;
}

enum scrip_status scrip_frame_bytes(struct scrip_frame *frame, struct scrip_bytes bytes)
{
    if (bytes.len > SCRIP_FRAME_MAX) {
        return SCRIP_E_SPACE;
    }
    scrip_frame_clear(frame);
    frame->bits = (uint16_t)(8 * bytes.len);
    if (bytes.len > 0) {
        memmove(frame->data, bytes.at, bytes.len); /* it may have been put together in place */
    }
    scrip_frame_parity_fill(frame);
    return SCRIP_OK;
}

enum scrip_status scrip_frame_bytes_crc(struct scrip_frame *frame, struct scrip_bytes bytes)
{
    if (bytes.len > SCRIP_FRAME_MAX - CRC_LEN) {
        return SCRIP_E_SPACE;
    }
    const uint16_t crc = scrip_crc16_a(bytes);
    scrip_frame_clear(frame);
    frame->bits = (uint16_t)(8 * (bytes.len + CRC_LEN));
    if (bytes.len > 0) {
        memmove(frame->data, bytes.at, bytes.len);
    }
    scrip_put_le16(frame->data + bytes.len, crc);
    scrip_frame_parity_fill(frame);
    return SCRIP_OK;
}

size_t scrip_frame_len(const struct scrip_frame *frame)
{
    return ((size_t)frame->align + frame->bits + 7U) / 8U;
}

bool scrip_frame_parity(const struct scrip_frame *frame, size_t i)
{
    return ((unsigned)frame->parity[i / 8] >> i % 8 & 1U) != 0;
}

void scrip_frame_parity_set(struct scrip_frame *frame, size_t i, bool parity)
{
    const unsigned mask = 1U << i % 8;
    frame->parity[i / 8] = (uint8_t)(parity ? frame->parity[i / 8] | mask : frame->parity[i / 8] & ~mask);
}

/* Bit n of the constant: odd parity of the nibble n. No compiler builtin, which is a library call on some machines. */
bool scrip_odd_parity(uint8_t byte)
{
    return (0x9669U >> ((byte ^ byte >> 4) & 0x0FU) & 1U) != 0;
}

/* Odd parity of up to eight bytes, the first in bit 0. */
static uint8_t parity_of(const uint8_t *bytes, size_t len)
{
    unsigned parity = 0;
    for (size_t i = 0; i < len; i++) {
        parity |= (unsigned)scrip_odd_parity(bytes[i]) << i;
    }
    return (uint8_t)parity;
}

void scrip_frame_parity_fill(struct scrip_frame *frame)
{
    const size_t len = scrip_frame_len(frame);
    for (size_t i = 0; i < len; i += 8) {
        frame->parity[i / 8] = parity_of(frame->data + i, len - i < 8 ? len - i : 8);
    }
}

static bool parity_good(const struct scrip_frame *frame, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        const size_t count = len - i < 8 ? len - i : 8;
        const unsigned differs = (unsigned)(frame->parity[i / 8] ^ parity_of(frame->data + i, count));
        if ((differs & (0xFFU >> (8 - count))) != 0) {
            return false;
        }
    }
    return true;
}

enum scrip_status scrip_frame_content(const struct scrip_frame *frame, struct scrip_bytes *content)
{
    const size_t len = frame->bits / 8U;
    if (frame->bits == 0 || frame->bits % 8 != 0 || frame->align != 0 || len > SCRIP_FRAME_MAX) {
        return SCRIP_E_LENGTH;
    }
    if (frame->collision != 0 || !parity_good(frame, len)) {
        return SCRIP_E_MAC;
    }
    *content = scrip_bytes(frame->data, len);
    return SCRIP_OK;
}

enum scrip_status scrip_frame_content_crc(const struct scrip_frame *frame, struct scrip_bytes *content)
{
    struct scrip_bytes whole;
    SCRIP_TRY(scrip_frame_content(frame, &whole));
    if (whole.len < CRC_LEN) {
        return SCRIP_E_LENGTH;
    }
    const struct scrip_bytes head = scrip_bytes_head(whole, whole.len - CRC_LEN);
    if (scrip_crc16_a(head) != scrip_get_le16(whole.at + head.len)) {
        return SCRIP_E_MAC;
    }
    *content = head;
    return SCRIP_OK;
}

uint32_t scrip_frame_time_fc(const struct scrip_frame *frame, bool from_card)
{
    const uint32_t parity_bits = ((uint32_t)frame->align + frame->bits) / 8U;
    const uint32_t etu = EDGE_ETU + frame->bits + parity_bits;
    const unsigned rate = frame->rate & 3U;
    return etu * (ETU_FC_106 >> rate) + (from_card && rate != SCRIP_RATE_106 ? START_FC : 0U);
}
