/* purse.c: scrip balance|history|pay|credit|recover: what a terminal does with a card, without any server. */
#include "purse_visit.h"
#include <string.h>

#define OPTIONS_OF_TERMINAL                                                                                            \
    {.name = "journal",                                                                                                \
     .kind = TOOL_FILE,                                                                                                \
     .value = "FILE",                                                                                                  \
     .help = "the terminal's durable journal, made when it is not there",                                              \
     .required = true},                                                                                                \
        {.name = "terminal-id",                                                                                        \
         .kind = TOOL_HEX,                                                                                             \
         .value = "ID",                                                                                                \
         .help = "the terminal's id, 8 hex digits; needed for a new journal"},                                         \
    {                                                                                                                  \
        .name = "merchant", .kind = TOOL_TEXT, .value = "NAME", .help = "who takes the money, for the receipt"         \
    }

/* What the visit did beside what it was asked for. */
static void say_repaired(struct tool *tool, const struct scrip_purse_result *result)
{
    if (result->repaired) {
        tool_say(tool, "the card had been torn before: one of its two copies was mended from the other");
    } else if (result->repair != SCRIP_COPIES_GOOD) {
        tool_say(tool, "the card was torn before, and this key may not mend it: scrip recover does");
    }
}

/* ---- balance and history --------------------------------------------------------------------------------------- */

static int balance(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    char money[SCRIP_MONEY_TEXT_MAX];
    int code = visit_set_up(tool, &visit, SCRIP_PURSE_BALANCE);
    code = code == TOOL_OK ? visit_run(tool, &visit, SCRIP_PURSE_BALANCE, "reading the balance") : code;
    if (code == TOOL_OK) {
        tool_say(tool, "%s", tool_money(tool, visit.job.result.balance, money));
        say_repaired(tool, &visit.job.result);
    }
    visit_clear(&visit);
    return code;
}

const struct tool_command tool_balance = {
    .name = "balance",
    .summary = "the value on a card",
    .text = "Reads the value on a card with the terminal's key and prints it in the format of the card's currency.",
    .options = (const struct tool_option[]){OPTIONS_OF_CARD, {.name = NULL}},
    .example = "  scrip balance --reader card:alice.card --keys gate7.keys",
    .run = balance,
};

static void say_entry(struct tool *tool, const struct scrip_purse_entry *entry, json_t *rows)
{
    char money[SCRIP_MONEY_TEXT_MAX], when[32] = "?", reader[9] = "";
    uint64_t at_ms = 0;
    if (scrip_purse_timestamp_get(entry->timestamp, &at_ms) == SCRIP_OK) {
        tool_time_text(at_ms, when);
    }
    tool_hex_text(SCRIP_BYTES_OF(entry->reader), reader);
    tool_money(tool, entry->is_topup ? entry->amount : -(int64_t)entry->amount, money);
    if (entry->is_topup) {
        tool_say(tool, "%s  %14s  top-up, issue %u%s", when, money, entry->reference,
                 entry->unfinished ? "  UNFINISHED" : "");
    } else {
        tool_say(tool, "%s  %14s  at terminal %s", when, money, reader);
    }
    json_array_append_new(rows,
                          json_pack("{s:s, s:s, s:i, s:I, s:s, s:b}", "kind", entry->is_topup ? "topup" : "debit", "at",
                                    when, "amount", (int)entry->amount, "reference", (json_int_t)entry->reference,
                                    "terminal", reader, "unfinished", (int)entry->unfinished));
}

static void say_header(struct tool *tool, const struct scrip_purse_header *header)
{
    const struct scrip_currency *currency = scrip_currency_find_number(header->currency);
    tool_say(tool, "card %s of %s, %s", header->card_number, header->issuer,
             currency != NULL ? currency->name : "unknown currency");
    tool_put(tool, "card_number", json_string(header->card_number));
    tool_put(tool, "issuer", json_string(header->issuer));
}

