/* The driver of the PN532 against the chip's pins: bytes on the wire, answers that are late, damaged or hostile. */
#include "fake_pn532.h"
#include <stdlib.h>

#define BEGIN                                                                                                          \
    {"02", "03 32010607"}, {"12 14", "13"}, {"32 02000B0A", "33"}, {"32 0400", "33"},                                  \
    {                                                                                                                  \
        "32 05FF0101", "33"                                                                                            \
    }
#define FIELD                                                                                                          \
    {"32 0100", "33"},                                                                                                 \
    {                                                                                                                  \
        "32 0101", "33"                                                                                                \
    }

struct bench {
    struct fake_pn532 fake;
    struct scrip_pn532 pn532;
    struct scrip_target target;
    uint8_t at[70000];
    struct scrip_buf out;
};

static struct bench *given_silent(enum wire_bus bus, const struct fake_step *script)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->fake.script = script;
    b->out = SCRIP_BUF_OF(b->at);
    fake_connect(&b->fake, bus, &b->pn532);
    return b;
}

static struct bench *given(enum wire_bus bus, const struct fake_step *script)
{
    struct bench *b = given_silent(bus, script);
    assert_ok(scrip_pn532_begin(&b->pn532));
    return b;
}

static void finish(struct bench *b)
{
    assert_false(b->fake.strange);
    assert_null(b->fake.script[b->fake.step].command); /* the whole script was played */
    free(b);
}

static const struct scrip_coupler_ops *ops(struct bench *b)
{
    return b->pn532.coupler.ops;
}

static enum scrip_status found(struct bench *b)
{
    return ops(b)->find(&b->pn532.coupler, 0, &b->target);
}

static enum scrip_status did_mifare(struct bench *b, const char *hex)
{
    uint8_t at[32];
    b->out.len = 0;
    return ops(b)->mifare(&b->pn532.coupler, scrip_bytes(at, from_hex(hex, at, sizeof at)), &b->out);
}

static enum scrip_status did_apdu(struct bench *b, const char *hex)
{
    uint8_t at[4096];
    b->out.len = 0;
    return ops(b)->apdu(&b->pn532.coupler, scrip_bytes(at, from_hex(hex, at, sizeof at)), &b->out);
}

/* ---- Bytes on the wire ------------------------------------------------------------------------------------------- */

static void the_serial_line_wakes_the_chip_and_frames_commands(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    assert_hex(scrip_bytes(b->fake.wire.heard, b->fake.wire.heard_len), "55550000000000000000000000000000"
                                                                        "0000FF03FDD414011700"
                                                                        "0000FF02FED4022A00"
                                                                        "0000FF03FDD412140600"
                                                                        "0000FF06FAD43202000B0AE300"
                                                                        "0000FF04FCD4320400F600"
                                                                        "0000FF06FAD43205FF0101F400");
    assert_hex(SCRIP_BYTES_OF(b->pn532.version), "32010607");
    finish(b);
}

static struct {
    uint8_t tx[600];
    size_t len;
} tap;

static enum scrip_status tapped_spi(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    if (tap.len + len <= sizeof tap.tx) {
        memcpy(tap.tx + tap.len, tx, len);
        tap.len += len;
    }
    return wire_spi(ctx, tx, rx, len);
}

static void spi_carries_mirrored_bytes_behind_what_the_transfer_is(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {NULL, NULL}};
    struct bench *b = given_silent(WIRE_SPI, script);
    tap.len = 0;
    b->pn532.bus.spi.transfer = tapped_spi;
    assert_ok(scrip_pn532_begin(&b->pn532));
    /* wake; write SAMConfiguration; status; fetch 6; status; fetch 40 */
    assert_hex(scrip_bytes(tap.tx, 24), "00"
                                        "800000FFC0BF2B2880E800"
                                        "4000"
                                        "C0000000000000"
                                        "4000"
                                        "C0");
    finish(b);
}

