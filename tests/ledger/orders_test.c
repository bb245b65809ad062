#include "desk.h"

static void a_topup_moves_its_money_through_flight_to_the_card(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 2000);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), -2000);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 2000);
    assert_ok(issue_of(d->ledger, "o1", ALICE, 1));
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 2000);
    const struct scrip_settle_evidence answer = batch_answer(d->ledger, ALICE, 1);
    assert_int_equal(settled(d->ledger, ALICE, &answer), SCRIP_EVENT_PROOF_COMMIT);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_CONFIRMED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_CARD), 2000);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 2000);
    assert_int_equal(card_now(d->ledger, ALICE).tmc, 1);
    assert_ok(scrip_ledger_check_card(d->ledger, ALICE, 2000, 0, NULL));
    assert_status(scrip_ledger_check_card(d->ledger, ALICE, 2001, 0, NULL), SCRIP_E_CORRUPT);
    assert_book(d->ledger);
    desk_commit(d);
}

static void the_same_order_again_is_the_same_order(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    assert_ok(order_for(d->ledger, "o1", ALICE, 2000));
    assert_ok(order_for(d->ledger, "o1", ALICE, 2000));
    assert_status(order_for(d->ledger, "o1", ALICE, 2001), SCRIP_E_CONFLICT);
    assert_status(order_for(d->ledger, "o1", BOB, 2000), SCRIP_E_CONFLICT);
    desk_commit(d);
}

static void amounts_and_ids_have_a_range(void **state)
{
    struct desk *d = *state;
    static const uint8_t nobody[7] = {1, 2, 3, 4, 5, 6, 7};
    desk_begin(d);
    assert_status(order_for(d->ledger, "o1", ALICE, 0), SCRIP_E_ARGUMENT);
    assert_status(order_for(d->ledger, "o1", ALICE, 0x80000000U), SCRIP_E_ARGUMENT);
    assert_ok(order_for(d->ledger, "big", ALICE, INT32_MAX));
    assert_status(order_for(d->ledger, "", ALICE, 1), SCRIP_E_ARGUMENT);
    assert_status(order_for(d->ledger, "with blank", ALICE, 1), SCRIP_E_ARGUMENT);
    assert_status(order_for(d->ledger, "o1", nobody, 1), SCRIP_E_NOT_FOUND);
    assert_status(scrip_ledger_order_fund(d->ledger, "o9", "pay"), SCRIP_E_NOT_FOUND);
    assert_status(scrip_ledger_order_fund(d->ledger, "big", "caf\xC3\xA9"), SCRIP_E_ARGUMENT);
    desk_commit(d);
}

static void a_payment_funds_one_order_once(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    assert_ok(order_for(d->ledger, "o1", ALICE, 2000));
    assert_ok(order_for(d->ledger, "o2", ALICE, 2000));
    assert_ok(scrip_ledger_order_fund(d->ledger, "o1", "pay-1"));
    assert_ok(scrip_ledger_order_fund(d->ledger, "o1", "pay-1"));
    assert_status(scrip_ledger_order_fund(d->ledger, "o1", "pay-2"), SCRIP_E_CONFLICT);
    assert_status(scrip_ledger_order_fund(d->ledger, "o2", "pay-1"), SCRIP_E_CONFLICT);
    assert_int_equal(state_of(d->ledger, "o2"), SCRIP_STATE_CREATED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 2000);
    assert_book(d->ledger);
    desk_commit(d);
}

static void cancelling_gives_the_money_back_until_it_is_issued(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 2000);
    assert_ok(scrip_ledger_order_cancel(d->ledger, "o1"));
    assert_ok(scrip_ledger_order_cancel(d->ledger, "o1"));
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), 0);
    assert_status(scrip_ledger_order_fund(d->ledger, "o1", "pay-other"), SCRIP_E_CONFLICT);
    issued(d->ledger, "o2", ALICE, 500);
    assert_status(scrip_ledger_order_cancel(d->ledger, "o2"), SCRIP_E_STATE);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 500);
    assert_book(d->ledger);
    desk_commit(d);
}

