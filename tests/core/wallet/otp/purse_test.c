/* The one-time wallet as a purse: sold, spent, refused. */
#include "bench.h"

static struct ob bench;

static const struct scrip_purse_result *result(void)
{
    return &bench.sb.job.result;
}

static void a_card_is_sold_and_spent_to_nothing(void **state)
{
    struct ob *b = &bench;
    (void)state;
    ob_sold(b, 10, 500);
    assert_int_equal(result()->balance, 5000);
    assert_true(result()->committed);
    for (int32_t left = 5000; left > 0; left -= 500) {
        assert_int_equal(ob_balance(b), left);
        assert_ok(ob_tap(b, SCRIP_PURSE_DEBIT, 500));
        assert_int_equal(result()->outcome, SCRIP_OUTCOME_ACCEPTED);
        assert_int_equal(result()->balance_before, left);
        assert_int_equal(result()->balance, left - 500);
        assert_true(result()->committed);
        assert_false(result()->commit_open);
    }
    assert_int_equal(ob_used(b), 500);
    (void)ob_tap(b, SCRIP_PURSE_DEBIT, 10);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_status(result()->status, SCRIP_E_FUNDS);
    ob_free(b);
}

static void a_purse_by_name_takes_unit_and_units(void **state)
{
    static const char *const bad[] = {"otp+unit=",       "otp+unit=x",           "otp+unit=2147483648",
                                      "otp+units=65536", "otp+unit=99999999999", "otp+un=3"};
    static const char *const unfit[] = {"otp+unit=0",  "otp+units=0",  "otp+units=6001", "classic+unit=3",
                                        "bcd+units=3", "otp+sector=2", "otp+hardened"};
    struct scrip_storage_purse purse;
    (void)state;
    assert_ok(scrip_storage_purse_make("otp", &purse));
    assert_int_equal(purse.unit, 0);
    assert_ok(scrip_storage_purse_make("otp+units=6000+unit=2147483647", &purse));
    assert_int_equal(purse.unit, INT32_MAX);
    assert_int_equal(purse.units, 6000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_status(scrip_storage_purse_make(bad[i], &purse), SCRIP_E_NOT_FOUND);
    }
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        assert_status(scrip_storage_purse_make(unfit[i], &purse), SCRIP_E_UNSUPPORTED);
    }
}

static void the_amount_may_say_what_the_units_do_not(void **state)
{
    struct ob *b = &bench;
    (void)state;
    ob_fresh(b, 25, 0);
    assert_ok(ob_tap(b, SCRIP_PURSE_PERSONALISE, 1000));
    assert_int_equal(ob_balance(b), 1000);
    b->sb.purse.unit = 0; /* a gate need not know them */
    assert_ok(ob_tap(b, SCRIP_PURSE_DEBIT, 75));
    assert_int_equal(ob_used(b), 3);
    ob_free(b);
}

static void what_the_card_cannot_do_is_refused_before_it_is_touched(void **state)
{
    static const enum scrip_purse_operation cannot[] = {SCRIP_PURSE_CREDIT, SCRIP_PURSE_HISTORY, SCRIP_PURSE_REKEY,
                                                        SCRIP_PURSE_FORCE_INIT};
    struct ob *b = &bench;
    (void)state;
    ob_sold(b, 10, 500);
    for (size_t i = 0; i < sizeof cannot / sizeof cannot[0]; i++) {
        assert_status(ob_tap(b, cannot[i], 10), SCRIP_E_UNSUPPORTED);
        assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
        assert_int_equal(b->sb.apdus, 0);
        assert_non_null(strstr(scrip_purse_why_not(&scrip_purse_otp, cannot[i]), "can only be spent"));
    }
    assert_null(scrip_purse_why_not(&scrip_purse_otp, SCRIP_PURSE_DEBIT));
    assert_int_equal(ob_balance(b), 5000);
    ob_free(b);
}

static void an_amount_that_is_no_multiple_takes_nothing(void **state)
{
    struct ob *b = &bench;
    (void)state;
    ob_sold(b, 10, 500);
    (void)ob_tap(b, SCRIP_PURSE_DEBIT, 15);
    assert_status(result()->status, SCRIP_E_UNIT);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_int_equal(b->sb.journal.last, 0);
    b->sb.purse.unit = 0; /* then the card says so */
    (void)ob_tap(b, SCRIP_PURSE_DEBIT, 15);
    assert_status(result()->status, SCRIP_E_UNIT);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_false(result()->commit_open);
    assert_int_equal(b->sb.journal.last, 1);
    unsigned open = 0;
    assert_int_equal(ob_taken(b, &open), 0);
    assert_int_equal(open, 0); /* its line is void */
    assert_int_equal(ob_balance(b), 5000);
    ob_free(b);
}