static void long_commands_and_answers_travel_in_extended_frames(void **state)
{
    (void)state;
    static char command[2 * 263 + 1], answer[2 * 264 + 1];
    const struct fake_step script[] = {BEGIN, {command, answer}, {NULL, NULL}};
    uint8_t at[262], big[264];
    memset(at, 0xA7, sizeof at);
    memset(command, 'A', sizeof command - 1);
    for (size_t i = 0; i < 262; i++) {
        memcpy(command + 2 + 2 * i, "A7", 2);
        memcpy(answer + 2 + 2 * i, "5C", 2);
    }
    memcpy(command, "42", 2);
    memcpy(answer, "43", 2);
    for (enum wire_bus bus = 0; bus < WIRE_BUSES; bus++) {
        struct bench *b = given(bus, script);
        struct scrip_buf out = SCRIP_BUF_OF(big);
        assert_ok(scrip_pn532_command(&b->pn532, 0x42, SCRIP_BYTES_OF(at), &out, 100));
        assert_int_equal(out.len, 262);
        assert_int_equal(out.at[261], 0x5C);
        assert_int_equal(b->fake.repeats, bus == WIRE_HSU ? 0 : 1); /* fetched short, then whole */
        assert_status(scrip_pn532_command(&b->pn532, 0x42, scrip_bytes(big, 264), &out, 100), SCRIP_E_SPACE);
        finish(b);
    }
}

static void answers_in_extended_frames_of_any_length_are_taken(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {NULL, NULL}};
    for (enum wire_bus bus = 0; bus < WIRE_BUSES; bus++) {
        struct bench *b = given_silent(bus, script);
        b->fake.extended_always = true;
        assert_ok(scrip_pn532_begin(&b->pn532));
        finish(b);
    }
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

static void nobody_there_is_a_time_out_within_seconds(void **state)
{
    (void)state;
    static const struct fake_step script[] = {{NULL, NULL}};
    for (enum wire_bus bus = 0; bus < WIRE_BUSES; bus++) {
        struct bench *b = given_silent(bus, script);
        b->fake.wire.dead = true;
        assert_status(scrip_pn532_begin(&b->pn532), SCRIP_E_TIMEOUT);
        assert_true(b->fake.wire.now_us < 5000000);
        finish(b);
    }
}

static void another_chip_is_not_taken_for_a_pn532(void **state)
{
    (void)state;
    static const struct fake_step script[] = {{"02", "03 07010000"}, {NULL, NULL}};
    struct bench *b = given_silent(WIRE_HSU, script);
    assert_status(scrip_pn532_begin(&b->pn532), SCRIP_E_UNSUPPORTED);
    finish(b);
}

static void bytes_of_an_older_conversation_are_hunted_past(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {"04", "05 000000"}, {"04", "05 000001"}, {NULL, NULL}};
    static const struct {
        const char *late;
        bool lost; /* takes the ACK with it */
    } stale[] = {
        {"0000FF03FDD54B00E000", false},     /* an answer to another command */
        {"0000FF05FBD505112233C000", false}, /* a wrong one to this command */
        {"0000FF05FBD505112233C100", false}, /* damaged */
        {"FFFFFF", false},
        {"0000FFFF", false},
        {"0000FF0DF3D5", true},
    };
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++) {
        struct bench *b = given(WIRE_HSU, script);
        b->fake.late = stale[i].late;
        const enum scrip_status status = scrip_pn532_command(&b->pn532, 0x04, scrip_bytes(NULL, 0), &b->out, 100);
        assert_true(stale[i].lost ? status == SCRIP_E_TIMEOUT : status == SCRIP_OK);
        assert_hex(scrip_buf_bytes(&b->out), stale[i].lost ? "" : "000000");
        assert_ok(scrip_pn532_command(&b->pn532, 0x04, scrip_bytes(NULL, 0), &b->out, 100));
        assert_int_equal(b->out.at[b->out.len - 1], 0x01);
        finish(b);
    }
}

static void bytes_left_from_before_are_thrown_away_with_the_command(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {"04", "05 000000"}, {NULL, NULL}};
    static const uint8_t left[] = {0x00, 0x00, 0xFF, 0x0D, 0xF3, 0xD5};
    struct bench *b = given(WIRE_HSU, script);
    wire_say(&b->fake.wire, left, sizeof left);
    assert_ok(scrip_pn532_command(&b->pn532, 0x04, scrip_bytes(NULL, 0), &b->out, 100));
    finish(b);
}

