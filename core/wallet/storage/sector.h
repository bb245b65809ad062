/* sector.h: a visit at one sector of a storage card, as a machine of stages: what the visits to two copies of a value
 * (storage.h) and to one-time memory (otp/visit.h) share. Stages have numbers, from SECTOR_MEET on. */
#ifndef SCRIP_WALLET_SECTOR_H
#define SCRIP_WALLET_SECTOR_H

#include <scrip/classic.h>
#include <scrip/wallet.h>

enum { SECTOR_OVER, SECTOR_MEET };

/** A batch to ask for, and what to do with the replies. One that asks for nothing must have gone on to another. */
struct sector_stage {
    enum scrip_status (*ask)(struct scrip_purse_job *job, struct scrip_batch *batch);
    enum scrip_status (*take)(struct scrip_purse_job *job, const struct scrip_replies *replies);
};

/** Stands first in the state of a visit. */
struct sector {
    const struct sector_stage *stages; /* by their numbers */
    uint8_t stage;                     /* SECTOR_OVER: the result is known */
    uint8_t met;                       /* the stage behind SECTOR_MEET */
    uint8_t uid[7];
    uint8_t uid_len;
    uint8_t uid7[7];  /* padded */
    uint8_t trailers; /* written in this visit */
};

/** INS of the pseudo-APDUs, for what is reported of a failure. */
enum {
    SECTOR_INS_LOAD = 0x82,
    SECTOR_INS_AUTHENTICATE = 0x86,
    SECTOR_INS_READ = 0xB0,
    SECTOR_INS_UID = 0xCA,
    SECTOR_INS_WRITE = 0xD6,
    SECTOR_INS_CHANGE = 0xD7,
};

/** Make the job's flow run `stages`, from SECTOR_MEET. */
void sector_begin(struct scrip_purse_job *job, const struct sector_stage *stages, uint8_t met);

/** SECTOR_MEET: the UID, from the reader where the link did not tell. */
enum scrip_status sector_ask_uid(struct scrip_purse_job *job, struct scrip_batch *batch);
enum scrip_status sector_take_uid(struct scrip_purse_job *job, const struct scrip_replies *replies);

/** The job is over: say how. @return `status` */
enum scrip_status sector_end(struct scrip_purse_job *job, enum scrip_outcome outcome, enum scrip_status status);

/** The same, where it is a result and no failure of the flow. @return SCRIP_OK */
enum scrip_status sector_result(struct scrip_purse_job *job, enum scrip_outcome outcome, enum scrip_status status);

/** Keep what the card or reader refused. @return `status` */
enum scrip_status sector_note(struct scrip_purse_job *job, uint8_t ins, enum scrip_status status, uint16_t sw);

/** What came back for a command; a failure is noted under `ins`. @return as scrip_storage_reply */
enum scrip_status sector_reply(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i, uint8_t ins);

/** The same for a block that was read. @return as scrip_storage_reply_block */
enum scrip_status sector_reply_block(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i,
                                     uint8_t block[16]);

/** What came back for the two commands of scrip_storage_open, at the head of a batch.
 *  @return SCRIP_OK; SCRIP_E_CARD: the key was refused, with `sw`; noted: SCRIP_E_UNSUPPORTED: this reader takes no
 *          keys, and failures of the link */
enum scrip_status sector_take_open(struct scrip_purse_job *job, const struct scrip_replies *replies, uint16_t *sw);

/** The balance is known: ends a job that only asks for it, and one that finds its change or its card's open lines in
 * the journal (scrip_storage_settle). @return SCRIP_OK: over by now, or a change is to be made; the journal's failure
 */
enum scrip_status sector_settle(struct scrip_purse_job *job, int32_t value, int tag);

/** The change will not be made, and nothing was sent of it. @return SCRIP_OK */
enum scrip_status sector_refuse(struct scrip_purse_job *job, enum scrip_status status);

/** The change is on the card. What the journal could not keep is asked for again, and found then.
 *  @return the job's status */
enum scrip_status sector_done(struct scrip_purse_job *job, int32_t balance);

/** Append the writing of a trailer, which from then on may be on the card: its keys are wiped here.
 *  @param make  fills the trailer in */
enum scrip_status sector_ask_trailer(struct scrip_purse_job *job, struct scrip_batch *batch, uint8_t block,
                                     enum scrip_status (*make)(struct scrip_purse_job *job,
                                                               struct scrip_classic_trailer *trailer));

/** What came back for it. @return SCRIP_OK: taken or refused, which only the keys can tell; the link's failure */
enum scrip_status sector_take_trailer(struct scrip_purse_job *job, const struct scrip_replies *replies);

/** How making ends, by what the new keys have shown.
 *  @param before  the failure noted before they were tried, which is the one to tell where there was one
 *  @param proof   SCRIP_OK: accepted; SCRIP_E_AUTH: `once_more` decides; another one is returned */
enum scrip_status sector_take_proof(struct scrip_purse_job *job, const struct scrip_desfire_failure *before,
                                    enum scrip_status proof, enum scrip_status (*once_more)(struct scrip_purse_job *));

#endif
