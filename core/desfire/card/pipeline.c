/* pipeline.c: the way of every native command through the card.
 *
 *   row of the table -> level and pending chain -> length -> access (file commands) -> secure messaging -> handler
 *   -> Transaction MAC input -> secure messaging -> memory -> frames
 *
 * A command in AF frames is collected whole before its MAC is looked at and anything is done. Any status but 00, 90 and
 * AF ends session, transaction and chains, and carries no MAC. */
#include "card.h"
#include <string.h>

typedef uint8_t handler_function(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply);

static handler_function *const handlers[256] = {
#define DESFIRE_COMMAND(opcode, id, name, generations, levels, comm, header, data_min, data_max, flags, handler)       \
    [(opcode)] = desfire_##handler,
#include "commands.def"
#undef DESFIRE_COMMAND
};

void card_end_session(struct scrip_desfire_card *card)
{
    scrip_desfire_sm_end(&card->session);
    card->session_side = 0;
}

void card_refuse(struct scrip_desfire_card *card)
{
    memory_drop(card);
    card_end_session(card);
    transaction_drop(card);
    card->exchange.kind = EXCHANGE_NONE;
    card->proximity.stage = 0;
    card->iso_auth.stage = 0;
    card->sdm_file = SCRIP_DESFIRE_FILES; /* the step of the read counter was forgotten with the rest */
    scrip_wipe(&card->auth, sizeof card->auth);
}

void card_check_timer(struct scrip_desfire_card *card)
{
    const struct scrip_clock *clock = card->host.clock;
    const uint32_t limit = card->options.transaction_timer_ms;

    if (limit == 0 || clock == NULL || !card->transaction.open) {
        return;
    }
    const uint64_t now = clock->now_ms(clock->ctx);
    if (now > card->transaction.opened_ms && now - card->transaction.opened_ms > limit) {
        card_refuse(card);
    }
}

/* ---- lengths ---- */

static size_t round_up(size_t len, size_t block)
{
    return (len + block - 1) / block * block;
}

/* Bytes that `len` plain bytes take on the wire under the protection in force. */
static size_t protected_len(const struct scrip_desfire_card *card, const struct scrip_desfire_protection *protection,
                            size_t len)
{
    const bool full = protection->comm == SCRIP_DESFIRE_FULL;
    const bool checksum = !protection->own_checksums;

    if (protection->comm == SCRIP_DESFIRE_PLAIN) {
        return len;
    }
    switch (card->session.sm) {
    case SCRIP_DESFIRE_SM_D40:
        if (full && len > 0) {
            return round_up(len + (checksum ? 2 : 0), 8);
        }
        return len + (!full && protection->file_data && len > 0 ? 4 : 0);
    case SCRIP_DESFIRE_SM_EV1:
        if (full && len > 0) {
            return round_up(len + (checksum ? 4 : 0), scrip_block_len(&card->session.enc));
        }
        return len + (!full && protection->file_data && len > 0 ? 8 : 0);
    case SCRIP_DESFIRE_SM_EV2:
    case SCRIP_DESFIRE_SM_LRP:
        return (full && len > 0 ? round_up(len + 1, 16) : len) + 8;
    default:
        return len;
    }
}

/* Plain data length that the header of a write announces. */
static uint32_t announced_len(const struct command *cmd)
{
    return scrip_get_le24(cmd->header + cmd->header_len - 3);
}

static bool is_write(const struct command *cmd)
{
    return cmd->row->comm == SCRIP_DESFIRE_COMM_FILE && cmd->row->data_max == SCRIP_DESFIRE_DATA_MAX;
}

/* How many plain data bytes the command has, if that is known before it is opened; SIZE_MAX otherwise. */
static size_t known_data_len(const struct command *cmd)
{
    if (is_write(cmd)) {
        return announced_len(cmd);
    }
    return cmd->row->data_min == cmd->row->data_max ? cmd->row->data_min : SIZE_MAX;
}

/* SetConfiguration option 04 may forbid chained writing with MAC or encipherment on standard files. */
static bool chaining_allowed(struct scrip_desfire_card *card, const struct command *cmd)
{
    return cmd->file.is.type != FILE_STANDARD || cmd->protection.comm == SCRIP_DESFIRE_PLAIN ||
           !config_no_chained_writing(card);
}

