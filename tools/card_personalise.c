/* card_personalise.c: what a new DESFire card is given, and what is said when it is not: for card files (card new) and
 * for cards on a reader (purse init). */
#include "card.h"
#include <string.h>

/* ---- what was typed ---------------------------------------------------------------------------------------------- */

int card_check_options(struct tool *tool, const struct card_option_kind *rows, size_t count, bool desfire)
{
    for (size_t i = 0; i < count; i++) {
        if (tool_has(tool, rows[i].name) && rows[i].desfire != desfire) {
            return tool_usage(tool, "--%s: only for %s cards%s", rows[i].name, desfire ? "storage" : "DESFire",
                              rows[i].hint != NULL ? rows[i].hint : "");
        }
    }
    return TOOL_OK;
}

int card_header_fill(struct tool *tool, struct scrip_purse_header *header)
{
    const struct scrip_currency *currency = NULL;
    const char *number = tool_text(tool, "number");
    const char *issuer = tool_text(tool, "issuer");
    const int code = tool_currency(tool, &currency);
    if (code != TOOL_OK) {
        return code;
    }
    if (number != NULL && (number[0] == '\0' || number[strspn(number, "0123456789")] != '\0' ||
                           strlen(number) >= sizeof header->card_number)) {
        return tool_usage(tool, "--number: 1 to %zu digits", sizeof header->card_number - 1);
    }
    header->currency = currency->number;
    header->exponent = currency->exponent;
    snprintf(header->issuer, sizeof header->issuer, "%s", issuer != NULL ? issuer : "scrip");
    snprintf(header->card_number, sizeof header->card_number, "%s", number != NULL ? number : "");
    return TOOL_OK;
}

/* ---- why not ----------------------------------------------------------------------------------------------------- */

static enum tool_problem problem_of(const struct scrip_purse_result *result)
{
    static const struct {
        uint8_t found;
        enum tool_problem problem;
        enum scrip_status status;
    } rows[] = {
        {SCRIP_FOUND_NO_DESFIRE, TOOL_PROBLEM_NO_DESFIRE, SCRIP_E_UNSUPPORTED},
        {SCRIP_FOUND_OLD_CARD, TOOL_PROBLEM_OLD_CARD, SCRIP_E_UNSUPPORTED},
        {SCRIP_FOUND_TOO_SMALL, TOOL_PROBLEM_NO_MEMORY, SCRIP_E_LIMIT},
        {SCRIP_FOUND_MASTER_KEY, TOOL_PROBLEM_MASTER_KEY, SCRIP_E_AUTH},
        {SCRIP_FOUND_FOREIGN, TOOL_PROBLEM_FOREIGN_APPLICATION, SCRIP_E_EXISTS},
        {SCRIP_FOUND_OTHER_PROFILE, TOOL_PROBLEM_OTHER_PROFILE, SCRIP_E_EXISTS},
        {SCRIP_FOUND_OTHER_KEYS, TOOL_PROBLEM_OTHER_KEYS, SCRIP_E_EXISTS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].found == result->found && rows[i].status == result->status) {
            return rows[i].problem;
        }
    }
    return result->status == SCRIP_E_TORN || (result->begun && result->status == SCRIP_E_NO_CARD)
               ? TOOL_PROBLEM_TORN_MAKING
               : TOOL_PROBLEM_DERIVE;
}

static void detail_of(const struct scrip_purse_result *result, char *text, size_t size)
{
    const char *product = result->product != NULL ? result->product : "the card does not say what it is";
    switch (result->found) {
    case SCRIP_FOUND_TOO_SMALL:
        snprintf(text, size, "%s: %u bytes are free, the purse takes %u and more", product, result->memory_free,
                 result->memory_needed);
        break;
    case SCRIP_FOUND_OTHER_KEYS:
        snprintf(text, size, "the key of role %s", scrip_key_role_name((enum scrip_key_role)result->role));
        break;
    default:
        snprintf(text, size, "%s", product);
        break;
    }
}

int card_fail_personalise(struct tool *tool, const struct scrip_purse_result *result, const char *what)
{
    char detail[128];
    const enum tool_problem problem = problem_of(result);
    const enum tool_card_state state = result->begun ? TOOL_CARD_HALF_MADE : TOOL_CARD_UNTOUCHED;
    if (problem == TOOL_PROBLEM_DERIVE) {
        return tool_fail_card(tool, result->status, &result->failure, state, what);
    }
    detail_of(result, detail, sizeof detail);
    return tool_fail(tool, &(struct tool_failure){.status = result->status,
                                                  .sw = result->failure.sw,
                                                  .problem = problem,
                                                  .card = state,
                                                  .what = what,
                                                  .detail = problem != TOOL_PROBLEM_TORN_MAKING ? detail : NULL});
}

/* ---- the file behind a link -------------------------------------------------------------------------------------- */

/* A virtual card in this process: card:FILE, perhaps behind links that wrap it. */
static const char *file_of_link(const char *link)
{
    static const char start[] = "card:";
    const char *inner = strncmp(link, start, strlen(start)) == 0 ? link : strstr(link, ":card:");
    return inner == NULL ? NULL : inner + strlen(start) + (inner == link ? 0 : 1);
}

void card_note_profile(struct tool *tool, const char *link, const struct scrip_desfire_profile *profile)
{
    char name[SCRIP_PROFILE_NAME_MAX], error[SCRIP_VCARD_ERROR_MAX] = "";
    struct scrip_vcard_identity identity = {0};
    const char *path = file_of_link(link);
    if (path == NULL || scrip_vcard_read_identity(path, &identity) != SCRIP_OK || identity.profile[0] != '\0' ||
        scrip_desfire_profile_name(profile, name) != SCRIP_OK) {
        return;
    }
    if (scrip_vcard_note_profile(path, name, error) != SCRIP_OK) {
        tool_note(tool, "the file does not say yet which purse the card has: %s", error);
    }
}
