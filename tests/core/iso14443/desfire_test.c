/* A MIFARE DESFire on the air: the purse's procedures over blocks and frames, beside the same procedures on APDUs. */
#include "purse_bench.h"
#include <scrip/field.h>
#include <scrip/pcd.h>

#define START     1000
#define FARE      250
#define TEXT_SIZE 32768U

enum fault { NONE, FRAME_LOST, FRAME_DAMAGED, FIELD_LOST };

struct air {
    struct bench b; /* first: the link is the bench */
    struct scrip_picc_4 card;
    uint8_t command[512], response[SCRIP_DESFIRE_RAPDU_MAX];
    struct scrip_field field;
    struct scrip_radio below, radio;
    struct scrip_target target;
    struct scrip_pcd_4 pcd;
    uint8_t fastest;
    enum fault fault;
    unsigned at;     /* of which frame, from 1 */
    bool active;     /* the card was activated */
    unsigned frames; /* since then */
    uint64_t begin_fc;
};

static struct air air; /* too large for a stack */
static struct bench direct;

/* ---- the card ---- */

static enum scrip_status card_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    struct bench *b = ctx;
    if (b->powered) {
        scrip_desfire_card_off(&b->card);
        b->powered = false;
    }
    if (!on) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_desfire_card_on(&b->card, &b->card_host, &b->options));
    b->powered = true;
    a->uid_len = (uint8_t)scrip_desfire_card_uid(&b->card, a->uid);
    a->atqa[0] = a->uid_len == 4 ? 0x04 : 0x44;
    a->atqa[1] = 0x03;
    a->sak = scrip_desfire_card_sak(&b->card);
    (void)scrip_desfire_card_ats(&b->card, ats);
    return SCRIP_OK;
}

static enum scrip_status card_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response, uint32_t *busy_us)
{
    struct bench *b = ctx;
    (void)busy_us;
    return scrip_desfire_card_apdu(&b->card, command, response);
}

static enum scrip_status card_deselect(void *ctx)
{
    struct bench *b = ctx;
    scrip_desfire_card_off(&b->card);
    return scrip_desfire_card_on(&b->card, &b->card_host, &b->options);
}

/* ---- a reader whose frames fare badly ---- */

static enum fault frame_fault(struct air *a)
{
    return a->active && ++a->frames == a->at ? a->fault : NONE;
}

static enum scrip_status unlucky(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us)
{
    struct air *a = ctx;
    struct scrip_frame sent = *tx;
    enum fault fault = frame_fault(a);
    if (fault == FIELD_LOST) {
        assert_ok(scrip_field_power(&a->field, false));
    }
    if (fault == FRAME_LOST) {
        return SCRIP_E_TIMEOUT;
    }
    sent.data[0] ^= fault == FRAME_DAMAGED ? 0x40 : 0;
    SCRIP_TRY(a->below.exchange(a->below.ctx, &sent, rx, timeout_us));
    fault = frame_fault(a);
    if (fault == FIELD_LOST) {
        assert_ok(scrip_field_power(&a->field, false));
    }
    rx->data[0] ^= fault == FRAME_DAMAGED ? 0x40 : 0;
    return fault == FRAME_LOST || fault == FIELD_LOST ? SCRIP_E_TIMEOUT : SCRIP_OK;
}

static enum scrip_status unlucky_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    struct air *a = ctx;
    return a->below.rates(a->below.ctx, to_card, from_card);
}

/* ---- the link ---- */

static enum scrip_status air_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct air *a = (struct air *)(void *)link;
    (void)timeout_ms;
    a->active = false;
    a->frames = 0;
    a->b.frames = 0;
    SCRIP_TRY(a->below.power(a->below.ctx, false));
    SCRIP_TRY(a->below.power(a->below.ctx, true));
    a->begin_fc = scrip_field_now_fc(&a->field);
    SCRIP_TRY(scrip_pcd_find(&a->below, false, &a->target));
    SCRIP_TRY(scrip_pcd_4_begin(&a->pcd, &a->radio, &a->target, 0, a->fastest));
    a->active = true;
    memset(info, 0, sizeof *info);
    memcpy(info->uid, a->target.uid, sizeof info->uid);
    info->uid_len = a->target.uid_len;
    memcpy(info->ats, a->target.ats, sizeof info->ats);
    info->ats_len = a->target.ats_len;
    return SCRIP_OK;
}

