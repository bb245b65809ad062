/* The field: who hears what, how answers mix, and where time goes. */
#include "check.h"
#include <scrip/field.h>

/* A card that answers everything with the same frame. */
struct parrot {
    struct scrip_picc picc;
    struct scrip_frame answer;
    enum scrip_status fails;
    uint32_t cost_us;
    uint64_t heard_fc;
    unsigned heard, ons, offs;
};

static enum scrip_status parrot_power(struct scrip_picc *picc, bool on)
{
    struct parrot *p = (struct parrot *)picc;
    p->ons += on ? 1U : 0U;
    p->offs += on ? 0U : 1U;
    return on ? p->fails : SCRIP_OK;
}

static enum scrip_status parrot_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct parrot *p = (struct parrot *)picc;
    (void)in;
    assert_int_equal(out->bits, 0);
    assert_int_equal(picc->busy_us, 0);
    p->heard++;
    p->heard_fc = picc->now_fc;
    picc->busy_us = p->cost_us;
    *out = p->answer;
    return p->fails;
}

static const struct scrip_picc_ops parrot_ops = {.power = parrot_power, .frame = parrot_frame};

static struct parrot parrot(const char *hex, uint16_t bits)
{
    struct parrot p = {.picc.ops = &parrot_ops};
    uint8_t data[32];
    const size_t len = from_hex(hex, data, sizeof data);
    assert_ok(scrip_frame_bytes(&p.answer, scrip_bytes(data, len)));
    p.answer.bits = bits;
    return p;
}

struct scene {
    struct scrip_field field;
    struct parrot a, b;
    struct scrip_frame tx, rx;
};

static struct scene scene(const char *a, uint16_t a_bits, const char *b, uint16_t b_bits)
{
    struct scene s = {.a = parrot(a, a_bits), .b = parrot(b, b_bits)};
    scrip_field_init(&s.field);
    scrip_frame_short(&s.tx, 0x52);
    return s;
}

static void power_on(struct scene *s)
{
    assert_ok(scrip_field_add(&s->field, &s->a.picc));
    assert_ok(scrip_field_add(&s->field, &s->b.picc));
    assert_ok(scrip_field_power(&s->field, true));
}

static void equal_answers_are_one(void **state)
{
    struct scene s = scene("0400", 16, "0400", 16);
    struct scrip_bytes content;
    (void)state;
    power_on(&s);
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_ok(scrip_frame_content(&s.rx, &content));
    assert_hex(content, "0400");
    assert_int_equal(s.rx.collision, 0);
}

static void where_answers_differ_is_a_collision_that_reads_1(void **state)
{
    static const struct {
        const char *a, *b;
        uint16_t a_bits, b_bits;
        const char *merged;
        uint16_t bits, collision;
    } cases[] = {
        {"0400", "4403", 16, 16, "4403", 16, 7},
        {"0400", "4400", 16, 16, "4400", 16, 7},
        {"0400", "0401", 16, 16, "0401", 16, 9},
        {"0A", "0A", 4, 4, "0A", 4, 0},
        {"0A", "04", 4, 4, "0E", 4, 2},
        {"0A", "5A01", 4, 16, "5A01", 16, 0}, /* the longer one goes on alone */
        {"0B", "5A01", 4, 16, "5B01", 16, 1},
        {"08B6DD", "0400", 24, 16, "0CB6DD", 24, 3},
        {"9C599B326C", "9C599B336D", 40, 40, "9C599B336D", 40, 25},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned swapped = 0; swapped < 2; swapped++) {
            struct scene s = swapped != 0 ? scene(cases[i].b, cases[i].b_bits, cases[i].a, cases[i].a_bits)
                                          : scene(cases[i].a, cases[i].a_bits, cases[i].b, cases[i].b_bits);
            power_on(&s);
            assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
            assert_int_equal(s.rx.bits, cases[i].bits);
            assert_int_equal(s.rx.collision, cases[i].collision);
            assert_hex(scrip_bytes(s.rx.data, scrip_frame_len(&s.rx)), cases[i].merged);
        }
    }
}

static void parity_bits_collide_too(void **state)
{
    struct scene s = scene("1122", 16, "1122", 16);
    (void)state;
    scrip_frame_parity_set(&s.b.answer, 0, !scrip_frame_parity(&s.b.answer, 0));
    power_on(&s);
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_int_equal(s.rx.collision, 8); /* counted as the bit before */
}

static void answers_that_begin_inside_a_byte_are_merged_there(void **state)
{
    struct scene s = scene("F05A", 12, "F05B", 12);
    (void)state;
    s.a.answer.align = s.b.answer.align = 4;
    power_on(&s);
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_int_equal(s.rx.align, 4);
    assert_int_equal(s.rx.collision, 5);
    assert_hex(scrip_bytes(s.rx.data, 2), "F05B");
}

