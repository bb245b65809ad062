/* trace: writes what passes. A capture that cannot be written fails the command: a trace with holes misleads.
 *
 * Keys that a command hands to the reader, and those that a trailer shows (pcsc.h), are zeros in the capture. */
#include "links.h"
#include <scrip/capture.h>
#include <scrip/pcsc.h>
#include <stdlib.h>
#include <string.h>

struct link_trace {
    struct scrip_link link;
    struct scrip_link *inner;
    struct scrip_capture *capture;
    bool powered;
    struct scrip_pcsc_redaction seen;
    uint8_t shown[SCRIP_CAPTURE_APDU_MAX]; /* a command or answer as the capture may have it */
};

static void note(struct link_trace *self, const char *text)
{
    (void)scrip_capture_frame(self->capture, SCRIP_TRACE_EVENT, scrip_bytes(text, strlen(text)));
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_trace *self = (struct link_trace *)link;
    if (self->powered) {
        note(self, "power off and on");
        self->powered = false;
    }
    const enum scrip_status status = scrip_link_connect(self->inner, timeout_ms, info);
    link_error_copy(link, self->inner);
    if (status == SCRIP_OK) {
        self->seen = (struct scrip_pcsc_redaction){0};
        self->powered = true;
        (void)scrip_capture_card(self->capture, info);
    }
    return status;
}

static enum scrip_status command_write(struct link_trace *self, struct scrip_bytes capdu)
{
    if (capdu.len == 0 || capdu.at[0] != 0xFF) {
        return scrip_capture_frame(self->capture, SCRIP_TRACE_COMMAND, capdu);
    }
    if (capdu.len > sizeof self->shown) {
        return SCRIP_E_LENGTH;
    }
    memcpy(self->shown, capdu.at, capdu.len);
    (void)scrip_pcsc_redact(&self->seen, self->shown, capdu.len);
    const enum scrip_status status =
        scrip_capture_frame(self->capture, SCRIP_TRACE_COMMAND, scrip_bytes(self->shown, capdu.len));
    scrip_wipe(self->shown, capdu.len);
    return status;
}

static void answer_write(struct link_trace *self, struct scrip_bytes capdu, struct scrip_bytes answer)
{
    if (capdu.len == 0 || capdu.at[0] != 0xFF || answer.len > sizeof self->shown) {
        (void)scrip_capture_frame(self->capture, SCRIP_TRACE_RESPONSE, answer);
        return;
    }
    if (answer.len != 0) {
        memcpy(self->shown, answer.at, answer.len);
    }
    (void)scrip_pcsc_redact_answer(&self->seen, capdu, self->shown, answer.len);
    (void)scrip_capture_frame(self->capture, SCRIP_TRACE_RESPONSE, scrip_bytes(self->shown, answer.len));
    scrip_wipe(self->shown, answer.len);
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct link_trace *self = (struct link_trace *)link;
    const size_t before = rapdu->len;
    if (command_write(self, capdu) != SCRIP_OK) {
        return link_fail(link, SCRIP_E_NO_CARD, "the capture cannot be written; the command was not sent");
    }
    const enum scrip_status status = scrip_link_transmit(self->inner, capdu, rapdu);
    link_error_copy(link, self->inner);
    if (status == SCRIP_OK) {
        answer_write(self, capdu, scrip_bytes(rapdu->at + before, rapdu->len - before));
    } else {
        self->powered = false;
        note(self, status == SCRIP_E_TORN ? "card lost: the last command was not answered"
                                          : "card lost: the last command was not sent");
    }
    return status;
}

static void disconnect(struct scrip_link *link)
{
    struct link_trace *self = (struct link_trace *)link;
    scrip_link_disconnect(self->inner);
    if (self->powered) {
        note(self, "power off");
    }
    self->powered = false;
}

static void close_link(struct scrip_link *link)
{
    struct link_trace *self = (struct link_trace *)link;
    disconnect(link);
    scrip_link_close(self->inner);
    scrip_capture_close(self->capture);
    free(self);
}

enum scrip_status scrip_link_trace(const char *file, const struct scrip_clock *clock, struct scrip_link *inner,
                                   struct scrip_link **link)
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    struct link_trace *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return SCRIP_E_MEMORY;
    }
    const enum scrip_status status = scrip_capture_create(file, clock, &self->capture);
    if (status != SCRIP_OK) {
        free(self);
        return status;
    }
    self->link.ops = &ops;
    self->inner = inner;
    *link = &self->link;
    return SCRIP_OK;
}
