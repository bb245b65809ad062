/* verify.c: reading the whole book and saying whether it is right.
 *
 * The chains show every change inside a stream. They do not show that the newest rows of a stream are gone, nor that
 * somebody who can write the database has rewritten it with all its hashes. For that there are checkpoints: a keyed
 * hash over the head of every stream at some entry, kept somewhere else. */
#include "book.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

struct checkpoint {
    uint64_t entries; /* id of the last entry that it covers */
    uint64_t at_ms;
    uint8_t heads[32];
};

/* ---- The heads ---- */

struct heads {
    crypto_generichash_state state;
    uint64_t upto;
    /* the last entry of the present stream that is covered */
    bool any;
    int64_t stream;
    int64_t seq;
    uint8_t hash[32];
};

static void heads_begin(struct heads *heads, uint64_t upto)
{
    memset(heads, 0, sizeof *heads);
    heads->upto = upto;
    crypto_generichash_init(&heads->state, NULL, 0, 32);
}

static void heads_close_stream(struct heads *heads)
{
    uint8_t bytes[48];
    if (!heads->any) {
        return;
    }
    scrip_put_le64(bytes, (uint64_t)heads->stream);
    scrip_put_le64(bytes + 8, (uint64_t)heads->seq);
    memcpy(bytes + 16, heads->hash, 32);
    crypto_generichash_update(&heads->state, bytes, sizeof bytes);
    heads->any = false;
}

static void heads_add(struct heads *heads, const struct entry_row *row, const uint8_t hash[32])
{
    if (heads->any && heads->stream != row->stream) {
        heads_close_stream(heads);
    }
    if ((uint64_t)row->id <= heads->upto) {
        heads->any = true;
        heads->stream = row->stream;
        heads->seq = row->seq;
        memcpy(heads->hash, hash, 32);
    }
}

static void heads_end(struct heads *heads, uint8_t hash[32])
{
    heads_close_stream(heads);
    crypto_generichash_final(&heads->state, hash, 32);
}

/* ---- Checkpoints ---- */

static void checkpoint_mac(const uint8_t key[32], const char *line, uint8_t mac[32])
{
    crypto_generichash(mac, 32, (const uint8_t *)line, strlen(line), key, 32);
}

static void checkpoint_write(const struct checkpoint *checkpoint, const uint8_t key[32],
                             char text[SCRIP_LEDGER_CHECKPOINT_MAX])
{
    char heads[65];
    char mac_hex[65];
    uint8_t mac[32];
    sodium_bin2hex(heads, sizeof heads, checkpoint->heads, 32);
    const int len = snprintf(text, SCRIP_LEDGER_CHECKPOINT_MAX, "scrip-checkpoint-1 %" PRIu64 " %" PRIu64 " %s",
                             checkpoint->entries, checkpoint->at_ms, heads);
    checkpoint_mac(key, text, mac);
    sodium_bin2hex(mac_hex, sizeof mac_hex, mac, 32);
    (void)snprintf(text + len, SCRIP_LEDGER_CHECKPOINT_MAX - (size_t)len, " %s\n", mac_hex);
}

static enum scrip_status checkpoint_read(const char *text, const uint8_t key[32], struct checkpoint *checkpoint)
{
    char again[SCRIP_LEDGER_CHECKPOINT_MAX];
    char heads[65];
    char mac[65];
    struct checkpoint read;
    size_t len = 0;
    if (sscanf(text, "scrip-checkpoint-1 %" SCNu64 " %" SCNu64 " %64[0-9a-f] %64[0-9a-f]", &read.entries, &read.at_ms,
               heads, mac) != 4 ||
        sodium_hex2bin(read.heads, 32, heads, strlen(heads), NULL, &len, NULL) != 0 || len != 32) {
        return SCRIP_E_FORMAT;
    }
    checkpoint_write(&read, key, again);
    const size_t body = strlen(again);
    if (strncmp(text, again, body - 1) != 0 || (text[body - 1] != '\n' && text[body - 1] != '\0')) {
        return SCRIP_E_MAC;
    }
    *checkpoint = read;
    return SCRIP_OK;
}

