#include "desk.h"

#include <scrip/defect.h>

#define LAW(name) cmocka_unit_test_setup_teardown(name, desk_setup, all_right_again)

static int all_right_again(void **state)
{
    scrip_test_defect = SCRIP_DEFECT_none;
    return desk_teardown(state);
}

static const struct scrip_settle_record R1 = {.value = 100, .reference = 1};

static void one_order_of_a_card_is_issued_at_a_time(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    funded(d->ledger, "o2", ALICE, 100);
    assert_status(issue_of(d->ledger, "o2", ALICE, 2), SCRIP_E_EXISTS);
    issued(d->ledger, "b1", BOB, 100);
    desk_commit(d);
    assert_int_equal(state_of(d->ledger, "o2"), SCRIP_STATE_FUNDED);
}

static void a_refused_issue_takes_no_number(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    funded(d->ledger, "o2", ALICE, 100);
    assert_status(issue_of(d->ledger, "o2", ALICE, 2), SCRIP_E_EXISTS);
    assert_int_equal(card_now(d->ledger, ALICE).issue_no, 1);
    desk_commit(d);
}

static void the_same_session_gets_the_same_issue_again_and_no_other_does(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 100);
    struct scrip_ledger_issue wanted = issue_wanted(d->ledger, "o1", ALICE, 7);
    struct scrip_ledger_issue first;
    struct scrip_ledger_issue again;
    wanted.record[0] = 0x20;
    wanted.state_len = 3;
    memcpy(wanted.state, "abc", 3);
    assert_ok(scrip_ledger_issue(d->ledger, &wanted, &first));
    wanted.record[0] = 0x21; /* computed anew, with another time: the stored one counts */
    assert_ok(scrip_ledger_issue(d->ledger, &wanted, &again));
    assert_int_equal(again.record[0], 0x20);
    assert_int_equal(again.reference, 1);
    assert_int_equal(again.amount, 100);
    assert_int_equal(again.state_len, 3);
    assert_memory_equal(&first, &again, sizeof first);
    memset(wanted.session, 8, sizeof wanted.session);
    assert_status(scrip_ledger_issue(d->ledger, &wanted, NULL), SCRIP_E_STALE);
    desk_commit(d);
}

static void an_older_session_issues_nothing(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "o2", ALICE, 100);
    const struct scrip_ledger_issue old = issue_wanted(d->ledger, "o2", ALICE, 2);
    confirmed(d->ledger, "o1", ALICE, 100);
    assert_status(scrip_ledger_issue(d->ledger, &old, NULL), SCRIP_E_STALE);
    assert_ok(issue_of(d->ledger, "o2", ALICE, 3));
    assert_int_equal(card_now(d->ledger, ALICE).issue_no, 2);
    desk_commit(d);
}

static void a_record_must_carry_the_reference(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 100);
    struct scrip_ledger_issue issue = issue_wanted(d->ledger, "o1", ALICE, 1);
    issue.record[12] ^= 2;
    assert_status(scrip_ledger_issue(d->ledger, &issue, NULL), SCRIP_E_ARGUMENT);
    issue.record[12] ^= 2;
    issue.tmri[4] ^= 2;
    assert_status(scrip_ledger_issue(d->ledger, &issue, NULL), SCRIP_E_ARGUMENT);
    desk_commit(d);
}

