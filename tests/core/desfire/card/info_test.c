#include "bench.h"
#include <scrip/cmac.h>

static void get_version_answers_three_frames(void **state)
{
    struct bench *b = *state;
    assert_df(frame(b, "60"), DF_ADDITIONAL_FRAME);
    assert_data(b, "04010133001A05");
    assert_df(frame(b, "AF"), DF_ADDITIONAL_FRAME);
    assert_data(b, "04010103001A05");
    assert_df(frame(b, "AF"), DF_OK);
    assert_data(b, "045B2C8A916E80 BA4519E320 4913");
    given_session(b);
    assert_df(ask(b, CMD_GET_VERSION, ""), DF_OK); /* one MAC over all three */
    assert_int_equal(b->len, 28);
    assert_int_equal(b->frames, 3);
    assert_df(frame(b, "60 00"), DF_LENGTH_ERROR);
}

static void each_product_names_itself(void **state)
{
    static const struct {
        enum scrip_desfire_generation generation;
        uint8_t storage;
        const char *frames;
    } products[] = {
        {SCRIP_DESFIRE_EV1, 0x1A, "04010101001A05 04010101041A05"},
        {SCRIP_DESFIRE_EV2, 0x18, "04010112001805 04010102011805"},
        {SCRIP_DESFIRE_EV2, 0x1C, "04010122001C05 04010102021C05"},
        {SCRIP_DESFIRE_EV3, 0x16, "04010133001605 04010103001605"},
        {SCRIP_DESFIRE_LIGHT, 0x13, "04080130001305 04080130001305"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        struct bench *b = bench_new_sized(products[i].generation, products[i].storage);
        assert_df(ask(b, CMD_GET_VERSION, ""), DF_OK);
        assert_hex(scrip_bytes(b->data, 14), products[i].frames);
        bench_free(b);
    }
}

static void a_random_id_hides_the_uid(void **state)
{
    struct bench *b = *state;
    uint8_t uid[10];
    uint8_t again[10];

    assert_int_equal(scrip_desfire_card_uid(&b->card, uid), 7);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "00 02"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "00 00"), DF_PARAMETER_ERROR); /* for ever */
    assert_int_equal(scrip_desfire_card_uid(&b->card, uid), 4);
    assert_int_equal(scrip_desfire_card_uid(&b->card, again), 4);
    assert_int_equal(uid[0], 0x08);
    assert_int_equal(again[0], 0x08);
    assert_memory_not_equal(uid, again, 4);
    assert_df(ask(b, CMD_GET_VERSION, ""), DF_OK);
    assert_hex(scrip_bytes(b->data + 14, 7), "00000000000000");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
    assert_df(ask(b, CMD_GET_VERSION, ""), DF_OK);
    assert_hex(scrip_bytes(b->data + 14, 7), "045B2C8A916E80");
}

static void the_signature_slot_is_returned(void **state)
{
    struct bench *b = *state;
    b->framing = WRAPPED;
    assert_int_equal(apdu(b, "903C0000010000"), 0x9190);
    assert_int_equal(b->len, 58);
    b->framing = NATIVE;
    assert_df(frame(b, "3C 01"), DF_PARAMETER_ERROR);
    given_session(b);
    assert_df(ask(b, CMD_READ_SIG, "00"), DF_OK); /* enciphered */
    assert_int_equal(b->len, 56);
    assert_int_equal(b->data[55], 0x5A);
}

static void the_ats_can_be_set(void **state)
{
    struct bench *b = *state;
    uint8_t ats[32];
    assert_hex(scrip_bytes(ats, scrip_desfire_card_ats(&b->card, ats)), "067577810280");
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "02 05 78 77 71 02"), DF_OK);
    assert_hex(scrip_bytes(ats, scrip_desfire_card_ats(&b->card, ats)), "0578777102");
    assert_df(ask(b, CMD_SET_CONFIGURATION, "02 06 78 77 71 02"), DF_PARAMETER_ERROR); /* TL */
}

static void at_picc(struct bench *b)
{
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate_des(b, SCRIP_DESFIRE_SM_EV1, 0, "0000000000000000"), DF_OK);
}

