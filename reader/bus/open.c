/* Devices: opening, why they do not open, and which there are. */
#include "linux_bus.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/i2c-dev.h>
#include <linux/spi/spidev.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "uart.h"

/* What differs between kinds when a device does not open. */
static const struct {
    const char *what;
    const char *group;   /* whose members may use it */
    const char *missing; /* what to do when it is not there */
} kinds[] = {
    [LINUX_BUS_UART] = {"serial line", "dialout", "is the adapter plugged in? scrip reader list shows what is there"},
    [LINUX_BUS_SPI] = {"SPI device", "spi", "switch SPI on (Raspberry Pi: dtparam=spi=on, then restart)"},
    [LINUX_BUS_I2C] = {"I2C bus", "i2c", "switch I2C on (Raspberry Pi: dtparam=i2c_arm=on, modprobe i2c-dev)"},
};

enum linux_bus_kind linux_bus_kind(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "spidev", 6) == 0 ? LINUX_BUS_SPI
           : strncmp(name, "i2c-", 4) == 0 ? LINUX_BUS_I2C
                                           : LINUX_BUS_UART;
}

static enum scrip_status fail(char *error, enum scrip_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum scrip_status fail(char *error, enum scrip_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, LINUX_BUS_ERROR_MAX, format, arguments);
    va_end(arguments);
    return status;
}

static enum scrip_status open_failed(enum linux_bus_kind kind, const char *path, int why, char *error)
{
    switch (why) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return fail(error, SCRIP_E_LINK, "no %.40s: %s", path, kinds[kind].missing);
    case EACCES:
    case EPERM:
        return fail(error, SCRIP_E_LINK, "%.40s: permission denied: sudo usermod -aG %s $USER, then log in again", path,
                    kinds[kind].group);
    case EBUSY:
    case EWOULDBLOCK:
        return fail(error, SCRIP_E_LINK, "%.40s is in use by another program: end that one first", path);
    default:
        return fail(error, SCRIP_E_LINK, "%.40s: %s", path, strerror(why));
    }
}

static int set_up_spi(const struct linux_bus *bus)
{
    const uint8_t mode = SPI_MODE_0;
    const uint8_t bits = 8;
    return ioctl(bus->fd, SPI_IOC_WR_MODE, &mode) < 0 || ioctl(bus->fd, SPI_IOC_WR_BITS_PER_WORD, &bits) < 0 ||
                   ioctl(bus->fd, SPI_IOC_WR_MAX_SPEED_HZ, &bus->speed) < 0
               ? -1
               : 0;
}

static enum scrip_status set_up(struct linux_bus *bus, const char *path, uint8_t address, char *error)
{
    int result = 0;
    if (bus->kind == LINUX_BUS_UART) {
        if (!uart_has_speed(bus->speed)) {
            return fail(error, SCRIP_E_ARGUMENT, "%u is no baud rate: 9600, 115200, 921600 are", (unsigned)bus->speed);
        }
        result = uart_set_up(bus);
    } else if (bus->kind == LINUX_BUS_SPI) {
        result = set_up_spi(bus);
    } else {
        result = ioctl(bus->fd, I2C_SLAVE, (unsigned long)address);
    }
    if (result == 0) {
        return SCRIP_OK;
    }
    if (errno == EBUSY) {
        return fail(error, SCRIP_E_LINK, "%.40s: a kernel driver holds address %02Xh", path, address);
    }
    return fail(error, SCRIP_E_LINK, "%.40s is no %s (%s)", path, kinds[bus->kind].what, strerror(errno));
}

enum scrip_status linux_bus_open(struct linux_bus *bus, const char *path, uint32_t speed, uint8_t address, char *error)
{
    *bus = (struct linux_bus){.kind = linux_bus_kind(path), .fd = -1, .speed = speed};
    bus->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (bus->fd < 0) {
        return open_failed(bus->kind, path, errno, error);
    }
    enum scrip_status status = SCRIP_OK;
    if (flock(bus->fd, LOCK_EX | LOCK_NB) != 0) {
        status = open_failed(bus->kind, path, errno, error);
    }
    status = status == SCRIP_OK ? set_up(bus, path, address, error) : status;
    if (status != SCRIP_OK) {
        linux_bus_close(bus);
    }
    return status;
}

void linux_bus_close(struct linux_bus *bus)
{
    if (bus->fd >= 0) {
        close(bus->fd);
    }
    bus->fd = -1;
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static uint32_t now_ms(void *ctx)
{
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U);
}

static void wait_us(void *ctx, uint32_t us)
{
    struct timespec left = {.tv_sec = (time_t)(us / 1000000U), .tv_nsec = (long)(us % 1000000U) * 1000};
    (void)ctx;
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

struct scrip_ticks linux_bus_ticks(void)
{
    return (struct scrip_ticks){.now_ms = now_ms, .wait_us = wait_us};
}

/* ---- What is there ----------------------------------------------------------------------------------------------- */

void linux_bus_candidates(void (*each)(void *ctx, const char *path), void *ctx)
{
    static const char *const patterns[] = {"/dev/ttyUSB*",      "/dev/ttyACM*", "/dev/ttyAMA*",
                                           "/dev/serial[0-9]*", "/dev/spidev*", "/dev/i2c-*"};
    glob_t found = {0};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        (void)glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &found);
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        each(ctx, found.gl_pathv[i]);
    }
    globfree(&found);
}
