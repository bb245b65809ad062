/* Terminals of bad faith: what a line says without a Transaction MAC is the terminal's word, and must not be paid for
 * twice, nor move what is known of a card. */
#include "desk.h"

#define LAW(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

/* The line again under another number, as if its commit had not been answered. */
static struct scrip_ledger_debit unanswered(struct scrip_ledger_debit line, uint64_t sequence, uint32_t before)
{
    line.sequence = sequence;
    line.answered = false;
    line.tmv_ok = false;
    line.has_tmc = true;
    line.tmc = before;
    return line;
}

static void a_booked_debit_that_comes_again_as_unanswered_is_not_paid_twice(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 2, 250);
    const struct scrip_ledger_debit again = unanswered(debit, 2, 1);
    struct scrip_ledger_debit next = debit_line(ALICE, 3, 3, 10);
    next.has_prev = true;
    memcpy(next.prev_tmri, debit.tmri, 16);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &again), SCRIP_DEBIT_VOID);
    assert_int_equal(taken(d->ledger, &next), SCRIP_DEBIT_BOOKED); /* it names the booked one, not its repetition */
    assert_int_equal(taken(d->ledger, &again), SCRIP_DEBIT_VOID);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 740);
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_counter_that_only_a_terminal_names_is_not_the_card_s(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit intent = unanswered(debit_line(ALICE, 1, 2, 250), 1, 4000000000U);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_WAITING);
    const struct scrip_settle_record topup = {.value = 1000, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 2, &topup, 1);
    reads.debit_count = 1;
    memcpy(reads.debits[0], intent.record, 16);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_KNOWN);
    assert_int_equal(card_now(d->ledger, ALICE).tmc, 2);
    reads = session_reads(d->ledger, ALICE, 2, &topup, 1);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED); /* and no rollback */
    assert_false(card_now(d->ledger, ALICE).held);
    desk_commit(d);
}

static void a_gap_comes_back_when_the_log_proves_its_debit(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit later = debit_line(ALICE, 2, 3, 10);
    const struct scrip_ledger_debit lost = unanswered(debit_line(ALICE, 1, 2, 25), 1, 1);
    assert_int_equal(taken(d->ledger, &later), SCRIP_DEBIT_BOOKED);
    assert_ok(scrip_ledger_gap_close(d->ledger, ALICE, 2, 25, "terminal burnt"));
    const struct scrip_settle_record topup = {.value = 1000, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 3, &topup, 1);
    reads.debit_count = 2;
    memcpy(reads.debits[0], lost.record, 16);
    memcpy(reads.debits[1], later.record, 16);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &lost), SCRIP_DEBIT_BOOKED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_SUSPENSE), 0);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 965);
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_proved_debit_takes_its_place_from_one_that_only_claimed_it(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit honest = debit_line(ALICE, 1, 2, 10);
    const struct scrip_ledger_debit squatter = unanswered(debit_line(ALICE, 2, 3, 250), 2, 1); /* 3 is its true place */
    assert_int_equal(taken(d->ledger, &squatter), SCRIP_DEBIT_WAITING);
    const struct scrip_settle_record topup = {.value = 1000, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 3, &topup, 1);
    reads.debit_count = 2;
    memcpy(reads.debits[0], honest.record, 16);
    memcpy(reads.debits[1], squatter.record, 16);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &honest), SCRIP_DEBIT_BOOKED);
    assert_false(card_now(d->ledger, ALICE).held);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 740);
    assert_book(d->ledger);
    desk_commit(d);
}

/* The log of a session proved the debit; then an older image of the card paid somewhere else with the same TMC. */
static void a_tmc_that_a_logged_debit_must_have_had_is_a_copy_when_it_comes_again(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit logged = unanswered(debit_line(ALICE, 1, 2, 250), 1, 1);
    assert_int_equal(taken(d->ledger, &logged), SCRIP_DEBIT_WAITING);
    const struct scrip_settle_record topup = {.value = 1000, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 2, &topup, 1);
    reads.debit_count = 1;
    memcpy(reads.debits[0], logged.record, 16);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    const struct scrip_ledger_debit again = debit_line(ALICE, 2, 2, 10);
    assert_int_equal(taken(d->ledger, &again), SCRIP_DEBIT_FORKED);
    assert_true(card_now(d->ledger, ALICE).held);
    assert_book(d->ledger);
    desk_commit(d);
}

/* Its debit before this one was named with the reference of an issue that never reached the card. */
static void a_reference_under_a_terminal_s_own_name_proves_no_topup(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 1000);
    struct scrip_ledger_debit debit = debit_line(ALICE, 1, 2, 10);
    debit.has_prev = true;
    memcpy(debit.prev_tmri, GATE, 4);
    scrip_put_le32(debit.prev_tmri + 4, card_now(d->ledger, ALICE).issue_no);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_ISSUED);
    assert_book(d->ledger);
    desk_commit(d);
}

int main(void)
{
    const struct CMUnitTest laws[] = {
        LAW(a_booked_debit_that_comes_again_as_unanswered_is_not_paid_twice),
        LAW(a_counter_that_only_a_terminal_names_is_not_the_card_s),
        LAW(a_gap_comes_back_when_the_log_proves_its_debit),
        LAW(a_proved_debit_takes_its_place_from_one_that_only_claimed_it),
        LAW(a_tmc_that_a_logged_debit_must_have_had_is_a_copy_when_it_comes_again),
        LAW(a_reference_under_a_terminal_s_own_name_proves_no_topup),
    };
    return cmocka_run_group_tests_name("terminals of bad faith", laws, NULL, NULL);
}
