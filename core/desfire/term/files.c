/* Files: settings as bytes and back, and the commands that make and change them. */
#include "private.h"
#include <string.h>

void scrip_desfire_rights_put(uint8_t at[2], const struct scrip_desfire_rights *rights)
{
    at[0] = (uint8_t)((unsigned)rights->read_write << 4 | (rights->change & 0xFU));
    at[1] = (uint8_t)((unsigned)rights->read << 4 | (rights->write & 0xFU));
}

struct scrip_desfire_rights scrip_desfire_rights_get(const uint8_t at[2])
{
    return (struct scrip_desfire_rights){
        .read = at[1] >> 4,
        .write = at[1] & 0xFU,
        .read_write = at[0] >> 4,
        .change = at[0] & 0xFU,
    };
}

/* ---- the SDM block: options decide which numbers there are ---- */

static bool sdm_is_key(uint8_t right)
{
    return right < SCRIP_DESFIRE_RIGHT_FREE;
}

/* Pointers to the numbers that are present, in wire order. @return how many (at most 8) */
static size_t sdm_numbers(struct scrip_desfire_sdm *sdm, uint32_t *numbers[8])
{
    const bool plain = sdm->meta_read == SCRIP_DESFIRE_RIGHT_FREE;
    const bool mac = sdm->file_read != SCRIP_DESFIRE_RIGHT_NEVER;
    const struct {
        bool present;
        uint32_t *number;
    } all[] = {
        {plain && (sdm->options & SDM_UID) != 0, &sdm->uid_offset},
        {plain && (sdm->options & SDM_COUNTER) != 0, &sdm->counter_offset},
        {sdm_is_key(sdm->meta_read), &sdm->picc_data_offset},
        {mac, &sdm->mac_input_offset},
        {mac && (sdm->options & SDM_ENC_FILE) != 0, &sdm->enc_offset},
        {mac && (sdm->options & SDM_ENC_FILE) != 0, &sdm->enc_len},
        {mac, &sdm->mac_offset},
        {(sdm->options & SDM_LIMIT) != 0, &sdm->limit},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].present) {
            numbers[count++] = all[i].number;
        }
    }
    return count;
}

