/* What a host that follows the protocol to the letter relies on, and what one that does not must be told: order of
 * checks, products without a command, states between two commands. */
#include "bench.h"
#include <stdio.h>

/* ---- order of checks ---- */

/* Without a session everything is plain, so the length is wrong before anybody asks for rights. */
static void a_mac_without_session_is_a_wrong_length(void **state)
{
    static const char *const commands[] = {
        "6C 03 0102030405060708",
        "DC 03 01020304 0102030405060708",
        "DC 03 0102030405060708090A0B0C0D0E0F10 0102030405060708",
        "BD 01 000000 000000 0102030405060708",
        "8D 01 000000 010000 FF 0102030405060708",
        "C7 01 0102030405060708",
        "C7 0102030405060708",
        "A7 0102030405060708",
        "C8 00112233445566778899AABBCCDDEEFF 0102030405060708",
        "F5 01 0102030405060708",
        "54 0102030405060708090A0B0C0D0E0F10 0102030405060708",
    };
    struct bench *b = *state;
    given_purse(b, true);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const uint8_t status = frame(b, commands[i]);
        if (status != DF_LENGTH_ERROR) {
            fail_msg("%s: %02X, not 7E", commands[i], status);
        }
    }
    assert_df(frame(b, "DC 03 01000000"), DF_AUTHENTICATION_ERROR); /* of the right length: the key is missing */
    assert_df(frame(b, "DC 07 01000000"), DF_FILE_NOT_FOUND);
    assert_df(frame(b, "54 0F"), DF_AUTHENTICATION_ERROR);
}

static void an_unknown_command_is_unknown_at_any_time(void **state)
{
    struct bench *b = *state;
    assert_df(frame(b, "60"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "99"), DF_ILLEGAL_COMMAND);
    assert_df(frame(b, "AF"), DF_ILLEGAL_COMMAND); /* and it ended what was under way */
    assert_df(frame(b, "60"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "CD"), DF_COMMAND_ABORTED); /* known, though not here */
}

/* The commands of each product, written down once more: the table that card and terminal share proves nothing. */
static void each_product_has_its_commands_and_no_others(void **state)
{
    static const struct {
        enum scrip_desfire_generation generation;
        const char *codes;
    } products[] = {
        {SCRIP_DESFIRE_EV1, "0A1AAA5ACADA6A6D60516EFC5C3C455464C4CDCBCCC1C0DF6F61F55FBD3D6C0CDC1CBB3BEBC7A7"},
        {SCRIP_DESFIRE_EV2, "0A1AAA5ACADA6A6D60516EFC5C3C455464C4CDCBCCC1C0DF6F61F55FBD3D6C0CDC1CBB3BEBC7A7"
                            "7177C969C6565755CEAD8DAB8BDBBAC8F0F2FD"},
        {SCRIP_DESFIRE_EV3, "0A1AAA5ACADA6A6D60516EFC5C3C455464C4CDCBCCC1C0DF6F61F55FBD3D6C0CDC1CBB3BEBC7A7"
                            "7177C969C6565755CEAD8DAB8BDBBAC8F0F2FDF6B1"},
        {SCRIP_DESFIRE_LIGHT, "717760515C3C64C4CEDF6F61F55FAD8D6C0CDC1CAB8BBAEBC7A7C8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        uint8_t known[64];
        const size_t count = from_hex(products[i].codes, known, sizeof known);
        struct bench *b = bench_new(products[i].generation);
        for (unsigned code = 0; code < 256; code++) {
            char hex[16];
            const bool wanted = memchr(known, (int)code, count) != NULL;
            (void)snprintf(hex, sizeof hex, "90%02X000000", code);
            const bool is_known = apdu(b, hex) != SCRIP_DESFIRE_SW(DF_ILLEGAL_COMMAND);
            if (is_known != wanted) {
                fail_msg("%02X: %s", code, wanted ? "missing" : "there");
            }
            power_cycle(b);
        }
        bench_free(b);
    }
}

static void commands_for_mifare_classic_are_not_known(void **state)
{
    struct bench *b = *state;
    assert_df(frame(b, "CF 00 01 02 03 04 05"), DF_ILLEGAL_COMMAND);
    assert_df(frame(b, "BF 00 01 02 03 04 05"), DF_ILLEGAL_COMMAND);
    assert_df(frame(b, "EE 00 01 02 03 04 05"), DF_ILLEGAL_COMMAND);
}

static void ev1_selects_one_application(void **state)
{
    struct bench *b = *state;
    assert_df(frame(b, "5A 000000 000000"), DF_LENGTH_ERROR);
}

static void configuration_is_for_the_picc_level(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 1);
    assert_df(frame(b, "5C 00 00"), DF_PERMISSION_DENIED);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(frame(b, "5C 00 00"), DF_AUTHENTICATION_ERROR);
}

