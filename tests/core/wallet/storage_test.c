/* Purses on MIFARE Classic: the native value block and the BCD wallet, on the card, over the air, through the reader's
 * pseudo-APDUs. Changes whose answer did not come are in storage_unanswered_test.c, tearing in storage_tear_test.c. */
#include "each_purse.h"

static void a_purse_is_made_credited_and_spent(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        print_message("%s\n", PURSES[i]);
        sb_purse(b, PURSES[i], 0);
        assert_int_equal(sb_balance(b), 0);
        assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 2000, 7));
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
        assert_int_equal(b->job.result.balance_before, 0);
        assert_int_equal(b->job.result.balance, 2000);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
        assert_true(b->job.result.committed);
        assert_false(b->job.result.commit_open);
        assert_int_equal(b->job.result.balance, 1750);
        assert_int_equal(sb_balance(b), 1750);
        assert_memory_equal(sb_block(b, b->purse.main_block), sb_block(b, b->purse.backup_block), 16);
        sb_free(b);
    }
}

static void the_journal_has_a_line_of_every_change(void **state)
{
    struct sb *b = &bench;
    struct scrip_journal_line line;
    (void)state;
    sb_purse(b, "classic", 1000);
    assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 250, 0));
    assert_int_equal(b->job.result.sequence, 1);
    assert_ok(scrip_journal_get(&b->journal, 1, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_CONFIRMED);
    assert_int_equal(line.profile, scrip_storage_profile_id(&b->purse));
    assert_int_equal(line.balance, 1000);
    assert_int_equal(line.amount, 250);
    assert_hex(SCRIP_BYTES_OF(line.uid), "01020304 000000");
    assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 400, 12));
    assert_ok(scrip_journal_get(&b->journal, 2, &line));
    assert_int_equal(line.kind, SCRIP_JOURNAL_CREDIT);
    assert_int_equal(line.reference, 12);
    const uint8_t tmac[16] = {0};
    assert_status(scrip_purse_line_verify(&line, tmac), SCRIP_E_UNSUPPORTED);
}

static void cards_of_four_and_seven_bytes_and_of_4k_work(void **state)
{
    static const struct {
        const char *purse, *uid, *journal;
        bool is_4k;
    } rows[] = {{"classic", "A1B2C3D4", "A1B2C3D4 000000", false},
                {"bcd", "04112233445566", "04112233445566", false},
                {"classic+sector=39", "04112233445566", "04112233445566", true},
                {"bcd+hardened+sector=33", "08112233", "08112233 000000", true}};
    struct sb *b = &bench;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sb_fresh(b, rows[i].purse, rows[i].uid, rows[i].is_4k);
        assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, 500, 0));
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 123, 0));
        assert_int_equal(sb_balance(b), 377);
        assert_hex(SCRIP_BYTES_OF(b->job.result.uid), rows[i].journal);
        assert_true(scrip_storage_is_classic(&b->request.card));
        assert_false(scrip_purse_desfire.identify(&b->request.card));
        sb_free(b);
    }
}

/* What a debit must send: activation 3 frames, authentication 2, a read 1, a write or a step of a value command 1 each
 * and 1 for its data. Nothing else goes over the air. */
static void a_debit_has_no_frame_that_its_steps_do_not_need(void **state)
{
    enum { OPEN = 3 + 2 + 2, NATIVE = (2 + 1) + (2 + 1) + 2, BCD = (2 + 1) + (2 + 1) };
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 500);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 123, 0));
        assert_int_equal(b->frames, OPEN + (b->purse.kind == SCRIP_STORAGE_BCD ? BCD : NATIVE));
        sb_free(b);
    }
}

static void a_link_that_shows_no_uid_is_asked_for_it(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "classic", 500);
    struct scrip_card_info info;
    assert_ok(sb_connect(&b->link, 0, &info));
    memset(&b->request.card, 0, sizeof b->request.card);
    assert_ok(scrip_purse_run(&b->job, &scrip_purse_native, SCRIP_PURSE_BALANCE, &b->request, &b->link));
    assert_int_equal(b->job.result.balance, 500);
    assert_hex(SCRIP_BYTES_OF(b->job.result.uid), "01020304 000000");
}

