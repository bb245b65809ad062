/* purse_make.c: scrip purse init|rekey|force-init: an operator lays purses out on blank cards, and re-keys and rescues
 * those of storage cards. */
#include "card.h"
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

/* An amount of 0 is one here, and what is meant where none is given. */
static int amount_or_zero(struct tool *tool, const char *name, int32_t *minor)
{
    const struct scrip_currency *currency = NULL;
    const char *text = tool_text(tool, name);
    int64_t amount = 0;
    const int code = tool_currency(tool, &currency);
    if (code != TOOL_OK) {
        return code;
    }
    if (text == NULL || (scrip_money_parse(currency, text, &amount) == SCRIP_OK && amount == 0)) {
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

static int init_storage(struct tool *tool, struct visit *visit)
{
    char money[SCRIP_MONEY_TEXT_MAX], uid[15];
    int code = amount_or_zero(tool, "amount", &visit->request.amount);
    code = code == TOOL_OK ? visit_set_up(tool, visit, SCRIP_PURSE_PERSONALISE) : code;
    code = code == TOOL_OK ? choose_unit(tool, visit) : code;
    code = code == TOOL_OK ? visit_run(tool, visit, SCRIP_PURSE_PERSONALISE, "making the purse") : code;
    if (code == TOOL_OK) {
        tool_say(tool, "card %s has the purse %s with %s", visit_uid_text(visit, uid), tool_text(tool, "purse"),
                 tool_money(tool, visit->job.result.balance, money));
    }
    return code;
}

#define PICC_KEY_MAX 24U

/* 8 bytes are DES, 16 are 2K3DES or AES, 24 are 3K3DES: the card knows which. */
static int take_picc_key(struct tool *tool, uint8_t key[PICC_KEY_MAX], struct scrip_bytes *out)
{
    size_t len = 0;
    if (!tool_has(tool, "picc-key")) {
        return TOOL_OK;
    }
    const int code = tool_key_file(tool, "picc-key", key, PICC_KEY_MAX, &len);
    if (code == TOOL_OK && len != 8 && len != 16 && len != PICC_KEY_MAX) {
        return tool_usage(tool, "--picc-key: a master key has 8, 16 or 24 bytes");
    }
    *out = scrip_bytes(key, len);
    return code;
}

/* What was wanted, and the card that is there says otherwise: it stays as it is, and nobody should be in doubt. */
static void say_kept(struct tool *tool, const struct scrip_purse_result *result)
{
    const char *number = tool_text(tool, "number"), *issuer = tool_text(tool, "issuer");
    if (number != NULL && strcmp(number, result->header.card_number) != 0) {
        tool_note(tool, "its card number stays %s", result->header.card_number);
    }
    if (issuer != NULL && strcmp(issuer, result->header.issuer) != 0) {
        tool_note(tool, "its issuer stays %s", result->header.issuer);
    }
}

static void say_desfire(struct tool *tool, const struct visit *visit, struct scrip_purse_header *header)
{
    const struct scrip_purse_result *result = &visit->job.result;
    const bool was_there = result->found == SCRIP_FOUND_PURSE;
    char money[SCRIP_MONEY_TEXT_MAX], uid[15];
    const char *purse = tool_text(tool, "purse");
    visit_uid_text(visit, uid);
    if (was_there) {
        tool_say(tool, "card %s has the purse %s and these keys already: it is left as it is, with %s", uid, purse,
                 tool_money(tool, result->balance, money));
        *header = result->header;
        say_kept(tool, result);
    } else {
        if (header->card_number[0] == '\0') {
            scrip_purse_number_of_uid(result->uid, header->card_number);
        }
        tool_say(tool, "card %s (%s) has the purse %s now, card number %s%s", uid, result->product, purse,
                 header->card_number,
                 result->found == SCRIP_FOUND_HALF ? "; an earlier attempt had left it half made" : "");
        tool_put(tool, "currency", json_string(scrip_currency_find_number(header->currency)->code));
        if (visit->purse.desfire.purse.tmac_file != SCRIP_PURSE_NONE) {
            tool_put(tool, "tmc", json_integer(0));
        }
        tool_say(tool, "a server takes it with: scrip card register %s --purse %s", uid, purse);
    }
    tool_put(tool, "made", json_boolean(!was_there));
    tool_put(tool, "product", json_string(result->product));
    tool_put(tool, "purse", json_string(purse));
    tool_put(tool, "card_number", json_string(header->card_number));
}

static int run_desfire(struct tool *tool, struct visit *visit, struct scrip_purse_header *header)
{
    static const char what[] = "making the purse";
    struct scrip_purse_result *result = &visit->job.result;
    tool_progress(tool, "%s: keep the card on the reader", what);
    (void)scrip_purse_run(&visit->job, visit->purse.family, SCRIP_PURSE_PERSONALISE, &visit->request, visit->link);
    tool_progress(tool, NULL);
    if (result->status != SCRIP_OK && result->status != SCRIP_E_CURRENCY) {
        tool_put(tool, "outcome", json_string(scrip_outcome_name(result->outcome)));
        return card_fail_personalise(tool, result, what);
    }
    const int code = visit_tell(tool, visit, SCRIP_PURSE_PERSONALISE, what);
    if (code == TOOL_OK) {
        say_desfire(tool, visit, header);
    }
    return code;
}

static int init_desfire(struct tool *tool, struct visit *visit)
{
    struct scrip_purse_header header = {0};
    struct card_keys chosen;
    uint8_t picc_key[PICC_KEY_MAX] = {0};
    int code = take_picc_key(tool, picc_key, &visit->request.picc_key);
    code = code == TOOL_OK ? card_header_fill(tool, &header) : code;
    code = code == TOOL_OK ? visit_set_up(tool, visit, SCRIP_PURSE_PERSONALISE) : code;
    code = code == TOOL_OK ? card_keys_choose(tool, visit->keys, &chosen, &visit->request) : code;
    visit->request.get_version = NULL; /* a card is made with the keys chosen, or not at all */
    visit->request.header = &header;
    code = code == TOOL_OK ? run_desfire(tool, visit, &header) : code;
    scrip_wipe(picc_key, sizeof picc_key);
    return code;
}

static int check_init_options(struct tool *tool, bool desfire)
{
    static const struct card_option_kind rows[] = {
        {"amount", false, ": a DESFire gets its value by an order of the server (scrip order create, scrip topup)"},
        {"unit", false, NULL},
        {"number", true, NULL},
        {"issuer", true, NULL},
        {"key-version", true, NULL},
        {"picc-key", true, NULL},
    };
    return card_check_options(tool, rows, sizeof rows / sizeof rows[0], desfire);
}

static int init(struct tool *tool)
{
    struct visit visit = {.terminal.fd = -1};
    int code = tool_purse(tool, &visit.purse);
    const bool desfire = code == TOOL_OK && visit_is_desfire(&visit);
    code = code == TOOL_OK ? check_init_options(tool, desfire) : code;
    if (code == TOOL_OK) {
        code = desfire ? init_desfire(tool, &visit) : init_storage(tool, &visit);
    }
    visit_clear(&visit);
    if (code == TOOL_OK && desfire) {
        card_note_profile(tool, tool_text(tool, "reader"), &visit.purse.desfire);
    }
    return code;
}

const struct tool_command tool_purse_init = {
    .name = "purse init",
    .summary = "lay a purse out on a blank card",
    .text =
        "Makes an empty purse on a MIFARE DESFire that is fresh from the factory, or on the sector of a storage card. "
        "Torn on the way it is done again by the same command; a card that has its purse already is left as it is.\n\n"
        "DESFire (purses an12113, split, ev1, plain): application, files, access rights, diversified keys of the "
        "store, card header; the card's own master key becomes the store's, and there is no way back without that. "
        "Looking comes first: a card of another product, too old or too small for the purse, with an application of "
        "somebody else in its place, with another purse or other keys is refused and not changed. A card "
        "whose master key is not the factory's (all zero) needs --picc-key. Where tears have used the memory up and "
        "the card has no other application, it is formatted. The value begins at 0: an order of the server gives it "
        "some, so that the book knows. Do this at a desk, through a reader that you trust.\n\n"
        "Storage cards: writes both copies of the value while the sector still has its transport key, and the keys "
        "last. One that has its purse with another value is refused. What the two blocks held before is lost.",
    .options =
        (const struct tool_option[]){
            TOOL_OPTION_READER,
            TOOL_OPTION_WAIT,
            TOOL_OPTION_KEYS,
            TOOL_OPTION_PASSPHRASE,
            TOOL_OPTION_PURSE,
            {.name = "currency",
             .kind = TOOL_TEXT,
             .value = "CODE",
             .help = "ISO 4217 code of what a DESFire is to count in, and of the amounts of a storage card; else EUR"},
            CARD_OPTIONS_OF_HEADER,
            {.name = "picc-key",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "DESFire: the card's present master key, where it is not the "
                     "factory's: 8, 16 or 24 bytes in hex on the first line, - is "
                     "standard input"},
            {.name = "amount",
             .kind = TOOL_TEXT,
             .value = "AMOUNT",
             .help = "storage cards: value to begin with, else 0; for the one-time "
                     "wallet its face value"},
            {.name = "unit",
             .kind = TOOL_TEXT,
             .value = "AMOUNT",
             .help = "one-time wallet: what one of its units is worth"},
            {.name = NULL}},
    .example = "  scrip purse init --reader pcsc:0 --keys issuer.keys\n"
               "  scrip purse init --reader pn532:/dev/ttyUSB0 --keys issuer.keys --purse ev1 --number 1001\n"
               "  scrip purse init --reader pcsc:0 --keys issuer.keys --purse bcd",
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
