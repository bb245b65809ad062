/* A conversation in words.
 *
 * Each session is held twice, as the card has it and as the terminal has it, and both halves of our own messaging are
 * played against the capture: commands are opened with the card's half, responses with the terminal's. The file's
 * communication mode is not on the wire, so Full, MAC and Plain are tried; a mode is right when command and response
 * both open. What never opens is reported under the mode that the file was seen in before, with what is wrong in it. */
#include "explain_text.h"
#include "wire.h"
#include <scrip/desfire_explain.h>
#include <string.h>

#define SHOWN   48U /* bytes of data in a line */
#define MAC_LEN 8U

/* ---- lines ---- */

static void line_begin(struct scrip_desfire_explain *e, struct text *text, char *memory)
{
    text_start(text, memory, SCRIP_DESFIRE_EXPLAIN_LINE);
    text_number(text, e->count.exchanges);
    text_add(text, "  ");
}

static void line_end(struct scrip_desfire_explain *e, const struct text *text)
{
    e->line(e->ctx, text->at);
}

static void add_status(struct text *text, uint16_t sw)
{
    if (sw == SCRIP_DESFIRE_SW(DF_OK) || sw == SCRIP_DESFIRE_SW(DF_OK_90) || sw == 0x9000) {
        text_add(text, " -> OK");
        return;
    }
    const uint8_t bytes[] = {(uint8_t)(sw >> 8), (uint8_t)sw};
    text_add(text, " -> ");
    text_hex(text, SCRIP_BYTES_OF(bytes), 2);
    if (bytes[0] == 0x91) {
        text_add(text, " ");
        text_add(text, scrip_desfire_status_name(bytes[1]));
    }
}

static const char *messaging_name(uint8_t sm)
{
    static const char *const names[] = {"none", "D40", "EV1", "EV2", "LRP"};
    return sm < sizeof names / sizeof names[0] ? names[sm] : "?";
}

static const char *mode_name(uint8_t comm)
{
    return comm == SCRIP_DESFIRE_FULL ? "Full" : comm == SCRIP_DESFIRE_MAC ? "MAC" : "Plain";
}

/* Commands whose parameters are keys, or worth as much. */
static bool is_secret(uint8_t cmd, struct scrip_bytes params)
{
    return cmd == CMD_CHANGE_KEY || cmd == CMD_CHANGE_KEY_EV2 || cmd == CMD_CREATE_TRANSACTION_MAC_FILE ||
           cmd == CMD_CREATE_DELEGATED_APPLICATION ||
           (cmd == CMD_SET_CONFIGURATION && params.len > 0 && params.at[0] == 1);
}

/* ---- what commands say ---- */

static void add_field(struct text *text, const char *name, int64_t number)
{
    text_add(text, name);
    text_number(text, number);
}

static bool has_file(uint8_t cmd)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(cmd);
    return row != NULL &&
           (row->comm == SCRIP_DESFIRE_COMM_FILE || cmd == CMD_GET_FILE_SETTINGS || cmd == CMD_CHANGE_FILE_SETTINGS ||
            cmd == CMD_DELETE_FILE || cmd == CMD_CLEAR_RECORD_FILE || cmd == CMD_GET_FILE_COUNTERS ||
            (cmd >= CMD_CREATE_CYCLIC_RECORD_FILE && cmd <= 0xC1) || cmd == CMD_CREATE_BACKUP_DATA_FILE ||
            cmd == CMD_CREATE_STD_DATA_FILE || cmd == CMD_CREATE_VALUE_FILE || cmd == CMD_CREATE_TRANSACTION_MAC_FILE);
}

static void add_header(struct text *text, uint8_t cmd, struct scrip_bytes header)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(cmd);
    if (has_file(cmd) && header.len > 0) {
        add_field(text, " file ", header.at[0]);
    }
    if (row != NULL && row->header_len == 7 && header.len >= 7) {
        const bool records = cmd == CMD_READ_RECORDS || cmd == CMD_READ_RECORDS_ISO;
        add_field(text, records ? ", record " : ", offset ", scrip_get_le24(header.at + 1));
        add_field(text, records ? ", count " : ", length ", scrip_get_le24(header.at + 4));
    } else if (row != NULL && row->header_len == 10 && header.len >= 10) {
        add_field(text, ", record ", scrip_get_le24(header.at + 1));
        add_field(text, ", offset ", scrip_get_le24(header.at + 4));
        add_field(text, ", length ", scrip_get_le24(header.at + 7));
    } else if ((cmd == CMD_CHANGE_KEY || cmd == CMD_CHANGE_KEY_EV2) && header.len > 0) {
        add_field(text, " key ", header.at[header.len - 1] & 0x3F);
    } else if (cmd == CMD_SET_CONFIGURATION && header.len > 0) {
        add_field(text, " option ", header.at[0]);
    }
}