/* ---- limits ---- */

static void what_a_purse_cannot_do_changes_nothing(void **state)
{
    static const struct {
        enum scrip_purse_operation operation;
        int32_t amount;
        enum scrip_status status;
    } rows[] = {{SCRIP_PURSE_DEBIT, 1001, SCRIP_E_FUNDS},     {SCRIP_PURSE_DEBIT, INT32_MAX, SCRIP_E_FUNDS},
                {SCRIP_PURSE_CREDIT, 49001, SCRIP_E_LIMIT},   {SCRIP_PURSE_CREDIT, INT32_MAX, SCRIP_E_LIMIT},
                {SCRIP_PURSE_DEBIT, 0, SCRIP_E_ARGUMENT},     {SCRIP_PURSE_CREDIT, -1, SCRIP_E_ARGUMENT},
                {SCRIP_PURSE_HISTORY, 0, SCRIP_E_UNSUPPORTED}};
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        b->purse.upper = 50000;
        for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
            assert_status(sb_tap(b, rows[n].operation, rows[n].amount, 3), rows[n].status);
            assert_false(b->job.result.committed);
        }
        assert_int_equal(b->writes, 0);
        assert_int_equal(b->journal.last, 0);
        assert_int_equal(sb_balance(b), 1000);
        sb_free(b);
    }
}

static void a_purse_is_spent_to_the_last_unit_and_filled_to_its_limit(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 1000, 0));
        assert_int_equal(sb_balance(b), 0);
        assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, b->purse.upper, 4));
        assert_int_equal(sb_balance(b), b->purse.upper);
        assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 1, 5), SCRIP_E_LIMIT);
        sb_free(b);
    }
}

static void an_order_is_credited_once_at_a_terminal(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "classic", 1000);
    assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8));
    assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 8), SCRIP_E_EXISTS);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
    assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 500, 9));
    assert_int_equal(sb_balance(b), 2000);
}

/* ---- keys ---- */

static void a_gate_takes_mends_and_recovers_and_cannot_give(void **state)
{
    struct sb *b = &bench;
    uint8_t block[16];
    (void)state;
    sb_purse(b, "classic", 1000);
    b->request.keys = (struct scrip_purse_keys){b, sb_gate_key};
    assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 100, 0));
    memset(sb_block(b, 5), 0, 16);
    assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 100, 0));
    assert_true(b->job.result.repaired);
    memcpy(block, sb_block(b, 4), 16);
    memset(sb_block(b, 4), 0xFF, 16);
    assert_ok(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0));
    assert_memory_equal(sb_block(b, 4), block, 16);
    assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 100, 1), SCRIP_E_KEY);
    b->purse.key_b = b->purse.key_a; /* a gate that tries to give with what it has */
    assert_status(sb_tap(b, SCRIP_PURSE_CREDIT, 100, 1), SCRIP_E_AUTH);
    assert_int_equal(sb_balance(b), 800);
}

static void a_terminal_whose_own_memory_or_random_source_fails_asks_again(void **state)
{
    static const enum scrip_status failures[] = {SCRIP_E_NV, SCRIP_E_RANDOM};
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 1000);
        for (size_t n = 0; n < sizeof failures / sizeof failures[0]; n++) {
            b->key_store = failures[n];
            assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 100, 0), failures[n]);
            assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
            assert_int_equal(b->apdus, 0);
            assert_int_equal(b->journal.last, 0);
        }
        b->key_store = SCRIP_E_KEY; /* it will not have one next time either */
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 100, 0), SCRIP_E_KEY);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
        sb_free(b);
    }
}

