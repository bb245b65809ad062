/* What a trace may show of a command. */
#include "check.h"
#include <scrip/pcsc.h>

#define Z16 "00000000000000000000000000000000"
#define D1  "11111111111111111111111111111111"
#define T16 "A0A1A2A3A4A5FF078069B0B1B2B3B4B5" /* a trailer, and what is shown of it */
#define T0  "000000000000FF078069000000000000"

static void keys_are_hidden_and_nothing_else_is(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *shown; /* NULL: as it is */
    } table[] = {
        {"FF82000006A0A1A2A3A4A5", "FF82000006000000000000"},
        {"FF82201A06A0A1A2A3A4A5", "FF82201A06000000000000"},
        {"FF820000000006A0A1A2A3A4A5", "FF820000000006000000000000"}, /* extended length */
        {"FF82000007A0A1A2A3A4A5", "FF82000000000000000000"},         /* not well formed */
        {"FF820000", NULL},
        {"FFD6000710A0A1A2A3A4A5FF078069B0B1B2B3B4B5", "FFD6000710000000000000FF078069000000000000"},
        {"FFD6009F10A0A1A2A3A4A5FF078069B0B1B2B3B4B5", "FFD6009F10000000000000FF078069000000000000"},
        {"FFD6000410" D1, NULL},
        {"FFD6000620" D1 "A0A1A2A3A4A5FF078069B0B1B2B3B4B5", "FFD6000620" D1 "000000000000FF078069000000000000"},
        {"FFD6010710" D1, "FFD6010710" Z16}, /* whose block that is only that reader knows */
        {"FFD600070AA0A1A2A3A4A5FF078069", "FFD600070A00000000000000000000"},
        {"FFD7000505010000000A", NULL},
        {"FFD7000430" D1 D1 D1, "FFD7000430" Z16 Z16 Z16},
        {"FF00000010D4400160 07 A0A1A2A3A4A5 04030201 00", "FF00000010D4400160 07 000000000000 04030201 00"},
        {"FF0000000FD4400161 07 A0A1A2A3A4A5 04030201", "FF0000000FD4400161 07 000000000000 04030201"},
        {"FF00000015D44001A007A0A1A2A3A4A5FF078069B0B1B2B3B4B5",
         "FF00000015D44001A007000000000000FF078069000000000000"},
        {"FF00000015D44001A004" D1, NULL},
        {"FF00000005D440013004", NULL},
        {"FF00000004D44A01", "FF00000000000000"}, /* shorter than its Lc says */
        {"FF00000004D442A007", NULL},
        {"FFC2000104 9502 A007", NULL},
        {"FFC2000112 9510" T16, NULL},                                          /* a block, for all that is known */
        {"FFC2000109 90020003 9510 A0A1A2", "FFC2000109 90020003 0000 000000"}, /* longer than what is there */
        {"FFC2000108 9506 A0A1A2A3A4", "FFC20001 00 0000 0000000000"},
        {"FFC2000002 8100", NULL},
        {"FFC200030B A009 800107 8104 01000000", NULL},
        {"FF00480000", NULL},
        {"FF860000050100046000", NULL},
        {"FFCA000000", NULL},
        {"0082000006A0A1A2A3A4A5", NULL}, /* another class is the card's own */
        {"FF82", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint8_t at[300];
        const size_t len = from_hex(table[i].command, at, sizeof at);
        const char *shown = table[i].shown != NULL ? table[i].shown : table[i].command;
        struct scrip_pcsc_redaction seen = {0};
        assert_int_equal(scrip_pcsc_redact(&seen, at, len), table[i].shown != NULL);
        assert_hex(scrip_bytes(at, len), shown);
    }
}

