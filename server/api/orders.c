#include "../ota/work.h"
#include "../token.h"
#include "api.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_DEFAULT 100U
#define LIST_MAX     1000U

/* ---- an order as JSON ---- */

static json_t *topup_json(const struct context *context, const uint8_t record[SCRIP_PURSE_RECORD])
{
    uint64_t at_ms = 0;
    const uint32_t reference = scrip_get_le32(record + 12) & SCRIP_SETTLE_REFERENCE_MAX;
    (void)scrip_purse_timestamp_get(record, &at_ms);
    return json_pack("{so so sI}", "at", api_time(at_ms), "amount", api_amount(context, scrip_get_le32(record + 8)),
                     "reference", (json_int_t)reference);
}

static json_t *debit_json(const struct context *context, const uint8_t record[SCRIP_PURSE_RECORD])
{
    uint64_t at_ms = 0;
    (void)scrip_purse_timestamp_get(record + 4, &at_ms);
    return json_pack("{so so so}", "at", api_time(at_ms), "amount", api_amount(context, scrip_get_le32(record + 12)),
                     "terminal", api_hex_json(record, 4));
}

/* Empty records are those that personalisation put there. */
static json_t *log_json(const struct context *context, const struct scrip_purse_log *log, bool topups)
{
    json_t *list = json_array();
    for (size_t i = 0; i < log->count; i++) {
        const uint8_t *record = log->records[i];
        if (scrip_get_le32(record + (topups ? 8 : 12)) != 0) {
            (void)json_array_append_new(list, topups ? topup_json(context, record) : debit_json(context, record));
        }
    }
    return list;
}

static json_t *reading_json(const struct context *context, const struct scrip_ledger_order *order)
{
    struct work_reading reading;
    if (work_reading_get(scrip_bytes(order->result, order->result_len), &reading) != SCRIP_OK) {
        return NULL;
    }
    json_t *result =
        json_pack("{so so so}", "balance", api_amount(context, reading.balance), "topups",
                  log_json(context, &reading.topups, true), "debits", log_json(context, &reading.debits, false));
    if (result != NULL && (reading.has & SCRIP_FACT_TMAC) != 0) {
        (void)json_object_set_new(result, "transactions", json_integer(reading.tmc));
    }
    return result;
}

static void add_work(const struct context *context, const struct scrip_ledger_order *order, json_t *out)
{
    if (order->kind == SCRIP_KIND_WRITE && order->data_len > 1) {
        (void)json_object_set_new(out, "offset", json_integer(order->data[0]));
        (void)json_object_set_new(out, "data", api_hex_json(order->data + 1, order->data_len - 1U));
    }
    if (order->kind == SCRIP_KIND_REKEY && order->data_len == 1) {
        (void)json_object_set_new(out, "key_version", json_integer(order->data[0]));
    }
    if (order->kind == SCRIP_KIND_READ && order->state == SCRIP_STATE_DONE) {
        json_t *reading = reading_json(context, order);
        if (reading != NULL) {
            (void)json_object_set_new(out, "result", reading);
        }
    }
}

static void add_phone(const struct context *context, const struct scrip_ledger_order *order, json_t *out)
{
    char token[SCRIP_PHONE_TOKEN_MAX];
    char uri[SCRIP_LEDGER_ID_MAX + 16];
    (void)snprintf(uri, sizeof uri, "/ota/o/%s", order->id);
    (void)json_object_set_new(out, "uri", json_string(uri));
    if (context->actor != ACTOR_PHONE && phone_token_make(context->keys, order->id, token) == SCRIP_OK) {
        (void)json_object_set_new(out, "phone_token", json_string(token));
    }
}

