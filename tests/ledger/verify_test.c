/* Whoever can write the database file is let loose on it; verification must notice. */
#include "desk.h"

#include <sqlite3.h>

#define LAW(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

static const uint8_t KEY[32] = {1, 2, 3};
static const uint8_t OTHER_KEY[32] = {1, 2, 4};

static void a_days_work(struct desk *d)
{
    desk_begin(d);
    confirmed(d->ledger, "o1", ALICE, 1000);
    confirmed(d->ledger, "b1", BOB, 500);
    const struct scrip_ledger_debit debit = debit_line(ALICE, 1, 2, 250);
    assert_int_equal(taken(d->ledger, &debit), SCRIP_DEBIT_BOOKED);
    funded(d->ledger, "o2", ALICE, 300);
    assert_ok(scrip_ledger_post(d->ledger, "p1", SCRIP_BOOKING_PAYOUT, 100, NULL, "kiosk", "weekly"));
    desk_commit(d);
}

/* Change the file behind the ledger's back, the journal's own triggers out of the way. */
static bool tamper(struct desk *d, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
    const bool done =
        sqlite3_exec(db, "DROP TRIGGER IF EXISTS entry_is_never_changed", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, "DROP TRIGGER IF EXISTS entry_is_never_removed", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_changes(db) > 0;
    sqlite3_close(db);
    return done;
}

static uint64_t problems(struct desk *d, const char *checkpoint)
{
    struct scrip_ledger_report report;
    assert_ok(scrip_ledger_verify(d->ledger, KEY, checkpoint, &report));
    assert_true(report.problems == 0 || strlen(report.first) > 10);
    return report.problems;
}

/* The file as it was, for the next attempt. */
static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t len = 0;
    assert_true(in != NULL && out != NULL);
    while ((len = fread(buffer, 1, sizeof buffer, in)) > 0) {
        assert_int_equal(fwrite(buffer, 1, len, out), len);
    }
    fclose(in);
    fclose(out);
}

static void put_back(struct desk *d, const char *saved)
{
    char path[96];
    scrip_ledger_close(d->ledger);
    (void)snprintf(path, sizeof path, "%s-wal", d->path);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s-shm", d->path);
    (void)unlink(path);
    copy_file(saved, d->path);
    d->ledger = desk_open(d);
}

static void save(struct desk *d, char saved[80])
{
    scrip_ledger_close(d->ledger); /* closing moves the whole log into the file */
    (void)snprintf(saved, 80, "%s.saved", d->path);
    copy_file(d->path, saved);
    d->ledger = desk_open(d);
}

static void every_change_of_every_row_of_the_journal_is_found(void **state)
{
    struct desk *d = *state;
    char saved[80];
    char sql[160];
    char checkpoint[SCRIP_LEDGER_CHECKPOINT_MAX];
    static const char *const changes[] = {
        "amount = amount + 1",
        "src = 8",
        "dst = 7",
        "booking = booking + 1",
        "at = at + 1",
        "seq = seq + 7",
        "stream = 12345",
        "card = coalesce(card, 0) + 1",
        "ord = coalesce(ord, 0) + 1",
        "merchant = coalesce(merchant, 0) + 1",
        "evidence = x'00'",
        "hash = zeroblob(32)",
    };
    a_days_work(d);
    assert_ok(scrip_ledger_checkpoint(d->ledger, KEY, checkpoint));
    save(d, saved);
    assert_int_equal(problems(d, checkpoint), 0);
    for (int row = 1; row <= 7; row++) {
        for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
            (void)snprintf(sql, sizeof sql, "UPDATE entry SET %s WHERE id = %d", changes[i], row);
            if (!tamper(d, sql)) {
                fail_msg("row %d: %s: not done", row, changes[i]);
            }
            if (problems(d, NULL) == 0) {
                fail_msg("row %d: %s: not found", row, changes[i]);
            }
            put_back(d, saved);
        }
        (void)snprintf(sql, sizeof sql, "DELETE FROM entry WHERE id = %d", row);
        assert_true(tamper(d, sql));
        assert_true(problems(d, checkpoint) > 0); /* the newest row needs it: see the cut tail below */
        put_back(d, saved);
    }
    (void)unlink(saved);
}

/* Each change is made to the ledger as it was saved, told, and taken back. */
static void assert_each_is_found(struct desk *d, const char *const *changes, size_t count, const char *saved)
{
    for (size_t i = 0; i < count; i++) {
        assert_true(tamper(d, changes[i]));
        if (problems(d, NULL) == 0) {
            fail_msg("%s: not found", changes[i]);
        }
        put_back(d, saved);
    }
}

static void every_row_that_says_where_money_is_must_agree_with_the_journal(void **state)
{
    struct desk *d = *state;
    char saved[80];
    static const char *const changes[] = {
        "UPDATE orders SET state = 3 WHERE id = 'o2'",
        "UPDATE orders SET state = 1 WHERE id = 'o1'",
        "UPDATE orders SET amount = 999 WHERE id = 'o1'",
        "UPDATE orders SET state = 2 WHERE id = 'o2'",
        "UPDATE card SET float = float + 1 WHERE profile = 'ev1'",
        "UPDATE debit SET amount = 1",
        "DELETE FROM debit",
        "DELETE FROM orders WHERE id = 'b1'",
    };
    a_days_work(d);
    save(d, saved);
    assert_each_is_found(d, changes, sizeof changes / sizeof *changes, saved);
    (void)unlink(saved);
}

