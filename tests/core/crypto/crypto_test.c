#include "check.h"
#include <scrip/cmac.h>
#include <scrip/crc.h>
#include <scrip/lrp.h>

static const uint8_t KEY[16] = {0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6,
                                0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C};

static void a_cmac_does_not_depend_on_how_the_message_is_cut(void **state)
{
    struct scrip_cmac_key key;
    uint8_t message[70];
    (void)state;
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(7 * i);
    }
    scrip_cmac_key_init(&key, SCRIP_AES128, KEY);
    for (size_t len = 0; len <= sizeof message; len++) {
        uint8_t whole[16];
        scrip_cmac(&key, scrip_bytes(message, len), whole);
        for (size_t cut = 0; cut <= len; cut++) {
            struct scrip_cmac run;
            uint8_t mac[16];
            scrip_cmac_start(&run, &key, NULL);
            scrip_cmac_add(&run, scrip_bytes(message, cut));
            scrip_cmac_add(&run, scrip_bytes(message + cut, len - cut));
            scrip_cmac_final(&run, mac);
            assert_memory_equal(mac, whole, sizeof mac);
        }
    }
    scrip_cmac_key_wipe(&key);
}

static void a_chained_cmac_starts_where_the_iv_says(void **state)
{
    struct scrip_cmac_key key;
    uint8_t iv[16] = {0};
    uint8_t mac[16];
    (void)state;
    scrip_cmac_key_init(&key, SCRIP_AES128, KEY);
    scrip_cmac_chain(&key, iv, scrip_bytes("", 0));
    assert_hex(SCRIP_BYTES_OF(iv), "BB1D6929E95937287FA37D129B756746");
    scrip_cmac_chain(&key, iv, scrip_bytes("", 0));
    scrip_cmac(&key, scrip_bytes("", 0), mac);
    assert_memory_not_equal(iv, mac, sizeof mac);
}

static void mact_keeps_the_odd_indexed_bytes(void **state)
{
    uint8_t mac[16];
    uint8_t cut[8];
    (void)state;
    from_hex("ED5CB7A932EF8D7C2E91B42A1139F11B", mac, sizeof mac);
    scrip_mact(mac, cut);
    assert_hex(SCRIP_BYTES_OF(cut), "5CA9EF7C912A391B");
}

static void diversification_refuses_what_it_has_no_scheme_for(void **state)
{
    static const uint8_t input[32] = {4};
    static const struct {
        enum scrip_cipher cipher;
        size_t longest;
    } rows[] = {{SCRIP_AES128, 31}, {SCRIP_AES192, 31}, {SCRIP_AES256, 31}, {SCRIP_2K3DES, 15}, {SCRIP_3K3DES, 15}};
    uint8_t master[32] = {0};
    uint8_t out[32];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_status(scrip_an10922(rows[i].cipher, master, scrip_bytes(input, 0), out), SCRIP_E_ARGUMENT);
        assert_ok(scrip_an10922(rows[i].cipher, master, scrip_bytes(input, 1), out));
        assert_ok(scrip_an10922(rows[i].cipher, master, scrip_bytes(input, rows[i].longest), out));
        assert_status(scrip_an10922(rows[i].cipher, master, scrip_bytes(input, rows[i].longest + 1), out),
                      SCRIP_E_ARGUMENT);
    }
    assert_status(scrip_an10922(SCRIP_DES, master, scrip_bytes(input, 7), out), SCRIP_E_ARGUMENT);
}

static void a_full_input_is_diversified_without_padding(void **state)
{
    /* With 31 bytes the two blocks are full: plain CMAC of 01 || M. */
    uint8_t message[32] = {0x01, 0x04, 0x11, 0x22};
    uint8_t out[16];
    uint8_t mac[16];
    struct scrip_cmac_key key;
    (void)state;
    assert_ok(scrip_an10922(SCRIP_AES128, KEY, scrip_bytes(message + 1, 31), out));
    scrip_cmac_key_init(&key, SCRIP_AES128, KEY);
    scrip_cmac(&key, SCRIP_BYTES_OF(message), mac);
    assert_memory_equal(out, mac, sizeof mac);
}

static void the_version_of_a_master_key_is_written_back(void **state)
{
    uint8_t key[16];
    uint8_t master[16] = {1, 0, 1, 0, 1, 0, 1, 1, 0xFF};
    (void)state;
    memset(key, 0xAB, sizeof key);
    scrip_des_restore_version(key, sizeof key, master);
    assert_hex(SCRIP_BYTES_OF(key), "ABAAABAAABAAABABAAAAAAAAAAAAAAAA");
}

static void checksums_go_on_over_pieces(void **state)
{
    const struct scrip_bytes check = scrip_bytes("123456789", 9);
    (void)state;
    assert_int_equal(scrip_crc16_a(check), 0xBF05);
    assert_int_equal(scrip_crc32(SCRIP_CRC32_START, check), 0xFFFFFFFFU ^ 0xCBF43926U);
    const uint32_t half = scrip_crc32(SCRIP_CRC32_START, scrip_bytes_head(check, 4));
    assert_int_equal(scrip_crc32(half, scrip_bytes_from(check, 4)), 0xFFFFFFFFU ^ 0xCBF43926U);
}

static void an_lrp_counter_wraps(void **state)
{
    static const uint8_t plain[32] = "two blocks, one counter of one b";
    struct scrip_lrp lrp;
    uint8_t counter = 0xFF;
    uint8_t both[32];
    uint8_t second[16];
    (void)state;
    scrip_lrp_init(&lrp, KEY, 2);
    scrip_lrp_icb(&lrp, 1, &counter, 1, true, 2, both, plain);
    assert_int_equal(counter, 1);
    counter = 0;
    scrip_lrp_icb(&lrp, 1, &counter, 1, true, 1, second, plain + 16);
    assert_memory_equal(second, both + 16, sizeof second);
    counter = 0xFF;
    scrip_lrp_icb(&lrp, 1, &counter, 1, false, 2, both, both);
    assert_memory_equal(both, plain, sizeof both);
    scrip_lrp_wipe(&lrp);
}

/* Every register meets a byte; a step looks at nothing but the two of them xored and the upper half. */
static void crc16_is_its_polynomial_bit_by_bit(void **state)
{
    (void)state;
    for (uint32_t start = 0; start < 0x10000; start++) {
        const uint8_t byte = (uint8_t)(start < 256 ? start : start >> 5);
        uint16_t wanted = (uint16_t)(start ^ byte);
        for (int bit = 0; bit < 8; bit++) {
            wanted = (uint16_t)((wanted >> 1) ^ ((wanted & 1U) != 0 ? 0x8408U : 0U));
        }
        assert_int_equal(scrip_crc16((uint16_t)start, scrip_bytes(&byte, 1)), wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cmac_does_not_depend_on_how_the_message_is_cut),
        cmocka_unit_test(a_chained_cmac_starts_where_the_iv_says),
        cmocka_unit_test(mact_keeps_the_odd_indexed_bytes),
        cmocka_unit_test(diversification_refuses_what_it_has_no_scheme_for),
        cmocka_unit_test(a_full_input_is_diversified_without_padding),
        cmocka_unit_test(the_version_of_a_master_key_is_written_back),
        cmocka_unit_test(checksums_go_on_over_pieces),
        cmocka_unit_test(crc16_is_its_polynomial_bit_by_bit),
        cmocka_unit_test(an_lrp_counter_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
