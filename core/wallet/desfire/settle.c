/* A terminal's own unanswered commits: the next tap of the same card tells. Reads happen in the new session, in which
 * no older commit can arrive any more. */
#include "job.h"
#include <scrip/settle.h>
#include <string.h>

static bool has_open_line(struct scrip_purse_job *job)
{
    struct scrip_journal_line line;
    return scrip_journal_find_open(job->request->journal, job_of(job)->tap.facts.uid,
                                   scrip_journal_next(job->request->journal), &line) == SCRIP_OK;
}

/* What has to be read: the own kind of log for what it may overwrite and for own records; for other open lines too. */
static bool wanted(struct scrip_purse_job *job)
{
    return has_open_line(job) || job->operation == SCRIP_PURSE_RECOVER ||
           (!job->request->skip_flush && !job_of(job)->tap.purse.smallest_debit);
}

/* Before the log of debits. A debit with nothing to settle asks for the balance later, with the change, and has no use
 * for the top-up log, which takes longest on the air. */
static unsigned reads(struct scrip_purse_job *job)
{
    const bool plain = job->operation == SCRIP_PURSE_DEBIT && !has_open_line(job);
    return SCRIP_READ_TMAC | (plain ? 0U : SCRIP_READ_BALANCE | SCRIP_READ_TOPUPS);
}

enum scrip_status job_settle_ask(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if (!wanted(job)) {
        return SCRIP_OK;
    }
    if (j->tap.purse.sm == SCRIP_DESFIRE_SM_EV1) { /* no commit of an older session may slip in after the reads */
        SCRIP_TRY(scrip_desfire_tap_flush(&j->tap, batch, (enum scrip_purse_role)j->role));
    }
    return scrip_desfire_tap_read(&j->tap, batch, reads(job), 0);
}

/* Both roles may read both logs: see the profiles. */
enum scrip_status job_settle_ask_more(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return wanted(job) ? scrip_desfire_tap_read(&job_of(job)->tap, batch, SCRIP_READ_DEBITS, 0) : SCRIP_OK;
}

static enum scrip_settle_debit judge_debit(const struct job *j, const struct scrip_journal_line *line)
{
    const struct scrip_desfire_facts *facts = &j->tap.facts;
    struct scrip_settle_intent intent = {
        .same_before = line->same_before,
        .has_log = line->has_record,
        .tmac = j->tap.purse.tmac_file != SCRIP_PURSE_NONE,
        .tmc = line->tmc_before,
        .has_tmc = line->has_tmc_before,
        .balance = line->balance,
        .amount = (uint32_t)line->amount,
    };
    struct scrip_settle_reads reads = {
        .has_tmc = (facts->has & SCRIP_FACT_TMAC) != 0,
        .tmc = facts->tmc,
        .has_log = (facts->has & SCRIP_FACT_DEBITS) != 0 && facts->debits.whole,
        .log_count = facts->debits.count,
        .log_capacity = SCRIP_PURSE_LOG_RECORDS,
        .balance = facts->balance,
    };
    memcpy(intent.record, line->record, sizeof intent.record);
    memcpy(reads.log, facts->debits.records, sizeof facts->debits.records);
    const enum scrip_settle_debit verdict = scrip_settle_debit_recover(&intent, &reads);
    const bool counted = intent.has_tmc && reads.has_tmc && reads.tmc >= intent.tmc;
    if (verdict == SCRIP_DEBIT_NOT_DONE && counted && reads.tmc - intent.tmc > SCRIP_PURSE_LOG_RECORDS) {
        return SCRIP_DEBIT_OPEN; /* more transactions since than the log shows: clocks alone do not decide */
    }
    return verdict;
}

