/* rooms: reader_model classic_card host */
/* Anybody's bytes on the serial line of the PN532 model, before a MIFARE Classic and a card of part 4: raw bytes, and
 * commands in sound frames so that what is behind them is reached, with cards that come and go in between. What must
 * hold: no crash, nothing but sound frames back, and a chip that finds its cards again when it is asked properly.
 *
 * The input is a sequence of steps: one byte that says what, one for the length, then that many bytes. */
#include "../reader/model/pn532_hsu.h"
#include "input.h"
#include <scrip/classic_card.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct scrip_field field;
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_host host;
    struct scrip_classic_card classic;
    struct scrip_picc_4 card;
    uint8_t command[300], response[600];
    struct scrip_pn532_model chip;
    struct scrip_pn532_hsu line;
    uint8_t out[PN532_HSU_OUT];
};

static enum scrip_status card_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    static const uint8_t bytes[] = {0x06, 0x75, 0x77, 0x81, 0x02, 0x80};
    static const uint8_t uid[] = {0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66};
    (void)ctx;
    if (on) {
        memcpy(a->uid, uid, sizeof uid);
        a->uid_len = sizeof uid;
        a->atqa[0] = 0x44;
        a->atqa[1] = 0x03;
        a->sak = 0x20;
        memcpy(ats, bytes, sizeof bytes);
    }
    return SCRIP_OK;
}

/* Answers a command with itself twice, and thinks as long as its first byte says. */
static enum scrip_status card_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response, uint32_t *busy_us)
{
    (void)ctx;
    *busy_us = command.len > 0 ? command.at[0] * 1000U : 0;
    SCRIP_TRY(scrip_buf_add_bytes(response, command));
    return scrip_buf_add_bytes(response, command);
}

static void lay(struct table *t)
{
    const struct scrip_classic_identity identity = {.uid = {0xDE, 0xAD, 0xBE, 0xEF}, .uid_len = 4};
    const struct scrip_classic_options options = {.profile = SCRIP_CLASSIC_GENUINE};
    const struct scrip_picc_app app = {.power = card_power, .apdu = card_apdu};
    scrip_field_init(&t->field);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    must(scrip_nv_memory_init(&t->memory, scrip_classic_card_pages(false)) == SCRIP_OK);
    t->nv = scrip_nv_memory(&t->memory);
    must(scrip_classic_card_make(&t->nv, &identity) == SCRIP_OK);
    t->host = (struct scrip_classic_host){.nv = &t->nv, .random = &t->random};
    scrip_classic_card_init(&t->classic, &t->host, &options);
    scrip_picc_4_init(&t->card, &app, SCRIP_BUF_OF(t->command), SCRIP_BUF_OF(t->response));
    must(scrip_field_add(&t->field, &t->classic.picc) == SCRIP_OK);
    must(scrip_field_add(&t->field, &t->card.picc) == SCRIP_OK);
    scrip_pn532_model_init(&t->chip, &t->field, &t->random);
    scrip_pn532_hsu_init(&t->line, &t->chip);
}

/* ---- what comes back --------------------------------------------------------------------------------------------- */

/* The frame at the front. @return its length, preamble and postamble included */
static size_t frame_len(const uint8_t *at, size_t left)
{
    size_t i = 0;
    while (i < left && at[i] == 0x00) {
        i++;
    }
    must(i >= 1 && left - i >= 3 && at[i] == 0xFF);
    const uint8_t *head = at + i + 1;
    size_t body = i + 3;
    size_t len = head[0];
    if (head[0] == 0x00 && head[1] == 0xFF) {
        len = 0; /* ACK: no checksum behind it */
    } else if (head[0] == 0x01 && head[1] == 0xFF) {
        must(left - i >= 5 && head[2] == 0x7F && head[3] == 0x81);
        len = 2;
    } else if (head[0] == 0xFF && head[1] == 0xFF) {
        must(left - i >= 6 && (uint8_t)(head[2] + head[3] + head[4]) == 0);
        len = scrip_get_be16(head + 2) + 1U;
        body += 3;
    } else {
        must((uint8_t)(head[0] + head[1]) == 0);
        len++;
    }
    must(left - body >= len);
    if (len > 2) {
        uint8_t sum = 0;
        must(at[body] == 0xD5);
        for (size_t k = 0; k < len; k++) {
            sum = (uint8_t)(sum + at[body + k]);
        }
        must(sum == 0);
    }
    body += len;
    while (body < left && at[body] == 0x00 && (body + 1 == left || at[body + 1] != 0xFF)) {
        body++;
    }
    return body;
}

