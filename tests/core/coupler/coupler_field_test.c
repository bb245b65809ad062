/* The reader in software: finds cards of all kinds, whatever frame is lost; speaks part 4, MIFARE Classic, and raw. */
#include "bench.h"
#include "fresh_classic.h"
#include "tag.h"
#include <scrip/coupler_field.h>

#define ATS "067577810280"

/* A card in front of which frames get lost, in either direction. */
struct lossy {
    struct scrip_picc picc;
    struct scrip_picc *inner;
    unsigned frames;    /* heard and sent since the beginning */
    unsigned lose_from; /* from 1 on; 0: none */
    unsigned lose_count;
};

static bool is_lost(struct lossy *l)
{
    l->frames++;
    return l->lose_from != 0 && l->frames >= l->lose_from && l->frames - l->lose_from < l->lose_count;
}

static enum scrip_status lossy_power(struct scrip_picc *picc, bool on)
{
    struct lossy *l = (struct lossy *)picc;
    l->inner->now_fc = picc->now_fc;
    return l->inner->ops->power(l->inner, on);
}

static enum scrip_status lossy_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct lossy *l = (struct lossy *)picc;
    if (is_lost(l)) {
        return SCRIP_OK;
    }
    l->inner->now_fc = picc->now_fc;
    l->inner->busy_us = 0;
    SCRIP_TRY(l->inner->ops->frame(l->inner, in, out));
    picc->busy_us = l->inner->busy_us;
    if (out->bits != 0 && is_lost(l)) {
        out->bits = 0;
    }
    return SCRIP_OK;
}

static struct lossy lossy_over(struct scrip_picc *inner)
{
    static const struct scrip_picc_ops ops = {.power = lossy_power, .frame = lossy_frame};
    return (struct lossy){.picc.ops = &ops, .inner = inner};
}

/* A reader over a field. */
struct reader {
    struct scrip_field field;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_coupler_field soft;
    struct scrip_coupler *c;
    struct scrip_target target;
    uint8_t memory[512];
    struct scrip_buf got;
    uint8_t last_bits;
};

static void given_reader(struct reader *r)
{
    memset(r, 0, sizeof *r);
    scrip_field_init(&r->field);
    scrip_random_seeded_init(&r->seeded, 5);
    r->random = scrip_random_seeded(&r->seeded);
    scrip_coupler_field_init(&r->soft, &r->field, &r->random);
    r->c = &r->soft.coupler;
}

static enum scrip_status finds(struct reader *r)
{
    return r->c->ops->find(r->c, 0, &r->target);
}

static enum scrip_status mifare(struct reader *r, const char *hex)
{
    uint8_t command[32];
    r->got = SCRIP_BUF_OF(r->memory);
    return r->c->ops->mifare(r->c, scrip_bytes(command, from_hex(hex, command, sizeof command)), &r->got);
}

static enum scrip_status apdu(struct reader *r, const char *hex)
{
    uint8_t command[300];
    r->got = SCRIP_BUF_OF(r->memory);
    return r->c->ops->apdu(r->c, scrip_bytes(command, from_hex(hex, command, sizeof command)), &r->got);
}

static enum scrip_status raw(struct reader *r, const struct scrip_coupler_raw *how, const char *hex)
{
    uint8_t data[300];
    r->got = SCRIP_BUF_OF(r->memory);
    return r->c->ops->raw(r->c, how, scrip_bytes(data, from_hex(hex, data, sizeof data)), &r->got, &r->last_bits);
}

/* ---- finding ---- */

static void an_empty_field_has_no_card(void **state)
{
    struct reader r;
    (void)state;
    given_reader(&r);
    r.target.sak = 0x77;
    assert_status(finds(&r), SCRIP_E_NO_CARD);
    assert_int_equal(r.target.sak, 0x77);
    assert_status(r.c->ops->again(r.c), SCRIP_E_NO_CARD);
    assert_status(apdu(&r, "00A4040000"), SCRIP_E_STATE);
    assert_status(mifare(&r, "3000"), SCRIP_E_TORN);
}

