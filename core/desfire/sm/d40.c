/* d40.c: the messaging of the first DESFire. Every cryptogram stands alone, with a zero IV; nothing is counted and
 * commands are not bound to their headers. Kept for old cards; not fit for crediting over an untrusted path. */
#include "sm.h"
#include <scrip/crc.h>

#define MAC_LEN 4U

void scrip_sm_d40_send(const struct scrip_block *block, size_t count, uint8_t *data)
{
    const size_t len = scrip_block_len(block);
    for (size_t i = 0; i < count * len; i += len) {
        if (i > 0) {
            for (size_t k = 0; k < len; k++) {
                data[i + k] ^= data[i + k - len];
            }
        }
        scrip_block_decrypt(block, 1, data + i, data + i);
    }
}

void scrip_sm_d40_receive(const struct scrip_block *block, size_t count, uint8_t *data)
{
    const size_t len = scrip_block_len(block);
    for (size_t i = count * len; i > 0; i -= len) { /* from the end, so that the cipher text before is still there */
        uint8_t *at = data + (i - len);
        scrip_block_encrypt(block, 1, at, at);
        if (i > len) {
            const uint8_t *before = at - len;
            for (size_t k = 0; k < len; k++) {
                at[k] ^= before[k];
            }
        }
    }
}

/* First half of the last block of CBC over the zero-padded data, whichever side computes it. */
static void mac4(const struct scrip_desfire_session *session, struct scrip_bytes data, uint8_t mac[MAC_LEN])
{
    const size_t len = scrip_block_len(&session->enc);
    uint8_t x[SCRIP_BLOCK_MAX] = {0};
    while (data.len > 0) {
        uint8_t block[SCRIP_BLOCK_MAX] = {0};
        const struct scrip_bytes head = scrip_bytes_head(data, len);
        memcpy(block, head.at, head.len);
        scrip_cbc_encrypt(&session->enc, x, 1, block, block);
        data = scrip_bytes_from(data, head.len);
    }
    memcpy(mac, x, MAC_LEN);
}

static bool enciphers(const struct scrip_desfire_protection *protection)
{
    return protection->comm == SCRIP_DESFIRE_FULL &&
           (protection->file_data || protection->settings || protection->own_checksums);
}

static bool macs(const struct scrip_desfire_protection *protection)
{
    return protection->comm == SCRIP_DESFIRE_MAC && protection->file_data;
}

static struct scrip_sm_closing closing_of(const struct scrip_desfire_protection *protection, bool response,
                                          size_t data_len)
{
    return (struct scrip_sm_closing){
        .sum = {.state = SCRIP_CRC16_START, .len = 2},
        .no_sum = !response && protection->own_checksums,
        .marked = protection->unknown_len,
        .data_len = data_len,
    };
}

static enum scrip_status add_mac(const struct scrip_desfire_session *session, struct scrip_bytes data,
                                 struct scrip_buf *out)
{
    uint8_t mac[MAC_LEN];
    if (data.len + MAC_LEN > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    mac4(session, data, mac);
    SCRIP_TRY(scrip_buf_add_bytes(out, data));
    return scrip_buf_add(out, mac, sizeof mac);
}

static enum scrip_status take_mac(const struct scrip_desfire_session *session, struct scrip_bytes data,
                                  struct scrip_buf *out)
{
    uint8_t mac[MAC_LEN];
    if (data.len <= MAC_LEN) {
        return SCRIP_E_LENGTH;
    }
    const struct scrip_bytes plain = scrip_bytes_head(data, data.len - MAC_LEN);
    mac4(session, plain, mac);
    if (!scrip_equal_ct(mac, plain.at + plain.len, MAC_LEN)) {
        return SCRIP_E_MAC;
    }
    return scrip_buf_add_bytes(out, plain);
}

static enum scrip_status d40_wrap_command(struct scrip_desfire_session *session,
                                          const struct scrip_desfire_protection *protection, uint8_t cmd,
                                          struct scrip_bytes header, struct scrip_bytes data, struct scrip_buf *out,
                                          struct scrip_desfire_expect *expect)
{
    const size_t start = out->len;
    const size_t block_len = scrip_block_len(&session->enc);
    enum scrip_status status;

