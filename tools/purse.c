/* purse.c: scrip balance|history|pay|credit|recover: what a terminal does with a card, without any server. */
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <scrip/posix.h>
#include <scrip/wallet.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_LINES 1000U
#define CLOCK_SLACK   300000U /* ms that a terminal's clock may be behind its own journal */

/* ---- the journal ----------------------------------------------------------------------------------------------- */

struct terminal_journal {
    int fd;
    struct scrip_nv_file region;
    struct scrip_nv nv;
    struct scrip_journal journal;
};

static int journal_fail(struct tool *tool, enum scrip_status status, const char *path, const char *detail)
{
    char what[256];
    snprintf(what, sizeof what, "opening the journal %.200s", path);
    return tool_fail(
        tool, &(struct tool_failure){.status = status, .card = TOOL_CARD_UNTOUCHED, .what = what, .detail = detail});
}

static void journal_bind(struct terminal_journal *terminal, off_t size, bool sync)
{
    terminal->nv = scrip_nv_file(&terminal->region, terminal->fd, 0, (uint32_t)((size_t)size / SCRIP_NV_PAGE), sync);
}

/* A journal is made beside its place and appears there when it is whole: killed in between, there is none yet. */
static enum scrip_status journal_create(struct terminal_journal *terminal, const char *path, const uint8_t id[4])
{
    const off_t size = (off_t)SCRIP_JOURNAL_PAGES(JOURNAL_LINES) * (off_t)SCRIP_NV_PAGE;
    char draft[1024];
    if (snprintf(draft, sizeof draft, "%s.%ld.new", path, (long)getpid()) >= (int)sizeof draft) {
        return SCRIP_E_IO;
    }
    terminal->fd = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (terminal->fd < 0 || flock(terminal->fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(terminal->fd, size) != 0) {
        unlink(draft);
        return SCRIP_E_IO;
    }
    journal_bind(terminal, size, false);
    enum scrip_status status = scrip_journal_format(&terminal->nv, id);
    if (status == SCRIP_OK && (fsync(terminal->fd) != 0 || link(draft, path) != 0)) {
        status = SCRIP_E_IO;
    }
    unlink(draft);
    journal_bind(terminal, size, true);
    return status;
}

static enum scrip_status journal_take(struct terminal_journal *terminal, const char *path)
{
    struct stat stat;
    terminal->fd = open(path, O_RDWR | O_CLOEXEC);
    if (terminal->fd < 0 || fstat(terminal->fd, &stat) != 0) {
        return errno == ENOENT ? SCRIP_E_NOT_FOUND : SCRIP_E_IO;
    }
    if (flock(terminal->fd, LOCK_EX | LOCK_NB) != 0) {
        return SCRIP_E_IO;
    }
    journal_bind(terminal, stat.st_size, true);
    return SCRIP_OK;
}

static int journal_open(struct tool *tool, struct terminal_journal *terminal)
{
    const char *path = tool_text(tool, "journal");
    uint8_t id[4] = {0};
    const bool has_id = tool_hex(tool, "terminal-id", id, sizeof id) == sizeof id;
    enum scrip_status status = journal_take(terminal, path);
    if (status == SCRIP_E_NOT_FOUND && !has_id) {
        return tool_usage(tool, "a new journal needs --terminal-id, 8 hex digits");
    }
    if (status == SCRIP_E_NOT_FOUND) {
        status = journal_create(terminal, path, id);
    }
    if (status == SCRIP_E_IO) {
        return journal_fail(tool, status, path,
                            errno == EWOULDBLOCK ? "another terminal is using it" : strerror(errno));
    }
    status = status == SCRIP_OK ? scrip_journal_open(&terminal->journal, &terminal->nv) : status;
    if (status != SCRIP_OK) {
        return journal_fail(tool, status, path, NULL);
    }
    return has_id && memcmp(id, terminal->journal.terminal, sizeof id) != 0
               ? tool_usage(tool, "--terminal-id: this journal belongs to another terminal")
               : TOOL_OK;
}

/* A terminal whose clock was set back would write records out of order, and seem to have paid in the past. */
static int check_clock(struct tool *tool, const struct scrip_journal *journal, uint64_t now_ms)
{
    struct scrip_journal_line last;
    uint64_t last_ms = 0;
    char text[128], when[32];
    if (journal->last == 0 || scrip_journal_get(journal, journal->last, &last) != SCRIP_OK ||
        scrip_purse_timestamp_get(last.timestamp, &last_ms) != SCRIP_OK || last_ms <= now_ms + CLOCK_SLACK) {
        return TOOL_OK;
    }
    snprintf(text, sizeof text, "the newest line of the journal is of %s, which is still to come",
             tool_time_text(last_ms, when));
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_STATE,
                                                  .problem = TOOL_PROBLEM_CLOCK,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "starting the terminal",
                                                  .detail = text});
}

