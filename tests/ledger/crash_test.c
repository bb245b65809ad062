/* Power fails, processes die, two servers race. Whatever happens, a ledger that is opened again is in order, and what
 * was reported as durable is there. */
#include "desk.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define LAW(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

static void a_failed_commit_keeps_nothing(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_order order;
    d->fail_before = true;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 100);
    assert_status(scrip_ledger_commit(d->ledger), SCRIP_E_STORE);
    d->fail_before = false;
    assert_status(scrip_ledger_order_get(d->ledger, "o1", &order), SCRIP_E_NOT_FOUND);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_FUNDING), 0);
    desk_begin(d); /* and the ledger goes on */
    funded(d->ledger, "o1", ALICE, 100);
    desk_commit(d);
}

static void a_commit_whose_answer_is_lost_is_repeated_without_harm(void **state)
{
    struct desk *d = *state;
    d->fail_after = true;
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 100);
    assert_status(scrip_ledger_commit(d->ledger), SCRIP_E_STORE);
    d->fail_after = false;
    assert_int_equal(state_of(d->ledger, "o1"), SCRIP_STATE_FUNDED);
    desk_begin(d);
    funded(d->ledger, "o1", ALICE, 100);
    desk_commit(d);
    assert_int_equal(balance_of(d->ledger, SCRIP_ACCOUNT_IN_FLIGHT), 100);
    assert_book(d->ledger);
}

/* ---- A database that fails in the middle ---- */

static int countdown; /* steps of the database's own machine until it fails; 0: it does not */

static int fail_now(void *ctx)
{
    (void)ctx;
    return countdown > 0 && --countdown == 0;
}

static int on_open(sqlite3 *db)
{
    sqlite3_progress_handler(db, 1, fail_now, NULL);
    return SQLITE_OK;
}

/* Two requests, the second of which is sure; whoever works here takes no notice of failures. */
static void work_blindly(struct desk *d, unsigned point)
{
    desk_begin(d);
    assert_ok(scrip_ledger_request_begin(d->ledger));
    funded(d->ledger, "before", ALICE, 1);
    assert_ok(scrip_ledger_request_end(d->ledger, true));
    countdown = (int)point;
    (void)scrip_ledger_request_begin(d->ledger);
    (void)order_for(d->ledger, "during", BOB, 2);
    scrip_ledger_request_sure(d->ledger);
    (void)scrip_ledger_order_fund(d->ledger, "during", "pay");
    (void)scrip_ledger_request_end(d->ledger, true);
    const bool failed = countdown == 0;
    countdown = 0;
    assert_int_equal(order_for(d->ledger, "behind", ALICE, 3), failed ? SCRIP_E_STORE : SCRIP_OK);
}

static void a_statement_that_fails_ends_the_transaction(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_counts counts;
    unsigned point = 1;
    assert_int_equal(sqlite3_auto_extension((void (*)(void))on_open), SQLITE_OK);
    scrip_ledger_close(d->ledger);
    d->ledger = desk_open(d);
    sqlite3_reset_auto_extension();
    for (bool failed = true; failed; point++) {
        work_blindly(d, point);
        failed = strcmp(scrip_ledger_message(d->ledger), "interrupted") == 0;
        assert_status(scrip_ledger_commit(d->ledger), failed ? SCRIP_E_STORE : SCRIP_OK);
        assert_ok(scrip_ledger_count(d->ledger, &counts));
        assert_int_equal(counts.orders, failed ? 0 : 3);
        assert_book(d->ledger);
    }
    assert_true(point > 100); /* every step of a request and of one that is sure */
}

/* ---- A process that is killed ---- */

