/* rooms: chip_mfrc522 */
/* The MFRC522's driver against registers that say anything, over SPI and UART. What must hold: no crash, an end,
 * nothing but what the headers promise, and a buffer untouched where the driver failed.
 *
 * Input: a byte (bit 0 UART, bit 1 wild), then what the program does and what the chip says, as they are asked for. A
 * wild chip reads every register from the input. A tame one keeps what is written into it and answers a frame: a byte
 * (bit 0 something was heard, bit 1 with CRC_A, bit 2 four bits, bits 3..7 of the error register), a length, bytes. */
#include "coupler_drive.h"
#include <scrip/crc.h>
#include <scrip/mfrc522.h>
#include <string.h>

struct chip {
    struct scrip_bytes left; /* input */
    bool wild;
    uint8_t reg[64];
    uint8_t fifo[64];
    size_t fifo_len;
    bool addressed; /* UART */
    uint8_t address;
    uint8_t said[4];
    size_t said_len;
    uint32_t now_us;
};

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static void answer(struct chip *chip)
{
    const uint8_t how = next_u8(&chip->left);
    const size_t len = next_u8(&chip->left) % 65U;
    const struct scrip_bytes bytes = next_bytes(&chip->left, len);
    chip->reg[0x04] = (how & 1) != 0 ? 0x60 : 0x41;
    chip->reg[0x06] = how >> 3;
    chip->reg[0x0C] = (how & 4) != 0 ? 4 : 0;
    chip->fifo_len = 0;
    if ((how & 1) == 0) {
        return;
    }
    memcpy(chip->fifo, bytes.at, bytes.len);
    chip->fifo_len = bytes.len;
    if ((how & 2) != 0 && bytes.len <= 62) {
        scrip_put_le16(chip->fifo + bytes.len, scrip_crc16_a(bytes));
        chip->fifo_len += 2;
    }
}

static void reg_write(struct chip *chip, uint8_t reg, uint8_t value)
{
    chip->reg[reg] = value;
    switch (reg) {
    case 0x01: /* Command: reset is over at once; authentication goes as the input says */
        if ((value & 0x0F) == 0x0E) {
            chip->reg[0x08] = next_u8(&chip->left) & 8;
            chip->reg[0x04] = chip->reg[0x08] != 0 ? 0x10 : 0x01;
        }
        chip->reg[0x01] = (value & 0x0F) == 0x0F ? 0 : value;
        break;
    case 0x04:
        chip->reg[0x04] = 0;
        break;
    case 0x0A:
        chip->fifo_len = 0;
        break;
    case 0x0D:
        if ((value & 0x80) != 0) {
            answer(chip);
        }
        break;
    default:
        break;
    }
}

static uint8_t reg_read(struct chip *chip, uint8_t reg)
{
    if (chip->wild && chip->left.len > 0) {
        return next_u8(&chip->left);
    }
    if (reg == 0x0A) {
        return (uint8_t)chip->fifo_len;
    }
    if (reg == 0x09 && chip->fifo_len > 0) {
        const uint8_t value = chip->fifo[0];
        memmove(chip->fifo, chip->fifo + 1, --chip->fifo_len);
        return value;
    }
    if (reg == 0x0E) {
        return next_u8(&chip->left);
    }
    return reg == 0x37 ? 0x92 : chip->reg[reg];
}

/* ---- Buses ------------------------------------------------------------------------------------------------------- */

static enum scrip_status spi_transfer(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    struct chip *chip = ctx;
    uint8_t address = tx[0];
    must(len >= 1 && len <= 65);
    const bool read = (address & 0x80) != 0;
    must(read == (rx != NULL) || !read);
    for (size_t i = 1; i < len; i++) {
        const uint8_t in = tx[i];
        if (read) {
            rx[i] = reg_read(chip, address >> 1 & 0x3F);
            address = in;
        } else {
            reg_write(chip, address >> 1 & 0x3F, in);
        }
    }
    return chip->wild && (chip->left.len & 63) == 63 ? SCRIP_E_LINK : SCRIP_OK;
}

