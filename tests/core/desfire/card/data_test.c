#include "bench.h"

static const uint8_t modes[] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL};

static void fill(uint8_t *at, size_t len, uint8_t seed)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(seed + 7 * i);
    }
}

/* Write and read back `len` bytes of file `no` with the given codes. */
static void round_trip(struct bench *b, uint8_t write, uint8_t read, uint8_t no, uint16_t len)
{
    uint8_t params[7 + 1000] = {no, 3, 0, 0, (uint8_t)len, (uint8_t)(len >> 8), 0};
    uint8_t header[7];

    memcpy(header, params, sizeof header);
    fill(params + 7, len, (uint8_t)(no + len));
    assert_df(ask_bytes(b, write, scrip_bytes(params, 7U + len)), DF_OK);
    if (no >= 10) {
        assert_df(do_commit(b), DF_OK);
    }
    assert_df(ask_bytes(b, read, SCRIP_BYTES_OF(header)), DF_OK);
    assert_int_equal(b->len, len);
    assert_memory_equal(b->data, params + 7, len);
    memset(header + 1, 0, 6);
    assert_df(ask_bytes(b, read, SCRIP_BYTES_OF(header)), DF_OK); /* length 0: all of it */
    assert_int_equal(b->len, 1003);
    assert_memory_equal(b->data + 3, params + 7, len);
}

/* One file for each mode: standard 1..3, backup 11..13. */
static void given_data_files(struct bench *b)
{
    for (uint8_t i = 0; i < 3; i++) {
        const uint8_t std[] = {(uint8_t)(1 + i), modes[i], 0, 0, 0xEB, 0x03, 0};
        const uint8_t backup[] = {(uint8_t)(11 + i), modes[i], 0, 0, 0xEB, 0x03, 0};
        assert_df(ask_bytes(b, CMD_CREATE_STD_DATA_FILE, SCRIP_BYTES_OF(std)), DF_OK);
        assert_df(ask_bytes(b, CMD_CREATE_BACKUP_DATA_FILE, SCRIP_BYTES_OF(backup)), DF_OK);
    }
}

static void every_mode(struct bench *b, bool long_frames)
{
    static const uint16_t lengths[] = {1, 15, 16, 59, 200, 1000};
    for (uint8_t i = 0; i < 3; i++) {
        b->comm = modes[i];
        for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; n++) {
            round_trip(b, CMD_WRITE_DATA, CMD_READ_DATA, (uint8_t)(1 + i), lengths[n]);
            round_trip(b, CMD_WRITE_DATA, CMD_READ_DATA, (uint8_t)(11 + i), lengths[n]);
            if (long_frames) {
                round_trip(b, CMD_WRITE_DATA_ISO, CMD_READ_DATA_ISO, (uint8_t)(1 + i), lengths[n]);
                round_trip(b, CMD_WRITE_DATA_ISO, CMD_READ_DATA_ISO, (uint8_t)(11 + i), lengths[n]);
            }
        }
    }
}

static void data_round_trips_in_every_mode_of_ev2(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_data_files(b);
    every_mode(b, true);
    b->framing = WRAPPED;
    assert_df(ask(b, CMD_GET_VERSION, ""), DF_OK);
    for (uint8_t i = 0; i < 3; i++) {
        b->comm = modes[i];
        round_trip(b, CMD_WRITE_DATA, CMD_READ_DATA, (uint8_t)(1 + i), 300);
    }
}

static void data_round_trips_in_every_mode_of_ev1_aes(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 2);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY), DF_OK);
    given_data_files(b);
    every_mode(b, false);
}

static void given_des_app(struct bench *b, const char *ks2)
{
    char params[16] = AID "0F";
    strcat(params, ks2);
    assert_df(ask(b, CMD_CREATE_APPLICATION, params), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
}

static void data_round_trips_in_every_mode_of_ev1_des(void **state)
{
    struct bench *b = *state;
    given_des_app(b, "02");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
    given_data_files(b);
    every_mode(b, false);
}

static void data_round_trips_in_every_mode_of_ev1_3k3des(void **state)
{
    struct bench *b = *state;
    given_des_app(b, "42");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY "0000000000000000"), DF_OK);
    given_data_files(b);
    every_mode(b, false);
}

