/* pn532_bench.h: a PN532 with cards before it, driven by commands in hex. */
#ifndef SCRIP_TEST_PN532_BENCH_H
#define SCRIP_TEST_PN532_BENCH_H

#include "model/pn532_hsu.h"
#include "tag.h"
#include <stdio.h>

/* An application of part 4 that answers a command with itself and 9000; 00 F0 .. with as many bytes as its last two
 * say. */
struct echo {
    struct scrip_picc_4 card;
    uint8_t uid[7];
    unsigned commands;
    uint32_t busy_us;
    uint8_t command[1024], response[4096];
};

static inline enum scrip_status echo_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    static const uint8_t bytes[] = {0x06, 0x75, 0x77, 0x81, 0x02, 0x80};
    const struct echo *echo = ctx;
    if (on) {
        memcpy(a->uid, echo->uid, sizeof echo->uid);
        a->uid_len = sizeof echo->uid;
        a->atqa[0] = 0x44;
        a->atqa[1] = 0x03;
        a->sak = 0x20;
        memcpy(ats, bytes, sizeof bytes);
    }
    return SCRIP_OK;
}

static inline enum scrip_status echo_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response,
                                          uint32_t *busy_us)
{
    struct echo *echo = ctx;
    echo->commands++;
    *busy_us = echo->busy_us;
    if (command.len >= 4 && command.at[1] == 0xF0) {
        for (unsigned i = 0; i < scrip_get_be16(command.at + command.len - 2); i++) {
            SCRIP_TRY(scrip_buf_add_u8(response, (uint8_t)i));
        }
    } else {
        SCRIP_TRY(scrip_buf_add_bytes(response, command));
    }
    return scrip_buf_add(response, "\x90\x00", 2);
}

static inline void echo_init(struct echo *echo, const char *uid)
{
    memset(echo, 0, sizeof *echo);
    assert_int_equal(from_hex(uid, echo->uid, sizeof echo->uid), 7);
    const struct scrip_picc_app app = {.ctx = echo, .power = echo_power, .apdu = echo_apdu};
    scrip_picc_4_init(&echo->card, &app, SCRIP_BUF_OF(echo->command), SCRIP_BUF_OF(echo->response));
}

struct bench {
    struct scrip_field field;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_pn532_model chip;
    uint8_t answer[PN532_MODEL_DATA];
    size_t answer_len;
};

static inline void bench_begin(struct bench *b)
{
    scrip_field_init(&b->field);
    scrip_random_seeded_init(&b->seeded, 532);
    b->random = scrip_random_seeded(&b->seeded);
    scrip_pn532_model_init(&b->chip, &b->field, &b->random);
}

static inline void bench_lay(struct bench *b, struct scrip_picc *card)
{
    assert_ok(scrip_field_add(&b->field, card));
}

/* @return what the chip said to a command in hex */
static inline enum scrip_status bench_try(struct bench *b, const char *hex)
{
    uint8_t command[2 * PN532_MODEL_DATA];
    struct scrip_buf answer = SCRIP_BUF_OF(b->answer);
    const size_t len = from_hex(hex, command, sizeof command);
    const enum scrip_status status = scrip_pn532_model_command(&b->chip, scrip_bytes(command, len), &answer);
    b->answer_len = answer.len;
    assert_true(status == SCRIP_OK || answer.len == 0);
    return status;
}

/* The command is answered exactly so. */
#define bench_ask(b, command, wanted)                                                                                  \
    do {                                                                                                               \
        assert_ok(bench_try((b), (command)));                                                                          \
        assert_hex(scrip_bytes((b)->answer, (b)->answer_len), (wanted));                                               \
    } while (0)

/* As libnfc begins. */
static inline void bench_open(struct bench *b)
{
    bench_ask(b, "14 01", "15");
    bench_ask(b, "12 14", "13");
    bench_ask(b, "32 01 00", "33");
    bench_ask(b, "32 01 01", "33");
    bench_ask(b, "32 05 00 01 02", "33");
}

/* A chip that was opened, with one card before it. */
static inline void given_card(struct bench *b, struct scrip_picc *card)
{
    bench_begin(b);
    bench_lay(b, card);
    bench_open(b);
}

static inline void given_echo(struct bench *b, struct echo *echo)
{
    echo_init(echo, "04A1B2C3D4E580");
    given_card(b, &echo->card.picc);
}

static inline void given_tag(struct bench *b, struct tag *tag, uint8_t sak)
{
    tag_init(tag, "DEADBEEF", sak);
    given_card(b, &tag->picc);
}

static inline void given_classic(struct bench *b, struct classic *classic)
{
    classic_init(classic, "DEADBEEF", false);
    given_card(b, &classic->card.picc);
}

#endif
