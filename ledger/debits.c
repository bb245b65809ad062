/* debits.c: what terminals took. A line is taken once, whoever brings it and however often; what a terminal could not
 * know (an unanswered commit) waits until the card's own evidence decides. */
#include "book.h"

#include <scrip/defect.h>

/* Stored: append only. */
enum debit_state {
    STATE_BOOKED = 0,
    STATE_WAITING = 1,
    STATE_VOID = 2,
    STATE_FORKED = 3,
    STATE_NOTED = 4,      /* a transaction that moved no money */
    STATE_GAP = 5,        /* given up: its value is in suspense */
    STATE_GAP_CLOSED = 6, /* and came after all */
    /* What a terminal gave to an offline card. */
    STATE_CREDITED = 7,
    STATE_CREDIT_WAITING = 8,
    STATE_CREDIT_VOID = 9,
};

struct debit_row {
    struct scrip_ledger_debit d;
    int64_t n;
    enum debit_state state;
    bool has_before;
    uint32_t before; /* TMC before it, of an intent */
};

struct taker {
    int64_t merchant;
    int64_t fee_bp;
};

static int64_t terminal_number(const uint8_t id[4])
{
    return (int64_t)scrip_get_be32(id);
}

static void debit_read(struct scrip_ledger *ledger, enum store_statement s, struct debit_row *row)
{
    struct scrip_ledger_debit *d = &row->d;
    memset(row, 0, sizeof *row);
    row->n = column_number(ledger, s, 0);
    card_uid(column_number(ledger, s, 1), d->uid);
    d->has_tmc = !column_is_null(ledger, s, 2);
    d->tmc = (uint32_t)column_number(ledger, s, 2);
    row->state = (enum debit_state)column_number(ledger, s, 3);
    const uint32_t terminal = (uint32_t)column_number(ledger, s, 4);
    for (int i = 0; i < 4; i++) {
        d->terminal[i] = (uint8_t)(terminal >> (24 - 8 * i));
    }
    d->sequence = (uint64_t)column_number(ledger, s, 5);
    d->amount = (uint32_t)column_number(ledger, s, 6);
    d->at_ms = (uint64_t)column_number(ledger, s, 7);
    column_fixed(ledger, s, 8, d->record, 16);
    column_fixed(ledger, s, 9, d->tmri, 16);
    d->has_prev = !column_is_null(ledger, s, 10);
    column_fixed(ledger, s, 10, d->prev_tmri, 16);
    d->tmv_ok = !column_is_null(ledger, s, 11);
    column_fixed(ledger, s, 11, d->tmv, 8);
    row->has_before = !column_is_null(ledger, s, 12);
    row->before = (uint32_t)column_number(ledger, s, 12);
    d->has_balance = !column_is_null(ledger, s, 13);
    d->balance = (int32_t)column_number(ledger, s, 13);
    d->credit = row->state >= STATE_CREDITED;
    d->answered = row->state == STATE_BOOKED || row->state == STATE_FORKED || row->state == STATE_CREDITED;
}

static enum scrip_status debit_find(struct scrip_ledger *ledger, enum store_statement s, int64_t a, int64_t b,
                                    struct debit_row *row)
{
    SCRIP_TRY(ledger_query(ledger, s, VALUES(V_INT(a), V_INT(b))));
    debit_read(ledger, s, row);
    ledger_end(ledger, s);
    return SCRIP_OK;
}

static enum scrip_status taker_load(struct scrip_ledger *ledger, const uint8_t terminal[4], struct taker *taker)
{
    SCRIP_TRY(QUERY(ledger, TERMINAL_GET, V_INT(terminal_number(terminal))));
    taker->merchant = column_number(ledger, STORE_TERMINAL_GET, 1);
    taker->fee_bp = column_number(ledger, STORE_TERMINAL_GET, 4);
    ledger_end(ledger, STORE_TERMINAL_GET);
    return SCRIP_OK;
}

static struct scrip_bytes evidence_debit(uint8_t at[EVIDENCE_MAX], const struct scrip_ledger_debit *d)
{
    at[0] = EVIDENCE_DEBIT;
    at[1] = (uint8_t)(d->answered | d->tmv_ok << 1 | d->has_tmc << 2 | d->has_prev << 3);
    memcpy(at + 2, d->terminal, 4);
    scrip_put_le64(at + 6, d->sequence);
    scrip_put_le32(at + 14, d->has_tmc ? d->tmc : 0);
    memcpy(at + 18, d->tmv, 8);
    memcpy(at + 26, d->tmri, 16);
    return scrip_bytes(at, 42);
}

