/* Pseudo-APDUs for storage cards: successes, and every refusal, with what reached the card for each. */
#include "bench.h"

#define B4      "04040404040404040404040404040404"
#define B6      "06060606060606060606060606060606"
#define D1      "11111111111111111111111111111111"
#define D2      "22222222222222222222222222222222"
#define D3      "33333333333333333333333333333333"
#define TRAILER "A0A1A2A3A4A5FF078069B0B1B2B3B4B5"

static void the_reader_tells_who_is_there(void **state)
{
    (void)state;
    static const struct exchange classic[] = {
        {"FFCA000000", "040302019000", ""}, {"FFCA0000", "040302019000", ""},
        {"FFCA000004", "040302019000", ""}, {"FFCA000003", "6C04", ""},
        {"FFCA000007", "040302016282", ""}, {"FFCA010000", "6A81", ""},
        {"FFCA020000", "6A81", ""},         {"FFCA000100", "6A81", ""},
        {"FFCA00000100", "6700", ""},       {"FFCA0000000000", "040302019000", ""},
    };
    static const struct exchange desfire[] = {
        {"FFCA000000", "040102030405069000", ""},
        {"FFCA010000", "0675778102809000", ""},
        {"FFCA010005", "6C06", ""},
        {"FFCA010008", "0675778102806282", ""},
    };
    EACH_ALONE(given_classic, classic);
    EACH_ALONE(given_desfire, desfire);
}

static void what_is_no_command_has_its_status_word(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FF1200000000", "6700", ""},   {"FF12000000", "6D00", ""}, {"FFC0000010", "6D00", ""},
        {"FF0000", "6700", ""},         {"FF", "6700", ""},         {"", "6700", ""},
        {"FF00000002D402", "6D00", ""}, {"FF00480000", "6D00", ""}, /* no chip below */
        {"00A4040000", "6D00", ""},     {"9060000000", "6D00", ""}, /* a storage card has no APDUs */
        {"FFC20005028100", "6A81", ""},
    };
    EACH_ALONE(given_classic, rows);
}

static void keys_go_into_slots(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FF82000006A0A1A2A3A4A5", "9000", ""},   {"FF82000106A0A1A2A3A4A5", "9000", ""},
        {"FF82000206A0A1A2A3A4A5", "6988", ""},   {"FF82800006A0A1A2A3A4A5", "6983", ""},
        {"FF82400006A0A1A2A3A4A5", "6985", ""},   {"FF82200006A0A1A2A3A4A5", "6987", ""},
        {"FF82010006A0A1A2A3A4A5", "6A81", ""},   {"FF82000005A0A1A2A3A4", "6989", ""},
        {"FF82000007A0A1A2A3A4A5A6", "6989", ""}, {"FF820000", "6989", ""},
        {"FF82000006A0A1A2A3A4", "6700", ""},
    };
    EACH_ALONE(given_classic, rows);
}

static void authentication_uses_the_key_of_its_slot(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FF860000050100046000", "9000", "6004FFFFFFFFFFFF04030201"},
        {"FF860000050100076100", "9000", "6107FFFFFFFFFFFF04030201"},
        {"FF860000050100046001", "6984", ""}, /* an empty slot */
        {"FF860000050100046002", "6988", ""},
        {"FF860000050100046200", "6986", ""},
        {"FF860000050100406000", "6581", ""},
        {"FF860000050101046000", "6581", ""},
        {"FF860000050200046000", "6A81", ""},
        {"FF8600000401000460", "6700", ""},
        {"FF860100050100046000", "6A81", ""},
        /* the old form, with and without Lc */
        {"FF8800046000", "9000", "6004FFFFFFFFFFFF04030201"},
        {"FF880004026100", "9000", "6104FFFFFFFFFFFF04030201"},
        {"FF8801046000", "6581", ""},
        {"FF8800406000", "6581", ""},
        {"FF8800046001", "6984", ""},
        {"FF88000460", "6700", ""},
        {"FF8800046500", "6986", ""},
    };
    EACH_ALONE(given_classic, rows);
}

