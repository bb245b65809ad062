/* sides.h: a session put together from the values of a vector, and one command taken through both sides of it. */
#ifndef SCRIP_VECTORS_SIDES_H
#define SCRIP_VECTORS_SIDES_H

#include "vector.h"
#include <scrip/desfire_sm.h>

/** What a session starts from. */
struct start {
    enum scrip_desfire_sm sm;
    enum scrip_cipher cipher;
    struct scrip_bytes key;     /* ENC, the only session key, or LRP's master key */
    struct scrip_bytes mac_key; /* EV2 */
    struct scrip_bytes iv;      /* EV1 */
    struct scrip_bytes ti;      /* EV2, LRP */
    uint16_t cmd_ctr;
    uint32_t enc_ctr;
};

/** Open a session from these values, through the stored form that the header documents. */
void session_start(struct vector *v, struct scrip_desfire_session *session, const struct start *start);

/** The running IV of a session, out of its stored form; valid until the next call. */
struct scrip_bytes session_iv(struct vector *v, const struct scrip_desfire_session *session);

/** The counters, out of the stored form. */
uint16_t session_cmd_ctr(struct vector *v, const struct scrip_desfire_session *session);
uint32_t session_enc_ctr(struct vector *v, const struct scrip_desfire_session *session);

/** The session keys, out of the stored form. */
struct scrip_bytes session_key(struct vector *v, const struct scrip_desfire_session *session, unsigned index,
                               size_t len);

/** One command: what it says and what is on the wire. */
struct exchange {
    struct scrip_desfire_protection protection;
    uint8_t cmd;
    uint8_t status;
    struct scrip_bytes header;
    struct scrip_bytes data;
    struct scrip_bytes params; /* wire, after the command code */
    struct scrip_bytes answer; /* plain */
    struct scrip_bytes reply;  /* wire, without status */
};

/** Both sides make and understand exactly these bytes. The sessions go on. */
void both_sides(struct vector *v, struct scrip_desfire_session *host, struct scrip_desfire_session *card,
                const struct exchange *exchange);

/** Parameters out of a wrapped command 90 cmd 00 00 [Lc data] 00; fails the vector if it is none. */
struct scrip_bytes apdu_params(struct vector *v, struct scrip_bytes apdu, uint8_t cmd);

/** Data of a wrapped response data 91 status. */
struct scrip_bytes apdu_data(struct vector *v, struct scrip_bytes apdu, uint8_t *status);

/** A handshake in both roles: checks token and reply, and leaves both sessions open.
 *  @param challenge as sent by the card @param reply as sent by the card, wire form
 *  @param info NULL when the messaging or form has none */
struct handshake {
    enum scrip_desfire_sm sm;
    struct scrip_desfire_key key;
    uint8_t key_no;
    struct scrip_bytes challenge;
    struct scrip_bytes rnda;
    struct scrip_bytes rndb;
    struct scrip_bytes token;
    struct scrip_bytes reply;
    const struct scrip_desfire_auth_info *info;
};

/** Run it. */
void both_authenticate(struct vector *v, const struct handshake *handshake, struct scrip_desfire_session *host,
                       struct scrip_desfire_session *card);

/** A key of `cipher` from bytes. */
struct scrip_desfire_key key_of(enum scrip_cipher cipher, struct scrip_bytes bytes);

/** The cipher that a vector names: DES, 2K3DES, 3K3DES, AES. */
enum scrip_cipher cipher_named(struct vector *v, const char *name);

#endif
