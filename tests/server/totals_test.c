/* A small book is counted when somebody asks; a large one by a thread, and who asks has what it found last. */
#include "bench.h"
#include "totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    struct bench b;
    char folder[32];
    char path[64];
};

static void open_server(struct world *w, uint32_t count_in_tick_us)
{
    struct scrip_server_config config = bench_config(&w->b);
    config.ledger_path = w->path;
    config.count_in_tick_us = count_in_tick_us;
    assert_ok(scrip_server_new(&config, &w->b.server));
}

/* The bench's server with a book in a file. */
static int given_a_file(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    bench_open(&w->b);
    scrip_server_free(w->b.server);
    scrip_ledger_close(w->b.ledger);
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/scrip-totals-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    (void)snprintf(w->path, sizeof w->path, "%s/book.db", w->folder);
    const struct scrip_ledger_config ledger = {.path = w->path, .clock = scrip_clock_fake(&w->b.clock)};
    assert_ok(scrip_ledger_open(&ledger, &w->b.ledger));
    w->b.server = NULL;
    *state = w;
    return 0;
}

static int remove_file(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct world *w = *state;
    char path[80];
    bench_close(&w->b);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        (void)snprintf(path, sizeof path, "%s%s", w->path, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(w->folder);
    free(w);
    return 0;
}

/* Does a line of /metrics say this? */
static bool metrics_say(struct bench *b, const char *line)
{
    char text[20000];
    char wanted[128];
    assert_int_equal(ask(b, "GET", "/metrics", NULL), 200);
    assert_true(b->response.body_len < sizeof text);
    memcpy(text, b->response.body, b->response.body_len);
    text[b->response.body_len] = '\0';
    (void)snprintf(wanted, sizeof wanted, "\n%s\n", line);
    return strstr(text, wanted) != NULL;
}

static bool metrics_say_within_ten_seconds(struct bench *b, const char *line)
{
    for (int i = 0; i < 10000; i++) {
        if (metrics_say(b, line)) {
            return true;
        }
        (void)usleep(1000);
    }
    return false;
}

static void a_small_book_is_counted_at_once(void **state)
{
    struct world *w = *state;
    open_server(w, UINT32_MAX);
    assert_true(metrics_say(&w->b, "scrip_cards 0"));
    given_card(&w->b, ALICE, "an12113");
    given_funded_order(&w->b, "order-1", ALICE, 2000);
    assert_true(metrics_say(&w->b, "scrip_cards 1"));
    assert_true(metrics_say(&w->b, "scrip_orders{state=\"FUNDED\"} 1"));
    assert_true(metrics_say(&w->b, "scrip_balance_minor{account=\"IN_FLIGHT\"} 2000"));
    assert_true(metrics_say(&w->b, "scrip_book_age_seconds 0"));
}

static void a_large_book_is_counted_by_a_thread(void **state)
{
    struct world *w = *state;
    open_server(w, 1);
    assert_null(w->b.server->counting);
    assert_true(metrics_say(&w->b, "scrip_cards 0")); /* in the tick, which took longer than a microsecond */
    assert_non_null(w->b.server->counting);
    given_card(&w->b, ALICE, "an12113");
    given_funded_order(&w->b, "order-1", ALICE, 2000);
    assert_true(metrics_say_within_ten_seconds(&w->b, "scrip_cards 1"));
    assert_true(metrics_say_within_ten_seconds(&w->b, "scrip_orders{state=\"FUNDED\"} 1"));
    assert_true(metrics_say_within_ten_seconds(&w->b, "scrip_balance_minor{account=\"IN_FLIGHT\"} 2000"));
}

static void a_reader_sees_one_moment(void **state)
{
    struct world *w = *state;
    const struct scrip_ledger_config config = {.path = w->path, .clock = scrip_clock_fake(&w->b.clock)};
    struct scrip_ledger *reader;
    struct scrip_ledger_counts counts;
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    open_server(w, UINT32_MAX);
    given_card(&w->b, ALICE, "an12113");
    given_order(&w->b, "order-1", ALICE, 2000);
    assert_ok(scrip_ledger_open(&config, &reader));
    assert_ok(scrip_ledger_begin_read(reader));
    assert_int_equal(scrip_ledger_begin_read(reader), SCRIP_E_STATE);
    assert_ok(scrip_ledger_count(reader, &counts));
    assert_int_equal(ask(&w->b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"pay-1\"}"), 200);
    assert_ok(scrip_ledger_balances(reader, balances));
    assert_int_equal(counts.by_state[SCRIP_STATE_FUNDED], 0);
    assert_int_equal(balances[SCRIP_ACCOUNT_IN_FLIGHT], 0);
    scrip_ledger_rollback(reader);
    assert_ok(scrip_ledger_balances(reader, balances));
    assert_int_equal(balances[SCRIP_ACCOUNT_IN_FLIGHT], 2000);
    scrip_ledger_close(reader);
}

/* Orders of one unit each: there are as many as there is money. */
static void what_is_counted_is_of_one_moment(void **state)
{
    struct world *w = *state;
    struct totals totals;
    char id[16];
    open_server(w, 1);
    given_card(&w->b, ALICE, "an12113");
    (void)metrics_say(&w->b, "");
    assert_non_null(w->b.server->counting);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(id, sizeof id, "order-%d", i);
        given_funded_order(&w->b, id, ALICE, 1);
        assert_ok(totals_read(w->b.server, &totals));
        assert_true(totals.known);
        assert_int_equal(totals.counts.by_state[SCRIP_STATE_FUNDED], totals.balances[SCRIP_ACCOUNT_IN_FLIGHT]);
    }
}

