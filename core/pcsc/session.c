/* The transparent session of PC/SC 2.02: frames of one's own through any reader.
 *
 * A command holds objects, carried out one after the other; the first that fails ends it. The answer always begins with
 * C0 03: the number of the object that failed (or 0) and a status word of its own; the command as a whole says 9000.
 *
 * What is sent raw changes the card in ways that the reader does not follow, so the next ordinary command selects the
 * card again. Flags hold until the session ends or others are set; bits and timer hold for one exchange. */
#include "session.h"
#include <string.h>

struct object {
    uint16_t tag;
    uint8_t len_min, len_max; /* 255: any */
    session_object *handler;
};

enum scrip_status session_put(struct scrip_buf *out, uint16_t tag, struct scrip_bytes value)
{
    SCRIP_TRY(scrip_buf_add_be(out, tag, tag > 0xFF ? 2 : 1));
    SCRIP_TRY(scrip_buf_add_u8(out, (uint8_t)value.len)); /* below 80h, as its callers know */
    return scrip_buf_add_bytes(out, value);
}

enum scrip_status pcsc_tlv_take(struct scrip_bytes *left, uint16_t *tag, struct scrip_bytes *value)
{
    struct scrip_bytes rest = *left;
    struct scrip_bytes part;
    size_t len = 0;
    SCRIP_TRY(scrip_bytes_take(&rest, 1, &part));
    *tag = part.at[0];
    if ((part.at[0] & 0x1F) == 0x1F) {
        SCRIP_TRY(scrip_bytes_take(&rest, 1, &part));
        *tag = (uint16_t)(*tag << 8 | part.at[0]);
    }
    SCRIP_TRY(scrip_bytes_take(&rest, 1, &part));
    len = part.at[0];
    if (len >= 0x80) {
        const size_t bytes = len - 0x80;
        if (bytes == 0 || bytes > 2) {
            return SCRIP_E_LENGTH;
        }
        SCRIP_TRY(scrip_bytes_take(&rest, bytes, &part));
        len = bytes == 1 ? part.at[0] : scrip_get_be16(part.at);
    }
    SCRIP_TRY(scrip_bytes_take(&rest, len, value));
    *left = rest;
    return SCRIP_OK;
}

/* ---- Managing the session ---------------------------------------------------------------------------------------- */

void session_defaults(struct scrip_pcsc *pcsc)
{
    pcsc->raw = (struct scrip_coupler_raw){.crc_out = true, .crc_in = true, .parity = true};
    pcsc->fwt_us = FWT_DEFAULT_US;
    pcsc->prologue = true;
    pcsc->layer = session_part_4(pcsc) ? 4 : 3;
}

enum scrip_status session_version(struct session *session, struct scrip_bytes value)
{
    static const uint8_t version[] = {2, 2, 0};
    (void)value;
    return session_put(session->answer->out, TAG_VERSION, SCRIP_BYTES_OF(version));
}

enum scrip_status session_start(struct session *session, struct scrip_bytes value)
{
    struct scrip_pcsc *pcsc = session->pcsc;
    (void)value;
    SCRIP_TRY(pcsc_select(pcsc)); /* raw frames go to a card that listens */
    session_defaults(pcsc);
    pcsc->transparent = true;
    return SCRIP_OK;
}

enum scrip_status session_end(struct session *session, struct scrip_bytes value)
{
    (void)value;
    if (!session->pcsc->transparent) {
        return refuse(session->answer, NOT_EXECUTED);
    }
    session->pcsc->transparent = false;
    session_defaults(session->pcsc);
    return SCRIP_OK;
}

static enum scrip_status carrier(struct session *session, bool on)
{
    struct scrip_pcsc *pcsc = session->pcsc;
    if (!pcsc->transparent) {
        return refuse(session->answer, NOT_EXECUTED);
    }
    if (on != pcsc->dark) {
        return SCRIP_OK; /* as it is */
    }
    pcsc_drop(pcsc);
    SCRIP_TRY(pcsc->coupler->ops->power(pcsc->coupler, on));
    pcsc->dark = !on;
    pcsc->cycled = true;
    return SCRIP_OK;
}

enum scrip_status session_rf_off(struct session *session, struct scrip_bytes value)
{
    (void)value;
    return carrier(session, false);
}

enum scrip_status session_rf_on(struct session *session, struct scrip_bytes value)
{
    (void)value;
    return carrier(session, true);
}

