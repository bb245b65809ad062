/* The JSON API: every rule a shop, an operator or a terminal can run into. */
#include "bench.h"

#include <scrip/journal.h>
#include <scrip/purse_desfire.h>
#include <stdio.h>

static struct bench bench;

static int set_up(void **state)
{
    *state = &bench;
    bench_open(&bench);
    return 0;
}

static int tear_down(void **state)
{
    bench_close(*state);
    return 0;
}

static void assert_problem_(const struct bench *b, const char *name, const char *file, int line)
{
    if (strcmp(problem_of_answer(b), name) != 0) {
        print_error("%s:%d: wanted problem %s, got %d %.*s\n", file, line, name, b->response.status,
                    (int)b->response.body_len, (const char *)b->response.body);
        _fail(file, line);
    }
    assert_true(strlen(text_of(b, "layer")) > 0);
    assert_true(strlen(text_of(b, "remedy")) > 0);
    assert_int_equal(number_of(b, "status"), b->response.status);
    assert_string_equal(b->response.content_type, "application/problem+json");
}

#define assert_problem(b, name) assert_problem_((b), (name), __FILE__, __LINE__)

/* ---- orders ---- */

static void an_order_is_created_funded_and_shown(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_order(b, "order-1", ALICE, 2000);
    assert_string_equal(text_of(b, "state"), "CREATED");
    assert_string_equal(text_of(b, "card"), ALICE);
    assert_int_equal(number_of(b, "amount.minor"), 2000);
    assert_string_equal(text_of(b, "amount.currency"), "EUR");
    assert_string_equal(text_of(b, "uri"), "/ota/o/order-1");
    assert_true(strlen(text_of(b, "phone_token")) > 20);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"pay-1\"}"), 200);
    assert_string_equal(text_of(b, "state"), "FUNDED");
    assert_int_equal(ask(b, "GET", "/api/v1/orders/order-1", NULL), 200);
    assert_string_equal(text_of(b, "state"), "FUNDED");
    assert_string_equal(text_of(b, "funding_id"), "pay-1");
}

static void the_same_id_again_is_the_same_order_and_other_content_a_conflict(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_order(b, "order-1", ALICE, 2000);
    b->clock.now_ms += 60000; /* the server's own expiry must not make it another order */
    assert_int_equal(ask(b, "POST", "/api/v1/orders",
                         "{\"id\":\"order-1\",\"card\":\"" ALICE
                         "\",\"kind\":\"topup\",\"amount\":2000,\"currency\":\"EUR\"}"),
                     200);
    assert_int_equal(ask(b, "POST", "/api/v1/orders",
                         "{\"id\":\"order-1\",\"card\":\"" ALICE
                         "\",\"kind\":\"topup\",\"amount\":2001,\"currency\":\"EUR\"}"),
                     409);
    assert_problem(b, "ID_CONFLICT");
}

static void malformed_orders_are_refused_with_the_reason(void **state)
{
    struct bench *b = *state;
    static const char *const malformed[] = {
        "{",
        "[]",
        "{}",
        "{\"id\":\"o\"}",
        "{\"id\":\"a b\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"a/b\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"..\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"0411\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"gift\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":0,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":-5,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":2147483648,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1.5,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":\"1\",\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"USD\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\",\"extra\":1}",
        "{\"id\":\"o\",\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"write\"}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"write\",\"data\":\"00\",\"offset\":60}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"write\",\"data\":\"0\",\"offset\":0}",
        "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"rekey\",\"key_version\":9}",
    };
    given_card(b, ALICE, "an12113");
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_int_equal(ask(b, "POST", "/api/v1/orders", malformed[i]), 400);
        assert_problem(b, "MALFORMED");
        assert_true(strlen(text_of(b, "detail")) > 0);
    }
    assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "orders")), 0);
}

static void an_order_needs_a_card_that_is_registered(void **state)
{
    struct bench *b = *state;
    assert_int_equal(ask(b, "POST", "/api/v1/orders",
                         "{\"id\":\"o\",\"card\":\"" BOB "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}"),
                     404);
    assert_problem(b, "NO_SUCH_CARD");
    assert_int_equal(ask(b, "GET", "/api/v1/orders/nothing", NULL), 404);
    assert_problem(b, "NO_SUCH_ORDER");
}

static void funding_twice_is_harmless_alike_and_refused_otherwise(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    given_order(b, "order-2", ALICE, 500);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"pay-order-1\"}"), 200);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"pay-other\"}"), 409);
    assert_problem(b, "FUNDED_TWICE");
    assert_string_equal(text_of(b, "detail"), "pay-order-1");
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-2/fund", "{\"funding_id\":\"pay-order-1\"}"), 409);
    assert_problem(b, "ID_CONFLICT");
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/balances", NULL), 200);
    assert_int_equal(number_of(b, "balances.IN_FLIGHT.minor"), 2000);
}

static int fund_and_prefer(struct bench *b, const char *prefer)
{
    b->prefer = prefer;
    const int status = ask(b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"pay-1\"}");
    b->prefer = NULL;
    return status;
}

