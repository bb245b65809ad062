/* HTTP at the edge: bytes to struct scrip_request, struct scrip_response to bytes.
 *
 * One thread. libmicrohttpd runs on its epoll descriptor; a request that has arrived whole is suspended and queued. The
 * queue is worked off in a tick of the server: one ledger transaction that takes in what arrives while it works, one
 * commit, and only then are the connections resumed and answered. A request that waits for the disk costs no thread.
 *
 * Memory: an idle connection has libmicrohttpd's pool (POOL_BYTES) and nothing of ours; `struct call` lives from the
 * request line to the last byte of the answer. Bodies of all calls together are bounded, so that a crowd of slow
 * uploads cannot take the machine. */
#include "../response.h"
#include "../server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <scrip/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POOL_BYTES       4096U
#define BODIES_MAX       (64U * 1024U * 1024U)
#define DISCARD_MAX      (1024U * 1024U)
#define TICK_MAX         256U
#define SPARE_MAX        64U   /* calls kept for the next requests, */
#define SPARE_BYTES      4096U /* each with memory for a body of this size and the answer's at most */
#define DRAIN_US         5000000
#define LINGER_MAX_US    2000
#define IDLE_MS          100 /* nothing happened for so long: time for housekeeping */
#define IDLE_DEFAULT_S   75U
#define CONNECTIONS_MANY 20000U

enum call_state { CALL_NEW, CALL_RECEIVING, CALL_TOO_LARGE, CALL_NO_MEMORY, CALL_QUEUED, CALL_ANSWERED };

struct call {
    struct call *next; /* in the queue, or among the spare */
    struct scrip_http *http;
    struct MHD_Connection *connection;
    enum call_state state;
    struct scrip_request request;
    struct scrip_response response;
    char *query;
    char peer[INET6_ADDRSTRLEN];
    uint8_t *body;
    size_t body_len;
    size_t body_cap;
    size_t discarded;
};

struct scrip_http {
    struct scrip_http_config config;
    struct MHD_Daemon *daemon;
    uint16_t port;
    int epoll;
    size_t in_flight;   /* calls that exist */
    size_t bodies;      /* bytes of all bodies held */
    struct call *queue; /* arrived whole, oldest first; `queue_end` is where the next one goes */
    struct call **queue_end;
    struct call *spare; /* calls that are over */
    size_t spares;
    size_t expected;   /* answered by the last tick */
    int64_t commit_us; /* what its commit took */
    char *cert;        /* PEM texts, owned while the daemon runs */
    char *key;
};

/* ---- what waits for the next tick: no more than there are connections ---- */

static void queue_add(struct scrip_http *http, struct call *call)
{
    *http->queue_end = call;
    http->queue_end = &call->next;
}

static struct call *queue_take(struct scrip_http *http)
{
    struct call *call = http->queue;
    http->queue = call->next;
    if (http->queue == NULL) {
        http->queue_end = &http->queue;
    }
    call->next = NULL;
    return call;
}

static void queue_forget(struct scrip_http *http, const struct call *call)
{
    struct call **at = &http->queue;
    while (*at != NULL && *at != call) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = call->next;
        http->queue_end = call->next == NULL ? at : http->queue_end;
    }
}

/* ---- a call's life ---- */

static void call_free(struct scrip_http *http, struct call *call)
{
    http->bodies -= call->body_cap;
    scrip_response_free(&call->response);
    free(call->body);
    free(call);
}

/* A call with its buffers is some 10 KB that nearly every request needs alike: a few are kept. */
static struct call *call_take(struct scrip_http *http)
{
    struct call *call = http->spare;
    if (call == NULL) {
        return calloc(1, sizeof *call);
    }
    http->spare = call->next;
    http->spares--;
    call->next = NULL;
    call->state = CALL_NEW;
    call->peer[0] = '\0';
    call->body_len = 0;
    call->discarded = 0;
    response_clear(&call->response);
    return call;
}

