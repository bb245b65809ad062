/* The buses of Linux. A pseudo-terminal is a serial line; for SPI and I2C the system calls are caught on their way and
 * answered here, by models of the chips too. */
#include "bus/linux_bus.h"
#include "model/mfrc522.h"
#include "table.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/spi/spidev.h>
#include <pthread.h>
#include <pty.h>
#include <scrip/reader.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- System calls, caught ---------------------------------------------------------------------------------------- */

int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long request, ...);
ssize_t __real_read(int fd, void *at, size_t len);
ssize_t __real_write(int fd, const void *at, size_t len);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
ssize_t __wrap_read(int fd, void *at, size_t len);
ssize_t __wrap_write(int fd, const void *at, size_t len);

/* A device that is not on this machine: what stands behind it, and what it was told. */
static struct {
    int fd; /* -1: none is open */
    int refuse_open, refuse_ioctl;
    struct table *table; /* whose chip it is */
    unsigned long address;
    uint8_t mode, bits;
    uint32_t speed;
    size_t transfers;
    bool pulled; /* out, until it is opened again */
} device = {.fd = -1};

static bool is_device(const char *path)
{
    return strncmp(path, "/dev/spidev", 11) == 0 || strncmp(path, "/dev/i2c-", 9) == 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    if (!is_device(path)) {
        return __real_open(path, flags, 0600);
    }
    if (device.refuse_open != 0) {
        errno = device.refuse_open;
        return -1;
    }
    device.pulled = false;
    device.fd = memfd_create("device", MFD_CLOEXEC); /* a file of its own, as devices are locked */
    return device.fd;
}

static int transfer(const struct spi_ioc_transfer *t)
{
    const uintptr_t from = (uintptr_t)t->tx_buf, to = (uintptr_t)t->rx_buf;
    const uint8_t *tx = NULL;
    uint8_t *rx = NULL;
    memcpy(&tx, &from, sizeof tx); /* addresses are numbers to the kernel */
    memcpy(&rx, &to, sizeof rx);
    device.transfers++;
    if (device.pulled) {
        errno = ENODEV;
        return -1;
    }
    assert_int_equal(t->speed_hz, device.speed);
    assert_int_equal(t->bits_per_word, 8);
    if (device.table->reader == MFRC522_SPI) {
        return mfrc522_spi(device.table, tx, rx, t->len) == SCRIP_OK ? (int)t->len : -1;
    }
    return wire_spi(&device.table->wire, tx, rx, t->len) == SCRIP_OK ? (int)t->len : -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (fd != device.fd || fd < 0) {
        return __real_ioctl(fd, request, argument);
    }
    if (device.refuse_ioctl != 0) {
        errno = device.refuse_ioctl;
        return -1;
    }
    switch (request) {
    case SPI_IOC_WR_MODE:
        device.mode = *(const uint8_t *)argument;
        return 0;
    case SPI_IOC_WR_BITS_PER_WORD:
        device.bits = *(const uint8_t *)argument;
        return 0;
    case SPI_IOC_WR_MAX_SPEED_HZ:
        device.speed = *(const uint32_t *)argument;
        return 0;
    case I2C_SLAVE:
        device.address = (unsigned long)(uintptr_t)argument;
        return 0;
    case SPI_IOC_MESSAGE(1):
        return transfer(argument);
    default:
        errno = ENOTTY;
        return -1;
    }
}

ssize_t __wrap_read(int fd, void *at, size_t len)
{
    if (fd != device.fd || fd < 0) {
        return __real_read(fd, at, len);
    }
    return wire_i2c_read(&device.table->wire, at, len) == SCRIP_OK ? (ssize_t)len : -1;
}

ssize_t __wrap_write(int fd, const void *at, size_t len)
{
    if (fd != device.fd || fd < 0) {
        return __real_write(fd, at, len);
    }
    return wire_i2c_write(&device.table->wire, scrip_bytes(at, len)) == SCRIP_OK ? (ssize_t)len : -1;
}

/* ---- Links over SPI and I2C -------------------------------------------------------------------------------------- */

