/* data.c: standard and backup data files.
 *
 * A standard file changes with the command. A backup file has two chains of pages: the file and its shadow. The first
 * write of a transaction copies the file into the shadow, all writes go there (directly: nothing valid refers to the
 * shadow), and commit exchanges the two in the file's page. */
#include "card.h"
#include <string.h>

#define TMAC_FILE_SIZE 12U /* TMC || TMV */

uint32_t data_size(const struct file *file)
{
    return file->is.type == FILE_TMAC ? TMAC_FILE_SIZE : scrip_get_le24(file->is.as.plain.size);
}

uint8_t data_read(struct scrip_desfire_card *card, const struct file *file, uint32_t offset, uint32_t len, uint8_t *dst)
{
    const uint32_t size = data_size(file);

    if (offset > size || len > size - offset) {
        return DF_BOUNDARY_ERROR;
    }
    chain_read(card, scrip_get_le16(file->is.data), offset, dst, len);
    return DF_OK;
}

uint8_t data_write(struct scrip_desfire_card *card, const struct file *file, uint32_t offset, struct scrip_bytes data)
{
    const uint32_t size = data_size(file);

    if (offset > size || data.len > size - offset) {
        return DF_BOUNDARY_ERROR;
    }
    if (file->is.type == FILE_STANDARD) {
        chain_write(card, scrip_get_le16(file->is.data), offset, data.at, data.len);
        return DF_OK;
    }
    const uint16_t shadow = scrip_get_le16(file->is.shadow);
    struct scrip_desfire_change *change = transaction_change(card, file);
    if (change->kind == CHANGE_NONE) {
        chain_copy(card, scrip_get_le16(file->is.data), shadow);
        change->kind = CHANGE_DATA;
    }
    chain_program(card, shadow, offset, data.at, data.len);
    return DF_OK;
}

/* Header: FileNo Offset[3] Length[3]. Length 0 reads to the end. */
uint8_t desfire_read_data(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint32_t offset = scrip_get_le24(cmd->header + 1);
    const uint32_t size = data_size(&cmd->file);
    uint32_t len = scrip_get_le24(cmd->header + 4);

    if (offset >= size) {
        return DF_BOUNDARY_ERROR;
    }
    cmd->protection.unknown_len = len == 0;
    len = len == 0 ? size - offset : len;
    if (len > SCRIP_DESFIRE_DATA_MAX || len > reply->data.cap) {
        return len > size - offset ? DF_BOUNDARY_ERROR : DF_LENGTH_ERROR;
    }
    uint8_t status = data_read(card, &cmd->file, offset, len, reply->data.at);
    if (status == DF_OK && access_is_dynamic(card, &cmd->file.is)) {
        status = sdm_mirror(card, &cmd->file, &cmd->app, cmd->code, offset, len, reply->data.at);
    }
    reply->data.len = len;
    scrip_put_le24(cmd->header + 4, len);
    return status;
}

/* Header: FileNo Offset[3] Length[3]. */
uint8_t desfire_write_data(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)reply;
    return data_write(card, &cmd->file, scrip_get_le24(cmd->header + 1), cmd->data);
}
