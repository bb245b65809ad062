/* keys.c: scrip keys init|list|add|remove|export-terminal */
#include "common.h"
#include <scrip/posix.h>
#include <string.h>

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

#define OPTION_ROLE                                                                                                    \
    {                                                                                                                  \
        .name = "role", .kind = TOOL_TEXT, .value = "ROLE", .help = "what the key is for: see keys list",              \
        .required = true                                                                                               \
    }

static int save(struct tool *tool, struct scrip_keys *keys, const char *path, const struct scrip_passphrase *passphrase,
                bool replace)
{
    const enum scrip_status status = scrip_keys_file_save(keys, path, passphrase, cost(tool), replace);
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
    const int code = status == SCRIP_OK ? save(tool, keys, tool_text(tool, "store"), &passphrase, false)
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

/* ---- add --------------------------------------------------------------------------------------------------------- */

#define KEY_MAX 32U
#define CLASSIC 6U /* bytes of a key of MIFARE Classic */

/* Six bytes are a whole key of MIFARE Classic. What follows them is random, so that the check value in a listing says
 * nothing about so short a key. */
static int complete_key(struct tool *tool, enum scrip_key_role role, uint8_t key[KEY_MAX], size_t *len)
{
    const struct scrip_random random = scrip_random_system();
    const size_t wanted = scrip_key_role_len(role);
    if (role == SCRIP_KEY_BCD && *len == CLASSIC) {
        if (random.fill(random.ctx, key + CLASSIC, wanted - CLASSIC) != SCRIP_OK) {
            return tool_fail_status(tool, SCRIP_E_RANDOM, "adding the key");
        }
        *len = wanted;
    }
    return *len == wanted ? TOOL_OK
                          : tool_usage(tool, "--from: a key of role %s has %zu bytes%s", scrip_key_role_name(role),
                                       wanted, role == SCRIP_KEY_BCD ? ", or 6" : "");
}

static int take_key(struct tool *tool, enum scrip_key_role role, uint8_t key[KEY_MAX], size_t *len)
{
    *len = 0;
    if (!tool_has(tool, "from")) {
        return TOOL_OK;
    }
    const int code = tool_key_file(tool, "from", key, KEY_MAX, len);
    return code == TOOL_OK ? complete_key(tool, role, key, len) : code;
}

static enum scrip_status add_to(struct scrip_keys *keys, enum scrip_key_role role, uint8_t version,
                                struct scrip_bytes key)
{
    const struct scrip_random random = scrip_random_system();
    const struct scrip_clock clock = scrip_clock_system();
    return scrip_keys_file_add(keys, role, version, key, &random, &clock);
}

/* --version, or the one after the newest. */
static int choose_version(struct tool *tool, struct scrip_keys *keys, enum scrip_key_role role, uint8_t *version)
{
    uint8_t newest = 0;
    (void)scrip_keys_newest(keys, role, &newest);
    const int64_t chosen = tool_number(tool, "version", newest + 1);
    if (chosen < 0 || chosen > 255) {
        return tool_usage(tool, "--version: a version is 0 to 255");
    }
    *version = (uint8_t)chosen;
    return TOOL_OK;
}

static int add_key(struct tool *tool, struct scrip_keys *keys, enum scrip_key_role role)
{
    const struct scrip_passphrase passphrase = tool_passphrase(tool);
    uint8_t key[KEY_MAX];
    uint8_t version = 0;
    size_t len = 0;
    int code = choose_version(tool, keys, role, &version);
    code = code == TOOL_OK ? take_key(tool, role, key, &len) : code;
    if (code == TOOL_OK) {
        const enum scrip_status status = add_to(keys, role, version, scrip_bytes(key, len));
        code = status == SCRIP_OK
                   ? save(tool, keys, tool_text(tool, "keys"), &passphrase, true)
                   : tool_fail_status(tool, status, "adding version %u of role %s", version, scrip_key_role_name(role));
    }
    scrip_wipe(key, sizeof key);
    tool_put(tool, "role", json_string(scrip_key_role_name(role)));
    tool_put(tool, "version", json_integer(version));
    return code;
}

static int change(struct tool *tool, int (*key)(struct tool *tool, struct scrip_keys *keys, enum scrip_key_role role))
{
    struct scrip_keys *keys = NULL;
    enum scrip_key_role role = SCRIP_KEY_AMK;
    if (scrip_key_role_of(tool_text(tool, "role"), &role) != SCRIP_OK) {
        return tool_usage(tool, "--role: there is no role '%s'", tool_text(tool, "role"));
    }
    int code = tool_keys_open(tool, &keys);
    code = code == TOOL_OK ? key(tool, keys, role) : code;
    scrip_keys_close(keys);
    return code;
}

static int add(struct tool *tool)
{
    return change(tool, add_key);
}

const struct tool_command tool_keys_add = {
    .name = "keys add",
    .summary = "add a key of a role to a store: a random one, or one that exists already",
    .text = "Adds the next version of a role's key, which counts from then on; older versions stay for the cards that "
            "have them. Without --from it is random. With --from it is read as hex digits from the first line of a "
            "file, or of standard input for -, never from the command line, where others could see it. A key of BCD "
            "wallets may have six bytes, as in the code that made the cards.",
    .options = (const struct tool_option[]){TOOL_OPTION_KEYS,
                                            TOOL_OPTION_PASSPHRASE,
                                            OPTION_ROLE,
                                            {.name = "version",
                                             .kind = TOOL_NUMBER,
                                             .value = "NUMBER",
                                             .help = "0 to 255; else the one after the newest"},
                                            {.name = "from",
                                             .kind = TOOL_FILE,
                                             .value = "FILE",
                                             .help = "its first line is the key in hex; - is standard input"},
                                            TOOL_OPTION_TEST_COST,
                                            {.name = NULL}},
    .example = "  scrip keys add --keys till.keys --role bcd --from my_key.txt",
    .run = add,
};

/* ---- remove ------------------------------------------------------------------------------------------------------ */

/* What whoever still has the key will meet. */
static const char *const LEFT_BEHIND[] = {
    [SCRIP_KEY_AMK] = "cards that were made with it can be paid with and topped up, and get no new keys",
    [SCRIP_KEY_PAY] =
        "cards that still have it are refused by every terminal whose store lacks it, and get no new keys",
    [SCRIP_KEY_WRITE] = "cards that still have it take no data of the issuer, and get no new keys",
    [SCRIP_KEY_TOPUP] = "cards that still have it can be topped up by nobody, and get no new keys",
    [SCRIP_KEY_TMAC] = "a card keeps this key for ever: what cards that were made with it do is proved no more, their "
                       "top-ups stay open and their payments are refused",
    [SCRIP_KEY_PICC] = "cards that were made with it can be paid with and topped up, and never be laid out anew",
    [SCRIP_KEY_ID] = "cards with random UID that were made with it are recognised by nobody",
    [SCRIP_KEY_SEAL] = "sessions and phone tokens of orders that were sealed with it are refused: a phone begins anew, "
                       "and asks for its token once more",
    [SCRIP_KEY_CHECKPOINT] = "checkpoints that were made with it can be compared with no ledger",
    [SCRIP_KEY_BCD] = "wallets that still have it are opened by nobody",
};

_Static_assert(sizeof LEFT_BEHIND / sizeof LEFT_BEHIND[0] == SCRIP_KEY_ROLE_COUNT, "a sentence for each role");

static int fail_remove(struct tool *tool, enum scrip_status status, enum scrip_key_role role, int64_t version)
{
    char what[96];
    (void)snprintf(what, sizeof what, "removing version %lld of role %s", (long long)version,
                   scrip_key_role_name(role));
    return tool_fail(
        tool, &(struct tool_failure){.status = status,
                                     .problem = status == SCRIP_E_STATE ? TOOL_PROBLEM_NEWEST_KEY : TOOL_PROBLEM_DERIVE,
                                     .what = what});
}

static int remove_key(struct tool *tool, struct scrip_keys *keys, enum scrip_key_role role)
{
    const struct scrip_passphrase passphrase = tool_passphrase(tool);
    const int64_t version = tool_number(tool, "version", 0);
    const enum scrip_status status = version > 255 ? SCRIP_E_KEY : scrip_keys_file_remove(keys, role, (uint8_t)version);
    tool_put(tool, "role", json_string(scrip_key_role_name(role)));
    tool_put(tool, "version", json_integer(version));
    if (status != SCRIP_OK) {
        return fail_remove(tool, status, role, version);
    }
    const int code = save(tool, keys, tool_text(tool, "keys"), &passphrase, true);
    if (code == TOOL_OK) {
        tool_say(tool, "version %lld of the %s key is gone from it: %s", (long long)version, scrip_key_role_name(role),
                 LEFT_BEHIND[role]);
        tool_put(tool, "left_behind", json_string(LEFT_BEHIND[role]));
    }
    return code;
}

static int remove_version(struct tool *tool)
{
    return change(tool, remove_key);
}

const struct tool_command tool_keys_remove = {
    .name = "keys remove",
    .summary = "take an old version of a role's key out of a store",
    .text =
        "For the end of a roll-over, when nothing has the old key any more. There is no way back but a copy of the "
        "store, so make one first. What still has the key then: a card with an old pay, write or topup key is neither "
        "opened nor re-keyed; a Transaction MAC key stays on a card for ever, and must stay in the store as long as "
        "cards that were made with it; tokens sealed with an old seal key are refused. The newest version of a role is "
        "never removed.\n\n"
        "The store is written as a new file and put in the old one's place: whatever happens in between, it is the old "
        "one or the new one. Copies keep the key: a server reads its store when it starts, and terminals need new ones "
        "(keys export-terminal).",
    .options = (const struct tool_option[]){TOOL_OPTION_KEYS,
                                            TOOL_OPTION_PASSPHRASE,
                                            OPTION_ROLE,
                                            {.name = "version",
                                             .kind = TOOL_NUMBER,
                                             .value = "NUMBER",
                                             .help = "the version to remove",
                                             .required = true},
                                            TOOL_OPTION_TEST_COST,
                                            {.name = NULL}},
    .example = "  scrip keys remove --keys issuer.keys --role pay --version 1",
    .run = remove_version,
};

/* ---- export-terminal --------------------------------------------------------------------------------------------- */

/* @return SCRIP_OK; SCRIP_E_KEY: there is none so new */
static enum scrip_status drop_pay_keys_before(struct scrip_keys *terminal, int64_t version)
{
    struct scrip_key_info info;
    for (size_t i = 0; scrip_keys_info(terminal, i, &info) == SCRIP_OK;) {
        if (info.role != SCRIP_KEY_PAY || info.version >= version) {
            i++;
        } else if (scrip_keys_file_remove(terminal, info.role, info.version) != SCRIP_OK) {
            return SCRIP_E_KEY;
        }
    }
    return SCRIP_OK;
}

static int export_terminal(struct tool *tool)
{
    struct scrip_keys *keys = NULL, *terminal = NULL;
    const char *new_file = tool_text(tool, "new-passphrase-file");
    struct scrip_passphrase passphrase = tool_passphrase(tool);
    int code = tool_keys_open(tool, &keys);
    if (code != TOOL_OK) {
        return code;
    }
    const unsigned more = (tool_has(tool, "with-id") ? SCRIP_KEY_BIT(SCRIP_KEY_ID) : 0U) |
                          (tool_has(tool, "with-bcd") ? SCRIP_KEY_BIT(SCRIP_KEY_BCD) : 0U);
    enum scrip_status status = scrip_keys_file_export_terminal(keys, more, &terminal);
    if (status == SCRIP_OK) {
        status = drop_pay_keys_before(terminal, tool_number(tool, "from", 0));
    }
    passphrase.file = new_file != NULL ? new_file : passphrase.file;
    code = status == SCRIP_OK ? save(tool, terminal, tool_text(tool, "store"), &passphrase, false)
                              : tool_fail_status(tool, status, "taking out the terminal's keys");
    scrip_keys_close(terminal);
    scrip_keys_close(keys);
    return code;
}

const struct tool_command tool_keys_export_terminal = {
    .name = "keys export-terminal",
    .summary = "write the key store of a terminal: it can debit, never credit",
    .text = "Writes a new store that holds the pay keys only, all versions or those from --from on. With it a terminal "
            "reads, debits and logs; it cannot credit, and a thief who has it cannot either. A terminal without an old "
            "version refuses cards that still have it; one that has it takes whoever knows the key for such a card, so "
            "leave it out once the roll-over is done.",
    .operands = STORE_OPERAND,
    .options =
        (const struct tool_option[]){
            TOOL_OPTION_KEYS,
            TOOL_OPTION_PASSPHRASE,
            {.name = "new-passphrase-file",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "passphrase of the new store; else the same as of --keys"},
            {.name = "from",
             .kind = TOOL_NUMBER,
             .value = "VERSION",
             .help = "of the pay keys this version and newer ones only; else all"},
            {.name = "with-id", .kind = TOOL_FLAG, .help = "also the id keys, for cards with random UIDs"},
            {.name = "with-bcd",
             .kind = TOOL_FLAG,
             .help = "also the keys of BCD wallets; whoever has them can credit such cards too"},
            TOOL_OPTION_TEST_COST,
            {.name = NULL}},
    .example = "  scrip keys export-terminal gate7.keys --keys issuer.keys --from 2",
    .run = export_terminal,
};