static void a_cut_tail_is_found_with_a_checkpoint(void **state)
{
    struct desk *d = *state;
    char checkpoint[SCRIP_LEDGER_CHECKPOINT_MAX];
    a_days_work(d);
    assert_ok(scrip_ledger_checkpoint(d->ledger, KEY, checkpoint));
    assert_int_equal(problems(d, checkpoint), 0);
    /* the payout is the newest row of its stream and of the book, and no other row mentions it */
    assert_true(tamper(d, "DELETE FROM entry WHERE id = (SELECT max(id) FROM entry)"));
    assert_int_equal(problems(d, NULL), 0);
    assert_true(problems(d, checkpoint) > 0);
}

static void a_book_rewritten_with_all_its_hashes_is_found_with_a_checkpoint(void **state)
{
    struct desk *d = *state;
    char checkpoint[SCRIP_LEDGER_CHECKPOINT_MAX];
    a_days_work(d);
    assert_ok(scrip_ledger_checkpoint(d->ledger, KEY, checkpoint));
    assert_true(tamper(d, "DELETE FROM entry WHERE id = (SELECT max(id) FROM entry)"));
    desk_begin(d);
    d->now++;
    assert_true(tamper(d, "DELETE FROM posting") || true);
    assert_ok(scrip_ledger_post(d->ledger, "p2", SCRIP_BOOKING_PAYOUT, 101, NULL, "kiosk", "weekly"));
    desk_commit(d);
    assert_int_equal(problems(d, NULL), 0);
    assert_true(problems(d, checkpoint) > 0);
}

static void a_checkpoint_stays_good_while_the_book_grows(void **state)
{
    struct desk *d = *state;
    char first[SCRIP_LEDGER_CHECKPOINT_MAX];
    char second[SCRIP_LEDGER_CHECKPOINT_MAX];
    assert_ok(scrip_ledger_checkpoint(d->ledger, KEY, first)); /* of an empty book */
    a_days_work(d);
    assert_ok(scrip_ledger_checkpoint(d->ledger, KEY, second));
    desk_begin(d);
    confirmed(d->ledger, "o9", BOB, 10);
    desk_commit(d);
    assert_int_equal(problems(d, first), 0);
    assert_int_equal(problems(d, second), 0);
    assert_string_not_equal(first, second);
}

static void a_checkpoint_that_is_not_ours_is_refused(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_report report;
    char checkpoint[SCRIP_LEDGER_CHECKPOINT_MAX];
    a_days_work(d);
    assert_ok(scrip_ledger_checkpoint(d->ledger, KEY, checkpoint));
    assert_status(scrip_ledger_verify(d->ledger, OTHER_KEY, checkpoint, &report), SCRIP_E_MAC);
    assert_status(scrip_ledger_verify(d->ledger, KEY, "hello", &report), SCRIP_E_FORMAT);
    assert_status(scrip_ledger_verify(d->ledger, KEY, "", &report), SCRIP_E_FORMAT);
    const size_t len = strlen(checkpoint);
    for (size_t i = 19; i + 1 < len; i += 3) {
        char altered[SCRIP_LEDGER_CHECKPOINT_MAX];
        memcpy(altered, checkpoint, len + 1);
        altered[i] = altered[i] == '1' ? '2' : '1';
        assert_int_not_equal(scrip_ledger_verify(d->ledger, KEY, altered, &report), SCRIP_OK);
    }
    checkpoint[len - 1] = '\0'; /* a lost line end is no alteration */
    assert_int_equal(problems(d, checkpoint), 0);
}

static void the_journal_refuses_changes_by_itself(void **state)
{
    struct desk *d = *state;
    sqlite3 *db = NULL;
    a_days_work(d);
    assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE entry SET amount = 1", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM entry", NULL, NULL, NULL), SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO entry (stream, seq, at, booking, src, dst, amount, hash) VALUES "
                                  "(0, 1, 0, 1, 1, 1, 5, zeroblob(32))",
                                  NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO entry (stream, seq, at, booking, src, dst, amount, hash) VALUES "
                                  "(0, 1, 0, 1, 1, 2, -5, zeroblob(32))",
                                  NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "UPDATE orders SET state = 2 WHERE id IN ('o1', 'o2')", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
}

static bool sum_entries(void *ctx, const struct scrip_ledger_entry *entry)
{
    int64_t *sum = ctx;
    *sum += entry->amount;
    return true;
}

