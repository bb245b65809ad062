/* failure.c: one table that turns (problem, or status and card status) into the layer, the cause and the remedy. */
#include "frame.h"
#include <string.h>

struct failure_row {
    enum tool_problem problem;
    /* How it is recognised when the caller did not name it: the first row that fits. */
    enum scrip_status status; /* SCRIP_OK: by its name only */
    uint8_t sw2;              /* 0: any */
    enum tool_stage stage;    /* TOOL_STAGE_ANY: any */
    enum tool_layer layer;
    const char *text;
    const char *remedy;
};

#define ROW(problem, status, sw2, stage, layer, text, remedy)                                                          \
    {                                                                                                                  \
        TOOL_PROBLEM_##problem, status, sw2, TOOL_STAGE_##stage, TOOL_LAYER_##layer, text, remedy                      \
    }

#define WRONG_KEY_TEXT   "the key offered is not the key on the card"
#define WRONG_KEY_REMEDY "use the key store this card was personalised with (scrip keys list shows check values)"
#define KEY_TYPE_TEXT    "the key on the card is of another type, or there is no key of that number"
#define KEY_TYPE_REMEDY  "choose the card's own profile: --purse names it (scrip card show tells which)"
#define NO_RIGHT_TEXT    "the key that was used may not do this on this card"
#define NO_RIGHT_REMEDY  "use a store with the right key: a terminal may debit only, crediting takes the top-up key"
#define LIMIT_TEXT       "a limit of the card would be exceeded"
#define LIMIT_REMEDY     "choose a smaller amount (scrip balance shows the balance, scrip card show the limits)"
#define FUNDS_TEXT       "there is not enough value on the card"
#define FUNDS_REMEDY     "top the card up, or choose a smaller amount"
#define TORN_TEXT        "the card left the field before it answered"
#define TORN_REMEDY                                                                                                    \
    "present the same card again with the same command, or run scrip recover: it finds out what happened"
#define MAC_TEXT "a check sum under the session's key is wrong: something between us and the card altered the data"
#define MAC_REMEDY                                                                                                     \
    "try again with another reader or phone; if it comes back, keep a trace: (trace:FILE:LINK) and report it"

