/* lrp.c: LRP messaging: the inputs of EV2, with CMAC-LRP and LRICB in place of CMAC and CBC. The block counter EncCtr
 * runs through commands and responses alike. */
#include "counted.h"

enum {
    LRP_MAC = 0, /* index of the updated key */
    LRP_ENC = 1,
};

void scrip_sm_lrp_session(const uint8_t key[16], const uint8_t rnda[16], const uint8_t rndb[16], uint8_t master[16],
                          struct scrip_lrp *lrp)
{
    uint8_t vector[32] = {0x00, 0x01, 0x00, 0x80};

    scrip_sm_context(rnda, rndb, vector + 4);
    vector[30] = 0x96;
    vector[31] = 0x69;
    scrip_lrp_init(lrp, key, 1);
    scrip_lrp_cmac(lrp, 0, SCRIP_BYTES_OF(vector), master);
    scrip_lrp_init(lrp, master, 2);
    scrip_wipe(vector, sizeof vector);
}

static void lrp_mac(const struct scrip_desfire_session *session, uint8_t code, uint16_t ctr, struct scrip_bytes body,
                    uint8_t out[8])
{
    struct scrip_lrp_mac run;
    uint8_t head[7] = {code};
    uint8_t mac[16];

    scrip_put_le16(head + 1, ctr);
    memcpy(head + 3, session->ti, sizeof session->ti);
    scrip_lrp_mac_start(&run, &session->lrp, LRP_MAC);
    scrip_lrp_mac_add(&run, SCRIP_BYTES_OF(head));
    scrip_lrp_mac_add(&run, body);
    scrip_lrp_mac_final(&run, mac);
    scrip_mact(mac, out);
}

static void lrp_crypt(const struct scrip_desfire_session *session, bool encrypt, enum scrip_sm_way way, uint16_t ctr,
                      uint32_t *enc_ctr, size_t count, uint8_t *data)
{
    uint8_t counter[4];

    (void)way;
    (void)ctr;
    scrip_put_be32(counter, *enc_ctr);
    scrip_lrp_icb(&session->lrp, LRP_ENC, counter, sizeof counter, encrypt, count, data, data);
    *enc_ctr = scrip_get_be32(counter);
}

const struct scrip_sm_suite scrip_sm_suite_lrp = {.mac = lrp_mac, .crypt = lrp_crypt, .counts_blocks = true};
