/* What else comes to the server over the air: journals, work without money, cards put back to an older image; and
 * every profile through all of it. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- journals ---- */

static void given_terminal(void)
{
    assert_int_equal(ask(&world.b, "POST", "/api/v1/merchants", "{\"id\":\"cafe\",\"name\":\"Cafe\"}"), 201);
    assert_int_equal(
        ask(&world.b, "POST", "/api/v1/terminals", "{\"id\":\"54520001\",\"merchant\":\"cafe\",\"name\":\"Till 1\"}"),
        201);
}

static void upload(const struct scrip_journal_line *line)
{
    uint8_t body[SCRIP_JOURNAL_LINE];
    scrip_journal_line_encode(line, body);
    assert_int_equal(ask_bytes(&world.b, "POST", "/api/v1/terminals/54520001/journal", SCRIP_BYTES_OF(body)), 200);
}

static void debits_count_once_in_any_order(void **state)
{
    struct scrip_journal_line lines[3];
    (void)state;
    given_terminal();
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    for (unsigned i = 0; i < 3; i++) {
        world.b.clock.now_ms += 1000;
        phone_debit(&world.p, 100 + (int32_t)i, i + 1, &lines[i]);
    }
    static const unsigned order[] = {2, 0, 2, 1, 0};
    static const char *const results[] = {"booked", "booked", "known", "booked", "known"};
    for (size_t i = 0; i < 5; i++) {
        upload(&lines[order[i]]);
        assert_string_equal(text_of(&world.b, "lines.0.result"), results[i]);
        assert_int_equal(number_of(&world.b, "acknowledged"), order[i] + 1);
    }
    assert_balanced(2000 - 303);
    assert_int_equal(balance_of_account("MERCHANT"), 303);
}

static void an_altered_debit_is_refused_and_the_honest_one_still_taken(void **state)
{
    struct scrip_journal_line line;
    (void)state;
    given_terminal();
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    phone_debit(&world.p, 250, 1, &line);
    struct scrip_journal_line altered[4] = {line, line, line, line};
    altered[0].amount = 1250;
    altered[1].balance += 1;
    altered[2].tmc += 1;
    altered[3].tmri[8] ^= 1;
    for (size_t i = 0; i < 4; i++) {
        upload(&altered[i]);
        assert_string_equal(text_of(&world.b, "lines.0.result"), "refused");
        assert_int_equal(balance_of_account("MERCHANT"), 0);
    }
    upload(&line);
    assert_string_equal(text_of(&world.b, "lines.0.result"), "booked");
    assert_balanced(1750);
}

/* ---- work without money ---- */

static void given_work(const char *id, const char *rest)
{
    char body[512];
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\",\"card\":\"" CARD_UID "\",%s}", id, rest);
    assert_int_equal(ask(&world.b, "POST", "/api/v1/orders", body), 201);
}

static void a_read_shows_balance_and_history(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    phone_debit(&world.p, 250, 1, NULL);
    given_work("read-1", "\"kind\":\"read\"");
    assert_int_equal(phone_topup(&world.p, "read-1"), 204);
    assert_state("read-1", "DONE");
    assert_int_equal(number_of(&world.b, "result.balance.minor"), 1750);
    assert_int_equal(number_of(&world.b, "result.topups.0.amount.minor"), 2000);
    assert_int_equal(number_of(&world.b, "result.debits.0.amount.minor"), 250);
    assert_string_equal(text_of(&world.b, "result.debits.0.terminal"), "54520001");
}

static void a_new_card_reads_as_empty(void **state)
{
    (void)state;
    given_work("read-1", "\"kind\":\"read\"");
    assert_int_equal(phone_topup(&world.p, "read-1"), 204);
    assert_state("read-1", "DONE");
    assert_int_equal(number_of(&world.b, "result.balance.minor"), 0);
    assert_int_equal(json_array_size(json_object_get(json_object_get(world.b.json, "result"), "topups")), 0);
}

/* ---- older images ---- */

/* What the card's memory holds now, to be put back later. */
static uint8_t *copy_aside(void)
{
    const size_t len = (size_t)world.p.memory.pages * SCRIP_NV_PAGE;
    uint8_t *copy = malloc(len);
    phone_leave(&world.p);
    assert_non_null(copy);
    memcpy(copy, world.p.memory.at, len);
    return copy;
}

static void restore(uint8_t *copy)
{
    phone_leave(&world.p);
    memcpy(world.p.memory.at, copy, (size_t)world.p.memory.pages * SCRIP_NV_PAGE);
    free(copy);
}

/* Two top-ups, and the card is put back to what it was after the first. */
static void given_restored_card(void)
{
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    uint8_t *copy = copy_aside();
    given_order_for_card("order-2", 300);
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    restore(copy);
}

