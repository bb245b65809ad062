/* block.c: the block interface on the portable ciphers. */
#include "portable.h"
#include <assert.h>
#include <scrip/block.h>
#include <scrip/bytes.h>
#include <string.h>

static_assert(sizeof(struct scrip_aes_keys) <= sizeof((struct scrip_block *)0)->store, "expanded keys fit the store");
static_assert(sizeof(struct scrip_des_keys) <= sizeof((struct scrip_block *)0)->store, "expanded keys fit the store");

static unsigned aes_rounds(uint8_t cipher)
{
    return cipher == SCRIP_AES128 ? 10 : cipher == SCRIP_AES192 ? 12 : 14;
}

void scrip_block_init(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key)
{
    block->cipher = (uint8_t)cipher;
    if (cipher >= SCRIP_AES128) {
        scrip_aes_expand((struct scrip_aes_keys *)(void *)block->store, key, 4 * (aes_rounds(block->cipher) - 6));
        return;
    }
    struct scrip_des_keys *keys = (struct scrip_des_keys *)(void *)block->store;
    scrip_des_expand(keys, key, (size_t)cipher - SCRIP_DES + 1); /* one, two or three keys */
    if (cipher == SCRIP_2K3DES) {
        memcpy(keys->round[2], keys->round[0], sizeof keys->round[0]);
    }
}

/* Both directions use the same round keys. */
void scrip_block_init_encrypt(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key)
{
    scrip_block_init(block, cipher, key);
}

/* AES takes two blocks at a time. */
static void crypt_aes(const struct scrip_block *block, int decrypt, size_t count, uint8_t *dst, const uint8_t *src)
{
    const struct scrip_aes_keys *keys = (const struct scrip_aes_keys *)(const void *)block->store;
    uint8_t pair[32] = {0};
    for (size_t i = 0; i < count; i += 2) {
        const size_t len = count - i > 1 ? 32 : 16;
        memcpy(pair, src + 16 * i, len);
        if (decrypt) {
            scrip_aes_decrypt(keys, aes_rounds(block->cipher), pair);
        } else {
            scrip_aes_encrypt(keys, aes_rounds(block->cipher), pair);
        }
        memcpy(dst + 16 * i, pair, len);
    }
}

static void crypt_des(const struct scrip_block *block, int decrypt, size_t count, uint8_t *dst, const uint8_t *src)
{
    const struct scrip_des_keys *keys = (const struct scrip_des_keys *)(const void *)block->store;
    const int triple = block->cipher != SCRIP_DES;
    for (size_t i = 0; i < count; i++) {
        uint8_t one[8];
        memcpy(one, src + 8 * i, sizeof one);
        if (decrypt) {
            scrip_des_decrypt(keys, triple, one);
        } else {
            scrip_des_encrypt(keys, triple, one);
        }
        memcpy(dst + 8 * i, one, sizeof one);
    }
}

void scrip_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src)
{
    if (block->cipher >= SCRIP_AES128) {
        crypt_aes(block, 0, count, dst, src);
    } else {
        crypt_des(block, 0, count, dst, src);
    }
}

void scrip_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src)
{
    if (block->cipher >= SCRIP_AES128) {
        crypt_aes(block, 1, count, dst, src);
    } else {
        crypt_des(block, 1, count, dst, src);
    }
}
