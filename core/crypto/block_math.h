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

/** Sixteen bytes as one value (of the compilers, GCC and clang): loaded and stored in one go where the machine can. The
 *  cipher loads its block in one go, and a load that spans several stores stalls for longer than a round of AES takes.
 */
typedef uint64_t scrip_block16 __attribute__((vector_size(16)));

/** dst ^= src over one block of 8 or 16 bytes: this is on the path of every MAC. */
static inline void scrip_block_xor(uint8_t *dst, const uint8_t *src, size_t len)
{
    scrip_block16 a;
    scrip_block16 b;
    if (len != sizeof a) {
        scrip_word_xor(dst, src);
        return;
    }
    memcpy(&a, dst, sizeof a);
    memcpy(&b, src, sizeof b);
    a ^= b;
    memcpy(dst, &a, sizeof a);
}

/* A word in memory's order, as it is on this machine, and back: the same operation. Written out in shifts, the
 * compilers make twenty instructions of each. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SCRIP_WORD_BE(word) __builtin_bswap64(word)
#define SCRIP_WORD_LE(word) (word)
#else
#define SCRIP_WORD_BE(word) (word)
#define SCRIP_WORD_LE(word) __builtin_bswap64(word)
#endif

/** Eight bytes as a number, most significant first. */
static inline uint64_t scrip_word_get(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return SCRIP_WORD_BE(word);
}

static inline void scrip_word_put(uint8_t *at, uint64_t word)
{
    word = SCRIP_WORD_BE(word);
    memcpy(at, &word, sizeof word);
}

/** The same, least significant first. */
static inline uint64_t scrip_word_get_le(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return SCRIP_WORD_LE(word);
}

static inline void scrip_word_put_le(uint8_t *at, uint64_t word)
{
    word = SCRIP_WORD_LE(word);
    memcpy(at, &word, sizeof word);
}

/** Two words as sixteen bytes, least significant first. */
static inline void scrip_block_put_le(uint8_t *at, uint64_t low, uint64_t high)
{
    const scrip_block16 words = {SCRIP_WORD_LE(low), SCRIP_WORD_LE(high)};
    memcpy(at, &words, sizeof words);
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
