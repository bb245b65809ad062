/* host.h: what the host must supply to the core: non-volatile memory, randomness, time, and a place for traces.
 *
 * Each is a struct of functions with a `ctx` that the core hands back unchanged. The host keeps struct and ctx alive
 * as long as the core object that was given them. All calls are made from the thread that called the core. */
#ifndef SCRIP_HOST_H
#define SCRIP_HOST_H

#include <scrip/bytes.h>
#include <scrip/status.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes that one nv write programs. A power loss leaves a page old, new, or (half-programmed) undefined. */
#define SCRIP_NV_PAGE 64U

/** Non-volatile memory of a card or a terminal. Pages are written whole and in program order; nothing else is
 *  promised: a page whose write was interrupted may hold any bytes. */
struct scrip_nv {
    void *ctx;
    uint32_t pages; /**< number of pages of SCRIP_NV_PAGE bytes */

    /** Read `len` bytes from byte address `at`; never past the end.
     *  @return SCRIP_OK; SCRIP_E_NV: memory failed or has no power */
    enum scrip_status (*read)(void *ctx, uint32_t at, uint8_t *dst, size_t len);

    /** Program one page.
     *  @return SCRIP_OK: the page is durable; SCRIP_E_NV: failed or lost power, the page may hold anything */
    enum scrip_status (*write)(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE]);
};

/** Cryptographic randomness, or a repeatable stream in tests. */
struct scrip_random {
    void *ctx;
    /** Fill `len` bytes. @return SCRIP_OK; SCRIP_E_RANDOM: nothing may be used */
    enum scrip_status (*fill)(void *ctx, uint8_t *dst, size_t len);
};

/** Time. */
struct scrip_clock {
    void *ctx;
    /** Milliseconds since 1970-01-01T00:00:00Z. */
    uint64_t (*now_ms)(void *ctx);
};

/** Which way a traced frame went. */
enum scrip_trace_kind {
    SCRIP_TRACE_COMMAND,  /**< to the card */
    SCRIP_TRACE_RESPONSE, /**< from the card */
    SCRIP_TRACE_EVENT,    /**< power, reset, removal; the bytes are UTF-8 text */
};

/** Where frames are reported to. Only bytes that travel on the wire are reported: no key ever is. */
struct scrip_trace {
    void *ctx;
    void (*frame)(void *ctx, enum scrip_trace_kind kind, struct scrip_bytes bytes);
};

#endif