static void time_takes_back_what_no_card_has_seen_and_nothing_else(void **state)
{
    struct desk *d = *state;
    static const char *const ids[] = {"never-paid", "paid", "issued", "work", "for-ever"};
    desk_begin(d);
    for (int i = 0; i < 5; i++) {
        struct scrip_ledger_order order = {.expires_ms = i < 4 ? d->now + 1000 : 0};
        order.kind = i == 3 ? SCRIP_KIND_WRITE : SCRIP_KIND_TOPUP;
        order.amount = i == 3 ? 0 : 100;
        (void)snprintf(order.id, sizeof order.id, "%s", ids[i]);
        memcpy(order.uid, ALICE, 7);
        assert_ok(scrip_ledger_order_create(d->ledger, &order));
    }
    assert_ok(scrip_ledger_order_fund(d->ledger, "paid", "p1"));
    assert_ok(scrip_ledger_order_fund(d->ledger, "issued", "p2"));
    assert_ok(scrip_ledger_order_fund(d->ledger, "for-ever", "p3"));
    assert_ok(scrip_ledger_order_start(d->ledger, "work"));
    assert_ok(issue_of(d->ledger, "issued", ALICE, 1));
    unsigned count = 99;
    assert_ok(scrip_ledger_expire(d->ledger, &count));
    assert_int_equal(count, 0);
    d->now += 1000;
    assert_status(scrip_ledger_order_fund(d->ledger, "never-paid", "p4"), SCRIP_E_EXPIRED);
    assert_ok(scrip_ledger_expire(d->ledger, &count));
    assert_int_equal(count, 3);
    assert_int_equal(state_of(d->ledger, "never-paid"), SCRIP_STATE_EXPIRED);
    assert_int_equal(state_of(d->ledger, "paid"), SCRIP_STATE_EXPIRED);
    assert_int_equal(state_of(d->ledger, "work"), SCRIP_STATE_EXPIRED);
    assert_int_equal(state_of(d->ledger, "issued"), SCRIP_STATE_ISSUED);
    assert_int_equal(state_of(d->ledger, "for-ever"), SCRIP_STATE_FUNDED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 200);
    assert_book(d->ledger);
    desk_commit(d);
}

static void work_without_money_starts_and_ends_and_books_nothing(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order = {.id = "read-1", .kind = SCRIP_KIND_READ};
    memcpy(order.uid, ALICE, 7);
    desk_begin(d);
    assert_ok(scrip_ledger_order_create(d->ledger, &order));
    assert_status(scrip_ledger_order_fund(d->ledger, "read-1", "pay"), SCRIP_E_STATE);
    assert_status(scrip_ledger_order_finish(d->ledger, "read-1", scrip_bytes("x", 1)), SCRIP_E_STATE);
    assert_ok(scrip_ledger_order_start(d->ledger, "read-1"));
    assert_ok(scrip_ledger_order_start(d->ledger, "read-1"));
    assert_ok(scrip_ledger_order_finish(d->ledger, "read-1", scrip_bytes("balance 5", 9)));
    assert_ok(scrip_ledger_order_finish(d->ledger, "read-1", scrip_bytes("balance 6", 9)));
    assert_ok(scrip_ledger_order_get(d->ledger, "read-1", &order));
    assert_true(scrip_bytes_equal(scrip_bytes(order.result, order.result_len), scrip_bytes("balance 5", 9)));
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), 0);
    desk_commit(d);
}