static void a_blank_card_a_foreign_one_and_one_without_face_value_are_told_apart(void **state)
{
    struct ob *b = &bench;
    (void)state;
    ob_fresh(b, 10, 500);
    assert_status(ob_tap(b, SCRIP_PURSE_BALANCE, 0), SCRIP_E_NOT_FOUND);
    assert_true(result()->blank);
    assert_ok(ob_tap(b, SCRIP_PURSE_PERSONALISE, 0));
    b->sb.version = 7; /* other keys */
    assert_status(ob_tap(b, SCRIP_PURSE_DEBIT, 10), SCRIP_E_AUTH);
    assert_false(result()->blank);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_status(ob_tap(b, SCRIP_PURSE_PERSONALISE, 0), SCRIP_E_AUTH);
    ob_free(b);
}

static void a_gate_needs_the_pay_key_alone(void **state)
{
    struct ob *b = &bench;
    (void)state;
    ob_sold(b, 10, 500);
    b->sb.request.keys = (struct scrip_purse_keys){&b->sb, sb_gate_key};
    assert_ok(ob_tap(b, SCRIP_PURSE_DEBIT, 20));
    assert_int_equal(ob_balance(b), 4980);
    ob_free(b);
}

static void a_terminal_whose_own_memory_or_random_source_fails_asks_again(void **state)
{
    static const enum scrip_status failures[] = {SCRIP_E_NV, SCRIP_E_RANDOM};
    struct ob *b = &bench;
    (void)state;
    ob_sold(b, 10, 500);
    for (size_t n = 0; n < sizeof failures / sizeof failures[0]; n++) {
        b->sb.key_store = failures[n];
        assert_status(ob_tap(b, SCRIP_PURSE_DEBIT, 20), failures[n]);
        assert_int_equal(result()->outcome, SCRIP_OUTCOME_ASK_AGAIN);
        assert_int_equal(b->sb.apdus, 0);
        assert_int_equal(b->sb.journal.last, 0);
    }
    b->sb.key_store = SCRIP_E_KEY; /* it will not have one next time either */
    assert_status(ob_tap(b, SCRIP_PURSE_DEBIT, 20), SCRIP_E_KEY);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_int_equal(ob_used(b), 0);
    ob_free(b);
}

static void a_personalisation_that_makes_no_sense_is_refused_before_the_card(void **state)
{
    static const struct {
        uint32_t unit;
        uint16_t units;
        int32_t amount;
        enum scrip_status status;
    } rows[] = {
        {0, 500, 0, SCRIP_E_ARGUMENT},  {10, 0, 0, SCRIP_E_LIMIT},        {10, 6001, 0, SCRIP_E_LIMIT},
        {10, 0, 60010, SCRIP_E_LIMIT},  {10, 0, 1005, SCRIP_E_UNIT},      {10, 500, 4000, SCRIP_E_ARGUMENT},
        {10, 0, -10, SCRIP_E_ARGUMENT}, {357914, 6001, 0, SCRIP_E_LIMIT}, {400000, 6000, 0, SCRIP_E_LIMIT},
    };
    struct ob *b = &bench;
    (void)state;
    ob_fresh(b, 0, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        b->sb.purse.unit = rows[i].unit;
        b->sb.purse.units = rows[i].units;
        assert_status(ob_tap(b, SCRIP_PURSE_PERSONALISE, rows[i].amount), rows[i].status);
        assert_int_equal(b->sb.apdus, 0);
    }
    ob_free(b);
}

static void a_card_is_personalised_once_and_again_only_the_same_while_it_is_whole(void **state)
{
    struct ob *b = &bench;
    (void)state;
    ob_sold(b, 10, 500);
    const unsigned writes = b->tear.writes;
    assert_ok(ob_tap(b, SCRIP_PURSE_PERSONALISE, 0)); /* its end was not seen */
    assert_int_equal(b->tear.writes, writes);
    b->sb.purse.units = 600;
    assert_status(ob_tap(b, SCRIP_PURSE_PERSONALISE, 0), SCRIP_E_EXISTS);
    b->sb.purse.units = 500;
    assert_ok(ob_tap(b, SCRIP_PURSE_DEBIT, 10));
    assert_status(ob_tap(b, SCRIP_PURSE_PERSONALISE, 0), SCRIP_E_EXISTS);
    assert_int_equal(ob_balance(b), 4990);
    ob_free(b);
}

