/* link_chip.h: links to a reader chip on a bus of this machine: pn532:DEVICE[:SPEED], mfrc522:DEVICE[:SPEED]. */
#ifndef READER_LINK_CHIP_H
#define READER_LINK_CHIP_H

#include "bus/linux_bus.h"
#include "links.h"
#include <scrip/mfrc522.h>
#include <scrip/pcsc.h>
#include <scrip/pn532.h>

struct link_chip;

/* What is particular to a chip. Buses that it does not have are NULL. */
struct link_chip_kind {
    const char *name;
    uint32_t baud;
    uint32_t spi_hz;
    uint8_t i2c_address;
    void (*init_uart)(struct link_chip *self);
    void (*init_spi)(struct link_chip *self);
    void (*init_i2c)(struct link_chip *self);
    enum scrip_status (*begin)(struct link_chip *self);
    void (*end)(struct link_chip *self);
    const char *silent; /* what to look at when nobody answers */
};

struct link_chip {
    struct scrip_link link;
    const struct link_chip_kind *kind;
    struct linux_bus bus;
    uint32_t speed; /* that the device is opened with */
    bool begun;
    bool powered;
    struct scrip_coupler *coupler;
    struct scrip_pcsc pcsc;
    union {
        struct scrip_pn532 pn532;
        struct scrip_mfrc522 mfrc522;
    } chip;
    char path[80];
};

/* Open the device that stands behind the colon and begin the chip. */
enum scrip_status link_chip_open(const struct link_chip_kind *kind, const char *target, struct scrip_link **link,
                                 char error[SCRIP_LINK_ERROR_MAX]);

#endif
