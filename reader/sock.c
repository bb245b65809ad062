#include "sock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STOP_CHECK_MS 200

static bool stopped(const volatile sig_atomic_t *stop)
{
    return stop != NULL && *stop != 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the socket is ready for `events`, in slices so that the stop flag is seen. */
static enum scrip_status wait_for(int fd, short events, int timeout_ms, const volatile sig_atomic_t *stop)
{
    const int64_t end = now_ms() + timeout_ms;
    for (;;) {
        const int64_t left = timeout_ms < 0 ? STOP_CHECK_MS : end - now_ms();
        struct pollfd polled = {.fd = fd, .events = events};
        if (stopped(stop)) {
            return SCRIP_E_STATE;
        }
        const int ready = poll(&polled, 1, left < 0 ? 0 : left < STOP_CHECK_MS ? (int)left : STOP_CHECK_MS);
        if (ready > 0) {
            return SCRIP_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return SCRIP_E_LINK;
        }
        if (timeout_ms >= 0 && now_ms() >= end) {
            return SCRIP_E_TIMEOUT;
        }
    }
}

static void no_delay(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static enum scrip_status connect_one(struct sock *sock, const struct addrinfo *address, int timeout_ms)
{
    int error = 0;
    socklen_t len = sizeof error;
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return SCRIP_E_LINK;
    }
    const bool begun = connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS;
    if (!begun || wait_for(fd, POLLOUT, timeout_ms, sock->stop) != SCRIP_OK ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        close(fd);
        return SCRIP_E_LINK;
    }
    no_delay(fd);
    sock->fd = fd;
    return SCRIP_OK;
}

enum scrip_status sock_connect(struct sock *sock, const char *host, const char *port, int timeout_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return SCRIP_E_ARGUMENT;
    }
    enum scrip_status status = SCRIP_E_LINK;
    for (const struct addrinfo *at = found; at != NULL && status != SCRIP_OK; at = at->ai_next) {
        status = connect_one(sock, at, timeout_ms);
    }
    freeaddrinfo(found);
    return status;
}

enum scrip_status sock_listen(struct sock *sock, const char *host, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof address;
    const int on = 1;
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return SCRIP_E_LINK;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return SCRIP_E_LINK;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, 4) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        close(fd);
        return SCRIP_E_LINK;
    }
    *port = ntohs(address.sin_port);
    sock->fd = fd;
    return SCRIP_OK;
}

enum scrip_status sock_accept(struct sock *listener, struct sock *sock)
{
    for (;;) {
        SCRIP_TRY(wait_for(listener->fd, POLLIN, -1, listener->stop));
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            no_delay(fd);
            *sock = (struct sock){.fd = fd, .stop = listener->stop};
            return SCRIP_OK;
        }
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            return SCRIP_E_LINK;
        }
    }
}

enum scrip_status sock_read(struct sock *sock, void *at, size_t len, int timeout_ms)
{
    uint8_t *to = at;
    while (len != 0) {
        const int on = 1;
        if (sock->quickack) { /* not sticky: without it the peer's second write waits 40 ms for our acknowledgement */
            (void)setsockopt(sock->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
        }
        const ssize_t got = recv(sock->fd, to, len, 0);
        if (got > 0) {
            to += got;
            len -= (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return SCRIP_E_LINK;
        } else {
            SCRIP_TRY(wait_for(sock->fd, POLLIN, timeout_ms, sock->stop));
        }
    }
    return SCRIP_OK;
}

enum scrip_status sock_write(struct sock *sock, const void *at, size_t len)
{
    const uint8_t *from = at;
    while (len != 0) {
        const ssize_t put = send(sock->fd, from, len, MSG_NOSIGNAL);
        if (put > 0) {
            from += put;
            len -= (size_t)put;
        } else if (put < 0 && errno != EAGAIN && errno != EINTR) {
            return SCRIP_E_LINK;
        } else if (wait_for(sock->fd, POLLOUT, 10000, sock->stop) != SCRIP_OK) {
            return SCRIP_E_LINK;
        }
    }
    return SCRIP_OK;
}

enum scrip_status sock_pause(const volatile sig_atomic_t *stop, int ms)
{
    const int64_t end = now_ms() + ms;
    while (now_ms() < end) {
        if (stopped(stop)) {
            return SCRIP_E_STATE;
        }
        const struct timespec slice = {.tv_nsec = 20000000L};
        (void)nanosleep(&slice, NULL);
    }
    return stopped(stop) ? SCRIP_E_STATE : SCRIP_OK;
}

void sock_close(struct sock *sock)
{
    if (sock->fd >= 0) {
        close(sock->fd);
    }
    sock->fd = -1;
}
