/* wallet.h: the purse that all card families share: identify, balance, debit, credit, history, recover, personalise.
 * One adapter per family behind one table of functions; a terminal links the adapters it needs.
 *
 * A job is one of these operations on one card. It is a flow (batch.h): scrip_run carries it out on a link, and its
 * result says what to tell the customer, what our side or the card found wrong, and the figures. */
#ifndef SCRIP_WALLET_H
#define SCRIP_WALLET_H

#include <scrip/batch.h>
#include <scrip/bcd.h>
#include <scrip/host.h>
#include <scrip/journal.h>
#include <scrip/purse_desfire.h>
#include <scrip/purse_storage.h>

/** What the customer is told. Apart from any status: a declined purchase is no failure of ours. */
enum scrip_outcome {
    SCRIP_OUTCOME_ASK_AGAIN, /**< nothing is certain or nothing happened: present the card again */
    SCRIP_OUTCOME_ACCEPTED,  /**< done, and proved */
    SCRIP_OUTCOME_DECLINED,  /**< will not be done: not enough value, limit, wrong card; nothing was taken */
};

/** "accepted", "declined", "ask again". Static memory. */
const char *scrip_outcome_name(enum scrip_outcome outcome);

/** Operations. A family may lack some: scrip_purse_family.can. */
enum scrip_purse_operation {
    SCRIP_PURSE_BALANCE,
    SCRIP_PURSE_DEBIT,       /**< take an amount, at a terminal */
    SCRIP_PURSE_CREDIT,      /**< give an amount, at a trusted terminal */
    SCRIP_PURSE_HISTORY,     /**< balance and both logs */
    SCRIP_PURSE_RECOVER,     /**< settle this terminal's own unanswered commits on this card */
    SCRIP_PURSE_PERSONALISE, /**< lay the purse out on a card; a half-made one is finished, or deleted and made anew;
                                  one that is there already stays as it is */
    SCRIP_PURSE_REKEY,       /**< storage cards: give the sector its next keys; a torn change is completed */
    SCRIP_PURSE_FORCE_INIT,  /**< storage cards: an operator gives a card whose copies are both damaged an amount */
    SCRIP_PURSE_OPERATIONS
};

/** "balance", "debit" … Static memory. */
const char *scrip_purse_operation_name(enum scrip_purse_operation operation);

/** What a job needs. Borrowed until the job is over. */
struct scrip_purse_request {
    struct scrip_card_info card;                 /**< who came, from the link */
    const struct scrip_desfire_profile *profile; /**< DESFire: how its purses are laid out */
    const struct scrip_storage_purse *storage;   /**< storage cards: likewise */
    struct scrip_purse_keys keys;                /**< rekey: those that the card has */
    struct scrip_purse_keys next_keys;           /**< rekey: those that it gets */
    /** DESFire: like keys.get, with its ctx, in an exact version. `keys` are tried first; a card that refuses is asked
     *  for the version of its key and met once more with that one. `get` returns SCRIP_E_KEY: not in the store. NULL:
     *  there are no versions but those of `keys` */
    enum scrip_status (*get_version)(void *ctx, enum scrip_purse_role role, uint8_t version, struct scrip_bytes m,
                                     uint8_t out[16]);
    struct scrip_random random;
    struct scrip_journal *journal; /**< debit, credit, recover: the terminal's; NULL elsewhere */
    uint8_t timestamp[8];          /**< now, BCD; see scrip_purse_timestamp */
    int32_t amount;                /**< debit, credit: above 0, minor units; personalise, force-init: value
                                              to begin with, 0 or more */
    uint32_t reference;            /**< credit: issue number of the order in the book */
    bool skip_flush;         /**< debit, credit: leave out the two commands that kill pending changes, and the reads
                                  before them. Where something has to be read all the same, to settle an older payment
                                  or to compare the currency, nothing is left out: reads count in the Transaction MAC */
    uint16_t currency;       /**< DESFire: ISO 4217 number that the amount is in; balance, debit and recover then read
                                  the card header first, one command more, and decline a card that names another one
                                  with SCRIP_E_CURRENCY, as history does. A credit does not look, the top-up key may
                                  not. 0: any */
    bool with_header;        /**< DESFire: balance and recover read the card header as well, if the card shows it */
    uint8_t new_key_version; /**< personalise: version byte of the keys written */
    /** personalise: the version of a role's key, with the ctx of `keys`. NULL: new_key_version for all */
    uint8_t (*version_of)(void *ctx, enum scrip_purse_role role);
    const struct scrip_purse_header *header; /**< DESFire, personalise */
    struct scrip_bytes picc_key; /**< DESFire, personalise: the card's present master key where it is neither the
                                      factory's (all zero, of any type) nor ours: 8, 16 or 24 bytes, a DES, 2K3DES,
                                      3K3DES or AES key as the card says; empty: none is known. Borrowed */
    uint8_t copies[2]
                  [16]; /**< force-init: both blocks as they were read and logged; others on the card: SCRIP_E_STALE */
};

