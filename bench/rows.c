/* Recording uses SQLite's preupdate hook on the ledger's own connection: what is kept are values, not statements. */
#include "rows.h"

#define SQLITE_ENABLE_PREUPDATE_HOOK /* compiled in, but not declared without this */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    COLUMNS = 32, /* most columns of a table */
    TABLES = 32,
    STATEMENTS = 256,
};

struct table {
    char name[64];
    int columns;
    uint32_t key; /* bit i: column i is part of the primary key */
    char column[COLUMNS][48];
};

struct change {
    uint8_t table;
    uint8_t kind;    /* SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE */
    uint32_t values; /* columns written */
    uint32_t commit; /* number of the transaction it belongs to */
    sqlite3_int64 rowid;
    sqlite3_value *column[COLUMNS]; /* new values, and of an update or deletion the old key */
};

struct rows {
    sqlite3 *db; /* recorded connection */
    bool on;
    uint8_t *start; /* the database from before the recording, as a file has it */
    size_t start_len;
    size_t tables;
    struct table table[TABLES];
    size_t count, cap;
    struct change *change;
    uint32_t commits;
    bool dirty;
};

static struct rows *recording; /* sqlite3_auto_extension takes no context */

static void check(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        bench_die("SQLite", db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    }
}

/* ---- recording ---- */

static void describe(sqlite3 *db, struct table *table, const char *name)
{
    sqlite3_stmt *info = NULL;
    (void)snprintf(table->name, sizeof table->name, "%s", name);
    check(db, sqlite3_prepare_v2(db, "SELECT name, pk FROM pragma_table_info(?1)", -1, &info, NULL));
    check(db, sqlite3_bind_text(info, 1, name, -1, SQLITE_STATIC));
    while (sqlite3_step(info) == SQLITE_ROW && table->columns < COLUMNS) {
        const int i = table->columns++;
        (void)snprintf(table->column[i], sizeof table->column[i], "%s", (const char *)sqlite3_column_text(info, 0));
        table->key |= sqlite3_column_int(info, 1) > 0 ? 1U << i : 0;
    }
    (void)sqlite3_finalize(info);
}

static size_t table_of(struct rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->tables; i++) {
        if (strcmp(rows->table[i].name, name) == 0) {
            return i;
        }
    }
    /* The hook may not prepare statements: describe_all did it before. */
    bench_die("recording: unknown table", name);
}

static void describe_all(struct rows *rows)
{
    sqlite3_stmt *names = NULL;
    rows->tables = 0;
    check(rows->db,
          sqlite3_prepare_v2(rows->db, "SELECT name FROM sqlite_master WHERE type = 'table'", -1, &names, NULL));
    while (sqlite3_step(names) == SQLITE_ROW && rows->tables < TABLES) {
        struct table *table = &rows->table[rows->tables++];
        memset(table, 0, sizeof *table);
        describe(rows->db, table, (const char *)sqlite3_column_text(names, 0));
    }
    (void)sqlite3_finalize(names);
}

static bool same(sqlite3_value *a, sqlite3_value *b)
{
    const int type = sqlite3_value_type(a);
    if (type != sqlite3_value_type(b)) {
        return false;
    }
    if (type == SQLITE_INTEGER) {
        return sqlite3_value_int64(a) == sqlite3_value_int64(b);
    }
    if (type == SQLITE_NULL) {
        return true;
    }
    const int len = sqlite3_value_bytes(a);
    return len == sqlite3_value_bytes(b) &&
           (len == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)len) == 0);
}

static struct change *change_new(struct rows *rows)
{
    if (rows->count == rows->cap) {
        rows->cap = rows->cap == 0 ? 1024 : rows->cap * 2;
        rows->change = realloc(rows->change, rows->cap * sizeof *rows->change);
        if (rows->change == NULL) {
            bench_die("recording", "out of memory");
        }
    }
    struct change *change = &rows->change[rows->count++];
    memset(change, 0, sizeof *change);
    return change;
}

static void on_change(void *ctx, sqlite3 *db, int kind, const char *schema, const char *name, sqlite3_int64 before,
                      sqlite3_int64 after)
{
    struct rows *rows = ctx;
    (void)schema;
    if (!rows->on) {
        return;
    }
    struct change *change = change_new(rows);
    change->table = (uint8_t)table_of(rows, name);
    change->kind = (uint8_t)kind;
    change->commit = rows->commits;
    change->rowid = kind == SQLITE_INSERT ? after : before;
    const struct table *table = &rows->table[change->table];
    for (int i = 0; i < table->columns; i++) {
        sqlite3_value *old = NULL;
        sqlite3_value *new = NULL;
        if (kind != SQLITE_INSERT) {
            (void)sqlite3_preupdate_old(db, i, &old);
        }
        if (kind != SQLITE_DELETE) {
            (void)sqlite3_preupdate_new(db, i, &new);
        }
        const bool written = new != NULL && (old == NULL || !same(old, new));
        change->values |= written ? 1U << i : 0;
        if (written || (table->key >> i & 1U) != 0) {
            change->column[i] = sqlite3_value_dup(written ? new : old);
        }
    }
    rows->dirty = true;
}

