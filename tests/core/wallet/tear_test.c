/* Power lost at every write, the link cut at every frame, the answer lost after every frame: the card holds the old or
 * the new value, and after further taps terminal and card agree to the unit. */
#include "journal_sum.h"
#include "purse_bench.h"

static struct bench bench;

#define START 1000
#define FARE  250

enum fault {
    CARD_BEFORE,
    CARD_AFTER,
    CARD_HALF,
    LINK_BEFORE,
    LINK_AFTER,
    JOURNAL_BEFORE,
    JOURNAL_AFTER,
    JOURNAL_HALF,
    FAULTS
};

/* Plan the `n`th fault of its kind for the next tap. */
static void plan(struct bench *b, enum fault fault, unsigned n)
{
    static const enum scrip_tear how[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    switch (fault) {
    case CARD_BEFORE:
    case CARD_AFTER:
    case CARD_HALF:
        scrip_nv_tear_after(&b->card_tearing, n, how[fault - CARD_BEFORE]);
        return;
    case LINK_BEFORE:
        b->cut_before = n;
        return;
    case LINK_AFTER:
        b->cut_after = n;
        return;
    default:
        scrip_nv_tear_after(&b->journal_tearing, n, how[fault - JOURNAL_BEFORE]);
        return;
    }
}

static bool struck(const struct bench *b, enum fault fault, unsigned n)
{
    switch (fault) {
    case CARD_BEFORE:
    case CARD_AFTER:
    case CARD_HALF:
        return b->card_tearing.no_power;
    case LINK_BEFORE:
    case LINK_AFTER:
        return b->frames >= n;
    default:
        return b->journal_tearing.no_power;
    }
}

struct scene {
    const char *profile;
    enum scrip_desfire_generation generation;
    bool keep_pending;
    bool end_on_0c;
    enum scrip_purse_operation operation;
};

/* What a terminal that was off finds in its journal. */
static bool was_confirmed(const struct bench *b, uint64_t sequence)
{
    struct scrip_journal_line line;
    return sequence != 0 && scrip_journal_get(&b->journal, sequence, &line) == SCRIP_OK &&
           line.state == SCRIP_JOURNAL_CONFIRMED;
}

/* A torn tap, then the customer taps again until it is accepted: charged once. */
static bool one_case(const struct scene *scene, enum fault fault, unsigned n)
{
    struct bench *b = &bench;
    const int32_t change = scene->operation == SCRIP_PURSE_DEBIT ? -FARE : FARE;
    given_purse(b, scene->profile, scene->generation, START);
    b->options.keep_pending_on_auth = scene->keep_pending;
    b->options.end_session_on_0c = scene->end_on_0c;
    plan(b, fault, n);
    const enum scrip_status first = tap(b, scene->operation, FARE, 9);
    const struct scrip_purse_result torn = b->job.result;
    const bool hit = struck(b, fault, n);
    power_back(b);
    if (first == SCRIP_OK) {
        assert_int_equal(torn.outcome, SCRIP_OUTCOME_ACCEPTED);
    } else if (was_confirmed(b, torn.sequence)) {
        assert_int_equal(fault, JOURNAL_AFTER); /* the terminal lost power behind its very last write: it was paid */
    } else {
        assert_int_equal(torn.outcome, SCRIP_OUTCOME_ASK_AGAIN);
        const enum scrip_status again = tap(b, scene->operation, FARE, 9);
        if (again != SCRIP_OK) {
            fail_msg("%s: fault %d at %u: second tap: %s", scene->profile, fault, n, scrip_status_name(again));
        }
    }
    unsigned open;
    power_back(b);
    (void)tap(b, SCRIP_PURSE_RECOVER, 0, 0);
    const int32_t sum = journal_taken(&b->journal, &open);
    const int32_t balance = balance_of(b);
    if (balance != START + change || sum != -change || open != 0) {
        fail_msg("%s %s: fault %d at %u: balance %d, journal %d, open %u", scene->profile,
                 scrip_purse_operation_name(scene->operation), fault, n, balance, sum, open);
    }
    bench_free(b);
    return hit;
}

static unsigned all_faults(const struct scene *scene)
{
    unsigned cases = 0;
    for (int fault = 0; fault < FAULTS; fault++) {
        for (unsigned n = 1; one_case(scene, (enum fault)fault, n); n++) {
            cases++;
        }
    }
    return cases;
}

static void a_torn_debit_or_credit_happens_once(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        enum scrip_desfire_generation generation;
    } kinds[] = {{"an12113", SCRIP_DESFIRE_EV3}, {"split+random-id", SCRIP_DESFIRE_EV2}, {"ev1", SCRIP_DESFIRE_EV1}};
    unsigned cases = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (unsigned option = 0; option < 4; option++) {
            const struct scene debit = {kinds[i].profile, kinds[i].generation, (option & 1) != 0, (option & 2) != 0,
                                        SCRIP_PURSE_DEBIT};
            struct scene credit = debit;
            credit.operation = SCRIP_PURSE_CREDIT;
            cases += all_faults(&debit) + all_faults(&credit);
        }
    }
    print_message("%u torn taps\n", cases);
    assert_true(cases > 500);
}

/* The smallest debit has no record: the terminal cannot tell, and says so. */
static void a_smallest_debit_without_answer_stays_open_for_the_server(void **state)
{
    (void)state;
    struct bench *b = &bench;
    unsigned open;
    given_purse(b, "an12113+smallest", SCRIP_DESFIRE_EV3, START);
    b->cut_after = 5; /* the commit */
    assert_status(tap(b, SCRIP_PURSE_DEBIT, FARE, 0), SCRIP_E_TORN);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_true(b->job.result.commit_open);
    power_back(b);
    assert_status(tap(b, SCRIP_PURSE_RECOVER, 0, 0), SCRIP_E_WAIT);
    assert_int_equal(journal_taken(&b->journal, &open), 0);
    assert_int_equal(open, 1);
    assert_int_equal(balance_of(b), START - FARE);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_debit_or_credit_happens_once),
        cmocka_unit_test(a_smallest_debit_without_answer_stays_open_for_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
