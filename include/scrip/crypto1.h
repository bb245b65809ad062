/* crypto1.h: the stream cipher of MIFARE Classic, both sides. Broken since 2008: it keeps the honest honest, and is
 * here to work with cards that exist. Nothing here recovers keys.
 *
 * Bits come in order of transmission: a byte's least significant bit first. Words of 32 bits hold four bytes as sent,
 * the first byte most significant (CE844261h for CE 84 42 61). */
#ifndef SCRIP_CRYPTO1_H
#define SCRIP_CRYPTO1_H

#include <scrip/bytes.h>

/** The 48 bits of the register, x0 in bit 0; wipe when done. */
struct scrip_crypto1 {
    uint64_t state;
};

/** Load a key, bytes in the order of the sector trailer. */
void scrip_crypto1_load(struct scrip_crypto1 *cipher, const uint8_t key[6]);

/** The keystream bit that comes next; the register is not clocked. */
bool scrip_crypto1_peek(const struct scrip_crypto1 *cipher);

/** One keystream bit; `in` is fed back. */
bool scrip_crypto1_bit(struct scrip_crypto1 *cipher, bool in);

/** Eight and 32 keystream bits with `in` fed back bit by bit. */
uint8_t scrip_crypto1_byte(struct scrip_crypto1 *cipher, uint8_t in);
uint32_t scrip_crypto1_word(struct scrip_crypto1 *cipher, uint32_t in);

/** Suc of the card's nonce generator, `steps` clocks on (64 for aR, 96 for aT). */
uint32_t scrip_crypto1_successor(uint32_t nonce, uint32_t steps);

/** Both sides of the three passes begin here: key and `uid4 ^ nt` into the register. uid4 is the UID of four bytes or
 *  the last four of a longer one.
 *  @param nested  the register holds a session: what comes out enciphers the card's nonce
 *  @return the 32 keystream bits that went over the nonce (of use when nested) */
uint32_t scrip_crypto1_begin(struct scrip_crypto1 *cipher, const uint8_t key[6], uint32_t uid4, uint32_t nt);

#endif
