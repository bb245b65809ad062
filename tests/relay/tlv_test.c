#include "check.h"
#include <scrip/relay_tlv.h>
#include <stdlib.h>

#define MULTIFLEX_SCRIPT                                                                                               \
    "AA322207C0A40000023F00220DF02A00010847465849325678402207C0A400000220032208F032000003FFFFFF2205C0B2000003"
#define VAS_SCRIPT                                                                                                     \
    "AA44221100A404000BA0000005590001F262FF0100222400DB00001F9F280447110815A116B0099F200212349F230103B0099F200212359F" \
    "230103220900CB0000035C01A100"
#define PREAMBLE "AA25C5089100FFFF91AFFFFF2209905A00000399440100220E9071000008030600000000000000"
#define TOPUP_SCRIPT                                                                                                   \
    "AA73C5049100FFFF2213900C00000D03E8030000A1A2A3A4A5A6A7A8002225903B00001F04000000100000001122334455667788"         \
    "99AABB01020304B1B2B3B4B5B6B7B800221E90C80000180F1E2D3C4B5A69788796A5B4C3D2E1F0C1C2C3C4C5C6C7C800220F90C7"         \
    "00000901D1D2D3D4D5D6D7D800"

/* A message in memory of exactly its size, so that ASan sees any step past it. */
static struct scrip_bytes message(const char *hex)
{
    static uint8_t at[4096];
    return scrip_bytes(at, from_hex(hex, at, sizeof at));
}

static enum scrip_relay_bad opened(struct scrip_bytes body)
{
    struct scrip_relay_script script;
    uint8_t *exact = malloc(body.len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, body.at, body.len);
    const enum scrip_relay_bad bad = scrip_relay_script_open(&script, scrip_bytes(exact + 1, body.len), NULL);
    free(exact);
    return bad;
}

static enum scrip_relay_bad opened_hex(const char *hex)
{
    return opened(message(hex));
}

