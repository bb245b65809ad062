/* The commands of the PN532 model. What tools send and expect is witnessed by the tools themselves; here are the rules,
 * and what no tool does. */
#include "pn532_bench.h"

static void what_a_host_asks_first_is_answered(void **state)
{
    static struct bench b;
    (void)state;
    bench_begin(&b);
    bench_ask(&b, "14 01", "15");
    bench_ask(&b, "00 00 6C 69 62 6E 66 63", "01 00 6C 69 62 6E 66 63");
    bench_ask(&b, "00 01", "01 00");
    bench_ask(&b, "00 02", "01 00");
    bench_ask(&b, "02", "03 32 01 06 07");
    bench_ask(&b, "04", "05 00 00 00 00");
    bench_ask(&b, "12 14", "13");
    bench_ask(&b, "06 63 02 63 03 63 0D 63 38 63 3D", "07 80 80 00 00 00");
    bench_ask(&b, "08 63 05 40", "09");
    bench_ask(&b, "06 63 05", "07 40");
    bench_ask(&b, "0E 81 00", "0F");
    bench_ask(&b, "0C", "0D 01 06 00");
    bench_ask(&b, "10 04", "11");
    bench_ask(&b, "32 0A 59 F4 3F 11 4D 85 61 6F 26 62 87", "33");
}

static void what_is_no_command_of_the_chip_gets_its_error_frame(void **state)
{
    static const char *const commands[] = {
        "",         "01",       "50 01",       "56 00 01 00", "8C 00",       "FF",          "02 00",
        "00",       "00 09",    "14",          "14 05",       "12",          "06 63",       "06 63 02 63",
        "08 63 02", "32 01",    "32 02 00 0A", "32 05 FF",    "32 77 00",    "40",          "44",
        "4A 01",    "4A 03 00", "4A 00 00",    "4A 01 05",    "60 00 02 20", "60 01 00 20", "60 01 02",
        "10 09",    "4E 01 00", "52",          "54",
    };
    static struct bench b;
    (void)state;
    bench_begin(&b);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_status(bench_try(&b, commands[i]), SCRIP_E_FORMAT);
    }
}

static void registers_are_those_of_the_ciu(void **state)
{
    static const struct {
        uint16_t address;
        uint8_t number;
    } rows[] = {{0x6331, 0x01}, {0x633F, 0x0F}, {0x6301, 0x11}, {0x6302, 0x12}, {0x630D, 0x1D}, {0x632F, 0x3F}};
    static struct bench b;
    (void)state;
    bench_begin(&b);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        b.chip.ciu.reg[rows[i].number] = 0x25;
        (void)snprintf(text, sizeof text, "06 %04X", rows[i].address);
        bench_ask(&b, text, "07 25");
    }
    bench_ask(&b, "06 FF FF 63 40 62 00", "07 00 00 00"); /* the processor's own */
    bench_ask(&b, "08 FF B0 12", "09");
}

static void a_card_is_listed_with_its_target_data(void **state)
{
    static struct bench b;
    static struct echo echo;
    struct tag tag;
    (void)state;
    given_tag(&b, &tag, 0x08);
    bench_ask(&b, "4A 01 00", "4B 01 01 00 04 08 04 DE AD BE EF");
    bench_ask(&b, "04", "05 00 01 01 01 00 00 00 00");
    scrip_field_remove(&b.field, &tag.picc);

    echo_init(&echo, "04A1B2C3D4E580");
    bench_lay(&b, &echo.card.picc);
    bench_ask(&b, "4A 01 00", "4B 01 01 03 44 20 07 04 A1 B2 C3 D4 E5 80 06 75 77 81 02 80");
    bench_ask(&b, "4A 01 00", "4B 00"); /* in the block protocol it does not hear requests */
    bench_ask(&b, "32 01 00", "33");
    bench_ask(&b, "12 04", "13"); /* no RATS of its own accord */
    bench_ask(&b, "4A 01 00", "4B 01 01 03 44 20 07 04 A1 B2 C3 D4 E5 80");
    bench_ask(&b, "42 E0 50", "43 00 06 75 77 81 02 80");
}

