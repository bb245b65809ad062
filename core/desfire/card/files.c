/* files.c: creating, deleting and describing files. */
#include "card.h"
#include <string.h>

#define TM_KEY_AES 0x02U

/* KS1 bit 2 frees creating and deleting files; else the application master key is needed. */
static uint8_t may_create(struct scrip_desfire_card *card, const struct app *app)
{
    return (app->is.ks1 & KS1_FREE_CREATE) != 0 || access_has_key(card, 0) ? DF_OK : DF_AUTHENTICATION_ERROR;
}

static uint8_t may_list(struct scrip_desfire_card *card, const struct app *app)
{
    return (app->is.ks1 & KS1_FREE_DIRECTORY) != 0 || access_has_key_of(card, app->side, 0) ? DF_OK
                                                                                            : DF_AUTHENTICATION_ERROR;
}

/* ---- creating ---- */

/* FileOption bits that a new file of a type may have. */
static uint8_t allowed_options(const struct scrip_desfire_card *card, uint8_t type)
{
    uint8_t bits = 3;
    if (card->identity.generation != SCRIP_DESFIRE_EV1) {
        bits |= SCRIP_DESFIRE_OPTION_SETS;
    }
    if (card->identity.generation >= SCRIP_DESFIRE_EV3 && type == FILE_STANDARD) {
        bits |= SCRIP_DESFIRE_OPTION_SDM;
    }
    if (type == FILE_TMAC) {
        bits |= SCRIP_DESFIRE_OPTION_TMC_LIMIT;
    }
    return bits;
}

/* FileNo [FID] FileOption AccessRights: what all files begin with. `rest` receives what follows. */
static uint8_t parse_common(struct scrip_desfire_card *card, const struct command *cmd, uint8_t type, bool with_fid,
                            struct file *file, struct scrip_bytes *rest)
{
    struct scrip_bytes part;
    struct file other;

    *file = (struct file){.is = {.type = type}};
    *rest = cmd->data;
    (void)scrip_bytes_take(rest, 1, &part); /* the row's least length covers all but the file id */
    file->is.number = part.at[0];
    if (with_fid) {
        (void)scrip_bytes_take(rest, 2, &part);
        memcpy(file->is.fid, part.at, 2);
    }
    (void)scrip_bytes_take(rest, 3, &part);
    file->is.option = part.at[0];
    memcpy(file->is.rights, part.at + 1, 2);
    if (file->is.number >= SCRIP_DESFIRE_FILES || (with_fid && !fid_allowed(scrip_get_le16(file->is.fid))) ||
        (file->is.option & ~allowed_options(card, type)) != 0 || !access_rights_valid(&cmd->app, file->is.rights)) {
        return DF_PARAMETER_ERROR;
    }
    if (file_find(card, &cmd->app, file->is.number, &other) ||
        (with_fid && file_find_fid(card, &cmd->app, scrip_get_le16(file->is.fid), &other))) {
        return DF_DUPLICATE_ERROR;
    }
    return DF_OK;
}

/* Check the length, and the right to create, then the common parts. `own` bytes follow these. */
static uint8_t parse_file(struct scrip_desfire_card *card, const struct command *cmd, uint8_t type, size_t own,
                          struct file *file, struct scrip_bytes *rest)
{
    const bool with_fid = (cmd->app.is.ks2 & KS2_ISO_FIDS) != 0 && type != FILE_VALUE && type != FILE_TMAC;

    if (cmd->data.len != 4 + own + (with_fid ? 2U : 0U)) {
        return DF_LENGTH_ERROR;
    }
    const uint8_t status = may_create(card, &cmd->app);
    return status == DF_OK ? parse_common(card, cmd, type, with_fid, file, rest) : status;
}

