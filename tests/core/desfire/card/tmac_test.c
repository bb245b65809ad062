#include "bench.h"
#include <stdio.h>

/* The card's true UID, as the back office knows it. */
static const uint8_t uid[7] = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80};
static const uint8_t app_key[16];

/* TMV that the back office computes for a TMI in hex. */
static void tmv_of(uint32_t tmc, const char *hex, uint8_t tmv[8])
{
    struct scrip_desfire_tmac_keys keys;
    uint8_t tmi[1024];
    const size_t len = from_hex(hex, tmi, sizeof tmi);
    assert_int_equal(len % 16, 0);
    scrip_desfire_tmac_keys(app_key, tmc, uid, &keys);
    scrip_desfire_tmv(&keys, scrip_bytes(tmi, len), tmv);
}

static void assert_committed(struct bench *b, uint32_t tmc, const char *tmi)
{
    uint8_t wanted[12];
    scrip_put_le32(wanted, tmc);
    tmv_of(tmc, tmi, wanted + 4);
    assert_int_equal(b->len, 12);
    assert_memory_equal(b->data, wanted, 12);
}

#define READER "000102030405060708090A0B0C0D0E0F"

/* CommitReaderID; gives the previous reader as the back office deciphers it. */
static void commit_reader(struct bench *b, uint32_t tmc, const char *reader, uint8_t enc[16], uint8_t previous[16])
{
    struct scrip_desfire_tmac_keys keys;
    assert_df(ask(b, CMD_COMMIT_READER_ID, reader), DF_OK);
    assert_int_equal(b->len, 16);
    memcpy(enc, b->data, 16);
    scrip_desfire_tmac_keys(app_key, tmc, uid, &keys);
    scrip_desfire_tmri_decrypt(&keys, enc, previous);
}

static void the_mac_covers_every_command_in_its_layout(void **state)
{
    struct bench *b = *state;
    uint8_t enc[16];
    uint8_t previous[16];
    char tmi[2048];
    char enc_hex[33];

    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "00 03 0000 200000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_BACKUP_DATA_FILE, "01 03 0000 200000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 03 0000 080000 050000"), DF_OK);
    given_value_file(b, 3, 0, 10000, 1234);
    assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, "04 03 0000 080000 050000"), DF_OK);
    assert_df(ask(b, CMD_WRITE_RECORD, "04 000000 080000 1122334455667788"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 000F 02" ZERO_KEY "00"), DF_OK);

    assert_df(ask(b, CMD_GET_VALUE, "03"), DF_OK);
    assert_df(ask(b, CMD_CREDIT, "03 D0070000"), DF_OK);
    assert_df(ask(b, CMD_DEBIT, "03 96000000"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA_ISO, "01 050000 140000 000102030405060708090A0B0C0D0E0F10111213"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "00 000000 020000 BEEF"), DF_OK);
    assert_df(ask(b, CMD_READ_DATA, "00 000000 000000"), DF_OK); /* length 0 counts as the true length */
    assert_df(ask(b, CMD_READ_RECORDS_ISO, "04 000000 000000"), DF_OK);
    assert_df(ask(b, CMD_UPDATE_RECORD_ISO, "04 000000 040000 020000 EEEE"), DF_OK);
    assert_df(ask(b, CMD_WRITE_RECORD, "02 000000 040000 AABBCCDD"), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "02"), DF_OK); /* no part of it */
    b->comm = SCRIP_DESFIRE_MAC;
    assert_df(ask(b, CMD_READ_DATA_ISO, "0F 000000 000000"), DF_OK); /* nor is the file itself */
    assert_data(b, "00000000 0000000000000000");
    commit_reader(b, 1, READER, enc, previous);
    for (size_t i = 0; i < 16; i++) {
        (void)snprintf(enc_hex + 2 * i, 3, "%02X", enc[i]);
        assert_int_equal(previous[i], 0);
    }
    (void)snprintf(tmi, sizeof tmi,
                   "6C03D2040000 00000000000000000000"
                   "0C03D0070000 00000000000000000000"
                   "DC0396000000 00000000000000000000"
                   "8D01050000140000 0000000000000000 000102030405060708090A0B0C0D0E0F10111213 000000000000000000000000"
                   "3D00000000020000 0000000000000000 BEEF 0000000000000000000000000000"
                   "BD00000000200000 0000000000000000 BEEF 000000000000000000000000000000000000000000000000000000000000"
                   "AB04000000010000 0000000000000000 1122334455667788 0000000000000000"
                   "BA04000000040000020000 0000000000 EEEE 0000000000000000000000000000"
                   "3B02000000040000 0000000000000000 AABBCCDD 000000000000000000000000"
                   "C8" READER "%s 000000000000000000000000000000",
                   enc_hex);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_committed(b, 1, tmi);
}

static void readers_form_a_chain(void **state)
{
    struct bench *b = *state;
    uint8_t enc[16];
    uint8_t previous[16];

    given_purse(b, true);
    login(b, 3);
    assert_df(do_credit(b, 3, 1), DF_OK);
    commit_reader(b, 1, READER, enc, previous);
    assert_df(do_commit(b), DF_OK);
    assert_df(do_credit(b, 3, 1), DF_OK);
    commit_reader(b, 2, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", enc, previous);
    assert_hex(SCRIP_BYTES_OF(previous), READER);
    assert_df(do_abort(b), DF_OK); /* an aborted reader is none */
    assert_df(do_credit(b, 3, 1), DF_OK);
    commit_reader(b, 2, ZERO_KEY, enc, previous);
    assert_hex(SCRIP_BYTES_OF(previous), READER);
}

static void commit_needs_the_reader_unless_switched_off(void **state)
{
    struct bench *b = *state;
    given_purse(b, true);
    login(b, 1);
    assert_df(do_debit(b, 3, 10), DF_OK);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_PERMISSION_DENIED);
    login(b, 1);
    assert_int_equal(value_of(b, 3), 1234);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_PERMISSION_DENIED); /* once */
    login(b, 2);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_AUTHENTICATION_ERROR);

    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F 01 F01F"), DF_OK); /* RW never: no reader wanted */
    login(b, 1);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_PERMISSION_DENIED);
    login(b, 1);
    assert_df(do_debit(b, 3, 10), DF_OK);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_committed(b, 1, "DC030A000000 00000000000000000000");
}

