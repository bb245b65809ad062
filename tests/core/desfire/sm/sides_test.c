/* Both sides of each messaging against each other. That they are right is shown by the known answers; here: that they
 * agree for every length and mode, and refuse what was altered. */
#include "bench.h"

static const uint8_t HEADER[7] = {0x04, 0x05, 0x00, 0x00, 0x10, 0x00, 0x00};

static void counting(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(i * 37 + len); /* ends in zeros and 80h now and then */
    }
    if (len > 2 && len % 3 == 0) {
        at[len - 1] = 0x00;
        at[len - 2] = len % 2 == 0 ? 0x80 : 0x00;
    }
}

static void every_length_survives_every_mode(void **state)
{
    static const enum scrip_desfire_comm modes[] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        uint8_t data[120];
        authenticate(&b, &VARIANTS[i], true);
        for (size_t len = 0; len <= sizeof data; len++) {
            counting(data, len);
            for (size_t mode = 0; mode < 3; mode++) {
                const struct scrip_desfire_protection write = {.comm = (uint8_t)modes[mode], .file_data = true};
                struct scrip_desfire_protection read = write;
                exchange(&b, &write, 0x3D, SCRIP_BYTES_OF(HEADER), scrip_bytes(data, len), scrip_bytes(NULL, 0));
                read.data_back = len > 0;
                if (VARIANTS[i].sm == SCRIP_DESFIRE_SM_D40) {
                    read.back_len = (uint16_t)len; /* its zero padding does not show the end for certain */
                }
                exchange(&b, &read, 0xBD, SCRIP_BYTES_OF(HEADER), scrip_bytes(NULL, 0), scrip_bytes(data, len));
                read.back_len = (uint16_t)len;
                exchange(&b, &read, 0xBD, SCRIP_BYTES_OF(HEADER), scrip_bytes(NULL, 0), scrip_bytes(data, len));
            }
        }
    }
}

static void a_read_of_unknown_length_is_marked_by_its_padding(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        uint8_t data[40];
        authenticate(&b, &VARIANTS[i], true);
        for (size_t len = 1; len <= sizeof data; len++) {
            const struct scrip_desfire_protection read = {
                .comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true, .unknown_len = true};
            counting(data, len);
            exchange(&b, &read, 0xBD, SCRIP_BYTES_OF(HEADER), scrip_bytes(NULL, 0), scrip_bytes(data, len));
        }
    }
}

/* libfreefare sends the ATS of SetConfiguration like this; with D40 that is the one cryptogram of a command so marked.
 * What tells it from zeros: data that looks like padding survives. */
static void a_setting_of_unknown_length_is_marked_by_its_padding(void **state)
{
    static const uint8_t option[] = {0x02};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        uint8_t data[20];
        authenticate(&b, &VARIANTS[i], true);
        for (size_t len = 2; len <= sizeof data; len++) {
            const struct scrip_desfire_protection setting = {
                .comm = SCRIP_DESFIRE_FULL, .settings = true, .unknown_len = true};
            counting(data, len);
            data[len - 1] = 0;
            exchange(&b, &setting, 0x5C, SCRIP_BYTES_OF(option), scrip_bytes(data, len), scrip_bytes(NULL, 0));
        }
    }
}

/* What a card opens a damaged command to: never the data that was sent. D40 and EV1 Plain protect nothing. */
static void a_command_altered_anywhere_is_refused(void **state)
{
    static const uint8_t data[20] = "2000 minor units";
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        for (int comm = SCRIP_DESFIRE_MAC; comm <= SCRIP_DESFIRE_FULL; comm += 2) {
            const struct scrip_desfire_protection protection = {.comm = (uint8_t)comm, .file_data = true};
            const size_t bound_from = VARIANTS[i].sm == SCRIP_DESFIRE_SM_D40 ? sizeof HEADER : 0;
            struct bench b = {0};
            struct scrip_desfire_expect expect;
            authenticate(&b, &VARIANTS[i], true);
            assert_ok(scrip_desfire_sm_wrap_command(&b.host, &protection, 0x3D, SCRIP_BYTES_OF(HEADER),
                                                    SCRIP_BYTES_OF(data), &b.wire, &expect));
            for (size_t at = bound_from; at < b.wire.len; at++) {
                struct scrip_desfire_session card = b.card;
                b.wire.at[at] ^= 0x04;
                b.plain.len = 0;
                assert_status(scrip_desfire_sm_open_command(&card, &protection, 0x3D, scrip_buf_bytes(&b.wire),
                                                            sizeof HEADER, SIZE_MAX, &b.plain),
                              SCRIP_E_MAC);
                assert_int_equal(b.plain.len, 0);
                b.wire.at[at] ^= 0x04;
            }
        }
    }
}

