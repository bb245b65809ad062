/* One function per command: parameters in the order of the wire, nothing else. */
#include "private.h"
#include <string.h>

#define DF_NAME_MAX 16U
#define NO_FCI      0x0CU

/* Instruction codes of ISO/IEC 7816-4. */
enum {
    INS_SELECT = 0xA4,
    INS_READ_BINARY = 0xB0,
    INS_UPDATE_BINARY = 0xD6,
    INS_READ_RECORDS = 0xB2,
    INS_APPEND_RECORD = 0xE2,
};

static enum scrip_status ask_by_table(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                      const void *params, size_t len)
{
    const struct scrip_desfire_call call = {
        .cmd = cmd,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_bytes(params, len),
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

/* Commands whose parameters are at most one byte. */
#define SIMPLE(name, cmd)                                                                                              \
    enum scrip_status scrip_desfire_##name(struct scrip_desfire_term *term, struct scrip_batch *batch)                 \
    {                                                                                                                  \
        return ask_by_table(term, batch, cmd, NULL, 0);                                                                \
    }
#define ONE_BYTE(name, param, cmd)                                                                                     \
    enum scrip_status scrip_desfire_##name(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t param)  \
    {                                                                                                                  \
        return ask_by_table(term, batch, cmd, &(param), 1);                                                            \
    }

SIMPLE(get_file_ids, CMD_GET_FILE_IDS)
SIMPLE(get_iso_file_ids, CMD_GET_ISO_FILE_IDS)
SIMPLE(abort_transaction, CMD_ABORT_TRANSACTION)
SIMPLE(get_application_ids, CMD_GET_APPLICATION_IDS)
SIMPLE(get_df_names, CMD_GET_DF_NAMES)
SIMPLE(get_free_memory, CMD_GET_FREE_MEMORY)
SIMPLE(format_picc, CMD_FORMAT_PICC)
SIMPLE(get_key_settings, CMD_GET_KEY_SETTINGS)
ONE_BYTE(delete_file, no, CMD_DELETE_FILE)
ONE_BYTE(get_file_settings, no, CMD_GET_FILE_SETTINGS)
ONE_BYTE(get_file_counters, no, CMD_GET_FILE_COUNTERS)
ONE_BYTE(clear_record_file, no, CMD_CLEAR_RECORD_FILE)
ONE_BYTE(change_key_settings, ks1, CMD_CHANGE_KEY_SETTINGS)

enum scrip_status scrip_desfire_select_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   const uint8_t aid[3])
{
    return ask_by_table(term, batch, CMD_SELECT_APPLICATION, aid, 3);
}

enum scrip_status scrip_desfire_select_applications(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                    const uint8_t first[3], const uint8_t second[3])
{
    uint8_t params[6];
    memcpy(params, first, 3);
    memcpy(params + 3, second, 3);
    return ask_by_table(term, batch, CMD_SELECT_APPLICATION, params, sizeof params);
}

enum scrip_status scrip_desfire_restore_transfer(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 uint8_t target, uint8_t source)
{
    return ask_by_table(term, batch, CMD_RESTORE_TRANSFER, (const uint8_t[]){target, source}, 2);
}

enum scrip_status scrip_desfire_get_version(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    const struct scrip_desfire_call call = {
        .cmd = CMD_GET_VERSION,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .one_frame = true, /* always three, so nothing has to be waited for */
        .follow = 2,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_get_card_uid(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    const struct scrip_desfire_call call = {
        .cmd = CMD_GET_CARD_UID,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .back_len = 7,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_read_signature(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    const struct scrip_desfire_call call = {
        .cmd = CMD_READ_SIG,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_bytes("\0", 1),
        .back_len = 56,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_set_configuration(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t option, struct scrip_bytes data)
{
    uint8_t memory[41];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    const bool to_lrp =
        option == 5 && data.len > 4 && (data.at[4] & 2U) != 0 && term->session.sm != SCRIP_DESFIRE_SM_LRP;
    SCRIP_TRY(scrip_buf_add_u8(&params, option));
    SCRIP_TRY(scrip_buf_add_bytes(&params, data));
    const struct scrip_desfire_call call = {
        .cmd = CMD_SET_CONFIGURATION,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_buf_bytes(&params),
        .unknown_len = option == 2, /* an ATS says its own length */
        .own_key = to_lrp,          /* the session is over, no MAC */
    };
    const enum scrip_status status = scrip_desfire_term_ask(term, batch, &call);
    scrip_wipe(memory, sizeof memory); /* option 01 is a key */
    return status;
}

enum scrip_status scrip_desfire_rename_files(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             const struct scrip_desfire_rename *renames, size_t count)
{
    uint8_t memory[4 * SCRIP_DESFIRE_RENAMES_MAX];
    struct scrip_buf data = SCRIP_BUF_OF(memory);
    if (count == 0 || count > SCRIP_DESFIRE_RENAMES_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    for (size_t i = 0; i < count; i++) {
        SCRIP_TRY(scrip_buf_add_u8(&data, renames[i].no));
        SCRIP_TRY(scrip_buf_add_u8(&data, renames[i].new_no));
        SCRIP_TRY(scrip_buf_add_le(&data, renames[i].iso_fid, 2));
    }
    return scrip_desfire_set_configuration(term, batch, 8, scrip_buf_bytes(&data));
}

enum scrip_status scrip_desfire_rename_df(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          struct scrip_bytes name)
{
    if (name.len == 0 || name.len > DF_NAME_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    return scrip_desfire_set_configuration(term, batch, 6, name);
}

enum scrip_status scrip_desfire_get_delegated_info(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   uint16_t slot)
{
    uint8_t params[2];
    scrip_put_le16(params, slot);
    return ask_by_table(term, batch, CMD_GET_DELEGATED_INFO, params, sizeof params);
}

/* ---- ISO 7816-4 ---- */

static enum scrip_status ask_iso(struct scrip_desfire_term *term, struct scrip_batch *batch, struct scrip_bytes apdu)
{
    SCRIP_TRY(term_room(term, batch, 1, apdu.len));
    SCRIP_TRY(term_good(batch, 0x9000));
    SCRIP_TRY(scrip_batch_add(batch, apdu));
    (void)term_push(term, KIND_ISO, apdu.at[1], 1);
    return SCRIP_OK;
}

/* CLA 00 INS P1 P2 Lc data */
static enum scrip_status ask_iso_data(struct scrip_desfire_term *term, struct scrip_batch *batch, const uint8_t head[3],
                                      struct scrip_bytes data)
{
    uint8_t memory[5 + 255];
    struct scrip_buf apdu = SCRIP_BUF_OF(memory);
    if (data.len == 0 || data.len > 255) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(scrip_buf_add(&apdu, (const uint8_t[]){0, head[0], head[1], head[2], (uint8_t)data.len}, 5));
    SCRIP_TRY(scrip_buf_add_bytes(&apdu, data));
    return ask_iso(term, batch, scrip_buf_bytes(&apdu));
}

/* A directory is selected: the session is over, here as on the card. */
static enum scrip_status ask_select_df(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t how,
                                       struct scrip_bytes what)
{
    const uint8_t head[3] = {INS_SELECT, how, NO_FCI};
    if (scrip_desfire_term_in_session(term) && term->pending_count > 0) {
        return SCRIP_E_WAIT;
    }
    SCRIP_TRY(ask_iso_data(term, batch, head, what));
    scrip_desfire_sm_end(&term->session);
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_iso_select_df(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                              struct scrip_bytes name)
{
    return name.len > DF_NAME_MAX ? SCRIP_E_ARGUMENT : ask_select_df(term, batch, 4, name);
}

enum scrip_status scrip_desfire_iso_select_fid(struct scrip_desfire_term *term, struct scrip_batch *batch, uint16_t fid)
{
    const uint8_t at[2] = {(uint8_t)(fid >> 8), (uint8_t)fid};
    return ask_select_df(term, batch, 0, SCRIP_BYTES_OF(at));
}

enum scrip_status scrip_desfire_iso_select_ef(struct scrip_desfire_term *term, struct scrip_batch *batch, uint16_t fid)
{
    const uint8_t at[2] = {(uint8_t)(fid >> 8), (uint8_t)fid};
    return ask_iso_data(term, batch, (const uint8_t[]){INS_SELECT, 2, NO_FCI}, SCRIP_BYTES_OF(at));
}

enum scrip_status scrip_desfire_iso_read_binary(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t sfi,
                                                uint8_t offset, uint8_t len)
{
    const uint8_t apdu[] = {0, INS_READ_BINARY, (uint8_t)(0x80U | (sfi & 0x1FU)), offset, len};
    return ask_iso(term, batch, SCRIP_BYTES_OF(apdu));
}

enum scrip_status scrip_desfire_iso_update_binary(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t sfi, uint8_t offset, struct scrip_bytes data)
{
    const uint8_t head[3] = {INS_UPDATE_BINARY, (uint8_t)(0x80U | (sfi & 0x1FU)), offset};
    return ask_iso_data(term, batch, head, data);
}

enum scrip_status scrip_desfire_iso_read_records(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 uint8_t sfi, uint8_t record, bool to_the_end, uint8_t len)
{
    const uint8_t p2 = (uint8_t)((sfi & 0x1FU) << 3 | (to_the_end ? 5U : 4U));
    const uint8_t apdu[] = {0, INS_READ_RECORDS, record, p2, len};
    return ask_iso(term, batch, SCRIP_BYTES_OF(apdu));
}

enum scrip_status scrip_desfire_iso_append_record(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                  uint8_t sfi, struct scrip_bytes data)
{
    return ask_iso_data(term, batch, (const uint8_t[]){INS_APPEND_RECORD, 0, (uint8_t)((sfi & 0x1FU) << 3)}, data);
}

/* ---- applications ---- */

static enum scrip_status application_put(const struct scrip_desfire_application *application, struct scrip_buf *out)
{
    uint8_t ks2 = (uint8_t)(application->ks2 & ~KS2_HAS_KS3);
    if (application->df_name_len > sizeof application->df_name ||
        (application->df_name_len > 0 && !application->has_iso_fid) ||
        (application->has_key_sets && !application->has_ks3)) {
        return SCRIP_E_ARGUMENT;
    }
    if (application->has_ks3) {
        ks2 |= KS2_HAS_KS3;
    }
    SCRIP_TRY(scrip_buf_add(out, (const uint8_t[]){application->ks1, ks2}, 2));
    if (application->has_ks3) {
        SCRIP_TRY(scrip_buf_add_u8(out, application->ks3));
    }
    if (application->has_key_sets) {
        SCRIP_TRY(scrip_buf_add(out,
                                (const uint8_t[]){application->aks_version, application->key_sets,
                                                  application->max_key_size, application->key_set_settings},
                                4));
    }
    if (application->has_iso_fid) {
        SCRIP_TRY(scrip_buf_add_le(out, application->iso_fid, 2));
        SCRIP_TRY(scrip_buf_add(out, application->df_name, application->df_name_len));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_create_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   const struct scrip_desfire_application *application)
{
    uint8_t memory[40];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(scrip_buf_add(&params, application->aid, 3));
    SCRIP_TRY(application_put(application, &params));
    return ask_by_table(term, batch, CMD_CREATE_APPLICATION, memory, params.len);
}

/* What both CreateDelegatedApplication and its MAC begin with, without the command code. */
static enum scrip_status delegated_put(const struct scrip_desfire_application *application,
                                       const struct scrip_desfire_delegation *delegation, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add(out, application->aid, 3));
    SCRIP_TRY(scrip_buf_add_le(out, delegation->slot, 2));
    SCRIP_TRY(scrip_buf_add_u8(out, delegation->slot_version));
    SCRIP_TRY(scrip_buf_add_le(out, delegation->quota, 2));
    return application_put(application, out);
}

enum scrip_status scrip_desfire_delegation_sign(const struct scrip_desfire_application *application,
                                                const uint8_t enc_key[16], const uint8_t mac_key[16],
                                                const uint8_t random[7], const struct scrip_desfire_key *initial,
                                                struct scrip_desfire_delegation *delegation)
{
    uint8_t iv[16] = {0};
    uint8_t enc_k[32] = {0};
    uint8_t memory[96];
    struct scrip_buf message = SCRIP_BUF_OF(memory);
    struct scrip_block block;
    if (initial->cipher > SCRIP_AES128) {
        return SCRIP_E_KEY;
    }
    SCRIP_TRY(scrip_buf_add_u8(&message, CMD_CREATE_DELEGATED_APPLICATION));
    SCRIP_TRY(delegated_put(application, delegation, &message));
    memcpy(enc_k, random, 7);
    memcpy(enc_k + 7, initial->bytes, scrip_cipher_key_len((enum scrip_cipher)initial->cipher));
    enc_k[31] = initial->version;
    scrip_block_init(&block, SCRIP_AES128, enc_key);
    scrip_cbc_encrypt(&block, iv, 2, delegation->enc_k, enc_k);
    scrip_block_wipe(&block);
    scrip_wipe(enc_k, sizeof enc_k);
    SCRIP_TRY(scrip_buf_add(&message, delegation->enc_k, sizeof delegation->enc_k));
    scrip_aes_mact(mac_key, scrip_buf_bytes(&message), delegation->dam_mac);
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_create_delegated_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                             const struct scrip_desfire_application *application,
                                                             const struct scrip_desfire_delegation *delegation)
{
    uint8_t memory[96];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(delegated_put(application, delegation, &params));
    const uint8_t first = (uint8_t)params.len;
    SCRIP_TRY(scrip_buf_add(&params, delegation->enc_k, sizeof delegation->enc_k));
    SCRIP_TRY(scrip_buf_add(&params, delegation->dam_mac, sizeof delegation->dam_mac));
    const struct scrip_desfire_call call = {
        .cmd = CMD_CREATE_DELEGATED_APPLICATION,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_buf_bytes(&params),
        .first_frame = first,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_delete_application(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   const uint8_t aid[3], const uint8_t *dam_mac)
{
    uint8_t params[11];
    memcpy(params, aid, 3);
    if (dam_mac != NULL) {
        memcpy(params + 3, dam_mac, 8);
    }
    return ask_by_table(term, batch, CMD_DELETE_APPLICATION, params, dam_mac != NULL ? 11 : 3);
}

/* ---- data ---- */

/* FileNo, then numbers of three bytes. */
static enum scrip_status put_header(struct scrip_buf *out, uint8_t file, const uint32_t *numbers, size_t count)
{
    SCRIP_TRY(scrip_buf_add_u8(out, file));
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] > 0xFFFFFFU) {
            return SCRIP_E_ARGUMENT;
        }
        SCRIP_TRY(scrip_buf_add_le(out, numbers[i], 3));
    }
    return SCRIP_OK;
}

static enum scrip_status ask_read(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                  const struct scrip_desfire_access *file, const uint32_t numbers[2], uint32_t back_len)
{
    uint8_t memory[7];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(put_header(&params, file->no, numbers, 2));
    const struct scrip_desfire_call call = {
        .cmd = cmd,
        .comm = file->comm,
        .params = scrip_buf_bytes(&params),
        .unknown_len = numbers[1] == 0,
        .one_frame = file->one_frame,
        .follow = file->follow,
        .back_len = back_len <= UINT16_MAX ? (uint16_t)back_len : 0,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_read_data(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          const struct scrip_desfire_access *file, uint32_t offset, uint32_t len)
{
    return ask_read(term, batch, file->long_code ? CMD_READ_DATA_ISO : CMD_READ_DATA, file,
                    (const uint32_t[]){offset, len}, len);
}

enum scrip_status scrip_desfire_read_records(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             const struct scrip_desfire_access *file, uint32_t record, uint32_t count,
                                             uint32_t record_size)
{
    return ask_read(term, batch, file->long_code ? CMD_READ_RECORDS_ISO : CMD_READ_RECORDS, file,
                    (const uint32_t[]){record, count}, count * record_size);
}

#define WRITE_MAX 1024U

static enum scrip_status ask_write(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                   const struct scrip_desfire_access *file, const uint32_t *numbers, size_t count,
                                   struct scrip_bytes data)
{
    uint8_t memory[10 + WRITE_MAX];
    struct scrip_buf params = SCRIP_BUF_OF(memory);
    SCRIP_TRY(put_header(&params, file->no, numbers, count));
    SCRIP_TRY(scrip_buf_add_bytes(&params, data));
    const struct scrip_desfire_call call = {.cmd = cmd, .comm = file->comm, .params = scrip_buf_bytes(&params)};
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_write_data(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                           const struct scrip_desfire_access *file, uint32_t offset,
                                           struct scrip_bytes data)
{
    return ask_write(term, batch, file->long_code ? CMD_WRITE_DATA_ISO : CMD_WRITE_DATA, file,
                     (const uint32_t[]){offset, (uint32_t)data.len}, 2, data);
}

enum scrip_status scrip_desfire_write_record(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                             const struct scrip_desfire_access *file, uint32_t offset,
                                             struct scrip_bytes data)
{
    return ask_write(term, batch, file->long_code ? CMD_WRITE_RECORD_ISO : CMD_WRITE_RECORD, file,
                     (const uint32_t[]){offset, (uint32_t)data.len}, 2, data);
}

enum scrip_status scrip_desfire_update_record(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                              const struct scrip_desfire_access *file, uint32_t record, uint32_t offset,
                                              struct scrip_bytes data)
{
    return ask_write(term, batch, file->long_code ? CMD_UPDATE_RECORD_ISO : CMD_UPDATE_RECORD, file,
                     (const uint32_t[]){record, offset, (uint32_t)data.len}, 3, data);
}

enum scrip_status scrip_desfire_get_value(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                          const struct scrip_desfire_access *file)
{
    const struct scrip_desfire_call call = {
        .cmd = CMD_GET_VALUE,
        .comm = file->comm,
        .params = scrip_bytes(&file->no, 1),
        .back_len = 4,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

static enum scrip_status ask_amount(struct scrip_desfire_term *term, struct scrip_batch *batch, uint8_t cmd,
                                    const struct scrip_desfire_access *file, int32_t amount)
{
    uint8_t params[5] = {file->no};
    if (amount < 0) {
        return SCRIP_E_ARGUMENT;
    }
    scrip_put_le32(params + 1, (uint32_t)amount);
    const struct scrip_desfire_call call = {.cmd = cmd, .comm = file->comm, .params = SCRIP_BYTES_OF(params)};
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_credit(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                       const struct scrip_desfire_access *file, int32_t amount)
{
    return ask_amount(term, batch, CMD_CREDIT, file, amount);
}

enum scrip_status scrip_desfire_debit(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                      const struct scrip_desfire_access *file, int32_t amount)
{
    return ask_amount(term, batch, CMD_DEBIT, file, amount);
}

enum scrip_status scrip_desfire_limited_credit(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                               const struct scrip_desfire_access *file, int32_t amount)
{
    return ask_amount(term, batch, CMD_LIMITED_CREDIT, file, amount);
}

enum scrip_status scrip_desfire_commit_reader_id(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                 const uint8_t tmri[16])
{
    const struct scrip_desfire_call call = {
        .cmd = CMD_COMMIT_READER_ID,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_bytes(tmri, 16),
        .back_len = 16,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}

enum scrip_status scrip_desfire_commit_transaction(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                                   bool with_tmv)
{
    const struct scrip_desfire_call call = {
        .cmd = CMD_COMMIT_TRANSACTION,
        .comm = SCRIP_DESFIRE_COMM_BY_TABLE,
        .params = scrip_bytes("\1", with_tmv ? 1 : 0),
        .status_only = !with_tmv,
        .back_len = with_tmv ? 12 : 0,
    };
    return scrip_desfire_term_ask(term, batch, &call);
}
