#include "aes128_expand.h"

#if defined(__x86_64__)
#include <immintrin.h>

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

void scrip_aes128_expand(struct aes128_ctx *ctx, const uint8_t key[16])
{
    if (__builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3")) {
        expand_by_instructions(ctx, key);
    } else {
        aes128_set_encrypt_key(ctx, key);
    }
}

#else

void scrip_aes128_expand(struct aes128_ctx *ctx, const uint8_t key[16])
{
    aes128_set_encrypt_key(ctx, key);
}

#endif
