#include "bench.h"

/* Rights of the file (R W RW C as on the wire), the key of the session (or none), what a read must answer, and in which
 * mode: the decision table of the protocol page, row by row. */
static const struct decision {
    const char *rights;
    int key; /* -1: no session */
    uint8_t status;
    uint8_t comm;
} decisions[] = {
    {"3012", 1, DF_OK, SCRIP_DESFIRE_FULL},   /* named by Read */
    {"3012", 3, DF_OK, SCRIP_DESFIRE_FULL},   /* named by ReadWrite */
    {"3012", 2, DF_AUTHENTICATION_ERROR, 0},  /* Write alone does not read */
    {"3012", 0, DF_AUTHENTICATION_ERROR, 0},  /* not even the master key */
    {"3012", -1, DF_AUTHENTICATION_ERROR, 0}, /* nobody */
    {"30E2", 4, DF_OK, SCRIP_DESFIRE_PLAIN},  /* free is plain, even inside a session */
    {"30E2", -1, DF_OK, SCRIP_DESFIRE_PLAIN}, /* and without one */
    {"30E2", 3, DF_OK, SCRIP_DESFIRE_FULL},   /* unless a right names the key of the session */
    {"E012", 1, DF_OK, SCRIP_DESFIRE_FULL},   /* the named key goes before free */
    {"E0FF", 1, DF_OK, SCRIP_DESFIRE_PLAIN},  /* ReadWrite free */
    {"F0F1", 1, DF_PERMISSION_DENIED, 0},     /* all never */
    {"F0F1", -1, DF_PERMISSION_DENIED, 0},    {"20F1", 1, DF_AUTHENTICATION_ERROR, 0}, /* one could */
};

static void decide(struct bench *b, const struct decision *row, const char *params)
{
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    if (row->key >= 0) {
        login(b, (uint8_t)row->key);
    }
    b->comm = row->comm;
    const uint8_t status = ask(b, CMD_READ_DATA, params);
    if (status != row->status) {
        fail_msg("rights %s, key %d: %02X, not %02X", row->rights, row->key, status, row->status);
    }
}

static void reading_follows_the_decision_table(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 5);
    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        char params[32] = "01 03 ";
        strcat(params, decisions[i].rights);
        strcat(params, " 080000");
        assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
        assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, params), DF_OK);
        decide(b, &decisions[i], "01 000000 000000");
        assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
        assert_df(ask(b, CMD_DELETE_FILE, "01"), DF_OK);
    }
}

/* Every command of mode FILE looks for its file, and has a rule for its types. */
static void every_file_command_has_a_rule(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 1);
    for (uint8_t type = FILE_STANDARD; type <= FILE_CYCLIC; type++) {
        static const char *const create[] = {"00 00 EEEE 100000", "01 00 EEEE 100000",
                                             "02 00 EEEE 00000000 64000000 0A000000 01", "03 00 EEEE 040000 030000",
                                             "04 00 EEEE 040000 030000"};
        static const uint8_t codes[] = {CMD_CREATE_STD_DATA_FILE, CMD_CREATE_BACKUP_DATA_FILE, CMD_CREATE_VALUE_FILE,
                                        CMD_CREATE_LINEAR_RECORD_FILE, CMD_CREATE_CYCLIC_RECORD_FILE};
        assert_df(ask(b, codes[type], create[type]), DF_OK);
    }
    b->comm = SCRIP_DESFIRE_PLAIN;
    for (size_t i = 0; scrip_desfire_command_at(i) != NULL; i++) {
        const struct scrip_desfire_command *row = scrip_desfire_command_at(i);
        bool allowed = row->comm != SCRIP_DESFIRE_COMM_FILE;
        for (uint8_t type = FILE_STANDARD; type <= FILE_CYCLIC && !allowed; type++) {
            uint8_t params[16] = {type};
            if (row->data_min > 0 && row->header_len > 1) {
                params[row->header_len - 3] = 1; /* length 1 */
            }
            const size_t data_len = row->data_min < 4 ? row->data_min : 4;
            allowed =
                ask_bytes(b, row->opcode, scrip_bytes(params, row->header_len + data_len)) != DF_PERMISSION_DENIED;
        }
        if (!allowed) {
            fail_msg("%02X %s works on no type of file", row->opcode, row->name);
        }
    }
}

