/* judge.c: evidence in, event out.
 *
 * What makes a conclusion safe, in the order in which it is asked:
 *
 * 1. Is the evidence newer than the issue? A session whose part 2 was made before the issue may have read the log
 * before the batch ran. The card's issue number, sealed in the session's token, tells. A session made after it has
 * ended the issuing session on the card, so what it reads of that issue is final: this is why absence can be proved at
 * all.
 * 2. Is the card the card we know? Its TMC never falls. One below what was known when this session began is an older
 *    image; one below what became known since is merely an older message. Its newest committed top-up is in its log.
 * 3. Is the log one that only grew? Personalisation begins it with a record, so one without any was cleared: what is
 *    missing there is no absence.
 * 4. Does the record say so? It is written by the same commit as the value, under a reference that is used once. */
#include <scrip/defect.h>
#include <scrip/settle.h>

static struct scrip_settle_judgement say(enum scrip_settle_event event, const char *why)
{
    return (struct scrip_settle_judgement){.event = event, .why = why};
}

static uint32_t reference_of(const struct scrip_settle_record *record)
{
    return record->reference & ~SCRIP_SETTLE_MARK;
}

/* Records of a reference in the log; `*last` is one of them. */
static unsigned log_find(const struct scrip_settle_evidence *evidence, uint32_t reference,
                         const struct scrip_settle_record **last)
{
    unsigned found = 0;
    for (unsigned i = 0; i < evidence->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        if (reference_of(&evidence->log[i]) == reference) {
            *last = &evidence->log[i];
            found++;
        }
    }
    return found;
}

static bool log_knows_the_future(const struct scrip_settle_evidence *evidence, uint32_t newest)
{
    for (unsigned i = 0; i < evidence->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        if (reference_of(&evidence->log[i]) > newest) {
            return true;
        }
    }
    return false;
}

/* The record that personalisation begins the log with: a time and nothing else. */
static bool is_opening(const struct scrip_settle_record *record)
{
    unsigned time = 0;
    for (size_t i = 0; i < sizeof record->timestamp; i++) {
        time |= record->timestamp[i];
    }
    return record->reference == 0 && time != 0;
}

/* Was the log cleared? A log that has never been full still has the record that it was begun with, so one without that
 * and without any top-up has lost them. What may be in it is the empty record of a flush, which a phone can commit
 * where messaging leaves CommitTransaction without a MAC. A log that was read in part does not tell. */
static bool log_was_cleared(const struct scrip_settle_evidence *evidence)
{
    if (!evidence->has_log || evidence->log_partial || evidence->log_count >= evidence->log_capacity) {
        return false;
    }
    for (unsigned i = 0; i < evidence->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        if (reference_of(&evidence->log[i]) != 0 || is_opening(&evidence->log[i])) {
            return false;
        }
    }
    return true;
}

/* Is a record in the log that was written before the one of `reference`, be it the one that personalisation began it
 * with? */
static bool log_has_older(const struct scrip_settle_issue *issue, const struct scrip_settle_evidence *evidence,
                          uint32_t reference)
{
    for (unsigned i = 0; i < evidence->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        const uint32_t other = reference_of(&evidence->log[i]);
        if ((other != 0 && other < reference) || (issue->marked && is_opening(&evidence->log[i]))) {
            return true;
        }
    }
    return false;
}

/* Would the issue's record still be there if it had been written? Yes while nothing was overwritten yet, or while
 * something older is still there.
 *
 * With EV1 messaging ClearRecordFile carries no MAC: a phone can slip it in before the commit, and can commit the empty
 * record of a flush. There a log that is not full says nothing by itself: something older must be in it, be it the
 * record that personalisation began it with. */
static bool log_reaches(const struct scrip_settle_issue *issue, const struct scrip_settle_evidence *evidence)
{
    if (SCRIP_DEFECT(absence_without_window)) {
        return true;
    }
    if (!issue->marked && evidence->log_count < evidence->log_capacity && !evidence->log_partial) {
        return true;
    }
    return log_has_older(issue, evidence, issue->reference);
}

/* The newest committed top-up is missing. Of a log that was read in part, which is its newest records, that says
 * nothing while something newer is there and nothing older: it would stand between the two. */