/* DF_OK: the length is right; DF_ADDITIONAL_FRAME: more is to come; else the refusal. */
static uint8_t check_len(struct scrip_desfire_card *card, const struct command *cmd, size_t params_len)
{
    const size_t known = known_data_len(cmd);
    const size_t body = params_len - cmd->header_len;

    if (is_write(cmd) && (known == 0 || known > SCRIP_DESFIRE_DATA_MAX)) {
        return known == 0 ? DF_PARAMETER_ERROR : DF_BOUNDARY_ERROR;
    }
    if (known != SIZE_MAX) {
        const size_t wanted = protected_len(card, &cmd->protection, known);
        if (body < wanted && (cmd->row->flags & SCRIP_DESFIRE_AF_IN) != 0) {
            return chaining_allowed(card, cmd) ? DF_ADDITIONAL_FRAME : DF_PERMISSION_DENIED;
        }
        return body == wanted ? DF_OK : DF_LENGTH_ERROR;
    }
    return body >= protected_len(card, &cmd->protection, cmd->row->data_min) &&
                   body <= protected_len(card, &cmd->protection, cmd->row->data_max)
               ? DF_OK
               : DF_LENGTH_ERROR;
}

/* ---- secure messaging ---- */

/* ChangeFileSettings follows the Change right of its file: free means plain, whatever the session. */
static uint8_t protect_settings(struct scrip_desfire_card *card, struct command *cmd)
{
    uint8_t comm = SCRIP_DESFIRE_PLAIN;
    if (!file_find(card, &cmd->app, cmd->header[0], &cmd->file)) {
        return DF_FILE_NOT_FOUND;
    }
    const uint8_t status = access_decide(card, &cmd->file, RIGHT_CHANGE, &comm);
    if (status != DF_OK) {
        return status;
    }
    const bool with_key = access_has_key(card, cmd->file.is.rights[0] & 0xFU);
    cmd->protection.comm = with_key ? SCRIP_DESFIRE_FULL : SCRIP_DESFIRE_PLAIN;
    return DF_OK;
}

/* Decide how the command is protected. @return DF_OK or the refusal */
static uint8_t protect(struct scrip_desfire_card *card, struct command *cmd)
{
    struct scrip_desfire_protection *protection = &cmd->protection;

    *protection = (struct scrip_desfire_protection){
        .comm = SCRIP_DESFIRE_PLAIN,
        .data_back = (cmd->row->flags & SCRIP_DESFIRE_DATA_BACK) != 0,
        .settings = cmd->row->comm == SCRIP_DESFIRE_COMM_FULL || cmd->row->comm == SCRIP_DESFIRE_COMM_KEY,
        .own_checksums = cmd->row->comm == SCRIP_DESFIRE_COMM_KEY,
        .unknown_len = cmd->code == CMD_SET_CONFIGURATION && cmd->header[0] == CONFIG_ATS,
    };
    switch (cmd->row->comm) {
    case SCRIP_DESFIRE_COMM_FILE:
        protection->file_data = true;
        return access_resolve(card, cmd);
    case SCRIP_DESFIRE_COMM_MAC:
        protection->comm = SCRIP_DESFIRE_MAC;
        return DF_OK;
    case SCRIP_DESFIRE_COMM_FULL:
    case SCRIP_DESFIRE_COMM_KEY:
        protection->comm = SCRIP_DESFIRE_FULL;
        if (cmd->code == CMD_CHANGE_FILE_SETTINGS) {
            return protect_settings(card, cmd);
        }
        return cmd->in_session || cmd->code == CMD_READ_SIG ? DF_OK : DF_AUTHENTICATION_ERROR;
    default:
        return DF_OK;
    }
}

static uint8_t status_of(enum scrip_status status)
{
    return status == SCRIP_OK ? DF_OK : status == SCRIP_E_LENGTH ? DF_LENGTH_ERROR : DF_INTEGRITY_ERROR;
}

