/* http.c: JSON requests to the server, repeated while the network fails: every request of the API may be. */
#include "common.h"
#include <curl/curl.h>
#include <scrip/relay.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS   4U
#define ANSWER_MAX (8U << 20)

struct answer {
    char *text;
    size_t len;
};

static size_t collect(char *data, size_t size, size_t count, void *ctx)
{
    struct answer *answer = ctx;
    const size_t len = size * count;
    if (answer->len + len > ANSWER_MAX) {
        return 0;
    }
    char *more = realloc(answer->text, answer->len + len + 1);
    if (more == NULL) {
        return 0;
    }
    answer->text = more;
    memcpy(answer->text + answer->len, data, len);
    answer->len += len;
    answer->text[answer->len] = '\0';
    return len;
}

/* The API key: first line of a file, or the environment. Freed by the caller; NULL: none. */
static char *api_key(const struct tool *tool)
{
    const char *path = tool_text(tool, "api-key-file");
    const char *env = getenv("SCRIP_API_KEY");
    char line[512] = "";
    if (path == NULL) {
        return env != NULL ? strdup(env) : NULL;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    const bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    char *key = read ? strdup(line) : NULL;
    scrip_wipe(line, sizeof line);
    return key;
}

static struct curl_slist *headers(const struct tool *tool, const char *content_type)
{
    char *key = api_key(tool);
    char type[128];
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    struct curl_slist *list = curl_slist_append(NULL, type);
    if (key != NULL) {
        char header[600];
        snprintf(header, sizeof header, "Authorization: Bearer %s", key);
        list = curl_slist_append(list, header);
        scrip_wipe(header, sizeof header);
        scrip_wipe(key, strlen(key));
        free(key);
    }
    return list;
}

/* Problems that the server names, as this program names them. */
static enum tool_problem problem_of(const char *name)
{
    static const struct {
        const char *server;
        enum tool_problem problem;
    } rows[] = {
        {"UNKNOWN_CARD", TOOL_PROBLEM_UNKNOWN_CARD},
        {"NO_SUCH_CARD", TOOL_PROBLEM_UNKNOWN_CARD},
        {"ROLLBACK", TOOL_PROBLEM_ROLLBACK},
        {"CARD_HELD", TOOL_PROBLEM_HELD},
        {"CARD_DENIED", TOOL_PROBLEM_HELD},
        {"ORDER_EXPIRED", TOOL_PROBLEM_EXPIRED},
        {"FUNDED_TWICE", TOOL_PROBLEM_FUNDED_TWICE},
        {"UNAUTHORIZED", TOOL_PROBLEM_DENIED},
        {"FORBIDDEN", TOOL_PROBLEM_DENIED},
        {"NO_SUCH_ORDER", TOOL_PROBLEM_UNKNOWN_ORDER},
        {"ORDER_STATE", TOOL_PROBLEM_ORDER_STATE},
        {"ORDER_FINAL", TOOL_PROBLEM_ORDER_STATE},
        {"NOT_FUNDED", TOOL_PROBLEM_ORDER_STATE},
        {"ID_CONFLICT", TOOL_PROBLEM_CONFLICT},
        {"LIMIT", TOOL_PROBLEM_LIMIT},
        {"SESSION_OVER", TOOL_PROBLEM_STALE},
        {"CARD_AUTH", TOOL_PROBLEM_WRONG_KEY},
        {"KEY_MISSING", TOOL_PROBLEM_MISSING_KEY},
        {"KEY_TYPE", TOOL_PROBLEM_WRONG_KEY_TYPE},
        {"NO_RIGHT", TOOL_PROBLEM_MISSING_RIGHT},
        {"WRONG_APPLICATION", TOOL_PROBLEM_WRONG_APPLICATION},
        {"CARD_REFUSED", TOOL_PROBLEM_REFUSED},
        {"CARD_DATA", TOOL_PROBLEM_MAC},
        {"CLOCK_SKEW", TOOL_PROBLEM_CLOCK},
        {"UNAVAILABLE", TOOL_PROBLEM_LEDGER},
    };
    for (size_t i = 0; name != NULL && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].server, name) == 0) {
            return rows[i].problem;
        }
    }
    return TOOL_PROBLEM_REFUSED_BY_SERVER;
}

/* The network or TLS failed. A certificate that is not valid yet, or no longer, is most often a wrong clock. */
static int fail_curl(struct tool *tool, CURL *curl, CURLcode code, const char *detail, const char *what)
{
    long verify = 0;
    curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verify);
    const bool dated = code == CURLE_PEER_FAILED_VERIFICATION && scrip_relay_certificate_dated(verify);
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_NETWORK,
                                                  .problem = dated ? TOOL_PROBLEM_CLOCK : TOOL_PROBLEM_NETWORK,
                                                  .what = what,
                                                  .detail = detail[0] != '\0' ? detail : curl_easy_strerror(code)});
}

/* Refusals about a card or its order: they say how the card is, too. */
static bool is_about_a_card(enum tool_problem problem)
{
    return problem == TOOL_PROBLEM_UNKNOWN_CARD || problem == TOOL_PROBLEM_HELD || problem == TOOL_PROBLEM_ROLLBACK ||
           problem == TOOL_PROBLEM_EXPIRED || problem == TOOL_PROBLEM_FUNDED_TWICE;
}

