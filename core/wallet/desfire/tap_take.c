/* A visit, the taking half: responses to facts. A fact's bit is set only after its response was opened. */
#include "tap.h"
#include <string.h>

#define OPENING_ROOM 32U /* checksum and padding of a response that came in frames */

static enum scrip_status fixed(struct scrip_desfire_tap *tap, const struct scrip_replies *replies, uint8_t *out,
                               size_t len)
{
    uint8_t memory[32];
    struct scrip_buf data = scrip_buf(memory, sizeof memory);
    SCRIP_TRY(scrip_desfire_term_take(&tap->term, replies, &data));
    if (data.len != len) {
        return SCRIP_E_LENGTH;
    }
    memcpy(out, memory, len);
    return SCRIP_OK;
}

static enum scrip_status value(struct scrip_desfire_tap *tap, const struct scrip_replies *replies, bool after)
{
    uint8_t at[4];
    SCRIP_TRY(fixed(tap, replies, at, sizeof at));
    *(after ? &tap->facts.balance_after : &tap->facts.balance) = scrip_get_le32s(at);
    tap->facts.has |= after ? SCRIP_FACT_BALANCE_AFTER : SCRIP_FACT_BALANCE;
    return SCRIP_OK;
}

static enum scrip_status tmac(struct scrip_desfire_tap *tap, const struct scrip_replies *replies, uint32_t *tmc,
                              uint8_t tmv[8], uint32_t fact)
{
    uint8_t at[12];
    SCRIP_TRY(fixed(tap, replies, at, sizeof at));
    *tmc = scrip_get_le32(at);
    memcpy(tmv, at + 4, 8);
    tap->facts.has |= fact;
    return SCRIP_OK;
}

/* Records come oldest first and are kept newest first. */
static enum scrip_status log_taken(struct scrip_desfire_tap *tap, const struct scrip_replies *replies,
                                   struct scrip_purse_log *log, bool one, uint32_t fact)
{
    uint8_t memory[SCRIP_PURSE_LOG_RECORDS * SCRIP_PURSE_RECORD + OPENING_ROOM];
    struct scrip_buf data = SCRIP_BUF_OF(memory);
    SCRIP_TRY(scrip_desfire_term_take(&tap->term, replies, &data));
    const size_t count = data.len / SCRIP_PURSE_RECORD;
    if (data.len % SCRIP_PURSE_RECORD != 0 || count == 0 || (one && count != 1) ||
        count > SCRIP_PURSE_LOG_RECORDS - (size_t)log->count) {
        return SCRIP_E_LENGTH;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(log->records[log->count++], memory + (count - 1 - i) * SCRIP_PURSE_RECORD, SCRIP_PURSE_RECORD);
    }
    tap->facts.has |= fact;
    return SCRIP_OK;
}

static enum scrip_status header(struct scrip_desfire_tap *tap, const struct scrip_replies *replies)
{
    uint8_t memory[SCRIP_PURSE_HEADER + OPENING_ROOM];
    struct scrip_buf data = SCRIP_BUF_OF(memory);
    SCRIP_TRY(scrip_desfire_term_take(&tap->term, replies, &data));
    if (data.len != SCRIP_PURSE_HEADER) {
        return SCRIP_E_LENGTH;
    }
    memcpy(tap->facts.header, memory, sizeof tap->facts.header);
    tap->facts.has |= SCRIP_FACT_HEADER;
    return SCRIP_OK;
}

static enum scrip_status topup_count(struct scrip_desfire_tap *tap, const struct scrip_replies *replies)
{
    uint8_t memory[64];
    struct scrip_buf data = SCRIP_BUF_OF(memory);
    struct scrip_desfire_file file = {.no = tap->purse.topup_file};
    SCRIP_TRY(scrip_desfire_term_take(&tap->term, replies, &data));
    SCRIP_TRY(scrip_desfire_file_parse(scrip_buf_bytes(&data), &file));
    if (file.type != SCRIP_DESFIRE_FILE_CYCLIC) {
        return SCRIP_E_FORMAT;
    }
    tap->facts.topup_count = file.records;
    tap->facts.has |= SCRIP_FACT_TOPUP_COUNT;
    return SCRIP_OK;
}

