/* ev2.c: EV2 messaging: AES-CBC with an IV out of the counter, CMAC cut to its odd-indexed bytes. */
#include "counted.h"

/* Seven bytes of code, counter and TI go before the body. What fits the first block with them is put in by hand, the
 * rest is an ordinary CMAC that goes on from there. */
static void ev2_mac(const struct scrip_desfire_session *session, uint8_t code, uint16_t ctr, struct scrip_bytes body,
                    uint8_t out[8])
{
    uint8_t first[16] = {code};
    uint8_t mac[16];
    const struct scrip_bytes fits = scrip_bytes_head(body, sizeof first - 7);

    scrip_put_le16(first + 1, ctr);
    memcpy(first + 3, session->ti, sizeof session->ti);
    if (fits.len > 0) {
        memcpy(first + 7, fits.at, fits.len);
    }
    if (body.len == fits.len) {
        scrip_cmac(&session->mac, scrip_bytes(first, 7 + fits.len), mac);
    } else {
        scrip_block_encrypt(&session->mac.block, 1, mac, first);
        scrip_cmac_chain(&session->mac, mac, scrip_bytes_from(body, fits.len));
    }
    scrip_mact(mac, out);
}

static void ev2_crypt(const struct scrip_desfire_session *session, bool encrypt, enum scrip_sm_way way, uint16_t ctr,
                      uint32_t *enc_ctr, size_t count, uint8_t *data)
{
    uint8_t iv[16] = {0};

    (void)enc_ctr;
    iv[0] = way == SCRIP_SM_COMMAND ? 0xA5 : 0x5A;
    iv[1] = way == SCRIP_SM_COMMAND ? 0x5A : 0xA5;
    memcpy(iv + 2, session->ti, sizeof session->ti);
    scrip_put_le16(iv + 6, ctr);
    scrip_block_encrypt(&session->enc, 1, iv, iv);
    if (encrypt) {
        scrip_cbc_encrypt(&session->enc, iv, count, data, data);
    } else {
        scrip_cbc_decrypt(&session->enc, iv, count, data, data);
    }
}

const struct scrip_sm_suite scrip_sm_suite_ev2 = {.mac = ev2_mac, .crypt = ev2_crypt};
