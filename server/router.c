/* From a request to its handler: find the row, find out who asks, check that they may. */
#include "router.h"

#include "token.h"

#include <string.h>

struct route {
    const char *method;
    const char *path; /* "*" stands for one segment */
    unsigned actors;
    enum scrip_problem missing; /* what SCRIP_E_NOT_FOUND means at this path */
    enum scrip_status (*handler)(struct context *context);
};

#define SHOP     (ACTOR_OPERATOR | ACTOR_SHOP)
#define NO_ORDER SCRIP_PROBLEM_NO_SUCH_ORDER
#define NO_CARD  SCRIP_PROBLEM_NO_SUCH_CARD
#define NO_TERM  SCRIP_PROBLEM_NO_SUCH_TERMINAL
#define NO_PATH  SCRIP_PROBLEM_NO_SUCH_PATH
#define NO_SHOP  SCRIP_PROBLEM_NO_SUCH_MERCHANT

static const struct route routes[] = {
    {"POST", "/ota/o/*", ACTOR_PHONE, NO_ORDER, ota_order},
    {"POST", "/ota/s/*", ACTOR_BEARER, SCRIP_PROBLEM_NO_SUCH_TOKEN, ota_session},
    {"POST", "/api/v1/orders", SHOP, NO_CARD, api_orders_create},
    {"GET", "/api/v1/orders", SHOP, NO_CARD, api_orders_list},
    {"GET", "/api/v1/orders/*", SHOP | ACTOR_PHONE, NO_ORDER, api_order_get},
    {"POST", "/api/v1/orders/*/fund", SHOP, NO_ORDER, api_order_fund},
    {"POST", "/api/v1/orders/*/cancel", SHOP, NO_ORDER, api_order_cancel},
    {"POST", "/api/v1/orders/*/claim", ACTOR_OPERATOR, NO_ORDER, api_order_claim},
    {"POST", "/api/v1/orders/*/resolve", ACTOR_OPERATOR, NO_ORDER, api_order_resolve},
    {"POST", "/api/v1/cards", ACTOR_OPERATOR, NO_CARD, api_cards_create},
    {"GET", "/api/v1/cards", ACTOR_OPERATOR, NO_CARD, api_cards_list},
    {"GET", "/api/v1/cards/*", SHOP, NO_CARD, api_card_get},
    {"GET", "/api/v1/cards/*/overview", SHOP, NO_CARD, api_card_overview},
    {"POST", "/api/v1/cards/*/hold", ACTOR_OPERATOR, NO_CARD, api_card_hold},
    {"POST", "/api/v1/cards/*/release", ACTOR_OPERATOR, NO_CARD, api_card_release},
    {"POST", "/api/v1/cards/*/deny", ACTOR_OPERATOR, NO_CARD, api_card_deny},
    {"POST", "/api/v1/cards/*/allow", ACTOR_OPERATOR, NO_CARD, api_card_allow},
    {"GET", "/api/v1/cards/*/reconcile", ACTOR_OPERATOR, NO_CARD, api_card_reconcile},
    {"POST", "/api/v1/cards/*/gaps", ACTOR_OPERATOR, NO_CARD, api_card_gap},
    {"POST", "/api/v1/merchants", ACTOR_OPERATOR, NO_SHOP, api_merchants_create},
    {"GET", "/api/v1/merchants/*", ACTOR_OPERATOR, NO_SHOP, api_merchant_get},
    {"POST", "/api/v1/terminals", ACTOR_OPERATOR, NO_SHOP, api_terminals_create},
    {"GET", "/api/v1/terminals/*", ACTOR_OPERATOR, NO_TERM, api_terminal_get},
    {"POST", "/api/v1/terminals/*/journal", ACTOR_OPERATOR | ACTOR_TERMINAL, NO_TERM, api_terminal_journal},
    {"GET", "/api/v1/terminals/*/aside", ACTOR_OPERATOR, NO_TERM, api_journal_aside},
    {"POST", "/api/v1/keys", ACTOR_OPERATOR, NO_TERM, api_keys_create},
    {"POST", "/api/v1/keys/*/revoke", ACTOR_OPERATOR, SCRIP_PROBLEM_NO_SUCH_KEY, api_key_revoke},
    {"GET", "/api/v1/ledger/balances", ACTOR_OPERATOR, NO_PATH, api_ledger_balances},
    {"GET", "/api/v1/ledger/entries", ACTOR_OPERATOR, NO_CARD, api_ledger_entries},
    {"POST", "/api/v1/ledger/verify", ACTOR_OPERATOR, NO_PATH, api_ledger_verify},
    {"GET", "/api/v1/ledger/checkpoint", ACTOR_OPERATOR, NO_PATH, api_ledger_checkpoint},
    {"POST", "/api/v1/ledger/postings", ACTOR_OPERATOR, NO_CARD, api_ledger_post},
    {"GET", "/metrics", ACTOR_PUBLIC, NO_PATH, metrics_get},
    {"GET", "/health", ACTOR_PUBLIC, NO_PATH, api_health},
};