static enum scrip_status bare(struct scrip_desfire_tap *tap, const struct scrip_replies *replies, uint32_t fact)
{
    SCRIP_TRY(scrip_desfire_term_take(&tap->term, replies, NULL));
    tap->facts.has |= fact;
    return SCRIP_OK;
}

static enum scrip_status bytes(struct scrip_desfire_tap *tap, const struct scrip_replies *replies, uint8_t *out,
                               size_t len, uint32_t fact)
{
    SCRIP_TRY(fixed(tap, replies, out, len));
    tap->facts.has |= fact;
    return SCRIP_OK;
}

static enum scrip_status proof(struct scrip_desfire_tap *tap, const struct scrip_replies *replies, const uint8_t *key)
{
    struct scrip_desfire_key full = {.cipher = SCRIP_AES128};
    if (key == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    memcpy(full.bytes, key, 16);
    const enum scrip_status status = scrip_desfire_term_auth_proof(&tap->term, replies, &full);
    scrip_wipe(&full, sizeof full);
    if (status == SCRIP_OK) {
        tap->facts.has |= SCRIP_FACT_CARD;
    }
    return status;
}

static enum scrip_status take_item(struct scrip_desfire_tap *tap, enum item item, const struct scrip_replies *replies,
                                   const uint8_t *key)
{
    struct scrip_desfire_facts *facts = &tap->facts;
    switch (item) {
    case ITEM_CHALLENGE:
        return scrip_desfire_term_auth_challenge(&tap->term, replies);
    case ITEM_PROOF:
        return proof(tap, replies, key);
    case ITEM_UID:
        return bytes(tap, replies, facts->uid, sizeof facts->uid, SCRIP_FACT_UID);
    case ITEM_VALUE:
    case ITEM_VALUE_AFTER:
        return value(tap, replies, item == ITEM_VALUE_AFTER);
    case ITEM_TMAC:
        return tmac(tap, replies, &facts->tmc, facts->tmv, SCRIP_FACT_TMAC);
    case ITEM_TOPUPS:
    case ITEM_TOPUP:
        return log_taken(tap, replies, &facts->topups, item == ITEM_TOPUP, SCRIP_FACT_TOPUPS);
    case ITEM_DEBITS:
    case ITEM_DEBIT:
        return log_taken(tap, replies, &facts->debits, item == ITEM_DEBIT, SCRIP_FACT_DEBITS);
    case ITEM_HEADER:
        return header(tap, replies);
    case ITEM_READER:
        return bytes(tap, replies, facts->enc_tmri, sizeof facts->enc_tmri, SCRIP_FACT_READER);
    case ITEM_COMMIT:
        return bare(tap, replies, SCRIP_FACT_COMMITTED);
    case ITEM_COMMIT_TMV:
        return tmac(tap, replies, &facts->commit_tmc, facts->commit_tmv, SCRIP_FACT_COMMITTED | SCRIP_FACT_COMMIT_TMV);
    case ITEM_TOPUP_COUNT:
        return topup_count(tap, replies);
    case ITEM_KEY:
        return bare(tap, replies, SCRIP_FACT_KEYS);
    default:
        return scrip_desfire_term_take(&tap->term, replies, NULL);
    }
}

enum scrip_status scrip_desfire_tap_take(struct scrip_desfire_tap *tap, const struct scrip_replies *replies,
                                         const uint8_t *key)
{
    while (tap->item_count > 0) {
        const enum scrip_status status = take_item(tap, (enum item)tap->items[0], replies, key);
        if (status == SCRIP_E_WAIT || status == SCRIP_E_ARGUMENT) {
            return status;
        }
        if (status != SCRIP_OK) { /* a right MAC around wrong content, too, is a card to stop talking to */
            tap->item_count = 0;
            scrip_desfire_sm_end(&tap->term.session);
            tap->term.pending_count = 0;
            if (tap->term.failure.status == SCRIP_OK) {
                tap->term.failure.status = status;
            }
            return status;
        }
        tap->item_count--;
        memmove(tap->items, tap->items + 1, tap->item_count);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_tap_continue(struct scrip_desfire_tap *tap, struct scrip_batch *batch)
{
    return scrip_desfire_term_continue(&tap->term, batch);
}
