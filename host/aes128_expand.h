/* aes128_expand.h: the encipher key schedule of AES-128 for nettle's context, by the processor's AES instructions.
 *
 * Why: nettle enciphers with these instructions, but expands keys with table look-ups, which costs as much as five
 * blocks (a session expands a key every few blocks) and leaves traces of the key in the cache. Elsewhere, and on
 * processors without the instructions, nettle's own function is used. */
#ifndef SCRIP_HOST_AES128_EXPAND_H
#define SCRIP_HOST_AES128_EXPAND_H

#include <nettle/aes.h>

/** Fill in nettle's subkeys: FIPS 197 words in order, each least significant byte first. */
void scrip_aes128_expand(struct aes128_ctx *ctx, const uint8_t key[16]);

#endif
