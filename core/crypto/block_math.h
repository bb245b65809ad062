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

/** out = in times x in GF(2^64) or GF(2^128), the step between CMAC subkeys [SP 800-38B 6.1]; no branch on the secret
 *  top bit. `out` must not be `in`. */
static inline void scrip_block_double(uint8_t *out, const uint8_t *in, size_t len)
{
    const uint8_t rb = len == 16 ? 0x87 : 0x1B;
    const uint8_t carry = (uint8_t)(0U - (unsigned)(in[0] >> 7));
    for (size_t i = 0; i + 1 < len; i++) {
        out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
    }
    out[len - 1] = (uint8_t)((uint8_t)(in[len - 1] << 1) ^ (carry & rb));
}

#endif
