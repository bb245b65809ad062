/* Personalisation: from a factory-fresh card, or one whose personalisation was torn, to a purse.
 *
 * The rule that makes it repeatable: key 0 of the application is changed last of all. An application that still opens
 * with the factory key is half made, holds nobody's value, and is deleted and begun anew; one that does not is finished
 * (or somebody else's) and is left alone. The card's own master key is changed before the application exists, so its
 * type tells which of both it is. */
#include "job.h"
#include <string.h>

enum {
    SW_NO_APPLICATION = 0x91A0,
    SW_NOT_AUTHENTICATED = 0x91AE,
    PICC_KEY_AES = 0x80, /* key number byte of ChangeKey at card level: becomes an AES key */
    OPTION_CARD = 0x00,
    OPTION_ATS = 0x02,
    RANDOM_ID = 0x02,
    TYPE_AES = 2,
};

static const uint8_t no_aid[3];
static const uint8_t big_frames[] = {0x06, 0x77, 0x77, 0x81, 0x02, 0x80}; /* 128-byte frames, else as the factory's */

static struct scrip_desfire_key zero_key(enum scrip_cipher cipher)
{
    return (struct scrip_desfire_key){.cipher = (uint8_t)cipher};
}

static struct scrip_desfire_term *term_of(struct scrip_purse_job *job)
{
    return &job_of(job)->tap.term;
}

static enum scrip_status failed(struct scrip_purse_job *job, enum scrip_status status)
{
    job->result.failure = term_of(job)->failure;
    return status;
}

/* A key to be written: still without its bytes, but of the right version. */
static struct scrip_desfire_key new_key(const struct scrip_purse_job *job, enum scrip_purse_role role)
{
    const struct scrip_purse_request *request = job->request;
    const uint8_t version =
        request->version_of != NULL ? request->version_of(request->keys.ctx, role) : request->new_key_version;
    return (struct scrip_desfire_key){.cipher = SCRIP_AES128, .version = version};
}

/* All responses that are out must be plain successes. */
static enum scrip_status take_all(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    while (scrip_desfire_term_waiting(term_of(job)) > 0) {
        const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, NULL);
        if (status != SCRIP_OK) {
            return failed(job, status);
        }
    }
    return SCRIP_OK;
}

static enum scrip_status take_challenge(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = scrip_desfire_term_auth_challenge(term_of(job), replies);
    return status == SCRIP_OK ? SCRIP_OK : failed(job, status);
}

static enum scrip_status answer_with(struct scrip_purse_job *job, struct scrip_batch *batch,
                                     const struct scrip_desfire_key *key)
{
    uint8_t rnda[16];
    SCRIP_TRY(job_random(job, rnda));
    return scrip_desfire_term_auth_answer(term_of(job), batch, key, rnda);
}

static enum scrip_status take_proof_with(struct scrip_purse_job *job, const struct scrip_replies *replies,
                                         const struct scrip_desfire_key *key)
{
    const enum scrip_status status = scrip_desfire_term_auth_proof(term_of(job), replies, key);
    return status == SCRIP_OK ? SCRIP_OK : failed(job, status);
}

/* ---- what is there? ---- */

static enum scrip_status ask_probe(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_purse *purse = &job_of(job)->tap.purse;
    SCRIP_TRY(scrip_desfire_select_application(term_of(job), batch, purse->aid));
    return scrip_desfire_term_auth_ask(term_of(job), batch, (enum scrip_desfire_sm)purse->sm, SCRIP_AES128, 0, true);
}

static enum scrip_status take_probe(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, NULL);
    if (status == SCRIP_E_CARD && term_of(job)->failure.sw == SW_NO_APPLICATION) {
        scrip_desfire_term_start(term_of(job));
        return SCRIP_OK;
    }
    if (status != SCRIP_OK) {
        return failed(job, status);
    }
    job_of(job)->exists = true;
    return take_challenge(job, replies);
}

static enum scrip_status ask_probe_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
    return job_of(job)->exists ? answer_with(job, batch, &zero) : SCRIP_OK;
}

