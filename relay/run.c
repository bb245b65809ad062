/* The phone on a machine with libcurl: carries out what the heart wants, one wish after the other. */
#include "net.h"
#include <errno.h>
#include <fcntl.h>
#include <scrip/link.h>
#include <scrip/relay.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOM SCRIP_RELAY_STATE_MAX /* for a response of the card, or a saved state */

struct runner {
    const struct scrip_relay_run *run;
    struct scrip_relay *relay;
    struct relay_net *net;
    uint8_t *room; /* ROOM bytes */
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static enum scrip_status write_all(int fd, struct scrip_bytes bytes)
{
    while (bytes.len != 0) {
        const ssize_t done = write(fd, bytes.at, bytes.len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return SCRIP_E_IO;
        }
        bytes = scrip_bytes_from(bytes, (size_t)done);
    }
    return SCRIP_OK;
}

/* The directory entry must survive too, or a rename may be undone by a power loss. */
static enum scrip_status sync_directory_of(const char *path)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    const size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (len >= sizeof dir) {
        return SCRIP_E_IO;
    }
    memcpy(dir, path, len);
    memcpy(dir + len, len == 0 ? "." : "", len == 0 ? 2 : 1);
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return SCRIP_E_IO;
    }
    const bool synced = fsync(fd) == 0;
    close(fd);
    return synced ? SCRIP_OK : SCRIP_E_IO;
}

/* Replace a file so that after a crash it is the old or the new one. Only its owner may read it. */
static enum scrip_status file_replace(const char *path, struct scrip_bytes bytes)
{
    char draft[4096];
    const int printed = snprintf(draft, sizeof draft, "%s.new", path);
    if (printed < 0 || (size_t)printed >= sizeof draft) {
        return SCRIP_E_IO;
    }
    const int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return SCRIP_E_IO;
    }
    const bool written = write_all(fd, bytes) == SCRIP_OK && fsync(fd) == 0;
    if (close(fd) != 0 || !written || rename(draft, path) != 0) {
        (void)unlink(draft);
        return SCRIP_E_IO;
    }
    return sync_directory_of(path);
}

/* A whole file, at most `cap` bytes; an absent one is SCRIP_E_NOT_FOUND. */
static enum scrip_status file_read(const char *path, uint8_t *at, size_t cap, size_t *len)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? SCRIP_E_NOT_FOUND : SCRIP_E_IO;
    }
    size_t got = 0;
    ssize_t part = 0;
    do {
        part = read(fd, at + got, cap - got);
        got += part > 0 ? (size_t)part : 0;
    } while (part > 0 || (part < 0 && errno == EINTR));
    close(fd);
    if (part < 0) {
        return SCRIP_E_IO;
    }
    *len = got;
    return SCRIP_OK;
}

/* ---- Wishes ------------------------------------------------------------------------------------------------------ */

static void rest(uint32_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
    (void)nanosleep(&left, NULL); /* woken early by a signal: asking again too soon does no harm */
}

static void post(struct runner *runner, const struct scrip_relay_ask *ask)
{
    struct scrip_relay_http http;
    relay_net_post(runner->net, ask->uri, ask->bytes, ask->resume, &http);
    scrip_relay_responded(runner->relay, now_ms(), &http);
}

static void card(struct runner *runner, const struct scrip_relay_ask *ask)
{
    struct scrip_link *link = runner->run->link;
    struct scrip_card_info info = {0};
    const uint32_t timeout_ms = ask->want == SCRIP_RELAY_WANT_CARD ? ask->ms : 0;
    if (scrip_link_connect(link, timeout_ms, &info) == SCRIP_OK) {
        scrip_relay_card_came(runner->relay, now_ms(), &info);
    } else {
        scrip_relay_card_gone(runner->relay, now_ms(), link->error[0] != '\0' ? link->error : "no card came");
    }
}

static void command(struct runner *runner, const struct scrip_relay_ask *ask)
{
    struct scrip_link *link = runner->run->link;
    struct scrip_buf rapdu = scrip_buf(runner->room, ROOM);
    const enum scrip_status status = scrip_link_transmit(link, ask->bytes, &rapdu);
    const char *why = link->error[0] != '\0' ? link->error : "card lost";
    if (status == SCRIP_OK) {
        scrip_relay_card_answered(runner->relay, now_ms(), scrip_buf_bytes(&rapdu));
    } else if (status == SCRIP_E_NO_CARD) {
        scrip_relay_card_gone(runner->relay, now_ms(), why);
    } else { /* anything else may have reached the card */
        scrip_relay_card_silent(runner->relay, now_ms(), why);
    }
}

static enum scrip_status save(struct runner *runner, const struct scrip_relay_ask *ask)
{
    if (runner->run->state_file != NULL) {
        SCRIP_TRY(file_replace(runner->run->state_file, ask->bytes));
    }
    scrip_relay_saved(runner->relay, now_ms());
    return SCRIP_OK;
}