static void a_response_altered_anywhere_ends_the_session(void **state)
{
    static const uint8_t data[4] = {0xD2, 0x04, 0x00, 0x00};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        const struct scrip_desfire_protection protection = {
            .comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true};
        struct bench b = {0};
        struct scrip_desfire_expect expect;
        uint8_t frame[64];
        authenticate(&b, &VARIANTS[i], true);
        assert_ok(scrip_desfire_sm_wrap_command(&b.host, &protection, 0x6C, scrip_bytes(HEADER, 1),
                                                scrip_bytes(NULL, 0), &b.wire, &expect));
        assert_ok(scrip_desfire_sm_open_command(&b.card, &protection, 0x6C, scrip_buf_bytes(&b.wire), 1, 0, &b.plain));
        struct scrip_buf reply = SCRIP_BUF_OF(frame);
        assert_ok(scrip_desfire_sm_wrap_response(&b.card, &protection, 0, SCRIP_BYTES_OF(data), &reply));
        for (size_t at = 0; at < reply.len; at++) {
            struct scrip_desfire_session host = b.host;
            reply.at[at] ^= 0x20;
            b.plain.len = 0;
            assert_status(scrip_desfire_sm_open_response(&host, &expect, 0, scrip_buf_bytes(&reply), &b.plain),
                          SCRIP_E_MAC);
            assert_int_equal(b.plain.len, 0);
            /* The right bytes come too late now. */
            reply.at[at] ^= 0x20;
            assert_status(scrip_desfire_sm_open_response(&host, &expect, 0, scrip_buf_bytes(&reply), &b.plain),
                          SCRIP_E_STATE);
        }
    }
}

static void no_length_from_outside_is_trusted(void **state)
{
    static const uint8_t junk[80] = {0x5A};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        authenticate(&b, &VARIANTS[i], true);
        for (int comm = SCRIP_DESFIRE_PLAIN; comm <= SCRIP_DESFIRE_FULL; comm++) {
            for (size_t len = 0; len <= sizeof junk; len++) {
                for (size_t header_len = 0; header_len < 12; header_len += 5) {
                    const struct scrip_desfire_protection protection = {
                        .comm = (uint8_t)comm, .file_data = true, .data_back = true};
                    struct scrip_desfire_session card = b.card;
                    struct scrip_desfire_session host = b.host;
                    struct scrip_desfire_expect expect;
                    uint8_t small[16];
                    struct scrip_buf out = SCRIP_BUF_OF(small);
                    b.wire.len = 0;
                    (void)scrip_desfire_sm_open_command(&card, &protection, 0x3D, scrip_bytes(junk, len), header_len,
                                                        SIZE_MAX, &out);
                    assert_true(out.len <= sizeof small);
                    out.len = 0;
                    assert_ok(scrip_desfire_sm_wrap_command(&host, &protection, 0xBD, scrip_bytes(NULL, 0),
                                                            scrip_bytes(NULL, 0), &b.wire, &expect));
                    (void)scrip_desfire_sm_open_response(&host, &expect, 0, scrip_bytes(junk, len), &out);
                    assert_true(out.len <= sizeof small);
                }
            }
        }
    }
}

