/* book.c: the journal. Every row is chained to the row before it in its stream by a hash, so a change, a removal or an
 * exchange of rows shows; that the end of a stream was not cut off is what checkpoints are for (verify.c). */
#include "book.h"

#include <sodium.h>

void entry_hash(const uint8_t previous[32], const struct entry_row *row, uint8_t hash[32])
{
    uint8_t fixed[32 + 7 * 8 + 3 + 2];
    uint8_t *at = fixed;
    const int64_t numbers[] = {row->stream, row->seq, row->at, row->amount, row->card, row->order, row->merchant};
    memcpy(at, previous, 32);
    at += 32;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        scrip_put_le64(at, (uint64_t)numbers[i]);
        at += 8;
    }
    *at++ = (uint8_t)row->booking;
    *at++ = (uint8_t)row->src;
    *at++ = (uint8_t)row->dst;
    scrip_put_le16(at, (uint16_t)row->evidence.len);

    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, fixed, sizeof fixed);
    crypto_generichash_update(&state, row->evidence.at, row->evidence.len);
    crypto_generichash_final(&state, hash, 32);
}

void entry_read(struct scrip_ledger *ledger, enum store_statement s, struct entry_row *row)
{
    int64_t *const numbers[] = {&row->id,  &row->stream, &row->seq,  &row->at,    &row->booking, &row->src,
                                &row->dst, &row->amount, &row->card, &row->order, &row->merchant};
    for (int i = 0; i < 11; i++) {
        *numbers[i] = column_number(ledger, s, i); /* null reads as 0 */
    }
    row->evidence = ledger->store->ops->bytes(ledger->store, s, 11);
    column_fixed(ledger, s, 12, row->hash, 32);
}

/* An entry belongs to its card, else to its merchant, else to the house. */
static int64_t stream_of(const struct posting *posting)
{
    return posting->card != 0 ? posting->card : -posting->merchant;
}

