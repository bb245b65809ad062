/* The card itself, before the application: whose master key it has, room for a purse, and making it ours. */
#include "personalise.h"
#include <string.h>

enum { PICC_KEY_AES = 0x80 }; /* key number byte of ChangeKey at card level: becomes an AES key */

/* Types of keys as KS2 has them, and one more. */
enum { TYPE_DES, TYPE_3K3DES, TYPE_AES, TYPE_UNKNOWN };

static const uint8_t no_aid[3];

/* ---- the card's master key ---- */

enum scrip_status personalise_ask_settings(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    job_of(job)->candidate = 0;
    SCRIP_TRY(scrip_desfire_select_application(personalise_term(job), batch, no_aid));
    return scrip_desfire_get_key_settings(personalise_term(job), batch);
}

enum scrip_status personalise_take_settings(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint8_t memory[8];
    struct scrip_buf settings = SCRIP_BUF_OF(memory);
    enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, NULL);
    if (status != SCRIP_OK) {
        return personalise_failed(job, status);
    }
    status = scrip_desfire_term_take(personalise_term(job), replies, &settings);
    if (status == SCRIP_E_CARD) { /* not free to read: somebody has set the card up */
        scrip_desfire_term_start(personalise_term(job));
        job_of(job)->picc_type = TYPE_UNKNOWN;
        return SCRIP_OK;
    }
    if (status != SCRIP_OK || settings.len < 2) {
        return personalise_failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    job_of(job)->picc_type = memory[1] >> 6;
    return SCRIP_OK;
}

/* Whose key it may be. The issuer's own is an AES key; the one that the request names is of the type that its length
 * and the card say. */
enum source { SOURCE_STORE, SOURCE_NAMED, SOURCE_FACTORY };

static const struct {
    uint8_t source, type;
} candidates[] = {
    {SOURCE_STORE, TYPE_AES},   {SOURCE_NAMED, TYPE_AES},      {SOURCE_NAMED, TYPE_DES},   {SOURCE_NAMED, TYPE_3K3DES},
    {SOURCE_FACTORY, TYPE_DES}, {SOURCE_FACTORY, TYPE_3K3DES}, {SOURCE_FACTORY, TYPE_AES},
};

#define CANDIDATES (sizeof candidates / sizeof candidates[0])

static enum source source_of(const struct job *j)
{
    return (enum source)candidates[j->candidate].source;
}

/* Could the card have it? Without a doubt about the card: its factory key opens no card of ours. */
static bool may_fit(const struct scrip_purse_job *job, const struct job *j)
{
    const size_t len = job->request->picc_key.len;
    const uint8_t type = candidates[j->candidate].type;
    if (j->picc_type != TYPE_UNKNOWN && j->picc_type != type) {
        return false;
    }
    switch (source_of(j)) {
    case SOURCE_NAMED:
        return type == TYPE_3K3DES ? len == 24 : len == 16 || (type == TYPE_DES && len == 8);
    case SOURCE_FACTORY:
        return job->result.found != SCRIP_FOUND_HALF;
    default:
        return true;
    }
}

static enum scrip_cipher cipher_of(uint8_t type, struct scrip_bytes key)
{
    static const uint8_t ciphers[] = {SCRIP_DES, SCRIP_3K3DES, SCRIP_AES128};
    const bool two_keys = type == TYPE_DES && key.len == 16 && memcmp(key.at, key.at + 8, 8) != 0;
    return two_keys ? SCRIP_2K3DES : (enum scrip_cipher)ciphers[type];
}

static enum scrip_status picc_key(struct scrip_purse_job *job, struct scrip_desfire_key *key)
{
    const struct job *j = job_of(job);
    const struct scrip_bytes named = job->request->picc_key;
    const uint8_t type = candidates[j->candidate].type;
    const bool is_named = source_of(j) == SOURCE_NAMED;
    *key = personalise_zero_key(cipher_of(type, is_named ? named : scrip_bytes(NULL, 0)));
    job->result.role = SCRIP_PURSE_PICC;
    if (is_named) {
        memcpy(key->bytes, named.at, key->cipher == SCRIP_DES ? 8 : named.len);
    }
    return source_of(j) == SOURCE_STORE ? job_key(job, SCRIP_PURSE_PICC, false, key->bytes) : SCRIP_OK;
}

