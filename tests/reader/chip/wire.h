/* wire.h: the pins of a PN532 in a test: a serial line, SPI or I2C, with bytes that are lost or damaged on the way. Who
 * stands behind them is told what arrives (`hear`) and answers with wire_say. Time passes only while the driver waits,
 * or in the field where there is one. */
#ifndef TESTS_READER_CHIP_WIRE_H
#define TESTS_READER_CHIP_WIRE_H

#include "check.h"
#include <scrip/field.h>
#include <scrip/pn532.h>

enum wire_bus { WIRE_HSU, WIRE_SPI, WIRE_I2C, WIRE_BUSES };

enum wire_fault { WIRE_WHOLE, WIRE_LOSES, WIRE_FLIPS, WIRE_CUT };

struct wire {
    void (*hear)(struct wire *wire, uint8_t byte); /* one byte of the host has arrived */
    bool serial;                                   /* what was said stays in the host's queue until it is read */
    bool dead;                                     /* the chip says nothing any more */
    bool cut;                                      /* nothing passes any more, either way */
    struct scrip_field *field;                     /* whose time it is; NULL: now_us */
    uint64_t now_us;

    uint8_t heard[8192]; /* the first bytes of the host, wake-up included */
    size_t heard_len;
    uint8_t said[16384];
    size_t said_len;
    size_t taken; /* of them */

    /* The byte with this number (from 1) on its way to the host, or to the chip, is lost or damaged; or it and all that
     * come after it are lost. */
    enum wire_fault fault;
    uint8_t flip; /* bits to turn over; 0: bit 4 */
    size_t fault_to_host;
    size_t fault_to_chip;
    size_t to_host;
    size_t to_chip;
    size_t dies_after; /* so many bytes to the host; 0: never */
};

static inline void wire_say(struct wire *wire, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len && !wire->dead; i++) {
        const bool hit = ++wire->to_host == wire->fault_to_host;
        wire->cut |= hit && wire->fault == WIRE_CUT;
        wire->dead = wire->dies_after != 0 && wire->to_host >= wire->dies_after;
        if (wire->cut || (hit && wire->fault == WIRE_LOSES)) {
            continue;
        }
        assert_true(wire->said_len < sizeof wire->said);
        wire->said[wire->said_len++] =
            (uint8_t)(hit && wire->fault == WIRE_FLIPS ? at[i] ^ (wire->flip != 0 ? wire->flip : 0x10U) : at[i]);
    }
}

/* The chip has something new to say: what a clocked bus did not fetch is gone. */
static inline void wire_forget(struct wire *wire)
{
    wire->said_len = wire->serial ? wire->said_len : wire->taken;
}

