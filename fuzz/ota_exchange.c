/* rooms: server host wallet desfire_card relay_tlv
 * ota_exchange.c: a phone that does what it likes between an honest server and an honest card. Input: one byte that
 * chooses the card (EV2 or EV1), then steps, a byte each with parameters behind. Whatever it does, the card never holds
 * more than the book has given to it or has open. */
#include "server_world.h"

#include <scrip/desfire_card.h>
#include <scrip/link.h>
#include <scrip/relay_tlv.h>
#include <scrip/wallet.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 64U
#define STORAGE   0x16U

struct field {
    struct scrip_link link; /* first */
    struct server_world world;
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_desfire_host host;
    struct scrip_desfire_card card;
    struct scrip_desfire_profile profile;
    struct scrip_card_info info;
    uint8_t *image; /* as personalised */
    bool powered;
    const char *order;
    char uri[2][SCRIP_SERVER_TOKEN_MAX]; /* this one and the one before */
    uint8_t body[2][4096];
    size_t len[2];
};

static struct field fields[2];

/* ---- the card ---- */

static enum scrip_status field_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct field *f = (struct field *)link;
    const struct scrip_desfire_options options = {0};
    (void)timeout_ms;
    if (f->powered) {
        scrip_desfire_card_off(&f->card);
    }
    must(scrip_desfire_card_on(&f->card, &f->host, &options));
    f->powered = true;
    f->info.uid_len = (uint8_t)scrip_desfire_card_uid(&f->card, f->info.uid);
    f->info.ats_len = (uint8_t)scrip_desfire_card_ats(&f->card, f->info.ats);
    *info = f->info;
    return SCRIP_OK;
}

static enum scrip_status field_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct field *f = (struct field *)link;
    return f->powered ? scrip_desfire_card_apdu(&f->card, capdu, rapdu) : SCRIP_E_NO_CARD;
}

static void field_off(struct scrip_link *link)
{
    struct field *f = (struct field *)link;
    if (f->powered) {
        scrip_desfire_card_off(&f->card);
    }
    f->powered = false;
}

static const struct scrip_link_ops field_ops = {field_connect, field_transmit, field_off, field_off};

static enum scrip_status purse_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

static int32_t run_job(struct field *f, enum scrip_purse_operation operation, const struct scrip_purse_header *header)
{
    static struct scrip_purse_job job;
    struct scrip_purse_request request = {.profile = &f->profile,
                                          .keys = {f->world.keys, purse_key},
                                          .random = f->random,
                                          .new_key_version = 1,
                                          .header = header};
    scrip_purse_timestamp(WORLD_NOW, request.timestamp);
    must(scrip_link_connect(&f->link, 0, &request.card));
    must(scrip_purse_run(&job, &scrip_purse_desfire, operation, &request, &f->link));
    field_off(&f->link);
    return job.result.balance;
}

static void field_open(struct field *f, const char *profile)
{
    struct scrip_desfire_identity identity = {.storage = STORAGE};
    world_open(&f->world, profile);
    f->link.ops = &field_ops;
    must(scrip_desfire_profile_make(profile, &f->profile));
    memcpy(identity.uid, world_uid, 7);
    identity.generation = f->profile.purse.sm == SCRIP_DESFIRE_SM_EV2 ? SCRIP_DESFIRE_EV3 : SCRIP_DESFIRE_EV1;
    must(scrip_nv_memory_init(&f->memory, scrip_desfire_card_pages(STORAGE)));
    f->nv = scrip_nv_memory(&f->memory);
    scrip_random_seeded_init(&f->seeded, 5);
    f->random = scrip_random_seeded(&f->seeded);
    f->host = (struct scrip_desfire_host){.nv = &f->nv, .random = &f->random};
    must(scrip_desfire_card_make(&f->nv, &identity));
    struct scrip_purse_header header = {.profile = scrip_desfire_profile_id(&f->profile),
                                        .currency = 978,
                                        .exponent = 2,
                                        .card_number = "1",
                                        .issuer = "Fuzz"};
    scrip_purse_timestamp(WORLD_NOW, header.issued);
    (void)run_job(f, SCRIP_PURSE_PERSONALISE, &header);
    f->image = malloc((size_t)f->memory.pages * SCRIP_NV_PAGE);
    if (f->image == NULL) {
        abort();
    }
    memcpy(f->image, f->memory.at, (size_t)f->memory.pages * SCRIP_NV_PAGE);
}

/* ---- the phone ---- */

static void run_batch(struct field *f, const struct scrip_batch *batch, bool hello)
{
    static struct scrip_replies replies;
    struct scrip_buf out = SCRIP_BUF_OF(f->body[0]);
    scrip_replies_clear(&replies);
    (void)scrip_batch_transmit(batch, &f->link, &replies);
    if (hello) {
        must(scrip_relay_put_hello(&out, &f->info, 0, 0));
    }
    must(scrip_relay_answer_write(&out, &replies));
    f->len[0] = out.len;
}