static void given_a_large_file(struct world *w)
{
    open_server(w, UINT32_MAX);
    given_card(&w->b, ALICE, "an12113");
    scrip_server_free(w->b.server);
    assert_ok(scrip_ledger_idle(w->b.ledger)); /* out of the log, into the file */
    assert_int_equal(truncate(w->path, 20 << 20), 0);
}

static void a_large_file_keeps_nobody_waiting_at_the_start(void **state)
{
    struct world *w = *state;
    given_a_large_file(w);
    open_server(w, UINT32_MAX);
    assert_non_null(w->b.server->counting);
    assert_true(metrics_say_within_ten_seconds(&w->b, "scrip_cards 1"));
    given_card(&w->b, BOB, "an12113");
    assert_true(metrics_say_within_ten_seconds(&w->b, "scrip_cards 2"));
}

static void a_server_ends_while_its_book_is_counted(void **state)
{
    struct world *w = *state;
    given_a_large_file(w);
    for (int i = 0; i < 50; i++) {
        open_server(w, UINT32_MAX); /* begins to count */
        (void)usleep((useconds_t)(i * 20));
        scrip_server_free(w->b.server);
    }
    w->b.server = NULL;
}

static void a_book_in_memory_has_no_second_connection(void **state)
{
    struct world *w = *state;
    scrip_ledger_close(w->b.ledger);
    const struct scrip_ledger_config ledger = {.path = ":memory:", .clock = scrip_clock_fake(&w->b.clock)};
    assert_ok(scrip_ledger_open(&ledger, &w->b.ledger));
    struct scrip_server_config config = bench_config(&w->b);
    config.ledger_path = ":memory:";
    config.count_in_tick_us = 1;
    assert_ok(scrip_server_new(&config, &w->b.server));
    given_card(&w->b, ALICE, "an12113");
    for (int i = 0; i < 3; i++) {
        assert_true(metrics_say(&w->b, "scrip_cards 1"));
    }
    assert_null(w->b.server->counting);
}

static void a_book_that_has_gone_is_not_made_anew(void **state)
{
    struct world *w = *state;
    struct scrip_ledger *second;
    const struct scrip_ledger_config config = {
        .path = w->path, .existing = true, .clock = scrip_clock_fake(&w->b.clock)};
    open_server(w, 1);
    assert_int_equal(unlink(w->path), 0);
    (void)metrics_say(&w->b, "");
    assert_null(w->b.server->counting);
    assert_int_equal(scrip_ledger_open(&config, &second), SCRIP_E_IO);
    assert_int_not_equal(access(w->path, F_OK), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, given_a_file, remove_file)
    const struct CMUnitTest tests[] = {
        TEST(a_small_book_is_counted_at_once),
        TEST(a_large_book_is_counted_by_a_thread),
        TEST(a_reader_sees_one_moment),
        TEST(what_is_counted_is_of_one_moment),
        TEST(a_large_file_keeps_nobody_waiting_at_the_start),
        TEST(a_server_ends_while_its_book_is_counted),
        TEST(a_book_in_memory_has_no_second_connection),
        TEST(a_book_that_has_gone_is_not_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