static void technologies_that_no_card_of_ours_speaks_find_nothing(void **state)
{
    static const char *const types[] = {"4A 01 01 00 FF FF 01 00", "4A 01 02 00 FF FF 01 00", "4A 01 03 00",
                                        "4A 01 04"};
    static struct bench b;
    struct tag tag;
    (void)state;
    given_tag(&b, &tag, 0x08);
    for (size_t i = 0; i < 4; i++) {
        bench_ask(&b, types[i], "4B 00");
    }
    bench_ask(&b, "08 63 02 03 63 03 0B", "09"); /* type B by registers */
    bench_ask(&b, "42 01 0B 3F 80", "43 01");
    bench_ask(&b, "42", "43 01");
}

/* As nfc-list does, and libfreefare after it: list, deselect, list again; then select by UID. */
static void without_a_uid_idle_cards_are_found_with_one_those_that_sleep_too(void **state)
{
    static struct bench b;
    static struct echo echo;
    struct tag tag;
    (void)state;
    bench_begin(&b);
    tag_init(&tag, "DEADBEEF", 0x08);
    echo_init(&echo, "04A1B2C3D4E580");
    bench_lay(&b, &tag.picc);
    bench_lay(&b, &echo.card.picc);
    bench_open(&b);
    bench_ask(&b, "4A 01 00", "4B 01 01 03 44 08 04 DE AD BE EF"); /* the ATQA is what both say */
    bench_ask(&b, "44 00", "45 00");
    bench_ask(&b, "4A 01 00", "4B 01 01 03 44 20 07 04 A1 B2 C3 D4 E5 80 06 75 77 81 02 80");
    bench_ask(&b, "44 00", "45 00");
    bench_ask(&b, "4A 01 00", "4B 00");
    bench_ask(&b, "4A 01 00 DE AD BE EF", "4B 01 01 03 44 08 04 DE AD BE EF");
    bench_ask(&b, "4A 01 00 88 04 A1 B2 C3 D4 E5 80", "4B 01 01 03 44 20 07 04 A1 B2 C3 D4 E5 80 06 75 77 81 02 80");
    bench_ask(&b, "4A 01 00 11 22 33 44", "4B 00");
    bench_ask(&b, "4A 01 00 04 A1 B2 C3 D4 E5 80", "4B 00"); /* a UID is given with its cascade tags */
}

static void an_active_card_is_thrown_back_and_found_again(void **state)
{
    static struct bench b;
    struct tag tag;
    (void)state;
    bench_begin(&b);
    tag_init(&tag, "04112233445566778899", 0x00);
    bench_lay(&b, &tag.picc);
    bench_open(&b);
    bench_ask(&b, "32 05 00 01 00", "33"); /* one try only */
    for (size_t i = 0; i < 5; i++) {
        bench_ask(&b, "4A 01 00", "4B 01 01 00 84 00 0A 04 11 22 33 44 55 66 77 88 99");
    }
    bench_ask(&b, "4A 01 00 88 04 11 22 88 33 44 55 66 77 88 99", "4B 01 01 00 84 00 0A 04 11 22 33 44 55 66 77 88 99");
}

static void two_targets_are_kept_and_each_answers_to_its_number(void **state)
{
    static struct bench b;
    static struct echo one, other;
    (void)state;
    bench_begin(&b);
    echo_init(&one, "04A1B2C3D4E580");
    echo_init(&other, "04A1B2C3D4E581");
    bench_lay(&b, &one.card.picc);
    bench_lay(&b, &other.card.picc);
    bench_open(&b);
    assert_ok(bench_try(&b, "4A 02 00"));
    assert_int_equal(b.answer[1], 2);
    const bool swapped = memcmp(b.answer + 7, other.uid, 7) == 0;
    for (size_t i = 0; i < 3; i++) {
        bench_ask(&b, "40 01 00 B0 00 01", "41 00 00 B0 00 01 90 00");
        bench_ask(&b, "40 02 00 B0 00 02", "41 00 00 B0 00 02 90 00");
    }
    assert_int_equal((swapped ? &other : &one)->commands, 3);
    assert_int_equal((swapped ? &one : &other)->commands, 3);
    bench_ask(&b, "04", "05 00 01 02 01 00 00 00 02 00 00 00 00");
    bench_ask(&b, "52 01", "53 00");
    bench_ask(&b, "40 01 00 B0 00 01", "41 27");
    bench_ask(&b, "40 02 00 B0 00 02", "41 00 00 B0 00 02 90 00");
    bench_ask(&b, "44 01", "45 27");
    bench_ask(&b, "54 01", "55 27");
    bench_ask(&b, "54 02", "55 00");
    bench_ask(&b, "52 00", "53 00");
    bench_ask(&b, "40 02 00 B0 00 02", "41 27");
}