static bool is_amount(uint8_t cmd)
{
    return cmd == CMD_CREDIT || cmd == CMD_DEBIT || cmd == CMD_LIMITED_CREDIT;
}

static void add_data(struct text *text, uint8_t cmd, struct scrip_bytes params, struct scrip_bytes data)
{
    if (is_secret(cmd, params)) {
        text_add(text, " (key material not shown)");
    } else if (is_amount(cmd) && data.len == 4) {
        add_field(text, " amount ", scrip_get_le32s(data.at));
    } else if (cmd == CMD_SELECT_APPLICATION && data.len >= 3) {
        const uint8_t printed[] = {data.at[2], data.at[1], data.at[0]};
        text_add(text, " ");
        text_hex(text, SCRIP_BYTES_OF(printed), 3);
    } else if (data.len > 0) {
        text_add(text, " ");
        text_hex(text, data, SHOWN);
    }
}

static void add_answer(struct text *text, uint8_t cmd, struct scrip_bytes data)
{
    if (data.len == 0) {
        return;
    }
    if (cmd == CMD_GET_VALUE && data.len == 4) {
        add_field(text, ": ", scrip_get_le32s(data.at));
    } else if (cmd == CMD_COMMIT_TRANSACTION && data.len == 12) {
        add_field(text, ": TMC ", scrip_get_le32(data.at));
        text_add(text, ", TMV ");
        text_hex(text, scrip_bytes_from(data, 4), MAC_LEN);
    } else {
        text_add(text, ": ");
        text_hex(text, data, SHOWN);
    }
}

/* ---- authentications ---- */

static void leave_session(struct scrip_desfire_explain *e)
{
    scrip_desfire_sm_end(&e->card);
    scrip_desfire_sm_end(&e->host);
    e->closed_session = false;
}

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
    text_add(text, messaging_name(e->host.sm));
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
    line_begin(e, &text, memory);
    text_add(&text, "  part 2");
    add_status(&text, sw);
    if (sw != SCRIP_DESFIRE_SW(DF_OK)) {
        e->count.refused++;
        text_add(&text, ": the key of the terminal is not the card's, or its answer was altered");
        leave_session(e);
        line_end(e, &text);
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
        leave_session(e);
        e->closed_session = true;
        e->count.wrong += status == SCRIP_E_MAC ? 1U : 0U;
        text_add(&text, status == SCRIP_E_MAC ? ": WRONG: the card's proof does not fit the key that the terminal used"
                                              : ": none of the keys given fits; what follows stays closed");
    }
    line_end(e, &text);
}

static void auth_part_1(struct scrip_desfire_explain *e, uint8_t cmd, struct scrip_bytes params,
                        struct scrip_bytes data, uint16_t sw)
{
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    line_begin(e, &text, memory);
    text_add(&text, scrip_desfire_command(cmd)->name);
    add_field(&text, " key ", params.len > 0 ? params.at[0] : 0);
    add_status(&text, sw == SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF) ? SCRIP_DESFIRE_SW(DF_OK) : sw);
    if (sw == SCRIP_DESFIRE_SW(SCRIP_DESFIRE_AF) && data.len <= sizeof e->challenge) {
        e->auth_cmd = cmd;
        e->auth_key_no = params.len > 0 ? params.at[0] : 0;
        e->auth_lrp = data.len == 17;
        e->challenge_len = (uint8_t)data.len;
        memcpy(e->challenge, data.at, data.len);
        text_add(&text, ": challenge");
    } else {
        e->count.refused++;
        leave_session(e);
    }
    line_end(e, &text);
}

/* ---- messaging ---- */

/** One command under one assumption about its mode. */
struct attempt {
    uint8_t comm;
    struct scrip_desfire_session card;
    struct scrip_desfire_session host;
    struct scrip_bytes header;
    size_t plain_len;  /* of the command, in e->plain */
    size_t answer_len; /* of the response, behind it */
    enum scrip_status command;
    enum scrip_status answer;
};

