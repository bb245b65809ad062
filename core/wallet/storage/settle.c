/* The journal of a terminal with cards that keep no log: an intent is judged by the balance it began with, and by the
 * tag where there is one: a number that every credit raises, and nothing else.
 *
 *   debit, balance now     tag          verdict     credit, balance now   tag           verdict
 *   before - amount        same, none   done        anything              same          not done
 *   before                 same, none   not done    before + amount       raised, none  done
 *   anything else          any          open        anything else         raised, none  open
 *   anything               other        open        anything              other         open
 *
 * Done: the line becomes FOUND; not done: VOID; open: it stays an intent, for the issuer.
 *
 * A debit that seems done can be another terminal's, of just that amount. Without a tag a debit that seems not done can
 * be hidden by a credit of that amount, which nobody would arrange; a credit that seems not done can have been done and
 * spent, which somebody would: so it stays open. A later line of the same purse in this journal means that the older
 * intent was looked at before and could not be judged then; it is left alone, since now it could only be judged worse.
 *
 * A credit whose intent cannot be judged may be on the card: its order waits for the issuer. */
#include "storage.h"
#include <string.h>

enum { AT_SECTOR, AT_HAS_TAG, AT_TAG }; /* in a line's record */

static enum scrip_storage_verdict judge_credit(const struct scrip_journal_line *line, int32_t balance, bool tagged,
                                               int tag)
{
    const int before = line->record[AT_TAG];
    if (tagged && tag == before) {
        return SCRIP_STORAGE_NOT_DONE;
    }
    const bool raised_once = !tagged || tag == (before + 1) % 256;
    return raised_once && balance == (int64_t)line->balance + line->amount ? SCRIP_STORAGE_DONE : SCRIP_STORAGE_OPEN;
}

static enum scrip_storage_verdict judge_debit(const struct scrip_journal_line *line, int32_t balance, bool tagged,
                                              int tag)
{
    if (tagged && tag != line->record[AT_TAG]) { /* credited since: the balance says nothing */
        return SCRIP_STORAGE_OPEN;
    }
    if (balance == (int64_t)line->balance - line->amount) {
        return SCRIP_STORAGE_DONE;
    }
    return balance == line->balance ? SCRIP_STORAGE_NOT_DONE : SCRIP_STORAGE_OPEN;
}

enum scrip_storage_verdict scrip_storage_judge(const struct scrip_journal_line *line, int32_t balance, int tag)
{
    const bool tagged = line->record[AT_HAS_TAG] == 1 && tag != SCRIP_STORAGE_NO_TAG;
    if (!line->has_balance) {
        return SCRIP_STORAGE_OPEN;
    }
    return line->kind == SCRIP_JOURNAL_CREDIT ? judge_credit(line, balance, tagged, tag)
                                              : judge_debit(line, balance, tagged, tag);
}

/* The newest line of a card with a property, behind `until`. */
static bool find_back(const struct scrip_journal *journal, const uint8_t uid[7], uint64_t until,
                      bool (*wanted)(const struct scrip_journal_line *line, uint32_t what), uint32_t what)
{
    struct scrip_journal_line line;
    const uint64_t first = scrip_journal_first(journal);
    for (uint64_t at = journal->last; at >= first && at > until && at > 0; at--) {
        if (scrip_journal_get(journal, at, &line) == SCRIP_OK && memcmp(line.uid, uid, sizeof line.uid) == 0 &&
            wanted(&line, what)) {
            return true;
        }
    }
    return false;
}

/* A card may have purses in several sectors. There is no log, so the line's record says where its purse is. */
static uint32_t place(uint8_t profile, uint8_t sector)
{
    return (uint32_t)profile << 8 | sector;
}

static uint32_t place_of_line(const struct scrip_journal_line *line)
{
    return place(line->profile, line->record[AT_SECTOR]);
}

static uint32_t place_of_purse(const struct scrip_storage_purse *purse)
{
    return place(scrip_storage_profile_id(purse), purse->sector);
}

static bool is_of_purse(const struct scrip_journal_line *line, uint32_t purse)
{
    return place_of_line(line) == purse;
}

static bool is_credit_of(const struct scrip_journal_line *line, uint32_t reference)
{
    return line->kind == SCRIP_JOURNAL_CREDIT && line->reference == reference &&
           (line->state == SCRIP_JOURNAL_CONFIRMED || line->state == SCRIP_JOURNAL_FOUND);
}

static bool is_intent_of(const struct scrip_journal_line *line, uint32_t reference)
{
    return line->kind == SCRIP_JOURNAL_CREDIT && line->reference == reference && line->state == SCRIP_JOURNAL_INTENT;
}