static enum scrip_status span(struct scrip_ledger *ledger, int64_t *count, int64_t *first, int64_t *last)
{
    SCRIP_TRY(ledger_query(ledger, STORE_ENTRY_SPAN, NULL, 0));
    *count = column_number(ledger, STORE_ENTRY_SPAN, 0);
    *first = column_number(ledger, STORE_ENTRY_SPAN, 1);
    *last = column_number(ledger, STORE_ENTRY_SPAN, 2);
    ledger_end(ledger, STORE_ENTRY_SPAN);
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_checkpoint(struct scrip_ledger *ledger, const uint8_t key[32],
                                          char text[SCRIP_LEDGER_CHECKPOINT_MAX])
{
    struct heads heads;
    struct entry_row row;
    struct checkpoint checkpoint = {.at_ms = ledger_now(ledger)};
    int64_t last = 0;
    SCRIP_TRY(ledger_number(ledger, STORE_ENTRY_LAST, NULL, 0, 0, &last));
    checkpoint.entries = (uint64_t)last;
    heads_begin(&heads, checkpoint.entries);
    enum scrip_status status = ledger_query(ledger, STORE_ENTRIES_BY_STREAM, NULL, 0);
    while (status == SCRIP_OK) {
        entry_read(ledger, STORE_ENTRIES_BY_STREAM, &row);
        heads_add(&heads, &row, row.hash);
        status = ledger_next(ledger, STORE_ENTRIES_BY_STREAM);
    }
    heads_end(&heads, checkpoint.heads);
    if (status == SCRIP_E_NOT_FOUND) {
        checkpoint_write(&checkpoint, key, text);
        return SCRIP_OK;
    }
    return status;
}

/* ---- Reading everything ---- */

__attribute__((format(printf, 2, 3))) static void problem(struct scrip_ledger_report *report, const char *format, ...)
{
    va_list list;
    if (report->problems++ == 0) {
        va_start(list, format);
        (void)vsnprintf(report->first, sizeof report->first, format, list);
        va_end(list);
    }
}

static void entry_check(const struct entry_row *row, const struct entry_row *before, const uint8_t previous[32],
                        uint8_t hash[32], struct scrip_ledger_report *report)
{
    const bool first = before == NULL;
    const enum scrip_booking booking = (enum scrip_booking)row->booking;
    entry_hash(previous, row, hash);
    if (memcmp(hash, row->hash, 32) != 0) {
        problem(report, "entry %" PRId64 ": its hash does not follow from it and the entry before it", row->id);
    }
    if (row->seq != (first ? 1 : before->seq + 1) || (!first && row->id <= before->id)) {
        problem(report, "entry %" PRId64 ": not the next one of stream %" PRId64, row->id, row->stream);
    }
    if (row->amount <= 0 || row->booking <= 0 || row->booking >= SCRIP_BOOKING_COUNT ||
        row->src != (int64_t)scrip_booking_from(booking) || row->dst != (int64_t)scrip_booking_to(booking)) {
        problem(report, "entry %" PRId64 ": no such booking", row->id);
    }
    if (row->stream != (row->card != 0 ? row->card : -row->merchant)) {
        problem(report, "entry %" PRId64 ": in the stream of somebody else", row->id);
    }
}

static enum scrip_status chains_check(struct scrip_ledger *ledger, struct heads *heads,
                                      struct scrip_ledger_report *report)
{
    struct entry_row row;
    struct entry_row before = {0};
    uint8_t hash[32];
    uint8_t previous[32] = {0};
    bool any = false;
    enum scrip_status status = ledger_query(ledger, STORE_ENTRIES_BY_STREAM, NULL, 0);
    while (status == SCRIP_OK) {
        entry_read(ledger, STORE_ENTRIES_BY_STREAM, &row);
        if (any && before.stream != row.stream) {
            any = false;
            memset(previous, 0, sizeof previous);
        }
        entry_check(&row, any ? &before : NULL, previous, hash, report);
        heads_add(heads, &row, hash);
        memcpy(previous, row.hash, 32);
        before = row;
        any = true;
        report->entries++;
        status = ledger_next(ledger, STORE_ENTRIES_BY_STREAM);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

/* Order by order: what its entries add up to in each account is what its state says. */
struct order_sums {
    char id[SCRIP_LEDGER_ID_MAX + 1U];
    enum scrip_settle_state state;
    int64_t amount;
    int64_t sums[SCRIP_ACCOUNT_COUNT];
};

static void order_check(const struct order_sums *order, struct scrip_ledger_report *report)
{
    for (unsigned i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
        const int64_t wanted = scrip_settle_position(order->state, (enum scrip_account)i) * order->amount;
        if (order->sums[i] != wanted) {
            problem(report, "order %.64s is %s, but its entries put %" PRId64 " into %s instead of %" PRId64, order->id,
                    scrip_settle_state_name(order->state), order->sums[i], scrip_account_name((enum scrip_account)i),
                    wanted);
        }
    }
}

static enum scrip_status orders_check(struct scrip_ledger *ledger, struct scrip_ledger_report *report)
{
    const enum store_statement s = STORE_ORDER_SUMS;
    struct order_sums order = {0};
    char id[sizeof order.id];
    enum scrip_status status = ledger_query(ledger, s, NULL, 0);
    while (status == SCRIP_OK) {
        column_text(ledger, s, 0, id, sizeof id);
        if (strcmp(id, order.id) != 0) {
            order_check(&order, report);
            memset(&order, 0, sizeof order);
            memcpy(order.id, id, sizeof id);
            order.state = (enum scrip_settle_state)column_number(ledger, s, 1);
            order.amount = column_number(ledger, s, 2);
        }
        const int64_t account = column_is_null(ledger, s, 4) ? -1 : column_number(ledger, s, 4);
        if (account >= 0 && account < SCRIP_ACCOUNT_COUNT) {
            order.sums[account] = column_number(ledger, s, 5);
        }
        status = ledger_next(ledger, s);
    }
    order_check(&order, report);
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

static void uid_text(int64_t number, char text[15])
{
    uint8_t uid[7];
    card_uid(number, uid);
    sodium_bin2hex(text, 15, uid, 7);
}

static enum scrip_status floats_check(struct scrip_ledger *ledger, struct scrip_ledger_report *report)
{
    const enum store_statement s = STORE_CARD_FLOATS;
    char uid[15];
    enum scrip_status status = ledger_query(ledger, s, NULL, 0);
    while (status == SCRIP_OK) {
        if (column_number(ledger, s, 1) != column_number(ledger, s, 2)) {
            uid_text(column_number(ledger, s, 0), uid);
            problem(report, "card %s: its account is kept as %" PRId64 ", its entries add up to %" PRId64, uid,
                    column_number(ledger, s, 1), column_number(ledger, s, 2));
        }
        status = ledger_next(ledger, s);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

/* Statements that find one offender, or nothing. */
static enum scrip_status offenders_check(struct scrip_ledger *ledger, struct scrip_ledger_report *report)
{
    char text[SCRIP_LEDGER_ID_MAX + 1U];
    enum scrip_status status = ledger_query(ledger, STORE_ISSUE_CHECK, NULL, 0);
    if (status == SCRIP_OK) {
        column_text(ledger, STORE_ISSUE_CHECK, 0, text, sizeof text);
        problem(report, "order %s is open and has no open issue", text);
        ledger_end(ledger, STORE_ISSUE_CHECK);
    } else if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    status = ledger_query(ledger, STORE_ENTRY_CHECK, NULL, 0);
    if (status == SCRIP_OK) {
        problem(report, "entry %" PRId64 ": its order or its card is gone",
                column_number(ledger, STORE_ENTRY_CHECK, 0));
        ledger_end(ledger, STORE_ENTRY_CHECK);
    } else if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    status = ledger_query(ledger, STORE_DEBIT_CHECK, NULL, 0);
    if (status == SCRIP_OK) {
        uid_text(column_number(ledger, STORE_DEBIT_CHECK, 0), text);
        problem(report, "card %s: its journal lines and its entries add up to different sums", text);
        ledger_end(ledger, STORE_DEBIT_CHECK);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

static enum scrip_status span_check(struct scrip_ledger *ledger, const struct checkpoint *checkpoint,
                                    struct scrip_ledger_report *report)
{
    int64_t count = 0;
    int64_t first = 0;
    int64_t last = 0;
    SCRIP_TRY(span(ledger, &count, &first, &last));
    if (first != 1 || count != last) {
        problem(report, "%" PRId64 " entries, numbered %" PRId64 " to %" PRId64 ": some are missing", count, first,
                last);
    }
    if (checkpoint != NULL && (uint64_t)last < checkpoint->entries) {
        problem(report,
                "the book ends at entry %" PRId64 ", the checkpoint was made at %" PRIu64 ": its end was cut off", last,
                checkpoint->entries);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_verify(struct scrip_ledger *ledger, const uint8_t key[32], const char *checkpoint,
                                      struct scrip_ledger_report *report)
{
    struct checkpoint point = {0};
    struct heads heads;
    uint8_t found[32];
    struct scrip_ledger_report result = {0};
    if (checkpoint != NULL) {
        SCRIP_TRY(checkpoint_read(checkpoint, key, &point));
    }
    SCRIP_TRY(span_check(ledger, checkpoint == NULL ? NULL : &point, &result));
    heads_begin(&heads, point.entries);
    SCRIP_TRY(chains_check(ledger, &heads, &result));
    heads_end(&heads, found);
    if (checkpoint != NULL && memcmp(found, point.heads, 32) != 0) {
        problem(&result, "the first %" PRIu64 " entries are not those of the checkpoint", point.entries);
    }
    SCRIP_TRY(orders_check(ledger, &result));
    SCRIP_TRY(floats_check(ledger, &result));
    SCRIP_TRY(offenders_check(ledger, &result));
    *report = result;
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_check_card(struct scrip_ledger *ledger, const uint8_t uid[7], int64_t balance,
                                          int64_t owed, uint32_t *open)
{
    struct card_row card;
    int64_t unsettled = 0;
    SCRIP_TRY(card_load(ledger, uid, &card));
    SCRIP_TRY(NUMBER(ledger, ORDERS_UNSETTLED, 0, &unsettled, V_INT(card.number)));
    const int64_t wanted = card.c.card_float - owed;
    const bool exact = balance == wanted;
    const bool with_open = open != NULL && unsettled != 0 && balance == wanted + unsettled;
    if (!exact && !with_open) {
        return SCRIP_E_CORRUPT;
    }
    if (open != NULL) {
        *open = (uint32_t)unsettled;
    }
    return SCRIP_OK;
}

static enum scrip_status count_states(struct scrip_ledger *ledger, struct scrip_ledger_counts *counts)
{
    const enum store_statement s = STORE_COUNT_ORDERS;
    enum scrip_status status = ledger_query(ledger, s, NULL, 0);
    while (status == SCRIP_OK) {
        const int64_t state = column_number(ledger, s, 0);
        if (state >= 0 && state < SCRIP_STATE_COUNT) {
            counts->by_state[state] = (uint64_t)column_number(ledger, s, 1);
            counts->orders += counts->by_state[state];
        }
        status = ledger_next(ledger, s);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

enum scrip_status scrip_ledger_count(struct scrip_ledger *ledger, struct scrip_ledger_counts *counts)
{
    struct scrip_ledger_counts found = {0};
    int64_t entries = 0;
    SCRIP_TRY(ledger_query(ledger, STORE_COUNT_CARDS, NULL, 0));
    found.cards = (uint64_t)column_number(ledger, STORE_COUNT_CARDS, 0);
    found.held = (uint64_t)column_number(ledger, STORE_COUNT_CARDS, 1);
    found.denied = (uint64_t)column_number(ledger, STORE_COUNT_CARDS, 2);
    ledger_end(ledger, STORE_COUNT_CARDS);
    SCRIP_TRY(ledger_query(ledger, STORE_COUNT_DEBITS, NULL, 0));
    found.debits = (uint64_t)column_number(ledger, STORE_COUNT_DEBITS, 0);
    found.waiting = (uint64_t)column_number(ledger, STORE_COUNT_DEBITS, 1);
    ledger_end(ledger, STORE_COUNT_DEBITS);
    SCRIP_TRY(ledger_number(ledger, STORE_ENTRY_LAST, NULL, 0, 0, &entries));
    found.entries = (uint64_t)entries;
    SCRIP_TRY(ledger_number(ledger, STORE_ASIDE_COUNT, NULL, 0, 0, &entries));
    found.aside = (uint64_t)entries;
    SCRIP_TRY(count_states(ledger, &found));
    *counts = found;
    return SCRIP_OK;
}
