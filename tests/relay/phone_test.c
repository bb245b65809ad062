/* The phone against a server and a card that are both in bench.c. */
#include "bench.h"
#include <stdio.h>

/* ---- Without faults ---------------------------------------------------------------------------------------------- */

static void a_known_preamble_makes_three_requests_and_two_waits(void **state)
{
    (void)state;
    struct bench *b = given(true);
    run(b);
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    assert_card_saw_one_topup(b);
    assert_int_equal(counts(b)->requests, 3);
    assert_int_equal(counts(b)->waits, 2);
    assert_int_equal(counts(b)->apdus, 7);
    assert_int_equal(counts(b)->taps, 1);
    assert_int_equal(counts(b)->repeats, 0);
    assert_string_equal(b->got[0].uri, ORDER);
    assert_hex(scrip_bytes(b->got[0].body, b->got[0].len),
               "E811C006067577810280C30704010203040506 AB0B800102230291002302 91AF");
    assert_string_equal(b->shown, "20,00 on your card");
    assert_int_equal(scrip_relay_preamble(&b->relay).len, 0);
    free(b);
}

static void an_unknown_preamble_is_fetched_before_the_tap(void **state)
{
    (void)state;
    struct bench *b = given(false);
    run(b);
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    assert_card_saw_one_topup(b);
    assert_int_equal(counts(b)->requests, 4);
    assert_int_equal(counts(b)->waits, 2);
    assert_int_equal(b->got[0].len, 0);
    assert_hex(scrip_relay_preamble(&b->relay), PREAMBLE);
    free(b);
}

static void time_with_the_card_is_told_apart(void **state)
{
    (void)state;
    struct bench *b = given(true);
    run(b);
    assert_true(counts(b)->card_ms == 70);
    assert_true(counts(b)->net_ms == 200); /* the last upload is not waited for */
    assert_true(counts(b)->field_ms == 70 + 200 + 2);
    assert_true(counts(b)->total_ms == 50 + 70 + 300 + 3);
    assert_true(counts(b)->bytes_up == b->got[0].len + b->got[1].len + b->got[2].len);
    free(b);
}

static void a_bad_status_word_ends_the_batch_there(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *body;
    } cases[] = {
        {4, "AB078001012302 91BE"},
        {5, "AB0B800102 23029100 230291BE"},
        {7, "AB13800104 23029100 23029100 23029100 230291BE"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct bench *b = given(true);
        b->bad_at = cases[i].at;
        run(b);
        assert_outcome(b, SCRIP_RELAY_FINISHED);
        assert_int_equal(b->commands, cases[i].at);
        assert_hex(scrip_bytes(b->got[2].body, b->got[2].len), cases[i].body);
        assert_string_equal(b->shown, ""); /* the notice stands behind the batch */
        free(b);
    }
}

static void a_reset_powers_the_card_and_reports_its_ats(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->script[1] = "AA 0F C5049100FFFF C000 2205 90AF000000";
    run(b);
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(b->resets, 1);
    assert_hex(scrip_bytes(b->got[1].body, b->got[1].len), "AB0F800102 C006" ATS "23029100");
    free(b);
}

static void a_malformed_script_never_reaches_the_card(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->script[1] = "AA 12 C5049100FFFF 2205 90AF000000 2204 900000";
    b->script[2] = "AA 82 0000 00";
    run(b);
    assert_int_equal(b->commands, 2); /* the preamble only */
    assert_hex(scrip_bytes(b->got[1].body, b->got[1].len), "AB06800100900102");
    assert_hex(scrip_bytes(b->got[2].body, b->got[2].len), "AB06800100900102");
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    free(b);
}

static void nothing_for_the_card_now_is_asked_again(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->extra_204 = 1;
    run(b);
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    assert_card_saw_one_topup(b);
    assert_string_equal(b->got[2].uri, "/ota/s/2?later");
    assert_hex(scrip_bytes(b->got[2].body, b->got[2].len), "AB03800100");
    assert_int_equal(counts(b)->waits, 3);
    free(b);
}

/* ---- The network fails ------------------------------------------------------------------------------------------- */

