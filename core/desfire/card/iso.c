/* iso.c: the standard commands of ISO/IEC 7816-4 that DESFire knows. They work in the clear, on what is free to
 * everybody, and cannot be used where a Transaction MAC would have to cover them. */
#include "card.h"
#include <scrip/apdu.h>
#include <string.h>

#define MF_FID 0x3F00U
#define BY_SFI 0x80U

enum {
    SELECT = 0xA4,
    READ_BINARY = 0xB0,
    UPDATE_BINARY = 0xD6,
    READ_RECORDS = 0xB2,
    APPEND_RECORD = 0xE2,
    GET_CHALLENGE = 0x84,
    EXTERNAL_AUTHENTICATE = 0x82,
    INTERNAL_AUTHENTICATE = 0x88
};

typedef uint16_t iso_function(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out);

/* What the native refusals are called here. */
static uint16_t word_of(uint8_t status)
{
    switch (status) {
    case DF_OK:
        return SCRIP_SW_OK;
    case DF_AUTHENTICATION_ERROR:
        return SCRIP_SW_SECURITY;
    case DF_BOUNDARY_ERROR:
        return SCRIP_SW_OFFSET;
    case DF_LENGTH_ERROR:
        return SCRIP_SW_LENGTH;
    case DF_EEPROM_ERROR:
        return SCRIP_SW_MEMORY;
    default:
        return SCRIP_SW_CONDITIONS;
    }
}

/* ---- SELECT ---- */

bool iso_names_card(struct scrip_bytes name)
{
    static const uint8_t mf_name[] = {0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x00};
    return scrip_bytes_equal(name, SCRIP_BYTES_OF(mf_name));
}

static uint16_t select_df(struct scrip_desfire_card *card, const struct app *app)
{
    app_select(card, app->page);
    return app->page != 0 && access_tmc_exhausted(card, app) ? SCRIP_SW_WARNING : SCRIP_SW_OK;
}

static uint16_t select_mf(struct scrip_desfire_card *card)
{
    app_select(card, 0);
    return SCRIP_SW_OK;
}

static bool find_df(struct scrip_desfire_card *card, uint16_t fid, struct app *app)
{
    app->page = 0;
    while (app_next(card, app)) {
        if (scrip_get_le16(app->is.fid) == fid && fid != 0) {
            return true;
        }
    }
    return false;
}

static uint16_t select_ef(struct scrip_desfire_card *card, uint16_t fid)
{
    struct app app;
    struct file file;

    if (!app_selected(card, &app) || !file_find_fid(card, &app, fid, &file)) {
        return SCRIP_SW_NOT_FOUND;
    }
    card->iso_file = file.is.number;
    return SCRIP_SW_OK;
}

static uint16_t select_name(struct scrip_desfire_card *card, struct scrip_bytes name)
{
    struct app app = {.page = 0};
    struct picc_text_page text;

    picc_text_load(card, &text);
    if (iso_names_card(name) || (text.name_len > 0 && scrip_bytes_equal(name, scrip_bytes(text.name, text.name_len)))) {
        return select_mf(card);
    }
    while (name.len > 0 && app_next(card, &app)) {
        if (scrip_bytes_equal(name, scrip_bytes(app.is.name, app.is.name_len))) {
            return select_df(card, &app);
        }
    }
    return SCRIP_SW_NOT_FOUND;
}

/* P1 00: anything by its file id. */
static uint16_t select_any(struct scrip_desfire_card *card, uint16_t fid)
{
    struct app app;
    if (fid == MF_FID) {
        return select_mf(card);
    }
    const uint16_t word = select_ef(card, fid);
    if (word == SCRIP_SW_NOT_FOUND && find_df(card, fid, &app)) {
        return select_df(card, &app);
    }
    return word;
}

static uint16_t iso_select(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    const uint16_t fid = apdu->data.len == 2 ? scrip_get_be16(apdu->data.at) : 0;
    struct app app;
    (void)out;

    if (apdu->p1 > 4 || (apdu->p2 != 0x00 && apdu->p2 != 0x0C)) {
        return SCRIP_SW_P1P2;
    }
    if (apdu->p1 == 4) {
        return apdu->data.len == 0 || apdu->data.len > NAME_MAX ? SCRIP_SW_LC : select_name(card, apdu->data);
    }
    if (apdu->p1 == 3) {
        return apdu->data.len == 0 ? select_mf(card) : SCRIP_SW_LC;
    }
    if (apdu->data.len == 0 && apdu->p1 == 0) {
        return select_mf(card);
    }
    if (apdu->data.len != 2) {
        return SCRIP_SW_LC;
    }
    if (apdu->p1 == 2) {
        return select_ef(card, fid);
    }
    if (apdu->p1 == 1) {
        return find_df(card, fid, &app) ? select_df(card, &app) : SCRIP_SW_NOT_FOUND;
    }
    return select_any(card, fid);
}