static void who_wants_no_answer_gets_none(void **state)
{
    static const char *const minimal[] = {"return=minimal",
                                          "Return=Minimal",
                                          "respond-async, return=minimal",
                                          " ,,return=minimal;foo=\"bar\"",
                                          "wait=10;x=y ,\treturn=minimal , lenient",
                                          "return = minimal",
                                          "return=\"minimal\"",
                                          "a=\"\\\",\", return=minimal",
                                          "return, return=minimal, return=representation"};
    static const char *const whole[] = {"",
                                        ",",
                                        "return",
                                        "return=",
                                        "return=representation",
                                        "return=minimal2",
                                        "xreturn=minimal",
                                        "wait=return=minimal",
                                        "foo;return=minimal",
                                        "return minimal",
                                        "return=representation, return=minimal",
                                        "foo=\"a, return=minimal, b\"",
                                        "foo=\"a\\\", return=minimal",
                                        "foo=\"a\\"};
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_order(b, "order-1", ALICE, 2000);
    for (size_t i = 0; i < sizeof minimal / sizeof *minimal; i++) {
        assert_int_equal(fund_and_prefer(b, minimal[i]), 204);
        assert_int_equal(b->response.body_len, 0);
        assert_null(b->response.content_type);
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        assert_int_equal(fund_and_prefer(b, whole[i]), 200);
        assert_string_equal(text_of(b, "state"), "FUNDED");
    }
    b->prefer = "return=minimal"; /* nothing is kept back of a refusal, nor of what was asked for */
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"pay-2\"}"), 409);
    assert_problem(b, "FUNDED_TWICE");
    assert_int_equal(ask(b, "GET", "/api/v1/orders/order-1", NULL), 200);
    assert_string_equal(text_of(b, "funding_id"), "pay-1");
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/cancel", NULL), 204);
    b->prefer = NULL;
}

static void a_funded_order_can_be_cancelled_with_its_money_back(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/cancel", NULL), 200);
    assert_string_equal(text_of(b, "state"), "CANCELLED");
    assert_true(truth_of(b, "final"));
    assert_string_equal(text_of(b, "phone_token"), "");
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/cancel", NULL), 200);
    given_order(b, "order-2", ALICE, 10);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-2/cancel", NULL), 200);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-2/fund", "{\"funding_id\":\"pay-2\"}"), 409);
    assert_problem(b, "ORDER_STATE");
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/balances", NULL), 200);
    assert_int_equal(number_of(b, "balances.IN_FLIGHT.minor"), 0);
    assert_int_equal(number_of(b, "balances.FUNDING.minor"), 0);
}

static void an_order_that_nobody_fetched_expires_with_its_money_back(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    b->clock.now_ms += 31ULL * 86400000ULL;
    assert_int_equal(ask(b, "GET", "/api/v1/orders/order-1", NULL), 200);
    assert_string_equal(text_of(b, "state"), "EXPIRED");
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/balances", NULL), 200);
    assert_int_equal(number_of(b, "balances.IN_FLIGHT.minor"), 0);
}

static void orders_expire_without_anybody_asking(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    b->clock.now_ms += 31ULL * 86400000ULL;
    assert_ok(scrip_server_idle(b->server));
    struct scrip_ledger_order order;
    assert_ok(scrip_ledger_order_get(b->ledger, "order-1", &order));
    assert_int_equal(order.state, SCRIP_STATE_EXPIRED);
    assert_ok(scrip_server_idle(b->server));
}

static void only_an_issued_order_can_be_claimed(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/claim", "{\"reason\":\"card lost\"}"), 409);
    assert_problem(b, "ORDER_STATE");
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/resolve", "{\"decision\":\"maybe\"}"), 400);
    assert_problem(b, "MALFORMED");
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/resolve", "{\"decision\":\"on-card\"}"), 409);
    assert_problem(b, "ORDER_STATE");
}

static void orders_are_listed_by_card_state_and_page(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_card(b, BOB, "ev1");
    given_order(b, "a-1", ALICE, 1);
    given_funded_order(b, "a-2", ALICE, 2);
    given_order(b, "b-1", BOB, 3);
    assert_int_equal(ask(b, "GET", "/api/v1/orders?card=" ALICE, NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "orders")), 2);
    assert_int_equal(ask(b, "GET", "/api/v1/orders?state=FUNDED", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "orders")), 1);
    assert_string_equal(text_of(b, "orders.0.id"), "a-2");
    assert_int_equal(ask(b, "GET", "/api/v1/orders?limit=2", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "orders")), 2);
    assert_true(truth_of(b, "more"));
    assert_int_equal(ask(b, "GET", "/api/v1/orders?limit=2&after=a-2", NULL), 200);
    assert_string_equal(text_of(b, "orders.0.id"), "b-1");
    assert_false(truth_of(b, "more"));
    assert_int_equal(ask(b, "GET", "/api/v1/orders?", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "orders")), 3);
}

