/* mfrc522.h: a driver for the NXP MFRC522 over SPI, or over its UART. Freestanding. The chip sends and hears frames and
 * does Crypto-1; finding cards and the block protocol are done here (pcd.h), so it is a radio and a coupler. */
#ifndef SCRIP_MFRC522_H
#define SCRIP_MFRC522_H

#include <scrip/bus.h>
#include <scrip/coupler.h>
#include <scrip/mifare.h>

/** An MFRC522. Fields private, but for `coupler`, `radio` and `version`. Must not move. */
struct scrip_mfrc522 {
    struct scrip_coupler coupler;
    struct scrip_radio radio;
    struct scrip_mifare_auth auth;
    bool over_uart;
    union {
        struct scrip_spi spi;
        struct scrip_uart uart;
    } bus;
    struct scrip_ticks ticks;
    uint8_t version; /**< VersionReg: 91h, 92h; clones 88h, 12h, B2h */
    struct scrip_target target;
    struct scrip_pcd_4 blocks;
};

/** Bind to a bus; nothing is sent yet. `bus` and `ticks` are copied. */
void scrip_mfrc522_init_spi(struct scrip_mfrc522 *chip, const struct scrip_spi *spi, const struct scrip_ticks *ticks);
void scrip_mfrc522_init_uart(struct scrip_mfrc522 *chip, const struct scrip_uart *uart,
                             const struct scrip_ticks *ticks);

/** Reset, check that a chip is there, set it up as a reader; the antenna stays off until a card is looked for.
 *  @return SCRIP_OK; SCRIP_E_TIMEOUT: it does not come out of reset; SCRIP_E_UNSUPPORTED: VersionReg reads 00 or FF, no
 *          chip there; SCRIP_E_LINK */
enum scrip_status scrip_mfrc522_begin(struct scrip_mfrc522 *chip);

/** Antenna off, chip asleep. */
void scrip_mfrc522_end(struct scrip_mfrc522 *chip);

#endif