static bool log_lacks(const struct scrip_settle_issue *issue, const struct scrip_settle_evidence *evidence)
{
    const uint32_t committed = issue->last_committed;
    const struct scrip_settle_record *record = NULL;
    if (committed == 0 || log_find(evidence, committed, &record) > 0) {
        return false;
    }
    return !evidence->log_partial || !log_knows_the_future(evidence, committed) ||
           log_has_older(issue, evidence, committed);
}

/* Steps 1 to 3, for any session. UNDECIDED: nothing is wrong with it. */
static struct scrip_settle_judgement judge_session(const struct scrip_settle_issue *issue,
                                                   const struct scrip_settle_evidence *evidence)
{
    if (evidence->session_issue_no != issue->card_issue_no && !SCRIP_DEFECT(evidence_without_cas)) {
        return say(SCRIP_EVENT_STALE, "the session began before the card's newest issue");
    }
    if (issue->tmac && evidence->has_tmc && !SCRIP_DEFECT(rollback_ignored)) {
        if (evidence->tmc < evidence->tmc_floor) {
            return say(SCRIP_EVENT_ROLLBACK, "the card's TMC is below what was known before the session");
        }
        if (evidence->tmc < issue->tmc_highest) {
            return say(SCRIP_EVENT_STALE, "the card has gone on since these answers were read");
        }
    }
    if (log_was_cleared(evidence)) {
        return say(issue->marked && issue->reference != 0 ? SCRIP_EVENT_CHEATED : SCRIP_EVENT_CONTRADICTION,
                   "the log of top-ups was cleared: not even its first record is left");
    }
    if (evidence->has_log && log_knows_the_future(evidence, issue->card_issue_no)) {
        return say(SCRIP_EVENT_CONTRADICTION, "the card's log has a reference that was never issued to it");
    }
    if (evidence->has_log && !SCRIP_DEFECT(rollback_ignored) && log_lacks(issue, evidence)) {
        return say(SCRIP_EVENT_ROLLBACK, "the newest top-up proved on the card is no longer in its log");
    }
    return say(SCRIP_EVENT_UNDECIDED, "nothing is outstanding and nothing is wrong");
}

static struct scrip_settle_judgement judge_record(const struct scrip_settle_issue *issue,
                                                  const struct scrip_settle_evidence *evidence,
                                                  const struct scrip_settle_record *record, unsigned found)
{
    if (found > 1) {
        return say(SCRIP_EVENT_CONTRADICTION, "the reference is in the card's log more than once");
    }
    if (record->value != issue->amount) {
        return say(SCRIP_EVENT_CONTRADICTION, "the record with the reference has another amount");
    }
    if (issue->tmac && evidence->tmc <= issue->tmc_issued) {
        return say(SCRIP_EVENT_CONTRADICTION, "the record is there and the TMC has not moved");
    }
    if (issue->marked && (record->reference & SCRIP_SETTLE_MARK) == 0 && !SCRIP_DEFECT(ev1_bit_ignored)) {
        return say(SCRIP_EVENT_CHEATED, "the record lacks its mark: somebody committed before the batch was through");
    }
    return say(SCRIP_EVENT_PROOF_COMMIT, "the record with the reference is in the card's log");
}

static struct scrip_settle_judgement judge_absence(const struct scrip_settle_issue *issue,
                                                   const struct scrip_settle_evidence *evidence)
{
    if (!log_reaches(issue, evidence)) {
        return say(SCRIP_EVENT_UNDECIDED, "the record is not in the log, but the log does not reach back to the issue");
    }
    if (issue->tmac && !issue->unlogged && evidence->tmc > issue->tmc_issued &&
        evidence->tmc - issue->tmc_issued > evidence->explained) {
        return say(SCRIP_EVENT_UNDECIDED, "the record is not in the log, but the TMC has moved without a known reason");
    }
    return say(SCRIP_EVENT_PROOF_NONE, "a log that reaches back before the issue does not have the record");
}

