/* block.h: block ciphers, one interface over the host's library (nettle) and our portable constant-time code.
 *
 * Which back end is linked is decided by the build: a host links scrip_block_host, a microcontroller (and a build with
 * SCRIP_PORTABLE_BLOCK) scrip_block_portable; the target scrip_crypto brings the right one along. Both give the same
 * results (a test compares them). No heap, no set-up, no failure after a valid init. */
#ifndef SCRIP_BLOCK_H
#define SCRIP_BLOCK_H

#include <stddef.h>
#include <stdint.h>

/** Ciphers, in the order of strength. Key lengths: 8, 16, 24, 16, 24, 32 bytes. */
enum scrip_cipher {
    SCRIP_DES,
    SCRIP_2K3DES,
    SCRIP_3K3DES,
    SCRIP_AES128,
    SCRIP_AES192,
    SCRIP_AES256,
};

#define SCRIP_BLOCK_MAX 16U /**< largest block, bytes */
#define SCRIP_KEY_MAX   32U /**< largest key, bytes */

/** An expanded key. Fields private. Lives wherever the caller puts it; wipe it when done. */
struct scrip_block {
    uint8_t cipher; /* enum scrip_cipher */
    uint64_t store[62];
};

/** Key length of a cipher, bytes. */
size_t scrip_cipher_key_len(enum scrip_cipher cipher);

/** Block length of a cipher: 8 or 16 bytes. */
size_t scrip_cipher_block_len(enum scrip_cipher cipher);

/** Expand a key of scrip_cipher_key_len(cipher) bytes. The parity bits of DES keys are ignored. */
void scrip_block_init(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key);

/** The same for a key that only ever enciphers, as in CMAC: cheaper, and scrip_block_decrypt must not be called. */
void scrip_block_init_encrypt(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key);

/** Encipher `count` blocks one by one (ECB). `dst` may be `src`; otherwise they must not overlap. */
void scrip_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);

/** Decipher `count` blocks one by one (ECB). `dst` may be `src`; otherwise they must not overlap. */
void scrip_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);

/** Block length of an expanded key, bytes. */
size_t scrip_block_len(const struct scrip_block *block);

/** Encipher in CBC mode. `iv` (one block) is replaced by the last cipher block, ready to go on.
 *  @param count  blocks; `dst` may be `src` */
void scrip_cbc_encrypt(const struct scrip_block *block, uint8_t *iv, size_t count, uint8_t *dst, const uint8_t *src);

/** Decipher in CBC mode. `iv` (one block) is replaced by the last cipher block. `dst` may be `src`. */
void scrip_cbc_decrypt(const struct scrip_block *block, uint8_t *iv, size_t count, uint8_t *dst, const uint8_t *src);

/** Clear the expanded key. */
void scrip_block_wipe(struct scrip_block *block);

#endif
