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

/** Four keystream bits (in the low half; the first one lowest), nothing is fed back: for MIFARE's short answers. */
uint8_t scrip_crypto1_nibble(struct scrip_crypto1 *cipher);

/** Eight and 32 keystream bits with `in` fed back bit by bit. */
uint8_t scrip_crypto1_byte(struct scrip_crypto1 *cipher, uint8_t in);
uint32_t scrip_crypto1_word(struct scrip_crypto1 *cipher, uint32_t in);

/** Decipher 32 bits whose plain text is fed back: the reader's nonce at the card (mask 0), the enciphered nonce of the
 *  card in a nested authentication at the reader (mask: uid4). What is fed is the plain text ^ mask.
 *  @return the plain text */
uint32_t scrip_crypto1_word_open(struct scrip_crypto1 *cipher, uint32_t enciphered, uint32_t mask);

/** The card's nonce generator (x^16 + x^14 + x^13 + x^11 + 1), `steps` clocks on: 64 for aR, 96 for aT. Any nonce will
 *  do; from the 32nd bit on only the last 16 matter. One of 16 bits, h, is expanded by successor(h, 16). */
uint32_t scrip_crypto1_successor(uint32_t nonce, uint32_t steps);

/** Both sides of the three passes begin here: the key into the register, then `uid4 ^ nt` through it. uid4 is the UID
 *  of four bytes or the last four of a longer one.
 *  @return the 32 keystream bits meanwhile: a nested authentication enciphers nt with them */
uint32_t scrip_crypto1_begin(struct scrip_crypto1 *cipher, const uint8_t key[6], uint32_t uid4, uint32_t nt);

#endif
