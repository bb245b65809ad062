/* profile.c: the text of a profile into structs. One table says every name that may be written, where it goes and how
 * its value is read; what belongs together is checked at the end (profile_finish.c). */
#include "profile_finish.h"
#include <ini.h>
#include <scrip/desfire_card.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum section {
    SECTION_NONE,
    SECTION_CARD,
    SECTION_APPLICATION,
    SECTION_FILE,
    SECTION_PURSE,
    SECTION_STORAGE, /* [purse] of a storage card */
};

struct parser {
    struct scrip_profile *profile;
    struct scrip_desfire_file *file; /* of the current [file N] */
    char section[32];                /* as written */
    enum section kind;
    uint32_t files_seen; /* bit per number */
    bool keys_over;      /* a section behind [application] has begun */
    char *error;
};

/* ---- values ---------------------------------------------------------------------------------------------------- */

static const struct word {
    const char *text;
    uint8_t value;
} YES_NO[] = {{"yes", 1}, {"no", 0}, {NULL, 0}},
  FAMILIES[] = {{"desfire", SCRIP_VCARD_DESFIRE},
                {"classic", SCRIP_VCARD_CLASSIC},
                {"otp", SCRIP_VCARD_OTP},
                {NULL, 0}},
  GENERATIONS[] = {{"EV1", SCRIP_DESFIRE_EV1}, {"EV2", SCRIP_DESFIRE_EV2}, {"EV3", SCRIP_DESFIRE_EV3}, {NULL, 0}},
  STORAGES[] = {{"2K", 0x16}, {"4K", 0x18}, {"8K", 0x1A}, {"16K", 0x1C}, {"32K", 0x1E}, {NULL, 0}},
  MESSAGINGS[] = {{"EV1", SCRIP_DESFIRE_SM_EV1}, {"EV2", SCRIP_DESFIRE_SM_EV2}, {NULL, 0}},
  COMMS[] = {{"plain", SCRIP_DESFIRE_PLAIN}, {"mac", SCRIP_DESFIRE_MAC}, {"full", SCRIP_DESFIRE_FULL}, {NULL, 0}},
  TYPES[] = {{"standard", SCRIP_DESFIRE_FILE_STANDARD},
             {"backup", SCRIP_DESFIRE_FILE_BACKUP},
             {"value", SCRIP_DESFIRE_FILE_VALUE},
             {"linear", SCRIP_DESFIRE_FILE_LINEAR},
             {"cyclic", SCRIP_DESFIRE_FILE_CYCLIC},
             {"tmac", SCRIP_DESFIRE_FILE_TMAC},
             {NULL, 0}},
  ROLES[] = {{"amk", SCRIP_PURSE_AMK},     {"pay", SCRIP_PURSE_PAY},
             {"write", SCRIP_PURSE_WRITE}, {"topup", SCRIP_PURSE_TOPUP},
             {"tmac", SCRIP_PURSE_TMAC},   {"picc", SCRIP_PURSE_PICC},
             {"id", SCRIP_PURSE_ID},       {NULL, 0}},
  NOBODY[] = {{"free", SCRIP_DESFIRE_RIGHT_FREE}, {"never", SCRIP_DESFIRE_RIGHT_NEVER}, {NULL, 0}},
  NONE[] = {{"none", SCRIP_PURSE_NONE}, {NULL, 0}},
  SIZES[] = {{"1K", SCRIP_VCARD_1K}, {"4K", SCRIP_VCARD_4K}, {NULL, 0}},
  UID_LENGTHS[] = {{"4", 4}, {"7", 7}, {NULL, 0}},
  KINDS[] = {{"native", SCRIP_STORAGE_NATIVE}, {"bcd", SCRIP_STORAGE_BCD}, {"otp", SCRIP_STORAGE_OTP}, {NULL, 0}},
  ACCESSES[] = {{"hardened", SCRIP_STORAGE_HARDENED}, {"compatible", SCRIP_STORAGE_COMPATIBLE}, {NULL, 0}},
  STORAGE_ROLES[] = {{"bcd", SCRIP_PURSE_BCD}, {"factory", SCRIP_STORAGE_FACTORY}, {NULL, 0}};

const char *scrip_profile_role_name(uint8_t role)
{
    for (const struct word *w = ROLES; w->text != NULL; w++) {
        if (w->value == role) {
            return w->text;
        }
    }
    return role == SCRIP_PURSE_BCD ? "bcd" : "?";
}

