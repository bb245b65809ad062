/* purse_storage.h: purses on storage cards with the command set of MIFARE Classic: the native value purse, the BCD
 * wallet, the one-time wallet. What is where on the card, whose keys, and the commands.
 *
 * Such a card knows no APDUs: its reader speaks for it. A purse's commands are the pseudo-APDUs of PC/SC part 3 (see
 * pcsc.h) in ordinary batches, so that they pass through the same links, traces and faults as those of any card. They
 * run as jobs of wallet.h (families scrip_purse_native, scrip_purse_bcd, scrip_purse_otp); the functions at the end are
 * what these families share.
 *
 * A storage card has no log and no MAC. What is proved is proved by content: the terminal read its own change back. */
#ifndef SCRIP_PURSE_STORAGE_H
#define SCRIP_PURSE_STORAGE_H

#include <scrip/batch.h>
#include <scrip/journal.h>
#include <scrip/purse_desfire.h>

/** Kinds of purses. */
enum scrip_storage_kind {
    SCRIP_STORAGE_NATIVE = 1, /**< a value block and its backup; the card adds and subtracts */
    SCRIP_STORAGE_BCD = 2,    /**< BCD blocks (bcd.h): the terminal reads, adds in BCD, writes */
    SCRIP_STORAGE_OTP = 3,    /**< one bit per unit on OTP memory: debits only */
    SCRIP_STORAGE_KINDS
};

/** Who may do what in the sector. Access bytes and keys of each kind are in docs/protocol/purse-storage.md. */
enum scrip_storage_access {
    SCRIP_STORAGE_HARDENED,   /**< key A for gates, key B for whoever may give value */
    SCRIP_STORAGE_COMPATIBLE, /**< FF 07 80: key A may do everything, key B is data: cards of the original BCD code */
};

/** A key of the sector. */
struct scrip_storage_key {
    uint8_t role;     /**< enum scrip_purse_role, or SCRIP_STORAGE_FACTORY */
    bool diversified; /**< one key per card; false: the first six bytes of the role's key itself */
};

/** In place of a role: the transport key FF FF FF FF FF FF. */
#define SCRIP_STORAGE_FACTORY 0xFFU

/** Where a purse is on a card, and how it is spoken to. */
struct scrip_storage_purse {
    uint8_t kind;         /**< enum scrip_storage_kind */
    uint8_t access;       /**< enum scrip_storage_access */
    uint8_t sector;       /**< of all three blocks */
    uint8_t main_block;   /**< value block, data block; OTP: the face value block */
    uint8_t backup_block; /**< the other copy; OTP: SCRIP_PURSE_NONE */
    uint8_t trailer_block;
    struct scrip_storage_key key_a;
    struct scrip_storage_key key_b;
    int32_t upper;  /**< most that a credit may make of it, minor units */
    uint32_t unit;  /**< OTP: U, minor units per bit; 0: read from the card */
    uint16_t units; /**< OTP: T, bits; 0: read from the card */
};

/** Purse number `i` by name: "classic" (native), "bcd", "otp". @return NULL behind the last. Static memory */
const char *scrip_storage_name_at(size_t i);

/** What purse number `i` is, one line. @return NULL behind the last. Static memory */
const char *scrip_storage_about_at(size_t i);

/** Fill in a purse by name, with options behind plus signs: "classic", "bcd+hardened", "classic+sector=7",
 *  "otp+unit=10+units=500".
 *  hardened:  bcd only: key A reads, key B writes, both per card.
 *  sector=N:  1..39 instead of 1; its first two blocks are used. Not for otp, whose blocks the card decides.
 *  unit=N:    otp only: what one unit is worth, minor units; a terminal that debits need not know it.
 *  units=N:   otp only, to personalise: 1..6000 units; without it the amount says how many.
 *  @return SCRIP_OK; SCRIP_E_NOT_FOUND: no such purse or option; SCRIP_E_UNSUPPORTED: option and purse do not fit */
enum scrip_status scrip_storage_purse_make(const char *name, struct scrip_storage_purse *purse);

