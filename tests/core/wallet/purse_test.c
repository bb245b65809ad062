/* The purse at a terminal, against the emulated card: every profile, and what each operation promises. */
#include "purse_bench.h"

static struct bench bench;

struct kind {
    const char *profile;
    enum scrip_desfire_generation generation;
};

static const struct kind kinds[] = {
    {"an12113", SCRIP_DESFIRE_EV2},
    {"an12113", SCRIP_DESFIRE_EV3},
    {"an12113+smallest", SCRIP_DESFIRE_EV3},
    {"an12113+random-id", SCRIP_DESFIRE_EV3},
    {"split", SCRIP_DESFIRE_EV3},
    {"split+random-id", SCRIP_DESFIRE_EV2},
    {"split+smallest", SCRIP_DESFIRE_EV2},
    {"ev1", SCRIP_DESFIRE_EV1},
    {"ev1", SCRIP_DESFIRE_EV3},
    {"ev1+random-id", SCRIP_DESFIRE_EV1},
    {"ev1+smallest", SCRIP_DESFIRE_EV1},
    {"plain", SCRIP_DESFIRE_EV1},
    {"plain+random-id+smallest", SCRIP_DESFIRE_EV3},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static void every_profile_can_be_personalised_spent_topped_up_and_read(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < KINDS; i++) {
        print_message("%s\n", kinds[i].profile);
        given_purse(b, kinds[i].profile, kinds[i].generation, 1000);
        assert_int_equal(balance_of(b), 1000);
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
        assert_true(b->job.result.committed);
        assert_int_equal(balance_of(b), 750);
        assert_ok(tap(b, SCRIP_PURSE_CREDIT, 2000, 1));
        assert_int_equal(balance_of(b), 2750);
        assert_ok(tap(b, SCRIP_PURSE_HISTORY, 0, 0));
        assert_int_equal(b->job.result.entries, b->profile.purse.smallest_debit ? 3 : 4);
        assert_true(b->job.result.history[0].is_topup);
        assert_int_equal(b->job.result.history[0].amount, 2000);
        assert_int_equal(b->job.result.history[0].reference, 1);
        assert_false(b->job.result.history[0].unfinished);
        assert_true(b->job.result.has_header);
        assert_string_equal(b->job.result.header.issuer, "Test transport");
        assert_int_equal(b->job.result.header.profile, scrip_desfire_profile_id(&b->profile));
        assert_memory_equal(b->job.result.uid, b->uid, 7);
        bench_free(b);
    }
}

static void every_journal_line_verifies_at_the_back_office(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct scrip_journal_line line;
    uint8_t tmac[16];
    for (size_t i = 0; i < KINDS; i++) {
        given_purse(b, kinds[i].profile, kinds[i].generation, 1000);
        bench_tmac_key(b, tmac);
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 100, 0));
        assert_ok(tap(b, SCRIP_PURSE_CREDIT, 50, 7));
        b->request.skip_flush = true;
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 30, 0));
        assert_int_equal(b->journal.last, 3);
        for (uint64_t sequence = 1; sequence <= 3; sequence++) {
            assert_ok(scrip_journal_get(&b->journal, sequence, &line));
            assert_int_equal(line.state, SCRIP_JOURNAL_CONFIRMED);
            if (b->profile.purse.tmac_file == SCRIP_PURSE_NONE) {
                assert_status(scrip_purse_line_verify(&line, tmac), SCRIP_E_UNSUPPORTED);
                continue;
            }
            assert_int_equal(line.tmc, sequence);
            assert_ok(scrip_purse_line_verify(&line, tmac));
            line.amount++;
            assert_status(scrip_purse_line_verify(&line, tmac), SCRIP_E_MAC);
        }
        b->request.skip_flush = false;
        bench_free(b);
    }
}

