/* frame.c: command line in, run, result out. */
#include "frame.h"
#include <limits.h>
#include <scrip/link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND(symbol) extern const struct tool_command symbol;
#include "commands.def"
#undef COMMAND

static const struct tool_command *const COMMANDS[] = {
#define COMMAND(symbol) &symbol,
#include "commands.def"
#undef COMMAND
};

#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

const struct tool_option tool_common_options[] = {
    {.name = "json", .kind = TOOL_FLAG, .help = "print one JSON object instead of lines for people"},
    {.name = "help", .kind = TOOL_FLAG, .help = "print this and exit"},
    {.name = NULL},
};

const struct tool_command *tool_command_at(size_t i)
{
    return i < COMMAND_COUNT ? COMMANDS[i] : NULL;
}

void tool_options_each(const struct tool_command *command, void (*visit)(void *ctx, const struct tool_option *option),
                       void *ctx)
{
    for (const struct tool_option *o = command->options; o != NULL && o->name != NULL; o++) {
        visit(ctx, o);
    }
    for (const struct tool_option *o = tool_common_options; o->name != NULL; o++) {
        visit(ctx, o);
    }
}

/* ---- the command line ------------------------------------------------------------------------------------------ */

static const struct tool_option *find_in(const struct tool_option *table, const char *name, size_t len)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) {
            return table;
        }
    }
    return NULL;
}

static const struct tool_option *find_option(const struct tool_command *command, const char *name, size_t len)
{
    const struct tool_option *own = find_in(command->options, name, len);
    return own != NULL ? own : find_in(tool_common_options, name, len);
}

static bool is_hex(const char *text)
{
    size_t len = 0;
    return scrip_hex_len(scrip_bytes(text, strlen(text)), &len) == SCRIP_OK;
}

static bool is_number(const char *text)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (value > ((uint64_t)INT64_MAX - (uint64_t)(*at - '0')) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(*at - '0');
    }
    return at != text && *at == '\0';
}

static bool is_choice(const char *choices, const char *text)
{
    const size_t len = strlen(text);
    for (const char *at = choices; len > 0 && (at = strstr(at, text)) != NULL; at++) {
        const bool starts = at == choices || at[-1] == ' ';
        if (starts && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static int check_value(struct tool *tool, const struct tool_option *option, const char *text)
{
    switch (option->kind) {
    case TOOL_NUMBER:
        return is_number(text) ? TOOL_OK : tool_usage(tool, "%s: '%s' is no whole number", option->name, text);
    case TOOL_HEX:
        return is_hex(text) ? TOOL_OK
                            : tool_usage(tool, "%s: '%s' is not an even number of hex digits", option->name, text);
    case TOOL_CHOICE:
        return is_choice(option->choices, text)
                   ? TOOL_OK
                   : tool_usage(tool, "%s: '%s' is none of: %s", option->name, text, option->choices);
    default:
        return TOOL_OK;
    }
}

/* Blanks make a UID readable; nobody behind the parser needs to know of them. */
static void close_up(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++) {
        if (scrip_hex_digit(*text) < 0) {
            continue;
        }
        if (to != text) {
            *to = *text;
        }
        to++;
    }
    if (to != text) {
        *to = '\0';
    }
}

static int add_value(struct tool *tool, const struct tool_option *option, char *text)
{
    if (!option->repeat && option->kind != TOOL_FLAG) {
        for (size_t i = 0; i < tool->value_count; i++) {
            if (tool->values[i].option == option) {
                return tool_usage(tool, "--%s was given twice", option->name);
            }
        }
    }
    if (check_value(tool, option, text) != TOOL_OK) {
        return TOOL_USAGE;
    }
    if (option->kind == TOOL_HEX) {
        close_up(text);
    }
    struct tool_value *more = realloc(tool->values, (tool->value_count + 1) * sizeof *more);
    if (more == NULL) {
        return tool_fail_status(tool, SCRIP_E_MEMORY, "reading the command line");
    }
    tool->values = more;
    tool->values[tool->value_count++] = (struct tool_value){option, text};
    return TOOL_OK;
}

/* One argument that starts with "--", and its value. @return how many more arguments it took, or -1 with *code set */
static int parse_option(struct tool *tool, char *arg, char *next, int *code)
{
    static char nothing[] = "";
    char *equals = strchr(arg, '=');
    const size_t len = equals != NULL ? (size_t)(equals - arg - 2) : strlen(arg + 2);
    const struct tool_option *option = find_option(tool->command, arg + 2, len);
    if (option == NULL) {
        *code = tool_usage(tool, "there is no option %.*s", (int)len + 2, arg);
        return -1;
    }
    if (option->kind == TOOL_FLAG) {
        *code =
            equals != NULL ? tool_usage(tool, "--%s takes no value", option->name) : add_value(tool, option, nothing);
        return *code == TOOL_OK ? 0 : -1;
    }
    if (equals == NULL && next == NULL) {
        *code = tool_usage(tool, "--%s needs %s", option->name, option->value);
        return -1;
    }
    *code = add_value(tool, option, equals != NULL ? equals + 1 : next);
    return *code != TOOL_OK ? -1 : equals == NULL;
}

static int check_required(struct tool *tool, const struct tool_option *table, const char *dashes)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (table->required && !tool_has(tool, table->name)) {
            return tool_usage(tool, "%s%s is missing", dashes, table->name);
        }
    }
    return TOOL_OK;
}

