/* order.c: scrip order create|fund|show|cancel|claim|resolve|list, card register: what the operator and his shop do,
 * over the HTTP API. */
#include "common.h"
#include <ctype.h>
#include <fcntl.h>
#include <scrip/posix.h>
#include <string.h>

#define OPTIONS_OF_SERVER TOOL_OPTION_SERVER, TOOL_OPTION_CA, TOOL_OPTION_API_KEY, TOOL_OPTION_CURRENCY

static const struct tool_option ORDER_OPERAND[] = {
    {.name = "id", .kind = TOOL_TEXT, .value = "ID", .help = "the order's id", .required = true},
    {.name = NULL},
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static void say_order(struct tool *tool, const json_t *order)
{
    char money[SCRIP_MONEY_TEXT_MAX] = "";
    const json_t *amount = json_object_get(order, "amount");
    if (amount != NULL) {
        tool_money(tool, json_integer_value(json_object_get(amount, "minor")), money);
    }
    tool_say(tool, "%-22s %-6s %14s  card %s  %s: %s", text_of(order, "id"), text_of(order, "kind"), money,
             text_of(order, "card"), text_of(order, "state"), text_of(order, "state_text"));
}

/* ---- create ---------------------------------------------------------------------------------------------------- */

/* An id that nobody has used: 128 random bits. */
static enum scrip_status new_id(char id[40])
{
    uint8_t bytes[16];
    const struct scrip_random random = scrip_random_system();
    SCRIP_TRY(random.fill(random.ctx, bytes, sizeof bytes));
    id[0] = 'o';
    id[1] = '-';
    tool_hex_text(SCRIP_BYTES_OF(bytes), id + 2);
    return SCRIP_OK;
}

/* The token lets the phone relay this order, and nothing else. */
static int keep_token(struct tool *tool, const json_t *order)
{
    const char *path = tool_text(tool, "token-out");
    if (path == NULL) {
        tool_say(tool, "phone token: %s", text_of(order, "phone_token"));
        return TOOL_OK;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL || fprintf(file, "%s\n", text_of(order, "phone_token")) < 0 || fclose(file) != 0) {
        return tool_fail_status(tool, SCRIP_E_IO, "writing the phone token to %s", path);
    }
    return TOOL_OK;
}

/* What the other kinds need is checked by the server, which has the keys and knows the card. */
static void put_details(struct tool *tool, json_t *body)
{
    static const char *const numbers[][2] = {{"offset", "offset"}, {"key-version", "key_version"}};
    if (tool_has(tool, "data")) {
        json_object_set_new(body, "data", json_string(tool_text(tool, "data")));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (tool_has(tool, numbers[i][0])) {
            json_object_set_new(body, numbers[i][1], json_integer(tool_number(tool, numbers[i][0], 0)));
        }
    }
}

static int create(struct tool *tool)
{
    char id[40];
    int32_t amount = 0;
    json_t *answer = NULL;
    if (tool_has(tool, "id")) {
        snprintf(id, sizeof id, "%s", tool_text(tool, "id"));
    } else if (new_id(id) != SCRIP_OK) {
        return tool_fail_status(tool, SCRIP_E_RANDOM, "making an order id");
    }
    json_t *body = json_pack("{s:s, s:s, s:s}", "id", tool_has(tool, "id") ? tool_text(tool, "id") : id, "card",
                             tool_text(tool, "card"), "kind", tool_text(tool, "kind"));
    int code = TOOL_OK;
    if (strcmp(tool_text(tool, "kind"), "topup") == 0) {
        code = tool_has(tool, "amount") ? tool_amount(tool, "amount", &amount)
                                        : tool_usage(tool, "a top-up needs --amount");
        json_object_set_new(body, "amount", json_integer(amount));
        json_object_set_new(body, "currency", json_string(tool_text(tool, "currency")));
    }
    put_details(tool, body);
    code = code == TOOL_OK ? tool_http(tool, "POST", "/api/v1/orders", body, "creating the order", &answer) : code;
    if (code == TOOL_OK) {
        say_order(tool, answer);
        tool_put_all(tool, answer);
        code = keep_token(tool, answer);
    }
    json_decref(body);
    json_decref(answer);
    return code;
}

const struct tool_command tool_order_create = {
    .name = "order create",
    .summary = "order value, a reading, data or new keys for a card",
    .text =
        "Makes an order for one card. The id is made here and belongs to this intent for ever: the same command with "
        "the same id changes nothing, so it may be repeated after any failure. The order must be funded before it "
        "can reach the card.",
    .options =
        (const struct tool_option[]){
            OPTIONS_OF_SERVER,
            {.name = "card",
             .kind = TOOL_HEX,
             .value = "UID",
             .help = "the card's UID, 14 hex digits",
             .required = true},
            {.name = "amount",
             .kind = TOOL_TEXT,
             .value = "AMOUNT",
             .help = "how much, as people write it: 20, 20.50, \"20,50 €\""},
            {.name = "kind",
             .kind = TOOL_CHOICE,
             .value = "KIND",
             .help = "what for",
             .choices = "topup read write rekey",
             .initial = "topup"},
            {.name = "data",
             .kind = TOOL_HEX,
             .value = "HEX",
             .help = "kind write: 1 to 60 bytes for the free part of the card header"},
            {.name = "offset", .kind = TOOL_NUMBER, .value = "BYTES", .help = "kind write: where in it they go"},
            {.name = "key-version",
             .kind = TOOL_NUMBER,
             .value = "VERSION",
             .help = "kind rekey: version of pay, write and topup key that the card gets"},
            {.name = "id", .kind = TOOL_TEXT, .value = "ID", .help = "the order's id; else a random one"},
            {.name = "token-out",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "write the phone's token for this order here"},

            {.name = NULL}},
    .example = "  scrip order create --server https://topup.example --card 04A1B2C3D4E5F6 --amount 20",
    .run = create,
};

/* ---- one order ------------------------------------------------------------------------------------------------- */

/* What the command has of these goes along. @return NULL: nothing */
static json_t *body_of_order(const struct tool *tool)
{
    static const struct {
        const char *option;
        const char *member;
    } rows[] = {{"payment", "funding_id"}, {"reason", "reason"}, {"decision", "decision"}, {"memo", "memo"}};
    json_t *body = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (tool_has(tool, rows[i].option)) {
            body = body != NULL ? body : json_object();
            json_object_set_new(body, rows[i].member, json_string(tool_text(tool, rows[i].option)));
        }
    }
    return body;
}

