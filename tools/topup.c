/* topup.c: scrip topup: what the phone does. It holds no key and looks into no answer of the card. */
#include "common.h"
#include <errno.h>
#include <scrip/reader.h>
#include <scrip/relay.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct topup {
    struct tool *tool;
    struct scrip_relay *relay;
    json_t *shown;
    char order_uri[300];
    char token[512];
    char state_file[1024];
    bool resumed; /* an earlier run left something to deliver */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- What was typed ---------------------------------------------------------------------------------------------- */

/* The order token: a file's first line, or the environment; never the command line, which everyone can read. */
static int token_read(struct topup *topup)
{
    const char *path = tool_text(topup->tool, "token-file");
    const char *env = getenv("SCRIP_ORDER_TOKEN");
    if (path == NULL) {
        snprintf(topup->token, sizeof topup->token, "%s", env != NULL ? env : "");
    } else {
        FILE *file = fopen(path, "re");
        if (file == NULL || fgets(topup->token, sizeof topup->token, file) == NULL) {
            const enum scrip_status status = SCRIP_E_IO;
            if (file != NULL) {
                fclose(file);
            }
            return tool_fail_status(topup->tool, status, "reading the order token from %s", path);
        }
        fclose(file);
        topup->token[strcspn(topup->token, "\r\n")] = '\0';
    }
    return topup->token[0] != '\0'
               ? TOOL_OK
               : tool_usage(topup->tool, "the order token is needed: --token-file FILE or SCRIP_ORDER_TOKEN");
}

/* Make a directory and those above it, for this user only. */
static bool directories_make(char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            const bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
            *at = '/';
            if (!made) {
                return false;
            }
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Where what could not be delivered waits for the next run: --state, or a file of this order in the user's own place.
 */
static void state_file_choose(struct topup *topup, const char *order)
{
    const char *given = tool_text(topup->tool, "state");
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char dir[700];
    if (given != NULL) {
        snprintf(topup->state_file, sizeof topup->state_file, "%s", given);
        return;
    }
    if (xdg != NULL && xdg[0] == '/') {
        snprintf(dir, sizeof dir, "%.600s/scrip", xdg);
    } else if (home != NULL && home[0] == '/') {
        snprintf(dir, sizeof dir, "%.600s/.local/state/scrip", home);
    } else { /* a place that others can guess and write to is none */
        tool_note(topup->tool,
                  "without HOME, XDG_STATE_HOME or --state: if this program is killed, the next tap has to "
                  "settle");
        return;
    }
    if (directories_make(dir)) {
        snprintf(topup->state_file, sizeof topup->state_file, "%s/topup-%.140s.state", dir, order);
    } else {
        tool_note(topup->tool, "%s cannot be made: if this program is killed, the next tap has to settle", dir);
    }
}

/* ---- While it runs ----------------------------------------------------------------------------------------------- */

static void on_wish(void *ctx, struct scrip_relay *relay, const struct scrip_relay_ask *ask)
{
    struct topup *topup = ctx;
    const struct scrip_relay_counts *counts = scrip_relay_counts(relay);
    if (interrupted) {
        scrip_relay_cancel(relay, "stopped by the user");
    }
    switch (ask->want) {
    case SCRIP_RELAY_WANT_CARD:
        tool_progress(topup->tool, "hold the card to the reader");
        break;
    case SCRIP_RELAY_WANT_POST:
        tool_progress(topup->tool, "asking the server (request %u)", (unsigned)counts->requests);
        break;
    case SCRIP_RELAY_WANT_SLEEP:
        tool_progress(topup->tool, "the server does not answer; trying again in %.1f s", ask->ms / 1000.0);
        break;
    case SCRIP_RELAY_WANT_COMMAND:
        tool_progress(topup->tool, "keep the card there (command %u)", (unsigned)counts->apdus);
        break;
    case SCRIP_RELAY_WANT_SHOW:
        tool_progress(topup->tool, NULL);
        tool_say(topup->tool, "%s", ask->text);
        json_array_append_new(topup->shown, json_string(ask->text));
        break;
    default:
        break;
    }
}

/* ---- What came of it --------------------------------------------------------------------------------------------- */

static void put_counts(struct topup *topup)
{
    const struct scrip_relay_counts *counts = scrip_relay_counts(topup->relay);
    struct tool *tool = topup->tool;
    tool_put(tool, "outcome", json_string(scrip_relay_outcome_name(scrip_relay_outcome(topup->relay))));
    tool_put(tool, "why", json_string(scrip_relay_why(topup->relay)));
    tool_put(tool, "apdus", json_integer(counts->apdus));
    tool_put(tool, "requests", json_integer(counts->requests));
    tool_put(tool, "repeats", json_integer(counts->repeats));
    tool_put(tool, "waits", json_integer(counts->waits));
    tool_put(tool, "taps", json_integer(counts->taps));
    tool_put(tool, "bytes_up", json_integer((json_int_t)counts->bytes_up));
    tool_put(tool, "bytes_down", json_integer((json_int_t)counts->bytes_down));
    tool_put(tool, "times",
             json_pack("{s:I, s:I, s:I, s:I}", "field_ms", (json_int_t)counts->field_ms, "card_ms",
                       (json_int_t)counts->card_ms, "network_ms", (json_int_t)counts->net_ms, "total_ms",
                       (json_int_t)counts->total_ms));
    tool_put(tool, "shown", json_incref(topup->shown));
    tool_say(tool, "%u commands, %u requests (%u repeated), %u waits; %llu bytes up, %llu down; card held %.2f s",
             (unsigned)counts->apdus, (unsigned)counts->requests, (unsigned)counts->repeats, (unsigned)counts->waits,
             (unsigned long long)counts->bytes_up, (unsigned long long)counts->bytes_down,
             (double)counts->field_ms / 1000.0);
}

/* The order as the server sees it now. The order's token opens that too; tool_http takes its key from here. */
static void order_path(struct topup *topup, char path[300])
{
    snprintf(path, 300, "/api/v1/orders/%s", tool_text(topup->tool, "order"));
    setenv("SCRIP_API_KEY", topup->token, 1);
}

static int order_ask(struct topup *topup, json_t **order)
{
    char path[300];
    order_path(topup, path);
    return tool_http(topup->tool, "GET", path, NULL, "asking what came of the order", order);
}

/* What the order's state says about the card. An order that came to nothing has left nothing on it. */
static enum tool_card_state card_by_order(const json_t *order)
{
    static const struct {
        const char *state;
        enum tool_card_state card;
    } rows[] = {
        {"CREATED", TOOL_CARD_UNTOUCHED}, {"FUNDED", TOOL_CARD_UNTOUCHED},   {"CANCELLED", TOOL_CARD_UNTOUCHED},
        {"EXPIRED", TOOL_CARD_UNTOUCHED}, {"REFUNDED", TOOL_CARD_UNTOUCHED}, {"CONFIRMED", TOOL_CARD_CHANGED},
        {"DONE", TOOL_CARD_CHANGED},      {"OWED", TOOL_CARD_CHANGED},       {"WRITTEN_OFF", TOOL_CARD_CHANGED},
    };
    const char *state = json_string_value(json_object_get(order, "state"));
    for (size_t i = 0; state != NULL && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcasecmp(rows[i].state, state) == 0) {
            return rows[i].card;
        }
    }
    return TOOL_CARD_UNKNOWN;
}

