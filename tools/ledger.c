/* ledger.c: scrip ledger verify|show|checkpoint|balance: the book itself, read from its file; no server is needed. */
#include "common.h"
#include <scrip/ledger.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION_DB                                                                                                      \
    {                                                                                                                  \
        .name = "ledger", .kind = TOOL_FILE, .value = "FILE", .help = "the SQLite file of the ledger",                 \
        .required = true                                                                                               \
    }
#define OPTION_KEYS_FOR_CHECKPOINT                                                                                     \
    {                                                                                                                  \
        .name = "keys", .kind = TOOL_FILE, .value = "STORE", .help = "the key store with the checkpoint key"           \
    }

static int open_ledger(struct tool *tool, struct scrip_ledger **ledger)
{
    const char *path = tool_text(tool, "ledger");
    const struct scrip_ledger_config config = {.path = path, .clock = scrip_clock_system()};
    const enum scrip_status status = access(path, R_OK | W_OK) == 0 ? scrip_ledger_open(&config, ledger) : SCRIP_E_IO;
    return status == SCRIP_OK ? TOOL_OK : tool_fail_ledger(tool, status, path);
}

static int checkpoint_key(struct tool *tool, uint8_t key[32])
{
    struct scrip_keys *keys = NULL;
    if (!tool_has(tool, "keys")) {
        return tool_usage(tool, "a checkpoint needs --keys");
    }
    const int code = tool_keys_open(tool, &keys);
    if (code != TOOL_OK) {
        return code;
    }
    const enum scrip_status status =
        scrip_keys_hash(keys, SCRIP_KEY_CHECKPOINT, SCRIP_KEY_NEWEST, "ledger checkpoint", NULL, 0, key);
    scrip_keys_close(keys);
    return status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "taking the checkpoint key");
}

/* ---- verify ---------------------------------------------------------------------------------------------------- */

static int read_checkpoint(struct tool *tool, char text[SCRIP_LEDGER_CHECKPOINT_MAX])
{
    const char *path = tool_text(tool, "checkpoint");
    FILE *file = fopen(path, "r");
    const size_t len = file != NULL ? fread(text, 1, SCRIP_LEDGER_CHECKPOINT_MAX - 1, file) : 0;
    text[len] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return len > 0 ? TOOL_OK : tool_fail_status(tool, SCRIP_E_IO, "reading the checkpoint %s", path);
}

static int say_report(struct tool *tool, const struct scrip_ledger_report *report)
{
    tool_put(tool, "entries", json_integer((json_int_t)report->entries));
    tool_put(tool, "problems", json_integer((json_int_t)report->problems));
    if (report->problems == 0) {
        tool_say(tool, "%llu entries checked: every chain is whole and the book balances",
                 (unsigned long long)report->entries);
        return TOOL_OK;
    }
    tool_put(tool, "first", json_string(report->first));
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_CORRUPT,
                                                  .problem = TOOL_PROBLEM_BOOK,
                                                  .what = "verifying the book",
                                                  .detail = report->first});
}

static int verify(struct tool *tool)
{
    char checkpoint[SCRIP_LEDGER_CHECKPOINT_MAX];
    uint8_t key[32] = {0};
    struct scrip_ledger *ledger = NULL;
    struct scrip_ledger_report report = {0};
    const bool with = tool_has(tool, "checkpoint");
    int code = with ? read_checkpoint(tool, checkpoint) : TOOL_OK;
    code = code == TOOL_OK && with ? checkpoint_key(tool, key) : code;
    code = code == TOOL_OK ? open_ledger(tool, &ledger) : code;
    if (code != TOOL_OK) {
        return code;
    }
    const enum scrip_status status = scrip_ledger_verify(ledger, key, with ? checkpoint : NULL, &report);
    scrip_wipe(key, sizeof key);
    scrip_ledger_close(ledger);
    if (status == SCRIP_E_FORMAT) {
        return tool_fail(tool, &(struct tool_failure){.status = status,
                                                      .what = tool_text(tool, "checkpoint"),
                                                      .detail = "its first line is not what ledger checkpoint prints"});
    }
    return status == SCRIP_OK ? say_report(tool, &report) : tool_fail_status(tool, status, "verifying the book");
}

