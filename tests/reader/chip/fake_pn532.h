/* fake_pn532.h: a PN532 as seen from its pins: frames over a serial line, SPI or I2C, and behind them a script of
 * commands and answers. It can lose or damage any byte of a conversation. Time passes only while the driver waits. */
#ifndef TESTS_READER_CHIP_FAKE_PN532_H
#define TESTS_READER_CHIP_FAKE_PN532_H

#include "check.h"
#include <scrip/pn532.h>
#include <stdio.h>

enum fake_fault { FAKE_WHOLE, FAKE_LOSES, FAKE_FLIPS };

struct fake_step {
    const char *command; /* hex, without D4; NULL ends a script; "*": any */
    const char *answer;  /* hex, without D5; NULL: the error frame; "": acknowledged and never answered */
};

struct fake_pn532 {
    const struct fake_step *script;
    size_t step;
    size_t commands; /* that arrived whole */
    size_t aborts;   /* ACKs of the host */
    size_t repeats;  /* NACKs of the host */
    bool strange;    /* a command came that the script does not have */
    bool dead;       /* says nothing any more */
    bool extended_always;
    bool serial;      /* what was said stays in the host's queue until it is read */
    const char *late; /* hex: comes before the next ACK */
    bool any_order;   /* the script is a list to look commands up in */

    uint8_t heard[8192]; /* all bytes of the host, wake-up included */
    size_t heard_len;
    size_t parsed; /* of them */
    uint8_t said[16384];
    size_t said_len;
    size_t taken; /* of them */
    uint8_t last[300];
    size_t last_len;

    /* The byte with this number (from 1) on its way to the host, or to the chip, is lost or damaged. */
    enum fake_fault fault;
    size_t fault_to_host;
    size_t fault_to_chip;
    size_t to_host;
    size_t to_chip;
    size_t dies_after; /* so many bytes to the host; 0: never */

    uint64_t now_us;
};

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

static inline void fake_say_raw(struct fake_pn532 *fake, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len && !fake->dead; i++) {
        const bool hit = ++fake->to_host == fake->fault_to_host;
        fake->dead = fake->dies_after != 0 && fake->to_host >= fake->dies_after;
        if (hit && fake->fault == FAKE_LOSES) {
            continue;
        }
        assert_true(fake->said_len < sizeof fake->said);
        fake->said[fake->said_len++] = (uint8_t)(hit && fake->fault == FAKE_FLIPS ? at[i] ^ 0x10U : at[i]);
    }
}

static inline size_t fake_frame(uint8_t *out, const uint8_t *content, size_t len, bool extended)
{
    size_t pos = 0;
    uint8_t sum = 0;
    const uint8_t begin[] = {0x00, 0x00, 0xFF};
    memcpy(out, begin, sizeof begin);
    pos = sizeof begin;
    if (extended || len > 255) {
        out[pos++] = 0xFF;
        out[pos++] = 0xFF;
        out[pos++] = (uint8_t)(len >> 8);
        out[pos++] = (uint8_t)len;
        out[pos++] = (uint8_t)(0U - (len >> 8) - len);
    } else {
        out[pos++] = (uint8_t)len;
        out[pos++] = (uint8_t)(0U - len);
    }
    for (size_t i = 0; i < len; i++) {
        out[pos++] = content[i];
        sum = (uint8_t)(sum + content[i]);
    }
    out[pos++] = (uint8_t)-sum;
    out[pos++] = 0x00;
    return pos;
}

static inline void fake_say(struct fake_pn532 *fake, const uint8_t *content, size_t len)
{
    fake->last_len = fake_frame(fake->last, content, len, fake->extended_always);
    fake_say_raw(fake, fake->last, fake->last_len);
}

