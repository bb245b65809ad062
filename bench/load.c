#include "load.h"

#include "client.h"

#include <malloc.h>
#include <scrip/relay.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLES_MAX 400000U

/* ---- the server's process ---- */

static _Noreturn void serve(struct fleet *fleet, int port_out, uint64_t *commits)
{
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    struct scrip_http *http;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(0);
    fleet_open(fleet, commits, &ledger, &server);
    const struct scrip_http_config config = {.server = server};
    fleet_must("http", scrip_http_open(&config, &http));
    const uint16_t port = scrip_http_port(http);
    if (write(port_out, &port, sizeof port) != sizeof port) {
        _exit(1);
    }
    for (;;) {
        fleet_must("http", scrip_http_step(http, 1000));
    }
}

void load_server_start(struct load_server *server, struct fleet *fleet)
{
    int pipes[2];
    server->commits = mmap(NULL, sizeof *server->commits, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (server->commits == MAP_FAILED || pipe(pipes) != 0) {
        bench_die("server", "cannot be started");
    }
    (void)fflush(stdout);
    (void)malloc_trim(0); /* a server of its own has not this process's used memory to copy, page by page */
    server->pid = fork();
    if (server->pid == 0) {
        serve(fleet, pipes[1], server->commits);
    }
    if (server->pid < 0 || read(pipes[0], &server->port, sizeof server->port) != sizeof server->port) {
        bench_die("server", "did not start");
    }
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

void load_server_stop(struct load_server *server)
{
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)munmap(server->commits, sizeof *server->commits);
}

double load_server_memory(const struct load_server *server)
{
    char path[64];
    char line[128];
    double bytes = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", server->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Private_Dirty:", 14) == 0) { /* not what it still shares with this process */
            bytes = strtod(line + 14, NULL) * 1024;
        }
    }
    (void)fclose(file);
    return bytes;
}

/* ---- a phone with its card ---- */

struct customer {
    struct bench_talker talker; /* first */
    struct fleet *fleet;
    size_t card;
    size_t next; /* order */
    double until;
    bool funding; /* the request under way funds the order */
    bool durable; /* the request under way makes something durable */
    unsigned posts;
    size_t done;
    struct samples *samples;
    struct scrip_relay relay;
};

struct samples {
    size_t count;
    double us[SAMPLES_MAX];
};

static struct fleet_order *order_of(const struct customer *customer)
{
    return &customer->fleet->order[customer->card * customer->fleet->orders_per_card + customer->next];
}

static uint64_t now_ms(void)
{
    return (uint64_t)(bench_now() * 1000);
}

static void begin_order(struct customer *customer)
{
    char uri[64];
    (void)snprintf(uri, sizeof uri, "/ota/o/%s", order_of(customer)->id);
    const struct scrip_relay_config config = {
        .order_uri = uri, .preamble = scrip_bytes(customer->fleet->preamble, customer->fleet->preamble_len), .seed = 1};
    fleet_must("phone", scrip_relay_start(&customer->relay, &config, now_ms()));
    customer->posts = 0;
}

static void use_card(struct customer *customer, const struct scrip_relay_ask *ask)
{
    struct scrip_link *link = customer->fleet->card[customer->card].link;
    uint8_t room[512];
    struct scrip_buf rapdu = SCRIP_BUF_OF(room);
    struct scrip_card_info info;
    if (ask->want == SCRIP_RELAY_WANT_COMMAND) {
        fleet_must("card", scrip_link_transmit(link, ask->bytes, &rapdu));
        scrip_relay_card_answered(&customer->relay, now_ms(), scrip_buf_bytes(&rapdu));
    } else {
        fleet_must("card", scrip_link_connect(link, 0, &info));
        scrip_relay_card_came(&customer->relay, now_ms(), &info);
    }
}

/* Let the phone work until it wants to send something. @return false: it is done with its order */
static bool work(struct customer *customer, struct scrip_relay_ask *ask)
{
    for (;;) {
        scrip_relay_next(&customer->relay, now_ms(), ask);
        switch (ask->want) {
        case SCRIP_RELAY_WANT_DONE:
            return false;
        case SCRIP_RELAY_WANT_POST:
            return true;
        case SCRIP_RELAY_WANT_SAVE:
            scrip_relay_saved(&customer->relay, now_ms());
            break;
        case SCRIP_RELAY_WANT_SLEEP:
            scrip_relay_slept(&customer->relay, now_ms() + ask->ms);
            break;
        case SCRIP_RELAY_WANT_SHOW:
            scrip_relay_shown(&customer->relay, now_ms());
            break;
        default:
            use_card(customer, ask);
            break;
        }
    }
}

