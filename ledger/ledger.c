#include "book.h"

#include <sodium.h>
#include <stdlib.h>

enum scrip_status scrip_ledger_open(const struct scrip_ledger_config *config, struct scrip_ledger **ledger)
{
    if (config->path == NULL || config->clock.now_ms == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    if (sodium_init() < 0) {
        return SCRIP_E_RANDOM;
    }
    struct scrip_ledger *me = calloc(1, sizeof *me);
    if (me == NULL) {
        return SCRIP_E_MEMORY;
    }
    me->clock = config->clock;
    me->commit_hook = config->commit_hook;
    me->commit_ctx = config->commit_ctx;
    const enum scrip_status status =
        store_sqlite_open(config->path, config->busy_ms == 0 ? 5000U : config->busy_ms, config->existing, &me->store);
    if (status != SCRIP_OK) {
        free(me);
        return status;
    }
    *ledger = me;
    return SCRIP_OK;
}

void scrip_ledger_close(struct scrip_ledger *ledger)
{
    if (ledger != NULL) {
        ledger->store->ops->close(ledger->store);
        free(ledger);
    }
}

const char *scrip_ledger_message(const struct scrip_ledger *ledger)
{
    return ledger->lost[0] != '\0' ? ledger->lost : ledger->store->ops->message(ledger->store);
}

static bool is_lost(const struct scrip_ledger *ledger)
{
    return ledger->in_transaction && ledger->lost[0] != '\0';
}

/* When it fails inside a transaction, the database may have rolled back all of it by itself, and what followed would be
 * durable statement by statement. So nothing follows. The first reason is kept: the next call overwrites it. */
static enum scrip_status lose(struct scrip_ledger *ledger, const char *why)
{
    if (!is_lost(ledger)) {
        copy_text(ledger->lost, sizeof ledger->lost, why);
    }
    return SCRIP_E_STORE;
}

static enum scrip_status lose_by_store(struct scrip_ledger *ledger)
{
    return lose(ledger, ledger->store->ops->message(ledger->store));
}

static enum scrip_status begin(struct scrip_ledger *ledger, enum scrip_status (*begin_store)(struct store *store))
{
    if (ledger->in_transaction) {
        return SCRIP_E_STATE;
    }
    ledger->lost[0] = '\0';
    SCRIP_TRY(begin_store(ledger->store));
    ledger->in_transaction = true;
    ledger->request = REQUEST_NONE;
    ledger->known.has = 0;
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_begin(struct scrip_ledger *ledger)
{
    return begin(ledger, ledger->store->ops->begin);
}

enum scrip_status scrip_ledger_begin_read(struct scrip_ledger *ledger)
{
    return begin(ledger, ledger->store->ops->begin_read);
}

enum scrip_status scrip_ledger_commit(struct scrip_ledger *ledger)
{
    if (!ledger->in_transaction) {
        return SCRIP_E_STATE;
    }
    const bool refused =
        is_lost(ledger) || (ledger->commit_hook != NULL && !ledger->commit_hook(ledger->commit_ctx, false));
    if (refused || ledger->store->ops->commit(ledger->store) != SCRIP_OK) {
        (void)lose_by_store(ledger);
        scrip_ledger_rollback(ledger);
        return SCRIP_E_STORE;
    }
    ledger->in_transaction = false;
    const bool told = ledger->commit_hook == NULL || ledger->commit_hook(ledger->commit_ctx, true);
    return told ? SCRIP_OK : SCRIP_E_STORE;
}

void scrip_ledger_rollback(struct scrip_ledger *ledger)
{
    ledger->store->ops->rollback(ledger->store);
    ledger->in_transaction = false;
}

enum scrip_status scrip_ledger_request_begin(struct scrip_ledger *ledger)
{
    if (!ledger->in_transaction) {
        return SCRIP_E_STATE;
    }
    ledger->request = REQUEST_CLEAN;
    return SCRIP_OK;
}

void scrip_ledger_request_sure(struct scrip_ledger *ledger)
{
    if (ledger->request == REQUEST_CLEAN) {
        ledger->request = REQUEST_SURE;
    }
}

enum scrip_status scrip_ledger_request_end(struct scrip_ledger *ledger, bool keep)
{
    const enum ledger_request request = ledger->request;
    if (!ledger->in_transaction) {
        return SCRIP_E_STATE;
    }
    ledger->request = REQUEST_NONE;
    if (!keep) {
        ledger->known.has = 0;
    }
    if (request == REQUEST_BOUND && !keep) {
        return lose(ledger, "a request that was sure of itself was refused behind its first change");
    }
    if (is_lost(ledger)) {
        return SCRIP_E_STORE;
    }
    const bool done = request != REQUEST_CHANGED || ledger->store->ops->release(ledger->store, keep) == SCRIP_OK;
    return done ? SCRIP_OK : lose_by_store(ledger);
}

uint64_t scrip_ledger_changes(const struct scrip_ledger *ledger)
{
    return ledger->store->ops->changes(ledger->store);
}

enum scrip_status scrip_ledger_idle(struct scrip_ledger *ledger)
{
    return ledger->in_transaction ? SCRIP_E_STATE : ledger->store->ops->idle(ledger->store);
}

/* ---- Statements ---- */

/* Of the rows that the transaction knows, those that a statement leaves as they are. A statement that is not listed
 * makes it forget all of them. */
#define KNOWN_ALL (KNOWN_CARD | KNOWN_ORDER | KNOWN_ISSUE)
static const uint8_t spares[STORE_STATEMENT_COUNT] = {
    [STORE_CARD_SAVE] = KNOWN_ORDER | KNOWN_ISSUE,
    [STORE_CARD_TAKE_ISSUE] = KNOWN_ORDER | KNOWN_ISSUE,
    [STORE_ORDER_FUND] = KNOWN_CARD | KNOWN_ISSUE,
    [STORE_ORDER_MOVE] = KNOWN_CARD | KNOWN_ISSUE,
    [STORE_ORDER_ISSUE] = KNOWN_CARD | KNOWN_ISSUE,
    [STORE_ORDER_FINISH] = KNOWN_CARD | KNOWN_ISSUE,
    [STORE_ISSUE_ADD] = KNOWN_CARD | KNOWN_ORDER,
    [STORE_ISSUE_CLOSE] = KNOWN_CARD | KNOWN_ORDER,
    [STORE_ENTRY_ADD] = KNOWN_ALL,
    [STORE_HARVEST_ADD] = KNOWN_ALL,
    [STORE_DEBIT_ADD] = KNOWN_ALL,
    [STORE_DEBIT_SETTLE] = KNOWN_ALL,
};
#undef KNOWN_ALL

/* A request that changes nothing, every second one, needs no savepoint. */
static enum scrip_status before_change(struct scrip_ledger *ledger)
{
    if (ledger->request == REQUEST_CLEAN) {
        if (ledger->store->ops->savepoint(ledger->store) != SCRIP_OK) {
            return lose_by_store(ledger);
        }
        ledger->request = REQUEST_CHANGED;
    }
    return SCRIP_OK;
}

enum scrip_status ledger_run(struct scrip_ledger *ledger, enum store_statement statement,
                             const struct store_value *values, size_t count, unsigned *changed)
{
    if (!ledger->in_transaction) {
        return SCRIP_E_STATE; /* a change outside of a transaction would be durable by itself */
    }
    if (is_lost(ledger)) {
        return SCRIP_E_STORE;
    }
    SCRIP_TRY(before_change(ledger));
    ledger->known.has &= spares[statement];
    const struct store_ops *ops = ledger->store->ops;
    const enum store_step step = ops->start(ledger->store, statement, values, count);
    if (step != STORE_DONE && step != STORE_CONSTRAINT) {
        (void)lose_by_store(ledger);
    }
    const unsigned rows = ops->end(ledger->store, statement);
    if (step != STORE_DONE) {
        return step == STORE_CONSTRAINT ? SCRIP_E_EXISTS : SCRIP_E_STORE;
    }
    if (ledger->request == REQUEST_SURE && rows > 0) {
        ledger->request = REQUEST_BOUND;
    }
    if (changed != NULL) {
        *changed = rows;
    }
    return SCRIP_OK;
}

static enum scrip_status row_or_end(struct scrip_ledger *ledger, enum store_statement statement, enum store_step step)
{
    if (step == STORE_ROW) {
        return SCRIP_OK;
    }
    if (step != STORE_DONE) {
        (void)lose_by_store(ledger);
    }
    ledger_end(ledger, statement);
    return step == STORE_DONE ? SCRIP_E_NOT_FOUND : SCRIP_E_STORE;
}

enum scrip_status ledger_query(struct scrip_ledger *ledger, enum store_statement statement,
                               const struct store_value *values, size_t count)
{
    if (is_lost(ledger)) {
        return SCRIP_E_STORE;
    }
    return row_or_end(ledger, statement, ledger->store->ops->start(ledger->store, statement, values, count));
}

enum scrip_status ledger_next(struct scrip_ledger *ledger, enum store_statement statement)
{
    return row_or_end(ledger, statement, ledger->store->ops->next(ledger->store, statement));
}

void ledger_end(struct scrip_ledger *ledger, enum store_statement statement)
{
    (void)ledger->store->ops->end(ledger->store, statement);
}

enum scrip_status ledger_number(struct scrip_ledger *ledger, enum store_statement statement,
                                const struct store_value *values, size_t count, int64_t otherwise, int64_t *number)
{
    const enum scrip_status status = ledger_query(ledger, statement, values, count);
    if (status == SCRIP_E_NOT_FOUND) {
        *number = otherwise;
        return SCRIP_OK;
    }
    SCRIP_TRY(status);
    *number = column_is_null(ledger, statement, 0) ? otherwise : column_number(ledger, statement, 0);
    ledger_end(ledger, statement);
    return SCRIP_OK;
}

int64_t column_number(struct scrip_ledger *ledger, enum store_statement statement, int column)
{
    return ledger->store->ops->number(ledger->store, statement, column);
}

bool column_is_null(struct scrip_ledger *ledger, enum store_statement statement, int column)
{
    return ledger->store->ops->is_null(ledger->store, statement, column);
}

void column_text(struct scrip_ledger *ledger, enum store_statement statement, int column, char *text, size_t cap)
{
    const struct scrip_bytes bytes = ledger->store->ops->bytes(ledger->store, statement, column);
    const size_t len = bytes.len < cap - 1 ? bytes.len : cap - 1;
    if (len > 0) {
        memcpy(text, bytes.at, len);
    }
    text[len] = '\0';
}

void column_fixed(struct scrip_ledger *ledger, enum store_statement statement, int column, uint8_t *at, size_t len)
{
    const struct scrip_bytes bytes = ledger->store->ops->bytes(ledger->store, statement, column);
    memset(at, 0, len);
    if (bytes.len == len) {
        memcpy(at, bytes.at, len);
    }
}

size_t column_blob(struct scrip_ledger *ledger, enum store_statement statement, int column, uint8_t *at, size_t cap)
{
    const struct scrip_bytes bytes = ledger->store->ops->bytes(ledger->store, statement, column);
    const size_t len = bytes.len < cap ? bytes.len : cap;
    if (len > 0) {
        memcpy(at, bytes.at, len);
    }
    return len;
}

/* ---- Small things ---- */

uint64_t ledger_now(const struct scrip_ledger *ledger)
{
    return ledger->clock.now_ms(ledger->clock.ctx);
}

int64_t card_number(const uint8_t uid[7])
{
    uint64_t number = 0;
    for (int i = 0; i < 7; i++) {
        number = number << 8 | uid[i];
    }
    return (int64_t)number;
}

void card_uid(int64_t number, uint8_t uid[7])
{
    for (int i = 6; i >= 0; i--) {
        uid[i] = (uint8_t)number;
        number >>= 8;
    }
}

bool ledger_id_ok(const char *id)
{
    size_t len = 0;
    while (id != NULL && id[len] != '\0' && len <= SCRIP_LEDGER_ID_MAX) {
        if (id[len] <= ' ' || id[len] > '~') {
            return false;
        }
        len++;
    }
    return len > 0 && len <= SCRIP_LEDGER_ID_MAX;
}

bool is_zero(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

void copy_text(char *dst, size_t cap, const char *src)
{
    size_t len = strlen(src);
    if (len > cap - 1) {
        len = cap - 1;
        while (len > 0 && ((uint8_t)src[len] & 0xC0U) == 0x80U) { /* not in the middle of a character */
            len--;
        }
    }
    memcpy(dst, src, len);
    dst[len] = '\0';
}