static void call_keep(struct scrip_http *http, struct call *call)
{
    scrip_wipe(call->body, call->body_len);
    scrip_wipe(call->response.body, call->response.body_len); /* it may have been a new API key */
    if (http->spares == SPARE_MAX || call->body_cap > SPARE_BYTES || call->response.body_cap > SPARE_BYTES) {
        call_free(http, call);
        return;
    }
    call->next = http->spare;
    http->spare = call;
    http->spares++;
}

static void *call_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct scrip_http *http = cls;
    struct call *call = call_take(http);
    if (call == NULL) {
        return NULL;
    }
    const char *query = strchr(uri, '?');
    call->http = http;
    call->connection = connection;
    call->query = query == NULL ? NULL : strdup(query + 1);
    http->in_flight++;
    return call;
}

static void call_end(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why)
{
    struct scrip_http *http = cls;
    struct call *call = *con_cls;
    (void)connection;
    (void)why;
    if (call == NULL) {
        return;
    }
    queue_forget(http, call);
    http->in_flight--;
    free(call->query);
    call_keep(http, call);
    *con_cls = NULL;
}

/* ---- receiving ---- */

static const char *header(struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* The last address is the one our own proxy wrote; those before it are the client's word. */
static bool forwarded_peer(struct call *call)
{
    const char *list = header(call, "X-Forwarded-For");
    if (list == NULL) {
        return false;
    }
    const char *comma = strrchr(list, ',');
    const char *last = comma == NULL ? list : comma + 1;
    last += strspn(last, " ");
    return snprintf(call->peer, sizeof call->peer, "%s", last) > 0;
}

static void find_peer(struct call *call)
{
    if (call->http->config.trust_forwarded && forwarded_peer(call)) {
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL) {
        return;
    }
    if (info->client_addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)info->client_addr;
        (void)inet_ntop(AF_INET, &in->sin_addr, call->peer, sizeof call->peer);
    } else if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)info->client_addr;
        (void)inet_ntop(AF_INET6, &in->sin6_addr, call->peer, sizeof call->peer);
    }
}

/* Header strings live in the connection's pool until the request is completed: borrowed, not copied. */
static void fill_request(struct call *call, const char *url, const char *method)
{
    find_peer(call);
    call->request = (struct scrip_request){
        .method = method,
        .path = url,
        .query = call->query,
        .authorization = header(call, MHD_HTTP_HEADER_AUTHORIZATION),
        .content_type = header(call, MHD_HTTP_HEADER_CONTENT_TYPE),
        .admin_protocol = header(call, "X-Admin-Protocol"),
        .admin_from = header(call, "X-Admin-From"),
        .admin_resume = header(call, "X-Admin-Resume"),
        .prefer = header(call, "Prefer"),
        .peer = call->peer[0] == '\0' ? NULL : call->peer,
    };
}

static enum call_state take_body(struct call *call, const char *data, size_t len)
{
    struct scrip_http *http = call->http;
    if (call->state != CALL_RECEIVING || call->body_len + len > SCRIP_SERVER_BODY_MAX) {
        call->discarded += len;
        return call->state == CALL_RECEIVING ? CALL_TOO_LARGE : call->state;
    }
    if (call->body_len + len > call->body_cap) {
        size_t cap = call->body_cap == 0 ? 1024 : call->body_cap;
        while (cap < call->body_len + len) {
            cap *= 2;
        }
        if (http->bodies - call->body_cap + cap > BODIES_MAX) {
            return CALL_NO_MEMORY;
        }
        uint8_t *grown = realloc(call->body, cap);
        if (grown == NULL) {
            return CALL_NO_MEMORY;
        }
        http->bodies += cap - call->body_cap;
        call->body = grown;
        call->body_cap = cap;
    }
    memcpy(call->body + call->body_len, data, len);
    call->body_len += len;
    return CALL_RECEIVING;
}

/* ---- answering ---- */