static void every_request_survives_every_network_fault(void **state)
{
    (void)state;
    static const enum net_fault faults[] = {NET_REQUEST_LOST, NET_RESPONSE_LOST, NET_503,
                                            NET_500,          NET_PORTAL,        NET_REDIRECT};
    for (size_t known = 0; known < 2; known++) {
        for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
            for (size_t at = 1; at <= 4 - known; at++) {
                for (size_t times = 1; times <= 4; times += 3) {
                    struct bench *b = given(known != 0);
                    b->net = faults[f];
                    b->net_at = at;
                    b->net_times = times;
                    run(b);
                    assert_outcome(b, SCRIP_RELAY_FINISHED);
                    assert_card_saw_one_topup(b);
                    assert_repeats_identical(b);
                    assert_int_equal(counts(b)->repeats, times);
                    assert_int_equal(counts(b)->requests, 4 - known);
                    assert_int_equal(counts(b)->waits, 2);
                    free(b);
                }
            }
        }
    }
}

static void retry_after_is_respected_and_pauses_grow(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->net = NET_503;
    b->net_at = 1;
    b->net_times = 1;
    run(b);
    assert_true(counts(b)->total_ms >= 3000 + 400);
    free(b);

    b = given(true);
    b->net = NET_500;
    b->net_at = 1;
    b->net_times = 5;
    run(b);
    assert_true(counts(b)->total_ms >= (200 + 400 + 800 + 1600 + 3200) * 3 / 4);
    assert_true(counts(b)->total_ms <= (200 + 400 + 800 + 1600 + 3200) * 5 / 4 + 1500);
    free(b);
}

static void two_phones_do_not_come_back_at_the_same_moment(void **state)
{
    (void)state;
    uint64_t total[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct bench *b = given(true);
        b->config.seed = i * 77777;
        b->net = NET_500;
        b->net_at = 1;
        b->net_times = 5;
        run(b);
        total[i] = counts(b)->total_ms;
        free(b);
    }
    assert_true(total[0] != total[1]);
}

static void an_unreachable_server_leaves_the_state_to_the_next_run(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->net = NET_REQUEST_LOST;
    b->net_at = 3; /* the result of the batch with the commit */
    b->net_times = 1000;
    run(b);
    assert_outcome(b, SCRIP_RELAY_UNREACHED);
    assert_card_saw_one_topup(b);
    assert_true(counts(b)->total_ms <= 121000);

    b->net_times = 0;
    b->card_there = false; /* delivering needs no card */
    run_again_after_kill(b);
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    assert_card_saw_one_topup(b);
    assert_string_equal(b->got[b->got_count - 1].uri, "/ota/s/3");
    assert_int_equal(counts(b)->taps, 0);
    free(b);
}

static void a_batch_that_comes_twice_runs_once(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->next[2] = "/ota/s/2"; /* the answer to step 2 leads to step 2 again: a repeated message */
    b->config.give_up_ms = 5000;
    run(b);
    assert_outcome(b, SCRIP_RELAY_UNREACHED);
    assert_hex(scrip_bytes(b->seen, b->commands), "5A 71 AF");
    assert_repeats_identical(b);
    assert_true(counts(b)->repeats > 1);
    free(b);
}

static void an_older_step_is_never_run_again(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->next[1] = "/ota/s/3";
    b->script[3] = "AA 0D C5049100FFFF 2205 900C000000";
    b->next[3] = "/ota/s/4";
    b->script[4] = "AA 0D C5049100FFFF 2205 900C000000";
    b->next[4] = "/ota/s/3"; /* a message of long ago */
    run(b);
    assert_outcome(b, SCRIP_RELAY_REFUSED);
    assert_repeats_identical(b);
    assert_true(b->got_count < 30);
    free(b);
}

/* ---- The server refuses ------------------------------------------------------------------------------------------ */

static void a_final_refusal_says_what_it_means(void **state)
{
    (void)state;
    static const int codes[] = {400, 401, 403, 404, 406, 409, 413, 418};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct bench *b = given(true);
        b->refuse_at = 1;
        b->refuse_code = codes[i];
        run(b);
        assert_outcome(b, SCRIP_RELAY_REFUSED);
        assert_int_equal(scrip_relay_http_code(&b->relay), codes[i]);
        assert_int_equal(b->got_count, 1);
        free(b);
    }
}