static bool word_find(const struct word *words, const char *text, uint8_t *value)
{
    for (; words != NULL && words->text != NULL; words++) {
        if (strcmp(words->text, text) == 0) {
            *value = words->value;
            return true;
        }
    }
    return false;
}

/* A whole number of the given base inside [low, high]. */
static bool number_read(const char *text, int base, int64_t low, int64_t high, int64_t *value)
{
    char *end = NULL;
    const bool starts = (text[0] >= '0' && text[0] <= '9') || text[0] == '-' || (base == 16 && text[0] >= 'A');
    const long long number = strtoll(text, &end, base);
    if (!starts || *end != '\0' || strlen(text) > 12 || number < low || number > high) {
        return false;
    }
    *value = number;
    return true;
}

/* A key by its role, or by its number. */
static bool key_read(const struct parser *parser, const char *text, uint8_t *key)
{
    const struct scrip_desfire_profile *desfire = &parser->profile->desfire;
    uint8_t role = 0;
    int64_t number = 0;
    if (word_find(ROLES, text, &role)) {
        for (uint8_t i = 0; i < desfire->key_count; i++) {
            if (desfire->key_roles[i] == role) {
                *key = i;
                return true;
            }
        }
        return false;
    }
    if (!number_read(text, 10, 0, desfire->key_count - 1, &number)) {
        return false;
    }
    *key = (uint8_t)number;
    return true;
}

static bool right_read(const struct parser *parser, const char *text, uint8_t *right)
{
    return word_find(NOBODY, text, right) || key_read(parser, text, right);
}

/* ROLE[, diversified], or factory: a key of a storage card. */
static bool storage_key_read(const char *text, struct scrip_storage_key *key)
{
    const char *comma = strchr(text, ',');
    char role[16];
    struct scrip_storage_key found = {.diversified = comma != NULL};
    if (comma != NULL && strcmp(comma + 1 + strspn(comma + 1, " "), "diversified") != 0) {
        return false;
    }
    snprintf(role, sizeof role, "%.*s", comma != NULL ? (int)(comma - text) : (int)strnlen(text, 15), text);
    if ((!word_find(ROLES, role, &found.role) && !word_find(STORAGE_ROLES, role, &found.role)) ||
        (found.role == SCRIP_STORAGE_FACTORY && found.diversified)) {
        return false;
    }
    *key = found;
    return true;
}

/* ---- the table of names ---------------------------------------------------------------------------------------- */

enum value_kind {
    VALUE_WORD,       /* one of `words`, uint8_t or bool */
    VALUE_U32,        /* whole number up to 2^24-1 */
    VALUE_I32,        /* amount */
    VALUE_HEX8,       /* two hex digits, uint8_t */
    VALUE_HEX16,      /* four hex digits, uint16_t */
    VALUE_FILE_NO,    /* 0..31 or none, uint8_t */
    VALUE_KEY,        /* a key or none, uint8_t */
    VALUE_RIGHT,      /* a key, free or never, uint8_t */
    VALUE_U8,         /* whole number, uint8_t */
    VALUE_U16,        /* whole number, uint16_t */
    VALUE_SECTOR_KEY, /* struct scrip_storage_key */
    VALUE_SPECIAL,    /* read by set_special */
};

struct name_row {
    enum section section;
    const char *name;
    enum value_kind kind;
    size_t offset; /* in what the section fills */
    const struct word *words;
};

#define IN_CARD(member)    offsetof(struct scrip_profile, member)
#define IN_FILE(member)    offsetof(struct scrip_desfire_file, member)
#define IN_PURSE(member)   offsetof(struct scrip_profile, desfire.purse.member)
#define IN_APP(member)     offsetof(struct scrip_profile, desfire.application.member)
#define IN_STORAGE(member) offsetof(struct scrip_profile, purse.member)

