/* purse_desfire.h: the purse on MIFARE DESFire: what is where on the card, and the stages of a visit.
 *
 * A visit ("tap") is one presence of a card. Its functions append commands to a batch; scrip_desfire_tap_take takes
 * whatever came back and keeps what was proved as facts. The same stages serve a server that sees each batch in another
 * request (save and load the tap in between) and a terminal with the card on its own reader (wallet.h).
 *
 * Over the air, EV2:   preamble | take, answer | take (the card is proved), flush, read, top-up | take
 *               EV1:   preamble | take, answer, flush, top-up | take             (keys known before the card's proof)
 *               random ID:  preamble(ID) | take, answer | take, who | take, answer, flush, top-up | take
 * A bar is one trip to the card. The preamble needs no secret and may be sent before anybody knows the card. */
#ifndef SCRIP_PURSE_DESFIRE_H
#define SCRIP_PURSE_DESFIRE_H

#include <scrip/desfire_term.h>

/* ---- keys ---- */

/** Roles of keys. The numbers are those of `enum scrip_key_role`. */
enum scrip_purse_role {
    SCRIP_PURSE_AMK,   /**< key 0: administration; not diversified */
    SCRIP_PURSE_PAY,   /**< key 1: a terminal reads, debits, writes the transaction log */
    SCRIP_PURSE_WRITE, /**< key 2: header data */
    SCRIP_PURSE_TOPUP, /**< key 3 (4 in `split`): credits, writes the top-up log */
    SCRIP_PURSE_TMAC,  /**< Transaction MAC key: back office only */
    SCRIP_PURSE_PICC,  /**< master key of the card; not diversified */
    SCRIP_PURSE_ID,    /**< says which card it is when the UID is random; not diversified */
    SCRIP_PURSE_ROLES,
    SCRIP_PURSE_BCD = 9, /**< BCD wallets on MIFARE Classic (purse_storage.h): 6 bytes are used */
};

/** Most bytes of a diversification input. */
#define SCRIP_PURSE_DIVERSIFY_MAX 31U

/** Where a flow gets a card's keys. `m` is the AN10922 input, empty for keys that are not diversified.
 *  `get` returns SCRIP_OK and 16 bytes; SCRIP_E_KEY: no such key here (a terminal has no top-up key). `ctx` borrowed.
 */
struct scrip_purse_keys {
    void *ctx;
    enum scrip_status (*get)(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16]);
};

/** M of AN10922 for this project: UID || AID in printed order || "OTA TOP-UP"; empty for the roles AMK, PICC and ID.
 *  @param aid  as sent (99 44 01)
 *  @param m    SCRIP_PURSE_DIVERSIFY_MAX bytes @return the span in `m` */
struct scrip_bytes scrip_purse_diversify_input(enum scrip_purse_role role, const uint8_t uid[7], const uint8_t aid[3],
                                               uint8_t *m);

/* ---- what is where ---- */

#define SCRIP_PURSE_NONE        0xFFU /**< no such file or key */

/** Readable records of each log. */
#define SCRIP_PURSE_LOG_RECORDS 10U
#define SCRIP_PURSE_RECORD      16U  /**< bytes of a log record */
#define SCRIP_PURSE_HEADER      128U /**< bytes of the card header */

/** Where things are on a card, and how they are spoken to. */
struct scrip_desfire_purse {
    uint8_t aid[3];      /**< as sent */
    uint8_t sm;          /**< SCRIP_DESFIRE_SM_EV2 or _EV1 (AES) */
    uint8_t header_file; /**< card header */
    uint8_t log_file;    /**< transaction log: debits; SCRIP_PURSE_NONE in no profile */
    uint8_t value_file;  /**< the money */
    uint8_t topup_file;  /**< top-up log */
    uint8_t tmac_file;   /**< Transaction MAC, or SCRIP_PURSE_NONE */
    uint8_t pay_key, write_key, topup_key;
    uint8_t id_key;      /**< SCRIP_PURSE_NONE: the card shows its UID */
    bool reader_id;      /**< CommitReaderID is part of every transaction */
    bool long_codes;     /**< AD 8D AB 8B instead of BD 3D BB 3B */
    bool smallest_debit; /**< debits are Debit and Commit only */
    bool log_by_server;  /**< the top-up key may read the transaction log */
    bool header_open;    /**< the header is a standard file that everybody may read (written without commit) */
};