static void assert_card_is_held(void)
{
    assert_int_equal(ask(&world.b, "GET", "/api/v1/cards/" CARD_UID, NULL), 200);
    assert_true(truth_of(&world.b, "held"));
}

static void a_reading_that_finds_an_older_image_tells_it(void **state)
{
    (void)state;
    given_restored_card();
    given_work("read-1", "\"kind\":\"read\"");
    assert_int_equal(phone_topup(&world.p, "read-1"), 409);
    assert_string_equal(problem_of_answer(&world.b), "ROLLBACK");
    assert_true(strlen(text_of(&world.b, "detail")) > 0);
    assert_card_is_held();
    assert_state("read-1", "STARTED");
}

/* The phone did not get the answer, and asks for it again. */
static void the_same_reading_sent_again_is_no_better(void **state)
{
    (void)state;
    given_restored_card();
    given_work("read-1", "\"kind\":\"read\"");
    assert_int_equal(phone_topup(&world.p, "read-1"), 409);
    memcpy(world.p.uri, world.p.last_uri, sizeof world.p.uri);
    memcpy(world.p.body, world.p.last_body, world.p.last_body_len);
    world.p.body_len = world.p.last_body_len;
    assert_int_equal(phone_post(&world.p), 409);
    assert_string_equal(problem_of_answer(&world.b), "CARD_HELD");
    assert_state("read-1", "STARTED");
}

static void a_top_up_onto_an_older_image_tells_it(void **state)
{
    (void)state;
    given_restored_card();
    given_order_for_card("order-3", 500);
    assert_int_equal(phone_topup(&world.p, "order-3"), 409);
    assert_string_equal(problem_of_answer(&world.b), "ROLLBACK");
    assert_card_is_held();
    assert_state("order-3", "DISPUTED"); /* the book's verdict is what it was */
}

static void a_write_into_an_older_image_tells_it(void **state)
{
    (void)state;
    given_restored_card();
    given_work("write-1", "\"kind\":\"write\",\"offset\":4,\"data\":\"C0FFEE\"");
    assert_int_equal(phone_topup(&world.p, "write-1"), 409);
    assert_string_equal(problem_of_answer(&world.b), "ROLLBACK");
    assert_card_is_held();
    assert_state("write-1", "STARTED");
}

static void a_write_changes_the_free_data_of_the_header(void **state)
{
    (void)state;
    given_work("write-1", "\"kind\":\"write\",\"offset\":4,\"data\":\"C0FFEE\"");
    assert_int_equal(phone_topup(&world.p, "write-1"), 204);
    assert_state("write-1", "DONE");
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_balanced(2000);
    assert_int_equal(ask(&world.b, "GET", "/api/v1/cards/" CARD_UID "/reconcile", NULL), 200);
    assert_string_equal(text_of(&world.b, "verdict"), "in step");
}

static void given_new_keys(uint8_t version)
{
    static const enum scrip_key_role roles[] = {SCRIP_KEY_PAY, SCRIP_KEY_WRITE, SCRIP_KEY_TOPUP};
    const struct scrip_random random = scrip_random_seeded(&world.b.random);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(scrip_keys_file_add(world.b.keys, roles[i], version, scrip_bytes(NULL, 0), &random, NULL));
    }
}

static void new_keys_roll_out_with_the_card(void **state)
{
    (void)state;
    given_new_keys(2);
    given_work("rekey-1", "\"kind\":\"rekey\",\"key_version\":2");
    assert_int_equal(phone_topup(&world.p, "rekey-1"), 204);
    assert_state("rekey-1", "DONE");
    assert_int_equal(ask(&world.b, "GET", "/api/v1/cards/" CARD_UID, NULL), 200);
    assert_int_equal(number_of(&world.b, "key_version"), 2);
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_balanced(2000);
}

static void a_torn_roll_out_goes_on_at_the_next_tap(void **state)
{
    (void)state;
    given_new_keys(2);
    given_work("rekey-1", "\"kind\":\"rekey\",\"key_version\":2");
    for (unsigned after = 2; after <= 4; after++) { /* part 2, then one, two, three keys */
        phone_take_order(&world.p, "rekey-1");
        phone_tap(&world.p);
        for (int step = 0; step < 10 && strcmp(state_of(&world.b, "rekey-1"), "STARTED") != 0; step++) {
            assert_int_equal(phone_post(&world.p), 200);
            phone_run(&world.p);
        }
        if (phone_post(&world.p) == 200) {
            world.p.lose_after = after;
            world.p.answer_lost = true;
            phone_run(&world.p);
            world.p.lose_after = 0;
        }
        phone_leave(&world.p);
    }
    assert_int_equal(phone_topup(&world.p, "rekey-1"), 204);
    assert_state("rekey-1", "DONE");
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_balanced(2000);
}