static int parse(struct tool *tool, int argc, char **argv)
{
    const struct tool_option *operand = tool->command->operands;
    bool options_over = false;
    int code = TOOL_OK;
    for (int i = 0; i < argc; i++) {
        if (!options_over && strcmp(argv[i], "--") == 0) {
            options_over = true;
            continue;
        }
        if (!options_over && strncmp(argv[i], "--", 2) == 0) {
            const int took = parse_option(tool, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &code);
            if (took < 0) {
                return code;
            }
            i += took;
            continue;
        }
        if (operand == NULL || operand->name == NULL) {
            return tool_usage(tool, "'%s' is one argument too many", argv[i]);
        }
        if ((code = add_value(tool, operand, argv[i])) != TOOL_OK) {
            return code;
        }
        operand += operand->repeat ? 0 : 1;
    }
    return TOOL_OK;
}

/* ---- what was typed -------------------------------------------------------------------------------------------- */

const char *tool_text_at(const struct tool *tool, const char *name, size_t i)
{
    for (size_t n = 0; n < tool->value_count; n++) {
        if (strcmp(tool->values[n].option->name, name) == 0 && i-- == 0) {
            return tool->values[n].text;
        }
    }
    return NULL;
}

const char *tool_text(const struct tool *tool, const char *name)
{
    const char *typed = tool_text_at(tool, name, 0);
    if (typed != NULL) {
        return typed;
    }
    const struct tool_option *option = find_option(tool->command, name, strlen(name));
    return option != NULL ? option->initial : NULL;
}

bool tool_has(const struct tool *tool, const char *name)
{
    return tool_text(tool, name) != NULL;
}

int64_t tool_number(const struct tool *tool, const char *name, int64_t otherwise)
{
    const char *text = tool_text(tool, name);
    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

size_t tool_hex_of(const char *text, uint8_t *dst, size_t cap)
{
    struct scrip_buf bytes = scrip_buf(dst, cap);
    return text != NULL && scrip_buf_add_hex(&bytes, scrip_bytes(text, strlen(text))) == SCRIP_OK ? bytes.len : 0;
}

size_t tool_hex(const struct tool *tool, const char *name, uint8_t *dst, size_t cap)
{
    return tool_hex_of(tool_text(tool, name), dst, cap);
}

bool tool_json_wanted(const struct tool *tool)
{
    return tool->json_wanted;
}

/* ---- what is said ---------------------------------------------------------------------------------------------- */

/* What a server, a file or a card named may hold anything; the terminal is to show it, not to obey it. */
static void put_text(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ? '?' : c, to);
    }
}

static void line(FILE *to, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) >= 0) {
        put_text(to, text);
        free(text);
    }
    fputc('\n', to);
}

void tool_say(struct tool *tool, const char *format, ...)
{
    if (tool->json_wanted) {
        return;
    }
    tool_progress(tool, NULL);
    va_list args;
    va_start(args, format);
    line(tool->out, format, args);
    va_end(args);
    fflush(tool->out);
}

void tool_note(struct tool *tool, const char *format, ...)
{
    tool_progress(tool, NULL);
    va_list args;
    va_start(args, format);
    line(tool->err, format, args);
    va_end(args);
}

