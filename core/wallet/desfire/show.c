/* Balance and history: reading only. */
#include "job.h"
#include <string.h>

static enum scrip_status ask_value(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_tap_value(&job_of(job)->tap, batch);
}

/* ---- the header ---- */

static enum scrip_status ask_header(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_tap_read(&job_of(job)->tap, batch, SCRIP_READ_HEADER, 0);
}

static bool may_read_header(struct scrip_purse_job *job)
{
    return job_of(job)->role == SCRIP_PURSE_PAY;
}

enum scrip_status job_note_header(struct scrip_purse_job *job)
{
    struct scrip_purse_result *result = &job->result;
    const uint16_t wanted = job->request->currency;
    const struct scrip_bytes bytes = SCRIP_BYTES_OF(job_of(job)->tap.facts.header);
    result->has_header = scrip_purse_header_get(bytes, &result->header) == SCRIP_OK;
    if (result->has_header && wanted != 0 && result->header.currency != wanted) {
        return job_end(job, SCRIP_OUTCOME_DECLINED, SCRIP_E_CURRENCY);
    }
    return SCRIP_OK;
}

enum scrip_status job_compare_ask(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return job->request->currency != 0 && may_read_header(job) ? ask_header(job, batch) : SCRIP_OK;
}

enum scrip_status job_compare_take(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(job_take(job, replies));
    return job_note_header(job);
}

enum scrip_status job_header_ask(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const bool wanted = job->request->with_header && job->request->currency == 0; /* else it has been read */
    return wanted && may_read_header(job) ? ask_header(job, batch) : SCRIP_OK;
}

enum scrip_status job_header_take(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = job_take(job, replies);
    if (status == SCRIP_E_CARD) { /* all else has been read */
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK};
        return SCRIP_OK;
    }
    return status == SCRIP_OK ? job_note_header(job) : status;
}

const struct step steps_balance[] = {
    JOB_OPENING, JOB_COMPARE, {ask_value, NULL}, {job_header_ask, job_header_take}, {NULL, NULL},
};

/* ---- history ---- */

/* Each in a batch of its own: on cards with short codes each may come in several frames. */
static enum scrip_status ask_topups(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_tap_read(&job_of(job)->tap, batch, SCRIP_READ_BALANCE | SCRIP_READ_TMAC | SCRIP_READ_TOPUPS,
                                  0);
}

static enum scrip_status ask_debits(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_tap_read(&job_of(job)->tap, batch, SCRIP_READ_DEBITS, 0);
}

static struct scrip_purse_entry topup_entry(const struct scrip_desfire_purse *purse, const uint8_t *record)
{
    const uint32_t reference = scrip_get_le32(record + 12);
    struct scrip_purse_entry entry = {
        .is_topup = true,
        .amount = scrip_get_le32s(record + 8),
        .reference = reference & ~SCRIP_PURSE_REFERENCE_DONE,
        .unfinished = purse->sm == SCRIP_DESFIRE_SM_EV1 && reference != 0 && reference < SCRIP_PURSE_REFERENCE_DONE,
    };
    memcpy(entry.timestamp, record, sizeof entry.timestamp);
    return entry;
}

static struct scrip_purse_entry debit_entry(const uint8_t *record)
{
    struct scrip_purse_entry entry = {.amount = scrip_get_le32s(record + 12)};
    memcpy(entry.reader, record, sizeof entry.reader);
    memcpy(entry.timestamp, record + 4, sizeof entry.timestamp);
    return entry;
}

/* Both logs are newest first; merge by time, and keep each log's own order whatever its clocks said. */
static void merge(struct scrip_purse_job *job)
{
    const struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    size_t t = 0;
    size_t d = 0;
    while (t < facts->topups.count || d < facts->debits.count) {
        const uint8_t *topup = t < facts->topups.count ? facts->topups.records[t] : NULL;
        const uint8_t *debit = d < facts->debits.count ? facts->debits.records[d] : NULL;
        const bool take_topup = debit == NULL || (topup != NULL && memcmp(topup, debit + 4, 8) > 0);
        job->result.history[job->result.entries++] =
            take_topup ? topup_entry(&job_of(job)->tap.purse, topup) : debit_entry(debit);
        if (take_topup) {
            t++;
        } else {
            d++;
        }
    }
}

static enum scrip_status take_header(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(job_take(job, replies));
    const struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    SCRIP_TRY(job_note_header(job));
    if ((facts->has & SCRIP_FACT_TMAC) != 0) {
        job->result.has_tmc = true;
        job->result.tmc = facts->tmc;
        memcpy(job->result.tmv, facts->tmv, sizeof facts->tmv);
    }
    merge(job);
    return SCRIP_OK;
}

const struct step steps_history[] = {
    JOB_OPENING, {ask_topups, NULL}, {ask_debits, NULL}, {ask_header, take_header}, {NULL, NULL},
};
