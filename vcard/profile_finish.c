/* profile_finish.c: is what a profile says of one piece? Files and keys that the purse names must be there, sizes must
 * be those of the purse; what was left open gets its usual value. */
#include "profile_finish.h"
#include <scrip/bcd.h>
#include <scrip/classic.h>
#include <scrip/otp.h>
#include <stdarg.h>
#include <stdio.h>

int profile_fail(char *error, const char *format, ...)
{
    if (error[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(error, SCRIP_PROFILE_ERROR_MAX, format, args);
        va_end(args);
    }
    return 0;
}

bool profile_is_storage(const struct scrip_profile *profile)
{
    return profile->family == SCRIP_VCARD_CLASSIC || profile->family == SCRIP_VCARD_OTP;
}

static const struct scrip_desfire_file *find_file(const struct scrip_desfire_profile *desfire, uint8_t no)
{
    for (uint8_t i = 0; i < desfire->file_count; i++) {
        if (desfire->files[i].no == no) {
            return &desfire->files[i];
        }
    }
    return NULL;
}

/* The Transaction MAC file is kept apart from the others. */
static int split_off_tmac(struct scrip_desfire_profile *desfire, char *error)
{
    uint8_t kept = 0;
    bool found = false;
    for (uint8_t i = 0; i < desfire->file_count; i++) {
        if (desfire->files[i].type != SCRIP_DESFIRE_FILE_TMAC) {
            desfire->files[kept++] = desfire->files[i];
            continue;
        }
        if (found) {
            return profile_fail(error, "[file %u]: an application has one Transaction MAC file", desfire->files[i].no);
        }
        found = true;
        desfire->tmac = desfire->files[i];
    }
    desfire->file_count = kept;
    if (found != (desfire->purse.tmac_file != SCRIP_PURSE_NONE) ||
        (found && desfire->tmac.no != desfire->purse.tmac_file)) {
        return profile_fail(error, "[purse] tmac-file does not name the Transaction MAC file");
    }
    return 1;
}

static int check_purse_files(const struct scrip_desfire_profile *desfire, char *error)
{
    const struct scrip_desfire_purse *purse = &desfire->purse;
    const struct {
        const char *name;
        uint8_t no, type, other_type;
    } wanted[] = {
        {"header-file", purse->header_file, SCRIP_DESFIRE_FILE_BACKUP, SCRIP_DESFIRE_FILE_STANDARD},
        {"value-file", purse->value_file, SCRIP_DESFIRE_FILE_VALUE, SCRIP_DESFIRE_FILE_VALUE},
        {"log-file", purse->log_file, SCRIP_DESFIRE_FILE_CYCLIC, SCRIP_DESFIRE_FILE_CYCLIC},
        {"topup-file", purse->topup_file, SCRIP_DESFIRE_FILE_CYCLIC, SCRIP_DESFIRE_FILE_CYCLIC},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const struct scrip_desfire_file *file = find_file(desfire, wanted[i].no);
        if (file == NULL || (file->type != wanted[i].type && file->type != wanted[i].other_type)) {
            return profile_fail(error, "[purse] %s: there is no such file of the right type", wanted[i].name);
        }
        if (file->type == SCRIP_DESFIRE_FILE_CYCLIC && file->record_size != SCRIP_PURSE_RECORD) {
            return profile_fail(error, "[file %u]: records of a log have %u bytes", file->no, SCRIP_PURSE_RECORD);
        }
        if (i == 0 && file->size < SCRIP_PURSE_HEADER) {
            return profile_fail(error, "[file %u]: the card header takes %u bytes", file->no, SCRIP_PURSE_HEADER);
        }
    }
    return 1;
}

static int check_keys(const struct scrip_desfire_profile *desfire, char *error)
{
    const struct scrip_desfire_purse *purse = &desfire->purse;
    if (purse->pay_key == SCRIP_PURSE_NONE || purse->write_key == SCRIP_PURSE_NONE ||
        purse->topup_key == SCRIP_PURSE_NONE) {
        return profile_fail(error, "[purse]: pay-key, write-key and topup-key must be named");
    }
    if (desfire->random_id && purse->id_key == SCRIP_PURSE_NONE) {
        return profile_fail(error, "[purse] id-key: a card with random UIDs needs one");
    }
    return 1;
}

/* What a profile of a storage card leaves open. */
static void storage_usual(struct scrip_storage_purse *purse)
{
    const bool otp = purse->kind == SCRIP_STORAGE_OTP;
    if (purse->upper == INT32_MIN) {
        purse->upper = purse->kind == SCRIP_STORAGE_BCD ? SCRIP_BCD_MAX : INT32_MAX;
    }
    if (otp) {
        purse->sector = 0;
        purse->main_block = 1; /* where the card has its face value */
        purse->backup_block = SCRIP_PURSE_NONE;
    } else if (purse->sector < 40) {
        const uint8_t first = scrip_classic_first(purse->sector);
        purse->main_block = purse->main_block == SCRIP_PURSE_NONE ? first : purse->main_block;
        purse->backup_block = purse->backup_block == SCRIP_PURSE_NONE ? (uint8_t)(first + 1) : purse->backup_block;
    }
    purse->trailer_block = purse->sector < 40 ? scrip_classic_trailer(purse->sector) : 0;
}

static int finish_storage(struct scrip_profile *profile, char *error)
{
    struct scrip_storage_purse *purse = &profile->purse;
    const bool otp = profile->family == SCRIP_VCARD_OTP;
    if (purse->kind == 0 || (purse->kind == SCRIP_STORAGE_OTP) != otp) {
        return profile_fail(error, "[purse] kind: %s",
                            otp ? "an otp card has the kind otp" : "a classic card has native or bcd");
    }
    if (otp && (profile->variant != SCRIP_VCARD_1K || profile->uid_len == 7)) {
        return profile_fail(error, "[card]: there is one size of otp cards, with a UID of 4 bytes");
    }
    if (otp && (purse->unit == 0 || purse->units == 0 || purse->units > SCRIP_OTP_UNITS ||
                (int64_t)purse->unit * purse->units > INT32_MAX)) {
        return profile_fail(error, "[purse] unit, units: 1 to %u units, together at most 2147483647", SCRIP_OTP_UNITS);
    }
    if (!otp && (purse->unit != 0 || purse->units != 0)) {
        return profile_fail(error, "[purse] unit, units: only otp cards are sold in units");
    }
    if (purse->key_a.role == SCRIP_PURSE_ROLES || purse->key_b.role == SCRIP_PURSE_ROLES) {
        return profile_fail(error, "[purse]: key-a and key-b must be named");
    }
    storage_usual(purse);
    profile->uid_len = profile->uid_len != 0 ? profile->uid_len : 4;
    if (purse->sector >= (profile->variant == SCRIP_VCARD_4K ? 40 : 16)) {
        return profile_fail(error, "[purse] sector: the card has no such sector");
    }
    return scrip_storage_purse_check(purse) == SCRIP_OK
               ? 1
               : profile_fail(error, "[purse]: the blocks must be two data blocks of the sector, and upper possible");
}

int profile_finish(struct scrip_profile *profile, char *error)
{
    struct scrip_desfire_profile *desfire = &profile->desfire;
    if (profile->family == 0) {
        return profile_fail(error, "[card] family is missing");
    }
    if (profile_is_storage(profile)) {
        return finish_storage(profile, error);
    }
    if (profile->variant != 0 || profile->uid_len != 0) {
        return profile_fail(error, "[card] size, uid: a desfire card has storage, and a UID of 7 bytes");
    }
    profile->uid_len = 7;
    if (desfire->key_count == 0 || desfire->purse.sm == 0) {
        return profile_fail(error, "%s is missing", desfire->key_count == 0 ? "[application]" : "[purse] messaging");
    }
    if (split_off_tmac(desfire, error) == 0 || check_purse_files(desfire, error) == 0 ||
        check_keys(desfire, error) == 0) {
        return 0;
    }
    struct scrip_desfire_application *application = &desfire->application;
    application->has_iso_fid = application->iso_fid != 0;
    application->ks2 = (uint8_t)(0x80U | desfire->key_count);
    for (uint8_t i = 0; i < desfire->file_count; i++) {
        desfire->files[i].has_iso_fid = desfire->files[i].iso_fid != 0;
        application->ks2 = (uint8_t)(application->ks2 | (desfire->files[i].has_iso_fid ? 0x20U : 0));
    }
    return 1;
}