static void check(const struct table *t, size_t len)
{
    for (size_t at = 0; at < len;) {
        at += frame_len(t->out + at, len - at);
    }
}

/* ---- what goes in ------------------------------------------------------------------------------------------------ */

static size_t feed(struct table *t, const uint8_t *at, size_t len)
{
    size_t last = 0;
    for (size_t i = 0; i < len; i++) {
        struct scrip_buf out = SCRIP_BUF_OF(t->out);
        scrip_pn532_hsu_take(&t->line, at[i], &out);
        check(t, out.len);
        last = out.len;
    }
    return last;
}

/* A command in a sound frame. @return bytes that came back */
static size_t send(struct table *t, const uint8_t *at, size_t len)
{
    uint8_t frame[8 + 1 + 255 + 2] = {0x00, 0x00, 0xFF, 0xFF, 0xFF};
    uint8_t sum = 0xD4;
    scrip_put_be16(frame + 5, (uint16_t)(len + 1));
    frame[7] = (uint8_t) - (frame[5] + frame[6]);
    frame[8] = 0xD4;
    memcpy(frame + 9, at, len);
    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + at[i]);
    }
    frame[9 + len] = (uint8_t)-sum;
    return feed(t, frame, 11 + len - 1);
}

static size_t send_text(struct table *t, const char *bytes, size_t len)
{
    return send(t, (const uint8_t *)bytes, len);
}

static void take_step(struct table *t, uint8_t what, struct scrip_bytes bytes)
{
    struct scrip_buf out = SCRIP_BUF_OF(t->out);
    switch (what % 8) {
    case 0:
        (void)feed(t, bytes.at, bytes.len);
        break;
    case 1:
        scrip_pn532_hsu_quiet(&t->line);
        break;
    case 2:
        scrip_pn532_hsu_again(&t->line, &out);
        check(t, out.len);
        break;
    case 3:
        scrip_field_remove(&t->field, &t->classic.picc);
        break;
    case 4:
        (void)scrip_field_add(&t->field, &t->classic.picc);
        break;
    default:
        (void)send(t, bytes.at, bytes.len);
        break;
    }
}

/* However it was treated: reset the line, tell it how to look, and it finds a card. */
static void recover(struct table *t)
{
    static const uint8_t ack[] = {0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00};
    (void)scrip_field_add(&t->field, &t->classic.picc);
    scrip_pn532_hsu_quiet(&t->line);
    (void)feed(t, ack, sizeof ack);
    (void)send_text(t, "\x12\x14", 2);
    (void)send_text(t, "\x32\x01\x00", 3);
    (void)send_text(t, "\x32\x05\x00\x00\x01", 5);
    const size_t len = send_text(t, "\x4A\x01\x00", 3);
    static const uint8_t found[] = {0xD5, 0x4B, 0x01, 0x01};
    must(len >= 6 + 5 + sizeof found && memcmp(t->out + 6 + 5, found, sizeof found) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table t;
    struct scrip_bytes left = scrip_bytes(data, size);
    struct scrip_bytes bytes;
    uint8_t what;

    lay(&t);
    for (size_t steps = 0; steps < 200 && next_step(&left, &what, &bytes); steps++) {
        take_step(&t, what, bytes);
    }
    recover(&t);
    scrip_nv_memory_free(&t.memory);
    return 0;
}
