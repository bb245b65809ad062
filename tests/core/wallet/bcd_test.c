/* The BCD credit block: digits, arithmetic, valid copies, the recovery table, what an operator is shown. */
#include "check.h"
#include <scrip/bcd.h>

static void digits_are_most_significant_first(void **state)
{
    static const struct {
        int32_t credits;
        const char *digits;
    } rows[] = {{0, "00000000"}, {5, "00000005"}, {10, "00000010"}, {12345678, "12345678"}, {99999999, "99999999"}};
    uint8_t digits[4];
    int32_t credits = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(scrip_bcd_put(rows[i].credits, digits));
        assert_hex(SCRIP_BYTES_OF(digits), rows[i].digits);
        assert_ok(scrip_bcd_get(digits, &credits));
        assert_int_equal(credits, rows[i].credits);
    }
    assert_status(scrip_bcd_put(-1, digits), SCRIP_E_OVERFLOW);
    assert_status(scrip_bcd_put(100000000, digits), SCRIP_E_OVERFLOW);
    assert_hex(SCRIP_BYTES_OF(digits), "99999999");
}

/* Against integers: pairs that carry and borrow across every byte, and those at both ends. */
static void sums_are_those_of_integers(void **state)
{
    static const int32_t edges[] = {0,     1,      9,      10,      99,       100,      999,     9999,     10000,
                                    99999, 100000, 999999, 1000000, 12345678, 50000000, 9999999, 99999998, 99999999};
    const size_t count = sizeof edges / sizeof edges[0];
    uint32_t seed = 1;
    (void)state;
    for (size_t n = 0; n < count * count + 20000; n++) {
        seed = seed * 1664525U + 1013904223U;
        const int32_t a = n < count * count ? edges[n / count] : (int32_t)(seed >> 4) % 100000000;
        seed = seed * 1664525U + 1013904223U;
        const int32_t b = n < count * count ? edges[n % count] : (int32_t)(seed >> 4) % 100000000;
        uint8_t sum[4], step[4];
        int32_t got = 0;
        assert_ok(scrip_bcd_put(a, sum));
        assert_ok(scrip_bcd_put(b, step));
        assert_status(scrip_bcd_add(sum, step), a + b <= SCRIP_BCD_MAX ? SCRIP_OK : SCRIP_E_OVERFLOW);
        assert_ok(scrip_bcd_get(sum, &got));
        assert_int_equal(got, a + b <= SCRIP_BCD_MAX ? a + b : a);
        assert_ok(scrip_bcd_put(a, sum));
        assert_status(scrip_bcd_sub(sum, step), a >= b ? SCRIP_OK : SCRIP_E_OVERFLOW);
        assert_ok(scrip_bcd_get(sum, &got));
        assert_int_equal(got, a >= b ? a - b : a);
    }
}

static void a_nibble_that_is_no_digit_is_an_error(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 8; at++) {
        uint8_t good[4] = {0x12, 0x34, 0x56, 0x78};
        uint8_t bad[4] = {0x12, 0x34, 0x56, 0x78};
        int32_t credits = 7;
        bad[at / 2] = (uint8_t)(at % 2 == 0 ? 0xA0 : 0x0F);
        assert_status(scrip_bcd_get(bad, &credits), SCRIP_E_FORMAT);
        assert_int_equal(credits, 7);
        assert_status(scrip_bcd_add(good, bad), SCRIP_E_ARGUMENT);
        assert_status(scrip_bcd_sub(good, bad), SCRIP_E_ARGUMENT);
        assert_status(scrip_bcd_add(bad, good), SCRIP_E_ARGUMENT);
        assert_hex(SCRIP_BYTES_OF(good), "12345678");
    }
}

