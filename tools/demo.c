/* demo.c: scrip demo: the whole story on one machine, told by the very commands that a user types.
 *
 * Every step is a child process of this program with --json, so the story is true or it stops. What is counted is what
 * the commands report. */
#include "common.h"
#include "frame.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX     40U
#define GATE         "00000042"
#define CENTS_LIMIT  50000
#define TOPUP_COMMIT "11" /* the commit is the last command of a top-up, */
#define PAY_COMMIT   "13" /* and of a payment */

extern char **environ;

struct demo {
    struct tool *tool;
    char dir[512];
    char self[512];
    char url[128];
    pid_t server;
    FILE *server_out;
    unsigned step;
    /* totals */
    json_int_t apdus, bytes, requests, waits;
    int64_t topped_up, spent;
    char uid[2][15];
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number_of_signal)
{
    (void)number_of_signal;
    interrupted = 1;
}

/* From the first step on: whoever stops the story stops the server too. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- children -------------------------------------------------------------------------------------------------- */

static const char *joined(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Formatted text; good until the 8th call from now. */
static const char *joined(const char *format, ...)
{
    static char texts[8][1024];
    static unsigned next;
    char *text = texts[next++ % 8];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof texts[0], format, args);
    va_end(args);
    return text;
}

/* Start `scrip WORDS...` with --json; its standard output comes through the pipe, standard error goes to a log. */
static pid_t start_child(struct demo *demo, const char *const *words, const char *log, FILE **out)
{
    const char *argv[ARGS_MAX + 3];
    size_t argc = 0;
    int pipe_fd[2];
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    argv[argc++] = demo->self;
    for (size_t i = 0; words[i] != NULL && argc < ARGS_MAX; i++) {
        argv[argc++] = words[i];
    }
    argv[argc++] = "--json";
    argv[argc] = NULL;
    if (pipe2(pipe_fd, O_CLOEXEC) != 0) {
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (posix_spawn(&pid, demo->self, &actions, NULL, (char *const *)argv, environ) != 0) {
        pid = -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fd[1]);
    *out = fdopen(pipe_fd[0], "r");
    return pid;
}

/* Run a command to its end. @return its exit code; *result is its JSON object or NULL */
static int run_child(struct demo *demo, const char *const *words, json_t **result)
{
    FILE *out = NULL;
    int status = 0;
    *result = NULL;
    const pid_t pid = start_child(demo, words, "demo.log", &out);
    if (pid < 0 || out == NULL) {
        return -1;
    }
    *result = json_loadf(out, 0, NULL);
    fclose(out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void say_command(struct demo *demo, const char *const *words)
{
    char line[2048] = "";
    size_t len = 0;
    for (size_t i = 0; words[i] != NULL && len < sizeof line; i++) {
        const bool quote = strchr(words[i], ' ') != NULL;
        len += (size_t)snprintf(line + len, sizeof line - len, quote ? " '%s'" : " %s", words[i]);
    }
    tool_say(demo->tool, "    $ scrip%s", line);
}

static int child_failed(struct demo *demo, const char *const *words, int code, const json_t *result)
{
    const json_t *error = json_object_get(result, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *detail = json_string_value(json_object_get(error, "detail"));
    return tool_fail(demo->tool,
                     &(struct tool_failure){
                         .status = SCRIP_E_STATE,
                         .problem = TOOL_PROBLEM_STEP,
                         .what = joined("scrip %s %s ended with %d", words[0], words[1] != NULL ? words[1] : "", code),
                         .detail = joined("%s %s (see %s/demo.log)", message != NULL ? message : "",
                                          detail != NULL ? detail : "", demo->dir)});
}

/* Run a command that must end with `wanted`; its JSON object goes to *result (released by the caller) unless NULL. */
static int expect(struct demo *demo, int wanted, const char *const *words, json_t **result)
{
    json_t *got = NULL;
    say_command(demo, words);
    const int code = run_child(demo, words, &got);
    const int verdict = code == wanted && got != NULL ? TOOL_OK : child_failed(demo, words, code, got);
    if (verdict == TOOL_OK && result != NULL) {
        *result = json_incref(got);
    }
    json_decref(got);
    return verdict;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SERVER     "--server", demo->url, "--ca", "server.pem"
#define OPERATOR   "--api-key-file", "operator.key"
#define STORE(x)   "--keys", x, "--passphrase-file", "passphrase"
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        const int try_code_ = (call);                                                                                  \
        if (try_code_ != TOOL_OK) {                                                                                    \
            return try_code_;                                                                                          \
        }                                                                                                              \
    } while (0)

static void step(struct demo *demo, const char *title)
{
    tool_say(demo->tool, "\n%u. %s", ++demo->step, title);
}

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void count(struct demo *demo, const json_t *result)
{
    demo->apdus += number(result, "apdus");
    demo->bytes += number(result, "apdu_bytes") + number(result, "bytes_up") + number(result, "bytes_down");
    demo->requests += number(result, "requests");
    demo->waits += number(result, "waits");
}

/* ---- the story ------------------------------------------------------------------------------------------------- */

static int write_passphrase(struct demo *demo)
{
    FILE *file = fopen("passphrase", "w");
    if (file == NULL || fputs("only for this demonstration\n", file) < 0 || fclose(file) != 0) {
        return tool_fail_status(demo->tool, SCRIP_E_IO, "writing into %s", demo->dir);
    }
    return TOOL_OK;
}

static int tell_keys(struct demo *demo)
{
    step(demo, "The issuer makes keys, and takes out what a terminal may have: the key that debits and never credits");
    TRY(write_passphrase(demo));
    TRY(expect(demo, 0, WORDS("keys", "init", "issuer.keys", "--passphrase-file", "passphrase", "--test-cost"), NULL));
    return expect(demo, 0, WORDS("keys", "export-terminal", "gate.keys", STORE("issuer.keys"), "--test-cost"), NULL);
}

static int make_card(struct demo *demo, unsigned which, const char *file, const char *profile, const char *about)
{
    json_t *card = NULL;
    TRY(expect(demo, 0, WORDS("card", "new", file, "--profile", profile, STORE("issuer.keys")), &card));
    snprintf(demo->uid[which], sizeof demo->uid[which], "%s", json_string_value(json_object_get(card, "uid")));
    tool_say(demo->tool, "    %s: UID %s, %s", file, demo->uid[which], about);
    const char *transactions = joined("%lld", (long long)number(card, "tmc"));
    json_decref(card);
    return expect(demo, 0,
                  WORDS("card", "register", demo->uid[which], "--purse", profile, "--transactions", transactions,
                        SERVER, OPERATOR),
                  NULL);
}

static int tell_server(struct demo *demo)
{
    FILE *out = NULL;
    json_error_t error;
    step(demo, "The server starts: HTTPS on loopback with a certificate of its own, the book in SQLite");
    const char *const *words =
        WORDS("serve", "--port", "0", "--cert", "server.pem", "--cert-key", "server.key", "--dev-cert", "--ledger",
              "book.db", STORE("issuer.keys"), "--operator-key-file", "operator.key");
    say_command(demo, words);
    demo->server = start_child(demo, words, "server.log", &out);
    demo->server_out = out;
    json_t *ready = out != NULL ? json_loadf(out, JSON_DISABLE_EOF_CHECK, &error) : NULL;
    const char *url = json_string_value(json_object_get(ready, "url"));
    if (demo->server < 0 || url == NULL) {
        json_decref(ready);
        return tool_fail(demo->tool, &(struct tool_failure){.status = SCRIP_E_NETWORK,
                                                            .what = "starting the server",
                                                            .detail = joined("see %s/server.log", demo->dir)});
    }
    snprintf(demo->url, sizeof demo->url, "%s", url);
    json_decref(ready);
    tool_say(demo->tool, "    %s, process %d", demo->url, (int)demo->server);
    return TOOL_OK;
}

static int tell_cards(struct demo *demo)
{
    step(demo, "Two virtual cards: a DESFire EV3 laid out as NXP's AN12113, and an old EV1");
    TRY(make_card(demo, 0, "alice.card", "an12113", "DESFire EV3, EV2 messaging, Transaction MAC"));
    TRY(make_card(demo, 1, "bob.card", "ev1", "DESFire EV1, AES"));
    return expect(demo, 0,
                  WORDS("terminal", "create", GATE, "--merchant", "kiosk", "--name", "Kiosk at gate 42",
                        "--api-key-out", "gate.api", SERVER, OPERATOR),
                  NULL);
}

/* Make and fund an order; the phone's token for it goes into a file. */
static int order(struct demo *demo, const char *id, const char *uid, const char *amount)
{
    TRY(expect(demo, 0,
               WORDS("order", "create", "--id", id, "--card", uid, "--amount", amount, "--token-out",
                     joined("%s.token", id), SERVER, OPERATOR),
               NULL));
    return expect(demo, 0, WORDS("order", "fund", id, "--payment", joined("pay-%s", id), SERVER, OPERATOR), NULL);
}

static void say_topup(struct demo *demo, const json_t *done)
{
    count(demo, done);
    tool_say(demo->tool, "    %lld APDUs in %lld requests; with the card on the phone it waited %s; %lld bytes",
             (long long)number(done, "apdus"), (long long)number(done, "requests"),
             number(done, "waits") == 1 ? "once" : joined("%lld times", (long long)number(done, "waits")),
             (long long)(number(done, "bytes_up") + number(done, "bytes_down")));
}

static const char *card_link(const char *wrap, const char *card)
{
    return joined("%scard:%s", wrap, card);
}

static int topup(struct demo *demo, int wanted, const char *id, const char *link)
{
    json_t *done = NULL;
    TRY(expect(demo, wanted,
               WORDS("topup", "--reader", link, "--order", id, "--token-file", joined("%s.token", id), "--state",
                     joined("%s.state", id), "--preamble",
                     strstr(link, "bob") != NULL ? "ev1.preamble" : "ev2.preamble", "--taps", "1", SERVER),
               &done));
    say_topup(demo, done);
    json_decref(done);
    return TOOL_OK;
}

static int order_state(struct demo *demo, const char *id, const char *wanted)
{
    json_t *shown = NULL;
    TRY(expect(demo, 0, WORDS("order", "show", id, SERVER, OPERATOR), &shown));
    const char *state = json_string_value(json_object_get(shown, "state"));
    tool_say(demo->tool, "    order %s: %s", id, state != NULL ? state : "?");
    const bool right = state != NULL && strcasecmp(state, wanted) == 0;
    json_decref(shown);
    return right ? TOOL_OK
                 : tool_fail(demo->tool, &(struct tool_failure){.status = SCRIP_E_STATE,
                                                                .problem = TOOL_PROBLEM_ORDER_STATE,
                                                                .what = joined("order %s should be %s", id, wanted)});
}

static int tell_topups(struct demo *demo)
{
    step(demo, "Alice buys 20,00 € in the shop and holds her card to her phone, which relays");
    TRY(order(demo, "alice-1", demo->uid[0], "20"));
    TRY(topup(demo, 0, "alice-1", card_link(joined("trace:%s:", "alice.pcapng"), "alice.card")));
    TRY(order_state(demo, "alice-1", "confirmed"));
    tool_say(demo->tool, "    what went over the air is in alice.pcapng (Wireshark opens it)");
    step(demo, "Bob does the same with his old EV1 card");
    TRY(order(demo, "bob-1", demo->uid[1], "10"));
    TRY(topup(demo, 0, "bob-1", card_link("", "bob.card")));
    demo->topped_up += 3000;
    return order_state(demo, "bob-1", "confirmed");
}

static int pay(struct demo *demo, int wanted, const char *amount, const char *link, json_t **result)
{
    return expect(demo, wanted,
                  WORDS("pay", amount, "--reader", link, STORE("gate.keys"), "--journal", "gate.journal",
                        "--terminal-id", GATE, "--merchant", "Kiosk", "--purse",
                        strstr(link, "bob") != NULL ? "ev1" : "an12113"),
                  result);
}

static int pay_and_say(struct demo *demo, const char *amount, int64_t cents, const char *card)
{
    json_t *paid = NULL;
    char money[SCRIP_MONEY_TEXT_MAX];
    TRY(pay(demo, 0, amount, card_link("", card), &paid));
    count(demo, paid);
    tool_say(demo->tool, "    %lld APDUs, no network; left on the card: %s%s", (long long)number(paid, "apdus"),
             tool_money(demo->tool, number(paid, "balance"), money),
             json_is_true(json_object_get(paid, "recovered")) ? " (it was paid at the torn tap, and is not taken again)"
                                                              : "");
    demo->spent += cents;
    json_decref(paid);
    return TOOL_OK;
}

static int tell_spending(struct demo *demo)
{
    step(demo, "Both spend at the kiosk, which is offline and knows the pay key only");
    TRY(pay_and_say(demo, "2.50", 250, "alice.card"));
    TRY(pay_and_say(demo, "4.20", 420, "alice.card"));
    TRY(pay_and_say(demo, "1.10", 110, "bob.card"));
    step(demo, "A thief tries to credit with the terminal's keys");
    json_t *refused = NULL;
    TRY(expect(demo, 1,
               WORDS("credit", "100", "--reference", "7", "--reader", card_link("", "bob.card"), STORE("gate.keys"),
                     "--journal", "thief.journal", "--terminal-id", "0BADBAD0", "--purse", "ev1"),
               &refused));
    const json_t *error = json_object_get(refused, "error");
    tool_say(demo->tool, "    refused, layer %s: %s", json_string_value(json_object_get(error, "layer")),
             json_string_value(json_object_get(error, "message")));
    json_decref(refused);
    return TOOL_OK;
}

static int tell_torn_topup(struct demo *demo)
{
    step(demo, "Alice tops up 15,00 € again, and pulls the card away before its last answer arrives");
    TRY(order(demo, "alice-2", demo->uid[0], "15"));
    TRY(topup(demo, 1, "alice-2", card_link("fault:cut-after=" TOPUP_COMMIT ":", "alice.card")));
    TRY(order_state(demo, "alice-2", "issued"));
    tool_say(demo->tool,
             "    nobody knows yet whether the value is on the card; nothing is refunded, nothing is repeated");
    step(demo, "She taps once more: the new session proves what happened, and the order is settled once");
    TRY(topup(demo, 0, "alice-2", card_link("", "alice.card")));
    demo->topped_up += 1500;
    return order_state(demo, "alice-2", "confirmed");
}

static int tell_torn_payment(struct demo *demo)
{
    json_t *torn = NULL;
    step(demo, "At the kiosk a card is torn out during a payment; the gate stays shut, and the next tap opens it");
    TRY(pay(demo, 1, "3.00", card_link("fault:cut-after=" PAY_COMMIT ":", "alice.card"), &torn));
    const json_t *error = json_object_get(torn, "error");
    tool_say(demo->tool, "    %s; %s", json_string_value(json_object_get(error, "message")),
             json_string_value(json_object_get(error, "card")));
    json_decref(torn);
    return pay_and_say(demo, "3.00", 300, "alice.card");
}

static int tell_upload(struct demo *demo)
{
    json_t *uploaded = NULL;
    step(demo, "In the evening the kiosk uploads its journal, twice, because the first answer might have been lost");
    TRY(expect(demo, 0, WORDS("terminal", "upload", "gate.journal", SERVER, "--api-key-file", "gate.api"), &uploaded));
    tool_say(demo->tool, "    %lld lines, %lld booked", (long long)number(uploaded, "lines"),
             (long long)number(uploaded, "booked"));
    json_decref(uploaded);
    TRY(expect(demo, 0, WORDS("terminal", "upload", "gate.journal", "--all", SERVER, "--api-key-file", "gate.api"),
               &uploaded));
    tool_say(demo->tool, "    %lld lines, %lld booked: each debit once", (long long)number(uploaded, "lines"),
             (long long)number(uploaded, "booked"));
    json_decref(uploaded);
    return TOOL_OK;
}

/* A payment whose answer was lost has no proof of its own; the card brings it along at its next tap. */
static int tell_reading(struct demo *demo)
{
    step(demo, "Alice looks at her card in the app: reading it online also proves the payment whose answer was lost");
    TRY(expect(demo, 0,
               WORDS("order", "create", "--id", "alice-3", "--card", demo->uid[0], "--kind", "read", "--token-out",
                     "alice-3.token", SERVER, OPERATOR),
               NULL));
    TRY(topup(demo, 0, "alice-3", card_link("", "alice.card")));
    return order_state(demo, "alice-3", "done");
}

/* ---- the books ------------------------------------------------------------------------------------------------- */

static int card_balance(struct demo *demo, const char *card, const char *purse, json_int_t *balance)
{
    json_t *read = NULL;
    TRY(expect(demo, 0, WORDS("balance", "--reader", card_link("", card), STORE("gate.keys"), "--purse", purse),
               &read));
    *balance = number(read, "balance");
    json_decref(read);
    return TOOL_OK;
}

static int books_differ(struct demo *demo, const char *detail)
{
    return tool_fail(demo->tool, &(struct tool_failure){.status = SCRIP_E_CORRUPT,
                                                        .problem = TOOL_PROBLEM_BOOK,
                                                        .what = "balancing the books",
                                                        .detail = detail});
}

/* Card by card: what the book says, what the card says, and the verdict. */
static int compare_cards(struct demo *demo, const json_t *reconciled, const json_int_t balance[2])
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(reconciled, "cards"), i, row)
    {
        const char *uid = json_string_value(json_object_get(row, "uid"));
        const json_int_t on_card = strcmp(uid, demo->uid[0]) == 0 ? balance[0] : balance[1];
        char book[SCRIP_MONEY_TEXT_MAX], card[SCRIP_MONEY_TEXT_MAX];
        tool_say(demo->tool, "    card %s: on the card %s, in the book %s: %s", uid,
                 tool_money(demo->tool, on_card, card), tool_money(demo->tool, number(row, "float"), book),
                 json_string_value(json_object_get(row, "verdict")));
        if (on_card != number(row, "float") ||
            strcmp(json_string_value(json_object_get(row, "verdict")), "in step") != 0) {
            return books_differ(demo, joined("card %s", uid));
        }
    }
    return TOOL_OK;
}

static int tell_books(struct demo *demo)
{
    json_int_t balance[2];
    json_t *reconciled = NULL, *verified = NULL, *accounts = NULL;
    step(demo, "The books: every card against its evidence, every chain, every sum");
    TRY(card_balance(demo, "alice.card", "an12113", &balance[0]));
    TRY(card_balance(demo, "bob.card", "ev1", &balance[1]));
    TRY(expect(demo, 0, WORDS("ledger", "reconcile", "--ledger", "book.db"), &reconciled));
    const int same = compare_cards(demo, reconciled, balance);
    json_decref(reconciled);
    TRY(same);
    TRY(expect(demo, 0, WORDS("ledger", "verify", "--ledger", "book.db"), &verified));
    const long long entries = (long long)number(verified, "entries");
    json_decref(verified);
    TRY(expect(demo, 0, WORDS("ledger", "balance", "--ledger", "book.db"), &accounts));
    const json_int_t sum = number(accounts, "sum");
    const json_t *of = json_object_get(accounts, "accounts");
    const json_int_t in_flight = number(of, "in-flight");
    json_decref(accounts);
    if (sum != 0 || in_flight != 0 || balance[0] + balance[1] != demo->topped_up - demo->spent) {
        return books_differ(demo, "the sums");
    }
    char up[SCRIP_MONEY_TEXT_MAX], down[SCRIP_MONEY_TEXT_MAX], left[SCRIP_MONEY_TEXT_MAX];
    tool_say(demo->tool,
             "\nAll in all: %lld APDUs, %lld requests, %lld waits with a card in the field, %lld bytes, "
             "%lld ledger lines; files in %s",
             (long long)demo->apdus, (long long)demo->requests, (long long)demo->waits, (long long)demo->bytes, entries,
             demo->dir);
    tool_put(demo->tool, "apdus", json_integer(demo->apdus));
    tool_put(demo->tool, "requests", json_integer(demo->requests));
    tool_put(demo->tool, "waits", json_integer(demo->waits));
    tool_put(demo->tool, "ledger_lines", json_integer(entries));
    tool_put(demo->tool, "directory", json_string(demo->dir));
    tool_put(demo->tool, "balanced", json_true());
    tool_say(demo->tool, "The books balance: %s topped up - %s spent = %s on the cards, to the cent.",
             tool_money(demo->tool, demo->topped_up, up), tool_money(demo->tool, demo->spent, down),
             tool_money(demo->tool, balance[0] + balance[1], left));
    return TOOL_OK;
}

/* ---- start and end --------------------------------------------------------------------------------------------- */

static int prepare(struct demo *demo)
{
    const char *given = tool_text(demo->tool, "dir");
    const ssize_t len = readlink("/proc/self/exe", demo->self, sizeof demo->self - 1);
    if (len <= 0) {
        return tool_fail_status(demo->tool, SCRIP_E_IO, "finding this program's own file");
    }
    demo->self[len] = '\0';
    if (given != NULL) {
        snprintf(demo->dir, sizeof demo->dir, "%s", given);
        if (mkdir(demo->dir, 0700) != 0) {
            return tool_fail(demo->tool, &(struct tool_failure){.status = errno == EEXIST ? SCRIP_E_EXISTS : SCRIP_E_IO,
                                                                .what = joined("making the folder %s", given),
                                                                .detail = strerror(errno)});
        }
        return TOOL_OK;
    }
    const char *temporary = getenv("TMPDIR");
    snprintf(demo->dir, sizeof demo->dir, "%s/scrip-demo-XXXXXX", temporary != NULL ? temporary : "/tmp");
    return mkdtemp(demo->dir) != NULL ? TOOL_OK
                                      : tool_fail_status(demo->tool, SCRIP_E_IO, "making a folder for the files");
}

static void stay_up(struct demo *demo)
{
    tool_say(demo->tool, "\nThe server stays up at %s until you stop it (Ctrl-C).", demo->url);
    tool_say(demo->tool, "Its certificate is %s, the operator's key %s.", "server.pem", "operator.key");
    tool_put(demo->tool, "url", json_string(demo->url));
    tool_flush(demo->tool);
    while (interrupted == 0 && kill(demo->server, 0) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}

static void stop_server(struct demo *demo)
{
    int status = 0;
    if (demo->server > 0) {
        kill(demo->server, SIGTERM);
        while (waitpid(demo->server, &status, 0) < 0 && errno == EINTR) {
        }
    }
    if (demo->server_out != NULL) {
        fclose(demo->server_out);
    }
}

static int tell(struct demo *demo)
{
    static int (*const chapters[])(struct demo *) = {tell_keys,     tell_server,     tell_cards,        tell_topups,
                                                     tell_spending, tell_torn_topup, tell_torn_payment, tell_upload,
                                                     tell_reading,  tell_books};
    for (size_t i = 0; i < sizeof chapters / sizeof chapters[0]; i++) {
        TRY(interrupted == 0 ? chapters[i](demo) : tool_fail_status(demo->tool, SCRIP_E_STATE, "interrupted"));
    }
    return TOOL_OK;
}

/* Children start in the demo's folder, so that the lines with a $ are short. */
static int enter_folder(struct demo *demo)
{
    char dir[sizeof demo->dir];
    if (chdir(demo->dir) != 0 || getcwd(dir, sizeof dir) == NULL) {
        return tool_fail_status(demo->tool, SCRIP_E_IO, "entering %s", demo->dir);
    }
    memcpy(demo->dir, dir, sizeof dir);
    return TOOL_OK;
}

static int run(struct tool *tool)
{
    static struct demo demo;
    demo = (struct demo){.tool = tool};
    catch_interrupts();
    int code = prepare(&demo);
    code = code == TOOL_OK ? enter_folder(&demo) : code;
    if (code != TOOL_OK) {
        return code;
    }
    tool_say(tool,
             "scrip demo: a card is topped up over the air and spent at a terminal, exactly once.\n"
             "Every line with a $ is a command you can type in the folder where the files are: %s",
             demo.dir);
    code = tell(&demo);
    if (code == TOOL_OK && tool_has(tool, "serve")) {
        stay_up(&demo);
    }
    stop_server(&demo);
    return code;
}

const struct tool_command tool_demo = {
    .name = "demo",
    .summary = "everything on one machine: server, virtual cards, phone, terminal, books",
    .text =
        "Tells the whole story with the very commands of this program: keys, a server over HTTPS on loopback, two "
        "virtual cards, orders, top-ups relayed by a phone, payments at an offline terminal, a torn top-up and a "
        "torn payment and how they heal, the journal's upload, and the books that balance. Asks nothing and ends by "
        "itself; the files stay where it says.",
    .options =
        (const struct tool_option[]){
            {.name = "serve", .kind = TOOL_FLAG, .help = "keep the server up when the story is told"},
            {.name = "dir",
             .kind = TOOL_FILE,
             .value = "DIR",
             .help = "make the files here; must not exist; else a new folder in /tmp"},
            {.name = NULL}},
    .example = "  scrip demo",
    .run = run,
};
