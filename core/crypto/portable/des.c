/* des.c: DES without look-ups [FIPS 46-3].
 *
 * All eight S-boxes are computed at once in the 32 bits of a word, one lane per output bit: lanes 31..28 are S-box 1,
 * first output bit first, and so on. SBOXES[v] holds what the lanes give when every S-box's input is v; a tree of 63
 * selections, steered by the six input bits of each S-box spread over its four lanes, picks for each lane its own v.
 * Which entries are read never depends on the data. */
#include "portable.h"
#include <scrip/bytes.h>
#include <string.h>

#define NIBBLE_ONES 0x11111111U

/* By input, first input bit most significant. */
static const uint32_t SBOXES[64] = {
    0xEFA72C4D, 0x03DDEAD1, 0x410DC1B2, 0xFD78BF0F, 0xD89E4A28, 0x740B24BD, 0x1EE31FE4, 0x4795C278,
    0x266079F6, 0xEF36474A, 0xFB36A20F, 0x224F7C93, 0xB3F9B68B, 0xD860D917, 0x845A68D1, 0x1EA315A4,
    0x3911803A, 0xAC2456EC, 0xA7D25DC9, 0x60870135, 0x62C83393, 0xC152FD56, 0xCD75F47E, 0xBAECAECB,
    0x5CBBDE55, 0x96C13020, 0x904C07A0, 0x59BA9BFE, 0x0524E56C, 0x3BFE8389, 0x7A8F9B17, 0x85196862,
    0x40DA4917, 0xFD13B462, 0x1E662E4B, 0xC8AF83B1, 0xE7491FB4, 0x8AD0C2DE, 0x8B90B5D1, 0x21067C87,
    0xDA8CA2C9, 0x436A1914, 0x64FBD83C, 0x9F91E54A, 0x2D377C7E, 0x148D2FA8, 0xB10D83E2, 0x7278DA7D,
    0xF5BFF7A0, 0x5B496B9F, 0xC81190F6, 0xB6F4FE5C, 0x9C23C46A, 0x37E50109, 0x76CE5A8D, 0xEC3B97F0,
    0x3955610F, 0xA0BCA6E3, 0xA3A23D53, 0x05574025, 0x52E80B95, 0x6E225836, 0x0F74E628, 0xD9CE3DCB,
};

/* The permutation P as rotations: the masked bits go left by so many. */
static const struct rotation {
    uint32_t mask;
    uint8_t left;
} P[] = {
    {0x00000004, 3},  {0x00004000, 4},  {0x12020120, 5},  {0x00100000, 6},  {0x00008000, 9},
    {0x04000000, 10}, {0x00000001, 11}, {0x20000200, 12}, {0x00200000, 13}, {0x00000040, 14},
    {0x00010000, 15}, {0x00000002, 16}, {0x40801800, 17}, {0x00080000, 19}, {0x00000010, 21},
    {0x01000000, 22}, {0x88000008, 24}, {0x00000480, 25}, {0x00442000, 26},
};

static const uint8_t PC1[56] = {57, 49, 41, 33, 25, 17, 9,  1,  58, 50, 42, 34, 26, 18, 10, 2,  59, 51, 43,
                                35, 27, 19, 11, 3,  60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7,  62, 54,
                                46, 38, 30, 22, 14, 6,  61, 53, 45, 37, 29, 21, 13, 5,  28, 20, 12, 4};

static const uint8_t PC2[48] = {14, 17, 11, 24, 1,  5,  3,  28, 15, 6,  21, 10, 23, 19, 12, 4,
                                26, 8,  16, 7,  27, 20, 13, 2,  41, 52, 31, 37, 47, 55, 30, 40,
                                51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32};

static inline uint32_t rol(uint32_t x, unsigned n)
{
    return n == 0 ? x : x << n | x >> (32 - n);
}

/* 1 where bit `n` (1 first) of a key is set. */
static uint32_t key_bit(const uint8_t *key, unsigned n)
{
    return (uint32_t)(key[(n - 1) / 8] >> (7 - (n - 1) % 8)) & 1U;
}

/* Each subkey bit goes where its S-box's nibble is: the first four of six into word 0, the other two into word 1. */
static void spread_subkey(const uint32_t half[2], uint32_t out[2])
{
    out[0] = 0;
    out[1] = 0;
    for (unsigned i = 0; i < 48; i++) {
        const unsigned n = PC2[i] - 1U;
        const uint32_t bit = (half[n / 28] >> (27 - n % 28)) & 1U;
        const unsigned nibble = 28 - 4 * (i / 6);
        const unsigned k = i % 6;
        out[k / 4] |= bit << (nibble + (k < 4 ? 3 - k : 5 - k));
    }
}

