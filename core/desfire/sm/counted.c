/* counted.c: commands and responses of EV2 and LRP messaging.
 *
 * On the host the counter of a command is fixed when it is wrapped and travels in its `expect`, so any number of
 * commands can be out. LRP also counts enciphered blocks, of responses too: where a response's length is not known
 * beforehand, `waiting` holds back commands that encipher until it has been opened. */
#include "counted.h"

#define MAC_LEN   8U
#define BLOCK_LEN 16U

/* Blocks of `len` bytes with padding, which is always added. */
static size_t blocks_of(size_t len)
{
    return len / BLOCK_LEN + 1;
}

/* Append plain data with padding, then encipher it where it lies. */
static enum scrip_status encipher(const struct scrip_sm_suite *suite, const struct scrip_desfire_session *session,
                                  enum scrip_sm_way way, uint16_t ctr, uint32_t *enc_ctr, struct scrip_bytes data,
                                  struct scrip_buf *out)
{
    const size_t start = out->len;
    const size_t len = BLOCK_LEN * blocks_of(data.len);
    if (len > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    SCRIP_TRY(scrip_buf_add_u8(out, 0x80));
    SCRIP_TRY(scrip_buf_fill(out, 0, len - data.len - 1));
    suite->crypt(session, true, way, ctr, enc_ctr, len / BLOCK_LEN, out->at + start);
    return SCRIP_OK;
}

static enum scrip_status decipher(const struct scrip_sm_suite *suite, const struct scrip_desfire_session *session,
                                  enum scrip_sm_way way, uint16_t ctr, uint32_t *enc_ctr, struct scrip_bytes data,
                                  struct scrip_buf *out)
{
    const size_t start = out->len;
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    suite->crypt(session, false, way, ctr, enc_ctr, data.len / BLOCK_LEN, out->at + start);
    const enum scrip_status status = scrip_sm_unpad(start, out);
    return status == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, status);
}

static bool enciphers(const struct scrip_desfire_protection *protection, struct scrip_bytes data)
{
    return protection->comm == SCRIP_DESFIRE_FULL && data.len > 0;
}

/* Bytes that `data` becomes. */
static size_t protected_len(const struct scrip_desfire_protection *protection, struct scrip_bytes data)
{
    const size_t body = enciphers(protection, data) ? BLOCK_LEN * blocks_of(data.len) : data.len;
    return body + (protection->comm == SCRIP_DESFIRE_PLAIN ? 0 : MAC_LEN);
}

/* The session's block counter moves on past the response, if how far is known. */
static void expect_response(const struct scrip_sm_suite *suite, struct scrip_desfire_session *session,
                            const struct scrip_desfire_protection *protection, struct scrip_desfire_expect *expect)
{
    const bool enciphered = protection->comm == SCRIP_DESFIRE_FULL && protection->data_back;
    expect->enc_ctr = session->enc_ctr;
    expect->ahead = !suite->counts_blocks || (session->waiting == 0 && (!enciphered || protection->back_len > 0));
    if (!expect->ahead) {
        session->waiting++;
    } else if (enciphered && suite->counts_blocks) {
        session->enc_ctr += (uint32_t)blocks_of(protection->back_len);
    }
}

static const struct scrip_sm_suite *suite_of(const struct scrip_desfire_session *session)
{
    return session->sm == SCRIP_DESFIRE_SM_LRP ? &scrip_sm_suite_lrp : &scrip_sm_suite_ev2;
}

static enum scrip_status counted_wrap_command(struct scrip_desfire_session *session,
                                              const struct scrip_desfire_protection *protection, uint8_t cmd,
                                              struct scrip_bytes header, struct scrip_bytes data, struct scrip_buf *out,
                                              struct scrip_desfire_expect *expect)
{
    const struct scrip_sm_suite *suite = suite_of(session);
    const size_t start = out->len;
    uint8_t mac[MAC_LEN];

    if (session->cmd_ctr == UINT16_MAX) {
        return SCRIP_E_STATE;
    }
    if (session->waiting == UINT8_MAX || (session->waiting > 0 && enciphers(protection, data))) {
        return SCRIP_E_WAIT;
    }
    if (header.len + protected_len(protection, data) > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    expect->cmd_ctr = session->cmd_ctr;
    SCRIP_TRY(scrip_buf_add_bytes(out, header));
    if (enciphers(protection, data)) {
        SCRIP_TRY(encipher(suite, session, SCRIP_SM_COMMAND, session->cmd_ctr, &session->enc_ctr, data, out));
    } else {
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
    }
    if (protection->comm != SCRIP_DESFIRE_PLAIN) {
        suite->mac(session, cmd, session->cmd_ctr, scrip_bytes(out->at + start, out->len - start), mac);
        SCRIP_TRY(scrip_buf_add(out, mac, sizeof mac));
    }
    session->cmd_ctr++;
    expect_response(suite, session, protection, expect);
    return SCRIP_OK;
}

/* The MAC at the end of `data` is right: `*body` is what lies before it. */
static enum scrip_status check_mac(const struct scrip_sm_suite *suite, const struct scrip_desfire_session *session,
                                   uint8_t code, uint16_t ctr, struct scrip_bytes data, struct scrip_bytes *body)
{
    uint8_t mac[MAC_LEN];
    if (data.len < MAC_LEN) {
        return SCRIP_E_LENGTH;
    }
    *body = scrip_bytes_head(data, data.len - MAC_LEN);
    suite->mac(session, code, ctr, *body, mac);
    return scrip_equal_ct(mac, data.at + body->len, MAC_LEN) ? SCRIP_OK : SCRIP_E_MAC;
}

/* The block counter a response starts from, and leaves behind when it could not be told beforehand. */
static enum scrip_status decipher_response(const struct scrip_sm_suite *suite, struct scrip_desfire_session *session,
                                           const struct scrip_desfire_expect *expect, struct scrip_bytes body,
                                           struct scrip_buf *out)
{
    const struct scrip_desfire_protection *protection = &expect->protection;
    uint32_t enc_ctr = expect->ahead ? expect->enc_ctr : session->enc_ctr;