/* ---- Light ---- */

static void light_has_no_ev1_messaging_and_no_dynamic_messages(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "0084000010"), SCRIP_SW_INS);
    assert_int_equal(apdu(b, "0082000020" ZERO_KEY ZERO_KEY), SCRIP_SW_INS);
    assert_int_equal(apdu(b, "0088000010" ZERO_KEY "10"), SCRIP_SW_INS);
    assert_df(frame(b, "F6 00"), DF_ILLEGAL_COMMAND);
}

/* ---- deleting what is selected ---- */

#define DAM_PARAMS "02000000000040000F81"
#define DAM_KEY    "66E94BD4EF8A2C3B884CFA59CA342B2E43B6C78557AFDE872D0E7D995526459C" /* a zero key, version 7 */
#define DAM_CREATE "CA3348BB23347637"
#define DAM_DELETE "96B73AC5AF399965"

/* The owner of the delegation may delete an application at any time, also the second one of a selected pair. */
static void a_pair_goes_when_one_of_it_is_deleted(void **state)
{
    struct bench *b = *state;
    assert_df(ask(b, CMD_CREATE_APPLICATION, AID "0F81"), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_CREATE_DELEGATED_APPLICATION, DAM_PARAMS DAM_KEY DAM_CREATE), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID "020000"), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0x80, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_DELETE_APPLICATION, "020000" DAM_DELETE), DF_OK);
    scrip_desfire_sm_end(&b->session);
    assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK); /* back at the PICC level */
    assert_data(b, AID);
}

/* ---- frames ---- */

static void nineteen_applications_fill_a_frame_in_every_session_without_macs(void **state)
{
    struct bench *b = *state;
    for (unsigned i = 1; i <= 20; i++) {
        char params[16];
        (void)snprintf(params, sizeof params, "%02X0000 0F01", i);
        assert_df(ask(b, CMD_CREATE_APPLICATION, params), DF_OK);
    }
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK);
    assert_int_equal(b->first_frame, 57);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, PICC_DES), DF_OK);
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK);
    assert_int_equal(b->first_frame, 57);
    assert_int_equal(b->len, 60);
}

/* An ATS may say 16 bytes a frame, which no cipher block of 16 fits with what goes around it. */
static void the_smallest_frames_still_move_on(void **state)
{
    struct bench *b = *state;
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, PICC_DES), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "02 05 70 77 81 02"), DF_OK);
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03 0000 200000"), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->len, 32);
    assert_int_equal(b->first_frame, 16);
}

/* ---- status 0C ---- */

static void nothing_to_commit_is_an_error_like_others(void **state)
{
    struct bench *b = *state;
    assert_ok(scrip_desfire_card_on(&b->card, &b->host, NULL)); /* as cards are, unless told otherwise */
    given_session(b);
    assert_df(do_commit(b), DF_NO_CHANGES);
    assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
    scrip_desfire_sm_end(&b->session);
    login(b, 0);
    assert_df(do_abort(b), DF_NO_CHANGES);
    assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
}

/* ---- Transaction MAC ---- */

/* At the limit a reader may still name itself, but the counter must not move on: after FFFFFFFF it would begin anew,
 * and with it the session keys. */
static void the_counter_never_passes_its_limit(void **state)
{
    struct bench *b = *state;
    given_purse(b, true);
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F A1 303F 01 1F1F 01000000"), DF_OK);
    login(b, 1);
    assert_df(do_debit(b, 3, 1), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_PERMISSION_DENIED);
    login(b, 1);
    b->comm = SCRIP_DESFIRE_MAC;
    assert_df(ask(b, CMD_READ_DATA_ISO, "0F 000000 040000"), DF_OK);
    assert_data(b, "01000000");
}

