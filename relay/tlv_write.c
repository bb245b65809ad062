/* Writing messages. A template is opened before its length is known; closing it moves the content up by the length
 * bytes it needs. Contents are a few hundred bytes, so the move costs less than counting first. */
#include <scrip/relay_tlv.h>
#include <string.h>

static size_t length_octets(size_t len)
{
    return len < 0x80 ? 1 : len < 0x100 ? 2 : 3;
}

/* The length bytes for `len` (at most 65535); returns how many. */
static size_t length_put(uint8_t at[3], size_t len)
{
    const size_t octets = length_octets(len);
    at[0] = octets == 1 ? (uint8_t)len : (uint8_t)(0x80 + octets - 1);
    if (octets == 2) {
        at[1] = (uint8_t)len;
    } else if (octets == 3) {
        scrip_put_be16(at + 1, (uint16_t)len);
    }
    return octets;
}

enum scrip_status scrip_relay_open(struct scrip_buf *out, uint8_t tag, struct scrip_relay_mark *mark)
{
    SCRIP_TRY(scrip_buf_add_u8(out, tag));
    mark->start = out->len;
    return SCRIP_OK;
}

enum scrip_status scrip_relay_close(struct scrip_buf *out, const struct scrip_relay_mark *mark)
{
    const size_t len = out->len - mark->start;
    uint8_t head[3];
    if (len > 0xFFFF) {
        return SCRIP_E_LENGTH;
    }
    const size_t octets = length_put(head, len);
    if (octets > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    memmove(out->at + mark->start + octets, out->at + mark->start, len);
    memcpy(out->at + mark->start, head, octets);
    out->len += octets;
    return SCRIP_OK;
}

enum scrip_status scrip_relay_put(struct scrip_buf *out, uint8_t tag, struct scrip_bytes value)
{
    uint8_t head[4] = {tag};
    if (value.len > 0xFFFF) {
        return SCRIP_E_LENGTH;
    }
    const size_t head_len = 1 + length_put(head + 1, value.len);
    if (head_len + value.len > out->cap - out->len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add(out, head, head_len));
    return scrip_buf_add_bytes(out, value);
}

static enum scrip_status put_u8(struct scrip_buf *out, uint8_t tag, uint8_t value)
{
    return scrip_relay_put(out, tag, scrip_bytes(&value, 1));
}

static enum scrip_status put_u16(struct scrip_buf *out, uint8_t tag, uint16_t value)
{
    uint8_t at[2];
    scrip_put_be16(at, value);
    return scrip_relay_put(out, tag, SCRIP_BYTES_OF(at));
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

enum scrip_status scrip_relay_put_notice(struct scrip_buf *out, uint8_t number, const char *text)
{
    struct scrip_relay_mark mark;
    SCRIP_TRY(scrip_relay_open(out, SCRIP_RELAY_TAG_NOTICE, &mark));
    SCRIP_TRY(put_u8(out, SCRIP_RELAY_TAG_NUMBER, number));
    SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_TEXT, scrip_bytes(text, strlen(text))));
    return scrip_relay_close(out, &mark);
}

enum scrip_status scrip_relay_put_batch(struct scrip_buf *out, const struct scrip_batch *batch)
{
    uint8_t good[4 * (sizeof batch->good / sizeof batch->good[0])];
    if (batch->good_count == 0) {
        return SCRIP_E_ARGUMENT; /* no C5 would mean the ISO list, which is not what an empty list means here */
    }
    for (size_t i = 0; i < batch->good_count; i++) {
        scrip_put_be16(good + 4 * i, batch->good[i].value);
        scrip_put_be16(good + 4 * i + 2, batch->good[i].mask);
    }
    SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_GOOD, scrip_bytes(good, 4U * batch->good_count)));
    for (size_t i = 0; i < batch->count; i++) {
        SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_CAPDU, scrip_batch_command(batch, i)));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_relay_script_write(struct scrip_buf *out, const struct scrip_batch *batch, uint8_t number,
                                           const char *notice)
{
    struct scrip_relay_mark mark;
    SCRIP_TRY(scrip_relay_open(out, SCRIP_RELAY_TAG_SCRIPT, &mark));
    if (batch != NULL && batch->count != 0) {
        SCRIP_TRY(scrip_relay_put_batch(out, batch));
    }
    if (notice != NULL) {
        SCRIP_TRY(scrip_relay_put_notice(out, number, notice));
    }
    return scrip_relay_close(out, &mark);
}