int tool_fail_server(struct tool *tool, const struct tool_refusal *refusal, const char *what)
{
    static const char prefix[] = "urn:scrip:problem:";
    char detail[600];
    const char *type = json_string_value(json_object_get(refusal->body, "type"));
    const char *name = type != NULL && strncmp(type, prefix, sizeof prefix - 1) == 0 ? type + sizeof prefix - 1 : NULL;
    const char *more = json_string_value(json_object_get(refusal->body, "detail"));
    const struct tool_said said = {.title = json_string_value(json_object_get(refusal->body, "title")),
                                   .remedy = json_string_value(json_object_get(refusal->body, "remedy")),
                                   .layer = json_string_value(json_object_get(refusal->body, "layer"))};
    const enum tool_problem problem = problem_of(name);
    const bool ours = problem != TOOL_PROBLEM_REFUSED_BY_SERVER; /* else title and remedy are said in the first place */
    const char *title = said.title == NULL ? refusal->why : ours ? said.title : NULL;
    const char *remedy = ours ? said.remedy : NULL;
    snprintf(detail, sizeof detail, "the server answered %ld%s%s%s%s%s%s", refusal->http, title != NULL ? ": " : "",
             title != NULL ? title : "", more != NULL ? "; " : "", more != NULL ? more : "", remedy != NULL ? "; " : "",
             remedy != NULL ? remedy : "");
    const bool untouched = refusal->card == TOOL_CARD_NONE && is_about_a_card(problem);
    return tool_fail(tool, &(struct tool_failure){.status = refusal->http >= 500 ? SCRIP_E_STORE : SCRIP_E_STATE,
                                                  .problem = problem,
                                                  .card = untouched ? TOOL_CARD_UNTOUCHED : refusal->card,
                                                  .what = what,
                                                  .detail = detail,
                                                  .said = &said});
}

struct request {
    bool quiet; /* a failure is not told */
    const char *method;
    char url[1024];
    const char *content_type;
    struct scrip_bytes body;
};

static void set_up(CURL *curl, const struct tool *tool, const struct request *request, struct curl_slist *list,
                   struct answer *answer, char *error)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.len > 0 ? (const char *)request->body.at : "");
    }
    if (tool_text(tool, "ca") != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, tool_text(tool, "ca"));
    }
}

static int perform(struct tool *tool, CURL *curl, const struct request *request, const char *what, json_t **result)
{
    char error[CURL_ERROR_SIZE] = "";
    struct answer answer = {0};
    struct curl_slist *list = headers(tool, request->content_type);
    CURLcode code = CURLE_OK;
    long http = 0;
    set_up(curl, tool, request, list, &answer, error);
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        answer.len = 0;
        code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
        if (code == CURLE_PEER_FAILED_VERIFICATION || (code == CURLE_OK && http != 503 && http != 429)) {
            break;
        }
        usleep(100000U << attempt);
    }
    int exit_code = TOOL_OK;
    json_t *json = answer.len > 0 ? json_loadb(answer.text, answer.len, 0, NULL) : NULL;
    const bool reached = code == CURLE_OK;
    if (request->quiet && (!reached || http < 200 || http > 299)) {
        exit_code = TOOL_FAILED;
    } else if (!reached) {
        exit_code = fail_curl(tool, curl, code, error, what);
    } else if (http < 200 || http > 299) {
        exit_code = tool_fail_server(tool, &(struct tool_refusal){.http = http, .body = json}, what);
    } else if (result != NULL) {
        *result = json != NULL ? json_incref(json) : json_object();
    }
    json_decref(json);
    curl_slist_free_all(list);
    free(answer.text);
    return exit_code;
}

static int send_request(struct tool *tool, struct request *request, const char *path, const char *what, json_t **answer)
{
    const char *server = tool_text(tool, "server");
    const char *key_file = tool_text(tool, "api-key-file");
    if (key_file != NULL && access(key_file, R_OK) != 0) {
        return tool_fail_status(tool, SCRIP_E_IO, "reading the API key %s", key_file);
    }
    size_t len = strlen(server);
    while (len > 0 && server[len - 1] == '/') {
        len--;
    }
    snprintf(request->url, sizeof request->url, "%.*s%s", (int)len, server, path);
    CURL *curl = curl_easy_init();
    const int code =
        curl != NULL ? perform(tool, curl, request, what, answer) : tool_fail_status(tool, SCRIP_E_MEMORY, "%s", what);
    curl_easy_cleanup(curl);
    return code;
}

int tool_http_bytes(struct tool *tool, const char *path, const char *content_type, struct scrip_bytes body,
                    const char *what, json_t **answer)
{
    return send_request(tool, &(struct request){.method = "POST", .content_type = content_type, .body = body}, path,
                        what, answer);
}

int tool_http(struct tool *tool, const char *method, const char *path, const json_t *body, const char *what,
              json_t **answer)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct request request = {.method = method,
                              .content_type = "application/json",
                              .body = scrip_bytes(text, text != NULL ? strlen(text) : 0)};
    const int code = send_request(tool, &request, path, what, answer);
    free(text);
    return code;
}

int tool_http_ask(struct tool *tool, const char *path, json_t **answer)
{
    return send_request(tool, &(struct request){.quiet = true, .method = "GET", .content_type = "application/json"},
                        path, "asking", answer);
}
