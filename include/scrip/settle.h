/* settle.h: the rules of exactly once. Pure: no database, no network, no card, no clock.
 *
 * An order has a state. What happens to it is an event. One table says for every pair of state and event what the next
 * state is, which booking goes with it, and whether the card is held; docs/settlement.md shows it. The server, the
 * enumeration of faults and the protocol model all use this table.
 *
 * Some events are made by people and by the clock (fund, cancel, expire, claim); the ones that matter are made out of
 * evidence. `scrip_settle_judge` is the only place that turns evidence into an event, and only card data under a
 * session MAC, or a verified transaction MAC value, weighs anything there: a status word is what the phone said. */
#ifndef SCRIP_SETTLE_H
#define SCRIP_SETTLE_H

#include <scrip/bytes.h>
#include <scrip/status.h>
#include <stdbool.h>
#include <stdint.h>

#define SCRIP_SETTLE_LOG_MAX       32U         /**< most records of a log that evidence can hold */
#define SCRIP_SETTLE_REFERENCE_MAX 0x7FFFFFFFU /**< references are 1..2^31-1; 0 is reserved */
#define SCRIP_SETTLE_MARK          0x80000000U /**< top bit of a stored reference: the EV1 batch ran to its end */

/** What an order does. */
enum scrip_settle_kind {
    SCRIP_KIND_TOPUP, /**< money */
    SCRIP_KIND_READ,  /**< balance and history for the customer; no money */
    SCRIP_KIND_WRITE, /**< write user data; no money */
    SCRIP_KIND_REKEY, /**< change keys to the newest version; no money */
    SCRIP_KIND_COUNT
};

/* The numbers of states are stored in databases: append only.
 * STATE(name, text, where its money is: multiples of the amount in FUNDING, IN_FLIGHT, CARD, DISPUTE, RECEIVABLE,
 * BREAKAGE) */
#define SCRIP_SETTLE_STATES(STATE)                                                                                     \
    STATE(CREATED, "created; value waits to be paid for", 0, 0, 0, 0, 0, 0)                                            \
    STATE(FUNDED, "paid, ready for the card", -1, 1, 0, 0, 0, 0)                                                       \
    STATE(ISSUED, "handed to the card's session; the outcome is open", -1, 1, 0, 0, 0, 0)                              \
    STATE(CONFIRMED, "the value is on the card", -1, 0, 1, 0, 0, 0)                                                    \
    STATE(CANCELLED, "cancelled; the money went back", 0, 0, 0, 0, 0, 0)                                               \
    STATE(EXPIRED, "its time was over before it reached the card; the money went back", 0, 0, 0, 0, 0, 0)              \
    STATE(CLAIMED, "paid back on a claim with the card deny-listed; the outcome is still open", 0, 0, 0, 0, 0, 0)      \
    STATE(REFUNDED, "paid back, and it is settled that the card has no value of it", 0, 0, 0, 0, 0, 0)                 \
    STATE(OWED, "paid back on a claim, and then found on the card: the holder owes it", 0, 0, 1, 0, -1, 0)             \
    STATE(WRITTEN_OFF, "owed by the holder and given up", 0, 0, 1, 0, 0, -1)                                           \
    STATE(DISPUTED, "the evidence contradicts itself: an operator decides", -1, 0, 0, 1, 0, 0)                         \
    STATE(STARTED, "work without money: begun", 0, 0, 0, 0, 0, 0)                                                      \
    STATE(DONE, "work without money: done", 0, 0, 0, 0, 0, 0)

enum scrip_settle_state {
#define STATE(name, text, a, b, c, d, e, f) SCRIP_STATE_##name,
    SCRIP_SETTLE_STATES(STATE)
#undef STATE
        SCRIP_STATE_COUNT
};