/* ---- one job --------------------------------------------------------------------------------------------------- */

struct bench {
    struct scrip_keys *keys;
    struct scrip_desfire_profile profile;
    struct terminal_journal terminal;
    struct scrip_link *link;
    struct scrip_purse_request request;
    struct scrip_purse_job job;
};

static int set_up(struct tool *tool, struct bench *bench, bool with_journal)
{
    const struct scrip_clock clock = scrip_clock_system();
    const uint64_t now_ms = clock.now_ms(clock.ctx);
    int code = tool_profile(tool, &bench->profile);
    code = code == TOOL_OK ? tool_keys_open(tool, &bench->keys) : code;
    if (with_journal) {
        code = code == TOOL_OK ? journal_open(tool, &bench->terminal) : code;
        code = code == TOOL_OK ? check_clock(tool, &bench->terminal.journal, now_ms) : code;
    }
    code = code == TOOL_OK ? tool_connect(tool, &bench->link, &bench->request.card) : code;
    bench->request.profile = &bench->profile;
    bench->request.keys = tool_purse_keys(bench->keys);
    bench->request.random = scrip_random_system();
    bench->request.journal = with_journal ? &bench->terminal.journal : NULL;
    scrip_purse_timestamp(now_ms, bench->request.timestamp);
    return code;
}

static void clear(struct bench *bench)
{
    if (bench->link != NULL) {
        scrip_link_close(bench->link);
    }
    if (bench->terminal.fd >= 0) {
        close(bench->terminal.fd);
    }
    scrip_keys_close(bench->keys);
}

static enum tool_card_state card_state(const struct scrip_purse_result *result)
{
    return result->committed ? TOOL_CARD_CHANGED : result->commit_open ? TOOL_CARD_UNKNOWN : TOOL_CARD_UNTOUCHED;
}

static void put_result(struct tool *tool, const struct scrip_purse_result *result)
{
    char uid[15];
    tool_put(tool, "outcome", json_string(scrip_outcome_name(result->outcome)));
    if (result->has_uid) {
        tool_put(tool, "card", json_string(tool_hex_text(SCRIP_BYTES_OF(result->uid), uid)));
    }
    if (result->has_balance) {
        tool_put(tool, "balance", json_integer(result->balance));
        tool_put(tool, "balance_before", json_integer(result->balance_before));
    }
    if (result->sequence != 0) {
        tool_put(tool, "sequence", json_integer((json_int_t)result->sequence));
    }
    if (result->has_tmc) {
        tool_put(tool, "tmc", json_integer(result->tmc));
    }
    tool_put(tool, "recovered", json_boolean(result->recovered));
    tool_put(tool, "settled", json_integer(result->settled));
    tool_put(tool, "commit_open", json_boolean(result->commit_open));
}

