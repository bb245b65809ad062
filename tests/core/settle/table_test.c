#include "check.h"

#include <scrip/defect.h>
#include <scrip/settle.h>

static const struct {
    enum scrip_settle_state state;
    enum scrip_settle_event event;
} pairs[] = {
#define PAIR(state_, event_, answer, next, booking, mark) {SCRIP_STATE_##state_, SCRIP_EVENT_##event_},
#include "table.def"
#undef PAIR
};

static bool is_work(enum scrip_settle_event event)
{
    return event == SCRIP_EVENT_START || event == SCRIP_EVENT_FINISH;
}

static enum scrip_settle_kind kind_for(enum scrip_settle_event event)
{
    return is_work(event) ? SCRIP_KIND_READ : SCRIP_KIND_TOPUP;
}

static void every_pair_is_in_the_table_once(void **state)
{
    (void)state;
    unsigned seen[SCRIP_STATE_COUNT][SCRIP_EVENT_COUNT] = {{0}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        seen[pairs[i].state][pairs[i].event]++;
    }
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
            if (seen[s][e] != 1) {
                fail_msg("%s, %s: %u times", scrip_settle_state_name((enum scrip_settle_state)s),
                         scrip_settle_event_name((enum scrip_settle_event)e), seen[s][e]);
            }
        }
    }
}

/* The heart of it: whatever happens, the booking carries the money from where the old state has it to where the new
 * state has it, in every account. So no state and no way through the table can lose or make a unit. */
static void every_step_moves_the_money_where_the_next_state_has_it(void **state)
{
    (void)state;
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
            const enum scrip_settle_event event = (enum scrip_settle_event)e;
            const struct scrip_settle_step step = scrip_settle_next(kind_for(event), (enum scrip_settle_state)s, event);
            const enum scrip_booking booking = (enum scrip_booking)step.booking;
            for (int a = 0; a < SCRIP_ACCOUNT_COUNT; a++) {
                const enum scrip_account account = (enum scrip_account)a;
                const int moved = booking == SCRIP_BOOKING_NONE ? 0
                                                                : (scrip_booking_to(booking) == account) -
                                                                      (scrip_booking_from(booking) == account);
                const int before = scrip_settle_position((enum scrip_settle_state)s, account);
                const int after = scrip_settle_position((enum scrip_settle_state)step.next, account);
                if (before + moved != after) {
                    fail_msg("%s, %s: %d %+d is not %d in %s", scrip_settle_state_name((enum scrip_settle_state)s),
                             scrip_settle_event_name(event), before, moved, after, scrip_account_name(account));
                }
            }
        }
    }
}

static void every_states_money_adds_up_to_nothing(void **state)
{
    (void)state;
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        int sum = 0;
        for (int a = 0; a < SCRIP_ACCOUNT_COUNT; a++) {
            sum += scrip_settle_position((enum scrip_settle_state)s, (enum scrip_account)a);
        }
        assert_int_equal(sum, 0);
    }
}

static void a_refusal_and_a_repetition_change_nothing(void **state)
{
    (void)state;
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
            const enum scrip_settle_event event = (enum scrip_settle_event)e;
            const struct scrip_settle_step step = scrip_settle_next(kind_for(event), (enum scrip_settle_state)s, event);
            assert_int_not_equal(step.answer, SCRIP_ANSWER_MISSING);
            if (step.answer != SCRIP_ANSWER_GO) {
                assert_int_equal(step.next, s);
                assert_int_equal(step.booking, SCRIP_BOOKING_NONE);
            } else {
                assert_int_not_equal(step.next, s);
            }
        }
    }
}

static void only_card_data_or_a_claim_moves_an_issued_order(void **state)
{
    (void)state;
    for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
        const enum scrip_settle_event event = (enum scrip_settle_event)e;
        const struct scrip_settle_step step = scrip_settle_next(kind_for(event), SCRIP_STATE_ISSUED, event);
        const bool moves = event == SCRIP_EVENT_PROOF_COMMIT || event == SCRIP_EVENT_PROOF_NONE ||
                           event == SCRIP_EVENT_CHEATED || event == SCRIP_EVENT_CONTRADICTION ||
                           event == SCRIP_EVENT_CLAIM;
        assert_int_equal(step.answer == SCRIP_ANSWER_GO, moves);
    }
}

/* Value may only come onto a card's account by proof, or by an operator's word; and nothing takes it off again. */
static void value_reaches_the_card_account_only_by_proof_and_stays(void **state)
{
    (void)state;
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
            const enum scrip_settle_event event = (enum scrip_settle_event)e;
            const struct scrip_settle_step step = scrip_settle_next(kind_for(event), (enum scrip_settle_state)s, event);
            if (scrip_booking_to((enum scrip_booking)step.booking) == SCRIP_ACCOUNT_CARD) {
                assert_true(event == SCRIP_EVENT_PROOF_COMMIT || event == SCRIP_EVENT_RESOLVE_ON_CARD);
            }
            assert_int_not_equal(scrip_booking_from((enum scrip_booking)step.booking), SCRIP_ACCOUNT_CARD);
        }
    }
}

/* From every state with money in it that is not at rest, some way leads to one that is. */
static void no_state_is_a_trap(void **state)
{
    (void)state;
    bool rests[SCRIP_STATE_COUNT];
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        rests[s] = scrip_settle_is_final((enum scrip_settle_state)s);
    }
    for (int round = 0; round < SCRIP_STATE_COUNT; round++) {
        for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
            for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
                const enum scrip_settle_event event = (enum scrip_settle_event)e;
                const enum scrip_settle_state from = (enum scrip_settle_state)s;
                rests[s] = rests[s] || rests[scrip_settle_next(kind_for(event), from, event).next];
            }
        }
    }
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        assert_true(rests[s]);
    }
}