static const struct name_row NAMES[] = {
    {SECTION_CARD, "family", VALUE_WORD, IN_CARD(family), FAMILIES},
    {SECTION_CARD, "about", VALUE_SPECIAL, 0, NULL},
    {SECTION_CARD, "generation", VALUE_WORD, IN_CARD(generation), GENERATIONS},
    {SECTION_CARD, "storage", VALUE_WORD, IN_CARD(storage), STORAGES},
    {SECTION_CARD, "random-id", VALUE_WORD, IN_CARD(desfire.random_id), YES_NO},
    {SECTION_APPLICATION, "settings", VALUE_HEX8, IN_APP(ks1), NULL},
    {SECTION_APPLICATION, "iso-fid", VALUE_HEX16, IN_APP(iso_fid), NULL},
    {SECTION_APPLICATION, "df-name", VALUE_SPECIAL, 0, NULL},
    {SECTION_FILE, "type", VALUE_WORD, IN_FILE(type), TYPES},
    {SECTION_FILE, "comm", VALUE_WORD, IN_FILE(comm), COMMS},
    {SECTION_FILE, "read", VALUE_RIGHT, IN_FILE(rights.read), NULL},
    {SECTION_FILE, "write", VALUE_RIGHT, IN_FILE(rights.write), NULL},
    {SECTION_FILE, "read-write", VALUE_RIGHT, IN_FILE(rights.read_write), NULL},
    {SECTION_FILE, "change", VALUE_RIGHT, IN_FILE(rights.change), NULL},
    {SECTION_FILE, "more", VALUE_SPECIAL, 0, NULL},
    {SECTION_FILE, "iso-fid", VALUE_HEX16, IN_FILE(iso_fid), NULL},
    {SECTION_FILE, "size", VALUE_U32, IN_FILE(size), NULL},
    {SECTION_FILE, "lower", VALUE_I32, IN_FILE(lower), NULL},
    {SECTION_FILE, "upper", VALUE_I32, IN_FILE(upper), NULL},
    {SECTION_FILE, "value", VALUE_I32, IN_FILE(value), NULL},
    {SECTION_FILE, "free-read", VALUE_SPECIAL, 2, YES_NO},
    {SECTION_FILE, "limited-credit", VALUE_SPECIAL, 1, YES_NO},
    {SECTION_FILE, "record-size", VALUE_U32, IN_FILE(record_size), NULL},
    {SECTION_FILE, "records", VALUE_U32, IN_FILE(max_records), NULL},
    {SECTION_PURSE, "messaging", VALUE_WORD, IN_PURSE(sm), MESSAGINGS},
    {SECTION_PURSE, "header-file", VALUE_FILE_NO, IN_PURSE(header_file), NULL},
    {SECTION_PURSE, "log-file", VALUE_FILE_NO, IN_PURSE(log_file), NULL},
    {SECTION_PURSE, "value-file", VALUE_FILE_NO, IN_PURSE(value_file), NULL},
    {SECTION_PURSE, "topup-file", VALUE_FILE_NO, IN_PURSE(topup_file), NULL},
    {SECTION_PURSE, "tmac-file", VALUE_FILE_NO, IN_PURSE(tmac_file), NULL},
    {SECTION_PURSE, "pay-key", VALUE_KEY, IN_PURSE(pay_key), NULL},
    {SECTION_PURSE, "write-key", VALUE_KEY, IN_PURSE(write_key), NULL},
    {SECTION_PURSE, "topup-key", VALUE_KEY, IN_PURSE(topup_key), NULL},
    {SECTION_PURSE, "id-key", VALUE_KEY, IN_PURSE(id_key), NULL},
    {SECTION_PURSE, "reader-id", VALUE_WORD, IN_PURSE(reader_id), YES_NO},
    {SECTION_PURSE, "long-codes", VALUE_WORD, IN_PURSE(long_codes), YES_NO},
    {SECTION_PURSE, "smallest-debit", VALUE_WORD, IN_PURSE(smallest_debit), YES_NO},
    {SECTION_PURSE, "log-by-server", VALUE_WORD, IN_PURSE(log_by_server), YES_NO},
    {SECTION_PURSE, "header-open", VALUE_WORD, IN_PURSE(header_open), YES_NO},
    {SECTION_CARD, "size", VALUE_WORD, IN_CARD(variant), SIZES},
    {SECTION_CARD, "uid", VALUE_WORD, IN_CARD(uid_len), UID_LENGTHS},
    {SECTION_STORAGE, "kind", VALUE_WORD, IN_STORAGE(kind), KINDS},
    {SECTION_STORAGE, "access", VALUE_WORD, IN_STORAGE(access), ACCESSES},
    {SECTION_STORAGE, "sector", VALUE_U8, IN_STORAGE(sector), NULL},
    {SECTION_STORAGE, "main-block", VALUE_U8, IN_STORAGE(main_block), NULL},
    {SECTION_STORAGE, "backup-block", VALUE_U8, IN_STORAGE(backup_block), NULL},
    {SECTION_STORAGE, "key-a", VALUE_SECTOR_KEY, IN_STORAGE(key_a), NULL},
    {SECTION_STORAGE, "key-b", VALUE_SECTOR_KEY, IN_STORAGE(key_b), NULL},
    {SECTION_STORAGE, "upper", VALUE_I32, IN_STORAGE(upper), NULL},
    {SECTION_STORAGE, "unit", VALUE_U32, IN_STORAGE(unit), NULL},
    {SECTION_STORAGE, "units", VALUE_U16, IN_STORAGE(units), NULL},
};

