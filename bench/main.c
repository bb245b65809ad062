/* scrip-bench: every figure beside its yardstick, in alternating rounds.
 *
 *   scrip-bench [--json] [--rounds N] [--seconds S] [--folder DIR] [--disk-us MICROSECONDS]
 *
 * The server runs on core 0, the load on core 1. DIR is on the disk that is measured; --disk-us makes its barrier take
 * that much longer, to see what a slower disk would show. */
#include "air.h"
#include "classic.h"
#include "crypto.h"
#include "debit.h"
#include "disk.h"
#include "load.h"
#include "nfc.h"
#include "rows.h"
#include "yard.h"

#include <stdlib.h>
#include <string.h>

#define RECORDED      1500U /* top-ups that the SQLite yardstick writes again */
#define FIELD_TOPUPS  20U
#define IDLE          1000U
#define BARRIER_LEAST 100.0 /* us: a faster disk is no disk, and its latency no yardstick */
#define ANSWER_BYTES  330   /* the body of a batch */
#define PLAIN_WAITS   8     /* a relay of single APDUs: the eight commands of the top-up in AN12113 */

#define LIBRARIES     "the HTTP library answering the requests and bare SQLite writing the rows, and nothing else"

enum {
    CARD_CRYPTO,
    DEBIT,
    CLASSIC,
    GROUPED,
    SINGLE_64,
    SINGLE_16,
    TAIL,
    NFC,
    AIR,
    FIGURES = AIR + AIR_PURSES,
};

static struct bench_figure figures[FIGURES] = {
    [CARD_CRYPTO] = {.name = "card crypto of a top-up",
                     .ours_is = "s of the card's cryptography",
                     .yard_is = "s of its AES blocks, chained one by one",
                     .demanded = 2.5},
    [DEBIT] = {.name = "debit, terminal and card",
               .ours_is = "s of a debit in process",
               .yard_is = "s of its cryptography, both sides",
               .demanded = 5},
    [CLASSIC] = {.name = "1K authenticated and read, card",
                 .ours_is = "s of the card for 16 sectors, 64 blocks",
                 .yard_is = "s of its bits of keystream alone",
                 .demanded = 3},
    [GROUPED] = {.name = "top-ups at 64 / bare SQLite, grouped",
                 .ours_is = "top-ups/s over HTTP, 64 in flight",
                 .yard_is = "top-ups/s of the same rows, same mean batch",
                 .limited_by = LIBRARIES,
                 .more_is_better = true,
                 .demanded = 0.30,
                 .aimed = 0.45},
    [SINGLE_64] = {.name = "top-ups at 64 / one commit each",
                   .ours_is = "top-ups/s over HTTP, 64 in flight",
                   .yard_is = "top-ups/s of the same rows, a commit for each transition",
                   .more_is_better = true,
                   .demanded = 2.5},
    [SINGLE_16] = {.name = "top-ups at 16 / one commit each",
                   .ours_is = "top-ups/s over HTTP, 16 in flight",
                   .yard_is = "top-ups/s of the same rows, a commit for each transition",
                   .limited_by = LIBRARIES,
                   .more_is_better = true,
                   .demanded = 7},
    [TAIL] = {.name = "p99 of a durable exchange at 16",
              .ours_is = "us, p99 of requests that make something durable",
              .yard_is = "us, median fdatasync of a preallocated file",
              .demanded = 12,
              .aimed = 8},
    [NFC] = {.name = "1K over the PN532 model / libnfc's sleep",
             .ours_is = "s of nfc-mfclassic reading a whole card, the program's start included",
             .yard_is = "s that libnfc sleeps when it opens the line",
             .demanded = 1.2},
};

/* ---- in process ---- */