static void add_headers(struct MHD_Response *out, const struct scrip_response *from)
{
    if (from->content_type != NULL) {
        (void)MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, from->content_type);
    }
    if (from->protocol != NULL) {
        (void)MHD_add_response_header(out, "X-Admin-Protocol", from->protocol);
    }
    if (from->next_uri[0] != '\0') {
        (void)MHD_add_response_header(out, "X-Admin-Next-URI", from->next_uri);
    }
    if (from->retry_after_s > 0) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%u", from->retry_after_s);
        (void)MHD_add_response_header(out, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (from->status == 401) {
        (void)MHD_add_response_header(out, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    }
    (void)MHD_add_response_header(out, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
}

/* The body stays where it is: the call outlives the answer (call_end frees both). */
static enum MHD_Result answer(struct call *call)
{
    struct MHD_Response *out =
        MHD_create_response_from_buffer(call->response.body_len, call->response.body, MHD_RESPMEM_PERSISTENT);
    if (out == NULL) {
        return MHD_NO;
    }
    add_headers(out, &call->response);
    const enum MHD_Result result = MHD_queue_response(call->connection, (unsigned)call->response.status, out);
    MHD_destroy_response(out);
    call->state = CALL_ANSWERED;
    return result;
}

static enum MHD_Result answer_too_large(struct call *call)
{
    scrip_response_problem(&call->response, SCRIP_PROBLEM_TOO_LARGE, NULL);
    return answer(call);
}

/* A body that is too large is refused before a byte of it is read, if the client waits for that. One that does not is
 * sending already: to close now would reset its connection, and the answer would be lost with it. So its body is read
 * and dropped, unless it is so large that this is no favour any more. */
static enum MHD_Result first_sight(struct call *call)
{
    const char *length = header(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const unsigned long long bytes = length == NULL ? 0 : strtoull(length, NULL, 10);
    call->state = bytes > SCRIP_SERVER_BODY_MAX ? CALL_TOO_LARGE : CALL_RECEIVING;
    const bool waits = header(call, MHD_HTTP_HEADER_EXPECT) != NULL;
    return call->state == CALL_TOO_LARGE && (waits || bytes > DISCARD_MAX) ? answer_too_large(call) : MHD_YES;
}

static enum MHD_Result all_received(struct call *call, const char *url, const char *method)
{
    struct scrip_http *http = call->http;
    if (call->state == CALL_TOO_LARGE) {
        return answer_too_large(call);
    }
    if (call->state == CALL_NO_MEMORY) {
        server_unavailable(http->config.server, &call->response);
        return answer(call);
    }
    fill_request(call, url, method);
    call->request.body = scrip_bytes(call->body, call->body_len);
    call->state = CALL_QUEUED;
    queue_add(http, call);
    MHD_suspend_connection(call->connection);
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *data, size_t *data_len, void **con_cls)
{
    struct call *call = *con_cls;
    (void)cls;
    (void)connection;
    (void)version;
    if (call == NULL) {
        return MHD_NO; /* there was no memory for it */
    }
    if (call->state == CALL_NEW) {
        return first_sight(call);
    }
    if (call->state == CALL_QUEUED) {
        return answer(call); /* resumed: the tick is on disk */
    }
    if (*data_len > 0) {
        call->state = take_body(call, data, *data_len);
        *data_len = 0;
        return call->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    return all_received(call, url, method);
}

/* ---- the loop ---- */

struct tick {
    struct call *calls[TICK_MAX]; /* worked off, not answered yet */
    size_t count;
    enum scrip_status status;
    int64_t patience_us;
};

static void work_off(struct scrip_http *http, struct tick *tick)
{
    while (http->queue != NULL && tick->count < TICK_MAX) {
        struct call *call = queue_take(http);
        tick->calls[tick->count++] = call;
        if (tick->status == SCRIP_OK) {
            tick->status = scrip_server_handle(http->config.server, &call->request, &call->response);
        }
    }
}

/* Whom the last tick answered comes back in a moment, and while the tick works they do. Ending it without the last of
 * them would leave the clients in two groups that wait for each other's commits; waiting for them makes one group with
 * half the commits. That saves one commit, so it is worth no more time than one takes. @return more is queued */
static bool linger(struct scrip_http *http, struct tick *tick)
{
    struct pollfd ready = {.fd = http->epoll, .events = POLLIN};
    const struct timespec wait = {.tv_nsec = tick->count < http->expected ? tick->patience_us * 1000 : 0};
    const int64_t start = monotonic_us();
    if (tick->count == TICK_MAX || tick->status != SCRIP_OK || ppoll(&ready, 1, &wait, NULL) <= 0 ||
        MHD_run(http->daemon) != MHD_YES) {
        return false;
    }
    const int64_t waited = monotonic_us() - start;
    tick->patience_us = waited < tick->patience_us ? tick->patience_us - waited : 0;
    return http->queue != NULL || tick->patience_us > 0;
}

static void release(struct scrip_http *http, const struct tick *tick)
{
    for (size_t i = 0; i < tick->count; i++) {
        if (tick->status != SCRIP_OK) {
            server_unavailable(http->config.server, &tick->calls[i]->response);
        }
        MHD_resume_connection(tick->calls[i]->connection);
    }
    (void)MHD_run(http->daemon); /* send them now rather than after the next wait */
}

/* One tick. What is more than fits into it waits for the next. */
static void run_tick(struct scrip_http *http)
{
    const uint64_t *commit_us = &http->config.server->counters.commit_us;
    struct tick tick = {.patience_us = http->commit_us < LINGER_MAX_US ? http->commit_us : LINGER_MAX_US};
    if (http->queue == NULL) {
        return;
    }
    tick.status = scrip_server_begin(http->config.server);
    const bool begun = tick.status == SCRIP_OK;
    do {
        work_off(http, &tick);
    } while (linger(http, &tick));
    const uint64_t before = *commit_us;
    tick.status = begun ? scrip_server_end(http->config.server, tick.status) : tick.status;
    http->commit_us = (int64_t)(*commit_us - before);
    http->expected = tick.count;
    release(http, &tick);
}

enum scrip_status scrip_http_step(struct scrip_http *http, int timeout_ms)
{
    struct pollfd ready = {.fd = http->epoll, .events = POLLIN};
    MHD_UNSIGNED_LONG_LONG wanted = 0;
    if (MHD_get_timeout(http->daemon, &wanted) == MHD_YES && (timeout_ms < 0 || wanted < (unsigned)timeout_ms)) {
        timeout_ms = (int)wanted;
    }
    /* Not epoll_wait: the library's events are edge-triggered, and taking one here would lose it. */
    const int happened = poll(&ready, 1, http->queue != NULL ? 0 : timeout_ms);
    if (happened < 0 && errno != EINTR) {
        return SCRIP_E_NETWORK;
    }
    if (happened == 0 && timeout_ms >= IDLE_MS) {
        (void)scrip_server_idle(http->config.server); /* what fails now fails again in a tick, with an answer */
    }
    if (MHD_run(http->daemon) != MHD_YES) {
        return SCRIP_E_NETWORK;
    }
    run_tick(http);
    return SCRIP_OK;
}

enum scrip_status scrip_http_run(struct scrip_http *http, const volatile bool *stop)
{
    while (!*stop) {
        SCRIP_TRY(scrip_http_step(http, 1000));
    }
    const MHD_socket listener = MHD_quiesce_daemon(http->daemon);
    if (listener != MHD_INVALID_SOCKET) {
        (void)close(listener);
    }
    const int64_t end = monotonic_us() + DRAIN_US;
    while (http->in_flight > 0 && monotonic_us() < end) {
        SCRIP_TRY(scrip_http_step(http, 50));
    }
    return SCRIP_OK;
}

/* ---- opening ---- */

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *at)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)at;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)at;
    memset(at, 0, sizeof *at);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        return true;
    }
    return false;
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    char *text = calloc(1, 65536);
    if (text != NULL && fread(text, 1, 65535, file) == 0) {
        free(text);
        text = NULL;
    }
    (void)fclose(file);
    return text;
}