static enum scrip_status fulfil(struct runner *runner, const struct scrip_relay_ask *ask)
{
    switch (ask->want) {
    case SCRIP_RELAY_WANT_SAVE:
        return save(runner, ask);
    case SCRIP_RELAY_WANT_POST:
        post(runner, ask);
        break;
    case SCRIP_RELAY_WANT_SLEEP:
        rest(ask->ms);
        scrip_relay_slept(runner->relay, now_ms());
        break;
    case SCRIP_RELAY_WANT_CARD:
    case SCRIP_RELAY_WANT_RESET:
        card(runner, ask);
        break;
    case SCRIP_RELAY_WANT_COMMAND:
        command(runner, ask);
        break;
    case SCRIP_RELAY_WANT_SHOW:
        scrip_relay_shown(runner->relay, now_ms());
        break;
    case SCRIP_RELAY_WANT_DONE:
        break;
    }
    return SCRIP_OK;
}

/* ---- From beginning to end ----------------------------------------------------------------------------------------
 */

/* A remembered preamble helps; a damaged or foreign one is as good as none. */
static struct scrip_bytes preamble_recall(const struct scrip_relay_run *run, uint8_t at[SCRIP_RELAY_PREAMBLE_MAX])
{
    struct scrip_relay_script script;
    size_t len = 0;
    if (run->preamble_file == NULL || file_read(run->preamble_file, at, SCRIP_RELAY_PREAMBLE_MAX, &len) != SCRIP_OK ||
        scrip_relay_script_open(&script, scrip_bytes(at, len), NULL) != SCRIP_RELAY_FINE || script.items == 0) {
        len = 0;
    }
    return scrip_bytes(at, len);
}

static enum scrip_status begin(struct runner *runner)
{
    const struct scrip_relay_run *run = runner->run;
    uint8_t preamble[SCRIP_RELAY_PREAMBLE_MAX];
    struct scrip_relay_config config = run->config;
    if (config.preamble.len == 0) {
        config.preamble = preamble_recall(run, preamble);
    }
    size_t len = 0;
    if (run->state_file != NULL && file_read(run->state_file, runner->room, ROOM, &len) == SCRIP_OK) {
        const enum scrip_status restored =
            scrip_relay_restore(runner->relay, &config, scrip_bytes(runner->room, len), now_ms());
        if (restored != SCRIP_E_CORRUPT) {
            return restored; /* of another order: SCRIP_E_CONFLICT, it must be delivered first */
        }
    }
    return scrip_relay_start(runner->relay, &config, now_ms());
}

/* Is everything told that was to be told? */
static bool is_delivered(const struct scrip_relay *relay)
{
    const int code = scrip_relay_http_code(relay);
    switch (scrip_relay_outcome(relay)) {
    case SCRIP_RELAY_FINISHED:
    case SCRIP_RELAY_INCOMPLETE:
        return true;
    case SCRIP_RELAY_REFUSED:
        return code != 401 && code != 403; /* with the right token it may still be told */
    default:
        return false;
    }
}

static void end(struct runner *runner)
{
    const struct scrip_relay_run *run = runner->run;
    const struct scrip_bytes preamble = scrip_relay_preamble(runner->relay);
    if (run->state_file != NULL && is_delivered(runner->relay)) {
        (void)unlink(run->state_file);
    }
    if (run->preamble_file != NULL && preamble.len != 0) {
        (void)file_replace(run->preamble_file, preamble); /* a cache: without it the next tap fetches */
    }
    scrip_link_disconnect(run->link);
}

static enum scrip_status loop(struct runner *runner)
{
    for (;;) {
        struct scrip_relay_ask ask;
        scrip_relay_next(runner->relay, now_ms(), &ask);
        if (runner->run->progress != NULL) {
            runner->run->progress(runner->run->ctx, runner->relay, &ask);
            scrip_relay_next(runner->relay, now_ms(), &ask); /* it may have cancelled */
        }
        if (ask.want == SCRIP_RELAY_WANT_DONE) {
            return SCRIP_OK;
        }
        SCRIP_TRY(fulfil(runner, &ask));
    }
}

enum scrip_status scrip_relay_run(const struct scrip_relay_run *run, struct scrip_relay *relay)
{
    struct runner runner = {.run = run, .relay = relay};
    if (run->server == NULL || run->link == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    runner.room = malloc(ROOM);
    runner.net = relay_net_open(run);
    enum scrip_status status = runner.room == NULL || runner.net == NULL ? SCRIP_E_MEMORY : begin(&runner);
    if (status == SCRIP_OK) {
        status = loop(&runner);
        end(&runner);
    }
    relay_net_close(runner.net);
    free(runner.room);
    return status;
}
