#include "phone.h"

#include <stdio.h>

/* ---- the card as a link ---- */

static enum scrip_status link_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct phone *p = (struct phone *)link;
    (void)timeout_ms;
    phone_leave(p);
    SCRIP_TRY(scrip_desfire_card_on(&p->card, &p->host, &p->options));
    p->powered = true;
    p->info.uid_len = (uint8_t)scrip_desfire_card_uid(&p->card, p->info.uid);
    p->info.ats_len = (uint8_t)scrip_desfire_card_ats(&p->card, p->info.ats);
    *info = p->info;
    return SCRIP_OK;
}

static void slip_in(struct phone *p)
{
    p->slip_before = 0;
    for (size_t i = 0; p->slip[i] != NULL; i++) {
        uint8_t capdu[32];
        uint8_t memory[SCRIP_DESFIRE_RAPDU_MAX];
        struct scrip_buf rapdu = SCRIP_BUF_OF(memory);
        const size_t len = from_hex(p->slip[i], capdu, sizeof capdu);
        assert_ok(scrip_desfire_card_apdu(&p->card, scrip_bytes(capdu, len), &rapdu));
        assert_int_equal(rapdu.at[rapdu.len - 1], 0x00); /* the card takes it */
    }
}

static enum scrip_status link_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct phone *p = (struct phone *)link;
    if (!p->powered) {
        return SCRIP_E_NO_CARD;
    }
    p->apdus++;
    if (p->slip_before != 0 && capdu.at[1] == p->slip_before) {
        slip_in(p);
    }
    if (p->refuse != 0 && capdu.at[1] == p->refuse) {
        return scrip_buf_add(rapdu, (const uint8_t[]){0x91, 0xBE}, 2);
    }
    SCRIP_TRY(scrip_desfire_card_apdu(&p->card, capdu, rapdu));
    if (p->lose_after > 0 && --p->lose_after == 0) {
        phone_leave(p);
        if (p->answer_lost) {
            return SCRIP_E_TORN;
        }
    }
    return SCRIP_OK;
}

static void link_disconnect(struct scrip_link *link)
{
    phone_leave((struct phone *)link);
}

static const struct scrip_link_ops link_ops = {link_connect, link_transmit, link_disconnect, link_disconnect};

void phone_leave(struct phone *p)
{
    if (p->powered) {
        scrip_desfire_card_off(&p->card);
    }
    p->powered = false;
}

/* ---- personalisation ---- */

static enum scrip_status purse_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

static enum scrip_status run_job(struct phone *p, enum scrip_purse_operation operation,
                                 const struct scrip_purse_header *header, struct scrip_purse_job *job)
{
    struct scrip_purse_request request = {.profile = &p->profile,
                                          .keys = {p->b->keys, purse_key},
                                          .random = p->random,
                                          .new_key_version = 1,
                                          .header = header};
    scrip_purse_timestamp(p->b->clock.now_ms, request.timestamp);
    SCRIP_TRY(scrip_link_connect(&p->link, 0, &request.card));
    const enum scrip_status status = scrip_purse_run(job, &scrip_purse_desfire, operation, &request, &p->link);
    phone_leave(p);
    return status;
}

static void personalise(struct phone *p)
{
    static struct scrip_purse_job job;
    struct scrip_purse_header header = {.profile = scrip_desfire_profile_id(&p->profile),
                                        .currency = 978,
                                        .exponent = 2,
                                        .card_number = "1000000001",
                                        .issuer = "Tests"};
    scrip_purse_timestamp(p->b->clock.now_ms, header.issued);
    assert_ok(run_job(p, SCRIP_PURSE_PERSONALISE, &header, &job));
}

void phone_open(struct phone *p, struct bench *b, const char *profile)
{
    phone_open_uid(p, b, profile, CARD_UID);
}