static void a_session_that_is_over_starts_again_from_the_order(void **state)
{
    (void)state;
    for (size_t at = 1; at <= 3; at++) {
        struct bench *b = given(true);
        b->refuse_at = at;
        b->refuse_code = 410;
        run(b);
        assert_outcome(b, SCRIP_RELAY_FINISHED);
        assert_string_equal(b->got[at].uri, ORDER);
        assert_true(b->got[at].resume);
        assert_false(b->got[at + 1].resume);
        assert_int_equal(counts(b)->taps, 1); /* the card stayed */
        struct scrip_relay_report report;
        assert_ok(scrip_relay_report_read(scrip_bytes(b->got[at].body, b->got[at].len), &report));
        assert_true(report.hello);
        assert_int_equal(report.responses, 2);
        free(b);
    }
}

static void an_order_that_is_over_is_asked_for_twice_and_no_more(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->refuse_code = 410;
    b->refuse_always = true;
    run(b);
    assert_outcome(b, SCRIP_RELAY_REFUSED);
    assert_int_equal(b->got_count, 2);
    assert_true(b->got[1].resume);
    free(b);
}

static void what_the_server_said_of_a_refusal_is_kept(void **state)
{
    (void)state;
    struct bench *b = given(true);
    struct scrip_relay_ask ask;
    assert_ok(scrip_relay_start(&b->relay, &b->config, 0));
    do_card(b);
    do {
        scrip_relay_next(&b->relay, 0, &ask);
        if (ask.want == SCRIP_RELAY_WANT_COMMAND) {
            do_command(b, &ask);
        } else if (ask.want == SCRIP_RELAY_WANT_SAVE) {
            do_save(b, &ask);
        }
    } while (ask.want != SCRIP_RELAY_WANT_POST);
    const struct scrip_relay_http http = {
        .code = 409, .ours = true, .body = scrip_bytes("{\"code\":\"CARD_HELD\"}", 20)};
    scrip_relay_responded(&b->relay, 0, &http);
    assert_outcome(b, SCRIP_RELAY_REFUSED);
    assert_true(scrip_bytes_equal(scrip_relay_refusal(&b->relay), http.body));
    free(b);
}

static void a_next_uri_on_another_server_is_refused(void **state)
{
    (void)state;
    static const char *const uris[] = {"https://evil.example/x", "//evil.example/x", "", "x", "/a b", "/a\r\nX: y"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct bench *b = given(true);
        b->next[1] = uris[i];
        run(b);
        assert_outcome(b, SCRIP_RELAY_BROKEN);
        assert_int_equal(b->commands, 2);
        free(b);
    }
}

static void an_endless_server_is_left(void **state)
{
    (void)state;
    struct bench *b = given(true);
    assert_ok(scrip_relay_start(&b->relay, &b->config, 0));
    static const char step[] = "\xAA\x0C\x22\x0A\x90\x0C\x00\x00\x00\x00\x00\x00\x00\x00";
    size_t n = 0;
    struct scrip_relay_ask ask;
    do {
        char next[32];
        scrip_relay_next(&b->relay, b->now_ms, &ask);
        if (ask.want == SCRIP_RELAY_WANT_POST) {
            snprintf(next, sizeof next, "/n/%zu", ++n);
            const struct scrip_relay_http http = {
                .code = 200, .ours = true, .next_uri = next, .body = scrip_bytes(step, sizeof step - 1)};
            scrip_relay_responded(&b->relay, b->now_ms, &http);
        } else if (ask.want == SCRIP_RELAY_WANT_CARD) {
            do_card(b);
        } else if (ask.want == SCRIP_RELAY_WANT_COMMAND) {
            scrip_relay_card_answered(&b->relay, b->now_ms, scrip_bytes("\x90\x00", 2));
        } else if (ask.want == SCRIP_RELAY_WANT_SAVE) {
            scrip_relay_saved(&b->relay, b->now_ms);
        }
    } while (ask.want != SCRIP_RELAY_WANT_DONE);
    assert_outcome(b, SCRIP_RELAY_BROKEN);
    assert_int_equal(n, SCRIP_RELAY_STEPS_MAX);
    free(b);
}

/* ---- The card goes ----------------------------------------------------------------------------------------------- */

