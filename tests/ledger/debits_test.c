#include "desk.h"

#define LAW(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

static struct scrip_ledger_verdict verdict_on(struct desk *d, const uint8_t uid[7])
{
    struct scrip_ledger_verdict verdict;
    assert_ok(scrip_ledger_reconcile(d->ledger, uid, &verdict));
    return verdict;
}

static void a_debit_is_taken_once_by_card_and_counter(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 2, 250);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_KNOWN);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 750);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_MERCHANT), 250);
    assert_ok(scrip_ledger_check_card(d->ledger, ALICE, 750, 0, NULL));
    assert_book(d->ledger);
    desk_commit(d);
}

static void without_a_counter_it_is_taken_once_by_terminal_and_sequence(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    struct scrip_ledger_debit debit = debit_line(BOB, 1, 0, 250);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_KNOWN);
    assert_int_equal(card_now(d->ledger, BOB).card_float, -250); /* uploads may run ahead */
    debit.amount = 251;
    enum scrip_ledger_taken result;
    assert_status(scrip_ledger_debit_add(d->ledger, &debit, &result, NULL), SCRIP_E_CONFLICT);
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_line_that_does_not_verify_is_not_booked(void **state)
{
    struct desk *d = *state;
    enum scrip_ledger_taken result;
    struct scrip_ledger_debit debit = debit_line(ALICE, 1, 1, 250);
    desk_begin(d);
    debit.tmv_ok = false;
    assert_status(scrip_ledger_debit_add(d->ledger, &debit, &result, NULL), SCRIP_E_MAC);
    debit = debit_line(ALICE, 1, 1, 0);
    assert_status(scrip_ledger_debit_add(d->ledger, &debit, &result, NULL), SCRIP_E_ARGUMENT);
    debit = debit_line(ALICE, 1, 1, 5);
    debit.terminal[0] = 9;
    assert_status(scrip_ledger_debit_add(d->ledger, &debit, &result, NULL), SCRIP_E_NOT_FOUND);
    desk_commit(d);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_MERCHANT), 0);
}

static void uploads_may_come_in_any_order(void **state)
{
    struct desk *d = *state;
    static const uint32_t order[] = {4, 2, 5, 3};
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    for (int i = 0; i < 4; i++) {
        const struct scrip_ledger_debit debit = debit_line(ALICE, order[i], order[i], 10);
        assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
        const struct scrip_ledger_verdict verdict = verdict_on(d, ALICE);
        assert_int_equal(verdict.kind, i < 3 ? SCRIP_VERDICT_GAP : SCRIP_VERDICT_IN_STEP);
    }
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 960);
    desk_commit(d);
}

static void a_gap_names_the_counters_that_are_missing(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 5, 5, 10);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    const struct scrip_ledger_verdict verdict = verdict_on(d, ALICE);
    assert_int_equal(verdict.kind, SCRIP_VERDICT_GAP);
    assert_int_equal(verdict.missing_count, 3);
    assert_int_equal(verdict.missing[0], 2);
    assert_int_equal(verdict.missing[2], 4);
    desk_commit(d);
}

static void two_debits_with_one_counter_are_two_cards(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit first = debit_line(ALICE, 1, 1, 10);
    const struct scrip_ledger_debit second = debit_line(ALICE, 2, 1, 10);
    assert_int_equal(taken(d->ledger, &first), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &second), SCRIP_DEBIT_FORKED);
    assert_int_equal(taken(d->ledger, &second), SCRIP_DEBIT_FORKED);
    assert_true(card_now(d->ledger, ALICE).held);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, -10);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_FORK);
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_debit_with_the_counter_of_a_topup_is_a_copy_too(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 100);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 1, 10);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_FORKED);
    desk_commit(d);
}

static void neighbours_that_name_different_readers_are_a_copy(void **state)
{
    struct desk *d = *state;
    for (int order = 0; order < 2; order++) {
        desk_begin(d);
        struct scrip_ledger_debit lines[2] = {debit_line(ALICE, 1, 1, 10), debit_line(ALICE, 2, 2, 10)};
        lines[1].has_prev = true;
        memcpy(lines[1].prev_tmri, lines[0].tmri, 16);
        lines[1].prev_tmri[15] ^= 1;
        assert_int_equal(taken(d->ledger, &lines[order]), SCRIP_DEBIT_BOOKED);
        assert_int_equal(taken(d->ledger, &lines[1 - order]), SCRIP_DEBIT_FORKED);
        scrip_ledger_rollback(d->ledger);
    }
}

