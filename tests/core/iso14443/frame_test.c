/* Frames: parity, CRC_A, content, and how long they are on the air. */
#include "check.h"
#include <scrip/frame.h>

static void crc_a_is_that_of_the_standard(void **state)
{
    static const struct {
        const char *data, *frame;
    } known[] = {
        {"0000", "0000A01E"},
        {"1234", "123426CF"},
        {"5000", "500057CD"},
        {"04", "04DA17"},
        {"08", "08B6DD"},
        {"6000", "6000F57B"},
        {"3000", "300002A8"},
        {"E050", "E050BCA5"},
        {"C2", "C2E0B4"},
        {"F202", "F2020A72"},
        {"B2", "B267C7"},
        {"B3", "B3EED6"},
        {"A3", "A36FC6"},
        {"D0110F", "D0110FA55E"},
        {"93709C599B326C", "93709C599B326C6B30"},
        {"0C75778002C1052F2F01BCD6", "0C75778002C1052F2F01BCD660D3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t data[16];
        struct scrip_frame frame;
        struct scrip_bytes content;
        const size_t len = from_hex(known[i].data, data, sizeof data);
        assert_ok(scrip_frame_bytes_crc(&frame, scrip_bytes(data, len)));
        assert_hex(scrip_bytes(frame.data, scrip_frame_len(&frame)), known[i].frame);
        assert_ok(scrip_frame_content_crc(&frame, &content));
        assert_hex(content, known[i].data);
    }
}

static void nine_bits_hold_an_odd_number_of_ones(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        assert_int_equal((__builtin_popcount(byte) + scrip_odd_parity((uint8_t)byte)) % 2, 1);
    }
}

static void any_single_wrong_bit_is_found(void **state)
{
    static const uint8_t data[] = {0x02, 0x90, 0x60, 0x00, 0x00, 0x00, 0xFF, 0x55, 0xAA, 0x01};
    struct scrip_bytes content;
    (void)state;
    for (size_t bit = 0; bit < 9 * sizeof data; bit++) {
        struct scrip_frame frame;
        assert_ok(scrip_frame_bytes(&frame, SCRIP_BYTES_OF(data)));
        if (bit % 9 == 8) {
            scrip_frame_parity_set(&frame, bit / 9, !scrip_frame_parity(&frame, bit / 9));
        } else {
            frame.data[bit / 9] ^= (uint8_t)(1U << bit % 9);
        }
        assert_status(scrip_frame_content(&frame, &content), SCRIP_E_MAC);
    }
}

static void two_wrong_bits_of_a_byte_are_found_by_the_crc(void **state)
{
    static const uint8_t data[] = {0x30, 0x04};
    struct scrip_frame frame;
    struct scrip_bytes content;
    (void)state;
    assert_ok(scrip_frame_bytes_crc(&frame, SCRIP_BYTES_OF(data)));
    frame.data[1] ^= 0x03;
    assert_ok(scrip_frame_content(&frame, &content));
    assert_status(scrip_frame_content_crc(&frame, &content), SCRIP_E_MAC);
}

static void what_is_no_standard_frame_has_no_content(void **state)
{
    struct scrip_frame frame;
    struct scrip_bytes content = {0};
    static const uint8_t one[] = {0x93};
    (void)state;
    scrip_frame_clear(&frame);
    assert_status(scrip_frame_content(&frame, &content), SCRIP_E_LENGTH);
    scrip_frame_short(&frame, 0x26);
    assert_status(scrip_frame_content(&frame, &content), SCRIP_E_LENGTH);
    scrip_frame_nibble(&frame, 0x0A);
    assert_status(scrip_frame_content(&frame, &content), SCRIP_E_LENGTH);
    assert_ok(scrip_frame_bytes(&frame, SCRIP_BYTES_OF(one)));
    assert_status(scrip_frame_content_crc(&frame, &content), SCRIP_E_LENGTH);
    frame.align = 1;
    assert_status(scrip_frame_content(&frame, &content), SCRIP_E_LENGTH);
    frame.align = 0;
    frame.collision = 3;
    assert_status(scrip_frame_content(&frame, &content), SCRIP_E_MAC);
    frame.collision = 0;
    frame.bits = 65528;
    assert_status(scrip_frame_content(&frame, &content), SCRIP_E_LENGTH);
    assert_null(content.at);
}

static void a_frame_takes_as_much_as_it_can(void **state)
{
    static const uint8_t data[SCRIP_FRAME_MAX + 1] = {0};
    struct scrip_frame frame;
    struct scrip_bytes content;
    (void)state;
    assert_ok(scrip_frame_bytes(&frame, scrip_bytes(data, SCRIP_FRAME_MAX)));
    assert_ok(scrip_frame_content(&frame, &content));
    assert_int_equal(content.len, SCRIP_FRAME_MAX);
    assert_status(scrip_frame_bytes(&frame, scrip_bytes(data, SCRIP_FRAME_MAX + 1)), SCRIP_E_SPACE);
    assert_ok(scrip_frame_bytes_crc(&frame, scrip_bytes(data, SCRIP_FRAME_MAX - 2)));
    assert_status(scrip_frame_bytes_crc(&frame, scrip_bytes(data, SCRIP_FRAME_MAX - 1)), SCRIP_E_SPACE);
    assert_int_equal(frame.bits, 8 * SCRIP_FRAME_MAX);
}

/* [budget model: reader short frame 9 etu, n bytes 9n + 2, four bits 6] */
static void air_time_is_that_of_the_budget(void **state)
{
    static const struct {
        uint16_t bits;
        uint32_t etu;
    } known[] = {{7, 9}, {4, 6}, {16, 20}, {24, 29}, {32, 38}, {40, 47}, {72, 83}, {144, 164}};
    struct scrip_frame frame;
    (void)state;
    scrip_frame_clear(&frame);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        frame.bits = known[i].bits;
        for (unsigned rate = SCRIP_RATE_106; rate <= SCRIP_RATE_848; rate++) {
            frame.rate = (uint8_t)rate;
            assert_int_equal(scrip_frame_time_fc(&frame, false), known[i].etu * (128U >> rate));
            assert_int_equal(scrip_frame_time_fc(&frame, true),
                             known[i].etu * (128U >> rate) + (rate == SCRIP_RATE_106 ? 0U : 512U));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_a_is_that_of_the_standard),
        cmocka_unit_test(nine_bits_hold_an_odd_number_of_ones),
        cmocka_unit_test(any_single_wrong_bit_is_found),
        cmocka_unit_test(two_wrong_bits_of_a_byte_are_found_by_the_crc),
        cmocka_unit_test(what_is_no_standard_frame_has_no_content),
        cmocka_unit_test(a_frame_takes_as_much_as_it_can),
        cmocka_unit_test(air_time_is_that_of_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
