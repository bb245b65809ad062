/* A PC/SC reader as the vpcd driver sees it: a TCP connection to a slot, over which it switches power and sends APDUs.
 *
 * Messages are two bytes of length, big-endian, and that many bytes. One byte alone is an order (off, on, reset, give
 * the ATR), anything longer is a C-APDU. Three things matter [observed with 3.3]: the ATR is asked for every 400 ms and
 * must be answered even while the card has no power; nothing in the driver ever times out, so every APDU gets an
 * answer; and the driver writes length and body apart, so that without TCP_QUICKACK each APDU costs 44 ms.
 *
 * Class FF is the reader's own: such commands never reach the card. */
#include "../links.h"
#include "../sock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VPCD_PORT   35963U
#define CONTROL_OFF 0x00
#define CONTROL_ON  0x01
#define CONTROL_RST 0x02
#define CONTROL_ATR 0x04

struct vpcd {
    struct scrip_link *card;
    const struct scrip_present *present;
    struct sock slot;
    bool powered;
    struct scrip_card_info info;
    size_t atr_len;
    uint8_t atr[33];
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
    SCRIP_TRY(scrip_link_connect(self->card, 0, &self->info));
    self->powered = true;
    self->atr_len = scrip_present_atr(&self->info, self->atr);
    tell(self, SCRIP_PRESENT_POWER, 1);
    return SCRIP_OK;
}

static void power_off(struct vpcd *self)
{
    if (self->powered) {
        scrip_link_disconnect(self->card);
        tell(self, SCRIP_PRESENT_POWER, 0);
    }
    self->powered = false;
}

/* ---- The reader's own commands ----------------------------------------------------------------------------------- */

/* `data` and 9000, held against Le: too short a Le is told, too long a one is warned of [PC/SC part 3, 3.2.2.1.3]. */
static size_t reader_data(uint8_t *out, struct scrip_bytes data, uint8_t le)
{
    if (le != 0 && le < data.len) {
        out[0] = 0x6C;
        out[1] = (uint8_t)data.len;
        return 2;
    }
    memcpy(out, data.at, data.len);
    scrip_put_be16(out + data.len, le > data.len ? 0x6282 : 0x9000);
    return data.len + 2;
}

static size_t status_word(uint8_t *out, uint16_t sw)
{
    scrip_put_be16(out, sw);
    return 2;
}

/* FF CA 00 00: UID. FF CA 01 00: ATS. */
static size_t reader_command(const struct vpcd *self, struct scrip_bytes apdu, uint8_t *out)
{
    if (apdu.at[1] != 0xCA) {
        return status_word(out, 0x6D00);
    }
    if (apdu.len > 5) {
        return status_word(out, 0x6700);
    }
    const uint8_t le = apdu.len == 5 ? apdu.at[4] : 0;
    const bool uid = apdu.at[2] == 0x00 && apdu.at[3] == 0x00;
    const bool ats = apdu.at[2] == 0x01 && apdu.at[3] == 0x00;
    const struct scrip_bytes data =
        uid ? scrip_bytes(self->info.uid, self->info.uid_len) : scrip_bytes(self->info.ats, self->info.ats_len);
    if ((!uid && !ats) || data.len == 0) {
        return status_word(out, 0x6A81);
    }
    return reader_data(out, data, le);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

/* Length and body in one write. */
static enum scrip_status answer_send(struct vpcd *self, size_t len)
{
    scrip_put_be16(self->answer, (uint16_t)len);
    return sock_write(&self->slot, self->answer, 2 + len);
}

static enum scrip_status control(struct vpcd *self, uint8_t order)
{
    switch (order) {
    case CONTROL_OFF:
        power_off(self);
        return SCRIP_OK;
    case CONTROL_ON:
    case CONTROL_RST:
        power_off(self);
        return power_on(self);
    case CONTROL_ATR:
        memcpy(self->answer + 2, self->atr, self->atr_len);
        return answer_send(self, self->atr_len);
    default: /* no order: a C-APDU of one byte */
        return answer_send(self, status_word(self->answer + 2, 0x6700));
    }
}

/* The card's answer. A card that is torn ends the connection: for PC/SC it was taken away. */
static enum scrip_status card_command(struct vpcd *self, struct scrip_bytes apdu, size_t *len)
{
    struct scrip_buf out = scrip_buf(self->answer + 2, sizeof self->answer - 2);
    if (!self->powered) {
        SCRIP_TRY(power_on(self));
    }
    SCRIP_TRY(scrip_link_transmit(self->card, apdu, &out));
    *len = out.len;
    return SCRIP_OK;
}

static enum scrip_status apdu_serve(struct vpcd *self, struct scrip_bytes apdu)
{
    size_t len = 0;
    if (apdu.len < 4) {
        len = status_word(self->answer + 2, 0x6700);
    } else if (apdu.at[0] == 0xFF) {
        len = reader_command(self, apdu, self->answer + 2);
    } else {
        SCRIP_TRY(card_command(self, apdu, &len));
    }
    SCRIP_TRY(answer_send(self, len));
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

enum scrip_status scrip_present_vpcd(struct scrip_link *link, const struct scrip_present *present,
                                     char error[SCRIP_LINK_ERROR_MAX])
{
    const char *host = present->host != NULL ? present->host : "127.0.0.1";
    char port[8];
    struct vpcd *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    self->card = link;
    self->present = present;
    snprintf(port, sizeof port, "%u", present->port != 0 ? present->port : VPCD_PORT);
    enum scrip_status status = look(self);
    if (status != SCRIP_OK) {
        free(self);
        return open_fail(error, status, "%s", link->error);
    }
    while (status != SCRIP_E_STATE && status != SCRIP_E_ARGUMENT) {
        self->slot = (struct sock){.fd = -1, .stop = present->stop, .quickack = true};
        status = sock_connect(&self->slot, host, port, 2000);
        if (status == SCRIP_OK) {
            status = serve_slot(self);
        }
        if (status != SCRIP_E_STATE && status != SCRIP_E_ARGUMENT && sock_pause(present->stop, 200) != SCRIP_OK) {
            status = SCRIP_E_STATE; /* pcscd is not there, or no longer: try again */
        }
    }
    free(self);
    return status == SCRIP_E_STATE ? SCRIP_OK : open_fail(error, status, "no such host: %s", host);
}
