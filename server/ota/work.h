/* work.h: the layout of what an order without money is told and what it brings. Private to the room. */
#ifndef SCRIP_SERVER_OTA_WORK_H
#define SCRIP_SERVER_OTA_WORK_H

#include <scrip/bytes.h>
#include <scrip/purse_desfire.h>

/** Write data: order.data is an offset into the header's free area, then the bytes. */
#define WORK_WRITE_MAX 60U

/** Change keys: order.data is the new version, one byte. */

/** What a read brings, as order.result keeps it. */
struct work_reading {
    uint32_t has; /**< SCRIP_FACT_* */
    int32_t balance;
    uint32_t tmc;
    struct scrip_purse_log topups;
    struct scrip_purse_log debits;
};

enum scrip_status work_reading_put(const struct work_reading *reading, struct scrip_buf *out);
enum scrip_status work_reading_get(struct scrip_bytes in, struct work_reading *reading);

#endif
