/* The queue of commands that are out, and what every one of them has in common: framing, chaining, refusal. */
#include "private.h"
#include <string.h>

#define SW_MORE     SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF)
#define WRAPPED_MAX 1200U /* protected parameters of one command */
#define GROWTH      40U   /* most bytes that secure messaging adds: MAC or CRC, and padding */
#define SHELL       6U    /* CLA INS P1 P2 Lc ... Le */
#define SHORT_LC    255U

void scrip_desfire_term_start(struct scrip_desfire_term *term)
{
    memset(term, 0, sizeof *term);
    term->frame_data = SCRIP_DESFIRE_FRAME_DATA;
}

void scrip_desfire_term_wipe(struct scrip_desfire_term *term)
{
    scrip_wipe(term, sizeof *term);
}

bool scrip_desfire_term_in_session(const struct scrip_desfire_term *term)
{
    return term->session.sm != SCRIP_DESFIRE_SM_NONE;
}

size_t scrip_desfire_term_waiting(const struct scrip_desfire_term *term)
{
    return term->pending_count;
}

enum scrip_status term_room(struct scrip_desfire_term *term, struct scrip_batch *batch, size_t apdus, size_t bytes)
{
    if (batch->count == 0) {
        term->reply_next = 0;
        term->closed = false;
    }
    if (term->closed || term->continuing) {
        return SCRIP_E_WAIT;
    }
    if (term->pending_count == SCRIP_BATCH_COMMANDS || apdus > SCRIP_BATCH_COMMANDS - batch->count ||
        bytes > SCRIP_BATCH_BYTES - batch->len) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(term_good(batch, SCRIP_DESFIRE_SW(DF_OK)));
    return term_good(batch, SW_MORE);
}

enum scrip_status term_good(struct scrip_batch *batch, uint16_t sw)
{
    return scrip_batch_is_good(batch, sw) ? SCRIP_OK : scrip_batch_good(batch, sw, 0xFFFF);
}

enum scrip_status term_wrap(struct scrip_batch *batch, uint8_t cmd, struct scrip_bytes params)
{
    uint8_t apdu[SHELL + SHORT_LC];
    struct scrip_buf out = SCRIP_BUF_OF(apdu);
    if (params.len > SHORT_LC) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(scrip_buf_add(&out, (const uint8_t[]){0x90, cmd, 0, 0}, 4));
    if (params.len > 0) {
        SCRIP_TRY(scrip_buf_add_u8(&out, (uint8_t)params.len));
        SCRIP_TRY(scrip_buf_add_bytes(&out, params));
    }
    SCRIP_TRY(scrip_buf_add_u8(&out, 0));
    return scrip_batch_add(batch, scrip_buf_bytes(&out));
}

struct scrip_desfire_pending *term_push(struct scrip_desfire_term *term, enum kind kind, uint8_t cmd, size_t frames)
{
    struct scrip_desfire_pending *pending = &term->pending[term->pending_count++];
    memset(pending, 0, sizeof *pending);
    pending->kind = (uint8_t)kind;
    pending->cmd = cmd;
    pending->frames = (uint8_t)frames;
    return pending;
}

void term_pop(struct scrip_desfire_term *term)
{
    term->pending_count--;
    memmove(term->pending, term->pending + 1, term->pending_count * sizeof term->pending[0]);
    term->continuing = false;
    term->gathered = 0;
}

enum scrip_status term_fail(struct scrip_desfire_term *term, uint8_t cmd, uint16_t sw, enum scrip_status status)
{
    term->failure = (struct scrip_desfire_failure){
        .status = status,
        .cmd = cmd,
        .sw = sw,
        .unanswered = status == SCRIP_E_TORN,
    };
    scrip_desfire_sm_end(&term->session);
    scrip_wipe(&term->auth, sizeof term->auth);
    term->pending_count = 0;
    term->continuing = false;
    term->gathered = 0;
    return status;
}