static void unfunded_held_and_late_orders_are_not_issued(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    assert_ok(order_for(d->ledger, "unpaid", ALICE, 100));
    assert_status(issue_of(d->ledger, "unpaid", ALICE, 1), SCRIP_E_STATE);
    funded(d->ledger, "o1", ALICE, 100);
    assert_ok(scrip_ledger_card_hold(d->ledger, ALICE, "looks odd"));
    assert_status(issue_of(d->ledger, "o1", ALICE, 1), SCRIP_E_HELD);
    assert_ok(scrip_ledger_card_release(d->ledger, ALICE));
    assert_ok(scrip_ledger_card_deny(d->ledger, ALICE, "lost"));
    assert_status(issue_of(d->ledger, "o1", ALICE, 1), SCRIP_E_HELD);
    assert_ok(scrip_ledger_card_allow(d->ledger, ALICE));
    struct scrip_ledger_order late = {.id = "late", .amount = 5, .expires_ms = d->now + 10};
    memcpy(late.uid, ALICE, 7);
    assert_ok(scrip_ledger_order_create(d->ledger, &late));
    assert_ok(scrip_ledger_order_fund(d->ledger, "late", "p"));
    d->now += 10;
    assert_status(issue_of(d->ledger, "late", ALICE, 1), SCRIP_E_EXPIRED);
    assert_ok(issue_of(d->ledger, "o1", ALICE, 1));
    desk_commit(d);
}

static void absence_puts_the_order_back_and_a_new_issue_has_a_new_reference(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    const struct scrip_settle_evidence none = session_reads(d->ledger, ALICE, 0, NULL, 0);
    assert_int_equal(settled(d->ledger, ALICE, &none), SCRIP_EVENT_PROOF_NONE);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_FUNDED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 100);
    assert_ok(issue_of(d->ledger, "o1", ALICE, 2));
    struct scrip_ledger_issue open;
    assert_ok(scrip_ledger_issue_open(d->ledger, ALICE, &open));
    assert_int_equal(open.reference, 2);
    assert_book(d->ledger);
    desk_commit(d);
}

static void evidence_of_an_overtaken_session_is_not_taken(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_settlement out;
    desk_begin(d);
    const struct scrip_settle_evidence before = session_reads(d->ledger, ALICE, 0, NULL, 0);
    issued(d->ledger, "o1", ALICE, 100);
    assert_status(scrip_ledger_settle(d->ledger, ALICE, &before, &out), SCRIP_E_STALE);
    assert_int_equal(out.event, SCRIP_EVENT_STALE);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_ISSUED);
    desk_commit(d);
}

static void a_delayed_message_of_a_good_card_does_not_hold_it(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_settlement out;
    desk_begin(d);
    const struct scrip_settle_evidence delayed = session_reads(d->ledger, ALICE, 0, NULL, 0);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 1, 50);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_status(scrip_ledger_settle(d->ledger, ALICE, &delayed, &out), SCRIP_E_STALE);
    assert_false(card_now(d->ledger, ALICE).held);
    desk_commit(d);
}

static void an_older_image_is_held_and_settles_nothing(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_settlement out;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 100);
    issued(d->ledger, "o2", ALICE, 100);
    const struct scrip_settle_evidence restored = session_reads(d->ledger, ALICE, 0, NULL, 0);
    assert_int_equal(settled(d->ledger, ALICE, &restored), SCRIP_EVENT_ROLLBACK);
    assert_true(card_now(d->ledger, ALICE).held);
    assert_int_equal(state_of(d->ledger, "o2"), SCRIP_STATE_ISSUED);
    const struct scrip_settle_evidence good = batch_answer(d->ledger, ALICE, 2);
    assert_status(scrip_ledger_settle(d->ledger, ALICE, &good, &out), SCRIP_E_HELD);
    struct scrip_ledger_verdict verdict;
    assert_ok(scrip_ledger_reconcile(d->ledger, ALICE, &verdict));
    assert_string_equal(scrip_ledger_verdict_name(verdict.kind), "rollback");
    assert_ok(scrip_ledger_card_release(d->ledger, ALICE));
    assert_int_equal(settled(d->ledger, ALICE, &good), SCRIP_EVENT_PROOF_COMMIT);
    assert_book(d->ledger);
    desk_commit(d);
}