static struct scrip_link *given_link(const char *spec, enum reader reader)
{
    struct scrip_link *link = NULL;
    char error[SCRIP_LINK_ERROR_MAX] = "";
    memset(&device, 0, sizeof device);
    device.fd = -1;
    device.table = given_table(reader);
    if (scrip_link_open(spec, NULL, &link, error) != SCRIP_OK) {
        fail_msg("%s: %s", spec, error);
    }
    return link;
}

static void end_link(struct scrip_link *link)
{
    scrip_link_close(link);
    assert_false(device.table->field.on);
    clear(device.table);
    device.fd = -1;
}

static void sent(struct scrip_link *link, const char *command, const char *response)
{
    uint8_t at[64], out_at[300];
    struct scrip_buf out = SCRIP_BUF_OF(out_at);
    assert_ok(scrip_link_transmit(link, scrip_bytes(at, from_hex(command, at, sizeof at)), &out));
    assert_hex(scrip_buf_bytes(&out), response);
}

static void a_purse_is_reached(struct scrip_link *link)
{
    struct scrip_card_info info;
    lay_classic(device.table, "DEADBEEF", false);
    assert_ok(scrip_link_connect(link, 0, &info));
    assert_hex(scrip_bytes(info.uid, info.uid_len), "DEADBEEF");
    assert_hex(scrip_bytes(info.ats, info.ats_len), "3B8F8001804F0CA000000306030001000000006A");
    sent(link, "FF82000006FFFFFFFFFFFF", "9000");
    sent(link, "FF860000050100046000", "9000");
    sent(link, "FFD60004105A000000A5FFFFFF5A00000004FB04FB", "9000");
    sent(link, "FFD7000405020000000A", "9000");
    sent(link, "FFB0000410", "50000000AFFFFFFF5000000004FB04FB9000");
    scrip_field_remove(&device.table->field, &device.table->classics[0].card.picc);
    sent(link, "FFB0000410", "6301");
    assert_status(scrip_link_connect(link, 0, &info), SCRIP_E_NO_CARD);
    assert_non_null(strstr(link->error, "no card"));
    lay_echo(device.table, "04112233445580", 5);
    assert_ok(scrip_link_connect(link, 0, &info));
    assert_hex(scrip_bytes(info.ats, info.ats_len), "067577810280");
    sent(link, "9060000000", "019060000000");
    sent(link, "FFCA000000", "041122334455809000");
}

/* As programs for the ACR122U do it. */
static void the_chip_itself_is_reached(struct scrip_link *link)
{
    sent(link, "FF00000002D402", "D503320106079000");
    sent(link, "FF00000003D44000", "D541279000"); /* no such target */
    sent(link, "FF00000002D4FE", "637F");         /* no such command */
    sent(link, "FF00000001D4", "6700");           /* none at all */
    sent(link, "9060000000", "029060000000");     /* the card was selected again for this */
}

static void a_pn532_on_spi_is_a_reader(void **state)
{
    (void)state;
    struct scrip_link *link = given_link("pn532:/dev/spidev0.0", PN532_SPI);
    assert_int_equal(device.mode, 0);
    assert_int_equal(device.bits, 8);
    assert_int_equal(device.speed, 1000000);
    a_purse_is_reached(link);
    the_chip_itself_is_reached(link);
    end_link(link);
    link = given_link("pn532:/dev/spidev1.0:500000", PN532_SPI);
    assert_int_equal(device.speed, 500000);
    end_link(link);
}

static void a_pn532_on_i2c_is_a_reader(void **state)
{
    (void)state;
    struct scrip_link *link = given_link("pn532:/dev/i2c-1", PN532_I2C);
    assert_int_equal(device.address, 0x24);
    a_purse_is_reached(link);
    end_link(link);
}

static void an_mfrc522_on_spi_is_a_reader(void **state)
{
    (void)state;
    struct scrip_link *link = given_link("mfrc522:/dev/spidev0.0", MFRC522_SPI);
    assert_int_equal(device.mode, 0);
    assert_int_equal(device.speed, 4000000);
    a_purse_is_reached(link);
    sent(link, "FF00000002D402", "6D00"); /* it knows no commands of a PN532 */
    end_link(link);
}

