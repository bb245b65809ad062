/* card.c: scrip card exchange|show|lint: virtual cards as files, without keys. */
#include "common.h"
#include <scrip/posix.h>
#include <scrip/profile.h>
#include <scrip/reader.h>
#include <scrip/vcard.h>
#include <stdlib.h>
#include <string.h>

#define OPERAND_CARD                                                                                                   \
    {                                                                                                                  \
        .name = "file", .kind = TOOL_FILE, .value = "FILE", .help = "the card file", .required = true                  \
    }

static int fail_file(struct tool *tool, enum scrip_status status, const char *error)
{
    return tool_fail(tool, &(struct tool_failure){.status = status == SCRIP_E_STATE ? SCRIP_E_IO : status,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "opening the card",
                                                  .detail = error});
}

/* ---- card exchange --------------------------------------------------------------------------------------------- */

/* What --random gave, then the system's randomness. */
struct given_random {
    uint8_t *at;
    size_t len, used;
    struct scrip_random system;
};

static enum scrip_status given_fill(void *ctx, uint8_t *dst, size_t len)
{
    struct given_random *given = ctx;
    if (given->used == given->len) {
        return given->system.fill(given->system.ctx, dst, len);
    }
    if (len > given->len - given->used) {
        return SCRIP_E_RANDOM;
    }
    memcpy(dst, given->at + given->used, len);
    given->used += len;
    return SCRIP_OK;
}

/* Bytes from hex; blanks are skipped. @return how many, or -1: not hex, or an odd number of digits */
static int from_hex(const char *text, uint8_t *dst, size_t cap)
{
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        static const char hex[] = "0123456789abcdef";
        if (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n') {
            continue;
        }
        const char *found = strchr(hex, *text | 0x20);
        if (found == NULL || digits / 2 == cap) {
            return -1;
        }
        dst[digits / 2] = (uint8_t)(digits % 2 == 0 ? (found - hex) << 4 : dst[digits / 2] | (found - hex));
        digits++;
    }
    return digits % 2 == 0 ? (int)(digits / 2) : -1;
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
        given->len += (size_t)from_hex(text, given->at + given->len, strlen(text) / 2);
    }
    return TOOL_OK;
}

static int answer_line(struct tool *tool, struct scrip_vcard *card, const char *line, json_t *responses)
{
    static uint8_t command[4096], response[SCRIP_VCARD_RAPDU_MAX];
    static char text[2 * SCRIP_VCARD_RAPDU_MAX + 1];
    struct scrip_buf rsp = SCRIP_BUF_OF(response);
    struct scrip_card_info info;
    if (strncmp(line, "RESET", 5) == 0) {
        scrip_vcard_off(card);
        const enum scrip_status on = scrip_vcard_on(card, &info);
        return on == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, on, "powering the card");
    }
    const int len = from_hex(line, command, sizeof command);
    if (len < 0) {
        return tool_usage(tool, "not a command APDU in hex: %.60s", line);
    }
    if (len == 0) {
        return TOOL_OK;
    }
    const enum scrip_status status = scrip_vcard_apdu(card, scrip_bytes(command, (size_t)len), &rsp);
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
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    static char line[9000];
    struct given_random given = {.system = scrip_random_system()};
    const struct scrip_random random = {.ctx = &given, .fill = given_fill};
    const struct scrip_vcard_host host = {.random = &random};
    struct scrip_vcard *card = NULL;
    struct scrip_card_info info;
    json_t *responses = json_array();
    tool_put(tool, "responses", responses);
    int code = collect_random(tool, &given);
    if (code == TOOL_OK) {
        enum scrip_status status = scrip_vcard_open(tool_text(tool, "file"), &host, &card, error);
        status = status == SCRIP_OK ? scrip_vcard_on(card, &info) : status;
        code = status == SCRIP_OK ? TOOL_OK : fail_file(tool, status, error);
    }
    while (code == TOOL_OK && fgets(line, sizeof line, stdin) != NULL) {
        code = line[0] == '#' ? TOOL_OK : answer_line(tool, card, line, responses);
    }
    scrip_vcard_close(card);
    free(given.at);
    return code;
}

