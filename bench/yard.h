/* yard.h: the yardsticks: what this machine can do at best, measured beside what we do. */
#ifndef SCRIP_BENCH_YARD_H
#define SCRIP_BENCH_YARD_H

#include "bench.h"

/** Median time of fdatasync after a 4096-byte write into a preallocated file, microseconds. */
double yard_fdatasync_us(const struct bench_options *options);

/** Seconds of one AES-128 block in a chain, each block the input of the next, key already expanded. */
double yard_aes_block_s(void);

/** Requests a second of a bare libmicrohttpd server that answers at once with a body of `body` bytes, on the core and
 *  with the connections of the load measurement. */
double yard_http_requests_per_s(const struct bench_options *options, size_t connections, size_t body);

#endif