static void assert_last_line_verifies(const struct bench *b)
{
    struct scrip_journal_line line;
    uint8_t tmac[16];
    bench_tmac_key(b, tmac);
    assert_ok(scrip_journal_get(&b->journal, b->journal.last, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_CONFIRMED);
    if (b->profile.purse.tmac_file != SCRIP_PURSE_NONE) {
        assert_ok(scrip_purse_line_verify(&line, tmac));
    }
}

/* A payment whose commit does not reach the card, and one that settles it first. @return there was such a commit */
static bool pay_behind_a_lost_commit(struct bench *b, const struct kind *kind, unsigned frame)
{
    given_purse(b, kind->profile, kind->generation, 1000);
    b->request.skip_flush = true;
    b->cut_before = frame;
    const bool paid = tap(b, SCRIP_PURSE_DEBIT, 100, 0) == SCRIP_OK;
    const bool lost = b->job.result.commit_open;
    power_back(b);
    if (lost) {
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 30, 0));
        assert_int_equal(balance_of(b), 970);
        assert_last_line_verifies(b);
    }
    assert_false(paid);
    b->request.skip_flush = false;
    bench_free(b);
    return lost;
}

static void a_line_verifies_whatever_its_payment_had_to_read_first(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < KINDS; i++) {
        given_purse(b, kinds[i].profile, kinds[i].generation, 1000);
        b->request.currency = b->header.currency;
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 100, 0));
        assert_last_line_verifies(b);
        b->request.skip_flush = true;
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 100, 0));
        assert_last_line_verifies(b);
        b->request.skip_flush = false;
        b->request.currency = 0;
        bench_free(b);
        for (unsigned frame = 1; !pay_behind_a_lost_commit(b, &kinds[i], frame); frame++) {
        }
    }
}

static void more_than_there_is_is_declined_and_changes_nothing(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 100);
    assert_status(tap(b, SCRIP_PURSE_DEBIT, 101, 0), SCRIP_E_FUNDS);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
    assert_int_equal(b->journal.last, 0);
    assert_status(tap(b, SCRIP_PURSE_CREDIT, 50000, 1), SCRIP_E_LIMIT);
    assert_int_equal(balance_of(b), 100);
    bench_free(b);
}

static void a_card_of_another_currency_is_declined_before_anything_is_done(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const enum scrip_purse_operation operations[] = {SCRIP_PURSE_BALANCE, SCRIP_PURSE_DEBIT, SCRIP_PURSE_RECOVER,
                                                            SCRIP_PURSE_HISTORY};
    for (size_t i = 0; i < KINDS; i++) {
        given_purse(b, kinds[i].profile, kinds[i].generation, 1000);
        for (size_t k = 0; k < sizeof operations / sizeof operations[0]; k++) {
            b->request.currency = b->header.currency == 392 ? 978 : 392;
            assert_status(tap(b, operations[k], 250, 0), SCRIP_E_CURRENCY);
            assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
            assert_int_equal(b->job.result.header.currency, b->header.currency);
            assert_false(b->job.result.committed);
            assert_false(b->job.result.commit_open);
            assert_int_equal(b->journal.last, 0);
        }
        b->request.currency = b->header.currency;
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_ok(tap(b, SCRIP_PURSE_RECOVER, 0, 0));
        assert_int_equal(balance_of(b), 750);
        b->request.currency = 0;
        bench_free(b);
    }
}

static void the_header_is_read_only_when_it_is_wanted(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 1000);
    b->request.with_header = true;
    assert_int_equal(balance_of(b), 1000);
    assert_true(b->job.result.has_header);
    assert_ok(tap(b, SCRIP_PURSE_RECOVER, 0, 0));
    assert_true(b->job.result.has_header);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0)); /* a debit spends no command on what is only shown */
    assert_false(b->job.result.has_header);
    b->request.with_header = false;
    assert_int_equal(balance_of(b), 750);
    assert_false(b->job.result.has_header);
    bench_free(b);
}

static void a_finished_card_is_not_personalised_again(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 100);
    assert_ok(tap(b, SCRIP_PURSE_PERSONALISE, 5000, 0));
    assert_int_equal(b->job.result.found, SCRIP_FOUND_PURSE);
    assert_int_equal(balance_of(b), 100);
    bench_free(b);
}