static void key_a_of_a_native_purse_opens_no_increment_and_no_write(void **state)
{
    struct sb *b = &bench;
    uint8_t key[16];
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    struct scrip_replies replies;
    uint16_t sw = 0;
    static const uint8_t block[16] = {1};
    (void)state;
    sb_purse(b, "classic", 1000);
    const uint8_t uid[] = {1, 2, 3, 4};
    assert_ok(sb_key(b, SCRIP_PURSE_PAY, scrip_storage_diversify_input(SCRIP_BYTES_OF(uid), 1, m), key));
    for (unsigned n = 0; n < 4; n++) {
        struct scrip_batch batch;
        struct scrip_card_info info;
        scrip_batch_clear(&batch);
        assert_ok(scrip_storage_open(&batch, 7, false, key));
        assert_ok(n == 0   ? scrip_storage_change(&batch, 4, true, 1)
                  : n == 1 ? scrip_storage_write(&batch, 4, block)
                  : n == 2 ? scrip_storage_write(&batch, 7, scrip_classic_trailer_new)
                           : scrip_storage_change(&batch, 4, false, 1));
        assert_ok(sb_connect(&b->link, 0, &info));
        assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
        assert_ok(scrip_storage_reply(&replies, 1, NULL, NULL));
        assert_status(scrip_storage_reply(&replies, 2, NULL, &sw), n < 3 ? SCRIP_E_CARD : SCRIP_OK);
    }
}

static void a_trailer_that_would_lock_its_sector_is_not_asked_for(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 24; bit++) {
        struct scrip_batch batch;
        uint8_t trailer[16];
        memcpy(trailer, scrip_classic_trailer_new, sizeof trailer);
        trailer[SCRIP_CLASSIC_AT_ACCESS + bit / 8] ^= (uint8_t)(1U << bit % 8);
        scrip_batch_clear(&batch);
        assert_status(scrip_storage_write(&batch, 7, trailer), SCRIP_E_CORRUPT);
        assert_int_equal(batch.count, 0);
        assert_ok(scrip_storage_write(&batch, 6, trailer));
    }
}

static void a_foreign_sector_and_a_blank_one_are_told_apart(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_fresh(b, PURSES[i], "01020304", false);
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 1, 0), SCRIP_E_NOT_FOUND);
        assert_true(b->job.result.blank);
        assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, 5, 0));
        b->version = 3;
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 1, 0), SCRIP_E_AUTH);
        assert_int_equal(b->job.result.failure.cmd, 0x86);
        assert_int_equal(b->job.result.failure.sw, SCRIP_PCSC_FAILED);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
        assert_status(sb_tap(b, SCRIP_PURSE_PERSONALISE, 5, 0), SCRIP_E_AUTH);
        sb_free(b);
    }
}

static void personalising_twice_is_no_way_to_value(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 10);
        assert_status(sb_tap(b, SCRIP_PURSE_PERSONALISE, 20, 0), SCRIP_E_EXISTS);
        assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, 10, 0)); /* the answer to the first was lost, for all it knows */
        assert_int_equal(b->writes, 0);
        assert_int_equal(sb_balance(b), 10);
        sb_free(b);
    }
}

static void keys_are_changed_and_the_value_stays(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 700);
        assert_ok(sb_tap(b, SCRIP_PURSE_REKEY, 0, 0));
        assert_status(sb_tap(b, SCRIP_PURSE_BALANCE, 0, 0), SCRIP_E_AUTH);
        b->version = 1;
        assert_int_equal(sb_balance(b), 700);
        assert_ok(sb_tap(b, SCRIP_PURSE_CREDIT, 1, 1));
        b->version = 0;
        assert_ok(sb_tap(b, SCRIP_PURSE_REKEY, 0, 0)); /* done already, and seen to be */
        assert_int_equal(b->job.result.balance, 701);
        sb_free(b);
    }
}

/* What a torn trailer may be like when its access bits are whole: the key that may write it completes it. */
static void a_trailer_with_one_good_key_is_completed(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        sb_purse(b, n % 2 == 0 ? "classic" : "bcd+hardened", 0);
        if (n >= 2) {
            assert_ok(sb_tap(b, SCRIP_PURSE_REKEY, 0, 0));
        }
        sb_block(b, b->purse.trailer_block)[2] ^= 0x55; /* key A */
        assert_ok(sb_tap(b, n >= 2 ? SCRIP_PURSE_REKEY : SCRIP_PURSE_PERSONALISE, 0, 0));
        b->version = n >= 2 ? 1 : 0;
        assert_int_equal(sb_balance(b), 0); /* with key A */
        sb_free(b);
    }
}

