/* pcsc: any reader that PC/SC knows.
 *
 * From connect to disconnect the card is ours alone (a PC/SC transaction): another program that selects something in
 * between would break the secure session. A response under two bytes, or an error whose cause is not certain to lie
 * before the sending, is a torn card. */
#include "links.h"
#include "pcsc_dialect.h"
#include <PCSC/reader.h>
#include <PCSC/winscard.h>
#include <PCSC/wintypes.h>
#include <stdlib.h>
#include <string.h>

struct link_pcsc {
    struct scrip_link link;
    SCARDCONTEXT context;
    SCARDHANDLE card;
    bool connected; /* to the card: `card` is valid */
    DWORD protocol;
    bool storage;                /* the card has no APDUs; the reader speaks for it */
    struct pcsc_dialect dialect; /* of this reader */
    char reader[MAX_READERNAME + 1];
    uint8_t response[MAX_BUFFER_SIZE_EXTENDED];
};

/* ---- Readers ----------------------------------------------------------------------------------------------------- */

/* All reader names, each terminated, an empty one at the end; freed by the caller. */
static LONG names_get(SCARDCONTEXT context, char **names)
{
    DWORD len = 0;
    LONG rv = SCardListReaders(context, NULL, NULL, &len);
    if (rv != SCARD_S_SUCCESS) {
        return rv;
    }
    *names = calloc(1, len + 2U);
    if (*names == NULL) {
        return SCARD_E_NO_MEMORY;
    }
    rv = SCardListReaders(context, NULL, *names, &len);
    if (rv != SCARD_S_SUCCESS) {
        free(*names);
        *names = NULL;
    }
    return rv;
}

/* Reader number N, or the first whose name holds the text. */
static const char *name_find(const char *names, const char *wanted)
{
    const bool number = wanted[0] != '\0' && wanted[strspn(wanted, "0123456789")] == '\0';
    unsigned long left = number ? strtoul(wanted, NULL, 10) : 0;
    for (const char *at = names; *at != '\0'; at += strlen(at) + 1) {
        if (number ? left-- == 0 : strstr(at, wanted) != NULL) {
            return at;
        }
    }
    return NULL;
}

static enum scrip_status context_get(SCARDCONTEXT *context, char error[SCRIP_LINK_ERROR_MAX])
{
    const LONG rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, context);
    return rv == SCARD_S_SUCCESS ? SCRIP_OK
                                 : open_fail(error, SCRIP_E_LINK, "PC/SC does not answer (%s): is pcscd running?",
                                             pcsc_stringify_error(rv));
}

static bool card_is_in(SCARDCONTEXT context, const char *reader)
{
    SCARD_READERSTATE state = {.szReader = reader, .dwCurrentState = SCARD_STATE_UNAWARE};
    return SCardGetStatusChange(context, 0, &state, 1) == SCARD_S_SUCCESS &&
           (state.dwEventState & SCARD_STATE_PRESENT) != 0;
}

enum scrip_status scrip_pcsc_list(void (*each)(void *ctx, unsigned number, const char *name, bool card), void *ctx,
                                  char error[SCRIP_LINK_ERROR_MAX])
{
    SCARDCONTEXT context = 0;
    char *names = NULL;
    SCRIP_TRY(context_get(&context, error));
    const LONG rv = names_get(context, &names);
    unsigned number = 0;
    for (const char *at = names; rv == SCARD_S_SUCCESS && *at != '\0'; at += strlen(at) + 1) {
        each(ctx, number++, at, card_is_in(context, at));
    }
    free(names);
    SCardReleaseContext(context);
    return rv == SCARD_S_SUCCESS || rv == SCARD_E_NO_READERS_AVAILABLE
               ? SCRIP_OK
               : open_fail(error, SCRIP_E_LINK, "PC/SC does not list its readers: %s", pcsc_stringify_error(rv));
}

/* ---- Card -------------------------------------------------------------------------------------------------------- */

static void disconnect(struct scrip_link *link)
{
    struct link_pcsc *self = (struct link_pcsc *)link;
    if (self->connected) {
        SCardEndTransaction(self->card, SCARD_LEAVE_CARD);
        SCardDisconnect(self->card, SCARD_UNPOWER_CARD);
    }
    self->connected = false;
}

