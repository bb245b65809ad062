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

static void absorb(const struct scrip_cmac_key *key, uint8_t *x, const uint8_t *block, size_t len)
{
    scrip_block_xor(x, block, len);
    scrip_block_encrypt(&key->block, 1, x, x);
}

/* Up to eight bytes, then 80 00.. if that fits, as one word in the order of memory. */
static uint64_t padded_word(const uint8_t *at, size_t len)
{
    uint64_t word = 0x80;
    if (len >= 8) {
        return scrip_word_get_le(at);
    }
    while (len-- > 0) {
        word = word << 8 | at[len];
    }
    return word;
}

/* The end of a message: its last 0..len bytes, fewer than a block filled up with 80 00.. */
static void finish(const struct scrip_cmac_key *key, uint8_t *x, const uint8_t *rest, size_t rest_len, size_t len)
{
    uint8_t last[SCRIP_BLOCK_MAX];
    if (rest_len == len) {
        scrip_block_xor(x, key->k1, len);
        scrip_block_xor(x, rest, len);
    } else {
        scrip_block_put_le(last, padded_word(rest, rest_len), rest_len >= 8 ? padded_word(rest + 8, rest_len - 8) : 0);
        scrip_block_xor(x, key->k2, len);
        scrip_block_xor(x, last, len);
    }
    scrip_block_encrypt(&key->block, 1, x, x);
}

/* A message in one piece needs no holding back. */
static void whole(const struct scrip_cmac_key *key, uint8_t *x, struct scrip_bytes message)
{
    const size_t len = scrip_block_len(&key->block);
    const uint8_t *at = message.at;
    size_t left = message.len;
    for (; left > len; left -= len) {
        absorb(key, x, at, len);
        at += len;
    }
    finish(key, x, at, left, len);
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

/* The last block is held back, even when full: only scrip_cmac_final knows that it is the last. */
void scrip_cmac_add(struct scrip_cmac *cmac, struct scrip_bytes piece)
{
    const size_t len = scrip_block_len(&cmac->key->block);
    const size_t room = len - cmac->held_len;
    size_t left = piece.len;
    const uint8_t *at = piece.at;

    if (left > room) { /* more than the block being filled: it is not the last */
        memcpy(cmac->held + cmac->held_len, at, room);
        absorb(cmac->key, cmac->x, cmac->held, len);
        cmac->held_len = 0;
        at += room;
        left -= room;
        for (; left > len; left -= len) {
            absorb(cmac->key, cmac->x, at, len);
            at += len;
        }
    }
    if (left > 0) {
        memcpy(cmac->held + cmac->held_len, at, left);
        cmac->held_len += left;
    }
}

void scrip_cmac_final(struct scrip_cmac *cmac, uint8_t *mac)
{
    const size_t len = scrip_block_len(&cmac->key->block);
    finish(cmac->key, cmac->x, cmac->held, cmac->held_len, len);
    memcpy(mac, cmac->x, len);
}

void scrip_cmac_chain(const struct scrip_cmac_key *key, uint8_t *iv, struct scrip_bytes message)
{
    whole(key, iv, message);
}

void scrip_cmac(const struct scrip_cmac_key *key, struct scrip_bytes message, uint8_t *mac)
{
    uint8_t x[SCRIP_BLOCK_MAX] = {0};
    whole(key, x, message);
    memcpy(mac, x, scrip_block_len(&key->block));
}

/* Every second byte of eight, in the low half. */
static uint64_t odd_bytes(uint64_t word)
{
    word = word >> 8 & UINT64_C(0x00FF00FF00FF00FF);
    word = (word | word >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (word | word >> 16) & UINT64_C(0x00000000FFFFFFFF);
}

void scrip_mact(const uint8_t mac[16], uint8_t out[8])
{
    scrip_word_put_le(out, odd_bytes(scrip_word_get_le(mac)) | odd_bytes(scrip_word_get_le(mac + 8)) << 32);
}

void scrip_aes_mact(const uint8_t key[16], struct scrip_bytes message, uint8_t out[8])
{
    struct scrip_cmac_key cmac;
    uint8_t mac[16];
    scrip_cmac_key_init(&cmac, SCRIP_AES128, key);
    scrip_cmac(&cmac, message, mac);
    scrip_cmac_key_wipe(&cmac);
    scrip_mact(mac, out);
}
