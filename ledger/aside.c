/* aside.c: journal lines that could not be taken when they came: of a card that is not registered yet, or of another
 * purse. They are evidence of money, so they are kept whole until they can be taken. */
#include "book.h"

enum scrip_status scrip_ledger_aside_add(struct scrip_ledger *ledger, const struct scrip_ledger_aside *aside,
                                         bool replaces)
{
    if (aside->sequence == 0 || aside->sequence > INT64_MAX) {
        return SCRIP_E_ARGUMENT;
    }
    return ledger_run(ledger, replaces ? STORE_ASIDE_ADD : STORE_ASIDE_KEEP,
                      VALUES(V_INT(scrip_get_be32(aside->terminal)), V_INT(aside->sequence),
                             V_INT(card_number(aside->uid)), V_INT(ledger_now(ledger)), V_TEXT(aside->why),
                             V_BLOB(aside->line, sizeof aside->line)),
                      NULL);
}

enum scrip_status scrip_ledger_aside_remove(struct scrip_ledger *ledger, const uint8_t terminal[4], uint64_t sequence)
{
    unsigned changed = 0;
    SCRIP_TRY(RUN(ledger, ASIDE_REMOVE, &changed, V_INT(scrip_get_be32(terminal)), V_INT(sequence)));
    return changed == 1 ? SCRIP_OK : SCRIP_E_NOT_FOUND;
}

static void aside_read(struct scrip_ledger *ledger, enum store_statement s, struct scrip_ledger_aside *aside)
{
    const uint32_t terminal = (uint32_t)column_number(ledger, s, 0);
    memset(aside, 0, sizeof *aside);
    for (int i = 0; i < 4; i++) {
        aside->terminal[i] = (uint8_t)(terminal >> (24 - 8 * i));
    }
    aside->sequence = (uint64_t)column_number(ledger, s, 1);
    card_uid(column_number(ledger, s, 2), aside->uid);
    aside->at_ms = (uint64_t)column_number(ledger, s, 3);
    column_text(ledger, s, 4, aside->why, sizeof aside->why);
    column_fixed(ledger, s, 5, aside->line, sizeof aside->line);
}

enum scrip_status scrip_ledger_asides(struct scrip_ledger *ledger, const uint8_t uid[7],
                                      bool (*each)(void *ctx, const struct scrip_ledger_aside *aside), void *ctx)
{
    struct scrip_ledger_aside aside;
    const enum store_statement s = uid == NULL ? STORE_ASIDE_ALL : STORE_ASIDE_OF_CARD;
    enum scrip_status status =
        uid == NULL ? ledger_query(ledger, s, NULL, 0) : QUERY(ledger, ASIDE_OF_CARD, V_INT(card_number(uid)));
    while (status == SCRIP_OK) {
        aside_read(ledger, s, &aside);
        if (!each(ctx, &aside)) {
            ledger_end(ledger, s);
            return SCRIP_OK;
        }
        status = ledger_next(ledger, s);
    }
    return status == SCRIP_E_NOT_FOUND ? SCRIP_OK : status;
}