/* Only the server knows whether it had sent value. Where it does not say: a card that was not there was not changed,
 * unless an earlier run met it. */
static enum tool_card_state state_of_card(struct topup *topup)
{
    char path[300];
    json_t *order = NULL;
    order_path(topup, path);
    if (tool_http_ask(topup->tool, path, &order) != TOOL_OK) {
        const bool met = topup->resumed || scrip_relay_counts(topup->relay)->taps != 0;
        return met ? TOOL_CARD_UNKNOWN : TOOL_CARD_UNTOUCHED;
    }
    const enum tool_card_state card = card_by_order(order);
    json_decref(order);
    return card;
}

/* In the currency of the server that took the money, whatever this program would show by itself. */
static void say_amount(struct topup *topup, const json_t *amount, const char *format)
{
    char money[SCRIP_MONEY_TEXT_MAX];
    const json_t *minor = json_object_get(amount, "minor");
    const char *text = json_string_value(json_object_get(amount, "text"));
    if (minor != NULL) {
        tool_say(topup->tool, format, text != NULL ? text : tool_money(topup->tool, json_integer_value(minor), money));
    }
}

/* The receipt. */
static int say_order(struct topup *topup, json_t *order)
{
    const char *state = json_string_value(json_object_get(order, "state"));
    const char *text = json_string_value(json_object_get(order, "state_text"));
    const char *kind = json_string_value(json_object_get(order, "kind"));
    const bool final = json_is_true(json_object_get(order, "final"));
    const bool done = state != NULL && strcasecmp(state, "done") == 0;
    tool_put(topup->tool, "order", json_incref(order));
    if (done || (state != NULL && strcasecmp(state, "confirmed") == 0)) {
        say_amount(topup, json_object_get(order, "amount"), "topped up: %s");
        say_amount(topup, json_object_get(json_object_get(order, "result"), "balance"), "on the card: %s");
        say_amount(topup, json_object_get(order, "balance"), "on the card: %s");
        if (done && json_object_get(order, "result") == NULL) {
            tool_say(topup->tool, "done: %s", kind != NULL ? kind : "the order");
        }
        return TOOL_OK;
    }
    return tool_fail(topup->tool,
                     &(struct tool_failure){.status = final ? SCRIP_E_STATE : SCRIP_E_TORN,
                                            .problem = final ? TOOL_PROBLEM_ORDER_STATE : TOOL_PROBLEM_TORN,
                                            .card = final ? card_by_order(order) : TOOL_CARD_UNKNOWN,
                                            .what = "topping the card up",
                                            .detail = text});
}

