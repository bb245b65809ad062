/* Personalisation: from a factory-fresh card, or one whose personalisation was torn, to a purse. What is on the card is
 * found out first (personalise_look.c); nothing is written to one that is not ours to write to.
 *
 * The rule that makes it repeatable: key 0 of the application is changed last of all. An application that still opens
 * with the factory key is half made, holds nobody's value, and is deleted and begun anew; one that opens with our
 * master key is finished. The card's own master key becomes ours before the application exists: a half-made application
 * on a card with another master key was begun by somebody else, and is left alone. */
#include "personalise.h"
#include <string.h>

enum {
    SW_NO_MEMORY = 0x910E,
    PICC_KEY_AES = 0x80, /* key number byte of ChangeKey at card level: becomes an AES key */
    OPTION_CARD = 0x00,
    OPTION_ATS = 0x02,
    RANDOM_ID = 0x02,
};

/* Types of keys as KS2 has them, and one more. */
enum { TYPE_DES, TYPE_3K3DES, TYPE_AES, TYPE_UNKNOWN };

static const uint8_t no_aid[3];
static const uint8_t big_frames[] = {0x06, 0x77, 0x77, 0x81, 0x02, 0x80}; /* 128-byte frames, else as the factory's */

enum step_number {
    STEP_VERSION,
    STEP_PROBE,
    STEP_PROBE_ANSWER,
    STEP_OWNER,
    STEP_OWNER_ANSWER,
    STEP_KEY_SETTINGS,
    STEP_FILE_IDS,
    STEP_FILE,
    STEP_WHO,
    STEP_KEY,
    STEP_KEY_ANSWER,
    STEP_PAY,
    STEP_PAY_ANSWER,
    STEP_VALUE,
    STEP_HEADER,
    STEP_SETTINGS, /* at card level from here on: the application is not there, or half made */
    STEP_CARD,
    STEP_CARD_ANSWER,
    STEP_UID,
    STEP_DELETE,
    STEP_MEMORY,
    STEP_LIST,
    STEP_FORMAT,
    STEP_CARD_KEY,
    STEP_CARD_AGAIN,
    STEP_CARD_AGAIN_ANSWER,
    STEP_APPLICATION,
    STEP_PHASE,
    STEP_PHASE_ANSWER,
    STEP_WORK,
    STEP_END
};

struct scrip_desfire_key personalise_zero_key(enum scrip_cipher cipher)
{
    return (struct scrip_desfire_key){.cipher = (uint8_t)cipher};
}

struct scrip_desfire_term *personalise_term(struct scrip_purse_job *job)
{
    return &job_of(job)->tap.term;
}

#define term_of  personalise_term
#define zero_key personalise_zero_key
#define failed   personalise_failed

enum scrip_status personalise_refuse(struct scrip_purse_job *job, enum scrip_purse_found found,
                                     enum scrip_status status)
{
    job->result.found = found;
    return job_end(job, SCRIP_OUTCOME_DECLINED, status);
}

