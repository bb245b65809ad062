/* Top-ups over the air: the server's exchange with a card behind a phone, in one process. */
#include "world.h"

#include <scrip/defect.h>
#include <stdio.h>

static struct scrip_batch batch_of_another;

/* ---- requests and waits ---- */

static void an_ev2_topup_waits_twice_in_three_requests(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_int_equal(world.p.requests, 3);
    assert_int_equal(world.p.waits, 2);
    assert_state("order-1", "CONFIRMED");
    assert_balanced(2000);
}

static void an_ev1_topup_waits_once_in_two_requests(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_int_equal(world.p.requests, 2);
    assert_int_equal(world.p.waits, 1);
    assert_state("order-1", "CONFIRMED");
    assert_balanced(2000);
}

static void a_card_with_random_uid_waits_three_times(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_int_equal(world.p.waits, 3);
    assert_int_equal(world.p.requests, 4);
    assert_state("order-1", "CONFIRMED");
    assert_balanced(2000);
}

static void a_preamble_that_is_fetched_first_costs_one_request_before_the_tap(void **state)
{
    struct scrip_card_info info;
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    assert_int_equal(phone_post(&world.p), 200);
    assert_ok(scrip_link_connect(&world.p.link, 0, &info));
    world.p.hello = true;
    phone_run(&world.p);
    assert_int_equal(phone_finish(&world.p), 204);
    assert_int_equal(world.p.requests, 4);
    assert_int_equal(world.p.waits, 2);
    assert_state("order-1", "CONFIRMED");
}

static void settling_an_earlier_order_costs_one_wait_more(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    given_order_for_card("order-2", 300);
    lose_the_result("order-1");
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    assert_int_equal(world.p.requests, 4);
    assert_int_equal(world.p.waits, 3);
    assert_state("order-1", "CONFIRMED");
    assert_state("order-2", "CONFIRMED");
    assert_balanced(2300);
}

static void on_ev1_settling_costs_one_wait_more_as_well(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    given_order_for_card("order-2", 300);
    lose_the_result("order-1");
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    assert_state("order-1", "CONFIRMED");
    assert_state("order-2", "CONFIRMED");
    assert_int_equal(world.p.waits, 2);
    assert_int_equal(world.p.requests, 3);
    assert_balanced(2300);
}

/* ---- what may happen on the way ---- */

static void a_batch_that_never_reached_the_card_is_issued_anew_in_the_next_tap(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p);
    assert_int_equal(phone_post(&world.p), 200); /* issued, and dropped by the phone */
    phone_leave(&world.p);
    assert_state("order-1", "ISSUED");
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_int_equal(world.p.waits, 3);
    assert_state("order-1", "CONFIRMED");
    assert_balanced(2000);
}

/* Its debits leave nothing on the card; until their terminals upload, the server cannot know of them. */
static void a_counter_that_debits_moved_leaves_no_order_of_the_smallest_card_open(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    given_order_for_card("order-2", 300);
    phone_take_order(&world.p, "order-2");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p);
    assert_int_equal(phone_post(&world.p), 200); /* issued, and dropped by the phone */
    phone_leave(&world.p);
    phone_debit(&world.p, 100, 1, NULL);
    phone_debit(&world.p, 100, 2, NULL);
    assert_state("order-2", "ISSUED");
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    assert_state("order-2", "CONFIRMED");
    assert_int_equal(phone_balance(&world.p), 2100);
    given_order_for_card("order-3", 40);
    lose_the_result("order-3"); /* and one that is on the card is found there */
    phone_debit(&world.p, 100, 3, NULL);
    assert_int_equal(phone_topup(&world.p, "order-3"), 204);
    assert_state("order-3", "CONFIRMED");
    assert_int_equal(phone_balance(&world.p), 2040);
}

static void a_card_that_left_before_the_commit_gets_its_order_at_the_next_tap(void **state)
{
    (void)state;
    for (unsigned after = 1; after <= 8; after++) {
        char order[32];
        (void)snprintf(order, sizeof order, "order-%u", after);
        given_order_for_card(order, 10);
        phone_take_order(&world.p, order);
        phone_tap(&world.p);
        assert_int_equal(phone_post(&world.p), 200);
        phone_run(&world.p);
        assert_int_equal(phone_post(&world.p), 200);
        world.p.lose_after = after;
        world.p.answer_lost = after % 2 == 0;
        phone_run(&world.p);
        world.p.lose_after = 0;
        phone_leave(&world.p);
        (void)phone_post(&world.p);
        const int status = phone_topup(&world.p, order);
        assert_true(status == 204 || status == 410); /* 410: the report has settled it, it needed no tap */
        assert_state(order, "CONFIRMED");
    }
    assert_balanced(80);
}

