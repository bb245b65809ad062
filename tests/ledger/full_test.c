/* The disk of the ledger is full, and some room comes back. Below the ledger lies a VFS of this test that has so much
 * room and no more. */
#include "desk.h"
#include "disk_below.h"

#include <string.h>

#define ROOM    (8LL << 20)
#define COMES   (3LL << 20)
#define COMMITS 150U
#define ORDERS  30U /* in each */

/* ---- a disk of a size ---- */

enum file_kind { BOOK, LOG, FILES };

static struct {
    long long room;
    long long size[FILES];
} disk;

static const sqlite3_io_methods *plain_methods;
static sqlite3_io_methods limited[FILES];

static int limited_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    const enum file_kind kind = file->pMethods == &limited[LOG] ? LOG : BOOK;
    const long long more = at + len - disk.size[kind];
    if (more > 0 && disk.size[BOOK] + disk.size[LOG] + more > disk.room) {
        return SQLITE_FULL;
    }
    disk.size[kind] += more > 0 ? more : 0;
    return plain_methods->xWrite(file, bytes, len, at);
}

static int limited_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    const int rc = plain->xOpen(plain, name, file, flags, out);
    if (rc == SQLITE_OK && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)) != 0) {
        const enum file_kind kind = (flags & SQLITE_OPEN_WAL) != 0 ? LOG : BOOK;
        plain_methods = file->pMethods;
        limited[kind] = *plain_methods;
        limited[kind].xWrite = limited_write;
        file->pMethods = &limited[kind];
    }
    return rc;
}

static int put_full_disk_below(void **state)
{
    (void)state;
    disk.room = ROOM;
    return put_disk_below("limited", limited_open);
}

/* ---- the ledger on it ---- */

/* Ids all over the index, so that a commit is of some forty pages. */
static bool commits_orders(struct desk *d, unsigned commit)
{
    char id[16];
    desk_begin(d);
    for (unsigned i = commit * ORDERS; i < (commit + 1) * ORDERS; i++) {
        (void)snprintf(id, sizeof id, "o%u", i * 7919 % 100003);
        assert_ok(order_for(d->ledger, id, i % 2 ? ALICE : BOB, 1));
    }
    return scrip_ledger_commit(d->ledger) == SCRIP_OK;
}

static void room_that_comes_back_lasts_until_the_book_itself_needs_more(void **state)
{
    struct desk *d = *state;
    unsigned i = 0;
    disk.room = ROOM;
    while (commits_orders(d, i)) { /* never idle, so the log grows until there is no room */
        i++;
    }
    assert_string_equal(scrip_ledger_message(d->ledger), "database or disk is full");
    assert_int_equal(state_of(d->ledger, "o0"), SCRIP_STATE_CREATED);
    disk.room += COMES;
    (void)scrip_ledger_idle(d->ledger); /* what a server does behind a commit that failed */
    for (const unsigned last = i + COMMITS; i < last; i++) {
        assert_true(commits_orders(d, i));
    }
    assert_book(d->ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(room_that_comes_back_lasts_until_the_book_itself_needs_more, desk_setup,
                                        desk_teardown),
    };
    return cmocka_run_group_tests(tests, put_full_disk_below, NULL);
}
