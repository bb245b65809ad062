/* From what a card has proved to what the rules of settlement judge. Nothing here weighs anything: that is
 * scrip_settle_judge's, and only facts that came under a session MAC or a verified TMV are handed on. */
#include "session.h"

#include <scrip/defect.h>
#include <string.h>

/* A log that was read in part counts as full: it reaches back only as far as a record of an older top-up in it. Records
 * without a reference prove nothing: with EV1 messaging a phone can commit the one that scrip_desfire_tap_flush writes.
 */
static void add_topups(const struct scrip_purse_log *log, struct scrip_settle_evidence *evidence)
{
    evidence->has_log = log->count > 0;
    evidence->log_partial = !log->whole;
    evidence->log_capacity = SCRIP_PURSE_LOG_RECORDS;
    evidence->log_count = log->count;
    for (size_t i = 0; i < evidence->log_count; i++) {
        struct scrip_settle_record *record = &evidence->log[i];
        memcpy(record->timestamp, log->records[i], 8);
        record->value = scrip_get_le32(log->records[i] + 8);
        record->reference = scrip_get_le32(log->records[i] + 12);
    }
}

/* That there are records proves nothing without them. */
static void add_topup_count(const struct scrip_desfire_facts *facts, struct scrip_settle_evidence *evidence)
{
    evidence->has_log = facts->topup_count == 0;
    evidence->log_capacity = SCRIP_PURSE_LOG_RECORDS;
}

static void add_debits(const struct scrip_purse_log *log, struct scrip_settle_evidence *evidence)
{
    evidence->has_debits = log->whole;
    evidence->debit_count = log->whole ? log->count : 0;
    for (size_t i = 0; i < evidence->debit_count; i++) { /* the newest comes first from the card, last in evidence */
        memcpy(evidence->debits[i], log->records[evidence->debit_count - 1U - i], SCRIP_PURSE_RECORD);
    }
}

static void add_logs(const struct scrip_desfire_facts *facts, struct scrip_settle_evidence *evidence)
{
    if ((facts->has & SCRIP_FACT_TOPUPS) != 0) {
        add_topups(&facts->topups, evidence);
    } else if ((facts->has & SCRIP_FACT_TOPUP_COUNT) != 0) {
        add_topup_count(facts, evidence);
    }
    if ((facts->has & SCRIP_FACT_DEBITS) != 0) {
        add_debits(&facts->debits, evidence);
    }
}

void evidence_of_session(const struct ota *ota, struct scrip_settle_evidence *evidence)
{
    const struct scrip_desfire_facts *facts = &ota->tap.facts;
    memset(evidence, 0, sizeof *evidence);
    evidence->source = SCRIP_SOURCE_SESSION;
    evidence->session_issue_no = ota->session.issue_no;
    evidence->tmc_floor = ota->session.tmc_floor;
    evidence->has_tmc = (facts->has & SCRIP_FACT_TMAC) != 0;
    evidence->tmc = facts->tmc;
    evidence->has_balance = (facts->has & SCRIP_FACT_BALANCE) != 0;
    evidence->balance = facts->balance;
    memcpy(evidence->session, ota->digest, sizeof evidence->session);
    add_logs(facts, evidence);
}

/* The Transaction MAC key of a card is the one of its personalisation: the versions in the store are tried. */
static enum scrip_status check_tmv(struct ota *ota, const struct scrip_purse_topup *topup,
                                   struct scrip_settle_evidence *evidence)
{
    const struct scrip_desfire_facts *facts = &ota->tap.facts;
    struct scrip_key_info info;
    for (size_t i = 0; scrip_keys_info(ota->context->keys, i, &info) == SCRIP_OK; i++) {
        uint8_t key[16];
        if (info.role != SCRIP_KEY_TMAC) {
            continue;
        }
        SCRIP_TRY(ota_key(ota, SCRIP_PURSE_TMAC, info.version, key));
        evidence->tmv_ok = scrip_purse_topup_proved(&ota->tap, topup, key) == SCRIP_OK;
        if (evidence->tmv_ok && (facts->has & SCRIP_FACT_READER) != 0) {
            scrip_purse_previous_reader(key, ota->order.uid, facts->commit_tmc, facts->enc_tmri, evidence->prev_tmri);
            evidence->has_prev = true;
        }
        scrip_wipe(key, sizeof key);
        if (evidence->tmv_ok) {
            break;
        }
    }
    return SCRIP_OK;
}

