/* bench.h: a card of part 4 whose application answers as it is told and counts, in a field, with a reader over a radio
 * that loses or damages chosen frames. */
#ifndef SCRIP_TEST_ISO14443_BENCH_H
#define SCRIP_TEST_ISO14443_BENCH_H

#include "check.h"
#include <scrip/crc.h>
#include <scrip/field.h>
#include <scrip/pcd.h>
#include <stdlib.h>

#define BENCH_APDU_MAX 4096U

/** What happens to a frame that is chosen. */
enum fate { LOST, BAD_PARITY, BAD_CRC };

struct bench {
    /* the card */
    struct scrip_picc_4 card;
    uint8_t command[BENCH_APDU_MAX], response[BENCH_APDU_MAX];
    const char *ats;
    const char *uid;
    uint32_t busy_us;
    enum scrip_status fails;
    unsigned executed, deselected, powered;
    uint8_t heard[BENCH_APDU_MAX]; /* the command executed last */
    size_t heard_len;
    /* the air */
    struct scrip_field field;
    struct scrip_radio air;   /* as it is */
    struct scrip_radio radio; /* with losses */
    unsigned frames;          /* so far */
    unsigned cut_from, cut_count;
    enum fate fate;
    /* the reader */
    struct scrip_target target;
    struct scrip_pcd_4 pcd;
    uint8_t answer[BENCH_APDU_MAX];
    struct scrip_buf got;
};

/* ---- the application: the first two bytes say how long the response is, least significant first ---- */

static inline uint8_t bench_byte(const struct bench *b, size_t i)
{
    return (uint8_t)(i * 7 + b->heard_len + (b->heard_len > 2 ? b->heard[2] : 0) + i / 251);
}

static inline enum scrip_status bench_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response,
                                           uint32_t *busy_us)
{
    struct bench *b = ctx;
    assert_int_equal(response->len, 0);
    assert_int_equal(*busy_us, 0);
    assert_true(command.len <= sizeof b->heard);
    b->executed++;
    memcpy(b->heard, command.at, command.len);
    b->heard_len = command.len;
    *busy_us = b->busy_us;
    const size_t wanted = command.len < 2 ? 1 : scrip_get_le16(command.at);
    for (size_t i = 0; i < wanted && i < BENCH_APDU_MAX; i++) {
        assert_ok(scrip_buf_add_u8(response, bench_byte(b, i)));
    }
    return b->fails;
}

static inline enum scrip_status bench_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    struct bench *b = ctx;
    if (!on) {
        return SCRIP_OK;
    }
    b->powered++;
    a->uid_len = (uint8_t)from_hex(b->uid, a->uid, sizeof a->uid);
    a->atqa[0] = a->uid_len == 4 ? 0x04 : 0x44;
    a->atqa[1] = 0x03;
    a->sak = 0x20;
    from_hex(b->ats, ats, 33);
    return SCRIP_OK;
}

static inline enum scrip_status bench_deselect(void *ctx)
{
    ((struct bench *)ctx)->deselected++;
    return SCRIP_OK;
}

/* ---- the air ---- */

static inline bool bench_is_cut(struct bench *b)
{
    const unsigned frame = b->frames++;
    return frame >= b->cut_from && frame - b->cut_from < b->cut_count;
}

static inline void bench_damage(const struct bench *b, struct scrip_frame *frame)
{
    const size_t at = (b->frames * 5U) % scrip_frame_len(frame);
    frame->data[at] ^= b->fate == BAD_PARITY ? 0x10 : 0x11; /* two bits of a byte leave its parity right */
}

static inline enum scrip_status bench_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                               uint32_t timeout_us)
{
    struct bench *b = ctx;
    struct scrip_frame changed = *tx;

    if (bench_is_cut(b)) {
        if (b->fate == LOST) {
            scrip_field_wait(&b->field, timeout_us);
            return SCRIP_E_TIMEOUT;
        }
        bench_damage(b, &changed);
    }
    SCRIP_TRY(b->air.exchange(b->air.ctx, &changed, rx, timeout_us));
    if (bench_is_cut(b)) {
        if (b->fate == LOST) {
            return SCRIP_E_TIMEOUT;
        }
        bench_damage(b, rx);
    }
    return SCRIP_OK;
}

static inline enum scrip_status bench_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    struct bench *b = ctx;
    return b->air.rates(b->air.ctx, to_card, from_card);
}

static inline void bench_wait(void *ctx, uint32_t us)
{
    struct bench *b = ctx;
    b->air.wait(b->air.ctx, us);
}

/* ---- scenes ---- */

/** A card with this ATS lies in a powered field. Free with free(). */
static inline struct bench *bench_new(const char *ats)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->ats = ats;
    b->uid = "04112233445566";
    const struct scrip_picc_app app = {.ctx = b, .power = bench_power, .apdu = bench_apdu, .deselect = bench_deselect};
    scrip_picc_4_init(&b->card, &app, SCRIP_BUF_OF(b->command), SCRIP_BUF_OF(b->response));
    scrip_field_init(&b->field);
    scrip_field_radio(&b->field, &b->air);
    b->radio = b->air;
    b->radio.ctx = b;
    b->radio.exchange = bench_exchange;
    b->radio.rates = bench_rates;
    b->radio.wait = bench_wait;
    assert_ok(scrip_field_add(&b->field, &b->card.picc));
    assert_ok(b->air.power(b->air.ctx, true));
    return b;
}

/** Select the card and activate part 4. */
static inline void bench_begin(struct bench *b, uint8_t cid, uint8_t fastest)
{
    assert_ok(scrip_pcd_find(&b->radio, true, &b->target));
    assert_ok(scrip_pcd_4_begin(&b->pcd, &b->radio, &b->target, cid, fastest));
    b->frames = 0;
}

/** A command of so many bytes (2 at least) that calls for so many. @return as scrip_pcd_4_exchange */
static inline enum scrip_status bench_call(struct bench *b, size_t command_len, size_t response_len)
{
    uint8_t command[BENCH_APDU_MAX];
    for (size_t i = 0; i < command_len; i++) {
        command[i] = (uint8_t)(i * 3 + command_len);
    }
    scrip_put_le16(command, (uint16_t)response_len);
    b->got = SCRIP_BUF_OF(b->answer);
    return scrip_pcd_4_exchange(&b->pcd, scrip_bytes(command, command_len), &b->got);
}

/** The card got the whole command and the reader the whole response. */
static inline void bench_check(const struct bench *b, size_t command_len, size_t response_len)
{
    assert_int_equal(b->heard_len, command_len);
    for (size_t i = 2; i < command_len; i++) {
        assert_int_equal(b->heard[i], (uint8_t)(i * 3 + command_len));
    }
    assert_int_equal(b->got.len, response_len);
    for (size_t i = 0; i < response_len; i++) {
        assert_int_equal(b->answer[i], bench_byte(b, i));
    }
}

#endif