static void an_early_commit_goes_to_an_operator(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", BOB, 100);
    const struct scrip_settle_evidence cheated = session_reads(d->ledger, BOB, 0, &R1, 1);
    assert_int_equal(settled(d->ledger, BOB, &cheated), SCRIP_EVENT_CHEATED);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_DISPUTED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_DISPUTE), 100);
    assert_true(card_now(d->ledger, BOB).held);
    uint32_t open = 0;
    assert_ok(scrip_ledger_check_card(d->ledger, BOB, 100, 0, &open));
    assert_ok(scrip_ledger_check_card(d->ledger, BOB, 0, 0, &open));
    assert_int_equal(open, 100);
    assert_ok(scrip_ledger_order_resolve(d->ledger, "o1", SCRIP_EVENT_RESOLVE_ON_CARD, "balance shows it"));
    assert_ok(scrip_ledger_card_release(d->ledger, BOB));
    assert_int_equal(card_now(d->ledger, BOB).card_float, 100);
    const struct scrip_settle_evidence later = session_reads(d->ledger, BOB, 0, &R1, 1);
    assert_int_equal(settled(d->ledger, BOB, &later), SCRIP_EVENT_UNDECIDED); /* not judged again */
    assert_false(card_now(d->ledger, BOB).held);
    assert_book(d->ledger);
    desk_commit(d);
}

static void proof_of_what_was_proved_absent_goes_to_an_operator(void **state)
{
    struct desk *d = *state;
    struct scrip_settle_evidence late;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    late = batch_answer(d->ledger, ALICE, 1);
    const struct scrip_settle_evidence none = session_reads(d->ledger, ALICE, 0, NULL, 0);
    assert_int_equal(settled(d->ledger, ALICE, &none), SCRIP_EVENT_PROOF_NONE);
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_PROOF_COMMIT);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_DISPUTED);
    assert_true(card_now(d->ledger, ALICE).held);
    assert_book(d->ledger);
    desk_commit(d);
}

static void and_so_does_proof_of_an_issue_that_was_replaced(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    const struct scrip_settle_evidence late = batch_answer(d->ledger, ALICE, 1);
    const struct scrip_settle_evidence none = session_reads(d->ledger, ALICE, 0, NULL, 0);
    assert_int_equal(settled(d->ledger, ALICE, &none), SCRIP_EVENT_PROOF_NONE);
    assert_ok(issue_of(d->ledger, "o1", ALICE, 2));
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_CONTRADICTION);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_DISPUTED);
    assert_true(card_now(d->ledger, ALICE).held);
    assert_book(d->ledger);
    desk_commit(d);
}

static void the_same_proof_books_once(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 100);
    const struct scrip_settle_evidence again = batch_answer(d->ledger, ALICE, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(settled(d->ledger, ALICE, &again), SCRIP_EVENT_PROOF_COMMIT);
    }
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 100);
    struct scrip_settle_evidence cut = again;
    cut.commit_ok = false;
    cut.refused = true;
    assert_int_equal(settled(d->ledger, ALICE, &cut), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_CONFIRMED);
    assert_book(d->ledger);
    desk_commit(d);
}

static void debits_explain_the_counter(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o0", ALICE, 100);
    issued(d->ledger, "o1", ALICE, 100);
    const struct scrip_settle_record before = {.value = 100, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 3, &before, 1);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED); /* two steps, none known */
    reads.debit_count = 2;
    reads.debits[0][0] = 1;
    reads.debits[1][0] = 2;
    reads.tmc_floor = 3;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_PROOF_NONE);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_FUNDED);
    desk_commit(d);
}

static void a_terminals_line_settles_a_topup_before_the_phone_does(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_settlement settlement;
    enum scrip_ledger_taken result;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    struct scrip_ledger_issue issue;
    assert_ok(scrip_ledger_issue_open(d->ledger, ALICE, &issue));
    struct scrip_ledger_debit debit = debit_line(ALICE, 1, 2, 30);
    debit.has_prev = true;
    memcpy(debit.prev_tmri, issue.tmri, 16);
    assert_ok(scrip_ledger_debit_add(d->ledger, &debit, &result, &settlement));
    assert_int_equal(settlement.event, SCRIP_EVENT_PROOF_COMMIT);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_CONFIRMED);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 70);
    const struct scrip_settle_evidence late = batch_answer(d->ledger, ALICE, 1);
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_PROOF_COMMIT);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 70);
    assert_book(d->ledger);
    desk_commit(d);
}

