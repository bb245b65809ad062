/* The DESFire adapter: the runner of steps, and how a card is opened. */
#include "job.h"
#include "outcome.h"
#include <scrip/desfire.h>
#include <string.h>

enum { SW_NOT_AUTHENTICATED = 0x91AE };

_Static_assert(sizeof(struct job) <= SCRIP_PURSE_JOB_STATE, "a job must fit its place");

enum scrip_status job_end(struct scrip_purse_job *job, enum scrip_outcome outcome, enum scrip_status status)
{
    job_of(job)->done = true;
    job->result.outcome = outcome;
    job->result.status = status;
    return status;
}

enum scrip_status job_take(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    const enum scrip_status status = scrip_desfire_tap_take(&j->tap, replies, j->key);
    const struct scrip_desfire_facts *facts = &j->tap.facts;
    if ((facts->has & SCRIP_FACT_UID) != 0) {
        job->result.has_uid = true;
        memcpy(job->result.uid, facts->uid, sizeof facts->uid);
    }
    if ((facts->has & SCRIP_FACT_BALANCE) != 0) {
        job->result.has_balance = true;
        job->result.balance_before = facts->balance;
        job->result.balance = facts->balance;
    }
    job->result.failure = j->tap.term.failure;
    return status;
}

enum scrip_status job_random(struct scrip_purse_job *job, uint8_t out[16])
{
    return job->request->random.fill(job->request->random.ctx, out, 16);
}

enum scrip_status job_key(struct scrip_purse_job *job, enum scrip_purse_role role, bool diversified, uint8_t out[16])
{
    const struct job *j = job_of(job);
    const struct scrip_purse_request *request = job->request;
    uint8_t memory[SCRIP_PURSE_DIVERSIFY_MAX];
    const enum scrip_purse_role scheme = diversified ? SCRIP_PURSE_PAY : SCRIP_PURSE_AMK; /* one M for all */
    const struct scrip_bytes m = scrip_purse_diversify_input(scheme, j->tap.facts.uid, j->tap.purse.aid, memory);
    job->result.role = role;
    if ((j->asked >> role & 1U) != 0) {
        return request->get_version(request->keys.ctx, role, j->versions[role], m, out);
    }
    return request->keys.get(request->keys.ctx, role, m, out);
}

static bool role_is_diversified(enum scrip_purse_role role)
{
    return role != SCRIP_PURSE_AMK && role != SCRIP_PURSE_PICC && role != SCRIP_PURSE_ID;
}

/* ---- opening ---- */

static void meet_card(struct scrip_purse_job *job)
{
    struct job *j = job_of(job);
    const struct scrip_purse_request *request = job->request;
    scrip_desfire_tap_start(&j->tap, &request->profile->purse, request->card.uid_len == 7 ? request->card.uid : NULL);
    j->by_id = false;
}

/* Does it look as if the card had another version of the key? It did not accept ours, and was not asked yet. */
static bool may_have_other_version(const struct scrip_purse_job *job, const struct job *j, enum scrip_status status)
{
    const struct scrip_desfire_failure *failure = &job->result.failure;
    return status == SCRIP_E_CARD && failure->cmd == SCRIP_DESFIRE_AF && failure->sw == SW_NOT_AUTHENTICATED &&
           job->request->get_version != NULL && (j->asked >> job->result.role & 1U) == 0;
}

enum scrip_status job_take_proof(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    const enum scrip_status status = job_take(job, replies);
    if (!may_have_other_version(job, j, status)) {
        return status;
    }
    scrip_desfire_term_start(&j->tap.term);
    j->ask_version = true;
    j->again = true;
    return SCRIP_OK;
}

/* In the clear: a liar gains nothing by it that he would not have without, the key must fit all the same. The
 * application is still selected. */
enum scrip_status job_ask_version(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    uint8_t no;
    if (!j->ask_version) {
        return SCRIP_OK;
    }
    SCRIP_TRY(tap_key_number(&j->tap.purse, job->result.role, &no));
    return scrip_desfire_get_key_version(&j->tap.term, batch, no, NULL);
}

/* The key of the version that the card says it has, if it is there and another one than was refused. */
static bool has_other_key(struct scrip_purse_job *job, uint8_t version)
{
    struct job *j = job_of(job);
    const enum scrip_purse_role role = job->result.role;
    uint8_t key[16];
    j->asked |= (uint8_t)(1U << role);
    j->versions[role] = version;
    const bool found =
        job_key(job, role, role_is_diversified(role), key) == SCRIP_OK && !scrip_equal_ct(key, j->key, sizeof key);
    scrip_wipe(key, sizeof key);
    return found;
}

enum scrip_status job_take_version(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    uint8_t version = 0;
    struct scrip_buf out = scrip_buf(&version, 1);
    const struct scrip_desfire_failure refused = job->result.failure;
    const enum scrip_status status = scrip_desfire_term_take(&j->tap.term, replies, &out);
    j->ask_version = false;
    if (status == SCRIP_E_TORN || status == SCRIP_E_NO_CARD) {
        job->result.failure = j->tap.term.failure;
        return status;
    }
    job->result.has_key_version = status == SCRIP_OK && out.len == 1;
    job->result.key_version = version;
    if (!job->result.has_key_version || !has_other_key(job, version)) {
        return refused.status;
    }
    job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK};
    meet_card(job);
    return SCRIP_OK;
}

enum scrip_status job_meet(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if ((j->tap.facts.has & SCRIP_FACT_UID) != 0) {
        return SCRIP_OK;
    }
    j->by_id = true;
    job->result.role = SCRIP_PURSE_ID;
    return scrip_desfire_tap_preamble(&j->tap, batch, SCRIP_PURSE_ID);
}