json_t *api_order_json(struct context *context, const struct scrip_ledger_order *order)
{
    json_t *out =
        json_pack("{ss so ss ss ss sb so so}", "id", order->id, "card", api_hex_json(order->uid, 7), "kind",
                  scrip_settle_kind_name(order->kind), "state", scrip_settle_state_name(order->state), "state_text",
                  scrip_settle_state_text(order->state), "final", scrip_settle_is_final(order->state), "created",
                  api_time(order->created_ms), "expires", api_time(order->expires_ms));
    if (out == NULL) {
        return NULL;
    }
    if (order->kind == SCRIP_KIND_TOPUP) {
        (void)json_object_set_new(out, "amount", api_amount(context, order->amount));
        (void)json_object_set_new(out, "reference", json_integer(order->reference));
    }
    if (order->funding_id[0] != '\0') {
        (void)json_object_set_new(out, "funding_id", json_string(order->funding_id));
    }
    add_work(context, order, out);
    if (!scrip_settle_is_final(order->state)) {
        add_phone(context, order, out);
    }
    return out;
}

/* For the receipt: what the card held when it last showed itself. */
static void add_balance(struct context *context, const struct scrip_ledger_order *order, json_t *out)
{
    struct scrip_ledger_card card;
    if (out != NULL && order->kind == SCRIP_KIND_TOPUP && order->state == SCRIP_STATE_CONFIRMED &&
        scrip_ledger_card_get(context->ledger, order->uid, &card) == SCRIP_OK && card.seen) {
        (void)json_object_set_new(out, "balance", api_amount(context, card.seen_balance));
    }
}

enum scrip_status api_answer_order(struct context *context, int status, const char *id)
{
    struct scrip_ledger_order order;
    SCRIP_TRY(scrip_ledger_order_get(context->ledger, id, &order));
    (void)snprintf(context->order_id, sizeof context->order_id, "%s", id);
    json_t *out = api_order_json(context, &order);
    add_balance(context, &order, out);
    return response_json(context->response, status, out);
}

/* Behind the next comma that is not quoted; NULL: there is none. */
static const char *next_preference(const char *at)
{
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (*at == ',' && !quoted) {
            return at + 1;
        }
        quoted = quoted != (*at == '"');
        at += quoted && *at == '\\' && at[1] != '\0';
    }
    return NULL;
}

/* Of a list of preferences the first that is called `return` counts [RFC 7240 section 2]. */
static bool prefers_no_body(const struct scrip_request *request)
{
    static const char name[] = "return";
    static const char minimal[] = "minimal";
    for (const char *at = request->prefer; at != NULL; at = next_preference(at)) {
        at += strspn(at, " \t,");
        const char *value = at + strcspn(at, "= \t,;");
        const bool is_return = (size_t)(value - at) == sizeof name - 1 && strncasecmp(at, name, sizeof name - 1) == 0;
        value += strspn(value, " \t");
        if (is_return && *value == '=') {
            value += 1 + strspn(value + 1, " \t\"");
            return strcspn(value, " \t,;\"") == sizeof minimal - 1 &&
                   strncasecmp(value, minimal, sizeof minimal - 1) == 0;
        }
    }
    return false;
}

/* What was asked of an order is done. */
static enum scrip_status answer_done(struct context *context, const char *id)
{
    if (!prefers_no_body(context->request)) {
        return api_answer_order(context, 200, id);
    }
    (void)snprintf(context->order_id, sizeof context->order_id, "%s", id);
    context->response->status = 204;
    return SCRIP_OK;
}

/* ---- create ---- */

/* Ids stand in paths: only characters that need no escape there, and none that begins like `.` and `..`. */
static bool is_good_id(const char *id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
    const size_t len = strlen(id);
    return len >= 1 && len <= SCRIP_LEDGER_ID_MAX && id[0] != '.' && strspn(id, allowed) == len;
}

struct order_body {
    const char *id;
    const char *card;
    const char *kind;
    json_int_t amount;
    const char *currency;
    json_int_t expires_s;
    json_int_t offset;
    const char *data;
    json_int_t key_version;
};

static bool wants_kind(const struct order_body *body, enum scrip_settle_kind *kind)
{
    for (unsigned i = 0; i < SCRIP_KIND_COUNT; i++) {
        if (strcmp(body->kind, scrip_settle_kind_name((enum scrip_settle_kind)i)) == 0) {
            *kind = (enum scrip_settle_kind)i;
            return true;
        }
    }
    return false;
}