static void a_chip_that_stops_answering_is_begun_anew_with_the_next_card(void **state)
{
    (void)state;
    struct scrip_link *link = given_link("mfrc522:/dev/spidev0.0", MFRC522_SPI);
    struct table *t = device.table;
    struct scrip_card_info info;
    lay_classic(t, "DEADBEEF", false);
    assert_ok(scrip_link_connect(link, 0, &info));
    t->transfer_fails = t->transfers + 1;
    assert_status(scrip_link_connect(link, 0, &info), SCRIP_E_LINK);
    assert_non_null(strstr(link->error, "stopped answering"));
    assert_status(scrip_link_connect(link, 0, &info), SCRIP_E_LINK);
    assert_non_null(strstr(link->error, "set up"));
    t->transfer_fails = 0;
    assert_ok(scrip_link_connect(link, 0, &info));
    end_link(link);
}

static void a_device_pulled_out_and_put_back_is_opened_anew(void **state)
{
    (void)state;
    struct scrip_link *link = given_link("pn532:/dev/spidev0.0", PN532_SPI);
    struct scrip_card_info info;
    lay_classic(device.table, "DEADBEEF", false);
    assert_ok(scrip_link_connect(link, 0, &info));
    device.pulled = true;
    assert_status(scrip_link_connect(link, 0, &info), SCRIP_E_LINK);
    device.refuse_open = ENOENT;
    assert_status(scrip_link_connect(link, 0, &info), SCRIP_E_LINK);
    assert_non_null(strstr(link->error, "no /dev/spidev0.0"));
    device.refuse_open = 0;
    assert_ok(scrip_link_connect(link, 0, &info));
    end_link(link);
}

/* ---- What does not open ------------------------------------------------------------------------------------------ */

static void refused(const char *spec, enum scrip_status status, const char *says)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct scrip_link *link = NULL;
    const enum scrip_status got = scrip_link_open(spec, NULL, &link, error);
    if (got != status || strstr(error, says) == NULL) {
        fail_msg("%s: %s, \"%s\"", spec, scrip_status_name(got), error);
    }
    assert_null(link);
}

