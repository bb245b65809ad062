/* light.c: the fixed contents of a MIFARE DESFire Light: one application with five AES keys and six files, which can be
 * set up but neither created nor deleted (the Transaction MAC file can be both). */
#include "card.h"
#include <string.h>

#define RENAME_APPLICATION 0xFFU

/* AID KS1 KS2 FID name. KS1 0F while the files are made. */
static const uint8_t application[] = {0x01, 0x00, 0x00, 0x0F, 0xA5, 0x01, 0xDF, 0xA0, 0x00, 0x00, 0x03, 0x96,
                                      0x56, 0x43, 0x41, 0x03, 0xF0, 0x15, 0x40, 0x00, 0x00, 0x00, 0x0B};

#define KS1_IN_USE 0x0BU

/* As in the create commands, which is how they are made. Rights: key 1 reads, 2 writes, 3 both, 0 changes. */
static const struct light_file {
    uint8_t code;
    uint8_t len;
    uint8_t params[18];
} files[] = {
    {CMD_CREATE_STD_DATA_FILE, 9, {0x00, 0x00, 0xEF, 0x03, 0x30, 0x12, 0x00, 0x01, 0x00}},
    {CMD_CREATE_STD_DATA_FILE, 9, {0x04, 0x04, 0xEF, 0x03, 0x30, 0x12, 0x00, 0x01, 0x00}},
    {CMD_CREATE_STD_DATA_FILE, 9, {0x1F, 0x1F, 0xEF, 0x00, 0x30, 0xE1, 0x20, 0x00, 0x00}},
    {CMD_CREATE_CYCLIC_RECORD_FILE, 12, {0x01, 0x01, 0xEF, 0x03, 0x30, 0x12, 0x10, 0x00, 0x00, 0x05, 0x00, 0x00}},
    {CMD_CREATE_VALUE_FILE, 17, {0x03, 0x03, 0x30, 0x12, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0, 0, 0, 0x00}},
};

static const uint8_t tmac_header[] = {0x0F, 0x01, 0x10, 0x1F, 0x02};

static uint8_t make_file(struct scrip_desfire_card *card, const struct app *app, const struct light_file *file)
{
    struct command cmd = {.code = file->code, .app = *app, .data = scrip_bytes(file->params, file->len)};
    struct reply reply = {.data = SCRIP_BUF_OF(card->io)};

    switch (file->code) {
    case CMD_CREATE_STD_DATA_FILE:
        return desfire_create_std_data_file(card, &cmd, &reply);
    case CMD_CREATE_CYCLIC_RECORD_FILE:
        return desfire_create_cyclic_record_file(card, &cmd, &reply);
    default:
        return desfire_create_value_file(card, &cmd, &reply);
    }
}

static uint8_t make_tmac(struct scrip_desfire_card *card, const struct app *app)
{
    static const uint8_t zero_key[17];
    struct command cmd = {.app = *app, .header_len = sizeof tmac_header, .data = SCRIP_BYTES_OF(zero_key)};
    struct reply reply = {.data = SCRIP_BUF_OF(card->io)};

    memcpy(cmd.header, tmac_header, sizeof tmac_header);
    card->session.sm = SCRIP_DESFIRE_SM_EV2; /* the factory holds key 0 */
    card->session.key_no = 0;
    const uint8_t status = desfire_create_transaction_mac_file(card, &cmd, &reply);
    scrip_desfire_sm_end(&card->session);
    return status;
}

bool light_make(struct scrip_desfire_card *card)
{
    const struct app_page fresh = {.delegated = 0};
    struct app app = {.page = 0};

    if (app_create(card, SCRIP_BYTES_OF(application), &fresh, NULL) != DF_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)app_find(card, application, &app);
        if (make_file(card, &app, &files[i]) != DF_OK) {
            return false;
        }
    }
    (void)app_find(card, application, &app);
    if (make_tmac(card, &app) != DF_OK) {
        return false;
    }
    (void)app_find(card, application, &app); /* as the last file left it */
    app.is.ks1 = KS1_IN_USE;
    app_store(card, &app);
    return true;
}

/* ---- SetConfiguration ---- */

