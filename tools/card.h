/* card.h: what the commands on card files share. */
#ifndef SCRIP_TOOL_CARD_H
#define SCRIP_TOOL_CARD_H

#include "common.h"
#include <scrip/profile.h>
#include <scrip/wallet.h>

#define OPERAND_CARD                                                                                                   \
    {                                                                                                                  \
        .name = "file", .kind = TOOL_FILE, .value = "FILE", .help = "the card file", .required = true                  \
    }

/** A card file could not be opened. @return TOOL_FAILED */
int card_fail_file(struct tool *tool, enum scrip_status status, const char *error);

/** A profile or a dump could not be read: the layer is the file, whatever is wrong with it. @return TOOL_FAILED */
int card_fail_text(struct tool *tool, enum scrip_status status, const char *what, const char *detail);

/** Open a card file and power it before a reader. Says why when it fails.
 *  @param host  may be NULL
 *  @param link  receives the link, which owns the card; close it with scrip_link_close
 *  @return TOOL_OK or TOOL_FAILED */
int card_connect(struct tool *tool, const char *path, const struct scrip_vcard_host *host, struct scrip_link **link,
                 struct scrip_card_info *info);

/** "MIFARE Classic 4K", "DESFire EV2", "one-time wallet". @return text */
const char *card_kind_text(const struct scrip_vcard_identity *identity, char text[32]);

/** A card file is made beside its place and appears there when it is whole: half a card is of no use to anybody.
 *  `draft` is where to make it; card_place puts it to `path`, or takes it away when `code` says that it failed.
 *  @return TOOL_OK or TOOL_FAILED */
int card_draft(struct tool *tool, const char *path, char draft[1024]);
int card_place(struct tool *tool, const char *draft, const char *path, int code);

/** The keys that a new DESFire card gets: the newest of each role, or an exact version of pay, write and topup. */
struct card_keys {
    struct scrip_keys *keys;
    unsigned version; /* of these three; SCRIP_KEY_NEWEST: the newest of each */
};

/** Choose them by --key-version and put them, with the versions that the card is to show, into a request.
 *  @param chosen  must live as long as the request @return TOOL_OK, or after saying why TOOL_FAILED or TOOL_USAGE */
int card_keys_choose(struct tool *tool, struct scrip_keys *keys, struct card_keys *chosen,
                     struct scrip_purse_request *request);

/* ---- personalising a DESFire (card_personalise.c) ---- */

/** What its header says, and which keys it gets. "currency" is the command's own. */
#define CARD_OPTIONS_OF_HEADER                                                                                         \
    {.name = "number",                                                                                                 \
     .kind = TOOL_TEXT,                                                                                                \
     .value = "DIGITS",                                                                                                \
     .help = "DESFire: card number for the header, at most 20 digits; else made from the UID"},                        \
        {.name = "issuer",                                                                                             \
         .kind = TOOL_TEXT,                                                                                            \
         .value = "NAME",                                                                                              \
         .help = "DESFire: issuer's name for the header; else scrip"},                                                 \
    {                                                                                                                  \
        .name = "key-version", .kind = TOOL_NUMBER, .value = "VERSION",                                                \
        .help = "DESFire: version of the pay, write and topup keys; else the newest of each"                           \
    }

/** Options that only one kind of card understands. */
struct card_option_kind {
    const char *name;
    bool desfire;
    const char *hint; /**< what to do instead; NULL: nothing */
};

/** Options of the other kind are refused: nobody should believe that they did something. @return TOOL_OK or TOOL_USAGE
 */
int card_check_options(struct tool *tool, const struct card_option_kind *rows, size_t count, bool desfire);

/** The header as the options have it; without --number it is left to personalisation to make one.
 *  @return TOOL_OK or TOOL_USAGE */
int card_header_fill(struct tool *tool, struct scrip_purse_header *header);

/** A card was not personalised. Says why, and what the card is like now. @return TOOL_FAILED */
int card_fail_personalise(struct tool *tool, const struct scrip_purse_result *result, const char *what);

/** Where a LINK leads to a card file, note the purse in it, for card show and card lint. The link is closed. */
void card_note_profile(struct tool *tool, const char *link, const struct scrip_desfire_profile *profile);

/** What a storage card's file holds: sectors and purse; no key is shown. @return TOOL_OK or TOOL_FAILED */
int card_show_classic(struct tool *tool, const char *path, const struct scrip_vcard_identity *identity);
int card_show_otp(struct tool *tool, const char *path);

/** Findings of a lint, printed and put into the JSON object as "findings". */
struct card_findings {
    struct tool *tool;
    json_t *list;
    unsigned counts[3];
};
void card_findings_begin(struct card_findings *findings, struct tool *tool);
void card_finding(void *ctx, enum scrip_lint_level level, const char *sentence);

#endif
