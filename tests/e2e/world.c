/* Making and ending worlds; two instances of the server on one database that may stop at any commit. */
#include "world.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EPOCH_MS 1780000000000ULL /* some day in 2026 */

static uint64_t now_ms(void *ctx)
{
    const struct world *world = ctx;
    return world->now_ms;
}

/* splitmix64: repeatable, and different for every seed */
static enum scrip_status fill(void *ctx, uint8_t *dst, size_t len)
{
    struct world *world = ctx;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0) {
            world->random += 0x9E3779B97F4A7C15ULL;
        }
        uint64_t z = world->random;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        z ^= z >> 31;
        dst[i] = (uint8_t)(z >> (i % 8 * 8));
    }
    return SCRIP_OK;
}

void world_fail(struct world *world, const char *format, ...)
{
    if (world->broken) {
        return;
    }
    world->broken = true;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(world->why, sizeof world->why, format, args);
    va_end(args);
}

void world_note(const struct world *world, const char *format, ...)
{
    if (!world->followed) {
        return;
    }
    printf("%5u  ", world->plan->points);
    va_list args;
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    printf("\n");
}

static bool at_commit(void *ctx, bool after)
{
    struct world *world = ctx;
    if (!after) {
        world->stopping = plan_pass(world->plan, POINT_COMMIT);
    }
    const bool stop = after ? world->stopping == FAULT_stop_after : world->stopping == FAULT_stop_before;
    world->stopped = world->stopped || stop;
    return !stop;
}

static void open_servers(struct world *world)
{
    const struct scrip_ledger_config ledger = {
        .path = world->path, .clock = world->clock, .commit_hook = at_commit, .commit_ctx = world};
    enum scrip_status status = scrip_ledger_open(&ledger, &world->ledger);
    if (status != SCRIP_OK) {
        world_fail(world, "the ledger does not open: %s", scrip_status_name(status));
        return;
    }
    const struct scrip_server_config config = {.ledger = world->ledger,
                                               .keys = world->scene->keys,
                                               .clock = world->clock,
                                               .random = world->source,
                                               .operator_key = "operator-key-of-the-tests",
                                               .server_id = {'S', 'R', 'V', '1'},
                                               .currency = "EUR",
                                               .currency_exponent = 2};
    for (unsigned i = 0; i < 2; i++) {
        status = scrip_server_new(&config, &world->server[i]);
        if (status != SCRIP_OK) {
            world_fail(world, "the server does not start: %s", scrip_status_name(status));
        }
    }
}

static void close_servers(struct world *world)
{
    for (unsigned i = 0; i < 2; i++) {
        scrip_server_free(world->server[i]);
        world->server[i] = NULL;
    }
    scrip_ledger_close(world->ledger);
    world->ledger = NULL;
}

void world_restart(struct world *world)
{
    close_servers(world);
    open_servers(world);
}

/* The case's own copy of the scene's database; in memory where the system has such a folder. */
static void copy_database(struct world *world)
{
    char other[160];
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(world->path, sizeof world->path, "%s/scrip-e2e-%ld.db", folder, (long)getpid());
    (void)snprintf(other, sizeof other, "%s-wal", world->path);
    (void)unlink(other);
    (void)snprintf(other, sizeof other, "%s-shm", world->path);
    (void)unlink(other);
    (void)unlink(world->path);
    if (world->scene->database_len == 0) {
        return;
    }
    const int fd = open(world->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 ||
        write(fd, world->scene->database, world->scene->database_len) != (ssize_t)world->scene->database_len) {
        world_fail(world, "%s cannot be written", world->path);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void forget_case(struct world *world)
{
    world->depth = 0;
    world->phones_run = world->held_in = 0;
    world->lose = LOSE_NOTHING;
    world->flushes = 0;
    world->committing = world->restored = world->tampered = false;
    world->speakers = world->speaker = world->session_of = 0;
    world->stray_commit = false;
    world->denied_at = UINT32_MAX;
    world->instance = 0;
    world->held = NULL;
    world->request_count = 0;
    world->order_count = 0;
    world->cancelled = world->claimed = world->expired = world->cheated = world->second = false;
    world->opened = world->unopened = world->wanted = 0;
    world->journal_withheld = world->journal_reversed = false;
    world->meddle = NULL;
    world->broken = false;
    world->why[0] = '\0';
    for (size_t i = 0; i < WORLD_PHONES; i++) {
        world->phones[i].used = false;
    }
}

void world_begin(struct world *world, const struct scene *scene, struct plan *plan, const struct world_options *options,
                 uint64_t seed)
{
    forget_case(world);
    world->scene = scene;
    world->plan = plan;
    world->now_ms = EPOCH_MS;
    world->random = seed;
    world->clock = (struct scrip_clock){world, now_ms};
    world->source = (struct scrip_random){world, fill};
    if (world->response.body == NULL) {
        scrip_response_init(&world->response);
    }
    copy_database(world);
    open_servers(world);
    memory_init(&world->card_memory, world, POINT_NV, scene->card, scene->card_size);
    world_card_begin(world, options);
    world_terminal_begin(world);
}

void world_end(struct world *world)
{
    world_card_off(world);
    world_terminal_end(world);
    close_servers(world);
    (void)unlink(world->path);
}