/* ---- paths ---- */

static bool path_matches(const char *pattern, const char *path, struct context *context)
{
    size_t params = 0;
    while (*pattern != '\0') {
        if (*pattern == '*') {
            const size_t len = strcspn(path, "/");
            if (len == 0) {
                return false;
            }
            context->param[params].at = path;
            context->param[params++].len = len;
            path += len;
            pattern++;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static const struct route *find_route(struct context *context, bool *other_method)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_matches(routes[i].path, context->request->path, context)) {
            continue;
        }
        if (strcmp(routes[i].method, context->request->method) == 0) {
            return &routes[i];
        }
        *other_method = true;
    }
    return NULL;
}

enum scrip_status param_text(const struct context *context, size_t i, char *out, size_t cap)
{
    if (context->param[i].len >= cap) {
        return SCRIP_E_ARGUMENT;
    }
    memcpy(out, context->param[i].at, context->param[i].len);
    out[context->param[i].len] = '\0';
    return SCRIP_OK;
}

/* ---- who asks ---- */

static bool same_secret(const char *a, const char *b)
{
    uint8_t hash_a[32];
    uint8_t hash_b[32];
    digest_text(a, hash_a);
    digest_text(b, hash_b);
    return scrip_equal_ct(hash_a, hash_b, sizeof hash_a); /* says nothing about lengths either */
}

static enum scrip_status find_key(struct context *context)
{
    static const enum actor actors[] = {
        [SCRIP_ROLE_OPERATOR] = ACTOR_OPERATOR,
        [SCRIP_ROLE_SHOP] = ACTOR_SHOP,
        [SCRIP_ROLE_TERMINAL] = ACTOR_TERMINAL,
    };
    const char *operator_key = context->server->config.operator_key;
    if (operator_key != NULL && same_secret(operator_key, context->bearer)) {
        context->actor = ACTOR_OPERATOR;
        return SCRIP_OK;
    }
    const enum scrip_status status =
        scrip_ledger_key_find(context->ledger, scrip_bytes(context->bearer, strlen(context->bearer)), &context->key);
    if (status == SCRIP_OK) {
        context->actor = actors[context->key.role];
    }
    return status == SCRIP_E_AUTH ? SCRIP_OK : status;
}

static bool has_phone_token(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    return param_text(context, 0, id, sizeof id) == SCRIP_OK && phone_token_is(context->keys, id, context->bearer);
}

static const char *bearer_of(const struct scrip_request *request)
{
    const char *text = request->authorization;
    return text != NULL && strncmp(text, "Bearer ", 7) == 0 && text[7] != '\0' ? text + 7 : NULL;
}

static enum scrip_status identify(struct context *context, unsigned wanted)
{
    context->actor = ACTOR_PUBLIC;
    context->bearer = bearer_of(context->request);
    if (context->bearer == NULL || (wanted & ACTOR_PUBLIC) != 0) {
        return SCRIP_OK;
    }
    if ((wanted & ACTOR_BEARER) != 0) {
        context->actor = ACTOR_BEARER;
        return SCRIP_OK;
    }
    if ((wanted & ACTOR_PHONE) != 0 && has_phone_token(context)) {
        context->actor = ACTOR_PHONE;
        return SCRIP_OK;
    }
    return find_key(context);
}

