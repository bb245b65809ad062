/* HTTP on loopback, through a client that others wrote (libcurl), and by hand where libcurl is too polite. */
#include "bench.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
    struct bench bench;
    struct scrip_http *http;
    pthread_t thread;
    volatile bool stop;
    char url[96];
    char dir[64];
    char cert[96];
    char key[96];
} world;

static void *serve(void *arg)
{
    (void)arg;
    return scrip_http_run(world.http, &world.stop) == SCRIP_OK ? &world : NULL;
}

static void start(struct scrip_http_config config)
{
    bench_open(&world.bench);
    given_card(&world.bench, ALICE, "an12113");
    config.server = world.bench.server;
    assert_ok(scrip_http_open(&config, &world.http));
    (void)snprintf(world.url, sizeof world.url, "%s://localhost:%u", config.cert_file == NULL ? "http" : "https",
                   scrip_http_port(world.http));
    world.stop = false;
    assert_int_equal(pthread_create(&world.thread, NULL, serve, NULL), 0);
}

static int set_up(void **state)
{
    (void)state;
    start((struct scrip_http_config){.idle_timeout_s = 1});
    return 0;
}

/* For tests whose connections wait for each other, however slow the machine is. */
static int set_up_patient(void **state)
{
    (void)state;
    start((struct scrip_http_config){.idle_timeout_s = 60});
    return 0;
}

static void stop_serving(void)
{
    void *result = NULL;
    world.stop = true;
    pthread_join(world.thread, &result);
    assert_non_null(result);
}

static int tear_down(void **state)
{
    (void)state;
    stop_serving();
    scrip_http_close(world.http);
    bench_close(&world.bench);
    return 0;
}

/* ---- libcurl ---- */

struct answer {
    long status;
    char body[70000];
    size_t len;
    char headers[8192];
    size_t headers_len;
};

static size_t keep_body(char *at, size_t size, size_t count, void *ctx)
{
    struct answer *answer = ctx;
    const size_t len = size * count;
    if (answer->len + len < sizeof answer->body) {
        memcpy(answer->body + answer->len, at, len);
        answer->len += len;
        answer->body[answer->len] = '\0';
    }
    return len;
}

static size_t keep_header(char *at, size_t size, size_t count, void *ctx)
{
    struct answer *answer = ctx;
    const size_t len = size * count;
    if (answer->headers_len + len < sizeof answer->headers) {
        memcpy(answer->headers + answer->headers_len, at, len);
        answer->headers_len += len;
        answer->headers[answer->headers_len] = '\0';
    }
    return len;
}

static CURL *client(const char *path, struct answer *answer)
{
    char url[256];
    CURL *curl = curl_easy_init();
    memset(answer, 0, sizeof *answer);
    (void)snprintf(url, sizeof url, "%s%s", world.url, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, OPERATOR);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    return curl;
}

static CURLcode finish(CURL *curl, struct answer *answer)
{
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_cleanup(curl);
    return code;
}

static long get(const char *path, struct answer *answer)
{
    assert_int_equal(finish(client(path, answer), answer), CURLE_OK);
    return answer->status;
}

static long post(const char *path, const char *body, size_t len, struct answer *answer)
{
    CURL *curl = client(path, answer);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)len);
    assert_int_equal(finish(curl, answer), CURLE_OK);
    return answer->status;
}

static const char ORDER[] =
    "{\"id\":\"order-1\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":2000,\"currency\":\"EUR\"}";

static void an_order_is_made_over_http(void **state)
{
    static struct answer answer;
    (void)state;
    assert_int_equal(post("/api/v1/orders", ORDER, strlen(ORDER), &answer), 201);
    assert_non_null(strstr(answer.body, "\"state\":\"CREATED\""));
    assert_non_null(strstr(answer.headers, "application/json"));
    assert_int_equal(get("/api/v1/orders?limit=5&state=CREATED", &answer), 200);
    assert_non_null(strstr(answer.body, "order-1"));
    assert_int_equal(get("/api/v1/orders?state=FUNDED", &answer), 200);
    assert_null(strstr(answer.body, "order-1"));
}

static void a_wrong_key_is_401_with_its_challenge(void **state)
{
    static struct answer answer;
    (void)state;
    CURL *curl = client("/api/v1/orders", &answer);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, "guess");
    assert_int_equal(finish(curl, &answer), CURLE_OK);
    assert_int_equal(answer.status, 401);
    assert_non_null(strstr(answer.headers, "WWW-Authenticate: Bearer"));
    assert_non_null(strstr(answer.body, "urn:scrip:problem:UNAUTHORIZED"));
}

