/* purse_make.c: scrip purse init|rekey|force-init: an operator lays out, re-keys, and rescues purses of storage cards.
 */
#include "purse_visit.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int storage_only(struct tool *tool, const struct visit *visit)
{
    return visit->purse.family != &scrip_purse_desfire
               ? TOOL_OK
               : tool_usage(tool, "--purse: '%s' is no purse of a storage card", tool_text(tool, "purse"));
}

/* An amount of 0 is one here. */
static int amount_or_zero(struct tool *tool, const char *name, int32_t *minor)
{
    const struct scrip_currency *currency = NULL;
    const char *text = tool_text(tool, name);
    int64_t amount = 0;
    const int code = tool_currency(tool, &currency);
    if (code != TOOL_OK) {
        return code;
    }
    if (scrip_money_parse(currency, text, &amount) == SCRIP_OK && amount == 0) {
        *minor = 0;
        return TOOL_OK;
    }
    return tool_amount(tool, name, minor);
}

/* ---- init -------------------------------------------------------------------------------------------------------- */

/* What a bit is worth stands on the card for ever, so somebody has to say it. */
static int choose_unit(struct tool *tool, struct visit *visit)
{
    struct scrip_storage_purse *purse = &visit->purse.storage;
    int32_t unit = 0;
    if (purse->kind != SCRIP_STORAGE_OTP) {
        return tool_has(tool, "unit") ? tool_usage(tool, "--unit: only the one-time wallet has units") : TOOL_OK;
    }
    if (!tool_has(tool, "unit")) {
        return purse->unit != 0 ? TOOL_OK : tool_usage(tool, "--unit: say what one unit of this card is worth");
    }
    const int code = tool_amount(tool, "unit", &unit);
    purse->unit = (uint32_t)unit;
    return code;
}

static int init(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    char money[SCRIP_MONEY_TEXT_MAX], uid[15];
    int code = amount_or_zero(tool, "amount", &visit.request.amount);
    code = code == TOOL_OK ? visit_set_up(tool, &visit, SCRIP_PURSE_PERSONALISE) : code;
    code = code == TOOL_OK ? storage_only(tool, &visit) : code;
    code = code == TOOL_OK ? choose_unit(tool, &visit) : code;
    code = code == TOOL_OK ? visit_run(tool, &visit, SCRIP_PURSE_PERSONALISE, "making the purse") : code;
    if (code == TOOL_OK) {
        tool_say(tool, "card %s has the purse %s with %s", visit_uid_text(&visit, uid), tool_text(tool, "purse"),
                 tool_money(tool, visit.job.result.balance, money));
    }
    visit_clear(&visit);
    return code;
}

const struct tool_command tool_purse_init = {
    .name = "purse init",
    .summary = "lay a purse out on a storage card",
    .text = "Writes both copies of the value while the sector still has its transport key, and the keys last. Torn on "
            "the way it is done again by the same command; a card that has its purse with that value already is left "
            "as it is. What the two blocks held before is lost.",
    .options = (const struct tool_option[]){OPTIONS_OF_CARD,
                                            {.name = "amount",
                                             .kind = TOOL_TEXT,
                                             .value = "AMOUNT",
                                             .help = "value to begin with; for the one-time wallet its face value",
                                             .initial = "0"},
                                            {.name = "unit",
                                             .kind = TOOL_TEXT,
                                             .value = "AMOUNT",
                                             .help = "one-time wallet: what one of its units is worth"},
                                            {.name = NULL}},
    .example = "  scrip purse init --reader pcsc:0 --keys issuer.keys --purse bcd",
    .run = init,
};

/* ---- rekey ------------------------------------------------------------------------------------------------------- */

