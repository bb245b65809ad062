/* portable_names.h: the portable back end under other names, so that one program can hold both. Forced into its
 * sources by the build with PORTABLE_RENAME defined. */
#ifndef SCRIP_TEST_PORTABLE_NAMES_H
#define SCRIP_TEST_PORTABLE_NAMES_H

#ifdef PORTABLE_RENAME
#define scrip_block_init         portable_block_init
#define scrip_block_init_encrypt portable_block_init_encrypt
#define scrip_block_encrypt      portable_block_encrypt
#define scrip_block_decrypt      portable_block_decrypt
#else
#include <scrip/block.h>

void portable_block_init(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key);
void portable_block_init_encrypt(struct scrip_block *block, enum scrip_cipher cipher, const uint8_t *key);
void portable_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);
void portable_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);
#endif

#endif