/* ---- Finding cards ----------------------------------------------------------------------------------------------- */

static void a_card_is_found_with_what_it_says_of_itself(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *uid, *ats;
        uint8_t sak;
    } cards[] = {
        {"4B 01 01 0004 08 04 DEADBEEF", "DEADBEEF", "", 0x08},
        {"4B 01 01 0344 20 07 04A1B2C3D4E580 067577810280", "04A1B2C3D4E580", "067577810280", 0x20},
        {"4B 01 01 0344 20 0A 04010203040506070809 0200", "04010203040506070809", "0200", 0x20},
    };
    for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        const struct fake_step script[] = {BEGIN, FIELD, {"4A 0100", cards[i].answer}, {NULL, NULL}};
        for (enum wire_bus bus = 0; bus < WIRE_BUSES; bus++) {
            struct bench *b = given(bus, script);
            assert_ok(found(b));
            assert_hex(scrip_bytes(b->target.uid, b->target.uid_len), cards[i].uid);
            assert_hex(scrip_bytes(b->target.ats, b->target.ats_len), cards[i].ats);
            assert_int_equal(b->target.sak, cards[i].sak);
            assert_int_equal(b->target.atqa[0], i == 0 ? 0x04 : 0x44); /* low byte first */
            finish(b);
        }
    }
}

static void targets_that_make_no_sense_are_a_failed_reader(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "4B",
        "4B 01",
        "4B 02 01 0004 08 04 DEADBEEF",
        "4B 01 02 0004 08 04 DEADBEEF",
        "4B 01 01 0004 08 05 DEADBEEF00",
        "4B 01 01 0004 08 04 DEADBE",
        "4B 01 01 0344 20 04 DEADBEEF 0775778102 80",
        "4B 01 01 0344 20 04 DEADBEEF 0475778102 80",
        "4B 01 01 0344 20 04 DEADBEEF 22 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF00",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct fake_step script[] = {BEGIN, FIELD, {"4A 0100", answers[i]}, {NULL, NULL}};
        struct bench *b = given(WIRE_HSU, script);
        assert_status(found(b), SCRIP_E_LINK);
        assert_int_equal(b->target.uid_len, 0);
        finish(b);
    }
}

static void waiting_for_a_card_looks_until_the_time_is_over(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN,
                                              FIELD,
                                              {"4A 0100", "4B 00"},
                                              FIELD,
                                              {"4A 0100", "4B 00"},
                                              FIELD,
                                              {"4A 0100", "4B 01 01 0004 08 04 DEADBEEF"},
                                              FIELD,
                                              {"4A 0100", "4B 00"},
                                              {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    assert_ok(ops(b)->find(&b->pn532.coupler, 1000, &b->target));
    assert_status(found(b), SCRIP_E_NO_CARD);
    finish(b);
}

static void a_card_is_selected_again_by_its_uid_with_cascade_tags(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *request, *other;
    } cards[] = {
        {"4B 01 01 0004 08 04 DEADBEEF", "4A 0100 DEADBEEF", "4B 01 01 0004 08 04 DEADBEE0"},
        {"4B 01 01 0044 08 07 04A1B2C3D4E580", "4A 0100 8804A1B2C3D4E580", "4B 01 01 0004 08 04 DEADBEEF"},
        {"4B 01 01 0084 08 0A 00010203040506070809", "4A 0100 88000102 88030405 06070809",
         "4B 01 01 0084 08 0A 00010203040506070808"},
    };
    for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
        const struct fake_step script[] = {BEGIN,
                                           FIELD,
                                           {"4A 0100", cards[i].answer},
                                           {cards[i].request, cards[i].answer},
                                           {cards[i].request, cards[i].other},
                                           {cards[i].request, "4B 00"},
                                           {NULL, NULL}};
        struct bench *b = given(WIRE_HSU, script);
        assert_ok(found(b));
        assert_ok(ops(b)->again(&b->pn532.coupler));
        assert_status(ops(b)->again(&b->pn532.coupler), SCRIP_E_NO_CARD);
        assert_status(ops(b)->again(&b->pn532.coupler), SCRIP_E_NO_CARD);
        finish(b);
    }
}

