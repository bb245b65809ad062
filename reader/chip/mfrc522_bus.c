/* Registers of the MFRC522 over SPI or UART.
 *
 * SPI: a byte with the register's number in bits 6..1 and bit 7 set to read. When writing, the bytes behind it go to
 * that register; when reading, each is the address of the value that comes with the next one.
 * UART: a byte with the number in bits 5..0 and bit 7 set to read, which brings the value; when writing, the value
 * follows and the chip echoes the address. */
#include "mfrc522_chip.h"
#include <string.h>

#define READ    0x80U
#define UART_MS 1000U /* a busy host, or an emulated one; the chip answers at once */

static uint8_t spi_address(enum mfrc522_register reg)
{
    return (uint8_t)((unsigned)reg << 1);
}

static enum scrip_status uart_turn(struct scrip_mfrc522 *chip, const uint8_t *tx, size_t len, uint8_t *answer)
{
    const struct scrip_uart *uart = &chip->bus.uart;
    SCRIP_TRY(uart->write(uart->ctx, scrip_bytes(tx, len)));
    const enum scrip_status status = uart->read(uart->ctx, answer, 1, UART_MS);
    chip->mute = status == SCRIP_E_TIMEOUT;
    return chip->mute ? SCRIP_E_LINK : status; /* silence of the chip must not be taken for silence of a card */
}

static enum scrip_status uart_write(struct scrip_mfrc522 *chip, enum mfrc522_register reg, uint8_t value)
{
    const uint8_t tx[2] = {(uint8_t)reg, value};
    uint8_t echo = 0;
    SCRIP_TRY(uart_turn(chip, tx, sizeof tx, &echo));
    return echo == (uint8_t)reg ? SCRIP_OK : SCRIP_E_LINK;
}

static enum scrip_status uart_read(struct scrip_mfrc522 *chip, enum mfrc522_register reg, uint8_t *value)
{
    const uint8_t tx = (uint8_t)(READ | (unsigned)reg);
    return uart_turn(chip, &tx, 1, value);
}

enum scrip_status mfrc522_read(struct scrip_mfrc522 *chip, enum mfrc522_register reg, uint8_t *value)
{
    uint8_t at[2] = {(uint8_t)(READ | spi_address(reg)), 0};
    if (chip->over_uart) {
        return uart_read(chip, reg, value);
    }
    SCRIP_TRY(chip->bus.spi.transfer(chip->bus.spi.ctx, at, at, sizeof at));
    *value = at[1];
    return SCRIP_OK;
}

enum scrip_status mfrc522_write(struct scrip_mfrc522 *chip, enum mfrc522_register reg, uint8_t value)
{
    const uint8_t at[2] = {spi_address(reg), value};
    if (chip->over_uart) {
        return uart_write(chip, reg, value);
    }
    return chip->bus.spi.transfer(chip->bus.spi.ctx, at, NULL, sizeof at);
}

enum scrip_status mfrc522_fifo_read(struct scrip_mfrc522 *chip, uint8_t *at, size_t len)
{
    uint8_t room[SCRIP_MFRC522_FIFO + 1];
    for (size_t i = 0; chip->over_uart && i < len; i++) {
        SCRIP_TRY(uart_read(chip, REG_FIFO_DATA, at + i));
    }
    if (chip->over_uart || len == 0) {
        return SCRIP_OK;
    }
    memset(room, (int)(READ | spi_address(REG_FIFO_DATA)), len);
    room[len] = 0;
    SCRIP_TRY(chip->bus.spi.transfer(chip->bus.spi.ctx, room, room, len + 1));
    memcpy(at, room + 1, len);
    return SCRIP_OK;
}

enum scrip_status mfrc522_fifo_write(struct scrip_mfrc522 *chip, const uint8_t *at, size_t len)
{
    uint8_t room[SCRIP_MFRC522_FIFO + 1];
    for (size_t i = 0; chip->over_uart && i < len; i++) {
        SCRIP_TRY(uart_write(chip, REG_FIFO_DATA, at[i]));
    }
    if (chip->over_uart) {
        return SCRIP_OK;
    }
    room[0] = spi_address(REG_FIFO_DATA);
    memcpy(room + 1, at, len);
    const enum scrip_status status = chip->bus.spi.transfer(chip->bus.spi.ctx, room, NULL, len + 1);
    scrip_wipe(room, sizeof room); /* a key passes here */
    return status;
}
