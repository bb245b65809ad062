/* ev1.c: EV1 messaging. One IV runs through all commands and responses of a session: each MAC or cryptogram is the IV
 * of the next.
 *
 * Running ahead on the host. A status-only response holds nothing unknown, so its MAC is predicted and the chain goes
 * on at once; opening it later only compares. A response with data leaves the chain unknown (`waiting` counts such
 * responses and all that come after them). Commands whose bytes do not depend on the chain can still be issued: their
 * part of the chain is put into the `expect` and made up for when the responses before it have been opened. */
#include "sm.h"
#include <scrip/crc.h>

#define MAC_LEN 8U

static bool enciphers(const struct scrip_desfire_protection *protection, struct scrip_bytes data)
{
    return protection->comm == SCRIP_DESFIRE_FULL && data.len > 0;
}

/* Only data of file commands is followed by its MAC; elsewhere the command MAC is computed and kept as IV. */
static bool sends_mac(const struct scrip_desfire_protection *protection, struct scrip_bytes data)
{
    return protection->comm == SCRIP_DESFIRE_MAC && protection->file_data && data.len > 0;
}

static bool enciphers_back(const struct scrip_desfire_protection *protection, struct scrip_bytes data)
{
    return protection->comm == SCRIP_DESFIRE_FULL && protection->data_back && data.len > 0;
}

/* IV = CMAC_IV(a || b || c) */
static void chain(struct scrip_desfire_session *session, struct scrip_bytes a, struct scrip_bytes b,
                  struct scrip_bytes c)
{
    struct scrip_cmac cmac;
    scrip_cmac_start(&cmac, &session->mac, session->iv);
    scrip_cmac_add(&cmac, a);
    scrip_cmac_add(&cmac, b);
    scrip_cmac_add(&cmac, c);
    scrip_cmac_final(&cmac, session->iv);
}

static void chain_response(struct scrip_desfire_session *session, struct scrip_bytes data, uint8_t status)
{
    chain(session, data, scrip_bytes(&status, 1), scrip_bytes(NULL, 0));
}

static struct scrip_sm_closing command_closing(const struct scrip_desfire_protection *protection, uint8_t cmd,
                                               struct scrip_bytes header, size_t data_len)
{
    struct scrip_sm_closing closing = {
        .sum = {.state = SCRIP_CRC32_START, .len = 4},
        .no_sum = protection->own_checksums,
        .marked = protection->unknown_len,
        .data_len = data_len,
    };
    scrip_sm_sum_add(&closing.sum, scrip_bytes(&cmd, 1));
    scrip_sm_sum_add(&closing.sum, header);
    return closing;
}

static struct scrip_sm_closing response_closing(const struct scrip_desfire_protection *protection, uint8_t status,
                                                size_t data_len)
{
    return (struct scrip_sm_closing){
        .sum = {.state = SCRIP_CRC32_START, .len = 4, .has_tail = true, .tail = status},
        .marked = protection->unknown_len,
        .data_len = data_len,
    };
}

static enum scrip_status encipher(struct scrip_desfire_session *session, const struct scrip_sm_closing *closing,
                                  struct scrip_bytes data, struct scrip_buf *out)
{
    const size_t start = out->len;
    const size_t block_len = scrip_block_len(&session->enc);
    SCRIP_TRY(scrip_sm_close(closing, block_len, data, out));
    scrip_cbc_encrypt(&session->enc, session->iv, (out->len - start) / block_len, out->at + start, out->at + start);
    return SCRIP_OK;
}

static enum scrip_status decipher(struct scrip_desfire_session *session, const struct scrip_sm_closing *closing,
                                  struct scrip_bytes data, struct scrip_buf *out)
{
    const size_t start = out->len;
    const size_t block_len = scrip_block_len(&session->enc);
    if (data.len % block_len != 0) {
        return SCRIP_E_LENGTH;
    }
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    scrip_cbc_decrypt(&session->enc, session->iv, data.len / block_len, out->at + start, out->at + start);
    const enum scrip_status status = scrip_sm_strip(closing, block_len, start, out);
    return status == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, status);
}

