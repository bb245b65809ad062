/* session.c: beginning, ending, storing a session, and handing commands and responses to the messaging in force. */
#include "sm.h"

#define SAVED_FORMAT 1U

void scrip_sm_context(const uint8_t rnda[16], const uint8_t rndb[16], uint8_t out[26])
{
    memcpy(out, rnda, 2);
    for (size_t i = 0; i < 6; i++) {
        out[2 + i] = rnda[2 + i] ^ rndb[i];
    }
    memcpy(out + 8, rndb + 6, 10);
    memcpy(out + 18, rnda + 8, 8);
}

void scrip_sm_expand(struct scrip_desfire_session *session)
{
    const enum scrip_cipher cipher = (enum scrip_cipher)session->cipher;
    switch ((enum scrip_desfire_sm)session->sm) {
    case SCRIP_DESFIRE_SM_NONE:
        break;
    case SCRIP_DESFIRE_SM_D40:
        scrip_block_init(&session->enc, cipher, session->secret[0]);
        break;
    case SCRIP_DESFIRE_SM_EV1:
        scrip_block_init(&session->enc, cipher, session->secret[0]);
        scrip_cmac_key_init(&session->mac, cipher, session->secret[0]);
        break;
    case SCRIP_DESFIRE_SM_EV2:
        scrip_block_init(&session->enc, cipher, session->secret[0]);
        scrip_cmac_key_init(&session->mac, cipher, session->secret[1]);
        break;
    case SCRIP_DESFIRE_SM_LRP:
        scrip_lrp_init(&session->lrp, session->secret[0], 2);
        break;
    }
}

/* Both halves the same but for parity: enciphers as single DES, and makes a single DES session key. */
static bool halves_equal(const uint8_t key[16])
{
    uint8_t difference = 0;
    for (size_t i = 0; i < 8; i++) {
        difference |= (uint8_t)((key[i] ^ key[8 + i]) & 0xFE);
    }
    return difference == 0;
}

static uint8_t session_cipher(const struct scrip_desfire_key *key)
{
    return key->cipher == SCRIP_2K3DES && halves_equal(key->bytes) ? (uint8_t)SCRIP_DES : key->cipher;
}

/* Four bytes of RndA, four of RndB, and again from further back, as many times as the key is long. */
static void session_key_mix(uint8_t cipher, const uint8_t *rnda, const uint8_t *rndb, uint8_t *out)
{
    static const struct {
        uint8_t parts;
        uint8_t from[3];
    } mix[] = {
        [SCRIP_DES] = {1, {0}},
        [SCRIP_2K3DES] = {2, {0, 4}},
        [SCRIP_3K3DES] = {3, {0, 6, 12}},
        [SCRIP_AES128] = {2, {0, 12}},
    };
    for (size_t i = 0; i < mix[cipher].parts; i++) {
        memcpy(out + 8 * i, rnda + mix[cipher].from[i], 4);
        memcpy(out + 8 * i + 4, rndb + mix[cipher].from[i], 4);
    }
    if (cipher != SCRIP_AES128) { /* parity bits carry a key's version; a session key has none */
        for (size_t i = 0; i < 24; i++) {
            out[i] &= 0xFE;
        }
    }
}

static void begin_mixed(struct scrip_desfire_session *session, enum scrip_desfire_sm sm, uint8_t key_no,
                        const struct scrip_desfire_key *key, const uint8_t *rnda, const uint8_t *rndb)
{
    scrip_desfire_sm_end(session);
    session->sm = (uint8_t)sm;
    session->cipher = session_cipher(key);
    session->key_no = key_no;
    session_key_mix(session->cipher, rnda, rndb, session->secret[0]);
    scrip_sm_expand(session);
}

void scrip_desfire_sm_begin_d40(struct scrip_desfire_session *session, uint8_t key_no,
                                const struct scrip_desfire_key *key, const uint8_t *rnda, const uint8_t *rndb)
{
    begin_mixed(session, SCRIP_DESFIRE_SM_D40, key_no, key, rnda, rndb);
}