static void a_lost_card_is_reported_at_every_command(void **state)
{
    (void)state;
    static const size_t batch_start[] = {0, 2, 3};
    for (size_t at = 1; at <= 7; at++) {
        for (size_t sent = 0; sent < 2; sent++) {
            struct bench *b = given(true);
            const size_t batch = at <= 2 ? 0 : at == 3 ? 1 : 2;
            if (sent != 0) {
                b->silent_at = at;
            } else {
                b->gone_at = at;
            }
            run(b);
            assert_outcome(b, SCRIP_RELAY_INCOMPLETE);
            const struct exchange *last = &b->got[b->got_count - 1];
            struct scrip_relay_report report;
            assert_ok(scrip_relay_report_read(scrip_bytes(last->body, last->len), &report));
            assert_int_equal(report.responses, at - 1 - batch_start[batch]);
            assert_int_equal(report.unanswered, sent != 0 ? report.responses + 1 : 0);
            assert_true(report.closed);
            assert_true(scrip_bytes_equal(report.reason, scrip_bytes("card lost", 9)));
            assert_int_equal(b->commands, at - 1 + sent);
            assert_int_equal(counts(b)->apdus, at - 1 + sent);
            free(b);
        }
    }
}

static void the_loss_is_told_although_the_network_fails_too(void **state)
{
    (void)state;
    for (size_t at = 1; at <= 7; at++) {
        struct bench *b = given(true);
        b->silent_at = at;
        b->net = NET_RESPONSE_LOST;
        b->net_at = 1;
        b->net_times = 3;
        run(b);
        assert_outcome(b, SCRIP_RELAY_INCOMPLETE);
        assert_repeats_identical(b);
        assert_int_equal(b->commands, at);
        free(b);
    }
}