/** How a purse is laid out by personalisation. */
struct scrip_desfire_profile {
    const char *name;  /**< "an12113" */
    const char *about; /**< one line */
    struct scrip_desfire_purse purse;
    struct scrip_desfire_application application;
    uint8_t key_count;
    uint8_t key_roles[8];    /**< enum scrip_purse_role of each key number */
    bool key_diversified[8]; /**< likewise */
    uint8_t file_count;      /**< without the Transaction MAC file */
    struct scrip_desfire_file files[6];
    struct scrip_desfire_file tmac; /**< if purse.tmac_file is one */
    bool random_id;                 /**< switch on random UIDs (cannot be undone) */
};

/** Profile number `i`: an12113, split, ev1, plain. @return NULL behind the last. Static memory. */
const struct scrip_desfire_profile *scrip_desfire_profile_at(size_t i);

/** Fill in a profile by name, with options behind plus signs: "an12113", "split+random-id", "an12113+smallest".
 *  random-id: random UIDs and one more, undiversified key to ask for the true one.
 *  smallest:  debits of five commands (Select, two of authentication, Debit, Commit). What it gives up: no record on
 * the card, so a terminal cannot settle an unanswered commit by itself and the customer has no history of debits; no
 * balance for the display; no reader id, so the chain of readers is gone for top-ups too.
 *  @return SCRIP_OK; SCRIP_E_NOT_FOUND: no such profile or option; SCRIP_E_UNSUPPORTED: option and profile do not fit
 */
enum scrip_status scrip_desfire_profile_make(const char *name, struct scrip_desfire_profile *profile);

/** Longest text of scrip_desfire_profile_name with its final NUL. */
#define SCRIP_PROFILE_NAME_MAX 40U

/** The name that scrip_desfire_profile_make takes, options included. @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_profile_name(const struct scrip_desfire_profile *profile,
                                             char out[SCRIP_PROFILE_NAME_MAX]);

/** The profile of a card from its header's profile byte. @return as scrip_desfire_profile_make */
enum scrip_status scrip_desfire_profile_of_id(uint8_t id, struct scrip_desfire_profile *profile);

/** The number of a profile for the card header: base profile in the low nibble (1 an12113, 2 split, 3 ev1, 4 plain),
 *  bit 4 random-id, bit 5 smallest. */
uint8_t scrip_desfire_profile_id(const struct scrip_desfire_profile *profile);

/* ---- the card header (file 1), 128 bytes, integers LE:
 *   0  magic "SCRP"            4  layout version, 1        5  profile id (see above)
 *   6  currency, ISO 4217 number (2)      8  exponent of the currency    9  0
 *  10  card number, BCD, 10 bytes, padded with F           20  issued, timestamp (8)
 *  28  expires, BCD YYYYMMDD (4), 0: never                 32  issuer, UTF-8, padded with 0 (32)
 *  64  free for the issuer (60)                            124 CRC-32 of bytes 0..123 (4) ---- */

struct scrip_purse_header {
    uint8_t profile;      /**< scrip_desfire_profile_id */
    uint16_t currency;    /**< ISO 4217 number: 978 for EUR */
    uint8_t exponent;     /**< digits behind the decimal sign */
    char card_number[21]; /**< 1..20 digits, NUL-terminated; to personalise with also empty: made from the UID */
    uint8_t issued[8];    /**< timestamp */
    uint8_t expires[4];   /**< BCD YYYYMMDD, or zeros */
    char issuer[33];      /**< UTF-8, NUL-terminated */
    uint8_t free_data[60];
};

