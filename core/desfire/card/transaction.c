/* transaction.c: CommitTransaction, AbortTransaction, CommitReaderID and the Transaction MAC.
 *
 * The Transaction MAC input TMI is not kept: every part is fed into the running MAC under the session key of this
 * transaction, which is known from the start (the counter it will have is TMC + 1). */
#include "card.h"
#include <string.h>

void transaction_open(struct scrip_desfire_card *card)
{
    struct scrip_desfire_transaction *transaction = &card->transaction;
    const struct scrip_clock *clock = card->host.clock;

    if (!transaction->open) {
        transaction->open = true;
        transaction->opened_ms = clock != NULL ? clock->now_ms(clock->ctx) : 0;
    }
}

void transaction_drop(struct scrip_desfire_card *card)
{
    if (card->transaction.open) {
        scrip_wipe(&card->transaction, sizeof card->transaction);
    }
}

struct scrip_desfire_change *transaction_change(struct scrip_desfire_card *card, const struct file *file)
{
    transaction_open(card);
    return &card->transaction.change[file->side][file->is.number];
}

const struct scrip_desfire_change *transaction_present(const struct scrip_desfire_card *card, const struct file *file)
{
    return &card->transaction.change[file->side][file->is.number];
}

void transaction_forget(struct scrip_desfire_card *card, const struct file *file)
{
    card->transaction.change[file->side][file->is.number] = (struct scrip_desfire_change){.kind = CHANGE_NONE};
    if (file->is.type == FILE_TMAC) {
        card->transaction.tmi = (struct scrip_desfire_tmi){.used = false};
        card->transaction.reader_committed = false;
    }
}

/* ---- the input ---- */

bool transaction_tmac(struct scrip_desfire_card *card, const struct app *app, struct file *file)
{
    const uint16_t page = scrip_get_le16(app->is.tmac);
    if (page == 0) {
        return false;
    }
    file->side = app->side;
    file_load(card, page, file);
    return file->is.type == FILE_TMAC;
}

/* Session keys for the counter that the present transaction will have. */
static void derive_keys(struct scrip_desfire_card *card, const struct file *file)
{
    struct scrip_desfire_transaction *transaction = &card->transaction;
    struct tmac_page tmac;

    tmac_load(card, file, &tmac);
    const uint32_t next = scrip_get_le32(tmac.tmc) + 1;
    if (config_lrp(card)) {
        scrip_desfire_tmac_keys_lrp(tmac.key, (uint16_t)next, (uint16_t)((next >> 16) + 1), card->identity.uid,
                                    &transaction->keys);
    } else {
        scrip_desfire_tmac_keys(tmac.key, next, card->identity.uid, &transaction->keys);
    }
    scrip_wipe(&tmac, sizeof tmac);
}

void transaction_add(struct scrip_desfire_card *card, const struct app *app, struct scrip_bytes fixed,
                     struct scrip_bytes data)
{
    struct scrip_desfire_transaction *transaction = &card->transaction;
    struct file file;

    if (!transaction_tmac(card, app, &file)) {
        return;
    }
    transaction_open(card);
    if (!transaction->tmi.used) {
        derive_keys(card, &file);
    }
    scrip_desfire_tmi_feed(&transaction->tmi, &transaction->keys, fixed, data);
}

/* Value commands: CMD FileNo Value[4]. The others: CMD header, then the data, whichever way it went. */
void transaction_note(struct scrip_desfire_card *card, const struct command *cmd, struct scrip_bytes reply)
{
    uint8_t fixed[1 + sizeof cmd->header + 4] = {cmd->code};
    const struct scrip_bytes data = (cmd->row->flags & SCRIP_DESFIRE_DATA_BACK) != 0 ? reply : cmd->data;

    if (cmd->file.is.type == FILE_TMAC) {
        return;
    }
    memcpy(fixed + 1, cmd->header, cmd->header_len);
    if (cmd->file.is.type == FILE_VALUE) {
        memcpy(fixed + 1 + cmd->header_len, data.at, 4);
        transaction_add(card, &cmd->app, scrip_bytes(fixed, 1 + cmd->header_len + 4), scrip_bytes(NULL, 0));
    } else {
        transaction_add(card, &cmd->app, scrip_bytes(fixed, 1 + cmd->header_len), data);
    }
}

