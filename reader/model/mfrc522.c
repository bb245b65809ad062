/* MFRC522: how its host reaches the registers of the CIU. */
#include "mfrc522.h"

#include <string.h>

#define SPI_READ  0x80U
#define UART_READ 0x80U
#define ADDRESS   0x3FU
#define ACCESS_US 2U /* sixteen bits at the 10 MHz that SPI allows */

void scrip_mfrc522_model_init(struct scrip_mfrc522_model *chip, struct scrip_field *field,
                              const struct scrip_random *random)
{
    memset(chip, 0, sizeof *chip);
    scrip_ciu_init(&chip->ciu, field, random);
    chip->ciu.access_us = ACCESS_US;
}

/* The first byte is an address. When writing, all others go to that register. When reading, each byte is the address
 * of the value that comes back with the next one; the last one's value is never asked for. */
void scrip_mfrc522_model_spi(struct scrip_mfrc522_model *chip, const uint8_t *mosi, uint8_t *miso, size_t len)
{
    uint8_t address = 0;
    bool read = false;
    for (size_t i = 0; i < len; i++) {
        const uint8_t in = mosi[i];
        uint8_t out = 0;
        if (i > 0 && read) {
            out = scrip_ciu_read(&chip->ciu, address);
        } else if (i > 0) {
            scrip_ciu_write(&chip->ciu, address, in);
        }
        if (i == 0 || read) {
            read = i == 0 ? (in & SPI_READ) != 0 : read;
            address = in >> 1 & ADDRESS;
        }
        if (miso != NULL) {
            miso[i] = out;
        }
    }
}

static enum scrip_status bus_transfer(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    scrip_mfrc522_model_spi(ctx, tx, rx, len);
    return SCRIP_OK;
}

struct scrip_spi scrip_mfrc522_model_bus(struct scrip_mfrc522_model *chip)
{
    return (struct scrip_spi){.ctx = chip, .transfer = bus_transfer};
}

int scrip_mfrc522_model_uart(struct scrip_mfrc522_model *chip, uint8_t byte)
{
    if (chip->addressed) {
        chip->addressed = false;
        scrip_ciu_write(&chip->ciu, chip->address, byte);
        return chip->address;
    }
    chip->address = byte & ADDRESS;
    if ((byte & UART_READ) != 0) {
        return scrip_ciu_read(&chip->ciu, chip->address);
    }
    chip->addressed = true;
    return -1;
}

void scrip_mfrc522_model_quiet(struct scrip_mfrc522_model *chip)
{
    chip->addressed = false;
}
