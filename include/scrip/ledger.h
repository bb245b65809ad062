/* ledger.h: the book. Orders, issues, debits and a double-entry, append-only journal of every unit of value.
 *
 * Every function that changes something runs inside a transaction (scrip_ledger_begin .. scrip_ledger_commit), so that
 * many requests share one flush to disk; nothing is true before the commit. Inside it a request has a savepoint, so
 * one that fails leaves no row. Reads may be made outside of a transaction.
 *
 * Amounts are minor currency units, times are milliseconds since 1970, UIDs are the card's true 7 bytes. Ids of orders,
 * fundings and postings are made by the client (1..SCRIP_LEDGER_ID_MAX printable ASCII characters without blanks) and
 * kept before they are sent: the same call again changes nothing and succeeds, the same id with other content is
 * SCRIP_E_CONFLICT (expires_ms does not count as content: it may come from the clock).
 *
 * Every function may also return SCRIP_E_STORE (the database failed; roll back) and SCRIP_E_CORRUPT (a row makes no
 * sense). Outputs are untouched on failure unless said otherwise. One ledger object belongs to one thread; any number
 * of processes may open the same file. */
#ifndef SCRIP_LEDGER_H
#define SCRIP_LEDGER_H

#include <scrip/bytes.h>
#include <scrip/host.h>
#include <scrip/settle.h>
#include <scrip/status.h>

#define SCRIP_LEDGER_ID_MAX   64U
#define SCRIP_LEDGER_DATA_MAX 1024U
#define SCRIP_LEDGER_TEXT_MAX 160U

struct scrip_ledger;

struct scrip_ledger_config {
    const char *path;         /**< SQLite file, created when absent; ":memory:" for tests */
    bool existing;            /**< do not create it: SCRIP_E_IO where it is absent */
    struct scrip_clock clock; /**< when entries are made */
    unsigned busy_ms;         /**< how long to wait for another process's transaction; 0: 5000 */
    /** Test hook, may be NULL: called right before (`after` false) and right after (true) a commit reaches the disk.
     *  Returning false makes scrip_ledger_commit fail there with SCRIP_E_STORE: before, nothing is kept; after,
     *  everything is, and only the caller does not know. */
    bool (*commit_hook)(void *ctx, bool after);
    void *commit_ctx;
};

/** Open or create; brings an older schema up to date.
 *  @return SCRIP_OK; SCRIP_E_IO: cannot be opened; SCRIP_E_UNSUPPORTED: made by a newer scrip; SCRIP_E_MEMORY */
enum scrip_status scrip_ledger_open(const struct scrip_ledger_config *config, struct scrip_ledger **ledger);

/** Roll back what is open and free. NULL is allowed. */
void scrip_ledger_close(struct scrip_ledger *ledger);

/** What the database said last, for operators; valid until the next call. Never NULL. */
const char *scrip_ledger_message(const struct scrip_ledger *ledger);

/* ---- Transactions ---- */

/** Begin; waits for other writers. @return SCRIP_E_STATE: one is open already */
enum scrip_status scrip_ledger_begin(struct scrip_ledger *ledger);

/** Begin to read: what follows sees the book as it is at the first question, whatever others commit meanwhile, and
 * keeps nobody waiting. End it with scrip_ledger_rollback. @return SCRIP_E_STATE: a transaction is open already */
enum scrip_status scrip_ledger_begin_read(struct scrip_ledger *ledger);

/** Make durable. @return SCRIP_OK: on disk; SCRIP_E_STORE: not known to be: treat as lost, nothing may be released */
enum scrip_status scrip_ledger_commit(struct scrip_ledger *ledger);

/** Forget everything since begin. Harmless without an open transaction. */
void scrip_ledger_rollback(struct scrip_ledger *ledger);

/** A request begins inside the transaction. */
enum scrip_status scrip_ledger_request_begin(struct scrip_ledger *ledger);

/** The request will be refused by the first statement that would change something, or not at all: it needs no
 * savepoint. That is the caller's word, and it costs no correctness: see scrip_ledger_request_end. A request that has
 * changed something already keeps its savepoint. */
void scrip_ledger_request_sure(struct scrip_ledger *ledger);

