/* journal_sum.h: what a terminal's journal adds up to. */
#ifndef SCRIP_TEST_JOURNAL_SUM_H
#define SCRIP_TEST_JOURNAL_SUM_H

#include "check.h"
#include <scrip/journal.h>

/** What was taken for certain, what was given taken off. @param open how many lines still wait for their answer */
static inline int32_t journal_taken(const struct scrip_journal *journal, unsigned *open)
{
    struct scrip_journal_line line;
    int32_t sum = 0;
    *open = 0;
    for (uint64_t sequence = 1; sequence <= journal->last; sequence++) {
        assert_ok(scrip_journal_get(journal, sequence, &line));
        if (line.state == SCRIP_JOURNAL_CONFIRMED || line.state == SCRIP_JOURNAL_FOUND) {
            sum += line.kind == SCRIP_JOURNAL_DEBIT ? line.amount : -line.amount;
        }
        *open += line.state == SCRIP_JOURNAL_INTENT ? 1 : 0;
    }
    return sum;
}

#endif
