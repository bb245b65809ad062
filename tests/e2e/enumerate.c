/* The fault points are counted by running a procedure and noting each point that it passes. A second fault is chosen
 * among the points that the run with the first one passed, so what is done to recover is attacked as well. */
#include "enumerate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void run_topup(struct world *world)
{
    world_order(world, "first", SCRIP_KIND_TOPUP, ORDER_AMOUNT);
    struct phone *phone = world_phone(world, "first");
    if (phone != NULL) {
        world_phone_run(world, phone);
    }
}

static void run_debit(struct world *world)
{
    (void)world_terminal_tap(world, DEBIT_AMOUNT);
    (void)world_terminal_upload(world);
}

/* A phone has the batch and is lost with it; another one brings the same order again. */
static void run_topup_after_lost_batch(struct world *world)
{
    world->lose = LOSE_BATCH;
    run_topup(world);
    run_topup(world);
}

/* The card has the value and nobody was told; another phone brings the same order again. */
static void run_topup_after_lost_report(struct world *world)
{
    world->lose = LOSE_REPORT;
    run_topup(world);
    run_topup(world);
}

const struct procedure procedures[PROCEDURES] = {
    {"ev2", "an12113", false, run_topup},
    {"ev1", "ev1", false, run_topup},
    {"debit", "an12113", false, run_debit},
    {"ev2-batch-lost", "an12113", false, run_topup_after_lost_batch},
    {"ev2-report-lost", "an12113", false, run_topup_after_lost_report},
    {"ev1-batch-lost", "ev1", false, run_topup_after_lost_batch},
    {"ev1-report-lost", "ev1", false, run_topup_after_lost_report},
    {"ev1-first-ever", "ev1", true, run_topup_after_lost_report},
};

struct enumeration {
    uint64_t seed;
    uint64_t lot;
    struct scene *scene[PROCEDURES];
    struct world *world;
    size_t count, cap;
    struct single_run { /* a run with one fault, and the points it passed */
        uint8_t procedure;
        struct world_options options;
        struct planned planned;
        uint16_t points;
        uint16_t essential;
        uint8_t *kind; /* allocated, `points` bytes */
    } * single;
    enumeration_report report;
    enumeration_progress progress;
    void *ctx;
    struct enumeration_counts *counts;
};

#define FIRST_DERIVED 3U /* these procedures begin with a fault: their single faults are pairs of the others */

double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint64_t draw(struct enumeration *e, uint64_t below)
{
    e->lot ^= e->lot << 13;
    e->lot ^= e->lot >> 7;
    e->lot ^= e->lot << 17;
    return below == 0 ? 0 : e->lot % below;
}

/* ---- one case ---- */

void case_write(const struct one_case *one, char *text, size_t cap)
{
    char plan[160];
    plan_write(&one->plan, plan, sizeof plan);
    (void)snprintf(text, cap, "%s keep=%d end=%d seed=%" PRIu64 " %s", one->procedure->name,
                   one->options.keep_pending_on_auth, one->options.end_session_on_0c, one->seed, plan);
}

bool case_read(struct one_case *one, const char *text)
{
    char name[24];
    char plan[160] = "";
    int keep = 0;
    int end = 0;
    memset(one, 0, sizeof *one);
    if (sscanf(text, "%23s keep=%d end=%d seed=%" SCNu64 " %159s", name, &keep, &end, &one->seed, plan) < 4) {
        return false;
    }
    for (size_t i = 0; i < PROCEDURES; i++) {
        if (strcmp(procedures[i].name, name) == 0) {
            one->procedure = &procedures[i];
        }
    }
    one->options = (struct world_options){keep != 0, end != 0};
    return one->procedure != NULL && plan_read(&one->plan, plan);
}

bool enumeration_case(struct enumeration *e, struct one_case *one, struct violation *violation)
{
    struct world *world = e->world;
    one->plan.fired = 0;
    one->plan.points = 0;
    one->plan.closed = false;
    world_begin(world, e->scene[one->procedure - procedures], &one->plan, &one->options, one->seed);
    if (!world->broken) {
        one->procedure->run(world);
        world_settle(world);
        world_check(world);
    }
    const bool right = !world->broken;
    if (!right && violation != NULL) {
        case_write(one, violation->text, sizeof violation->text);
        (void)snprintf(violation->why, sizeof violation->why, "%s", world->why);
    }
    world_end(world);
    return right;
}

void enumeration_watch(struct enumeration *e, enumeration_progress progress)
{
    e->progress = progress;
}

void enumeration_follow(struct enumeration *e)
{
    e->world->followed = true;
}

/* @return false: stop */
static bool run_counted(struct enumeration *e, struct one_case *one, uint64_t *count)
{
    struct violation violation;
    (*count)++;
    if (enumeration_case(e, one, &violation)) {
        return true;
    }
    e->counts->violations++;
    return e->report(e->ctx, &violation);
}

/* ---- singles ---- */

