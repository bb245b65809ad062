#include "bench.h"
#include <scrip/cmac.h>
#include <stdio.h>

static void given_picc_session(struct bench *b)
{
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
}

static void deleting_gives_all_memory_back(void **state)
{
    struct bench *b = *state;
    uint8_t before[3];

    assert_df(ask(b, CMD_GET_FREE_MEMORY, ""), DF_OK);
    memcpy(before, b->data, 3);
    for (int round = 0; round < 3; round++) {
        given_app(b, 0x0F, 5);
        assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "00 00 EEEE 640000"), DF_OK);
        assert_df(ask(b, CMD_CREATE_BACKUP_DATA_FILE, "01 00 EEEE 640000"), DF_OK);
        assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 00 EEEE 100000 0B0000"), DF_OK);
        assert_df(ask(b, CMD_CREATE_LINEAR_RECORD_FILE, "03 00 EEEE 100000 0B0000"), DF_OK);
        assert_df(ask(b, CMD_CREATE_VALUE_FILE, "04 00 EEEE 00000000 01000000 00000000 00"), DF_OK);
        login(b, 0);
        assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "05 00 E0EF 02" ZERO_KEY "00"), DF_OK);
        assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_OK);
        assert_data(b, "000102030405");
        for (uint8_t no = 0; no < 6 && round == 0; no++) {
            assert_df(ask_bytes(b, CMD_DELETE_FILE, scrip_bytes(&no, 1)), DF_OK);
        }
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
        given_picc_session(b);
        assert_df(ask(b, round == 2 ? CMD_FORMAT_PICC : CMD_DELETE_APPLICATION, round == 2 ? "" : AID), DF_OK);
        assert_df(ask(b, CMD_GET_FREE_MEMORY, ""), DF_OK);
        assert_memory_equal(b->data, before, 3);
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    }
}

/* A genuine empty EV3 4K reports 5120. */
static void an_empty_4k_card_has_5120_bytes(void **state)
{
    (void)state;
    struct bench *b = bench_new_sized(SCRIP_DESFIRE_EV3, 0x18);
    assert_df(ask(b, CMD_GET_FREE_MEMORY, ""), DF_OK);
    assert_data(b, "001400");
    given_app(b, 0x0F, 2); /* application, file table, one page of keys: three blocks */
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 210000"), DF_OK); /* one block, and two for 33 bytes */
    assert_df(ask(b, CMD_GET_FREE_MEMORY, ""), DF_OK);
    assert_data(b, "401300");
    bench_free(b);
}

static void memory_can_be_used_up_to_the_last_block(void **state)
{
    (void)state;
    struct bench *b = bench_new_sized(SCRIP_DESFIRE_EV3, 0x16); /* 2K: 2560 bytes */
    given_app(b, 0x0F, 1);
    assert_df(ask(b, CMD_GET_FREE_MEMORY, ""), DF_OK);
    const uint32_t free_bytes = scrip_get_le24(b->data);
    uint8_t params[7] = {1, 0, 0xEE, 0xEE};
    scrip_put_le24(params + 4, free_bytes - 32 + 1);
    assert_df(ask_bytes(b, CMD_CREATE_STD_DATA_FILE, SCRIP_BYTES_OF(params)), DF_OUT_OF_EEPROM);
    scrip_put_le24(params + 4, free_bytes - 32);
    assert_df(ask_bytes(b, CMD_CREATE_STD_DATA_FILE, SCRIP_BYTES_OF(params)), DF_OK);
    assert_df(ask(b, CMD_GET_FREE_MEMORY, ""), DF_OK);
    assert_data(b, "000000");
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "02 00 EEEE 00000000 01000000 00000000 00"), DF_OUT_OF_EEPROM);
    bench_free(b);
}