/* One top-up after the other, each step reported on the pipe when it is durable. */
static void work_until_killed(struct desk *d, int pipe_out)
{
    char id[16];
    for (unsigned i = 1;; i++) {
        const uint8_t *uid = i % 2 ? ALICE : BOB;
        (void)snprintf(id, sizeof id, "k%u", i);
        desk_begin(d);
        funded(d->ledger, id, uid, 100 + i);
        desk_commit(d);
        (void)!write(pipe_out, "f", 1);
        desk_begin(d);
        assert_ok(issue_of(d->ledger, id, uid, 1));
        desk_commit(d);
        (void)!write(pipe_out, "i", 1);
        desk_begin(d);
        const struct scrip_settle_evidence answer = batch_answer(d->ledger, uid, card_now(d->ledger, uid).tmc + 1);
        assert_int_equal(settled(d->ledger, uid, &answer), SCRIP_EVENT_PROOF_COMMIT);
        desk_commit(d);
        (void)!write(pipe_out, "c", 1);
    }
}

static unsigned reported(int pipe_in, char step)
{
    char c;
    unsigned count = 0;
    while (read(pipe_in, &c, 1) == 1) {
        count += c == step;
    }
    return count;
}

static void a_killed_process_loses_nothing_that_it_reported(void **state)
{
    struct desk *d = *state;
    scrip_ledger_close(d->ledger);
    for (unsigned round = 0; round < 12; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        char first[80];
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            d->ledger = desk_open(d);
            work_until_killed(d, ends[1]);
        }
        close(ends[1]);
        usleep(4000 + 3000 * round);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        const unsigned confirmed_count = reported(ends[0], 'c');
        close(ends[0]);

        d->ledger = desk_open(d);
        struct scrip_ledger_counts counts;
        assert_ok(scrip_ledger_count(d->ledger, &counts));
        assert_true(counts.by_state[SCRIP_STATE_CONFIRMED] >= confirmed_count);
        assert_true(counts.by_state[SCRIP_STATE_CONFIRMED] <= confirmed_count + 1);
        assert_book(d->ledger);
        scrip_ledger_close(d->ledger);
        (void)unlink(d->path);
        (void)snprintf(first, sizeof first, "%s-wal", d->path);
        (void)unlink(first);
        d->ledger = desk_open(d);
        desk_furnish(d);
        scrip_ledger_close(d->ledger);
    }
    d->ledger = desk_open(d);
}

/* ---- Two servers ---- */

struct racer {
    struct desk *desk;
    uint8_t session;
    unsigned won;
    unsigned lost;
    unsigned other;
};

static void *race(void *ctx)
{
    struct racer *racer = ctx;
    struct scrip_ledger *ledger = NULL;
    const struct scrip_ledger_config config = {
        .path = racer->desk->path, .clock = {.ctx = racer->desk, .now_ms = desk_now}, .busy_ms = 10000};
    if (scrip_ledger_open(&config, &ledger) != SCRIP_OK) {
        racer->other = 1000;
        return NULL;
    }
    for (unsigned i = 0; i < 40; i++) {
        struct scrip_ledger_issue issue = {.session_issue_no = i};
        (void)snprintf(issue.order_id, sizeof issue.order_id, "r%u", i);
        memset(issue.session, racer->session, sizeof issue.session);
        scrip_put_le32(issue.record + 12, i + 1);
        scrip_put_le32(issue.tmri + 4, i + 1);
        if (scrip_ledger_begin(ledger) != SCRIP_OK) {
            racer->other++;
            continue;
        }
        const enum scrip_status status = scrip_ledger_issue(ledger, &issue, NULL);
        if (status == SCRIP_OK) {
            racer->won++;
            struct scrip_settle_evidence answer = {.source = SCRIP_SOURCE_BATCH,
                                                   .reference = i + 1,
                                                   .commit_ok = true,
                                                   .has_tmc = true,
                                                   .tmc = i + 1,
                                                   .tmv_ok = true};
            struct scrip_ledger_settlement out;
            racer->other += scrip_ledger_settle(ledger, ALICE, &answer, &out) != SCRIP_OK;
        } else if (status == SCRIP_E_STATE || status == SCRIP_E_STALE) {
            racer->lost++;
        } else {
            racer->other++;
        }
        racer->other += scrip_ledger_commit(ledger) != SCRIP_OK;
    }
    scrip_ledger_close(ledger);
    return NULL;
}

