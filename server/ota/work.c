/* Orders without money: read, write data, change keys. All begin with a session of the top-up key, so that what is open
 * is settled first, whatever the order is about. */
#include "work.h"

#include "session.h"

#include <stdio.h>
#include <string.h>

static bool proved(const struct ota *ota)
{
    return ota->session.proof_role == 0 && (ota->tap.facts.has & SCRIP_FACT_CARD) != 0;
}

static enum scrip_status start(struct ota *ota)
{
    return scrip_ledger_order_start(ota->context->ledger, ota->order.id);
}

static enum scrip_status finish(struct ota *ota, struct scrip_bytes result)
{
    ota->context->response->made_durable |= SCRIP_DURABLE_OTHER;
    SCRIP_TRY(scrip_ledger_order_finish(ota->context->ledger, ota->order.id, result));
    return ota_over(ota);
}

/* ---- read ---- */

static bool has_pay_key(const struct ota *ota)
{
    uint8_t key[16];
    const enum scrip_status status = ota_key(ota, SCRIP_PURSE_PAY, ota->session.key_version, key);
    scrip_wipe(key, sizeof key);
    return status == SCRIP_OK;
}

static unsigned topups_shown(const struct ota *ota)
{
    if (ota->profile.purse.long_codes) {
        return 0;
    }
    return ota->card.committed == 0 ? 1 : 2; /* there is always the record of personalisation */
}

/* With short codes only the last log of a session may take several frames: the debits do; of the top-ups, which the
 * book has anyway, the newest are read. */
static enum scrip_status ask_reading(struct ota *ota, bool debits)
{
    const unsigned what = SCRIP_READ_BALANCE | SCRIP_READ_TMAC | SCRIP_READ_TOPUPS;
    SCRIP_TRY(scrip_desfire_tap_read(&ota->tap, &ota->batch, what, topups_shown(ota)));
    if (debits) {
        SCRIP_TRY(scrip_desfire_tap_read(&ota->tap, &ota->batch, SCRIP_READ_DEBITS | SCRIP_READ_LAST, 0));
    }
    return ota_go_on(ota, OTA_READ);
}

enum scrip_status work_read(struct ota *ota)
{
    const struct scrip_desfire_purse *purse = &ota->profile.purse;
    const bool has_log = purse->log_file != SCRIP_PURSE_NONE;
    SCRIP_TRY(start(ota));
    if (!has_log || purse->log_by_server || !has_pay_key(ota)) {
        return ask_reading(ota, has_log && purse->log_by_server);
    }
    /* The top-up key may not read the debits: the pay key reads all of it, for one trip more. */
    if (!proved(ota)) {
        return ota_go_on(ota, OTA_AUTH);
    }
    SCRIP_TRY(scrip_desfire_tap_reauth(&ota->tap, &ota->batch, SCRIP_PURSE_PAY));
    return ota_go_on(ota, OTA_READ_REAUTH);
}

enum scrip_status take_read_reauth(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(ota_answer(ota, SCRIP_PURSE_PAY));
    return ask_reading(ota, true);
}

enum scrip_status take_read(struct ota *ota, enum scrip_status taken)
{
    uint8_t result[SCRIP_LEDGER_DATA_MAX];
    struct scrip_buf out = SCRIP_BUF_OF(result);
    struct scrip_settle_evidence evidence;
    struct scrip_ledger_settlement settlement;
    const struct scrip_desfire_facts *facts = &ota->tap.facts;
    if (taken == SCRIP_E_WAIT) {
        scrip_batch_clear(&ota->batch);
        SCRIP_TRY(scrip_desfire_tap_continue(&ota->tap, &ota->batch));
        return ota_go_on(ota, OTA_READ);
    }
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    evidence_of_session(ota, &evidence);
    const enum scrip_status status = ota_settle(ota, &evidence, &settlement);
    if (ota_stopped(ota, status, &settlement)) {
        return SCRIP_OK; /* the order stays begun: a reading that comes again must not look as if all were well */
    }
    SCRIP_TRY(status);
    const struct work_reading reading = {facts->has, facts->balance, facts->tmc, facts->topups, facts->debits};
    SCRIP_TRY(work_reading_put(&reading, &out));
    return finish(ota, scrip_buf_bytes(&out));
}

/* ---- write data into the card header ---- */