static const struct failure_row ROWS[] = {
    ROW(WRONG_APPLICATION, SCRIP_E_CARD, 0xA0, ANY, CARD,
        "the card has no such application: it is not one of this purse",
        "present a card of this purse; scrip card new makes a virtual one, it changes none that is there"),
    ROW(WRONG_APPLICATION, SCRIP_E_CARD, 0, SELECT, CARD,
        "the card has no such application: it is not one of this purse",
        "present a card of this purse; scrip card new makes a virtual one, it changes none that is there"),
    ROW(WRONG_KEY_TYPE, SCRIP_E_CARD, 0, AUTH_1, KEY, KEY_TYPE_TEXT, KEY_TYPE_REMEDY),
    ROW(WRONG_KEY, SCRIP_E_CARD, 0, AUTH_2, KEY, WRONG_KEY_TEXT, WRONG_KEY_REMEDY),
    ROW(WRONG_KEY, SCRIP_E_AUTH, 0, ANY, KEY, WRONG_KEY_TEXT, WRONG_KEY_REMEDY),
    ROW(MISSING_KEY, SCRIP_E_KEY, 0, ANY, KEY, "the key store has no key for this",
        "scrip keys list shows what is in the store; scrip keys init makes a full one"),
    ROW(NEWEST_KEY, SCRIP_OK, 0, ANY, KEY, "the newest key of a role stays: what is made from now on goes by it",
        "add the key that follows it (scrip keys add), and bring it to the cards, before this one goes"),
    ROW(KEY_STORE, SCRIP_OK, 0, ANY, KEY, "the key store cannot be opened",
        "check the file and the passphrase (--passphrase-file or SCRIP_PASSPHRASE)"),
    ROW(MISSING_RIGHT, SCRIP_E_CARD, 0xAE, ANY, RIGHT, NO_RIGHT_TEXT, NO_RIGHT_REMEDY),
    ROW(MISSING_RIGHT, SCRIP_E_CARD, 0x9D, ANY, RIGHT, NO_RIGHT_TEXT, NO_RIGHT_REMEDY),
    ROW(LIMIT, SCRIP_E_CARD, 0xBE, ANY, LIMIT, LIMIT_TEXT, LIMIT_REMEDY),
    ROW(LIMIT, SCRIP_E_LIMIT, 0, ANY, LIMIT, LIMIT_TEXT, LIMIT_REMEDY),
    ROW(LIMIT, SCRIP_E_OVERFLOW, 0, ANY, LIMIT, "the amount is larger than any card can hold", LIMIT_REMEDY),
    ROW(FUNDS, SCRIP_E_FUNDS, 0, ANY, LIMIT, FUNDS_TEXT, FUNDS_REMEDY),
    ROW(CURRENCY, SCRIP_E_CURRENCY, 0, ANY, CARD, "the card counts in another currency than --currency",
        "give the amount in the card's own currency, and name that (scrip balance without --currency shows it)"),
    ROW(NO_CURRENCY, SCRIP_OK, 0, ANY, CARD,
        "the card does not show in which currency it counts, so nobody can say how much the amount is",
        "name the currency with --currency; to pay with a card that refuses to show it, --shortest as well"),
    ROW(UNIT, SCRIP_E_UNIT, 0, ANY, LIMIT, "the amount is no multiple of what one unit of this card is worth",
        "choose an amount in whole units (scrip card show of its file tells what one is worth)"),
    ROW(MAC, SCRIP_E_CARD, 0x1E, ANY, MAC, MAC_TEXT, MAC_REMEDY),
    ROW(MAC, SCRIP_E_MAC, 0, ANY, MAC, MAC_TEXT, MAC_REMEDY),
    ROW(TORN, SCRIP_E_TORN, 0, ANY, CARD, TORN_TEXT, TORN_REMEDY),
    ROW(TORN, SCRIP_E_NV, 0, ANY, CARD, "the card lost power while it was writing", TORN_REMEDY),
    ROW(UNKNOWN_CARD, SCRIP_OK, 0, ANY, LEDGER, "the server does not know this card",
        "register it first: the operator imports its UID and profile, or present a card of this issuer"),
    ROW(ROLLBACK, SCRIP_E_ROLLBACK, 0, ANY, LEDGER,
        "the card shows an older state than was seen before: it is a copy or was restored from one",
        "the card is held; the operator looks into it (scrip ledger reconcile, scrip history), then scrip card "
        "release"),
    ROW(HELD, SCRIP_E_HELD, 0, ANY, LEDGER,
        "the card is held: nothing is issued to it until the operator has looked into it",
        "the operator decides (scrip card release); the value on the card can still be seen with scrip balance"),
    ROW(EXPIRED, SCRIP_E_EXPIRED, 0, ANY, LEDGER, "the order was not used in time",
        "make a new order (scrip order create)"),
    ROW(FUNDED_TWICE, SCRIP_OK, 0, ANY, LEDGER, "the order has been funded already, by another payment",
        "do not charge again: scrip order show tells which payment funded it; refund the second one"),
    ROW(CLOCK, SCRIP_OK, 0, ANY, CLOCK, "the clock here does not agree with what was recorded or certified",
        "set the clock (timedatectl), then try again"),
    ROW(NO_CARD, SCRIP_E_NO_CARD, 0, ANY, READER, "no card in the field",
        "put the card on the reader and try again, or wait longer (--wait)"),
    ROW(READER, SCRIP_E_LINK, 0, ANY, READER, "the reader or the way to it failed",
        "check the LINK (scrip reader list shows what is there) and that the reader is connected"),
    ROW(READER, SCRIP_E_TIMEOUT, 0, ANY, READER, "the card did not answer in time",
        "hold the card still on the reader and try again"),
    ROW(NETWORK, SCRIP_E_NETWORK, 0, ANY, NETWORK, "the server could not be reached, or did not answer",
        "check the address and try again: the same request may be sent any number of times"),
    ROW(DENIED, SCRIP_OK, 0, ANY, NETWORK, "the server did not accept the key or token of this request",
        "give the right API key (--api-key-file or SCRIP_API_KEY); to topup, this order's token (--token-file)"),
    ROW(REFUSED_BY_SERVER, SCRIP_OK, 0, ANY, LEDGER, "the server refused",
        "scrip serve writes a line about every request; its administrator finds the reason there"),
    ROW(FORK, SCRIP_OK, 0, ANY, LEDGER,
        "a card and the book contradict each other: there are two of it, or it was given value past the book",
        "scrip card hold it; scrip ledger show --card and scrip history of the card tell what each knows"),
    ROW(NO_LEDGER, SCRIP_OK, 0, ANY, LEDGER, "the file is no ledger of scrip, or this user may not write to it",
        "name the SQLite file that scrip serve made (--ledger); its folder must be writable, too"),
    ROW(ADDRESS, SCRIP_OK, 0, ANY, NETWORK, "the server cannot listen there",
        "another program, or another scrip serve, may have the port: choose one with --port; --listen takes an address "
        "of this machine"),
    ROW(LINES_REFUSED, SCRIP_OK, 0, ANY, LEDGER, "the server refused lines of the journal: they are not booked",
        "an operator looks into them: scrip terminal journal --json keeps them, then --taken gives their place free"),
    ROW(UNSAFE_PROFILE, SCRIP_OK, 0, ANY, RIGHT,
        "on a card of this profile, somebody who should only debit can make value",
        "take the rights named above away from the gate's key"),
    ROW(BOOK, SCRIP_OK, 0, ANY, LEDGER, "the book is not right",
        "stop the server, keep the file as it is, and compare with the last good copy and checkpoint"),
    ROW(WRONG_FAMILY, SCRIP_OK, 0, ANY, CARD, "the card is of another family than the purse",
        "name the purse of this card with --purse, or present the right card"),
    ROW(NOT_THIS_PURSE, SCRIP_OK, 0, ANY, CARD, "this kind of purse cannot do that",
        "choose another operation; docs/protocol/purse-storage.md has what each purse can do"),
    ROW(FOREIGN_SECTOR, SCRIP_OK, 0, ANY, KEY,
        "neither the purse's key nor the transport key opens the sector: it is somebody else's, its trailer was torn, "
        "or the key store is another one",
        "check --keys (scrip keys list) and the sector of --purse; scrip keys add takes in the key of existing cards"),
    ROW(BLANK_SECTOR, SCRIP_OK, 0, ANY, CARD, "there is no purse in the sector yet: the transport key opens it",
        "make one: scrip purse init"),
    ROW(SECTOR_RIGHT, SCRIP_OK, 0, ANY, RIGHT, "the card refused: this key may not do that in the sector",
        "use the purse's own layout (--purse), and a store with the key that may"),
    ROW(DAMAGED, SCRIP_OK, 0, ANY, CARD, "both copies of the value are damaged, and nobody can know what it was",
        "keep the card; an operator looks up what it should hold, and says so: scrip purse force-init"),
    ROW(NOT_DAMAGED, SCRIP_OK, 0, ANY, CARD, "at least one copy of the value is good: there is nothing to force",
        "scrip recover mends the other copy"),
    ROW(UNCONFIRMED, SCRIP_OK, 0, ANY, CARD, "this was not confirmed for just this card",
        "look at the blocks shown, then give the card's UID with --confirm"),
    ROW(HAS_PURSE, SCRIP_OK, 0, ANY, CARD, "the card has a purse already, with another value",
        "use it as it is; value is given by scrip credit"),
    ROW(CREDITED, SCRIP_OK, 0, ANY, LEDGER, "a terminal has credited that order to this card already",
        "scrip balance shows the value; a new credit takes a new order, with a new --reference"),
    ROW(JOURNAL_FULL, SCRIP_OK, 0, ANY, FILE, "the terminal's journal is full of lines that no server has taken",
        "scrip terminal upload; lines that the server refuses: scrip terminal journal --json, keep them, then --taken"),
    ROW(UNDECIDED, SCRIP_OK, 0, ANY, LEDGER,
        "what the card holds does not prove whether an unanswered payment or credit was made: others may have changed "
        "it",
        "the line stays in the journal, for the issuer to compare with those of other terminals; if a credit is not "
        "there, "
        "make a new order for it"),
    ROW(NO_DESFIRE, SCRIP_OK, 0, ANY, CARD, "this is no MIFARE DESFire EV1, EV2 or EV3",
        "present one; a MIFARE Classic takes a purse of its own: --purse classic, bcd or otp"),
    ROW(OLD_CARD, SCRIP_OK, 0, ANY, CARD,
        "this card is too old for the purse: it lacks the secure messaging that the profile is built on",
        "give an EV1 the purse ev1 or plain (--purse), or take an EV2 or EV3"),
    ROW(NO_MEMORY, SCRIP_OK, 0, ANY, CARD, "the card has too little memory left for the purse",
        "delete what is not needed with the tool that made it, or take another card"),
    ROW(MASTER_KEY, SCRIP_OK, 0, ANY, KEY,
        "the card's own master key is neither the factory's nor that of this key store",
        "name the key that the card has (--picc-key FILE of scrip purse init), or take a blank card"),
    ROW(FOREIGN_APPLICATION, SCRIP_OK, 0, ANY, CARD,
        "the card has an application 014499 that was not made with this purse and key store",
        "name the --purse and --keys that it was begun with; else delete it with the tool that made it, or take "
        "another "
        "card"),
    ROW(OTHER_PROFILE, SCRIP_OK, 0, ANY, CARD, "the card has a purse already, of another profile",
        "use it with its own --purse: a card keeps the profile that it was made with"),
    ROW(OTHER_KEYS, SCRIP_OK, 0, ANY, KEY,
        "the card has this purse already, but not with the newest keys of this store",
        "an order of kind rekey brings it the newest (scrip order create); --key-version names older ones to compare "
        "with"),
    ROW(TORN_MAKING, SCRIP_OK, 0, ANY, CARD, "the card left the field before its purse was finished",
        "put it back and give the same command again: it finishes the purse"),
    ROW(STEP, SCRIP_OK, 0, ANY, FILE, "a command of the story did not do what it should",
        "the folder of the demonstration has its log; scrip COMMAND --help tells about the command"),
    ROW(STALE, SCRIP_E_STALE, 0, ANY, LEDGER, "something newer has happened to this card or order",
        "start again from the order: scrip order show, then scrip topup"),
    ROW(CONFLICT, SCRIP_E_CONFLICT, 0, ANY, LEDGER, "this id was used before for something else",
        "choose a new id; an id belongs to one intent for ever"),
    ROW(CONFLICT, SCRIP_E_EXISTS, 0, ANY, FILE, "it exists already, and nothing is overwritten",
        "choose another name, or remove the old one"),
    ROW(UNKNOWN_ORDER, SCRIP_OK, 0, ANY, LEDGER, "there is no such order", "scrip order list shows the orders"),
    ROW(ORDER_STATE, SCRIP_OK, 0, ANY, LEDGER, "the order is in a state in which this cannot be done",
        "scrip order show tells the state"),
    ROW(LEDGER, SCRIP_E_STORE, 0, ANY, LEDGER, "the database failed, and nothing of this request was kept",
        "check the disk and the database file; then try again"),
    ROW(FILE, SCRIP_E_CORRUPT, 0, ANY, FILE, "the file is damaged", "take the last good copy, or make a new one"),
    ROW(FILE, SCRIP_E_PASSPHRASE, 0, ANY, KEY, "no passphrase was given for the key store",
        "give --passphrase-file FILE (its first line counts), or set SCRIP_PASSPHRASE"),
    ROW(FILE, SCRIP_E_IO, 0, ANY, FILE, "the file could not be read or written",
        "check the path, the rights and the free space"),
    ROW(FILE, SCRIP_E_FORMAT, 0, ANY, FILE, "this does not follow its format", "check the line that is named"),
    ROW(OTHER, SCRIP_E_UNSUPPORTED, 0, ANY, CARD, "this card or build cannot do that",
        "scrip card show tells what the card is; --help what the command can do"),
    ROW(REFUSED, SCRIP_E_CARD, 0, ANY, CARD, "the card refused the command",
        "scrip trace explain shows the conversation in words"),
};

