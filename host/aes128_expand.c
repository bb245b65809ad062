#include "aes128_expand.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>

/* The next round key: each word xor the ones before it, xor the changed last word. AESENCLAST does SubBytes and adds
 * the round constant; with four equal columns its ShiftRows changes nothing. */
__attribute__((target("aes,ssse3"))) static inline __m128i next_key(__m128i key, __m128i constant)
{
    const __m128i rotate_last = _mm_set1_epi32(0x0C0F0E0D);
    const __m128i changed = _mm_aesenclast_si128(_mm_shuffle_epi8(key, rotate_last), constant);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, changed);
}

__attribute__((target("aes,ssse3"))) static void expand_by_instructions(struct aes128_ctx *ctx, const uint8_t *key)
{
    static const int constants[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36};
    __m128i round = _mm_loadu_si128((const __m128i *)(const void *)key);
    __m128i *out = (__m128i *)(void *)ctx->keys;
    _mm_storeu_si128(out, round);
    for (unsigned i = 0; i < 10; i++) {
        round = next_key(round, _mm_set1_epi32(constants[i]));
        _mm_storeu_si128(out + i + 1, round);
    }
}

/* The round keys from the last to the first, those in the middle with InvMixColumns: FIPS 197 section 5.3.5. */
__attribute__((target("aes,ssse3"))) static void invert_by_instructions(struct aes128_ctx *dst,
                                                                        const struct aes128_ctx *src)
{
    const __m128i *in = (const __m128i *)(const void *)src->keys;
    __m128i *out = (__m128i *)(void *)dst->keys;
    _mm_storeu_si128(out, _mm_loadu_si128(in + 10));
    for (unsigned i = 1; i < 10; i++) {
        _mm_storeu_si128(out + i, _mm_aesimc_si128(_mm_loadu_si128(in + 10 - i)));
    }
    _mm_storeu_si128(out + 10, _mm_loadu_si128(in));
}

static bool has_instructions(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3");
}

void scrip_aes128_expand(struct aes128_ctx *ctx, const uint8_t key[16])
{
    if (has_instructions()) {
        expand_by_instructions(ctx, key);
    } else {
        aes128_set_encrypt_key(ctx, key);
    }
}

void scrip_aes128_invert(struct aes128_ctx *dst, const struct aes128_ctx *src)
{
    if (has_instructions()) {
        invert_by_instructions(dst, src);
    } else {
        aes128_invert_key(dst, src);
    }
}

#else

void scrip_aes128_expand(struct aes128_ctx *ctx, const uint8_t key[16])
{
    aes128_set_encrypt_key(ctx, key);
}

void scrip_aes128_invert(struct aes128_ctx *dst, const struct aes128_ctx *src)
{
    aes128_invert_key(dst, src);
}

#endif
