/* The transparent session: objects, their refusals, and what goes on the air for them. */
#include "bench.h"

#define OPEN "FFC2000002810000"

static struct bench *given_open(struct bench *b)
{
    given_classic(b);
    assert_hex(ask(b, OPEN), "C003009000 9000");
    b->fake.answer_len = from_hex("0102", b->fake.answer, sizeof b->fake.answer);
    return b;
}

static struct bench *given_open_desfire(struct bench *b)
{
    given_desfire(b);
    assert_hex(ask(b, OPEN), "C003009000 9000");
    b->fake.answer_len = from_hex("0102", b->fake.answer, sizeof b->fake.answer);
    b->fake.log[0] = '\0';
    return b;
}

static void a_session_is_opened_and_closed(void **state)
{
    (void)state;
    static const struct exchange outside[] = {
        {"FFC20000028000", "C003009000 8003020200 9000", ""},
        {"FFC20000028100", "C003009000 9000", ""},
        {"FFC20000028200", "C003016301 9000", ""}, /* none is open */
        {"FFC20000028300", "C003016301 9000", ""},
        {"FFC20000028400", "C003016301 9000", ""},
        {"FFC200000481008000", "C003009000 8003020200 9000", ""},
        {"FFC200000980005F460400000000", "C003009000 8003020200 9000", ""},
        {"FFC20000028800", "C003016A81 9000", ""},
        {"FFC2000003810100", "C003016700 9000", ""},
        {"FFC2000003800081", "C003026700 8003020200 9000", ""}, /* cut in the second */
        {"FFC20000028181", "C003016700 9000", ""},              /* a length that is not there */
        {"FFC20000028180", "C003016700 9000", ""},              /* an indefinite one */
        {"FFC20000058183000000", "C003016700 9000", ""},        /* one of three bytes */
        {"FFC20000015F", "6700", ""},
        {"FFC20000025F46", "C003016700 9000", ""},
    };
    static const struct exchange open[] = {
        {"FFC20000028300", "C003009000 9000", "off"},
        {"FFC20000028400", "C003009000 9000", ""}, /* it is on */
        {"FFC200000483008400", "C003009000 9000", "off on"},
        {"FFC200000B83005F4604102700008400", "C003009000 9000", "off on"},
        {"FFC20000028200", "C003009000 9000", ""},
    };
    EACH_ALONE(given_classic, outside);
    EACH_ALONE(given_open, open);
}

static void frames_are_exchanged_as_the_flags_say(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FFC20001049502 3004", "C003009000 920100 96020000 97020102 9000", "raw+crc+check,0,40000:3004"},
        {"FFC20001089002 0001 9502 3004", "C003009000 920100 96020000 97020102 9000", "raw+check,0,40000:3004"},
        {"FFC20001089002 0002 9502 3004", "C003009000 920100 96020000 97020102 9000", "raw+crc,0,40000:3004"},
        {"FFC20001089002 000F 9502 3004", "C003009000 920100 96020000 97020102 9000", "raw-parity,0,40000:3004"},
        {"FFC200010A9002 0003 910107 9501 52", "C003009000 920100 96020000 97020102 9000", "raw,7,40000:52"},
        {"FFC200010B5F4604 E8030000 9502 3004", "C003009000 920100 96020000 97020102 9000",
         "raw+crc+check,0,1000:3004"},
        {"FFC200010B5F4604 FFFFFFFF 9502 3004", "C003009000 920100 96020000 97020102 9000",
         "raw+crc+check,0,5000000:3004"}, /* nobody takes longer */
        {"FFC20001069302 3004 9400", "C003009000 920100 96020000 97020102 9000", "raw+crc+check,0,40000:3004"},
        {"FFC20001049302 3004", "C003009000 9000", "raw+crc+check,0,40000:3004"},
        {"FFC20001089302 3004 9302 3005", "C003009000 9000", "raw+crc+check,0,40000:3004 raw+crc+check,0,40000:3005"},
        {"FFC2000105958102 3004", "C003009000 920100 96020000 97020102 9000", "raw+crc+check,0,40000:3004"},
        {"FFC200010695820002 3004", "C003009000 920100 96020000 97020102 9000", "raw+crc+check,0,40000:3004"},
        {"FFC2000107920100 9502 3004", "C003009000 920100 96020000 97020102 9000", "raw+crc+check,0,40000:3004"},
        {"FFC200010AFF6E03 030101 9502 3004", "C003009000 920100 96020000 97020102 9000",
         "raw+crc+check,0,606:3004"}, /* FWI 1 */
        /* refusals: nothing is sent behind them */
        {"FFC20001029400", "C003016401 9000", ""},
        {"FFC20001089002 0004 9502 3004", "C003016A81 9000", ""}, /* parity of one way only */
        {"FFC20001089002 0020 9502 3004", "C003016A81 9000", ""},
        {"FFC2000107910108 9502 3004", "C003016A80 9000", ""},
        {"FFC2000107920108 9502 3004", "C003016A80 9000", ""},
        {"FFC20001029500", "C003016700 9000", ""},
        {"FFC20001028300", "C003016A81 9000", ""}, /* of another command */
    };
    EACH_ALONE(given_open, rows);
}

