/* card.c: scrip card exchange|lint: virtual cards as files, without keys. */
#include "card.h"
#include <errno.h>
#include <scrip/card_dump.h>
#include <scrip/posix.h>
#include <scrip/reader.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int card_fail_file(struct tool *tool, enum scrip_status status, const char *error)
{
    return tool_fail(tool, &(struct tool_failure){.status = status == SCRIP_E_STATE ? SCRIP_E_IO : status,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "opening the card",
                                                  .detail = error});
}

int card_fail_text(struct tool *tool, enum scrip_status status, const char *what, const char *detail)
{
    const bool odd = status == SCRIP_E_LENGTH || status == SCRIP_E_UNSUPPORTED;
    const enum scrip_status shown = status == SCRIP_E_NOT_FOUND ? SCRIP_E_IO : odd ? SCRIP_E_FORMAT : status;
    return tool_fail(tool, &(struct tool_failure){.status = shown, .what = what, .detail = detail});
}

int card_connect(struct tool *tool, const char *path, const struct scrip_vcard_host *host, struct scrip_link **link,
                 struct scrip_card_info *info)
{
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    struct scrip_vcard *card = NULL;
    struct scrip_link *opened = NULL;
    enum scrip_status status = scrip_vcard_open(path, host, &card, error);
    status = status == SCRIP_OK ? scrip_link_to_card(card, true, &opened) : status;
    if (status != SCRIP_OK || opened == NULL) {
        (void)card_fail_file(tool, status, error);
        return TOOL_FAILED;
    }
    status = scrip_link_connect(opened, 0, info);
    if (status != SCRIP_OK) {
        (void)card_fail_file(tool, status, opened->error);
        scrip_link_close(opened);
        return TOOL_FAILED;
    }
    *link = opened;
    return TOOL_OK;
}

const char *card_kind_text(const struct scrip_vcard_identity *identity, char text[32])
{
    static const char *const generations[] = {"EV1", "EV2", "EV3", "Light"};
    switch (identity->family) {
    case SCRIP_VCARD_CLASSIC:
        snprintf(text, 32, "MIFARE Classic %s", identity->variant == SCRIP_VCARD_4K ? "4K" : "1K");
        break;
    case SCRIP_VCARD_OTP:
        snprintf(text, 32, "one-time wallet");
        break;
    default:
        snprintf(text, 32, "DESFire %s", identity->generation < 4 ? generations[identity->generation] : "?");
        break;
    }
    return text;
}

int card_draft(struct tool *tool, const char *path, char draft[1024])
{
    if (access(path, F_OK) == 0) {
        return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_EXISTS, .what = path});
    }
    snprintf(draft, 1024, "%.1000s.%ld.new", path, (long)getpid());
    return TOOL_OK;
}

int card_place(struct tool *tool, const char *draft, const char *path, int code)
{
    if (code == TOOL_OK && link(draft, path) != 0) {
        code = tool_fail(tool, &(struct tool_failure){.status = errno == EEXIST ? SCRIP_E_EXISTS : SCRIP_E_IO,
                                                      .what = path,
                                                      .detail = strerror(errno)});
    }
    unlink(draft);
    return code;
}

/* ---- card exchange --------------------------------------------------------------------------------------------- */

/* What --random gave, then the system's randomness. */
struct given_random {
    uint8_t *at;
    size_t len, used;
    size_t wanted; /* what the card drew last, when that was more than what is left; else 0 */
    struct scrip_random system;
};

static enum scrip_status given_fill(void *ctx, uint8_t *dst, size_t len)
{
    struct given_random *given = ctx;
    if (given->used == given->len) {
        return given->system.fill(given->system.ctx, dst, len);
    }
    if (len > given->len - given->used) {
        given->wanted = len;
        return SCRIP_E_RANDOM;
    }
    memcpy(dst, given->at + given->used, len);
    given->used += len;
    return SCRIP_OK;
}

static int collect_random(struct tool *tool, struct given_random *given)
{
    const char *text;
    for (size_t i = 0; (text = tool_text_at(tool, "random", i)) != NULL; i++) {
        uint8_t *more = realloc(given->at, given->len + strlen(text) / 2 + 1);
        if (more == NULL) {
            return tool_fail_status(tool, SCRIP_E_MEMORY, "reading --random");
        }
        given->at = more;
        given->len += tool_hex_of(text, given->at + given->len, strlen(text) / 2);
    }
    return TOOL_OK;
}

/* The longest command of any card here writes 4096 bytes, with header, messaging and length fields around them. */
#define COMMAND_MAX 4200U