/* Take memory for the file and enter it. `len` bytes of contents, `shadow`: twice. */
static uint8_t enter_file(struct scrip_desfire_card *card, struct command *cmd, struct file *file, uint32_t len,
                          uint32_t room, bool shadow)
{
    const uint32_t blocks = 1 + blocks_for(len) * (shadow ? 2 : 1);
    const size_t pages = (room + NV_PAGE - 1) / NV_PAGE;

    if (blocks > card->memory.pool_pages || !blocks_charge(card, &cmd->app, (int32_t)blocks) ||
        (file->page = pool_take(card, 1)) == 0) {
        return DF_OUT_OF_EEPROM;
    }
    if (pages > 0) {
        const uint16_t data = pool_take(card, pages);
        const uint16_t copy = shadow && data != 0 ? pool_take(card, pages) : 0;
        if (data == 0 || (shadow && copy == 0)) {
            return DF_OUT_OF_EEPROM;
        }
        scrip_put_le16(file->is.data, data);
        scrip_put_le16(file->is.shadow, copy);
    }
    if (file->is.type == FILE_TMAC) {
        scrip_put_le16(cmd->app.is.tmac, file->page);
    }
    file_store(card, file);
    file_enter(card, &cmd->app, file->is.number, file->page);
    app_store(card, &cmd->app);
    return DF_OK;
}

static uint8_t create_data(struct scrip_desfire_card *card, struct command *cmd, uint8_t type)
{
    struct file file;
    struct scrip_bytes rest;

    const uint8_t status = parse_file(card, cmd, type, 3, &file, &rest);
    if (status != DF_OK) {
        return status;
    }
    const uint32_t size = scrip_get_le24(rest.at);
    if (size == 0) {
        return DF_PARAMETER_ERROR;
    }
    memcpy(file.is.as.plain.size, rest.at, 3);
    memset(file.is.as.plain.sdm_rights, 0xFF, sizeof file.is.as.plain.sdm_rights); /* until messaging is set up */
    return enter_file(card, cmd, &file, size, size, type == FILE_BACKUP);
}

uint8_t desfire_create_std_data_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)reply;
    return create_data(card, cmd, FILE_STANDARD);
}

uint8_t desfire_create_backup_data_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)reply;
    return create_data(card, cmd, FILE_BACKUP);
}

uint8_t desfire_create_value_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;
    struct scrip_bytes rest;
    (void)reply;

    const uint8_t status = parse_file(card, cmd, FILE_VALUE, 13, &file, &rest);
    if (status != DF_OK) {
        return status;
    }
    const int32_t lower = scrip_get_le32s(rest.at);
    const int32_t upper = scrip_get_le32s(rest.at + 4);
    const int32_t value = scrip_get_le32s(rest.at + 8);
    if (lower > value || value > upper || rest.at[12] > (VALUE_LIMITED_CREDIT | VALUE_FREE_GET)) {
        return DF_PARAMETER_ERROR;
    }
    memcpy(file.is.as.value.lower, rest.at, 12); /* lower, upper, value */
    file.is.as.value.flags = rest.at[12];
    return enter_file(card, cmd, &file, 0, 0, false);
}

/* A record file keeps one slot more than it shows: a cyclic file's is among MaxRecords, a linear file's is not. */
static uint8_t create_records(struct scrip_desfire_card *card, struct command *cmd, uint8_t type)
{
    struct file file;
    struct scrip_bytes rest;

    const uint8_t status = parse_file(card, cmd, type, 6, &file, &rest);
    if (status != DF_OK) {
        return status;
    }
    const uint32_t size = scrip_get_le24(rest.at);
    const uint32_t max = scrip_get_le24(rest.at + 3);
    if (size == 0 || size > SCRIP_DESFIRE_DATA_MAX || max < (type == FILE_CYCLIC ? 2U : 1U)) {
        return DF_PARAMETER_ERROR;
    }
    memcpy(file.is.as.records.size, rest.at, 6); /* size, max */
    if (max > (uint32_t)card->memory.pool_pages * 32 / size) {
        return DF_OUT_OF_EEPROM;
    }
    return enter_file(card, cmd, &file, size * max, size * (max + (type == FILE_LINEAR ? 1 : 0)), false);
}

uint8_t desfire_create_linear_record_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)reply;
    return create_records(card, cmd, FILE_LINEAR);
}

uint8_t desfire_create_cyclic_record_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)reply;
    return create_records(card, cmd, FILE_CYCLIC);
}

