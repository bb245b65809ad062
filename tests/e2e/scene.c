/* Scenes: a card personalised, enrolled, topped up through the server and debited at the gate, all without a fault. */
#include "world.h"

#include <fcntl.h>
#include <scrip/posix.h>
#include <scrip/vcard.h>
#include <scrip/wallet.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORAGE       0x16 /* a small card: 2 KiB; fewer bytes to copy for each case */
#define FIRST_AMOUNT  (SCENE_BALANCE + SCENE_DEBITED)
#define JOURNAL_LINES 16U

static enum scrip_status purse_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

static enum scrip_status make_keys(struct scene *scene)
{
    struct scrip_random_seeded seeded;
    scrip_random_seeded_init(&seeded, 4711);
    const struct scrip_random random = scrip_random_seeded(&seeded);
    SCRIP_TRY(scrip_keys_file_new(&scene->keys));
    SCRIP_TRY(scrip_keys_file_fill(scene->keys, &random, NULL));
    return scrip_keys_file_export_terminal(scene->keys, SCRIP_KEY_BIT(SCRIP_KEY_ID), &scene->terminal_keys);
}

static enum scrip_status make_card(struct scene *scene, struct world *world)
{
    const struct scrip_desfire_identity identity = {
        .generation = scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV2 ? SCRIP_DESFIRE_EV3 : SCRIP_DESFIRE_EV1,
        .uid = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80},
        .storage = STORAGE};
    const struct scrip_vcard_identity vcard = {
        .family = SCRIP_VCARD_DESFIRE, .generation = identity.generation, .storage = STORAGE};
    memcpy(scene->uid, identity.uid, sizeof scene->uid);
    scene->card_size = scrip_vcard_pages(&vcard) * SCRIP_NV_PAGE;
    if (scene->card_size == 0 || scene->card_size > WORLD_NV_MAX) {
        return SCRIP_E_SPACE;
    }
    memory_init(&world->card_memory, world, POINT_NV, NULL, scene->card_size);
    return scrip_desfire_card_make(&world->card_memory.nv, &identity);
}

static enum scrip_status enrol(struct scene *scene, struct world *world)
{
    struct scrip_ledger_card card = {.tmac = scene->layout.purse.tmac_file != SCRIP_PURSE_NONE,
                                     .marked = scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV1,
                                     .unlogged =
                                         scene->layout.purse.smallest_debit || !scene->layout.purse.log_by_server,
                                     .key_version = 1};
    const struct scrip_ledger_merchant merchant = {.id = "gate", .name = "The gate"};
    const struct scrip_ledger_terminal terminal = {.id = {'G', 'A', 'T', '1'}, .merchant = "gate", .name = "Gate 1"};
    memcpy(card.uid, scene->uid, sizeof card.uid);
    (void)snprintf(card.profile, sizeof card.profile, "%s", scene->profile);
    SCRIP_TRY(scrip_ledger_begin(world->ledger));
    SCRIP_TRY(scrip_ledger_card_add(world->ledger, &card));
    SCRIP_TRY(scrip_ledger_merchant_add(world->ledger, &merchant));
    SCRIP_TRY(scrip_ledger_terminal_add(world->ledger, &terminal));
    return scrip_ledger_commit(world->ledger);
}

static enum scrip_status personalise(struct scene *scene, struct world *world)
{
    static struct scrip_purse_job job;
    struct scrip_card_info info;
    struct scrip_purse_header header = {.profile = scrip_desfire_profile_id(&scene->layout),
                                        .currency = 978,
                                        .exponent = 2,
                                        .card_number = "1000000001",
                                        .issuer = "Tests"};
    struct scrip_purse_request request = {.profile = &scene->layout,
                                          .keys = {scene->keys, purse_key},
                                          .random = world->source,

                                          .new_key_version = 1,
                                          .header = &header};
    scrip_purse_timestamp(world->now_ms, request.timestamp);
    memcpy(header.issued, request.timestamp, sizeof header.issued);
    SCRIP_TRY(scrip_link_connect(&world->link, 0, &info));
    request.card = info;
    const enum scrip_status status =
        scrip_purse_run(&job, &scrip_purse_desfire, SCRIP_PURSE_PERSONALISE, &request, &world->link);
    world_card_off(world);
    return status;
}

static enum scrip_status make_journal(struct scene *scene, struct world *world)
{
    static struct memory memory;
    const uint8_t terminal[4] = {'G', 'A', 'T', '1'};
    scene->journal_size = SCRIP_JOURNAL_PAGES(JOURNAL_LINES) * SCRIP_NV_PAGE;
    memory_init(&memory, world, POINT_JOURNAL, NULL, scene->journal_size);
    SCRIP_TRY(scrip_journal_format(&memory.nv, terminal));
    scene->journal = malloc(scene->journal_size);
    if (scene->journal == NULL) {
        return SCRIP_E_MEMORY;
    }
    memcpy(scene->journal, memory.bytes, scene->journal_size);
    return SCRIP_OK;
}

static enum scrip_status keep_preamble(struct scene *scene, const struct phone *phone)
{
    const struct scrip_bytes preamble = scrip_relay_preamble(&phone->relay);
    if (preamble.len == 0 || preamble.len > sizeof scene->preamble) {
        return SCRIP_E_LENGTH;
    }
    memcpy(scene->preamble, preamble.at, preamble.len);
    scene->preamble_len = preamble.len;
    return SCRIP_OK;
}

