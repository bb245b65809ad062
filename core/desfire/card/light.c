/* light.c: the fixed contents of a MIFARE DESFire Light: one application with five AES keys and six files, which can be
 * set up but neither created nor deleted (the Transaction MAC file can be both). */
#include "card.h"
#include <string.h>

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
