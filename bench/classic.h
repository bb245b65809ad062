/* classic.h: a MIFARE Classic 1K that is read whole: 16 sectors authenticated, 64 blocks read. The card's side alone:
 * the frames of a reader were recorded and are played to it again. */
#ifndef SCRIP_BENCH_CLASSIC_H
#define SCRIP_BENCH_CLASSIC_H

#include "bench.h"

/** Seconds that the card takes for all answers, selection not counted. */
double classic_read_s(void);

/** Bits of keystream that it takes for them. */
size_t classic_keystream_bits(void);

/** Seconds of that many bits of one cipher, 32 at a time, and nothing else. */
double classic_keystream_s(void);

#endif
