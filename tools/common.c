/* common.c: what several subcommands share. */
#include "common.h"
#include <errno.h>
#include <scrip/desfire.h>
#include <scrip/reader.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MOST_DECIMALS 9U /* that anybody would type behind a decimal sign */

/* ---- key stores ------------------------------------------------------------------------------------------------ */

/* Ask on the terminal without echo. */
static size_t ask_passphrase(void *ctx, const char *question, char *out, size_t cap)
{
    struct termios shown, hidden;
    (void)ctx;
    if (isatty(STDIN_FILENO) == 0 || tcgetattr(STDIN_FILENO, &shown) != 0) {
        return 0;
    }
    fprintf(stderr, "%s: ", question);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    const bool typed = fgets(out, (int)cap, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return typed ? strcspn(out, "\n") : 0;
}

struct scrip_passphrase tool_passphrase(const struct tool *tool)
{
    return (struct scrip_passphrase){
        .file = tool_text(tool, "passphrase-file"), .env = "SCRIP_PASSPHRASE", .prompt = ask_passphrase};
}

/* The leak checker of the sanitizers must be able to look into the process. */
#if defined(__SANITIZE_ADDRESS__)
#define HARDEN false
#else
#define HARDEN true
#endif

int tool_keys_open(struct tool *tool, struct scrip_keys **keys)
{
    const char *path = tool_text(tool, "keys");
    if (HARDEN && scrip_keys_harden_process() != SCRIP_OK) {
        tool_note(tool, "this process can be dumped: the system refused to forbid it");
    }
    const struct scrip_passphrase passphrase = tool_passphrase(tool);
    const enum scrip_status status = scrip_keys_file_open(path, &passphrase, keys);
    if (status == SCRIP_OK) {
        return TOOL_OK;
    }
    const char *detail = status == SCRIP_E_MAC  ? "wrong passphrase, or the file was altered"
                         : status == SCRIP_E_IO ? "it cannot be read, or no passphrase was given"
                                                : scrip_strerror(status);
    char what[256];
    snprintf(what, sizeof what, "opening the key store %.200s", path);
    return tool_fail(tool, &(struct tool_failure){
                               .status = status, .problem = TOOL_PROBLEM_KEY_STORE, .what = what, .detail = detail});
}

static enum scrip_status get_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return scrip_keys_diversify(ctx, (enum scrip_key_role)role, SCRIP_KEY_NEWEST, m, out);
}

struct scrip_purse_keys tool_purse_keys(struct scrip_keys *keys)
{
    _Static_assert((int)SCRIP_PURSE_ID == (int)SCRIP_KEY_ID && (int)SCRIP_PURSE_AMK == (int)SCRIP_KEY_AMK &&
                       (int)SCRIP_PURSE_TMAC == (int)SCRIP_KEY_TMAC && (int)SCRIP_PURSE_BCD == (int)SCRIP_KEY_BCD,
                   "roles of purses and of key stores are the same numbers");
    return (struct scrip_purse_keys){.ctx = keys, .get = get_key};
}

#define KEY_LINE 128U /* characters: 32 bytes with blanks between them */

int tool_key_file(struct tool *tool, const char *option, uint8_t *key, size_t cap, size_t *len)
{
    char line[KEY_LINE] = "";
    const char *path = tool_text(tool, option);
    const bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    const bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL && !standard) {
        fclose(file);
    }
    line[strcspn(line, "\r\n")] = '\0';
    *len = read ? tool_hex_of(line, key, cap) : 0;
    scrip_wipe(line, sizeof line);
    if (!read) {
        return tool_fail_status(tool, SCRIP_E_IO, "reading the key from %s", standard ? "standard input" : path);
    }
    return *len > 0 ? TOOL_OK : tool_usage(tool, "--%s: the first line is to be the key in hex digits", option);
}

/* ---- purses ---------------------------------------------------------------------------------------------------- */

/* Which part of the conversation a command code belongs to. */
static enum tool_stage stage_of(uint8_t cmd)
{
    switch (cmd) {
    case 0x5A:
    case 0xA4:
        return TOOL_STAGE_SELECT;
    case 0x0A:
    case 0x1A:
    case 0xAA:
    case 0x71:
    case 0x77:
        return TOOL_STAGE_AUTH_1;
    case 0xAF:
        return TOOL_STAGE_AUTH_2;
    case 0xC7:
        return TOOL_STAGE_COMMIT;
    default:
        return TOOL_STAGE_DATA;
    }
}

