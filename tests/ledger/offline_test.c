/* Cards that show the server nothing: what terminals took from them and gave to them, by the terminals' word alone. */
#include "desk.h"

#define LAW(name) cmocka_unit_test_setup_teardown(name, offline_setup, desk_teardown)

static const uint8_t CAROL[7] = {0x11, 0x22, 0x33, 0x44}; /* a UID of four bytes */

static int offline_setup(void **state)
{
    struct scrip_ledger_card card = {.profile = "classic", .offline = true, .unlogged = true, .card_float = 1000};
    const int failed = desk_setup(state);
    struct desk *d = *state;
    memcpy(card.uid, CAROL, 7);
    desk_begin(d);
    assert_ok(scrip_ledger_card_add(d->ledger, &card));
    desk_commit(d);
    return failed;
}

static struct scrip_ledger_debit line_of(uint64_t sequence, uint32_t amount)
{
    struct scrip_ledger_debit line = debit_line(CAROL, sequence, 0, amount);
    memset(line.tmri, 0, sizeof line.tmri);
    return line;
}

static struct scrip_ledger_debit credit_of(uint64_t sequence, uint32_t amount)
{
    struct scrip_ledger_debit line = line_of(sequence, amount);
    line.credit = true;
    line.reference = 77;
    return line;
}

static int64_t float_of(struct desk *d)
{
    return card_now(d->ledger, CAROL).card_float;
}

static void an_opening_value_and_debits_make_the_account(void **state)
{
    struct desk *d = *state;
    const struct scrip_ledger_debit debit = line_of(1, 250);
    desk_begin(d);
    assert_true(card_now(d->ledger, CAROL).offline);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_KNOWN);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_MERCHANT), 250);
    assert_ok(scrip_ledger_check_card(d->ledger, CAROL, 750, 0, NULL));
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_terminal_s_credit_is_owed_by_its_merchant(void **state)
{
    struct desk *d = *state;
    const struct scrip_ledger_debit credit = credit_of(1, 500);
    desk_begin(d);
    assert_int_equal(taken(d->ledger, &credit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &credit), SCRIP_DEBIT_KNOWN);
    assert_int_equal(float_of(d), 1500);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_MERCHANT), -500);
    assert_ok(scrip_ledger_post(d->ledger, "in-1", SCRIP_BOOKING_PAYIN, 500, NULL, "kiosk", "the till of Monday"));
    assert_ok(scrip_ledger_post(d->ledger, "in-1", SCRIP_BOOKING_PAYIN, 500, NULL, "kiosk", "the till of Monday"));
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_MERCHANT), 0);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), -1500);
    assert_book(d->ledger);
    desk_commit(d);
}