static int history(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    const struct scrip_purse_result *result = &visit.job.result;
    char money[SCRIP_MONEY_TEXT_MAX];
    json_t *rows = json_array();
    tool_put(tool, "history", rows);
    int code = visit_set_up(tool, &visit, SCRIP_PURSE_HISTORY);
    code = code == TOOL_OK ? visit_run(tool, &visit, SCRIP_PURSE_HISTORY, "reading the history") : code;
    if (code == TOOL_OK && result->has_header) {
        say_header(tool, &result->header);
    }
    for (uint8_t i = 0; code == TOOL_OK && i < result->entries; i++) {
        if (result->history[i].amount != 0) { /* personalisation leaves an empty record in each log */
            say_entry(tool, &result->history[i], rows);
        }
    }
    if (code == TOOL_OK) {
        tool_say(tool, "%25s%14s  balance", "", tool_money(tool, result->balance, money));
    }
    visit_clear(&visit);
    return code;
}

const struct tool_command tool_history = {
    .name = "history",
    .summary = "the last top-ups and payments on a card",
    .text = "Reads the log that a card keeps of its own transactions, the newest first, and its header. Storage cards "
            "keep none.",
    .options = (const struct tool_option[]){OPTIONS_OF_CARD, {.name = NULL}},
    .run = history,
};

/* ---- pay and credit -------------------------------------------------------------------------------------------- */

static void say_settled(struct tool *tool, const struct scrip_purse_result *result)
{
    say_repaired(tool, result);
    if (result->settled > 0) {
        tool_say(tool, "%u earlier, unanswered payment%s of this card settled on the way", result->settled,
                 result->settled == 1 ? "" : "s");
    }
}

static void say_paid(struct tool *tool, const struct visit *visit)
{
    const struct scrip_purse_result *result = &visit->job.result;
    char money[SCRIP_MONEY_TEXT_MAX], left[SCRIP_MONEY_TEXT_MAX];
    const char *merchant = tool_text(tool, "merchant");
    tool_say(tool, "%s %s%s%s", result->recovered ? "paid already, at the earlier tap:" : "paid:",
             tool_money(tool, visit->request.amount, money), merchant != NULL ? " to " : "",
             merchant != NULL ? merchant : "");
    if (result->has_balance) {
        tool_say(tool, "left on the card: %s", tool_money(tool, result->balance, left));
    }
    if (result->has_tmc) {
        tool_say(tool, "journal line %llu, card transaction %u", (unsigned long long)result->sequence, result->tmc);
    }
}

static int pay(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    visit.request.skip_flush = tool_has(tool, "shortest");
    int code = visit_set_up(tool, &visit, SCRIP_PURSE_DEBIT);
    code = code == TOOL_OK ? visit_debit(tool, &visit) : code;
    if (code == TOOL_OK) {
        say_settled(tool, &visit.job.result);
        say_paid(tool, &visit);
    }
    visit_clear(&visit);
    return code;
}

static const struct tool_option AMOUNT_OPERAND[] = {
    {.name = "amount", .kind = TOOL_TEXT, .value = "AMOUNT", .help = "how much, as people write it", .required = true},
    {.name = NULL},
};

const struct tool_command tool_pay = {
    .name = "pay",
    .summary = "take value from a card at an offline terminal",
    .text =
        "Debits a card without any network. The intent is durable in the journal before the card commits. If the "
        "card leaves before it answers, nothing is opened: the same terminal finds its own record when the card "
        "comes again, and then takes nothing a second time. The key store of a terminal holds the pay key only.\n\n"
        "The amount is in the currency that the card counts in. The header of a DESFire says which, and is read first, "
        "one command more. Where --currency is given a card of another one is refused, and a card whose header says "
        "nothing pays what was asked. Without it a card that counts in another currency than EUR is met twice, five "
        "commands more, and one whose header cannot be read is refused. A purse +smallest costs "
        "two more, so that its Transaction MAC covers the payment alone. --shortest does not look: with it --currency "
        "is needed, and trusted. Storage "
        "cards have no place for a currency: they are paid in --currency, else in EUR.",
    .operands = AMOUNT_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_CARD,
                                            OPTIONS_OF_TERMINAL,
                                            {.name = "shortest",
                                             .kind = TOOL_FLAG,
                                             .help = "the eight commands of AN12113 (five of a purse +smallest) and "
                                                     "nothing else: skips the check for changes that an older session "
                                                     "left pending, and trusts --currency"},
                                            {.name = NULL}},
    .example = "  scrip pay 2.50 --reader pcsc:0 --keys gate7.keys --journal gate7.journal --terminal-id 00000042",
    .run = pay,
};

