/* token.h: sealed session tokens and the other things that are derived from the sealing key. Private to the room.
 *
 * A token is what the server must remember between two requests of one session; it travels through the phone, so no
 * instance holds it and any instance can go on. Sealed: the phone can neither read nor change it. The nonce is a keyed
 * hash of what is sealed, so the same state always gives the same token (the identical request gives identical bytes)
 * and two different states never share a nonce. */
#ifndef SCRIP_SERVER_TOKEN_H
#define SCRIP_SERVER_TOKEN_H

#include <scrip/bytes.h>
#include <scrip/keys.h>

#define TOKEN_PLAIN_MAX 2048U
/* format, key version, nonce, plain, tag; then base64url and the final 0 */
#define TOKEN_BYTES_MAX (2U + 24U + TOKEN_PLAIN_MAX + 16U)
#define TOKEN_TEXT_MAX  ((TOKEN_BYTES_MAX + 2U) / 3U * 4U + 1U)

/** Seal `plain` with the newest key into base64url text.
 *  @param realm  names the server; a token of another realm does not open
 *  @return SCRIP_OK; SCRIP_E_KEY; SCRIP_E_SPACE: `plain` or the text is too long */
enum scrip_status token_seal(struct scrip_keys *keys, struct scrip_bytes realm, struct scrip_bytes plain, char *text,
                             size_t cap);

/** The reverse. @return SCRIP_OK; SCRIP_E_FORMAT, SCRIP_E_LENGTH: no token; SCRIP_E_KEY: sealed by a key that is no
 *  longer here; SCRIP_E_MAC: altered, or of another server */
enum scrip_status token_open(struct scrip_keys *keys, struct scrip_bytes realm, const char *text,
                             struct scrip_buf *plain);

/** A keyed hash of pieces with the newest sealing key. */
enum scrip_status token_hash(struct scrip_keys *keys, const char *purpose, const struct scrip_bytes *pieces,
                             size_t count, uint8_t out[32]);

/** The phone's bearer token of an order, made with the newest sealing key. `text` has SCRIP_PHONE_TOKEN_MAX. */
enum scrip_status phone_token_make(struct scrip_keys *keys, const char *order_id, char *text);

/** Is this a phone token of that order, by any sealing key that is still in the store? */
bool phone_token_is(struct scrip_keys *keys, const char *order_id, const char *text);

/** BLAKE2b of a text, without a key. */
void digest_text(const char *text, uint8_t out[32]);

/** What may stand in a log for a token or a bearer key: 8 bytes of hash in hex; `out` has 17 characters. */
void token_digest(const char *text, char *out);

#endif
