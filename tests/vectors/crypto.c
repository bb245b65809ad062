/* Checksums, CMAC, diversification, DES key versions. */
#include "vector.h"
#include <scrip/cmac.h>
#include <scrip/crc.h>
#include <scrip/desfire_sm.h>
#include <string.h>

static void crc16(struct vector *v)
{
    uint8_t crc[2];
    scrip_put_le16(crc, scrip_crc16_a(in_bytes(v, "data")));
    want_bytes(v, "crc_le", SCRIP_BYTES_OF(crc));
}

static void crc32(struct vector *v)
{
    uint8_t crc[4];
    scrip_put_le32(crc, scrip_crc32(SCRIP_CRC32_START, in_bytes(v, "data")));
    want_bytes(v, "crc_le", SCRIP_BYTES_OF(crc));
}

static enum scrip_cipher tdea(struct vector *v, struct scrip_bytes key)
{
    if (key.len != 8 && key.len != 16 && key.len != 24) {
        vector_fail(v, "key of %zu bytes", key.len);
    }
    return key.len == 8 ? SCRIP_DES : key.len == 16 ? SCRIP_2K3DES : SCRIP_3K3DES;
}

static void subkeys(struct vector *v, enum scrip_cipher cipher, const uint8_t *bytes)
{
    struct scrip_cmac_key key;
    const size_t len = scrip_cipher_block_len(cipher);
    scrip_cmac_key_init(&key, cipher, bytes);
    want_bytes(v, "k1", scrip_bytes(key.k1, len));
    want_bytes(v, "k2", scrip_bytes(key.k2, len));
}

static void cmac_aes_subkeys(struct vector *v)
{
    subkeys(v, SCRIP_AES128, in_exactly(v, "key", 16));
}

static void cmac_tdea_subkeys(struct vector *v)
{
    const struct scrip_bytes key = in_bytes(v, "key");
    subkeys(v, tdea(v, key), key.at);
}

/* In one piece, and byte by byte. */
static void cmac_both_ways(struct vector *v, enum scrip_cipher cipher, const uint8_t *bytes, uint8_t mac[16])
{
    const struct scrip_bytes message = in_bytes(v, "message");
    struct scrip_cmac_key key;
    struct scrip_cmac run;
    uint8_t again[16];

    scrip_cmac_key_init(&key, cipher, bytes);
    scrip_cmac(&key, message, mac);
    scrip_cmac_start(&run, &key, NULL);
    for (size_t i = 0; i < message.len; i++) {
        scrip_cmac_add(&run, scrip_bytes(message.at + i, 1));
    }
    scrip_cmac_final(&run, again);
    same_bytes(v, "in pieces", scrip_bytes(mac, scrip_cipher_block_len(cipher)),
               scrip_bytes(again, scrip_cipher_block_len(cipher)));
}

static void cmac_aes(struct vector *v)
{
    uint8_t mac[16];
    uint8_t cut[8];
    cmac_both_ways(v, SCRIP_AES128, in_exactly(v, "key", 16), mac);
    scrip_mact(mac, cut);
    want_bytes(v, "cmac", SCRIP_BYTES_OF(mac));
    want_bytes(v, "mact_odd_index_bytes", SCRIP_BYTES_OF(cut));
}

static void cmac_tdea(struct vector *v)
{
    uint8_t mac[16];
    const struct scrip_bytes key = in_bytes(v, "key");
    cmac_both_ways(v, tdea(v, key), key.at, mac);
    want_bytes(v, "cmac", scrip_bytes(mac, 8));
}

static void an10922(struct vector *v, enum scrip_cipher cipher)
{
    const size_t len = scrip_cipher_key_len(cipher);
    uint8_t key[SCRIP_KEY_MAX];
    const uint8_t *master = in_exactly(v, "master_key", len);
    all_right(v, "diversify", scrip_an10922(cipher, master, in_bytes(v, "M"), key));
    want_bytes(v, "key", scrip_bytes(key, len));
}

static void an10922_aes128(struct vector *v)
{
    an10922(v, SCRIP_AES128);
}

static void an10922_aes192(struct vector *v)
{
    an10922(v, SCRIP_AES192);
}

static void an10922_aes256(struct vector *v)
{
    an10922(v, SCRIP_AES256);
}

static void an10922_2tdea(struct vector *v)
{
    an10922(v, SCRIP_2K3DES);
}

static void an10922_3tdea(struct vector *v)
{
    an10922(v, SCRIP_3K3DES);
}

static void des_key_version(struct vector *v)
{
    const struct scrip_bytes given = in_bytes(v, "key");
    uint8_t key[24];
    uint8_t version;

    if (given.len > sizeof key) {
        vector_fail(v, "key too long");
    }
    memcpy(key, given.at, given.len);
    version = scrip_des_key_version(key);
    want_bytes(v, "version", scrip_bytes(&version, 1));
    scrip_des_key_set_version(key, given.len, 0);
    want_bytes(v, "key_without_version_bits", scrip_bytes(key, given.len));
    scrip_des_key_set_version(key, given.len, version);
    if (scrip_des_key_version(key) != version) {
        vector_fail(v, "the version written back reads otherwise");
    }
}

const struct vector_kind VECTORS_CRYPTO[] = {
    {"crc16", crc16},
    {"crc32", crc32},
    {"cmac-aes-subkeys", cmac_aes_subkeys},
    {"cmac-tdea-subkeys", cmac_tdea_subkeys},
    {"cmac-aes", cmac_aes},
    {"cmac-tdea", cmac_tdea},
    {"kdf-an10922-aes128", an10922_aes128},
    {"kdf-an10922-aes192", an10922_aes192},
    {"kdf-an10922-aes256", an10922_aes256},
    {"kdf-an10922-2tdea", an10922_2tdea},
    {"kdf-an10922-3tdea", an10922_3tdea},
    {"des-key-version", des_key_version},
    {NULL, NULL},
};