const struct tool_command tool_card_exchange = {
    .name = "card exchange",
    .summary = "command APDUs from standard input, responses to standard output",
    .text =
        "Reads one command APDU in hex a line from standard input, gives it to the card, and prints the response in "
        "hex on a line. A line RESET takes power from the card and gives it back, and prints nothing. Empty lines "
        "and lines that begin with # are skipped. The card is powered when the command starts.",
    .operands = (const struct tool_option[]){OPERAND_CARD, {.name = NULL}},
    .options = (const struct tool_option[]){{.name = "random",
                                             .kind = TOOL_HEX,
                                             .value = "HEX",
                                             .help = "random bytes that the card draws, in order; then the system's",
                                             .repeat = true},
                                            {.name = NULL}},
    .example = "  echo 9060000000 | scrip card exchange alice.card",
    .run = exchange,
};

/* ---- card show ------------------------------------------------------------------------------------------------- */

static const char *generation_name(uint8_t generation)
{
    static const char *const names[] = {"EV1", "EV2", "EV3", "Light"};
    return generation < sizeof names / sizeof names[0] ? names[generation] : "?";
}

static void show_identity(struct tool *tool, const struct scrip_vcard_identity *identity)
{
    char uid[15];
    tool_hex_text(SCRIP_BYTES_OF(identity->uid), uid);
    tool_say(tool, "card file       DESFire %s, UID %s%s%s", generation_name(identity->generation), uid,
             identity->profile[0] != '\0' ? ", personalised as " : ", not personalised", identity->profile);
    tool_put(tool, "family", json_string("desfire"));
    tool_put(tool, "generation", json_string(generation_name(identity->generation)));
    tool_put(tool, "uid", json_string(uid));
    tool_put(tool, "profile", json_string(identity->profile));
    if (identity->keep_pending_on_auth || !identity->end_session_on_0c || identity->transaction_timer_ms != 0) {
        tool_say(tool, "emulator        %s%stransaction timer %u ms",
                 identity->keep_pending_on_auth ? "keeps pending changes at a new authentication, " : "",
                 identity->end_session_on_0c ? "" : "keeps the session after status 0C, ",
                 identity->transaction_timer_ms);
    }
}

/* Ask one question of the card. @return SCRIP_OK with the answer in `out`, or what went wrong */
static enum scrip_status ask(struct scrip_link *link, struct scrip_desfire_term *term, struct scrip_buf *out,
                             enum scrip_status (*question)(struct scrip_desfire_term *term, struct scrip_batch *batch))
{
    static struct scrip_batch batch;
    static struct scrip_replies replies;
    scrip_batch_clear(&batch);
    SCRIP_TRY(question(term, &batch));
    for (;;) {
        scrip_replies_clear(&replies);
        SCRIP_TRY(scrip_batch_transmit(&batch, link, &replies));
        const enum scrip_status status = scrip_desfire_term_take(term, &replies, out);
        if (status != SCRIP_E_WAIT) {
            return status;
        }
        scrip_batch_clear(&batch);
        SCRIP_TRY(scrip_desfire_term_continue(term, &batch));
    }
}

static void show_version(struct tool *tool, const struct scrip_desfire_version *version)
{
    char uid[15];
    tool_say(tool, "product         %s, hardware %u.%u, software %u.%u, %s%u bytes",
             scrip_desfire_version_product(version), version->hw_major, version->hw_minor, version->sw_major,
             version->sw_minor, version->storage_min == version->storage_max ? "" : "at least ", version->storage_min);
    tool_say(tool, "UID             %s", tool_hex_text(SCRIP_BYTES_OF(version->uid), uid));
    tool_put(tool, "product", json_string(scrip_desfire_version_product(version)));
    tool_put(tool, "storage", json_integer(version->storage_min));
    tool_put(tool, "version_uid", json_string(uid));
}