static void of_two_servers_one_issues(void **state)
{
    struct desk *d = *state;
    char id[16];
    desk_begin(d);
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(id, sizeof id, "r%u", i);
        funded(d->ledger, id, ALICE, 10);
    }
    desk_commit(d);
    struct racer racers[2] = {{.desk = d, .session = 1}, {.desk = d, .session = 2}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(racers[i].other, 0);
    }
    assert_int_equal(racers[0].won + racers[1].won, 40);
    assert_int_equal(racers[0].lost + racers[1].lost, 40);
    assert_int_equal(card_now(d->ledger, ALICE).issue_no, 40);
    assert_int_equal(card_now(d->ledger, ALICE).card_float, 400);
    assert_book(d->ledger);
}

/* A server that always has something to do: two milliseconds of work, and next to none in between. */
struct busy_server {
    struct desk *desk;
    atomic_bool over;
    unsigned commits;
};

static void *never_idle(void *ctx)
{
    struct busy_server *server = ctx;
    while (!server->over) {
        server->commits += scrip_ledger_begin(server->desk->ledger) == SCRIP_OK;
        usleep(2000);
        (void)scrip_ledger_commit(server->desk->ledger);
        usleep(300);
    }
    return NULL;
}

static void a_busy_server_does_not_keep_another_waiting(void **state)
{
    struct desk *d = *state;
    struct busy_server busy = {.desk = d};
    struct scrip_ledger *other = NULL;
    pthread_t thread;
    const struct scrip_ledger_config config = {.path = d->path, .clock = {.ctx = d, .now_ms = desk_now}};
    assert_ok(scrip_ledger_open(&config, &other));
    assert_int_equal(pthread_create(&thread, NULL, never_idle, &busy), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_ok(scrip_ledger_begin(other));
        assert_ok(scrip_ledger_commit(other));
        usleep(1000);
    }
    busy.over = true;
    pthread_join(thread, NULL);
    assert_in_range(busy.commits, 1, 300);
    scrip_ledger_close(other);
}

static void a_second_writer_waits_and_then_gives_up(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger *other = NULL;
    const struct scrip_ledger_config config = {.path = d->path, .clock = {.ctx = d, .now_ms = desk_now}, .busy_ms = 30};
    assert_ok(scrip_ledger_open(&config, &other));
    desk_begin(d);
    assert_status(scrip_ledger_begin(other), SCRIP_E_STORE);
    assert_true(strlen(scrip_ledger_message(other)) > 0);
    desk_commit(d);
    assert_ok(scrip_ledger_begin(other));
    scrip_ledger_close(other); /* rolls back */
    desk_begin(d);
    desk_commit(d);
}

static void a_ledger_that_is_being_written_can_be_opened_and_read(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger *other = NULL;
    const struct scrip_ledger_config config = {.path = d->path, .clock = {.ctx = d, .now_ms = desk_now}, .busy_ms = 30};
    desk_begin(d);
    assert_ok(scrip_ledger_open(&config, &other));
    assert_book(other);
    scrip_ledger_close(other);
    desk_commit(d);
}

static void a_file_that_is_no_ledger_is_refused(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger *ledger = NULL;
    struct scrip_ledger_config config = {.path = "/nonexistent/x", .clock = {.ctx = d, .now_ms = desk_now}};
    assert_status(scrip_ledger_open(&config, &ledger), SCRIP_E_IO);
    config.path = "/etc/passwd";
    assert_status(scrip_ledger_open(&config, &ledger), SCRIP_E_IO);
    config.path = NULL;
    assert_status(scrip_ledger_open(&config, &ledger), SCRIP_E_ARGUMENT);
    assert_null(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(a_failed_commit_keeps_nothing),
        LAW(a_commit_whose_answer_is_lost_is_repeated_without_harm),
        LAW(a_statement_that_fails_ends_the_transaction),
        LAW(a_killed_process_loses_nothing_that_it_reported),
        LAW(of_two_servers_one_issues),
        LAW(a_busy_server_does_not_keep_another_waiting),
        LAW(a_second_writer_waits_and_then_gives_up),
        LAW(a_ledger_that_is_being_written_can_be_opened_and_read),
        LAW(a_file_that_is_no_ledger_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
