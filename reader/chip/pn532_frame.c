/* Conversations with a PN532: command, ACK, answer.
 *
 * The serial line may lose or damage bytes, and bytes of a conversation that was given up may arrive late. So:
 *   - A command counts as taken only with its ACK, and an answer counts only after it. A lost ACK is a failure although
 *     the chip works on the command.
 *   - A damaged answer is asked for again (NACK). A command is never sent twice: it may have reached a card.
 *   - After a failure the chip is told to stop (ACK), and what it says is thrown away until it is quiet. */
#include "pn532_port.h"
#include <string.h>

#define TO_CHIP       0xD4U
#define FROM_CHIP     0xD5U
#define ERROR_FRAME   0x7FU
#define SAM_CONFIGURE 0x14U

#define ACK_MS        500U  /* the chip needs 15; the rest is for a busy host */
#define REPEAT_MS     500U  /* for an answer that was asked for again */
#define SAM_MS        1000U /* the first command after waking up */
#define HEARINGS      4U    /* frames looked at for one answer */

static const uint8_t ack[] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
static const uint8_t nack[] = {0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00};

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

size_t pn532_head_size(const uint8_t begin[2])
{
    return begin[0] == 0xFF && begin[1] == 0xFF ? 5 : 2;
}

enum scrip_status pn532_head_get(const uint8_t *at, struct pn532_head *head)
{
    const bool extended = pn532_head_size(at) == 5;
    if (at[0] == 0x00 && at[1] == 0xFF) {
        *head = (struct pn532_head){.kind = PN532_ACK};
        return SCRIP_OK;
    }
    if (at[0] == 0xFF && at[1] == 0x00) {
        *head = (struct pn532_head){.kind = PN532_NACK};
        return SCRIP_OK;
    }
    const size_t len = extended ? scrip_get_be16(at + 2) : at[0];
    const uint8_t sum = extended ? (uint8_t)(at[2] + at[3] + at[4]) : (uint8_t)(at[0] + at[1]);
    if (sum != 0 || len == 0 || len > PN532_CONTENT_MAX) {
        return SCRIP_E_MAC;
    }
    *head = (struct pn532_head){.kind = PN532_DATA, .len = len};
    return SCRIP_OK;
}

bool pn532_body_good(const uint8_t *at, size_t len)
{
    uint8_t sum = at[len];
    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + at[i]);
    }
    /* A lost 00 would go unnoticed by the sum alone: the DCS slides into the data and the postamble into its place. */
    return sum == 0 && at[len + 1] == 0;
}

/* A command as a frame at pn532->frame + 1. */
static enum scrip_status frame_put(struct scrip_pn532 *pn532, uint8_t code, struct scrip_bytes head,
                                   struct scrip_bytes body, size_t *len)
{
    static const uint8_t preamble[] = {0x00, 0x00, 0xFF};
    struct scrip_buf out = scrip_buf(pn532->frame + 1, sizeof pn532->frame - 1);
    const size_t content = 2 + head.len + body.len;
    if (head.len > SCRIP_PN532_DATA || body.len > SCRIP_PN532_DATA || content > PN532_CONTENT_MAX) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add(&out, preamble, sizeof preamble));
    if (content <= 0xFF) {
        SCRIP_TRY(scrip_buf_add_u8(&out, (uint8_t)content));
        SCRIP_TRY(scrip_buf_add_u8(&out, (uint8_t)-content));
    } else {
        SCRIP_TRY(scrip_buf_add_be(&out, 0xFFFF, 2));
        SCRIP_TRY(scrip_buf_add_be(&out, content, 2));
        SCRIP_TRY(scrip_buf_add_u8(&out, (uint8_t) - ((content >> 8) + (content & 0xFF))));
    }
    const size_t start = out.len;
    SCRIP_TRY(scrip_buf_add_u8(&out, TO_CHIP));
    SCRIP_TRY(scrip_buf_add_u8(&out, code));
    SCRIP_TRY(scrip_buf_add_bytes(&out, head));
    SCRIP_TRY(scrip_buf_add_bytes(&out, body));
    uint8_t sum = 0;
    for (size_t i = start; i < out.len; i++) {
        sum = (uint8_t)(sum + out.at[i]);
    }
    SCRIP_TRY(scrip_buf_add_u8(&out, (uint8_t)-sum));
    SCRIP_TRY(scrip_buf_add_u8(&out, 0));
    *len = out.len;
    return SCRIP_OK;
}

static enum scrip_status sign_send(struct scrip_pn532 *pn532, const uint8_t sign[6])
{
    memcpy(pn532->frame + 1, sign, 6);
    return pn532->port->send(pn532, 6);
}

/* ---- Conversations ----------------------------------------------------------------------------------------------- */

uint32_t pn532_elapsed_ms(const struct scrip_pn532 *pn532, uint32_t since)
{
    return pn532->ticks.now_ms(pn532->ticks.ctx) - since;
}

