/* What the driver reads and writes without a card: settings, versions, TMI, framing, refusals. */
#include "check.h"
#include <scrip/desfire_term.h>

static void settings_of_real_cards_are_read(void **state)
{
    (void)state;
    uint8_t bytes[32];
    struct scrip_desfire_file file = {.no = 9};
    size_t len = from_hex("0003301F000100", bytes, sizeof bytes);
    assert_ok(scrip_desfire_file_parse(scrip_bytes(bytes, len), &file));
    assert_int_equal(file.no, 9);
    assert_int_equal(file.type, SCRIP_DESFIRE_FILE_STANDARD);
    assert_int_equal(file.comm, SCRIP_DESFIRE_FULL);
    assert_int_equal(file.rights.read, 1);
    assert_int_equal(file.rights.write, SCRIP_DESFIRE_RIGHT_NEVER);
    assert_int_equal(file.rights.read_write, 3);
    assert_int_equal(file.rights.change, 0);
    assert_int_equal(file.size, 256);
    len = from_hex("0203301200000000FFFFFF7F0000000003", bytes, sizeof bytes);
    assert_ok(scrip_desfire_file_parse(scrip_bytes(bytes, len), &file));
    assert_int_equal(file.upper, INT32_MAX);
    assert_int_equal(file.value_flags, 3);
    len = from_hex("040330131000000B0000030000", bytes, sizeof bytes);
    assert_ok(scrip_desfire_file_parse(scrip_bytes(bytes, len), &file));
    assert_int_equal(file.record_size, 16);
    assert_int_equal(file.max_records, 11);
    assert_int_equal(file.records, 3);
}

static void damaged_settings_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "000330",
                                      "0003301F0001",
                                      "0003301F00010000",
                                      "0603301F000100",
                                      "0083301F00010008",
                                      "0083301F000100021F",
                                      "0043301F000100"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[32];
        struct scrip_desfire_file file = {.no = 1, .size = 77};
        const size_t len = from_hex(bad[i], bytes, sizeof bytes);
        assert_true(scrip_desfire_file_parse(scrip_bytes(bytes, len), &file) != SCRIP_OK);
        assert_int_equal(file.size, 77);
    }
}

static void settings_with_sets_and_sdm_are_written_and_read_back(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    struct scrip_desfire_file file = {
        .comm = SCRIP_DESFIRE_FULL,
        .rights = {.read = 0xE, .write = 0, .read_write = 0, .change = 0},
        .more_count = 2,
        .more = {{1, 2, 3, 0xF}, {4, 0xF, 0xF, 0xF}},
        .has_sdm = true,
        .sdm = {.options = 0xC1,
                .meta_read = 2,
                .file_read = 1,
                .counter_ret = 1,
                .picc_data_offset = 0x20,
                .mac_input_offset = 0x43,
                .mac_offset = 0x43},
    };
    assert_ok(scrip_desfire_file_settings_put(&file, &out));
    assert_hex(scrip_buf_bytes(&out), "C3 00E0 02 3F12 FF4F C1 F121 200000 430000 430000");
    /* as GetFileSettings says it: type and size, then SDM, then the sets */
    struct scrip_desfire_file read = {0};
    uint8_t settings[64];
    const size_t len =
        from_hex("00 C3 00E0 000100 C1 F121 200000 430000 430000 02 3F12 FF4F", settings, sizeof settings);
    assert_ok(scrip_desfire_file_parse(scrip_bytes(settings, len), &read));
    assert_int_equal(read.more_count, 2);
    assert_int_equal(read.more[0].read_write, 3);
    assert_int_equal(read.more[1].read, 4);
    assert_int_equal(read.sdm.mac_offset, 0x43);
    assert_int_equal(read.sdm.counter_ret, 1);
}

static void a_version_names_its_product_and_size(void **state)
{
    (void)state;
    uint8_t bytes[32];
    struct scrip_desfire_version version;
    const size_t len = from_hex("04010133001605 04010103001605 045B2C8A916E80 BA54B1F4A0 2319", bytes, sizeof bytes);
    assert_ok(scrip_desfire_version_parse(scrip_bytes(bytes, len), &version));
    assert_string_equal(scrip_desfire_version_product(&version), "MIFARE DESFire EV3");
    assert_int_equal(version.storage_min, 2048);
    assert_int_equal(version.storage_max, 2048);
    assert_int_equal(version.year, 0x19);
    assert_status(scrip_desfire_version_parse(scrip_bytes(bytes, 27), &version), SCRIP_E_LENGTH);
}

