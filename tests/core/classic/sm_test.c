#include "check.h"
#include <scrip/mifare_sm.h>

static const uint8_t FF_KEY[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
#define UID4 0x9C599B32U

/* One frame of a recorded exchange: what is on the air, the parity bits behind it, what it means. */
struct recorded {
    const char *air, *parity, *plain;
    enum { PLAIN_NONCE, READER_NONCE, NESTED_NONCE, DATA } kind;
};

/* The published trace of a reader that authenticates four times in a row. */
static const struct recorded trace[] = {
    {"82a4166c", "1001", "82a4166c", PLAIN_NONCE},  {"a1e458ce6eea41e0", "00010111", "efea1cda8d65734b", READER_NONCE},
    {"5cadf439", "0000", "9a427b20", DATA},         {"8e0e5db9", "1110", "6000f57b", DATA},
    {"5a920d85", "0011", "a55d950b", NESTED_NONCE}, {"98d76b77d6c6e870", "11110110", "77b789181491fbdb", READER_NONCE},
    {"ca7e0b63", "1010", "a5385d38", DATA},         {"3e709c8a", "1000", "6000f57b", DATA},
    {"36412479", "0100", "c9be54a3", NESTED_NONCE}, {"1b8c3a48835a4a27", "00000111", "08f6ab0209c5c23a", READER_NONCE},
    {"406a994b", "1001", "fc528bb6", DATA},         {"c97c6413", "1011", "6000f57b", DATA},
    {"b5ab1d2b", "1101", "4a9c3394", NESTED_NONCE}, {"7ed25cca4b5088c4", "01000000", "8bbf7f50ac655fab", READER_NONCE},
    {"bfdd01be", "0100", "b9392db9", DATA},         {"569849d6", "1001", "300002a8", DATA},
};

#define TRACE_LEN (sizeof trace / sizeof *trace)

static struct scrip_frame frame_of(const char *hex, const char *parity)
{
    struct scrip_frame frame = {0};
    uint8_t bytes[32];
    const size_t len = from_hex(hex, bytes, sizeof bytes);
    assert_ok(scrip_frame_bytes(&frame, scrip_bytes(bytes, len)));
    for (size_t i = 0; parity != NULL && i < len; i++) {
        scrip_frame_parity_set(&frame, i, parity[i] == '1');
    }
    return frame;
}

static void assert_frame(const struct scrip_frame *frame, const char *hex, const char *parity)
{
    const struct scrip_frame wanted = frame_of(hex, parity);
    assert_int_equal(frame->bits, wanted.bits);
    assert_memory_equal(frame->data, wanted.data, wanted.bits / 8U);
    for (size_t i = 0; i < wanted.bits / 8U; i++) {
        assert_int_equal(scrip_frame_parity(frame, i), scrip_frame_parity(&wanted, i));
    }
}

static void load_for(struct scrip_crypto1 *cipher, const struct recorded *step)
{
    if (step->kind == PLAIN_NONCE) {
        (void)scrip_crypto1_begin(cipher, FF_KEY, UID4, scrip_get_be32(frame_of(step->plain, NULL).data));
    } else if (step->kind == NESTED_NONCE) {
        scrip_crypto1_load(cipher, FF_KEY);
    }
}

static void the_recorded_frames_come_out_bit_by_bit_with_parity(void **state)
{
    struct scrip_crypto1 cipher = {0};
    (void)state;
    for (size_t i = 0; i < TRACE_LEN; i++) {
        struct scrip_frame frame = frame_of(trace[i].plain, NULL);
        load_for(&cipher, &trace[i]);
        if (trace[i].kind == DATA) {
            scrip_mifare_sm_encrypt(&cipher, &frame);
        } else if (trace[i].kind != PLAIN_NONCE) {
            scrip_mifare_sm_encrypt_nonce(&cipher, &frame, trace[i].kind == NESTED_NONCE ? UID4 : 0);
        }
        assert_frame(&frame, trace[i].air, trace[i].parity);
    }
}

static void the_recorded_frames_open_with_good_parity(void **state)
{
    struct scrip_crypto1 cipher = {0};
    (void)state;
    for (size_t i = 0; i < TRACE_LEN; i++) {
        struct scrip_frame frame = frame_of(trace[i].air, trace[i].parity);
        load_for(&cipher, &trace[i]);
        if (trace[i].kind == DATA) {
            assert_ok(scrip_mifare_sm_decrypt(&cipher, &frame));
        } else if (trace[i].kind != PLAIN_NONCE) {
            assert_ok(scrip_mifare_sm_decrypt_nonce(&cipher, &frame, trace[i].kind == NESTED_NONCE ? UID4 : 0));
        }
        assert_frame(&frame, trace[i].plain, NULL);
    }
}

static void a_wrong_parity_bit_anywhere_is_told_and_the_frame_deciphered_all_the_same(void **state)
{
    static const char text[] = "000102030405060708090A0B0C0D0E0F1011";
    const struct scrip_crypto1 start = {.state = 0x123456789ABC};
    (void)state;
    for (size_t wrong = 0; wrong < 18; wrong++) {
        struct scrip_crypto1 sender = start;
        struct scrip_crypto1 receiver = start;
        struct scrip_frame frame = frame_of(text, NULL);
        scrip_mifare_sm_encrypt(&sender, &frame);
        scrip_frame_parity_set(&frame, wrong, !scrip_frame_parity(&frame, wrong));
        assert_status(scrip_mifare_sm_decrypt(&receiver, &frame), SCRIP_E_MAC);
        assert_hex(scrip_bytes(frame.data, 18), text);
        assert_true(sender.state == receiver.state);
    }
}

static void frames_of_any_number_of_bits_open_again(void **state)
{
    (void)state;
    for (uint16_t bits = 0; bits <= 40; bits++) {
        struct scrip_crypto1 sender = {.state = 0xFEDCBA987654U - bits};
        struct scrip_crypto1 receiver = sender;
        struct scrip_frame frame = frame_of("A5C3961E77", NULL);
        frame.bits = bits;
        const struct scrip_frame plain = frame;
        scrip_mifare_sm_encrypt(&sender, &frame);
        assert_ok(scrip_mifare_sm_decrypt(&receiver, &frame));
        assert_memory_equal(&frame, &plain, sizeof frame);
        assert_true(sender.state == receiver.state);
    }
}

static void four_bits_take_four_bits_of_keystream(void **state)
{
    struct scrip_crypto1 cipher = {.state = 0x0BADC0FFEE11};
    struct scrip_crypto1 bits = cipher;
    struct scrip_frame frame;
    unsigned wanted = 0xA;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        wanted ^= (scrip_crypto1_bit(&bits, false) ? 1U : 0U) << i;
    }
    scrip_frame_nibble(&frame, 0xA);
    scrip_mifare_sm_encrypt(&cipher, &frame);
    assert_int_equal(frame.data[0], wanted);
    assert_int_equal(frame.bits, 4);
    assert_true(cipher.state == bits.state);
}

static void a_frame_too_short_for_a_nonce_is_left_alone(void **state)
{
    struct scrip_crypto1 cipher = {.state = 7};
    struct scrip_frame frame = frame_of("112233", NULL);
    const struct scrip_frame before = frame;
    (void)state;
    scrip_mifare_sm_encrypt_nonce(&cipher, &frame, 0);
    assert_status(scrip_mifare_sm_decrypt_nonce(&cipher, &frame, 0), SCRIP_E_LENGTH);
    assert_memory_equal(&frame, &before, sizeof frame);
    assert_true(cipher.state == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recorded_frames_come_out_bit_by_bit_with_parity),
        cmocka_unit_test(the_recorded_frames_open_with_good_parity),
        cmocka_unit_test(a_wrong_parity_bit_anywhere_is_told_and_the_frame_deciphered_all_the_same),
        cmocka_unit_test(frames_of_any_number_of_bits_open_again),
        cmocka_unit_test(four_bits_take_four_bits_of_keystream),
        cmocka_unit_test(a_frame_too_short_for_a_nonce_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