static void cards_of_all_uid_sizes_are_found(void **state)
{
    static const uint8_t uid[10] = {0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99};
    static const uint8_t lens[] = {4, 7, 10};
    (void)state;
    for (size_t i = 0; i < sizeof lens; i++) {
        struct tag tag = tag_of(uid, lens[i], 0x08);
        struct reader r;
        given_reader(&r);
        assert_ok(scrip_field_add(&r.field, &tag.picc));
        for (unsigned round = 0; round < 3; round++) {
            assert_ok(finds(&r));
            assert_int_equal(r.target.uid_len, lens[i]);
            assert_memory_equal(r.target.uid, uid, lens[i]);
            assert_int_equal(r.target.sak, 0x08);
            assert_int_equal(r.target.ats_len, 0);
            assert_ok(r.c->ops->again(r.c)); /* while it is active */
            assert_ok(r.c->ops->again(r.c));
        }
        scrip_field_remove(&r.field, &tag.picc);
        assert_status(finds(&r), SCRIP_E_NO_CARD);
    }
}

/* Software may have activated the card by raw frames; it is selected again all the same. */
static void a_card_in_any_state_is_selected_again(void **state)
{
    const struct scrip_coupler_raw crc = {.parity = true, .crc_out = true, .crc_in = true, .timeout_us = 5000};
    struct bench *b = bench_new(ATS);
    struct reader r;
    (void)state;
    given_reader(&r);
    scrip_field_remove(&b->field, &b->card.picc);
    assert_ok(scrip_field_add(&r.field, &b->card.picc));
    assert_ok(finds(&r));
    assert_status(mifare(&r, "3000"), SCRIP_E_STATE);
    assert_ok(raw(&r, &crc, "C2")); /* behind the reader's back: HALT */
    assert_hex(scrip_buf_bytes(&r.got), "C2");
    assert_status(raw(&r, &crc, "C2"), SCRIP_E_TIMEOUT);
    assert_ok(r.c->ops->again(r.c));
    assert_ok(apdu(&r, "0300AA"));
    r.soft.part_4 = false; /* as if software had sent RATS itself */
    assert_ok(r.c->ops->again(r.c));
    assert_ok(apdu(&r, "0300AA"));
    free(b);
}

static void of_several_cards_it_is_always_the_same_one(void **state)
{
    uint64_t seed = 9;
    struct tag tags[4];
    struct reader r;
    struct scrip_target first;
    (void)state;
    given_reader(&r);
    for (size_t i = 0; i < 4; i++) {
        const uint32_t number = next_number(&seed) | 1;
        tags[i] = tag_of((const uint8_t *)&number, 4, 0x08);
        assert_ok(scrip_field_add(&r.field, &tags[i].picc));
    }
    assert_ok(finds(&r));
    first = r.target;
    for (unsigned round = 0; round < 5; round++) {
        assert_ok(finds(&r));
        assert_memory_equal(r.target.uid, first.uid, 4);
        assert_ok(r.c->ops->again(r.c));
    }
}

static void a_card_of_part_4_is_activated_at_the_rate_asked_for(void **state)
{
    (void)state;
    for (unsigned rate = SCRIP_RATE_106; rate <= SCRIP_RATE_848; rate++) {
        struct bench *b = bench_new(ATS);
        struct reader r;
        given_reader(&r);
        scrip_field_remove(&b->field, &b->card.picc);
        assert_ok(scrip_field_add(&r.field, &b->card.picc));
        r.soft.fastest = (uint8_t)rate;
        assert_ok(finds(&r));
        assert_hex(scrip_bytes(r.target.ats, r.target.ats_len), ATS);
        assert_int_equal(r.soft.blocks.rate_to, rate);
        assert_ok(apdu(&r, "0300AA"));
        assert_hex(scrip_buf_bytes(&r.got), "ADB4BB");
        assert_int_equal(b->executed, 1);
        assert_ok(r.c->ops->again(r.c));
        assert_int_equal(b->deselected, 1);
        assert_ok(apdu(&r, "0300AA"));
        assert_ok(r.c->ops->power(r.c, false));
        assert_status(apdu(&r, "0300AA"), SCRIP_E_STATE);
        assert_status(r.c->ops->again(r.c), SCRIP_E_NO_CARD);
        free(b);
    }
}

/* Each frame of finding, being found, and of the first command, in both directions, once and twice. */
static void any_frame_may_be_lost(void **state)
{
    unsigned total = 0;
    (void)state;
    for (unsigned from = 0; from <= total + 1; from++) {
        for (unsigned count = 1; count <= 2; count++) {
            struct bench *b = bench_new(ATS);
            struct lossy card = lossy_over(&b->card.picc);
            struct reader r;
            given_reader(&r);
            r.soft.fastest = SCRIP_RATE_848;
            scrip_field_remove(&b->field, &b->card.picc);
            assert_ok(scrip_field_add(&r.field, &card.picc));
            card.lose_from = from;
            card.lose_count = count;
            assert_ok(finds(&r));
            assert_ok(apdu(&r, "C800AA"));
            assert_int_equal(r.got.len, 200);
            assert_int_equal(b->executed, 1);
            total = from == 0 ? card.frames : total;
            free(b);
        }
    }
    assert_in_range(total, 14, 30);
}

