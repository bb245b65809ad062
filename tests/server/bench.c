#include "bench.h"

#include <stdio.h>

static bool commit_hook(void *ctx, bool after)
{
    struct bench *b = ctx;
    if (b->on_commit != NULL && !b->on_commit(b, after)) {
        return false;
    }
    if (b->commits_until_fail == 0 || after != b->fail_after) {
        return true;
    }
    return --b->commits_until_fail != 0;
}

static void keep_log(void *ctx, const char *line)
{
    struct bench *b = ctx;
    memcpy(b->log_before, b->last_log, sizeof b->log_before);
    (void)snprintf(b->last_log, sizeof b->last_log, "%s", line);
    b->log_lines++;
}

struct scrip_server_config bench_config(struct bench *b)
{
    return (struct scrip_server_config){
        .ledger = b->ledger,
        .keys = b->keys,
        .clock = scrip_clock_fake(&b->clock),
        .random = scrip_random_seeded(&b->random),
        .log = {b, keep_log},
        .operator_key = OPERATOR,
        .server_id = {'S', 'R', 'V', '1'},
        .currency = "EUR",
        .currency_exponent = 2,
    };
}

void bench_open(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->clock.now_ms = NOON;
    b->bearer = OPERATOR;
    scrip_random_seeded_init(&b->random, 7);
    const struct scrip_random random = scrip_random_seeded(&b->random);
    const struct scrip_clock clock = scrip_clock_fake(&b->clock);
    const struct scrip_ledger_config ledger = {
        .path = ":memory:", .clock = clock, .commit_hook = commit_hook, .commit_ctx = b};
    assert_ok(scrip_keys_file_new(&b->keys));
    assert_ok(scrip_keys_file_fill(b->keys, &random, &clock));
    assert_ok(scrip_ledger_open(&ledger, &b->ledger));
    const struct scrip_server_config config = bench_config(b);
    assert_ok(scrip_server_new(&config, &b->server));
    scrip_response_init(&b->response);
}

void bench_close(struct bench *b)
{
    json_decref(b->json);
    scrip_response_free(&b->response);
    scrip_server_free(b->server);
    scrip_ledger_close(b->ledger);
    scrip_keys_close(b->keys);
}

struct scrip_server *bench_second_instance(struct bench *b)
{
    struct scrip_server *server;
    const struct scrip_server_config config = bench_config(b);
    assert_ok(scrip_server_new(&config, &server));
    return server;
}

int ask_request(struct bench *b, struct scrip_server *server, const struct scrip_request *request)
{
    json_decref(b->json);
    b->json = NULL;
    (void)scrip_server_exchange(server, request, &b->response);
    if (b->response.body_len > 0) {
        b->json = json_loadb((const char *)b->response.body, b->response.body_len, 0, NULL);
    }
    return b->response.status;
}

int ask_bytes(struct bench *b, const char *method, const char *path, struct scrip_bytes body)
{
    char authorization[512];
    char plain[SCRIP_SERVER_TOKEN_MAX];
    (void)snprintf(plain, sizeof plain, "%s", path);
    char *query = strchr(plain, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    (void)snprintf(authorization, sizeof authorization, "Bearer %s", b->bearer == NULL ? "" : b->bearer);
    const struct scrip_request request = {
        .method = method,
        .path = plain,
        .query = query,
        .authorization = b->bearer == NULL ? NULL : authorization,
        .admin_protocol = "scrip-remote-admin/1.0",
        .prefer = b->prefer,
        .peer = b->peer,
        .body = body,
    };
    return ask_request(b, b->server, &request);
}

int ask(struct bench *b, const char *method, const char *path, const char *body)
{
    return ask_bytes(b, method, path, scrip_bytes(body, body == NULL ? 0 : strlen(body)));
}

static json_t *member(const struct bench *b, const char *path)
{
    char names[128];
    char *rest = NULL;
    json_t *at = b->json;
    (void)snprintf(names, sizeof names, "%s", path);
    for (char *name = strtok_r(names, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(name)) : json_object_get(at, name);
    }
    return at;
}

const char *text_of(const struct bench *b, const char *path)
{
    const char *text = json_string_value(member(b, path));
    return text == NULL ? "" : text;
}

json_int_t number_of(const struct bench *b, const char *path)
{
    return json_integer_value(member(b, path));
}

bool truth_of(const struct bench *b, const char *path)
{
    return json_is_true(member(b, path));
}

const char *problem_of_answer(const struct bench *b)
{
    const char *type = text_of(b, "type");
    const char *colon = strrchr(type, ':');
    return colon == NULL ? "" : colon + 1;
}

void given_card(struct bench *b, const char *uid, const char *profile)
{
    char body[256];
    (void)snprintf(body, sizeof body, "{\"uid\":\"%s\",\"profile\":\"%s\",\"key_version\":1}", uid, profile);
    assert_int_equal(ask(b, "POST", "/api/v1/cards", body), 201);
}

void given_order(struct bench *b, const char *id, const char *uid, int amount)
{
    char body[256];
    (void)snprintf(body, sizeof body,
                   "{\"id\":\"%s\",\"card\":\"%s\",\"kind\":\"topup\",\"amount\":%d,\"currency\":\"EUR\"}", id, uid,
                   amount);
    assert_int_equal(ask(b, "POST", "/api/v1/orders", body), 201);
}

void given_funded_order(struct bench *b, const char *id, const char *uid, int amount)
{
    char path[128];
    char body[128];
    given_order(b, id, uid, amount);
    (void)snprintf(path, sizeof path, "/api/v1/orders/%s/fund", id);
    (void)snprintf(body, sizeof body, "{\"funding_id\":\"pay-%s\"}", id);
    assert_int_equal(ask(b, "POST", path, body), 200);
}