static void a_claim_pays_back_and_deny_lists(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 2000);
    assert_status(scrip_ledger_order_claim(d->ledger, "o1", "lost"), SCRIP_E_STATE);
    assert_ok(issue_of(d->ledger, "o1", ALICE, 1));
    assert_ok(scrip_ledger_order_claim(d->ledger, "o1", "card lost"));
    assert_ok(scrip_ledger_order_claim(d->ledger, "o1", "card lost"));
    assert_true(card_now(d->ledger, ALICE).denied);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), 0);
    assert_status(scrip_ledger_card_allow(d->ledger, ALICE), SCRIP_E_STATE);
    assert_book(d->ledger);

    funded(d->ledger, "o2", ALICE, 100);
    assert_status(issue_of(d->ledger, "o2", ALICE, 2), SCRIP_E_HELD);
    desk_commit(d);
}

static void value_found_after_a_claim_is_owed(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 2000);
    assert_ok(scrip_ledger_order_claim(d->ledger, "o1", "card lost"));
    const struct scrip_settle_evidence late = batch_answer(d->ledger, ALICE, 1);
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_PROOF_COMMIT);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_OWED);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_RECEIVABLE), -2000);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 2000);
    assert_book(d->ledger);
    assert_status(scrip_ledger_order_resolve(d->ledger, "o1", SCRIP_EVENT_RESOLVE_NOT_ON_CARD, "no"), SCRIP_E_STATE);
    assert_ok(scrip_ledger_order_resolve(d->ledger, "o1", SCRIP_EVENT_COLLECT, "paid in cash"));
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_RECEIVABLE), 0);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_CONFIRMED);
    assert_ok(scrip_ledger_card_allow(d->ledger, ALICE));
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_claim_that_the_card_bears_out_is_closed(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 2000);
    assert_ok(scrip_ledger_order_claim(d->ledger, "o1", "card lost"));
    const struct scrip_settle_evidence reads = session_reads(d->ledger, ALICE, 0, NULL, 0);
    assert_int_equal(settled(d->ledger, ALICE, &reads), SCRIP_EVENT_PROOF_NONE);
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_REFUNDED);
    assert_ok(scrip_ledger_card_allow(d->ledger, ALICE));
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_loss_is_written_off_against_breakage(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    issued(d->ledger, "o1", ALICE, 2000);
    assert_ok(scrip_ledger_order_claim(d->ledger, "o1", "card lost"));
    const struct scrip_settle_evidence late = batch_answer(d->ledger, ALICE, 1);
    assert_int_equal(settled(d->ledger, ALICE, &late), SCRIP_EVENT_PROOF_COMMIT);
    assert_ok(scrip_ledger_order_resolve(d->ledger, "o1", SCRIP_EVENT_WRITE_OFF, "gone"));
    assert_ok(scrip_ledger_order_resolve(d->ledger, "o1", SCRIP_EVENT_WRITE_OFF, "gone"));
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_BREAKAGE), -2000);
    assert_status(scrip_ledger_order_resolve(d->ledger, "o1", SCRIP_EVENT_CANCEL, ""), SCRIP_E_ARGUMENT);
    assert_book(d->ledger);
    desk_commit(d);
}

static void a_dropped_request_leaves_no_row(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    assert_ok(scrip_ledger_request_begin(d->ledger));
    funded(d->ledger, "kept", ALICE, 100);
    assert_ok(scrip_ledger_request_end(d->ledger, true));
    const uint64_t changes = scrip_ledger_changes(d->ledger);
    assert_ok(scrip_ledger_request_begin(d->ledger));
    funded(d->ledger, "dropped", ALICE, 100);
    assert_true(scrip_ledger_changes(d->ledger) > changes);
    assert_ok(scrip_ledger_request_end(d->ledger, false));
    assert_ok(scrip_ledger_request_begin(d->ledger));
    funded(d->ledger, "kept-too", ALICE, 100);
    assert_ok(scrip_ledger_request_end(d->ledger, true));
    desk_commit(d);
    struct scrip_ledger_order order;
    assert_status(scrip_ledger_order_get(d->ledger, "dropped", &order), SCRIP_E_NOT_FOUND);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 200);
    assert_book(d->ledger);
}