static int on_order(struct tool *tool, const char *method, const char *action, const char *what)
{
    char path[256];
    json_t *answer = NULL;
    if (!tool_is_order_id(tool_text(tool, "id"))) {
        return tool_usage(tool, "'%s' is no order id", tool_text(tool, "id"));
    }
    snprintf(path, sizeof path, "/api/v1/orders/%s%s", tool_text(tool, "id"), action);
    json_t *body = body_of_order(tool);
    const int code = tool_http(tool, method, path, body, what, &answer);
    if (code == TOOL_OK) {
        say_order(tool, answer);
        tool_put_all(tool, answer);
    }
    json_decref(body);
    json_decref(answer);
    return code;
}

static int show(struct tool *tool)
{
    return on_order(tool, "GET", "", "asking for the order");
}

static int fund(struct tool *tool)
{
    return on_order(tool, "POST", "/fund", "funding the order");
}

static int cancel(struct tool *tool)
{
    return on_order(tool, "POST", "/cancel", "cancelling the order");
}

static int claim(struct tool *tool)
{
    return on_order(tool, "POST", "/claim", "paying the order back");
}

static int resolve(struct tool *tool)
{
    return on_order(tool, "POST", "/resolve", "deciding the order");
}

const struct tool_command tool_order_fund = {
    .name = "order fund",
    .summary = "say that an order was paid",
    .text = "Tells the server that the money for an order is there, under the shop's own id of the payment. The same "
            "payment may be told any number of times; a second payment for the same order is refused.",
    .operands = ORDER_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER,
                                            {.name = "payment",
                                             .kind = TOOL_TEXT,
                                             .value = "ID",
                                             .help = "the shop's id of the payment",
                                             .required = true},
                                            {.name = NULL}},
    .example = "  scrip order fund o-1 --server https://topup.example --payment p-1",
    .run = fund,
};

const struct tool_command tool_order_show = {
    .name = "order show",
    .summary = "the state of an order",
    .operands = ORDER_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER, {.name = NULL}},
    .run = show,
};

const struct tool_command tool_order_cancel = {
    .name = "order cancel",
    .summary = "cancel an order that has not reached the card",
    .text = "Cancels an order and gives the money back. Once value is on its way to the card this is refused: only the "
            "card's own proof settles the order then, at its next tap.",
    .operands = ORDER_OPERAND,
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER, {.name = NULL}},
    .run = cancel,
};

const struct tool_command tool_order_claim = {
    .name = "order claim",
    .summary = "pay an order back whose outcome nobody can tell any more",
    .text =
        "For an order that reached a card which does not come back. The money is returned and the card deny-listed: it "
        "settles what is open, but is issued nothing. If the value turns up on it after all, its holder owes it.",
    .operands = ORDER_OPERAND,
    .options =
        (const struct tool_option[]){
            OPTIONS_OF_SERVER,
            {.name = "reason", .kind = TOOL_TEXT, .value = "TEXT", .help = "for the record", .required = true},
            {.name = NULL}},
    .example = "  scrip order claim o-1 --reason 'card lost' --server https://topup.example",
    .run = claim,
};

