/* bytes.h: byte spans, byte buffers and byte order. Freestanding; no allocation anywhere.
 *
 * A `struct scrip_bytes` borrows memory for reading, a `struct scrip_buf` borrows memory for appending. Neither owns
 * what it points at: the caller keeps the memory alive for as long as the span or buffer is used. */
#ifndef SCRIP_BYTES_H
#define SCRIP_BYTES_H

#include <scrip/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A borrowed run of bytes, read only. `at` may be NULL when `len` is 0. */
struct scrip_bytes {
    const uint8_t *at;
    size_t len;
};

/** A borrowed buffer that is appended to: `len` bytes of `cap` are in use. */
struct scrip_buf {
    uint8_t *at;
    size_t len;
    size_t cap;
};

/** The span of `len` bytes at `at`. */
static inline struct scrip_bytes scrip_bytes(const void *at, size_t len)
{
    return (struct scrip_bytes){.at = (const uint8_t *)at, .len = len};
}

/** An empty buffer over `cap` bytes at `at`. */
static inline struct scrip_buf scrip_buf(void *at, size_t cap)
{
    return (struct scrip_buf){.at = (uint8_t *)at, .len = 0, .cap = cap};
}

/** What a buffer holds so far. Valid until the buffer's memory changes. */
static inline struct scrip_bytes scrip_buf_bytes(const struct scrip_buf *buf)
{
    return scrip_bytes(buf->at, buf->len);
}

/** The span of an array: SCRIP_BYTES_OF(array), never of a pointer. */
#define SCRIP_BYTES_OF(array) scrip_bytes((array), sizeof(array))

/** An empty buffer over an array: SCRIP_BUF_OF(array), never over a pointer. */
#define SCRIP_BUF_OF(array)   scrip_buf((array), sizeof(array))

/** Bytes from `offset` to the end; empty when `offset` is past the end. */
struct scrip_bytes scrip_bytes_from(struct scrip_bytes bytes, size_t offset);

/** The first `len` bytes, or all of them when there are fewer. */
struct scrip_bytes scrip_bytes_head(struct scrip_bytes bytes, size_t len);

/** Take `len` bytes off the front of `*bytes` into `*head`.
 *  @return SCRIP_OK; SCRIP_E_LENGTH when fewer are left (nothing is changed) */
enum scrip_status scrip_bytes_take(struct scrip_bytes *bytes, size_t len, struct scrip_bytes *head);

/** Compare contents, not in constant time: for public data only. */
bool scrip_bytes_equal(struct scrip_bytes a, struct scrip_bytes b);

/** Append `len` bytes.
 *  @return SCRIP_OK; SCRIP_E_SPACE when they do not fit (nothing is appended) */
enum scrip_status scrip_buf_add(struct scrip_buf *buf, const void *at, size_t len);

/** Append a span. @return as scrip_buf_add */
enum scrip_status scrip_buf_add_bytes(struct scrip_buf *buf, struct scrip_bytes bytes);

/** Append one byte. @return as scrip_buf_add */
enum scrip_status scrip_buf_add_u8(struct scrip_buf *buf, uint8_t value);

/** Append `count` copies of `value`. @return as scrip_buf_add */
enum scrip_status scrip_buf_fill(struct scrip_buf *buf, uint8_t value, size_t count);

/** Append an integer of `len` (1..8) bytes, least significant byte first. @return as scrip_buf_add */
enum scrip_status scrip_buf_add_le(struct scrip_buf *buf, uint64_t value, size_t len);

/** Append an integer of `len` (1..8) bytes, most significant byte first. @return as scrip_buf_add */
enum scrip_status scrip_buf_add_be(struct scrip_buf *buf, uint64_t value, size_t len);

/** The value of a hex digit of either case. @return 0..15; -1: it is none */
int scrip_hex_digit(char digit);

/** How many bytes hex text stands for. Blanks, tabs and ends of lines are passed over.
 *  @return SCRIP_OK; SCRIP_E_FORMAT: another character, or an odd number of digits (`*len` is untouched) */
enum scrip_status scrip_hex_len(struct scrip_bytes text, size_t *len);

/** Append the bytes that hex text stands for.
 *  @return as scrip_hex_len; SCRIP_E_SPACE when they do not fit (nothing is appended) */
enum scrip_status scrip_buf_add_hex(struct scrip_buf *buf, struct scrip_bytes text);

/** Equal contents in time that depends on `len` only: for MACs and tokens. */
bool scrip_equal_ct(const void *a, const void *b, size_t len);

/** Overwrite with zeros in a way that the compiler keeps: for keys, PINs and session keys. */
void scrip_wipe(void *at, size_t len);

/* Integers in memory. `le`: least significant byte first; `be`: most significant byte first. `at` holds the bytes. */
uint16_t scrip_get_le16(const uint8_t *at);
uint32_t scrip_get_le24(const uint8_t *at);
uint32_t scrip_get_le32(const uint8_t *at);
int32_t scrip_get_le32s(const uint8_t *at); /**< two's complement */
uint64_t scrip_get_le64(const uint8_t *at);
uint16_t scrip_get_be16(const uint8_t *at);
uint32_t scrip_get_be32(const uint8_t *at);
uint64_t scrip_get_be64(const uint8_t *at);
void scrip_put_le16(uint8_t *at, uint16_t value);
void scrip_put_le24(uint8_t *at, uint32_t value);
void scrip_put_le32(uint8_t *at, uint32_t value);
void scrip_put_le64(uint8_t *at, uint64_t value);
void scrip_put_be16(uint8_t *at, uint16_t value);
void scrip_put_be32(uint8_t *at, uint32_t value);
void scrip_put_be64(uint8_t *at, uint64_t value);

#endif
