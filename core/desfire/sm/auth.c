/* auth.c: the four handshakes, both sides. What they share: the card's random number comes first, the host's token
 * proves the key over both, the card's reply proves it over the host's. They differ in IV (D40, EV2: zero; EV1: runs
 * through), in direction (a D40 host deciphers) and in what the reply carries besides. */
#include "sm.h"

#define TOKEN_MAX 32U

static bool key_fits(const struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key)
{
    switch ((enum scrip_desfire_sm)auth->sm) {
    case SCRIP_DESFIRE_SM_NONE:
        return false;
    case SCRIP_DESFIRE_SM_D40:
        return key->cipher == SCRIP_DES || key->cipher == SCRIP_2K3DES;
    case SCRIP_DESFIRE_SM_EV1:
        return key->cipher <= SCRIP_AES128;
    case SCRIP_DESFIRE_SM_EV2:
    case SCRIP_DESFIRE_SM_LRP:
        return key->cipher == SCRIP_AES128;
    }
    return false;
}

size_t scrip_desfire_auth_random_len(enum scrip_desfire_sm sm, const struct scrip_desfire_key *key)
{
    if (sm == SCRIP_DESFIRE_SM_D40) {
        return 8;
    }
    return sm == SCRIP_DESFIRE_SM_EV1 && (key->cipher == SCRIP_DES || key->cipher == SCRIP_2K3DES) ? 8 : 16;
}

static size_t random_len(const struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key)
{
    return scrip_desfire_auth_random_len((enum scrip_desfire_sm)auth->sm, key);
}

/* dst = src rotated left by one byte. */
static void rotate(uint8_t *dst, const uint8_t *src, size_t len)
{
    memcpy(dst, src + 1, len - 1);
    dst[len - 1] = src[0];
}

/* CBC in place; only EV1 lets the IV run on. */
static void crypt_cbc(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key, bool encrypt, uint8_t *data,
                      size_t len)
{
    struct scrip_block block;
    uint8_t zero[SCRIP_BLOCK_MAX] = {0};
    uint8_t *running = auth->sm == SCRIP_DESFIRE_SM_EV1 ? auth->iv : zero;

    if (encrypt) {
        scrip_block_init_encrypt(&block, (enum scrip_cipher)key->cipher, key->bytes);
        scrip_cbc_encrypt(&block, running, len / scrip_block_len(&block), data, data);
    } else {
        scrip_block_init(&block, (enum scrip_cipher)key->cipher, key->bytes);
        scrip_cbc_decrypt(&block, running, len / scrip_block_len(&block), data, data);
    }
    scrip_block_wipe(&block);
}

/* What the D40 host sends and the D40 card makes of it. */
static void crypt_d40(const struct scrip_desfire_key *key, bool send, uint8_t *data, size_t len)
{
    struct scrip_block block;
    scrip_block_init(&block, (enum scrip_cipher)key->cipher, key->bytes);
    if (send) {
        scrip_sm_d40_send(&block, len / 8, data);
    } else {
        scrip_sm_d40_receive(&block, len / 8, data);
    }
    scrip_block_wipe(&block);
}

/* CMAC-LRP under the session's MAC key of up to three pieces. */
static void lrp_proof(const struct scrip_lrp *lrp, struct scrip_bytes a, struct scrip_bytes b, struct scrip_bytes c,
                      uint8_t mac[16])
{
    struct scrip_lrp_mac run;
    scrip_lrp_mac_start(&run, lrp, 0);
    scrip_lrp_mac_add(&run, a);
    scrip_lrp_mac_add(&run, b);
    scrip_lrp_mac_add(&run, c);
    scrip_lrp_mac_final(&run, mac);
}

/* ---- challenge ---- */

enum scrip_status scrip_desfire_auth_challenge(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                               struct scrip_buf *out)
{
    const size_t len = random_len(auth, key);
    uint8_t challenge[16];

    if (!key_fits(auth, key)) {
        return SCRIP_E_KEY;
    }
    if (auth->sm == SCRIP_DESFIRE_SM_LRP) {
        if (out->cap - out->len < 17) {
            return SCRIP_E_SPACE;
        }
        SCRIP_TRY(scrip_buf_add_u8(out, 0x01));
        return scrip_buf_add(out, auth->rndb, 16);
    }
    memset(auth->iv, 0, sizeof auth->iv);
    memcpy(challenge, auth->rndb, len);
    crypt_cbc(auth, key, true, challenge, len);
    return scrip_buf_add(out, challenge, len);
}

enum scrip_status scrip_desfire_auth_open_challenge(struct scrip_desfire_auth *auth,
                                                    const struct scrip_desfire_key *key, struct scrip_bytes challenge)
{
    const size_t len = random_len(auth, key);

    if (!key_fits(auth, key)) {
        return SCRIP_E_KEY;
    }
    if (auth->sm == SCRIP_DESFIRE_SM_LRP) {
        if (challenge.len != 17) {
            return SCRIP_E_LENGTH;
        }
        if (challenge.at[0] != 0x01) {
            return SCRIP_E_FORMAT;
        }
        memcpy(auth->rndb, challenge.at + 1, 16);
        return SCRIP_OK;
    }
    if (challenge.len != len) {
        return SCRIP_E_LENGTH;
    }
    memset(auth->iv, 0, sizeof auth->iv);
    memcpy(auth->rndb, challenge.at, len);
    crypt_cbc(auth, key, false, auth->rndb, len);
    return SCRIP_OK;
}