/* ---- Commits that were not answered ---- */

static struct scrip_ledger_debit intent_line(const uint8_t uid[7], uint64_t sequence, uint32_t tmc_before,
                                             uint32_t amount)
{
    struct scrip_ledger_debit intent = debit_line(uid, sequence, tmc_before, amount);
    intent.answered = false;
    intent.tmv_ok = false;
    return intent;
}

static void an_intent_waits_until_the_next_reader_names_it(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit intent = intent_line(ALICE, 1, 4, 30);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_WAITING);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_WAITING);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 0);
    struct scrip_ledger_debit next = debit_line(ALICE, 2, 6, 10);
    next.has_prev = true;
    memcpy(next.prev_tmri, intent.tmri, 16);
    assert_int_equal(taken(d->ledger, &next), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_KNOWN);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, -40);
    assert_book(d->ledger);
    desk_commit(d);
}

static void an_intent_that_comes_last_is_booked_at_once(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit intent = intent_line(ALICE, 1, 4, 30);
    struct scrip_ledger_debit next = debit_line(ALICE, 2, 6, 10);
    next.has_prev = true;
    memcpy(next.prev_tmri, intent.tmri, 16);
    assert_int_equal(taken(d->ledger, &next), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_BOOKED);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, -40);
    desk_commit(d);
}

static void the_cards_own_log_settles_an_intent(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit there = intent_line(BOB, 1, 0, 30);
    const struct scrip_ledger_debit absent = intent_line(BOB, 2, 0, 40);
    assert_int_equal(taken(d->ledger, &there), SCRIP_DEBIT_WAITING);
    assert_int_equal(taken(d->ledger, &absent), SCRIP_DEBIT_WAITING);
    struct scrip_settle_evidence reads = session_reads(d->ledger, BOB, 0, NULL, 0);
    reads.debit_count = 1;
    memcpy(reads.debits[0], there.record, 16);
    assert_int_equal(settled(d->ledger, BOB, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &there), SCRIP_DEBIT_KNOWN);
    assert_int_equal(taken(d->ledger, &absent), SCRIP_DEBIT_VOID);
    assert_int_equal(card_now(d->ledger, BOB).card_float, -30);
    desk_commit(d);
}

static void a_full_log_that_does_not_reach_back_decides_nothing(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit intent = intent_line(BOB, 1, 0, 30);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_WAITING);
    struct scrip_settle_evidence reads = session_reads(d->ledger, BOB, 0, NULL, 0);
    reads.debit_count = 10;
    for (unsigned i = 0; i < 10; i++) {
        memset(reads.debits[i], 0x99, 12); /* ten later entries: ours may have been pushed out */
    }
    assert_int_equal(settled(d->ledger, BOB, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_WAITING);
    memset(reads.debits[0], 0, 12); /* one that is older: ours would still be there */
    assert_int_equal(settled(d->ledger, BOB, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_VOID);
    desk_commit(d);
}

static void a_counter_that_stood_still_voids_an_intent(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit intent = intent_line(ALICE, 1, 0, 30);
    struct scrip_ledger_debit known = intent;
    known.has_tmc = true; /* TMC 0 before it */
    assert_int_equal(taken(d->ledger, &known), SCRIP_DEBIT_WAITING);
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 0, NULL, 0);
    reads.has_debits = false;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(taken(d->ledger, &known), SCRIP_DEBIT_VOID);
    desk_commit(d);
}

static void an_answer_that_turns_up_books_what_waited(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    const struct scrip_ledger_debit intent = intent_line(ALICE, 1, 4, 30);
    const struct scrip_ledger_debit answered = debit_line(ALICE, 1, 5, 30);
    assert_int_equal(taken(d->ledger, &intent), SCRIP_DEBIT_WAITING);
    assert_int_equal(taken(d->ledger, &answered), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &answered), SCRIP_DEBIT_KNOWN);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, -30);
    assert_book(d->ledger);
    desk_commit(d);
}

