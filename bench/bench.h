/* bench.h: figures that mean something on any machine. Each is a ratio between what we do and a yardstick that was
 * measured in the same run: ours and the yardstick alternate, and the median of the rounds' ratios counts. */
#ifndef SCRIP_BENCH_H
#define SCRIP_BENCH_H

#include <scrip/bytes.h>
#include <stdbool.h>
#include <stdio.h>

#define BENCH_ROUNDS_MAX 15U

/** One figure: filled round by round, judged at the end. */
struct bench_figure {
    const char *name;
    const char *ours_is;        /**< what `ours` measures, with its unit */
    const char *yard_is;        /**< what `yard` measures, with its unit */
    bool more_is_better;        /**< the bounds are least values; otherwise greatest values */
    double demanded, aimed;     /**< bounds on ours / yard; `aimed` 0: none beyond the demand */
    const char *not_applicable; /**< why the ratio says nothing on this machine; NULL: it counts */
    size_t rounds;
    double ours[BENCH_ROUNDS_MAX];
    double yard[BENCH_ROUNDS_MAX];
    double divisor; /**< ratio = ours / (yard * divisor); 0 is taken as 1 */
    /** What would be left of the ratio if our own part took no time, round by round, and what is left then; NULL: no
     *  such limit was measured. A demand beyond the limit cannot be met on this machine. */
    const char *limited_by;
    size_t limits;
    double limit[BENCH_ROUNDS_MAX];
};

/** What all measurements share. */
struct bench_options {
    size_t rounds;      /**< 5, or fewer in a quick look */
    double seconds;     /**< length of one load measurement */
    const char *folder; /**< where databases and files are made: the disk that is measured */
    bool json;
    uint64_t seed;
};

/** Seconds since some fixed moment. */
double bench_now(void);

/** Keep a round's pair. */
void bench_figure_add(struct bench_figure *figure, double ours, double yard);

/** Keep a round's limit of the ratio. */
void bench_figure_limit(struct bench_figure *figure, double limit);

/** Median of `n` numbers; `values` is not changed. */
double bench_median(const double *values, size_t n);

/** The number below which a share `q` (0..1) of `n` sorted numbers lies. */
double bench_quantile(const double *sorted, size_t n, double q);

/** The median of many short measurements, which are sorted: on a busy machine their mean says who else was there. */
double bench_typical(double *values, size_t n);

/** Sort ascending. */
void bench_sort(double *values, size_t n);

/** Median of the ratios of the rounds. */
double bench_figure_ratio(const struct bench_figure *figure);

/** Print figures as a table or as JSON lines. @return how many miss a demand that is within their limit */
size_t bench_report(const struct bench_options *options, const struct bench_figure *const *figures, size_t count);

/** Print one line of a simple table (no yardstick): name, value, unit. */
void bench_note(const struct bench_options *options, const char *name, double value, const char *unit);

/** End the program with a message: a benchmark that cannot run has no figures. */
_Noreturn void bench_die(const char *what, const char *why);

/** Bind the calling thread to a processor core. Harmless where that is not possible. */
void bench_pin(unsigned core);

#endif