static const char *fill_topup(const struct order_body *body, struct scrip_ledger_order *order)
{
    if (body->amount < 1 || body->amount > INT32_MAX) {
        return "amount must be 1 to 2147483647 minor units";
    }
    order->amount = (uint32_t)body->amount;
    return NULL;
}

static const char *fill_write(const struct order_body *body, struct scrip_ledger_order *order)
{
    size_t len = 0;
    if (body->data == NULL || !api_hex_some(body->data, order->data + 1, WORK_WRITE_MAX, &len) || len == 0 ||
        body->offset < 0 || (size_t)body->offset + len > WORK_WRITE_MAX) {
        return "data must be hex of 1 to 60 bytes that fit behind offset (0 to 59)";
    }
    order->data[0] = (uint8_t)body->offset;
    order->data_len = (uint16_t)(1 + len);
    return NULL;
}

static const char *fill_rekey(struct context *context, const struct order_body *body, struct scrip_ledger_order *order)
{
    static const enum scrip_key_role roles[] = {SCRIP_KEY_PAY, SCRIP_KEY_WRITE, SCRIP_KEY_TOPUP};
    uint8_t key[16];
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (body->key_version < 0 || body->key_version > 255 ||
            scrip_keys_diversify(context->keys, roles[i], (unsigned)body->key_version, scrip_bytes(NULL, 0), key) !=
                SCRIP_OK) {
            return "key_version must name a version that the key store has for pay, write and topup";
        }
        scrip_wipe(key, sizeof key);
    }
    order->data[0] = (uint8_t)body->key_version;
    order->data_len = 1;
    return NULL;
}

static const char *fill_order(struct context *context, const struct order_body *body, struct scrip_ledger_order *order)
{
    if (!is_good_id(body->id)) {
        return "id must be 1 to 64 of A-Z a-z 0-9 . _ ~ - and begin with no dot";
    }
    if (!api_uid(body->card, order->uid)) {
        return "card must be 14 hex digits, or 8 where the card's UID is that short";
    }
    if (!wants_kind(body, &order->kind)) {
        return "kind must be topup, read, write or rekey";
    }
    if (body->expires_s < 0 || body->expires_s > 253402300799) {
        return "expires must be seconds since 1970";
    }
    memcpy(order->id, body->id, strlen(body->id) + 1);
    order->expires_ms = (uint64_t)body->expires_s * 1000U;
    switch (order->kind) {
    case SCRIP_KIND_TOPUP:
        return fill_topup(body, order);
    case SCRIP_KIND_WRITE:
        return fill_write(body, order);
    case SCRIP_KIND_REKEY:
        return fill_rekey(context, body, order);
    default:
        return NULL;
    }
}

/* An expiry that the shop leaves out is the server's own. A repeated request must mean the same order although the
 * clock went on: then the expiry of the order that is there already counts. */
