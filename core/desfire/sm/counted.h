/* counted.h: what EV2 and LRP messaging have in common: a command counter, MACs over it and TI, and no chaining. They
 * differ in how a MAC is computed and how blocks are enciphered. */
#ifndef SCRIP_DESFIRE_SM_COUNTED_H
#define SCRIP_DESFIRE_SM_COUNTED_H

#include "sm.h"

/** Which way a cryptogram goes; both have their own IV. */
enum scrip_sm_way {
    SCRIP_SM_COMMAND,
    SCRIP_SM_RESPONSE,
};

/** The two primitives of a counted messaging. */
struct scrip_sm_suite {
    /** 8 bytes of MAC over code || LE16(ctr) || TI || body. */
    void (*mac)(const struct scrip_desfire_session *session, uint8_t code, uint16_t ctr, struct scrip_bytes body,
                uint8_t out[8]);
    /** Encipher or decipher `count` blocks in place.
     *  @param enc_ctr LRP: the block counter, stepped @param ctr EV2: enters the IV */
    void (*crypt)(const struct scrip_desfire_session *session, bool encrypt, enum scrip_sm_way way, uint16_t ctr,
                  uint32_t *enc_ctr, size_t count, uint8_t *data);
    /** Whether enc_ctr matters: whether the host must know response lengths to run ahead. */
    bool counts_blocks;
};

extern const struct scrip_sm_suite scrip_sm_suite_ev2;
extern const struct scrip_sm_suite scrip_sm_suite_lrp;

#endif