static inline void fake_say_hex(struct fake_pn532 *fake, const char *content)
{
    uint8_t at[300];
    fake_say(fake, at, from_hex(content, at, sizeof at));
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static inline void fake_answer(struct fake_pn532 *fake, const struct fake_step *step, uint8_t code)
{
    uint8_t at[300] = {0xD5, (uint8_t)(code + 1)};
    if (step->answer == NULL) {
        at[0] = 0x7F;
        fake_say(fake, at, 1);
    } else if (step->answer[0] != '\0') {
        const size_t len = from_hex(step->answer, at + 1, sizeof at - 1);
        fake_say(fake, at, 1 + len);
    } else {
        fake->last_len = 0;
    }
}

static inline bool fake_is(const struct fake_step *step, const uint8_t *at, size_t len)
{
    uint8_t wanted[300];
    if (strcmp(step->command, "*") == 0) {
        return true;
    }
    const size_t wanted_len = from_hex(step->command, wanted, sizeof wanted);
    return wanted_len == len && memcmp(wanted, at, len) == 0;
}

static inline void fake_command(struct fake_pn532 *fake, const uint8_t *at, size_t len)
{
    static const uint8_t ack[] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
    const struct fake_step *step = &fake->script[fake->any_order ? 0 : fake->step];
    uint8_t late[64];
    fake->commands++;
    fake->said_len = fake->serial ? fake->said_len : fake->taken; /* a new command ends the one that runs */
    if (fake->late != NULL) {
        fake_say_raw(fake, late, from_hex(fake->late, late, sizeof late));
        fake->late = NULL;
    }
    fake_say_raw(fake, ack, sizeof ack);
    if (len == 2 && at[0] == 0x14 && at[1] == 0x01) { /* comes whenever the chip is woken */
        fake_say_hex(fake, "D515");
        return;
    }
    while (fake->any_order && step->command != NULL && !fake_is(step, at, len)) {
        step++;
    }
    if (step->command == NULL || !fake_is(step, at, len)) {
        fake->strange = true;
        return;
    }
    fake->step++;
    fake_answer(fake, step, at[0]);
}

static inline size_t fake_parse(struct fake_pn532 *fake, const uint8_t *at, size_t len)
{
    if (at[0] != 0x00 || (len > 1 && at[1] != 0xFF)) {
        return 1;
    }
    if (len < 4) {
        return 0;
    }
    if (at[2] == 0x00 && at[3] == 0xFF) {
        fake->aborts++;
        fake->said_len = fake->serial ? fake->said_len : fake->taken;
        return 4;
    }
    if (at[2] == 0xFF && at[3] == 0x00) {
        fake->repeats++;
        fake_say_raw(fake, fake->last, fake->last_len);
        return 4;
    }
    const bool extended = at[2] == 0xFF && at[3] == 0xFF;
    const size_t head = extended ? 7 : 4;
    if (len < head) {
        return 0;
    }
    const size_t content = extended ? scrip_get_be16(at + 4) : at[2];
    const uint8_t sum = extended ? (uint8_t)(at[4] + at[5] + at[6]) : (uint8_t)(at[2] + at[3]);
    if (sum != 0 || content < 2 || content > 265) {
        return 2;
    }
    if (len < head + content + 2) {
        return 0;
    }
    uint8_t check = 0;
    for (size_t i = 0; i <= content; i++) {
        check = (uint8_t)(check + at[head + i]);
    }
    if (check != 0 || at[head + content + 1] != 0 || at[head] != 0xD4) {
        return 2;
    }
    fake_command(fake, at + head + 1, content - 1);
    return head + content + 2;
}

static inline void fake_hear(struct fake_pn532 *fake, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const bool hit = ++fake->to_chip == fake->fault_to_chip;
        if (hit && fake->fault == FAKE_LOSES) {
            continue;
        }
        assert_true(fake->heard_len < sizeof fake->heard);
        fake->heard[fake->heard_len++] = (uint8_t)(hit && fake->fault == FAKE_FLIPS ? at[i] ^ 0x10U : at[i]);
    }
    while (fake->parsed < fake->heard_len) {
        const size_t used = fake_parse(fake, fake->heard + fake->parsed, fake->heard_len - fake->parsed);
        if (used == 0) {
            return;
        }
        fake->parsed += used;
    }
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static inline uint32_t fake_now(void *ctx)
{
    return (uint32_t)(((struct fake_pn532 *)ctx)->now_us / 1000U);
}

static inline void fake_wait(void *ctx, uint32_t us)
{
    ((struct fake_pn532 *)ctx)->now_us += us;
}

/* ---- HSU --------------------------------------------------------------------------------------------------------- */

static inline enum scrip_status fake_uart_write(void *ctx, struct scrip_bytes bytes)
{
    fake_hear(ctx, bytes.at, bytes.len);
    return SCRIP_OK;
}

static inline enum scrip_status fake_uart_read(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms)
{
    struct fake_pn532 *fake = ctx;
    if (fake->said_len - fake->taken < len) {
        fake->taken = fake->said_len;
        fake->now_us += 1000U * (uint64_t)timeout_ms;
        return SCRIP_E_TIMEOUT;
    }
    memcpy(at, fake->said + fake->taken, len);
    fake->taken += len;
    return SCRIP_OK;
}

static inline enum scrip_status fake_uart_flush(void *ctx)
{
    struct fake_pn532 *fake = ctx;
    fake->taken = fake->said_len;
    return SCRIP_OK;
}

/* ---- SPI and I2C: by frames -------------------------------------------------------------------------------------- */

static inline uint8_t fake_mirror(uint8_t byte)
{
    uint8_t out = 0;
    for (unsigned i = 0; i < 8; i++) {
        out = (uint8_t)(out | (unsigned)(byte >> i & 1) << (7 - i));
    }
    return out;
}

/* Length of the frame that the chip holds. */
static inline size_t fake_held(const struct fake_pn532 *fake)
{
    const uint8_t *at = fake->said + fake->taken;
    const size_t len = fake->said_len - fake->taken;
    if (len < 6) {
        return len;
    }
    const size_t whole = at[3] == 0x00 && at[4] == 0xFF   ? 6
                         : at[3] == 0xFF && at[4] == 0xFF ? 3 + 5 + (size_t)scrip_get_be16(at + 5) + 2
                                                          : 3 + 2 + (size_t)at[3] + 2;
    return whole < len ? whole : len;
}

/* A fetch begins at the beginning of the frame, ends it, and goes on with rubbish behind it. */
static inline void fake_fetch(struct fake_pn532 *fake, uint8_t *at, size_t len)
{
    const size_t held = fake_held(fake);
    memset(at, 0xA5, len);
    memcpy(at, fake->said + fake->taken, held < len ? held : len);
    fake->taken += held;
}

static inline enum scrip_status fake_spi(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    struct fake_pn532 *fake = ctx;
    uint8_t in[300] = {0}, out[300] = {0};
    assert_true(len <= sizeof in);
    for (size_t i = 0; i < len; i++) {
        in[i] = fake_mirror(tx[i]);
    }
    if (in[0] == 0x01) {
        fake_hear(fake, in + 1, len - 1);
    } else if (in[0] == 0x02 && len == 2) {
        out[1] = fake->said_len > fake->taken;
    } else if (in[0] == 0x03) {
        fake_fetch(fake, out + 1, len - 1);
    }
    for (size_t i = 0; i < len && rx != NULL; i++) {
        rx[i] = fake_mirror(out[i]);
    }
    return SCRIP_OK;
}

static inline enum scrip_status fake_i2c_write(void *ctx, struct scrip_bytes bytes)
{
    fake_hear(ctx, bytes.at, bytes.len);
    return SCRIP_OK;
}

static inline enum scrip_status fake_i2c_read(void *ctx, uint8_t *at, size_t len)
{
    struct fake_pn532 *fake = ctx;
    at[0] = fake->said_len > fake->taken;
    if (len > 1) {
        fake_fetch(fake, at + 1, len - 1);
    }
    return SCRIP_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ */

enum fake_bus { FAKE_HSU, FAKE_SPI, FAKE_I2C, FAKE_BUSES };

static inline void fake_connect(struct fake_pn532 *fake, enum fake_bus bus, struct scrip_pn532 *pn532)
{
    const struct scrip_ticks ticks = {.ctx = fake, .now_ms = fake_now, .wait_us = fake_wait};
    const struct scrip_uart uart = {
        .ctx = fake, .write = fake_uart_write, .read = fake_uart_read, .flush = fake_uart_flush};
    const struct scrip_spi spi = {.ctx = fake, .transfer = fake_spi};
    const struct scrip_i2c i2c = {.ctx = fake, .write = fake_i2c_write, .read = fake_i2c_read};
    fake->serial = bus == FAKE_HSU;
    if (bus == FAKE_HSU) {
        scrip_pn532_init_hsu(pn532, &uart, &ticks);
    } else if (bus == FAKE_SPI) {
        scrip_pn532_init_spi(pn532, &spi, &ticks);
    } else {
        scrip_pn532_init_i2c(pn532, &i2c, &ticks);
    }
}

#endif