/* Padding hides small differences until the command is opened. */
static bool plain_len_right(const struct command *cmd)
{
    const size_t known = known_data_len(cmd);
    if (cmd->protection.own_checksums) {
        return true; /* ChangeKey looks for itself */
    }
    if (known != SIZE_MAX) {
        return cmd->data.len == known;
    }
    return cmd->data.len >= cmd->row->data_min && cmd->data.len <= cmd->row->data_max;
}

/* Open the command: its plain data comes to lie in card->work. */
static uint8_t open_command(struct scrip_desfire_card *card, struct command *cmd, struct scrip_bytes params)
{
    struct scrip_buf plain = SCRIP_BUF_OF(card->work);
    enum scrip_status status = SCRIP_OK;

    if (cmd->in_session && cmd->row->comm != SCRIP_DESFIRE_COMM_NONE) {
        status = scrip_desfire_sm_open_command(&card->session, &cmd->protection, cmd->code, params, cmd->header_len,
                                               known_data_len(cmd), &plain);
    } else {
        status = scrip_buf_add_bytes(&plain, scrip_bytes_from(params, cmd->header_len));
    }
    cmd->data = scrip_buf_bytes(&plain);
    if (status == SCRIP_OK && !plain_len_right(cmd)) {
        return DF_LENGTH_ERROR;
    }
    return status_of(status);
}

/* ---- responses ---- */

/* Bytes of the frame that begins at exchange.sent. */
static size_t next_frame_len(struct scrip_desfire_card *card)
{
    const struct scrip_desfire_exchange *exchange = &card->exchange;
    const size_t left = exchange->total - exchange->sent;
    size_t len = exchange->frame_max;

    if (exchange->cmd == CMD_GET_VERSION) {
        len = exchange->frame < 2 ? 7 : left;
    } else if (exchange->cmd == CMD_GET_DF_NAMES) {
        len = app_name_entry_len(card, exchange->frame); /* 0 for the last, which takes what remains */
        len = len == 0 ? left : len;
    }
    return len < left ? len : left;
}

/* Send the next frame of the response that lies in card->work. */
static uint8_t send_frame(struct scrip_desfire_card *card, struct scrip_buf *out)
{
    struct scrip_desfire_exchange *exchange = &card->exchange;
    const size_t len = next_frame_len(card);

    if (scrip_buf_add(out, card->work + exchange->sent, len) != SCRIP_OK) {
        card->no_room = true;
        return DF_LENGTH_ERROR;
    }
    exchange->sent += len;
    exchange->frame++;
    if (exchange->sent < exchange->total) {
        exchange->kind = EXCHANGE_SENDING;
        return DF_ADDITIONAL_FRAME;
    }
    exchange->kind = EXCHANGE_NONE;
    return exchange->status;
}

/* Data bytes of a response frame: what the ATS allows, in a session whole cipher blocks. */
static uint16_t frame_max(struct scrip_desfire_card *card, const struct command *cmd)
{
    const size_t limit = config_frame_max(card);
    if (cmd->code == CMD_GET_APPLICATION_IDS && (!cmd->in_session || card->session.sm == SCRIP_DESFIRE_SM_D40)) {
        return (uint16_t)(limit / 3 * 3); /* whole AIDs */
    }
    if (!cmd->in_session || card->session.sm == SCRIP_DESFIRE_SM_D40) {
        return (uint16_t)limit;
    }
    const size_t block = scrip_block_len(&card->session.enc);
    return (uint16_t)(limit < block ? block : limit / block * block); /* never nothing, however small the ATS says */
}

/* Protect the handler's data: it comes to lie in card->work. @return DF_OK or the refusal */
static uint8_t wrap_response(struct scrip_desfire_card *card, struct command *cmd, uint8_t status,
                             struct scrip_bytes data, size_t *len)
{
    struct scrip_buf wrapped = SCRIP_BUF_OF(card->work);
    enum scrip_status done = SCRIP_OK;

    cmd->protection.data_back = data.len > 0;
    if (cmd->in_session && cmd->row->comm != SCRIP_DESFIRE_COMM_NONE) {
        done = scrip_desfire_sm_wrap_response(&card->session, &cmd->protection, status, data, &wrapped);
    } else {
        done = scrip_buf_add_bytes(&wrapped, data);
    }
    *len = wrapped.len;
    return done == SCRIP_OK ? DF_OK : DF_LENGTH_ERROR;
}

