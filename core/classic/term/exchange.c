/* exchange.c: a command is one frame and an answer, or (after an ACK) two. What counts as an answer, and how long to
 * wait for it, is in the table of commands. */
#include <scrip/classic.h>
#include <scrip/mifare.h>

#define HEAD_LEN 2U
#define ACK_BITS 4U
#define US_OF_MS 1000U

/* What came back, as four bits: an answer of four bits, or nothing, or something else. */
enum answer { ANSWER_ACK, ANSWER_NAK, ANSWER_SILENCE, ANSWER_FRAME };

static enum scrip_status send(const struct scrip_radio *radio, struct scrip_bytes bytes, uint8_t timeout_ms,
                              struct scrip_frame *frame, enum answer *answer)
{
    struct scrip_frame tx;
    SCRIP_TRY(scrip_frame_bytes_crc(&tx, bytes));
    const enum scrip_status status = radio->exchange(radio->ctx, &tx, frame, timeout_ms * US_OF_MS);

    if (status == SCRIP_E_TIMEOUT) {
        *answer = ANSWER_SILENCE;
        return SCRIP_OK;
    }
    if (status != SCRIP_OK) {
        return status == SCRIP_E_MAC ? SCRIP_E_TORN : status;
    }
    if (frame->collision != 0) {
        return SCRIP_E_TORN;
    }
    *answer = frame->bits != ACK_BITS                         ? ANSWER_FRAME
              : (frame->data[0] & 0x0FU) == SCRIP_CLASSIC_ACK ? ANSWER_ACK
                                                              : ANSWER_NAK;
    return SCRIP_OK;
}

/* An answer where there should be an ACK. */
static enum scrip_status want_ack(enum answer answer)
{
    return answer == ANSWER_ACK ? SCRIP_OK : answer == ANSWER_NAK ? SCRIP_E_CARD : SCRIP_E_TORN;
}

static enum scrip_status want_block(enum answer answer, const struct scrip_frame *frame, struct scrip_buf *response)
{
    struct scrip_bytes content;
    if (answer == ANSWER_NAK) {
        return SCRIP_E_CARD;
    }
    if (answer != ANSWER_FRAME || scrip_frame_content_crc(frame, &content) != SCRIP_OK ||
        content.len != SCRIP_CLASSIC_BLOCK) {
        return SCRIP_E_TORN;
    }
    return scrip_buf_add_bytes(response, content);
}

static enum scrip_status want(uint8_t kind, enum answer answer, const struct scrip_frame *frame,
                              struct scrip_buf *response)
{
    switch (kind) {
    case SCRIP_CLASSIC_ANSWER_BLOCK:
        return want_block(answer, frame, response);
    case SCRIP_CLASSIC_ANSWER_SILENCE:
        return answer == ANSWER_SILENCE ? SCRIP_OK : want_ack(answer);
    default:
        return want_ack(answer);
    }
}

static enum scrip_status authenticate(const struct scrip_mifare_auth *auth, struct scrip_bytes command)
{
    const uint8_t *at = command.at;
    if (command.len != HEAD_LEN + SCRIP_CLASSIC_KEY + 4U) {
        return SCRIP_E_ARGUMENT;
    }
    return auth->authenticate(auth->ctx, at[0], at[1], at + HEAD_LEN, at + HEAD_LEN + SCRIP_CLASSIC_KEY);
}

enum scrip_status scrip_mifare_exchange_unchecked(const struct scrip_radio *radio, const struct scrip_mifare_auth *auth,
                                                  struct scrip_bytes command, struct scrip_buf *response)
{
    const struct scrip_classic_command *row = command.len > 0 ? scrip_classic_command(command.at[0]) : NULL;
    struct scrip_frame frame;
    enum answer answer;

    if (row != NULL && row->answer == SCRIP_CLASSIC_ANSWER_NONCE) {
        return authenticate(auth, command);
    }
    if (row == NULL || command.len != HEAD_LEN + row->operand) {
        return SCRIP_E_ARGUMENT;
    }
    if (row->answer == SCRIP_CLASSIC_ANSWER_BLOCK && response->cap - response->len < SCRIP_CLASSIC_BLOCK) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(send(radio, scrip_bytes_head(command, HEAD_LEN), row->timeout_ms, &frame, &answer));
    if (row->operand > 0) {
        SCRIP_TRY(want_ack(answer));
        SCRIP_TRY(send(radio, scrip_bytes_from(command, HEAD_LEN), row->timeout2_ms, &frame, &answer));
    }
    return want(row->answer, answer, &frame, response);
}

enum scrip_status scrip_mifare_exchange(const struct scrip_radio *radio, const struct scrip_mifare_auth *auth,
                                        struct scrip_bytes command, struct scrip_buf *response)
{
    if (command.len == HEAD_LEN + SCRIP_CLASSIC_BLOCK && command.at[0] == SCRIP_MIFARE_WRITE) {
        SCRIP_TRY(scrip_classic_write_check(command.at[1], command.at + HEAD_LEN));
    }
    return scrip_mifare_exchange_unchecked(radio, auth, command, response);
}