static int versions(struct tool *tool, struct versioned_keys *from, struct versioned_keys *to)
{
    const int64_t old = tool_number(tool, "from-version", 0);
    const int64_t next = tool_number(tool, "to-version", SCRIP_KEY_NEWEST);
    if (old > 255 || next > SCRIP_KEY_NEWEST) {
        return tool_usage(tool, "--from-version, --to-version: a version is 0 to 255");
    }
    from->version = (unsigned)old;
    to->version = (unsigned)next;
    return TOOL_OK;
}

static int rekey(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    struct versioned_keys from = {0}, to = {0};
    char money[SCRIP_MONEY_TEXT_MAX], uid[15];
    int code = versions(tool, &from, &to);
    code = code == TOOL_OK ? visit_set_up(tool, &visit, SCRIP_PURSE_REKEY) : code;
    code = code == TOOL_OK ? storage_only(tool, &visit) : code;
    from.keys = visit.keys;
    to.keys = visit.keys;
    visit.request.keys = tool_versioned_keys(&from);
    visit.request.next_keys = tool_versioned_keys(&to);
    code = code == TOOL_OK ? visit_run(tool, &visit, SCRIP_PURSE_REKEY, "changing the keys of the sector") : code;
    if (visit.job.result.has_balance) {
        tool_note(tool, "value of card %s when its keys were changed: %s", visit_uid_text(&visit, uid),
                  tool_money(tool, visit.job.result.balance, money));
    }
    if (code == TOOL_OK) {
        tool_say(tool, "the new keys are on the card and proved");
    }
    visit_clear(&visit);
    return code;
}

const struct tool_command tool_purse_rekey = {
    .name = "purse rekey",
    .summary = "give the purse's sector on a storage card its next keys",
    .text =
        "Opens the sector with the keys of --from-version and writes the newest ones. Torn on the way it is completed "
        "by the same command. The one block that holds the keys has no second copy on these cards: if the card "
        "leaves the field in the milliseconds of that write, the sector and the value in it can be lost for ever. "
        "So this belongs on a desk, with the card lying on the reader; the value is printed for that case.",
    .options = (const struct tool_option[]){OPTIONS_OF_CARD,
                                            {.name = "from-version",
                                             .kind = TOOL_NUMBER,
                                             .value = "NUMBER",
                                             .help = "version of the keys that the card has",
                                             .required = true},
                                            {.name = "to-version",
                                             .kind = TOOL_NUMBER,
                                             .value = "NUMBER",
                                             .help = "version of the keys that it gets; else the newest"},
                                            {.name = NULL}},
    .example = "  scrip purse rekey --from-version 1 --reader pcsc:0 --keys issuer.keys --purse classic",
    .run = rekey,
};

/* ---- force-init -------------------------------------------------------------------------------------------------- */

/* What is about to be overwritten is on the disk first. */
static int log_damage(struct tool *tool, const struct visit *visit)
{
    const struct scrip_clock clock = scrip_clock_system();
    const struct scrip_purse_result *result = &visit->job.result;
    const char *path = tool_text(tool, "log");
    char line[256], when[32], uid[15], main[33], backup[33];
    const int len = snprintf(line, sizeof line, "%s card %s purse %.40s main %s backup %s set to %d\n",
                             tool_time_text(clock.now_ms(clock.ctx), when), visit_uid_text(visit, uid),
                             tool_text(tool, "purse"), tool_hex_text(SCRIP_BYTES_OF(result->copies[0]), main),
                             tool_hex_text(SCRIP_BYTES_OF(result->copies[1]), backup), visit->request.amount);
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const bool written = fd >= 0 && write(fd, line, (size_t)len) == len && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return written ? TOOL_OK : tool_fail_status(tool, SCRIP_E_IO, "writing the log %s", path);
}