static void a_second_tap_resumes_the_order(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->config.taps = 1;
    b->silent_at = 5;
    run(b);
    assert_outcome(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(counts(b)->taps, 2);
    assert_hex(scrip_bytes(b->seen, b->commands), "5A 71 AF 0C 3B 5A 71 AF 0C 3B C8 C7");
    assert_true(b->got[3].resume);
    assert_string_equal(b->got[3].uri, ORDER);
    free(b);
}

static void without_a_card_the_server_is_not_bothered(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->card_there = false;
    run(b);
    assert_outcome(b, SCRIP_RELAY_INCOMPLETE);
    assert_int_equal(b->got_count, 0);
    free(b);
}

static void half_a_status_word_is_silence(void **state)
{
    (void)state;
    struct bench *b = given(true);
    assert_ok(scrip_relay_start(&b->relay, &b->config, 0));
    do_card(b);
    scrip_relay_card_answered(&b->relay, 0, scrip_bytes("\x91", 1));
    drive(b);
    struct scrip_relay_report report;
    assert_ok(scrip_relay_report_read(scrip_bytes(b->got[0].body, b->got[0].len), &report));
    assert_int_equal(report.unanswered, 1);
    free(b);
}

/* ---- The user stops, the app is killed --------------------------------------------------------------------------- */

static void a_user_may_stop_at_any_moment_and_what_happened_is_told(void **state)
{
    (void)state;
    struct bench *whole = given(true);
    run(whole);
    const size_t wishes = whole->wishes;
    free(whole);
    for (size_t at = 1; at < wishes; at++) {
        struct bench *b = given(true);
        b->cancel_at = at;
        run(b);
        const enum scrip_relay_outcome outcome = scrip_relay_outcome(&b->relay);
        assert_true(outcome == SCRIP_RELAY_INCOMPLETE || outcome == SCRIP_RELAY_FINISHED);
        size_t told = 0;
        for (size_t i = 0; i < b->got_count; i++) {
            struct scrip_relay_report report;
            assert_ok(scrip_relay_report_read(scrip_bytes(b->got[i].body, b->got[i].len), &report));
            told += report.responses;
        }
        assert_int_equal(told, b->commands);
        free(b);
    }
}

static void a_killed_app_delivers_and_resumes_and_runs_no_old_batch(void **state)
{
    (void)state;
    for (size_t known = 0; known < 2; known++) {
        struct bench *whole = given(known != 0);
        run(whole);
        const size_t wishes = whole->wishes;
        free(whole);
        for (size_t at = 1; at < wishes; at++) {
            struct bench *b = given(known != 0);
            b->stop_after = at;
            run(b);
            if (b->saved_len == 0) {
                free(b);
                continue; /* nothing was told yet: the order starts as if for the first time */
            }
            const size_t commands = b->commands;
            const bool committed = commands == 7;
            run_again_after_kill(b);
            assert_outcome(b, SCRIP_RELAY_FINISHED);
            /* Either the upload was all that was missing, or a whole new session ran: never the rest of the old one. */
            if (b->commands != commands) {
                assert_int_equal(b->commands, commands + 7);
                assert_hex(scrip_bytes(b->seen + commands, 7), "5A 71 AF 0C 3B C8 C7");
            } else {
                assert_true(committed);
            }
            assert_repeats_identical(b);
            free(b);
        }
    }
}

static void damaged_or_foreign_state_is_refused(void **state)
{
    (void)state;
    struct bench *b = given(true);
    run(b);
    for (size_t len = 0; len < b->saved_len; len++) {
        assert_status(scrip_relay_restore(&b->relay, &b->config, scrip_bytes(b->saved, len), 0), SCRIP_E_CORRUPT);
    }
    b->config.order_uri = "/ota/o/other";
    assert_status(scrip_relay_restore(&b->relay, &b->config, scrip_bytes(b->saved, b->saved_len), 0), SCRIP_E_CONFLICT);
    for (size_t i = 0; i < b->saved_len; i++) { /* no flip may do more than fail or go on */
        b->saved[i] ^= 0x41;
        (void)scrip_relay_restore(&b->relay, &b->config, scrip_bytes(b->saved, b->saved_len), 0);
        b->saved[i] ^= 0x41;
    }
    free(b);
}

static void a_configuration_without_an_order_is_refused(void **state)
{
    (void)state;
    struct bench *b = given(true);
    static const char *const uris[] = {"", "ota", "http://a/b", "//a/b", "/a b"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        b->config.order_uri = uris[i];
        assert_status(scrip_relay_start(&b->relay, &b->config, 0), SCRIP_E_ARGUMENT);
    }
    b->config.order_uri = ORDER;
    b->config.preamble = scrip_bytes("\xAA\x01", 2);
    assert_status(scrip_relay_start(&b->relay, &b->config, 0), SCRIP_E_ARGUMENT);
    free(b);
}

static void a_text_cannot_move_the_cursor(void **state)
{
    (void)state;
    struct bench *b = given(true);
    b->script[1] = "AA 10 E00E 020101 0C09 1B5B324A C29B 41 0A 7F"; /* escape sequence, C1 control, newline, delete */
    b->script[2] = "";
    run(b);
    assert_string_equal(b->shown, " [2J  A  ");
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_preamble_makes_three_requests_and_two_waits),
        cmocka_unit_test(an_unknown_preamble_is_fetched_before_the_tap),
        cmocka_unit_test(time_with_the_card_is_told_apart),
        cmocka_unit_test(a_bad_status_word_ends_the_batch_there),
        cmocka_unit_test(a_reset_powers_the_card_and_reports_its_ats),
        cmocka_unit_test(a_malformed_script_never_reaches_the_card),
        cmocka_unit_test(nothing_for_the_card_now_is_asked_again),
        cmocka_unit_test(every_request_survives_every_network_fault),
        cmocka_unit_test(retry_after_is_respected_and_pauses_grow),
        cmocka_unit_test(two_phones_do_not_come_back_at_the_same_moment),
        cmocka_unit_test(an_unreachable_server_leaves_the_state_to_the_next_run),
        cmocka_unit_test(a_batch_that_comes_twice_runs_once),
        cmocka_unit_test(an_older_step_is_never_run_again),
        cmocka_unit_test(a_final_refusal_says_what_it_means),
        cmocka_unit_test(a_session_that_is_over_starts_again_from_the_order),
        cmocka_unit_test(an_order_that_is_over_is_asked_for_twice_and_no_more),
        cmocka_unit_test(what_the_server_said_of_a_refusal_is_kept),
        cmocka_unit_test(a_next_uri_on_another_server_is_refused),
        cmocka_unit_test(an_endless_server_is_left),
        cmocka_unit_test(a_lost_card_is_reported_at_every_command),
        cmocka_unit_test(the_loss_is_told_although_the_network_fails_too),
        cmocka_unit_test(a_second_tap_resumes_the_order),
        cmocka_unit_test(without_a_card_the_server_is_not_bothered),
        cmocka_unit_test(half_a_status_word_is_silence),
        cmocka_unit_test(a_user_may_stop_at_any_moment_and_what_happened_is_told),
        cmocka_unit_test(a_killed_app_delivers_and_resumes_and_runs_no_old_batch),
        cmocka_unit_test(damaged_or_foreign_state_is_refused),
        cmocka_unit_test(a_configuration_without_an_order_is_refused),
        cmocka_unit_test(a_text_cannot_move_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