/* Set up, run, say why not. What was accepted is left to the caller to say. */
static int run_job(struct tool *tool, struct bench *bench, enum scrip_purse_operation operation, const char *what)
{
    const struct scrip_purse_result *result = &bench->job.result;
    (void)scrip_purse_run(&bench->job, &scrip_purse_desfire, operation, &bench->request, bench->link);
    put_result(tool, result);
    if (result->outcome == SCRIP_OUTCOME_ACCEPTED && result->status == SCRIP_OK) {
        return TOOL_OK;
    }
    enum scrip_status status = result->status != SCRIP_OK ? result->status : SCRIP_E_TORN;
    if (result->commit_open) {
        status = SCRIP_E_TORN;
    }
    return tool_fail_card(tool, status, &result->failure, card_state(result), what);
}

#define OPTIONS_OF_CARD                                                                                                \
    TOOL_OPTION_READER, TOOL_OPTION_WAIT, TOOL_OPTION_KEYS, TOOL_OPTION_PASSPHRASE, TOOL_OPTION_PURSE,                 \
        TOOL_OPTION_CURRENCY
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

/* ---- balance and history --------------------------------------------------------------------------------------- */

static int balance(struct tool *tool)
{
    struct bench bench = {.terminal.fd = -1};
    char money[SCRIP_MONEY_TEXT_MAX];
    int code = set_up(tool, &bench, false);
    code = code == TOOL_OK ? run_job(tool, &bench, SCRIP_PURSE_BALANCE, "reading the balance") : code;
    if (code == TOOL_OK) {
        tool_say(tool, "%s", tool_money(tool, bench.job.result.balance, money));
    }
    clear(&bench);
    return code;
}

const struct tool_command tool_balance = {
    .name = "balance",
    .summary = "the value on a card",
    .text = "Reads the value on a card with the terminal's key and prints it in the currency's format.",
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
    struct bench bench = {.terminal.fd = -1};
    const struct scrip_purse_result *result = &bench.job.result;
    char money[SCRIP_MONEY_TEXT_MAX];
    json_t *rows = json_array();
    tool_put(tool, "history", rows);
    int code = set_up(tool, &bench, false);
    code = code == TOOL_OK ? run_job(tool, &bench, SCRIP_PURSE_HISTORY, "reading the history") : code;
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
    clear(&bench);
    return code;
}

const struct tool_command tool_history = {
    .name = "history",
    .summary = "the last top-ups and payments on a card",
    .options = (const struct tool_option[]){OPTIONS_OF_CARD, {.name = NULL}},
    .run = history,
};

/* ---- pay and credit -------------------------------------------------------------------------------------------- */

static void say_settled(struct tool *tool, const struct scrip_purse_result *result)
{
    if (result->settled > 0) {
        tool_say(tool, "%u earlier, unanswered payment%s of this card settled on the way", result->settled,
                 result->settled == 1 ? "" : "s");
    }
}

