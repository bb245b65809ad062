#include "check.h"
#include <scrip/crypto1.h>

/* ---- the cipher once more, bit by bit, as its definition reads ---- */

static uint32_t table_bit(uint32_t table, uint32_t index)
{
    return table >> index & 1U;
}

static uint32_t four(uint64_t x, unsigned from)
{
    return (uint32_t)((x >> from & 1) | (x >> (from + 2) & 1) << 1 | (x >> (from + 4) & 1) << 2 |
                      (x >> (from + 6) & 1) << 3);
}

static bool plain_filter(uint64_t x)
{
    const uint32_t fa = 0xB48EU;
    const uint32_t fb = 0x9E98U;
    return table_bit(0xEC57E80AU, table_bit(fa, four(x, 9)) | table_bit(fb, four(x, 17)) << 1 |
                                      table_bit(fb, four(x, 25)) << 2 | table_bit(fa, four(x, 33)) << 3 |
                                      table_bit(fb, four(x, 41)) << 4) != 0;
}

static uint64_t plain_clock(uint64_t x, bool in)
{
    static const uint8_t taps[] = {0, 5, 9, 10, 12, 14, 15, 17, 19, 24, 25, 27, 29, 35, 39, 41, 42, 43};
    uint64_t f = in;
    for (size_t i = 0; i < sizeof taps; i++) {
        f ^= x >> taps[i] & 1;
    }
    return x >> 1 | f << 47;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void every_way_of_clocking_is_the_one_of_the_definition(void **state)
{
    uint64_t seed = 0x5C21;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct scrip_crypto1 cipher = {.state = next_random(&seed) >> 16};
        const uint32_t in = (uint32_t)next_random(&seed);
        const unsigned way = (unsigned)round % 4;
        const unsigned count = way == 0 ? 1 : way == 1 ? 4 : way == 2 ? 8 : 32;
        uint64_t x = cipher.state;
        uint32_t wanted = 0;

        assert_int_equal(scrip_crypto1_peek(&cipher), plain_filter(x));
        for (unsigned i = 0; i < count; i++) {
            const unsigned place = way == 3 ? (24 - i / 8 * 8) + i % 8 : i; /* a word begins with its highest byte */
            wanted |= (uint32_t)plain_filter(x) << place;
            x = plain_clock(x, way != 1 && (in >> place & 1) != 0);
        }
        const uint32_t got = way == 0   ? scrip_crypto1_bit(&cipher, (in & 1) != 0)
                             : way == 1 ? scrip_crypto1_nibble(&cipher)
                             : way == 2 ? scrip_crypto1_byte(&cipher, (uint8_t)in)
                                        : scrip_crypto1_word(&cipher, in);
        assert_int_equal(got, wanted);
        assert_true(cipher.state == x);
    }
}

static void a_word_is_four_bytes_the_first_one_highest(void **state)
{
    struct scrip_crypto1 word = {.state = 0x4C9B6CB90F3F};
    struct scrip_crypto1 bytes = word;
    uint32_t out = 0;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        out = out << 8 | scrip_crypto1_byte(&bytes, (uint8_t)(0x999AD4CDU >> (24 - 8 * i)));
    }
    assert_int_equal(scrip_crypto1_word(&word, 0x999AD4CDU), out);
    assert_int_equal(out, 0x49C641CE);
    assert_true(word.state == bytes.state);
}

static void a_key_is_loaded_in_the_order_of_the_trailer(void **state)
{
    static const uint8_t key[6] = {0xB7, 0x99, 0x2B, 0x5D, 0x3F, 0x0F};
    struct scrip_crypto1 cipher;
    (void)state;
    scrip_crypto1_load(&cipher, key);
    assert_true(cipher.state == 0x0F3F5D2B99B7);
    assert_int_equal(scrip_crypto1_word(&cipher, 0x67A70178), 0x99359630);
    assert_true(cipher.state == 0x4C9B6CB90F3F);
}

static void what_is_enciphered_under_its_own_feedback_opens_again(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct scrip_crypto1 sender = {.state = next_random(&seed) >> 16};
        struct scrip_crypto1 receiver = sender;
        const uint32_t plain = (uint32_t)next_random(&seed);
        const uint32_t mask = (uint32_t)next_random(&seed);
        const uint32_t sent = plain ^ scrip_crypto1_word(&sender, plain ^ mask);
        assert_int_equal(scrip_crypto1_word_open(&receiver, sent, mask), plain);
        assert_true(sender.state == receiver.state);
    }
}

