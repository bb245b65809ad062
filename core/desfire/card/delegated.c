/* delegated.c: applications created by somebody to whom the card issuer has delegated a slot of memory. The issuer
 * authorises each one with a MAC (DAM MAC key) and hands over its first key enciphered (DAM ENC key). */
#include "card.h"
#include <string.h>

#define SLOT_LEN  5U  /* slot, slot version, quota: between AID and KS1 */
#define ENC_LEN   32U /* EncK */
#define PROOF_LEN 8U  /* DAMMAC */
#define KEY_AT    7U  /* EncK: random[7] key[24] version */

static void dam_key(struct scrip_desfire_card *card, uint8_t number, struct key_slot *key)
{
    key_load(card, NULL, 0, number, key);
}

bool delegation_proved(struct scrip_desfire_card *card, uint8_t code, struct scrip_bytes params, const uint8_t mac[8])
{
    struct key_slot slot;
    struct scrip_cmac_key key;
    struct scrip_cmac cmac;
    uint8_t full[16];
    uint8_t wanted[8];

    dam_key(card, PICC_KEY_DAM_MAC, &slot);
    scrip_cmac_key_init(&key, SCRIP_AES128, slot.bytes);
    scrip_cmac_start(&cmac, &key, NULL);
    scrip_cmac_add(&cmac, scrip_bytes(&code, 1));
    scrip_cmac_add(&cmac, params);
    scrip_cmac_final(&cmac, full);
    scrip_mact(full, wanted);
    scrip_cmac_key_wipe(&key);
    scrip_wipe(&slot, sizeof slot);
    return scrip_equal_ct(wanted, mac, sizeof wanted);
}

/* The first key of the application out of EncK. */
static void open_key(struct scrip_desfire_card *card, const uint8_t enc[ENC_LEN], uint8_t type, struct key_slot *key)
{
    struct key_slot slot;
    struct scrip_block block;
    uint8_t iv[16] = {0};
    uint8_t plain[ENC_LEN];

    dam_key(card, PICC_KEY_DAM_ENC, &slot);
    scrip_block_init(&block, SCRIP_AES128, slot.bytes);
    scrip_cbc_decrypt(&block, iv, ENC_LEN / 16, plain, enc);
    *key = key_zero(type);
    memcpy(key->bytes, plain + KEY_AT, key_type_len(type));
    key->version = plain[ENC_LEN - 1];
    key_settle(key);
    scrip_block_wipe(&block);
    scrip_wipe(plain, sizeof plain);
    scrip_wipe(&slot, sizeof slot);
}

/* The application in a slot. */
static bool slot_taken(struct scrip_desfire_card *card, const uint8_t slot[2], struct app *app)
{
    app->page = 0;
    while (app_next(card, app)) {
        if (app->is.delegated && memcmp(app->is.slot, slot, 2) == 0) {
            return true;
        }
    }
    return false;
}

/* AID[3] Slot[2] SlotVersion[1] Quota[2] KS1 KS2 .., EncK[32] DAMMAC[8] */
uint8_t desfire_create_delegated_application(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct scrip_bytes params = scrip_bytes_head(cmd->data, cmd->data.len - ENC_LEN - PROOF_LEN);
    const uint8_t *enc = cmd->data.at + params.len;
    uint8_t plain[64]; /* as CreateApplication has them */
    struct app_page is = {.delegated = 1};
    struct app other;
    struct key_slot key;
    (void)reply;

    if (!access_has_key(card, PICC_KEY_DAM_AUTH)) {
        return DF_AUTHENTICATION_ERROR;
    }
    if (!delegation_proved(card, cmd->code, scrip_bytes_head(cmd->data, params.len + ENC_LEN), enc + ENC_LEN)) {
        return DF_INTEGRITY_ERROR;
    }
    memcpy(is.slot, params.at + 3, 2);
    is.slot_version = params.at[5];
    memcpy(is.quota, params.at + 6, 2);
    if (slot_taken(card, is.slot, &other)) {
        return DF_DUPLICATE_ERROR;
    }
    memcpy(plain, params.at, 3);
    memcpy(plain + 3, params.at + 3 + SLOT_LEN, params.len - 3 - SLOT_LEN);
    open_key(card, enc, plain[4] >> KS2_TYPE_SHIFT, &key);
    const uint8_t status = app_create(card, scrip_bytes(plain, params.len - SLOT_LEN), &is, &key);
    scrip_wipe(&key, sizeof key);
    return status;
}

/* SlotVersion[1] Quota[2] Free[2] AID[3] */
uint8_t desfire_get_delegated_info(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct app app;
    struct scrip_buf *out = &reply->data;

    if (!slot_taken(card, cmd->data.at, &app)) {
        return DF_APPLICATION_NOT_FOUND;
    }
    const uint16_t quota = scrip_get_le16(app.is.quota);
    const uint16_t used = scrip_get_le16(app.is.used);
    (void)scrip_buf_add_u8(out, app.is.slot_version);
    (void)scrip_buf_add(out, app.is.quota, 2);
    (void)scrip_buf_add_le(out, used < quota ? (uint64_t)(quota - used) : 0, 2);
    (void)scrip_buf_add(out, app.is.aid, 3);
    return DF_OK;
}
