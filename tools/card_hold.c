/* card_hold.c: scrip card hold|release|deny|allow: what an operator decides about a card, over the HTTP API. */
#include "common.h"
#include <string.h>

#define OPTIONS_OF_SERVER TOOL_OPTION_SERVER, TOOL_OPTION_CA, TOOL_OPTION_API_KEY
#define OPTION_REASON                                                                                                  \
    {                                                                                                                  \
        .name = "reason", .kind = TOOL_TEXT, .value = "TEXT", .help = "for the record", .required = true               \
    }

static const struct tool_option UID_OPERAND[] = {
    {.name = "uid", .kind = TOOL_HEX, .value = "UID", .help = "the card's UID, 14 hex digits, or 8", .required = true},
    {.name = NULL},
};

static void say_card(struct tool *tool, const json_t *card)
{
    const char *reason = json_string_value(json_object_get(card, "reason"));
    const bool held = json_is_true(json_object_get(card, "held"));
    const bool denied = json_is_true(json_object_get(card, "denied"));
    tool_say(tool, "card %s is %s%s%s", tool_text(tool, "uid"),
             held     ? "held: it does nothing until it is released"
             : denied ? "deny-listed: it settles what is open, and is issued nothing"
                      : "free",
             (held || denied) && reason != NULL ? "; " : "", (held || denied) && reason != NULL ? reason : "");
}

static int decide(struct tool *tool, const char *action, const char *what)
{
    char path[64];
    json_t *answer = NULL;
    const char *uid = tool_text(tool, "uid");
    if (strlen(uid) != 14 && strlen(uid) != 8) {
        return tool_usage(tool, "a UID has 14 hex digits, or 8");
    }
    snprintf(path, sizeof path, "/api/v1/cards/%s/%s", uid, action);
    json_t *body = tool_has(tool, "reason") ? json_pack("{s:s}", "reason", tool_text(tool, "reason")) : NULL;
    const int code = tool_http(tool, "POST", path, body, what, &answer);
    if (code == TOOL_OK) {
        say_card(tool, answer);
        tool_put_all(tool, answer);
    }
    json_decref(body);
    json_decref(answer);
    return code;
}

static int hold(struct tool *tool)
{
    return decide(tool, "hold", "holding the card");
}

static int release(struct tool *tool)
{
    return decide(tool, "release", "releasing the card");
}

static int deny(struct tool *tool)
{
    return decide(tool, "deny", "putting the card on the deny list");
}

static int allow(struct tool *tool)
{
    return decide(tool, "allow", "taking the card off the deny list");
}

const struct tool_command tool_card_hold = {
    .name = "card hold",
    .summary = "let a card do nothing until somebody has looked into it",
    .text = "Nothing is settled with a held card and nothing is issued to it. The server holds a card by itself when "
            "what the card shows contradicts the book.",
    .operands = UID_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER, OPTION_REASON, {.name = NULL}},
    .run = hold,
};

const struct tool_command tool_card_release = {
    .name = "card release",
    .summary = "let a held card go on",
    .text =
        "For a card that was looked into: scrip ledger reconcile says what is wrong with it, scrip balance and scrip "
        "history what is on it. Its disputed orders are decided by scrip order resolve.",
    .operands = UID_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER, {.name = NULL}},
    .example = "  scrip card release 04A1B2C3D4E5F6 --server https://topup.example",
    .run = release,
};

const struct tool_command tool_card_deny = {
    .name = "card deny",
    .summary = "issue nothing more to a card, because it was lost or stolen",
    .text = "A card on the deny list still settles what is open, but no order reaches it.",
    .operands = UID_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER, OPTION_REASON, {.name = NULL}},
    .run = deny,
};

const struct tool_command tool_card_allow = {
    .name = "card allow",
    .summary = "take a card off the deny list",
    .operands = UID_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER, {.name = NULL}},
    .run = allow,
};
