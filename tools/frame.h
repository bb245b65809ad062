/* frame.h: the inside of the frame, for frame.c, failure.c, help.c, generate.c and their tests. */
#ifndef SCRIP_TOOL_FRAME_H
#define SCRIP_TOOL_FRAME_H

#include "tool.h"

struct tool_value {
    const struct tool_option *option;
    const char *text;
};

struct tool {
    const struct tool_command *command;
    struct tool_value *values;
    size_t value_count;
    bool json_wanted;
    bool flushed;
    bool progress_shown;
    json_t *json;
    FILE *out, *err;
    const char *program; /* argv[0], for commands that start others */
    char currency[12];   /* what amounts are shown in where --currency is not given; empty: EUR */
};

/** Options that every command has. Ends with a row whose name is NULL. */
extern const struct tool_option tool_common_options[];

/** Command `i` of the table; NULL behind the last. */
const struct tool_command *tool_command_at(size_t i);

/** Call `visit` for each own and then each common option of a command. */
void tool_options_each(const struct tool_command *command, void (*visit)(void *ctx, const struct tool_option *option),
                       void *ctx);

/** The whole program. Output goes to `out` and `err`. @return the exit code */
int tool_main(int argc, char **argv, FILE *out, FILE *err);

/** How `scrip COMMAND --help` looks. */
void tool_help_command(FILE *out, const struct tool_command *command);
/** How `scrip --help` (prefix NULL) or `scrip card --help` looks. @return how many commands were listed */
size_t tool_help_list(FILE *out, const char *prefix);

/** Man page of one command, in man(7) macros. */
void tool_man_command(FILE *out, const struct tool_command *command);
/** The list of commands for scrip(1). */
void tool_man_list(FILE *out);
/** Completion scripts. */
void tool_completion_bash(FILE *out);
void tool_completion_zsh(FILE *out);

/** What the failure table says, or the server: static texts, or borrowed from the failure. */
struct tool_verdict {
    enum tool_problem problem;
    const char *name; /**< of the problem */
    enum tool_layer layer;
    const char *text;
    const char *remedy;
};

/** Look a failure up. Always finds a row. */
struct tool_verdict tool_failure_lookup(const struct tool_failure *failure);
/** "reader", "card", ... */
const char *tool_layer_name(enum tool_layer layer);
/** What the state means, one sentence. */
const char *tool_card_state_text(enum tool_card_state state);

#endif
