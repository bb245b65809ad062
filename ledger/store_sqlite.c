/* store_sqlite.c: the embedded store. Write-ahead log, every commit synced, one writer at a time; statements are
 * prepared once and kept. Checkpoints are left to idle moments, because a checkpoint in the middle of a commit is what
 * makes the slowest answers. */
#include "gather.h"
#include "schema.h"
#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECKPOINT_PAGES 20000
#define SHORT_LOG_PAGES  1000
#define SAVEPOINT_BYTES  61440 /* kept of a request's pages in memory, in one piece: from 64 KB on, free() tidies up */
/* SQLite's own cache is small. The system keeps the file in memory, too, so a page that is missing here costs a
 * microsecond; but a commit after the tree was balanced walks over all of the cache (balancing numbers a page for a
 * moment as the one of the lock byte, at 1 GB, and SQLite then looks for such). 64 MB took 700 us, in one commit of 25.
 */
#define CACHE_KB         8192
#define ASK_EVERY_US     500 /* for the write lock, while another process has it */

struct sqlite_store {
    struct store base;
    sqlite3 *db;
    unsigned busy_ms;
    int64_t waits_since_us;
    sqlite3_stmt *statements[STORE_STATEMENT_COUNT];
};

static const char *const sql[STORE_STATEMENT_COUNT] = {
#define STATEMENT(name, text) [STORE_##name] = text,
#include "statements.def"
#undef STATEMENT
};

static struct sqlite_store *self(const struct store *store)
{
    return (struct sqlite_store *)store;
}

static enum store_step step_of(int rc)
{
    switch (rc & 0xFF) {
    case SQLITE_ROW:
        return STORE_ROW;
    case SQLITE_DONE:
        return STORE_DONE;
    case SQLITE_CONSTRAINT:
        return STORE_CONSTRAINT;
    default:
        return STORE_FAILED;
    }
}

static enum scrip_status run(struct sqlite_store *store, enum store_statement statement)
{
    const enum store_step step = store->base.ops->start(&store->base, statement, NULL, 0);
    store->base.ops->end(&store->base, statement);
    return step == STORE_DONE || step == STORE_ROW ? SCRIP_OK : SCRIP_E_STORE;
}

static enum scrip_status begin(struct store *store)
{
    return run(self(store), STORE_BEGIN);
}

static enum scrip_status begin_read(struct store *store)
{
    return run(self(store), STORE_BEGIN_READ);
}

/* One that failed may have found the disk full. From then on the log is kept short, or it would take what room comes
 * back and leave none for the file that it is to be moved into. */
static enum scrip_status commit(struct store *store)
{
    const enum scrip_status status = run(self(store), STORE_COMMIT);
    if (status != SCRIP_OK) {
        (void)sqlite3_wal_autocheckpoint(self(store)->db, SHORT_LOG_PAGES);
    }
    return status;
}

static void rollback(struct store *store)
{
    if (!sqlite3_get_autocommit(self(store)->db)) {
        (void)run(self(store), STORE_ROLLBACK);
    }
}

static enum scrip_status savepoint(struct store *store)
{
    return run(self(store), STORE_SAVEPOINT);
}

static enum scrip_status release(struct store *store, bool keep)
{
    if (!keep) {
        SCRIP_TRY(run(self(store), STORE_UNDO));
    }
    return run(self(store), STORE_RELEASE);
}

static enum scrip_status idle(struct store *store)
{
    sqlite3 *db = self(store)->db;
    if (!sqlite3_get_autocommit(db)) {
        return SCRIP_E_STATE;
    }
    const int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? SCRIP_OK : SCRIP_E_STORE;
}

static uint64_t changes(const struct store *store)
{
    return (uint64_t)sqlite3_total_changes64(self(store)->db);
}

static const char *message(const struct store *store)
{
    return sqlite3_errmsg(self(store)->db);
}

static bool bind(sqlite3_stmt *stmt, int at, const struct store_value *value)
{
    switch (value->type) {
    case STORE_INT:
        return sqlite3_bind_int64(stmt, at, value->number) == SQLITE_OK;
    case STORE_TEXT:
        return sqlite3_bind_text(stmt, at, value->at, (int)value->len, SQLITE_STATIC) == SQLITE_OK;
    case STORE_BLOB:
        return sqlite3_bind_blob(stmt, at, value->len == 0 ? "" : value->at, (int)value->len, SQLITE_STATIC) ==
               SQLITE_OK;
    default:
        return sqlite3_bind_null(stmt, at) == SQLITE_OK;
    }
}

static enum store_step start(struct store *store, enum store_statement statement, const struct store_value *values,
                             size_t count)
{
    struct sqlite_store *me = self(store);
    sqlite3_stmt **stmt = &me->statements[statement];
    if (*stmt == NULL &&
        sqlite3_prepare_v3(me->db, sql[statement], -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK) {
        return STORE_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!bind(*stmt, (int)i + 1, &values[i])) {
            return STORE_FAILED;
        }
    }
    return step_of(sqlite3_step(*stmt));
}