/* EVENT(name, text) */
#define SCRIP_SETTLE_EVENTS(EVENT)                                                                                     \
    EVENT(FUND, "the shop has the money")                                                                              \
    EVENT(CANCEL, "the shop or the customer cancels")                                                                  \
    EVENT(EXPIRE, "the order's time is over")                                                                          \
    EVENT(ISSUE, "a batch with the credit is about to leave")                                                          \
    EVENT(PROOF_COMMIT, "the card proves that it committed")                                                           \
    EVENT(PROOF_NONE, "the card proves that it did not and will not commit")                                           \
    EVENT(CHEATED, "the card committed early: the record lacks its mark, or the log was cleared")                      \
    EVENT(CONTRADICTION, "verified card data contradicts the book")                                                    \
    EVENT(ROLLBACK, "the card is older than what was seen of it before")                                               \
    EVENT(STALE, "evidence of a session that something newer has overtaken")                                           \
    EVENT(UNDECIDED, "not enough evidence to decide")                                                                  \
    EVENT(CLAIM, "the holder is paid back; the card is deny-listed")                                                   \
    EVENT(RESOLVE_ON_CARD, "the operator decides: the value is on the card")                                           \
    EVENT(RESOLVE_NOT_ON_CARD, "the operator decides: the value is not on the card")                                   \
    EVENT(COLLECT, "the holder paid what is owed")                                                                     \
    EVENT(WRITE_OFF, "the operator gives up what is owed")                                                             \
    EVENT(START, "work without money begins")                                                                          \
    EVENT(FINISH, "work without money is done")

enum scrip_settle_event {
#define EVENT(name, text) SCRIP_EVENT_##name,
    SCRIP_SETTLE_EVENTS(EVENT)
#undef EVENT
        SCRIP_EVENT_COUNT
};

/** Accounts of the book. CARD is one account per card, MERCHANT one per merchant. Stored in databases: append only. */
enum scrip_account {
    SCRIP_ACCOUNT_FUNDING,    /**< the world outside: what came in is negative here */
    SCRIP_ACCOUNT_IN_FLIGHT,  /**< paid and not yet proved on or off a card */
    SCRIP_ACCOUNT_CARD,       /**< what a card holds, before the debits that are not uploaded yet */
    SCRIP_ACCOUNT_MERCHANT,   /**< what a merchant has taken */
    SCRIP_ACCOUNT_FEE,        /**< what merchants pay to the house */
    SCRIP_ACCOUNT_BREAKAGE,   /**< value nobody will claim, and losses */
    SCRIP_ACCOUNT_SUSPENSE,   /**< debits that a card shows and no terminal has uploaded */
    SCRIP_ACCOUNT_RECEIVABLE, /**< what holders owe: negative */
    SCRIP_ACCOUNT_DISPUTE,    /**< waiting for an operator's decision */
    SCRIP_ACCOUNT_COUNT
};

/* BOOKING(name, from, to): the amount moves from one account to the other. Stored in databases: append only. */
#define SCRIP_SETTLE_BOOKINGS(BOOKING)                                                                                 \
    BOOKING(NONE, FUNDING, FUNDING)                                                                                    \
    BOOKING(FUND, FUNDING, IN_FLIGHT)                                                                                  \
    BOOKING(CONFIRM, IN_FLIGHT, CARD)                                                                                  \
    BOOKING(REFUND, IN_FLIGHT, FUNDING)                                                                                \
    BOOKING(DISPUTE, IN_FLIGHT, DISPUTE)                                                                               \
    BOOKING(DISPUTE_CONFIRM, DISPUTE, CARD)                                                                            \
    BOOKING(DISPUTE_REFUND, DISPUTE, FUNDING)                                                                          \
    BOOKING(LATE_CONFIRM, RECEIVABLE, CARD)                                                                            \
    BOOKING(COLLECT, FUNDING, RECEIVABLE)                                                                              \
    BOOKING(WRITE_OFF, BREAKAGE, RECEIVABLE)                                                                           \
    BOOKING(DEBIT, CARD, MERCHANT)                                                                                     \
    BOOKING(GAP, CARD, SUSPENSE)                                                                                       \
    BOOKING(GAP_RETURN, SUSPENSE, CARD)                                                                                \
    BOOKING(FEE, MERCHANT, FEE)                                                                                        \
    BOOKING(PAYOUT, MERCHANT, FUNDING)                                                                                 \
    BOOKING(BREAKAGE, CARD, BREAKAGE)                                                                                  \
    BOOKING(OPENING, FUNDING, CARD)                                                                                    \
    BOOKING(CREDIT, MERCHANT, CARD)                                                                                    \
    BOOKING(PAYIN, FUNDING, MERCHANT)

enum scrip_booking {
#define BOOKING(name, from, to) SCRIP_BOOKING_##name,
    SCRIP_SETTLE_BOOKINGS(BOOKING)
#undef BOOKING
        SCRIP_BOOKING_COUNT
};

