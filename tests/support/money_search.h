/* money_search.h: customers, two terminals that know nothing of each other, and everything that can go wrong, at
 * random and again from its seed. What is looked for is value that was made or lost.
 *
 * Every purchase and every order of an episode has an amount of its own, four times the one before, and is tried three
 * times at most. So no others add up to one of them: the coincidences that no terminal can see on a card without a log
 * (docs/protocol/purse-storage.md) cannot happen here.
 *
 * Or, to look for just those that a customer could arrange, all amounts are the same, one terminal is a gate and the
 * other a till. */
#ifndef SCRIP_TEST_MONEY_SEARCH_H
#define SCRIP_TEST_MONEY_SEARCH_H

#include "check.h"
#include <scrip/posix.h>
#include <scrip/wallet.h>
#include <stdlib.h>

#define MS_TERMINALS 2U
#define MS_LINES     48U
#define MS_ATTEMPTS  3U
#define MS_STEPS     32U

/** What goes wrong in a visit. Write, APDU, frame or page number `n`; `how` is the world's to understand. */
enum ms_fault { MS_NONE, MS_CARD, MS_CUT_BEFORE, MS_CUT_AFTER, MS_FRAME, MS_ANSWER, MS_JOURNAL, MS_FAULTS };

struct ms_terminal {
    struct scrip_nv_memory memory;
    int32_t wanted; /* amount of the purchase or order that waits there, 0: none */
    unsigned attempts;
    bool is_credit;
    uint32_t reference;
};

/** One card and who meets it. Fill in the functions. */
struct ms {
    uint64_t state; /* of the dice */
    struct ms_terminal terminals[MS_TERMINALS];
    int32_t begins;   /* what the card holds at first */
    unsigned most;    /* amounts there are: 1, 4, 16 ... */
    unsigned amounts; /* given out */
    bool credits;     /* is this a purse that takes some */
    bool same;        /* all amounts are 1; a gate and a till */
    bool may_lose;    /* without a tag the same amounts may hide a debit from its terminal: at the customer's cost */
    int32_t paid;     /* by the customer, for orders */
    int32_t goods;    /* handed to the customer */
    unsigned visits, struck, lines, open;
    const char *name;
    uint64_t seed;
    unsigned step;

    /** Put this terminal's journal in place. */
    void (*seat)(struct ms *ms, struct scrip_nv_memory *memory);
    void (*plan)(struct ms *ms, enum ms_fault fault, unsigned n, unsigned how);
    /** One visit, after which all faults are over. @return did the fault strike */
    bool (*visit)(struct ms *ms, enum scrip_purse_operation operation, int32_t amount, uint32_t reference,
                  struct scrip_purse_result *result);
    /** What the card is worth, from its memory. @return false: it is lost */
    bool (*worth)(struct ms *ms, int32_t *value);
};

static inline uint32_t ms_dice(struct ms *ms, uint32_t sides)
{
    ms->state = ms->state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(ms->state >> 33) % sides;
}

static inline void ms_say(struct ms *ms, const char *what, int64_t is, int64_t should)
{
    fail_msg("%s, seed %llu, step %u: %s: %lld, and not %lld", ms->name, (unsigned long long)ms->seed, ms->step, what,
             (long long)is, (long long)should);
}

/* ---- the laws ---- */

struct ms_sums {
    int32_t sure;                          /* what the journals say for certain has changed the card */
    int32_t open[MS_TERMINALS * MS_LINES]; /* and what may have */
    size_t open_count;
};

static inline void ms_add_lines(struct ms *ms, const struct ms_terminal *terminal, struct ms_sums *sums)
{
    const struct scrip_nv nv = scrip_nv_memory((struct scrip_nv_memory *)(uintptr_t)&terminal->memory);
    struct scrip_journal journal;
    struct scrip_journal_line line;
    assert_ok(scrip_journal_open(&journal, &nv));
    for (uint64_t at = 1; at <= journal.last; at++) {
        assert_ok(scrip_journal_get(&journal, at, &line));
        const int32_t change = line.kind == SCRIP_JOURNAL_DEBIT ? -line.amount : line.amount;
        if (line.state == SCRIP_JOURNAL_INTENT) {
            sums->open[sums->open_count++] = change;
        } else if (line.state != SCRIP_JOURNAL_VOID) {
            sums->sure += change;
        }
    }
    ms->lines += (unsigned)journal.last;
}

/* Is `difference` a sum of some of the open lines? */
static inline bool ms_explained(const struct ms_sums *sums, size_t from, int32_t difference)
{
    if (difference == 0) {
        return true;
    }
    return from < sums->open_count &&
           (ms_explained(sums, from + 1, difference - sums->open[from]) || ms_explained(sums, from + 1, difference));
}