uint8_t light_rename_application(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    (void)is;
    if (iso_names_card(cmd->data)) {
        return DF_DUPLICATE_ERROR; /* SELECT would never come to it */
    }
    cmd->app.is.name_len = (uint8_t)cmd->data.len;
    memcpy(cmd->app.is.name, cmd->data.at, cmd->data.len);
    app_store(card, &cmd->app);
    return DF_OK;
}

/* FF FF FID: the application itself. */
static uint8_t rename_fid_of_application(struct scrip_desfire_card *card, struct command *cmd, const uint8_t *entry)
{
    if (entry[1] != RENAME_APPLICATION || !fid_allowed(scrip_get_le16(entry + 2))) {
        return DF_PARAMETER_ERROR;
    }
    memcpy(cmd->app.is.fid, entry + 2, 2);
    app_store(card, &cmd->app);
    return DF_OK;
}

/* Take the file of an entry out of the table. A file without an id gets none. */
static uint8_t take_out(struct scrip_desfire_card *card, const struct app *app, const uint8_t *entry, uint16_t *page)
{
    const uint16_t fid = scrip_get_le16(entry + 2);
    struct file file;

    if (!file_find(card, app, entry[0], &file)) {
        return DF_FILE_NOT_FOUND;
    }
    const bool has_fid = scrip_get_le16(file.is.fid) != 0;
    if (entry[1] >= SCRIP_DESFIRE_FILES || (has_fid ? !fid_allowed(fid) : fid != 0)) {
        return DF_PARAMETER_ERROR;
    }
    file_enter(card, app, entry[0], 0);
    *page = file.page;
    return DF_OK;
}

/* Enter it again by its new number and id. */
static uint8_t put_back(struct scrip_desfire_card *card, const struct app *app, const uint8_t *entry, uint16_t page)
{
    struct file file;

    if (file_find(card, app, entry[1], &file) || file_find_fid(card, app, scrip_get_le16(entry + 2), &file)) {
        return DF_DUPLICATE_ERROR;
    }
    file_load(card, page, &file);
    file.is.number = entry[1];
    memcpy(file.is.fid, entry + 2, 2);
    file_store(card, &file);
    file_enter(card, app, entry[1], page);
    return DF_OK;
}

/* What is pending is kept by file number, so nothing may be. */
uint8_t light_rename_files(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    const size_t count = cmd->data.len / LIGHT_RENAME_LEN;
    uint16_t pages[LIGHT_RENAMES] = {0};
    uint8_t status = DF_OK;
    (void)is;

    if (cmd->data.len % LIGHT_RENAME_LEN != 0) {
        return DF_LENGTH_ERROR;
    }
    if (card->transaction.open) {
        return DF_PERMISSION_DENIED;
    }
    for (size_t i = 0; i < count && status == DF_OK; i++) {
        const uint8_t *entry = cmd->data.at + i * LIGHT_RENAME_LEN;
        status = entry[0] == RENAME_APPLICATION ? rename_fid_of_application(card, cmd, entry)
                                                : take_out(card, &cmd->app, entry, &pages[i]);
    }
    for (size_t i = 0; i < count && status == DF_OK; i++) {
        if (pages[i] != 0) {
            status = put_back(card, &cmd->app, cmd->data.at + i * LIGHT_RENAME_LEN, pages[i]);
        }
    }
    card->iso_file = SCRIP_DESFIRE_FILES;
    return status;
}

/* FileNo Lower[4] Upper[4] Value[4] Flags[1] of a value file. */
uint8_t light_set_value_file(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    struct file file;
    const uint8_t *at = cmd->data.at;
    (void)is;

    if (!file_find(card, &cmd->app, at[0], &file)) {
        return DF_FILE_NOT_FOUND;
    }
    const int32_t value = scrip_get_le32s(at + 9);
    if (file.is.type != FILE_VALUE || scrip_get_le32s(at + 1) > value || value > scrip_get_le32s(at + 5) ||
        at[13] > (VALUE_LIMITED_CREDIT | VALUE_FREE_GET)) {
        return DF_PARAMETER_ERROR;
    }
    memcpy(file.is.as.value.lower, at + 1, 12); /* lower, upper, value */
    scrip_put_le32(file.is.as.value.limited, 0);
    file.is.as.value.flags = at[13];
    file_store(card, &file);
    return DF_OK;
}
