/* The profiles: where things are, who may do what. docs/protocol/purse-desfire.md has them as tables. */
#include <scrip/purse_desfire.h>
#include <string.h>

#define F        SCRIP_DESFIRE_RIGHT_NEVER
#define E        SCRIP_DESFIRE_RIGHT_FREE
#define KS1      0x09U /* master key and settings changeable; directory and files need the master key */
#define KS1_OPEN 0x0BU /* and the directory is free to read: see SCRIP_READ_TOPUP_COUNT */
#define AES      0x80U
#define ISO_FIDS 0x20U
#define AID                                                                                                            \
    {                                                                                                                  \
        0x99, 0x44, 0x01                                                                                               \
    }                                        /* 014499h as sent */
#define LIMIT 50000                          /* minor units that a card may hold */
#define SLOTS (SCRIP_PURSE_LOG_RECORDS + 1U) /* a cyclic file keeps one back for the pending record */

#define RIGHTS(r, w, rw, c)                                                                                            \
    {                                                                                                                  \
        .read = (r), .write = (w), .read_write = (rw), .change = (c)                                                   \
    }
#define MORE(r, w, rw) .may_have_more_rights = true, .more_count = 1, .more = {RIGHTS(r, w, rw, F)}
#define HEADER(r, w, rw, c)                                                                                            \
    .no = 1, .type = SCRIP_DESFIRE_FILE_BACKUP, .comm = SCRIP_DESFIRE_FULL, .size = SCRIP_PURSE_HEADER,                \
    .rights = RIGHTS(r, w, rw, c)
#define LOG(number, r, w, rw, c)                                                                                       \
    .no = (number), .type = SCRIP_DESFIRE_FILE_CYCLIC, .comm = SCRIP_DESFIRE_FULL, .record_size = SCRIP_PURSE_RECORD,  \
    .max_records = SLOTS, .rights = RIGHTS(r, w, rw, c)
#define VALUE(r, w, rw, c)                                                                                             \
    .no = 3, .type = SCRIP_DESFIRE_FILE_VALUE, .comm = SCRIP_DESFIRE_FULL, .lower = 0, .upper = LIMIT,                 \
    .rights = RIGHTS(r, w, rw, c)
#define TMAC(r, rw, c)                                                                                                 \
    .no = 0x0F, .type = SCRIP_DESFIRE_FILE_TMAC, .comm = SCRIP_DESFIRE_MAC, .rights = RIGHTS(r, F, rw, c)
#define FID(number) .has_iso_fid = true, .iso_fid = (number)

/* What the rows share: where everything is, the two generations, and the keys of all but `split`. */
#define PURSE(topup)                                                                                                   \
    .aid = AID, .header_file = 1, .log_file = 2, .value_file = 3, .topup_file = 4, .pay_key = 1, .write_key = 2,       \
    .topup_key = (topup), .id_key = SCRIP_PURSE_NONE, .log_by_server = true
#define WITH_TMAC    .sm = SCRIP_DESFIRE_SM_EV2, .tmac_file = 0x0F, .reader_id = true, .long_codes = true
#define WITHOUT_TMAC .sm = SCRIP_DESFIRE_SM_EV1, .tmac_file = SCRIP_PURSE_NONE
#define FOUR_KEYS                                                                                                      \
    .key_count = 4, .key_roles = {SCRIP_PURSE_AMK, SCRIP_PURSE_PAY, SCRIP_PURSE_WRITE, SCRIP_PURSE_TOPUP},             \
    .key_diversified = {false, true, true, true}

static const struct scrip_desfire_profile profiles[] = {
    {
        .name = "an12113",
        .about = "EV2 and EV3, as in NXP AN12113: four keys, Transaction MAC",
        .purse = {PURSE(3), WITH_TMAC},
        .application = {.aid = AID, .ks1 = KS1, .ks2 = AES},
        FOUR_KEYS,
        .file_count = 4,
        .files = {{HEADER(1, 2, 2, 0)},
                  {LOG(2, 1, 1, 1, 0), MORE(3, F, F)}, /* the server harvests debits at every online tap */
                  {VALUE(1, 3, 3, 0)},
                  {LOG(4, 1, 3, 3, 0)}},
        .tmac = {TMAC(3, 3, 0), MORE(1, F, 1)},
    },
    {
        .name = "split",
        .about = "EV2 and EV3, two sets of access conditions: gate keys 1 and 2, server key 4",
        .purse = {PURSE(4), WITH_TMAC},
        .application = {.aid = AID, .ks1 = KS1, .ks2 = AES},
        .key_count = 5,
        .key_roles = {SCRIP_PURSE_AMK, SCRIP_PURSE_PAY, SCRIP_PURSE_WRITE, SCRIP_PURSE_AMK, SCRIP_PURSE_TOPUP},
        .key_diversified = {false, true, true, true, true}, /* key 3 changes settings: the master key, diversified */
        .file_count = 4,
        .files = {{HEADER(1, 2, 2, 3), MORE(4, 4, 4)},
                  {LOG(2, 1, 1, 1, 3), MORE(4, F, F)},
                  {VALUE(1, F, F, 3), MORE(4, 4, 4)}, /* gates read and debit, never credit */
                  {LOG(4, 1, F, F, 3), MORE(4, 4, 4)}},
        .tmac = {TMAC(1, 1, 3), MORE(4, F, 4)},
    },
    {
        .name = "ev1",
        .about = "old cards: EV1 secure messaging with AES, no Transaction MAC",
        .purse = {PURSE(3), WITHOUT_TMAC},
        .application = {.aid = AID, .ks1 = KS1_OPEN, .ks2 = AES},
        FOUR_KEYS,
        .file_count = 4,
        .files = {{HEADER(1, 2, 2, 0)}, {LOG(2, 3, 1, 1, 0)}, {VALUE(1, 3, 3, 0)}, {LOG(4, 1, 3, 3, 0)}},
    },
    {
        .name = "plain",
        .about = "DF name and ISO file ids; ISO 7816-4 clients read the header; EV1 messaging, no Transaction MAC",
        .purse = {PURSE(3), WITHOUT_TMAC, .header_open = true},
        .application = {.aid = AID,
                        .ks1 = KS1_OPEN,
                        .ks2 = AES | ISO_FIDS,
                        .has_iso_fid = true,
                        .iso_fid = 0xDF01,
                        .df_name_len = 7,
                        .df_name = {0xF0, 's', 'c', 'r', 'i', 'p', 1}},
        FOUR_KEYS,
        .file_count = 4,
        .files = {{.no = 1,
                   .type = SCRIP_DESFIRE_FILE_STANDARD,
                   .comm = SCRIP_DESFIRE_FULL,
                   .size = SCRIP_PURSE_HEADER,
                   .rights = RIGHTS(E, 2, 2, 0),
                   FID(0xEF01)},
                  {LOG(2, 3, 1, 1, 0), FID(0xEF02)},
                  {VALUE(1, 3, 3, 0)},
                  {LOG(4, 1, 3, 3, 0), FID(0xEF04)}},
    },
};

