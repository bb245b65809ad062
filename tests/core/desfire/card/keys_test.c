#include "bench.h"

#define NEW_KEY  "101112131415161718191A1B1C1D1E1F"
#define NEW_3K   "101112131415161718191A1B1C1D1E1F2021222324252627"
#define DES_ZERO "0000000000000000"

static struct scrip_desfire_key key_of(uint8_t cipher, uint8_t version, const char *hex)
{
    struct scrip_desfire_key key = {.cipher = cipher, .version = version};
    (void)from_hex(hex, key.bytes, sizeof key.bytes);
    return key;
}

static void aes_keys_change_under_every_messaging(void **state)
{
    struct bench *b = *state;
    for (int sm = SCRIP_DESFIRE_SM_EV1; sm <= SCRIP_DESFIRE_SM_EV2; sm++) {
        given_app(b, 0x0F, 3);
        assert_df(authenticate(b, (enum scrip_desfire_sm)sm, 0, ZERO_KEY), DF_OK);
        assert_df(change_key(b, 1, NEW_KEY, 7, ZERO_KEY), DF_OK);
        assert_df(ask(b, CMD_GET_KEY_VERSION, "01"), DF_OK); /* the session goes on */
        assert_data(b, "07");
        assert_df(change_key(b, 0, NEW_KEY, 9, NULL), DF_OK);
        assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE); /* its own key: over */
        assert_df(authenticate(b, (enum scrip_desfire_sm)sm, 0, ZERO_KEY), DF_AUTHENTICATION_ERROR);
        assert_df(authenticate(b, (enum scrip_desfire_sm)sm, 0, NEW_KEY), DF_OK);
        assert_df(authenticate(b, (enum scrip_desfire_sm)sm, 1, NEW_KEY), DF_OK);
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
        assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
        assert_df(ask(b, CMD_DELETE_APPLICATION, AID), DF_OK);
    }
}

static void des_keys_change_under_d40_and_ev1(void **state)
{
    struct bench *b = *state;
    const struct scrip_desfire_key old = key_of(SCRIP_DES, 0, DES_ZERO);
    const struct scrip_desfire_key two = key_of(SCRIP_2K3DES, 0, "00102031405060708090A0B0B0A09080");
    for (int sm = SCRIP_DESFIRE_SM_D40; sm <= SCRIP_DESFIRE_SM_EV1; sm++) {
        const enum scrip_desfire_sm with = (enum scrip_desfire_sm)sm;
        assert_df(ask(b, CMD_CREATE_APPLICATION, AID "0F03"), DF_OK);
        assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
        assert_df(authenticate_des(b, with, 0, DES_ZERO), DF_OK);
        assert_df(change_key_to(b, CMD_CHANGE_KEY, "01", &two, &old), DF_OK);
        assert_df(ask(b, CMD_GET_KEY_VERSION, "01"), DF_OK);
        assert_data(b, "10"); /* hidden in the parity bits */
        assert_df(change_key_to(b, CMD_CHANGE_KEY, "00", &two, NULL), DF_OK);
        assert_df(authenticate_des(b, with, 0, DES_ZERO), DF_AUTHENTICATION_ERROR);
        assert_df(authenticate_des(b, with, 0, "00102031405060708090A0B0B0A09080"), DF_OK);
        assert_df(authenticate_des(b, with, 1, "00102031405060708090A0B0B0A09080"), DF_OK);
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
        assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
        assert_df(ask(b, CMD_DELETE_APPLICATION, AID), DF_OK);
    }
}

static void three_key_des_changes_too(void **state)
{
    struct bench *b = *state;
    const struct scrip_desfire_key old = key_of(SCRIP_3K3DES, 0, ZERO_KEY DES_ZERO);
    const struct scrip_desfire_key next = key_of(SCRIP_3K3DES, 0, NEW_3K);
    assert_df(ask(b, CMD_CREATE_APPLICATION, AID "0F43"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY DES_ZERO), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "02", &next, &old), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "00", &next, NULL), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, NEW_3K), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 2, NEW_3K), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 2, NEW_KEY), DF_AUTHENTICATION_ERROR);
}

static void the_picc_key_changes_its_type(void **state)
{
    struct bench *b = *state;
    const struct scrip_desfire_key aes = key_of(SCRIP_AES128, 5, NEW_KEY);
    const struct scrip_desfire_key three = key_of(SCRIP_3K3DES, 0, NEW_3K);
    const struct scrip_desfire_key des = key_of(SCRIP_DES, 0, DES_ZERO);

    assert_df(ask(b, CMD_GET_KEY_SETTINGS, ""), DF_OK);
    assert_data(b, "0F 01");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "80", &aes, NULL), DF_OK);
    assert_df(ask(b, CMD_GET_KEY_SETTINGS, ""), DF_OK);
    assert_data(b, "0F 81");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_AUTHENTICATION_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, NEW_KEY), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "40", &three, NULL), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, NEW_3K), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "00", &des, NULL), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, DES_ZERO), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "80", &aes, NULL), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, NEW_KEY), DF_OK);
}