enum scrip_status personalise_failed(struct scrip_purse_job *job, enum scrip_status status)
{
    job->result.failure = term_of(job)->failure;
    if (status == SCRIP_E_CARD && job->result.failure.sw == SW_NO_MEMORY) {
        return personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
    }
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

enum scrip_status personalise_challenge(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = scrip_desfire_term_auth_challenge(term_of(job), replies);
    return status == SCRIP_OK ? SCRIP_OK : failed(job, status);
}

enum scrip_status personalise_answer(struct scrip_purse_job *job, struct scrip_batch *batch,
                                     const struct scrip_desfire_key *key)
{
    uint8_t rnda[16];
    SCRIP_TRY(job_random(job, rnda));
    return scrip_desfire_term_auth_answer(term_of(job), batch, key, rnda);
}

enum scrip_status personalise_proof(struct scrip_purse_job *job, const struct scrip_replies *replies,
                                    const struct scrip_desfire_key *key)
{
    const enum scrip_status status = scrip_desfire_term_auth_proof(term_of(job), replies, key);
    return status == SCRIP_OK ? SCRIP_OK : failed(job, status);
}

enum scrip_status personalise_key(struct scrip_purse_job *job, uint8_t no, struct scrip_desfire_key *key)
{
    const struct scrip_desfire_profile *profile = job->request->profile;
    *key = new_key(job, (enum scrip_purse_role)profile->key_roles[no]);
    return job_key(job, (enum scrip_purse_role)profile->key_roles[no], profile->key_diversified[no], key->bytes);
}

/* From here on the card is not what it was. */
static void begin_change(struct scrip_purse_job *job)
{
    job->result.begun = true;
}

/* ---- the card's master key ---- */

static enum scrip_status ask_settings(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    job_of(job)->candidate = 0;
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
    if (status == SCRIP_E_CARD) { /* not free to read: somebody has set the card up */
        scrip_desfire_term_start(term_of(job));
        job_of(job)->picc_type = TYPE_UNKNOWN;
        return SCRIP_OK;
    }
    if (status != SCRIP_OK || settings.len < 2) {
        return failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
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
    *key = zero_key(cipher_of(type, is_named ? named : scrip_bytes(NULL, 0)));
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
    return scrip_desfire_term_auth_ask(term_of(job), batch, sm, cipher, 0, true);
}

static enum scrip_status ask_card(struct scrip_purse_job *job, struct scrip_batch *batch)
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
    scrip_desfire_term_start(term_of(job));
    j->candidate++;
    j->step = STEP_CARD - 1;
    return SCRIP_OK;
}

static enum scrip_status take_card(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    return next_candidate(job, personalise_challenge(job, replies));
}

/* A challenge of another length belongs to a key of another type. */
static enum scrip_status ask_card_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_status status = personalise_answer(job, batch, &key);
    scrip_wipe(&key, sizeof key);
    return next_candidate(job, status == SCRIP_E_LENGTH ? SCRIP_E_AUTH : status);
}

static enum scrip_status take_card_proof(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_key key;
    SCRIP_TRY(picc_key(job, &key));
    const enum scrip_status status = personalise_proof(job, replies, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

static enum scrip_status take_card_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const enum scrip_status status = next_candidate(job, take_card_proof(job, replies));
    if (status == SCRIP_OK && scrip_desfire_term_in_session(term_of(job))) {
        job->result.failure = (struct scrip_desfire_failure){.status = SCRIP_OK}; /* of keys tried in vain */
    }
    return status;
}

enum scrip_status personalise_take_uid(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct scrip_desfire_facts *facts = &job_of(job)->tap.facts;
    uint8_t bytes[sizeof facts->uid];
    struct scrip_buf uid = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, &uid);
    if (status != SCRIP_OK || uid.len != sizeof facts->uid) {
        return failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    memcpy(facts->uid, bytes, sizeof facts->uid);
    facts->has |= SCRIP_FACT_UID;
    job->result.has_uid = true;
    memcpy(job->result.uid, facts->uid, sizeof facts->uid);
    return SCRIP_OK;
}

static enum scrip_status ask_uid(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_get_card_uid(term_of(job), batch);
}

/* ---- room for the application ----
 *
 * What a deleted application held comes back on some cards at once, and on others only with FormatPICC. So a card that
 * was torn again and again, and has nothing but our half-made application, is formatted when it runs short. */

static enum scrip_status ask_delete(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    if (job->result.found != SCRIP_FOUND_HALF || j->deleted) {
        return SCRIP_OK;
    }
    begin_change(job);
    return scrip_desfire_delete_application(term_of(job), batch, j->tap.purse.aid, NULL);
}

static enum scrip_status take_delete(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(take_all(job, replies));
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

static enum scrip_status ask_memory(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return scrip_desfire_get_free_memory(term_of(job), batch);
}

static enum scrip_status take_memory(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    uint8_t bytes[3];
    struct scrip_buf memory = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, &memory);
    if (status != SCRIP_OK || memory.len != sizeof bytes) {
        return failed(job, status != SCRIP_OK ? status : SCRIP_E_LENGTH);
    }
    job->result.memory_free = scrip_get_le24(bytes);
    job->result.memory_needed = personalise_memory(job->request->profile);
    j->is_short = job->result.memory_free < job->result.memory_needed;
    return j->is_short && j->formatted ? personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT) : SCRIP_OK;
}