/** A request ends: keep its rows, or drop them all.
 *  @return SCRIP_E_STORE: a request that was sure is to be dropped although it changed rows. With them goes the whole
 *  transaction: it cannot be committed any more */
enum scrip_status scrip_ledger_request_end(struct scrip_ledger *ledger, bool keep);

/** How often rows were changed since open: equal before and after a request means that it needs no commit. */
uint64_t scrip_ledger_changes(const struct scrip_ledger *ledger);

/** To be called when there is nothing else to do: moves the write-ahead log into the database file. */
enum scrip_status scrip_ledger_idle(struct scrip_ledger *ledger);

/* ---- Cards ---- */

struct scrip_ledger_card {
    uint8_t uid[7];
    char profile[32]; /**< name of the profile: "an12113", "split", "ev1", ... */
    bool tmac;        /**< has a Transaction MAC file */
    bool marked;      /**< topped up with EV1 batches */
    bool unlogged;    /**< debits leave no log entry that the server can read (smallest debit, or no right to) */
    bool offline;     /**< shows the server nothing and takes no orders: only terminals change it. Its lines count as
                           its terminals tell them, credits too */
    uint32_t key_version;               /**< of the diversified keys on the card */
    uint32_t issue_no;                  /**< number of the newest issue; 0: none yet */
    uint32_t tmc;                       /**< highest TMC seen; at enrolment: the TMC after personalisation */
    uint32_t committed;                 /**< newest reference proved on the card */
    bool held;                          /**< nothing settles or is issued until an operator releases it */
    bool denied;                        /**< deny-listed: settles, but is issued nothing */
    char reason[SCRIP_LEDGER_TEXT_MAX]; /**< why it is held or denied */
    int64_t card_float;                 /**< balance of the card's account */
    bool seen;                          /**< a session has shown `seen_balance` at `seen_tmc` */
    uint32_t seen_tmc;
    int32_t seen_balance;
};

/** Enrol a card. `issue_no`, `committed` and what follows are ignored, except `card_float`: value that it was given at
 *  personalisation (booked funding to card), 0 for none.
 *  @return SCRIP_OK, also when it is enrolled alike, or offline with another profile before any line of it was taken:
 *          then the profile is put right; SCRIP_E_CONFLICT: enrolled otherwise */
enum scrip_status scrip_ledger_card_add(struct scrip_ledger *ledger, const struct scrip_ledger_card *card);

/** @return SCRIP_OK; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_card_get(struct scrip_ledger *ledger, const uint8_t uid[7],
                                        struct scrip_ledger_card *card);

/** Hold a card, release it, deny-list it, allow it again. The reason replaces the old one.
 *  @return SCRIP_E_NOT_FOUND; for allow also SCRIP_E_STATE: a claim on it is still open */
enum scrip_status scrip_ledger_card_hold(struct scrip_ledger *ledger, const uint8_t uid[7], const char *reason);
enum scrip_status scrip_ledger_card_release(struct scrip_ledger *ledger, const uint8_t uid[7]);
enum scrip_status scrip_ledger_card_deny(struct scrip_ledger *ledger, const uint8_t uid[7], const char *reason);
enum scrip_status scrip_ledger_card_allow(struct scrip_ledger *ledger, const uint8_t uid[7]);

/** New keys are proved on the card. */
enum scrip_status scrip_ledger_card_set_key_version(struct scrip_ledger *ledger, const uint8_t uid[7],
                                                    uint32_t key_version);

/** Every card, in order of UID, until `each` returns false. */
enum scrip_status scrip_ledger_cards(struct scrip_ledger *ledger,
                                     bool (*each)(void *ctx, const struct scrip_ledger_card *card), void *ctx);

/* ---- Orders ---- */

struct scrip_ledger_order {
    char id[SCRIP_LEDGER_ID_MAX + 1U];
    uint8_t uid[7];
    enum scrip_settle_kind kind;
    uint32_t amount;     /**< 1..INT32_MAX for top-ups, 0 for work without money */
    uint64_t expires_ms; /**< 0: never */
    uint16_t data_len;   /**< what is to be done, for kinds that need it: bytes to write */
    uint8_t data[SCRIP_LEDGER_DATA_MAX];
    /* filled in by the ledger: */
    enum scrip_settle_state state;
    uint64_t created_ms;
    uint32_t reference;                        /**< newest issue of this order; 0: never issued */
    char funding_id[SCRIP_LEDGER_ID_MAX + 1U]; /**< empty: not funded */
    uint16_t result_len;                       /**< what came out of work without money */
    uint8_t result[SCRIP_LEDGER_DATA_MAX];
};