static struct scrip_desfire_protection protection_for(const struct scrip_desfire_command *row, uint8_t comm,
                                                      struct scrip_bytes params, bool own_key)
{
    const bool reads = row->comm == SCRIP_DESFIRE_COMM_FILE && row->header_len == 7 && row->data_max == 0;
    const bool status_only = row->opcode == CMD_COMMIT_TRANSACTION && (params.len == 0 || params.at[0] != 1);
    return (struct scrip_desfire_protection){
        .comm = comm,
        .file_data = row->comm == SCRIP_DESFIRE_COMM_FILE,
        .settings = row->opcode == CMD_CHANGE_KEY_SETTINGS || row->opcode == CMD_CHANGE_FILE_SETTINGS,
        .own_checksums = row->comm == SCRIP_DESFIRE_COMM_KEY,
        .unknown_len = reads && params.len >= 7 && scrip_get_le24(params.at + 4) == 0,
        .no_mac_back = own_key,
        .data_back = (row->flags & SCRIP_DESFIRE_DATA_BACK) != 0 && !status_only,
    };
}

/* Length of the plain data behind the header where the command says it. */
static size_t data_len_of(const struct scrip_desfire_command *row, struct scrip_bytes header)
{
    if (row->comm == SCRIP_DESFIRE_COMM_FILE && row->data_max > 4 && header.len == row->header_len) {
        return scrip_get_le24(header.at + header.len - 3);
    }
    return row->data_min == row->data_max ? row->data_min : SIZE_MAX;
}

static void attempt_answer(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row,
                           const struct scrip_desfire_protection *protection, uint8_t status, struct attempt *a)
{
    struct scrip_desfire_expect expect;
    struct scrip_buf again = SCRIP_BUF_OF(e->again);
    const struct scrip_bytes plain = scrip_bytes(e->plain, a->plain_len);
    a->answer = scrip_desfire_sm_wrap_command(&a->host, protection, row->opcode, a->header, plain, &again, &expect);
    if (a->answer != SCRIP_OK) {
        return;
    }
    struct scrip_buf answer = scrip_buf(e->plain + a->plain_len, sizeof e->plain - a->plain_len);
    a->answer =
        scrip_desfire_sm_open_response(&a->host, &expect, status, scrip_bytes(e->rsp_bytes, e->rsp_len), &answer);
    if (a->answer != SCRIP_OK) {
        return;
    }
    a->answer_len = answer.len;
    again.len = 0; /* the card's half goes on as well */
    a->answer = scrip_desfire_sm_wrap_response(&a->card, protection, status, scrip_buf_bytes(&answer), &again);
}

static void attempt(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row, uint8_t comm, uint16_t sw,
                    bool own_key, struct attempt *a)
{
    const struct scrip_bytes params = scrip_bytes(e->cmd_bytes, e->cmd_len);
    a->comm = comm;
    a->card = e->card;
    a->host = e->host;
    a->header = scrip_bytes_head(params, row->header_len);
    a->plain_len = 0;
    a->answer_len = 0;
    a->answer = SCRIP_OK;
    const struct scrip_desfire_protection protection = protection_for(row, comm, params, own_key);
    struct scrip_buf plain = SCRIP_BUF_OF(e->plain);
    a->command = scrip_desfire_sm_open_command(&a->card, &protection, row->opcode, params, row->header_len,
                                               data_len_of(row, a->header), &plain);
    a->plain_len = plain.len;
    const size_t wanted = data_len_of(row, a->header);
    if (comm == SCRIP_DESFIRE_PLAIN && wanted != SIZE_MAX && plain.len != wanted) {
        a->command = SCRIP_E_MAC; /* anything opens as Plain; what is too long has a MAC behind it */
    }
    if (a->command == SCRIP_OK && (sw == SCRIP_DESFIRE_SW(DF_OK) || sw == SCRIP_DESFIRE_SW(DF_OK_90))) {
        attempt_answer(e, row, &protection, (uint8_t)sw, a);
    }
}

/* The MAC that EV2 messaging wants over bytes as sent, to say which byte is the first wrong one. */
static void wanted_mac(const struct scrip_desfire_session *session, uint8_t first, uint16_t counter,
                       struct scrip_bytes bytes, uint8_t mac[MAC_LEN])
{
    struct scrip_cmac cmac;
    uint8_t head[7] = {first};
    uint8_t full[16];
    scrip_put_le16(head + 1, counter);
    memcpy(head + 3, session->ti, 4);
    scrip_cmac_start(&cmac, &session->mac, NULL);
    scrip_cmac_add(&cmac, SCRIP_BYTES_OF(head));
    scrip_cmac_add(&cmac, bytes);
    scrip_cmac_final(&cmac, full);
    scrip_mact(full, mac);
}

