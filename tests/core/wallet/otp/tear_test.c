/* Power lost at every write of the card and of the journal, the link cut before and after every APDU, every frame on
 * the air lost, either way; then further visits. Never a unit made, never one lost, and every debit counted once
 * between journal and card. */
#include "bench.h"

static struct ob bench;

#define UNIT  5
#define UNITS 400
#define START (UNIT * UNITS)
#define FARE  35

enum fault {
    CARD_NONE, /* the torn write leaves nothing, everything, some bits */
    CARD_ALL,
    CARD_ONE,
    CARD_ALL_BUT_ONE,
    CARD_RANDOM,
    LINK_BEFORE,
    LINK_AFTER,
    FRAME_LOST,
    ANSWER_LOST,
    JOURNAL_BEFORE,
    JOURNAL_AFTER,
    JOURNAL_HALF,
    FAULTS
};

static void plan(struct ob *b, enum fault fault, unsigned n)
{
    static const enum scrip_tear how[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    static const struct {
        enum otp_tear_how how;
        unsigned pick;
    } cells[] = {{OTP_TEAR_NONE, 0}, {OTP_TEAR_ALL, 0}, {OTP_TEAR_PICK, 0}, {OTP_TEAR_PICK, 60}, {OTP_TEAR_PICK, 107}};
    switch (fault) {
    case CARD_NONE:
    case CARD_ALL:
    case CARD_ONE:
    case CARD_ALL_BUT_ONE:
    case CARD_RANDOM:
        otp_tear_plan(&b->tear, n, cells[fault].how, cells[fault].pick);
        return;
    case LINK_BEFORE:
        b->sb.cut_before = n;
        return;
    case LINK_AFTER:
        b->sb.cut_after = n;
        return;
    case FRAME_LOST:
        b->sb.lose_frame = n;
        return;
    case ANSWER_LOST:
        b->sb.lose_answer = n;
        return;
    default:
        scrip_nv_tear_after(&b->sb.journal_tearing, n, how[fault - JOURNAL_BEFORE]);
        return;
    }
}

/* Did the visit come as far as the fault? */
static bool struck(const struct ob *b, enum fault fault, unsigned n)
{
    if (fault <= CARD_RANDOM) {
        return b->tear.no_power;
    }
    if (fault <= LINK_AFTER) {
        return b->sb.apdus >= n;
    }
    return fault <= ANSWER_LOST ? b->sb.frames >= n : b->sb.journal_tearing.no_power;
}

/* A terminal that loses power behind the very write that says "done" has said so to nobody: it comes back, the line is
 * settled, and the customer's next tap is a new purchase. Card and journal agree all the same. */
static int32_t most_gone;

static void expect_payments(enum fault fault)
{
    most_gone = fault == JOURNAL_AFTER ? 2 * FARE : FARE;
}

/* What no visit may ever break, whatever was torn. */
static void check_bounds(struct ob *b, int32_t paid)
{
    unsigned open = 0;
    const int32_t gone = (int32_t)ob_used(b) * UNIT;
    const int32_t sure = ob_taken(b, &open);
    if (gone < sure || gone > sure + (int32_t)open * FARE || gone > most_gone || paid > gone) {
        fail_msg("%d are gone, %d for certain, %u lines open, the customer was told %d", gone, sure, open, paid);
    }
}

/* The customer taps until it is accepted. @return what the customer was told that was taken */
static int32_t pay(struct ob *b)
{
    const struct scrip_purse_result *result = &b->sb.job.result;
    for (unsigned visit = 0; visit < 4; visit++) {
        (void)ob_tap(b, SCRIP_PURSE_DEBIT, FARE);
        const int32_t paid = result->outcome == SCRIP_OUTCOME_ACCEPTED ? FARE : 0;
        ob_power_back(b);
        check_bounds(b, paid);
        if (paid != 0) {
            return paid;
        }
        assert_int_equal(result->outcome, SCRIP_OUTCOME_ASK_AGAIN);
    }
    fail_msg("never accepted");
    return 0;
}

static void check_settled(struct ob *b, const char *what, unsigned n)
{
    unsigned open = 0;
    (void)ob_tap(b, SCRIP_PURSE_RECOVER, 0);
    const int32_t sum = ob_taken(b, &open);
    const int32_t balance = ob_balance(b);
    if (balance != START - sum || sum < FARE || sum > most_gone || open != 0) {
        fail_msg("%s at %u: balance %d, journal %d, open %u", what, n, balance, sum, open);
    }
}

static bool one_debit(enum fault fault, unsigned n)
{
    struct ob *b = &bench;
    ob_sold(b, UNIT, UNITS);
    expect_payments(fault);
    plan(b, fault, n);
    (void)ob_tap(b, SCRIP_PURSE_DEBIT, FARE);
    const bool accepted = b->sb.job.result.outcome == SCRIP_OUTCOME_ACCEPTED;
    const bool hit = struck(b, fault, n);
    assert_true(accepted || b->sb.job.result.outcome == SCRIP_OUTCOME_ASK_AGAIN);
    ob_power_back(b);
    check_bounds(b, accepted ? FARE : 0);
    if (!accepted) {
        (void)pay(b);
    }
    check_settled(b, "fault", n);
    ob_free(b);
    return hit;
}

static void a_torn_debit_happens_once(void **state)
{
    unsigned cases = 0;
    (void)state;
    for (int fault = 0; fault < FAULTS; fault++) {
        unsigned n = 1;
        while (one_debit((enum fault)fault, n)) {
            n++;
        }
        assert_true(n > 1);
        cases += n - 1;
    }
    print_message("%u torn visits\n", cases);
    assert_true(cases > 40);
}

/* A second fault while the first is being settled. */
static bool one_pair(enum fault first, unsigned n, enum fault second, unsigned m)
{
    struct ob *b = &bench;
    ob_sold(b, UNIT, UNITS);
    expect_payments(first);
    plan(b, first, n);
    (void)ob_tap(b, SCRIP_PURSE_DEBIT, FARE);
    bool accepted = b->sb.job.result.outcome == SCRIP_OUTCOME_ACCEPTED;
    bool hit = false;
    ob_power_back(b);
    if (!accepted) {
        plan(b, second, m);
        (void)ob_tap(b, SCRIP_PURSE_DEBIT, FARE);
        hit = struck(b, second, m);
        accepted = b->sb.job.result.outcome == SCRIP_OUTCOME_ACCEPTED;
        ob_power_back(b);
        check_bounds(b, accepted ? FARE : 0);
    }
    if (!accepted) {
        (void)pay(b);
    }
    check_settled(b, "pair", 100 * n + m);
    ob_free(b);
    return hit;
}

static void a_debit_torn_twice_happens_once(void **state)
{
    static const enum fault kinds[] = {CARD_NONE, CARD_ALL, LINK_BEFORE, LINK_AFTER, ANSWER_LOST, JOURNAL_HALF};
    const size_t count = sizeof kinds / sizeof kinds[0];
    unsigned cases = 0;
    (void)state;
    for (size_t i = 0; i < count * count; i++) {
        const enum fault first = kinds[i / count];
        for (unsigned n = 1; n <= 26; n++) {
            for (unsigned m = 1; one_pair(first, n, kinds[i % count], m); m++) {
                cases++;
            }
        }
    }
    print_message("%u pairs\n", cases);
    assert_true(cases > 300);
}

/* ---- personalisation ---- */

static bool one_sale(enum fault fault, unsigned n)
{
    struct ob *b = &bench;
    const struct scrip_purse_result *result = &b->sb.job.result;
    ob_fresh(b, UNIT, UNITS);
    plan(b, fault, n);
    (void)ob_tap(b, SCRIP_PURSE_PERSONALISE, START);
    const bool hit = struck(b, fault, n);
    ob_power_back(b);
    if (result->outcome != SCRIP_OUTCOME_ACCEPTED) {
        assert_int_equal(result->outcome, SCRIP_OUTCOME_ASK_AGAIN);
        (void)ob_tap(b, SCRIP_PURSE_BALANCE, 0); /* sold, or blank; nothing between */
        assert_true(result->status == SCRIP_OK ? result->balance == START : result->status == SCRIP_E_NOT_FOUND);
        assert_ok(ob_tap(b, SCRIP_PURSE_PERSONALISE, START));
        assert_int_equal(result->outcome, SCRIP_OUTCOME_ACCEPTED);
    }
    assert_int_equal(result->balance, START);
    assert_int_equal(ob_balance(b), START);
    assert_ok(ob_tap(b, SCRIP_PURSE_DEBIT, FARE));
    assert_int_equal(ob_balance(b), START - FARE);
    ob_free(b);
    return hit;
}

static void a_torn_personalisation_is_completed_by_the_same_one(void **state)
{
    unsigned cases = 0;
    (void)state;
    for (int fault = 0; fault < JOURNAL_BEFORE; fault++) {
        unsigned n = 1;
        while (one_sale((enum fault)fault, n)) {
            n++;
        }
        assert_true(n > 4 || fault == LINK_BEFORE);
        cases += n - 1;
    }
    print_message("%u torn personalisations\n", cases);
    assert_true(cases > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_debit_happens_once),
        cmocka_unit_test(a_debit_torn_twice_happens_once),
        cmocka_unit_test(a_torn_personalisation_is_completed_by_the_same_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
