/* sm.h: what the parts of the secure messaging room share. */
#ifndef SCRIP_DESFIRE_SM_PRIVATE_H
#define SCRIP_DESFIRE_SM_PRIVATE_H

#include <scrip/desfire_sm.h>
#include <string.h>

/** The four operations of one messaging; the public functions of the same names dispatch to these. */
struct scrip_sm_ops {
    enum scrip_status (*wrap_command)(struct scrip_desfire_session *session,
                                      const struct scrip_desfire_protection *protection, uint8_t cmd,
                                      struct scrip_bytes header, struct scrip_bytes data, struct scrip_buf *out,
                                      struct scrip_desfire_expect *expect);
    enum scrip_status (*open_response)(struct scrip_desfire_session *session, const struct scrip_desfire_expect *expect,
                                       uint8_t status, struct scrip_bytes data, struct scrip_buf *out);
    enum scrip_status (*open_command)(struct scrip_desfire_session *session,
                                      const struct scrip_desfire_protection *protection, uint8_t cmd,
                                      struct scrip_bytes params, size_t header_len, size_t data_len,
                                      struct scrip_buf *out);
    enum scrip_status (*wrap_response)(struct scrip_desfire_session *session,
                                       const struct scrip_desfire_protection *protection, uint8_t status,
                                       struct scrip_bytes data, struct scrip_buf *out);
};

extern const struct scrip_sm_ops scrip_sm_d40;
extern const struct scrip_sm_ops scrip_sm_ev1;
extern const struct scrip_sm_ops scrip_sm_counted; /* EV2 and LRP */

/** D40: what a host sends goes through the decipher operation, C_i = D(P_i xor C_{i-1}); zero IV; in place. */
void scrip_sm_d40_send(const struct scrip_block *block, size_t count, uint8_t *data);

/** D40: the card's inverse of it, P_i = E(C_i) xor C_{i-1}; zero IV; in place. */
void scrip_sm_d40_receive(const struct scrip_block *block, size_t count, uint8_t *data);

/** Derive LRP's session keys. `lrp` receives plaintexts and updated keys 0 (MAC) and 1 (ENC). */
void scrip_sm_lrp_session(const uint8_t key[16], const uint8_t rnda[16], const uint8_t rndb[16], uint8_t master[16],
                          struct scrip_lrp *lrp);

/** The 26 bytes of both random numbers that enter EV2 and LRP session vectors. */
void scrip_sm_context(const uint8_t rnda[16], const uint8_t rndb[16], uint8_t out[26]);

/** Expand the session's secrets after they were set or loaded. */
void scrip_sm_expand(struct scrip_desfire_session *session);

/* ---- checksums and padding of D40 and EV1 ---- */

/** A checksum under way: CRC16 (D40) or CRC32 (EV1). */
struct scrip_sm_sum {
    uint32_t state;
    uint8_t len;   /* 2 or 4 bytes */
    bool has_tail; /* EV1 responses: the status byte is summed after the data, though sent elsewhere */
    uint8_t tail;
};

/** Sum some bytes. */
void scrip_sm_sum_add(struct scrip_sm_sum *sum, struct scrip_bytes bytes);

/** The checksum as things stand, tail included. */
uint32_t scrip_sm_sum_value(const struct scrip_sm_sum *sum);

/** How enciphered data is closed. */
struct scrip_sm_closing {
    struct scrip_sm_sum sum; /* before the data */
    bool no_sum;             /* the data brings its own */
    bool marked;             /* padding 80 00.. instead of 00.. */
    size_t data_len;         /* opening: plain length when known, else SIZE_MAX */
};

/** Append data, checksum and padding to whole blocks. @return SCRIP_OK; SCRIP_E_SPACE, `out` as it was */
enum scrip_status scrip_sm_close(const struct scrip_sm_closing *closing, size_t block_len, struct scrip_bytes data,
                                 struct scrip_buf *out);

/** Find the end of the data in deciphered blocks that begin at `out->at + start`, check checksum and padding, and cut
 *  them off. @return SCRIP_OK; SCRIP_E_MAC; SCRIP_E_LENGTH */
enum scrip_status scrip_sm_strip(const struct scrip_sm_closing *closing, size_t block_len, size_t start,
                                 struct scrip_buf *out);

/** Cut standard padding 80 00.. off the end of `out`, not below `start`. @return SCRIP_OK; SCRIP_E_MAC */
enum scrip_status scrip_sm_unpad(size_t start, struct scrip_buf *out);

/** Give up an output: clear what was appended since `start`. Returns `status`. */
enum scrip_status scrip_sm_drop(size_t start, struct scrip_buf *out, enum scrip_status status);

#endif
