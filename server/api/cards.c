#include "api.h"

#include <scrip/purse_desfire.h>
#include <scrip/purse_storage.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX    1000U
#define HISTORY_MAX 100U

json_t *api_card_json(struct context *context, const struct scrip_ledger_card *card)
{
    json_t *out = json_pack("{so ss sb sI sI sI sI sb sb so}", "uid", api_hex_json(card->uid, 7), "profile",
                            card->profile, "offline", card->offline, "key_version", (json_int_t)card->key_version,
                            "issue_no", (json_int_t)card->issue_no, "committed", (json_int_t)card->committed,
                            "transactions", (json_int_t)card->tmc, "held", card->held, "denied", card->denied, "float",
                            api_amount(context, card->card_float));
    if (out != NULL && (card->held || card->denied)) {
        (void)json_object_set_new(out, "reason", json_string(card->reason));
    }
    if (out != NULL && card->seen) {
        (void)json_object_set_new(out, "seen",
                                  json_pack("{so sI}", "balance", api_amount(context, card->seen_balance),
                                            "transactions", (json_int_t)card->seen_tmc));
    }
    return out;
}

static enum scrip_status answer_card(struct context *context, int status, const uint8_t uid[7])
{
    struct scrip_ledger_card card;
    SCRIP_TRY(scrip_ledger_card_get(context->ledger, uid, &card));
    return response_json(context->response, status, api_card_json(context, &card));
}

/* ---- register ---- */

struct card_body {
    const char *uid;
    const char *profile;
    json_int_t key_version;
    json_int_t transactions;
    json_int_t balance;
    const char *currency;
};

/* Debits that the server will never read in a log cannot explain the steps of the card's counter, and to wait for every
 * terminal's upload would leave a top-up open for as long as one of them is away. Then the log of top-ups decides
 * alone, and may: value and record are of one transaction, whose commands come to the card in one order only (each MAC
 * counts), and the log is read under the MAC of a session that has ended that one. The counter is a second witness, no
 * more; one that fell is an older image here as well. */
static bool leaves_nothing_to_read(const struct scrip_desfire_purse *purse)
{
    return purse->smallest_debit || !purse->log_by_server;
}

static const char *fill_desfire(const struct card_body *body, const struct scrip_desfire_purse *purse,
                                struct scrip_ledger_card *card)
{
    if (!api_hex(body->uid, card->uid, 7)) {
        return "uid must be 14 hex digits";
    }
    card->tmac = purse->tmac_file != SCRIP_PURSE_NONE;
    card->marked = purse->sm == SCRIP_DESFIRE_SM_EV1;
    card->unlogged = leaves_nothing_to_read(purse);
    return NULL;
}

/* The server has no session with such a card: all that it learns of it comes out of journals. */
static const char *fill_storage(const struct card_body *body, struct scrip_ledger_card *card)
{
    if (!api_uid(body->uid, card->uid)) {
        return "uid must be 14 hex digits, or 8";
    }
    if (body->transactions != 0) {
        return "a card of this profile counts no transactions";
    }
    card->offline = true;
    card->unlogged = true;
    return NULL;
}

static const char *fill_card(const struct card_body *body, struct scrip_ledger_card *card)
{
    struct scrip_desfire_profile profile;
    struct scrip_storage_purse storage;
    const bool fits = strlen(body->profile) < sizeof card->profile;
    const bool desfire = fits && scrip_desfire_profile_make(body->profile, &profile) == SCRIP_OK;
    if (!desfire && !(fits && scrip_storage_purse_make(body->profile, &storage) == SCRIP_OK)) {
        return "profile must be an12113, split, ev1, plain, classic, bcd or otp, with options behind plus signs";
    }
    const char *wrong = desfire ? fill_desfire(body, &profile.purse, card) : fill_storage(body, card);
    if (wrong != NULL) {
        return wrong;
    }
    if (body->key_version < 0 || body->key_version > 255 || body->transactions < 0 || body->transactions > UINT32_MAX ||
        body->balance < 0 || body->balance > INT32_MAX) {
        return "key_version, transactions or balance is out of its range";
    }
    memcpy(card->profile, body->profile, strlen(body->profile) + 1);
    card->key_version = (uint32_t)body->key_version;
    card->tmc = (uint32_t)body->transactions;
    card->card_float = body->balance;
    return NULL;
}