    (void)cmd;
    (void)expect;
    SCRIP_TRY(scrip_buf_add_bytes(out, header));
    const size_t body = out->len;
    if (data.len > 0 && enciphers(protection)) {
        const struct scrip_sm_closing closing = closing_of(protection, false, data.len);
        status = scrip_sm_close(&closing, block_len, data, out);
        scrip_sm_d40_send(&session->enc, (out->len - body) / block_len, out->at + body);
    } else if (data.len > 0 && macs(protection)) {
        status = add_mac(session, data, out);
    } else {
        status = scrip_buf_add_bytes(out, data);
    }
    return status == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, status);
}

static enum scrip_status d40_open_response(struct scrip_desfire_session *session,
                                           const struct scrip_desfire_expect *expect, uint8_t status,
                                           struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_desfire_protection *protection = &expect->protection;
    const size_t start = out->len;
    const size_t block_len = scrip_block_len(&session->enc);
    uint8_t iv[SCRIP_BLOCK_MAX] = {0};

    (void)status;
    if (data.len > 0 && protection->data_back && macs(protection)) {
        return take_mac(session, data, out);
    }
    if (data.len > 0 && protection->data_back && enciphers(protection)) {
        if (data.len % block_len != 0) {
            return SCRIP_E_LENGTH;
        }
        const struct scrip_sm_closing closing =
            closing_of(protection, true, protection->back_len > 0 ? protection->back_len : SIZE_MAX);
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
        scrip_cbc_decrypt(&session->enc, iv, data.len / block_len, out->at + start, out->at + start);
        const enum scrip_status stripped = scrip_sm_strip(&closing, block_len, start, out);
        return stripped == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, stripped);
    }
    return scrip_buf_add_bytes(out, data);
}

static enum scrip_status d40_open_command(struct scrip_desfire_session *session,
                                          const struct scrip_desfire_protection *protection, uint8_t cmd,
                                          struct scrip_bytes params, size_t header_len, size_t data_len,
                                          struct scrip_buf *out)
{
    const struct scrip_bytes data = scrip_bytes_from(params, header_len);
    const size_t start = out->len;
    const size_t block_len = scrip_block_len(&session->enc);

    (void)cmd;
    if (params.len < header_len) {
        return SCRIP_E_LENGTH;
    }
    if (data.len > 0 && macs(protection)) {
        return take_mac(session, data, out);
    }
    if (data.len > 0 && enciphers(protection)) {
        if (data.len % block_len != 0) {
            return SCRIP_E_LENGTH;
        }
        const struct scrip_sm_closing closing = closing_of(protection, false, data_len);
        SCRIP_TRY(scrip_buf_add_bytes(out, data));
        scrip_sm_d40_receive(&session->enc, data.len / block_len, out->at + start);
        const enum scrip_status stripped = scrip_sm_strip(&closing, block_len, start, out);
        return stripped == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, stripped);
    }
    return scrip_buf_add_bytes(out, data);
}

static enum scrip_status d40_wrap_response(struct scrip_desfire_session *session,
                                           const struct scrip_desfire_protection *protection, uint8_t status,
                                           struct scrip_bytes data, struct scrip_buf *out)
{
    const size_t start = out->len;
    const size_t block_len = scrip_block_len(&session->enc);
    uint8_t iv[SCRIP_BLOCK_MAX] = {0};

    (void)status;
    if (data.len > 0 && macs(protection)) {
        return add_mac(session, data, out);
    }
    if (data.len > 0 && enciphers(protection)) {
        const struct scrip_sm_closing closing = closing_of(protection, true, data.len);
        SCRIP_TRY(scrip_sm_close(&closing, block_len, data, out));
        scrip_cbc_encrypt(&session->enc, iv, (out->len - start) / block_len, out->at + start, out->at + start);
        return SCRIP_OK;
    }
    return scrip_buf_add_bytes(out, data);
}

const struct scrip_sm_ops scrip_sm_d40 = {
    .wrap_command = d40_wrap_command,
    .open_response = d40_open_response,
    .open_command = d40_open_command,
    .wrap_response = d40_wrap_response,
};
