#include "fleet.h"

#include <scrip/desfire_card.h>
#include <scrip/reader.h>
#include <scrip/relay.h>
#include <scrip/wallet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORAGE 0x16 /* 2 KiB */

void fleet_must(const char *what, enum scrip_status status)
{
    if (status != SCRIP_OK) {
        bench_die(what, scrip_strerror(status));
    }
}

static enum scrip_status purse_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

static void personalise(struct fleet *fleet, struct fleet_card *card)
{
    static struct scrip_purse_job job;
    const struct scrip_purse_header header = {.profile = scrip_desfire_profile_id(&fleet->profile),
                                              .currency = 978,
                                              .exponent = 2,
                                              .card_number = "1000000001",
                                              .issuer = "Benchmark"};
    struct scrip_purse_request request = {.profile = &fleet->profile,
                                          .keys = {fleet->keys, purse_key},
                                          .random = fleet->random,

                                          .new_key_version = 1,
                                          .header = &header};
    scrip_purse_timestamp(1780000000000ULL, request.timestamp);
    fleet_must("card", scrip_link_connect(card->link, 0, &request.card));
    fleet_must("personalisation",
               scrip_purse_run(&job, &scrip_purse_desfire, SCRIP_PURSE_PERSONALISE, &request, card->link));
    scrip_link_disconnect(card->link);
}

static void make_card(struct fleet *fleet, size_t i)
{
    struct fleet_card *card = &fleet->card[i];
    const struct scrip_vcard_identity identity = {
        .family = SCRIP_VCARD_DESFIRE,
        .generation = SCRIP_DESFIRE_EV3,
        .uid = {0x04, 0xBE, 0x9C, 0x00, 0x00, (uint8_t)(i >> 8), (uint8_t)i},
        .storage = STORAGE,
    };
    memcpy(card->uid, identity.uid, sizeof card->uid);
    fleet_must("memory", scrip_nv_memory_init(&card->memory, scrip_vcard_pages(&identity)));
    card->nv = scrip_nv_memory(&card->memory);
    fleet_must("card", scrip_vcard_open_nv(&card->nv, &identity, true, &fleet->host, &card->vcard));
    fleet_must("link", scrip_link_to_card(card->vcard, true, &card->link));
    personalise(fleet, card);
}

static bool count_commit(void *ctx, bool after)
{
    uint64_t *commits = ctx;
    if (after && commits != NULL) {
        (*commits)++;
    }
    return true;
}

void fleet_open(struct fleet *fleet, uint64_t *commits, struct scrip_ledger **ledger, struct scrip_server **server)
{
    const struct scrip_ledger_config book = {
        .path = fleet->path, .clock = scrip_clock_system(), .commit_hook = count_commit, .commit_ctx = commits};
    fleet_must("ledger", scrip_ledger_open(&book, ledger));
    const struct scrip_server_config config = {.ledger = *ledger,
                                               .keys = fleet->keys,
                                               .clock = scrip_clock_system(),
                                               .random = scrip_random_system(),
                                               .operator_key = FLEET_OPERATOR,
                                               .server_id = {'S', 'R', 'V', '1'},
                                               .currency = "EUR",
                                               .currency_exponent = 2};
    fleet_must("server", scrip_server_new(&config, server));
}

static void add_orders(struct fleet *fleet, struct scrip_ledger *ledger, struct scrip_server *server, size_t card)
{
    for (size_t k = 0; k < fleet->orders_per_card; k++) {
        struct fleet_order *mine = &fleet->order[card * fleet->orders_per_card + k];
        struct scrip_ledger_order order = {.kind = SCRIP_KIND_TOPUP, .amount = 5};
        (void)snprintf(mine->id, sizeof mine->id, "bench-%zu-%zu", card, k);
        memcpy(order.id, mine->id, sizeof mine->id);
        memcpy(order.uid, fleet->card[card].uid, sizeof order.uid);
        fleet_must("order", scrip_ledger_order_create(ledger, &order));
        fleet_must("token", scrip_server_phone_token(server, mine->id, mine->token));
    }
}

static void add_cards(struct fleet *fleet, struct scrip_ledger *ledger, struct scrip_server *server)
{
    fleet_must("ledger", scrip_ledger_begin(ledger));
    for (size_t i = 0; i < fleet->cards; i++) {
        struct scrip_ledger_card card = {.tmac = true, .key_version = 1, .profile = "an12113"};
        memcpy(card.uid, fleet->card[i].uid, sizeof card.uid);
        fleet_must("card", scrip_ledger_card_add(ledger, &card));
        add_orders(fleet, ledger, server, i);
    }
    fleet_must("first order", scrip_ledger_order_fund(ledger, fleet->order[0].id, fleet->order[0].id));
    fleet_must("ledger", scrip_ledger_commit(ledger));
}

static void fetch_preamble(struct fleet *fleet, struct scrip_server *server)
{
    char path[64];
    char bearer[SCRIP_PHONE_TOKEN_MAX + 8];
    struct scrip_response response;
    (void)snprintf(path, sizeof path, "/ota/o/%s", fleet->order[0].id);
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", fleet->order[0].token);
    const struct scrip_request request = {.method = "POST",
                                          .path = path,
                                          .authorization = bearer,
                                          .content_type = SCRIP_RELAY_TYPE_ANSWER,
                                          .admin_protocol = SCRIP_RELAY_PROTOCOL};
    scrip_response_init(&response);
    fleet_must("preamble", scrip_server_exchange(server, &request, &response));
    if (response.status != 200 || response.body_len > sizeof fleet->preamble) {
        bench_die("preamble", "refused");
    }
    memcpy(fleet->preamble, response.body, response.body_len);
    fleet->preamble_len = response.body_len;
    scrip_response_free(&response);
}

static void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[600];
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

void fleet_make(struct fleet *fleet, const struct bench_options *options, size_t cards, size_t orders)
{
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    memset(fleet, 0, sizeof *fleet);
    scrip_random_seeded_init(&fleet->seeded, options->seed);
    fleet->random = scrip_random_seeded(&fleet->seeded);
    fleet->host = (struct scrip_vcard_host){.random = &fleet->random};
    (void)snprintf(fleet->path, sizeof fleet->path, "%s/scrip-bench.db", options->folder);
    remove_database(fleet->path);
    fleet->cards = cards;
    fleet->orders_per_card = orders;
    fleet->card = calloc(cards, sizeof *fleet->card);
    fleet->order = calloc(cards * orders, sizeof *fleet->order);
    if (fleet->card == NULL || fleet->order == NULL) {
        bench_die("fleet", "out of memory");
    }
    fleet_must("profile", scrip_desfire_profile_make("an12113", &fleet->profile));
    fleet_must("keys", scrip_keys_file_new(&fleet->keys));
    fleet_must("keys", scrip_keys_file_fill(fleet->keys, &fleet->random, NULL));
    for (size_t i = 0; i < cards; i++) {
        make_card(fleet, i);
    }
    fleet_open(fleet, NULL, &ledger, &server);
    add_cards(fleet, ledger, server);
    fetch_preamble(fleet, server);
    scrip_server_free(server);
    scrip_ledger_close(ledger);
}

void fleet_free(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->cards; i++) {
        scrip_link_close(fleet->card[i].link);
        scrip_nv_memory_free(&fleet->card[i].memory);
    }
    remove_database(fleet->path);
    scrip_keys_close(fleet->keys);
    free(fleet->card);
    free(fleet->order);
}
