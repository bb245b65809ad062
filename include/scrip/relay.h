/* relay.h: the phone. It carries batches from a server to a card and answers back, and understands neither.
 *
 * The heart is a struct without I/O: it is asked what to do next (send this, save this, hand this to the card), and is
 * told how that went. It does no allocation, so an app can hold it in any language binding; scrip_relay_run drives it
 * with libcurl and a link. docs/relay-guide.md is the guide for app authors, docs/protocol/relay.md the wire format.
 *
 * What it promises:
 * - a request that was not answered is sent again byte for byte, to the same URI, until it is answered or `give_up_ms`
 *   is over; then what could not be delivered is in the saved state, and the next run delivers it;
 * - the commands of one step go to the card at most once;
 * - a script is checked to its last byte before its first command is sent;
 * - a command that was sent and not answered is reported as such (C6), and never sent again;
 * - from a response it looks at the last two bytes only, to see whether the batch goes on. */
#ifndef SCRIP_RELAY_H
#define SCRIP_RELAY_H

#include <scrip/relay_tlv.h>

#define SCRIP_RELAY_PROTOCOL     "scrip-remote-admin/1.0"
#define SCRIP_RELAY_TYPE_SCRIPT  "application/vnd.etsi.scp.command-data;version=1.0"
#define SCRIP_RELAY_TYPE_ANSWER  "application/vnd.etsi.scp.response-data;version=1.0"
#define SCRIP_RELAY_URI_MAX      2048U /**< longest URI (path), terminator included */
#define SCRIP_RELAY_PREAMBLE_MAX 2048U /**< longest preamble that is remembered */
#define SCRIP_RELAY_TEXT_MAX     256U  /**< longest text shown to the user, terminator included */
#define SCRIP_RELAY_STEPS_MAX    256U  /**< a server that wants more steps than this is not one of ours */
#define SCRIP_RELAY_RESTARTS_MAX 3U    /**< times that the server may end the session with 410 */
#define SCRIP_RELAY_STATE_MAX    (SCRIP_RELAY_BODY_MAX + 2U * SCRIP_RELAY_URI_MAX + 64U)

/** What the app decides. All times in ms. Zero means the default in brackets. */
struct scrip_relay_config {
    const char *order_uri;       /**< path of the order, as in "/ota/o/7f3a"; copied */
    struct scrip_bytes preamble; /**< public preamble if known (an AA), copied; empty: fetched before the tap */
    uint32_t card_timeout_ms;    /**< how long to wait for a card [30000] */
    uint32_t backoff_ms;         /**< first pause before a request is sent again; doubles [200] */
    uint32_t backoff_max_ms;     /**< longest such pause [8000] */
    uint32_t give_up_ms;   /**< after this long without an answer to one request, stop and keep the state [120000] */
    uint32_t seed;         /**< spreads the pauses of many phones: a different number on each */
    uint16_t command_max;  /**< longest C-APDU of the link, in bytes; 0: 261, short APDUs */
    uint16_t response_max; /**< longest R-APDU of the link, in bytes; 0: 258 */
    uint8_t taps;          /**< how often the card may be tapped again after it was lost */
};

/** What the phone wants done next. */
enum scrip_relay_want {
    SCRIP_RELAY_WANT_DONE,    /**< nothing: see scrip_relay_outcome */
    SCRIP_RELAY_WANT_SAVE,    /**< write `bytes` durably, then scrip_relay_saved */
    SCRIP_RELAY_WANT_POST,    /**< POST `bytes` to `uri`, then scrip_relay_responded */
    SCRIP_RELAY_WANT_SLEEP,   /**< wait `ms`, then scrip_relay_slept */
    SCRIP_RELAY_WANT_CARD,    /**< wait for a card up to `ms`, then scrip_relay_card_came or _card_gone */
    SCRIP_RELAY_WANT_COMMAND, /**< send `bytes` to the card, then scrip_relay_card_answered, _card_silent or _gone */
    SCRIP_RELAY_WANT_RESET,   /**< power the card off and on, then scrip_relay_card_came or _card_gone */
    SCRIP_RELAY_WANT_SHOW,    /**< show `text` without waiting for the user, then scrip_relay_shown */
};

/** A wish; everything in it is borrowed from the phone until it is told the result. */
struct scrip_relay_ask {
    enum scrip_relay_want want;
    struct scrip_bytes bytes; /**< body, state or C-APDU */
    const char *uri;          /**< path */
    bool resume;              /**< send X-Admin-Resume: true */
    uint32_t ms;
    const char *text; /**< UTF-8 without control characters */
    uint8_t number;   /**< message number */
};