/** Create. @return SCRIP_OK, also when it is there already with the same content; SCRIP_E_CONFLICT: same id, other
 *  content; SCRIP_E_NOT_FOUND: no such card; SCRIP_E_ARGUMENT: id or amount out of range; SCRIP_E_UNSUPPORTED: the card
 *  is offline */
enum scrip_status scrip_ledger_order_create(struct scrip_ledger *ledger, const struct scrip_ledger_order *order);

/** @return SCRIP_OK; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_order_get(struct scrip_ledger *ledger, const char *id, struct scrip_ledger_order *order);

/** The money is there. `funding_id` is the shop's own id of the payment, one per order, never used twice.
 *  @return SCRIP_OK, also again with the same funding id; SCRIP_E_CONFLICT: funded with another id, or the id funds
 *          another order; SCRIP_E_STATE: cancelled, expired; SCRIP_E_EXPIRED; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_order_fund(struct scrip_ledger *ledger, const char *id, const char *funding_id);

/** Cancel and give the money back, if it has not been issued.
 *  @return SCRIP_OK, also again; SCRIP_E_STATE: too late; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_order_cancel(struct scrip_ledger *ledger, const char *id);

/** Expire every order whose time is over and which is on no card. @param count receives how many, may be NULL */
enum scrip_status scrip_ledger_expire(struct scrip_ledger *ledger, unsigned *count);

/** Pay an issued order back on a claim; deny-lists the card. @return as cancel */
enum scrip_status scrip_ledger_order_claim(struct scrip_ledger *ledger, const char *id, const char *reason);

/** An operator decides: RESOLVE_ON_CARD, RESOLVE_NOT_ON_CARD, COLLECT or WRITE_OFF. `memo` is kept beside the entry.
 *  @return SCRIP_OK; SCRIP_E_STATE; SCRIP_E_ARGUMENT: another event; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_order_resolve(struct scrip_ledger *ledger, const char *id, enum scrip_settle_event event,
                                             const char *memo);

/** Work without money begins or is done (`result` is kept, at most SCRIP_LEDGER_DATA_MAX bytes).
 *  @return SCRIP_OK, also again; SCRIP_E_STATE; SCRIP_E_EXPIRED; SCRIP_E_HELD: rekey and write on a held card */
enum scrip_status scrip_ledger_order_start(struct scrip_ledger *ledger, const char *id);
enum scrip_status scrip_ledger_order_finish(struct scrip_ledger *ledger, const char *id, struct scrip_bytes result);

/** The orders of a card, oldest first; uid NULL: of all cards. Until `each` returns false. */
enum scrip_status scrip_ledger_orders(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      bool (*each)(void *ctx, const struct scrip_ledger_order *order), void *ctx);

/* ---- Issues: value on its way into a card ---- */

enum scrip_ledger_outcome {
    SCRIP_OUTCOME_OPEN,
    SCRIP_OUTCOME_COMMITTED,
    SCRIP_OUTCOME_ABSENT, /**< proved not committed */
    SCRIP_OUTCOME_DISPUTED,
};

struct scrip_ledger_issue {
    char order_id[SCRIP_LEDGER_ID_MAX + 1U];
    uint8_t uid[7];            /**< filled in */
    uint32_t session_issue_no; /**< the card's issue number that is sealed in the session's token; the new issue is
                                    this + 1, and so is the reference in `record` and `tmri` */
    uint8_t session[32];       /**< digest of the session (token and body): tells the same request again */
    uint8_t record[16];        /**< the top-up record as it is to stand in the card */
    uint8_t tmri[16];          /**< what CommitReaderID will carry; zeros without TMAC */
    uint8_t state_len;         /**< what else the server must know to verify the answer, at most 128 bytes */
    uint8_t state[128];
    /* filled in by the ledger: */
    uint32_t reference;
    uint32_t amount;
    uint32_t tmc_issued; /**< highest TMC known when it was issued */
    uint64_t issued_ms;
    enum scrip_ledger_outcome outcome;
    uint32_t tmc; /**< COMMITTED: TMC of the commit, 0 where not known */
};