static void a_wrong_key_is_6300_and_the_card_is_selected_again(void **state)
{
    (void)state;
    struct bench b = {0};
    given_classic(&b);
    ask(&b, "FF82000106A0A1A2A3A4A5");
    assert_hex(ask(&b, "FF860000050100046001"), "6300");
    assert_hex(ask(&b, "FFB0000410"), "6982");
    assert_hex(ask(&b, AUTH), "9000");
    assert_string_equal(b.fake.log, "6004A0A1A2A3A4A504030201 again 6004FFFFFFFFFFFF04030201");
    assert_hex(ask(&b, "FFB0000410"), B4 "9000");
}

static void of_a_long_uid_the_end_is_authenticated_with(void **state)
{
    (void)state;
    struct bench b = {0};
    fake_coupler_init(&b.fake);
    b.fake.target.uid_len = 7;
    memcpy(b.fake.target.uid, "\x04\x11\x22\x33\x44\x55\x66", 7);
    connected(&b);
    ask(&b, KEY);
    assert_hex(ask(&b, AUTH), "9000");
    assert_string_equal(b.fake.log, "6004FFFFFFFFFFFF33445566");
}

static void blocks_are_read(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FFB0000410", B4 "9000", "3004"},
        {"FFB0000400", B4 "9000", "3004"},
        {"FFB0000710", "07070707070707070707070707070707 9000", "3007"}, /* a trailer alone */
        {"FFB0000420", B4 "E8030000 17FCFFFF E8030000 05FA05FA 9000", "3004 3005"},
        {"FFB0000430", B4 "E8030000 17FCFFFF E8030000 05FA05FA" B6 "9000", "3004 3005 3006"},
        {"FFB0000440", B4 "E8030000 17FCFFFF E8030000 05FA05FA" B6 "6282", "3004 3005 3006"}, /* never the trailer */
        {"FFB0000620", B6 "6282", "3006"},
        {"FFB0000720", "07070707070707070707070707070707 6282", "3007"},
        {"FFB000040F", "6C10", ""},
        {"FFB0000411", "6C10", ""},
        {"FFB000042F", "6C20", ""},
        {"FFB00004", "6700", ""},
        {"FFB000040110", "6700", ""},
        {"FFB0000810", "6982", ""}, /* another sector */
        {"FFB0000310", "6982", ""},
        {"FFB0004010", "6A82", ""}, /* no such block */
        {"FFB0010410", "6A82", ""},
    };
    EACH_ALONE(given_session, rows);
}

static void blocks_are_written(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FFD6000410" D1, "9000", "A004" D1},
        {"FFD6000420" D1 D2, "9000", "A004" D1 " A005" D2},
        {"FFD6000430" D1 D2 D3, "9000", "A004" D1 " A005" D2 " A006" D3},
        {"FFD7000430" D1 D2 D3, "9000", "A004" D1 " A005" D2 " A006" D3}, /* the sector write of Identiv */
        {"FFD6000440" D1 D2 D3 TRAILER, "6A82", ""},                      /* a trailer only alone */
        {"FFD6000620" D1 TRAILER, "6A82", ""},
        {"FFD6000710" TRAILER, "9000", "A007" TRAILER},
        {"FFD6000710" D1, "6A80", ""}, /* would lock the sector for ever */
        {"FFD600040F"
         "111111111111111111111111111111",
         "6700", ""},
        {"FFD6000411" D1 "11", "6700", ""},
        {"FFD60004", "6700", ""},
        {"FFD6000810" D1, "6982", ""},
        {"FFD6004010" D1, "6A82", ""},
        {"FFD6010410" D1, "6A82", ""},
    };
    EACH_ALONE(given_session, rows);
}