static void a_body_over_64_kib_is_413(void **state)
{
    static struct answer answer;
    static char body[SCRIP_SERVER_BODY_MAX + 1];
    (void)state;
    memset(body, ' ', sizeof body);
    assert_int_equal(post("/api/v1/orders", body, sizeof body, &answer), 413);
    assert_int_equal(post("/api/v1/orders", body, sizeof body - 1, &answer), 400);
}

static size_t endless(char *at, size_t size, size_t count, void *ctx)
{
    size_t *left = ctx;
    const size_t len = size * count < *left ? size * count : *left;
    memset(at, ' ', len);
    *left -= len;
    return len;
}

static void a_chunked_body_over_64_kib_is_413_as_well(void **state)
{
    static struct answer answer;
    size_t left = 200000;
    (void)state;
    CURL *curl = client("/api/v1/orders", &answer);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, endless);
    curl_easy_setopt(curl, CURLOPT_READDATA, &left);
    struct curl_slist *headers = curl_slist_append(NULL, "Transfer-Encoding: chunked");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    assert_int_equal(finish(curl, &answer), CURLE_OK);
    curl_slist_free_all(headers);
    assert_int_equal(answer.status, 413);
}

static void a_relay_of_another_protocol_is_406_and_answers_name_ours(void **state)
{
    static struct answer answer;
    char token[SCRIP_PHONE_TOKEN_MAX];
    (void)state;
    assert_int_equal(post("/api/v1/orders", ORDER, strlen(ORDER), &answer), 201);
    assert_int_equal(post("/api/v1/orders/order-1/fund", "{\"funding_id\":\"p1\"}", 19, &answer), 200);
    assert_ok(scrip_server_phone_token(world.bench.server, "order-1", token));
    for (int ours = 0; ours < 2; ours++) {
        CURL *curl = client("/ota/o/order-1", &answer);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, token);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
        struct curl_slist *headers =
            curl_slist_append(NULL, ours ? "X-Admin-Protocol: scrip-remote-admin/1.0"
                                         : "X-Admin-Protocol: globalplatform-remote-admin/1.0");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        assert_int_equal(finish(curl, &answer), CURLE_OK);
        curl_slist_free_all(headers);
        assert_int_equal(answer.status, ours ? 200 : 406);
        assert_non_null(strstr(answer.headers, "X-Admin-Protocol: scrip-remote-admin/1.0"));
    }
    assert_non_null(strstr(answer.headers, "X-Admin-Next-URI: /ota/s/"));
    assert_non_null(strstr(answer.headers, "application/vnd.etsi.scp.command-data;version=1.0"));
    assert_int_equal((uint8_t)answer.body[0], 0xAA);
}

/* ---- many at once ---- */

static void requests_in_flight_share_commits(void **state)
{
    enum { MANY = 64 };
    static struct answer answers[MANY];
    static char bodies[MANY][256];
    CURL *curls[MANY];
    int running = 0;
    CURLM *multi = curl_multi_init();
    (void)state;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(
            bodies[i], sizeof bodies[i],
            "{\"id\":\"many-%d\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}", i);
        curls[i] = client("/api/v1/orders", &answers[i]);
        curl_easy_setopt(curls[i], CURLOPT_POSTFIELDS, bodies[i]);
        curl_multi_add_handle(multi, curls[i]);
    }
    do {
        assert_int_equal(curl_multi_perform(multi, &running), CURLM_OK);
        (void)curl_multi_poll(multi, NULL, 0, 100, NULL);
    } while (running > 0);
    for (int i = 0; i < MANY; i++) {
        long status = 0;
        curl_easy_getinfo(curls[i], CURLINFO_RESPONSE_CODE, &status);
        assert_int_equal(status, 201);
        curl_multi_remove_handle(multi, curls[i]);
        curl_easy_cleanup(curls[i]);
    }
    curl_multi_cleanup(multi);
}

/* ---- by hand ---- */

static int connect_raw(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(scrip_http_port(world.http))};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Bytes until the other side closes or `ms` are over; how many. */
static size_t receive(int fd, char *at, size_t cap, int ms, bool *closed)
{
    size_t len = 0;
    *closed = false;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (len < cap && poll(&poll_fd, 1, ms) > 0) {
        const ssize_t got = recv(fd, at + len, cap - len, 0);
        if (got <= 0) {
            *closed = true;
            break;
        }
        len += (size_t)got;
    }
    return len;
}