void tool_progress(struct tool *tool, const char *format, ...)
{
    if (format == NULL) {
        if (tool->progress_shown) {
            fputs("\r\033[K", tool->err);
            tool->progress_shown = false;
        }
        return;
    }
    const int fd = fileno(tool->err);
    if (fd < 0 || isatty(fd) == 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    fputs("\r\033[K", tool->err);
    vfprintf(tool->err, format, args);
    va_end(args);
    fflush(tool->err);
    tool->progress_shown = true;
}

void tool_put(struct tool *tool, const char *name, json_t *value)
{
    json_object_set_new(tool->json, name, value);
}

const char *tool_money(const struct tool *tool, int64_t minor, char text[SCRIP_MONEY_TEXT_MAX])
{
    const char *given = tool_text(tool, "currency");
    const char *code = given != NULL ? given : tool->currency[0] != '\0' ? tool->currency : "EUR";
    const struct scrip_currency *currency = scrip_currency_find(code);
    if (currency == NULL) {
        snprintf(text, SCRIP_MONEY_TEXT_MAX, "%lld %s", (long long)minor, code);
        return text;
    }
    scrip_money_format(currency, minor, text);
    return text;
}

void tool_set_currency(struct tool *tool, uint16_t number)
{
    const struct scrip_currency *currency = scrip_currency_find_number(number);
    if (currency != NULL) {
        snprintf(tool->currency, sizeof tool->currency, "%s", currency->code);
    } else {
        snprintf(tool->currency, sizeof tool->currency, "ISO %u", number);
    }
    tool_put(tool, "currency", json_string(tool->currency));
}

static void json_put_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL) {
        json_object_set_new(object, name, json_string(text));
    }
}

static json_t *failure_json(const struct tool_failure *failure, const struct tool_verdict *verdict)
{
    json_t *error = json_object();
    json_put_text(error, "layer", tool_layer_name(verdict->layer));
    json_put_text(error, "problem", verdict->name);
    json_put_text(error, "status", scrip_status_name(failure->status));
    if (failure->sw != 0) {
        char sw[5];
        snprintf(sw, sizeof sw, "%04X", failure->sw);
        json_put_text(error, "sw", sw);
    }
    json_put_text(error, "doing", failure->what);
    json_put_text(error, "message", verdict->text);
    json_put_text(error, "detail", failure->detail);
    json_put_text(error, "card", tool_card_state_text(failure->card));
    json_put_text(error, "remedy", verdict->remedy);
    return error;
}

int tool_fail(struct tool *tool, const struct tool_failure *failure)
{
    const struct tool_verdict verdict = tool_failure_lookup(failure);
    const char *card = tool_card_state_text(failure->card);
    json_object_set_new(tool->json, "error", failure_json(failure, &verdict));
    tool_progress(tool, NULL);
    fprintf(tool->err, "scrip %s: %s: ", tool->command->name, tool_layer_name(verdict.layer));
    if (failure->what != NULL) {
        put_text(tool->err, failure->what);
        fputs(": ", tool->err);
    }
    put_text(tool->err, verdict.text);
    if (failure->sw != 0) {
        fprintf(tool->err, " (status %04X)", failure->sw);
    }
    if (failure->detail != NULL && failure->detail[0] != '\0') {
        fputs("\n  detail: ", tool->err);
        put_text(tool->err, failure->detail);
    }
    if (card != NULL) {
        fprintf(tool->err, "\n  card:   %s", card);
    }
    fputs("\n  remedy: ", tool->err);
    put_text(tool->err, verdict.remedy);
    fputc('\n', tool->err);
    return TOOL_FAILED;
}

int tool_fail_status(struct tool *tool, enum scrip_status status, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return tool_fail(tool, &(struct tool_failure){.status = status, .what = what});
}

int tool_usage(struct tool *tool, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    json_object_set_new(tool->json, "error", json_pack("{s:s, s:s}", "layer", "usage", "message", what));
    fprintf(tool->err, "scrip %s: ", tool->command->name);
    put_text(tool->err, what);
    fprintf(tool->err, "\n  see: scrip %s --help\n", tool->command->name);
    return TOOL_USAGE;
}

