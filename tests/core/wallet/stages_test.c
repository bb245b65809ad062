/* The stages that a server drives over the air, each batch saved and loaded as between two requests: how many trips
 * they take, what a torn one leaves, and that nothing of an older session is ever committed by a newer one. */
#include "purse_bench.h"

static struct bench bench;

struct server {
    struct bench *b;
    struct scrip_desfire_tap tap;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t key[16];
    unsigned trips;
};

static struct server server;

static void card_key(const struct server *s, enum scrip_purse_role role, uint8_t out[16])
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    assert_ok(
        bench_key(NULL, role, scrip_purse_diversify_input(role, s->tap.facts.uid, s->b->profile.purse.aid, m), out));
}

/* One trip: the state travels in a token, the batch to the card and back. */
static enum scrip_status trip(struct server *s, bool proof)
{
    static uint8_t memory[SCRIP_DESFIRE_TAP_SAVED_MAX];
    struct scrip_buf saved = SCRIP_BUF_OF(memory);
    assert_ok(scrip_desfire_tap_save(&s->tap, &saved));
    scrip_desfire_tap_wipe(&s->tap);
    assert_ok(scrip_batch_transmit(&s->batch, &s->b->link, &s->replies));
    scrip_batch_clear(&s->batch);
    struct scrip_bytes in = scrip_buf_bytes(&saved);
    assert_ok(scrip_desfire_tap_load(&s->tap, &s->b->profile.purse, &in));
    s->trips++;
    return scrip_desfire_tap_take(&s->tap, &s->replies, proof ? s->key : NULL);
}

static enum scrip_status answer(struct server *s, enum scrip_purse_role role)
{
    uint8_t rnda[16];
    memset(rnda, 0x5A + (int)s->trips, sizeof rnda);
    card_key(s, role, s->key);
    return scrip_desfire_tap_answer(&s->tap, &s->batch, s->key, rnda);
}

/* A phone that invents the answer to Select and does not send it: then only the authentication can end what was open.
 */
static enum scrip_status without_select(struct server *s)
{
    uint8_t memory[64];
    struct scrip_buf reply = SCRIP_BUF_OF(memory);
    scrip_replies_clear(&s->replies);
    SCRIP_TRY(scrip_replies_add(&s->replies, scrip_bytes("\x91\x00", 2)));
    SCRIP_TRY(bench_transmit(&s->b->link, scrip_batch_command(&s->batch, 1), &reply));
    SCRIP_TRY(scrip_replies_add(&s->replies, scrip_buf_bytes(&reply)));
    scrip_batch_clear(&s->batch);
    return scrip_desfire_tap_take(&s->tap, &s->replies, NULL);
}

/* Up to a session of the top-up role in which commands can be put into s->batch. `proof_out`: part 2 is in that batch.
 */
static enum scrip_status open_session(struct server *s, bool select, bool *proof_out)
{
    struct scrip_card_info info;
    const struct scrip_desfire_purse *purse = &s->b->profile.purse;
    s->trips = 0;
    scrip_batch_clear(&s->batch);
    if (select || !s->b->powered) {
        assert_ok(bench_connect(&s->b->link, 0, &info));
    }
    const bool by_id = purse->id_key != SCRIP_PURSE_NONE;
    scrip_desfire_tap_start(&s->tap, purse, by_id ? NULL : s->b->uid);
    SCRIP_TRY(scrip_desfire_tap_preamble(&s->tap, &s->batch, by_id ? SCRIP_PURSE_ID : SCRIP_PURSE_TOPUP));
    if (!select) {
        SCRIP_TRY(without_select(s));
    } else {
        SCRIP_TRY(trip(s, false));
    }
    if (by_id) {
        SCRIP_TRY(answer(s, SCRIP_PURSE_ID));
        SCRIP_TRY(trip(s, true));
        SCRIP_TRY(scrip_desfire_tap_who(&s->tap, &s->batch, SCRIP_PURSE_TOPUP));
        SCRIP_TRY(trip(s, false));
    }
    SCRIP_TRY(answer(s, SCRIP_PURSE_TOPUP));
    *proof_out = by_id || purse->sm == SCRIP_DESFIRE_SM_EV1;
    return *proof_out ? SCRIP_OK : trip(s, true);
}

