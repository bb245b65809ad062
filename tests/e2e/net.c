/* Between phone and server: requests that are lost, repeated, delayed; a server that stops at a commit. */
#include "world.h"

#include <stdio.h>
#include <string.h>

/* The server itself must not be what goes wrong: 503 is for a disk that fails, and ours stops as a whole. */
static void check_response(struct world *world)
{
    if (world->response.status == 500 || world->response.status == 503) {
        world_fail(world, "the server says %d: %.*s", world->response.status, (int)world->response.body_len,
                   (const char *)world->response.body);
    }
}

int world_deliver(struct world *world, const struct kept_request *kept)
{
    char bearer[SCRIP_PHONE_TOKEN_MAX + 8U];
    (void)snprintf(bearer, sizeof bearer, "Bearer %s", kept->bearer);
    const struct scrip_request request = {
        .method = "POST",
        .path = kept->uri,
        .authorization = bearer,
        .content_type = SCRIP_RELAY_TYPE_ANSWER,
        .admin_protocol = SCRIP_RELAY_PROTOCOL,
        .admin_from = "//aa-id/app/e2e/1.0",
        .admin_resume = kept->resume ? "true" : NULL,
        .body = scrip_bytes(kept->body, kept->body_len),
    };
    world->stopped = false;
    world->now_ms += 20;
    (void)scrip_server_exchange(world->server[world->instance], &request, &world->response);
    if (world->stopped) {
        world_note(world, "POST %.40s: the server stops", kept->uri);
        world_restart(world);
        /* What does not wait for the commit has left by now. */
        return world->stopping == FAULT_stop_before && world->response.status != 503 ? world->response.status : 0;
    }
    world_note(world, "POST %.40s (%zu bytes): %d %.*s", kept->uri, request.body.len, world->response.status,
               world->response.status >= 400 ? (int)world->response.body_len : 0, (const char *)world->response.body);
    check_response(world);
    return world->response.status;
}

int world_api(struct world *world, const char *method, const char *path, const char *bearer, const char *type,
              struct scrip_bytes body)
{
    char authorization[160];
    (void)snprintf(authorization, sizeof authorization, "Bearer %s", bearer);
    const struct scrip_request request = {
        .method = method, .path = path, .authorization = authorization, .content_type = type, .body = body};
    world->stopped = false;
    (void)scrip_server_exchange(world->server[world->instance], &request, &world->response);
    if (world->stopped) {
        world_restart(world);
        return 0;
    }
    check_response(world);
    return world->response.status;
}

static struct kept_request *keep(struct world *world, const struct phone *phone, const struct scrip_relay_ask *ask)
{
    struct kept_request *kept = &world->requests[world->request_count % WORLD_REQUESTS];
    world->request_count++;
    if (world->held == kept) {
        world->held = NULL; /* the ring has come round */
    }
    kept->resume = ask->resume;
    kept->body_len = (uint16_t)ask->bytes.len;
    (void)snprintf(kept->uri, sizeof kept->uri, "%s", ask->uri);
    (void)snprintf(kept->bearer, sizeof kept->bearer, "%s", phone->token);
    if (ask->bytes.len > sizeof kept->body) {
        world_fail(world, "a request of %zu bytes", ask->bytes.len);
        kept->body_len = 0;
    } else if (ask->bytes.len > 0) {
        memcpy(kept->body, ask->bytes.at, ask->bytes.len);
    }
    return kept;
}

void world_cut_report(struct kept_request *kept)
{
    struct scrip_relay_report report;
    struct scrip_replies replies;
    if (scrip_relay_report_read(scrip_bytes(kept->body, kept->body_len), &report) != SCRIP_OK || !report.answer ||
        report.hello || report.responses == 0 || scrip_relay_report_replies(&report, &replies) != SCRIP_OK) {
        return;
    }
    replies.count--;
    struct scrip_buf body = SCRIP_BUF_OF(kept->body);
    if (scrip_relay_answer_write(&body, &replies) == SCRIP_OK) {
        kept->body_len = (uint16_t)body.len;
    }
}

void world_release_requests(struct world *world, bool past_all)
{
    if (world->held != NULL && (past_all || world->phones_run > world->held_in)) {
        const struct kept_request *held = world->held;
        world->held = NULL;
        (void)world_deliver(world, held);
    }
}

void world_post(struct world *world, struct phone *phone, const struct scrip_relay_ask *ask,
                struct scrip_relay_http *http)
{
    memset(http, 0, sizeof *http);
    struct kept_request *kept = keep(world, phone, ask);
    const enum fault fault = plan_pass(world->plan, POINT_REQUEST);
    if (fault == FAULT_request_lost) {
        return;
    }
    if (fault == FAULT_request_held || fault == FAULT_request_later || fault == FAULT_request_held_gone) {
        world->held = kept;
        phone->gone = fault == FAULT_request_held_gone;
        world->held_in = world->phones_run; /* not to be delivered when this phone is through, but the next */
        if (fault != FAULT_request_later) {
            return;
        }
    }
    if (fault == FAULT_other_instance) {
        world->instance ^= 1U;
    }
    if (fault == FAULT_request_cut) {
        world_cut_report(kept);
    }
    if (world->meddle != NULL) {
        struct scrip_buf body = {kept->body, kept->body_len, sizeof kept->body};
        world->meddle(world, PASSING_REQUEST, &body);
        kept->body_len = (uint16_t)body.len;
    }
    if (fault == FAULT_request_twice) {
        (void)world_deliver(world, kept);
    }
    const int status = world_deliver(world, kept);
    if (status == 0 || plan_pass(world->plan, POINT_RESPONSE) == FAULT_response_lost) {
        return;
    }
    if (world->meddle != NULL) {
        struct scrip_buf body = {world->response.body, world->response.body_len, world->response.body_cap};
        world->meddle(world, PASSING_SCRIPT, &body);
        world->response.body_len = body.len;
    }
    http->code = status;
    http->ours = world->response.protocol != NULL;
    http->next_uri = world->response.next_uri[0] != '\0' ? world->response.next_uri : NULL;
    http->retry_after_ms = world->response.retry_after_s * 1000U;
    http->body = scrip_bytes(world->response.body, world->response.body_len);
}
