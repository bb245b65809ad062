/* The stages of a top-up's session, in the order of session.h. */
#include "../token.h"
#include "session.h"

#include <scrip/defect.h>
#include <scrip/desfire.h>
#include <string.h>

static bool is_random_id(const struct ota *ota)
{
    return ota->profile.purse.id_key != SCRIP_PURSE_NONE;
}

/* Everything that part 2 binds the session to. A request that comes again finds the numbers of its first time. */
static void bind_session(struct ota *ota)
{
    ota->session.issue_no = ota->replay ? ota->issue.reference - 1U : ota->card.issue_no;
    ota->session.tmc_floor = ota->replay ? ota->issue.tmc_issued : ota->card.tmc;
}

/* ---- authentication ---- */

enum scrip_status take_preamble(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    ota->context->server->counters.sessions++;
    scrip_batch_clear(&ota->batch);
    bind_session(ota);
    const enum scrip_status status = ota_answer(ota, is_random_id(ota) ? SCRIP_PURSE_ID : SCRIP_PURSE_TOPUP);
    if (status != SCRIP_OK) {
        return ota_failed(ota, status);
    }
    if (is_random_id(ota)) {
        return ota_go_on(ota, OTA_WHO_AUTH);
    }
    /* EV2: TI leaves the card only with its proof. EV1: the keys are known now, one trip is saved. */
    return ota->profile.purse.sm == SCRIP_DESFIRE_SM_EV1 ? ota_next(ota) : ota_go_on(ota, OTA_AUTH);
}

enum scrip_status take_who_auth(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(scrip_desfire_tap_who(&ota->tap, &ota->batch, SCRIP_PURSE_TOPUP));
    return ota_go_on(ota, OTA_WHO);
}

enum scrip_status take_who(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    if (memcmp(ota->tap.facts.uid, ota->order.uid, 7) != 0) {
        return problem(ota->context, SCRIP_PROBLEM_WRONG_CARD, NULL);
    }
    scrip_batch_clear(&ota->batch);
    bind_session(ota);
    const enum scrip_status status = ota_answer(ota, SCRIP_PURSE_TOPUP);
    return status == SCRIP_OK ? ota_next(ota) : ota_failed(ota, status); /* NonFirst keeps TI: nothing is missing */
}

/* A roll-out of keys may have been torn: the card has the new top-up key and the book does not know it yet, or the
 * other way round. Try the other version once, in the same tap. */
static bool other_version(const struct ota *ota, uint8_t *version)
{
    uint8_t newest;
    if (scrip_keys_newest(ota->context->keys, SCRIP_KEY_TOPUP, &newest) != SCRIP_OK) {
        return false;
    }
    *version = ota->session.key_version == newest ? (uint8_t)ota->card.key_version : newest;
    return *version != ota->session.key_version && ota->session.restarts == 0;
}

static enum scrip_status not_proved(struct ota *ota, enum scrip_status taken)
{
    uint8_t version;
    const bool refused = taken == SCRIP_E_CARD || taken == SCRIP_E_AUTH || taken == SCRIP_E_MAC;
    if (refused && other_version(ota, &version)) {
        return ota_restart(ota, version);
    }
    return taken == SCRIP_E_CARD ? ota_failed(ota, SCRIP_E_AUTH) : ota_failed(ota, taken);
}

/* The top-up key is changed last, so a card that knows its new version has all new keys. */
static enum scrip_status note_version(struct ota *ota)
{
    if ((ota->tap.facts.has & SCRIP_FACT_CARD) == 0 || ota->session.key_version == ota->card.key_version) {
        return SCRIP_OK;
    }
    ota->card.key_version = ota->session.key_version;
    return scrip_ledger_card_set_key_version(ota->context->ledger, ota->order.uid, ota->session.key_version);
}

enum scrip_status take_auth(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return not_proved(ota, taken);
    }
    SCRIP_TRY(note_version(ota));
    scrip_batch_clear(&ota->batch);
    return ota_next(ota);
}

/* ---- evidence ---- */