/* The command's bytes do not depend on the chain: keep for later what it adds to it. */
static enum scrip_status defer(struct scrip_desfire_expect *expect, uint8_t cmd, struct scrip_bytes header,
                               struct scrip_bytes data)
{
    struct scrip_buf deferred = SCRIP_BUF_OF(expect->deferred);
    if (1 + header.len + data.len > sizeof expect->deferred) {
        return SCRIP_E_WAIT;
    }
    SCRIP_TRY(scrip_buf_add_u8(&deferred, cmd));
    SCRIP_TRY(scrip_buf_add_bytes(&deferred, header));
    SCRIP_TRY(scrip_buf_add_bytes(&deferred, data));
    expect->deferred_len = (uint8_t)deferred.len;
    return SCRIP_OK;
}

static void expect_response(struct scrip_desfire_session *session, const struct scrip_desfire_protection *protection,
                            struct scrip_desfire_expect *expect)
{
    expect->ahead = session->waiting == 0 && !protection->data_back;
    if (!expect->ahead) {
        session->waiting++;
    } else if (!protection->no_mac_back) {
        chain_response(session, scrip_bytes(NULL, 0), 0x00);
        memcpy(expect->predicted, session->iv, MAC_LEN);
    }
}

/* Header, data, and the MAC if it is one that is sent. Room was made sure of. */
static enum scrip_status add_clear(struct scrip_desfire_session *session,
                                   const struct scrip_desfire_protection *protection, struct scrip_bytes data,
                                   struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    return sends_mac(protection, data) ? scrip_buf_add(out, session->iv, MAC_LEN) : SCRIP_OK;
}

static enum scrip_status ev1_wrap_command(struct scrip_desfire_session *session,
                                          const struct scrip_desfire_protection *protection, uint8_t cmd,
                                          struct scrip_bytes header, struct scrip_bytes data, struct scrip_buf *out,
                                          struct scrip_desfire_expect *expect)
{
    const bool full = enciphers(protection, data);
    const bool mac = sends_mac(protection, data);
    const size_t start = out->len;

