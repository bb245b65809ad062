/* The phone with libcurl, against an HTTP server in this process and a link that does as it is told. */
#include "check.h"
#include <microhttpd.h>
#include <scrip/relay.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREAMBLE "AA11C5049100FFFF2209905A00000399440100"

enum trick { NO_TRICK, HANG_UP, REDIRECT, TOO_LONG, BUSY, FOREIGN, UNAUTHORIZED };

struct bench {
    struct scrip_link link;
    struct scrip_relay *relay;
    struct scrip_relay_run run;
    /* the card */
    unsigned connects;
    unsigned commands;
    unsigned fails_at;
    enum scrip_status fails_with;
    bool absent;
    /* the server */
    struct MHD_Daemon *daemon;
    unsigned requests;
    unsigned strays; /* requests to where no order sends anybody */
    unsigned connections;
    enum trick trick;
    unsigned trick_at; /* request number, from 1 */
    unsigned tricks;   /* how many in a row */
    char bad_header[64];
    uint8_t last[256];
    size_t last_len;
    bool last_resumed;
    bool state_there; /* while the last request was served */
    char dir[64];
    char state_file[96];
    char preamble_file[96];
};

/* ---- The link ---------------------------------------------------------------------------------------------------- */

static struct bench *bench_of(struct scrip_link *link)
{
    return (struct bench *)link;
}

static enum scrip_status link_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    (void)timeout_ms;
    bench_of(link)->connects++;
    *info = (struct scrip_card_info){.uid = {4, 1, 2, 3, 4, 5, 6}, .uid_len = 7, .ats = {2, 0}, .ats_len = 2};
    return bench_of(link)->absent ? SCRIP_E_NO_CARD : SCRIP_OK;
}

static enum scrip_status link_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct bench *b = bench_of(link);
    assert_true(capdu.len >= 4);
    if (++b->commands == b->fails_at) {
        return b->fails_with;
    }
    return scrip_buf_add_be(rapdu, 0x9100, 2);
}

static void link_nothing(struct scrip_link *link)
{
    (void)link;
}

/* ---- The server -------------------------------------------------------------------------------------------------- */

static void expect_header(struct bench *b, struct MHD_Connection *connection, const char *name, const char *value)
{
    const char *found = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    if (found == NULL || strcmp(found, value) != 0) {
        snprintf(b->bad_header, sizeof b->bad_header, "%s: %s", name, found != NULL ? found : "absent");
    }
}

static void check_headers(struct bench *b, struct MHD_Connection *connection)
{
    expect_header(b, connection, "X-Admin-Protocol", SCRIP_RELAY_PROTOCOL);
    expect_header(b, connection, "X-Admin-From", "//aa-id/app/test/1.0");
    expect_header(b, connection, "Content-Type", SCRIP_RELAY_TYPE_ANSWER);
    expect_header(b, connection, "Authorization", "Bearer order-token");
    const char *resume = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Admin-Resume");
    b->last_resumed = resume != NULL && strcmp(resume, "true") == 0;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code, struct scrip_bytes body, bool ours,
                             const char *name, const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.at, MHD_RESPMEM_MUST_COPY);
    if (ours) {
        MHD_add_response_header(response, "X-Admin-Protocol", SCRIP_RELAY_PROTOCOL);
    }
    if (name != NULL) {
        MHD_add_response_header(response, name, value);
    }
    const enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result play(struct bench *b, struct MHD_Connection *connection)
{
    static uint8_t large[SCRIP_RELAY_BODY_MAX + 1];
    const struct scrip_bytes none = scrip_bytes("", 0);
    switch (b->trick) {
    case REDIRECT:
        return reply(connection, 302, none, true, "Location", "/elsewhere");
    case TOO_LONG:
        return reply(connection, 200, SCRIP_BYTES_OF(large), true, "X-Admin-Next-URI", "/ota/s/2");
    case BUSY:
        return reply(connection, 503, none, true, "Retry-After", "1");
    case FOREIGN:
        return reply(connection, 200, scrip_bytes("<html>", 6), false, NULL, NULL);
    case UNAUTHORIZED:
        return reply(connection, 401, none, true, NULL, NULL);
    default:
        return MHD_NO;
    }
}

