/* generate.c: man pages and shell completions, from the same tables as the parser. */
#include "frame.h"
#include <ctype.h>
#include <string.h>

/* ---- man(7) ---------------------------------------------------------------------------------------------------- */

/* A line of roff: '-' and '\' escaped, and no leading '.' or '\''. */
static void roff(FILE *out, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        line_start = *text == '\n';
        if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\n' && text[1] == '\n') {
            fputs("\n.PP", out);
        } else {
            fputc(*text, out);
        }
    }
}

static void man_title(FILE *out, const char *name)
{
    fputs(".TH SCRIP", out);
    for (; *name != '\0'; name++) {
        fputc(*name == ' ' ? '-' : toupper((unsigned char)*name), out);
    }
    fputs(" 1 \"\" \"scrip\" \"User Commands\"\n", out);
}

static void man_option(void *ctx, const struct tool_option *option)
{
    FILE *out = ctx;
    fputs(".TP\n.B ", out);
    roff(out, "--");
    roff(out, option->name);
    if (option->value != NULL) {
        fputs(" \\fI", out);
        roff(out, option->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    roff(out, option->help);
    if (option->kind == TOOL_CHOICE) {
        fputs(": ", out);
        roff(out, option->choices);
    }
    if (option->initial != NULL) {
        fputs("; without it: ", out);
        roff(out, option->initial);
    }
    fputs(option->required ? "; required" : "", out);
    fputs(option->repeat ? "; may be repeated.\n" : ".\n", out);
}

static void man_synopsis(FILE *out, const struct tool_command *command)
{
    fprintf(out, ".SH SYNOPSIS\n.B scrip %s\n[\\fIOPTION\\fR]...\n", command->name);
    for (const struct tool_option *o = command->operands; o != NULL && o->name != NULL; o++) {
        fprintf(out, o->required ? "\\fI%s\\fR%s\n" : "[\\fI%s\\fR]%s\n", o->value, o->repeat ? "..." : "");
    }
}

void tool_man_command(FILE *out, const struct tool_command *command)
{
    char title[128];
    snprintf(title, sizeof title, " %s", command->name);
    man_title(out, title);
    fputs(".SH NAME\nscrip", out);
    for (const char *c = title; *c != '\0'; c++) {
        fputs(*c == ' ' ? "\\-" : (char[]){*c, '\0'}, out);
    }
    fputs(" \\- ", out);
    roff(out, command->summary);
    fputc('\n', out);
    man_synopsis(out, command);
    fputs(".SH DESCRIPTION\n", out);
    roff(out, command->text != NULL ? command->text : command->summary);
    fputc('\n', out);
    for (const struct tool_option *o = command->operands; o != NULL && o->name != NULL; o++) {
        fprintf(out, ".TP\n.I %s\n", o->value);
        roff(out, o->help);
        fputs(".\n", out);
    }
    fputs(".SH OPTIONS\n", out);
    tool_options_each(command, man_option, out);
    if (command->example != NULL) {
        fputs(".SH EXAMPLE\n.nf\n", out);
        roff(out, command->example);
        fputs("\n.fi\n", out);
    }
    fputs(".SH EXIT STATUS\n0 done, 1 refused or failed, 2 wrong usage.\n.SH SEE ALSO\n.BR scrip (1)\n", out);
}

void tool_man_list(FILE *out)
{
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        fprintf(out, ".TP\n.B scrip %s\n", command->name);
        roff(out, command->summary);
        fputs(".\n", out);
    }
}

#define LINK_KINDS "card: pcsc: pn532: mfrc522: tcp: trace: fault:"

/* ---- completion ------------------------------------------------------------------------------------------------ */

/* The first words, each once: "card", "demo", ... or the second words of a group. */
static void put_words(FILE *out, const char *group)
{
    const size_t skip = group != NULL ? strlen(group) + 1 : 0;
    char last[64] = "";
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        if (group != NULL && (strncmp(command->name, group, skip - 1) != 0 || command->name[skip - 1] != ' ')) {
            continue;
        }
        const char *word = command->name + skip;
        const size_t len = strcspn(word, " ");
        if (strlen(last) == len && strncmp(last, word, len) == 0) {
            continue;
        }
        snprintf(last, sizeof last, "%.*s", (int)len, word);
        fprintf(out, "%s ", last);
    }
}