static void show_applications(struct tool *tool, struct scrip_bytes aids)
{
    json_t *list = json_array();
    for (size_t i = 0; i + 3 <= aids.len; i += 3) {
        char text[7];
        snprintf(text, sizeof text, "%06X", (unsigned)scrip_get_le24(aids.at + i));
        tool_say(tool, "application     %s%s", text,
                 scrip_get_le24(aids.at + i) == 0x014499 ? "  the purse (AN12113)" : "");
        json_array_append_new(list, json_string(text));
    }
    if (aids.len == 0) {
        tool_say(tool, "application     none: the card is empty");
    }
    tool_put(tool, "applications", list);
}

static int show_card(struct tool *tool, struct scrip_link *link, const struct scrip_card_info *info)
{
    uint8_t bytes[256];
    char text[80];
    struct scrip_desfire_term term;
    struct scrip_desfire_version version;
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    tool_say(tool, "ATS             %s", tool_hex_text(scrip_bytes(info->ats, info->ats_len), text));
    scrip_desfire_term_start(&term);
    enum scrip_status status = ask(link, &term, &out, scrip_desfire_get_version);
    status = status == SCRIP_OK ? scrip_desfire_version_parse(scrip_buf_bytes(&out), &version) : status;
    if (status != SCRIP_OK) {
        return tool_fail_card(tool, status, &term.failure, TOOL_CARD_UNTOUCHED, "asking what the card is");
    }
    show_version(tool, &version);
    out.len = 0;
    if (ask(link, &term, &out, scrip_desfire_get_free_memory) == SCRIP_OK && out.len == 3) {
        tool_say(tool, "free memory     %u bytes", (unsigned)scrip_get_le24(bytes));
        tool_put(tool, "free", json_integer(scrip_get_le24(bytes)));
    }
    out.len = 0;
    scrip_desfire_term_start(&term);
    if (ask(link, &term, &out, scrip_desfire_get_application_ids) == SCRIP_OK) {
        show_applications(tool, scrip_buf_bytes(&out));
    } else {
        tool_say(tool, "application     the card does not tell without its master key");
    }
    return TOOL_OK;
}

static int show(struct tool *tool)
{
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    const char *path = tool_text(tool, "file");
    struct scrip_vcard_identity identity;
    struct scrip_vcard *card = NULL;
    struct scrip_link *link = NULL;
    struct scrip_card_info info;
    if (path == NULL && !tool_has(tool, "reader")) {
        return tool_usage(tool, "name a card file, or a --reader");
    }
    if (path == NULL) {
        const int code = tool_connect(tool, &link, &info);
        if (code != TOOL_OK) {
            return code;
        }
    } else {
        enum scrip_status status = scrip_vcard_read_identity(path, &identity);
        if (status == SCRIP_OK) {
            show_identity(tool, &identity);
        }
        status = scrip_vcard_open(path, NULL, &card, error);
        status = status == SCRIP_OK ? scrip_link_to_card(card, true, &link) : status;
        status = status == SCRIP_OK ? scrip_link_connect(link, 0, &info) : status;
        if (status != SCRIP_OK) {
            return fail_file(tool, status, error);
        }
    }
    const int code = show_card(tool, link, &info);
    scrip_link_close(link);
    return code;
}

const struct tool_command tool_card_show = {
    .name = "card show",
    .summary = "what a card says of itself without any key",
    .text = "Shows identity, product, free memory and applications of a card file, or of a real card with --reader.",
    .operands =
        (const struct tool_option[]){{.name = "file", .kind = TOOL_FILE, .value = "FILE", .help = "a card file"},
                                     {.name = NULL}},
    .options =
        (const struct tool_option[]){
            {.name = "reader", .kind = TOOL_LINK, .value = "LINK", .help = "the way to a card, in place of FILE"},
            TOOL_OPTION_WAIT,
            {.name = NULL}},
    .example = "  scrip card show alice.card\n  scrip card show --reader pcsc:0",
    .run = show,
};

