/* Purses speak one language; readers that speak another are understood, and nothing is carried out twice. Behind each
 * reader here is the one of core/pcsc, which knows all dialects and is told to forget some. */
#include "bench.h"
#include "pcsc_dialect.h"

struct stage {
    struct bench bench;
    struct pcsc_dialect dialect;
    const char *knows;   /* the INS of value operations that this reader has, in hex, each followed by a blank */
    const char *refusal; /* what it says to the others */
    const char *lie;     /* instead of what the reader said, when the command was carried out */
    char log[1024];      /* what it was sent */
    uint8_t at[600];
};

static bool is_value_operation(uint8_t ins)
{
    return memchr("\xD7\xB1\xC2\xF0\xD4\xD8", ins, 6) != NULL;
}

static enum scrip_status hear(void *ctx, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct stage *s = ctx;
    char ins[8];
    size_t at = strlen(s->log);
    at += (size_t)snprintf(s->log + at, sizeof s->log - at, "%s", at != 0 ? " " : "");
    for (size_t i = 0; i < capdu.len && at + 2 < sizeof s->log; i++) {
        at += (size_t)snprintf(s->log + at, sizeof s->log - at, "%02X", capdu.at[i]);
    }
    snprintf(ins, sizeof ins, "%02X ", capdu.at[1]);
    if (is_value_operation(capdu.at[1]) && strstr(s->knows, ins) == NULL) {
        uint8_t sw[2];
        return scrip_buf_add(rapdu, sw, from_hex(s->refusal, sw, sizeof sw));
    }
    const size_t before = rapdu->len;
    SCRIP_TRY(scrip_pcsc_apdu(&s->bench.pcsc, capdu, rapdu));
    if (s->lie != NULL) {
        rapdu->len = before + from_hex(s->lie, rapdu->at + before, rapdu->cap - before);
    }
    return SCRIP_OK;
}

static struct stage *given(struct stage *s, const char *knows, const char *refusal)
{
    *s = (struct stage){.knows = knows, .refusal = refusal};
    given_session(&s->bench);
    return s;
}

static struct scrip_bytes say(struct stage *s, const char *hex)
{
    uint8_t command[80];
    struct scrip_buf out = SCRIP_BUF_OF(s->at);
    s->log[0] = '\0';
    s->bench.fake.log[0] = '\0';
    assert_ok(pcsc_dialect_transmit(&s->dialect, hear, s, scrip_bytes(command, from_hex(hex, command, sizeof command)),
                                    &out));
    return scrip_buf_bytes(&out);
}

static int32_t value_of(struct stage *s)
{
    int32_t value = 0;
    uint8_t address = 0;
    assert_ok(scrip_classic_value_get(s->bench.fake.block[5], &value, &address));
    assert_int_equal(address, 5);
    return value;
}

#define INCREMENT "FFD7000505 01 00000102"
#define DECREMENT "FFD7000505 02 00000102"
#define RESTORE   "FFD7000502 03 06"