/* Here a delay: switching the carrier waits as long as cards need by itself. */
enum scrip_status session_delay(struct session *session, struct scrip_bytes value)
{
    (void)session;
    (void)value;
    return SCRIP_OK;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static enum scrip_status value_object(struct session *session, struct scrip_bytes value, uint8_t command)
{
    uint16_t tag_block = 0;
    uint16_t tag_value = 0;
    struct scrip_bytes block = scrip_bytes(NULL, 0);
    struct scrip_bytes operand = scrip_bytes(NULL, 0);
    if (pcsc_tlv_take(&value, &tag_block, &block) != SCRIP_OK ||
        pcsc_tlv_take(&value, &tag_value, &operand) != SCRIP_OK || value.len != 0 || tag_block != 0x80 ||
        tag_value != 0x81 || block.len != 1 || operand.len != 4) {
        return refuse(session->answer, WRONG_VALUE);
    }
    return pcsc_value_change(session->pcsc, session->answer, command, block.at[0], operand.at);
}

enum scrip_status session_increment(struct session *session, struct scrip_bytes value)
{
    return value_object(session, value, 0xC1);
}

enum scrip_status session_decrement(struct session *session, struct scrip_bytes value)
{
    return value_object(session, value, 0xC0);
}

/* ---- The four commands ------------------------------------------------------------------------------------------- */

/* What stands in C0 for an object; 0: the command as a whole fails. */
static uint16_t object_word(const struct answer *answer, enum scrip_status status)
{
    switch (status) {
    case SCRIP_OK:
        return SCRIP_PCSC_OK;
    case SCRIP_E_CARD:
        return answer->sw != 0 ? answer->sw : SCRIP_PCSC_FAILED;
    case SCRIP_E_TIMEOUT:
    case SCRIP_E_TORN:
    case SCRIP_E_NO_CARD:
        return NO_ANSWER;
    case SCRIP_E_UNSUPPORTED:
    case SCRIP_E_ARGUMENT:
    case SCRIP_E_STATE:
        return NOT_SUPPORTED;
    case SCRIP_E_LINK:
    case SCRIP_E_SPACE:
        return 0;
    default:
        return FAILED;
    }
}

static enum scrip_status object_run(struct session *session, const struct object *objects, size_t count,
                                    struct scrip_bytes *left)
{
    uint16_t tag = 0;
    struct scrip_bytes value;
    if (pcsc_tlv_take(left, &tag, &value) != SCRIP_OK) {
        return refuse(session->answer, WRONG_LENGTH);
    }
    for (size_t i = 0; i < count; i++) {
        if (objects[i].tag == tag) {
            const bool fits =
                value.len >= objects[i].len_min && (objects[i].len_max == 255 || value.len <= objects[i].len_max);
            return fits ? objects[i].handler(session, value) : refuse(session->answer, WRONG_LENGTH);
        }
    }
    return refuse(session->answer, NOT_SUPPORTED);
}

static enum scrip_status run(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer,
                             const struct object *objects, size_t count)
{
    static const uint8_t good[] = {TAG_ERROR, 3, 0, 0x90, 0x00};
    struct session session = {.pcsc = pcsc, .answer = answer};
    struct scrip_bytes left = cmd->data;
    const size_t head = answer->out->len;
    uint8_t number = 0;
    enum scrip_status status = SCRIP_OK;
    if (!pcsc->transparent) {
        session_defaults(pcsc);
    }
    SCRIP_TRY(scrip_buf_add(answer->out, good, sizeof good));
    while (left.len != 0 && status == SCRIP_OK) {
        number = number < 0xFF ? (uint8_t)(number + 1) : number;
        status = object_run(&session, objects, count, &left);
    }
    if (status == SCRIP_OK && session.pending) {
        status = session_exchange(&session, false);
    }
    const uint16_t sw = object_word(answer, status);
    if (sw == 0) {
        return status;
    }
    answer->out->at[head + 2] = status == SCRIP_OK ? 0 : number;
    scrip_put_be16(answer->out->at + head + 3, sw);
    answer->sw = SCRIP_PCSC_OK;
    return SCRIP_OK;
}

enum scrip_status pcsc_manage_session(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    static const struct object objects[] = {
        {TAG_VERSION, 0, 0, session_version}, {TAG_START, 0, 0, session_start}, {TAG_END, 0, 0, session_end},
        {TAG_RF_OFF, 0, 0, session_rf_off},   {TAG_RF_ON, 0, 0, session_rf_on}, {TAG_TIMER, 4, 4, session_delay},
        {TAG_GET, 1, 20, session_get},        {TAG_SET, 1, 255, session_set},
    };
    return run(pcsc, cmd, answer, objects, sizeof objects / sizeof objects[0]);
}

enum scrip_status pcsc_transparent_exchange(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    static const struct object objects[] = {
        {TAG_TIMER, 4, 4, session_timer},
        {TAG_GET, 1, 20, session_get},
        {TAG_SET, 1, 255, session_set},
        {TAG_FLAGS, 2, 2, session_flags},
        {TAG_TX_BITS, 1, 1, session_tx_bits},
        {TAG_RX_BITS, 1, 1, session_rx_bits},
        {TAG_TRANSMIT, 1, 255, session_transmit},
        {TAG_RECEIVE, 0, 0, session_receive},
        {TAG_TRANSCEIVE, 1, 255, session_transceive},
    };
    return run(pcsc, cmd, answer, objects, sizeof objects / sizeof objects[0]);
}

enum scrip_status pcsc_switch_protocol(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    static const struct object objects[] = {{TAG_PROTOCOL, 2, 2, session_protocol}};
    return run(pcsc, cmd, answer, objects, 1);
}

enum scrip_status pcsc_increment_decrement(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    static const struct object objects[] = {
        {TAG_INCREMENT, 1, 255, session_increment},
        {TAG_DECREMENT, 1, 255, session_decrement},
    };
    return run(pcsc, cmd, answer, objects, sizeof objects / sizeof objects[0]);
}
