/* What can be said to the terminal at its console. One row a command. */
#include "board.h"
#include "console.h"
#include "terminal.h"

#include <scrip/money.h>
#include <string.h>

static bool store(struct terminal *terminal)
{
    terminal->settings.clock_ms = terminal_now_ms(terminal);
    terminal->started_ms = board_now_ms();
    if (store_save(board_flash(), &terminal->settings) == SCRIP_OK) {
        return true;
    }
    console_line("error: flash: not stored, the settings of before count", NULL);
    return false;
}

/* An amount as people write it, above zero or (`zero`) at least zero. */
static bool amount(const struct terminal *terminal, const char *word, bool zero, int32_t *minor)
{
    const struct scrip_currency *currency = scrip_currency_find_number(terminal->settings.currency);
    int64_t value = 0;
    if (currency == NULL || scrip_money_parse(currency, word, &value) != SCRIP_OK || value < (zero ? 0 : 1) ||
        value > INT32_MAX) {
        return false;
    }
    *minor = (int32_t)value;
    return true;
}

static bool same(const char *a, const char *b)
{
    const size_t len = console_length(a);
    return len == console_length(b) && memcmp(a, b, len) == 0;
}

/* The card that lies there counts as a new one. */
static void wish(struct terminal *terminal, enum scrip_purse_operation operation)
{
    terminal->wish = operation;
    terminal->last_len = 0;
    terminal->awaited_len = 0;
    console_line("ready: present a card", NULL);
}

/* ---- the commands. @return false: the words after it make no sense ---- */

static bool do_init(struct terminal *terminal, char *words)
{
    const char *word = console_word(&words);
    terminal->amount = 0;
    if (word[0] != '\0' && !amount(terminal, word, true, &terminal->amount)) {
        return false;
    }
    wish(terminal, SCRIP_PURSE_PERSONALISE);
    return true;
}

static bool do_credit(struct terminal *terminal, char *words)
{
    uint64_t reference = scrip_journal_next(&terminal->journal);
    if (!amount(terminal, console_word(&words), false, &terminal->amount)) {
        return false;
    }
    const char *word = console_word(&words);
    if (word[0] != '\0' && (!console_read_number(word, &reference) || reference == 0 || reference > INT32_MAX)) {
        return false;
    }
    terminal->reference = (uint32_t)reference;
    wish(terminal, SCRIP_PURSE_CREDIT);
    return true;
}

static bool do_balance(struct terminal *terminal, char *words)
{
    (void)words;
    wish(terminal, SCRIP_PURSE_BALANCE);
    return true;
}

static bool do_recover(struct terminal *terminal, char *words)
{
    (void)words;
    wish(terminal, SCRIP_PURSE_RECOVER);
    return true;
}

static bool do_pay(struct terminal *terminal, char *words)
{
    (void)words;
    wish(terminal, SCRIP_PURSE_DEBIT);
    return true;
}

static bool do_price(struct terminal *terminal, char *words)
{
    const char *word = console_word(&words);
    int32_t price = 0;
    if (word[0] != '\0') {
        if (!amount(terminal, word, false, &price)) {
            return false;
        }
        terminal->settings.price = price;
        if (!store(terminal)) {
            return true;
        }
    }
    console_text("price ");
    terminal_say_money(terminal, terminal->settings.price);
    console_text("\r\n");
    return true;
}

static bool do_currency(struct terminal *terminal, char *words)
{
    const struct scrip_currency *currency = scrip_currency_find(console_word(&words));
    if (currency == NULL) {
        return false;
    }
    terminal->settings.currency = currency->number;
    if (store(terminal)) {
        console_line("currency ", currency->code, NULL);
    }
    return true;
}

static bool do_purse(struct terminal *terminal, char *words)
{
    struct scrip_desfire_profile profile;
    struct scrip_storage_purse purse;
    const char *word = console_word(&words);
    const size_t len = console_length(word);
    const bool storage = scrip_storage_purse_make(word, &purse) == SCRIP_OK;
    if (len >= STORE_NAME || (!storage && scrip_desfire_profile_make(word, &profile) != SCRIP_OK)) {
        return false;
    }
    memcpy(storage ? terminal->settings.classic : terminal->settings.desfire, word, len + 1);
    if (store(terminal)) {
        console_line("purse ", word, NULL);
    }
    return true;
}

static bool do_key(struct terminal *terminal, char *words)
{
    static const struct {
        const char *name;
        uint8_t role;
    } roles[] = {{"amk", SCRIP_PURSE_AMK},     {"pay", SCRIP_PURSE_PAY},   {"write", SCRIP_PURSE_WRITE},
                 {"topup", SCRIP_PURSE_TOPUP}, {"tmac", SCRIP_PURSE_TMAC}, {"picc", SCRIP_PURSE_PICC},
                 {"id", SCRIP_PURSE_ID},       {"bcd", SCRIP_PURSE_BCD}};
    const char *name = console_word(&words);
    const char *hex = console_word(&words);
    uint8_t key[16];
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (!same(name, roles[i].name) || !console_read_hex(hex, key, sizeof key)) {
            continue;
        }
        store_take_key(&terminal->settings, (enum scrip_purse_role)roles[i].role, key);
        scrip_wipe(key, sizeof key);
        if (store(terminal)) {
            console_line("key ", roles[i].name, " stored", NULL);
        }
        return true;
    }
    return false;
}

