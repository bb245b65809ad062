/* crypto.h: the cryptography of a visit and nothing else: handshake, secure messaging, Transaction MAC, called as the
 * card and the terminal call it, on the bytes of a whole top-up or debit with EV2 messaging. */
#ifndef SCRIP_BENCH_CRYPTO_H
#define SCRIP_BENCH_CRYPTO_H

#include "bench.h"

/** Seconds of the card's cryptography of one top-up. */
double crypto_card_topup_s(void);

/** AES blocks that it enciphers or deciphers. */
size_t crypto_card_topup_blocks(void);

/** Seconds of both sides' cryptography of one debit. */
double crypto_debit_s(void);

#endif