static void a_target_that_was_deselected_is_woken_by_the_next_exchange(void **state)
{
    static struct bench b;
    static struct echo echo;
    (void)state;
    given_echo(&b, &echo);
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "44 01", "45 00");
    assert_int_equal(echo.card.a.state, SCRIP_PICC_HALT);
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00");
    scrip_field_remove(&b.field, &echo.card.picc);
    bench_ask(&b, "40 01 00 B0", "41 01");
    bench_ask(&b, "04", "05 01 01 01 01 00 00 00 00"); /* the last error */
}

static void with_endless_retries_the_chip_waits_until_a_card_comes(void **state)
{
    static struct bench b;
    struct tag tag;
    (void)state;
    bench_begin(&b);
    tag_init(&tag, "DEADBEEF", 0x08);
    bench_open(&b);
    bench_ask(&b, "32 05 FF FF FF", "33");
    struct scrip_buf answer = SCRIP_BUF_OF(b.answer);
    assert_status(scrip_pn532_model_again(&b.chip, &answer), SCRIP_E_STATE);
    assert_status(bench_try(&b, "4A 01 00"), SCRIP_E_WAIT);
    assert_status(scrip_pn532_model_again(&b.chip, &answer), SCRIP_E_WAIT);
    bench_lay(&b, &tag.picc);
    assert_ok(scrip_pn532_model_again(&b.chip, &answer));
    assert_hex(scrip_buf_bytes(&answer), "4B 01 01 00 04 08 04 DE AD BE EF");
    assert_status(scrip_pn532_model_again(&b.chip, &answer), SCRIP_E_STATE);

    scrip_field_remove(&b.field, &tag.picc);
    assert_status(bench_try(&b, "4A 01 00"), SCRIP_E_WAIT);
    bench_ask(&b, "02", "03 32 01 06 07"); /* a new command ends it */
    assert_status(scrip_pn532_model_again(&b.chip, &answer), SCRIP_E_STATE);
    assert_status(bench_try(&b, "60 FF 02 10"), SCRIP_E_WAIT);
    scrip_pn532_model_abort(&b.chip);
    assert_status(scrip_pn532_model_again(&b.chip, &answer), SCRIP_E_STATE);
}

static void autopoll_names_the_type_it_found(void **state)
{
    static struct bench b;
    static struct echo echo;
    struct tag tag;
    (void)state;
    bench_begin(&b);
    tag_init(&tag, "DEADBEEF", 0x08);
    echo_init(&echo, "04A1B2C3D4E580");
    bench_open(&b);
    const uint64_t before = scrip_field_now_fc(&b.field);
    bench_ask(&b, "60 14 02 20 10 03 11 12 04", "61 00");
    assert_true(scrip_field_now_fc(&b.field) - before >= 36ULL * SCRIP_FC_HZ); /* 20 polls of 300 ms for 6 types */
    bench_lay(&b, &tag.picc);
    bench_ask(&b, "60 14 02 20 10 03 11 12 04", "61 01 10 09 01 00 04 08 04 DE AD BE EF");
    bench_ask(&b, "60 01 01 20", "61 00");
    bench_ask(&b, "60 01 01 00", "61 01 10 09 01 00 04 08 04 DE AD BE EF");
    scrip_field_remove(&b.field, &tag.picc);
    bench_lay(&b, &echo.card.picc);
    bench_ask(&b, "60 14 02 20 10", "61 01 20 12 01 03 44 20 07 04 A1 B2 C3 D4 E5 80 06 75 77 81 02 80");
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00");
    bench_ask(&b, "44 00", "45 00");
    bench_ask(&b, "32 01 00", "33");
    bench_ask(&b, "60 02 02 10", "61 00");
    bench_ask(&b, "60 01 01 10 20", "61 01 20 12 01 03 44 20 07 04 A1 B2 C3 D4 E5 80 06 75 77 81 02 80");
}

