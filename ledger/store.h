/* store.h: the seam between the book and a database.
 *
 * The book speaks in named statements (statements.def), written in the SQL that SQLite and PostgreSQL share; a store
 * runs them. So a second database is one more driver of sixteen functions and a schema, not a second book. Values are
 * integers, texts and blobs; parameters are numbered ?1, ?2 .... */
#ifndef SCRIP_LEDGER_STORE_H
#define SCRIP_LEDGER_STORE_H

#include <scrip/bytes.h>
#include <scrip/ledger.h>

enum store_statement {
#define STATEMENT(name, sql) STORE_##name,
#include "statements.def"
#undef STATEMENT
    STORE_STATEMENT_COUNT
};

/** A parameter. Memory is borrowed until the statement is ended. */
struct store_value {
    enum { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB } type;
    int64_t number;
    const void *at;
    size_t len;
};

#define V_NULL        ((struct store_value){.type = STORE_NULL})
#define V_INT(value)  ((struct store_value){.type = STORE_INT, .number = (int64_t)(value)})
#define V_TEXT(text)  ((struct store_value){.type = STORE_TEXT, .at = (text), .len = strlen(text)})
#define V_BLOB(p, n)  ((struct store_value){.type = STORE_BLOB, .at = (p), .len = (n)})
#define V_OPT(has, v) ((has) ? V_INT(v) : V_NULL)

enum store_step {
    STORE_ROW,        /**< a row is there: read its columns */
    STORE_DONE,       /**< no more rows */
    STORE_CONSTRAINT, /**< a uniqueness or check refused the statement; it has changed nothing */
    STORE_FAILED,     /**< the database failed */
};

struct store;

struct store_ops {
    enum scrip_status (*begin)(struct store *store);
    /** One that only reads, all of it as it is at its first statement; waits for nobody. */
    enum scrip_status (*begin_read)(struct store *store);
    enum scrip_status (*commit)(struct store *store);
    void (*rollback)(struct store *store);
    /** Set a savepoint; undo to it and drop it, or just drop it. */
    enum scrip_status (*savepoint)(struct store *store);
    enum scrip_status (*release)(struct store *store, bool keep);
    enum scrip_status (*idle)(struct store *store);
    uint64_t (*changes)(const struct store *store);
    const char *(*message)(const struct store *store);
    void (*close)(struct store *store);

    /** Run a statement to its first row. Statements of different names may be open at a time. */
    enum store_step (*start)(struct store *store, enum store_statement statement, const struct store_value *values,
                             size_t count);
    enum store_step (*next)(struct store *store, enum store_statement statement);
    bool (*is_null)(struct store *store, enum store_statement statement, int column);
    int64_t (*number)(struct store *store, enum store_statement statement, int column);
    struct scrip_bytes (*bytes)(struct store *store, enum store_statement statement, int column);
    /** End it. @return rows that it changed */
    unsigned (*end)(struct store *store, enum store_statement statement);
};

/** Embed as first member. */
struct store {
    const struct store_ops *ops;
};

/** Open the SQLite store. @param existing  do not make it. @return as scrip_ledger_open */
enum scrip_status store_sqlite_open(const char *path, unsigned busy_ms, bool existing, struct store **store);

#endif
