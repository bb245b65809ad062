/* What is on a card that is to get a purse: the product, the application, whose it is, how it is laid out, which keys
 * it has. Nothing is changed here. Only two kinds of card go on to be written to: one without the application, and one
 * whose application opens with the factory key and looks like a part of ours. */
#include "personalise.h"
#include <scrip/desfire.h>
#include <string.h>

enum {
    SW_NO_APPLICATION = 0x91A0,
    HARDWARE_DESFIRE = 0x01, /* low half of the hardware type in GetVersion */
    MAJOR_EV1 = 0x01,        /* the first with AES */
    MAJOR_EV2 = 0x12,        /* the first with EV2 messaging and Transaction MAC */
    KS2_COMPARED = 0xCF,     /* type and number of keys; cards differ in what they tell of the rest */
};

static bool there(const struct scrip_purse_job *job)
{
    return job->result.found == SCRIP_FOUND_HALF || job->result.found == SCRIP_FOUND_PURSE;
}

static bool finished(const struct scrip_purse_job *job)
{
    return job->result.found == SCRIP_FOUND_PURSE;
}

/* Did the card refuse a key, or fail to prove that it has it? */
static bool is_refusal(enum scrip_status status)
{
    return status == SCRIP_E_CARD || status == SCRIP_E_AUTH;
}

/* ---- the product ---- */

/* A store that lacks a key is noticed before the card is asked for anything. */
static enum scrip_status check_keys(struct scrip_purse_job *job)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    const bool has_tmac = job_of(job)->tap.purse.tmac_file != SCRIP_PURSE_NONE;
    struct scrip_desfire_key key;
    enum scrip_status status = job_key(job, SCRIP_PURSE_PICC, false, key.bytes);
    if (status == SCRIP_OK && has_tmac) {
        status = job_key(job, SCRIP_PURSE_TMAC, true, key.bytes);
    }
    for (uint8_t no = 0; no < profile->key_count && status == SCRIP_OK; no++) {
        status = personalise_key(job, no, &key);
    }
    scrip_wipe(&key, sizeof key);
    return status;
}

enum scrip_status personalise_ask_version(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    SCRIP_TRY(check_keys(job));
    return scrip_desfire_get_version(personalise_term(job), batch);
}

enum scrip_status personalise_take_version(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint8_t memory[96];
    struct scrip_buf out = SCRIP_BUF_OF(memory);
    struct scrip_desfire_version version;
    const uint8_t major = job_of(job)->tap.purse.sm == SCRIP_DESFIRE_SM_EV2 ? MAJOR_EV2 : MAJOR_EV1;
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &out);
    if (status == SCRIP_E_WAIT) {
        return status;
    }
    if (status == SCRIP_E_TORN || status == SCRIP_E_NO_CARD) {
        return personalise_failed(job, status);
    }
    if (status != SCRIP_OK || scrip_desfire_version_parse(scrip_buf_bytes(&out), &version) != SCRIP_OK) {
        job->result.failure = personalise_term(job)->failure;
        return personalise_refuse(job, SCRIP_FOUND_NO_DESFIRE, SCRIP_E_UNSUPPORTED);
    }
    job->result.product = scrip_desfire_version_product(&version);
    if ((version.hw_type & 0x0FU) != HARDWARE_DESFIRE) {
        return personalise_refuse(job, SCRIP_FOUND_NO_DESFIRE, SCRIP_E_UNSUPPORTED);
    }
    if (version.hw_major < major) {
        return personalise_refuse(job, SCRIP_FOUND_OLD_CARD, SCRIP_E_UNSUPPORTED);
    }
    /* cards have up to a quarter more than they name */
    job->result.memory_free = version.storage_max / 4 * 5;
    job->result.memory_needed = personalise_memory(job->request->profile);
    return job->result.memory_free < job->result.memory_needed
               ? personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT)
               : SCRIP_OK;
}

/* ---- the application, and whose it is ---- */

static enum scrip_status ask_master_key(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_term_auth_ask(personalise_term(job), batch, (enum scrip_desfire_sm)job_of(job)->tap.purse.sm,
                                       SCRIP_AES128, 0, true);
}

enum scrip_status personalise_ask_probe(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    SCRIP_TRY(scrip_desfire_select_application(personalise_term(job), batch, job_of(job)->tap.purse.aid));
    return ask_master_key(job, batch);
}

enum scrip_status personalise_take_probe(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, NULL);
    if (status == SCRIP_E_CARD && personalise_term(job)->failure.sw == SW_NO_APPLICATION) {
        scrip_desfire_term_start(personalise_term(job));
        return SCRIP_OK;
    }
    if (status != SCRIP_OK) {
        return personalise_failed(job, status);
    }
    job_of(job)->exists = true;
    const enum scrip_status challenge = personalise_challenge(job, replies);
    /* the keys are of another type */
    return challenge == SCRIP_E_CARD ? personalise_refuse(job, SCRIP_FOUND_FOREIGN, SCRIP_E_EXISTS) : challenge;
}

