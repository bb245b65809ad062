/* fleet.h: many cards and their orders, and a ledger that knows them: what a load needs before it starts. */
#ifndef SCRIP_BENCH_FLEET_H
#define SCRIP_BENCH_FLEET_H

#include "bench.h"

#include <scrip/keys.h>
#include <scrip/ledger.h>
#include <scrip/link.h>
#include <scrip/posix.h>
#include <scrip/purse_desfire.h>
#include <scrip/server.h>
#include <scrip/vcard.h>

#define FLEET_OPERATOR "operator-key-of-the-benchmark"

struct fleet_card {
    uint8_t uid[7];
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_vcard *vcard;
    struct scrip_link *link;
};

struct fleet_order {
    char id[48];
    char token[SCRIP_PHONE_TOKEN_MAX];
};

struct fleet {
    char path[512]; /* the ledger's file */
    struct scrip_keys *keys;
    struct scrip_desfire_profile profile;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_vcard_host host;
    uint8_t preamble[512];
    size_t preamble_len;
    size_t cards;
    struct fleet_card *card;
    size_t orders_per_card;
    struct fleet_order *order; /* card by card */
};

/** Personalise `cards` cards and make a ledger with them and `orders` orders each, created and not yet funded. */
void fleet_make(struct fleet *fleet, const struct bench_options *options, size_t cards, size_t orders);
void fleet_free(struct fleet *fleet);

/** Open ledger and server of a fleet. `commits` counts commits; may be NULL. */
void fleet_open(struct fleet *fleet, uint64_t *commits, struct scrip_ledger **ledger, struct scrip_server **server);

/** Leave with a message unless the status is SCRIP_OK. */
void fleet_must(const char *what, enum scrip_status status);

#endif
