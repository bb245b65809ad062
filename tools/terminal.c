/* terminal.c: scrip terminal create|upload|journal: a terminal and the server. */
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <scrip/journal.h>
#include <scrip/posix.h>
#include <scrip/purse_storage.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS_OF_SERVER TOOL_OPTION_SERVER, TOOL_OPTION_CA, TOOL_OPTION_API_KEY
#define UPLOAD_LINES      200U /* 50 KiB a request */

#define OPERAND_JOURNAL                                                                                                \
    {                                                                                                                  \
        .name = "journal", .kind = TOOL_FILE, .value = "JOURNAL", .help = "the terminal's journal", .required = true   \
    }

/* ---- the journal file ------------------------------------------------------------------------------------------ */

struct journal_file {
    int fd;
    struct scrip_nv_file region;
    struct scrip_nv nv;
    struct scrip_journal journal;
};

static int open_journal(struct tool *tool, struct journal_file *file)
{
    const char *path = tool_text(tool, "journal");
    struct stat stat;
    file->fd = open(path, O_RDWR | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &stat) != 0) {
        return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_IO, .what = path, .detail = strerror(errno)});
    }
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        return tool_fail(
            tool, &(struct tool_failure){.status = SCRIP_E_IO, .what = path, .detail = "the terminal is using it"});
    }
    file->nv = scrip_nv_file(&file->region, file->fd, 0, (uint32_t)((size_t)stat.st_size / SCRIP_NV_PAGE), true);
    const enum scrip_status status = scrip_journal_open(&file->journal, &file->nv);
    return status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "opening the journal %s", path);
}

static void close_journal(struct journal_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
}

/* ---- upload ---------------------------------------------------------------------------------------------------- */

struct upload {
    uint64_t sent, booked, known, waiting, aside, refused;
    char first[200]; /* of the refused */
};

/* Lines from `*next` on, as many as fit one request. @return bytes in `body` */
static size_t gather(const struct scrip_journal *journal, uint64_t *next, uint8_t *body)
{
    size_t lines = 0;
    while (lines < UPLOAD_LINES && *next <= journal->last) {
        if (scrip_journal_read(journal, *next, body + lines * SCRIP_JOURNAL_LINE) == SCRIP_OK) {
            lines++;
        }
        (*next)++;
    }
    return lines * SCRIP_JOURNAL_LINE;
}

static int acknowledge(struct tool *tool, struct scrip_journal *journal, uint64_t taken)
{
    if (taken <= journal->acknowledged || taken > journal->last) {
        return TOOL_OK;
    }
    const enum scrip_status status = scrip_journal_acknowledge(journal, taken);
    return status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "marking lines as uploaded");
}

static void count_results(struct tool *tool, const json_t *answer, struct upload *upload)
{
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer, "lines"), i, line)
    {
        const char *result = json_string_value(json_object_get(line, "result"));
        const char *why = json_string_value(json_object_get(line, "why"));
        upload->sent++;
        upload->booked += strcmp(result, "booked") == 0;
        upload->known += strcmp(result, "known") == 0 || strcmp(result, "void") == 0;
        upload->waiting += strcmp(result, "waiting") == 0;
        const bool aside = strcmp(result, "aside") == 0;
        const bool refused = strcmp(result, "refused") == 0 || strcmp(result, "forked") == 0;
        upload->aside += aside;
        upload->refused += refused;
        if (refused && upload->refused == 1) {
            snprintf(upload->first, sizeof upload->first, "line %lld%s%.150s",
                     (long long)json_integer_value(json_object_get(line, "sequence")), why != NULL ? ": " : "",
                     why != NULL ? why : "");
        }
        if (aside || refused) {
            tool_note(tool, "line %lld: %s%s%s", (long long)json_integer_value(json_object_get(line, "sequence")),
                      result, why != NULL ? ": " : "", why != NULL ? why : "");
        }
    }
}

static int upload_lines(struct tool *tool, struct journal_file *file, struct upload *upload)
{
    static uint8_t body[UPLOAD_LINES * SCRIP_JOURNAL_LINE];
    char path[64], id[9];
    struct scrip_journal *journal = &file->journal;
    snprintf(path, sizeof path, "/api/v1/terminals/%s/journal", tool_hex_text(SCRIP_BYTES_OF(journal->terminal), id));
    bool whole = true; /* nothing was refused so far: what is acknowledged beyond a refused line says nothing of it */
    uint64_t next = tool_has(tool, "all") ? scrip_journal_first(journal) : journal->acknowledged + 1;
    int code = TOOL_OK;
    size_t len;
    while (code == TOOL_OK && (len = gather(journal, &next, body)) > 0) {
        json_t *answer = NULL;
        tool_progress(tool, "uploading line %llu of %llu", (unsigned long long)next - 1,
                      (unsigned long long)journal->last);
        code = tool_http_bytes(tool, path, "application/octet-stream", scrip_bytes(body, len), "uploading the journal",
                               &answer);
        if (code == TOOL_OK) {
            const uint64_t taken = (uint64_t)json_integer_value(json_object_get(answer, "acknowledged"));
            count_results(tool, answer, upload);
            code = whole ? acknowledge(tool, journal, taken) : TOOL_OK;
            whole = whole && taken + 1 == next;
        }
        json_decref(answer);
    }
    return code;
}

