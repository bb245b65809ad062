/* A small HTTP/1.1 client on epoll: as little work per request as can be, so that the server is what is measured. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 16384,
    EVENTS = 256,
};

struct connection {
    int fd;
    struct bench_talker *talker;
    double sent_at;
    double here_at; /* when its last bytes were seen to be there */
    bool waits;     /* in the line */
    size_t len;
    char in[ANSWER_MAX];
    uint8_t out[BENCH_REQUEST_MAX];
};

int bench_client_connect(uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        bench_die("connect", strerror(errno));
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void bench_request_write(struct scrip_buf *request, bool post, const char *path, const char *bearer, const char *type,
                         struct scrip_bytes body)
{
    const size_t room = request->cap - request->len;
    const int head = snprintf((char *)request->at + request->len, room,
                              "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                              "X-Admin-Protocol: scrip-remote-admin/1.0\r\nX-Admin-From: //aa-id/app/bench/1.0\r\n"
                              "Prefer: return=minimal\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                              post ? "POST" : "GET", path, bearer, type, body.len);
    if (head < 0 || (size_t)head + body.len > room) {
        bench_die("request", "too long");
    }
    request->len += (size_t)head;
    if (body.len > 0) {
        memcpy(request->at + request->len, body.at, body.len);
        request->len += body.len;
    }
}

static bool send_next(struct connection *connection)
{
    struct scrip_buf request = SCRIP_BUF_OF(connection->out);
    if (!connection->talker->ask(connection->talker, &request)) {
        return false;
    }
    connection->len = 0;
    connection->sent_at = bench_now();
    if (send(connection->fd, request.at, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) {
        bench_die("send", strerror(errno));
    }
    return true;
}

static const char *header(const char *head, const char *name)
{
    const size_t len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            return line + len + 1 + strspn(line + len + 1, " ");
        }
    }
    return NULL;
}

/* Is the answer complete? Then `answer` describes it. */
static bool parse(struct connection *connection, struct bench_answer *answer)
{
    connection->in[connection->len] = '\0';
    char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    end[2] = '\0';
    const char *length = header(connection->in, "Content-Length");
    const char *next = header(connection->in, "X-Admin-Next-URI");
    const size_t body = length != NULL ? strtoul(length, NULL, 10) : 0;
    const size_t head = (size_t)(end - connection->in) + 4;
    end[2] = '\r';
    if (connection->len < head + body) {
        return false;
    }
    answer->status = (int)strtol(connection->in + strlen("HTTP/1.1 "), NULL, 10);
    const size_t uri = next != NULL ? strcspn(next, "\r") : 0;
    if (uri >= sizeof answer->next_uri) {
        bench_die("answer", "next-URI too long");
    }
    if (uri > 0) {
        memcpy(answer->next_uri, next, uri);
    }
    answer->next_uri[uri] = '\0';
    answer->body = scrip_bytes(connection->in + head, body);
    answer->seconds = connection->here_at - connection->sent_at;
    return true;
}

/* @return false: this connection is done */
static bool receive(struct connection *connection)
{
    static struct bench_answer answer;
    const ssize_t got = recv(connection->fd, connection->in + connection->len,
                             sizeof connection->in - 1 - connection->len, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return true; /* the line's turn before this one took them with it */
    }
    if (got <= 0) {
        bench_die("the server closed the connection", got < 0 ? strerror(errno) : "end of file");
    }
    connection->len += (size_t)got;
    if (!parse(connection, &answer)) {
        return true;
    }
    connection->talker->take(connection->talker, &answer);
    return send_next(connection);
}

/* Connections with bytes to be read, first come, first served. The load is one thread that is also all of the phones
 * and cards: that others are served first is its own time, not the server's. So it looks up after each answer, and
 * what has come meanwhile gets its time before it gets its turn. */
struct line {
    int poll;
    size_t first, count, cap;
    struct connection **at;
};

static void look_up(struct line *line)
{
    struct epoll_event events[EVENTS];
    const int ready = epoll_wait(line->poll, events, EVENTS, line->count == 0 ? 10000 : 0);
    if (ready < 0 || (ready == 0 && line->count == 0)) {
        bench_die("client", "no answer within ten seconds");
    }
    const double now = bench_now();
    for (int i = 0; i < ready; i++) {
        struct connection *connection = events[i].data.ptr;
        connection->here_at = now;
        if (!connection->waits) {
            connection->waits = true;
            line->at[(line->first + line->count++) % line->cap] = connection;
        }
    }
}

static struct connection *next_in(struct line *line)
{
    struct connection *connection = line->at[line->first];
    line->first = (line->first + 1) % line->cap;
    line->count--;
    connection->waits = false;
    return connection;
}

void bench_client_run(uint16_t port, struct bench_talker *const *talkers, size_t count)
{
    struct connection *connections = calloc(count, sizeof *connections);
    struct line line = {
        .poll = epoll_create1(EPOLL_CLOEXEC), .cap = count, .at = calloc(count, sizeof(struct connection *))};
    size_t open = 0;
    if (connections == NULL || line.at == NULL || line.poll < 0) {
        bench_die("client", strerror(errno));
    }
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &connections[i];
        connection->fd = bench_client_connect(port);
        connection->talker = talkers[i];
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = connection};
        (void)epoll_ctl(line.poll, EPOLL_CTL_ADD, connection->fd, &event);
        open += send_next(connection);
    }
    while (open > 0) {
        look_up(&line);
        open -= !receive(next_in(&line));
    }
    for (size_t i = 0; i < count; i++) {
        (void)close(connections[i].fd);
    }
    (void)close(line.poll);
    free(line.at);
    free(connections);
}
