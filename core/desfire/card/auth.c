/* auth.c: the authentications with native commands. Between the two frames only AF may come (the pipeline sees to it).
 *
 * The card draws RndB, and after a First of EV2 or LRP TI, in this order and nothing in between. */
#include "card.h"
#include <string.h>

bool auth_disabled(struct scrip_desfire_card *card, uint8_t sm)
{
    struct picc_page picc;
    picc_load(card, &picc);
    return (sm == SCRIP_DESFIRE_SM_D40 && (picc.sm_disabled & 1U) != 0) ||
           (sm == SCRIP_DESFIRE_SM_EV1 && (picc.sm_disabled & 2U) != 0);
}

uint8_t auth_blocked(struct scrip_desfire_card *card, const struct key_slot *key)
{
    struct picc_page picc;
    picc_load(card, &picc);
    if (!picc.fail_counting || scrip_get_le16(key->failed) < scrip_get_le16(picc.fail_limit)) {
        return DF_OK;
    }
    return card->identity.generation == SCRIP_DESFIRE_LIGHT ? DF_PERMISSION_DENIED : DF_AUTHENTICATION_DELAY;
}

void auth_count(struct scrip_desfire_card *card, const struct app *app, uint8_t number, bool success)
{
    struct picc_page picc;
    struct key_slot key;
    const uint8_t set = app != NULL ? app->is.active : 0;

    picc_load(card, &picc);
    key_load(card, app, set, number, &key);
    const uint16_t failed = scrip_get_le16(key.failed);
    if (picc.fail_counting && (!success || failed > 0)) {
        const uint16_t less = scrip_get_le16(picc.fail_decrement);
        const uint16_t forgiven = failed > less ? (uint16_t)(failed - less) : 0;
        scrip_put_le16(key.failed, success ? forgiven : (uint16_t)(failed + (failed < UINT16_MAX ? 1 : 0)));
        key_store(card, app, set, number, &key);
    }
    scrip_wipe(&key, sizeof key);
}

/* Does a messaging work with a key of this type? */
static bool fits(uint8_t sm, uint8_t code, uint8_t cipher)
{
    switch (sm) {
    case SCRIP_DESFIRE_SM_D40:
        return cipher == SCRIP_DES || cipher == SCRIP_2K3DES;
    case SCRIP_DESFIRE_SM_EV1:
        return (code == CMD_AUTH_AES) == (cipher == SCRIP_AES128);
    default:
        return cipher == SCRIP_AES128;
    }
}

/* Find the key and the reasons against using it. The key comes to lie in card->auth. */
static uint8_t choose_key(struct scrip_desfire_card *card, const struct command *cmd, uint8_t sm, uint8_t number)
{
    const struct app *app = cmd->app.page != 0 ? &cmd->app : NULL;
    struct key_slot slot;

    if (!key_exists(card, app, number)) {
        return DF_NO_SUCH_KEY;
    }
    key_active(card, app, number, &slot);
    uint8_t status = fits(sm, cmd->code, slot.cipher) ? DF_OK : DF_AUTHENTICATION_ERROR;
    if (status == DF_OK && auth_disabled(card, sm)) {
        status = DF_PERMISSION_DENIED;
    }
    if (status == DF_OK) {
        status = auth_blocked(card, &slot);
    }
    key_for_use(&slot, &card->auth.key);
    scrip_wipe(&slot, sizeof slot);
    return status;
}

/* The first half: draw RndB, send the challenge. */
static uint8_t challenge(struct scrip_desfire_card *card, struct command *cmd, uint8_t sm, bool first,
                         struct reply *reply)
{
    struct scrip_desfire_handshake_card *auth = &card->auth;
    const struct scrip_random *random = card->host.random;
    uint8_t number = cmd->data.at[0];

    if (!app_meant(card, &cmd->app, &number)) {
        return DF_NO_SUCH_KEY;
    }
    const uint8_t status = choose_key(card, cmd, sm, number);
    if (status != DF_OK) {
        return status;
    }
    auth->shared.sm = sm;
    auth->shared.first = first;
    auth->shared.key_no = number;
    auth->side = cmd->app.side;
    if (random->fill(random->ctx, auth->shared.rndb, scrip_desfire_auth_random_len(sm, &auth->key)) != SCRIP_OK) {
        card->no_random = true;
        return DF_AUTHENTICATION_ERROR;
    }
    if (scrip_desfire_auth_challenge(&auth->shared, &auth->key, &reply->data) != SCRIP_OK) {
        return DF_AUTHENTICATION_ERROR;
    }
    card->exchange.kind = EXCHANGE_AUTH;
    return DF_ADDITIONAL_FRAME;
}

