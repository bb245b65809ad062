/* air.h: a debit of every purse in a field of virtual cards: the time that it takes on the air at 106 kbit/s, beside
 * the least that its frames could take.
 *
 * The least is counted from a table of the frames that the purse's procedure must exchange (docs/protocol): selection,
 * RATS, authentication, its reads and its change. A frame of n bytes takes 9n + 2 bits, between two frames lie 1172
 * cycles of the carrier, a card needs no time to work, nothing is repeated, commands of DESFire are native ones without
 * an APDU around them. Counted apart on both sides: 5 ms for the field to come, and the 5 ms for which a reader listens
 * after an operand of MIFARE Classic, where silence is success. */
#ifndef SCRIP_BENCH_AIR_H
#define SCRIP_BENCH_AIR_H

#include "bench.h"

#define AIR_PURSES 6U

/** Name of a purse's figure. Static memory. */
const char *air_name(size_t purse);

/** Debits with each purse, a new card for every round, and notes of what else takes time. `figures` are in ms. */
void air_measure(const struct bench_options *options, struct bench_figure figures[AIR_PURSES]);

#endif
