/* explain_messaging.c: commands inside and outside of a session.
 *
 * Each session is held twice, as the card has it and as the terminal has it, and both halves of our own messaging are
 * played against the capture: commands are opened with the card's half, responses with the terminal's. The file's
 * communication mode is not on the wire, so Full, MAC and Plain are tried; a mode is right when command and response
 * both open. What never opens is reported under the mode that the file was seen in before, with what is wrong in it. */
#include "explain_private.h"
#include "wire.h"
#include <string.h>

#define MAC_LEN WORDS_MAC_LEN

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
    return row->header_len == 0 && words_has_file(row->opcode) ? scrip_bytes_from(data, 1) : data;
}

static void show_attempt(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row,
                         const struct attempt *a, uint16_t sw, struct text *text)
{
    const struct scrip_bytes params = scrip_bytes(e->cmd_bytes, e->cmd_len);
    if (a->header.len > 0) {
        words_header(text, row->opcode, a->header);
    }
    if (a->command == SCRIP_OK) {
        const struct scrip_bytes data = scrip_bytes(e->plain, a->plain_len);
        if (row->header_len == 0 && words_has_file(row->opcode)) {
            words_header(text, row->opcode, data);
        }
        words_data(text, row->opcode, params, behind_file(row, data));
    }
    text_add(text, " [");
    text_add(text, words_messaging(e->card.sm));
    text_add(text, " ");
    text_add(text, words_mode(a->comm));
    text_add(text, "]");
    words_status(text, sw);
    if (a->command != SCRIP_OK) {
        add_wrong(e, text, true, params);
    } else if (a->answer != SCRIP_OK) {
        add_wrong(e, text, false, scrip_bytes(e->rsp_bytes, e->rsp_len));
    } else {
        words_answer(text, row->opcode, scrip_bytes(e->plain + a->plain_len, a->answer_len));
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
        explain_leave_session(e);
        e->closed_session = is_good(sw);
    }
    scrip_wipe(&a, sizeof a);
    if (!is_good(sw)) {
        explain_leave_session(e);
    }
}

static void without_session(struct scrip_desfire_explain *e, const struct scrip_desfire_command *row, uint16_t sw,
                            struct text *text)
{
    const struct scrip_bytes params = scrip_bytes(e->cmd_bytes, e->cmd_len);
    const struct scrip_bytes answer = scrip_bytes(e->rsp_bytes, e->rsp_len);
    const bool closed = e->closed_session && row->comm != SCRIP_DESFIRE_COMM_NONE;
    words_header(text, row->opcode, row->header_len > 0 ? scrip_bytes_head(params, row->header_len) : params);
    if (closed) {
        e->count.unopened++;
        text_add(text, " [closed]");
        words_status(text, sw);
        return;
    }
    words_data(text, row->opcode, params, behind_file(row, scrip_bytes_from(params, row->header_len)));
    words_status(text, sw);
    words_answer(text, row->opcode, answer);
}

void explain_command(struct scrip_desfire_explain *e, uint16_t sw)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(e->cmd);
    char memory[SCRIP_DESFIRE_EXPLAIN_LINE];
    struct text text;
    explain_line_begin(e, &text, memory);
    if (row == NULL) {
        const uint8_t cmd = e->cmd;
        text_add(&text, "unknown command ");
        text_hex(&text, scrip_bytes(&cmd, 1), 1);
        words_status(&text, sw);
    } else {
        text_add(&text, row->name);
        if (row->comm == SCRIP_DESFIRE_COMM_NONE) {
            explain_leave_session(e);
        }
        if (e->host.sm != SCRIP_DESFIRE_SM_NONE) {
            in_session(e, row, sw, &text);
        } else {
            without_session(e, row, sw, &text);
        }
    }
    if (!is_good(sw)) {
        e->count.refused++;
        explain_leave_session(e);
    }
    explain_line_end(e, &text);
    scrip_wipe(e->plain, sizeof e->plain); /* may hold a key */
    scrip_wipe(e->again, sizeof e->again);
    e->cmd = 0;
    e->answering = false;
}
