/* Serial lines: raw bytes with deadlines. A pseudo-terminal is one too. */
#include "uart.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WRITE_MS 2000

static const struct {
    uint32_t baud;
    speed_t speed;
} speeds[] = {
    {9600, B9600},     {19200, B19200},   {38400, B38400},   {57600, B57600},     {115200, B115200},
    {230400, B230400}, {460800, B460800}, {921600, B921600}, {1000000, B1000000},
};

static const speed_t *speed_of(uint32_t baud)
{
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (speeds[i].baud == baud) {
            return &speeds[i].speed;
        }
    }
    return NULL;
}

bool uart_has_speed(uint32_t baud)
{
    return speed_of(baud) != NULL;
}

int uart_set_up(struct linux_bus *bus)
{
    struct termios mode;
    if (tcgetattr(bus->fd, &mode) != 0) {
        return -1;
    }
    cfmakeraw(&mode);
    mode.c_cflag |= CLOCAL | CREAD;
    mode.c_cflag &= ~(tcflag_t)(CRTSCTS | CSTOPB);
    mode.c_cc[VMIN] = 0;
    mode.c_cc[VTIME] = 0;
    if (cfsetispeed(&mode, *speed_of(bus->speed)) != 0 || cfsetospeed(&mode, *speed_of(bus->speed)) != 0) {
        return -1;
    }
    return tcsetattr(bus->fd, TCSANOW, &mode) == 0 ? tcflush(bus->fd, TCIFLUSH) : -1;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for input or room. A line that was hung up is a failed one. */
static enum scrip_status ready(int fd, short what, int64_t deadline)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = what};
        const int64_t left = deadline - now_ms();
        const int n = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (n > 0) {
            return (wait.revents & what) != 0 ? SCRIP_OK : SCRIP_E_LINK;
        }
        if (n == 0) {
            return SCRIP_E_TIMEOUT;
        }
        if (errno != EINTR) {
            return SCRIP_E_LINK;
        }
    }
}

static enum scrip_status uart_write(void *ctx, struct scrip_bytes bytes)
{
    const struct linux_bus *bus = ctx;
    const int64_t deadline = now_ms() + WRITE_MS;
    while (bytes.len > 0) {
        const ssize_t n = write(bus->fd, bytes.at, bytes.len);
        if (n > 0) {
            bytes = scrip_bytes_from(bytes, (size_t)n);
        } else if ((n < 0 && errno != EAGAIN && errno != EINTR) || ready(bus->fd, POLLOUT, deadline) != SCRIP_OK) {
            return SCRIP_E_LINK;
        }
    }
    return SCRIP_OK;
}

static enum scrip_status fill(struct linux_bus *bus, int64_t deadline)
{
    SCRIP_TRY(ready(bus->fd, POLLIN, deadline));
    const ssize_t n = read(bus->fd, bus->in, sizeof bus->in);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? SCRIP_OK : SCRIP_E_LINK;
    }
    bus->in_len = (size_t)n;
    bus->in_taken = 0;
    return SCRIP_OK;
}

static enum scrip_status uart_read(void *ctx, uint8_t *at, size_t len, uint32_t timeout_ms)
{
    struct linux_bus *bus = ctx;
    const int64_t deadline = now_ms() + timeout_ms;
    while (len > 0) {
        const size_t held = bus->in_len - bus->in_taken;
        const size_t n = held < len ? held : len;
        memcpy(at, bus->in + bus->in_taken, n);
        bus->in_taken += n;
        at += n;
        len -= n;
        if (len > 0) {
            SCRIP_TRY(fill(bus, deadline));
        }
    }
    return SCRIP_OK;
}

static enum scrip_status uart_flush(void *ctx)
{
    struct linux_bus *bus = ctx;
    bus->in_len = bus->in_taken = 0;
    return tcflush(bus->fd, TCIFLUSH) == 0 ? SCRIP_OK : SCRIP_E_LINK;
}

static enum scrip_status uart_baud(void *ctx, uint32_t baud)
{
    struct linux_bus *bus = ctx;
    if (!uart_has_speed(baud)) {
        return SCRIP_E_LINK;
    }
    bus->speed = baud;
    bus->in_len = bus->in_taken = 0;
    return uart_set_up(bus) == 0 ? SCRIP_OK : SCRIP_E_LINK;
}

struct scrip_uart linux_bus_uart(struct linux_bus *bus)
{
    return (struct scrip_uart){
        .ctx = bus, .write = uart_write, .read = uart_read, .flush = uart_flush, .baud = uart_baud};
}