static bool set_rights(const struct parser *parser, const char *text, struct scrip_desfire_rights *rights)
{
    char word[4][16];
    char rest[2];
    struct scrip_desfire_rights found;
    if (sscanf(text, "%15s %15s %15s %15s %1s", word[0], word[1], word[2], word[3], rest) != 4 ||
        !right_read(parser, word[0], &found.read) || !right_read(parser, word[1], &found.write) ||
        !right_read(parser, word[2], &found.read_write) || !right_read(parser, word[3], &found.change)) {
        return false;
    }
    *rights = found;
    return true;
}

/* 1..16 bytes in hex. */
static bool set_df_name(struct scrip_desfire_application *application, const char *text)
{
    const size_t len = strlen(text);
    if (len == 0 || len % 2 != 0 || len > 2 * sizeof application->df_name) {
        return false;
    }
    for (size_t i = 0; i < len; i += 2) {
        int64_t byte = 0;
        const char digits[3] = {text[i], text[i + 1], '\0'};
        if (!number_read(digits, 16, 0, 0xFF, &byte) || digits[1] == '-') {
            return false;
        }
        application->df_name[i / 2] = (uint8_t)byte;
    }
    application->df_name_len = (uint8_t)(len / 2);
    return true;
}

static bool set_special(struct parser *parser, const struct name_row *row, const char *text)
{
    struct scrip_desfire_file *file = parser->file;
    struct scrip_desfire_application *application = &parser->profile->desfire.application;
    uint8_t yes = 0;
    if (strcmp(row->name, "about") == 0) {
        return snprintf(parser->profile->about, sizeof parser->profile->about, "%s", text) <
               (int)sizeof parser->profile->about;
    }
    if (strcmp(row->name, "df-name") == 0) {
        return set_df_name(application, text);
    }
    if (strcmp(row->name, "more") == 0) {
        file->may_have_more_rights = true;
        return file->more_count < SCRIP_DESFIRE_MORE_RIGHTS_MAX &&
               set_rights(parser, text, &file->more[file->more_count]) && ++file->more_count > 0;
    }
    if (!word_find(row->words, text, &yes)) { /* the two flags of value files */
        return false;
    }
    file->value_flags = (uint8_t)((file->value_flags & ~row->offset) | (yes ? row->offset : 0));
    return true;
}

/* How numbers are written, and how many bytes they fill. */
static const struct number_form {
    uint8_t base, bytes;
    int64_t low, high;
} NUMBERS[] = {
    [VALUE_U8] = {10, 1, 0, 0xFF},      [VALUE_U16] = {10, 2, 0, 0xFFFF},
    [VALUE_U32] = {10, 4, 0, 0xFFFFFF}, [VALUE_I32] = {10, 4, INT32_MIN, INT32_MAX},
    [VALUE_HEX8] = {16, 1, 0, 0xFF},    [VALUE_HEX16] = {16, 2, 1, 0xFFFF},
    [VALUE_FILE_NO] = {10, 1, 0, 31},
};

static bool set_number(const struct number_form *form, const char *text, void *at)
{
    int64_t number = 0;
    if (!number_read(text, form->base, form->low, form->high, &number)) {
        return false;
    }
    if (form->bytes == 1) {
        *(uint8_t *)at = (uint8_t)number;
    } else if (form->bytes == 2) {
        *(uint16_t *)at = (uint16_t)number;
    } else {
        *(uint32_t *)at = (uint32_t)number;
    }
    return true;
}