static void expand_one(uint32_t round[16][2], const uint8_t *key)
{
    uint32_t half[2] = {0, 0};
    for (unsigned i = 0; i < 56; i++) {
        half[i / 28] |= key_bit(key, PC1[i]) << (27 - i % 28);
    }
    for (unsigned r = 0; r < 16; r++) {
        const unsigned left = r == 0 || r == 1 || r == 8 || r == 15 ? 1 : 2;
        for (unsigned h = 0; h < 2; h++) {
            half[h] = (half[h] << left | half[h] >> (28 - left)) & 0x0FFFFFFFU;
        }
        spread_subkey(half, round[r]);
    }
    scrip_wipe(half, sizeof half);
}

void scrip_des_expand(struct scrip_des_keys *keys, const uint8_t *key, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expand_one(keys->round[i], key + 8 * i);
    }
}

/* In all lanes of each S-box: its input bit k, out of the right half and the subkey. The six inputs of S-box s are its
 * own nibble and the neighbouring bit on each side. */
static inline uint32_t selector(uint32_t right, const uint32_t subkey[2], unsigned k)
{
    const uint32_t data = rol(right, (32 + k - 4) % 32);
    const uint32_t key = subkey[k / 4] >> (k < 4 ? 3 - k : 5 - k);
    return ((data ^ key) & NIBBLE_ONES) * 15;
}

static uint32_t round_function(uint32_t right, const uint32_t subkey[2])
{
    uint32_t level[32];
    const uint32_t last = selector(right, subkey, 5);
    uint32_t out = 0;

    for (unsigned i = 0; i < 32; i++) {
        level[i] = SBOXES[2 * i] ^ ((SBOXES[2 * i] ^ SBOXES[2 * i + 1]) & last);
    }
    for (unsigned k = 5; k-- > 0;) {
        const uint32_t select = selector(right, subkey, k);
        for (unsigned i = 0; i < 1U << k; i++) {
            level[i] = level[2 * i] ^ ((level[2 * i] ^ level[2 * i + 1]) & select);
        }
    }
    for (size_t i = 0; i < sizeof P / sizeof *P; i++) {
        out |= rol(level[0] & P[i].mask, P[i].left);
    }
    return out;
}

/* 16 rounds between the permutations; ends with the halves swapped, as DES does. */
static void rounds(uint32_t half[2], const uint32_t round[16][2], int decrypt)
{
    for (unsigned r = 0; r < 16; r++) {
        const uint32_t next = half[0] ^ round_function(half[1], round[decrypt ? 15 - r : r]);
        half[0] = half[1];
        half[1] = next;
    }
    const uint32_t left = half[0];
    half[0] = half[1];
    half[1] = left;
}

/* The initial permutation takes its bit i from this bit of the block, 0 being the first. */
static unsigned initial(unsigned i)
{
    const unsigned row = i / 8;
    return (row < 4 ? 57 + 2 * row : 56 + 2 * (row - 4)) - 8 * (i % 8);
}

static void split(uint32_t half[2], const uint8_t data[8])
{
    half[0] = 0;
    half[1] = 0;
    for (unsigned i = 0; i < 64; i++) {
        const unsigned n = initial(i);
        half[i / 32] |= ((uint32_t)(data[n / 8] >> (7 - n % 8)) & 1U) << (31 - i % 32);
    }
}

/* The final permutation is the inverse of the initial one. */
static void join(uint8_t data[8], const uint32_t half[2])
{
    memset(data, 0, 8);
    for (unsigned i = 0; i < 64; i++) {
        const unsigned n = initial(i);
        const uint32_t bit = (half[i / 32] >> (31 - i % 32)) & 1U;
        data[n / 8] = (uint8_t)(data[n / 8] | bit << (7 - n % 8));
    }
}

void scrip_des_encrypt(const struct scrip_des_keys *keys, int triple, uint8_t data[8])
{
    uint32_t half[2];
    split(half, data);
    rounds(half, keys->round[0], 0);
    if (triple) {
        rounds(half, keys->round[1], 1);
        rounds(half, keys->round[2], 0);
    }
    join(data, half);
}

void scrip_des_decrypt(const struct scrip_des_keys *keys, int triple, uint8_t data[8])
{
    uint32_t half[2];
    split(half, data);
    if (triple) {
        rounds(half, keys->round[2], 1);
        rounds(half, keys->round[1], 0);
    }
    rounds(half, keys->round[0], 1);
    join(data, half);
}