enum scrip_status personalise_ask_probe_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_key zero = personalise_zero_key(SCRIP_AES128);
    return job_of(job)->exists ? personalise_answer(job, batch, &zero) : SCRIP_OK;
}

enum scrip_status personalise_take_probe_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_key zero = personalise_zero_key(SCRIP_AES128);
    const enum scrip_status status = personalise_proof(job, replies, &zero);
    if (status == SCRIP_OK) {
        job->result.found = SCRIP_FOUND_HALF;
    } else if (is_refusal(status)) {
        scrip_desfire_term_start(personalise_term(job)); /* the application stays selected */
        return SCRIP_OK;
    }
    return status;
}

enum scrip_status personalise_ask_owner(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return job_of(job)->exists && !there(job) ? ask_master_key(job, batch) : SCRIP_OK;
}

enum scrip_status personalise_take_owner(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    return personalise_challenge(job, replies);
}

enum scrip_status personalise_ask_owner_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key;
    if (!job_of(job)->exists || there(job)) {
        return SCRIP_OK;
    }
    SCRIP_TRY(personalise_key(job, 0, &key));
    const enum scrip_status status = personalise_answer(job, batch, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

enum scrip_status personalise_take_owner_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(personalise_key(job, 0, &key));
    const enum scrip_status status = personalise_proof(job, replies, &key);
    scrip_wipe(&key, sizeof key);
    if (is_refusal(status)) {
        return personalise_refuse(job, SCRIP_FOUND_FOREIGN, SCRIP_E_EXISTS);
    }
    if (status == SCRIP_OK) {
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK}; /* of the factory key */
        job->result.found = SCRIP_FOUND_PURSE;
    }
    return status;
}

/* ---- how it is laid out ---- */

static enum scrip_status other_layout(struct scrip_purse_job *job)
{
    return personalise_refuse(job, finished(job) ? SCRIP_FOUND_OTHER_PROFILE : SCRIP_FOUND_FOREIGN, SCRIP_E_EXISTS);
}

enum scrip_status personalise_ask_key_settings(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return there(job) ? scrip_desfire_get_key_settings(personalise_term(job), batch) : SCRIP_OK;
}

enum scrip_status personalise_take_key_settings(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_application *planned = &job->request->profile->application;
    uint8_t memory[16];
    struct scrip_buf settings = SCRIP_BUF_OF(memory);
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &settings);
    if (status != SCRIP_OK || settings.len < 2) {
        return personalise_failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    const bool same = memory[0] == planned->ks1 && ((memory[1] ^ planned->ks2) & KS2_COMPARED) == 0;
    return same ? SCRIP_OK : other_layout(job);
}

/* The file as the profile has it. NULL: it has none of this number. */
static const struct scrip_desfire_file *planned_file(const struct scrip_purse_job *job, uint8_t no)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    for (size_t i = 0; i < profile->file_count; i++) {
        if (profile->files[i].no == no) {
            return &profile->files[i];
        }
    }
    return profile->purse.tmac_file == no ? &profile->tmac : NULL;
}

static size_t files_planned(const struct scrip_purse_job *job)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    return profile->file_count + (profile->purse.tmac_file != SCRIP_PURSE_NONE ? 1U : 0U);
}

enum scrip_status personalise_ask_file_ids(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return there(job) ? scrip_desfire_get_file_ids(personalise_term(job), batch) : SCRIP_OK;
}

enum scrip_status personalise_take_file_ids(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    uint8_t memory[48];
    struct scrip_buf ids = SCRIP_BUF_OF(memory);
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &ids);
    if (status != SCRIP_OK) {
        return personalise_failed(job, status);
    }
    for (size_t i = 0; i < ids.len; i++) {
        if (planned_file(job, memory[i]) == NULL || memory[i] > 31) {
            return other_layout(job);
        }
        j->files |= 1U << memory[i];
    }
    return finished(job) && ids.len != files_planned(job) ? other_layout(job) : SCRIP_OK;
}

enum scrip_status personalise_ask_file(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    while (j->index < 32 && (j->files >> j->index & 1U) == 0) {
        j->index++;
    }
    if (!there(job) || j->index == 32) {
        j->index = 0;
        return SCRIP_OK;
    }
    return scrip_desfire_get_file_settings(personalise_term(job), batch, j->index);
}

static bool same_kind(const struct scrip_desfire_file *found, const struct scrip_desfire_file *planned)
{
    switch (planned->type) {
    case SCRIP_DESFIRE_FILE_STANDARD:
    case SCRIP_DESFIRE_FILE_BACKUP:
        return found->type == planned->type && found->size == planned->size;
    case SCRIP_DESFIRE_FILE_VALUE:
        return found->type == planned->type && found->lower == planned->lower && found->upper == planned->upper;
    case SCRIP_DESFIRE_FILE_TMAC:
        return found->type == planned->type;
    default:
        return found->type == planned->type && found->record_size == planned->record_size &&
               found->max_records == planned->max_records;
    }
}