static void each_dialect_is_found_and_remembered(void **state)
{
    (void)state;
    static const struct {
        const char *knows;
        const char *refusal;
        const char *first;
        const char *second;
    } table[] = {
        {"D7 ", "6D00", "FFD70005050100000102", "FFD70005050200000102"},
        {"C2 ", "6D00", "FFD70005050100000102 FFC200030BA00980010581040201000000",
         "FFC200030BA10980010581040201000000"},
        {"F0 ", "6A81", "FFD70005050100000102 FFC200030BA00980010581040201000000 FFF0000506C10502010000",
         "FFF0000506C00502010000"},
        {"D4 D8 ", "6E00",
         "FFD70005050100000102 FFC200030BA00980010581040201000000 FFF0000506C10502010000 FFD400050402010000",
         "FFD800050402010000"},
        {"C2 D4 D8 F0 ", "6700", "FFD70005050100000102 FFC200030BA00980010581040201000000",
         "FFC200030BA10980010581040201000000"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct stage s;
        given(&s, table[i].knows, table[i].refusal);
        assert_hex(say(&s, INCREMENT), "9000");
        assert_string_equal(s.log, table[i].first);
        assert_string_equal(s.bench.fake.log, "C10502010000 B005"); /* once */
        assert_int_equal(value_of(&s), 1000 + 258);
        assert_hex(say(&s, DECREMENT), "9000");
        assert_string_equal(s.log, table[i].second);
        assert_string_equal(s.bench.fake.log, "C00502010000 B005");
        assert_int_equal(value_of(&s), 1000);
    }
}

/* A reader that takes D4 and D8 with one byte only. */
static enum scrip_status hear_short(void *ctx, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    const bool short_form = capdu.at[1] == 0xB0 || (capdu.len == 6 && (capdu.at[1] == 0xD4 || capdu.at[1] == 0xD8));
    return short_form ? hear(ctx, capdu, rapdu) : scrip_buf_add_be(rapdu, 0x6700, 2);
}

static void firmware_of_one_byte_changes_small_values_only(void **state)
{
    (void)state;
    static const uint8_t small[] = {0xFF, 0xD7, 0, 5, 5, 2, 0, 0, 0, 200};
    static const uint8_t large[] = {0xFF, 0xD7, 0, 5, 5, 2, 0, 0, 1, 0};
    struct stage s;
    uint8_t room[16];
    given(&s, "D4 D8 ", "6700");
    struct scrip_buf out = SCRIP_BUF_OF(room);
    assert_ok(pcsc_dialect_transmit(&s.dialect, hear_short, &s, SCRIP_BYTES_OF(small), &out));
    assert_hex(scrip_buf_bytes(&out), "9000");
    assert_int_equal(value_of(&s), 800);
    out.len = 0;
    assert_ok(pcsc_dialect_transmit(&s.dialect, hear_short, &s, SCRIP_BYTES_OF(large), &out));
    assert_hex(scrip_buf_bytes(&out), "6A81");
    assert_int_equal(value_of(&s), 800);
}

static void what_may_have_been_carried_out_is_not_tried_again(void **state)
{
    (void)state;
    static const struct {
        const char *lie;
        const char *answer;
        const char *knows;
    } table[] = {
        {"6300", "6300", "D7 F0 "},
        {"6301", "6301", "D7 F0 "},
        {"6982", "6982", "D7 F0 "},
        {"6F00", "6F00", "D7 F0 "},
        {"9001", "9001", "D7 F0 "},
        {"C00301 6300 9000", "6300", "C2 F0 "},
        {"C00301 6401 9000", "6301", "C2 F0 "},
        {"9000", "6301", "C2 F0 "},
        {"0102 9000", "6301", "C2 F0 "},
        {"C0030063 9000", "6301", "C2 F0 "},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct stage s;
        given(&s, table[i].knows, "6D00");
        s.lie = table[i].lie;
        assert_hex(say(&s, INCREMENT), table[i].answer);
        assert_string_equal(s.bench.fake.log, "C10502010000 B005"); /* it was, and once */
    }
}

/* PC/SC 2.02 without these objects. */
static enum scrip_status hear_no_object(void *ctx, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    return capdu.at[1] == 0xC2 ? scrip_buf_add(rapdu, "\xC0\x03\x01\x6A\x81\x90\x00", 7) : hear(ctx, capdu, rapdu);
}

static void an_object_that_is_not_known_leads_on(void **state)
{
    (void)state;
    static const uint8_t increment[] = {0xFF, 0xD7, 0, 5, 5, 1, 0, 0, 0, 1};
    struct stage s;
    uint8_t room[16];
    struct scrip_buf out = SCRIP_BUF_OF(room);
    given(&s, "F0 ", "6D00");
    assert_ok(pcsc_dialect_transmit(&s.dialect, hear_no_object, &s, SCRIP_BYTES_OF(increment), &out));
    assert_hex(scrip_buf_bytes(&out), "9000");
    assert_string_equal(s.log, "FFD70005050100000001 FFF0000506C10501000000");
}

static void a_reader_that_has_none_says_so(void **state)
{
    (void)state;
    struct stage s;
    given(&s, "", "6D00");
    assert_hex(say(&s, INCREMENT), "6A81");
    assert_string_equal(s.bench.fake.log, "");
    assert_int_equal(value_of(&s), 1000);
}

static void restore_makes_the_target_equal_by_the_difference(void **state)
{
    (void)state;
    static const struct {
        int32_t target;
        const char *log;
    } table[] = {
        {900, "FFB0000510 FFB0000610 FFF0000606C10664000000"},
        {1100, "FFB0000510 FFB0000610 FFF0000606C00664000000"},
        {1000, "FFB0000510 FFB0000610"}, /* nothing to do */
        {-1, "FFB0000510 FFB0000610 FFF0000606C106E9030000"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct stage s;
        given(&s, "F0 ", "6D00");
        s.dialect = (struct pcsc_dialect){.change = 3, .no_restore = true};
        scrip_classic_value_put(table[i].target, 5, s.bench.fake.block[6]);
        assert_hex(say(&s, RESTORE), "9000");
        assert_string_equal(s.log, table[i].log);
    }
}

static void restore_writes_a_target_that_is_no_such_value_block(void **state)
{
    (void)state;
    struct stage s;
    given(&s, "F0 ", "6D00");
    assert_hex(say(&s, RESTORE), "9000");
    assert_string_equal(s.log, "FFD70005020306 FFB0000510 FFB0000610 FFD6000610E803000017FCFFFFE803000005FA05FA");
    scrip_classic_value_put(7, 6, s.bench.fake.block[6]); /* of another address */
    assert_hex(say(&s, RESTORE), "9000");
    assert_string_equal(s.log, "FFB0000510 FFB0000610 FFD6000610E803000017FCFFFFE803000005FA05FA"); /* remembered */
    scrip_classic_value_put(INT32_MIN, 5, s.bench.fake.block[6]); /* further away than a difference can say */
    assert_hex(say(&s, RESTORE), "9000");
    assert_string_equal(s.log, "FFB0000510 FFB0000610 FFD6000610E803000017FCFFFFE803000005FA05FA");
}

static void restore_is_refused_as_the_reader_would(void **state)
{
    (void)state;
    struct stage s;
    given(&s, "F0 ", "6D00");
    s.dialect = (struct pcsc_dialect){.change = 3, .no_restore = true};
    assert_hex(say(&s, "FFD7000402 03 06"), "6300"); /* its source is no value block */
    assert_string_equal(s.log, "FFB0000410");
    assert_hex(say(&s, "FFD7000802 03 06"), "6982");
    assert_hex(say(&s, "FFD7000502 03 08"), "6982");
}

static void a_native_restore_is_left_to_the_reader(void **state)
{
    (void)state;
    struct stage s;
    given(&s, "D7 ", "6D00");
    assert_hex(say(&s, RESTORE), "9000");
    assert_string_equal(s.log, "FFD70005020306");
    assert_string_equal(s.bench.fake.log, "C20500000000 B006");
    s.lie = "6300";
    assert_hex(say(&s, RESTORE), "6300");
    assert_string_equal(s.log, "FFD70005020306"); /* refused is not unknown */
}

static void values_are_stored_and_read_without_help(void **state)
{
    (void)state;
    struct stage s;
    given(&s, "D4 D8 ", "6D00");
    assert_hex(say(&s, "FFD7000505 00 FFFFFFFE"), "9000");
    assert_int_equal(value_of(&s), -2);
    assert_hex(say(&s, "FFB1000504"), "FFFFFFFE9000");
    assert_string_equal(s.log, "FFB1000504 FFB0000510");
    assert_hex(say(&s, "FFB1000404"), "6300");
    assert_string_equal(s.log, "FFB0000410");
    given(&s, "D7 B1 ", "6D00");
    assert_hex(say(&s, "FFB1000504"), "000003E89000");
    assert_string_equal(s.log, "FFB1000504");
    assert_hex(say(&s, "FFD7000505 00 00000007"), "9000");
    assert_string_equal(s.log, "FFD70005050000000007");
}

static void everything_else_passes_as_it_is(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "FFCA000000",       "FFB0000410", "FFF0000506C10501000000", "FFD7000505 03 00000001",
        "FFD7000502 01 06", "9060000000"};
    struct stage s;
    given(&s, "D7 F0 ", "6D00");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        uint8_t at[64];
        uint8_t sent[64];
        const size_t len = from_hex(commands[i], at, sizeof at);
        (void)say(&s, commands[i]);
        assert_int_equal(from_hex(s.log, sent, sizeof sent), len);
        assert_memory_equal(sent, at, len);
    }
}