static void an_order_is_credited_once_at_a_trusted_terminal(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "split", SCRIP_DESFIRE_EV3, 0);
    assert_ok(tap(b, SCRIP_PURSE_CREDIT, 500, 3));
    assert_status(tap(b, SCRIP_PURSE_CREDIT, 500, 3), SCRIP_E_EXISTS);
    assert_int_equal(balance_of(b), 500);
    bench_free(b);
}

static enum scrip_status gate_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    if (role != SCRIP_PURSE_PAY && role != SCRIP_PURSE_ID) {
        return SCRIP_E_KEY;
    }
    return bench_key(ctx, role, m, out);
}

static void the_gates_key_opens_no_credit(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const char *const profiles[] = {"an12113", "split"};
    for (size_t i = 0; i < 2; i++) {
        struct scrip_desfire_tap visit;
        struct scrip_batch batch;
        struct scrip_replies replies;
        struct scrip_card_info info;
        uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
        uint8_t key[16];
        const uint8_t rnda[16] = {9};
        given_purse(b, profiles[i], SCRIP_DESFIRE_EV3, 100);
        assert_ok(gate_key(NULL, SCRIP_PURSE_PAY,
                           scrip_purse_diversify_input(SCRIP_PURSE_PAY, b->uid, b->profile.purse.aid, m), key));
        assert_ok(bench_connect(&b->link, 0, &info));
        scrip_desfire_tap_start(&visit, &b->profile.purse, b->uid);
        scrip_batch_clear(&batch);
        assert_ok(scrip_desfire_tap_preamble(&visit, &batch, SCRIP_PURSE_PAY));
        assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
        assert_ok(scrip_desfire_tap_take(&visit, &replies, NULL));
        scrip_batch_clear(&batch);
        assert_ok(scrip_desfire_tap_answer(&visit, &batch, key, rnda));
        assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
        assert_ok(scrip_desfire_tap_take(&visit, &replies, key));
        scrip_batch_clear(&batch);
        assert_ok(scrip_desfire_tap_credit(&visit, &batch, 1));
        assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
        assert_status(scrip_desfire_tap_take(&visit, &replies, NULL), SCRIP_E_CARD);
        assert_int_equal(visit.term.failure.sw, 0x91AE);
        bench_free(b);
    }
}

static void a_log_entry_that_would_be_overwritten_is_in_the_journal_first(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct scrip_journal_line line;
    uint8_t first[8];
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 10000);
    scrip_purse_timestamp(b->now_ms, first); /* of the opening record */
    for (unsigned i = 0; i < SCRIP_PURSE_LOG_RECORDS - 1; i++) {
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 10, 0));
        assert_ok(scrip_journal_get(&b->journal, b->journal.last, &line));
        assert_false(line.has_displaced);
        assert_ok(scrip_journal_acknowledge(&b->journal, b->journal.last));
    }
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 10, 0));
    assert_ok(scrip_journal_get(&b->journal, b->journal.last, &line));
    assert_true(line.has_displaced);
    assert_memory_equal(line.displaced + 4, first, 8);
    bench_free(b);
}

struct reads {
    unsigned value, log, topups; /* how often each was read */
};

static void count_reads(void *ctx, struct scrip_bytes capdu, struct scrip_bytes rapdu)
{
    struct reads *reads = ctx;
    const struct scrip_desfire_purse *purse = &bench.profile.purse;
    const uint8_t ins = capdu.at[1];
    (void)rapdu;
    reads->value += ins == 0x6C ? 1 : 0;
    if (ins == 0xBB || ins == 0xAB) {
        reads->log += capdu.at[5] == purse->log_file ? 1 : 0;
        reads->topups += capdu.at[5] == purse->topup_file ? 1 : 0;
    }
}

