/* mfrc522.h: the MFRC522 as a model: a CIU behind SPI, or behind the chip's UART. Private to reader/. */
#ifndef READER_MODEL_MFRC522_H
#define READER_MODEL_MFRC522_H

#include "ciu.h"
#include <scrip/bus.h>

/** An MFRC522. Must not move. */
struct scrip_mfrc522_model {
    struct scrip_ciu ciu;
    bool addressed; /* UART: the byte that comes is data for `address` */
    uint8_t address;
};

/** A chip after power-on. `field` and `random` are borrowed. */
void scrip_mfrc522_model_init(struct scrip_mfrc522_model *chip, struct scrip_field *field,
                              const struct scrip_random *random);

/** One SPI transfer, chip select low from its first byte to its last. `miso` may be NULL, or the same as `mosi`. */
void scrip_mfrc522_model_spi(struct scrip_mfrc522_model *chip, const uint8_t *mosi, uint8_t *miso, size_t len);

/** The same as a bus for a driver. */
struct scrip_spi scrip_mfrc522_model_bus(struct scrip_mfrc522_model *chip);

/** One byte that the chip's UART receives. @return the byte it sends for it, or -1: none */
int scrip_mfrc522_model_uart(struct scrip_mfrc522_model *chip, uint8_t byte);

/** What stands in the way of a half-received access when the line was quiet for long: forget it. */
void scrip_mfrc522_model_quiet(struct scrip_mfrc522_model *chip);

#endif