/* ---- part 4 ------------------------------------------------------------------------------------------------------ */

static void commands_and_responses_go_in_blocks_whatever_their_length(void **state)
{
    static struct bench b;
    static struct echo echo;
    (void)state;
    given_echo(&b, &echo);
    assert_ok(bench_try(&b, "4A 01 00"));
    for (size_t len = 1; len <= 260; len++) {
        uint8_t command[2 + 260] = {0x40, 0x01};
        struct scrip_buf answer = SCRIP_BUF_OF(b.answer);
        for (size_t i = 0; i < len; i++) {
            command[2 + i] = (uint8_t)(i == 1 ? 0 : i + len);
        }
        assert_ok(scrip_pn532_model_command(&b.chip, scrip_bytes(command, 2 + len), &answer));
        assert_int_equal(answer.len, 2 + len + 2);
        assert_int_equal(answer.at[1], 0);
        assert_memory_equal(answer.at + 2, command + 2, len);
    }
    assert_int_equal(echo.commands, 260);
}

static void long_ones_are_passed_in_pieces_both_ways(void **state)
{
    static struct bench b;
    static struct echo echo;
    uint8_t whole[1002];
    size_t got = 0;
    (void)state;
    given_echo(&b, &echo);
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "40 41 00 F0", "41 00"); /* more follows */
    bench_ask(&b, "40 41 00 00 00", "41 00");
    assert_int_equal(echo.commands, 0);
    assert_ok(bench_try(&b, "40 01 03 E8")); /* 1000 bytes back */
    for (;;) {
        memcpy(whole + got, b.answer + 2, b.answer_len - 2);
        got += b.answer_len - 2;
        if (b.answer[1] == 0) {
            break;
        }
        assert_int_equal(b.answer[1], 0x40);
        assert_int_equal(b.answer_len, PN532_MODEL_DATA);
        assert_ok(bench_try(&b, "40 01"));
    }
    assert_int_equal(got, sizeof whole);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(whole[i], (uint8_t)i);
    }
    assert_int_equal(echo.commands, 1);
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00");
}

static void a_card_that_thinks_is_waited_for(void **state)
{
    static struct bench b;
    static struct echo echo;
    (void)state;
    given_echo(&b, &echo);
    echo.busy_us = 900000; /* its waiting time is 77 ms: S(WTX) */
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00");
}

static void presence_is_asked_of_the_card(void **state)
{
    static struct bench b;
    static struct echo echo;
    (void)state;
    given_echo(&b, &echo);
    bench_ask(&b, "00 06", "01 27");
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "00 06", "01 00");
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00");
    bench_ask(&b, "42 B2", "43 00 02 00 B0 90 00"); /* R(NAK) of the block that was last: again */
    bench_ask(&b, "42 B3", "43 00 A2");
    bench_ask(&b, "40 01 00 B1", "41 00 00 B1 90 00");
    scrip_field_remove(&b.field, &echo.card.picc);
    bench_ask(&b, "00 06", "01 01");
}

static void rates_change_directly_after_the_activation_only(void **state)
{
    static struct bench b;
    static struct echo echo;
    (void)state;
    given_echo(&b, &echo);
    bench_ask(&b, "4E 01 02 02", "4F 27");
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "4E 01 03 00", "4F 10");
    bench_ask(&b, "4E 01 02 02", "4F 00");
    bench_ask(&b, "04", "05 00 01 01 01 02 02 00 00");
    const uint64_t before = b.field.times.reader_fc;
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00");
    assert_true(b.field.times.reader_fc - before < 60U * 128U / 2); /* 47 bits at 424 kbit/s */
    bench_ask(&b, "4E 01 02 02", "4F 00");
    bench_ask(&b, "4E 01 00 00", "4F 27");
    assert_ok(bench_try(&b, "44 01"));
    bench_ask(&b, "40 01 00 B0", "41 00 00 B0 90 00"); /* at 106 again */
    bench_ask(&b, "04", "05 00 01 01 01 00 00 00 00");
}

/* ---- storage cards ----------------------------------------------------------------------------------------------- */