static enum scrip_status debit_book(struct scrip_ledger *ledger, struct card_row *card,
                                    const struct scrip_ledger_debit *debit)
{
    uint8_t memory[EVIDENCE_MAX];
    struct taker taker = {0};
    SCRIP_TRY(taker_load(ledger, debit->terminal, &taker));
    struct posting posting = {.booking = SCRIP_BOOKING_DEBIT,
                              .amount = debit->amount,
                              .card = card->number,
                              .merchant = taker.merchant,
                              .evidence = evidence_debit(memory, debit)};
    SCRIP_TRY(book_post(ledger, &posting));
    SCRIP_TRY(card_add_float(card, -posting.amount));
    posting.amount = (int64_t)debit->amount * taker.fee_bp / 10000;
    if (posting.amount == 0) {
        return SCRIP_OK;
    }
    posting.booking = SCRIP_BOOKING_FEE;
    posting.card = 0;
    return book_post(ledger, &posting);
}

static enum scrip_status debit_insert(struct scrip_ledger *ledger, const struct card_row *card,
                                      const struct scrip_ledger_debit *d, enum debit_state state)
{
    const bool placed = state == STATE_BOOKED && d->has_tmc;
    const bool before = d->has_tmc && !placed;
    const enum scrip_status status =
        RUN(ledger, DEBIT_ADD, NULL, V_INT(card->number), V_OPT(placed, d->tmc), V_INT(state),
            V_INT(terminal_number(d->terminal)), V_INT(d->sequence), V_INT(d->amount), V_INT(d->at_ms),
            is_zero(d->record, 16) ? V_NULL : V_BLOB(d->record, 16),
            is_zero(d->tmri, 16) ? V_NULL : V_BLOB(d->tmri, 16), d->has_prev ? V_BLOB(d->prev_tmri, 16) : V_NULL,
            d->tmv_ok ? V_BLOB(d->tmv, 8) : V_NULL, V_OPT(before, d->tmc), V_OPT(d->has_balance, d->balance));
    return status == SCRIP_E_EXISTS ? SCRIP_E_CONFLICT : status;
}

/* Make a row final. `d` brings what the row did not know: TMC, TMV, previous TMRI. */
static enum scrip_status debit_settle(struct scrip_ledger *ledger, int64_t n, enum debit_state state,
                                      const struct scrip_ledger_debit *d)
{
    return RUN(ledger, DEBIT_SETTLE, NULL, V_INT(n), V_INT(state), V_OPT(d->has_tmc && state == STATE_BOOKED, d->tmc),
               d->has_prev ? V_BLOB(d->prev_tmri, 16) : V_NULL, d->tmv_ok ? V_BLOB(d->tmv, 8) : V_NULL);
}

/* ---- Copies of a card ---- */

/* The reader id that stands in the transaction with this TMC; NOT_FOUND: not in the book, or without one. */
static enum scrip_status tmri_at(struct scrip_ledger *ledger, const struct card_row *card, uint32_t tmc,
                                 uint8_t tmri[16])
{
    struct debit_row row;
    enum scrip_status status = debit_find(ledger, STORE_DEBIT_BY_TMC, card->number, tmc, &row);
    if (status == SCRIP_OK) {
        memcpy(tmri, row.d.tmri, 16);
    } else if (status == SCRIP_E_NOT_FOUND) {
        SCRIP_TRY(QUERY(ledger, ISSUE_BY_TMC, V_INT(card->number), V_INT(tmc)));
        column_fixed(ledger, STORE_ISSUE_BY_TMC, 1, tmri, 16);
        ledger_end(ledger, STORE_ISSUE_BY_TMC);
        status = SCRIP_OK;
    }
    return status == SCRIP_OK && is_zero(tmri, 16) ? SCRIP_E_NOT_FOUND : status;
}