static int say_finished(struct topup *topup)
{
    json_t *order = NULL;
    const int code = order_ask(topup, &order);
    const int said = code == TOOL_OK ? say_order(topup, order) : code;
    json_decref(order);
    return said;
}

/* The server's own words for a refusal. */
static int say_refused(struct topup *topup)
{
    const struct scrip_bytes body = scrip_relay_refusal(topup->relay);
    json_t *said = body.len != 0 ? json_loadb((const char *)body.at, body.len, 0, NULL) : NULL;
    const struct tool_refusal refusal = {.http = scrip_relay_http_code(topup->relay),
                                         .body = said,
                                         .why = scrip_relay_why(topup->relay),
                                         .card = state_of_card(topup)};
    const int code = tool_fail_server(topup->tool, &refusal, "topping the card up");
    json_decref(said);
    return code;
}

/* The card went early. */
static int say_incomplete(struct topup *topup)
{
    const enum tool_card_state card =
        scrip_relay_counts(topup->relay)->taps != 0 ? state_of_card(topup) : TOOL_CARD_UNTOUCHED;
    const bool sent = card != TOOL_CARD_UNTOUCHED;
    const struct tool_failure failure = {.status = sent ? SCRIP_E_TORN : SCRIP_E_NO_CARD,
                                         .problem = sent ? TOOL_PROBLEM_TORN : TOOL_PROBLEM_NO_CARD,
                                         .card = card,
                                         .what = "topping the card up",
                                         .detail = scrip_relay_why(topup->relay)};
    return tool_fail(topup->tool, &failure);
}

/* 410 of an order: it is over, perhaps because it is done; its state tells more than the refusal, unless its time ran
 * out. */
static int say_refused_or_over(struct topup *topup)
{
    static const char expired[] = "urn:scrip:problem:ORDER_EXPIRED";
    const struct scrip_bytes body = scrip_relay_refusal(topup->relay);
    const bool out_of_time = memmem(body.at, body.len, expired, sizeof expired - 1) != NULL;
    return scrip_relay_http_code(topup->relay) == 410 && !out_of_time ? say_finished(topup) : say_refused(topup);
}

static int say_outcome(struct topup *topup)
{
    const bool tapped = scrip_relay_counts(topup->relay)->taps != 0;
    struct tool_failure failure = {.what = "topping the card up",
                                   .detail = scrip_relay_why(topup->relay),
                                   .card = tapped ? TOOL_CARD_UNKNOWN : TOOL_CARD_UNTOUCHED};
    put_counts(topup);
    switch (scrip_relay_outcome(topup->relay)) {
    case SCRIP_RELAY_FINISHED:
        return say_finished(topup);
    case SCRIP_RELAY_REFUSED:
        return say_refused_or_over(topup);
    case SCRIP_RELAY_INCOMPLETE:
        return say_incomplete(topup);
    case SCRIP_RELAY_UNREACHED:
        failure.status = SCRIP_E_NETWORK;
        failure.problem =
            strcmp(failure.detail, SCRIP_RELAY_CERTIFICATE_DATED) == 0 ? TOOL_PROBLEM_CLOCK : TOOL_PROBLEM_NETWORK;
        break;
    default:
        failure.status = SCRIP_E_NETWORK;
        failure.problem = TOOL_PROBLEM_REFUSED_BY_SERVER;
        break;
    }
    return tool_fail(topup->tool, &failure);
}

/* ---- From beginning to end ----------------------------------------------------------------------------------------
 */

/* Without TLS everyone on the way sees the order token and can hold the order up; they gain no value by it. */
static void warn_plain(struct tool *tool, const char *server)
{
    static const char *const fine[] = {"https://", "http://127.", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        if (strncmp(server, fine[i], strlen(fine[i])) == 0) {
            return;
        }
    }
    tool_note(tool, "%s is not https: others on the way can read the order's token and delay the order", server);
}

