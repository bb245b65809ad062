/* tmac.c: the Transaction MAC: keys of one transaction, its input TMI, its value TMV and the reader id. */
#include "sm.h"

enum {
    FOR_MAC = 0x5A,
    FOR_ENC = 0xA5,
};

void scrip_desfire_tmac_keys(const uint8_t app_key[16], uint32_t tmc_next, const uint8_t uid[7],
                             struct scrip_desfire_tmac_keys *keys)
{
    struct scrip_cmac_key cmac;
    uint8_t vector[16] = {FOR_MAC, 0x00, 0x01, 0x00, 0x80};

    scrip_put_le32(vector + 5, tmc_next);
    memcpy(vector + 9, uid, 7);
    scrip_cmac_key_init(&cmac, SCRIP_AES128, app_key);
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), keys->mac);
    vector[0] = FOR_ENC;
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), keys->enc);
    scrip_cmac_key_wipe(&cmac);
}

void scrip_desfire_tmac_keys_lrp(const uint8_t app_key[16], uint16_t act_next, uint16_t ses_next, const uint8_t uid[7],
                                 struct scrip_desfire_tmac_keys *keys)
{
    struct scrip_lrp lrp;
    uint8_t vector[16] = {0x00, 0x01, 0x00, 0x80};

    scrip_put_le16(vector + 4, act_next);
    scrip_put_le16(vector + 6, ses_next);
    memcpy(vector + 8, uid, 7);
    scrip_lrp_init(&lrp, app_key, 1);
    vector[15] = FOR_MAC;
    scrip_lrp_cmac(&lrp, 0, SCRIP_BYTES_OF(vector), keys->mac);
    vector[15] = FOR_ENC;
    scrip_lrp_cmac(&lrp, 0, SCRIP_BYTES_OF(vector), keys->enc);
    scrip_lrp_wipe(&lrp);
}

void scrip_desfire_tmri_encrypt(const struct scrip_desfire_tmac_keys *keys, const uint8_t in[16], uint8_t out[16])
{
    struct scrip_block block;
    scrip_block_init_encrypt(&block, SCRIP_AES128, keys->enc);
    scrip_block_encrypt(&block, 1, out, in);
    scrip_block_wipe(&block);
}

void scrip_desfire_tmri_decrypt(const struct scrip_desfire_tmac_keys *keys, const uint8_t in[16], uint8_t out[16])
{
    struct scrip_block block;
    scrip_block_init(&block, SCRIP_AES128, keys->enc);
    scrip_block_decrypt(&block, 1, out, in);
    scrip_block_wipe(&block);
}

static size_t filler(size_t len)
{
    return (16 - len % 16) % 16;
}

enum scrip_status scrip_desfire_tmi_add(struct scrip_buf *tmi, struct scrip_bytes fixed, struct scrip_bytes data)
{
    if (fixed.len + filler(fixed.len) + data.len + filler(data.len) > tmi->cap - tmi->len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add_bytes(tmi, fixed));
    SCRIP_TRY(scrip_buf_fill(tmi, 0, filler(fixed.len)));
    SCRIP_TRY(scrip_buf_add_bytes(tmi, data));
    return scrip_buf_fill(tmi, 0, filler(data.len));
}

void scrip_desfire_tmv(const struct scrip_desfire_tmac_keys *keys, struct scrip_bytes tmi, uint8_t tmv[8])
{
    scrip_aes_mact(keys->mac, tmi, tmv);
}

/* ---- fed through ---- */

/* Whole blocks go into the MAC, the last one is kept back: it may be the final one. */
static void feed_blocks(struct scrip_desfire_tmi *tmi, const struct scrip_block *block, struct scrip_bytes bytes)
{
    while (bytes.len > 0) {
        const struct scrip_bytes head = scrip_bytes_head(bytes, 16);
        if (tmi->used) {
            scrip_cbc_encrypt(block, tmi->x, 1, tmi->held, tmi->held);
        }
        memset(tmi->held, 0, sizeof tmi->held);
        memcpy(tmi->held, head.at, head.len);
        tmi->used = true;
        bytes = scrip_bytes_from(bytes, head.len);
    }
}

void scrip_desfire_tmi_feed(struct scrip_desfire_tmi *tmi, const struct scrip_desfire_tmac_keys *keys,
                            struct scrip_bytes fixed, struct scrip_bytes data)
{
    struct scrip_block block;
    scrip_block_init_encrypt(&block, SCRIP_AES128, keys->mac);
    feed_blocks(tmi, &block, fixed);
    feed_blocks(tmi, &block, data);
    scrip_block_wipe(&block);
}

void scrip_desfire_tmi_tmv(const struct scrip_desfire_tmi *tmi, const struct scrip_desfire_tmac_keys *keys,
                           uint8_t tmv[8])
{
    struct scrip_cmac_key key;
    uint8_t mac[16];
    scrip_cmac_key_init(&key, SCRIP_AES128, keys->mac);
    scrip_cmac_chain(&key, memcpy(mac, tmi->x, sizeof mac), scrip_bytes(tmi->held, tmi->used ? 16 : 0));
    scrip_mact(mac, tmv);
    scrip_cmac_key_wipe(&key);
}