static void every_dialect_changes_values(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        /* ACS */
        {"FFD7000505 01 00000102", "9000", "C10502010000 B005"},
        {"FFD7000505 02 00000102", "9000", "C00502010000 B005"},
        {"FFD7000505 00 000003E8", "9000", "A005E803000017FCFFFFE803000005FA05FA"},
        {"FFD7000405 00 FFFFFFFF", "9000", "A004FFFFFFFF00000000FFFFFFFF04FB04FB"},
        {"FFD7000502 03 06", "9000", "C20500000000 B006"},
        {"FFB1000504", "000003E89000", "3005"},
        {"FFB1000500", "000003E89000", "3005"},
        {"FFB1000503", "6C04", "3005"},
        {"FFB1000505", "000003E86282", "3005"},
        /* Identiv, Omnikey, PC/SC 2.02 */
        {"FFF0000506 C105 02010000", "9000", "C10502010000 B005"},
        {"FFF0000506 C005 02010000", "9000", "C00502010000 B005"},
        {"FFD4000504 02010000", "9000", "C10502010000 B005"},
        {"FFD4000501 02", "9000", "C10502000000 B005"},
        {"FFD8000504 02010000", "9000", "C00502010000 B005"},
        {"FFD8000502 0201", "9000", "C00502010000 B005"},
        {"FFC200030B A009 800105 8104 02010000 00", "C00300 9000 9000", "C10502010000 B005"},
        {"FFC200030B A109 800105 8104 02010000 00", "C00300 9000 9000", "C00502010000 B005"},
    };
    EACH_ALONE(given_session, rows);
}

static void values_are_refused_in_every_dialect(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FFD7000505 03 00000001", "6A81", ""},
        {"FFD7000502 01 06", "6A81", ""},
        {"FFD7000504 01 000001", "6700", ""},
        {"FFD7000805 01 00000001", "6982", ""},
        {"FFD7004005 01 00000001", "6A82", ""},
        {"FFD7010505 01 00000001", "6A81", ""},
        {"FFD7000705 00 00000001", "6A82", ""}, /* a trailer is no purse */
        {"FFD7000502 03 08", "6982", ""},       /* into another sector */
        {"FFD7000802 03 05", "6982", ""},
        {"FFD7000505 01 FFFFFFFF", "6300", "C105FFFFFFFF"}, /* the card refuses */
        {"FFD7000405 01 00000001", "6300", "C10401000000"},
        {"FFB1000404", "6300", "3004"}, /* no value block */
        {"FFB1000804", "6982", ""},
        {"FFB10005", "6700", ""},
        {"FFF0000506 C205 00000000", "6A81", ""},
        {"FFF0000506 C106 01000000", "6A80", ""}, /* two blocks named */
        {"FFF0000505 C105 010000", "6700", ""},
        {"FFF0000806 C108 01000000", "6982", ""},
        {"FFD4000505 0100000000", "6700", ""},
        {"FFD4000801 01", "6982", ""},
        {"FFD8000405 01", "6700", ""},
        {"FFC200030B A009 800108 8104 01000000 00", "C00301 6982 9000", ""},
        {"FFC200030B A009 800104 8104 01000000 00", "C00301 6300 9000", "C10401000000"},
        {"FFC200030A A008 800105 8103 010000 00", "C00301 6A80 9000", ""},
        {"FFC200030C A00A 800105 8104 01000000 00 00", "C00301 6A80 9000", ""},
        {"FFC200030B A209 800105 8104 01000000 00", "C00301 6A81 9000", ""},
        {"FFC200030B A00A 800105 8104 01000000 00", "C00301 6700 9000", ""},
    };
    EACH_ALONE(given_session, rows);
}

