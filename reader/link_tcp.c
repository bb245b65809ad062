/* tcp: a card that another process presents. Losing the connection while a command is out is losing the card then:
 * what it did is not known. */
#include "links.h"
#include "sock.h"
#include "tcp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 30000 /* longer than any card takes */

struct link_tcp {
    struct scrip_link link;
    struct sock sock;
    char host[256];
    char port[8];
    bool powered;
    size_t len;
    uint8_t message[4 + TCP_MESSAGE_MAX];
};

static enum scrip_status reach(struct link_tcp *self)
{
    if (self->sock.fd >= 0) {
        return SCRIP_OK;
    }
    const enum scrip_status status = sock_connect(&self->sock, self->host, self->port, 5000);
    return status == SCRIP_OK
               ? status
               : link_fail(&self->link, SCRIP_E_LINK, "nobody presents a card at %s port %s", self->host, self->port);
}

static enum scrip_status send_request(struct link_tcp *self, uint8_t kind, struct scrip_bytes content)
{
    if (content.len > TCP_CONTENT_MAX) {
        return SCRIP_E_LENGTH;
    }
    scrip_put_be32(self->message, (uint32_t)(1 + content.len));
    self->message[4] = kind;
    if (content.len != 0) {
        memcpy(self->message + TCP_HEAD, content.at, content.len);
    }
    return sock_write(&self->sock, self->message, TCP_HEAD + content.len);
}

/* Read an answer into `message`; its content is what stands behind the head. */
static enum scrip_status take_answer(struct link_tcp *self, int timeout_ms, struct scrip_bytes *content)
{
    SCRIP_TRY(sock_read(&self->sock, self->message, TCP_HEAD, timeout_ms));
    const uint32_t len = scrip_get_be32(self->message);
    if (len < 1 || len > TCP_MESSAGE_MAX) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(sock_read(&self->sock, self->message + TCP_HEAD, len - 1, timeout_ms));
    *content = scrip_bytes(self->message + TCP_HEAD, len - 1);
    return SCRIP_OK;
}

/* What the presenter says went wrong. */
static enum scrip_status refusal(struct link_tcp *self, struct scrip_bytes why)
{
    const uint8_t kind = self->message[4];
    self->powered = false;
    return link_fail(&self->link,
                     kind == TCP_NO_CARD ? SCRIP_E_NO_CARD
                     : kind == TCP_TORN  ? SCRIP_E_TORN
                                         : SCRIP_E_LINK,
                     "%.*s", (int)scrip_bytes_head(why, 120).len, (const char *)why.at);
}

static enum scrip_status info_take(struct scrip_bytes content, struct scrip_card_info *info)
{
    struct scrip_bytes part;
    struct scrip_card_info read = {0};
    SCRIP_TRY(scrip_bytes_take(&content, 1, &part));
    read.uid_len = part.at[0];
    SCRIP_TRY(scrip_bytes_take(&content, read.uid_len, &part));
    if (read.uid_len > sizeof read.uid) {
        return SCRIP_E_FORMAT;
    }
    memcpy(read.uid, part.at, part.len);
    SCRIP_TRY(scrip_bytes_take(&content, 1, &part));
    read.ats_len = part.at[0];
    SCRIP_TRY(scrip_bytes_take(&content, read.ats_len, &part));
    if (read.ats_len > sizeof read.ats || content.len != 0) {
        return SCRIP_E_FORMAT;
    }
    memcpy(read.ats, part.at, part.len);
    *info = read;
    return SCRIP_OK;
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_tcp *self = (struct link_tcp *)link;
    struct scrip_bytes content;
    uint8_t wait[4];
    scrip_put_be32(wait, timeout_ms);
    SCRIP_TRY(reach(self));
    const int limit = timeout_ms > 600000 ? 630000 : (int)timeout_ms + ANSWER_MS;
    if (send_request(self, TCP_CONNECT, SCRIP_BYTES_OF(wait)) != SCRIP_OK ||
        take_answer(self, limit, &content) != SCRIP_OK) {
        sock_close(&self->sock);
        return link_fail(link, SCRIP_E_LINK, "the presenter at %s port %s went away", self->host, self->port);
    }
    if (self->message[4] != TCP_DONE) {
        return refusal(self, content);
    }
    if (info_take(content, info) != SCRIP_OK) {
        sock_close(&self->sock);
        return link_fail(link, SCRIP_E_LINK, "what answers at %s port %s presents no card", self->host, self->port);
    }
    self->powered = true;
    return SCRIP_OK;
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct link_tcp *self = (struct link_tcp *)link;
    struct scrip_bytes content;
    if (!self->powered) {
        return link_fail(link, SCRIP_E_NO_CARD, "no card is connected");
    }
    if (send_request(self, TCP_TRANSMIT, capdu) != SCRIP_OK || take_answer(self, ANSWER_MS, &content) != SCRIP_OK) {
        sock_close(&self->sock);
        self->powered = false;
        return link_fail(link, SCRIP_E_TORN, "the connection broke before the card's answer came");
    }
    return self->message[4] == TCP_DONE ? scrip_buf_add_bytes(rapdu, content) : refusal(self, content);
}

static void disconnect(struct scrip_link *link)
{
    struct link_tcp *self = (struct link_tcp *)link;
    struct scrip_bytes content;
    if (self->powered && (send_request(self, TCP_DISCONNECT, scrip_bytes(NULL, 0)) != SCRIP_OK ||
                          take_answer(self, ANSWER_MS, &content) != SCRIP_OK)) {
        sock_close(&self->sock);
    }
    self->powered = false;
}

static void close_link(struct scrip_link *link)
{
    struct link_tcp *self = (struct link_tcp *)link;
    disconnect(link);
    sock_close(&self->sock);
    free(self);
}

enum scrip_status link_tcp_open(const char *target, struct scrip_link **link, char error[SCRIP_LINK_ERROR_MAX])
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    const char *colon = strrchr(target, ':');
    struct link_tcp *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    const size_t host_len = colon != NULL ? (size_t)(colon - target) : 0;
    if (host_len == 0 || host_len >= sizeof self->host || strlen(colon + 1) >= sizeof self->port || colon[1] == '\0') {
        free(self);
        return open_fail(error, SCRIP_E_ARGUMENT, "tcp: needs a host and a port, as in tcp:127.0.0.1:7816");
    }
    memcpy(self->host, target, host_len);
    strcpy(self->port, colon + 1);
    self->link.ops = &ops;
    self->sock.fd = -1;
    const enum scrip_status status = reach(self); /* a wrong address is told when it is typed, not at the tap */
    if (status != SCRIP_OK) {
        (void)open_fail(error, status, "%s", self->link.error);
        free(self);
        return status;
    }
    *link = &self->link;
    return SCRIP_OK;
}