/* Frames that come before the ACK belong to the past. */
static enum scrip_status ack_wait(struct scrip_pn532 *pn532)
{
    const uint32_t start = pn532->ticks.now_ms(pn532->ticks.ctx);
    for (uint32_t gone = 0; gone < ACK_MS; gone = pn532_elapsed_ms(pn532, start)) {
        struct pn532_head head;
        const enum scrip_status status = pn532->port->receive(pn532, PN532_EXPECT_ACK, &head, ACK_MS - gone);
        if (status == SCRIP_OK && head.kind == PN532_ACK) {
            return SCRIP_OK;
        }
        if (status != SCRIP_OK && status != SCRIP_E_MAC) {
            return status;
        }
    }
    return SCRIP_E_TIMEOUT;
}

/* Is the content at pn532->frame the answer to `code`? SCRIP_E_WAIT: no, it belongs to another command. */
static enum scrip_status answer_check(const struct scrip_pn532 *pn532, uint8_t code, size_t len,
                                      struct scrip_bytes *answer)
{
    if (len == 1 && pn532->frame[0] == ERROR_FRAME) {
        return SCRIP_E_FORMAT;
    }
    if (len < 2 || pn532->frame[0] != FROM_CHIP || pn532->frame[1] != (uint8_t)(code + 1)) {
        return SCRIP_E_WAIT;
    }
    *answer = scrip_bytes(pn532->frame + 2, len - 2);
    return SCRIP_OK;
}

static enum scrip_status answer_wait(struct scrip_pn532 *pn532, uint8_t code, uint32_t timeout_ms,
                                     struct scrip_bytes *answer)
{
    for (unsigned hearing = 0; hearing < HEARINGS; hearing++) {
        struct pn532_head head;
        enum scrip_status status = pn532->port->receive(pn532, PN532_EXPECT_ANSWER, &head, timeout_ms);
        if (status == SCRIP_OK && head.kind == PN532_DATA) {
            status = answer_check(pn532, code, head.len, answer);
            if (status != SCRIP_E_WAIT) {
                return status;
            }
        } else if (status == SCRIP_E_MAC) {
            SCRIP_TRY(pn532->port->drain(pn532));
            SCRIP_TRY(sign_send(pn532, nack));
            timeout_ms = REPEAT_MS;
        } else if (status != SCRIP_OK) {
            return status;
        }
    }
    return SCRIP_E_FORMAT;
}

static enum scrip_status talk(struct scrip_pn532 *pn532, uint8_t code, struct scrip_bytes head, struct scrip_bytes body,
                              struct scrip_bytes *answer, uint32_t timeout_ms)
{
    size_t len = 0;
    if (pn532->dirty) {
        SCRIP_TRY(sign_send(pn532, ack));
        SCRIP_TRY(pn532->port->drain(pn532));
    }
    SCRIP_TRY(frame_put(pn532, code, head, body, &len));
    pn532->dirty = true;
    const enum scrip_status left = pn532->port->send(pn532, len);
    scrip_wipe(pn532->frame, 1 + len); /* a key may have been in it */
    SCRIP_TRY(left);
    pn532->sent = true;
    SCRIP_TRY(ack_wait(pn532));
    const enum scrip_status status = answer_wait(pn532, code, timeout_ms, answer);
    pn532->dirty = status != SCRIP_OK;
    return status;
}

/* SAMConfiguration, normal mode, is the first command that a chip out of power-down takes. */
static enum scrip_status wake(struct scrip_pn532 *pn532)
{
    static const uint8_t normal[] = {0x01};
    struct scrip_bytes answer;
    SCRIP_TRY(pn532->port->wake(pn532));
    const enum scrip_status status =
        talk(pn532, SAM_CONFIGURE, SCRIP_BYTES_OF(normal), scrip_bytes(NULL, 0), &answer, SAM_MS);
    pn532->awake = status == SCRIP_OK;
    return status;
}

enum scrip_status pn532_converse(struct scrip_pn532 *pn532, uint8_t code, struct scrip_bytes head,
                                 struct scrip_bytes body, struct scrip_bytes *answer, uint32_t timeout_ms)
{
    if (!pn532->awake) {
        SCRIP_TRY(wake(pn532));
        pn532->sent = false; /* no card has heard of that */
    }
    return talk(pn532, code, head, body, answer, timeout_ms);
}

enum scrip_status scrip_pn532_command(struct scrip_pn532 *pn532, uint8_t code, struct scrip_bytes parameters,
                                      struct scrip_buf *answer, uint32_t timeout_ms)
{
    struct scrip_bytes content;
    pn532->timeout_code = 0; /* it may be changed by this */
    SCRIP_TRY(pn532_converse(pn532, code, scrip_bytes(NULL, 0), parameters, &content, timeout_ms));
    return scrip_buf_add_bytes(answer, content);
}