static void the_log_read_twice_is_harvested_once(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 2, NULL, 0);
    reads.debit_count = 1;   /* explains one of two steps, however often it is read */
    reads.debits[0][12] = 7; /* its amount */
    for (int i = 0; i < 3; i++) {
        reads.tmc_floor = card_now(d->ledger, ALICE).tmc;
        assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    }
    reads.debit_count = 2;
    reads.debits[1][12] = 8;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_PROOF_NONE);
    assert_int_equal(verdict_on(d, ALICE).missing_logged, 2);
    desk_commit(d);
}

/* ---- Gaps, fees, postings ---- */

static void a_gap_goes_to_suspense_and_comes_back_with_its_line(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_ledger_debit later = debit_line(ALICE, 2, 3, 10);
    const struct scrip_ledger_debit lost = debit_line(ALICE, 1, 2, 25);
    assert_int_equal(taken(d->ledger, &later), SCRIP_DEBIT_BOOKED);
    assert_ok(scrip_ledger_gap_close(d->ledger, ALICE, 2, 25, "terminal burnt"));
    assert_ok(scrip_ledger_gap_close(d->ledger, ALICE, 2, 25, "terminal burnt"));
    assert_status(scrip_ledger_gap_close(d->ledger, ALICE, 3, 25, ""), SCRIP_E_CONFLICT);
    assert_status(scrip_ledger_gap_close(d->ledger, ALICE, 1, 25, ""), SCRIP_E_CONFLICT);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_SUSPENSE), 25);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 965);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_IN_STEP);
    assert_book(d->ledger);
    assert_int_equal(taken(d->ledger, &lost), SCRIP_DEBIT_BOOKED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_SUSPENSE), 0);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_MERCHANT), 35);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 965);
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_noted_counter_is_no_gap(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    assert_ok(scrip_ledger_tmc_note(d->ledger, ALICE, 1));
    assert_ok(scrip_ledger_tmc_note(d->ledger, ALICE, 1));
    assert_int_equal(card_now(d->ledger, ALICE).tmc, 1);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_IN_STEP);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 1, 5);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_FORKED);
    desk_commit(d);
}

static void a_missing_transaction_that_moved_no_money_is_no_gap(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_settle_record record = {.value = 1000, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 3, &record, 1);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_GAP);
    reads.has_balance = true;
    reads.balance = 1000;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_IN_STEP);
    assert_int_equal(verdict_on(d, ALICE).missing_count, 2);
    reads.balance = 990;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_GAP);
    assert_int_equal(verdict_on(d, ALICE).owed, 10);
    desk_commit(d);
}

static void an_unfinished_write_of_ours_explains_the_counter(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order = {.id = "w1", .kind = SCRIP_KIND_WRITE};
    memcpy(order.uid, ALICE, 7);
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 100);
    const struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 1, NULL, 0);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_ok(scrip_ledger_order_create(d->ledger, &order));
    assert_ok(scrip_ledger_order_start(d->ledger, "w1"));
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_PROOF_NONE);
    desk_commit(d);
}

static void a_fee_is_a_part_of_the_debit(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_merchant merchant = {.id = "cafe", .name = "Cafe", .fee_bp = 150};
    struct scrip_ledger_terminal terminal = {.id = {0, 0, 0, 9}, .merchant = "cafe", .name = "Till"};
    desk_begin(d);
    assert_ok(scrip_ledger_merchant_add(d->ledger, &merchant));
    assert_ok(scrip_ledger_merchant_add(d->ledger, &merchant));
    assert_ok(scrip_ledger_terminal_add(d->ledger, &terminal));
    struct scrip_ledger_debit debit = debit_line(ALICE, 1, 1, 1000);
    memcpy(debit.terminal, terminal.id, 4);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FEE), 15);
    assert_ok(scrip_ledger_merchant_get(d->ledger, "cafe", &merchant));
    assert_int_equal(merchant.balance, 985);
    assert_ok(scrip_ledger_post(d->ledger, "pay-1", SCRIP_BOOKING_PAYOUT, 985, NULL, "cafe", "weekly"));
    assert_ok(scrip_ledger_post(d->ledger, "pay-1", SCRIP_BOOKING_PAYOUT, 985, NULL, "cafe", "weekly"));
    assert_status(scrip_ledger_post(d->ledger, "pay-1", SCRIP_BOOKING_PAYOUT, 984, NULL, "cafe", ""), SCRIP_E_CONFLICT);
    assert_status(scrip_ledger_post(d->ledger, "x", SCRIP_BOOKING_CONFIRM, 1, ALICE, NULL, ""), SCRIP_E_ARGUMENT);
    assert_status(scrip_ledger_post(d->ledger, "x", SCRIP_BOOKING_FEE, 1, NULL, "nobody", ""), SCRIP_E_NOT_FOUND);
    assert_ok(scrip_ledger_post(d->ledger, "b", SCRIP_BOOKING_BREAKAGE, 3, ALICE, NULL, "expired"));
    assert_ok(scrip_ledger_merchant_get(d->ledger, "cafe", &merchant));
    assert_int_equal(merchant.balance, 0);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, -1003);
    assert_book(d->ledger);
    desk_commit(d);
}