static enum scrip_status default_expiry(struct context *context, struct scrip_ledger_order *order, bool *known)
{
    struct scrip_ledger_order there;
    const uint64_t lifetime = context->server->config.order_lifetime_ms;
    const enum scrip_status status = scrip_ledger_order_get(context->ledger, order->id, &there);
    *known = status == SCRIP_OK;
    if (order->expires_ms == 0) {
        order->expires_ms =
            status == SCRIP_OK ? there.expires_ms : context->now_ms + (lifetime == 0 ? 30ULL * 86400000ULL : lifetime);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

static enum scrip_status create_order(struct context *context, const struct order_body *body)
{
    struct scrip_ledger_order order;
    bool known = false;
    memset(&order, 0, sizeof order);
    if (body->currency == NULL ? strcmp(body->kind, "topup") == 0 : !api_currency(context, body->currency)) {
        return body->currency != NULL ? SCRIP_OK
                                      : problem(context, SCRIP_PROBLEM_MALFORMED, "a top-up needs its currency");
    }
    if (strcmp(body->kind, "rekey") == 0 && context->actor != ACTOR_OPERATOR) {
        return problem(context, SCRIP_PROBLEM_FORBIDDEN, "only an operator changes the keys of a card");
    }
    const char *wrong = fill_order(context, body, &order);
    if (wrong != NULL) {
        return problem(context, SCRIP_PROBLEM_MALFORMED, wrong);
    }
    SCRIP_TRY(default_expiry(context, &order, &known));
    const enum scrip_status status = scrip_ledger_order_create(context->ledger, &order);
    if (status == SCRIP_E_UNSUPPORTED) {
        return problem(context, SCRIP_PROBLEM_OFFLINE_CARD, NULL);
    }
    SCRIP_TRY(status);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return api_answer_order(context, known ? 200 : 201, order.id);
}

enum scrip_status api_orders_create(struct context *context)
{
    struct order_body body = {0};
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss ss ss s?I s?s s?I s?I s?s s?I}", "id", &body.id, "card", &body.card, "kind",
                   &body.kind, "amount", &body.amount, "currency", &body.currency, "expires", &body.expires_s, "offset",
                   &body.offset, "data", &body.data, "key_version", &body.key_version)) {
        status = create_order(context, &body);
    }
    json_decref(root);
    return status;
}

/* ---- the rest ---- */

static enum scrip_status path_id(const struct context *context, char id[SCRIP_LEDGER_ID_MAX + 1])
{
    return param_text(context, 0, id, SCRIP_LEDGER_ID_MAX + 1) == SCRIP_OK ? SCRIP_OK : SCRIP_E_NOT_FOUND;
}

enum scrip_status api_order_get(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    SCRIP_TRY(path_id(context, id));
    return api_answer_order(context, 200, id);
}

struct order_list {
    struct context *context;
    json_t *items;
    uint64_t limit;
    bool skipping;
    bool more;
    char after[SCRIP_LEDGER_ID_MAX + 1];
    char state[32];
};

static bool list_order(void *ctx, const struct scrip_ledger_order *order)
{
    struct order_list *list = ctx;
    if (list->skipping) {
        list->skipping = strcmp(order->id, list->after) != 0;
        return true;
    }
    if (list->state[0] != '\0' && strcmp(list->state, scrip_settle_state_name(order->state)) != 0) {
        return true;
    }
    if (json_array_size(list->items) == list->limit) {
        list->more = true;
        return false;
    }
    return json_array_append_new(list->items, api_order_json(list->context, order)) == 0;
}

static bool is_state(const char *name)
{
    for (unsigned i = 0; i < SCRIP_STATE_COUNT; i++) {
        if (strcmp(name, scrip_settle_state_name((enum scrip_settle_state)i)) == 0) {
            return true;
        }
    }
    return false;
}

struct order_query {
    char card[UID_TEXT];
    char limit[UINT64_TEXT];
    uint8_t uid[7];
};

/* @return false: the problem is answered */
static bool read_order_query(struct context *context, struct order_query *query, struct order_list *list)
{
    const struct api_query members[] = {{"card", query->card, sizeof query->card},
                                        {"state", list->state, sizeof list->state},
                                        {"limit", query->limit, sizeof query->limit},
                                        {"after", list->after, sizeof list->after}};
    if (!api_query(context, members, sizeof members / sizeof members[0]) ||
        !api_query_number(context, "limit", query->limit, 1, LIST_MAX, &list->limit) ||
        (query->card[0] != '\0' && !api_query_uid(context, "card", query->card, query->uid))) {
        return false;
    }
    if (list->state[0] != '\0' && !is_state(list->state)) {
        (void)problem(context, SCRIP_PROBLEM_MALFORMED,
                      "state must be the name of an order's state, in capitals, as FUNDED");
        return false;
    }
    list->skipping = list->after[0] != '\0';
    return true;
}