static void check_finished(const struct customer *customer)
{
    if (scrip_relay_outcome(&customer->relay) != SCRIP_RELAY_FINISHED) {
        bench_die("a top-up did not finish", scrip_relay_why(&customer->relay));
    }
}

static void ask_to_fund(const struct customer *customer, struct scrip_buf *request)
{
    char path[96];
    char body[96];
    const struct fleet_order *order = order_of(customer);
    (void)snprintf(path, sizeof path, "/api/v1/orders/%s/fund", order->id);
    const int len = snprintf(body, sizeof body, "{\"funding_id\":\"%s\"}", order->id);
    bench_request_write(request, true, path, FLEET_OPERATOR, "application/json", scrip_bytes(body, (size_t)len));
}

static bool ask_next(struct bench_talker *talker, struct scrip_buf *request)
{
    struct customer *customer = (struct customer *)talker;
    struct scrip_relay_ask ask;
    if (!customer->funding && !work(customer, &ask)) {
        check_finished(customer);
        customer->done++;
        customer->next++;
        customer->funding = true;
        if (bench_now() >= customer->until) {
            return false;
        }
        if (customer->next == customer->fleet->orders_per_card) {
            bench_die("load", "more orders are needed");
        }
    }
    if (customer->funding) {
        customer->durable = true;
        ask_to_fund(customer, request);
        return true;
    }
    customer->durable = customer->posts > 0; /* the first one only answers the challenge */
    customer->posts++;
    bench_request_write(request, true, ask.uri, order_of(customer)->token, SCRIP_RELAY_TYPE_ANSWER, ask.bytes);
    return true;
}

static void check_funded(const struct bench_answer *answer)
{
    if (answer->status != 204) {
        bench_die("funding", (const char *)answer->body.at);
    }
}

static void take_answer(struct bench_talker *talker, const struct bench_answer *answer)
{
    struct customer *customer = (struct customer *)talker;
    if (customer->durable && customer->samples->count < SAMPLES_MAX) {
        customer->samples->us[customer->samples->count++] = answer->seconds * 1e6;
    }
    if (customer->funding) {
        check_funded(answer);
        customer->funding = false;
        begin_order(customer);
        return;
    }
    const struct scrip_relay_http http = {.code = answer->status,
                                          .ours = true,
                                          .next_uri = answer->next_uri[0] != '\0' ? answer->next_uri : NULL,
                                          .body = answer->body};
    scrip_relay_responded(&customer->relay, now_ms(), &http);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) * 1e-6;
}

static size_t used[4096]; /* orders that each card is through with */

void load_skip(size_t orders)
{
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        used[i] = orders;
    }
}

struct load_result load_run(struct fleet *fleet, struct load_server *server, size_t in_flight, double seconds)
{
    static struct samples samples;
    struct customer *customers = calloc(in_flight, sizeof *customers);
    struct bench_talker **talkers = calloc(in_flight, sizeof(struct bench_talker *));
    if (customers == NULL || talkers == NULL || in_flight > fleet->cards || in_flight > 4096) {
        bench_die("load", "too many at once");
    }
    samples.count = 0;
    bench_pin(1);
    const uint64_t commits = *server->commits;
    const double cpu = cpu_seconds();
    const double start = bench_now();
    for (size_t i = 0; i < in_flight; i++) {
        struct customer *customer = &customers[i];
        customer->talker = (struct bench_talker){ask_next, take_answer};
        customer->fleet = fleet;
        customer->card = i;
        customer->next = used[i];
        customer->until = start + seconds;
        customer->funding = true;
        customer->samples = &samples;
        talkers[i] = &customer->talker;
    }
    bench_client_run(server->port, talkers, in_flight);
    const double spent = bench_now() - start;
    size_t done = 0;
    for (size_t i = 0; i < in_flight; i++) {
        done += customers[i].done;
        used[i] = customers[i].next;
    }
    bench_sort(samples.us, samples.count);
    const struct load_result result = {
        .topups_per_s = (double)done / spent,
        .requests_per_s = (double)done * LOAD_REQUESTS / spent,
        .batch = (double)done * LOAD_DURABLE / (double)(*server->commits - commits),
        .p99_us = bench_quantile(samples.us, samples.count, 0.99),
        .median_us = bench_quantile(samples.us, samples.count, 0.5),
        .client_share = (cpu_seconds() - cpu) / spent,
    };
    free(customers);
    free(talkers);
    return result;
}

/* ---- without HTTP ---- */

