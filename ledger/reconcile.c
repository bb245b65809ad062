/* reconcile.c: one card against everything that is known of it. Only sets of TMCs and sums are looked at, so the order
 * in which the evidence came in cannot matter. */
#include "book.h"

#include <stdio.h>

const char *scrip_ledger_verdict_name(enum scrip_ledger_verdict_kind kind)
{
    static const char *const names[] = {"in step", "gap", "fork", "rollback"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

/* A verdict in the making. */
struct finding {
    struct scrip_ledger_verdict verdict;
    uint32_t last_missing;
};

static void missing_add(struct finding *finding, uint32_t from, uint32_t to)
{
    struct scrip_ledger_verdict *verdict = &finding->verdict;
    finding->last_missing = from < to ? to - 1 : finding->last_missing;
    for (uint32_t tmc = from; tmc < to; tmc++) {
        if (verdict->missing_count >= 16) {
            verdict->missing_count += to - tmc;
            return;
        }
        verdict->missing[verdict->missing_count++] = tmc;
    }
}

/* One of the two sorted lists of known TMCs. */
struct tmcs {
    struct scrip_ledger *ledger;
    enum store_statement statement;
    bool more;
    uint32_t tmc;
};

static enum scrip_status tmcs_take(struct tmcs *list, enum scrip_status status)
{
    list->more = status == SCRIP_OK;
    if (list->more) {
        list->tmc = (uint32_t)column_number(list->ledger, list->statement, 0);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

static enum scrip_status missing_find(struct scrip_ledger *ledger, const struct card_row *card, struct finding *finding)
{
    struct tmcs lists[2] = {{ledger, STORE_DEBIT_TMCS, false, 0}, {ledger, STORE_ISSUE_TMCS, false, 0}};
    uint32_t next = card->tmc_start + 1;
    for (int i = 0; i < 2; i++) {
        SCRIP_TRY(tmcs_take(&lists[i], ledger_query(ledger, lists[i].statement, VALUES(V_INT(card->number)))));
    }
    while (lists[0].more || lists[1].more) {
        struct tmcs *least = !lists[1].more || (lists[0].more && lists[0].tmc <= lists[1].tmc) ? &lists[0] : &lists[1];
        if (least->tmc >= next) {
            missing_add(finding, next, least->tmc);
            next = least->tmc + 1;
        }
        SCRIP_TRY(tmcs_take(least, ledger_next(ledger, least->statement)));
    }
    if (card->c.tmc >= next) {
        missing_add(finding, next, card->c.tmc + 1);
    }
    return SCRIP_OK;
}

/* Transactions that are in the book without their TMC fill as many of the missing places. */
static enum scrip_status missing_fill(struct scrip_ledger *ledger, const struct card_row *card,
                                      struct scrip_ledger_verdict *verdict)
{
    int64_t issues = 0;
    int64_t debits = 0;
    int64_t logged = 0;
    SCRIP_TRY(NUMBER(ledger, ISSUES_UNPLACED, 0, &issues, V_INT(card->number)));
    SCRIP_TRY(NUMBER(ledger, DEBITS_UNPLACED, 0, &debits, V_INT(card->number)));
    SCRIP_TRY(NUMBER(ledger, HARVEST_UNMATCHED, 0, &logged, V_INT(card->number)));
    const int64_t left = (int64_t)verdict->missing_count - issues - debits;
    verdict->missing_count = left > 0 ? (uint32_t)left : 0;
    verdict->missing_logged = (uint32_t)logged;
    if (!card->c.tmac) {
        verdict->missing_count = verdict->missing_logged;
    }
    return SCRIP_OK;
}

/* What the card held at its last session, against the account as it stood after the same transaction. */
static enum scrip_status owed_find(struct scrip_ledger *ledger, const struct card_row *card,
                                   struct scrip_ledger_verdict *verdict)
{
    int64_t debits = 0;
    int64_t credits = 0;
    verdict->card_float = card->c.card_float;
    verdict->has_owed = card->c.seen;
    if (!card->c.seen) {
        return SCRIP_OK;
    }
    if (card->c.tmac) {
        SCRIP_TRY(NUMBER(ledger, DEBIT_SUM_AFTER, 0, &debits, V_INT(card->number), V_INT(card->c.seen_tmc)));
        SCRIP_TRY(NUMBER(ledger, ISSUE_SUM_AFTER, 0, &credits, V_INT(card->number), V_INT(card->c.seen_tmc)));
    } else {
        SCRIP_TRY(NUMBER(ledger, DEBIT_SUM, 0, &debits, V_INT(card->number)));
    }
    verdict->owed = card->c.card_float + debits - credits - card->c.seen_balance;
    if (!card->c.tmac) {
        /* Without a counter nobody can say which debits came after that session. Only more than all credits together
         * is certain to be too much. */
        verdict->has_owed = verdict->owed < 0;
    }
    return SCRIP_OK;
}

/* An offline card has no counter and no log, and nobody reads its balance under a MAC: what is owed cannot be known. */
static void decide_offline(struct finding *finding, int64_t waiting)
{
    struct scrip_ledger_verdict *verdict = &finding->verdict;
    verdict->kind = verdict->card_float < 0 ? SCRIP_VERDICT_GAP : SCRIP_VERDICT_IN_STEP;
    if (verdict->card_float < 0) {
        copy_text(verdict->why, sizeof verdict->why,
                  "terminals took more than the book has given the card: a credit is not uploaded or its opening value "
                  "was not registered, or value was made on it");
    } else if (waiting > 0) {
        (void)snprintf(verdict->why, sizeof verdict->why,
                       "what was uploaded is in the book; %u lines wait: their terminals do not know if they were made",
                       (unsigned)waiting);
    } else {
        copy_text(verdict->why, sizeof verdict->why,
                  "what was uploaded is in the book; this card counts nothing that would show what is still owed");
    }
}

static void decide(const struct card_row *card, struct finding *finding)
{
    struct scrip_ledger_verdict *verdict = &finding->verdict;
    const bool sure = card->c.tmac && verdict->has_owed && !verdict->open;
    if (card->verdict != SCRIP_VERDICT_IN_STEP) {
        verdict->kind = (enum scrip_ledger_verdict_kind)card->verdict;
        copy_text(verdict->why, sizeof verdict->why, card->c.reason);
    } else if (verdict->missing_count > 0 && sure && verdict->owed == 0 && finding->last_missing <= card->c.seen_tmc) {
        /* Every credit is in the book and a debit only takes: a balance that fits leaves no room for one. */
        verdict->kind = SCRIP_VERDICT_IN_STEP;
        (void)snprintf(verdict->why, sizeof verdict->why, "%u transactions are not in the book, and moved no money",
                       verdict->missing_count);
    } else if (verdict->missing_count > 0) {
        verdict->kind = SCRIP_VERDICT_GAP;
        (void)snprintf(verdict->why, sizeof verdict->why, "%u uploads are owed", verdict->missing_count);
    } else if (sure && verdict->owed != 0) {
        verdict->kind = SCRIP_VERDICT_FORK;
        copy_text(verdict->why, sizeof verdict->why,
                  "every transaction is in the book, and the balance is another one");
    } else {
        verdict->kind = SCRIP_VERDICT_IN_STEP;
        copy_text(verdict->why, sizeof verdict->why,
                  verdict->open ? "in step, with one order open" : "everything that the card has done is in the book");
    }
    if (verdict->has_owed && verdict->owed < 0 && !verdict->open && verdict->kind <= SCRIP_VERDICT_GAP) {
        verdict->kind = SCRIP_VERDICT_FORK;
        copy_text(verdict->why, sizeof verdict->why, "the card holds more than the book has given it");
    }
}

enum scrip_status scrip_ledger_reconcile(struct scrip_ledger *ledger, const uint8_t uid[7],
                                         struct scrip_ledger_verdict *verdict)
{
    struct card_row card;
    struct finding found = {0};
    int64_t open = 0;
    int64_t waiting = 0;
    SCRIP_TRY(card_load(ledger, uid, &card));
    SCRIP_TRY(NUMBER(ledger, ORDERS_UNSETTLED, 0, &open, V_INT(card.number)));
    found.verdict.open = open != 0;
    if (card.c.tmac) {
        SCRIP_TRY(missing_find(ledger, &card, &found));
    }
    SCRIP_TRY(missing_fill(ledger, &card, &found.verdict));
    SCRIP_TRY(owed_find(ledger, &card, &found.verdict));
    if (card.c.offline && card.verdict == SCRIP_VERDICT_IN_STEP) {
        SCRIP_TRY(NUMBER(ledger, DEBITS_WAITING, 0, &waiting, V_INT(card.number)));
        found.verdict.open = waiting > 0;
        decide_offline(&found, waiting);
    } else {
        decide(&card, &found);
    }
    *verdict = found.verdict;
    return SCRIP_OK;
}