/* Calls `visit` once for each group ("card"). */
static void each_group(FILE *out, void (*visit)(FILE *out, const char *group))
{
    char last[64] = "";
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        const size_t len = strcspn(command->name, " ");
        if (command->name[len] == '\0' || (strlen(last) == len && strncmp(last, command->name, len) == 0)) {
            continue;
        }
        snprintf(last, sizeof last, "%.*s", (int)len, command->name);
        visit(out, last);
    }
}

static void bash_group(FILE *out, const char *group)
{
    fprintf(out, "        %s) words=\"", group);
    put_words(out, group);
    fputs("\" ;;\n", out);
}

static void bash_option_name(void *ctx, const struct tool_option *option)
{
    fprintf(ctx, "--%s ", option->name);
}

static void bash_option_value(void *ctx, const struct tool_option *option)
{
    static const char *const action[] = {
        [TOOL_FILE] = "files=1",
        [TOOL_LINK] = "link=1",
    };
    if (option->kind == TOOL_CHOICE) {
        fprintf(ctx, "        --%s) words=\"%s\" ;;\n", option->name, option->choices);
    } else if ((size_t)option->kind < sizeof action / sizeof action[0] && action[option->kind] != NULL) {
        fprintf(ctx, "        --%s) %s ;;\n", option->name, action[option->kind]);
    } else if (option->kind != TOOL_FLAG) {
        fprintf(ctx, "        --%s) words=\"\" ;;\n", option->name);
    }
}

static bool takes_files(const struct tool_command *command)
{
    for (const struct tool_option *o = command->operands; o != NULL && o->name != NULL; o++) {
        if (o->kind == TOOL_FILE) {
            return true;
        }
    }
    return false;
}

static void bash_command(FILE *out, const struct tool_command *command)
{
    fprintf(out, "    \"%s\")\n        case \"$prev\" in\n", command->name);
    tool_options_each(command, bash_option_value, out);
    fputs("        *) words=\"", out);
    tool_options_each(command, bash_option_name, out);
    fprintf(out, "\" %s;;\n        esac ;;\n", takes_files(command) ? "files=1 " : "");
}

/* Bash cuts what is typed at colons and equals signs too, which LINKs and --name=VALUE are full of. So the line is cut
 * at blanks here, and what bash has in place already is taken off the replies again. */
static const char BASH_HEAD[] =
    "# bash completion for scrip; generated from its option tables\n"
    "_scrip_reply() { # PREFIX: the words on standard input, behind what is in front of them\n"
    "    local word\n"
    "    while IFS= read -r word; do COMPREPLY+=(\"$1$word\"); done\n"
    "}\n"
    "_scrip_link() { # TYPED PREFIX: a LINK, or as much as there is of it\n"
    "    local link=$1 front=$2 part\n"
    "    while [[ $link == @(trace|fault):*:* ]]; do\n"
    "        part=${link#*:}\n"
    "        front+=${link%%:*}:${part%%:*}:\n"
    "        link=${part#*:}\n"
    "    done\n"
    "    case $link in\n"
    "    card:* | pn532:* | mfrc522:* | trace:*)\n"
    "        _scrip_reply \"$front${link%%:*}:\" < <(compgen -f -- \"${link#*:}\") ;;\n"
    "    *:*) ;;\n"
    "    *) _scrip_reply \"$front\" < <(compgen -W \"" LINK_KINDS "\" -- \"$link\") ;;\n"
    "    esac\n"
    "    compopt -o nospace 2>/dev/null\n"
    "}\n"
    "_scrip() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} words=\"\" files=0 link=0 group=\"\" front=\"\" cuts=\"\" typed i\n"
    "    read -ra typed <<<\"$line\"\n"
    "    [[ $line == *[[:blank:]] ]] && typed+=(\"\")\n"
    "    local n=$((${#typed[@]} - 1))\n"
    "    local cur=${typed[n]} prev=${typed[n - 1]} whole=${typed[n]}\n"
    "    local one=${typed[1]:-} two=\"${typed[1]:-} ${typed[2]:-}\"\n"
    "    if [[ $cur == --*=* ]]; then prev=${cur%%=*} front=$prev= cur=${cur#*=}; fi\n"
    "    COMPREPLY=()\n"
    "    if [[ $one == help && $n -gt 1 ]]; then n=$((n - 1)) one=${typed[2]:-}; fi\n"
    "    if [ \"$n\" -eq 1 ]; then\n"
    "        COMPREPLY=($(compgen -W \"";