static void any_of_eight_sets_may_grant(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 10);
    login(b, 0);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 83 F0FF 080000"), DF_OK); /* announced, not given yet */
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "01"), DF_OK);
    assert_data(b, "00 83 F0FF 080000 00");
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 83 F0FF 07 1FFF 2FFF 3FFF 4FFF FF5F FFF6 7FFF"), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "01"), DF_OK);
    assert_data(b, "00 83 F0FF 080000 07 1FFF 2FFF 3FFF 4FFF FF5F FFF6 7FFF");
    for (uint8_t key = 1; key <= 7; key++) {
        const bool reads = key != 6;
        const bool writes = key != 5;
        login(b, key);
        assert_df(ask(b, CMD_READ_DATA, "01 000000 010000"), reads ? DF_OK : DF_AUTHENTICATION_ERROR);
        login(b, key);
        assert_df(ask(b, CMD_WRITE_DATA, "01 000000 010000 11"), writes ? DF_OK : DF_AUTHENTICATION_ERROR);
    }
    login(b, 8);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 010000"), DF_AUTHENTICATION_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 03 F0FF"), DF_OK); /* without the option they are gone */
    login(b, 1);
    assert_df(ask(b, CMD_READ_DATA, "01 000000 010000"), DF_PERMISSION_DENIED);
}

static void gate_and_server_have_sets_of_their_own(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "03 83 F01F 00000000 E8030000 64000000 00"), DF_OK);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "03 83 F01F 01 4F44"), DF_OK); /* key 1 debits, key 4 all */
    login(b, 1);
    assert_df(do_debit(b, 3, 10), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(do_credit(b, 3, 10), DF_AUTHENTICATION_ERROR);
    login(b, 4);
    assert_df(do_credit(b, 3, 10), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 100);
}

static void the_change_right_decides_about_settings(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 5);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03 EEEE 080000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 03 EFEE 080000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "03 03 E2EE 080000"), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 00 EEEE"), DF_OK); /* free: plain, no session */
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "02 00 EEEE"), DF_PERMISSION_DENIED);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "03 00 EEEE"), DF_AUTHENTICATION_ERROR);
    login(b, 1);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "01 01 EEEE"), DF_OK); /* plain even inside a session */
    b->comm = SCRIP_DESFIRE_FULL;
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "03 00 EEEE"), DF_AUTHENTICATION_ERROR);
    login(b, 2);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "03 01 E2E1"), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "03"), DF_OK);
    assert_data(b, "00 01 E2E1 080000");
}

static void login_2(struct bench *b)
{
    login(b, 2);
}

static void settings_that_make_no_sense_are_refused(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 5);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "03 03 E2EE 080000"), DF_OK);
    const struct refusal rows[] = {
        {CMD_CHANGE_FILE_SETTINGS, "03 03 E2E5", DF_PARAMETER_ERROR},          /* key 5 of 5 */
        {CMD_CHANGE_FILE_SETTINGS, "03 83 E2EE 01 5FFF", DF_PARAMETER_ERROR},  /* in a further set */
        {CMD_CHANGE_FILE_SETTINGS, "03 83 E2EE 08 FFFF", DF_PARAMETER_ERROR},  /* nine sets */
        {CMD_CHANGE_FILE_SETTINGS, "03 83 E2EE 02 FFFF", DF_LENGTH_ERROR},     /* one is missing */
        {CMD_CHANGE_FILE_SETTINGS, "03 83 E2EE", DF_LENGTH_ERROR},             /* the number is missing */
        {CMD_CHANGE_FILE_SETTINGS, "03 03 E2EE 00", DF_LENGTH_ERROR},          /* too much */
        {CMD_CHANGE_FILE_SETTINGS, "03 23 E2EE 00000000", DF_PARAMETER_ERROR}, /* a limit for a data file */
        {CMD_CHANGE_FILE_SETTINGS, "03 07 E2EE", DF_PARAMETER_ERROR},          /* reserved bit */
        {CMD_CHANGE_FILE_SETTINGS, "09 03 E2EE", DF_FILE_NOT_FOUND},
    };
    check_refusals(b, login_2, rows, sizeof rows / sizeof rows[0]);
}

static void ev1_knows_no_further_sets(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 5);
    const struct refusal rows[] = {
        {CMD_CREATE_STD_DATA_FILE, "01 83 0000 080000", DF_PARAMETER_ERROR},
        {CMD_CREATE_STD_DATA_FILE, "01 43 0000 080000", DF_PARAMETER_ERROR},
    };
    check_refusals(b, login_0, rows, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV1_TEST(reading_follows_the_decision_table),      EV3_TEST(reading_follows_the_decision_table),
        EV3_TEST(every_file_command_has_a_rule),           EV3_TEST(any_of_eight_sets_may_grant),
        EV2_TEST(gate_and_server_have_sets_of_their_own),  EV3_TEST(the_change_right_decides_about_settings),
        EV3_TEST(settings_that_make_no_sense_are_refused), EV1_TEST(ev1_knows_no_further_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
