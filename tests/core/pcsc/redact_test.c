/* What a trace may show of a command. */
#include "check.h"
#include <scrip/pcsc.h>

#define Z16 "00000000000000000000000000000000"
#define D1  "11111111111111111111111111111111"

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
        assert_int_equal(scrip_pcsc_redact(at, len), table[i].shown != NULL);
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
        assert_int_equal(scrip_pcsc_redact_answer(scrip_bytes(command, command_len), at, len), table[i].shown != NULL);
        assert_hex(scrip_bytes(at, len), table[i].shown != NULL ? table[i].shown : table[i].answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_hidden_and_nothing_else_is),
                                       cmocka_unit_test(a_trailer_that_is_read_shows_no_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
