/* ISO/IEC 7816-4 commands, framings, and secure dynamic messaging, as a client without any DESFire knowledge sees it.
 */
#include "bench.h"
#include <scrip/cmac.h>
#include <stdio.h>

/* The NFC Forum Type 4 layout: application by name, capability container, NDEF file. */
static void given_ndef(struct bench *b)
{
    assert_df(ask(b, CMD_CREATE_APPLICATION, "010000 0F A5 10E1 D2760000850101"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000"), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03E1 00 EEEE 0F0000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 04E1 00 EEEE 000100"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "01 000000 0F0000 000F20003B00340406E104010000FF"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "02 000000 080000 0006D1010274656E"), DF_OK);
    power_cycle(b);
}

static void a_phone_reads_the_ndef_file(void **state)
{
    struct bench *b = *state;
    given_ndef(b);
    assert_int_equal(apdu(b, "00A4040007D276000085010100"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00A4000C02E103"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00B000000F"), SCRIP_SW_OK);
    assert_data(b, "000F20003B00340406E104010000FF 9000");
    assert_int_equal(apdu(b, "00A4000C02E104"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00B0000002"), SCRIP_SW_OK);
    assert_data(b, "0006 9000");
    assert_int_equal(apdu(b, "00B0000206"), SCRIP_SW_OK);
    assert_data(b, "D1010274656E 9000");
    assert_int_equal(apdu(b, "00B0000000"), SCRIP_SW_OK); /* Le 00: 256 */
    assert_int_equal(b->len, 258);
    assert_int_equal(apdu(b, "00D6000005000211"), SCRIP_SW_LENGTH); /* Lc lies */
    assert_int_equal(apdu(b, "00A4000C02E104"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00D6000003000211"), SCRIP_SW_OK);
    power_cycle(b);
    assert_int_equal(apdu(b, "00A4040007D2760000850101"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00B0820003"), SCRIP_SW_OK); /* short file id 2 */
    assert_data(b, "000211 9000");
}

static void status_words_of_the_standard_commands(void **state)
{
    static const struct {
        const char *apdu;
        uint16_t sw;
    } rows[] = {
        {"00A4040007D276000085010100", SCRIP_SW_OK},
        {"00A4040007D276000085010200", SCRIP_SW_NOT_FOUND},
        {"00A4040000", SCRIP_SW_LC},
        {"00A4050002E103", SCRIP_SW_P1P2},
        {"00A4000102E103", SCRIP_SW_P1P2},
        {"00A4000001E1", SCRIP_SW_LC},
        {"00A4000002E1FF", SCRIP_SW_NOT_FOUND},
        {"00A4020002E103", SCRIP_SW_OK}, /* EF under the current DF */
        {"00B0001000", SCRIP_SW_OFFSET}, /* past the end */
        {"00B000000F", SCRIP_SW_OK},
        {"00B0000010", SCRIP_SW_LE | 0x0F}, /* only 15 are there */
        {"00B00000", SCRIP_SW_LENGTH},      /* no Le */
        {"00B0E10001", SCRIP_SW_P1P2},
        {"00B09F0001", SCRIP_SW_NOT_FOUND},
        {"00D6000E021122", SCRIP_SW_OFFSET},
        {"00D60000", SCRIP_SW_LENGTH},
        {"00B2000400", SCRIP_SW_CONDITIONS}, /* no record file */
        {"00B2000300", SCRIP_SW_P1P2},
        {"00E2000001FF", SCRIP_SW_CONDITIONS},
        {"00E2010001FF", SCRIP_SW_P1P2},
        {"00A4030000", SCRIP_SW_OK}, /* parent */
        {"00B0810001", SCRIP_SW_NOT_FOUND},
        {"00A4010002E11000", SCRIP_SW_OK}, /* child */
        {"00A4000000", SCRIP_SW_OK},       /* no data: MF */
        {"00A40000023F0000", SCRIP_SW_OK},
        {"00A4040007D276000085010000", SCRIP_SW_OK}, /* MF by name */
        {"00CA000000", SCRIP_SW_INS},
        {"80CA000000", SCRIP_SW_CLA},
        {"FFCA000000", SCRIP_SW_CLA},
        {"9060000100", SCRIP_SW_P1P2},
        {"9060010000", SCRIP_SW_P1P2},
        {"905A000005010000", SCRIP_SW_LENGTH},
        {"905A00000401000000", 0x917E},
        {"90990000", 0x911C},
        {"00A4", SCRIP_SW_LENGTH},
        {"90", SCRIP_SW_LENGTH},
    };
    struct bench *b = *state;
    given_ndef(b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint16_t sw = apdu(b, rows[i].apdu);
        if (sw != rows[i].sw) {
            fail_msg("row %zu: %s answers %04X, not %04X", i, rows[i].apdu, sw, rows[i].sw);
        }
    }
}

static void native_and_wrapped_frames_mix(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03 0000 640000"), DF_OK);
    b->framing = WRAPPED;
    assert_df(ask(b, CMD_WRITE_DATA, "01 000000 030000 010203"), DF_OK);
    b->framing = NATIVE;
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->len, 100);
    b->framing = WRAPPED;
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->len, 100);
}

static void extended_lengths_carry_more(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 1);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE E80300"), DF_OK);
    assert_int_equal(apdu(b, "90AD0000 00 0007 01 000000 000000 0000"), 0x9100);
    assert_int_equal(b->len, 1002);
    assert_int_equal(apdu(b, "90AD0000 07 01 000000 000000 00"), 0x917E); /* does not fit a short one */
}

static void protected_files_are_closed_to_everybody(void **state)
{
    struct bench *b = *state;
    given_purse(b, true);
    assert_int_equal(apdu(b, "00B0810001"), SCRIP_SW_CONDITIONS); /* a Transaction MAC file is there */
    login(b, 0);
    assert_df(ask(b, CMD_DELETE_FILE, "0F"), DF_OK);
    assert_int_equal(apdu(b, "00B0810001"), SCRIP_SW_SECURITY);
    assert_int_equal(apdu(b, "00D6810001FF"), SCRIP_SW_SECURITY);
    assert_int_equal(apdu(b, "00B0830001"), SCRIP_SW_SECURITY);
    assert_int_equal(apdu(b, "00B2001400"), SCRIP_SW_SECURITY);
}

static void records_by_iso_commands_wait_for_the_commit(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 1);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 00 EEEE 040000 040000"), DF_OK);
    for (unsigned i = 1; i <= 3; i++) {
        char hex[32];
        (void)snprintf(hex, sizeof hex, "00E2001003%02X%02X%02X", i, i, i);
        assert_int_equal(apdu(b, hex), SCRIP_SW_OK);
        assert_df(do_commit(b), DF_OK);
    }
    assert_int_equal(apdu(b, "00B2001400"), SCRIP_SW_OK); /* the newest */
    assert_data(b, "03030300 9000");
    assert_int_equal(apdu(b, "00B2021404"), SCRIP_SW_OK);
    assert_data(b, "01010100 9000");
    assert_int_equal(apdu(b, "00B2011500"), SCRIP_SW_OK); /* from record 1 on */
    assert_data(b, "01010100 02020200 9000");
    assert_int_equal(apdu(b, "00B2031400"), SCRIP_SW_RECORD);
    assert_int_equal(apdu(b, "00B2001402"), SCRIP_SW_LE | 4);
    assert_int_equal(apdu(b, "00E20010050102030405"), SCRIP_SW_LENGTH);
    assert_int_equal(apdu(b, "00E20010010A"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00A4000000"), SCRIP_SW_OK); /* leaving drops it */
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(do_commit(b), DF_NO_CHANGES);
}

static void a_used_up_counter_is_told_at_selection(void **state)
{
    struct bench *b = *state;
    assert_df(ask(b, CMD_CREATE_APPLICATION, "010000 0F A2 10E1 A001"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000"), DF_OK);
    login(b, 0);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 F01F 02" ZERO_KEY "00"), DF_OK);
    assert_int_equal(apdu(b, "00A4040002A001"), SCRIP_SW_OK);
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F 21 F01F 00000000"), DF_OK);
    assert_int_equal(apdu(b, "00A4040002A001"), SCRIP_SW_WARNING);
}

/* ---- secure dynamic messaging ---- */

/* AN12196: UID 04DE5F1EACC040, counter 3D, zero keys, MAC over nothing. */
static void the_published_sdm_mac_comes_out(void **state)
{
    struct bench *b = *state;
    memcpy(b->card.identity.uid, "\x04\xDE\x5F\x1E\xAC\xC0\x40", 7);
    given_session(b);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 00 EEEE 400000"), DF_OK);
    /* UID and counter, ASCII; PICCData by key 2 at 0, MAC by key 1 over nothing at 32 */
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 F121 000000 200000 200000"), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "02"), DF_OK);
    assert_data(b, "00 40 EEEE 400000 C1 F121 000000 200000 200000");
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    for (int i = 1; i <= 0x3C; i++) {
        assert_df(ask(b, CMD_READ_DATA, "02 000000 010000"), DF_OK);
        assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_OK); /* ends the run of reads */
    }
    uint8_t bytes[16];
    struct scrip_random_scripted scripted = {.left = scrip_bytes(bytes, from_hex("DA5CF60941", bytes, 16))};
    const struct scrip_random source = scrip_random_scripted(&scripted);
    b->card.host.random = &source;
    assert_df(ask(b, CMD_READ_DATA, "02 000000 300000"), DF_OK);
    assert_memory_equal(b->data, "EF963FF7828658A599F3041510671E8894EED9EE65337086", 48);
    b->card.host.random = &b->random;
}

static void plain_mirrors_show_uid_and_counter(void **state)
{
    struct bench *b = *state;
    given_session(b);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 00 EEEE 400000"), DF_OK);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 FEEF 020000 140000"), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "02 000000 1C0000"), DF_OK); /* in a session: as it is stored */
    assert_int_equal(b->data[2], 0);
    b->comm = SCRIP_DESFIRE_FULL;
    assert_df(ask(b, CMD_GET_FILE_COUNTERS, "02"), DF_OK);
    assert_data(b, "000000 0000");
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_READ_DATA, "02 020000 180000"), DF_OK);
    assert_memory_equal(b->data,
                        "045B2C8A916E80\0\0\0\0"
                        "000001",
                        24);
    assert_df(ask(b, CMD_READ_DATA, "02 020000 180000"), DF_OK); /* the same run of reads */
    assert_memory_equal(b->data + 18, "000001", 6);
    assert_int_equal(apdu(b, "00B0821406"), SCRIP_SW_OK); /* another kind of read */
    assert_memory_equal(b->data, "000002", 6);
    power_cycle(b);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "02 140000 060000"), DF_OK);
    assert_memory_equal(b->data, "000003", 6);
}