static int answer_line(struct tool *tool, struct scrip_link *card, const char *line, const struct given_random *given,
                       json_t *responses)
{
    static uint8_t command[COMMAND_MAX], response[SCRIP_VCARD_RAPDU_MAX];
    static char text[2 * SCRIP_VCARD_RAPDU_MAX + 1];
    struct scrip_buf cmd = SCRIP_BUF_OF(command);
    struct scrip_buf rsp = SCRIP_BUF_OF(response);
    struct scrip_card_info info;
    if (strncmp(line, "RESET", 5) == 0) {
        const enum scrip_status on = scrip_link_connect(card, 0, &info);
        return on == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, on, "powering the card");
    }
    const enum scrip_status read = scrip_buf_add_hex(&cmd, scrip_bytes(line, strlen(line)));
    if (read != SCRIP_OK) {
        return tool_usage(tool,
                          read == SCRIP_E_SPACE ? "longer than any command APDU of these cards: %.60s..."
                                                : "not a command APDU in hex: %.60s",
                          line);
    }
    if (cmd.len == 0) {
        return TOOL_OK;
    }
    const enum scrip_status status = scrip_link_transmit(card, scrip_buf_bytes(&cmd), &rsp);
    if (status != SCRIP_OK && given->wanted != 0) {
        return tool_usage(tool, "--random: the card draws %zu bytes at once, and %zu are left", given->wanted,
                          given->len - given->used);
    }
    if (status != SCRIP_OK) {
        return tool_fail(
            tool, &(struct tool_failure){.status = status, .card = TOOL_CARD_UNKNOWN, .what = "answering a command"});
    }
    tool_hex_text(scrip_buf_bytes(&rsp), text);
    tool_say(tool, "%s", text);
    json_array_append_new(responses, json_string(text));
    return TOOL_OK;
}

static int exchange(struct tool *tool)
{
    char *line = NULL;
    size_t cap = 0;
    struct given_random given = {.system = scrip_random_system()};
    const struct scrip_random random = {.ctx = &given, .fill = given_fill};
    const struct scrip_vcard_host host = {.random = &random};
    struct scrip_link *link = NULL;
    struct scrip_card_info info;
    json_t *responses = json_array();
    tool_put(tool, "responses", responses);
    int code = collect_random(tool, &given);
    code = code == TOOL_OK ? card_connect(tool, tool_text(tool, "file"), &host, &link, &info) : code;
    while (link != NULL && code == TOOL_OK && getline(&line, &cap, stdin) >= 0) {
        code = line[0] == '#' ? TOOL_OK : answer_line(tool, link, line, &given, responses);
    }
    if (link != NULL) {
        scrip_link_close(link);
    }
    free(line);
    free(given.at);
    return code;
}

const struct tool_command tool_card_exchange = {
    .name = "card exchange",
    .summary = "command APDUs from standard input, responses to standard output",
    .text =
        "Reads one command APDU in hex a line from standard input, gives it to the card, and prints the response in "
        "hex on a line. A line RESET takes power from the card and gives it back, and prints nothing. Empty lines "
        "and lines that begin with # are skipped. The card is powered when the command starts. A storage card (MIFARE "
        "Classic, one-time wallet) knows no APDUs: its reader answers the pseudo-APDUs of PC/SC for it, FF 82 to load "
        "a key, FF 86 to authenticate, FF B0 to read, and so on. Responses are printed as they are: a sector trailer "
        "whose key B can be read shows that key. (Captures and trace explain blank it.)",
    .operands = (const struct tool_option[]){OPERAND_CARD, {.name = NULL}},
    .options = (const struct tool_option[]){{.name = "random",
                                             .kind = TOOL_HEX,
                                             .value = "HEX",
                                             .help = "random bytes that the card draws, in order; then the system's",
                                             .repeat = true},
                                            {.name = NULL}},
    .example = "  echo 9060000000 | scrip card exchange alice.card\n"
               "  echo FFCA000000 | scrip card exchange maker.card",
    .run = exchange,
};

/* ---- card lint ------------------------------------------------------------------------------------------------- */

void card_findings_begin(struct card_findings *findings, struct tool *tool)
{
    *findings = (struct card_findings){.tool = tool, .list = json_array()};
    tool_put(tool, "findings", findings->list);
}

void card_finding(void *ctx, enum scrip_lint_level level, const char *sentence)
{
    static const char *const names[] = {"info", "warning", "error"};
    struct card_findings *findings = ctx;
    findings->counts[level]++;
    tool_say(findings->tool, "%-8s %s", names[level], sentence);
    json_array_append_new(findings->list, json_pack("{s:s, s:s}", "level", names[level], "text", sentence));
}

/* @param may_lack  there is something else to look at */
static int lint_profile(struct tool *tool, const char *name, bool may_lack, struct card_findings *findings)
{
    static struct scrip_profile profile;
    char error[SCRIP_PROFILE_ERROR_MAX] = "";
    const enum scrip_status read = scrip_profile_load(name, &profile, error);
    if (read == SCRIP_E_NOT_FOUND && may_lack) {
        tool_note(tool, "%s", error);
        return TOOL_OK;
    }
    if (read != SCRIP_OK) {
        return card_fail_text(tool, read, "reading the profile", error);
    }
    tool_say(tool, "%s: %s", profile.name, profile.about);
    return scrip_profile_lint(&profile, card_finding, findings) == SCRIP_OK
               ? TOOL_OK
               : tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_LIMIT,
                                                        .problem = TOOL_PROBLEM_UNSAFE_PROFILE,
                                                        .what = profile.name});
}