const struct tool_command tool_ledger_verify = {
    .name = "ledger verify",
    .summary = "read the whole book and check every chain and sum",
    .text = "Checks every hash chain, that every transaction balances, and every order's money against its state. With "
            "a checkpoint it also proves that nothing up to that moment was altered, removed or cut off.",
    .options = (const struct tool_option[]){OPTION_DB,
                                            {.name = "checkpoint",
                                             .kind = TOOL_FILE,
                                             .value = "FILE",
                                             .help = "what ledger checkpoint printed earlier"},
                                            OPTION_KEYS_FOR_CHECKPOINT,
                                            TOOL_OPTION_PASSPHRASE,
                                            {.name = NULL}},
    .example = "  scrip ledger verify --ledger book.db\n"
               "  scrip ledger verify --ledger book.db --checkpoint monday.txt --keys issuer.keys",
    .run = verify,
};

static int checkpoint(struct tool *tool)
{
    char text[SCRIP_LEDGER_CHECKPOINT_MAX];
    uint8_t key[32];
    struct scrip_ledger *ledger = NULL;
    int code = checkpoint_key(tool, key);
    code = code == TOOL_OK ? open_ledger(tool, &ledger) : code;
    if (code != TOOL_OK) {
        return code;
    }
    const enum scrip_status status = scrip_ledger_checkpoint(ledger, key, text);
    scrip_wipe(key, sizeof key);
    scrip_ledger_close(ledger);
    if (status != SCRIP_OK) {
        return tool_fail_status(tool, status, "making the checkpoint");
    }
    tool_say(tool, "%s", text);
    tool_put(tool, "checkpoint", json_string(text));
    return TOOL_OK;
}

const struct tool_command tool_ledger_checkpoint = {
    .name = "ledger checkpoint",
    .summary = "the whole book in one keyed line, to be kept elsewhere",
    .text = "Prints one line that stands for the book up to now. Keep it on another machine or on paper: ledger verify "
            "--checkpoint finds with it whether entries were altered or the end of the book was cut off.",
    .options =
        (const struct tool_option[]){OPTION_DB, OPTION_KEYS_FOR_CHECKPOINT, TOOL_OPTION_PASSPHRASE, {.name = NULL}},
    .run = checkpoint,
};

/* ---- show ------------------------------------------------------------------------------------------------------ */

struct listing {
    struct tool *tool;
    json_t *rows;
};

static bool say_entry(void *ctx, const struct scrip_ledger_entry *entry)
{
    struct listing *listing = ctx;
    char money[SCRIP_MONEY_TEXT_MAX], when[32], uid[15] = "";
    if (entry->has_uid) {
        tool_hex_text(SCRIP_BYTES_OF(entry->uid), uid);
    }
    tool_say(listing->tool, "%6llu  %s  %-22s %14s  %-14s %s%s", (unsigned long long)entry->id,
             tool_time_text(entry->at_ms, when), scrip_booking_name(entry->booking),
             tool_money(listing->tool, entry->amount, money), uid, entry->order_id, entry->merchant);
    json_array_append_new(listing->rows,
                          json_pack("{s:I, s:s, s:s, s:I, s:s, s:s, s:s}", "id", (json_int_t)entry->id, "at", when,
                                    "booking", scrip_booking_name(entry->booking), "amount", (json_int_t)entry->amount,
                                    "card", uid, "order", entry->order_id, "merchant", entry->merchant));
    return true;
}

