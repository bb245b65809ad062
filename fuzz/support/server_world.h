/* server_world.h: for fuzz targets: a server in memory that is made once, with a merchant, a card and a few orders.
 * Each input runs inside one ledger transaction that is rolled back at its end, so inputs do not know of each other. */
#ifndef SCRIP_FUZZ_SERVER_WORLD_H
#define SCRIP_FUZZ_SERVER_WORLD_H

#include <scrip/keys.h>
#include <scrip/ledger.h>
#include <scrip/posix.h>
#include <scrip/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_OPERATOR "operator key for fuzzing"
#define WORLD_UID      "045B2C8A916E80"
#define WORLD_NOW      1700000000000ULL

static const uint8_t world_uid[7] = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80};

struct server_world {
    struct scrip_clock_fake clock;
    struct scrip_random_seeded random;
    struct scrip_keys *keys;
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    struct scrip_response response;
};

/* A broken bench must not look like a quiet target. */
static inline void must(enum scrip_status status)
{
    if (status != SCRIP_OK) {
        (void)fprintf(stderr, "bench: %s\n", scrip_status_name(status));
        abort();
    }
}

static inline void world_order(struct server_world *w, const char *id, enum scrip_settle_kind kind, bool funded)
{
    struct scrip_ledger_order order = {.kind = kind, .amount = kind == SCRIP_KIND_TOPUP ? 2000 : 0};
    (void)snprintf(order.id, sizeof order.id, "%s", id);
    memcpy(order.uid, world_uid, 7);
    must(scrip_ledger_order_create(w->ledger, &order));
    if (funded) {
        must(scrip_ledger_order_fund(w->ledger, id, id));
    }
}

static inline void world_rows(struct server_world *w, const char *profile)
{
    struct scrip_ledger_card card = {.key_version = 1};
    const struct scrip_ledger_merchant merchant = {.id = "cafe", .name = "Cafe"};
    const struct scrip_ledger_terminal terminal = {.id = {'T', 'R', 0, 1}, .merchant = "cafe", .name = "Till"};
    memcpy(card.uid, world_uid, 7);
    (void)snprintf(card.profile, sizeof card.profile, "%s", profile);
    card.tmac = strncmp(profile, "an", 2) == 0;
    card.marked = !card.tmac;
    must(scrip_ledger_begin(w->ledger));
    must(scrip_ledger_card_add(w->ledger, &card));
    must(scrip_ledger_merchant_add(w->ledger, &merchant));
    must(scrip_ledger_terminal_add(w->ledger, &terminal));
    world_order(w, "o1", SCRIP_KIND_TOPUP, true);
    world_order(w, "o2", SCRIP_KIND_TOPUP, true);
    world_order(w, "o3", SCRIP_KIND_TOPUP, false);
    world_order(w, "r1", SCRIP_KIND_READ, false);
    must(scrip_ledger_commit(w->ledger));
}

static inline void world_open(struct server_world *w, const char *profile)
{
    memset(w, 0, sizeof *w);
    w->clock.now_ms = WORLD_NOW;
    scrip_random_seeded_init(&w->random, 1);
    const struct scrip_random random = scrip_random_seeded(&w->random);
    const struct scrip_clock clock = scrip_clock_fake(&w->clock);
    const struct scrip_ledger_config ledger = {.path = ":memory:", .clock = clock};
    must(scrip_keys_file_new(&w->keys));
    must(scrip_keys_file_fill(w->keys, &random, NULL));
    must(scrip_ledger_open(&ledger, &w->ledger));
    world_rows(w, profile);
    const struct scrip_server_config config = {
        .ledger = w->ledger,
        .keys = w->keys,
        .clock = clock,
        .random = random,
        .operator_key = WORLD_OPERATOR,
        .server_id = {'S', 'R', 'V', '1'},
        .currency = "EUR",
        .currency_exponent = 2,
    };
    must(scrip_server_new(&config, &w->server));
    scrip_response_init(&w->response);
}

/* One request; the answer must make sense whatever was asked. @return HTTP status */
static inline int world_ask(struct server_world *w, const struct scrip_request *request)
{
    const enum scrip_status status = scrip_server_handle(w->server, request, &w->response);
    if (status != SCRIP_OK || w->response.status < 200 || w->response.status > 503 || w->response.status == 500) {
        (void)fprintf(stderr, "%s %s: %d %s %.*s\n", request->method, request->path, w->response.status,
                      scrip_status_name(status), (int)w->response.body_len, (const char *)w->response.body);
        abort();
    }
    return w->response.status;
}

#endif