static void a_trailer_that_is_read_shows_no_key(void **state)
{
    (void)state;
    static const struct {
        const char *command, *answer;
        const char *shown; /* NULL: as it is */
    } table[] = {
        {"FFB0000710", "000000000000FF078069B0B1B2B3B4B59000", "000000000000FF0780690000000000009000"},
        {"FFB00007000010", "000000000000FF078069B0B1B2B3B4B59000", "000000000000FF0780690000000000009000"},
        {"FFB0000620", D1 "A0A1A2A3A4A5FF078069B0B1B2B3B4B59000", D1 "000000000000FF0780690000000000009000"},
        {"FFB0000710", "000000000000FF078069B0B19000",
         "000000000000000000000000"
         "9000"},
        {"FFB0000410", D1 "9000", NULL},
        {"FFB0010710", D1 "9000", Z16 "9000"},
        {"FFB0000710", "6982", NULL},
        {"FFB0000710", "", NULL},
        {"FF00000005D440013007", "D54100000000000000FF078069B0B1B2B3B4B59000",
         "D54100000000000000FF0780690000000000009000"},
        {"FF00000005D440013004", "D54100" D1 "9000", NULL},
        {"FF00000005D440013007", "D541149000", NULL},
        {"FFCA000000", "010203049000", NULL},
        {"00B0000710", D1 "9000", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint8_t command[32];
        uint8_t at[64];
        const size_t command_len = from_hex(table[i].command, command, sizeof command);
        const size_t len = from_hex(table[i].answer, at, sizeof at);
        struct scrip_pcsc_redaction seen = {0};
        (void)scrip_pcsc_redact(&seen, command, command_len);
        assert_int_equal(scrip_pcsc_redact_answer(&seen, scrip_bytes(command, command_len), at, len),
                         table[i].shown != NULL);
        assert_hex(scrip_bytes(at, len), table[i].shown != NULL ? table[i].shown : table[i].answer);
    }
}

/* ---- Raw frames -------------------------------------------------------------------------------------------------- */

struct exchange {
    const char *command, *answer;
    const char *shown, *heard; /* NULL: as it is */
};

/* One after the other, as one card's. */
static void shown_as(const struct exchange *exchanges, size_t count)
{
    struct scrip_pcsc_redaction seen = {0};
    for (size_t i = 0; i < count; i++) {
        const struct exchange *now = &exchanges[i];
        uint8_t command[64];
        uint8_t answer[64];
        const size_t command_len = from_hex(now->command, command, sizeof command);
        const size_t answer_len = from_hex(now->answer, answer, sizeof answer);
        print_message("%s -> %s\n", now->command, now->answer);
        assert_int_equal(scrip_pcsc_redact(&seen, command, command_len), now->shown != NULL);
        assert_hex(scrip_bytes(command, command_len), now->shown != NULL ? now->shown : now->command);
        assert_int_equal(scrip_pcsc_redact_answer(&seen, scrip_bytes(command, command_len), answer, answer_len),
                         now->heard != NULL);
        assert_hex(scrip_bytes(answer, answer_len), now->heard != NULL ? now->heard : now->answer);
    }
}

#define SHOWN_AS(exchanges) shown_as((exchanges), sizeof(exchanges) / sizeof(exchanges)[0])
#define ACK                 "C003009000 920104 96020000 97010A 9000"

static void the_frame_behind_the_write_of_a_trailer_is_hidden(void **state)
{
    (void)state;
    static const struct exchange plain[] = {
        {"FFC2000104 9502 A007", ACK, NULL, NULL}, {"FFC2000112 9510" T16, ACK, "FFC2000112 9510" T0, NULL},
        {"FFC2000112 9510" T16, ACK, NULL, NULL},                                           /* that one is nobody's */
        {"FFC2000104 9502 A006", ACK, NULL, NULL}, {"FFC2000112 9510" D1, ACK, NULL, NULL}, /* data */
    };
    static const struct exchange later[] = {
        {"FFC2000104 9502 A00B", ACK, NULL, NULL},
        {"FFC2000104 90020003", "C003009000 9000", NULL, NULL},                                         /* no frame */
        {"FFC2000109 90020003 93 03A0A1A2", "C003009000 9000", "FFC2000109 90020003 9303000000", NULL}, /* a part */
    };
    static const struct exchange at_once[] = {
        {"FFC2000116 9502A007 9510" T16, ACK, "FFC2000116 9502A007 9510" T0, NULL},
        {"FFC200011A 9304A007E0C5 9312" T16 "ABCD", "C003009000 9000", "FFC200011A 9304A007E0C5 9312" Z16 "0000",
         NULL}, /* their own CRC */
    };
    static const struct exchange broken_off[] = {
        {"FFC2000104 9502 A007", ACK, NULL, NULL},
        {"FFB0000410", "6982", NULL, NULL},
        {"FFC2000112 9510" T16, ACK, NULL, NULL},
    };
    SHOWN_AS(plain);
    SHOWN_AS(later);
    SHOWN_AS(at_once);
    SHOWN_AS(broken_off);
}

static void a_trailer_that_is_heard_shows_no_key(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"FFC2000104 9502 3007", "C003009000 920100 96020000 9710" T16 "9000", NULL,
         "C003009000 920100 96020000 9710" T0 "9000"},
        {"FFC2000104 9502 3006", "C003009000 920100 96020000 9710" T16 "9000", NULL, NULL},
        {"FFC2000104 9502 3007", ACK, NULL, NULL},
        {"FFC2000104 9502 3007", "C003016401 9000", NULL, NULL},
        {"FFC2000106 9504 300766B6", "C003009000 9712" T16 "ABCD 9000", NULL, NULL}, /* of no card: a wrong CRC */
        {"FFC200010A 90020003 9504 3007BDDC", "C003009000 9712" T16 "ABCD 9000", NULL,
         "C003009000 9712" Z16 "0000 9000"},
        {"FFC2000104 9302 3007", "C003009000 9000", NULL, NULL},
        {"FFC2000102 9400", "C003009000 9710" T16 "9000", NULL, "C003009000 9710" T0 "9000"},
        {"FFC2000108 95023007 95023006", "C003009000 9710" T16 "9710" D1 "9000", NULL,
         "C003009000 9710" T0 "9710 0000000000001111 1111000000000000 9000"}, /* which is which is not looked for */
        {"FFC2000104 9502 3007", "C003009000 9720" T16 "9000", NULL, "C003009000 0000" Z16 "9000"}, /* cut */
    };
    SHOWN_AS(exchanges);
}

