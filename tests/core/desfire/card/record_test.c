#include "bench.h"
#include <stdio.h>

#define CYCLIC "02 03 0000 040000 0A0000"
#define LINEAR "01 03 0000 040000 030000"

static uint8_t write_byte(struct bench *b, uint8_t no, uint8_t byte)
{
    const uint8_t params[] = {no, 0, 0, 0, 4, 0, 0, byte, byte, byte, byte};
    return ask_bytes(b, CMD_WRITE_RECORD, SCRIP_BYTES_OF(params));
}

static void append(struct bench *b, uint8_t no, uint8_t byte)
{
    assert_df(write_byte(b, no, byte), DF_OK);
    assert_df(do_commit(b), DF_OK);
}

/* A cyclic file of ten shows nine [libfreefare's tests with genuine cards]. */
static void a_cyclic_file_shows_one_record_less_than_it_has(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, CYCLIC), DF_OK);
    for (uint8_t i = 1; i <= 12; i++) {
        append(b, 2, i);
    }
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "02"), DF_OK);
    assert_data(b, "04 03 0000 040000 0A0000 090000");
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 010000"), DF_OK);
    assert_data(b, "0C0C0C0C");
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 000000"), DF_OK); /* all, oldest first */
    assert_data(b, "04040404 05050505 06060606 07070707 08080808 09090909 0A0A0A0A 0B0B0B0B 0C0C0C0C");
    assert_df(ask(b, CMD_READ_RECORDS, "02 020000 030000"), DF_OK); /* from the third newest towards older ones */
    assert_data(b, "08080808 09090909 0A0A0A0A");
    assert_df(ask(b, CMD_READ_RECORDS, "02 080000 000000"), DF_OK);
    assert_data(b, "04040404");
    assert_df(ask(b, CMD_READ_RECORDS, "02 080000 020000"), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_READ_RECORDS, "02 090000 000000"), DF_BOUNDARY_ERROR);
}

static void writes_of_one_transaction_complete_one_record(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, CYCLIC), DF_OK);
    assert_df(ask(b, CMD_WRITE_RECORD, "02 020000 020000 7878"), DF_OK);
    assert_df(ask(b, CMD_WRITE_RECORD, "02 000000 020000 722E"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 010000"), DF_OK);
    assert_data(b, "722E7878");
    assert_df(ask(b, CMD_WRITE_RECORD, "02 010000 010000 FF"), DF_OK); /* a new record starts with zeros */
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 010000"), DF_OK);
    assert_data(b, "00FF0000");
}

static void a_record_in_a_used_slot_starts_with_zeros(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 03 0000 040000 020000"), DF_OK);
    for (uint8_t i = 1; i <= 3; i++) {
        append(b, 2, i); /* both slots hold something by now */
    }
    assert_df(ask(b, CMD_WRITE_RECORD, "02 010000 010000 FF"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 000000"), DF_OK);
    assert_data(b, "00FF0000");
}

static void a_commit_happens_once(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, LINEAR), DF_OK);
    append(b, 1, 1);
    assert_df(do_commit(b), DF_NO_CHANGES);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK);
    assert_data(b, "01010101");
}

static void pending_records_are_not_seen_and_abort_forgets_them(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, CYCLIC), DF_OK);
    assert_df(write_byte(b, 2, 1), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 000000"), DF_BOUNDARY_ERROR); /* empty file */
    login(b, 0);
    assert_df(write_byte(b, 2, 2), DF_OK);
    assert_df(do_abort(b), DF_OK);
    assert_df(do_abort(b), DF_NO_CHANGES);
    assert_df(do_commit(b), DF_NO_CHANGES);
    append(b, 2, 3);
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 000000"), DF_OK);
    assert_data(b, "03030303");
}

static void a_full_linear_file_takes_no_more(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, LINEAR), DF_OK);
    for (uint8_t i = 1; i <= 3; i++) {
        append(b, 1, i);
    }
    assert_df(write_byte(b, 1, 4), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK);
    assert_data(b, "01010101 02020202 03030303");
}

static void clearing_happens_at_commit(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, LINEAR), DF_OK);
    append(b, 1, 1);
    assert_df(ask(b, CMD_CLEAR_RECORD_FILE, "01"), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK); /* still there */
    assert_df(do_abort(b), DF_OK);
    assert_df(ask(b, CMD_CLEAR_RECORD_FILE, "01"), DF_OK);
    assert_df(write_byte(b, 1, 2), DF_BOUNDARY_ERROR); /* refused, and it takes the clear along */
    login(b, 0);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK);
    assert_data(b, "01010101");
    assert_df(ask(b, CMD_CLEAR_RECORD_FILE, "01"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_BOUNDARY_ERROR);
    login(b, 0);
    append(b, 1, 9);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK);
    assert_data(b, "09090909");
}

static void update_changes_an_old_record_at_commit(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, LINEAR), DF_OK);
    append(b, 1, 1);
    append(b, 1, 2);
    append(b, 1, 3);
    assert_df(ask(b, CMD_UPDATE_RECORD, "01 010000 010000 020000 AABB"), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK);
    assert_data(b, "01010101 02020202 03030303");
    assert_df(ask(b, CMD_UPDATE_RECORD, "01 010000 000000 010000 CC"), DF_OK); /* the same record again */
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_READ_RECORDS, "01 000000 000000"), DF_OK);
    assert_data(b, "01010101 CCAABB02 03030303");
}