static void a_late_upload_confirms_an_order_whose_card_is_gone(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    lose_the_result("order-1");
    world.b.clock.now_ms += 3ULL * 86400000ULL;
    assert_int_equal(phone_post(&world.p), 204);
    assert_state("order-1", "CONFIRMED");
    assert_int_equal(phone_post(&world.p), 204); /* and again */
    assert_balanced(2000);
}

/* ---- ClearRecordFile: with EV1 messaging no MAC covers a command ---- */

#define CLEAR_TOPUPS "90EB0000010400"
#define COMMIT       "90C7000000"
#define READ_RECORDS 0xBB
#define WRITE_RECORD 0x3B
#define ABORT_CODE   0xA7
#define COMMIT_CODE  0xC7

static void tap_slipping_in(const char *order, uint8_t before, const char *first, const char *second)
{
    world.p.slip_before = before;
    world.p.slip[0] = first;
    world.p.slip[1] = second;
    assert_int_equal(phone_topup(&world.p, order), 409);
    assert_int_equal(world.p.slip_before, 0);
}

static void assert_held_over(const char *order, int amount, int32_t on_card)
{
    assert_string_equal(problem_of_answer(&world.b), "CARD_HELD");
    assert_state(order, "DISPUTED");
    assert_int_equal(balance_of_account("DISPUTE"), amount);
    assert_int_equal(balance_of_account("IN_FLIGHT"), 0);
    assert_int_equal(phone_balance(&world.p), on_card);
    assert_int_equal(phone_topup(&world.p, order), 409); /* nothing is issued any more */
    assert_int_equal(phone_balance(&world.p), on_card);
}

static void given_decision(const char *order, const char *decision)
{
    char path[64];
    char body[96];
    (void)snprintf(path, sizeof path, "/api/v1/orders/%s/resolve", order);
    (void)snprintf(body, sizeof body, "{\"decision\":\"%s\",\"memo\":\"looked at the card\"}", decision);
    assert_int_equal(ask(&world.b, "POST", path, body), 200);
    assert_int_equal(ask(&world.b, "POST", "/api/v1/cards/" CARD_UID "/release", "{}"), 200);
}

static void a_log_cleared_in_front_of_the_commit_holds_the_card(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    tap_slipping_in("order-1", COMMIT_CODE, CLEAR_TOPUPS, NULL); /* the credit counts, its record does not */
    assert_held_over("order-1", 2000, 2000);
    given_decision("order-1", "on-card");
    given_order_for_card("order-2", 300);
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    assert_balanced(2300);
}

static void so_does_one_with_older_top_ups_in_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char order[16];
        (void)snprintf(order, sizeof order, "order-%d", i);
        given_order_for_card(order, 100);
        assert_int_equal(phone_topup(&world.p, order), 204);
    }
    given_order_for_card("order-2", 2000);
    tap_slipping_in("order-2", COMMIT_CODE, CLEAR_TOPUPS, NULL);
    assert_held_over("order-2", 2000, 2200);
}

static void and_one_cleared_in_place_of_the_top_up(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    tap_slipping_in("order-1", WRITE_RECORD, CLEAR_TOPUPS, COMMIT);
    assert_held_over("order-1", 2000, 0);
    given_decision("order-1", "not-on-card");
    given_order_for_card("order-2", 300);
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    assert_balanced(300);
}

static void and_one_that_got_the_empty_record_of_a_flush_instead(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    world.p.slip_before = COMMIT_CODE;
    world.p.slip[0] = CLEAR_TOPUPS;
    phone_run(&world.p);
    phone_leave(&world.p);
    world.p.slip[0] = NULL;
    tap_slipping_in("order-1", ABORT_CODE, COMMIT, NULL); /* the reads behind it do not verify */
    assert_state("order-1", "ISSUED");
    assert_int_equal(phone_topup(&world.p, "order-1"), 409);
    assert_held_over("order-1", 2000, 2000);
}