static void a_card_of_blocks_is_released_before_it_is_woken(void **state)
{
    (void)state;
    static const char card[] = "4B 01 01 0344 20 04 DEADBEEF 0200";
    static const struct fake_step script[] = {
        BEGIN, FIELD, {"4A 0100", card}, {"52 00", "53 00"}, {"4A 0100 DEADBEEF", card}, {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    assert_status(ops(b)->again(&b->pn532.coupler), SCRIP_E_NO_CARD); /* none was ever found */
    assert_ok(found(b));
    assert_ok(ops(b)->again(&b->pn532.coupler));
    finish(b);
}

/* ---- MIFARE Classic ---------------------------------------------------------------------------------------------- */

static void every_status_of_the_chip_has_its_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *command, *answer;
        enum scrip_status status;
    } rows[] = {
        {"6004FFFFFFFFFFFFDEADBEEF", "41 00", SCRIP_OK},
        {"6104FFFFFFFFFFFFDEADBEEF", "41 14", SCRIP_E_AUTH},
        {"6104FFFFFFFFFFFFDEADBEEF", "41 13", SCRIP_E_AUTH},
        {"6104FFFFFFFFFFFFDEADBEEF", "41 01", SCRIP_E_TORN},
        {"3004", "41 00 000102030405060708090A0B0C0D0E0F", SCRIP_OK},
        {"3004", "41 00 000102030405060708090A0B0C0D0E", SCRIP_E_TORN},
        {"3004", "41 00", SCRIP_E_TORN},
        {"3004", "41", SCRIP_E_TORN},
        {"3004", "41 13", SCRIP_E_CARD},
        {"3004", "41 02", SCRIP_E_TORN},
        {"A004000102030405060708090A0B0C0D0E0F", "41 00", SCRIP_OK},
        {"A004000102030405060708090A0B0C0D0E0F", "41 00 00", SCRIP_E_TORN},
        {"A004000102030405060708090A0B0C0D0E0F", "41 13", SCRIP_E_CARD},
        {"A004000102030405060708090A0B0C0D0E0F", "41 01", SCRIP_E_TORN},
        {"C00401000000", "41 00", SCRIP_OK},
        {"C10401000000", "41 13", SCRIP_E_CARD},
        {"C20400000000", "41 29", SCRIP_E_TORN},
        {"B004", "41 2B", SCRIP_E_TORN},
        {"B004", "41 40", SCRIP_OK}, /* the bit above the code is of other cards */
        {"B004", "41 27", SCRIP_E_TORN},
        {"B004", NULL, SCRIP_E_TORN},
        {"B004", "", SCRIP_E_TORN},
        {"B004", "43 00", SCRIP_E_TORN}, /* an answer to something else, and then none */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[64];
        snprintf(request, sizeof request, "4001%s", rows[i].command);
        const struct fake_step script[] = {
            BEGIN, FIELD, {"4A 0100", "4B 01 01 0004 08 04 DEADBEEF"}, {request, rows[i].answer}, {NULL, NULL}};
        struct bench *b = given(WIRE_HSU, script);
        assert_ok(found(b));
        assert_status(did_mifare(b, rows[i].command), rows[i].status);
        assert_int_equal(b->out.len, i == 4 ? 16 : 0);
        finish(b);
    }
}

static void commands_that_are_none_never_reach_the_chip(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {NULL, NULL}};
    static const char *const commands[] = {"", "30", "300400", "6004", "A004", "C004", "B00400", "E050", "5000FF"};
    struct bench *b = given(WIRE_HSU, script);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_status(did_mifare(b, commands[i]), SCRIP_E_ARGUMENT);
    }
    finish(b);
}