enum scrip_status work_write(struct ota *ota)
{
    if (!proved(ota)) {
        return ota_go_on(ota, OTA_AUTH);
    }
    SCRIP_TRY(start(ota));
    SCRIP_TRY(scrip_desfire_tap_flush(&ota->tap, &ota->batch, SCRIP_PURSE_TOPUP));
    SCRIP_TRY(scrip_desfire_tap_reauth(&ota->tap, &ota->batch, SCRIP_PURSE_WRITE));
    return ota_go_on(ota, OTA_WRITE_REAUTH);
}

enum scrip_status take_write_reauth(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(ota_answer(ota, SCRIP_PURSE_WRITE));
    SCRIP_TRY(scrip_desfire_tap_read(&ota->tap, &ota->batch, SCRIP_READ_HEADER, 0));
    return ota_go_on(ota, OTA_WRITE_HEADER);
}

static enum scrip_status change_header(const struct ota *ota, uint8_t out[SCRIP_PURSE_HEADER])
{
    struct scrip_purse_header header;
    SCRIP_TRY(scrip_purse_header_get(SCRIP_BYTES_OF(ota->tap.facts.header), &header));
    const size_t at = ota->order.data[0];
    const size_t len = ota->order.data_len - 1U;
    if (ota->order.data_len < 2 || at + len > sizeof header.free_data) {
        return SCRIP_E_CORRUPT; /* the order API does not let such an order in */
    }
    memcpy(header.free_data + at, ota->order.data + 1, len);
    return scrip_purse_header_put(&header, out);
}

/* A standard file is written at once; there is nothing to commit, and a commit would be refused. */
static bool header_is_transactional(const struct ota *ota)
{
    for (size_t i = 0; i < ota->profile.file_count; i++) {
        if (ota->profile.files[i].no == ota->profile.purse.header_file) {
            return ota->profile.files[i].type != SCRIP_DESFIRE_FILE_STANDARD;
        }
    }
    return true;
}

enum scrip_status take_write_header(struct ota *ota, enum scrip_status taken)
{
    uint8_t header[SCRIP_PURSE_HEADER];
    const uint32_t at = SCRIP_PURSE_HEADER / 2; /* the free area and the checksum */
    if (taken == SCRIP_E_WAIT) {
        scrip_batch_clear(&ota->batch);
        SCRIP_TRY(scrip_desfire_tap_continue(&ota->tap, &ota->batch));
        return ota_go_on(ota, OTA_WRITE_HEADER);
    }
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    if (change_header(ota, header) != SCRIP_OK) {
        return problem(ota->context, SCRIP_PROBLEM_CARD_DATA, "file 1 holds no card header of ours");
    }
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(scrip_desfire_tap_write_header(&ota->tap, &ota->batch, at, scrip_bytes(header + at, sizeof header - at)));
    if (ota->profile.purse.reader_id) { /* only the top-up key may name the reader */
        SCRIP_TRY(scrip_desfire_tap_reauth(&ota->tap, &ota->batch, SCRIP_PURSE_TOPUP));
        return ota_go_on(ota, OTA_WRITE_BACK);
    }
    if (header_is_transactional(ota)) {
        SCRIP_TRY(scrip_desfire_tap_commit(&ota->tap, &ota->batch));
    }
    return ota_go_on(ota, OTA_WRITE_COMMIT);
}

enum scrip_status take_write_back(struct ota *ota, enum scrip_status taken)
{
    uint8_t tmri[16];
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    scrip_batch_clear(&ota->batch);
    SCRIP_TRY(ota_answer(ota, SCRIP_PURSE_TOPUP));
    scrip_purse_tmri(ota->context->server->config.server_id, 0, 0, tmri);
    SCRIP_TRY(scrip_desfire_tap_reader(&ota->tap, &ota->batch, tmri));
    SCRIP_TRY(scrip_desfire_tap_commit(&ota->tap, &ota->batch));
    return ota_go_on(ota, OTA_WRITE_COMMIT);
}

/* The counter went to where it has been before. What was written was written into a copy of the card. */
static enum scrip_status written_to_older_image(struct ota *ota)
{
    static const char why[] = "the transaction's TMC is in the book with something else";
    SCRIP_TRY(scrip_ledger_card_hold(ota->context->ledger, ota->order.uid, why));
    ota->context->keep = true;
    return problem(ota->context, SCRIP_PROBLEM_ROLLBACK, why);
}