static enum scrip_status wait_for_card(struct link_pcsc *self, uint32_t timeout_ms)
{
    SCARD_READERSTATE state = {.szReader = self->reader, .dwCurrentState = SCARD_STATE_UNAWARE};
    LONG rv = SCardGetStatusChange(self->context, 0, &state, 1);
    while (rv == SCARD_S_SUCCESS && (state.dwEventState & SCARD_STATE_PRESENT) == 0 && timeout_ms != 0) {
        const uint32_t slice = timeout_ms < 1000 ? timeout_ms : 1000;
        timeout_ms -= slice;
        state.dwCurrentState = state.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
        rv = SCardGetStatusChange(self->context, slice, &state, 1);
        rv = rv == SCARD_E_TIMEOUT ? SCARD_S_SUCCESS : rv;
    }
    if (rv != SCARD_S_SUCCESS) {
        return link_fail(&self->link, SCRIP_E_LINK, "reader %.60s: %s", self->reader, pcsc_stringify_error(rv));
    }
    return (state.dwEventState & SCARD_STATE_PRESENT) != 0
               ? SCRIP_OK
               : link_fail(&self->link, SCRIP_E_NO_CARD, "no card on reader %.60s", self->reader);
}

static LONG transmit_raw(struct link_pcsc *self, struct scrip_bytes capdu, DWORD *len)
{
    const SCARD_IO_REQUEST *pci = self->protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    *len = sizeof self->response;
    return SCardTransmit(self->card, pci, capdu.at, (DWORD)capdu.len, NULL, self->response, len);
}

/* The UID, from readers of contactless cards (their ATR has 80 01 behind T0); to a contact card FF would be noise. */
static void uid_get(struct link_pcsc *self, struct scrip_card_info *info)
{
    static const uint8_t get_uid[] = {0xFF, 0xCA, 0x00, 0x00, 0x00};
    DWORD len = 0;
    if (info->ats_len < 4 || info->ats[2] != 0x80 || info->ats[3] != 0x01) {
        return;
    }
    if (transmit_raw(self, SCRIP_BYTES_OF(get_uid), &len) == SCARD_S_SUCCESS && len > 2 &&
        len - 2 <= sizeof info->uid && self->response[len - 2] == 0x90) {
        memcpy(info->uid, self->response, len - 2);
        info->uid_len = (uint8_t)(len - 2);
    }
}

/* The ATR names a storage card by PC/SC's own application identifier. */
static bool is_storage(const struct scrip_card_info *info)
{
    static const uint8_t head[] = {0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06};
    return info->ats_len >= 4 + sizeof head && memcmp(info->ats + 4, head, sizeof head) == 0;
}

/* MIFARE Classic, Mini, Plus in SL1 and SL2, or what a reader has no name for but its SAK says so (scrip/pcsc.h). */
static bool has_trailers(const struct scrip_card_info *info)
{
    static const uint8_t names[] = {0x01, 0x02, 0x26, 0x36, 0x37, 0x38, 0x39};
    const uint8_t *name = info->ats + 13;
    if (!is_storage(info) || info->ats_len < 15) {
        return false;
    }
    return name[0] == 0x00 ? memchr(names, name[1], sizeof names) != NULL : name[0] == 0xFF && (name[1] & 0x08) != 0;
}

