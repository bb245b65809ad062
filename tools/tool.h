/* tool.h: the frame that every subcommand of `scrip` stands in.
 *
 * A subcommand is one `struct tool_command`: its option table feeds the parser, --help, the man page and the shell
 * completions, so they cannot disagree. To add one: tools/<name>.c defines `const struct tool_command tool_<name>`, and
 * tools/commands.def gets a line COMMAND(tool_<name>).
 *
 * Exit codes: 0 done, 1 refused or failed, 2 wrong usage. With --json, standard output is exactly one JSON object:
 * {"ok": true, ...} or {"ok": false, "error": {"layer", "status", "sw", "message", "card", "remedy"}}; everything for
 * people goes to standard error then. */
#ifndef SCRIP_TOOL_H
#define SCRIP_TOOL_H

#include <jansson.h>
#include <scrip/bytes.h>
#include <scrip/link.h>
#include <scrip/money.h>
#include <stdio.h>

#define TOOL_OK     0
#define TOOL_FAILED 1
#define TOOL_USAGE  2

/** What an option's value is; it decides how it is checked and completed. */
enum tool_kind {
    TOOL_FLAG,   /**< no value */
    TOOL_TEXT,   /**< any text */
    TOOL_NUMBER, /**< a decimal integer, 0 .. 2^63-1 */
    TOOL_FILE,   /**< a path: completed as a file */
    TOOL_LINK,   /**< a LINK string: card:FILE, pcsc:0, tcp:HOST:PORT, trace:..., fault:... */
    TOOL_HEX,    /**< hex digits, an even number; blanks are allowed, and taken out */
    TOOL_CHOICE, /**< one of `choices`, words separated by blanks */
};

/** One option `--name VALUE` (or `--name=VALUE`), or one operand. */
struct tool_option {
    const char *name; /**< without dashes; NULL ends the table */
    enum tool_kind kind;
    const char *value;   /**< how the value is called in help: "FILE"; NULL for flags */
    const char *help;    /**< one sentence, no final stop; starts small */
    const char *choices; /**< TOOL_CHOICE only */
    const char *initial; /**< shown in help and used when the option is absent; NULL: none */
    bool required;
    bool repeat; /**< may be given more than once */
};

struct tool;

/** One subcommand. */
struct tool_command {
    const char *name;                   /**< words as typed: "topup", "card new" */
    const char *summary;                /**< one line, starts small, no final stop */
    const char *text;                   /**< what it does, paragraphs separated by empty lines */
    const struct tool_option *operands; /**< in order; the last may repeat; NULL: none */
    const struct tool_option *options;  /**< own options, --help and --json come by themselves; NULL: none */
    const char *example;                /**< lines that a user may type; NULL: none */
    /** Do it. @return TOOL_OK, or what tool_fail / tool_usage returned */
    int (*run)(struct tool *tool);
};

/* ---- what was typed -------------------------------------------------------------------------------------------- */

/** The value of an option or operand (by its name), or its initial value, or NULL. Borrowed until the end. */
const char *tool_text(const struct tool *tool, const char *name);
/** Value number `i` of a repeated option or operand; NULL behind the last. */
const char *tool_text_at(const struct tool *tool, const char *name, size_t i);
/** Was it given (or has it an initial value)? */
bool tool_has(const struct tool *tool, const char *name);
/** A TOOL_NUMBER; `otherwise` when absent. */
int64_t tool_number(const struct tool *tool, const char *name, int64_t otherwise);
/** A TOOL_HEX into `cap` bytes at `dst`. @return its length; 0 when absent */
size_t tool_hex(const struct tool *tool, const char *name, uint8_t *dst, size_t cap);
/** The same of any text. @return 0 also when it is no hex, or longer than `cap` */
size_t tool_hex_of(const char *text, uint8_t *dst, size_t cap);
/** Is --json on? */
bool tool_json_wanted(const struct tool *tool);

/* ---- what is said ---------------------------------------------------------------------------------------------- */