/* What a back office does with the enciphered file data and the MAC over a URL. */
static void enciphered_file_data_opens_at_the_back_office(void **state)
{
    struct bench *b = *state;
    given_session(b);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 00 EEEE 600000"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "02 000000 040000 613D3F26"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "02 1C0000 100000 00112233445566778899AABBCCDDEEFF"), DF_OK);
    /* UID at 0Ch.., counter, enciphered data 1Ch..3Bh, MAC over 04..3F at 40h */
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE D1 F1E1 040000 120000 040000 1C0000 200000 400000"), DF_OK);
    power_cycle(b);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "02 000000 000000"), DF_OK);
    assert_int_equal(b->len, 0x60);

    uint8_t vector[16] = {0xC3, 0x3C, 0x00, 0x01, 0x00, 0x80};
    const uint8_t zero[16] = {0};
    struct scrip_cmac_key key;
    struct scrip_block block;
    uint8_t secret[16];
    uint8_t iv[16] = {0x01};
    uint8_t cipher[16];
    uint8_t mac[16];
    char text[17];
    memcpy(vector + 6, b->card.identity.uid, 7);
    vector[13] = 0x01;
    scrip_cmac_key_init(&key, SCRIP_AES128, zero);
    scrip_cmac(&key, SCRIP_BYTES_OF(vector), secret);
    scrip_block_init(&block, SCRIP_AES128, secret);
    scrip_block_encrypt(&block, 1, iv, iv);
    memcpy(text, b->data + 0x1C, 0);
    char hex[33];
    memcpy(hex, b->data + 0x1C, 32);
    hex[32] = '\0';
    (void)from_hex(hex, cipher, sizeof cipher);
    scrip_cbc_decrypt(&block, iv, 1, cipher, cipher);
    assert_hex(SCRIP_BYTES_OF(cipher), "00112233445566778899AABBCCDDEEFF");

    vector[0] = 0x3C;
    vector[1] = 0xC3;
    scrip_cmac(&key, SCRIP_BYTES_OF(vector), secret);
    scrip_cmac_key_init(&key, SCRIP_AES128, secret);
    scrip_cmac(&key, scrip_bytes(b->data + 4, 0x3C), mac);
    uint8_t short_mac[8];
    scrip_mact(mac, short_mac);
    for (size_t i = 0; i < 8; i++) {
        (void)snprintf(text + 2 * i, 3, "%02X", short_mac[i]);
    }
    assert_memory_equal(b->data + 0x40, text, 16);
}