/* The HTTP library says of these files, too, only that it could not start. */
static bool is_certificate_of_key(char *cert, char *key)
{
    const gnutls_datum_t certs = {.data = (unsigned char *)cert, .size = (unsigned)strlen(cert)};
    const gnutls_datum_t keys = {.data = (unsigned char *)key, .size = (unsigned)strlen(key)};
    gnutls_certificate_credentials_t both = NULL;
    if (gnutls_certificate_allocate_credentials(&both) != GNUTLS_E_SUCCESS) {
        return false;
    }
    const int taken = gnutls_certificate_set_x509_key_mem(both, &certs, &keys, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(both);
    return taken >= 0;
}

static enum scrip_status read_tls(struct scrip_http *http)
{
    if (http->config.cert_file == NULL) {
        return SCRIP_OK;
    }
    http->cert = read_text(http->config.cert_file);
    http->key = http->config.key_file == NULL ? NULL : read_text(http->config.key_file);
    if (http->cert == NULL || http->key == NULL) {
        return SCRIP_E_IO;
    }
    return is_certificate_of_key(http->cert, http->key) ? SCRIP_OK : SCRIP_E_FORMAT;
}

static enum scrip_status start(struct scrip_http *http)
{
    struct sockaddr_storage at;
    const char *address = http->config.address == NULL ? "127.0.0.1" : http->config.address;
    if (!parse_address(address, http->config.port, &at)) {
        return SCRIP_E_NETWORK;
    }
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    flags |= at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0U;
    flags |= http->cert != NULL ? MHD_USE_TLS : 0U;
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, http->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, http->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const unsigned idle = http->config.idle_timeout_s == 0 ? IDLE_DEFAULT_S : http->config.idle_timeout_s;
    const unsigned many = http->config.connections == 0 ? CONNECTIONS_MANY : http->config.connections;
    http->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_access, http, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)(void *)&at,
                         MHD_OPTION_URI_LOG_CALLBACK, call_begin, http, MHD_OPTION_NOTIFY_COMPLETED, call_end, http,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, idle,
                         MHD_OPTION_CONNECTION_LIMIT, many, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U, MHD_OPTION_ARRAY,
                         http->cert != NULL ? tls : none, MHD_OPTION_END);
    return http->daemon == NULL ? SCRIP_E_NETWORK : SCRIP_OK;
}