    if (session->waiting > 0 && (full || mac || session->waiting == UINT8_MAX)) {
        return SCRIP_E_WAIT;
    }
    if (header.len + data.len + (mac ? MAC_LEN : 0) > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    if (session->waiting > 0) {
        SCRIP_TRY(defer(expect, cmd, header, data));
    } else if (!full) {
        chain(session, scrip_bytes(&cmd, 1), header, data);
    }
    SCRIP_TRY(scrip_buf_add_bytes(out, header));
    if (full) {
        const struct scrip_sm_closing closing = command_closing(protection, cmd, header, data.len);
        const enum scrip_status status = encipher(session, &closing, data, out);
        if (status != SCRIP_OK) {
            return scrip_sm_drop(start, out, status);
        }
    } else {
        SCRIP_TRY(add_clear(session, protection, data, out));
    }
    expect_response(session, protection, expect);
    return SCRIP_OK;
}

static enum scrip_status open_predicted(const struct scrip_desfire_expect *expect, struct scrip_bytes data)
{
    const size_t len = expect->protection.no_mac_back ? 0 : MAC_LEN;
    if (data.len != len) {
        return SCRIP_E_LENGTH;
    }
    return len == 0 || scrip_equal_ct(data.at, expect->predicted, len) ? SCRIP_OK : SCRIP_E_MAC;
}

/* Data followed by the MAC that is the next IV. */
static enum scrip_status take_mac(struct scrip_desfire_session *session, uint8_t status, struct scrip_bytes data,
                                  struct scrip_buf *out)
{
    if (data.len < MAC_LEN) {
        return SCRIP_E_LENGTH;
    }
    const struct scrip_bytes plain = scrip_bytes_head(data, data.len - MAC_LEN);
    chain_response(session, plain, status);
    if (!scrip_equal_ct(session->iv, plain.at + plain.len, MAC_LEN)) {
        return SCRIP_E_MAC;
    }
    return scrip_buf_add_bytes(out, plain);
}

static enum scrip_status ev1_open_response(struct scrip_desfire_session *session,
                                           const struct scrip_desfire_expect *expect, uint8_t status,
                                           struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_desfire_protection *protection = &expect->protection;

    if (expect->ahead) {
        return open_predicted(expect, data);
    }
    if (session->waiting == 0 || expect->deferred_len > sizeof expect->deferred) {
        return SCRIP_E_STATE;
    }
    session->waiting--;
    if (expect->deferred_len > 0) {
        chain(session, scrip_bytes(expect->deferred, expect->deferred_len), scrip_bytes(NULL, 0), scrip_bytes(NULL, 0));
    }
    if (protection->no_mac_back) {
        return data.len == 0 ? SCRIP_OK : SCRIP_E_LENGTH;
    }
    if (enciphers_back(protection, data)) {
        const struct scrip_sm_closing closing =
            response_closing(protection, status, protection->back_len > 0 ? protection->back_len : SIZE_MAX);
        return decipher(session, &closing, data, out);
    }
    return take_mac(session, status, data, out);
}

static enum scrip_status open_sent_mac(struct scrip_desfire_session *session, uint8_t cmd, struct scrip_bytes params,
                                       size_t header_len, struct scrip_buf *out)
{
    if (params.len < header_len + MAC_LEN) {
        return SCRIP_E_LENGTH;
    }
    const struct scrip_bytes before = scrip_bytes_head(params, params.len - MAC_LEN);
    chain(session, scrip_bytes(&cmd, 1), before, scrip_bytes(NULL, 0));
    if (!scrip_equal_ct(session->iv, before.at + before.len, MAC_LEN)) {
        return SCRIP_E_MAC;
    }
    return scrip_buf_add_bytes(out, scrip_bytes_from(before, header_len));
}

static enum scrip_status ev1_open_command(struct scrip_desfire_session *session,
                                          const struct scrip_desfire_protection *protection, uint8_t cmd,
                                          struct scrip_bytes params, size_t header_len, size_t data_len,
                                          struct scrip_buf *out)
{
    const struct scrip_bytes header = scrip_bytes_head(params, header_len);
    const struct scrip_bytes data = scrip_bytes_from(params, header_len);

    if (params.len < header_len) {
        return SCRIP_E_LENGTH;
    }
    if (enciphers(protection, data)) {
        const struct scrip_sm_closing closing = command_closing(protection, cmd, header, data_len);
        return decipher(session, &closing, data, out);
    }
    if (sends_mac(protection, data)) {
        return open_sent_mac(session, cmd, params, header_len, out);
    }
    chain(session, scrip_bytes(&cmd, 1), params, scrip_bytes(NULL, 0));
    return scrip_buf_add_bytes(out, data);
}

static enum scrip_status ev1_wrap_response(struct scrip_desfire_session *session,
                                           const struct scrip_desfire_protection *protection, uint8_t status,
                                           struct scrip_bytes data, struct scrip_buf *out)
{
    if (protection->no_mac_back) {
        return scrip_buf_add_bytes(out, data);
    }
    if (enciphers_back(protection, data)) {
        const struct scrip_sm_closing closing = response_closing(protection, status, data.len);
        return encipher(session, &closing, data, out);
    }
    if (data.len + MAC_LEN > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    chain_response(session, data, status);
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    return scrip_buf_add(out, session->iv, MAC_LEN);
}

const struct scrip_sm_ops scrip_sm_ev1 = {
    .wrap_command = ev1_wrap_command,
    .open_response = ev1_open_response,
    .open_command = ev1_open_command,
    .wrap_response = ev1_wrap_response,
};