/* With short codes a log comes in several frames, each a trip of its own. The two newest top-ups decide as well: the
 * open one, if it is there, and the one proved last, by which an older image gives itself away. They are read one by
 * one; a card that has only one (or an older image) refuses, and then the newest alone is read. */
unsigned ota_topups_wanted(const struct ota *ota)
{
    if (ota->profile.purse.long_codes || ota->card.committed == 0) {
        return 0; /* before the first top-up only the whole log can prove that there is none */
    }
    return ota->session.newest_only ? 1 : 2;
}

enum scrip_status ota_ask_reads(struct ota *ota)
{
    /* The top-up log comes last: with short codes it may take several frames and then ends its batch. */
    static const uint8_t order[] = {SCRIP_READ_TOPUP_COUNT, SCRIP_READ_BALANCE, SCRIP_READ_TMAC,
                                    SCRIP_READ_HEADER,      SCRIP_READ_DEBITS,  SCRIP_READ_TOPUPS};
    for (size_t i = 0; i < sizeof order; i++) {
        if ((ota->session.reads & order[i]) == 0) {
            continue;
        }
        const unsigned records = order[i] == SCRIP_READ_TOPUPS ? ota_topups_wanted(ota) : 0;
        const enum scrip_status status = scrip_desfire_tap_read(&ota->tap, &ota->batch, order[i], records);
        if ((status == SCRIP_E_WAIT || status == SCRIP_E_STATE) && ota->batch.count > 0) {
            return SCRIP_OK; /* the rest after the answers */
        }
        SCRIP_TRY(status);
        ota->session.reads &= (uint8_t)~order[i];
    }
    return SCRIP_OK;
}

static bool can_harvest(const struct ota *ota)
{
    return ota->profile.purse.log_by_server && ota->profile.purse.log_file != SCRIP_PURSE_NONE;
}

static enum scrip_status ask_evidence(struct ota *ota)
{
    const unsigned log = ota->session.count_only ? SCRIP_READ_TOPUP_COUNT : SCRIP_READ_TOPUPS;
    ota->session.reads = (uint8_t)(SCRIP_READ_BALANCE | SCRIP_READ_TMAC | log);
    if (ota->profile.purse.sm == SCRIP_DESFIRE_SM_EV1 && !SCRIP_DEFECT(no_abort_of_pending)) {
        /* CommitTransaction carries no MAC there: what an older session left pending could be committed behind the
         * reads that prove its absence. */
        SCRIP_TRY(scrip_desfire_tap_flush(&ota->tap, &ota->batch, SCRIP_PURSE_TOPUP));
    }
    if (can_harvest(ota) && ota->profile.purse.long_codes) {
        ota->session.reads |= SCRIP_READ_DEBITS;
    }
    SCRIP_TRY(ota_ask_reads(ota));
    return ota_go_on(ota, OTA_EVIDENCE);
}

/* What a settlement means for the session: does it go on to the order's own batch? */
static enum scrip_status after_settling(struct ota *ota, enum scrip_status status,
                                        const struct scrip_ledger_settlement *settlement)
{
    if (ota_stopped(ota, status, settlement)) {
        return SCRIP_OK;
    }
    SCRIP_TRY(status);
    SCRIP_TRY(ota_reload(ota));
    if (settlement->judged && settlement->event == SCRIP_EVENT_UNDECIDED) {
        return problem(ota->context, SCRIP_PROBLEM_BUSY_CARD, settlement->why);
    }
    if (scrip_settle_is_final(ota->order.state)) {
        return ota_over(ota);
    }
    if (ota->session.refused_sw != 0 && ota->order.state == SCRIP_STATE_FUNDED) {
        return ota_refused(ota, ota->session.refused_cmd, ota->session.refused_sw); /* it would only refuse again */
    }
    ota->session.settled = true;
    scrip_batch_clear(&ota->batch);
    return ota_next(ota);
}

static enum scrip_status more_reads(struct ota *ota, enum scrip_status taken)
{
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(taken == SCRIP_E_WAIT ? scrip_desfire_tap_continue(&ota->tap, &ota->batch) : ota_ask_reads(ota));
    return ota_go_on(ota, (enum ota_stage)ota->session.stage);
}