static void a_mifare_classic_is_not_taken_for_one(void **state)
{
    struct sb *b = &bench.sb;
    uint8_t before[SB_PAGES][SCRIP_NV_PAGE];
    (void)state;
    sb_fresh(b, "otp", "01020304", false);
    b->purse.unit = 10;
    b->purse.units = 500;
    memcpy(before, b->pages, sizeof before);
    assert_status(ob_tap(&bench, SCRIP_PURSE_PERSONALISE, 0), SCRIP_E_UNSUPPORTED);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_memory_equal(before, b->pages, sizeof before);
    memset(b->pages[4 * 4 + 3], 0xA5, 6); /* one whose sector 4 is in use */
    assert_status(ob_tap(&bench, SCRIP_PURSE_PERSONALISE, 0), SCRIP_E_UNSUPPORTED);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_memory_equal(before[3], b->pages[3], sizeof before[3]); /* no password */
    sb_free(b);
}

static void the_passwords_of_a_sold_card_open_and_allow_what_the_page_says(void **state)
{
    struct ob *b = &bench;
    uint8_t block[16];
    struct scrip_classic_trailer trailer;
    struct scrip_classic_access access;
    (void)state;
    ob_sold(b, 10, 500);
    memcpy(block, b->memory.at + 3 * SCRIP_NV_PAGE, sizeof block);
    scrip_classic_trailer_get(block, &trailer);
    assert_ok(scrip_classic_access_get(trailer.access, &access));
    assert_true(scrip_classic_key_b_usable(access.group[3]));
    for (unsigned key = 0; key < 2; key++) {
        assert_true(scrip_classic_may(access.group[1], SCRIP_CLASSIC_MAY_READ, key == 1));
        assert_true(scrip_classic_may(access.group[1], SCRIP_CLASSIC_MAY_DECREMENT, key == 1));
        assert_false(scrip_classic_may(access.group[1], SCRIP_CLASSIC_MAY_WRITE, key == 1));
        assert_false(scrip_classic_may(access.group[1], SCRIP_CLASSIC_MAY_INCREMENT, key == 1));
        assert_false(scrip_classic_may(access.group[3], SCRIP_CLASSIC_MAY_READ_KEY_B, key == 1));
    }
    assert_memory_not_equal(trailer.key_a, trailer.key_b, sizeof trailer.key_a);
    ob_free(b);
}

static void a_cell_that_does_not_take_its_bit_costs_nothing(void **state)
{
    struct ob *b = &bench;
    unsigned open = 0;
    (void)state;
    ob_sold(b, 10, 500);
    b->tear.stuck_page = 16;
    b->tear.stuck_bit = 1;
    assert_status(ob_tap(b, SCRIP_PURSE_DEBIT, 20), SCRIP_E_CARD);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_DECLINED);
    assert_status(result()->status, SCRIP_E_CARD);
    assert_int_equal(ob_taken(b, &open), 0);
    assert_int_equal(open, 0);
    assert_int_equal(ob_balance(b), 5000);
    ob_free(b);
}

static void a_card_that_another_terminal_spent_from_in_between_leaves_the_line_to_the_issuer(void **state)
{
    struct ob *b = &bench;
    unsigned open = 0;
    (void)state;
    ob_sold(b, 10, 500);
    b->sb.cut_after = 4; /* the subtraction is answered to nobody */
    (void)ob_tap(b, SCRIP_PURSE_DEBIT, 20);
    assert_true(result()->commit_open);
    ob_power_back(b);
    b->memory.at[16 * SCRIP_NV_PAGE] |= 0x80; /* elsewhere: 60 more */
    (void)ob_tap(b, SCRIP_PURSE_RECOVER, 0);
    assert_status(result()->status, SCRIP_E_WAIT);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_ASK_AGAIN);
    (void)ob_taken(b, &open);
    assert_int_equal(open, 1);
    ob_free(b);
}

/* ---- a reader of our own making ---- */

struct script {
    const char *replies[4]; /* to one batch: data and status word in hex; "" : none comes */
};