static void value_of_personalisation_is_in_the_book(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_card card = {.uid = {4, 9, 9, 9, 9, 9, 9}, .profile = "ev1", .card_float = 500};
    desk_begin(d);
    assert_ok(scrip_ledger_card_add(d->ledger, &card));
    assert_ok(scrip_ledger_card_add(d->ledger, &card));
    assert_int_equal(card_now(d->ledger, card.uid).card_float, 500);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), -500);
    card.tmac = true;
    assert_status(scrip_ledger_card_add(d->ledger, &card), SCRIP_E_CONFLICT);
    assert_book(d->ledger);
    desk_commit(d);
}

static void an_account_never_leaves_its_range(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_card card = {.uid = {4, 9, 9, 9, 9, 9, 9}, .profile = "ev1", .card_float = INT64_MAX - 5};
    desk_begin(d);
    assert_ok(scrip_ledger_card_add(d->ledger, &card));
    issued(d->ledger, "o1", card.uid, 6);
    const struct scrip_settle_evidence answer = batch_answer(d->ledger, card.uid, 1);
    struct scrip_ledger_settlement out;
    assert_status(scrip_ledger_settle(d->ledger, card.uid, &answer, &out), SCRIP_E_OVERFLOW);
    scrip_ledger_rollback(d->ledger);
}

static void a_balance_that_does_not_fit_is_a_copy(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    const struct scrip_settle_record record = {.value = 1000, .reference = 1};
    struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 1, &record, 1);
    reads.has_balance = true;
    reads.balance = 1000;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_IN_STEP);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 2, 100);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED); /* after the balance was seen */
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_IN_STEP);
    assert_int_equal(verdict_on(d, ALICE).owed, 0);
    reads.tmc = 2;
    reads.balance = 950;
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_UNDECIDED);
    assert_int_equal(verdict_on(d, ALICE).kind, SCRIP_VERDICT_FORK);
    desk_commit(d);
}

static bool count_line(void *ctx, const struct scrip_ledger_debit *debit, enum scrip_ledger_taken what)
{
    unsigned *counts = ctx;
    counts[what]++;
    return debit->amount > 0;
}

static void without_a_counter_only_more_than_all_credits_is_a_copy(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", BOB, 1000);
    struct scrip_settle_evidence answer = batch_answer(d->ledger, BOB, 0);
    answer.has_balance = true;
    answer.balance = 1000;
    assert_int_equal(settled(d->ledger, BOB, &answer), SCRIP_EVENT_PROOF_COMMIT);
    const struct scrip_ledger_debit debit = debit_line(BOB, 1, 0, 110);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    assert_int_equal(verdict_on(d, BOB).kind, SCRIP_VERDICT_IN_STEP);
    const struct scrip_settle_record record = {.value = 1000, .reference = 1 | 0x80000000U};
    struct scrip_settle_evidence later = session_reads(d->ledger, BOB, 0, &record, 1);
    later.has_balance = true;
    later.balance = 1001;
    (void)settled(d->ledger, BOB, &later);
    assert_int_equal(verdict_on(d, BOB).kind, SCRIP_VERDICT_FORK);
    desk_commit(d);
}