static enum scrip_status torn(void *ctx, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    unsigned *calls = ctx;
    (void)capdu;
    (void)rapdu;
    return ++*calls == 1 ? SCRIP_E_TORN : SCRIP_OK;
}

static void a_torn_command_is_not_tried_in_another_dialect(void **state)
{
    (void)state;
    static const uint8_t increment[] = {0xFF, 0xD7, 0, 5, 5, 1, 0, 0, 0, 1};
    struct pcsc_dialect dialect = {0};
    unsigned calls = 0;
    uint8_t room[16];
    struct scrip_buf out = SCRIP_BUF_OF(room);
    assert_status(pcsc_dialect_transmit(&dialect, torn, &calls, SCRIP_BYTES_OF(increment), &out), SCRIP_E_TORN);
    assert_int_equal(calls, 1);
    assert_status(pcsc_dialect_transmit(&dialect, torn, &calls, SCRIP_BYTES_OF(increment), &out), SCRIP_E_TORN);
    assert_int_equal(calls, 2); /* nor an empty answer */
}

#define KEYS   "A0A1A2A3A4A5"
#define BLOCK_ "000102030405060708090A0B0C0D0E0F"

static void what_would_lock_a_sector_is_not_sent(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        bool sent; /* to a card with trailers; to others all are */
    } table[] = {
        {"FFD6000710 " KEYS "FF078069" KEYS, true},
        {"FFD6000710 " KEYS "FF078068" KEYS, true}, /* byte 9 is free */
        {"FFD6000710 " KEYS "FE078069" KEYS, false},
        {"FFD6000710 " KEYS "FF178069" KEYS, false},
        {"FFD6000710 " KEYS "FF070069" KEYS, false},
        {"FFD60007000010 " KEYS "FF070069" KEYS, false}, /* in the long form */
        {"FFD6009310 " KEYS "FF070069" KEYS, true},      /* a 4K: in the middle of a sector of 16 */
        {"FFD600AF10 " KEYS "FF070069" KEYS, false},     /* and its trailer */
        {"FFD6000610 " BLOCK_, true},                    /* a data block takes anything */
        {"FFD7000630 " BLOCK_ BLOCK_ BLOCK_, false},     /* a run over the trailer */
        {"FFD7000430 " BLOCK_ BLOCK_ BLOCK_, true},      /* and one that ends before it */
        {"FFD7000705 00 00000001", false},               /* a number in its place */
        {"FFD7000605 00 00000001", true},
        {"FFB0000710", true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (int trailers = 0; trailers < 2; trailers++) {
            struct stage s;
            given(&s, "D7 ", "6D00");
            s.dialect.trailers = trailers != 0;
            const struct scrip_bytes answer = say(&s, table[i].command);
            assert_int_equal(s.log[0] != '\0', table[i].sent || trailers == 0);
            if (s.log[0] == '\0') {
                assert_hex(answer, "6A80");
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dialect_is_found_and_remembered),
        cmocka_unit_test(firmware_of_one_byte_changes_small_values_only),
        cmocka_unit_test(what_may_have_been_carried_out_is_not_tried_again),
        cmocka_unit_test(an_object_that_is_not_known_leads_on),
        cmocka_unit_test(a_reader_that_has_none_says_so),
        cmocka_unit_test(restore_makes_the_target_equal_by_the_difference),
        cmocka_unit_test(restore_writes_a_target_that_is_no_such_value_block),
        cmocka_unit_test(restore_is_refused_as_the_reader_would),
        cmocka_unit_test(a_native_restore_is_left_to_the_reader),
        cmocka_unit_test(values_are_stored_and_read_without_help),
        cmocka_unit_test(everything_else_passes_as_it_is),
        cmocka_unit_test(a_torn_command_is_not_tried_in_another_dialect),
        cmocka_unit_test(what_would_lock_a_sector_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