/** Are the blocks in that sector, different, no manufacturer block, and all else in its range? For purses that were not
 *  made by scrip_storage_purse_make. A native purse with compatible access passes; no job begins on it.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT */
enum scrip_status scrip_storage_purse_check(const struct scrip_storage_purse *purse);

/** "classic", "bcd", "otp"; "?" for others. Static memory. */
const char *scrip_storage_kind_name(uint8_t kind);

/* ---- journal lines ---- */

/** Set in the profile number of every journal line of a storage card; never set in DESFire's. */
#define SCRIP_STORAGE_PROFILE          0x80U
#define SCRIP_STORAGE_PROFILE_HARDENED 0x10U

/** The number of a purse in journal lines: SCRIP_STORAGE_PROFILE, the kind in the low nibble,
 *  SCRIP_STORAGE_PROFILE_HARDENED where its access is that. Blocks and keys are not part of it.
 *  There is no log on such a card: a line has no record. Its bytes are the sector of the purse; 1 if there is a tag
 *  (see scrip_storage_judge), else 0; the tag before the change; zeros. */
uint8_t scrip_storage_profile_id(const struct scrip_storage_purse *purse);

/** Is this the number of one? */
static inline bool scrip_storage_profile_known(uint8_t id)
{
    const unsigned kind = id & 0x0FU;
    return (id & ~(0x0FU | SCRIP_STORAGE_PROFILE_HARDENED)) == SCRIP_STORAGE_PROFILE && kind >= SCRIP_STORAGE_NATIVE &&
           kind < SCRIP_STORAGE_KINDS;
}

/** A UID as journals and results hold it: 7 bytes; one of 4 bytes is followed by three zeros.
 *  @return SCRIP_OK; SCRIP_E_UNSUPPORTED: neither 4 nor 7 bytes long */
enum scrip_status scrip_storage_uid(struct scrip_bytes uid, uint8_t out[7]);

/* ---- keys ---- */

/** AN10922 input of a sector key: UID (4 or 7 bytes) || sector || "CLASSIC".
 *  @param m  SCRIP_PURSE_DIVERSIFY_MAX bytes @return the span in `m` */
struct scrip_bytes scrip_storage_diversify_input(struct scrip_bytes uid, uint8_t sector, uint8_t *m);

/** A card's sector key: the first six bytes of the role's key, diversified or not; or the transport key. Wipe after
 *  use. @return SCRIP_OK; what keys->get returned */
enum scrip_status scrip_storage_key_get(const struct scrip_storage_purse *purse, const struct scrip_storage_key *key,
                                        const struct scrip_purse_keys *keys, struct scrip_bytes uid, uint8_t out[6]);

/* ---- commands: pseudo-APDUs appended to a batch. @return SCRIP_OK; SCRIP_E_SPACE ---- */

/** Ask for the UID, where the link did not tell. */
enum scrip_status scrip_storage_ask_uid(struct scrip_batch *batch);
/** Load a key into slot 0 and authenticate with it. Two commands. */
enum scrip_status scrip_storage_open(struct scrip_batch *batch, uint8_t block, bool key_b, const uint8_t key[6]);
enum scrip_status scrip_storage_read(struct scrip_batch *batch, uint8_t block);
enum scrip_status scrip_storage_write(struct scrip_batch *batch, uint8_t block, const uint8_t data[16]);
/** INCREMENT or DECREMENT, and TRANSFER to the same block. @param amount 0 or more */
enum scrip_status scrip_storage_change(struct scrip_batch *batch, uint8_t block, bool increment, int32_t amount);
/** RESTORE, and TRANSFER to another block of the sector. */
enum scrip_status scrip_storage_copy(struct scrip_batch *batch, uint8_t source, uint8_t target);

