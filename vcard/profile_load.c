/* profile_load.c: profiles by name or path. */
#include <errno.h>
#include <scrip/desfire_card.h>
#include <scrip/profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SCRIP_PROFILE_DIR
#define SCRIP_PROFILE_DIR "/usr/local/share/scrip/profiles"
#endif

static void say(char error[SCRIP_PROFILE_ERROR_MAX], const char *path, const char *what)
{
    if (error != NULL) {
        snprintf(error, SCRIP_PROFILE_ERROR_MAX, "%.120s: %.120s", path, what);
    }
}

/* The name of a profile is its file's, without folder and ending. */
static void name_of(const char *path, char name[24])
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const size_t len = strlen(base);
    const char *ending = len > 8 && strcmp(base + len - 8, ".profile") == 0 ? base + len - 8 : base + len;
    snprintf(name, 24, "%.*s", (int)(ending - base), base);
}

static enum scrip_status load_file(const char *path, struct scrip_profile *profile, char error[SCRIP_PROFILE_ERROR_MAX])
{
    char name[24];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return errno == ENOENT ? SCRIP_E_NOT_FOUND : SCRIP_E_IO;
    }
    uint8_t *text = malloc(SCRIP_PROFILE_TEXT_MAX + 1U);
    const size_t len = text != NULL ? fread(text, 1, SCRIP_PROFILE_TEXT_MAX + 1U, file) : 0;
    const bool failed = text == NULL || ferror(file) != 0;
    fclose(file);
    if (failed) {
        free(text);
        return SCRIP_E_IO;
    }
    name_of(path, name);
    char sentence[SCRIP_PROFILE_ERROR_MAX] = "";
    const enum scrip_status status = scrip_profile_parse(name, scrip_bytes(text, len), profile, sentence);
    free(text);
    if (status != SCRIP_OK) {
        say(error, path, sentence[0] != '\0' ? sentence : scrip_strerror(status));
    }
    return status;
}

static bool same_key(const struct scrip_storage_key *a, const struct scrip_storage_key *b)
{
    return a->role == b->role && a->diversified == b->diversified;
}

/* Limits and units are the terminal's and the card's matter: what a terminal must know is where, how and whose keys. */
static bool same_purse(const struct scrip_storage_purse *a, const struct scrip_storage_purse *b)
{
    return a->kind == b->kind && a->access == b->access && a->sector == b->sector && a->main_block == b->main_block &&
           a->backup_block == b->backup_block && same_key(&a->key_a, &b->key_a) && same_key(&a->key_b, &b->key_b);
}

bool scrip_profile_storage_name(const struct scrip_profile *profile, char name[32])
{
    static const char *const options[] = {"", "+hardened"};
    const char *base;
    for (size_t i = 0; (base = scrip_storage_name_at(i)) != NULL; i++) {
        for (size_t o = 0; o < 2 * sizeof options / sizeof options[0]; o++) {
            char tried[32], sector[16] = "";
            struct scrip_storage_purse purse;
            if (o % 2 == 1) {
                snprintf(sector, sizeof sector, "+sector=%u", profile->purse.sector);
            }
            snprintf(tried, sizeof tried, "%.8s%s%s", base, options[o / 2], sector);
            if (scrip_storage_purse_make(tried, &purse) == SCRIP_OK && same_purse(&purse, &profile->purse)) {
                memcpy(name, tried, sizeof tried);
                return true;
            }
        }
    }
    return false;
}

/* Which purse a name means, whatever its options. */
static const char *storage_about(const char *name)
{
    const char *base;
    for (size_t i = 0; (base = scrip_storage_name_at(i)) != NULL; i++) {
        if (strncmp(name, base, strcspn(name, "+")) == 0 && strlen(base) == strcspn(name, "+")) {
            return scrip_storage_about_at(i);
        }
    }
    return "";
}