static void a_credit_and_its_line_must_agree(void **state)
{
    struct desk *d = *state;
    char saved[80];
    static const uint8_t carol[7] = {0x11, 0x22, 0x33, 0x44};
    static const char *const changes[] = {
        "UPDATE debit SET amount = amount + 1 WHERE state = 7",
        "UPDATE debit SET state = 8 WHERE state = 7",
        "DELETE FROM debit WHERE state = 7",
        "UPDATE debit SET state = 7 WHERE state = 0",
        "UPDATE card SET float = float + 1 WHERE traits = 8",
        "UPDATE entry SET booking = 16, src = 0, merchant = NULL WHERE booking = 17",
    };
    struct scrip_ledger_card card = {.profile = "classic", .offline = true};
    struct scrip_ledger_debit line = debit_line(carol, 1, 0, 500);
    memcpy(card.uid, carol, 7);
    line.credit = true;
    desk_begin(d);
    assert_ok(scrip_ledger_card_add(d->ledger, &card));
    assert_int_equal(taken(d->ledger, &line), SCRIP_DEBIT_BOOKED);
    line = debit_line(carol, 2, 0, 20);
    assert_int_equal(taken(d->ledger, &line), SCRIP_DEBIT_BOOKED);
    desk_commit(d);
    save(d, saved);
    assert_int_equal(problems(d, NULL), 0);
    assert_each_is_found(d, changes, sizeof changes / sizeof *changes, saved);
    (void)unlink(saved);
}

static bool first_entry(void *ctx, const struct scrip_ledger_entry *entry)
{
    *(struct scrip_ledger_entry *)ctx = *entry;
    return false;
}

static void entries_show_what_they_rest_on(void **state)
{
    struct desk *d = *state;
    struct scrip_ledger_entry entry;
    int64_t sum = 0;
    a_days_work(d);
    assert_ok(scrip_ledger_entries(d->ledger, ALICE, 1, sum_entries, &sum));
    assert_int_equal(sum, 1000 + 1000 + 250 + 300);
    assert_ok(scrip_ledger_entries(d->ledger, NULL, 2, first_entry, &entry));
    assert_int_equal(entry.booking, SCRIP_BOOKING_CONFIRM);
    assert_string_equal(entry.order_id, "o1");
    assert_memory_equal(entry.uid, ALICE, 7);
    assert_int_equal(entry.evidence[0], 1);
    assert_int_equal(scrip_get_le32(entry.evidence + 4), 1); /* reference */
    assert_int_equal(scrip_get_le32(entry.evidence + 8), 1); /* TMC */
}

/* A database as the first schema left it: the later steps are taken when it is opened. */
static void a_book_of_the_first_schema_is_opened_and_goes_on(void **state)
{
    struct desk *d = *state;
    sqlite3 *db = NULL;
    a_days_work(d);
    scrip_ledger_close(d->ledger);
    assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP INDEX orders_that_can_expire; CREATE INDEX orders_that_can_expire ON orders "
                                  "(expires) WHERE state IN (0, 1, 11) AND expires > 0; DROP TABLE aside; PRAGMA "
                                  "user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    d->ledger = desk_open(d);
    assert_int_equal(problems(d, NULL), 0);
    desk_begin(d);
    funded(d->ledger, "o3", BOB, 700);
    desk_commit(d);
    assert_int_equal(problems(d, NULL), 0);
}

/* ---- What it costs ---- */

static unsigned thousands; /* of steps of the database's own machine */

static int count_steps(void *ctx)
{
    (void)ctx;
    thousands++;
    return 0;
}

static int on_open(sqlite3 *db)
{
    sqlite3_progress_handler(db, 1000, count_steps, NULL);
    return SQLITE_OK;
}

static unsigned work_of_verifying(struct desk *d, unsigned first, unsigned last)
{
    char id[16];
    desk_begin(d);
    for (unsigned i = first; i <= last; i++) {
        (void)snprintf(id, sizeof id, "w%u", i);
        confirmed(d->ledger, id, i % 2 ? ALICE : BOB, i);
    }
    desk_commit(d);
    thousands = 0;
    assert_int_equal(problems(d, NULL), 0);
    return thousands;
}

static void a_book_of_twice_the_orders_takes_twice_the_work(void **state)
{
    struct desk *d = *state;
    assert_int_equal(sqlite3_auto_extension((void (*)(void))on_open), SQLITE_OK);
    scrip_ledger_close(d->ledger);
    d->ledger = desk_open(d);
    sqlite3_reset_auto_extension();
    const unsigned once = work_of_verifying(d, 1, 400);
    const unsigned twice = work_of_verifying(d, 401, 800);
    assert_true(once > 10); /* thousand steps: enough to compare */
    assert_in_range(twice, once * 3 / 2, once * 5 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAW(every_change_of_every_row_of_the_journal_is_found),
        LAW(every_row_that_says_where_money_is_must_agree_with_the_journal),
        LAW(a_cut_tail_is_found_with_a_checkpoint),
        LAW(a_book_rewritten_with_all_its_hashes_is_found_with_a_checkpoint),
        LAW(a_checkpoint_stays_good_while_the_book_grows),
        LAW(a_checkpoint_that_is_not_ours_is_refused),
        LAW(the_journal_refuses_changes_by_itself),
        LAW(a_credit_and_its_line_must_agree),
        LAW(entries_show_what_they_rest_on),
        LAW(a_book_of_the_first_schema_is_opened_and_goes_on),
        LAW(a_book_of_twice_the_orders_takes_twice_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