/* A refusal is the phone's word: with records in the log it holds no card. */
static void a_log_that_only_the_phone_calls_empty_holds_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char order[16];
        (void)snprintf(order, sizeof order, "order-%d", i);
        given_order_for_card(order, 100);
        lose_the_result(order);
        world.p.refuse = READ_RECORDS;
        assert_int_equal(phone_topup(&world.p, order), 409);
        assert_string_equal(problem_of_answer(&world.b), "CARD_REFUSED");
        world.p.refuse = 0;
        assert_state(order, "ISSUED");
        assert_int_equal(phone_topup(&world.p, order), 204);
        assert_state(order, "CONFIRMED");
    }
    assert_balanced(200);
}

static void a_late_upload_after_the_next_tap_changes_nothing(void **state)
{
    struct phone late;
    (void)state;
    given_order_for_card("order-1", 2000);
    given_order_for_card("order-2", 300);
    lose_the_result("order-1");
    late = world.p;
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    const int status = phone_post(&late);
    assert_true(status == 204 || status == 410);
    assert_state("order-1", "CONFIRMED");
    assert_state("order-2", "CONFIRMED");
    assert_balanced(2300);
}

static void the_identical_request_gives_the_identical_bytes(void **state)
{
    uint8_t first[8192];
    char uri[SCRIP_SERVER_TOKEN_MAX];
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    for (int step = 0; step < 2; step++) {
        struct phone again;
        assert_int_equal(phone_post(&world.p), 200);
        const size_t len = world.b.response.body_len;
        memcpy(first, world.b.response.body, len);
        memcpy(uri, world.b.response.next_uri, sizeof uri);
        world.b.clock.now_ms += 5000; /* no clock is in the bytes */
        struct scrip_server *mine = world.b.server;
        world.b.server = bench_second_instance(&world.b); /* and no memory of an instance */
        memcpy(&again, &world.p, sizeof again);
        memcpy(again.uri, again.last_uri, sizeof again.uri);
        memcpy(again.body, again.last_body, again.last_body_len);
        again.body_len = again.last_body_len;
        assert_int_equal(phone_post(&again), 200);
        assert_int_equal(world.b.response.body_len, len);
        assert_memory_equal(world.b.response.body, first, len);
        assert_string_equal(world.b.response.next_uri, uri);
        scrip_server_free(world.b.server);
        world.b.server = mine;
        phone_run(&world.p);
    }
    assert_int_equal(phone_post(&world.p), 204);
    assert_balanced(2000);
}

static void any_instance_can_go_on_with_a_session(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    while (phone_post(&world.p) == 200) {
        phone_run(&world.p);
        scrip_server_free(world.b.server);
        world.b.server = bench_second_instance(&world.b);
    }
    assert_state("order-1", "CONFIRMED");
    assert_balanced(2000);
}

static void nothing_is_issued_when_the_commit_to_disk_fails(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p);
    world.b.commits_until_fail = 1;
    assert_int_equal(phone_post(&world.p), 503);
    assert_int_equal(world.b.response.next_uri[0], '\0');
    assert_state("order-1", "FUNDED");
    world.b.commits_until_fail = 1;
    world.b.fail_after = true; /* this time it is on disk, and the server does not know */
    assert_int_equal(phone_post(&world.p), 503);
    assert_state("order-1", "ISSUED");
    assert_int_equal(phone_post(&world.p), 200); /* the same request: the same batch */
    phone_run(&world.p);
    assert_int_equal(phone_post(&world.p), 204);
    assert_balanced(2000);
}

/* ---- tokens ---- */

static void a_token_of_another_order_or_server_yields_nothing(void **state)
{
    char uri[SCRIP_SERVER_TOKEN_MAX];
    char seven[SCRIP_PHONE_TOKEN_MAX];
    (void)state;
    given_order_for_card("order-1", 2000);
    given_order_for_card("order-2", 300);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p);
    memcpy(uri, world.p.uri, sizeof uri);
    memcpy(seven, world.p.bearer, sizeof seven);
    assert_ok(scrip_server_phone_token(world.b.server, "order-2", world.p.bearer));
    assert_int_equal(phone_post(&world.p), 401); /* the session of order-1 with the token of order-2 */
    memcpy(world.p.bearer, seven, sizeof seven);

    struct scrip_server_config config = bench_config(&world.b);
    config.server_id[3] = '2';
    struct scrip_server *mine = world.b.server;
    assert_ok(scrip_server_new(&config, &world.b.server));
    memcpy(world.p.uri, uri, sizeof uri);
    assert_int_equal(phone_post(&world.p), 404);
    scrip_server_free(world.b.server);
    world.b.server = mine;

    uri[40] = uri[40] == 'A' ? 'B' : 'A';
    memcpy(world.p.uri, uri, sizeof uri);
    assert_int_equal(phone_post(&world.p), 404);
    assert_state("order-1", "FUNDED");
    assert_int_equal(phone_balance(&world.p), 0);
}

