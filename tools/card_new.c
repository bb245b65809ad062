/* card_new.c: scrip card new: a card file from a profile, personalised. */
#include "common.h"
#include <errno.h>
#include <scrip/posix.h>
#include <scrip/profile.h>
#include <scrip/reader.h>
#include <scrip/vcard.h>
#include <scrip/wallet.h>
#include <string.h>
#include <unistd.h>

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

static int fill_identity(struct tool *tool, const struct scrip_profile *profile, struct scrip_vcard_identity *identity)
{
    identity->family = SCRIP_VCARD_DESFIRE;
    identity->generation = (uint8_t)generation_of(tool_text(tool, "generation"), profile->generation);
    identity->storage = profile->storage;
    identity->keep_pending_on_auth = tool_has(tool, "keep-pending");
    identity->end_session_on_0c = !tool_has(tool, "keep-on-0c");
    identity->transaction_timer_ms = (uint32_t)tool_number(tool, "timer", 0);
    if (tool_has(tool, "uid") && tool_hex(tool, "uid", identity->uid, sizeof identity->uid) != sizeof identity->uid) {
        return tool_usage(tool, "--uid: a UID has 14 hex digits");
    }
    return TOOL_OK;
}

/* What the card header says. A card without a number gets its UID as one. */
static int fill_header(struct tool *tool, const struct scrip_desfire_profile *profile, const uint8_t uid[7],
                       const uint8_t now[8], struct scrip_purse_header *header)
{
    const struct scrip_currency *currency = scrip_currency_find(tool_text(tool, "currency"));
    const char *number = tool_text(tool, "number");
    uint64_t as_number = 0;
    if (currency == NULL) {
        return tool_usage(tool, "--currency: '%s' is no currency that scrip knows", tool_text(tool, "currency"));
    }
    for (size_t i = 0; i < 7; i++) {
        as_number = as_number << 8 | uid[i];
    }
    header->profile = scrip_desfire_profile_id(profile);
    header->currency = currency->number;
    header->exponent = currency->exponent;
    memcpy(header->issued, now, sizeof header->issued);
    snprintf(header->issuer, sizeof header->issuer, "%s", tool_text(tool, "issuer"));
    if (number == NULL) {
        snprintf(header->card_number, sizeof header->card_number, "%llu", (unsigned long long)as_number);
    } else if (strlen(number) >= sizeof header->card_number) {
        return tool_usage(tool, "--number: at most 20 digits");
    } else {
        snprintf(header->card_number, sizeof header->card_number, "%s", number);
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

static int personalise(struct tool *tool, const char *path, const struct scrip_profile *profile,
                       const struct scrip_vcard_identity *identity)
{
    static struct scrip_purse_job job;
    const struct scrip_clock clock = scrip_clock_system();
    struct scrip_purse_header header = {0};
    struct scrip_purse_request request = {.profile = &profile->desfire,
                                          .random = scrip_random_system(),
                                          .new_key_version = (uint8_t)tool_number(tool, "key-version", 1),
                                          .header = &header};
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    struct scrip_vcard *card = NULL;
    struct scrip_link *link = NULL;
    struct scrip_keys *keys = NULL;
    scrip_purse_timestamp(clock.now_ms(clock.ctx), request.timestamp);
    int code = fill_header(tool, &profile->desfire, identity->uid, request.timestamp, &header);
    code = code == TOOL_OK ? tool_keys_open(tool, &keys) : code;
    if (code != TOOL_OK) {
        return code;
    }
    request.keys = tool_purse_keys(keys);
    enum scrip_status status = scrip_vcard_open(path, NULL, &card, error);
    status = status == SCRIP_OK ? scrip_link_to_card(card, true, &link) : status;
    status = status == SCRIP_OK ? scrip_link_connect(link, 0, &request.card) : status;
    if (status == SCRIP_OK) {
        tool_progress(tool, "personalising the card as %s", profile->name);
        status = scrip_purse_run(&job, &scrip_purse_desfire, SCRIP_PURSE_PERSONALISE, &request, link);
        code = status == SCRIP_OK
                   ? TOOL_OK
                   : tool_fail_card(tool, status, &job.result.failure, TOOL_CARD_UNTOUCHED, "personalising the card");
    } else {
        code = tool_fail(tool, &(struct tool_failure){.status = status, .what = "opening the card", .detail = error});
    }
    if (link != NULL) {
        scrip_link_close(link);
    }
    scrip_keys_close(keys);
    if (code == TOOL_OK) {
        say_personalised(tool, &job.result);
        status = scrip_vcard_note_profile(path, profile->name, error);
        code = status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "%s", error);
    }
    return code;
}

static void say_made(struct tool *tool, const struct scrip_vcard_identity *identity, const char *profile)
{
    char uid[15];
    const char *path = tool_text(tool, "file");
    tool_hex_text(SCRIP_BYTES_OF(identity->uid), uid);
    tool_say(tool, "%s: UID %s, %s", path, uid, profile[0] != '\0' ? profile : "fresh from the factory");
    tool_put(tool, "file", json_string(path));
    tool_put(tool, "uid", json_string(uid));
    tool_put(tool, "profile", json_string(profile));
}

/* The card is made beside its place and appears there when it is whole: half a card is of no use to anybody. */
static int make_card(struct tool *tool, const struct scrip_profile *profile, struct scrip_vcard_identity *identity)
{
    char error[SCRIP_VCARD_ERROR_MAX] = "", draft[1024];
    const char *path = tool_text(tool, "file");
    const bool blank = tool_has(tool, "blank");
    if (access(path, F_OK) == 0) {
        return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_EXISTS, .what = path});
    }
    snprintf(draft, sizeof draft, "%.1000s.%ld.new", path, (long)getpid());
    enum scrip_status status = scrip_vcard_make(draft, identity, error);
    status = status == SCRIP_OK ? scrip_vcard_read_identity(draft, identity) : status;
    if (status != SCRIP_OK) {
        return tool_fail(tool,
                         &(struct tool_failure){.status = status, .what = "making the card file", .detail = error});
    }
    int code = blank ? TOOL_OK : personalise(tool, draft, profile, identity);
    if (code == TOOL_OK && link(draft, path) != 0) {
        code = tool_fail(tool, &(struct tool_failure){.status = errno == EEXIST ? SCRIP_E_EXISTS : SCRIP_E_IO,
                                                      .what = path,
                                                      .detail = strerror(errno)});
    }
    unlink(draft);
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
        return tool_fail(
            tool, &(struct tool_failure){
                      .status = status, .problem = TOOL_PROBLEM_FILE, .what = "reading the profile", .detail = error});
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
            "card header. The file is the card: every write of the chip is one write of the file, so a process killed "
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
            {.name = "uid", .kind = TOOL_HEX, .value = "UID", .help = "14 hex digits; else a random one"},
            {.name = "generation",
             .kind = TOOL_CHOICE,
             .value = "GENERATION",
             .help = "in place of the profile's",
             .choices = "EV1 EV2 EV3"},
            {.name = "number",
             .kind = TOOL_TEXT,
             .value = "DIGITS",
             .help = "card number for the header, at most 20 digits; else made from the UID"},
            {.name = "issuer",
             .kind = TOOL_TEXT,
             .value = "NAME",
             .help = "issuer's name for the header",
             .initial = "scrip"},
            {.name = "key-version",
             .kind = TOOL_NUMBER,
             .value = "VERSION",
             .help = "version byte of the keys on the card",
             .initial = "1"},
            {.name = "keep-pending",
             .kind = TOOL_FLAG,
             .help = "emulator: a new authentication keeps an open transaction"},
            {.name = "keep-on-0c", .kind = TOOL_FLAG, .help = "emulator: the session goes on after status 0C"},
            {.name = "timer",
             .kind = TOOL_NUMBER,
             .value = "MS",
             .help = "emulator: longest open transaction; 0: no limit",
             .initial = "0"},
            TOOL_OPTION_CURRENCY,
            {.name = NULL}},
    .example =
        "  scrip card new alice.card --keys issuer.keys\n  scrip card new old.card --profile ev1 --keys issuer.keys",
    .run = make,
};