static bool set_value(struct parser *parser, const struct name_row *row, const char *text, void *at)
{
    switch (row->kind) {
    case VALUE_WORD:
        return word_find(row->words, text, at);
    case VALUE_RIGHT:
        return right_read(parser, text, at);
    case VALUE_KEY:
        return word_find(NONE, text, at) || key_read(parser, text, at);
    case VALUE_SECTOR_KEY:
        return storage_key_read(text, at);
    case VALUE_SPECIAL:
        return set_special(parser, row, text);
    case VALUE_FILE_NO:
        return word_find(NONE, text, at) || set_number(&NUMBERS[row->kind], text, at);
    default:
        return set_number(&NUMBERS[row->kind], text, at);
    }
}

/* ---- sections -------------------------------------------------------------------------------------------------- */

static int enter_application(struct parser *parser, const char *aid)
{
    struct scrip_desfire_application *application = &parser->profile->desfire.application;
    int64_t number = 0;
    if (strlen(aid) != 6 || !number_read(aid, 16, 1, 0xFFFFFF, &number)) {
        return profile_fail(parser->error, "[application %s]: an AID is six hex digits", aid);
    }
    if (application->aid[0] != 0 || application->aid[1] != 0 || application->aid[2] != 0) {
        return profile_fail(parser->error, "[application %s]: there is one application in a profile", aid);
    }
    scrip_put_le24(application->aid, (uint32_t)number);
    memcpy(parser->profile->desfire.purse.aid, application->aid, 3);
    parser->kind = SECTION_APPLICATION;
    return 1;
}

static int enter_file(struct parser *parser, const char *text)
{
    struct scrip_desfire_profile *desfire = &parser->profile->desfire;
    const size_t most = sizeof desfire->files / sizeof desfire->files[0];
    int64_t no = 0;
    if (!number_read(text, 10, 0, 31, &no)) {
        return profile_fail(parser->error, "[file %s]: file numbers are 0..31", text);
    }
    if ((parser->files_seen >> no & 1U) != 0) {
        return profile_fail(parser->error, "[file %s]: this file is described twice", text);
    }
    if (desfire->file_count == most) {
        return profile_fail(parser->error, "[file %s]: a profile has at most %zu files and a Transaction MAC", text,
                            most);
    }
    parser->files_seen |= 1U << no;
    parser->file = &desfire->files[desfire->file_count++];
    *parser->file = (struct scrip_desfire_file){.no = (uint8_t)no,
                                                .rights = {SCRIP_DESFIRE_RIGHT_NEVER, SCRIP_DESFIRE_RIGHT_NEVER,
                                                           SCRIP_DESFIRE_RIGHT_NEVER, SCRIP_DESFIRE_RIGHT_NEVER}};
    parser->kind = SECTION_FILE;
    return 1;
}

static int enter(struct parser *parser, const char *section)
{
    char word[32];
    const char *argument = strchr(section, ' ');
    const size_t len = argument != NULL ? (size_t)(argument - section) : strlen(section);
    if (strlen(section) >= sizeof parser->section) {
        return profile_fail(parser->error, "[%.32s...]: no such section", section);
    }
    snprintf(parser->section, sizeof parser->section, "%s", section);
    snprintf(word, sizeof word, "%.*s", (int)len, section);
    argument = argument != NULL ? argument + 1 : "";
    parser->kind = SECTION_NONE;
    if (profile_is_storage(parser->profile) && strcmp(section, "card") != 0) {
        parser->kind = SECTION_STORAGE;
        return strcmp(section, "purse") == 0
                   ? 1
                   : profile_fail(parser->error, "[%s]: a storage card has [card] and [purse], and no such section",
                                  section);
    }
    if (strcmp(word, "application") == 0) {
        return enter_application(parser, argument);
    }
    if (strcmp(section, "card") == 0) {
        parser->kind = SECTION_CARD;
        return 1;
    }
    if (parser->profile->desfire.key_count == 0) {
        return profile_fail(parser->error, "[%s]: [application] and its keys must come first", section);
    }
    parser->keys_over = true;
    if (strcmp(section, "purse") == 0) {
        parser->kind = SECTION_PURSE;
        return 1;
    }
    return strcmp(word, "file") == 0 ? enter_file(parser, argument)
                                     : profile_fail(parser->error, "[%s]: no such section", section);
}

