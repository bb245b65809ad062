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

static void a_finished_card_is_not_personalised_again(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_purse(b, "an12113", SCRIP_DESFIRE_EV3, 100);
    assert_status(tap(b, SCRIP_PURSE_PERSONALISE, 5000, 0), SCRIP_E_EXISTS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_can_be_personalised_spent_topped_up_and_read),
        cmocka_unit_test(every_journal_line_verifies_at_the_back_office),
        cmocka_unit_test(more_than_there_is_is_declined_and_changes_nothing),
        cmocka_unit_test(a_finished_card_is_not_personalised_again),
        cmocka_unit_test(an_order_is_credited_once_at_a_trusted_terminal),
        cmocka_unit_test(the_gates_key_opens_no_credit),
        cmocka_unit_test(a_log_entry_that_would_be_overwritten_is_in_the_journal_first),
        cmocka_unit_test(a_full_journal_takes_no_money),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