static void refusals_of_set_configuration(void **state)
{
    struct bench *b = *state;
    const struct refusal rows[] = {
        {CMD_SET_CONFIGURATION, "00 10", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "00 0000", DF_LENGTH_ERROR},
        {CMD_SET_CONFIGURATION, "01 00", DF_LENGTH_ERROR},
        {CMD_SET_CONFIGURATION, "02 02 79", DF_PARAMETER_ERROR}, /* frames of more than 256 bytes */
        {CMD_SET_CONFIGURATION, "04 08 00", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "07 00", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "09 0300000000E80300000000000001", DF_PARAMETER_ERROR}, /* Light only */
        {CMD_SET_CONFIGURATION, "0A 02 0300 0100", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "0A 01 0000 0100", DF_PARAMETER_ERROR},
    };
    check_refusals(b, at_picc, rows, sizeof rows / sizeof rows[0]);
    given_session(b);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "00 01"), DF_PERMISSION_DENIED); /* not in an application */
    assert_df(ask(b, CMD_SELECT_APPLICATION, "000000"), DF_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, PICC_KEY_DAM_AUTH, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "00 01"), DF_AUTHENTICATION_ERROR);
}

static void formatting_can_be_forbidden(void **state)
{
    struct bench *b = *state;
    at_picc(b);
    assert_df(ask(b, CMD_CREATE_APPLICATION, AID "0F81"), DF_OK);
    assert_df(ask(b, CMD_FORMAT_PICC, ""), DF_OK);
    assert_df(ask(b, CMD_GET_APPLICATION_IDS, ""), DF_OK);
    assert_int_equal(b->len, 0);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "00 01"), DF_OK);
    assert_df(ask(b, CMD_FORMAT_PICC, ""), DF_PERMISSION_DENIED);
}

static void chained_writing_can_be_forbidden(void **state)
{
    struct bench *b = *state;
    at_picc(b);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "04 04 00"), DF_OK);
    given_session(b);
    assert_df(ask(b, CMD_CREATE_STD_DATA_FILE, "01 03 0000 200000"), DF_OK);
    assert_df(ask(b, CMD_WRITE_DATA, "01 000000 020000 1122"), DF_OK); /* one frame */
    b->frame_data = 8;
    assert_df(ask(b, CMD_WRITE_DATA, "01 000000 020000 1122"), DF_PERMISSION_DENIED);
}

static void sak_name_and_modulation_are_kept(void **state)
{
    struct bench *b = *state;
    assert_int_equal(scrip_desfire_card_sak(&b->card), 0x20);
    at_picc(b);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "03 24 28"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "06 A1A2A3A4"), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "0B 01"), DF_OK);
    power_cycle(b);
    assert_int_equal(scrip_desfire_card_sak(&b->card), 0x28);
    assert_int_equal(apdu(b, "00A4040004A1A2A3A400"), SCRIP_SW_OK);
}

/* ---- what the host does wrong ---- */

static void the_host_is_told_its_own_failures(void **state)
{
    struct bench *b = *state;
    uint8_t small[4];
    struct scrip_buf rsp = SCRIP_BUF_OF(small);
    struct scrip_random_scripted dry = {.left = {NULL, 0}};
    const struct scrip_random nothing = scrip_random_scripted(&dry);
    struct scrip_desfire_identity identity = b->card.identity;
    struct scrip_nv few = b->nv;

    assert_status(scrip_desfire_card_apdu(&b->card, scrip_bytes("\x60", 1), &rsp), SCRIP_E_SPACE);
    assert_int_equal(rsp.len, 0);
    assert_status(scrip_desfire_card_apdu(&b->card, scrip_bytes(NULL, 0), &rsp), SCRIP_E_ARGUMENT);
    b->card.host.random = &nothing;
    assert_status(scrip_desfire_card_apdu(&b->card, scrip_bytes("\x0A\x00", 2), &rsp), SCRIP_E_RANDOM);
    b->card.host.random = &b->random;
    assert_df(frame(b, "60"), DF_ADDITIONAL_FRAME); /* and goes on */

    few.pages = scrip_desfire_card_pages(identity.storage) - 1;
    assert_status(scrip_desfire_card_make(&few, &identity), SCRIP_E_SPACE);
    identity.storage = 0x30;
    assert_int_equal(scrip_desfire_card_pages(0x30), 0);
    assert_status(scrip_desfire_card_make(&b->nv, &identity), SCRIP_E_ARGUMENT);
    identity.storage = 0x1A;
    identity.generation = 4;
    assert_status(scrip_desfire_card_make(&b->nv, &identity), SCRIP_E_ARGUMENT);
    identity.generation = SCRIP_DESFIRE_LIGHT;
    identity.storage = 0x11; /* too small for its own files */
    assert_status(scrip_desfire_card_make(&b->nv, &identity), SCRIP_E_ARGUMENT);
}