static struct scrip_purse_topup order(uint32_t reference)
{
    struct scrip_purse_topup topup = {.amount = 2000, .reference = reference};
    scrip_purse_timestamp(1700000000000 + reference, topup.timestamp);
    scrip_purse_tmri((const uint8_t *)"SRV1", reference, reference, topup.tmri);
    return topup;
}

static enum scrip_status top_up(struct server *s, const struct scrip_purse_topup *topup)
{
    bool proof;
    SCRIP_TRY(open_session(s, true, &proof));
    SCRIP_TRY(scrip_desfire_tap_flush(&s->tap, &s->batch, SCRIP_PURSE_TOPUP));
    SCRIP_TRY(scrip_desfire_tap_topup(&s->tap, &s->batch, topup));
    return trip(s, proof);
}

/* What a new session finds: balance, and whether the record of `reference` is there and finished. */
static int32_t evidence(struct server *s, uint32_t reference, bool *there, bool *finished)
{
    bool proof;
    assert_ok(open_session(s, true, &proof));
    assert_ok(scrip_desfire_tap_flush(&s->tap, &s->batch, SCRIP_PURSE_TOPUP));
    assert_ok(scrip_desfire_tap_read(&s->tap, &s->batch, SCRIP_READ_TOPUPS | SCRIP_READ_TMAC | SCRIP_READ_BALANCE, 1));
    assert_ok(trip(s, proof));
    const int at = scrip_purse_find_topup(&s->tap.facts.topups, reference);
    *there = at >= 0;
    *finished = at >= 0 && (s->b->profile.purse.sm != SCRIP_DESFIRE_SM_EV1 ||
                            scrip_get_le32(s->tap.facts.topups.records[at] + 12) >= SCRIP_PURSE_REFERENCE_DONE);
    return s->tap.facts.balance;
}

struct kind {
    const char *profile;
    enum scrip_desfire_generation generation;
    unsigned trips; /* of a top-up, the preamble's included */
};

static const struct kind kinds[] = {
    {"an12113", SCRIP_DESFIRE_EV3, 3},
    {"split", SCRIP_DESFIRE_EV2, 3},
    {"an12113+smallest", SCRIP_DESFIRE_EV3, 3},
    {"ev1", SCRIP_DESFIRE_EV1, 2},
    {"plain", SCRIP_DESFIRE_EV3, 2},
    {"split+random-id", SCRIP_DESFIRE_EV3, 4},
    {"ev1+random-id", SCRIP_DESFIRE_EV1, 4},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static void given_server(const struct kind *kind, unsigned options)
{
    memset(&server, 0, sizeof server);
    server.b = &bench;
    given_purse(&bench, kind->profile, kind->generation, 1000);
    bench.options.keep_pending_on_auth = (options & 1) != 0;
    bench.options.end_session_on_0c = (options & 2) != 0;
}

static void a_top_up_takes_as_many_trips_as_its_messaging_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        for (unsigned options = 0; options < 4; options++) {
            const struct scrip_purse_topup topup = order(1);
            uint8_t tmac[16];
            given_server(&kinds[i], options);
            bench_tmac_key(&bench, tmac);
            assert_ok(top_up(&server, &topup));
            assert_int_equal(server.trips, kinds[i].trips);
            assert_ok(scrip_purse_topup_proved(&server.tap, &topup, tmac));
            assert_int_equal(balance_of(&bench), 3000);
            bench_free(&bench);
        }
    }
}

