/* exactly_once_defects: would the enumeration notice? Each rule of the settlement is broken on purpose, one at a time
 * (scrip/defect.h), and the enumeration must find a case that goes wrong.
 *
 *   exactly_once_defects                    all of them
 *   exactly_once_defects NAME ["CASE"]      one, or one case with it, followed line by line */
#include "enumerate.h"

#include <inttypes.h>
#include <scrip/defect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some rules are second lines of defence, which take two faults to reach: all pairs of these kinds are tried first. The
 * others show with any single fault; they are found by trying all of them. */
static const struct {
    enum scrip_defect defect;
    struct enumeration_aim aim;
} aimed[] = {
    {SCRIP_DEFECT_issue_before_durable, {"ev2", FAULT_stop_before, FAULT_response_lost, false}},
    {SCRIP_DEFECT_evidence_without_cas, {"ev1-batch-lost", FAULT_request_held_gone, FAULT_phone_lost, false}},
    {SCRIP_DEFECT_absence_without_window, {"ev1-first-ever", FAULT_commit_flushes, FAULT_commit_flushes, false}},
    {SCRIP_DEFECT_no_abort_of_pending, {"ev1", FAULT_command_held_read, FAULT_command_lost, true}},
    {SCRIP_DEFECT_rollback_ignored, {"ev2", FAULT_card_restored, FAULT_request_lost, false}},
    {SCRIP_DEFECT_tmv_not_checked, {"debit", FAULT_upload_forged, FAULT_upload_forged, false}},
    {SCRIP_DEFECT_debit_taken_twice, {"debit", FAULT_upload_twice, FAULT_upload_twice, false}},
    {SCRIP_DEFECT_ev1_bit_ignored, {"ev1", FAULT_commit_early, FAULT_commit_early, false}},
    {SCRIP_DEFECT_two_issued_per_card, {"ev2-report-lost", FAULT_second_order, FAULT_second_order, false}},
    {SCRIP_DEFECT_held_card_issued, {"ev2-report-lost", FAULT_claim, FAULT_claim, false}},
};

static bool keep_first(void *ctx, const struct violation *violation)
{
    *(struct violation *)ctx = *violation;
    return false;
}

/* @return a case went wrong */
static bool search(struct enumeration *enumeration, enum scrip_defect defect, struct violation *violation,
                   struct enumeration_counts *counts)
{
    const struct enumeration_limits limits = {.pair_draws = 8000, .triple_draws = 3000};
    for (size_t i = 0; i < sizeof aimed / sizeof *aimed; i++) {
        if (aimed[i].defect == defect) {
            return !enumeration_aimed(enumeration, &aimed[i].aim, keep_first, violation, counts);
        }
    }
    return !enumeration_run(enumeration, &limits, keep_first, violation, counts);
}

/* @return it was caught */
static bool caught(struct enumeration *enumeration, enum scrip_defect defect)
{
    struct violation violation = {{0}, {0}};
    struct enumeration_counts counts;
    scrip_test_defect = defect;
    const bool found = search(enumeration, defect, &violation, &counts);
    scrip_test_defect = SCRIP_DEFECT_none;
    printf("%-24s %s after %" PRIu64 " cases, %.1f s\n", scrip_defect_name(defect), found ? "caught" : "NOT CAUGHT",
           counts.singles + counts.pairs + counts.triples, counts.seconds);
    if (found) {
        printf("    %s\n    %s\n", violation.text, violation.why);
    } else {
        printf("    broken rule: %s\n", scrip_defect_text(defect));
    }
    (void)fflush(stdout);
    return found;
}

/* One case with the defect, followed line by line. */
static int follow(struct enumeration *enumeration, enum scrip_defect defect, const char *text)
{
    struct one_case one;
    struct violation violation;
    if (!case_read(&one, text)) {
        (void)fprintf(stderr, "not a case: %s\n", text);
        return 2;
    }
    enumeration_follow(enumeration);
    scrip_test_defect = defect;
    const bool right = enumeration_case(enumeration, &one, &violation);
    printf("%s\n", right ? "all is right" : violation.why);
    return right ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL;
    unsigned missed = 0;
    unsigned tried = 0;
    struct enumeration *enumeration = enumeration_new(20260101, NULL);
    if (enumeration == NULL) {
        return 1;
    }
    for (int i = 1; i < SCRIP_DEFECT_COUNT; i++) {
        if (argc > 2 && strcmp(only, scrip_defect_name((enum scrip_defect)i)) == 0) {
            return follow(enumeration, (enum scrip_defect)i, argv[2]);
        }
        if (only == NULL || strcmp(only, scrip_defect_name((enum scrip_defect)i)) == 0) {
            tried++;
            missed += !caught(enumeration, (enum scrip_defect)i);
        }
    }
    enumeration_free(enumeration);
    printf("%u of %u deliberate defects caught\n", tried - missed, tried);
    return missed == 0 && tried > 0 ? 0 : 1;
}