void scrip_desfire_sm_begin_ev1(struct scrip_desfire_session *session, uint8_t key_no,
                                const struct scrip_desfire_key *key, const uint8_t *rnda, const uint8_t *rndb)
{
    begin_mixed(session, SCRIP_DESFIRE_SM_EV1, key_no, key, rnda, rndb);
}

/* Counters and TI of a new session, or those of the running one after NonFirst. */
static void begin_counted(struct scrip_desfire_session *session, enum scrip_desfire_sm sm, uint8_t key_no,
                          const uint8_t *ti)
{
    if (ti != NULL) {
        memcpy(session->ti, ti, sizeof session->ti);
        session->cmd_ctr = 0;
    }
    session->sm = (uint8_t)sm;
    session->cipher = SCRIP_AES128;
    session->key_no = key_no;
    session->waiting = 0;
    session->enc_ctr = 0;
}

void scrip_desfire_sm_begin_ev2(struct scrip_desfire_session *session, uint8_t key_no, const uint8_t key[16],
                                const uint8_t rnda[16], const uint8_t rndb[16], const uint8_t *ti)
{
    struct scrip_cmac_key cmac;
    uint8_t vector[32] = {0xA5, 0x5A, 0x00, 0x01, 0x00, 0x80};

    begin_counted(session, SCRIP_DESFIRE_SM_EV2, key_no, ti);
    scrip_sm_context(rnda, rndb, vector + 6);
    scrip_cmac_key_init(&cmac, SCRIP_AES128, key);
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), session->secret[0]);
    vector[0] = 0x5A;
    vector[1] = 0xA5;
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), session->secret[1]);
    scrip_sm_expand(session);
    scrip_cmac_key_wipe(&cmac);
    scrip_wipe(vector, sizeof vector);
}

void scrip_desfire_sm_begin_lrp(struct scrip_desfire_session *session, uint8_t key_no, const uint8_t key[16],
                                const uint8_t rnda[16], const uint8_t rndb[16], const uint8_t *ti)
{
    begin_counted(session, SCRIP_DESFIRE_SM_LRP, key_no, ti);
    scrip_sm_lrp_session(key, rnda, rndb, session->secret[0], &session->lrp);
}

void scrip_desfire_sm_end(struct scrip_desfire_session *session)
{
    scrip_wipe(session, sizeof *session);
}

/* ---- dispatch ---- */

static const struct scrip_sm_ops *ops_of(uint8_t sm)
{
    static const struct scrip_sm_ops *const ops[] = {
        [SCRIP_DESFIRE_SM_NONE] = NULL,
        [SCRIP_DESFIRE_SM_D40] = &scrip_sm_d40,
        [SCRIP_DESFIRE_SM_EV1] = &scrip_sm_ev1,
        [SCRIP_DESFIRE_SM_EV2] = &scrip_sm_counted,
        [SCRIP_DESFIRE_SM_LRP] = &scrip_sm_counted,
    };
    return sm < sizeof ops / sizeof ops[0] ? ops[sm] : NULL;
}

enum scrip_status scrip_desfire_sm_wrap_command(struct scrip_desfire_session *session,
                                                const struct scrip_desfire_protection *protection, uint8_t cmd,
                                                struct scrip_bytes header, struct scrip_bytes data,
                                                struct scrip_buf *out, struct scrip_desfire_expect *expect)
{
    const struct scrip_sm_ops *ops = ops_of(session->sm);
    struct scrip_desfire_expect made = {.protection = *protection, .sm = session->sm};

    if (ops != NULL) {
        SCRIP_TRY(ops->wrap_command(session, protection, cmd, header, data, out, &made));
    } else if (header.len + data.len > out->cap - out->len) {
        return SCRIP_E_SPACE;
    } else {
        SCRIP_TRY(scrip_buf_add_bytes(out, header));
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
    }
    *expect = made;
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_sm_open_response(struct scrip_desfire_session *session,
                                                 const struct scrip_desfire_expect *expect, uint8_t status,
                                                 struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_sm_ops *ops = ops_of(session->sm);

    if (expect->sm != session->sm) {
        return SCRIP_E_STATE;
    }
    if (ops == NULL) {
        return scrip_buf_add_bytes(out, data);
    }
    const enum scrip_status opened = ops->open_response(session, expect, status, data, out);
    if (opened != SCRIP_OK) {
        scrip_desfire_sm_end(session);
    }
    return opened;
}

enum scrip_status scrip_desfire_sm_open_command(struct scrip_desfire_session *session,
                                                const struct scrip_desfire_protection *protection, uint8_t cmd,
                                                struct scrip_bytes params, size_t header_len, size_t data_len,
                                                struct scrip_buf *out)
{
    const struct scrip_sm_ops *ops = ops_of(session->sm);