/** The number of a card that was given none: its UID as a decimal number, most significant byte first. */
void scrip_purse_number_of_uid(const uint8_t uid[7], char text[21]);

/** @return SCRIP_OK; SCRIP_E_ARGUMENT: the card number is not 1..20 digits */
enum scrip_status scrip_purse_header_put(const struct scrip_purse_header *header, uint8_t out[SCRIP_PURSE_HEADER]);

/** @return SCRIP_OK; SCRIP_E_FORMAT: no header of ours; SCRIP_E_UNSUPPORTED: a newer layout; SCRIP_E_CORRUPT: checksum
 */
enum scrip_status scrip_purse_header_get(struct scrip_bytes in, struct scrip_purse_header *header);

/* ---- records ---- */

/** Timestamp of a record: BCD YYYYMMDDhhmmss and hundredths, UTC. */
void scrip_purse_timestamp(uint64_t unix_ms, uint8_t out[8]);

/** The reverse. @return SCRIP_OK; SCRIP_E_FORMAT: no such time */
enum scrip_status scrip_purse_timestamp_get(const uint8_t in[8], uint64_t *unix_ms);

/** A reader id for CommitReaderID: who (4), reference (4 LE, 0 for debits), sequence (8 LE). */
void scrip_purse_tmri(const uint8_t who[4], uint32_t reference, uint64_t sequence, uint8_t tmri[16]);

/** Set in the reference of an EV1 top-up record when the Credit is in the same transaction: see rule 6 in
 *  docs/protocol/purse-desfire.md. */
#define SCRIP_PURSE_REFERENCE_DONE 0x80000000U

/** A top-up as it is written to the card. */
struct scrip_purse_topup {
    int32_t amount; /**< minor units, above 0 */
    uint8_t timestamp[8];
    uint32_t reference; /**< issue number, 1..7FFFFFFF; 0 is reserved */
    uint8_t tmri[16];
};

/** A debit as it is written to the card. */
struct scrip_purse_debit {
    int32_t amount; /**< minor units, above 0 */
    uint8_t reader[4];
    uint8_t timestamp[8];
    uint8_t tmri[16];
};

/** The finished record of a top-up: timestamp, value, reference (EV1: with SCRIP_PURSE_REFERENCE_DONE). */
void scrip_purse_topup_record(const struct scrip_desfire_purse *purse, const struct scrip_purse_topup *topup,
                              uint8_t record[SCRIP_PURSE_RECORD]);

/** The record of a debit: reader, timestamp, value. */
void scrip_purse_debit_record(const struct scrip_purse_debit *debit, uint8_t record[SCRIP_PURSE_RECORD]);

/* ---- what a visit has proved ---- */

/** Bits of scrip_desfire_facts.has. Everything under them came under a session MAC. */
enum {
    SCRIP_FACT_UID = 1U << 0,           /**< GetCardUID, or given at the start (then as good as its source) */
    SCRIP_FACT_BALANCE = 1U << 1,       /**< GetValue before any change of this visit */
    SCRIP_FACT_BALANCE_AFTER = 1U << 2, /**< GetValue after the commit */
    SCRIP_FACT_TMAC = 1U << 3,          /**< TMC and TMV of the last transaction, from the file */
    SCRIP_FACT_TOPUPS = 1U << 4,        /**< top-up log */
    SCRIP_FACT_DEBITS = 1U << 5,        /**< transaction log */
    SCRIP_FACT_HEADER = 1U << 6,
    SCRIP_FACT_READER = 1U << 7,       /**< CommitReaderID: EncTMRI */
    SCRIP_FACT_COMMITTED = 1U << 8,    /**< CommitTransaction was answered, under the session MAC */
    SCRIP_FACT_COMMIT_TMV = 1U << 9,   /**< with TMC and TMV */
    SCRIP_FACT_CARD = 1U << 10,        /**< the card proved that it knows the key */
    SCRIP_FACT_TOPUP_COUNT = 1U << 12, /**< how many records the top-up log has */
    SCRIP_FACT_KEYS = 1U << 11,        /**< the keys asked for were changed */
};