static bool same_rights(const struct scrip_desfire_file *found, const struct scrip_desfire_file *planned)
{
    struct scrip_desfire_rights rights = planned->rights;
    if (!planned->may_have_more_rights && planned->type != SCRIP_DESFIRE_FILE_TMAC) {
        rights.change = 0; /* as files are made */
    }
    return found->comm == planned->comm && memcmp(&found->rights, &rights, sizeof rights) == 0 &&
           found->more_count == planned->more_count &&
           memcmp(found->more, planned->more, planned->more_count * sizeof planned->more[0]) == 0;
}

/* Of a half-made file the rights may still be its first ones. */
enum scrip_status personalise_take_file(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    const struct scrip_desfire_file *planned = planned_file(job, j->index);
    struct scrip_desfire_file found = {.no = j->index};
    uint8_t memory[96];
    struct scrip_buf settings = SCRIP_BUF_OF(memory);
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &settings);
    if (status != SCRIP_OK) {
        return personalise_failed(job, status);
    }
    if (scrip_desfire_file_parse(scrip_buf_bytes(&settings), &found) != SCRIP_OK || !same_kind(&found, planned) ||
        (finished(job) && !same_rights(&found, planned))) {
        return other_layout(job);
    }
    j->index++;
    j->step--; /* the next one */
    return SCRIP_OK;
}

/* ---- a finished one: its keys ---- */

static enum scrip_status other_keys(struct scrip_purse_job *job)
{
    return personalise_refuse(job, SCRIP_FOUND_OTHER_KEYS, SCRIP_E_EXISTS);
}

enum scrip_status personalise_ask_who(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return finished(job) ? scrip_desfire_get_card_uid(personalise_term(job), batch) : SCRIP_OK;
}

/* The next key that is neither the master key, proved already, nor the terminal's, which is used below. */
static bool next_key(const struct scrip_purse_job *job, struct job *j)
{
    do {
        j->index++;
    } while (j->index == j->tap.purse.pay_key);
    return j->index < job->request->profile->key_count;
}

enum scrip_status personalise_ask_key(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if (!finished(job) || !next_key(job, j)) {
        return SCRIP_OK;
    }
    return scrip_desfire_term_auth_ask(personalise_term(job), batch, (enum scrip_desfire_sm)j->tap.purse.sm,
                                       SCRIP_AES128, j->index, true);
}

enum scrip_status personalise_take_key(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    job->result.role = (enum scrip_purse_role)job->request->profile->key_roles[job_of(job)->index];
    const enum scrip_status status = personalise_challenge(job, replies);
    return is_refusal(status) ? other_keys(job) : status;
}

enum scrip_status personalise_ask_key_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const uint8_t no = job_of(job)->index;
    struct scrip_desfire_key key;
    if (!finished(job) || no >= job->request->profile->key_count) {
        return SCRIP_OK;
    }
    SCRIP_TRY(personalise_key(job, no, &key));
    const enum scrip_status status = personalise_answer(job, batch, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

enum scrip_status personalise_take_key_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(personalise_key(job, job_of(job)->index, &key));
    const enum scrip_status status = personalise_proof(job, replies, &key);
    scrip_wipe(&key, sizeof key);
    if (is_refusal(status)) {
        return other_keys(job);
    }
    job_of(job)->step = (uint8_t)(job_of(job)->step - 2); /* the next one */
    return status;
}

/* ---- and what a terminal sees of it ---- */

enum scrip_status personalise_ask_pay(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    if (!finished(job)) {
        return SCRIP_OK;
    }
    job_of(job)->role = SCRIP_PURSE_PAY;
    return job_open(job, batch);
}

enum scrip_status personalise_ask_pay_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return finished(job) ? job_answer(job, batch) : SCRIP_OK;
}

enum scrip_status personalise_take_pay(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = job_take(job, replies);
    return is_refusal(status) ? other_keys(job) : status;
}

enum scrip_status personalise_ask_value(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return finished(job) ? scrip_desfire_tap_read(&job_of(job)->tap, batch, SCRIP_READ_BALANCE | SCRIP_READ_TMAC, 0)
                         : SCRIP_OK;
}

enum scrip_status personalise_ask_header(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return finished(job) ? scrip_desfire_tap_read(&job_of(job)->tap, batch, SCRIP_READ_HEADER, 0) : SCRIP_OK;
}

enum scrip_status personalise_take_header(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    struct scrip_purse_result *result = &job->result;
    SCRIP_TRY(job_take(job, replies));
    result->has_tmc = (facts->has & SCRIP_FACT_TMAC) != 0;
    result->tmc = facts->tmc;
    memcpy(result->tmv, facts->tmv, sizeof facts->tmv);
    SCRIP_TRY(job_note_header(job));
    if (result->has_header && result->header.profile != scrip_desfire_profile_id(job->request->profile)) {
        return other_layout(job);
    }
    return job_end(job, SCRIP_OUTCOME_ACCEPTED, SCRIP_OK);
}