static void say_paid(struct tool *tool, const struct bench *bench)
{
    const struct scrip_purse_result *result = &bench->job.result;
    char money[SCRIP_MONEY_TEXT_MAX], left[SCRIP_MONEY_TEXT_MAX];
    const char *merchant = tool_text(tool, "merchant");
    tool_say(tool, "%s %s%s%s", result->recovered ? "paid already, at the earlier tap:" : "paid:",
             tool_money(tool, bench->request.amount, money), merchant != NULL ? " to " : "",
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
    struct bench bench = {.terminal.fd = -1};
    char what[128], money[SCRIP_MONEY_TEXT_MAX];
    int code = tool_amount(tool, "amount", &bench.request.amount);
    bench.request.skip_flush = tool_has(tool, "shortest");
    code = code == TOOL_OK ? set_up(tool, &bench, true) : code;
    if (code == TOOL_OK) {
        snprintf(what, sizeof what, "paying %s", tool_money(tool, bench.request.amount, money));
        code = run_job(tool, &bench, SCRIP_PURSE_DEBIT, what);
        tool_put(tool, "amount", json_integer(bench.request.amount));
    }
    if (code == TOOL_OK) {
        say_settled(tool, &bench.job.result);
        say_paid(tool, &bench);
    }
    clear(&bench);
    return code;
}

static const struct tool_option AMOUNT_OPERAND[] = {
    {.name = "amount", .kind = TOOL_TEXT, .value = "AMOUNT", .help = "how much, as people write it", .required = true},
    {.name = NULL},
};

const struct tool_command tool_pay = {
    .name = "pay",
    .summary = "take value from a card at an offline terminal",
    .text = "Debits a card without any network. The intent is durable in the journal before the card commits. If the "
            "card leaves before it answers, nothing is opened: the same terminal finds its own record when the card "
            "comes again, and then takes nothing a second time. The key store of a terminal holds the pay key only.",
    .operands = AMOUNT_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_CARD,
                                            OPTIONS_OF_TERMINAL,
                                            {.name = "shortest",
                                             .kind = TOOL_FLAG,
                                             .help = "the seven commands of AN12113 and nothing else: skips the check "
                                                     "for changes that an older session left pending"},
                                            {.name = NULL}},
    .example = "  scrip pay 2.50 --reader pcsc:0 --keys gate7.keys --journal gate7.journal --terminal-id 00000042",
    .run = pay,
};

static int credit(struct tool *tool)
{
    struct bench bench = {.terminal.fd = -1};
    char what[128], money[SCRIP_MONEY_TEXT_MAX], left[SCRIP_MONEY_TEXT_MAX];
    int code = tool_amount(tool, "amount", &bench.request.amount);
    const int64_t reference = tool_number(tool, "reference", 0);
    if (code == TOOL_OK && (reference < 1 || reference > 0x7FFFFFFF)) {
        code = tool_usage(tool, "--reference: an issue number is 1 to 2147483647");
    }
    bench.request.reference = (uint32_t)reference;
    code = code == TOOL_OK ? set_up(tool, &bench, true) : code;
    if (code == TOOL_OK) {
        snprintf(what, sizeof what, "crediting %s", tool_money(tool, bench.request.amount, money));
        code = run_job(tool, &bench, SCRIP_PURSE_CREDIT, what);
        tool_put(tool, "amount", json_integer(bench.request.amount));
    }
    if (code == TOOL_OK) {
        say_settled(tool, &bench.job.result);
        tool_say(tool, "credited: %s", tool_money(tool, bench.request.amount, money));
        tool_say(tool, "now on the card: %s", tool_money(tool, bench.job.result.balance, left));
    }
    clear(&bench);
    return code;
}

const struct tool_command tool_credit = {
    .name = "credit",
    .summary = "give value to a card at a trusted terminal",
    .text = "Credits a card locally. This takes the top-up key, so it belongs behind a counter, never into a public "
            "place. Every credit is an order in the book first; --reference is the issue number that the book gave it.",
    .operands = AMOUNT_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_CARD,
                                            OPTIONS_OF_TERMINAL,
                                            {.name = "reference",
                                             .kind = TOOL_NUMBER,
                                             .value = "NUMBER",
                                             .help = "issue number of the order in the book",
                                             .required = true},
                                            {.name = NULL}},
    .run = credit,
};

static int recover(struct tool *tool)
{
    struct bench bench = {.terminal.fd = -1};
    char money[SCRIP_MONEY_TEXT_MAX];
    int code = set_up(tool, &bench, true);
    code = code == TOOL_OK ? run_job(tool, &bench, SCRIP_PURSE_RECOVER, "settling unanswered payments") : code;
    if (code == TOOL_OK) {
        const struct scrip_purse_result *result = &bench.job.result;
        tool_say(tool,
                 result->settled > 0 ? "settled: %u; the journal has the results" : "nothing was open for this card",
                 result->settled);
        if (result->has_balance) {
            tool_say(tool, "balance: %s", tool_money(tool, result->balance, money));
        }
    }
    clear(&bench);
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