/* @return false when the fault did not come any more */
static bool torn_at(const struct kind *kind, unsigned options, int fault, unsigned n)
{
    const struct scrip_purse_topup topup = order(1);
    uint8_t tmac[16];
    bool there;
    bool finished;
    given_server(kind, options);
    bench_tmac_key(&bench, tmac);
    if (fault < 3) {
        scrip_nv_tear_after(&bench.card_tearing, n, (enum scrip_tear)fault);
    } else {
        *(fault == 3 ? &bench.cut_before : &bench.cut_after) = n;
    }
    const enum scrip_status status = top_up(&server, &topup);
    const bool hit = fault < 3 ? bench.card_tearing.no_power : bench.frames >= n;
    const enum scrip_status proved = scrip_purse_topup_proved(&server.tap, &topup, tmac);
    power_back(&bench);
    const int32_t balance = evidence(&server, 1, &there, &finished);
    assert_true(balance == 1000 || balance == 3000);
    assert_int_equal(there, balance == 3000);
    assert_int_equal(finished, there);
    if (proved == SCRIP_OK) {
        assert_int_equal(balance, 3000); /* what was proved is so */
    } else {
        assert_status(proved, SCRIP_E_WAIT);
        assert_true(status != SCRIP_OK);
    }
    assert_ok(top_up(&server, &(struct scrip_purse_topup){.amount = 1, .reference = 2}));
    assert_int_equal(balance_of(&bench), balance + 1);
    bench_free(&bench);
    return hit;
}

static void a_torn_top_up_leaves_old_or_new_and_the_record_says_which(void **state)
{
    (void)state;
    unsigned cases = 0;
    for (size_t i = 0; i < KINDS; i++) {
        for (unsigned options = 0; options < 4; options += 3) {
            for (int fault = 0; fault < 5; fault++) {
                for (unsigned n = 1; torn_at(&kinds[i], options, fault, n); n++) {
                    cases++;
                }
            }
        }
    }
    print_message("%u torn top-ups\n", cases);
    assert_true(cases > 300);
}

/* The whole batch of an issue but its commit, then a new session without Select on a card that keeps pending changes.
 */
static void leave_pending(struct server *s, const struct scrip_purse_topup *topup)
{
    bool proof;
    assert_ok(open_session(s, true, &proof));
    assert_ok(scrip_desfire_tap_topup(&s->tap, &s->batch, topup));
    s->batch.count -= s->b->profile.purse.sm == SCRIP_DESFIRE_SM_EV1 ? 2 : 1; /* GetValue, CommitTransaction */
    s->batch.len = s->batch.end[s->batch.count - 1];
    (void)trip(s, proof);
}

static void no_session_commits_what_an_older_one_left_pending(void **state)
{
    (void)state;
    static const struct kind three[] = {
        {"an12113", SCRIP_DESFIRE_EV3, 0}, {"an12113+smallest", SCRIP_DESFIRE_EV3, 0}, {"ev1", SCRIP_DESFIRE_EV1, 0}};
    for (size_t i = 0; i < 3; i++) {
        for (unsigned options = 0; options < 4; options++) {
            for (int flush = 0; flush < 2; flush++) {
                const struct scrip_purse_topup first = order(1);
                const struct scrip_purse_topup second = order(2);
                bool proof;
                bool there;
                bool finished;
                given_server(&three[i], options);
                leave_pending(&server, &first);
                assert_ok(open_session(&server, false, &proof));
                if (flush != 0) {
                    assert_ok(scrip_desfire_tap_flush(&server.tap, &server.batch, SCRIP_PURSE_TOPUP));
                }
                assert_ok(scrip_desfire_tap_topup(&server.tap, &server.batch, &second));
                const enum scrip_status status = trip(&server, proof);
                const int32_t balance = evidence(&server, 2, &there, &finished);
                const bool kept = flush == 0 && (options & 1) != 0;
                if (kept && bench.profile.purse.reader_id) { /* the card takes one reader id in a transaction */
                    assert_status(status, SCRIP_E_CARD);
                    assert_int_equal(balance, 1000);
                } else {
                    assert_ok(status);
                    assert_int_equal(balance, kept ? 5000 : 3000); /* 5000 is what the flush is for */
                }
                bench_free(&bench);
            }
        }
    }
}

