/* sdm.c: the back office's side of secure dynamic messaging, AES. A card shows UID and read counter enciphered, and a
 * MAC, in a file that anybody may read; these functions tell whether it was a card of ours, and which. */
#include "sm.h"

enum {
    TAG_UID = 0x80,
    TAG_COUNTER = 0x40,
    TAG_UID_LEN = 0x0F,
    UID_LEN = 7,
};

enum scrip_status scrip_desfire_sdm_open(const uint8_t meta_read_key[16], const uint8_t cipher[16],
                                         struct scrip_desfire_sdm_picc *picc)
{
    struct scrip_desfire_sdm_picc made = {0};
    struct scrip_block block;
    const uint8_t *at = made.plain + 1;

    scrip_block_init(&block, SCRIP_AES128, meta_read_key);
    scrip_block_decrypt(&block, 1, made.plain, cipher); /* one block, zero IV */
    scrip_block_wipe(&block);
    const uint8_t tag = made.plain[0];
    made.has_uid = (tag & TAG_UID) != 0;
    made.has_counter = (tag & TAG_COUNTER) != 0;
    if ((tag & 0x30) != 0 || (tag & TAG_UID_LEN) != (made.has_uid ? UID_LEN : 0)) {
        return SCRIP_E_FORMAT;
    }
    if (made.has_uid) {
        memcpy(made.uid, at, UID_LEN);
        at += UID_LEN;
    }
    if (made.has_counter) {
        made.counter = scrip_get_le24(at);
    }
    *picc = made;
    return SCRIP_OK;
}

void scrip_desfire_sdm_keys(const uint8_t file_read_key[16], const struct scrip_desfire_sdm_picc *picc,
                            struct scrip_desfire_sdm_keys *keys)
{
    struct scrip_cmac_key cmac;
    uint8_t vector[16] = {0x3C, 0xC3, 0x00, 0x01, 0x00, 0x80};
    uint8_t *at = vector + 6;

    if (picc->has_uid) {
        memcpy(at, picc->uid, UID_LEN);
        at += UID_LEN;
    }
    if (picc->has_counter) {
        scrip_put_le24(at, picc->counter);
    }
    scrip_cmac_key_init(&cmac, SCRIP_AES128, file_read_key);
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), keys->mac);
    vector[0] = 0xC3;
    vector[1] = 0x3C;
    scrip_cmac(&cmac, SCRIP_BYTES_OF(vector), keys->enc);
    scrip_cmac_key_wipe(&cmac);
}

void scrip_desfire_sdm_mac(const struct scrip_desfire_sdm_keys *keys, struct scrip_bytes input, uint8_t mac[8])
{
    scrip_aes_mact(keys->mac, input, mac);
}

void scrip_desfire_sdm_file_data(const struct scrip_desfire_sdm_keys *keys, uint32_t counter, size_t count,
                                 uint8_t *dst, const uint8_t *src)
{
    struct scrip_block block;
    uint8_t iv[16] = {0};
    scrip_put_le24(iv, counter);
    scrip_block_init(&block, SCRIP_AES128, keys->enc);
    scrip_block_encrypt(&block, 1, iv, iv);
    scrip_cbc_decrypt(&block, iv, count, dst, src);
    scrip_block_wipe(&block);
}
