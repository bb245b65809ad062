/* table.h: a card and a terminal on a table, without keys but those a vector brings. */
#ifndef SCRIP_VECTORS_TABLE_H
#define SCRIP_VECTORS_TABLE_H

#include "sides.h"
#include <scrip/desfire_card.h>
#include <scrip/desfire_term.h>
#include <scrip/posix.h>

/** Everything on it. */
struct table {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random_scripted scripted;
    struct scrip_random random; /* the card's: swapped when a vector dictates it */
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
    uint8_t taken_bytes[SCRIP_DESFIRE_GATHER_MAX];
    struct scrip_buf taken; /* data of the response taken last */
};

/** A factory-fresh card, powered, in front of a terminal. The table is one and static: the next call clears it. */
struct table *table_lay(struct vector *v, const struct scrip_desfire_identity *identity);

/** The usual identity of a generation, 8K. */
struct scrip_desfire_identity table_identity(enum scrip_desfire_generation generation, const uint8_t uid[7]);

/** Give what the terminal has asked for to the card, and take the one response that is out, however many frames it
 *  comes in. @return its status; data in t->taken */
enum scrip_status table_do(struct vector *v, struct table *t, enum scrip_status asked);

/** The same, and it must succeed. */
void table_must(struct vector *v, struct table *t, const char *what, enum scrip_status asked);

/** Authenticate with an AES key (EV2 and LRP: First). */
void table_authenticate(struct vector *v, struct table *t, enum scrip_desfire_sm sm, uint8_t key_no,
                        const uint8_t key[16]);

/** Create application 014499 with `keys` zero AES keys, select it. */
void table_app(struct vector *v, struct table *t, uint8_t keys);

/** Change a zero AES key of the application in a session with key 0; key 0 itself ends the session. */
void table_change_key(struct vector *v, struct table *t, uint8_t key_no, const uint8_t key[16]);

/** One frame to the card as it is; the response, in t->taken_bytes. */
struct scrip_bytes table_apdu(struct vector *v, struct table *t, struct scrip_bytes command);

/** From now on the card draws these bytes, then none. */
void table_script(struct table *t, struct scrip_bytes bytes);

/** Put the responses of a vector in place of the card's. */
void table_replies(struct vector *v, struct table *t, const struct scrip_bytes *replies, size_t count);

#endif