/* What travelled is reported, and power: the trace shows nothing else. */
static void collect(void *ctx, enum scrip_trace_kind kind, struct scrip_bytes bytes)
{
    struct scrip_buf *seen = ctx;
    assert_ok(scrip_buf_add_u8(seen, (uint8_t)('0' + kind)));
    assert_ok(scrip_buf_add_bytes(seen, bytes));
}

static void the_trace_sees_what_travels(void **state)
{
    struct bench *b = *state;
    uint8_t bytes[128];
    struct scrip_buf seen = SCRIP_BUF_OF(bytes);
    const struct scrip_trace trace = {.ctx = &seen, .frame = collect};

    b->host.trace = &trace;
    power_cycle(b);
    assert_df(frame(b, "5A 000000"), DF_OK);
    scrip_desfire_card_off(&b->card);
    assert_int_equal(seen.len, 9 + 5 + 2 + 10);
    assert_memory_equal(bytes,
                        "2power on"
                        "0\x5A\0\0\0"
                        "1\0"
                        "2power off",
                        seen.len);
    b->host.trace = NULL;
    assert_ok(scrip_desfire_card_on(&b->card, &b->host, &b->options));
}

/* ---- proximity ---- */

static void pc_mac(uint8_t first, const uint8_t *log, uint8_t out[8])
{
    uint8_t message[4 + 16] = {first, 0x00, 0x01, 0xF4};
    const uint8_t zero[16] = {0};
    memcpy(message + 4, log, 16);
    scrip_aes_mact(zero, SCRIP_BYTES_OF(message), out);
}

static void the_proximity_check_proves_both_sides(void **state)
{
    struct bench *b = *state;
    uint8_t log[16];
    uint8_t command[9] = {CMD_VERIFY_PC};
    uint8_t wanted[8];
    struct scrip_buf rsp = SCRIP_BUF_OF(b->data);

    assert_df(frame(b, "F0"), DF_OK_90);
    assert_data(b, "00 01F4");
    assert_df(frame(b, "F2 03 A1A2A3"), DF_OK_90);
    assert_int_equal(b->len, 3);
    memcpy(log, b->data, 3);
    memcpy(log + 3, "\xA1\xA2\xA3", 3);
    assert_df(frame(b, "F2 05 A4A5A6A7A8"), DF_OK_90);
    memcpy(log + 6, b->data, 5);
    memcpy(log + 11, "\xA4\xA5\xA6\xA7\xA8", 5);
    pc_mac(CMD_VERIFY_PC, log, command + 1);
    assert_ok(scrip_desfire_card_apdu(&b->card, SCRIP_BYTES_OF(command), &rsp));
    pc_mac(0x90, log, wanted);
    assert_int_equal(rsp.len, 9);
    assert_int_equal(b->data[0], DF_OK_90);
    assert_memory_equal(b->data + 1, wanted, 8);
    assert_df(frame(b, "FD 0000000000000000"), DF_PERMISSION_DENIED); /* once */
}

static void the_proximity_check_has_its_order(void **state)
{
    struct bench *b = *state;
    assert_df(frame(b, "F2 01 00"), DF_PERMISSION_DENIED);
    assert_df(frame(b, "FD 0000000000000000"), DF_PERMISSION_DENIED);
    assert_df(frame(b, "F0"), DF_OK_90);
    assert_df(frame(b, "F2 02 00"), DF_LENGTH_ERROR);
    assert_df(frame(b, "F0"), DF_OK_90);
    assert_df(frame(b, "F2 05 0000000000"), DF_OK_90);
    assert_df(frame(b, "F2 05 0000000000"), DF_PERMISSION_DENIED); /* ten of eight */
    assert_df(frame(b, "F0"), DF_OK_90);
    assert_df(frame(b, "F2 08 0000000000000000"), DF_OK_90);
    assert_df(frame(b, "FD 0000000000000000"), DF_INTEGRITY_ERROR);
}

