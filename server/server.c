#include "server.h"

#include "router.h"
#include "token.h"
#include "totals.h"

#include <scrip/defect.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPIRE_EVERY_MS 30000U

/* ---- life ---- */

bool scrip_server_needs_key(enum scrip_key_role role)
{
    return role == SCRIP_KEY_TOPUP || role == SCRIP_KEY_TMAC || role == SCRIP_KEY_SEAL;
}

static enum scrip_status check_keys(struct scrip_keys *keys)
{
    uint8_t version;
    for (unsigned role = 0; role < SCRIP_KEY_ROLE_COUNT; role++) {
        if (scrip_server_needs_key((enum scrip_key_role)role)) {
            SCRIP_TRY(scrip_keys_newest(keys, (enum scrip_key_role)role, &version));
        }
    }
    return SCRIP_OK;
}

enum scrip_status scrip_server_new(const struct scrip_server_config *config, struct scrip_server **server)
{
    if (config->ledger == NULL || config->keys == NULL || config->clock.now_ms == NULL || sodium_init() < 0) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(check_keys(config->keys));
    struct scrip_server *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SCRIP_E_MEMORY;
    }
    made->config = *config;
    made->config.currency[3] = '\0';
    rate_init(&made->rate, config->rate_per_minute);
    totals_open(made);
    *server = made;
    return SCRIP_OK;
}

void scrip_server_free(struct scrip_server *server)
{
    if (server == NULL) {
        return;
    }
    totals_close(server);
    server_log_release(server, true);
    free(server->lines.at);
    free(server);
}

enum scrip_status scrip_server_phone_token(struct scrip_server *server, const char *order_id,
                                           char out[SCRIP_PHONE_TOKEN_MAX])
{
    return phone_token_make(server->config.keys, order_id, out);
}

static void count_answer(struct context *context)
{
    struct counters *counters = &context->server->counters;
    const int status = context->response->status;
    counters->requests++;
    counters->client_errors += status >= 400 && status < 500;
    counters->server_errors += status >= 500;
    counters->rate_limited += status == 429;
}

/* ---- a request, a tick ---- */

static enum scrip_status answer(struct context *context)
{
    SCRIP_TRY(scrip_ledger_request_begin(context->ledger));
    const enum scrip_status status = route_request(context);
    const bool keep = status == SCRIP_OK && (context->response->status < 400 || context->keep);
    const enum scrip_status ended = scrip_ledger_request_end(context->ledger, keep);
    return status != SCRIP_OK ? status : ended;
}

enum scrip_status scrip_server_handle(struct scrip_server *server, const struct scrip_request *request,
                                      struct scrip_response *response)
{
    struct context context = {
        .server = server,
        .ledger = server->config.ledger,
        .keys = server->config.keys,
        .request = request,
        .response = response,
        .now_ms = server->config.clock.now_ms(server->config.clock.ctx),
        .problem = SCRIP_PROBLEM_COUNT,
    };
    response_clear(response);
    const enum scrip_status status = answer(&context);
    if (status != SCRIP_OK) {
        context.problem = SCRIP_PROBLEM_UNAVAILABLE;
        scrip_response_unavailable(response);
    }
    count_answer(&context);
    server_log_request(&context);
    return status;
}

static bool expiry_is_due(const struct scrip_server *server)
{
    const uint64_t now = server->config.clock.now_ms(server->config.clock.ctx);
    return server->expired_ms == 0 || now >= server->expired_ms + EXPIRE_EVERY_MS;
}

static enum scrip_status expire_orders(struct scrip_server *server)
{
    if (!expiry_is_due(server)) {
        return SCRIP_OK;
    }
    server->expired_ms = server->config.clock.now_ms(server->config.clock.ctx);
    return scrip_ledger_expire(server->config.ledger, NULL);
}

