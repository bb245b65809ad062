/* book.h: what the parts of the ledger share. */
#ifndef SCRIP_LEDGER_BOOK_H
#define SCRIP_LEDGER_BOOK_H

#include "store.h"

#include <scrip/ledger.h>
#include <string.h>

/* ---- Statements ---- */

#define VALUES(...)                                                                                                    \
    (const struct store_value[]){__VA_ARGS__},                                                                         \
        sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value)

/** Run a statement that returns no rows. @param changed  may be NULL
 *  @return SCRIP_E_EXISTS: a constraint refused it */
enum scrip_status ledger_run(struct scrip_ledger *ledger, enum store_statement statement,
                             const struct store_value *values, size_t count, unsigned *changed);

/** Run to the first row. The statement must be ended only when SCRIP_OK was returned.
 *  @return SCRIP_OK: a row; SCRIP_E_NOT_FOUND: none */
enum scrip_status ledger_query(struct scrip_ledger *ledger, enum store_statement statement,
                               const struct store_value *values, size_t count);

/** Go to the next row. @return SCRIP_OK; SCRIP_E_NOT_FOUND: there is none */
enum scrip_status ledger_next(struct scrip_ledger *ledger, enum store_statement statement);
void ledger_end(struct scrip_ledger *ledger, enum store_statement statement);

/** First column of the first row as a number; `otherwise` when there is no row or it is null. */
enum scrip_status ledger_number(struct scrip_ledger *ledger, enum store_statement statement,
                                const struct store_value *values, size_t count, int64_t otherwise, int64_t *number);

