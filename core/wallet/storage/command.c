/* What a purse on a storage card says to its reader, and what it hears. */
#include "storage.h"
#include <scrip/classic.h>
#include <scrip/pcsc.h>
#include <string.h>

enum { SLOT = 0, KEY_A = 0x60, KEY_B = 0x61, STORE_INCREMENT = 1, STORE_DECREMENT = 2, STORE_RESTORE = 3 };

static enum scrip_status add(struct scrip_batch *batch, const uint8_t *apdu, size_t len)
{
    if (batch->good_count == 0) {
        SCRIP_TRY(scrip_batch_good(batch, SCRIP_PCSC_OK, 0xFFFF));
    }
    return scrip_batch_add(batch, scrip_bytes(apdu, len));
}

enum scrip_status scrip_storage_ask_uid(struct scrip_batch *batch)
{
    static const uint8_t apdu[] = {0xFF, 0xCA, 0x00, 0x00, 0x00};
    return add(batch, apdu, sizeof apdu);
}

enum scrip_status scrip_storage_open(struct scrip_batch *batch, uint8_t block, bool key_b, const uint8_t key[6])
{
    const uint8_t authenticate[] = {0xFF, 0x86, 0x00, 0x00, 0x05, 0x01, 0x00, block, key_b ? KEY_B : KEY_A, SLOT};
    uint8_t load[11] = {0xFF, 0x82, 0x00, SLOT, 0x06};
    memcpy(load + 5, key, 6);
    const enum scrip_status status = add(batch, load, sizeof load);
    scrip_wipe(load, sizeof load);
    return status == SCRIP_OK ? add(batch, authenticate, sizeof authenticate) : status;
}

enum scrip_status scrip_storage_read(struct scrip_batch *batch, uint8_t block)
{
    const uint8_t apdu[] = {0xFF, 0xB0, 0x00, block, 0x10};
    return add(batch, apdu, sizeof apdu);
}

enum scrip_status scrip_storage_write(struct scrip_batch *batch, uint8_t block, const uint8_t data[16])
{
    uint8_t apdu[21] = {0xFF, 0xD6, 0x00, block, 0x10};
    SCRIP_TRY(scrip_classic_write_check(block, data)); /* the reader may be one that passes anything on */
    memcpy(apdu + 5, data, 16);
    const enum scrip_status status = add(batch, apdu, sizeof apdu);
    scrip_wipe(apdu, sizeof apdu); /* a trailer holds keys */
    return status;
}

enum scrip_status scrip_storage_change(struct scrip_batch *batch, uint8_t block, bool increment, int32_t amount)
{
    uint8_t apdu[10] = {0xFF, 0xD7, 0x00, block, 0x05, increment ? STORE_INCREMENT : STORE_DECREMENT};
    scrip_put_be32(apdu + 6, (uint32_t)amount);
    return add(batch, apdu, sizeof apdu);
}

enum scrip_status scrip_storage_copy(struct scrip_batch *batch, uint8_t source, uint8_t target)
{
    const uint8_t apdu[] = {0xFF, 0xD7, 0x00, source, 0x02, STORE_RESTORE, target};
    return add(batch, apdu, sizeof apdu);
}

static enum scrip_status status_of(uint16_t sw)
{
    switch (sw) {
    case SCRIP_PCSC_OK:
        return SCRIP_OK;
    case SCRIP_PCSC_NO_CARD:
        return SCRIP_E_TORN;
    case SCRIP_PCSC_NO_FUNCTION:
    case SCRIP_PCSC_NO_COMMAND:
    case 0x6E00:
        return SCRIP_E_UNSUPPORTED;
    default:
        return SCRIP_E_CARD;
    }
}

enum scrip_status scrip_storage_reply(const struct scrip_replies *replies, size_t i, struct scrip_bytes *data,
                                      uint16_t *sw)
{
    if (sw != NULL) {
        *sw = 0;
    }
    if (i >= replies->count) {
        return i == replies->count && replies->unanswered ? SCRIP_E_TORN : SCRIP_E_NO_CARD;
    }
    const struct scrip_bytes reply = scrip_replies_at(replies, i);
    if (reply.len < 2) {
        return SCRIP_E_TORN;
    }
    const uint16_t word = scrip_get_be16(reply.at + reply.len - 2);
    if (sw != NULL) {
        *sw = word;
    }
    SCRIP_TRY(status_of(word));
    if (data != NULL) {
        *data = scrip_bytes_head(reply, reply.len - 2);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_storage_reply_block(const struct scrip_replies *replies, size_t i, uint8_t block[16],
                                            uint16_t *sw)
{
    struct scrip_bytes data;
    SCRIP_TRY(scrip_storage_reply(replies, i, &data, sw));
    if (data.len != 16) {
        return SCRIP_E_LENGTH;
    }
    memcpy(block, data.at, 16);
    return SCRIP_OK;
}
