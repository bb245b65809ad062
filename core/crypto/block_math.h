/* block_math.h: small arithmetic on one cipher block. */
#ifndef SCRIP_CRYPTO_BLOCK_MATH_H
#define SCRIP_CRYPTO_BLOCK_MATH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** dst ^= src over eight bytes, as a word. */
static inline void scrip_word_xor(uint8_t *dst, const uint8_t *src)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, dst, sizeof a);
    memcpy(&b, src, sizeof b);
    a ^= b;
    memcpy(dst, &a, sizeof a);
}

/** dst ^= src over one block of 8 or 16 bytes: this is on the path of every MAC. */
static inline void scrip_block_xor(uint8_t *dst, const uint8_t *src, size_t len)
{
    scrip_word_xor(dst, src);
    if (len == 16) {
        scrip_word_xor(dst + 8, src + 8);
    }
}

/** Eight bytes as a number, most significant first. */
static inline uint64_t scrip_word_get(const uint8_t *at)
{
    return (uint64_t)at[0] << 56 | (uint64_t)at[1] << 48 | (uint64_t)at[2] << 40 | (uint64_t)at[3] << 32 |
           (uint64_t)at[4] << 24 | (uint64_t)at[5] << 16 | (uint64_t)at[6] << 8 | (uint64_t)at[7];
}

static inline void scrip_word_put(uint8_t *at, uint64_t word)
{
    at[0] = (uint8_t)(word >> 56);
    at[1] = (uint8_t)(word >> 48);
    at[2] = (uint8_t)(word >> 40);
    at[3] = (uint8_t)(word >> 32);
    at[4] = (uint8_t)(word >> 24);
    at[5] = (uint8_t)(word >> 16);
    at[6] = (uint8_t)(word >> 8);
    at[7] = (uint8_t)word;
}

/** The same, least significant first. */
static inline uint64_t scrip_word_get_le(const uint8_t *at)
{
    return (uint64_t)at[7] << 56 | (uint64_t)at[6] << 48 | (uint64_t)at[5] << 40 | (uint64_t)at[4] << 32 |
           (uint64_t)at[3] << 24 | (uint64_t)at[2] << 16 | (uint64_t)at[1] << 8 | (uint64_t)at[0];
}

static inline void scrip_word_put_le(uint8_t *at, uint64_t word)
{
    at[0] = (uint8_t)word;
    at[1] = (uint8_t)(word >> 8);
    at[2] = (uint8_t)(word >> 16);
    at[3] = (uint8_t)(word >> 24);
    at[4] = (uint8_t)(word >> 32);
    at[5] = (uint8_t)(word >> 40);
    at[6] = (uint8_t)(word >> 48);
    at[7] = (uint8_t)(word >> 56);
}

/** out = in times x in GF(2^64) or GF(2^128), the step between CMAC subkeys [SP 800-38B 6.1]; no branch on the secret
 *  top bit. `out` may be `in`. */
static inline void scrip_block_double(uint8_t *out, const uint8_t *in, size_t len)
{
    const uint64_t high = scrip_word_get(in);
    const uint64_t carry = 0U - (high >> 63);
    if (len == 16) {
        const uint64_t low = scrip_word_get(in + 8);
        scrip_word_put(out, high << 1 | low >> 63);
        scrip_word_put(out + 8, low << 1 ^ (carry & 0x87));
    } else {
        scrip_word_put(out, high << 1 ^ (carry & 0x1B));
    }
}

#endif
