/* totals.c: counting a book takes time in proportion to it. A small one is counted in the tick of the request that
 * asks. For a large one all who are in that tick, with their cards in the field, would wait: a thread counts it, on a
 * connection of its own (a reader of the write-ahead log keeps no writer waiting), and who asks gets what it found
 * last. It is never busy for more than one part in COUNT_SHARE of the time, and asks for the processor last. */
#include "totals.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_IN_TICK_US 10000
#define LARGE_BYTES      16777216 /* of the book's file: not tried in a tick, not even once */
#define COUNT_SHARE      20

struct counting {
    struct scrip_ledger *ledger;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool wanted, stop;
    struct totals found;
    int64_t found_at_us; /* when that was so */
    int64_t tried_at_us; /* when a count was begun last, whatever came of it */
    int64_t took_us;
};

static enum scrip_status count(struct scrip_ledger *ledger, struct totals *totals)
{
    *totals = (struct totals){.known = true};
    SCRIP_TRY(scrip_ledger_count(ledger, &totals->counts));
    return scrip_ledger_balances(ledger, totals->balances);
}

/* ---- the thread ---- */

static bool wait_until_wanted(struct counting *counting)
{
    (void)pthread_mutex_lock(&counting->lock);
    while (!counting->wanted && !counting->stop) {
        (void)pthread_cond_wait(&counting->changed, &counting->lock);
    }
    const bool wanted = !counting->stop;
    (void)pthread_mutex_unlock(&counting->lock);
    return wanted;
}

/* All of it as it was at one moment. */
static enum scrip_status count_snapshot(struct scrip_ledger *ledger, struct totals *totals)
{
    SCRIP_TRY(scrip_ledger_begin_read(ledger));
    const enum scrip_status status = count(ledger, totals);
    scrip_ledger_rollback(ledger);
    return status;
}

/* A book that cannot be counted keeps its old totals: their age tells. */
static void *count_when_wanted(void *arg)
{
    struct counting *counting = arg;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* of this thread alone, on Linux */
    while (wait_until_wanted(counting)) {
        struct totals fresh;
        const int64_t start = monotonic_us();
        const enum scrip_status status = count_snapshot(counting->ledger, &fresh);
        (void)pthread_mutex_lock(&counting->lock);
        counting->took_us = monotonic_us() - start;
        counting->tried_at_us = start;
        if (status == SCRIP_OK) {
            counting->found = fresh;
            counting->found_at_us = start;
        }
        counting->wanted = false;
        (void)pthread_mutex_unlock(&counting->lock);
    }
    return NULL;
}

/* Signals are for the thread that serves. */
static bool start_thread(struct counting *counting)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&counting->thread, NULL, count_when_wanted, counting) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* With what is known already, or to find it out now. */
static struct counting *begin_counting(const struct scrip_server *server, const struct totals *found, int64_t at_us)
{
    const struct scrip_ledger_config config = {
        .path = server->config.ledger_path, .existing = true, .clock = server->config.clock};
    struct counting *counting = calloc(1, sizeof *counting);
    if (counting == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&counting->lock, NULL);
    (void)pthread_cond_init(&counting->changed, NULL);
    counting->found = *found;
    counting->found_at_us = at_us;
    counting->tried_at_us = at_us;
    counting->took_us = monotonic_us() - at_us;
    counting->wanted = !found->known;
    if (scrip_ledger_open(&config, &counting->ledger) == SCRIP_OK && start_thread(counting)) {
        return counting;
    }
    scrip_ledger_close(counting->ledger);
    free(counting);
    return NULL;
}

/* ---- for the server ---- */

static void read_found(struct counting *counting, struct totals *totals)
{
    (void)pthread_mutex_lock(&counting->lock);
    *totals = counting->found;
    const int64_t now = monotonic_us();
    totals->age_us = now - counting->found_at_us;
    if (now - counting->tried_at_us >= COUNT_SHARE * counting->took_us) {
        counting->wanted = true;
        (void)pthread_cond_signal(&counting->changed);
    }
    (void)pthread_mutex_unlock(&counting->lock);
}

/* Only a book in a file can be opened a second time. */
static bool has_file(const struct scrip_server *server, struct stat *file)
{
    const char *path = server->config.ledger_path;
    return path != NULL && stat(path, file) == 0 && S_ISREG(file->st_mode);
}

static bool takes_long(const struct scrip_server *server, int64_t us)
{
    const uint32_t most = server->config.count_in_tick_us;
    struct stat file;
    return us >= (most == 0 ? COUNT_IN_TICK_US : most) && has_file(server, &file);
}

/* Where no thread can be had, it is counted in the tick as before. */
enum scrip_status totals_read(struct scrip_server *server, struct totals *totals)
{
    const int64_t start = monotonic_us();
    if (server->counting != NULL) {
        read_found(server->counting, totals);
        return SCRIP_OK;
    }
    SCRIP_TRY(count(server->config.ledger, totals));
    if (takes_long(server, monotonic_us() - start)) {
        server->counting = begin_counting(server, totals, start);
    }
    return SCRIP_OK;
}

void totals_open(struct scrip_server *server)
{
    struct stat file;
    if (has_file(server, &file) && file.st_size >= LARGE_BYTES) {
        server->counting = begin_counting(server, &(struct totals){.known = false}, monotonic_us());
    }
}

void totals_close(struct scrip_server *server)
{
    struct counting *counting = server->counting;
    if (counting == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&counting->lock);
    counting->stop = true;
    (void)pthread_cond_signal(&counting->changed);
    (void)pthread_mutex_unlock(&counting->lock);
    (void)pthread_join(counting->thread, NULL);
    scrip_ledger_close(counting->ledger);
    free(counting);
    server->counting = NULL;
}