static void a_sure_request_that_is_refused_at_once_costs_nobody_anything(void **state)
{
    struct desk *d = *state;
    desk_begin(d);
    funded(d->ledger, "kept", ALICE, 100);
    assert_ok(order_for(d->ledger, "refused", ALICE, 100));
    assert_ok(scrip_ledger_request_begin(d->ledger));
    scrip_ledger_request_sure(d->ledger);
    assert_status(scrip_ledger_order_fund(d->ledger, "refused", "pay-kept"), SCRIP_E_CONFLICT);
    assert_ok(scrip_ledger_request_end(d->ledger, false));
    assert_ok(scrip_ledger_request_begin(d->ledger));
    scrip_ledger_request_sure(d->ledger);
    assert_ok(scrip_ledger_order_fund(d->ledger, "refused", "pay-other"));
    assert_ok(scrip_ledger_request_end(d->ledger, true));
    desk_commit(d);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 200);
    assert_book(d->ledger);
}

static void a_sure_request_that_breaks_its_word_is_never_half_kept(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order;
    desk_begin(d);
    assert_ok(scrip_ledger_request_begin(d->ledger));
    scrip_ledger_request_sure(d->ledger);
    funded(d->ledger, "half", ALICE, 100);
    assert_status(scrip_ledger_request_end(d->ledger, false), SCRIP_E_STORE);
    assert_non_null(strstr(scrip_ledger_message(d->ledger), "sure of itself"));
    assert_status(scrip_ledger_commit(d->ledger), SCRIP_E_STORE);
    assert_status(scrip_ledger_order_get(d->ledger, "half", &order), SCRIP_E_NOT_FOUND);
    desk_begin(d); /* and the next transaction knows nothing of it */
    funded(d->ledger, "half", ALICE, 100);
    desk_commit(d);
    assert_book(d->ledger);
}

static void a_request_that_becomes_sure_after_a_change_keeps_its_savepoint(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order;
    desk_begin(d);
    assert_ok(scrip_ledger_request_begin(d->ledger));
    funded(d->ledger, "dropped", ALICE, 100);
    scrip_ledger_request_sure(d->ledger);
    funded(d->ledger, "dropped-too", ALICE, 100);
    assert_ok(scrip_ledger_request_end(d->ledger, false));
    desk_commit(d);
    assert_status(scrip_ledger_order_get(d->ledger, "dropped", &order), SCRIP_E_NOT_FOUND);
    assert_status(scrip_ledger_order_get(d->ledger, "dropped-too", &order), SCRIP_E_NOT_FOUND);
    assert_book(d->ledger);
}

/* Where an order was last found is only where to look first. */
static void a_number_that_goes_to_another_order_misleads_nobody(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order;
    desk_begin(d);
    assert_ok(scrip_ledger_request_begin(d->ledger));
    funded(d->ledger, "dropped", ALICE, 100);
    assert_ok(scrip_ledger_request_end(d->ledger, false));
    assert_status(scrip_ledger_order_get(d->ledger, "dropped", &order), SCRIP_E_NOT_FOUND);
    funded(d->ledger, "other", ALICE, 200); /* under the number that "dropped" had */
    assert_status(scrip_ledger_order_get(d->ledger, "dropped", &order), SCRIP_E_NOT_FOUND);
    assert_ok(scrip_ledger_order_get(d->ledger, "other", &order));
    assert_int_equal(order.amount, 200);
    funded(d->ledger, "dropped", ALICE, 300);
    assert_ok(scrip_ledger_order_get(d->ledger, "dropped", &order));
    assert_int_equal(order.amount, 300);
    desk_commit(d);
}