    if (body.len == 0 || body.len % BLOCK_LEN != 0 ||
        (protection->back_len > 0 && body.len != BLOCK_LEN * blocks_of(protection->back_len))) {
        return SCRIP_E_LENGTH;
    }
    SCRIP_TRY(decipher(suite, session, SCRIP_SM_RESPONSE, (uint16_t)(expect->cmd_ctr + 1), &enc_ctr, body, out));
    if (!expect->ahead) {
        session->enc_ctr = enc_ctr;
    }
    return SCRIP_OK;
}

static enum scrip_status counted_open_response(struct scrip_desfire_session *session,
                                               const struct scrip_desfire_expect *expect, uint8_t status,
                                               struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_sm_suite *suite = suite_of(session);
    const struct scrip_desfire_protection *protection = &expect->protection;
    struct scrip_bytes body = data;

    if (!expect->ahead) {
        if (session->waiting == 0) {
            return SCRIP_E_STATE;
        }
        session->waiting--;
    }
    if (protection->no_mac_back) {
        return data.len == 0 ? SCRIP_OK : SCRIP_E_LENGTH;
    }
    if (protection->comm != SCRIP_DESFIRE_PLAIN) {
        SCRIP_TRY(check_mac(suite, session, status, (uint16_t)(expect->cmd_ctr + 1), data, &body));
    }
    if (protection->comm == SCRIP_DESFIRE_FULL && protection->data_back) {
        return decipher_response(suite, session, expect, body, out);
    }
    return scrip_buf_add_bytes(out, body);
}

static enum scrip_status counted_open_command(struct scrip_desfire_session *session,
                                              const struct scrip_desfire_protection *protection, uint8_t cmd,
                                              struct scrip_bytes params, size_t header_len, size_t data_len,
                                              struct scrip_buf *out)
{
    const struct scrip_sm_suite *suite = suite_of(session);
    (void)data_len; /* the padding tells */
    struct scrip_bytes body = params;

    if (session->cmd_ctr == UINT16_MAX) {
        return SCRIP_E_MAC;
    }
    if (protection->comm != SCRIP_DESFIRE_PLAIN) {
        SCRIP_TRY(check_mac(suite, session, cmd, session->cmd_ctr, params, &body));
    }
    if (body.len < header_len) {
        return SCRIP_E_LENGTH;
    }
    const struct scrip_bytes data = scrip_bytes_from(body, header_len);
    if (enciphers(protection, data)) {
        if (data.len % BLOCK_LEN != 0) {
            return SCRIP_E_LENGTH;
        }
        SCRIP_TRY(decipher(suite, session, SCRIP_SM_COMMAND, session->cmd_ctr, &session->enc_ctr, data, out));
    } else {
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
    }
    session->cmd_ctr++;
    return SCRIP_OK;
}

static enum scrip_status counted_wrap_response(struct scrip_desfire_session *session,
                                               const struct scrip_desfire_protection *protection, uint8_t status,
                                               struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_sm_suite *suite = suite_of(session);
    const size_t start = out->len;
    uint8_t mac[MAC_LEN];

    if (protection->no_mac_back) {
        return scrip_buf_add_bytes(out, data);
    }
    if (protected_len(protection, data) > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    if (enciphers(protection, data)) {
        SCRIP_TRY(encipher(suite, session, SCRIP_SM_RESPONSE, session->cmd_ctr, &session->enc_ctr, data, out));
    } else {
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
    }
    if (protection->comm == SCRIP_DESFIRE_PLAIN) {
        return SCRIP_OK;
    }
    suite->mac(session, status, session->cmd_ctr, scrip_bytes(out->at + start, out->len - start), mac);
    return scrip_buf_add(out, mac, sizeof mac);
}

const struct scrip_sm_ops scrip_sm_counted = {
    .wrap_command = counted_wrap_command,
    .open_response = counted_open_response,
    .open_command = counted_open_command,
    .wrap_response = counted_wrap_response,
};
