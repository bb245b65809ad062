/* card_new.c: scrip card new: a card file from a profile, personalised. */
#include "card.h"
#include <scrip/posix.h>
#include <scrip/reader.h>
#include <scrip/wallet.h>
#include <string.h>

static int generation_of(const char *name, uint8_t otherwise)
{
    static const char *const names[] = {"EV1", "EV2", "EV3"};
    for (uint8_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return otherwise;
}

static int check_options(struct tool *tool, bool desfire)
{
    static const struct card_option_kind rows[] = {
        {"generation", true, NULL}, {"keep-pending", true, NULL}, {"keep-on-0c", true, NULL}, {"number", true, NULL},
        {"issuer", true, NULL},     {"key-version", true, NULL},  {"genuine", false, NULL},
    };
    return card_check_options(tool, rows, sizeof rows / sizeof rows[0], desfire);
}

static int fill_identity(struct tool *tool, const struct scrip_profile *profile, struct scrip_vcard_identity *identity)
{
    const bool desfire = profile->family == SCRIP_VCARD_DESFIRE;
    const int code = check_options(tool, desfire);
    if (code != TOOL_OK) {
        return code;
    }
    identity->family = profile->family;
    identity->uid_len = profile->uid_len;
    identity->variant = profile->variant;
    identity->genuine = tool_has(tool, "genuine");
    if (desfire) {
        identity->generation = (uint8_t)generation_of(tool_text(tool, "generation"), profile->generation);
        identity->storage = profile->storage;
        identity->keep_pending_on_auth = tool_has(tool, "keep-pending");
        identity->end_session_on_0c = !tool_has(tool, "keep-on-0c");
        identity->transaction_timer_ms = (uint32_t)tool_number(tool, "timer", 0);
    }
    if (tool_has(tool, "uid")) {
        const size_t len = tool_hex(tool, "uid", identity->uid, sizeof identity->uid);
        if (len != 7 && (len != 4 || desfire)) {
            return tool_usage(tool, "--uid: a UID has %s hex digits", desfire ? "14" : "8 or 14");
        }
        if (!desfire && identity->uid[len - 4] == SCRIP_CASCADE_CT) {
            return tool_usage(tool, "--uid: 88 is no first byte of a UID of four bytes, and no fourth of seven");
        }
        identity->uid_len = (uint8_t)len;
    }
    return TOOL_OK;
}

static void say_personalised(struct tool *tool, const struct scrip_purse_result *result)
{
    tool_put(tool, "tmc", json_integer(result->has_tmc ? result->tmc : 0));
    tool_put(tool, "balance", json_integer(result->balance));
    if (result->has_tmc) {
        tool_say(tool, "transactions so far: %u", result->tmc);
    }
}

static int fail_storage(struct tool *tool, const struct scrip_purse_result *result)
{
    char detail[64];
    snprintf(detail, sizeof detail, "pseudo-APDU FF %02X: %04X", result->failure.cmd, result->failure.sw);
    return tool_fail(tool, &(struct tool_failure){.status = result->status,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = "personalising the card",
                                                  .detail = result->failure.cmd != 0 ? detail : NULL});
}

static int run_personalise(struct tool *tool, const struct scrip_profile *profile, struct scrip_purse_request *request,
                           struct scrip_link *link)
{
    static struct scrip_purse_job job;
    const bool desfire = profile->family == SCRIP_VCARD_DESFIRE;
    const struct scrip_purse_family *family =
        desfire ? &scrip_purse_desfire : scrip_purse_family_named(scrip_storage_kind_name(profile->purse.kind));
    tool_progress(tool, "personalising the card as %s", profile->name);
    const enum scrip_status status =
        family != NULL ? scrip_purse_run(&job, family, SCRIP_PURSE_PERSONALISE, request, link) : SCRIP_E_UNSUPPORTED;
    if (status != SCRIP_OK) {
        return desfire ? card_fail_personalise(tool, &job.result, "personalising the card")
                       : fail_storage(tool, &job.result);
    }
    say_personalised(tool, &job.result);
    return TOOL_OK;
}

static int personalise(struct tool *tool, const char *path, const struct scrip_profile *profile)
{
    const struct scrip_clock clock = scrip_clock_system();
    struct scrip_purse_header header = {0};
    struct scrip_purse_request request = {
        .profile = &profile->desfire, .storage = &profile->purse, .random = scrip_random_system(), .header = &header};
    struct card_keys card_keys;
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    struct scrip_vcard *card = NULL;
    struct scrip_link *link = NULL;
    struct scrip_keys *keys = NULL;
    scrip_purse_timestamp(clock.now_ms(clock.ctx), request.timestamp);
    int code = profile->family != SCRIP_VCARD_DESFIRE ? TOOL_OK : card_header_fill(tool, &header);
    code = code == TOOL_OK ? tool_keys_open(tool, &keys) : code;
    if (code != TOOL_OK) {
        return code;
    }
    request.keys = tool_purse_keys(keys);
    code = profile->family == SCRIP_VCARD_DESFIRE ? card_keys_choose(tool, keys, &card_keys, &request) : TOOL_OK;
    if (code != TOOL_OK) {
        scrip_keys_close(keys);
        return code;
    }
    enum scrip_status status = scrip_vcard_open(path, NULL, &card, error);
    status = status == SCRIP_OK ? scrip_link_to_card(card, true, &link) : status;
    status = status == SCRIP_OK ? scrip_link_connect(link, 0, &request.card) : status;
    code = status == SCRIP_OK
               ? run_personalise(tool, profile, &request, link)
               : tool_fail(tool, &(struct tool_failure){.status = status, .what = "opening the card", .detail = error});
    if (link != NULL) {
        scrip_link_close(link);
    }
    scrip_keys_close(keys);
    if (code == TOOL_OK) {
        status = scrip_vcard_note_profile(path, profile->name, error);
        code = status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "%s", error);
    }
    return code;
}

