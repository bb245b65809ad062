/* The network's half of the phone: one request after the other, each until it is answered. */
#include "phone.h"
#include <string.h>

static uint32_t otherwise(uint32_t value, uint32_t preset)
{
    return value != 0 ? value : preset;
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static void request_send(struct scrip_relay *relay)
{
    relay->counts.bytes_up += relay->out.len;
    relay->stage = STAGE_POST;
}

static void request_begin(struct scrip_relay *relay)
{
    if (++relay->steps > SCRIP_RELAY_STEPS_MAX) {
        relay_done(relay, SCRIP_RELAY_BROKEN, "the server does not come to an end");
        return;
    }
    relay->attempts = 0;
    relay->request_ms = relay->now_ms;
    relay->counts.requests++;
    if (relay->sleep_ms != 0) {
        relay->stage = STAGE_SLEEP;
    } else {
        request_send(relay);
    }
}

void relay_deliver(struct scrip_relay *relay)
{
    relay->fetching = false;
    relay_state_write(relay);
    relay->stage = STAGE_SAVE;
}

/* From the order's own URI: the preamble on the card first if it is known, else fetch it. */
static void order_begin(struct scrip_relay *relay)
{
    memcpy(relay->uri, relay->order_uri, sizeof relay->uri);
    relay->hello = relay->present;
    relay->closing = false;
    relay->lost = false;
    relay->restored = false;
    relay->sleep_ms = 0;
    relay->own_script = true;
    relay->done_count = 0; /* the same answers to the same questions may carry the same URIs in a new session */
    if (relay->preamble_len != 0) {
        memcpy(relay->script, relay->preamble, relay->preamble_len);
        relay->script_len = relay->preamble_len;
        relay_script_begin(relay);
        return;
    }
    relay->out = SCRIP_BUF_OF(relay->body);
    relay->fetching = true;
    request_begin(relay);
}

static void order_resume(struct scrip_relay *relay)
{
    relay->resume = true;
    order_begin(relay);
}

/* The server ended the session, or repeated an old step: what is open, it settles from the order. */
static void order_restart(struct scrip_relay *relay, const char *why)
{
    if (++relay->restarts > SCRIP_RELAY_RESTARTS_MAX) {
        relay_done(relay, SCRIP_RELAY_REFUSED, why);
    } else if (relay->cancelled) {
        relay_done(relay, SCRIP_RELAY_INCOMPLETE, relay->why);
    } else {
        order_resume(relay);
    }
}

/* ---- Responses --------------------------------------------------------------------------------------------------- */

/* Some three quarters to five quarters of `ms`: phones that lost the same server do not come back together. */
static uint32_t spread(struct scrip_relay *relay, uint32_t ms)
{
    relay->random = relay->random * 1664525U + 1013904223U;
    return ms - ms / 4 + (uint32_t)(((uint64_t)(relay->random >> 8) * (ms / 2 + 1)) >> 24);
}

static void request_again(struct scrip_relay *relay, uint32_t retry_after_ms)
{
    const uint32_t longest = otherwise(relay->config.backoff_max_ms, 8000);
    uint32_t pause = otherwise(relay->config.backoff_ms, 200);
    for (uint32_t i = 0; i < relay->attempts && pause < longest; i++) {
        pause *= 2;
    }
    pause = spread(relay, pause < longest ? pause : longest);
    pause = pause > retry_after_ms ? pause : retry_after_ms;
    relay->attempts++;
    const uint64_t elapsed = relay->now_ms - relay->request_ms;
    if (elapsed + pause > otherwise(relay->config.give_up_ms, 120000)) {
        relay_done(relay, SCRIP_RELAY_UNREACHED, relay->net_error);
        return;
    }
    relay->sleep_ms = pause;
    relay->stage = STAGE_SLEEP;
}

static bool is_path(const char *uri)
{
    if (uri == NULL || uri[0] != '/' || uri[1] == '/' || strlen(uri) >= SCRIP_RELAY_URI_MAX) {
        return false; /* an absolute URI could lead to another server */
    }
    for (const char *at = uri; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return false;
        }
    }
    return true;
}

static uint64_t digest(const char *uri)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    for (; *uri != '\0'; uri++) {
        hash = (hash ^ (uint8_t)*uri) * 1099511628211ULL;
    }
    return hash;
}