static bool too_often(struct context *context)
{
    struct rate *rate = &context->server->rate;
    if ((context->actor & (ACTOR_OPERATOR | ACTOR_SHOP | ACTOR_TERMINAL)) != 0 || context->request->peer == NULL) {
        return false;
    }
    if (!rate_allow(rate, context->request->peer, context->now_ms)) {
        return true;
    }
    return context->bearer != NULL && !rate_allow(rate, context->bearer, context->now_ms);
}

/* ---- problems ---- */

enum scrip_status problem(struct context *context, enum scrip_problem which, const char *detail)
{
    context->problem = which;
    scrip_response_problem(context->response, which, detail);
    return SCRIP_OK;
}

enum scrip_status problem_of(struct context *context, enum scrip_status status, enum scrip_problem missing)
{
    static const struct {
        enum scrip_status status;
        enum scrip_problem problem;
    } table[] = {
        {SCRIP_E_CONFLICT, SCRIP_PROBLEM_ID_CONFLICT},  {SCRIP_E_STATE, SCRIP_PROBLEM_ORDER_STATE},
        {SCRIP_E_EXPIRED, SCRIP_PROBLEM_ORDER_EXPIRED}, {SCRIP_E_HELD, SCRIP_PROBLEM_CARD_HELD},
        {SCRIP_E_ARGUMENT, SCRIP_PROBLEM_MALFORMED},    {SCRIP_E_FORMAT, SCRIP_PROBLEM_MALFORMED},
        {SCRIP_E_LENGTH, SCRIP_PROBLEM_MALFORMED},      {SCRIP_E_STALE, SCRIP_PROBLEM_SESSION_OVER},
        {SCRIP_E_EXISTS, SCRIP_PROBLEM_ID_CONFLICT},    {SCRIP_E_OVERFLOW, SCRIP_PROBLEM_LIMIT},
        {SCRIP_E_ROLLBACK, SCRIP_PROBLEM_ROLLBACK},     {SCRIP_E_AUTH, SCRIP_PROBLEM_CARD_AUTH},
        {SCRIP_E_MAC, SCRIP_PROBLEM_CARD_DATA},         {SCRIP_E_CARD, SCRIP_PROBLEM_CARD_REFUSED},
    };
    if (status == SCRIP_E_STORE || status == SCRIP_E_MEMORY) {
        return status;
    }
    if (status == SCRIP_E_NOT_FOUND) {
        return problem(context, missing, NULL);
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].status == status) {
            return problem(context, table[i].problem, NULL);
        }
    }
    return problem(context, SCRIP_PROBLEM_INTERNAL, scrip_strerror(status));
}

/* ---- the way through ---- */

static enum scrip_status refuse_actor(struct context *context, const struct route *route)
{
    (void)route;
    const bool known = (context->actor & (ACTOR_OPERATOR | ACTOR_SHOP | ACTOR_TERMINAL)) != 0;
    return problem(context, known ? SCRIP_PROBLEM_FORBIDDEN : SCRIP_PROBLEM_UNAUTHORIZED, NULL);
}

enum scrip_status route_request(struct context *context)
{
    bool other_method = false;
    const struct route *route = find_route(context, &other_method);
    if (route == NULL) {
        return too_often(context) ? problem(context, SCRIP_PROBLEM_RATE, NULL)
                                  : problem(context, other_method ? SCRIP_PROBLEM_METHOD : NO_PATH, NULL);
    }
    if (context->request->body.len > SCRIP_SERVER_BODY_MAX) {
        return problem(context, SCRIP_PROBLEM_TOO_LARGE, NULL);
    }
    SCRIP_TRY(identify(context, route->actors));
    if (too_often(context)) {
        return problem(context, SCRIP_PROBLEM_RATE, NULL);
    }
    if ((route->actors & context->actor) == 0) {
        return refuse_actor(context, route);
    }
    const enum scrip_status status = route->handler(context);
    return status == SCRIP_OK ? SCRIP_OK : problem_of(context, status, route->missing);
}
