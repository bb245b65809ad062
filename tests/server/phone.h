/* phone.h: a card and a phone in one process, in front of the bench's server. The phone is as simple as can be, so that
 * a test can misuse every step; the real one is tested in tests/relay. */
#ifndef SCRIP_TEST_SERVER_PHONE_H
#define SCRIP_TEST_SERVER_PHONE_H

#include "bench.h"

#include <scrip/desfire_card.h>
#include <scrip/link.h>
#include <scrip/posix.h>
#include <scrip/relay_tlv.h>
#include <scrip/wallet.h>

#define CARD_UID "045B2C8A916E80"

struct phone {
    struct scrip_link link; /* first */
    struct bench *b;
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random random;
    struct scrip_random_seeded seeded;
    struct scrip_clock clock;
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;
    struct scrip_desfire_profile profile;
    struct scrip_card_info info;
    bool powered;
    bool hello;          /* the next body begins with E8 */
    unsigned lose_after; /* the card leaves after so many commands of the next script were answered; 0: never */
    bool answer_lost;    /* … and the one after is carried out, its answer lost */
    uint8_t slip_before; /* command code: before the next of it, the phone sends `slip` to the card. 0: none */
    const char *slip[3]; /* APDUs in hex, ended by NULL */
    uint8_t refuse;      /* command code: the phone makes up that the card answered 91BE to it. 0: none */
    char bearer[SCRIP_PHONE_TOKEN_MAX];
    char uri[SCRIP_SERVER_TOKEN_MAX];
    char last_uri[SCRIP_SERVER_TOKEN_MAX];
    uint8_t body[8192]; /* of the next POST */
    size_t body_len;
    uint8_t last_body[8192]; /* of the last POST */
    size_t last_body_len;
    unsigned requests;
    unsigned waits;
    unsigned apdus;
};

/** A card of that profile, personalised and registered, on the table; the phone knows no order yet. */
void phone_open(struct phone *p, struct bench *b, const char *profile);
void phone_open_uid(struct phone *p, struct bench *b, const char *profile, const char *uid);
void phone_close(struct phone *p);

/** Take an order: its address and token. */
void phone_take_order(struct phone *p, const char *order);

/** Field on, and run the public preamble that every phone knows: the next body holds E8 and the challenge. */
void phone_tap(struct phone *p);

/** Field off. */
void phone_leave(struct phone *p);

/** POST what is to be posted; a 200 leaves its script in the bench's response. @return HTTP status */
int phone_post(struct phone *p);

/** Run the script of the last answer on the card: the next body holds the answers. */
void phone_run(struct phone *p);

/** Run a batch instead. */
void phone_run_batch(struct phone *p, const struct scrip_batch *batch);

/** Post and run until the server says something else than 200. @return that status */
int phone_finish(struct phone *p);

/** Take the order, tap, finish. @return the last status */
int phone_topup(struct phone *p, const char *order);

/** What the card holds, read with a key of the issuer's. */
int32_t phone_balance(struct phone *p);

/** A debit at terminal 54520001: straight commands with the pay key.
 *  @param sequence  of the terminal
 *  @param line      receives what an honest journal has of it; may be NULL */
void phone_debit(struct phone *p, int32_t amount, uint64_t sequence, struct scrip_journal_line *line);

/** State of an order, as the operator sees it. */
const char *state_of(struct bench *b, const char *order);

#endif