/* Run a job against replies that are given. */
static enum scrip_status play(struct ob *b, enum scrip_purse_operation operation, const struct script *script,
                              size_t batches)
{
    struct scrip_purse_job *job = &b->sb.job;
    static struct scrip_batch batch;
    static struct scrip_replies replies;
    SCRIP_TRY(scrip_purse_begin(job, &scrip_purse_otp, operation, &b->sb.request));
    for (size_t i = 0; i <= batches; i++) {
        scrip_batch_clear(&batch);
        SCRIP_TRY(job->flow.next(&job->flow, &batch));
        if (batch.count == 0) {
            assert_int_equal(i, batches);
            break;
        }
        assert_true(i < batches);
        scrip_replies_clear(&replies);
        for (size_t k = 0; k < 4 && script[i].replies[k] != NULL && !replies.unanswered; k++) {
            uint8_t bytes[32];
            const size_t len = from_hex(script[i].replies[k], bytes, sizeof bytes);
            replies.unanswered = len == 0;
            assert_ok(len > 0 ? scrip_replies_add(&replies, scrip_bytes(bytes, len)) : SCRIP_OK);
        }
        SCRIP_TRY(job->flow.take(&job->flow, &replies));
    }
    return SCRIP_OK;
}

#define THOUSAND      "E8030000 17FCFFFF E8030000 01FE01FE 9000"
#define SEVEN_HUNDRED "BC020000 43FDFFFF BC020000 01FE01FE 9000"

static void given_request(struct ob *b, int32_t amount)
{
    ob_fresh(b, 10, 500);
    b->sb.request = (struct scrip_purse_request){.storage = &b->sb.purse,
                                                 .keys = {&b->sb, sb_key},
                                                 .journal = &b->sb.journal,
                                                 .amount = amount,
                                                 .card = {.uid = {1, 2, 3, 4}, .uid_len = 4}};
}

static void an_acknowledgement_alone_is_no_payment(void **state)
{
    struct ob *b = &bench;
    struct scrip_journal_line line;
    const struct script said_but_not_done[] = {
        {{"9000", "9000", THOUSAND}}, {{"9000", THOUSAND}}, {{"9000", "9000", THOUSAND}}};
    const struct script read_badly[] = {
        {{"9000", "9000", THOUSAND}}, {{"9000", "6301"}}, {{"9000", "9000", SEVEN_HUNDRED}}};
    const struct script damaged[] = {{{"9000", "9000", THOUSAND}},
                                     {{"9000", "00000000 00000000 00000000 00000000 9000"}},
                                     {{"9000", "9000", "00000000 FFFFFFFF 00000000 01FE01FE 9000"}}};
    (void)state;
    given_request(b, 300);
    assert_ok(play(b, SCRIP_PURSE_DEBIT, said_but_not_done, 3));
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_false(result()->committed);
    assert_ok(scrip_journal_get(&b->sb.journal, 1, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_VOID);
    assert_ok(play(b, SCRIP_PURSE_DEBIT, read_badly, 3));
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_ACCEPTED);
    assert_int_equal(result()->balance, 700);
    assert_status(play(b, SCRIP_PURSE_DEBIT, damaged, 3), SCRIP_E_STALE);
    assert_int_equal(result()->outcome, SCRIP_OUTCOME_ASK_AGAIN);
    assert_true(result()->commit_open);
    ob_free(b);
}

static void a_reader_that_tells_no_uid_is_asked_for_it(void **state)
{
    struct ob *b = &bench;
    const struct script asked[] = {{{"A1B2C3D4 9000"}}, {{"9000", "9000", THOUSAND}}};
    const struct script unknown[] = {{{"6A81"}}};
    const struct script odd[] = {{{"A1B2C3D4E5 9000"}}};
    (void)state;
    given_request(b, 0);
    b->sb.request.card.uid_len = 0;
    assert_ok(play(b, SCRIP_PURSE_BALANCE, asked, 2));
    assert_int_equal(result()->balance, 1000);
    assert_hex(SCRIP_BYTES_OF(result()->uid), "A1B2C3D4000000");
    assert_status(play(b, SCRIP_PURSE_BALANCE, unknown, 1), SCRIP_E_UNSUPPORTED);
    assert_status(play(b, SCRIP_PURSE_BALANCE, odd, 1), SCRIP_E_UNSUPPORTED);
    ob_free(b);
}

