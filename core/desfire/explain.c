/* A conversation in words: authentications are recognised and tried with the keys that were given, frames are joined;
 * what a session holds is opened in explain_messaging.c. */
#include "explain_private.h"
#include "wire.h"
#include <string.h>

void explain_line_begin(struct scrip_desfire_explain *e, struct text *text, char *memory)
{
    text_start(text, memory, SCRIP_DESFIRE_EXPLAIN_LINE);
    text_number(text, e->count.exchanges);
    text_add(text, "  ");
}

void explain_line_end(struct scrip_desfire_explain *e, const struct text *text)
{
    e->line(e->ctx, text->at);
}

void explain_leave_session(struct scrip_desfire_explain *e)
{
    scrip_desfire_sm_end(&e->card);
    scrip_desfire_sm_end(&e->host);
    e->closed_session = false;
}

/* ---- authentications ---- */

static enum scrip_desfire_sm messaging_of(const struct scrip_desfire_explain *e)
{
    switch (e->auth_cmd) {
    case CMD_AUTH_D40:
        return SCRIP_DESFIRE_SM_D40;
    case CMD_AUTH_ISO:
    case CMD_AUTH_AES:
        return SCRIP_DESFIRE_SM_EV1;
    default:
        return e->auth_lrp ? SCRIP_DESFIRE_SM_LRP : SCRIP_DESFIRE_SM_EV2;
    }
}

static bool is_authentication(uint8_t cmd)
{
    return cmd == CMD_AUTH_D40 || cmd == CMD_AUTH_ISO || cmd == CMD_AUTH_AES || cmd == CMD_AUTH_EV2_FIRST ||
           cmd == CMD_AUTH_EV2_NONFIRST;
}

static bool key_fits(uint8_t cmd, uint8_t cipher)
{
    return cmd == CMD_AUTH_D40   ? cipher == SCRIP_DES || cipher == SCRIP_2K3DES
           : cmd == CMD_AUTH_ISO ? cipher == SCRIP_DES || cipher == SCRIP_2K3DES || cipher == SCRIP_3K3DES
                                 : cipher == SCRIP_AES128;
}

/* Does this key explain challenge and token? Then begin the session with the card's closing reply.
 * @return SCRIP_E_AUTH: another key; SCRIP_E_MAC: the key, but the reply is wrong */
static enum scrip_status try_key(struct scrip_desfire_explain *e, const struct scrip_desfire_key *key,
                                 struct scrip_bytes token, struct scrip_bytes reply,
                                 struct scrip_desfire_auth_info *info)
{
    const struct scrip_bytes challenge = scrip_bytes(e->challenge, e->challenge_len);
    struct scrip_desfire_auth auth = {
        .sm = (uint8_t)messaging_of(e), .key_no = e->auth_key_no, .first = e->auth_cmd != CMD_AUTH_EV2_NONFIRST};
    struct scrip_desfire_session session = e->host;
    if (!key_fits(e->auth_cmd, key->cipher) || scrip_desfire_auth_open_challenge(&auth, key, challenge) != SCRIP_OK ||
        scrip_desfire_auth_open_token(&auth, key, token) != SCRIP_OK) {
        return SCRIP_E_AUTH;
    }
    const enum scrip_status status = scrip_desfire_auth_finish(&auth, key, reply, &session, auth.first ? info : NULL);
    if (status == SCRIP_OK) {
        e->host = session;
        e->card = session;
        e->closed_session = false;
    }
    scrip_wipe(&session, sizeof session);
    scrip_wipe(&auth, sizeof auth);
    return status == SCRIP_OK ? SCRIP_OK : SCRIP_E_MAC;
}