static void answers_that_have_nothing_in_common_cannot_be_read(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct scene s = scene("F05A", 12, "F05A", 12);
        s.b.answer.align = i == 0 ? 3 : 0;
        s.b.answer.rate = i == 0 ? SCRIP_RATE_106 : SCRIP_RATE_212;
        power_on(&s);
        assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
        assert_int_equal(s.rx.collision, 1);
    }
}

static void only_frames_can_be_sent(void **state)
{
    struct scene s = scene("0400", 16, "0400", 16);
    struct scrip_radio radio;
    (void)state;
    power_on(&s);
    scrip_field_radio(&s.field, &radio);
    scrip_frame_clear(&s.tx);
    assert_status(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000), SCRIP_E_ARGUMENT);
    assert_status(radio.exchange(radio.ctx, &s.tx, &s.rx, 1000), SCRIP_E_LINK);
    s.tx.bits = 8 * SCRIP_FRAME_MAX + 1;
    assert_status(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000), SCRIP_E_ARGUMENT);
    assert_int_equal(s.a.heard, 0);
}

static void a_radio_hears_the_rate_that_it_listens_at(void **state)
{
    struct scene s = scene("0400", 16, "0400", 16);
    struct scrip_radio radio;
    (void)state;
    power_on(&s);
    scrip_field_radio(&s.field, &radio);
    assert_ok(radio.exchange(radio.ctx, &s.tx, &s.rx, 1000));
    assert_ok(radio.rates(radio.ctx, SCRIP_RATE_106, SCRIP_RATE_424));
    assert_status(radio.exchange(radio.ctx, &s.tx, &s.rx, 1000), SCRIP_E_MAC);
    assert_status(radio.rates(radio.ctx, 4, 0), SCRIP_E_UNSUPPORTED);
    assert_status(radio.rates(radio.ctx, 0, 4), SCRIP_E_UNSUPPORTED);
    assert_ok(radio.power(radio.ctx, true)); /* and 106 again */
    assert_ok(radio.exchange(radio.ctx, &s.tx, &s.rx, 1000));
}

static void a_field_without_carrier_carries_nothing(void **state)
{
    struct scene s = scene("0400", 16, "0400", 16);
    (void)state;
    assert_ok(scrip_field_add(&s.field, &s.a.picc));
    assert_status(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000), SCRIP_E_STATE);
    assert_int_equal(s.a.heard, 0);
    assert_int_equal(s.a.ons, 0);
    assert_int_equal(scrip_field_now_fc(&s.field), 0);
}

static void cards_get_power_with_the_field_and_lose_it_with_it(void **state)
{
    struct scene s = scene("0400", 16, "0400", 16);
    (void)state;
    power_on(&s);
    assert_ok(scrip_field_power(&s.field, true));
    assert_int_equal(s.a.ons, 1);
    scrip_field_remove(&s.field, &s.a.picc);
    scrip_field_remove(&s.field, &s.a.picc);
    assert_int_equal(s.a.offs, 1);
    assert_ok(scrip_field_add(&s.field, &s.a.picc));
    assert_int_equal(s.a.ons, 2);
    assert_status(scrip_field_add(&s.field, &s.a.picc), SCRIP_E_EXISTS);
    assert_ok(scrip_field_power(&s.field, false));
    assert_int_equal(s.a.offs, 2);
    assert_int_equal(s.b.offs, 1);
}

static void a_field_holds_eight_cards(void **state)
{
    struct scrip_field field;
    struct parrot flock[SCRIP_FIELD_CARDS + 1];
    (void)state;
    scrip_field_init(&field);
    for (size_t i = 0; i <= SCRIP_FIELD_CARDS; i++) {
        flock[i] = parrot("0400", 16);
        assert_status(scrip_field_add(&field, &flock[i].picc), i < SCRIP_FIELD_CARDS ? SCRIP_OK : SCRIP_E_LIMIT);
    }
}

static void a_card_that_fails_is_silent_and_the_others_are_heard(void **state)
{
    struct scene s = scene("0400", 16, "4400", 16);
    (void)state;
    power_on(&s);
    s.b.fails = SCRIP_E_NV;
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_int_equal(s.rx.collision, 0);
    assert_hex(scrip_bytes(s.rx.data, 2), "0400");
    scrip_field_remove(&s.field, &s.a.picc);
    assert_status(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000), SCRIP_E_NV);
    assert_ok(scrip_field_power(&s.field, false));
    assert_status(scrip_field_power(&s.field, true), SCRIP_E_NV);
}