static int show(struct tool *tool)
{
    uint8_t uid[7];
    struct scrip_ledger *ledger = NULL;
    struct listing listing = {.tool = tool, .rows = json_array()};
    tool_put(tool, "entries", listing.rows);
    if (tool_has(tool, "card") && tool_hex(tool, "card", uid, sizeof uid) != sizeof uid) {
        return tool_usage(tool, "--card: a UID has 14 hex digits");
    }
    const int code = open_ledger(tool, &ledger);
    if (code != TOOL_OK) {
        return code;
    }
    const enum scrip_status status = scrip_ledger_entries(ledger, tool_has(tool, "card") ? uid : NULL,
                                                          (uint64_t)tool_number(tool, "from", 1), say_entry, &listing);
    scrip_ledger_close(ledger);
    return status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "reading the book");
}

const struct tool_command tool_ledger_show = {
    .name = "ledger show",
    .summary = "the entries of the book, of all cards or of one",
    .options =
        (const struct tool_option[]){
            OPTION_DB,
            {.name = "card", .kind = TOOL_HEX, .value = "UID", .help = "of this card"},
            {.name = "from", .kind = TOOL_NUMBER, .value = "ENTRY", .help = "from this entry on", .initial = "1"},
            TOOL_OPTION_CURRENCY,
            {.name = NULL}},
    .run = show,
};

static bool say_verdict(void *ctx, const struct scrip_ledger_card *card)
{
    struct listing *listing = ctx;
    char uid[15], money[SCRIP_MONEY_TEXT_MAX];
    tool_hex_text(SCRIP_BYTES_OF(card->uid), uid);
    tool_say(listing->tool, "card %s %14s  %s%s", uid, tool_money(listing->tool, card->card_float, money),
             card->profile,
             card->held     ? "  HELD"
             : card->denied ? "  deny-listed"
                            : "");
    json_array_append_new(listing->rows,
                          json_pack("{s:s, s:I, s:s, s:b, s:b}", "uid", uid, "float", (json_int_t)card->card_float,
                                    "profile", card->profile, "held", (int)card->held, "denied", (int)card->denied));
    return true;
}

static int balance(struct tool *tool)
{
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    int64_t sum = 0;
    struct scrip_ledger *ledger = NULL;
    struct listing listing = {.tool = tool, .rows = json_array()};
    json_t *accounts = json_object();
    tool_put(tool, "accounts", accounts);
    tool_put(tool, "cards", listing.rows);
    const int code = open_ledger(tool, &ledger);
    if (code != TOOL_OK) {
        return code;
    }
    enum scrip_status status = scrip_ledger_balances(ledger, balances);
    for (unsigned i = 0; status == SCRIP_OK && i < SCRIP_ACCOUNT_COUNT; i++) {
        char money[SCRIP_MONEY_TEXT_MAX];
        const char *name = scrip_account_name((enum scrip_account)i);
        tool_say(tool, "%-14s %18s", name, tool_money(tool, balances[i], money));
        json_object_set_new(accounts, name, json_integer(balances[i]));
        sum += balances[i];
    }
    status = status == SCRIP_OK ? scrip_ledger_cards(ledger, say_verdict, &listing) : status;
    scrip_ledger_close(ledger);
    tool_put(tool, "sum", json_integer(sum));
    if (status != SCRIP_OK) {
        return tool_fail_status(tool, status, "reading the book");
    }
    tool_say(tool, "sum of all accounts: %lld", (long long)sum);
    return sum == 0 ? TOOL_OK
                    : tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_CORRUPT, .problem = TOOL_PROBLEM_BOOK});
}

const struct tool_command tool_ledger_balance = {
    .name = "ledger balance",
    .summary = "the balance of every account and card",
    .options = (const struct tool_option[]){OPTION_DB, TOOL_OPTION_CURRENCY, {.name = NULL}},
    .run = balance,
};

/* ---- reconcile ------------------------------------------------------------------------------------------------- */

struct reconciliation {
    struct tool *tool;
    struct scrip_ledger *ledger;
    json_t *rows;
    enum scrip_status status;
    unsigned cards, in_step, forks, rollbacks;
};

