/* mfrc522.h: a driver for the NXP MFRC522 over SPI, or over its UART. Freestanding. The chip sends and hears frames and
 * does Crypto-1; finding cards and the block protocol are done here (pcd.h), so it is a radio and a coupler.
 *
 * Frames are as long as the chip's FIFO, 64 bytes with CRC: a longer one would have to be filled up while it is on the
 * air, every 5 ms at the latest, which no host with other work can promise. The block protocol chains instead. */
#ifndef SCRIP_MFRC522_H
#define SCRIP_MFRC522_H

#include <scrip/bus.h>
#include <scrip/coupler.h>
#include <scrip/mifare.h>

/** Bytes of the chip's FIFO. */
#define SCRIP_MFRC522_FIFO 64U

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
    bool mute;       /* the UART did not answer */
    bool sent;       /* a frame of the running call has left: the card may have got it */
    bool part_4;     /* `blocks` is open */
    bool coll_first; /* CollPos counts from the first bit received, not from the first of its byte */
    bool coll_doubt; /* a position was read where the two differ */
    uint16_t timer_prescaler, timer_reload; /* as the chip has them */
    struct scrip_target target;
    struct scrip_pcd_4 blocks;
};

/** Bind to a bus; nothing is sent yet. `bus` and `ticks` are copied. A UART begins at 9600 baud, which is what the chip
 *  speaks after power-on; where `uart->baud` is there, both go up to 115200. */
void scrip_mfrc522_init_spi(struct scrip_mfrc522 *chip, const struct scrip_spi *spi, const struct scrip_ticks *ticks);
void scrip_mfrc522_init_uart(struct scrip_mfrc522 *chip, const struct scrip_uart *uart,
                             const struct scrip_ticks *ticks);

/** Reset, check that a chip is there, set it up as a reader; the antenna stays off until a card is looked for. Again
 *  after SCRIP_E_LINK of any call.
 *  @return SCRIP_OK; SCRIP_E_TIMEOUT: nobody answers, or the chip does not come out of reset; SCRIP_E_UNSUPPORTED:
 *          VersionReg reads 00 or FF, no chip there; SCRIP_E_FORMAT: registers do not keep what is written into them (a
 *          loose wire, or a bus too fast for it); SCRIP_E_LINK */
enum scrip_status scrip_mfrc522_begin(struct scrip_mfrc522 *chip);

/** Antenna off, chip asleep, until scrip_mfrc522_begin. */
void scrip_mfrc522_end(struct scrip_mfrc522 *chip);

#endif
