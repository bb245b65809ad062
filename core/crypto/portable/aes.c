/* aes.c: AES on bit planes [FIPS 197].
 *
 * The S-box is the inverse in GF(2^8) followed by an affine map. The inverse is computed in the tower
 * GF(((2^2)^2)^2), where it takes a handful of small products:
 *
 *   GF(2^2):  w^2 = w + 1         a pair  a1 w + a0
 *   GF(2^4):  x^2 = x + w         a pair of those
 *   GF(2^8):  y^2 = y + x w       a pair of those; x w is the element 8
 *
 * The four linear maps below lead there and back; they come from a root of the AES polynomial in the tower (60h), with
 * S-box's affine map, or its inverse, folded in. */
#include "portable.h"
#include <scrip/bytes.h>
#include <string.h>

/* ---- the tower ---- */

static inline void mul4(uint32_t out[2], const uint32_t a[2], const uint32_t b[2])
{
    const uint32_t high = a[1] & b[1];
    const uint32_t low = a[0] & b[0];
    const uint32_t both = (a[1] ^ a[0]) & (b[1] ^ b[0]);
    out[1] = both ^ low;
    out[0] = low ^ high;
}

static inline void mul16(uint32_t out[4], const uint32_t a[4], const uint32_t b[4])
{
    const uint32_t a_sum[2] = {a[0] ^ a[2], a[1] ^ a[3]};
    const uint32_t b_sum[2] = {b[0] ^ b[2], b[1] ^ b[3]};
    uint32_t high[2];
    uint32_t low[2];
    uint32_t both[2];
    mul4(high, a + 2, b + 2);
    mul4(low, a, b);
    mul4(both, a_sum, b_sum);
    out[2] = both[0] ^ low[0];
    out[3] = both[1] ^ low[1];
    out[0] = low[0] ^ high[1]; /* times w: (h1, h0) to (h1 + h0, h1) */
    out[1] = low[1] ^ high[1] ^ high[0];
}

/* In GF(2^4): d = w a1^2 + a0 (a0 + a1); inverse (a1 / d, (a0 + a1) / d); in GF(2^2) the inverse is the square. */
static inline void inv16(uint32_t out[4], const uint32_t a[4])
{
    const uint32_t sum[2] = {a[0] ^ a[2], a[1] ^ a[3]};
    uint32_t d[2];
    mul4(d, a, sum);
    d[0] ^= a[3]; /* w a1^2 swaps the two bits of a1 */
    d[1] ^= a[2];
    d[0] ^= d[1]; /* square */
    mul4(out + 2, a + 2, d);
    mul4(out, sum, d);
}

/* The same one step up: d = 8 a1^2 + a0 (a0 + a1). */
static inline void inv256(uint32_t a[8])
{
    const uint32_t sum[4] = {a[0] ^ a[4], a[1] ^ a[5], a[2] ^ a[6], a[3] ^ a[7]};
    const uint32_t *high = a + 4;
    uint32_t d[4];
    uint32_t inverse[4];
    mul16(d, a, sum);
    d[0] ^= high[2];
    d[1] ^= high[2] ^ high[3];
    d[2] ^= high[1] ^ high[2] ^ high[3];
    d[3] ^= high[0] ^ high[3];
    inv16(inverse, d);
    mul16(a, sum, inverse);
    mul16(d, high, inverse);
    memcpy(a + 4, d, sizeof d);
}

/* ---- into the tower and out ---- */

static inline void to_tower(const uint32_t q[8], uint32_t a[8])
{
    const uint32_t t0 = q[3] ^ q[4];
    const uint32_t t1 = q[6] ^ t0;
    const uint32_t t2 = q[2] ^ t1;
    const uint32_t t3 = q[5] ^ q[7];
    a[0] = q[0] ^ t2;
    a[1] = q[2];
    a[2] = t1 ^ t3;
    a[3] = t0;
    a[4] = q[7] ^ t2;
    a[5] = q[1] ^ q[4] ^ q[6] ^ q[7];
    a[6] = t2 ^ q[1] ^ q[5];
    a[7] = t3;
}