static void one_kind_of_change_per_record_file_and_transaction(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, CYCLIC), DF_OK);
    append(b, 2, 1);
    append(b, 2, 2);
    assert_df(write_byte(b, 2, 3), DF_OK);
    assert_df(ask(b, CMD_UPDATE_RECORD, "02 000000 000000 010000 CC"), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_UPDATE_RECORD, "02 000000 000000 010000 CC"), DF_OK);
    assert_df(write_byte(b, 2, 3), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_UPDATE_RECORD, "02 000000 000000 010000 CC"), DF_OK);
    assert_df(ask(b, CMD_UPDATE_RECORD, "02 010000 000000 010000 CC"), DF_BOUNDARY_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 000000"), DF_OK);
    assert_data(b, "01010101 02020202");
}

static void open_for_refusals(struct bench *b)
{
    login(b, 0);
}

static void refusals_of_record_files(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, CYCLIC), DF_OK);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "05 03 0000 100000"), DF_OK);
    append(b, 2, 1);
    const struct refusal rows[] = {
        {CMD_WRITE_RECORD, "02 010000 040000 01020304", DF_BOUNDARY_ERROR},
        {CMD_WRITE_RECORD, "02 050000 010000 01", DF_BOUNDARY_ERROR},
        {CMD_WRITE_RECORD, "02 FFFFFF 010000 01", DF_BOUNDARY_ERROR},
        {CMD_WRITE_RECORD, "02 000000 000000", DF_PARAMETER_ERROR},
        {CMD_WRITE_RECORD, "05 000000 010000 01", DF_PERMISSION_DENIED},
        {CMD_WRITE_RECORD, "07 000000 010000 01", DF_FILE_NOT_FOUND},
        {CMD_WRITE_RECORD, "FF 000000 010000 01", DF_FILE_NOT_FOUND},
        {CMD_UPDATE_RECORD, "02 010000 000000 010000 01", DF_BOUNDARY_ERROR},
        {CMD_UPDATE_RECORD, "02 000000 040000 010000 01", DF_BOUNDARY_ERROR},
        {CMD_READ_RECORDS, "02 010000 000000", DF_BOUNDARY_ERROR},
        {CMD_READ_RECORDS, "05 000000 000000", DF_PERMISSION_DENIED},
        {CMD_CLEAR_RECORD_FILE, "05", DF_PERMISSION_DENIED},
        {CMD_CLEAR_RECORD_FILE, "09", DF_FILE_NOT_FOUND},
        {CMD_CREATE_CYCLIC_RECORD_FILE, "03 03 0000 040000 010000", DF_PARAMETER_ERROR},
        {CMD_CREATE_CYCLIC_RECORD_FILE, "03 03 0000 000000 050000", DF_PARAMETER_ERROR},
        {CMD_CREATE_LINEAR_RECORD_FILE, "03 03 0000 040000 000000", DF_PARAMETER_ERROR},
        {CMD_CREATE_LINEAR_RECORD_FILE, "03 03 0000 000100 FF0000", DF_OUT_OF_EEPROM},
        {CMD_CREATE_LINEAR_RECORD_FILE, "03 03 0000 040000 FFFFFF", DF_OUT_OF_EEPROM},
    };
    check_refusals(b, open_for_refusals, rows, sizeof rows / sizeof rows[0]);
}

static void records_longer_than_a_page_survive(void **state)
{
    struct bench *b = *state;
    uint8_t params[7 + 200] = {2, 0, 0, 0, 200, 0, 0};
    given_session(b);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 03 0000 C80000 040000"), DF_OK);
    for (uint8_t i = 1; i <= 7; i++) {
        memset(params + 7, i, 200);
        assert_df(ask_bytes(b, CMD_WRITE_RECORD_ISO, SCRIP_BYTES_OF(params)), DF_OK);
        assert_df(do_commit(b), DF_OK);
    }
    assert_df(ask(b, CMD_READ_RECORDS, "02 000000 000000"), DF_OK);
    assert_int_equal(b->len, 600);
    for (size_t i = 0; i < 600; i++) {
        assert_int_equal(b->data[i], 5 + i / 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV1_TEST(a_cyclic_file_shows_one_record_less_than_it_has),
        EV3_TEST(a_cyclic_file_shows_one_record_less_than_it_has),
        EV1_TEST(writes_of_one_transaction_complete_one_record),
        EV3_TEST(a_record_in_a_used_slot_starts_with_zeros),
        EV3_TEST(a_commit_happens_once),
        EV3_TEST(pending_records_are_not_seen_and_abort_forgets_them),
        EV3_TEST(a_full_linear_file_takes_no_more),
        EV3_TEST(clearing_happens_at_commit),
        EV3_TEST(update_changes_an_old_record_at_commit),
        EV3_TEST(one_kind_of_change_per_record_file_and_transaction),
        EV3_TEST(refusals_of_record_files),
        EV3_TEST(records_longer_than_a_page_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