static void what_the_card_does_to_a_command_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        unsigned fail_after;
        enum scrip_status fails;
        const char *answer;
    } table[] = {
        {"FFB0000410", 0, SCRIP_E_CARD, "6300"},
        {"FFB0000410", 0, SCRIP_E_TORN, "6301"},
        {"FFD6000410" D1, 0, SCRIP_E_CARD, "6300"},
        {"FFD6000410" D1, 0, SCRIP_E_TORN, "6301"},
        {"FFD6000420" D1 D2, 1, SCRIP_E_CARD, "6300"},
        {"FFD7000505 01 00000001", 0, SCRIP_E_CARD, "6300"},
        {"FFD7000505 01 00000001", 1, SCRIP_E_CARD, "6300"},
        {"FFD7000505 01 00000001", 1, SCRIP_E_TORN, "6301"},
        {"FFD7000502 03 06", 1, SCRIP_E_TORN, "6301"},
        {"FFB1000504", 0, SCRIP_E_CARD, "6300"},
        {"FFC200030B A009 800105 8104 01000000", 1, SCRIP_E_TORN, "C00301 6401 9000"},
        {AUTH, 0, SCRIP_E_AUTH, "6300"},
        {AUTH, 0, SCRIP_E_TORN, "6301"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bench b = {0};
        given_session(&b);
        b.fake.fail_after = table[i].fail_after;
        b.fake.fails = table[i].fails;
        assert_hex(ask(&b, table[i].command), table[i].answer);
        b.fake.fail_after = UINT32_MAX;
        b.fake.log[0] = '\0';
        assert_hex(ask(&b, "FFB0000410"), "6982"); /* the session is gone */
        assert_hex(ask(&b, AUTH), "9000");
        assert_string_equal(b.fake.log, "again 6004FFFFFFFFFFFF04030201");
    }
}

static void what_the_reader_refuses_leaves_the_session_alone(void **state)
{
    (void)state;
    struct bench b = {0};
    given_session(&b);
    assert_hex(ask(&b, "FFB0000810"), "6982");
    assert_hex(ask(&b, "FFD6000710" D1), "6A80");
    assert_hex(ask(&b, "FF860000050100046001"), "6984");
    assert_hex(ask(&b, "FFB0000410"), B4 "9000");
}

static void another_sector_ends_the_session_of_the_first(void **state)
{
    (void)state;
    struct bench b = {0};
    given_session(&b);
    assert_hex(ask(&b, "FF860000050100086000"), "9000");
    assert_hex(ask(&b, "FFB0000410"), "6982");
    assert_hex(ask(&b, "FFB0000810"), "08080808080808080808080808080808 9000");
}

static void a_reset_forgets_the_session_and_off_forgets_the_keys(void **state)
{
    (void)state;
    struct bench b = {0};
    given_session(&b);
    assert_ok(scrip_pcsc_connect(&b.pcsc, 0, &b.info));
    assert_hex(ask(&b, "FFB0000410"), "6982");
    assert_hex(ask(&b, AUTH), "9000");
    scrip_pcsc_off(&b.pcsc);
    for (size_t i = 0; i < sizeof b.pcsc.keys; i++) {
        assert_int_equal(((const uint8_t *)b.pcsc.keys)[i], 0);
    }
    assert_ok(scrip_pcsc_connect(&b.pcsc, 0, &b.info));
    assert_hex(ask(&b, AUTH), "6984");
}

static void a_4k_card_has_256_blocks_and_a_mini_20(void **state)
{
    (void)state;
    struct bench b = {0};
    fake_coupler_init(&b.fake);
    b.fake.target.sak = 0x18;
    connected(&b);
    ask(&b, KEY);
    assert_hex(ask(&b, "FF860000050100FF6000"), "9000");
    assert_int_equal(ask(&b, "FFB000F0F0").len, 15 * 16 + 2); /* a large sector without its trailer */
    assert_hex(ask(&b, "FFB000EF10"), "6982");
    b.fake.target.sak = 0x09;
    assert_ok(scrip_pcsc_connect(&b.pcsc, 0, &b.info));
    assert_hex(ask(&b, "FF860000050100136000"), "9000");
    assert_hex(ask(&b, "FF860000050100146000"), "6581");
}

