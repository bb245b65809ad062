/* server.h: the top-up server. `exchange` is bytes in, bytes out, and rows made durable; it knows no socket, so the
 * HTTP adapter, the tests and the enumeration of faults all drive the same code. */
#ifndef SCRIP_SERVER_H
#define SCRIP_SERVER_H

#include <scrip/bytes.h>
#include <scrip/host.h>
#include <scrip/keys.h>
#include <scrip/status.h>

struct scrip_ledger;
struct scrip_server;

#define SCRIP_SERVER_BODY_MAX  65536U /**< most bytes of a request's body: more is 413 */
#define SCRIP_SERVER_TOKEN_MAX 4096U  /**< most characters of a next-URI */

/** One request as HTTP carries it. All strings and bytes are borrowed for the call. NULL: header absent. */
struct scrip_request {
    const char *method;         /**< "GET", "POST" */
    const char *path;           /**< begins with '/', percent-decoded or plain; no query */
    const char *query;          /**< what follows '?', or NULL */
    const char *authorization;  /**< "Bearer …" */
    const char *content_type;   /**< */
    const char *admin_protocol; /**< X-Admin-Protocol */
    const char *admin_from;     /**< X-Admin-From */
    const char *admin_resume;   /**< X-Admin-Resume */
    const char *prefer;         /**< Prefer */
    const char *peer;           /**< address of the client, for rate limits; NULL: unlimited */
    struct scrip_bytes body;
};

/** The answer. Owned by the caller; scrip_response_init before the first use, _free after the last; may be reused. */
struct scrip_response {
    int status;               /**< HTTP status */
    const char *content_type; /**< static; NULL: no body */
    const char *protocol;     /**< X-Admin-Protocol to send, static, or NULL */
    unsigned retry_after_s;   /**< 0: no Retry-After */
    char next_uri[SCRIP_SERVER_TOKEN_MAX];
    uint8_t *body; /**< `body_len` bytes, allocated */
    size_t body_len;
    size_t body_cap;
    uint32_t made_durable; /**< scrip_durable_* that are true once the transaction is committed */
};

/** What an answer stands on; must not leave before the commit. */
#define SCRIP_DURABLE_NOTHING  0U
#define SCRIP_DURABLE_EVIDENCE 1U /**< an issued order was settled, or evidence stored */
#define SCRIP_DURABLE_ISSUED   2U /**< an order was issued: the body contains value */
#define SCRIP_DURABLE_OTHER    4U /**< any other row */

/** An empty answer without memory. */
void scrip_response_init(struct scrip_response *response);

/** Free what an answer holds; it may be initialised again. */
void scrip_response_free(struct scrip_response *response);

/** The ways a request is refused: the rows of scrip/problem.def. */
enum scrip_problem {
#define PROBLEM(name, status, layer, title, remedy) SCRIP_PROBLEM_##name,
#include <scrip/problem.def>
#undef PROBLEM
    SCRIP_PROBLEM_COUNT
};

/** Make the answer a problem document (RFC 9457): type, title, status, layer, detail, remedy.
 *  @param detail  what exactly, for people; never a secret; NULL: only the problem's own title */
void scrip_response_problem(struct scrip_response *response, enum scrip_problem problem, const char *detail);

/** Where structured log lines go. `line` is one JSON object without newline; holds no key and no token. */
struct scrip_log {
    void *ctx;
    void (*line)(void *ctx, const char *line);
};

struct scrip_server_config {
    struct scrip_ledger *ledger; /**< borrowed; open */
    const char *ledger_path;   /**< its file, borrowed, to count a large book for /metrics by a thread, on a connection
                                *   of its own; NULL, or no file: it is always counted in the tick of the request */
    uint32_t count_in_tick_us; /**< a book that takes so long to count is large, as is one of 16 MB; 0: 10000 */
    struct scrip_keys *keys;   /**< borrowed; needs topup, tmac, seal; id, write, pay for what needs them */
    struct scrip_clock clock;
    struct scrip_random random; /**< for API keys made by the API */
    struct scrip_log log;       /**< line NULL: none */
    const char *operator_key;   /**< bearer key of the operator, accepted besides those in the ledger; NULL: none */
    uint8_t server_id[4];       /**< goes into the TMRI of top-ups */
    char currency[4];           /**< ISO 4217, "EUR" */
    uint8_t currency_exponent;  /**< digits behind the point: 2 */
    uint64_t order_lifetime_ms; /**< a funded order may be started for so long; 0: 30 days */
    uint32_t rate_per_minute;   /**< requests per peer and per phone token; 0: unlimited */
};

/** Can no server do without a key of this role? topup, tmac and seal. */
bool scrip_server_needs_key(enum scrip_key_role role);

/** @return SCRIP_OK; SCRIP_E_KEY: a needed key is missing; SCRIP_E_MEMORY; SCRIP_E_ARGUMENT */
enum scrip_status scrip_server_new(const struct scrip_server_config *config, struct scrip_server **server);

/** Waits for a count of the book that is under way. NULL is allowed. */
void scrip_server_free(struct scrip_server *server);