static enum scrip_settle_debit judge_credit(const struct job *j, const struct scrip_journal_line *line)
{
    const struct scrip_purse_log *log = &j->tap.facts.topups;
    const int at = scrip_purse_find_topup(log, line->reference);
    if ((j->tap.facts.has & SCRIP_FACT_TOPUPS) == 0 || !log->whole) {
        return SCRIP_DEBIT_OPEN;
    }
    if (at >= 0) {
        const bool marked = scrip_get_le32(log->records[at] + 12) >= SCRIP_PURSE_REFERENCE_DONE;
        return marked || j->tap.purse.sm != SCRIP_DESFIRE_SM_EV1 ? SCRIP_DEBIT_DONE : SCRIP_DEBIT_OPEN;
    }
    for (size_t i = 0; i < log->count; i++) { /* references grow: an older one means that the window reaches back */
        if ((scrip_get_le32(log->records[i] + 12) & ~SCRIP_PURSE_REFERENCE_DONE) < line->reference) {
            return SCRIP_DEBIT_NOT_DONE;
        }
    }
    return log->count < SCRIP_PURSE_LOG_RECORDS ? SCRIP_DEBIT_NOT_DONE : SCRIP_DEBIT_OPEN;
}

/* Is the line the purchase, or the order, that is asked for now? Then it counts for it. */
static bool serves(struct scrip_purse_job *job, const struct scrip_journal_line *line)
{
    if (job->operation == SCRIP_PURSE_DEBIT) {
        return line->kind == SCRIP_JOURNAL_DEBIT && line->amount == job->request->amount;
    }
    return job->operation == SCRIP_PURSE_CREDIT && line->kind == SCRIP_JOURNAL_CREDIT &&
           line->reference == job->request->reference && line->amount == job->request->amount;
}

static enum scrip_status settle_line(struct scrip_purse_job *job, const struct scrip_journal_line *line,
                                     enum scrip_settle_debit verdict)
{
    const struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    const bool has_tmc = (facts->has & SCRIP_FACT_TMAC) != 0;
    if (verdict == SCRIP_DEBIT_OPEN) {
        job->result.commit_open = true;
        return SCRIP_OK;
    }
    const enum scrip_journal_state state = verdict == SCRIP_DEBIT_DONE ? SCRIP_JOURNAL_FOUND : SCRIP_JOURNAL_VOID;
    SCRIP_TRY(
        scrip_journal_settle(job->request->journal, line->sequence, state, facts->tmc, has_tmc ? facts->tmv : NULL));
    job->result.settled++;
    if (verdict == SCRIP_DEBIT_DONE && !job->result.recovered && serves(job, line)) {
        job->result.recovered = true;
        job->result.committed = true;
        job->result.sequence = line->sequence;
    }
    return SCRIP_OK;
}

static enum scrip_status settle_all(struct scrip_purse_job *job)
{
    struct job *j = job_of(job);
    const struct scrip_journal *journal = job->request->journal;
    uint64_t from = scrip_journal_next(journal);
    struct scrip_journal_line line;
    while (from > 0) {
        const enum scrip_status status = scrip_journal_find_open(journal, j->tap.facts.uid, from, &line);
        if (status == SCRIP_E_NOT_FOUND) {
            return SCRIP_OK;
        }
        SCRIP_TRY(status);
        SCRIP_TRY(
            settle_line(job, &line, line.kind == SCRIP_JOURNAL_DEBIT ? judge_debit(j, &line) : judge_credit(j, &line)));
        from = line.sequence - 1;
    }
    return SCRIP_OK;
}

enum scrip_status job_settle_take(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(job_take(job, replies));
    const enum scrip_status status = settle_all(job);
    if (status != SCRIP_OK) { /* our own memory failed: nothing is taken on top of it */
        return job_end(job, SCRIP_OUTCOME_ASK_AGAIN, status);
    }
    if (job->result.recovered) {
        (void)job_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    } else if (job->operation == SCRIP_PURSE_RECOVER && job->result.commit_open) {
        job_of(job)->done = true; /* for the server to settle; no failure of the flow */
        job->result.outcome = SCRIP_OUTCOME_ASK_AGAIN;
        job->result.status = SCRIP_E_WAIT;
    }
    return SCRIP_OK;
}

const struct step steps_recover[] = {
    JOB_OPENING,
    JOB_COMPARE,
    {job_settle_ask, NULL},
    {job_settle_ask_more, job_settle_take},
    {job_header_ask, job_header_take},
    {NULL, NULL},
};