/* The name of the purse in that of a card of 4K (classic-4k+sector=7). @return is it one? */
static bool purse_of_4k(const char *name, char purse[32])
{
    const size_t base = strcspn(name, "+");
    if (base < 3 || memcmp(name + base - 3, "-4k", 3) != 0 || strlen(name) - 3 >= 32) {
        return false;
    }
    snprintf(purse, 32, "%.*s%s", (int)(base - 3), name, name + base);
    return true;
}

/* A card for a purse of the wallet; an OTP card without a file has the face value of the shipped profile. */
static enum scrip_status load_storage(const char *name, struct scrip_profile *profile)
{
    char purse[32];
    const bool large = purse_of_4k(name, purse);
    SCRIP_TRY(scrip_storage_purse_make(large ? purse : name, &profile->purse));
    if (large && profile->purse.kind == SCRIP_STORAGE_OTP) {
        return SCRIP_E_NOT_FOUND;
    }
    const bool otp = profile->purse.kind == SCRIP_STORAGE_OTP;
    profile->family = otp ? SCRIP_VCARD_OTP : SCRIP_VCARD_CLASSIC;
    profile->variant = large || profile->purse.sector >= 16 ? SCRIP_VCARD_4K : SCRIP_VCARD_1K;
    profile->uid_len = large ? 7 : 4;
    if (otp) {
        profile->purse.unit = profile->purse.unit != 0 ? profile->purse.unit : 50;
        profile->purse.units = profile->purse.units != 0 ? profile->purse.units : 100;
    }
    snprintf(profile->name, sizeof profile->name, "%s", name);
    snprintf(profile->about, sizeof profile->about, "%s", storage_about(large ? purse : name));
    return SCRIP_OK;
}

/* The purses that the wallet knows need no file. */
static enum scrip_status load_known(const char *name, struct scrip_profile *profile)
{
    if (strlen(name) >= sizeof profile->name) {
        return SCRIP_E_NOT_FOUND;
    }
    memset(profile, 0, sizeof *profile);
    if (load_storage(name, profile) == SCRIP_OK) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_desfire_profile_make(name, &profile->desfire));
    profile->uid_len = 7;
    const bool old = profile->desfire.purse.sm == SCRIP_DESFIRE_SM_EV1;
    snprintf(profile->name, sizeof profile->name, "%s", name);
    snprintf(profile->about, sizeof profile->about, "%s", profile->desfire.about);
    profile->family = SCRIP_VCARD_DESFIRE;
    profile->generation = old ? SCRIP_DESFIRE_EV1 : SCRIP_DESFIRE_EV3;
    profile->storage = 0x1A; /* 8K */
    profile->desfire.name = profile->name;
    profile->desfire.about = profile->about;
    return SCRIP_OK;
}

enum scrip_status scrip_profile_load(const char *name, struct scrip_profile *profile,
                                     char error[SCRIP_PROFILE_ERROR_MAX])
{
    const char *const folders[] = {getenv("SCRIP_PROFILES"), SCRIP_PROFILE_DIR, "profiles"};
    enum scrip_status status = SCRIP_E_NOT_FOUND;
    if (strchr(name, '/') != NULL) {
        status = load_file(name, profile, error);
    }
    for (size_t i = 0; strchr(name, '/') == NULL && i < 3 && status == SCRIP_E_NOT_FOUND; i++) {
        char path[1024];
        if (folders[i] != NULL && snprintf(path, sizeof path, "%s/%s.profile", folders[i], name) < (int)sizeof path) {
            status = load_file(path, profile, error);
        }
    }
    if (status == SCRIP_E_NOT_FOUND && strchr(name, '/') == NULL) {
        status = load_known(name, profile);
    }
    if (status == SCRIP_E_NOT_FOUND) {
        say(error, name, "there is no such profile (looked in $SCRIP_PROFILES, " SCRIP_PROFILE_DIR " and ./profiles)");
    } else if (status == SCRIP_E_IO) {
        say(error, name, strerror(errno));
    }
    return status;
}