static int on_commit(void *ctx)
{
    struct rows *rows = ctx;
    if (rows->on && rows->dirty) {
        rows->commits++;
        rows->dirty = false;
    }
    return 0;
}

static int on_open(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    if (recording != NULL && recording->db == NULL) {
        recording->db = db;
        (void)sqlite3_preupdate_hook(db, on_change, recording);
        (void)sqlite3_commit_hook(db, on_commit, recording);
    }
    return SQLITE_OK;
}

struct rows *rows_record(void)
{
    recording = calloc(1, sizeof *recording);
    if (recording == NULL) {
        bench_die("recording", "out of memory");
    }
    check(NULL, sqlite3_auto_extension((void (*)(void))on_open));
    return recording;
}

/* Bytes, no open database: the replay begins with a SQLite of its own. */
static void keep_start(struct rows *rows)
{
    sqlite3_int64 len = 0;
    unsigned char *bytes = sqlite3_serialize(rows->db, "main", &len, 0);
    rows->start = bytes != NULL ? malloc((size_t)len) : NULL;
    if (rows->start == NULL) {
        bench_die("recording", "out of memory");
    }
    memcpy(rows->start, bytes, (size_t)len);
    rows->start_len = (size_t)len;
    sqlite3_free(bytes);
}

void rows_start(struct rows *rows)
{
    if (rows->db == NULL) {
        bench_die("recording", "no database was opened");
    }
    (void)sqlite3_cancel_auto_extension((void (*)(void))on_open);
    recording = NULL;
    keep_start(rows);
    describe_all(rows);
    rows->on = true;
}

void rows_stop(struct rows *rows)
{
    rows->on = false;
    rows->db = NULL;
}

size_t rows_transitions(const struct rows *rows)
{
    return rows->commits;
}

size_t rows_count(const struct rows *rows)
{
    return rows->count;
}

void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            sqlite3_value_free(rows->change[i].column[k]);
        }
    }
    free(rows->start);
    free(rows->change);
    free(rows);
}

/* ---- writing the rows again ---- */

struct replay {
    const struct rows *rows;
    sqlite3 *db;
    size_t statements;
    struct prepared {
        uint8_t table, kind;
        uint32_t values;
        sqlite3_stmt *stmt;
    } prepared[STATEMENTS];
};

static void list(char *sql, size_t cap, const struct table *table, uint32_t columns, const char *form,
                 const char *between)
{
    const char *glue = "";
    for (int i = 0; i < table->columns; i++) {
        if ((columns >> i & 1U) != 0) {
            char part[80];
            (void)snprintf(part, sizeof part, form, table->column[i], i + 1);
            (void)snprintf(sql + strlen(sql), cap - strlen(sql), "%s%s", glue, part);
            glue = between;
        }
    }
}

#define ADD(text) (void)snprintf(sql + strlen(sql), cap - strlen(sql), "%s", (text))

static void write_sql(char *sql, size_t cap, const struct table *table, const struct change *change)
{
    sql[0] = '\0';
    if (change->kind == SQLITE_INSERT) {
        (void)snprintf(sql, cap, "INSERT INTO %s VALUES (", table->name);
        for (int i = 0; i < table->columns; i++) {
            char part[16];
            (void)snprintf(part, sizeof part, "%s?%d", i == 0 ? "" : ", ", i + 1);
            ADD(part);
        }
        ADD(")");
        return;
    }
    (void)snprintf(sql, cap, change->kind == SQLITE_DELETE ? "DELETE FROM %s" : "UPDATE %s SET ", table->name);
    if (change->kind == SQLITE_UPDATE) {
        if (change->values == 0) { /* written, and the same as before */
            ADD(table->column[0]);
            ADD(" = ");
            ADD(table->column[0]);
        }
        list(sql, cap, table, change->values, "%s = ?%d", ", ");
    }
    ADD(" WHERE ");
    if (table->key == 0) {
        ADD("rowid = ?100");
    } else {
        list(sql, cap, table, table->key, "%s = ?%d", " AND ");
    }
}

#undef ADD