static enum scrip_status ask_list(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return job_of(job)->is_short ? scrip_desfire_get_application_ids(term_of(job), batch) : SCRIP_OK;
}

static enum scrip_status take_list(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    uint8_t bytes[256];
    struct scrip_buf aids = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_desfire_term_take(term_of(job), replies, &aids);
    if (status == SCRIP_E_WAIT) {
        return status;
    }
    if (status != SCRIP_OK && status != SCRIP_E_SPACE) {
        return failed(job, status);
    }
    /* somebody else's applications are not ours to delete */
    return status == SCRIP_OK && aids.len == 0 ? SCRIP_OK
                                               : personalise_refuse(job, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
}

static enum scrip_status ask_format(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    if (!job_of(job)->is_short) {
        return SCRIP_OK;
    }
    begin_change(job);
    return scrip_desfire_format_picc(term_of(job), batch);
}

/* Cards differ in whether the session goes on: begin at card level again. */
static enum scrip_status take_format(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    const enum scrip_status status = take_all(job, replies);
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
static enum scrip_status ask_card_key(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct scrip_desfire_key key = new_key(job, SCRIP_PURSE_PICC);
    if (source_of(job_of(job)) == SOURCE_STORE) {
        return SCRIP_OK;
    }
    begin_change(job);
    SCRIP_TRY(job_key(job, SCRIP_PURSE_PICC, false, key.bytes));
    const enum scrip_status status = scrip_desfire_change_key(term_of(job), batch, PICC_KEY_AES, &key, NULL);
    scrip_wipe(&key, sizeof key);
    return status;
}

static enum scrip_status take_card_key(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    SCRIP_TRY(take_all(job, replies));
    job_of(job)->candidate = 0; /* the store's */
    return SCRIP_OK;
}

/* With the messaging of the purse from here on. */
static enum scrip_status ask_card_again(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    return ask_with(job, batch, (enum scrip_desfire_sm)job_of(job)->tap.purse.sm);
}

static enum scrip_status ask_application(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    struct job *j = job_of(job);
    const struct scrip_desfire_profile *profile = job->request->profile;
    const uint8_t random_id = RANDOM_ID;
    begin_change(job);
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
    return personalise_challenge(job, replies);
}

static enum scrip_status ask_zero_answer(struct scrip_purse_job *job, struct scrip_batch *batch)
{
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
    job->result.role = SCRIP_PURSE_AMK;
    return personalise_answer(job, batch, &zero);
}

static enum scrip_status take_zero_answer(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    const struct scrip_desfire_key zero = zero_key(SCRIP_AES128);
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
    if (header.card_number[0] == '\0') {
        scrip_purse_number_of_uid(job_of(job)->tap.facts.uid, header.card_number);
    }
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
        status = personalise_key(job, (uint8_t)no, &key);
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

static enum scrip_status take_work(struct scrip_purse_job *job, const struct scrip_replies *replies)
{
    struct job *j = job_of(job);
    SCRIP_TRY(take_all(job, replies));
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
    [STEP_SETTINGS] = {ask_settings, take_settings},
    [STEP_CARD] = {ask_card, take_card},
    [STEP_CARD_ANSWER] = {ask_card_answer, take_card_answer},
    [STEP_UID] = {ask_uid, personalise_take_uid},
    [STEP_DELETE] = {ask_delete, take_delete},
    [STEP_MEMORY] = {ask_memory, take_memory},
    [STEP_LIST] = {ask_list, take_list},
    [STEP_FORMAT] = {ask_format, take_format},
    [STEP_CARD_KEY] = {ask_card_key, take_card_key},
    [STEP_CARD_AGAIN] = {ask_card_again, personalise_challenge},
    [STEP_CARD_AGAIN_ANSWER] = {ask_card_answer, take_card_proof},
    [STEP_APPLICATION] = {ask_application, take_all},
    [STEP_PHASE] = {ask_phase, take_phase},
    [STEP_PHASE_ANSWER] = {ask_zero_answer, take_zero_answer},
    [STEP_WORK] = {ask_work, take_work},
    [STEP_END] = {NULL, NULL},
};