static struct scrip_relay_item item_at(struct scrip_relay_script *script)
{
    struct scrip_relay_item item;
    scrip_relay_script_next(script, &item);
    return item;
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

static void a_script_hands_out_its_commands_in_order(void **state)
{
    (void)state;
    struct scrip_relay_script script;
    assert_int_equal(scrip_relay_script_open(&script, message(MULTIFLEX_SCRIPT), NULL), SCRIP_RELAY_FINE);
    static const char *const commands[] = {"C0A40000023F00", "F02A0001084746584932567840", "C0A40000022003",
                                           "F032000003FFFFFF", "C0B2000003"};
    for (uint8_t i = 0; i < 5; i++) {
        const struct scrip_relay_item item = item_at(&script);
        assert_int_equal(item.kind, SCRIP_RELAY_COMMAND);
        assert_int_equal(item.number, i + 1);
        assert_int_equal(item.good.len, 0);
        assert_hex(item.bytes, commands[i]);
    }
    assert_int_equal(item_at(&script).kind, SCRIP_RELAY_END);
    assert_int_equal(item_at(&script).kind, SCRIP_RELAY_END);
}

static void the_good_list_holds_until_the_next_one(void **state)
{
    (void)state;
    struct scrip_relay_script script;
    assert_int_equal(
        scrip_relay_script_open(
            &script, message("AA 20 2204 00000001 C504 9100FFFF 2204 00000002 2204 00000003 C500 2204 00000004"), NULL),
        SCRIP_RELAY_FINE);
    static const size_t lengths[] = {0, 4, 4, 0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(item_at(&script).good.len, lengths[i]);
    }
}

static void status_words_are_good_by_value_and_mask(void **state)
{
    (void)state;
    const struct scrip_bytes none = {0};
    assert_true(scrip_relay_sw_good(none, 0x9000));
    assert_true(scrip_relay_sw_good(none, 0x61FF));
    assert_false(scrip_relay_sw_good(none, 0x9001));
    assert_false(scrip_relay_sw_good(none, 0x9100));
    const struct scrip_bytes list = message("9100FFFF 91AFFFFF 63C0FFF0");
    assert_true(scrip_relay_sw_good(list, 0x9100));
    assert_true(scrip_relay_sw_good(list, 0x91AF));
    assert_true(scrip_relay_sw_good(list, 0x63C7));
    assert_false(scrip_relay_sw_good(list, 0x63D7));
    assert_false(scrip_relay_sw_good(list, 0x9000));
    /* a value with bits outside its mask is never met */
    assert_false(scrip_relay_sw_good(message("91AFFF00"), 0x91AF));
}

static void resets_and_notices_are_elements(void **state)
{
    (void)state;
    struct scrip_relay_script script;
    assert_int_equal(scrip_relay_script_open(&script, message("AA0BC0002207C0A40000023F00"), NULL), SCRIP_RELAY_FINE);
    struct scrip_relay_item item = item_at(&script);
    assert_int_equal(item.kind, SCRIP_RELAY_RESET);
    assert_int_equal(item.number, 1);
    item = item_at(&script);
    assert_int_equal(item.kind, SCRIP_RELAY_COMMAND);
    assert_int_equal(item.number, 2);

    assert_int_equal(
        scrip_relay_script_open(&script, message("AA1A2207C0A40000023F00E00F0201010C0A4361726420666F756E64"), NULL),
        SCRIP_RELAY_FINE);
    item_at(&script);
    item = item_at(&script);
    assert_int_equal(item.kind, SCRIP_RELAY_NOTICE);
    assert_int_equal(item.number, 1);
    assert_true(scrip_bytes_equal(item.bytes, scrip_bytes("Card found", 10)));
}

static void a_malformed_script_is_refused_with_its_code(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum scrip_relay_bad bad;
    } refused[] = {
        {"", SCRIP_RELAY_NO_LENGTH},
        {"AA", SCRIP_RELAY_NO_LENGTH},
        {"AE80220580CA0085000000", SCRIP_RELAY_NO_LENGTH}, /* indefinite */
        {"AA80220580CA0085000000", SCRIP_RELAY_NO_LENGTH},
        {"AA81", SCRIP_RELAY_NO_LENGTH},
        {"AA8200", SCRIP_RELAY_NO_LENGTH},
        {"AA0122", SCRIP_RELAY_NO_LENGTH},
        {"AA022281", SCRIP_RELAY_NO_LENGTH},
        {"AA032280 00", SCRIP_RELAY_NO_LENGTH},
        {"AA83000000", SCRIP_RELAY_BAD_LENGTH},
        {"AA8400000000", SCRIP_RELAY_BAD_LENGTH},
        {"AAFF", SCRIP_RELAY_BAD_LENGTH},
        {"AA082207C0A40000023F", SCRIP_RELAY_BAD_LENGTH}, /* inner length runs over the end */
        {"AA072207C0A400000200", SCRIP_RELAY_BAD_LENGTH},
        {"AA0622040000000000", SCRIP_RELAY_BAD_LENGTH}, /* a byte behind the template */
        {"AA052203000000", SCRIP_RELAY_BAD_LENGTH},     /* no command is that short */
        {"AA02 2200", SCRIP_RELAY_BAD_LENGTH},
        {"AA05C503910000", SCRIP_RELAY_BAD_LENGTH},
        {"AA03C00100", SCRIP_RELAY_BAD_LENGTH},
        {"AA02E000", SCRIP_RELAY_BAD_LENGTH},
        {"AA05E003020101", SCRIP_RELAY_BAD_LENGTH},             /* no text */
        {"AA07E00502000C0141", SCRIP_RELAY_BAD_LENGTH},         /* no number */
        {"AA0BE0090201010C01410C0142", SCRIP_RELAY_BAD_LENGTH}, /* two texts */
        {"AA08E0060C0141020101", SCRIP_RELAY_BAD_TAG},
        {"AA0AE0080201010C01410D00", SCRIP_RELAY_BAD_TAG},
        {"AB0780010123029000", SCRIP_RELAY_BAD_TAG},
        {"AA03800101", SCRIP_RELAY_BAD_TAG},
        {"AA0423029000", SCRIP_RELAY_BAD_TAG},
        {"AA02E800", SCRIP_RELAY_BAD_TAG},
        {"AA06A20400000000", SCRIP_RELAY_BAD_TAG}, /* comprehension bit set: not for us */
        {"AA020000", SCRIP_RELAY_BAD_TAG},
        {"AA0C220400000001 810101 220100", SCRIP_RELAY_BAD_TAG}, /* fine elements before a bad one do not help */
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (opened_hex(refused[i].script) != refused[i].bad) {
            fail_msg("%s: %d, wanted %d", refused[i].script, (int)opened_hex(refused[i].script), (int)refused[i].bad);
        }
    }
    assert_int_equal(opened_hex("AA00"), SCRIP_RELAY_FINE); /* nothing to do is fine */
}