static enum scrip_status air_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct air *a = (struct air *)(void *)link;
    const size_t len = rapdu->len;
    SCRIP_TRY(scrip_pcd_4_exchange(&a->pcd, capdu, rapdu));
    a->b.frames++;
    if (a->b.spy != NULL) {
        a->b.spy(a->b.spy_ctx, capdu, scrip_bytes(rapdu->at + len, rapdu->len - len));
    }
    return SCRIP_OK;
}

static void air_disconnect(struct scrip_link *link)
{
    struct air *a = (struct air *)(void *)link;
    (void)a->below.power(a->below.ctx, false);
}

static void air_close(struct scrip_link *link)
{
    (void)link;
}

/* Put the bench's card into a field, and a reader between the two. */
static void to_the_air(struct air *a, uint16_t frame_max, uint8_t fastest)
{
    static const struct scrip_link_ops ops = {air_connect, air_transmit, air_disconnect, air_close};
    const struct scrip_picc_app app = {.ctx = &a->b, .power = card_power, .apdu = card_apdu, .deselect = card_deselect};

    bench_disconnect(&a->b.link);
    a->b.link.ops = &ops;
    scrip_picc_4_init(&a->card, &app, SCRIP_BUF_OF(a->command), SCRIP_BUF_OF(a->response));
    scrip_field_init(&a->field);
    assert_ok(scrip_field_add(&a->field, &a->card.picc));
    scrip_field_radio(&a->field, &a->below);
    a->radio = a->below;
    a->radio.ctx = a;
    a->radio.exchange = unlucky;
    a->radio.rates = unlucky_rates;
    a->radio.wait = NULL;
    a->radio.frame_max = frame_max;
    a->fastest = fastest;
    a->fault = NONE;
}

struct transcript {
    uint8_t bytes[TEXT_SIZE];
    size_t len;
    unsigned apdus;
};

static void write_down(void *ctx, struct scrip_bytes capdu, struct scrip_bytes rapdu)
{
    struct transcript *t = ctx;
    assert_true(t->len + capdu.len + rapdu.len <= sizeof t->bytes);
    memcpy(t->bytes + t->len, capdu.at, capdu.len);
    memcpy(t->bytes + t->len + capdu.len, rapdu.at, rapdu.len);
    t->len += capdu.len + rapdu.len;
    t->apdus++;
}

static const struct {
    const char *profile;
    enum scrip_desfire_generation generation;
} KINDS[] = {{"an12113", SCRIP_DESFIRE_EV3}, {"split+random-id", SCRIP_DESFIRE_EV2}, {"ev1", SCRIP_DESFIRE_EV1}};

/* ---- the laws ---- */

static void a_debit_on_the_air_is_the_debit_on_apdus(void **state)
{
    static struct transcript over_apdus, over_air;
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        given_purse(&direct, KINDS[i].profile, KINDS[i].generation, START);
        given_purse(&air.b, KINDS[i].profile, KINDS[i].generation, START);
        to_the_air(&air, 64, SCRIP_RATE_106);
        over_apdus.len = over_air.len = 0;
        direct.spy = air.b.spy = write_down;
        direct.spy_ctx = &over_apdus;
        air.b.spy_ctx = &over_air;
        for (unsigned round = 0; round < 3; round++) {
            assert_ok(tap(&direct, SCRIP_PURSE_DEBIT, FARE, 0));
            assert_ok(tap(&air.b, SCRIP_PURSE_DEBIT, FARE, 0));
        }
        assert_true(over_apdus.len > 0);
        assert_int_equal(over_air.len, over_apdus.len);
        assert_memory_equal(over_air.bytes, over_apdus.bytes, over_air.len);
        assert_int_equal(balance_of(&air.b), START - 3 * FARE);
        bench_free(&direct);
        bench_free(&air.b);
    }
}