static inline void from_tower_affine(const uint32_t a[8], uint32_t q[8])
{
    const uint32_t t0 = a[0] ^ a[6];
    const uint32_t t1 = a[2] ^ a[3];
    const uint32_t t2 = a[1] ^ t0;
    q[0] = ~(a[5] ^ t0);
    q[1] = ~(t2 ^ a[3] ^ a[4]);
    q[2] = t1 ^ t2;
    q[3] = a[0] ^ a[5];
    q[4] = t1 ^ a[4] ^ t0;
    q[5] = ~(t1 ^ a[6] ^ a[7]);
    q[6] = ~(a[4] ^ a[7]);
    q[7] = a[2];
}

static inline void unaffine_to_tower(const uint32_t q[8], uint32_t a[8])
{
    const uint32_t q0 = ~q[0];
    const uint32_t q1 = ~q[1];
    const uint32_t q5 = ~q[5];
    const uint32_t q6 = ~q[6];
    const uint32_t t0 = q1 ^ q[2];
    const uint32_t t1 = q5 ^ q6;
    const uint32_t t2 = q0 ^ q[3];
    const uint32_t t3 = q[4] ^ t1;
    const uint32_t t4 = q[7] ^ t0;
    a[0] = t3;
    a[1] = q[7] ^ q1 ^ q[4];
    a[2] = q[7];
    a[3] = t2 ^ t0 ^ t1;
    a[4] = t4;
    a[5] = q[3] ^ t3;
    a[6] = t2;
    a[7] = q6 ^ t4;
}

static inline void from_tower(const uint32_t a[8], uint32_t q[8])
{
    const uint32_t t0 = a[1] ^ a[7];
    const uint32_t t1 = a[2] ^ a[4];
    const uint32_t t3 = t0 ^ a[5] ^ a[6];
    q[0] = t0 ^ a[0] ^ a[2];
    q[1] = a[7] ^ a[4] ^ a[6];
    q[2] = a[1];
    q[3] = t3;
    q[4] = a[3] ^ t3;
    q[5] = a[1] ^ t1;
    q[6] = a[7] ^ a[2] ^ a[3];
    q[7] = t0 ^ t1;
}

static void sub_bytes(uint32_t q[8])
{
    uint32_t a[8];
    to_tower(q, a);
    inv256(a);
    from_tower_affine(a, q);
}

static void inv_sub_bytes(uint32_t q[8])
{
    uint32_t a[8];
    unaffine_to_tower(q, a);
    inv256(a);
    from_tower(a, q);
}

/* ---- the other layers: byte i of a block is row i % 4, column i / 4 ---- */

/* Rotate each block's 16 bits right by n. */
static inline uint32_t ror16(uint32_t x, unsigned n)
{
    const uint32_t low = 0xFFFFU >> n;
    return ((x >> n) & (low | low << 16)) | ((x << (16 - n)) & ~(low | low << 16));
}

static void shift_rows(uint32_t q[8])
{
    for (size_t b = 0; b < 8; b++) {
        const uint32_t x = q[b];
        q[b] = (x & 0x11111111U) | ror16(x & 0x22222222U, 4) | ror16(x & 0x44444444U, 8) | ror16(x & 0x88888888U, 12);
    }
}

static void inv_shift_rows(uint32_t q[8])
{
    for (size_t b = 0; b < 8; b++) {
        const uint32_t x = q[b];
        q[b] = (x & 0x11111111U) | ror16(x & 0x22222222U, 12) | ror16(x & 0x44444444U, 8) | ror16(x & 0x88888888U, 4);
    }
}

/* To each row its next, or its next but one, in the same column. */
static inline uint32_t next_row(uint32_t x)
{
    return ((x >> 1) & 0x77777777U) | ((x & 0x11111111U) << 3);
}

static inline uint32_t second_row(uint32_t x)
{
    return ((x >> 2) & 0x33333333U) | ((x & 0x33333333U) << 2);
}

/* Every byte times 02 in GF(2^8). */
static inline void times_two(uint32_t out[8], const uint32_t q[8])
{
    out[7] = q[6];
    out[6] = q[5];
    out[5] = q[4];
    out[4] = q[3] ^ q[7];
    out[3] = q[2] ^ q[7];
    out[2] = q[1];
    out[1] = q[0] ^ q[7];
    out[0] = q[7];
}