static int credit(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    char what[VISIT_WHAT_MAX], money[SCRIP_MONEY_TEXT_MAX], left[SCRIP_MONEY_TEXT_MAX];
    const int64_t reference = tool_number(tool, "reference", 0);
    if (reference < 1 || reference > 0x7FFFFFFF) {
        return tool_usage(tool, "--reference: an issue number is 1 to 2147483647");
    }
    visit.request.reference = (uint32_t)reference;
    int code = visit_set_up(tool, &visit, SCRIP_PURSE_CREDIT);
    code = code == TOOL_OK ? visit_credit_currency(tool, &visit) : code;
    if (code == TOOL_OK) {
        code = visit_run(tool, &visit, SCRIP_PURSE_CREDIT, visit_what(tool, &visit, "crediting", what));
    }
    if (code == TOOL_OK) {
        say_settled(tool, &visit.job.result);
        tool_say(tool, "credited: %s", tool_money(tool, visit.request.amount, money));
        tool_say(tool, "now on the card: %s", tool_money(tool, visit.job.result.balance, left));
    }
    visit_clear(&visit);
    return code;
}

const struct tool_command tool_credit = {
    .name = "credit",
    .summary = "give value to a card at a trusted terminal",
    .text =
        "Credits a card locally. This takes the top-up key, so it belongs behind a counter, never into a public "
        "place. A storage card is credited in this way only: --reference is the desk's own number, and the journal "
        "brings the credit into the book. A DESFire that a server keeps the book of is credited by an order, also at "
        "a counter (scrip order create, then scrip topup); what this command gave it no book would know, and "
        "reconciling would call the card a fork. It is for DESFire cards that are in no book.\n\n"
        "The amount is in the currency that the card counts in. The top-up key of a DESFire may not read which that "
        "is, "
        "so the pay key does, in a session of its own, before anything is done; --currency is compared with it. A "
        "store "
        "without the pay key credits what --currency says, and nothing without it. Storage cards are credited in "
        "--currency, else in EUR.",
    .operands = AMOUNT_OPERAND,
    .options =
        (const struct tool_option[]){
            OPTIONS_OF_CARD,
            OPTIONS_OF_TERMINAL,
            {.name = "reference",
             .kind = TOOL_NUMBER,
             .value = "NUMBER",
             .help = "a number that no credit of this card had; the same one again credits nothing",
             .required = true},
            {.name = NULL}},
    .run = credit,
};

static int recover(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    char money[SCRIP_MONEY_TEXT_MAX];
    int code = visit_set_up(tool, &visit, SCRIP_PURSE_RECOVER);
    code = code == TOOL_OK ? visit_run(tool, &visit, SCRIP_PURSE_RECOVER, "settling unanswered payments") : code;
    if (code == TOOL_OK) {
        const struct scrip_purse_result *result = &visit.job.result;
        say_repaired(tool, result);
        tool_say(tool,
                 result->settled > 0 ? "settled: %u; the journal has the results" : "nothing was open for this card",
                 result->settled);
        if (result->has_balance) {
            tool_say(tool, "balance: %s", tool_money(tool, result->balance, money));
        }
    }
    visit_clear(&visit);
    return code;
}

const struct tool_command tool_recover = {
    .name = "recover",
    .summary = "find out what became of this terminal's unanswered payments on a card",
    .text = "Looks for the journal's open lines of this card: its own record, the transaction counter and the reader "
            "chain tell whether they were committed. What is proved is written into the journal; nothing is taken.",
    .options = (const struct tool_option[]){OPTIONS_OF_CARD, OPTIONS_OF_TERMINAL, {.name = NULL}},
    .run = recover,
};
