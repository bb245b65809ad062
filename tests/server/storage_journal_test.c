/* Storage cards at the server: registered, refused what needs evidence, and their journal lines in the book. */
#include "bench.h"

#include <scrip/journal.h>
#include <scrip/purse_storage.h>
#include <stdio.h>

#define CAROL      "11223344"
#define CAROL_LONG "11223344000000"
#define GATE       "/api/v1/terminals/54520001"

static struct bench bench;

static int set_up(void **state)
{
    *state = &bench;
    bench_open(&bench);
    assert_int_equal(ask(&bench, "POST", "/api/v1/merchants", "{\"id\":\"cafe\",\"name\":\"Cafe\"}"), 201);
    assert_int_equal(
        ask(&bench, "POST", "/api/v1/terminals", "{\"id\":\"54520001\",\"merchant\":\"cafe\",\"name\":\"Till\"}"), 201);
    return 0;
}

static int tear_down(void **state)
{
    bench_close(*state);
    return 0;
}

static int register_card(struct bench *b, const char *uid, const char *profile, int balance)
{
    char body[160];
    (void)snprintf(body, sizeof body, "{\"uid\":\"%s\",\"profile\":\"%s\",\"balance\":%d,\"currency\":\"EUR\"}", uid,
                   profile, balance);
    return ask(b, "POST", "/api/v1/cards", body);
}

/* As core/wallet/storage writes it. */
static struct scrip_journal_line line_of(const char *uid, const char *purse_name, uint64_t sequence, uint8_t state,
                                         int32_t amount)
{
    struct scrip_storage_purse purse;
    assert_ok(scrip_storage_purse_make(purse_name, &purse));
    struct scrip_journal_line line = {.sequence = sequence,
                                      .kind = SCRIP_JOURNAL_DEBIT,
                                      .state = state,
                                      .profile = scrip_storage_profile_id(&purse),
                                      .terminal = {0x54, 0x52, 0x00, 0x01},
                                      .amount = amount,
                                      .has_balance = true,
                                      .balance = 1000,
                                      .record = {purse.sector, 1, 4}};
    from_hex(uid, line.uid, strlen(uid) / 2);
    scrip_purse_timestamp(NOON + sequence * 1000, line.timestamp);
    return line;
}

static void upload(struct bench *b, const struct scrip_journal_line *lines, size_t count)
{
    static uint8_t body[8 * SCRIP_JOURNAL_LINE];
    for (size_t i = 0; i < count; i++) {
        scrip_journal_line_encode(&lines[i], body + i * SCRIP_JOURNAL_LINE);
    }
    assert_int_equal(ask_bytes(b, "POST", GATE "/journal", scrip_bytes(body, count * SCRIP_JOURNAL_LINE)), 200);
}

#define assert_result(b, i, wanted) assert_string_equal(text_of((b), "lines." #i ".result"), wanted)

static json_int_t float_of(struct bench *b, const char *uid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/api/v1/cards/%s", uid);
    assert_int_equal(ask(b, "GET", path, NULL), 200);
    return number_of(b, "float.minor");
}

static void assert_book(struct bench *b, json_int_t merchant)
{
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/balances", NULL), 200);
    assert_int_equal(number_of(b, "balances.MERCHANT.minor"), merchant);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/verify", NULL), 200);
    assert_true(truth_of(b, "right"));
}

static void a_storage_card_is_registered_with_its_opening_value(void **state)
{
    struct bench *b = *state;
    static const char *const profiles[] = {"classic", "classic+sector=9",     "bcd", "bcd+hardened",
                                           "otp",     "otp+unit=10+units=500"};
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        char uid[9];
        (void)snprintf(uid, sizeof uid, "1122334%zu", i);
        assert_int_equal(register_card(b, uid, profiles[i], 700), 201);
        assert_true(truth_of(b, "offline"));
        assert_int_equal(number_of(b, "float.minor"), 700);
        assert_int_equal(register_card(b, uid, profiles[i], 700), 200);
        assert_int_equal(number_of(b, "float.minor"), 700);
    }
    assert_int_equal(register_card(b, ALICE, "classic", 0), 201);
    assert_string_equal(text_of(b, "uid"), ALICE);
    given_card(b, BOB, "an12113");
    assert_int_equal(register_card(b, BOB, "classic", 0), 409);
}