static void ev1_holds_28_applications(void **state)
{
    struct bench *b = *state;
    for (unsigned i = 0; i < 29; i++) {
        char params[16];
        (void)snprintf(params, sizeof params, "%02X00010F81", i + 1);
        assert_df(ask(b, CMD_CREATE_APPLICATION, params), i < 28 ? DF_OK : DF_COUNT_ERROR);
    }
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK);
    assert_int_equal(b->first_frame, 57); /* 19 in a frame */
    assert_int_equal(b->len, 28 * 3);
    assert_memory_equal(b->data, "\x01\x00\x01\x02\x00\x01", 6);
    given_picc_session(b);
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK); /* under a MAC too */
    assert_int_equal(b->len, 28 * 3);
    assert_df(ask(b, CMD_DELETE_APPLICATION, "010001"), DF_OK);
    assert_df(ask(b, CMD_DELETE_APPLICATION, "0F0001"), DF_OK);
    assert_df(ask(b, CMD_DELETE_APPLICATION, "1C0001"), DF_OK);
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK);
    assert_int_equal(b->len, 25 * 3);
    assert_memory_equal(b->data, "\x02\x00\x01", 3);
}

static void names_come_one_application_a_frame(void **state)
{
    struct bench *b = *state;
    assert_df(ask(b, CMD_CREATE_APPLICATION, "010000 0F A1 01DF A00000039656"), DF_OK);
    assert_df(ask(b, CMD_CREATE_APPLICATION, "020000 0F 81"), DF_OK); /* nameless */
    assert_df(ask(b, CMD_CREATE_APPLICATION, "030000 0F A1 03DF"), DF_OK);
    assert_df(frame(b, "6D"), DF_ADDITIONAL_FRAME);
    assert_data(b, "010000 01DF A00000039656");
    assert_df(frame(b, "AF"), DF_OK);
    assert_data(b, "030000 03DF");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_D40, 0, "0000000000000000"), DF_OK);
    assert_df(ask(b, CMD_GET_DF_NAMES, ""), DF_OK);
    assert_data(b, "010000 01DF A00000039656 030000 03DF");
}

static void files_carry_file_ids_where_the_application_says_so(void **state)
{
    struct bench *b = *state;
    assert_df(ask(b, CMD_CREATE_APPLICATION, "010000 0F A1 01DF"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 100000"), DF_LENGTH_ERROR);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 003F 00 EEEE 100000"), DF_PARAMETER_ERROR);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 FFFF 00 EEEE 100000"), DF_PARAMETER_ERROR);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03E1 00 EEEE 100000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "02 03E1 00 EEEE 100000"), DF_DUPLICATE_ERROR);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "03 00 EEEE 00000000 01000000 00000000 00"), DF_OK);
    assert_df(ask(b, CMD_GET_ISO_FILE_IDS, ""), DF_OK);
    assert_data(b, "03E1");
}

static void refusals_of_application_commands(void **state)
{
    struct bench *b = *state;
    assert_df(ask(b, CMD_CREATE_APPLICATION, "010000 0F A1 01DF A00000039656"), DF_OK);
    const struct refusal rows[] = {
        {CMD_CREATE_APPLICATION, "010000 0F 81", DF_DUPLICATE_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F A1 01DF", DF_DUPLICATE_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F A1 02DF A00000039656", DF_DUPLICATE_ERROR},
        {CMD_CREATE_APPLICATION, "000000 0F 81", DF_PARAMETER_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F 80", DF_PARAMETER_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F 8F", DF_PARAMETER_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F C1", DF_PARAMETER_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F A1 0000", DF_PARAMETER_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F A1", DF_LENGTH_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F 81 01DF", DF_LENGTH_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F 91", DF_LENGTH_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F 91 01 00 01 10 00", DF_PARAMETER_ERROR}, /* one key set */
        {CMD_CREATE_APPLICATION, "020000 0F 91 01 00 11 10 00", DF_PARAMETER_ERROR}, /* seventeen */
        {CMD_CREATE_APPLICATION, "020000 0F 91 01 00 02 08 00", DF_PARAMETER_ERROR},
        {CMD_CREATE_APPLICATION, "020000 0F 51 01 00 02 10 00", DF_PARAMETER_ERROR}, /* 24 bytes in 16 */
        {CMD_CREATE_APPLICATION, "020000 0F", DF_LENGTH_ERROR},
        {CMD_DELETE_APPLICATION, "020000", DF_APPLICATION_NOT_FOUND},
        {CMD_DELETE_APPLICATION, "000000", DF_APPLICATION_NOT_FOUND},
        {CMD_DELETE_APPLICATION, "01000000", DF_LENGTH_ERROR},
        {CMD_GET_DELEGATED_INFO, "0000", DF_APPLICATION_NOT_FOUND},
    };
    check_refusals(b, given_picc_session, rows, sizeof rows / sizeof rows[0]);
    assert_df(ask(b, CMD_DELETE_APPLICATION, "010000"), DF_AUTHENTICATION_ERROR);
    assert_df(ask(b, CMD_FORMAT_PICC, ""), DF_AUTHENTICATION_ERROR);
    assert_df(frame(b, "5A 0102"), DF_LENGTH_ERROR);
    assert_df(frame(b, "5A 990000"), DF_APPLICATION_NOT_FOUND);
}