/** How a POST ended. */
struct scrip_relay_http {
    int code;                /**< HTTP status; 0: no response (timeout, broken connection, no network) */
    bool ours;               /**< X-Admin-Protocol names SCRIP_RELAY_PROTOCOL; a hotel's log-in page does not */
    const char *next_uri;    /**< X-Admin-Next-URI, or NULL */
    uint32_t retry_after_ms; /**< Retry-After, 0 if none */
    struct scrip_bytes body; /**< borrowed for the call */
    const char *error;       /**< with code 0: what failed, for people; may be NULL */
};

enum scrip_relay_outcome {
    SCRIP_RELAY_RUNNING,
    SCRIP_RELAY_FINISHED,   /**< the server closed the session; what came of the order it has said or will say */
    SCRIP_RELAY_INCOMPLETE, /**< no card, card lost or user stopped; the server knows. Tap again, any time */
    SCRIP_RELAY_UNREACHED,  /**< the server was not reached; what it could not be told is in the saved state */
    SCRIP_RELAY_REFUSED,    /**< the server refused: scrip_relay_http_code */
    SCRIP_RELAY_BROKEN,     /**< what answers there does not speak this protocol */
};

/** What it took. */
struct scrip_relay_counts {
    uint32_t apdus;    /**< commands handed to the card */
    uint32_t requests; /**< POSTs, repetitions not counted */
    uint32_t repeats;  /**< POSTs sent again */
    uint32_t waits;    /**< requests between the card's arrival and its last command: the user holds still for these */
    uint32_t taps;     /**< arrivals of a card */
    uint64_t bytes_up; /**< bodies sent, repetitions included */
    uint64_t bytes_down; /**< bodies received */
    uint64_t field_ms;   /**< from the card's arrival to its last response, all taps */
    uint64_t card_ms;    /**< of these, in commands */
    uint64_t net_ms;     /**< of these, in requests that were waited for */
    uint64_t total_ms;
};

/** One relayed order. About 205 KiB. Fields private. */
struct scrip_relay {
    struct scrip_relay_config config;
    enum scrip_relay_outcome outcome;
    int stage;
    int http_code;
    bool present; /* a card is powered, and what was begun on it still holds */
    bool hello;   /* the next body begins with E8 */
    bool closing; /* the answer in `body` says that no more commands are taken */
    bool lost;    /* ... because the card went, not the user */
    bool cancelled;
    bool restored;   /* `body` is of an earlier run */
    bool resume;     /* the request goes to the order, after a broken session */
    bool fetching;   /* the request is the empty first one */
    bool own_script; /* the script is the preamble: the server does not wait for its answer */
    uint8_t restarts;
    uint8_t bad_scripts;
    uint8_t taps_left;
    uint32_t steps;
    uint32_t attempts;
    uint32_t random;
    uint32_t sleep_ms;
    uint64_t now_ms;
    uint64_t started_ms;
    uint64_t request_ms; /* first attempt of the request */
    uint64_t came_ms;    /* the card's arrival */
    uint64_t last_ms;    /* the card's last response */
    uint64_t asked_ms;   /* the command in work */
    uint64_t waited_ms;  /* in requests since the last command */
    uint32_t waited;     /* requests since the last command */
    struct scrip_card_info card;
    struct scrip_relay_script cursor;
    struct scrip_relay_item item;
    struct scrip_relay_answer answer;
    struct scrip_relay_counts counts;
    struct scrip_buf out; /* over `body` */
    size_t script_len;
    size_t refusal_len;
    size_t preamble_len;
    bool preamble_fetched;
    size_t state_len;
    size_t done_count;
    uint64_t done[16]; /* digests of the URIs whose step is done */
    char order_uri[SCRIP_RELAY_URI_MAX];
    char uri[SCRIP_RELAY_URI_MAX];
    char text[SCRIP_RELAY_TEXT_MAX];
    char why[SCRIP_RELAY_TEXT_MAX];
    char net_error[SCRIP_RELAY_TEXT_MAX]; /* of the last attempt */
    uint8_t preamble[SCRIP_RELAY_PREAMBLE_MAX];
    uint8_t body[SCRIP_RELAY_BODY_MAX];
    uint8_t script[SCRIP_RELAY_BODY_MAX];
    uint8_t state[SCRIP_RELAY_STATE_MAX];
};

/** Begin an order. @return SCRIP_OK; SCRIP_E_ARGUMENT: no path, or one that is too long, or a malformed preamble */
enum scrip_status scrip_relay_start(struct scrip_relay *relay, const struct scrip_relay_config *config,
                                    uint64_t now_ms);

