/* desfire.c: MIFARE DESFire as a virtual card: APDUs directly, or in blocks of ISO/IEC 14443-4. */
#include "families.h"
#include <scrip/desfire_card.h>
#include <string.h>

struct desfire_vcard {
    struct vcard any;
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;
    struct scrip_picc_4 air;
    uint8_t command[SCRIP_DESFIRE_RAPDU_MAX], response[SCRIP_DESFIRE_RAPDU_MAX]; /* of the air */
    bool powered;
};

static void card_off(struct desfire_vcard *card)
{
    if (card->powered) {
        scrip_desfire_card_off(&card->card);
        card->powered = false;
    }
}

static enum scrip_status card_on(struct desfire_vcard *card)
{
    card_off(card);
    SCRIP_TRY(scrip_desfire_card_on(&card->card, &card->host, &card->options));
    card->powered = true;
    return SCRIP_OK;
}

static enum scrip_status answer(struct desfire_vcard *card, struct scrip_bytes command, struct scrip_buf *rsp)
{
    if (!card->powered) {
        return SCRIP_E_STATE;
    }
    const enum scrip_status status = scrip_desfire_card_apdu(&card->card, command, rsp);
    if (status == SCRIP_E_NV) {
        card_off(card);
    }
    return status;
}

/* ---- the direct path -------------------------------------------------------------------------------------------- */

static enum scrip_status desfire_on(struct scrip_vcard *base, struct scrip_card_info *info)
{
    struct desfire_vcard *card = (struct desfire_vcard *)base;
    SCRIP_TRY(card_on(card));
    memset(info, 0, sizeof *info);
    info->uid_len = (uint8_t)scrip_desfire_card_uid(&card->card, info->uid);
    info->ats_len = (uint8_t)scrip_desfire_card_ats(&card->card, info->ats);
    return SCRIP_OK;
}

static enum scrip_status desfire_apdu(struct scrip_vcard *base, struct scrip_bytes command, struct scrip_buf *rsp)
{
    return answer((struct desfire_vcard *)base, command, rsp);
}

static void desfire_off(struct scrip_vcard *base)
{
    card_off((struct desfire_vcard *)base);
}

/* ---- the air ---------------------------------------------------------------------------------------------------- */

static enum scrip_status air_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    struct desfire_vcard *card = ctx;
    if (!on) {
        card_off(card);
        return SCRIP_OK;
    }
    SCRIP_TRY(card_on(card));
    a->uid_len = (uint8_t)scrip_desfire_card_uid(&card->card, a->uid);
    a->atqa[0] = a->uid_len == 4 ? 0x04 : 0x44; /* size of the UID in bits 7 and 8 [DS EV3, 8.2] */
    a->atqa[1] = 0x03;
    a->sak = scrip_desfire_card_sak(&card->card);
    (void)scrip_desfire_card_ats(&card->card, ats);
    return a->uid_len != 0 ? SCRIP_OK : SCRIP_E_NV;
}

static enum scrip_status air_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response, uint32_t *busy_us)
{
    (void)busy_us; /* what a DESFire takes to work is not public */
    return answer(ctx, command, response);
}

/* The session ends; a random ID stays as long as the field [ISO/IEC 14443-4, 8]. */
static enum scrip_status air_deselect(void *ctx)
{
    return card_on(ctx);
}

static struct scrip_picc *desfire_picc(struct scrip_vcard *base)
{
    return &((struct desfire_vcard *)base)->air.picc;
}

/* ---- the family ------------------------------------------------------------------------------------------------- */

static uint32_t desfire_pages(const struct scrip_vcard_identity *identity)
{
    return identity->generation <= SCRIP_DESFIRE_LIGHT ? scrip_desfire_card_pages(identity->storage) : 0;
}

static enum scrip_status desfire_make(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity)
{
    struct scrip_desfire_identity factory = {
        .generation = identity->generation, .storage = identity->storage, .week = 0x47, .year = 0x26};
    memcpy(factory.uid, identity->uid, sizeof factory.uid);
    memcpy(factory.batch, "\xBA\x11\x0C\xA5\xE0", 5);
    return scrip_desfire_card_make(nv, &factory);
}

static void desfire_bind(struct vcard *any)
{
    struct desfire_vcard *card = (struct desfire_vcard *)any;
    const struct scrip_picc_app app = {.ctx = card, .power = air_power, .apdu = air_apdu, .deselect = air_deselect};
    card->host =
        (struct scrip_desfire_host){.nv = any->nv, .random = &any->random, .clock = &any->clock, .trace = any->trace};
    card->options = (struct scrip_desfire_options){.keep_pending_on_auth = any->identity.keep_pending_on_auth,
                                                   .end_session_on_0c = any->identity.end_session_on_0c,
                                                   .transaction_timer_ms = any->identity.transaction_timer_ms};
    scrip_picc_4_init(&card->air, &app, SCRIP_BUF_OF(card->command), SCRIP_BUF_OF(card->response));
}

const struct vcard_family vcard_desfire = {
    .id = SCRIP_VCARD_DESFIRE,
    .uid_len = 7,
    .size = sizeof(struct desfire_vcard),
    .pages = desfire_pages,
    .make = desfire_make,
    .bind = desfire_bind,
    .ops = {.on = desfire_on, .apdu = desfire_apdu, .off = desfire_off, .close = vcard_close, .picc = desfire_picc},
};