static enum scrip_status uart_write(void *ctx, struct scrip_bytes bytes)
{
    struct chip *chip = ctx;
    chip->said_len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        const uint8_t byte = bytes.at[i];
        if (chip->addressed) {
            chip->addressed = false;
            reg_write(chip, chip->address, byte);
            chip->said[chip->said_len++ % 4] = chip->wild ? next_u8(&chip->left) : chip->address;
        } else if ((byte & 0x80) != 0) {
            chip->said[chip->said_len++ % 4] = reg_read(chip, byte & 0x3F);
        } else {
            chip->addressed = true;
            chip->address = byte & 0x3F;
        }
    }
    return SCRIP_OK;
}

static enum scrip_status uart_read(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms)
{
    struct chip *chip = ctx;
    must(len == 1);
    if (chip->said_len == 0) {
        chip->now_us += 1000 * timeout_ms;
        return SCRIP_E_TIMEOUT;
    }
    *at = chip->said[0];
    chip->said_len = 0;
    return SCRIP_OK;
}

static enum scrip_status uart_flush(void *ctx)
{
    ((struct chip *)ctx)->said_len = 0;
    return SCRIP_OK;
}

static enum scrip_status uart_baud(void *ctx, uint32_t baud)
{
    (void)ctx;
    must(baud == 9600 || baud == 115200);
    return SCRIP_OK;
}

static uint32_t now_ms(void *ctx)
{
    struct chip *chip = ctx;
    chip->now_us += 200;
    return chip->now_us / 1000;
}

static void wait_us(void *ctx, uint32_t us)
{
    ((struct chip *)ctx)->now_us += us;
}

/* ---- What the program does --------------------------------------------------------------------------------------- */

static void raw(struct scrip_mfrc522 *driver, uint8_t how, struct scrip_bytes bits)
{
    const struct scrip_coupler_raw options = {.crc_out = (how & 8) != 0,
                                              .crc_in = (how & 16) != 0,
                                              .parity = (how & 32) != 0,
                                              .last_bits = how >> 6,
                                              .timeout_us = 1000};
    drive_raw(&driver->coupler, &options, bits);
}

static void act(struct scrip_mfrc522 *driver, struct chip *chip)
{
    static const uint8_t long_command[200] = {0x90};
    static const uint8_t auth[12] = {0x60, 4};
    static const uint8_t read[2] = {0x30}, increment[6] = {0xC1, 4, 1};
    const uint8_t what = next_u8(&chip->left);
    switch (what & 7) {
    case 0:
        (void)scrip_mfrc522_begin(driver);
        break;
    case 1:
        drive_find(&driver->coupler);
        break;
    case 2:
        (void)driver->coupler.ops->again(&driver->coupler);
        break;
    case 3:
        drive_talk(&driver->coupler, true, scrip_bytes(long_command, (what & 8) != 0 ? sizeof long_command : 5));
        break;
    case 4:
        drive_talk(&driver->coupler, false, (what & 8) != 0 ? SCRIP_BYTES_OF(read) : SCRIP_BYTES_OF(increment));
        break;
    case 5:
        drive_talk(&driver->coupler, false, SCRIP_BYTES_OF(auth));
        break;
    case 6:
        raw(driver, what, scrip_bytes_head(SCRIP_BYTES_OF(long_command), next_u8(&chip->left)));
        break;
    default:
        scrip_mfrc522_end(driver);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scrip_mfrc522 driver;
    struct chip chip = {.left = scrip_bytes(data, size)};
    const struct scrip_ticks ticks = {.ctx = &chip, .now_ms = now_ms, .wait_us = wait_us};
    const struct scrip_spi spi = {.ctx = &chip, .transfer = spi_transfer};
    const struct scrip_uart uart = {
        .ctx = &chip, .write = uart_write, .read = uart_read, .flush = uart_flush, .baud = uart_baud};
    const uint8_t options = next_u8(&chip.left);
    chip.wild = (options & 2) != 0;
    if ((options & 1) != 0) {
        scrip_mfrc522_init_uart(&driver, &uart, &ticks);
    } else {
        scrip_mfrc522_init_spi(&driver, &spi, &ticks);
    }
    while (chip.left.len > 0) {
        act(&driver, &chip);
    }
    return 0;
}