/** Go on after the app was killed, with what SCRIP_RELAY_WANT_SAVE handed out: delivers what was not delivered, then
 *  resumes the order. @return as scrip_relay_start; SCRIP_E_CORRUPT: not a saved state;
 *          SCRIP_E_CONFLICT: saved for another order */
enum scrip_status scrip_relay_restore(struct scrip_relay *relay, const struct scrip_relay_config *config,
                                      struct scrip_bytes saved, uint64_t now_ms);

/** What to do now. Asking again changes nothing. `now_ms`: any clock that does not go back. */
void scrip_relay_next(struct scrip_relay *relay, uint64_t now_ms, struct scrip_relay_ask *ask);

/* How it went. Each is for the wish named above; at another time it is ignored. */
void scrip_relay_saved(struct scrip_relay *relay, uint64_t now_ms);
void scrip_relay_responded(struct scrip_relay *relay, uint64_t now_ms, const struct scrip_relay_http *http);
void scrip_relay_slept(struct scrip_relay *relay, uint64_t now_ms);
void scrip_relay_shown(struct scrip_relay *relay, uint64_t now_ms);
/** A card came, or came back from a reset. */
void scrip_relay_card_came(struct scrip_relay *relay, uint64_t now_ms, const struct scrip_card_info *info);
/** The card answered; fewer than 2 bytes count as silence. */
void scrip_relay_card_answered(struct scrip_relay *relay, uint64_t now_ms, struct scrip_bytes rapdu);
/** The command was sent and not answered. @param why for people and the server's log */
void scrip_relay_card_silent(struct scrip_relay *relay, uint64_t now_ms, const char *why);
/** No card came, or the command was not sent because the card is gone. */
void scrip_relay_card_gone(struct scrip_relay *relay, uint64_t now_ms, const char *why);

/** The user wants to stop: no further command is sent, what happened is still reported. At any time. */
void scrip_relay_cancel(struct scrip_relay *relay, const char *why);

/** How it ended; SCRIP_RELAY_RUNNING before. */
enum scrip_relay_outcome scrip_relay_outcome(const struct scrip_relay *relay);
/** The last HTTP status received, 0 if none. */
int scrip_relay_http_code(const struct scrip_relay *relay);
/** Why it ended, for people; never empty once the outcome is known. */
const char *scrip_relay_why(const struct scrip_relay *relay);
const struct scrip_relay_counts *scrip_relay_counts(const struct scrip_relay *relay);
/** The body that came with a refusal (SCRIP_RELAY_REFUSED), as the server sent it; empty if it had none. */
struct scrip_bytes scrip_relay_refusal(const struct scrip_relay *relay);
/** The preamble that was fetched, to be remembered for this server's next order; empty if none was. */
struct scrip_bytes scrip_relay_preamble(const struct scrip_relay *relay);
/** "finished", "incomplete", ... */
const char *scrip_relay_outcome_name(enum scrip_relay_outcome outcome);

/* ---- With libcurl and a link ------------------------------------------------------------------------------------ */

/** Where and how. Strings are borrowed for the call. */
struct scrip_relay_run {
    const char *server;        /**< "https://topup.example" or "http://127.0.0.1:8080" */
    const char *bearer;        /**< order token, or NULL */
    const char *ca_file;       /**< certificates to trust, PEM; NULL: the system's */
    const char *name;          /**< relay name in X-Admin-From; NULL: "relay" */
    const char *state_file;    /**< where the state survives the app; NULL: it does not */
    const char *preamble_file; /**< where the preamble is remembered; NULL: nowhere */
    uint32_t http_timeout_ms;  /**< per request; 0: 30000 */
    struct scrip_relay_config config;
    struct scrip_link *link;
    /** Progress: called with each wish before it is carried out. May call scrip_relay_cancel. May be NULL. */
    void (*progress)(void *ctx, struct scrip_relay *relay, const struct scrip_relay_ask *ask);
    void *ctx;
};

/** Relay one order to its end.
 *  @param relay receives outcome and counts; need not be initialised
 *  @return SCRIP_OK whenever there is an outcome; SCRIP_E_ARGUMENT; SCRIP_E_IO: state could not be saved (nothing was
 *          sent to the card since); SCRIP_E_MEMORY */
enum scrip_status scrip_relay_run(const struct scrip_relay_run *run, struct scrip_relay *relay);

/** scrip_relay_why, when no server was reached because its certificate is not valid at this time: most often the clock
 *  here is wrong. */
#define SCRIP_RELAY_CERTIFICATE_DATED "the server's certificate is not valid at this time"

/** Is it the dates of a certificate that its verification failed on? @param verify  libcurl's CURLINFO_SSL_VERIFYRESULT
 */
bool scrip_relay_certificate_dated(long verify);

#endif