static bool step_is_done(const struct scrip_relay *relay, const char *uri)
{
    const size_t kept = sizeof relay->done / sizeof relay->done[0];
    const uint64_t wanted = digest(uri);
    for (size_t i = 0; i < kept && i < relay->done_count; i++) {
        if (relay->done[i] == wanted) {
            return true;
        }
    }
    return false;
}

static void step_set_done(struct scrip_relay *relay)
{
    relay->done[relay->done_count++ % (sizeof relay->done / sizeof relay->done[0])] = digest(relay->uri);
}

/* The server knows that the card is gone, or that the user stopped. */
static void after_closing(struct scrip_relay *relay)
{
    if (!relay->lost || relay->taps_left == 0 || relay->cancelled) {
        relay_done(relay, SCRIP_RELAY_INCOMPLETE, relay->why[0] != '\0' ? relay->why : "the card was taken away early");
        return;
    }
    relay->taps_left--;
    relay->why[0] = '\0';
    order_resume(relay);
}

static void script_received(struct scrip_relay *relay, struct scrip_bytes body)
{
    if (body.len > sizeof relay->script) {
        relay_done(relay, SCRIP_RELAY_BROKEN, "the server's message is too long");
        return;
    }
    relay->own_script = relay->fetching;
    if (relay->fetching && body.len != 0 && body.len <= sizeof relay->preamble) {
        memcpy(relay->preamble, body.at, body.len);
        relay->preamble_len = body.len;
        relay->preamble_fetched = true;
    }
    if (body.len != 0) {
        memcpy(relay->script, body.at, body.len);
    }
    relay->script_len = body.len;
    relay_script_begin(relay);
}

/* 200 or 204 from one of our servers: the request is answered. */
static void answered(struct scrip_relay *relay, const struct scrip_relay_http *http)
{
    relay->resume = false;
    if (relay->present) {
        relay->waited++;
        relay->waited_ms += relay->now_ms - relay->request_ms;
    }
    if (http->next_uri == NULL) {
        if (http->code != 204) {
            relay_done(relay, SCRIP_RELAY_BROKEN, "the server sent a script and no URI for its answer");
        } else if (relay->closing) {
            after_closing(relay);
        } else {
            relay_done(relay, SCRIP_RELAY_FINISHED, "the server closed the session");
        }
        return;
    }
    if (!is_path(http->next_uri)) {
        relay_done(relay, SCRIP_RELAY_BROKEN, "the server's next URI is not a path on this server");
    } else if (relay->closing) {
        after_closing(relay);
    } else if (relay->restored) {
        order_resume(relay); /* that card session is gone: none of its batches may run */
    } else if (strcmp(http->next_uri, relay->uri) == 0) {
        /* A step that was carried out: its stored answer again. */
        relay_text_set(relay->net_error, sizeof relay->net_error, "the server repeats a step that is done");
        request_again(relay, http->retry_after_ms);
    } else if (strcmp(http->next_uri, relay->order_uri) == 0 || step_is_done(relay, http->next_uri)) {
        order_restart(relay, "the server repeats steps that are done");
    } else {
        step_set_done(relay);
        memcpy(relay->uri, http->next_uri, strlen(http->next_uri) + 1);
        if (http->code == 204) {
            relay->sleep_ms = http->retry_after_ms != 0 ? http->retry_after_ms : 1000;
            relay_answer_nothing(relay);
        } else {
            script_received(relay, http->body);
        }
    }
}

/* What each HTTP status means; all others refuse. */
static void refused(struct scrip_relay *relay, const struct scrip_relay_http *http)
{
    static const struct {
        int code;
        const char *why;
    } texts[] = {
        {400, "the server found our message malformed"},
        {401, "the server does not take this order token"},
        {403, "the server does not take this order token"},
        {404, "the server does not know this order"},
        {406, "the server does not speak this version of the protocol"},
        {409, "the server takes neither this card nor what it answered"},
        {410, "the order is over"},
        {413, "the server found our message too long"},
    };
    const char *why = "the server refused";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].code == http->code) {
            why = texts[i].why;
        }
    }
    if (http->body.len <= sizeof relay->script && http->body.len != 0) {
        memcpy(relay->script, http->body.at, http->body.len);
        relay->refusal_len = http->body.len;
    }
    if (!http->ours && relay->out.len != 0) { /* somebody in between: what is to be told stays to be told */
        relay_done(relay, SCRIP_RELAY_UNREACHED, "what answered is not a top-up server");
        return;
    }
    relay_done(relay, SCRIP_RELAY_REFUSED, why);
}