/* None of the keys fits: whose card is it, and whose application, if there is one? */
static enum scrip_status refuse_card(struct scrip_purse_job *job)
{
    job->result.role = SCRIP_PURSE_PICC;
    return job->result.found == SCRIP_FOUND_HALF ? personalise_refuse(job, SCRIP_FOUND_FOREIGN, SCRIP_E_EXISTS)
                                                 : personalise_refuse(job, SCRIP_FOUND_MASTER_KEY, SCRIP_E_AUTH);
}

static enum scrip_status ask_with(struct scrip_purse_job *job, struct scrip_batch *batch, enum scrip_desfire_sm sm)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_cipher cipher = (enum scrip_cipher)key.cipher;
    scrip_wipe(&key, sizeof key);
    return scrip_desfire_term_auth_ask(personalise_term(job), batch, sm, cipher, 0, true);
}

enum scrip_status personalise_ask_card(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    while (j->candidate < CANDIDATES && !may_fit(job, j)) {
        j->candidate++;
    }
    return j->candidate < CANDIDATES ? ask_with(job, batch, SCRIP_DESFIRE_SM_EV1) : refuse_card(job);
}

/* A refused key is followed by the next that may fit. */
static enum scrip_status next_candidate(struct scrip_purse_job *job, enum scrip_status status)
{
    struct job *j = job_of(job);
    if (status != SCRIP_E_CARD && status != SCRIP_E_AUTH) {
        return status;
    }
    scrip_desfire_term_start(personalise_term(job));
    j->candidate++;
    j->step = STEP_CARD - 1;
    return SCRIP_OK;
}

enum scrip_status personalise_take_card(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    return next_candidate(job, personalise_challenge(job, replies));
}

/* A challenge of another length belongs to a key of another type. */
enum scrip_status personalise_ask_card_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_status status = personalise_answer(job, batch, &key);
    scrip_wipe(&key, sizeof key);
    return next_candidate(job, status == SCRIP_E_LENGTH ? SCRIP_E_AUTH : status);
}

enum scrip_status personalise_take_card_proof(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_status status = personalise_proof(job, replies, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

enum scrip_status personalise_take_card_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = next_candidate(job, personalise_take_card_proof(job, replies));
    if (status == SCRIP_OK && scrip_desfire_term_in_session(personalise_term(job))) {
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK}; /* of keys tried in vain */
    }
    return status;
}

enum scrip_status personalise_take_uid(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    uint8_t bytes[sizeof facts->uid];
    struct scrip_buf uid = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &uid);
    if (status != SCRIP_OK || uid.len != sizeof facts->uid) {
        return personalise_failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    memcpy(facts->uid, bytes, sizeof facts->uid);
    facts->has |= SCRIP_FACT_UID;
    job->result.has_uid = true;
    memcpy(job->result.uid, facts->uid, sizeof facts->uid);
    return SCRIP_OK;
}

enum scrip_status personalise_ask_uid(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_get_card_uid(personalise_term(job), batch);
}

/* ---- room for the application ----
 *
 * What a deleted application held comes back on some cards at once, and on others only with FormatPICC. So a card that
 * was torn again and again, and has nothing but our half-made application, is formatted when it runs short. */

enum scrip_status personalise_ask_delete(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if (job->result.found != SCRIP_FOUND_HALF || j->deleted) {
        return SCRIP_OK;
    }
    personalise_begin_change(job);
    return scrip_desfire_delete_application(personalise_term(job), batch, j->tap.purse.aid, NULL);
}

enum scrip_status personalise_take_delete(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(personalise_take_all(job, replies));
    job_of(job)->deleted = true;
    return SCRIP_OK;
}