int tool_fail_card(struct tool *tool, enum scrip_status status, const struct scrip_desfire_failure *failure,
                   enum tool_card_state card, const char *what)
{
    char detail[96] = "";
    if (failure != NULL && failure->cmd != 0) {
        snprintf(detail, sizeof detail, "command %02X%s%s", failure->cmd, failure->sw != 0 ? ": " : " was not answered",
                 failure->sw != 0 ? scrip_desfire_status_name((uint8_t)failure->sw) : "");
    }
    return tool_fail(tool, &(struct tool_failure){.status = status,
                                                  .sw = failure != NULL ? failure->sw : 0,
                                                  .stage = failure != NULL ? stage_of(failure->cmd) : TOOL_STAGE_ANY,
                                                  .card = card,
                                                  .what = what,
                                                  .detail = detail});
}

/* ---- a link that counts, for --json ---------------------------------------------------------------------------- */

struct counting_link {
    struct scrip_link base;
    struct scrip_link *inner;
    struct tool *tool;
    uint64_t apdus, bytes;
    uint64_t ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static enum scrip_status counting_connect(struct scrip_link *base, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct counting_link *link = (struct counting_link *)base;
    const enum scrip_status status = scrip_link_connect(link->inner, timeout_ms, info);
    memcpy(base->error, link->inner->error, sizeof base->error);
    return status;
}

static enum scrip_status counting_transmit(struct scrip_link *base, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct counting_link *link = (struct counting_link *)base;
    const size_t before = rapdu->len;
    const uint64_t start = now_ns();
    const enum scrip_status status = scrip_link_transmit(link->inner, capdu, rapdu);
    link->ns += now_ns() - start;
    link->apdus++;
    link->bytes += capdu.len + rapdu->len - before;
    memcpy(base->error, link->inner->error, sizeof base->error);
    return status;
}

static void counting_disconnect(struct scrip_link *base)
{
    scrip_link_disconnect(((struct counting_link *)base)->inner);
}

static void counting_close(struct scrip_link *base)
{
    struct counting_link *link = (struct counting_link *)base;
    tool_put(link->tool, "apdus", json_integer((json_int_t)link->apdus));
    tool_put(link->tool, "apdu_bytes", json_integer((json_int_t)link->bytes));
    tool_put(link->tool, "card_us", json_integer((json_int_t)(link->ns / 1000)));
    scrip_link_close(link->inner);
    free(link);
}

static const struct scrip_link_ops COUNTING = {counting_connect, counting_transmit, counting_disconnect,
                                               counting_close};

static enum scrip_status counted(struct tool *tool, struct scrip_link **link)
{
    struct counting_link *counting = calloc(1, sizeof *counting);
    if (counting == NULL) {
        scrip_link_close(*link);
        *link = NULL;
        return SCRIP_E_MEMORY;
    }
    counting->base.ops = &COUNTING;
    counting->inner = *link;
    counting->tool = tool;
    *link = &counting->base;
    return SCRIP_OK;
}

int tool_connect(struct tool *tool, struct scrip_link **link, struct scrip_card_info *info)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    const char *spec = tool_text(tool, "reader");
    enum scrip_status status = scrip_link_open(spec, NULL, link, error);
    status = status == SCRIP_OK ? counted(tool, link) : status;
    if (status != SCRIP_OK) {
        return tool_fail(tool, &(struct tool_failure){.status = status == SCRIP_E_ARGUMENT ? SCRIP_E_LINK : status,
                                                      .problem = TOOL_PROBLEM_READER,
                                                      .card = TOOL_CARD_UNTOUCHED,
                                                      .what = spec,
                                                      .detail = error});
    }
    const int64_t wait_s = tool_number(tool, "wait", 10);
    tool_progress(tool, "waiting for a card on %s", spec);
    status = scrip_link_connect(*link, (uint32_t)(wait_s < 86400 ? wait_s * 1000 : 86400000), info);
    tool_progress(tool, NULL);
    if (status != SCRIP_OK) {
        snprintf(error, sizeof error, "%s", (*link)->error);
        scrip_link_close(*link);
        *link = NULL;
        return tool_fail(
            tool, &(struct tool_failure){.status = status, .card = TOOL_CARD_UNTOUCHED, .what = spec, .detail = error});
    }
    return TOOL_OK;
}

/* ---- amounts and names ----------------------------------------------------------------------------------------- */

int tool_currency(struct tool *tool, const struct scrip_currency **currency)
{
    const char *code = tool_text(tool, "currency");
    *currency = scrip_currency_find(code != NULL ? code : "EUR");
    return *currency != NULL ? TOOL_OK : tool_usage(tool, "--currency: '%s' is no currency that scrip knows", code);
}

/* "1.250" is a thousand and more where people print euros, and one and a quarter to whoever types decimals with a
 * point: somebody would pay a thousand times as much. */