static void a_refused_script_leaves_the_struct_alone(void **state)
{
    (void)state;
    struct scrip_relay_script script;
    struct scrip_relay_script before;
    memset(&script, 0x5A, sizeof script);
    memcpy(&before, &script, sizeof script);
    assert_int_equal(scrip_relay_script_open(&script, message("AA052203000000"), NULL), SCRIP_RELAY_BAD_LENGTH);
    assert_memory_equal(&script, &before, sizeof script);
}

static void every_truncation_of_a_good_script_is_refused(void **state)
{
    (void)state;
    static const char *const scripts[] = {MULTIFLEX_SCRIPT,
                                          VAS_SCRIPT,
                                          PREAMBLE,
                                          TOPUP_SCRIPT,
                                          "AA0BC0002207C0A40000023F00",
                                          "AA1A2207C0A40000023F00E00F0201010C0A4361726420666F756E64"};
    for (size_t s = 0; s < sizeof scripts / sizeof scripts[0]; s++) {
        const struct scrip_bytes whole = message(scripts[s]);
        assert_int_equal(opened(whole), SCRIP_RELAY_FINE);
        for (size_t len = 0; len < whole.len; len++) {
            assert_int_not_equal(opened(scrip_bytes_head(whole, len)), SCRIP_RELAY_FINE);
        }
    }
}

/* A script of one command with `len` bytes, written element by element. */
static size_t script_of(uint8_t *at, size_t cap, size_t len)
{
    uint8_t *apdu = calloc(1, len);
    struct scrip_buf out = scrip_buf(at, cap);
    struct scrip_relay_mark mark;
    assert_non_null(apdu);
    assert_ok(scrip_relay_open(&out, SCRIP_RELAY_TAG_SCRIPT, &mark));
    assert_ok(scrip_relay_put(&out, SCRIP_RELAY_TAG_CAPDU, scrip_bytes(apdu, len)));
    assert_ok(scrip_relay_close(&out, &mark));
    free(apdu);
    return out.len;
}

static void lengths_take_one_two_or_three_bytes_at_both_levels(void **state)
{
    (void)state;
    static const struct {
        size_t apdu;
        const char *head;
    } cases[] = {
        {4, "AA062204"},         {123, "AA7D227B"},         {125, "AA7F227D"},         {126, "AA8180227E"},
        {127, "AA8181227F"},     {128, "AA8183228180"},     {252, "AA81FF2281FC"},     {253, "AA8201002281FD"},
        {255, "AA8201022281FF"}, {256, "AA82010422820100"}, {260, "AA82010822820104"}, {261, "AA82010922820105"},
    };
    uint8_t at[600];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t len = script_of(at, sizeof at, cases[i].apdu);
        const struct scrip_bytes body = scrip_bytes(at, len);
        assert_hex(scrip_bytes_head(body, strlen(cases[i].head) / 2), cases[i].head);
        struct scrip_relay_script script;
        assert_int_equal(scrip_relay_script_open(&script, body, NULL), SCRIP_RELAY_FINE);
        assert_int_equal(item_at(&script).bytes.len, cases[i].apdu);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_not_equal(opened(scrip_bytes_head(body, cut)), SCRIP_RELAY_FINE);
        }
    }
    assert_int_equal(script_of(at, sizeof at, 260), 268);
}