static void tmi_parts_are_laid_out_as_the_card_does(void **state)
{
    (void)state;
    uint8_t memory[256];
    uint8_t data[32];
    struct scrip_buf tmi = SCRIP_BUF_OF(memory);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)i;
    }
    assert_ok(scrip_desfire_tmi_value(&tmi, 0x6C, 3, -5));
    assert_hex(scrip_buf_bytes(&tmi), "6C03FBFFFFFF00000000000000000000");
    tmi.len = 0;
    assert_ok(scrip_desfire_tmi_data(&tmi, 0x8D, 1, 5, 20, scrip_bytes(data, 20)));
    assert_hex(scrip_buf_bytes(&tmi), "8D010500001400000000000000000000 000102030405060708090A0B0C0D0E0F "
                                      "10111213000000000000000000000000");
    tmi.len = 0;
    memset(data, 0xEE, 8);
    assert_ok(scrip_desfire_tmi_update(&tmi, 0xBA, 2, 1, 4, scrip_bytes(data, 8)));
    assert_hex(scrip_buf_bytes(&tmi), "BA020100000400000800000000000000EEEEEEEEEEEEEEEE0000000000000000");
    tmi.len = 0;
    assert_ok(scrip_desfire_tmi_clear(&tmi, 2));
    assert_hex(scrip_buf_bytes(&tmi), "EB020000000000000000000000000000");
    tmi.len = 0;
    assert_ok(scrip_desfire_tmi_reader(&tmi, memory + 128, NULL));
    assert_int_equal(tmi.len, 32);
}

/* ---- framing and refusals, with the answers written by hand ---- */

static void answers(struct scrip_replies *replies, const char *const *texts)
{
    uint8_t bytes[256];
    scrip_replies_clear(replies);
    for (; *texts != NULL; texts++) {
        assert_ok(scrip_replies_add(replies, scrip_bytes(bytes, from_hex(*texts, bytes, sizeof bytes))));
    }
}

#define ANSWERS(replies, ...) answers((replies), (const char *const[]){__VA_ARGS__, NULL})

static void a_long_write_is_cut_into_frames(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    const uint8_t data[100] = {0};
    const struct scrip_desfire_access file = {.no = 1};
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_write_data(&term, &batch, &file, 0, SCRIP_BYTES_OF(data)));
    assert_int_equal(batch.count, 2); /* 7 of header and 48 of data, then 52 */
    assert_int_equal(scrip_batch_command(&batch, 0).len, 6 + 55);
    assert_int_equal(scrip_batch_command(&batch, 0).at[1], 0x3D);
    assert_int_equal(scrip_batch_command(&batch, 1).at[1], 0xAF);
    assert_int_equal(scrip_batch_command(&batch, 1).len, 6 + 52);
    ANSWERS(&replies, "91AF", "9100");
    assert_ok(scrip_desfire_term_take(&term, &replies, NULL));

    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_write_data(&term, &batch, &file, 0, SCRIP_BYTES_OF(data)));
    ANSWERS(&replies, "9100", "9100"); /* done before all of it was sent? */
    assert_status(scrip_desfire_term_take(&term, &replies, NULL), SCRIP_E_FORMAT);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_write_data(&term, &batch, &file, 0, SCRIP_BYTES_OF(data)));
    ANSWERS(&replies, "91AF", "91AF"); /* there is no more to send */
    assert_status(scrip_desfire_term_take(&term, &replies, NULL), SCRIP_E_WAIT);
}

