/* Virtual cards in a field. */
#include "check.h"
#include <scrip/desfire_card.h>
#include <scrip/field.h>
#include <scrip/pcd.h>
#include <scrip/posix.h>
#include <scrip/vcard.h>
#include <scrip/wallet.h>
#include <stdio.h>

struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_vcard_host host;
    struct scrip_vcard *card;
    struct scrip_field field;
    struct scrip_radio radio;
    struct scrip_target target;
    struct scrip_pcd_4 pcd;
};

static struct bench *bench_new(const struct scrip_vcard_identity *identity)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    struct scrip_vcard_identity known = *identity;
    known.storage = known.family == SCRIP_VCARD_DESFIRE ? 0x16 : 0;
    scrip_random_seeded_init(&bench.seeded, 11);
    bench.random = scrip_random_seeded(&bench.seeded);
    bench.host.random = &bench.random;
    assert_ok(scrip_nv_memory_init(&bench.memory, scrip_vcard_pages(&known)));
    bench.nv = scrip_nv_memory(&bench.memory);
    assert_ok(scrip_vcard_open_nv(&bench.nv, &known, true, &bench.host, &bench.card));
    scrip_field_init(&bench.field);
    assert_ok(scrip_field_add(&bench.field, scrip_vcard_picc(bench.card)));
    scrip_field_radio(&bench.field, &bench.radio);
    return &bench;
}

static void bench_free(struct bench *bench)
{
    scrip_field_remove(&bench->field, scrip_vcard_picc(bench->card));
    scrip_vcard_close(bench->card);
    scrip_nv_memory_free(&bench->memory);
}

/* From the dark: power, anticollision. */
static void tap(struct bench *bench)
{
    assert_ok(bench->radio.power(bench->radio.ctx, false));
    assert_ok(bench->radio.power(bench->radio.ctx, true));
    memset(&bench->target, 0, sizeof bench->target);
    assert_ok(scrip_pcd_find(&bench->radio, false, &bench->target));
}

static void says(struct bench *bench, const char *command, const char *wanted)
{
    uint8_t capdu[300], rapdu[SCRIP_VCARD_RAPDU_MAX];
    struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
    assert_ok(scrip_pcd_4_exchange(&bench->pcd, scrip_bytes(capdu, from_hex(command, capdu, sizeof capdu)), &rsp));
    assert_hex(scrip_buf_bytes(&rsp), wanted);
}

static void the_air_shows_who_each_card_is(void **state)
{
    (void)state;
    static const struct {
        struct scrip_vcard_identity identity;
        uint8_t atqa, sak;
    } rows[] = {
        {{.family = SCRIP_VCARD_DESFIRE, .generation = SCRIP_DESFIRE_EV3, .uid_len = 7, .uid = {4, 1, 2, 3, 4, 5, 6}},
         0x44,
         0x20},
        {{.family = SCRIP_VCARD_CLASSIC, .uid_len = 4, .uid = {0x11, 2, 3, 4}}, 0x04, 0x08},
        {{.family = SCRIP_VCARD_CLASSIC, .uid_len = 7, .uid = {4, 1, 2, 3, 4, 5, 6}}, 0x44, 0x08},
        {{.family = SCRIP_VCARD_CLASSIC, .variant = SCRIP_VCARD_4K, .uid_len = 4, .uid = {0x11, 2, 3, 4}}, 0x02, 0x18},
        {{.family = SCRIP_VCARD_OTP, .uid_len = 4, .uid = {0x11, 2, 3, 4}}, 0x04, 0x08},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench = bench_new(&rows[i].identity);
        tap(bench);
        assert_int_equal(bench->target.atqa[0], rows[i].atqa);
        assert_int_equal(bench->target.sak, rows[i].sak);
        assert_int_equal(bench->target.uid_len, rows[i].identity.uid_len);
        assert_memory_equal(bench->target.uid, rows[i].identity.uid, rows[i].identity.uid_len);
        bench_free(bench);
    }
}

static const struct scrip_vcard_identity EV3 = {.family = SCRIP_VCARD_DESFIRE,
                                                .generation = SCRIP_DESFIRE_EV3,
                                                .uid_len = 7,
                                                .uid = {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}};

