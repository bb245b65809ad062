/* libcurl: no redirects, no proxies of our own, http and https only, at most one message of memory. */
#include "net.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_ROOM (SCRIP_RELAY_URI_MAX + 128U)

struct relay_net {
    CURL *curl;
    const char *server;
    struct curl_slist *headers;        /* the usual ones */
    struct curl_slist *resume_headers; /* with X-Admin-Resume */
    char url[4096];
    char error[CURL_ERROR_SIZE];
    char next_uri[SCRIP_RELAY_URI_MAX];
    bool has_next;
    bool ours;
    uint32_t retry_after_ms;
    size_t body_len;
    uint8_t body[SCRIP_RELAY_BODY_MAX];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- What comes back --------------------------------------------------------------------------------------------- */

static size_t on_body(char *at, size_t size, size_t count, void *ctx)
{
    struct relay_net *net = ctx;
    const size_t len = size * count;
    if (len > sizeof net->body - net->body_len) {
        return 0; /* too long for a message: curl gives up, and so the request counts as not answered */
    }
    memcpy(net->body + net->body_len, at, len);
    net->body_len += len;
    return len;
}

/* The value of header `name` in a line, without blanks around it; false if the line is another header. */
static bool header_is(struct scrip_bytes line, const char *name, char *value, size_t cap)
{
    const size_t name_len = strlen(name);
    if (line.len <= name_len || line.at[name_len] != ':' || strncasecmp((const char *)line.at, name, name_len) != 0) {
        return false;
    }
    const char *at = (const char *)line.at + name_len + 1;
    size_t len = line.len - name_len - 1;
    while (len > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        len--;
    }
    while (len > 0 && (at[len - 1] == '\r' || at[len - 1] == '\n' || at[len - 1] == ' ')) {
        len--;
    }
    if (len >= cap) {
        len = 0; /* as if it were empty: the heart refuses an empty path */
    }
    memcpy(value, at, len);
    value[len] = '\0';
    return true;
}

static size_t on_header(char *at, size_t size, size_t count, void *ctx)
{
    struct relay_net *net = ctx;
    const struct scrip_bytes line = scrip_bytes(at, size * count);
    char value[SCRIP_RELAY_URI_MAX];
    if (line.len > 5 && strncasecmp(at, "HTTP/", 5) == 0) { /* a new head, as behind 100 Continue */
        net->ours = false;
        net->has_next = false;
        net->retry_after_ms = 0;
    } else if (header_is(line, "X-Admin-Protocol", value, sizeof value)) {
        net->ours = strcmp(value, SCRIP_RELAY_PROTOCOL) == 0;
    } else if (header_is(line, "X-Admin-Next-URI", value, sizeof value)) {
        net->has_next = true;
        memcpy(net->next_uri, value, strlen(value) + 1);
    } else if (header_is(line, "Retry-After", value, sizeof value)) {
        const unsigned long seconds = strtoul(value, NULL, 10); /* a date reads as 0: our own pause */
        net->retry_after_ms = seconds > 3600 ? 3600000U : (uint32_t)seconds * 1000U;
    }
    return line.len;
}

/* ---- Setting up -------------------------------------------------------------------------------------------------- */

static bool add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    *list = longer != NULL ? longer : *list;
    return longer != NULL;
}

static bool add_headers(struct curl_slist **list, const struct scrip_relay_run *run, bool resume)
{
    char line[HEADER_ROOM];
    bool fine = add(list, "X-Admin-Protocol: " SCRIP_RELAY_PROTOCOL) &&
                add(list, "Content-Type: " SCRIP_RELAY_TYPE_ANSWER) && add(list, "Accept: " SCRIP_RELAY_TYPE_SCRIPT) &&
                add(list, "Expect:"); /* no 100-continue: it would cost a round trip */
    snprintf(line, sizeof line, "X-Admin-From: //aa-id/app/%s/1.0", run->name != NULL ? run->name : "relay");
    fine = fine && add(list, line);
    if (run->bearer != NULL) {
        const int printed = snprintf(line, sizeof line, "Authorization: Bearer %s", run->bearer);
        fine = fine && printed > 0 && (size_t)printed < sizeof line && add(list, line);
    }
    scrip_wipe(line, sizeof line);
    return fine && (!resume || add(list, "X-Admin-Resume: true"));
}