static void a_session_that_a_newer_issue_has_overtaken_is_over(void **state)
{
    static struct phone old;
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p); /* part 2 is answered, not posted */
    memcpy(&old, &world.p, sizeof old);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    given_order_for_card("order-2", 300);
    lose_the_result("order-2");
    assert_int_equal(phone_post(&old), 204); /* its own order is done: nothing to do */
    assert_ok(scrip_server_phone_token(world.b.server, "order-1", old.bearer));
    assert_int_equal(phone_topup(&world.p, "order-2"), 204);
    assert_balanced(2300);
}

static void recorded_answers_of_an_old_session_prove_nothing(void **state)
{
    static struct phone old;
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    memcpy(&old, &world.p, sizeof old); /* the first request, to be sent again later */
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p);
    const size_t len = world.p.body_len;
    uint8_t proof[8192];
    memcpy(proof, world.p.body, len);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p); /* committed, and withheld */
    phone_leave(&world.p);
    assert_int_equal(phone_post(&old), 200); /* a session of the new issue number: other keys */
    memcpy(old.body, proof, len);
    old.body_len = len;
    assert_int_equal(phone_post(&old), 409);
    assert_state("order-1", "ISSUED");
}

/* ---- refusals ---- */

static void an_order_must_be_funded_open_and_for_this_card(void **state)
{
    (void)state;
    given_order(&world.b, "order-1", CARD_UID, 2000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 409);
    assert_string_equal(problem_of_answer(&world.b), "NOT_FUNDED");
    assert_int_equal(ask(&world.b, "POST", "/api/v1/orders/order-1/cancel", NULL), 200);
    assert_int_equal(phone_topup(&world.p, "order-1"), 410);
    assert_string_equal(problem_of_answer(&world.b), "ORDER_FINAL");
    assert_int_equal(phone_topup(&world.p, "no-such-order"), 404);
    given_card(&world.b, BOB, "an12113");
    given_funded_order(&world.b, "bob-1", BOB, 2000);
    assert_int_equal(phone_topup(&world.p, "bob-1"), 409);
    assert_string_equal(problem_of_answer(&world.b), "WRONG_CARD");
    given_order_for_card("order-2", 10);
    world.b.clock.now_ms += 40ULL * 86400000ULL;
    assert_int_equal(phone_topup(&world.p, "order-2"), 410);
    assert_string_equal(problem_of_answer(&world.b), "ORDER_EXPIRED");
    assert_int_equal(phone_balance(&world.p), 0);
}

static void a_phone_that_lies_about_the_uid_fails_at_the_key(void **state)
{
    (void)state;
    given_card(&world.b, BOB, "an12113");
    given_funded_order(&world.b, "bob-1", BOB, 2000);
    phone_take_order(&world.p, "bob-1");
    phone_tap(&world.p);
    from_hex(BOB, world.p.body + 4 + world.p.info.ats_len + 2, 7); /* C3 in the E8 */
    assert_int_equal(phone_finish(&world.p), 409);
    assert_string_equal(problem_of_answer(&world.b), "CARD_AUTH");
    assert_state("bob-1", "FUNDED");
}

static void a_denied_card_settles_but_is_issued_nothing(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    given_order_for_card("order-2", 300);
    lose_the_result("order-1");
    assert_int_equal(ask(&world.b, "POST", "/api/v1/cards/" CARD_UID "/deny", "{\"reason\":\"stolen\"}"), 200);
    assert_int_equal(phone_topup(&world.p, "order-2"), 409);
    assert_string_equal(problem_of_answer(&world.b), "CARD_DENIED");
    assert_state("order-1", "CONFIRMED");
    assert_state("order-2", "FUNDED");
}