/* A filter with a slip in it must not look like a list that has nothing, or everything. */
static void a_query_that_is_not_understood_is_refused(void **state)
{
    struct bench *b = *state;
    static const char *const wrong[] = {
        "orders?card=nonsense",
        "orders?card=",
        "orders?state=nonsense",
        "orders?state=funded",
        "orders?state=FUNDED_AND_MORE_THAN_ANY_STATE_HAS",
        "orders?limit=0",
        "orders?limit=1001",
        "orders?limit=-1",
        "orders?limit=+1",
        "orders?limit=ten",
        "orders?limit=10x",
        "orders?limit=18446744073709551617",
        "orders?limit=",
        "orders?limit",
        "orders?limit=1&limit=2",
        "orders?after=nobody",
        "orders?after=a-1&card=" BOB,
        "orders?status=FUNDED",
        "orders?limit=1&&state=FUNDED",
        "orders?=1",
        "cards?after=nonsense",
        "cards?after=" BOB,
        "cards?limit=5",
        "ledger/entries?from=0",
        "ledger/entries?from=first",
        "ledger/entries?limit=0",
        "ledger/entries?limit=1001",
        "ledger/entries?card=nonsense",
        "ledger/entries?merchant=shop",
    };
    given_card(b, ALICE, "an12113");
    given_order(b, "a-1", ALICE, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/api/v1/%s", wrong[i]);
        if (ask(b, "GET", path, NULL) != 400 || strcmp(problem_of_answer(b), "MALFORMED") != 0) {
            fail_msg("%s: %d %s", path, b->response.status, problem_of_answer(b));
        }
    }
    (void)ask(b, "GET", "/api/v1/orders?status=FUNDED", NULL);
    assert_string_equal(text_of(b, "detail"), "the query takes, each once and with a value: card state limit after");
    (void)ask(b, "GET", "/api/v1/orders?limit=0", NULL);
    assert_string_equal(text_of(b, "detail"), "limit must be a number from 1 to 1000");
}

static void cards_are_listed_page_by_page(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_card(b, BOB, "ev1");
    assert_int_equal(ask(b, "GET", "/api/v1/cards", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "cards")), 2);
    assert_int_equal(ask(b, "GET", "/api/v1/cards?after=" ALICE, NULL), 200);
    assert_string_equal(text_of(b, "cards.0.uid"), BOB);
    assert_int_equal(json_array_size(json_object_get(b->json, "cards")), 1);
}

/* ---- who may ---- */

static void without_a_key_nothing_but_health_and_metrics_is_shown(void **state)
{
    struct bench *b = *state;
    static const char *const paths[] = {"/api/v1/orders", "/api/v1/cards", "/api/v1/ledger/balances",
                                        "/api/v1/orders/order-1", ("/api/v1/cards/" ALICE)};
    given_card(b, ALICE, "an12113");
    given_order(b, "order-1", ALICE, 2000);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        b->bearer = NULL;
        assert_int_equal(ask(b, "GET", paths[i], NULL), 401);
        assert_problem(b, "UNAUTHORIZED");
        b->bearer = "a guess";
        assert_int_equal(ask(b, "GET", paths[i], NULL), 401);
    }
    b->bearer = NULL;
    assert_int_equal(ask(b, "GET", "/health", NULL), 200);
    assert_int_equal(ask(b, "GET", "/metrics", NULL), 200);
}

static void keys_of_shops_and_terminals_do_their_own_work_only(void **state)
{
    struct bench *b = *state;
    char shop[64];
    char terminal[64];
    given_card(b, ALICE, "an12113");
    assert_int_equal(ask(b, "POST", "/api/v1/merchants", "{\"id\":\"cafe\",\"name\":\"Café\"}"), 201);
    assert_int_equal(
        ask(b, "POST", "/api/v1/terminals", "{\"id\":\"54520001\",\"merchant\":\"cafe\",\"name\":\"Till 1\"}"), 201);
    assert_int_equal(ask(b, "POST", "/api/v1/keys", "{\"name\":\"web shop\",\"role\":\"shop\"}"), 201);
    (void)snprintf(shop, sizeof shop, "%s", text_of(b, "key"));
    assert_int_equal(
        ask(b, "POST", "/api/v1/keys", "{\"name\":\"till 1\",\"role\":\"terminal\",\"terminal\":\"54520001\"}"), 201);
    (void)snprintf(terminal, sizeof terminal, "%s", text_of(b, "key"));
    assert_int_equal(ask(b, "POST", "/api/v1/keys", "{\"name\":\"web shop\",\"role\":\"shop\"}"), 409);

    b->bearer = shop;
    given_order(b, "order-1", ALICE, 100);
    assert_int_equal(
        ask(b, "POST", "/api/v1/orders", "{\"id\":\"k\",\"card\":\"" ALICE "\",\"kind\":\"rekey\",\"key_version\":1}"),
        403);
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/hold", "{\"reason\":\"x\"}"), 403);
    assert_problem(b, "FORBIDDEN");
    assert_int_equal(ask(b, "POST", "/api/v1/terminals/54520001/journal", NULL), 403);
    b->bearer = terminal;
    assert_int_equal(ask(b, "POST", "/api/v1/terminals/54520001/journal", NULL), 200);
    assert_int_equal(ask(b, "POST", "/api/v1/terminals/54520002/journal", NULL), 403);
    assert_int_equal(ask(b, "GET", "/api/v1/orders/order-1", NULL), 403);

    b->bearer = OPERATOR;
    assert_int_equal(ask(b, "POST", "/api/v1/keys/till%201/revoke", NULL), 404); /* no percent-decoding in here */
    assert_int_equal(ask(b, "POST", "/api/v1/keys/till 1/revoke", NULL), 200);
    b->bearer = terminal;
    assert_int_equal(ask(b, "POST", "/api/v1/terminals/54520001/journal", NULL), 401);
}

