#include "block_math.h"
#include <scrip/cmac.h>

void scrip_cmac_key_init(struct scrip_cmac_key *key, enum scrip_cipher cipher, const uint8_t *bytes)
{
    uint8_t l[SCRIP_BLOCK_MAX] = {0};
    const size_t len = scrip_cipher_block_len(cipher);
    scrip_block_init_encrypt(&key->block, cipher, bytes);
    scrip_block_encrypt(&key->block, 1, l, l);
    scrip_block_double(key->k1, l, len);
    scrip_block_double(key->k2, key->k1, len);
    scrip_wipe(l, sizeof l);
}

void scrip_cmac_key_wipe(struct scrip_cmac_key *key)
{
    scrip_wipe(key, sizeof *key);
}

void scrip_cmac_start(struct scrip_cmac *cmac, const struct scrip_cmac_key *key, const uint8_t *iv)
{
    cmac->key = key;
    cmac->held_len = 0;
    memset(cmac->x, 0, sizeof cmac->x);
    if (iv != NULL) {
        memcpy(cmac->x, iv, scrip_block_len(&key->block));
    }
}

static void absorb(struct scrip_cmac *cmac, const uint8_t *block, size_t len)
{
    scrip_block_xor(cmac->x, block, len);
    scrip_block_encrypt(&cmac->key->block, 1, cmac->x, cmac->x);
}

/* The last block is held back, even when full: only scrip_cmac_final knows that it is the last. */
void scrip_cmac_add(struct scrip_cmac *cmac, struct scrip_bytes piece)
{
    const size_t len = scrip_block_len(&cmac->key->block);
    while (piece.len > 0) {
        if (cmac->held_len == len) {
            absorb(cmac, cmac->held, len);
            cmac->held_len = 0;
        }
        const size_t room = len - cmac->held_len;
        const size_t take = piece.len < room ? piece.len : room;
        memcpy(cmac->held + cmac->held_len, piece.at, take);
        cmac->held_len += take;
        piece = scrip_bytes_from(piece, take);
    }
}

void scrip_cmac_final(struct scrip_cmac *cmac, uint8_t *mac)
{
    const size_t len = scrip_block_len(&cmac->key->block);
    const bool whole = cmac->held_len == len;
    if (!whole) {
        cmac->held[cmac->held_len] = 0x80;
        memset(cmac->held + cmac->held_len + 1, 0, len - cmac->held_len - 1);
    }
    scrip_block_xor(cmac->held, whole ? cmac->key->k1 : cmac->key->k2, len);
    absorb(cmac, cmac->held, len);
    memcpy(mac, cmac->x, len);
}

void scrip_cmac_chain(const struct scrip_cmac_key *key, uint8_t *iv, struct scrip_bytes message)
{
    struct scrip_cmac cmac;
    scrip_cmac_start(&cmac, key, iv);
    scrip_cmac_add(&cmac, message);
    scrip_cmac_final(&cmac, iv);
}

void scrip_cmac(const struct scrip_cmac_key *key, struct scrip_bytes message, uint8_t *mac)
{
    struct scrip_cmac cmac;
    scrip_cmac_start(&cmac, key, NULL);
    scrip_cmac_add(&cmac, message);
    scrip_cmac_final(&cmac, mac);
}

void scrip_mact(const uint8_t mac[16], uint8_t out[8])
{
    for (size_t i = 0; i < 8; i++) {
        out[i] = mac[2 * i + 1];
    }
}