static enum store_step next(struct store *store, enum store_statement statement)
{
    return step_of(sqlite3_step(self(store)->statements[statement]));
}

static bool is_null(struct store *store, enum store_statement statement, int column)
{
    return sqlite3_column_type(self(store)->statements[statement], column) == SQLITE_NULL;
}

static int64_t number(struct store *store, enum store_statement statement, int column)
{
    return sqlite3_column_int64(self(store)->statements[statement], column);
}

static struct scrip_bytes bytes(struct store *store, enum store_statement statement, int column)
{
    sqlite3_stmt *stmt = self(store)->statements[statement];
    const void *at = sqlite3_column_blob(stmt, column);
    return scrip_bytes(at, (size_t)sqlite3_column_bytes(stmt, column));
}

static unsigned end(struct store *store, enum store_statement statement)
{
    struct sqlite_store *me = self(store);
    const unsigned changed = (unsigned)sqlite3_changes(me->db);
    if (me->statements[statement] != NULL) {
        sqlite3_reset(me->statements[statement]);
    }
    return changed;
}

static void close_store(struct store *store)
{
    struct sqlite_store *me = self(store);
    rollback(store);
    for (int i = 0; i < STORE_STATEMENT_COUNT; i++) {
        sqlite3_finalize(me->statements[i]);
    }
    sqlite3_close(me->db);
    free(me);
}

static const struct store_ops ops = {
    .begin = begin,
    .begin_read = begin_read,
    .commit = commit,
    .rollback = rollback,
    .savepoint = savepoint,
    .release = release,
    .idle = idle,
    .changes = changes,
    .message = message,
    .close = close_store,
    .start = start,
    .next = next,
    .is_null = is_null,
    .number = number,
    .bytes = bytes,
    .end = end,
};

static bool exec(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool get_version(sqlite3 *db, unsigned *version)
{
    sqlite3_stmt *stmt = NULL;
    bool ok =
        sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    if (ok) {
        *version = (unsigned)sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return ok;
}

/* SQLite's own waiting asks every 100 ms in the end. A second server lets the lock go for some 100 us between two
 * ticks: whoever asks that seldom waits for seconds while the other makes hundreds of commits. */
static int wait_for_lock(void *ctx, int asked)
{
    struct sqlite_store *me = ctx;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    me->waits_since_us = asked == 0 ? now_us : me->waits_since_us;
    if (now_us - me->waits_since_us >= (int64_t)me->busy_ms * 1000) {
        return 0;
    }
    (void)nanosleep(&(const struct timespec){.tv_nsec = ASK_EVERY_US * 1000}, NULL);
    return 1;
}

/* Another process may be doing the same: everything happens under the write lock. Where there is nothing to do nobody
 * is waited for: a server may hold that lock for longer than a tool's patience. */
static enum scrip_status upgrade(sqlite3 *db)
{
    unsigned version = 0;
    char set[64];
    if (get_version(db, &version) && version == scrip_ledger_schema_count) {
        return SCRIP_OK;
    }
    if (!exec(db, "BEGIN IMMEDIATE") || !get_version(db, &version)) {
        return SCRIP_E_IO;
    }
    bool ok = version <= scrip_ledger_schema_count;
    for (unsigned i = version; ok && i < scrip_ledger_schema_count; i++) {
        (void)snprintf(set, sizeof set, "PRAGMA user_version = %u", i + 1);
        if (!exec(db, scrip_ledger_schema[i]) || !exec(db, set)) {
            (void)exec(db, "ROLLBACK");
            return SCRIP_E_STORE;
        }
    }
    (void)exec(db, ok ? "COMMIT" : "ROLLBACK");
    return ok ? SCRIP_OK : SCRIP_E_UNSUPPORTED;
}

enum scrip_status store_sqlite_open(const char *path, unsigned busy_ms, bool existing, struct store **store)
{
    struct sqlite_store *me = calloc(1, sizeof *me);
    if (me == NULL) {
        return SCRIP_E_MEMORY;
    }
    /* What SQLite counts of its memory it counts under a lock, at each of some hundred allocations a top-up. Refused,
     * and no harm, where the process has used SQLite before. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, SAVEPOINT_BYTES);
    char pragmas[256];
    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = %d;"
                   "PRAGMA cache_size = -%d; PRAGMA cache_spill = OFF; PRAGMA foreign_keys = OFF",
                   CHECKPOINT_PAGES, CACHE_KB);
    me->base.ops = &ops;
    enum scrip_status status = SCRIP_E_IO;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (existing ? 0 : SQLITE_OPEN_CREATE);
    if (sqlite3_open_v2(path, &me->db, flags, gather_vfs()) == SQLITE_OK) {
        me->busy_ms = busy_ms;
        (void)sqlite3_busy_handler(me->db, wait_for_lock, me);
        status = exec(me->db, pragmas) ? upgrade(me->db) : SCRIP_E_IO;
    }
    if (status != SCRIP_OK) {
        sqlite3_close(me->db);
        free(me);
        return status;
    }
    *store = &me->base;
    return SCRIP_OK;
}
