/* issues.c: value on its way into a card, and what evidence makes of it. */
#include "book.h"

#include <scrip/defect.h>

static void issue_read(struct scrip_ledger *ledger, struct issue_row *row)
{
    const enum store_statement s = STORE_ISSUE_GET;
    struct scrip_ledger_issue *i = &row->i;
    memset(row, 0, sizeof *row);
    card_uid(column_number(ledger, s, 0), i->uid);
    i->reference = (uint32_t)column_number(ledger, s, 1);
    i->session_issue_no = i->reference - 1;
    row->order = column_number(ledger, s, 2);
    column_fixed(ledger, s, 3, i->session, sizeof i->session);
    column_fixed(ledger, s, 4, i->record, sizeof i->record);
    column_fixed(ledger, s, 5, i->tmri, sizeof i->tmri);
    i->state_len = (uint8_t)column_blob(ledger, s, 6, i->state, sizeof i->state);
    i->tmc_issued = (uint32_t)column_number(ledger, s, 7);
    i->issued_ms = (uint64_t)column_number(ledger, s, 8);
    i->outcome = (enum scrip_ledger_outcome)column_number(ledger, s, 9);
    i->tmc = (uint32_t)column_number(ledger, s, 10);
    column_text(ledger, s, 11, i->order_id, sizeof i->order_id);
    i->amount = (uint32_t)column_number(ledger, s, 12);
}

static enum scrip_status issue_load(struct scrip_ledger *ledger, int64_t card, uint32_t reference,
                                    struct issue_row *row)
{
    struct issue_row *known = &ledger->known.issue;
    if (!ledger_knows(ledger, KNOWN_ISSUE) || known->i.reference != reference || card_number(known->i.uid) != card) {
        SCRIP_TRY(QUERY(ledger, ISSUE_GET, V_INT(card), V_INT(reference)));
        issue_read(ledger, known);
        ledger_end(ledger, STORE_ISSUE_GET);
        ledger->known.has |= KNOWN_ISSUE;
    }
    *row = *known;
    return SCRIP_OK;
}

/* The issue that is open. Where the newest is proved on the card, as after every top-up that went well, none is. */
static enum scrip_status issue_load_open(struct scrip_ledger *ledger, const struct card_row *card,
                                         struct issue_row *row)
{
    if (card->c.committed == card->c.issue_no) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(issue_load(ledger, card->number, card->c.issue_no, row));
    return row->i.outcome == SCRIP_OUTCOME_OPEN ? SCRIP_OK : SCRIP_E_NOT_FOUND;
}

uint32_t scrip_ledger_next_reference(const struct scrip_ledger_card *card)
{
    if (SCRIP_DEFECT(reused_reference) && card->issue_no > 0) {
        return card->issue_no;
    }
    return card->issue_no + 1;
}

/* ---- Issuing ---- */

/* The request came again: the very same session may have the very same bytes again, and nobody else. */
static enum scrip_status issue_again(struct scrip_ledger *ledger, const struct order_row *order,
                                     const struct scrip_ledger_issue *wanted, struct scrip_ledger_issue *issued)
{
    struct issue_row row;
    SCRIP_TRY(issue_load(ledger, order->card, order->o.reference, &row));
    if (memcmp(row.i.session, wanted->session, sizeof wanted->session) != 0) {
        return SCRIP_E_STALE;
    }
    if (issued != NULL) {
        *issued = row.i;
    }
    return SCRIP_OK;
}

static enum scrip_status issue_allowed(const struct scrip_ledger *ledger, const struct order_row *order,
                                       const struct card_row *card, const struct scrip_ledger_issue *wanted)
{
    if (order->o.state != SCRIP_STATE_FUNDED) {
        return SCRIP_E_STATE;
    }
    if (order->o.expires_ms != 0 && ledger_now(ledger) >= order->o.expires_ms) {
        return SCRIP_E_EXPIRED;
    }
    if ((card->c.held || card->c.denied) && !SCRIP_DEFECT(held_card_issued)) {
        return SCRIP_E_HELD;
    }
    if (wanted->session_issue_no != card->c.issue_no) {
        return SCRIP_E_STALE;
    }
    if (card->c.issue_no >= SCRIP_SETTLE_REFERENCE_MAX) {
        return SCRIP_E_LIMIT;
    }
    const uint32_t reference = scrip_ledger_next_reference(&card->c);
    const bool named = (scrip_get_le32(wanted->record + 12) & ~SCRIP_SETTLE_MARK) == reference &&
                       (is_zero(wanted->tmri, 16) || scrip_settle_tmri_reference(wanted->tmri) == reference);
    return named && wanted->state_len <= sizeof wanted->state ? SCRIP_OK : SCRIP_E_ARGUMENT;
}