/* ---- Light ---- */

static void a_light_card_comes_with_its_application(void **state)
{
    struct bench *b = *state;
    assert_int_equal(apdu(b, "00A404000EA00000039656434103F015400000"), SCRIP_SW_NOT_FOUND);
    assert_int_equal(apdu(b, "00A4040010A00000039656434103F015400000000B00"), SCRIP_SW_OK);
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_OK);
    assert_data(b, "00 01 03 04 0F 1F");
    assert_df(ask(b, CMD_SET_CONFIGURATION, "09 0300000000E80300006400000001"), DF_OK); /* as AN12343 table 5 does */
    assert_df(ask(b, CMD_DELETE_FILE, "0F"), DF_OK);
    assert_df(ask(b, CMD_DELETE_FILE, "00"), DF_PERMISSION_DENIED);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 3, ZERO_KEY), DF_OK);
    assert_int_equal(value_of(b, 3), 100);
    assert_df(do_credit(b, 3, 900), DF_OK);
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 1000);
    assert_df(ask(b, CMD_WRITE_DATA_ISO, "00 000000 030000 010203"), DF_OK);
    assert_df(ask(b, CMD_READ_DATA_ISO, "00 000000 040000"), DF_OK);
    assert_data(b, "01020300");
    assert_df(frame(b, "3D 00 000000 010000 00"), DF_ILLEGAL_COMMAND);
}

static void given_light(struct bench *b)
{
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
}

static void a_light_application_gets_another_name(void **state)
{
    struct bench *b = *state;
    given_light(b);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "06 A1A2A3A4A5"), DF_OK);
    power_cycle(b);
    assert_int_equal(apdu(b, "00A4040010A00000039656434103F015400000000B00"), SCRIP_SW_NOT_FOUND);
    assert_int_equal(apdu(b, "00A4040005A1A2A3A4A500"), SCRIP_SW_OK);
    assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_OK); /* in the application, not at the card's level */
    assert_int_equal(apdu(b, "00A4040007D276000085010000"), SCRIP_SW_OK);
    given_light(b); /* by its file id as before */
}

static void light_files_change_places(void **state)
{
    struct bench *b = *state;
    given_light(b);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "0A 01 E803 0A00"), DF_OK);
    /* 1F and 00 are exchanged, the value file becomes 05, the Transaction MAC file 1E, the application DF02 */
    assert_df(ask(b, CMD_SET_CONFIGURATION, "08 001F1FEF 1F0000EF 03050000 0F1E0000 FFFF02DF"), DF_OK);
    power_cycle(b);
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_NOT_FOUND);
    assert_int_equal(apdu(b, "00A4000002DF0200"), SCRIP_SW_OK);
    assert_df(ask(b, CMD_GET_FILE_IDS, ""), DF_OK);
    assert_data(b, "00 01 04 05 1E 1F");
    assert_df(ask(b, CMD_GET_ISO_FILE_IDS, ""), DF_OK);
    assert_data(b, "00EF 01EF 04EF 1FEF");
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "1F"), DF_OK);
    assert_data(b, "00 03 3012 000100"); /* the big one */
    assert_df(ask(b, CMD_GET_FILE_SETTINGS, "00"), DF_OK);
    assert_data(b, "00 00 30E1 200000");
    assert_int_equal(apdu(b, "00A4020C02EF1F"), SCRIP_SW_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 3, ZERO_KEY), DF_OK);
    assert_df(do_credit(b, 5, 700), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, ZERO_KEY), DF_AUTHENTICATION_ERROR); /* the file is known to the card */
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_COMMIT_READER_ID, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_COMMIT_TRANSACTION, "01"), DF_OK);
    assert_hex(scrip_bytes(b->data, 4), "01000000");
    assert_int_equal(value_of(b, 5), 0); /* after an error nothing was pending */
}

