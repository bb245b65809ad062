/* ChangeKey data, made by the host and read by the card, for every messaging, form and type. */
#include "bench.h"

static const uint8_t KEY_NO[1] = {0x01};

static struct scrip_desfire_key next_key(enum scrip_cipher cipher)
{
    struct scrip_desfire_key key = {.cipher = (uint8_t)cipher, .version = 0x55};
    for (size_t i = 0; i < scrip_cipher_key_len(cipher); i++) {
        key.bytes[i] = (uint8_t)(0xF0 - 2 * 11 * i);
    }
    if (cipher != SCRIP_AES128) {
        scrip_des_key_set_version(key.bytes, scrip_cipher_key_len(cipher), key.version);
    }
    return key;
}

static void change(const struct variant *variant, enum scrip_cipher cipher, const struct scrip_desfire_key *current)
{
    const struct scrip_desfire_key next = next_key(cipher);
    const struct scrip_desfire_protection protection = {
        .comm = SCRIP_DESFIRE_FULL, .own_checksums = true, .no_mac_back = current == NULL};
    struct bench b = {0};
    struct scrip_desfire_expect expect;
    struct scrip_desfire_key opened;
    uint8_t bytes[64];
    struct scrip_buf data = SCRIP_BUF_OF(bytes);
    enum scrip_desfire_sm sm = variant->sm;

    authenticate(&b, variant, true);
    assert_ok(scrip_desfire_change_key_data(sm, 0xC4, SCRIP_BYTES_OF(KEY_NO), &next, current, &data));
    assert_ok(scrip_desfire_sm_wrap_command(&b.host, &protection, 0xC4, SCRIP_BYTES_OF(KEY_NO), scrip_buf_bytes(&data),
                                            &b.wire, &expect));
    assert_ok(
        scrip_desfire_sm_open_command(&b.card, &protection, 0xC4, scrip_buf_bytes(&b.wire), 1, SIZE_MAX, &b.plain));
    assert_ok(scrip_desfire_change_key_open(sm, 0xC4, SCRIP_BYTES_OF(KEY_NO), cipher, current,
                                            scrip_buf_bytes(&b.plain), &opened));
    assert_memory_equal(&opened, &next, sizeof next);
    for (size_t i = 0; i < data.len; i++) { /* each byte of it is covered by a checksum, in the other-key form twice */
        const bool covered = sm < SCRIP_DESFIRE_SM_EV2 || current != NULL;
        b.plain.at[i] ^= 0x02;
        const enum scrip_status status = scrip_desfire_change_key_open(sm, 0xC4, SCRIP_BYTES_OF(KEY_NO), cipher,
                                                                       current, scrip_buf_bytes(&b.plain), &opened);
        const bool is_version = sm >= SCRIP_DESFIRE_SM_EV2 && cipher == SCRIP_AES128 && i == 16;
        assert_status(status, covered && !is_version ? SCRIP_E_MAC : SCRIP_OK);
        b.plain.at[i] ^= 0x02;
    }
    assert_status(scrip_desfire_change_key_open(sm, 0xC4, SCRIP_BYTES_OF(KEY_NO), cipher, current,
                                                scrip_bytes(b.plain.at, 15), &opened),
                  SCRIP_E_LENGTH);
}

static void every_form_is_understood_by_the_card(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        for (enum scrip_cipher cipher = SCRIP_DES; cipher <= SCRIP_AES128; cipher++) {
            const struct scrip_desfire_key current = test_key(cipher);
            change(&VARIANTS[i], cipher, NULL);
            change(&VARIANTS[i], cipher, &current);
        }
    }
}

static void equal_halves_are_single_des(void **state)
{
    struct scrip_desfire_key next = next_key(SCRIP_DES);
    struct scrip_desfire_key opened;
    uint8_t bytes[64];
    struct scrip_buf data = SCRIP_BUF_OF(bytes);
    (void)state;
    assert_ok(scrip_desfire_change_key_data(SCRIP_DESFIRE_SM_EV1, 0xC4, SCRIP_BYTES_OF(KEY_NO), &next, NULL, &data));
    assert_memory_equal(bytes, bytes + 8, 8);
    assert_ok(scrip_desfire_change_key_open(SCRIP_DESFIRE_SM_EV1, 0xC4, SCRIP_BYTES_OF(KEY_NO), SCRIP_2K3DES, NULL,
                                            scrip_buf_bytes(&data), &opened));
    assert_int_equal(opened.cipher, SCRIP_DES);
    assert_int_equal(opened.version, 0x55);
}

static void a_wrong_old_key_is_noticed(void **state)
{
    const struct scrip_desfire_key next = next_key(SCRIP_AES128);
    const struct scrip_desfire_key current = test_key(SCRIP_AES128);
    struct scrip_desfire_key other = current;
    struct scrip_desfire_key opened;
    (void)state;
    other.bytes[7] ^= 0x10;
    for (enum scrip_desfire_sm sm = SCRIP_DESFIRE_SM_D40; sm <= SCRIP_DESFIRE_SM_LRP; sm++) {
        uint8_t bytes[64];
        struct scrip_buf data = SCRIP_BUF_OF(bytes);
        assert_ok(scrip_desfire_change_key_data(sm, 0xC4, SCRIP_BYTES_OF(KEY_NO), &next, &current, &data));
        assert_status(scrip_desfire_change_key_open(sm, 0xC4, SCRIP_BYTES_OF(KEY_NO), SCRIP_AES128, &other,
                                                    scrip_buf_bytes(&data), &opened),
                      SCRIP_E_MAC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_understood_by_the_card),
        cmocka_unit_test(equal_halves_are_single_des),
        cmocka_unit_test(a_wrong_old_key_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