/* Preamble, one batch, end. */
static enum MHD_Result serve(struct bench *b, struct MHD_Connection *connection, const char *uri)
{
    uint8_t script[64];
    const struct scrip_bytes preamble = scrip_bytes(script, from_hex(PREAMBLE, script, sizeof script));
    if (b->requests >= b->trick_at && b->requests < b->trick_at + b->tricks) {
        return play(b, connection);
    }
    if (strncmp(uri, "/ota/o/", 7) == 0) {
        return reply(connection, 200, preamble, true, "x-admin-next-uri", b->last_len != 0 ? "/ota/s/2" : "/ota/s/1");
    }
    if (strcmp(uri, "/ota/s/1") == 0) {
        return reply(connection, 200, preamble, true, "X-Admin-Next-URI", "/ota/s/2");
    }
    return reply(connection, 204, scrip_bytes("", 0), true, NULL, NULL);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *uri, const char *method,
                                  const char *version, const char *data, size_t *size, void **call)
{
    struct bench *b = ctx;
    static int begun;
    (void)version;
    if (*call == NULL) {
        *call = &begun;
        b->last_len = 0;
        b->strays += strncmp(uri, "/ota/", 5) != 0;
        return strcmp(method, "POST") == 0 ? MHD_YES : MHD_NO;
    }
    if (*size != 0) {
        if (*size <= sizeof b->last - b->last_len) {
            memcpy(b->last + b->last_len, data, *size);
            b->last_len += *size;
        }
        *size = 0;
        return MHD_YES;
    }
    b->requests++;
    b->state_there = access(b->state_file, F_OK) == 0;
    check_headers(b, connection);
    return serve(b, connection, uri);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    struct bench *b = ctx;
    (void)connection;
    (void)socket_ctx;
    b->connections += code == MHD_CONNECTION_NOTIFY_STARTED;
}

/* ---- The scene --------------------------------------------------------------------------------------------------- */