/* Say what is wrong. EV2: which byte of the MAC; otherwise which end of the data it is in. */
static void add_wrong(struct scrip_desfire_explain *e, struct text *text, bool command, struct scrip_bytes bytes)
{
    uint8_t mac[MAC_LEN];
    text_add(text, command ? "; WRONG: the command's " : "; WRONG: the response's ");
    if (e->card.sm != SCRIP_DESFIRE_SM_EV2 || bytes.len < MAC_LEN) {
        text_add(text, "MAC, checksum or padding, counted from byte ");
        text_number(text, (int64_t)(bytes.len > MAC_LEN ? bytes.len - MAC_LEN : 0));
        return;
    }
    const struct scrip_bytes got = scrip_bytes_from(bytes, bytes.len - MAC_LEN);
    const uint16_t counter = (uint16_t)(e->card.cmd_ctr + (command ? 0 : 1));
    wanted_mac(&e->card, command ? e->cmd : 0, counter, scrip_bytes_head(bytes, bytes.len - MAC_LEN), mac);
    size_t at = 0;
    while (at < MAC_LEN && mac[at] == got.at[at]) {
        at++;
    }
    if (at == MAC_LEN) {
        text_add(text, "padding: its MAC is right");
        return;
    }
    text_add(text, "MAC at byte ");
    text_number(text, (int64_t)(bytes.len - MAC_LEN + at));
    text_add(text, " (MAC ");
    text_hex(text, got, MAC_LEN);
    text_add(text, ", these bytes at counter ");
    text_number(text, counter);
    text_add(text, " want ");
    text_hex(text, SCRIP_BYTES_OF(mac), MAC_LEN);
    text_add(text, ")");
}

/* A file number that is no header (only plain commands have it so) was shown already. */
static struct scrip_bytes behind_file(const struct scrip_desfire_command *row, struct scrip_bytes data)
{
    return row->header_len == 0 && has_file(row->opcode) ? scrip_bytes_from(data, 1) : data;
}

static void show_attempt(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row,
                         const struct attempt *a, uint16_t sw, struct text *text)
{
    const struct scrip_bytes params = scrip_bytes(e->cmd_bytes, e->cmd_len);
    if (a->header.len > 0) {
        add_header(text, row->opcode, a->header);
    }
    if (a->command == SCRIP_OK) {
        const struct scrip_bytes data = scrip_bytes(e->plain, a->plain_len);
        if (row->header_len == 0 && has_file(row->opcode)) {
            add_header(text, row->opcode, data);
        }
        add_data(text, row->opcode, params, behind_file(row, data));
    }
    text_add(text, " [");
    text_add(text, messaging_name(e->card.sm));
    text_add(text, " ");
    text_add(text, mode_name(a->comm));
    text_add(text, "]");
    add_status(text, sw);
    if (a->command != SCRIP_OK) {
        add_wrong(e, text, true, params);
    } else if (a->answer != SCRIP_OK) {
        add_wrong(e, text, false, scrip_bytes(e->rsp_bytes, e->rsp_len));
    } else {
        add_answer(text, row->opcode, scrip_bytes(e->plain + a->plain_len, a->answer_len));
    }
}

static bool is_right(const struct attempt *a)
{
    return a->command == SCRIP_OK && a->answer == SCRIP_OK;
}

/* Find the mode in which everything opens. */
static void find_mode(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row, uint16_t sw,
                      struct attempt *a)
{
    static const uint8_t by_table[] = {
        [SCRIP_DESFIRE_COMM_NONE] = SCRIP_DESFIRE_PLAIN, [SCRIP_DESFIRE_COMM_MAC] = SCRIP_DESFIRE_MAC,
        [SCRIP_DESFIRE_COMM_FULL] = SCRIP_DESFIRE_FULL,  [SCRIP_DESFIRE_COMM_FILE] = SCRIP_DESFIRE_FULL,
        [SCRIP_DESFIRE_COMM_KEY] = SCRIP_DESFIRE_FULL,
    };
    static const uint8_t modes[] = {SCRIP_DESFIRE_FULL, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_PLAIN};
    const uint8_t file = e->cmd_len > 0 ? e->cmd_bytes[0] & 0x1FU : 0;
    const bool own_key = row->comm == SCRIP_DESFIRE_COMM_KEY || row->opcode == CMD_ROLL_KEY_SET ||
                         row->opcode == CMD_SET_CONFIGURATION; /* switching to LRP */
    if (row->comm != SCRIP_DESFIRE_COMM_FILE) {
        attempt(e, row, by_table[row->comm], sw, false, a);
        if (!is_right(a) && own_key) { /* ends the session, so no MAC comes back */
            attempt(e, row, by_table[row->comm], sw, true, a);
            if (is_right(a)) {
                scrip_desfire_sm_end(&a->card);
                scrip_desfire_sm_end(&a->host);
            }
        }
        return;
    }
    for (size_t i = 0; i < sizeof modes; i++) {
        attempt(e, row, modes[i], sw, false, a);
        if (is_right(a)) {
            e->comm[file] = (uint8_t)(modes[i] + 1);
            return;
        }
    }
    attempt(e, row, e->comm[file] > 0 ? (uint8_t)(e->comm[file] - 1) : SCRIP_DESFIRE_FULL, sw, false, a);
}