static struct scrip_settle_judgement judge_later(const struct scrip_settle_issue *issue,
                                                 const struct scrip_settle_evidence *evidence)
{
    const struct scrip_settle_judgement session = judge_session(issue, evidence);
    if (session.event != SCRIP_EVENT_UNDECIDED) {
        return session;
    }
    if (!evidence->has_log || (issue->tmac && !evidence->has_tmc)) {
        return say(SCRIP_EVENT_UNDECIDED, "the session has not read what would decide");
    }
    const struct scrip_settle_record *record = NULL;
    const unsigned found = log_find(evidence, issue->reference, &record);
    if (found > 0) {
        return judge_record(issue, evidence, record, found);
    }
    if (evidence->has_prev && scrip_settle_tmri_reference(evidence->prev_tmri) == issue->reference) {
        return log_reaches(issue, evidence) ? say(SCRIP_EVENT_CONTRADICTION,
                                                  "the previous TMRI names the reference and the log does not have it")
                                            : say(SCRIP_EVENT_PROOF_COMMIT, "the previous TMRI names the reference");
    }
    return judge_absence(issue, evidence);
}

/* The answers to the batch itself can only prove that it went through. */
static struct scrip_settle_judgement judge_batch(const struct scrip_settle_issue *issue,
                                                 const struct scrip_settle_evidence *evidence)
{
    if (evidence->reference != issue->reference) {
        return say(SCRIP_EVENT_UNDECIDED, "these are the answers to another batch");
    }
    if (SCRIP_DEFECT(refusal_taken_as_proof) && evidence->refused) {
        return say(SCRIP_EVENT_PROOF_NONE, "the phone reported a refusal");
    }
    if (!evidence->commit_ok && !(SCRIP_DEFECT(tmv_not_checked) && evidence->has_tmc)) {
        return say(SCRIP_EVENT_UNDECIDED, "the commit's own answer is missing");
    }
    if (issue->tmac && !SCRIP_DEFECT(tmv_not_checked)) {
        if (!evidence->has_tmc) {
            return say(SCRIP_EVENT_UNDECIDED, "the commit's answer has no TMC");
        }
        if (!evidence->tmv_ok) {
            return say(SCRIP_EVENT_CONTRADICTION, "the commit is answered, and its TMV does not verify");
        }
        if (evidence->tmc <= issue->tmc_issued) {
            return say(SCRIP_EVENT_CONTRADICTION, "the commit's TMC had been used before the issue");
        }
    }
    return say(SCRIP_EVENT_PROOF_COMMIT, "the card answered the commit");
}

static struct scrip_settle_judgement judge_terminal(const struct scrip_settle_issue *issue,
                                                    const struct scrip_settle_evidence *evidence)
{
    if (!evidence->has_prev || scrip_settle_tmri_reference(evidence->prev_tmri) != issue->reference) {
        return say(SCRIP_EVENT_UNDECIDED, "the line names another transaction before it");
    }
    if (!evidence->tmv_ok && !SCRIP_DEFECT(tmv_not_checked)) {
        return say(SCRIP_EVENT_UNDECIDED, "the line's TMV does not verify");
    }
    if (!evidence->has_tmc || evidence->tmc < 2 || evidence->tmc - 1 <= issue->tmc_issued) {
        return say(SCRIP_EVENT_CONTRADICTION, "the line's TMC leaves no room for the top-up that it names");
    }
    return say(SCRIP_EVENT_PROOF_COMMIT, "a terminal's line names the reference as the transaction before it");
}

struct scrip_settle_judgement scrip_settle_judge(const struct scrip_settle_issue *issue,
                                                 const struct scrip_settle_evidence *evidence)
{
    switch (evidence->source) {
    case SCRIP_SOURCE_BATCH:
        return judge_batch(issue, evidence);
    case SCRIP_SOURCE_SESSION:
        return judge_later(issue, evidence);
    case SCRIP_SOURCE_TERMINAL:
        return judge_terminal(issue, evidence);
    default:
        return say(SCRIP_EVENT_UNDECIDED, "evidence of an unknown kind");
    }
}

struct scrip_settle_judgement scrip_settle_judge_card(const struct scrip_settle_issue *issue,
                                                      const struct scrip_settle_evidence *evidence)
{
    if (evidence->source != SCRIP_SOURCE_SESSION) {
        return say(SCRIP_EVENT_UNDECIDED, "nothing is outstanding");
    }
    return judge_session(issue, evidence);
}

uint32_t scrip_settle_tmri_reference(const uint8_t tmri[16])
{
    return scrip_get_le32(tmri + 4);
}
