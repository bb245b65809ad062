/* Offers a card to tcp: links, one at a time. */
#include "links.h"
#include "sock.h"
#include "tcp.h"
#include <stdlib.h>
#include <string.h>

struct presenter {
    struct scrip_link *card;
    const struct scrip_present *present;
    struct sock peer;
    uint32_t apdus;
    uint8_t request[4 + TCP_MESSAGE_MAX];
    uint8_t answer[4 + TCP_MESSAGE_MAX];
};

static void tell(const struct presenter *self, enum scrip_present_event event, uint32_t number)
{
    if (self->present->event != NULL) {
        self->present->event(self->present->ctx, event, number);
    }
}

static uint8_t kind_of(enum scrip_status status)
{
    return status == SCRIP_OK          ? TCP_DONE
           : status == SCRIP_E_NO_CARD ? TCP_NO_CARD
           : status == SCRIP_E_TORN    ? TCP_TORN
           : status == SCRIP_E_SPACE   ? TCP_TORN
                                       : TCP_FAILED;
}

static enum scrip_status do_connect(struct presenter *self, struct scrip_bytes content, struct scrip_buf *out)
{
    struct scrip_card_info info = {0};
    const uint32_t timeout_ms = content.len == 4 ? scrip_get_be32(content.at) : 0;
    SCRIP_TRY(scrip_link_connect(self->card, timeout_ms < 600000 ? timeout_ms : 600000, &info));
    tell(self, SCRIP_PRESENT_POWER, 1);
    SCRIP_TRY(scrip_buf_add_u8(out, info.uid_len));
    SCRIP_TRY(scrip_buf_add(out, info.uid, info.uid_len));
    SCRIP_TRY(scrip_buf_add_u8(out, info.ats_len));
    return scrip_buf_add(out, info.ats, info.ats_len);
}

static enum scrip_status carry_out(struct presenter *self, uint8_t kind, struct scrip_bytes content,
                                   struct scrip_buf *out)
{
    switch (kind) {
    case TCP_CONNECT:
        return do_connect(self, content, out);
    case TCP_TRANSMIT:
        SCRIP_TRY(scrip_link_transmit(self->card, content, out));
        tell(self, SCRIP_PRESENT_APDU, ++self->apdus);
        return SCRIP_OK;
    case TCP_DISCONNECT:
        scrip_link_disconnect(self->card);
        tell(self, SCRIP_PRESENT_POWER, 0);
        return SCRIP_OK;
    default:
        return SCRIP_E_FORMAT;
    }
}

/* One request, one answer. @return other than SCRIP_OK: this peer is done */
static enum scrip_status serve_one(struct presenter *self)
{
    SCRIP_TRY(sock_read(&self->peer, self->request, TCP_HEAD, -1));
    const uint32_t len = scrip_get_be32(self->request);
    if (len < 1 || len > TCP_MESSAGE_MAX) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(sock_read(&self->peer, self->request + TCP_HEAD, len - 1, 10000));
    struct scrip_buf out = scrip_buf(self->answer + TCP_HEAD, TCP_CONTENT_MAX);
    const struct scrip_bytes content = scrip_bytes(self->request + TCP_HEAD, len - 1);
    const enum scrip_status status = carry_out(self, self->request[4], content, &out);
    if (status != SCRIP_OK) {
        const char *why = self->card->error[0] != '\0' ? self->card->error : scrip_strerror(status);
        out.len = 0;
        SCRIP_TRY(scrip_buf_add(&out, why, strlen(why)));
    }
    scrip_put_be32(self->answer, (uint32_t)(1 + out.len));
    self->answer[4] = kind_of(status);
    SCRIP_TRY(sock_write(&self->peer, self->answer, TCP_HEAD + out.len));
    return status == SCRIP_E_FORMAT ? status : SCRIP_OK;
}

static enum scrip_status serve_peer(struct presenter *self)
{
    enum scrip_status status = SCRIP_OK;
    tell(self, SCRIP_PRESENT_INSERTED, 0);
    while (status == SCRIP_OK) {
        status = serve_one(self);
    }
    scrip_link_disconnect(self->card); /* who goes away takes the field along */
    sock_close(&self->peer);
    tell(self, SCRIP_PRESENT_REMOVED, 0);
    return status;
}

enum scrip_status scrip_present_tcp(struct scrip_link *link, const struct scrip_present *present,
                                    char error[SCRIP_LINK_ERROR_MAX])
{
    const char *host = present->host != NULL ? present->host : "127.0.0.1";
    uint16_t port = present->port;
    struct sock listener = {.fd = -1, .stop = present->stop};
    struct presenter *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    self->card = link;
    self->present = present;
    enum scrip_status status = sock_listen(&listener, host, &port);
    if (status != SCRIP_OK) {
        (void)open_fail(error, status,
                        "cannot listen on %s port %u: the address must be this machine's, in numbers, "
                        "and the port free",
                        host, (unsigned)port);
    } else {
        tell(self, SCRIP_PRESENT_LISTENING, port);
    }
    while (status == SCRIP_OK) {
        status = sock_accept(&listener, &self->peer);
        if (status == SCRIP_OK && serve_peer(self) == SCRIP_E_STATE) {
            status = SCRIP_E_STATE;
        }
    }
    sock_close(&listener);
    free(self);
    return status == SCRIP_E_STATE ? SCRIP_OK : status;
}
