#include "bench.h"

static void credit_past_the_upper_limit_changes_nothing(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 100, 90);

    assert_df(do_credit(b, 3, 11), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(do_credit(b, 3, 10), DF_OK);
    assert_int_equal(value_of(b, 3), 90); /* not before the commit */
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 100);
}

static void changes_of_one_transaction_add_up(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, -50, 100, 0);

    assert_df(do_credit(b, 3, 100), DF_OK);
    assert_df(do_debit(b, 3, 130), DF_OK);
    assert_df(do_credit(b, 3, 5), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), -25);
}

static void every_step_must_stay_within_the_limits(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 100, 60);

    assert_df(do_credit(b, 3, 41), DF_BOUNDARY_ERROR); /* though a debit could have followed */
    login(b, 0);
    assert_df(do_debit(b, 3, 61), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(do_debit(b, 3, 30), DF_OK);
    assert_df(do_debit(b, 3, 31), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(do_commit(b), DF_NO_CHANGES); /* the error took the pending debit along */
    assert_int_equal(value_of(b, 3), 60);
}

static void the_extremes_do_not_overflow(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, INT32_MIN, INT32_MAX, INT32_MAX);

    assert_df(do_credit(b, 3, 1), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(do_debit(b, 3, INT32_MAX), DF_OK);
    assert_df(do_debit(b, 3, INT32_MAX), DF_OK);
    assert_df(do_debit(b, 3, 1), DF_OK);
    assert_df(do_debit(b, 3, 1), DF_BOUNDARY_ERROR);
}

static void a_negative_amount_is_no_way_around(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 100, 50);
    const struct refusal rows[] = {
        {CMD_CREDIT, "03 FFFFFFFF", DF_PARAMETER_ERROR}, {CMD_DEBIT, "03 FFFFFFFF", DF_PARAMETER_ERROR},
        {CMD_DEBIT, "03 00000080", DF_PARAMETER_ERROR},  {CMD_LIMITED_CREDIT, "03 FFFFFFFF", DF_PARAMETER_ERROR},
        {CMD_CREDIT, "04 01000000", DF_FILE_NOT_FOUND},
    };
    check_refusals(b, login_0, rows, sizeof rows / sizeof rows[0]);
    login(b, 0);
    assert_int_equal(value_of(b, 3), 50);
}

/* The script that libfreefare plays with genuine cards. */
static void published_value_script(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "04 00 EEEE 00000000 E8030000 00000000 00"), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN; /* free rights */

    assert_df(do_credit(b, 4, 100), DF_OK);
    assert_df(do_debit(b, 4, 97), DF_OK);
    assert_int_equal(value_of(b, 4), 0);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 4), 3);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "04"), DF_OK);
    assert_data(b, "02 00 EEEE 00000000 E8030000 61000000 00");
    assert_df(do_limited_credit(b, 4, 20), DF_PERMISSION_DENIED);
}

static void limited_credit_gives_back_once_what_debits_took(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 1000, 500);

    assert_df(do_limited_credit(b, 3, 1), DF_BOUNDARY_ERROR); /* nothing was debited */
    login(b, 0);
    assert_df(do_debit(b, 3, 60), DF_OK);
    assert_df(do_debit(b, 3, 40), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(do_credit(b, 3, 7), DF_OK);
    assert_df(do_commit(b), DF_OK); /* a credit leaves the limit as it is */
    assert_df(do_limited_credit(b, 3, 101), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(do_limited_credit(b, 3, 30), DF_OK);
    assert_df(do_limited_credit(b, 3, 30), DF_BOUNDARY_ERROR); /* consumed within the transaction */
    login(b, 0);
    assert_df(do_limited_credit(b, 3, 30), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 437);
    assert_df(do_limited_credit(b, 3, 1), DF_BOUNDARY_ERROR); /* the rest is gone too */
}

static void who_reads_may_debit_but_not_credit(void **state)
{
    struct bench *b = *state;
    given_purse(b, false);

    login(b, 1);
    assert_df(do_debit(b, 3, 34), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 1200);
    assert_df(do_credit(b, 3, 1), DF_AUTHENTICATION_ERROR);
    login(b, 1);
    assert_df(do_limited_credit(b, 3, 0), DF_AUTHENTICATION_ERROR);
    login(b, 3);
    assert_df(do_credit(b, 3, 2000), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 3200);
    login(b, 2);
    assert_df(ask(b, CMD_GET_VALUE, "03"), DF_AUTHENTICATION_ERROR);
}

static void free_get_value_is_plain_for_everybody(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "03 03 1112 00000000 E8030000 2A000000 02"), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN; /* key 0 has no right, but everybody may */
    assert_int_equal(value_of(b, 3), 42);
    b->comm = SCRIP_DESFIRE_FULL;
    login(b, 1);
    assert_int_equal(value_of(b, 3), 42);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    assert_int_equal(value_of(b, 3), 42);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(do_debit(b, 3, 1), DF_AUTHENTICATION_ERROR);
}

static void restore_transfer_takes_the_value_over(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 100, 90);
    given_value_file(b, 4, 0, 100, 10);
    given_value_file(b, 5, 0, 50, 10);

    assert_df(ask(b, CMD_RESTORE_TRANSFER, "04 03"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 4), 90);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "05 03"), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "03 03"), DF_PERMISSION_DENIED);
}

static void all_messagings_and_modes_move_value(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 5);
    static const char *const create[] = {"01 00 0000 00000000 64000000 0A000000 00",
                                         "02 01 0000 00000000 64000000 0A000000 00",
                                         "03 03 0000 00000000 64000000 0A000000 00"};
    static const uint8_t modes[] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL};
    for (size_t i = 0; i < 3; i++) {
        assert_df(ask(b, CMD_CREATE_VALUE_FILE, create[i]), DF_OK);
    }
    for (int sm = SCRIP_DESFIRE_SM_EV1; sm <= SCRIP_DESFIRE_SM_EV2; sm++) {
        for (uint8_t no = 1; no <= 3; no++) {
            assert_df(authenticate(b, (enum scrip_desfire_sm)sm, 0, ZERO_KEY), DF_OK);
            b->comm = modes[no - 1];
            const int32_t before = value_of(b, no);
            assert_df(do_credit(b, no, 5), DF_OK);
            assert_df(do_debit(b, no, 2), DF_OK);
            assert_df(do_commit(b), DF_OK);
            assert_int_equal(value_of(b, no), before + 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(credit_past_the_upper_limit_changes_nothing),
        EV3_TEST(changes_of_one_transaction_add_up),
        EV3_TEST(every_step_must_stay_within_the_limits),
        EV3_TEST(the_extremes_do_not_overflow),
        EV3_TEST(a_negative_amount_is_no_way_around),
        EV1_TEST(published_value_script),
        EV2_TEST(published_value_script),
        EV3_TEST(limited_credit_gives_back_once_what_debits_took),
        EV1_TEST(who_reads_may_debit_but_not_credit),
        EV2_TEST(who_reads_may_debit_but_not_credit),
        EV3_TEST(free_get_value_is_plain_for_everybody),
        EV3_TEST(restore_transfer_takes_the_value_over),
        EV3_TEST(all_messagings_and_modes_move_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