static void a_length_written_longer_than_needed_is_understood(void **state)
{
    (void)state;
    assert_int_equal(opened_hex("AA82000722810400000000"), SCRIP_RELAY_FINE);
}

static void commands_longer_than_announced_are_refused(void **state)
{
    (void)state;
    static uint8_t at[70000];
    struct scrip_relay_script script;
    const size_t len = script_of(at, sizeof at, 262);
    assert_int_equal(scrip_relay_script_open(&script, scrip_bytes(at, len), NULL), SCRIP_RELAY_BAD_LENGTH);
    const struct scrip_relay_limits extended = {.command_max = SCRIP_RELAY_CAPDU_LONG};
    assert_int_equal(scrip_relay_script_open(&script, scrip_bytes(at, len), &extended), SCRIP_RELAY_FINE);

    const size_t longest = SCRIP_RELAY_BODY_MAX - 8;
    assert_int_equal(script_of(at, sizeof at, longest), SCRIP_RELAY_BODY_MAX);
    assert_int_equal(scrip_relay_script_open(&script, scrip_bytes(at, SCRIP_RELAY_BODY_MAX), &extended),
                     SCRIP_RELAY_FINE);
    const size_t over = script_of(at, sizeof at, longest + 1);
    assert_int_equal(scrip_relay_script_open(&script, scrip_bytes(at, over), &extended), SCRIP_RELAY_BAD_LENGTH);
}

static void at_most_255_commands_and_resets(void **state)
{
    (void)state;
    uint8_t at[2048];
    for (size_t count = 254; count <= 256; count++) {
        struct scrip_buf out = SCRIP_BUF_OF(at);
        struct scrip_relay_mark mark;
        assert_ok(scrip_relay_open(&out, SCRIP_RELAY_TAG_SCRIPT, &mark));
        assert_ok(scrip_relay_put(&out, SCRIP_RELAY_TAG_GOOD, scrip_bytes(NULL, 0)));
        assert_ok(scrip_relay_put(&out, SCRIP_RELAY_TAG_CARD, scrip_bytes(NULL, 0)));
        for (size_t i = 1; i < count; i++) {
            assert_ok(scrip_relay_put(&out, SCRIP_RELAY_TAG_CAPDU, scrip_bytes("\0\0\0", 4)));
        }
        assert_ok(scrip_relay_put_notice(&out, 1, "done"));
        assert_ok(scrip_relay_close(&out, &mark));
        assert_int_equal(opened(scrip_buf_bytes(&out)), count <= 255 ? SCRIP_RELAY_FINE : SCRIP_RELAY_BAD_LENGTH);
    }
}

/* ---- Batches ----------------------------------------------------------------------------------------------------- */

static void a_batch_becomes_a_script_and_a_script_a_batch(void **state)
{
    (void)state;
    struct scrip_batch batch;
    uint8_t at[256];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    scrip_batch_clear(&batch);
    assert_ok(scrip_batch_good(&batch, 0x9100, 0xFFFF));
    assert_ok(scrip_batch_good(&batch, 0x91AF, 0xFFFF));
    assert_ok(scrip_batch_add(&batch, message("905A00000399440100")));
    assert_ok(scrip_batch_add(&batch, message("9071000008030600000000000000")));
    assert_ok(scrip_relay_script_write(&out, &batch, 0, NULL));
    assert_hex(scrip_buf_bytes(&out), PREAMBLE);

    struct scrip_batch back;
    assert_ok(scrip_relay_script_batch(scrip_buf_bytes(&out), &back));
    assert_int_equal(back.count, 2);
    assert_true(scrip_bytes_equal(scrip_batch_command(&back, 1), scrip_batch_command(&batch, 1)));
    assert_true(scrip_batch_is_good(&back, 0x91AF));
    assert_false(scrip_batch_is_good(&back, 0x9000));
}

