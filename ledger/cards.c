#include "book.h"

enum { TRAIT_TMAC = 1, TRAIT_MARKED = 2, TRAIT_UNLOGGED = 4, TRAIT_OFFLINE = 8 };

static void card_read(struct scrip_ledger *ledger, enum store_statement s, struct card_row *row)
{
    struct scrip_ledger_card *c = &row->c;
    memset(row, 0, sizeof *row);
    row->number = column_number(ledger, s, 0);
    card_uid(row->number, c->uid);
    column_text(ledger, s, 1, c->profile, sizeof c->profile);
    const int64_t traits = column_number(ledger, s, 2);
    c->tmac = (traits & TRAIT_TMAC) != 0;
    c->marked = (traits & TRAIT_MARKED) != 0;
    c->unlogged = (traits & TRAIT_UNLOGGED) != 0;
    c->offline = (traits & TRAIT_OFFLINE) != 0;
    c->key_version = (uint32_t)column_number(ledger, s, 3);
    c->issue_no = (uint32_t)column_number(ledger, s, 4);
    c->tmc = (uint32_t)column_number(ledger, s, 5);
    c->committed = (uint32_t)column_number(ledger, s, 6);
    c->held = column_number(ledger, s, 7) != 0;
    c->denied = column_number(ledger, s, 8) != 0;
    column_text(ledger, s, 9, c->reason, sizeof c->reason);
    c->card_float = column_number(ledger, s, 10);
    c->seen = column_number(ledger, s, 11) != 0;
    c->seen_tmc = (uint32_t)column_number(ledger, s, 12);
    c->seen_balance = (int32_t)column_number(ledger, s, 13);
    row->tmc_start = (uint32_t)column_number(ledger, s, 14);
    row->verdict = (int)column_number(ledger, s, 15);
}

enum scrip_status card_load_number(struct scrip_ledger *ledger, int64_t number, struct card_row *row)
{
    struct card_row *known = &ledger->known.card;
    if (!ledger_knows(ledger, KNOWN_CARD) || known->number != number) {
        SCRIP_TRY(QUERY(ledger, CARD_GET, V_INT(number)));
        card_read(ledger, STORE_CARD_GET, known);
        ledger_end(ledger, STORE_CARD_GET);
        ledger->known.has |= KNOWN_CARD;
    }
    *row = *known;
    return SCRIP_OK;
}

enum scrip_status card_load(struct scrip_ledger *ledger, const uint8_t uid[7], struct card_row *row)
{
    return card_load_number(ledger, card_number(uid), row);
}

enum scrip_status card_save(struct scrip_ledger *ledger, const struct card_row *row)
{
    const struct scrip_ledger_card *c = &row->c;
    unsigned changed = 0;
    SCRIP_TRY(RUN(ledger, CARD_SAVE, &changed, V_INT(row->number), V_INT(c->key_version), V_INT(c->tmc),
                  V_INT(c->committed), V_INT(c->held), V_INT(c->denied), V_TEXT(c->reason), V_INT(c->card_float),
                  V_INT(c->seen), V_INT(c->seen_tmc), V_INT(c->seen_balance), V_INT(row->verdict)));
    return changed == 1 ? SCRIP_OK : SCRIP_E_NOT_FOUND;
}

enum scrip_status card_mark_held(struct scrip_ledger *ledger, struct card_row *row, const char *why,
                                 struct scrip_bytes detail)
{
    row->c.held = true;
    copy_text(row->c.reason, sizeof row->c.reason, why);
    return RUN(ledger, ODDITY_ADD, NULL, V_INT(row->number), V_INT(ledger_now(ledger)), V_TEXT(why),
               V_BLOB(detail.at, detail.len));
}

enum scrip_status card_add_float(struct card_row *row, int64_t amount)
{
    return __builtin_add_overflow(row->c.card_float, amount, &row->c.card_float) ? SCRIP_E_OVERFLOW : SCRIP_OK;
}

static int64_t traits_of(const struct scrip_ledger_card *card)
{
    return (card->tmac ? TRAIT_TMAC : 0) | (card->marked ? TRAIT_MARKED : 0) | (card->unlogged ? TRAIT_UNLOGGED : 0) |
           (card->offline ? TRAIT_OFFLINE : 0);
}

static enum scrip_status card_open_account(struct scrip_ledger *ledger, int64_t number, int64_t amount)
{
    struct card_row row;
    SCRIP_TRY(card_load_number(ledger, number, &row));
    SCRIP_TRY(book_post(ledger, &(struct posting){.booking = SCRIP_BOOKING_OPENING, .amount = amount, .card = number}));
    SCRIP_TRY(card_add_float(&row, amount));
    return card_save(ledger, &row);
}