static void data_round_trips_in_every_mode_of_d40(void **state)
{
    struct bench *b = *state;
    given_des_app(b, "02");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, "0000000000000000"), DF_OK);
    given_data_files(b);
    every_mode(b, false);
}

static void given_lrp(struct bench *b)
{
    const struct scrip_desfire_key aes = {.cipher = SCRIP_AES128};
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
    assert_df(change_key_to(b, CMD_CHANGE_KEY, "80", &aes, NULL), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY), DF_OK);
    given_app(b, 0x0F, 2);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
    /* the switch is answered without a MAC: look at the bare frame */
    uint8_t bytes[64] = {CMD_SET_CONFIGURATION};
    struct scrip_buf command = {.at = bytes, .len = 1, .cap = sizeof bytes};
    struct scrip_buf rsp = SCRIP_BUF_OF(b->data);
    const struct scrip_desfire_protection full = {.comm = SCRIP_DESFIRE_FULL, .settings = true};
    struct scrip_desfire_expect expect;
    assert_ok(scrip_desfire_sm_wrap_command(&b->session, &full, CMD_SET_CONFIGURATION, scrip_bytes("\x05", 1),
                                            scrip_bytes("\0\0\0\0\x02\0\0\0\0\0", 10), &command, &expect));
    assert_ok(scrip_desfire_card_apdu(&b->card, scrip_buf_bytes(&command), &rsp));
    assert_hex(scrip_buf_bytes(&rsp), "00");
    scrip_desfire_sm_end(&b->session);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
}

static void data_round_trips_in_every_mode_of_lrp(void **state)
{
    struct bench *b = *state;
    given_lrp(b);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_PERMISSION_DENIED);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY), DF_PERMISSION_DENIED);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_LRP, 0, ZERO_KEY), DF_OK);
    given_data_files(b);
    every_mode(b, true);
    assert_df(authenticate_again(b, 1, ZERO_KEY), DF_OK);
    assert_df(authenticate_again(b, 0, ZERO_KEY), DF_OK);
    every_mode(b, true);
}

/* With LRP on, PICCData is 24 bytes: the random number that its counter starts from, then one block. */
static void lrp_mirrors_open_at_the_back_office(void **state)
{
    struct bench *b = *state;
    const uint8_t zero[16] = {0};
    uint8_t picc[24];
    uint8_t mac[16];
    uint8_t wanted[8];
    uint8_t got[8];
    uint8_t master[16];
    char hex[49];
    struct scrip_lrp lrp;
    uint8_t vector[16] = {0x00, 0x01, 0x00, 0x80};

    given_lrp(b);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_LRP, 0, ZERO_KEY), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 00 EEEE 400000"), DF_OK);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 F111 000000 000000 200000"), DF_PARAMETER_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_LRP, 0, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 40 EEEE C1 F111 000000 000000 300000"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "02 000000 000000"), DF_OK);

    memcpy(hex, b->data, 48);
    hex[48] = '\0';
    (void)from_hex(hex, picc, sizeof picc);
    scrip_lrp_init(&lrp, zero, 1);
    scrip_lrp_icb(&lrp, 0, picc, 8, false, 1, picc + 8, picc + 8);
    assert_hex(scrip_bytes(picc + 8, 16), "C7 045B2C8A916E80 010000 0000000000");

    memcpy(vector + 4, b->card.identity.uid, 7);
    vector[11] = 1;
    vector[14] = 0x1E;
    vector[15] = 0xE1;
    scrip_lrp_cmac(&lrp, 0, SCRIP_BYTES_OF(vector), master);
    scrip_lrp_init(&lrp, master, 2);
    scrip_lrp_cmac(&lrp, 0, scrip_bytes(b->data, 48), mac);
    scrip_mact(mac, wanted);
    memcpy(hex, b->data + 48, 16);
    hex[16] = '\0';
    (void)from_hex(hex, got, sizeof got);
    assert_memory_equal(got, wanted, 8);
}

