/* rooms: chip_pn532 iso14443 */
/* The PN532's driver against a chip that says anything, on each of its three buses. What must hold: no crash, an end,
 * nothing but what the headers promise, and a buffer untouched where the driver failed.
 *
 * Input: a byte for the bus, then what the program does and what the chip says, as they are asked for. What is said to
 * a command begins with a byte: bit 0 acknowledge it, bit 1 frame the rest as its answer, bit 2 in the extended form,
 * bit 3 another answer's code, bit 4 a damaged checksum, bit 5 answered twice; then a length and that many bytes. */
#include "coupler_drive.h"
#include <scrip/pn532.h>
#include <string.h>

struct chip {
    struct scrip_bytes left; /* input */
    uint8_t said[2048];
    size_t said_len, taken;
    uint32_t now_us;
};

/* ---- What the chip says ------------------------------------------------------------------------------------------ */

static void say(struct chip *chip, const uint8_t *at, size_t len)
{
    if (chip->said_len + len <= sizeof chip->said) {
        memcpy(chip->said + chip->said_len, at, len);
        chip->said_len += len;
    }
}

static void say_framed(struct chip *chip, uint8_t how, uint8_t code, struct scrip_bytes content)
{
    uint8_t at[300] = {0x00, 0x00, 0xFF};
    struct scrip_buf out = {.at = at, .len = 3, .cap = sizeof at};
    const size_t len = content.len + 2;
    uint8_t sum = (uint8_t)(0xD5 + code);
    if ((how & 4) != 0 || len > 255) {
        (void)scrip_buf_add_be(&out, 0xFFFF0000U | len, 4);
        (void)scrip_buf_add_u8(&out, (uint8_t)(0U - (len >> 8) - len));
    } else {
        (void)scrip_buf_add_u8(&out, (uint8_t)len);
        (void)scrip_buf_add_u8(&out, (uint8_t)(0U - len));
    }
    (void)scrip_buf_add_u8(&out, 0xD5);
    (void)scrip_buf_add_u8(&out, code);
    (void)scrip_buf_add_bytes(&out, content);
    for (size_t i = 0; i < content.len; i++) {
        sum = (uint8_t)(sum + content.at[i]);
    }
    (void)scrip_buf_add_u8(&out, (uint8_t)((how & 16) != 0 ? sum : 0U - sum));
    (void)scrip_buf_add_u8(&out, 0x00);
    say(chip, at, out.len);
}

/* The code of the command in a frame of the host, or 0. */
static uint8_t code_of(struct scrip_bytes frame)
{
    const bool extended = frame.len > 9 && frame.at[3] == 0xFF && frame.at[4] == 0xFF;
    const size_t at = extended ? 9 : 6;
    return frame.len > at && frame.at[at - 1] == 0xD4 ? frame.at[at] : 0;
}

static void hear(struct chip *chip, struct scrip_bytes frame)
{
    static const uint8_t ack[] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
    if (chip->taken == chip->said_len) {
        chip->taken = chip->said_len = 0;
    }
    if (chip->left.len == 0) {
        return;
    }
    const uint8_t how = next_u8(&chip->left);
    const uint8_t code = (uint8_t)(code_of(frame) + ((how & 8) != 0 ? 3 : 1));
    const struct scrip_bytes content = next_bytes(&chip->left, next_u8(&chip->left));
    if ((how & 1) != 0) {
        say(chip, ack, sizeof ack);
    }
    for (int i = 0; i < ((how & 32) != 0 ? 2 : 1); i++) {
        if ((how & 2) != 0) {
            say_framed(chip, how, code, content);
        } else {
            say(chip, content.at, content.len);
        }
    }
}

/* ---- Buses ------------------------------------------------------------------------------------------------------- */

static uint32_t now_ms(void *ctx)
{
    struct chip *chip = ctx;
    chip->now_us += 50;
    return chip->now_us / 1000;
}

static void wait_us(void *ctx, uint32_t us)
{
    ((struct chip *)ctx)->now_us += 16 * us; /* polling is slow enough */
}

static enum scrip_status uart_write(void *ctx, struct scrip_bytes bytes)
{
    hear(ctx, bytes);
    return SCRIP_OK;
}

static enum scrip_status uart_read(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms)
{
    struct chip *chip = ctx;
    must(len <= sizeof(((struct scrip_pn532 *)0)->frame));
    if (chip->said_len - chip->taken < len) {
        chip->taken = chip->said_len;
        chip->now_us += 1000 * timeout_ms;
        return SCRIP_E_TIMEOUT;
    }
    memcpy(at, chip->said + chip->taken, len);
    chip->taken += len;
    return SCRIP_OK;
}

static enum scrip_status uart_flush(void *ctx)
{
    struct chip *chip = ctx;
    chip->taken = chip->said_len;
    return SCRIP_OK;
}