static void add_balance_after(const struct scrip_desfire_facts *facts, const struct scrip_purse_topup *topup,
                              struct scrip_settle_evidence *evidence)
{
    if ((facts->has & SCRIP_FACT_BALANCE_AFTER) != 0) {
        evidence->has_balance = true;
        evidence->balance = facts->balance_after;
    } else if ((facts->has & SCRIP_FACT_BALANCE) != 0 && (facts->has & SCRIP_FACT_COMMITTED) != 0) {
        evidence->has_balance = true;
        evidence->balance = (int32_t)((int64_t)facts->balance + topup->amount);
    }
}

enum scrip_status evidence_of_batch(struct ota *ota, const struct scrip_purse_topup *topup, enum scrip_status taken,
                                    struct scrip_settle_evidence *evidence)
{
    const struct scrip_desfire_facts *facts = &ota->tap.facts;
    memset(evidence, 0, sizeof *evidence);
    evidence->source = SCRIP_SOURCE_BATCH;
    evidence->reference = topup->reference;
    evidence->session_issue_no = ota->session.issue_no;
    evidence->tmc_floor = ota->session.tmc_floor;
    evidence->refused = taken == SCRIP_E_CARD || taken == SCRIP_E_TORN || taken == SCRIP_E_NO_CARD;
    evidence->commit_ok = (facts->has & SCRIP_FACT_COMMITTED) != 0;
    evidence->has_tmc = (facts->has & SCRIP_FACT_COMMIT_TMV) != 0;
    evidence->tmc = facts->commit_tmc;
    memcpy(evidence->tmv, facts->commit_tmv, sizeof evidence->tmv);
    memcpy(evidence->session, ota->digest, sizeof evidence->session);
    if (evidence->has_tmc) {
        SCRIP_TRY(check_tmv(ota, topup, evidence));
    }
    if ((facts->has & SCRIP_FACT_DEBITS) != 0) {
        add_debits(&facts->debits, evidence);
    }
    add_balance_after(facts, topup, evidence);
    return SCRIP_OK;
}

static void count_settlement(struct counters *counters, const struct scrip_ledger_settlement *settlement)
{
    switch (settlement->event) {
    case SCRIP_EVENT_PROOF_COMMIT:
        counters->confirmed++;
        break;
    case SCRIP_EVENT_PROOF_NONE:
        counters->absent++;
        break;
    case SCRIP_EVENT_CHEATED:
    case SCRIP_EVENT_CONTRADICTION:
    case SCRIP_EVENT_ROLLBACK:
        counters->contradictions++;
        break;
    case SCRIP_EVENT_STALE:
        counters->stale++;
        break;
    default:
        counters->undecided++;
        break;
    }
}

static void log_settlement(struct scrip_server *server, const struct scrip_ledger_settlement *settlement)
{
    if (server_logs(server)) { /* to put the line together costs as much as a query */
        server_log(server, "settled",
                   json_pack("{ss ss sI ss ss* sb}", "order", settlement->order_id, "event",
                             scrip_settle_event_name(settlement->event), "reference", (json_int_t)settlement->reference,
                             "state", scrip_settle_state_name(settlement->state), "why", settlement->why, "held",
                             settlement->held));
    }
}

enum scrip_status ota_settle(struct ota *ota, const struct scrip_settle_evidence *evidence,
                             struct scrip_ledger_settlement *settlement)
{
    memset(settlement, 0, sizeof *settlement);
    const enum scrip_status status = scrip_ledger_settle(ota->context->ledger, ota->order.uid, evidence, settlement);
    if (status == SCRIP_OK || status == SCRIP_E_STALE || status == SCRIP_E_HELD) {
        count_settlement(&ota->context->server->counters, settlement);
        ota->context->response->made_durable |= SCRIP_DURABLE_EVIDENCE;
        ota->context->keep = status != SCRIP_E_STALE;
        log_settlement(ota->context->server, settlement);
    }
    return status;
}

bool ota_stopped(struct ota *ota, enum scrip_status status, const struct scrip_ledger_settlement *settlement)
{
    if (status == SCRIP_E_STALE) {
        (void)problem(ota->context, SCRIP_PROBLEM_SESSION_OVER, settlement->why);
        return true;
    }
    if (status == SCRIP_E_HELD || (status == SCRIP_OK && settlement->held)) {
        const bool rollback = settlement->event == SCRIP_EVENT_ROLLBACK;
        (void)problem(ota->context, rollback ? SCRIP_PROBLEM_ROLLBACK : SCRIP_PROBLEM_CARD_HELD, settlement->why);
        return true;
    }
    return false;
}