static unsigned keys_left;

/* A store that fails after some keys. */
static enum scrip_status failing_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return keys_left-- > 0 ? sb_key(ctx, role, m, out) : SCRIP_E_KEY;
}

static void a_batch_that_is_not_sent_keeps_no_key(void **state)
{
    enum { PROOF = 3 }; /* two keys for the trailer, then key A, then key B */
    struct sb *b = &bench;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t key[16];
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    static const uint8_t uid[] = {1, 2, 3, 4};
    (void)state;
    sb_fresh(b, "classic", "01020304", false);
    b->request = (struct scrip_purse_request){.storage = &b->purse, .keys = {b, failing_key}};
    keys_left = PROOF;
    assert_ok(sb_connect(&b->link, 0, &b->request.card));
    assert_ok(scrip_purse_begin(&b->job, &scrip_purse_native, SCRIP_PURSE_PERSONALISE, &b->request));
    enum scrip_status status = SCRIP_OK;
    while (status == SCRIP_OK) {
        scrip_batch_clear(&batch);
        status = b->job.flow.next(&b->job.flow, &batch);
        if (status == SCRIP_OK) {
            assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
            assert_ok(b->job.flow.take(&b->job.flow, &replies));
        }
    }
    assert_status(status, SCRIP_E_KEY);
    assert_ok(sb_key(b, SCRIP_PURSE_PAY, scrip_storage_diversify_input(SCRIP_BYTES_OF(uid), 1, m), key));
    assert_memory_equal(sb_block(b, 7), key, 6); /* the trailer has it */
    for (size_t i = 0; i + 6 <= 32; i++) {
        assert_memory_not_equal(batch.bytes + i, key, 6);
    }
    scrip_purse_end(&b->job);
}

/* ---- two copies ---- */

static void put_copy(struct sb *b, uint8_t block, int32_t value)
{
    if (b->purse.kind == SCRIP_STORAGE_BCD) {
        assert_ok(scrip_bcd_block_put(value, sb_block(b, block)));
    } else {
        scrip_classic_value_put(value, b->purse.main_block, sb_block(b, block));
    }
}

static void the_recovery_table_is_followed_before_anything_is_shown(void **state)
{
    enum { BAD = -1 };
    static const struct {
        int32_t main, backup, shown;
        enum scrip_copies_repair repair;
    } rows[] = {{700, 700, 700, SCRIP_COPIES_GOOD},
                {650, 700, 650, SCRIP_COPIES_MEND_BACKUP},
                {700, 650, 700, SCRIP_COPIES_MEND_BACKUP},
                {700, BAD, 700, SCRIP_COPIES_MEND_BACKUP},
                {BAD, 700, 700, SCRIP_COPIES_MEND_MAIN}};
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
            sb_purse(b, PURSES[i], 1);
            put_copy(b, b->purse.main_block, rows[n].main == BAD ? 5 : rows[n].main);
            put_copy(b, b->purse.backup_block, rows[n].backup == BAD ? 5 : rows[n].backup);
            sb_block(b, b->purse.main_block)[1] ^= rows[n].main == BAD ? 1 : 0;
            sb_block(b, b->purse.backup_block)[4] ^= rows[n].backup == BAD ? 1 : 0;
            assert_int_equal(sb_balance(b), rows[n].shown);
            assert_int_equal(b->job.result.repair, rows[n].repair);
            assert_ok(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0)); /* where the key for balances may not write */
            assert_int_equal(sb_balance(b), rows[n].shown);
            assert_int_equal(b->job.result.repair, SCRIP_COPIES_GOOD);
            sb_free(b);
        }
    }
}

