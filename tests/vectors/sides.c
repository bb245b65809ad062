#include "sides.h"
#include <string.h>

static void put(uint8_t *at, size_t cap, struct scrip_bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.at, bytes.len < cap ? bytes.len : cap);
    }
}

void session_start(struct vector *v, struct scrip_desfire_session *session, const struct start *start)
{
    uint8_t saved[SCRIP_DESFIRE_SESSION_SAVED] = {1, (uint8_t)start->sm, (uint8_t)start->cipher};
    struct scrip_bytes in = SCRIP_BYTES_OF(saved);

    scrip_put_le16(saved + 5, start->cmd_ctr);
    scrip_put_le32(saved + 7, start->enc_ctr);
    put(saved + 11, 4, start->ti);
    put(saved + 15, 16, start->iv);
    put(saved + 31, 24, start->key);
    put(saved + 55, 24, start->mac_key);
    all_right(v, "session", scrip_desfire_sm_load(session, &in));
}

static const uint8_t *saved(struct vector *v, const struct scrip_desfire_session *session)
{
    static uint8_t bytes[SCRIP_DESFIRE_SESSION_SAVED];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    all_right(v, "save", scrip_desfire_sm_save(session, &out));
    return bytes;
}

struct scrip_bytes session_iv(struct vector *v, const struct scrip_desfire_session *session)
{
    const uint8_t *bytes = saved(v, session);
    return scrip_bytes(bytes + 15, scrip_cipher_block_len((enum scrip_cipher)bytes[2]));
}

uint16_t session_cmd_ctr(struct vector *v, const struct scrip_desfire_session *session)
{
    return scrip_get_le16(saved(v, session) + 5);
}

uint32_t session_enc_ctr(struct vector *v, const struct scrip_desfire_session *session)
{
    return scrip_get_le32(saved(v, session) + 7);
}

struct scrip_bytes session_key(struct vector *v, const struct scrip_desfire_session *session, unsigned index,
                               size_t len)
{
    return scrip_bytes(saved(v, session) + 31 + 24 * index, len);
}

/* ---- one command ---- */

static void host_side(struct vector *v, struct scrip_desfire_session *host, const struct exchange *x)
{
    uint8_t bytes[4096];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    struct scrip_desfire_expect expect;

    all_right(v, "host: command",
              scrip_desfire_sm_wrap_command(host, &x->protection, x->cmd, x->header, x->data, &out, &expect));
    same_bytes(v, "host: command", x->params, scrip_buf_bytes(&out));
    out.len = 0;
    all_right(v, "host: response", scrip_desfire_sm_open_response(host, &expect, x->status, x->reply, &out));
    same_bytes(v, "host: response", x->answer, scrip_buf_bytes(&out));
}

static void card_side(struct vector *v, struct scrip_desfire_session *card, const struct exchange *x)
{
    uint8_t bytes[4096];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    struct scrip_bytes data = x->data;
    uint8_t padded[64] = {0};

    if (x->protection.own_checksums && data.len <= sizeof padded) { /* the card's ChangeKey sees the padding */
        memcpy(padded, data.at, data.len);
    }
    all_right(v, "card: command",
              scrip_desfire_sm_open_command(card, &x->protection, x->cmd, x->params, x->header.len,
                                            x->protection.own_checksums ? SIZE_MAX : data.len, &out));
    if (x->protection.own_checksums && out.len > data.len && out.len <= sizeof padded) {
        data = scrip_bytes(padded, out.len);
    }
    same_bytes(v, "card: command", data, scrip_buf_bytes(&out));
    out.len = 0;
    all_right(v, "card: response", scrip_desfire_sm_wrap_response(card, &x->protection, x->status, x->answer, &out));
    same_bytes(v, "card: response", x->reply, scrip_buf_bytes(&out));
}

/* An altered byte anywhere must be noticed, where there is something to notice it by. */
static void altered(struct vector *v, const struct scrip_desfire_session *card, const struct exchange *x)
{
    uint8_t bytes[4096];
    uint8_t params[1024];

    if (x->protection.comm == SCRIP_DESFIRE_PLAIN || card->sm < SCRIP_DESFIRE_SM_EV2 || x->params.len > sizeof params) {
        return;
    }
    for (size_t i = 0; i < x->params.len; i++) {
        struct scrip_desfire_session again = *card;
        struct scrip_buf out = SCRIP_BUF_OF(bytes);
        memcpy(params, x->params.at, x->params.len);
        params[i] ^= 0x40;
        if (scrip_desfire_sm_open_command(&again, &x->protection, x->cmd, scrip_bytes(params, x->params.len),
                                          x->header.len, x->data.len, &out) != SCRIP_E_MAC) {
            vector_fail(v, "card: byte %zu altered, and nobody noticed", i);
        }
    }
}

