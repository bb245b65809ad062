/* The native value purse: value blocks, which the card itself takes from and copies.
 *
 * ADR is the tag: a transfer keeps the ADR of its source, so debits and copies leave it, and every credit writes the
 * next one. A new purse begins with the number of its main block. */
#include "storage.h"
#include <string.h>

static enum scrip_status get(const uint8_t block[16], int32_t *value)
{
    uint8_t address = 0;
    return scrip_classic_value_get(block, value, &address);
}

static enum scrip_status put(const struct scrip_storage_purse *purse, int32_t value, uint8_t block[16])
{
    scrip_classic_value_put(value, purse->main_block, block);
    return SCRIP_OK;
}

static enum scrip_status copy(struct scrip_batch *batch, uint8_t source, uint8_t target, const uint8_t block[16])
{
    (void)block; /* the card has it */
    return scrip_storage_copy(batch, source, target);
}

static int tag_of(const uint8_t block[16])
{
    int32_t value = 0;
    uint8_t address = 0;
    return scrip_classic_value_get(block, &value, &address) == SCRIP_OK ? address : SCRIP_STORAGE_NO_TAG;
}

/* A debit is the card's own: a gate may do no more. A credit is written, with the next tag, as key B may. */
static enum scrip_status change(const struct scrip_storage_purse *purse, struct scrip_batch *batch, int32_t before,
                                int32_t next, int tag)
{
    uint8_t block[16];
    if (next < before) {
        return scrip_storage_change(batch, purse->main_block, false, before - next);
    }
    scrip_classic_value_put(next, (uint8_t)(tag + 1), block);
    return scrip_storage_write(batch, purse->main_block, block);
}

/* ---- a proposal for the operator ---- */

enum { COPIES = 2, FIELDS = 3 };

static bool is_erased(const uint8_t block[16])
{
    for (size_t i = 1; i < 16; i++) {
        if (block[i] != block[0]) {
            return false;
        }
    }
    return block[0] == 0x00 || block[0] == 0xFF;
}

static size_t count_of(const uint32_t *fields, size_t count, uint32_t value)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++) {
        same += fields[i] == value ? 1U : 0U;
    }
    return same;
}

/* The amount that most of the up to six fields hold, if two do and no other amount has as many. */
static enum scrip_status propose(const uint8_t main[16], const uint8_t backup[16], int32_t *value)
{
    const uint8_t *const blocks[COPIES] = {main, backup};
    uint32_t fields[COPIES * FIELDS];
    size_t count = 0;
    for (size_t i = 0; i < COPIES; i++) {
        if (!is_erased(blocks[i])) {
            fields[count++] = scrip_get_le32(blocks[i]);
            fields[count++] = ~scrip_get_le32(blocks[i] + 4);
            fields[count++] = scrip_get_le32(blocks[i] + 8);
        }
    }
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = count_of(fields, count, fields[i]) > count_of(fields, count, fields[best]) ? i : best;
    }
    if (count == 0 || count_of(fields, count, fields[best]) < 2 || fields[best] > INT32_MAX) {
        return SCRIP_E_NOT_FOUND;
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i] != fields[best] && count_of(fields, count, fields[i]) == count_of(fields, count, fields[best])) {
            return SCRIP_E_NOT_FOUND;
        }
    }
    *value = (int32_t)fields[best];
    return SCRIP_OK;
}

const struct storage_kind storage_native = {get, put, copy, change, tag_of, true, propose};