    if (ops != NULL) {
        return ops->open_command(session, protection, cmd, params, header_len, data_len, out);
    }
    if (params.len < header_len) {
        return SCRIP_E_LENGTH;
    }
    return scrip_buf_add_bytes(out, scrip_bytes_from(params, header_len));
}

enum scrip_status scrip_desfire_sm_wrap_response(struct scrip_desfire_session *session,
                                                 const struct scrip_desfire_protection *protection, uint8_t status,
                                                 struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_sm_ops *ops = ops_of(session->sm);
    return ops != NULL ? ops->wrap_response(session, protection, status, data, out) : scrip_buf_add_bytes(out, data);
}

/* ---- storing ---- */

enum scrip_status scrip_desfire_sm_save(const struct scrip_desfire_session *session, struct scrip_buf *out)
{
    if (out->cap - out->len < SCRIP_DESFIRE_SESSION_SAVED) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add_u8(out, SAVED_FORMAT));
    SCRIP_TRY(scrip_buf_add_u8(out, session->sm));
    SCRIP_TRY(scrip_buf_add_u8(out, session->cipher));
    SCRIP_TRY(scrip_buf_add_u8(out, session->key_no));
    SCRIP_TRY(scrip_buf_add_u8(out, session->waiting));
    SCRIP_TRY(scrip_buf_add_le(out, session->cmd_ctr, 2));
    SCRIP_TRY(scrip_buf_add_le(out, session->enc_ctr, 4));
    SCRIP_TRY(scrip_buf_add(out, session->ti, sizeof session->ti));
    SCRIP_TRY(scrip_buf_add(out, session->iv, sizeof session->iv));
    SCRIP_TRY(scrip_buf_add(out, session->secret, sizeof session->secret));
    return scrip_buf_add_u8(out, 0);
}

/* Each messaging with the ciphers it can have. */
static bool plausible(uint8_t sm, uint8_t cipher)
{
    switch ((enum scrip_desfire_sm)sm) {
    case SCRIP_DESFIRE_SM_NONE:
        return cipher == 0;
    case SCRIP_DESFIRE_SM_D40:
        return cipher == SCRIP_DES || cipher == SCRIP_2K3DES;
    case SCRIP_DESFIRE_SM_EV1:
        return cipher <= SCRIP_AES128;
    case SCRIP_DESFIRE_SM_EV2:
    case SCRIP_DESFIRE_SM_LRP:
        return cipher == SCRIP_AES128;
    }
    return false;
}

enum scrip_status scrip_desfire_sm_load(struct scrip_desfire_session *session, struct scrip_bytes *in)
{
    struct scrip_bytes head;
    struct scrip_bytes rest = *in;

    SCRIP_TRY(scrip_bytes_take(&rest, SCRIP_DESFIRE_SESSION_SAVED, &head));
    const uint8_t *at = head.at;
    if (at[0] != SAVED_FORMAT || !plausible(at[1], at[2])) {
        return SCRIP_E_FORMAT;
    }
    scrip_desfire_sm_end(session);
    session->sm = at[1];
    session->cipher = at[2];
    session->key_no = at[3];
    session->waiting = at[4];
    session->cmd_ctr = scrip_get_le16(at + 5);
    session->enc_ctr = scrip_get_le32(at + 7);
    memcpy(session->ti, at + 11, sizeof session->ti);
    memcpy(session->iv, at + 15, sizeof session->iv);
    memcpy(session->secret, at + 31, sizeof session->secret);
    scrip_sm_expand(session);
    *in = rest;
    return SCRIP_OK;
}