static inline void ms_check(struct ms *ms)
{
    struct ms_sums sums = {0};
    int32_t value = 0;
    if (!ms->worth(ms, &value)) {
        ms_say(ms, "the card is lost", 0, 1);
    }
    ms->lines = 0;
    for (size_t i = 0; i < MS_TERMINALS; i++) {
        ms_add_lines(ms, &ms->terminals[i], &sums);
    }
    ms->open = (unsigned)sums.open_count;
    if (!ms->may_lose && !ms_explained(&sums, 0, value - ms->begins - sums.sure)) {
        ms_say(ms, "card and journals disagree", value, ms->begins + sums.sure);
    }
    if ((int64_t)value + ms->goods > (int64_t)ms->begins + ms->paid) {
        ms_say(ms, "value was made", (int64_t)value + ms->goods, (int64_t)ms->begins + ms->paid);
    }
}

/* ---- steps ---- */

/* Something new is wanted at a terminal where nothing waits. */
static inline bool ms_want(struct ms *ms, struct ms_terminal *terminal)
{
    if (terminal->wanted != 0) {
        return true;
    }
    terminal->wanted = ms->amounts < ms->most ? 1 << (ms->same ? 0 : 2 * ms->amounts) : 0;
    ms->amounts += terminal->wanted != 0 ? 1 : 0;
    terminal->attempts = 0;
    terminal->is_credit = ms->same ? terminal == &ms->terminals[1] : ms->credits && ms_dice(ms, 3) == 0;
    terminal->reference = terminal->is_credit ? ms->amounts : 0;
    ms->paid += terminal->is_credit ? terminal->wanted : 0;
    return terminal->wanted != 0;
}

static inline void ms_spend(struct ms *ms, struct ms_terminal *terminal, bool *struck)
{
    struct scrip_purse_result result;
    *struck = ms->visit(ms, terminal->is_credit ? SCRIP_PURSE_CREDIT : SCRIP_PURSE_DEBIT, terminal->wanted,
                        terminal->reference, &result);
    if (result.outcome == SCRIP_OUTCOME_ACCEPTED) {
        ms->goods += terminal->is_credit ? 0 : terminal->wanted;
        terminal->wanted = 0;
    } else if (result.outcome == SCRIP_OUTCOME_DECLINED || ++terminal->attempts == MS_ATTEMPTS || ms_dice(ms, 8) == 0) {
        terminal->wanted = 0; /* the customer gives up: the card may have it or not */
    }
}

static inline void ms_step(struct ms *ms)
{
    static const enum scrip_purse_operation others[] = {SCRIP_PURSE_RECOVER, SCRIP_PURSE_BALANCE};
    struct ms_terminal *terminal = &ms->terminals[ms_dice(ms, MS_TERMINALS)];
    const enum ms_fault fault = (enum ms_fault)ms_dice(ms, MS_FAULTS);
    struct scrip_purse_result ignored;
    bool struck = false;
    ms->seat(ms, &terminal->memory);
    ms->plan(ms, fault,
             1 + ms_dice(ms, fault == MS_CARD || fault == MS_JOURNAL ? 4
                             : fault < MS_FRAME                      ? 9
                                                                     : 20),
             ms_dice(ms, 1U << 16));
    if (ms_dice(ms, 8) == 0 || !ms_want(ms, terminal)) {
        struck = ms->visit(ms, others[ms_dice(ms, 2)], 0, 0, &ignored);
    } else {
        ms_spend(ms, terminal, &struck);
    }
    ms->visits++;
    ms->struck += struck ? 1 : 0;
    ms_check(ms);
}

/** A new card and two new terminals were put in place. */
static inline void ms_episode(struct ms *ms, uint64_t seed)
{
    static const uint8_t terminal[4] = {'T', 'E', 'S', 'T'};
    ms->seed = seed;
    ms->state = seed;
    ms->amounts = 0;
    ms->paid = ms->goods = 0;
    for (size_t i = 0; i < MS_TERMINALS; i++) {
        ms->terminals[i] = (struct ms_terminal){0};
        assert_ok(scrip_nv_memory_init(&ms->terminals[i].memory, SCRIP_JOURNAL_PAGES(MS_LINES)));
        const struct scrip_nv nv = scrip_nv_memory(&ms->terminals[i].memory);
        assert_ok(scrip_journal_format(&nv, terminal));
    }
    for (ms->step = 1; ms->step <= MS_STEPS; ms->step++) {
        ms_step(ms);
    }
    for (size_t i = 0; i < MS_TERMINALS; i++) {
        scrip_nv_memory_free(&ms->terminals[i].memory);
    }
}

/** How many episodes: the first argument, or `few`; from which seed: the second, or 1. */
static inline unsigned long ms_argument(int argc, char **argv, int i, unsigned long otherwise)
{
    return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

#endif