static struct bench *given(void)
{
    static const struct scrip_link_ops ops = {
        .connect = link_connect, .transmit = link_transmit, .disconnect = link_nothing, .close = link_nothing};
    static char server[64];
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->relay = calloc(1, sizeof *b->relay);
    assert_non_null(b->relay);
    b->link.ops = &ops;
    strcpy(b->dir, "/tmp/scrip-relay.XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->state_file, sizeof b->state_file, "%s/state", b->dir);
    snprintf(b->preamble_file, sizeof b->preamble_file, "%s/preamble", b->dir);
    b->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, b,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, b, MHD_OPTION_END);
    assert_non_null(b->daemon);
    snprintf(server, sizeof server, "http://127.0.0.1:%u/",
             (unsigned)MHD_get_daemon_info(b->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    b->run = (struct scrip_relay_run){.server = server,
                                      .bearer = "order-token",
                                      .name = "test",
                                      .state_file = b->state_file,
                                      .link = &b->link,
                                      .config = {.order_uri = "/ota/o/1", .backoff_ms = 10, .give_up_ms = 5000}};
    return b;
}

static void finish(struct bench *b)
{
    assert_string_equal(b->bad_header, "");
    MHD_stop_daemon(b->daemon);
    unlink(b->state_file);
    unlink(b->preamble_file);
    assert_int_equal(rmdir(b->dir), 0);
    free(b->relay);
    free(b);
}

static void run(struct bench *b, enum scrip_relay_outcome wanted)
{
    assert_ok(scrip_relay_run(&b->run, b->relay));
    if (scrip_relay_outcome(b->relay) != wanted) {
        fail_msg("%s: %s", scrip_relay_outcome_name(scrip_relay_outcome(b->relay)), scrip_relay_why(b->relay));
    }
}

static bool state_exists(const struct bench *b)
{
    return access(b->state_file, F_OK) == 0;
}

/* ---- What must be so --------------------------------------------------------------------------------------------- */

static void an_order_goes_over_one_connection_with_the_right_headers(void **state)
{
    (void)state;
    struct bench *b = given();
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(b->requests, 3);
    assert_int_equal(b->connections, 1);
    assert_int_equal(b->commands, 2);
    assert_true(b->state_there);
    assert_false(state_exists(b));
    finish(b);
}

static void the_state_is_for_its_owner_only(void **state)
{
    (void)state;
    struct bench *b = given();
    struct stat found;
    b->trick = HANG_UP;
    b->trick_at = 2;
    b->tricks = 1000;
    b->run.config.give_up_ms = 50;
    run(b, SCRIP_RELAY_UNREACHED);
    assert_int_equal(stat(b->state_file, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    finish(b);
}

static void what_was_not_delivered_is_delivered_by_the_next_run_without_a_card(void **state)
{
    (void)state;
    struct bench *b = given();
    b->trick = HANG_UP;
    b->trick_at = 3;
    b->tricks = 1000;
    b->run.config.give_up_ms = 200;
    run(b, SCRIP_RELAY_UNREACHED);
    assert_true(strlen(scrip_relay_why(b->relay)) > 3);
    assert_true(state_exists(b));
    uint8_t undelivered[sizeof b->last];
    const size_t len = b->last_len;
    memcpy(undelivered, b->last, len);

    b->tricks = 0;
    b->absent = true;
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(b->last_len, len);
    assert_memory_equal(b->last, undelivered, len);
    assert_int_equal(b->commands, 2);
    assert_false(state_exists(b));
    finish(b);
}

static void a_state_of_another_order_is_not_overwritten(void **state)
{
    (void)state;
    struct bench *b = given();
    b->trick = HANG_UP;
    b->trick_at = 3;
    b->tricks = 1000;
    b->run.config.give_up_ms = 50;
    run(b, SCRIP_RELAY_UNREACHED);
    b->tricks = 0;
    b->run.config.order_uri = "/ota/o/2";
    assert_status(scrip_relay_run(&b->run, b->relay), SCRIP_E_CONFLICT);
    assert_true(state_exists(b));
    finish(b);
}

static void a_damaged_state_is_as_good_as_none(void **state)
{
    (void)state;
    struct bench *b = given();
    FILE *file = fopen(b->state_file, "wb");
    assert_non_null(file);
    fputs("SRLY garbage", file);
    fclose(file);
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(b->requests, 3);
    finish(b);
}

static void without_a_place_for_the_state_nothing_is_reported(void **state)
{
    (void)state;
    struct bench *b = given();
    b->run.state_file = "/nonexistent/state";
    assert_status(scrip_relay_run(&b->run, b->relay), SCRIP_E_IO);
    assert_int_equal(b->requests, 1); /* the preamble was fetched */
    assert_int_equal(b->commands, 1); /* and is public */
    finish(b);
}

static void a_remembered_preamble_saves_a_request(void **state)
{
    (void)state;
    struct bench *b = given();
    b->run.preamble_file = b->preamble_file;
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(scrip_relay_counts(b->relay)->requests, 3);
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(scrip_relay_counts(b->relay)->requests, 2);

    FILE *file = fopen(b->preamble_file, "wb");
    assert_non_null(file);
    fputs("nonsense", file);
    fclose(file);
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(scrip_relay_counts(b->relay)->requests, 3);
    finish(b);
}

static void passing_failures_are_repeated_and_nothing_else_is_followed(void **state)
{
    (void)state;
    static const enum trick tricks[] = {HANG_UP, REDIRECT, TOO_LONG, FOREIGN};
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        for (unsigned at = 1; at <= 3; at++) {
            struct bench *b = given();
            b->trick = tricks[i];
            b->trick_at = at;
            b->tricks = 2;
            run(b, SCRIP_RELAY_FINISHED);
            /* curl itself sends again when a kept connection was closed under it */
            assert_in_range(scrip_relay_counts(b->relay)->repeats, tricks[i] == HANG_UP ? 1 : 2, 2);
            assert_int_equal(b->requests, 5);
            assert_int_equal(b->strays, 0); /* the token goes nowhere else */
            assert_int_equal(b->commands, 2);
            finish(b);
        }
    }
}

static void retry_after_is_waited_for(void **state)
{
    (void)state;
    struct bench *b = given();
    const time_t begin = time(NULL);
    b->trick = BUSY;
    b->trick_at = 2;
    b->tricks = 1;
    run(b, SCRIP_RELAY_FINISHED);
    assert_true(time(NULL) >= begin + 1);
    assert_true(scrip_relay_counts(b->relay)->total_ms >= 1000);
    finish(b);
}

static void a_wrong_token_keeps_what_is_to_be_told(void **state)
{
    (void)state;
    struct bench *b = given();
    b->trick = UNAUTHORIZED;
    b->trick_at = 3;
    b->tricks = 1;
    run(b, SCRIP_RELAY_REFUSED);
    assert_int_equal(scrip_relay_http_code(b->relay), 401);
    assert_true(state_exists(b));
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(b->commands, 2);
    finish(b);
}

static void the_link_says_whether_a_command_was_sent(void **state)
{
    (void)state;
    static const struct {
        enum scrip_status status;
        uint8_t unanswered;
    } cases[] = {{SCRIP_E_TORN, 1}, {SCRIP_E_NO_CARD, 0}, {SCRIP_E_LINK, 1}, {SCRIP_E_SPACE, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench *b = given();
        struct scrip_relay_report report;
        b->fails_at = 2;
        b->fails_with = cases[i].status;
        run(b, SCRIP_RELAY_INCOMPLETE);
        assert_ok(scrip_relay_report_read(scrip_bytes(b->last, b->last_len), &report));
        assert_int_equal(report.unanswered, cases[i].unanswered);
        assert_true(report.closed);
        assert_false(state_exists(b));
        finish(b);
    }
}

static void a_second_tap_resumes(void **state)
{
    (void)state;
    struct bench *b = given();
    b->run.config.taps = 1;
    b->fails_at = 2;
    b->fails_with = SCRIP_E_TORN;
    b->run.preamble_file = b->preamble_file;
    run(b, SCRIP_RELAY_FINISHED);
    assert_int_equal(b->connects, 2);
    assert_int_equal(scrip_relay_counts(b->relay)->taps, 2);
    finish(b);
}

static void nobody_at_the_address_is_told_with_curls_words(void **state)
{
    (void)state;
    struct bench *b = given();
    b->run.server = "http://127.0.0.1:1";
    b->run.config.give_up_ms = 30;
    run(b, SCRIP_RELAY_UNREACHED);
    assert_non_null(strstr(scrip_relay_why(b->relay), "onnect"));
    b->run.server = "file:///etc";
    run(b, SCRIP_RELAY_UNREACHED);
    b->run.server = NULL;
    assert_status(scrip_relay_run(&b->run, b->relay), SCRIP_E_ARGUMENT);
    finish(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_goes_over_one_connection_with_the_right_headers),
        cmocka_unit_test(the_state_is_for_its_owner_only),
        cmocka_unit_test(what_was_not_delivered_is_delivered_by_the_next_run_without_a_card),
        cmocka_unit_test(a_state_of_another_order_is_not_overwritten),
        cmocka_unit_test(a_damaged_state_is_as_good_as_none),
        cmocka_unit_test(without_a_place_for_the_state_nothing_is_reported),
        cmocka_unit_test(a_remembered_preamble_saves_a_request),
        cmocka_unit_test(passing_failures_are_repeated_and_nothing_else_is_followed),
        cmocka_unit_test(retry_after_is_waited_for),
        cmocka_unit_test(a_wrong_token_keeps_what_is_to_be_told),
        cmocka_unit_test(the_link_says_whether_a_command_was_sent),
        cmocka_unit_test(a_second_tap_resumes),
        cmocka_unit_test(nobody_at_the_address_is_told_with_curls_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
