/* rows.h: which rows the server writes for a top-up, seen from inside SQLite, and a bare program that writes exactly
 * these rows again. So the yardstick follows the ledger's schema by itself. */
#ifndef SCRIP_BENCH_ROWS_H
#define SCRIP_BENCH_ROWS_H

#include "bench.h"

struct rows;

/** From now on every database this process opens is recorded into one recording. */
struct rows *rows_record(void);

/** Forget what was written so far and keep a copy of the database as it is now: the replays start from it. */
void rows_start(struct rows *rows);

/** Stop recording. */
void rows_stop(struct rows *rows);

/** Transactions recorded that wrote something. */
size_t rows_transitions(const struct rows *rows);

/** Rows recorded. */
size_t rows_count(const struct rows *rows);

/** Write the rows again into a fresh copy of the database at `path` (WAL, synchronous=FULL), `batch` transitions to a
 *  commit (the mean, if not whole), going on for about `seconds`. A process of its own does it, with SQLite as it is
 *  unless somebody sets it up.
 *  @return transitions a second */
double rows_replay(const struct rows *rows, const char *path, double batch, double seconds);

void rows_free(struct rows *rows);

#endif
