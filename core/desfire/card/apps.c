/* apps.c: selecting, creating, deleting and listing applications. */
#include "card.h"
#include <string.h>

#define EV1_APPLICATIONS 28U

static const uint8_t picc_aid[3] = {0, 0, 0};

void app_select(struct scrip_desfire_card *card, uint16_t page)
{
    card_end_session(card);
    transaction_drop(card);
    card->app = page;
    card->second = 0;
    card->iso_file = SCRIP_DESFIRE_FILES;
    card->sdm_file = SCRIP_DESFIRE_FILES;
}

uint8_t desfire_select_application(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const bool pair = cmd->data.len == 6;
    struct app app = {.page = 0};
    struct app second = {.page = 0};
    (void)reply;

    if (cmd->data.len != 3 && (!pair || card->identity.generation == SCRIP_DESFIRE_EV1)) {
        return DF_LENGTH_ERROR;
    }
    const bool picc = memcmp(cmd->data.at, picc_aid, 3) == 0 && !pair;
    if ((!picc && !app_find(card, cmd->data.at, &app)) || (pair && !app_find(card, cmd->data.at + 3, &second))) {
        return DF_APPLICATION_NOT_FOUND;
    }
    if (pair && app.page == second.page) {
        return DF_PARAMETER_ERROR;
    }
    app_select(card, app.page);
    card->second = second.page;
    return DF_OK;
}

/* ---- creating ---- */