/* ---- files ---- */

/* The file that P1/P2 or the last selection mean, if the rights make it free. `sfi`: short file id, or -1. */
static uint16_t find_ef(struct scrip_desfire_card *card, int sfi, unsigned rights, struct app *app, struct file *file)
{
    const uint8_t number = sfi < 0 ? card->iso_file : (uint8_t)sfi;

    if (!app_selected(card, app) || !file_find(card, app, number, file)) {
        return SCRIP_SW_NOT_FOUND;
    }
    if (scrip_get_le16(app->is.tmac) != 0) {
        return SCRIP_SW_CONDITIONS;
    }
    card->iso_file = number;
    const bool dynamic = (rights & RIGHT_READ) != 0 && access_is_dynamic_free(card, &file->is);
    return dynamic || access_is_free(&file->is, rights) ? SCRIP_SW_OK : SCRIP_SW_SECURITY;
}

static bool is_data(const struct file *file)
{
    return file->is.type == FILE_STANDARD || file->is.type == FILE_BACKUP;
}

static bool is_records(const struct file *file)
{
    return file->is.type == FILE_LINEAR || file->is.type == FILE_CYCLIC;
}

/* P1 and P2 of the binary commands: short file id and 8-bit offset, or a 15-bit offset. */
static uint16_t find_binary(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, unsigned rights,
                            struct app *app, struct file *file, uint32_t *offset)
{
    const bool by_sfi = (apdu->p1 & BY_SFI) != 0;

    if (by_sfi && (apdu->p1 & 0x60U) != 0) {
        return SCRIP_SW_P1P2;
    }
    *offset = by_sfi ? apdu->p2 : (uint32_t)apdu->p1 << 8 | apdu->p2;
    const uint16_t word = find_ef(card, by_sfi ? apdu->p1 & 0x1F : -1, rights, app, file);
    if (word == SCRIP_SW_OK && !is_data(file)) {
        return SCRIP_SW_CONDITIONS;
    }
    return word;
}

static uint16_t iso_read_binary(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct app app;
    struct file file;
    uint32_t offset;

    if (!apdu->has_le || apdu->data.len > 0) {
        return SCRIP_SW_LENGTH;
    }
    uint16_t word = find_binary(card, apdu, RIGHT_READ | RIGHT_READ_WRITE, &app, &file, &offset);
    if (word != SCRIP_SW_OK) {
        return word;
    }
    const uint32_t size = data_size(&file);
    if (offset >= size) {
        return SCRIP_SW_OFFSET;
    }
    const bool all = apdu->le == (apdu->extended ? 65536U : 256U);
    const uint32_t there = size - offset;
    if (!all && apdu->le > there) {
        return (uint16_t)(SCRIP_SW_LE | (there < 256 ? there : 0));
    }
    uint32_t len = apdu->le < there ? apdu->le : there;
    len = len < SCRIP_DESFIRE_DATA_MAX ? len : SCRIP_DESFIRE_DATA_MAX;
    uint8_t status = data_read(card, &file, offset, len, card->io);
    if (status == DF_OK && access_is_dynamic(card, &file.is)) {
        status = sdm_mirror(card, &file, &app, READ_BINARY, offset, len, card->io);
    }
    word = word_of(status);
    if (word == SCRIP_SW_OK && scrip_buf_add(out, card->io, len) != SCRIP_OK) {
        card->no_room = true;
    }
    return word;
}

static uint16_t iso_update_binary(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct app app;
    struct file file;
    uint32_t offset;
    (void)out;

    if (apdu->data.len == 0 || apdu->data.len > SCRIP_DESFIRE_DATA_MAX) {
        return SCRIP_SW_LENGTH;
    }
    const uint16_t word = find_binary(card, apdu, RIGHT_WRITE | RIGHT_READ_WRITE, &app, &file, &offset);
    return word == SCRIP_SW_OK ? word_of(data_write(card, &file, offset, apdu->data)) : word;
}