/* Reading it costs a fifth of the time that a card of full logs must stay at the gate. */
static void a_debit_reads_the_top_up_log_only_when_a_line_is_open(void **state)
{
    static const struct kind rows[] = {
        {"an12113", SCRIP_DESFIRE_EV3}, {"split+random-id", SCRIP_DESFIRE_EV2}, {"ev1", SCRIP_DESFIRE_EV1}};
    struct bench *b = &bench;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reads reads = {0};
        given_purse(b, rows[i].profile, rows[i].generation, 1000);
        b->spy = count_reads;
        b->spy_ctx = &reads;
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 100, 0));
        assert_int_equal(reads.value, 1);
        assert_int_equal(reads.log, 1);
        assert_int_equal(reads.topups, 0);
        b->cut_after = b->frames; /* the commit is not answered */
        assert_status(tap(b, SCRIP_PURSE_DEBIT, 100, 0), SCRIP_E_TORN);
        power_back(b);
        reads = (struct reads){0};
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 100, 0));
        assert_true(b->job.result.recovered);
        assert_int_equal(reads.topups, 1);
        b->spy = NULL;
        assert_int_equal(balance_of(b), 800);
        bench_free(b);
    }
}

static void a_full_journal_takes_no_money(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 10000);
    for (unsigned i = 0; i < BENCH_JOURNAL_LINES; i++) {
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 10, 0));
    }
    assert_status(tap(b, SCRIP_PURSE_DEBIT, 10, 0), SCRIP_E_LIMIT);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_int_equal(balance_of(b), 10000 - 80);
    bench_free(b);
}

/* Who is told "accepted" while the journal still has an intent would ride for nothing the next time. */
static void a_payment_that_the_journal_cannot_note_counts_at_the_next_tap(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (int how = 0; how < 2; how++) {
        given_purse(b, how == 0 ? "an12113" : "ev1", how == 0 ? SCRIP_DESFIRE_EV3 : SCRIP_DESFIRE_EV1, 10000);
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 1, 0));
        const uint64_t writes = b->journal_tearing.writes;
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 1, 0));
        const uint64_t last = b->journal_tearing.writes - writes;
        scrip_nv_tear_after(&b->journal_tearing, last, SCRIP_TEAR_BEFORE);
        assert_status(tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_NV);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
        assert_true(b->job.result.commit_open);
        power_back(b);
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_true(b->job.result.recovered);
        assert_int_equal(balance_of(b), 10000 - 2 - 250);
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_false(b->job.result.recovered);
        assert_int_equal(balance_of(b), 10000 - 2 - 500);
        bench_free(b);
    }
}

/* ---- unanswered commits ---- */

/* A debit whose commit reaches the card and whose answer is lost. */
static void given_lost_answer(struct bench *b, int32_t amount)
{
    unsigned frames;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 10000);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 1, 0));
    frames = b->frames; /* the commit is the last */
    b->cut_after = frames;
    assert_status(tap(b, SCRIP_PURSE_DEBIT, amount, 0), SCRIP_E_TORN);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_true(b->job.result.commit_open);
    assert_int_equal(b->job.result.sequence, 2);
    power_back(b);
}

static void the_next_tap_finds_the_own_record_and_takes_nothing_again(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct scrip_journal_line line;
    given_lost_answer(b, 250);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0));
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
    assert_true(b->job.result.recovered);
    assert_int_equal(b->job.result.sequence, 2);
    assert_int_equal(b->journal.last, 2);
    assert_ok(scrip_journal_get(&b->journal, 2, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_FOUND);
    assert_int_equal(balance_of(b), 10000 - 1 - 250);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 250, 0)); /* and that was for one purchase */
    assert_false(b->job.result.recovered);
    assert_int_equal(balance_of(b), 10000 - 1 - 500);
    bench_free(b);
}

static void another_amount_is_another_purchase(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_lost_answer(b, 250);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 300, 0));
    assert_false(b->job.result.recovered);
    assert_int_equal(b->job.result.settled, 1);
    assert_int_equal(balance_of(b), 10000 - 1 - 550);
    bench_free(b);
}