/* READ: 38 + 164 etu are 1906.8 us, and 91.2 us between them. */
static void a_read_takes_as_long_as_the_budget_says(void **state)
{
    static const uint8_t read[] = {0x30, 0x00};
    struct scene s = scene("00112233445566778899AABBCCDDEEFF0000", 144, "00", 0);
    const struct scrip_field_times *t = &s.field.times;
    (void)state;
    power_on(&s);
    assert_ok(scrip_frame_bytes_crc(&s.tx, SCRIP_BYTES_OF(read)));
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 5000));
    assert_int_equal(t->reader_fc, 38 * 128);
    assert_int_equal(t->card_fc, 164 * 128);
    assert_int_equal(t->delay_fc, 1236);
    assert_int_equal(t->busy_fc + t->idle_fc, 0);
    assert_int_equal(scrip_field_now_fc(&s.field), 202 * 128 + 1236);
    assert_int_equal(202 * 128 * 10000ULL / 13560, 19067); /* 1906.78 us, in tenths */
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 5000));
    assert_int_equal(t->delay_fc, 1236 + 1172 + 1236);
    assert_int_equal(t->frames, 2);
}

static void the_delay_depends_on_the_last_bit(void **state)
{
    struct scene s = scene("0400", 16, "00", 0);
    (void)state;
    power_on(&s);
    scrip_frame_short(&s.tx, 0x26); /* last bit 0 */
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_int_equal(s.field.times.delay_fc, 1172);
    scrip_field_wait(&s.field, 100);
    scrip_frame_short(&s.tx, 0x52); /* 1 */
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_int_equal(s.field.times.delay_fc, 1172 + 1236);
    assert_int_equal(s.field.times.idle_fc, 1356);
}

static void work_is_on_the_grid_of_the_delay_and_too_much_of_it_is_silence(void **state)
{
    struct scene s = scene("0400", 16, "00", 0);
    (void)state;
    power_on(&s);
    s.a.cost_us = 300;
    assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    assert_int_equal(s.field.times.busy_fc, 32 * 128); /* 4068 cycles, rounded up */
    assert_int_equal(s.a.heard_fc, 9 * 128);           /* the end of the frame */
    s.a.cost_us = 950;
    assert_status(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000), SCRIP_E_TIMEOUT);
    assert_int_equal(s.field.times.idle_fc, 13560);
    assert_int_equal(s.field.times.busy_fc, 32 * 128);
}

static unsigned sniffed;
static uint64_t sniffed_at[4];
static bool sniffed_card[4];

static void note(void *ctx, const struct scrip_frame *frame, bool from_card, uint64_t at_fc)
{
    assert_ptr_equal(ctx, &sniffed);
    assert_int_equal(frame->bits, from_card ? 16 : 7);
    sniffed_card[sniffed] = from_card;
    sniffed_at[sniffed++] = at_fc;
}

static void a_sniffer_sees_every_frame_with_its_time(void **state)
{
    struct scene s = scene("0400", 16, "00", 0);
    (void)state;
    power_on(&s);
    s.field.sniff = note;
    s.field.sniff_ctx = &sniffed;
    sniffed = 0;
    for (int i = 0; i < 2; i++) {
        assert_ok(scrip_field_exchange(&s.field, &s.tx, &s.rx, 1000));
    }
    assert_int_equal(sniffed, 4);
    assert_false(sniffed_card[0]);
    assert_true(sniffed_card[1]);
    assert_int_equal(sniffed_at[0], 0);
    assert_int_equal(sniffed_at[1], 9 * 128 + 1236);
    assert_int_equal(sniffed_at[2], sniffed_at[1] + 20 * 128 + 1172);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_answers_are_one),
        cmocka_unit_test(where_answers_differ_is_a_collision_that_reads_1),
        cmocka_unit_test(parity_bits_collide_too),
        cmocka_unit_test(answers_that_begin_inside_a_byte_are_merged_there),
        cmocka_unit_test(answers_that_have_nothing_in_common_cannot_be_read),
        cmocka_unit_test(only_frames_can_be_sent),
        cmocka_unit_test(a_radio_hears_the_rate_that_it_listens_at),
        cmocka_unit_test(a_field_without_carrier_carries_nothing),
        cmocka_unit_test(cards_get_power_with_the_field_and_lose_it_with_it),
        cmocka_unit_test(a_field_holds_eight_cards),
        cmocka_unit_test(a_card_that_fails_is_silent_and_the_others_are_heard),
        cmocka_unit_test(a_read_takes_as_long_as_the_budget_says),
        cmocka_unit_test(the_delay_depends_on_the_last_bit),
        cmocka_unit_test(work_is_on_the_grid_of_the_delay_and_too_much_of_it_is_silence),
        cmocka_unit_test(a_sniffer_sees_every_frame_with_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
