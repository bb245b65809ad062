/* exactly_once: card, phone, server, terminal and ledger in one process, with every fault, every two faults and some
 * threes, at every point they pass. After each case the card and the book must agree to the unit.
 *
 *   exactly_once                 all single faults; a sample of pairs and triples
 *   exactly_once --all           all pairs of points of the procedures and their recovery as well, longer samples
 *   exactly_once --all --part 1/2   half of those pairs; the other half may run beside it (samples are in part 1 only)
 *   exactly_once --case "TEXT"   one case, as it is printed when it goes wrong
 *   exactly_once --seed N --procedure NAME */
#include "enumerate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MAX 20U

/* Part `part` (from 0) of `parts`. */
struct share {
    unsigned part, parts;
};

static bool share_read(struct share *share, const char *text)
{
    const bool ok =
        sscanf(text, "%u/%u", &share->part, &share->parts) == 2 && share->part >= 1 && share->part <= share->parts;
    share->part--;
    return ok;
}

static bool show(void *ctx, const struct violation *violation)
{
    unsigned *shown = ctx;
    printf("VIOLATION  --case \"%s\"\n  %s\n", violation->text, violation->why);
    return ++*shown < SHOWN_MAX;
}

static int run_one(struct enumeration *enumeration, const char *text)
{
    struct one_case one;
    struct violation violation;
    if (!case_read(&one, text)) {
        (void)fprintf(stderr, "not a case: %s\n", text);
        return 2;
    }
    enumeration_follow(enumeration);
    if (!enumeration_case(enumeration, &one, &violation)) {
        printf("VIOLATION  %s\n", violation.why);
        return 1;
    }
    for (unsigned i = 0; i < one.plan.count; i++) {
        const enum fault fault = (enum fault)one.plan.planned[i].fault;
        printf("at point %u: %s\n", one.plan.planned[i].at, fault_text(fault));
    }
    printf("%u of %u faults happened, %u points passed: all is right\n", one.plan.fired, one.plan.count,
           one.plan.points);
    return 0;
}

static void tell(size_t done, size_t of, uint64_t pairs)
{
    if (done % 64 == 0 || done == of) {
        (void)fprintf(stderr, "\rfirst faults %zu of %zu, %" PRIu64 " pairs", done, of, pairs);
    }
}

static int run_many(struct enumeration *enumeration, bool all, struct share share, uint64_t seed)
{
    unsigned shown = 0;
    struct enumeration_counts counts;
    const uint64_t sample = share.part == 0 ? 100000 : 0;
    const struct enumeration_limits limits = {all, share.part,          share.parts,
                                              all, all ? sample : 3000, all ? sample : 700};
    if (all && isatty(STDERR_FILENO)) {
        enumeration_watch(enumeration, tell);
    }
    (void)enumeration_run(enumeration, &limits, show, &shown, &counts);
    const uint64_t cases = counts.singles + counts.pairs + counts.triples;
    printf("exactly once: %" PRIu64 " points, %" PRIu64 " cases (%" PRIu64 " single faults, %" PRIu64
           " %spairs, %" PRIu64 " triples) in %.1f s, %.0f a second, seed %" PRIu64 ": %" PRIu64 " violations\n",
           counts.points, cases, counts.singles, counts.pairs, all ? "" : "sampled ", counts.triples, counts.seconds,
           (double)cases / counts.seconds, seed, counts.violations);
    return counts.violations == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool all = false;
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a long run tells what it finds at once */
    const char *text = NULL;
    const char *only = NULL;
    uint64_t seed = 20260101;
    struct share share = {0, 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0) {
            all = true;
        } else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc) {
            text = argv[++i];
        } else if (strcmp(argv[i], "--procedure") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else if (strcmp(argv[i], "--part") == 0 && i + 1 < argc && share_read(&share, argv[i + 1])) {
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 0);
        } else {
            (void)fprintf(stderr, "exactly_once [--all [--part I/N]] [--seed N] [--procedure NAME] [--case TEXT]\n");
            return 2;
        }
    }
    struct enumeration *enumeration = enumeration_new(seed, only);
    if (enumeration == NULL) {
        return 1;
    }
    const int result = text != NULL ? run_one(enumeration, text) : run_many(enumeration, all, share, seed);
    enumeration_free(enumeration);
    return result;
}