static void a_commit_that_did_not_arrive_is_void_at_the_next_tap(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct scrip_journal_line line;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 10000);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 1, 0));
    b->cut_before = b->frames;
    assert_status(tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
    power_back(b);
    assert_ok(tap(b, SCRIP_PURSE_RECOVER, 0, 0));
    assert_int_equal(b->job.result.settled, 1);
    assert_ok(scrip_journal_get(&b->journal, 2, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_VOID);
    assert_int_equal(balance_of(b), 10000 - 1);
    bench_free(b);
}

static void a_record_that_others_pushed_out_is_left_to_the_server(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct scrip_nv_memory other_memory;
    struct scrip_journal other;
    const struct scrip_journal mine_was = (given_lost_answer(b, 250), b->journal);
    assert_ok(scrip_nv_memory_init(&other_memory, SCRIP_JOURNAL_PAGES(20)));
    const struct scrip_nv nv = scrip_nv_memory(&other_memory);
    assert_ok(scrip_journal_format(&nv, (const uint8_t *)"OTHR"));
    assert_ok(scrip_journal_open(&other, &nv));
    b->journal = other;
    for (unsigned i = 0; i < SCRIP_PURSE_LOG_RECORDS; i++) {
        assert_ok(tap(b, SCRIP_PURSE_DEBIT, 10, 0));
    }
    b->journal = mine_was;
    assert_status(tap(b, SCRIP_PURSE_RECOVER, 0, 0), SCRIP_E_WAIT);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_true(b->job.result.commit_open);
    scrip_nv_memory_free(&other_memory);
    bench_free(b);
}

/* ---- refusals ---- */

static enum scrip_status wrong_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    const enum scrip_status status = bench_key(ctx, role, m, out);
    out[0] ^= 1;
    return status;
}

/* A key store whose memory fails. */
static enum scrip_status dead_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    (void)ctx;
    (void)role;
    (void)m;
    (void)out;
    return SCRIP_E_NV;
}

static void every_refusal_says_what_it_was(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool fresh; /* no purse on the card */
        enum scrip_status (*get)(void *, enum scrip_purse_role, struct scrip_bytes, uint8_t[16]);
        enum scrip_purse_operation operation;
        int32_t amount;
        bool no_journal;
        enum scrip_status status;
        enum scrip_outcome outcome;
        uint16_t sw;
    } rows[] = {
        {"no purse", true, bench_key, SCRIP_PURSE_BALANCE, 0, false, SCRIP_E_CARD, SCRIP_OUTCOME_DECLINED, 0x91A0},
        {"wrong key", false, wrong_key, SCRIP_PURSE_BALANCE, 0, false, SCRIP_E_CARD, SCRIP_OUTCOME_DECLINED, 0x91AE},
        {"no such key", false, gate_key, SCRIP_PURSE_CREDIT, 5, false, SCRIP_E_KEY, SCRIP_OUTCOME_DECLINED, 0},
        {"key store unreadable", false, dead_key, SCRIP_PURSE_DEBIT, 5, false, SCRIP_E_NV, SCRIP_OUTCOME_ASK_AGAIN, 0},
        {"not enough", false, bench_key, SCRIP_PURSE_DEBIT, 5000, false, SCRIP_E_FUNDS, SCRIP_OUTCOME_DECLINED, 0x91BE},
        {"past the limit", false, bench_key, SCRIP_PURSE_CREDIT, 60000, false, SCRIP_E_LIMIT, SCRIP_OUTCOME_DECLINED,
         0x91BE},
        {"nothing to take", false, bench_key, SCRIP_PURSE_DEBIT, 0, false, SCRIP_E_ARGUMENT, SCRIP_OUTCOME_ASK_AGAIN,
         0},
        {"no journal", false, bench_key, SCRIP_PURSE_DEBIT, 5, true, SCRIP_E_ARGUMENT, SCRIP_OUTCOME_ASK_AGAIN, 0},
    };
    struct bench *b = &bench;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].fresh) {
            given_fresh_card(b, "an12113", SCRIP_DESFIRE_EV3);
        } else {
            given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 100);
        }
        struct scrip_purse_request request = {
            .profile = &b->profile,
            .keys = {NULL, rows[i].get},
            .random = scrip_random_seeded(&b->seeded),
            .journal = rows[i].no_journal ? NULL : &b->journal,
            .amount = rows[i].amount,
            .reference = 1,
        };
        assert_ok(bench_connect(&b->link, 0, &request.card));
        const enum scrip_status status =
            scrip_purse_run(&b->job, &scrip_purse_desfire, rows[i].operation, &request, &b->link);
        if (status != rows[i].status || b->job.result.outcome != rows[i].outcome ||
            b->job.result.failure.sw != rows[i].sw || b->job.result.commit_open) {
            fail_msg("%s: %s, %s, %04X", rows[i].what, scrip_status_name(status),
                     scrip_outcome_name(b->job.result.outcome), b->job.result.failure.sw);
        }
        assert_int_equal(b->journal.last, 0);
        bench_free(b);
    }
}