/** A line for people on standard output; nothing with --json. A newline is added. */
void tool_say(struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A line for people on standard error: warnings, notes. A newline is added. */
void tool_note(struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Progress of long work: one line rewritten in place, only when standard error is a terminal. NULL: clear it. */
void tool_progress(struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Put a value into the JSON object that is printed at the end (and only with --json). Takes over `value`. */
void tool_put(struct tool *tool, const char *name, json_t *value);
/** An amount in the currency's format. @return `text` */
const char *tool_money(const struct tool *tool, int64_t minor, char text[SCRIP_MONEY_TEXT_MAX]);

/** From here on amounts are in the currency of this ISO 4217 number, unless --currency was given. */
void tool_set_currency(struct tool *tool, uint16_t number);

/** The layer that said no. */
enum tool_layer {
    TOOL_LAYER_READER,
    TOOL_LAYER_CARD,
    TOOL_LAYER_KEY,
    TOOL_LAYER_RIGHT,
    TOOL_LAYER_LIMIT,
    TOOL_LAYER_MAC,
    TOOL_LAYER_NETWORK,
    TOOL_LAYER_LEDGER,
    TOOL_LAYER_FILE,
    TOOL_LAYER_CLOCK,
    TOOL_LAYER_COUNT,
};

/** What a card is like after a failure. */
enum tool_card_state {
    TOOL_CARD_NONE,      /**< no card took part */
    TOOL_CARD_UNTOUCHED, /**< nothing on it was changed */
    TOOL_CARD_UNKNOWN,   /**< a commit was sent and not answered: old or new, never in between */
    TOOL_CARD_CHANGED,   /**< the change was committed */
    TOOL_CARD_MENDED,    /**< a torn copy was mended, the value is as it was */
    TOOL_CARD_HALF_MADE, /**< personalisation began and did not end */
};

/** Where in a conversation with a card it happened: the same status byte means other things elsewhere. */
enum tool_stage {
    TOOL_STAGE_ANY,
    TOOL_STAGE_SELECT, /**< selecting the application */
    TOOL_STAGE_AUTH_1, /**< part 1 of an authentication: a refusal is about the key's number or type */
    TOOL_STAGE_AUTH_2, /**< part 2: a refusal is about the key's value */
    TOOL_STAGE_DATA,   /**< a command inside the session */
    TOOL_STAGE_COMMIT,
};

/** Problems with a name. TOOL_PROBLEM(id, name, as the server's JSON calls it); the texts are in tools/failure.c. */
#define TOOL_PROBLEMS(TOOL_PROBLEM)                                                                                    \
    TOOL_PROBLEM(WRONG_KEY, "wrong key")                                                                               \
    TOOL_PROBLEM(WRONG_KEY_TYPE, "wrong key type")                                                                     \
    TOOL_PROBLEM(WRONG_APPLICATION, "wrong application")                                                               \
    TOOL_PROBLEM(MISSING_RIGHT, "missing right")                                                                       \
    TOOL_PROBLEM(LIMIT, "limit")                                                                                       \
    TOOL_PROBLEM(FUNDS, "not enough value")                                                                            \
    TOOL_PROBLEM(CURRENCY, "another currency")                                                                         \
    TOOL_PROBLEM(NO_CURRENCY, "currency not known")                                                                    \
    TOOL_PROBLEM(UNIT, "no multiple of the unit")                                                                      \
    TOOL_PROBLEM(TORN, "torn card")                                                                                    \
    TOOL_PROBLEM(UNKNOWN_CARD, "unknown card")                                                                         \
    TOOL_PROBLEM(ROLLBACK, "rollback")                                                                                 \
    TOOL_PROBLEM(HELD, "held card")                                                                                    \
    TOOL_PROBLEM(EXPIRED, "expired order")                                                                             \
    TOOL_PROBLEM(FUNDED_TWICE, "funded twice")                                                                         \
    TOOL_PROBLEM(CLOCK, "clock skew")                                                                                  \
    TOOL_PROBLEM(NO_CARD, "no card")                                                                                   \
    TOOL_PROBLEM(READER, "reader")                                                                                     \
    TOOL_PROBLEM(MAC, "altered data")                                                                                  \
    TOOL_PROBLEM(MISSING_KEY, "missing key")                                                                           \
    TOOL_PROBLEM(NEWEST_KEY, "newest key")                                                                             \
    TOOL_PROBLEM(KEY_STORE, "key store")                                                                               \
    TOOL_PROBLEM(NETWORK, "network")                                                                                   \
    TOOL_PROBLEM(DENIED, "access denied")                                                                              \
    TOOL_PROBLEM(CONFLICT, "conflict")                                                                                 \
    TOOL_PROBLEM(STALE, "stale")                                                                                       \
    TOOL_PROBLEM(UNKNOWN_ORDER, "unknown order")                                                                       \
    TOOL_PROBLEM(ORDER_STATE, "order state")                                                                           \
    TOOL_PROBLEM(LEDGER, "ledger")                                                                                     \
    TOOL_PROBLEM(FILE, "file")                                                                                         \
    TOOL_PROBLEM(REFUSED_BY_SERVER, "refused by the server")                                                           \
    TOOL_PROBLEM(FORK, "fork")                                                                                         \
    TOOL_PROBLEM(NO_LEDGER, "no ledger")                                                                               \
    TOOL_PROBLEM(ADDRESS, "address")                                                                                   \
    TOOL_PROBLEM(LINES_REFUSED, "lines refused")                                                                       \
    TOOL_PROBLEM(UNSAFE_PROFILE, "unsafe profile")                                                                     \
    TOOL_PROBLEM(BOOK, "book")                                                                                         \
    TOOL_PROBLEM(WRONG_FAMILY, "wrong card family")                                                                    \
    TOOL_PROBLEM(NOT_THIS_PURSE, "not with this purse")                                                                \
    TOOL_PROBLEM(FOREIGN_SECTOR, "foreign sector")                                                                     \
    TOOL_PROBLEM(BLANK_SECTOR, "no purse yet")                                                                         \
    TOOL_PROBLEM(SECTOR_RIGHT, "missing right in the sector")                                                          \
    TOOL_PROBLEM(DAMAGED, "damaged card")                                                                              \
    TOOL_PROBLEM(NOT_DAMAGED, "card is not damaged")                                                                   \
    TOOL_PROBLEM(UNCONFIRMED, "not confirmed")                                                                         \
    TOOL_PROBLEM(HAS_PURSE, "purse exists")                                                                            \
    TOOL_PROBLEM(CREDITED, "credited already")                                                                         \
    TOOL_PROBLEM(UNDECIDED, "undecided payment")                                                                       \
    TOOL_PROBLEM(JOURNAL_FULL, "journal full")                                                                         \
    TOOL_PROBLEM(NO_DESFIRE, "no DESFire")                                                                             \
    TOOL_PROBLEM(OLD_CARD, "card too old")                                                                             \
    TOOL_PROBLEM(NO_MEMORY, "too little memory")                                                                       \
    TOOL_PROBLEM(MASTER_KEY, "unknown master key")                                                                     \
    TOOL_PROBLEM(FOREIGN_APPLICATION, "foreign application")                                                           \
    TOOL_PROBLEM(OTHER_PROFILE, "purse of another profile")                                                            \
    TOOL_PROBLEM(OTHER_KEYS, "purse with other keys")                                                                  \
    TOOL_PROBLEM(TORN_MAKING, "torn while it was made")                                                                \
    TOOL_PROBLEM(STEP, "step of the demonstration")                                                                    \
    TOOL_PROBLEM(REFUSED, "refused")                                                                                   \
    TOOL_PROBLEM(OTHER, "other")

enum tool_problem {
    TOOL_PROBLEM_DERIVE, /**< find it from status, sw and stage */
#define TOOL_PROBLEM(id, name) TOOL_PROBLEM_##id,
    TOOL_PROBLEMS(TOOL_PROBLEM)
#undef TOOL_PROBLEM
        TOOL_PROBLEM_COUNT
};

/** A refusal in the server's own words, for problems that this program has none for. NULL: not said. */
struct tool_said {
    const char *title;
    const char *remedy;
    const char *layer; /**< as the server's JSON calls it: request, key, right, order, card, ledger, network, server */
};

/** A failure. Name the problem where it is known; otherwise it is derived from status, sw and stage. */
struct tool_failure {
    enum scrip_status status;
    uint16_t sw; /**< the card's status word as received; 0: none */
    enum tool_stage stage;
    enum tool_problem problem;
    enum tool_card_state card;
    const char *what;             /**< what was being done: "opening the card", "crediting 20,00 €"; NULL: not said */
    const char *detail;           /**< more, e.g. the link's or the server's own message; NULL: none */
    const struct tool_said *said; /**< counts where the problem is REFUSED_BY_SERVER; NULL: none */
};

/** Say why it failed: layer, what, the card's state now, the remedy. @return TOOL_FAILED */
int tool_fail(struct tool *tool, const struct tool_failure *failure);
/** Shorthand without a card: status and what was being done. @return TOOL_FAILED */
int tool_fail_status(struct tool *tool, enum scrip_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** The command line is wrong. @return TOOL_USAGE */
int tool_usage(struct tool *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Print the JSON object now instead of at the end: for programs that stay up (serve, card present). */
void tool_flush(struct tool *tool);

/* ---- common ground --------------------------------------------------------------------------------------------- */

/** Ready rows for option tables. */
#define TOOL_OPTION_READER                                                                                             \
    {                                                                                                                  \
        .name = "reader", .kind = TOOL_LINK, .value = "LINK", .help = "the way to the card", .required = true          \
    }
#define TOOL_OPTION_WAIT                                                                                               \
    {                                                                                                                  \
        .name = "wait", .kind = TOOL_NUMBER, .value = "SECONDS", .help = "how long to wait for a card",                \
        .initial = "10"                                                                                                \
    }
#define TOOL_OPTION_CURRENCY                                                                                           \
    {                                                                                                                  \
        .name = "currency", .kind = TOOL_TEXT, .value = "CODE", .help = "ISO 4217 code that amounts are shown in",     \
        .initial = "EUR"                                                                                               \
    }

/** Open --reader and wait for a card up to --wait seconds. Says why when it fails. What passes is counted: closing the
 *  link puts "apdus", "apdu_bytes" and "card_us" into the JSON object.
 *  @param link  receives the link; close it with scrip_link_close
 *  @return TOOL_OK or TOOL_FAILED */
int tool_connect(struct tool *tool, struct scrip_link **link, struct scrip_card_info *info);

#endif