/* key N = ROLE[, diversified] */
static int set_key(struct parser *parser, const char *name, const char *text)
{
    struct scrip_desfire_profile *desfire = &parser->profile->desfire;
    const char *comma = strchr(text, ',');
    char role[16];
    int64_t number = 0;
    if (!number_read(name, 10, 0, (int64_t)sizeof desfire->key_roles - 1, &number) || number != desfire->key_count ||
        parser->keys_over) {
        return profile_fail(parser->error, "[%s] key %s: keys are numbered 0, 1, 2 ... in order", parser->section,
                            name);
    }
    snprintf(role, sizeof role, "%.*s", comma != NULL ? (int)(comma - text) : (int)strnlen(text, 15), text);
    if (!word_find(ROLES, role, &desfire->key_roles[number]) ||
        (comma != NULL && strcmp(comma + 1 + strspn(comma + 1, " "), "diversified") != 0)) {
        return profile_fail(parser->error, "[%s] key %s = %s: ROLE, or ROLE, diversified", parser->section, name, text);
    }
    desfire->key_diversified[number] = comma != NULL;
    desfire->key_count++;
    return 1;
}

static int on_line(void *ctx, const char *section, const char *name, const char *value)
{
    struct parser *parser = ctx;
    if (strcmp(section, parser->section) != 0 && enter(parser, section) == 0) {
        return 0;
    }
    if (parser->kind == SECTION_APPLICATION && strncmp(name, "key ", 4) == 0) {
        return set_key(parser, name + 4, value);
    }
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        const struct name_row *row = &NAMES[i];
        if (row->section != parser->kind || strcmp(row->name, name) != 0) {
            continue;
        }
        uint8_t *base = parser->kind == SECTION_FILE ? (uint8_t *)parser->file : (uint8_t *)parser->profile;
        if (set_value(parser, row, value, base + (row->kind == VALUE_SPECIAL ? 0 : row->offset))) {
            return 1;
        }
        return profile_fail(parser->error, "[%s] %s: '%.40s' is not possible here", section, name, value);
    }
    return profile_fail(parser->error, "[%s] %.40s: no such name", section, name);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static void start(struct scrip_profile *profile, const char *name)
{
    memset(profile, 0, sizeof *profile);
    snprintf(profile->name, sizeof profile->name, "%s", name);
    profile->generation = SCRIP_DESFIRE_EV3;
    profile->storage = 0x1A;
    struct scrip_desfire_purse *purse = &profile->desfire.purse;
    purse->header_file = purse->log_file = purse->value_file = SCRIP_PURSE_NONE;
    purse->topup_file = purse->tmac_file = SCRIP_PURSE_NONE;
    purse->pay_key = purse->write_key = purse->topup_key = purse->id_key = SCRIP_PURSE_NONE;
    profile->purse = (struct scrip_storage_purse){.sector = 1,
                                                  .main_block = SCRIP_PURSE_NONE,
                                                  .backup_block = SCRIP_PURSE_NONE,
                                                  .key_a = {.role = SCRIP_PURSE_ROLES},
                                                  .key_b = {.role = SCRIP_PURSE_ROLES},
                                                  .upper = INT32_MIN}; /* left open */
}

enum scrip_status scrip_profile_parse(const char *name, struct scrip_bytes text, struct scrip_profile *profile,
                                      char error[SCRIP_PROFILE_ERROR_MAX])
{
    char sentence[SCRIP_PROFILE_ERROR_MAX] = "";
    struct parser parser = {.profile = profile, .error = sentence};
    if (error != NULL) {
        error[0] = '\0';
    }
    if (text.len > SCRIP_PROFILE_TEXT_MAX || strlen(name) >= sizeof profile->name) {
        return SCRIP_E_LENGTH;
    }
    char *copy = malloc(text.len + 1);
    if (copy == NULL) {
        return SCRIP_E_MEMORY;
    }
    memcpy(copy, text.len > 0 ? (const char *)text.at : "", text.len);
    copy[text.len] = '\0';
    start(profile, name);
    const int line = strlen(copy) == text.len ? ini_parse_string(copy, on_line, &parser) : 1;
    free(copy);
    const bool good = line == 0 && profile_finish(profile, sentence) == 1;
    profile->desfire.name = profile->name;
    profile->desfire.about = profile->about;
    if (!good && error != NULL && line > 0) {
        snprintf(error, SCRIP_PROFILE_ERROR_MAX, "line %d: %.200s", line,
                 sentence[0] != '\0' ? sentence : "neither [SECTION] nor NAME = VALUE");
    } else if (!good && error != NULL) {
        snprintf(error, SCRIP_PROFILE_ERROR_MAX, "%s", sentence);
    }
    return good ? SCRIP_OK : SCRIP_E_FORMAT;
}