static enum scrip_status create_card(struct context *context, const struct card_body *body)
{
    struct scrip_ledger_card card;
    struct scrip_ledger_card there;
    memset(&card, 0, sizeof card);
    const char *wrong = fill_card(body, &card);
    if (wrong == NULL && body->balance > 0 && body->currency == NULL) {
        wrong = "a balance needs its currency";
    }
    if (wrong != NULL) {
        return problem(context, SCRIP_PROBLEM_MALFORMED, wrong);
    }
    if (body->currency != NULL && !api_currency(context, body->currency)) {
        return SCRIP_OK;
    }
    const bool known = scrip_ledger_card_get(context->ledger, card.uid, &there) == SCRIP_OK;
    SCRIP_TRY(scrip_ledger_card_add(context->ledger, &card));
    SCRIP_TRY(api_journal_retry(context, card.uid));
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return answer_card(context, known ? 200 : 201, card.uid);
}

enum scrip_status api_cards_create(struct context *context)
{
    struct card_body body = {.key_version = 1};
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss ss s?I s?I s?I s?s}", "uid", &body.uid, "profile", &body.profile, "key_version",
                   &body.key_version, "transactions", &body.transactions, "balance", &body.balance, "currency",
                   &body.currency)) {
        status = create_card(context, &body);
    }
    json_decref(root);
    return status;
}

/* ---- look ---- */

struct card_list {
    struct context *context;
    json_t *items;
    bool more;
    bool skipping;
    uint8_t after[7];
};

static bool list_card(void *ctx, const struct scrip_ledger_card *card)
{
    struct card_list *list = ctx;
    if (list->skipping) {
        list->skipping = memcmp(list->after, card->uid, 7) != 0;
        return true;
    }
    if (json_array_size(list->items) == LIST_MAX) {
        list->more = true;
        return false;
    }
    return json_array_append_new(list->items, api_card_json(list->context, card)) == 0;
}

enum scrip_status api_cards_list(struct context *context)
{
    struct card_list list = {.context = context};
    char after[UID_TEXT];
    if (!api_query(context, &(const struct api_query){"after", after, sizeof after}, 1) ||
        (after[0] != '\0' && !api_query_uid(context, "after", after, list.after))) {
        return SCRIP_OK;
    }
    list.skipping = after[0] != '\0';
    list.items = json_array();
    const enum scrip_status status = scrip_ledger_cards(context->ledger, list_card, &list);
    if (status != SCRIP_OK || list.skipping) {
        json_decref(list.items);
        return status != SCRIP_OK ? status : problem(context, SCRIP_PROBLEM_MALFORMED, "after names no card");
    }
    return response_json(context->response, 200, json_pack("{so sb}", "cards", list.items, "more", list.more));
}

enum scrip_status api_card_get(struct context *context)
{
    uint8_t uid[7];
    SCRIP_TRY(api_path_uid(context, uid));
    return answer_card(context, 200, uid);
}

/* ---- hold, release, deny, allow ---- */

static enum scrip_status with_reason(struct context *context,
                                     enum scrip_status (*change)(struct scrip_ledger *, const uint8_t *, const char *))
{
    uint8_t uid[7];
    const char *reason = NULL;
    json_t *root;
    SCRIP_TRY(api_path_uid(context, uid));
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss}", "reason", &reason)) {
        status = change(context->ledger, uid, reason);
        status = status == SCRIP_OK ? answer_card(context, 200, uid) : status;
    }
    json_decref(root);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return status;
}

static enum scrip_status without_reason(struct context *context,
                                        enum scrip_status (*change)(struct scrip_ledger *, const uint8_t *))
{
    uint8_t uid[7];
    SCRIP_TRY(api_path_uid(context, uid));
    SCRIP_TRY(change(context->ledger, uid));
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return answer_card(context, 200, uid);
}

enum scrip_status api_card_hold(struct context *context)
{
    return with_reason(context, scrip_ledger_card_hold);
}

enum scrip_status api_card_release(struct context *context)
{
    return without_reason(context, scrip_ledger_card_release);
}

enum scrip_status api_card_deny(struct context *context)
{
    return with_reason(context, scrip_ledger_card_deny);
}

static bool find_claim(void *ctx, const struct scrip_ledger_order *order)
{
    char *id = ctx;
    if (order->state == SCRIP_STATE_CLAIMED) {
        memcpy(id, order->id, sizeof order->id);
    }
    return id[0] == '\0';
}

/* The card stays deny-listed for the sake of an order that its operator may never have heard of: which? */
static enum scrip_status name_claim(struct context *context)
{
    uint8_t uid[7];
    char id[SCRIP_LEDGER_ID_MAX + 1] = "";
    char detail[SCRIP_LEDGER_ID_MAX + 80];
    SCRIP_TRY(api_path_uid(context, uid));
    SCRIP_TRY(scrip_ledger_orders(context->ledger, uid, find_claim, id));
    (void)snprintf(detail, sizeof detail, "the claim on order %s is open: a tap of the card settles it, or resolve it",
                   id);
    return problem(context, SCRIP_PROBLEM_ORDER_STATE, detail);
}

