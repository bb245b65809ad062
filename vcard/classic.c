/* classic.c: MIFARE Classic 1K and 4K as a virtual card: frames only. */
#include "families.h"
#include <scrip/classic_card.h>
#include <string.h>

struct classic_vcard {
    struct vcard any;
    struct scrip_classic_host host;
    struct scrip_classic_card card;
};

static struct scrip_picc *classic_picc(struct scrip_vcard *base)
{
    return &((struct classic_vcard *)base)->card.picc;
}

static void classic_off(struct scrip_vcard *base)
{
    struct scrip_picc *picc = classic_picc(base);
    (void)picc->ops->power(picc, false);
}

static uint32_t classic_pages(const struct scrip_vcard_identity *identity)
{
    return identity->variant <= SCRIP_VCARD_4K ? scrip_classic_card_pages(identity->variant == SCRIP_VCARD_4K) : 0;
}

static enum scrip_status classic_make(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity)
{
    struct scrip_classic_identity factory = {.uid_len = identity->uid_len,
                                             .is_4k = identity->variant == SCRIP_VCARD_4K};
    memcpy(factory.uid, identity->uid, sizeof factory.uid);
    return scrip_classic_card_make(nv, &factory);
}

static void classic_bind(struct vcard *any)
{
    struct classic_vcard *card = (struct classic_vcard *)any;
    const struct scrip_classic_options options = {.profile = any->identity.genuine ? SCRIP_CLASSIC_GENUINE
                                                                                   : SCRIP_CLASSIC_HARDENED};
    card->host = (struct scrip_classic_host){.nv = any->nv, .random = &any->random};
    scrip_classic_card_init(&card->card, &card->host, &options);
}

const struct vcard_family vcard_classic = {
    .id = SCRIP_VCARD_CLASSIC,
    .uid_len = 4,
    .other_uid_len = true,
    .storage = true,
    .size = sizeof(struct classic_vcard),
    .pages = classic_pages,
    .make = classic_make,
    .bind = classic_bind,
    .ops = {.on = vcard_storage_on,
            .apdu = vcard_storage_apdu,
            .off = classic_off,
            .close = vcard_close,
            .picc = classic_picc},
};