#define PROFILES         (sizeof profiles / sizeof profiles[0])
#define OPTION_RANDOM_ID 0x10U
#define OPTION_SMALLEST  0x20U

const struct scrip_desfire_profile *scrip_desfire_profile_at(size_t i)
{
    return i < PROFILES ? &profiles[i] : NULL;
}

static size_t word_len(const char *text)
{
    size_t len = 0;
    while (text[len] != '\0' && text[len] != '+') {
        len++;
    }
    return len;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return len == word_len(word) && memcmp(text, word, len) == 0;
}

/* One more key, the same on all cards: it only lets a server ask whom it talks to. */
static void add_random_id(struct scrip_desfire_profile *profile)
{
    profile->random_id = true;
    profile->purse.id_key = profile->key_count;
    profile->key_roles[profile->key_count] = SCRIP_PURSE_ID;
    profile->key_diversified[profile->key_count] = false;
    profile->key_count++;
}

/* Without CommitReaderID in the debit it must be off for everybody: a card that has it on demands it in each commit. */
static void make_smallest(struct scrip_desfire_profile *profile)
{
    profile->purse.smallest_debit = true;
    profile->purse.reader_id = false;
    profile->tmac.rights.read_write = F;
    for (size_t i = 0; i < profile->tmac.more_count; i++) {
        profile->tmac.more[i].read_write = F;
    }
}

static void apply(struct scrip_desfire_profile *profile, unsigned options)
{
    if ((options & OPTION_RANDOM_ID) != 0 && !profile->random_id) {
        add_random_id(profile);
    }
    if ((options & OPTION_SMALLEST) != 0) {
        make_smallest(profile);
    }
}

/* KS2 counts the keys. */
static void finish(struct scrip_desfire_profile *profile)
{
    profile->application.ks2 = (uint8_t)(profile->application.ks2 | profile->key_count);
}

enum scrip_status scrip_desfire_profile_make(const char *name, struct scrip_desfire_profile *profile)
{
    size_t len = word_len(name);
    size_t i = 0;
    while (i < PROFILES && !is_word(name, len, profiles[i].name)) {
        i++;
    }
    if (i == PROFILES) {
        return SCRIP_E_NOT_FOUND;
    }
    unsigned options = 0;
    while (name[len] == '+') {
        name += len + 1;
        len = word_len(name);
        if (is_word(name, len, "random-id")) {
            options |= OPTION_RANDOM_ID;
        } else if (is_word(name, len, "smallest")) {
            options |= OPTION_SMALLEST;
        } else {
            return SCRIP_E_NOT_FOUND;
        }
    }
    *profile = profiles[i];
    apply(profile, options);
    finish(profile);
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_profile_of_id(uint8_t id, struct scrip_desfire_profile *profile)
{
    const size_t base = id & 0x0FU;
    if (base == 0 || base > PROFILES || (id & ~(0x0FU | OPTION_RANDOM_ID | OPTION_SMALLEST)) != 0) {
        return SCRIP_E_NOT_FOUND;
    }
    *profile = profiles[base - 1];
    apply(profile, id);
    finish(profile);
    return SCRIP_OK;
}

uint8_t scrip_desfire_profile_id(const struct scrip_desfire_profile *profile)
{
    for (size_t i = 0; i < PROFILES; i++) {
        if (is_word(profile->name, word_len(profile->name), profiles[i].name)) {
            return (uint8_t)((i + 1) | (profile->random_id ? OPTION_RANDOM_ID : 0U) |
                             (profile->purse.smallest_debit ? OPTION_SMALLEST : 0U));
        }
    }
    return 0;
}

enum scrip_status scrip_desfire_profile_name(const struct scrip_desfire_profile *profile,
                                             char out[SCRIP_PROFILE_NAME_MAX])
{
    struct scrip_buf text = scrip_buf(out, SCRIP_PROFILE_NAME_MAX);
    SCRIP_TRY(scrip_buf_add(&text, profile->name, word_len(profile->name)));
    if (profile->random_id) {
        SCRIP_TRY(scrip_buf_add(&text, "+random-id", 10));
    }
    if (profile->purse.smallest_debit) {
        SCRIP_TRY(scrip_buf_add(&text, "+smallest", 9));
    }
    return scrip_buf_add_u8(&text, 0);
}