static int exchange(struct scrip_server *server, const char *path, const char *bearer, const char *type,
                    struct scrip_bytes body, struct scrip_response *response)
{
    char authorization[128];
    (void)snprintf(authorization, sizeof authorization, "Bearer %s", bearer);
    const struct scrip_request request = {.method = "POST",
                                          .path = path,
                                          .authorization = authorization,
                                          .content_type = type,
                                          .admin_protocol = SCRIP_RELAY_PROTOCOL,
                                          .admin_from = "//aa-id/app/bench/1.0",
                                          .prefer = "return=minimal",
                                          .body = body};
    fleet_must("server", scrip_server_exchange(server, &request, response));
    return response->status;
}

static void fund_directly(struct customer *customer, struct scrip_server *server, struct scrip_response *response)
{
    char path[96];
    char body[96];
    const struct fleet_order *order = order_of(customer);
    (void)snprintf(path, sizeof path, "/api/v1/orders/%s/fund", order->id);
    const int len = snprintf(body, sizeof body, "{\"funding_id\":\"%s\"}", order->id);
    if (exchange(server, path, FLEET_OPERATOR, "application/json", scrip_bytes(body, (size_t)len), response) != 204) {
        bench_die("funding", "refused");
    }
}

/* One top-up of the customer's next order. */
static void topup_directly(struct customer *customer, struct scrip_server *server, struct scrip_response *response)
{
    struct scrip_relay_ask ask;
    begin_order(customer);
    while (work(customer, &ask)) {
        const int status =
            exchange(server, ask.uri, order_of(customer)->token, SCRIP_RELAY_TYPE_ANSWER, ask.bytes, response);
        const struct scrip_relay_http http = {.code = status,
                                              .ours = true,
                                              .next_uri = response->next_uri[0] != '\0' ? response->next_uri : NULL,
                                              .body = scrip_bytes(response->body, response->body_len)};
        scrip_relay_responded(&customer->relay, now_ms(), &http);
    }
    check_finished(customer);
}

void load_direct(struct fleet *fleet, struct scrip_server *server, size_t count)
{
    static struct customer customer;
    struct scrip_response response;
    scrip_response_init(&response);
    for (size_t i = 0; i < count; i++) {
        customer = (struct customer){.fleet = fleet, .card = i % fleet->cards, .next = i / fleet->cards};
        fund_directly(&customer, server, &response);
        topup_directly(&customer, server, &response);
    }
    scrip_response_free(&response);
}

void load_field(struct fleet *fleet, struct scrip_server *server, double *local_s, unsigned *waits, unsigned *apdus)
{
    static struct customer customer;
    struct scrip_response response;
    scrip_response_init(&response);
    customer = (struct customer){.fleet = fleet, .card = 0, .next = fleet->orders_per_card - 1};
    fund_directly(&customer, server, &response);
    const double start = bench_now();
    topup_directly(&customer, server, &response);
    *local_s = bench_now() - start;
    *waits = scrip_relay_counts(&customer.relay)->waits;
    *apdus = scrip_relay_counts(&customer.relay)->apdus;
    scrip_response_free(&response);
}

/* ---- idle connections, waiting orders ---- */

static bool ask_once(struct bench_talker *talker, struct scrip_buf *request)
{
    struct customer *customer = (struct customer *)talker;
    if (customer->done > 0) {
        return false;
    }
    ask_to_fund(customer, request);
    return true;
}

static void take_once(struct bench_talker *talker, const struct bench_answer *answer)
{
    struct customer *customer = (struct customer *)talker;
    check_funded(answer);
    customer->done = 1;
}

double load_idle_connection_bytes(const struct load_server *server, size_t count)
{
    int *sockets = calloc(count, sizeof *sockets);
    if (sockets == NULL) {
        bench_die("idle connections", "out of memory");
    }
    const double before = load_server_memory(server);
    for (size_t i = 0; i < count; i++) {
        static const char request[] = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        char answer[1024];
        sockets[i] = bench_client_connect(server->port);
        if (write(sockets[i], request, sizeof request - 1) != sizeof request - 1 ||
            read(sockets[i], answer, sizeof answer) <= 0) {
            bench_die("idle connections", "no answer");
        }
    }
    const double after = load_server_memory(server);
    for (size_t i = 0; i < count; i++) {
        (void)close(sockets[i]);
    }
    free(sockets);
    return (after - before) / (double)count;
}

double load_waiting_order_bytes(struct fleet *fleet, const struct load_server *server, size_t count)
{
    static struct customer customer;
    struct bench_talker *talker = &customer.talker;
    const double before = load_server_memory(server);
    for (size_t i = 0; i < count; i++) { /* from the end: the load takes them from the start */
        customer = (struct customer){.talker = {ask_once, take_once},
                                     .fleet = fleet,
                                     .card = i % fleet->cards,
                                     .next = fleet->orders_per_card - 2 - i / fleet->cards};
        bench_client_run(server->port, &talker, 1);
    }
    return (load_server_memory(server) - before) / (double)count;
}
