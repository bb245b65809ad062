/* Purses on MIFARE Classic, after a change whose answer did not come: what the next visit finds on the card, what it
 * may conclude from that, and what it must leave open. */
#include "each_purse.h"

static void a_debit_that_was_not_answered_is_found_and_not_taken_again(void **state)
{
    struct sb *b = &bench;
    struct scrip_journal_line line;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        b->cut_after = 5; /* the change; behind key, authentication, two reads */
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
        assert_true(b->job.result.commit_open);
        sb_power_back(b);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_true(b->job.result.recovered);
        assert_int_equal(b->job.result.settled, 1);
        assert_int_equal(b->job.result.sequence, 1);
        assert_ok(scrip_journal_get(&b->journal, 1, &line));
        assert_int_equal(line.state, SCRIP_JOURNAL_FOUND);
        assert_int_equal(sb_balance(b), 750);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0)); /* the next one is a new one */
        assert_false(b->job.result.recovered);
        assert_int_equal(sb_balance(b), 500);
        sb_free(b);
    }
}

static void a_debit_that_did_not_happen_is_void_and_taken_now(void **state)
{
    struct sb *b = &bench;
    struct scrip_journal_line line;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        b->cut_before = 5;
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
        sb_power_back(b);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_false(b->job.result.recovered);
        assert_ok(scrip_journal_get(&b->journal, 1, &line));
        assert_int_equal(line.state, SCRIP_JOURNAL_VOID);
        assert_int_equal(sb_balance(b), 750);
        sb_free(b);
    }
}

static void another_terminal_in_between_leaves_the_intent_open(void **state)
{
    struct sb *b = &bench;
    struct scrip_journal_line line;
    (void)state;
    sb_purse(b, "classic", 1000);
    b->cut_after = 5;
    assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
    sb_power_back(b);
    scrip_classic_value_put(740, 4, sb_block(b, 4)); /* another gate has mended it and taken 10 */
    scrip_classic_value_put(740, 4, sb_block(b, 5));
    assert_status(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0), SCRIP_E_WAIT);
    assert_true(b->job.result.commit_open);
    assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 741, 0), SCRIP_E_FUNDS); /* which is no commit of its own */
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
    assert_false(b->job.result.commit_open);
    assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0)); /* what is not proved does not open */
    assert_false(b->job.result.recovered);
    assert_int_equal(sb_balance(b), 490);
    scrip_classic_value_put(750, 4, sb_block(b, 4)); /* a later coincidence proves nothing about the first */
    scrip_classic_value_put(750, 4, sb_block(b, 5));
    assert_status(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0), SCRIP_E_WAIT);
    assert_ok(scrip_journal_get(&b->journal, 1, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_INTENT);
}

static void another_terminal_takes(struct sb *b, int32_t amount)
{
    const struct scrip_journal journal = b->journal;
    const struct scrip_nv_memory memory = b->journal_memory;
    b->journal_memory = (struct scrip_nv_memory){0};
    sb_new_journal(b);
    assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, amount, 0));
    scrip_nv_memory_free(&b->journal_memory);
    b->journal_memory = memory;
    b->journal = journal;
    sb_power_back(b);
}

/* Torn when it was done, spent to the unit, and asked for again: the card looks as if it had never been. */
static void a_credit_that_was_spent_elsewhere_is_not_given_again(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        b->cut_after = 5;
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_TORN);
        sb_power_back(b);
        another_terminal_takes(b, 500);
        assert_int_equal(sb_balance(b), 1000);
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_WAIT);
        assert_int_equal(sb_balance(b), 1000);
        sb_free(b);
    }
}

/* The tag of a native purse tells that nothing was credited, whatever was spent since. The BCD wallet has none. */
static void a_credit_that_did_not_happen_is_given_where_that_can_be_proved(void **state)
{
    struct sb *b = &bench;
    struct scrip_journal_line line;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        const bool tagged = b->purse.kind == SCRIP_STORAGE_NATIVE;
        b->cut_before = 5;
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_TORN);
        sb_power_back(b);
        another_terminal_takes(b, 200);
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), tagged ? SCRIP_OK : SCRIP_E_WAIT);
        assert_int_equal(sb_balance(b), tagged ? 1300 : 800);
        assert_ok(scrip_journal_get(&b->journal, 1, &line));
        assert_int_equal(line.state, tagged ? SCRIP_JOURNAL_VOID : SCRIP_JOURNAL_INTENT);
        sb_free(b);
    }
}

/* A debit that was not answered, and a credit that hides it. */
static void a_credit_in_between_makes_a_debit_undecided(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "classic", 1000);
    b->cut_after = 5;
    assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
    sb_power_back(b);
    scrip_classic_value_put(1000, 5, sb_block(b, 4)); /* elsewhere: 250 more, with the next tag */
    scrip_classic_value_put(1000, 5, sb_block(b, 5));
    assert_status(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0), SCRIP_E_WAIT);
}

static struct sb second;
static unsigned swap_at;

static enum scrip_status swapping_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct sb *b = &bench;
    if (b->apdus + 1 == swap_at) {
        scrip_field_remove(&b->field, &b->card.picc);
        assert_ok(scrip_field_add(&b->field, &second.card.picc));
    }
    return sb_transmit(link, capdu, rapdu);
}

/* Random UIDs do not tell a reader that it has another card, and the key of BCD wallets does not either. */
static void another_card_is_no_proof_of_a_debit(void **state)
{
    static const struct scrip_link_ops ops = {sb_connect, swapping_transmit, sb_disconnect, sb_close};
    struct sb *b = &bench;
    (void)state;
    sb_fresh(&second, "bcd", "08AABBCC", false);
    assert_ok(sb_tap(&second, SCRIP_PURSE_PERSONALISE, 750, 0));
    scrip_field_remove(&second.field, &second.card.picc);
    sb_fresh(b, "bcd", "08112233", false);
    assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, 1000, 0));
    b->link.ops = &ops;
    swap_at = 5; /* the write */
    assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_true(b->job.result.commit_open);
    sb_free(&second);
}

