/* The journal: nothing that was durable is lost, nothing torn is believed. */
#include "check.h"
#include <scrip/journal.h>
#include <scrip/posix.h>

#define LINES 5U

struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv_tearing tearing;
    struct scrip_nv nv;
    struct scrip_journal journal;
};

static const uint8_t terminal[4] = {'G', 'A', 'T', 'E'};

static void given_journal(struct bench *b)
{
    assert_ok(scrip_nv_memory_init(&b->memory, SCRIP_JOURNAL_PAGES(LINES)));
    b->nv = scrip_nv_tearing(&b->tearing, scrip_nv_memory(&b->memory), 5);
    assert_ok(scrip_journal_format(&b->nv, terminal));
    assert_ok(scrip_journal_open(&b->journal, &b->nv));
}

static void done(struct bench *b)
{
    scrip_nv_memory_free(&b->memory);
}

static struct scrip_journal_line a_debit(int32_t amount, uint8_t card)
{
    struct scrip_journal_line line = {
        .kind = SCRIP_JOURNAL_DEBIT,
        .profile = 1,
        .uid = {4, 1, 2, 3, 4, 5, card},
        .timestamp = {0x20, 0x26, 0x11, 0x21, 0x02, 0x00, 0x00, 0x17},
        .amount = amount,
        .has_balance = true,
        .balance = -7,
        .has_record = true,
        .record = {'G', 'A', 'T', 'E', 9},
        .same_before = 2,
        .has_reader = true,
        .tmri = {1, 2, 3},
        .enc_tmri = {4, 5, 6},
        .has_tmc_before = true,
        .tmc_before = 0xFFFFFFFE,
        .has_displaced = true,
        .displaced = {7, 8, 9},
    };
    return line;
}

static void same_line(const struct scrip_journal_line *a, const struct scrip_journal_line *b)
{
    uint8_t x[SCRIP_JOURNAL_LINE];
    uint8_t y[SCRIP_JOURNAL_LINE];
    scrip_journal_line_encode(a, x);
    scrip_journal_line_encode(b, y);
    assert_memory_equal(x, y, sizeof x);
}

static void a_line_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct bench b;
    struct scrip_journal_line line = a_debit(250, 6);
    struct scrip_journal_line read;
    const uint8_t tmv[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    given_journal(&b);
    assert_ok(scrip_journal_append(&b.journal, &line));
    assert_int_equal(line.sequence, 1);
    assert_ok(scrip_journal_settle(&b.journal, 1, SCRIP_JOURNAL_CONFIRMED, 77, tmv));
    assert_ok(scrip_journal_open(&b.journal, &b.nv));
    assert_ok(scrip_journal_get(&b.journal, 1, &read));
    assert_int_equal(read.state, SCRIP_JOURNAL_CONFIRMED);
    assert_int_equal(read.tmc, 77);
    assert_memory_equal(read.tmv, tmv, 8);
    assert_memory_equal(read.terminal, terminal, 4);
    assert_int_equal(read.amount, 250);
    assert_int_equal(read.balance, -7);
    assert_int_equal(read.tmc_before, 0xFFFFFFFE);
    line.state = read.state;
    line.has_tmv = true;
    line.tmc = 77;
    memcpy(line.tmv, tmv, 8);
    same_line(&line, &read);
    done(&b);
}

static void every_altered_byte_is_noticed(void **state)
{
    (void)state;
    struct scrip_journal_line line = a_debit(250, 6);
    struct scrip_journal_line read;
    uint8_t bytes[SCRIP_JOURNAL_LINE];
    line.sequence = 3;
    line.state = SCRIP_JOURNAL_CONFIRMED;
    scrip_journal_line_encode(&line, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0x40;
        const enum scrip_status status = scrip_journal_line_decode(SCRIP_BYTES_OF(bytes), &read);
        if (i < 192) {
            assert_true(status == SCRIP_E_CORRUPT || status == SCRIP_E_FORMAT);
        } else { /* the result page: the line is an intent again */
            assert_ok(status);
            assert_int_equal(read.state, SCRIP_JOURNAL_INTENT);
        }
        bytes[i] ^= 0x40;
    }
    assert_status(scrip_journal_line_decode(scrip_bytes(bytes, 255), &read), SCRIP_E_LENGTH);
}

