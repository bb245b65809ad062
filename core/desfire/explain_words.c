/* explain_words.c: commands and answers, in the plain, in words. */
#include "explain_words.h"
#include "wire.h"
#include <scrip/desfire_sm.h>

void words_status(struct text *text, uint16_t sw)
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

const char *words_messaging(uint8_t sm)
{
    static const char *const names[] = {"none", "D40", "EV1", "EV2", "LRP"};
    return sm < sizeof names / sizeof names[0] ? names[sm] : "?";
}

const char *words_mode(uint8_t comm)
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

void words_number(struct text *text, const char *name, int64_t number)
{
    text_add(text, name);
    text_number(text, number);
}

bool words_has_file(uint8_t cmd)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(cmd);
    return row != NULL &&
           (row->comm == SCRIP_DESFIRE_COMM_FILE || cmd == CMD_GET_FILE_SETTINGS || cmd == CMD_CHANGE_FILE_SETTINGS ||
            cmd == CMD_DELETE_FILE || cmd == CMD_CLEAR_RECORD_FILE || cmd == CMD_GET_FILE_COUNTERS ||
            (cmd >= CMD_CREATE_CYCLIC_RECORD_FILE && cmd <= 0xC1) || cmd == CMD_CREATE_BACKUP_DATA_FILE ||
            cmd == CMD_CREATE_STD_DATA_FILE || cmd == CMD_CREATE_VALUE_FILE || cmd == CMD_CREATE_TRANSACTION_MAC_FILE);
}

void words_header(struct text *text, uint8_t cmd, struct scrip_bytes header)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(cmd);
    if (words_has_file(cmd) && header.len > 0) {
        words_number(text, " file ", header.at[0]);
    }
    if (row != NULL && row->header_len == 7 && header.len >= 7) {
        const bool records = cmd == CMD_READ_RECORDS || cmd == CMD_READ_RECORDS_ISO;
        words_number(text, records ? ", record " : ", offset ", scrip_get_le24(header.at + 1));
        words_number(text, records ? ", count " : ", length ", scrip_get_le24(header.at + 4));
    } else if (row != NULL && row->header_len == 10 && header.len >= 10) {
        words_number(text, ", record ", scrip_get_le24(header.at + 1));
        words_number(text, ", offset ", scrip_get_le24(header.at + 4));
        words_number(text, ", length ", scrip_get_le24(header.at + 7));
    } else if ((cmd == CMD_CHANGE_KEY || cmd == CMD_CHANGE_KEY_EV2) && header.len > 0) {
        words_number(text, " key ", header.at[header.len - 1] & 0x3F);
    } else if (cmd == CMD_SET_CONFIGURATION && header.len > 0) {
        words_number(text, " option ", header.at[0]);
    }
}

static bool is_amount(uint8_t cmd)
{
    return cmd == CMD_CREDIT || cmd == CMD_DEBIT || cmd == CMD_LIMITED_CREDIT;
}

void words_data(struct text *text, uint8_t cmd, struct scrip_bytes params, struct scrip_bytes data)
{
    if (is_secret(cmd, params)) {
        text_add(text, " (key material not shown)");
    } else if (is_amount(cmd) && data.len == 4) {
        words_number(text, " amount ", scrip_get_le32s(data.at));
    } else if (cmd == CMD_SELECT_APPLICATION && data.len >= 3) {
        const uint8_t printed[] = {data.at[2], data.at[1], data.at[0]};
        text_add(text, " ");
        text_hex(text, SCRIP_BYTES_OF(printed), 3);
    } else if (data.len > 0) {
        text_add(text, " ");
        text_hex(text, data, WORDS_DATA);
    }
}

void words_answer(struct text *text, uint8_t cmd, struct scrip_bytes data)
{
    if (data.len == 0) {
        return;
    }
    if (cmd == CMD_GET_VALUE && data.len == 4) {
        words_number(text, ": ", scrip_get_le32s(data.at));
    } else if (cmd == CMD_COMMIT_TRANSACTION && data.len == 12) {
        words_number(text, ": TMC ", scrip_get_le32(data.at));
        text_add(text, ", TMV ");
        text_hex(text, scrip_bytes_from(data, 4), WORDS_MAC_LEN);
    } else {
        text_add(text, ": ");
        text_hex(text, data, WORDS_DATA);
    }
}