static void a_card_with_an_open_claim_stays_denied_and_the_order_is_named(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    given_order_for_card("order-2", 300);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    lose_the_result("order-2");
    assert_int_equal(ask(&world.b, "POST", "/api/v1/orders/order-2/claim", "{\"reason\":\"lost\"}"), 200);
    assert_int_equal(ask(&world.b, "POST", "/api/v1/cards/" CARD_UID "/allow", NULL), 409);
    assert_string_equal(problem_of_answer(&world.b), "ORDER_STATE");
    assert_non_null(strstr(text_of(&world.b, "detail"), "order order-2 "));
    assert_int_equal(ask(&world.b, "GET", "/api/v1/cards/" CARD_UID, NULL), 200);
    assert_true(truth_of(&world.b, "denied"));
    assert_int_equal(ask(&world.b, "POST", "/api/v1/orders/order-2/resolve", "{\"decision\":\"not-on-card\"}"), 200);
    assert_int_equal(ask(&world.b, "POST", "/api/v1/cards/" CARD_UID "/allow", NULL), 200);
}

static void a_held_card_does_nothing(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    assert_int_equal(ask(&world.b, "POST", "/api/v1/cards/" CARD_UID "/hold", "{\"reason\":\"odd\"}"), 200);
    assert_int_equal(phone_topup(&world.p, "order-1"), 409);
    assert_string_equal(problem_of_answer(&world.b), "CARD_HELD");
    assert_int_equal(ask(&world.b, "POST", "/api/v1/cards/" CARD_UID "/release", NULL), 200);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_balanced(2000);
}

static void a_topup_past_the_card_s_limit_is_settled_in_the_same_tap(void **state)
{
    (void)state;
    given_order_for_card("order-1", 60000);
    assert_int_equal(phone_topup(&world.p, "order-1"), 422);
    assert_string_equal(problem_of_answer(&world.b), "LIMIT");
    assert_state("order-1", "FUNDED");
    assert_int_equal(ask(&world.b, "POST", "/api/v1/orders/order-1/cancel", NULL), 200);
    assert_balanced(0);
}

static void a_refusal_is_told_by_what_it_means(void **state)
{
    static const char *const told[][2] = {
        {"AB07800101230291A0", "WRONG_APPLICATION"},
        {"AB0B80010223029100230291AE", "KEY_TYPE"},
        {"AB0B80010223029100230291CA", "KEY_TYPE"},
        {"AB078001012302911C", "CARD_REFUSED"},
    };
    (void)state;
    given_order_for_card("order-1", 2000);
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        phone_take_order(&world.p, "order-1");
        world.p.body_len = from_hex(told[i][0], world.p.body, sizeof world.p.body);
        assert_int_equal(phone_post(&world.p), 409);
        assert_string_equal(problem_of_answer(&world.b), told[i][1]);
    }
    assert_state("order-1", "FUNDED");
}

static void an_identifying_key_that_is_another_one_is_a_wrong_key(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    world.p.body_len = from_hex("AB07800101230291AE", world.p.body, sizeof world.p.body);
    assert_int_equal(phone_post(&world.p), 409);
    assert_string_equal(problem_of_answer(&world.b), "CARD_AUTH");
}

static void malformed_bodies_are_refused(void **state)
{
    static const char *const malformed[] = {"00", "AB", "AB00", "AB03800100FF", "E8", "AA00", "AB0680010123029100FF"};
    (void)state;
    given_order_for_card("order-1", 2000);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        phone_take_order(&world.p, "order-1");
        world.p.body_len = from_hex(malformed[i], world.p.body, sizeof world.p.body);
        assert_int_equal(phone_post(&world.p), 400);
        assert_string_equal(problem_of_answer(&world.b), "BODY_MALFORMED");
    }
}

static void an_app_that_was_killed_resumes_with_the_order(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    lose_the_result("order-1");
    char path[64] = "/ota/o/order-1";
    char bearer[128];
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", world.p.bearer);
    const struct scrip_request request = {
        .method = "POST",
        .path = path,
        .authorization = bearer,
        .admin_protocol = "scrip-remote-admin/1.0",
        .admin_resume = "true",
        .body = {world.p.body, world.p.body_len},
    };
    assert_int_equal(ask_request(&world.b, world.b.server, &request), 200);
    assert_true(strncmp(world.b.response.next_uri, "/ota/s/", 7) == 0);
    assert_int_equal(phone_topup(&world.p, "order-1"), 204);
    assert_state("order-1", "CONFIRMED");
    assert_balanced(2000);
}

