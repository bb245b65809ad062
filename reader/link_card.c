/* card: a virtual card in this process, before a reader that answers what readers answer (pcsc.h).
 *
 * A card of part 4 is spoken to directly: what frames and blocks do to an APDU is nothing, and takes time. A storage
 * card knows no APDUs: it lies in a field, and the reader's commands become frames. */
#include "links.h"
#include <scrip/coupler_field.h>
#include <scrip/pcsc.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

#define CLA_READER 0xFFU

struct link_card {
    struct scrip_link link;
    struct scrip_vcard *card;
    bool owned;
    bool powered;
    enum scrip_status started; /* what the card said to power */
    struct scrip_pcsc reader;
    struct scrip_coupler direct; /* cards of part 4 */
    struct scrip_field field;    /* storage cards: this and what follows */
    struct scrip_random random;
    struct scrip_coupler_field coupler;
};

/* ---- a coupler without air -------------------------------------------------------------------------------------- */

static struct link_card *of_direct(struct scrip_coupler *coupler)
{
    return (struct link_card *)(void *)((uint8_t *)coupler - offsetof(struct link_card, direct));
}

static enum scrip_status direct_find(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target)
{
    struct link_card *self = of_direct(coupler);
    struct scrip_card_info info;
    (void)timeout_ms; /* the card lies there already */
    self->started = scrip_vcard_on(self->card, &info);
    SCRIP_TRY(self->started);
    *target = (struct scrip_target){.sak = SCRIP_SAK_PART_4, .uid_len = info.uid_len, .ats_len = info.ats_len};
    memcpy(target->uid, info.uid, sizeof target->uid);
    memcpy(target->ats, info.ats, sizeof target->ats);
    return SCRIP_OK;
}

static enum scrip_status direct_again(struct scrip_coupler *coupler)
{
    (void)coupler;
    return SCRIP_OK; /* it has not gone anywhere */
}

static enum scrip_status direct_apdu(struct scrip_coupler *coupler, struct scrip_bytes command,
                                     struct scrip_buf *response)
{
    return scrip_vcard_apdu(of_direct(coupler)->card, command, response);
}

static enum scrip_status direct_mifare(struct scrip_coupler *coupler, struct scrip_bytes command,
                                       struct scrip_buf *response)
{
    (void)coupler;
    (void)command;
    (void)response;
    return SCRIP_E_CARD;
}

static enum scrip_status direct_raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how,
                                    struct scrip_bytes tx, struct scrip_buf *rx, uint8_t *last_bits)
{
    (void)coupler;
    (void)how;
    (void)tx;
    (void)rx;
    (void)last_bits;
    return SCRIP_E_UNSUPPORTED;
}

static enum scrip_status direct_power(struct scrip_coupler *coupler, bool on)
{
    if (!on) {
        scrip_vcard_off(of_direct(coupler)->card);
    }
    return SCRIP_OK;
}

/* ---- the link --------------------------------------------------------------------------------------------------- */

static void disconnect(struct scrip_link *link)
{
    struct link_card *self = (struct link_card *)link;
    if (self->powered) {
        scrip_pcsc_off(&self->reader);
    }
    self->powered = false;
}

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct link_card *self = (struct link_card *)link;
    disconnect(link);
    self->started = SCRIP_OK;
    const enum scrip_status status = scrip_pcsc_connect(&self->reader, timeout_ms, info);
    if (status != SCRIP_OK) {
        const enum scrip_status why = self->started != SCRIP_OK ? self->started : status;
        return link_fail(link, why == SCRIP_E_NV || why == SCRIP_E_NO_CARD ? SCRIP_E_NO_CARD : SCRIP_E_LINK,
                         "the virtual card does not start: %s", scrip_strerror(why));
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
    const bool direct = !self->card->storage && (capdu.len == 0 || capdu.at[0] != CLA_READER);
    const enum scrip_status status =
        direct ? scrip_vcard_apdu(self->card, capdu, rapdu) : scrip_pcsc_apdu(&self->reader, capdu, rapdu);
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
    if (self->card->storage) {
        scrip_field_remove(&self->field, scrip_vcard_picc(self->card));
    }
    if (self->owned) {
        scrip_vcard_close(self->card);
    }
    free(self);
}

/* The reader before the card. */
static enum scrip_status reader_open(struct link_card *self, const struct scrip_random *random)
{
    static const struct scrip_coupler_ops direct = {.find = direct_find,
                                                    .again = direct_again,
                                                    .apdu = direct_apdu,
                                                    .mifare = direct_mifare,
                                                    .raw = direct_raw,
                                                    .power = direct_power};
    self->direct.ops = &direct;
    if (!self->card->storage) {
        scrip_pcsc_init(&self->reader, &self->direct);
        return SCRIP_OK;
    }
    self->random = random != NULL ? *random : scrip_random_system();
    scrip_field_init(&self->field);
    SCRIP_TRY(scrip_field_add(&self->field, scrip_vcard_picc(self->card)));
    scrip_coupler_field_init(&self->coupler, &self->field, &self->random);
    scrip_pcsc_init(&self->reader, &self->coupler.coupler);
    return SCRIP_OK;
}

enum scrip_status scrip_link_to_card_seeded(struct scrip_vcard *card, bool owned, const struct scrip_random *random,
                                            struct scrip_link **link)
{
    static const struct scrip_link_ops ops = {
        .connect = connect, .transmit = transmit, .disconnect = disconnect, .close = close_link};
    struct link_card *self = calloc(1, sizeof *self);
    enum scrip_status status = SCRIP_E_MEMORY;
    if (self != NULL) {
        *self = (struct link_card){.link = {.ops = &ops}, .card = card, .owned = owned};
        status = reader_open(self, random);
    }
    if (status != SCRIP_OK) {
        if (owned) {
            scrip_vcard_close(card);
        }
        free(self);
        return status;
    }
    *link = &self->link;
    return SCRIP_OK;
}

enum scrip_status scrip_link_to_card(struct scrip_vcard *card, bool owned, struct scrip_link **link)
{
    return scrip_link_to_card_seeded(card, owned, NULL, link);
}
