/* The machine of a visit at a storage card, and the stages that all of them have. See sector.h. */
#include "sector.h"
#include "outcome.h"
#include <string.h>

static struct sector *sector_of(struct scrip_purse_job *job)
{
    return (struct sector *)(void *)&job->state;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

enum scrip_status sector_end(struct scrip_purse_job *job, enum scrip_outcome outcome, enum scrip_status status)
{
    sector_of(job)->stage = SECTOR_OVER;
    job->result.outcome = outcome;
    job->result.status = status;
    return status;
}

enum scrip_status sector_result(struct scrip_purse_job *job, enum scrip_outcome outcome, enum scrip_status status)
{
    (void)sector_end(job, outcome, status);
    return SCRIP_OK;
}

static enum scrip_status fail(struct scrip_purse_job *job, enum scrip_status status)
{
    if (sector_of(job)->stage != SECTOR_OVER) { /* else the stage has said how it ended */
        (void)sector_end(job, purse_outcome_of(status), status);
    }
    return status;
}

static enum scrip_status next(struct scrip_flow *flow, struct scrip_batch *batch)
{
    struct scrip_purse_job *job = (struct scrip_purse_job *)(void *)flow;
    const struct sector *sector = sector_of(job);
    while (sector->stage != SECTOR_OVER && batch->count == 0) {
        const enum scrip_status status = sector->stages[sector->stage].ask(job, batch);
        if (status != SCRIP_OK) {
            scrip_wipe(batch->bytes, batch->len); /* a key may be in it already */
            scrip_batch_clear(batch);
            return fail(job, status);
        }
    }
    return SCRIP_OK;
}

static enum scrip_status take(struct scrip_flow *flow, const struct scrip_replies *replies)
{
    struct scrip_purse_job *job = (struct scrip_purse_job *)(void *)flow;
    const struct sector *sector = sector_of(job);
    const enum scrip_status status = sector->stages[sector->stage].take(job, replies);
    return status == SCRIP_OK ? SCRIP_OK : fail(job, status);
}

void sector_begin(struct scrip_purse_job *job, const struct sector_stage *stages, uint8_t met)
{
    struct sector *sector = sector_of(job);
    sector->stages = stages;
    sector->stage = SECTOR_MEET;
    sector->met = met;
    job->flow.next = next;
    job->flow.take = take;
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

enum scrip_status sector_note(struct scrip_purse_job *job, uint8_t ins, enum scrip_status status, uint16_t sw)
{
    job->result.failure =
        (struct scrip_desfire_failure){.status = status, .cmd = ins, .sw = sw, .unanswered = status == SCRIP_E_TORN};
    return status;
}

enum scrip_status sector_reply(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i, uint8_t ins)
{
    uint16_t sw = 0;
    const enum scrip_status status = scrip_storage_reply(replies, i, NULL, &sw);
    return status == SCRIP_OK ? SCRIP_OK : sector_note(job, ins, status, sw);
}

enum scrip_status sector_reply_block(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i,
                                     uint8_t block[16])
{
    uint16_t sw = 0;
    const enum scrip_status status = scrip_storage_reply_block(replies, i, block, &sw);
    return status == SCRIP_OK ? SCRIP_OK : sector_note(job, SECTOR_INS_READ, status, sw);
}

/* ---- meeting and opening ----------------------------------------------------------------------------------------- */

static enum scrip_status know(struct scrip_purse_job *job, struct scrip_bytes uid)
{
    struct sector *sector = sector_of(job);
    SCRIP_TRY(scrip_storage_uid(uid, sector->uid7));
    memcpy(sector->uid, uid.at, uid.len);
    sector->uid_len = (uint8_t)uid.len;
    job->result.has_uid = true;
    memcpy(job->result.uid, sector->uid7, sizeof job->result.uid);
    sector->stage = sector->met;
    return SCRIP_OK;
}

enum scrip_status sector_ask_uid(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_card_info *card = &job->request->card;
    return card->uid_len != 0 ? know(job, scrip_bytes(card->uid, card->uid_len)) : scrip_storage_ask_uid(batch);
}

enum scrip_status sector_take_uid(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_bytes uid;
    SCRIP_TRY(sector_reply(job, replies, 0, SECTOR_INS_UID));
    SCRIP_TRY(scrip_storage_reply(replies, 0, &uid, NULL));
    return know(job, uid);
}

enum scrip_status sector_take_open(struct scrip_purse_job *job, const struct scrip_replies *replies, uint16_t *sw)
{
    enum scrip_status status = sector_reply(job, replies, 0, SECTOR_INS_LOAD);
    if (status != SCRIP_OK) {
        return status == SCRIP_E_CARD ? SCRIP_E_UNSUPPORTED : status;
    }
    status = scrip_storage_reply(replies, 1, NULL, sw);
    return status == SCRIP_OK || status == SCRIP_E_CARD ? status
                                                        : sector_note(job, SECTOR_INS_AUTHENTICATE, status, *sw);
}

/* ---- the journal ------------------------------------------------------------------------------------------------- */

enum scrip_status sector_settle(struct scrip_purse_job *job, int32_t value, int tag)
{
    if (job->operation == SCRIP_PURSE_BALANCE) {
        return sector_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    const enum scrip_status status =
        scrip_storage_settle(job->request, job->operation, sector_of(job)->uid7, value, tag, &job->result);
    if (status != SCRIP_OK) { /* our own memory failed: nothing is changed on top of it */
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
    }
    if (job->operation == SCRIP_PURSE_RECOVER && !job->result.recovered && job->result.commit_open) {
        return sector_result(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_WAIT); /* for the issuer to settle */
    }
    if (job->operation == SCRIP_PURSE_RECOVER || job->result.recovered) {
        return sector_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    return SCRIP_OK;
}

/* What is open from before is not this one's matter, but where it is the reason. */
enum scrip_status sector_refuse(struct scrip_purse_job *job, enum scrip_status status)
{
    job->result.commit_open = job->result.commit_open && status == SCRIP_E_WAIT;
    return sector_result(job, SCRIP_OUTCOME_DECLINED, status);
}

enum scrip_status sector_done(struct scrip_purse_job *job, int32_t balance)
{
    const enum scrip_status status = scrip_storage_conclude(job->request, true, &job->result);
    job->result.balance = balance;
    return sector_end(job, status == SCRIP_OK ? SCRIP_OUTCOME_ACCEPTED : SCRIP_OUTCOME_ASK_AGAIN, status);
}

/* ---- the trailer ------------------------------------------------------------------------------------------------- */

enum scrip_status sector_ask_trailer(struct scrip_purse_job *job, struct scrip_batch *batch, uint8_t block,
                                     enum scrip_status (*make)(struct scrip_purse_job *job,
                                                               struct scrip_classic_trailer *trailer))
{
    struct scrip_classic_trailer trailer;
    uint8_t bytes[16];
    enum scrip_status status = make(job, &trailer);
    if (status == SCRIP_OK) {
        scrip_classic_trailer_put(&trailer, bytes);
        status = scrip_storage_write(batch, block, bytes);
        sector_of(job)->trailers++;
        job->result.commit_open = status == SCRIP_OK;
    }
    scrip_wipe(&trailer, sizeof trailer);
    scrip_wipe(bytes, sizeof bytes);
    return status;
}

enum scrip_status sector_take_trailer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = sector_reply(job, replies, 0, SECTOR_INS_WRITE);
    return status != SCRIP_OK && job->result.failure.sw == 0 ? status : SCRIP_OK;
}

enum scrip_status sector_take_proof(struct scrip_purse_job *job, const struct scrip_desfire_failure *before,
                                    enum scrip_status proof, enum scrip_status (*once_more)(struct scrip_purse_job *))
{
    if (proof == SCRIP_E_AUTH) {
        job->result.failure = before->status != SCRIP_OK ? *before : job->result.failure;
        return once_more(job);
    }
    SCRIP_TRY(proof);
    job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK};
    job->result.committed = true;
    job->result.commit_open = false;
    return sector_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
}
