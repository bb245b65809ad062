#include "book.h"

#include <scrip/defect.h>

void order_read(struct scrip_ledger *ledger, enum store_statement s, struct order_row *row)
{
    struct scrip_ledger_order *o = &row->o;
    memset(row, 0, sizeof *row);
    row->n = column_number(ledger, s, 0);
    column_text(ledger, s, 1, o->id, sizeof o->id);
    row->card = column_number(ledger, s, 2);
    card_uid(row->card, o->uid);
    o->kind = (enum scrip_settle_kind)column_number(ledger, s, 3);
    o->amount = (uint32_t)column_number(ledger, s, 4);
    o->state = (enum scrip_settle_state)column_number(ledger, s, 5);
    o->created_ms = (uint64_t)column_number(ledger, s, 6);
    o->expires_ms = (uint64_t)column_number(ledger, s, 7);
    o->reference = (uint32_t)column_number(ledger, s, 8);
    column_text(ledger, s, 9, o->funding_id, sizeof o->funding_id);
    o->data_len = (uint16_t)column_blob(ledger, s, 10, o->data, sizeof o->data);
    o->result_len = (uint16_t)column_blob(ledger, s, 11, o->result, sizeof o->result);
}

/* The first row of a query is known from now on. */
static enum scrip_status order_know(struct scrip_ledger *ledger, enum store_statement s, const struct store_value *key)
{
    SCRIP_TRY(ledger_query(ledger, s, key, 1));
    order_read(ledger, s, &ledger->known.order);
    ledger_end(ledger, s);
    ledger->known.has |= KNOWN_ORDER;
    return SCRIP_OK;
}

/* FNV-1a: it need not be strong, a hint that misleads costs a look-up. */
static int64_t *hint_of(struct scrip_ledger *ledger, const char *id)
{
    uint32_t hash = 2166136261U;
    for (; *id != '\0'; id++) {
        hash = (hash ^ (uint8_t)*id) * 16777619U;
    }
    return &ledger->hint[(hash ^ hash >> 16) % HINTS];
}

static enum scrip_status order_look_up(struct scrip_ledger *ledger, const char *id)
{
    int64_t *hint = hint_of(ledger, id);
    if (*hint != 0) {
        const enum scrip_status status = order_know(ledger, STORE_ORDER_BY_N, &V_INT(*hint));
        if (status != SCRIP_E_NOT_FOUND && (status != SCRIP_OK || strcmp(ledger->known.order.o.id, id) == 0)) {
            return status;
        }
    }
    SCRIP_TRY(order_know(ledger, STORE_ORDER_GET, &V_TEXT(id)));
    *hint = ledger->known.order.n;
    return SCRIP_OK;
}

enum scrip_status order_load(struct scrip_ledger *ledger, const char *id, struct order_row *row)
{
    const struct order_row *known = &ledger->known.order;
    if (!ledger_id_ok(id)) {
        return SCRIP_E_NOT_FOUND;
    }
    if (!ledger_knows(ledger, KNOWN_ORDER) || strcmp(known->o.id, id) != 0) {
        SCRIP_TRY(order_look_up(ledger, id));
    }
    *row = *known;
    return SCRIP_OK;
}

enum scrip_status order_load_n(struct scrip_ledger *ledger, int64_t n, struct order_row *row)
{
    const struct order_row *known = &ledger->known.order;
    if (!ledger_knows(ledger, KNOWN_ORDER) || known->n != n) {
        SCRIP_TRY(order_know(ledger, STORE_ORDER_BY_N, &V_INT(n)));
    }
    *row = *known;
    return SCRIP_OK;
}

