/* Each row is one law: what is known, what was read, what follows. */
#include "check.h"

#include <scrip/defect.h>
#include <scrip/settle.h>

#define MARK SCRIP_SETTLE_MARK

enum { EV2, EV1 };

struct row {
    const char *law;
    int messaging;
    enum scrip_settle_event verdict;
    /* evidence of a later session; the issue is number 7 of a card whose newest proved top-up is 5, issued at TMC 20 */
    uint32_t session; /* issue number of the session */
    uint32_t tmc;     /* 0: not read */
    uint32_t floor;
    uint32_t explained;
    uint8_t capacity;       /* 0: log not read */
    uint32_t references[6]; /* 0 ends the list */
    uint32_t previous;      /* reference in the previous TMRI; 0: not known */
    uint32_t value;         /* amount in the record of 7; 0: the right one */
};

static const struct row rows[] = {
    {"the record proves the commit", EV2, SCRIP_EVENT_PROOF_COMMIT, 7, 21, 20, 0, 10, {5, 7}, 0, 0},
    {"a full log without it that has an older record proves that there was none",
     EV2,
     SCRIP_EVENT_PROOF_NONE,
     7,
     20,
     20,
     0,
     3,
     {3, 4, 5},
     0,
     0},
    {"so does a log that was never full", EV2, SCRIP_EVENT_PROOF_NONE, 7, 20, 20, 0, 10, {5}, 0, 0},
    {"a full log of newer records alone proves nothing: it may have been pushed out",
     EV1,
     SCRIP_EVENT_UNDECIDED,
     7,
     0,
     0,
     0,
     2,
     {0x8, 0x9},
     0,
     0},
    {"a session from before the issue proves nothing about it", EV2, SCRIP_EVENT_STALE, 6, 20, 20, 0, 10, {5}, 0, 0},
    {"not even that it happened", EV2, SCRIP_EVENT_STALE, 6, 21, 20, 0, 10, {5, 7}, 0, 0},
    {"a TMC that moved must be explained before absence counts",
     EV2,
     SCRIP_EVENT_UNDECIDED,
     7,
     23,
     20,
     2,
     10,
     {5},
     0,
     0},
    {"and does when every step is known", EV2, SCRIP_EVENT_PROOF_NONE, 7, 23, 20, 3, 10, {5}, 0, 0},
    {"a TMC below what was known before the session is an older image",
     EV2,
     SCRIP_EVENT_ROLLBACK,
     7,
     19,
     20,
     0,
     10,
     {5},
     0,
     0},
    {"a TMC below what became known since is only an older message",
     EV2,
     SCRIP_EVENT_STALE,
     7,
     19,
     18,
     0,
     10,
     {5},
     0,
     0},
    {"the newest proved top-up cannot have left the log", EV2, SCRIP_EVENT_ROLLBACK, 7, 21, 20, 1, 10, {3, 4}, 0, 0},
    {"a reference that was never issued is not ours", EV2, SCRIP_EVENT_CONTRADICTION, 7, 21, 20, 1, 10, {5, 8}, 0, 0},
    {"a record without a step of the TMC contradicts itself",
     EV2,
     SCRIP_EVENT_CONTRADICTION,
     7,
     20,
     20,
     0,
     10,
     {5, 7},
     0,
     0},
    {"a record with another amount is not ours", EV2, SCRIP_EVENT_CONTRADICTION, 7, 21, 20, 0, 10, {5, 7}, 0, 1999},
    {"a reference stands in a log once", EV2, SCRIP_EVENT_CONTRADICTION, 7, 21, 20, 0, 10, {5, 7, 7}, 0, 0},
    {"without the log nothing follows", EV2, SCRIP_EVENT_UNDECIDED, 7, 21, 20, 0, 0, {0}, 0, 0},
    {"without the TMC nothing follows", EV2, SCRIP_EVENT_UNDECIDED, 7, 0, 20, 0, 10, {5}, 0, 0},
    {"a previous TMRI that a complete log denies contradicts it",
     EV2,
     SCRIP_EVENT_CONTRADICTION,
     7,
     21,
     20,
     1,
     10,
     {5},
     7,
     0},
    {"a previous TMRI of another top-up says nothing", EV2, SCRIP_EVENT_PROOF_NONE, 7, 20, 20, 0, 10, {5}, 5, 0},
    {"EV1: the mark proves the commit", EV1, SCRIP_EVENT_PROOF_COMMIT, 7, 0, 0, 0, 10, {5 | MARK, 7 | MARK}, 0, 0},
    {"EV1: no record, no commit", EV1, SCRIP_EVENT_PROOF_NONE, 7, 0, 0, 0, 10, {5 | MARK}, 0, 0},
    {"EV1: a record without its mark was committed early",
     EV1,
     SCRIP_EVENT_CHEATED,
     7,
     0,
     0,
     0,
     10,
     {5 | MARK, 7},
     0,
     0},
    {"EV1: a log without any record was cleared: that is no absence",
     EV1,
     SCRIP_EVENT_CHEATED,
     7,
     0,
     0,
     0,
     10,
     {0},
     0,
     0},
    {"nor is it where commands carry MACs", EV2, SCRIP_EVENT_CONTRADICTION, 7, 20, 20, 0, 10, {0}, 0, 0},
    {"but a session from before the issue is stale whatever it shows",
     EV1,
     SCRIP_EVENT_STALE,
     6,
     0,
     0,
     0,
     10,
     {0},
     0,
     0},
};