void phone_open_uid(struct phone *p, struct bench *b, const char *profile, const char *uid)
{
    struct scrip_desfire_identity identity = {.storage = 0x18};
    memset(p, 0, sizeof *p);
    p->b = b;
    p->link.ops = &link_ops;
    assert_ok(scrip_desfire_profile_make(profile, &p->profile));
    from_hex(uid, identity.uid, sizeof identity.uid);
    identity.generation = p->profile.purse.sm == SCRIP_DESFIRE_SM_EV2 ? SCRIP_DESFIRE_EV3 : SCRIP_DESFIRE_EV1;
    assert_ok(scrip_nv_memory_init(&p->memory, scrip_desfire_card_pages(identity.storage)));
    p->nv = scrip_nv_memory(&p->memory);
    scrip_random_seeded_init(&p->seeded, 99);
    p->random = scrip_random_seeded(&p->seeded);
    p->clock = scrip_clock_fake(&b->clock);
    p->host = (struct scrip_desfire_host){.nv = &p->nv, .random = &p->random, .clock = &p->clock};
    assert_ok(scrip_desfire_card_make(&p->nv, &identity));
    personalise(p);
    given_card(b, uid, profile);
}

void phone_close(struct phone *p)
{
    phone_leave(p);
    scrip_nv_memory_free(&p->memory);
}

int32_t phone_balance(struct phone *p)
{
    static struct scrip_purse_job job;
    assert_ok(run_job(p, SCRIP_PURSE_BALANCE, NULL, &job));
    assert_true(job.result.has_balance);
    return job.result.balance;
}

/* ---- a debit ---- */

static enum scrip_status visit(struct phone *p, struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                               const uint8_t *key)
{
    static struct scrip_replies replies;
    SCRIP_TRY(scrip_batch_transmit(batch, &p->link, &replies));
    scrip_batch_clear(batch);
    return scrip_desfire_tap_take(tap, &replies, key);
}

static void fill_line(const struct phone *p, const struct scrip_desfire_tap *tap, const struct scrip_purse_debit *debit,
                      uint64_t sequence, struct scrip_journal_line *line)
{
    const struct scrip_desfire_facts *facts = &tap->facts;
    memset(line, 0, sizeof *line);
    line->sequence = sequence;
    line->kind = SCRIP_JOURNAL_DEBIT;
    line->state = SCRIP_JOURNAL_CONFIRMED;
    line->profile = scrip_desfire_profile_id(&p->profile);
    memcpy(line->terminal, debit->reader, 4);
    memcpy(line->uid, facts->uid, 7);
    memcpy(line->timestamp, debit->timestamp, 8);
    line->amount = debit->amount;
    line->has_balance = (facts->has & SCRIP_FACT_BALANCE) != 0;
    line->balance = facts->balance;
    line->has_record = true;
    scrip_purse_debit_record(debit, line->record);
    line->has_reader = (facts->has & SCRIP_FACT_READER) != 0;
    memcpy(line->tmri, debit->tmri, 16);
    memcpy(line->enc_tmri, facts->enc_tmri, 16);
    line->has_tmv = (facts->has & SCRIP_FACT_COMMIT_TMV) != 0;
    line->tmc = facts->commit_tmc;
    memcpy(line->tmv, facts->commit_tmv, 8);
}

void phone_debit(struct phone *p, int32_t amount, uint64_t sequence, struct scrip_journal_line *line)
{
    static struct scrip_desfire_tap tap;
    static struct scrip_batch batch;
    uint8_t key[16];
    uint8_t rnda[16] = {1, 2, 3};
    uint8_t uid[7];
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    struct scrip_card_info info;
    struct scrip_purse_debit debit = {.amount = amount, .reader = {0x54, 0x52, 0, 1}};
    from_hex(CARD_UID, uid, sizeof uid);
    scrip_purse_timestamp(p->b->clock.now_ms, debit.timestamp);
    scrip_purse_tmri(debit.reader, 0, sequence, debit.tmri);
    assert_ok(scrip_keys_diversify(p->b->keys, SCRIP_KEY_PAY, 1,
                                   scrip_purse_diversify_input(SCRIP_PURSE_PAY, uid, p->profile.purse.aid, m), key));
    assert_ok(scrip_link_connect(&p->link, 0, &info));
    scrip_desfire_tap_start(&tap, &p->profile.purse, uid);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_preamble(&tap, &batch, SCRIP_PURSE_PAY));
    assert_ok(visit(p, &tap, &batch, NULL));
    assert_ok(scrip_desfire_tap_answer(&tap, &batch, key, rnda));
    assert_ok(visit(p, &tap, &batch, key));
    assert_ok(scrip_desfire_tap_debit(&tap, &batch, &debit));
    assert_ok(scrip_desfire_tap_commit(&tap, &batch));
    assert_ok(visit(p, &tap, &batch, NULL));
    assert_true((tap.facts.has & SCRIP_FACT_COMMITTED) != 0);
    if (line != NULL) {
        fill_line(p, &tap, &debit, sequence, line);
    }
    phone_leave(p);
}

