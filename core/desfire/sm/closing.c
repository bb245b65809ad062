#include "sm.h"
#include <scrip/crc.h>

void scrip_sm_sum_add(struct scrip_sm_sum *sum, struct scrip_bytes bytes)
{
    sum->state = sum->len == 4 ? scrip_crc32(sum->state, bytes) : scrip_crc16((uint16_t)sum->state, bytes);
}

uint32_t scrip_sm_sum_value(const struct scrip_sm_sum *sum)
{
    struct scrip_sm_sum end = *sum;
    if (sum->has_tail) {
        scrip_sm_sum_add(&end, scrip_bytes(&sum->tail, 1));
    }
    return end.state;
}

static size_t padded_len(size_t len, size_t block_len)
{
    return (len + block_len - 1) / block_len * block_len;
}

enum scrip_status scrip_sm_close(const struct scrip_sm_closing *closing, size_t block_len, struct scrip_bytes data,
                                 struct scrip_buf *out)
{
    struct scrip_sm_sum sum = closing->sum;
    const size_t sum_len = closing->no_sum ? 0 : sum.len;
    const size_t used = data.len + sum_len + (closing->marked ? 1 : 0);
    const size_t len = padded_len(used, block_len);

    if (len > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    if (sum_len > 0) {
        scrip_sm_sum_add(&sum, data);
        SCRIP_TRY(scrip_buf_add_le(out, scrip_sm_sum_value(&sum), sum_len));
    }
    if (closing->marked) {
        SCRIP_TRY(scrip_buf_add_u8(out, 0x80));
    }
    return scrip_buf_fill(out, 0, len - used);
}

static bool all_zero(const uint8_t *at, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= at[i];
    }
    return any == 0;
}

/* The checksum `sum` of the data before `at` follows there, then nothing but zeros. */
static bool ends_here(const struct scrip_sm_sum *sum, const uint8_t *at, size_t len)
{
    const uint32_t wanted = scrip_sm_sum_value(sum);
    const uint32_t found = sum->len == 4 ? scrip_get_le32(at) : scrip_get_le16(at);
    return wanted == found && all_zero(at + sum->len, len - sum->len);
}

/* With the length unknown the shortest data that its checksum confirms is taken. Zero padding makes longer data look
 * confirmed too, since feeding a checksum its own low byte only shifts it; for the same reason data one byte short is
 * confirmed once in 256 unless a tail is summed (EV1 responses). Whoever knows the length says it. */
static enum scrip_status find_end(const struct scrip_sm_closing *closing, size_t block_len, const uint8_t *at,
                                  size_t len, size_t *data_len)
{
    struct scrip_sm_sum sum = closing->sum;
    if (len < sum.len) {
        return SCRIP_E_LENGTH;
    }
    const size_t last = len - sum.len;
    const size_t first = last > block_len - 1 ? last - (block_len - 1) : 0;
    scrip_sm_sum_add(&sum, scrip_bytes(at, first));
    for (size_t n = first; n <= last; n++) {
        if (ends_here(&sum, at + n, len - n)) {
            *data_len = n;
            return SCRIP_OK;
        }
        scrip_sm_sum_add(&sum, scrip_bytes(at + n, 1));
    }
    return SCRIP_E_MAC;
}

static enum scrip_status check_end(const struct scrip_sm_closing *closing, size_t block_len, const uint8_t *at,
                                   size_t len)
{
    struct scrip_sm_sum sum = closing->sum;
    if (closing->data_len > len || padded_len(closing->data_len + sum.len, block_len) != len) {
        return SCRIP_E_LENGTH;
    }
    scrip_sm_sum_add(&sum, scrip_bytes(at, closing->data_len));
    return ends_here(&sum, at + closing->data_len, len - closing->data_len) ? SCRIP_OK : SCRIP_E_MAC;
}

/* Padding 80 00.. shows where the checksum ends. */
static enum scrip_status strip_marked(const struct scrip_sm_closing *closing, size_t start, struct scrip_buf *out)
{
    struct scrip_sm_sum sum = closing->sum;
    SCRIP_TRY(scrip_sm_unpad(start, out));
    const size_t len = out->len - start;
    if (len < sum.len) {
        return SCRIP_E_MAC;
    }
    scrip_sm_sum_add(&sum, scrip_bytes(out->at + start, len - sum.len));
    if (!ends_here(&sum, out->at + out->len - sum.len, sum.len)) {
        return SCRIP_E_MAC;
    }
    out->len -= sum.len;
    return SCRIP_OK;
}

enum scrip_status scrip_sm_strip(const struct scrip_sm_closing *closing, size_t block_len, size_t start,
                                 struct scrip_buf *out)
{
    const uint8_t *at = out->at + start;
    const size_t len = out->len - start;
    size_t data_len = closing->data_len;

    if (closing->no_sum) {
        return SCRIP_OK;
    }
    if (closing->marked) {
        return strip_marked(closing, start, out);
    }
    if (data_len == SIZE_MAX) {
        SCRIP_TRY(find_end(closing, block_len, at, len, &data_len));
    } else {
        SCRIP_TRY(check_end(closing, block_len, at, len));
    }
    out->len = start + data_len;
    return SCRIP_OK;
}

enum scrip_status scrip_sm_unpad(size_t start, struct scrip_buf *out)
{
    size_t len = out->len;
    while (len > start && out->at[len - 1] == 0) {
        len--;
    }
    if (len == start || out->at[len - 1] != 0x80) {
        return SCRIP_E_MAC;
    }
    out->len = len - 1;
    return SCRIP_OK;
}

enum scrip_status scrip_sm_drop(size_t start, struct scrip_buf *out, enum scrip_status status)
{
    scrip_wipe(out->at + start, out->len - start);
    out->len = start;
    return status;
}
