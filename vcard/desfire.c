/* desfire.c: a DESFire card behind the one interface of virtual cards, over a file or over memory. */
#include "card_file.h"
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct desfire_vcard {
    struct scrip_vcard base;
    struct card_file file; /* fd -1 over memory */
    struct scrip_random random;
    struct scrip_clock clock;
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;
    bool powered;
};

static void vcard_off(struct scrip_vcard *base)
{
    struct desfire_vcard *card = (struct desfire_vcard *)base;
    if (card->powered) {
        scrip_desfire_card_off(&card->card);
        card->powered = false;
    }
}

static enum scrip_status vcard_on(struct scrip_vcard *base, struct scrip_card_info *info)
{
    struct desfire_vcard *card = (struct desfire_vcard *)base;
    vcard_off(base);
    SCRIP_TRY(scrip_desfire_card_on(&card->card, &card->host, &card->options));
    card->powered = true;
    memset(info, 0, sizeof *info);
    info->uid_len = (uint8_t)scrip_desfire_card_uid(&card->card, info->uid);
    info->ats_len = (uint8_t)scrip_desfire_card_ats(&card->card, info->ats);
    return SCRIP_OK;
}

static enum scrip_status vcard_apdu(struct scrip_vcard *base, struct scrip_bytes command, struct scrip_buf *rsp)
{
    struct desfire_vcard *card = (struct desfire_vcard *)base;
    if (!card->powered) {
        return SCRIP_E_STATE;
    }
    const enum scrip_status status = scrip_desfire_card_apdu(&card->card, command, rsp);
    if (status == SCRIP_E_NV) {
        vcard_off(base);
    }
    return status;
}

static void vcard_close(struct scrip_vcard *base)
{
    struct desfire_vcard *card = (struct desfire_vcard *)base;
    vcard_off(base);
    card_file_close(&card->file);
    free(card);
}

static const struct scrip_vcard_ops OPS = {.on = vcard_on, .apdu = vcard_apdu, .off = vcard_off, .close = vcard_close};

uint32_t scrip_vcard_pages(const struct scrip_vcard_identity *identity)
{
    if (identity->family != SCRIP_VCARD_DESFIRE || identity->generation > SCRIP_DESFIRE_LIGHT) {
        return 0;
    }
    return scrip_desfire_card_pages(identity->storage);
}

static void vcard_init(struct desfire_vcard *card, const struct scrip_vcard_identity *identity,
                       const struct scrip_vcard_host *host)
{
    card->base.ops = &OPS;
    card->random = host != NULL && host->random != NULL ? *host->random : scrip_random_system();
    card->clock = host != NULL && host->clock != NULL ? *host->clock : scrip_clock_system();
    card->host = (struct scrip_desfire_host){
        .random = &card->random, .clock = &card->clock, .trace = host != NULL ? host->trace : NULL};
    card->options = (struct scrip_desfire_options){.keep_pending_on_auth = identity->keep_pending_on_auth,
                                                   .end_session_on_0c = identity->end_session_on_0c,
                                                   .transaction_timer_ms = identity->transaction_timer_ms};
}

static enum scrip_status make_in(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity)
{
    struct scrip_desfire_identity factory = {
        .generation = identity->generation, .storage = identity->storage, .week = 0x47, .year = 0x26};
    memcpy(factory.uid, identity->uid, sizeof factory.uid);
    memcpy(factory.batch, "\xBA\x11\x0C\xA5\xE0", 5);
    return scrip_desfire_card_make(nv, &factory);
}

/* Fill in what the caller left open: the UID, and 8K of memory. */
static enum scrip_status complete(struct scrip_vcard_identity *identity)
{
    static const uint8_t none[7];
    if (identity->storage == 0) {
        identity->storage = 0x1A;
    }
    if (scrip_vcard_pages(identity) == 0) {
        return SCRIP_E_ARGUMENT;
    }
    if (memcmp(identity->uid, none, sizeof none) == 0) {
        const struct scrip_random random = scrip_random_system();
        SCRIP_TRY(random.fill(random.ctx, identity->uid, sizeof identity->uid));
        identity->uid[0] = 0x04;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_vcard_make(const char *path, const struct scrip_vcard_identity *identity,
                                   char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity made = *identity;
    struct card_file file;
    const enum scrip_status possible = complete(&made);
    if (possible != SCRIP_OK) {
        card_file_say(error, path, "no such card: generation or storage byte");
        return possible;
    }
    SCRIP_TRY(card_file_create(path, &made, &file, error));
    const enum scrip_status status = make_in(&file.nv, &made);
    card_file_close(&file);
    if (status != SCRIP_OK) {
        card_file_say(error, path, scrip_strerror(status));
        remove(path);
    }
    return status;
}

enum scrip_status scrip_vcard_open(const char *path, const struct scrip_vcard_host *host, struct scrip_vcard **card,
                                   char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity identity = {0};
    struct desfire_vcard *made = calloc(1, sizeof *made);
    if (made == NULL) {
        card_file_say(error, path, scrip_strerror(SCRIP_E_MEMORY));
        return SCRIP_E_MEMORY;
    }
    const enum scrip_status status = card_file_open(path, &made->file, &identity, error);
    if (status != SCRIP_OK) {
        free(made);
        return status;
    }
    vcard_init(made, &identity, host);
    made->host.nv = &made->file.nv;
    *card = &made->base;
    return SCRIP_OK;
}

enum scrip_status scrip_vcard_open_nv(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity, bool make,
                                      const struct scrip_vcard_host *host, struct scrip_vcard **card)
{
    struct scrip_vcard_identity made = *identity;
    SCRIP_TRY(complete(&made));
    if (make) {
        SCRIP_TRY(make_in(nv, &made));
    }
    struct desfire_vcard *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return SCRIP_E_MEMORY;
    }
    opened->file.fd = -1;
    vcard_init(opened, &made, host);
    opened->host.nv = nv;
    *card = &opened->base;
    return SCRIP_OK;
}