static void more_orders_than_hints_are_found_all_the_same(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order;
    char id[16];
    desk_begin(d);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 1; i <= 5000; i++) {
            (void)snprintf(id, sizeof id, "many-%u", i);
            if (round == 0) {
                assert_ok(order_for(d->ledger, id, i % 2 ? ALICE : BOB, i));
            }
            assert_ok(scrip_ledger_order_get(d->ledger, id, &order));
            assert_string_equal(order.id, id);
            assert_int_equal(order.amount, i);
        }
    }
    desk_commit(d);
}

/* ---- what a transaction knows of its own rows is what it has written ---- */

struct view {
    struct scrip_ledger_card card[2];
    struct scrip_ledger_order order[2];
    struct scrip_ledger_issue issue;
};

static struct view view_of(struct scrip_ledger *ledger)
{
    struct view view;
    memset(&view, 0, sizeof view);
    (void)scrip_ledger_card_get(ledger, ALICE, &view.card[0]);
    (void)scrip_ledger_card_get(ledger, BOB, &view.card[1]);
    (void)scrip_ledger_order_get(ledger, "o1", &view.order[0]);
    (void)scrip_ledger_order_get(ledger, "o2", &view.order[1]);
    (void)scrip_ledger_issue_get(ledger, ALICE, view.card[0].issue_no, &view.issue);
    (void)scrip_ledger_card_get(ledger, ALICE, &view.card[0]); /* the one that most steps change is asked for last */
    (void)scrip_ledger_order_get(ledger, "o1", &view.order[0]);
    return view;
}

static void step_create(struct desk *d)
{
    assert_ok(order_for(d->ledger, "o1", ALICE, 700));
    assert_ok(order_for(d->ledger, "o2", BOB, 800));
}

static void step_fund(struct desk *d)
{
    assert_ok(scrip_ledger_order_fund(d->ledger, "o1", "pay-1"));
}

static void step_key_version(struct desk *d)
{
    assert_ok(scrip_ledger_card_set_key_version(d->ledger, ALICE, 9));
}

static void step_issue(struct desk *d)
{
    assert_ok(issue_of(d->ledger, "o1", ALICE, 1));
}

static void step_key_version_again(struct desk *d) /* saves the card's row, whose issue number has just gone up */
{
    assert_ok(scrip_ledger_card_set_key_version(d->ledger, ALICE, 10));
}

static void step_confirm(struct desk *d)
{
    const struct scrip_settle_evidence evidence = batch_answer(d->ledger, ALICE, 1);
    assert_int_equal(settled(d->ledger, ALICE, &evidence), SCRIP_EVENT_PROOF_COMMIT);
}

static void step_cancel(struct desk *d)
{
    assert_ok(scrip_ledger_order_fund(d->ledger, "o2", "pay-2"));
    assert_ok(scrip_ledger_order_cancel(d->ledger, "o2"));
}

static void step_deny_and_allow(struct desk *d)
{
    assert_ok(scrip_ledger_card_deny(d->ledger, ALICE, "lost"));
    assert_ok(scrip_ledger_card_allow(d->ledger, ALICE));
    assert_ok(scrip_ledger_card_deny(d->ledger, ALICE, "stolen"));
}

static void step_hold(struct desk *d)
{
    assert_ok(scrip_ledger_card_hold(d->ledger, ALICE, "odd"));
}

static void step_breakage(struct desk *d)
{
    assert_ok(scrip_ledger_post(d->ledger, "b1", SCRIP_BOOKING_BREAKAGE, 5, ALICE, NULL, "old"));
}