static void a_card_is_named_by_its_short_uid_or_by_the_padded_one(void **state)
{
    struct bench *b = *state;
    assert_int_equal(register_card(b, CAROL, "classic", 5), 201);
    assert_string_equal(text_of(b, "uid"), CAROL_LONG);
    assert_int_equal(float_of(b, CAROL), 5);
    assert_int_equal(float_of(b, CAROL_LONG), 5);
    assert_int_equal(register_card(b, CAROL_LONG, "classic", 5), 200);
}

static void what_such_a_card_cannot_be_is_refused(void **state)
{
    struct bench *b = *state;
    static const char *const malformed[] = {
        "{\"uid\":\"112233\",\"profile\":\"classic\"}",
        "{\"uid\":\"11223344\",\"profile\":\"an12113\"}", /* DESFire has seven bytes */
        "{\"uid\":\"11223344\",\"profile\":\"classic+hardened\"}",
        "{\"uid\":\"11223344\",\"profile\":\"classic\",\"transactions\":3}",
        "{\"uid\":\"11223344\",\"profile\":\"classic\",\"balance\":3}",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_int_equal(ask(b, "POST", "/api/v1/cards", malformed[i]), 400);
        assert_string_equal(problem_of_answer(b), "MALFORMED");
    }
}

static void no_kind_of_order_is_made_for_it(void **state)
{
    struct bench *b = *state;
    static const char *const orders[] = {
        "{\"id\":\"o\",\"card\":\"" CAROL "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" CAROL_LONG "\",\"kind\":\"read\"}",
        "{\"id\":\"o\",\"card\":\"" CAROL "\",\"kind\":\"write\",\"data\":\"00\",\"offset\":0}",
        "{\"id\":\"o\",\"card\":\"" CAROL "\",\"kind\":\"rekey\",\"key_version\":1}",
    };
    assert_int_equal(register_card(b, CAROL, "classic", 0), 201);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        assert_int_equal(ask(b, "POST", "/api/v1/orders", orders[i]), 409);
        assert_string_equal(problem_of_answer(b), "OFFLINE_CARD");
        assert_string_equal(text_of(b, "layer"), "card");
        assert_non_null(strstr(text_of(b, "remedy"), "trusted terminal"));
    }
}

static void lines_are_booked_once_in_any_order(void **state)
{
    struct bench *b = *state;
    assert_int_equal(register_card(b, CAROL, "classic", 1000), 201);
    const struct scrip_journal_line lines[] = {
        line_of(CAROL, "classic", 4, SCRIP_JOURNAL_VOID, 40),
        line_of(CAROL, "classic", 2, SCRIP_JOURNAL_FOUND, 20),
        line_of(CAROL, "classic", 3, SCRIP_JOURNAL_INTENT, 30),
        line_of(CAROL, "classic", 1, SCRIP_JOURNAL_CONFIRMED, 10),
        line_of(CAROL, "classic", 2, SCRIP_JOURNAL_FOUND, 20),
    };
    upload(b, lines, 5);
    assert_result(b, 0, "void");
    assert_result(b, 1, "booked");
    assert_result(b, 2, "waiting");
    assert_result(b, 3, "booked");
    assert_result(b, 4, "known");
    assert_int_equal(number_of(b, "acknowledged"), 4);
    upload(b, lines, 5);
    assert_result(b, 0, "void");
    assert_result(b, 1, "known");
    assert_result(b, 2, "waiting");
    assert_result(b, 3, "known");
    assert_int_equal(float_of(b, CAROL), 970);
    assert_book(b, 30);
    assert_int_equal(ask(b, "GET", "/api/v1/cards/" CAROL "/reconcile", NULL), 200);
    assert_string_equal(text_of(b, "verdict"), "in step");
    assert_true(truth_of(b, "open"));
    const struct scrip_journal_line later = line_of(CAROL, "classic", 3, SCRIP_JOURNAL_FOUND, 30);
    upload(b, &later, 1);
    assert_result(b, 0, "booked");
    assert_int_equal(float_of(b, CAROL), 940);
}

