/* aes128_expand.h: the key schedules of AES-128 for nettle's context, by the processor's AES instructions.
 *
 * Why: nettle enciphers with these instructions, but expands keys with table look-ups, which costs as much as five
 * blocks, ten more to decipher (a session expands a key every few blocks), and leaves traces of the key in the cache.
 * Elsewhere, and on processors without the instructions, nettle's own function is used. */
#ifndef SCRIP_HOST_AES128_EXPAND_H
#define SCRIP_HOST_AES128_EXPAND_H

#include <nettle/aes.h>

/** Fill in nettle's subkeys: FIPS 197 words in order, each least significant byte first. */
void scrip_aes128_expand(struct aes128_ctx *ctx, const uint8_t key[16]);

/** The subkeys to decipher with (equivalent inverse cipher) from those to encipher with. */
void scrip_aes128_invert(struct aes128_ctx *dst, const struct aes128_ctx *src);

#endif