static enum scrip_status answer_as(struct scrip_purse_job *job, struct scrip_batch *batch, enum scrip_purse_role role)
{
    struct job *j = job_of(job);
    uint8_t rnda[16];
    SCRIP_TRY(job_key(job, role, role_is_diversified(role), j->key));
    SCRIP_TRY(job_random(job, rnda));
    return scrip_desfire_tap_answer(&j->tap, batch, j->key, rnda);
}

enum scrip_status job_meet_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return job_of(job)->by_id ? answer_as(job, batch, SCRIP_PURSE_ID) : SCRIP_OK;
}

enum scrip_status job_open(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    const enum scrip_purse_role role = (enum scrip_purse_role)j->role;
    job->result.role = role;
    return j->by_id ? scrip_desfire_tap_who(&j->tap, batch, role) : scrip_desfire_tap_preamble(&j->tap, batch, role);
}

enum scrip_status job_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return answer_as(job, batch, (enum scrip_purse_role)job_of(job)->role);
}

/* ---- running ---- */

static enum scrip_status fail(struct scrip_purse_job *job, enum scrip_status status)
{
    struct job *j = job_of(job);
    if (!j->done) { /* else a step has said how it ended */
        (void)job_end(job, purse_outcome_of(status), status);
    }
    scrip_desfire_term_wipe(&j->tap.term);
    return status;
}

static enum scrip_status next(struct scrip_flow *flow, struct scrip_batch *batch)
{
    struct scrip_purse_job *job = (struct scrip_purse_job *)(void *)flow;
    struct job *j = job_of(job);
    if (j->continuing) {
        j->continuing = false;
        return scrip_desfire_tap_continue(&j->tap, batch);
    }
    while (!j->done && j->steps[j->step].ask != NULL) {
        const enum scrip_status status = j->steps[j->step].ask(job, batch);
        if (status != SCRIP_OK) {
            return fail(job, status);
        }
        if (batch->count > 0) {
            return SCRIP_OK;
        }
        j->step++;
    }
    if (!j->done) {
        (void)job_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
    }
    batch->count = 0; /* a step may have found the answer while it was asking */
    batch->len = 0;
    return SCRIP_OK;
}

static enum scrip_status take(struct scrip_flow *flow, const struct scrip_replies *replies)
{
    struct scrip_purse_job *job = (struct scrip_purse_job *)(void *)flow;
    struct job *j = job_of(job);
    const struct step *step = &j->steps[j->step];
    const enum scrip_status status = step->take != NULL ? step->take(job, replies) : job_take(job, replies);
    if (status == SCRIP_E_WAIT) {
        j->continuing = true;
        return SCRIP_OK;
    }
    if (status != SCRIP_OK) {
        return fail(job, status);
    }
    j->step = j->again ? 0 : (uint8_t)(j->step + 1);
    j->again = false;
    return SCRIP_OK;
}

static bool identify(const struct scrip_card_info *card)
{
    /* Anything that activates as ISO 14443-4 may be one; SelectApplication decides. TL T0 .. with historical byte 80 is
     * the factory ATS; issuers may change it. A reader that shows no ATS is given the benefit of the doubt. */
    static const uint8_t storage[] = {0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C}; /* ATR of cards that know no APDUs */
    const bool is_storage = card->ats_len > sizeof storage && memcmp(card->ats, storage, sizeof storage) == 0;
    return card->ats_len != 1 && !is_storage;
}

static enum scrip_status begin(struct scrip_purse_job *job)
{
    static const struct {
        const struct step *steps;
        uint8_t role;
    } rows[] = {
        [SCRIP_PURSE_BALANCE] = {steps_balance, SCRIP_PURSE_PAY},
        [SCRIP_PURSE_DEBIT] = {steps_spend, SCRIP_PURSE_PAY},
        [SCRIP_PURSE_CREDIT] = {steps_spend, SCRIP_PURSE_TOPUP},
        [SCRIP_PURSE_HISTORY] = {steps_history, SCRIP_PURSE_PAY},
        [SCRIP_PURSE_RECOVER] = {steps_recover, SCRIP_PURSE_PAY},
        [SCRIP_PURSE_PERSONALISE] = {steps_personalise, SCRIP_PURSE_AMK},
    };
    struct job *j = job_of(job);
    const struct scrip_purse_request *request = job->request;
    const bool moves = job->operation == SCRIP_PURSE_DEBIT || job->operation == SCRIP_PURSE_CREDIT;
    const bool journals = moves || job->operation == SCRIP_PURSE_RECOVER;
    if (request->profile == NULL || request->keys.get == NULL || request->random.fill == NULL ||
        (journals && request->journal == NULL) || (moves && request->amount <= 0) ||
        (job->operation == SCRIP_PURSE_PERSONALISE && (request->header == NULL || request->amount < 0))) {
        return SCRIP_E_ARGUMENT;
    }
    j->steps = rows[job->operation].steps;
    j->role = rows[job->operation].role;
    meet_card(job);
    job->flow.next = next;
    job->flow.take = take;
    return SCRIP_OK;
}

const struct scrip_purse_family scrip_purse_desfire = {
    .name = "desfire",
    .about = "MIFARE DESFire EV1, EV2, EV3: a value file with logs, AN12113",
    .can = (1U << (SCRIP_PURSE_PERSONALISE + 1U)) - 1U,
    .identify = identify,
    .begin = begin,
};
