/* debit.h: a whole debit, terminal and card in one process. */
#ifndef SCRIP_BENCH_DEBIT_H
#define SCRIP_BENCH_DEBIT_H

#include "fleet.h"

/** Seconds of one debit: the flow, its journal in memory, the link, the card and its memory. The fleet's cards take
 * turns. */
double debit_s(struct fleet *fleet);

#endif