static void a_key_that_could_not_be_revoked_is_not_made(void **state)
{
    struct bench *b = *state;
    assert_int_equal(ask(b, "POST", "/api/v1/keys", "{\"name\":\"a/b\",\"role\":\"operator\"}"), 400);
    assert_int_equal(ask(b, "POST", "/api/v1/keys", "{\"name\":\"..\",\"role\":\"operator\"}"), 400);
    assert_problem(b, "MALFORMED");
}

static void a_phone_sees_its_own_order_and_no_token(void **state)
{
    struct bench *b = *state;
    char token[SCRIP_PHONE_TOKEN_MAX];
    given_card(b, ALICE, "an12113");
    given_order(b, "order-1", ALICE, 2000);
    (void)snprintf(token, sizeof token, "%s", text_of(b, "phone_token"));
    given_order(b, "order-2", ALICE, 2000);
    b->bearer = token;
    assert_int_equal(ask(b, "GET", "/api/v1/orders/order-1", NULL), 200);
    assert_string_equal(text_of(b, "phone_token"), "");
    assert_int_equal(ask(b, "GET", "/api/v1/orders/order-2", NULL), 401);
    assert_int_equal(ask(b, "POST", "/api/v1/orders/order-1/fund", "{\"funding_id\":\"mine\"}"), 401);
}

static void unknown_paths_and_methods_say_so(void **state)
{
    struct bench *b = *state;
    assert_int_equal(ask(b, "GET", "/", NULL), 404);
    assert_int_equal(ask(b, "GET", "/api/v1/orders/", NULL), 404);
    assert_int_equal(ask(b, "GET", "/api/v1/orders/x/y/z", NULL), 404);
    assert_problem(b, "NO_SUCH_PATH");
    assert_int_equal(ask(b, "DELETE", "/api/v1/orders/x", NULL), 405);
    assert_problem(b, "METHOD");
    assert_int_equal(ask(b, "GET", "/ota/o/x", NULL), 405);
}

static void too_many_requests_of_one_address_must_wait(void **state)
{
    struct bench *b = *state;
    struct scrip_server_config config = bench_config(b);
    config.rate_per_minute = 5;
    scrip_server_free(b->server);
    assert_ok(scrip_server_new(&config, &b->server));
    b->bearer = "a guess";
    b->peer = "192.0.2.1";
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 401);
    }
    assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 429);
    assert_problem(b, "RATE");
    assert_true(b->response.retry_after_s > 0);
    b->peer = "192.0.2.2";
    b->bearer = "another guess";
    assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 401);
    b->peer = "192.0.2.1";
    b->bearer = OPERATOR;
    assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 200);
    b->bearer = "a guess";
    b->clock.now_ms += 13000;
    assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 401);
    assert_int_equal(ask(b, "GET", "/api/v1/orders", NULL), 429);
}

/* ---- cards ---- */

static void a_card_is_registered_once_with_one_profile(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    assert_int_equal(ask(b, "POST", "/api/v1/cards", "{\"uid\":\"" ALICE "\",\"profile\":\"an12113\"}"), 200);
    assert_int_equal(ask(b, "POST", "/api/v1/cards", "{\"uid\":\"" ALICE "\",\"profile\":\"ev1\"}"), 409);
    assert_problem(b, "ID_CONFLICT");
    assert_int_equal(ask(b, "POST", "/api/v1/cards", "{\"uid\":\"" BOB "\",\"profile\":\"gold\"}"), 400);
    assert_int_equal(ask(b, "POST", "/api/v1/cards", "{\"uid\":\"04\",\"profile\":\"ev1\"}"), 400);
    assert_int_equal(ask(b, "POST", "/api/v1/cards", "{\"uid\":\"" BOB "\",\"profile\":\"ev1\",\"key_version\":256}"),
                     400);
    assert_int_equal(ask(b, "POST", "/api/v1/cards",
                         "{\"uid\":\"" BOB "\",\"profile\":\"split+random-id\",\"balance\":700,\"currency\":\"EUR\"}"),
                     201);
    assert_int_equal(number_of(b, "float.minor"), 700);
    assert_int_equal(ask(b, "GET", "/api/v1/cards", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(b->json, "cards")), 2);
}

static void a_card_s_profile_says_what_the_book_may_expect_of_it(void **state)
{
    static const struct {
        const char *profile;
        bool tmac, marked, unlogged;
    } rows[] = {
        {"an12113", true, false, false}, {"an12113+smallest", true, false, true}, {"split", true, false, false},
        {"ev1", false, true, false},     {"plain", false, true, false},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char uid[15];
        struct scrip_ledger_card card;
        uint8_t bytes[7];
        (void)snprintf(uid, sizeof uid, "0411223344550%zu", i);
        given_card(b, uid, rows[i].profile);
        from_hex(uid, bytes, sizeof bytes);
        assert_ok(scrip_ledger_card_get(b->ledger, bytes, &card));
        assert_int_equal(card.tmac, rows[i].tmac);
        assert_int_equal(card.marked, rows[i].marked);
        assert_int_equal(card.unlogged, rows[i].unlogged);
    }
}

