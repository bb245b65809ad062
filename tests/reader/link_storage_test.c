/* card: with a storage card behind it: pseudo-APDUs become frames. */
#include "check.h"
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <scrip/reader.h>

struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv_tearing tearing;
    struct scrip_nv nv;
    struct scrip_vcard *card;
    struct scrip_link *link;
    struct scrip_card_info info;
};

static struct bench *given(const struct scrip_vcard_identity *identity)
{
    static struct bench bench;
    memset(&bench, 0, sizeof bench);
    assert_ok(scrip_nv_memory_init(&bench.memory, scrip_vcard_pages(identity)));
    bench.nv = scrip_nv_tearing(&bench.tearing, scrip_nv_memory(&bench.memory), 5);
    assert_ok(scrip_vcard_open_nv(&bench.nv, identity, true, NULL, &bench.card));
    assert_ok(scrip_link_to_card(bench.card, true, &bench.link));
    return &bench;
}

static void finish(struct bench *bench)
{
    scrip_link_close(bench->link);
    scrip_nv_memory_free(&bench->memory);
}

static void says(struct bench *bench, const char *command, const char *wanted)
{
    uint8_t capdu[300], rapdu[SCRIP_VCARD_RAPDU_MAX];
    struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
    assert_ok(scrip_link_transmit(bench->link, scrip_bytes(capdu, from_hex(command, capdu, sizeof capdu)), &rsp));
    assert_hex(scrip_buf_bytes(&rsp), wanted);
}

#define LOAD_FACTORY_KEY "FF82000006 FFFFFFFFFFFF"
#define AUTHENTICATE_4   "FF86000005 0100046000"
#define WRITE_4(data)    "FFD6000410" data
#define READ_4           "FFB0000410"
#define ONES             "11111111111111111111111111111111"
#define TWOS             "22222222222222222222222222222222"

static const struct scrip_vcard_identity CLASSIC = {
    .family = SCRIP_VCARD_CLASSIC, .uid_len = 4, .uid = {0x11, 0x22, 0x33, 0x44}};

static void a_storage_card_is_read_and_written_with_pseudo_apdus(void **state)
{
    (void)state;
    struct bench *bench = given(&CLASSIC);
    assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
    assert_int_equal(bench->info.uid_len, 4);
    assert_memory_equal(bench->info.uid, CLASSIC.uid, 4);
    assert_hex(scrip_bytes(bench->info.ats, bench->info.ats_len), "3B8F8001804F0CA000000306030001000000006A");
    says(bench, "FFCA000000", "11223344 9000");
    says(bench, READ_4, "6982");
    says(bench, LOAD_FACTORY_KEY, "9000");
    says(bench, AUTHENTICATE_4, "9000");
    says(bench, WRITE_4(ONES), "9000");
    says(bench, READ_4, ONES "9000");
    says(bench, "90AF000000", "6D00");                           /* no card of part 4 */
    assert_ok(scrip_link_connect(bench->link, 0, &bench->info)); /* a power cycle: session and keys are gone */
    says(bench, READ_4, "6982");
    says(bench, AUTHENTICATE_4, "6984");
    finish(bench);
}

static void a_wrong_key_is_refused_and_the_card_stays(void **state)
{
    (void)state;
    struct bench *bench = given(&CLASSIC);
    assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
    says(bench, "FF82000006 B0B1B2B3B4B5", "9000");
    says(bench, AUTHENTICATE_4, "6300");
    says(bench, LOAD_FACTORY_KEY, "9000");
    says(bench, AUTHENTICATE_4, "9000");
    finish(bench);
}

