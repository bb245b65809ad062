#include "image.h"
#include <string.h>

#define PICC_KEY_COUNT     8U
#define SECOND_APPLICATION 0x80U

static const uint8_t picc_key_numbers[PICC_KEY_COUNT] = {0,
                                                         PICC_KEY_DAM_AUTH,
                                                         PICC_KEY_DAM_MAC,
                                                         PICC_KEY_DAM_ENC,
                                                         PICC_KEY_VC_CONFIG,
                                                         PICC_KEY_PROXIMITY,
                                                         PICC_KEY_VC_SELECT,
                                                         PICC_KEY_VC_AUTH};

/* ---- pages by name ---- */

void picc_load(struct scrip_desfire_card *card, struct picc_page *picc)
{
    memory_read(card, PAGE_PICC * NV_PAGE, picc, sizeof *picc);
}

void picc_store(struct scrip_desfire_card *card, const struct picc_page *picc)
{
    memory_write(card, PAGE_PICC * NV_PAGE, picc, sizeof *picc);
}

void picc_text_load(struct scrip_desfire_card *card, struct picc_text_page *text)
{
    memory_read(card, PAGE_PICC_TEXT * NV_PAGE, text, sizeof *text);
    if (text->ats_len > sizeof text->ats) {
        text->ats_len = 0;
    }
    if (text->name_len > sizeof text->name) {
        text->name_len = 0;
    }
}

void picc_text_store(struct scrip_desfire_card *card, const struct picc_text_page *text)
{
    memory_write(card, PAGE_PICC_TEXT * NV_PAGE, text, sizeof *text);
}

void app_load(struct scrip_desfire_card *card, uint16_t page, struct app *app)
{
    app->page = page;
    app->side = 0;
    memory_read(card, pool_address(card, page), &app->is, sizeof app->is);
    if (app->is.name_len > NAME_MAX) { /* a damaged image must not lead outside */
        app->is.name_len = 0;
    }
    if (app->is.set_count == 0 || app->is.set_count > MAX_SETS) {
        app->is.set_count = 1;
    }
}

void app_store(struct scrip_desfire_card *card, const struct app *app)
{
    memory_write(card, pool_address(card, app->page), &app->is, sizeof app->is);
}

/* Could this page have been written by a card? A damaged image must not lead outside, nor round for ever. */
static bool file_makes_sense(const struct file_page *is, uint32_t pool_pages)
{
    const uint32_t max = scrip_get_le24(is->as.records.max);
    const uint32_t size = scrip_get_le24(is->as.records.size);
    const bool cyclic = is->type == FILE_CYCLIC;

    if (is->type > FILE_TMAC || is->number >= SCRIP_DESFIRE_FILES || is->more_count > MORE_RIGHTS) {
        return false;
    }
    if (is->type != FILE_LINEAR && !cyclic) {
        return true;
    }
    return size > 0 && max > (cyclic ? 1U : 0U) && (uint64_t)size * max <= (uint64_t)pool_pages * NV_PAGE &&
           scrip_get_le24(is->as.records.count) <= (cyclic ? max - 1 : max) &&
           scrip_get_le24(is->as.records.first) < (cyclic ? max : max + 1);
}

void file_load(struct scrip_desfire_card *card, uint16_t page, struct file *file)
{
    file->page = page;
    memory_read(card, pool_address(card, page), &file->is, sizeof file->is);
    if (!file_makes_sense(&file->is, card->memory.pool_pages)) {
        memset(&file->is, 0, sizeof file->is);
        memset(file->is.rights, 0xFF, sizeof file->is.rights);
    }
}

void file_store(struct scrip_desfire_card *card, const struct file *file)
{
    memory_write(card, pool_address(card, file->page), &file->is, sizeof file->is);
}

void tmac_load(struct scrip_desfire_card *card, const struct file *file, struct tmac_page *tmac)
{
    memory_read(card, pool_address(card, scrip_get_le16(file->is.data)), tmac, sizeof *tmac);
}

void tmac_store(struct scrip_desfire_card *card, const struct file *file, const struct tmac_page *tmac)
{
    memory_write(card, pool_address(card, scrip_get_le16(file->is.data)), tmac, sizeof *tmac);
}

/* ---- looking up ---- */

bool app_selected(struct scrip_desfire_card *card, struct app *app)
{
    app->page = 0;
    if (card->app != 0) {
        app_load(card, card->app, app);
    }
    return app->page != 0;
}

bool app_second(struct scrip_desfire_card *card, struct app *app)
{
    app->page = 0;
    if (card->second != 0) {
        app_load(card, card->second, app);
        app->side = 1;
    }
    return app->page != 0;
}

bool app_meant(struct scrip_desfire_card *card, struct app *app, uint8_t *number)
{
    if ((*number & SECOND_APPLICATION) == 0) {
        return true;
    }
    *number &= (uint8_t)~SECOND_APPLICATION;
    return app_second(card, app);
}

bool app_next(struct scrip_desfire_card *card, struct app *app)
{
    uint16_t next = 0;
    if (app->page == 0) {
        struct picc_page picc;
        picc_load(card, &picc);
        next = scrip_get_le16(picc.first_app);
        app->steps = 0;
    } else if (++app->steps < card->memory.pool_pages) { /* counted: a damaged list must not send us round for ever */
        next = scrip_get_le16(app->is.next);
    }
    app->page = 0;
    if (next != 0) {
        app_load(card, next, app);
    }
    return app->page != 0;
}

bool app_find(struct scrip_desfire_card *card, const uint8_t aid[3], struct app *app)
{
    app->page = 0;
    while (app_next(card, app)) {
        if (memcmp(app->is.aid, aid, 3) == 0) {
            return true;
        }
    }
    return false;
}