static void print_json(struct tool *tool, bool ok)
{
    if (!tool->json_wanted || tool->flushed) {
        return;
    }
    json_object_set_new(tool->json, "ok", json_boolean(ok));
    json_dumpf(tool->json, tool->out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fputc('\n', tool->out);
    fflush(tool->out);
}

void tool_flush(struct tool *tool)
{
    print_json(tool, true);
    tool->flushed = true;
}

/* ---- the program ----------------------------------------------------------------------------------------------- */

/* The command named by the first one or two words; *words says how many. */
static const struct tool_command *find_command(int argc, char **argv, int *words)
{
    char two[128];
    for (*words = 2; *words > 0; (*words)--) {
        if (argc < *words) {
            continue;
        }
        snprintf(two, sizeof two, *words == 2 ? "%s %s" : "%s", argv[0], *words == 2 ? argv[1] : "");
        for (size_t i = 0; i < COMMAND_COUNT; i++) {
            if (strcmp(COMMANDS[i]->name, two) == 0) {
                return COMMANDS[i];
            }
        }
    }
    return NULL;
}

static int run_command(struct tool *tool, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        tool->json_wanted = tool->json_wanted || strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--help") == 0) {
            tool->json_wanted = false;
            tool_help_command(tool->out, tool->command);
            return TOOL_OK;
        }
    }
    int code = parse(tool, argc, argv);
    code = code == TOOL_OK ? check_required(tool, tool->command->operands, "") : code;
    code = code == TOOL_OK ? check_required(tool, tool->command->options, "--") : code;
    code = code == TOOL_OK ? tool->command->run(tool) : code;
    tool_progress(tool, NULL);
    print_json(tool, code == TOOL_OK);
    return code;
}

static bool is_group(const char *word)
{
    const size_t len = strlen(word);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strncmp(COMMANDS[i]->name, word, len) == 0 && COMMANDS[i]->name[len] == ' ') {
            return true;
        }
    }
    return false;
}

/* With --json a command line that names no command is answered by an object as well. */
static int no_command(FILE *out, bool json, const char *message)
{
    if (json) {
        json_t *object = json_pack("{s:{s:s, s:s}, s:b}", "error", "layer", "usage", "message", message, "ok", 0);
        json_dumpf(object, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        fputc('\n', out);
        json_decref(object);
    }
    return TOOL_USAGE;
}

/* Lists for who asks for help or stops half way ("card"); an error for what is no command. */
static int without_command(int argc, char **argv, FILE *out, FILE *err)
{
    const char *word[2] = {NULL, NULL};
    char message[200];
    size_t words = 0;
    bool help = false, json = false;
    for (int i = 1; i < argc; i++) {
        const bool asks = strcmp(argv[i], "--help") == 0 || (i == 1 && strcmp(argv[i], "help") == 0);
        const bool wants = strcmp(argv[i], "--json") == 0;
        help = help || asks;
        json = json || wants;
        if (!asks && !wants && words < 2) {
            word[words++] = argv[i];
        }
    }
    const bool group = words > 0 && is_group(word[0]);
    if (words == 0 || (words == 1 && group)) {
        tool_help_list(help ? out : err, word[0]);
        return help ? TOOL_OK : no_command(out, json, "a command is missing");
    }
    snprintf(message, sizeof message, "there is no command '%.80s%s%.80s'", word[0], group ? " " : "",
             group ? word[1] : "");
    fprintf(err, "scrip: %s\n  see: scrip %s%s--help\n", message, group ? word[0] : "", group ? " " : "");
    return no_command(out, json, message);
}

int tool_main(int argc, char **argv, FILE *out, FILE *err)
{
    static char version[] = "version";
    int words = 0;
    if (argc > 2 && strcmp(argv[1], "help") == 0 && find_command(argc - 2, argv + 2, &words) != NULL) {
        tool_help_command(out, find_command(argc - 2, argv + 2, &words));
        return TOOL_OK;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        argv[1] = version;
    }
    const struct tool_command *command = argc > 1 ? find_command(argc - 1, argv + 1, &words) : NULL;
    if (command == NULL) {
        return without_command(argc, argv, out, err);
    }
    struct tool tool = {.command = command, .json = json_object(), .out = out, .err = err, .program = argv[0]};
    const int code = run_command(&tool, argc - 1 - words, argv + 1 + words);
    json_decref(tool.json);
    free(tool.values);
    return code;
}
