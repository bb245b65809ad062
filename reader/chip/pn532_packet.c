/* PN532 on SPI and I2C. The host polls a status until the chip has something, then fetches a frame in one piece from
 * its beginning. How long it is stands in the frame: most fit the first fetch; of a longer one the chip is asked for a
 * repetition (NACK), which is fetched whole.
 *
 * On SPI each transfer begins with a byte that says what it is, and bits travel least significant first. On I2C every
 * read begins with the status. So both have one byte in front of a frame. */
#include "pn532_port.h"
#include <string.h>

#define SPI_STATUS  0x02U
#define SPI_WRITE   0x01U
#define SPI_READ    0x03U

#define READY       0x01U
#define WAKE_US     2000U
#define POLL_US     500U
#define ACK_LEN     6U  /* an ACK is fetched exactly: the answer may stand behind it */
#define FIRST_LEN   40U /* a block of a MIFARE Classic, a target with a short ATS */
#define DRAIN_TIMES 4U

/* ---- SPI --------------------------------------------------------------------------------------------------------- */

static uint8_t mirrored(uint8_t byte)
{
    byte = (uint8_t)((byte & 0x0F) << 4 | byte >> 4);
    byte = (uint8_t)((byte & 0x33) << 2 | (byte >> 2 & 0x33));
    return (uint8_t)((byte & 0x55) << 1 | (byte >> 1 & 0x55));
}

static enum scrip_status spi_transfer(struct scrip_pn532 *pn532, uint8_t *at, size_t len)
{
    const struct scrip_spi *spi = &pn532->bus.spi;
    for (size_t i = 0; i < len; i++) {
        at[i] = mirrored(at[i]);
    }
    SCRIP_TRY(spi->transfer(spi->ctx, at, at, len));
    for (size_t i = 0; i < len; i++) {
        at[i] = mirrored(at[i]);
    }
    return SCRIP_OK;
}

static enum scrip_status spi_ready(struct scrip_pn532 *pn532, bool *ready)
{
    uint8_t at[2] = {SPI_STATUS, 0};
    SCRIP_TRY(spi_transfer(pn532, at, sizeof at));
    *ready = (at[1] & READY) != 0 && at[1] != 0xFF; /* FF: a wire that nobody drives */
    return SCRIP_OK;
}

/* `len` bytes of the frame that the chip holds, to pn532->frame + 1. */
static enum scrip_status spi_fetch(struct scrip_pn532 *pn532, size_t len)
{
    memset(pn532->frame, 0, 1 + len);
    pn532->frame[0] = SPI_READ;
    return spi_transfer(pn532, pn532->frame, 1 + len);
}

static enum scrip_status spi_send(struct scrip_pn532 *pn532, size_t len)
{
    pn532->frame[0] = SPI_WRITE;
    return spi_transfer(pn532, pn532->frame, 1 + len);
}

static enum scrip_status spi_wake(struct scrip_pn532 *pn532)
{
    uint8_t nothing[1] = {0}; /* chip select going low is what wakes it */
    SCRIP_TRY(spi_transfer(pn532, nothing, sizeof nothing));
    pn532->ticks.wait_us(pn532->ticks.ctx, WAKE_US);
    return SCRIP_OK;
}

/* ---- I2C --------------------------------------------------------------------------------------------------------- */

static enum scrip_status i2c_ready(struct scrip_pn532 *pn532, bool *ready)
{
    const struct scrip_i2c *i2c = &pn532->bus.i2c;
    uint8_t at = 0;
    SCRIP_TRY(i2c->read(i2c->ctx, &at, 1));
    *ready = (at & READY) != 0 && at != 0xFF;
    return SCRIP_OK;
}

static enum scrip_status i2c_fetch(struct scrip_pn532 *pn532, size_t len)
{
    const struct scrip_i2c *i2c = &pn532->bus.i2c;
    return i2c->read(i2c->ctx, pn532->frame, 1 + len);
}

static enum scrip_status i2c_send(struct scrip_pn532 *pn532, size_t len)
{
    const struct scrip_i2c *i2c = &pn532->bus.i2c;
    return i2c->write(i2c->ctx, scrip_bytes(pn532->frame + 1, len));
}

