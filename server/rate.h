/* rate.h: how often somebody may ask. A fixed table: no memory per client, so a crowd cannot grow it; two clients whose
 * hashes meet share a bucket, which the per-process hash key makes unpredictable. Private to the room. */
#ifndef SCRIP_SERVER_RATE_H
#define SCRIP_SERVER_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_SLOTS 4096U

struct rate_slot {
    uint64_t hash;
    uint64_t at_ms;
    uint64_t level; /* requests left, in thousandths */
};

struct rate {
    uint32_t per_minute; /* 0: unlimited */
    uint8_t key[16];
    struct rate_slot slots[RATE_SLOTS];
};

/** @param per_minute  also how many may come at once */
void rate_init(struct rate *rate, uint32_t per_minute);

/** May `who` ask now? Counts the request if so. */
bool rate_allow(struct rate *rate, const char *who, uint64_t now_ms);

#endif