/* KS1 upper nibble, key of the session, key to change: who may. */
static void the_change_key_nibble_says_who_may(void **state)
{
    static const struct {
        uint8_t ks1, with, target, status;
    } rows[] = {
        {0x0F, 0, 1, DF_OK},
        {0x0F, 1, 1, DF_AUTHENTICATION_ERROR},
        {0x2F, 2, 1, DF_OK},
        {0x2F, 0, 1, DF_AUTHENTICATION_ERROR},
        {0x2F, 2, 2, DF_AUTHENTICATION_ERROR}, /* the change key itself needs the master key */
        {0x2F, 0, 2, DF_OK},
        {0x2F, 2, 0, DF_AUTHENTICATION_ERROR},
        {0x2F, 0, 0, DF_OK},
        {0xEF, 1, 1, DF_OK},
        {0xEF, 0, 1, DF_AUTHENTICATION_ERROR},
        {0xFF, 0, 1, DF_PERMISSION_DENIED},
        {0xFF, 0, 0, DF_OK},
        {0x0E, 0, 0, DF_PERMISSION_DENIED},
        {0x0F, 0, 3, DF_NO_SUCH_KEY},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        given_app(b, rows[i].ks1, 3);
        login(b, rows[i].with);
        const bool own = rows[i].with == rows[i].target;
        const uint8_t got = change_key(b, rows[i].target, NEW_KEY, 1, own ? NULL : ZERO_KEY);
        if (got != rows[i].status) {
            fail_msg("row %zu: %02X, not %02X", i, got, rows[i].status);
        }
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
        assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
        assert_df(ask(b, CMD_DELETE_APPLICATION, AID), DF_OK);
    }
}

static void a_wrong_old_key_is_noticed(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(change_key(b, 1, NEW_KEY, 1, NEW_KEY), DF_INTEGRITY_ERROR);
    login(b, 1); /* unchanged */
}

static void key_settings_change_with_the_master_key_only(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 3);
    assert_df(ask(b, CMD_CHANGE_KEY_SETTINGS, "0B"), DF_AUTHENTICATION_ERROR);
    login(b, 1);
    assert_df(ask(b, CMD_CHANGE_KEY_SETTINGS, "0B"), DF_AUTHENTICATION_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_KEY_SETTINGS, "01"), DF_OK);
    assert_df(ask(b, CMD_GET_KEY_SETTINGS, ""), DF_OK);
    assert_data(b, "01 83");
    assert_df(ask(b, CMD_CHANGE_KEY_SETTINGS, "0F"), DF_PERMISSION_DENIED); /* frozen by itself */
    assert_df(ask(b, CMD_GET_KEY_SETTINGS, ""), DF_AUTHENTICATION_ERROR);   /* no free directory any more */
    assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_AUTHENTICATION_ERROR);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 010000"), DF_AUTHENTICATION_ERROR);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, DES_ZERO), DF_OK);
    assert_df(ask(b, CMD_CHANGE_KEY_SETTINGS, "08"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    const struct refusal rows[] = {
        {CMD_GET_APPLICATION_IDS, "", DF_AUTHENTICATION_ERROR},
        {CMD_GET_DF_NAMES, "", DF_AUTHENTICATION_ERROR},
        {CMD_GET_KEY_SETTINGS, "", DF_AUTHENTICATION_ERROR},
        {CMD_CREATE_APPLICATION, "112233 0F 81", DF_AUTHENTICATION_ERROR},
        {CMD_DELETE_APPLICATION, AID, DF_AUTHENTICATION_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_df(ask(b, rows[i].cmd, rows[i].params), rows[i].status);
    }
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, DES_ZERO), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "00", &(const struct scrip_desfire_key){.cipher = SCRIP_DES}, NULL),
              DF_PERMISSION_DENIED); /* master key frozen by bit 0 */
}