/* Proxmark's client, the one public text that says so, marks the three as done once. */
static void light_takes_names_and_limits_once(void **state)
{
    struct bench *b = *state;
    const struct refusal again[] = {
        {CMD_SET_CONFIGURATION, "06 010203", DF_PERMISSION_DENIED},
        {CMD_SET_CONFIGURATION, "08 001100EF", DF_PERMISSION_DENIED},
        {CMD_SET_CONFIGURATION, "09 0300000000E80300006400000001", DF_PERMISSION_DENIED},
    };
    given_light(b);
    for (size_t i = 0; i < 3; i++) {
        assert_df(ask(b, again[i].cmd, again[i].params), DF_OK);
    }
    check_refusals(b, given_light, again, 3);
    power_cycle(b);
    check_refusals(b, given_light, again, 3);
}

static void refusals_of_light_renaming(void **state)
{
    struct bench *b = *state;
    const struct refusal rows[] = {
        {CMD_SET_CONFIGURATION, "06 D2760000850100", DF_DUPLICATE_ERROR}, /* the card's own */
        {CMD_SET_CONFIGURATION, "06 0102030405060708090A0B0C0D0E0F1011", DF_LENGTH_ERROR},
        {CMD_SET_CONFIGURATION, "08 0011EF", DF_LENGTH_ERROR},
        {CMD_SET_CONFIGURATION, "08 001100EF 00", DF_LENGTH_ERROR},
        {CMD_SET_CONFIGURATION, "08 021100EF", DF_FILE_NOT_FOUND},
        {CMD_SET_CONFIGURATION, "08 001100EF 001202EF", DF_FILE_NOT_FOUND}, /* twice */
        {CMD_SET_CONFIGURATION, "08 002000EF", DF_PARAMETER_ERROR},         /* no such number */
        {CMD_SET_CONFIGURATION, "08 00110000", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "08 0011003F", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "08 031100EF", DF_PARAMETER_ERROR}, /* value files have no id */
        {CMD_SET_CONFIGURATION, "08 FF1102DF", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "08 FFFFFFFF", DF_PARAMETER_ERROR},
        {CMD_SET_CONFIGURATION, "08 000400EF", DF_DUPLICATE_ERROR}, /* file 04 is still there */
        {CMD_SET_CONFIGURATION, "08 001104EF", DF_DUPLICATE_ERROR}, /* so is its id */
        {CMD_SET_CONFIGURATION, "08 001111EF 041111EF", DF_DUPLICATE_ERROR},
    };
    check_refusals(b, given_light, rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 1, ZERO_KEY), DF_OK);
    assert_df(ask(b, CMD_SET_CONFIGURATION, "08 001100EF"), DF_AUTHENTICATION_ERROR);
    assert_int_equal(apdu(b, "00A4000002DF0100"), SCRIP_SW_OK);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 3, ZERO_KEY), DF_OK);
    assert_df(do_credit(b, 3, 5), DF_OK);
    assert_df(authenticate_again(b, 0, ZERO_KEY), DF_OK); /* the transaction goes on */
    assert_df(ask(b, CMD_SET_CONFIGURATION, "08 001100EF"), DF_PERMISSION_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EV3_TEST(get_version_answers_three_frames),
        cmocka_unit_test(each_product_names_itself),
        EV3_TEST(a_random_id_hides_the_uid),
        EV2_TEST(the_signature_slot_is_returned),
        EV3_TEST(the_ats_can_be_set),
        EV3_TEST(refusals_of_set_configuration),
        EV1_TEST(formatting_can_be_forbidden),
        EV3_TEST(chained_writing_can_be_forbidden),
        EV3_TEST(sak_name_and_modulation_are_kept),
        EV3_TEST(the_host_is_told_its_own_failures),
        EV3_TEST(the_trace_sees_what_travels),
        EV3_TEST(the_proximity_check_proves_both_sides),
        EV2_TEST(the_proximity_check_has_its_order),
        LIGHT_TEST(a_light_card_comes_with_its_application),
        LIGHT_TEST(a_light_application_gets_another_name),
        LIGHT_TEST(light_files_change_places),
        LIGHT_TEST(light_takes_names_and_limits_once),
        LIGHT_TEST(refusals_of_light_renaming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