/** The reference that the next issue of a card must carry. */
uint32_t scrip_ledger_next_reference(const struct scrip_ledger_card *card);

/** Issue a funded order: one compare-and-swap on the card's issue number and the order's state. The batch may leave
 *  only after the commit. If the very same session has issued it already, nothing is changed and `issued` is the stored
 *  row, so that the identical bytes can be sent again.
 *  @param issued  receives the stored row; may be NULL
 *  @return SCRIP_OK; SCRIP_E_STALE: the session is older than the card's newest issue, or another session issued it;
 *          SCRIP_E_STATE: not funded; SCRIP_E_EXPIRED; SCRIP_E_HELD: card held or deny-listed; SCRIP_E_EXISTS: another
 *          order of the card is issued: settle it first; SCRIP_E_LIMIT: no issue numbers left; SCRIP_E_NOT_FOUND;
 *          SCRIP_E_ARGUMENT: record or TMRI do not carry the reference */
enum scrip_status scrip_ledger_issue(struct scrip_ledger *ledger, const struct scrip_ledger_issue *issue,
                                     struct scrip_ledger_issue *issued);

/** The issue of a card whose outcome is open, claims included. @return SCRIP_OK; SCRIP_E_NOT_FOUND: nothing is open */
enum scrip_status scrip_ledger_issue_open(struct scrip_ledger *ledger, const uint8_t uid[7],
                                          struct scrip_ledger_issue *issue);

/** An issue by its reference. @return SCRIP_OK; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_issue_get(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t reference,
                                         struct scrip_ledger_issue *issue);

/** What came of evidence. */
struct scrip_ledger_settlement {
    bool judged;        /**< an issue was looked at; false: only the card as such */
    uint32_t reference; /**< that issue */
    char order_id[SCRIP_LEDGER_ID_MAX + 1U];
    enum scrip_settle_event event;
    enum scrip_settle_state state; /**< of the order, afterwards */
    bool held;                     /**< the card is held (now, or was before) */
    const char *why;               /**< static memory */
};

/** Take evidence about a card: harvest its logs, judge the issue that is open (or `evidence->reference`), move the
 * order, book, remember the highest TMC, hold the card where it must be.
 *  @return SCRIP_OK: see `out` (UNDECIDED is an answer too); SCRIP_E_STALE: a newer issue has overtaken the session:
 *          nothing was taken, answer 410; SCRIP_E_HELD: the card was held before: nothing settles; SCRIP_E_NOT_FOUND:
 *          no such card or issue. `out` is filled with all three but the last */
enum scrip_status scrip_ledger_settle(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      const struct scrip_settle_evidence *evidence,
                                      struct scrip_ledger_settlement *out);

/* ---- Merchants, terminals, keys of the API ---- */

struct scrip_ledger_merchant {
    char id[SCRIP_LEDGER_ID_MAX + 1U];
    char name[64];
    uint16_t fee_bp; /**< hundredths of a percent of every debit that go to the house */
    int64_t balance; /**< filled in */
};

struct scrip_ledger_terminal {
    uint8_t id[4]; /**< reader id: in logs and TMRIs */
    char merchant[SCRIP_LEDGER_ID_MAX + 1U];
    char name[64];
};

/** @return SCRIP_OK, also again alike; SCRIP_E_CONFLICT; for terminals SCRIP_E_NOT_FOUND: no such merchant */
enum scrip_status scrip_ledger_merchant_add(struct scrip_ledger *ledger, const struct scrip_ledger_merchant *merchant);
enum scrip_status scrip_ledger_merchant_get(struct scrip_ledger *ledger, const char *id,
                                            struct scrip_ledger_merchant *merchant);
enum scrip_status scrip_ledger_terminal_add(struct scrip_ledger *ledger, const struct scrip_ledger_terminal *terminal);
enum scrip_status scrip_ledger_terminal_get(struct scrip_ledger *ledger, const uint8_t id[4],
                                            struct scrip_ledger_terminal *terminal);

