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

/* EV3: take over value and limited credit of another value file, as one pending change of the target. */
uint8_t desfire_restore_transfer(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct file target;
    struct file source;
    uint8_t comm;
    (void)reply;

    if (!file_find(card, &cmd->app, cmd->data.at[0], &target) ||
        !file_find(card, &cmd->app, cmd->data.at[1], &source)) {
        return DF_FILE_NOT_FOUND;
    }
    if (target.is.type != FILE_VALUE || source.is.type != FILE_VALUE || target.page == source.page) {
        return DF_PERMISSION_DENIED;
    }
    uint8_t status = access_decide(card, &target, RIGHT_READ_WRITE, &comm);
    if (status == DF_OK) {
        status = access_decide(card, &source, RIGHT_READ | RIGHT_WRITE | RIGHT_READ_WRITE, &comm);
    }
    if (status != DF_OK) {
        return status;
    }
    const int32_t value = committed(&source);
    if (value < scrip_get_le32s(target.is.as.value.lower) || value > scrip_get_le32s(target.is.as.value.upper)) {
        return DF_BOUNDARY_ERROR;
    }
    if (access_tmc_exhausted(card, &cmd->app)) {
        return DF_PERMISSION_DENIED;
    }
    struct scrip_desfire_change *change = transaction_change(card, &target);
    change->kind = CHANGE_VALUE;
    change->value = value;
    const uint8_t part[3] = {cmd->code, cmd->data.at[0], cmd->data.at[1]};
    transaction_add(card, &cmd->app, SCRIP_BYTES_OF(part), scrip_bytes(NULL, 0));
    return DF_OK;
}