static void bits_and_timer_hold_once_and_flags_until_the_end(void **state)
{
    (void)state;
    struct bench b = {0};
    given_open(&b);
    ask(&b, "FFC2000111 9002 0003 910107 5F4604 E8030000 9501 26");
    ask(&b, "FFC2000104 9502 9320");
    ask(&b, "FFC2000004 8200 8100");
    ask(&b, "FFC2000104 9502 3004");
    assert_string_equal(b.fake.log, "raw,7,1000:26 raw,0,40000:9320 again raw+crc+check,0,40000:3004");
}

static void what_was_heard_is_told(void **state)
{
    (void)state;
    struct bench b = {0};
    given_open(&b);
    b.fake.answer_bits = 4;
    b.fake.answer_len = from_hex("0A", b.fake.answer, sizeof b.fake.answer);
    assert_hex(ask(&b, "FFC2000104 9502 3004"), "C003009000 920104 96020000 97010A 9000");
    b.fake.answer_bits = 0;
    b.fake.answer_len = 200;
    assert_int_equal(ask(&b, "FFC2000104 9502 3004").len, 5 + 3 + 4 + 3 + 200 + 2);
    assert_hex(scrip_bytes(b.talk.at + 12, 3), "9781C8");
    b.fake.answer_len = 256;
    assert_int_equal(ask(&b, "FFC2000104 9502 3004").len, 5 + 3 + 4 + 4 + 256 + 2);
    assert_hex(scrip_bytes(b.talk.at + 12, 4), "97820100");
}

static void silence_and_noise_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        enum scrip_status answers;
        const char *command;
        const char *answer;
    } table[] = {
        {SCRIP_E_TIMEOUT, "FFC2000104 9502 3004", "C003016401 9000"},
        {SCRIP_E_MAC, "FFC2000104 9502 3004", "C003016F00 96020100 9000"},
        {SCRIP_E_MAC, "FFC2000108 9002 0002 9502 3004", "C003026F00 96020400 9000"},
        {SCRIP_E_UNSUPPORTED, "FFC2000104 9502 3004", "C003016A81 9000"},
        {SCRIP_E_TIMEOUT, "FFC2000104 9302 3004", "C003009000 9000"}, /* nobody listens */
        {SCRIP_E_MAC, "FFC2000104 9302 3004", "C003009000 9000"},
        {SCRIP_E_TIMEOUT, "FFC2000106 9302 3004 9400", "C003026401 9000"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bench b = {0};
        given_open(&b);
        b.fake.answers = table[i].answers;
        assert_hex(ask(&b, table[i].command), table[i].answer);
    }
}

static void a_reader_that_fails_fails_the_command(void **state)
{
    (void)state;
    struct bench b = {0};
    uint8_t command[16];
    struct scrip_buf out = SCRIP_BUF_OF(b.talk.at);
    given_open(&b);
    b.fake.answers = SCRIP_E_LINK;
    const size_t len = from_hex("FFC2000104 9502 3004", command, sizeof command);
    assert_status(scrip_pcsc_apdu(&b.pcsc, scrip_bytes(command, len), &out), SCRIP_E_LINK);
    assert_int_equal(out.len, 0);
}

static void without_a_carrier_there_is_no_answer(void **state)
{
    (void)state;
    struct bench b = {0};
    given_open(&b);
    ask(&b, "FFC2000002 8300");
    assert_hex(ask(&b, "FFC2000104 9502 3004"), "C003016401 9000");
    assert_string_equal(b.fake.log, "off");
    assert_hex(ask(&b, AUTH), "9000"); /* an ordinary command has the card back */
    assert_string_equal(b.fake.log, "off find 6004FFFFFFFFFFFF04030201");
}

static void after_raw_frames_the_card_is_selected_again(void **state)
{
    (void)state;
    struct bench b = {0};
    given_session(&b);
    b.fake.answer_len = 1;
    ask(&b, "FFC2000104 9502 3004");
    assert_hex(ask(&b, "FFB0000410"), "6982");
    assert_hex(ask(&b, AUTH), "9000");
    assert_string_equal(b.fake.log, "raw+crc+check,0,40000:3004 again 6004FFFFFFFFFFFF04030201");
}