uint8_t desfire_commit_reader_id(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct scrip_desfire_transaction *transaction = &card->transaction;
    struct file file;
    struct tmac_page tmac;
    uint8_t part[1 + 16 + 16] = {cmd->code};
    uint8_t comm;

    if (!transaction_tmac(card, &cmd->app, &file)) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t status = access_decide(card, &file, RIGHT_READ_WRITE, &comm);
    if (status != DF_OK) {
        return status;
    }
    if (transaction->reader_committed) {
        return DF_PERMISSION_DENIED;
    }
    memcpy(part + 1, cmd->data.at, 16);
    transaction_open(card);
    if (!transaction->tmi.used) {
        derive_keys(card, &file);
    }
    if (cmd->in_session) { /* the reader of the transaction before, for this one's back office */
        tmac_load(card, &file, &tmac);
        scrip_desfire_tmri_encrypt(&transaction->keys, tmac.previous, part + 17);
        scrip_wipe(&tmac, sizeof tmac);
        (void)scrip_buf_add(&reply->data, part + 17, 16);
    }
    scrip_desfire_tmi_feed(&transaction->tmi, &transaction->keys, scrip_bytes(part, cmd->in_session ? 33 : 17),
                           scrip_bytes(NULL, 0));
    memcpy(transaction->reader, cmd->data.at, 16);
    transaction->reader_committed = true;
    return DF_OK;
}

/* ---- the end ---- */

static bool anything_pending(const struct scrip_desfire_card *card)
{
    for (size_t i = 0; i < SCRIP_DESFIRE_FILES; i++) {
        if (card->transaction.change[0][i].kind != CHANGE_NONE || card->transaction.change[1][i].kind != CHANGE_NONE) {
            return true;
        }
    }
    return card->transaction.tmi.used;
}

static void commit_file(struct scrip_desfire_card *card, struct file *file, const struct scrip_desfire_change *change)
{
    uint8_t other[2];

    switch (change->kind) {
    case CHANGE_DATA:
        memcpy(other, file->is.data, 2);
        memcpy(file->is.data, file->is.shadow, 2);
        memcpy(file->is.shadow, other, 2);
        file_store(card, file);
        break;
    case CHANGE_VALUE:
        value_commit(card, file, change);
        break;
    default:
        record_commit(card, file, change);
        break;
    }
}

static void commit_files(struct scrip_desfire_card *card, const struct app *app)
{
    struct file file;
    for (uint8_t number = 0; number < SCRIP_DESFIRE_FILES; number++) {
        const struct scrip_desfire_change *change = &card->transaction.change[app->side][number];
        if (change->kind != CHANGE_NONE && file_find(card, app, number, &file)) {
            commit_file(card, &file, change);
        }
    }
}

/* Count the transaction and leave its MAC in the file. */
static void commit_tmac(struct scrip_desfire_card *card, const struct file *file, struct scrip_buf *out)
{
    const struct scrip_desfire_transaction *transaction = &card->transaction;
    struct tmac_page tmac;

    tmac_load(card, file, &tmac);
    scrip_put_le32(tmac.tmc, scrip_get_le32(tmac.tmc) + 1);
    scrip_desfire_tmi_tmv(&transaction->tmi, &transaction->keys, tmac.tmv);
    if (transaction->reader_committed) {
        memcpy(tmac.previous, transaction->reader, sizeof tmac.previous);
    }
    tmac_store(card, file, &tmac);
    if (out != NULL) {
        (void)scrip_buf_add(out, tmac.tmc, sizeof tmac.tmc);
        (void)scrip_buf_add(out, tmac.tmv, sizeof tmac.tmv);
    }
    scrip_wipe(&tmac, sizeof tmac);
}

static uint8_t may_commit(struct scrip_desfire_card *card, const struct app *app, const struct file *tmac)
{
    const bool reader_needed = access_is_used(&tmac->is, RIGHT_READ_WRITE);

    if (!anything_pending(card)) {
        return DF_NO_CHANGES;
    }
    if (tmac->page != 0 && access_tmc_exhausted(card, app)) {
        return DF_PERMISSION_DENIED; /* only a reader has named itself, and the counter must not go on */
    }
    if (tmac->page != 0 && reader_needed && !card->transaction.reader_committed) {
        return DF_PERMISSION_DENIED;
    }
    return DF_OK;
}

uint8_t desfire_commit_transaction(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t option = cmd->data.len > 0 ? cmd->data.at[0] : 0;
    struct file tmac = {.page = 0};
    struct app second;

    if (option > 1 || (cmd->data.len > 0 && card->identity.generation == SCRIP_DESFIRE_EV1)) {
        return option > 1 ? DF_PARAMETER_ERROR : DF_LENGTH_ERROR;
    }
    (void)transaction_tmac(card, &cmd->app, &tmac);
    if (option == 1 && tmac.page == 0) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t status = may_commit(card, &cmd->app, &tmac);
    if (status != DF_OK) {
        return status;
    }
    commit_files(card, &cmd->app);
    if (app_second(card, &second)) {
        commit_files(card, &second);
    }
    if (card->transaction.tmi.used && tmac.page != 0) {
        commit_tmac(card, &tmac, option == 1 ? &reply->data : NULL);
    }
    transaction_drop(card);
    return DF_OK;
}

uint8_t desfire_abort_transaction(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)cmd;
    (void)reply;
    if (!anything_pending(card)) {
        return DF_NO_CHANGES;
    }
    transaction_drop(card);
    return DF_OK;
}