static void a_classic_is_read_written_and_counted(void **state)
{
    static struct bench b;
    static struct classic classic;
    (void)state;
    given_classic(&b, &classic);
    bench_ask(&b, "4A 01 00", "4B 01 01 00 04 08 04 DE AD BE EF");
    bench_ask(&b, "40 01 60 05 FF FF FF FF FF FF DE AD BE EF", "41 00");
    bench_ask(&b, "40 01 A0 05 64 00 00 00 9B FF FF FF 64 00 00 00 05 FA 05 FA", "41 00");
    bench_ask(&b, "40 01 30 05", "41 00 64 00 00 00 9B FF FF FF 64 00 00 00 05 FA 05 FA");
    bench_ask(&b, "40 01 C0 05 1E 00 00 00", "41 00");
    bench_ask(&b, "40 01 B0 06", "41 00");
    bench_ask(&b, "40 01 30 06", "41 00 46 00 00 00 B9 FF FF FF 46 00 00 00 05 FA 05 FA");
    bench_ask(&b, "40 01 C1 06 01 00 00 00", "41 00");
    bench_ask(&b, "40 01 B0 06", "41 00");
    bench_ask(&b, "40 01 C2 06 00 00 00 00", "41 00");
    bench_ask(&b, "40 01 B0 04", "41 00");
    bench_ask(&b, "40 01 30 04", "41 00 47 00 00 00 B8 FF FF FF 47 00 00 00 05 FA 05 FA");
    bench_ask(&b, "40 01 60 08 FF FF FF FF FF FF DE AD BE EF", "41 00"); /* nested */
    bench_ask(&b, "40 01 30 08", "41 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
    bench_ask(&b, "40 01 61 0C FF FF FF FF FF FF DE AD BE EF", "41 00");
    bench_ask(&b, "40 01 30 0C", "41 13"); /* a key B that can be read opens nothing */
    classic_free(&classic);
}

static void a_refusal_has_its_status_and_the_card_must_be_listed_again(void **state)
{
    static const struct {
        const char *command, *answer;
    } rows[] = {
        {"40 01 60 04 00 00 00 00 00 00 DE AD BE EF", "41 14"}, /* wrong key */
        {"40 01 60 04 FF FF FF FF FF FF DE AD BE EE", "41 14"}, /* wrong UID */
        {"40 01 60 40 FF FF FF FF FF FF DE AD BE EF", "41 14"}, /* no such block */
        {"40 01 C0 04 01 00 00 00", "41 13"},                   /* no value block */
        {"40 01 30 08", "41 13"},                               /* another sector */
    };
    static struct bench b;
    static struct classic classic;
    (void)state;
    given_classic(&b, &classic);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(bench_try(&b, "4A 01 00"));
        bench_ask(&b, "40 01 60 04 FF FF FF FF FF FF DE AD BE EF", "41 00");
        bench_ask(&b, rows[i].command, rows[i].answer);
        bench_ask(&b, "40 01 30 04", "41 01");
    }
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "40 01 60 04", "41 10");
    bench_ask(&b, "40 01", "41 10");
    classic_free(&classic);
}

static void what_is_no_command_of_classic_goes_out_as_a_frame(void **state)
{
    static struct bench b;
    struct tag tag;
    (void)state;
    given_tag(&b, &tag, 0x00);
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "40 01 30 04", "41 00 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13");
    bench_ask(&b, "40 01 A2 04 01 02 03 04", "41 13"); /* the tag refuses what it does not know */
}

static void raw_frames_go_as_the_registers_say(void **state)
{
    static struct bench b;
    struct tag tag;
    (void)state;
    given_tag(&b, &tag, 0x08);
    bench_ask(&b, "08 63 02 00 63 03 00 63 3D 07", "09");
    bench_ask(&b, "42 26", "43 00 04 00");
    bench_ask(&b, "08 63 3D 00", "09");
    bench_ask(&b, "42 93 20", "43 00 DE AD BE EF 22");
    bench_ask(&b, "42 93 70 DE AD BE EF 22 92 E2", "43 01"); /* wrong CRC */
    bench_ask(&b, "08 63 3D 07", "09");
    bench_ask(&b, "42 26", "43 00 04 00");
    bench_ask(&b, "08 63 02 80 63 03 80 63 3D 00", "09");
    bench_ask(&b, "42 93 70 DE AD BE EF 22", "43 00 08");
    bench_ask(&b, "42 30 00", "43 00 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F");
    bench_ask(&b, "08 63 03 00", "09");
    bench_ask(&b, "42 30 5F", "43 00 04");
    bench_ask(&b, "06 63 3C", "07 14"); /* RxLastBits 4 */
    bench_ask(&b, "42 50 00", "43 01");
    assert_int_equal(tag.a.state, SCRIP_PICC_HALT);
}