/** What the table says about a pair. */
enum scrip_settle_answer {
    SCRIP_ANSWER_MISSING, /**< the pair was forgotten: never in a released table (a test proves it) */
    SCRIP_ANSWER_GO,      /**< the state changes, or work begins again */
    SCRIP_ANSWER_SAME,    /**< nothing to do: it has happened already, or nothing can be concluded */
    SCRIP_ANSWER_REFUSE,  /**< not possible in this state; nothing changes */
};

/** One cell of the table. */
struct scrip_settle_step {
    uint8_t answer;  /**< enum scrip_settle_answer */
    uint8_t next;    /**< enum scrip_settle_state; the old state unless answer is GO */
    uint8_t booking; /**< enum scrip_booking; NONE unless answer is GO */
    bool hold;       /**< the card is to be held, whatever the answer */
    bool deny;       /**< the card is to be deny-listed */
};

/** The cell of a pair. `kind` decides whether the order is money (FUND, ISSUE, ...) or work (START, FINISH). An event
 *  that does not belong to the kind is refused. Out-of-range numbers are refused. */
struct scrip_settle_step scrip_settle_next(enum scrip_settle_kind kind, enum scrip_settle_state state,
                                           enum scrip_settle_event event);

/** Can nothing move the order any more but late evidence? (CONFIRMED, CANCELLED, EXPIRED, REFUNDED, WRITTEN_OFF, DONE)
 *  The phone's token of an order ends here. */
bool scrip_settle_is_final(enum scrip_settle_state state);

/** Multiples of an order's amount that a state accounts for in an account: -1, 0 or 1. */
int scrip_settle_position(enum scrip_settle_state state, enum scrip_account account);

/** The two accounts of a booking. */
enum scrip_account scrip_booking_from(enum scrip_booking booking);
enum scrip_account scrip_booking_to(enum scrip_booking booking);

/** Names ("ISSUED", "PROOF_NONE", "IN_FLIGHT", "topup") and sentences; "?" for numbers out of range. Static memory. */
const char *scrip_settle_kind_name(enum scrip_settle_kind kind);
const char *scrip_settle_state_name(enum scrip_settle_state state);
const char *scrip_settle_state_text(enum scrip_settle_state state);
const char *scrip_settle_event_name(enum scrip_settle_event event);
const char *scrip_settle_event_text(enum scrip_settle_event event);
const char *scrip_account_name(enum scrip_account account);
const char *scrip_booking_name(enum scrip_booking booking);

/** Where evidence was taken. */
enum scrip_settle_source {
    SCRIP_SOURCE_BATCH,    /**< the answers to the very batch that carried the credit */
    SCRIP_SOURCE_SESSION,  /**< reads in a later session with the card */
    SCRIP_SOURCE_TERMINAL, /**< a terminal's journal line: its previous TMRI */
};

/** What is known about an issue when it is judged (from the book). */
struct scrip_settle_issue {
    uint32_t reference;      /**< issue number of this issue, 1..SCRIP_SETTLE_REFERENCE_MAX */
    uint32_t card_issue_no;  /**< the newest issue number of the card */
    uint32_t last_committed; /**< newest reference of the card that is proved on it; 0: none, or all before the log */
    uint32_t amount;         /**< minor units */
    bool tmac;               /**< the card has a Transaction MAC file */
    bool marked;             /**< EV1 batch: a finished record has SCRIP_SETTLE_MARK */
    bool unlogged;           /**< debits leave no log entry that the server can read, so none explains the TMC */
    uint32_t tmc_issued;     /**< highest TMC known when it was issued */
    uint32_t tmc_highest;    /**< highest TMC known now */
};

/** A top-up record as it stands in the card's top-up log. */
struct scrip_settle_record {
    uint8_t timestamp[8]; /**< BCD YYYYMMDDhhmmss00 */
    uint32_t value;       /**< minor units */
    uint32_t reference;   /**< with SCRIP_SETTLE_MARK where it was set */
};

/** Evidence: plain data out of verified answers. Fill with zeros first; set only what was verified under a session MAC
 *  (or, where said, not verified at all). */
struct scrip_settle_evidence {
    enum scrip_settle_source source;
    uint32_t reference;        /**< BATCH: the issue whose batch this answers; else 0 */
    uint32_t session_issue_no; /**< BATCH, SESSION: the card's issue number when the session's part 2 was made */
    uint32_t tmc_floor;        /**< SESSION: highest TMC known when the session's part 2 was made; 0 if not known */
    bool refused;              /**< the phone reported a bad status word or a lost card: a hint, proves nothing */

