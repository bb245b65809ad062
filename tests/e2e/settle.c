/* After the faults: further taps and uploads until nothing is open, and then the books against the card. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 6

static bool is_money(struct world *world, const char *id, struct scrip_ledger_order *order)
{
    return scrip_ledger_order_get(world->ledger, id, order) == SCRIP_OK && order->kind == SCRIP_KIND_TOPUP;
}

/* May a tap still move this order? */
static bool is_open(struct world *world, const char *id)
{
    struct scrip_ledger_order order;
    struct scrip_ledger_card card;
    if (scrip_ledger_card_get(world->ledger, world->scene->uid, &card) == SCRIP_OK && card.held) {
        return false;
    }
    return is_money(world, id, &order) && (order.state == SCRIP_STATE_FUNDED || order.state == SCRIP_STATE_ISSUED);
}

static bool anything_open(struct world *world)
{
    for (unsigned i = 0; i < world->order_count; i++) {
        if (is_open(world, world->orders[i])) {
            return true;
        }
    }
    return false;
}

static void revive_phones(struct world *world)
{
    for (size_t i = 0; i < WORLD_PHONES && !world->broken; i++) {
        if (world_phone_revive(world, &world->phones[i])) {
            world_phone_run(world, &world->phones[i]);
        }
    }
}

static void tap_once(struct world *world, const char *id)
{
    for (size_t i = 0; i < WORLD_PHONES; i++) {
        if (world->phones[i].used && world->phones[i].gone) {
            world->phones[i].used = false;
        }
    }
    struct phone *phone = world_phone(world, id);
    if (phone != NULL) {
        world_phone_run(world, phone);
    }
}

static void tap_open_orders(struct world *world)
{
    for (unsigned i = 0; i < world->order_count && !world->broken; i++) {
        if (is_open(world, world->orders[i])) {
            tap_once(world, world->orders[i]);
        }
    }
}

/* The customer looks at the balance at home: a tap that moves no money, but settles. */
static bool look(struct world *world, int number)
{
    char id[20];
    (void)snprintf(id, sizeof id, "look-%d", number);
    world_order(world, id, SCRIP_KIND_READ, 0);
    for (int i = 0; i < ROUNDS && !world->broken && world_state(world, id) != SCRIP_STATE_DONE; i++) {
        tap_once(world, id);
    }
    return world_state(world, id) == SCRIP_STATE_DONE;
}

static bool upload(struct world *world, bool withheld_too)
{
    for (int i = 0; i < ROUNDS && !world->broken; i++) {
        world->journal_withheld = world->journal_withheld && !withheld_too;
        if (world_terminal_upload(world)) {
            return true;
        }
    }
    return false;
}

static bool gate_is_done(struct world *world)
{
    int64_t debited;
    unsigned open = 1;
    return world->wanted == 0 && world_terminal_sums(world, &debited, &open) && open == 0;
}

/* The card still works, and a tap ends what the gate left open. */
static void pay(struct world *world)
{
    for (int i = 0; i < ROUNDS && !world->broken; i++) {
        const int32_t amount = world->wanted > 0 ? world->wanted : GATE_AMOUNT;
        if (world_terminal_tap(world, amount) && gate_is_done(world)) {
            return;
        }
    }
}

/* Once through everything that customers, terminals and phones do anyway. @return nothing is left to do */
static bool settle_once(struct world *world, int round)
{
    const bool last_chance = round > 0;               /* for journals that are withheld */
    world->flushes = round >= 3 ? 0 : world->flushes; /* an honest phone at last */
    revive_phones(world);
    (void)upload(world, last_chance);
    if (world->expired) {
        world_expire(world);
    }
    tap_open_orders(world);
    const bool waiting = world->wanted > 0; /* a customer at the gate: his next tap belongs to the recovery */
    world->plan->essential = round == 0 ? world->plan->points : world->plan->essential;
    pay(world);
    world->plan->essential = round == 0 && waiting ? world->plan->points : world->plan->essential;
    (void)upload(world, last_chance);
    world_release_requests(world, true);
    world_operator(world, round >= 3);
    const bool looked = look(world, round);
    return looked && upload(world, last_chance) && gate_is_done(world) && !anything_open(world);
}

void world_settle(struct world *world)
{
    bool done = false;
    for (int i = 0; i < ROUNDS && !world->broken && !done; i++) {
        done = settle_once(world, i) && i > 0;
    }
    if (!done && !world->broken) { /* a fault may have come in the last round: now nothing more goes wrong */
        world->plan->closed = true;
        (void)settle_once(world, ROUNDS);
    }
    if (world->restored && !world->broken) { /* it shows at the card's next online tap */
        world->plan->closed = true;
        world_order(world, "last", SCRIP_KIND_READ, 0);
        tap_once(world, "last");
    }
}

/* ---- checks ---- */

struct sums {
    struct world *world;
    int64_t on_card; /* of the case's orders, by their states */
    int64_t open;    /* that may be on the card or not */
    bool lost;       /* an order whose money was neither given nor returned */
};

static void sum_order(struct sums *sums, const struct scrip_ledger_order *order)
{
    switch (order->state) {
    case SCRIP_STATE_CONFIRMED:
    case SCRIP_STATE_OWED:
    case SCRIP_STATE_WRITTEN_OFF:
        sums->on_card += order->amount;
        break;
    case SCRIP_STATE_DISPUTED:
    case SCRIP_STATE_CLAIMED:
        sums->open += order->amount;
        break;
    case SCRIP_STATE_CREATED:
    case SCRIP_STATE_CANCELLED:
    case SCRIP_STATE_EXPIRED:
    case SCRIP_STATE_REFUNDED:
        break;
    default:
        sums->lost = true;
        break;
    }
}

