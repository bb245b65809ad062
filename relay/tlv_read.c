/* Reading messages. One small parser finds tag, length and value; everything else is a loop over it. */
#include "tlv.h"
#include <scrip/relay_tlv.h>
#include <string.h>

enum scrip_relay_bad relay_tlv_take(struct scrip_bytes *rest, struct relay_tlv *tlv)
{
    if (rest->len < 2 || rest->at[1] == 0x80) {
        return SCRIP_RELAY_NO_LENGTH;
    }
    size_t head = 2;
    size_t len = rest->at[1];
    if (len > 0x80) {
        const size_t octets = len - 0x80;
        if (octets > 2) {
            return SCRIP_RELAY_BAD_LENGTH; /* over 65535 bytes: no message is that long */
        }
        head += octets;
        if (rest->len < head) {
            return SCRIP_RELAY_NO_LENGTH;
        }
        len = octets == 1 ? rest->at[2] : scrip_get_be16(rest->at + 2);
    }
    if (len > rest->len - head) {
        return SCRIP_RELAY_BAD_LENGTH;
    }
    *tlv = (struct relay_tlv){.tag = rest->at[0], .value = scrip_bytes(rest->at + head, len)};
    *rest = scrip_bytes_from(*rest, head + len);
    return SCRIP_RELAY_FINE;
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

/* E0 { 02 n, 0C text }: both exactly once, in this order. */
static enum scrip_relay_bad notice_read(struct scrip_bytes value, struct scrip_relay_item *item)
{
    static const uint8_t order[] = {SCRIP_RELAY_TAG_NUMBER, SCRIP_RELAY_TAG_TEXT};
    struct relay_tlv part[2];
    for (size_t i = 0; i < 2; i++) {
        if (value.len == 0) {
            return SCRIP_RELAY_BAD_LENGTH;
        }
        const enum scrip_relay_bad bad = relay_tlv_take(&value, &part[i]);
        if (bad != SCRIP_RELAY_FINE) {
            return bad;
        }
        if (part[i].tag != order[i]) {
            return SCRIP_RELAY_BAD_TAG;
        }
    }
    if (value.len != 0) {
        return value.at[0] == order[0] || value.at[0] == order[1] ? SCRIP_RELAY_BAD_LENGTH : SCRIP_RELAY_BAD_TAG;
    }
    if (part[0].value.len != 1) {
        return SCRIP_RELAY_BAD_LENGTH;
    }
    *item =
        (struct scrip_relay_item){.kind = SCRIP_RELAY_NOTICE, .number = part[0].value.at[0], .bytes = part[1].value};
    return SCRIP_RELAY_FINE;
}

/* One element of an AA. `item->kind` is SCRIP_RELAY_END for a C5, whose value is in `item->good`. */
static enum scrip_relay_bad element_read(const struct relay_tlv *tlv, uint32_t command_max,
                                         struct scrip_relay_item *item)
{
    const size_t len = tlv->value.len;
    *item = (struct scrip_relay_item){.kind = SCRIP_RELAY_END};
    switch (tlv->tag) {
    case SCRIP_RELAY_TAG_CAPDU:
        item->kind = SCRIP_RELAY_COMMAND;
        item->bytes = tlv->value;
        return len < SCRIP_RELAY_CAPDU_MIN || len > command_max ? SCRIP_RELAY_BAD_LENGTH : SCRIP_RELAY_FINE;
    case SCRIP_RELAY_TAG_GOOD:
        item->good = tlv->value;
        return len % 4 != 0 ? SCRIP_RELAY_BAD_LENGTH : SCRIP_RELAY_FINE;
    case SCRIP_RELAY_TAG_CARD:
        item->kind = SCRIP_RELAY_RESET;
        return len != 0 ? SCRIP_RELAY_BAD_LENGTH : SCRIP_RELAY_FINE;
    case SCRIP_RELAY_TAG_NOTICE:
        return notice_read(tlv->value, item);
    default:
        return SCRIP_RELAY_BAD_TAG;
    }
}

static bool is_counted(const struct scrip_relay_item *item)
{
    return item->kind == SCRIP_RELAY_COMMAND || item->kind == SCRIP_RELAY_RESET;
}

/* The content of the one template that a script is. */
static enum scrip_relay_bad template_read(struct scrip_bytes body, struct scrip_bytes *content)
{
    if (body.len == 0 || body.at[0] == 0xAE) { /* AE: the indefinite form of AA */
        return SCRIP_RELAY_NO_LENGTH;
    }
    if (body.at[0] != SCRIP_RELAY_TAG_SCRIPT) {
        return SCRIP_RELAY_BAD_TAG;
    }
    if (body.len > SCRIP_RELAY_BODY_MAX) {
        return SCRIP_RELAY_BAD_LENGTH;
    }
    struct relay_tlv tlv;
    const enum scrip_relay_bad bad = relay_tlv_take(&body, &tlv);
    if (bad != SCRIP_RELAY_FINE) {
        return bad;
    }
    *content = tlv.value;
    return body.len != 0 ? SCRIP_RELAY_BAD_LENGTH : SCRIP_RELAY_FINE;
}

enum scrip_relay_bad scrip_relay_script_open(struct scrip_relay_script *script, struct scrip_bytes body,
                                             const struct scrip_relay_limits *limits)
{
    const uint32_t command_max = limits != NULL ? limits->command_max : SCRIP_RELAY_CAPDU_MAX;
    struct scrip_bytes content = {0};
    size_t counted = 0;
    enum scrip_relay_bad bad = template_read(body, &content);
    struct scrip_bytes rest = content;
    while (bad == SCRIP_RELAY_FINE && rest.len != 0) {
        struct relay_tlv tlv;
        struct scrip_relay_item item;
        bad = relay_tlv_take(&rest, &tlv);
        if (bad == SCRIP_RELAY_FINE) {
            bad = element_read(&tlv, command_max, &item);
        }
        if (bad == SCRIP_RELAY_FINE && is_counted(&item) && ++counted > SCRIP_RELAY_ITEMS_MAX) {
            bad = SCRIP_RELAY_BAD_LENGTH;
        }
    }
    if (bad == SCRIP_RELAY_FINE) {
        *script = (struct scrip_relay_script){.rest = content, .items = (uint8_t)counted};
    }
    return bad;
}

void scrip_relay_script_next(struct scrip_relay_script *script, struct scrip_relay_item *item)
{
    *item = (struct scrip_relay_item){.kind = SCRIP_RELAY_END};
    while (script->rest.len != 0 && item->kind == SCRIP_RELAY_END) {
        struct relay_tlv tlv;
        if (relay_tlv_take(&script->rest, &tlv) != SCRIP_RELAY_FINE ||
            element_read(&tlv, SCRIP_RELAY_CAPDU_LONG, item) != SCRIP_RELAY_FINE) {
            script->rest.len = 0; /* cannot be: it was checked. End rather than loop */
            *item = (struct scrip_relay_item){.kind = SCRIP_RELAY_END};
            return;
        }
        if (item->kind == SCRIP_RELAY_END) {
            script->good = item->good;
        }
    }
    if (is_counted(item)) {
        item->number = ++script->number;
        item->good = script->good;
    }
}

bool scrip_relay_sw_good(struct scrip_bytes good, uint16_t sw)
{
    if (good.len == 0) {
        return sw == 0x9000 || (sw & 0xFF00) == 0x6100;
    }
    for (size_t i = 0; i + 4 <= good.len; i += 4) {
        if ((sw & scrip_get_be16(good.at + i + 2)) == scrip_get_be16(good.at + i)) {
            return true;
        }
    }
    return false;
}

static enum scrip_status batch_good(struct scrip_batch *batch, struct scrip_bytes good)
{
    if (good.len == 0) {
        SCRIP_TRY(scrip_batch_good(batch, 0x9000, 0xFFFF));
        return scrip_batch_good(batch, 0x6100, 0xFF00);
    }
    for (size_t i = 0; i < good.len; i += 4) {
        SCRIP_TRY(scrip_batch_good(batch, scrip_get_be16(good.at + i), scrip_get_be16(good.at + i + 2)));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_relay_script_batch(struct scrip_bytes body, struct scrip_batch *batch)
{
    struct scrip_relay_script script;
    if (scrip_relay_script_open(&script, body, NULL) != SCRIP_RELAY_FINE) {
        return SCRIP_E_FORMAT;
    }
    struct scrip_relay_item item;
    struct scrip_bytes good = {0};
    scrip_batch_clear(batch);
    for (scrip_relay_script_next(&script, &item); item.kind != SCRIP_RELAY_END;
         scrip_relay_script_next(&script, &item)) {
        if (item.kind == SCRIP_RELAY_NOTICE) {
            continue;
        }
        if (item.kind == SCRIP_RELAY_RESET || (batch->count != 0 && !scrip_bytes_equal(good, item.good))) {
            return SCRIP_E_UNSUPPORTED;
        }
        good = item.good;
        SCRIP_TRY(scrip_batch_add(batch, item.bytes));
    }
    return batch_good(batch, good);
}

/* ---- Reports ----------------------------------------------------------------------------------------------------- */

/* E8 { C0 ATS [, C3 UID] [, C1, C2] }: C0 is a must, nothing twice. */
static enum scrip_status hello_read(struct scrip_bytes value, struct scrip_relay_report *report)
{
    unsigned seen = 0;
    report->hello = true;
    while (value.len != 0) {
        struct relay_tlv tlv;
        if (relay_tlv_take(&value, &tlv) != SCRIP_RELAY_FINE || tlv.tag < SCRIP_RELAY_TAG_CARD ||
            tlv.tag > SCRIP_RELAY_TAG_UID) {
            return SCRIP_E_FORMAT;
        }
        const unsigned bit = 1U << (tlv.tag - SCRIP_RELAY_TAG_CARD);
        const size_t len = tlv.value.len;
        if ((seen & bit) != 0) {
            return SCRIP_E_FORMAT;
        }
        seen |= bit;
        if (tlv.tag == SCRIP_RELAY_TAG_CARD && len <= SCRIP_RELAY_ATS_MAX) {
            report->ats = tlv.value;
        } else if (tlv.tag == SCRIP_RELAY_TAG_UID && len <= 10) {
            report->uid = tlv.value;
        } else if (tlv.tag == SCRIP_RELAY_TAG_COMMAND_MAX && len == 2) {
            report->command_max = scrip_get_be16(tlv.value.at);
        } else if (tlv.tag == SCRIP_RELAY_TAG_RESPONSE_MAX && len == 2) {
            report->response_max = scrip_get_be16(tlv.value.at);
        } else {
            return SCRIP_E_FORMAT;
        }
    }
    return (seen & 1U) != 0 ? SCRIP_OK : SCRIP_E_FORMAT;
}

static enum scrip_status closed_read(struct scrip_bytes value, struct scrip_relay_report *report)
{
    struct relay_tlv tlv;
    if (report->closed || relay_tlv_take(&value, &tlv) != SCRIP_RELAY_FINE || tlv.tag != SCRIP_RELAY_TAG_TEXT ||
        value.len != 0) {
        return SCRIP_E_FORMAT;
    }
    report->closed = true;
    report->reason = tlv.value;
    return SCRIP_OK;
}

/* One element of an AB behind 80. `cards` counts the C0 seen. */
static enum scrip_status answer_element(const struct relay_tlv *tlv, struct scrip_relay_report *report, size_t *cards)
{
    const size_t len = tlv->value.len;
    const bool over = report->unanswered != 0 || report->closed || report->bad != 0;
    switch (tlv->tag) {
    case SCRIP_RELAY_TAG_RAPDU:
        report->responses++;
        return over || len < SCRIP_RELAY_RAPDU_MIN || report->responses == 0 ? SCRIP_E_FORMAT : SCRIP_OK;
    case SCRIP_RELAY_TAG_CARD:
        if (*cards == 0 && report->responses == 0 && !report->hello) {
            report->ats = tlv->value;
        }
        return over || len > SCRIP_RELAY_ATS_MAX || ++*cards > SCRIP_RELAY_ITEMS_MAX ? SCRIP_E_FORMAT : SCRIP_OK;
    case SCRIP_RELAY_TAG_UNANSWERED:
        if (over || len != 1 || tlv->value.at[0] == 0) {
            return SCRIP_E_FORMAT;
        }
        report->unanswered = tlv->value.at[0];
        return SCRIP_OK;
    case SCRIP_RELAY_TAG_CLOSED:
        return closed_read(tlv->value, report);
    case SCRIP_RELAY_TAG_BAD:
        if (over || len != 1 || tlv->value.at[0] == 0) {
            return SCRIP_E_FORMAT;
        }
        report->bad = tlv->value.at[0];
        return SCRIP_OK;
    default:
        return SCRIP_E_FORMAT;
    }
}

/* 80 counts responses and resets; one C0 more says which card arrived, and is not counted. An unanswered element is the
 * one behind those that were answered. */
static enum scrip_status counts_agree(struct scrip_relay_report *report, size_t cards)
{
    if (report->count < report->responses) {
        return SCRIP_E_FORMAT;
    }
    report->resets = (uint8_t)(report->count - report->responses);
    if (cards < report->resets || cards > report->resets + 1U) {
        return SCRIP_E_FORMAT;
    }
    if (report->unanswered != 0 && report->unanswered != report->count + 1U) {
        return SCRIP_E_FORMAT;
    }
    return SCRIP_OK;
}

static enum scrip_status answer_read(struct scrip_bytes value, struct scrip_relay_report *report)
{
    struct relay_tlv tlv;
    if (relay_tlv_take(&value, &tlv) != SCRIP_RELAY_FINE || tlv.tag != SCRIP_RELAY_TAG_COUNT || tlv.value.len != 1) {
        return SCRIP_E_FORMAT;
    }
    report->answer = true;
    report->count = tlv.value.at[0];
    report->items = value;
    size_t cards = 0;
    while (value.len != 0) {
        if (relay_tlv_take(&value, &tlv) != SCRIP_RELAY_FINE) {
            return SCRIP_E_FORMAT;
        }
        SCRIP_TRY(answer_element(&tlv, report, &cards));
    }
    return counts_agree(report, cards);
}

enum scrip_status scrip_relay_report_read(struct scrip_bytes body, struct scrip_relay_report *report)
{
    struct scrip_relay_report read = {.command_max = SCRIP_RELAY_CAPDU_MAX, .response_max = SCRIP_RELAY_RAPDU_MAX};
    struct relay_tlv tlv;
    if (body.len > SCRIP_RELAY_BODY_MAX) {
        return SCRIP_E_LENGTH;
    }
    if (relay_tlv_take(&body, &tlv) != SCRIP_RELAY_FINE) {
        return SCRIP_E_FORMAT;
    }
    if (tlv.tag == SCRIP_RELAY_TAG_HELLO) {
        SCRIP_TRY(hello_read(tlv.value, &read));
        if (body.len == 0) {
            *report = read;
            return SCRIP_OK;
        }
        if (relay_tlv_take(&body, &tlv) != SCRIP_RELAY_FINE) {
            return SCRIP_E_FORMAT;
        }
    }
    if (tlv.tag != SCRIP_RELAY_TAG_ANSWER || body.len != 0) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(answer_read(tlv.value, &read));
    *report = read;
    return SCRIP_OK;
}

struct scrip_bytes scrip_relay_report_rapdu(const struct scrip_relay_report *report, size_t i)
{
    struct scrip_bytes rest = report->items;
    struct relay_tlv tlv;
    while (rest.len != 0 && relay_tlv_take(&rest, &tlv) == SCRIP_RELAY_FINE) {
        if (tlv.tag == SCRIP_RELAY_TAG_RAPDU && i-- == 0) {
            return tlv.value;
        }
    }
    return scrip_bytes(NULL, 0);
}

enum scrip_status scrip_relay_report_replies(const struct scrip_relay_report *report, struct scrip_replies *replies)
{
    struct scrip_bytes rest = report->items;
    struct relay_tlv tlv;
    scrip_replies_clear(replies);
    while (rest.len != 0 && relay_tlv_take(&rest, &tlv) == SCRIP_RELAY_FINE) {
        if (tlv.tag == SCRIP_RELAY_TAG_RAPDU) {
            SCRIP_TRY(scrip_replies_add(replies, tlv.value));
        }
    }
    replies->unanswered = report->unanswered != 0;
    return SCRIP_OK;
}
