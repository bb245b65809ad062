/* pn532.h: a driver for the NXP PN532 over serial line (HSU), SPI or I2C. Freestanding. It is a coupler: find a card,
 * send APDUs or MIFARE Classic commands, which the chip enciphers itself.
 *
 * What a card did is never guessed. A command of which the chip's answer does not arrive whole is not sent again; the
 * chip is asked to repeat the answer, and if that fails the card counts as torn. */
#ifndef SCRIP_PN532_H
#define SCRIP_PN532_H

#include <scrip/bus.h>
#include <scrip/coupler.h>

/** Most bytes of a command or answer behind D4 and D5. */
#define SCRIP_PN532_DATA 264U

/** A way to a PN532 in whole frames: HSU, SPI or I2C (private to reader/chip). */
struct scrip_pn532_port;

/** A PN532. Fields private, but for `coupler`, `version` and `status`. Must not move. */
struct scrip_pn532 {
    struct scrip_coupler coupler;
    const struct scrip_pn532_port *port;
    union {
        struct scrip_uart uart;
        struct scrip_spi spi;
        struct scrip_i2c i2c;
    } bus;
    struct scrip_ticks ticks;
    uint8_t version[4]; /**< IC (32h), version, revision, what it supports */
    uint8_t status;     /**< of the last command to a card, as the chip gave it: 14h authentication failed, … */
    bool awake;
    bool dirty;           /* the last conversation did not end well: old bytes may still come */
    bool sent;            /* a command of the running call has left: the card may have got it */
    bool listed;          /* the chip holds the card as target 1 */
    bool bare;            /* `raw` has left its settings in the registers of the chip */
    uint8_t timeout_code; /* that the chip has for `raw` */
    struct scrip_target target;
    uint8_t frame[SCRIP_PN532_DATA + 12]; /* one byte for the bus, then a frame; the content of an answer */
};

/** Bind to a bus; nothing is sent yet. `bus` and `ticks` are copied. Over SPI the bus sends each byte most significant
 *  bit first as usual; that the chip wants it the other way round is done here. The I2C address is 24h (7 bits). */
void scrip_pn532_init_hsu(struct scrip_pn532 *pn532, const struct scrip_uart *uart, const struct scrip_ticks *ticks);
void scrip_pn532_init_spi(struct scrip_pn532 *pn532, const struct scrip_spi *spi, const struct scrip_ticks *ticks);
void scrip_pn532_init_i2c(struct scrip_pn532 *pn532, const struct scrip_i2c *i2c, const struct scrip_ticks *ticks);

/** Wake the chip, check that it is one, set it up as a reader. Again after SCRIP_E_LINK of any call.
 *  @return SCRIP_OK; SCRIP_E_TIMEOUT: nobody answers; SCRIP_E_UNSUPPORTED: another chip; SCRIP_E_FORMAT: what answers
 *          makes no sense; SCRIP_E_LINK */
enum scrip_status scrip_pn532_begin(struct scrip_pn532 *pn532);

/** One command of the chip: code and parameters, without D4; the answer without D5 and code.
 *  @param timeout_ms  for the answer, after the chip has acknowledged the command
 *  @return SCRIP_OK; SCRIP_E_TIMEOUT; SCRIP_E_FORMAT: the chip did not understand, or its answer makes no sense;
 *          SCRIP_E_SPACE: parameters over SCRIP_PN532_DATA - 1 bytes, or `answer` too small; SCRIP_E_LINK */
enum scrip_status scrip_pn532_command(struct scrip_pn532 *pn532, uint8_t code, struct scrip_bytes parameters,
                                      struct scrip_buf *answer, uint32_t timeout_ms);

/** Field off, chip asleep. It wakes up with the next command. */
void scrip_pn532_end(struct scrip_pn532 *pn532);

#endif
