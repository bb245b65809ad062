/* world.h: card, phones, terminal, two instances of the server and the ledger in one process, on injected time and
 * randomness, with every point at which something can go wrong counted (plan.h).
 *
 * A scene is what there was before: a personalised card, a ledger that knows it, a top-up and a debit that went well.
 * A world is made from a scene for each case, so cases do not know of each other. */
#ifndef SCRIP_E2E_WORLD_H
#define SCRIP_E2E_WORLD_H

#include "plan.h"

#include <scrip/desfire_card.h>
#include <scrip/keys.h>
#include <scrip/ledger.h>
#include <scrip/link.h>
#include <scrip/purse_desfire.h>
#include <scrip/relay.h>
#include <scrip/server.h>

#define WORLD_PHONES   6U
#define WORLD_ORDERS   16U
#define WORLD_REQUESTS 64U
#define WORLD_BODY_MAX 4096U
#define WORLD_APDU_MAX 300U
#define WORLD_NV_MAX   (512U * SCRIP_NV_PAGE)
#define WORLD_SUMMARY  512U

#define SCENE_BALANCE  700 /**< on the card when the case begins, minor units */
#define SCENE_DEBITED  100 /**< that the gate had taken by then */
#define ORDER_AMOUNT   2000
#define SECOND_AMOUNT  300
#define DEBIT_AMOUNT   250
#define GATE_AMOUNT    40

struct terminal; /* terminal.c */

/** Memory of a chip: pages that may be torn. */
struct memory {
    struct scrip_nv nv;
    struct world *world;
    uint8_t point; /* POINT_NV or POINT_JOURNAL */
    bool dead;     /* power was lost in a write: nothing works before the next power-on */
    uint32_t size;
    uint8_t bytes[WORLD_NV_MAX];
};

/** What a case begins with. */
struct scene {
    char profile[32];
    uint8_t uid[7];
    struct scrip_desfire_profile layout;
    struct scrip_keys *keys;          /* the server's */
    struct scrip_keys *terminal_keys; /* key 1 only */
    uint8_t *card;                    /* image of the card's memory */
    uint32_t card_size;
    uint8_t *journal; /* image of the terminal's */
    uint32_t journal_size;
    int32_t balance;   /* on the card, minor units */
    int64_t debited;   /* that the gate had taken by then */
    uint32_t tmc;      /* of the card, as the ledger knows it */
    uint8_t *database; /* bytes of the SQLite file */
    size_t database_len;
    uint8_t preamble[512]; /* the server's public preamble */
    size_t preamble_len;
};

/** A request as it was sent, for repetition by whoever kept it. */
struct kept_request {
    uint16_t body_len;
    bool resume;
    char uri[SCRIP_RELAY_URI_MAX];
    char bearer[SCRIP_PHONE_TOKEN_MAX];
    uint8_t body[WORLD_BODY_MAX];
};

struct phone {
    struct scrip_relay relay;
    char order[SCRIP_LEDGER_ID_MAX + 1U];
    char token[SCRIP_PHONE_TOKEN_MAX];
    bool used;
    bool gone;    /* lost, or all that it knew is delivered */
    bool powered; /* takes the card over without cutting its power */
    bool fetches; /* does not know the public preamble yet */
    uint8_t saved[8192];
    size_t saved_len;
};

/** A command that somebody keeps in order to send it later. */
struct kept_command {
    enum fault when; /* FAULT_none: nothing is kept */
    bool armed;      /* the session it was taken from is over */
    uint16_t len;
    uint8_t bytes[WORLD_APDU_MAX];
};

/** What passes through the phone's hands. */
enum passing {
    PASSING_REQUEST, /**< body of a request */
    PASSING_SCRIPT,  /**< body of a response */
    PASSING_COMMAND, /**< to the card */
    PASSING_ANSWER,  /**< from the card */
};

struct world_options {
    bool keep_pending_on_auth;
    bool end_session_on_0c;
};

struct world {
    const struct scene *scene;
    struct plan *plan;
    uint64_t now_ms;
    uint64_t random;
    struct scrip_clock clock;
    struct scrip_random source;

    /* the card */
    struct memory card_memory;
    struct scrip_desfire_card card;
    struct scrip_desfire_host card_host;
    struct scrip_desfire_options card_options;
    struct scrip_link link;
    bool card_on;
    bool field_kept; /* somebody keeps the field on: the next reader does not reset the card */
    struct kept_command kept;
    bool log_read;     /* the last commands have read a log */
    uint32_t commands; /* that the card has answered since it was powered */

    /* the server: two instances on one database */
    char path[128];
    struct scrip_ledger *ledger;
    struct scrip_server *server[2];
    unsigned instance;
    bool stopped; /* an instance stopped in the present request */
    enum fault stopping;
    struct scrip_response response;
    struct kept_request *held; /* delayed request, delivered after the next session */
    uint32_t request_count;
    struct kept_request requests[WORLD_REQUESTS];

    struct phone phones[WORLD_PHONES];
    unsigned depth;      /* phones at work inside one another */
    unsigned phones_run; /* phones that have begun to work so far */
    unsigned held_in;    /* that count when the delayed request was sent */
    enum {
        LOSE_NOTHING,
        LOSE_BATCH,  /* the first phone is lost when it has the batch with the money */
        LOSE_REPORT, /* the first phone is lost when the card has carried it out */
    } lose;
    unsigned flushes; /* that the phone will still commit */
    bool committing;  /* CommitTransaction was sent */
    struct terminal *terminal;