static void two_damaged_copies_are_shown_and_nothing_is_written(void **state)
{
    struct sb *b = &bench;
    uint8_t as_found[2][16];
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 4321);
        sb_block(b, b->purse.main_block)[4] ^= 0x10;
        sb_block(b, b->purse.backup_block)[0] ^= 0x40;
        memcpy(as_found[0], sb_block(b, b->purse.main_block), 16);
        memcpy(as_found[1], sb_block(b, b->purse.backup_block), 16);
        static const enum scrip_purse_operation tried[] = {SCRIP_PURSE_BALANCE,     SCRIP_PURSE_DEBIT,
                                                           SCRIP_PURSE_CREDIT,      SCRIP_PURSE_RECOVER,
                                                           SCRIP_PURSE_PERSONALISE, SCRIP_PURSE_REKEY};
        for (size_t n = 0; n < sizeof tried / sizeof tried[0]; n++) {
            assert_status(sb_tap(b, tried[n], 1, 1), SCRIP_E_CORRUPT);
            assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
            assert_true(b->job.result.has_copies);
            assert_memory_equal(b->job.result.copies, as_found, sizeof as_found);
            assert_true(b->job.result.has_proposal);
            assert_int_equal(b->job.result.proposal, 4321);
            assert_false(b->job.result.has_balance);
        }
        assert_int_equal(b->writes, 0);
        assert_int_equal(b->journal.last, 0);
        sb_free(b);
    }
}

/* A block that says it was written and was not: nothing is built upon it. */
static void a_copy_that_cannot_be_mended_stops_the_visit(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 700);
        sb_block(b, b->purse.backup_block)[0] ^= 1;
        b->writes = 0;
        b->tear_at = 1;
        b->tear = SB_ZEROS;
        b->weak = true;
        assert_status(sb_tap(b, SCRIP_PURSE_DEBIT, 100, 0), SCRIP_E_NV);
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
        assert_false(b->job.result.repaired);
        assert_int_equal(b->writes, 1);
        assert_int_equal(b->journal.last, 0);
        sb_power_back(b);
        assert_ok(sb_tap(b, SCRIP_PURSE_DEBIT, 100, 0));
        assert_int_equal(sb_balance(b), 600);
        sb_free(b);
    }
}

static void an_operator_forces_exactly_what_was_logged(void **state)
{
    struct sb *b = &bench;
    (void)state;
    for (EACH_PURSE) {
        sb_purse(b, PURSES[i], 4321);
        assert_status(sb_tap(b, SCRIP_PURSE_FORCE_INIT, 4321, 0), SCRIP_E_STATE); /* nothing is damaged */
        memset(sb_block(b, b->purse.main_block), 0, 16);
        assert_status(sb_tap(b, SCRIP_PURSE_FORCE_INIT, 9999, 0), SCRIP_E_STATE); /* one copy is enough */
        memset(sb_block(b, b->purse.backup_block), 0, 16);
        memset(b->request.copies, 0x55, sizeof b->request.copies);
        assert_status(sb_tap(b, SCRIP_PURSE_FORCE_INIT, 4321, 0), SCRIP_E_STALE);
        assert_status(sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0), SCRIP_E_CORRUPT);
        assert_false(b->job.result.has_proposal); /* erased blocks suggest nothing, not even 0 */
        memcpy(b->request.copies, b->job.result.copies, sizeof b->request.copies);
        assert_ok(sb_tap(b, SCRIP_PURSE_FORCE_INIT, 4321, 0));
        assert_int_equal(sb_balance(b), 4321);
        sb_free(b);
    }
}

/* ---- names ---- */