static void a_trusted_terminal_s_credit_comes_out_of_its_merchant_s_account(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line lines[] = {line_of(CAROL, "bcd", 1, SCRIP_JOURNAL_CONFIRMED, 2000),
                                         line_of(CAROL, "bcd", 2, SCRIP_JOURNAL_CONFIRMED, 250)};
    assert_int_equal(register_card(b, CAROL, "bcd", 0), 201);
    lines[0].kind = SCRIP_JOURNAL_CREDIT;
    lines[0].reference = 7;
    upload(b, lines, 2);
    assert_result(b, 0, "booked");
    upload(b, lines, 2);
    assert_result(b, 0, "known");
    assert_int_equal(float_of(b, CAROL), 1750);
    assert_book(b, -1750);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/postings",
                         "{\"id\":\"p\",\"booking\":\"payin\",\"amount\":1750,\"currency\":\"EUR\","
                         "\"merchant\":\"cafe\",\"memo\":\"Monday's cash\"}"),
                     201);
    assert_book(b, 0);
    assert_int_equal(ask(b, "GET", "/api/v1/cards/" CAROL "/overview", NULL), 200);
    assert_int_equal(number_of(b, "credits.0.amount.minor"), 2000);
    assert_int_equal(number_of(b, "debits.0.amount.minor"), 250);
}

static void a_credit_to_a_card_with_evidence_is_refused_as_ever(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line line = line_of(ALICE, "classic", 1, SCRIP_JOURNAL_CONFIRMED, 2000);
    given_card(b, ALICE, "an12113");
    line.kind = SCRIP_JOURNAL_CREDIT;
    line.profile = 1;
    upload(b, &line, 1);
    assert_result(b, 0, "refused");
    assert_int_equal(number_of(b, "acknowledged"), 0);
}

static void a_line_without_a_tmv_does_not_pass_as_a_storage_card_s(void **state)
{
    struct bench *b = *state;
    const struct scrip_journal_line line = line_of(ALICE, "classic", 1, SCRIP_JOURNAL_CONFIRMED, 250);
    given_card(b, ALICE, "an12113");
    upload(b, &line, 1);
    assert_result(b, 0, "aside");
    assert_int_equal(float_of(b, ALICE), 0);
    assert_book(b, 0);
}

static void a_new_journal_under_an_old_id_is_found_out(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line line = line_of(CAROL, "classic", 1, SCRIP_JOURNAL_CONFIRMED, 250);
    assert_int_equal(register_card(b, CAROL, "classic", 1000), 201);
    upload(b, &line, 1);
    scrip_purse_timestamp(NOON + 86400000, line.timestamp);
    upload(b, &line, 1);
    assert_result(b, 0, "refused");
    assert_non_null(strstr(text_of(b, "lines.0.why"), "new terminal id"));
    assert_int_equal(float_of(b, CAROL), 750);
}

static void lines_of_unknown_cards_hold_up_nobody_and_are_booked_later(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line lines[] = {line_of(CAROL, "otp", 1, SCRIP_JOURNAL_CONFIRMED, 50),
                                         line_of(ALICE, "classic", 2, SCRIP_JOURNAL_CONFIRMED, 10),
                                         line_of(CAROL, "otp", 3, SCRIP_JOURNAL_INTENT, 50)};
    assert_int_equal(register_card(b, ALICE, "classic", 100), 201);
    upload(b, lines, 3);
    assert_result(b, 0, "aside");
    assert_true(strlen(text_of(b, "lines.0.why")) > 0);
    assert_result(b, 1, "booked");
    assert_result(b, 2, "aside");
    assert_int_equal(number_of(b, "acknowledged"), 3);
    lines[2].state = SCRIP_JOURNAL_FOUND;
    upload(b, &lines[2], 1);
    lines[2].state = SCRIP_JOURNAL_INTENT; /* an older upload that was held up on its way */
    upload(b, &lines[2], 1);
    assert_int_equal(ask(b, "GET", GATE "/aside", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "lines")), 2);
    assert_string_equal(text_of(b, "lines.1.state"), "found");
    assert_string_equal(text_of(b, "lines.1.card"), CAROL_LONG);
    assert_int_equal(strlen(text_of(b, "lines.1.line")), 2 * SCRIP_JOURNAL_LINE);
    assert_book(b, 10);
    assert_int_equal(register_card(b, CAROL, "otp", 500), 201);
    assert_int_equal(number_of(b, "float.minor"), 400);
    assert_book(b, 110);
    assert_int_equal(ask(b, "GET", GATE "/aside", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "lines")), 0);
    upload(b, lines, 2);
    assert_result(b, 0, "known");
}