/* Header: FileNo FileOption AccessRights TMKeyOption; data: TMKey TMKeyVersion. Needs the application master key. */
uint8_t desfire_create_transaction_mac_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file = {.is = {.type = FILE_TMAC, .number = cmd->header[0], .option = cmd->header[1]}};
    struct file other;
    struct tmac_page tmac = {.tmc = {0}};
    (void)reply;

    memcpy(file.is.rights, cmd->header + 2, 2);
    if (!access_has_key(card, 0)) {
        return DF_AUTHENTICATION_ERROR;
    }
    const bool write_named = (file.is.rights[1] & 0xFU) != SCRIP_DESFIRE_NEVER;
    if (file.is.number >= SCRIP_DESFIRE_FILES || cmd->header[4] != TM_KEY_AES || write_named ||
        (file.is.option & ~allowed_options(card, FILE_TMAC)) != 0 ||
        (file.is.option & SCRIP_DESFIRE_OPTION_TMC_LIMIT) != 0 || !access_rights_valid(&cmd->app, file.is.rights)) {
        return DF_PARAMETER_ERROR;
    }
    if (file_find(card, &cmd->app, file.is.number, &other) || scrip_get_le16(cmd->app.is.tmac) != 0) {
        return DF_DUPLICATE_ERROR;
    }
    file.is.as.tmac.key_option = cmd->header[4];
    file.is.as.tmac.key_version = cmd->data.at[16];
    const uint8_t status = enter_file(card, cmd, &file, 32, NV_PAGE, false);
    if (status == DF_OK) {
        memcpy(tmac.key, cmd->data.at, sizeof tmac.key);
        tmac_store(card, &file, &tmac);
        scrip_wipe(&tmac, sizeof tmac);
    }
    return status;
}

/* ---- deleting ---- */

static uint32_t file_blocks(const struct file *file)
{
    switch (file->is.type) {
    case FILE_STANDARD:
        return 1 + blocks_for(scrip_get_le24(file->is.as.plain.size));
    case FILE_BACKUP:
        return 1 + 2 * blocks_for(scrip_get_le24(file->is.as.plain.size));
    case FILE_LINEAR:
    case FILE_CYCLIC:
        return 1 + blocks_for(scrip_get_le24(file->is.as.records.size) * scrip_get_le24(file->is.as.records.max));
    case FILE_TMAC:
        return 2;
    default:
        return 1;
    }
}

uint8_t desfire_delete_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;
    (void)reply;

    if (!file_find(card, &cmd->app, cmd->data.at[0], &file)) {
        return DF_FILE_NOT_FOUND;
    }
    const bool light = card->identity.generation == SCRIP_DESFIRE_LIGHT;
    if (light && file.is.type != FILE_TMAC) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t status = file.is.type == FILE_TMAC ? (access_has_key(card, 0) ? DF_OK : DF_AUTHENTICATION_ERROR)
                                                     : may_create(card, &cmd->app);
    if (status != DF_OK) {
        return status;
    }
    transaction_forget(card, &file);
    pool_give(card, scrip_get_le16(file.is.data));
    pool_give(card, scrip_get_le16(file.is.shadow));
    pool_give(card, file.page);
    file_enter(card, &cmd->app, file.is.number, 0);
    if (file.is.type == FILE_TMAC) {
        scrip_put_le16(cmd->app.is.tmac, 0);
    }
    (void)blocks_charge(card, &cmd->app, -(int32_t)file_blocks(&file));
    app_store(card, &cmd->app);
    if (card->iso_file == file.is.number) {
        card->iso_file = SCRIP_DESFIRE_FILES;
    }
    return DF_OK;
}

/* ---- listing ---- */

uint8_t desfire_get_file_ids(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;
    for (uint8_t number = 0; number < SCRIP_DESFIRE_FILES; number++) {
        if (file_find(card, &cmd->app, number, &file)) {
            (void)scrip_buf_add_u8(&reply->data, number);
        }
    }
    return may_list(card, &cmd->app);
}