bool file_find(struct scrip_desfire_card *card, const struct app *app, uint8_t number, struct file *file)
{
    uint8_t entry[2];
    file->page = 0;
    file->side = app->side;
    if (number >= SCRIP_DESFIRE_FILES) {
        return false;
    }
    memory_read(card, pool_address(card, scrip_get_le16(app->is.table)) + 2U * number, entry, sizeof entry);
    if (scrip_get_le16(entry) != 0) {
        file_load(card, scrip_get_le16(entry), file);
    }
    return file->page != 0;
}

bool fid_allowed(uint16_t fid)
{
    return fid != 0 && fid != 0x3F00 && fid != 0x3FFF && fid != 0xFFFF;
}

bool file_find_fid(struct scrip_desfire_card *card, const struct app *app, uint16_t fid, struct file *file)
{
    for (uint8_t number = 0; number < SCRIP_DESFIRE_FILES; number++) {
        if (file_find(card, app, number, file) && scrip_get_le16(file->is.fid) == fid && fid != 0) {
            return true;
        }
    }
    file->page = 0;
    return false;
}

void file_enter(struct scrip_desfire_card *card, const struct app *app, uint8_t number, uint16_t page)
{
    uint8_t entry[2];
    scrip_put_le16(entry, page);
    memory_write(card, pool_address(card, scrip_get_le16(app->is.table)) + 2U * number, entry, sizeof entry);
}

/* ---- keys ---- */

uint8_t app_key_count(const struct app *app)
{
    return app->is.ks2 & KS2_KEY_COUNT;
}

static size_t picc_key_index(uint8_t number)
{
    size_t i = 0;
    while (i < PICC_KEY_COUNT && picc_key_numbers[i] != number) {
        i++;
    }
    return i;
}

bool key_exists(const struct scrip_desfire_card *card, const struct app *app, uint8_t number)
{
    if (app != NULL) {
        return number < app_key_count(app);
    }
    return number == 0 || (card->identity.generation != SCRIP_DESFIRE_EV1 && picc_key_index(number) < PICC_KEY_COUNT);
}

/* Calls for keys that do not exist are stopped before; keys outside the chain read as zeros. */
void key_load(struct scrip_desfire_card *card, const struct app *app, uint8_t set, uint8_t number, struct key_slot *key)
{
    if (app == NULL) {
        const uint32_t at = PAGE_PICC_KEYS * NV_PAGE + (uint32_t)(picc_key_index(number) * KEY_SLOT_LEN);
        memory_read(card, at, key, sizeof *key);
    } else {
        const size_t index = (size_t)set * app_key_count(app) + number;
        chain_read(card, scrip_get_le16(app->is.keys), index * KEY_SLOT_LEN, key, sizeof *key);
    }
    if (key->cipher > SCRIP_AES128) {
        key->cipher = SCRIP_AES128;
    }
}

void key_store(struct scrip_desfire_card *card, const struct app *app, uint8_t set, uint8_t number,
               const struct key_slot *key)
{
    if (app == NULL) {
        const uint32_t at = PAGE_PICC_KEYS * NV_PAGE + (uint32_t)(picc_key_index(number) * KEY_SLOT_LEN);
        memory_write(card, at, key, sizeof *key);
    } else {
        const size_t index = (size_t)set * app_key_count(app) + number;
        chain_write(card, scrip_get_le16(app->is.keys), index * KEY_SLOT_LEN, key, sizeof *key);
    }
}

void key_for_use(const struct key_slot *slot, struct scrip_desfire_key *key)
{
    key->cipher = slot->cipher;
    key->version = key_version(slot);
    memcpy(key->bytes, slot->bytes, sizeof key->bytes);
}

uint8_t key_version(const struct key_slot *slot)
{
    uint8_t version = 0;
    if (slot->cipher == SCRIP_AES128) {
        return slot->version;
    }
    for (size_t i = 0; i < 8; i++) {
        version = (uint8_t)(version << 1 | (slot->bytes[i] & 1));
    }
    return version;
}

enum scrip_cipher key_type_cipher(uint8_t type)
{
    return type == KEY_TYPE_AES ? SCRIP_AES128 : type == KEY_TYPE_3K ? SCRIP_3K3DES : SCRIP_DES;
}

size_t key_type_len(uint8_t type)
{
    return type == KEY_TYPE_3K ? 24 : 16;
}

struct key_slot key_zero(uint8_t type)
{
    return (struct key_slot){.cipher = (uint8_t)key_type_cipher(type)};
}

/* ---- accounting ---- */

uint32_t blocks_for(uint32_t len)
{
    return len / 32 + (len % 32 != 0 ? 1 : 0);
}

uint32_t blocks_free(struct scrip_desfire_card *card)
{
    struct picc_page picc;
    picc_load(card, &picc);
    const uint16_t used = scrip_get_le16(picc.used);
    return used < card->memory.pool_pages ? (uint32_t)card->memory.pool_pages - used : 0;
}

bool blocks_charge(struct scrip_desfire_card *card, struct app *app, int32_t blocks)
{
    struct picc_page picc;
    picc_load(card, &picc);
    const int32_t used = scrip_get_le16(picc.used) + blocks;
    if (used > card->memory.pool_pages) {
        return false;
    }
    if (app != NULL) {
        const int32_t app_used = scrip_get_le16(app->is.used) + blocks;
        if (app->is.delegated && app_used > scrip_get_le16(app->is.quota)) {
            return false;
        }
        scrip_put_le16(app->is.used, (uint16_t)app_used);
    }
    scrip_put_le16(picc.used, (uint16_t)used);
    picc_store(card, &picc);
    return true;
}