static uint32_t rounded(uint32_t bytes)
{
    return (bytes + 31U) / 32U * 32U;
}

/* The least that the files take; what a card keeps beside them is its own. */
static uint32_t memory_of(const struct scrip_desfire_file *file)
{
    switch (file->type) {
    case SCRIP_DESFIRE_FILE_STANDARD:
        return rounded(file->size);
    case SCRIP_DESFIRE_FILE_BACKUP:
        return 2 * rounded(file->size);
    case SCRIP_DESFIRE_FILE_LINEAR:
    case SCRIP_DESFIRE_FILE_CYCLIC:
        return rounded(file->record_size * file->max_records);
    default:
        return 32;
    }
}

uint32_t personalise_memory(const struct scrip_desfire_profile *profile)
{
    uint32_t bytes = profile->purse.tmac_file != SCRIP_PURSE_NONE ? memory_of(&profile->tmac) : 0;
    for (size_t i = 0; i < profile->file_count; i++) {
        bytes += memory_of(&profile->files[i]);
    }
    return bytes;
}

enum scrip_status personalise_ask_memory(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_get_free_memory(personalise_term(job), batch);
}

enum scrip_status personalise_take_memory(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    uint8_t bytes[3];
    struct scrip_buf memory = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &memory);
    if (status != SCRIP_OK || memory.len != sizeof bytes) {
        return personalise_failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    job->result.memory_free = scrip_get_le24(bytes);
    job->result.memory_needed = personalise_memory(job->request->profile);
    j->is_short = job->result.memory_free < job->result.memory_needed;
    return j->is_short && j->formatted ? personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT) : SCRIP_OK;
}

enum scrip_status personalise_ask_list(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return job_of(job)->is_short ? scrip_desfire_get_application_ids(personalise_term(job), batch) : SCRIP_OK;
}

enum scrip_status personalise_take_list(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint8_t bytes[256];
    struct scrip_buf aids = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_desfire_term_take(personalise_term(job), replies, &aids);
    if (status == SCRIP_E_WAIT) {
        return status;
    }
    if (status != SCRIP_OK && status != SCRIP_E_SPACE) {
        return personalise_failed(job, status);
    }
    /* somebody else's applications are not ours to delete */
    return status == SCRIP_OK && aids.len == 0 ? SCRIP_OK
                                               : personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
}

enum scrip_status personalise_ask_format(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    if (!job_of(job)->is_short) {
        return SCRIP_OK;
    }
    personalise_begin_change(job);
    return scrip_desfire_format_picc(personalise_term(job), batch);
}

/* Cards differ in whether the session goes on: begin at card level again. */
enum scrip_status personalise_take_format(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    const enum scrip_status status = personalise_take_all(job, replies);
    if (status == SCRIP_E_CARD) { /* the card has formatting switched off */
        return personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
    }
    j->formatted = true;
    j->is_short = false;
    j->step = STEP_SETTINGS - 1;
    return status;
}

/* ---- the card becomes ours ---- */

/* The session ends with it. */
enum scrip_status personalise_ask_card_key(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key = personalise_new_key(job, SCRIP_PURSE_PICC);
    if (source_of(job_of(job)) == SOURCE_STORE) {
        return SCRIP_OK;
    }
    personalise_begin_change(job);
    SCRIP_TRY(job_key(job, SCRIP_PURSE_PICC, false, key.bytes));
    const enum scrip_status status = scrip_desfire_change_key(personalise_term(job), batch, PICC_KEY_AES, &key, NULL);
    scrip_wipe(&key, sizeof key);
    return status;
}

enum scrip_status personalise_take_card_key(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(personalise_take_all(job, replies));
    job_of(job)->candidate = 0; /* the store's */
    return SCRIP_OK;
}

/* With the messaging of the purse from here on. */
enum scrip_status personalise_ask_card_again(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return ask_with(job, batch, (enum scrip_desfire_sm)job_of(job)->tap.purse.sm);
}
