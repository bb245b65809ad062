/* log.c: the structured log. A line says what has been answered, so like the answer it waits for the commit of its
 * tick. Those of a tick that was lost are marked: what they say is not known to be on disk, and the client was told
 * 503. */
#include "server.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

static void write_line(const struct scrip_server *server, const char *text)
{
    server->config.log.line(server->config.log.ctx, text);
}

/* @return false: there is no memory for it */
static bool keep_line(struct lines *lines, const char *text)
{
    const size_t len = strlen(text) + 1;
    if (lines->len + len > lines->cap) {
        const size_t cap = 4096 + 2 * (lines->len + len);
        char *grown = realloc(lines->at, cap);
        if (grown == NULL) {
            return false;
        }
        lines->at = grown;
        lines->cap = cap;
    }
    memcpy(lines->at + lines->len, text, len);
    lines->len += len;
    return true;
}

static json_t *line_of(const struct scrip_server *server, const char *event, json_t *members)
{
    json_t *line = json_pack("{sI ss}", "time_ms", (json_int_t)server->config.clock.now_ms(server->config.clock.ctx),
                             "event", event);
    if (members != NULL) {
        (void)json_object_update(line, members);
        json_decref(members);
    }
    return line;
}

void server_log(struct scrip_server *server, const char *event, json_t *members)
{
    if (!server_logs(server)) {
        json_decref(members);
        return;
    }
    json_t *line = line_of(server, event, members);
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    if (text == NULL) {
        return;
    }
    if (!server->lines.held || !keep_line(&server->lines, text)) {
        write_line(server, text);
    }
    free(text);
}

void server_log_hold(struct scrip_server *server)
{
    server->lines.held = true;
}

/* {..} becomes {..,"lost":true}. */
static void write_lost(const struct scrip_server *server, const char *text)
{
    static const char lost[] = ",\"lost\":true}";
    const size_t len = strlen(text) - 1;
    char *marked = malloc(len + sizeof lost);
    if (marked == NULL) {
        write_line(server, text);
        return;
    }
    memcpy(marked, text, len);
    memcpy(marked + len, lost, sizeof lost);
    write_line(server, marked);
    free(marked);
}

void server_log_release(struct scrip_server *server, bool lost)
{
    struct lines *lines = &server->lines;
    for (size_t at = 0; at < lines->len; at += strlen(lines->at + at) + 1) {
        if (lost) {
            write_lost(server, lines->at + at);
        } else {
            write_line(server, lines->at + at);
        }
    }
    lines->len = 0;
    lines->held = false;
}

/* What a client sent need not be text; the rest of the line is worth having all the same. */
static json_t *client_text(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("(no UTF-8)");
}

/* A session's path is its token: only a digest of it is written down. */
void server_log_request(const struct context *context)
{
    static const char session[] = "/ota/s/";
    const struct scrip_request *request = context->request;
    const bool is_session = strncmp(request->path, session, sizeof session - 1) == 0;
    char digest[17];
    if (!server_logs(context->server)) {
        return;
    }
    token_digest(request->path, digest);
    json_t *line = json_pack("{so so si si}", "method", client_text(request->method), "path",
                             client_text(is_session ? session : request->path), "status", context->response->status,
                             "bytes", (int)request->body.len);
    if (request->peer != NULL) {
        (void)json_object_set_new(line, "peer", client_text(request->peer));
    }
    if (is_session) {
        (void)json_object_set_new(line, "token", json_string(digest));
    }
    if (context->problem != SCRIP_PROBLEM_COUNT) {
        (void)json_object_set_new(line, "problem", json_string(problem_name(context->problem)));
    }
    if (context->order_id[0] != '\0') {
        (void)json_object_set_new(line, "order", json_string(context->order_id));
    }
    if (context->note[0] != '\0') {
        (void)json_object_set_new(line, "note", json_string(context->note));
    }
    server_log(context->server, "request", line);
}