    bool commit_ok; /**< BATCH: the commit's own answer carries a right session MAC */
    bool has_tmc;   /**< `tmc` was read, or came with the commit */
    uint32_t tmc;
    bool tmv_ok; /**< BATCH, TERMINAL: the TMV verifies over the rebuilt TMI */

    bool has_log;         /**< the top-up log was read, or is known to be empty: log_count 0, log_partial false. A log
                             of ours is never empty: that one was cleared */
    bool log_partial;     /**< only the newest `log_count` records were read */
    uint8_t log_capacity; /**< records that the file can show */
    uint8_t log_count;
    struct scrip_settle_record log[SCRIP_SETTLE_LOG_MAX]; /**< any order */

    uint8_t tmv[8];      /**< BATCH, TERMINAL: that TMV; kept beside the booking */
    uint8_t session[32]; /**< digest of the session it was taken in; kept beside the booking; may be zeros */

    bool has_prev;         /**< `prev_tmri` is known: decrypted EncTMRI, from our batch or a terminal's line */
    uint8_t prev_tmri[16]; /**< reader id[4], reference[4 LE] (0: a debit), sequence[8 LE] */

    bool has_balance;
    int32_t balance; /**< minor units, after everything else in this evidence */

    bool has_debits; /**< the transaction log (file 2) was read completely (BATCH: before its commit): harvest it */
    uint8_t debit_count;
    uint8_t debits[SCRIP_SETTLE_LOG_MAX][16]; /**< oldest first, as read */
    uint32_t explained; /**< known transactions with a TMC after tmc_issued; the ledger fills this in */
};

/** What evidence amounts to. */
struct scrip_settle_judgement {
    enum scrip_settle_event event; /**< PROOF_COMMIT, PROOF_NONE, CHEATED, CONTRADICTION, ROLLBACK, STALE, UNDECIDED */
    const char *why;               /**< one sentence for the operator. Static memory */
};

/** Judge evidence about an issue (rules 2 to 9 of docs/settlement.md). Never fails: what cannot be decided is
 * UNDECIDED. */
struct scrip_settle_judgement scrip_settle_judge(const struct scrip_settle_issue *issue,
                                                 const struct scrip_settle_evidence *evidence);

/** Judge what a session shows of a card, whatever is outstanding: ROLLBACK, CONTRADICTION, STALE, or UNDECIDED (the
 * card is as the book says). `issue->reference` is 0 if nothing is outstanding; else CHEATED is possible as well:
 * scrip_settle_judge would say the same. */
struct scrip_settle_judgement scrip_settle_judge_card(const struct scrip_settle_issue *issue,
                                                      const struct scrip_settle_evidence *evidence);

/** The reference inside a TMRI of ours; 0: a debit. */
uint32_t scrip_settle_tmri_reference(const uint8_t tmri[16]);

/** What a terminal wrote down before a commit that was not answered. */
struct scrip_settle_intent {
    uint8_t record[16];  /**< the transaction log entry that the commit would add */
    uint8_t same_before; /**< entries equal to `record` in the log before; 0 unless two debits share a second */
    bool has_log;        /**< the profile writes a transaction log */
    bool tmac;           /**< the card has a Transaction MAC file */
    uint32_t tmc;        /**< tmac: TMC before the transaction, where it was read */
    bool has_tmc;
    int32_t balance; /**< minor units, read before the debit in the same session */
    uint32_t amount; /**< minor units to be debited */
};

/** What the terminal reads in its next session with that card. */
struct scrip_settle_reads {
    bool has_tmc;
    uint32_t tmc;
    bool has_log;
    uint8_t log_count;
    uint8_t log_capacity;
    uint8_t log[SCRIP_SETTLE_LOG_MAX][16];
    int32_t balance;
};

enum scrip_settle_debit {
    SCRIP_DEBIT_DONE,     /**< the debit is on the card: open, and take nothing again */
    SCRIP_DEBIT_NOT_DONE, /**< it is not and never will be: start a new debit */
    SCRIP_DEBIT_OPEN,     /**< cannot be told here: do not open; the server settles it */
};

/** Decide about a terminal's own unanswered commit. */
enum scrip_settle_debit scrip_settle_debit_recover(const struct scrip_settle_intent *intent,
                                                   const struct scrip_settle_reads *reads);

#endif