static void evidence_about_nothing_is_refused(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_settlement out;
    struct scrip_ledger_issue issue;
    static const uint8_t nobody[7] = {9, 9, 9, 9, 9, 9, 9};
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_BATCH, .reference = 4, .commit_ok = true};
    desk_begin(d);
    assert_status(scrip_ledger_settle(d->ledger, ALICE, &evidence, &out), SCRIP_E_NOT_FOUND);
    assert_status(scrip_ledger_settle(d->ledger, nobody, &evidence, &out), SCRIP_E_NOT_FOUND);
    assert_status(scrip_ledger_issue_open(d->ledger, ALICE, &issue), SCRIP_E_NOT_FOUND);
    assert_status(scrip_ledger_issue_get(d->ledger, ALICE, 1, &issue), SCRIP_E_NOT_FOUND);
    desk_commit(d);
}

/* Switched on, each defect must break the law that its rule keeps. */
static void each_deliberate_defect_of_the_ledger_shows(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    funded(d->ledger, "o2", ALICE, 100);
    scrip_test_defect = SCRIP_DEFECT_two_issued_per_card;
    assert_ok(issue_of(d->ledger, "o2", ALICE, 2));
    scrip_ledger_rollback(d->ledger);

    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 100);
    assert_ok(scrip_ledger_card_hold(d->ledger, ALICE, "odd"));
    scrip_test_defect = SCRIP_DEFECT_held_card_issued;
    assert_ok(issue_of(d->ledger, "o1", ALICE, 1));
    scrip_ledger_rollback(d->ledger);

    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 100);
    struct scrip_settle_evidence late = batch_answer(d->ledger, ALICE, 1);
    scrip_test_defect = SCRIP_DEFECT_double_confirm_booking;
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_PROOF_COMMIT);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 200);
    late.commit_ok = false;
    scrip_test_defect = SCRIP_DEFECT_late_upload_reverts;
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_FUNDED);
    scrip_test_defect = SCRIP_DEFECT_reused_reference;
    assert_ok(issue_of(d->ledger, "o1", ALICE, 3));
    assert_int_equal(card_now(d->ledger, ALICE).issue_no, 1);
    scrip_ledger_rollback(d->ledger);

    desk_begin(d);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 1, 30);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    scrip_test_defect = SCRIP_DEFECT_debit_taken_twice;
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_KNOWN);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, -60);
    scrip_ledger_rollback(d->ledger);
    scrip_test_defect = SCRIP_DEFECT_none;
    assert_book(d->ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(one_order_of_a_card_is_issued_at_a_time),
        LAW(a_refused_issue_takes_no_number),
        LAW(the_same_session_gets_the_same_issue_again_and_no_other_does),
        LAW(an_older_session_issues_nothing),
        LAW(a_record_must_carry_the_reference),
        LAW(unfunded_held_and_late_orders_are_not_issued),
        LAW(absence_puts_the_order_back_and_a_new_issue_has_a_new_reference),
        LAW(evidence_of_an_overtaken_session_is_not_taken),
        LAW(a_delayed_message_of_a_good_card_does_not_hold_it),
        LAW(an_older_image_is_held_and_settles_nothing),
        LAW(an_early_commit_goes_to_an_operator),
        LAW(proof_of_what_was_proved_absent_goes_to_an_operator),
        LAW(and_so_does_proof_of_an_issue_that_was_replaced),
        LAW(the_same_proof_books_once),
        LAW(debits_explain_the_counter),
        LAW(a_terminals_line_settles_a_topup_before_the_phone_does),
        LAW(evidence_about_nothing_is_refused),
        LAW(each_deliberate_defect_of_the_ledger_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