/* ---- the relay ---- */

static void add_hello(struct phone *p, struct scrip_buf *out)
{
    if (p->hello) {
        assert_ok(scrip_relay_put_hello(out, &p->info, 0, 0));
    }
    p->hello = false;
}

void phone_run_batch(struct phone *p, const struct scrip_batch *batch)
{
    static struct scrip_replies replies;
    struct scrip_buf out = SCRIP_BUF_OF(p->body);
    add_hello(p, &out);
    scrip_replies_clear(&replies);
    (void)scrip_batch_transmit(batch, &p->link, &replies);
    assert_ok(scrip_relay_answer_write(&out, &replies));
    p->body_len = out.len;
}

void phone_take_order(struct phone *p, const char *order)
{
    (void)snprintf(p->uri, sizeof p->uri, "/ota/o/%s", order);
    assert_ok(scrip_server_phone_token(p->b->server, order, p->bearer));
    p->body_len = 0;
    p->requests = p->waits = p->apdus = 0;
}

void phone_tap(struct phone *p)
{
    static struct scrip_desfire_tap tap;
    static struct scrip_batch preamble;
    struct scrip_card_info info;
    const bool random_id = p->profile.purse.id_key != SCRIP_PURSE_NONE;
    assert_ok(scrip_link_connect(&p->link, 0, &info));
    p->hello = true;
    scrip_desfire_tap_start(&tap, &p->profile.purse, NULL);
    scrip_batch_clear(&preamble);
    assert_ok(scrip_desfire_tap_preamble(&tap, &preamble, random_id ? SCRIP_PURSE_ID : SCRIP_PURSE_TOPUP));
    phone_run_batch(p, &preamble);
}

int phone_post(struct phone *p)
{
    const char *operator_key = p->b->bearer;
    memcpy(p->last_uri, p->uri, sizeof p->uri);
    memcpy(p->last_body, p->body, p->body_len);
    p->last_body_len = p->body_len;
    p->requests++;
    p->b->bearer = p->bearer;
    const int status = ask_bytes(p->b, "POST", p->uri, scrip_bytes(p->body, p->body_len));
    p->b->bearer = operator_key;
    if (p->b->response.next_uri[0] != '\0') {
        (void)snprintf(p->uri, sizeof p->uri, "%s", p->b->response.next_uri);
    }
    return status;
}

void phone_run(struct phone *p)
{
    static struct scrip_batch batch;
    const struct scrip_bytes script = scrip_bytes(p->b->response.body, p->b->response.body_len);
    assert_ok(scrip_relay_script_batch(script, &batch));
    phone_run_batch(p, &batch);
}

int phone_finish(struct phone *p)
{
    for (int steps = 0; steps < 20; steps++) {
        const bool in_field = p->powered;
        const int status = phone_post(p);
        if (status != 200) {
            return status;
        }
        p->waits += in_field;
        phone_run(p);
    }
    fail_msg("the session does not end");
    return 0;
}

int phone_topup(struct phone *p, const char *order)
{
    phone_take_order(p, order);
    phone_tap(p);
    const int status = phone_finish(p);
    phone_leave(p);
    return status;
}

const char *state_of(struct bench *b, const char *order)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/orders/%s", order);
    assert_int_equal(ask(b, "GET", path, NULL), 200);
    return text_of(b, "state");
}