static void at_layer_4_the_reader_makes_the_blocks(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FFC200010795 05 9060000000", "C003009000 920100 96020000 97020102 9000", "apdu:9060000000"},
        {"FFC200010C90020010 9506 02 9060000000", "C003009000 920100 96020000 97020102 9000",
         "raw+crc+check,0,40000:029060000000"},
    };
    EACH_ALONE(given_open_desfire, rows);
    struct bench b = {0};
    given_open_desfire(&b);
    ask(&b, "FFC200010C90020010 9506 02 9060000000");
    ask(&b, "FFC200010B90020000 9505 9060000000");
    assert_string_equal(b.fake.log, "raw+crc+check,0,40000:029060000000 again apdu:9060000000");
}

static void a_card_that_goes_at_layer_4_has_not_answered(void **state)
{
    (void)state;
    struct bench b = {0};
    given_open_desfire(&b);
    b.fake.answers = SCRIP_E_TORN;
    assert_hex(ask(&b, "FFC200010795 05 9060000000"), "C003016401 9000");
    b.fake.absent = true;
    assert_hex(ask(&b, "FFC200010795 05 9060000000"), "C003016401 9000");
}

static void parameters_are_told_and_set(void **state)
{
    (void)state;
    static const struct exchange classic[] = {
        {"FFC2000004 FF6D0101", "C003009000 FF6D03010108 9000", ""},
        {"FFC2000006 FF6D03010405", "C003009000 FF6D09010108 040100 050100 9000", ""},
        {"FFC2000007 FF6D0401000400", "C003009000 FF6D06010108 040100 9000", ""}, /* with lengths */
        {"FFC2000004 FF6D0102", "C003016282 9000", ""},                           /* a storage card has no FSC */
        {"FFC2000004 FF6D0106", "C003016282 9000", ""},
        {"FFC2000006 FF6E03030108", "C003009000 9000", ""},
        {"FFC2000006 FF6E0303010F", "C003016A81 9000", ""},
        {"FFC2000006 FF6E03050101", "C003016A81 9000", ""}, /* another speed */
        {"FFC2000006 FF6E03050100", "C003009000 9000", ""}, /* the one it has */
        {"FFC2000006 FF6E03060100", "C003016A81 9000", ""},
        {"FFC2000007 FF6E0403020000", "C003016700 9000", ""},
        {"FFC2000005 FF6E020301", "C003016700 9000", ""},
        {"FFC200000F FF6D0C010101010101010101010101", "C003016700 9000", ""}, /* more than there are */
    };
    static const struct exchange desfire[] = {
        {"FFC2000005 FF6D020203", "C003009000 FF6D06020105 030108 9000", ""},
    };
    EACH_ALONE(given_classic, classic);
    EACH_ALONE(given_desfire, desfire);
}

static void the_protocol_is_switched(void **state)
{
    (void)state;
    static const struct exchange classic[] = {
        {"FFC20002048F020003", "C003009000 8F0108 9000", "find"},
        {"FFC20002048F020000", "C003009000 8F0108 9000", "find"},
        {"FFC20002048F020002", "C003009000 9000", "off on"},
        {"FFC20002048F020004", "C003016A81 9000", ""},
        {"FFC20002048F020001", "C003016A81 9000", ""},
        {"FFC20002048F020103", "C003016A81 9000", ""}, /* type B */
        {"FFC20002038F0100", "C003016700 9000", ""},
    };
    static const struct exchange desfire[] = {
        {"FFC20002048F020004", "C003009000 5F51063B8180018080 9000", "find"},
        {"FFC20002048F020000", "C003009000 5F51063B8180018080 9000", "find"},
        {"FFC20002048F020002", "C003009000 9000", "off on"},
    };
    EACH_ALONE(given_open, classic);
    EACH_ALONE(given_open_desfire, desfire);
}

static void at_layer_2_frames_are_ones_own(void **state)
{
    (void)state;
    struct bench b = {0};
    given_open_desfire(&b);
    ask(&b, "FFC20002048F020002");
    ask(&b, "FFC200010A90020003 910107 9501 26");
    assert_string_equal(b.fake.log, "off on raw,7,40000:26");
}

static void a_card_that_is_not_found_again_has_not_answered(void **state)
{
    (void)state;
    struct bench b = {0};
    given_open(&b);
    b.fake.absent = true;
    assert_hex(ask(&b, "FFC20002048F020003"), "C003016401 9000");
}

/* ---- The chip ---------------------------------------------------------------------------------------------------- */

static enum scrip_status chip(void *ctx, struct scrip_bytes command, struct scrip_buf *response)
{
    struct fake_coupler *fake = ctx;
    fake_note(fake, "chip:", command);
    SCRIP_TRY(fake->answers);
    return scrip_buf_add(response, "\xD5\x03\x32\x01\x06\x07", 6);
}