static void contradictions_always_hold_the_card(void **state)
{
    (void)state;
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        if (s == SCRIP_STATE_STARTED || s == SCRIP_STATE_DONE) {
            continue;
        }
        assert_true(scrip_settle_next(SCRIP_KIND_TOPUP, (enum scrip_settle_state)s, SCRIP_EVENT_CONTRADICTION).hold);
        assert_true(scrip_settle_next(SCRIP_KIND_TOPUP, (enum scrip_settle_state)s, SCRIP_EVENT_ROLLBACK).hold);
    }
    assert_true(scrip_settle_next(SCRIP_KIND_TOPUP, SCRIP_STATE_ISSUED, SCRIP_EVENT_CLAIM).deny);
}

static void work_without_money_knows_no_money(void **state)
{
    (void)state;
    for (int k = SCRIP_KIND_READ; k < SCRIP_KIND_COUNT; k++) {
        for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
            for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
                const enum scrip_settle_event event = (enum scrip_settle_event)e;
                const struct scrip_settle_step step =
                    scrip_settle_next((enum scrip_settle_kind)k, (enum scrip_settle_state)s, event);
                const bool allowed = is_work(event) || event == SCRIP_EVENT_CANCEL || event == SCRIP_EVENT_EXPIRE;
                assert_true(allowed || step.answer == SCRIP_ANSWER_REFUSE);
            }
        }
    }
    assert_int_equal(scrip_settle_next(SCRIP_KIND_TOPUP, SCRIP_STATE_CREATED, SCRIP_EVENT_START).answer,
                     SCRIP_ANSWER_REFUSE);
}

static void numbers_out_of_range_are_refused_and_named(void **state)
{
    (void)state;
    const enum scrip_settle_state no_state = (enum scrip_settle_state)SCRIP_STATE_COUNT;
    const enum scrip_settle_event no_event = (enum scrip_settle_event)SCRIP_EVENT_COUNT;
    assert_int_equal(scrip_settle_next(SCRIP_KIND_TOPUP, no_state, SCRIP_EVENT_FUND).answer, SCRIP_ANSWER_REFUSE);
    assert_int_equal(scrip_settle_next(SCRIP_KIND_TOPUP, SCRIP_STATE_CREATED, no_event).answer, SCRIP_ANSWER_REFUSE);
    assert_string_equal(scrip_settle_state_name(no_state), "?");
    assert_string_equal(scrip_settle_event_text(no_event), "?");
    assert_string_equal(scrip_settle_state_name(SCRIP_STATE_WRITTEN_OFF), "WRITTEN_OFF");
    assert_string_equal(scrip_settle_event_name(SCRIP_EVENT_PROOF_NONE), "PROOF_NONE");
    assert_string_equal(scrip_account_name(SCRIP_ACCOUNT_DISPUTE), "DISPUTE");
    assert_string_equal(scrip_booking_name(SCRIP_BOOKING_OPENING), "OPENING");
    assert_string_equal(scrip_settle_kind_name(SCRIP_KIND_REKEY), "rekey");
    assert_string_equal(scrip_account_name((enum scrip_account)99), "?");
    assert_string_equal(scrip_booking_name((enum scrip_booking)99), "?");
    assert_string_equal(scrip_settle_kind_name((enum scrip_settle_kind)99), "?");
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        assert_true(strlen(scrip_settle_state_text((enum scrip_settle_state)s)) > 5);
    }
}

static void deliberate_defects_have_names_and_change_the_table(void **state)
{
    (void)state;
    for (int d = 0; d < SCRIP_DEFECT_COUNT; d++) {
        assert_true(strlen(scrip_defect_name((enum scrip_defect)d)) > 3);
        assert_true(strlen(scrip_defect_text((enum scrip_defect)d)) > 10);
    }
    scrip_test_defect = SCRIP_DEFECT_refund_by_clock;
    assert_int_equal(scrip_settle_next(SCRIP_KIND_TOPUP, SCRIP_STATE_ISSUED, SCRIP_EVENT_EXPIRE).booking,
                     SCRIP_BOOKING_REFUND);
    scrip_test_defect = SCRIP_DEFECT_cancel_without_cas;
    assert_int_equal(scrip_settle_next(SCRIP_KIND_TOPUP, SCRIP_STATE_ISSUED, SCRIP_EVENT_CANCEL).next,
                     SCRIP_STATE_CANCELLED);
    scrip_test_defect = SCRIP_DEFECT_double_confirm_booking;
    assert_int_equal(scrip_settle_next(SCRIP_KIND_TOPUP, SCRIP_STATE_CONFIRMED, SCRIP_EVENT_PROOF_COMMIT).booking,
                     SCRIP_BOOKING_CONFIRM);
    scrip_test_defect = SCRIP_DEFECT_none;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_in_the_table_once),
        cmocka_unit_test(every_step_moves_the_money_where_the_next_state_has_it),
        cmocka_unit_test(every_states_money_adds_up_to_nothing),
        cmocka_unit_test(a_refusal_and_a_repetition_change_nothing),
        cmocka_unit_test(only_card_data_or_a_claim_moves_an_issued_order),
        cmocka_unit_test(value_reaches_the_card_account_only_by_proof_and_stays),
        cmocka_unit_test(no_state_is_a_trap),
        cmocka_unit_test(contradictions_always_hold_the_card),
        cmocka_unit_test(work_without_money_knows_no_money),
        cmocka_unit_test(numbers_out_of_range_are_refused_and_named),
        cmocka_unit_test(deliberate_defects_have_names_and_change_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