static void cards_of_other_kinds_have_no_blocks(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FF860000050100046000", "6A81", ""},
        {"FF8800046000", "6A81", ""},
        {"FFB0000410", "6A81", ""},
        {"FFD6000410" D1, "6A81", ""},
        {"FFD4000501 02", "6A81", ""},
        {KEY, "9000", ""},
        {"FFC200030B A009 800105 8104 02010000", "6A81", ""},
    };
    EACH_ALONE(given_desfire, rows);
}

static void apdus_of_a_card_of_part_4_pass(void **state)
{
    (void)state;
    struct bench b = {0};
    given_desfire(&b);
    b.fake.answer_len = from_hex("04010133001A0591AF", b.fake.answer, sizeof b.fake.answer);
    assert_hex(ask(&b, "9060000000"), "04010133001A0591AF");
    assert_string_equal(b.fake.log, "apdu:9060000000");
}

static void a_card_that_goes_in_an_apdu_must_be_connected_anew(void **state)
{
    (void)state;
    struct bench b = {0};
    struct scrip_buf out = SCRIP_BUF_OF(b.talk.at);
    static const uint8_t command[] = {0x90, 0x60, 0, 0, 0};
    given_desfire(&b);
    b.fake.answers = SCRIP_E_TORN;
    assert_status(scrip_pcsc_apdu(&b.pcsc, SCRIP_BYTES_OF(command), &out), SCRIP_E_TORN);
    b.fake.answers = SCRIP_OK;
    assert_status(scrip_pcsc_apdu(&b.pcsc, SCRIP_BYTES_OF(command), &out), SCRIP_E_NO_CARD);
    assert_int_equal(out.len, 0);
}

static void without_a_card_nothing_is_answered(void **state)
{
    (void)state;
    struct bench b = {0};
    struct scrip_buf out = SCRIP_BUF_OF(b.talk.at);
    static const uint8_t uid[] = {0xFF, 0xCA, 0, 0, 0};
    fake_coupler_init(&b.fake);
    b.fake.absent = true;
    scrip_pcsc_init(&b.pcsc, &b.fake.coupler);
    assert_status(scrip_pcsc_connect(&b.pcsc, 0, &b.info), SCRIP_E_NO_CARD);
    assert_status(scrip_pcsc_apdu(&b.pcsc, SCRIP_BYTES_OF(uid), &out), SCRIP_E_NO_CARD);
}

static void a_card_that_left_is_missed_before_anything_is_sent(void **state)
{
    (void)state;
    struct bench b = {0};
    uint8_t command[16];
    struct scrip_buf out = SCRIP_BUF_OF(b.talk.at);
    const size_t len = from_hex(AUTH, command, sizeof command);
    given_session(&b);
    b.fake.fail_after = 0;
    assert_hex(ask(&b, "FFB0000410"), "6300");
    b.fake.absent = true;
    assert_status(scrip_pcsc_apdu(&b.pcsc, scrip_bytes(command, len), &out), SCRIP_E_NO_CARD);
    b.fake.absent = false;
    b.fake.fail_after = UINT32_MAX;
    assert_hex(ask(&b, AUTH), "9000");
}

static void a_card_that_lost_power_is_found_from_the_beginning(void **state)
{
    (void)state;
    struct bench b = {0};
    given_session(&b);
    b.fake.fail_after = 0;
    b.fake.fails = SCRIP_E_TORN;
    assert_hex(ask(&b, "FFB0000410"), "6301");
    b.fake.fail_after = UINT32_MAX;
    b.fake.lost = true;
    assert_hex(ask(&b, AUTH), "9000");
    assert_string_equal(b.fake.log, "3004 again find 6004FFFFFFFFFFFF04030201");
}