static void a_line_of_another_purse_on_the_card_is_kept_and_not_booked(void **state)
{
    struct bench *b = *state;
    assert_int_equal(register_card(b, CAROL, "classic", 100), 201);
    struct scrip_journal_line lines[] = {line_of(CAROL, "bcd", 1, SCRIP_JOURNAL_CONFIRMED, 10),
                                         line_of(CAROL, "classic+sector=9", 2, SCRIP_JOURNAL_CONFIRMED, 10),
                                         line_of(CAROL, "classic", 3, SCRIP_JOURNAL_CONFIRMED, 10),
                                         line_of(CAROL, "classic", 4, SCRIP_JOURNAL_CONFIRMED, 10)};
    lines[3].profile = 0x8F; /* of a kind that nobody knows */
    upload(b, lines, 4);
    assert_result(b, 0, "aside");
    assert_result(b, 1, "aside");
    assert_result(b, 2, "booked");
    assert_result(b, 3, "aside");
    assert_int_equal(number_of(b, "acknowledged"), 4);
    assert_int_equal(register_card(b, CAROL, "classic", 100), 200);
    assert_int_equal(float_of(b, CAROL), 90);
    assert_int_equal(ask(b, "GET", GATE "/aside", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "lines")), 3);
    assert_int_equal(ask(b, "GET", "/api/v1/terminals/5452FFFF/aside", NULL), 404);
}

static void a_card_that_was_registered_with_the_wrong_purse_is_put_right(void **state)
{
    struct bench *b = *state;
    const struct scrip_journal_line line = line_of(CAROL, "classic+sector=9", 1, SCRIP_JOURNAL_CONFIRMED, 10);
    assert_int_equal(register_card(b, CAROL, "classic", 100), 201);
    upload(b, &line, 1);
    assert_result(b, 0, "aside");
    assert_int_equal(register_card(b, CAROL, "classic+sector=9", 100), 200);
    assert_string_equal(text_of(b, "profile"), "classic+sector=9");
    assert_int_equal(number_of(b, "float.minor"), 90);
    assert_int_equal(register_card(b, CAROL, "classic", 100), 409);
    assert_string_equal(problem_of_answer(b), "ID_CONFLICT");
}

static void an_impossible_amount_is_refused(void **state)
{
    struct bench *b = *state;
    const struct scrip_journal_line lines[] = {line_of(CAROL, "classic", 1, SCRIP_JOURNAL_CONFIRMED, 0),
                                               line_of(CAROL, "classic", 2, SCRIP_JOURNAL_CONFIRMED, -5)};
    assert_int_equal(register_card(b, CAROL, "classic", 100), 201);
    upload(b, lines, 2);
    assert_result(b, 0, "refused");
    assert_result(b, 1, "refused");
    assert_int_equal(float_of(b, CAROL), 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_storage_card_is_registered_with_its_opening_value),
        TEST(a_card_is_named_by_its_short_uid_or_by_the_padded_one),
        TEST(what_such_a_card_cannot_be_is_refused),
        TEST(no_kind_of_order_is_made_for_it),
        TEST(lines_are_booked_once_in_any_order),
        TEST(a_trusted_terminal_s_credit_comes_out_of_its_merchant_s_account),
        TEST(a_credit_to_a_card_with_evidence_is_refused_as_ever),
        TEST(a_line_without_a_tmv_does_not_pass_as_a_storage_card_s),
        TEST(a_new_journal_under_an_old_id_is_found_out),
        TEST(lines_of_unknown_cards_hold_up_nobody_and_are_booked_later),
        TEST(a_line_of_another_purse_on_the_card_is_kept_and_not_booked),
        TEST(a_card_that_was_registered_with_the_wrong_purse_is_put_right),
        TEST(an_impossible_amount_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