static void a_desfire_answers_in_blocks_what_it_answers_directly(void **state)
{
    (void)state;
    static const char *const commands[] = {"9060000000", "90AF000000", "90AF000000", "906A000000",
                                           "60",         "AF",         "AF",         "00A4040007D276000085010000"};
    uint8_t capdu[300];
    struct bench *bench = bench_new(&EV3);
    struct scrip_card_info info;
    char direct[8][2 * 64 + 1];
    assert_ok(scrip_vcard_on(bench->card, &info));
    for (size_t i = 0; i < 8; i++) {
        uint8_t rapdu[SCRIP_VCARD_RAPDU_MAX];
        struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
        if (i == 4) { /* the first command decides on the framing */
            assert_ok(scrip_vcard_on(bench->card, &info));
        }
        assert_ok(scrip_vcard_apdu(bench->card, scrip_bytes(capdu, from_hex(commands[i], capdu, sizeof capdu)), &rsp));
        for (size_t b = 0; b < rsp.len && b < 64; b++) {
            snprintf(direct[i] + 2 * b, 3, "%02X", rapdu[b]);
        }
    }
    scrip_vcard_off(bench->card);
    for (size_t i = 0; i < 8; i++) {
        if (i == 0 || i == 4) {
            tap(bench);
            assert_ok(scrip_pcd_4_begin(&bench->pcd, &bench->radio, &bench->target, 0, SCRIP_RATE_106));
            assert_int_equal(bench->target.ats_len, info.ats_len);
            assert_memory_equal(bench->target.ats, info.ats, info.ats_len);
        }
        says(bench, commands[i], direct[i]);
    }
    bench_free(bench);
}

static struct bench *given_a_selected_application(void)
{
    struct bench *bench = bench_new(&EV3);
    tap(bench);
    assert_ok(scrip_pcd_4_begin(&bench->pcd, &bench->radio, &bench->target, 0, SCRIP_RATE_106));
    says(bench, "90CA000005 994401 0F 81 00", "9100");
    says(bench, "905A000003 994401 00", "9100");
    says(bench, "906F000000", "9100");
    return bench;
}

static void what_is_open_on_a_card_dies_with_the_field(void **state)
{
    (void)state;
    struct bench *bench = given_a_selected_application();
    tap(bench);
    assert_ok(scrip_pcd_4_begin(&bench->pcd, &bench->radio, &bench->target, 0, SCRIP_RATE_106));
    says(bench, "906A000000", "9944019100");
    bench_free(bench);
}

static void what_is_open_on_a_card_dies_with_deselect(void **state)
{
    (void)state;
    struct bench *bench = given_a_selected_application();
    assert_ok(scrip_pcd_4_deselect(&bench->pcd));
    assert_ok(scrip_pcd_wake(&bench->radio, &bench->target));
    assert_ok(scrip_pcd_4_begin(&bench->pcd, &bench->radio, &bench->target, 0, SCRIP_RATE_106));
    says(bench, "906F000000", "919D"); /* no application is selected any more */
    bench_free(bench);
}

/* ---- random UIDs ------------------------------------------------------------------------------------------------ */

struct direct_link {
    struct scrip_link link;
    struct scrip_vcard *card;
};

static enum scrip_status direct_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    return scrip_vcard_apdu(((struct direct_link *)link)->card, capdu, rapdu);
}

static enum scrip_status one_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    (void)ctx;
    (void)m;
    memset(out, 0x50 + (int)role, 16);
    return SCRIP_OK;
}

static void personalise(struct bench *bench, const char *profile)
{
    static struct scrip_purse_job job;
    static const struct scrip_link_ops ops = {.transmit = direct_transmit};
    struct direct_link direct = {.link = {.ops = &ops}, .card = bench->card};
    struct scrip_desfire_profile desfire;
    struct scrip_purse_header header = {.currency = 978, .exponent = 2, .card_number = "1"};
    assert_ok(scrip_desfire_profile_make(profile, &desfire));
    header.profile = scrip_desfire_profile_id(&desfire);
    struct scrip_purse_request request = {.profile = &desfire,
                                          .keys = {.get = one_key},
                                          .random = bench->random,
                                          .new_key_version = 1,
                                          .header = &header};
    assert_ok(scrip_vcard_on(bench->card, &request.card));
    assert_ok(scrip_purse_run(&job, &scrip_purse_desfire, SCRIP_PURSE_PERSONALISE, &request, &direct.link));
    scrip_vcard_off(bench->card);
}

static void a_random_uid_is_four_bytes_and_new_at_every_tap(void **state)
{
    (void)state;
    struct bench *bench = bench_new(&EV3);
    uint8_t before[4];
    personalise(bench, "an12113+random-id");
    tap(bench);
    assert_int_equal(bench->target.uid_len, 4);
    assert_int_equal(bench->target.uid[0], 0x08);
    assert_int_equal(bench->target.atqa[0], 0x04);
    memcpy(before, bench->target.uid, 4);
    tap(bench);
    assert_int_equal(bench->target.uid[0], 0x08);
    assert_memory_not_equal(bench->target.uid, before, 4);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_air_shows_who_each_card_is),
        cmocka_unit_test(a_desfire_answers_in_blocks_what_it_answers_directly),
        cmocka_unit_test(what_is_open_on_a_card_dies_with_the_field),
        cmocka_unit_test(what_is_open_on_a_card_dies_with_deselect),
        cmocka_unit_test(a_random_uid_is_four_bytes_and_new_at_every_tap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