static void a_batch_needs_a_good_list(void **state)
{
    (void)state;
    struct scrip_batch batch;
    uint8_t at[64];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    scrip_batch_clear(&batch);
    assert_ok(scrip_batch_add(&batch, message("905A00000399440100")));
    assert_status(scrip_relay_script_write(&out, &batch, 0, NULL), SCRIP_E_ARGUMENT);
}

static void a_batch_has_no_resets_and_one_good_list(void **state)
{
    (void)state;
    struct scrip_batch batch;
    assert_status(scrip_relay_script_batch(message("AA0BC0002207C0A40000023F00"), &batch), SCRIP_E_UNSUPPORTED);
    assert_status(scrip_relay_script_batch(message("AA 12 2204 00000001 C504 9100FFFF 2204 00000002"), &batch),
                  SCRIP_E_UNSUPPORTED);
    assert_status(scrip_relay_script_batch(message("AA05"), &batch), SCRIP_E_FORMAT);
    assert_ok(scrip_relay_script_batch(message(MULTIFLEX_SCRIPT), &batch));
    assert_int_equal(batch.count, 5);
    assert_true(scrip_batch_is_good(&batch, 0x6114));
}

static void a_text_for_the_user_ends_a_script(void **state)
{
    (void)state;
    uint8_t at[64];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    assert_ok(scrip_relay_script_write(&out, NULL, 1, "Card found"));
    assert_hex(scrip_buf_bytes(&out), "AA11E00F0201010C0A4361726420666F756E64");
}

static void a_full_buffer_is_an_error_at_every_size(void **state)
{
    (void)state;
    struct scrip_batch batch;
    uint8_t at[300];
    assert_ok(scrip_relay_script_batch(message(TOPUP_SCRIPT), &batch));
    struct scrip_buf whole = SCRIP_BUF_OF(at);
    assert_ok(scrip_relay_script_write(&whole, &batch, 1, "Done"));
    for (size_t cap = 0; cap < whole.len; cap++) {
        struct scrip_buf out = scrip_buf(at, cap);
        assert_status(scrip_relay_script_write(&out, &batch, 1, "Done"), SCRIP_E_SPACE);
        assert_true(out.len <= cap);
    }
}

/* ---- Reports ----------------------------------------------------------------------------------------------------- */

static struct scrip_relay_report reported(const char *hex)
{
    struct scrip_relay_report report;
    assert_ok(scrip_relay_report_read(message(hex), &report));
    return report;
}

static void hello_names_the_card(void **state)
{
    (void)state;
    struct scrip_relay_report report = reported("E808C0063B3215000680");
    assert_true(report.hello);
    assert_false(report.answer);
    assert_hex(report.ats, "3B3215000680");
    assert_int_equal(report.uid.len, 0);
    assert_int_equal(report.command_max, 261);

    report = reported("E810C0063B3215000680C1020105C2020102");
    assert_int_equal(report.command_max, 0x0105);
    assert_int_equal(report.response_max, 0x0102);

    report = reported("E811C006067577810280C30704112233445566");
    assert_hex(report.uid, "04112233445566");
}

static void hello_and_answer_may_share_a_body(void **state)
{
    (void)state;
    const struct scrip_relay_report report =
        reported("E811C006067577810280C30704112233445566 AB1B800102230291002312A0A1A2A3A4A5A6A7A8A9AAABACADAEAF91AF");
    assert_true(report.hello);
    assert_true(report.answer);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.responses, 2);
    assert_int_equal(report.resets, 0);
    assert_hex(scrip_relay_report_rapdu(&report, 0), "9100");
    assert_hex(scrip_relay_report_rapdu(&report, 1), "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF91AF");
    assert_int_equal(scrip_relay_report_rapdu(&report, 2).len, 0);
}