static enum scrip_status issue_write(struct scrip_ledger *ledger, const struct card_row *card,
                                     const struct order_row *order, const struct scrip_ledger_issue *wanted)
{
    unsigned changed = 0;
    const uint32_t reference = order->o.reference;
    SCRIP_TRY(
        RUN(ledger, CARD_TAKE_ISSUE, &changed, V_INT(card->number), V_INT(wanted->session_issue_no), V_INT(reference)));
    if (changed != 1) {
        return SCRIP_E_STALE;
    }
    if (SCRIP_DEFECT(reused_reference)) {
        SCRIP_TRY(RUN(ledger, ISSUE_FORGET, NULL, V_INT(card->number), V_INT(reference)));
    }
    return RUN(ledger, ISSUE_ADD, NULL, V_INT(card->number), V_INT(reference), V_INT(order->n),
               V_BLOB(wanted->session, sizeof wanted->session), V_BLOB(wanted->record, sizeof wanted->record),
               V_BLOB(wanted->tmri, sizeof wanted->tmri), V_BLOB(wanted->state, wanted->state_len), V_INT(card->c.tmc),
               V_INT(ledger_now(ledger)));
}

enum scrip_status scrip_ledger_issue(struct scrip_ledger *ledger, const struct scrip_ledger_issue *issue,
                                     struct scrip_ledger_issue *issued)
{
    struct order_row order;
    struct card_row card;
    struct issue_row row;
    SCRIP_TRY(order_load(ledger, issue->order_id, &order));
    if (order.o.state == SCRIP_STATE_ISSUED) {
        return issue_again(ledger, &order, issue, issued);
    }
    SCRIP_TRY(card_load_number(ledger, order.card, &card));
    SCRIP_TRY(issue_allowed(ledger, &order, &card, issue));
    if (SCRIP_DEFECT(two_issued_per_card)) {
        SCRIP_TRY(ledger_run(ledger, STORE_ALLOW_TWO_ISSUED, NULL, 0, NULL));
    }
    order.o.reference = scrip_ledger_next_reference(&card.c);
    /* The unique index on issued orders answers EXISTS here, before the card's number is taken. */
    SCRIP_TRY(order_apply(ledger, &order, &card, SCRIP_EVENT_ISSUE, scrip_bytes(NULL, 0), "", NULL));
    SCRIP_TRY(issue_write(ledger, &card, &order, issue));
    if (issued != NULL) {
        SCRIP_TRY(issue_load(ledger, order.card, order.o.reference, &row));
        *issued = row.i;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_issue_get(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t reference,
                                         struct scrip_ledger_issue *issue)
{
    struct issue_row row;
    SCRIP_TRY(issue_load(ledger, card_number(uid), reference, &row));
    *issue = row.i;
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_issue_open(struct scrip_ledger *ledger, const uint8_t uid[7],
                                          struct scrip_ledger_issue *issue)
{
    struct card_row card;
    struct issue_row row;
    SCRIP_TRY(card_load(ledger, uid, &card));
    SCRIP_TRY(issue_load_open(ledger, &card, &row));
    *issue = row.i;
    return SCRIP_OK;
}

/* ---- Settling ---- */

#define EVIDENCE_SETTLE_LEN 68U

static struct scrip_bytes evidence_settle(uint8_t at[EVIDENCE_MAX], const struct scrip_settle_evidence *evidence,
                                          const struct issue_row *issue, enum scrip_settle_event event)
{
    memset(at, 0, EVIDENCE_SETTLE_LEN);
    at[0] = EVIDENCE_SETTLE;
    at[1] = (uint8_t)evidence->source;
    at[2] = (uint8_t)(evidence->commit_ok | evidence->tmv_ok << 1 | evidence->has_tmc << 2 | evidence->has_log << 3 |
                      evidence->has_prev << 4);
    at[3] = (uint8_t)event;
    if (evidence->has_tmc) {
        scrip_put_le32(at + 8, evidence->tmc);
    }
    memcpy(at + 12, evidence->tmv, 8);
    memcpy(at + 36, evidence->session, 32);
    if (issue != NULL) {
        scrip_put_le32(at + 4, issue->i.reference);
        memcpy(at + 20, issue->i.tmri, 16);
        if (evidence->source == SCRIP_SOURCE_BATCH) {
            memcpy(at + 36, issue->i.session, 32);
        }
    }
    return scrip_bytes(at, EVIDENCE_SETTLE_LEN);
}

/* How many transactions since the issue are known. What the log shows and what terminals uploaded overlap, so the
 * larger of the two counts. */
static enum scrip_status explain(struct scrip_ledger *ledger, const struct card_row *card, uint32_t tmc_issued,
                                 const struct scrip_settle_evidence *evidence, uint32_t *explained)
{
    int64_t logged = 0;
    int64_t uploaded = 0;
    int64_t writing = 0;
    SCRIP_TRY(NUMBER(ledger, WRITE_UNKNOWN, 0, &writing, V_INT(card->number)));
    SCRIP_TRY(NUMBER(ledger, HARVEST_COUNT_AFTER, 0, &logged, V_INT(card->number), V_INT(tmc_issued)));
    SCRIP_TRY(NUMBER(ledger, DEBIT_COUNT_BETWEEN, 0, &uploaded, V_INT(card->number), V_INT(tmc_issued),
                     V_INT(evidence->tmc)));
    const int64_t more = logged > uploaded ? logged : uploaded;
    *explained = writing != 0 ? UINT32_MAX : evidence->explained > more ? evidence->explained : (uint32_t)more;
    return SCRIP_OK;
}

static enum scrip_status judge(struct scrip_ledger *ledger, const struct card_row *card, const struct issue_row *issue,
                               const struct scrip_settle_evidence *evidence, struct scrip_settle_judgement *judgement)
{
    struct scrip_settle_issue known = {.card_issue_no = card->c.issue_no,
                                       .last_committed = card->c.committed,
                                       .tmac = card->c.tmac,
                                       .marked = card->c.marked,
                                       .unlogged = card->c.unlogged,
                                       .tmc_highest = card->c.tmc};
    if (issue != NULL) {
        known.reference = issue->i.reference;
        known.amount = issue->i.amount;
        known.tmc_issued = issue->i.tmc_issued;
    }
    *judgement = scrip_settle_judge_card(&known, evidence);
    if (judgement->event != SCRIP_EVENT_UNDECIDED || issue == NULL) {
        return SCRIP_OK;
    }
    if (evidence->source != SCRIP_SOURCE_SESSION) {
        *judgement = scrip_settle_judge(&known, evidence);
        return SCRIP_OK;
    }
    struct scrip_settle_evidence full = *evidence;
    SCRIP_TRY(harvest_take(ledger, card, evidence));
    SCRIP_TRY(explain(ledger, card, known.tmc_issued, evidence, &full.explained));
    *judgement = scrip_settle_judge(&known, &full);
    return SCRIP_OK;
}

/* Evidence about an issue that was settled before. Proof that an issue went through which had been proved absent, and
 * whose order went on under another reference, is a contradiction for that order. */
static enum scrip_settle_event event_for(const struct issue_row *issue, const struct order_row *order,
                                         enum scrip_settle_event event)
{
    const bool passed_on = order->o.reference != issue->i.reference;
    return event == SCRIP_EVENT_PROOF_COMMIT && passed_on ? SCRIP_EVENT_CONTRADICTION : event;
}

/* TMC of the commit, where it is known: 0 if not. */
static uint32_t commit_tmc(const struct issue_row *issue, const struct scrip_settle_evidence *evidence)
{
    if (!evidence->has_tmc) {
        return 0;
    }
    switch (evidence->source) {
    case SCRIP_SOURCE_BATCH:
        return evidence->tmc;
    case SCRIP_SOURCE_TERMINAL:
        return evidence->tmc - 1;
    default:
        return evidence->tmc == issue->i.tmc_issued + 1 ? evidence->tmc : 0;
    }
}

static enum scrip_status issue_close(struct scrip_ledger *ledger, const struct card_row *card,
                                     const struct issue_row *issue, const struct scrip_settle_evidence *evidence,
                                     enum scrip_settle_event event)
{
    enum scrip_ledger_outcome outcome = SCRIP_OUTCOME_OPEN;
    uint32_t tmc = issue->i.tmc;
    switch (event) {
    case SCRIP_EVENT_PROOF_COMMIT:
        outcome = SCRIP_OUTCOME_COMMITTED;
        tmc = tmc != 0 ? tmc : commit_tmc(issue, evidence);
        break;
    case SCRIP_EVENT_PROOF_NONE:
        outcome = SCRIP_OUTCOME_ABSENT;
        break;
    case SCRIP_EVENT_CHEATED:
    case SCRIP_EVENT_CONTRADICTION:
        outcome = SCRIP_OUTCOME_DISPUTED;
        break;
    default:
        return SCRIP_OK;
    }
    if (outcome == issue->i.outcome && tmc == issue->i.tmc) {
        return SCRIP_OK;
    }
    return RUN(ledger, ISSUE_CLOSE, NULL, V_INT(card->number), V_INT(issue->i.reference), V_INT(issue->i.outcome),
               V_INT(outcome), V_OPT(tmc != 0, tmc));
}

static int verdict_of(enum scrip_settle_event event)
{
    switch (event) {
    case SCRIP_EVENT_ROLLBACK:
        return SCRIP_VERDICT_ROLLBACK;
    case SCRIP_EVENT_CONTRADICTION:
        return SCRIP_VERDICT_FORK;
    default:
        return SCRIP_VERDICT_IN_STEP;
    }
}

/* Remember what a card that is in order has shown of itself. */
static void observe(struct card_row *card, const struct scrip_settle_evidence *evidence, enum scrip_settle_event event)
{
    const bool shown = evidence->source == SCRIP_SOURCE_SESSION || event == SCRIP_EVENT_PROOF_COMMIT;
    if (!shown || verdict_of(event) != SCRIP_VERDICT_IN_STEP) {
        return;
    }
    const uint32_t tmc = evidence->has_tmc ? evidence->tmc : 0;
    const uint32_t highest = evidence->source == SCRIP_SOURCE_TERMINAL && tmc > 0 ? tmc - 1 : tmc;
    card->c.tmc = highest > card->c.tmc ? highest : card->c.tmc;
    if (evidence->has_balance && tmc >= card->c.seen_tmc) {
        card->c.seen = true;
        card->c.seen_tmc = tmc;
        card->c.seen_balance = evidence->balance;
    }
}

static enum scrip_status settle_issue(struct scrip_ledger *ledger, struct card_row *card, const struct issue_row *issue,
                                      struct order_row *order, const struct scrip_settle_evidence *evidence,
                                      enum scrip_settle_event event, struct scrip_ledger_settlement *out)
{
    uint8_t memory[EVIDENCE_MAX];
    const enum scrip_settle_event told = event_for(issue, order, event);
    const struct scrip_bytes bytes = evidence_settle(memory, evidence, issue, event);
    if (SCRIP_DEFECT(late_upload_reverts) && evidence->source == SCRIP_SOURCE_BATCH && !evidence->commit_ok &&
        order->o.state == SCRIP_STATE_CONFIRMED) {
        return RUN(ledger, ORDER_MOVE, NULL, V_INT(order->n), V_INT(order->o.state), V_INT(SCRIP_STATE_FUNDED));
    }
    SCRIP_TRY(order_apply(ledger, order, card, told, bytes, out->why, NULL));
    SCRIP_TRY(issue_close(ledger, card, issue, evidence, event));
    if (event == SCRIP_EVENT_PROOF_COMMIT && issue->i.reference > card->c.committed) {
        card->c.committed = issue->i.reference;
    }
    out->event = told;
    out->state = order->o.state;
    return SCRIP_OK;
}

/* Which issue evidence is about: the one it names, or the one that is open. */
static enum scrip_status issue_meant(struct scrip_ledger *ledger, const struct card_row *card,
                                     const struct scrip_settle_evidence *evidence, struct issue_row *issue)
{
    switch (evidence->source) {
    case SCRIP_SOURCE_BATCH:
        return issue_load(ledger, card->number, evidence->reference, issue);
    case SCRIP_SOURCE_TERMINAL:
        return issue_load(ledger, card->number, scrip_settle_tmri_reference(evidence->prev_tmri), issue);
    default:
        return issue_load_open(ledger, card, issue);
    }
}

#define CARD_LOG 10U /* entries that a card's transaction log can show */

/* Does evidence show the card's log as it is now? What came with a batch does while the batch is news: the log of an
 * old message is old, too. */
static bool shows_log(const struct scrip_settle_evidence *evidence, enum scrip_settle_event event, bool news)
{
    switch (evidence->source) {
    case SCRIP_SOURCE_SESSION:
        return evidence->has_debits && verdict_of(event) == SCRIP_VERDICT_IN_STEP;
    case SCRIP_SOURCE_BATCH:
        return evidence->has_debits && event == SCRIP_EVENT_PROOF_COMMIT && news;
    default:
        return false;
    }
}

/* Debits that wait for a word about them. */
static enum scrip_status revisit(struct scrip_ledger *ledger, struct card_row *card,
                                 const struct scrip_settle_evidence *evidence, enum scrip_settle_event event,
                                 bool log_shown)
{
    const bool session = evidence->source == SCRIP_SOURCE_SESSION && verdict_of(event) == SCRIP_VERDICT_IN_STEP;
    const bool batch = evidence->source == SCRIP_SOURCE_BATCH && evidence->has_prev && evidence->has_tmc &&
                       event == SCRIP_EVENT_PROOF_COMMIT;
    if (!session && !batch && !log_shown) {
        return SCRIP_OK;
    }
    const struct intent_hint hint = {.has_prev = batch,
                                     .prev = evidence->prev_tmri,
                                     .has_tmc = session && evidence->has_tmc,
                                     .tmc = evidence->tmc,
                                     .log_read = log_shown,
                                     .log_count = evidence->debit_count,
                                     .oldest = evidence->debit_count >= CARD_LOG ? evidence->debits[0] : NULL};
    return debits_revisit(ledger, card, &hint);
}

static enum scrip_status settle_judged(struct scrip_ledger *ledger, struct card_row *card,
                                       const struct issue_row *issue, struct order_row *order,
                                       const struct scrip_settle_evidence *evidence,
                                       struct scrip_ledger_settlement *out)
{
    uint8_t memory[EVIDENCE_MAX];
    const enum scrip_settle_event event = out->event;
    const bool news = issue != NULL && order->o.state == SCRIP_STATE_ISSUED;
    const bool log_shown = shows_log(evidence, event, news);
    if (issue != NULL) {
        SCRIP_TRY(settle_issue(ledger, card, issue, order, evidence, event, out));
    } else if (verdict_of(event) != SCRIP_VERDICT_IN_STEP) {
        SCRIP_TRY(card_mark_held(ledger, card, out->why, evidence_settle(memory, evidence, NULL, event)));
    }
    if (log_shown && (issue == NULL || evidence->source == SCRIP_SOURCE_BATCH)) { /* else judge() has taken it in */
        SCRIP_TRY(harvest_take(ledger, card, evidence));
    }
    if (verdict_of(event) > card->verdict) {
        card->verdict = verdict_of(event);
    }
    observe(card, evidence, event);
    SCRIP_TRY(revisit(ledger, card, evidence, event, log_shown));
    out->held = card->c.held;
    return SCRIP_OK;
}

enum scrip_status settle_with(struct scrip_ledger *ledger, struct card_row *card,
                              const struct scrip_settle_evidence *evidence, struct scrip_ledger_settlement *out)
{
    struct issue_row row;
    struct order_row order;
    struct scrip_settle_judgement judgement;
    const enum scrip_status found = issue_meant(ledger, card, evidence, &row);
    if (found != SCRIP_OK && (found != SCRIP_E_NOT_FOUND || evidence->source == SCRIP_SOURCE_BATCH)) {
        return found;
    }
    const struct issue_row *issue = found == SCRIP_OK ? &row : NULL;
    memset(out, 0, sizeof *out);
    out->held = card->c.held;
    if (issue != NULL) {
        out->judged = true;
        out->reference = row.i.reference;
        memcpy(out->order_id, row.i.order_id, sizeof out->order_id);
        SCRIP_TRY(order_load_n(ledger, row.order, &order));
        out->state = order.o.state;
    }
    SCRIP_TRY(judge(ledger, card, issue, evidence, &judgement));
    out->event = judgement.event;
    out->why = judgement.why;
    if (judgement.event == SCRIP_EVENT_STALE) {
        return SCRIP_E_STALE;
    }
    if (card->c.held) {
        out->event = SCRIP_EVENT_UNDECIDED;
        out->why = "the card is held: nothing settles until an operator releases it";
        return SCRIP_E_HELD;
    }
    return settle_judged(ledger, card, issue, &order, evidence, out);
}

enum scrip_status scrip_ledger_settle(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      const struct scrip_settle_evidence *evidence, struct scrip_ledger_settlement *out)
{
    struct card_row card;
    SCRIP_TRY(card_load(ledger, uid, &card));
    SCRIP_TRY(settle_with(ledger, &card, evidence, out));
    return card_save(ledger, &card);
}
