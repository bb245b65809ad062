/* card: a virtual card in this process. */
#include "links.h"
#include <stdlib.h>

struct link_card {
    struct scrip_link link;
    struct scrip_vcard *card;
    bool owned;
    bool powered;
};

static void disconnect(struct scrip_link *link)
{
    struct link_card *self = (struct link_card *)link;
    if (self->powered) {
        scrip_vcard_off(self->card);
    }
    self->powered = false;
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_card *self = (struct link_card *)link;
    (void)timeout_ms; /* the card lies there already */
    disconnect(link);
    const enum scrip_status status = scrip_vcard_on(self->card, info);
    if (status != SCRIP_OK) {
        return link_fail(link, status == SCRIP_E_NV ? SCRIP_E_NO_CARD : SCRIP_E_LINK,
                         "the virtual card does not start: %s", scrip_strerror(status));
    }
    self->powered = true;
    return SCRIP_OK;
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct link_card *self = (struct link_card *)link;
    if (!self->powered) {
        return link_fail(link, SCRIP_E_NO_CARD, "the virtual card has no power");
    }
    const enum scrip_status status = scrip_vcard_apdu(self->card, capdu, rapdu);
    if (status == SCRIP_OK || status == SCRIP_E_SPACE) {
        return status;
    }
    disconnect(link);
    return link_fail(link, SCRIP_E_TORN, "the virtual card lost power in the middle of a command");
}

static void close_link(struct scrip_link *link)
{
    struct link_card *self = (struct link_card *)link;
    disconnect(link);
    if (self->owned) {
        scrip_vcard_close(self->card);
    }
    free(self);
}

enum scrip_status scrip_link_to_card(struct scrip_vcard *card, bool owned, struct scrip_link **link)
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    struct link_card *self = calloc(1, sizeof *self);
    if (self == NULL) {
        if (owned) {
            scrip_vcard_close(card);
        }
        return SCRIP_E_MEMORY;
    }
    *self = (struct link_card){.link = {.ops = &ops}, .card = card, .owned = owned};
    *link = &self->link;
    return SCRIP_OK;
}