/* ---- card lint ------------------------------------------------------------------------------------------------- */

struct lint_sink {
    struct tool *tool;
    json_t *findings;
    unsigned counts[3];
};

static void lint_finding(void *ctx, enum scrip_lint_level level, const char *sentence)
{
    static const char *const names[] = {"info", "warning", "error"};
    struct lint_sink *sink = ctx;
    sink->counts[level]++;
    tool_say(sink->tool, "%-8s %s", names[level], sentence);
    json_array_append_new(sink->findings, json_pack("{s:s, s:s}", "level", names[level], "text", sentence));
}

/* A card file stands for the profile it was made from; anything else is a profile's name or file. */
static enum scrip_status lint_profile(const char *what, struct scrip_profile *profile, char *error)
{
    struct scrip_vcard_identity identity;
    if (scrip_vcard_read_identity(what, &identity) == SCRIP_OK) {
        if (identity.profile[0] == '\0') {
            snprintf(error, SCRIP_PROFILE_ERROR_MAX, "%.200s: the card is not personalised", what);
            return SCRIP_E_STATE;
        }
        return scrip_profile_load(identity.profile, profile, error);
    }
    return scrip_profile_load(what, profile, error);
}

static int lint(struct tool *tool)
{
    char error[SCRIP_PROFILE_ERROR_MAX] = "";
    static struct scrip_profile profile;
    struct lint_sink sink = {.tool = tool, .findings = json_array()};
    tool_put(tool, "findings", sink.findings);
    const enum scrip_status read = lint_profile(tool_text(tool, "profile"), &profile, error);
    if (read != SCRIP_OK) {
        return tool_fail(tool, &(struct tool_failure){.status = read == SCRIP_E_NOT_FOUND ? SCRIP_E_IO : read,
                                                      .problem = TOOL_PROBLEM_FILE,
                                                      .what = "reading the profile",
                                                      .detail = error});
    }
    tool_say(tool, "%s: %s", profile.name, profile.about);
    const enum scrip_status verdict = scrip_profile_lint(&profile, lint_finding, &sink);
    tool_say(tool, "%u errors, %u warnings", sink.counts[SCRIP_LINT_ERROR], sink.counts[SCRIP_LINT_WARNING]);
    return verdict == SCRIP_OK ? TOOL_OK
                               : tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_LIMIT,
                                                                        .problem = TOOL_PROBLEM_UNSAFE_PROFILE,
                                                                        .what = profile.name});
}

const struct tool_command tool_card_lint = {
    .name = "card lint",
    .summary = "who may credit and who only debit on a card of a profile",
    .text =
        "Explains the access rights of a profile: who may credit, who may only debit, what anybody may do. Warns of "
        "free rights, plain value files and undiversified keys. Fails when a gate's key may add value, change the "
        "rights of the value file, or write the log that proves top-ups.",
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

static int reader_list(struct tool *tool)
{
    char error[SCRIP_LINK_ERROR_MAX] = "";
    struct reader_sink sink = {.tool = tool, .readers = json_array()};
    tool_put(tool, "readers", sink.readers);
    const enum scrip_status status = scrip_pcsc_list(list_reader, &sink, error);
    if (status != SCRIP_OK) {
        return tool_fail(tool, &(struct tool_failure){.status = status, .what = "asking PC/SC", .detail = error});
    }
    if (json_array_size(sink.readers) == 0) {
        tool_say(tool, "PC/SC knows no reader");
    }
    return TOOL_OK;
}

const struct tool_command tool_reader_list = {
    .name = "reader list",
    .summary = "readers that PC/SC knows, as LINKs",
    .run = reader_list,
};