static void reading_counts_as_a_transaction_but_abort_takes_it_out(void **state)
{
    struct bench *b = *state;
    given_purse(b, true);
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F 01 F01F"), DF_OK);
    login(b, 1);
    assert_int_equal(value_of(b, 3), 1234);
    assert_df(do_abort(b), DF_OK);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_NO_CHANGES);
    assert_int_equal(value_of(b, 3), 1234);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_committed(b, 1, "6C03D2040000 00000000000000000000");
    b->comm = SCRIP_DESFIRE_MAC;
    assert_df(ask(b, CMD_READ_DATA_ISO, "0F 000000 040000"), DF_OK);
    assert_data(b, "01000000");
}

static void without_a_session_the_reader_is_not_answered(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "03 00 EEEE 00000000 E8030000 00000000 00"), DF_OK);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 00 E0EF 02" ZERO_KEY "00"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
    b->comm = SCRIP_DESFIRE_PLAIN;
    assert_df(do_credit(b, 3, 5), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_OK);
    assert_int_equal(b->len, 0);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_committed(b, 1, "0C0305000000 00000000000000000000 C8" READER "000000000000000000000000000000");
}

static void the_limit_stops_all_but_reading_the_counter(void **state)
{
    struct bench *b = *state;
    given_purse(b, true);
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F A1 303F 01 1F1F 01000000"), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "0F"), DF_OK);
    assert_data(b, "05 A1 303F 02 00 01000000 01 1F1F");
    login(b, 1);
    assert_df(do_debit(b, 3, 1), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(do_debit(b, 3, 1), DF_PERMISSION_DENIED);
    login(b, 1);
    b->comm = SCRIP_DESFIRE_MAC;
    assert_df(ask(b, CMD_READ_DATA_ISO, "0F 000000 000000"), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_OK);
    b->comm = SCRIP_DESFIRE_FULL;
    login(b, 0);
    assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F A1 303F 01 1F1F 02000000"), DF_OK);
    login(b, 1);
    assert_int_equal(value_of(b, 3), 1233);
}

static void a_deleted_file_starts_from_zero(void **state)
{
    struct bench *b = *state;
    given_purse(b, true);
    login(b, 3);
    assert_df(do_credit(b, 3, 1), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, READER), DF_OK);
    assert_df(do_commit(b), DF_OK);
    login(b, 0);
    assert_df(ask(b, CMD_DELETE_FILE, "0F"), DF_OK);
    assert_df(do_commit(b), DF_NO_CHANGES);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 303F 02" ZERO_KEY "00"), DF_OK);
    login(b, 3);
    b->comm = SCRIP_DESFIRE_MAC;
    assert_df(ask(b, CMD_READ_DATA_ISO, "0F 000000 000000"), DF_OK);
    assert_data(b, "00000000 0000000000000000");
}

static void refusals_around_the_transaction_mac(void **state)
{
    struct bench *b = *state;
    given_session(b);
    const struct refusal without[] = {
        {CMD_COMMIT_TRANSACTION, "01", DF_PERMISSION_DENIED},
        {CMD_COMMIT_TRANSACTION, "02", DF_PARAMETER_ERROR},
        {CMD_COMMIT_READER_ID, READER, DF_PERMISSION_DENIED},
        {CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 303F 01" ZERO_KEY "00", DF_PARAMETER_ERROR},
        {CMD_CREATE_TRANSACTION_MAC_FILE, "20 01 303F 02" ZERO_KEY "00", DF_PARAMETER_ERROR},
        {CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 3030 02" ZERO_KEY "00", DF_PARAMETER_ERROR},
        {CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 308F 02" ZERO_KEY "00", DF_PARAMETER_ERROR},
    };
    check_refusals(b, login_0, without, sizeof without / sizeof without[0]);
    login(b, 0);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 303F 02" ZERO_KEY "00"), DF_OK);
    const struct refusal with[] = {
        {CMD_CREATE_TRANSACTION_MAC_FILE, "0E 01 303F 02" ZERO_KEY "00", DF_DUPLICATE_ERROR},
        {CMD_WRITE_DATA, "0F 000000 010000 00", DF_PERMISSION_DENIED},
        {CMD_CREDIT, "0F 01000000", DF_PERMISSION_DENIED},
    };
    check_refusals(b, login_0, with, sizeof with / sizeof with[0]);
    login(b, 1);
    assert_df(ask(b, CMD_DELETE_FILE, "0F"), DF_AUTHENTICATION_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(the_mac_covers_every_command_in_its_layout),
        EV2_TEST(readers_form_a_chain),
        EV2_TEST(commit_needs_the_reader_unless_switched_off),
        EV2_TEST(reading_counts_as_a_transaction_but_abort_takes_it_out),
        EV3_TEST(without_a_session_the_reader_is_not_answered),
        EV3_TEST(the_limit_stops_all_but_reading_the_counter),
        EV3_TEST(a_deleted_file_starts_from_zero),
        EV3_TEST(refusals_around_the_transaction_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