/* Messaging without MACs on commands lets a phone slip ClearRecordFile in front of the commit: the value is on the
 * card, and an empty log refuses to be read. A session that asks for the number of its records has that under the MAC.
 */
static bool may_be_cleared(const struct ota *ota)
{
    return ota->profile.purse.sm == SCRIP_DESFIRE_SM_EV1 && !ota->session.count_only &&
           ota->tap.term.failure.sw == SCRIP_DESFIRE_SW(DF_BOUNDARY_ERROR);
}

static enum scrip_status evidence_missing(struct ota *ota, enum scrip_status taken)
{
    if ((ota->tap.facts.has & SCRIP_FACT_CARD) == 0) {
        return not_proved(ota, taken);
    }
    if (taken != SCRIP_E_CARD || ota->session.restarts >= OTA_RESTARTS_MAX) {
        return ota_failed(ota, taken);
    }
    if (ota_topups_wanted(ota) == 2) {
        ota->session.newest_only = true;
        return ota_restart(ota, ota->session.key_version);
    }
    if (may_be_cleared(ota)) {
        ota->session.count_only = true;
        ota->session.refused_cmd = ota->tap.term.failure.cmd;
        ota->session.refused_sw = ota->tap.term.failure.sw;
        return ota_restart(ota, ota->session.key_version);
    }
    return ota_failed(ota, taken);
}

/* The log could not be read, and has records: the phone made the refusal up, or the card is broken. */
static bool refused_for_nothing(const struct ota *ota)
{
    return ota->session.count_only && ota->tap.facts.topup_count > 0;
}

enum scrip_status take_evidence(struct ota *ota, enum scrip_status taken)
{
    struct scrip_settle_evidence evidence;
    struct scrip_ledger_settlement settlement;
    if (taken == SCRIP_E_WAIT || (taken == SCRIP_OK && ota->session.reads != 0)) {
        return more_reads(ota, taken);
    }
    if (taken != SCRIP_OK) {
        return evidence_missing(ota, taken);
    }
    SCRIP_TRY(note_version(ota));
    if (ota->replay) { /* this evidence was taken when the request came first */
        ota->session.settled = true;
        scrip_batch_clear(&ota->batch);
        return ota_next(ota);
    }
    if (refused_for_nothing(ota)) {
        return ota_refused(ota, ota->session.refused_cmd, ota->session.refused_sw);
    }
    evidence_of_session(ota, &evidence);
    const enum scrip_status status = ota_settle(ota, &evidence, &settlement);
    return after_settling(ota, status, &settlement);
}

/* ---- the top-up ---- */

static void topup_of_issue(const struct scrip_ledger_issue *issue, struct scrip_purse_topup *topup)
{
    memcpy(topup->timestamp, issue->record, 8);
    topup->amount = (int32_t)issue->amount;
    topup->reference = issue->reference;
    memcpy(topup->tmri, issue->tmri, 16);
}

/* The reader id of a top-up. It is evidence in later sessions and in terminals' journals, so its sequence is a keyed
 * hash: a gate that can send CommitReaderID too must not be able to guess it. */
static enum scrip_status topup_reader(const struct ota *ota, uint32_t reference, uint8_t tmri[16])
{
    uint8_t number[4];
    uint8_t hash[32];
    scrip_put_le32(number, reference);
    const struct scrip_bytes pieces[] = {SCRIP_BYTES_OF(ota->order.uid), SCRIP_BYTES_OF(number)};
    SCRIP_TRY(token_hash(ota->context->keys, "reader id", pieces, 2, hash));
    scrip_purse_tmri(ota->context->server->config.server_id, reference, scrip_get_le64(hash), tmri);
    return SCRIP_OK;
}