/** One entry of the history. */
struct scrip_purse_entry {
    bool is_topup;
    uint8_t timestamp[8];
    uint8_t reader[4];  /**< debits */
    uint32_t reference; /**< top-ups; 0: the opening record of personalisation */
    bool unfinished;    /**< EV1 top-up without its mark: the card must be held */
    int32_t amount;
};

#define SCRIP_PURSE_ENTRIES (2U * SCRIP_PURSE_LOG_RECORDS)

/** DESFire: what personalisation found on the card. Only of the first two kinds is anything written. */
enum scrip_purse_found {
    SCRIP_FOUND_NOTHING,       /**< no application of this AID */
    SCRIP_FOUND_HALF,          /**< one that a torn personalisation of ours had begun */
    SCRIP_FOUND_PURSE,         /**< the purse of this profile with these keys: accepted, left as it is */
    SCRIP_FOUND_NO_DESFIRE,    /**< SCRIP_E_UNSUPPORTED: another product, or none that says what it is */
    SCRIP_FOUND_OLD_CARD,      /**< SCRIP_E_UNSUPPORTED: a DESFire without the secure messaging of the profile */
    SCRIP_FOUND_TOO_SMALL,     /**< SCRIP_E_LIMIT: too little memory left */
    SCRIP_FOUND_MASTER_KEY,    /**< SCRIP_E_AUTH: the card's master key is none of those that are known */
    SCRIP_FOUND_FOREIGN,       /**< SCRIP_E_EXISTS: an application of this AID that we did not make */
    SCRIP_FOUND_OTHER_PROFILE, /**< SCRIP_E_EXISTS: one of ours, laid out in another way */
    SCRIP_FOUND_OTHER_KEYS,    /**< SCRIP_E_EXISTS: this purse, but its key of `role` is another one */
};

/** What came of a job. */
struct scrip_purse_result {
    enum scrip_outcome outcome;
    enum scrip_status status;             /**< why not accepted; SCRIP_OK when it was */
    struct scrip_desfire_failure failure; /**< what the card refused, if it did; storage cards: INS and status word
                                             of the pseudo-APDU */
    enum scrip_purse_role role;           /**< key in use when it failed */
    bool has_key_version;                 /**< DESFire: the card refused the first key, and was asked: it has ... */
    uint8_t key_version;                  /**< ... this version of it, as far as its word in the clear goes */
    bool committed;                       /**< the change is on the card for certain */
    bool commit_open;                     /**< a commit left and was not answered: the journal has it as an intent */
    bool recovered;  /**< debit: this terminal's earlier, unanswered commit was found on the card and
                          counts for this one: nothing was taken now */
    uint8_t settled; /**< intents of this card that were settled on the way */
    bool has_uid;
    uint8_t uid[7];
    bool has_balance;
    int32_t balance_before;
    int32_t balance;   /**< after */
    uint64_t sequence; /**< journal line, 0: none */
    bool has_tmc;
    uint32_t tmc;
    uint8_t tmv[8];
    uint8_t entries;
    struct scrip_purse_entry history[SCRIP_PURSE_ENTRIES]; /**< newest first */
    struct scrip_purse_header header;                      /**< history, and `with_header` */
    bool has_header;
    enum scrip_copies_repair repair; /**< storage cards: what was found at the beginning of the visit */
    bool repaired;                   /**< and it was mended */
    bool has_copies;
    uint8_t copies[2][16]; /**< both damaged (status SCRIP_E_CORRUPT): the blocks as read, main and backup */
    bool has_proposal;
    int32_t proposal; /**< an amount that both damaged copies together suggest, for the operator */
    bool blank;       /**< status SCRIP_E_NOT_FOUND: the sector has the transport key: no purse yet */
    /* DESFire, personalise; a purse that was there already is told with balance, header and TMC */
    enum scrip_purse_found found;
    bool begun;             /**< a change was asked for: the same request again finishes what is half made */
    const char *product;    /**< what the card says it is; static memory, NULL: nothing */
    uint32_t memory_free;   /**< bytes for the application, as far as it was asked */
    uint32_t memory_needed; /**< bytes that its files take at least */
};