static void purses_have_names_and_numbers(void **state)
{
    static const struct {
        const char *name;
        enum scrip_status status;
        uint8_t id, main, trailer;
    } rows[] = {{"classic", SCRIP_OK, 0x91, 4, 7},
                {"bcd", SCRIP_OK, 0x82, 4, 7},
                {"bcd+hardened", SCRIP_OK, 0x92, 4, 7},
                {"otp", SCRIP_OK, 0x93, 1, 3},
                {"classic+sector=39", SCRIP_OK, 0x91, 240, 255},
                {"bcd+sector=32+hardened", SCRIP_OK, 0x92, 128, 143},
                {"classic+hardened", SCRIP_E_UNSUPPORTED, 0, 0, 0},
                {"classic+sector=0", SCRIP_E_UNSUPPORTED, 0, 0, 0},
                {"classic+sector=40", SCRIP_E_UNSUPPORTED, 0, 0, 0},
                {"otp+sector=2", SCRIP_E_UNSUPPORTED, 0, 0, 0},
                {"classic+sector=", SCRIP_E_NOT_FOUND, 0, 0, 0},
                {"classic+sector=1x", SCRIP_E_NOT_FOUND, 0, 0, 0},
                {"classic+", SCRIP_E_NOT_FOUND, 0, 0, 0},
                {"class", SCRIP_E_NOT_FOUND, 0, 0, 0},
                {"", SCRIP_E_NOT_FOUND, 0, 0, 0}};
    struct scrip_storage_purse purse;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(scrip_storage_purse_make(rows[i].name, &purse), rows[i].status);
        if (rows[i].status == SCRIP_OK) {
            assert_ok(scrip_storage_purse_check(&purse));
            assert_int_equal(scrip_storage_profile_id(&purse), rows[i].id);
            assert_true(scrip_storage_profile_known(rows[i].id));
            assert_int_equal(purse.main_block, rows[i].main);
            assert_int_equal(purse.trailer_block, rows[i].trailer);
        }
    }
    for (unsigned id = 0; id < 0x80; id++) {
        assert_false(scrip_storage_profile_known((uint8_t)id));
    }
    assert_string_equal(scrip_storage_name_at(0), "classic");
    assert_null(scrip_storage_name_at(3));
    assert_null(scrip_storage_about_at(3));
    assert_string_equal(scrip_storage_kind_name(SCRIP_STORAGE_BCD), "bcd");
    assert_string_equal(scrip_storage_kind_name(0), "?");
}

static void layouts_that_make_no_sense_are_refused(void **state)
{
    struct sb *b = &bench;
    (void)state;
    sb_purse(b, "classic", 10);
    const struct scrip_storage_purse good = b->purse;
    for (unsigned n = 0; n < 8; n++) {
        b->purse = good;
        b->purse.main_block = n == 0 ? 8 : n == 1 ? 7 : good.main_block;
        b->purse.backup_block = n == 2 ? 4 : n == 3 ? 0 : good.backup_block;
        b->purse.trailer_block = n == 4 ? 6 : good.trailer_block;
        b->purse.sector = n == 5 ? 40 : good.sector;
        b->purse.upper = n == 6 ? -1 : good.upper;
        b->purse.access = n == 7 ? SCRIP_STORAGE_COMPATIBLE : good.access;
        assert_status(sb_tap(b, SCRIP_PURSE_BALANCE, 0, 0), SCRIP_E_ARGUMENT);
    }
    b->purse = good;
    b->purse.kind = SCRIP_STORAGE_OTP; /* another family's */
    assert_status(sb_tap(b, SCRIP_PURSE_BALANCE, 0, 0), SCRIP_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_purse_is_made_credited_and_spent),
        TEST(the_journal_has_a_line_of_every_change),
        TEST(cards_of_four_and_seven_bytes_and_of_4k_work),
        TEST(a_debit_has_no_frame_that_its_steps_do_not_need),
        TEST(a_link_that_shows_no_uid_is_asked_for_it),
        TEST(what_a_purse_cannot_do_changes_nothing),
        TEST(a_purse_is_spent_to_the_last_unit_and_filled_to_its_limit),
        TEST(an_order_is_credited_once_at_a_terminal),
        TEST(a_gate_takes_mends_and_recovers_and_cannot_give),
        TEST(a_terminal_whose_own_memory_or_random_source_fails_asks_again),
        TEST(key_a_of_a_native_purse_opens_no_increment_and_no_write),
        TEST(a_trailer_that_would_lock_its_sector_is_not_asked_for),
        TEST(a_foreign_sector_and_a_blank_one_are_told_apart),
        TEST(personalising_twice_is_no_way_to_value),
        TEST(keys_are_changed_and_the_value_stays),
        TEST(the_recovery_table_is_followed_before_anything_is_shown),
        TEST(two_damaged_copies_are_shown_and_nothing_is_written),
        TEST(a_trailer_with_one_good_key_is_completed),
        TEST(a_copy_that_cannot_be_mended_stops_the_visit),
        TEST(an_operator_forces_exactly_what_was_logged),
        TEST(a_batch_that_is_not_sent_keeps_no_key),
        TEST(purses_have_names_and_numbers),
        TEST(layouts_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
