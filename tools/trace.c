/* trace.c: scrip trace explain: a capture in plain words. */
#include "common.h"
#include <errno.h>
#include <scrip/capture.h>
#include <scrip/desfire_explain.h>
#include <scrip/pcsc.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 160U
#define FILE_MAX (256U << 20)

/* Keys to try, with their names. */
struct ring {
    struct scrip_desfire_explain_key keys[KEYS_MAX];
    char names[KEYS_MAX][40];
    size_t count;
};

static void ring_add(struct ring *ring, enum scrip_cipher cipher, const uint8_t *bytes, size_t len, const char *name)
{
    if (ring->count == KEYS_MAX) {
        return;
    }
    struct scrip_desfire_explain_key *key = &ring->keys[ring->count];
    snprintf(ring->names[ring->count], sizeof ring->names[0], "%s", name);
    *key = (struct scrip_desfire_explain_key){.key = {.cipher = (uint8_t)cipher}, .name = ring->names[ring->count]};
    memcpy(key->key.bytes, bytes, len);
    ring->count++;
}

/* Keys that every new card has, then those that were typed. */
static int ring_start(struct tool *tool, struct ring *ring)
{
    static const uint8_t zero[24];
    const char *text;
    ring->count = 0;
    ring_add(ring, SCRIP_AES128, zero, 16, "factory AES key");
    ring_add(ring, SCRIP_DES, zero, 8, "factory DES key");
    ring_add(ring, SCRIP_2K3DES, zero, 16, "factory 2K3DES key");
    ring_add(ring, SCRIP_3K3DES, zero, 24, "factory 3K3DES key");
    for (size_t i = 0; (text = tool_text_at(tool, "key", i)) != NULL; i++) {
        uint8_t bytes[24];
        char name[40];
        const size_t len = tool_hex_of(text, bytes, sizeof bytes);
        snprintf(name, sizeof name, "key %zu of the command line", i + 1);
        if (len == 8) {
            ring_add(ring, SCRIP_DES, bytes, len, name);
        } else if (len == 16) {
            ring_add(ring, SCRIP_AES128, bytes, len, name);
            ring_add(ring, SCRIP_2K3DES, bytes, len, name);
        } else if (len == 24) {
            ring_add(ring, SCRIP_3K3DES, bytes, len, name);
        } else {
            return tool_usage(tool, "--key: a key has 8, 16 or 24 bytes");
        }
        scrip_wipe(bytes, sizeof bytes);
    }
    return TOOL_OK;
}

/* The card's own keys out of the store: every role and version, diversified for this UID. */
static void ring_add_store(struct ring *ring, struct scrip_keys *keys, const uint8_t uid[7])
{
    static const uint8_t aid[3] = {0x99, 0x44, 0x01};
    struct scrip_key_info info;
    for (size_t i = 0; keys != NULL && scrip_keys_info(keys, i, &info) == SCRIP_OK; i++) {
        uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX], key[16];
        char name[40];
        if (info.role > SCRIP_KEY_ID) {
            continue;
        }
        const struct scrip_bytes input = scrip_purse_diversify_input((enum scrip_purse_role)info.role, uid, aid, m);
        if (scrip_keys_diversify(keys, info.role, info.version, input, key) == SCRIP_OK) {
            snprintf(name, sizeof name, "%s version %u", scrip_key_role_name(info.role), info.version);
            ring_add(ring, SCRIP_AES128, key, sizeof key, name);
        }
        scrip_wipe(key, sizeof key);
    }
}

/* ---- the capture ----------------------------------------------------------------------------------------------- */

struct explainer {
    struct tool *tool;
    struct scrip_keys *keys;
    struct ring ring;
    struct scrip_desfire_explain explain;
    struct scrip_pcsc_redaction seen;
    struct scrip_desfire_explain_count total;
    json_t *lines;
    uint8_t command[SCRIP_CAPTURE_APDU_MAX];
    size_t command_len;
    bool pending; /* a command was seen, its response not yet */
};

static void on_line(void *ctx, const char *text)
{
    struct explainer *explainer = ctx;
    tool_say(explainer->tool, "%s", text);
    json_array_append_new(explainer->lines, json_string(text));
}

static void finish_card(struct explainer *explainer)
{
    const struct scrip_desfire_explain_count *count = &explainer->explain.count;
    explainer->total.exchanges += count->exchanges;
    explainer->total.opened += count->opened;
    explainer->total.wrong += count->wrong;
    explainer->total.refused += count->refused;
    explainer->total.unopened += count->unopened;
    scrip_desfire_explain_wipe(&explainer->explain);
}