const struct tool_command tool_order_resolve = {
    .name = "order resolve",
    .summary = "decide a disputed order, or close what a holder owed",
    .text =
        "A disputed order is one whose evidence contradicts itself. Look at the card first (scrip balance, scrip "
        "history), then say whether its value is on it. What a holder owes after a claim is collected or written off.",
    .operands = ORDER_OPERAND,
    .options =
        (const struct tool_option[]){OPTIONS_OF_SERVER,
                                     {.name = "decision",
                                      .kind = TOOL_CHOICE,
                                      .value = "DECISION",
                                      .help = "what is so",
                                      .choices = "on-card not-on-card collected written-off",
                                      .required = true},
                                     {.name = "memo", .kind = TOOL_TEXT, .value = "TEXT", .help = "for the record"},
                                     {.name = NULL}},
    .example = "  scrip order resolve o-1 --decision on-card --memo 'seen on the card' --server https://topup.example",
    .run = resolve,
};

/* States are typed as they are read in a sentence; the server has them in capitals. */
static void add_state(char *path, size_t cap, const char *state)
{
    size_t len = strlen(path);
    len += (size_t)snprintf(path + len, cap - len, "&state=");
    for (; *state != '\0' && len + 1 < cap; state++) {
        path[len++] = *state == '-' ? '_' : (char)toupper((unsigned char)*state);
    }
    path[len] = '\0';
}

static int list(struct tool *tool)
{
    char path[256];
    json_t *answer = NULL;
    const char *card = tool_text(tool, "card");
    snprintf(path, sizeof path, "/api/v1/orders?limit=1000%s%.40s", card != NULL ? "&card=" : "",
             card != NULL ? card : "");
    if (tool_has(tool, "state")) {
        add_state(path, sizeof path, tool_text(tool, "state"));
    }
    const int code = tool_http(tool, "GET", path, NULL, "asking for orders", &answer);
    if (code == TOOL_OK) {
        size_t i;
        json_t *order;
        json_array_foreach(json_object_get(answer, "orders"), i, order)
        {
            say_order(tool, order);
        }
        if (json_is_true(json_object_get(answer, "more"))) {
            tool_note(tool, "there are more: narrow it with --card or --state");
        }
        tool_put_all(tool, answer);
    }
    json_decref(answer);
    return code;
}

const struct tool_command tool_order_list = {
    .name = "order list",
    .summary = "orders, of all cards or of one",
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER,
                                            {.name = "card", .kind = TOOL_HEX, .value = "UID", .help = "of this card"},
                                            {.name = "state",
                                             .kind = TOOL_CHOICE,
                                             .value = "STATE",
                                             .help = "in this state",
                                             .choices = "created funded issued confirmed cancelled expired claimed "
                                                        "refunded owed written-off disputed started done"},
                                            {.name = NULL}},
    .example = "  scrip order list --state issued --server https://topup.example",
    .run = list,
};

/* ---- card register --------------------------------------------------------------------------------------------- */

static int card_register(struct tool *tool)
{
    json_t *answer = NULL;
    int32_t balance = 0;
    if (tool_has(tool, "balance")) {
        const int wrong = tool_amount(tool, "balance", &balance);
        if (wrong != TOOL_OK) {
            return wrong;
        }
    }
    json_t *body = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "uid", tool_text(tool, "uid"), "profile",
                             tool_text(tool, "purse"), "key_version", (json_int_t)tool_number(tool, "key-version", 1),
                             "transactions", (json_int_t)tool_number(tool, "transactions", 0), "balance",
                             (json_int_t)balance, "currency", tool_text(tool, "currency"));
    const int code = tool_http(tool, "POST", "/api/v1/cards", body, "registering the card", &answer);
    if (code == TOOL_OK) {
        tool_say(tool, "card %s is registered as %s%s", tool_text(tool, "uid"), tool_text(tool, "purse"),
                 json_is_true(json_object_get(answer, "offline"))
                     ? "; it takes no orders: a trusted terminal gives it value (scrip credit)"
                     : "");
        tool_put_all(tool, answer);
    }
    json_decref(body);
    json_decref(answer);
    return code;
}

const struct tool_command tool_card_register = {
    .name = "card register",
    .summary = "tell the server about a card that was personalised",
    .text = "Registers a card by UID and profile, so that orders can be made for it and what terminals take from it "
            "reaches "
            "the book. card new prints both, and how many transactions personalisation took. Lines of the card that "
            "terminals have uploaded before are booked now. The same call may be repeated.",
    .operands = (const struct tool_option[]){{.name = "uid",
                                              .kind = TOOL_HEX,
                                              .value = "UID",
                                              .help = "the card's UID, 14 hex digits, or 8",
                                              .required = true},
                                             {.name = NULL}},
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER,
                                            TOOL_OPTION_PURSE,
                                            {.name = "key-version",
                                             .kind = TOOL_NUMBER,
                                             .value = "VERSION",
                                             .help = "version of the keys on it",
                                             .initial = "1"},
                                            {.name = "transactions",
                                             .kind = TOOL_NUMBER,
                                             .value = "COUNT",
                                             .help = "its transaction counter after personalisation",
                                             .initial = "0"},
                                            {.name = "balance",
                                             .kind = TOOL_TEXT,
                                             .value = "AMOUNT",
                                             .help = "value that it was given at personalisation; it counts once, at "
                                                     "the first registration"},
                                            {.name = NULL}},
    .run = card_register,
};