static void a_slot_is_reused_only_after_its_line_is_acknowledged(void **state)
{
    (void)state;
    struct bench b;
    struct scrip_journal_line line = a_debit(1, 6);
    given_journal(&b);
    for (unsigned i = 0; i < LINES; i++) {
        assert_ok(scrip_journal_append(&b.journal, &line));
    }
    assert_status(scrip_journal_append(&b.journal, &line), SCRIP_E_LIMIT);
    assert_ok(scrip_journal_acknowledge(&b.journal, 2));
    assert_ok(scrip_journal_open(&b.journal, &b.nv));
    assert_int_equal(b.journal.acknowledged, 2);
    assert_ok(scrip_journal_append(&b.journal, &line));
    assert_ok(scrip_journal_append(&b.journal, &line));
    assert_status(scrip_journal_append(&b.journal, &line), SCRIP_E_LIMIT);
    assert_int_equal(scrip_journal_first(&b.journal), 3);
    assert_status(scrip_journal_get(&b.journal, 2, &line), SCRIP_E_NOT_FOUND);
    assert_ok(scrip_journal_get(&b.journal, 7, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_INTENT);
    assert_status(scrip_journal_acknowledge(&b.journal, 8), SCRIP_E_ARGUMENT);
    done(&b);
}

static void an_old_result_in_a_reused_slot_is_not_the_new_lines(void **state)
{
    (void)state;
    struct bench b;
    struct scrip_journal_line line = a_debit(1, 6);
    given_journal(&b);
    for (unsigned i = 1; i <= LINES; i++) {
        assert_ok(scrip_journal_append(&b.journal, &line));
        assert_ok(scrip_journal_settle(&b.journal, i, SCRIP_JOURNAL_CONFIRMED, 0, NULL));
    }
    assert_ok(scrip_journal_acknowledge(&b.journal, LINES));
    assert_ok(scrip_journal_append(&b.journal, &line));
    assert_ok(scrip_journal_get(&b.journal, LINES + 1, &line));
    assert_int_equal(line.state, SCRIP_JOURNAL_INTENT);
    done(&b);
}

static void a_late_result_is_uploaded_again(void **state)
{
    (void)state;
    struct bench b;
    struct scrip_journal_line line = a_debit(1, 6);
    given_journal(&b);
    assert_ok(scrip_journal_append(&b.journal, &line));
    assert_ok(scrip_journal_append(&b.journal, &line));
    assert_ok(scrip_journal_acknowledge(&b.journal, 2));
    assert_ok(scrip_journal_settle(&b.journal, 1, SCRIP_JOURNAL_FOUND, 0, NULL));
    assert_int_equal(b.journal.acknowledged, 0);
    assert_ok(scrip_journal_open(&b.journal, &b.nv));
    assert_int_equal(b.journal.acknowledged, 0);
    done(&b);
}

static void open_lines_of_a_card_are_found_newest_first(void **state)
{
    (void)state;
    struct bench b;
    struct scrip_journal_line line;
    struct scrip_journal_line found;
    given_journal(&b);
    for (uint8_t card = 0; card < 4; card++) {
        line = a_debit(1, card % 2);
        assert_ok(scrip_journal_append(&b.journal, &line));
    }
    assert_ok(scrip_journal_find_open(&b.journal, line.uid, scrip_journal_next(&b.journal), &found));
    assert_int_equal(found.sequence, 4);
    assert_ok(scrip_journal_find_open(&b.journal, line.uid, 3, &found));
    assert_int_equal(found.sequence, 2);
    assert_ok(scrip_journal_settle(&b.journal, 2, SCRIP_JOURNAL_VOID, 0, NULL));
    assert_status(scrip_journal_find_open(&b.journal, line.uid, 3, &found), SCRIP_E_NOT_FOUND);
    assert_status(scrip_journal_settle(&b.journal, 9, SCRIP_JOURNAL_VOID, 0, NULL), SCRIP_E_NOT_FOUND);
    done(&b);
}

/* One life: append, confirm, append, acknowledge, find, wrap around. Stops at the first failure.
 * @return how many lines were durable, and how many results */
static unsigned live(struct bench *b, unsigned *results)
{
    unsigned appended = 0;
    *results = 0;
    for (unsigned i = 1; i <= LINES + 3; i++) {
        struct scrip_journal_line line = a_debit((int32_t)i, 6);
        if (scrip_journal_append(&b->journal, &line) != SCRIP_OK) {
            return appended;
        }
        appended++;
        if (scrip_journal_settle(&b->journal, i, SCRIP_JOURNAL_CONFIRMED, i, (const uint8_t *)"TMVTMVTM") != SCRIP_OK) {
            return appended;
        }
        *results = i;
        if (scrip_journal_acknowledge(&b->journal, i) != SCRIP_OK) {
            return appended;
        }
    }
    return appended;
}

static void power_lost_at_any_write_loses_nothing_that_was_durable(void **state)
{
    (void)state;
    struct bench b;
    unsigned results;
    unsigned cases = 0;
    for (int how = SCRIP_TEAR_BEFORE; how <= SCRIP_TEAR_HALF; how++) {
        for (uint64_t n = 1;; n++) {
            struct scrip_journal_line line;
            given_journal(&b);
            scrip_nv_tear_after(&b.tearing, n, (enum scrip_tear)how);
            const unsigned appended = live(&b, &results);
            const bool torn = b.tearing.no_power;
            scrip_nv_power_up(&b.tearing);
            assert_ok(scrip_journal_open(&b.journal, &b.nv));
            assert_true(b.journal.last == appended || b.journal.last == appended + 1);
            assert_true(b.journal.acknowledged <= b.journal.last);
            for (uint64_t s = scrip_journal_first(&b.journal); s <= b.journal.last; s++) {
                const enum scrip_status status = scrip_journal_get(&b.journal, s, &line);
                if (status !=
                    SCRIP_OK) { /* only the slot that was being overwritten, whose old line was acknowledged */
                    assert_status(status, SCRIP_E_CORRUPT);
                    assert_true(s <= b.journal.acknowledged);
                    continue;
                }
                assert_int_equal(line.amount, s);
                assert_true(line.state == SCRIP_JOURNAL_INTENT || line.tmc == s);
                if (s <= results) {
                    assert_int_equal(line.state, SCRIP_JOURNAL_CONFIRMED);
                }
            }
            line = a_debit((int32_t)scrip_journal_next(&b.journal), 6); /* and it goes on */
            assert_ok(scrip_journal_append(&b.journal, &line));
            done(&b);
            if (!torn) {
                break;
            }
            cases++;
        }
    }
    print_message("%u torn writes\n", cases);
    assert_true(cases > 100);
}

static void other_memory_is_no_journal(void **state)
{
    (void)state;
    struct bench b;
    assert_ok(scrip_nv_memory_init(&b.memory, SCRIP_JOURNAL_PAGES(LINES)));
    b.nv = scrip_nv_memory(&b.memory);
    assert_status(scrip_journal_open(&b.journal, &b.nv), SCRIP_E_CORRUPT);
    b.nv.pages = 5;
    assert_status(scrip_journal_format(&b.nv, terminal), SCRIP_E_SPACE);
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_comes_back_as_it_was_written),
        cmocka_unit_test(every_altered_byte_is_noticed),
        cmocka_unit_test(a_slot_is_reused_only_after_its_line_is_acknowledged),
        cmocka_unit_test(an_old_result_in_a_reused_slot_is_not_the_new_lines),
        cmocka_unit_test(a_late_result_is_uploaded_again),
        cmocka_unit_test(open_lines_of_a_card_are_found_newest_first),
        cmocka_unit_test(power_lost_at_any_write_loses_nothing_that_was_durable),
        cmocka_unit_test(other_memory_is_no_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