enum scrip_status scrip_storage_may_credit(const struct scrip_journal *journal, const uint8_t uid[7],
                                           uint32_t reference)
{
    if (find_back(journal, uid, 0, is_credit_of, reference)) {
        return SCRIP_E_EXISTS;
    }
    return find_back(journal, uid, 0, is_intent_of, reference) ? SCRIP_E_WAIT : SCRIP_OK;
}

/* Is the line the purchase, or the order, that is asked for now? Then it counts for it. */
static bool serves(const struct scrip_purse_request *request, unsigned operation, const struct scrip_journal_line *line)
{
    if (line->amount != request->amount) {
        return false;
    }
    return operation == SCRIP_PURSE_DEBIT ? line->kind == SCRIP_JOURNAL_DEBIT
                                          : operation == SCRIP_PURSE_CREDIT && line->kind == SCRIP_JOURNAL_CREDIT &&
                                                line->reference == request->reference;
}

static enum scrip_status settle_line(const struct scrip_purse_request *request, unsigned operation,
                                     const struct scrip_journal_line *line, int32_t balance, int tag,
                                     struct scrip_purse_result *result)
{
    const bool newest = !find_back(request->journal, line->uid, line->sequence, is_of_purse, place_of_line(line));
    const enum scrip_storage_verdict verdict = newest ? scrip_storage_judge(line, balance, tag) : SCRIP_STORAGE_OPEN;
    if (verdict == SCRIP_STORAGE_OPEN) {
        result->commit_open = true;
        return SCRIP_OK;
    }
    const bool done = verdict == SCRIP_STORAGE_DONE;
    SCRIP_TRY(scrip_journal_settle(request->journal, line->sequence, done ? SCRIP_JOURNAL_FOUND : SCRIP_JOURNAL_VOID, 0,
                                   NULL));
    result->settled++;
    if (done && serves(request, operation, line)) {
        result->recovered = true;
        result->committed = true;
        result->sequence = line->sequence;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_storage_settle(const struct scrip_purse_request *request, unsigned operation,
                                       const uint8_t uid[7], int32_t balance, int tag,
                                       struct scrip_purse_result *result)
{
    const struct scrip_journal *journal = request->journal;
    uint64_t from = scrip_journal_next(journal);
    struct scrip_journal_line line;
    while (from > 0) {
        const enum scrip_status status = scrip_journal_find_open(journal, uid, from, &line);
        if (status == SCRIP_E_NOT_FOUND) {
            return SCRIP_OK;
        }
        SCRIP_TRY(status);
        if (is_of_purse(&line, place_of_purse(request->storage))) { /* else: another purse on the same card */
            SCRIP_TRY(settle_line(request, operation, &line, balance, tag, result));
        }
        from = line.sequence - 1;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_storage_intend(const struct scrip_purse_request *request, unsigned operation,
                                       const uint8_t uid[7], int32_t balance, int tag,
                                       struct scrip_purse_result *result)
{
    const bool debit = operation == SCRIP_PURSE_DEBIT;
    struct scrip_journal_line line = {
        .kind = debit ? SCRIP_JOURNAL_DEBIT : SCRIP_JOURNAL_CREDIT,
        .profile = scrip_storage_profile_id(request->storage),
        .amount = request->amount,
        .reference = debit ? 0 : request->reference,
        .has_balance = true,
        .balance = balance,
        .record = {[AT_SECTOR] = request->storage->sector,
                   [AT_HAS_TAG] = tag != SCRIP_STORAGE_NO_TAG ? 1 : 0,
                   [AT_TAG] = tag != SCRIP_STORAGE_NO_TAG ? (uint8_t)tag : 0},
    };
    memcpy(line.uid, uid, sizeof line.uid);
    memcpy(line.timestamp, request->timestamp, sizeof line.timestamp);
    SCRIP_TRY(scrip_journal_append(request->journal, &line));
    result->sequence = line.sequence;
    result->commit_open = true;
    return SCRIP_OK;
}

enum scrip_status scrip_storage_conclude(const struct scrip_purse_request *request, bool done,
                                         struct scrip_purse_result *result)
{
    const enum scrip_journal_state state = done ? SCRIP_JOURNAL_CONFIRMED : SCRIP_JOURNAL_VOID;
    SCRIP_TRY(scrip_journal_settle(request->journal, result->sequence, state, 0, NULL));
    result->committed = done;
    result->commit_open = false;
    return SCRIP_OK;
}
