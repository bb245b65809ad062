#include "check.h"
#include <fcntl.h>
#include <scrip/card_dump.h>
#include <scrip/crc.h>
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

/* ---- families --------------------------------------------------------------------------------------------------- */

static void every_family_is_made_opened_and_told_by_its_header(void **state)
{
    (void)state;
    static const struct {
        struct scrip_vcard_identity asked;
        uint8_t uid_len;
        bool storage;
    } rows[] = {
        {{.family = SCRIP_VCARD_DESFIRE, .generation = SCRIP_DESFIRE_EV2}, 7, false},
        {{.family = SCRIP_VCARD_CLASSIC}, 4, true},
        {{.family = SCRIP_VCARD_CLASSIC, .uid_len = 7, .genuine = true}, 7, true},
        {{.family = SCRIP_VCARD_CLASSIC, .variant = SCRIP_VCARD_4K}, 4, true},
        {{.family = SCRIP_VCARD_OTP}, 4, true},
    };
    static const uint8_t zeros[7];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scrip_vcard_identity found = {0};
        assert_ok(scrip_vcard_make(path, &rows[i].asked, error));
        assert_ok(scrip_vcard_read_identity(path, &found));
        assert_int_equal(found.family, rows[i].asked.family);
        assert_int_equal(found.variant, rows[i].asked.variant);
        assert_int_equal(found.genuine, rows[i].asked.genuine);
        assert_int_equal(found.uid_len, rows[i].uid_len);
        assert_memory_not_equal(found.uid, zeros, rows[i].uid_len);
        assert_memory_equal(found.uid + found.uid_len, zeros, 7U - found.uid_len);
        struct scrip_vcard *card = opened();
        assert_int_equal(card->storage, rows[i].storage);
        scrip_vcard_close(card);
        unlink(path);
    }
    assert_ok(scrip_vcard_make(path, &EV3, error));
}