/** Records as read, newest first. */
struct scrip_purse_log {
    uint8_t count;
    bool whole; /**< the whole log was read */
    uint8_t records[SCRIP_PURSE_LOG_RECORDS][SCRIP_PURSE_RECORD];
};

struct scrip_desfire_facts {
    uint32_t has;
    uint8_t uid[7];
    int32_t balance;
    int32_t balance_after;
    uint32_t tmc; /**< from the Transaction MAC file */
    uint8_t tmv[8];
    uint8_t enc_tmri[16];
    uint32_t commit_tmc; /**< from CommitTransaction */
    uint8_t commit_tmv[8];
    uint32_t topup_count;               /**< records of the top-up log; not kept by scrip_desfire_tap_save */
    struct scrip_purse_log topups;      /**< likewise */
    struct scrip_purse_log debits;      /**< likewise */
    uint8_t header[SCRIP_PURSE_HEADER]; /**< likewise */
};

/* ---- a visit ---- */

/** One presence of a card. Read `facts` and `term.failure`; the rest is private. No pointers. Wipe when done. */
struct scrip_desfire_tap {
    struct scrip_desfire_purse purse;
    struct scrip_desfire_term term;
    struct scrip_desfire_facts facts;
    uint8_t items[SCRIP_BATCH_COMMANDS]; /* what each command that is out was for */
    uint8_t item_count;
    uint8_t role; /* of the authentication begun last */
};

/** A card has come.
 *  @param uid  7 bytes from anticollision, or NULL: not known (yet) */
void scrip_desfire_tap_start(struct scrip_desfire_tap *tap, const struct scrip_desfire_purse *purse,
                             const uint8_t *uid);
void scrip_desfire_tap_wipe(struct scrip_desfire_tap *tap);

/** Select the purse and begin to authenticate in a role: two commands without any secret. Role ID is what a card with
 *  random UID is met with. @return SCRIP_OK; SCRIP_E_KEY: this purse has no such key; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_tap_preamble(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                             enum scrip_purse_role role);

/** Inside a session: ask who the card is (GetCardUID) and begin to authenticate in another role, keeping the session's
 *  identifier (EV2 NonFirst). */
enum scrip_status scrip_desfire_tap_who(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                        enum scrip_purse_role role);

/** Inside an EV2 session: begin to authenticate in another role; an open transaction goes on. EV1: a new session. */
enum scrip_status scrip_desfire_tap_reauth(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                           enum scrip_purse_role role);

/** Answer the card's challenge (taken before).
 *  @param key   the card's own key of the role
 *  @param rnda  16 bytes, fresh and unpredictable (or bound to the request, where the same request must give the same
 *               bytes)
 *  @return SCRIP_OK; SCRIP_E_STATE: no challenge; SCRIP_E_LENGTH: a challenge of another key type */
enum scrip_status scrip_desfire_tap_answer(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                           const uint8_t key[16], const uint8_t rnda[16]);

/** Make sure that no change of an older session is pending on the card: WriteRecord into a log and AbortTransaction.
 *  Both answer 00 on every card, whatever it keeps across authentications and thinks of status 0C. Reads before it
 * leave the Transaction MAC as well.
 *  @param role  role of the session: WRITE has no log to write to: SCRIP_E_KEY */
enum scrip_status scrip_desfire_tap_flush(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                          enum scrip_purse_role role);