static enum scrip_status take_probe_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
    const enum scrip_status status = take_proof_with(job, replies, &zero);
    if (status == SCRIP_E_AUTH || (status == SCRIP_E_CARD && job->result.failure.sw == SW_NOT_AUTHENTICATED)) {
        return job_end(job, SCRIP_OUTCOME_DECLINED, SCRIP_E_EXISTS);
    }
    return status;
}

/* ---- the card's master key ---- */

static enum scrip_status ask_settings(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    SCRIP_TRY(scrip_desfire_select_application(term_of(job), batch, no_aid));
    return scrip_desfire_get_key_settings(term_of(job), batch);
}

static enum scrip_status take_settings(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint8_t memory[8];
    struct scrip_buf settings = SCRIP_BUF_OF(memory);
    enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, NULL);
    if (status != SCRIP_OK) {
        return failed(job, status);
    }
    status = scrip_desfire_term_take(term_of(job), replies, &settings);
    if (status == SCRIP_E_CARD) { /* not free to read: then somebody has set the card up */
        scrip_desfire_term_start(term_of(job));
        job_of(job)->picc_type = TYPE_AES;
        return SCRIP_OK;
    }
    if (status != SCRIP_OK || settings.len < 2) {
        return failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    job_of(job)->picc_type = memory[1] >> 6;
    return SCRIP_OK;
}

static enum scrip_status picc_key(struct scrip_purse_job *job, struct scrip_desfire_key *key)
{
    static const uint8_t ciphers[] = {SCRIP_DES, SCRIP_3K3DES, SCRIP_AES128, SCRIP_AES128};
    *key = zero_key((enum scrip_cipher)ciphers[job_of(job)->picc_type & 3U]);
    job->result.role = SCRIP_PURSE_PICC;
    return key->cipher == SCRIP_AES128 ? job_key(job, SCRIP_PURSE_PICC, false, key->bytes) : SCRIP_OK;
}

static enum scrip_status ask_card(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    return scrip_desfire_term_auth_ask(term_of(job), batch, SCRIP_DESFIRE_SM_EV1, (enum scrip_cipher)key.cipher, 0,
                                       true);
}