static bool keep_single(struct enumeration *e, const struct one_case *one)
{
    if (e->count == e->cap) {
        e->cap = e->cap == 0 ? 1024 : e->cap * 2;
        void *more = realloc(e->single, e->cap * sizeof *e->single);
        if (more == NULL) {
            return false;
        }
        e->single = more;
    }
    struct single_run *run = &e->single[e->count];
    run->procedure = (uint8_t)(one->procedure - procedures);
    run->options = one->options;
    run->planned = one->plan.planned[0];
    run->points = one->plan.points;
    run->essential = one->plan.essential;
    run->kind = malloc(run->points);
    if (run->kind == NULL) {
        return false;
    }
    memcpy(run->kind, one->plan.kind, run->points);
    e->count++;
    return true;
}

static bool run_singles(struct enumeration *e, const struct procedure *procedure, const struct world_options *options)
{
    struct one_case clean = {.procedure = procedure, .options = *options, .seed = e->seed};
    uint64_t ignored = 0;
    if (!run_counted(e, &clean, &ignored)) {
        return false;
    }
    e->counts->points += clean.plan.points;
    for (uint16_t at = 0; at < clean.plan.points; at++) {
        for (int fault = 1; fault < FAULT_COUNT; fault++) {
            if (fault_point((enum fault)fault) != (enum point)clean.plan.kind[at]) {
                continue;
            }
            struct one_case one = {.procedure = procedure, .options = *options, .seed = e->seed};
            one.plan.count = 1;
            one.plan.planned[0] = (struct planned){at, (uint8_t)fault};
            if (!run_counted(e, &one, &e->counts->singles) || !keep_single(e, &one)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- pairs and triples ---- */

static void with_second(const struct enumeration *e, const struct single_run *single, uint16_t at, enum fault fault,
                        struct one_case *one)
{
    memset(one, 0, sizeof *one);
    one->procedure = &procedures[single->procedure];
    one->options = single->options;
    one->seed = e->seed;
    one->plan.count = 2;
    one->plan.planned[0] = single->planned;
    one->plan.planned[1] = (struct planned){at, (uint8_t)fault};
}

static bool run_pairs_of(struct enumeration *e, const struct single_run *single)
{
    struct one_case one;
    for (uint16_t at = (uint16_t)(single->planned.at + 1); at < single->essential; at++) {
        for (int fault = 1; fault < FAULT_COUNT; fault++) {
            if (fault_point((enum fault)fault) != (enum point)single->kind[at]) {
                continue;
            }
            with_second(e, single, at, (enum fault)fault, &one);
            if (!run_counted(e, &one, &e->counts->pairs)) {
                return false;
            }
        }
    }
    return true;
}

/* All pairs of points of the procedures and of what recovers them, on all four kinds of cards. What customers do
 * afterwards anyway is left to the lot, and so are the procedures that begin with a fault: their faults are pairs of
 * the others already. */
static bool run_every_pair(struct enumeration *e, const struct enumeration_limits *limits)
{
    for (size_t i = limits->part; i < e->count; i += limits->parts) {
        const struct single_run *single = &e->single[i];
        const bool chosen = single->procedure < FIRST_DERIVED && single->planned.at < single->essential;
        if (chosen && !run_pairs_of(e, single)) {
            return false;
        }
        if (e->progress != NULL) {
            e->progress(i + 1, e->count, e->counts->pairs);
        }
    }
    return true;
}

/* A fault that fits a point behind `after`, by lot. @return false: there is none */
static bool draw_fault(struct enumeration *e, const uint8_t *kind, uint16_t points, uint16_t after,
                       struct planned *planned)
{
    if (points <= after + 1) {
        return false;
    }
    const uint16_t at = (uint16_t)(after + 1 + draw(e, (uint64_t)(points - after - 1)));
    enum fault fits[FAULT_COUNT];
    size_t count = 0;
    for (int fault = 1; fault < FAULT_COUNT; fault++) {
        if (fault_point((enum fault)fault) == (enum point)kind[at]) {
            fits[count++] = (enum fault)fault;
        }
    }
    if (count == 0) {
        return false;
    }
    *planned = (struct planned){at, (uint8_t)fits[draw(e, count)]};
    return true;
}

static bool run_some_pairs(struct enumeration *e, uint64_t draws)
{
    for (uint64_t i = 0; e->count > 0 && i < draws; i++) {
        const struct single_run *single = &e->single[draw(e, e->count)];
        struct planned second;
        struct one_case one;
        if (!draw_fault(e, single->kind, single->points, single->planned.at, &second)) {
            continue;
        }
        with_second(e, single, second.at, (enum fault)second.fault, &one);
        if (!run_counted(e, &one, &e->counts->pairs)) {
            return false;
        }
    }
    return true;
}

static bool run_some_triples(struct enumeration *e, uint64_t draws)
{
    for (uint64_t i = 0; e->count > 0 && i < draws; i++) {
        const struct single_run *single = &e->single[draw(e, e->count)];
        struct planned next;
        struct one_case one;
        if (!draw_fault(e, single->kind, single->points, single->planned.at, &next)) {
            continue;
        }
        with_second(e, single, next.at, (enum fault)next.fault, &one);
        if (!run_counted(e, &one, &e->counts->pairs)) {
            return false;
        }
        if (!draw_fault(e, one.plan.kind, one.plan.points, next.at, &next)) {
            continue;
        }
        one.plan.planned[one.plan.count++] = next;
        if (!run_counted(e, &one, &e->counts->triples)) {
            return false;
        }
    }
    return true;
}

/* The four kinds of cards: all of them; in the derived procedures otherwise only the kind that helps a cheat most,
 * which keeps what is pending. */
static bool run_all_singles(struct enumeration *e, bool all_options)
{
    for (size_t i = 0; i < PROCEDURES; i++) {
        for (unsigned bits = 0; bits < 4 && e->scene[i] != NULL; bits++) {
            const struct world_options options = {(bits & 1U) != 0, (bits & 2U) != 0};
            if (!all_options && i >= FIRST_DERIVED && bits != 1) {
                continue;
            }
            if (!run_singles(e, &procedures[i], &options)) {
                return false;
            }
        }
    }
    return true;
}

static void forget_singles(struct enumeration *e)
{
    for (size_t i = 0; i < e->count; i++) {
        free(e->single[i].kind);
    }
    e->count = 0;
}

bool enumeration_run(struct enumeration *e, const struct enumeration_limits *limits, enumeration_report report,
                     void *ctx, struct enumeration_counts *counts)
{
    const double start = seconds_now();
    memset(counts, 0, sizeof *counts);
    e->report = report;
    e->ctx = ctx;
    e->counts = counts;
    e->lot = e->seed | 1U;
    forget_singles(e);
    const bool whole = run_all_singles(e, limits->all_options) && (!limits->every_pair || run_every_pair(e, limits)) &&
                       run_some_pairs(e, limits->pair_draws) && run_some_triples(e, limits->triple_draws);
    counts->seconds = seconds_now() - start;
    return whole;
}

static const struct procedure *procedure_of(const char *name)
{
    const struct procedure *found = &procedures[0];
    for (size_t i = 0; i < PROCEDURES; i++) {
        found = strcmp(procedures[i].name, name) == 0 ? &procedures[i] : found;
    }
    return found;
}

bool enumeration_aimed(struct enumeration *e, const struct enumeration_aim *aim, enumeration_report report, void *ctx,
                       struct enumeration_counts *counts)
{
    const double start = seconds_now();
    struct one_case clean = {
        .procedure = procedure_of(aim->procedure), .options = {aim->keep_pending_on_auth, false}, .seed = e->seed};
    bool going = true;
    memset(counts, 0, sizeof *counts);
    e->report = report;
    e->ctx = ctx;
    e->counts = counts;
    uint64_t ignored = 0;
    going = run_counted(e, &clean, &ignored);
    for (uint16_t at = 0; at < clean.plan.points && going; at++) {
        if (fault_point(aim->first) != (enum point)clean.plan.kind[at]) {
            continue;
        }
        struct one_case one = {.procedure = clean.procedure, .options = clean.options, .seed = e->seed};
        one.plan.count = 1;
        one.plan.planned[0] = (struct planned){at, (uint8_t)aim->first};
        going = run_counted(e, &one, &counts->singles);
        for (uint16_t next = (uint16_t)(at + 1); next < one.plan.points && going; next++) {
            if (fault_point(aim->second) == (enum point)one.plan.kind[next]) {
                struct one_case two = one;
                two.plan.count = 2;
                two.plan.planned[1] = (struct planned){next, (uint8_t)aim->second};
                going = run_counted(e, &two, &counts->pairs);
            }
        }
    }
    counts->seconds = seconds_now() - start;
    return going;
}

struct enumeration *enumeration_new(uint64_t seed, const char *only)
{
    struct enumeration *e = calloc(1, sizeof *e);
    struct world *world = calloc(1, sizeof *world);
    if (e == NULL || world == NULL) {
        free(e);
        free(world);
        return NULL;
    }
    e->seed = seed;
    e->world = world;
    for (size_t i = 0; i < PROCEDURES; i++) {
        char why[WORLD_SUMMARY] = "";
        if (only != NULL && strcmp(procedures[i].name, only) != 0) {
            continue;
        }
        e->scene[i] = scene_make(procedures[i].profile, procedures[i].fresh, why, sizeof why);
        if (e->scene[i] == NULL) {
            (void)fprintf(stderr, "scene %s: %s\n", procedures[i].profile, why);
            enumeration_free(e);
            return NULL;
        }
    }
    return e;
}

void enumeration_free(struct enumeration *e)
{
    if (e == NULL) {
        return;
    }
    forget_singles(e);
    free(e->single);
    for (size_t i = 0; i < PROCEDURES; i++) {
        scene_free(e->scene[i]);
    }
    scrip_response_free(&e->world->response);
    free(e->world);
    free(e);
}