static void an_early_ev1_commit_is_seen_and_gives_nothing(void **state)
{
    (void)state;
    static const uint8_t commit[] = {0x90, 0xC7, 0, 0, 0};
    const struct kind ev1 = {"ev1", SCRIP_DESFIRE_EV1, 0};
    bool there;
    bool finished;
    for (size_t after = 1; after <= 3; after++) { /* part 2, then record, Credit, mark */
        const struct scrip_purse_topup topup = order(1);
        bool proof;
        given_server(&ev1, 0);
        assert_ok(open_session(&server, true, &proof));
        assert_ok(scrip_desfire_tap_topup(&server.tap, &server.batch, &topup));
        for (size_t n = 0; n <= after; n++) {
            uint8_t memory[300];
            struct scrip_buf reply = SCRIP_BUF_OF(memory);
            assert_ok(bench_transmit(&bench.link, scrip_batch_command(&server.batch, n), &reply));
        }
        uint8_t memory[300];
        struct scrip_buf reply = SCRIP_BUF_OF(memory);
        assert_ok(bench_transmit(&bench.link, SCRIP_BYTES_OF(commit), &reply));
        const int32_t balance = evidence(&server, 1, &there, &finished);
        assert_true(there);
        assert_int_equal(finished, after == 3);
        assert_int_equal(balance, after == 1 ? 1000 : 3000);
        bench_free(&bench);
    }
}

/* Nothing but the response MAC covers a command in EV1 messaging: a phone can slip in ClearRecordFile. */
static void a_cleared_top_up_log_is_proved_under_the_mac(void **state)
{
    (void)state;
    static const uint8_t clear[] = {0x90, 0xEB, 0, 0, 1, 4, 0};
    static const uint8_t commit[] = {0x90, 0xC7, 0, 0, 0};
    const struct kind ev1 = {"ev1", SCRIP_DESFIRE_EV1, 0};
    for (int cleared = 0; cleared < 2; cleared++) {
        uint8_t memory[300];
        struct scrip_buf reply = SCRIP_BUF_OF(memory);
        bool proof;
        given_server(&ev1, 0);
        assert_ok(open_session(&server, true, &proof));
        assert_ok(trip(&server, proof));
        if (cleared != 0) {
            assert_ok(bench_transmit(&bench.link, SCRIP_BYTES_OF(clear), &reply));
            assert_ok(bench_transmit(&bench.link, SCRIP_BYTES_OF(commit), &reply));
        }
        assert_ok(open_session(&server, true, &proof));
        assert_ok(scrip_desfire_tap_flush(&server.tap, &server.batch, SCRIP_PURSE_TOPUP));
        assert_ok(scrip_desfire_tap_read(&server.tap, &server.batch, SCRIP_READ_TOPUP_COUNT | SCRIP_READ_BALANCE, 0));
        assert_ok(trip(&server, proof));
        assert_true((server.tap.facts.has & SCRIP_FACT_TOPUP_COUNT) != 0);
        assert_int_equal(server.tap.facts.topup_count, cleared != 0 ? 0 : 1);
        bench_free(&bench);
    }
}

static void every_read_comes_in_one_trip_where_the_server_says_it_is_the_last(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        bool proof;
        given_server(&kinds[i], 3);
        assert_ok(tap(&bench, SCRIP_PURSE_DEBIT, 10, 0));
        assert_ok(open_session(&server, true, &proof));
        const bool in_one = bench.profile.purse.long_codes;
        const unsigned what = SCRIP_READ_BALANCE | SCRIP_READ_TMAC | SCRIP_READ_DEBITS | SCRIP_READ_LAST;
        if (in_one) {
            assert_ok(scrip_desfire_tap_read(&server.tap, &server.batch, what | SCRIP_READ_TOPUPS, 0));
        } else {
            assert_status(scrip_desfire_tap_read(&server.tap, &server.batch, what | SCRIP_READ_TOPUPS, 0),
                          SCRIP_E_WAIT);
            assert_ok(scrip_desfire_tap_read(&server.tap, &server.batch, what, 0));
        }
        assert_ok(trip(&server, proof));
        assert_true(server.tap.facts.debits.whole);
        assert_int_equal(server.tap.facts.debits.count, bench.profile.purse.smallest_debit ? 1 : 2);
        assert_int_equal(server.tap.facts.balance, 990);
        bench_free(&bench);
    }
}

