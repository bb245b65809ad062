#include "block_math.h"
#include <scrip/cmac.h>

/* Which constants go before M, and how the blocks that result are put together [AN10922 2.2 to 2.5]. */
static const struct scheme {
    uint8_t cipher;
    uint8_t first; /* constant of the first block; the others count up */
    uint8_t blocks;
} SCHEMES[] = {
    {SCRIP_AES128, 0x01, 1}, {SCRIP_AES192, 0x11, 2}, {SCRIP_AES256, 0x41, 2},
    {SCRIP_2K3DES, 0x21, 2}, {SCRIP_3K3DES, 0x31, 3},
};

/* One diversified block: constant || M, padded to exactly two blocks even when one would do. */
static void diversify_block(const struct scrip_cmac_key *key, uint8_t constant, struct scrip_bytes input, uint8_t *out)
{
    const size_t len = scrip_block_len(&key->block);
    const bool whole = input.len + 1 == 2 * len;
    uint8_t d[2 * SCRIP_BLOCK_MAX] = {constant};
    uint8_t iv[SCRIP_BLOCK_MAX] = {0};

    memcpy(d + 1, input.at, input.len);
    if (!whole) {
        d[1 + input.len] = 0x80;
    }
    scrip_block_xor(d + len, whole ? key->k1 : key->k2, len);
    scrip_cbc_encrypt(&key->block, iv, 2, d, d);
    memcpy(out, d + len, len);
    scrip_wipe(d, sizeof d);
    scrip_wipe(iv, sizeof iv);
}

static const struct scheme *scheme_of(enum scrip_cipher cipher)
{
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        if (SCHEMES[i].cipher == cipher) {
            return &SCHEMES[i];
        }
    }
    return NULL;
}

enum scrip_status scrip_an10922(enum scrip_cipher cipher, const uint8_t *master, struct scrip_bytes input, uint8_t *out)
{
    const struct scheme *scheme = scheme_of(cipher);
    const size_t len = scrip_cipher_block_len(cipher);
    struct scrip_cmac_key key;
    uint8_t blocks[3 * SCRIP_BLOCK_MAX];

    if (scheme == NULL || input.len < 1 || input.len > 2 * len - 1) {
        return SCRIP_E_ARGUMENT;
    }
    scrip_cmac_key_init(&key, cipher, master);
    for (uint8_t i = 0; i < scheme->blocks; i++) {
        diversify_block(&key, (uint8_t)(scheme->first + i), input, blocks + i * len);
    }
    if (cipher == SCRIP_AES192) { /* 24 bytes out of 32: the halves overlap in the middle */
        scrip_block_xor(blocks + 8, blocks + 16, 8);
        memcpy(blocks + 16, blocks + 24, 8);
    }
    memcpy(out, blocks, scrip_cipher_key_len(cipher));
    scrip_wipe(blocks, sizeof blocks);
    scrip_cmac_key_wipe(&key);
    return SCRIP_OK;
}

void scrip_des_restore_version(uint8_t *key, size_t len, const uint8_t *master)
{
    for (size_t i = 0; i < len; i++) {
        key[i] = (uint8_t)((key[i] & 0xFEU) | (i < 8 ? master[i] & 1U : 0U));
    }
}