static void a_read_of_unknown_frames_ends_its_batch_and_goes_on(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t memory[64];
    struct scrip_buf data = SCRIP_BUF_OF(memory);
    const struct scrip_desfire_access file = {.no = 1};
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_read_data(&term, &batch, &file, 0, 6));
    assert_status(scrip_desfire_get_value(&term, &batch, &file), SCRIP_E_WAIT);
    ANSWERS(&replies, "010203 91AF");
    assert_status(scrip_desfire_term_take(&term, &replies, &data), SCRIP_E_WAIT);
    scrip_batch_clear(&batch);
    assert_status(scrip_desfire_get_value(&term, &batch, &file), SCRIP_E_WAIT);
    assert_ok(scrip_desfire_term_continue(&term, &batch));
    assert_hex(scrip_batch_command(&batch, 0), "90AF000000");
    ANSWERS(&replies, "0405 91AF");
    assert_status(scrip_desfire_term_take(&term, &replies, &data), SCRIP_E_WAIT);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_term_continue(&term, &batch));
    ANSWERS(&replies, "06 9100");
    assert_ok(scrip_desfire_term_take(&term, &replies, &data));
    assert_hex(scrip_buf_bytes(&data), "010203040506");
}

static void a_read_may_be_followed_ahead(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t memory[64];
    struct scrip_buf data = SCRIP_BUF_OF(memory);
    const struct scrip_desfire_access file = {.no = 1, .follow = 3};
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_read_data(&term, &batch, &file, 0, 6));
    assert_int_equal(batch.count, 4);
    ANSWERS(&replies, "010203 91AF", "040506 9100", "911C"); /* one too many does no harm any more */
    assert_ok(scrip_desfire_term_take(&term, &replies, &data));
    assert_hex(scrip_buf_bytes(&data), "010203040506");
}

static void an_endless_answer_is_given_up(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t frame[202] = {0};
    frame[200] = 0x91;
    frame[201] = 0xAF;
    const struct scrip_desfire_access file = {.no = 1};
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_read_data(&term, &batch, &file, 0, 0));
    enum scrip_status status = SCRIP_E_WAIT;
    unsigned frames = 0;
    while (status == SCRIP_E_WAIT && frames < 100) {
        scrip_replies_clear(&replies);
        assert_ok(scrip_replies_add(&replies, SCRIP_BYTES_OF(frame)));
        status = scrip_desfire_term_take(&term, &replies, NULL);
        scrip_batch_clear(&batch);
        if (status == SCRIP_E_WAIT) {
            assert_ok(scrip_desfire_term_continue(&term, &batch));
        }
        frames++;
    }
    assert_status(status, SCRIP_E_SPACE);
    assert_int_equal(frames, 6); /* 1024 bytes */
}

static void every_way_of_no_answer_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *reply; /* NULL: none */
        bool unanswered;
        enum scrip_status status;
        uint16_t sw;
    } rows[] = {
        {"91AE", false, SCRIP_E_CARD, 0x91AE}, {"9190", false, SCRIP_E_CARD, 0x9190},
        {"6E00", false, SCRIP_E_CARD, 0x6E00}, {"9000", false, SCRIP_E_CARD, 0x9000},
        {"91", false, SCRIP_E_LENGTH, 0},      {NULL, true, SCRIP_E_TORN, 0},
        {NULL, false, SCRIP_E_NO_CARD, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scrip_desfire_term term;
        struct scrip_batch batch;
        struct scrip_replies replies;
        const struct scrip_desfire_access file = {.no = 3};
        scrip_desfire_term_start(&term);
        scrip_batch_clear(&batch);
        assert_ok(scrip_desfire_debit(&term, &batch, &file, 1));
        assert_ok(scrip_desfire_abort_transaction(&term, &batch));
        ANSWERS(&replies, rows[i].reply);
        replies.unanswered = rows[i].unanswered;
        assert_status(scrip_desfire_term_take(&term, &replies, NULL), rows[i].status);
        assert_int_equal(term.failure.cmd, 0xDC);
        assert_int_equal(term.failure.sw, rows[i].sw);
        assert_int_equal(term.failure.unanswered, rows[i].unanswered);
        assert_int_equal(scrip_desfire_term_waiting(&term), 0); /* what came behind is forgotten */
        assert_status(scrip_desfire_term_take(&term, &replies, NULL), SCRIP_E_STATE);
    }
}