static void two_cards_collide_in_raw_frames(void **state)
{
    static struct bench b;
    struct tag one, other;
    (void)state;
    bench_begin(&b);
    tag_init(&one, "DEADBEEF", 0x08);
    tag_init(&other, "DEADBEEE", 0x08);
    bench_lay(&b, &one.picc);
    bench_lay(&b, &other.picc);
    bench_open(&b);
    bench_ask(&b, "08 63 02 00 63 03 00 63 3D 07", "09");
    bench_ask(&b, "42 26", "43 00 04 00");
    bench_ask(&b, "08 63 3D 00", "09");
    bench_ask(&b, "42 93 20", "43 06");
    bench_ask(&b, "06 63 3E", "07 99"); /* the 25th bit */
}

static void without_field_there_is_no_exchange(void **state)
{
    static struct bench b;
    struct tag tag;
    (void)state;
    bench_begin(&b);
    tag_init(&tag, "DEADBEEF", 0x08);
    bench_lay(&b, &tag.picc);
    bench_ask(&b, "42 26", "43 0A");
    bench_open(&b);
    assert_ok(bench_try(&b, "4A 01 00"));
    assert_int_equal(tag.a.state, SCRIP_PICC_ACTIVE);
    bench_ask(&b, "32 01 00", "33");
    assert_int_equal(tag.a.state, SCRIP_PICC_OFF);
    bench_ask(&b, "40 01 30 00", "41 27");
    bench_ask(&b, "4A 01 00", "4B 01 01 00 04 08 04 DE AD BE EF"); /* looking for cards switches it on */
    bench_ask(&b, "16 F0", "17 00");
    assert_true(b.chip.asleep);
    assert_int_equal(tag.a.state, SCRIP_PICC_OFF);
}

#define LOGIN  "40 01 60 05 FF FF FF FF FF FF DE AD BE EF"
#define VALUE  "64 00 00 00 9B FF FF FF 64 00 00 00 05 FA 05 FA"
#define RAISED "69 00 00 00 96 FF FF FF 69 00 00 00 05 FA 05 FA"
#define EMPTY  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"

/* Power lost at the one write of a command: the chip hears nothing, and after the field was off the card is back. */
static void a_card_that_is_torn_is_silent_until_the_field_returns(void **state)
{
    static const struct {
        const char *command, *read, *after;
        enum scrip_tear how;
    } rows[] = {
        {"40 01 A0 06 " VALUE, "40 01 30 06", "41 00" EMPTY, SCRIP_TEAR_BEFORE},
        {"40 01 A0 06 " VALUE, "40 01 30 06", "41 00" VALUE, SCRIP_TEAR_AFTER},
        {"40 01 A0 06 " VALUE, "40 01 30 06", NULL, SCRIP_TEAR_HALF},
        {"40 01 B0 05", "40 01 30 05", "41 00" VALUE, SCRIP_TEAR_BEFORE},
        {"40 01 B0 05", "40 01 30 05", "41 00" RAISED, SCRIP_TEAR_AFTER},
        {"40 01 B0 05", "40 01 30 05", NULL, SCRIP_TEAR_HALF},
    };
    static struct bench b;
    static struct classic classic;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scrip_nv_tearing tearing;
        given_classic(&b, &classic);
        classic.nv = scrip_nv_tearing(&tearing, classic.nv, 1);
        assert_ok(bench_try(&b, "4A 01 00"));
        bench_ask(&b, LOGIN, "41 00");
        bench_ask(&b, "40 01 A0 05 " VALUE, "41 00");
        bench_ask(&b, "40 01 C1 05 05 00 00 00", "41 00");
        scrip_nv_tear_after(&tearing, 1, rows[i].how);
        bench_ask(&b, rows[i].command, "41 01");
        bench_ask(&b, rows[i].read, "41 01");
        bench_ask(&b, "4A 01 00", "4B 00");
        scrip_nv_power_up(&tearing);
        bench_ask(&b, "32 01 00", "33");
        bench_ask(&b, "4A 01 00", "4B 01 01 00 04 08 04 DE AD BE EF");
        bench_ask(&b, LOGIN, "41 00");
        assert_ok(bench_try(&b, rows[i].read));
        assert_int_equal(b.answer_len, 18);
        if (rows[i].after != NULL) {
            assert_hex(scrip_bytes(b.answer, b.answer_len), rows[i].after);
        }
        classic_free(&classic);
    }
}