/* Every first authentication ends the session that was, whatever comes of it. */
static uint8_t first_challenge(struct scrip_desfire_card *card, struct command *cmd, uint8_t sm, struct reply *reply)
{
    card_end_session(card);
    scrip_wipe(&card->auth, sizeof card->auth);
    return challenge(card, cmd, sm, true, reply);
}

uint8_t desfire_auth_d40(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    return first_challenge(card, cmd, SCRIP_DESFIRE_SM_D40, reply);
}

uint8_t desfire_auth_iso(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    return first_challenge(card, cmd, SCRIP_DESFIRE_SM_EV1, reply);
}

uint8_t desfire_auth_aes(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    return config_lrp(card) ? DF_PERMISSION_DENIED : first_challenge(card, cmd, SCRIP_DESFIRE_SM_EV1, reply);
}

uint8_t desfire_auth_ev2_first(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const size_t caps_len = cmd->data.at[1];
    const bool lrp = config_lrp(card);

    if (caps_len > sizeof card->auth.pcdcap2 || cmd->data.len != 2 + caps_len) {
        return DF_LENGTH_ERROR;
    }
    card_end_session(card);
    scrip_wipe(&card->auth, sizeof card->auth);
    memcpy(card->auth.pcdcap2, cmd->data.at + 2, caps_len);
    if (lrp && (card->auth.pcdcap2[0] & 2U) == 0) {
        return DF_PERMISSION_DENIED; /* the host does not offer LRP */
    }
    return challenge(card, cmd, lrp ? SCRIP_DESFIRE_SM_LRP : SCRIP_DESFIRE_SM_EV2, true, reply);
}

uint8_t desfire_auth_ev2_nonfirst(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t sm = card->session.sm;

    if (sm != SCRIP_DESFIRE_SM_EV2 && sm != SCRIP_DESFIRE_SM_LRP) {
        return DF_AUTHENTICATION_ERROR;
    }
    scrip_wipe(&card->auth, sizeof card->auth);
    return challenge(card, cmd, sm, false, reply); /* TI and CmdCtr stay in the session */
}

/* ---- the second half ---- */

static uint8_t succeed(struct scrip_desfire_card *card, struct scrip_buf *out)
{
    struct scrip_desfire_handshake_card *auth = &card->auth;
    const struct scrip_random *random = card->host.random;
    const bool with_info = auth->shared.first && auth->shared.sm >= SCRIP_DESFIRE_SM_EV2;
    struct scrip_desfire_auth_info info = {.ti = {0}};

    if (with_info) {
        struct picc_page picc;
        picc_load(card, &picc);
        memcpy(info.pdcap2, picc.pdcap2, sizeof info.pdcap2);
        memcpy(info.pcdcap2, auth->pcdcap2, sizeof info.pcdcap2);
        if (random->fill(random->ctx, info.ti, sizeof info.ti) != SCRIP_OK) {
            card->no_random = true;
            return DF_AUTHENTICATION_ERROR;
        }
    }
    scrip_desfire_auth_begin(&auth->shared, &auth->key, with_info ? info.ti : NULL, &card->session);
    card->session_side = auth->side;
    const enum scrip_status status =
        scrip_desfire_auth_reply(&auth->shared, &auth->key, with_info ? &info : NULL, &card->session, out);
    if (auth->shared.first && !card->options.keep_pending_on_auth) {
        transaction_drop(card);
    }
    return status == SCRIP_OK ? DF_OK : DF_LENGTH_ERROR;
}

uint8_t auth_second(struct scrip_desfire_card *card, struct scrip_bytes token, struct scrip_buf *out)
{
    struct scrip_desfire_handshake_card *auth = &card->auth;
    struct app app;
    const bool in_app = auth->side == 0 ? app_selected(card, &app) : app_second(card, &app);
    const struct app *level = in_app ? &app : NULL;

    const enum scrip_status checked = scrip_desfire_auth_open_token(&auth->shared, &auth->key, token);
    if (checked == SCRIP_E_LENGTH) {
        return DF_LENGTH_ERROR;
    }
    auth_count(card, level, auth->shared.key_no, checked == SCRIP_OK);
    if (memory_commit(card) != SCRIP_OK) {
        return DF_EEPROM_ERROR;
    }
    const uint8_t status = checked == SCRIP_OK ? succeed(card, out) : DF_AUTHENTICATION_ERROR;
    scrip_wipe(auth, sizeof *auth);
    return status;
}