static uint16_t iso_read_records(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct app app;
    struct file file;
    struct scrip_buf records = SCRIP_BUF_OF(card->io);
    const uint8_t how = apdu->p2 & 7U;
    const uint8_t sfi = apdu->p2 >> 3;

    if (how != 4 && how != 5) {
        return SCRIP_SW_P1P2;
    }
    if (!apdu->has_le || apdu->data.len > 0) {
        return SCRIP_SW_LENGTH;
    }
    const uint16_t word = find_ef(card, sfi != 0 ? sfi : -1, RIGHT_READ | RIGHT_READ_WRITE, &app, &file);
    if (word != SCRIP_SW_OK) {
        return word;
    }
    if (!is_records(&file)) {
        return SCRIP_SW_CONDITIONS;
    }
    const uint8_t status = record_read(card, &file, apdu->p1, how == 4 ? 1 : 0, &records);
    if (status != DF_OK) {
        return status == DF_BOUNDARY_ERROR ? SCRIP_SW_RECORD : word_of(status);
    }
    const bool all = apdu->le == (apdu->extended ? 65536U : 256U);
    if (records.len > apdu->le || (!all && records.len < apdu->le)) {
        return (uint16_t)(SCRIP_SW_LE | (records.len < 256 ? records.len : 0));
    }
    if (scrip_buf_add_bytes(out, scrip_buf_bytes(&records)) != SCRIP_OK) {
        card->no_room = true;
    }
    return SCRIP_SW_OK;
}

static uint16_t iso_append_record(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct app app;
    struct file file;
    const uint8_t sfi = apdu->p2 >> 3;
    (void)out;

    if (apdu->p1 != 0 || (apdu->p2 & 7U) != 0) {
        return SCRIP_SW_P1P2;
    }
    const uint16_t word = find_ef(card, sfi != 0 ? sfi : -1, RIGHT_WRITE | RIGHT_READ_WRITE, &app, &file);
    if (word != SCRIP_SW_OK) {
        return word;
    }
    if (!is_records(&file)) {
        return SCRIP_SW_CONDITIONS;
    }
    if (apdu->data.len == 0 || apdu->data.len > scrip_get_le24(file.is.as.records.size)) {
        return SCRIP_SW_LENGTH;
    }
    return word_of(record_append(card, &file, 0, apdu->data));
}

/* ---- the three-step authentication ---- */

static uint16_t iso_get_challenge(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct scrip_desfire_iso_auth *auth = &card->iso_auth;
    const struct scrip_random *random = card->host.random;

    if (apdu->p1 != 0 || apdu->p2 != 0) {
        return SCRIP_SW_P1P2;
    }
    if (apdu->le != 8 && apdu->le != 16) {
        return SCRIP_SW_LENGTH;
    }
    card_end_session(card);
    *auth = (struct scrip_desfire_iso_auth){.stage = 1, .challenge_len = (uint8_t)apdu->le};
    if (random->fill(random->ctx, auth->challenge, auth->challenge_len) != SCRIP_OK) {
        card->no_random = true;
        return SCRIP_SW_CONDITIONS;
    }
    if (scrip_buf_add(out, auth->challenge, auth->challenge_len) != SCRIP_OK) {
        card->no_room = true;
    }
    return SCRIP_SW_OK;
}

static bool algorithm_fits(uint8_t algorithm, uint8_t cipher)
{
    switch (algorithm) {
    case 0x00:
        return true;
    case 0x02:
        return cipher == SCRIP_DES || cipher == SCRIP_2K3DES;
    case 0x04:
        return cipher == SCRIP_3K3DES;
    case 0x09:
        return cipher == SCRIP_AES128;
    default:
        return false;
    }
}

/* Key named by P2: bit 7 says "of the selected application". */
static uint16_t iso_key(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, const struct app *app)
{
    struct scrip_desfire_iso_auth *auth = &card->iso_auth;
    const bool in_app = (apdu->p2 & 0x80U) != 0;
    const uint8_t number = apdu->p2 & 0x1FU;
    struct key_slot slot;

    if (in_app != (app != NULL) || !key_exists(card, app, number)) {
        return SCRIP_SW_REFERENCE;
    }
    key_active(card, app, number, &slot);
    const bool fits = algorithm_fits(apdu->p1, slot.cipher) && auth_blocked(card, &slot) == DF_OK &&
                      !auth_disabled(card, SCRIP_DESFIRE_SM_EV1) && !(config_lrp(card) && slot.cipher == SCRIP_AES128);
    key_for_use(&slot, &auth->key);
    scrip_wipe(&slot, sizeof slot);
    auth->key_no = number;
    return fits ? SCRIP_SW_OK : SCRIP_SW_CONDITIONS;
}