enum scrip_ledger_role {
    SCRIP_ROLE_OPERATOR,
    SCRIP_ROLE_SHOP,     /**< creates, funds and cancels orders */
    SCRIP_ROLE_TERMINAL, /**< uploads the journal of one terminal */
};

struct scrip_ledger_key {
    char name[64];
    enum scrip_ledger_role role;
    uint8_t terminal[4]; /**< SCRIP_ROLE_TERMINAL: whose */
    bool revoked;
};

/** Keep an API key. Only a hash of the secret is stored. The secret must be random: 16 bytes or more.
 *  @return SCRIP_OK; SCRIP_E_EXISTS: the name or the secret is taken; SCRIP_E_ARGUMENT: too short */
enum scrip_status scrip_ledger_key_add(struct scrip_ledger *ledger, const struct scrip_ledger_key *key,
                                       struct scrip_bytes secret);

/** Who has this secret. @return SCRIP_OK; SCRIP_E_AUTH: nobody, or revoked */
enum scrip_status scrip_ledger_key_find(struct scrip_ledger *ledger, struct scrip_bytes secret,
                                        struct scrip_ledger_key *key);
enum scrip_status scrip_ledger_key_revoke(struct scrip_ledger *ledger, const char *name);

/* ---- Debits: what terminals took, and what they gave to offline cards ---- */

/** One line of a terminal's journal. */
struct scrip_ledger_debit {
    uint8_t uid[7];
    uint8_t terminal[4];
    uint64_t sequence;  /**< the terminal's own counter, from 1 */
    uint32_t amount;    /**< 1..INT32_MAX */
    uint64_t at_ms;     /**< the terminal's clock */
    uint8_t record[16]; /**< transaction log entry; zeros where the profile writes none; of an offline card what it
                             would be: it tells lines of one sequence number apart */
    bool credit;        /**< value was given: offline cards only */
    uint32_t reference; /**< of a credit: the terminal's number for it, kept as evidence; not read back */
    bool undone;        /**< not answered, and the terminal has read that it was not made: offline cards only */
    uint8_t tmri[16];   /**< zeros without TMAC or without CommitReaderID */
    bool answered;      /**< the commit was answered. false: an intent whose outcome the terminal does not know */
    bool has_tmc;       /**< the card has a TMC: `tmc` is that after the debit; of an intent: that before, if read */
    uint32_t tmc;
    bool tmv_ok; /**< the server has verified the TMV of this line */
    uint8_t tmv[8];
    bool has_prev; /**< `prev_tmri` was decrypted out of this line's EncTMRI */
    uint8_t prev_tmri[16];
    bool has_balance;
    int32_t balance; /**< read before the debit */
};

enum scrip_ledger_taken {
    SCRIP_DEBIT_BOOKED,  /**< now in the book */
    SCRIP_DEBIT_KNOWN,   /**< was in the book already */
    SCRIP_DEBIT_WAITING, /**< an intent: kept until the card's own evidence decides */
    SCRIP_DEBIT_VOID,    /**< an intent that the card proves was not committed; of an offline card: `undone` */
    SCRIP_DEBIT_FORKED,  /**< another transaction has the same TMC, or the reader chain breaks: card held, not booked */
};

/** Take one line, once: by (UID, TMC), or without TMAC by (terminal, sequence). May settle an open issue (previous
 * TMRI) and waiting intents of the same card. A credit is booked out of the account of the terminal's merchant, who has
 * the holder's money (docs/decisions/0008).
 *  @param taken    receives what became of the line
 *  @param settled  may be NULL; receives what became of an issue that the line is evidence for (judged false: none)
 *  @return SCRIP_OK; SCRIP_E_MAC: a card with TMAC, answered, and the TMV does not verify: not booked;
 *          SCRIP_E_NOT_FOUND: no such card or terminal; SCRIP_E_CONFLICT: the terminal has used the sequence for
 *          something else; SCRIP_E_UNSUPPORTED: a credit, or `undone`, of a card that is not offline; SCRIP_E_ARGUMENT
 */
enum scrip_status scrip_ledger_debit_add(struct scrip_ledger *ledger, const struct scrip_ledger_debit *debit,
                                         enum scrip_ledger_taken *taken, struct scrip_ledger_settlement *settled);