static void the_header_is_rewritten_and_keys_are_changed_over_the_air(void **state)
{
    (void)state;
    static const struct kind three[] = {
        {"an12113", SCRIP_DESFIRE_EV3, 0}, {"ev1", SCRIP_DESFIRE_EV1, 0}, {"plain", SCRIP_DESFIRE_EV1, 0}};
    for (size_t i = 0; i < 3; i++) {
        struct server *s = &server;
        struct scrip_card_info info;
        const uint8_t next[16] = {0x77};
        uint8_t pay[16];
        given_server(&three[i], 0);
        const struct scrip_desfire_purse *purse = &bench.profile.purse;
        assert_ok(bench_connect(&bench.link, 0, &info));
        scrip_batch_clear(&s->batch);
        scrip_desfire_tap_start(&s->tap, purse, bench.uid);
        assert_ok(scrip_desfire_tap_preamble(&s->tap, &s->batch, SCRIP_PURSE_WRITE));
        assert_ok(trip(s, false));
        assert_ok(answer(s, SCRIP_PURSE_WRITE));
        assert_ok(trip(s, true));
        assert_ok(scrip_desfire_tap_write_header(&s->tap, &s->batch, 64, scrip_bytes("free to use", 11)));
        if (purse->reader_id) { /* only key 3 or 1 may finish the transaction */
            uint8_t tmri[16] = {1};
            assert_ok(scrip_desfire_tap_reauth(&s->tap, &s->batch, SCRIP_PURSE_TOPUP));
            assert_ok(trip(s, false));
            assert_ok(answer(s, SCRIP_PURSE_TOPUP));
            assert_ok(scrip_desfire_tap_reader(&s->tap, &s->batch, tmri));
            assert_ok(scrip_desfire_tap_commit(&s->tap, &s->batch));
            assert_ok(trip(s, true));
        } else if (!purse->header_open) {
            assert_ok(scrip_desfire_tap_commit(&s->tap, &s->batch));
            assert_ok(trip(s, false));
        } else {
            assert_ok(trip(s, false));
        }

        scrip_desfire_tap_start(&s->tap, purse, bench.uid);
        assert_ok(scrip_desfire_tap_preamble(&s->tap, &s->batch, SCRIP_PURSE_AMK));
        assert_ok(trip(s, false));
        assert_ok(answer(s, SCRIP_PURSE_AMK));
        assert_ok(trip(s, true));
        card_key(s, SCRIP_PURSE_PAY, pay);
        assert_ok(scrip_desfire_tap_change_key(&s->tap, &s->batch, purse->pay_key, next, 2, pay));
        assert_ok(scrip_desfire_tap_change_key(&s->tap, &s->batch, 0, next, 2, NULL));
        assert_ok(trip(s, false));
        assert_true((s->tap.facts.has & SCRIP_FACT_KEYS) != 0);
        assert_status(tap(&bench, SCRIP_PURSE_BALANCE, 0, 0), SCRIP_E_CARD); /* the old key is out */
        assert_int_equal(bench.job.result.failure.sw, 0x91AE);
        assert_int_equal(bench.job.result.outcome, SCRIP_OUTCOME_DECLINED);
        bench_free(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_top_up_takes_as_many_trips_as_its_messaging_needs),
        cmocka_unit_test(a_torn_top_up_leaves_old_or_new_and_the_record_says_which),
        cmocka_unit_test(no_session_commits_what_an_older_one_left_pending),
        cmocka_unit_test(an_early_ev1_commit_is_seen_and_gives_nothing),
        cmocka_unit_test(a_cleared_top_up_log_is_proved_under_the_mac),
        cmocka_unit_test(every_read_comes_in_one_trip_where_the_server_says_it_is_the_last),
        cmocka_unit_test(the_header_is_rewritten_and_keys_are_changed_over_the_air),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
