/* change_key.c: the plain data of ChangeKey, made and read. The own-key form is the new key; the other-key form is the
 * new key xor the old one, with a checksum of the new key besides, so that a card notices a wrong old key. */
#include "sm.h"
#include <scrip/crc.h>

/* DES travels as two equal halves. */
static size_t sent_len(enum scrip_cipher cipher)
{
    return cipher == SCRIP_DES ? 16 : scrip_cipher_key_len(cipher);
}

static void sent_bytes(const struct scrip_desfire_key *key, size_t len, uint8_t out[24])
{
    const size_t own = scrip_cipher_key_len((enum scrip_cipher)key->cipher);
    for (size_t i = 0; i < len; i++) {
        out[i] = key->bytes[i % own];
    }
}

static bool counted(enum scrip_desfire_sm sm)
{
    return sm == SCRIP_DESFIRE_SM_EV2 || sm == SCRIP_DESFIRE_SM_LRP;
}

static enum scrip_status add_crc16(struct scrip_bytes data, struct scrip_buf *out)
{
    return scrip_buf_add_le(out, scrip_crc16_a(data), 2);
}

static enum scrip_status add_crc32(struct scrip_bytes data, struct scrip_buf *out)
{
    return scrip_buf_add_le(out, scrip_crc32(SCRIP_CRC32_START, data), 4);
}

/* EV1: the checksum of the cryptogram covers command, header and what has been appended so far. */
static enum scrip_status add_command_crc32(uint8_t cmd, struct scrip_bytes header, struct scrip_bytes data,
                                           struct scrip_buf *out)
{
    uint32_t crc = scrip_crc32(SCRIP_CRC32_START, scrip_bytes(&cmd, 1));
    crc = scrip_crc32(crc, header);
    return scrip_buf_add_le(out, scrip_crc32(crc, data), 4);
}

/* `sent`: the key as it travels, xor the old one if that form is used; `fresh`: the new key itself. */
static enum scrip_status lay_out(enum scrip_desfire_sm sm, uint8_t cmd, struct scrip_bytes header, bool has_version,
                                 uint8_t version, bool other, struct scrip_bytes sent, struct scrip_bytes fresh,
                                 struct scrip_buf *out)
{
    const size_t start = out->len;

    SCRIP_TRY(scrip_buf_add_bytes(out, sent));
    if (has_version) {
        SCRIP_TRY(scrip_buf_add_u8(out, version));
    }
    const struct scrip_bytes so_far = scrip_bytes(out->at + start, out->len - start);
    if (sm == SCRIP_DESFIRE_SM_D40) {
        SCRIP_TRY(add_crc16(so_far, out));
        return other ? add_crc16(fresh, out) : SCRIP_OK;
    }
    if (!counted(sm)) {
        SCRIP_TRY(add_command_crc32(cmd, header, so_far, out));
    }
    return other ? add_crc32(fresh, out) : SCRIP_OK;
}

enum scrip_status scrip_desfire_change_key_data(enum scrip_desfire_sm sm, uint8_t cmd, struct scrip_bytes header,
                                                const struct scrip_desfire_key *next,
                                                const struct scrip_desfire_key *current, struct scrip_buf *out)
{
    const size_t len = sent_len((enum scrip_cipher)next->cipher);
    const size_t start = out->len;
    uint8_t fresh[24];
    uint8_t sent[24];

    sent_bytes(next, len, fresh);
    memcpy(sent, fresh, len);
    if (current != NULL) {
        uint8_t old[24];
        sent_bytes(current, len, old);
        for (size_t i = 0; i < len; i++) {
            sent[i] ^= old[i];
        }
        scrip_wipe(old, sizeof old);
    }
    const enum scrip_status status = lay_out(sm, cmd, header, next->cipher == SCRIP_AES128, next->version,
                                             current != NULL, scrip_bytes(sent, len), scrip_bytes(fresh, len), out);
    scrip_wipe(fresh, sizeof fresh);
    scrip_wipe(sent, sizeof sent);
    return status == SCRIP_OK ? SCRIP_OK : scrip_sm_drop(start, out, status);
}

/* A DES-family key as it arrived: equal halves mean single DES, and the version is in the parity bits. */
static void settle_type(struct scrip_desfire_key *key)
{
    if (key->cipher == SCRIP_2K3DES && memcmp(key->bytes, key->bytes + 8, 8) == 0) {
        key->cipher = SCRIP_DES;
        memset(key->bytes + 8, 0, 16);
    }
    key->version = scrip_des_key_version(key->bytes);
}

static bool same_but_padding(struct scrip_bytes plain, struct scrip_bytes wanted)
{
    uint8_t tail = 0;
    for (size_t i = wanted.len; i < plain.len; i++) {
        tail |= plain.at[i];
    }
    return scrip_equal_ct(plain.at, wanted.at, wanted.len) && tail == 0;
}

enum scrip_status scrip_desfire_change_key_open(enum scrip_desfire_sm sm, uint8_t cmd, struct scrip_bytes header,
                                                enum scrip_cipher cipher, const struct scrip_desfire_key *current,
                                                struct scrip_bytes plain, struct scrip_desfire_key *next)
{
    const size_t len = sent_len(cipher);
    const bool has_version = cipher == SCRIP_AES128;
    struct scrip_desfire_key key = {.cipher = (uint8_t)(cipher == SCRIP_DES ? SCRIP_2K3DES : cipher)};
    uint8_t again[40];
    struct scrip_buf wanted = SCRIP_BUF_OF(again);

    if (plain.len < len + (has_version ? 1 : 0)) {
        return SCRIP_E_LENGTH;
    }
    memcpy(key.bytes, plain.at, len);
    if (current != NULL) {
        uint8_t old[24];
        sent_bytes(current, len, old);
        for (size_t i = 0; i < len; i++) {
            key.bytes[i] ^= old[i];
        }
        scrip_wipe(old, sizeof old);
    }
    key.version = has_version ? plain.at[len] : 0;
    /* Lay it out again and compare: checksums, version and length in one go. */
    SCRIP_TRY(lay_out(sm, cmd, header, has_version, key.version, current != NULL, scrip_bytes(plain.at, len),
                      scrip_bytes(key.bytes, len), &wanted));
    const size_t block_len = counted(sm) ? 1 : 16; /* EV2 took the padding off already */
    enum scrip_status status = SCRIP_OK;
    if (plain.len < wanted.len || plain.len >= wanted.len + block_len) {
        status = SCRIP_E_LENGTH;
    } else if (!same_but_padding(plain, scrip_buf_bytes(&wanted))) {
        status = SCRIP_E_MAC;
    } else {
        if (!has_version) {
            settle_type(&key);
        }
        *next = key;
    }
    scrip_wipe(again, sizeof again);
    scrip_wipe(&key, sizeof key);
    return status;
}

uint8_t scrip_des_key_version(const uint8_t *key)
{
    uint8_t version = 0;
    for (size_t i = 0; i < 8; i++) {
        version = (uint8_t)(version << 1 | (key[i] & 1));
    }
    return version;
}

void scrip_des_key_set_version(uint8_t *key, size_t len, uint8_t version)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned bit = i < 8 ? (unsigned)version >> (7 - i) & 1U : 0U;
        key[i] = (uint8_t)((key[i] & 0xFEU) | bit);
    }
}
