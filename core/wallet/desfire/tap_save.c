/* A visit as bytes: the terminal, what is out, and the facts that are a few bytes each. Logs and header are judged in
 * the request that read them and do not travel. */
#include "tap.h"
#include <string.h>

static const uint32_t small_facts = SCRIP_FACT_UID | SCRIP_FACT_BALANCE | SCRIP_FACT_BALANCE_AFTER | SCRIP_FACT_TMAC |
                                    SCRIP_FACT_READER | SCRIP_FACT_COMMITTED | SCRIP_FACT_COMMIT_TMV | SCRIP_FACT_CARD |
                                    SCRIP_FACT_KEYS;

struct field {
    uint32_t fact;
    uint8_t *at;
    size_t len;
};

#define FIELDS 5U

/* The byte strings; numbers are written apart because of their byte order. */
static void fields_of(struct scrip_desfire_facts *facts, struct field fields[FIELDS])
{
    const struct field all[FIELDS] = {
        {SCRIP_FACT_UID, facts->uid, sizeof facts->uid},
        {SCRIP_FACT_TMAC, facts->tmv, sizeof facts->tmv},
        {SCRIP_FACT_READER, facts->enc_tmri, sizeof facts->enc_tmri},
        {SCRIP_FACT_COMMIT_TMV, facts->commit_tmv, sizeof facts->commit_tmv},
        {0, NULL, 0},
    };
    memcpy(fields, all, sizeof all);
}

enum scrip_status scrip_desfire_tap_save(const struct scrip_desfire_tap *tap, struct scrip_buf *out)
{
    struct scrip_desfire_facts facts = tap->facts;
    struct field fields[FIELDS];
    facts.has &= small_facts;
    fields_of(&facts, fields);
    SCRIP_TRY(scrip_buf_add_le(out, facts.has, 4));
    const uint32_t numbers[] = {(uint32_t)facts.balance, (uint32_t)facts.balance_after, facts.tmc, facts.commit_tmc};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        SCRIP_TRY(scrip_buf_add_le(out, numbers[i], 4));
    }
    for (size_t i = 0; fields[i].len > 0; i++) {
        if ((facts.has & fields[i].fact) != 0) {
            SCRIP_TRY(scrip_buf_add(out, fields[i].at, fields[i].len));
        }
    }
    const uint8_t whole = (uint8_t)(tap->facts.topups.whole | tap->facts.debits.whole << 1); /* what is out asked for */
    SCRIP_TRY(scrip_buf_add(out, (const uint8_t[]){tap->role, tap->item_count, whole}, 3));
    SCRIP_TRY(scrip_buf_add(out, tap->items, tap->item_count));
    return scrip_desfire_term_save(&tap->term, out);
}

static enum scrip_status load_facts(struct scrip_desfire_facts *facts, struct scrip_bytes *in)
{
    struct scrip_bytes part;
    struct field fields[FIELDS];
    SCRIP_TRY(scrip_bytes_take(in, 20, &part));
    facts->has = scrip_get_le32(part.at);
    facts->balance = scrip_get_le32s(part.at + 4);
    facts->balance_after = scrip_get_le32s(part.at + 8);
    facts->tmc = scrip_get_le32(part.at + 12);
    facts->commit_tmc = scrip_get_le32(part.at + 16);
    if ((facts->has & ~small_facts) != 0) {
        return SCRIP_E_FORMAT;
    }
    fields_of(facts, fields);
    for (size_t i = 0; fields[i].len > 0; i++) {
        if ((facts->has & fields[i].fact) != 0) {
            SCRIP_TRY(scrip_bytes_take(in, fields[i].len, &part));
            memcpy(fields[i].at, part.at, part.len);
        }
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_tap_load(struct scrip_desfire_tap *tap, const struct scrip_desfire_purse *purse,
                                         struct scrip_bytes *in)
{
    struct scrip_bytes part;
    scrip_desfire_tap_start(tap, purse, NULL);
    SCRIP_TRY(load_facts(&tap->facts, in));
    SCRIP_TRY(scrip_bytes_take(in, 3, &part));
    const uint8_t count = part.at[1];
    tap->role = part.at[0];
    if (tap->role >= SCRIP_PURSE_ROLES || count > sizeof tap->items || part.at[2] > 3) {
        return SCRIP_E_FORMAT;
    }
    tap->facts.topups.whole = (part.at[2] & 1U) != 0;
    tap->facts.debits.whole = (part.at[2] & 2U) != 0;
    SCRIP_TRY(scrip_bytes_take(in, count, &part));
    for (size_t i = 0; i < count; i++) {
        if (part.at[i] >= ITEM_COUNT) {
            return SCRIP_E_FORMAT;
        }
        tap->items[i] = part.at[i];
    }
    tap->item_count = count;
    SCRIP_TRY(scrip_desfire_term_load(&tap->term, in));
    return tap->term.pending_count == count ? SCRIP_OK : SCRIP_E_FORMAT;
}
