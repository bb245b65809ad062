/* The synthetic ATR: every row of the table, as client programs know them. */
#include "bench.h"

static void a_storage_card_is_named_by_its_sak(void **state)
{
    (void)state;
    static const struct {
        uint8_t sak;
        const char *atr;
    } table[] = {
        {0x08, "3B8F8001804F0CA000000306030001000000006A"}, {0x88, "3B8F8001804F0CA000000306030001000000006A"},
        {0x18, "3B8F8001804F0CA0000003060300020000000069"}, {0x00, "3B8F8001804F0CA0000003060300030000000068"},
        {0x09, "3B8F8001804F0CA000000306030026000000004D"}, {0x10, "3B8F8001804F0CA0000003060300380000000053"},
        {0x11, "3B8F8001804F0CA0000003060300390000000052"}, {0x19, "3B8F8001804F0CA00000030603FF19000000008D"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct scrip_target target = {.sak = table[i].sak, .uid_len = 4};
        uint8_t atr[33];
        assert_hex(scrip_bytes(atr, scrip_pcsc_atr(&target, atr)), table[i].atr);
    }
}

static void a_card_of_part_4_is_named_by_its_historical_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *ats;
        const char *atr;
    } table[] = {
        {"067577810280", "3B8180018080"},                          /* DESFire */
        {"0C75778002C1052F2F01BCD6", "3B878001C1052F2F01BCD6A9"},  /* Plus S, X */
        {"0C75778002C105213000 77C1", "3B878001C10521300077C165"}, /* Plus EV1 */
        {"0575778002", "3B80800101"},                              /* none */
        {"", "3B80800101"},                                        /* no ATS at all */
        {"01", "3B80800101"},                                      /* nor T0 */
        {"0200", "3B80800101"},                                    /* nothing behind T0 */
        {"0370 81", "3B80800101"},                                 /* cut in its interface bytes */
        {"0300AA", "3B818001AAAA"},                                /* no interface bytes */
        {"1200 0102030405060708090A0B0C0D0E0F10", "3B8F80010102030405060708090A0B0C0D0E0F0E"}, /* 15 at most */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct scrip_target target = {.sak = 0x20, .uid_len = 7};
        uint8_t atr[33];
        target.ats_len = (uint8_t)from_hex(table[i].ats, target.ats, sizeof target.ats);
        assert_hex(scrip_bytes(atr, scrip_pcsc_atr(&target, atr)), table[i].atr);
    }
}

static void a_classic_on_a_chip_of_part_4_is_shown_as_the_chip(void **state)
{
    (void)state;
    const struct scrip_target target = {.sak = 0x28, .uid_len = 4, .ats = {0x03, 0x00, 0x55}, .ats_len = 3};
    uint8_t atr[33];
    assert_hex(scrip_bytes(atr, scrip_pcsc_atr(&target, atr)), "3B8180015555");
}

static void connecting_tells_the_ats_or_the_atr(void **state)
{
    (void)state;
    struct bench b = {0};
    fake_coupler_init(&b.fake);
    connected(&b);
    assert_hex(scrip_bytes(b.info.uid, b.info.uid_len), "04030201");
    assert_hex(scrip_bytes(b.info.ats, b.info.ats_len), "3B8F8001804F0CA000000306030001000000006A");
    fake_coupler_part_4(&b.fake);
    connected(&b);
    assert_hex(scrip_bytes(b.info.uid, b.info.uid_len), "04010203040506");
    assert_hex(scrip_bytes(b.info.ats, b.info.ats_len), "067577810280");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storage_card_is_named_by_its_sak),
        cmocka_unit_test(a_card_of_part_4_is_named_by_its_historical_bytes),
        cmocka_unit_test(a_classic_on_a_chip_of_part_4_is_shown_as_the_chip),
        cmocka_unit_test(connecting_tells_the_ats_or_the_atr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