static uint32_t seconds(struct tool *tool, const char *name)
{
    const int64_t value = tool_number(tool, name, 0);
    return value > 86400 ? 86400000U : (uint32_t)value * 1000U;
}

static int relay_order(struct topup *topup, struct scrip_link *link)
{
    struct tool *tool = topup->tool;
    const int64_t taps = tool_number(tool, "taps", 1);
    const struct scrip_relay_run run = {
        .server = tool_text(tool, "server"),
        .bearer = topup->token,
        .ca_file = tool_text(tool, "ca"),
        .name = "scrip",
        .state_file = topup->state_file[0] != '\0' ? topup->state_file : NULL,
        .preamble_file = tool_text(tool, "preamble"),
        .config = {.order_uri = topup->order_uri,
                   .card_timeout_ms = seconds(tool, "wait"),
                   .give_up_ms = seconds(tool, "give-up"),
                   .seed = (uint32_t)getpid(),
                   .taps = (uint8_t)(taps < 1     ? 0
                                     : taps > 100 ? 99
                                                  : taps - 1)},
        .link = link,
        .progress = on_wish,
        .ctx = topup,
    };
    const enum scrip_status status = scrip_relay_run(&run, topup->relay);
    tool_progress(tool, NULL);
    return status == SCRIP_OK ? say_outcome(topup) : tool_fail_status(tool, status, "relaying the order");
}

static int topup_run(struct tool *tool)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct topup topup = {.tool = tool};
    const char *order = tool_text(tool, "order");
    struct scrip_link *link = NULL;
    if (!tool_is_order_id(order)) { /* it stands in a path and in a file name */
        return tool_usage(tool, "--order: '%s' is no order id", order);
    }
    snprintf(topup.order_uri, sizeof topup.order_uri, "/ota/o/%s", order);
    int code = token_read(&topup);
    if (code != TOOL_OK) {
        return code;
    }
    state_file_choose(&topup, order);
    topup.resumed = access(topup.state_file, F_OK) == 0;
    warn_plain(tool, tool_text(tool, "server"));
    const enum scrip_status opened = scrip_link_open(tool_text(tool, "reader"), NULL, &link, error);
    if (opened != SCRIP_OK) {
        return tool_fail(tool, &(struct tool_failure){.status = opened,
                                                      .problem = TOOL_PROBLEM_READER,
                                                      .card = TOOL_CARD_UNTOUCHED,
                                                      .what = tool_text(tool, "reader"),
                                                      .detail = error});
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}; /* a second Ctrl-C ends it */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    topup.shown = json_array();
    topup.relay = malloc(sizeof *topup.relay);
    code = topup.relay != NULL ? relay_order(&topup, link) : tool_fail_status(tool, SCRIP_E_MEMORY, "starting");
    json_decref(topup.shown);
    free(topup.relay);
    scrip_link_close(link);
    scrip_wipe(topup.token, sizeof topup.token);
    return code;
}

const struct tool_command tool_topup = {
    .name = "topup",
    .summary = "top a card up over the air: what the phone does",
    .text =
        "Carries an order between the server and the card on --reader. Nothing of it can be read or changed here: the "
        "card and the server talk to each other under their own keys.\n\n"
        "What could not be delivered is kept in the state file and delivered when the same command is run again; no "
        "card is needed for that. If the card was taken away early, tap it again: the server finds out from the card "
        "itself what happened, and no value is lost or made.",
    .options =
        (const struct tool_option[]){
            TOOL_OPTION_READER,
            TOOL_OPTION_SERVER,
            TOOL_OPTION_CA,
            TOOL_OPTION_WAIT,
            TOOL_OPTION_CURRENCY,
            {.name = "order", .kind = TOOL_TEXT, .value = "ID", .help = "the order", .required = true},
            {.name = "token-file",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "its first line is the order's token; else SCRIP_ORDER_TOKEN"},
            {.name = "state",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "where undelivered answers wait; else a file of this order in the user's state directory"},
            {.name = "preamble",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "remembers the public preamble: one request less next time"},
            {.name = "taps",
             .kind = TOOL_NUMBER,
             .value = "N",
             .help = "how often the card may be tapped before giving up",
             .initial = "3"},
            {.name = "give-up",
             .kind = TOOL_NUMBER,
             .value = "SECONDS",
             .help = "how long to repeat a request that is not answered",
             .initial = "60"},
            {.name = NULL}},
    .example = "  scrip topup --reader pcsc:0 --server https://topup.example --order o-1 --token-file o-1.token",
    .run = topup_run,
};