enum scrip_status book_post(struct scrip_ledger *ledger, const struct posting *posting)
{
    uint8_t previous[32] = {0};
    struct entry_row row = {
        .stream = stream_of(posting),
        .seq = 1,
        .at = (int64_t)ledger_now(ledger),
        .booking = (int64_t)posting->booking,
        .src = (int64_t)scrip_booking_from(posting->booking),
        .dst = (int64_t)scrip_booking_to(posting->booking),
        .amount = posting->amount,
        .card = posting->card,
        .order = posting->order,
        .merchant = posting->merchant,
        .evidence = posting->evidence,
    };
    if (row.amount <= 0 || row.src == row.dst || row.evidence.len > EVIDENCE_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    const enum scrip_status status = QUERY(ledger, ENTRY_HEAD, V_INT(row.stream));
    if (status == SCRIP_OK) {
        row.seq = column_number(ledger, STORE_ENTRY_HEAD, 0) + 1;
        column_fixed(ledger, STORE_ENTRY_HEAD, 1, previous, 32);
        ledger_end(ledger, STORE_ENTRY_HEAD);
    } else if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    entry_hash(previous, &row, row.hash);
    return RUN(ledger, ENTRY_ADD, NULL, V_INT(row.stream), V_INT(row.seq), V_INT(row.at), V_INT(row.booking),
               V_INT(row.src), V_INT(row.dst), V_INT(row.amount), V_OPT(row.card != 0, row.card),
               V_OPT(row.order != 0, row.order), V_OPT(row.merchant != 0, row.merchant),
               row.evidence.len == 0 ? V_NULL : V_BLOB(row.evidence.at, row.evidence.len), V_BLOB(row.hash, 32));
}

static void entry_show(struct scrip_ledger *ledger, enum store_statement s, struct scrip_ledger_entry *entry)
{
    struct entry_row row;
    memset(entry, 0, sizeof *entry);
    entry_read(ledger, s, &row);
    entry->id = (uint64_t)row.id;
    entry->stream = row.stream;
    entry->sequence = (uint64_t)row.seq;
    entry->at_ms = (uint64_t)row.at;
    entry->booking = (enum scrip_booking)row.booking;
    entry->amount = row.amount;
    entry->has_uid = row.card != 0;
    card_uid(row.card, entry->uid);
    entry->evidence_len = (uint16_t)column_blob(ledger, s, 11, entry->evidence, sizeof entry->evidence);
    memcpy(entry->hash, row.hash, 32);
    column_text(ledger, s, 13, entry->order_id, sizeof entry->order_id);
    column_text(ledger, s, 14, entry->merchant, sizeof entry->merchant);
}

enum scrip_status scrip_ledger_entries(struct scrip_ledger *ledger, const uint8_t uid[7], uint64_t first_id,
                                       bool (*each)(void *ctx, const struct scrip_ledger_entry *entry), void *ctx)
{
    struct scrip_ledger_entry entry;
    const enum store_statement s = uid == NULL ? STORE_ENTRIES_FROM : STORE_ENTRIES_OF_CARD;
    enum scrip_status status = uid == NULL ? QUERY(ledger, ENTRIES_FROM, V_INT(first_id))
                                           : QUERY(ledger, ENTRIES_OF_CARD, V_INT(card_number(uid)), V_INT(first_id));
    while (status == SCRIP_OK) {
        entry_show(ledger, s, &entry);
        if (!each(ctx, &entry)) {
            ledger_end(ledger, s);
            return SCRIP_OK;
        }
        status = ledger_next(ledger, s);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}

enum scrip_status scrip_ledger_balances(struct scrip_ledger *ledger, int64_t balances[SCRIP_ACCOUNT_COUNT])
{
    int64_t sums[SCRIP_ACCOUNT_COUNT] = {0};
    enum scrip_status status = ledger_query(ledger, STORE_ENTRY_SUMS, NULL, 0);
    while (status == SCRIP_OK) {
        const int64_t account = column_number(ledger, STORE_ENTRY_SUMS, 0);
        if (account >= 0 && account < SCRIP_ACCOUNT_COUNT) {
            sums[account] = column_number(ledger, STORE_ENTRY_SUMS, 1);
        }
        status = ledger_next(ledger, STORE_ENTRY_SUMS);
    }
    if (status == SCRIP_E_NOT_FOUND) {
        memcpy(balances, sums, sizeof sums);
        return SCRIP_OK;
    }
    return status;
}

struct scrip_bytes evidence_text(uint8_t at[EVIDENCE_MAX], enum evidence_kind kind, const char *text)
{
    const size_t len = text == NULL ? 0 : strlen(text);
    const size_t kept = len < EVIDENCE_MAX - 1U ? len : EVIDENCE_MAX - 1U;
    at[0] = (uint8_t)kind;
    if (kept > 0) {
        memcpy(at + 1, text, kept);
    }
    return scrip_bytes(at, kept + 1);
}

/* ---- Operators' own bookings ---- */

static enum scrip_status posting_same(struct scrip_ledger *ledger, int64_t id, const struct posting *posting)
{
    SCRIP_TRY(QUERY(ledger, ENTRY_GET, V_INT(id)));
    struct entry_row row;
    entry_read(ledger, STORE_ENTRY_GET, &row);
    const bool same = row.booking == (int64_t)posting->booking && row.amount == posting->amount &&
                      row.card == posting->card && row.merchant == posting->merchant;
    ledger_end(ledger, STORE_ENTRY_GET);
    return same ? SCRIP_OK : SCRIP_E_CONFLICT;
}

static enum scrip_status posting_add(struct scrip_ledger *ledger, const char *id, const struct posting *posting)
{
    int64_t entry = 0;
    struct card_row card;
    SCRIP_TRY(book_post(ledger, posting));
    if (posting->card != 0) {
        SCRIP_TRY(card_load_number(ledger, posting->card, &card));
        SCRIP_TRY(card_add_float(&card, -posting->amount));
        SCRIP_TRY(card_save(ledger, &card));
    }
    SCRIP_TRY(ledger_number(ledger, STORE_ENTRY_LAST, NULL, 0, 0, &entry));
    return RUN(ledger, POSTING_ADD, NULL, V_TEXT(id), V_INT(entry));
}

enum scrip_status scrip_ledger_post(struct scrip_ledger *ledger, const char *id, enum scrip_booking booking,
                                    int64_t amount, const uint8_t uid[7], const char *merchant, const char *memo)
{
    struct posting posting = {.booking = booking, .amount = amount};
    const bool of_card = booking == SCRIP_BOOKING_BREAKAGE;
    if (!ledger_id_ok(id) || amount <= 0 || (of_card ? uid : (const void *)merchant) == NULL ||
        (!of_card && booking != SCRIP_BOOKING_FEE && booking != SCRIP_BOOKING_PAYOUT &&
         booking != SCRIP_BOOKING_PAYIN)) {
        return SCRIP_E_ARGUMENT;
    }
    if (of_card) {
        struct card_row card;
        SCRIP_TRY(card_load(ledger, uid, &card));
        posting.card = card.number;
    } else {
        SCRIP_TRY(NUMBER(ledger, MERCHANT_GET, 0, &posting.merchant, V_TEXT(merchant)));
        if (posting.merchant == 0) {
            return SCRIP_E_NOT_FOUND;
        }
    }
    uint8_t evidence[EVIDENCE_MAX];
    posting.evidence = evidence_text(evidence, EVIDENCE_MEMO, memo);
    int64_t known = 0;
    SCRIP_TRY(NUMBER(ledger, POSTING_GET, 0, &known, V_TEXT(id)));
    return known != 0 ? posting_same(ledger, known, &posting) : posting_add(ledger, id, &posting);
}
