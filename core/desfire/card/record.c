/* record.c: linear and cyclic record files.
 *
 * Records lie in slots; `first` is the slot of the oldest, `count` how many are valid, and the slot behind the newest
 * is spare. WriteRecord fills the spare slot, commit only moves the bounds. UpdateRecord prepares the changed record in
 * the spare slot, commit copies it. So a cyclic file of n slots shows n - 1 records; a linear file is given one slot
 * more than it shows. Slots share pages with their neighbours, which is why even the spare one is written through the
 * log. */
#include "card.h"
#include <string.h>

/* Pages of records that pending updates of one transaction may copy at commit: what the log holds, less the pages of
 * the files themselves and the Transaction MAC. */
#define UPDATE_PAGES_MAX (SCRIP_DESFIRE_LOG_SLOTS - SCRIP_DESFIRE_FILES - 2U)

struct records {
    uint32_t size, count, first;
    uint32_t slots;   /* all */
    uint32_t visible; /* most valid ones */
};

static struct records bounds(const struct file *file)
{
    const uint32_t max = scrip_get_le24(file->is.as.records.max);
    const bool cyclic = file->is.type == FILE_CYCLIC;
    return (struct records){
        .size = scrip_get_le24(file->is.as.records.size),
        .count = scrip_get_le24(file->is.as.records.count),
        .first = scrip_get_le24(file->is.as.records.first),
        .slots = cyclic ? max : max + 1,
        .visible = cyclic ? max - 1 : max,
    };
}

/* Byte offset of the slot that is `age` places behind the oldest record. */
static size_t slot_offset(const struct records *records, uint32_t age)
{
    return (size_t)((records->first + age) % records->slots) * records->size;
}

static size_t spare_offset(const struct records *records)
{
    return slot_offset(records, records->count);
}

/* Byte offset of a valid record; 0 is the newest. */
static size_t record_offset(const struct records *records, uint32_t number)
{
    return slot_offset(records, records->count - 1 - number);
}

/* ---- reading ---- */

uint8_t record_read(struct scrip_desfire_card *card, const struct file *file, uint32_t number, uint32_t count,
                    struct scrip_buf *dst)
{
    const struct records records = bounds(file);

    if (number >= records.count || count > records.count - number) {
        return DF_BOUNDARY_ERROR;
    }
    count = count == 0 ? records.count - number : count;
    if (count > SCRIP_DESFIRE_DATA_MAX / records.size || count * records.size > dst->cap - dst->len) {
        return DF_LENGTH_ERROR;
    }
    for (uint32_t i = count; i-- > 0;) { /* the oldest first */
        chain_read(card, scrip_get_le16(file->is.data), record_offset(&records, number + i), dst->at + dst->len,
                   records.size);
        dst->len += records.size;
    }
    return DF_OK;
}

/* Header: FileNo RecNo[3] Count[3]. Count 0 reads to the oldest. */
uint8_t desfire_read_records(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint32_t count = scrip_get_le24(cmd->header + 4);

    cmd->protection.unknown_len = count == 0;
    const uint8_t status = record_read(card, &cmd->file, scrip_get_le24(cmd->header + 1), count, &reply->data);
    if (status == DF_OK) {
        const uint32_t size = scrip_get_le24(cmd->file.is.as.records.size);
        scrip_put_le24(cmd->header + 4, (uint32_t)reply->data.len / size);
    }
    return status;
}

/* ---- changing ---- */

static void fill_spare(struct scrip_desfire_card *card, const struct file *file, const struct records *records)
{
    static const uint8_t zeros[NV_PAGE];
    size_t at = spare_offset(records);
    for (size_t left = records->size; left > 0;) {
        const size_t part = left < sizeof zeros ? left : sizeof zeros;
        chain_write(card, scrip_get_le16(file->is.data), at, zeros, part);
        at += part;
        left -= part;
    }
}

uint8_t record_append(struct scrip_desfire_card *card, const struct file *file, uint32_t offset,
                      struct scrip_bytes data)
{
    const struct records records = bounds(file);
    const struct scrip_desfire_change *present = transaction_present(card, file);

    if (offset > records.size || data.len > records.size - offset ||
        (file->is.type == FILE_LINEAR && records.count >= records.visible)) {
        return DF_BOUNDARY_ERROR;
    }
    if (present->kind != CHANGE_NONE && present->kind != CHANGE_APPEND) {
        return DF_BOUNDARY_ERROR; /* cleared, or a record of it was updated */
    }
    if (present->kind == CHANGE_NONE) {
        fill_spare(card, file, &records);
    }
    chain_write(card, scrip_get_le16(file->is.data), spare_offset(&records) + offset, data.at, data.len);
    transaction_change(card, file)->kind = CHANGE_APPEND;
    return DF_OK;
}