/** The debits and terminals' credits of a card in the order they were taken in, until `each` returns false. */
enum scrip_status scrip_ledger_debits(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      bool (*each)(void *ctx, const struct scrip_ledger_debit *debit,
                                                   enum scrip_ledger_taken taken),
                                      void *ctx);

/** A journal line that cannot be taken yet: its card is not registered, or with another purse. */
#define SCRIP_LEDGER_LINE 256U
struct scrip_ledger_aside {
    uint8_t terminal[4];
    uint64_t sequence; /**< from 1 */
    uint8_t uid[7];    /**< need not be registered */
    uint64_t at_ms;    /**< when it came last; filled in by the ledger */
    char why[SCRIP_LEDGER_TEXT_MAX];
    uint8_t line[SCRIP_LEDGER_LINE]; /**< as it came */
};

/** Keep such a line as it came, one by (terminal, sequence).
 *  @param replaces  it takes the place of one that is there; false: the one that is there stays
 *  @return SCRIP_E_ARGUMENT */
enum scrip_status scrip_ledger_aside_add(struct scrip_ledger *ledger, const struct scrip_ledger_aside *aside,
                                         bool replaces);

/** It was taken after all. @return SCRIP_OK; SCRIP_E_NOT_FOUND: none is kept */
enum scrip_status scrip_ledger_aside_remove(struct scrip_ledger *ledger, const uint8_t terminal[4], uint64_t sequence);

/** The lines that are kept, of a card or (uid NULL) all, by terminal and sequence, until `each` returns false. `each`
 * must not change the ledger. */
enum scrip_status scrip_ledger_asides(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      bool (*each)(void *ctx, const struct scrip_ledger_aside *aside), void *ctx);

/** A transaction of the card that moved no money, such as user data written by us: its TMC is accounted for.
 *  @return SCRIP_OK, also again; SCRIP_E_CONFLICT: that TMC is in the book with something else; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_tmc_note(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t tmc);

/** Give up waiting for the upload of a debit: what the card lacks goes to suspense under its TMC. If the line comes
 * after all, it is booked out of suspense.
 *  @return SCRIP_OK, also again alike; SCRIP_E_CONFLICT: that TMC is in the book with something else */
enum scrip_status scrip_ledger_gap_close(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t tmc,
                                         uint32_t amount, const char *memo);

/* ---- The book ---- */

/** One row: `amount` moved from one account to the other. */
struct scrip_ledger_entry {
    uint64_t id;       /**< 1, 2, 3 ... over the whole book */
    int64_t stream;    /**< > 0: a card's; < 0: a merchant's; 0: the house's */
    uint64_t sequence; /**< 1, 2, 3 ... in the stream */
    uint64_t at_ms;
    enum scrip_booking booking;
    int64_t amount;
    bool has_uid; /**< a card is concerned: `uid` */
    uint8_t uid[7];
    char order_id[SCRIP_LEDGER_ID_MAX + 1U]; /**< empty: none */
    char merchant[SCRIP_LEDGER_ID_MAX + 1U]; /**< empty: none */
    uint16_t evidence_len;
    uint8_t evidence[192]; /**< what the booking rests on; docs/ledger.md has the layout */
    uint8_t hash[32];
};

/** All entries from `first_id`, or of one card (`uid` not NULL), oldest first, until `each` returns false. */
enum scrip_status scrip_ledger_entries(struct scrip_ledger *ledger, const uint8_t uid[7], uint64_t first_id,
                                       bool (*each)(void *ctx, const struct scrip_ledger_entry *entry), void *ctx);

/** A booking that an operator makes: FEE, PAYOUT, PAYIN (merchant), BREAKAGE (card). `id` is made by the client.
 *  @return SCRIP_OK, also again alike; SCRIP_E_CONFLICT; SCRIP_E_NOT_FOUND; SCRIP_E_ARGUMENT; SCRIP_E_OVERFLOW */
enum scrip_status scrip_ledger_post(struct scrip_ledger *ledger, const char *id, enum scrip_booking booking,
                                    int64_t amount, const uint8_t uid[7], const char *merchant, const char *memo);