/* The compare-and-swap on the order's state, with what else the event writes into the row. */
static enum scrip_status order_move(struct scrip_ledger *ledger, const struct order_row *order,
                                    enum scrip_settle_event event, unsigned next)
{
    unsigned changed = 0;
    const struct store_value n = V_INT(order->n);
    const struct store_value from = V_INT(order->o.state);
    const struct store_value to = V_INT(next);
    switch (event) {
    case SCRIP_EVENT_FUND:
        SCRIP_TRY(RUN(ledger, ORDER_FUND, &changed, n, from, to, V_TEXT(order->o.funding_id)));
        break;
    case SCRIP_EVENT_ISSUE:
        SCRIP_TRY(RUN(ledger, ORDER_ISSUE, &changed, n, from, to, V_INT(order->o.reference)));
        break;
    case SCRIP_EVENT_FINISH:
        SCRIP_TRY(RUN(ledger, ORDER_FINISH, &changed, n, from, to, V_BLOB(order->o.result, order->o.result_len)));
        break;
    default:
        SCRIP_TRY(RUN(ledger, ORDER_MOVE, &changed, n, from, to));
    }
    return changed == 1 ? SCRIP_OK : SCRIP_E_STATE;
}

static enum scrip_status order_book(struct scrip_ledger *ledger, const struct order_row *order, struct card_row *card,
                                    enum scrip_booking booking, struct scrip_bytes evidence)
{
    if (booking == SCRIP_BOOKING_NONE) {
        return SCRIP_OK;
    }
    const struct posting posting = {
        .booking = booking, .amount = order->o.amount, .card = order->card, .order = order->n, .evidence = evidence};
    SCRIP_TRY(book_post(ledger, &posting));
    if (scrip_booking_to(booking) == SCRIP_ACCOUNT_CARD) {
        SCRIP_TRY(card_add_float(card, posting.amount));
    }
    return SCRIP_OK;
}

enum scrip_status order_apply(struct scrip_ledger *ledger, struct order_row *order, struct card_row *card,
                              enum scrip_settle_event event, struct scrip_bytes evidence, const char *why,
                              struct scrip_settle_step *step)
{
    const struct scrip_settle_step cell = scrip_settle_next(order->o.kind, order->o.state, event);
    if (step != NULL) {
        *step = cell;
    }
    if (cell.answer == SCRIP_ANSWER_REFUSE || cell.answer == SCRIP_ANSWER_MISSING) {
        return SCRIP_E_STATE;
    }
    if (card == NULL && (cell.hold || cell.deny)) {
        return SCRIP_E_STATE; /* an event that concerns no card can hold none */
    }
    if (cell.hold) {
        SCRIP_TRY(card_mark_held(ledger, card, why, evidence));
    }
    if (cell.deny) {
        card->c.denied = true;
        copy_text(card->c.reason, sizeof card->c.reason, why);
    }
    if (cell.answer == SCRIP_ANSWER_GO) {
        SCRIP_TRY(order_move(ledger, order, event, cell.next));
        SCRIP_TRY(order_book(ledger, order, card, (enum scrip_booking)cell.booking, evidence));
        order->o.state = (enum scrip_settle_state)cell.next;
        ledger->known.order = *order; /* all that differs from the row that was loaded has just been written */
        ledger->known.has |= KNOWN_ORDER;
    }
    return SCRIP_OK;
}

/* ---- Creating ---- */

static bool order_ok(const struct scrip_ledger_order *order)
{
    const bool amount_ok =
        order->kind == SCRIP_KIND_TOPUP ? order->amount > 0 && order->amount <= INT32_MAX : order->amount == 0;
    return ledger_id_ok(order->id) && (unsigned)order->kind < SCRIP_KIND_COUNT && amount_ok &&
           order->data_len <= SCRIP_LEDGER_DATA_MAX && order->expires_ms <= INT64_MAX;
}

static bool order_same(const struct scrip_ledger_order *a, const struct scrip_ledger_order *b)
{
    return a->kind == b->kind && a->amount == b->amount && memcmp(a->uid, b->uid, 7) == 0 &&
           a->data_len == b->data_len && memcmp(a->data, b->data, a->data_len) == 0;
}