/* A fetch takes one frame, or what is there. */
static void fetch(struct chip *chip, uint8_t *at, size_t len)
{
    const size_t held = chip->said_len - chip->taken;
    const bool is_ack = held >= 6 && memcmp(chip->said + chip->taken, "\0\0\xFF\0\xFF\0", 6) == 0;
    memset(at, 0, len);
    memcpy(at, chip->said + chip->taken, held < len ? held : len);
    chip->taken = is_ack ? chip->taken + 6 : chip->said_len;
}

static uint8_t mirrored(uint8_t byte)
{
    uint8_t out = 0;
    for (int i = 0; i < 8; i++) {
        out = (uint8_t)(out << 1 | (byte >> i & 1));
    }
    return out;
}

static enum scrip_status spi_transfer(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    struct chip *chip = ctx;
    uint8_t at[300] = {0};
    must(len > 0 && len <= 276);
    const uint8_t what = mirrored(tx[0]);
    for (size_t i = 1; i < len && what == 1; i++) {
        at[i] = mirrored(tx[i]);
    }
    if (what == 1) {
        hear(chip, scrip_bytes(at + 1, len - 1));
    } else if (what == 2 && len > 1) {
        at[1] = chip->said_len > chip->taken;
    } else if (what == 3) {
        fetch(chip, at + 1, len - 1);
    }
    for (size_t i = 0; i < len && rx != NULL; i++) {
        rx[i] = mirrored(at[i]);
    }
    return SCRIP_OK;
}

static enum scrip_status i2c_read(void *ctx, uint8_t *at, size_t len)
{
    struct chip *chip = ctx;
    must(len > 0 && len <= 276);
    at[0] = chip->said_len > chip->taken;
    if (len > 1) {
        fetch(chip, at + 1, len - 1);
    }
    return SCRIP_OK;
}

static void bind(struct scrip_pn532 *pn532, struct chip *chip, uint8_t bus)
{
    const struct scrip_ticks ticks = {.ctx = chip, .now_ms = now_ms, .wait_us = wait_us};
    const struct scrip_uart uart = {.ctx = chip, .write = uart_write, .read = uart_read, .flush = uart_flush};
    const struct scrip_spi spi = {.ctx = chip, .transfer = spi_transfer};
    const struct scrip_i2c i2c = {.ctx = chip, .write = uart_write, .read = i2c_read};
    switch (bus % 3) {
    case 0:
        scrip_pn532_init_hsu(pn532, &uart, &ticks);
        break;
    case 1:
        scrip_pn532_init_spi(pn532, &spi, &ticks);
        break;
    default:
        scrip_pn532_init_i2c(pn532, &i2c, &ticks);
        break;
    }
}

/* ---- What the program does --------------------------------------------------------------------------------------- */

static void raw(struct scrip_pn532 *pn532, uint8_t how, struct scrip_bytes bits)
{
    const struct scrip_coupler_raw options = {.crc_out = (how & 1) != 0,
                                              .crc_in = (how & 2) != 0,
                                              .parity = (how & 4) != 0,
                                              .last_bits = how >> 3 & 7,
                                              .timeout_us = 1000U << (how >> 6)};
    drive_raw(&pn532->coupler, &options, bits);
}

static void act(struct scrip_pn532 *pn532, struct chip *chip)
{
    static const uint8_t long_command[600] = {0x90};
    static const uint8_t auth[12] = {0x60};
    static const uint8_t read[2] = {0x30};
    uint8_t at[64];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    const uint8_t what = next_u8(&chip->left);
    switch (what & 7) {
    case 0:
        (void)scrip_pn532_begin(pn532);
        break;
    case 1:
        drive_find(&pn532->coupler);
        break;
    case 2:
        (void)pn532->coupler.ops->again(&pn532->coupler);
        break;
    case 3:
        drive_talk(&pn532->coupler, true, scrip_bytes(long_command, (what & 8) != 0 ? sizeof long_command : 5));
        break;
    case 4:
        drive_talk(&pn532->coupler, false, (what & 8) != 0 ? SCRIP_BYTES_OF(auth) : SCRIP_BYTES_OF(read));
        break;
    case 5:
        raw(pn532, what, scrip_bytes_head(SCRIP_BYTES_OF(auth), what >> 4));
        break;
    case 6:
        (void)scrip_pn532_command(pn532, what, scrip_bytes(auth, 3), &out, 100);
        break;
    default:
        scrip_pn532_end(pn532);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chip chip = {.left = scrip_bytes(data, size)};
    struct scrip_pn532 pn532;
    bind(&pn532, &chip, next_u8(&chip.left));
    while (chip.left.len > 0) {
        act(&pn532, &chip);
    }
    return 0;
}
