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
    assert_book(d->ledger);
    desk_commit(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topup_moves_its_money_through_flight_to_the_card, desk_setup, desk_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