static enum scrip_status open_all(struct scrip_http *http)
{
    SCRIP_TRY(read_tls(http));
    SCRIP_TRY(start(http));
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (port == NULL || epoll == NULL) {
        return SCRIP_E_NETWORK;
    }
    http->port = port->port;
    http->epoll = epoll->epoll_fd;
    return SCRIP_OK;
}

enum scrip_status scrip_http_open(const struct scrip_http_config *config, struct scrip_http **http)
{
    struct scrip_http *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return SCRIP_E_MEMORY;
    }
    made->config = *config;
    made->queue_end = &made->queue;
    const enum scrip_status status = open_all(made);
    if (status != SCRIP_OK) {
        scrip_http_close(made);
        return status;
    }
    *http = made;
    return SCRIP_OK;
}

void scrip_http_serve(struct scrip_http *http, struct scrip_server *server)
{
    http->config.server = server;
}

uint16_t scrip_http_port(const struct scrip_http *http)
{
    return http->port;
}

void scrip_http_close(struct scrip_http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->daemon != NULL) {
        MHD_stop_daemon(http->daemon); /* nothing is suspended between two steps */
    }
    if (http->key != NULL) {
        scrip_wipe(http->key, strlen(http->key));
    }
    while (http->spare != NULL) {
        struct call *call = http->spare;
        http->spare = call->next;
        call_free(http, call);
    }
    free(http->cert);
    free(http->key);
    free(http);
}