static void devices_that_do_not_open_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        int open, ioctl;
        enum scrip_status status;
        const char *says;
    } rows[] = {
        {"pn532:", 0, 0, SCRIP_E_ARGUMENT, "pn532:/dev/ttyUSB0"},
        {"mfrc522:", 0, 0, SCRIP_E_ARGUMENT, "mfrc522:/dev/spidev0.0"},
        {"pn532:/dev/ttyUSB77", 0, 0, SCRIP_E_LINK, "plugged in"},
        {"pn532:no-device", 0, 0, SCRIP_E_LINK, "no serial line"},
        {"pn532:no-device:9601", 0, 0, SCRIP_E_ARGUMENT, "9601"},
        {"pn532:no-device:fast", 0, 0, SCRIP_E_ARGUMENT, "fast"},
        {"pn532:no-device:", 0, 0, SCRIP_E_ARGUMENT, "no speed"},
        {"pn532:no-device:1:2", 0, 0, SCRIP_E_ARGUMENT, "no speed"},
        {"pn532:/dev/12345678901234567890123456789012345678901234567890123456789012345678901234567890", 0, 0,
         SCRIP_E_ARGUMENT, "too long"},
        {"mfrc522:/dev/spidev0.0", ENOENT, 0, SCRIP_E_LINK, "dtparam=spi=on"},
        {"pn532:/dev/i2c-1", ENOENT, 0, SCRIP_E_LINK, "dtparam=i2c_arm=on"},
        {"mfrc522:/dev/spidev0.0", EACCES, 0, SCRIP_E_LINK, "usermod -aG spi"},
        {"pn532:/dev/i2c-1", EACCES, 0, SCRIP_E_LINK, "usermod -aG i2c"},
        {"pn532:/dev/i2c-1", EBUSY, 0, SCRIP_E_LINK, "in use"},
        {"pn532:/dev/i2c-1", EIO, 0, SCRIP_E_LINK, "Input/output error"},
        {"pn532:/dev/i2c-1", 0, EBUSY, SCRIP_E_LINK, "kernel driver"},
        {"pn532:/dev/spidev0.0", 0, EINVAL, SCRIP_E_LINK, "no SPI device"},
        {"mfrc522:/dev/i2c-1", 0, 0, SCRIP_E_ARGUMENT, "not over /dev/i2c-1"},
    };
    char folder[] = "/tmp/scrip-bus-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    const int file = creat("no-device", 0600);
    assert_true(file >= 0);
    close(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&device, 0, sizeof device);
        device.fd = -1;
        device.refuse_open = rows[i].open;
        device.refuse_ioctl = rows[i].ioctl;
        refused(rows[i].spec, rows[i].status, rows[i].says);
        struct scrip_link *link = NULL;
        assert_status(scrip_link_open(rows[i].spec, NULL, &link, NULL), rows[i].status);
        device.fd = -1;
    }
    assert_int_equal(unlink("no-device"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void chips_that_are_not_there_say_what_to_look_at(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        enum reader reader;
        const char *says;
    } rows[] = {
        {"pn532:/dev/i2c-1", PN532_I2C, "no pn532 answers on /dev/i2c-1: check wires, power and the board's mode"},
        {"pn532:/dev/spidev0.0", PN532_SPI, "no pn532 answers"},
        {"mfrc522:/dev/spidev0.0", MFRC522_SPI, "failed while the mfrc522 was being set up"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&device, 0, sizeof device);
        device.fd = -1;
        device.table = given_table(rows[i].reader);
        device.table->wire.dead = true;
        device.table->transfer_fails = 1;
        refused(rows[i].spec, SCRIP_E_LINK, rows[i].says);
        clear(device.table);
        device.fd = -1;
    }
}

/* ---- Serial lines ------------------------------------------------------------------------------------------------ */

struct line {
    int chip; /* our end */
    int keep; /* the other end, so that it is not hung up */
    char path[64];
    struct linux_bus bus;
};

static void given_line(struct line *line)
{
    char error[LINUX_BUS_ERROR_MAX];
    assert_int_equal(openpty(&line->chip, &line->keep, line->path, NULL, NULL), 0);
    assert_ok(linux_bus_open(&line->bus, line->path, 115200, 0, error));
}

static void end_line(struct line *line)
{
    linux_bus_close(&line->bus);
    close(line->chip);
    close(line->keep);
}

static void a_serial_line_carries_every_byte_unchanged_both_ways(void **state)
{
    (void)state;
    struct line line;
    uint8_t sent_at[256], got[256];
    given_line(&line);
    const struct scrip_uart uart = linux_bus_uart(&line.bus);
    for (size_t i = 0; i < sizeof sent_at; i++) {
        sent_at[i] = (uint8_t)i;
    }
    assert_ok(uart.write(uart.ctx, SCRIP_BYTES_OF(sent_at)));
    for (size_t have = 0; have < sizeof got;) {
        const ssize_t n = read(line.chip, got + have, sizeof got - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_memory_equal(sent_at, got, sizeof got);
    assert_int_equal(write(line.chip, sent_at, sizeof sent_at), sizeof sent_at);
    assert_ok(uart.read(uart.ctx, got, 1, 1000));
    assert_ok(uart.read(uart.ctx, got + 1, 255, 1000));
    assert_memory_equal(sent_at, got, sizeof got);
    end_line(&line);
}

static void reading_waits_as_long_as_it_was_told_and_no_longer(void **state)
{
    (void)state;
    struct line line;
    uint8_t got[4] = {0};
    given_line(&line);
    const struct scrip_uart uart = linux_bus_uart(&line.bus);
    const struct scrip_ticks ticks = linux_bus_ticks();
    const uint32_t before = ticks.now_ms(NULL);
    assert_int_equal(write(line.chip, "ab", 2), 2);
    assert_status(uart.read(uart.ctx, got, 4, 60), SCRIP_E_TIMEOUT);
    assert_true(ticks.now_ms(NULL) - before >= 60);
    assert_int_equal(write(line.chip, "cdef", 4), 4);
    assert_ok(uart.read(uart.ctx, got, 4, 1000));
    assert_memory_equal(got, "cdef", 4); /* what came of the first four is lost */
    end_line(&line);
}

static void flushing_forgets_what_came_already(void **state)
{
    (void)state;
    struct line line;
    uint8_t got[2];
    given_line(&line);
    const struct scrip_uart uart = linux_bus_uart(&line.bus);
    assert_int_equal(write(line.chip, "abcd", 4), 4);
    assert_ok(uart.read(uart.ctx, got, 1, 1000)); /* the rest is with the bus by now, or on its way */
    assert_ok(uart.flush(uart.ctx));
    assert_status(uart.read(uart.ctx, got, 1, 20), SCRIP_E_TIMEOUT);
    assert_ok(uart.baud(uart.ctx, 9600));
    assert_status(uart.baud(uart.ctx, 12345), SCRIP_E_LINK);
    assert_int_equal(write(line.chip, "ef", 2), 2);
    assert_ok(uart.read(uart.ctx, got, 2, 1000));
    end_line(&line);
}

static void a_line_that_is_pulled_out_is_a_failed_one(void **state)
{
    (void)state;
    struct line line;
    uint8_t got[2];
    given_line(&line);
    const struct scrip_uart uart = linux_bus_uart(&line.bus);
    close(line.chip);
    assert_status(uart.read(uart.ctx, got, 2, 1000), SCRIP_E_LINK);
    assert_status(uart.write(uart.ctx, SCRIP_BYTES_OF(got)), SCRIP_E_LINK);
    close(line.keep);
    linux_bus_close(&line.bus);
    linux_bus_close(&line.bus);
}

static void a_line_is_held_by_one_program_at_a_time(void **state)
{
    (void)state;
    struct line line;
    struct linux_bus second;
    char error[LINUX_BUS_ERROR_MAX];
    given_line(&line);
    assert_status(linux_bus_open(&second, line.path, 115200, 0, error), SCRIP_E_LINK);
    assert_non_null(strstr(error, "in use"));
    linux_bus_close(&line.bus);
    assert_ok(linux_bus_open(&second, line.path, 115200, 0, error));
    linux_bus_close(&second);
    close(line.chip);
    close(line.keep);
}

static void a_line_with_nobody_on_it_is_told_from_one_with_something_else(void **state)
{
    (void)state;
    struct line line;
    char spec[80];
    given_line(&line);
    linux_bus_close(&line.bus);
    snprintf(spec, sizeof spec, "pn532:%s", line.path);
    refused(spec, SCRIP_E_LINK, "no pn532 answers on /dev/pts/");
    close(line.chip);
    close(line.keep);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static void the_name_of_a_device_says_its_kind(void **state)
{
    (void)state;
    assert_int_equal(linux_bus_kind("/dev/ttyUSB0"), LINUX_BUS_UART);
    assert_int_equal(linux_bus_kind("/dev/pts/7"), LINUX_BUS_UART);
    assert_int_equal(linux_bus_kind("reader"), LINUX_BUS_UART);
    assert_int_equal(linux_bus_kind("/dev/spidev0.1"), LINUX_BUS_SPI);
    assert_int_equal(linux_bus_kind("/dev/i2c-1"), LINUX_BUS_I2C);
    assert_int_equal(linux_bus_kind("/tmp/spidev/line"), LINUX_BUS_UART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pn532_on_spi_is_a_reader),
        cmocka_unit_test(a_pn532_on_i2c_is_a_reader),
        cmocka_unit_test(an_mfrc522_on_spi_is_a_reader),
        cmocka_unit_test(a_chip_that_stops_answering_is_begun_anew_with_the_next_card),
        cmocka_unit_test(a_device_pulled_out_and_put_back_is_opened_anew),
        cmocka_unit_test(devices_that_do_not_open_say_what_to_do),
        cmocka_unit_test(chips_that_are_not_there_say_what_to_look_at),
        cmocka_unit_test(a_serial_line_carries_every_byte_unchanged_both_ways),
        cmocka_unit_test(reading_waits_as_long_as_it_was_told_and_no_longer),
        cmocka_unit_test(flushing_forgets_what_came_already),
        cmocka_unit_test(a_line_that_is_pulled_out_is_a_failed_one),
        cmocka_unit_test(a_line_is_held_by_one_program_at_a_time),
        cmocka_unit_test(a_line_with_nobody_on_it_is_told_from_one_with_something_else),
        cmocka_unit_test(the_name_of_a_device_says_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