static enum scrip_status fill_issue(const struct ota *ota, struct scrip_ledger_issue *issue)
{
    struct scrip_purse_topup topup = {
        .amount = (int32_t)ota->order.amount,
        .reference = scrip_ledger_next_reference(&ota->card),
    };
    memset(issue, 0, sizeof *issue);
    scrip_purse_timestamp(ota->context->now_ms, topup.timestamp);
    memcpy(issue->order_id, ota->order.id, sizeof issue->order_id);
    issue->reference = topup.reference;
    issue->amount = ota->order.amount;
    issue->session_issue_no = ota->session.issue_no;
    memcpy(issue->session, ota->digest, sizeof issue->session);
    if (ota->profile.purse.reader_id) {
        SCRIP_TRY(topup_reader(ota, topup.reference, issue->tmri));
    }
    scrip_purse_topup_record(&ota->profile.purse, &topup, issue->record);
    return SCRIP_OK;
}

static enum scrip_status issue_refused(struct ota *ota, enum scrip_status status)
{
    switch (status) {
    case SCRIP_E_HELD:
        return problem(ota->context, ota->card.held ? SCRIP_PROBLEM_CARD_HELD : SCRIP_PROBLEM_CARD_DENIED,
                       ota->card.reason);
    case SCRIP_E_EXISTS:
        return problem(ota->context, SCRIP_PROBLEM_BUSY_CARD, NULL);
    case SCRIP_E_STALE:
        return problem(ota->context, SCRIP_PROBLEM_SESSION_OVER, NULL);
    case SCRIP_E_STATE:
        return problem(ota->context, SCRIP_PROBLEM_ORDER_STATE, scrip_settle_state_text(ota->order.state));
    default:
        return problem_of(ota->context, status, SCRIP_PROBLEM_NO_SUCH_ORDER);
    }
}

static enum scrip_status append_topup(struct ota *ota, const struct scrip_purse_topup *topup)
{
    const bool harvest = can_harvest(ota);
    const bool ahead = ota->profile.purse.long_codes;
    if (harvest && ahead) {
        SCRIP_TRY(scrip_desfire_tap_read(&ota->tap, &ota->batch, SCRIP_READ_DEBITS, 0));
    }
    if (!SCRIP_DEFECT(no_abort_of_pending)) {
        SCRIP_TRY(scrip_desfire_tap_flush(&ota->tap, &ota->batch, SCRIP_PURSE_TOPUP));
    }
    SCRIP_TRY(scrip_desfire_tap_topup(&ota->tap, &ota->batch, topup));
    if (harvest && !ahead) { /* nothing follows: the log's later frames may be fetched in the same batch */
        SCRIP_TRY(scrip_desfire_tap_read(&ota->tap, &ota->batch, SCRIP_READ_DEBITS | SCRIP_READ_LAST, 0));
    }
    return SCRIP_OK;
}

static enum scrip_status answer_topup(struct ota *ota, const struct scrip_ledger_issue *issue)
{
    struct scrip_purse_topup topup;
    topup_of_issue(issue, &topup);
    ota->session.reference = topup.reference;
    SCRIP_TRY(append_topup(ota, &topup));
    return ota_go_on(ota, OTA_RESULT);
}

/* Issue the order and answer with its batch. The row comes last, when nothing else can fail; the batch leaves only
 * after the commit that makes the row durable, and does not leave at all when the row is refused. */
static enum scrip_status issue_topup(struct ota *ota)
{
    struct scrip_ledger_issue wanted;
    if (ota->replay) {
        ota->context->server->counters.repeated++;
        ota->context->response->made_durable |= SCRIP_DURABLE_ISSUED;
        return answer_topup(ota, &ota->issue);
    }
    if (ota->order.state == SCRIP_STATE_ISSUED) { /* to another session: the same request would have been found */
        return issue_refused(ota, SCRIP_E_STALE);
    }
    SCRIP_TRY(fill_issue(ota, &wanted));
    SCRIP_TRY(answer_topup(ota, &wanted));
    scrip_ledger_request_sure(ota->context->ledger);
    const enum scrip_status status = scrip_ledger_issue(ota->context->ledger, &wanted, NULL);
    if (status != SCRIP_OK) {
        return issue_refused(ota, status);
    }
    ota->context->server->counters.issued++;
    ota->context->response->made_durable |= SCRIP_DURABLE_ISSUED;
    return SCRIP_OK;
}