void both_sides(struct vector *v, struct scrip_desfire_session *host, struct scrip_desfire_session *card,
                const struct exchange *exchange)
{
    host_side(v, host, exchange);
    altered(v, card, exchange);
    card_side(v, card, exchange);
}

/* ---- wrapping ---- */

struct scrip_bytes apdu_params(struct vector *v, struct scrip_bytes apdu, uint8_t cmd)
{
    const bool head = apdu.len >= 5 && apdu.at[0] == 0x90 && apdu.at[1] == cmd && apdu.at[2] == 0 && apdu.at[3] == 0;
    if (!head || apdu.at[apdu.len - 1] != 0) {
        vector_fail(v, "not a wrapped %02X", cmd);
    }
    if (apdu.len == 5) {
        return scrip_bytes(NULL, 0);
    }
    if (apdu.len != 6U + apdu.at[4]) {
        vector_fail(v, "Lc of the wrapped %02X", cmd);
    }
    return scrip_bytes(apdu.at + 5, apdu.at[4]);
}

struct scrip_bytes apdu_data(struct vector *v, struct scrip_bytes apdu, uint8_t *status)
{
    if (apdu.len < 2 || apdu.at[apdu.len - 2] != 0x91) {
        vector_fail(v, "not a wrapped response");
    }
    *status = apdu.at[apdu.len - 1];
    if (*status != 0x00 && *status != 0x90) {
        vector_fail(v, "status %02X is no success", *status);
    }
    return scrip_bytes_head(apdu, apdu.len - 2);
}

/* ---- handshakes ---- */

struct scrip_desfire_key key_of(enum scrip_cipher cipher, struct scrip_bytes bytes)
{
    struct scrip_desfire_key key = {.cipher = (uint8_t)cipher};
    put(key.bytes, sizeof key.bytes, bytes);
    return key;
}

enum scrip_cipher cipher_named(struct vector *v, const char *name)
{
    static const struct {
        const char *name;
        enum scrip_cipher cipher;
    } names[] = {{"DES", SCRIP_DES}, {"2K3DES", SCRIP_2K3DES}, {"3K3DES", SCRIP_3K3DES}, {"AES", SCRIP_AES128}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].cipher;
        }
    }
    vector_fail(v, "no cipher %s", name);
}

static struct scrip_desfire_auth auth_of(const struct handshake *h)
{
    return (struct scrip_desfire_auth){.sm = (uint8_t)h->sm, .key_no = h->key_no, .first = h->info != NULL};
}

static void card_authenticates(struct vector *v, const struct handshake *h, struct scrip_desfire_session *card)
{
    struct scrip_desfire_auth auth = auth_of(h);
    uint8_t bytes[64];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);

    put(auth.rndb, sizeof auth.rndb, h->rndb);
    all_right(v, "card: challenge", scrip_desfire_auth_challenge(&auth, &h->key, &out));
    same_bytes(v, "card: challenge", h->challenge, scrip_buf_bytes(&out));
    all_right(v, "card: token", scrip_desfire_auth_open_token(&auth, &h->key, h->token));
    same_bytes(v, "card: RndA", h->rnda, scrip_bytes(auth.rnda, h->rnda.len));
    scrip_desfire_auth_begin(&auth, &h->key, h->info == NULL ? NULL : h->info->ti, card);
    out.len = 0;
    all_right(v, "card: reply", scrip_desfire_auth_reply(&auth, &h->key, h->info, card, &out));
    same_bytes(v, "card: reply", h->reply, scrip_buf_bytes(&out));
}

static void host_authenticates(struct vector *v, const struct handshake *h, struct scrip_desfire_session *host)
{
    struct scrip_desfire_auth auth = auth_of(h);
    uint8_t bytes[64];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    struct scrip_desfire_auth_info info = {0};

    put(auth.rnda, sizeof auth.rnda, h->rnda);
    all_right(v, "host: challenge", scrip_desfire_auth_open_challenge(&auth, &h->key, h->challenge));
    same_bytes(v, "host: RndB", h->rndb, scrip_bytes(auth.rndb, h->rndb.len));
    all_right(v, "host: token", scrip_desfire_auth_token(&auth, &h->key, &out));
    same_bytes(v, "host: token", h->token, scrip_buf_bytes(&out));
    all_right(v, "host: reply", scrip_desfire_auth_finish(&auth, &h->key, h->reply, host, &info));
    if (h->info != NULL) {
        same_bytes(v, "host: what the reply says", scrip_bytes(h->info, sizeof *h->info),
                   scrip_bytes(&info, sizeof info));
    }
}

void both_authenticate(struct vector *v, const struct handshake *handshake, struct scrip_desfire_session *host,
                       struct scrip_desfire_session *card)
{
    card_authenticates(v, handshake, card);
    host_authenticates(v, handshake, host);
}