/* Power lost at the write: the block is the old or the new one, and the next tap shows which. */
static void a_torn_write_is_not_answered_and_the_next_tap_goes_on(void **state)
{
    (void)state;
    static const struct {
        enum scrip_tear how;
        const char *left;
    } rows[] = {{SCRIP_TEAR_BEFORE, ONES "9000"}, {SCRIP_TEAR_AFTER, TWOS "9000"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench = given(&CLASSIC);
        assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
        says(bench, LOAD_FACTORY_KEY, "9000");
        says(bench, AUTHENTICATE_4, "9000");
        says(bench, WRITE_4(ONES), "9000");
        scrip_nv_tear_after(&bench->tearing, 1, rows[i].how);
        says(bench, WRITE_4(TWOS), "6301");
        scrip_nv_power_up(&bench->tearing);
        assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
        says(bench, LOAD_FACTORY_KEY, "9000");
        says(bench, AUTHENTICATE_4, "9000");
        says(bench, READ_4, rows[i].left);
        finish(bench);
    }
}

static void a_storage_card_that_does_not_start_is_no_card(void **state)
{
    (void)state;
    struct bench *bench = given(&CLASSIC);
    bench->tearing.no_power = true;
    assert_status(scrip_link_connect(bench->link, 0, &bench->info), SCRIP_E_NO_CARD);
    assert_non_null(strstr(bench->link->error, "does not start"));
    finish(bench);
}

static void every_storage_card_has_its_atr(void **state)
{
    (void)state;
    static const struct {
        struct scrip_vcard_identity identity;
        const char *atr;
    } rows[] = {
        {{.family = SCRIP_VCARD_CLASSIC, .uid_len = 7}, "3B8F8001804F0CA000000306030001000000006A"},
        {{.family = SCRIP_VCARD_CLASSIC, .variant = SCRIP_VCARD_4K}, "3B8F8001804F0CA0000003060300020000000069"},
        {{.family = SCRIP_VCARD_OTP}, "3B8F8001804F0CA000000306030001000000006A"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench *bench = given(&rows[i].identity);
        assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
        assert_hex(scrip_bytes(bench->info.ats, bench->info.ats_len), rows[i].atr);
        finish(bench);
    }
}

static enum scrip_status count_fill(void *ctx, uint8_t *dst, size_t len)
{
    *(size_t *)ctx += len;
    memset(dst, 0x5A, len);
    return SCRIP_OK;
}

static void the_reader_draws_its_random_numbers_where_it_is_told(void **state)
{
    (void)state;
    size_t drawn = 0;
    const struct scrip_random random = {.ctx = &drawn, .fill = count_fill};
    struct bench *bench = given(&CLASSIC);
    scrip_link_close(bench->link);
    assert_ok(scrip_vcard_open_nv(&bench->nv, &CLASSIC, false, NULL, &bench->card));
    assert_ok(scrip_link_to_card_seeded(bench->card, true, &random, &bench->link));
    assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
    says(bench, LOAD_FACTORY_KEY, "9000");
    says(bench, AUTHENTICATE_4, "9000");
    assert_int_equal(drawn, 4); /* nR; the card's own numbers come from its host */
    finish(bench);
}

/* The reader's own commands never reach a card of part 4, which is spoken to directly. */
static void the_reader_tells_the_uid_of_a_desfire(void **state)
{
    (void)state;
    static const struct scrip_vcard_identity desfire = {.family = SCRIP_VCARD_DESFIRE,
                                                        .generation = SCRIP_DESFIRE_EV3,
                                                        .uid_len = 7,
                                                        .uid = {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66},
                                                        .storage = 0x16};
    struct bench *bench = given(&desfire);
    assert_ok(scrip_link_connect(bench->link, 0, &bench->info));
    assert_hex(scrip_bytes(bench->info.ats, bench->info.ats_len), "067577810280");
    says(bench, "FFCA000000", "04112233445566 9000");
    says(bench, "FFCA010000", "067577810280 9000");
    says(bench, "90CA000005 994401 0F 81 00", "9100");
    says(bench, READ_4, "6A81");
    says(bench, "906A000000", "994401 9100"); /* what was open is still open */
    finish(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storage_card_is_read_and_written_with_pseudo_apdus),
        cmocka_unit_test(a_wrong_key_is_refused_and_the_card_stays),
        cmocka_unit_test(a_torn_write_is_not_answered_and_the_next_tap_goes_on),
        cmocka_unit_test(a_storage_card_that_does_not_start_is_no_card),
        cmocka_unit_test(every_storage_card_has_its_atr),
        cmocka_unit_test(the_reader_draws_its_random_numbers_where_it_is_told),
        cmocka_unit_test(the_reader_tells_the_uid_of_a_desfire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