static int upload(struct tool *tool)
{
    struct journal_file file = {.fd = -1};
    struct upload done = {0};
    int code = open_journal(tool, &file);
    code = code == TOOL_OK ? upload_lines(tool, &file, &done) : code;
    close_journal(&file);
    tool_put(tool, "lines", json_integer((json_int_t)done.sent));
    tool_put(tool, "booked", json_integer((json_int_t)done.booked));
    tool_put(tool, "known", json_integer((json_int_t)done.known));
    tool_put(tool, "waiting", json_integer((json_int_t)done.waiting));
    tool_put(tool, "refused", json_integer((json_int_t)done.refused));
    tool_put(tool, "aside", json_integer((json_int_t)done.aside));
    if (code != TOOL_OK) {
        return code;
    }
    tool_say(tool, "%llu line%s uploaded: %llu booked, %llu known already, %llu waiting for the card, %llu refused",
             (unsigned long long)done.sent, done.sent == 1 ? "" : "s", (unsigned long long)done.booked,
             (unsigned long long)done.known, (unsigned long long)done.waiting, (unsigned long long)done.refused);
    if (done.aside != 0) {
        tool_say(tool, "%llu set aside: the server keeps them until their cards are registered with that purse",
                 (unsigned long long)done.aside);
    }
    return done.refused == 0 ? TOOL_OK
                             : tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_STATE,
                                                                      .problem = TOOL_PROBLEM_LINES_REFUSED,
                                                                      .what = "uploading the journal",
                                                                      .detail = done.first});
}

const struct tool_command tool_terminal_upload = {
    .name = "terminal upload",
    .summary = "send a terminal's journal to the server",
    .text =
        "Sends the lines that the server has not acknowledged yet. Lines may come in any order and any number of "
        "times: the server takes each line once. A line is kept here until it was acknowledged. Lines of cards that "
        "are not registered are kept by the server, and booked when the card is registered. Only what is refused "
        "stays: an operator looks into it, and scrip terminal journal --taken gives its place free.",
    .operands = (const struct tool_option[]){OPERAND_JOURNAL, {.name = NULL}},
    .options =
        (const struct tool_option[]){
            OPTIONS_OF_SERVER,
            {.name = "all", .kind = TOOL_FLAG, .help = "every line that is still there, acknowledged or not"},
            {.name = NULL}},
    .example = "  scrip terminal upload gate7.journal --server https://topup.example --api-key-file gate7.api",
    .run = upload,
};

/* ---- journal --------------------------------------------------------------------------------------------------- */

static const char *state_name(const struct scrip_journal_line *line)
{
    static const char *const names[] = {"open", "confirmed", "found", "void"};
    return line->state < sizeof names / sizeof names[0] ? names[line->state] : "?";
}

static void say_line(struct tool *tool, const struct scrip_journal_line *line, bool uploaded, json_t *rows)
{
    char uid[15], money[SCRIP_MONEY_TEXT_MAX], when[32] = "?";
    uint64_t at_ms = 0;
    const bool storage = scrip_storage_profile_known(line->profile);
    const char *kind = line->kind == SCRIP_JOURNAL_CREDIT ? "credit" : "debit";
    if (scrip_purse_timestamp_get(line->timestamp, &at_ms) == SCRIP_OK) {
        tool_time_text(at_ms, when);
    }
    tool_uid_text(line->uid, storage, uid);
    tool_say(tool, "%6llu  %s  card %s  %-6s %14s  %s%s", (unsigned long long)line->sequence, when, uid, kind,
             tool_money(tool, line->amount, money), state_name(line), uploaded ? ", uploaded" : "");
    json_t *row =
        json_pack("{s:I, s:s, s:s, s:s, s:i, s:s, s:s, s:b}", "sequence", (json_int_t)line->sequence, "at", when,
                  "card", uid, "kind", kind, "amount", (int)line->amount, "state", state_name(line), "purse",
                  storage ? scrip_storage_kind_name(line->profile & 0x0FU) : "desfire", "uploaded", (int)uploaded);
    if (line->has_balance) {
        json_object_set_new(row, "balance_before", json_integer(line->balance));
    }
    if (line->kind == SCRIP_JOURNAL_CREDIT) {
        json_object_set_new(row, "reference", json_integer(line->reference));
    }
    json_array_append_new(rows, row);
}

/* What somebody keeps elsewhere is done with here, as if a server had taken it. */
static int mark_taken(struct tool *tool, struct scrip_journal *journal)
{
    const enum scrip_status status = scrip_journal_acknowledge(journal, (uint64_t)tool_number(tool, "taken", 0));
    if (status == SCRIP_E_ARGUMENT) {
        return tool_usage(tool, "--taken: the newest line is %llu", (unsigned long long)journal->last);
    }
    return status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "marking lines as taken");
}

