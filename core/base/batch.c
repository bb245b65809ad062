#include <scrip/batch.h>
#include <string.h>

void scrip_batch_clear(struct scrip_batch *batch)
{
    batch->count = 0;
    batch->good_count = 0;
    batch->len = 0;
}

enum scrip_status scrip_batch_add(struct scrip_batch *batch, struct scrip_bytes apdu)
{
    if (batch->count == SCRIP_BATCH_COMMANDS || apdu.len > SCRIP_BATCH_BYTES - batch->len) {
        return SCRIP_E_SPACE;
    }
    if (apdu.len > 0) {
        memcpy(batch->bytes + batch->len, apdu.at, apdu.len);
    }
    batch->len += apdu.len;
    batch->end[batch->count++] = (uint16_t)batch->len;
    return SCRIP_OK;
}

enum scrip_status scrip_batch_good(struct scrip_batch *batch, uint16_t value, uint16_t mask)
{
    if (batch->good_count == sizeof batch->good / sizeof batch->good[0]) {
        return SCRIP_E_SPACE;
    }
    batch->good[batch->good_count++] = (struct scrip_good){.value = value, .mask = mask};
    return SCRIP_OK;
}

bool scrip_batch_is_good(const struct scrip_batch *batch, uint16_t sw)
{
    for (size_t i = 0; i < batch->good_count; i++) {
        if ((sw & batch->good[i].mask) == batch->good[i].value) {
            return true;
        }
    }
    return false;
}

/* Element `i` of consecutive byte strings that are told apart by where each one ends. */
static struct scrip_bytes element(const uint8_t *bytes, const uint16_t *end, size_t i)
{
    const size_t start = i == 0 ? 0 : end[i - 1];
    return scrip_bytes(bytes + start, end[i] - start);
}

struct scrip_bytes scrip_batch_command(const struct scrip_batch *batch, size_t i)
{
    return element(batch->bytes, batch->end, i);
}

void scrip_replies_clear(struct scrip_replies *replies)
{
    replies->count = 0;
    replies->len = 0;
    replies->unanswered = false;
}

enum scrip_status scrip_replies_add(struct scrip_replies *replies, struct scrip_bytes rapdu)
{
    if (replies->count == SCRIP_BATCH_COMMANDS || rapdu.len > SCRIP_REPLY_BYTES - replies->len) {
        return SCRIP_E_SPACE;
    }
    if (rapdu.len > 0) { /* an empty one may have no address */
        memcpy(replies->bytes + replies->len, rapdu.at, rapdu.len);
    }
    replies->len += rapdu.len;
    replies->end[replies->count++] = (uint16_t)replies->len;
    return SCRIP_OK;
}

struct scrip_bytes scrip_replies_at(const struct scrip_replies *replies, size_t i)
{
    return element(replies->bytes, replies->end, i);
}

enum scrip_status scrip_batch_transmit(const struct scrip_batch *batch, struct scrip_link *link,
                                       struct scrip_replies *replies)
{
    scrip_replies_clear(replies);
    for (size_t i = 0; i < batch->count; i++) {
        struct scrip_buf rapdu = scrip_buf(replies->bytes + replies->len, SCRIP_REPLY_BYTES - replies->len);
        const enum scrip_status status = scrip_link_transmit(link, scrip_batch_command(batch, i), &rapdu);
        if (status == SCRIP_E_TORN || (status == SCRIP_OK && rapdu.len < 2)) {
            replies->unanswered = true;
            return SCRIP_OK;
        }
        if (status != SCRIP_OK) {
            return i == 0 || status != SCRIP_E_NO_CARD ? status : SCRIP_OK;
        }
        replies->len += rapdu.len;
        replies->end[replies->count++] = (uint16_t)replies->len;
        if (!scrip_batch_is_good(batch, scrip_get_be16(rapdu.at + rapdu.len - 2))) {
            return SCRIP_OK;
        }
    }
    return SCRIP_OK;
}

enum scrip_status scrip_run(struct scrip_flow *flow, struct scrip_link *link)
{
    struct scrip_batch batch;
    struct scrip_replies replies;
    enum scrip_status status = SCRIP_OK;
    do {
        scrip_batch_clear(&batch);
        status = flow->next(flow, &batch);
        if (status != SCRIP_OK || batch.count == 0) {
            break;
        }
        status = scrip_batch_transmit(&batch, link, &replies);
        status = status == SCRIP_OK ? flow->take(flow, &replies) : status;
        scrip_wipe(batch.bytes, batch.len); /* commands to a reader may hold keys */
    } while (status == SCRIP_OK);
    return status;
}