/* The texts of problems that are known by name but recognised as another row above (an order's limit, say). */
static const struct failure_row LAST =
    ROW(OTHER, SCRIP_OK, 0, ANY, CARD, NULL, "try again; if it comes back, run it with trace:FILE:LINK and report it");

static const char *const PROBLEM_NAME[] = {"?",
#define TOOL_PROBLEM(id, name) name,
                                           TOOL_PROBLEMS(TOOL_PROBLEM)
#undef TOOL_PROBLEM
};

static bool fits(const struct failure_row *row, const struct tool_failure *failure)
{
    if (failure->problem != TOOL_PROBLEM_DERIVE) {
        return row->problem == failure->problem;
    }
    return row->status != SCRIP_OK && row->status == failure->status &&
           (row->sw2 == 0 || row->sw2 == (failure->sw & 0xFF)) &&
           (row->stage == TOOL_STAGE_ANY || row->stage == failure->stage);
}

static enum tool_layer layer_of_server(const char *name)
{
    static const struct {
        const char *name;
        enum tool_layer layer;
    } rows[] = {{"key", TOOL_LAYER_KEY},
                {"right", TOOL_LAYER_RIGHT},
                {"card", TOOL_LAYER_CARD},
                {"network", TOOL_LAYER_NETWORK}};
    for (size_t i = 0; name != NULL && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].layer;
        }
    }
    return TOOL_LAYER_LEDGER; /* a request, an order, the server itself: all of them are the book's */
}

