#include <scrip/bytes.h>
#include <string.h>

struct scrip_bytes scrip_bytes_from(struct scrip_bytes bytes, size_t offset)
{
    if (offset >= bytes.len) { /* keeps an address, so that an empty rest may be copied like any other */
        return scrip_bytes(bytes.at != NULL ? bytes.at + bytes.len : NULL, 0);
    }
    return scrip_bytes(bytes.at + offset, bytes.len - offset);
}

struct scrip_bytes scrip_bytes_head(struct scrip_bytes bytes, size_t len)
{
    return scrip_bytes(bytes.at, len < bytes.len ? len : bytes.len);
}

enum scrip_status scrip_bytes_take(struct scrip_bytes *bytes, size_t len, struct scrip_bytes *head)
{
    if (len > bytes->len) {
        return SCRIP_E_LENGTH;
    }
    *head = scrip_bytes_head(*bytes, len);
    *bytes = scrip_bytes_from(*bytes, len);
    return SCRIP_OK;
}

bool scrip_bytes_equal(struct scrip_bytes a, struct scrip_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

enum scrip_status scrip_buf_add(struct scrip_buf *buf, const void *at, size_t len)
{
    if (len > buf->cap - buf->len) {
        return SCRIP_E_SPACE;
    }
    if (len > 0) {
        memmove(buf->at + buf->len, at, len);
        buf->len += len;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_buf_add_bytes(struct scrip_buf *buf, struct scrip_bytes bytes)
{
    return scrip_buf_add(buf, bytes.at, bytes.len);
}

enum scrip_status scrip_buf_add_u8(struct scrip_buf *buf, uint8_t value)
{
    return scrip_buf_add(buf, &value, 1);
}

enum scrip_status scrip_buf_fill(struct scrip_buf *buf, uint8_t value, size_t count)
{
    if (count > buf->cap - buf->len) {
        return SCRIP_E_SPACE;
    }
    if (count > 0) {
        memset(buf->at + buf->len, value, count);
        buf->len += count;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_buf_add_le(struct scrip_buf *buf, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    scrip_put_le64(bytes, value);
    return scrip_buf_add(buf, bytes, len);
}

enum scrip_status scrip_buf_add_be(struct scrip_buf *buf, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    scrip_put_be64(bytes, value);
    return scrip_buf_add(buf, bytes + sizeof bytes - len, len);
}

bool scrip_equal_ct(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a;
    const uint8_t *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= (uint8_t)(x[i] ^ y[i]);
    }
    return difference == 0;
}

void scrip_wipe(void *at, size_t len)
{
    if (len > 0) {
        memset(at, 0, len);
        __asm__ volatile("" : : "r"(at) : "memory"); /* a dead store must stay; bytewise it is a third of a session */
    }
}

static uint64_t get_le(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    while (len-- > 0) {
        value = value << 8 | at[len];
    }
    return value;
}

static uint64_t get_be(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static void put_le(uint8_t *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_be(uint8_t *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[len - 1 - i] = (uint8_t)(value >> (8 * i));
    }
}

uint16_t scrip_get_le16(const uint8_t *at)
{
    return (uint16_t)get_le(at, 2);
}

uint32_t scrip_get_le24(const uint8_t *at)
{
    return (uint32_t)get_le(at, 3);
}

uint32_t scrip_get_le32(const uint8_t *at)
{
    return (uint32_t)get_le(at, 4);
}

int32_t scrip_get_le32s(const uint8_t *at)
{
    const int64_t value = (int64_t)get_le(at, 4);
    return (int32_t)(value > INT32_MAX ? value - (INT64_C(1) << 32) : value);
}

uint64_t scrip_get_le64(const uint8_t *at)
{
    return get_le(at, 8);
}

uint16_t scrip_get_be16(const uint8_t *at)
{
    return (uint16_t)get_be(at, 2);
}

uint32_t scrip_get_be32(const uint8_t *at)
{
    return (uint32_t)get_be(at, 4);
}

uint64_t scrip_get_be64(const uint8_t *at)
{
    return get_be(at, 8);
}

void scrip_put_le16(uint8_t *at, uint16_t value)
{
    put_le(at, value, 2);
}

void scrip_put_le24(uint8_t *at, uint32_t value)
{
    put_le(at, value, 3);
}

void scrip_put_le32(uint8_t *at, uint32_t value)
{
    put_le(at, value, 4);
}

void scrip_put_le64(uint8_t *at, uint64_t value)
{
    put_le(at, value, 8);
}

void scrip_put_be16(uint8_t *at, uint16_t value)
{
    put_be(at, value, 2);
}

void scrip_put_be32(uint8_t *at, uint32_t value)
{
    put_be(at, value, 4);
}

void scrip_put_be64(uint8_t *at, uint64_t value)
{
    put_be(at, value, 8);
}