enum scrip_status term_reply(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                             struct scrip_bytes *data, uint16_t *sw)
{
    *sw = 0;
    if (term->reply_next >= replies->count) {
        return replies->unanswered && term->reply_next == replies->count ? SCRIP_E_TORN : SCRIP_E_NO_CARD;
    }
    const struct scrip_bytes reply = scrip_replies_at(replies, term->reply_next++);
    if (reply.len < 2) {
        return SCRIP_E_LENGTH;
    }
    *sw = scrip_get_be16(reply.at + reply.len - 2);
    *data = scrip_bytes_head(reply, reply.len - 2);
    return SCRIP_OK;
}

/* ---- asking ---- */

static bool is_one_apdu(const struct scrip_desfire_command *row)
{
    return (row->flags & (SCRIP_DESFIRE_AF_IN | SCRIP_DESFIRE_TWO_FRAMES)) == 0;
}

static struct scrip_desfire_protection protection_of(const struct scrip_desfire_command *row,
                                                     const struct scrip_desfire_call *call)
{
    static const uint8_t by_table[] = {
        [SCRIP_DESFIRE_COMM_NONE] = SCRIP_DESFIRE_PLAIN, [SCRIP_DESFIRE_COMM_MAC] = SCRIP_DESFIRE_MAC,
        [SCRIP_DESFIRE_COMM_FULL] = SCRIP_DESFIRE_FULL,  [SCRIP_DESFIRE_COMM_FILE] = SCRIP_DESFIRE_PLAIN,
        [SCRIP_DESFIRE_COMM_KEY] = SCRIP_DESFIRE_FULL,
    };
    return (struct scrip_desfire_protection){
        .comm = call->comm == SCRIP_DESFIRE_COMM_BY_TABLE ? by_table[row->comm] : call->comm,
        .file_data = row->comm == SCRIP_DESFIRE_COMM_FILE,
        .settings = row->comm == SCRIP_DESFIRE_COMM_FULL || row->comm == SCRIP_DESFIRE_COMM_KEY,
        .own_checksums = row->comm == SCRIP_DESFIRE_COMM_KEY,
        .unknown_len = call->unknown_len,
        .no_mac_back = call->own_key,
        .data_back = (row->flags & SCRIP_DESFIRE_DATA_BACK) != 0 && !call->status_only,
        .back_len = call->back_len,
    };
}

/* Cut protected parameters into frames. The first frame carries as much as fits, or what the call says. */
static enum scrip_status add_frames(struct scrip_batch *batch, uint8_t cmd, struct scrip_bytes params, size_t first,
                                    size_t each, size_t *frames)
{
    struct scrip_bytes head;
    *frames = 0;
    do {
        size_t len = *frames == 0 && first != 0 ? first : each;
        len = len < params.len ? len : params.len;
        SCRIP_TRY(scrip_bytes_take(&params, len, &head));
        SCRIP_TRY(term_wrap(batch, *frames == 0 ? cmd : SCRIP_DESFIRE_AF, head));
        (*frames)++;
    } while (params.len > 0);
    return SCRIP_OK;
}

/* Most APDUs that a command may become. */
static size_t frames_most(const struct scrip_desfire_term *term, const struct scrip_desfire_command *row,
                          const struct scrip_desfire_call *call)
{
    return is_one_apdu(row) ? 1 : (call->params.len + GROWTH) / term->frame_data + 2;
}