/* ---- the way through ---- */

static bool is_known(const struct scrip_desfire_card *card, const struct scrip_desfire_command *row)
{
    return row != NULL && (row->generations >> card->identity.generation & 1U) != 0;
}

static uint8_t check_row(const struct scrip_desfire_card *card, const struct scrip_desfire_command *row)
{
    if (!is_known(card, row)) {
        return DF_ILLEGAL_COMMAND;
    }
    const uint8_t level = card->app == 0 ? SCRIP_DESFIRE_AT_PICC : SCRIP_DESFIRE_AT_APP;
    uint8_t levels = row->levels;
    if (row->opcode == CMD_SET_CONFIGURATION) { /* a Light card is configured in its only application */
        levels = card->identity.generation == SCRIP_DESFIRE_LIGHT ? SCRIP_DESFIRE_AT_APP : SCRIP_DESFIRE_AT_PICC;
    }
    return (levels & level) != 0 ? DF_OK : DF_PERMISSION_DENIED;
}

/* Without a session everything is plain, so a wrong length shows before the rights are looked at. */
static uint8_t check_plain_len(struct scrip_desfire_card *card, const struct command *cmd, size_t params_len)
{
    return check_len(card, cmd, params_len) == DF_LENGTH_ERROR ? DF_LENGTH_ERROR : DF_OK;
}

static uint8_t run_handler(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const uint8_t status = handlers[cmd->code](card, cmd, reply);
    if (memory_overflowed(card)) {
        return DF_EEPROM_ERROR;
    }
    if (status == DF_OK && cmd->row->comm == SCRIP_DESFIRE_COMM_FILE) {
        transaction_note(card, cmd, scrip_buf_bytes(&reply->data));
    }
    return status;
}

/* Answer a successful command. */
static uint8_t conclude(struct scrip_desfire_card *card, const struct framing *framing, struct command *cmd,
                        struct reply *reply, struct scrip_buf *out)
{
    struct scrip_desfire_exchange *exchange = &card->exchange;
    const uint8_t status = (cmd->row->flags & SCRIP_DESFIRE_STATUS_90) != 0 ? DF_OK_90 : DF_OK;
    size_t len = 0;

    const uint8_t wrapped = wrap_response(card, cmd, status, scrip_buf_bytes(&reply->data), &len);
    const bool frames = (cmd->row->flags & SCRIP_DESFIRE_AF_OUT) != 0;
    if (wrapped != DF_OK || (!frames && len > framing->single_max)) {
        return DF_LENGTH_ERROR;
    }
    if (memory_commit(card) != SCRIP_OK) {
        return DF_EEPROM_ERROR;
    }
    *exchange = (struct scrip_desfire_exchange){
        .cmd = cmd->code,
        .total = len,
        .status = status,
        .frame_max = frames ? frame_max(card, cmd) : (uint16_t)sizeof card->work,
    };
    if (reply->ends_session) {
        card_end_session(card);
    }
    return send_frame(card, out);
}

/* A command that is complete, or the first part of one. `params` lie in card->io. */
static uint8_t carry_out(struct scrip_desfire_card *card, const struct framing *framing, uint8_t code,
                         struct scrip_bytes params, struct scrip_buf *out)
{
    struct command cmd = {.row = scrip_desfire_command(code), .code = code};
    struct reply reply = {.data = SCRIP_BUF_OF(card->io)};

    uint8_t status = check_row(card, cmd.row);
    if (status != DF_OK) {
        return status;
    }
    cmd.header_len = cmd.row->header_len;
    if (params.len < cmd.header_len) {
        return DF_LENGTH_ERROR;
    }
    memcpy(cmd.header, params.at, cmd.header_len);
    cmd.in_session = card->session.sm != SCRIP_DESFIRE_SM_NONE;
    (void)app_selected(card, &cmd.app);
    status = cmd.in_session ? DF_OK : check_plain_len(card, &cmd, params.len);
    if (status == DF_OK) {
        status = protect(card, &cmd);
    }
    if (status == DF_OK) {
        status = check_len(card, &cmd, params.len);
    }
    if (status == DF_OK) {
        status = open_command(card, &cmd, params);
    }
    if (status == DF_OK) {
        status = run_handler(card, &cmd, &reply);
    }
    if (cmd.row->comm == SCRIP_DESFIRE_COMM_NONE && status == DF_ADDITIONAL_FRAME) {
        return scrip_buf_add_bytes(out, scrip_buf_bytes(&reply.data)) == SCRIP_OK ? status : DF_LENGTH_ERROR;
    }
    return status == DF_OK ? conclude(card, framing, &cmd, &reply, out) : status;
}