static void a_card_is_held_released_denied_and_allowed(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/hold", "{\"reason\":\"looks odd\"}"), 200);
    assert_true(truth_of(b, "held"));
    assert_string_equal(text_of(b, "reason"), "looks odd");
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/hold", NULL), 400);
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/release", NULL), 200);
    assert_false(truth_of(b, "held"));
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/deny", "{\"reason\":\"stolen\"}"), 200);
    assert_true(truth_of(b, "denied"));
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/allow", NULL), 200);
    assert_false(truth_of(b, "denied"));
    assert_int_equal(ask(b, "POST", "/api/v1/cards/" BOB "/hold", "{\"reason\":\"x\"}"), 404);
    assert_problem(b, "NO_SUCH_CARD");
    assert_int_equal(ask(b, "GET", "/api/v1/cards/xyz", NULL), 404);
}

static void a_long_reason_is_cut_between_characters(void **state)
{
    struct bench *b = *state;
    char body[1024];
    given_card(b, ALICE, "an12113");
    for (unsigned shift = 0; shift < 2; shift++) {
        size_t len = (size_t)snprintf(body, sizeof body, "{\"reason\":\"%s", shift == 0 ? "" : "x");
        while (len < 600) {
            len += (size_t)snprintf(body + len, sizeof body - len, "\xC3\xA9");
        }
        (void)snprintf(body + len, sizeof body - len, "\"}");
        assert_int_equal(ask(b, "POST", "/api/v1/cards/" ALICE "/deny", body), 200);
        assert_true(strlen(text_of(b, "reason")) > 50);
    }
}

static void an_overview_shows_orders_without_tokens(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    assert_int_equal(ask(b, "GET", "/api/v1/cards/" ALICE "/overview", NULL), 200);
    assert_string_equal(text_of(b, "card.uid"), ALICE);
    assert_string_equal(text_of(b, "orders.0.id"), "order-1");
    assert_string_equal(text_of(b, "orders.0.phone_token"), "");
    assert_int_equal(ask(b, "GET", "/api/v1/cards/" ALICE "/reconcile", NULL), 200);
    assert_true(strlen(text_of(b, "verdict")) > 0);
}

/* ---- journals ---- */

static void given_terminal(struct bench *b)
{
    assert_int_equal(ask(b, "POST", "/api/v1/merchants", "{\"id\":\"cafe\",\"name\":\"Cafe\",\"fee_bp\":0}"), 201);
    assert_int_equal(
        ask(b, "POST", "/api/v1/terminals", "{\"id\":\"54520001\",\"merchant\":\"cafe\",\"name\":\"Till 1\"}"), 201);
}

/* A line as an honest terminal has it: the TMV is computed with the card's own key. */
static void make_line(struct bench *b, uint64_t sequence, uint32_t tmc, int32_t balance, int32_t amount,
                      struct scrip_journal_line *line)
{
    struct scrip_desfire_profile profile;
    struct scrip_purse_debit debit = {.amount = amount, .reader = {0x54, 0x52, 0x00, 0x01}};
    memset(line, 0, sizeof *line);
    assert_ok(scrip_desfire_profile_make("an12113", &profile));
    line->sequence = sequence;
    line->kind = SCRIP_JOURNAL_DEBIT;
    line->state = SCRIP_JOURNAL_CONFIRMED;
    line->profile = scrip_desfire_profile_id(&profile);
    memcpy(line->terminal, debit.reader, 4);
    from_hex(ALICE, line->uid, 7);
    scrip_purse_timestamp(b->clock.now_ms + sequence * 1000, line->timestamp);
    memcpy(debit.timestamp, line->timestamp, 8);
    scrip_purse_tmri(debit.reader, 0, sequence, debit.tmri);
    line->amount = amount;
    line->has_balance = true;
    line->balance = balance;
    line->has_record = true;
    scrip_purse_debit_record(&debit, line->record);
    line->has_reader = true;
    memcpy(line->tmri, debit.tmri, 16);
    line->has_tmv = true;
    line->tmc = tmc;
}

static size_t upload(struct bench *b, const struct scrip_journal_line *lines, size_t count)
{
    static uint8_t body[8 * SCRIP_JOURNAL_LINE];
    for (size_t i = 0; i < count; i++) {
        scrip_journal_line_encode(&lines[i], body + i * SCRIP_JOURNAL_LINE);
    }
    assert_int_equal(
        ask_bytes(b, "POST", "/api/v1/terminals/54520001/journal", scrip_bytes(body, count * SCRIP_JOURNAL_LINE)), 200);
    return json_array_size(json_object_get(b->json, "lines"));
}