static void measure_crypto(const struct bench_options *options, struct fleet *fleet)
{
    const double blocks = (double)crypto_card_topup_blocks();
    bench_pin(1);
    (void)crypto_card_topup_s();
    (void)debit_s(fleet);
    (void)classic_read_s();
    for (size_t i = 0; i < options->rounds; i++) {
        bench_figure_add(&figures[CARD_CRYPTO], crypto_card_topup_s(), blocks * yard_aes_block_s());
        bench_figure_add(&figures[DEBIT], debit_s(fleet), crypto_debit_s());
        bench_figure_add(&figures[CLASSIC], classic_read_s(), classic_keystream_s());
    }
    bench_note(options, "AES blocks of the card in a top-up", blocks, "");
    bench_note(options, "bits of keystream of the card when a 1K is read", (double)classic_keystream_bits(), "");
}

static void measure_field(const struct bench_options *options, struct fleet *fleet)
{
    static const int delays[] = {20, 60, 150, 300};
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    double local = 0;
    unsigned waits = 0;
    unsigned apdus = 0;
    fleet_open(fleet, NULL, &ledger, &server);
    load_field(fleet, server, &local, &waits, &apdus);
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        char name[96];
        const double ours = local * 1000 + waits * (double)delays[i];
        const double plain = local * 1000 + PLAIN_WAITS * (double)delays[i];
        (void)snprintf(name, sizeof name, "card in the field at %d ms network delay (plain relay %.0f ms)", delays[i],
                       plain);
        bench_note(options, name, ours, "ms");
    }
    bench_note(options, "  computed: waits counted, delay not slept, air time not counted; waits", waits, "");
    bench_note(options, "  APDUs in the field", apdus, "");
    scrip_server_free(server);
    scrip_ledger_close(ledger);
}

/* Time of a model: every machine has the same. */
static void measure_air(const struct bench_options *options)
{
    for (size_t i = 0; i < AIR_PURSES; i++) {
        figures[AIR + i] = (struct bench_figure){.name = air_name(i),
                                                 .ours_is = "ms at 106 kbit/s",
                                                 .yard_is = "ms of the frames that it must exchange",
                                                 .demanded = 1.5};
    }
    air_measure(options, &figures[AIR]);
}

static void measure_nfc(const struct bench_options *options)
{
    double opening[BENCH_ROUNDS_MAX];
    struct nfc *nfc = nfc_start(options);
    if (nfc == NULL) {
        figures[NFC].not_applicable = "libnfc's programs are not installed";
        return;
    }
    (void)nfc_read_s(nfc);
    for (size_t i = 0; i < options->rounds; i++) {
        opening[i] = nfc_open_s(nfc);
        bench_figure_add(&figures[NFC], nfc_read_s(nfc), NFC_SLEEP_S);
    }
    bench_note(options, "a libnfc program that opens the reader and closes it", bench_median(opening, options->rounds),
               "s");
    nfc_stop(nfc);
}

/* ---- the server ---- */

static struct rows *record_rows(struct fleet *fleet)
{
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    struct rows *rows = rows_record();
    fleet_open(fleet, NULL, &ledger, &server);
    rows_start(rows);
    load_direct(fleet, server, RECORDED);
    rows_stop(rows);
    scrip_server_free(server);
    scrip_ledger_close(ledger);
    return rows;
}

static double bare(const struct bench_options *options, const struct rows *rows, double batch)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/scrip-bench-bare.db", options->folder);
    bench_pin(0);
    return rows_replay(rows, path, batch, options->seconds) / LOAD_DURABLE;
}

static void note_load(const struct bench_options *options, const char *what, const struct load_result *load)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%s: durable transitions in a commit", what);
    bench_note(options, name, load->batch, "");
    (void)snprintf(name, sizeof name, "%s: requests a second", what);
    bench_note(options, name, load->requests_per_s, "/s");
    (void)snprintf(name, sizeof name, "%s: median of a durable exchange", what);
    bench_note(options, name, load->median_us, "us");
    (void)snprintf(name, sizeof name, "%s: share of its core that the load itself needs", what);
    bench_note(options, name, load->client_share, "");
}

/* Top-ups a second if all of our own work took no time: the rows have to be written, and four requests have to be
 * answered. Beyond it no server on this library and this disk can go. */
static double libraries(const struct bench_options *options, size_t in_flight, double bare_rate)
{
    return 1 / (1 / bare_rate + LOAD_REQUESTS / yard_http_requests_per_s(options, in_flight, ANSWER_BYTES));
}