static enum scrip_status i2c_wake(struct scrip_pn532 *pn532)
{
    static const uint8_t nothing[] = {0};
    const struct scrip_i2c *i2c = &pn532->bus.i2c;
    (void)i2c->write(i2c->ctx,
                     SCRIP_BYTES_OF(nothing)); /* its address wakes the chip, which does not acknowledge yet */
    pn532->ticks.wait_us(pn532->ticks.ctx, WAKE_US);
    return SCRIP_OK;
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

/* The same port with its two private halves in front. */
struct packet_port {
    struct scrip_pn532_port port; /* first */
    enum scrip_status (*ready)(struct scrip_pn532 *pn532, bool *ready);
    enum scrip_status (*fetch)(struct scrip_pn532 *pn532, size_t len);
};

static const struct packet_port *packet(const struct scrip_pn532 *pn532)
{
    return (const struct packet_port *)(const void *)pn532->port;
}

/* A bus that fails now and then (a chip that is busy may not acknowledge its address) is asked again; one that only
 * fails is a failed bus. */
static enum scrip_status ready_wait(struct scrip_pn532 *pn532, uint32_t timeout_ms)
{
    const uint32_t start = pn532->ticks.now_ms(pn532->ticks.ctx);
    enum scrip_status status;
    do {
        bool ready = false;
        status = packet(pn532)->ready(pn532, &ready);
        if (status == SCRIP_OK && ready) {
            return SCRIP_OK;
        }
        pn532->ticks.wait_us(pn532->ticks.ctx, POLL_US);
    } while (pn532_elapsed_ms(pn532, start) < timeout_ms);
    return status == SCRIP_OK ? SCRIP_E_TIMEOUT : status;
}

/* Read the frame out of the `len` bytes at pn532->frame + 1. `*whole` receives how many bytes it takes.
 * SCRIP_E_SPACE: not all of it is there. */
static enum scrip_status parse(struct scrip_pn532 *pn532, size_t len, struct pn532_head *head, size_t *whole)
{
    const uint8_t *at = pn532->frame + 1;
    size_t pos = 0;
    while (pos + 1 < len && at[pos] == 0x00 && at[pos + 1] != 0xFF) {
        pos++;
    }
    if (pos + 4 > len || at[pos] != 0x00) {
        return SCRIP_E_MAC;
    }
    pos += 2;
    const size_t size = pn532_head_size(at + pos);
    if (pos + size > len) {
        return SCRIP_E_MAC;
    }
    SCRIP_TRY(pn532_head_get(at + pos, head));
    if (head->kind != PN532_DATA) {
        return SCRIP_OK;
    }
    *whole = pos + size + head->len + 2;
    if (*whole > sizeof pn532->frame - 1) {
        return SCRIP_E_MAC;
    }
    if (*whole > len) {
        return SCRIP_E_SPACE;
    }
    memmove(pn532->frame, at + pos + size, head->len + 2);
    return pn532_body_good(pn532->frame, head->len) ? SCRIP_OK : SCRIP_E_MAC;
}

static enum scrip_status repeated(struct scrip_pn532 *pn532, struct pn532_head *head, size_t whole)
{
    static const uint8_t nack[] = {0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00};
    size_t again = 0;
    memcpy(pn532->frame + 1, nack, sizeof nack);
    SCRIP_TRY(pn532->port->send(pn532, sizeof nack));
    SCRIP_TRY(ready_wait(pn532, PN532_PIECE_MS));
    SCRIP_TRY(packet(pn532)->fetch(pn532, whole));
    const enum scrip_status status = parse(pn532, whole, head, &again);
    return status == SCRIP_E_SPACE ? SCRIP_E_MAC : status;
}

static enum scrip_status receive(struct scrip_pn532 *pn532, enum pn532_expect expect, struct pn532_head *head,
                                 uint32_t timeout_ms)
{
    const size_t len = expect == PN532_EXPECT_ACK ? ACK_LEN : FIRST_LEN;
    size_t whole = 0;
    SCRIP_TRY(ready_wait(pn532, timeout_ms));
    SCRIP_TRY(packet(pn532)->fetch(pn532, len));
    const enum scrip_status status = parse(pn532, len, head, &whole);
    if (status != SCRIP_E_SPACE) {
        return status;
    }
    return expect == PN532_EXPECT_ACK ? SCRIP_E_MAC : repeated(pn532, head, whole);
}

static enum scrip_status drain(struct scrip_pn532 *pn532)
{
    for (size_t i = 0; i < DRAIN_TIMES; i++) {
        const enum scrip_status status = ready_wait(pn532, PN532_QUIET_MS);
        if (status == SCRIP_E_TIMEOUT) {
            return SCRIP_OK;
        }
        SCRIP_TRY(status);
        SCRIP_TRY(packet(pn532)->fetch(pn532, FIRST_LEN));
    }
    return SCRIP_OK;
}

void scrip_pn532_init_spi(struct scrip_pn532 *pn532, const struct scrip_spi *spi, const struct scrip_ticks *ticks)
{
    static const struct packet_port port = {
        .port = {.wake = spi_wake, .send = spi_send, .receive = receive, .drain = drain},
        .ready = spi_ready,
        .fetch = spi_fetch,
    };
    pn532_init(pn532, &port.port, ticks);
    pn532->bus.spi = *spi;
}

void scrip_pn532_init_i2c(struct scrip_pn532 *pn532, const struct scrip_i2c *i2c, const struct scrip_ticks *ticks)
{
    static const struct packet_port port = {
        .port = {.wake = i2c_wake, .send = i2c_send, .receive = receive, .drain = drain},
        .ready = i2c_ready,
        .fetch = i2c_fetch,
    };
    pn532_init(pn532, &port.port, ticks);
    pn532->bus.i2c = *i2c;
}