/* Where the table has no words, the server's own are better than none. */
static void say_as_server(struct tool_verdict *verdict, const struct tool_said *said)
{
    verdict->layer = layer_of_server(said->layer);
    verdict->text = said->title != NULL ? said->title : verdict->text;
    verdict->remedy = said->remedy != NULL ? said->remedy : verdict->remedy;
}

struct tool_verdict tool_failure_lookup(const struct tool_failure *failure)
{
    const struct failure_row *found = &LAST;
    for (size_t i = sizeof ROWS / sizeof ROWS[0]; i-- > 0;) {
        if (fits(&ROWS[i], failure)) {
            found = &ROWS[i];
        }
    }
    struct tool_verdict verdict = {.problem = found->problem,
                                   .name = PROBLEM_NAME[found->problem],
                                   .layer = found->layer,
                                   .text = found->text != NULL ? found->text : scrip_strerror(failure->status),
                                   .remedy = found->remedy};
    if (found->problem == TOOL_PROBLEM_REFUSED_BY_SERVER && failure->said != NULL) {
        say_as_server(&verdict, failure->said);
    }
    return verdict;
}

const char *tool_layer_name(enum tool_layer layer)
{
    static const char *const names[] = {"reader", "card",    "key",    "right", "limit",
                                        "MAC",    "network", "ledger", "file",  "clock"};
    _Static_assert(sizeof names / sizeof names[0] == TOOL_LAYER_COUNT, "a name for each layer");
    return (unsigned)layer < TOOL_LAYER_COUNT ? names[layer] : "?";
}

const char *tool_card_state_text(enum tool_card_state state)
{
    static const char *const texts[] = {
        [TOOL_CARD_NONE] = NULL,
        [TOOL_CARD_UNTOUCHED] = "nothing on the card was changed",
        [TOOL_CARD_UNKNOWN] =
            "the card holds either the old or the new value, never anything in between; which one is not known yet",
        [TOOL_CARD_CHANGED] = "the change is on the card",
        [TOOL_CARD_HALF_MADE] = "its purse may be half made, and holds no value",
        [TOOL_CARD_MENDED] = "a copy that an earlier tear had left was mended; the value was not changed",
    };
    return (size_t)state < sizeof texts / sizeof texts[0] ? texts[state] : NULL;
}