static void a_failed_selection_keeps_the_application(void **state)
{
    struct bench *b = *state;
    given_session(b);
    assert_df(frame(b, "5A 112233"), DF_APPLICATION_NOT_FOUND);
    scrip_desfire_sm_end(&b->session);
    assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_OK); /* still in the application, without session */
    assert_df(frame(b, "51"), DF_AUTHENTICATION_ERROR);
}

static void an_application_may_delete_itself(void **state)
{
    struct bench *b = *state;
    given_app(b, 0x0F, 2);
    login(b, 1);
    assert_df(ask(b, CMD_DELETE_APPLICATION, AID), DF_AUTHENTICATION_ERROR);
    login(b, 0);
    assert_df(ask(b, CMD_DELETE_APPLICATION, AID), DF_OK);
    assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
    scrip_desfire_sm_end(&b->session);
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK); /* back at the PICC level */
    assert_int_equal(b->len, 0);
}

static void commands_keep_to_their_level(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; scrip_desfire_command_at(i) != NULL; i++) {
        const struct scrip_desfire_command *row = scrip_desfire_command_at(i);
        uint8_t bytes[2] = {row->opcode, 0};
        struct scrip_buf rsp = SCRIP_BUF_OF(b->data);
        if ((row->levels & SCRIP_DESFIRE_AT_PICC) == 0) {
            assert_ok(scrip_desfire_card_apdu(&b->card, scrip_bytes(bytes, 1), &rsp));
            assert_int_equal(b->data[0], DF_PERMISSION_DENIED);
        }
    }
    given_app(b, 0x0F, 1);
    for (size_t i = 0; scrip_desfire_command_at(i) != NULL; i++) {
        const struct scrip_desfire_command *row = scrip_desfire_command_at(i);
        struct scrip_buf rsp = SCRIP_BUF_OF(b->data);
        if ((row->levels & SCRIP_DESFIRE_AT_APP) == 0) {
            assert_ok(scrip_desfire_card_apdu(&b->card, scrip_bytes(&row->opcode, 1), &rsp));
            assert_int_equal(b->data[0], DF_PERMISSION_DENIED);
        }
    }
}

static void each_generation_knows_its_commands(void **state)
{
    (void)state;
    for (int generation = SCRIP_DESFIRE_EV1; generation <= SCRIP_DESFIRE_LIGHT; generation++) {
        struct bench *b = bench_new((enum scrip_desfire_generation)generation);
        for (unsigned code = 0; code < 256; code++) {
            const struct scrip_desfire_command *row = scrip_desfire_command((uint8_t)code);
            char hex[16];
            if (code == SCRIP_DESFIRE_AF) {
                continue;
            }
            (void)snprintf(hex, sizeof hex, "90%02X000000", code);
            const bool known = row != NULL && (row->generations >> generation & 1) != 0;
            const uint16_t sw = apdu(b, hex);
            assert_int_equal(sw == SCRIP_DESFIRE_SW(DF_ILLEGAL_COMMAND), !known);
            power_cycle(b);
        }
        bench_free(b);
    }
}

/* ---- two applications at once ---- */

/* Applications 010000 and 020000, each with two keys and this value file. */
static void given_two_applications(struct bench *b, const char *file, const char *other_file)
{
    static const char *const aids[] = {"010000", "020000"};
    const char *const files[] = {file, other_file};
    for (size_t i = 0; i < 2; i++) {
        char params[16];
        (void)snprintf(params, sizeof params, "%s0F82", aids[i]);
        assert_df(ask(b, CMD_CREATE_APPLICATION, params), DF_OK);
        assert_df(ask(b, CMD_SELECT_APPLICATION, aids[i]), DF_OK);
        assert_df(ask(b, CMD_CREATE_VALUE_FILE, files[i]), DF_OK);
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    }
}

