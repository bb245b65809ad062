#include "work.h"

#include <string.h>

#define VERSION 1U

static enum scrip_status put_log(const struct scrip_purse_log *log, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add_u8(out, log->count));
    return scrip_buf_add(out, log->records, (size_t)log->count * SCRIP_PURSE_RECORD);
}

enum scrip_status work_reading_put(const struct work_reading *reading, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add_u8(out, VERSION));
    SCRIP_TRY(scrip_buf_add_le(out, reading->has, 4));
    SCRIP_TRY(scrip_buf_add_le(out, (uint32_t)reading->balance, 4));
    SCRIP_TRY(scrip_buf_add_le(out, reading->tmc, 4));
    SCRIP_TRY(put_log(&reading->topups, out));
    return put_log(&reading->debits, out);
}

static enum scrip_status get_log(struct scrip_bytes *in, struct scrip_purse_log *log)
{
    struct scrip_bytes count;
    struct scrip_bytes records;
    SCRIP_TRY(scrip_bytes_take(in, 1, &count));
    if (count.at[0] > SCRIP_PURSE_LOG_RECORDS) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(scrip_bytes_take(in, (size_t)count.at[0] * SCRIP_PURSE_RECORD, &records));
    log->count = count.at[0];
    log->whole = true;
    if (records.len > 0) {
        memcpy(log->records, records.at, records.len);
    }
    return SCRIP_OK;
}

enum scrip_status work_reading_get(struct scrip_bytes in, struct work_reading *reading)
{
    struct scrip_bytes head;
    memset(reading, 0, sizeof *reading);
    SCRIP_TRY(scrip_bytes_take(&in, 13, &head));
    if (head.at[0] != VERSION) {
        return SCRIP_E_UNSUPPORTED;
    }
    reading->has = scrip_get_le32(head.at + 1);
    reading->balance = scrip_get_le32s(head.at + 5);
    reading->tmc = scrip_get_le32(head.at + 9);
    SCRIP_TRY(get_log(&in, &reading->topups));
    return get_log(&in, &reading->debits);
}