static void profiles_are_found_by_name_and_number(void **state)
{
    (void)state;
    struct scrip_desfire_profile profile;
    struct scrip_desfire_profile again;
    char name[SCRIP_PROFILE_NAME_MAX];
    for (size_t i = 0; i < KINDS; i++) {
        assert_ok(scrip_desfire_profile_make(kinds[i].profile, &profile));
        assert_ok(scrip_desfire_profile_of_id(scrip_desfire_profile_id(&profile), &again));
        assert_ok(scrip_desfire_profile_name(&again, name));
        assert_string_equal(name, kinds[i].profile);
        assert_int_equal(profile.application.ks2 & 15, profile.key_count);
    }
    assert_status(scrip_desfire_profile_make("an1211", &profile), SCRIP_E_NOT_FOUND);
    assert_status(scrip_desfire_profile_make("an12113+", &profile), SCRIP_E_NOT_FOUND);
    assert_status(scrip_desfire_profile_make("an12113+small", &profile), SCRIP_E_NOT_FOUND);
    assert_status(scrip_desfire_profile_of_id(0, &profile), SCRIP_E_NOT_FOUND);
    assert_status(scrip_desfire_profile_of_id(0x81, &profile), SCRIP_E_NOT_FOUND);
    assert_null(scrip_desfire_profile_at(4));
}

static void headers_and_times_come_back(void **state)
{
    (void)state;
    const struct scrip_purse_header header = {.profile = 2,
                                              .currency = 392,
                                              .card_number = "12345678901234567890",
                                              .expires = {0x20, 0x30, 0x12, 0x31},
                                              .issuer = "Zürich"};
    struct scrip_purse_header read;
    uint8_t bytes[SCRIP_PURSE_HEADER];
    static const uint64_t times[] = {0, 951782399990, 951782400000, 1593694496000, 1700000000120, 253402300799990};
    uint8_t stamp[8];
    uint64_t ms;
    assert_ok(scrip_purse_header_put(&header, bytes));
    assert_ok(scrip_purse_header_get(SCRIP_BYTES_OF(bytes), &read));
    assert_memory_equal(&read, &header, sizeof read);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        assert_true(scrip_purse_header_get(SCRIP_BYTES_OF(bytes), &read) != SCRIP_OK);
        bytes[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        scrip_purse_timestamp(times[i], stamp);
        assert_ok(scrip_purse_timestamp_get(stamp, &ms));
        assert_true(ms == times[i]);
    }
    scrip_purse_timestamp(1593694496000, stamp);
    assert_hex(SCRIP_BYTES_OF(stamp), "2020070212545600");
    stamp[2] = 0x13;
    assert_status(scrip_purse_timestamp_get(stamp, &ms), SCRIP_E_FORMAT);
}

static void two_debits_in_the_same_second_are_told_apart(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "ev1", SCRIP_DESFIRE_EV1, 1000);
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, 100, 0));
    const unsigned frames = b->frames;
    b->now_ms -= 1000; /* the very same timestamp again */
    b->cut_before = frames;
    assert_status(tap(b, SCRIP_PURSE_DEBIT, 100, 0), SCRIP_E_TORN); /* the commit did not arrive */
    power_back(b);
    assert_ok(tap(b, SCRIP_PURSE_RECOVER, 0, 0));
    struct scrip_journal_line line;
    assert_ok(scrip_journal_get(&b->journal, 2, &line));
    assert_int_equal(line.same_before, 1);
    assert_int_equal(line.state, SCRIP_JOURNAL_VOID);
    assert_int_equal(balance_of(b), 900);
    bench_free(b);
}

