#include "check.h"

#include <scrip/settle.h>

/* A terminal's own record: reader 42, 12:00:05, 250. */
static const uint8_t OWN[16] = {0, 0, 0, 0x42, 0x20, 0x26, 0x01, 0x02, 0x12, 0x00, 0x05, 0, 250, 0, 0, 0};

static struct scrip_settle_intent an_intent(void)
{
    struct scrip_settle_intent intent = {
        .has_log = true, .tmac = true, .has_tmc = true, .tmc = 30, .balance = 1000, .amount = 250};
    memcpy(intent.record, OWN, 16);
    return intent;
}

static struct scrip_settle_reads some_reads(uint32_t tmc, unsigned own, unsigned older, unsigned newer)
{
    struct scrip_settle_reads reads = {
        .has_tmc = true, .tmc = tmc, .has_log = true, .log_capacity = 4, .balance = 1000};
    for (unsigned i = 0; i < older + own + newer; i++) {
        uint8_t *entry = reads.log[reads.log_count++];
        memcpy(entry, OWN, 16);
        if (i < older) {
            entry[10] = 0x04; /* a second before */
        } else if (i >= older + own) {
            entry[10] = 0x06;
        }
    }
    return reads;
}

static void its_own_record_in_the_log_opens_the_gate(void **state)
{
    (void)state;
    const struct scrip_settle_intent intent = an_intent();
    const struct scrip_settle_reads reads = some_reads(31, 1, 2, 0);
    assert_int_equal(scrip_settle_debit_recover(&intent, &reads), SCRIP_DEBIT_DONE);
}

static void an_equal_record_from_before_does_not(void **state)
{
    (void)state;
    struct scrip_settle_intent intent = an_intent();
    const struct scrip_settle_reads once = some_reads(31, 1, 2, 0);
    const struct scrip_settle_reads twice = some_reads(31, 2, 1, 0);
    intent.same_before = 1;
    assert_int_equal(scrip_settle_debit_recover(&intent, &once), SCRIP_DEBIT_NOT_DONE);
    assert_int_equal(scrip_settle_debit_recover(&intent, &twice), SCRIP_DEBIT_DONE);
}

static void a_tmc_that_stood_still_means_that_nothing_happened(void **state)
{
    (void)state;
    const struct scrip_settle_intent intent = an_intent();
    const struct scrip_settle_reads reads = some_reads(30, 0, 0, 0);
    assert_int_equal(scrip_settle_debit_recover(&intent, &reads), SCRIP_DEBIT_NOT_DONE);
}

static void an_older_image_is_not_for_the_terminal_to_judge(void **state)
{
    (void)state;
    const struct scrip_settle_intent intent = an_intent();
    const struct scrip_settle_reads reads = some_reads(29, 0, 1, 0);
    assert_int_equal(scrip_settle_debit_recover(&intent, &reads), SCRIP_DEBIT_OPEN);
}

static void a_missing_record_counts_only_while_the_log_reaches_back(void **state)
{
    (void)state;
    const struct scrip_settle_intent intent = an_intent();
    const struct scrip_settle_reads room = some_reads(31, 0, 0, 3);
    const struct scrip_settle_reads older = some_reads(31, 0, 1, 3);
    const struct scrip_settle_reads overrun = some_reads(36, 0, 0, 4);
    assert_int_equal(scrip_settle_debit_recover(&intent, &room), SCRIP_DEBIT_NOT_DONE);
    assert_int_equal(scrip_settle_debit_recover(&intent, &older), SCRIP_DEBIT_NOT_DONE);
    assert_int_equal(scrip_settle_debit_recover(&intent, &overrun), SCRIP_DEBIT_OPEN);
}

static void an_empty_log_was_cleared_and_tells_nothing(void **state)
{
    (void)state;
    struct scrip_settle_intent intent = an_intent();
    const struct scrip_settle_reads empty = some_reads(31, 0, 0, 0);
    assert_int_equal(scrip_settle_debit_recover(&intent, &empty), SCRIP_DEBIT_OPEN);
    intent.tmac = false;
    assert_int_equal(scrip_settle_debit_recover(&intent, &empty), SCRIP_DEBIT_OPEN);
}

static void a_balance_alone_never_opens(void **state)
{
    (void)state;
    struct scrip_settle_intent intent = an_intent();
    struct scrip_settle_reads reads = some_reads(31, 0, 0, 0);
    intent.has_log = false;
    reads.balance = 750;
    assert_int_equal(scrip_settle_debit_recover(&intent, &reads), SCRIP_DEBIT_OPEN);
    intent.tmac = false;
    assert_int_equal(scrip_settle_debit_recover(&intent, &reads), SCRIP_DEBIT_OPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_record_in_the_log_opens_the_gate),
        cmocka_unit_test(an_equal_record_from_before_does_not),
        cmocka_unit_test(a_tmc_that_stood_still_means_that_nothing_happened),
        cmocka_unit_test(an_older_image_is_not_for_the_terminal_to_judge),
        cmocka_unit_test(a_missing_record_counts_only_while_the_log_reaches_back),
        cmocka_unit_test(an_empty_log_was_cleared_and_tells_nothing),
        cmocka_unit_test(a_balance_alone_never_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
