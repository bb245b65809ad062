/* Purses by name, their numbers in journals, and whose keys a sector has. */
#include "storage.h"
#include <string.h>

enum { KEY = 6, SECTORS = 40, UPPER_CLASSIC = 50000, OTP_UNITS = 6000 };

static const struct named {
    const char *name;
    const char *about;
    struct scrip_storage_purse purse;
} purses[] = {
    {.name = "classic",
     .about = "MIFARE Classic: a native value block with its backup; gates may only take",
     .purse = {.kind = SCRIP_STORAGE_NATIVE,
               .access = SCRIP_STORAGE_HARDENED,
               .sector = 1,
               .main_block = 4,
               .backup_block = 5,
               .trailer_block = 7,
               .key_a = {SCRIP_PURSE_PAY, true},
               .key_b = {SCRIP_PURSE_TOPUP, true},
               .upper = UPPER_CLASSIC}},
    {.name = "bcd",
     .about = "MIFARE Classic: the BCD wallet of makers, on the layout of the original code",
     .purse = {.kind = SCRIP_STORAGE_BCD,
               .access = SCRIP_STORAGE_COMPATIBLE,
               .sector = 1,
               .main_block = 4,
               .backup_block = 5,
               .trailer_block = 7,
               .key_a = {SCRIP_PURSE_BCD, false},
               .key_b = {SCRIP_PURSE_BCD, false},
               .upper = SCRIP_BCD_MAX}},
    {.name = "otp",
     .about = "OTP memory: the one-time wallet; one bit per unit, debits only",
     .purse = {.kind = SCRIP_STORAGE_OTP,
               .access = SCRIP_STORAGE_HARDENED,
               .sector = 0,
               .main_block = 1,
               .backup_block = SCRIP_PURSE_NONE,
               .trailer_block = 3,
               .key_a = {SCRIP_PURSE_PAY, true},
               .key_b = {SCRIP_PURSE_TOPUP, true},
               .upper = INT32_MAX}},
};

#define PURSES (sizeof purses / sizeof purses[0])

const char *scrip_storage_name_at(size_t i)
{
    return i < PURSES ? purses[i].name : NULL;
}

const char *scrip_storage_about_at(size_t i)
{
    return i < PURSES ? purses[i].about : NULL;
}

const char *scrip_storage_kind_name(uint8_t kind)
{
    return kind >= SCRIP_STORAGE_NATIVE && kind < SCRIP_STORAGE_KINDS ? purses[kind - 1].name : "?";
}

/* ---- names with options ---- */

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
    size_t i = 0;
    while (i < len && word[i] != '\0' && text[i] == word[i]) {
        i++;
    }
    return i == len && word[i] == '\0';
}

/* Digits to the end of the word. @return SCRIP_E_NOT_FOUND: none, others, or above `most` */
static enum scrip_status take_number(const char *digits, size_t len, uint32_t most, uint32_t *number)
{
    uint32_t read = 0;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9' || read > most / 10) {
            return SCRIP_E_NOT_FOUND;
        }
        read = read * 10 + (uint32_t)(digits[i] - '0');
    }
    if (len == 0 || read > most) {
        return SCRIP_E_NOT_FOUND;
    }
    *number = read;
    return SCRIP_OK;
}

static enum scrip_status set_sector(struct scrip_storage_purse *purse, const char *digits, size_t len)
{
    uint32_t sector = 0;
    SCRIP_TRY(take_number(digits, len, 99, &sector));
    if (purse->kind == SCRIP_STORAGE_OTP || sector == 0 || sector >= SECTORS) {
        return SCRIP_E_UNSUPPORTED;
    }
    purse->sector = (uint8_t)sector;
    purse->main_block = scrip_classic_first(purse->sector);
    purse->backup_block = (uint8_t)(purse->main_block + 1);
    purse->trailer_block = scrip_classic_trailer(purse->sector);
    return SCRIP_OK;
}

/* Key A reads; key B writes, and belongs to tills and top-up terminals: the wallet's own key, one per card. */
static enum scrip_status set_hardened(struct scrip_storage_purse *purse)
{
    if (purse->kind != SCRIP_STORAGE_BCD) {
        return SCRIP_E_UNSUPPORTED;
    }
    purse->access = SCRIP_STORAGE_HARDENED;
    purse->key_a = (struct scrip_storage_key){SCRIP_PURSE_PAY, true};
    purse->key_b = (struct scrip_storage_key){SCRIP_PURSE_BCD, true};
    return SCRIP_OK;
}

/* What one unit of a one-time wallet is worth, and how many it has. */
static enum scrip_status set_unit(struct scrip_storage_purse *purse, const char *digits, size_t len)
{
    uint32_t unit = 0;
    SCRIP_TRY(take_number(digits, len, INT32_MAX, &unit));
    if (purse->kind != SCRIP_STORAGE_OTP || unit == 0) {
        return SCRIP_E_UNSUPPORTED;
    }
    purse->unit = unit;
    return SCRIP_OK;
}

static enum scrip_status set_units(struct scrip_storage_purse *purse, const char *digits, size_t len)
{
    uint32_t units = 0;
    SCRIP_TRY(take_number(digits, len, UINT16_MAX, &units));
    if (purse->kind != SCRIP_STORAGE_OTP || units == 0 || units > OTP_UNITS) {
        return SCRIP_E_UNSUPPORTED;
    }
    purse->units = (uint16_t)units;
    return SCRIP_OK;
}

