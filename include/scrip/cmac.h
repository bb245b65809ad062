/* cmac.h: CMAC (NIST SP 800-38B), the truncations of the MIFARE families, and AN10922 key diversification. */
#ifndef SCRIP_CMAC_H
#define SCRIP_CMAC_H

#include <scrip/block.h>
#include <scrip/bytes.h>

/** A CMAC key: expanded cipher and both subkeys. Fields private; wipe when done. */
struct scrip_cmac_key {
    struct scrip_block block;
    uint8_t k1[SCRIP_BLOCK_MAX];
    uint8_t k2[SCRIP_BLOCK_MAX];
};

/** A running CMAC over pieces. Fields private. */
struct scrip_cmac {
    const struct scrip_cmac_key *key; /* borrowed until scrip_cmac_final */
    uint8_t x[SCRIP_BLOCK_MAX];
    uint8_t held[SCRIP_BLOCK_MAX];
    size_t held_len;
};

/** Expand a key and derive the subkeys. */
void scrip_cmac_key_init(struct scrip_cmac_key *key, enum scrip_cipher cipher, const uint8_t *bytes);

/** Clear the key. */
void scrip_cmac_key_wipe(struct scrip_cmac_key *key);

/** Start. @param iv one block to start the CBC from, or NULL for zeros (EV1 secure messaging chains it) */
void scrip_cmac_start(struct scrip_cmac *cmac, const struct scrip_cmac_key *key, const uint8_t *iv);

/** Add a piece of the message. */
void scrip_cmac_add(struct scrip_cmac *cmac, struct scrip_bytes piece);

/** Finish: one block of MAC. */
void scrip_cmac_final(struct scrip_cmac *cmac, uint8_t *mac);

/** CMAC with the running IV of EV1 secure messaging, in one go.
 *  @param iv  one block: start of the CBC; replaced by the MAC */
void scrip_cmac_chain(const struct scrip_cmac_key *key, uint8_t *iv, struct scrip_bytes message);

/** CMAC of one message, zero IV; `mac` receives one block. */
void scrip_cmac(const struct scrip_cmac_key *key, struct scrip_bytes message, uint8_t *mac);

/** The 8 odd-indexed bytes of a 16-byte MAC: "MACt" of EV2 secure messaging and the Transaction MAC. */
void scrip_mact(const uint8_t mac[16], uint8_t out[8]);

/** MACt of one message under an AES-128 key. */
void scrip_aes_mact(const uint8_t key[16], struct scrip_bytes message, uint8_t out[8]);

/** AN10922: a card's own key out of a master key.
 *  @param cipher   SCRIP_AES128, _AES192, _AES256, SCRIP_2K3DES or SCRIP_3K3DES
 *  @param master   scrip_cipher_key_len(cipher) bytes
 *  @param input    M of AN10922: UID first; 1..31 bytes for AES, 1..15 for the DES family
 *  @param out      receives scrip_cipher_key_len(cipher) bytes; DES version bits as they fall
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: cipher without a scheme, or M too short or too long */
enum scrip_status scrip_an10922(enum scrip_cipher cipher, const uint8_t *master, struct scrip_bytes input,
                                uint8_t *out);

/** Copy the version bits (bit 0 of each byte of the first 8) of `master` into a diversified DES-family key and clear
 *  the others [AN10922 2.4]. `len` 16 or 24 bytes. */
void scrip_des_restore_version(uint8_t *key, size_t len, const uint8_t *master);

#endif