static int journal(struct tool *tool)
{
    struct journal_file file = {.fd = -1};
    json_t *rows = json_array();
    tool_put(tool, "lines", rows);
    int code = open_journal(tool, &file);
    code = code == TOOL_OK && tool_has(tool, "taken") ? mark_taken(tool, &file.journal) : code;
    for (uint64_t s = scrip_journal_first(&file.journal); code == TOOL_OK && s <= file.journal.last; s++) {
        struct scrip_journal_line line;
        if (scrip_journal_get(&file.journal, s, &line) == SCRIP_OK) {
            say_line(tool, &line, s <= file.journal.acknowledged, rows);
        }
    }
    close_journal(&file);
    return code;
}

const struct tool_command tool_terminal_journal = {
    .name = "terminal journal",
    .summary = "the lines of a terminal's journal",
    .text = "A terminal stops when its journal is full of lines that nobody has taken. They are sent with scrip "
            "terminal upload. What the server refuses, or what belongs to no server, is kept by whoever reconciles it: "
            "--json writes the lines, --taken gives their place free. An open line, and the reference of a credit, are "
            "forgotten when their place is used again.",
    .operands = (const struct tool_option[]){OPERAND_JOURNAL, {.name = NULL}},
    .options =
        (const struct tool_option[]){
            {.name = "taken",
             .kind = TOOL_NUMBER,
             .value = "SEQUENCE",
             .help = "the lines up to this one are kept elsewhere: their place may be used again"},
            TOOL_OPTION_CURRENCY,
            {.name = NULL}},
    .example = "  scrip terminal journal gate7.journal --json >gate7.json\n"
               "  scrip terminal journal gate7.journal --taken 900",
    .run = journal,
};

/* ---- create ---------------------------------------------------------------------------------------------------- */

/* The API key is in one answer and nowhere else, so it goes into a file of its own. */
static int keep_api_key(struct tool *tool, const json_t *answer)
{
    const char *path = tool_text(tool, "api-key-out");
    const char *key = json_string_value(json_object_get(answer, "key"));
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL || key == NULL || fprintf(file, "%s\n", key) < 0 || fclose(file) != 0) {
        return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_IO, .what = path, .detail = strerror(errno)});
    }
    tool_say(tool, "%s: the terminal's API key", path);
    return TOOL_OK;
}

static int post(struct tool *tool, const char *path, json_t *body, const char *what, json_t **answer)
{
    const int code = tool_http(tool, "POST", path, body, what, answer);
    json_decref(body);
    return code;
}

static int create(struct tool *tool)
{
    const char *id = tool_text(tool, "id");
    const char *merchant = tool_text(tool, "merchant");
    const char *name = tool_text(tool, "name");
    char key_name[80];
    json_t *answer = NULL;
    snprintf(key_name, sizeof key_name, "terminal-%.8s", id);
    int code = post(tool, "/api/v1/merchants", json_pack("{s:s, s:s}", "id", merchant, "name", merchant),
                    "adding the merchant", NULL);
    code = code == TOOL_OK
               ? post(tool, "/api/v1/terminals",
                      json_pack("{s:s, s:s, s:s}", "id", id, "merchant", merchant, "name", name != NULL ? name : id),
                      "adding the terminal", NULL)
               : code;
    if (code == TOOL_OK && tool_has(tool, "api-key-out")) {
        code = post(tool, "/api/v1/keys",
                    json_pack("{s:s, s:s, s:s}", "name", key_name, "role", "terminal", "terminal", id),
                    "making the terminal's API key", &answer);
        code = code == TOOL_OK ? keep_api_key(tool, answer) : code;
        json_decref(answer);
    }
    if (code == TOOL_OK) {
        tool_say(tool, "terminal %s of %s", id, merchant);
        tool_put(tool, "terminal", json_string(id));
        tool_put(tool, "merchant", json_string(merchant));
    }
    return code;
}

const struct tool_command tool_terminal_create = {
    .name = "terminal create",
    .summary = "tell the server about a terminal, its merchant and its API key",
    .operands = (const struct tool_option[]){{.name = "id",
                                              .kind = TOOL_HEX,
                                              .value = "ID",
                                              .help = "the terminal's id, 8 hex digits",
                                              .required = true},
                                             {.name = NULL}},
    .options = (const struct tool_option[]){OPTIONS_OF_SERVER,
                                            {.name = "merchant",
                                             .kind = TOOL_TEXT,
                                             .value = "ID",
                                             .help = "whose takings it makes; added if it is new",
                                             .required = true},
                                            {.name = "name", .kind = TOOL_TEXT, .value = "NAME", .help = "for people"},
                                            {.name = "api-key-out",
                                             .kind = TOOL_FILE,
                                             .value = "FILE",
                                             .help = "make an API key for uploads and write it here"},
                                            {.name = NULL}},
    .run = create,
};
