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

/* Nothing was sent. What is open from before is not this one's matter. */
static enum scrip_status refuse(struct scrip_purse_job *job, enum scrip_status status)
{
    job->result.commit_open = false;
    return otp_result(job, SCRIP_OUTCOME_DECLINED, status);
}

enum scrip_status otp_spend(struct scrip_purse_job *job)
{
    struct otp_visit *visit = otp_visit_of(job);
    const struct scrip_purse_request *request = job->request;
    if (job->operation == SCRIP_PURSE_BALANCE) {
        return otp_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    const enum scrip_status status =
        scrip_storage_settle(request, job->operation, visit->uid7, visit->value, SCRIP_STORAGE_NO_TAG, &job->result);
    if (status != SCRIP_OK) { /* our own memory failed: nothing is taken on top of it */
        return otp_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
    }
    if (job->result.recovered) {
        return otp_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    if (job->operation == SCRIP_PURSE_RECOVER) {
        return job->result.commit_open ? otp_result(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_WAIT)
                                       : otp_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    if (visit->purse.unit != 0 && (uint32_t)request->amount % visit->purse.unit != 0) {
        return refuse(job, SCRIP_E_UNIT);
    }
    if (request->amount > visit->value) {
        return refuse(job, SCRIP_E_FUNDS);
    }
    visit->next = visit->value - request->amount;
    visit->stage = OTP_DEBIT;
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
    const enum scrip_status status = scrip_storage_intend(job->request, job->operation, visit->uid7, visit->value,
                                                          SCRIP_STORAGE_NO_TAG, &job->result);
    return status == SCRIP_OK ? SCRIP_OK /* no durable intent, no subtraction */
                              : otp_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
}

/* It is on the card. What the journal could not keep is asked for again, and found then. */
static enum scrip_status done(struct scrip_purse_job *job)
{
    const enum scrip_status status = scrip_storage_conclude(job->request, true, &job->result);
    job->result.balance = otp_visit_of(job)->next;
    return otp_end(job, status == SCRIP_OK ? SCRIP_OUTCOME_ACCEPTED : SCRIP_OUTCOME_ASK_AGAIN, status);
}

enum scrip_status otp_take_debit(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct otp_visit *visit = otp_visit_of(job);
    const int32_t before = visit->value;
    enum scrip_status status = otp_reply(job, replies, 0, OTP_INS_CHANGE);
    if (status == SCRIP_OK) {
        status = otp_take_balance(job, replies, 1);
    }
    if (status == SCRIP_OK && visit->has_value && visit->value == visit->next) {
        return done(job);
    }
    visit->value = before;
    if (status == SCRIP_OK) {
        (void)otp_note(job, OTP_INS_READ, SCRIP_E_CORRUPT, SCRIP_PCSC_OK);
    } else if (job->result.failure.sw == 0 && status != SCRIP_E_LENGTH) { /* no status word: the link lost the card */
        return otp_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
    }
    visit->stage = OTP_CHECK;
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
        visit->stage = OTP_DEBIT;
        return SCRIP_OK;
    }
    (void)scrip_storage_conclude(job->request, false, &job->result); /* else an intent, for the next visit */
    return otp_result(job, card_said_no ? SCRIP_OUTCOME_DECLINED : SCRIP_OUTCOME_ASK_AGAIN,
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
        return otp_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_TORN);
    }
    if (visit->has_value && visit->value == visit->next) {
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK};
        return done(job);
    }
    if (!visit->has_value || visit->value != before) { /* damage, another card, or another terminal */
        return otp_end(job, SCRIP_OUTCOME_ASK_AGAIN, SCRIP_E_STALE);
    }
    return not_done(job);
}
