/* enumerate.h: running a procedure with every fault, every two faults, and some threes. */
#ifndef SCRIP_E2E_ENUMERATE_H
#define SCRIP_E2E_ENUMERATE_H

#include "world.h"

/** What is done in a case before everything is settled. */
struct procedure {
    const char *name;
    const char *profile;
    bool fresh; /**< the card's very first top-up */
    void (*run)(struct world *world);
};

#define PROCEDURES 8U
extern const struct procedure procedures[PROCEDURES];

struct one_case {
    const struct procedure *procedure;
    struct world_options options;
    uint64_t seed;
    struct plan plan; /* with the points that were passed, after the run */
};

/** A case that went wrong: how to run it again, and why. */
struct violation {
    char text[256];
    char why[WORLD_SUMMARY];
};

struct enumeration;

/** @param seed of everything that is drawn by lot
 *  @param only  name of the one procedure to run; NULL: all
 *  @return NULL: a scene could not be made (message printed) */
struct enumeration *enumeration_new(uint64_t seed, const char *only);
void enumeration_free(struct enumeration *enumeration);

/** Called for each violation. @return false: stop */
typedef bool (*enumeration_report)(void *ctx, const struct violation *violation);

struct enumeration_limits {
    bool every_pair;       /**< of points of a procedure and its recovery; besides the sample of all others */
    unsigned part, parts;  /**< of those pairs, run this share: 0 of 1 is the whole */
    bool all_options;      /**< single faults with all four kinds of cards in every procedure */
    uint64_t pair_draws;   /**< size of the sample over all procedures: a number, so that a seed names the same cases */
    uint64_t triple_draws; /**< likewise; each draw is a pair and a triple on top of it */
};

/** Two kinds of faults, and where to try all their pairs. */
struct enumeration_aim {
    const char *procedure;
    enum fault first, second;
    bool keep_pending_on_auth;
};

struct enumeration_counts {
    uint64_t points; /**< of the fault-free runs */
    uint64_t singles, pairs, triples;
    uint64_t violations;
    double seconds;
};

/** Run. @return false: stopped by `report` */
bool enumeration_run(struct enumeration *enumeration, const struct enumeration_limits *limits,
                     enumeration_report report, void *ctx, struct enumeration_counts *counts);

/** Run all pairs of two kinds of faults in one procedure. @return false: stopped by `report` */
bool enumeration_aimed(struct enumeration *enumeration, const struct enumeration_aim *aim, enumeration_report report,
                       void *ctx, struct enumeration_counts *counts);

/** Run one case. @return true: all is right */
bool enumeration_case(struct enumeration *enumeration, struct one_case *one, struct violation *violation);

/** Called now and then during the long part: first faults done, first faults in all, pairs so far. */
typedef void (*enumeration_progress)(size_t done, size_t of, uint64_t pairs);
void enumeration_watch(struct enumeration *enumeration, enumeration_progress progress);

/** From now on tell what happens in each case. */
void enumeration_follow(struct enumeration *enumeration);

/** "ev2 keep=1 end=0 seed=5 12=nv_half,30=answer_lost" */
void case_write(const struct one_case *one, char *text, size_t cap);
bool case_read(struct one_case *one, const char *text);

double seconds_now(void);

#endif