static void a_debit_with_a_wrong_tmv_is_not_booked(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line line;
    given_card(b, ALICE, "an12113");
    given_terminal(b);
    make_line(b, 1, 1, 1000, 250, &line);
    memset(line.tmv, 0x5A, sizeof line.tmv);
    assert_int_equal(upload(b, &line, 1), 1);
    assert_string_equal(text_of(b, "lines.0.result"), "refused");
    assert_true(strlen(text_of(b, "lines.0.why")) > 0);
    assert_int_equal(number_of(b, "acknowledged"), 0);
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/balances", NULL), 200);
    assert_int_equal(number_of(b, "balances.MERCHANT.minor"), 0);
}

static void a_line_of_another_terminal_or_of_garbage_is_refused_alone(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line line;
    uint8_t body[2 * SCRIP_JOURNAL_LINE] = {0};
    given_card(b, ALICE, "an12113");
    given_terminal(b);
    make_line(b, 1, 1, 1000, 250, &line);
    line.terminal[3] = 9;
    scrip_journal_line_encode(&line, body);
    assert_int_equal(ask_bytes(b, "POST", "/api/v1/terminals/54520001/journal", SCRIP_BYTES_OF(body)), 200);
    assert_string_equal(text_of(b, "lines.0.result"), "refused");
    assert_string_equal(text_of(b, "lines.1.result"), "refused");
    assert_int_equal(ask_bytes(b, "POST", "/api/v1/terminals/54520001/journal", scrip_bytes(body, 100)), 400);
    assert_int_equal(ask(b, "POST", "/api/v1/terminals/5452FFFF/journal", NULL), 404);
    assert_problem(b, "NO_SUCH_TERMINAL");
}

/* Without a TMV the card's log decides by its entries: one line must not bring another debit's. */
static void a_line_with_a_log_entry_of_another_debit_is_refused(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line lines[4];
    given_card(b, ALICE, "an12113");
    given_card(b, BOB, "ev1");
    given_terminal(b);
    for (size_t i = 0; i < 4; i++) {
        make_line(b, i + 1, 0, 1000, 250, &lines[i]);
        lines[i].state = SCRIP_JOURNAL_INTENT;
        lines[i].has_tmv = false;
    }
    lines[0].amount = 100000;  /* the entry says 250 */
    lines[1].record[3] = 0x02; /* of another terminal */
    lines[2].has_record = false;
    (void)upload(b, lines, 4);
    assert_string_equal(text_of(b, "lines.0.result"), "refused");
    assert_string_equal(text_of(b, "lines.1.result"), "refused");
    assert_string_equal(text_of(b, "lines.2.result"), "refused");
    assert_string_equal(text_of(b, "lines.3.result"), "waiting");
    make_line(b, 5, 7, 1000, 250, &lines[0]);
    from_hex(BOB, lines[0].uid, 7);
    lines[0].amount = 100000;
    (void)upload(b, lines, 1);
    assert_string_equal(text_of(b, "lines.0.result"), "refused");
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/balances", NULL), 200);
    assert_int_equal(number_of(b, "balances.MERCHANT.minor"), 0);
}

/* Such a card has no counter: two lines that name the same one are no copy of it. */
static void a_counter_is_not_believed_on_a_card_without_one(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line lines[2];
    given_card(b, BOB, "ev1");
    given_terminal(b);
    for (size_t i = 0; i < 2; i++) {
        make_line(b, i + 1, 7, 1000, 250, &lines[i]);
        from_hex(BOB, lines[i].uid, 7);
    }
    (void)upload(b, lines, 2);
    assert_string_equal(text_of(b, "lines.0.result"), "booked");
    assert_string_equal(text_of(b, "lines.1.result"), "booked");
    assert_int_equal(ask(b, "GET", "/api/v1/cards/" BOB, NULL), 200);
    assert_false(truth_of(b, "held"));
    assert_int_equal(number_of(b, "transactions"), 0);
}

static void a_line_that_cannot_be_read_keeps_all_others_of_its_upload(void **state)
{
    struct bench *b = *state;
    struct scrip_journal_line line;
    uint8_t body[2 * SCRIP_JOURNAL_LINE] = {0};
    given_card(b, ALICE, "an12113");
    given_terminal(b);
    make_line(b, 6, 1, 1000, 250, &line);
    line.state = SCRIP_JOURNAL_INTENT;
    line.has_tmv = false;
    scrip_journal_line_encode(&line, body + SCRIP_JOURNAL_LINE); /* the first was number 5, damaged on its way */
    assert_int_equal(ask_bytes(b, "POST", "/api/v1/terminals/54520001/journal", SCRIP_BYTES_OF(body)), 200);
    assert_string_equal(text_of(b, "lines.1.result"), "waiting");
    assert_int_equal(number_of(b, "acknowledged"), 0);
}

/* ---- the book ---- */

static void a_checkpoint_verifies_and_an_altered_one_does_not(void **state)
{
    struct bench *b = *state;
    char body[512];
    char checkpoint[SCRIP_LEDGER_CHECKPOINT_MAX];
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/checkpoint", NULL), 200);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s", text_of(b, "checkpoint"));
    given_funded_order(b, "order-2", ALICE, 100);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/verify", NULL), 200);
    assert_true(truth_of(b, "right"));
    (void)snprintf(body, sizeof body, "{\"checkpoint\":\"%.*s\"}", (int)strcspn(checkpoint, "\n"), checkpoint);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/verify", body), 200);
    assert_true(truth_of(b, "right"));
    char *last = strrchr(body, '"') - 1;
    *last = *last == '0' ? '1' : '0';
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/verify", body), 400);
    assert_int_equal(ask(b, "GET", "/api/v1/ledger/entries?from=1&limit=1", NULL), 200);
    assert_true(truth_of(b, "more"));
}