static void an_idle_connection_is_closed(void **state)
{
    char at[256];
    bool closed;
    (void)state;
    const int fd = connect_raw();
    (void)receive(fd, at, sizeof at, 4000, &closed);
    assert_true(closed);
    close(fd);
}

static void garbage_and_half_requests_hurt_nobody(void **state)
{
    static const char *const sent[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        "GET /%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    static struct answer answer;
    (void)state;
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        const int fd = connect_raw();
        assert_true(send(fd, sent[i], strlen(sent[i]), MSG_NOSIGNAL) > 0);
        close(fd);
    }
    assert_int_equal(get("/health", &answer), 200);
}

static void a_request_line_longer_than_the_pool_is_refused(void **state)
{
    static char request[20000];
    static char at[4096];
    bool closed;
    (void)state;
    memset(request, 'a', sizeof request - 1);
    memcpy(request, "GET /", 5);
    const int fd = connect_raw();
    (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    const size_t len = receive(fd, at, sizeof at - 1, 3000, &closed);
    at[len] = '\0';
    assert_true(closed || strstr(at, " 414 ") != NULL || strstr(at, " 431 ") != NULL || strstr(at, " 413 ") != NULL);
    close(fd);
}

/* Not every client asks first whether it may send so much. */
static void a_large_body_is_read_to_its_end_and_answered(void **state)
{
    static const size_t sizes[] = {SCRIP_SERVER_BODY_MAX + 1, 200000, 1000000};
    static char body[1000000];
    (void)state;
    memset(body, ' ', sizeof body);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char head[256];
        char at[4096];
        bool closed;
        const int fd = connect_raw();
        const int len = snprintf(head, sizeof head,
                                 "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
        assert_int_equal(send(fd, head, (size_t)len, MSG_NOSIGNAL), len);
        for (size_t sent = 0; sent < sizes[i];) {
            const ssize_t more = send(fd, body, sizes[i] - sent, MSG_NOSIGNAL);
            assert_true(more > 0);
            sent += (size_t)more;
        }
        const size_t got = receive(fd, at, sizeof at - 1, 3000, &closed);
        at[got] = '\0';
        assert_non_null(strstr(at, " 413 "));
        assert_non_null(strstr(at, "urn:scrip:problem:TOO_LARGE"));
        close(fd);
    }
}

/* As many as there are at once: those that do not fit into one tick are answered by the next. */
static void a_crowd_of_requests_is_answered_in_turns(void **state)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    static int fds[400];
    char at[4096];
    (void)state;
    for (size_t i = 0; i < 400; i++) {
        fds[i] = connect_raw();
        assert_int_equal(send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
        assert_true(recv(fds[i], at, sizeof at, 0) > 0);
    }
    stop_serving(); /* nobody answers until all have asked again */
    world.stop = false;
    for (size_t i = 0; i < 400; i++) {
        assert_int_equal(send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    }
    assert_int_equal(pthread_create(&world.thread, NULL, serve, NULL), 0);
    for (size_t i = 0; i < 400; i++) {
        const ssize_t got = recv(fds[i], at, sizeof at - 1, 0);
        assert_true(got > 0);
        at[got] = '\0';
        assert_non_null(strstr(at, " 200 "));
        close(fds[i]);
    }
}

static void stopping_finishes_what_is_in_flight(void **state)
{
    static const char head[] = "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " OPERATOR
                               "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n";
    char request[512];
    char at[4096];
    bool closed;
    (void)state;
    const int fd = connect_raw();
    const int len = snprintf(request, sizeof request, head, strlen(ORDER));
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    const struct timespec pause = {.tv_nsec = 100000000};
    nanosleep(&pause, NULL); /* the head has arrived, the body has not */
    world.stop = true;
    nanosleep(&pause, NULL);
    assert_int_equal(send(fd, ORDER, strlen(ORDER), MSG_NOSIGNAL), strlen(ORDER));
    const size_t got = receive(fd, at, sizeof at - 1, 3000, &closed);
    at[got] = '\0';
    assert_non_null(strstr(at, " 201 "));
    close(fd);
}

/* ---- TLS ---- */

static void a_self_made_certificate_serves_tls(void **state)
{
    static struct answer answer;
    (void)state;
    strcpy(world.dir, "/tmp/scrip-tls-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    (void)snprintf(world.cert, sizeof world.cert, "%s/cert.pem", world.dir);
    (void)snprintf(world.key, sizeof world.key, "%s/key.pem", world.dir);
    assert_ok(scrip_http_make_certificate(world.cert, world.key, 2));
    start((struct scrip_http_config){.cert_file = world.cert, .key_file = world.key});
    CURL *curl = client("/health", &answer);
    curl_easy_setopt(curl, CURLOPT_CAINFO, world.cert);
    assert_int_equal(finish(curl, &answer), CURLE_OK);
    assert_int_equal(answer.status, 200);
    curl = client("/health", &answer);
    assert_int_not_equal(finish(curl, &answer), CURLE_OK); /* nobody trusts it unasked */
    curl = client("/health", &answer);
    curl_easy_setopt(curl, CURLOPT_CAINFO, world.cert);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "ALL:@SECLEVEL=0"); /* a client that would take anything */
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_1);
    assert_int_equal(finish(curl, &answer), CURLE_SSL_CONNECT_ERROR); /* TLS 1.2 is the least */
    (void)tear_down(NULL);
    (void)unlink(world.cert);
    (void)unlink(world.key);
    (void)rmdir(world.dir);
}

static void a_taken_port_or_a_missing_certificate_is_said(void **state)
{
    struct scrip_http *other = NULL;
    struct scrip_http_config config = {.server = world.bench.server, .port = scrip_http_port(world.http)};
    (void)state;
    config.address = "192.0.2.1";
    assert_status(scrip_http_open(&config, &other), SCRIP_E_NETWORK);
    config.address = "localhost";
    assert_status(scrip_http_open(&config, &other), SCRIP_E_NETWORK);
    config.address = NULL;
    assert_status(scrip_http_open(&config, &other), SCRIP_E_NETWORK);
    config.port = 0;
    config.cert_file = "/nonexistent/cert.pem";
    config.key_file = "/nonexistent/key.pem";
    assert_status(scrip_http_open(&config, &other), SCRIP_E_IO);
    config.cert_file = __FILE__;
    config.key_file = __FILE__;
    assert_status(scrip_http_open(&config, &other), SCRIP_E_FORMAT);
    assert_null(other);
}

/* A client may come as soon as the address is taken, and is answered once there is a server. */
static void a_client_that_came_before_the_server_is_answered(void **state)
{
    struct answer answer;
    struct scrip_http_config config = {.idle_timeout_s = 1};
    (void)state;
    bench_open(&world.bench);
    assert_ok(scrip_http_open(&config, &world.http));
    (void)snprintf(world.url, sizeof world.url, "http://localhost:%u", scrip_http_port(world.http));
    CURL *early = client("/health", &answer);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(scrip_http_port(world.http))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&at, sizeof at), 0);
    scrip_http_serve(world.http, world.bench.server);
    world.stop = false;
    assert_int_equal(pthread_create(&world.thread, NULL, serve, NULL), 0);
    static const char request[] = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    char got[16] = "";
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    assert_int_equal(read(fd, got, 12), 12);
    assert_string_equal(got, "HTTP/1.1 200");
    close(fd);
    assert_int_equal(finish(early, &answer), CURLE_OK);
    assert_int_equal(answer.status, 200);
    (void)tear_down(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_made_over_http),
        TEST(a_wrong_key_is_401_with_its_challenge),
        TEST(a_body_over_64_kib_is_413),
        TEST(a_chunked_body_over_64_kib_is_413_as_well),
        TEST(a_relay_of_another_protocol_is_406_and_answers_name_ours),
        TEST(requests_in_flight_share_commits),
        TEST(an_idle_connection_is_closed),
        TEST(garbage_and_half_requests_hurt_nobody),
        TEST(a_request_line_longer_than_the_pool_is_refused),
        TEST(a_large_body_is_read_to_its_end_and_answered),
        cmocka_unit_test_setup_teardown(a_crowd_of_requests_is_answered_in_turns, set_up_patient, tear_down),
        TEST(stopping_finishes_what_is_in_flight),
        TEST(a_taken_port_or_a_missing_certificate_is_said),
        cmocka_unit_test(a_client_that_came_before_the_server_is_answered),
        cmocka_unit_test(a_self_made_certificate_serves_tls),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