/* ---- every profile ---- */

static void done_with(const char *order)
{
    const int status = phone_topup(&world.p, order);
    if (status != 204) {
        fail_msg("%s: %d %.*s", order, status, (int)world.b.response.body_len, (const char *)world.b.response.body);
    }
}

static void one_life(const char *profile)
{
    print_message("%s\n", profile);
    assert_int_equal(set_up_profile(profile), 0);
    given_order_for_card("order-1", 2000);
    done_with("order-1");
    given_order_for_card("order-2", 300);
    lose_the_result("order-2");
    given_order_for_card("order-3", 40);
    done_with("order-3");
    assert_state("order-2", "CONFIRMED");
    given_work("write-1", "\"kind\":\"write\",\"offset\":0,\"data\":\"01\"");
    done_with("write-1");
    given_new_keys(2);
    given_work("rekey-1", "\"kind\":\"rekey\",\"key_version\":2");
    done_with("rekey-1");
    given_work("read-1", "\"kind\":\"read\"");
    done_with("read-1");
    assert_state("read-1", "DONE");
    assert_int_equal(number_of(&world.b, "result.balance.minor"), 2340);
    for (int i = 0; i < 12; i++) { /* past the end of every log */
        char order[16];
        (void)snprintf(order, sizeof order, "more-%d", i);
        given_order_for_card(order, 5);
        if (i == 10) {
            lose_the_result(order);
        } else {
            done_with(order);
        }
        phone_leave(&world.p);
    }
    assert_state("more-10", "CONFIRMED");
    assert_balanced(2400);
    (void)tear_down(NULL);
}

static void every_profile_lives_through_every_kind_of_order(void **state)
{
    static const char *const profiles[] = {
        "an12113", "an12113+smallest", "an12113+random-id", "split", "split+random-id", "ev1", "plain"};
    (void)state;
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        one_life(profiles[i]);
    }
}

/* The log that came with a result is a list of debits at that time. Taken again much later it would count them twice,
 * and prove a debit that a terminal invents after the pattern of an old one. */
static void a_result_that_comes_again_brings_no_debits(void **state)
{
    static struct phone old;
    struct scrip_ledger_verdict verdict;
    uint8_t uid[7];
    char id[16];
    (void)state;
    from_hex(CARD_UID, uid, sizeof uid);
    for (unsigned round = 0; round < 5; round++) { /* more than the ledger compares a log with */
        for (unsigned i = 0; round > 0 && i < SCRIP_PURSE_LOG_RECORDS; i++) {
            world.b.clock.now_ms += 1000;
            phone_debit(&world.p, 1, 10 * round + i, NULL);
        }
        (void)snprintf(id, sizeof id, "order-%u", round);
        given_order_for_card(id, 2000);
        assert_int_equal(phone_topup(&world.p, id), 204);
        if (round == 1) {
            old = world.p;
        }
    }
    assert_ok(scrip_ledger_reconcile(world.b.ledger, uid, &verdict));
    assert_int_equal(verdict.missing_logged, 4 * SCRIP_PURSE_LOG_RECORDS);
    memcpy(old.uri, old.last_uri, sizeof old.uri);
    memcpy(old.body, old.last_body, old.last_body_len);
    old.body_len = old.last_body_len;
    assert_int_equal(phone_post(&old), 204);
    assert_ok(scrip_ledger_reconcile(world.b.ledger, uid, &verdict));
    assert_int_equal(verdict.missing_logged, 4 * SCRIP_PURSE_LOG_RECORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_result_that_comes_again_brings_no_debits),
        TEST(debits_count_once_in_any_order),
        TEST_EV1(debits_count_once_in_any_order),
        TEST(an_altered_debit_is_refused_and_the_honest_one_still_taken),
        TEST(a_read_shows_balance_and_history),
        TEST_EV1(a_read_shows_balance_and_history),
        TEST(a_new_card_reads_as_empty),
        TEST_EV1(a_new_card_reads_as_empty),
        TEST(a_reading_that_finds_an_older_image_tells_it),
        TEST_EV1(a_reading_that_finds_an_older_image_tells_it),
        TEST(the_same_reading_sent_again_is_no_better),
        TEST(a_top_up_onto_an_older_image_tells_it),
        TEST(a_write_changes_the_free_data_of_the_header),
        TEST(a_write_into_an_older_image_tells_it),
        TEST_EV1(a_write_changes_the_free_data_of_the_header),
        TEST(new_keys_roll_out_with_the_card),
        TEST_EV1(new_keys_roll_out_with_the_card),
        TEST(a_torn_roll_out_goes_on_at_the_next_tap),
        cmocka_unit_test(every_profile_lives_through_every_kind_of_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
