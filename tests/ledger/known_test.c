/* The rows that a transaction knows are the rows of the database: after every call of a long random sequence, what is
 * known is forgotten, read again, and must be the same. */
#include "book.h"
#include "desk.h"

#define REQUESTS 6000U
#define ORDERS   12U
#define SEED     0x5C12B00CU

struct walk {
    struct desk *d;
    uint32_t random;
    unsigned requests;
    unsigned done[16]; /* calls that succeeded, by kind */
};

static unsigned pick(struct walk *w, unsigned below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random % below;
}

static const uint8_t *some_card(struct walk *w)
{
    return pick(w, 2) ? ALICE : BOB;
}

/* Of the newest few: older orders are over. */
static void some_id(struct walk *w, char id[16])
{
    (void)snprintf(id, 16, "o%u", w->requests / 40 + pick(w, ORDERS));
}

/* ---- the calls: those of the server, with whatever comes into their way ---- */

static enum scrip_status create(struct walk *w)
{
    struct scrip_ledger_order order = {.kind = pick(w, 5) ? SCRIP_KIND_TOPUP : SCRIP_KIND_READ};
    some_id(w, order.id);
    memcpy(order.uid, some_card(w), 7);
    order.amount = order.kind == SCRIP_KIND_TOPUP ? 100 : 0;
    order.expires_ms = pick(w, 3) ? 0 : w->d->now + pick(w, 4000);
    return scrip_ledger_order_create(w->d->ledger, &order);
}

static enum scrip_status fund(struct walk *w)
{
    char id[16];
    char payment[16];
    some_id(w, id);
    (void)snprintf(payment, sizeof payment, "pay-%u", w->requests / 40 + pick(w, 2 * ORDERS));
    scrip_ledger_request_sure(w->d->ledger);
    return scrip_ledger_order_fund(w->d->ledger, id, payment);
}

static enum scrip_status issue(struct walk *w)
{
    char id[16];
    struct scrip_ledger_order order;
    some_id(w, id);
    SCRIP_TRY(scrip_ledger_order_get(w->d->ledger, id, &order));
    const struct scrip_ledger_issue wanted = issue_wanted(w->d->ledger, id, order.uid, (uint8_t)pick(w, 2));
    scrip_ledger_request_sure(w->d->ledger);
    return scrip_ledger_issue(w->d->ledger, &wanted, NULL);
}

static enum scrip_status settle(struct walk *w)
{
    struct scrip_ledger_settlement out;
    const uint8_t *uid = some_card(w);
    const struct scrip_ledger_card card = card_now(w->d->ledger, uid);
    struct scrip_settle_evidence evidence = batch_answer(w->d->ledger, uid, card.tmc + pick(w, 12) / 11);
    const struct scrip_settle_record record = {.value = 100, .reference = card.issue_no};
    if (pick(w, 2)) {
        evidence = session_reads(w->d->ledger, uid, card.tmc + pick(w, 2), &record, (uint8_t)pick(w, 2));
    } else {
        evidence.tmc += card.tmac && pick(w, 12) > 0;
        evidence.commit_ok = pick(w, 12) > 0;
        scrip_ledger_request_sure(w->d->ledger);
    }
    return scrip_ledger_settle(w->d->ledger, uid, &evidence, &out);
}

static enum scrip_status change_order(struct walk *w)
{
    char id[16];
    some_id(w, id);
    switch (pick(w, 6)) {
    case 0:
        return scrip_ledger_order_cancel(w->d->ledger, id);
    case 1:
        return scrip_ledger_order_claim(w->d->ledger, id, "claimed");
    case 2:
        return scrip_ledger_order_resolve(w->d->ledger, id, SCRIP_EVENT_RESOLVE_NOT_ON_CARD, "decided");
    case 3:
        return scrip_ledger_order_resolve(w->d->ledger, id, SCRIP_EVENT_RESOLVE_ON_CARD, "decided");
    case 4:
        return scrip_ledger_order_start(w->d->ledger, id);
    default:
        return scrip_ledger_order_finish(w->d->ledger, id, scrip_bytes("result", pick(w, 6)));
    }
}

static enum scrip_status change_card(struct walk *w)
{
    const uint8_t *uid = some_card(w);
    switch (pick(w, 40)) {
    case 0:
        return scrip_ledger_card_hold(w->d->ledger, uid, "held");
    case 1:
        return scrip_ledger_card_deny(w->d->ledger, uid, "denied");
    case 2:
        return scrip_ledger_card_set_key_version(w->d->ledger, uid, pick(w, 3));
    case 3:
        return scrip_ledger_tmc_note(w->d->ledger, uid, card_now(w->d->ledger, uid).tmc + 1);
    case 4:
        return scrip_ledger_gap_close(w->d->ledger, uid, card_now(w->d->ledger, uid).tmc + 1, 5, "gap");
    case 5:
        return scrip_ledger_post(w->d->ledger, pick(w, 2) ? "p1" : "p2", SCRIP_BOOKING_BREAKAGE, 1, uid, NULL, "");
    default: /* or nothing would go on for long */
        return pick(w, 2) ? scrip_ledger_card_release(w->d->ledger, uid) : scrip_ledger_card_allow(w->d->ledger, uid);
    }
}