static void what_no_family_has_cannot_be_made(void **state)
{
    (void)state;
    static const struct scrip_vcard_identity rows[] = {
        {.family = 0},
        {.family = 9},
        {.family = SCRIP_VCARD_DESFIRE, .generation = 7},
        {.family = SCRIP_VCARD_DESFIRE, .uid_len = 4},
        {.family = SCRIP_VCARD_CLASSIC, .variant = 2},
        {.family = SCRIP_VCARD_CLASSIC, .uid_len = 5},
        {.family = SCRIP_VCARD_CLASSIC, .uid_len = 4, .uid = {0x88, 1, 2, 3}},
        {.family = SCRIP_VCARD_CLASSIC, .uid_len = 7, .uid = {4, 1, 2, 0x88, 3, 4, 5}},
        {.family = SCRIP_VCARD_OTP, .uid_len = 7},
        {.family = SCRIP_VCARD_OTP, .uid_len = 4, .uid = {0x88, 1, 2, 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(scrip_vcard_make(path, &rows[i], error), SCRIP_E_ARGUMENT);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_ok(scrip_vcard_make(path, &EV3, error));
}

static void a_storage_card_knows_no_apdus(void **state)
{
    (void)state;
    static const uint8_t families[] = {SCRIP_VCARD_CLASSIC, SCRIP_VCARD_OTP};
    uint8_t rapdu[16];
    for (size_t i = 0; i < sizeof families; i++) {
        const struct scrip_vcard_identity identity = {.family = families[i]};
        struct scrip_buf rsp = SCRIP_BUF_OF(rapdu);
        struct scrip_card_info info;
        assert_ok(scrip_vcard_make(path, &identity, error));
        struct scrip_vcard *card = opened();
        assert_status(scrip_vcard_on(card, &info), SCRIP_E_UNSUPPORTED);
        assert_status(scrip_vcard_apdu(card, scrip_bytes("\xFF\xCA\0\0\0", 5), &rsp), SCRIP_E_UNSUPPORTED);
        assert_non_null(scrip_vcard_picc(card));
        scrip_vcard_close(card);
        unlink(path);
    }
    assert_ok(scrip_vcard_make(path, &EV3, error));
}

/* The first files had zeros where the length of the UID and the variant are now. */
static void a_file_of_before_the_families_is_the_same_card(void **state)
{
    (void)state;
    static const uint8_t header[] = {'s',  'c',  'r',  'i',  'p',  'c',  'r',  'd', 1, 0,    1,    2, 4,
                                     0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x16, 3,   0, 0xDC, 0x05, 0, 0};
    uint8_t page[SCRIP_NV_PAGE] = {0};
    struct scrip_vcard_identity found = {0};
    assert_ok(scrip_vcard_make(path, &EV3, error));
    memcpy(page, header, sizeof header);
    scrip_put_le32(page + 26, scrip_vcard_pages(&EV3));
    memcpy(page + 30, "an12113", 7);
    scrip_put_le32(page + 60, scrip_crc32(SCRIP_CRC32_START, scrip_bytes(page, 60)));
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(page, 1, sizeof page, file), sizeof page);
    fclose(file);
    assert_ok(scrip_vcard_read_identity(path, &found));
    assert_int_equal(found.uid_len, 7);
    assert_memory_equal(found.uid, EV3.uid, 7);
    assert_string_equal(found.profile, "an12113");
    assert_true(found.keep_pending_on_auth && found.end_session_on_0c && !found.genuine);
    assert_int_equal(found.transaction_timer_ms, 1500);
    struct scrip_vcard *card = opened();
    assert_false(card->storage);
    scrip_vcard_close(card);
}

/* ---- dumps ------------------------------------------------------------------------------------------------------ */

static void a_card_made_from_a_dump_holds_it(void **state)
{
    (void)state;
    static struct scrip_card_dump dump, found;
    struct scrip_vcard_identity identity = {0};
    memset(&dump, 0, sizeof dump);
    dump.uid_len = 7;
    memcpy(dump.uid, EV3.uid, 7);
    dump.atqa[0] = 0x42;
    dump.sak = 0x18;
    dump.blocks = 256;
    for (unsigned b = 1; b < 256; b++) {
        memset(dump.data[b], (int)b, 16);
        dump.known[b] = b == 255 ? 0x03C0 : 0xFFFF;
    }
    assert_ok(scrip_vcard_make_from(path, &dump, true, error));
    assert_ok(scrip_vcard_read_identity(path, &identity));
    assert_int_equal(identity.variant, SCRIP_VCARD_4K);
    assert_true(identity.genuine);
    assert_memory_equal(identity.uid, EV3.uid, 7);
    assert_ok(scrip_vcard_dump(path, &found, error));
    assert_int_equal(found.blocks, 256);
    assert_memory_equal(found.data[1], dump.data[1], 254 * 16);
    assert_hex(scrip_bytes(found.data[255], 16), "FFFFFFFFFFFF FFFFFFFF FFFFFFFFFFFF");
    assert_hex(scrip_bytes(found.data[0], 10), "04112233445566 18 4200");
}

static void only_a_classic_card_has_a_dump(void **state)
{
    (void)state;
    static struct scrip_card_dump dump;
    assert_ok(scrip_vcard_make(path, &EV3, error));
    assert_status(scrip_vcard_dump(path, &dump, error), SCRIP_E_UNSUPPORTED);
    assert_non_null(strstr(error, "not a MIFARE Classic"));
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
        WITH_FOLDER(every_family_is_made_opened_and_told_by_its_header),
        WITH_FOLDER(what_no_family_has_cannot_be_made),
        WITH_FOLDER(a_storage_card_knows_no_apdus),
        WITH_FOLDER(a_file_of_before_the_families_is_the_same_card),
        WITH_FOLDER(a_card_made_from_a_dump_holds_it),
        WITH_FOLDER(only_a_classic_card_has_a_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
