/* purse_visit.h: what the commands share that have a terminal meet a card: purse, keys, journal, link, one job. */
#ifndef SCRIP_TOOL_PURSE_VISIT_H
#define SCRIP_TOOL_PURSE_VISIT_H

#include "common.h"
#include <scrip/posix.h>
#include <scrip/profile.h>
#include <scrip/wallet.h>

/** A purse that --purse names. */
struct tool_purse {
    const struct scrip_purse_family *family;
    struct scrip_desfire_profile desfire; /**< family "desfire" */
    struct scrip_storage_purse storage;   /**< the others */
};

/** What --purse names: a purse of DESFire, one of storage cards, or the file of a storage card's profile.
 *  @return TOOL_OK or TOOL_USAGE */
int tool_purse(struct tool *tool, struct tool_purse *purse);

/** The terminal's journal. */
struct terminal_journal {
    int fd; /**< -1: none */
    struct scrip_nv_file region;
    struct scrip_nv nv;
    struct scrip_journal journal;
};

/** One version of a store's keys, as purses want them. */
struct versioned_keys {
    struct scrip_keys *keys;
    unsigned version;
};

/** @param keys borrowed, with what it points to */
struct scrip_purse_keys tool_versioned_keys(struct versioned_keys *keys);

/** A visit. Begin with {.terminal.fd = -1} and zeros; `visit_clear` in every case. */
struct visit {
    struct scrip_keys *keys;
    struct tool_purse purse;
    struct terminal_journal terminal;
    struct scrip_link *link;
    struct scrip_purse_request request;
    struct scrip_purse_job job;
    /** What the amount was read in before the card was asked for its currency; NULL: that is settled */
    const struct scrip_currency *guess;
};

/** Is it a purse of DESFire? */
bool visit_is_desfire(const struct visit *visit);

/** Purse, amount, keys, journal and card are there, and the purse can do that, and the card is of its family.
 *  @return TOOL_OK, or after saying why TOOL_FAILED or TOOL_USAGE */
int visit_set_up(struct tool *tool, struct visit *visit, enum scrip_purse_operation operation);

/* ---- how much (purse_amount.c): an amount is in --currency, else in the card's own, which its header says ---- */

/** Of a debit or credit, before there is a card: the operand "amount" in --currency, on storage cards else in EUR;
 *  otherwise a guess, to be settled by one of the next two. @return TOOL_OK or TOOL_USAGE */
int visit_amount(struct tool *tool, struct visit *visit);

/** Debit. Without --currency the header is read first, in the same session; a card that counts in another currency than
 *  was guessed is met once more, and one that does not show its own is refused. @return as visit_run, or TOOL_USAGE */
int visit_debit(struct tool *tool, struct visit *visit);

/** Before a credit: the card's currency is --currency, or the amount is in it from here on. The key of the top-up may
 *  not look, so the pay key does, in a session of its own; a store without that one can only credit what --currency
 *  says, and says so. @return as visit_run, or TOOL_USAGE */
int visit_credit_currency(struct tool *tool, struct visit *visit);

#define VISIT_WHAT_MAX 128U

/** "paying 2,50 €"; as it was typed, while nobody knows what it is. @return `what` */
const char *visit_what(struct tool *tool, const struct visit *visit, const char *doing, char what[VISIT_WHAT_MAX]);

/** Close what is open. */
void visit_clear(struct visit *visit);

/** Run a job, put its figures into the JSON object, say why not. What was accepted is left to the caller to say.
 *  @param what  what is being done, for messages @return TOOL_OK or TOOL_FAILED */
int visit_run(struct tool *tool, struct visit *visit, enum scrip_purse_operation operation, const char *what);

/** The second half of it, of a job that is over. */
int visit_tell(struct tool *tool, struct visit *visit, enum scrip_purse_operation operation, const char *what);

/** The card's UID in hex: 8 or 14 digits. @return text */
char *visit_uid_text(const struct visit *visit, char text[15]);

#define OPTIONS_OF_CARD                                                                                                \
    TOOL_OPTION_READER, TOOL_OPTION_WAIT, TOOL_OPTION_KEYS, TOOL_OPTION_PASSPHRASE, TOOL_OPTION_PURSE,                 \
    {                                                                                                                  \
        .name = "currency", .kind = TOOL_TEXT, .value = "CODE",                                                        \
        .help = "ISO 4217 code of the amounts: a DESFire of another one is refused; else they are in the card's own, " \
                "and on storage cards, which have no place for one, in EUR"                                            \
    }

#endif