/* Whoever enrols an offline card has only the word of somebody for its purse. Until a line of it is taken nothing rests
 * on that, and it may be put right. */
static enum scrip_status card_correct(struct scrip_ledger *ledger, int64_t number, const char *profile)
{
    unsigned changed = 0;
    SCRIP_TRY(RUN(ledger, CARD_SET_PROFILE, &changed, V_INT(number), V_TEXT(profile)));
    return changed == 1 ? SCRIP_OK : SCRIP_E_CONFLICT;
}

enum scrip_status scrip_ledger_card_add(struct scrip_ledger *ledger, const struct scrip_ledger_card *card)
{
    const int64_t number = card_number(card->uid);
    if (number == 0 || card->card_float < 0 || memchr(card->profile, 0, sizeof card->profile) == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    struct card_row row;
    const enum scrip_status status = card_load_number(ledger, number, &row);
    if (status == SCRIP_OK) {
        const bool alike = traits_of(&row.c) == traits_of(card);
        if (alike && card->offline && strcmp(row.c.profile, card->profile) != 0) {
            return card_correct(ledger, number, card->profile);
        }
        return alike && strcmp(row.c.profile, card->profile) == 0 ? SCRIP_OK : SCRIP_E_CONFLICT;
    }
    if (status != SCRIP_E_NOT_FOUND) {
        return status;
    }
    SCRIP_TRY(RUN(ledger, CARD_ADD, NULL, V_INT(number), V_TEXT(card->profile), V_INT(traits_of(card)),
                  V_INT(card->key_version), V_INT(card->tmc), V_INT(card->tmc)));
    return card->card_float == 0 ? SCRIP_OK : card_open_account(ledger, number, card->card_float);
}

enum scrip_status scrip_ledger_card_get(struct scrip_ledger *ledger, const uint8_t uid[7],
                                        struct scrip_ledger_card *card)
{
    struct card_row row;
    SCRIP_TRY(card_load(ledger, uid, &row));
    *card = row.c;
    return SCRIP_OK;
}

enum scrip_status scrip_ledger_card_hold(struct scrip_ledger *ledger, const uint8_t uid[7], const char *reason)
{
    struct card_row row;
    SCRIP_TRY(card_load(ledger, uid, &row));
    SCRIP_TRY(card_mark_held(ledger, &row, reason, scrip_bytes(NULL, 0)));
    return card_save(ledger, &row);
}

enum scrip_status scrip_ledger_card_release(struct scrip_ledger *ledger, const uint8_t uid[7])
{
    struct card_row row;
    SCRIP_TRY(card_load(ledger, uid, &row));
    row.c.held = false;
    row.verdict = SCRIP_VERDICT_IN_STEP;
    row.c.reason[0] = '\0';
    return card_save(ledger, &row);
}

enum scrip_status scrip_ledger_card_deny(struct scrip_ledger *ledger, const uint8_t uid[7], const char *reason)
{
    struct card_row row;
    SCRIP_TRY(card_load(ledger, uid, &row));
    row.c.denied = true;
    copy_text(row.c.reason, sizeof row.c.reason, reason);
    return card_save(ledger, &row);
}

enum scrip_status scrip_ledger_card_allow(struct scrip_ledger *ledger, const uint8_t uid[7])
{
    struct card_row row;
    int64_t claim = 0;
    SCRIP_TRY(card_load(ledger, uid, &row));
    SCRIP_TRY(NUMBER(ledger, ORDER_IN_STATE, 0, &claim, V_INT(row.number), V_INT(SCRIP_STATE_CLAIMED)));
    if (claim != 0) {
        return SCRIP_E_STATE;
    }
    row.c.denied = false;
    if (!row.c.held) {
        row.c.reason[0] = '\0';
    }
    return card_save(ledger, &row);
}

enum scrip_status scrip_ledger_card_set_key_version(struct scrip_ledger *ledger, const uint8_t uid[7],
                                                    uint32_t key_version)
{
    struct card_row row;
    SCRIP_TRY(card_load(ledger, uid, &row));
    row.c.key_version = key_version;
    return card_save(ledger, &row);
}

enum scrip_status scrip_ledger_cards(struct scrip_ledger *ledger,
                                     bool (*each)(void *ctx, const struct scrip_ledger_card *card), void *ctx)
{
    struct card_row row;
    enum scrip_status status = ledger_query(ledger, STORE_CARD_EACH, NULL, 0);
    while (status == SCRIP_OK) {
        card_read(ledger, STORE_CARD_EACH, &row);
        if (!each(ctx, &row.c)) {
            ledger_end(ledger, STORE_CARD_EACH);
            return SCRIP_OK;
        }
        status = ledger_next(ledger, STORE_CARD_EACH);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}