enum scrip_status scrip_ledger_order_create(struct scrip_ledger *ledger, const struct scrip_ledger_order *order)
{
    if (!order_ok(order)) {
        return SCRIP_E_ARGUMENT;
    }
    struct order_row known;
    struct card_row card;
    const enum scrip_status status = order_load(ledger, order->id, &known);
    if (status == SCRIP_OK) {
        return order_same(&known.o, order) ? SCRIP_OK : SCRIP_E_CONFLICT;
    }
    if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    SCRIP_TRY(card_load(ledger, order->uid, &card));
    if (card.c.offline) {
        return SCRIP_E_UNSUPPORTED;
    }
    return RUN(ledger, ORDER_ADD, NULL, V_TEXT(order->id), V_INT(card.number), V_INT(order->kind), V_INT(order->amount),
               V_INT(SCRIP_STATE_CREATED), V_INT(ledger_now(ledger)), V_INT(order->expires_ms),
               order->data_len == 0 ? V_NULL : V_BLOB(order->data, order->data_len));
}

enum scrip_status scrip_ledger_order_get(struct scrip_ledger *ledger, const char *id, struct scrip_ledger_order *order)
{
    struct order_row row;
    SCRIP_TRY(order_load(ledger, id, &row));
    *order = row.o;
    return SCRIP_OK;
}

/* ---- What people and the clock do ---- */

static bool over(const struct scrip_ledger *ledger, const struct order_row *order)
{
    return order->o.expires_ms != 0 && ledger_now(ledger) >= order->o.expires_ms;
}

enum scrip_status scrip_ledger_order_fund(struct scrip_ledger *ledger, const char *id, const char *funding_id)
{
    struct order_row order;
    uint8_t evidence[EVIDENCE_MAX];
    if (!ledger_id_ok(funding_id)) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(order_load(ledger, id, &order));
    if (order.o.funding_id[0] != '\0') {
        return strcmp(order.o.funding_id, funding_id) == 0 ? SCRIP_OK : SCRIP_E_CONFLICT;
    }
    if (order.o.state == SCRIP_STATE_CREATED && over(ledger, &order)) {
        return SCRIP_E_EXPIRED;
    }
    copy_text(order.o.funding_id, sizeof order.o.funding_id, funding_id);
    const enum scrip_status status = order_apply(ledger, &order, NULL, SCRIP_EVENT_FUND,
                                                 evidence_text(evidence, EVIDENCE_FUND, funding_id), "", NULL);
    return status == SCRIP_E_EXISTS ? SCRIP_E_CONFLICT : status;
}

/* Events that one call of an operator or a shop makes. */
static enum scrip_status order_event(struct scrip_ledger *ledger, struct order_row *order,
                                     enum scrip_settle_event event, const char *why)
{
    struct card_row card;
    uint8_t evidence[EVIDENCE_MAX];
    SCRIP_TRY(card_load_number(ledger, order->card, &card));
    SCRIP_TRY(order_apply(ledger, order, &card, event, evidence_text(evidence, EVIDENCE_MEMO, why),
                          why == NULL ? "" : why, NULL));
    return card_save(ledger, &card);
}

enum scrip_status scrip_ledger_order_cancel(struct scrip_ledger *ledger, const char *id)
{
    struct order_row order;
    SCRIP_TRY(order_load(ledger, id, &order));
    return order_event(ledger, &order, SCRIP_EVENT_CANCEL, "cancelled");
}

enum scrip_status scrip_ledger_order_claim(struct scrip_ledger *ledger, const char *id, const char *reason)
{
    struct order_row order;
    SCRIP_TRY(order_load(ledger, id, &order));
    return order_event(ledger, &order, SCRIP_EVENT_CLAIM, reason);
}