static void what_is_not_there_is_named(void **state)
{
    struct bench *b = *state;
    (void)ask(b, "GET", "/api/v1/merchants/nobody", NULL);
    assert_problem(b, "NO_SUCH_MERCHANT");
    (void)ask(b, "POST", "/api/v1/terminals", "{\"id\":\"54520001\",\"merchant\":\"nobody\",\"name\":\"Till\"}");
    assert_problem(b, "NO_SUCH_MERCHANT");
    (void)ask(b, "GET", "/api/v1/terminals/54520001", NULL);
    assert_problem(b, "NO_SUCH_TERMINAL");
    (void)ask(b, "POST", "/api/v1/keys/nothing/revoke", NULL);
    assert_problem(b, "NO_SUCH_KEY");
    (void)ask(b, "POST", "/api/v1/ledger/postings",
              "{\"id\":\"p\",\"booking\":\"payout\",\"amount\":1,\"currency\":\"EUR\",\"merchant\":\"nobody\"}");
    assert_problem(b, "NO_SUCH_MERCHANT");
    (void)ask(b, "POST", "/api/v1/ledger/postings",
              "{\"id\":\"p\",\"booking\":\"breakage\",\"amount\":1,\"currency\":\"EUR\",\"card\":\"" BOB "\"}");
    assert_problem(b, "NO_SUCH_CARD");
}

static void an_operator_s_posting_is_booked_once(void **state)
{
    struct bench *b = *state;
    static const char body[] = "{\"id\":\"p-1\",\"booking\":\"payout\",\"amount\":500,\"currency\":\"EUR\","
                               "\"merchant\":\"cafe\",\"memo\":\"June\"}";
    given_terminal(b);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/postings", body), 201);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/postings", body), 201);
    assert_int_equal(ask(b, "GET", "/api/v1/merchants/cafe", NULL), 200);
    assert_int_equal(number_of(b, "balance.minor"), -500);
    assert_int_equal(ask(b, "POST", "/api/v1/ledger/postings",
                         "{\"id\":\"p-2\",\"booking\":\"gift\",\"amount\":500,\"currency\":\"EUR\"}"),
                     400);
}

/* ---- failure of the disk, logs, metrics ---- */

static void when_the_commit_fails_nothing_is_said_to_have_happened(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    b->commits_until_fail = 1;
    assert_int_equal(ask(b, "POST", "/api/v1/orders",
                         "{\"id\":\"o\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}"),
                     503);
    assert_problem(b, "UNAVAILABLE");
    assert_true(b->response.retry_after_s > 0);
    assert_int_equal(b->response.made_durable, SCRIP_DURABLE_NOTHING);
    assert_int_equal(ask(b, "GET", "/api/v1/orders/o", NULL), 404);
    given_order(b, "o", ALICE, 1);
}

static size_t lines_at_commit;

static bool count_lines(void *ctx, bool after)
{
    const struct bench *b = ctx;
    lines_at_commit = after ? lines_at_commit : b->log_lines;
    return true;
}

static void the_log_says_nothing_before_it_is_so(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    b->commits_until_fail = 1;
    assert_int_equal(ask(b, "GET", "/api/v1/orders/nothing", NULL), 503);
    assert_non_null(strstr(b->log_before, "\"status\":404"));
    assert_non_null(strstr(b->log_before, ",\"lost\":true}"));
    assert_non_null(strstr(b->last_log, "tick failed"));
    assert_null(strstr(b->last_log, "lost"));

    b->on_commit = count_lines;
    const size_t lines = b->log_lines;
    given_order(b, "o", ALICE, 1);
    assert_int_equal(lines_at_commit, lines);
    assert_int_equal(b->log_lines, lines + 1);
    assert_null(strstr(b->last_log, "lost"));
}

static void a_request_that_fails_leaves_the_others_of_its_tick_alone(void **state)
{
    struct bench *b = *state;
    struct scrip_response second;
    static const char good[] =
        "{\"id\":\"good\",\"card\":\"" ALICE "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}";
    static const char bad[] =
        "{\"id\":\"bad\",\"card\":\"" BOB "\",\"kind\":\"topup\",\"amount\":1,\"currency\":\"EUR\"}";
    given_card(b, ALICE, "an12113");
    const struct scrip_request requests[] = {
        {.method = "POST",
         .path = "/api/v1/orders",
         .authorization = "Bearer " OPERATOR,
         .body = {(const uint8_t *)bad, strlen(bad)}},
        {.method = "POST",
         .path = "/api/v1/orders",
         .authorization = "Bearer " OPERATOR,
         .body = {(const uint8_t *)good, strlen(good)}},
    };
    scrip_response_init(&second);
    const struct scrip_exchange tick[] = {{&requests[0], &b->response}, {&requests[1], &second}};
    assert_ok(scrip_server_tick(b->server, tick, 2));
    assert_int_equal(b->response.status, 404);
    assert_int_equal(second.status, 201);
    scrip_response_free(&second);
}