static void tap(struct field *f, const char *order)
{
    static struct scrip_desfire_tap visit;
    static struct scrip_batch preamble;
    struct scrip_card_info info;
    must(scrip_link_connect(&f->link, 0, &info));
    scrip_desfire_tap_start(&visit, &f->profile.purse, NULL);
    scrip_batch_clear(&preamble);
    must(scrip_desfire_tap_preamble(&visit, &preamble, SCRIP_PURSE_TOPUP));
    run_batch(f, &preamble, true);
    (void)snprintf(f->uri[0], sizeof f->uri[0], "/ota/o/%s", order);
}

static void post(struct field *f, const char *order, bool old)
{
    char token[SCRIP_PHONE_TOKEN_MAX];
    char bearer[128];
    must(scrip_server_phone_token(f->world.server, order, token));
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", token);
    if (!old) {
        memcpy(f->uri[1], f->uri[0], sizeof f->uri[0]);
        memcpy(f->body[1], f->body[0], f->len[0]);
        f->len[1] = f->len[0];
    }
    const struct scrip_request request = {
        .method = "POST",
        .path = f->uri[old],
        .authorization = bearer,
        .admin_protocol = "scrip-remote-admin/1.0",
        .body = {f->body[old], f->len[old]},
    };
    if (world_ask(&f->world, &request) == 200) {
        (void)snprintf(f->uri[0], sizeof f->uri[0], "%s", f->world.response.next_uri);
    }
}

static void run_script(struct field *f, size_t skip, bool backwards)
{
    static struct scrip_batch batch;
    static struct scrip_batch changed;
    const struct scrip_bytes script = scrip_bytes(f->world.response.body, f->world.response.body_len);
    if (f->world.response.status != 200 || scrip_relay_script_batch(script, &batch) != SCRIP_OK) {
        return;
    }
    changed = batch;
    scrip_batch_clear(&changed);
    memcpy(changed.good, batch.good, sizeof batch.good);
    changed.good_count = batch.good_count;
    for (size_t i = 0; i < batch.count; i++) {
        const size_t which = backwards ? batch.count - 1 - i : i;
        if (i + 1 != skip) {
            must(scrip_batch_add(&changed, scrip_batch_command(&batch, which)));
        }
    }
    run_batch(f, &changed, false);
}

struct steps {
    const uint8_t *at;
    size_t left;
};

static uint8_t next(struct steps *steps)
{
    if (steps->left == 0) {
        return 0;
    }
    steps->left--;
    return *steps->at++;
}

static void step(struct field *f, struct steps *steps)
{
    static const char *const orders[] = {"o1", "o2", "r1"};
    const uint8_t what = next(steps);
    switch (what % 9U) {
    case 0:
        f->order = orders[(what / 9U) % 3U];
        tap(f, f->order);
        break;
    case 1:
        post(f, f->order, false);
        break;
    case 2:
        run_script(f, 0, false);
        break;
    case 3:
        run_script(f, next(steps) % 12U, false); /* one left out */
        break;
    case 4:
        run_script(f, 0, true);
        break;
    case 5: { /* bytes changed */
        const size_t at = next(steps);
        if (f->len[0] > 0) {
            f->body[0][at % f->len[0]] ^= next(steps);
        }
        break;
    }
    case 6:
        post(f, f->order, true); /* the request before, again */
        break;
    case 7:
        field_off(&f->link);
        break;
    default:
        f->len[0] = f->len[0] * next(steps) / 256U; /* cut off */
        break;
    }
}

/* ---- the law ---- */

/* Nothing was debited here: what the card holds is what the book has given to it, or may be on it as an open order. */
static void check(struct field *f)
{
    uint32_t open = 0;
    const int32_t balance = run_job(f, SCRIP_PURSE_BALANCE, NULL);
    if (scrip_ledger_check_card(f->world.ledger, world_uid, balance, 0, &open) != SCRIP_OK) {
        (void)fprintf(stderr, "the card holds %d and the book does not explain it\n", balance);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fields[0].world.server == NULL) {
        field_open(&fields[0], "an12113");
        field_open(&fields[1], "ev1");
    }
    if (size == 0) {
        return 0;
    }
    struct field *f = &fields[data[0] % 2U];
    struct steps steps = {data + 1, size - 1};
    memcpy(f->memory.at, f->image, (size_t)f->memory.pages * SCRIP_NV_PAGE);
    scrip_random_seeded_init(&f->seeded, 5);
    scrip_response_init(&f->world.response);
    f->order = "o1";
    f->len[0] = f->len[1] = 0;
    (void)snprintf(f->uri[0], sizeof f->uri[0], "/ota/o/o1");
    (void)snprintf(f->uri[1], sizeof f->uri[1], "/ota/o/o1");
    must(scrip_ledger_begin(f->world.ledger));
    for (unsigned i = 0; i < STEPS_MAX && steps.left > 0; i++) {
        step(f, &steps);
    }
    check(f);
    scrip_ledger_rollback(f->world.ledger);
    scrip_response_free(&f->world.response);
    return 0;
}