static enum scrip_status take_debit(struct walk *w)
{
    enum scrip_ledger_taken result;
    const uint8_t *uid = some_card(w);
    const uint32_t tmc = uid == ALICE ? card_now(w->d->ledger, uid).tmc + pick(w, 3) : 0;
    struct scrip_ledger_debit debit = debit_line(uid, 1 + pick(w, REQUESTS), tmc, 3);
    debit.answered = pick(w, 3) > 0;
    return scrip_ledger_debit_add(w->d->ledger, &debit, &result, NULL);
}

static enum scrip_status look(struct walk *w)
{
    char id[16];
    struct scrip_ledger_order order;
    struct scrip_ledger_issue found;
    some_id(w, id);
    SCRIP_TRY(scrip_ledger_order_get(w->d->ledger, id, &order));
    return scrip_ledger_issue_get(w->d->ledger, order.uid, order.reference, &found);
}

static enum scrip_status expire(struct walk *w)
{
    w->d->now += pick(w, 2000);
    return scrip_ledger_expire(w->d->ledger, NULL);
}

/* ---- the law ---- */

static void assert_known_is_true(struct scrip_ledger *ledger)
{
    struct card_row card;
    struct order_row order;
    struct scrip_ledger_issue issue_now;
    const unsigned has = ledger->known.has;
    const struct card_row card_known = ledger->known.card;
    const struct order_row order_known = ledger->known.order;
    const struct issue_row issue_known = ledger->known.issue;
    ledger->known.has = 0;
    if ((has & KNOWN_CARD) != 0) {
        assert_ok(card_load_number(ledger, card_known.number, &card));
        assert_memory_equal(&card, &card_known, sizeof card);
    }
    if ((has & KNOWN_ORDER) != 0) {
        assert_ok(order_load_n(ledger, order_known.n, &order));
        assert_memory_equal(&order, &order_known, sizeof order);
    }
    if ((has & KNOWN_ISSUE) != 0) {
        assert_ok(scrip_ledger_issue_get(ledger, issue_known.i.uid, issue_known.i.reference, &issue_now));
        assert_memory_equal(&issue_now, &issue_known.i, sizeof issue_now);
    }
    ledger->known.card = card_known;
    ledger->known.order = order_known;
    ledger->known.issue = issue_known;
    ledger->known.has = has;
}

/* One to three calls, kept only if all went well; even then the last word may be no. One that is sure is alone. */
static void request(struct walk *w)
{
    static enum scrip_status (*const calls[])(struct walk *) = {
        create, fund,         fund,        issue,       issue,      settle, settle,
        look,   change_order, change_card, change_card, take_debit, expire};
    bool keep = pick(w, 8) > 0;
    unsigned left = 1 + pick(w, 3);
    assert_ok(scrip_ledger_request_begin(w->d->ledger));
    while (left-- > 0) {
        const unsigned which = pick(w, sizeof calls / sizeof *calls);
        const enum scrip_status status = calls[which](w);
        assert_true(status != SCRIP_E_STORE && status != SCRIP_E_CORRUPT);
        w->done[which] += status == SCRIP_OK;
        assert_known_is_true(w->d->ledger);
        const bool bound = w->d->ledger->request == REQUEST_BOUND;
        assert_true(status == SCRIP_OK || !bound); /* a sure request is refused at once or not at all */
        keep = bound || (keep && status == SCRIP_OK);
        left = bound ? 0 : left;
    }
    assert_ok(scrip_ledger_request_end(w->d->ledger, keep));
    assert_known_is_true(w->d->ledger);
}

static void what_a_transaction_knows_is_what_the_database_has(void **state)
{
    struct walk w = {.d = *state, .random = SEED};
    desk_begin(w.d);
    while (w.requests++ < REQUESTS) {
        request(&w);
        if (pick(&w, 20) == 0) {
            pick(&w, 3) ? desk_commit(w.d) : scrip_ledger_rollback(w.d->ledger);
            desk_begin(w.d);
            assert_known_is_true(w.d->ledger);
        }
    }
    desk_commit(w.d);
    assert_book(w.d->ledger);
    for (unsigned i = 0; i < 13; i++) {
        assert_in_range(w.done[i], 10, REQUESTS); /* every kind of call went well now and then */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_transaction_knows_is_what_the_database_has, desk_setup, desk_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
