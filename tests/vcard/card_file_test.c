#include "check.h"
#include <fcntl.h>
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <scrip/vcard.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[96], error[SCRIP_VCARD_ERROR_MAX];

static const struct scrip_vcard_identity EV3 = {.family = SCRIP_VCARD_DESFIRE,
                                                .generation = SCRIP_DESFIRE_EV3,
                                                .uid = {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66},
                                                .storage = 0x16};

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/scrip-test-XXXXXX");
    snprintf(path, sizeof path, "%s/a.card", mkdtemp(folder));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void answer(struct scrip_vcard *card, const char *command, const char *wanted)
{
    uint8_t capdu[64], rapdu[SCRIP_VCARD_RAPDU_MAX];
    struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
    const size_t len = from_hex(command, capdu, sizeof capdu);
    assert_ok(scrip_vcard_apdu(card, scrip_bytes(capdu, len), &rsp));
    assert_hex(scrip_buf_bytes(&rsp), wanted);
}

static struct scrip_vcard *opened(void)
{
    struct scrip_vcard *card = NULL;
    assert_ok(scrip_vcard_open(path, NULL, &card, error));
    return card;
}

static void a_card_keeps_its_memory_and_forgets_its_session(void **state)
{
    (void)state;
    struct scrip_card_info info;
    assert_ok(scrip_vcard_make(path, &EV3, error));
    struct scrip_vcard *card = opened();
    assert_ok(scrip_vcard_on(card, &info));
    assert_int_equal(info.uid_len, 7);
    assert_memory_equal(info.uid, EV3.uid, 7);
    answer(card, "90CA000005 994401 0F 81 00", "9100");
    answer(card, "905A000003 994401 00", "9100");
    answer(card, "906F000000", "9100"); /* the application is selected: no files */
    scrip_vcard_off(card);
    assert_ok(scrip_vcard_on(card, &info));
    answer(card, "906A000000", "9944019100"); /* the application is there, nothing is selected */
    scrip_vcard_close(card);
    card = opened();
    assert_ok(scrip_vcard_on(card, &info));
    answer(card, "906A000000", "9944019100");
    scrip_vcard_close(card);
}

static void a_card_is_in_one_field_at_a_time(void **state)
{
    (void)state;
    struct scrip_vcard *other = NULL;
    assert_ok(scrip_vcard_make(path, &EV3, error));
    struct scrip_vcard *card = opened();
    assert_status(scrip_vcard_open(path, NULL, &other, error), SCRIP_E_STATE);
    assert_non_null(strstr(error, "in use"));
    scrip_vcard_close(card);
    card = opened();
    scrip_vcard_close(card);
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    assert_ok(scrip_vcard_make(path, &EV3, error));
    assert_status(scrip_vcard_make(path, &EV3, error), SCRIP_E_EXISTS);
}

static void a_card_without_uid_gets_one_of_its_own(void **state)
{
    (void)state;
    struct scrip_vcard_identity identity = EV3;
    memset(identity.uid, 0, sizeof identity.uid);
    assert_ok(scrip_vcard_make(path, &identity, error));
    assert_ok(scrip_vcard_read_identity(path, &identity));
    assert_int_equal(identity.uid[0], 4);
    assert_memory_not_equal(identity.uid + 1, "\0\0\0\0\0\0", 6);
}

static void the_header_keeps_options_and_the_name_of_the_profile(void **state)
{
    (void)state;
    struct scrip_vcard_identity identity = EV3;
    identity.keep_pending_on_auth = true;
    identity.end_session_on_0c = true;
    identity.transaction_timer_ms = 1500;
    assert_ok(scrip_vcard_make(path, &identity, error));
    assert_ok(scrip_vcard_note_profile(path, "an12113+smallest", error));
    memset(&identity, 0, sizeof identity);
    assert_ok(scrip_vcard_read_identity(path, &identity));
    assert_true(identity.keep_pending_on_auth && identity.end_session_on_0c);
    assert_int_equal(identity.transaction_timer_ms, 1500);
    assert_string_equal(identity.profile, "an12113+smallest");
    assert_status(scrip_vcard_note_profile(path, "a name that is longer than a note", error), SCRIP_E_LENGTH);
}

static void write_at(long offset, uint8_t byte)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, offset, SEEK_SET);
    fputc(byte, file);
    fclose(file);
}

static void what_is_no_card_file_is_refused(void **state)
{
    (void)state;
    static const struct {
        long offset;
        uint8_t byte;
        enum scrip_status status;
    } rows[] = {
        {0, 'X', SCRIP_E_CORRUPT},
        {8, 2, SCRIP_E_UNSUPPORTED},
        {12, 5, SCRIP_E_CORRUPT},
        {60, 0x55, SCRIP_E_CORRUPT},
    };
    struct scrip_vcard *card = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(scrip_vcard_make(path, &EV3, error));
        write_at(rows[i].offset, rows[i].byte);
        assert_status(scrip_vcard_open(path, NULL, &card, error), rows[i].status);
        unlink(path);
    }
    assert_ok(scrip_vcard_make(path, &EV3, error));
    assert_int_equal(truncate(path, 640), 0);
    assert_status(scrip_vcard_open(path, NULL, &card, error), SCRIP_E_CORRUPT);
    unlink(path);
    assert_status(scrip_vcard_open(path, NULL, &card, error), SCRIP_E_IO);
    assert_ok(scrip_vcard_make(path, &EV3, error));
}

static void a_card_in_memory_is_the_same_card(void **state)
{
    (void)state;
    struct scrip_nv_memory memory;
    struct scrip_random_seeded seeded;
    struct scrip_card_info info;
    struct scrip_vcard *card = NULL;
    scrip_random_seeded_init(&seeded, 7);
    const struct scrip_random random = scrip_random_seeded(&seeded);
    const struct scrip_vcard_host host = {.random = &random};
    assert_ok(scrip_nv_memory_init(&memory, scrip_vcard_pages(&EV3)));
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    assert_ok(scrip_vcard_open_nv(&nv, &EV3, true, &host, &card));
    assert_ok(scrip_vcard_on(card, &info));
    answer(card, "90CA000005 994401 0F 81 00", "9100");
    scrip_vcard_close(card);
    assert_ok(scrip_vcard_open_nv(&nv, &EV3, false, &host, &card));
    assert_ok(scrip_vcard_on(card, &info));
    answer(card, "906A000000", "9944019100");
    scrip_vcard_close(card);
    scrip_nv_memory_free(&memory);
}

static void a_card_without_power_does_not_answer(void **state)
{
    (void)state;
    uint8_t rapdu[SCRIP_VCARD_RAPDU_MAX];
    struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
    assert_ok(scrip_vcard_make(path, &EV3, error));
    struct scrip_vcard *card = opened();
    assert_status(scrip_vcard_apdu(card, scrip_bytes("\x90\x60\0\0\0", 5), &rsp), SCRIP_E_STATE);
    scrip_vcard_close(card);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_card_keeps_its_memory_and_forgets_its_session),
        WITH_FOLDER(a_card_is_in_one_field_at_a_time),
        WITH_FOLDER(nothing_is_overwritten),
        WITH_FOLDER(a_card_without_uid_gets_one_of_its_own),
        WITH_FOLDER(the_header_keeps_options_and_the_name_of_the_profile),
        WITH_FOLDER(what_is_no_card_file_is_refused),
        cmocka_unit_test(a_card_in_memory_is_the_same_card),
        WITH_FOLDER(a_card_without_power_does_not_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
