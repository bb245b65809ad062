/* coupler.h: a contactless reader as the software above it wants it: one card found, then commands to it.
 *
 * A coupler is a reader chip with its driver (PN532, MFRC522), or the same done in software over a field of virtual
 * cards. PC/SC pseudo-APDUs (pcsc.h) and a firmware stand on it. */
#ifndef SCRIP_COUPLER_H
#define SCRIP_COUPLER_H

#include <scrip/pcd.h>

struct scrip_coupler;

/** How a raw frame is sent and heard. */
struct scrip_coupler_raw {
    bool crc_out;      /**< append CRC_A */
    bool crc_in;       /**< check it and take it off */
    bool parity;       /**< odd parity is computed and checked; false: parity bits are in the data, nine bits a byte */
    uint8_t last_bits; /**< bits of the last byte to send, 0: all eight */
    uint32_t timeout_us;
};

struct scrip_coupler_ops {
    /** Power cycle, find one card in IDLE or HALT, select it; RATS where the card can part 4.
     *  @param timeout_ms  how long to look, 0: once
     *  @return SCRIP_OK; SCRIP_E_NO_CARD; SCRIP_E_LINK */
    enum scrip_status (*find)(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target);
    /** Select the card of the last `find` again, without a power cycle: a MIFARE Classic after a refusal.
     *  @return SCRIP_OK; SCRIP_E_NO_CARD; SCRIP_E_LINK */
    enum scrip_status (*again)(struct scrip_coupler *coupler);
    /** A command to a card of part 4. @return as scrip_pcd_4_exchange; SCRIP_E_STATE: the card is none */
    enum scrip_status (*apdu)(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response);
    /** A command of MIFARE Classic in the clear; enciphering is done below (mifare.h lists commands and results). A
     *  trailer that would block its sector for ever is not sent (SCRIP_E_CORRUPT). */
    enum scrip_status (*mifare)(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response);
    /** Bits to whatever is active. @param last_bits  bits of the last byte received, 0: all eight
     *  @return SCRIP_OK; SCRIP_E_TIMEOUT; SCRIP_E_MAC: parity or CRC; SCRIP_E_SPACE; SCRIP_E_UNSUPPORTED; SCRIP_E_LINK
     */
    enum scrip_status (*raw)(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                             struct scrip_buf *rx, uint8_t *last_bits);
    /** Carrier on or off, without looking for a card. @return SCRIP_OK; SCRIP_E_LINK */
    enum scrip_status (*power)(struct scrip_coupler *coupler, bool on);
};

/** Embed as first member. */
struct scrip_coupler {
    const struct scrip_coupler_ops *ops;
};

#endif
