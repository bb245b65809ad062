/* block_nettle.c: the block interface on nettle. Encipher and decipher schedules lie side by side in the store, so a
 * key is expanded once however it is used. */
#include "aes128_expand.h"
#include <assert.h>
#include <nettle/aes.h>
#include <nettle/des.h>
#include <scrip/block.h>
#include <string.h>

struct aes128_both {
    struct aes128_ctx enc;
    struct aes128_ctx dec;
};

struct aes192_both {
    struct aes192_ctx enc;
    struct aes192_ctx dec;
};

struct aes256_both {
    struct aes256_ctx enc;
    struct aes256_ctx dec;
};

/* What the store holds, by cipher. */
union expanded {
    struct des_ctx des;
    struct des3_ctx des3;
    struct aes128_both aes128;
    struct aes192_both aes192;
    struct aes256_both aes256;
};

static_assert(sizeof(union expanded) <= sizeof((struct scrip_block *)0)->store, "expanded keys fit the store");

static union expanded *expanded_of(struct scrip_block *block)
{
    return (union expanded *)(void *)block->store;
}

static const union expanded *expanded_of_const(const struct scrip_block *block)
{
    return (const union expanded *)(const void *)block->store;
}

void scrip_block_init_encrypt(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key)
{
    union expanded *to = expanded_of(block);
    uint8_t wide[24];

    block->cipher = (uint8_t)cipher;
    switch (cipher) {
    case SCRIP_DES: /* nettle reports weak keys and expands them all the same; factory keys are weak */
        (void)des_set_key(&to->des, key);
        break;
    case SCRIP_2K3DES:
        memcpy(wide, key, 16);
        memcpy(wide + 16, key, 8);
        (void)des3_set_key(&to->des3, wide);
        explicit_bzero(wide, sizeof wide);
        break;
    case SCRIP_3K3DES:
        (void)des3_set_key(&to->des3, key);
        break;
    case SCRIP_AES128:
        scrip_aes128_expand(&to->aes128.enc, key);
        break;
    case SCRIP_AES192:
        aes192_set_encrypt_key(&to->aes192.enc, key);
        break;
    case SCRIP_AES256:
        aes256_set_encrypt_key(&to->aes256.enc, key);
        break;
    }
}

void scrip_block_init(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key)
{
    union expanded *to = expanded_of(block);

    scrip_block_init_encrypt(block, cipher, key);
    if (cipher == SCRIP_AES128) {
        scrip_aes128_invert(&to->aes128.dec, &to->aes128.enc);
    } else if (cipher == SCRIP_AES192) {
        aes192_invert_key(&to->aes192.dec, &to->aes192.enc);
    } else if (cipher == SCRIP_AES256) {
        aes256_invert_key(&to->aes256.dec, &to->aes256.enc);
    }
}

void scrip_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src)
{
    const union expanded *from = expanded_of_const(block);

    switch ((enum scrip_cipher)block->cipher) {
    case SCRIP_DES:
        des_encrypt(&from->des, 8 * count, dst, src);
        break;
    case SCRIP_2K3DES:
    case SCRIP_3K3DES:
        des3_encrypt(&from->des3, 8 * count, dst, src);
        break;
    case SCRIP_AES128:
        aes128_encrypt(&from->aes128.enc, 16 * count, dst, src);
        break;
    case SCRIP_AES192:
        aes192_encrypt(&from->aes192.enc, 16 * count, dst, src);
        break;
    case SCRIP_AES256:
        aes256_encrypt(&from->aes256.enc, 16 * count, dst, src);
        break;
    }
}

void scrip_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src)
{
    const union expanded *from = expanded_of_const(block);

    switch ((enum scrip_cipher)block->cipher) {
    case SCRIP_DES:
        des_decrypt(&from->des, 8 * count, dst, src);
        break;
    case SCRIP_2K3DES:
    case SCRIP_3K3DES:
        des3_decrypt(&from->des3, 8 * count, dst, src);
        break;
    case SCRIP_AES128:
        aes128_decrypt(&from->aes128.dec, 16 * count, dst, src);
        break;
    case SCRIP_AES192:
        aes192_decrypt(&from->aes192.dec, 16 * count, dst, src);
        break;
    case SCRIP_AES256:
        aes256_decrypt(&from->aes256.dec, 16 * count, dst, src);
        break;
    }
}
