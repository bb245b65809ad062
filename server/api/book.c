/* The ledger over the API: balances, entries, verification, checkpoints, an operator's own bookings. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1000U

enum scrip_status api_ledger_balances(struct context *context)
{
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    SCRIP_TRY(scrip_ledger_balances(context->ledger, balances));
    json_t *out = json_object();
    for (unsigned i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
        (void)json_object_set_new(out, scrip_account_name((enum scrip_account)i), api_amount(context, balances[i]));
    }
    return response_json(context->response, 200, json_pack("{so}", "balances", out));
}

/* ---- entries ---- */

struct entry_list {
    struct context *context;
    json_t *items;
    uint64_t limit;
    bool more;
};

static json_t *entry_json(const struct context *context, const struct scrip_ledger_entry *entry)
{
    json_t *out =
        json_pack("{sI sI sI so ss ss ss so so}", "id", (json_int_t)entry->id, "stream", (json_int_t)entry->stream,
                  "sequence", (json_int_t)entry->sequence, "at", api_time(entry->at_ms), "booking",
                  scrip_booking_name(entry->booking), "from", scrip_account_name(scrip_booking_from(entry->booking)),
                  "to", scrip_account_name(scrip_booking_to(entry->booking)), "amount",
                  api_amount(context, entry->amount), "hash", api_hex_json(entry->hash, 32));
    if (out != NULL && entry->has_uid) {
        (void)json_object_set_new(out, "card", api_hex_json(entry->uid, 7));
    }
    if (out != NULL && entry->order_id[0] != '\0') {
        (void)json_object_set_new(out, "order", json_string(entry->order_id));
    }
    if (out != NULL && entry->merchant[0] != '\0') {
        (void)json_object_set_new(out, "merchant", json_string(entry->merchant));
    }
    return out;
}

static bool list_entry(void *ctx, const struct scrip_ledger_entry *entry)
{
    struct entry_list *list = ctx;
    if (json_array_size(list->items) == list->limit) {
        list->more = true;
        return false;
    }
    return json_array_append_new(list->items, entry_json(list->context, entry)) == 0;
}

enum scrip_status api_ledger_entries(struct context *context)
{
    struct entry_list list = {.context = context, .limit = ENTRIES_MAX};
    char card[UID_TEXT], from[UINT64_TEXT], limit[UINT64_TEXT];
    uint8_t uid[7];
    uint64_t first = 1;
    const struct api_query members[] = {
        {"from", from, sizeof from}, {"limit", limit, sizeof limit}, {"card", card, sizeof card}};
    if (!api_query(context, members, sizeof members / sizeof members[0]) ||
        !api_query_number(context, "from", from, 1, INT64_MAX, &first) ||
        !api_query_number(context, "limit", limit, 1, ENTRIES_MAX, &list.limit) ||
        (card[0] != '\0' && !api_query_uid(context, "card", card, uid))) {
        return SCRIP_OK;
    }
    list.items = json_array();
    const enum scrip_status status =
        scrip_ledger_entries(context->ledger, card[0] != '\0' ? uid : NULL, first, list_entry, &list);
    if (status != SCRIP_OK) {
        json_decref(list.items);
        return status;
    }
    return response_json(context->response, 200, json_pack("{so sb}", "entries", list.items, "more", list.more));
}

/* ---- checkpoints ---- */

static enum scrip_status checkpoint_key(struct context *context, uint8_t key[32])
{
    return scrip_keys_hash(context->keys, SCRIP_KEY_CHECKPOINT, SCRIP_KEY_NEWEST, "ledger checkpoint", NULL, 0, key);
}

enum scrip_status api_ledger_checkpoint(struct context *context)
{
    uint8_t key[32];
    char text[SCRIP_LEDGER_CHECKPOINT_MAX];
    SCRIP_TRY(checkpoint_key(context, key));
    const enum scrip_status status = scrip_ledger_checkpoint(context->ledger, key, text);
    scrip_wipe(key, sizeof key);
    SCRIP_TRY(status);
    return response_json(context->response, 200, json_pack("{ss}", "checkpoint", text));
}

static enum scrip_status verify(struct context *context, const char *checkpoint)
{
    struct scrip_ledger_report report;
    uint8_t key[32] = {0};
    enum scrip_status status = checkpoint == NULL ? SCRIP_OK : checkpoint_key(context, key);
    if (status == SCRIP_OK) {
        status = scrip_ledger_verify(context->ledger, key, checkpoint, &report);
    }
    scrip_wipe(key, sizeof key);
    if (status == SCRIP_E_MAC) {
        return problem(context, SCRIP_PROBLEM_MALFORMED, "the checkpoint was altered, or made with another key");
    }
    SCRIP_TRY(status);
    return response_json(context->response, 200,
                         json_pack("{sb sI sI ss}", "right", report.problems == 0, "entries",
                                   (json_int_t)report.entries, "problems", (json_int_t)report.problems, "first",
                                   report.problems == 0 ? "" : report.first));
}

enum scrip_status api_ledger_verify(struct context *context)
{
    const char *checkpoint = NULL;
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{s?s}", "checkpoint", &checkpoint)) {
        status = verify(context, checkpoint);
    }
    json_decref(root);
    return status;
}

/* ---- an operator's bookings ---- */

static bool booking_of(const char *name, enum scrip_booking *booking)
{
    static const struct {
        const char *name;
        enum scrip_booking booking;
    } table[] = {
        {"fee", SCRIP_BOOKING_FEE},
        {"payout", SCRIP_BOOKING_PAYOUT},
        {"payin", SCRIP_BOOKING_PAYIN},
        {"breakage", SCRIP_BOOKING_BREAKAGE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0) {
            *booking = table[i].booking;
            return true;
        }
    }
    return false;
}

struct posting_body {
    const char *id;
    const char *booking;
    json_int_t amount;
    const char *currency;
    const char *card;
    const char *merchant;
    const char *memo;
};

static enum scrip_status post(struct context *context, const struct posting_body *body)
{
    enum scrip_booking booking;
    uint8_t uid[7];
    if (!api_currency(context, body->currency)) {
        return SCRIP_OK;
    }
    if (!booking_of(body->booking, &booking) || body->amount < 1 || (body->card != NULL && !api_uid(body->card, uid))) {
        return problem(context, SCRIP_PROBLEM_MALFORMED,
                       "booking must be fee, payout, payin or breakage; amount above 0");
    }
    const enum scrip_status status = scrip_ledger_post(context->ledger, body->id, booking, body->amount,
                                                       body->card == NULL ? NULL : uid, body->merchant, body->memo);
    if (status == SCRIP_E_NOT_FOUND && booking != SCRIP_BOOKING_BREAKAGE) {
        return problem(context, SCRIP_PROBLEM_NO_SUCH_MERCHANT, NULL);
    }
    SCRIP_TRY(status);
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    return response_json(
        context->response, 201,
        json_pack("{ss ss so}", "id", body->id, "booking", body->booking, "amount", api_amount(context, body->amount)));
}

enum scrip_status api_ledger_post(struct context *context)
{
    struct posting_body body = {.memo = ""};
    json_t *root;
    SCRIP_TRY(api_body(context, &root));
    if (root == NULL) {
        return SCRIP_OK;
    }
    enum scrip_status status = SCRIP_OK;
    if (api_unpack(context, root, "{ss ss sI ss s?s s?s s?s}", "id", &body.id, "booking", &body.booking, "amount",
                   &body.amount, "currency", &body.currency, "card", &body.card, "merchant", &body.merchant, "memo",
                   &body.memo)) {
        status = post(context, &body);
    }
    json_decref(root);
    return status;
}