static void add_session(struct scrip_desfire_explain *e, struct text *text, const char *name,
                        const struct scrip_desfire_auth_info *info)
{
    const bool has_ti = e->auth_cmd == CMD_AUTH_EV2_FIRST;
    text_add(text, ": session opened, messaging ");
    text_add(text, words_messaging(e->host.sm));
    if (has_ti) {
        text_add(text, ", TI ");
        text_hex(text, SCRIP_BYTES_OF(info->ti), 4);
    }
    text_add(text, ", key \"");
    text_add(text, name);
    text_add(text, "\"");
}

static void auth_part_2(struct scrip_desfire_explain *e, struct scrip_bytes token, struct scrip_bytes reply,
                        uint16_t sw)
{
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    struct scrip_desfire_auth_info info = {0};
    explain_line_begin(e, &text, memory);
    text_add(&text, "  part 2");
    words_status(&text, sw);
    if (sw != SCRIP_DESFIRE_SW(DF_OK)) {
        e->count.refused++;
        text_add(&text, ": the key of the terminal is not the card's, or its answer was altered");
        explain_leave_session(e);
        explain_line_end(e, &text);
        return;
    }
    enum scrip_status status = SCRIP_E_AUTH;
    size_t i = 0;
    for (; i < e->key_count; i++) {
        status = try_key(e, &e->keys[i].key, token, reply, &info);
        if (status != SCRIP_E_AUTH) {
            break;
        }
    }
    if (status == SCRIP_OK) {
        e->count.opened++;
        add_session(e, &text, e->keys[i].name, &info);
    } else {
        explain_leave_session(e);
        e->closed_session = true;
        e->count.wrong += status == SCRIP_E_MAC ? 1U : 0U;
        text_add(&text, status == SCRIP_E_MAC ? ": WRONG: the card's proof does not fit the key that the terminal used"
                                              : ": none of the keys given fits; what follows stays closed");
    }
    explain_line_end(e, &text);
}

static void auth_part_1(struct scrip_desfire_explain *e, uint8_t cmd, struct scrip_bytes params,
                        struct scrip_bytes data, uint16_t sw)
{
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    explain_line_begin(e, &text, memory);
    text_add(&text, scrip_desfire_command(cmd)->name);
    words_number(&text, " key ", params.len > 0 ? params.at[0] : 0);
    words_status(&text, sw == SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF) ? SCRIP_DESFIRE_SW(DF_OK) : sw);
    if (sw == SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF) && data.len <= sizeof e->challenge) {
        e->auth_cmd = cmd;
        e->auth_key_no = params.len > 0 ? params.at[0] : 0;
        e->auth_lrp = data.len == 17;
        e->challenge_len = (uint8_t)data.len;
        memcpy(e->challenge, data.at, data.len);
        text_add(&text, ": challenge");
    } else {
        e->count.refused++;
        explain_leave_session(e);
    }
    explain_line_end(e, &text);
}

/* ---- frames ---- */

static void lost(struct scrip_desfire_explain *e, const char *what)
{
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    explain_line_begin(e, &text, memory);
    text_add(&text, what);
    explain_line_end(e, &text);
    explain_leave_session(e);
    e->cmd = 0;
    e->auth_cmd = 0;
    e->answering = false;
}

static void iso(struct scrip_desfire_explain *e, struct scrip_bytes capdu, struct scrip_bytes rapdu)
{
    static const struct {
        uint8_t ins;
        const char *name;
    } names[] = {{0xA4, "SELECT"},
                 {0xB0, "READ BINARY"},
                 {0xD6, "UPDATE BINARY"},
                 {0xB2, "READ RECORDS"},
                 {0xE2, "APPEND RECORD"},
                 {0x84, "GET CHALLENGE"},
                 {0x82, "EXTERNAL AUTHENTICATE"},
                 {0x88, "INTERNAL AUTHENTICATE"}};
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    const uint16_t sw = scrip_get_be16(rapdu.at + rapdu.len - 2);
    explain_line_begin(e, &text, memory);
    text_add(&text, "ISO 7816-4 ");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].ins == capdu.at[1]) {
            text_add(&text, names[i].name);
        }
    }
    text_add(&text, " ");
    text_hex(&text, scrip_bytes_from(capdu, 2), WORDS_DATA);
    words_status(&text, sw);
    words_answer(&text, 0, scrip_bytes_head(rapdu, rapdu.len - 2));
    explain_line_end(e, &text);
    if (capdu.at[1] == 0xA4 || capdu.at[1] == 0x82) {
        explain_leave_session(e);
    }
    e->count.refused += sw == 0x9000 ? 0U : 1U;
}