static void what_a_reader_or_another_card_says_is_told_as_it_is(void **state)
{
    static const struct {
        struct script script[2];
        size_t batches;
        enum scrip_status status;
        enum scrip_outcome outcome;
    } rows[] = {
        {{{{"6300"}}}, 1, SCRIP_E_UNSUPPORTED, SCRIP_OUTCOME_DECLINED}, /* takes no keys */
        {{{{"6D00"}}}, 1, SCRIP_E_UNSUPPORTED, SCRIP_OUTCOME_DECLINED},
        {{{{"9000", "6301"}}}, 1, SCRIP_E_TORN, SCRIP_OUTCOME_ASK_AGAIN},
        {{{{"9000", ""}}}, 1, SCRIP_E_TORN, SCRIP_OUTCOME_ASK_AGAIN},
        {{{{"9000", "9000", "6300"}}}, 1, SCRIP_E_CARD, SCRIP_OUTCOME_DECLINED},
        {{{{"9000", "9000", "0102 9000"}}}, 1, SCRIP_E_LENGTH, SCRIP_OUTCOME_ASK_AGAIN},
        {{{{"9000", "9000", "0A000000F5FFFFFF0100FEFF00000000 9000"}}}, 1, SCRIP_E_CORRUPT, SCRIP_OUTCOME_DECLINED},
        {{{{"9000", "9000", "FFFFFFFF00000000FFFFFFFF01FE01FE 9000"}}}, 1, SCRIP_E_CORRUPT, SCRIP_OUTCOME_DECLINED},
    };
    struct ob *b = &bench;
    (void)state;
    given_request(b, 300);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(play(b, SCRIP_PURSE_DEBIT, rows[i].script, rows[i].batches), rows[i].status);
        assert_int_equal(result()->outcome, rows[i].outcome);
        assert_status(result()->status, rows[i].status);
        assert_int_equal(b->sb.journal.last, 0);
    }
    ob_free(b);
}

/* C0, its operand and B0: 38 + 6, 56 and 38 + 6 etu. A debit is these, a selection, three passes and two READs. */
static void a_debit_spends_on_the_air_what_its_frames_take(void **state)
{
    struct ob *b = &bench;
    const struct scrip_field_times *times = &b->sb.field.times;
    const uint64_t subtraction = 144;
    const uint64_t selection = (9 + 20) + (20 + 47) + (83 + 29);
    const uint64_t passes = (38 + 38) + (74 + 38);
    const uint64_t reads = 2 * (38 + 164);
    (void)state;
    ob_sold(b, 10, 500);
    const uint64_t air = times->reader_fc + times->card_fc;
    const uint64_t busy = times->busy_fc;
    assert_ok(ob_tap(b, SCRIP_PURSE_DEBIT, 70));
    assert_int_equal(times->reader_fc + times->card_fc - air, 128 * (subtraction + selection + passes + reads));
    const uint64_t busy_us = (times->busy_fc - busy) * 1000000 / SCRIP_FC_HZ; /* answers come on a grid of one etu */
    assert_in_range(busy_us, SCRIP_OTP_BIT_US, SCRIP_OTP_BIT_US + 10);
    ob_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_is_sold_and_spent_to_nothing),
        cmocka_unit_test(a_purse_by_name_takes_unit_and_units),
        cmocka_unit_test(the_amount_may_say_what_the_units_do_not),
        cmocka_unit_test(what_the_card_cannot_do_is_refused_before_it_is_touched),
        cmocka_unit_test(an_amount_that_is_no_multiple_takes_nothing),
        cmocka_unit_test(a_blank_card_a_foreign_one_and_one_without_face_value_are_told_apart),
        cmocka_unit_test(a_gate_needs_the_pay_key_alone),
        cmocka_unit_test(a_terminal_whose_own_memory_or_random_source_fails_asks_again),
        cmocka_unit_test(a_personalisation_that_makes_no_sense_is_refused_before_the_card),
        cmocka_unit_test(a_card_is_personalised_once_and_again_only_the_same_while_it_is_whole),
        cmocka_unit_test(a_mifare_classic_is_not_taken_for_one),
        cmocka_unit_test(the_passwords_of_a_sold_card_open_and_allow_what_the_page_says),
        cmocka_unit_test(a_cell_that_does_not_take_its_bit_costs_nothing),
        cmocka_unit_test(a_debit_spends_on_the_air_what_its_frames_take),
        cmocka_unit_test(an_acknowledgement_alone_is_no_payment),
        cmocka_unit_test(a_reader_that_tells_no_uid_is_asked_for_it),
        cmocka_unit_test(what_a_reader_or_another_card_says_is_told_as_it_is),
        cmocka_unit_test(a_card_that_another_terminal_spent_from_in_between_leaves_the_line_to_the_issuer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
