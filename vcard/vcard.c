/* vcard.c: what is the same for virtual cards of all families: made, opened over a file or over memory, closed. */
#include "families.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vcard_family *const FAMILIES[] = {&vcard_desfire, &vcard_classic, &vcard_otp};

const struct vcard_family *vcard_family_of(uint8_t id)
{
    for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++) {
        if (FAMILIES[i]->id == id) {
            return FAMILIES[i];
        }
    }
    return NULL;
}

uint32_t scrip_vcard_pages(const struct scrip_vcard_identity *identity)
{
    const struct vcard_family *family = vcard_family_of(identity->family);
    return family != NULL ? family->pages(identity) : 0;
}

void vcard_close(struct scrip_vcard *base)
{
    struct vcard *card = (struct vcard *)base;
    scrip_vcard_off(base);
    card_file_close(&card->file);
    scrip_wipe(card, card->family->size);
    free(card);
}

enum scrip_status vcard_storage_on(struct scrip_vcard *base, struct scrip_card_info *info)
{
    (void)base;
    (void)info;
    return SCRIP_E_UNSUPPORTED;
}

enum scrip_status vcard_storage_apdu(struct scrip_vcard *base, struct scrip_bytes command, struct scrip_buf *rsp)
{
    (void)base;
    (void)command;
    (void)rsp;
    return SCRIP_E_UNSUPPORTED;
}

/* ---- what the caller left open ---------------------------------------------------------------------------------- */

/* A UID that no standard keeps for something else: 08 begins random UIDs, 88 is the cascade tag, xF is reserved, and
 * seven bytes begin with their maker. */
static enum scrip_status uid_choose(struct scrip_vcard_identity *identity)
{
    const struct scrip_random random = scrip_random_system();
    uint8_t uid[7];
    do {
        SCRIP_TRY(random.fill(random.ctx, uid, sizeof uid));
    } while (uid[0] == 0x08 || uid[0] == 0x88 || uid[3] == 0x88 || (uid[0] & 0x0FU) == 0x0FU);
    if (identity->uid_len == 7) {
        uid[0] = 0x04;
    }
    memcpy(identity->uid, uid, identity->uid_len);
    return SCRIP_OK;
}

static enum scrip_status uid_complete(struct scrip_vcard_identity *identity, const struct vcard_family *family)
{
    static const uint8_t none[7];
    if (identity->uid_len == 0) {
        identity->uid_len = family->uid_len;
    }
    if (identity->uid_len != family->uid_len &&
        (!family->other_uid_len || (identity->uid_len != 4 && identity->uid_len != 7))) {
        return SCRIP_E_ARGUMENT;
    }
    memset(identity->uid + identity->uid_len, 0, sizeof identity->uid - identity->uid_len);
    return memcmp(identity->uid, none, sizeof none) == 0 ? uid_choose(identity) : SCRIP_OK;
}

static enum scrip_status complete(struct scrip_vcard_identity *identity)
{
    const struct vcard_family *family = vcard_family_of(identity->family);
    if (family == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    if (identity->family == SCRIP_VCARD_DESFIRE && identity->storage == 0) {
        identity->storage = 0x1A;
    }
    if (family->pages(identity) == 0) {
        return SCRIP_E_ARGUMENT;
    }
    return uid_complete(identity, family);
}

/* ---- made and opened -------------------------------------------------------------------------------------------- */

enum scrip_status vcard_make_with(const char *path, const struct scrip_vcard_identity *identity,
                                  enum scrip_status (*more)(const struct scrip_nv *nv, const void *ctx),
                                  const void *ctx, char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity made = *identity;
    struct card_file file;
    const enum scrip_status possible = complete(&made);
    if (possible != SCRIP_OK) {
        card_file_say(error, path, "no such card: family, generation, size or UID");
        return possible;
    }
    SCRIP_TRY(card_file_create(path, &made, &file, error));
    enum scrip_status status = vcard_family_of(made.family)->make(&file.nv, &made);
    status = status == SCRIP_OK && more != NULL ? more(&file.nv, ctx) : status;
    status = status == SCRIP_OK ? card_file_settle(&file) : status;
    card_file_close(&file);
    if (status != SCRIP_OK) {
        card_file_say(error, path, scrip_strerror(status));
        remove(path);
    }
    return status;
}

enum scrip_status scrip_vcard_make(const char *path, const struct scrip_vcard_identity *identity,
                                   char error[SCRIP_VCARD_ERROR_MAX])
{
    return vcard_make_with(path, identity, NULL, NULL, error);
}

/* An open card without its memory. */
static struct vcard *begin(const struct scrip_vcard_identity *identity, const struct scrip_vcard_host *host)
{
    const struct vcard_family *family = vcard_family_of(identity->family);
    struct vcard *card = calloc(1, family->size);
    if (card == NULL) {
        return NULL;
    }
    card->base = (struct scrip_vcard){.ops = &family->ops, .storage = family->storage};
    card->file.fd = -1;
    card->random = host != NULL && host->random != NULL ? *host->random : scrip_random_system();
    card->clock = host != NULL && host->clock != NULL ? *host->clock : scrip_clock_system();
    card->trace = host != NULL ? host->trace : NULL;
    card->identity = *identity;
    card->family = family;
    return card;
}

enum scrip_status scrip_vcard_open(const char *path, const struct scrip_vcard_host *host, struct scrip_vcard **card,
                                   char error[SCRIP_VCARD_ERROR_MAX])
{
    struct scrip_vcard_identity identity = {0};
    struct card_file file;
    SCRIP_TRY(card_file_open(path, &file, &identity, error));
    struct vcard *opened = begin(&identity, host);
    if (opened == NULL) {
        card_file_say(error, path, scrip_strerror(SCRIP_E_MEMORY));
        card_file_close(&file);
        return SCRIP_E_MEMORY;
    }
    card_file_move(&file, &opened->file);
    opened->nv = &opened->file.nv;
    opened->family->bind(opened);
    *card = &opened->base;
    return SCRIP_OK;
}

enum scrip_status scrip_vcard_open_nv(const struct scrip_nv *nv, const struct scrip_vcard_identity *identity, bool make,
                                      const struct scrip_vcard_host *host, struct scrip_vcard **card)
{
    struct scrip_vcard_identity made = *identity;
    SCRIP_TRY(complete(&made));
    if (make) {
        SCRIP_TRY(vcard_family_of(made.family)->make(nv, &made));
    }
    struct vcard *opened = begin(&made, host);
    if (opened == NULL) {
        return SCRIP_E_MEMORY;
    }
    opened->nv = nv;
    opened->family->bind(opened);
    *card = &opened->base;
    return SCRIP_OK;
}