static void backup_files_show_the_old_until_commit(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_BACKUP_DATA_FILE, "01 03 0000 640000"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "01 000000 030000 010203"), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 030000"), DF_OK);
    assert_data(b, "000000");
    assert_df(ask(b, CMD_WRITE_DATA, "01 020000 020000 AABB"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 050000"), DF_OK);
    assert_data(b, "0102AABB00");
    assert_df(ask(b, CMD_WRITE_DATA, "01 630000 010000 FF"), DF_OK);
    assert_df(do_abort(b), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "01 000000 010000 EE"), DF_OK); /* the aborted byte does not come back */
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 630000 010000"), DF_OK);
    assert_data(b, "00");
    assert_df(ask(b, CMD_READ_DATA, "01 000000 040000"), DF_OK);
    assert_data(b, "EE02AABB");
}

static void refusals_of_data_files(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03 0000 200000"), DF_OK);
    given_value_file(b, 3, 0, 1, 0);
    const struct refusal rows[] = {
        {CMD_READ_DATA, "01 200000 000000", DF_BOUNDARY_ERROR},
        {CMD_READ_DATA, "01 000000 210000", DF_BOUNDARY_ERROR},
        {CMD_READ_DATA, "01 010000 200000", DF_BOUNDARY_ERROR},
        {CMD_READ_DATA, "01 FFFFFF FFFFFF", DF_BOUNDARY_ERROR},
        {CMD_READ_DATA, "03 000000 010000", DF_PERMISSION_DENIED},
        {CMD_READ_DATA, "02 000000 010000", DF_FILE_NOT_FOUND},
        {CMD_WRITE_DATA, "01 200000 010000 00", DF_BOUNDARY_ERROR},
        {CMD_WRITE_DATA, "01 FFFFFF 010000 00", DF_BOUNDARY_ERROR},
        {CMD_WRITE_DATA, "01 000000 000000", DF_PARAMETER_ERROR},
        {CMD_WRITE_DATA, "01 000000 010000 0000", DF_LENGTH_ERROR},
        {CMD_WRITE_DATA_ISO, "01 000000 020000 00", DF_LENGTH_ERROR},
        {CMD_WRITE_DATA, "03 000000 010000 00", DF_PERMISSION_DENIED},
        {CMD_CREATE_STD_DATA_FILE, "01 03 0000 200000", DF_DUPLICATE_ERROR},
        {CMD_CREATE_STD_DATA_FILE, "02 03 0000 000000", DF_PARAMETER_ERROR},
        {CMD_CREATE_STD_DATA_FILE, "20 03 0000 010000", DF_PARAMETER_ERROR},
        {CMD_CREATE_STD_DATA_FILE, "02 03 0050 010000", DF_PARAMETER_ERROR},
        {CMD_CREATE_STD_DATA_FILE, "02 13 0000 010000", DF_PARAMETER_ERROR},
        {CMD_CREATE_STD_DATA_FILE, "02 03 0000 FFFF00", DF_OUT_OF_EEPROM},
        {CMD_CREATE_STD_DATA_FILE, "02 03 0000 FFFFFF", DF_OUT_OF_EEPROM},
        {CMD_CREATE_BACKUP_DATA_FILE, "02 03 0000 801400", DF_OUT_OF_EEPROM},
        {CMD_CREATE_STD_DATA_FILE, "02 01E1 03 0000 010000", DF_LENGTH_ERROR},
        {CMD_DELETE_FILE, "02", DF_FILE_NOT_FOUND},
        {CMD_CREATE_VALUE_FILE, "04 03 0000 05000000 04000000 05000000 00", DF_PARAMETER_ERROR},
        {CMD_CREATE_VALUE_FILE, "04 03 0000 05000000 06000000 04000000 00", DF_PARAMETER_ERROR},
        {CMD_CREATE_VALUE_FILE, "04 03 0000 05000000 06000000 07000000 00", DF_PARAMETER_ERROR},
        {CMD_CREATE_VALUE_FILE, "04 03 0000 00000000 06000000 00000000 04", DF_PARAMETER_ERROR},
    };
    check_refusals(b, login_0, rows, sizeof rows / sizeof rows[0]);
}

