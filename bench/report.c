/* Rounds, medians, and how figures are printed. */
#include "bench.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double bench_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
}

double bench_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0) {
        return 0;
    }
    const size_t i = (size_t)(q * (double)n);
    return sorted[i < n ? i : n - 1];
}

double bench_typical(double *values, size_t n)
{
    bench_sort(values, n);
    return bench_quantile(values, n, 0.5);
}

double bench_median(const double *values, size_t n)
{
    double sorted[BENCH_ROUNDS_MAX];
    if (n > BENCH_ROUNDS_MAX) {
        n = BENCH_ROUNDS_MAX;
    }
    memcpy(sorted, values, n * sizeof *sorted);
    bench_sort(sorted, n);
    if (n == 0) {
        return 0;
    }
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

void bench_figure_add(struct bench_figure *figure, double ours, double yard)
{
    if (figure->rounds < BENCH_ROUNDS_MAX) {
        figure->ours[figure->rounds] = ours;
        figure->yard[figure->rounds] = yard;
        figure->rounds++;
    }
}

void bench_figure_limit(struct bench_figure *figure, double limit)
{
    if (figure->limits < BENCH_ROUNDS_MAX) {
        figure->limit[figure->limits++] = limit;
    }
}

double bench_figure_ratio(const struct bench_figure *figure)
{
    double ratios[BENCH_ROUNDS_MAX];
    const double divisor = figure->divisor > 0 ? figure->divisor : 1;
    for (size_t i = 0; i < figure->rounds; i++) {
        ratios[i] = figure->yard[i] > 0 ? figure->ours[i] / (figure->yard[i] * divisor) : 0;
    }
    return bench_median(ratios, figure->rounds);
}

static bool meets(const struct bench_figure *figure, double bound)
{
    const double ratio = bench_figure_ratio(figure);
    return figure->more_is_better ? ratio >= bound : ratio <= bound;
}

static bool out_of_reach(const struct bench_figure *figure)
{
    return figure->limits > 0 && figure->more_is_better &&
           bench_median(figure->limit, figure->limits) < figure->demanded;
}

static const char *verdict(const struct bench_figure *figure)
{
    if (figure->not_applicable != NULL) {
        return "n/a";
    }
    if (!meets(figure, figure->demanded)) {
        return out_of_reach(figure) ? "out of reach" : "MISSED";
    }
    return figure->aimed > 0 && !meets(figure, figure->aimed) ? "met" : "aimed";
}

static void print_json(const struct bench_figure *figure)
{
    printf("{\"figure\":\"%s\",\"ratio\":%.4f,\"demanded\":%.3f,\"aimed\":%.3f,\"better\":\"%s\",\"verdict\":\"%s\","
           "\"ours\":%.6g,\"ours_is\":\"%s\",\"yardstick\":%.6g,\"yardstick_is\":\"%s\",\"rounds\":%zu",
           figure->name, bench_figure_ratio(figure), figure->demanded, figure->aimed,
           figure->more_is_better ? "more" : "less", verdict(figure), bench_median(figure->ours, figure->rounds),
           figure->ours_is, bench_median(figure->yard, figure->rounds), figure->yard_is, figure->rounds);
    if (figure->not_applicable != NULL) {
        printf(",\"why\":\"%s\"", figure->not_applicable);
    }
    if (figure->limits > 0) {
        printf(",\"limit\":%.4f,\"limited_by\":\"%s\"", bench_median(figure->limit, figure->limits),
               figure->limited_by);
    }
    printf("}\n");
}

static void print_text(const struct bench_figure *figure)
{
    printf("%-34s %8.3f  %s %.2f", figure->name, bench_figure_ratio(figure),
           figure->more_is_better ? "at least" : "at most ", figure->demanded);
    if (figure->aimed > 0) {
        printf(", aim %.2f", figure->aimed);
    }
    printf("  %s", verdict(figure));
    if (figure->not_applicable != NULL) {
        printf(" (%s)", figure->not_applicable);
    }
    printf("\n    %.6g %s / %.6g %s\n", bench_median(figure->ours, figure->rounds), figure->ours_is,
           bench_median(figure->yard, figure->rounds), figure->yard_is);
    if (figure->limits > 0) {
        const double limit = bench_median(figure->limit, figure->limits);
        printf("    %.0f %% of %.6g, the limit set by %s\n", 100 * bench_figure_ratio(figure) / limit, limit,
               figure->limited_by);
    }
}

size_t bench_report(const struct bench_options *options, const struct bench_figure *const *figures, size_t count)
{
    size_t missed = 0;
    for (size_t i = 0; i < count; i++) {
        if (options->json) {
            print_json(figures[i]);
        } else {
            print_text(figures[i]);
        }
        missed += strcmp(verdict(figures[i]), "MISSED") == 0;
    }
    (void)fflush(stdout);
    return missed;
}

void bench_note(const struct bench_options *options, const char *name, double value, const char *unit)
{
    if (options->json) {
        printf("{\"note\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", name, value, unit);
    } else {
        printf("  %-60s %12.6g %s\n", name, value, unit);
    }
    (void)fflush(stdout);
}

void bench_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "scrip-bench: %s: %s\n", what, why);
    exit(1);
}

void bench_pin(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}