/* The published authentication between a card 14579F69 and a reader. */
static void three_passes_as_they_were_recorded(void **state)
{
    static const uint8_t key[6] = {0x09, 0x1E, 0x63, 0x9C, 0xB7, 0x15};
    struct scrip_crypto1 cipher;
    (void)state;
    (void)scrip_crypto1_begin(&cipher, key, 0x14579F69, 0xCE844261);
    assert_int_equal(scrip_crypto1_word_open(&cipher, 0xF8049CCB, 0), 0x76BDC126);
    assert_int_equal(0x0525C84F ^ scrip_crypto1_word(&cipher, 0), scrip_crypto1_successor(0xCE844261, 64));
    assert_int_equal(0x9431CC40 ^ scrip_crypto1_word(&cipher, 0), scrip_crypto1_successor(0xCE844261, 96));
    assert_int_equal(0x7093DF99 ^ scrip_crypto1_word(&cipher, 0), 0x3014A7FE); /* READ 20 */
}

static void the_nonce_of_a_nested_authentication_is_enciphered_as_it_is_fed(void **state)
{
    static const uint8_t key[6] = {0x05, 0x9E, 0x29, 0x05, 0xBF, 0xCC};
    struct scrip_crypto1 card;
    struct scrip_crypto1 reader;
    (void)state;
    assert_int_equal(0x4BBF8A12 ^ scrip_crypto1_begin(&card, key, 0x5C467F63, 0x4BBF8A12), 0xABB30BD1);
    scrip_crypto1_load(&reader, key);
    assert_int_equal(scrip_crypto1_word_open(&reader, 0xABB30BD1, 0x5C467F63), 0x4BBF8A12);
    assert_true(card.state == reader.state);
}

static uint32_t plain_successor(uint32_t nonce)
{
    uint8_t bits[33];
    uint32_t out = 0;
    for (unsigned i = 0; i < 32; i++) {
        bits[i] = (uint8_t)(nonce >> (24 - i / 8 * 8 + i % 8) & 1);
    }
    bits[32] = bits[16] ^ bits[18] ^ bits[19] ^ bits[21];
    for (unsigned i = 0; i < 32; i++) {
        out |= (uint32_t)bits[i + 1] << (24 - i / 8 * 8 + i % 8);
    }
    return out;
}

static void the_nonce_generator_steps_as_it_is_defined(void **state)
{
    uint32_t walked = 0xDEADBEEF; /* no nonce of the generator: allowed all the same */
    (void)state;
    for (uint32_t steps = 0; steps < 200; steps++) {
        assert_int_equal(scrip_crypto1_successor(0xDEADBEEF, steps), walked);
        walked = plain_successor(walked);
    }
    assert_int_equal(scrip_crypto1_successor(0x01200145, 64), 0x63E5BCA7);
    assert_int_equal(scrip_crypto1_successor(0x0000AC84, 16) & 0xFFFF0000U, 0xAC840000U);
    assert_int_equal(scrip_crypto1_successor(0x0000AC84, 16), 0xAC843729);
}

static void the_nonce_generator_comes_back_after_65535_steps_and_not_before(void **state)
{
    uint32_t nonce = 0x01200145;
    (void)state;
    for (uint32_t steps = 1; steps < 65535; steps++) {
        nonce = scrip_crypto1_successor(nonce, 1);
        assert_int_not_equal(nonce, 0x01200145);
    }
    assert_int_equal(scrip_crypto1_successor(nonce, 1), 0x01200145);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_clocking_is_the_one_of_the_definition),
        cmocka_unit_test(a_word_is_four_bytes_the_first_one_highest),
        cmocka_unit_test(a_key_is_loaded_in_the_order_of_the_trailer),
        cmocka_unit_test(what_is_enciphered_under_its_own_feedback_opens_again),
        cmocka_unit_test(three_passes_as_they_were_recorded),
        cmocka_unit_test(the_nonce_of_a_nested_authentication_is_enciphered_as_it_is_fed),
        cmocka_unit_test(the_nonce_generator_steps_as_it_is_defined),
        cmocka_unit_test(the_nonce_generator_comes_back_after_65535_steps_and_not_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