static void an_answer_may_name_the_card_that_arrived(void **state)
{
    (void)state;
    const struct scrip_relay_report report =
        reported("AB23800102C006067577810280230291002312A0A1A2A3A4A5A6A7A8A9AAABACADAEAF91AF");
    assert_false(report.hello);
    assert_hex(report.ats, "067577810280");
    assert_int_equal(report.count, 2);
    assert_int_equal(report.resets, 0);
}

static void an_answer_that_stopped_or_was_torn_says_where(void **state)
{
    (void)state;
    struct scrip_relay_report report = reported("AB1380010423026114230290002302610F23029850");
    assert_int_equal(report.count, 4);
    assert_hex(scrip_relay_report_rapdu(&report, 3), "9850");

    report = reported("AB2B800102230AE1E2E3E4E5E6E7E89100230AF1F2F3F4F5F6F7F89100C60103E10B0C0963617264206C6F7374");
    assert_int_equal(report.count, 2);
    assert_int_equal(report.unanswered, 3);
    assert_true(report.closed);
    assert_true(scrip_bytes_equal(report.reason, scrip_bytes("card lost", 9)));
    struct scrip_replies replies;
    assert_ok(scrip_relay_report_replies(&report, &replies));
    assert_int_equal(replies.count, 2);
    assert_true(replies.unanswered);
    assert_hex(scrip_replies_at(&replies, 1), "F1F2F3F4F5F6F7F89100");

    report = reported("AB06800100900102");
    assert_int_equal(report.bad, SCRIP_RELAY_BAD_LENGTH);

    report = reported("AB0F800102C0063B321500068023026114"); /* a reset, then a command */
    assert_int_equal(report.resets, 1);
    assert_int_equal(report.responses, 1);
}

static void answers_of_other_implementations_are_read(void **state)
{
    (void)state;
    assert_int_equal(reported("AB0780010123029000").responses, 1);
    const struct scrip_relay_report report = reported("AB0F800101230A701DC3A5BD0EE89C9000");
    assert_hex(scrip_relay_report_rapdu(&report, 0), "701DC3A5BD0EE89C9000");
}

static void reports_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "AB",
        "AB00",
        "AB80",
        "AF80230290000000",           /* indefinite */
        "AB0423029000",               /* no count */
        "AB0723029000800101",         /* the count is not first */
        "AB0780010223029000",         /* two counted, one there */
        "AB0B8001012302900023029000", /* the reverse */
        "AB0A800101800101 23029000",  /* two counts */
        "AB06800101230190",           /* half a status word */
        "AB0A800101C6010223029000",   /* a response behind the loss */
        "AB0A80010123029000C60101",   /* lost, but answered */
        "AB0A80010123029000C60103",   /* lost, but never its turn */
        "AB06800100C60100",
        "AB09800100C60101C60101",
        "AB07800100E10217 00",
        "AB05800100E100",
        "AB0D800100E1030C0141E1030C0142",
        "AB0A800100E1030C014123029000",
        "AB06800100900100",
        "AB06800100220100",
        "AB0780010123029000 00", /* a byte behind */
        "E800",                  /* no card named */
        "E802C300",
        "E804C000C000",
        "E806C000C1030105 00",
        "E804C0002201",
        "E802C000 E802C000",
        "AB03800100 E802C000", /* the wrong way round */
        "E802C000 AA00",
        "AA00",
    };
    struct scrip_relay_report report;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (scrip_relay_report_read(message(refused[i]), &report) != SCRIP_E_FORMAT) {
            fail_msg("taken: %s", refused[i]);
        }
    }
}

