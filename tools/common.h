/* common.h: what several subcommands share. */
#ifndef SCRIP_TOOL_COMMON_H
#define SCRIP_TOOL_COMMON_H

#include "tool.h"
#include <scrip/keys.h>
#include <scrip/purse_desfire.h>

/* ---- key stores ---- */

#define TOOL_OPTION_KEYS                                                                                               \
    {                                                                                                                  \
        .name = "keys", .kind = TOOL_FILE, .value = "STORE", .help = "the key store", .required = true                 \
    }
#define TOOL_OPTION_PASSPHRASE                                                                                         \
    {                                                                                                                  \
        .name = "passphrase-file", .kind = TOOL_FILE, .value = "FILE",                                                 \
        .help = "its first line opens the key store; else SCRIP_PASSPHRASE, else it is asked for"                      \
    }

/** The passphrase as the options, the environment and the user give it. Borrowed from `tool`. */
struct scrip_passphrase tool_passphrase(const struct tool *tool);

/** Open --keys. Says why when it fails. @return TOOL_OK or TOOL_FAILED */
int tool_keys_open(struct tool *tool, struct scrip_keys **keys);

/** A purse's view of a key store. @param keys borrowed */
struct scrip_purse_keys tool_purse_keys(struct scrip_keys *keys);

/** One key that an option names a file for: its first line, or that of standard input for "-", in hex digits. It goes
 *  nowhere but into `key`, which the caller wipes. @param cap at most 32
 *  @return TOOL_OK; TOOL_FAILED: it cannot be read; TOOL_USAGE: no hex digits, or too many */
int tool_key_file(struct tool *tool, const char *option, uint8_t *key, size_t cap, size_t *len);

/* ---- purses ---- */

#define TOOL_OPTION_PURSE                                                                                              \
    {                                                                                                                  \
        .name = "purse", .kind = TOOL_TEXT, .value = "PROFILE",                                                        \
        .help = "the purse on the card: an12113, split, ev1, plain (MIFARE DESFire), classic, bcd (MIFARE Classic), "  \
                "otp (the one-time wallet), options behind plus signs (an12113+smallest, bcd+hardened, "               \
                "classic+sector=7); or the file of a storage card's profile",                                          \
        .initial = "an12113"                                                                                           \
    }

/** Fail because of a card: status, and the terminal's own record of the refusal. @return TOOL_FAILED */
int tool_fail_card(struct tool *tool, enum scrip_status status, const struct scrip_desfire_failure *failure,
                   enum tool_card_state card, const char *what);

/* ---- amounts and names ---- */

/** --currency, or EUR. @return TOOL_OK or TOOL_USAGE: none that is known */
int tool_currency(struct tool *tool, const struct scrip_currency **currency);

/** What somebody typed, in a currency: above 0 and within the card's 31 bits. Says nothing.
 *  @return SCRIP_OK; SCRIP_E_FORMAT: no such amount; SCRIP_E_OVERFLOW: more than any card holds */
enum scrip_status tool_amount_of(const struct scrip_currency *currency, const char *text, int32_t *minor);

/** An amount operand in a currency. Says why not. @return TOOL_OK or TOOL_USAGE */
int tool_amount_in(struct tool *tool, const char *name, const struct scrip_currency *currency, int32_t *minor);

/** The same in --currency, or EUR. @return TOOL_OK or TOOL_USAGE */
int tool_amount(struct tool *tool, const char *name, int32_t *minor);

/** Bytes as capitals hex. @param text 2 * len + 1 characters @return text */
char *tool_hex_text(struct scrip_bytes bytes, char *text);

/** A UID as journals and results hold it, in hex. @param storage  a storage card's: three zeros behind four bytes are
 * no part of it @return text */
char *tool_uid_text(const uint8_t uid[7], bool storage, char text[15]);

/** A time as 2026-11-21 02:03:04 UTC. @return text */
char *tool_time_text(uint64_t unix_ms, char text[32]);

/** Take what a server answered over into the JSON object that is printed at the end. */
void tool_put_all(struct tool *tool, json_t *answer);

/* ---- the ledger ---- */

/** Fail because a ledger did not open: it is not there, or it is none. @return TOOL_FAILED */
int tool_fail_ledger(struct tool *tool, enum scrip_status status, const char *path);

/* ---- the server's HTTP API ---- */

#define TOOL_OPTION_SERVER                                                                                             \
    {                                                                                                                  \
        .name = "server", .kind = TOOL_TEXT, .value = "URL", .help = "the top-up server: https://HOST[:PORT]",         \
        .required = true                                                                                               \
    }
#define TOOL_OPTION_CA                                                                                                 \
    {                                                                                                                  \
        .name = "ca", .kind = TOOL_FILE, .value = "FILE", .help = "certificates to trust, PEM; else the system's"      \
    }
#define TOOL_OPTION_API_KEY                                                                                            \
    {                                                                                                                  \
        .name = "api-key-file", .kind = TOOL_FILE, .value = "FILE",                                                    \
        .help = "its first line is the API key; else SCRIP_API_KEY"                                                    \
    }

/** May this be the id of an order? What may not is no part of a path. */
bool tool_is_order_id(const char *id);

/** One request to the server: JSON both ways. The same request is repeated a few times while the network fails.
 *  @param path    below --server, begins with '/'
 *  @param body    borrowed; NULL: none
 *  @param what    what is being done, for messages
 *  @param answer  receives the JSON object, to be released with json_decref; NULL: not wanted
 *  @return TOOL_OK (2xx), or TOOL_FAILED with the server's own words */
int tool_http(struct tool *tool, const char *method, const char *path, const json_t *body, const char *what,
              json_t **answer);

/** The same with a body of another kind, by POST. */
int tool_http_bytes(struct tool *tool, const char *path, const char *content_type, struct scrip_bytes body,
                    const char *what, json_t **answer);

/** A GET that says nothing when it fails: for what would only be nice to know. Arguments and result as above. */
int tool_http_ask(struct tool *tool, const char *path, json_t **answer);

/** What the server refused with. */
struct tool_refusal {
    long http;                 /**< status */
    const json_t *body;        /**< the problem, as in docs/api.md; NULL: it sent none */
    const char *why;           /**< said where the body has no title; NULL: nothing */
    enum tool_card_state card; /**< as far as it is known here */
};

/** Fail as the server says. @param what  what was being done @return TOOL_FAILED */
int tool_fail_server(struct tool *tool, const struct tool_refusal *refusal, const char *what);

#endif
