#include "session.h"

#include "../token.h"

#include <string.h>

/* The numbers of both enums are the same by agreement of their headers. */
_Static_assert((int)SCRIP_PURSE_TOPUP == (int)SCRIP_KEY_TOPUP && (int)SCRIP_PURSE_TMAC == (int)SCRIP_KEY_TMAC &&
                   (int)SCRIP_PURSE_ID == (int)SCRIP_KEY_ID && (int)SCRIP_PURSE_AMK == (int)SCRIP_KEY_AMK,
               "roles of purse and key store have the same numbers");

enum scrip_status ota_key(const struct ota *ota, enum scrip_purse_role role, unsigned version, uint8_t key[16])
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    const struct scrip_bytes input = scrip_purse_diversify_input(role, ota->order.uid, ota->profile.purse.aid, m);
    if (role == SCRIP_PURSE_AMK || role == SCRIP_PURSE_ID) {
        version = SCRIP_KEY_NEWEST; /* these are not rolled card by card */
    }
    return scrip_keys_diversify(ota->context->keys, (enum scrip_key_role)role, version, input, key);
}

/* The same request must give the same bytes, from any instance and after any restart, so RndA is no random number but
 * a keyed hash of all that makes the request what it is. The issue number is part of it: when a request comes again
 * after something was issued, the session keys are other ones, and answers recorded in the old session are worthless.
 */
static enum scrip_status make_rnda(const struct ota *ota, enum scrip_purse_role role, uint8_t rnda[16])
{
    uint8_t hash[32];
    uint8_t numbers[8];
    scrip_put_le32(numbers, ota->session.issue_no);
    numbers[4] = (uint8_t)role;
    numbers[5] = ota->session.key_version;
    numbers[6] = ota->session.stage;
    numbers[7] = ota->session.restarts;
    const struct scrip_bytes pieces[] = {
        scrip_bytes(ota->digest, sizeof ota->digest),
        scrip_bytes(ota->order.uid, sizeof ota->order.uid),
        scrip_bytes(numbers, sizeof numbers),
    };
    SCRIP_TRY(token_hash(ota->context->keys, "RndA", pieces, 3, hash));
    memcpy(rnda, hash, 16);
    scrip_wipe(hash, sizeof hash);
    return SCRIP_OK;
}

enum scrip_status ota_answer(struct ota *ota, enum scrip_purse_role role)
{
    uint8_t key[16];
    uint8_t rnda[16];
    SCRIP_TRY(make_rnda(ota, role, rnda));
    SCRIP_TRY(ota_key(ota, role, ota->session.key_version, key));
    const enum scrip_status status = scrip_desfire_tap_answer(&ota->tap, &ota->batch, key, rnda);
    ota->session.proof_role = (uint8_t)(role + 1);
    scrip_wipe(key, sizeof key);
    scrip_wipe(rnda, sizeof rnda);
    return status;
}

enum scrip_status ota_take(struct ota *ota)
{
    uint8_t key[16];
    if (ota->session.proof_role == 0) {
        return scrip_desfire_tap_take(&ota->tap, &ota->replies, NULL);
    }
    const enum scrip_purse_role role = (enum scrip_purse_role)(ota->session.proof_role - 1);
    SCRIP_TRY(ota_key(ota, role, ota->session.key_version, key));
    ota->tap.facts.has &= ~(uint32_t)SCRIP_FACT_CARD; /* what the card proved with another key was another thing */
    const enum scrip_status status = scrip_desfire_tap_take(&ota->tap, &ota->replies, key);
    scrip_wipe(key, sizeof key);
    ota->session.proof_role = 0;
    return status;
}