uint8_t desfire_get_iso_file_ids(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;
    for (uint8_t number = 0; number < SCRIP_DESFIRE_FILES; number++) {
        if (file_find(card, &cmd->app, number, &file) && scrip_get_le16(file.is.fid) != 0) {
            (void)scrip_buf_add(&reply->data, file.is.fid, 2);
        }
    }
    return may_list(card, &cmd->app);
}

/* ---- settings ---- */

/* What GetFileSettings says by file type, as places in the file's page. */
static struct scrip_bytes type_settings(const struct file_page *is)
{
    switch (is->type) {
    case FILE_STANDARD:
    case FILE_BACKUP:
        return SCRIP_BYTES_OF(is->as.plain.size);
    case FILE_LINEAR:
    case FILE_CYCLIC:
        return scrip_bytes(is->as.records.size, 9); /* size, max, count */
    case FILE_TMAC:
        return scrip_bytes(is->as.room, (is->option & SCRIP_DESFIRE_OPTION_TMC_LIMIT) != 0 ? 6 : 2);
    default:
        return scrip_bytes(NULL, 0);
    }
}

static void add_value_settings(const struct file_page *is, struct scrip_buf *out)
{
    (void)scrip_buf_add(out, is->as.value.lower, 4);
    (void)scrip_buf_add(out, is->as.value.upper, 4);
    (void)scrip_buf_add(out, is->as.value.limited, 4);
    (void)scrip_buf_add_u8(out, is->as.value.flags);
}

static void add_sdm_settings(const struct file_page *is, struct scrip_buf *out)
{
    const uint16_t rights = scrip_get_le16(is->as.plain.sdm_rights);
    (void)scrip_buf_add_u8(out, is->as.plain.sdm_options);
    (void)scrip_buf_add(out, is->as.plain.sdm_rights, 2);
    (void)scrip_buf_add(out, is->as.plain.sdm_offsets, sdm_offsets_len(is->as.plain.sdm_options, rights));
}

uint8_t desfire_get_file_settings(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;
    struct scrip_buf *out = &reply->data;
    uint8_t number = cmd->data.at[0];

    if (!app_meant(card, &cmd->app, &number) || !file_find(card, &cmd->app, number, &file)) {
        return DF_FILE_NOT_FOUND;
    }
    (void)scrip_buf_add_u8(out, file.is.type);
    (void)scrip_buf_add_u8(out, file.is.option);
    (void)scrip_buf_add(out, file.is.rights, 2);
    (void)scrip_buf_add_bytes(out, type_settings(&file.is));
    if (file.is.type == FILE_VALUE) {
        add_value_settings(&file.is, out);
    }
    if (file.is.type == FILE_STANDARD && (file.is.option & SCRIP_DESFIRE_OPTION_SDM) != 0) {
        add_sdm_settings(&file.is, out);
    }
    if ((file.is.option & SCRIP_DESFIRE_OPTION_SETS) != 0) {
        (void)scrip_buf_add_u8(out, file.is.more_count);
        (void)scrip_buf_add(out, file.is.more, 2U * file.is.more_count);
    }
    return may_list(card, &cmd->app);
}

/* The settings of ChangeFileSettings come in the order: option, rights, additional sets, SDM block, limit.
 * GetFileSettings says the SDM block before the sets; no file has both the block and a limit. */