/* Nine bits to the byte, the last its parity. */
static void frames_with_their_own_parity_are_known(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"FFC200010C 9002000F 910102 9503 A00F00", ACK, NULL, NULL}, /* A0, 1; 07, 0 */
        {"FFC2000117 9512" T16 "0000 910100", ACK, "FFC2000117 9512" Z16 "0000 910100", NULL},
        {"FFC200010C 9002000F 910102 9503 A00E00", ACK, NULL, NULL}, /* parity of A0 wrong: chance */
        {"FFC2000114 9512" T16 "0000", ACK, NULL, NULL},
        {"FFC200010C 9002000F 910102 9503 300F00", "C003009000 9712" T16 "ABCD 9000", NULL,
         "C003009000 9712" Z16 "0000 9000"},
    };
    SHOWN_AS(exchanges);
}

static void frames_through_the_chip_are_known_too(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"FF00000004 D442A007", "D543000A9000", NULL, NULL},
        {"FF00000012 D442" T16, "D543000A9000", "FF00000012 D442" T0, NULL},
        {"FF00000012 D442" T16, "D543000A9000", NULL, NULL},
        {"FF00000004 D4423007", "D54300" T16 "9000", NULL, "D54300" T0 "9000"},
        {"FF00000004 D4423004", "D54300" T16 "9000", NULL, NULL},
        {"FF00000004 D442A007", "D543000A9000", NULL, NULL},
        {"FF00000002 D402", "D503320106079000", NULL, NULL}, /* in between */
        {"FF00000012 D442" T16, "D543000A9000", NULL, NULL},
    };
    SHOWN_AS(exchanges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_hidden_and_nothing_else_is),
        cmocka_unit_test(a_trailer_that_is_read_shows_no_key),
        cmocka_unit_test(the_frame_behind_the_write_of_a_trailer_is_hidden),
        cmocka_unit_test(a_trailer_that_is_heard_shows_no_key),
        cmocka_unit_test(frames_with_their_own_parity_are_known),
        cmocka_unit_test(frames_through_the_chip_are_known_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
