/* api.h: what the JSON handlers share. Private to the room. docs/api.md is the manual of the API. */
#ifndef SCRIP_SERVER_API_H
#define SCRIP_SERVER_API_H

#include "../server.h"

#define UID_TEXT    15U /* 14 hex digits and the final 0 */
#define UINT64_TEXT 21U

/** The body as a JSON object; the caller owns it. On failure the problem is answered and *root is NULL. An empty body
 *  counts as {}. */
enum scrip_status api_body(struct context *context, json_t **root);

/** Take members out of an object, as json_unpack with every member named: one that is left over is refused.
 *  @return true; false: the problem is answered (the detail says which member) */
bool api_unpack(struct context *context, json_t *root, const char *format, ...);

/** The card in path parameter 0. @return SCRIP_OK; SCRIP_E_NOT_FOUND */
enum scrip_status api_path_uid(const struct context *context, uint8_t uid[7]);

/** The UID of a card: 14 hex digits, or 8, which three zero bytes follow then, as in journals. */
bool api_uid(const char *text, uint8_t uid[7]);

/** Try again to take the lines of a card that were set aside (journal.c).
 *  @return SCRIP_OK, also when they stay aside; SCRIP_E_STORE, SCRIP_E_MEMORY */
enum scrip_status api_journal_retry(struct context *context, const uint8_t uid[7]);

/** Hex of exactly `len` bytes. @return false: something else */
bool api_hex(const char *text, uint8_t *out, size_t len);

/** Hex of up to `cap` bytes; *len receives how many. */
bool api_hex_some(const char *text, uint8_t *out, size_t cap, size_t *len);

/** Bytes as upper-case hex; a new reference. */
json_t *api_hex_json(const void *at, size_t len);

/** An amount with its currency, as it stands in answers: {"minor": 2000, "currency": "EUR", "text": "20,00 €"}. */
json_t *api_amount(const struct context *context, int64_t minor);

/** The currency in a request must be ours. false: the problem is answered. */
bool api_currency(struct context *context, const char *currency);

/** A member that a query may have. */
struct api_query {
    const char *name;
    char *text; /**< receives the value as it stands there (no value of ours needs percent-decoding), "" if it is not */
    size_t cap; /**< of `text`, with the final 0 */
};

/** Take the query apart. A member that is not in the table, comes twice, is empty or too long is refused.
 *  @return true; false: the problem is answered */
bool api_query(struct context *context, const struct api_query *members, size_t count);

/** A number of a query, from `min` to `max`; "" leaves *out as it is. @return false: the problem is answered */
bool api_query_number(struct context *context, const char *name, const char *text, uint64_t min, uint64_t max,
                      uint64_t *out);

/** The UID of a query. @return false: not one, the problem is answered */
bool api_query_uid(struct context *context, const char *name, const char *text, uint8_t uid[7]);

/** Milliseconds as "2026-01-31T12:34:56Z"; JSON null for 0. */
json_t *api_time(uint64_t ms);

/** Answer with an order, after reading it again. */
enum scrip_status api_answer_order(struct context *context, int status, const char *id);

json_t *api_order_json(struct context *context, const struct scrip_ledger_order *order);
json_t *api_card_json(struct context *context, const struct scrip_ledger_card *card);

#endif