static void debits_are_listed_with_what_became_of_them(void **state)
{
    struct desk *d = *state;
    unsigned counts[8] = {0};
    desk_begin(d);
    const struct scrip_ledger_debit first = debit_line(ALICE, 1, 1, 10);
    const struct scrip_ledger_debit second = debit_line(ALICE, 2, 1, 10);
    const struct scrip_ledger_debit third = intent_line(ALICE, 3, 9, 10);
    assert_int_equal(taken(d->ledger, &first), SCRIP_DEBIT_BOOKED);
    assert_int_equal(taken(d->ledger, &second), SCRIP_DEBIT_FORKED);
    assert_int_equal(taken(d->ledger, &third), SCRIP_DEBIT_WAITING);
    assert_ok(scrip_ledger_tmc_note(d->ledger, ALICE, 4));
    desk_commit(d);
    assert_ok(scrip_ledger_debits(d->ledger, ALICE, count_line, counts));
    assert_int_equal(counts[SCRIP_DEBIT_BOOKED], 1);
    assert_int_equal(counts[SCRIP_DEBIT_FORKED], 1);
    assert_int_equal(counts[SCRIP_DEBIT_WAITING], 1);
}

static void api_keys_are_known_by_their_hash_and_can_be_revoked(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_key key = {.name = "till", .role = SCRIP_ROLE_TERMINAL, .terminal = {0, 0, 0, 0x42}};
    const struct scrip_bytes secret = scrip_bytes("0123456789abcdef0123", 20);
    desk_begin(d);
    assert_status(scrip_ledger_key_add(d->ledger, &key, scrip_bytes("short", 5)), SCRIP_E_ARGUMENT);
    assert_ok(scrip_ledger_key_add(d->ledger, &key, secret));
    assert_status(scrip_ledger_key_add(d->ledger, &key, secret), SCRIP_E_EXISTS);
    desk_commit(d);
    struct scrip_ledger_key found;
    assert_ok(scrip_ledger_key_find(d->ledger, secret, &found));
    assert_string_equal(found.name, "till");
    assert_memory_equal(found.terminal, GATE, 4);
    assert_status(scrip_ledger_key_find(d->ledger, scrip_bytes("0123456789abcdef012", 19), &found), SCRIP_E_AUTH);
    desk_begin(d);
    assert_ok(scrip_ledger_key_revoke(d->ledger, "till"));
    assert_status(scrip_ledger_key_revoke(d->ledger, "nobody"), SCRIP_E_NOT_FOUND);
    desk_commit(d);
    assert_status(scrip_ledger_key_find(d->ledger, secret, &found), SCRIP_E_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(a_debit_is_taken_once_by_card_and_counter),
        LAW(without_a_counter_it_is_taken_once_by_terminal_and_sequence),
        LAW(a_line_that_does_not_verify_is_not_booked),
        LAW(uploads_may_come_in_any_order),
        LAW(a_gap_names_the_counters_that_are_missing),
        LAW(two_debits_with_one_counter_are_two_cards),
        LAW(a_debit_with_the_counter_of_a_topup_is_a_copy_too),
        LAW(neighbours_that_name_different_readers_are_a_copy),
        LAW(an_intent_waits_until_the_next_reader_names_it),
        LAW(an_intent_that_comes_last_is_booked_at_once),
        LAW(the_cards_own_log_settles_an_intent),
        LAW(a_full_log_that_does_not_reach_back_decides_nothing),
        LAW(a_counter_that_stood_still_voids_an_intent),
        LAW(an_answer_that_turns_up_books_what_waited),
        LAW(the_log_read_twice_is_harvested_once),
        LAW(a_gap_goes_to_suspense_and_comes_back_with_its_line),
        LAW(a_noted_counter_is_no_gap),
        LAW(a_missing_transaction_that_moved_no_money_is_no_gap),
        LAW(an_unfinished_write_of_ours_explains_the_counter),
        LAW(a_fee_is_a_part_of_the_debit),
        LAW(value_of_personalisation_is_in_the_book),
        LAW(an_account_never_leaves_its_range),
        LAW(a_balance_that_does_not_fit_is_a_copy),
        LAW(without_a_counter_only_more_than_all_credits_is_a_copy),
        LAW(debits_are_listed_with_what_became_of_them),
        LAW(api_keys_are_known_by_their_hash_and_can_be_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