static struct scrip_settle_issue issue_of(const struct row *row)
{
    return (struct scrip_settle_issue){.reference = 7,
                                       .card_issue_no = 7,
                                       .last_committed = 5,
                                       .amount = 2000,
                                       .tmac = row->messaging == EV2,
                                       .marked = row->messaging == EV1,
                                       .tmc_issued = 20,
                                       .tmc_highest = 20};
}

static struct scrip_settle_evidence reads_of(const struct row *row)
{
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_SESSION,
                                             .session_issue_no = row->session,
                                             .tmc_floor = row->floor,
                                             .has_tmc = row->tmc != 0,
                                             .tmc = row->tmc,
                                             .has_log = row->capacity != 0,
                                             .log_capacity = row->capacity,
                                             .explained = row->explained,
                                             .has_prev = row->previous != 0};
    scrip_put_le32(evidence.prev_tmri + 4, row->previous);
    while (evidence.log_count < 6 && row->references[evidence.log_count] != 0) {
        struct scrip_settle_record *record = &evidence.log[evidence.log_count];
        record->reference = row->references[evidence.log_count++];
        record->value = (record->reference & ~MARK) == 7 && row->value != 0 ? row->value : 2000;
    }
    return evidence;
}

static void later_sessions_are_judged_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scrip_settle_issue issue = issue_of(&rows[i]);
        const struct scrip_settle_evidence evidence = reads_of(&rows[i]);
        if (rows[i].references[0] == 8) { /* pushed out: the card has had later issues, none of them proved */
            issue.card_issue_no = 9;
            issue.last_committed = 0;
        }
        struct scrip_settle_evidence read = evidence;
        read.session_issue_no += issue.card_issue_no - 7;
        const struct scrip_settle_judgement judgement = scrip_settle_judge(&issue, &read);
        if (judgement.event != rows[i].verdict) {
            fail_msg("%s: %s (%s)", rows[i].law, scrip_settle_event_name(judgement.event), judgement.why);
        }
        assert_true(strlen(judgement.why) > 10);
    }
}

static void a_log_read_in_part_counts_as_a_full_one(void **state)
{
    (void)state;
    struct scrip_settle_issue issue = issue_of(&rows[20]); /* EV1 */
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_SESSION,
                                             .session_issue_no = 7,
                                             .has_log = true,
                                             .log_partial = true,
                                             .log_capacity = 10,
                                             .log_count = 1};
    evidence.log[0] = (struct scrip_settle_record){.value = 2000, .reference = 5 | MARK};
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_NONE); /* reaches back by 5 */
    evidence.log[0].reference = 7 | MARK; /* the newest alone: 5 may be behind it */
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
    evidence.log[0].reference = 4 | MARK;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_ROLLBACK);
    evidence.log_count = 0;
    issue.last_committed = 0;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
}