    /* what the shop made, and what has happened */
    unsigned order_count;
    char orders[WORLD_ORDERS][SCRIP_LEDGER_ID_MAX + 1U];
    bool restored;       /* an older image of the card was put back after the book knew of a newer state */
    bool tampered;       /* likewise, whether the book knew or not */
    unsigned speakers;   /* phones and gates that have spoken to the card so far: each has a number */
    unsigned speaker;    /* who speaks now; one may cut in on another */
    unsigned session_of; /* who selected the application last */
    bool stray_commit;   /* EV1: a commit of one reader has ended the transaction of another */
    uint32_t denied_at;  /* issue number of the card when it was deny-listed; UINT32_MAX: it was not */
    bool cancelled, claimed, expired, cheated, second;
    int64_t opened;   /* value that the gate has let customers in for */
    int32_t wanted;   /* what the customer whom it did not let in will try again to pay; 0: nobody */
    int64_t unopened; /* value taken by a gate that stopped before it could open */
    bool journal_withheld;
    bool journal_reversed;

    /** Somebody in the middle: may change what passes. NULL: nobody. */
    void (*meddle)(struct world *world, enum passing passing, struct scrip_buf *bytes);
    void *meddler;

    bool followed; /* tell what happens, line by line */
    bool broken;   /* the harness or a room failed in a way that no fault explains */
    char why[WORLD_SUMMARY];
};

/** Make a world. The same `seed` gives the same world. @param world zeroed or used before */
void world_begin(struct world *world, const struct scene *scene, struct plan *plan, const struct world_options *options,
                 uint64_t seed);
void world_end(struct world *world);

/** Note what is wrong, once. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** A line for who follows one case; nothing otherwise. */
void world_note(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** All servers lose power: what is not in the database is forgotten. */
void world_restart(struct world *world);

/* ---- card.c ---- */

/** Memory of `size` bytes of a chip. */
void memory_init(struct memory *memory, struct world *world, enum point point, const uint8_t *image, uint32_t size);
void world_card_begin(struct world *world, const struct world_options *options);
/** Cut the field. */
void world_card_off(struct world *world);

/* ---- net.c ---- */

/** A request of a phone, with all that can happen to it. `http` receives what the phone sees. */
void world_post(struct world *world, struct phone *phone, const struct scrip_relay_ask *ask,
                struct scrip_relay_http *http);

/** One request as it was kept, handled by the present instance. @return HTTP status; 0: nobody answered. The answer is
 *  in world->response */
int world_deliver(struct world *world, const struct kept_request *request);

/** Any request to the API. @return HTTP status; 0: nobody answered */
int world_api(struct world *world, const char *method, const char *path, const char *bearer, const char *type,
              struct scrip_bytes body);

/** Deliver what was delayed past the phone that ran when it was sent. @param past_all  in any case */
void world_release_requests(struct world *world, bool past_all);

/** Take the last response out of a report: the phone withholds what it knows. */
void world_cut_report(struct kept_request *kept);

/* ---- phone.c ---- */

/** A phone for an order. */
struct phone *world_phone(struct world *world, const char *order);

/** Let a phone work until it is done, stopped or lost. */
void world_phone_run(struct world *world, struct phone *phone);

/** Start a phone's app again. @return false: it knows nothing any more */
bool world_phone_revive(struct world *world, struct phone *phone);

/* ---- shop.c ---- */

/** Create and fund an order, again until it is durable. */
void world_order(struct world *world, const char *id, enum scrip_settle_kind kind, uint32_t amount);
void world_cancel(struct world *world, const char *id);
void world_claim(struct world *world, const char *id);
void world_expire(struct world *world);
/** The operator looks into a held card: decides its disputed orders by what the card holds, and releases it.
 *  @param stuck  taps have not helped: the holder claims what is still open */
void world_operator(struct world *world, bool stuck);
enum scrip_settle_state world_state(struct world *world, const char *id);

/* ---- terminal.c ---- */

void world_terminal_begin(struct world *world);
void world_terminal_end(struct world *world);
/** The customer taps at the gate: a debit, or the end of one that was not answered. @return the gate opened */
bool world_terminal_tap(struct world *world, int32_t amount);
/** Is a customer at the gate now? */
bool world_terminal_busy(const struct world *world);
/** Upload the journal, as far as it is not withheld. @return everything has been acknowledged */
bool world_terminal_upload(struct world *world);
/** What the journal says: value taken for certain, and lines whose outcome is open. */
bool world_terminal_sums(struct world *world, int64_t *debited, unsigned *open);
/** Value of the debits that the book does not have yet. */
bool world_terminal_owed(struct world *world, int64_t *owed);
/** What the last tap at the terminal came to, for people. */
const char *world_terminal_why(struct world *world);
/** A copy of the journal's memory, allocated. */
enum scrip_status world_terminal_image(struct world *world, uint8_t **image, uint32_t *size);
/** Read the card's balance, past all faults. */
bool world_balance(struct world *world, int32_t *balance);

/* ---- settle.c ---- */

/** Further taps and uploads until all is settled. */
void world_settle(struct world *world);

/** Does all of DESIGN's invariant hold? world->broken otherwise. */
void world_check(struct world *world);

/* ---- scene.c ---- */

/** Personalise a card, enrol it, top it up and debit it once.
 *  @param fresh  leave out top-up and debit
 *  @return NULL: `why` says what failed */
struct scene *scene_make(const char *profile, bool fresh, char *why, size_t why_cap);
void scene_free(struct scene *scene);

#endif