static void the_read_counter_has_a_limit(void **state)
{
    struct bench *b = *state;
    given_session(b);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 00 EEEE 400000"), DF_OK);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE 61 FFEF 140000 020000"), DF_OK);
    for (int i = 0; i < 3; i++) {
        assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
        assert_df(ask(b, CMD_READ_DATA, "02 000000 010000"), i < 2 ? DF_OK : DF_AUTHENTICATION_ERROR);
    }
    assert_int_equal(apdu(b, "00B0820001"), SCRIP_SW_SECURITY);
}

static void open_session(struct bench *b)
{
    login(b, 0);
    b->comm = SCRIP_DESFIRE_PLAIN;
}

static void refusals_of_sdm_settings(void **state)
{
    struct bench *b = *state;
    given_session(b);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 00 EEEE 600000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_BACKUP_DATA_FILE, "03 00 EEEE 600000"), DF_OK);
    const struct refusal rows[] = {
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C0 FEEF 000000 200000", DF_PARAMETER_ERROR}, /* not ASCII */
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 FFEF 000000 0D0000", DF_PARAMETER_ERROR}, /* overlap */
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 FFEF 530000 000000", DF_PARAMETER_ERROR}, /* past the end */
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 FFEF FFFFFF 000000", DF_PARAMETER_ERROR},
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 FFE7 000000 200000", DF_LENGTH_ERROR}, /* key 7: a MAC is due */
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 F7E7 000000 100000 200000 200000", DF_PARAMETER_ERROR}, /* no key 7 */
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE 51 F1E1 000000 200000 200000 200000 400000", DF_PARAMETER_ERROR},
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE D1 F1E1 000000 0E0000 140000 140000 100000 400000",
         DF_PARAMETER_ERROR}, /* not a multiple of 32 */
        {CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 FFEF 000000", DF_LENGTH_ERROR},
        {CMD_CHANGE_FILE_SETTINGS, "03 40 EEEE C1 FFEF 000000 200000", DF_PARAMETER_ERROR}, /* a backup file */
    };
    check_refusals(b, open_session, rows, sizeof rows / sizeof rows[0]);
    open_session(b);
    b->comm = SCRIP_DESFIRE_FULL;
    assert_df(ask(b, CMD_GET_FILE_COUNTERS, "02"), DF_PERMISSION_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(a_phone_reads_the_ndef_file),
        EV1_TEST(a_phone_reads_the_ndef_file),
        EV3_TEST(status_words_of_the_standard_commands),
        EV3_TEST(native_and_wrapped_frames_mix),
        EV3_TEST(extended_lengths_carry_more),
        EV3_TEST(protected_files_are_closed_to_everybody),
        EV2_TEST(records_by_iso_commands_wait_for_the_commit),
        EV3_TEST(a_used_up_counter_is_told_at_selection),
        EV3_TEST(the_published_sdm_mac_comes_out),
        EV3_TEST(plain_mirrors_show_uid_and_counter),
        EV3_TEST(enciphered_file_data_opens_at_the_back_office),
        EV3_TEST(the_read_counter_has_a_limit),
        EV3_TEST(refusals_of_sdm_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