static void families_and_outcomes_have_names(void **state)
{
    (void)state;
    const struct scrip_card_info contactless = {.ats_len = 6, .ats = {6, 0x75, 0x77, 0x81, 2, 0x80}};
    struct scrip_purse_job job;
    struct scrip_purse_family partial = scrip_purse_desfire;
    const struct scrip_purse_request request = {.amount = 1};
    assert_ptr_equal(scrip_purse_family_at(0), &scrip_purse_desfire);
    assert_ptr_equal(scrip_purse_family_at(1), &scrip_purse_native);
    for (size_t i = 0; scrip_purse_family_at(i) != NULL; i++) {
        assert_ptr_equal(scrip_purse_family_named(scrip_purse_family_at(i)->name), scrip_purse_family_at(i));
    }
    assert_null(scrip_purse_family_named("desfir"));
    assert_null(scrip_purse_family_named("desfire2"));
    assert_ptr_equal(scrip_purse_identify(&contactless), &scrip_purse_desfire);
    assert_string_equal(scrip_outcome_name(SCRIP_OUTCOME_ASK_AGAIN), "ask again");
    assert_string_equal(scrip_outcome_name(SCRIP_OUTCOME_DECLINED), "declined");
    assert_string_equal(scrip_purse_operation_name(SCRIP_PURSE_PERSONALISE), "personalise");
    partial.can &= ~(1U << SCRIP_PURSE_CREDIT); /* a family that cannot credit says so */
    assert_status(scrip_purse_begin(&job, &partial, SCRIP_PURSE_CREDIT, &request), SCRIP_E_UNSUPPORTED);
    assert_int_equal(job.result.outcome, SCRIP_OUTCOME_DECLINED);
}

static void a_link_without_a_card_is_no_failure_of_the_card(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 100);
    assert_ok(bench_connect(&b->link, 0, &b->request.card));
    bench_disconnect(&b->link);
    assert_status(scrip_purse_run(&b->job, &scrip_purse_desfire, SCRIP_PURSE_BALANCE, &b->request, &b->link),
                  SCRIP_E_NO_CARD);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_can_be_personalised_spent_topped_up_and_read),
        cmocka_unit_test(every_journal_line_verifies_at_the_back_office),
        cmocka_unit_test(a_line_verifies_whatever_its_payment_had_to_read_first),
        cmocka_unit_test(more_than_there_is_is_declined_and_changes_nothing),
        cmocka_unit_test(a_card_of_another_currency_is_declined_before_anything_is_done),
        cmocka_unit_test(the_header_is_read_only_when_it_is_wanted),
        cmocka_unit_test(a_finished_card_is_not_personalised_again),
        cmocka_unit_test(an_order_is_credited_once_at_a_trusted_terminal),
        cmocka_unit_test(the_gates_key_opens_no_credit),
        cmocka_unit_test(a_log_entry_that_would_be_overwritten_is_in_the_journal_first),
        cmocka_unit_test(a_debit_reads_the_top_up_log_only_when_a_line_is_open),
        cmocka_unit_test(a_full_journal_takes_no_money),
        cmocka_unit_test(a_payment_that_the_journal_cannot_note_counts_at_the_next_tap),
        cmocka_unit_test(the_next_tap_finds_the_own_record_and_takes_nothing_again),
        cmocka_unit_test(another_amount_is_another_purchase),
        cmocka_unit_test(a_commit_that_did_not_arrive_is_void_at_the_next_tap),
        cmocka_unit_test(a_record_that_others_pushed_out_is_left_to_the_server),
        cmocka_unit_test(two_debits_in_the_same_second_are_told_apart),
        cmocka_unit_test(every_refusal_says_what_it_was),
        cmocka_unit_test(profiles_are_found_by_name_and_number),
        cmocka_unit_test(headers_and_times_come_back),
        cmocka_unit_test(families_and_outcomes_have_names),
        cmocka_unit_test(a_link_without_a_card_is_no_failure_of_the_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