/* ---- secure dynamic messaging ---- */

/* The bit alone, as CreateStdDataFile may set it, says that messaging can be set up later. */
static void dynamic_messaging_does_nothing_before_it_is_set_up(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 3);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 40 EEEE 400000"), DF_OK);
    assert_df(frame(b, "BD 01 000000 400000"), DF_ADDITIONAL_FRAME);
    for (size_t i = 0; i < b->len; i++) {
        assert_int_equal(b->data[i], 0);
    }
    assert_df(frame(b, "AF"), DF_OK);
    assert_df(frame(b, "F5 01"), DF_OK);
    assert_data(b, "00 40 EEEE 400000 00 FFFF");
}

/* A file whose rights are all keys is still readable by everybody through its messages. */
static void dynamic_messages_are_read_without_other_rights(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 3);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 40 1011 400000"), DF_OK);
    assert_int_equal(apdu(b, "00B0810040"), SCRIP_SW_SECURITY);
    login(b, 0);
    /* UID and counter in the clear at 0 and 14, MAC by key 2 over nothing but them, at 32 */
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 40 1011 C1 FFE2 000000 0E0000 000000 200000"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_int_equal(apdu(b, "00B0810014"), SCRIP_SW_OK);
    assert_data(b, "3034354232433841393136453830 303030303031 9000");
    assert_df(frame(b, "BD 01 0E0000 060000"), DF_OK);
    assert_data(b, "303030303032");
    login(b, 2);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_READ_DATA, "01 000000 010000"), DF_AUTHENTICATION_ERROR); /* in a session rights count */
}

/* A read that is too long for its frame is refused with its counter, and the next one counts. */
static void a_refused_dynamic_read_begins_no_run(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 40 00E0 000200"), DF_OK);
    b->comm = SCRIP_DESFIRE_FULL;
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 40 00E0 41 FFEF 000000"), DF_OK); /* the counter, and no MAC */
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_int_equal(apdu(b, "90AD000007 01 000000 000000 00"), 0x917E);
    assert_int_equal(apdu(b, "90AD000007 01 000000 060000 00"), 0x9100);
    assert_data(b, "303030303031 9100");
    assert_int_equal(apdu(b, "90AD000007 01 000000 060000 00"), 0x9100);
    assert_data(b, "303030303031 9100");
    assert_int_equal(apdu(b, "00B0810006"), SCRIP_SW_OK);
    assert_data(b, "303030303032 9000");
}

/* What one says to the card comes in another order than what it says of itself. */
static void additional_sets_and_dynamic_messages_have_their_places(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 C0 1010 400000"), DF_OK);
    b->comm = SCRIP_DESFIRE_FULL;
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 C0 1010 01 2F2F C1 FFE2 000000 0E0000 000000 200000"), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "01"), DF_OK);
    assert_data(b, "00 C0 1010 400000 C1 FFE2 000000 0E0000 000000 200000 01 2F2F");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(a_mac_without_session_is_a_wrong_length),
        EV3_TEST(an_unknown_command_is_unknown_at_any_time),
        cmocka_unit_test(each_product_has_its_commands_and_no_others),
        EV3_TEST(commands_for_mifare_classic_are_not_known),
        EV1_TEST(ev1_selects_one_application),
        EV3_TEST(configuration_is_for_the_picc_level),
        LIGHT_TEST(light_has_no_ev1_messaging_and_no_dynamic_messages),
        EV3_TEST(a_pair_goes_when_one_of_it_is_deleted),
        EV2_TEST(nineteen_applications_fill_a_frame_in_every_session_without_macs),
        EV2_TEST(the_smallest_frames_still_move_on),
        EV2_TEST(nothing_to_commit_is_an_error_like_others),
        EV2_TEST(the_counter_never_passes_its_limit),
        EV3_TEST(dynamic_messaging_does_nothing_before_it_is_set_up),
        EV3_TEST(dynamic_messages_are_read_without_other_rights),
        EV3_TEST(a_refused_dynamic_read_begins_no_run),
        EV3_TEST(additional_sets_and_dynamic_messages_have_their_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