/* Every pair of what a terminal may say of one line, first and later, debit and credit. */
static void what_was_made_stays_made_and_what_was_open_may_turn_out(void **state)
{
    enum { INTENT, MADE, UNDONE };
    static const enum scrip_ledger_taken wanted[3][3] = {
        [INTENT] = {SCRIP_DEBIT_WAITING, SCRIP_DEBIT_BOOKED, SCRIP_DEBIT_VOID},
        [MADE] = {SCRIP_DEBIT_KNOWN, SCRIP_DEBIT_KNOWN, SCRIP_DEBIT_KNOWN},
        [UNDONE] = {SCRIP_DEBIT_VOID, SCRIP_DEBIT_BOOKED, SCRIP_DEBIT_VOID},
    };
    struct desk *d = *state;
    int64_t expected = 1000;
    uint64_t sequence = 0;
    desk_begin(d);
    for (int first = INTENT; first <= UNDONE; first++) {
        for (int then = INTENT; then <= UNDONE; then++) {
            for (int credit = 0; credit <= 1; credit++) {
                struct scrip_ledger_debit line = credit ? credit_of(++sequence, 7) : line_of(++sequence, 10);
                line.answered = first == MADE;
                line.undone = first == UNDONE;
                (void)taken(d->ledger, &line);
                line.answered = then == MADE;
                line.undone = then == UNDONE;
                assert_int_equal(taken(d->ledger, &line), wanted[first][then]);
                expected += first == MADE || then == MADE ? (credit ? 7 : -10) : 0;
                assert_int_equal(float_of(d), expected);
            }
        }
    }
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_sequence_is_one_line(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_debit line = line_of(1, 250);
    enum scrip_ledger_taken result;
    desk_begin(d);
    assert_int_equal(taken(d->ledger, &line), SCRIP_DEBIT_BOOKED);
    line.credit = true;
    assert_status(scrip_ledger_debit_add(d->ledger, &line, &result, NULL), SCRIP_E_CONFLICT);
    line = line_of(1, 250);
    line.record[4] ^= 1; /* another time: a new journal of a terminal with an old id */
    assert_status(scrip_ledger_debit_add(d->ledger, &line, &result, NULL), SCRIP_E_CONFLICT);
    line = line_of(2, 250);
    line.undone = true; /* and answered */
    assert_status(scrip_ledger_debit_add(d->ledger, &line, &result, NULL), SCRIP_E_ARGUMENT);
    assert_int_equal(float_of(d), 750);
    desk_commit(d);
}

static void a_card_with_evidence_is_not_credited_by_a_line(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_debit line = debit_line(BOB, 1, 0, 250);
    enum scrip_ledger_taken result;
    desk_begin(d);
    line.credit = true;
    assert_status(scrip_ledger_debit_add(d->ledger, &line, &result, NULL), SCRIP_E_UNSUPPORTED);
    line.credit = false;
    line.answered = false;
    line.undone = true;
    assert_status(scrip_ledger_debit_add(d->ledger, &line, &result, NULL), SCRIP_E_UNSUPPORTED);
    desk_commit(d);
}

static void an_offline_card_takes_no_order(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    assert_status(order_for(d->ledger, "o1", CAROL, 100), SCRIP_E_UNSUPPORTED);
    desk_commit(d);
}

static void its_verdict_says_no_more_than_its_lines_do(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_verdict verdict;
    struct scrip_ledger_debit line = line_of(1, 250);
    desk_begin(d);
    line.answered = false;
    (void)taken(d->ledger, &line);
    assert_ok(scrip_ledger_reconcile(d->ledger, CAROL, &verdict));
    assert_int_equal(verdict.kind, SCRIP_VERDICT_IN_STEP);
    assert_true(verdict.open);
    assert_false(verdict.has_owed);
    assert_non_null(strstr(verdict.why, "1 lines wait"));
    line.answered = true;
    (void)taken(d->ledger, &line);
    assert_ok(scrip_ledger_reconcile(d->ledger, CAROL, &verdict));
    assert_int_equal(verdict.kind, SCRIP_VERDICT_IN_STEP);
    assert_false(verdict.open);
    assert_non_null(strstr(verdict.why, "counts nothing"));
    line = line_of(2, 751);
    (void)taken(d->ledger, &line);
    assert_ok(scrip_ledger_reconcile(d->ledger, CAROL, &verdict));
    assert_int_equal(verdict.kind, SCRIP_VERDICT_GAP);
    assert_non_null(strstr(verdict.why, "more than the book has given"));
    desk_commit(d);
}

static void its_profile_can_be_put_right_until_a_line_is_taken(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_card card = {.profile = "bcd", .offline = true, .unlogged = true, .card_float = 5};
    const struct scrip_ledger_debit debit = line_of(1, 250);
    memcpy(card.uid, CAROL, 7);
    desk_begin(d);
    assert_ok(scrip_ledger_card_add(d->ledger, &card));
    assert_string_equal(card_now(d->ledger, CAROL).profile, "bcd");
    assert_int_equal(float_of(d), 1000); /* what it began with was said before */
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    (void)snprintf(card.profile, sizeof card.profile, "classic");
    assert_status(scrip_ledger_card_add(d->ledger, &card), SCRIP_E_CONFLICT);
    card.offline = false;
    assert_status(scrip_ledger_card_add(d->ledger, &card), SCRIP_E_CONFLICT);
    desk_commit(d);
}

/* ---- lines that cannot be taken yet ---- */

struct found {
    unsigned count;
    struct scrip_ledger_aside last;
};

static bool find(void *ctx, const struct scrip_ledger_aside *aside)
{
    struct found *found = ctx;
    found->count++;
    found->last = *aside;
    return true;
}

static void a_line_is_kept_whole_until_it_is_taken(void **state)
{
    struct desk *d = *state;
    struct found found = {0};
    struct scrip_ledger_aside aside = {.sequence = 5, .why = "not registered", .line = {1, 2, 3}};
    struct scrip_ledger_counts counts;
    memcpy(aside.terminal, GATE, 4);
    memcpy(aside.uid, CAROL, 7);
    desk_begin(d);
    assert_ok(scrip_ledger_aside_add(d->ledger, &aside, false));
    aside.line[0] = 9;
    assert_ok(scrip_ledger_aside_add(d->ledger, &aside, false));
    assert_ok(scrip_ledger_asides(d->ledger, CAROL, find, &found));
    assert_int_equal(found.count, 1);
    assert_int_equal(found.last.line[0], 1);
    assert_ok(scrip_ledger_aside_add(d->ledger, &aside, true));
    assert_ok(scrip_ledger_asides(d->ledger, NULL, find, &found));
    assert_int_equal(found.last.line[0], 9);
    assert_memory_equal(found.last.terminal, GATE, 4);
    assert_memory_equal(found.last.uid, CAROL, 7);
    assert_string_equal(found.last.why, "not registered");
    assert_ok(scrip_ledger_count(d->ledger, &counts));
    assert_int_equal(counts.aside, 1);
    assert_ok(scrip_ledger_asides(d->ledger, BOB, find, &found));
    assert_int_equal(found.count, 2);
    assert_ok(scrip_ledger_aside_remove(d->ledger, GATE, 5));
    assert_status(scrip_ledger_aside_remove(d->ledger, GATE, 5), SCRIP_E_NOT_FOUND);
    aside.sequence = 0;
    assert_status(scrip_ledger_aside_add(d->ledger, &aside, true), SCRIP_E_ARGUMENT);
    desk_commit(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(an_opening_value_and_debits_make_the_account),
        LAW(a_terminal_s_credit_is_owed_by_its_merchant),
        LAW(what_was_made_stays_made_and_what_was_open_may_turn_out),
        LAW(a_sequence_is_one_line),
        LAW(a_card_with_evidence_is_not_credited_by_a_line),
        LAW(an_offline_card_takes_no_order),
        LAW(its_verdict_says_no_more_than_its_lines_do),
        LAW(its_profile_can_be_put_right_until_a_line_is_taken),
        LAW(a_line_is_kept_whole_until_it_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
