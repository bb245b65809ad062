/* Debit and credit at a terminal.
 *
 * Opening, then the reads that settle own unanswered commits and save the log entry about to be overwritten, then the
 * change without its commit, then the intent into the journal, then the commit alone. What goes wrong before the commit
 * leaves has changed nothing; a commit without a proved answer leaves an intent. */
#include "job.h"
#include <string.h>

enum { SW_BOUNDARY = 0x91BE };

static void make_debit(struct scrip_purse_job *job)
{
    struct job *j = job_of(job);
    const struct scrip_journal *journal = job->request->journal;
    j->debit.amount = job->request->amount;
    memcpy(j->debit.reader, journal->terminal, sizeof j->debit.reader);
    memcpy(j->debit.timestamp, job->request->timestamp, sizeof j->debit.timestamp);
    scrip_purse_tmri(journal->terminal, 0, scrip_journal_next(journal), j->debit.tmri);
}

static void make_topup(struct scrip_purse_job *job)
{
    struct job *j = job_of(job);
    const struct scrip_journal *journal = job->request->journal;
    j->topup.amount = job->request->amount;
    j->topup.reference = job->request->reference;
    memcpy(j->topup.timestamp, job->request->timestamp, sizeof j->topup.timestamp);
    scrip_purse_tmri(journal->terminal, job->request->reference, scrip_journal_next(journal), j->topup.tmri);
}

/* Has this order been credited already? Then it is not credited again, whoever did it. */
static bool is_credited(struct scrip_purse_job *job)
{
    const struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    return job->operation == SCRIP_PURSE_CREDIT && (facts->has & SCRIP_FACT_TOPUPS) != 0 &&
           scrip_purse_find_topup(&facts->topups, job->request->reference) >= 0;
}

/* EV1 messaging cannot put anything enciphered behind GetValue in one batch. */
static enum scrip_status ask_balance(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    const bool known = (j->tap.facts.has & SCRIP_FACT_BALANCE) != 0;
    if (known || j->tap.purse.sm != SCRIP_DESFIRE_SM_EV1 || j->tap.purse.smallest_debit) {
        return SCRIP_OK;
    }
    return scrip_desfire_tap_value(&j->tap, batch);
}

/* Nothing was committed. What is open from before is not this one's matter. */
static enum scrip_status refuse(struct scrip_purse_job *job, enum scrip_status status)
{
    job->result.commit_open = false;
    return job_end(job, SCRIP_OUTCOME_DECLINED, status);
}

/* What this session has read counts in the Transaction MAC, and the back office knows nothing of it: whoever has read,
 * to settle an older payment or to compare the currency, flushes, whatever was to be left out. */
static bool wants_flush(struct scrip_purse_job *job)
{
    const struct job *j = job_of(job);
    const unsigned reads = SCRIP_FACT_BALANCE | SCRIP_FACT_TMAC | SCRIP_FACT_TOPUPS | SCRIP_FACT_DEBITS |
                           SCRIP_FACT_HEADER | SCRIP_FACT_TOPUP_COUNT;
    const bool has_read = (j->tap.facts.has & reads) != 0;
    return j->tap.purse.sm != SCRIP_DESFIRE_SM_EV1 &&
           (has_read || (!job->request->skip_flush && !j->tap.purse.smallest_debit));
}

static enum scrip_status ask_change(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if (is_credited(job)) {
        return refuse(job, SCRIP_E_EXISTS);
    }
    if (wants_flush(job)) {
        SCRIP_TRY(scrip_desfire_tap_flush(&j->tap, batch, (enum scrip_purse_role)j->role));
    }
    if (job->operation == SCRIP_PURSE_DEBIT) {
        make_debit(job);
        return scrip_desfire_tap_debit(&j->tap, batch, &j->debit);
    }
    make_topup(job);
    return tap_topup_open(&j->tap, batch, &j->topup);
}

static enum scrip_status take_change(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = job_take(job, replies);
    if (status == SCRIP_E_CARD && job->result.failure.sw == SW_BOUNDARY) {
        const bool short_of = job->operation == SCRIP_PURSE_DEBIT &&
                              (!job->result.has_balance || job->result.balance < job->request->amount);
        return refuse(job, short_of ? SCRIP_E_FUNDS : SCRIP_E_LIMIT);
    }
    return status;
}

/* ---- the intent ---- */

static uint8_t count_same(const struct scrip_purse_log *log, const uint8_t record[SCRIP_PURSE_RECORD])
{
    uint8_t count = 0;
    for (size_t i = 0; i < log->count; i++) {
        count = (uint8_t)(count + (memcmp(log->records[i], record, SCRIP_PURSE_RECORD) == 0 ? 1 : 0));
    }
    return count;
}

static void note_log(struct job *j, const struct scrip_purse_log *log)
{
    struct scrip_journal_line *line = &j->line;
    line->same_before = count_same(log, line->record);
    if (log->whole && log->count == SCRIP_PURSE_LOG_RECORDS) { /* full: the oldest goes */
        line->has_displaced = true;
        memcpy(line->displaced, log->records[log->count - 1], sizeof line->displaced);
    }
}