/* Each byte a becomes 2 (a + a') + a' + a'' + a''', primes counting rows down. */
static void mix_columns(uint32_t q[8])
{
    uint32_t sum[8];
    uint32_t twice[8];
    for (size_t b = 0; b < 8; b++) {
        sum[b] = q[b] ^ next_row(q[b]);
    }
    times_two(twice, sum);
    for (size_t b = 0; b < 8; b++) {
        q[b] = twice[b] ^ next_row(q[b]) ^ second_row(sum[b]);
    }
}

/* The inverse is mix_columns after adding 4 (a + a'') to every byte. */
static void inv_mix_columns(uint32_t q[8])
{
    uint32_t sum[8];
    uint32_t twice[8];
    for (size_t b = 0; b < 8; b++) {
        sum[b] = q[b] ^ second_row(q[b]);
    }
    times_two(twice, sum);
    times_two(sum, twice);
    for (size_t b = 0; b < 8; b++) {
        q[b] ^= sum[b];
    }
    mix_columns(q);
}

static void add_key(uint32_t q[8], const uint32_t key[8])
{
    for (size_t b = 0; b < 8; b++) {
        q[b] ^= key[b];
    }
}

/* ---- bytes to planes and back ---- */

static void pack(uint32_t q[8], const uint8_t *data, size_t len)
{
    memset(q, 0, 8 * sizeof *q);
    for (size_t i = 0; i < len; i++) {
        for (size_t b = 0; b < 8; b++) {
            q[b] |= (uint32_t)((data[i] >> b) & 1U) << i;
        }
    }
}

static void unpack(uint8_t *data, const uint32_t q[8], size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t byte = 0;
        for (size_t b = 0; b < 8; b++) {
            byte |= ((q[b] >> i) & 1U) << b;
        }
        data[i] = (uint8_t)byte;
    }
}

static void sub_word(uint8_t word[4])
{
    uint32_t q[8];
    pack(q, word, 4);
    sub_bytes(q);
    unpack(word, q, 4);
}

void scrip_aes_expand(struct scrip_aes_keys *keys, const uint8_t *key, size_t key_len)
{
    const size_t key_words = key_len / 4;
    const size_t rounds = key_words + 6;
    uint8_t w[4 * 4 * (SCRIP_AES_ROUNDS_MAX + 1)];
    uint8_t constant = 1;

    memcpy(w, key, key_len);
    for (size_t i = key_words; i < 4 * (rounds + 1); i++) {
        uint8_t word[4];
        memcpy(word, w + 4 * (i - 1), 4);
        if (i % key_words == 0) {
            const uint8_t first = word[0];
            memmove(word, word + 1, 3);
            word[3] = first;
            sub_word(word);
            word[0] ^= constant;
            constant = (uint8_t)(constant << 1 ^ (constant >> 7) * 0x1B);
        } else if (key_words > 6 && i % key_words == 4) {
            sub_word(word);
        }
        for (size_t k = 0; k < 4; k++) {
            w[4 * i + k] = w[4 * (i - key_words) + k] ^ word[k];
        }
    }
    for (size_t r = 0; r <= rounds; r++) {
        pack(keys->round[r], w + 16 * r, 16);
        for (size_t b = 0; b < 8; b++) {
            keys->round[r][b] |= keys->round[r][b] << 16;
        }
    }
    scrip_wipe(w, sizeof w);
}

void scrip_aes_encrypt(const struct scrip_aes_keys *keys, unsigned rounds, uint8_t data[32])
{
    uint32_t q[8];
    pack(q, data, 32);
    add_key(q, keys->round[0]);
    for (unsigned r = 1; r < rounds; r++) {
        sub_bytes(q);
        shift_rows(q);
        mix_columns(q);
        add_key(q, keys->round[r]);
    }
    sub_bytes(q);
    shift_rows(q);
    add_key(q, keys->round[rounds]);
    unpack(data, q, 32);
}

void scrip_aes_decrypt(const struct scrip_aes_keys *keys, unsigned rounds, uint8_t data[32])
{
    uint32_t q[8];
    pack(q, data, 32);
    add_key(q, keys->round[rounds]);
    for (unsigned r = rounds - 1; r > 0; r--) {
        inv_shift_rows(q);
        inv_sub_bytes(q);
        add_key(q, keys->round[r]);
        inv_mix_columns(q);
    }
    inv_shift_rows(q);
    inv_sub_bytes(q);
    add_key(q, keys->round[0]);
    unpack(data, q, 32);
}