static enum scrip_status ask_card_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_status status = answer_with(job, batch, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

static enum scrip_status take_card_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_status status = take_proof_with(job, replies, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

static enum scrip_status ask_uid(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_get_card_uid(term_of(job), batch);
}

static enum scrip_status take_uid(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    struct scrip_buf uid = SCRIP_BUF_OF(facts->uid);
    const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, &uid);
    if (status != SCRIP_OK || uid.len != sizeof facts->uid) {
        return failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    facts->has |= SCRIP_FACT_UID;
    job->result.has_uid = true;
    memcpy(job->result.uid, facts->uid, sizeof facts->uid);
    return SCRIP_OK;
}

/* A factory key becomes ours; the session ends with it. */
static enum scrip_status ask_card_key(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key = new_key(job, SCRIP_PURSE_PICC);
    if (job_of(job)->picc_type == TYPE_AES) {
        return SCRIP_OK;
    }
    SCRIP_TRY(job_key(job, SCRIP_PURSE_PICC, false, key.bytes));
    const enum scrip_status status = scrip_desfire_change_key(term_of(job), batch, PICC_KEY_AES, &key, NULL);
    scrip_wipe(&key, sizeof key);
    return status;
}

static enum scrip_status take_card_key(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(take_all(job, replies));
    job_of(job)->picc_type = TYPE_AES;
    return SCRIP_OK;
}

/* With the messaging of the purse from here on. */
static enum scrip_status ask_card_again(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_term_auth_ask(term_of(job), batch, (enum scrip_desfire_sm)job_of(job)->tap.purse.sm,
                                       SCRIP_AES128, 0, true);
}

static enum scrip_status ask_application(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    const struct scrip_desfire_profile *profile = job->request->profile;
    const uint8_t random_id = RANDOM_ID;
    if (j->exists) {
        SCRIP_TRY(scrip_desfire_delete_application(term_of(job), batch, j->tap.purse.aid, NULL));
    }
    if (j->tap.purse.sm == SCRIP_DESFIRE_SM_EV2) {
        SCRIP_TRY(scrip_desfire_set_configuration(term_of(job), batch, OPTION_ATS, SCRIP_BYTES_OF(big_frames)));
    }
    if (profile->random_id) {
        SCRIP_TRY(scrip_desfire_set_configuration(term_of(job), batch, OPTION_CARD, scrip_bytes(&random_id, 1)));
    }
    return scrip_desfire_create_application(term_of(job), batch, &profile->application);
}

/* ---- inside the application, while all its keys are zero ----
 *
 * Phases, each under the key that may: files; header; opening records of both logs; Transaction MAC file and keys. The
 * Transaction MAC file comes after the first data, so that TMC is 0 when the card goes out, and no commit here needs a
 * reader id. The opening records make reading a log never fail for emptiness; their reference 0 names no issue. */

enum phase { PHASE_FILES, PHASE_HEADER, PHASE_LOG, PHASE_TOPUP_LOG, PHASE_KEYS, PHASE_COUNT };

static uint8_t phase_key(const struct job *j)
{
    const uint8_t keys[PHASE_COUNT] = {0, j->tap.purse.write_key, j->tap.purse.pay_key, j->tap.purse.topup_key, 0};
    return keys[j->phase];
}

static enum scrip_status ask_phase(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if (j->phase == PHASE_FILES) {
        SCRIP_TRY(scrip_desfire_select_application(term_of(job), batch, j->tap.purse.aid));
    }
    return scrip_desfire_term_auth_ask(term_of(job), batch, (enum scrip_desfire_sm)j->tap.purse.sm, SCRIP_AES128,
                                       phase_key(j), true);
}

static enum scrip_status take_phase(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    if (job_of(job)->phase == PHASE_FILES) {
        const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, NULL);
        if (status != SCRIP_OK) {
            return failed(job, status);
        }
    }
    return take_challenge(job, replies);
}

static enum scrip_status ask_zero_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
    job->result.role = SCRIP_PURSE_AMK;
    return answer_with(job, batch, &zero);
}

static enum scrip_status take_zero_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
    return take_proof_with(job, replies, &zero);
}

/* A file is made with its settings changeable by the master key; further rights, and who changes settings later, come
 * with ChangeFileSettings, which takes all of it at once. */
static enum scrip_status make_file(struct scrip_purse_job *job, struct scrip_batch *batch,
                                   const struct scrip_desfire_file *file, int32_t value)
{
    struct scrip_desfire_file first = *file;
    first.rights.change = 0;
    first.value = value;
    SCRIP_TRY(scrip_desfire_create_file(term_of(job), batch, &first));
    if (!file->may_have_more_rights) {
        return SCRIP_OK;
    }
    return scrip_desfire_change_file_settings(term_of(job), batch, file, false);
}

static enum scrip_status make_files(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    for (size_t i = 0; i < profile->file_count; i++) {
        SCRIP_TRY(make_file(job, batch, &profile->files[i], job->request->amount));
    }
    return SCRIP_OK;
}

static enum scrip_status make_header(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_purse *purse = &job_of(job)->tap.purse;
    struct scrip_purse_header header = *job->request->header;
    uint8_t bytes[SCRIP_PURSE_HEADER];
    const struct scrip_desfire_access access = {
        .no = purse->header_file,
        .comm = SCRIP_DESFIRE_FULL,
        .long_code = purse->long_codes,
    };
    header.profile = scrip_desfire_profile_id(job->request->profile);
    memcpy(header.issued, job->request->timestamp, sizeof header.issued);
    SCRIP_TRY(scrip_purse_header_put(&header, bytes));
    SCRIP_TRY(scrip_desfire_write_data(term_of(job), batch, &access, 0, SCRIP_BYTES_OF(bytes)));
    return purse->header_open ? SCRIP_OK : scrip_desfire_commit_transaction(term_of(job), batch, false);
}