/* Add the parameters of a frame to those collected. */
static bool collect(struct scrip_desfire_card *card, struct scrip_bytes params)
{
    struct scrip_buf io = {.at = card->io, .len = card->exchange.len, .cap = sizeof card->io};
    if (scrip_buf_add_bytes(&io, params) != SCRIP_OK) {
        return false;
    }
    card->exchange.len = io.len;
    return true;
}

static uint8_t begin(struct scrip_desfire_card *card, const struct framing *framing, uint8_t code,
                     struct scrip_bytes params, struct scrip_buf *out)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(code);

    card->exchange = (struct scrip_desfire_exchange){.cmd = code};
    if (!collect(card, params)) {
        return DF_LENGTH_ERROR;
    }
    if (row != NULL && (row->flags & SCRIP_DESFIRE_TWO_FRAMES) != 0) {
        const uint8_t status = check_row(card, row);
        card->exchange.kind = status == DF_OK ? EXCHANGE_RECEIVING : EXCHANGE_NONE;
        return status == DF_OK ? DF_ADDITIONAL_FRAME : status;
    }
    const uint8_t status = carry_out(card, framing, code, scrip_bytes(card->io, card->exchange.len), out);
    if (status == DF_ADDITIONAL_FRAME && card->exchange.kind == EXCHANGE_NONE) {
        card->exchange.kind = EXCHANGE_RECEIVING; /* a write that goes on */
    }
    return status;
}

static uint8_t go_on(struct scrip_desfire_card *card, const struct framing *framing, struct scrip_bytes params,
                     struct scrip_buf *out)
{
    struct scrip_desfire_exchange *exchange = &card->exchange;

    switch (exchange->kind) {
    case EXCHANGE_AUTH:
        exchange->kind = EXCHANGE_NONE;
        return auth_second(card, params, out);
    case EXCHANGE_SENDING:
        return params.len == 0 ? send_frame(card, out) : DF_LENGTH_ERROR;
    case EXCHANGE_RECEIVING:
        return collect(card, params)
                   ? carry_out(card, framing, exchange->cmd, scrip_bytes(card->io, exchange->len), out)
                   : DF_LENGTH_ERROR;
    default:
        return DF_ILLEGAL_COMMAND; /* nothing goes on */
    }
}

static bool is_error(const struct scrip_desfire_card *card, uint8_t status)
{
    switch (status) {
    case DF_OK:
    case DF_OK_90:
    case DF_ADDITIONAL_FRAME:
        return false;
    case DF_NO_CHANGES:
        return card->options.end_session_on_0c;
    default:
        return true;
    }
}

uint8_t pipeline_answer(struct scrip_desfire_card *card, const struct framing *framing, uint8_t code,
                        struct scrip_bytes params, struct scrip_buf *out)
{
    const size_t start = out->len;
    uint8_t status = DF_COMMAND_ABORTED;

    card->iso_auth.stage = 0;
    if (code != SCRIP_DESFIRE_AF && code != card->sdm_run) {
        card->sdm_file = SCRIP_DESFIRE_FILES; /* another command: the next dynamic read counts again */
    }

    if (code == SCRIP_DESFIRE_AF) {
        status = go_on(card, framing, params, out);
    } else if (!is_known(card, scrip_desfire_command(code))) {
        status = DF_ILLEGAL_COMMAND;
    } else if (card->exchange.kind == EXCHANGE_NONE) {
        status = begin(card, framing, code, params, out);
    }
    memory_drop(card);
    if (is_error(card, status)) {
        out->len = start;
        card_refuse(card);
    }
    return status;
}
