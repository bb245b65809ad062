/* A visit, the asking half: stages to commands. */
#include "tap.h"
#include <string.h>

void scrip_desfire_tap_start(struct scrip_desfire_tap *tap, const struct scrip_desfire_purse *purse, const uint8_t *uid)
{
    memset(tap, 0, sizeof *tap);
    tap->purse = *purse;
    scrip_desfire_term_start(&tap->term);
    if (uid != NULL) {
        memcpy(tap->facts.uid, uid, sizeof tap->facts.uid);
        tap->facts.has = SCRIP_FACT_UID;
    }
}

void scrip_desfire_tap_wipe(struct scrip_desfire_tap *tap)
{
    scrip_wipe(tap, sizeof *tap);
}

enum scrip_status tap_note(struct scrip_desfire_tap *tap, enum scrip_status status, enum item item)
{
    if (status == SCRIP_OK) {
        tap->items[tap->item_count++] = (uint8_t)item;
    }
    return status;
}

enum scrip_status tap_key_number(const struct scrip_desfire_purse *purse, enum scrip_purse_role role, uint8_t *no)
{
    const uint8_t numbers[] = {
        [SCRIP_PURSE_AMK] = 0,
        [SCRIP_PURSE_PAY] = purse->pay_key,
        [SCRIP_PURSE_WRITE] = purse->write_key,
        [SCRIP_PURSE_TOPUP] = purse->topup_key,
        [SCRIP_PURSE_TMAC] = SCRIP_PURSE_NONE,
        [SCRIP_PURSE_PICC] = SCRIP_PURSE_NONE,
        [SCRIP_PURSE_ID] = purse->id_key,
    };
    *no = (unsigned)role < SCRIP_PURSE_ROLES ? numbers[role] : SCRIP_PURSE_NONE;
    return *no != SCRIP_PURSE_NONE ? SCRIP_OK : SCRIP_E_KEY;
}

