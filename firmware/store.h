/* store.h: what the terminal keeps in flash: its settings and keys, and behind them the journal.
 *
 * Pages 0..5 and 6..11 hold two copies of the settings; the newer one that is whole counts, and the other one is
 * written next, so that a power loss leaves the settings of before. The journal begins at page 12. */
#ifndef FIRMWARE_STORE_H
#define FIRMWARE_STORE_H

#include <scrip/journal.h>
#include <scrip/purse_desfire.h>

/** Roles whose keys a terminal may be given; their numbers are those of enum scrip_purse_role. */
#define STORE_KEYS        10U

/** Keys that come to cards one by one, pay, write and topup: the one before is kept for the cards that have it still.
 */
#define STORE_OLDER_FIRST SCRIP_PURSE_PAY
#define STORE_OLDER       3U

#define STORE_NAME        24U

/** What is set at the console. */
struct settings {
    uint32_t generation; /**< of the copy in flash; 0: never stored */
    uint8_t terminal[4];
    uint16_t currency;        /**< ISO 4217 number */
    int32_t price;            /**< minor units */
    uint64_t clock_ms;        /**< time of day when it was set or the terminal last stored it: since 1970 */
    char desfire[STORE_NAME]; /**< purse on DESFire: a name of scrip_desfire_profile_make */
    char classic[STORE_NAME]; /**< purse on MIFARE Classic: a name of scrip_storage_purse_make */
    uint16_t has_key;         /**< bit per role */
    uint8_t key[STORE_KEYS][16];
    uint8_t older[STORE_OLDER][16]; /**< those before, of the roles from STORE_OLDER_FIRST on */
    uint8_t has_older;              /**< bit per one of them */
    uint8_t seed[16];               /**< secret of the random number generator; changes at every start */
};

/** Read the settings; those of a new terminal where there are none. @return SCRIP_OK; SCRIP_E_NV */
enum scrip_status store_load(const struct scrip_nv *flash, struct settings *settings);

/** Write them into the older copy. @return SCRIP_OK; SCRIP_E_NV: the copy of before still counts */
enum scrip_status store_save(const struct scrip_nv *flash, struct settings *settings);

/** The journal's share of the flash. Static; valid from the first call on. */
const struct scrip_nv *store_journal(const struct scrip_nv *flash);

/** Take a key. The one before stays as the older one; the same key again forgets the older one.
 *  @param role below STORE_KEYS */
void store_take_key(struct settings *settings, enum scrip_purse_role role, const uint8_t key[16]);

/** The older key of a role, as scrip_purse_request.get_version asks for it: this terminal has no more than one,
 * whatever version the card says that it has. @param ctx the settings @return SCRIP_OK; SCRIP_E_KEY: there is none */
enum scrip_status store_older_key(void *ctx, enum scrip_purse_role role, uint8_t version, struct scrip_bytes m,
                                  uint8_t out[16]);

/** Keys for the purse: diversified by AN10922 where it asks for that. `ctx` of the result is `settings`, borrowed. */
struct scrip_purse_keys store_keys(struct settings *settings);

/** Random bytes: AES-128 in counter mode under a seed that was mixed from flash and the board's entropy, and replaced
 *  in flash before the first byte is used, so that no start repeats another. */
struct generator {
    uint8_t key[16];
    uint64_t counter;
};

/** @return SCRIP_OK; SCRIP_E_NV: the new seed could not be stored, nothing may be drawn */
enum scrip_status generator_start(struct generator *generator, struct settings *settings, const struct scrip_nv *flash,
                                  const uint8_t entropy[16]);

/** Draw from it. @param generator borrowed */
struct scrip_random generator_random(struct generator *generator);

#endif