/* A top-up and a debit that go well, so that logs, counters and books are not those of a new card. */
static enum scrip_status live_a_little(struct scene *scene, struct world *world)
{
    scene->balance = SCENE_BALANCE;
    scene->debited = SCENE_DEBITED;
    world_order(world, "before", SCRIP_KIND_TOPUP, FIRST_AMOUNT);
    struct phone *phone = world_phone(world, "before");
    if (phone == NULL || world->broken) {
        return SCRIP_E_STATE;
    }
    world_phone_run(world, phone);
    if (world_state(world, "before") != SCRIP_STATE_CONFIRMED) {
        world_fail(world, "the first top-up is %s: %s, HTTP %d: %.*s",
                   scrip_settle_state_name(world_state(world, "before")), scrip_relay_why(&phone->relay),
                   scrip_relay_http_code(&phone->relay), (int)world->response.body_len,
                   (const char *)world->response.body);
        return SCRIP_E_STATE;
    }
    SCRIP_TRY(keep_preamble(scene, phone));
    if (!world_terminal_tap(world, FIRST_AMOUNT - SCENE_BALANCE) || !world_terminal_upload(world)) {
        world_fail(world, "the first debit fails: %s", world_terminal_why(world));
        return SCRIP_E_STATE;
    }
    return world->broken ? SCRIP_E_STATE : SCRIP_OK;
}

/* The database as one file, the write-ahead log taken in. */
static enum scrip_status keep_database(struct scene *scene, const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_int64 len = 0;
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) != SQLITE_OK) {
        (void)sqlite3_close(db);
        return SCRIP_E_STORE;
    }
    unsigned char *bytes = sqlite3_serialize(db, "main", &len, 0);
    scene->database = bytes != NULL ? malloc((size_t)len) : NULL;
    if (scene->database != NULL) {
        memcpy(scene->database, bytes, (size_t)len);
        scene->database_len = (size_t)len;
    }
    sqlite3_free(bytes);
    (void)sqlite3_close(db);
    return scene->database != NULL ? SCRIP_OK : SCRIP_E_MEMORY;
}

static enum scrip_status keep_card(struct scene *scene, struct world *world)
{
    world_card_off(world);
    scene->card = malloc(scene->card_size);
    if (scene->card == NULL) {
        return SCRIP_E_MEMORY;
    }
    memcpy(scene->card, world->card_memory.bytes, scene->card_size);
    free(scene->journal);
    return world_terminal_image(world, &scene->journal, &scene->journal_size);
}

/* Nothing but a look at the balance. */
static enum scrip_status stay_fresh(struct scene *scene, struct world *world)
{
    world_order(world, "before", SCRIP_KIND_READ, 0);
    struct phone *phone = world_phone(world, "before");
    if (phone == NULL || world->broken) {
        return SCRIP_E_STATE;
    }
    world_phone_run(world, phone);
    SCRIP_TRY(keep_preamble(scene, phone));
    return world_state(world, "before") == SCRIP_STATE_DONE ? SCRIP_OK : SCRIP_E_STATE;
}

static enum scrip_status play(struct scene *scene, struct world *world, struct plan *plan, bool fresh)
{
    const struct world_options ordinary = {false, false};
    SCRIP_TRY(make_keys(scene));
    plan->closed = true;
    world->plan = plan;
    SCRIP_TRY(make_journal(scene, world));
    world_begin(world, scene, plan, &ordinary, 1);
    plan->closed = true;
    if (world->broken) {
        return SCRIP_E_STATE;
    }
    SCRIP_TRY(make_card(scene, world));
    world_card_begin(world, &ordinary);
    SCRIP_TRY(enrol(scene, world));
    SCRIP_TRY(personalise(scene, world));
    SCRIP_TRY(fresh ? stay_fresh(scene, world) : live_a_little(scene, world));
    SCRIP_TRY(keep_card(scene, world));
    struct scrip_ledger_card card;
    SCRIP_TRY(scrip_ledger_card_get(world->ledger, scene->uid, &card));
    scene->tmc = card.tmc;
    world_restart(world); /* closes the database properly */
    return keep_database(scene, world->path);
}

struct scene *scene_make(const char *profile, bool fresh, char *why, size_t why_cap)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct world *world = calloc(1, sizeof *world);
    struct plan *plan = calloc(1, sizeof *plan);
    enum scrip_status status = SCRIP_E_MEMORY;
    if (scene != NULL && world != NULL && plan != NULL) {
        (void)snprintf(scene->profile, sizeof scene->profile, "%s", profile);
        status = scrip_desfire_profile_make(profile, &scene->layout);
        if (status == SCRIP_OK) {
            status = play(scene, world, plan, fresh);
            world_end(world);
            scrip_response_free(&world->response);
        }
    }
    if (status != SCRIP_OK) {
        (void)snprintf(why, why_cap, "%s%s%s", scrip_status_name(status), world != NULL && world->broken ? ": " : "",
                       world != NULL ? world->why : "");
        scene_free(scene);
        scene = NULL;
    }
    free(world);
    free(plan);
    return scene;
}

void scene_free(struct scene *scene)
{
    if (scene == NULL) {
        return;
    }
    scrip_keys_close(scene->keys);
    scrip_keys_close(scene->terminal_keys);
    free(scene->card);
    free(scene->journal);
    free(scene->database);
    free(scene);
}