struct scrip_purse_family;

/** Bytes of a family's own state in a job. */
#define SCRIP_PURSE_JOB_STATE 8192U

/** A job. Start with scrip_purse_begin, run `flow`, read `result`, then scrip_purse_end. */
struct scrip_purse_job {
    struct scrip_flow flow; /**< for scrip_run(&job->flow, link) */
    struct scrip_purse_result result;
    const struct scrip_purse_family *family;
    const struct scrip_purse_request *request;
    enum scrip_purse_operation operation;
    union { /* private to the family */
        uint64_t align;
        uint8_t bytes[SCRIP_PURSE_JOB_STATE];
    } state;
};

/** One card family. */
struct scrip_purse_family {
    const char *name;  /**< "desfire" */
    const char *about; /**< one line */
    unsigned can;      /**< bits 1 << enum scrip_purse_operation */
    /** Could this card be one of ours, from what its activation shows? */
    bool (*identify)(const struct scrip_card_info *card);
    /** Prepare the job's flow. @return SCRIP_OK; SCRIP_E_UNSUPPORTED; SCRIP_E_ARGUMENT */
    enum scrip_status (*begin)(struct scrip_purse_job *job);
    /** Why it lacks operations that others have, one sentence for people; NULL: nothing to say */
    const char *why_not;
};

/** Why a family cannot do an operation, one sentence for people. Static memory.
 *  @return NULL: it can, or has nothing of its own to say */
const char *scrip_purse_why_not(const struct scrip_purse_family *family, enum scrip_purse_operation operation);

/** The adapter of MIFARE DESFire (target scrip_wallet_desfire). */
extern const struct scrip_purse_family scrip_purse_desfire;

/** The purses of storage cards: native value blocks and the BCD wallet (target scrip_wallet_storage). */
extern const struct scrip_purse_family scrip_purse_native;
extern const struct scrip_purse_family scrip_purse_bcd;

/** The one-time wallet (target scrip_wallet_otp). */
extern const struct scrip_purse_family scrip_purse_otp;

/** Family `i` of all that are linked into `scrip_wallet`. @return NULL behind the last */
const struct scrip_purse_family *scrip_purse_family_at(size_t i);

/** The family with this name: "desfire", "classic", "bcd", "otp". @return NULL: not linked in */
const struct scrip_purse_family *scrip_purse_family_named(const char *name);

/** The first family that a card could belong to. The purses of storage cards cannot be told apart before their sector
 *  is read: name the purse. @return NULL: none */
const struct scrip_purse_family *scrip_purse_identify(const struct scrip_card_info *card);

/** Begin an operation on a card.
 *  @return SCRIP_OK: run job->flow; SCRIP_E_UNSUPPORTED: this family cannot do that; SCRIP_E_ARGUMENT: the request
 * lacks something */
enum scrip_status scrip_purse_begin(struct scrip_purse_job *job, const struct scrip_purse_family *family,
                                    enum scrip_purse_operation operation, const struct scrip_purse_request *request);

/** Begin, run on a link, and clear all keys. The result is kept in `job->result`.
 *  @return job->result.status; a link's own failure is put there too */
enum scrip_status scrip_purse_run(struct scrip_purse_job *job, const struct scrip_purse_family *family,
                                  enum scrip_purse_operation operation, const struct scrip_purse_request *request,
                                  struct scrip_link *link);

/** Clear keys. The result stays. */
void scrip_purse_end(struct scrip_purse_job *job);

/** The journal line of a debit as the purse's debit, to rebuild its TMI.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: not a debit */
enum scrip_status scrip_purse_line_debit(const struct scrip_journal_line *line, struct scrip_purse_debit *debit);

/** Does a journal line's TMV verify? The purse is found by the line's profile number.
 *  @return SCRIP_OK; SCRIP_E_MAC; SCRIP_E_WAIT: the line has no TMV (an intent, or settled later);
 *          SCRIP_E_UNSUPPORTED: its profile has no Transaction MAC (no storage card has one);
 *          SCRIP_E_NOT_FOUND: no such profile */
enum scrip_status scrip_purse_line_verify(const struct scrip_journal_line *line, const uint8_t tmac_key[16]);

#endif
