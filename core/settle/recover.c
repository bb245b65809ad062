/* recover.c: a terminal and its own unanswered commit. The terminal has no key to verify a TMV with, but the session
 * that reads TMC and log is its own, and the log entry is unmistakably its own: reader id, time, amount. */
#include <scrip/settle.h>
#include <string.h>

static unsigned log_count_of(const struct scrip_settle_reads *reads, const uint8_t record[16])
{
    unsigned count = 0;
    for (unsigned i = 0; i < reads->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        count += memcmp(reads->log[i], record, 16) == 0;
    }
    return count;
}

/* Would the entry still be there? Its time stands in bytes 4 to 11, BCD, so it compares as text does. Personalisation
 * begins the log with an entry: an empty one was cleared, and tells nothing. */
static bool log_reaches(const struct scrip_settle_reads *reads, const uint8_t record[16])
{
    if (reads->log_count > 0 && reads->log_count < reads->log_capacity) {
        return true;
    }
    for (unsigned i = 0; i < reads->log_count && i < SCRIP_SETTLE_LOG_MAX; i++) {
        if (memcmp(reads->log[i] + 4, record + 4, 8) < 0) {
            return true;
        }
    }
    return false;
}

enum scrip_settle_debit scrip_settle_debit_recover(const struct scrip_settle_intent *intent,
                                                   const struct scrip_settle_reads *reads)
{
    const bool counted = intent->tmac && intent->has_tmc && reads->has_tmc;
    if (counted && reads->tmc < intent->tmc) {
        return SCRIP_DEBIT_OPEN; /* an older image: for the server to look into */
    }
    if (counted && reads->tmc == intent->tmc) {
        return SCRIP_DEBIT_NOT_DONE;
    }
    if (!intent->has_log || !reads->has_log) {
        return SCRIP_DEBIT_OPEN; /* a balance alone cannot tell this debit from another's */
    }
    if (log_count_of(reads, intent->record) > intent->same_before) {
        return SCRIP_DEBIT_DONE;
    }
    return log_reaches(reads, intent->record) ? SCRIP_DEBIT_NOT_DONE : SCRIP_DEBIT_OPEN;
}
