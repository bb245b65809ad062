/* otp.c: the one-time wallet as a virtual card: frames only. */
#include "families.h"
#include <scrip/otp_card.h>
#include <string.h>

struct otp_vcard {
    struct vcard any;
    struct scrip_otp_host host;
    struct scrip_otp_card card;
};

static struct scrip_picc *otp_picc(struct scrip_vcard *base)
{
    return &((struct otp_vcard *)base)->card.picc;
}

static void otp_off(struct scrip_vcard *base)
{
    struct scrip_picc *picc = otp_picc(base);
    (void)picc->ops->power(picc, false);
}

static uint32_t otp_pages(const struct scrip_vcard_identity *identity)
{
    (void)identity; /* there is one kind */
    return SCRIP_OTP_PAGES;
}

static enum scrip_status otp_make(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity)
{
    struct scrip_otp_identity factory = {.manufacturer = "scripOTP"};
    memcpy(factory.uid, identity->uid, sizeof factory.uid);
    return scrip_otp_card_make(nv, &factory);
}

static void otp_bind(struct vcard *any)
{
    struct otp_vcard *card = (struct otp_vcard *)any;
    const struct scrip_otp_options options = {.genuine = any->identity.genuine};
    card->host = (struct scrip_otp_host){.nv = any->nv, .random = &any->random};
    scrip_otp_card_init(&card->card, &card->host, &options);
}

const struct vcard_family vcard_otp = {
    .id = SCRIP_VCARD_OTP,
    .uid_len = 4,
    .storage = true,
    .size = sizeof(struct otp_vcard),
    .pages = otp_pages,
    .make = otp_make,
    .bind = otp_bind,
    .ops = {.on = vcard_storage_on, .apdu = vcard_storage_apdu, .off = otp_off, .close = vcard_close, .picc = otp_picc},
};