/* ---- Hello and answer -------------------------------------------------------------------------------------------- */

enum scrip_status scrip_relay_put_hello(struct scrip_buf *out, const struct scrip_card_info *info, uint16_t command_max,
                                        uint16_t response_max)
{
    struct scrip_relay_mark mark;
    SCRIP_TRY(scrip_relay_open(out, SCRIP_RELAY_TAG_HELLO, &mark));
    SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_CARD, scrip_bytes(info->ats, info->ats_len)));
    if (info->uid_len != 0) {
        SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_UID, scrip_bytes(info->uid, info->uid_len)));
    }
    if (command_max != 0) {
        SCRIP_TRY(put_u16(out, SCRIP_RELAY_TAG_COMMAND_MAX, command_max));
    }
    if (response_max != 0) {
        SCRIP_TRY(put_u16(out, SCRIP_RELAY_TAG_RESPONSE_MAX, response_max));
    }
    return scrip_relay_close(out, &mark);
}

enum scrip_status scrip_relay_answer_open(struct scrip_relay_answer *answer, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_relay_open(out, SCRIP_RELAY_TAG_ANSWER, &answer->mark));
    SCRIP_TRY(put_u8(out, SCRIP_RELAY_TAG_COUNT, 0));
    answer->count_at = out->len - 1;
    return SCRIP_OK;
}

enum scrip_status scrip_relay_answer_rapdu(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                           struct scrip_bytes rapdu)
{
    SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_RAPDU, rapdu));
    out->at[answer->count_at]++;
    return SCRIP_OK;
}

enum scrip_status scrip_relay_answer_reset(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                           struct scrip_bytes ats)
{
    SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_CARD, ats));
    out->at[answer->count_at]++;
    return SCRIP_OK;
}

enum scrip_status scrip_relay_answer_unanswered(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                                uint8_t number)
{
    (void)answer;
    return put_u8(out, SCRIP_RELAY_TAG_UNANSWERED, number);
}

enum scrip_status scrip_relay_answer_closed(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                            const char *reason)
{
    struct scrip_relay_mark mark;
    (void)answer;
    SCRIP_TRY(scrip_relay_open(out, SCRIP_RELAY_TAG_CLOSED, &mark));
    SCRIP_TRY(scrip_relay_put(out, SCRIP_RELAY_TAG_TEXT, scrip_bytes(reason, strlen(reason))));
    return scrip_relay_close(out, &mark);
}

enum scrip_status scrip_relay_answer_bad(struct scrip_relay_answer *answer, struct scrip_buf *out,
                                         enum scrip_relay_bad bad)
{
    (void)answer;
    return put_u8(out, SCRIP_RELAY_TAG_BAD, (uint8_t)bad);
}

enum scrip_status scrip_relay_answer_close(struct scrip_relay_answer *answer, struct scrip_buf *out)
{
    return scrip_relay_close(out, &answer->mark);
}

enum scrip_status scrip_relay_answer_write(struct scrip_buf *out, const struct scrip_replies *replies)
{
    struct scrip_relay_answer answer;
    SCRIP_TRY(scrip_relay_answer_open(&answer, out));
    for (size_t i = 0; i < replies->count; i++) {
        SCRIP_TRY(scrip_relay_answer_rapdu(&answer, out, scrip_replies_at(replies, i)));
    }
    if (replies->unanswered) {
        SCRIP_TRY(scrip_relay_answer_unanswered(&answer, out, (uint8_t)(replies->count + 1)));
    }
    return scrip_relay_answer_close(&answer, out);
}