static enum scrip_status authenticate(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                      enum scrip_purse_role role, bool first)
{
    uint8_t no;
    SCRIP_TRY(tap_key_number(&tap->purse, role, &no));
    SCRIP_TRY(tap_note(
        tap,
        scrip_desfire_term_auth_ask(&tap->term, batch, (enum scrip_desfire_sm)tap->purse.sm, SCRIP_AES128, no, first),
        ITEM_CHALLENGE));
    tap->role = (uint8_t)role;
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_tap_preamble(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                             enum scrip_purse_role role)
{
    uint8_t no;
    SCRIP_TRY(tap_key_number(&tap->purse, role, &no));
    SCRIP_TRY(tap_note(tap, scrip_desfire_select_application(&tap->term, batch, tap->purse.aid), ITEM_NOTHING));
    return authenticate(tap, batch, role, true);
}

enum scrip_status scrip_desfire_tap_reauth(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                           enum scrip_purse_role role)
{
    return authenticate(tap, batch, role, tap->purse.sm == SCRIP_DESFIRE_SM_EV1);
}

enum scrip_status scrip_desfire_tap_who(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                        enum scrip_purse_role role)
{
    SCRIP_TRY(tap_note(tap, scrip_desfire_get_card_uid(&tap->term, batch), ITEM_UID));
    return scrip_desfire_tap_reauth(tap, batch, role);
}

static struct scrip_desfire_key aes_key(const uint8_t key[16], uint8_t version)
{
    struct scrip_desfire_key full = {.cipher = SCRIP_AES128, .version = version};
    memcpy(full.bytes, key, 16);
    return full;
}

enum scrip_status scrip_desfire_tap_answer(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                           const uint8_t key[16], const uint8_t rnda[16])
{
    struct scrip_desfire_key full = aes_key(key, 0);
    const enum scrip_status status =
        tap_note(tap, scrip_desfire_term_auth_answer(&tap->term, batch, &full, rnda), ITEM_PROOF);
    scrip_wipe(&full, sizeof full);
    return status;
}

static struct scrip_desfire_access access_to(const struct scrip_desfire_tap *tap, uint8_t file)
{
    return (struct scrip_desfire_access){
        .no = file,
        .comm = file == tap->purse.tmac_file ? SCRIP_DESFIRE_MAC : SCRIP_DESFIRE_FULL,
        .long_code = tap->purse.long_codes,
        .one_frame = true,
    };
}

enum scrip_status scrip_desfire_tap_record(struct scrip_desfire_tap *tap, struct scrip_batch *batch, uint8_t file,
                                           uint32_t offset, struct scrip_bytes data)
{
    const struct scrip_desfire_access access = access_to(tap, file);
    return tap_note(tap, scrip_desfire_write_record(&tap->term, batch, &access, offset, data), ITEM_NOTHING);
}

enum scrip_status scrip_desfire_tap_abort(struct scrip_desfire_tap *tap, struct scrip_batch *batch)
{
    return tap_note(tap, scrip_desfire_abort_transaction(&tap->term, batch), ITEM_NOTHING);
}

enum scrip_status scrip_desfire_tap_flush(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                          enum scrip_purse_role role)
{
    const uint8_t file = role == SCRIP_PURSE_TOPUP ? tap->purse.topup_file : tap->purse.log_file;
    if (role != SCRIP_PURSE_TOPUP && role != SCRIP_PURSE_PAY) {
        return SCRIP_E_KEY;
    }
    SCRIP_TRY(scrip_desfire_tap_record(tap, batch, file, 0, scrip_bytes("\0", 1)));
    return scrip_desfire_tap_abort(tap, batch);
}

/* ---- reading ---- */

enum scrip_status scrip_desfire_tap_value(struct scrip_desfire_tap *tap, struct scrip_batch *batch)
{
    bool after = (tap->facts.has & SCRIP_FACT_COMMITTED) != 0;
    for (size_t i = 0; i < tap->item_count; i++) {
        after = after || tap->items[i] == ITEM_COMMIT || tap->items[i] == ITEM_COMMIT_TMV;
    }
    const struct scrip_desfire_access access = access_to(tap, tap->purse.value_file);
    return tap_note(tap, scrip_desfire_get_value(&tap->term, batch, &access), after ? ITEM_VALUE_AFTER : ITEM_VALUE);
}

#define FOLLOW_MAX 5U /* 176 bytes at 48 a frame take 4; one in reserve */

static enum scrip_status read_log(struct scrip_desfire_tap *tap, struct scrip_batch *batch, bool topups,
                                  unsigned records, bool last)
{
    struct scrip_desfire_access access = access_to(tap, topups ? tap->purse.topup_file : tap->purse.log_file);
    struct scrip_purse_log *log = topups ? &tap->facts.topups : &tap->facts.debits;
    const enum item many = topups ? ITEM_TOPUPS : ITEM_DEBITS;
    if (records > SCRIP_PURSE_LOG_RECORDS) {
        return SCRIP_E_ARGUMENT;
    }
    log->count = 0;
    log->whole = records == 0;
    if (access.long_code || records == 0) {
        access.one_frame = access.long_code;
        access.follow = last && !access.long_code ? FOLLOW_MAX : 0;
        return tap_note(tap, scrip_desfire_read_records(&tap->term, batch, &access, 0, records, SCRIP_PURSE_RECORD),
                        many);
    }
    for (unsigned i = 0; i < records; i++) {
        SCRIP_TRY(tap_note(tap, scrip_desfire_read_records(&tap->term, batch, &access, i, 1, SCRIP_PURSE_RECORD),
                           topups ? ITEM_TOPUP : ITEM_DEBIT));
    }
    return SCRIP_OK;
}

static enum scrip_status read_tmac(struct scrip_desfire_tap *tap, struct scrip_batch *batch)
{
    const struct scrip_desfire_access access = access_to(tap, tap->purse.tmac_file);
    return tap_note(tap, scrip_desfire_read_data(&tap->term, batch, &access, 0, 12), ITEM_TMAC);
}

static enum scrip_status read_header(struct scrip_desfire_tap *tap, struct scrip_batch *batch, bool last)
{
    struct scrip_desfire_access access = access_to(tap, tap->purse.header_file);
    if (tap->purse.header_open && tap->role != SCRIP_PURSE_WRITE) {
        access.comm = SCRIP_DESFIRE_PLAIN; /* only the free right allows it */
    }
    access.one_frame = access.long_code;
    access.follow = last && !access.long_code ? FOLLOW_MAX : 0;
    return tap_note(tap, scrip_desfire_read_data(&tap->term, batch, &access, 0, SCRIP_PURSE_HEADER), ITEM_HEADER);
}

enum scrip_status scrip_desfire_tap_read(struct scrip_desfire_tap *tap, struct scrip_batch *batch, unsigned what,
                                         unsigned records)
{
    const bool last = (what & SCRIP_READ_LAST) != 0;
    const unsigned logs = records == 0 ? SCRIP_READ_TOPUPS | SCRIP_READ_DEBITS : 0U;
    const unsigned in_frames = what & (SCRIP_READ_HEADER | logs);
    if (!tap->purse.long_codes && (in_frames & (in_frames - 1)) != 0) {
        return SCRIP_E_WAIT; /* only one can be the last of its batch */
    }
    if ((what & SCRIP_READ_UID) != 0) {
        SCRIP_TRY(tap_note(tap, scrip_desfire_get_card_uid(&tap->term, batch), ITEM_UID));
    }
    if ((what & SCRIP_READ_TOPUP_COUNT) != 0) {
        SCRIP_TRY(
            tap_note(tap, scrip_desfire_get_file_settings(&tap->term, batch, tap->purse.topup_file), ITEM_TOPUP_COUNT));
    }
    if ((what & SCRIP_READ_BALANCE) != 0) {
        SCRIP_TRY(scrip_desfire_tap_value(tap, batch));
    }
    if ((what & SCRIP_READ_TMAC) != 0 && tap->purse.tmac_file != SCRIP_PURSE_NONE) {
        SCRIP_TRY(read_tmac(tap, batch));
    }
    if ((what & SCRIP_READ_TOPUPS) != 0) {
        SCRIP_TRY(read_log(tap, batch, true, records, last && (what & (SCRIP_READ_DEBITS | SCRIP_READ_HEADER)) == 0));
    }
    if ((what & SCRIP_READ_DEBITS) != 0) {
        SCRIP_TRY(read_log(tap, batch, false, records, last && (what & SCRIP_READ_HEADER) == 0));
    }
    return (what & SCRIP_READ_HEADER) != 0 ? read_header(tap, batch, last) : SCRIP_OK;
}

/* ---- changing ---- */

enum scrip_status scrip_desfire_tap_credit(struct scrip_desfire_tap *tap, struct scrip_batch *batch, int32_t amount)
{
    const struct scrip_desfire_access access = access_to(tap, tap->purse.value_file);
    return tap_note(tap, scrip_desfire_credit(&tap->term, batch, &access, amount), ITEM_NOTHING);
}

enum scrip_status scrip_desfire_tap_reader(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                           const uint8_t tmri[16])
{
    return tap_note(tap, scrip_desfire_commit_reader_id(&tap->term, batch, tmri), ITEM_READER);
}

enum scrip_status scrip_desfire_tap_commit(struct scrip_desfire_tap *tap, struct scrip_batch *batch)
{
    const bool with_tmv = tap->purse.tmac_file != SCRIP_PURSE_NONE;
    return tap_note(tap, scrip_desfire_commit_transaction(&tap->term, batch, with_tmv),
                    with_tmv ? ITEM_COMMIT_TMV : ITEM_COMMIT);
}

/* The commit has no MAC of its own in EV1 messaging and may be slipped in early. So the record comes first and is
 * marked only after the Credit: record without mark, somebody cheated; no record, no credit. */
static enum scrip_status topup_ev1(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                   const struct scrip_purse_topup *topup, const uint8_t record[SCRIP_PURSE_RECORD])
{
    uint8_t unmarked[SCRIP_PURSE_RECORD];
    const uint8_t file = tap->purse.topup_file;
    memcpy(unmarked, record, sizeof unmarked);
    scrip_put_le32(unmarked + 12, topup->reference);
    SCRIP_TRY(scrip_desfire_tap_record(tap, batch, file, 0, SCRIP_BYTES_OF(unmarked)));
    SCRIP_TRY(scrip_desfire_tap_credit(tap, batch, topup->amount));
    return scrip_desfire_tap_record(tap, batch, file, 12, scrip_bytes(record + 12, 4));
}

enum scrip_status tap_topup_open(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                 const struct scrip_purse_topup *topup)
{
    uint8_t record[SCRIP_PURSE_RECORD];
    if (topup->amount <= 0 || (topup->reference & SCRIP_PURSE_REFERENCE_DONE) != 0) {
        return SCRIP_E_ARGUMENT;
    }
    scrip_purse_topup_record(&tap->purse, topup, record);
    if (tap->purse.sm == SCRIP_DESFIRE_SM_EV1) {
        return topup_ev1(tap, batch, topup, record);
    }
    SCRIP_TRY(scrip_desfire_tap_value(tap, batch));
    SCRIP_TRY(scrip_desfire_tap_credit(tap, batch, topup->amount));
    SCRIP_TRY(scrip_desfire_tap_record(tap, batch, tap->purse.topup_file, 0, SCRIP_BYTES_OF(record)));
    return tap->purse.reader_id ? scrip_desfire_tap_reader(tap, batch, topup->tmri) : SCRIP_OK;
}

enum scrip_status scrip_desfire_tap_topup(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                          const struct scrip_purse_topup *topup)
{
    SCRIP_TRY(tap_topup_open(tap, batch, topup));
    SCRIP_TRY(scrip_desfire_tap_commit(tap, batch));
    return tap->purse.sm == SCRIP_DESFIRE_SM_EV1 ? scrip_desfire_tap_value(tap, batch) : SCRIP_OK;
}

enum scrip_status scrip_desfire_tap_debit(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                          const struct scrip_purse_debit *debit)
{
    const struct scrip_desfire_access value = access_to(tap, tap->purse.value_file);
    uint8_t record[SCRIP_PURSE_RECORD];
    if (debit->amount <= 0) {
        return SCRIP_E_ARGUMENT;
    }
    if (!tap->purse.smallest_debit && tap->purse.sm != SCRIP_DESFIRE_SM_EV1) {
        SCRIP_TRY(scrip_desfire_tap_value(tap, batch)); /* in EV1 the Debit could not be computed behind it */
    }
    SCRIP_TRY(tap_note(tap, scrip_desfire_debit(&tap->term, batch, &value, debit->amount), ITEM_NOTHING));
    if (tap->purse.smallest_debit) {
        return SCRIP_OK;
    }
    scrip_purse_debit_record(debit, record);
    SCRIP_TRY(scrip_desfire_tap_record(tap, batch, tap->purse.log_file, 0, SCRIP_BYTES_OF(record)));
    return tap->purse.reader_id ? scrip_desfire_tap_reader(tap, batch, debit->tmri) : SCRIP_OK;
}

enum scrip_status scrip_desfire_tap_write_header(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                                 uint32_t offset, struct scrip_bytes data)
{
    const struct scrip_desfire_access access = access_to(tap, tap->purse.header_file);
    if (offset > SCRIP_PURSE_HEADER || data.len > SCRIP_PURSE_HEADER - offset) {
        return SCRIP_E_ARGUMENT;
    }
    return tap_note(tap, scrip_desfire_write_data(&tap->term, batch, &access, offset, data), ITEM_NOTHING);
}

enum scrip_status scrip_desfire_tap_change_key(struct scrip_desfire_tap *tap, struct scrip_batch *batch, uint8_t key_no,
                                               const uint8_t next[16], uint8_t version, const uint8_t *current)
{
    struct scrip_desfire_key new_key = aes_key(next, version);
    struct scrip_desfire_key old_key = {.cipher = SCRIP_AES128};
    if (current != NULL) {
        memcpy(old_key.bytes, current, 16);
    }
    const enum scrip_status status =
        tap_note(tap, scrip_desfire_change_key(&tap->term, batch, key_no, &new_key, current != NULL ? &old_key : NULL),
                 ITEM_KEY);
    scrip_wipe(&new_key, sizeof new_key);
    scrip_wipe(&old_key, sizeof old_key);
    return status;
}