static void make_line(struct scrip_purse_job *job)
{
    struct job *j = job_of(job);
    const struct scrip_desfire_facts *facts = &j->tap.facts;
    const bool debit = job->operation == SCRIP_PURSE_DEBIT;
    j->line = (struct scrip_journal_line){
        .kind = debit ? SCRIP_JOURNAL_DEBIT : SCRIP_JOURNAL_CREDIT,
        .profile = scrip_desfire_profile_id(job->request->profile),
        .amount = job->request->amount,
        .reference = debit ? 0 : job->request->reference,
        .has_balance = (facts->has & SCRIP_FACT_BALANCE) != 0,
        .balance = facts->balance,
        .has_record = !debit || !j->tap.purse.smallest_debit,
        .has_reader = (facts->has & SCRIP_FACT_READER) != 0,
        .has_tmc_before = (facts->has & SCRIP_FACT_TMAC) != 0,
        .tmc_before = facts->tmc,
    };
    memcpy(j->line.uid, facts->uid, sizeof j->line.uid);
    memcpy(j->line.timestamp, job->request->timestamp, sizeof j->line.timestamp);
    if (debit && j->line.has_record) {
        scrip_purse_debit_record(&j->debit, j->line.record);
        note_log(j, &facts->debits);
    } else if (!debit) {
        scrip_purse_topup_record(&j->tap.purse, &j->topup, j->line.record);
        note_log(j, &facts->topups);
    }
    if (j->line.has_reader) {
        memcpy(j->line.tmri, debit ? j->debit.tmri : j->topup.tmri, sizeof j->line.tmri);
        memcpy(j->line.enc_tmri, facts->enc_tmri, sizeof j->line.enc_tmri);
    }
}

/* ---- the commit ---- */

static enum scrip_status ask_commit(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    make_line(job);
    const enum scrip_status status = scrip_journal_append(job->request->journal, &j->line);
    if (status != SCRIP_OK) { /* no durable intent, no commit; the card drops the change */
        return job_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
    }
    job->result.sequence = j->line.sequence;
    job->result.commit_open = true; /* until it is proved */
    return scrip_desfire_tap_commit(&j->tap, batch);
}

static enum scrip_status take_commit(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    const struct scrip_desfire_facts *facts = &j->tap.facts;
    const enum scrip_status status = job_take(job, replies);
    if (status != SCRIP_OK) { /* a refusal carries no MAC and proves nothing either */
        return job_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
    }
    job->result.has_tmc = (facts->has & SCRIP_FACT_COMMIT_TMV) != 0;
    job->result.tmc = facts->commit_tmc;
    memcpy(job->result.tmv, facts->commit_tmv, sizeof job->result.tmv);
    job->result.committed = true;
    if (job->result.has_balance) {
        const int64_t change =
            job->operation == SCRIP_PURSE_DEBIT ? -(int64_t)job->request->amount : (int64_t)job->request->amount;
        job->result.balance = (int32_t)(job->result.balance_before + change);
    }
    /* A line that stays an intent is found done at the next tap, and pays then: nothing is sold on it now. */
    const enum scrip_status noted =
        scrip_journal_settle(job->request->journal, j->line.sequence, SCRIP_JOURNAL_CONFIRMED, facts->commit_tmc,
                             job->result.has_tmc ? facts->commit_tmv : NULL);
    job->result.commit_open = noted != SCRIP_OK;
    return noted == SCRIP_OK ? SCRIP_OK : job_end(job, SCRIP_OUTCOME_ASK_AGAIN, noted);
}

const struct step steps_spend[] = {
    JOB_OPENING,
    JOB_COMPARE,
    {job_settle_ask, NULL},
    {job_settle_ask_more, job_settle_take},
    {ask_balance, NULL},
    {ask_change, take_change},
    {ask_commit, take_commit},
    {NULL, NULL},
};

/* ---- a line at the back office ---- */

enum scrip_status scrip_purse_line_debit(const struct scrip_journal_line *line, struct scrip_purse_debit *debit)
{
    if (line->kind != SCRIP_JOURNAL_DEBIT) {
        return SCRIP_E_ARGUMENT;
    }
    *debit = (struct scrip_purse_debit){.amount = line->amount};
    memcpy(debit->reader, line->terminal, sizeof debit->reader);
    memcpy(debit->timestamp, line->timestamp, sizeof debit->timestamp);
    memcpy(debit->tmri, line->tmri, sizeof debit->tmri);
    return SCRIP_OK;
}

static enum scrip_status line_tmi(const struct scrip_desfire_purse *purse, const struct scrip_journal_line *line,
                                  struct scrip_buf *tmi)
{
    struct scrip_purse_debit debit;
    struct scrip_purse_topup topup = {.amount = line->amount, .reference = line->reference};
    if (line->kind == SCRIP_JOURNAL_DEBIT) {
        SCRIP_TRY(scrip_purse_line_debit(line, &debit));
        return scrip_purse_debit_tmi(purse, &debit, line->balance, line->enc_tmri, tmi);
    }
    memcpy(topup.timestamp, line->timestamp, sizeof topup.timestamp);
    memcpy(topup.tmri, line->tmri, sizeof topup.tmri);
    return scrip_purse_topup_tmi(purse, &topup, line->balance, line->enc_tmri, tmi);
}

enum scrip_status scrip_purse_line_verify(const struct scrip_journal_line *line, const uint8_t tmac_key[16])
{
    struct scrip_desfire_profile profile;
    uint8_t memory[SCRIP_PURSE_TMI_MAX];
    struct scrip_buf tmi = SCRIP_BUF_OF(memory);
    if (scrip_storage_profile_known(line->profile)) {
        return SCRIP_E_UNSUPPORTED;
    }
    SCRIP_TRY(scrip_desfire_profile_of_id(line->profile, &profile));
    if (profile.purse.tmac_file == SCRIP_PURSE_NONE) {
        return SCRIP_E_UNSUPPORTED;
    }
    if (line->state != SCRIP_JOURNAL_CONFIRMED || !line->has_tmv) {
        return SCRIP_E_WAIT;
    }
    SCRIP_TRY(line_tmi(&profile.purse, line, &tmi));
    return scrip_purse_tmv_check(tmac_key, line->uid, line->tmc, scrip_buf_bytes(&tmi), line->tmv);
}