enum scrip_status scrip_desfire_sdm_put(const struct scrip_desfire_sdm *sdm, struct scrip_buf *out)
{
    struct scrip_desfire_sdm copy = *sdm;
    uint32_t *numbers[8];
    const size_t count = sdm_numbers(&copy, numbers);
    const uint8_t head[] = {copy.options, (uint8_t)(0xF0U | (copy.counter_ret & 0xFU)),
                            (uint8_t)((unsigned)copy.meta_read << 4 | (copy.file_read & 0xFU))};
    SCRIP_TRY(scrip_buf_add(out, head, sizeof head));
    for (size_t i = 0; i < count; i++) {
        SCRIP_TRY(scrip_buf_add_le(out, *numbers[i], 3));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_sdm_get(struct scrip_bytes *in, struct scrip_desfire_sdm *sdm)
{
    struct scrip_bytes rest = *in;
    struct scrip_bytes head;
    uint32_t *numbers[8];
    SCRIP_TRY(scrip_bytes_take(&rest, 3, &head));
    struct scrip_desfire_sdm read = {
        .options = head.at[0],
        .counter_ret = head.at[1] & 0xFU,
        .meta_read = head.at[2] >> 4,
        .file_read = head.at[2] & 0xFU,
    };
    const size_t count = sdm_numbers(&read, numbers);
    for (size_t i = 0; i < count; i++) {
        SCRIP_TRY(scrip_bytes_take(&rest, 3, &head));
        *numbers[i] = scrip_get_le24(head.at);
    }
    *sdm = read;
    *in = rest;
    return SCRIP_OK;
}

/* ---- settings ---- */

static uint8_t option_of(const struct scrip_desfire_file *file, bool creating)
{
    unsigned option = file->comm;
    option |= file->may_have_more_rights || file->more_count > 0 ? SCRIP_DESFIRE_OPTION_SETS : 0U;
    option |= file->has_sdm ? SCRIP_DESFIRE_OPTION_SDM : 0U;
    option |= file->has_tmc_limit && !creating ? SCRIP_DESFIRE_OPTION_TMC_LIMIT : 0U;
    return (uint8_t)option;
}

static enum scrip_status put_option_and_rights(const struct scrip_desfire_file *file, bool creating,
                                               struct scrip_buf *out)
{
    uint8_t head[3] = {option_of(file, creating)};
    scrip_desfire_rights_put(head + 1, &file->rights);
    return scrip_buf_add(out, head, sizeof head);
}

static enum scrip_status put_more_rights(const struct scrip_desfire_file *file, struct scrip_buf *out)
{
    if (file->more_count > SCRIP_DESFIRE_MORE_RIGHTS_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(scrip_buf_add_u8(out, file->more_count));
    for (size_t i = 0; i < file->more_count; i++) {
        uint8_t set[2];
        scrip_desfire_rights_put(set, &file->more[i]);
        SCRIP_TRY(scrip_buf_add(out, set, sizeof set));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_file_settings_put(const struct scrip_desfire_file *file, struct scrip_buf *out)
{
    SCRIP_TRY(put_option_and_rights(file, false, out));
    if ((option_of(file, false) & SCRIP_DESFIRE_OPTION_SETS) != 0) {
        SCRIP_TRY(put_more_rights(file, out));
    }
    if (file->has_sdm) {
        SCRIP_TRY(scrip_desfire_sdm_put(&file->sdm, out));
    }
    return file->has_tmc_limit ? scrip_buf_add_le(out, file->tmc_limit, 4) : SCRIP_OK;
}

static enum scrip_status parse_by_type(struct scrip_bytes *in, uint8_t option, struct scrip_desfire_file *file)
{
    static const uint8_t lengths[] = {3, 3, 13, 9, 9, 2};
    struct scrip_bytes part;
    SCRIP_TRY(scrip_bytes_take(in, lengths[file->type], &part));
    switch (file->type) {
    case SCRIP_DESFIRE_FILE_STANDARD:
    case SCRIP_DESFIRE_FILE_BACKUP:
        file->size = scrip_get_le24(part.at);
        return SCRIP_OK;
    case SCRIP_DESFIRE_FILE_VALUE:
        file->lower = scrip_get_le32s(part.at);
        file->upper = scrip_get_le32s(part.at + 4);
        file->value = scrip_get_le32s(part.at + 8);
        file->value_flags = part.at[12];
        return SCRIP_OK;
    case SCRIP_DESFIRE_FILE_TMAC:
        file->tm_key_option = part.at[0];
        file->tm_key_version = part.at[1];
        file->has_tmc_limit = (option & SCRIP_DESFIRE_OPTION_TMC_LIMIT) != 0;
        if (file->has_tmc_limit) {
            SCRIP_TRY(scrip_bytes_take(in, 4, &part));
            file->tmc_limit = scrip_get_le32(part.at);
        }
        return SCRIP_OK;
    default:
        file->record_size = scrip_get_le24(part.at);
        file->max_records = scrip_get_le24(part.at + 3);
        file->records = scrip_get_le24(part.at + 6);
        return SCRIP_OK;
    }
}

static enum scrip_status parse_more_rights(struct scrip_bytes *in, struct scrip_desfire_file *file)
{
    struct scrip_bytes part;
    SCRIP_TRY(scrip_bytes_take(in, 1, &part));
    if (part.at[0] > SCRIP_DESFIRE_MORE_RIGHTS_MAX) {
        return SCRIP_E_FORMAT;
    }
    file->more_count = part.at[0];
    for (size_t i = 0; i < file->more_count; i++) {
        SCRIP_TRY(scrip_bytes_take(in, 2, &part));
        file->more[i] = scrip_desfire_rights_get(part.at);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_file_parse(struct scrip_bytes settings, struct scrip_desfire_file *file)
{
    struct scrip_bytes head;
    SCRIP_TRY(scrip_bytes_take(&settings, 4, &head));
    if (head.at[0] > SCRIP_DESFIRE_FILE_TMAC) {
        return SCRIP_E_FORMAT;
    }
    const uint8_t option = head.at[1];
    struct scrip_desfire_file read = {
        .no = file->no,
        .type = head.at[0],
        .comm = (option & 3U) == 2U ? SCRIP_DESFIRE_PLAIN : (uint8_t)(option & 3U),
        .may_have_more_rights = (option & SCRIP_DESFIRE_OPTION_SETS) != 0,
        .rights = scrip_desfire_rights_get(head.at + 2),
        .has_sdm = (option & SCRIP_DESFIRE_OPTION_SDM) != 0,
    };
    SCRIP_TRY(parse_by_type(&settings, option, &read));
    if (read.has_sdm) { /* precedes the sets on the cards that have both */
        SCRIP_TRY(scrip_desfire_sdm_get(&settings, &read.sdm));
    }
    if (read.may_have_more_rights) {
        SCRIP_TRY(parse_more_rights(&settings, &read));
    }
    if (settings.len != 0) {
        return SCRIP_E_LENGTH;
    }
    *file = read;
    return SCRIP_OK;
}

/* ---- commands ---- */

enum scrip_status scrip_desfire_create_file(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                            const struct scrip_desfire_file *file)
{
    static const uint8_t commands[] = {CMD_CREATE_STD_DATA_FILE, CMD_CREATE_BACKUP_DATA_FILE, CMD_CREATE_VALUE_FILE,
                                       CMD_CREATE_LINEAR_RECORD_FILE, CMD_CREATE_CYCLIC_RECORD_FILE};
    uint8_t memory[24];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    if (file->type >= sizeof commands) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(scrip_buf_add_u8(&params, file->no));
    if (file->has_iso_fid && file->type != SCRIP_DESFIRE_FILE_VALUE) {
        SCRIP_TRY(scrip_buf_add_le(&params, file->iso_fid, 2));
    }
    SCRIP_TRY(put_option_and_rights(file, true, &params));
    if (file->type == SCRIP_DESFIRE_FILE_VALUE) {
        SCRIP_TRY(scrip_buf_add_le(&params, (uint32_t)file->lower, 4));
        SCRIP_TRY(scrip_buf_add_le(&params, (uint32_t)file->upper, 4));
        SCRIP_TRY(scrip_buf_add_le(&params, (uint32_t)file->value, 4));
        SCRIP_TRY(scrip_buf_add_u8(&params, file->value_flags));
    } else if (file->type <= SCRIP_DESFIRE_FILE_BACKUP) {
        SCRIP_TRY(scrip_buf_add_le(&params, file->size, 3));
    } else {
        SCRIP_TRY(scrip_buf_add_le(&params, file->record_size, 3));
        SCRIP_TRY(scrip_buf_add_le(&params, file->max_records, 3));
    }
    const struct scrip_desfire_call call = {
        .cmd = commands[file->type],
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_buf_bytes(&params),
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_create_tmac_file(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 const struct scrip_desfire_file *file,
                                                 const struct scrip_desfire_key *key)
{
    uint8_t memory[22];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    if (key->cipher != SCRIP_AES128) {
        return SCRIP_E_KEY;
    }
    SCRIP_TRY(scrip_buf_add_u8(&params, file->no));
    SCRIP_TRY(put_option_and_rights(file, true, &params));
    SCRIP_TRY(scrip_buf_add_u8(&params, KEY_TYPE_AES));
    SCRIP_TRY(scrip_buf_add(&params, key->bytes, 16));
    SCRIP_TRY(scrip_buf_add_u8(&params, key->version));
    const struct scrip_desfire_call call = {
        .cmd = CMD_CREATE_TRANSACTION_MAC_FILE,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_buf_bytes(&params),
    };
    const enum scrip_status status = scrip_desfire_term_ask(term, batch, &call);
    scrip_wipe(memory, sizeof memory);
    return status;
}

enum scrip_status scrip_desfire_change_file_settings(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                     const struct scrip_desfire_file *file, bool free_change)
{
    uint8_t memory[64];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(scrip_buf_add_u8(&params, file->no));
    SCRIP_TRY(scrip_desfire_file_settings_put(file, &params));
    const struct scrip_desfire_call call = {
        .cmd = CMD_CHANGE_FILE_SETTINGS,
        .comm = free_change ? SCRIP_DESFIRE_PLAIN : SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_buf_bytes(&params),
    };
    return scrip_desfire_term_ask(term, batch, &call);
}