static void logs_hold_no_key_and_no_token(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_order(b, "order-1", ALICE, 2000);
    assert_non_null(strstr(b->last_log, "\"status\":201"));
    assert_null(strstr(b->last_log, OPERATOR));
    assert_int_equal(ask(b, "POST", "/ota/s/AAAAsecretsecret", NULL), 404);
    assert_null(strstr(b->last_log, "secret"));
    assert_non_null(strstr(b->last_log, "\"token\":"));
    assert_non_null(strstr(b->last_log, "NO_SUCH_TOKEN"));
}

static bool answer_has(const struct bench *b, const char *text)
{
    return memmem(b->response.body, b->response.body_len, text, strlen(text)) != NULL;
}

static void a_path_that_is_no_text_is_logged_all_the_same(void **state)
{
    struct bench *b = *state;
    b->peer = "192.0.2.7";
    b->last_log[0] = '\0';
    assert_int_equal(ask(b, "GET", "/api/\xFF", NULL), 404);
    assert_non_null(strstr(b->last_log, "192.0.2.7"));
    assert_non_null(strstr(b->last_log, "404"));
}

static void metrics_count_and_end_as_the_format_wants(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    given_funded_order(b, "order-1", ALICE, 2000);
    assert_int_equal(ask(b, "GET", "/metrics", NULL), 200);
    assert_true(answer_has(b, "scrip_orders{state=\"FUNDED\"} 1\n"));
    assert_true(answer_has(b, "scrip_balance_minor{account=\"IN_FLIGHT\"} 2000\n"));
    assert_true(answer_has(b, "# TYPE scrip_requests counter\n"));
    assert_true(answer_has(b, "scrip_requests_total 3\n"));
    assert_memory_equal(b->response.body + b->response.body_len - 6, "# EOF\n", 6);
}

static void of_a_lost_tick_only_the_refusals_are_counted(void **state)
{
    struct bench *b = *state;
    given_card(b, ALICE, "an12113");
    b->commits_until_fail = 1;
    assert_int_equal(ask(b, "GET", "/api/v1/orders/none", NULL), 503);
    assert_int_equal(ask(b, "GET", "/metrics", NULL), 200);
    assert_true(answer_has(b, "scrip_requests_total 2\n"));
    assert_true(answer_has(b, "scrip_client_errors_total 0\n"));
    assert_true(answer_has(b, "scrip_server_errors_total 1\n"));
    assert_true(answer_has(b, "scrip_commits_failed_total 1\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_created_funded_and_shown),
        TEST(the_same_id_again_is_the_same_order_and_other_content_a_conflict),
        TEST(malformed_orders_are_refused_with_the_reason),
        TEST(an_order_needs_a_card_that_is_registered),
        TEST(funding_twice_is_harmless_alike_and_refused_otherwise),
        TEST(who_wants_no_answer_gets_none),
        TEST(a_funded_order_can_be_cancelled_with_its_money_back),
        TEST(an_order_that_nobody_fetched_expires_with_its_money_back),
        TEST(orders_expire_without_anybody_asking),
        TEST(only_an_issued_order_can_be_claimed),
        TEST(orders_are_listed_by_card_state_and_page),
        TEST(a_query_that_is_not_understood_is_refused),
        TEST(cards_are_listed_page_by_page),
        TEST(without_a_key_nothing_but_health_and_metrics_is_shown),
        TEST(keys_of_shops_and_terminals_do_their_own_work_only),
        TEST(a_key_that_could_not_be_revoked_is_not_made),
        TEST(a_phone_sees_its_own_order_and_no_token),
        TEST(unknown_paths_and_methods_say_so),
        TEST(too_many_requests_of_one_address_must_wait),
        TEST(a_card_is_registered_once_with_one_profile),
        TEST(a_card_s_profile_says_what_the_book_may_expect_of_it),
        TEST(a_card_is_held_released_denied_and_allowed),
        TEST(a_long_reason_is_cut_between_characters),
        TEST(an_overview_shows_orders_without_tokens),
        TEST(a_debit_with_a_wrong_tmv_is_not_booked),
        TEST(a_line_of_another_terminal_or_of_garbage_is_refused_alone),
        TEST(a_line_with_a_log_entry_of_another_debit_is_refused),
        TEST(a_counter_is_not_believed_on_a_card_without_one),
        TEST(a_line_that_cannot_be_read_keeps_all_others_of_its_upload),
        TEST(a_checkpoint_verifies_and_an_altered_one_does_not),
        TEST(what_is_not_there_is_named),
        TEST(an_operator_s_posting_is_booked_once),
        TEST(when_the_commit_fails_nothing_is_said_to_have_happened),
        TEST(the_log_says_nothing_before_it_is_so),
        TEST(a_request_that_fails_leaves_the_others_of_its_tick_alone),
        TEST(logs_hold_no_key_and_no_token),
        TEST(a_path_that_is_no_text_is_logged_all_the_same),
        TEST(metrics_count_and_end_as_the_format_wants),
        TEST(of_a_lost_tick_only_the_refusals_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
