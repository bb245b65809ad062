/* keys.c: scrip keys init|list|export-terminal */
#include "common.h"
#include <scrip/posix.h>

static const struct tool_option STORE_OPERAND[] = {
    {.name = "store", .kind = TOOL_FILE, .value = "STORE", .help = "the key store to make", .required = true},
    {.name = NULL},
};

static enum scrip_keys_cost cost(const struct tool *tool)
{
    return tool_has(tool, "test-cost") ? SCRIP_KEYS_COST_TEST : SCRIP_KEYS_COST_NORMAL;
}

#define TOOL_OPTION_TEST_COST                                                                                          \
    {                                                                                                                  \
        .name = "test-cost", .kind = TOOL_FLAG,                                                                        \
        .help = "the least work for the passphrase: for tests and demonstrations only"                                 \
    }

static int save(struct tool *tool, struct scrip_keys *keys, const char *path, const struct scrip_passphrase *passphrase)
{
    const enum scrip_status status = scrip_keys_file_save(keys, path, passphrase, cost(tool), false);
    if (status != SCRIP_OK) {
        return tool_fail_status(tool, status, "writing the key store %s", path);
    }
    tool_put(tool, "store", json_string(path));
    tool_say(tool, "%s: written, readable by you only", path);
    return TOOL_OK;
}

static int init(struct tool *tool)
{
    const struct scrip_passphrase passphrase = tool_passphrase(tool);
    const struct scrip_random random = scrip_random_system();
    const struct scrip_clock clock = scrip_clock_system();
    struct scrip_keys *keys = NULL;
    enum scrip_status status = scrip_keys_file_new(&keys);
    if (status == SCRIP_OK) {
        status = scrip_keys_file_fill(keys, &random, &clock);
    }
    const int code = status == SCRIP_OK ? save(tool, keys, tool_text(tool, "store"), &passphrase)
                                        : tool_fail_status(tool, status, "making keys");
    scrip_keys_close(keys);
    return code;
}

const struct tool_command tool_keys_init = {
    .name = "keys init",
    .summary = "make a key store with a new key of every role",
    .text =
        "Makes an encrypted file with a random key, version 1, of every role: those of the cards, the one that seals "
        "session tokens and the one for checkpoints of the ledger. This file is the money: keep a copy where only "
        "you can reach it, and give terminals what keys export-terminal writes, never this.",
    .operands = STORE_OPERAND,
    .options = (const struct tool_option[]){TOOL_OPTION_PASSPHRASE, TOOL_OPTION_TEST_COST, {.name = NULL}},
    .example = "  scrip keys init issuer.keys",
    .run = init,
};

static int list(struct tool *tool)
{
    struct scrip_keys *keys = NULL;
    struct scrip_key_info info;
    json_t *rows = json_array();
    int code = tool_keys_open(tool, &keys);
    for (size_t i = 0; code == TOOL_OK && scrip_keys_info(keys, i, &info) == SCRIP_OK; i++) {
        char check[8], when[32];
        tool_hex_text(SCRIP_BYTES_OF(info.check), check);
        tool_say(tool, "%-11s version %-3u check %s  %s  %s", scrip_key_role_name(info.role), info.version, check,
                 tool_time_text(info.created_ms, when), scrip_key_role_about(info.role));
        json_array_append_new(rows, json_pack("{s:s, s:i, s:s, s:I}", "role", scrip_key_role_name(info.role), "version",
                                              info.version, "check", check, "created_ms", (json_int_t)info.created_ms));
    }
    tool_put(tool, "keys", rows);
    scrip_keys_close(keys);
    return code;
}

const struct tool_command tool_keys_list = {
    .name = "keys list",
    .summary = "show what a key store holds, without the keys",
    .text = "Lists role, version, check value and age of every key. A check value tells keys apart and does not reveal "
            "them.",
    .options = (const struct tool_option[]){TOOL_OPTION_KEYS, TOOL_OPTION_PASSPHRASE, {.name = NULL}},
    .example = "  scrip keys list --keys issuer.keys",
    .run = list,
};

static int export_terminal(struct tool *tool)
{
    struct scrip_keys *keys = NULL, *terminal = NULL;
    const char *new_file = tool_text(tool, "new-passphrase-file");
    struct scrip_passphrase passphrase = tool_passphrase(tool);
    int code = tool_keys_open(tool, &keys);
    if (code != TOOL_OK) {
        return code;
    }
    const enum scrip_status status = scrip_keys_file_export_terminal(keys, tool_has(tool, "with-id"), &terminal);
    passphrase.file = new_file != NULL ? new_file : passphrase.file;
    code = status == SCRIP_OK ? save(tool, terminal, tool_text(tool, "store"), &passphrase)
                              : tool_fail_status(tool, status, "taking out the terminal's keys");
    scrip_keys_close(terminal);
    scrip_keys_close(keys);
    return code;
}

const struct tool_command tool_keys_export_terminal = {
    .name = "keys export-terminal",
    .summary = "write the key store of a terminal: it can debit, never credit",
    .text = "Writes a new store that holds the pay keys only, all versions. With it a terminal reads, debits and logs; "
            "it cannot credit, and a thief who has it cannot either.",
    .operands = STORE_OPERAND,
    .options =
        (const struct tool_option[]){
            TOOL_OPTION_KEYS,
            TOOL_OPTION_PASSPHRASE,
            {.name = "new-passphrase-file",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "passphrase of the new store; else the same as of --keys"},
            {.name = "with-id", .kind = TOOL_FLAG, .help = "also the id keys, for cards with random UIDs"},
            TOOL_OPTION_TEST_COST,
            {.name = NULL}},
    .example = "  scrip keys export-terminal gate7.keys --keys issuer.keys",
    .run = export_terminal,
};