static void a_pair_of_applications_commits_together(void **state)
{
    struct bench *b = *state;
    static const char file[] = "03 03 1111 00000000 E8030000 64000000 00";
    given_two_applications(b, file, file);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000 030000"), DF_APPLICATION_NOT_FOUND);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000 010000"), DF_PARAMETER_ERROR);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000 020000"), DF_OK);
    assert_df(frame(b, "F5 83"), DF_OK); /* bit 7: the second application's file */
    assert_data(b, "02 03 1111 00000000 E8030000 00000000 00");
    login(b, 1);
    assert_df(do_debit(b, 3, 30), DF_OK);
    assert_df(do_debit(b, 0x83, 1), DF_AUTHENTICATION_ERROR); /* a key opens its own application only */
    login(b, 1);
    assert_df(do_debit(b, 3, 30), DF_OK);
    assert_df(authenticate_again(b, 0x81, ZERO_KEY), DF_OK); /* and bit 7 of the key number the other's key */
    assert_df(do_credit(b, 0x83, 30), DF_OK);
    assert_df(do_debit(b, 3, 1), DF_AUTHENTICATION_ERROR);
    login(b, 1);
    assert_df(do_debit(b, 3, 30), DF_OK);
    assert_df(authenticate_again(b, 0x81, ZERO_KEY), DF_OK);
    assert_df(do_credit(b, 0x83, 30), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 0x83), 130);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000"), DF_OK);
    login(b, 1);
    assert_int_equal(value_of(b, 3), 70);
    assert_df(ask(b, CMD_GET_VALUE, "83"), DF_FILE_NOT_FOUND);
    assert_df(frame(b, "71 81 00"), DF_NO_SUCH_KEY);
}

static void a_value_is_carried_from_one_application_of_a_pair_to_the_other(void **state)
{
    struct bench *b = *state;
    given_two_applications(b, "03 00 EEEE 00000000 E8030000 07000000 00", "03 00 EEEE 00000000 E8030000 08000000 00");
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000 020000"), DF_OK);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "03 83"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 8);
    assert_int_equal(value_of(b, 0x83), 8);
    assert_df(do_credit(b, 3, 5), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "83 03"), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 0x83), 13);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "83 83"), DF_PERMISSION_DENIED);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "03 84"), DF_FILE_NOT_FOUND);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "020000"), DF_OK);
    login(b, 0);
    assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 01 F01F 02" ZERO_KEY "00"), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, "010000 020000"), DF_OK);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "03 83"), DF_PERMISSION_DENIED); /* its MAC could not be kept */
    assert_df(ask(b, CMD_SELECT_APPLICATION, "020000 010000"), DF_OK);
    assert_df(ask(b, CMD_RESTORE_TRANSFER, "83 03"), DF_OK); /* here it can */
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_hex(scrip_bytes(b->data, 4), "01000000");
}

/* ---- delegated applications ---- */

static void mact(const char *key_hex, struct scrip_bytes message, uint8_t out[8])
{
    uint8_t key[16];
    (void)from_hex(key_hex, key, sizeof key);
    scrip_aes_mact(key, message, out);
}

/* C9 parameters: plain part in hex, first key of the application 77.., made with zero DAM keys. */
static void delegated_params(const char *plain, struct scrip_buf *out)
{
    uint8_t message[128] = {CMD_CREATE_DELEGATED_APPLICATION};
    uint8_t secret[32] = {1, 2, 3, 4, 5, 6, 7};
    const uint8_t zero_key[16] = {0};
    uint8_t iv[16] = {0};
    struct scrip_block block;
    const size_t len = from_hex(plain, message + 1, sizeof message - 1);

    memset(secret + 7, 0x77, 16);
    secret[31] = 0x05;
    scrip_block_init(&block, SCRIP_AES128, zero_key);
    scrip_cbc_encrypt(&block, iv, 2, message + 1 + len, secret);
    assert_ok(scrip_buf_add(out, message + 1, len + 32));
    uint8_t mac[8];
    mact(ZERO_KEY, scrip_bytes(message, 1 + len + 32), mac);
    assert_ok(scrip_buf_add(out, mac, 8));
}

