/* sock.h: TCP with deadlines and a way to stop, for the tcp link and the presenters. */
#ifndef READER_SOCK_H
#define READER_SOCK_H

#include <scrip/bytes.h>
#include <signal.h>

/** One connection. */
struct sock {
    int fd;                            /* -1: none */
    const volatile sig_atomic_t *stop; /* may be NULL */
    bool quickack;                     /* ask for immediate acknowledgement before each read */
};

/** Connect; tries each address of the host once. @return SCRIP_OK; SCRIP_E_ARGUMENT: no such host; SCRIP_E_LINK */
enum scrip_status sock_connect(struct sock *sock, const char *host, const char *port, int timeout_ms);

/** Listen on a numeric address. `*port` 0: any; receives the port. @return SCRIP_E_LINK */
enum scrip_status sock_listen(struct sock *sock, const char *host, uint16_t *port);

/** Wait for a connection. @return SCRIP_OK; SCRIP_E_STATE: told to stop; SCRIP_E_LINK */
enum scrip_status sock_accept(struct sock *listener, struct sock *sock);

/** Read exactly `len` bytes. @param timeout_ms -1: no limit
 *  @return SCRIP_OK; SCRIP_E_TIMEOUT; SCRIP_E_STATE: told to stop; SCRIP_E_LINK: closed or failed */
enum scrip_status sock_read(struct sock *sock, void *at, size_t len, int timeout_ms);

/** Write all. @return SCRIP_OK; SCRIP_E_LINK */
enum scrip_status sock_write(struct sock *sock, const void *at, size_t len);

/** Sleep, but notice the stop flag. @return SCRIP_E_STATE: told to stop */
enum scrip_status sock_pause(const volatile sig_atomic_t *stop, int ms);

void sock_close(struct sock *sock);

#endif
