/* The debit, and how its outcome is decided: by content, never by what was sent.
 *
 * The intent is durable before the subtraction leaves. The card programs one bit, so the balance is the old or the new
 * one, and the address that waits for its TRANSFER dies with the session: what a new authentication shows is final. A
 * card that is gone leaves an intent for the next visit.
 *
 * Silence after an operand means that it was taken, so one that was lost on the air comes out as the refusal of what
 * follows. A refusal that took nothing is therefore tried once more, under the same intent. */
#include "visit.h"
#include <scrip/pcsc.h>

enum scrip_status otp_spend(struct scrip_purse_job *job)
{
    struct otp_visit *visit = otp_visit_of(job);
    const struct scrip_purse_request *request = job->request;
    SCRIP_TRY(sector_settle(job, visit->value, SCRIP_STORAGE_NO_TAG));
    if (visit->sector.stage == SECTOR_OVER) {
        return SCRIP_OK;
    }
    if (visit->purse.unit != 0 && (uint32_t)request->amount % visit->purse.unit != 0) {
        return sector_refuse(job, SCRIP_E_UNIT);
    }
    if (request->amount > visit->value) {
        return sector_refuse(job, SCRIP_E_FUNDS);
    }
    visit->next = visit->value - request->amount;
    visit->sector.stage = OTP_DEBIT;
    return SCRIP_OK;
}

enum { ATTEMPTS = 2 };

enum scrip_status otp_ask_debit(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct otp_visit *visit = otp_visit_of(job);
    SCRIP_TRY(scrip_storage_change(batch, visit->purse.main_block, false, job->request->amount));
    SCRIP_TRY(scrip_storage_read(batch, visit->purse.main_block));
    if (visit->attempts++ > 0) {
        return SCRIP_OK;
    }
    const enum scrip_status status = scrip_storage_intend(job->request, job->operation, visit->sector.uid7,
                                                          visit->value, SCRIP_STORAGE_NO_TAG, &job->result);
    return status == SCRIP_OK ? SCRIP_OK /* no durable intent, no subtraction */
                              : sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
}

enum scrip_status otp_take_debit(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct otp_visit *visit = otp_visit_of(job);
    const int32_t before = visit->value;
    enum scrip_status status = sector_reply(job, replies, 0, SECTOR_INS_CHANGE);
    if (status == SCRIP_OK) {
        status = otp_take_balance(job, replies, 1);
    }
    if (status == SCRIP_OK && visit->has_value && visit->value == visit->next) {
        return sector_done(job, visit->next);
    }
    visit->value = before;
    if (status == SCRIP_OK) {
        (void)sector_note(job, SECTOR_INS_READ, SCRIP_E_CORRUPT, SCRIP_PCSC_OK);
    } else if (job->result.failure.sw == 0 && status != SCRIP_E_LENGTH) { /* no status word: the link lost the card */
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
    }
    visit->sector.stage = OTP_CHECK;
    return SCRIP_OK;
}

/* ---- deciding by content ---- */

enum scrip_status otp_ask_check(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return otp_ask_open(job, batch, false);
}

/* It did not happen. What the customer is told depends on why; a card that refuses what it has enough of, and whose
 * unit is not known here, was asked for a part of one. */
static enum scrip_status not_done(struct scrip_purse_job *job)
{
    struct otp_visit *visit = otp_visit_of(job);
    const enum scrip_status why = job->result.failure.status;
    const bool card_said_no = why == SCRIP_E_CARD || why == SCRIP_E_UNSUPPORTED;
    if (why == SCRIP_E_CARD && visit->attempts < ATTEMPTS) {
        visit->sector.stage = OTP_DEBIT;
        return SCRIP_OK;
    }
    (void)scrip_storage_conclude(job->request, false, &job->result); /* else an intent, for the next visit */
    return sector_result(job, card_said_no ? SCRIP_OUTCOME_DECLINED : SCRIP_OUTCOME_ASK_AGAIN,
                         why == SCRIP_E_CARD && visit->purse.unit == 0 ? SCRIP_E_UNIT : why);
}

enum scrip_status otp_take_check(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct otp_visit *visit = otp_visit_of(job);
    const struct scrip_desfire_failure first = job->result.failure; /* what went wrong, not what was asked about it */
    const int32_t before = visit->value;
    enum scrip_status status = scrip_storage_reply(replies, OTP_REPLY_AUTHENTICATE, NULL, NULL);
    if (status == SCRIP_OK) {
        status = otp_take_balance(job, replies, OTP_REPLY_BALANCE);
    }
    job->result.failure = first;
    if (status != SCRIP_OK) {
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
    }
    if (visit->has_value && visit->value == visit->next) {
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK};
        return sector_done(job, visit->next);
    }
    if (!visit->has_value || visit->value != before) { /* damage, another card, or another terminal */
        return sector_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_STALE);
    }
    return not_done(job);
}
