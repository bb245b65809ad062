/* SPI and I2C: a transfer is one system call. */
#include "linux_bus.h"
#include <linux/spi/spidev.h>
#include <sys/ioctl.h>
#include <unistd.h>

static enum scrip_status spi_transfer(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    const struct linux_bus *bus = ctx;
    const struct spi_ioc_transfer transfer = {
        .tx_buf = (uint64_t)(uintptr_t)tx,
        .rx_buf = (uint64_t)(uintptr_t)rx,
        .len = (uint32_t)len,
        .speed_hz = bus->speed,
        .bits_per_word = 8,
    };
    return ioctl(bus->fd, SPI_IOC_MESSAGE(1), &transfer) == (int)len ? SCRIP_OK : SCRIP_E_LINK;
}

struct scrip_spi linux_bus_spi(struct linux_bus *bus)
{
    return (struct scrip_spi){.ctx = bus, .transfer = spi_transfer};
}

/* A chip that is busy does not acknowledge its address (EREMOTEIO, ENXIO): to a driver that is a failed transfer, which
 * it tries again where it makes sense. */
static enum scrip_status i2c_write(void *ctx, struct scrip_bytes bytes)
{
    const struct linux_bus *bus = ctx;
    return write(bus->fd, bytes.at, bytes.len) == (ssize_t)bytes.len ? SCRIP_OK : SCRIP_E_LINK;
}

static enum scrip_status i2c_read(void *ctx, uint8_t *at, size_t len)
{
    const struct linux_bus *bus = ctx;
    return read(bus->fd, at, len) == (ssize_t)len ? SCRIP_OK : SCRIP_E_LINK;
}

struct scrip_i2c linux_bus_i2c(struct linux_bus *bus)
{
    return (struct scrip_i2c){.ctx = bus, .write = i2c_write, .read = i2c_read};
}