static enum scrip_status ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                             const struct scrip_desfire_command *row, const struct scrip_desfire_call *call,
                             struct scrip_buf *wrapped)
{
    const struct scrip_desfire_protection protection = protection_of(row, call);
    const struct scrip_bytes header = scrip_bytes_head(call->params, row->header_len);
    struct scrip_desfire_expect expect;
    SCRIP_TRY(scrip_desfire_sm_wrap_command(&term->session, &protection, row->opcode, header,
                                            scrip_bytes_from(call->params, row->header_len), wrapped, &expect));
    size_t frames;
    SCRIP_TRY(add_frames(batch, row->opcode, scrip_buf_bytes(wrapped), call->first_frame,
                         is_one_apdu(row) ? SHORT_LC : term->frame_data, &frames));
    for (uint8_t i = 0; i < call->follow; i++) {
        SCRIP_TRY(term_wrap(batch, SCRIP_DESFIRE_AF, scrip_bytes(NULL, 0)));
    }
    struct scrip_desfire_pending *pending = term_push(term, KIND_COMMAND, row->opcode, frames);
    pending->expect = expect;
    pending->follow = call->follow;
    pending->ends = call->own_key;
    term->closed = (row->flags & SCRIP_DESFIRE_AF_OUT) != 0 && !call->one_frame;
    if ((row->flags & SCRIP_DESFIRE_STATUS_90) != 0) {
        SCRIP_TRY(term_good(batch, SCRIP_DESFIRE_SW(DF_OK_90)));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_term_ask(struct scrip_desfire_term *term, struct scrip_batch *batch,
                                         const struct scrip_desfire_call *call)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(call->cmd);
    if (row == NULL) {
        return SCRIP_E_ARGUMENT;
    }
    if (call->params.len > WRAPPED_MAX - GROWTH || (is_one_apdu(row) && call->params.len > SHORT_LC - GROWTH)) {
        return SCRIP_E_SPACE;
    }
    const bool selects = row->comm == SCRIP_DESFIRE_COMM_NONE;
    if (!selects && (term->auth.stage == STAGE_ASKED || term->auth.stage == STAGE_CHALLENGED)) {
        return SCRIP_E_STATE; /* the card would break the authentication off */
    }
    if (!selects && term->auth.stage == STAGE_ANSWERED && !term->auth.begun) {
        return SCRIP_E_WAIT; /* no session keys before the card's proof */
    }
    const size_t apdus = frames_most(term, row, call);
    SCRIP_TRY(term_room(term, batch, apdus + call->follow, call->params.len + GROWTH + SHELL * (apdus + call->follow)));
    if (selects) { /* the session is left behind */
        if (scrip_desfire_term_in_session(term) && term->pending_count > 0) {
            return SCRIP_E_WAIT;
        }
        scrip_desfire_sm_end(&term->session);
        scrip_wipe(&term->auth, sizeof term->auth);
    }
    uint8_t memory[WRAPPED_MAX];
    struct scrip_buf wrapped = SCRIP_BUF_OF(memory);
    const enum scrip_status status = ask(term, batch, row, call, &wrapped);
    scrip_wipe(memory, wrapped.len); /* Plain mode leaves ChangeKey-like data as it is */
    return status;
}

/* ---- taking ---- */

/* The frames of a chained command are each answered AF without data, all but the last. */
static enum scrip_status take_chain(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                                    const struct scrip_desfire_pending *pending)
{
    struct scrip_bytes data;
    uint16_t sw;
    for (unsigned i = 1; i < pending->frames; i++) {
        const enum scrip_status status = term_reply(term, replies, &data, &sw);
        if (status != SCRIP_OK) {
            return term_fail(term, pending->cmd, sw, status);
        }
        if (sw != SW_MORE) {
            return term_fail(term, pending->cmd, sw, sw == SCRIP_DESFIRE_SW(DF_OK) ? SCRIP_E_FORMAT : SCRIP_E_CARD);
        }
        if (data.len != 0) {
            return term_fail(term, pending->cmd, sw, SCRIP_E_FORMAT);
        }
    }
    return SCRIP_OK;
}

static enum scrip_status keep(struct scrip_desfire_term *term, struct scrip_bytes data)
{
    if (data.len > SCRIP_DESFIRE_GATHER_MAX - (size_t)term->gathered) {
        return SCRIP_E_SPACE;
    }
    if (data.len > 0) {
        memcpy(term->gather + term->gathered, data.at, data.len);
    }
    term->gathered = (uint16_t)(term->gathered + data.len);
    return SCRIP_OK;
}

/* Join the frames of the response. `*data` is the whole of it; one that came in a single frame is not copied. */
static enum scrip_status take_response(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                                       struct scrip_desfire_pending *pending, struct scrip_bytes *data, uint16_t *sw)
{
    for (;;) {
        SCRIP_TRY(term_reply(term, replies, data, sw));
        if (*sw != SW_MORE && term->gathered == 0) {
            return SCRIP_OK;
        }
        SCRIP_TRY(keep(term, *data));
        if (*sw != SW_MORE) {
            *data = scrip_bytes(term->gather, term->gathered);
            return SCRIP_OK;
        }
        if (pending->follow == 0) {
            term->continuing = true;
            return SCRIP_E_WAIT;
        }
        pending->follow--;
    }
}

static bool is_success(const struct scrip_desfire_pending *pending, uint16_t sw)
{
    if (pending->kind == KIND_ISO) {
        return sw == 0x9000;
    }
    const struct scrip_desfire_command *row = scrip_desfire_command(pending->cmd);
    return sw == SCRIP_DESFIRE_SW(DF_OK) ||
           (sw == SCRIP_DESFIRE_SW(DF_OK_90) && row != NULL && (row->flags & SCRIP_DESFIRE_STATUS_90) != 0);
}

static enum scrip_status open(struct scrip_desfire_term *term, const struct scrip_desfire_pending *pending,
                              struct scrip_bytes data, uint16_t sw, struct scrip_buf *out)
{
    uint8_t unwanted[SCRIP_BLOCK_MAX];
    struct scrip_buf scratch = SCRIP_BUF_OF(unwanted);
    out = out != NULL ? out : &scratch;
    if (pending->kind == KIND_ISO) {
        return scrip_buf_add_bytes(out, data);
    }
    /* Opening needs room for checksum and padding too. Where the caller's buffer has none the gather buffer, free
     * unless the response came in several frames, is the place to open in. */
    if (out->cap - out->len >= data.len || data.at == term->gather || data.len > sizeof term->gather) {
        return scrip_desfire_sm_open_response(&term->session, &pending->expect, (uint8_t)sw, data, out);
    }
    struct scrip_buf roomy = SCRIP_BUF_OF(term->gather);
    SCRIP_TRY(scrip_desfire_sm_open_response(&term->session, &pending->expect, (uint8_t)sw, data, &roomy));
    return scrip_buf_add_bytes(out, scrip_buf_bytes(&roomy));
}

enum scrip_status scrip_desfire_term_take(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                                          struct scrip_buf *out)
{
    struct scrip_desfire_pending *pending = &term->pending[0];
    if (term->pending_count == 0 || pending->kind == KIND_CHALLENGE || pending->kind == KIND_PROOF) {
        return SCRIP_E_STATE;
    }
    struct scrip_bytes data = scrip_bytes(NULL, 0);
    uint16_t sw = 0;
    if (!term->continuing) {
        SCRIP_TRY(take_chain(term, replies, pending));
    }
    enum scrip_status status = take_response(term, replies, pending, &data, &sw);
    if (status == SCRIP_E_WAIT) {
        return status;
    }
    if (status == SCRIP_OK && !is_success(pending, sw)) {
        status = SCRIP_E_CARD;
    }
    if (status == SCRIP_OK) {
        status = open(term, pending, data, sw, out);
    }
    if (status != SCRIP_OK) {
        return term_fail(term, pending->cmd, sw, status);
    }
    term->reply_next = (uint8_t)(term->reply_next + pending->follow); /* asked for in vain */
    if (pending->ends) {
        scrip_desfire_sm_end(&term->session);
    }
    term_pop(term);
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_term_continue(struct scrip_desfire_term *term, struct scrip_batch *batch)
{
    if (!term->continuing || batch->count != 0) {
        return SCRIP_E_STATE;
    }
    term->continuing = false;
    const enum scrip_status status = term_room(term, batch, 1, SHELL);
    term->continuing = true;
    SCRIP_TRY(status);
    term->closed = true;
    return term_wrap(batch, SCRIP_DESFIRE_AF, scrip_bytes(NULL, 0));
}
