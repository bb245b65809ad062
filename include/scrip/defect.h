/* defect.h: deliberate defects, for tests that must prove that they would notice.
 *
 * Each name is a rule of the settlement that can be broken on purpose, one at a time. The tests that do so link rooms
 * of their own, compiled with SCRIP_TEST_DEFECTS (cmake/ScripDefects.cmake): there `scrip_test_defect` says which one
 * is on. In every program and library that is built to be used SCRIP_DEFECT(name) is the constant false, and nothing of
 * it is left. */
#ifndef SCRIP_DEFECT_H
#define SCRIP_DEFECT_H

#include <stdbool.h>

/* X(name, the rule that it breaks) */
#define SCRIP_DEFECTS(X)                                                                                               \
    X(issue_before_durable, "the batch leaves before the issue is on disk")                                            \
    X(evidence_without_cas, "evidence of a session older than the newest issue is taken")                              \
    X(absence_without_window, "a missing record counts although the log does not reach back to the issue")             \
    X(no_abort_of_pending, "a batch does not first throw away what an older session left pending")                     \
    X(refusal_taken_as_proof, "a refusing status word counts as proof that nothing was committed")                     \
    X(reused_reference, "a second issuance takes the reference of the first")                                          \
    X(refund_by_clock, "an issued order is refunded when its time is over")                                            \
    X(two_issued_per_card, "two orders of one card may be issued at once")                                             \
    X(tmv_not_checked, "a transaction MAC value counts without being verified")                                        \
    X(rollback_ignored, "a card older than what was seen before is taken as it is")                                    \
    X(debit_taken_twice, "a journal line that comes again is booked again")                                            \
    X(ev1_bit_ignored, "a record without its mark of completion counts as a finished top-up")                          \
    X(double_confirm_booking, "a second proof of the same commit is booked again")                                     \
    X(late_upload_reverts, "a late, incomplete answer takes a confirmed order back")                                   \
    X(held_card_issued, "a held or deny-listed card is issued new value")                                              \
    X(cancel_without_cas, "an issued order can be cancelled with its money back")

enum scrip_defect {
    SCRIP_DEFECT_none,
#define X(name, text) SCRIP_DEFECT_##name,
    SCRIP_DEFECTS(X)
#undef X
        SCRIP_DEFECT_COUNT
};

#ifdef SCRIP_TEST_DEFECTS
/** The defect that is on; SCRIP_DEFECT_none in every program that does not set it. */
extern enum scrip_defect scrip_test_defect;

/** The name of a defect ("refund_by_clock"), and the rule that it breaks. Static memory. */
const char *scrip_defect_name(enum scrip_defect defect);
const char *scrip_defect_text(enum scrip_defect defect);

#define SCRIP_DEFECT(name) (scrip_test_defect == SCRIP_DEFECT_##name)
#else
#define SCRIP_DEFECT(name) false
#endif

#endif