static uint16_t iso_external(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct scrip_desfire_iso_auth *auth = &card->iso_auth;
    struct app app;
    const struct app *level = app_selected(card, &app) ? &app : NULL;
    struct scrip_block block;
    uint8_t plain[32];
    (void)out;

    if (auth->stage != 1) {
        return SCRIP_SW_CONDITIONS;
    }
    auth->stage = 0;
    const uint16_t word = iso_key(card, apdu, level);
    if (word != SCRIP_SW_OK) {
        return word;
    }
    const size_t len = scrip_desfire_auth_random_len(SCRIP_DESFIRE_SM_EV1, &auth->key);
    if (apdu->data.len != 2 * len || auth->challenge_len != len) {
        return SCRIP_SW_LENGTH;
    }
    const size_t block_len = scrip_cipher_block_len((enum scrip_cipher)auth->key.cipher);
    memset(auth->iv, 0, sizeof auth->iv);
    scrip_block_init(&block, (enum scrip_cipher)auth->key.cipher, auth->key.bytes);
    scrip_cbc_decrypt(&block, auth->iv, apdu->data.len / block_len, plain, apdu->data.at);
    scrip_block_wipe(&block);
    const bool right = scrip_equal_ct(plain + len, auth->challenge, len);
    memcpy(auth->rpcd1, plain, len);
    scrip_wipe(plain, sizeof plain);
    auth_count(card, level, auth->key_no, right);
    if (memory_commit(card) != SCRIP_OK || !right) {
        return SCRIP_SW_SECURITY;
    }
    auth->stage = 2;
    return SCRIP_SW_OK;
}

static uint16_t iso_internal(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    struct scrip_desfire_iso_auth *auth = &card->iso_auth;
    const struct scrip_random *random = card->host.random;
    const size_t len = auth->challenge_len;
    struct scrip_block block;
    uint8_t plain[32];
    uint8_t sent[32];

    if (auth->stage != 2 || (apdu->p2 & 0x1FU) != auth->key_no || !algorithm_fits(apdu->p1, auth->key.cipher)) {
        return SCRIP_SW_CONDITIONS;
    }
    if (apdu->data.len != len) {
        return SCRIP_SW_LENGTH;
    }
    if (random->fill(random->ctx, plain, len) != SCRIP_OK) {
        card->no_random = true;
        return SCRIP_SW_CONDITIONS;
    }
    memcpy(plain + len, apdu->data.at, len);
    const size_t block_len = scrip_cipher_block_len((enum scrip_cipher)auth->key.cipher);
    scrip_block_init(&block, (enum scrip_cipher)auth->key.cipher, auth->key.bytes);
    scrip_cbc_encrypt(&block, auth->iv, 2 * len / block_len, sent, plain);
    scrip_block_wipe(&block);
    scrip_desfire_sm_begin_ev1(&card->session, auth->key_no, &auth->key, auth->rpcd1, plain);
    scrip_wipe(plain, sizeof plain);
    scrip_wipe(auth, sizeof *auth);
    if (!card->options.keep_pending_on_auth) {
        transaction_drop(card);
    }
    if (scrip_buf_add(out, sent, 2 * len) != SCRIP_OK) {
        card->no_room = true;
    }
    return SCRIP_SW_OK;
}

/* ---- all of them ---- */

static const struct iso_row {
    uint8_t ins;
    bool makes_session; /* of EV1 messaging, which a Light card does not have */
    iso_function *function;
} iso_rows[] = {
    {SELECT, false, iso_select},
    {READ_BINARY, false, iso_read_binary},
    {UPDATE_BINARY, false, iso_update_binary},
    {READ_RECORDS, false, iso_read_records},
    {APPEND_RECORD, false, iso_append_record},
    {GET_CHALLENGE, true, iso_get_challenge},
    {EXTERNAL_AUTHENTICATE, true, iso_external},
    {INTERNAL_AUTHENTICATE, true, iso_internal},
};

static iso_function *function_of(const struct scrip_desfire_card *card, uint8_t ins)
{
    const bool light = card->identity.generation == SCRIP_DESFIRE_LIGHT;
    for (size_t i = 0; i < sizeof iso_rows / sizeof iso_rows[0]; i++) {
        if (iso_rows[i].ins == ins && !(light && iso_rows[i].makes_session)) {
            return iso_rows[i].function;
        }
    }
    return NULL;
}

uint16_t iso_answer(struct scrip_desfire_card *card, const struct scrip_apdu *apdu, struct scrip_buf *out)
{
    iso_function *const function = function_of(card, apdu->ins);
    const size_t start = out->len;
    uint16_t word = function == NULL ? SCRIP_SW_INS : SCRIP_SW_CONDITIONS;

    if (apdu->ins != EXTERNAL_AUTHENTICATE && apdu->ins != INTERNAL_AUTHENTICATE) {
        card->iso_auth.stage = 0;
    }
    if (card->sdm_run != apdu->ins) {
        card->sdm_file = SCRIP_DESFIRE_FILES;
    }
    if (function != NULL && card->exchange.kind == EXCHANGE_NONE) {
        word = function(card, apdu, out);
    }
    if ((word == SCRIP_SW_OK || word == SCRIP_SW_WARNING) && memory_overflowed(card)) {
        word = SCRIP_SW_MEMORY;
    }
    if (word == SCRIP_SW_OK || word == SCRIP_SW_WARNING) {
        (void)memory_commit(card);
        return word;
    }
    out->len = start;
    card_refuse(card);
    return word;
}