/** What came back for command `i` of a batch.
 *  @param data  without the status word; borrowed from `replies`; NULL: not wanted
 *  @param sw    the status word; 0 when there is none; NULL: not wanted
 *  @return SCRIP_OK: 9000; SCRIP_E_TORN: it may have been carried out (sent and not answered, or the reader lost the
 *          card: 6301); SCRIP_E_NO_CARD: it was not sent; SCRIP_E_CARD: refused; SCRIP_E_UNSUPPORTED: this reader does
 *          not know it (6A81, 6D00, 6E00) */
enum scrip_status scrip_storage_reply(const struct scrip_replies *replies, size_t i, struct scrip_bytes *data,
                                      uint16_t *sw);

/** The same for 16 bytes of a block. SCRIP_E_LENGTH: another number of bytes */
enum scrip_status scrip_storage_reply_block(const struct scrip_replies *replies, size_t i, uint8_t block[16],
                                            uint16_t *sw);

/* ---- the journal of a terminal, by content ---- */

/** What a balance read says about an intent. */
enum scrip_storage_verdict {
    SCRIP_STORAGE_DONE,     /**< it is what the change would have left */
    SCRIP_STORAGE_NOT_DONE, /**< it is what was there before */
    SCRIP_STORAGE_OPEN,     /**< neither: others changed it since */
};

/** In place of a tag: this purse has none. */
#define SCRIP_STORAGE_NO_TAG (-1)

/** Judge one intent by what the card holds now.
 *  @param tag  a number, 0..255, that every credit and nothing else raises by one (native purses: ADR), or
 *              SCRIP_STORAGE_NO_TAG. With it a credit is proved done or not, and a debit not done. Without, a card does
 *              not say who changed it: if others changed it by just that amount the verdict on a debit is wrong; and a
 *              credit that seems not done may have been done and spent, so it stays open */
enum scrip_storage_verdict scrip_storage_judge(const struct scrip_journal_line *line, int32_t balance, int tag);

struct scrip_purse_request;
struct scrip_purse_result;

/** Settle the open lines of a purse by its balance, proved this moment. Only the newest line of a purse can be judged;
 *  older ones stay open. Lines of the card's other purses (by profile number and sector) are left alone. Counts
 *  result->settled; sets result->commit_open when a line stays open, and result->recovered, ->committed and ->sequence
 *  when one of them was found done that is what `operation` (enum scrip_purse_operation) asks for now: then the job is
 *  over, and accepted.
 *  @return SCRIP_OK; SCRIP_E_NV and others: the journal failed: change nothing */
enum scrip_status scrip_storage_settle(const struct scrip_purse_request *request, unsigned operation,
                                       const uint8_t uid[7], int32_t balance, int tag,
                                       struct scrip_purse_result *result);

/** Does this terminal's journal let an order be credited to this card?
 *  @return SCRIP_OK; SCRIP_E_EXISTS: it was, confirmed or found; SCRIP_E_WAIT: it may have been: there is an intent
 *          that could not be settled, and the issuer must decide */
enum scrip_status scrip_storage_may_credit(const struct scrip_journal *journal, const uint8_t uid[7],
                                           uint32_t reference);

/** Append the intent of a debit or credit; durable when this returns SCRIP_OK. Sets result->sequence and
 *  result->commit_open. @return as scrip_journal_append */
enum scrip_status scrip_storage_intend(const struct scrip_purse_request *request, unsigned operation,
                                       const uint8_t uid[7], int32_t balance, int tag,
                                       struct scrip_purse_result *result);

/** The change was read back (done), or the old balance was, in a new authentication (not done): give the line of
 *  scrip_storage_intend its result, and clear result->commit_open. If the journal fails here the line is an intent
 *  still, which the next visit settles and may count for what is asked for then: so nothing may be handed out now.
 *  @return as scrip_journal_settle; other than SCRIP_OK: `result` is untouched */
enum scrip_status scrip_storage_conclude(const struct scrip_purse_request *request, bool done,
                                         struct scrip_purse_result *result);

/** Is this what a reader shows for a MIFARE Classic, or for a card that passes for one: the ATR of PC/SC part 3 with a
 *  card name of that family? */
bool scrip_storage_is_classic(const struct scrip_card_info *card);

#endif
