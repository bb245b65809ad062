/* Authentication, the host's side. Commands of an older session may be in the batch before part 1; their responses come
 * before the challenge, so that session ends when the challenge is taken.
 * Between part 2 and the card's proof lies one trip to the card; where the session
 * keys are known without the proof (EV1, D40, NonFirst) the session begins at once and the proof is checked when it
 * comes. */
#include "private.h"
#include <string.h>

#define INS_GET_CHALLENGE   0x84U
#define INS_EXTERNAL_AUTH   0x82U
#define INS_INTERNAL_AUTH   0x88U
#define ISO_REFERENCE_LOCAL 0x80U

static bool des_family(enum scrip_cipher cipher)
{
    return cipher == SCRIP_DES || cipher == SCRIP_2K3DES || cipher == SCRIP_3K3DES;
}

static enum scrip_status auth_command(enum scrip_desfire_sm sm, enum scrip_cipher cipher, bool first, uint8_t *cmd)
{
    switch (sm) {
    case SCRIP_DESFIRE_SM_D40:
        *cmd = CMD_AUTH_D40;
        return cipher == SCRIP_DES || cipher == SCRIP_2K3DES ? SCRIP_OK : SCRIP_E_ARGUMENT;
    case SCRIP_DESFIRE_SM_EV1:
        *cmd = des_family(cipher) ? CMD_AUTH_ISO : CMD_AUTH_AES;
        return des_family(cipher) || cipher == SCRIP_AES128 ? SCRIP_OK : SCRIP_E_ARGUMENT;
    case SCRIP_DESFIRE_SM_EV2:
    case SCRIP_DESFIRE_SM_LRP:
        *cmd = first ? CMD_AUTH_EV2_FIRST : CMD_AUTH_EV2_NONFIRST;
        return cipher == SCRIP_AES128 ? SCRIP_OK : SCRIP_E_ARGUMENT;
    default:
        return SCRIP_E_ARGUMENT;
    }
}

enum scrip_status scrip_desfire_term_auth_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                              enum scrip_desfire_sm sm, enum scrip_cipher cipher, uint8_t key_no,
                                              bool first)
{
    uint8_t cmd;
    SCRIP_TRY(auth_command(sm, cipher, first, &cmd));
    uint8_t memory[8];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(scrip_buf_add_u8(&params, key_no));
    if (cmd == CMD_AUTH_EV2_FIRST && sm == SCRIP_DESFIRE_SM_EV2) {
        SCRIP_TRY(scrip_buf_add_u8(&params, 0)); /* no capabilities of ours */
    } else if (cmd == CMD_AUTH_EV2_FIRST) {
        SCRIP_TRY(scrip_buf_add(&params, (const uint8_t[]){6, 2, 0, 0, 0, 0, 0}, 7)); /* PCDcap2.1: LRP */
    }
    SCRIP_TRY(term_room(term, batch, 1, params.len + 6));
    const bool keeps = cmd == CMD_AUTH_EV2_NONFIRST;
    if (keeps && term->session.sm != sm) {
        return SCRIP_E_STATE;
    }
    SCRIP_TRY(term_wrap(batch, cmd, scrip_buf_bytes(&params)));
    (void)term_push(term, KIND_CHALLENGE, cmd, 1);
    scrip_wipe(&term->auth, sizeof term->auth);
    term->auth.stage = STAGE_ASKED;
    term->auth.shared.sm = (uint8_t)sm;
    term->auth.shared.key_no = key_no;
    term->auth.shared.first = !keeps;
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_term_iso_auth_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  enum scrip_cipher cipher, uint8_t key_no, bool in_app)
{
    const uint8_t random_len = cipher == SCRIP_3K3DES || cipher == SCRIP_AES128 ? 16 : 8;
    if (!des_family(cipher) && cipher != SCRIP_AES128) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(term_room(term, batch, 1, 5));
    SCRIP_TRY(term_good(batch, 0x9000));
    SCRIP_TRY(scrip_batch_add(batch, scrip_bytes((const uint8_t[]){0, INS_GET_CHALLENGE, 0, 0, random_len}, 5)));
    (void)term_push(term, KIND_CHALLENGE, INS_GET_CHALLENGE, 1);
    scrip_wipe(&term->auth, sizeof term->auth);
    term->auth.stage = STAGE_ASKED;
    term->auth.shared.sm = SCRIP_DESFIRE_SM_EV1;
    term->auth.shared.key_no = (uint8_t)(key_no | (in_app ? ISO_REFERENCE_LOCAL : 0U));
    term->auth.shared.first = true;
    term->auth.iso = true;
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_term_auth_challenge(struct scrip_desfire_term *term,
                                                    const struct scrip_replies *replies)
{
    if (term->pending_count == 0 || term->pending[0].kind != KIND_CHALLENGE || term->auth.stage != STAGE_ASKED) {
        return SCRIP_E_STATE;
    }
    const uint8_t cmd = term->pending[0].cmd;
    const uint16_t wanted = term->auth.iso ? 0x9000 : SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF);
    struct scrip_bytes data;
    uint16_t sw;
    enum scrip_status status = term_reply(term, replies, &data, &sw);
    if (status == SCRIP_OK && sw != wanted) {
        status = sw == SCRIP_DESFIRE_SW(DF_OK) ? SCRIP_E_FORMAT : SCRIP_E_CARD;
    }
    if (status == SCRIP_OK && (data.len == 0 || data.len > sizeof term->auth.challenge)) {
        status = SCRIP_E_LENGTH;
    }
    if (status != SCRIP_OK) {
        return term_fail(term, cmd, sw, status);
    }
    memcpy(term->auth.challenge, data.at, data.len);
    term->auth.challenge_len = (uint8_t)data.len;
    term->auth.stage = STAGE_CHALLENGED;
    term_pop(term);
    if (term->auth.shared.first) { /* all that the session before had asked is answered by now */
        scrip_desfire_sm_end(&term->session);
    }
    return SCRIP_OK;
}