/* A card came, or was there when the capture began. */
static int begin_card(struct explainer *explainer, const struct scrip_card_info *card)
{
    uint8_t uid[7] = {0};
    char text[21];
    const int code = ring_start(explainer->tool, &explainer->ring);
    if (code != TOOL_OK) {
        return code;
    }
    if (!tool_has(explainer->tool, "uid") && card != NULL && card->uid_len == sizeof uid) {
        memcpy(uid, card->uid, sizeof uid);
    } else if (tool_has(explainer->tool, "uid") && tool_hex(explainer->tool, "uid", uid, sizeof uid) != sizeof uid) {
        return tool_usage(explainer->tool, "--uid: a UID has 14 hex digits");
    }
    ring_add_store(&explainer->ring, explainer->keys, uid);
    explainer->seen = (struct scrip_pcsc_redaction){0};
    scrip_desfire_explain_start(&explainer->explain, explainer->ring.keys, explainer->ring.count, on_line, explainer);
    if (card != NULL) {
        char line[64];
        snprintf(line, sizeof line, "card %s", tool_hex_text(scrip_bytes(card->uid, card->uid_len), text));
        on_line(explainer, line);
    }
    return TOOL_OK;
}

static void flush_command(struct explainer *explainer, struct scrip_bytes response)
{
    const struct scrip_bytes command = scrip_bytes(explainer->command, explainer->command_len);
    char words[SCRIP_DESFIRE_EXPLAIN_LINE];
    char line[SCRIP_DESFIRE_EXPLAIN_LINE + 16];
    if (!explainer->pending) {
        return;
    }
    explainer->pending = false;
    if (scrip_pcsc_explain(&explainer->seen, command, response, words, sizeof words) == 0) {
        scrip_desfire_explain_exchange(&explainer->explain, command, response);
    } else { /* the reader's own: no messaging of a card is in it */
        snprintf(line, sizeof line, "%u  %s", ++explainer->explain.count.exchanges, words);
        on_line(explainer, line);
    }
}

static int take_entry(struct explainer *explainer, const struct scrip_capture_entry *entry)
{
    char note[256];
    switch (entry->kind) {
    case SCRIP_CAPTURE_CARD:
        flush_command(explainer, scrip_bytes(NULL, 0));
        finish_card(explainer);
        return begin_card(explainer, &entry->card);
    case SCRIP_CAPTURE_COMMAND:
        flush_command(explainer, scrip_bytes(NULL, 0));
        memcpy(explainer->command, entry->bytes.at, entry->bytes.len);
        explainer->command_len = entry->bytes.len;
        explainer->pending = true;
        break;
    case SCRIP_CAPTURE_RESPONSE:
        flush_command(explainer, entry->bytes);
        break;
    case SCRIP_CAPTURE_GONE:
        flush_command(explainer, scrip_bytes(NULL, 0));
        scrip_desfire_explain_reset(&explainer->explain);
        on_line(explainer, "the card left the field");
        break;
    case SCRIP_CAPTURE_NOTE:
        snprintf(note, sizeof note, "note: %.*s", (int)(entry->bytes.len < 240 ? entry->bytes.len : 240),
                 (const char *)entry->bytes.at);
        on_line(explainer, note);
        break;
    }
    return TOOL_OK;
}

static int read_all(struct explainer *explainer, struct scrip_capture_reader *reader, struct scrip_bytes file)
{
    struct scrip_capture_entry entry;
    enum scrip_status status = scrip_capture_read(reader, file);
    if (status == SCRIP_E_FORMAT) {
        return tool_fail(explainer->tool,
                         &(struct tool_failure){.status = status,
                                                .what = tool_text(explainer->tool, "file"),
                                                .detail = "no capture: neither pcapng nor the text form that "
                                                          "trace:FILE:LINK writes"});
    }
    int code = begin_card(explainer, NULL);
    while (code == TOOL_OK && status == SCRIP_OK && (status = scrip_capture_next(reader, &entry)) == SCRIP_OK) {
        code = take_entry(explainer, &entry);
    }
    flush_command(explainer, scrip_bytes(NULL, 0));
    finish_card(explainer);
    return code != TOOL_OK || status == SCRIP_E_NOT_FOUND
               ? code
               : tool_fail_status(explainer->tool, status, "reading the capture %s",
                                  tool_text(explainer->tool, "file"));
}