/* How a top-up may end, by what happened to it: an order is lost if it ends otherwise. */
static bool ends_well(const struct world *world, const struct scrip_ledger_order *order)
{
    switch (order->state) {
    case SCRIP_STATE_CONFIRMED:
        return true;
    case SCRIP_STATE_CANCELLED:
        return world->cancelled;
    case SCRIP_STATE_EXPIRED:
        return world->expired;
    case SCRIP_STATE_REFUNDED:
        return world->claimed || world->cheated;
    case SCRIP_STATE_OWED:
        return world->claimed;
    case SCRIP_STATE_FUNDED: /* a claim deny-lists the card: nothing new is issued */
        return world->claimed;
    default:
        return false;
    }
}

static void check_orders(struct world *world, struct sums *sums, bool held)
{
    for (unsigned i = 0; i < world->order_count; i++) {
        struct scrip_ledger_order order;
        if (!is_money(world, world->orders[i], &order)) {
            continue;
        }
        sum_order(sums, &order);
        if (!held && !ends_well(world, &order)) {
            world_fail(world, "order %s ends %s", order.id, scrip_settle_state_name(order.state));
        }
    }
}

static void check_book(struct world *world)
{
    struct scrip_ledger_report report;
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    int64_t sum = 0;
    if (scrip_ledger_verify(world->ledger, NULL, NULL, &report) != SCRIP_OK || report.problems != 0) {
        world_fail(world, "the book does not verify: %s", report.first);
    }
    if (scrip_ledger_balances(world->ledger, balances) != SCRIP_OK) {
        world_fail(world, "no balances");
        return;
    }
    for (int i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
        sum += balances[i];
    }
    if (sum != 0) {
        world_fail(world, "the accounts add up to %lld", (long long)sum);
    }
}

/* What the gate took since the scene: its journal, its openings and the merchant's account must say the same. */
static int64_t debits_of(struct world *world)
{
    struct scrip_ledger_merchant merchant;
    int64_t debited = 0;
    unsigned open = 0;
    if (!world_terminal_sums(world, &debited, &open) ||
        scrip_ledger_merchant_get(world->ledger, "gate", &merchant) != SCRIP_OK) {
        world_fail(world, "the debits cannot be counted");
        return 0;
    }
    debited -= world->scene->debited;
    if (open != 0) {
        world_fail(world, "%u debits are still open at the gate", open);
    }
    if (debited != world->opened + world->unopened) {
        world_fail(world, "the gate took %lld and opened for %lld", (long long)debited, (long long)world->opened);
    }
    if (merchant.balance - world->scene->debited != debited) {
        world_fail(world, "the merchant has %lld of %lld", (long long)(merchant.balance - world->scene->debited),
                   (long long)debited);
    }
    return debited;
}

static void check_card(struct world *world)
{
    struct scrip_ledger_card card;
    struct sums sums = {.world = world};
    int32_t balance = 0;
    if (world->tampered) { /* value and book are apart; what counts is that nothing goes on */
        if (world->restored && scrip_ledger_card_get(world->ledger, world->scene->uid, &card) == SCRIP_OK &&
            !card.held) {
            world_fail(world, "the book knew a newer state of the card than it has, and does not hold it");
        }
        return;
    }
    if (!world_balance(world, &balance) || scrip_ledger_card_get(world->ledger, world->scene->uid, &card) != SCRIP_OK) {
        world_fail(world, "the card cannot be read in the end");
        return;
    }
    check_orders(world, &sums, card.held);
    const int64_t wanted = world->scene->balance + sums.on_card - debits_of(world);
    const int64_t off = balance - wanted;
    const bool holder_lost = world->stray_commit && off < 0;
    if (off != 0 && !(card.held && sums.open > 0 && off == sums.open) && !holder_lost) {
        world_fail(world, "the card has %d, orders and debits make it %lld", balance, (long long)wanted);
    }
    if (card.card_float != wanted) {
        world_fail(world, "the card's account is %lld, orders and debits make it %lld", (long long)card.card_float,
                   (long long)wanted);
    }
    if (world->denied_at != UINT32_MAX && card.issue_no != world->denied_at) {
        world_fail(world, "the deny-listed card was issued number %u", card.issue_no);
    }
    if (card.held && !world->cheated) {
        world_fail(world, "the card is held: %s", card.reason);
    }
}

/* Somebody kept every request, and sends them all again, in full and cut. */
static void repeat_everything(struct world *world)
{
    const uint32_t count = world->request_count < WORLD_REQUESTS ? world->request_count : WORLD_REQUESTS;
    for (uint32_t i = 0; i < count && !world->broken; i++) {
        struct kept_request cut = world->requests[i];
        (void)world_deliver(world, &world->requests[i]);
        world_cut_report(&cut);
        if (cut.body_len != world->requests[i].body_len) {
            (void)world_deliver(world, &cut);
        }
    }
}

void world_check(struct world *world)
{
    if (world->broken) {
        return;
    }
    world->plan->closed = true;
    world_card_off(world);
    check_card(world);
    check_book(world);
    repeat_everything(world);
    check_card(world);
    check_book(world);
}
