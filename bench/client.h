/* client.h: many HTTP connections of one thread, each with one request in flight, kept alive. Only what a load needs:
 * the answers of our own server, Content-Length bodies, no redirects. */
#ifndef SCRIP_BENCH_CLIENT_H
#define SCRIP_BENCH_CLIENT_H

#include "bench.h"

#define BENCH_REQUEST_MAX 8192U

/** An answer, borrowed for the call. */
struct bench_answer {
    int status;
    char next_uri[4096]; /**< X-Admin-Next-URI, or "" */
    struct scrip_bytes body;
    double seconds; /**< from sending the request to the last byte of the answer */
};

/** Who makes the requests of a connection. */
struct bench_talker {
    /** Write the next request, headers and all. @return false: this talker is done */
    bool (*ask)(struct bench_talker *talker, struct scrip_buf *request);
    /** Take the answer. */
    void (*take)(struct bench_talker *talker, const struct bench_answer *answer);
};

/** Drive `count` talkers, a connection each, until all are done.
 *  @param port  on 127.0.0.1 */
void bench_client_run(uint16_t port, struct bench_talker *const *talkers, size_t count);

/** Write a POST (or a GET when `body` is empty and `post` false) into `request`. */
void bench_request_write(struct scrip_buf *request, bool post, const char *path, const char *bearer, const char *type,
                         struct scrip_bytes body);

/** Open an idle connection to 127.0.0.1. @return its descriptor */
int bench_client_connect(uint16_t port);

#endif