enum scrip_status ota_next(struct ota *ota)
{
    struct scrip_ledger_issue open;
    if (!ota->replay && !ota->session.settled && !SCRIP_DEFECT(two_issued_per_card)) {
        const enum scrip_status status = scrip_ledger_issue_open(ota->context->ledger, ota->order.uid, &open);
        if (status == SCRIP_OK) {
            return ask_evidence(ota);
        }
        if (status != SCRIP_E_NOT_FOUND) {
            return status;
        }
    }
    switch (ota->order.kind) {
    case SCRIP_KIND_TOPUP:
        return issue_topup(ota);
    case SCRIP_KIND_READ:
        return work_read(ota);
    case SCRIP_KIND_WRITE:
        return work_write(ota);
    case SCRIP_KIND_REKEY:
        return work_rekey(ota);
    default:
        return SCRIP_E_CORRUPT;
    }
}

/* ---- the result ---- */

/* Nothing is proved, and the phone says that the card is still there: ask the card itself, in the same tap. */
static enum scrip_status ask_again(struct ota *ota)
{
    const bool gone = ota->report.closed || ota->report.unanswered != 0;
    if (gone || ota->session.restarts >= OTA_RESTARTS_MAX) {
        return ota_over(ota);
    }
    ota->session.refused_cmd = ota->tap.term.failure.cmd;
    ota->session.refused_sw = ota->tap.term.failure.sw;
    return ota_restart(ota, ota->session.key_version);
}

static enum scrip_status answer_result(struct ota *ota, enum scrip_status status,
                                       const struct scrip_ledger_settlement *settlement)
{
    if (ota_stopped(ota, status, settlement)) {
        return SCRIP_OK;
    }
    SCRIP_TRY(status);
    SCRIP_TRY(ota_reload(ota));
    const bool open = ota->order.state == SCRIP_STATE_ISSUED;
    return open && settlement->event == SCRIP_EVENT_UNDECIDED ? ask_again(ota) : ota_over(ota);
}

/* The card's counter stands, proved by its own MAC, where it stood before the issue: that is an older image or a copy.
 * For the rules a batch is no place to find that out, any contradiction holds the card; the phone is told what it is.
 */
static bool is_older_image(const struct scrip_ledger_settlement *settlement,
                           const struct scrip_settle_evidence *evidence, const struct scrip_ledger_issue *issue)
{
    return settlement->event == SCRIP_EVENT_CONTRADICTION && evidence->tmv_ok && evidence->has_tmc &&
           evidence->tmc <= issue->tmc_issued;
}

enum scrip_status take_result(struct ota *ota, enum scrip_status taken)
{
    struct scrip_ledger_issue issue;
    struct scrip_purse_topup topup;
    struct scrip_settle_evidence evidence;
    struct scrip_ledger_settlement settlement;
    if (taken == SCRIP_E_STORE || taken == SCRIP_E_KEY) {
        return ota_failed(ota, taken);
    }
    const enum scrip_status found =
        scrip_ledger_issue_get(ota->context->ledger, ota->order.uid, ota->session.reference, &issue);
    if (found == SCRIP_E_NOT_FOUND || (found == SCRIP_OK && strcmp(issue.order_id, ota->order.id) != 0)) {
        return problem(ota->context, SCRIP_PROBLEM_SESSION_OVER, NULL);
    }
    SCRIP_TRY(found);
    SCRIP_TRY(note_version(ota));
    topup_of_issue(&issue, &topup);
    SCRIP_TRY(evidence_of_batch(ota, &topup, taken, &evidence));
    scrip_ledger_request_sure(ota->context->ledger); /* evidence of a batch is refused at once, or taken */
    const enum scrip_status status = ota_settle(ota, &evidence, &settlement);
    if (is_older_image(&settlement, &evidence, &issue)) {
        settlement.event = SCRIP_EVENT_ROLLBACK;
    }
    return answer_result(ota, status, &settlement);
}
