/* Debit and credit, and how their outcome is decided: by content, never by what was sent.
 *
 * The intent is durable before the first write leaves. When the answers say that all went well, both copies were read
 * back and hold the new value. When anything is doubtful and the card still talks, a new authentication (which ends
 * whatever the card may have had in its transfer buffer) and both copies tell. When it does not, the line stays an
 * intent for the next visit. */
#include "storage.h"
#include <string.h>

static enum scrip_status begin_change(struct scrip_purse_job *job)
{
    struct visit *visit = visit_of(job);
    const struct scrip_purse_request *request = job->request;
    const bool debit = job->operation == SCRIP_PURSE_DEBIT;
    const int64_t next = (int64_t)visit->value + (debit ? -(int64_t)request->amount : (int64_t)request->amount);
    const enum scrip_status order =
        debit ? SCRIP_OK : scrip_storage_may_credit(request->journal, visit->sector.uid7, request->reference);
    if (order != SCRIP_OK) {
        return sector_refuse(job, order);
    }
    if (debit && next < 0) {
        return sector_refuse(job, SCRIP_E_FUNDS);
    }
    if (!debit && next > visit->purse.upper) {
        return sector_refuse(job, SCRIP_E_LIMIT);
    }
    visit->next = (int32_t)next;
    visit->sector.stage = STAGE_CHANGE;
    return SCRIP_OK;
}

/* The balance is known and both copies have it. */
enum scrip_status spend_begin(struct scrip_purse_job *job)
{
    const struct visit *visit = visit_of(job);
    SCRIP_TRY(sector_settle(job, visit->value, visit->tag));
    return visit->sector.stage == SECTOR_OVER ? SCRIP_OK : begin_change(job);
}

/* ---- the change -------------------------------------------------------------------------------------------------- */

enum scrip_status spend_ask_change(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct visit *visit = visit_of(job);
    const struct scrip_storage_purse *purse = &visit->purse;
    SCRIP_TRY(visit->kind->change(purse, batch, visit->value, visit->next, visit->tag));
    if (visit->kind->copies_itself) {
        SCRIP_TRY(visit->kind->copy(batch, purse->main_block, purse->backup_block, NULL));
    }
    SCRIP_TRY(scrip_storage_read(batch, purse->main_block));
    if (visit->kind->copies_itself) {
        SCRIP_TRY(scrip_storage_read(batch, purse->backup_block));
    }
    const enum scrip_status status =
        scrip_storage_intend(job->request, job->operation, visit->sector.uid7, visit->value, visit->tag, &job->result);
    return status == SCRIP_OK ? SCRIP_OK /* no durable intent, no change */
                              : sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
}

/* Something was not as it should be. A card that is gone leaves an intent; one that still talks is asked. */
static enum scrip_status doubt(struct scrip_purse_job *job, uint8_t ins, enum scrip_status status, uint16_t sw)
{
    (void)sector_note(job, ins, status, sw);
    visit_of(job)->sector.stage = STAGE_CHECK;
    if (sw == 0 && status != SCRIP_E_LENGTH) { /* no status word: the link itself lost the card */
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
    }
    return SCRIP_OK;
}

/* All `writes` commands and the read behind them. @return whether the card did what it was told */
static bool took_writes(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t writes, uint8_t ins,
                        enum scrip_status *ending)
{
    for (size_t i = 0; i < writes; i++) {
        uint16_t sw = 0;
        const enum scrip_status status = scrip_storage_reply(replies, i, NULL, &sw);
        if (status != SCRIP_OK) {
            *ending = doubt(job, ins, status, sw);
            return false;
        }
    }
    return true;
}

static bool took_block(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i, size_t copy,
                       enum scrip_status *ending)
{
    struct visit *visit = visit_of(job);
    int32_t value = 0;
    uint16_t sw = 0;
    const enum scrip_status status = scrip_storage_reply_block(replies, i, visit->copies[copy], &sw);
    if (status != SCRIP_OK) {
        *ending = doubt(job, SECTOR_INS_READ, status, sw);
        return false;
    }
    if (visit->kind->get(visit->copies[copy], &value) != SCRIP_OK || value != visit->next) {
        *ending = doubt(job, SECTOR_INS_READ, SCRIP_E_NV, sw);
        return false;
    }
    return true;
}