static void a_transaction_knows_its_rows_as_they_are_written(void **state)
{
    static void (*const steps[])(struct desk *) = {step_create,         step_fund,    step_key_version,
                                                   step_issue,          step_confirm, step_cancel,
                                                   step_deny_and_allow, step_hold,    step_breakage};
    struct desk *d = *state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        desk_begin(d);
        (void)view_of(d->ledger); /* so that there is something to be out of date */
        steps[i](d);
        if (steps[i] == step_issue) {
            step_key_version_again(d);
        }
        const struct view inside = view_of(d->ledger);
        desk_commit(d);
        const struct view written = view_of(d->ledger);
        assert_memory_equal(&inside, &written, sizeof inside);
        desk_begin(d); /* and what is dropped is not known either */
        assert_ok(scrip_ledger_request_begin(d->ledger));
        assert_ok(scrip_ledger_card_hold(d->ledger, ALICE, "dropped"));
        assert_true(card_now(d->ledger, ALICE).held);
        assert_ok(scrip_ledger_request_end(d->ledger, false));
        const struct view dropped = view_of(d->ledger);
        assert_memory_equal(&dropped, &written, sizeof dropped);
        desk_commit(d);
    }
    assert_book(d->ledger);
}

static void nothing_is_changed_outside_of_a_transaction(void **state)
{
    struct desk *d = *state;
    assert_status(order_for(d->ledger, "o1", ALICE, 1), SCRIP_E_STATE);
    assert_status(scrip_ledger_request_begin(d->ledger), SCRIP_E_STATE);
    assert_status(scrip_ledger_commit(d->ledger), SCRIP_E_STATE);
    desk_begin(d);
    assert_status(scrip_ledger_begin(d->ledger), SCRIP_E_STATE);
    assert_status(scrip_ledger_idle(d->ledger), SCRIP_E_STATE);
    desk_commit(d);
    assert_ok(scrip_ledger_idle(d->ledger));
}

static bool gather(void *ctx, const struct scrip_ledger_order *order)
{
    char *text = ctx;
    strcat(text, order->id);
    return strlen(text) < 4;
}

static void orders_are_listed_oldest_first_until_told_to_stop(void **state)
{
    struct desk *d = *state;
    char all[64] = "";
    char alices[64] = "";
    desk_begin(d);
    assert_ok(order_for(d->ledger, "a1", ALICE, 1));
    assert_ok(order_for(d->ledger, "b1", BOB, 1));
    assert_ok(order_for(d->ledger, "a2", ALICE, 1));
    desk_commit(d);
    assert_ok(scrip_ledger_orders(d->ledger, NULL, gather, all));
    assert_string_equal(all, "a1b1");
    assert_ok(scrip_ledger_orders(d->ledger, ALICE, gather, alices));
    assert_string_equal(alices, "a1a2");
    struct scrip_ledger_counts counts;
    assert_ok(scrip_ledger_count(d->ledger, &counts));
    assert_int_equal(counts.orders, 3);
    assert_int_equal(counts.by_state[SCRIP_STATE_CREATED], 3);
    assert_int_equal(counts.cards, 2);
}

#define LAW(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(a_topup_moves_its_money_through_flight_to_the_card),
        LAW(the_same_order_again_is_the_same_order),
        LAW(amounts_and_ids_have_a_range),
        LAW(a_payment_funds_one_order_once),
        LAW(cancelling_gives_the_money_back_until_it_is_issued),
        LAW(time_takes_back_what_no_card_has_seen_and_nothing_else),
        LAW(work_without_money_starts_and_ends_and_books_nothing),
        LAW(a_claim_pays_back_and_deny_lists),
        LAW(value_found_after_a_claim_is_owed),
        LAW(a_claim_that_the_card_bears_out_is_closed),
        LAW(a_loss_is_written_off_against_breakage),
        LAW(a_dropped_request_leaves_no_row),
        LAW(a_sure_request_that_is_refused_at_once_costs_nobody_anything),
        LAW(a_sure_request_that_breaks_its_word_is_never_half_kept),
        LAW(a_request_that_becomes_sure_after_a_change_keeps_its_savepoint),
        LAW(a_number_that_goes_to_another_order_misleads_nobody),
        LAW(more_orders_than_hints_are_found_all_the_same),
        LAW(a_transaction_knows_its_rows_as_they_are_written),
        LAW(nothing_is_changed_outside_of_a_transaction),
        LAW(orders_are_listed_oldest_first_until_told_to_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
