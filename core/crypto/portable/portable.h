/* portable.h: AES and DES in constant time, for machines without anything better. No look-up and no branch depends on a
 * key or on data: both ciphers are computed with bitwise logic on words that hold one bit of many bytes. */
#ifndef SCRIP_CRYPTO_PORTABLE_H
#define SCRIP_CRYPTO_PORTABLE_H

#include <stddef.h>
#include <stdint.h>

/** Bit planes: bit i of word b is bit b of byte i. Bytes 0..15 are one AES block, 16..31 another. */
#define SCRIP_AES_PLANES     8U
#define SCRIP_AES_ROUNDS_MAX 14U

/** AES round keys as planes, the same in both halves. */
struct scrip_aes_keys {
    uint32_t round[SCRIP_AES_ROUNDS_MAX + 1][SCRIP_AES_PLANES];
};

/** DES subkeys: of each of up to three keys, 16 rounds, the six bits of each S-box as two words (des.c). */
struct scrip_des_keys {
    uint32_t round[3][16][2];
};

/** Expand `key_len` 16, 24 or 32 bytes. */
void scrip_aes_expand(struct scrip_aes_keys *keys, const uint8_t *key, size_t key_len);

/** One or two blocks in place of 32 bytes of memory; `rounds` 10, 12 or 14. */
void scrip_aes_encrypt(const struct scrip_aes_keys *keys, unsigned rounds, uint8_t data[32]);
void scrip_aes_decrypt(const struct scrip_aes_keys *keys, unsigned rounds, uint8_t data[32]);

/** Expand `count` keys of 8 bytes, one after the other. */
void scrip_des_expand(struct scrip_des_keys *keys, const uint8_t *key, size_t count);

/** One block: key 0; or, when `triple`, keys 0, 1, 2 as encipher, decipher, encipher (or the reverse). */
void scrip_des_encrypt(const struct scrip_des_keys *keys, int triple, uint8_t data[8]);
void scrip_des_decrypt(const struct scrip_des_keys *keys, int triple, uint8_t data[8]);

#endif
