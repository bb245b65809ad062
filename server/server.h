/* server.h: what the rooms of the server share: the server itself, and a request while it is answered. Private. */
#ifndef SCRIP_SERVER_SERVER_H
#define SCRIP_SERVER_SERVER_H

#include "rate.h"
#include "response.h"

#include <scrip/ledger.h>
#include <scrip/server.h>

/** What is counted; shown by /metrics. COUNTER(name, help) */
#define SERVER_COUNTERS(COUNTER)                                                                                       \
    COUNTER(requests, "requests answered")                                                                             \
    COUNTER(client_errors, "answers 4xx")                                                                              \
    COUNTER(server_errors, "answers 5xx")                                                                              \
    COUNTER(rate_limited, "answers 429")                                                                               \
    COUNTER(ticks, "ledger transactions")                                                                              \
    COUNTER(commits_failed, "ledger transactions that failed")                                                         \
    COUNTER(commit_us, "microseconds that commits took")                                                               \
    COUNTER(sessions, "sessions begun with a card")                                                                    \
    COUNTER(issued, "batches issued that carry value")                                                                 \
    COUNTER(repeated, "identical requests answered with the identical bytes")                                          \
    COUNTER(confirmed, "top-ups proved on the card")                                                                   \
    COUNTER(absent, "issues proved not on the card")                                                                   \
    COUNTER(undecided, "evidence that decided nothing")                                                                \
    COUNTER(contradictions, "evidence that made a card be held")                                                       \
    COUNTER(stale, "sessions overtaken by a newer issue")                                                              \
    COUNTER(tokens_refused, "session tokens that did not open")                                                        \
    COUNTER(debits_booked, "journal lines booked")                                                                     \
    COUNTER(credits_booked, "journal lines booked that gave value")                                                    \
    COUNTER(debits_refused, "journal lines refused")

struct counters {
#define COUNTER(name, help) uint64_t name;
    SERVER_COUNTERS(COUNTER)
#undef COUNTER
};

/** Log lines of a tick that is open, each with its final 0. */
struct lines {
    char *at;
    size_t len, cap;
    bool held; /* lines are kept here rather than written */
};

struct scrip_server {
    struct scrip_server_config config;
    struct rate rate;
    struct counters counters;
    uint64_t expired_ms;    /* when orders were last expired */
    uint64_t tidy_changes;  /* rows changed when the ledger was last tidied up */
    struct counters before; /* when the tick was opened */
    bool lost;              /* the last tick */
    struct lines lines;
    struct counting *counting; /* of a large book, in the background; see totals.h */
};

enum actor {
    ACTOR_PUBLIC = 1,
    ACTOR_OPERATOR = 2,
    ACTOR_SHOP = 4,
    ACTOR_TERMINAL = 8,
    ACTOR_PHONE = 16, /* has the phone token of the order in the path */
    ACTOR_BEARER = 32 /* sent some bearer; the handler itself finds out what it is good for */
};

#define PARAMS_MAX 2U

/** A request while it is answered. */
struct context {
    struct scrip_server *server;
    struct scrip_ledger *ledger;
    struct scrip_keys *keys;
    const struct scrip_request *request;
    struct scrip_response *response;
    const char *bearer; /* after "Bearer ", or NULL */
    enum actor actor;
    struct scrip_ledger_key key; /* of operators, shops and terminals */
    struct {
        const char *at; /* into request->path; not terminated */
        size_t len;
    } param[PARAMS_MAX];
    uint64_t now_ms;
    enum scrip_problem problem;             /* SCRIP_PROBLEM_COUNT: none */
    bool keep;                              /* keep the rows although the answer is a problem */
    char order_id[SCRIP_LEDGER_ID_MAX + 1]; /* for the log; empty: none */
    char note[96];                          /* for the log; empty: none */
};

/** Answer with a problem. Always SCRIP_OK, for `return problem(…)`. */
enum scrip_status problem(struct context *context, enum scrip_problem which, const char *detail);

/** Answer with the problem that goes with one of our statuses.
 *  @param missing  what SCRIP_E_NOT_FOUND means here
 *  @return SCRIP_OK, or SCRIP_E_STORE and SCRIP_E_MEMORY unchanged: the tick is lost then */
enum scrip_status problem_of(struct context *context, enum scrip_status status, enum scrip_problem missing);

/** Copy path parameter `i` as text. @return SCRIP_E_ARGUMENT: too long for `cap` */
enum scrip_status param_text(const struct context *context, size_t i, char *out, size_t cap);

/** Answer 503 to a request of a tick that was lost, or of one that was not opened; counted. */
void server_unavailable(struct scrip_server *server, struct scrip_response *response);

/** Real time, whatever the clock of the books says: it measures the disk and how long one waits. */
int64_t monotonic_us(void);

/** Does anybody read the log? */
static inline bool server_logs(const struct scrip_server *server)
{
    return server->config.log.line != NULL;
}

/** Log something; inside a tick it is written when the tick ends (at once where there is no memory to keep it).
 *  @param members  an object, which is taken over; NULL: none */
void server_log(struct scrip_server *server, const char *event, json_t *members);

/** Log how a request was answered. */
void server_log_request(const struct context *context);

/** Keep the lines that follow, until server_log_release writes them.
 *  @param lost  what they say is not known to have happened, and nobody has been told so */
void server_log_hold(struct scrip_server *server);
void server_log_release(struct scrip_server *server, bool lost);

/* The handlers of a path: fill the response. A status other than SCRIP_OK is turned into a problem by the router. */
enum scrip_status ota_order(struct context *context);
enum scrip_status ota_session(struct context *context);
enum scrip_status api_orders_create(struct context *context);
enum scrip_status api_orders_list(struct context *context);
enum scrip_status api_order_get(struct context *context);
enum scrip_status api_order_fund(struct context *context);
enum scrip_status api_order_cancel(struct context *context);
enum scrip_status api_order_claim(struct context *context);
enum scrip_status api_order_resolve(struct context *context);
enum scrip_status api_cards_create(struct context *context);
enum scrip_status api_cards_list(struct context *context);
enum scrip_status api_card_get(struct context *context);
enum scrip_status api_card_overview(struct context *context);
enum scrip_status api_card_hold(struct context *context);
enum scrip_status api_card_release(struct context *context);
enum scrip_status api_card_deny(struct context *context);
enum scrip_status api_card_allow(struct context *context);
enum scrip_status api_card_reconcile(struct context *context);
enum scrip_status api_card_gap(struct context *context);
enum scrip_status api_merchants_create(struct context *context);
enum scrip_status api_merchant_get(struct context *context);
enum scrip_status api_terminals_create(struct context *context);
enum scrip_status api_terminal_get(struct context *context);
enum scrip_status api_terminal_journal(struct context *context);
enum scrip_status api_journal_aside(struct context *context);
enum scrip_status api_keys_create(struct context *context);
enum scrip_status api_key_revoke(struct context *context);
enum scrip_status api_ledger_balances(struct context *context);
enum scrip_status api_ledger_entries(struct context *context);
enum scrip_status api_ledger_verify(struct context *context);
enum scrip_status api_ledger_checkpoint(struct context *context);
enum scrip_status api_ledger_post(struct context *context);
enum scrip_status api_health(struct context *context);
enum scrip_status metrics_get(struct context *context);

#endif