/* Why a request has to be sent again, for when that does not help either. */
static void net_error_keep(struct scrip_relay *relay, const struct scrip_relay_http *http)
{
    const char *text = http->error;
    if (http->code >= 400) {
        text = "the server is busy or has a failure of its own";
    } else if (http->code != 0) {
        text = "what answered is not a top-up server";
    }
    relay_text_set(relay->net_error, sizeof relay->net_error,
                   text != NULL ? text : "the server was not reached in time");
}

/* No answer, or one that says nothing about our request: the same again. */
static bool is_passing(const struct scrip_relay_http *http)
{
    const int code = http->code;
    if (code < 400) {
        return !http->ours || (code != 200 && code != 204);
    }
    return code >= 500 || code == 408 || code == 425 || code == 429;
}

void scrip_relay_responded(struct scrip_relay *relay, uint64_t now_ms, const struct scrip_relay_http *http)
{
    relay->now_ms = now_ms;
    if (relay->stage != STAGE_POST) {
        return;
    }
    relay->sleep_ms = 0;
    relay->counts.bytes_down += http->body.len;
    if (http->code != 0) {
        relay->http_code = http->code;
    }
    if (is_passing(http)) {
        net_error_keep(relay, http);
        request_again(relay, http->retry_after_ms);
    } else if (http->code == 200 || http->code == 204) {
        answered(relay, http);
    } else if (relay->restored && http->ours && (http->code == 404 || http->code == 410)) {
        order_resume(relay);
    } else if (http->code == 410 && http->ours && !relay->resume) { /* twice in a row: it is the order that is over */
        order_restart(relay, "the server ended the session again and again");
    } else {
        refused(relay, http);
    }
}

/* ---- Beginning, asking, ending ----------------------------------------------------------------------------------- */