static struct bench *given_chip(struct bench *b)
{
    given_session(b);
    b->pcsc.direct = chip;
    b->pcsc.direct_ctx = &b->fake;
    return b;
}

static void commands_pass_to_the_chip(void **state)
{
    (void)state;
    static const struct exchange rows[] = {
        {"FF00000002D402", "D503320106079000", "chip:D402"},
        {"FF00000002D40200", "D503320106079000", "chip:D402"}, /* with Le */
        {"FF000000020402", "637F", ""},
        {"FF00000001D4", "6700", ""},
        {"FF00480000", "41435231323255323037", ""}, /* no status word: its length is 10 */
        {"FF00400D0401010101", "9001", ""},
        {"FF00400D03010101", "6700", ""},
        {"FF00500000", "90FF", ""},
        {"FF00517F00", "907F", ""},
        {"FF00410500", "9000", ""},
        {"FF0052FF00", "9000", ""},
        {"FF00490000", "6A81", ""},
    };
    EACH_ALONE(given_chip, rows);
}

static void how_the_chip_fails_is_told(void **state)
{
    (void)state;
    static const struct {
        enum scrip_status answers;
        const char *answer;
    } table[] = {
        {SCRIP_E_TIMEOUT, "6301"},  {SCRIP_E_MAC, "6327"},         {SCRIP_E_FORMAT, "637F"},
        {SCRIP_E_ARGUMENT, "637F"}, {SCRIP_E_UNSUPPORTED, "637F"}, {SCRIP_E_STATE, "6300"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct bench b = {0};
        given_chip(&b);
        b.fake.answers = table[i].answers;
        assert_hex(ask(&b, "FF00000002D402"), table[i].answer);
    }
}

static void a_chip_that_cannot_be_reached_fails_the_command(void **state)
{
    (void)state;
    static const enum scrip_status failures[] = {SCRIP_E_LINK, SCRIP_E_SPACE};
    static const uint8_t command[] = {0xFF, 0, 0, 0, 2, 0xD4, 0x02};
    for (size_t i = 0; i < 2; i++) {
        struct bench b = {0};
        struct scrip_buf out = SCRIP_BUF_OF(b.talk.at);
        given_chip(&b);
        b.fake.answers = failures[i];
        assert_status(scrip_pcsc_apdu(&b.pcsc, SCRIP_BYTES_OF(command), &out), failures[i]);
        assert_int_equal(out.len, 0);
    }
}

static void after_the_chip_the_card_is_selected_again(void **state)
{
    (void)state;
    struct bench b = {0};
    given_chip(&b);
    ask(&b, "FF00000003D44A0100");
    assert_hex(ask(&b, "FFB0000410"), "6982");
    assert_hex(ask(&b, AUTH), "9000");
    assert_string_equal(b.fake.log, "chip:D44A01 again 6004FFFFFFFFFFFF04030201");
}

static void lamps_and_settings_are_kept(void **state)
{
    (void)state;
    struct bench b = {0};
    given_chip(&b);
    assert_hex(ask(&b, "FF00400F0400000000"), "9003");
    assert_hex(ask(&b, "FF0040040400000000"), "9002"); /* red off; green is not meant */
    assert_hex(ask(&b, "FF0040000400000000"), "9002");
    ask(&b, "FF00510100");
    assert_hex(ask(&b, "FF00500000"), "9001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_opened_and_closed),
        cmocka_unit_test(frames_are_exchanged_as_the_flags_say),
        cmocka_unit_test(bits_and_timer_hold_once_and_flags_until_the_end),
        cmocka_unit_test(what_was_heard_is_told),
        cmocka_unit_test(silence_and_noise_are_told_apart),
        cmocka_unit_test(a_reader_that_fails_fails_the_command),
        cmocka_unit_test(without_a_carrier_there_is_no_answer),
        cmocka_unit_test(after_raw_frames_the_card_is_selected_again),
        cmocka_unit_test(at_layer_4_the_reader_makes_the_blocks),
        cmocka_unit_test(a_card_that_goes_at_layer_4_has_not_answered),
        cmocka_unit_test(parameters_are_told_and_set),
        cmocka_unit_test(the_protocol_is_switched),
        cmocka_unit_test(at_layer_2_frames_are_ones_own),
        cmocka_unit_test(a_card_that_is_not_found_again_has_not_answered),
        cmocka_unit_test(commands_pass_to_the_chip),
        cmocka_unit_test(how_the_chip_fails_is_told),
        cmocka_unit_test(a_chip_that_cannot_be_reached_fails_the_command),
        cmocka_unit_test(after_the_chip_the_card_is_selected_again),
        cmocka_unit_test(lamps_and_settings_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