/* A decision also closes the issue, so that later sessions do not judge it again. */
static enum scrip_status issue_resolve(struct scrip_ledger *ledger, const struct order_row *order, bool on_card)
{
    static const enum scrip_ledger_outcome undecided[] = {SCRIP_OUTCOME_OPEN, SCRIP_OUTCOME_DISPUTED};
    for (size_t i = 0; i < sizeof undecided / sizeof *undecided; i++) {
        SCRIP_TRY(RUN(ledger, ISSUE_CLOSE, NULL, V_INT(order->card), V_INT(order->o.reference), V_INT(undecided[i]),
                      V_INT(on_card ? SCRIP_OUTCOME_COMMITTED : SCRIP_OUTCOME_ABSENT), V_NULL));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_order_resolve(struct scrip_ledger *ledger, const char *id, enum scrip_settle_event event,
                                             const char *memo)
{
    struct order_row order;
    const bool decision = event == SCRIP_EVENT_RESOLVE_ON_CARD || event == SCRIP_EVENT_RESOLVE_NOT_ON_CARD;
    if (!decision && event != SCRIP_EVENT_COLLECT && event != SCRIP_EVENT_WRITE_OFF) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(order_load(ledger, id, &order));
    SCRIP_TRY(order_event(ledger, &order, event, memo));
    return decision ? issue_resolve(ledger, &order, event == SCRIP_EVENT_RESOLVE_ON_CARD) : SCRIP_OK;
}

static enum scrip_status expire_next(struct scrip_ledger *ledger, enum store_statement due)
{
    struct order_row order;
    SCRIP_TRY(ledger_query(ledger, due, VALUES(V_INT(ledger_now(ledger)))));
    order_read(ledger, due, &order);
    ledger_end(ledger, due);
    return order_event(ledger, &order, SCRIP_EVENT_EXPIRE, "expired");
}

enum scrip_status scrip_ledger_expire(struct scrip_ledger *ledger, unsigned *count)
{
    unsigned done = 0;
    enum scrip_status status = SCRIP_OK;
    while ((status = expire_next(ledger, STORE_ORDERS_DUE)) == SCRIP_OK) {
        done++;
    }
    if (SCRIP_DEFECT(refund_by_clock) && status == SCRIP_E_NOT_FOUND) {
        while ((status = expire_next(ledger, STORE_ORDERS_DUE_ISSUED)) == SCRIP_OK) {
            done++;
        }
    }
    if (status == SCRIP_E_NOT_FOUND && count != NULL) {
        *count = done;
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

/* ---- Work without money ---- */

enum scrip_status scrip_ledger_order_start(struct scrip_ledger *ledger, const char *id)
{
    struct order_row order;
    struct card_row card;
    SCRIP_TRY(order_load(ledger, id, &order));
    SCRIP_TRY(card_load_number(ledger, order.card, &card));
    if (card.c.held && order.o.kind != SCRIP_KIND_READ) {
        return SCRIP_E_HELD;
    }
    if (!scrip_settle_is_final(order.o.state) && over(ledger, &order)) {
        return SCRIP_E_EXPIRED;
    }
    return order_apply(ledger, &order, &card, SCRIP_EVENT_START, scrip_bytes(NULL, 0), "", NULL);
}

enum scrip_status scrip_ledger_order_finish(struct scrip_ledger *ledger, const char *id, struct scrip_bytes result)
{
    struct order_row order;
    struct card_row card;
    if (result.len > SCRIP_LEDGER_DATA_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(order_load(ledger, id, &order));
    SCRIP_TRY(card_load_number(ledger, order.card, &card));
    order.o.result_len = (uint16_t)result.len;
    if (result.len > 0) {
        memcpy(order.o.result, result.at, result.len);
    }
    return order_apply(ledger, &order, &card, SCRIP_EVENT_FINISH, scrip_bytes(NULL, 0), "", NULL);
}

enum scrip_status scrip_ledger_orders(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      bool (*each)(void *ctx, const struct scrip_ledger_order *order), void *ctx)
{
    struct order_row row;
    const enum store_statement s = uid == NULL ? STORE_ORDERS_ALL : STORE_ORDERS_OF_CARD;
    enum scrip_status status =
        uid == NULL ? ledger_query(ledger, s, NULL, 0) : QUERY(ledger, ORDERS_OF_CARD, V_INT(card_number(uid)));
    while (status == SCRIP_OK) {
        order_read(ledger, s, &row);
        if (!each(ctx, &row.o)) {
            ledger_end(ledger, s);
            return SCRIP_OK;
        }
        status = ledger_next(ledger, s);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}
