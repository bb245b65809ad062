#include "rate.h"

#include <sodium.h>
#include <string.h>

#define WAYS 4U

void rate_init(struct rate *rate, uint32_t per_minute)
{
    memset(rate, 0, sizeof *rate);
    rate->per_minute = per_minute;
    randombytes_buf(rate->key, sizeof rate->key);
}

/* The slot of `hash` among the few that it may have; else the one that was not asked for the longest. */
static struct rate_slot *slot_of(struct rate *rate, uint64_t hash)
{
    struct rate_slot *set = &rate->slots[hash % (RATE_SLOTS / WAYS) * WAYS];
    struct rate_slot *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].hash == hash) {
            return &set[i];
        }
        if (set[i].at_ms < oldest->at_ms) {
            oldest = &set[i];
        }
    }
    oldest->hash = 0;
    return oldest;
}

bool rate_allow(struct rate *rate, const char *who, uint64_t now_ms)
{
    uint8_t digest[8];
    uint64_t hash;
    if (rate->per_minute == 0) {
        return true;
    }
    crypto_shorthash(digest, (const uint8_t *)who, strlen(who), rate->key);
    memcpy(&hash, digest, sizeof hash);
    hash |= 1; /* 0 is an unused slot */
    struct rate_slot *slot = slot_of(rate, hash);
    const uint64_t full = (uint64_t)rate->per_minute * 1000U;
    if (slot->hash != hash) {
        slot->hash = hash;
        slot->level = full;
    } else if (now_ms > slot->at_ms) {
        const uint64_t gained = (now_ms - slot->at_ms) * rate->per_minute / 60U; /* thousandths */
        slot->level = gained >= full - slot->level ? full : slot->level + gained;
    }
    slot->at_ms = now_ms;
    if (slot->level < 1000) {
        return false;
    }
    slot->level -= 1000;
    return true;
}