/* Does a line fit between its neighbours? NULL: yes; else what is wrong with it. */
static enum scrip_status chain_check(struct scrip_ledger *ledger, const struct card_row *card,
                                     const struct scrip_ledger_debit *d, const char **wrong)
{
    uint8_t tmri[16];
    struct debit_row row;
    enum scrip_status status = SCRIP_E_NOT_FOUND;
    if (d->has_prev) {
        status = tmri_at(ledger, card, d->tmc - 1, tmri);
        if (status == SCRIP_OK && memcmp(tmri, d->prev_tmri, 16) != 0) {
            *wrong = "two terminals disagree on the transaction before: a copy of the card exists";
        }
    }
    if (status != SCRIP_OK && status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    status = is_zero(d->tmri, 16) ? SCRIP_E_NOT_FOUND
                                  : debit_find(ledger, STORE_DEBIT_BY_TMC, card->number, (int64_t)d->tmc + 1, &row);
    if (status == SCRIP_OK && row.d.has_prev && memcmp(row.d.prev_tmri, d->tmri, 16) != 0) {
        *wrong = "the next transaction names another one before it: a copy of the card exists";
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

/* Is the TMC taken by something else? A gap that was given up makes room. */
static enum scrip_status place_clear(struct scrip_ledger *ledger, struct card_row *card, uint32_t tmc,
                                     const char **wrong)
{
    struct debit_row other;
    int64_t issue = 0;
    const enum scrip_status status = debit_find(ledger, STORE_DEBIT_BY_TMC, card->number, tmc, &other);
    if (status == SCRIP_OK && other.state == STATE_GAP) {
        const struct posting back = {
            .booking = SCRIP_BOOKING_GAP_RETURN, .amount = other.d.amount, .card = card->number};
        SCRIP_TRY(book_post(ledger, &back));
        SCRIP_TRY(card_add_float(card, other.d.amount));
        SCRIP_TRY(debit_settle(ledger, other.n, STATE_GAP_CLOSED, &other.d));
    } else if (status == SCRIP_OK) {
        *wrong = "two transactions have the same TMC: a copy of the card exists";
    } else if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    SCRIP_TRY(NUMBER(ledger, ISSUE_BY_TMC, 0, &issue, V_INT(card->number), V_INT(tmc)));
    if (issue != 0) {
        *wrong = "a debit and a top-up have the same TMC: a copy of the card exists";
    }
    return SCRIP_OK;
}

/* The card's log can prove a debit without telling its TMC. Each of those stands in one of the places that are left, so
 * when there are more of them than places, the TMC went back in between. `top`: highest TMC known. */
static enum scrip_status room_check(struct scrip_ledger *ledger, const struct card_row *card, uint32_t top,
                                    const char **wrong)
{
    int64_t homeless = 0;
    int64_t debits = 0;
    int64_t issues = 0;
    SCRIP_TRY(NUMBER(ledger, DEBITS_UNPLACED, 0, &homeless, V_INT(card->number)));
    if (homeless == 0) {
        return SCRIP_OK;
    }
    SCRIP_TRY(NUMBER(ledger, ISSUES_UNPLACED, 0, &issues, V_INT(card->number)));
    homeless += issues;
    SCRIP_TRY(NUMBER(ledger, DEBIT_COUNT_BETWEEN, 0, &debits, V_INT(card->number), V_INT(card->tmc_start), V_INT(top)));
    SCRIP_TRY(NUMBER(ledger, ISSUE_COUNT_BETWEEN, 0, &issues, V_INT(card->number), V_INT(card->tmc_start), V_INT(top)));
    if (debits + issues + 1 + homeless > (int64_t)top - card->tmc_start) { /* 1: the one that asks */
        *wrong = "more transactions are proved than the TMC has counted: an older state of the card came back";
    }
    return SCRIP_OK;
}

/* A debit that proves its place takes it from one whose terminal only claimed it. Where the claim was right, the next
 * transaction names it, and the chain tells. */
static enum scrip_status place_check(struct scrip_ledger *ledger, struct card_row *card,
                                     const struct scrip_ledger_debit *d, const char **wrong)
{
    struct debit_row other;
    const enum scrip_status status = debit_find(ledger, STORE_DEBIT_BY_TMC, card->number, d->tmc, &other);
    if (status == SCRIP_OK && other.state == STATE_BOOKED && !other.d.tmv_ok) {
        other.d.has_tmc = false;
        SCRIP_TRY(debit_settle(ledger, other.n, STATE_BOOKED, &other.d));
    } else if (status != SCRIP_OK && status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    SCRIP_TRY(place_clear(ledger, card, d->tmc, wrong));
    if (*wrong == NULL) {
        SCRIP_TRY(room_check(ledger, card, d->tmc > card->c.tmc ? d->tmc : card->c.tmc, wrong));
    }
    return *wrong == NULL ? chain_check(ledger, card, d, wrong) : SCRIP_OK;
}

/* ---- Taking a line ---- */

static enum scrip_status forked(struct scrip_ledger *ledger, struct card_row *card, const struct scrip_ledger_debit *d,
                                const struct debit_row *known, const char *wrong)
{
    uint8_t memory[EVIDENCE_MAX];
    SCRIP_TRY(card_mark_held(ledger, card, wrong, evidence_debit(memory, d)));
    card->verdict = card->verdict > SCRIP_VERDICT_FORK ? card->verdict : SCRIP_VERDICT_FORK;
    return known != NULL ? debit_settle(ledger, known->n, STATE_FORKED, d)
                         : debit_insert(ledger, card, d, STATE_FORKED);
}

/* A line also tells which transaction came before it, perhaps an issue whose outcome is open. */
static enum scrip_status settle_by_line(struct scrip_ledger *ledger, struct card_row *card,
                                        const struct scrip_ledger_debit *d, struct scrip_ledger_settlement *settled)
{
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_TERMINAL,
                                             .has_tmc = d->has_tmc,
                                             .tmc = d->tmc,
                                             .tmv_ok = d->tmv_ok,
                                             .has_prev = d->has_prev};
    struct scrip_ledger_settlement out;
    struct scrip_ledger_issue issue;
    memcpy(evidence.tmv, d->tmv, 8);
    memcpy(evidence.prev_tmri, d->prev_tmri, 16);
    if (!d->has_prev || scrip_settle_tmri_reference(d->prev_tmri) == 0) {
        return SCRIP_OK;
    }
    /* A terminal names its transactions as it likes: only the reader id of the issue itself is its name. */
    const uint32_t reference = scrip_settle_tmri_reference(d->prev_tmri);
    enum scrip_status status = scrip_ledger_issue_get(ledger, d->uid, reference, &issue);
    if (status != SCRIP_OK || memcmp(issue.tmri, d->prev_tmri, sizeof issue.tmri) != 0) {
        return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
    }
    status = settle_with(ledger, card, &evidence, &out);
    if (status != SCRIP_OK && status != SCRIP_E_HELD) {
        return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
    }
    if (settled != NULL) {
        *settled = out;
    }
    return SCRIP_OK;
}

static enum scrip_status take_answered(struct scrip_ledger *ledger, struct card_row *card,
                                       const struct scrip_ledger_debit *d, const struct debit_row *known,
                                       enum scrip_ledger_taken *taken, struct scrip_ledger_settlement *settled)
{
    const char *wrong = NULL;
    if (card->c.tmac && (!d->has_tmc || !d->tmv_ok) && !SCRIP_DEFECT(tmv_not_checked)) {
        return SCRIP_E_MAC;
    }
    if (d->has_tmc) {
        SCRIP_TRY(place_check(ledger, card, d, &wrong));
    }
    if (wrong != NULL) {
        SCRIP_TRY(forked(ledger, card, d, known, wrong));
        *taken = SCRIP_DEBIT_FORKED;
        return SCRIP_OK;
    }
    SCRIP_TRY(known != NULL ? debit_settle(ledger, known->n, STATE_BOOKED, d)
                            : debit_insert(ledger, card, d, STATE_BOOKED));
    SCRIP_TRY(debit_book(ledger, card, d));
    if (d->has_tmc && d->tmc > card->c.tmc) {
        card->c.tmc = d->tmc;
    }
    *taken = SCRIP_DEBIT_BOOKED;
    SCRIP_TRY(settle_by_line(ledger, card, d, settled));
    const struct intent_hint hint = {.has_prev = d->has_prev && d->has_tmc, .prev = d->prev_tmri, .tmc = d->tmc};
    return debits_revisit(ledger, card, &hint);
}

static enum scrip_ledger_taken taken_of(enum debit_state state)
{
    switch (state) {
    case STATE_BOOKED:
    case STATE_CREDITED:
        return SCRIP_DEBIT_KNOWN;
    case STATE_WAITING:
    case STATE_CREDIT_WAITING:
        return SCRIP_DEBIT_WAITING;
    case STATE_VOID:
    case STATE_CREDIT_VOID:
        return SCRIP_DEBIT_VOID;
    default:
        return SCRIP_DEBIT_FORKED;
    }
}

static enum scrip_status take_intent(struct scrip_ledger *ledger, struct card_row *card,
                                     const struct scrip_ledger_debit *d, enum scrip_ledger_taken *taken)
{
    struct debit_row row;
    const struct intent_hint nothing = {0};
    SCRIP_TRY(debit_insert(ledger, card, d, STATE_WAITING));
    SCRIP_TRY(debits_revisit(ledger, card, &nothing));
    SCRIP_TRY(debit_find(ledger, STORE_DEBIT_BY_SEQ, terminal_number(d->terminal), (int64_t)d->sequence, &row));
    *taken = row.state == STATE_BOOKED ? SCRIP_DEBIT_BOOKED : taken_of(row.state);
    return SCRIP_OK;
}

static bool same_line(const struct scrip_ledger_debit *a, const struct scrip_ledger_debit *b)
{
    return memcmp(a->uid, b->uid, 7) == 0 && a->amount == b->amount && memcmp(a->record, b->record, 16) == 0 &&
           memcmp(a->tmri, b->tmri, 16) == 0;
}

/* A line whose sequence number is in the book already. */
static enum scrip_status take_known(struct scrip_ledger *ledger, struct card_row *card,
                                    const struct scrip_ledger_debit *d, const struct debit_row *known,
                                    enum scrip_ledger_taken *taken, struct scrip_ledger_settlement *settled)
{
    const bool other_tmc = known->d.has_tmc && d->answered && d->has_tmc && d->tmc != known->d.tmc;
    if (!same_line(&known->d, d) || other_tmc) {
        return SCRIP_E_CONFLICT;
    }
    const bool open = known->state == STATE_WAITING || known->state == STATE_VOID;
    if (d->answered && open) {
        return take_answered(ledger, card, d, known, taken, settled);
    }
    if (SCRIP_DEFECT(debit_taken_twice) && known->state == STATE_BOOKED) {
        SCRIP_TRY(debit_book(ledger, card, d));
    }
    *taken = taken_of(known->state);
    return SCRIP_OK;
}

/* ---- Lines of offline cards ---- */

static struct scrip_bytes evidence_credit(uint8_t at[EVIDENCE_MAX], const struct scrip_ledger_debit *d)
{
    at[0] = EVIDENCE_CREDIT;
    memcpy(at + 1, d->terminal, 4);
    scrip_put_le64(at + 5, d->sequence);
    scrip_put_le32(at + 13, d->reference);
    return scrip_bytes(at, 17);
}

/* The holder paid at the terminal, so its merchant owes the value. */
static enum scrip_status credit_book(struct scrip_ledger *ledger, struct card_row *card,
                                     const struct scrip_ledger_debit *credit)
{
    uint8_t memory[EVIDENCE_MAX];
    struct taker taker = {0};
    SCRIP_TRY(taker_load(ledger, credit->terminal, &taker));
    const struct posting posting = {.booking = SCRIP_BOOKING_CREDIT,
                                    .amount = credit->amount,
                                    .card = card->number,
                                    .merchant = taker.merchant,
                                    .evidence = evidence_credit(memory, credit)};
    SCRIP_TRY(book_post(ledger, &posting));
    return card_add_float(card, posting.amount);
}

static enum debit_state offline_state(const struct scrip_ledger_debit *d)
{
    if (d->answered) {
        return d->credit ? STATE_CREDITED : STATE_BOOKED;
    }
    if (d->undone) {
        return d->credit ? STATE_CREDIT_VOID : STATE_VOID;
    }
    return d->credit ? STATE_CREDIT_WAITING : STATE_WAITING;
}

/* Nothing but the terminal's word decides: what it once said was made stays so; what was open or undone may turn out
 * to be made; and an intent that comes late, out of an older upload, takes nothing back. */
static enum scrip_status take_offline(struct scrip_ledger *ledger, struct card_row *card,
                                      const struct scrip_ledger_debit *d, const struct debit_row *known,
                                      enum scrip_ledger_taken *taken)
{
    const enum debit_state state = offline_state(d);
    if (known != NULL && (known->d.credit != d->credit || !same_line(&known->d, d))) {
        return SCRIP_E_CONFLICT;
    }
    if (known != NULL && (known->d.answered || (!d->answered && !d->undone))) {
        *taken = taken_of(known->state);
        return SCRIP_OK;
    }
    SCRIP_TRY(known != NULL ? debit_settle(ledger, known->n, state, d) : debit_insert(ledger, card, d, state));
    if (d->answered) {
        SCRIP_TRY(d->credit ? credit_book(ledger, card, d) : debit_book(ledger, card, d));
    }
    *taken = d->answered ? SCRIP_DEBIT_BOOKED : taken_of(state);
    return SCRIP_OK;
}

static bool debit_ok(const struct scrip_ledger_debit *d)
{
    return d->amount > 0 && d->amount <= INT32_MAX && d->sequence > 0 && d->sequence <= INT64_MAX &&
           d->at_ms <= INT64_MAX && (!d->has_tmc || !d->answered || d->tmc > 0) && !(d->answered && d->undone);
}

enum scrip_status scrip_ledger_debit_add(struct scrip_ledger *ledger, const struct scrip_ledger_debit *debit,
                                         enum scrip_ledger_taken *taken, struct scrip_ledger_settlement *settled)
{
    struct card_row card;
    struct debit_row known;
    struct taker taker;
    if (!debit_ok(debit)) {
        return SCRIP_E_ARGUMENT;
    }
    if (settled != NULL) {
        memset(settled, 0, sizeof *settled);
    }
    SCRIP_TRY(card_load(ledger, debit->uid, &card));
    SCRIP_TRY(taker_load(ledger, debit->terminal, &taker));
    if (!card.c.offline && (debit->credit || debit->undone)) {
        return SCRIP_E_UNSUPPORTED;
    }
    const enum scrip_status status =
        debit_find(ledger, STORE_DEBIT_BY_SEQ, terminal_number(debit->terminal), (int64_t)debit->sequence, &known);
    if (status != SCRIP_OK && status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    if (card.c.offline) {
        SCRIP_TRY(take_offline(ledger, &card, debit, status == SCRIP_OK ? &known : NULL, taken));
    } else if (status == SCRIP_OK) {
        SCRIP_TRY(take_known(ledger, &card, debit, &known, taken, settled));
    } else if (debit->answered) {
        SCRIP_TRY(take_answered(ledger, &card, debit, NULL, taken, settled));
    } else {
        SCRIP_TRY(take_intent(ledger, &card, debit, taken));
    }
    return card_save(ledger, &card);
}

/* ---- Intents that wait ---- */

/* Does a transaction in the book name this one as the one before it? Then its own TMC is known, too. */
static enum scrip_status named(struct scrip_ledger *ledger, const struct card_row *card, const struct debit_row *row,
                               const struct intent_hint *hint, uint32_t *tmc)
{
    int64_t next = 0;
    *tmc = 0;
    if (is_zero(row->d.tmri, 16)) {
        return SCRIP_OK;
    }
    if (hint->has_prev && memcmp(hint->prev, row->d.tmri, 16) == 0) {
        *tmc = hint->tmc - 1;
        return SCRIP_OK;
    }
    SCRIP_TRY(NUMBER(ledger, DEBIT_NAMES, 0, &next, V_INT(card->number), V_BLOB(row->d.tmri, 16)));
    *tmc = next > 0 ? (uint32_t)next - 1 : 0;
    return SCRIP_OK;
}

/* Does the harvested log have an entry of it that no booked debit accounts for? */
static enum scrip_status logged(struct scrip_ledger *ledger, const struct card_row *card, const struct debit_row *row,
                                bool *found)
{
    int64_t in_log = 0;
    int64_t booked = 0;
    *found = false;
    if (is_zero(row->d.record, 16)) {
        return SCRIP_OK;
    }
    SCRIP_TRY(NUMBER(ledger, HARVEST_RECORDS, 0, &in_log, V_INT(card->number), V_BLOB(row->d.record, 16)));
    SCRIP_TRY(NUMBER(ledger, DEBIT_RECORDS, 0, &booked, V_INT(card->number), V_BLOB(row->d.record, 16)));
    *found = in_log > booked;
    return SCRIP_OK;
}

static enum scrip_status tmc_taken(struct scrip_ledger *ledger, const struct card_row *card, uint32_t tmc, bool *taken)
{
    int64_t debit = 0;
    int64_t issue = 0;
    SCRIP_TRY(NUMBER(ledger, DEBIT_BY_TMC, 0, &debit, V_INT(card->number), V_INT(tmc)));
    SCRIP_TRY(NUMBER(ledger, ISSUE_BY_TMC, 0, &issue, V_INT(card->number), V_INT(tmc)));
    *taken = debit != 0 || issue != 0;
    return SCRIP_OK;
}

/* Where the transaction stands. `tmc` comes from the one that names it; 0: from the card's log, and then only the
 * terminal says what was before it. A place that the card has not reached yet is no place. */
static enum scrip_status intent_book(struct scrip_ledger *ledger, struct card_row *card, struct debit_row *row,
                                     uint32_t tmc)
{
    const char *taken = NULL;
    if (tmc == 0 && row->has_before && row->before < card->c.tmc) {
        tmc = row->before + 1;
        SCRIP_TRY(place_clear(ledger, card, tmc, &taken));
    }
    row->d.has_tmc = tmc != 0 && taken == NULL;
    row->d.tmc = tmc;
    SCRIP_TRY(debit_settle(ledger, row->n, STATE_BOOKED, &row->d));
    return debit_book(ledger, card, &row->d);
}

/* Would an entry of it still be in the log that was read? A terminal that overwrites an entry has it in its own
 * journal, so a full log proves an absence only if it reaches back: no more transactions since than it has entries, or,
 * on a card without a counter, an older entry in it (its time stands in bytes 4 to 11). */
static bool log_reaches(const struct intent_hint *hint, const struct debit_row *row)
{
    if (hint->oldest == NULL) {
        return true;
    }
    if (row->has_before && hint->has_tmc) {
        return hint->tmc - row->before <= hint->log_count;
    }
    return memcmp(hint->oldest + 4, row->d.record + 4, 8) < 0;
}

static enum scrip_status intent_decide(struct scrip_ledger *ledger, struct card_row *card, struct debit_row *row,
                                       const struct intent_hint *hint)
{
    uint32_t tmc = 0;
    bool found = false;
    bool replaced = false;
    const char *repeats = NULL;
    SCRIP_TRY(named(ledger, card, row, hint, &tmc));
    if (tmc != 0) { /* a booked transaction in that place is the one that was named */
        SCRIP_TRY(place_clear(ledger, card, tmc, &repeats));
        tmc = repeats == NULL ? tmc : 0;
    }
    SCRIP_TRY(logged(ledger, card, row, &found));
    if (tmc != 0 || found) {
        return intent_book(ledger, card, row, tmc);
    }
    if (row->state != STATE_WAITING) {
        return SCRIP_OK;
    }
    if (row->has_before) {
        SCRIP_TRY(tmc_taken(ledger, card, row->before + 1, &replaced));
        replaced = replaced || (hint->has_tmc && hint->tmc == row->before);
    }
    const bool absent = hint->log_read && !is_zero(row->d.record, 16) && log_reaches(hint, row);
    return replaced || absent ? debit_settle(ledger, row->n, STATE_VOID, &row->d) : SCRIP_OK;
}

enum scrip_status debits_revisit(struct scrip_ledger *ledger, struct card_row *card, const struct intent_hint *hint)
{
    struct debit_row row;
    int64_t last = 0;
    enum scrip_status status = SCRIP_OK;
    while ((status = debit_find(ledger, STORE_DEBITS_UNSETTLED, card->number, last, &row)) == SCRIP_OK) {
        last = row.n;
        SCRIP_TRY(intent_decide(ledger, card, &row, hint));
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

/* ---- The card's own log ---- */

#define LOG_MAX SCRIP_SETTLE_LOG_MAX

/* How many of the `count` entries just read are known: all when they stand together in what was harvested last, else as
 * many as its end and their beginning have in common. */
static unsigned known_entries(uint8_t (*kept)[16], unsigned kept_count, const uint8_t (*read)[16], unsigned count)
{
    for (unsigned at = 0; at + count <= kept_count; at++) {
        if (memcmp(kept[at], read[0], (size_t)count * 16) == 0) {
            return count;
        }
    }
    for (unsigned common = count < kept_count ? count : kept_count; common > 0; common--) {
        if (memcmp(kept[kept_count - common], read[0], (size_t)common * 16) == 0) {
            return common;
        }
    }
    return 0;
}

enum scrip_status harvest_take(struct scrip_ledger *ledger, const struct card_row *card,
                               const struct scrip_settle_evidence *evidence)
{
    uint8_t newest_first[LOG_MAX][16];
    uint8_t kept[LOG_MAX][16];
    unsigned kept_count = 0;
    int64_t last = 0;
    const unsigned count = evidence->debit_count < LOG_MAX ? evidence->debit_count : LOG_MAX;
    if (!evidence->has_debits || count == 0) {
        return SCRIP_OK;
    }
    enum scrip_status status = QUERY(ledger, HARVEST_LAST, V_INT(card->number), V_INT(LOG_MAX));
    while (status == SCRIP_OK) {
        last = kept_count == 0 ? column_number(ledger, STORE_HARVEST_LAST, 0) : last;
        column_fixed(ledger, STORE_HARVEST_LAST, 1, newest_first[kept_count++], 16);
        status = kept_count < LOG_MAX ? ledger_next(ledger, STORE_HARVEST_LAST) : SCRIP_E_NOT_FOUND;
    }
    if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    ledger_end(ledger, STORE_HARVEST_LAST);
    for (unsigned i = 0; i < kept_count; i++) {
        memcpy(kept[i], newest_first[kept_count - 1 - i], 16);
    }
    const uint32_t tmc = evidence->has_tmc ? evidence->tmc : 0;
    for (unsigned i = known_entries(kept, kept_count, evidence->debits, count); i < count; i++) {
        SCRIP_TRY(RUN(ledger, HARVEST_ADD, NULL, V_INT(card->number), V_INT(++last), V_INT(tmc),
                      V_BLOB(evidence->debits[i], 16)));
    }
    return SCRIP_OK;
}

/* ---- TMCs that are no debits ---- */

static enum scrip_status place_row(struct scrip_ledger *ledger, const struct card_row *card, uint32_t tmc,
                                   enum debit_state state, uint32_t amount)
{
    return RUN(ledger, DEBIT_ADD, NULL, V_INT(card->number), V_INT(tmc), V_INT(state), V_NULL, V_NULL, V_INT(amount),
               V_INT(ledger_now(ledger)), V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL);
}

/* SCRIP_OK: the TMC is free; SCRIP_E_EXISTS: the same is there already; SCRIP_E_CONFLICT: something else is */
static enum scrip_status place_free(struct scrip_ledger *ledger, const struct card_row *card, uint32_t tmc,
                                    enum debit_state state, uint32_t amount)
{
    struct debit_row row;
    int64_t issue = 0;
    const enum scrip_status status = debit_find(ledger, STORE_DEBIT_BY_TMC, card->number, tmc, &row);
    if (status == SCRIP_OK) {
        return row.state == state && row.d.amount == amount ? SCRIP_E_EXISTS : SCRIP_E_CONFLICT;
    }
    if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    SCRIP_TRY(NUMBER(ledger, ISSUE_BY_TMC, 0, &issue, V_INT(card->number), V_INT(tmc)));
    return issue != 0 ? SCRIP_E_CONFLICT : SCRIP_OK;
}

enum scrip_status scrip_ledger_tmc_note(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t tmc)
{
    struct card_row card;
    SCRIP_TRY(card_load(ledger, uid, &card));
    const enum scrip_status status = place_free(ledger, &card, tmc, STATE_NOTED, 0);
    if (status != SCRIP_OK) {
        return status == SCRIP_E_EXISTS ? SCRIP_OK : status;
    }
    SCRIP_TRY(place_row(ledger, &card, tmc, STATE_NOTED, 0));
    card.c.tmc = tmc > card.c.tmc ? tmc : card.c.tmc;
    return card_save(ledger, &card);
}

enum scrip_status scrip_ledger_gap_close(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t tmc,
                                         uint32_t amount, const char *memo)
{
    struct card_row card;
    uint8_t memory[EVIDENCE_MAX];
    if (amount == 0 || amount > INT32_MAX || tmc == 0) {
        return SCRIP_E_ARGUMENT;
    }
    SCRIP_TRY(card_load(ledger, uid, &card));
    const enum scrip_status status = place_free(ledger, &card, tmc, STATE_GAP, amount);
    if (status != SCRIP_OK) {
        return status == SCRIP_E_EXISTS ? SCRIP_OK : status;
    }
    SCRIP_TRY(place_row(ledger, &card, tmc, STATE_GAP, amount));
    const struct posting posting = {.booking = SCRIP_BOOKING_GAP,
                                    .amount = amount,
                                    .card = card.number,
                                    .evidence = evidence_text(memory, EVIDENCE_MEMO, memo)};
    SCRIP_TRY(book_post(ledger, &posting));
    SCRIP_TRY(card_add_float(&card, -posting.amount));
    return card_save(ledger, &card);
}

enum scrip_status scrip_ledger_debits(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      bool (*each)(void *ctx, const struct scrip_ledger_debit *debit,
                                                   enum scrip_ledger_taken taken),
                                      void *ctx)
{
    struct debit_row row;
    const enum store_statement s = STORE_DEBITS_OF_CARD;
    enum scrip_status status = QUERY(ledger, DEBITS_OF_CARD, V_INT(card_number(uid)));
    while (status == SCRIP_OK) {
        debit_read(ledger, s, &row);
        const bool line = row.state <= STATE_FORKED || row.d.credit;
        const bool booked = row.state == STATE_BOOKED || row.state == STATE_CREDITED;
        if (line && !each(ctx, &row.d, booked ? SCRIP_DEBIT_BOOKED : taken_of(row.state))) {
            ledger_end(ledger, s);
            return SCRIP_OK;
        }
        status = ledger_next(ledger, s);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}