/* Any one frame of a debit may be lost or damaged: the customer does not notice. */
static void a_debit_survives_each_frame_lost_or_damaged(void **state)
{
    (void)state;
    for (int fault = FRAME_LOST; fault <= FRAME_DAMAGED; fault++) {
        unsigned n = 0;
        bool struck = true;
        while (struck) {
            given_purse(&air.b, "an12113", SCRIP_DESFIRE_EV3, START);
            to_the_air(&air, 64, SCRIP_RATE_106);
            air.fault = (enum fault)fault;
            air.at = ++n;
            assert_ok(tap(&air.b, SCRIP_PURSE_DEBIT, FARE, 0));
            assert_int_equal(air.b.job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
            struck = air.frames >= n;
            air.fault = NONE;
            assert_int_equal(balance_of(&air.b), START - FARE);
            bench_free(&air.b);
        }
        assert_true(n > 20);
    }
}

/* The card leaves after each frame, in either direction; the customer taps again and is charged once. */
static void a_debit_that_loses_the_field_at_any_frame_is_made_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        unsigned n = 0;
        bool struck = true;
        while (struck) {
            given_purse(&air.b, KINDS[i].profile, KINDS[i].generation, START);
            to_the_air(&air, 64, SCRIP_RATE_106);
            air.fault = FIELD_LOST;
            air.at = ++n;
            const enum scrip_status status = tap(&air.b, SCRIP_PURSE_DEBIT, FARE, 0);
            struck = air.frames >= n;
            air.fault = NONE;
            if (status != SCRIP_OK) {
                assert_int_equal(air.b.job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
                assert_ok(tap(&air.b, SCRIP_PURSE_DEBIT, FARE, 0));
            }
            assert_int_equal(balance_of(&air.b), START - FARE);
            bench_free(&air.b);
        }
        assert_true(n > 15);
    }
}

/* What a debit costs in the air, from the first request on; nothing is counted for the card's own work. */
static void a_debit_is_dear_in_frames_and_cheap_at_high_rates(void **state)
{
    uint64_t slowest_us = 0;
    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        for (unsigned rate = SCRIP_RATE_106; rate <= SCRIP_RATE_848; rate++) {
            given_purse(&air.b, KINDS[i].profile, KINDS[i].generation, START);
            to_the_air(&air, 256, (uint8_t)rate);
            const uint32_t frames_before = air.field.times.frames;
            assert_ok(tap(&air.b, SCRIP_PURSE_DEBIT, FARE, 0));
            const uint64_t us = (scrip_field_now_fc(&air.field) - air.begin_fc) * 100 / 1356;
            const unsigned exchanges = air.field.times.frames - frames_before;
            print_message("%-16s rate %u: %2u APDUs, %2u exchanges, %6llu us\n", KINDS[i].profile, rate, air.b.frames,
                          exchanges, (unsigned long long)us);
            assert_int_equal(air.field.times.idle_fc, 5 * 13560); /* only the start of the card */
            assert_int_equal(air.field.times.busy_fc, 0);
            assert_in_range(exchanges, air.b.frames, 2 * air.b.frames + 12);
            slowest_us = rate == SCRIP_RATE_106 ? us : slowest_us;
            assert_true(rate == SCRIP_RATE_106 || us < slowest_us);
            assert_true(rate != SCRIP_RATE_848 || us < slowest_us / 2);
            bench_free(&air.b);
        }
    }
}

static void a_deselected_card_has_no_session_and_keeps_its_random_id(void **state)
{
    static const uint8_t get_uid[] = {0x90, 0x51, 0x00, 0x00, 0x00};
    uint8_t memory[64];
    struct scrip_card_info info;
    struct scrip_target again;
    (void)state;
    given_purse(&air.b, "split+random-id", SCRIP_DESFIRE_EV2, START);
    to_the_air(&air, 64, SCRIP_RATE_106);
    assert_ok(tap(&air.b, SCRIP_PURSE_DEBIT, FARE, 0));
    assert_ok(scrip_pcd_4_deselect(&air.pcd));
    assert_ok(scrip_pcd_find(&air.below, true, &again));
    assert_int_equal(again.uid[0], 0x08);
    assert_memory_equal(again.uid, air.target.uid, 4);
    assert_ok(scrip_pcd_4_begin(&air.pcd, &air.below, &again, 0, SCRIP_RATE_106));
    struct scrip_buf got = SCRIP_BUF_OF(memory);
    assert_ok(scrip_pcd_4_exchange(&air.pcd, SCRIP_BYTES_OF(get_uid), &got));
    assert_hex(scrip_buf_bytes(&got), "91AE"); /* not authenticated any more */
    assert_ok(air_connect(&air.b.link, 0, &info));
    assert_memory_not_equal(info.uid, again.uid, 4); /* another field, another random ID */
    bench_free(&air.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_debit_on_the_air_is_the_debit_on_apdus),
        cmocka_unit_test(a_debit_survives_each_frame_lost_or_damaged),
        cmocka_unit_test(a_debit_that_loses_the_field_at_any_frame_is_made_once),
        cmocka_unit_test(a_debit_is_dear_in_frames_and_cheap_at_high_rates),
        cmocka_unit_test(a_deselected_card_has_no_session_and_keeps_its_random_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