static enum scrip_status set_up(struct scrip_relay *relay, const struct scrip_relay_config *config, uint64_t now_ms)
{
    if (!is_path(config->order_uri) || config->preamble.len > SCRIP_RELAY_PREAMBLE_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    struct scrip_relay_script checked;
    if (config->preamble.len != 0 &&
        (scrip_relay_script_open(&checked, config->preamble, NULL) != SCRIP_RELAY_FINE || checked.items == 0)) {
        return SCRIP_E_ARGUMENT;
    }
    memset(relay, 0, sizeof *relay);
    relay->config = *config;
    relay->config.order_uri = NULL;
    relay->config.preamble = scrip_bytes(NULL, 0);
    memcpy(relay->order_uri, config->order_uri, strlen(config->order_uri) + 1);
    if (config->preamble.len != 0) {
        memcpy(relay->preamble, config->preamble.at, config->preamble.len);
    }
    relay->preamble_len = config->preamble.len;
    relay->taps_left = config->taps;
    relay->random = config->seed;
    relay->now_ms = now_ms;
    relay->started_ms = now_ms;
    relay->out = SCRIP_BUF_OF(relay->body);
    return SCRIP_OK;
}

enum scrip_status scrip_relay_start(struct scrip_relay *relay, const struct scrip_relay_config *config, uint64_t now_ms)
{
    SCRIP_TRY(set_up(relay, config, now_ms));
    order_begin(relay);
    return SCRIP_OK;
}

enum scrip_status scrip_relay_restore(struct scrip_relay *relay, const struct scrip_relay_config *config,
                                      struct scrip_bytes saved, uint64_t now_ms)
{
    SCRIP_TRY(set_up(relay, config, now_ms));
    SCRIP_TRY(relay_state_read(relay, saved));
    if (strcmp(relay->order_uri, config->order_uri) != 0) {
        return SCRIP_E_CONFLICT;
    }
    if (!is_path(relay->uri)) {
        return SCRIP_E_CORRUPT;
    }
    struct scrip_relay_report report;
    if (scrip_relay_report_read(scrip_buf_bytes(&relay->out), &report) != SCRIP_OK) {
        return SCRIP_E_CORRUPT;
    }
    relay->closing = report.closed;
    relay->lost = report.closed;
    relay->restored = true;
    relay->resume = strcmp(relay->uri, relay->order_uri) == 0;
    request_begin(relay);
    return SCRIP_OK;
}

static void ask_run(const struct scrip_relay *relay, struct scrip_relay_ask *ask)
{
    if (relay->item.kind == SCRIP_RELAY_NOTICE) {
        ask->want = SCRIP_RELAY_WANT_SHOW;
        ask->text = relay->text;
        ask->number = relay->item.number;
    } else if (relay->item.kind == SCRIP_RELAY_RESET) {
        ask->want = SCRIP_RELAY_WANT_RESET;
    } else {
        ask->want = SCRIP_RELAY_WANT_COMMAND;
        ask->bytes = relay->item.bytes;
        ask->number = relay->item.number;
    }
}

void scrip_relay_next(struct scrip_relay *relay, uint64_t now_ms, struct scrip_relay_ask *ask)
{
    *ask = (struct scrip_relay_ask){.want = SCRIP_RELAY_WANT_DONE};
    relay->now_ms = now_ms;
    switch (relay->stage) {
    case STAGE_SAVE:
        ask->want = SCRIP_RELAY_WANT_SAVE;
        ask->bytes = scrip_bytes(relay->state, relay->state_len);
        break;
    case STAGE_POST:
        ask->want = SCRIP_RELAY_WANT_POST;
        ask->bytes = scrip_buf_bytes(&relay->out);
        ask->uri = relay->uri;
        ask->resume = relay->resume;
        break;
    case STAGE_SLEEP:
        ask->want = SCRIP_RELAY_WANT_SLEEP;
        ask->ms = relay->sleep_ms;
        break;
    case STAGE_CARD:
        ask->want = SCRIP_RELAY_WANT_CARD;
        ask->ms = otherwise(relay->config.card_timeout_ms, 30000);
        break;
    case STAGE_RUN:
        ask_run(relay, ask);
        break;
    default:
        break;
    }
}

void scrip_relay_saved(struct scrip_relay *relay, uint64_t now_ms)
{
    relay->now_ms = now_ms;
    if (relay->stage == STAGE_SAVE) {
        request_begin(relay);
    }
}

void scrip_relay_slept(struct scrip_relay *relay, uint64_t now_ms)
{
    relay->now_ms = now_ms;
    if (relay->stage == STAGE_SLEEP) {
        relay->counts.repeats += relay->attempts != 0;
        request_send(relay);
    }
}

void scrip_relay_cancel(struct scrip_relay *relay, const char *why)
{
    if (relay->stage == STAGE_DONE || relay->cancelled) {
        return;
    }
    relay->cancelled = true;
    relay_text_set(relay->why, sizeof relay->why, why != NULL && why[0] != '\0' ? why : "stopped by the user");
    if (relay->stage == STAGE_CARD) {
        char text[SCRIP_RELAY_TEXT_MAX];
        memcpy(text, relay->why, sizeof text);
        scrip_relay_card_gone(relay, relay->now_ms, text);
    } else if (relay->fetching && (relay->stage == STAGE_POST || relay->stage == STAGE_SLEEP)) {
        relay_done(relay, SCRIP_RELAY_INCOMPLETE, relay->why);
    }
}

void relay_done(struct scrip_relay *relay, enum scrip_relay_outcome outcome, const char *why)
{
    char text[SCRIP_RELAY_TEXT_MAX];
    relay_text_set(text, sizeof text, why); /* `why` may be relay->why */
    memcpy(relay->why, text, sizeof text);
    relay_card_leave(relay);
    relay->outcome = outcome;
    relay->stage = STAGE_DONE;
    relay->counts.total_ms = relay->now_ms - relay->started_ms;
}

enum scrip_relay_outcome scrip_relay_outcome(const struct scrip_relay *relay)
{
    return relay->outcome;
}

int scrip_relay_http_code(const struct scrip_relay *relay)
{
    return relay->http_code;
}

const char *scrip_relay_why(const struct scrip_relay *relay)
{
    return relay->why;
}

const struct scrip_relay_counts *scrip_relay_counts(const struct scrip_relay *relay)
{
    return &relay->counts;
}

struct scrip_bytes scrip_relay_refusal(const struct scrip_relay *relay)
{
    return scrip_bytes(relay->script, relay->refusal_len);
}

struct scrip_bytes scrip_relay_preamble(const struct scrip_relay *relay)
{
    return scrip_bytes(relay->preamble, relay->preamble_fetched ? relay->preamble_len : 0);
}

const char *scrip_relay_outcome_name(enum scrip_relay_outcome outcome)
{
    static const char *const names[] = {"running", "finished", "incomplete", "unreached", "refused", "broken"};
    return (size_t)outcome < sizeof names / sizeof names[0] ? names[outcome] : "?";
}