/* EXTERNAL AUTHENTICATE with E(RPCD1 || RPICC1), then INTERNAL AUTHENTICATE with RPCD2. The session's second random
 * number is in the answer to the latter; until then `rndb` keeps RPCD2. */
static enum scrip_status answer_iso(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                    const struct scrip_desfire_key *key, const uint8_t *rnda)
{
    static const uint8_t algorithms[] = {[SCRIP_DES] = 2, [SCRIP_2K3DES] = 2, [SCRIP_3K3DES] = 4, [SCRIP_AES128] = 9};
    struct scrip_desfire_handshake *auth = &term->auth;
    const size_t len = scrip_desfire_auth_random_len(SCRIP_DESFIRE_SM_EV1, key);
    const uint8_t algorithm = algorithms[key->cipher];
    const uint8_t reference = auth->shared.key_no;
    if (auth->challenge_len != len) {
        return SCRIP_E_LENGTH;
    }
    uint8_t apdu[5 + 32];
    memcpy(apdu, (const uint8_t[]){0, INS_EXTERNAL_AUTH, algorithm, reference, (uint8_t)(2 * len)}, 5);
    memcpy(apdu + 5, rnda, len);
    memcpy(apdu + 5 + len, auth->challenge, len);
    struct scrip_block block;
    scrip_block_init(&block, (enum scrip_cipher)key->cipher, key->bytes);
    memset(auth->shared.iv, 0, sizeof auth->shared.iv);
    scrip_cbc_encrypt(&block, auth->shared.iv, 2 * len / scrip_block_len(&block), apdu + 5, apdu + 5);
    scrip_block_wipe(&block);
    SCRIP_TRY(scrip_batch_add(batch, scrip_bytes(apdu, 5 + 2 * len)));
    memcpy(auth->shared.rnda, rnda, len);
    memcpy(auth->shared.rndb, rnda + len, len);
    memcpy(apdu, (const uint8_t[]){0, INS_INTERNAL_AUTH, algorithm, reference, (uint8_t)len}, 5);
    memcpy(apdu + 5, rnda + len, len);
    apdu[5 + len] = (uint8_t)(2 * len);
    SCRIP_TRY(scrip_batch_add(batch, scrip_bytes(apdu, 6 + len)));
    SCRIP_TRY(term_good(batch, 0x9000));
    (void)term_push(term, KIND_PROOF, INS_INTERNAL_AUTH, 2);
    return SCRIP_OK;
}