static int say_total(struct explainer *explainer)
{
    struct tool *tool = explainer->tool;
    const struct scrip_desfire_explain_count *total = &explainer->total;
    tool_put(tool, "exchanges", json_integer(total->exchanges));
    tool_put(tool, "opened", json_integer(total->opened));
    tool_put(tool, "wrong", json_integer(total->wrong));
    tool_put(tool, "refused", json_integer(total->refused));
    tool_put(tool, "unopened", json_integer(total->unopened));
    tool_say(tool, "%u exchanges: %u messages opened and right, %u wrong, %u refusals, %u without a key",
             total->exchanges, total->opened, total->wrong, total->refused, total->unopened);
    return total->wrong == 0 ? TOOL_OK
                             : tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_MAC,
                                                                      .what = "opening the conversation",
                                                                      .detail = "the lines above point at the byte"});
}

/* The whole file; freed by the caller. */
static uint8_t *load(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *at = NULL;
    size_t cap = 0;
    *len = 0;
    while (file != NULL && *len < FILE_MAX) {
        if (*len == cap) {
            cap = cap == 0 ? 65536 : 2 * cap;
            uint8_t *more = realloc(at, cap);
            if (more == NULL) {
                break;
            }
            at = more;
        }
        const size_t got = fread(at + *len, 1, cap - *len, file);
        if (got == 0) {
            break;
        }
        *len += got;
    }
    if (file != NULL) {
        fclose(file);
    }
    return at;
}

static int explain(struct tool *tool)
{
    const char *path = tool_text(tool, "file");
    size_t len = 0;
    struct explainer *explainer = calloc(1, sizeof *explainer);
    struct scrip_capture_reader *reader = calloc(1, sizeof *reader);
    uint8_t *file = load(path, &len);
    int code = TOOL_OK;
    if (explainer == NULL || reader == NULL) {
        code = tool_fail_status(tool, SCRIP_E_MEMORY, "starting");
    } else if (file == NULL) {
        code = tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_IO, .what = path, .detail = strerror(errno)});
    }
    if (code == TOOL_OK && explainer != NULL && tool_has(tool, "keys")) {
        code = tool_keys_open(tool, &explainer->keys);
    }
    if (code == TOOL_OK && explainer != NULL) {
        explainer->tool = tool;
        explainer->lines = json_array();
        tool_put(tool, "lines", explainer->lines);
        code = read_all(explainer, reader, scrip_bytes(file, len));
        code = code == TOOL_OK ? say_total(explainer) : code;
        scrip_keys_close(explainer->keys);
        scrip_wipe(&explainer->ring, sizeof explainer->ring);
    }
    free(file);
    free(reader);
    free(explainer);
    return code;
}

const struct tool_command tool_trace_explain = {
    .name = "trace explain",
    .summary = "a capture in plain words, secure messaging opened",
    .text =
        "Reads a capture (pcapng of ISO 14443, or the text form) and tells every command and answer in words. Where "
        "a key fits, sessions of D40, EV1, EV2 and LRP messaging are opened, every MAC is checked, and the first "
        "wrong byte is pointed at. Key material is never shown. With --keys the keys of the card are made from the "
        "store and the UID in the capture; a card with random UID needs --uid.",
    .operands = (const struct tool_option[]){{.name = "file",
                                              .kind = TOOL_FILE,
                                              .value = "FILE",
                                              .help = "the capture, as trace: links write it",
                                              .required = true},
                                             {.name = NULL}},
    .options =
        (const struct tool_option[]){
            {.name = "keys", .kind = TOOL_FILE, .value = "STORE", .help = "key store to open sessions with"},
            TOOL_OPTION_PASSPHRASE,
            {.name = "key",
             .kind = TOOL_HEX,
             .value = "HEX",
             .help = "a card's key itself, 8, 16 or 24 bytes; test cards only, others "
                     "can read the command line",
             .repeat = true},
            {.name = "uid",
             .kind = TOOL_HEX,
             .value = "UID",
             .help = "the card's true UID, where the capture has a random one"},
            {.name = NULL}},
    .example =
        "  scrip pay 2 --reader trace:pay.pcapng:pcsc:0 ...\n  scrip trace explain pay.pcapng --keys issuer.keys",
    .run = explain,
};
