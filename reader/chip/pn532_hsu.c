/* PN532 on a serial line (HSU): 115200 8N1 after power-on. */
#include "pn532_port.h"
#include <string.h>

#define WAKE_US   2000U
#define DRAIN_MAX 1024U /* bytes; more is a chip gone mad, or no chip */

static enum scrip_status wake(struct scrip_pn532 *pn532)
{
    /* 55 is a long run of edges, which wake the chip; it loses what follows within the time it needs. */
    static const uint8_t edges[16] = {0x55, 0x55};
    const struct scrip_uart *uart = &pn532->bus.uart;
    SCRIP_TRY(uart->write(uart->ctx, SCRIP_BYTES_OF(edges)));
    pn532->ticks.wait_us(pn532->ticks.ctx, WAKE_US);
    return uart->flush(uart->ctx);
}

static enum scrip_status send(struct scrip_pn532 *pn532, size_t len)
{
    const struct scrip_uart *uart = &pn532->bus.uart;
    SCRIP_TRY(uart->flush(uart->ctx)); /* nothing that was said before can answer this */
    return uart->write(uart->ctx, scrip_bytes(pn532->frame + 1, len));
}

/* The rest of a frame: bytes that do not come are a damaged frame, not silence. */
static enum scrip_status rest_read(struct scrip_pn532 *pn532, uint8_t *at, size_t len)
{
    const struct scrip_uart *uart = &pn532->bus.uart;
    const enum scrip_status status = uart->read(uart->ctx, at, len, PN532_PIECE_MS);
    return status == SCRIP_E_TIMEOUT ? SCRIP_E_MAC : status;
}

/* Skip to behind the next 00 FF. */
static enum scrip_status hunt(struct scrip_pn532 *pn532, enum pn532_expect expect, uint32_t start, uint32_t timeout_ms)
{
    const struct scrip_uart *uart = &pn532->bus.uart;
    uint8_t before = 0xFF;
    for (;;) {
        uint8_t byte = 0;
        const uint32_t gone = pn532_elapsed_ms(pn532, start);
        if (gone >= timeout_ms) {
            return SCRIP_E_TIMEOUT;
        }
        SCRIP_TRY(uart->read(uart->ctx, &byte, 1, timeout_ms - gone));
        if (before == 0x00 && byte == 0xFF) {
            return SCRIP_OK;
        }
        if (expect == PN532_EXPECT_ANSWER && byte != 0x00) {
            return SCRIP_E_MAC;
        }
        before = byte;
    }
}

static enum scrip_status receive(struct scrip_pn532 *pn532, enum pn532_expect expect, struct pn532_head *head,
                                 uint32_t timeout_ms)
{
    uint8_t at[PN532_HEAD_MAX];
    SCRIP_TRY(hunt(pn532, expect, pn532->ticks.now_ms(pn532->ticks.ctx), timeout_ms));
    SCRIP_TRY(rest_read(pn532, at, 2));
    const size_t size = pn532_head_size(at);
    if (size > 2) {
        SCRIP_TRY(rest_read(pn532, at + 2, size - 2));
    }
    SCRIP_TRY(pn532_head_get(at, head));
    if (head->kind != PN532_DATA) {
        return SCRIP_OK; /* their postamble is a zero in front of the next frame */
    }
    SCRIP_TRY(rest_read(pn532, pn532->frame, head->len + 2));
    return pn532_body_good(pn532->frame, head->len) ? SCRIP_OK : SCRIP_E_MAC;
}

static enum scrip_status drain(struct scrip_pn532 *pn532)
{
    const struct scrip_uart *uart = &pn532->bus.uart;
    for (size_t i = 0; i < DRAIN_MAX; i++) {
        uint8_t byte;
        const enum scrip_status status = uart->read(uart->ctx, &byte, 1, PN532_QUIET_MS);
        if (status == SCRIP_E_TIMEOUT) {
            return SCRIP_OK;
        }
        SCRIP_TRY(status);
    }
    return uart->flush(uart->ctx);
}

void scrip_pn532_init_hsu(struct scrip_pn532 *pn532, const struct scrip_uart *uart, const struct scrip_ticks *ticks)
{
    static const struct scrip_pn532_port port = {.wake = wake, .send = send, .receive = receive, .drain = drain};
    pn532_init(pn532, &port, ticks);
    pn532->bus.uart = *uart;
}