/* The records that were read follow each other: the newest that is proved would stand between a newer and an older. */
static void a_log_with_a_newer_and_an_older_record_only_is_an_older_image(void **state)
{
    (void)state;
    struct scrip_settle_issue issue = issue_of(&rows[20]); /* EV1; 5 is proved, 7 is open */
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_SESSION,
                                             .session_issue_no = 7,
                                             .has_log = true,
                                             .log_partial = true,
                                             .log_capacity = 10,
                                             .log_count = 2};
    evidence.log[0] = (struct scrip_settle_record){.value = 2000, .reference = 7 | MARK};
    evidence.log[1] = (struct scrip_settle_record){.value = 2000, .reference = 4 | MARK};
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_ROLLBACK);
    evidence.log[1] = (struct scrip_settle_record){.timestamp = {0x20}}; /* that it was begun with */
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_ROLLBACK);
    evidence.log[1] = (struct scrip_settle_record){.value = 2000, .reference = 5 | MARK};
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
    evidence.log[1] = (struct scrip_settle_record){.reference = 0}; /* a flush that a phone has committed */
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
}

/* Before a card's first top-up the log has only the record that it was begun with. */
static void a_cleared_log_is_told_by_the_record_that_it_was_begun_with(void **state)
{
    (void)state;
    for (int messaging = EV2; messaging <= EV1; messaging++) {
        const enum scrip_settle_event cleared = messaging == EV1 ? SCRIP_EVENT_CHEATED : SCRIP_EVENT_CONTRADICTION;
        struct row row = rows[2];
        row.messaging = messaging;
        row.references[0] = 0;
        struct scrip_settle_issue issue = issue_of(&row);
        struct scrip_settle_evidence evidence = reads_of(&row);
        issue.last_committed = 0;
        assert_int_equal(scrip_settle_judge(&issue, &evidence).event, cleared);
        assert_int_equal(scrip_settle_judge_card(&issue, &evidence).event, cleared);
        evidence.log_count = 1; /* a flush that was committed puts an empty record there: no better */
        assert_int_equal(scrip_settle_judge(&issue, &evidence).event, cleared);
        evidence.log[0].timestamp[0] = 0x20;
        assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_NONE);
        evidence.log_count = 0;
        issue.reference = 0; /* nothing is outstanding: the card is held all the same */
        assert_int_equal(scrip_settle_judge_card(&issue, &evidence).event, SCRIP_EVENT_CONTRADICTION);
    }
}

static void debits_that_leave_no_entry_need_no_explanation(void **state)
{
    (void)state;
    struct scrip_settle_issue issue = issue_of(&rows[0]);
    struct scrip_settle_evidence evidence = reads_of(&rows[6]);
    issue.unlogged = true;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_NONE);
}

static struct scrip_settle_evidence full_answer(void)
{
    return (struct scrip_settle_evidence){.source = SCRIP_SOURCE_BATCH,
                                          .reference = 7,
                                          .session_issue_no = 6,
                                          .commit_ok = true,
                                          .has_tmc = true,
                                          .tmc = 21,
                                          .tmv_ok = true};
}

static void the_batchs_own_answers_can_only_prove_the_commit(void **state)
{
    (void)state;
    const struct scrip_settle_issue issue = issue_of(&rows[0]);
    struct scrip_settle_evidence evidence = full_answer();
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
    evidence.commit_ok = false;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
    evidence.refused = true; /* what the phone says weighs nothing */
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
    evidence = full_answer();
    evidence.refused = true;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
    evidence.tmv_ok = false;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_CONTRADICTION);
    evidence = full_answer();
    evidence.tmc = 20;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_CONTRADICTION);
    evidence = full_answer();
    evidence.has_tmc = false;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
    evidence = full_answer();
    evidence.reference = 6;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
}

static void late_answers_are_as_good_as_early_ones(void **state)
{
    (void)state;
    struct scrip_settle_issue issue = issue_of(&rows[0]);
    const struct scrip_settle_evidence evidence = full_answer();
    issue.card_issue_no = 9; /* overtaken */
    issue.tmc_highest = 40;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
}