/* Header: FileNo Offset[3] Length[3]. */
uint8_t desfire_write_record(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)reply;
    return record_append(card, &cmd->file, scrip_get_le24(cmd->header + 1), cmd->data);
}

static void copy_record(struct scrip_desfire_card *card, const struct file *file, size_t from, size_t to, size_t len)
{
    const uint16_t chain = scrip_get_le16(file->is.data);
    uint8_t part[NV_PAGE];
    for (size_t done = 0; done < len; done += sizeof part) {
        const size_t n = len - done < sizeof part ? len - done : sizeof part;
        chain_read(card, chain, from + done, part, n);
        chain_write(card, chain, to + done, part, n);
    }
}

/* Pages that the updates pending so far in one application will copy at commit. */
static uint32_t update_pages(struct scrip_desfire_card *card, const struct app *app)
{
    struct file file;
    uint32_t pages = 0;
    for (uint8_t number = 0; number < SCRIP_DESFIRE_FILES; number++) {
        if (card->transaction.change[app->side][number].kind == CHANGE_UPDATE && file_find(card, app, number, &file)) {
            pages += bounds(&file).size / NV_PAGE + 2;
        }
    }
    return pages;
}

static uint32_t pending_update_pages(struct scrip_desfire_card *card)
{
    struct app app;
    uint32_t pages = 0;
    if (app_selected(card, &app)) {
        pages += update_pages(card, &app);
    }
    if (app_second(card, &app)) {
        pages += update_pages(card, &app);
    }
    return pages;
}

/* Header: FileNo RecNo[3] Offset[3] Length[3]. */
uint8_t desfire_update_record(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct file *file = &cmd->file;
    const struct records records = bounds(file);
    const struct scrip_desfire_change *present = transaction_present(card, file);
    const uint32_t number = scrip_get_le24(cmd->header + 1);
    const uint32_t offset = scrip_get_le24(cmd->header + 4);
    (void)reply;

    if (number >= records.count || offset > records.size || cmd->data.len > records.size - offset) {
        return DF_BOUNDARY_ERROR;
    }
    const bool again = present->kind == CHANGE_UPDATE && present->record == number;
    if (present->kind != CHANGE_NONE && !again) {
        return DF_BOUNDARY_ERROR; /* one change of a record file at a time */
    }
    if (!again) {
        if (pending_update_pages(card) + records.size / NV_PAGE + 2 > UPDATE_PAGES_MAX) {
            return DF_OUT_OF_EEPROM;
        }
        copy_record(card, file, record_offset(&records, number), spare_offset(&records), records.size);
    }
    chain_write(card, scrip_get_le16(file->is.data), spare_offset(&records) + offset, cmd->data.at, cmd->data.len);
    struct scrip_desfire_change *change = transaction_change(card, file);
    change->kind = CHANGE_UPDATE;
    change->record = number;
    return DF_OK;
}

uint8_t desfire_clear_record_file(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file file;
    uint8_t number = cmd->data.at[0];
    uint8_t comm;
    (void)reply;

    if (!app_meant(card, &cmd->app, &number) || !file_find(card, &cmd->app, number, &file)) {
        return DF_FILE_NOT_FOUND;
    }
    if (file.side != 0 && scrip_get_le16(cmd->app.is.tmac) != 0) {
        return DF_PERMISSION_DENIED;
    }
    if (file.is.type != FILE_LINEAR && file.is.type != FILE_CYCLIC) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t status = access_decide(card, &file, RIGHT_WRITE | RIGHT_READ_WRITE, &comm);
    if (status != DF_OK) {
        return status;
    }
    if (access_tmc_exhausted(card, &cmd->app)) {
        return DF_PERMISSION_DENIED;
    }
    transaction_change(card, &file)->kind = CHANGE_CLEAR; /* whatever was pending is emptied too */
    const uint8_t part[2] = {cmd->code, cmd->data.at[0]};
    transaction_add(card, &cmd->app, SCRIP_BYTES_OF(part), scrip_bytes(NULL, 0));
    return DF_OK;
}

void record_commit(struct scrip_desfire_card *card, struct file *file, const struct scrip_desfire_change *change)
{
    struct records records = bounds(file);

    if (change->kind == CHANGE_UPDATE) {
        copy_record(card, file, spare_offset(&records), record_offset(&records, change->record), records.size);
        return;
    }
    if (change->kind == CHANGE_CLEAR) {
        records.count = 0;
        records.first = 0;
    } else if (records.count < records.visible) {
        records.count++;
    } else {
        records.first = (records.first + 1) % records.slots; /* the oldest makes room */
    }
    scrip_put_le24(file->is.as.records.count, records.count);
    scrip_put_le24(file->is.as.records.first, records.first);
    file_store(card, file);
}