/** Balances of all accounts, cards and merchants summed up; they add up to 0. */
enum scrip_status scrip_ledger_balances(struct scrip_ledger *ledger, int64_t balances[SCRIP_ACCOUNT_COUNT]);

/** How many there are of what. */
struct scrip_ledger_counts {
    uint64_t cards, held, denied, orders, debits, waiting, aside, entries;
    uint64_t by_state[SCRIP_STATE_COUNT];
};

/** Count everything; for metrics and overviews, reads whole tables. */
enum scrip_status scrip_ledger_count(struct scrip_ledger *ledger, struct scrip_ledger_counts *counts);

/* ---- Reconciliation and verification ---- */

enum scrip_ledger_verdict_kind {
    SCRIP_VERDICT_IN_STEP, /**< every transaction that the card has made is in the book */
    SCRIP_VERDICT_GAP,     /**< uploads are owed: see the missing TMCs */
    SCRIP_VERDICT_FORK,    /**< two transactions share a TMC, or the reader chain or the balance does not fit: a copy */
    SCRIP_VERDICT_ROLLBACK, /**< the card was older than it had been: a restored image */
};

struct scrip_ledger_verdict {
    enum scrip_ledger_verdict_kind kind;
    uint32_t missing_count;  /**< transactions that the card has made and the book does not know */
    uint32_t missing[16];    /**< TMCs of the first of them */
    uint32_t missing_logged; /**< of these, debits that the harvested log shows */
    bool open;               /**< an order's outcome is open; of an offline card: a line's */
    int64_t card_float;
    int64_t owed; /**< card float less the balance last seen, adjusted for debits taken since: value of the
                       uploads owed; meaningful when has_owed */
    bool has_owed;
    char why[SCRIP_LEDGER_TEXT_MAX];
};

/** One card against its evidence. The order in which evidence came does not matter. An offline card shows none: its
 * verdict says what its lines allow to say, and no more. @return SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_reconcile(struct scrip_ledger *ledger, const uint8_t uid[7],
                                         struct scrip_ledger_verdict *verdict);
const char *scrip_ledger_verdict_name(enum scrip_ledger_verdict_kind kind);

/** A checkpoint: the whole book up to an entry, in 32 bytes, under a key. Plain text of one line, fit for a file or a
 *  printer, made with `key` (32 bytes; from the key store, purpose "ledger checkpoint"). */
#define SCRIP_LEDGER_CHECKPOINT_MAX 256U
enum scrip_status scrip_ledger_checkpoint(struct scrip_ledger *ledger, const uint8_t key[32],
                                          char text[SCRIP_LEDGER_CHECKPOINT_MAX]);

/** What a verification found. */
struct scrip_ledger_report {
    uint64_t entries;                  /**< entries checked */
    uint64_t problems;                 /**< 0: the book is right */
    char first[SCRIP_LEDGER_TEXT_MAX]; /**< the first problem, with its place */
};

/** Read the whole book: every chain, every sum, every order's money against its state, every card's float, and (when
 *  `checkpoint` is not NULL) that nothing up to the checkpoint was altered, removed or cut off.
 *  @param key         32 bytes, needed with a checkpoint only
 *  @param checkpoint  text of scrip_ledger_checkpoint
 *  @return SCRIP_OK: read to the end, see report->problems; SCRIP_E_FORMAT: no checkpoint; SCRIP_E_MAC: made with
 *          another key, or altered */
enum scrip_status scrip_ledger_verify(struct scrip_ledger *ledger, const uint8_t key[32], const char *checkpoint,
                                      struct scrip_ledger_report *report);

/** The invariant of the book: value on the card = card float - debits not yet taken in. For tests and tools that can
 * see the card.
 *  @param balance  what the card holds
 *  @param owed     sum of the debits on the card whose journal lines were not taken in as booked
 *  @param open     receives the order amount that may be on the card or not (issued, claimed, disputed); may be NULL,
 *                  then nothing may be open
 *  @return SCRIP_OK: it holds; SCRIP_E_CORRUPT: it does not; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_ledger_check_card(struct scrip_ledger *ledger, const uint8_t uid[7], int64_t balance,
                                          int64_t owed, uint32_t *open);

#endif
