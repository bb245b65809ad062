/* Frames of a transparent session: how they are sent, and what was heard. */
#include "session.h"
#include <string.h>

#define FLAG_NO_TX_CRC   0x01U
#define FLAG_KEEP_CRC    0x02U
#define FLAG_PARITY      0x0CU /* neither sent nor checked; one without the other is not offered */
#define FLAG_NO_PROLOGUE 0x10U
#define FLAGS_KNOWN      0x1FU
#define STATUS_CRC       0x01U
#define STATUS_PARITY    0x04U
#define TIMER_MAX_US     5000000U /* FWI 14: no card may take longer */

enum scrip_status session_timer(struct session *session, struct scrip_bytes value)
{
    const uint32_t us = scrip_get_le32(value.at);
    session->pcsc->raw.timeout_us = us < TIMER_MAX_US ? us : TIMER_MAX_US;
    return SCRIP_OK;
}

enum scrip_status session_flags(struct session *session, struct scrip_bytes value)
{
    const uint16_t flags = scrip_get_be16(value.at);
    const uint16_t parity = flags & FLAG_PARITY;
    if ((flags & ~FLAGS_KNOWN) != 0 || (parity != 0 && parity != FLAG_PARITY)) {
        return refuse(session->answer, NOT_SUPPORTED);
    }
    session->pcsc->raw.crc_out = (flags & FLAG_NO_TX_CRC) == 0;
    session->pcsc->raw.crc_in = (flags & FLAG_KEEP_CRC) == 0;
    session->pcsc->raw.parity = parity == 0;
    session->pcsc->prologue = (flags & FLAG_NO_PROLOGUE) == 0;
    return SCRIP_OK;
}

enum scrip_status session_tx_bits(struct session *session, struct scrip_bytes value)
{
    if (value.at[0] > 7) {
        return refuse(session->answer, WRONG_VALUE);
    }
    session->pcsc->raw.last_bits = value.at[0];
    return SCRIP_OK;
}

/* What is expected; what comes is told in the answer. */
enum scrip_status session_rx_bits(struct session *session, struct scrip_bytes value)
{
    return value.at[0] > 7 ? refuse(session->answer, WRONG_VALUE) : SCRIP_OK;
}

/* One exchange, in blocks of part 4 or as bits. */
static enum scrip_status air(struct scrip_pcsc *pcsc, struct scrip_bytes tx, struct scrip_buf *rx, uint8_t *last_bits)
{
    struct scrip_coupler_raw how = pcsc->raw;
    if (pcsc->dark) {
        return SCRIP_E_TIMEOUT;
    }
    if (pcsc->layer == 4 && pcsc->prologue) {
        SCRIP_TRY(pcsc_select(pcsc));
        const enum scrip_status status = pcsc->coupler->ops->apdu(pcsc->coupler, tx, rx);
        if (status != SCRIP_OK) {
            pcsc_drop(pcsc);
        }
        return status;
    }
    how.timeout_us = how.timeout_us != 0 ? how.timeout_us : pcsc->fwt_us;
    pcsc_drop(pcsc);
    return pcsc->coupler->ops->raw(pcsc->coupler, &how, tx, rx, last_bits);
}

/* Bits, status and data of what was heard; `data` bytes stand at the end of `out`, behind `start`. */
static enum scrip_status heard_put(struct scrip_buf *out, size_t start, size_t data, uint8_t last_bits)
{
    const size_t len = out->len - data;
    uint8_t head[11] = {TAG_RX_BITS, 1, last_bits, TAG_STATUS, 2, 0, 0, TAG_RESPONSE, (uint8_t)len};
    size_t head_len = 9;
    if (len >= 0x100) {
        head[8] = 0x82;
        scrip_put_be16(head + 9, (uint16_t)len);
        head_len = 11;
    } else if (len >= 0x80) {
        head[8] = 0x81;
        head[9] = (uint8_t)len;
        head_len = 10;
    }
    memmove(out->at + start + head_len, out->at + data, len);
    memcpy(out->at + start, head, head_len);
    out->len = start + head_len + len;
    return SCRIP_OK;
}

static enum scrip_status damaged_put(struct session *session)
{
    const uint8_t status[] = {session->pcsc->raw.crc_in ? STATUS_CRC : STATUS_PARITY, 0};
    SCRIP_TRY(session_put(session->answer->out, TAG_STATUS, SCRIP_BYTES_OF(status)));
    return refuse(session->answer, FAILED);
}

enum scrip_status session_exchange(struct session *session, bool answer_wanted)
{
    struct scrip_buf *out = session->answer->out;
    const size_t start = out->len;
    uint8_t last_bits = 0;
    SCRIP_TRY(scrip_buf_fill(out, 0, 11)); /* room for what heard_put writes before the data */
    const size_t data = out->len;
    const enum scrip_status status = air(session->pcsc, session->tx, out, &last_bits);
    session->pending = false;
    session->pcsc->raw.timeout_us = 0;
    session->pcsc->raw.last_bits = 0;
    if (status == SCRIP_OK && answer_wanted && out->len - data <= 0xFFFF) {
        return heard_put(out, start, data, last_bits);
    }
    out->len = start;
    if (!answer_wanted && (status == SCRIP_E_TIMEOUT || status == SCRIP_E_MAC)) {
        return SCRIP_OK; /* nobody listens */
    }
    return status == SCRIP_E_MAC ? damaged_put(session) : status == SCRIP_OK && answer_wanted ? SCRIP_E_SPACE : status;
}

/* Sent when it is known whether somebody listens: with the next Receive, or at the end of the command. */
enum scrip_status session_transmit(struct session *session, struct scrip_bytes value)
{
    if (session->pending) {
        SCRIP_TRY(session_exchange(session, false));
    }
    session->tx = value;
    session->pending = true;
    return SCRIP_OK;
}

enum scrip_status session_receive(struct session *session, struct scrip_bytes value)
{
    (void)value;
    return session->pending ? session_exchange(session, true) : refuse(session->answer, NO_ANSWER);
}

enum scrip_status session_transceive(struct session *session, struct scrip_bytes value)
{
    SCRIP_TRY(session_transmit(session, value));
    return session_exchange(session, true);
}