static void no_key_stays_in_the_chip(void **state)
{
    static struct bench b;
    static struct classic classic;
    static const uint8_t key[6] = {0xA5, 0x5A, 0x11, 0x22, 0x33, 0x44};
    const uint8_t *at = (const uint8_t *)&b.chip;
    uint8_t trailer[16] = {0, 0, 0, 0, 0, 0, 0xFF, 0x07, 0x80, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    (void)state;
    given_classic(&b, &classic);
    memcpy(trailer, key, sizeof key);
    assert_ok(scrip_classic_card_poke(&classic.nv, 7, trailer));
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "40 01 60 04 A5 5A 11 22 33 44 DE AD BE EF", "41 00");
    for (size_t i = 0; i + sizeof key <= sizeof b.chip; i++) {
        assert_memory_not_equal(at + i, key, sizeof key);
    }
    classic_free(&classic);
}

static void a_trailer_that_locks_its_sector_is_passed_on_as_a_chip_does(void **state)
{
    static struct bench b;
    static struct classic classic;
    (void)state;
    given_classic(&b, &classic);
    assert_ok(bench_try(&b, "4A 01 00"));
    bench_ask(&b, "40 01 60 04 FF FF FF FF FF FF DE AD BE EF", "41 00");
    bench_ask(&b, "40 01 A0 07 FF FF FF FF FF FF FF 07 81 69 FF FF FF FF FF FF", "41 00");
    bench_ask(&b, "40 01 30 04", "41 13"); /* blocked, for ever */
    classic_free(&classic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_host_asks_first_is_answered),
        cmocka_unit_test(what_is_no_command_of_the_chip_gets_its_error_frame),
        cmocka_unit_test(registers_are_those_of_the_ciu),
        cmocka_unit_test(a_card_is_listed_with_its_target_data),
        cmocka_unit_test(technologies_that_no_card_of_ours_speaks_find_nothing),
        cmocka_unit_test(without_a_uid_idle_cards_are_found_with_one_those_that_sleep_too),
        cmocka_unit_test(an_active_card_is_thrown_back_and_found_again),
        cmocka_unit_test(two_targets_are_kept_and_each_answers_to_its_number),
        cmocka_unit_test(a_target_that_was_deselected_is_woken_by_the_next_exchange),
        cmocka_unit_test(with_endless_retries_the_chip_waits_until_a_card_comes),
        cmocka_unit_test(autopoll_names_the_type_it_found),
        cmocka_unit_test(commands_and_responses_go_in_blocks_whatever_their_length),
        cmocka_unit_test(long_ones_are_passed_in_pieces_both_ways),
        cmocka_unit_test(a_card_that_thinks_is_waited_for),
        cmocka_unit_test(presence_is_asked_of_the_card),
        cmocka_unit_test(rates_change_directly_after_the_activation_only),
        cmocka_unit_test(a_classic_is_read_written_and_counted),
        cmocka_unit_test(a_refusal_has_its_status_and_the_card_must_be_listed_again),
        cmocka_unit_test(what_is_no_command_of_classic_goes_out_as_a_frame),
        cmocka_unit_test(raw_frames_go_as_the_registers_say),
        cmocka_unit_test(two_cards_collide_in_raw_frames),
        cmocka_unit_test(without_field_there_is_no_exchange),
        cmocka_unit_test(a_card_that_is_torn_is_silent_until_the_field_returns),
        cmocka_unit_test(no_key_stays_in_the_chip),
        cmocka_unit_test(a_trailer_that_locks_its_sector_is_passed_on_as_a_chip_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