/* Parameters of a wrapped command: 90 INS 00 00 [Lc data] 00. */
static struct scrip_bytes params_of(struct scrip_bytes capdu)
{
    if (capdu.len <= 5) {
        return scrip_bytes(NULL, 0);
    }
    return scrip_bytes_head(scrip_bytes_from(capdu, 5), capdu.at[4]);
}

static bool keep(uint8_t *at, uint16_t *len, struct scrip_bytes more)
{
    if (more.len > SCRIP_DESFIRE_EXPLAIN_MAX - (size_t)*len) {
        return false;
    }
    if (more.len > 0) {
        memcpy(at + *len, more.at, more.len);
        *len = (uint16_t)(*len + more.len);
    }
    return true;
}

static void frame(struct scrip_desfire_explain *e, uint8_t cmd, struct scrip_bytes params, struct scrip_bytes data,
                  uint16_t sw)
{
    const bool more = sw == SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF);
    if (cmd == SCRIP_DESFIRE_AF && e->auth_cmd != 0) {
        auth_part_2(e, params, data, sw);
        e->auth_cmd = 0;
        return;
    }
    if (is_authentication(cmd)) {
        if (cmd != CMD_AUTH_EV2_NONFIRST) {
            explain_leave_session(e);
        }
        e->cmd = 0;
        auth_part_1(e, cmd, params, data, sw);
        return;
    }
    if (cmd != SCRIP_DESFIRE_AF || e->cmd == 0) {
        e->cmd = cmd;
        e->cmd_len = 0;
        e->rsp_len = 0;
        e->answering = false;
        e->auth_cmd = 0;
    }
    if (!keep(e->cmd_bytes, &e->cmd_len, e->answering ? scrip_bytes(NULL, 0) : params) ||
        !keep(e->rsp_bytes, &e->rsp_len, data)) {
        lost(e, "too long to be explained");
        return;
    }
    e->answering = e->answering || data.len > 0;
    if (!more) {
        explain_command(e, sw);
    }
}

void scrip_desfire_explain_exchange(struct scrip_desfire_explain *e, struct scrip_bytes capdu, struct scrip_bytes rapdu)
{
    e->count.exchanges++;
    if (capdu.len < 4) {
        lost(e, "not a command APDU");
        return;
    }
    if (rapdu.len < 2) {
        lost(e, "not answered: what the card did is not known");
        return;
    }
    if (capdu.at[0] != 0x90) {
        iso(e, capdu, rapdu);
        return;
    }
    frame(e, capdu.at[1], params_of(capdu), scrip_bytes_head(rapdu, rapdu.len - 2),
          scrip_get_be16(rapdu.at + rapdu.len - 2));
}

void scrip_desfire_explain_start(struct scrip_desfire_explain *e, const struct scrip_desfire_explain_key *keys,
                                 size_t key_count, void (*line)(void *ctx, const char *text), void *ctx)
{
    memset(e, 0, sizeof *e);
    e->keys = keys;
    e->key_count = key_count;
    e->line = line;
    e->ctx = ctx;
}

void scrip_desfire_explain_reset(struct scrip_desfire_explain *e)
{
    explain_leave_session(e);
    e->cmd = 0;
    e->auth_cmd = 0;
    e->answering = false;
    memset(e->comm, 0, sizeof e->comm);
}

void scrip_desfire_explain_wipe(struct scrip_desfire_explain *e)
{
    scrip_wipe(e, sizeof *e);
}
