/* The shop and the operator: orders are created, funded, cancelled, claimed; each again until it is durable. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define TRIES 6

struct act {
    enum scrip_status (*act)(struct scrip_ledger *ledger, const void *what);
    const void *what;
};

/* Do something in a transaction of its own; the shop tries again what it does not know to be done. */
static enum scrip_status until_durable(struct world *world, const struct act *act)
{
    for (int i = 0; i < TRIES; i++) {
        world->stopped = false;
        enum scrip_status status = scrip_ledger_begin(world->ledger);
        if (status == SCRIP_OK) {
            status = act->act(world->ledger, act->what);
            if (status != SCRIP_OK) {
                scrip_ledger_rollback(world->ledger);
                return status;
            }
            status = scrip_ledger_commit(world->ledger);
        }
        if (world->stopped) {
            world_note(world, "the server stops");
            world_restart(world);
            continue;
        }
        if (status != SCRIP_OK) {
            world_fail(world, "the ledger: %s (%s)", scrip_status_name(status), scrip_ledger_message(world->ledger));
        }
        return status;
    }
    return SCRIP_E_STORE;
}

static enum scrip_status act_create(struct scrip_ledger *ledger, const void *what)
{
    return scrip_ledger_order_create(ledger, what);
}

static enum scrip_status act_fund(struct scrip_ledger *ledger, const void *what)
{
    char funding[SCRIP_LEDGER_ID_MAX + 1U];
    (void)snprintf(funding, sizeof funding, "pay-%.50s", (const char *)what);
    return scrip_ledger_order_fund(ledger, what, funding);
}

static enum scrip_status act_cancel(struct scrip_ledger *ledger, const void *what)
{
    return scrip_ledger_order_cancel(ledger, what);
}

static enum scrip_status act_claim(struct scrip_ledger *ledger, const void *what)
{
    return scrip_ledger_order_claim(ledger, what, "the holder says it did not arrive");
}

static enum scrip_status act_expire(struct scrip_ledger *ledger, const void *what)
{
    (void)what;
    return scrip_ledger_expire(ledger, NULL);
}

void world_order(struct world *world, const char *id, enum scrip_settle_kind kind, uint32_t amount)
{
    struct scrip_ledger_order order = {.kind = kind, .amount = amount};
    for (unsigned i = 0; i < world->order_count; i++) {
        if (strcmp(world->orders[i], id) == 0) {
            return; /* a shop makes an order once */
        }
    }
    if (world->order_count == WORLD_ORDERS) {
        return;
    }
    (void)snprintf(order.id, sizeof order.id, "%s", id);
    (void)snprintf(world->orders[world->order_count++], sizeof world->orders[0], "%s", id);
    memcpy(order.uid, world->scene->uid, sizeof order.uid);
    if (kind == SCRIP_KIND_TOPUP) {
        order.expires_ms = world->now_ms + 30ULL * 24 * 3600 * 1000;
    }
    enum scrip_status status = until_durable(world, &(struct act){act_create, &order});
    if (status == SCRIP_OK && kind == SCRIP_KIND_TOPUP) {
        status = until_durable(world, &(struct act){act_fund, id});
    }
    if (status != SCRIP_OK && status != SCRIP_E_EXPIRED && status != SCRIP_E_STORE) {
        world_fail(world, "order %s: %s", id, scrip_status_name(status));
    }
}

void world_cancel(struct world *world, const char *id)
{
    world->cancelled = true;
    const enum scrip_status status = until_durable(world, &(struct act){act_cancel, id});
    world_note(world, "cancel %s: %s", id, scrip_status_name(status));
}

void world_claim(struct world *world, const char *id)
{
    const enum scrip_status status = until_durable(world, &(struct act){act_claim, id});
    struct scrip_ledger_card card;
    if (status == SCRIP_OK && world->denied_at == UINT32_MAX &&
        scrip_ledger_card_get(world->ledger, world->scene->uid, &card) == SCRIP_OK && card.denied) {
        world->denied_at = card.issue_no;
        world->claimed = true;
        world_order(world, "after-claim", SCRIP_KIND_TOPUP, SECOND_AMOUNT); /* must never reach the card */
    }
    world_note(world, "claim %s: %s", id, scrip_status_name(status));
}

void world_expire(struct world *world)
{
    world->expired = true;
    (void)until_durable(world, &(struct act){act_expire, NULL});
}

/* ---- the operator ---- */

struct decision {
    const char *id;
    enum scrip_settle_event event;
};

static enum scrip_status act_resolve(struct scrip_ledger *ledger, const void *what)
{
    const struct decision *decision = what;
    return scrip_ledger_order_resolve(ledger, decision->id, decision->event, "the operator read the card");
}

static enum scrip_status act_release(struct scrip_ledger *ledger, const void *what)
{
    return scrip_ledger_card_release(ledger, what);
}

/* Value on the card that its account does not explain: the disputed order's, if it went through. */
static int64_t unexplained(struct world *world)
{
    struct scrip_ledger_card card;
    int32_t balance = 0;
    int64_t waiting = 0;
    if (!world_balance(world, &balance) || !world_terminal_owed(world, &waiting) ||
        scrip_ledger_card_get(world->ledger, world->scene->uid, &card) != SCRIP_OK) {
        return 0;
    }
    return balance - (card.card_float - waiting);
}

void world_operator(struct world *world, bool stuck)
{
    struct scrip_ledger_card card;
    const bool closed = world->plan->closed;
    if (scrip_ledger_card_get(world->ledger, world->scene->uid, &card) != SCRIP_OK || !world->cheated ||
        !(card.held || stuck)) {
        return;
    }
    world->plan->closed = true; /* an operator does this in peace */
    for (unsigned i = 0; i < world->order_count; i++) {
        enum scrip_settle_state state = world_state(world, world->orders[i]);
        if (stuck && state == SCRIP_STATE_ISSUED) { /* the card cannot prove anything any more */
            world_claim(world, world->orders[i]);
            state = world_state(world, world->orders[i]);
        }
        if (state == SCRIP_STATE_DISPUTED || state == SCRIP_STATE_CLAIMED) {
            const struct decision decision = {world->orders[i], unexplained(world) > 0
                                                                    ? SCRIP_EVENT_RESOLVE_ON_CARD
                                                                    : SCRIP_EVENT_RESOLVE_NOT_ON_CARD};
            const enum scrip_status status = until_durable(world, &(struct act){act_resolve, &decision});
            world_note(world, "the operator resolves %s %s: %s", decision.id, scrip_settle_event_name(decision.event),
                       scrip_status_name(status));
        }
    }
    (void)until_durable(world, &(struct act){act_release, world->scene->uid});
    world->plan->closed = closed;
}

enum scrip_settle_state world_state(struct world *world, const char *id)
{
    struct scrip_ledger_order order;
    const enum scrip_status status = scrip_ledger_order_get(world->ledger, id, &order);
    if (status != SCRIP_OK) {
        world_fail(world, "order %s cannot be read: %s", id, scrip_status_name(status));
        return SCRIP_STATE_COUNT;
    }
    return order.state;
}