/* ---- MIFARE Classic ---- */

/* A reader that has found a card from the factory. */
static void given_classic(struct reader *r, struct classic *classic, const char *uid)
{
    given_reader(r);
    classic_init(classic, uid, false);
    assert_ok(scrip_field_add(&r->field, &classic->card.picc));
    assert_ok(finds(r));
}

static void a_classic_card_is_read_and_written(void **state)
{
    static const struct {
        const char *uid, *key;
    } cards[] = {{"9C599B32", "6004FFFFFFFFFFFF9C599B32"}, {"04A1B2C3D4E5F6", "6004FFFFFFFFFFFFC3D4E5F6"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct classic classic;
        struct reader r;
        given_classic(&r, &classic, cards[i].uid);
        assert_status(mifare(&r, "3004"), SCRIP_E_CARD); /* not without a key */
        assert_ok(r.c->ops->again(r.c));
        assert_ok(mifare(&r, cards[i].key));
        assert_ok(mifare(&r, "A00464000000 9BFFFFFF 64000000 04FB04FB"));
        assert_ok(mifare(&r, "C00405000000"));
        assert_ok(mifare(&r, "B004"));
        assert_ok(mifare(&r, "3004"));
        assert_hex(scrip_buf_bytes(&r.got), "5F000000A0FFFFFF5F00000004FB04FB");
        assert_status(mifare(&r, "3008"), SCRIP_E_CARD); /* another sector */
        assert_ok(r.c->ops->again(r.c));
        assert_status(mifare(&r, "6004000000000000C3D4E5F6"), SCRIP_E_AUTH);
        assert_ok(r.c->ops->again(r.c));
        assert_status(mifare(&r, "FF04"), SCRIP_E_ARGUMENT);
        assert_status(apdu(&r, "0300AA"), SCRIP_E_STATE);
        classic_free(&classic);
    }
}

static void a_whole_card_is_read_in_the_time_of_its_frames(void **state)
{
    struct classic classic;
    struct reader r;
    (void)state;
    given_classic(&r, &classic, "9C599B32");
    const uint64_t before = scrip_field_now_fc(&r.field);
    for (unsigned sector = 0; sector < 16; sector++) {
        uint8_t auth[12] = {0x60, (uint8_t)(4 * sector), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x9C, 0x59, 0x9B, 0x32};
        r.got = SCRIP_BUF_OF(r.memory);
        assert_ok(r.c->ops->mifare(r.c, SCRIP_BYTES_OF(auth), &r.got));
        for (unsigned block = 0; block < 4; block++) {
            const uint8_t read[] = {0x30, (uint8_t)(4 * sector + block)};
            r.got = SCRIP_BUF_OF(r.memory);
            assert_ok(r.c->ops->mifare(r.c, SCRIP_BYTES_OF(read), &r.got));
            assert_int_equal(r.got.len, 16);
        }
    }
    const uint64_t us = (scrip_field_now_fc(&r.field) - before) * 100 / 1356;
    print_message("a 1K card in %llu us of the field, %u exchanges\n", (unsigned long long)us, r.field.times.frames);
    assert_int_equal(r.field.times.frames - 3, 16 * (2 + 4));
    classic_free(&classic);
}

/* ---- raw ---- */

static void a_card_is_selected_by_hand(void **state)
{
    static const uint8_t uid[] = {0x9C, 0x59, 0x9B, 0x32};
    const struct scrip_coupler_raw plain = {.parity = true, .timeout_us = 1000};
    const struct scrip_coupler_raw seven = {.parity = true, .last_bits = 7, .timeout_us = 1000};
    const struct scrip_coupler_raw crc = {.parity = true, .crc_out = true, .crc_in = true, .timeout_us = 1000};
    const struct scrip_coupler_raw four = {.parity = true, .last_bits = 4, .timeout_us = 1000};
    struct tag tag = tag_of(uid, sizeof uid, 0x08);
    struct reader r;
    (void)state;
    given_reader(&r);
    assert_ok(scrip_field_add(&r.field, &tag.picc));
    assert_status(raw(&r, &seven, "26"), SCRIP_E_TIMEOUT);
    assert_ok(r.c->ops->power(r.c, true));
    assert_status(raw(&r, &plain, "26"), SCRIP_E_TIMEOUT);
    assert_ok(raw(&r, &seven, "26"));
    assert_hex(scrip_buf_bytes(&r.got), "0400");
    assert_int_equal(r.last_bits, 0);
    assert_ok(raw(&r, &plain, "9320"));
    assert_hex(scrip_buf_bytes(&r.got), "9C599B326C");
    assert_ok(raw(&r, &four, "93349CF9")); /* twelve bits of the UID are known, vector anticol-01 */
    assert_hex(scrip_buf_bytes(&r.got), "509B326C");
    assert_int_equal(r.last_bits, 0);
    assert_ok(raw(&r, &crc, "93709C599B326C"));
    assert_hex(scrip_buf_bytes(&r.got), "08");
    assert_status(raw(&r, &crc, ""), SCRIP_E_TIMEOUT); /* a CRC alone */
    assert_status(raw(&r, &plain, ""), SCRIP_E_ARGUMENT);
}

/* The same without parity by the reader: nine bits to the byte. */
static void bits_may_be_given_with_their_parity(void **state)
{
    static const uint8_t uid[] = {0x9C, 0x59, 0x9B, 0x32};
    const struct scrip_coupler_raw bits = {.last_bits = 2, .timeout_us = 1000}; /* 18 bits */
    const struct scrip_coupler_raw seven = {.last_bits = 7, .timeout_us = 1000};
    const struct scrip_coupler_raw one = {.last_bits = 1, .timeout_us = 1000}; /* 81 bits */
    struct tag tag = tag_of(uid, sizeof uid, 0x08);
    struct reader r;
    (void)state;
    given_reader(&r);
    assert_ok(scrip_field_add(&r.field, &tag.picc));
    assert_ok(r.c->ops->power(r.c, true));
    assert_ok(raw(&r, &seven, "26"));
    assert_int_equal(r.last_bits, 2);
    assert_hex(scrip_buf_bytes(&r.got), "040002"); /* 04 and 0, 00 and 1 */
    assert_ok(raw(&r, &bits, "934100"));
    assert_int_equal(r.last_bits, 5);
    assert_hex(scrip_buf_bytes(&r.got), "9CB36E92C116");
    assert_ok(raw(&r, &one, "93E170CEBA4906DB353001"));
    assert_int_equal(r.last_bits, 3);
    assert_hex(scrip_buf_bytes(&r.got), "086C7507"); /* 08 B6 DD */

    assert_ok(r.c->ops->power(r.c, false));
    assert_ok(r.c->ops->power(r.c, true));
    assert_ok(raw(&r, &seven, "26"));
    assert_status(raw(&r, &one, "93E170CEB24906DB353001"), SCRIP_E_TIMEOUT); /* one parity bit is wrong */
    assert_int_equal(tag.a.state, SCRIP_PICC_IDLE);
}

/* An ACK of four bits has no CRC, also where one is asked for. */
static void an_ack_is_handed_over(void **state)
{
    const struct scrip_coupler_raw crc = {.parity = true, .crc_out = true, .crc_in = true, .timeout_us = 5000};
    struct classic classic;
    struct reader r;
    (void)state;
    given_classic(&r, &classic, "9C599B32");
    assert_ok(raw(&r, &crc, "3000")); /* refused: not authenticated */
    assert_int_equal(r.got.len, 1);
    assert_int_equal(r.last_bits, 4);
    assert_int_equal(r.memory[0] & 0x0A, 0);
    classic_free(&classic);
}

/* What is heard is only handed over when it is sound, and fits. */
static void damaged_answers_are_not_handed_over(void **state)
{
    static const uint8_t uids[2][4] = {{0x9C, 0x59, 0x9B, 0x32}, {0x9C, 0x59, 0x9B, 0x33}};
    const struct scrip_coupler_raw seven = {.parity = true, .last_bits = 7, .timeout_us = 1000};
    const struct scrip_coupler_raw plain = {.parity = true, .timeout_us = 1000};
    const struct scrip_coupler_raw crc = {.parity = true, .crc_in = true, .timeout_us = 1000};
    const struct scrip_coupler_raw bits = {.last_bits = 2, .timeout_us = 1000};
    const struct scrip_coupler_raw bits_seven = {.last_bits = 7, .timeout_us = 1000};
    struct tag tags[2] = {tag_of(uids[0], 4, 0x08), tag_of(uids[1], 4, 0x08)};
    struct reader r;
    (void)state;
    given_reader(&r);
    assert_ok(scrip_field_add(&r.field, &tags[0].picc));
    assert_ok(scrip_field_add(&r.field, &tags[1].picc));
    assert_ok(r.c->ops->power(r.c, true));
    assert_ok(raw(&r, &seven, "26"));
    assert_status(raw(&r, &plain, "9320"), SCRIP_E_MAC); /* a collision */
    assert_int_equal(r.got.len, 0);
    assert_status(raw(&r, &bits, "934100"), SCRIP_E_MAC);
    assert_status(raw(&r, &crc, "9320"), SCRIP_E_MAC);
    scrip_field_remove(&r.field, &tags[1].picc);
    assert_status(raw(&r, &crc, "9320"), SCRIP_E_MAC); /* there is no CRC */
    assert_ok(raw(&r, &plain, "9320"));

    uint8_t data[] = {0x93, 0x20};
    uint8_t small[4];
    struct scrip_buf got = SCRIP_BUF_OF(small);
    r.last_bits = 0x77;
    assert_status(r.c->ops->raw(r.c, &plain, SCRIP_BYTES_OF(data), &got, &r.last_bits), SCRIP_E_SPACE);
    assert_ok(scrip_buf_add_u8(&got, 0));
    assert_ok(r.c->ops->power(r.c, false));
    assert_ok(r.c->ops->power(r.c, true));
    data[0] = 0x26;
    assert_status(r.c->ops->raw(r.c, &bits_seven, scrip_bytes(data, 1), &got, &r.last_bits), SCRIP_OK);
    assert_int_equal(got.len, 4);
    assert_status(r.c->ops->raw(r.c, &bits, scrip_bytes("\x93\x41\x00", 3), &got, &r.last_bits), SCRIP_E_SPACE);
    assert_int_equal(got.len, 4);
}

/* Any bits at all are sent without harm. */
static void any_stream_of_bits_can_be_sent(void **state)
{
    static const uint8_t uid[] = {0x9C, 0x59, 0x9B, 0x32};
    static const uint8_t data[400] = {0x93};
    struct tag tag = tag_of(uid, sizeof uid, 0x08);
    struct reader r;
    (void)state;
    given_reader(&r);
    assert_ok(scrip_field_add(&r.field, &tag.picc));
    assert_ok(r.c->ops->power(r.c, true));
    for (size_t len = 0; len < sizeof data; len++) {
        for (uint8_t last = 0; last < 8; last++) {
            for (unsigned mode = 0; mode < 4; mode++) {
                const struct scrip_coupler_raw how = {
                    .parity = mode % 2 != 0, .crc_out = mode / 2 != 0, .last_bits = last, .timeout_us = 1000};
                const size_t most = how.parity ? SCRIP_FRAME_MAX : SCRIP_FRAME_MAX / 8 * 9;
                const size_t sent = len + (how.crc_out ? 2 : 0);
                r.got = SCRIP_BUF_OF(r.memory);
                const enum scrip_status status = r.c->ops->raw(r.c, &how, scrip_bytes(data, len), &r.got, &r.last_bits);
                assert_status(status, sent > most ? SCRIP_E_SPACE : sent == 0 ? SCRIP_E_ARGUMENT : SCRIP_E_TIMEOUT);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_field_has_no_card),
        cmocka_unit_test(cards_of_all_uid_sizes_are_found),
        cmocka_unit_test(a_card_in_any_state_is_selected_again),
        cmocka_unit_test(of_several_cards_it_is_always_the_same_one),
        cmocka_unit_test(a_card_of_part_4_is_activated_at_the_rate_asked_for),
        cmocka_unit_test(any_frame_may_be_lost),
        cmocka_unit_test(a_classic_card_is_read_and_written),
        cmocka_unit_test(a_whole_card_is_read_in_the_time_of_its_frames),
        cmocka_unit_test(a_card_is_selected_by_hand),
        cmocka_unit_test(bits_may_be_given_with_their_parity),
        cmocka_unit_test(an_ack_is_handed_over),
        cmocka_unit_test(damaged_answers_are_not_handed_over),
        cmocka_unit_test(any_stream_of_bits_can_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