/* What is in the memory of a MIFARE Classic, whatever it was made from. */
static int lint_memory(struct tool *tool, const char *path, struct card_findings *findings)
{
    static struct scrip_card_dump dump;
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    const enum scrip_status read = scrip_vcard_dump(path, &dump, error);
    if (read != SCRIP_OK) {
        return card_fail_file(tool, read, error);
    }
    tool_say(tool, "%s:", path);
    const enum scrip_status verdict = scrip_dump_lint(&dump, card_finding, findings);
    scrip_wipe(&dump, sizeof dump);
    return verdict == SCRIP_OK
               ? TOOL_OK
               : tool_fail(tool, &(struct tool_failure){
                                     .status = SCRIP_E_LIMIT, .problem = TOOL_PROBLEM_UNSAFE_PROFILE, .what = path});
}

/* A card file stands for the profile it was made from; anything else is a profile's name or file. */
static int lint(struct tool *tool)
{
    const char *what = tool_text(tool, "profile");
    struct scrip_vcard_identity identity = {0};
    struct card_findings findings;
    char error[SCRIP_PROFILE_ERROR_MAX];
    const bool file = scrip_vcard_read_identity(what, &identity) == SCRIP_OK;
    const bool classic = file && identity.family == SCRIP_VCARD_CLASSIC;
    card_findings_begin(&findings, tool);
    if (file && identity.profile[0] == '\0' && !classic) {
        snprintf(error, sizeof error, "%.190s: no purse is noted in the file: name the profile instead", what);
        return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_STATE,
                                                      .problem = TOOL_PROBLEM_FILE,
                                                      .what = "reading the profile",
                                                      .detail = error});
    }
    int code = TOOL_OK;
    if (!file || identity.profile[0] != '\0') {
        code = lint_profile(tool, file ? identity.profile : what, classic, &findings);
    }
    if (code == TOOL_OK && classic) {
        code = lint_memory(tool, what, &findings);
    }
    if (findings.counts[SCRIP_LINT_INFO] + findings.counts[SCRIP_LINT_WARNING] != 0) {
        tool_say(tool, "%u errors, %u warnings", findings.counts[SCRIP_LINT_ERROR],
                 findings.counts[SCRIP_LINT_WARNING]);
    }
    return code;
}

const struct tool_command tool_card_lint = {
    .name = "card lint",
    .summary = "who may credit and who only debit on a card of a profile",
    .text =
        "Explains the access rights of a profile: who may credit, who may only debit, what anybody may do. Warns of "
        "free rights, plain value files and undiversified keys. Fails when a gate's key may add value, change the "
        "rights of the value file, or write the log that proves top-ups. Of a card file of MIFARE Classic the memory "
        "is "
        "looked at too: transport keys, a key B that can be read, damaged access bits.",
    .operands = (const struct tool_option[]){{.name = "profile",
                                              .kind = TOOL_FILE,
                                              .value = "PROFILE",
                                              .help = "a profile's name or file, or a card file made from one",
                                              .required = true},
                                             {.name = NULL}},
    .example = "  scrip card lint an12113\n  scrip card lint ./my.profile",
    .run = lint,
};

/* ---- reader list ----------------------------------------------------------------------------------------------- */

struct reader_sink {
    struct tool *tool;
    json_t *readers;
    json_t *devices;
};

static void list_reader(void *ctx, unsigned number, const char *name, bool has_card)
{
    struct reader_sink *sink = ctx;
    char link[16];
    snprintf(link, sizeof link, "pcsc:%u", number);
    tool_say(sink->tool, "%-8s %s%s", link, name, has_card ? "  (a card is in it)" : "");
    json_array_append_new(sink->readers,
                          json_pack("{s:s, s:s, s:b}", "link", link, "name", name, "card", (int)has_card));
}

static void list_device(void *ctx, const char *link, const char *what)
{
    struct reader_sink *sink = ctx;
    tool_say(sink->tool, "%-24s %s", link, what);
    json_array_append_new(sink->devices, json_pack("{s:s, s:s}", "link", link, "what", what));
}

/* Where there is no PC/SC, a board with a reader chip may do very well without. */
static int reader_list(struct tool *tool)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct reader_sink sink = {.tool = tool, .readers = json_array(), .devices = json_array()};
    tool_put(tool, "readers", sink.readers);
    tool_put(tool, "devices", sink.devices);
    const enum scrip_status status = scrip_pcsc_list(list_reader, &sink, error);
    scrip_reader_devices(list_device, &sink);
    if (status != SCRIP_OK && json_array_size(sink.devices) == 0) {
        return tool_fail(tool, &(struct tool_failure){.status = status, .what = "asking PC/SC", .detail = error});
    }
    if (json_array_size(sink.readers) == 0) {
        tool_say(tool, "%s", status != SCRIP_OK ? error : "PC/SC knows no reader");
    }
    return TOOL_OK;
}

const struct tool_command tool_reader_list = {
    .name = "reader list",
    .summary = "readers that PC/SC knows, and devices that a reader chip may hang on, as LINKs",
    .run = reader_list,
};