static void every_truncation_of_a_report_is_refused(void **state)
{
    (void)state;
    static const char *const reports[] = {
        "E810C0063B3215000680C1020105C2020102",
        "AB1380010423026114230290002302610F23029850",
        "AB2B800102230AE1E2E3E4E5E6E7E89100230AF1F2F3F4F5F6F7F89100C60103E10B0C0963617264206C6F7374",
    };
    struct scrip_relay_report report;
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        const struct scrip_bytes whole = message(reports[i]);
        for (size_t len = 0; len < whole.len; len++) {
            uint8_t *exact = malloc(len + 1);
            assert_non_null(exact);
            memcpy(exact, whole.at, len);
            assert_status(scrip_relay_report_read(scrip_bytes(exact, len), &report), SCRIP_E_FORMAT);
            free(exact);
        }
    }
}

static void an_answer_is_written_as_it_happens(void **state)
{
    (void)state;
    uint8_t at[128];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    struct scrip_relay_answer answer;
    assert_ok(scrip_relay_answer_open(&answer, &out));
    assert_ok(scrip_relay_answer_rapdu(&answer, &out, message("E1E2E3E4E5E6E7E89100")));
    assert_ok(scrip_relay_answer_rapdu(&answer, &out, message("F1F2F3F4F5F6F7F89100")));
    assert_ok(scrip_relay_answer_unanswered(&answer, &out, 3));
    assert_ok(scrip_relay_answer_closed(&answer, &out, "card lost"));
    assert_ok(scrip_relay_answer_close(&answer, &out));
    assert_hex(scrip_buf_bytes(&out),
               "AB2B800102230AE1E2E3E4E5E6E7E89100230AF1F2F3F4F5F6F7F89100C60103E10B0C0963617264206C6F7374");

    out.len = 0;
    assert_ok(scrip_relay_answer_open(&answer, &out));
    assert_ok(scrip_relay_answer_reset(&answer, &out, message("3B3215000680")));
    assert_ok(scrip_relay_answer_rapdu(&answer, &out, message("6114")));
    assert_ok(scrip_relay_answer_close(&answer, &out));
    assert_hex(scrip_buf_bytes(&out), "AB0F800102C0063B321500068023026114");

    out.len = 0;
    assert_ok(scrip_relay_answer_open(&answer, &out));
    assert_ok(scrip_relay_answer_bad(&answer, &out, SCRIP_RELAY_BAD_LENGTH));
    assert_ok(scrip_relay_answer_close(&answer, &out));
    assert_hex(scrip_buf_bytes(&out), "AB06800100900102");
}

static void responses_of_127_to_256_bytes_come_back_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {2, 124, 125, 127, 128, 250, 255, 256, 258};
    uint8_t at[1024];
    uint8_t rapdu[258];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct scrip_replies replies;
        struct scrip_relay_report report;
        struct scrip_buf out = SCRIP_BUF_OF(at);
        memset(rapdu, (int)i, sizeof rapdu);
        scrip_replies_clear(&replies);
        assert_ok(scrip_replies_add(&replies, scrip_bytes(rapdu, lengths[i])));
        assert_ok(scrip_replies_add(&replies, message("9100")));
        assert_ok(scrip_relay_answer_write(&out, &replies));
        assert_ok(scrip_relay_report_read(scrip_buf_bytes(&out), &report));
        assert_true(scrip_bytes_equal(scrip_relay_report_rapdu(&report, 0), scrip_bytes(rapdu, lengths[i])));
        assert_hex(scrip_relay_report_rapdu(&report, 1), "9100");
    }
}

static void more_responses_than_a_batch_holds_are_no_replies(void **state)
{
    (void)state;
    uint8_t at[256];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    struct scrip_relay_answer answer;
    struct scrip_relay_report report;
    struct scrip_replies replies;
    assert_ok(scrip_relay_answer_open(&answer, &out));
    for (size_t i = 0; i <= SCRIP_BATCH_COMMANDS; i++) {
        assert_ok(scrip_relay_answer_rapdu(&answer, &out, message("9100")));
    }
    assert_ok(scrip_relay_answer_close(&answer, &out));
    assert_ok(scrip_relay_report_read(scrip_buf_bytes(&out), &report));
    assert_status(scrip_relay_report_replies(&report, &replies), SCRIP_E_SPACE);
}