static void another_card_in_its_place_is_not_taken_for_it(void **state)
{
    (void)state;
    struct bench b = {0};
    uint8_t command[16];
    struct scrip_buf out = SCRIP_BUF_OF(b.talk.at);
    const size_t len = from_hex(AUTH, command, sizeof command);
    given_session(&b);
    b.fake.fail_after = 0;
    assert_hex(ask(&b, "FFB0000410"), "6300");
    b.fake.fail_after = UINT32_MAX;
    b.fake.lost = true;
    b.fake.target.uid[3] = 0x55;
    assert_status(scrip_pcsc_apdu(&b.pcsc, scrip_bytes(command, len), &out), SCRIP_E_NO_CARD);
    assert_ok(scrip_pcsc_connect(&b.pcsc, 0, &b.info));
    assert_hex(ask(&b, AUTH), "9000");
}

static void a_random_uid_is_a_new_one_after_a_power_cycle(void **state)
{
    (void)state;
    struct bench b = {0};
    fake_coupler_part_4(&b.fake);
    b.fake.target.uid_len = 4;
    memcpy(b.fake.target.uid, "\x08\x11\x22\x33", 4);
    connected(&b);
    assert_hex(ask(&b, "FFCA000000"), "081122339000");
    b.fake.target.uid[1] = 0x99;
    ask(&b, "FFC2000006 810083008400");
    assert_hex(ask(&b, "9060000000"), "");
    assert_hex(ask(&b, "FFCA000000"), "089922339000");
}

static void no_room_for_an_answer_is_told_before_anything_is_done(void **state)
{
    (void)state;
    struct bench b = {0};
    uint8_t command[32];
    uint8_t room[17];
    struct scrip_buf none = scrip_buf(room, 1);
    struct scrip_buf few = scrip_buf(room, 17);
    given_session(&b);
    const size_t len = from_hex("FFD6000410" D1, command, sizeof command);
    assert_status(scrip_pcsc_apdu(&b.pcsc, scrip_bytes(command, len), &none), SCRIP_E_SPACE);
    assert_string_equal(b.fake.log, "");
    static const uint8_t read[] = {0xFF, 0xB0, 0, 4, 0x10};
    assert_status(scrip_pcsc_apdu(&b.pcsc, SCRIP_BYTES_OF(read), &few), SCRIP_E_SPACE);
    assert_int_equal(few.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_tells_who_is_there),
        cmocka_unit_test(what_is_no_command_has_its_status_word),
        cmocka_unit_test(keys_go_into_slots),
        cmocka_unit_test(authentication_uses_the_key_of_its_slot),
        cmocka_unit_test(a_wrong_key_is_6300_and_the_card_is_selected_again),
        cmocka_unit_test(of_a_long_uid_the_end_is_authenticated_with),
        cmocka_unit_test(blocks_are_read),
        cmocka_unit_test(blocks_are_written),
        cmocka_unit_test(every_dialect_changes_values),
        cmocka_unit_test(values_are_refused_in_every_dialect),
        cmocka_unit_test(what_the_card_does_to_a_command_is_told_apart),
        cmocka_unit_test(what_the_reader_refuses_leaves_the_session_alone),
        cmocka_unit_test(another_sector_ends_the_session_of_the_first),
        cmocka_unit_test(a_reset_forgets_the_session_and_off_forgets_the_keys),
        cmocka_unit_test(a_4k_card_has_256_blocks_and_a_mini_20),
        cmocka_unit_test(cards_of_other_kinds_have_no_blocks),
        cmocka_unit_test(apdus_of_a_card_of_part_4_pass),
        cmocka_unit_test(a_card_that_goes_in_an_apdu_must_be_connected_anew),
        cmocka_unit_test(without_a_card_nothing_is_answered),
        cmocka_unit_test(a_card_that_left_is_missed_before_anything_is_sent),
        cmocka_unit_test(a_card_that_lost_power_is_found_from_the_beginning),
        cmocka_unit_test(another_card_in_its_place_is_not_taken_for_it),
        cmocka_unit_test(a_random_uid_is_a_new_one_after_a_power_cycle),
        cmocka_unit_test(no_room_for_an_answer_is_told_before_anything_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
