/* lrp.h: the Leakage Resilient Primitive on AES-128 [AN12304]. */
#ifndef SCRIP_LRP_H
#define SCRIP_LRP_H

#include <scrip/block.h>
#include <scrip/bytes.h>

/** Plaintexts and updated keys of one LRP master key. Fields private; wipe when done. */
struct scrip_lrp {
    uint8_t plain[16][16];
    uint8_t updated[4][16];
};

/** Generate the 16 plaintexts and `q` (1..4) updated keys [AN12304 2.1, 2.2]. */
void scrip_lrp_init(struct scrip_lrp *lrp, const uint8_t key[16], unsigned q);

/** Clear. */
void scrip_lrp_wipe(struct scrip_lrp *lrp);

/** evalLRP over `nibbles` half-bytes of `input`, most significant first [AN12304 2.3].
 *  @param updated index of the updated key; `out` receives 16 bytes */
void scrip_lrp_eval(const struct scrip_lrp *lrp, unsigned updated, const uint8_t *input, size_t nibbles, bool final,
                    uint8_t out[16]);

/** LRICB: encipher (`encrypt` true) or decipher `count` blocks of 16 bytes with a counter of `counter_len` bytes, most
 *  significant first, which is stepped once a block and wraps [AN12304 2.4]. */
void scrip_lrp_icb(const struct scrip_lrp *lrp, unsigned updated, uint8_t *counter, size_t counter_len, bool encrypt,
                   size_t count, uint8_t *dst, const uint8_t *src);

/** A running CMAC-LRP over pieces [AN12304 2.5]. Fields private. */
struct scrip_lrp_mac {
    const struct scrip_lrp *lrp; /* borrowed until scrip_lrp_mac_final */
    unsigned updated;
    uint8_t x[16];
    uint8_t held[16];
    size_t held_len;
};

/** Start. */
void scrip_lrp_mac_start(struct scrip_lrp_mac *mac, const struct scrip_lrp *lrp, unsigned updated);

/** Add a piece of the message. */
void scrip_lrp_mac_add(struct scrip_lrp_mac *mac, struct scrip_bytes piece);

/** Finish: 16 bytes of MAC. */
void scrip_lrp_mac_final(struct scrip_lrp_mac *mac, uint8_t out[16]);

/** CMAC-LRP of one message; `mac` receives 16 bytes. */
void scrip_lrp_cmac(const struct scrip_lrp *lrp, unsigned updated, struct scrip_bytes message, uint8_t mac[16]);

/** The subkeys K1, K2 of CMAC-LRP. */
void scrip_lrp_cmac_subkeys(const struct scrip_lrp *lrp, unsigned updated, uint8_t k1[16], uint8_t k2[16]);

#endif