static void say_made(struct tool *tool, const struct scrip_vcard_identity *identity, const char *profile)
{
    char uid[15], kind[32];
    const char *path = tool_text(tool, "file");
    tool_hex_text(scrip_bytes(identity->uid, identity->uid_len), uid);
    tool_say(tool, "%s: %s, UID %s, %s", path, card_kind_text(identity, kind), uid,
             profile[0] != '\0' ? profile : "fresh from the factory");
    tool_put(tool, "file", json_string(path));
    tool_put(tool, "uid", json_string(uid));
    tool_put(tool, "profile", json_string(profile));
}

static int make_card(struct tool *tool, const struct scrip_profile *profile, struct scrip_vcard_identity *identity)
{
    char error[SCRIP_VCARD_ERROR_MAX] = "", draft[1024];
    const char *path = tool_text(tool, "file");
    const bool blank = tool_has(tool, "blank");
    int code = card_draft(tool, path, draft);
    if (code != TOOL_OK) {
        return code;
    }
    enum scrip_status status = scrip_vcard_make(draft, identity, error);
    status = status == SCRIP_OK ? scrip_vcard_read_identity(draft, identity) : status;
    if (status != SCRIP_OK) {
        return tool_fail(tool,
                         &(struct tool_failure){.status = status, .what = "making the card file", .detail = error});
    }
    code = blank ? TOOL_OK : personalise(tool, draft, profile);
    code = card_place(tool, draft, path, code);
    if (code == TOOL_OK) {
        say_made(tool, identity, blank ? "" : profile->name);
    }
    return code;
}

static int make(struct tool *tool)
{
    static struct scrip_profile profile;
    struct scrip_vcard_identity identity = {0};
    char error[SCRIP_PROFILE_ERROR_MAX] = "";
    if (tool_has(tool, "blank") == tool_has(tool, "keys")) {
        return tool_usage(tool, "give --keys STORE to personalise the card, or --blank for one fresh from the factory");
    }
    const enum scrip_status status = scrip_profile_load(tool_text(tool, "profile"), &profile, error);
    if (status != SCRIP_OK) {
        return card_fail_text(tool, status, "reading the profile", error);
    }
    const int code = fill_identity(tool, &profile, &identity);
    if (code != TOOL_OK) {
        return code;
    }
    return make_card(tool, &profile, &identity);
}

const struct tool_command tool_card_new = {
    .name = "card new",
    .summary = "make a virtual card from a profile",
    .text = "Makes a card file and personalises it: application, files, access rights, diversified keys of the store, "
            "card header; on a storage card the purse with its keys and access bits. The file is the card: every write "
            "of the chip is one write of the file, so a process killed "
            "at any moment leaves what a card torn from the field would. It is no security boundary: who can read the "
            "file has its keys.",
    .operands = (const struct tool_option[]){{.name = "file",
                                              .kind = TOOL_FILE,
                                              .value = "FILE",
                                              .help = "the card file to make; must not exist",
                                              .required = true},
                                             {.name = NULL}},
    .options =
        (const struct tool_option[]){
            {.name = "profile",
             .kind = TOOL_FILE,
             .value = "PROFILE",
             .help = "a profile's name or file",
             .initial = "an12113"},
            {.name = "keys",
             .kind = TOOL_FILE,
             .value = "STORE",
             .help = "the issuer's key store, to personalise with"},
            TOOL_OPTION_PASSPHRASE,
            {.name = "blank", .kind = TOOL_FLAG, .help = "leave the card as the factory made it"},
            {.name = "uid",
             .kind = TOOL_HEX,
             .value = "UID",
             .help = "14 hex digits, storage cards also 8; else a random one"},
            {.name = "genuine",
             .kind = TOOL_FLAG,
             .help = "emulator: a storage card answers those who know no key as the chip does, weaknesses included"},
            {.name = "generation",
             .kind = TOOL_CHOICE,
             .value = "GENERATION",
             .help = "DESFire: in place of the profile's",
             .choices = "EV1 EV2 EV3"},
            CARD_OPTIONS_OF_HEADER,
            {.name = "keep-pending",
             .kind = TOOL_FLAG,
             .help = "emulator: a new authentication keeps an open transaction"},
            {.name = "keep-on-0c", .kind = TOOL_FLAG, .help = "emulator: the session goes on after status 0C"},
            {.name = "timer",
             .kind = TOOL_NUMBER,
             .value = "MS",
             .help = "emulator: longest open transaction; 0: no limit",
             .initial = "0"},
            {.name = "currency",
             .kind = TOOL_TEXT,
             .value = "CODE",
             .help = "ISO 4217 code of what the card counts in",
             .initial = "EUR"},
            {.name = NULL}},
    .example =
        "  scrip card new alice.card --keys issuer.keys\n  scrip card new old.card --profile ev1 --keys issuer.keys\n"
        "  scrip card new maker.card --profile bcd --keys issuer.keys\n"
        "  scrip card new blank.card --profile classic-4k --blank --uid 04112233445566",
    .run = make,
};
