/* A reader chip as a link: device, driver, and on them the reader of pcsc.h, so that cards of part 4 get their APDUs
 * and storage cards the pseudo-APDUs. A chip that fails is begun anew with the next card. */
#include "link_chip.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(LINUX_BUS_ERROR_MAX <= SCRIP_LINK_ERROR_MAX, "a bus says no more than a link can");

static enum scrip_status chip_failed(struct link_chip *self, enum scrip_status status, char *error)
{
    switch (status) {
    case SCRIP_E_TIMEOUT:
        return open_fail(error, SCRIP_E_LINK, "no %s answers on %.40s: %s", self->kind->name, self->path,
                         self->kind->silent);
    case SCRIP_E_UNSUPPORTED:
        return open_fail(error, SCRIP_E_LINK, "what answers on %.40s is no %s: check the wires and which chip it is",
                         self->path, self->kind->name);
    case SCRIP_E_FORMAT:
        return open_fail(error, SCRIP_E_LINK, "the %s on %.40s garbles bytes: a loose wire, or too fast: append :%s",
                         self->kind->name, self->path, self->bus.kind == LINUX_BUS_SPI ? "500000" : "115200");
    default:
        return open_fail(error, SCRIP_E_LINK, "%.40s failed while the %s was being set up: is it still plugged in?",
                         self->path, self->kind->name);
    }
}

static enum scrip_status device_open(struct link_chip *self, char *error)
{
    return linux_bus_open(&self->bus, self->path, self->speed, self->kind->i2c_address, error);
}

/* A device that fails may have been pulled out, and be another one by now: it is opened anew, once. */
static enum scrip_status begin(struct link_chip *self, char *error)
{
    if (self->begun) {
        return SCRIP_OK;
    }
    enum scrip_status status = self->kind->begin(self);
    if (status == SCRIP_E_LINK) {
        linux_bus_close(&self->bus);
        SCRIP_TRY(device_open(self, error));
        status = self->kind->begin(self);
    }
    self->begun = status == SCRIP_OK;
    return self->begun ? SCRIP_OK : chip_failed(self, status, error);
}

/* ---- Link -------------------------------------------------------------------------------------------------------- */

static void disconnect(struct scrip_link *link)
{
    struct link_chip *self = (struct link_chip *)link;
    if (self->powered && self->begun) {
        scrip_pcsc_off(&self->pcsc);
    }
    self->powered = false;
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_chip *self = (struct link_chip *)link;
    disconnect(link);
    SCRIP_TRY(begin(self, link->error));
    const enum scrip_status status = scrip_pcsc_connect(&self->pcsc, timeout_ms, info);
    self->powered = status == SCRIP_OK;
    if (status == SCRIP_OK) {
        return SCRIP_OK;
    }
    if (status == SCRIP_E_NO_CARD) {
        return link_fail(link, status, "no card on the %s at %.60s", self->kind->name, self->path);
    }
    self->begun = false;
    return link_fail(link, SCRIP_E_LINK, "the %s at %.60s stopped answering: check its wires and its power",
                     self->kind->name, self->path);
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct link_chip *self = (struct link_chip *)link;
    if (!self->powered) {
        return link_fail(link, SCRIP_E_NO_CARD, "no card is connected");
    }
    const enum scrip_status status = scrip_pcsc_apdu(&self->pcsc, capdu, rapdu);
    if (status == SCRIP_OK || status == SCRIP_E_SPACE) {
        return status;
    }
    self->begun = self->begun && status != SCRIP_E_LINK;
    disconnect(link);
    switch (status) {
    case SCRIP_E_TORN:
        return link_fail(link, status, "the card left the %s at %.60s in the middle of a command", self->kind->name,
                         self->path);
    case SCRIP_E_NO_CARD:
        return link_fail(link, status, "the card has left the %s at %.60s", self->kind->name, self->path);
    default:
        return link_fail(link, SCRIP_E_LINK, "the %s at %.60s stopped answering: check its wires and its power",
                         self->kind->name, self->path);
    }
}