static void what_cannot_be_asked_is_refused_and_not_appended(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    const struct scrip_desfire_access file = {.no = 3, .long_code = true};
    const uint8_t big[300] = {0};
    const struct scrip_desfire_call unknown = {.cmd = 0x02};
    const struct scrip_desfire_key key = {.cipher = SCRIP_AES128};
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_status(scrip_desfire_credit(&term, &batch, &file, -1), SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_read_data(&term, &batch, &file, 0x1000000, 1), SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_write_data(&term, &batch, &file, 0, SCRIP_BYTES_OF(big)), SCRIP_E_SPACE);
    assert_status(scrip_desfire_term_ask(&term, &batch, &unknown), SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_term_auth_ask(&term, &batch, SCRIP_DESFIRE_SM_EV2, SCRIP_DES, 0, true),
                  SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_term_auth_ask(&term, &batch, SCRIP_DESFIRE_SM_D40, SCRIP_AES128, 0, true),
                  SCRIP_E_ARGUMENT);
    assert_status(scrip_desfire_term_auth_ask(&term, &batch, SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, 0, false),
                  SCRIP_E_STATE); /* NonFirst outside a session */
    assert_status(scrip_desfire_term_auth_answer(&term, &batch, &key, big), SCRIP_E_STATE);
    assert_status(scrip_desfire_term_continue(&term, &batch), SCRIP_E_STATE);
    assert_int_equal(batch.count, 0);
    assert_ok(scrip_desfire_term_auth_ask(&term, &batch, SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, 0, true));
    assert_status(scrip_desfire_get_value(&term, &batch, &file), SCRIP_E_STATE); /* would break it off */
    assert_int_equal(batch.count, 1);
}

static void a_batch_takes_what_fits_and_no_more(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    for (unsigned i = 0; i < SCRIP_BATCH_COMMANDS; i++) {
        assert_ok(scrip_desfire_abort_transaction(&term, &batch));
    }
    assert_status(scrip_desfire_abort_transaction(&term, &batch), SCRIP_E_SPACE);
    assert_int_equal(scrip_desfire_term_waiting(&term), SCRIP_BATCH_COMMANDS);
}

static void a_damaged_saved_terminal_is_refused(void **state)
{
    (void)state;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    uint8_t memory[SCRIP_DESFIRE_TERM_SAVED_MAX];
    struct scrip_buf saved = SCRIP_BUF_OF(memory);
    scrip_desfire_term_start(&term);
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_abort_transaction(&term, &batch));
    assert_ok(scrip_desfire_term_auth_ask(&term, &batch, SCRIP_DESFIRE_SM_EV2, SCRIP_AES128, 3, true));
    assert_ok(scrip_desfire_term_save(&term, &saved));
    for (size_t len = 0; len < saved.len; len++) {
        struct scrip_bytes in = scrip_bytes(memory, len);
        assert_true(scrip_desfire_term_load(&term, &in) != SCRIP_OK);
    }
    struct scrip_bytes in = scrip_buf_bytes(&saved);
    assert_ok(scrip_desfire_term_load(&term, &in));
    assert_int_equal(scrip_desfire_term_waiting(&term), 2);
    memory[0] ^= 1;
    in = scrip_buf_bytes(&saved);
    assert_status(scrip_desfire_term_load(&term, &in), SCRIP_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_of_real_cards_are_read),
        cmocka_unit_test(damaged_settings_are_refused_and_change_nothing),
        cmocka_unit_test(settings_with_sets_and_sdm_are_written_and_read_back),
        cmocka_unit_test(a_version_names_its_product_and_size),
        cmocka_unit_test(tmi_parts_are_laid_out_as_the_card_does),
        cmocka_unit_test(a_long_write_is_cut_into_frames),
        cmocka_unit_test(a_read_of_unknown_frames_ends_its_batch_and_goes_on),
        cmocka_unit_test(a_read_may_be_followed_ahead),
        cmocka_unit_test(an_endless_answer_is_given_up),
        cmocka_unit_test(every_way_of_no_answer_is_told_apart),
        cmocka_unit_test(what_cannot_be_asked_is_refused_and_not_appended),
        cmocka_unit_test(a_batch_takes_what_fits_and_no_more),
        cmocka_unit_test(a_damaged_saved_terminal_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
