/* A PC/SC reader as the vpcd driver sees it: a TCP connection to a slot, over which it switches power and sends APDUs.
 *
 * Messages are two bytes of length, big-endian, and that many bytes. One byte alone is an order (off, on, reset, give
 * the ATR), anything longer is a C-APDU. Three things matter [observed with 3.3]: the ATR is asked for every 400 ms and
 * must be answered even while the card has no power; nothing in the driver ever times out, so every APDU gets an
 * answer; and the driver writes length and body apart, so that without TCP_QUICKACK each APDU costs 44 ms.
 *
 * What the reader does with them is pcsc_reader.h. */
#include "../links.h"
#include "../sock.h"
#include "pcsc_reader.h"
#include <scrip/posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VPCD_PORT   35963U
#define CONTROL_OFF 0x00
#define CONTROL_ON  0x01
#define CONTROL_RST 0x02
#define CONTROL_ATR 0x04

struct vpcd {
    struct pcsc_reader reader;
    const struct scrip_present *present;
    struct sock slot;
    uint32_t apdus;
    uint8_t request[65536];
    uint8_t answer[2 + 65535];
};

static void tell(const struct vpcd *self, enum scrip_present_event event, uint32_t number)
{
    if (self->present->event != NULL) {
        self->present->event(self->present->ctx, event, number);
    }
}

/* ---- Power ------------------------------------------------------------------------------------------------------- */

static enum scrip_status power_on(struct vpcd *self)
{
    SCRIP_TRY(pcsc_reader_on(&self->reader));
    tell(self, SCRIP_PRESENT_POWER, 1);
    return SCRIP_OK;
}

static void power_off(struct vpcd *self)
{
    if (self->reader.powered) {
        tell(self, SCRIP_PRESENT_POWER, 0);
    }
    pcsc_reader_off(&self->reader);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

/* Length and body in one write. */
static enum scrip_status answer_send(struct vpcd *self, size_t len)
{
    scrip_put_be16(self->answer, (uint16_t)len);
    return sock_write(&self->slot, self->answer, 2 + len);
}

static enum scrip_status wrong_length(struct vpcd *self)
{
    scrip_put_be16(self->answer + 2, 0x6700);
    return answer_send(self, 2);
}

static enum scrip_status control(struct vpcd *self, uint8_t order)
{
    switch (order) {
    case CONTROL_OFF:
        power_off(self);
        return SCRIP_OK;
    case CONTROL_ON:
    case CONTROL_RST: /* keys in the reader survive that; sessions do not */
        return power_on(self);
    case CONTROL_ATR:
        memcpy(self->answer + 2, self->reader.atr, self->reader.atr_len);
        return answer_send(self, self->reader.atr_len);
    default: /* no order: a C-APDU of one byte */
        return wrong_length(self);
    }
}

/* A card that is torn ends the connection: for PC/SC it was taken away. */
static enum scrip_status apdu_serve(struct vpcd *self, struct scrip_bytes apdu)
{
    struct scrip_buf out = scrip_buf(self->answer + 2, sizeof self->answer - 2);
    if (apdu.len < 4) {
        return wrong_length(self);
    }
    if (!self->reader.powered) {
        SCRIP_TRY(power_on(self));
    }
    SCRIP_TRY(pcsc_reader_apdu(&self->reader, apdu, &out));
    SCRIP_TRY(answer_send(self, out.len));
    tell(self, SCRIP_PRESENT_APDU, ++self->apdus);
    return SCRIP_OK;
}

static enum scrip_status serve_one(struct vpcd *self)
{
    uint8_t head[2];
    SCRIP_TRY(sock_read(&self->slot, head, sizeof head, -1));
    const size_t len = scrip_get_be16(head);
    SCRIP_TRY(sock_read(&self->slot, self->request, len, 10000));
    if (len == 0) {
        return SCRIP_OK;
    }
    return len == 1 ? control(self, self->request[0]) : apdu_serve(self, scrip_bytes(self->request, len));
}

/* ---- Presenting -------------------------------------------------------------------------------------------------- */

/* While the card has no power its ATR is asked for all the same: look at it once before. */
static enum scrip_status look(struct vpcd *self)
{
    SCRIP_TRY(power_on(self));
    power_off(self);
    return SCRIP_OK;
}

static enum scrip_status serve_slot(struct vpcd *self)
{
    enum scrip_status status = SCRIP_OK;
    tell(self, SCRIP_PRESENT_INSERTED, 0);
    while (status == SCRIP_OK) {
        status = serve_one(self);
    }
    power_off(self);
    sock_close(&self->slot);
    tell(self, SCRIP_PRESENT_REMOVED, 0);
    return status;
}

static enum scrip_status serve(struct vpcd *self, const char *host, const char *port)
{
    enum scrip_status status = SCRIP_OK;
    while (status != SCRIP_E_STATE && status != SCRIP_E_ARGUMENT) {
        self->slot = (struct sock){.fd = -1, .stop = self->present->stop, .quickack = true};
        status = sock_connect(&self->slot, host, port, 2000);
        if (status == SCRIP_OK) {
            status = serve_slot(self);
        }
        if (status != SCRIP_E_STATE && status != SCRIP_E_ARGUMENT && sock_pause(self->present->stop, 200) != SCRIP_OK) {
            status = SCRIP_E_STATE; /* pcscd is not there, or no longer: try again */
        }
    }
    return status;
}

enum scrip_status scrip_present_vpcd(struct scrip_picc *const *cards, size_t count, const struct scrip_present *present,
                                     char error[SCRIP_LINK_ERROR_MAX])
{
    const char *host = present->host != NULL ? present->host : "127.0.0.1";
    char port[8];
    struct vpcd *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    self->present = present;
    snprintf(port, sizeof port, "%u", present->port != 0 ? present->port : VPCD_PORT);
    enum scrip_status status = pcsc_reader_init(&self->reader, cards, count, scrip_random_system());
    status = status == SCRIP_OK ? look(self) : status;
    if (status != SCRIP_OK) {
        (void)open_fail(error, status, "the card does not start: %s", scrip_strerror(status));
    } else {
        status = serve(self, host, port);
        status = status == SCRIP_E_STATE ? SCRIP_OK : open_fail(error, status, "no such host: %s", host);
    }
    pcsc_reader_off(&self->reader);
    scrip_wipe(self, sizeof *self);
    free(self);
    return status;
}