static enum scrip_status open_log(struct scrip_purse_job *job, struct scrip_batch *batch, bool topups)
{
    const struct scrip_desfire_purse *purse = &job_of(job)->tap.purse;
    uint8_t record[SCRIP_PURSE_RECORD] = {0};
    const struct scrip_desfire_access access = {
        .no = topups ? purse->topup_file : purse->log_file,
        .comm = SCRIP_DESFIRE_FULL,
        .long_code = purse->long_codes,
    };
    memcpy(record + (topups ? 0 : 4), job->request->timestamp, sizeof job->request->timestamp);
    if (topups) {
        scrip_put_le32(record + 8, (uint32_t)job->request->amount);
    }
    SCRIP_TRY(scrip_desfire_write_record(term_of(job), batch, &access, 0, SCRIP_BYTES_OF(record)));
    return scrip_desfire_commit_transaction(term_of(job), batch, false);
}

static enum scrip_status application_key(struct scrip_purse_job *job, uint8_t no, struct scrip_desfire_key *key)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    *key = new_key(job, (enum scrip_purse_role)profile->key_roles[no]);
    return job_key(job, (enum scrip_purse_role)profile->key_roles[no], profile->key_diversified[no], key->bytes);
}

static enum scrip_status make_tmac(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key = new_key(job, SCRIP_PURSE_TMAC);
    struct scrip_desfire_file file = job->request->profile->tmac;
    SCRIP_TRY(job_key(job, SCRIP_PURSE_TMAC, true, key.bytes));
    file.rights.change = 0;
    const enum scrip_status status = scrip_desfire_create_tmac_file(term_of(job), batch, &file, &key);
    scrip_wipe(&key, sizeof key);
    SCRIP_TRY(status);
    return scrip_desfire_change_file_settings(term_of(job), batch, &job->request->profile->tmac, false);
}

static enum scrip_status make_keys(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
    struct scrip_desfire_key key;
    if (job_of(job)->tap.purse.tmac_file != SCRIP_PURSE_NONE) {
        SCRIP_TRY(make_tmac(job, batch));
    }
    enum scrip_status status = SCRIP_OK;
    for (unsigned no = profile->key_count; no-- > 0 && status == SCRIP_OK;) {
        status = application_key(job, (uint8_t)no, &key);
        if (status == SCRIP_OK) {
            status = scrip_desfire_change_key(term_of(job), batch, (uint8_t)no, &key, no > 0 ? &zero : NULL);
        }
        scrip_wipe(&key, sizeof key);
    }
    return status;
}

static enum scrip_status ask_work(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    switch (job_of(job)->phase) {
    case PHASE_FILES:
        return make_files(job, batch);
    case PHASE_HEADER:
        return make_header(job, batch);
    case PHASE_LOG:
    case PHASE_TOPUP_LOG:
        return open_log(job, batch, job_of(job)->phase == PHASE_TOPUP_LOG);
    default:
        return make_keys(job, batch);
    }
}

#define STEPS_PER_PHASE 3U

static enum scrip_status take_work(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    SCRIP_TRY(take_all(job, replies));
    j->phase++;
    if (j->phase < PHASE_COUNT) {
        j->step = (uint8_t)(j->step - STEPS_PER_PHASE); /* the same three steps under the next key */
    } else {
        job->result.has_balance = true;
        job->result.balance_before = 0;
        job->result.balance = job->request->amount;
        job->result.committed = true;
    }
    return SCRIP_OK;
}

const struct step steps_personalise[] = {
    {ask_probe, take_probe},
    {ask_probe_answer, take_probe_answer},
    {ask_settings, take_settings},
    {ask_card, take_challenge},
    {ask_card_answer, take_card_answer},
    {ask_uid, take_uid},
    {ask_card_key, take_card_key},
    {ask_card_again, take_challenge},
    {ask_card_answer, take_card_answer},
    {ask_application, take_all},
    {ask_phase, take_phase},
    {ask_zero_answer, take_zero_answer},
    {ask_work, take_work},
    {NULL, NULL},
};