static const char BASH_TAIL[] =
    "    *) continue ;;\n    esac\n    break\n    done\n"
    "    if [ \"$link\" = 1 ]; then _scrip_link \"$cur\" \"$front\"; fi\n"
    "    _scrip_reply \"$front\" < <(compgen -W \"$words\" -- \"$cur\")\n"
    "    if [ \"$files\" = 1 ]; then _scrip_reply \"$front\" < <(compgen -f -- \"$cur\"); fi\n"
    "    [[ $COMP_WORDBREAKS == *:* ]] && cuts+=:\n"
    "    [[ $COMP_WORDBREAKS == *=* ]] && cuts+==\n"
    "    [[ -n $cuts && $whole == *[$cuts]* ]] && front=${whole%\"${whole##*[$cuts]}\"} || front=\"\"\n"
    "    for i in \"${!COMPREPLY[@]}\"; do COMPREPLY[i]=${COMPREPLY[i]#\"$front\"}; done\n"
    "}\ncomplete -o filenames -F _scrip scrip\n";

void tool_completion_bash(FILE *out)
{
    fputs(BASH_HEAD, out);
    put_words(out, NULL);
    fputs("help\" -- \"$cur\"))\n        return\n    fi\n"
          "    if [ \"$n\" -eq 2 ]; then\n        case \"$one\" in\n",
          out);
    each_group(out, bash_group);
    fputs("        *) words=\"\" ;;\n        esac\n"
          "        if [ -n \"$words\" ]; then COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")); return; fi\n"
          "    fi\n"
          "    for group in \"$two\" \"$one\"; do\n    case \"$group\" in\n",
          out);
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        bash_command(out, command);
    }
    fputs(BASH_TAIL, out);
}

/* Text inside single quotes of an _arguments specification. */
static void zsh_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else if (*text == '[' || *text == ']' || *text == ':') {
            fprintf(out, "\\%c", *text);
        } else {
            fputc(*text, out);
        }
    }
}

static void zsh_option(void *ctx, const struct tool_option *option)
{
    FILE *out = ctx;
    fprintf(out, " \\\n            '%s--%s[", option->repeat ? "*" : "", option->name);
    zsh_text(out, option->help);
    fputc(']', out);
    if (option->kind == TOOL_FILE) {
        fprintf(out, ":%s:_files", option->value);
    } else if (option->kind == TOOL_CHOICE) {
        fprintf(out, ":%s:(%s)", option->value, option->choices);
    } else if (option->kind == TOOL_LINK) {
        fprintf(out, ":%s:_scrip_link", option->value);
    } else if (option->kind != TOOL_FLAG) {
        fprintf(out, ":%s: ", option->value);
    }
    fputc('\'', out);
}

static void zsh_group(FILE *out, const char *group)
{
    fprintf(out, "        %s) compadd ", group);
    put_words(out, group);
    fputs("; return ;;\n", out);
}

void tool_completion_zsh(FILE *out)
{
    fputs("#compdef scrip\n# zsh completion for scrip; generated from its option tables\n"
          "_scrip_link() {\n"
          "    local file\n"
          "    while [[ $PREFIX == (trace|fault):*:* ]]; do\n"
          "        file=${${PREFIX#*:}%%:*}\n"
          "        compset -P \"${PREFIX%%:*}:${(b)file}:\" || return\n"
          "    done\n"
          "    if compset -P '(card|pn532|mfrc522|trace):'; then _files; else compadd -S '' -- " LINK_KINDS "; fi\n"
          "}\n"
          "_scrip() {\n"
          "    local group\n"
          "    if (( CURRENT == 2 )); then compadd ",
          out);
    put_words(out, NULL);
    fputs("help; return; fi\n    if (( CURRENT == 3 )); then case $words[2] in\n", out);
    each_group(out, zsh_group);
    fputs("        help) compadd ", out);
    put_words(out, NULL);
    fputs("; return ;;\n        esac\n    fi\n    for group in \"$words[2] $words[3]\" \"$words[2]\"; do\n        case "
          "$group in\n",
          out);
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        const unsigned words = strchr(command->name, ' ') != NULL ? 2 : 1; /* they are no operands to _arguments */
        fprintf(out, "        '%s') shift %u words; (( CURRENT -= %u )); _arguments", command->name, words, words);
        tool_options_each(command, zsh_option, out);
        fprintf(out, "%s; return ;;\n", takes_files(command) ? " '*:file:_files'" : "");
    }
    fputs("        esac\n    done\n}\n_scrip \"$@\"\n", out);
}