/** What scrip_desfire_tap_read reads. */
enum {
    SCRIP_READ_BALANCE = 1U << 0,
    SCRIP_READ_TMAC = 1U << 1, /**< ignored on a purse without it */
    SCRIP_READ_TOPUPS = 1U << 2,
    SCRIP_READ_DEBITS = 1U << 3, /**< the top-up key may not everywhere: purse.log_by_server */
    SCRIP_READ_HEADER = 1U << 4,
    SCRIP_READ_UID = 1U << 5,
    SCRIP_READ_TOPUP_COUNT = 1U << 7, /**< GetFileSettings of the top-up log: on the profiles `ev1` and `plain` any
                                         session may. 0 records: somebody has cleared it, which a phone can do where
                                         commands carry no MAC; our cards are never without one */
    SCRIP_READ_LAST = 1U << 6,        /**< nothing follows in this session: logs of EV1 cards may be fetched ahead */
};

/** Read. Personalisation puts an opening record into both logs, so that reading them never fails for emptiness.
 *  On a purse with short codes a log or header may come in several frames: it must then be the last of its batch
 *  (take answers SCRIP_E_WAIT, continue) unless SCRIP_READ_LAST is given: then continuation frames are put into the
 * same batch, and the session is over afterwards.
 *  @param what     SCRIP_READ_*
 *  @param records  newest records of each log, 1..10; 0: all. With short codes that many single records,
 *                 each of which fits a frame. More than there are: the card refuses and the session is over
 *  @return SCRIP_OK; SCRIP_E_WAIT: read the rest after taking what is out (nothing was appended); SCRIP_E_SPACE */
enum scrip_status scrip_desfire_tap_read(struct scrip_desfire_tap *tap, struct scrip_batch *batch, unsigned what,
                                         unsigned records);

/** The top-up up to and with the commit. EV2: GetValue, Credit, WriteRecord, [CommitReaderID,] CommitTransaction.
 *  EV1: WriteRecord with the reference's top bit clear, Credit, WriteRecord of the reference with the bit set,
 *  CommitTransaction, GetValue. Put scrip_desfire_tap_flush before it.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: amount not above 0; SCRIP_E_WAIT; SCRIP_E_SPACE */
enum scrip_status scrip_desfire_tap_topup(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                          const struct scrip_purse_topup *topup);

/** A debit without its commit: GetValue, Debit, WriteRecord, [CommitReaderID]; the smallest: Debit. With EV1 messaging
 *  GetValue is left out, as nothing could follow it in the batch: read the balance in the batch before. */
enum scrip_status scrip_desfire_tap_debit(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                          const struct scrip_purse_debit *debit);

/** Single steps, for other orders of the same commands. */
enum scrip_status scrip_desfire_tap_value(struct scrip_desfire_tap *tap, struct scrip_batch *batch);
enum scrip_status scrip_desfire_tap_credit(struct scrip_desfire_tap *tap, struct scrip_batch *batch, int32_t amount);
/** Part of a record into a log. @param file purse.log_file or purse.topup_file */
enum scrip_status scrip_desfire_tap_record(struct scrip_desfire_tap *tap, struct scrip_batch *batch, uint8_t file,
                                           uint32_t offset, struct scrip_bytes data);
enum scrip_status scrip_desfire_tap_reader(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                           const uint8_t tmri[16]);
enum scrip_status scrip_desfire_tap_commit(struct scrip_desfire_tap *tap, struct scrip_batch *batch);
enum scrip_status scrip_desfire_tap_abort(struct scrip_desfire_tap *tap, struct scrip_batch *batch);

/** Write the card header (role WRITE), in pieces where needed. With reader ids the transaction is finished in role
 * TOPUP: scrip_desfire_tap_reauth, then scrip_desfire_tap_reader and scrip_desfire_tap_commit. */
enum scrip_status scrip_desfire_tap_write_header(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                                 uint32_t offset, struct scrip_bytes data);

/** Change keys (role AMK). Key 0 must come last: it ends the session. Nothing else may follow it in the batch.
 *  @param current  the key's present value; NULL for key 0 */
