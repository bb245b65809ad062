/* What libmicrohttpd can do on one core when the answer costs nothing. */
#include "client.h"
#include "yard.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct echo {
    size_t body;
    struct MHD_Response *response;
};

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **seen)
{
    static int begun;
    const struct echo *echo = cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (*seen == NULL) {
        *seen = &begun;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, echo->response);
}

/* The child: serves until its parent ends it. */
static _Noreturn void serve(int port_out, size_t body)
{
    struct echo echo = {.body = body};
    uint8_t *bytes = calloc(1, body);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(0);
    echo.response = MHD_create_response_from_buffer(body, bytes, MHD_RESPMEM_MUST_FREE);
    (void)MHD_add_response_header(echo.response, "Content-Type", "application/vnd.etsi.scp.command-data;version=1.0");
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, &echo,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)4096, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = daemon != NULL ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    const uint16_t port = info != NULL ? info->port : 0;
    if (write(port_out, &port, sizeof port) != sizeof port) {
        _exit(1);
    }
    for (;;) {
        (void)pause();
    }
}

struct asker {
    struct bench_talker talker; /* first */
    double until;
    size_t *answered;
    struct scrip_bytes body;
};

static bool ask(struct bench_talker *talker, struct scrip_buf *request)
{
    const struct asker *asker = (const struct asker *)talker;
    if (bench_now() >= asker->until) {
        return false;
    }
    bench_request_write(request, true, "/ota/s/yardstick", "x", "application/vnd.etsi.scp.response-data;version=1.0",
                        asker->body);
    return true;
}

static void take(struct bench_talker *talker, const struct bench_answer *got)
{
    const struct asker *asker = (const struct asker *)talker;
    *asker->answered += got->status == 200;
}

double yard_http_requests_per_s(const struct bench_options *options, size_t connections, size_t body)
{
    static const uint8_t upload[96];
    int pipes[2];
    uint16_t port = 0;
    if (pipe(pipes) != 0) {
        bench_die("pipe", "failed");
    }
    const pid_t child = fork();
    if (child == 0) {
        serve(pipes[1], body);
    }
    if (child < 0 || read(pipes[0], &port, sizeof port) != sizeof port || port == 0) {
        bench_die("yardstick server", "did not start");
    }
    size_t answered = 0;
    struct asker *askers = calloc(connections, sizeof *askers);
    struct bench_talker **talkers = calloc(connections, sizeof(struct bench_talker *));
    const double start = bench_now();
    for (size_t i = 0; i < connections; i++) {
        askers[i] = (struct asker){{ask, take}, start + options->seconds, &answered, SCRIP_BYTES_OF(upload)};
        talkers[i] = &askers[i].talker;
    }
    bench_client_run(port, talkers, connections);
    const double rate = (double)answered / (bench_now() - start);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    free(askers);
    free(talkers);
    return rate;
}
