/* bus.h: how the bytes of a driver reach a reader chip. The host supplies these: Linux devices, a firmware's registers,
 * or a model of the chip. Every function returns SCRIP_OK, SCRIP_E_TIMEOUT where it says so, or SCRIP_E_LINK. */
#ifndef SCRIP_BUS_H
#define SCRIP_BUS_H

#include <scrip/bytes.h>

/** A serial line. */
struct scrip_uart {
    void *ctx;
    enum scrip_status (*write)(void *ctx, struct scrip_bytes bytes);
    /** Exactly `len` bytes. @return SCRIP_E_TIMEOUT: they did not come within `timeout_ms`; what came is lost */
    enum scrip_status (*read)(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms);
    /** Forget what was received and not read. */
    enum scrip_status (*flush)(void *ctx);
    /** Change the speed of our side; NULL: cannot. */
    enum scrip_status (*baud)(void *ctx, uint32_t baud);
};

/** SPI, mode 0. Chip select is low for the whole transfer. */
struct scrip_spi {
    void *ctx;
    /** `rx` may be NULL, or the same as `tx`. */
    enum scrip_status (*transfer)(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len);
};

/** I2C; the address is the bus's business. */
struct scrip_i2c {
    void *ctx;
    enum scrip_status (*write)(void *ctx, struct scrip_bytes bytes);
    enum scrip_status (*read)(void *ctx, uint8_t *at, size_t len);
};

/** Time for drivers. */
struct scrip_ticks {
    void *ctx;
    uint32_t (*now_ms)(void *ctx); /**< wraps */
    void (*wait_us)(void *ctx, uint32_t us);
};

#endif