static bool do_id(struct terminal *terminal, char *words)
{
    uint8_t id[4];
    if (!console_read_hex(console_word(&words), id, sizeof id)) {
        return false;
    }
    if (terminal->journal.last > terminal->journal.acknowledged) {
        console_line("error: journal: lines of the old id were not acknowledged yet", NULL);
        return true;
    }
    memcpy(terminal->settings.terminal, id, sizeof id);
    if (scrip_journal_format(store_journal(board_flash()), id) == SCRIP_OK &&
        scrip_journal_open(&terminal->journal, store_journal(board_flash())) == SCRIP_OK && store(terminal)) {
        console_line("id stored", NULL);
    } else {
        console_line("error: flash: not stored", NULL);
    }
    return true;
}

static bool do_time(struct terminal *terminal, char *words)
{
    uint8_t bcd[8] = {0};
    uint64_t now_ms = 0;
    const char *word = console_word(&words);
    if (word[0] != '\0') {
        if (!console_read_hex(word, bcd, 7) || scrip_purse_timestamp_get(bcd, &now_ms) != SCRIP_OK) {
            return false;
        }
        terminal->settings.clock_ms = now_ms;
        terminal->started_ms = board_now_ms();
        (void)store(terminal);
    }
    scrip_purse_timestamp(terminal_now_ms(terminal), bcd);
    console_text("time ");
    console_hex(scrip_bytes(bcd, 7));
    console_text("\r\n");
    return true;
}

static bool do_journal(struct terminal *terminal, char *words)
{
    uint8_t line[SCRIP_JOURNAL_LINE];
    (void)words;
    for (uint64_t i = scrip_journal_first(&terminal->journal); i <= terminal->journal.last; i++) {
        if (scrip_journal_read(&terminal->journal, i, line) == SCRIP_OK) {
            console_text("line ");
            console_number(i);
            console_text(" ");
            console_hex(SCRIP_BYTES_OF(line));
            console_text("\r\n");
        }
    }
    console_text("journal: last ");
    console_number(terminal->journal.last);
    console_text(", acknowledged ");
    console_number(terminal->journal.acknowledged);
    console_text("\r\n");
    return true;
}

static bool do_acknowledge(struct terminal *terminal, char *words)
{
    uint64_t sequence = 0;
    if (!console_read_number(console_word(&words), &sequence)) {
        return false;
    }
    const enum scrip_status status = scrip_journal_acknowledge(&terminal->journal, sequence);
    console_line(status == SCRIP_OK ? "acknowledged" : "error: journal: ",
                 status == SCRIP_OK ? "" : scrip_strerror(status), NULL);
    return true;
}

static bool do_memory(struct terminal *terminal, char *words)
{
    (void)terminal;
    (void)words;
    console_text("stack: ");
    console_number(board_stack_used());
    console_text(" of ");
    console_number(board_stack_size());
    console_line(" bytes were used", NULL);
    return true;
}

static bool do_reset(struct terminal *terminal, char *words)
{
    (void)words;
    (void)store(terminal); /* the clock goes on from here */
    board_reset();
}

static bool do_stop(struct terminal *terminal, char *words)
{
    (void)words;
    (void)store(terminal);
    scrip_wipe(terminal, sizeof *terminal);
    board_stop(0);
}

static bool do_help(struct terminal *terminal, char *words);

static const struct {
    const char *name;
    bool (*run)(struct terminal *terminal, char *words);
    const char *words;
    const char *help;
} COMMANDS[] = {
    {"init", do_init, "[AMOUNT]", "make the purse on the next card"},
    {"credit", do_credit, "AMOUNT [REFERENCE]", "give value to the next card"},
    {"price", do_price, "[AMOUNT]", "what cards pay"},
    {"pay", do_pay, "", "take the price from the card that lies there, again"},
    {"balance", do_balance, "", "read the next card only"},
    {"recover", do_recover, "", "settle what is open on the next card, take nothing"},
    {"journal", do_journal, "", "all lines that are kept, in hex"},
    {"acknowledge", do_acknowledge, "SEQUENCE", "the lines up to this one are uploaded"},
    {"purse", do_purse, "NAME", "which purse on DESFire, or on MIFARE Classic"},
    {"currency", do_currency, "CODE", "as in ISO 4217"},
    {"key", do_key, "ROLE HEX", "store a key; it is not shown while it is typed"},
    {"id", do_id, "HEX", "who this terminal is; begins a new journal"},
    {"time", do_time, "[YYYYMMDDhhmmss]", "set or show the clock, UTC"},
    {"memory", do_memory, "", "how deep the stack was"},
    {"reset", do_reset, "", "start again"},
    {"stop", do_stop, "", "end, in an emulator"},
    {"help", do_help, "", "this list"},
};

#define COLUMN 32U

static bool do_help(struct terminal *terminal, char *words)
{
    (void)terminal;
    (void)words;
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        size_t column = 4 + console_length(COMMANDS[i].name) + console_length(COMMANDS[i].words);
        console_text("  ");
        console_text(COMMANDS[i].name);
        console_text(" ");
        console_text(COMMANDS[i].words);
        for (; column < COLUMN; column++) {
            console_text(" ");
        }
        console_line(COMMANDS[i].help, NULL);
    }
    return true;
}

void command_run(struct terminal *terminal, char *line)
{
    const char *name = console_word(&line);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (same(name, COMMANDS[i].name)) {
            if (!COMMANDS[i].run(terminal, line)) {
                console_line("error: console: usage: ", COMMANDS[i].name, " ", COMMANDS[i].words, NULL);
            }
            return;
        }
    }
    console_line("error: console: no such command, try help", NULL);
}