static void a_delegated_application_lives_in_its_slot(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[128];
    struct scrip_buf params = SCRIP_BUF_OF(bytes);

    delegated_params("112233 0100 07 0C00 0F 82", &params);
    assert_df(ask_bytes(b, CMD_CREATE_DELEGATED_APPLICATION, scrip_buf_bytes(&params)), DF_AUTHENTICATION_ERROR);
    for (int sm = SCRIP_DESFIRE_SM_EV1; sm <= SCRIP_DESFIRE_SM_EV2; sm++) {
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
        assert_df(authenticate(b, (enum scrip_desfire_sm)sm, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
        assert_df(ask_bytes(b, CMD_CREATE_DELEGATED_APPLICATION, scrip_buf_bytes(&params)), DF_OK);
        assert_df(ask(b, CMD_GET_DELEGATED_INFO, "0100"), DF_OK);
        assert_data(b, "07 0C00 0900 112233"); /* three blocks are taken */
        assert_df(ask(b, CMD_SELECT_APPLICATION, "112233"), DF_OK);
        assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, "77777777777777777777777777777777"), DF_OK);
        assert_df(ask(b, CMD_GET_KEY_VERSION, "00"), DF_OK);
        assert_data(b, "05");
        assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 010100"), DF_OUT_OF_EEPROM); /* beyond the quota */
        assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 00 EEEE 000100"), DF_OK);
        /* the issuer's MAC deletes it */
        uint8_t message[12] = {CMD_DELETE_APPLICATION, 0x11, 0x22, 0x33};
        mact(ZERO_KEY, scrip_bytes(message, 4), message + 4);
        assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
        message[11] ^= 1;
        assert_df(ask_bytes(b, CMD_DELETE_APPLICATION, scrip_bytes(message + 1, 11)), DF_INTEGRITY_ERROR);
        message[11] ^= 1;
        assert_df(ask_bytes(b, CMD_DELETE_APPLICATION, scrip_bytes(message + 1, 11)), DF_OK);
        assert_df(ask(b, CMD_GET_DELEGATED_INFO, "0100"), DF_APPLICATION_NOT_FOUND);
    }
}

static void a_delegation_that_was_altered_is_refused(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[128];
    struct scrip_buf params = SCRIP_BUF_OF(bytes);

    delegated_params("112233 0100 07 0C00 0F 82", &params);
    for (size_t i = 0; i < params.len; i++) {
        assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
        bytes[i] ^= 0x10;
        assert_df(ask_bytes(b, CMD_CREATE_DELEGATED_APPLICATION, scrip_buf_bytes(&params)), DF_INTEGRITY_ERROR);
        bytes[i] ^= 0x10;
    }
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
    assert_df(ask_bytes(b, CMD_CREATE_DELEGATED_APPLICATION, scrip_buf_bytes(&params)), DF_OK);
    params.len = 0;
    delegated_params("445566 0100 08 0C00 0F 82", &params);
    assert_df(ask_bytes(b, CMD_CREATE_DELEGATED_APPLICATION, scrip_buf_bytes(&params)), DF_DUPLICATE_ERROR);
    params.len = 0;
    delegated_params("445566 0200 08 0200 0F 82", &params); /* the quota does not hold the application itself */
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
    assert_df(ask_bytes(b, CMD_CREATE_DELEGATED_APPLICATION, scrip_buf_bytes(&params)), DF_OUT_OF_EEPROM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(deleting_gives_all_memory_back),
        cmocka_unit_test(an_empty_4k_card_has_5120_bytes),
        cmocka_unit_test(memory_can_be_used_up_to_the_last_block),
        EV1_TEST(ev1_holds_28_applications),
        EV3_TEST(names_come_one_application_a_frame),
        EV3_TEST(files_carry_file_ids_where_the_application_says_so),
        EV2_TEST(refusals_of_application_commands),
        EV3_TEST(a_failed_selection_keeps_the_application),
        EV3_TEST(an_application_may_delete_itself),
        EV3_TEST(commands_keep_to_their_level),
        cmocka_unit_test(each_generation_knows_its_commands),
        EV2_TEST(a_pair_of_applications_commits_together),
        EV3_TEST(a_value_is_carried_from_one_application_of_a_pair_to_the_other),
        EV2_TEST(a_delegated_application_lives_in_its_slot),
        EV3_TEST(a_delegation_that_was_altered_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
