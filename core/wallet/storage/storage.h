/* storage.h: a visit at a storage card with two copies of its value, as a machine of stages.
 *
 * stage     asks for                              then
 * MEET      the UID, where the link knows none    OPEN
 * OPEN      a key, both copies                    decide which counts: MEND, CHANGE, WRITE, PROVE or the end; a key
 *                                                 that is refused: OPEN with the next candidate
 * MEND      the bad or stale copy := the good one CHANGE, or the end
 * CHANGE    the main copy := new (native: both)   BACKUP, the end; anything doubtful: CHECK
 * BACKUP    the other copy := new                 the end; anything doubtful: CHECK
 * CHECK     a key, both copies once more          decided by content: MEND or the end
 * WRITE     both copies (make.c)                  PROVE, TRAILER or the end
 * TRAILER   the keys (make.c)                     PROVE
 * PROVE     the new keys, both copies (make.c)    the end; refused: OPEN for one more TRAILER
 *
 * A terminal may be stopped between any two of these, and a card may lose power in any of them: the next visit begins
 * with OPEN and finds one of the rows of the recovery table (scrip_copies_repair). */
#ifndef SCRIP_WALLET_STORAGE_H
#define SCRIP_WALLET_STORAGE_H

#include "sector.h"

/** What differs between the two formats of a value. */
struct storage_kind {
    /** Read a copy. @return SCRIP_OK; SCRIP_E_FORMAT */
    enum scrip_status (*get)(const uint8_t block[16], int32_t *value);
    /** Make a copy. @return SCRIP_OK; SCRIP_E_OVERFLOW */
    enum scrip_status (*put)(const struct scrip_storage_purse *purse, int32_t value, uint8_t block[16]);
    /** One command: `target` becomes what `source` is. @param block  the content of `source` */
    enum scrip_status (*copy)(struct scrip_batch *batch, uint8_t source, uint8_t target, const uint8_t block[16]);
    /** One command: the main copy becomes `next`; a credit raises the tag. */
    enum scrip_status (*change)(const struct scrip_storage_purse *purse, struct scrip_batch *batch, int32_t before,
                                int32_t next, int tag);
    /** The tag of a valid copy (see scrip_storage_judge), or SCRIP_STORAGE_NO_TAG. */
    int (*tag)(const uint8_t block[16]);
    /** A card that refuses to copy from a damaged block lets the backup follow in the same batch. */
    bool copies_itself;
    enum scrip_status (*propose)(const uint8_t main[16], const uint8_t backup[16], int32_t *value);
};

extern const struct storage_kind storage_native, storage_bcd;

enum storage_stage {
    STAGE_OPEN = SECTOR_MEET + 1,
    STAGE_MEND,
    STAGE_CHANGE,
    STAGE_BACKUP,
    STAGE_CHECK,
    STAGE_WRITE,
    STAGE_TRAILER,
    STAGE_PROVE,
};

/** A key to try at the door. */
struct storage_opener {
    struct scrip_storage_key key;
    bool key_b;
    bool next;  /* out of request->next_keys */
    bool probe; /* only to tell a blank sector from a foreign one */
};

#define STORAGE_OPENERS 4U

struct visit {
    struct sector sector;
    struct scrip_storage_purse purse;
    const struct storage_kind *kind;
    struct storage_opener openers[STORAGE_OPENERS];
    uint8_t opener_count;
    uint8_t opener; /* that is tried, or opened */
    uint8_t copies[2][16];
    enum scrip_copies_repair repair;
    int32_t value;    /* that counts */
    int tag;          /* of the copy that counts */
    int32_t next;     /* after the change */
    bool writes_keys; /* OPEN goes to TRAILER */
    bool ending;      /* the result is known; what follows is repair only */
};

static inline struct visit *visit_of(struct scrip_purse_job *job)
{
    return (struct visit *)(void *)&job->state;
}

/** The two blocks at replies `i` and `i + 1`, into visit->copies. @return as scrip_storage_reply_block */
enum scrip_status visit_take_copies(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i);

/** Which copy of visit->copies counts: fills repair and value. */
void visit_decide(struct visit *visit);

/** Both copies are damaged: report them. @return the job's status */
enum scrip_status visit_report_damage(struct scrip_purse_job *job);

/** Append a key, the authentication, and reads of both copies: four commands. */
enum scrip_status visit_ask_open(struct scrip_purse_job *job, struct scrip_batch *batch,
                                 const struct storage_opener *opener);

/** The key that an opener names. */
enum scrip_status visit_key(struct scrip_purse_job *job, const struct storage_opener *opener, uint8_t key[6]);

/** The sector's key A or B. */
struct storage_opener visit_own(const struct visit *visit, bool key_b);

/** Which key may write the trailer. */
bool visit_writer_is_b(const struct scrip_storage_purse *purse);

/* spend.c */
enum scrip_status spend_begin(struct scrip_purse_job *job); /* value is known, copies are good: what now? */
enum scrip_status spend_ask_change(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status spend_take_change(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status spend_ask_backup(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status spend_take_backup(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status spend_ask_check(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status spend_take_check(struct scrip_purse_job *job, const struct scrip_replies *replies);

/* make.c */
void make_openers(struct scrip_purse_job *job);
enum scrip_status make_opened(struct scrip_purse_job *job); /* personalise, rekey, force-init: the sector is open */
enum scrip_status make_ask_write(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status make_take_write(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status make_ask_trailer(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status make_take_trailer(struct scrip_purse_job *job, const struct scrip_replies *replies);
enum scrip_status make_ask_prove(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status make_take_prove(struct scrip_purse_job *job, const struct scrip_replies *replies);

#endif