enum scrip_status take_write_commit(struct ota *ota, enum scrip_status taken)
{
    const bool committed = (ota->tap.facts.has & SCRIP_FACT_COMMITTED) != 0;
    if (!committed && (header_is_transactional(ota) || taken != SCRIP_OK)) {
        return ota_failed(ota, taken); /* writing it again does no harm */
    }
    if ((ota->tap.facts.has & SCRIP_FACT_COMMIT_TMV) != 0) { /* a step of the counter that moved no money */
        const enum scrip_status noted =
            scrip_ledger_tmc_note(ota->context->ledger, ota->order.uid, ota->tap.facts.commit_tmc);
        if (noted == SCRIP_E_CONFLICT) {
            return written_to_older_image(ota);
        }
        SCRIP_TRY(noted);
    }
    return finish(ota, scrip_bytes(NULL, 0));
}

/* ---- change keys ----
 *
 * The keys are changed one by one in this order, the top-up key last. A card that was torn away in between has the new
 * version of the first few; which, only trying tells: ChangeKey with a wrong old value is refused and changes nothing.
 */

static const enum scrip_purse_role rekeyed[] = {SCRIP_PURSE_PAY, SCRIP_PURSE_WRITE, SCRIP_PURSE_TOPUP};

#define REKEYED (sizeof rekeyed / sizeof rekeyed[0])

static enum scrip_status rekey_done(struct ota *ota)
{
    SCRIP_TRY(scrip_ledger_card_set_key_version(ota->context->ledger, ota->order.uid, ota->order.data[0]));
    return finish(ota, scrip_bytes(NULL, 0));
}

enum scrip_status work_rekey(struct ota *ota)
{
    if (!proved(ota)) {
        return ota_go_on(ota, OTA_AUTH);
    }
    SCRIP_TRY(start(ota));
    if (ota->session.key_version == ota->order.data[0]) {
        return rekey_done(ota); /* the session was made with the new top-up key */
    }
    SCRIP_TRY(scrip_desfire_tap_flush(&ota->tap, &ota->batch, SCRIP_PURSE_TOPUP));
    SCRIP_TRY(scrip_desfire_tap_reauth(&ota->tap, &ota->batch, SCRIP_PURSE_AMK));
    return ota_go_on(ota, OTA_REKEY_REAUTH);
}

static uint8_t key_number(const struct scrip_desfire_purse *purse, enum scrip_purse_role role)
{
    return role == SCRIP_PURSE_PAY ? purse->pay_key : role == SCRIP_PURSE_WRITE ? purse->write_key : purse->topup_key;
}

static enum scrip_status append_change(struct ota *ota, size_t i)
{
    uint8_t next[16];
    uint8_t current[16];
    const uint8_t version = ota->order.data[0];
    const uint8_t old = i < ota->session.attempt ? version : ota->session.key_version;
    enum scrip_status status = ota_key(ota, rekeyed[i], version, next);
    if (status == SCRIP_OK) {
        status = ota_key(ota, rekeyed[i], old, current);
    }
    if (status == SCRIP_OK) {
        status = scrip_desfire_tap_change_key(&ota->tap, &ota->batch, key_number(&ota->profile.purse, rekeyed[i]), next,
                                              version, current);
    }
    scrip_wipe(next, sizeof next);
    scrip_wipe(current, sizeof current);
    return status;
}

enum scrip_status take_rekey_reauth(struct ota *ota, enum scrip_status taken)
{
    if (taken != SCRIP_OK) {
        return ota_failed(ota, taken);
    }
    scrip_batch_clear(&ota->batch);
    const enum scrip_status answered = ota_answer(ota, SCRIP_PURSE_AMK);
    if (answered != SCRIP_OK) {
        return ota_failed(ota, answered);
    }
    for (size_t i = 0; i < REKEYED; i++) {
        const enum scrip_status status = append_change(ota, i);
        if (status != SCRIP_OK) {
            return ota_failed(ota, status);
        }
    }
    return ota_go_on(ota, OTA_REKEY);
}

enum scrip_status take_rekey(struct ota *ota, enum scrip_status taken)
{
    if (taken == SCRIP_OK && (ota->tap.facts.has & SCRIP_FACT_KEYS) != 0) {
        return rekey_done(ota);
    }
    if (taken == SCRIP_E_CARD && ota->session.attempt + 1U < REKEYED && ota->session.restarts < OTA_RESTARTS_MAX) {
        ota->session.attempt++;
        return ota_restart(ota, ota->session.key_version);
    }
    return ota_failed(ota, taken == SCRIP_OK ? SCRIP_E_STATE : taken);
}