/* ---- token ---- */

static void lrp_token(const struct scrip_desfire_key *key, const uint8_t *rnda, const uint8_t *rndb, uint8_t token[32])
{
    struct scrip_lrp lrp;
    uint8_t master[16];
    scrip_sm_lrp_session(key->bytes, rnda, rndb, master, &lrp);
    memcpy(token, rnda, 16);
    lrp_proof(&lrp, scrip_bytes(rnda, 16), scrip_bytes(rndb, 16), scrip_bytes(NULL, 0), token + 16);
    scrip_lrp_wipe(&lrp);
    scrip_wipe(master, sizeof master);
}

enum scrip_status scrip_desfire_auth_token(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                           struct scrip_buf *out)
{
    const size_t len = random_len(auth, key);
    uint8_t token[TOKEN_MAX];

    if (!key_fits(auth, key)) {
        return SCRIP_E_KEY;
    }
    if (out->cap - out->len < 2 * len) {
        return SCRIP_E_SPACE;
    }
    if (auth->sm == SCRIP_DESFIRE_SM_LRP) {
        lrp_token(key, auth->rnda, auth->rndb, token);
        return scrip_buf_add(out, token, sizeof token);
    }
    memcpy(token, auth->rnda, len);
    rotate(token + len, auth->rndb, len);
    if (auth->sm == SCRIP_DESFIRE_SM_D40) {
        crypt_d40(key, true, token, 2 * len);
    } else {
        crypt_cbc(auth, key, true, token, 2 * len);
    }
    return scrip_buf_add(out, token, 2 * len);
}

static enum scrip_status lrp_open_token(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                        const uint8_t *token)
{
    uint8_t wanted[TOKEN_MAX];
    lrp_token(key, token, auth->rndb, wanted);
    if (!scrip_equal_ct(wanted, token, sizeof wanted)) {
        return SCRIP_E_AUTH;
    }
    memcpy(auth->rnda, token, 16);
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_auth_open_token(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                                struct scrip_bytes token)
{
    const size_t len = random_len(auth, key);
    uint8_t plain[TOKEN_MAX];
    uint8_t wanted[16];

    if (!key_fits(auth, key)) {
        return SCRIP_E_KEY;
    }
    if (token.len != 2 * len) {
        return SCRIP_E_LENGTH;
    }
    if (auth->sm == SCRIP_DESFIRE_SM_LRP) {
        return lrp_open_token(auth, key, token.at);
    }
    memcpy(plain, token.at, token.len);
    if (auth->sm == SCRIP_DESFIRE_SM_D40) {
        crypt_d40(key, false, plain, token.len);
    } else {
        crypt_cbc(auth, key, false, plain, token.len);
    }
    rotate(wanted, auth->rndb, len);
    const bool knows = scrip_equal_ct(wanted, plain + len, len);
    if (knows) {
        memcpy(auth->rnda, plain, len);
    }
    scrip_wipe(plain, sizeof plain);
    return knows ? SCRIP_OK : SCRIP_E_AUTH;
}

/* ---- the session ---- */

void scrip_desfire_auth_begin(const struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                              const uint8_t *ti, struct scrip_desfire_session *session)
{
    switch (auth->sm) {
    case SCRIP_DESFIRE_SM_D40:
        scrip_desfire_sm_begin_d40(session, auth->key_no, key, auth->rnda, auth->rndb);
        break;
    case SCRIP_DESFIRE_SM_EV1:
        scrip_desfire_sm_begin_ev1(session, auth->key_no, key, auth->rnda, auth->rndb);
        break;
    case SCRIP_DESFIRE_SM_EV2:
        scrip_desfire_sm_begin_ev2(session, auth->key_no, key->bytes, auth->rnda, auth->rndb, ti);
        break;
    default:
        scrip_desfire_sm_begin_lrp(session, auth->key_no, key->bytes, auth->rnda, auth->rndb, ti);
        break;
    }
}

/* ---- reply ---- */

/* TI || [rol(RndA) in EV2] || PDcap2 || PCDcap2: the shape of a First reply before encipherment. */
static size_t first_reply_plain(const struct scrip_desfire_auth_info *info, const uint8_t *rotated, size_t rotated_len,
                                uint8_t *out)
{
    size_t len = 0;
    memcpy(out, info->ti, 4);
    len += 4;
    if (rotated_len > 0) {
        memcpy(out + len, rotated, rotated_len);
        len += rotated_len;
    }
    memcpy(out + len, info->pdcap2, 6);
    len += 6;
    memcpy(out + len, info->pcdcap2, 6);
    return len + 6;
}

/* PICCData enciphered by the session's LRICB, from EncCtr 0; the counter is stepped past it. */
static void lrp_crypt_picc_data(struct scrip_desfire_session *session, bool encrypt, uint8_t data[16])
{
    uint8_t counter[4];
    scrip_put_be32(counter, 0);
    scrip_lrp_icb(&session->lrp, 1, counter, sizeof counter, encrypt, 1, data, data);
    session->enc_ctr = 1;
}

static enum scrip_status lrp_reply(const struct scrip_desfire_auth *auth, const struct scrip_desfire_auth_info *info,
                                   struct scrip_desfire_session *session, struct scrip_buf *out)
{
    uint8_t reply[32];
    uint8_t *mac = reply;

