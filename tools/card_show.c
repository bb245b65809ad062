/* card_show.c: scrip card show: what a card is. */
#include "card.h"
#include <scrip/desfire_term.h>
#include <scrip/reader.h>
#include <string.h>

static void show_identity(struct tool *tool, const struct scrip_vcard_identity *identity)
{
    static const char *const families[] = {"?", "desfire", "classic", "otp"};
    static const char *const generations[] = {"EV1", "EV2", "EV3", "Light"};
    char uid[15], kind[32];
    tool_hex_text(scrip_bytes(identity->uid, identity->uid_len), uid);
    tool_say(tool, "card file       %s, UID %s%s%s", card_kind_text(identity, kind), uid,
             identity->profile[0] != '\0' ? ", personalised as " : ", no purse noted", identity->profile);
    tool_put(tool, "family", json_string(families[identity->family]));
    tool_put(tool, "uid", json_string(uid));
    tool_put(tool, "profile", json_string(identity->profile));
    if (identity->family != SCRIP_VCARD_DESFIRE) {
        tool_put(tool, "genuine", json_boolean(identity->genuine));
        if (identity->genuine) {
            tool_say(tool, "emulator        answers those who know no key as the chip does: its keys can be recovered");
        }
        return;
    }
    tool_put(tool, "generation", json_string(generations[identity->generation & 3U]));
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

/* Without its keys a storage card says who it is, and no more. */
static int show_storage(struct tool *tool, const struct scrip_card_info *info)
{
    char text[80];
    tool_say(tool, "UID             %s", tool_hex_text(scrip_bytes(info->uid, info->uid_len), text));
    tool_put(tool, "uid", json_string(text));
    tool_say(tool, "ATR             %s", tool_hex_text(scrip_bytes(info->ats, info->ats_len), text));
    tool_put(tool, "atr", json_string(text));
    tool_say(tool, "storage card    its sectors open to their keys only");
    return TOOL_OK;
}

static int show_link(struct tool *tool, struct scrip_link *link, const struct scrip_card_info *info)
{
    const int code = scrip_storage_is_classic(info) ? show_storage(tool, info) : show_card(tool, link, info);
    scrip_link_close(link);
    return code;
}

static int show_desfire_file(struct tool *tool, const char *path)
{
    struct scrip_link *link = NULL;
    struct scrip_card_info info;
    const int code = card_connect(tool, path, NULL, &link, &info);
    return code == TOOL_OK ? show_link(tool, link, &info) : code;
}

static int show_file(struct tool *tool, const char *path)
{
    struct scrip_vcard_identity identity = {.family = SCRIP_VCARD_DESFIRE};
    if (scrip_vcard_read_identity(path, &identity) == SCRIP_OK) {
        show_identity(tool, &identity);
    }
    switch (identity.family) {
    case SCRIP_VCARD_CLASSIC:
        return card_show_classic(tool, path, &identity);
    case SCRIP_VCARD_OTP:
        return card_show_otp(tool, path);
    default: /* and what is no card file is refused on the way */
        return show_desfire_file(tool, path);
    }
}

static int show(struct tool *tool)
{
    const char *path = tool_text(tool, "file");
    struct scrip_link *link = NULL;
    struct scrip_card_info info;
    if (path == NULL && !tool_has(tool, "reader")) {
        return tool_usage(tool, "name a card file, or a --reader");
    }
    if (path != NULL) {
        return show_file(tool, path);
    }
    const int code = tool_connect(tool, &link, &info);
    return code == TOOL_OK ? show_link(tool, link, &info) : code;
}

const struct tool_command tool_card_show = {
    .name = "card show",
    .summary = "what a card says of itself without any key",
    .text =
        "Shows identity, product, free memory and applications of a card file, or of a real card with --reader. Of a "
        "storage card's file it shows the memory: sectors with their access bits in words, value blocks, the purse, "
        "units spent. Keys are never shown, only whether one is the transport key.",
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
