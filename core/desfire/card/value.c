/* value.c: value files. What Credit, Debit and LimitedCredit do is kept in the transaction; nothing is spendable, or
 * visible, before CommitTransaction. */
#include "card.h"

static int32_t committed(const struct file *file)
{
    return scrip_get_le32s(file->is.as.value.value);
}

uint8_t desfire_get_value(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)card;
    (void)scrip_buf_add(&reply->data, cmd->file.is.as.value.value, 4);
    return DF_OK;
}

/* The amount of a command; negative ones are refused. */
static uint8_t take_amount(const struct command *cmd, int64_t *amount)
{
    *amount = scrip_get_le32s(cmd->data.at);
    return *amount < 0 ? DF_PARAMETER_ERROR : DF_OK;
}

/* Would the value stay within its limits? If so the change becomes pending. */
static uint8_t move(struct scrip_desfire_card *card, const struct command *cmd, int64_t by,
                    struct scrip_desfire_change **pending)
{
    const struct file_page *is = &cmd->file.is;
    const struct scrip_desfire_change *present = transaction_present(card, &cmd->file);
    const int64_t from = present->kind == CHANGE_VALUE ? present->value : committed(&cmd->file);
    const int64_t to = from + by;

    if (to < scrip_get_le32s(is->as.value.lower) || to > scrip_get_le32s(is->as.value.upper)) {
        return DF_BOUNDARY_ERROR;
    }
    struct scrip_desfire_change *change = transaction_change(card, &cmd->file);
    change->kind = CHANGE_VALUE;
    change->value = (int32_t)to;
    *pending = change;
    return DF_OK;
}

uint8_t desfire_credit(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct scrip_desfire_change *change;
    int64_t amount;
    (void)reply;

    const uint8_t status = take_amount(cmd, &amount);
    return status == DF_OK ? move(card, cmd, amount, &change) : status;
}

uint8_t desfire_debit(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct scrip_desfire_change *change;
    int64_t amount;
    (void)reply;

    uint8_t status = take_amount(cmd, &amount);
    if (status == DF_OK) {
        status = move(card, cmd, -amount, &change);
    }
    if (status == DF_OK) {
        const uint64_t debits = (uint64_t)change->debits + (uint64_t)amount;
        change->debits = debits > INT32_MAX ? INT32_MAX : (uint32_t)debits;
        change->debited = true;
    }
    return status;
}

/* Gives back at most what the last committed Debits took, once. */
uint8_t desfire_limited_credit(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct scrip_desfire_change *present = transaction_present(card, &cmd->file);
    struct scrip_desfire_change *change;
    int64_t amount;
    (void)reply;

    uint8_t status = take_amount(cmd, &amount);
    if (status != DF_OK) {
        return status;
    }
    if ((cmd->file.is.as.value.flags & VALUE_LIMITED_CREDIT) == 0) {
        return DF_PERMISSION_DENIED;
    }
    const bool used = present->kind == CHANGE_VALUE && present->limited;
    if (used || amount > scrip_get_le32s(cmd->file.is.as.value.limited)) {
        return DF_BOUNDARY_ERROR;
    }
    status = move(card, cmd, amount, &change);
    if (status == DF_OK) {
        change->limited = true;
    }
    return status;
}

void value_commit(struct scrip_desfire_card *card, struct file *file, const struct scrip_desfire_change *change)
{
    scrip_put_le32(file->is.as.value.value, (uint32_t)change->value);
    if (change->limited) {
        scrip_put_le32(file->is.as.value.limited, 0);
    } else if (change->debited) {
        scrip_put_le32(file->is.as.value.limited, change->debits);
    }
    file_store(card, file);
}

/* A value file named by a command: `app` becomes the application of the pair that it is in. */
static uint8_t transfer_file(struct scrip_desfire_card *card, struct app *app, uint8_t number, unsigned rights,
                             struct file *file)
{
    uint8_t comm;

    if (!app_meant(card, app, &number) || !file_find(card, app, number, file)) {
        return DF_FILE_NOT_FOUND;
    }
    const bool kept_apart = file->side != 0 && scrip_get_le16(app->is.tmac) != 0; /* its MAC cannot be kept */
    if (kept_apart || file->is.type != FILE_VALUE) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t status = access_decide(card, file, rights, &comm);
    return status == DF_OK && access_tmc_exhausted(card, app) ? DF_PERMISSION_DENIED : status;
}

/* EV3: take over the value of another value file, as the pending change of the target. */
uint8_t desfire_restore_transfer(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct app of_target = cmd->app;
    struct app of_source = cmd->app;
    struct file target;
    struct file source;
    (void)reply;

    uint8_t status = transfer_file(card, &of_target, cmd->data.at[0], RIGHT_READ_WRITE, &target);
    if (status == DF_OK) {
        status = transfer_file(card, &of_source, cmd->data.at[1], RIGHT_READ | RIGHT_WRITE | RIGHT_READ_WRITE, &source);
    }
    if (status != DF_OK) {
        return status;
    }
    const int32_t value = committed(&source);
    if (target.page == source.page) {
        return DF_PERMISSION_DENIED;
    }
    if (value < scrip_get_le32s(target.is.as.value.lower) || value > scrip_get_le32s(target.is.as.value.upper)) {
        return DF_BOUNDARY_ERROR;
    }
    struct scrip_desfire_change *change = transaction_change(card, &target);
    change->kind = CHANGE_VALUE;
    change->value = value;
    if (target.side == 0 || source.side == 0) { /* it concerns the application whose MAC is kept */
        const uint8_t part[3] = {cmd->code, cmd->data.at[0], cmd->data.at[1]};
        transaction_add(card, &cmd->app, SCRIP_BYTES_OF(part), scrip_bytes(NULL, 0));
    }
    return DF_OK;
}
