/* The BCD wallet: the terminal adds and writes. The main copy is written and read back before the backup is touched, so
 * that at no moment both copies are at risk. */
#include "storage.h"

static enum scrip_status put(const struct scrip_storage_purse *purse, int32_t value, uint8_t block[16])
{
    (void)purse;
    return scrip_bcd_block_put(value, block);
}

static enum scrip_status copy(struct scrip_batch *batch, uint8_t source, uint8_t target, const uint8_t block[16])
{
    (void)source;
    return scrip_storage_write(batch, target, block);
}

/* Packed BCD all the way, as on the small processors that this wallet comes from. */
static enum scrip_status change(const struct scrip_storage_purse *purse, struct scrip_batch *batch, int32_t before,
                                int32_t next, int tag)
{
    uint8_t digits[4];
    uint8_t step[4];
    uint8_t block[16];
    int32_t sum = 0;
    const bool increment = next > before;
    (void)tag;
    SCRIP_TRY(scrip_bcd_put(before, digits));
    SCRIP_TRY(scrip_bcd_put(increment ? next - before : before - next, step));
    SCRIP_TRY(increment ? scrip_bcd_add(digits, step) : scrip_bcd_sub(digits, step));
    SCRIP_TRY(scrip_bcd_get(digits, &sum));
    SCRIP_TRY(scrip_bcd_block_put(sum, block));
    return scrip_storage_write(batch, purse->main_block, block);
}

/* All bytes are the original layout's: there is no room for one. */
static int no_tag(const uint8_t block[16])
{
    (void)block;
    return SCRIP_STORAGE_NO_TAG;
}

const struct storage_kind storage_bcd = {scrip_bcd_block_get, put, copy, change, no_tag, false, scrip_bcd_propose};