static void set_options(struct relay_net *net, const struct scrip_relay_run *run)
{
    CURL *curl = net->curl;
    const long timeout = run->http_timeout_ms != 0 ? (long)run->http_timeout_ms : 30000L;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, net->error);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout < 10000L ? timeout : 10000L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, net);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, net);
    if (run->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, run->ca_file);
    }
}

struct relay_net *relay_net_open(const struct scrip_relay_run *run)
{
    pthread_once(&curl_once, curl_begin);
    struct relay_net *net = calloc(1, sizeof *net);
    if (net == NULL) {
        return NULL;
    }
    net->server = run->server;
    net->curl = curl_easy_init();
    if (net->curl == NULL || !add_headers(&net->headers, run, false) || !add_headers(&net->resume_headers, run, true)) {
        relay_net_close(net);
        return NULL;
    }
    set_options(net, run);
    return net;
}

void relay_net_close(struct relay_net *net)
{
    if (net == NULL) {
        return;
    }
    curl_slist_free_all(net->headers);
    curl_slist_free_all(net->resume_headers);
    if (net->curl != NULL) {
        curl_easy_cleanup(net->curl);
    }
    free(net);
}

/* ---- Certificates ------------------------------------------------------------------------------------------------ */

/* What CURLINFO_SSL_VERIFYRESULT says of dates: a bit each with GnuTLS, a number each with OpenSSL. */
bool scrip_relay_certificate_dated(long verify)
{
    const long gnutls_not_yet = 0x200;
    const long gnutls_expired = 0x400;
    const long openssl_not_yet = 9;
    const long openssl_expired = 10;
    return verify == openssl_not_yet || verify == openssl_expired || (verify & (gnutls_not_yet | gnutls_expired)) != 0;
}

static const char *why_unanswered(const struct relay_net *net, CURLcode done)
{
    long verify = 0;
    curl_easy_getinfo(net->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
    if (done == CURLE_PEER_FAILED_VERIFICATION && scrip_relay_certificate_dated(verify)) {
        return SCRIP_RELAY_CERTIFICATE_DATED;
    }
    return net->error[0] != '\0' ? net->error : curl_easy_strerror(done);
}

/* ---- The request ------------------------------------------------------------------------------------------------- */

void relay_net_post(struct relay_net *net, const char *path, struct scrip_bytes body, bool resume,
                    struct scrip_relay_http *http)
{
    size_t server_len = strlen(net->server);
    while (server_len > 0 && net->server[server_len - 1] == '/') {
        server_len--;
    }
    *http = (struct scrip_relay_http){0};
    net->body_len = 0;
    net->has_next = false;
    net->ours = false;
    net->retry_after_ms = 0;
    const int printed = snprintf(net->url, sizeof net->url, "%.*s%s", (int)server_len, net->server, path);
    if (printed < 0 || (size_t)printed >= sizeof net->url) {
        return;
    }
    curl_easy_setopt(net->curl, CURLOPT_URL, net->url);
    curl_easy_setopt(net->curl, CURLOPT_HTTPHEADER, resume ? net->resume_headers : net->headers);
    curl_easy_setopt(net->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(net->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(net->curl, CURLOPT_POSTFIELDS, body.len != 0 ? (const char *)body.at : "");
    net->error[0] = '\0';
    const CURLcode done = curl_easy_perform(net->curl);
    if (done != CURLE_OK) {
        http->error = why_unanswered(net, done);
        return;
    }
    long code = 0;
    curl_easy_getinfo(net->curl, CURLINFO_RESPONSE_CODE, &code);
    http->code = (int)code;
    http->ours = net->ours;
    http->next_uri = net->has_next ? net->next_uri : NULL;
    http->retry_after_ms = net->retry_after_ms;
    http->body = scrip_bytes(net->body, net->body_len);
}
