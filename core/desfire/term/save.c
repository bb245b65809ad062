/* A terminal as bytes. Version, then the handshake, the session if there is one, and what is out. */
#include "private.h"
#include <string.h>

#define SAVED_VERSION 1U
#define HAS_SESSION   0x01U
#define IS_FIRST      0x02U
#define IS_BEGUN      0x04U
#define IS_ISO        0x08U
#define IS_CLOSED     0x10U
#define IS_CONTINUING 0x20U

#define PENDING_ENDS  0x80U /* beside the kind */

static enum scrip_status save_handshake(const struct scrip_desfire_handshake *auth, struct scrip_buf *out)
{
    SCRIP_TRY(scrip_buf_add_u8(out, auth->stage));
    if (auth->stage == STAGE_NONE) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_buf_add(out, (const uint8_t[]){auth->shared.sm, auth->shared.key_no, auth->challenge_len}, 3));
    if (auth->stage == STAGE_CHALLENGED) {
        return scrip_buf_add(out, auth->challenge, auth->challenge_len);
    }
    if (auth->stage == STAGE_ANSWERED) {
        SCRIP_TRY(scrip_buf_add(out, auth->shared.rnda, sizeof auth->shared.rnda));
        SCRIP_TRY(scrip_buf_add(out, auth->shared.rndb, sizeof auth->shared.rndb));
        return scrip_buf_add(out, auth->shared.iv, sizeof auth->shared.iv);
    }
    return SCRIP_OK;
}

static enum scrip_status load_bytes(struct scrip_bytes *in, uint8_t *dst, size_t len)
{
    struct scrip_bytes head;
    SCRIP_TRY(scrip_bytes_take(in, len, &head));
    memcpy(dst, head.at, len);
    return SCRIP_OK;
}

static enum scrip_status load_handshake(struct scrip_desfire_handshake *auth, struct scrip_bytes *in)
{
    uint8_t head[3];
    SCRIP_TRY(load_bytes(in, &auth->stage, 1));
    if (auth->stage == STAGE_NONE) {
        return SCRIP_OK;
    }
    SCRIP_TRY(load_bytes(in, head, sizeof head));
    auth->shared.sm = head[0];
    auth->shared.key_no = head[1];
    auth->challenge_len = head[2];
    if (auth->stage >= STAGE_COUNT || auth->shared.sm == SCRIP_DESFIRE_SM_NONE ||
        auth->shared.sm > SCRIP_DESFIRE_SM_LRP || auth->challenge_len > sizeof auth->challenge) {
        return SCRIP_E_FORMAT;
    }
    if (auth->stage == STAGE_CHALLENGED) {
        return load_bytes(in, auth->challenge, auth->challenge_len);
    }
    if (auth->stage == STAGE_ANSWERED) {
        SCRIP_TRY(load_bytes(in, auth->shared.rnda, sizeof auth->shared.rnda));
        SCRIP_TRY(load_bytes(in, auth->shared.rndb, sizeof auth->shared.rndb));
        return load_bytes(in, auth->shared.iv, sizeof auth->shared.iv);
    }
    return SCRIP_OK;
}

enum scrip_status scrip_desfire_term_save(const struct scrip_desfire_term *term, struct scrip_buf *out)
{
    const bool in_session = scrip_desfire_term_in_session(term);
    const unsigned flags = (in_session ? HAS_SESSION : 0U) | (term->auth.shared.first ? IS_FIRST : 0U) |
                           (term->auth.begun ? IS_BEGUN : 0U) | (term->auth.iso ? IS_ISO : 0U) |
                           (term->closed ? IS_CLOSED : 0U) | (term->continuing ? IS_CONTINUING : 0U);
    SCRIP_TRY(
        scrip_buf_add(out, (const uint8_t[]){SAVED_VERSION, (uint8_t)flags, term->frame_data, term->pending_count}, 4));
    SCRIP_TRY(save_handshake(&term->auth, out));
    if (in_session) {
        SCRIP_TRY(scrip_desfire_sm_save(&term->session, out));
    }
    for (size_t i = 0; i < term->pending_count; i++) {
        const struct scrip_desfire_pending *pending = &term->pending[i];
        const uint8_t kind = (uint8_t)(pending->kind | (pending->ends ? PENDING_ENDS : 0U));
        SCRIP_TRY(scrip_buf_add(out, (const uint8_t[]){pending->cmd, kind, pending->frames, pending->follow}, 4));
        if (pending->kind == KIND_COMMAND) {
            SCRIP_TRY(scrip_desfire_expect_save(&pending->expect, out));
        }
    }
    if (term->continuing) { /* the frames of a response that goes on */
        SCRIP_TRY(scrip_buf_add_le(out, term->gathered, 2));
        return scrip_buf_add(out, term->gather, term->gathered);
    }
    return SCRIP_OK;
}

static enum scrip_status load_gathered(struct scrip_desfire_term *term, struct scrip_bytes *in)
{
    uint8_t len[2];
    SCRIP_TRY(load_bytes(in, len, sizeof len));
    if (scrip_get_le16(len) > sizeof term->gather) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(load_bytes(in, term->gather, scrip_get_le16(len)));
    term->gathered = scrip_get_le16(len);
    term->continuing = true;
    return SCRIP_OK;
}

static enum scrip_status load_pending(struct scrip_desfire_pending *pending, struct scrip_bytes *in)
{
    uint8_t head[4];
    SCRIP_TRY(load_bytes(in, head, sizeof head));
    pending->cmd = head[0];
    pending->kind = head[1] & 0x7FU;
    pending->ends = (head[1] & PENDING_ENDS) != 0;
    pending->frames = head[2];
    pending->follow = head[3];
    if (pending->kind >= KIND_COUNT || pending->frames == 0 || pending->frames > SCRIP_BATCH_COMMANDS ||
        pending->follow > SCRIP_BATCH_COMMANDS) {
        return SCRIP_E_FORMAT;
    }
    return pending->kind == KIND_COMMAND ? scrip_desfire_expect_load(&pending->expect, in) : SCRIP_OK;
}

enum scrip_status scrip_desfire_term_load(struct scrip_desfire_term *term, struct scrip_bytes *in)
{
    uint8_t head[4];
    scrip_desfire_term_start(term);
    SCRIP_TRY(load_bytes(in, head, sizeof head));
    if (head[0] != SAVED_VERSION || head[2] == 0 || head[3] > SCRIP_BATCH_COMMANDS) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(load_handshake(&term->auth, in));
    term->auth.shared.first = (head[1] & IS_FIRST) != 0;
    term->auth.begun = (head[1] & IS_BEGUN) != 0;
    term->auth.iso = (head[1] & IS_ISO) != 0;
    term->closed = (head[1] & IS_CLOSED) != 0;
    term->frame_data = head[2];
    if ((head[1] & HAS_SESSION) != 0) {
        SCRIP_TRY(scrip_desfire_sm_load(&term->session, in));
    }
    for (uint8_t i = 0; i < head[3]; i++) {
        SCRIP_TRY(load_pending(&term->pending[i], in));
        term->pending_count = (uint8_t)(i + 1);
    }
    return (head[1] & IS_CONTINUING) != 0 ? load_gathered(term, in) : SCRIP_OK;
}