static void a_terminals_line_proves_what_it_names_and_no_more(void **state)
{
    (void)state;
    const struct scrip_settle_issue issue = issue_of(&rows[0]);
    struct scrip_settle_evidence evidence = {
        .source = SCRIP_SOURCE_TERMINAL, .has_tmc = true, .tmc = 22, .tmv_ok = true, .has_prev = true};
    scrip_put_le32(evidence.prev_tmri + 4, 7);
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
    evidence.tmv_ok = false;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
    evidence.tmv_ok = true;
    evidence.tmc = 21; /* the top-up before it would be at 20, where the card was already */
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_CONTRADICTION);
    evidence.tmc = 22;
    scrip_put_le32(evidence.prev_tmri + 4, 0);
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
    evidence.source = (enum scrip_settle_source)9;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
}

static void a_card_with_nothing_outstanding_is_looked_at_too(void **state)
{
    (void)state;
    struct scrip_settle_issue issue = issue_of(&rows[0]);
    struct scrip_settle_evidence evidence = reads_of(&rows[2]);
    issue.reference = 0;
    assert_int_equal(scrip_settle_judge_card(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
    evidence.tmc = 19;
    assert_int_equal(scrip_settle_judge_card(&issue, &evidence).event, SCRIP_EVENT_ROLLBACK);
    evidence.session_issue_no = 6;
    assert_int_equal(scrip_settle_judge_card(&issue, &evidence).event, SCRIP_EVENT_STALE);
    evidence.source = SCRIP_SOURCE_BATCH;
    assert_int_equal(scrip_settle_judge_card(&issue, &evidence).event, SCRIP_EVENT_UNDECIDED);
}

/* A defect must change a verdict, or switching it on would test nothing. */
static void each_deliberate_defect_of_the_judge_shows(void **state)
{
    (void)state;
    static const struct {
        enum scrip_defect defect;
        size_t row;
    } shown[] = {
        {SCRIP_DEFECT_absence_without_window, 3},
        {SCRIP_DEFECT_evidence_without_cas, 4},
        {SCRIP_DEFECT_rollback_ignored, 8},
        {SCRIP_DEFECT_ev1_bit_ignored, 21},
    };
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        struct scrip_settle_issue issue = issue_of(&rows[shown[i].row]);
        struct scrip_settle_evidence evidence = reads_of(&rows[shown[i].row]);
        if (shown[i].row == 3) {
            issue.card_issue_no = evidence.session_issue_no = 9;
            issue.last_committed = 0;
        }
        const enum scrip_settle_event right = scrip_settle_judge(&issue, &evidence).event;
        scrip_test_defect = shown[i].defect;
        const enum scrip_settle_event wrong = scrip_settle_judge(&issue, &evidence).event;
        scrip_test_defect = SCRIP_DEFECT_none;
        assert_int_not_equal(right, wrong);
    }
    const struct scrip_settle_issue issue = issue_of(&rows[0]);
    struct scrip_settle_evidence evidence = full_answer();
    evidence.commit_ok = false;
    evidence.refused = true;
    scrip_test_defect = SCRIP_DEFECT_refusal_taken_as_proof;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_NONE);
    scrip_test_defect = SCRIP_DEFECT_tmv_not_checked;
    assert_int_equal(scrip_settle_judge(&issue, &evidence).event, SCRIP_EVENT_PROOF_COMMIT);
    scrip_test_defect = SCRIP_DEFECT_none;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_sessions_are_judged_by_the_rules),
        cmocka_unit_test(a_log_read_in_part_counts_as_a_full_one),
        cmocka_unit_test(a_log_with_a_newer_and_an_older_record_only_is_an_older_image),
        cmocka_unit_test(a_cleared_log_is_told_by_the_record_that_it_was_begun_with),
        cmocka_unit_test(debits_that_leave_no_entry_need_no_explanation),
        cmocka_unit_test(the_batchs_own_answers_can_only_prove_the_commit),
        cmocka_unit_test(late_answers_are_as_good_as_early_ones),
        cmocka_unit_test(a_terminals_line_proves_what_it_names_and_no_more),
        cmocka_unit_test(a_card_with_nothing_outstanding_is_looked_at_too),
        cmocka_unit_test(each_deliberate_defect_of_the_judge_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
