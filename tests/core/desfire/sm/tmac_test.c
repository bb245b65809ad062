/* Transaction MAC and dynamic messaging beyond the known answers. */
#include "check.h"
#include <scrip/desfire_sm.h>

static const uint8_t KEY[16] = {0xF7, 0xD2, 0x3E, 0x0C};
static const uint8_t UID[7] = {0x04, 0xDE, 0x5F, 0x1E, 0xAC, 0xC0, 0x40};

static void a_tmi_fed_through_gives_the_tmv_of_one_that_is_kept(void **state)
{
    struct scrip_desfire_tmac_keys keys;
    uint8_t data[50];
    (void)state;
    scrip_desfire_tmac_keys(KEY, 4, UID, &keys);
    memset(data, 0x3C, sizeof data);
    for (size_t fixed = 1; fixed <= 40; fixed++) {
        for (size_t len = 0; len <= sizeof data; len++) {
            uint8_t bytes[256];
            struct scrip_buf kept = SCRIP_BUF_OF(bytes);
            struct scrip_desfire_tmi fed = {0};
            uint8_t tmv[8];
            uint8_t again[8];
            for (int i = 0; i < 2; i++) {
                assert_ok(scrip_desfire_tmi_add(&kept, scrip_bytes(data, fixed), scrip_bytes(data, len)));
                scrip_desfire_tmi_feed(&fed, &keys, scrip_bytes(data, fixed), scrip_bytes(data, len));
            }
            assert_int_equal(kept.len % 16, 0);
            scrip_desfire_tmv(&keys, scrip_buf_bytes(&kept), tmv);
            scrip_desfire_tmi_tmv(&fed, &keys, again);
            assert_memory_equal(tmv, again, sizeof tmv);
        }
    }
}

static void a_tmi_that_is_full_takes_nothing(void **state)
{
    uint8_t bytes[47];
    uint8_t data[17] = {0};
    struct scrip_buf tmi = SCRIP_BUF_OF(bytes);
    (void)state;
    assert_status(scrip_desfire_tmi_add(&tmi, scrip_bytes(data, 8), scrip_bytes(data, 17)), SCRIP_E_SPACE);
    assert_int_equal(tmi.len, 0);
    assert_ok(scrip_desfire_tmi_add(&tmi, scrip_bytes(data, 8), scrip_bytes(data, 16)));
    assert_int_equal(tmi.len, 32);
}

static void every_transaction_has_keys_of_its_own(void **state)
{
    struct scrip_desfire_tmac_keys one;
    struct scrip_desfire_tmac_keys two;
    uint8_t other_uid[7];
    (void)state;
    memcpy(other_uid, UID, sizeof other_uid);
    other_uid[6] ^= 1;
    scrip_desfire_tmac_keys(KEY, 4, UID, &one);
    assert_memory_not_equal(one.mac, one.enc, 16);
    scrip_desfire_tmac_keys(KEY, 5, UID, &two);
    assert_memory_not_equal(one.mac, two.mac, 16);
    scrip_desfire_tmac_keys(KEY, 4, other_uid, &two);
    assert_memory_not_equal(one.enc, two.enc, 16);
}

static void made_up_picc_data_has_no_valid_tag(void **state)
{
    struct scrip_desfire_sdm_picc picc;
    struct scrip_block block;
    unsigned accepted = 0;
    (void)state;
    scrip_block_init(&block, SCRIP_AES128, KEY);
    for (unsigned tag = 0; tag < 256; tag++) {
        const uint8_t plain[16] = {(uint8_t)tag, 4, 1, 2, 3, 4, 5, 6, 0x3D, 0, 0};
        uint8_t cipher[16];
        scrip_block_encrypt(&block, 1, cipher, plain);
        if (scrip_desfire_sdm_open(KEY, cipher, &picc) == SCRIP_OK) {
            accepted++;
            assert_int_equal(picc.has_uid, (tag & 0x80) != 0);
            assert_int_equal(picc.has_counter, (tag & 0x40) != 0);
            assert_int_equal(picc.counter, !picc.has_counter ? 0 : picc.has_uid ? 0x3D : 0x020104);
        }
    }
    assert_int_equal(accepted, 4); /* C7, 87, 40 and 00 */
}

static void enciphered_file_data_is_read_with_the_key_of_that_read_only(void **state)
{
    static const struct scrip_desfire_sdm_picc picc = {
        .has_uid = true, .has_counter = true, .uid = {4, 1, 2, 3, 4, 5, 6}, .counter = 7};
    struct scrip_desfire_sdm_keys keys;
    struct scrip_block block;
    uint8_t iv[16] = {7};
    uint8_t text[32] = "what only the back office reads";
    uint8_t other[32];
    (void)state;
    scrip_desfire_sdm_keys(KEY, &picc, &keys);
    scrip_block_init(&block, SCRIP_AES128, keys.enc);
    scrip_block_encrypt(&block, 1, iv, iv);
    scrip_cbc_encrypt(&block, iv, 2, text, text);
    scrip_desfire_sdm_file_data(&keys, 8, 2, other, text);
    assert_memory_not_equal(other, "what only the ba", 16);
    scrip_desfire_sdm_file_data(&keys, 7, 2, text, text);
    assert_string_equal((const char *)text, "what only the back office reads");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tmi_fed_through_gives_the_tmv_of_one_that_is_kept),
        cmocka_unit_test(a_tmi_that_is_full_takes_nothing),
        cmocka_unit_test(every_transaction_has_keys_of_its_own),
        cmocka_unit_test(made_up_picc_data_has_no_valid_tag),
        cmocka_unit_test(enciphered_file_data_is_read_with_the_key_of_that_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