/** Open a tick: a ledger transaction in which requests are answered as they come. Expires orders that are due.
 *  @return SCRIP_OK; SCRIP_E_STORE: no tick is open, nothing can be answered now; SCRIP_E_STATE: one is open already */
enum scrip_status scrip_server_begin(struct scrip_server *server);

/** Answer one request inside the open tick. One that fails leaves no row. The answer may leave only when
 * scrip_server_end has said SCRIP_OK. Client errors are answers, not statuses.
 *  @return SCRIP_OK: `response` is filled; SCRIP_E_STORE, SCRIP_E_MEMORY: so is it, with 503, and the tick is lost:
 *          scrip_server_end with this status */
enum scrip_status scrip_server_handle(struct scrip_server *server, const struct scrip_request *request,
                                      struct scrip_response *response);

/** Close the tick: commit, or with a `status` other than SCRIP_OK give it up.
 *  @return SCRIP_OK: whatever the answers stand on is on disk; SCRIP_E_STORE: nothing of the tick is, and each of its
 *          answers must be made 503 with scrip_response_unavailable */
enum scrip_status scrip_server_end(struct scrip_server *server, enum scrip_status status);

/** One request and where its answer goes. */
struct scrip_exchange {
    const struct scrip_request *request;
    struct scrip_response *response;
};

/** A whole tick: begin, handle all in order, end. If that fails every answer becomes 503 with Retry-After; when
 *  this returns, whatever the answers stand on is on disk. @return SCRIP_OK; SCRIP_E_STORE: all were made 503 */
enum scrip_status scrip_server_tick(struct scrip_server *server, const struct scrip_exchange *exchanges, size_t count);

/** To be called when there is nothing else to do: expires orders whose time is over, and lets the ledger tidy up.
 *  @return SCRIP_OK; SCRIP_E_STORE */
enum scrip_status scrip_server_idle(struct scrip_server *server);

/** A tick with one request. */
enum scrip_status scrip_server_exchange(struct scrip_server *server, const struct scrip_request *request,
                                        struct scrip_response *response);

/** Turn an answer into 503 with Retry-After, forgetting what it said. */
void scrip_response_unavailable(struct scrip_response *response);

/** The bearer token of the phone for an order: what GET /api/v1/orders/<id> shows the shop as "phone_token".
 *  Valid until the order is final. @param out at least SCRIP_PHONE_TOKEN_MAX characters, 0-terminated */
#define SCRIP_PHONE_TOKEN_MAX 64U
enum scrip_status scrip_server_phone_token(struct scrip_server *server, const char *order_id,
                                           char out[SCRIP_PHONE_TOKEN_MAX]);

/* ---- HTTP: a thin adapter on libmicrohttpd, one thread. A request is answered as soon as it has arrived, in the tick
 * that is open then; the answers of a tick are released after its commit. ---- */

struct scrip_http;

struct scrip_http_config {
    struct scrip_server *server; /**< borrowed; NULL: it comes later, see scrip_http_serve */
    const char *address;         /**< numeric IPv4 or IPv6 address; NULL: 127.0.0.1 */
    uint16_t port;               /**< 0: any free one, see scrip_http_port */
    const char *cert_file;       /**< PEM chain; with key_file: TLS; NULL: plain HTTP */
    const char *key_file;        /**< PEM */
    unsigned idle_timeout_s;     /**< 0: 75 */
    unsigned connections;        /**< most at a time; 0: 20000 */
    bool trust_forwarded;        /**< behind a proxy of ours: the last address of X-Forwarded-For is the peer */
};

/** Listen. @return SCRIP_OK; SCRIP_E_NETWORK: address in use or not ours; SCRIP_E_IO: certificate unreadable;
 *  SCRIP_E_FORMAT: the files hold no certificate and the key that belongs to it; SCRIP_E_MEMORY */
enum scrip_status scrip_http_open(const struct scrip_http_config *config, struct scrip_http **http);

/** The server of one that was opened without: so the address is ours before the server makes its files. Before the
 *  first step; clients wait until then. @param server borrowed */
void scrip_http_serve(struct scrip_http *http, struct scrip_server *server);

/** The port that is listened on. */
uint16_t scrip_http_port(const struct scrip_http *http);

/** One tick: wait up to `timeout_ms` for something to do, then do it. @return SCRIP_OK; SCRIP_E_NETWORK */
enum scrip_status scrip_http_step(struct scrip_http *http, int timeout_ms);

/** Tick until *stop is true, then finish what is in flight (at most five seconds). A signal handler may set it. */
enum scrip_status scrip_http_run(struct scrip_http *http, const volatile bool *stop);

/** Stop listening, drop what is left, free. NULL is allowed. */
void scrip_http_close(struct scrip_http *http);

/** Write a self-made certificate for localhost, 127.0.0.1 and ::1 and its key (mode 0600); for development.
 *  @return SCRIP_OK; SCRIP_E_IO; SCRIP_E_RANDOM */
enum scrip_status scrip_http_make_certificate(const char *cert_file, const char *key_file, unsigned days);

#endif
