/* mfrc522: an MFRC522 on SPI, or on its UART (9600 baud after power-on; the driver goes up by itself). */
#include "link_chip.h"

static void init_uart(struct link_chip *self)
{
    const struct scrip_uart uart = linux_bus_uart(&self->bus);
    const struct scrip_ticks ticks = linux_bus_ticks();
    scrip_mfrc522_init_uart(&self->chip.mfrc522, &uart, &ticks);
    self->coupler = &self->chip.mfrc522.coupler;
}

static void init_spi(struct link_chip *self)
{
    const struct scrip_spi spi = linux_bus_spi(&self->bus);
    const struct scrip_ticks ticks = linux_bus_ticks();
    scrip_mfrc522_init_spi(&self->chip.mfrc522, &spi, &ticks);
    self->coupler = &self->chip.mfrc522.coupler;
}

static enum scrip_status begin(struct link_chip *self)
{
    return scrip_mfrc522_begin(&self->chip.mfrc522);
}

static void end(struct link_chip *self)
{
    scrip_mfrc522_end(&self->chip.mfrc522);
}

enum scrip_status link_mfrc522_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX])
{
    static const struct link_chip_kind kind = {
        .name = "mfrc522",
        .baud = 9600,
        .spi_hz = 4000000,
        .init_uart = init_uart,
        .init_spi = init_spi,
        .begin = begin,
        .end = end,
        .silent = "check wires, power (3.3 V) and RST, which must be high",
    };
    return link_chip_open(&kind, target, link, error);
}