static LONG power_on(struct link_pcsc *self, struct scrip_card_info *info)
{
    DWORD len = sizeof info->ats;
    LONG rv = SCardConnect(self->context, self->reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                           &self->card, &self->protocol);
    if (rv != SCARD_S_SUCCESS) {
        return rv;
    }
    self->connected = true;
    rv = SCardBeginTransaction(self->card);
    if (rv == SCARD_W_RESET_CARD) { /* another program did; take note of it and go on */
        rv = SCardReconnect(self->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, SCARD_LEAVE_CARD,
                            &self->protocol);
        rv = rv == SCARD_S_SUCCESS ? SCardBeginTransaction(self->card) : rv;
    }
    if (rv == SCARD_S_SUCCESS) { /* whatever was selected before: gone */
        rv = SCardReconnect(self->card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, SCARD_RESET_CARD,
                            &self->protocol);
    }
    if (rv == SCARD_S_SUCCESS) {
        rv = SCardStatus(self->card, NULL, NULL, NULL, NULL, info->ats, &len);
        info->ats_len = rv == SCARD_S_SUCCESS ? (uint8_t)len : 0;
    }
    return rv;
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_pcsc *self = (struct link_pcsc *)link;
    struct scrip_card_info found = {0};
    disconnect(link);
    SCRIP_TRY(wait_for_card(self, timeout_ms));
    const LONG rv = power_on(self, &found);
    if (rv != SCARD_S_SUCCESS) {
        disconnect(link);
        return link_fail(link,
                         rv == SCARD_W_REMOVED_CARD || rv == SCARD_E_NO_SMARTCARD ? SCRIP_E_NO_CARD : SCRIP_E_LINK,
                         "reader %.60s: %s", self->reader, pcsc_stringify_error(rv));
    }
    uid_get(self, &found);
    self->storage = is_storage(&found);
    self->dialect.trailers = has_trailers(&found);
    *info = found;
    return SCRIP_OK;
}

/* Errors that come from before anything is sent to the card. */
static bool not_sent(LONG rv)
{
    return rv == SCARD_W_RESET_CARD || rv == SCARD_W_REMOVED_CARD || rv == SCARD_E_INVALID_HANDLE ||
           rv == SCARD_E_READER_UNAVAILABLE;
}

static enum scrip_status transmit_once(void *ctx, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct scrip_link *link = ctx;
    struct link_pcsc *self = ctx;
    DWORD len = 0;
    if (!self->connected) {
        return link_fail(link, SCRIP_E_NO_CARD, "no card is connected");
    }
    const LONG rv = transmit_raw(self, capdu, &len);
    if (rv == SCARD_S_SUCCESS && len >= 2) {
        return scrip_buf_add(rapdu, self->response, len);
    }
    disconnect(link);
    if (rv != SCARD_S_SUCCESS && not_sent(rv)) {
        return link_fail(link, SCRIP_E_NO_CARD, "reader %.60s: %s", self->reader, pcsc_stringify_error(rv));
    }
    return link_fail(link, SCRIP_E_TORN, "reader %.60s: the card did not answer (%s)", self->reader,
                     rv == SCARD_S_SUCCESS ? "empty response" : pcsc_stringify_error(rv));
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct link_pcsc *self = (struct link_pcsc *)link;
    return self->storage ? pcsc_dialect_transmit(&self->dialect, transmit_once, self, capdu, rapdu)
                         : transmit_once(self, capdu, rapdu);
}

static void close_link(struct scrip_link *link)
{
    struct link_pcsc *self = (struct link_pcsc *)link;
    disconnect(link);
    SCardReleaseContext(self->context);
    free(self);
}

static enum scrip_status reader_choose(struct link_pcsc *self, const char *target, char error[SCRIP_LINK_ERROR_MAX])
{
    char *names = NULL;
    const LONG rv = names_get(self->context, &names);
    const char *name = rv == SCARD_S_SUCCESS ? name_find(names, target) : NULL;
    enum scrip_status status = SCRIP_OK;
    if (name == NULL) {
        status = open_fail(error, SCRIP_E_LINK, "no PC/SC reader \"%.60s\": scrip reader list shows them", target);
    } else if (strlen(name) >= sizeof self->reader) {
        status = open_fail(error, SCRIP_E_LINK, "the reader's name is too long");
    } else {
        memcpy(self->reader, name, strlen(name) + 1);
    }
    free(names);
    return status;
}

enum scrip_status link_pcsc_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX])
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    if (*target == '\0') {
        return open_fail(error, SCRIP_E_ARGUMENT, "pcsc: needs a reader's number or a part of its name");
    }
    struct link_pcsc *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    self->link.ops = &ops;
    enum scrip_status status = context_get(&self->context, error);
    if (status != SCRIP_OK) {
        free(self);
        return status;
    }
    status = reader_choose(self, target, error);
    if (status != SCRIP_OK) {
        close_link(&self->link);
        return status;
    }
    *link = &self->link;
    return SCRIP_OK;
}
