/* The log of the database goes to the disk in one piece, and nobody can tell but by counting. Below the layer lies a
 * VFS of this test that counts, and fails when told to. */
#include "check.h"
#include "disk_below.h"
#include "gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    unsigned writes; /* of logs */
    unsigned syncs;
    unsigned until_failure; /* writes and syncs of logs; 0: none fails */
} disk;

/* ---- a disk that counts ---- */

static sqlite3_io_methods counting;
static const sqlite3_io_methods *plain_methods;

static bool fails(void)
{
    return disk.until_failure > 0 && --disk.until_failure == 0;
}

static int counted_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    disk.writes++;
    return fails() ? SQLITE_IOERR_WRITE : plain_methods->xWrite(file, bytes, len, at);
}

static int counted_sync(sqlite3_file *file, int flags)
{
    disk.syncs++;
    return fails() ? SQLITE_IOERR_FSYNC : plain_methods->xSync(file, flags);
}

static int counted_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    const int rc = plain->xOpen(plain, name, file, flags, out);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        plain_methods = file->pMethods;
        counting = *plain_methods;
        counting.xWrite = counted_write;
        counting.xSync = counted_sync;
        file->pMethods = &counting;
    }
    return rc;
}

static int put_counting_disk_below(void **state)
{
    (void)state;
    return put_disk_below("counting", counted_open);
}

/* ---- two connections to one database: through the layer, and as any other program ---- */

struct pair {
    char path[64];
    sqlite3 *ours;
    sqlite3 *other;
};

static sqlite3 *opened(const char *path, const char *vfs)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_spill = OFF",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static long long number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const long long value = sqlite3_column_int64(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return value;
}

static void assert_whole(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
}

static int set_up(void **state)
{
    static struct pair pair;
    (void)snprintf(pair.path, sizeof pair.path, "gather.%d.db", (int)getpid());
    pair.ours = opened(pair.path, gather_vfs());
    pair.other = opened(pair.path, NULL);
    assert_int_equal(run(pair.ours, "CREATE TABLE t (n INTEGER PRIMARY KEY, fill BLOB)"), SQLITE_OK);
    memset(&disk, 0, sizeof disk);
    *state = &pair;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct pair *pair = *state;
    disk.until_failure = 0;
    (void)sqlite3_close(pair->ours);
    (void)sqlite3_close(pair->other);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s%s", pair->path, ends[i]);
        (void)unlink(name);
    }
    return 0;
}

/* A transaction of some twenty pages. */
static int insert_twenty(sqlite3 *db)
{
    return run(db, "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20) "
                   "INSERT INTO t (fill) SELECT randomblob(3900) FROM c");
}

#define COUNT "SELECT count(*) FROM t"

static void a_commit_is_one_write_and_one_barrier(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(insert_twenty(pair->ours), SQLITE_OK);
    assert_int_equal(disk.writes, 1);
    assert_int_equal(disk.syncs, 1);
    disk.writes = 0;
    assert_int_equal(insert_twenty(pair->other), SQLITE_OK);
    assert_true(disk.writes >= 40); /* what it is without the layer: the yardstick of this test */
    assert_int_equal(number(pair->ours, COUNT), 40);
}

static void a_large_commit_goes_in_pieces(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(run(pair->ours, "BEGIN"), SQLITE_OK);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(insert_twenty(pair->ours), SQLITE_OK);
    }
    assert_int_equal(disk.writes, 0);
    assert_int_equal(run(pair->ours, "COMMIT"), SQLITE_OK);
    assert_in_range(disk.writes, 7, 9); /* 200 pages of 4,120 bytes, 31 of them fit */
    assert_int_equal(number(pair->other, COUNT), 200);
    assert_whole(pair->other);
}

static void others_see_a_commit_as_soon_as_it_is_made(void **state)
{
    struct pair *pair = *state;
    for (int i = 1; i <= 30; i++) {
        assert_int_equal(insert_twenty(i % 3 == 0 ? pair->other : pair->ours), SQLITE_OK);
        assert_int_equal(number(pair->other, COUNT), 20 * i);
        assert_int_equal(number(pair->ours, COUNT), 20 * i);
        if (i % 7 == 0) { /* the log begins again at its start */
            assert_int_equal(sqlite3_wal_checkpoint_v2(i % 2 ? pair->ours : pair->other, NULL,
                                                       SQLITE_CHECKPOINT_RESTART, NULL, NULL),
                             SQLITE_OK);
        }
    }
    assert_whole(pair->other);
}

/* Were it held back and written later, it would destroy what the other has written in the same place. */
static void what_is_rolled_back_is_never_written(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(run(pair->ours, "BEGIN"), SQLITE_OK);
    assert_int_equal(insert_twenty(pair->ours), SQLITE_OK);
    assert_int_equal(run(pair->ours, "ROLLBACK"), SQLITE_OK);
    assert_int_equal(insert_twenty(pair->other), SQLITE_OK);
    assert_int_equal(number(pair->ours, COUNT), 20);
    assert_int_equal(insert_twenty(pair->ours), SQLITE_OK);
    assert_int_equal(number(pair->other, COUNT), 40);
    assert_whole(pair->other);
}

/* Every write and every barrier of a commit fails once; the other goes on in between, in the same place of the log. */
static void a_commit_that_fails_leaves_nothing(void **state)
{
    struct pair *pair = *state;
    long long rows = 0;
    unsigned failed = 0;
    for (unsigned point = 1; point <= 12; point++) {
        assert_int_equal(run(pair->ours, "BEGIN"), SQLITE_OK);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(insert_twenty(pair->ours), SQLITE_OK);
        }
        disk.until_failure = point;
        const int rc = run(pair->ours, "COMMIT");
        const bool in_reach = disk.until_failure == 0;
        disk.until_failure = 0;
        (void)run(pair->ours, "ROLLBACK");
        assert_int_equal(rc == SQLITE_OK, !in_reach);
        failed += in_reach;
        rows += rc == SQLITE_OK ? 200 : 0;
        assert_int_equal(insert_twenty(pair->other), SQLITE_OK);
        rows += 20;
        assert_int_equal(number(pair->ours, COUNT), rows);
        assert_int_equal(number(pair->other, COUNT), rows);
        assert_whole(pair->other);
    }
    assert_in_range(failed, 8, 11);
}

int main(void)
{
#define LAW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LAW(a_commit_is_one_write_and_one_barrier),     LAW(a_large_commit_goes_in_pieces),
        LAW(others_see_a_commit_as_soon_as_it_is_made), LAW(what_is_rolled_back_is_never_written),
        LAW(a_commit_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, put_counting_disk_below, NULL);
}