static void halt_is_a_deselect(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, {"44 01", "45 00"}, {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    assert_ok(did_mifare(b, "5000"));
    finish(b);
}

/* ---- Cards of part 4 --------------------------------------------------------------------------------------------- */

#define DESFIRE                                                                                                        \
    {                                                                                                                  \
        "4A 0100", "4B 01 01 0344 20 07 04A1B2C3D4E580 067577810280"                                                   \
    }

static void long_apdus_go_and_come_in_pieces(void **state)
{
    (void)state;
    static char first[2 * 264 + 1], second[2 * 264 + 1], third[] = "40 01 EEEE", whole[2 * 526 + 1], piece[2 * 264 + 1];
    memset(whole, 'E', sizeof whole - 1);
    memset(first, 'E', sizeof first - 1);
    memset(second, 'E', sizeof second - 1);
    memset(piece, '7', sizeof piece - 1);
    memcpy(first, "4041", 4);
    memcpy(second, "4041", 4);
    memcpy(piece, "4140", 4);
    const struct fake_step script[] = {BEGIN,
                                       FIELD,
                                       DESFIRE,
                                       {first, "41 00"},
                                       {second, "41 00"},
                                       {third, piece},
                                       {"40 01", piece},
                                       {"40 01", "41 00 9000"},
                                       {NULL, NULL}};
    for (enum wire_bus bus = 0; bus < WIRE_BUSES; bus++) {
        struct bench *b = given(bus, script);
        assert_ok(found(b));
        assert_ok(did_apdu(b, whole));
        assert_int_equal(b->out.len, 262 + 262 + 2);
        assert_hex(scrip_bytes_from(scrip_buf_bytes(&b->out), 523), "779000");
        finish(b);
    }
}

static void a_response_that_does_not_fit_is_fetched_to_its_end(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN,
                                              FIELD,
                                              DESFIRE,
                                              {"40 01 9060000000", "41 40 010203"},
                                              {"40 01", "41 00 049100"},
                                              {"40 01 9060000000", "41 00 91AE"},
                                              {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    b->out.cap = 5;
    assert_ok(found(b));
    assert_status(did_apdu(b, "9060000000"), SCRIP_E_SPACE);
    assert_int_equal(b->out.len, 0);
    assert_ok(did_apdu(b, "9060000000"));
    assert_hex(scrip_buf_bytes(&b->out), "91AE");
    finish(b);
}

static void an_apdu_that_fails_in_any_piece_is_torn(void **state)
{
    (void)state;
    static const char *const answers[][2] = {{"41 01", NULL},         {"41 2B", NULL},    {"41", NULL},
                                             {"41 40 00", "41 01"},   {"41 40 00", "41"}, {"41 13", NULL},
                                             {"41 40 00", "41 49 00"}};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct fake_step script[] = {BEGIN,
                                           FIELD,
                                           DESFIRE,
                                           {"40 01 9060000000", answers[i][0]},
                                           {answers[i][1] != NULL ? "40 01" : NULL, answers[i][1]},
                                           {NULL, NULL}};
        struct bench *b = given(WIRE_HSU, script);
        assert_ok(found(b));
        assert_status(did_apdu(b, "9060000000"), SCRIP_E_TORN);
        assert_int_equal(b->out.len, 0);
        finish(b);
    }
}

static void a_chip_that_never_comes_to_an_end_is_torn(void **state)
{
    (void)state;
    static const struct fake_step script[] = {{"02", "03 32010607"},
                                              {"12 14", "13"},
                                              {"32 02000B0A", "33"},
                                              {"32 0400", "33"},
                                              {"32 05FF0101", "33"},
                                              FIELD,
                                              DESFIRE,
                                              {"40 01 9060000000", "41 40"},
                                              {"40 01", "41 40"},
                                              {NULL, NULL}};
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->out = SCRIP_BUF_OF(b->at);
    b->fake.script = script;
    b->fake.any_order = true;
    fake_connect(&b->fake, WIRE_I2C, &b->pn532);
    assert_ok(scrip_pn532_begin(&b->pn532));
    assert_ok(found(b));
    assert_status(did_apdu(b, "9060000000"), SCRIP_E_TORN);
    free(b);
}

static void without_a_card_of_part_4_there_is_no_apdu(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN, FIELD, {"4A 0100", "4B 01 01 0004 08 04 DEADBEEF"}, {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    assert_status(did_apdu(b, "9060000000"), SCRIP_E_STATE);
    assert_ok(found(b));
    assert_status(did_apdu(b, "9060000000"), SCRIP_E_STATE);
    finish(b);
}

/* ---- Raw frames -------------------------------------------------------------------------------------------------- */

static void raw_frames_set_the_registers_and_put_them_back(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN,
                                              {"32 02000B04", "33"}, /* 800 us */
                                              {"08 630200 630300 630D00 633D07", "09"},
                                              {"42 26", "43 00 0400"},
                                              {"06 633C", "07 10"},
                                              {"08 630280 630380 630D10 633D00", "09"},
                                              {"42 3004", "43 00 0A"},
                                              {"06 633C", "07 14"},
                                              {"08 630280 630380 630D10 633D00", "09"},
                                              {"42 3004", "43 01"},
                                              {"08 630280 630380 630D10 633D00", "09"},
                                              {"42 3004", "43 02"},
                                              {"08 630280 630380 630D00 633D00", "09"},
                                              {"40 01 3004", "41 13"},
                                              {NULL, NULL}};
    static const uint8_t reqa[] = {0x26}, read[] = {0x30, 0x04};
    const struct scrip_coupler_raw shortly = {.parity = true, .last_bits = 7, .timeout_us = 700};
    const struct scrip_coupler_raw bare = {.crc_out = true, .crc_in = true, .timeout_us = 800};
    struct bench *b = given(WIRE_HSU, script);
    struct scrip_coupler *coupler = &b->pn532.coupler;
    uint8_t last_bits = 9;
    assert_ok(ops(b)->raw(coupler, &shortly, SCRIP_BYTES_OF(reqa), &b->out, &last_bits));
    assert_hex(scrip_buf_bytes(&b->out), "0400");
    assert_int_equal(last_bits, 0);
    assert_ok(ops(b)->raw(coupler, &bare, SCRIP_BYTES_OF(read), &b->out, &last_bits));
    assert_int_equal(last_bits, 4);
    assert_status(ops(b)->raw(coupler, &bare, SCRIP_BYTES_OF(read), &b->out, &last_bits), SCRIP_E_TIMEOUT);
    assert_status(ops(b)->raw(coupler, &bare, SCRIP_BYTES_OF(read), &b->out, &last_bits), SCRIP_E_MAC);
    assert_status(did_mifare(b, "3004"), SCRIP_E_CARD);
    finish(b);
}

/* ---- Sleep ------------------------------------------------------------------------------------------------------- */

static void a_chip_put_to_sleep_wakes_up_with_the_next_command(void **state)
{
    (void)state;
    static const struct fake_step script[] = {
        BEGIN, {"32 0100", "33"}, {"16 F0", "17 00"}, {"04", "05 00"}, {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    scrip_pn532_end(&b->pn532);
    scrip_pn532_end(&b->pn532); /* is asleep already */
    const size_t before = b->fake.wire.heard_len;
    assert_ok(scrip_pn532_command(&b->pn532, 0x04, scrip_bytes(NULL, 0), &b->out, 100));
    assert_hex(scrip_bytes(b->fake.wire.heard + before, 3), "555500");
    finish(b);
}

/* ---- A bad line -------------------------------------------------------------------------------------------------- */

/* A visit to each kind of card; every answer that is taken for good must be the right one. */
static bool visit(struct bench *b)
{
    bool all = scrip_pn532_begin(&b->pn532) == SCRIP_OK;
    if (found(b) == SCRIP_OK) {
        assert_hex(scrip_bytes(b->target.uid, b->target.uid_len), "04A1B2C3D4E580");
        assert_hex(scrip_bytes(b->target.ats, b->target.ats_len), "067577810280");
        const enum scrip_status apdu = did_apdu(b, "90BD0000070100000000000000");
        assert_true(apdu == SCRIP_OK || apdu == SCRIP_E_TORN || apdu == SCRIP_E_STATE || apdu == SCRIP_E_LINK);
        if (apdu == SCRIP_OK) {
            assert_hex(scrip_buf_bytes(&b->out), "00FF0000FF00FF009100");
        } else {
            assert_int_equal(b->out.len, 0);
            all = false;
        }
    } else {
        all = false;
    }
    const enum scrip_status read = did_mifare(b, "3004");
    assert_true(read == SCRIP_OK || read == SCRIP_E_TORN || read == SCRIP_E_LINK);
    if (read == SCRIP_OK) {
        assert_hex(scrip_buf_bytes(&b->out), "0000FF00FF000000FFFF00000000FF00");
    }
    const enum scrip_status refused = did_mifare(b, "B004");
    assert_true(refused == SCRIP_E_CARD || refused == SCRIP_E_TORN || refused == SCRIP_E_LINK);
    return all && read == SCRIP_OK && refused == SCRIP_E_CARD;
}

static const struct fake_step cards[] = {{"02", "03 32010607"},
                                         {"12 14", "13"},
                                         {"32 02000B0A", "33"},
                                         {"32 0400", "33"},
                                         {"32 05FF0101", "33"},
                                         FIELD,
                                         DESFIRE,
                                         {"40 01 90BD0000070100000000000000", "41 40 00FF0000"},
                                         {"40 01", "41 00 FF00FF009100"},
                                         {"40 01 3004", "41 00 0000FF00FF000000FFFF00000000FF00"},
                                         {"40 01 B004", "41 13"},
                                         {NULL, NULL}};

static struct bench *given_bad_line(enum wire_bus bus, enum wire_fault fault, size_t to_host, size_t to_chip)
{
    struct bench *b = given_silent(bus, cards);
    b->fake.any_order = true;
    b->fake.wire.fault = fault;
    b->fake.wire.fault_to_host = to_host;
    b->fake.wire.fault_to_chip = to_chip;
    return b;
}

static void a_byte_lost_or_damaged_anywhere_never_makes_a_wrong_answer(void **state)
{
    (void)state;
    struct bench *b = given_bad_line(WIRE_HSU, WIRE_WHOLE, 0, 0);
    assert_true(visit(b));
    const size_t to_host = b->fake.wire.to_host, to_chip = b->fake.wire.to_chip;
    size_t survived = 0;
    free(b);
    assert_true(to_host > 150 && to_chip > 150);
    for (enum wire_fault fault = WIRE_LOSES; fault <= WIRE_FLIPS; fault++) {
        for (size_t at = 1; at <= to_host + to_chip; at++) {
            b = given_bad_line(WIRE_HSU, fault, at <= to_host ? at : 0, at > to_host ? at - to_host : 0);
            survived += visit(b);
            if (!visit(b)) { /* the line is good again by now */
                fail_msg("fault %d at byte %zu of %zu + %zu: does not go on", (int)fault, at, to_host, to_chip);
            }
            free(b);
        }
    }
    assert_true(survived > to_host); /* most bytes of an answer can be had again */
}

static void damage_on_a_clocked_bus_never_makes_a_wrong_answer(void **state)
{
    (void)state;
    for (enum wire_bus bus = WIRE_SPI; bus < WIRE_BUSES; bus++) {
        struct bench *b = given_bad_line(bus, WIRE_WHOLE, 0, 0);
        assert_true(visit(b));
        const size_t to_host = b->fake.wire.to_host, to_chip = b->fake.wire.to_chip;
        free(b);
        for (size_t at = 1; at <= to_host + to_chip; at++) {
            b = given_bad_line(bus, WIRE_FLIPS, at <= to_host ? at : 0, at > to_host ? at - to_host : 0);
            (void)visit(b);
            assert_true(visit(b));
            free(b);
        }
    }
}

/* The chip dies after each byte; another one is plugged in. */
static void a_line_cut_after_any_byte_leaves_the_driver_able_to_go_on(void **state)
{
    (void)state;
    struct bench *b = given_bad_line(WIRE_HSU, WIRE_WHOLE, 0, 0);
    assert_true(visit(b));
    const size_t said = b->fake.wire.to_host;
    free(b);
    for (size_t at = 1; at < said; at++) {
        b = given_bad_line(WIRE_HSU, WIRE_WHOLE, 0, 0);
        b->fake.wire.dies_after = at;
        assert_false(visit(b));
        assert_true(b->fake.wire.dead);
        b->fake.wire.dead = false;
        b->fake.wire.dies_after = 0;
        if (!visit(b)) {
            fail_msg("cut after %zu of %zu bytes: does not go on", at, said);
        }
        free(b);
    }
}

static void a_trailer_that_would_lock_its_sector_does_not_reach_the_chip(void **state)
{
    (void)state;
    static const struct fake_step script[] = {BEGIN,
                                              FIELD,
                                              {"4A 0100", "4B 01 01 0004 08 04 01020304"},
                                              {"40 01 A007 A0A1A2A3A4A5 FF078069 B0B1B2B3B4B5", "41 00"},
                                              {"40 01 A006 A0A1A2A3A4A5 FF078169 B0B1B2B3B4B5", "41 00"},
                                              {NULL, NULL}};
    struct bench *b = given(WIRE_HSU, script);
    assert_ok(found(b));
    assert_status(did_mifare(b, "A007 A0A1A2A3A4A5 FF078169 B0B1B2B3B4B5"), SCRIP_E_CORRUPT);
    assert_ok(did_mifare(b, "A007 A0A1A2A3A4A5 FF078069 B0B1B2B3B4B5")); /* the card is still selected */
    assert_ok(did_mifare(b, "A006 A0A1A2A3A4A5 FF078169 B0B1B2B3B4B5"));
    finish(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_serial_line_wakes_the_chip_and_frames_commands),
        cmocka_unit_test(spi_carries_mirrored_bytes_behind_what_the_transfer_is),
        cmocka_unit_test(long_commands_and_answers_travel_in_extended_frames),
        cmocka_unit_test(answers_in_extended_frames_of_any_length_are_taken),
        cmocka_unit_test(nobody_there_is_a_time_out_within_seconds),
        cmocka_unit_test(another_chip_is_not_taken_for_a_pn532),
        cmocka_unit_test(bytes_of_an_older_conversation_are_hunted_past),
        cmocka_unit_test(bytes_left_from_before_are_thrown_away_with_the_command),
        cmocka_unit_test(a_card_is_found_with_what_it_says_of_itself),
        cmocka_unit_test(targets_that_make_no_sense_are_a_failed_reader),
        cmocka_unit_test(waiting_for_a_card_looks_until_the_time_is_over),
        cmocka_unit_test(a_card_is_selected_again_by_its_uid_with_cascade_tags),
        cmocka_unit_test(a_card_of_blocks_is_released_before_it_is_woken),
        cmocka_unit_test(every_status_of_the_chip_has_its_meaning),
        cmocka_unit_test(commands_that_are_none_never_reach_the_chip),
        cmocka_unit_test(halt_is_a_deselect),
        cmocka_unit_test(long_apdus_go_and_come_in_pieces),
        cmocka_unit_test(a_response_that_does_not_fit_is_fetched_to_its_end),
        cmocka_unit_test(an_apdu_that_fails_in_any_piece_is_torn),
        cmocka_unit_test(a_chip_that_never_comes_to_an_end_is_torn),
        cmocka_unit_test(without_a_card_of_part_4_there_is_no_apdu),
        cmocka_unit_test(raw_frames_set_the_registers_and_put_them_back),
        cmocka_unit_test(a_chip_put_to_sleep_wakes_up_with_the_next_command),
        cmocka_unit_test(a_byte_lost_or_damaged_anywhere_never_makes_a_wrong_answer),
        cmocka_unit_test(damage_on_a_clocked_bus_never_makes_a_wrong_answer),
        cmocka_unit_test(a_line_cut_after_any_byte_leaves_the_driver_able_to_go_on),
        cmocka_unit_test(a_trailer_that_would_lock_its_sector_does_not_reach_the_chip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
