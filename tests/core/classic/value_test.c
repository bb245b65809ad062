/* Value blocks and the transfer buffer. */
#include "bench.h"

static int32_t value_of(struct bench *b, uint8_t block, uint8_t *address)
{
    uint8_t data[16];
    int32_t value = 0;
    peek(b, block, data);
    assert_ok(scrip_classic_value_get(data, &value, address));
    return value;
}

static void assert_value(struct bench *b, uint8_t block, int32_t value, uint8_t address)
{
    uint8_t got = 0;
    assert_int_equal(value_of(b, block, &got), value);
    assert_int_equal(got, address);
}

static void nothing_reaches_memory_before_the_transfer(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_DECREMENT, 4, 30));
    assert_value(b, 4, 100, 4);
    assert_ok(do_transfer(b, 4));
    assert_value(b, 4, 70, 4);
}

static void a_transfer_takes_the_address_of_the_source_along(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 0x44);
    given_value(b, 5, 7, 0x55);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_RESTORE, 4, 0xDEADBEEF)); /* the operand does not matter */
    assert_ok(do_transfer(b, 5));
    assert_value(b, 5, 100, 0x44);
    assert_value(b, 4, 100, 0x44);
}

static void a_transfer_makes_a_value_block_of_any_block(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    poke(b, 6, "00112233445566778899AABBCCDDEEFF");
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 4, 1));
    assert_ok(do_transfer(b, 6));
    assert_value(b, 6, 101, 4);
}

static void the_last_operation_before_the_transfer_counts(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_DECREMENT, 4, 30));
    assert_ok(do_value(b, SCRIP_MIFARE_DECREMENT, 4, 5));
    assert_ok(do_transfer(b, 4));
    assert_value(b, 4, 95, 4);
}

static void a_transfer_empties_the_buffer(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 4, 1));
    assert_ok(do_transfer(b, 4));
    assert_status(do_transfer(b, 4), SCRIP_E_CARD);
    assert_value(b, 4, 101, 4);
}

static void reading_and_writing_leave_the_buffer_alone(void **state)
{
    static const uint8_t text[16] = "sixteen letters";
    struct bench *b = *state;
    uint8_t data[16];
    given_value(b, 4, 100, 4);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 4, 1));
    assert_ok(do_read(b, 4, data));
    assert_ok(do_write(b, 5, text));
    assert_ok(do_write(b, 4, text));
    assert_ok(do_transfer(b, 4));
    assert_value(b, 4, 101, 4);
}

static void fill(struct bench *b)
{
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 4, 1));
}

static void the_buffer_is_lost_with_the_session(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);

    fill(b);
    given_session(b, false, 4, KEY_FF); /* selection */
    assert_int_equal(ask(b, "B004"), 0x4);
    fill(b);
    assert_ok(do_auth(b, false, 4, KEY_FF)); /* a nested authentication, even of the same sector */
    assert_int_equal(ask(b, "B004"), 0x4);
    fill(b);
    assert_int_equal(ask(b, "3008"), 0x0); /* a NAK */
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(ask(b, "B004"), 0x4);
    fill(b);
    power_cycle(b);
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(ask(b, "B004"), 0x4);
    assert_value(b, 4, 100, 4);
}

struct sum {
    uint8_t opcode;
    int32_t value;
    uint32_t operand;
    bool good;
    int32_t result;
};

static void results_stay_within_32_bits_and_operands_are_positive(void **state)
{
    static const struct sum sums[] = {
        {SCRIP_MIFARE_INCREMENT, INT32_MAX - 1, 1, true, INT32_MAX},
        {SCRIP_MIFARE_INCREMENT, INT32_MAX, 1, false, 0},
        {SCRIP_MIFARE_INCREMENT, INT32_MAX, 0, true, INT32_MAX},
        {SCRIP_MIFARE_INCREMENT, INT32_MIN, INT32_MAX, true, -1},
        {SCRIP_MIFARE_INCREMENT, 0, 0x80000000U, false, 0},
        {SCRIP_MIFARE_INCREMENT, 0, 0xFFFFFFFFU, false, 0},
        {SCRIP_MIFARE_DECREMENT, INT32_MIN + 1, 1, true, INT32_MIN},
        {SCRIP_MIFARE_DECREMENT, INT32_MIN, 1, false, 0},
        {SCRIP_MIFARE_DECREMENT, -1, INT32_MAX, true, INT32_MIN},
        {SCRIP_MIFARE_DECREMENT, -2, INT32_MAX, false, 0},
        {SCRIP_MIFARE_DECREMENT, 5, 7, true, -2},
        {SCRIP_MIFARE_DECREMENT, 0, 0x80000000U, false, 0},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        given_value(b, 4, sums[i].value, 9);
        given_session(b, false, 4, KEY_FF);
        assert_status(do_value(b, sums[i].opcode, 4, sums[i].operand), sums[i].good ? SCRIP_OK : SCRIP_E_CARD);
        if (sums[i].good) {
            assert_ok(do_transfer(b, 4));
        } else { /* the buffer is empty, and the card idle */
            given_session(b, false, 4, KEY_FF);
            assert_int_equal(ask(b, "B004"), 0x4);
        }
        assert_value(b, 4, sums[i].good ? sums[i].result : sums[i].value, 9);
    }
}

static void only_whole_value_blocks_are_sources(void **state)
{
    static const uint8_t opcodes[] = {SCRIP_MIFARE_DECREMENT, SCRIP_MIFARE_INCREMENT, SCRIP_MIFARE_RESTORE};
    struct bench *b = *state;
    for (unsigned bit = 0; bit < 128; bit++) {
        uint8_t data[16];
        scrip_classic_value_put(500, 9, data);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_ok(scrip_classic_card_poke(&b->under, 4, data));
        given_session(b, false, 4, KEY_FF);
        assert_status(do_value(b, opcodes[bit % 3], 4, 1), SCRIP_E_CARD);
    }
}

static void a_transfer_goes_to_the_authenticated_sector_only(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    fill(b);
    assert_status(do_transfer(b, 8), SCRIP_E_CARD);
    fill(b);
    assert_status(do_transfer(b, 64), SCRIP_E_CARD); /* not there */
}

#define ON_1K(test) cmocka_unit_test_setup_teardown(test, bench_1k, bench_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_1K(nothing_reaches_memory_before_the_transfer),
        ON_1K(a_transfer_takes_the_address_of_the_source_along),
        ON_1K(a_transfer_makes_a_value_block_of_any_block),
        ON_1K(the_last_operation_before_the_transfer_counts),
        ON_1K(a_transfer_empties_the_buffer),
        ON_1K(reading_and_writing_leave_the_buffer_alone),
        ON_1K(the_buffer_is_lost_with_the_session),
        ON_1K(results_stay_within_32_bits_and_operands_are_positive),
        ON_1K(only_whole_value_blocks_are_sources),
        ON_1K(a_transfer_goes_to_the_authenticated_sector_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