enum scrip_status api_orders_list(struct context *context)
{
    struct order_query query;
    struct order_list list = {.context = context, .limit = LIST_DEFAULT};
    if (!read_order_query(context, &query, &list)) {
        return SCRIP_OK;
    }
    list.items = json_array();
    const enum scrip_status status =
        scrip_ledger_orders(context->ledger, query.card[0] != '\0' ? query.uid : NULL, list_order, &list);
    if (status != SCRIP_OK || list.skipping) {
        json_decref(list.items);
        return status != SCRIP_OK ? status
                                  : problem(context, SCRIP_PROBLEM_MALFORMED, "after names no order of this list");
    }
    return response_json(context->response, 200, json_pack("{so sb}", "orders", list.items, "more", list.more));
}

/* A second payment for an order must be given back, a payment that funds another order must not: two answers. */
static enum scrip_status fund(struct context *context, const char *id, const char *funding_id)
{
    struct scrip_ledger_order order;
    scrip_ledger_request_sure(context->ledger); /* a payment that funds another order is refused by the first row */
    const enum scrip_status status = scrip_ledger_order_fund(context->ledger, id, funding_id);
    if (status != SCRIP_E_CONFLICT) {
        SCRIP_TRY(status);
        return answer_done(context, id);
    }
    SCRIP_TRY(scrip_ledger_order_get(context->ledger, id, &order));
    return order.funding_id[0] != '\0' ? problem(context, SCRIP_PROBLEM_FUNDED_TWICE, order.funding_id)
                                       : problem(context, SCRIP_PROBLEM_ID_CONFLICT, "the payment funds another order");
}

enum scrip_status api_order_fund(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    const char *funding_id = NULL;
    json_t *root;
    SCRIP_TRY(path_id(context, id));
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss}", "funding_id", &funding_id)) {
        status = is_good_id(funding_id)
                     ? fund(context, id, funding_id)
                     : problem(context, SCRIP_PROBLEM_MALFORMED,
                               "funding_id must be 1 to 64 of A-Z a-z 0-9 . _ ~ - and begin with no dot");
    }
    json_decref(root);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return status;
}

enum scrip_status api_order_cancel(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    SCRIP_TRY(path_id(context, id));
    SCRIP_TRY(scrip_ledger_order_cancel(context->ledger, id));
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return answer_done(context, id);
}

enum scrip_status api_order_claim(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    const char *reason = NULL;
    json_t *root;
    SCRIP_TRY(path_id(context, id));
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss}", "reason", &reason)) {
        status = scrip_ledger_order_claim(context->ledger, id, reason);
        status = status == SCRIP_OK ? answer_done(context, id) : status;
    }
    json_decref(root);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return status;
}

static bool resolve_event(const char *decision, enum scrip_settle_event *event)
{
    static const struct {
        const char *decision;
        enum scrip_settle_event event;
    } table[] = {
        {"on-card", SCRIP_EVENT_RESOLVE_ON_CARD},
        {"not-on-card", SCRIP_EVENT_RESOLVE_NOT_ON_CARD},
        {"collected", SCRIP_EVENT_COLLECT},
        {"written-off", SCRIP_EVENT_WRITE_OFF},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].decision, decision) == 0) {
            *event = table[i].event;
            return true;
        }
    }
    return false;
}

enum scrip_status api_order_resolve(struct context *context)
{
    char id[SCRIP_LEDGER_ID_MAX + 1];
    const char *decision = NULL;
    const char *memo = "";
    enum scrip_settle_event event;
    json_t *root;
    SCRIP_TRY(path_id(context, id));
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss s?s}", "decision", &decision, "memo", &memo)) {
        if (!resolve_event(decision, &event)) {
            status = problem(context, SCRIP_PROBLEM_MALFORMED,
                             "decision must be on-card, not-on-card, collected or written-off");
        } else {
            status = scrip_ledger_order_resolve(context->ledger, id, event, memo);
            status = status == SCRIP_OK ? answer_done(context, id) : status;
        }
    }
    json_decref(root);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return status;
}