static void say_card_verdict(struct reconciliation *all, const struct scrip_ledger_card *card,
                             const struct scrip_ledger_verdict *verdict)
{
    char uid[15], money[SCRIP_MONEY_TEXT_MAX], owed[SCRIP_MONEY_TEXT_MAX + 32] = "";
    char amount[SCRIP_MONEY_TEXT_MAX];
    tool_hex_text(SCRIP_BYTES_OF(card->uid), uid);
    if (verdict->has_owed && verdict->owed != 0) {
        snprintf(owed, sizeof owed, ", uploads owed: %s", tool_money(all->tool, verdict->owed, amount));
    }
    tool_say(all->tool, "card %s %14s  %s%s%s%s", uid, tool_money(all->tool, verdict->card_float, money),
             scrip_ledger_verdict_name(verdict->kind), owed, verdict->why[0] != '\0' ? ": " : "", verdict->why);
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:I, s:b, s:I}", "uid", uid, "verdict", scrip_ledger_verdict_name(verdict->kind),
                  "why", verdict->why, "float", (json_int_t)verdict->card_float, "open", (int)verdict->open, "missing",
                  (json_int_t)verdict->missing_count);
    if (verdict->has_owed) {
        json_object_set_new(row, "owed", json_integer(verdict->owed));
    }
    json_array_append_new(all->rows, row);
}

static bool reconcile_card(void *ctx, const struct scrip_ledger_card *card)
{
    struct reconciliation *all = ctx;
    struct scrip_ledger_verdict verdict;
    all->status = scrip_ledger_reconcile(all->ledger, card->uid, &verdict);
    if (all->status != SCRIP_OK) {
        return false;
    }
    all->cards++;
    all->in_step += verdict.kind == SCRIP_VERDICT_IN_STEP;
    all->forks += verdict.kind == SCRIP_VERDICT_FORK;
    all->rollbacks += verdict.kind == SCRIP_VERDICT_ROLLBACK;
    say_card_verdict(all, card, &verdict);
    return true;
}

static int say_contradictions(const struct reconciliation *all)
{
    char detail[64];
    if (all->forks + all->rollbacks == 0) {
        return TOOL_OK;
    }
    snprintf(detail, sizeof detail, "%u forks, %u rollbacks: the lines above name the cards", all->forks,
             all->rollbacks);
    return tool_fail(all->tool,
                     &(struct tool_failure){.status = SCRIP_E_HELD,
                                            .problem = all->forks > 0 ? TOOL_PROBLEM_FORK : TOOL_PROBLEM_ROLLBACK,
                                            .what = "reconciling",
                                            .detail = detail});
}

static int reconcile(struct tool *tool)
{
    struct reconciliation all = {.tool = tool, .rows = json_array()};
    tool_put(tool, "cards", all.rows);
    const int code = open_ledger(tool, &all.ledger);
    if (code != TOOL_OK) {
        return code;
    }
    const enum scrip_status status = scrip_ledger_cards(all.ledger, reconcile_card, &all);
    scrip_ledger_close(all.ledger);
    if (status != SCRIP_OK || all.status != SCRIP_OK) {
        return tool_fail_status(tool, status != SCRIP_OK ? status : all.status, "reconciling");
    }
    tool_put(tool, "in_step", json_integer(all.in_step));
    tool_say(tool, "%u of %u cards in step", all.in_step, all.cards);
    return say_contradictions(&all);
}

const struct tool_command tool_ledger_reconcile = {
    .name = "ledger reconcile",
    .summary = "every card against its evidence: in step, gap, fork or rollback",
    .text =
        "Compares what the book says of each card with what cards and terminals have shown. A gap is an upload that "
        "is still owed; a fork (two of one card, or value given past the book) or a rollback (a restored card) makes "
        "this "
        "command fail.",
    .options = (const struct tool_option[]){OPTION_DB, TOOL_OPTION_CURRENCY, {.name = NULL}},
    .run = reconcile,
};