static uint8_t parse_sets(const struct app *app, struct scrip_bytes *rest, struct file_page *is)
{
    struct scrip_bytes part;

    is->more_count = 0;
    if ((is->option & SCRIP_DESFIRE_OPTION_SETS) == 0) {
        return DF_OK;
    }
    if (scrip_bytes_take(rest, 1, &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    is->more_count = part.at[0];
    if (is->more_count > MORE_RIGHTS) {
        return DF_PARAMETER_ERROR;
    }
    if (scrip_bytes_take(rest, 2U * is->more_count, &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    for (size_t i = 0; i < is->more_count; i++) {
        memcpy(is->more + 2 * i, part.at + 2 * i, 2);
        if (!access_rights_valid(app, is->more + 2 * i)) {
            return DF_PARAMETER_ERROR;
        }
    }
    return DF_OK;
}

static uint8_t parse_sdm(struct scrip_desfire_card *card, const struct app *app, struct scrip_bytes *rest,
                         struct file_page *is)
{
    struct scrip_bytes part;
    const bool was_on = (is->as.plain.sdm_options & SDM_ASCII) != 0;

    if ((is->option & SCRIP_DESFIRE_OPTION_SDM) == 0) {
        if (is->type == FILE_STANDARD) {
            memset(&is->as.plain.sdm_options, 0, sizeof is->as.plain - 3);
        }
        return DF_OK;
    }
    if (scrip_bytes_take(rest, 3, &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    is->as.plain.sdm_options = part.at[0];
    memcpy(is->as.plain.sdm_rights, part.at + 1, 2);
    const uint16_t rights = scrip_get_le16(is->as.plain.sdm_rights);
    if (scrip_bytes_take(rest, sdm_offsets_len(is->as.plain.sdm_options, rights), &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    memset(is->as.plain.sdm_offsets, 0, sizeof is->as.plain.sdm_offsets);
    memcpy(is->as.plain.sdm_offsets, part.at, part.len);
    if (!was_on) {
        memset(is->as.plain.sdm_counter, 0, sizeof is->as.plain.sdm_counter);
    }
    return sdm_valid(card, app, is->as.plain.sdm_options, rights, is->as.plain.sdm_offsets,
                     scrip_get_le24(is->as.plain.size))
               ? DF_OK
               : DF_PARAMETER_ERROR;
}

static uint8_t parse_limit(struct scrip_bytes *rest, struct file_page *is)
{
    struct scrip_bytes part;
    if (is->type != FILE_TMAC || (is->option & SCRIP_DESFIRE_OPTION_TMC_LIMIT) == 0) {
        return DF_OK;
    }
    if (scrip_bytes_take(rest, 4, &part) != SCRIP_OK) {
        return DF_LENGTH_ERROR;
    }
    memcpy(is->as.tmac.limit, part.at, 4);
    return DF_OK;
}

/* The pipeline has found the file and decided about the Change right. */
uint8_t desfire_change_file_settings(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct scrip_bytes rest = scrip_bytes_from(cmd->data, 3);
    struct file *file = &cmd->file;
    (void)reply;

    file->is.option = cmd->data.at[0];
    memcpy(file->is.rights, cmd->data.at + 1, 2);
    const bool tmac_write = file->is.type == FILE_TMAC && (file->is.rights[1] & 0xFU) != SCRIP_DESFIRE_NEVER;
    if ((file->is.option & ~allowed_options(card, file->is.type)) != 0 || tmac_write ||
        !access_rights_valid(&cmd->app, file->is.rights)) {
        return DF_PARAMETER_ERROR;
    }
    uint8_t status = parse_sets(&cmd->app, &rest, &file->is);
    if (status == DF_OK) {
        status = parse_sdm(card, &cmd->app, &rest, &file->is);
    }
    if (status == DF_OK) {
        status = parse_limit(&rest, &file->is);
    }
    if (status != DF_OK || rest.len != 0) {
        return status != DF_OK ? status : DF_LENGTH_ERROR;
    }
    file_store(card, file);
    return DF_OK;
}

uint8_t desfire_get_file_counters(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;

    if (!file_find(card, &cmd->app, cmd->header[0], &file)) {
        return DF_FILE_NOT_FOUND;
    }
    if (file.is.type != FILE_STANDARD || (file.is.option & SCRIP_DESFIRE_OPTION_SDM) == 0) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t key = file.is.as.plain.sdm_rights[0] & 0xFU; /* CtrRet */
    if (key == SCRIP_DESFIRE_NEVER) {
        return DF_PERMISSION_DENIED;
    }
    if (key != SCRIP_DESFIRE_FREE && !access_has_key(card, key)) {
        return DF_AUTHENTICATION_ERROR;
    }
    (void)scrip_buf_add(&reply->data, file.is.as.plain.sdm_counter, 3);
    (void)scrip_buf_fill(&reply->data, 0, 2);
    return DF_OK;
}
