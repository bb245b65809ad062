/* rooms: settle */
/* Evidence of any content, and what may never follow from it. The bytes fill the two structs field by field. */
#include "input.h"
#include <scrip/settle.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t take(struct scrip_bytes *bytes, size_t len)
{
    struct scrip_bytes head;
    uint32_t number = 0;
    if (scrip_bytes_take(bytes, len, &head) == SCRIP_OK) {
        for (size_t i = 0; i < len; i++) {
            number = number << 8 | head.at[i];
        }
    }
    return number;
}

static bool flag(uint32_t flags, unsigned bit)
{
    return (flags >> bit & 1U) != 0;
}

/* References are small numbers, so that records, issues and readers meet. */
static uint32_t reference(struct scrip_bytes *bytes)
{
    const uint32_t byte = take(bytes, 1);
    return (byte & 0x0F) | ((byte & 0x80) != 0 ? SCRIP_SETTLE_MARK : 0);
}

static void fill_issue(struct scrip_bytes *bytes, struct scrip_settle_issue *issue)
{
    const uint32_t flags = take(bytes, 1);
    issue->reference = reference(bytes) & ~SCRIP_SETTLE_MARK;
    issue->card_issue_no = reference(bytes) & ~SCRIP_SETTLE_MARK;
    issue->last_committed = reference(bytes) & ~SCRIP_SETTLE_MARK;
    issue->amount = take(bytes, 1);
    issue->tmac = flag(flags, 0);
    issue->marked = flag(flags, 1);
    issue->unlogged = flag(flags, 2);
    issue->tmc_issued = take(bytes, 1);
    issue->tmc_highest = take(bytes, 1);
}

static void fill_evidence(struct scrip_bytes *bytes, struct scrip_settle_evidence *evidence)
{
    const uint32_t flags = take(bytes, 2);
    evidence->source = (enum scrip_settle_source)(take(bytes, 1) & 3);
    evidence->reference = reference(bytes);
    evidence->session_issue_no = reference(bytes);
    evidence->tmc_floor = take(bytes, 1);
    evidence->refused = flag(flags, 0);
    evidence->commit_ok = flag(flags, 1);
    evidence->has_tmc = flag(flags, 2);
    evidence->tmv_ok = flag(flags, 3);
    evidence->has_log = flag(flags, 4);
    evidence->has_prev = flag(flags, 5);
    evidence->tmc = take(bytes, 1);
    evidence->explained = take(bytes, 1);
    evidence->log_capacity = (uint8_t)take(bytes, 1);
    evidence->log_count = (uint8_t)take(bytes, 1); /* may be more than fits: the judge must not believe it */
    scrip_put_le32(evidence->prev_tmri + 4, reference(bytes));
    for (unsigned i = 0; i < SCRIP_SETTLE_LOG_MAX; i++) {
        evidence->log[i].reference = reference(bytes);
        evidence->log[i].value = take(bytes, 1);
    }
}

static unsigned records_of(const struct scrip_settle_evidence *evidence, uint32_t wanted)
{
    unsigned found = 0;
    for (unsigned i = 0; i < evidence->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        found += (evidence->log[i].reference & ~SCRIP_SETTLE_MARK) == wanted;
    }
    return found;
}

static void check_judgement(const struct scrip_settle_issue *issue, const struct scrip_settle_evidence *evidence,
                            struct scrip_settle_judgement judgement)
{
    const bool commit = judgement.event == SCRIP_EVENT_PROOF_COMMIT;
    const bool none = judgement.event == SCRIP_EVENT_PROOF_NONE;
    must(judgement.why != NULL && strlen(judgement.why) > 0);
    switch (evidence->source) {
    case SCRIP_SOURCE_BATCH:
        must(!none && judgement.event != SCRIP_EVENT_CHEATED);
        must(!commit || (evidence->commit_ok && evidence->reference == issue->reference));
        must(!commit || !issue->tmac || (evidence->tmv_ok && evidence->tmc > issue->tmc_issued));
        break;
    case SCRIP_SOURCE_SESSION:
        must((!commit && !none) || evidence->session_issue_no == issue->card_issue_no);
        must((!commit && !none) || !issue->tmac || (evidence->has_tmc && evidence->tmc >= issue->tmc_highest));
        must(!none || records_of(evidence, issue->reference) == 0);
        must(!commit || records_of(evidence, issue->reference) == 1 || evidence->has_prev);
        break;
    case SCRIP_SOURCE_TERMINAL:
        must(!none && (!commit || (evidence->tmv_ok && evidence->has_prev)));
        break;
    default:
        must(judgement.event == SCRIP_EVENT_UNDECIDED);
    }
}

/* Any walk through the table keeps the money where the state says. */
static void check_walk(struct scrip_bytes bytes)
{
    int accounts[SCRIP_ACCOUNT_COUNT] = {0};
    enum scrip_settle_state state = SCRIP_STATE_CREATED;
    const enum scrip_settle_kind kind = (enum scrip_settle_kind)(take(&bytes, 1) % SCRIP_KIND_COUNT);
    while (bytes.len > 0) {
        const enum scrip_settle_event event = (enum scrip_settle_event)(take(&bytes, 1) % SCRIP_EVENT_COUNT);
        const struct scrip_settle_step step = scrip_settle_next(kind, state, event);
        const enum scrip_booking booking = (enum scrip_booking)step.booking;
        accounts[scrip_booking_from(booking)] -= 1;
        accounts[scrip_booking_to(booking)] += 1;
        state = (enum scrip_settle_state)step.next;
        for (int i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
            must(accounts[i] == scrip_settle_position(state, (enum scrip_account)i));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scrip_bytes bytes = scrip_bytes(data, size);
    struct scrip_settle_issue issue = {0};
    struct scrip_settle_evidence evidence = {0};
    fill_issue(&bytes, &issue);
    fill_evidence(&bytes, &evidence);
    check_judgement(&issue, &evidence, scrip_settle_judge(&issue, &evidence));
    must(scrip_settle_judge_card(&issue, &evidence).event != SCRIP_EVENT_PROOF_COMMIT);
    check_walk(scrip_bytes(data, size));
    return 0;
}
