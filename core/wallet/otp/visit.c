/* The visit at a one-time wallet card: which key opens, what is left. See visit.h, and sector.h for the rest. */
#include "visit.h"
#include <string.h>

_Static_assert(sizeof(struct otp_visit) <= SCRIP_PURSE_JOB_STATE, "a visit must fit its place");

/* ---- opening ---- */

enum scrip_status otp_key(struct scrip_purse_job *job, bool key_b, uint8_t key[6])
{
    const struct otp_visit *visit = otp_visit_of(job);
    const struct scrip_storage_key *own = key_b ? &visit->purse.key_b : &visit->purse.key_a;
    job->result.role = (enum scrip_purse_role)own->role;
    return scrip_storage_key_get(&visit->purse, own, &job->request->keys,
                                 scrip_bytes(visit->sector.uid, visit->sector.uid_len), key);
}

enum scrip_status otp_ask_open(struct scrip_purse_job *job, struct scrip_batch *batch, bool key_b)
{
    const struct otp_visit *visit = otp_visit_of(job);
    uint8_t key[6];
    memset(key, 0xFF, sizeof key); /* the default password */
    if (!visit->factory) {
        SCRIP_TRY(otp_key(job, key_b, key));
    }
    const enum scrip_status status = scrip_storage_open(batch, visit->purse.main_block, key_b, key);
    scrip_wipe(key, sizeof key);
    SCRIP_TRY(status);
    return scrip_storage_read(batch, visit->purse.main_block);
}

enum scrip_status otp_take_balance(struct scrip_purse_job *job, const struct scrip_replies *replies, size_t i)
{
    struct otp_visit *visit = otp_visit_of(job);
    uint8_t block[16];
    uint8_t address = 0;
    int32_t value = 0;
    SCRIP_TRY(sector_reply_block(job, replies, i, block));
    visit->has_value = scrip_classic_value_get(block, &value, &address) == SCRIP_OK && value >= 0;
    visit->value = visit->has_value ? value : 0;
    return SCRIP_OK;
}

static enum scrip_status ask_open(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return otp_ask_open(job, batch, false);
}

/* A new card has the default password, one that is in use the purse's own. The other one is tried to tell which of the
 * two a card is that refuses. */
static enum scrip_status refused(struct scrip_purse_job *job, uint16_t sw)
{
    struct otp_visit *visit = otp_visit_of(job);
    if (!visit->factory) { /* what is told is what was refused to our own key */
        (void)sector_note(job, SECTOR_INS_AUTHENTICATE, SCRIP_E_AUTH, sw);
    }
    visit->refusals++;
    if (visit->refusals == OTP_TRIES) {
        visit->factory = !visit->factory;
    }
    return visit->refusals < OTP_REFUSALS ? SCRIP_OK : SCRIP_E_AUTH;
}

static enum scrip_status opened(struct scrip_purse_job *job)
{
    const struct otp_visit *visit = otp_visit_of(job);
    if (job->operation == SCRIP_PURSE_PERSONALISE) {
        return otp_make_opened(job);
    }
    if (visit->factory) {
        job->result.blank = true;
        return SCRIP_E_NOT_FOUND;
    }
    if (!visit->has_value) {
        return SCRIP_E_CORRUPT;
    }
    job->result.has_balance = true;
    job->result.balance_before = visit->value;
    job->result.balance = visit->value;
    return otp_spend(job);
}

static enum scrip_status take_open(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint16_t sw = 0;
    const enum scrip_status status = sector_take_open(job, replies, &sw);
    if (status == SCRIP_E_CARD) {
        return refused(job, sw);
    }
    SCRIP_TRY(status);
    SCRIP_TRY(otp_take_balance(job, replies, OTP_REPLY_BALANCE));
    return opened(job);
}

/* ---- running ---- */

static const struct sector_stage stages[] = {
    [SECTOR_MEET] = {sector_ask_uid, sector_take_uid},
    [OTP_PROBE] = {otp_ask_probe, otp_take_probe},
    [OTP_OPEN] = {ask_open, take_open},
    [OTP_DEBIT] = {otp_ask_debit, otp_take_debit},
    [OTP_CHECK] = {otp_ask_check, otp_take_check},
    [OTP_FACE] = {otp_ask_face, otp_take_face},
    [OTP_PASSWORD] = {otp_ask_password, otp_take_password},
    [OTP_PROVE] = {otp_ask_prove, otp_take_prove},
};

static enum scrip_status begin(struct scrip_purse_job *job)
{
    const struct scrip_purse_request *request = job->request;
    const struct scrip_storage_purse *purse = request->storage;
    struct otp_visit *visit = otp_visit_of(job);
    const bool debit = job->operation == SCRIP_PURSE_DEBIT;
    const bool journals = debit || job->operation == SCRIP_PURSE_RECOVER;
    if (purse == NULL || purse->kind != SCRIP_STORAGE_OTP || purse->main_block != SCRIP_OTP_FACE_BLOCK ||
        scrip_storage_purse_check(purse) != SCRIP_OK || request->keys.get == NULL ||
        (journals && request->journal == NULL) || (debit && request->amount <= 0)) {
        return SCRIP_E_ARGUMENT;
    }
    visit->purse = *purse;
    const bool makes = job->operation == SCRIP_PURSE_PERSONALISE;
    sector_begin(job, stages, makes ? OTP_PROBE : OTP_OPEN);
    return makes ? otp_make_begin(job) : SCRIP_OK;
}

const struct scrip_purse_family scrip_purse_otp = {
    .name = "otp",
    .about = "OTP memory: the one-time wallet, which can only be spent; no credit, no history",
    .can =
        1U << SCRIP_PURSE_BALANCE | 1U << SCRIP_PURSE_DEBIT | 1U << SCRIP_PURSE_RECOVER | 1U << SCRIP_PURSE_PERSONALISE,
    .identify = scrip_storage_is_classic,
    .begin = begin,
    .why_not =
        "a one-time wallet can only be spent: its memory takes no value back, keeps no history, and its keys are "
        "written once",
};