static sqlite3_stmt *statement(struct replay *replay, const struct change *change)
{
    for (size_t i = 0; i < replay->statements; i++) {
        const struct prepared *p = &replay->prepared[i];
        if (p->table == change->table && p->kind == change->kind && p->values == change->values) {
            return p->stmt;
        }
    }
    if (replay->statements == STATEMENTS) {
        bench_die("replay", "too many statements");
    }
    char sql[4096];
    struct prepared *p = &replay->prepared[replay->statements++];
    *p = (struct prepared){change->table, change->kind, change->values, NULL};
    write_sql(sql, sizeof sql, &replay->rows->table[change->table], change);
    check(replay->db, sqlite3_prepare_v3(replay->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &p->stmt, NULL));
    return p->stmt;
}

static void write_row(struct replay *replay, const struct change *change)
{
    sqlite3_stmt *stmt = statement(replay, change);
    const struct table *table = &replay->rows->table[change->table];
    for (int i = 0; i < table->columns; i++) {
        if (change->column[i] != NULL && i < sqlite3_bind_parameter_count(stmt)) {
            check(replay->db, sqlite3_bind_value(stmt, i + 1, change->column[i]));
        }
    }
    if (change->kind != SQLITE_INSERT && table->key == 0) {
        check(replay->db, sqlite3_bind_int64(stmt, 100, change->rowid));
    }
    check(replay->db, sqlite3_step(stmt));
    check(replay->db, sqlite3_reset(stmt));
}

static void run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static void open_copy(struct replay *replay, const char *path)
{
    char other[600];
    (void)unlink(path);
    (void)snprintf(other, sizeof other, "%s-wal", path);
    (void)unlink(other);
    (void)snprintf(other, sizeof other, "%s-shm", path);
    (void)unlink(other);
    FILE *file = fopen(path, "wbe");
    if (file == NULL || fwrite(replay->rows->start, 1, replay->rows->start_len, file) != replay->rows->start_len ||
        fclose(file) != 0) {
        bench_die("replay: cannot write", path);
    }
    check(NULL, sqlite3_open(path, &replay->db));
    run(replay->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=20000");
}

/* Write all recorded rows once, until `until`. @return transitions written */
static size_t replay_once(struct replay *replay, double batch, double until)
{
    const struct rows *rows = replay->rows;
    size_t done = 0;
    size_t next = 0;
    double owed = 0;
    while (next < rows->count && bench_now() < until) {
        owed += batch;
        const uint32_t first = rows->change[next].commit;
        const uint32_t last = first + (owed >= 1 ? (uint32_t)owed : 1U);
        run(replay->db, "BEGIN IMMEDIATE");
        for (; next < rows->count && rows->change[next].commit < last; next++) {
            write_row(replay, &rows->change[next]);
        }
        run(replay->db, "COMMIT");
        owed -= last - first;
        done += (last < rows->commits ? last : rows->commits) - first;
    }
    return done;
}

static double replay(const struct rows *rows, const char *path, double batch, double seconds)
{
    double spent = 0;
    size_t done = 0;
    while (spent < seconds) {
        struct replay replay = {.rows = rows};
        open_copy(&replay, path);
        const double start = bench_now();
        done += replay_once(&replay, batch, start + seconds - spent);
        spent += bench_now() - start;
        for (size_t i = 0; i < replay.statements; i++) {
            (void)sqlite3_finalize(replay.prepared[i].stmt);
        }
        (void)sqlite3_close(replay.db);
        (void)unlink(path);
    }
    return (double)done / spent;
}

/* SQLite as it is when nobody has set it up: the ledger sets up this process's for a server. */
static void begin_anew(void)
{
    check(NULL, sqlite3_shutdown());
    check(NULL, sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 1));
    check(NULL, sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, 64 * 1024));
}

double rows_replay(const struct rows *rows, const char *path, double batch, double seconds)
{
    int pipes[2];
    double rate = 0;
    int status = 0;
    (void)fflush(stdout);
    if (pipe(pipes) != 0) {
        bench_die("replay", "no pipe");
    }
    const pid_t program = fork();
    if (program == 0) {
        begin_anew();
        rate = replay(rows, path, batch, seconds);
        _exit(write(pipes[1], &rate, sizeof rate) == sizeof rate ? 0 : 1);
    }
    (void)close(pipes[1]);
    const bool told = program > 0 && read(pipes[0], &rate, sizeof rate) == sizeof rate;
    (void)close(pipes[0]);
    if (!told || waitpid(program, &status, 0) != program || status != 0) {
        bench_die("replay", "the bare program failed");
    }
    return rate;
}