/* A clone whose TRANSFER writes the number of its target: main block 4, backup block 5. */
static void as_a_clone_leaves_it(struct sb *b, uint8_t main_tag)
{
    int32_t value = 0;
    uint8_t address = 0;
    assert_ok(scrip_classic_value_get(sb_block(b, 4), &value, &address));
    scrip_classic_value_put(value, main_tag, sb_block(b, 4));
    scrip_classic_value_put(value, 5, sb_block(b, 5));
}

static void a_card_that_does_not_carry_the_tag_is_a_purse_without_one(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "classic", 1000);
    for (unsigned n = 1; n <= 3; n++) {
        assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 500, n));
        assert_int_equal(b->job.result.repair, SCRIP_COPIES_GOOD);
        as_a_clone_leaves_it(b, sb_block(b, 4)[12]);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_int_equal(b->job.result.repair, SCRIP_COPIES_GOOD);
        as_a_clone_leaves_it(b, 4);
    }
    b->cut_after = 5;
    assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_TORN);
    sb_power_back(b);
    another_terminal_takes(b, 500);
    as_a_clone_leaves_it(b, 4); /* tag and balance are what they were before the credit */
    assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_WAIT);
    assert_int_equal(sb_balance(b), 1750);
}

/* Only credits move it, and it goes round. */
static void credits_count_in_the_tag_and_debits_do_not(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "classic", 1000);
    for (unsigned n = 1; n <= 300; n++) {
        sb_new_journal(b);
        assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 2, n));
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 1, 0));
        assert_int_equal(sb_block(b, 4)[12], (uint8_t)(4 + n));
        assert_memory_equal(sb_block(b, 4), sb_block(b, 5), 16);
    }
    assert_int_equal(sb_balance(b), 1300);
}

/* The card has it, and the customer went on to spend some: the balance tells nothing any more. */
static void an_order_that_may_be_on_the_card_is_not_credited_again(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        b->cut_after = 5;
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_TORN);
        sb_power_back(b);
        another_terminal_takes(b, 200);
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_WAIT);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
        assert_true(b->job.result.commit_open);
        assert_int_equal(sb_balance(b), 1300);
        assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 9)); /* another order is not held up */
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_WAIT);
        assert_int_equal(sb_balance(b), 1800);
        sb_free(b);
    }
}

static void two_purses_on_one_card_do_not_settle_each_other(void **state)
{
    static const char *const others[] = {"bcd+sector=2", "classic+sector=2"};
    struct sb *b = &bench;
    struct scrip_journal_line line;
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        sb_purse(b, "classic", 1000);
        const struct scrip_storage_purse classic = b->purse;
        assert_ok(scrip_storage_purse_make(others[i], &b->purse));
        const struct scrip_storage_purse other = b->purse;
        assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, 750, 0));
        b->purse = classic;
        b->cut_before = 5; /* 1000 - 250 is what the other purse holds */
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_TORN);
        sb_power_back(b);
        b->purse = other;
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_false(b->job.result.recovered);
        assert_int_equal(sb_balance(b), 500);
        b->purse = classic;
        assert_ok(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0)); /* nor does a line of the other purse hold this one up */
        assert_ok(scrip_journal_get(&b->journal, 1, &line));
        assert_int_equal(line.state, SCRIP_JOURNAL_VOID);
        assert_int_equal(sb_balance(b), 1000);
        sb_free(b);
    }
}

/* An intent that is left behind would pay for the next purchase of that amount too. */
static void what_the_journal_cannot_confirm_is_not_accepted_yet(void **state)
{
    enum { INTENT = 3 }; /* pages of a line before its result */
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        scrip_nv_tear_after(&b->journal_tearing, INTENT + 1, SCRIP_TEAR_BEFORE);
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0), SCRIP_E_NV);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
        assert_true(b->job.result.commit_open);
        sb_power_back(b);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_true(b->job.result.recovered);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_false(b->job.result.recovered);
        assert_int_equal(sb_balance(b), 500);
        sb_free(b);
    }
}

static void a_full_journal_stops_before_the_card_is_touched(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "bcd", 1000);
    for (unsigned n = 0; n < SB_JOURNAL_LINES; n++) {
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 1, 0));
    }
    b->writes = 0;
    assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 1, 0), SCRIP_E_LIMIT);
    assert_int_equal(b->writes, 0);
    assert_int_equal(sb_balance(b), 1000 - (int32_t)SB_JOURNAL_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_debit_that_was_not_answered_is_found_and_not_taken_again),
        TEST(a_debit_that_did_not_happen_is_void_and_taken_now),
        TEST(another_terminal_in_between_leaves_the_intent_open),
        TEST(a_credit_that_was_spent_elsewhere_is_not_given_again),
        TEST(a_credit_that_did_not_happen_is_given_where_that_can_be_proved),
        TEST(a_credit_in_between_makes_a_debit_undecided),
        TEST(another_card_is_no_proof_of_a_debit),
        TEST(a_card_that_does_not_carry_the_tag_is_a_purse_without_one),
        TEST(credits_count_in_the_tag_and_debits_do_not),
        TEST(an_order_that_may_be_on_the_card_is_not_credited_again),
        TEST(two_purses_on_one_card_do_not_settle_each_other),
        TEST(what_the_journal_cannot_confirm_is_not_accepted_yet),
        TEST(a_full_journal_stops_before_the_card_is_touched),
    };
    return cmocka_run_group_tests_name("storage, unanswered", tests, NULL, NULL);
}