static bool is_good(uint16_t sw)
{
    return sw == SCRIP_DESFIRE_SW(DF_OK) || sw == SCRIP_DESFIRE_SW(DF_OK_90);
}

static void in_session(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row, uint16_t sw,
                       struct text *text)
{
    struct attempt a;
    find_mode(e, row, sw, &a);
    show_attempt(e, row, &a, sw, text);
    if (is_right(&a)) {
        e->count.opened++;
        e->card = a.card;
        e->host = a.host;
    } else {
        e->count.wrong++;
        leave_session(e);
        e->closed_session = is_good(sw);
    }
    scrip_wipe(&a, sizeof a);
    if (!is_good(sw)) {
        leave_session(e);
    }
}

static void without_session(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row, uint16_t sw,
                            struct text *text)
{
    const struct scrip_bytes params = scrip_bytes(e->cmd_bytes, e->cmd_len);
    const struct scrip_bytes answer = scrip_bytes(e->rsp_bytes, e->rsp_len);
    const bool closed = e->closed_session && row->comm != SCRIP_DESFIRE_COMM_NONE;
    add_header(text, row->opcode, row->header_len > 0 ? scrip_bytes_head(params, row->header_len) : params);
    if (closed) {
        e->count.unopened++;
        text_add(text, " [closed]");
        add_status(text, sw);
        return;
    }
    add_data(text, row->opcode, params, behind_file(row, scrip_bytes_from(params, row->header_len)));
    add_status(text, sw);
    add_answer(text, row->opcode, answer);
}

/* A command and its response, all frames joined. */
static void command(struct scrip_desfire_explain *e, uint16_t sw)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(e->cmd);
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    line_begin(e, &text, memory);
    if (row == NULL) {
        const uint8_t cmd = e->cmd;
        text_add(&text, "unknown command ");
        text_hex(&text, scrip_bytes(&cmd, 1), 1);
        add_status(&text, sw);
    } else {
        text_add(&text, row->name);
        if (row->comm == SCRIP_DESFIRE_COMM_NONE) {
            leave_session(e);
        }
        if (e->host.sm != SCRIP_DESFIRE_SM_NONE) {
            in_session(e, row, sw, &text);
        } else {
            without_session(e, row, sw, &text);
        }
    }
    if (!is_good(sw)) {
        e->count.refused++;
        leave_session(e);
    }
    line_end(e, &text);
    scrip_wipe(e->plain, sizeof e->plain); /* may hold a key */
    scrip_wipe(e->again, sizeof e->again);
    e->cmd = 0;
    e->answering = false;
}

/* ---- frames ---- */

static void lost(struct scrip_desfire_explain *e, const char *what)
{
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    line_begin(e, &text, memory);
    text_add(&text, what);
    line_end(e, &text);
    leave_session(e);
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
    line_begin(e, &text, memory);
    text_add(&text, "ISO 7816-4 ");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].ins == capdu.at[1]) {
            text_add(&text, names[i].name);
        }
    }
    text_add(&text, " ");
    text_hex(&text, scrip_bytes_from(capdu, 2), SHOWN);
    add_status(&text, sw);
    add_answer(&text, 0, scrip_bytes_head(rapdu, rapdu.len - 2));
    line_end(e, &text);
    if (capdu.at[1] == 0xA4 || capdu.at[1] == 0x82) {
        leave_session(e);
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
            leave_session(e);
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
        command(e, sw);
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
    leave_session(e);
    e->cmd = 0;
    e->auth_cmd = 0;
    e->answering = false;
    memset(e->comm, 0, sizeof e->comm);
}

void scrip_desfire_explain_wipe(struct scrip_desfire_explain *e)
{
    scrip_wipe(e, sizeof *e);
}