static void a_wrong_key_fails_either_handshake_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        const struct variant *variant = &VARIANTS[i];
        const bool first = variant->sm >= SCRIP_DESFIRE_SM_EV2;
        const struct scrip_desfire_key right = test_key(variant->cipher);
        struct scrip_desfire_key wrong = right;
        struct scrip_desfire_auth host = given_side(variant, first, false);
        struct scrip_desfire_auth card = given_side(variant, first, true);
        struct scrip_desfire_session session = {0};
        uint8_t bytes[64];
        struct scrip_buf message = SCRIP_BUF_OF(bytes);
        wrong.bytes[2] ^= 0x40;

        assert_ok(scrip_desfire_auth_challenge(&card, &right, &message));
        assert_ok(scrip_desfire_auth_open_challenge(&host, &wrong, scrip_buf_bytes(&message)));
        message.len = 0;
        assert_ok(scrip_desfire_auth_token(&host, &wrong, &message));
        assert_status(scrip_desfire_auth_open_token(&card, &right, scrip_buf_bytes(&message)), SCRIP_E_AUTH);

        memset(bytes, 0x77, sizeof bytes);
        const size_t len = first ? 32 : scrip_desfire_auth_random_len(variant->sm, &right);
        assert_status(scrip_desfire_auth_finish(&host, &right, scrip_bytes(bytes, len), &session, NULL), SCRIP_E_AUTH);
        assert_int_equal(session.sm, SCRIP_DESFIRE_SM_NONE);
        assert_status(scrip_desfire_auth_finish(&host, &right, scrip_bytes(bytes, len - 1), &session, NULL),
                      SCRIP_E_LENGTH);
    }
}

static void a_messaging_refuses_keys_of_other_types(void **state)
{
    static const struct variant misfits[] = {
        {SCRIP_DESFIRE_SM_D40, SCRIP_AES128, ""},  {SCRIP_DESFIRE_SM_D40, SCRIP_3K3DES, ""},
        {SCRIP_DESFIRE_SM_EV2, SCRIP_DES, ""},     {SCRIP_DESFIRE_SM_LRP, SCRIP_2K3DES, ""},
        {SCRIP_DESFIRE_SM_NONE, SCRIP_AES128, ""},
    };
    static const uint8_t message[32];
    (void)state;
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++) {
        const struct scrip_desfire_key key = test_key(misfits[i].cipher);
        struct scrip_desfire_auth auth = given_side(&misfits[i], true, true);
        struct scrip_desfire_session session = {0};
        uint8_t bytes[64];
        struct scrip_buf out = SCRIP_BUF_OF(bytes);
        assert_status(scrip_desfire_auth_challenge(&auth, &key, &out), SCRIP_E_KEY);
        assert_status(scrip_desfire_auth_open_challenge(&auth, &key, scrip_bytes(message, 16)), SCRIP_E_KEY);
        assert_status(scrip_desfire_auth_token(&auth, &key, &out), SCRIP_E_KEY);
        assert_status(scrip_desfire_auth_open_token(&auth, &key, SCRIP_BYTES_OF(message)), SCRIP_E_KEY);
        assert_status(scrip_desfire_auth_reply(&auth, &key, NULL, &session, &out), SCRIP_E_KEY);
        assert_status(scrip_desfire_auth_finish(&auth, &key, SCRIP_BYTES_OF(message), &session, NULL), SCRIP_E_KEY);
        assert_int_equal(out.len, 0);
        assert_int_equal(session.sm, SCRIP_DESFIRE_SM_NONE);
    }
}

static void counted_sessions_end_before_the_counter_wraps(void **state)
{
    static const struct scrip_desfire_protection mac = {.comm = SCRIP_DESFIRE_MAC};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        struct scrip_desfire_expect expect;
        if (VARIANTS[i].sm < SCRIP_DESFIRE_SM_EV2) {
            continue;
        }
        authenticate(&b, &VARIANTS[i], true);
        b.host.cmd_ctr = b.card.cmd_ctr = 0xFFFE;
        exchange(&b, &mac, 0xA7, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0), scrip_bytes(NULL, 0));
        assert_int_equal(b.card.cmd_ctr, 0xFFFF);
        b.wire.len = 0;
        assert_status(scrip_desfire_sm_wrap_command(&b.host, &mac, 0xA7, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0),
                                                    &b.wire, &expect),
                      SCRIP_E_STATE);
        assert_status(scrip_desfire_sm_open_command(&b.card, &mac, 0xA7, SCRIP_BYTES_OF(RNDA), 0, 0, &b.plain),
                      SCRIP_E_MAC);
        assert_int_equal(b.card.cmd_ctr, 0xFFFF);
    }
}