static const struct {
    const char *name; /* with its equals sign */
    enum scrip_status (*set)(struct scrip_storage_purse *purse, const char *digits, size_t len);
} numbers[] = {{"sector=", set_sector}, {"unit=", set_unit}, {"units=", set_units}};

static enum scrip_status apply(struct scrip_storage_purse *purse, const char *option, size_t len)
{
    if (is_word(option, len, "hardened")) {
        return set_hardened(purse);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const size_t head = word_len(numbers[i].name);
        if (len >= head && is_word(option, head, numbers[i].name)) {
            return numbers[i].set(purse, option + head, len - head);
        }
    }
    return SCRIP_E_NOT_FOUND;
}

enum scrip_status scrip_storage_purse_make(const char *name, struct scrip_storage_purse *purse)
{
    size_t len = word_len(name);
    size_t i = 0;
    while (i < PURSES && !is_word(name, len, purses[i].name)) {
        i++;
    }
    if (i == PURSES) {
        return SCRIP_E_NOT_FOUND;
    }
    struct scrip_storage_purse made = purses[i].purse;
    while (name[len] == '+') {
        name += len + 1;
        len = word_len(name);
        SCRIP_TRY(apply(&made, name, len));
    }
    *purse = made;
    return SCRIP_OK;
}

static bool is_data_block(const struct scrip_storage_purse *purse, uint8_t block)
{
    return block != 0 && block != purse->trailer_block && scrip_classic_sector(block) == purse->sector;
}

enum scrip_status scrip_storage_purse_check(const struct scrip_storage_purse *purse)
{
    const int32_t most = purse->kind == SCRIP_STORAGE_BCD ? SCRIP_BCD_MAX : INT32_MAX;
    const bool one_copy = purse->kind == SCRIP_STORAGE_OTP;
    const bool good =
        purse->kind >= SCRIP_STORAGE_NATIVE && purse->kind < SCRIP_STORAGE_KINDS &&
        purse->access <= SCRIP_STORAGE_COMPATIBLE && purse->sector < SECTORS &&
        purse->trailer_block == scrip_classic_trailer(purse->sector) && is_data_block(purse, purse->main_block) &&
        purse->upper >= 0 && purse->upper <= most &&
        (one_copy || (is_data_block(purse, purse->backup_block) && purse->backup_block != purse->main_block));
    return good ? SCRIP_OK : SCRIP_E_ARGUMENT;
}

/* ---- numbers and names of cards ---- */

uint8_t scrip_storage_profile_id(const struct scrip_storage_purse *purse)
{
    const unsigned hardened = purse->access == SCRIP_STORAGE_HARDENED ? SCRIP_STORAGE_PROFILE_HARDENED : 0U;
    return (uint8_t)(SCRIP_STORAGE_PROFILE | hardened | purse->kind);
}

enum scrip_status scrip_storage_uid(struct scrip_bytes uid, uint8_t out[7])
{
    if (uid.len != 4 && uid.len != 7) {
        return SCRIP_E_UNSUPPORTED;
    }
    memset(out, 0, 7);
    memcpy(out, uid.at, uid.len);
    return SCRIP_OK;
}

bool scrip_storage_is_classic(const struct scrip_card_info *card)
{
    /* 3B 8F 80 01 80 4F 0C, RID of PC/SC, standard 03 (ISO 14443-3 A), name, four zeros, check byte */
    static const uint8_t head[] = {0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06, 0x03};
    static const uint8_t names[][2] = {{0x00, 0x01}, {0x00, 0x02}, {0x00, 0x26}}; /* 1K, 4K, Mini */
    if (card->ats_len < sizeof head + 2 || memcmp(card->ats, head, sizeof head) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (memcmp(card->ats + sizeof head, names[i], sizeof names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- keys ---- */

struct scrip_bytes scrip_storage_diversify_input(struct scrip_bytes uid, uint8_t sector, uint8_t *m)
{
    static const uint8_t text[] = {'C', 'L', 'A', 'S', 'S', 'I', 'C'};
    struct scrip_buf buf = scrip_buf(m, SCRIP_PURSE_DIVERSIFY_MAX);
    (void)scrip_buf_add_bytes(&buf, scrip_bytes_head(uid, 7));
    (void)scrip_buf_add_u8(&buf, sector);
    (void)scrip_buf_add(&buf, text, sizeof text);
    return scrip_buf_bytes(&buf);
}

enum scrip_status scrip_storage_key_get(const struct scrip_storage_purse *purse, const struct scrip_storage_key *key,
                                        const struct scrip_purse_keys *keys, struct scrip_bytes uid, uint8_t out[KEY])
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    uint8_t whole[16];
    if (key->role == SCRIP_STORAGE_FACTORY) {
        memset(out, 0xFF, KEY);
        return SCRIP_OK;
    }
    const struct scrip_bytes input =
        key->diversified ? scrip_storage_diversify_input(uid, purse->sector, m) : scrip_bytes(NULL, 0);
    SCRIP_TRY(keys->get(keys->ctx, (enum scrip_purse_role)key->role, input, whole));
    memcpy(out, whole, KEY);
    scrip_wipe(whole, sizeof whole);
    return SCRIP_OK;
}