static void measure_round(const struct bench_options *options, struct fleet *fleet, struct load_server *server,
                          const struct rows *rows, bool last)
{
    const struct bench_options brief = {.seconds = options->seconds / 2, .folder = options->folder};
    const struct load_result wide = load_run(fleet, server, 64, options->seconds);
    const double grouped = bare(options, rows, wide.batch);
    const struct load_result narrow = load_run(fleet, server, 16, options->seconds);
    const double single = bare(options, rows, 1);
    const double barrier = yard_fdatasync_us(options);
    bench_figure_add(&figures[GROUPED], wide.topups_per_s, grouped);
    bench_figure_add(&figures[SINGLE_64], wide.topups_per_s, single);
    bench_figure_add(&figures[SINGLE_16], narrow.topups_per_s, single);
    bench_figure_add(&figures[TAIL], narrow.p99_us, barrier);
    bench_figure_limit(&figures[GROUPED], libraries(&brief, 64, grouped) / grouped);
    bench_figure_limit(&figures[SINGLE_16], libraries(&brief, 16, bare(&brief, rows, narrow.batch)) / single);
    if (last) {
        note_load(options, "64 in flight", &wide);
        note_load(options, "16 in flight", &narrow);
    }
}

static void measure_server(const struct bench_options *options, struct fleet *fleet)
{
    struct load_server server;
    struct rows *rows = record_rows(fleet);
    bench_note(options, "rows that a top-up writes", (double)rows_count(rows) / RECORDED, "");
    bench_note(options, "commits of a top-up, alone", (double)rows_transitions(rows) / RECORDED, "");
    load_server_start(&server, fleet);
    load_skip(RECORDED / fleet->cards + 1);
    const double idle =
        load_idle_connection_bytes(&server, IDLE);            /* while nothing was freed that could be used again */
    (void)load_run(fleet, &server, 64, options->seconds / 2); /* warm */
    for (size_t i = 0; i < options->rounds; i++) {
        measure_round(options, fleet, &server, rows, i + 1 == options->rounds);
    }
    if (bench_median(figures[TAIL].yard, figures[TAIL].rounds) < BARRIER_LEAST) {
        figures[TAIL].not_applicable = "fdatasync takes less than 100 us here";
    }
    const double waiting = load_waiting_order_bytes(fleet, &server, 4 * IDLE);
    bench_note(options, "server memory of a waiting order, SQLite's cache (8 MB at most) included", waiting, "bytes");
    bench_note(options, "server memory of an idle connection (at most 5120)", idle, "bytes");
    load_server_stop(&server);
    rows_free(rows);
}

static bool parse(struct bench_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0) {
            options->json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && more) {
            options->rounds = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0 && more) {
            options->seconds = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--folder") == 0 && more) {
            options->folder = argv[++i];
        } else if (strcmp(argv[i], "--disk-us") == 0 && more) {
            disk_slow_down(strtol(argv[++i], NULL, 10));
        } else {
            return false;
        }
    }
    return options->rounds >= 1 && options->rounds <= BENCH_ROUNDS_MAX && options->seconds > 0;
}

int main(int argc, char **argv)
{
    static struct fleet fleet;
    const struct bench_figure *report[FIGURES];
    struct bench_options options = {.rounds = 5, .seconds = 1, .folder = ".", .seed = 1};
    if (!parse(&options, argc, argv)) {
        (void)fprintf(stderr, "scrip-bench [--json] [--rounds N] [--seconds S] [--folder DIR] [--disk-us N]\n");
        return 2;
    }
    const size_t orders = 200 + (size_t)((double)options.rounds * options.seconds * 1000);
    fleet_make(&fleet, &options, 64, orders);
    measure_field(&options, &fleet);
    measure_server(&options, &fleet);
    measure_crypto(&options, &fleet);
    measure_air(&options);
    measure_nfc(&options);
    fleet_free(&fleet);
    for (size_t i = 0; i < FIGURES; i++) {
        report[i] = &figures[i];
    }
    return bench_report(&options, report, FIGURES) == 0 ? 0 : 1;
}