static void hello_is_written_with_what_is_known(void **state)
{
    (void)state;
    uint8_t at[64];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    struct scrip_card_info info = {.ats_len = 6};
    memcpy(info.ats, message("3B3215000680").at, 6);
    assert_ok(scrip_relay_put_hello(&out, &info, 0, 0));
    assert_hex(scrip_buf_bytes(&out), "E808C0063B3215000680");
    out.len = 0;
    assert_ok(scrip_relay_put_hello(&out, &info, 0x0105, 0x0102));
    assert_hex(scrip_buf_bytes(&out), "E810C0063B3215000680C1020105C2020102");
}

static void noise_is_never_read_past_its_end(void **state)
{
    (void)state;
    uint32_t seed = 20261121;
    for (size_t round = 0; round < 20000; round++) {
        uint8_t at[48];
        seed = seed * 1664525 + 1013904223;
        const size_t len = (seed >> 16) % sizeof at;
        for (size_t i = 0; i < len; i++) {
            static const uint8_t likely[] = {0xAA, 0xAB, 0xE8, 0x22, 0x23, 0xC0, 0xC5, 0xE0, 0x80, 0x81, 0x04, 0x02};
            seed = seed * 1664525 + 1013904223;
            at[i] = (seed & 0x100) != 0 ? likely[(seed >> 20) % sizeof likely] : (uint8_t)(seed >> 24);
        }
        struct scrip_relay_report report;
        uint8_t *exact = malloc(len + 1);
        assert_non_null(exact);
        memcpy(exact, at, len);
        (void)scrip_relay_report_read(scrip_bytes(exact, len), &report);
        free(exact);
        (void)opened(scrip_bytes(at, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_hands_out_its_commands_in_order),
        cmocka_unit_test(the_good_list_holds_until_the_next_one),
        cmocka_unit_test(status_words_are_good_by_value_and_mask),
        cmocka_unit_test(resets_and_notices_are_elements),
        cmocka_unit_test(a_malformed_script_is_refused_with_its_code),
        cmocka_unit_test(a_refused_script_leaves_the_struct_alone),
        cmocka_unit_test(every_truncation_of_a_good_script_is_refused),
        cmocka_unit_test(lengths_take_one_two_or_three_bytes_at_both_levels),
        cmocka_unit_test(a_length_written_longer_than_needed_is_understood),
        cmocka_unit_test(commands_longer_than_announced_are_refused),
        cmocka_unit_test(at_most_255_commands_and_resets),
        cmocka_unit_test(a_batch_becomes_a_script_and_a_script_a_batch),
        cmocka_unit_test(a_batch_needs_a_good_list),
        cmocka_unit_test(a_batch_has_no_resets_and_one_good_list),
        cmocka_unit_test(a_text_for_the_user_ends_a_script),
        cmocka_unit_test(a_full_buffer_is_an_error_at_every_size),
        cmocka_unit_test(hello_names_the_card),
        cmocka_unit_test(hello_and_answer_may_share_a_body),
        cmocka_unit_test(an_answer_may_name_the_card_that_arrived),
        cmocka_unit_test(an_answer_that_stopped_or_was_torn_says_where),
        cmocka_unit_test(answers_of_other_implementations_are_read),
        cmocka_unit_test(reports_that_contradict_themselves_are_refused),
        cmocka_unit_test(every_truncation_of_a_report_is_refused),
        cmocka_unit_test(an_answer_is_written_as_it_happens),
        cmocka_unit_test(responses_of_127_to_256_bytes_come_back_whole),
        cmocka_unit_test(more_responses_than_a_batch_holds_are_no_replies),
        cmocka_unit_test(hello_is_written_with_what_is_known),
        cmocka_unit_test(noise_is_never_read_past_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