static enum scrip_status answer(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                const struct scrip_desfire_key *key, const uint8_t *rnda)
{
    struct scrip_desfire_handshake *auth = &term->auth;
    const size_t len = scrip_desfire_auth_random_len((enum scrip_desfire_sm)auth->shared.sm, key);
    uint8_t memory[32];
    struct scrip_buf token = SCRIP_BUF_OF(memory);
    const struct scrip_bytes challenge = scrip_bytes(auth->challenge, auth->challenge_len);
    SCRIP_TRY(scrip_desfire_auth_open_challenge(&auth->shared, key, challenge));
    memcpy(auth->shared.rnda, rnda, len);
    SCRIP_TRY(scrip_desfire_auth_token(&auth->shared, key, &token));
    SCRIP_TRY(term_wrap(batch, SCRIP_DESFIRE_AF, scrip_buf_bytes(&token)));
    (void)term_push(term, KIND_PROOF, SCRIP_DESFIRE_AF, 1);
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_term_auth_answer(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 const struct scrip_desfire_key *key, const uint8_t *rnda)
{
    struct scrip_desfire_handshake *auth = &term->auth;
    if (auth->stage != STAGE_CHALLENGED) {
        return SCRIP_E_STATE;
    }
    if (term->pending_count > 0) {
        return SCRIP_E_WAIT; /* the old session's responses need its keys */
    }
    if (key->cipher > SCRIP_AES128) {
        return SCRIP_E_KEY;
    }
    SCRIP_TRY(term_room(term, batch, 2, 80));
    SCRIP_TRY(auth->iso ? answer_iso(term, batch, key, rnda) : answer(term, batch, key, rnda));
    auth->stage = STAGE_ANSWERED;
    const bool counted = auth->shared.sm == SCRIP_DESFIRE_SM_EV2 || auth->shared.sm == SCRIP_DESFIRE_SM_LRP;
    auth->begun = !auth->iso && !(counted && auth->shared.first);
    if (auth->begun) { /* these session keys need no answer of the card */
        scrip_desfire_auth_begin(&auth->shared, key, NULL, &term->session);
    }
    return SCRIP_OK;
}

/* The card's E(RPICC2 || RPCD2). */
static enum scrip_status proof_iso(struct scrip_desfire_term *term, const struct scrip_desfire_key *key,
                                   struct scrip_bytes data)
{
    struct scrip_desfire_handshake *auth = &term->auth;
    const size_t len = scrip_desfire_auth_random_len(SCRIP_DESFIRE_SM_EV1, key);
    uint8_t plain[32];
    if (data.len != 2 * len) {
        return SCRIP_E_LENGTH;
    }
    struct scrip_block block;
    scrip_block_init(&block, (enum scrip_cipher)key->cipher, key->bytes);
    scrip_cbc_decrypt(&block, auth->shared.iv, 2 * len / scrip_block_len(&block), plain, data.at);
    scrip_block_wipe(&block);
    const bool known = scrip_equal_ct(plain + len, auth->shared.rndb, len);
    if (known) {
        scrip_desfire_sm_begin_ev1(&term->session, auth->shared.key_no & 0x1FU, key, auth->shared.rnda, plain);
    }
    scrip_wipe(plain, sizeof plain);
    return known ? SCRIP_OK : SCRIP_E_AUTH;
}

static enum scrip_status proof(struct scrip_desfire_term *term, const struct scrip_desfire_key *key,
                               struct scrip_bytes data)
{
    struct scrip_desfire_handshake *auth = &term->auth;
    if (auth->iso) {
        return proof_iso(term, key, data);
    }
    struct scrip_desfire_session aside;
    struct scrip_desfire_session *session = &term->session;
    if (auth->begun) { /* the session has gone on: check beside it */
        aside = term->session;
        session = &aside;
    }
    const enum scrip_status status = scrip_desfire_auth_finish(&auth->shared, key, data, session, NULL);
    if (auth->begun) {
        scrip_wipe(&aside, sizeof aside);
    }
    return status;
}

enum scrip_status scrip_desfire_term_auth_proof(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                                                const struct scrip_desfire_key *key)
{
    if (term->pending_count == 0 || term->pending[0].kind != KIND_PROOF || term->auth.stage != STAGE_ANSWERED ||
        key->cipher > SCRIP_AES128) {
        return SCRIP_E_STATE;
    }
    const struct scrip_desfire_pending pending = term->pending[0];
    const uint16_t wanted = term->auth.iso ? 0x9000 : SCRIP_DESFIRE_SW(DF_OK);
    enum scrip_status status = SCRIP_OK;
    struct scrip_bytes data = scrip_bytes(NULL, 0);
    uint16_t sw = 0;
    for (unsigned i = 0; i < pending.frames && status == SCRIP_OK; i++) {
        status = term_reply(term, replies, &data, &sw);
        if (status == SCRIP_OK && sw != wanted) {
            status = SCRIP_E_CARD;
        }
    }
    if (status == SCRIP_OK) {
        status = proof(term, key, data);
    }
    if (status != SCRIP_OK) {
        return term_fail(term, pending.cmd, sw, status);
    }
    term_pop(term);
    scrip_wipe(&term->auth, sizeof term->auth);
    return SCRIP_OK;
}