#define RUN(ledger, name, changed, ...) ledger_run((ledger), STORE_##name, VALUES(__VA_ARGS__), (changed))
#define QUERY(ledger, name, ...)        ledger_query((ledger), STORE_##name, VALUES(__VA_ARGS__))
#define NUMBER(ledger, name, otherwise, number, ...)                                                                   \
    ledger_number((ledger), STORE_##name, VALUES(__VA_ARGS__), (otherwise), (number))

int64_t column_number(struct scrip_ledger *ledger, enum store_statement statement, int column);
bool column_is_null(struct scrip_ledger *ledger, enum store_statement statement, int column);
/** Copy a text, cut to what fits. */
void column_text(struct scrip_ledger *ledger, enum store_statement statement, int column, char *text, size_t cap);
/** Copy a blob of exactly `len` bytes; zeros when it has another length. */
void column_fixed(struct scrip_ledger *ledger, enum store_statement statement, int column, uint8_t *at, size_t len);
/** Copy a blob of at most `cap` bytes. @return its length */
size_t column_blob(struct scrip_ledger *ledger, enum store_statement statement, int column, uint8_t *at, size_t cap);

/* ---- Small things ---- */

uint64_t ledger_now(const struct scrip_ledger *ledger);
int64_t card_number(const uint8_t uid[7]);
void card_uid(int64_t number, uint8_t uid[7]);
bool ledger_id_ok(const char *id);
bool is_zero(const uint8_t *at, size_t len);
void copy_text(char *dst, size_t cap, const char *src);

/* ---- Rows ---- */

/** A card row with what the public struct does not show. */
struct card_row {
    struct scrip_ledger_card c;
    int64_t number;
    uint32_t tmc_start;
    int verdict; /* enum scrip_ledger_verdict_kind that evidence has forced on it */
};

enum scrip_status card_load(struct scrip_ledger *ledger, const uint8_t uid[7], struct card_row *row);
enum scrip_status card_load_number(struct scrip_ledger *ledger, int64_t number, struct card_row *row);
enum scrip_status card_save(struct scrip_ledger *ledger, const struct card_row *row);
/** Hold in the row (not saved), and keep the reason and what led to it. */
enum scrip_status card_mark_held(struct scrip_ledger *ledger, struct card_row *row, const char *why,
                                 struct scrip_bytes detail);
/** Add to the card's account in the row (not saved). @return SCRIP_E_OVERFLOW */
enum scrip_status card_add_float(struct card_row *row, int64_t amount);

struct order_row {
    struct scrip_ledger_order o;
    int64_t n;
    int64_t card;
};

enum scrip_status order_load(struct scrip_ledger *ledger, const char *id, struct order_row *row);
enum scrip_status order_load_n(struct scrip_ledger *ledger, int64_t n, struct order_row *row);
void order_read(struct scrip_ledger *ledger, enum store_statement statement, struct order_row *row);

/** An issue with the number of its order. */
struct issue_row {
    struct scrip_ledger_issue i;
    int64_t order;
};

/* ---- The ledger ---- */

enum ledger_request {
    REQUEST_NONE,
    REQUEST_CLEAN,   /**< begun, and has changed nothing: no savepoint yet */
    REQUEST_CHANGED, /**< there is a savepoint to go back to */
    REQUEST_SURE,    /**< will not be dropped once it has changed something: needs no savepoint */
    REQUEST_BOUND    /**< has changed something: to drop it is to drop the transaction */
};

enum { KNOWN_CARD = 1, KNOWN_ORDER = 2, KNOWN_ISSUE = 4 };

#define HINTS 4096U /* a power of two */

struct scrip_ledger {
    struct store *store;
    struct scrip_clock clock;
    bool (*commit_hook)(void *ctx, bool after);
    void *commit_ctx;
    bool in_transaction;
    enum ledger_request request;
    char lost[160]; /**< why the open transaction cannot go on, and not be committed; empty: it can */
    /** The row of each kind that the transaction has read last: the rules ask for one card and one order a dozen times
     *  a request. Nobody else writes while the transaction is open; what it writes itself, it forgets or knows as
     *  written. */
    struct {
        unsigned has; /**< KNOWN_... */
        struct card_row card;
        struct order_row order;
        struct issue_row issue;
    } known;
    /** Number of the order whose id hashes here, or 0. To look it up by its id costs twice as much as by its number; a
     * hint is only where to look first, and the row found there says whose it is. Orders never go and keep their
     * numbers. */
    int64_t hint[HINTS];
};

/** Is the row of this kind known? */
static inline bool ledger_knows(const struct scrip_ledger *ledger, unsigned which)
{
    return ledger->in_transaction && (ledger->known.has & which) != 0;
}

#define EVIDENCE_MAX 192U /* as in struct scrip_ledger_entry */

/** First byte of what is kept beside an entry (docs/ledger.md has the layouts). */
enum evidence_kind {
    EVIDENCE_SETTLE = 1, /* judged card data */
    EVIDENCE_DEBIT = 2,  /* a terminal's line */
    EVIDENCE_MEMO = 3,   /* an operator's words */
    EVIDENCE_FUND = 4,   /* the shop's id of the payment */
    EVIDENCE_CREDIT = 5, /* a trusted terminal's line */
};

/** A kind and a text, cut to what fits; `at` must live as long as the result. NULL is an empty text. */
struct scrip_bytes evidence_text(uint8_t at[EVIDENCE_MAX], enum evidence_kind kind, const char *text);

/** One journal row to be made. */
struct posting {
    enum scrip_booking booking;
    int64_t amount;
    int64_t card;     /* 0: none */
    int64_t order;    /* 0: none */
    int64_t merchant; /* 0: none */
    struct scrip_bytes evidence;
};

/** Write it behind the head of its stream. Does not touch the card's float. */
enum scrip_status book_post(struct scrip_ledger *ledger, const struct posting *posting);

/** Apply one event to an order: table, compare-and-swap, booking, card. The card row is changed and not saved.
 *  @param step  receives the cell; may be NULL
 *  @return SCRIP_OK: GO or SAME; SCRIP_E_STATE: refused, or somebody was faster */
enum scrip_status order_apply(struct scrip_ledger *ledger, struct order_row *order, struct card_row *card,
                              enum scrip_settle_event event, struct scrip_bytes evidence, const char *why,
                              struct scrip_settle_step *step);

/** Row of the journal as hashed: shared by writing and verifying. */
struct entry_row {
    int64_t id, stream, seq, at, booking, src, dst, amount, card, order, merchant;
    struct scrip_bytes evidence;
    uint8_t hash[32];
};
void entry_read(struct scrip_ledger *ledger, enum store_statement statement, struct entry_row *row);
void entry_hash(const uint8_t previous[32], const struct entry_row *row, uint8_t hash[32]);

/** Take in what a session shows of the transaction log. */
enum scrip_status harvest_take(struct scrip_ledger *ledger, const struct card_row *card,
                               const struct scrip_settle_evidence *evidence);

/** What is known beside a waiting intent of a card, when it is looked at again. */
struct intent_hint {
    bool has_prev; /* a transaction with TMC `tmc` names `prev` as the one before it */
    const uint8_t *prev;
    bool has_tmc; /* a session read TMC `tmc` (has_prev false) */
    uint32_t tmc;
    bool log_read;         /* the session has read the transaction log */
    unsigned log_count;    /* entries in it */
    const uint8_t *oldest; /* the oldest of them where the log is full, so that older ones may be gone; else NULL */
};

/** Decide waiting intents of a card. The card row is changed and not saved. */
enum scrip_status debits_revisit(struct scrip_ledger *ledger, struct card_row *card, const struct intent_hint *hint);

/** Judge evidence with the card row at hand (changed, not saved). As scrip_ledger_settle. */
enum scrip_status settle_with(struct scrip_ledger *ledger, struct card_row *card,
                              const struct scrip_settle_evidence *evidence, struct scrip_ledger_settlement *out);

#endif