static void close_link(struct scrip_link *link)
{
    struct link_chip *self = (struct link_chip *)link;
    disconnect(link);
    if (self->begun) {
        self->kind->end(self);
    }
    linux_bus_close(&self->bus);
    scrip_wipe(self, sizeof *self); /* keys passed through its buffers */
    free(self);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* DEVICE[:SPEED]; a colon in the name is written twice. */
static enum scrip_status target_parse(const struct link_chip_kind *kind, const char *target, char *path, size_t cap,
                                      uint32_t *speed, char *error)
{
    size_t len = 0;
    while (*target != '\0' && (target[0] != ':' || target[1] == ':')) {
        target += *target == ':' ? 1 : 0;
        if (len + 1 == cap) {
            return open_fail(error, SCRIP_E_ARGUMENT, "the device's name is too long");
        }
        path[len++] = *target++;
    }
    path[len] = '\0';
    if (len == 0) {
        return open_fail(error, SCRIP_E_ARGUMENT, "%s: needs a device, as in %s:/dev/%s", kind->name, kind->name,
                         kind->init_i2c != NULL ? "ttyUSB0" : "spidev0.0");
    }
    *speed = 0;
    if (*target == ':') {
        char *end = NULL;
        const unsigned long value = strtoul(target + 1, &end, 10);
        if (target[1] < '1' || target[1] > '9' || *end != '\0' || value > 50000000) {
            return open_fail(error, SCRIP_E_ARGUMENT, "\"%.20s\" is no speed: baud of a serial line, or Hz of SPI",
                             target + 1);
        }
        *speed = (uint32_t)value;
    }
    return SCRIP_OK;
}

static enum scrip_status bind(struct link_chip *self, char *error)
{
    const struct link_chip_kind *kind = self->kind;
    void (*const inits[])(struct link_chip *) = {
        [LINUX_BUS_UART] = kind->init_uart, [LINUX_BUS_SPI] = kind->init_spi, [LINUX_BUS_I2C] = kind->init_i2c};
    if (inits[self->bus.kind] == NULL) {
        return open_fail(error, SCRIP_E_ARGUMENT, "an %s is driven over SPI or a serial line, not over %.40s",
                         kind->name, self->path);
    }
    inits[self->bus.kind](self);
    scrip_pcsc_init(&self->pcsc, self->coupler);
    return SCRIP_OK;
}

static enum scrip_status target_open(struct link_chip *self, const char *target, char *error)
{
    SCRIP_TRY(target_parse(self->kind, target, self->path, sizeof self->path, &self->speed, error));
    if (self->speed == 0) {
        self->speed = linux_bus_kind(self->path) == LINUX_BUS_SPI ? self->kind->spi_hz : self->kind->baud;
    }
    return device_open(self, error);
}

enum scrip_status link_chip_open(const struct link_chip_kind *kind, const char *target, struct scrip_link **link,
                                 char error[SCRIP_LINK_ERROR_MAX])
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    char unread[SCRIP_LINK_ERROR_MAX];
    char *said = error != NULL ? error : unread;
    struct link_chip *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    *self = (struct link_chip){.link = {.ops = &ops}, .kind = kind, .bus = {.fd = -1}};
    enum scrip_status status = target_open(self, target, said);
    status = status == SCRIP_OK ? bind(self, said) : status;
    status = status == SCRIP_OK ? begin(self, said) : status;
    if (status != SCRIP_OK) {
        linux_bus_close(&self->bus);
        free(self);
        return status;
    }
    *link = &self->link;
    return SCRIP_OK;
}

/* ---- What is there ----------------------------------------------------------------------------------------------- */

struct devices {
    void (*each)(void *ctx, const char *link, const char *what);
    void *ctx;
};

static void device(void *ctx, const char *path)
{
    static const struct {
        enum linux_bus_kind kind;
        const char *name;
        const char *what;
    } rows[] = {
        {LINUX_BUS_UART, "pn532", "if a PN532 is on this serial line"},
        {LINUX_BUS_SPI, "pn532", "if a PN532 is on this SPI bus"},
        {LINUX_BUS_SPI, "mfrc522", "if an RC522 is on this SPI bus"},
        {LINUX_BUS_I2C, "pn532", "if a PN532 is on this I2C bus"},
    };
    const struct devices *devices = ctx;
    char link[96];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].kind == linux_bus_kind(path)) {
            snprintf(link, sizeof link, "%s:%.80s", rows[i].name, path);
            devices->each(devices->ctx, link, rows[i].what);
        }
    }
}

void scrip_reader_devices(void (*each)(void *ctx, const char *link, const char *what), void *ctx)
{
    struct devices devices = {.each = each, .ctx = ctx};
    linux_bus_candidates(device, &devices);
}