static void non_first_keeps_ti_and_counter_and_changes_the_keys(void **state)
{
    static const struct scrip_desfire_protection mac = {.comm = SCRIP_DESFIRE_MAC};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        uint8_t before[24];
        if (VARIANTS[i].sm < SCRIP_DESFIRE_SM_EV2) {
            continue;
        }
        authenticate(&b, &VARIANTS[i], true);
        exchange(&b, &mac, 0x6F, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0), scrip_bytes(NULL, 0));
        memcpy(before, b.host.secret[0], sizeof before);
        b.host.secret[0][0] ^= 1; /* so that the new one is seen to be set */
        authenticate(&b, &VARIANTS[i], false);
        assert_memory_equal(b.host.ti, INFO.ti, 4);
        assert_int_equal(b.host.cmd_ctr, 1);
        assert_int_equal(b.card.cmd_ctr, 1);
        assert_int_equal(b.host.enc_ctr, 0);
        assert_memory_equal(before, b.host.secret[0], sizeof before); /* same random numbers, same keys */
        exchange(&b, &mac, 0x6F, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0), scrip_bytes(NULL, 0));
    }
}

static void a_saved_session_goes_on_where_it_was(void **state)
{
    static const struct scrip_desfire_protection full = {
        .comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true};
    static const uint8_t value[4] = {1, 2, 3, 4};
    (void)state;
    for (size_t i = 0; i < VARIANT_COUNT; i++) {
        struct bench b = {0};
        uint8_t bytes[SCRIP_DESFIRE_SESSION_SAVED];
        struct scrip_buf saved = SCRIP_BUF_OF(bytes);
        authenticate(&b, &VARIANTS[i], true);
        exchange(&b, &full, 0x6C, scrip_bytes(HEADER, 1), scrip_bytes(NULL, 0), SCRIP_BYTES_OF(value));
        assert_ok(scrip_desfire_sm_save(&b.host, &saved));
        assert_int_equal(saved.len, SCRIP_DESFIRE_SESSION_SAVED);
        scrip_desfire_sm_end(&b.host);
        struct scrip_bytes in = scrip_buf_bytes(&saved);
        assert_ok(scrip_desfire_sm_load(&b.host, &in));
        assert_int_equal(in.len, 0);
        exchange(&b, &full, 0x6C, scrip_bytes(HEADER, 1), scrip_bytes(NULL, 0), SCRIP_BYTES_OF(value));
    }
}

static void a_damaged_session_is_not_loaded(void **state)
{
    uint8_t bytes[SCRIP_DESFIRE_SESSION_SAVED] = {1, SCRIP_DESFIRE_SM_EV2, SCRIP_AES128};
    static const uint8_t bad[][3] = {{0, 3, 3}, {2, 3, 3}, {1, 5, 3}, {1, 3, 0}, {1, 1, 3}, {1, 2, 4}, {1, 0, 3}};
    struct scrip_desfire_session session = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(bytes, bad[i], 3);
        struct scrip_bytes in = SCRIP_BYTES_OF(bytes);
        assert_status(scrip_desfire_sm_load(&session, &in), SCRIP_E_FORMAT);
        assert_int_equal(in.len, sizeof bytes);
    }
    struct scrip_bytes in = scrip_bytes(bytes, sizeof bytes - 1);
    assert_status(scrip_desfire_sm_load(&session, &in), SCRIP_E_LENGTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_survives_every_mode),
        cmocka_unit_test(a_read_of_unknown_length_is_marked_by_its_padding),
        cmocka_unit_test(a_setting_of_unknown_length_is_marked_by_its_padding),
        cmocka_unit_test(a_command_altered_anywhere_is_refused),
        cmocka_unit_test(a_response_altered_anywhere_ends_the_session),
        cmocka_unit_test(no_length_from_outside_is_trusted),
        cmocka_unit_test(a_wrong_key_fails_either_handshake_side),
        cmocka_unit_test(a_messaging_refuses_keys_of_other_types),
        cmocka_unit_test(counted_sessions_end_before_the_counter_wraps),
        cmocka_unit_test(non_first_keeps_ti_and_counter_and_changes_the_keys),
        cmocka_unit_test(a_saved_session_goes_on_where_it_was),
        cmocka_unit_test(a_damaged_session_is_not_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