static inline void wire_hear(struct wire *wire, const uint8_t *at, size_t len)
{
    if (wire->taken == wire->said_len) {
        wire->taken = wire->said_len = 0;
    }
    for (size_t i = 0; i < len; i++) {
        const bool hit = ++wire->to_chip == wire->fault_to_chip;
        wire->cut |= hit && wire->fault == WIRE_CUT;
        if (wire->cut || (hit && wire->fault == WIRE_LOSES)) {
            continue;
        }
        const uint8_t byte =
            (uint8_t)(hit && wire->fault == WIRE_FLIPS ? at[i] ^ (wire->flip != 0 ? wire->flip : 0x10U) : at[i]);
        if (wire->heard_len < sizeof wire->heard) {
            wire->heard[wire->heard_len++] = byte;
        }
        wire->hear(wire, byte);
    }
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static inline uint32_t wire_now(void *ctx)
{
    const struct wire *wire = ctx;
    const uint64_t field_us = wire->field != NULL ? scrip_field_now_fc(wire->field) * 1000000U / SCRIP_FC_HZ : 0;
    return (uint32_t)((wire->now_us + field_us) / 1000U);
}

static inline void wire_wait(void *ctx, uint32_t us)
{
    ((struct wire *)ctx)->now_us += us;
}

/* ---- HSU --------------------------------------------------------------------------------------------------------- */

static inline enum scrip_status wire_uart_write(void *ctx, struct scrip_bytes bytes)
{
    wire_hear(ctx, bytes.at, bytes.len);
    return SCRIP_OK;
}

static inline enum scrip_status wire_uart_read(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms)
{
    struct wire *wire = ctx;
    if (wire->said_len - wire->taken < len) {
        wire->taken = wire->said_len;
        wire->now_us += 1000U * (uint64_t)timeout_ms;
        return SCRIP_E_TIMEOUT;
    }
    memcpy(at, wire->said + wire->taken, len);
    wire->taken += len;
    return SCRIP_OK;
}

static inline enum scrip_status wire_uart_flush(void *ctx)
{
    struct wire *wire = ctx;
    wire->taken = wire->said_len;
    return SCRIP_OK;
}

/* ---- SPI and I2C: by frames -------------------------------------------------------------------------------------- */

static inline uint8_t wire_mirror(uint8_t byte)
{
    uint8_t out = 0;
    for (unsigned i = 0; i < 8; i++) {
        out = (uint8_t)(out | (unsigned)(byte >> i & 1) << (7 - i));
    }
    return out;
}

/* Length of the frame that the chip holds. */
static inline size_t wire_held(const struct wire *wire)
{
    const uint8_t *at = wire->said + wire->taken;
    const size_t len = wire->said_len - wire->taken;
    if (len < 6) {
        return len;
    }
    const size_t whole = at[3] == 0x00 && at[4] == 0xFF   ? 6
                         : at[3] == 0xFF && at[4] == 0xFF ? 3 + 5 + (size_t)scrip_get_be16(at + 5) + 2
                                                          : 3 + 2 + (size_t)at[3] + 2;
    return whole < len ? whole : len;
}

/* A fetch begins at the beginning of the frame, ends it, and goes on with rubbish behind it. */
static inline void wire_fetch(struct wire *wire, uint8_t *at, size_t len)
{
    const size_t held = wire_held(wire);
    memset(at, 0xA5, len);
    memcpy(at, wire->said + wire->taken, held < len ? held : len);
    wire->taken += held;
}

static inline enum scrip_status wire_spi(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    struct wire *wire = ctx;
    uint8_t in[300] = {0}, out[300] = {0};
    assert_true(len <= sizeof in);
    for (size_t i = 0; i < len; i++) {
        in[i] = wire_mirror(tx[i]);
    }
    if (in[0] == 0x01) {
        wire_hear(wire, in + 1, len - 1);
    } else if (in[0] == 0x02 && len == 2) {
        out[1] = wire->said_len > wire->taken;
    } else if (in[0] == 0x03) {
        wire_fetch(wire, out + 1, len - 1);
    }
    for (size_t i = 0; i < len && rx != NULL; i++) {
        rx[i] = wire_mirror(out[i]);
    }
    return SCRIP_OK;
}

static inline enum scrip_status wire_i2c_write(void *ctx, struct scrip_bytes bytes)
{
    wire_hear(ctx, bytes.at, bytes.len);
    return SCRIP_OK;
}

static inline enum scrip_status wire_i2c_read(void *ctx, uint8_t *at, size_t len)
{
    struct wire *wire = ctx;
    at[0] = wire->said_len > wire->taken;
    if (len > 1) {
        wire_fetch(wire, at + 1, len - 1);
    }
    return SCRIP_OK;
}

static inline void wire_connect(struct wire *wire, enum wire_bus bus, struct scrip_pn532 *pn532)
{
    const struct scrip_ticks ticks = {.ctx = wire, .now_ms = wire_now, .wait_us = wire_wait};
    const struct scrip_uart uart = {
        .ctx = wire, .write = wire_uart_write, .read = wire_uart_read, .flush = wire_uart_flush};
    const struct scrip_spi spi = {.ctx = wire, .transfer = wire_spi};
    const struct scrip_i2c i2c = {.ctx = wire, .write = wire_i2c_write, .read = wire_i2c_read};
    wire->serial = bus == WIRE_HSU;
    if (bus == WIRE_HSU) {
        scrip_pn532_init_hsu(pn532, &uart, &ticks);
    } else if (bus == WIRE_SPI) {
        scrip_pn532_init_spi(pn532, &spi, &ticks);
    } else {
        scrip_pn532_init_i2c(pn532, &i2c, &ticks);
    }
}

#endif
