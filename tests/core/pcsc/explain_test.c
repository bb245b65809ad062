/* Pseudo-APDUs in words. */
#include "check.h"
#include <scrip/pcsc.h>

#define V500 "F40100000BFEFFFFF401000004FB04FB"
#define KEYS "A0A1A2A3A4A5FF078069B0B1B2B3B4B5"

static size_t explain(const char *command, const char *response, char *text, size_t cap)
{
    uint8_t sent[600];
    uint8_t heard[600];
    const struct scrip_bytes capdu = scrip_bytes(sent, from_hex(command, sent, sizeof sent));
    struct scrip_pcsc_redaction seen = {0};
    return scrip_pcsc_explain(&seen, capdu, scrip_bytes(heard, from_hex(response, heard, sizeof heard)), text, cap);
}

static void commands_and_answers_are_told_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *response;
        const char *says;
    } table[] = {
        {"FFCA000000", "DEADBEEF9000", "reader: UID -> OK: DEADBEEF"},
        {"FFCA010000", "6A81", "reader: ATS -> not known to the reader, or not for this card (6A81)"},
        {"FF82000106A0A1A2A3A4A5", "9000", "reader: load a key (not shown) into slot 1 -> OK"},
        {"FF860000050100076000", "9000", "reader: authenticate block 7 with key A of slot 0 -> OK"},
        {"FF860000050100076101", "6300",
         "reader: authenticate block 7 with key B of slot 1 -> refused by the card, or a wrong key (6300)"},
        {"FF8800046000", "9000", "reader: authenticate block 4 with key A of slot 0 -> OK"},
        {"FF8600000401000760", "6700", "reader: authenticate, of a wrong length -> of a wrong length (6700)"},
        {"FFB0000410", V500 "9000", "reader: read block 4 -> OK: value 500, address 4"},
        {"FFB0000400", "000102030405060708090A0B0C0D0E0F9000",
         "reader: read block 4 -> OK: 000102030405060708090A0B0C0D0E0F"},
        {"FFB0000420", "6982", "reader: read block 4 and on, bytes: 32 -> not authenticated for that (6982)"},
        {"FFD6000410" V500, "9000", "reader: write block 4: value 500, address 4 -> OK"},
        {"FFB0000710", KEYS "9000", "reader: read block 7 -> OK: 000000000000FF078069000000000000"},
        {"FFC2000104 9502 3007", "C003009000 9710" KEYS "9000",
         "reader: transparent exchange: 95023007 -> OK: C0030090009710000000000000FF078069000000000000"},
        {"FFC2000116 9502A007 9510" KEYS, "C003009000 9000",
         "reader: transparent exchange: 9502A0079510000000000000FF078069000000000000 -> OK: C003009000"},
        {"FFD6000710" KEYS, "9000", "reader: write block 7: 000000000000FF078069000000000000 -> OK"},
        {"FFD70004050200000096", "9000", "reader: decrement block 4 by 150 -> OK"},
        {"FFD70004050100000096", "6301", "reader: increment block 4 by 150 -> no answer from the card (6301)"},
        {"FFD700040500FFFFFFFE", "9000", "reader: store in block 4: -2 -> OK"},
        {"FFD70004020305", "9000", "reader: restore block 4 to block 5 -> OK"},
        {"FFB1000404", "000001F49000", "reader: read the value of block 4 -> OK: 000001F4"},
        {"FFF0000406C00496000000", "9000", "reader: decrement block 4 by 150 -> OK"},
        {"FFD400040496000000", "9000", "reader: increment block 4 by 150 -> OK"},
        {"FFD800040196", "9000", "reader: decrement block 4 by 150 -> OK"},
        {"FFC200030BA10980010481049600000000", "C0030090009000", "reader: decrement block 4 by 150 -> OK: C003009000"},
        {"FFC20000028100", "", "reader: transparent session: 8100 -> no answer"},
        {"FFC2000104950230 04", "C0030164019000", "reader: transparent exchange: 95023004 -> OK: C003016401"},
        {"FF00000002D402", "D503320106079000", "reader: to the chip: D402 -> OK: D50332010607"},
        {"FF0000000FD440016007A0A1A2A3A4A504030201", "D541009000",
         "reader: to the chip: D44001600700000000000004030201 -> OK: D54100"},
        {"FF12345602AABB", "6D00", "reader: command 123456 AABB -> not known to the reader (6D00)"},
        {"FF82000006A0", "6700", "reader: no APDU: FF8200000000 -> of a wrong length (6700)"},
        {"FFCA000000", "6985", "reader: UID -> status (6985)"},
        {"FF00400D0401010101", "9001", "reader: lamps or settings -> 9001"},
        {"FFD80004", "6700", "reader: change a value, of a wrong length -> of a wrong length (6700)"},
        {"FF88000460", "6700", "reader: authenticate, of a wrong length -> of a wrong length (6700)"},
        {"FFF0000405C001000000", "6700", "reader: change a value, of a wrong length -> of a wrong length (6700)"},
        {"FFD7000403010203", "6700", "reader: write block 4: 010203 -> of a wrong length (6700)"},
        {"FFC20002048F020003", "C003009000 8F01089000",
         "reader: switch the protocol: 8F020003 -> OK: C0030090008F0108"},
        {"FFC200030180", "C003016A809000", "reader: objects: 80 -> OK: C003016A80"},
        {"FF00480000", "41435231323255323037", "reader: the reader's name -> 41435231323255323037"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[200];
        const size_t len = explain(table[i].command, table[i].response, text, sizeof text);
        assert_string_equal(text, table[i].says);
        assert_int_equal(len, strlen(text));
    }
}

static void what_is_not_of_the_reader_is_not_explained(void **state)
{
    (void)state;
    char text[8] = "before";
    assert_int_equal(explain("9060000000", "91AF", text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(explain("", "", text, sizeof text), 0);
}

static void a_line_is_cut_where_its_room_ends(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(explain("FFCA000000", "9000", text, sizeof text), 7);
    assert_string_equal(text, "reader:");
    assert_int_equal(explain("FFCA000000", "9000", text, 1), 0);
    assert_string_equal(text, "");
}

static void of_long_data_the_beginning_is_shown(void **state)
{
    (void)state;
    char text[600];
    char command[2 * 300 + 1] = "FFC20001FA";
    for (size_t i = 10; i < 2 * 255; i++) {
        command[i] = '5';
    }
    command[2 * 255] = '\0';
    (void)explain(command, "9000", text, sizeof text);
    assert_non_null(strstr(text, "5555... -> OK"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_answers_are_told_in_words),
        cmocka_unit_test(what_is_not_of_the_reader_is_not_explained),
        cmocka_unit_test(a_line_is_cut_where_its_room_ends),
        cmocka_unit_test(of_long_data_the_beginning_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
