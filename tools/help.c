/* help.c: --help, from the same tables as the parser. */
#include "frame.h"
#include <string.h>

#define COLUMN 26
#define WIDTH  100

static void put_spaces(FILE *out, size_t count)
{
    fprintf(out, "%*s", (int)count, "");
}

static size_t put_break(FILE *out, size_t indent)
{
    fputc('\n', out);
    put_spaces(out, indent);
    return indent;
}

/* Words of `text`, wrapped; continuation lines start at `indent`. Line breaks in the text are kept. */
static void put_wrapped(FILE *out, const char *text, size_t indent, size_t column)
{
    size_t spaces = 0; /* before the next word: a line ends without */
    while (*text != '\0') {
        const size_t word = strcspn(text, " \n");
        if (word > 0 && column + spaces + word > WIDTH && column > indent) {
            column = put_break(out, indent);
            spaces = 0;
        }
        if (word > 0) {
            put_spaces(out, spaces);
            fwrite(text, 1, word, out);
            column += spaces + word;
            spaces = 0;
            text += word;
        } else if (*text++ == '\n') {
            (void)put_break(out, *text != '\n' ? indent : 0);
            column = indent;
            spaces = 0;
        } else {
            spaces++;
        }
    }
    fputc('\n', out);
}

static void put_row(FILE *out, const char *head, const char *text)
{
    fprintf(out, "  %-*s", COLUMN - 2, head);
    if (strlen(head) > COLUMN - 3) {
        fputc('\n', out);
        put_spaces(out, COLUMN);
    }
    put_wrapped(out, text, COLUMN, COLUMN);
}

static void put_option(FILE *out, const struct tool_option *option, bool operand)
{
    char head[128], text[512];
    snprintf(head, sizeof head, "%s%s%s%s", operand ? "" : "--", operand ? option->value : option->name,
             !operand && option->value != NULL ? " " : "", !operand && option->value != NULL ? option->value : "");
    snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s", option->help, option->kind == TOOL_CHOICE ? ": " : "",
             option->kind == TOOL_CHOICE ? option->choices : "", option->initial != NULL ? " [" : "",
             option->initial != NULL ? option->initial : "", option->initial != NULL ? "]" : "",
             option->required && !operand ? " (required)" : "", option->repeat ? " (may be repeated)" : "");
    put_row(out, head, text);
}

static void visit_option(void *ctx, const struct tool_option *option)
{
    put_option(ctx, option, false);
}

static void put_synopsis(FILE *out, const struct tool_command *command)
{
    fprintf(out, "usage: scrip %s [OPTION]...", command->name);
    for (const struct tool_option *o = command->operands; o != NULL && o->name != NULL; o++) {
        fprintf(out, o->required ? " %s%s" : " [%s%s]", o->value, o->repeat ? "..." : "");
    }
    fputc('\n', out);
}

void tool_help_command(FILE *out, const struct tool_command *command)
{
    put_synopsis(out, command);
    fputc('\n', out);
    put_wrapped(out, command->text != NULL ? command->text : command->summary, 0, 0);
    if (command->operands != NULL) {
        fputc('\n', out);
    }
    for (const struct tool_option *o = command->operands; o != NULL && o->name != NULL; o++) {
        put_option(out, o, true);
    }
    fputs("\noptions:\n", out);
    tool_options_each(command, visit_option, out);
    if (command->example != NULL) {
        fprintf(out, "\nexample:\n%s\n", command->example);
    }
    fputs("\nexit code: 0 done, 1 refused or failed, 2 wrong usage\n", out);
}

static bool in_group(const struct tool_command *command, const char *prefix)
{
    const size_t len = prefix != NULL ? strlen(prefix) : 0;
    return prefix == NULL || (strncmp(command->name, prefix, len) == 0 && command->name[len] == ' ');
}

size_t tool_help_list(FILE *out, const char *prefix)
{
    size_t listed = 0;
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        if (!in_group(command, prefix)) {
            continue;
        }
        if (listed++ == 0) {
            fprintf(out, "usage: scrip %s%sCOMMAND [OPTION]...\n\n", prefix != NULL ? prefix : "",
                    prefix != NULL ? " " : "");
        }
        put_row(out, command->name, command->summary);
    }
    if (listed > 0) {
        fputs("\nscrip COMMAND --help tells more. Every command knows --json.\n"
              "A LINK is the way to a card: card:FILE, pcsc:0, pn532:DEVICE, mfrc522:DEVICE, tcp:HOST:PORT; "
              "trace:FILE:LINK and fault:SPEC:LINK wrap one.\n",
              out);
    }
    return listed;
}