static void a_session_ends_when_its_order_expires(void **state)
{
    (void)state;
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_run(&world.p);
    world.b.clock.now_ms += 40ULL * 86400000ULL;
    assert_int_equal(phone_post(&world.p), 410);
    assert_string_equal(problem_of_answer(&world.b), "ORDER_EXPIRED");
    assert_int_equal(phone_balance(&world.p), 0);
    assert_int_equal(balance_of_account("FUNDING"), 0);
}

/* The answers of another card do not open with the keys of the one that the token is about. */
static void a_token_does_not_work_with_another_card(void **state)
{
    static struct bench other_bench;
    static struct phone other;
    (void)state;
    bench_open(&other_bench);
    phone_open_uid(&other, &other_bench, "an12113", BOB);
    given_order_for_card("order-1", 2000);
    phone_take_order(&world.p, "order-1");
    phone_tap(&world.p);
    assert_int_equal(phone_post(&world.p), 200);
    phone_tap(&other); /* the other card is where this one should be */
    const struct scrip_bytes script = scrip_bytes(world.b.response.body, world.b.response.body_len);
    assert_ok(scrip_relay_script_batch(script, &batch_of_another));
    phone_run_batch(&other, &batch_of_another);
    memcpy(world.p.body, other.body, other.body_len);
    world.p.body_len = other.body_len;
    assert_int_equal(phone_post(&world.p), 409);
    assert_state("order-1", "FUNDED");
    phone_close(&other);
    bench_close(&other_bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ev2_topup_waits_twice_in_three_requests),
        TEST_EV1(an_ev1_topup_waits_once_in_two_requests),
        TEST_RANDOM(a_card_with_random_uid_waits_three_times),
        TEST(a_preamble_that_is_fetched_first_costs_one_request_before_the_tap),
        TEST(settling_an_earlier_order_costs_one_wait_more),
        TEST_EV1(on_ev1_settling_costs_one_wait_more_as_well),
        TEST(a_batch_that_never_reached_the_card_is_issued_anew_in_the_next_tap),
        TEST(a_card_that_left_before_the_commit_gets_its_order_at_the_next_tap),
        TEST_SMALLEST(a_counter_that_debits_moved_leaves_no_order_of_the_smallest_card_open),
        TEST(a_late_upload_confirms_an_order_whose_card_is_gone),
        TEST_EV1(a_late_upload_confirms_an_order_whose_card_is_gone),
        TEST_EV1(a_log_cleared_in_front_of_the_commit_holds_the_card),
        TEST_EV1(so_does_one_with_older_top_ups_in_it),
        TEST_EV1(and_one_cleared_in_place_of_the_top_up),
        TEST_EV1(and_one_that_got_the_empty_record_of_a_flush_instead),
        TEST_EV1(a_log_that_only_the_phone_calls_empty_holds_nothing),
        TEST(a_late_upload_after_the_next_tap_changes_nothing),
        TEST(the_identical_request_gives_the_identical_bytes),
        TEST(any_instance_can_go_on_with_a_session),
        TEST_EV1(any_instance_can_go_on_with_a_session),
        TEST(nothing_is_issued_when_the_commit_to_disk_fails),
        TEST(a_token_of_another_order_or_server_yields_nothing),
        TEST(a_session_that_a_newer_issue_has_overtaken_is_over),
        TEST(recorded_answers_of_an_old_session_prove_nothing),
        TEST(an_order_must_be_funded_open_and_for_this_card),
        TEST(a_phone_that_lies_about_the_uid_fails_at_the_key),
        TEST(a_denied_card_settles_but_is_issued_nothing),
        TEST(a_card_with_an_open_claim_stays_denied_and_the_order_is_named),
        TEST(a_held_card_does_nothing),
        TEST(a_topup_past_the_card_s_limit_is_settled_in_the_same_tap),
        TEST(a_refusal_is_told_by_what_it_means),
        TEST_RANDOM(an_identifying_key_that_is_another_one_is_a_wrong_key),
        TEST(malformed_bodies_are_refused),
        TEST(an_app_that_was_killed_resumes_with_the_order),
        TEST(a_session_ends_when_its_order_expires),
        TEST(a_token_does_not_work_with_another_card),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
