/* Personalisation: from a factory-fresh card, or one whose personalisation was torn, to a purse. What is on the card is
 * found out first (personalise_look.c, personalise_card.c); nothing is written to one that is not ours to write to.
 *
 * The rule that makes it repeatable: key 0 of the application is changed last of all. An application that still opens
 * with the factory key is half made, holds nobody's value, and is deleted and begun anew; one that opens with our
 * master key is finished. The card's own master key becomes ours before the application exists: a half-made application
 * on a card with another master key was begun by somebody else, and is left alone. */
#include "personalise.h"
#include <string.h>

enum {
    SW_NO_MEMORY = 0x910E,
    OPTION_CARD = 0x00,
    OPTION_ATS = 0x02,
    RANDOM_ID = 0x02,
};

static const uint8_t big_frames[] = {0x06, 0x77, 0x77, 0x81, 0x02, 0x80}; /* 128-byte frames, else as the factory's */

struct scrip_desfire_key personalise_zero_key(enum scrip_cipher cipher)
{
    return (struct scrip_desfire_key){.cipher = (uint8_t)cipher};
}

struct scrip_desfire_term *personalise_term(struct scrip_purse_job *job)
{
    return &job_of(job)->tap.term;
}

enum scrip_status personalise_refuse(struct scrip_purse_job *job, enum scrip_purse_found found,
                                     enum scrip_status status)
{
    job->result.found = found;
    return job_end(job, SCRIP_OUTCOME_DECLINED, status);
}

enum scrip_status personalise_failed(struct scrip_purse_job *job, enum scrip_status status)
{
    job->result.failure = personalise_term(job)->failure;
    if (status == SCRIP_E_CARD && job->result.failure.sw == SW_NO_MEMORY) {
        return personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
    }
    return status;
}

struct scrip_desfire_key personalise_new_key(const struct scrip_purse_job *job, enum scrip_purse_role role)
{
    const struct scrip_purse_request *request = job->request;
    const uint8_t version =
        request->version_of != NULL ? request->version_of(request->keys.ctx, role) : request->new_key_version;
    return (struct scrip_desfire_key){.cipher = SCRIP_AES128, .version = version};
}

enum scrip_status personalise_take_all(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    while (scrip_desfire_term_waiting(personalise_term(job)) > 0) {
        const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, NULL);
        if (status != SCRIP_OK) {
            return personalise_failed(job, status);
        }
    }
    return SCRIP_OK;
}

enum scrip_status personalise_challenge(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = scrip_desfire_term_auth_challenge(personalise_term(job), replies);
    return status == SCRIP_OK ? SCRIP_OK : personalise_failed(job, status);
}

enum scrip_status personalise_answer(struct scrip_purse_job *job, struct scrip_batch *batch,
                                     const struct scrip_desfire_key *key)
{
    uint8_t rnda[16];
    SCRIP_TRY(job_random(job, rnda));
    return scrip_desfire_term_auth_answer(personalise_term(job), batch, key, rnda);
}

enum scrip_status personalise_proof(struct scrip_purse_job *job, const struct scrip_replies *replies,
                                    const struct scrip_desfire_key *key)
{
    const enum scrip_status status = scrip_desfire_term_auth_proof(personalise_term(job), replies, key);
    return status == SCRIP_OK ? SCRIP_OK : personalise_failed(job, status);
}

enum scrip_status personalise_key(struct scrip_purse_job *job, uint8_t no, struct scrip_desfire_key *key)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    *key = personalise_new_key(job, (enum scrip_purse_role)profile->key_roles[no]);
    return job_key(job, (enum scrip_purse_role)profile->key_roles[no], profile->key_diversified[no], key->bytes);
}

void personalise_begin_change(struct scrip_purse_job *job)
{
    job->result.begun = true;
}

/* ---- the application ---- */

static enum scrip_status ask_application(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    const struct scrip_desfire_profile *profile = job->request->profile;
    const uint8_t random_id = RANDOM_ID;
    personalise_begin_change(job);
    if (j->tap.purse.sm == SCRIP_DESFIRE_SM_EV2) {
        SCRIP_TRY(
            scrip_desfire_set_configuration(personalise_term(job), batch, OPTION_ATS, SCRIP_BYTES_OF(big_frames)));
    }
    if (profile->random_id) {
        SCRIP_TRY(
            scrip_desfire_set_configuration(personalise_term(job), batch, OPTION_CARD, scrip_bytes(&random_id, 1)));
    }
    return scrip_desfire_create_application(personalise_term(job), batch, &profile->application);
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
        SCRIP_TRY(scrip_desfire_select_application(personalise_term(job), batch, j->tap.purse.aid));
    }
    return scrip_desfire_term_auth_ask(personalise_term(job), batch, (enum scrip_desfire_sm)j->tap.purse.sm,
                                       SCRIP_AES128, phase_key(j), true);
}

static enum scrip_status take_phase(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    if (job_of(job)->phase == PHASE_FILES) {
        const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, NULL);
        if (status != SCRIP_OK) {
            return personalise_failed(job, status);
        }
    }
    return personalise_challenge(job, replies);
}

static enum scrip_status ask_zero_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_key zero = personalise_zero_key(SCRIP_AES128);
    job->result.role = SCRIP_PURSE_AMK;
    return personalise_answer(job, batch, &zero);
}

static enum scrip_status take_zero_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_key zero = personalise_zero_key(SCRIP_AES128);
    return personalise_proof(job, replies, &zero);
}

/* A file is made with its settings changeable by the master key; further rights, and who changes settings later, come
 * with ChangeFileSettings, which takes all of it at once. */