static void a_refused_chained_write_leaves_the_file(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 200000"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    const uint32_t before = memory_sum(b);
    assert_df(frame(b, "3D 01 000000 040000 01"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "AF 02"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "AF 030405"), DF_LENGTH_ERROR); /* one byte too many */
    assert_int_equal(memory_sum(b), before);
    assert_df(frame(b, "3D 01 000000 040000"), DF_ADDITIONAL_FRAME); /* the header alone */
    assert_df(frame(b, "AF 0102"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "BD 01 000000 000000"), DF_COMMAND_ABORTED); /* and not executed */
    assert_int_equal(memory_sum(b), before);
    assert_df(frame(b, "AF 0304"), DF_ILLEGAL_COMMAND); /* nothing goes on */
    assert_df(frame(b, "3D 01 000000 040000 01"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "AF 020304"), DF_OK);
    assert_df(frame(b, "BD 01 000000 050000"), DF_OK);
    assert_data(b, "0102030400");
}

static void a_wrong_mac_in_a_chained_write_leaves_the_file(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 01 0000 200000"), DF_OK);
    const uint32_t before = memory_sum(b);
    assert_df(frame(b, "3D 01 000000 040000 0102"), DF_ADDITIONAL_FRAME);
    assert_df(frame(b, "AF 0304 0000000000000000"), DF_INTEGRITY_ERROR);
    assert_int_equal(memory_sum(b), before);
    assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
}

/* Frame sizes of a genuine EV3 with FSC 64, and of one with big frames. */
static void response_frames_fit_the_ats(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE E80300"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->first_frame, 59);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV1, 0, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->first_frame, 48);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "02 06 78 77 71 02 80"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->first_frame, 251);
    b->framing = WRAPPED;
    assert_df(ask(b, CMD_READ_DATA, "01 000000 000000"), DF_OK);
    assert_int_equal(b->len, 1000);
}

static void a_single_long_response_must_fit_its_apdu(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 01 0000 E80300"), DF_OK);
    b->framing = WRAPPED;
    b->comm = SCRIP_DESFIRE_MAC;
    assert_df(ask(b, CMD_READ_DATA_ISO, "01 000000 F80000"), DF_OK); /* 248 and the MAC */
    assert_df(ask(b, CMD_READ_DATA_ISO, "01 000000 F90000"), DF_LENGTH_ERROR);
    b->framing = NATIVE;
    login(b, 0);
    assert_df(ask(b, CMD_READ_DATA_ISO, "01 000000 E80300"), DF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(data_round_trips_in_every_mode_of_ev2),
        EV1_TEST(data_round_trips_in_every_mode_of_ev1_aes),
        EV1_TEST(data_round_trips_in_every_mode_of_ev1_des),
        EV3_TEST(data_round_trips_in_every_mode_of_ev1_3k3des),
        EV3_TEST(data_round_trips_in_every_mode_of_d40),
        EV3_TEST(data_round_trips_in_every_mode_of_lrp),
        EV3_TEST(lrp_mirrors_open_at_the_back_office),
        EV3_TEST(backup_files_show_the_old_until_commit),
        EV3_TEST(refusals_of_data_files),
        EV3_TEST(a_refused_chained_write_leaves_the_file),
        EV3_TEST(a_wrong_mac_in_a_chained_write_leaves_the_file),
        EV3_TEST(response_frames_fit_the_ats),
        EV3_TEST(a_single_long_response_must_fit_its_apdu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