static bool is_ambiguous(const struct scrip_currency *currency, const char *text)
{
    const size_t at = strcspn(text, ".,");
    const bool may_group = currency->exponent > 0 && text[at] != '\0' && text[at] == currency->group[0];
    const char *behind = may_group ? text + at + 1 : "";
    return strspn(behind, "0123456789") == 3 && strpbrk(behind, ".,") == NULL;
}

enum scrip_status tool_amount_of(const struct scrip_currency *currency, const char *text, int32_t *minor)
{
    int64_t amount = 0;
    SCRIP_TRY(scrip_money_parse(currency, text, &amount));
    if (amount <= 0 || is_ambiguous(currency, text)) {
        return SCRIP_E_FORMAT;
    }
    if (amount > INT32_MAX) {
        return SCRIP_E_OVERFLOW;
    }
    *minor = (int32_t)amount;
    return SCRIP_OK;
}

/* Would it be an amount, if the currency had more decimals? */
static bool has_too_many_decimals(const struct scrip_currency *currency, const char *text)
{
    struct scrip_currency finer = *currency;
    int64_t amount = 0;
    finer.exponent = MOST_DECIMALS;
    return scrip_money_parse(&finer, text, &amount) == SCRIP_OK && amount > 0;
}

int tool_amount_in(struct tool *tool, const char *name, const struct scrip_currency *currency, int32_t *minor)
{
    const char *text = tool_text(tool, name);
    const enum scrip_status status = tool_amount_of(currency, text, minor);
    if (status == SCRIP_OK) {
        return TOOL_OK;
    }
    if (status == SCRIP_E_OVERFLOW) {
        return tool_usage(tool, "%s: '%s' is more than any card holds", name, text);
    }
    if (!has_too_many_decimals(currency, text)) {
        return tool_usage(tool, "%s: '%s' is no amount of %s above zero", name, text, currency->name);
    }
    if (is_ambiguous(currency, text)) {
        return tool_usage(tool,
                          "%s: '%s' has more decimals than the %u of %s (%s), or is thousands: those are typed without "
                          "a sign between them",
                          name, text, currency->exponent, currency->name, currency->code);
    }
    return currency->exponent == 0 ? tool_usage(tool, "%s: '%s' has decimals, and %s (%s) has none", name, text,
                                                currency->name, currency->code)
                                   : tool_usage(tool, "%s: '%s' has more decimals than the %u of %s (%s)", name, text,
                                                currency->exponent, currency->name, currency->code);
}

int tool_amount(struct tool *tool, const char *name, int32_t *minor)
{
    const struct scrip_currency *currency = NULL;
    const int code = tool_currency(tool, &currency);
    return code == TOOL_OK ? tool_amount_in(tool, name, currency, minor) : code;
}

char *tool_hex_text(struct scrip_bytes bytes, char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = digits[bytes.at[i] >> 4];
        text[2 * i + 1] = digits[bytes.at[i] & 15];
    }
    text[2 * bytes.len] = '\0';
    return text;
}

char *tool_uid_text(const uint8_t uid[7], bool storage, char text[15])
{
    static const uint8_t padding[3];
    const bool is_short = storage && memcmp(uid + 4, padding, sizeof padding) == 0;
    return tool_hex_text(scrip_bytes(uid, is_short ? 4 : 7), text);
}

char *tool_time_text(uint64_t unix_ms, char text[32])
{
    const time_t seconds = (time_t)(unix_ms / 1000);
    struct tm broken;
    gmtime_r(&seconds, &broken);
    strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &broken);
    return text;
}

void tool_put_all(struct tool *tool, json_t *answer)
{
    const char *name;
    json_t *value;
    json_object_foreach(answer, name, value)
    {
        tool_put(tool, name, json_incref(value));
    }
}

/* ---- the ledger ------------------------------------------------------------------------------------------------ */

int tool_fail_ledger(struct tool *tool, enum scrip_status status, const char *path)
{
    const bool there = access(path, F_OK) == 0;
    const struct tool_failure failure = {.status = status,
                                         .problem = there && status == SCRIP_E_IO ? TOOL_PROBLEM_NO_LEDGER
                                                                                  : TOOL_PROBLEM_DERIVE,
                                         .what = path,
                                         .detail = there ? NULL : strerror(errno)};
    return tool_fail(tool, &failure);
}

/* ---- orders ---------------------------------------------------------------------------------------------------- */

bool tool_is_order_id(const char *id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
    const size_t len = strlen(id);
    return len >= 1 && len <= 64 && id[0] != '.' && strspn(id, allowed) == len;
}
