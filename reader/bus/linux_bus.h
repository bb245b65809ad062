/* linux_bus.h: the buses of bus.h as Linux has them: serial lines (/dev/tty*, pseudo-terminals), /dev/spidev*, and
 * /dev/i2c-*. Private to reader/.
 *
 * A device is held alone (flock): two programs that speak to one chip at a time would each get half of its answers. */
#ifndef READER_BUS_LINUX_BUS_H
#define READER_BUS_LINUX_BUS_H

#include <scrip/bus.h>

#define LINUX_BUS_ERROR_MAX 160U

enum linux_bus_kind { LINUX_BUS_UART, LINUX_BUS_SPI, LINUX_BUS_I2C };

/** An open device. Fields private. Must not move while a bus over it is in use. */
struct linux_bus {
    enum linux_bus_kind kind;
    int fd; /* -1: none */
    uint32_t speed;
    uint8_t in[512]; /* UART: read and not yet taken */
    size_t in_len;
    size_t in_taken;
};

/** The kind by the name of the device: .../spidev*, .../i2c-*; anything else is a serial line. */
enum linux_bus_kind linux_bus_kind(const char *path);

/** Open a device.
 *  @param speed    baud of a serial line, Hz of SPI; of no use to I2C, whose speed is the system's
 *  @param address  I2C, 7 bits
 *  @param error    receives one sentence that names the device and says what to do; LINUX_BUS_ERROR_MAX bytes
 *  @return SCRIP_OK; SCRIP_E_LINK: no such device, no permission, in use, or not of this kind; SCRIP_E_ARGUMENT: a baud
 *          rate that Linux does not have */
enum scrip_status linux_bus_open(struct linux_bus *bus, const char *path, uint32_t speed, uint8_t address, char *error);

/** Close it; a bus that is not open is left alone. */
void linux_bus_close(struct linux_bus *bus);

/** The bus for a driver; `bus` is borrowed. */
struct scrip_uart linux_bus_uart(struct linux_bus *bus);
struct scrip_spi linux_bus_spi(struct linux_bus *bus);
struct scrip_i2c linux_bus_i2c(struct linux_bus *bus);

/** The monotonic clock. */
struct scrip_ticks linux_bus_ticks(void);

/** Devices that a reader chip may hang on, by their names: USB serial adapters, SPI and I2C. */
void linux_bus_candidates(void (*each)(void *ctx, const char *path), void *ctx);

#endif