static void say_damage(struct tool *tool, const struct visit *visit)
{
    const struct scrip_purse_result *result = &visit->job.result;
    char money[SCRIP_MONEY_TEXT_MAX], uid[15], main[33], backup[33];
    tool_note(tool, "card %s: both copies are damaged\n  main    %s\n  backup  %s", visit_uid_text(visit, uid),
              tool_hex_text(SCRIP_BYTES_OF(result->copies[0]), main),
              tool_hex_text(SCRIP_BYTES_OF(result->copies[1]), backup));
    if (result->has_proposal) {
        tool_note(tool, "  what remains of them suggests %s; check it against the journals",
                  tool_money(tool, result->proposal, money));
    } else {
        tool_note(tool, "  what remains of them suggests no amount");
    }
}

/* The operator has seen this card, not another one. */
static int check_confirmed(struct tool *tool, const struct visit *visit)
{
    char uid[15], given[15] = "";
    uint8_t confirmed[7];
    const size_t len = tool_hex(tool, "confirm", confirmed, sizeof confirmed);
    tool_hex_text(scrip_bytes(confirmed, len), given);
    visit_uid_text(visit, uid);
    if (strcmp(uid, given) == 0) {
        return TOOL_OK;
    }
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_STATE,
                                                  .problem = TOOL_PROBLEM_UNCONFIRMED,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "forcing a value onto the card",
                                                  .detail = uid});
}

static int look(struct tool *tool, struct visit *visit)
{
    const struct scrip_purse_result *result = &visit->job.result;
    (void)scrip_purse_run(&visit->job, visit->purse.family, SCRIP_PURSE_BALANCE, &visit->request, visit->link);
    if (!result->has_copies) { /* good, foreign, gone: said as for any other command */
        return visit_run(tool, visit, SCRIP_PURSE_FORCE_INIT, "looking at both copies");
    }
    say_damage(tool, visit);
    memcpy(visit->request.copies, result->copies, sizeof visit->request.copies);
    const int code = check_confirmed(tool, visit);
    return code == TOOL_OK ? log_damage(tool, visit) : code;
}

static int force_init(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    char money[SCRIP_MONEY_TEXT_MAX];
    int code = amount_or_zero(tool, "amount", &visit.request.amount);
    code = code == TOOL_OK ? visit_set_up(tool, &visit, SCRIP_PURSE_FORCE_INIT) : code;
    code = code == TOOL_OK ? storage_only(tool, &visit) : code;
    code = code == TOOL_OK ? look(tool, &visit) : code;
    code = code == TOOL_OK ? visit_run(tool, &visit, SCRIP_PURSE_FORCE_INIT, "forcing a value onto the card") : code;
    if (code == TOOL_OK) {
        tool_say(tool, "the card holds %s now", tool_money(tool, visit.job.result.balance, money));
    }
    visit_clear(&visit);
    return code;
}

static const struct tool_option AMOUNT_OPERAND[] = {
    {.name = "amount",
     .kind = TOOL_TEXT,
     .value = "AMOUNT",
     .help = "what the card is to hold, as the operator has found out; 0 is possible",
     .required = true},
    {.name = NULL},
};

const struct tool_command tool_purse_force_init = {
    .name = "purse force-init",
    .summary = "give a storage card whose copies are both damaged an amount",
    .text =
        "For a card of which neither copy of the value can be read. No program decides what it held: this shows both "
        "blocks and what they suggest, appends UID, blocks and the amount to the log, and then writes the amount "
        "that the operator gives. Refused while one copy is good, and without --confirm with the UID of just this "
        "card.",
    .operands = AMOUNT_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_CARD,
                                            {.name = "log",
                                             .kind = TOOL_FILE,
                                             .value = "FILE",
                                             .help = "where the damaged blocks are noted before they are overwritten",
                                             .required = true},
                                            {.name = "confirm",
                                             .kind = TOOL_HEX,
                                             .value = "UID",
                                             .help = "the UID of the card, as this command shows it without"},
                                            {.name = NULL}},
    .example = "  scrip purse force-init 12.50 --confirm 01020304 --log forced.log --reader pcsc:0 \\\n"
               "      --keys issuer.keys --purse bcd",
    .run = force_init,
};