    if (out->cap - out->len < sizeof reply) {
        return SCRIP_E_SPACE;
    }
    if (info != NULL) {
        (void)first_reply_plain(info, NULL, 0, reply);
        lrp_crypt_picc_data(session, true, reply);
        mac += 16;
    }
    lrp_proof(&session->lrp, scrip_bytes(auth->rndb, 16), scrip_bytes(auth->rnda, 16),
              scrip_bytes(reply, (size_t)(mac - reply)), mac);
    return scrip_buf_add(out, reply, (size_t)(mac - reply) + 16);
}

enum scrip_status scrip_desfire_auth_reply(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                           const struct scrip_desfire_auth_info *info,
                                           struct scrip_desfire_session *session, struct scrip_buf *out)
{
    size_t len = random_len(auth, key);
    uint8_t rotated[16];
    uint8_t reply[32];

    if (!key_fits(auth, key)) {
        return SCRIP_E_KEY;
    }
    if (auth->sm == SCRIP_DESFIRE_SM_LRP) {
        return lrp_reply(auth, info, session, out);
    }
    rotate(rotated, auth->rnda, len);
    memcpy(reply, rotated, len);
    if (auth->sm == SCRIP_DESFIRE_SM_EV2 && info != NULL) {
        len = first_reply_plain(info, rotated, len, reply);
    }
    if (len > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    crypt_cbc(auth, key, true, reply, len);
    return scrip_buf_add(out, reply, len);
}

/* ---- finish ---- */

static void info_from(struct scrip_desfire_auth_info *info, const uint8_t *ti, const uint8_t *capabilities)
{
    if (info != NULL) {
        memcpy(info->ti, ti, 4);
        memcpy(info->pdcap2, capabilities, 6);
        memcpy(info->pcdcap2, capabilities + 6, 6);
    }
}

static enum scrip_status lrp_finish(const struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                    struct scrip_bytes reply, struct scrip_desfire_session *session,
                                    struct scrip_desfire_auth_info *info)
{
    static const uint8_t unknown_ti[4] = {0};
    const size_t data_len = auth->first ? 16 : 0;
    uint8_t mac[16];
    uint8_t data[16];

    if (reply.len != data_len + 16) {
        return SCRIP_E_LENGTH;
    }
    scrip_desfire_auth_begin(auth, key, auth->first ? unknown_ti : NULL, session);
    lrp_proof(&session->lrp, scrip_bytes(auth->rndb, 16), scrip_bytes(auth->rnda, 16),
              scrip_bytes_head(reply, data_len), mac);
    if (!scrip_equal_ct(mac, reply.at + data_len, sizeof mac)) {
        scrip_desfire_sm_end(session);
        return SCRIP_E_AUTH;
    }
    if (auth->first) {
        memcpy(data, reply.at, sizeof data);
        lrp_crypt_picc_data(session, false, data);
        memcpy(session->ti, data, sizeof session->ti);
        info_from(info, data, data + 4);
    }
    return SCRIP_OK;
}

/* The deciphered reply proves the key: rol(RndA) stands where it must. */
static bool reply_proves(const uint8_t *plain, const uint8_t *rnda, size_t len)
{
    uint8_t wanted[16];
    rotate(wanted, rnda, len);
    return scrip_equal_ct(plain, wanted, len);
}

enum scrip_status scrip_desfire_auth_finish(struct scrip_desfire_auth *auth, const struct scrip_desfire_key *key,
                                            struct scrip_bytes reply, struct scrip_desfire_session *session,
                                            struct scrip_desfire_auth_info *info)
{
    const size_t len = random_len(auth, key);
    const bool with_info = auth->sm == SCRIP_DESFIRE_SM_EV2 && auth->first;
    const size_t proof_at = with_info ? 4 : 0;
    uint8_t plain[32];

    if (!key_fits(auth, key)) {
        return SCRIP_E_KEY;
    }
    if (auth->sm == SCRIP_DESFIRE_SM_LRP) {
        return lrp_finish(auth, key, reply, session, info);
    }
    if (reply.len != (with_info ? 32 : len)) {
        return SCRIP_E_LENGTH;
    }
    memcpy(plain, reply.at, reply.len);
    crypt_cbc(auth, key, false, plain, reply.len);
    if (!reply_proves(plain + proof_at, auth->rnda, len)) {
        scrip_desfire_sm_end(session);
        return SCRIP_E_AUTH;
    }
    scrip_desfire_auth_begin(auth, key, with_info ? plain : NULL, session);
    if (with_info) {
        info_from(info, plain, plain + 20);
    }
    return SCRIP_OK;
}