static void key_sets_live_from_initialize_to_roll(void **state)
{
    struct bench *b = *state;
    const struct scrip_desfire_key zero = key_of(SCRIP_AES128, 0, ZERO_KEY);
    const struct scrip_desfire_key next = key_of(SCRIP_AES128, 0x21, NEW_KEY);

    assert_df(ask(b, CMD_CREATE_APPLICATION, AID "0F 93 01 10 03 10 02"), DF_OK); /* 3 sets, key 2 rolls */
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(ask(b, CMD_GET_KEY_SETTINGS, ""), DF_OK);
    assert_data(b, "0F 93 01 10 03 10 02");
    login(b, 0);
    assert_df(change_key_to(b, CMD_CHANGE_KEY_EV2, "0101", &next, &zero), DF_PERMISSION_DENIED); /* not initialised */
    login(b, 0);
    assert_df(ask(b, CMD_INITIALIZE_KEY_SET, "01 02"), DF_OK);
    for (uint8_t key = 0; key < 3; key++) {
        const char *const headers[] = {"0100", "0101", "0102"};
        assert_df(change_key_to(b, CMD_CHANGE_KEY_EV2, headers[key], &next, &zero), DF_OK);
    }
    assert_df(ask(b, CMD_FINALIZE_KEY_SET, "01 10"), DF_PARAMETER_ERROR); /* not above the active version */
    login(b, 0);
    assert_df(ask(b, CMD_FINALIZE_KEY_SET, "01 11"), DF_OK);
    assert_df(ask(b, CMD_GET_KEY_VERSION, "41 01"), DF_OK);
    assert_data(b, "21");
    assert_df(ask(b, CMD_GET_KEY_VERSION, "40 80"), DF_OK);
    assert_data(b, "10 11 00");
    assert_df(ask(b, CMD_ROLL_KEY_SET, "01"), DF_AUTHENTICATION_ERROR);
    login(b, 2);
    assert_df(frame(b, "64 00"), DF_LENGTH_ERROR); /* no MAC in a session */
    login(b, 2);
    uint8_t bytes[32] = {CMD_ROLL_KEY_SET};
    struct scrip_buf command = {.at = bytes, .len = 1, .cap = sizeof bytes};
    struct scrip_buf rsp = SCRIP_BUF_OF(b->data);
    const struct scrip_desfire_protection mac = {.comm = SCRIP_DESFIRE_MAC};
    struct scrip_desfire_expect expect;
    assert_ok(scrip_desfire_sm_wrap_command(&b->session, &mac, CMD_ROLL_KEY_SET, scrip_bytes(NULL, 0),
                                            scrip_bytes("\x01", 1), &command, &expect));
    assert_ok(scrip_desfire_card_apdu(&b->card, scrip_buf_bytes(&command), &rsp));
    assert_hex(scrip_buf_bytes(&rsp), "00"); /* answered without a MAC, session over */
    scrip_desfire_sm_end(&b->session);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, ZERO_KEY), DF_AUTHENTICATION_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, NEW_KEY), DF_OK);
    assert_df(ask(b, CMD_GET_KEY_SETTINGS, ""), DF_OK);
    assert_data(b, "0F 93 01 11 03 10 02");
    assert_df(ask(b, CMD_GET_KEY_VERSION, "40 80"), DF_OK);
    assert_data(b, "11 10 00"); /* the old set goes by the number of the new one */
}

static void refusals_of_key_commands(void **state)
{
    struct bench *b = *state;
    given_session(b);
    const struct refusal rows[] = {
        {CMD_GET_KEY_VERSION, "05", DF_NO_SUCH_KEY},
        {CMD_GET_KEY_VERSION, "41", DF_LENGTH_ERROR},
        {CMD_GET_KEY_VERSION, "01 00", DF_LENGTH_ERROR},
        {CMD_INITIALIZE_KEY_SET, "01 02", DF_PERMISSION_DENIED}, /* no key sets here */
        {CMD_FINALIZE_KEY_SET, "01 02", DF_PERMISSION_DENIED},
        {CMD_ROLL_KEY_SET, "01", DF_PERMISSION_DENIED},
    };
    check_refusals(b, login_0, rows, sizeof rows / sizeof rows[0]);
    power_cycle(b);
    assert_df(ask(b, CMD_CREATE_APPLICATION, "112233 0F 92 01 10 02 10 00"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "112233"), DF_OK);
    const struct refusal sets[] = {
        {CMD_INITIALIZE_KEY_SET, "00 02", DF_PARAMETER_ERROR}, /* the active set */
        {CMD_INITIALIZE_KEY_SET, "02 02", DF_PARAMETER_ERROR},
        {CMD_INITIALIZE_KEY_SET, "01 01", DF_PARAMETER_ERROR}, /* 24 bytes do not fit */
        {CMD_INITIALIZE_KEY_SET, "01 03", DF_PARAMETER_ERROR},
        {CMD_FINALIZE_KEY_SET, "01 20", DF_PARAMETER_ERROR}, /* not initialised */
        {CMD_ROLL_KEY_SET, "01", DF_PARAMETER_ERROR},        /* not finalised */
    };
    check_refusals(b, login_0, sets, sizeof sets / sizeof sets[0]);
}

static void new_applications_get_the_default_key(void **state)
{
    struct bench *b = *state;
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, DES_ZERO), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "01" NEW_KEY DES_ZERO "42"), DF_OK);
    given_app(b, 0x0F, 2);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, NEW_KEY), DF_OK);
    assert_df(ask(b, CMD_GET_KEY_VERSION, "01"), DF_OK);
    assert_data(b, "42");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(aes_keys_change_under_every_messaging),
        EV1_TEST(des_keys_change_under_d40_and_ev1),
        EV1_TEST(three_key_des_changes_too),
        EV3_TEST(the_picc_key_changes_its_type),
        EV2_TEST(the_change_key_nibble_says_who_may),
        EV3_TEST(a_wrong_old_key_is_noticed),
        EV2_TEST(key_settings_change_with_the_master_key_only),
        EV3_TEST(key_sets_live_from_initialize_to_roll),
        EV3_TEST(refusals_of_key_commands),
        EV3_TEST(new_applications_get_the_default_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