int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum scrip_status commit(struct scrip_server *server)
{
    const int64_t start = monotonic_us();
    const enum scrip_status status = scrip_ledger_commit(server->config.ledger);
    server->counters.commit_us += (uint64_t)(monotonic_us() - start);
    return status;
}

/* The disk may have been full, and the log what fills it: under load nobody is ever idle, and what room comes back the
 * log would take, too. So first it is moved into the file, if that can be done now. */
static void make_room(struct scrip_server *server)
{
    if (server->lost) {
        server->lost = false;
        (void)scrip_ledger_idle(server->config.ledger);
    }
}

static enum scrip_status open_tick(struct scrip_server *server)
{
    make_room(server);
    SCRIP_TRY(scrip_ledger_begin(server->config.ledger));
    server_log_hold(server);
    return expire_orders(server);
}

enum scrip_status scrip_server_begin(struct scrip_server *server)
{
    server->before = server->counters;
    const enum scrip_status status = open_tick(server);
    return status == SCRIP_OK || status == SCRIP_E_STATE ? status : scrip_server_end(server, status);
}

/* None of its requests has happened: whoever was in it asks again. */
static void uncount(struct scrip_server *server)
{
    const struct counters lost = server->counters;
    server->counters = server->before;
    server->counters.ticks = lost.ticks;
    server->counters.commits_failed = lost.commits_failed + 1;
    server->counters.commit_us = lost.commit_us;
}

static enum scrip_status give_up(struct scrip_server *server, enum scrip_status status)
{
    server_log_release(server, true);
    server_log(server, "tick failed",
               json_pack("{ss ss sI}", "status", scrip_status_name(status), "message",
                         scrip_ledger_message(server->config.ledger), "requests",
                         (json_int_t)(server->counters.requests - server->before.requests)));
    uncount(server);
    scrip_ledger_rollback(server->config.ledger);
    server->lost = true;
    return SCRIP_DEFECT(issue_before_durable) ? SCRIP_OK
                                              : SCRIP_E_STORE; /* the answers leave as if they stood on rows */
}

void server_unavailable(struct scrip_server *server, struct scrip_response *response)
{
    scrip_response_unavailable(response);
    server->counters.requests++;
    server->counters.server_errors++;
}

enum scrip_status scrip_server_end(struct scrip_server *server, enum scrip_status status)
{
    server->counters.ticks++;
    const enum scrip_status ended = status == SCRIP_OK ? commit(server) : status;
    if (ended != SCRIP_OK) {
        return give_up(server, ended);
    }
    server_log_release(server, false);
    return SCRIP_OK;
}

enum scrip_status scrip_server_tick(struct scrip_server *server, const struct scrip_exchange *exchanges, size_t count)
{
    enum scrip_status status = scrip_server_begin(server);
    if (status == SCRIP_OK) {
        for (size_t i = 0; i < count && status == SCRIP_OK; i++) {
            status = scrip_server_handle(server, exchanges[i].request, exchanges[i].response);
        }
        status = scrip_server_end(server, status);
    }
    for (size_t i = 0; i < count && status != SCRIP_OK; i++) {
        server_unavailable(server, exchanges[i].response);
    }
    return status == SCRIP_OK ? SCRIP_OK : SCRIP_E_STORE;
}

enum scrip_status scrip_server_idle(struct scrip_server *server)
{
    if (expiry_is_due(server)) {
        SCRIP_TRY(scrip_server_tick(server, NULL, 0));
    }
    const uint64_t changes = scrip_ledger_changes(server->config.ledger);
    if (changes == server->tidy_changes) {
        return SCRIP_OK;
    }
    server->tidy_changes = changes;
    return scrip_ledger_idle(server->config.ledger);
}

enum scrip_status scrip_server_exchange(struct scrip_server *server, const struct scrip_request *request,
                                        struct scrip_response *response)
{
    const struct scrip_exchange one = {request, response};
    return scrip_server_tick(server, &one, 1);
}