static void every_damaged_bit_of_a_copy_is_seen(void **state)
{
    uint8_t block[16];
    int32_t credits = 0;
    (void)state;
    assert_ok(scrip_bcd_block_put(12345678, block));
    assert_hex(SCRIP_BYTES_OF(block), "12345678 EDCBA987 0000000000000000");
    assert_ok(scrip_bcd_block_get(block, &credits));
    assert_int_equal(credits, 12345678);
    for (unsigned bit = 0; bit < 128; bit++) {
        block[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_status(scrip_bcd_block_get(block, &credits), SCRIP_E_FORMAT);
        block[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    memcpy(block, "\x0A\x00\x00\x00\xF5\xFF\xFF\xFF", 8); /* complement right, no digit */
    assert_status(scrip_bcd_block_get(block, &credits), SCRIP_E_FORMAT);
}

static void the_data_block_wins_and_two_damaged_ones_are_refused(void **state)
{
    uint8_t old[16], new[16], bad[16] = {0};
    int32_t credits = 3;
    (void)state;
    assert_ok(scrip_bcd_block_put(10, old));
    assert_ok(scrip_bcd_block_put(12, new));
    assert_int_equal(scrip_bcd_decide(bad, bad, &credits), SCRIP_COPIES_BOTH_DAMAGED);
    assert_int_equal(credits, 3);
    assert_int_equal(scrip_bcd_decide(old, old, &credits), SCRIP_COPIES_GOOD);
    assert_int_equal(credits, 10);
    assert_int_equal(scrip_bcd_decide(new, old, &credits), SCRIP_COPIES_MEND_BACKUP);
    assert_int_equal(credits, 12);
    assert_int_equal(scrip_bcd_decide(new, bad, &credits), SCRIP_COPIES_MEND_BACKUP);
    assert_int_equal(scrip_bcd_decide(bad, old, &credits), SCRIP_COPIES_MEND_MAIN);
    assert_int_equal(credits, 10);
}

static void an_operator_is_shown_what_two_fields_agree_on(void **state)
{
    static const struct {
        const char *data, *backup;
        int32_t proposal; /* -1: none */
    } rows[] = {
        {"00000010 FFFFFFEE 0000000000000000", "00000010 FFFFFFED 0000000000000000", 10},
        {"00000011 FFFFFFEF 0000000000000000", "0000001F FFFFFFEF 0000000000000000", 10}, /* the complements */
        {"00000010 FFFFFFEF 0000000000000001", "00000000 00000000 0000000000000000", 10}, /* only the zeros are wrong */
        {"00000010 FFFFFFEE 0000000000000000", "00000012 FFFFFFE0 0000000000000000", -1},
        {"00000010 FFFFFFEF 0100000000000000", "00000012 FFFFFFED 0100000000000000", -1}, /* two against two */
        {"00000000 00000000 0000000000000000", "00000000 00000000 0000000000000000", -1}, /* erased */
        {"FFFFFFFF FFFFFFFF FFFFFFFFFFFFFFFF", "FFFFFFFF FFFFFFFF FFFFFFFFFFFFFFFF", -1},
        {"0000000A FFFFFFF5 0000000000000000", "0000000A FFFFFFF5 0000000000000000", -1}, /* no digit */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t data[16], backup[16];
        int32_t credits = -1;
        (void)from_hex(rows[i].data, data, sizeof data);
        (void)from_hex(rows[i].backup, backup, sizeof backup);
        assert_status(scrip_bcd_propose(data, backup, &credits), rows[i].proposal < 0 ? SCRIP_E_NOT_FOUND : SCRIP_OK);
        assert_int_equal(credits, rows[i].proposal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_most_significant_first),
        cmocka_unit_test(sums_are_those_of_integers),
        cmocka_unit_test(a_nibble_that_is_no_digit_is_an_error),
        cmocka_unit_test(every_damaged_bit_of_a_copy_is_seen),
        cmocka_unit_test(the_data_block_wins_and_two_damaged_ones_are_refused),
        cmocka_unit_test(an_operator_is_shown_what_two_fields_agree_on),
    };
    return cmocka_run_group_tests_name("bcd", tests, NULL, NULL);
}