/* Take the optional parts behind KS2 off `*params`. */
static uint8_t parse_key_sets(struct scrip_bytes *params, struct app_page *is)
{
    struct scrip_bytes part;

    is->set_count = 1;
    if ((is->ks2 & KS2_HAS_KS3) == 0) {
        return DF_OK;
    }
    if (scrip_bytes_take(params, 1, &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    is->ks3 = part.at[0];
    if ((is->ks3 & KS3_KEY_SETS) == 0) {
        return DF_OK;
    }
    if (scrip_bytes_take(params, 4, &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    is->set_count = part.at[1];
    is->max_key_len = part.at[2];
    is->roll_key = part.at[3] & 7U;
    const bool bad = is->set_count < 2 || is->set_count > MAX_SETS ||
                     is->max_key_len < key_type_len(is->ks2 >> KS2_TYPE_SHIFT) ||
                     (is->max_key_len != 16 && is->max_key_len != 24) || is->roll_key >= (is->ks2 & KS2_KEY_COUNT);
    return bad ? DF_PARAMETER_ERROR : DF_OK;
}

static uint8_t parse_names(struct scrip_bytes params, struct app_page *is)
{
    struct scrip_bytes fid;

    if ((is->ks2 & KS2_ISO_FIDS) == 0) {
        return params.len == 0 ? DF_OK : DF_LENGTH_ERROR;
    }
    if (scrip_bytes_take(&params, 2, &fid) != SCRIP_OK || params.len > NAME_MAX) {
        return DF_LENGTH_ERROR;
    }
    memcpy(is->fid, fid.at, 2);
    is->name_len = (uint8_t)params.len;
    if (params.len > 0) {
        memcpy(is->name, params.at, params.len);
    }
    return fid_allowed(scrip_get_le16(is->fid)) ? DF_OK : DF_PARAMETER_ERROR;
}

/* AID KS1 KS2 [KS3 [..]] [FID [name]] */
static uint8_t parse_application(const struct scrip_desfire_card *card, struct scrip_bytes params, uint8_t *version,
                                 struct app_page *is)
{
    const uint8_t type = params.at[4] >> KS2_TYPE_SHIFT;

    memcpy(is->aid, params.at, 3);
    is->ks1 = params.at[3];
    is->ks2 = params.at[4];
    *version = 0;
    if ((is->ks2 & (KS2_HAS_KS3)) != 0 && card->identity.generation == SCRIP_DESFIRE_EV1) {
        return DF_PARAMETER_ERROR;
    }
    params = scrip_bytes_from(params, 5);
    if ((is->ks2 & KS2_HAS_KS3) != 0 && params.len >= 2 && (params.at[0] & KS3_KEY_SETS) != 0) {
        *version = params.at[1];
    }
    uint8_t status = parse_key_sets(&params, is);
    if (status == DF_OK) {
        status = parse_names(params, is);
    }
    if (status != DF_OK) {
        return status;
    }
    const uint8_t keys = is->ks2 & KS2_KEY_COUNT;
    const bool bad = memcmp(is->aid, picc_aid, 3) == 0 || keys == 0 || keys > MAX_KEYS || type > KEY_TYPE_AES;
    return bad ? DF_PARAMETER_ERROR : DF_OK;
}

/* DF_OK, or DE for an AID, file id or name that is taken, CE for one application too many. */
static uint8_t check_unique(struct scrip_desfire_card *card, const struct app_page *is, struct app *last)
{
    struct app app = {.page = 0};
    unsigned count = 0;

    last->page = 0;
    for (; app_next(card, &app); count++) {
        const bool same_name =
            is->name_len > 0 && app.is.name_len == is->name_len && memcmp(app.is.name, is->name, is->name_len) == 0;
        const bool same_fid = scrip_get_le16(is->fid) != 0 && memcmp(app.is.fid, is->fid, 2) == 0;
        if (memcmp(app.is.aid, is->aid, 3) == 0 || same_fid || same_name) {
            return DF_DUPLICATE_ERROR;
        }
        *last = app;
    }
    return card->identity.generation == SCRIP_DESFIRE_EV1 && count >= EV1_APPLICATIONS ? DF_COUNT_ERROR : DF_OK;
}

/* The key that keys of a new application begin with. */
static struct key_slot default_key(struct scrip_desfire_card *card, uint8_t type)
{
    struct picc_page picc;
    struct key_slot key = key_zero(type);

    picc_load(card, &picc);
    if (picc.has_default_key) {
        memcpy(key.bytes, picc.default_key, key_type_len(type));
        key.version = picc.default_key[24];
        key_settle(&key);
    }
    return key;
}

static size_t key_pages(const struct app_page *is)
{
    return ((size_t)is->set_count * (is->ks2 & KS2_KEY_COUNT) + 1) / 2;
}

/* Blocks that an application without files takes. */
static int32_t app_blocks(const struct app_page *is)
{
    return (int32_t)(2 + key_pages(is) + (is->set_count > 1 ? 1 : 0));
}

static uint16_t take_page(struct scrip_desfire_card *card, uint8_t at[2], size_t pages)
{
    const uint16_t page = pool_take(card, pages);
    scrip_put_le16(at, page);
    return page;
}

static void store_keys(struct scrip_desfire_card *card, const struct app *app, const struct key_slot *key)
{
    const uint8_t type = app->is.ks2 >> KS2_TYPE_SHIFT;
    const struct key_slot empty = key_zero(type);

    for (uint8_t set = 0; set < app->is.set_count; set++) {
        for (uint8_t number = 0; number < app_key_count(app); number++) {
            key_store(card, app, set, number, set == 0 ? key : &empty);
        }
    }
}

uint8_t app_create(struct scrip_desfire_card *card, struct scrip_bytes params, const struct app_page *is,
                   const struct key_slot *key)
{
    struct app app = {.is = *is};
    struct app last;
    uint8_t version = 0;

    uint8_t status = parse_application(card, params, &version, &app.is);
    if (status == DF_OK) {
        status = check_unique(card, &app.is, &last);
    }
    if (status != DF_OK) {
        return status;
    }
    if (!blocks_charge(card, &app, app_blocks(&app.is)) || (app.page = pool_take(card, 1)) == 0 ||
        take_page(card, app.is.table, 1) == 0 || take_page(card, app.is.keys, key_pages(&app.is)) == 0 ||
        (app.is.set_count > 1 && take_page(card, app.is.sets, 1) == 0)) {
        return DF_OUT_OF_EEPROM;
    }
    app_store(card, &app);
    const struct key_slot first = key != NULL ? *key : default_key(card, app.is.ks2 >> KS2_TYPE_SHIFT);
    store_keys(card, &app, &first);
    if (app.is.set_count > 1) {
        const struct key_set set = {.version = version, .type = app.is.ks2 >> KS2_TYPE_SHIFT, .state = SET_FINALIZED};
        memory_write(card, pool_address(card, scrip_get_le16(app.is.sets)), &set, sizeof set);
    }
    if (last.page != 0) {
        scrip_put_le16(last.is.next, app.page);
        app_store(card, &last);
    } else {
        struct picc_page picc;
        picc_load(card, &picc);
        scrip_put_le16(picc.first_app, app.page);
        picc_store(card, &picc);
    }
    return DF_OK;
}

/* May the level's directory commands be used? `bit` is the KS1 bit that frees them. */
static uint8_t picc_allows(struct scrip_desfire_card *card, uint8_t bit)
{
    struct picc_page picc;
    picc_load(card, &picc);
    return (picc.ks1 & bit) != 0 || (card->app == 0 && access_has_key(card, 0)) ? DF_OK : DF_AUTHENTICATION_ERROR;
}

uint8_t desfire_create_application(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct app_page fresh = {.delegated = 0};
    (void)reply;

    const uint8_t status = picc_allows(card, KS1_FREE_CREATE);
    return status == DF_OK ? app_create(card, cmd->data, &fresh, NULL) : status;
}

/* ---- deleting ---- */

static void unlink_app(struct scrip_desfire_card *card, const struct app *gone)
{
    struct app app = {.page = 0};
    struct picc_page picc;

    picc_load(card, &picc);
    if (scrip_get_le16(picc.first_app) == gone->page) {
        memcpy(picc.first_app, gone->is.next, 2);
        picc_store(card, &picc);
        return;
    }
    while (app_next(card, &app)) {
        if (scrip_get_le16(app.is.next) == gone->page) {
            memcpy(app.is.next, gone->is.next, 2);
            app_store(card, &app);
            return;
        }
    }
}

static void delete_app(struct scrip_desfire_card *card, const struct app *app)
{
    struct file file;

    for (uint8_t number = 0; number < SCRIP_DESFIRE_FILES; number++) {
        if (file_find(card, app, number, &file)) {
            pool_give(card, scrip_get_le16(file.is.data));
            pool_give(card, scrip_get_le16(file.is.shadow));
            pool_give(card, file.page);
        }
    }
    unlink_app(card, app);
    pool_give(card, scrip_get_le16(app->is.table));
    pool_give(card, scrip_get_le16(app->is.keys));
    pool_give(card, scrip_get_le16(app->is.sets));
    pool_give(card, app->page);
    (void)blocks_charge(card, NULL, -(int32_t)scrip_get_le16(app->is.used));
}

/* The PICC master key; or the application's own master key if PICC KS1 bit 2 allows; or the delegation's MAC. */
static uint8_t may_delete(struct scrip_desfire_card *card, const struct command *cmd, const struct app *app)
{
    if (cmd->data.len == 11) {
        return delegation_proved(card, cmd->code, scrip_bytes_head(cmd->data, 3), cmd->data.at + 3)
                   ? DF_OK
                   : DF_INTEGRITY_ERROR;
    }
    if (card->app == 0) {
        return access_has_key(card, 0) ? DF_OK : DF_AUTHENTICATION_ERROR;
    }
    struct picc_page picc;
    picc_load(card, &picc);
    if (card->app != app->page) {
        return DF_PERMISSION_DENIED;
    }
    return (picc.ks1 & KS1_FREE_CREATE) != 0 && access_has_key(card, 0) ? DF_OK : DF_AUTHENTICATION_ERROR;
}

uint8_t desfire_delete_application(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct app app;

    if (cmd->data.len != 3 && cmd->data.len != 11) {
        return DF_LENGTH_ERROR;
    }
    if (memcmp(cmd->data.at, picc_aid, 3) == 0 || !app_find(card, cmd->data.at, &app)) {
        return DF_APPLICATION_NOT_FOUND;
    }
    if (cmd->data.len == 11 && !app.is.delegated) {
        return DF_PARAMETER_ERROR;
    }
    const uint8_t status = may_delete(card, cmd, &app);
    if (status != DF_OK) {
        return status;
    }
    delete_app(card, &app);
    if (card->app == app.page || card->second == app.page) { /* its own session ends with it, and that of a pair */
        transaction_drop(card);
        card->app = 0;
        card->second = 0;
        card->iso_file = SCRIP_DESFIRE_FILES;
        reply->ends_session = true;
    }
    return DF_OK;
}

uint8_t desfire_format_picc(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct picc_page picc;
    (void)cmd;
    (void)reply;

    picc_load(card, &picc);
    if (!access_has_key(card, 0)) {
        return DF_AUTHENTICATION_ERROR;
    }
    if ((picc.flags & CONFIG_NO_FORMAT) != 0) {
        return DF_PERMISSION_DENIED;
    }
    pool_clear(card);
    scrip_put_le16(picc.first_app, 0);
    scrip_put_le16(picc.used, 0);
    picc_store(card, &picc);
    transaction_drop(card);
    return DF_OK;
}

/* ---- listing ---- */

uint8_t desfire_get_application_ids(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct app app = {.page = 0};
    (void)cmd;

    const uint8_t status = picc_allows(card, KS1_FREE_DIRECTORY);
    while (status == DF_OK && app_next(card, &app)) {
        if (scrip_buf_add(&reply->data, app.is.aid, 3) != SCRIP_OK) {
            return DF_LENGTH_ERROR;
        }
    }
    return status;
}

/* The next application that has an ISO file id. */
static bool next_named(struct scrip_desfire_card *card, struct app *app)
{
    while (app_next(card, app)) {
        if (scrip_get_le16(app->is.fid) != 0) {
            return true;
        }
    }
    return false;
}

uint8_t desfire_get_df_names(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct app app = {.page = 0};
    (void)cmd;

    const uint8_t status = picc_allows(card, KS1_FREE_DIRECTORY);
    while (status == DF_OK && next_named(card, &app)) {
        if (scrip_buf_add(&reply->data, app.is.aid, 3) != SCRIP_OK ||
            scrip_buf_add(&reply->data, app.is.fid, 2) != SCRIP_OK ||
            scrip_buf_add(&reply->data, app.is.name, app.is.name_len) != SCRIP_OK) {
            return DF_LENGTH_ERROR;
        }
    }
    return status;
}

size_t app_name_entry_len(struct scrip_desfire_card *card, size_t n)
{
    struct app app = {.page = 0};
    for (size_t i = 0; i <= n; i++) {
        if (!next_named(card, &app)) {
            return 0;
        }
    }
    const size_t len = 5U + app.is.name_len;
    return next_named(card, &app) ? len : 0;
}
