#include "bench.h"

/* ---- as it comes from the factory ---- */

static void a_new_card_opens_with_the_transport_key_everywhere(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    assert_ok(select_card(b));
    for (uint8_t sector = 0; sector < SCRIP_CLASSIC_1K_SECTORS; sector++) {
        const uint8_t trailer = scrip_classic_trailer(sector);
        assert_ok(do_auth(b, false, trailer, KEY_FF));
        for (uint8_t block = scrip_classic_first(sector); block < trailer; block++) {
            assert_ok(do_read(b, block, data));
            assert_hex(SCRIP_BYTES_OF(data),
                       block == 0 ? "9C599B326C0804000000007363726970" : "00000000000000000000000000000000");
        }
        assert_ok(do_read(b, trailer, data));
        assert_hex(SCRIP_BYTES_OF(data), "000000000000FF078069FFFFFFFFFFFF");
    }
}

static void what_is_written_is_read(void **state)
{
    static const uint8_t text[16] = "sixteen letters";
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_write(b, 5, text));
    assert_ok(do_read(b, 5, data));
    assert_memory_equal(data, text, 16);
    power_cycle(b);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_read(b, 5, data));
    assert_memory_equal(data, text, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_card_opens_with_the_transport_key_everywhere, bench_1k, bench_done),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, bench_1k, bench_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
