/* profile.h: card profiles, small text files that say how a card is laid out and who may do what on it.
 *
 * A profile is an INI file. Sections in this order; '#' and ';' begin a comment:
 *
 *   [card]                    what to make
 *     family = desfire | classic | otp
 *     about = TEXT            one line for people
 *     generation = EV1 | EV2 | EV3
 *     storage = 2K | 4K | 8K | 16K | 32K
 *     random-id = yes | no    switch on random UIDs (cannot be undone)
 *   [application 014499]      the AID as printed
 *     settings = 09           key settings byte (KS1), hex
 *     df-name = HEX           ISO DF name, 1..16 bytes
 *     iso-fid = E110          ISO file id, hex
 *     key 0 = amk             the role of each key, in order; "pay, diversified" for one that differs per card
 *   [file 1] .. [file 31]
 *     type = standard | backup | value | linear | cyclic | tmac
 *     comm = plain | mac | full
 *     read, write, read-write, change = KEY     a role, a key number, free or never
 *     more = READ WRITE READ-WRITE CHANGE       one more set of rights; may be repeated (EV2 and later)
 *     iso-fid = EF01
 *     size = BYTES                              standard and backup
 *     lower, upper, value = AMOUNT              value files, minor units
 *     free-read = yes | no                      value files: anybody may ask for the value
 *     limited-credit = yes | no                 value files
 *     record-size = BYTES, records = COUNT      record files; a cyclic file keeps one less readable
 *   [purse]                   where the wallet finds things
 *     messaging = EV2 | EV1
 *     header-file, log-file, value-file, topup-file, tmac-file = NUMBER | none
 *     pay-key, write-key, topup-key, id-key = KEY | none
 *     reader-id, long-codes, smallest-debit, log-by-server, header-open = yes | no
 *
 * That was DESFire. A storage card (classic, otp) has [card] and [purse] only:
 *
 *   [card]
 *     family = classic | otp
 *     about = TEXT
 *     size = 1K | 4K          classic [1K]
 *     uid = 4 | 7             classic: bytes of the UID [4]
 *   [purse]
 *     kind = native | bcd | otp          bcd and native on classic
 *     access = hardened | compatible     [hardened]
 *     sector = NUMBER                    classic [1]; both blocks are in it
 *     main-block, backup-block = NUMBER  classic [the first two of the sector]
 *     key-a, key-b = ROLE[, diversified] | factory     the first six bytes of that key
 *     upper = AMOUNT                     most that a credit may make of it
 *     unit = AMOUNT, units = COUNT       otp: minor units per bit, bits
 *
 * Terminals and servers know the purses of scrip_desfire_profile_at and scrip_storage_purse_make; a profile of another
 * name can be made and looked at, and needs a terminal that is told about it. */
#ifndef SCRIP_PROFILE_H
#define SCRIP_PROFILE_H

#include <scrip/purse_desfire.h>
#include <scrip/purse_storage.h>
#include <scrip/vcard.h>

#define SCRIP_PROFILE_ERROR_MAX 256U
#define SCRIP_PROFILE_TEXT_MAX  65536U /**< longest profile file, bytes */

/** A profile as read. `desfire.name` and `desfire.about` point into this struct: it must not be copied. */
struct scrip_profile {
    char name[24];
    char about[160];
    uint8_t family;                       /**< enum scrip_vcard_family */
    uint8_t generation;                   /**< DESFire: enum scrip_desfire_generation */
    uint8_t storage;                      /**< DESFire: GetVersion storage byte */
    uint8_t variant;                      /**< classic: enum scrip_vcard_variant */
    uint8_t uid_len;                      /**< 4 or 7 */
    struct scrip_desfire_profile desfire; /**< DESFire only */
    struct scrip_storage_purse purse;     /**< classic and otp only */
};

/** Read a profile's text.
 *  @param name   how it is to be called, up to 23 characters: "an12113"
 *  @param error  receives one sentence with the line number when it fails; may be NULL
 *  @return SCRIP_OK; SCRIP_E_FORMAT: see `error`; SCRIP_E_LENGTH: too long, or the name is; SCRIP_E_MEMORY */
enum scrip_status scrip_profile_parse(const char *name, struct scrip_bytes text, struct scrip_profile *profile,
                                      char error[SCRIP_PROFILE_ERROR_MAX]);

/** Read a profile by name or path. A word without '/' is looked for as NAME.profile in $SCRIP_PROFILES, in the
 *  directory where scrip was installed, and in ./profiles; those of scrip_desfire_profile_make and
 *  scrip_storage_purse_make are known without a file.
 *  @return as scrip_profile_parse; SCRIP_E_NOT_FOUND: no such profile; SCRIP_E_IO */
enum scrip_status scrip_profile_load(const char *name, struct scrip_profile *profile,
                                     char error[SCRIP_PROFILE_ERROR_MAX]);

/** How much a finding of the lint matters. */
enum scrip_lint_level {
    SCRIP_LINT_INFO,    /**< what is so */
    SCRIP_LINT_WARNING, /**< works, and is weaker than it could be */
    SCRIP_LINT_ERROR,   /**< value can be made by somebody who should not */
};

/** Who may do what, and what is dangerous about it.
 *  @param each  called for every finding with one sentence; borrowed for the call
 *  @return SCRIP_OK: no error; SCRIP_E_LIMIT: there are errors */
enum scrip_status scrip_profile_lint(const struct scrip_profile *profile,
                                     void (*each)(void *ctx, enum scrip_lint_level level, const char *sentence),
                                     void *ctx);

/** By which name terminals know the purse of a storage card's profile (`--purse`): "classic", "bcd+hardened",
 *  "classic+sector=5".
 *  @return true; false: they know no such purse */
bool scrip_profile_storage_name(const struct scrip_profile *profile, char name[32]);

/** The name of a role: "amk", "pay", "write", "topup", "tmac", "picc", "id", "bcd"; "?" for others. Static memory. */
const char *scrip_profile_role_name(uint8_t role);

#endif
