/* The emulated board: UART0 is the console, UART1 the reader's line. Flash is a file of the emulator's host, so that it
 * outlives the emulator as a board's flash outlives its power. */
#include "../board.h"
#include "semihost.h"
#include "startup.h"

#include <string.h>

/* ---- serial lines [CMSDK APB UART] ---- */

struct uart {
    volatile uint32_t data, state, ctrl, interrupt, baud_div;
};

#define UART0       ((struct uart *)0x40004000U)
#define UART1       ((struct uart *)0x40005000U)
#define TX_FULL     1U
#define RX_FULL     2U
#define TX_RX_ON    3U
#define CLOCK_HZ    25000000U
#define LEAST_DIV   16U
#define SPEED_FIRST 115200U
#define STUCK_MS    2000U

static void uart_speed(struct uart *uart, uint32_t baud)
{
    uart->baud_div = CLOCK_HZ / baud > LEAST_DIV ? CLOCK_HZ / baud : LEAST_DIV;
    uart->ctrl = TX_RX_ON;
}

static volatile uint32_t now_ms;

/* A line on which nothing leaves any more is given up after a while: it is not there. */
static bool uart_put(struct uart *uart, uint8_t byte)
{
    const uint32_t from = now_ms;
    while ((uart->state & TX_FULL) != 0) {
        if (now_ms - from > STUCK_MS) {
            return false;
        }
    }
    uart->data = byte;
    return true;
}

void board_console_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len && uart_put(UART0, (uint8_t)text[i]); i++) {
    }
}

int board_console_read(void)
{
    return (UART0->state & RX_FULL) != 0 ? (int)(UART0->data & 0xFF) : -1;
}

/* ---- time ---- */

struct systick {
    volatile uint32_t ctrl, load, value;
};

#define SYSTICK ((struct systick *)0xE000E010U)
#define TICK_ON 7U /* core clock, interrupt, run */

void startup_tick(void)
{
    now_ms++;
}

uint32_t board_now_ms(void)
{
    return now_ms;
}

static uint32_t ticks_now(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static void ticks_wait(void *ctx, uint32_t us)
{
    const uint32_t from = now_ms;
    (void)ctx;
    while (now_ms - from <= us / 1000) { /* at least as long as asked for */
        board_sleep();
    }
}

const struct scrip_ticks *board_ticks(void)
{
    static const struct scrip_ticks ticks = {NULL, ticks_now, ticks_wait};
    return &ticks;
}

void board_sleep(void)
{
    __asm__ volatile("wfi");
}

/* ---- the reader's line ---- */

static enum scrip_status reader_write(void *ctx, struct scrip_bytes bytes)
{
    (void)ctx;
    for (size_t i = 0; i < bytes.len; i++) {
        if (!uart_put(UART1, bytes.at[i])) {
            return SCRIP_E_LINK;
        }
    }
    return SCRIP_OK;
}

static enum scrip_status reader_read(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms)
{
    const uint32_t from = now_ms;
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        while ((UART1->state & RX_FULL) == 0) {
            if (now_ms - from > timeout_ms) {
                return SCRIP_E_TIMEOUT;
            }
        }
        at[i] = (uint8_t)UART1->data;
    }
    return SCRIP_OK;
}

static enum scrip_status reader_flush(void *ctx)
{
    (void)ctx;
    while ((UART1->state & RX_FULL) != 0) {
        (void)UART1->data;
    }
    return SCRIP_OK;
}

static enum scrip_status reader_baud(void *ctx, uint32_t baud)
{
    (void)ctx;
    uart_speed(UART1, baud);
    return SCRIP_OK;
}

const struct scrip_uart *board_reader(void)
{
    static const struct scrip_uart uart = {NULL, reader_write, reader_read, reader_flush, reader_baud};
    return &uart;
}

/* ---- flash ---- */

static int flash_file = -1;

static enum scrip_status flash_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    (void)ctx;
    return semihost_read(flash_file, at, dst, len) ? SCRIP_OK : SCRIP_E_NV;
}

static enum scrip_status flash_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    (void)ctx;
    return semihost_write(flash_file, page * SCRIP_NV_PAGE, data, SCRIP_NV_PAGE) ? SCRIP_OK : SCRIP_E_NV;
}

const struct scrip_nv *board_flash(void)
{
    static const struct scrip_nv nv = {NULL, FIRMWARE_FLASH_PAGES, flash_read, flash_write};
    return &nv;
}

#define NO_FLASH_EXIT 71

static void flash_start(void)
{
    char name[128];
    const uint8_t erased[SCRIP_NV_PAGE] = {0};
    if (!semihost_argument(name, sizeof name)) {
        board_stop(NO_FLASH_EXIT);
    }
    flash_file = semihost_open(name);
    const int32_t len = flash_file < 0 ? -1 : semihost_length(flash_file);
    if (len < 0) {
        board_stop(NO_FLASH_EXIT);
    }
    for (uint32_t page = (uint32_t)len / SCRIP_NV_PAGE; page < FIRMWARE_FLASH_PAGES; page++) {
        (void)flash_write(NULL, page, erased);
    }
}

/* ---- the rest ---- */

void board_entropy(uint8_t out[16])
{
    const uint32_t words[] = {semihost_time(), semihost_clock(), now_ms, SYSTICK->value};
    memcpy(out, words, sizeof words); /* an emulator has nothing better; a board has a generator */
}

#define AIRCR   ((volatile uint32_t *)0xE000ED0CU)
#define RESTART 0x05FA0004U /* the key of the register, and SYSRESETREQ */

_Noreturn void board_reset(void)
{
    *AIRCR = RESTART;
    for (;;) {
    }
}

_Noreturn void board_stop(int code)
{
    semihost_exit(code);
}

void board_start(void)
{
    uart_speed(UART0, SPEED_FIRST);
    uart_speed(UART1, SPEED_FIRST);
    SYSTICK->load = CLOCK_HZ / 1000U - 1U;
    SYSTICK->value = 0;
    SYSTICK->ctrl = TICK_ON;
    flash_start();
}