enum scrip_status api_card_allow(struct context *context)
{
    const enum scrip_status status = without_reason(context, scrip_ledger_card_allow);
    return status == SCRIP_E_STATE ? name_claim(context) : status;
}

/* ---- reconcile ---- */

static json_t *verdict_json(struct context *context, const struct scrip_ledger_verdict *verdict)
{
    json_t *missing = json_array();
    const size_t named = sizeof verdict->missing / sizeof verdict->missing[0];
    for (size_t i = 0; i < verdict->missing_count && i < named; i++) {
        (void)json_array_append_new(missing, json_integer(verdict->missing[i]));
    }
    json_t *out = json_pack("{ss ss sb so sI so}", "verdict", scrip_ledger_verdict_name(verdict->kind), "why",
                            verdict->why, "open", verdict->open, "float", api_amount(context, verdict->card_float),
                            "missing_count", (json_int_t)verdict->missing_count, "missing", missing);
    if (out != NULL && verdict->has_owed) {
        (void)json_object_set_new(out, "owed", api_amount(context, verdict->owed));
    }
    return out;
}

enum scrip_status api_card_reconcile(struct context *context)
{
    uint8_t uid[7];
    struct scrip_ledger_verdict verdict;
    SCRIP_TRY(api_path_uid(context, uid));
    SCRIP_TRY(scrip_ledger_reconcile(context->ledger, uid, &verdict));
    return response_json(context->response, 200, verdict_json(context, &verdict));
}

enum scrip_status api_card_gap(struct context *context)
{
    uint8_t uid[7];
    json_int_t transaction = 0;
    json_int_t amount = 0;
    const char *currency = NULL;
    const char *memo = "";
    json_t *root;
    SCRIP_TRY(api_path_uid(context, uid));
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{sI sI ss s?s}", "transaction", &transaction, "amount", &amount, "currency",
                   &currency, "memo", &memo) &&
        api_currency(context, currency)) {
        status = transaction < 1 || transaction > UINT32_MAX || amount < 1 || amount > INT32_MAX
                     ? SCRIP_E_ARGUMENT
                     : scrip_ledger_gap_close(context->ledger, uid, (uint32_t)transaction, (uint32_t)amount, memo);
        status = status == SCRIP_OK ? answer_card(context, 200, uid) : status;
    }
    json_decref(root);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return status;
}

/* ---- overview: what a customer may see of the card ---- */

struct overview {
    struct context *context;
    json_t *orders;
    json_t *debits;
    json_t *credits; /* at trusted terminals */
};

/* The newest are at the end; the list keeps the last HISTORY_MAX. */
static bool keep_last(json_t *list, json_t *item)
{
    if (json_array_size(list) == HISTORY_MAX) {
        (void)json_array_remove(list, 0);
    }
    return json_array_append_new(list, item) == 0;
}

static bool overview_order(void *ctx, const struct scrip_ledger_order *order)
{
    struct overview *overview = ctx;
    json_t *item = api_order_json(overview->context, order);
    (void)json_object_del(item, "phone_token");
    return keep_last(overview->orders, item);
}

static bool overview_debit(void *ctx, const struct scrip_ledger_debit *debit, enum scrip_ledger_taken taken)
{
    struct overview *overview = ctx;
    json_t *item = json_pack("{so so so sb}", "at", api_time(debit->at_ms), "amount",
                             api_amount(overview->context, debit->amount), "terminal", api_hex_json(debit->terminal, 4),
                             "booked", taken == SCRIP_DEBIT_BOOKED || taken == SCRIP_DEBIT_KNOWN);
    return keep_last(debit->credit ? overview->credits : overview->debits, item);
}

enum scrip_status api_card_overview(struct context *context)
{
    uint8_t uid[7];
    struct scrip_ledger_card card;
    struct overview overview = {context, NULL, NULL, NULL};
    SCRIP_TRY(api_path_uid(context, uid));
    SCRIP_TRY(scrip_ledger_card_get(context->ledger, uid, &card));
    overview.orders = json_array();
    overview.debits = json_array();
    overview.credits = json_array();
    enum scrip_status status = scrip_ledger_orders(context->ledger, uid, overview_order, &overview);
    if (status == SCRIP_OK) {
        status = scrip_ledger_debits(context->ledger, uid, overview_debit, &overview);
    }
    if (status != SCRIP_OK) {
        json_decref(overview.orders);
        json_decref(overview.debits);
        json_decref(overview.credits);
        return status;
    }
    return response_json(context->response, 200,
                         json_pack("{so so so so}", "card", api_card_json(context, &card), "orders", overview.orders,
                                   "debits", overview.debits, "credits", overview.credits));
}
