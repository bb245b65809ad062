/* The PN532's serial line, byte by byte.
 *
 *   HUNT    00 FF begins a frame                                -> LENGTH
 *   LENGTH  00 FF: ACK, FF 00: NACK -> HUNT; FF FF -> LONG; a length and its checksum -> BODY; else -> HUNT
 *   LONG    two bytes of length and a checksum                  -> BODY, or HUNT
 *   BODY    the bytes, then their checksum: a frame             -> HUNT */
#include "pn532_hsu.h"

#include <string.h>

#define WAKE_UP     0x55U
#define TO_CHIP     0xD4U
#define FROM_CHIP   0xD5U
#define NO_PREAMBLE 0x40U /* of SetParameters */
#define NORMAL_LEN  255U
#define PREAMBLE    0x00U

enum stage {
    HUNT,
    LENGTH,
    LONG,
    BODY,
};

static const uint8_t ack_frame[] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
static const uint8_t error_frame[] = {0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00};

void scrip_pn532_hsu_init(struct scrip_pn532_hsu *line, struct scrip_pn532_model *chip)
{
    memset(line, 0, sizeof *line);
    line->chip = chip;
    line->before = 0xFF;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

/* Room was promised by the caller, so nothing here can fail. */
static void put(struct scrip_buf *out, const uint8_t *at, size_t len)
{
    (void)scrip_buf_add(out, at, len);
}

/* Preamble and postamble are the first and last byte; a host can have them left out. */
static void put_frame(const struct scrip_pn532_hsu *line, struct scrip_buf *out, const uint8_t *at, size_t len)
{
    const size_t trim = (line->chip->parameters & NO_PREAMBLE) != 0 ? 1 : 0;
    put(out, at + trim, len - 2 * trim);
}

static size_t frame_write(uint8_t *at, struct scrip_bytes answer)
{
    struct scrip_buf out = scrip_buf(at, PN532_HSU_OUT);
    const size_t len = answer.len + 1;
    uint8_t sum = FROM_CHIP;
    const uint8_t start[] = {PREAMBLE, 0x00, 0xFF};
    put(&out, start, sizeof start);
    if (len <= NORMAL_LEN) {
        const uint8_t head[] = {(uint8_t)len, (uint8_t)(0x100U - len), FROM_CHIP};
        put(&out, head, sizeof head);
    } else {
        const uint8_t high = (uint8_t)(len >> 8);
        const uint8_t low = (uint8_t)len;
        const uint8_t head[] = {0xFF, 0xFF, high, low, (uint8_t)(0x200U - high - low), FROM_CHIP};
        put(&out, head, sizeof head);
    }
    put(&out, answer.at, answer.len);
    for (size_t i = 0; i < answer.len; i++) {
        sum = (uint8_t)(sum + answer.at[i]);
    }
    const uint8_t tail[] = {(uint8_t)(0x100U - sum), PREAMBLE};
    put(&out, tail, sizeof tail);
    return out.len;
}

static void send_last(struct scrip_pn532_hsu *line, struct scrip_buf *out)
{
    if (line->last_len > 0) {
        put_frame(line, out, line->last, line->last_len);
    }
}

static void respond(struct scrip_pn532_hsu *line, enum scrip_status status, struct scrip_bytes answer,
                    struct scrip_buf *out)
{
    if (status == SCRIP_E_WAIT) {
        return;
    }
    if (status == SCRIP_OK) {
        line->last_len = (uint16_t)frame_write(line->last, answer);
    } else {
        memcpy(line->last, error_frame, sizeof error_frame);
        line->last_len = sizeof error_frame;
    }
    send_last(line, out);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static void hunt(struct scrip_pn532_hsu *line)
{
    line->stage = HUNT;
    line->before = 0xFF;
}

static void on_frame(struct scrip_pn532_hsu *line, struct scrip_buf *out)
{
    uint8_t bytes[PN532_MODEL_DATA];
    struct scrip_buf answer = SCRIP_BUF_OF(bytes);
    put_frame(line, out, ack_frame, sizeof ack_frame);
    enum scrip_status status = SCRIP_E_FORMAT;
    line->last_len = 0;
    if (line->frame[0] == TO_CHIP) {
        status = scrip_pn532_model_command(line->chip, scrip_bytes(line->frame + 1, line->len - 1U), &answer);
    } else {
        scrip_pn532_model_abort(line->chip);
    }
    scrip_wipe(line->frame, sizeof line->frame); /* it may have held a key */
    respond(line, status, scrip_buf_bytes(&answer), out);
}

static void begin_body(struct scrip_pn532_hsu *line, unsigned len, bool sum_is_right)
{
    hunt(line);
    line->before = line->head[line->head_len - 1]; /* a false start may end in the true one */
    if (sum_is_right && len >= 1 && len <= PN532_HSU_LEN) {
        line->stage = BODY;
        line->len = (uint16_t)len;
        line->got = 0;
        line->sum = 0;
    }
}

static void take_length(struct scrip_pn532_hsu *line, struct scrip_buf *out)
{
    const uint8_t a = line->head[0];
    const uint8_t b = line->head[1];
    if (a == 0x00 && b == 0xFF) {
        hunt(line);
        scrip_pn532_model_abort(line->chip);
    } else if (a == 0xFF && b == 0x00) {
        hunt(line);
        send_last(line, out);
    } else if (a == 0xFF && b == 0xFF) {
        line->stage = LONG;
        line->head_len = 0;
    } else {
        begin_body(line, a, (uint8_t)(a + b) == 0);
    }
}

static void take_head(struct scrip_pn532_hsu *line, uint8_t byte, size_t whole, struct scrip_buf *out)
{
    line->head[line->head_len++] = byte;
    if (line->head_len < whole) {
        return;
    }
    if (line->stage == LENGTH) {
        take_length(line, out);
    } else {
        const uint8_t sum = (uint8_t)(line->head[0] + line->head[1] + line->head[2]);
        begin_body(line, scrip_get_be16(line->head), sum == 0);
    }
}

static void take_body(struct scrip_pn532_hsu *line, uint8_t byte, struct scrip_buf *out)
{
    line->sum = (uint8_t)(line->sum + byte);
    if (line->got < line->len) {
        line->frame[line->got++] = byte;
        return;
    }
    hunt(line);
    if (line->sum == 0) { /* a frame that was damaged is not acknowledged */
        on_frame(line, out);
    }
}

static void take_hunting(struct scrip_pn532_hsu *line, uint8_t byte)
{
    line->woken |= byte == WAKE_UP;
    if (line->before == 0x00 && byte == 0xFF) {
        line->stage = LENGTH;
        line->head_len = 0;
    }
    line->before = byte;
}

void scrip_pn532_hsu_take(struct scrip_pn532_hsu *line, uint8_t byte, struct scrip_buf *out)
{
    switch ((enum stage)line->stage) {
    case HUNT:
        take_hunting(line, byte);
        break;
    case LENGTH:
        take_head(line, byte, 2, out);
        break;
    case LONG:
        take_head(line, byte, 3, out);
        break;
    case BODY:
        take_body(line, byte, out);
        break;
    }
}

void scrip_pn532_hsu_again(struct scrip_pn532_hsu *line, struct scrip_buf *out)
{
    uint8_t bytes[PN532_MODEL_DATA];
    struct scrip_buf answer = SCRIP_BUF_OF(bytes);
    const enum scrip_status status = scrip_pn532_model_again(line->chip, &answer);
    if (status != SCRIP_E_STATE) {
        respond(line, status, scrip_buf_bytes(&answer), out);
    }
}

void scrip_pn532_hsu_quiet(struct scrip_pn532_hsu *line)
{
    hunt(line);
}

bool scrip_pn532_hsu_waits(const struct scrip_pn532_hsu *line)
{
    return line->chip->waiting_len > 0;
}