enum scrip_status spend_take_change(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct visit *visit = visit_of(job);
    const bool both = visit->kind->copies_itself;
    const size_t writes = both ? 2 : 1;
    enum scrip_status ending = SCRIP_OK;
    if (!took_writes(job, replies, writes, both ? SECTOR_INS_CHANGE : SECTOR_INS_WRITE, &ending) ||
        !took_block(job, replies, writes, 0, &ending)) {
        return ending;
    }
    if (!both) {
        visit->sector.stage = STAGE_BACKUP;
        return SCRIP_OK;
    }
    return took_block(job, replies, writes + 1, 1, &ending) ? sector_done(job, visit->next) : ending;
}

enum scrip_status spend_ask_backup(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct visit *visit = visit_of(job);
    const struct scrip_storage_purse *purse = &visit->purse;
    SCRIP_TRY(visit->kind->copy(batch, purse->main_block, purse->backup_block, visit->copies[0]));
    return scrip_storage_read(batch, purse->backup_block);
}

enum scrip_status spend_take_backup(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    enum scrip_status ending = SCRIP_OK;
    const bool took =
        took_writes(job, replies, 1, SECTOR_INS_WRITE, &ending) && took_block(job, replies, 1, 1, &ending);
    return took ? sector_done(job, visit_of(job)->next) : ending;
}

/* ---- deciding by content ----------------------------------------------------------------------------------------- */

enum { REPLY_AUTHENTICATE = 1, REPLY_COPIES, REPLY_UID = 4 }; /* of a check */

/* Cards with random UIDs look alike to a reader, and wallets may share a key: the UID is asked for last, when the card
 * has been selected again. */
enum scrip_status spend_ask_check(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct visit *visit = visit_of(job);
    SCRIP_TRY(visit_ask_open(job, batch, &visit->openers[visit->opener]));
    return scrip_storage_ask_uid(batch);
}

/* Not the card that was written to? A reader that does not tell is believed. */
static bool is_another_card(const struct visit *visit, const struct scrip_replies *replies)
{
    struct scrip_bytes uid;
    return scrip_storage_reply(replies, REPLY_UID, &uid, NULL) == SCRIP_OK &&
           (uid.len != visit->sector.uid_len || memcmp(uid.at, visit->sector.uid, uid.len) != 0);
}

/* The change did not happen. What the customer is told depends on why. */
static void not_done(struct scrip_purse_job *job)
{
    const enum scrip_status why = job->result.failure.status;
    const bool card_said_no = why == SCRIP_E_CARD || why == SCRIP_E_UNSUPPORTED;
    (void)scrip_storage_conclude(job->request, false, &job->result); /* else an intent, for the next visit */
    job->result.balance = visit_of(job)->value;
    job->result.outcome = card_said_no ? SCRIP_OUTCOME_DECLINED : SCRIP_OUTCOME_ASK_AGAIN;
    job->result.status = why;
}

enum scrip_status spend_take_check(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct visit *visit = visit_of(job);
    const struct scrip_desfire_failure first = job->result.failure; /* what went wrong, not what was asked about it */
    const int32_t before = visit->value;
    for (size_t i = 0; i <= REPLY_AUTHENTICATE; i++) {
        if (scrip_storage_reply(replies, i, NULL, NULL) != SCRIP_OK) {
            return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
        }
    }
    const enum scrip_status status = visit_take_copies(job, replies, REPLY_COPIES);
    job->result.failure = first;
    if (status != SCRIP_OK || is_another_card(visit, replies)) {
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
    }
    visit_decide(visit);
    if (visit->repair == SCRIP_COPIES_BOTH_DAMAGED) {
        return visit_report_damage(job);
    }
    if (visit->value != visit->next && visit->value != before) {
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_STALE); /* another card, or another terminal */
    }
    if (visit->value == visit->next) {
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK};
        (void)sector_done(job, visit->next);
    } else {
        not_done(job);
    }
    visit->ending = true;
    visit->sector.stage = visit->repair == SCRIP_COPIES_GOOD ? SECTOR_OVER : STAGE_MEND;
    return SCRIP_OK;
}