static enum scrip_status make_file(struct scrip_purse_job *job, struct scrip_batch *batch,
                                   const struct scrip_desfire_file *file, int32_t value)
{
    struct scrip_desfire_file first = *file;
    first.rights.change = 0;
    first.value = value;
    SCRIP_TRY(scrip_desfire_create_file(personalise_term(job), batch, &first));
    if (!file->may_have_more_rights) {
        return SCRIP_OK;
    }
    return scrip_desfire_change_file_settings(personalise_term(job), batch, file, false);
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
    if (header.card_number[0] == '\0') {
        scrip_purse_number_of_uid(job_of(job)->tap.facts.uid, header.card_number);
    }
    memcpy(header.issued, job->request->timestamp, sizeof header.issued);
    SCRIP_TRY(scrip_purse_header_put(&header, bytes));
    SCRIP_TRY(scrip_desfire_write_data(personalise_term(job), batch, &access, 0, SCRIP_BYTES_OF(bytes)));
    return purse->header_open ? SCRIP_OK : scrip_desfire_commit_transaction(personalise_term(job), batch, false);
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
    SCRIP_TRY(scrip_desfire_write_record(personalise_term(job), batch, &access, 0, SCRIP_BYTES_OF(record)));
    return scrip_desfire_commit_transaction(personalise_term(job), batch, false);
}

static enum scrip_status make_tmac(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key = personalise_new_key(job, SCRIP_PURSE_TMAC);
    struct scrip_desfire_file file = job->request->profile->tmac;
    SCRIP_TRY(job_key(job, SCRIP_PURSE_TMAC, true, key.bytes));
    file.rights.change = 0;
    const enum scrip_status status = scrip_desfire_create_tmac_file(personalise_term(job), batch, &file, &key);
    scrip_wipe(&key, sizeof key);
    SCRIP_TRY(status);
    return scrip_desfire_change_file_settings(personalise_term(job), batch, &job->request->profile->tmac, false);
}

static enum scrip_status make_keys(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    const struct scrip_desfire_key zero = personalise_zero_key(SCRIP_AES128);
    struct scrip_desfire_key key;
    if (job_of(job)->tap.purse.tmac_file != SCRIP_PURSE_NONE) {
        SCRIP_TRY(make_tmac(job, batch));
    }
    enum scrip_status status = SCRIP_OK;
    for (unsigned no = profile->key_count; no-- > 0 && status == SCRIP_OK;) {
        status = personalise_key(job, (uint8_t)no, &key);
        if (status == SCRIP_OK) {
            status = scrip_desfire_change_key(personalise_term(job), batch, (uint8_t)no, &key, no > 0 ? &zero : NULL);
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

static enum scrip_status take_work(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    SCRIP_TRY(personalise_take_all(job, replies));
    j->phase++;
    if (j->phase < PHASE_COUNT) {
        j->step = STEP_PHASE - 1; /* the same three steps under the next key */
    } else {
        job->result.has_balance = true;
        job->result.balance_before = 0;
        job->result.balance = job->request->amount;
        job->result.committed = true;
    }
    return SCRIP_OK;
}

const struct step steps_personalise[] = {
    [STEP_VERSION] = {personalise_ask_version, personalise_take_version},
    [STEP_PROBE] = {personalise_ask_probe, personalise_take_probe},
    [STEP_PROBE_ANSWER] = {personalise_ask_probe_answer, personalise_take_probe_answer},
    [STEP_OWNER] = {personalise_ask_owner, personalise_take_owner},
    [STEP_OWNER_ANSWER] = {personalise_ask_owner_answer, personalise_take_owner_answer},
    [STEP_KEY_SETTINGS] = {personalise_ask_key_settings, personalise_take_key_settings},
    [STEP_FILE_IDS] = {personalise_ask_file_ids, personalise_take_file_ids},
    [STEP_FILE] = {personalise_ask_file, personalise_take_file},
    [STEP_WHO] = {personalise_ask_who, personalise_take_uid},
    [STEP_KEY] = {personalise_ask_key, personalise_take_key},
    [STEP_KEY_ANSWER] = {personalise_ask_key_answer, personalise_take_key_answer},
    [STEP_PAY] = {personalise_ask_pay, personalise_take_pay},
    [STEP_PAY_ANSWER] = {personalise_ask_pay_answer, personalise_take_pay},
    [STEP_VALUE] = {personalise_ask_value, NULL},
    [STEP_HEADER] = {personalise_ask_header, personalise_take_header},
    [STEP_SETTINGS] = {personalise_ask_settings, personalise_take_settings},
    [STEP_CARD] = {personalise_ask_card, personalise_take_card},
    [STEP_CARD_ANSWER] = {personalise_ask_card_answer, personalise_take_card_answer},
    [STEP_UID] = {personalise_ask_uid, personalise_take_uid},
    [STEP_DELETE] = {personalise_ask_delete, personalise_take_delete},
    [STEP_MEMORY] = {personalise_ask_memory, personalise_take_memory},
    [STEP_LIST] = {personalise_ask_list, personalise_take_list},
    [STEP_FORMAT] = {personalise_ask_format, personalise_take_format},
    [STEP_CARD_KEY] = {personalise_ask_card_key, personalise_take_card_key},
    [STEP_CARD_AGAIN] = {personalise_ask_card_again, personalise_challenge},
    [STEP_CARD_AGAIN_ANSWER] = {personalise_ask_card_answer, personalise_take_card_proof},
    [STEP_APPLICATION] = {ask_application, personalise_take_all},
    [STEP_PHASE] = {ask_phase, take_phase},
    [STEP_PHASE_ANSWER] = {ask_zero_answer, take_zero_answer},
    [STEP_WORK] = {ask_work, take_work},
    [STEP_END] = {NULL, NULL},
};
