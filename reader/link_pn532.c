/* pn532: a PN532 on a serial line (115200 baud unless said otherwise), SPI or I2C. */
#include "link_chip.h"

#define TO_CHIP   0xD4U
#define FROM_CHIP 0xD5U
#define DIRECT_MS 5000U

/* FF 00 00 00: D4, code and parameters in; D5, code + 1 and the answer out. */
static enum scrip_status direct(void *ctx, struct scrip_bytes command, struct scrip_buf *response)
{
    struct link_chip *self = ctx;
    uint8_t at[SCRIP_PN532_DATA];
    struct scrip_buf answer = SCRIP_BUF_OF(at);
    if (command.len < 2 || command.at[0] != TO_CHIP) {
        return SCRIP_E_FORMAT;
    }
    const uint8_t head[2] = {FROM_CHIP, (uint8_t)(command.at[1] + 1)};
    SCRIP_TRY(scrip_pn532_command(&self->chip.pn532, command.at[1], scrip_bytes_from(command, 2), &answer, DIRECT_MS));
    if (response->cap - response->len < sizeof head + answer.len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add(response, head, sizeof head));
    return scrip_buf_add_bytes(response, scrip_buf_bytes(&answer));
}

static void bound(struct link_chip *self)
{
    self->coupler = &self->chip.pn532.coupler;
}

static void init_uart(struct link_chip *self)
{
    const struct scrip_uart uart = linux_bus_uart(&self->bus);
    const struct scrip_ticks ticks = linux_bus_ticks();
    scrip_pn532_init_hsu(&self->chip.pn532, &uart, &ticks);
    bound(self);
}

static void init_spi(struct link_chip *self)
{
    const struct scrip_spi spi = linux_bus_spi(&self->bus);
    const struct scrip_ticks ticks = linux_bus_ticks();
    scrip_pn532_init_spi(&self->chip.pn532, &spi, &ticks);
    bound(self);
}

static void init_i2c(struct link_chip *self)
{
    const struct scrip_i2c i2c = linux_bus_i2c(&self->bus);
    const struct scrip_ticks ticks = linux_bus_ticks();
    scrip_pn532_init_i2c(&self->chip.pn532, &i2c, &ticks);
    bound(self);
}

static enum scrip_status begin(struct link_chip *self)
{
    self->pcsc.direct = direct;
    self->pcsc.direct_ctx = self;
    return scrip_pn532_begin(&self->chip.pn532);
}

static void end(struct link_chip *self)
{
    scrip_pn532_end(&self->chip.pn532);
}

enum scrip_status link_pn532_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX])
{
    static const struct link_chip_kind kind = {
        .name = "pn532",
        .baud = 115200,
        .spi_hz = 1000000,
        .i2c_address = 0x24,
        .init_uart = init_uart,
        .init_spi = init_spi,
        .init_i2c = init_i2c,
        .begin = begin,
        .end = end,
        .silent = "check wires, power and the board's mode switches",
    };
    return link_chip_open(&kind, target, link, error);
}