enum scrip_status scrip_desfire_tap_change_key(struct scrip_desfire_tap *tap, struct scrip_batch *batch, uint8_t key_no,
                                               const uint8_t next[16], uint8_t version, const uint8_t *current);

/** Take what came back, up to the first thing that went wrong.
 *  @param key  the key of the authentication under way, for the card's proof; NULL when none is out
 *  @return SCRIP_OK: everything asked for was answered; SCRIP_E_WAIT: a response goes on: scrip_desfire_tap_continue;
 *          else as scrip_desfire_term_take and _auth_proof: what was proved before is in `facts`, the session is over,
 *          and what was asked for behind the failure is forgotten. A commit without its MAC proves nothing either way
 */
enum scrip_status scrip_desfire_tap_take(struct scrip_desfire_tap *tap, const struct scrip_replies *replies,
                                         const uint8_t *key);
enum scrip_status scrip_desfire_tap_continue(struct scrip_desfire_tap *tap, struct scrip_batch *batch);

#define SCRIP_DESFIRE_TAP_SAVED_MAX (SCRIP_DESFIRE_TERM_SAVED_MAX + 160U)

/** Append the state of a visit (secret: seal it): the terminal, what is out, and the small facts. */
enum scrip_status scrip_desfire_tap_save(const struct scrip_desfire_tap *tap, struct scrip_buf *out);

/** Take a saved visit off `in`. `purse` as at the start. @return SCRIP_OK; SCRIP_E_LENGTH; SCRIP_E_FORMAT */
enum scrip_status scrip_desfire_tap_load(struct scrip_desfire_tap *tap, const struct scrip_desfire_purse *purse,
                                         struct scrip_bytes *in);

/* ---- verifying with the Transaction MAC key ---- */

/** Bytes of the TMI of a top-up or debit. */
#define SCRIP_PURSE_TMI_MAX 128U

/** The TMI that the card builds over a top-up.
 *  @param balance   what GetValue returned
 *  @param enc_tmri  what CommitReaderID returned; ignored on a purse without reader ids */
enum scrip_status scrip_purse_topup_tmi(const struct scrip_desfire_purse *purse, const struct scrip_purse_topup *topup,
                                        int32_t balance, const uint8_t enc_tmri[16], struct scrip_buf *tmi);

/** The same for a debit. */
enum scrip_status scrip_purse_debit_tmi(const struct scrip_desfire_purse *purse, const struct scrip_purse_debit *debit,
                                        int32_t balance, const uint8_t enc_tmri[16], struct scrip_buf *tmi);

/** Is this the TMV of that TMI? `tmc`: after the transaction. `uid`: the true one.
 *  @return SCRIP_OK; SCRIP_E_MAC */
enum scrip_status scrip_purse_tmv_check(const uint8_t tmac_key[16], const uint8_t uid[7], uint32_t tmc,
                                        struct scrip_bytes tmi, const uint8_t tmv[8]);

/** The reader id of the transaction before the one that made TMC `tmc`, out of its EncTMRI. */
void scrip_purse_previous_reader(const uint8_t tmac_key[16], const uint8_t uid[7], uint32_t tmc,
                                 const uint8_t enc_tmri[16], uint8_t tmri[16]);

/** After a top-up: do the facts of this visit prove it? EV2: the commit's TMV over the rebuilt TMI. EV1 and purses
 *  without Transaction MAC: the commit's response MAC.
 *  @param tmac_key may be NULL on a purse without Transaction MAC
 *  @return SCRIP_OK: committed; SCRIP_E_WAIT: the commit was not (provably) answered: open; SCRIP_E_MAC: TMV wrong */
enum scrip_status scrip_purse_topup_proved(const struct scrip_desfire_tap *tap, const struct scrip_purse_topup *topup,
                                           const uint8_t *tmac_key);

/** Find a top-up's record in a log by its reference (low 31 bits).
 *  @return its index (0 newest), or -1 */
int scrip_purse_find_topup(const struct scrip_purse_log *log, uint32_t reference);

#endif
