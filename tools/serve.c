/* serve.c: scrip serve */
#include "common.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <scrip/ledger.h>
#include <scrip/posix.h>
#include <scrip/server.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_MAX     32U
#define OPERATOR_KEY_MIN 16U
#define OPERATOR_KEY_MAX 128U
#define DAY_MS           86400000ULL
#define CERTIFICATE_DAYS 365U
#define MISSING_MAX      96U

/* ---- settings: an option, else the configuration file, else the default ---- */

/* Every option below may stand in the file, as `name = value`, in the section [server]. */
struct setting {
    char name[32];
    char value[512];
};

struct serve {
    struct tool *tool;
    struct setting settings[SETTINGS_MAX];
    size_t setting_count;
    struct scrip_keys *keys;
    struct scrip_ledger *ledger;
    struct scrip_server *server;
    struct scrip_http *http;
    struct scrip_server_config server_config;
    struct scrip_http_config http_config;
    char operator_key[OPERATOR_KEY_MAX];
    bool made_certificate; /* by this process: goes again if it does not come to serving */
};

static const char *const SETTING_NAMES[] = {
    "keys",         "passphrase-file",   "ledger",    "listen",   "port",       "cert", "cert-key",
    "dev-cert",     "operator-key-file", "server-id", "currency", "order-days", "rate", "trust-forwarded",
    "idle-timeout", "connections",       "quiet",
};

static bool is_setting(const char *name)
{
    for (size_t i = 0; i < sizeof SETTING_NAMES / sizeof SETTING_NAMES[0]; i++) {
        if (strcmp(SETTING_NAMES[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static int on_setting(void *user, const char *section, const char *name, const char *value)
{
    struct serve *serve = user;
    if (strcmp(section, "server") != 0 || !is_setting(name) || serve->setting_count == SETTINGS_MAX) {
        return 0;
    }
    struct setting *setting = &serve->settings[serve->setting_count++];
    (void)snprintf(setting->name, sizeof setting->name, "%s", name);
    return snprintf(setting->value, sizeof setting->value, "%s", value) < (int)sizeof setting->value;
}

static const char *setting(const struct serve *serve, const char *name, const char *otherwise)
{
    const char *given = tool_text(serve->tool, name);
    if (given != NULL) {
        return given;
    }
    for (size_t i = 0; i < serve->setting_count; i++) {
        if (strcmp(serve->settings[i].name, name) == 0) {
            return serve->settings[i].value;
        }
    }
    return otherwise;
}

static bool is_on(const struct serve *serve, const char *name)
{
    const char *value = setting(serve, name, "");
    return tool_has(serve->tool, name) || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 ||
           strcmp(value, "1") == 0;
}

/* @return false: not a number from 0 to `max` */
static bool number(const struct serve *serve, const char *name, unsigned long otherwise, unsigned long max,
                   unsigned long *out)
{
    const char *text = setting(serve, name, NULL);
    char *end = NULL;
    if (text == NULL) {
        *out = otherwise;
        return true;
    }
    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out <= max;
}

static int read_config(struct serve *serve)
{
    const char *path = tool_text(serve->tool, "config");
    if (path == NULL) {
        return TOOL_OK;
    }
    const int line = ini_parse(path, on_setting, serve);
    if (line < 0) {
        return tool_fail_status(serve->tool, SCRIP_E_IO, "reading %s", path);
    }
    if (line > 0) {
        return tool_usage(serve->tool, "%s, line %d: no setting of [server], or too long", path, line);
    }
    return TOOL_OK;
}

/* ---- what was asked for: all of it is read, and what others could refuse is tried, before any file is made ---- */

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)fprintf(stderr, "%s\n", line);
}

static int check_server(struct serve *serve)
{
    unsigned long days;
    unsigned long rate;
    size_t id_len = 0;
    const char *id = setting(serve, "server-id", "53525631"); /* "SRV1" */
    const struct scrip_currency *known = scrip_currency_find(setting(serve, "currency", "EUR"));
    struct scrip_server_config config = {
        .clock = scrip_clock_system(),
        .random = scrip_random_system(),
        .log = {.line = is_on(serve, "quiet") ? NULL : log_line},
    };
    if (known == NULL || !number(serve, "order-days", 30, 3650, &days) || !number(serve, "rate", 600, 1000000, &rate) ||
        sodium_hex2bin(config.server_id, 4, id, strlen(id), NULL, &id_len, NULL) != 0 || id_len != 4) {
        return tool_usage(serve->tool, "currency, order-days, rate or server-id is out of its range");
    }
    memcpy(config.currency, known->code, sizeof config.currency);
    config.currency_exponent = known->exponent;
    config.order_lifetime_ms = days * DAY_MS;
    config.rate_per_minute = (uint32_t)rate;
    serve->server_config = config;
    return TOOL_OK;
}

static bool is_address(const char *text)
{
    struct in6_addr at;
    return inet_pton(AF_INET, text, &at) == 1 || inet_pton(AF_INET6, text, &at) == 1;
}

static int check_http(struct serve *serve)
{
    unsigned long port;
    unsigned long idle;
    unsigned long connections;
    struct scrip_http_config config = {
        .address = setting(serve, "listen", "127.0.0.1"),
        .cert_file = setting(serve, "cert", NULL),
        .key_file = setting(serve, "cert-key", NULL),
        .trust_forwarded = is_on(serve, "trust-forwarded"),
    };
    if (!number(serve, "port", 8080, 65535, &port) || !number(serve, "idle-timeout", 75, 86400, &idle) ||
        !number(serve, "connections", 20000, 1000000, &connections) ||
        (config.cert_file == NULL) != (config.key_file == NULL)) {
        return tool_usage(serve->tool, "port, idle-timeout or connections is out of its range, or one of cert and "
                                       "cert-key is missing");
    }
    if (!is_address(config.address)) {
        return tool_usage(serve->tool, "listen: '%s' is no numeric address", config.address);
    }
    config.port = (uint16_t)port;
    config.idle_timeout_s = (unsigned)idle;
    config.connections = (unsigned)connections;
    serve->http_config = config;
    return TOOL_OK;
}

static int check_names(struct serve *serve)
{
    static const char *const needed[] = {"keys", "ledger"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (setting(serve, needed[i], NULL) == NULL) {
            return tool_usage(serve->tool, "--%s is needed, here or in the configuration file", needed[i]);
        }
    }
    return TOOL_OK;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int fail_certificate(struct serve *serve, enum scrip_status status)
{
    const struct scrip_http_config *config = &serve->http_config;
    return tool_fail_status(serve->tool, status, "reading the certificate %s and its key %s", config->cert_file,
                            config->key_file);
}

/* Both or none: a key that is there already is somebody's. */
static int make_certificate(struct serve *serve)
{
    const struct scrip_http_config *config = &serve->http_config;
    if (!is_on(serve, "dev-cert") || is_there(config->cert_file)) {
        return TOOL_OK;
    }
    serve->made_certificate = !is_there(config->key_file);
    const enum scrip_status made =
        serve->made_certificate ? scrip_http_make_certificate(config->cert_file, config->key_file, CERTIFICATE_DAYS)
                                : SCRIP_E_EXISTS;
    return made == SCRIP_OK ? TOOL_OK
                            : tool_fail_status(serve->tool, made, "making the certificate %s and its key %s",
                                               config->cert_file, config->key_file);
}

static int check_certificate(struct serve *serve)
{
    const struct scrip_http_config *config = &serve->http_config;
    if (config->cert_file == NULL) {
        return TOOL_OK;
    }
    const int code = make_certificate(serve);
    if (code != TOOL_OK) {
        return code;
    }
    return access(config->cert_file, R_OK) == 0 && access(config->key_file, R_OK) == 0
               ? TOOL_OK
               : fail_certificate(serve, SCRIP_E_IO);
}

static void forget_certificate(const struct serve *serve)
{
    if (serve->made_certificate) {
        (void)unlink(serve->http_config.cert_file);
        (void)unlink(serve->http_config.key_file);
    }
}

/* ---- the operator's key ---- */

static bool make_operator_key(const char *path)
{
    uint8_t bytes[24];
    char text[sodium_base64_ENCODED_LEN(sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING) + 1];
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(text, sizeof text, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    size_t len = strlen(text);
    text[len++] = '\n';
    const bool ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    scrip_wipe(text, sizeof text);
    scrip_wipe(bytes, sizeof bytes);
    return close(fd) == 0 && ok;
}

/* A key that was cut off would be another key, and a short one can be guessed. */
static int check_operator_key(struct serve *serve, const char *from)
{
    const size_t len = strlen(serve->operator_key);
    return len >= OPERATOR_KEY_MIN && len < sizeof serve->operator_key - 1
               ? TOOL_OK
               : tool_fail_status(serve->tool, SCRIP_E_FORMAT,
                                  "the operator's key of %s, which must have %u to %u characters", from,
                                  OPERATOR_KEY_MIN, OPERATOR_KEY_MAX - 2U);
}

static int fail_operator_key(struct serve *serve, const char *path)
{
    return tool_fail_status(serve->tool, SCRIP_E_IO, "reading the operator's key %s", path);
}

static int read_operator_key(struct serve *serve, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(serve->operator_key, sizeof serve->operator_key, file) == NULL) {
        if (file != NULL) {
            (void)fclose(file);
        }
        return fail_operator_key(serve, path);
    }
    (void)fclose(file);
    serve->operator_key[strcspn(serve->operator_key, "\r\n")] = '\0';
    return check_operator_key(serve, path);
}

/* May a file be made at this path? */
static bool has_folder(const char *path)
{
    char folder[512];
    const char *slash = strrchr(path, '/');
    const int len = slash == NULL || slash == path ? 1 : (int)(slash - path);
    return snprintf(folder, sizeof folder, "%.*s", len, slash == NULL ? "." : path) < (int)sizeof folder &&
           access(folder, W_OK | X_OK) == 0;
}

/* A key that is not there is made last of all, so only its place is looked at. */
static int load_operator_key(struct serve *serve)
{
    const char *path = setting(serve, "operator-key-file", NULL);
    if (path == NULL) {
        const char *env = getenv("SCRIP_OPERATOR_KEY");
        (void)snprintf(serve->operator_key, sizeof serve->operator_key, "%s", env == NULL ? "" : env);
        return env == NULL ? TOOL_OK : check_operator_key(serve, "SCRIP_OPERATOR_KEY");
    }
    if (is_there(path)) {
        return read_operator_key(serve, path);
    }
    return has_folder(path) ? TOOL_OK : fail_operator_key(serve, path);
}

static int new_operator_key(struct serve *serve)
{
    const char *path = setting(serve, "operator-key-file", NULL);
    if (path == NULL || serve->operator_key[0] != '\0') {
        return TOOL_OK;
    }
    if (make_operator_key(path)) {
        tool_note(serve->tool, "%s: a new key for the operator was made", path);
    }
    return read_operator_key(serve, path); /* also one that another instance made at the same time */
}

/* ---- opening ---- */

static int open_keys(struct serve *serve)
{
    struct scrip_passphrase passphrase = tool_passphrase(serve->tool);
    const char *path = setting(serve, "keys", NULL);
    const char *file = setting(serve, "passphrase-file", NULL);
    passphrase.file = file != NULL ? file : passphrase.file;
    const enum scrip_status status = scrip_keys_file_open(path, &passphrase, &serve->keys);
    return status == SCRIP_OK ? TOOL_OK : tool_fail_status(serve->tool, status, "opening the key store %s", path);
}

/* Those that no server can do without and this store lacks, in one sentence; empty: none. */
static void missing_keys(struct scrip_keys *keys, char text[MISSING_MAX])
{
    uint8_t version;
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < SCRIP_KEY_ROLE_COUNT; i++) {
        const enum scrip_key_role role = (enum scrip_key_role)i;
        if (scrip_server_needs_key(role) && scrip_keys_newest(keys, role, &version) != SCRIP_OK && len < MISSING_MAX) {
            len += (size_t)snprintf(text + len, MISSING_MAX - len, "%s %s",
                                    len == 0 ? "a server needs keys of it:" : ",", scrip_key_role_name(role));
        }
    }
}

static int check_keys(struct serve *serve)
{
    char missing[MISSING_MAX];
    char what[256];
    missing_keys(serve->keys, missing);
    if (missing[0] == '\0') {
        return TOOL_OK;
    }
    (void)snprintf(what, sizeof what, "starting a server with the key store %.200s", setting(serve, "keys", ""));
    return tool_fail(serve->tool, &(struct tool_failure){.status = SCRIP_E_KEY, .what = what, .detail = missing});
}

static int open_ledger(struct serve *serve)
{
    const char *path = setting(serve, "ledger", NULL);
    const struct scrip_ledger_config config = {.path = path, .clock = scrip_clock_system()};
    const mode_t mask = umask(0077); /* who paid where and when is nobody else's business */
    const enum scrip_status status = scrip_ledger_open(&config, &serve->ledger);
    (void)umask(mask);
    return status == SCRIP_OK ? TOOL_OK : tool_fail_ledger(serve->tool, status, path);
}

static int open_server(struct serve *serve)
{
    struct scrip_server_config *config = &serve->server_config;
    config->ledger = serve->ledger;
    config->ledger_path = setting(serve, "ledger", NULL);
    config->keys = serve->keys;
    config->operator_key = serve->operator_key[0] == '\0' ? NULL : serve->operator_key;
    const enum scrip_status status = scrip_server_new(config, &serve->server);
    if (status != SCRIP_OK) {
        return tool_fail_status(serve->tool, status, "starting the server");
    }
    scrip_http_serve(serve->http, serve->server);
    return TOOL_OK;
}

static int fail_listen(struct serve *serve, enum scrip_status status, const struct scrip_http_config *config)
{
    char what[160];
    if ((status == SCRIP_E_IO || status == SCRIP_E_FORMAT) && config->cert_file != NULL) {
        return fail_certificate(serve, status);
    }
    (void)snprintf(what, sizeof what, "listening on %.100s port %u", config->address, config->port);
    return tool_fail(serve->tool, &(struct tool_failure){.status = status,
                                                         .problem = status == SCRIP_E_NETWORK ? TOOL_PROBLEM_ADDRESS
                                                                                              : TOOL_PROBLEM_DERIVE,
                                                         .what = what});
}

static int open_http(struct serve *serve)
{
    const enum scrip_status status = scrip_http_open(&serve->http_config, &serve->http);
    return status == SCRIP_OK ? TOOL_OK : fail_listen(serve, status, &serve->http_config);
}

/* ---- running ---- */

static volatile sig_atomic_t stop_signal;
static volatile bool stop;

static void on_signal(int signal_number)
{
    stop_signal = signal_number;
    stop = true;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL); /* no SA_RESTART: the wait for events must end */
    (void)sigaction(SIGINT, &action, NULL);
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void say_ready(struct serve *serve)
{
    char url[128];
    const char *address = setting(serve, "listen", "127.0.0.1");
    const bool tls = setting(serve, "cert", NULL) != NULL;
    const bool v6 = strchr(address, ':') != NULL;
    const unsigned port = scrip_http_port(serve->http);
    (void)snprintf(url, sizeof url, "%s://%s%s%s:%u", tls ? "https" : "http", v6 ? "[" : "", address, v6 ? "]" : "",
                   port);
    if (!tls && !is_loopback(address)) {
        tool_note(serve->tool,
                  "without TLS: keys and tokens can be read on the way; give --cert, or put a proxy in front");
    }
    tool_put(serve->tool, "url", json_string(url));
    tool_put(serve->tool, "address", json_string(address));
    tool_put(serve->tool, "port", json_integer(port));
    tool_put(serve->tool, "pid", json_integer(getpid()));
    tool_say(serve->tool, "listening on %s", url);
    tool_flush(serve->tool);
}

/* The ledger and the operator's key are made last, when nothing else is left that could refuse: a start that fails
 * leaves no new file behind. */
static int open_all(struct serve *serve)
{
    int (*const steps[])(struct serve *) = {
        read_config, check_names,       check_server, check_http,  load_operator_key, open_keys,
        check_keys,  check_certificate, open_http,    open_ledger, new_operator_key,  open_server,
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const int code = steps[i](serve);
        if (code != TOOL_OK) {
            forget_certificate(serve);
            return code;
        }
    }
    return TOOL_OK;
}

static void close_all(struct serve *serve)
{
    scrip_http_close(serve->http);
    scrip_server_free(serve->server);
    scrip_ledger_close(serve->ledger);
    scrip_keys_close(serve->keys);
    scrip_wipe(serve->operator_key, sizeof serve->operator_key);
}

static int run(struct tool *tool)
{
    struct serve *serve = calloc(1, sizeof *serve);
    if (serve == NULL) {
        return tool_fail_status(tool, SCRIP_E_MEMORY, "starting");
    }
    serve->tool = tool;
    stop = false;
    if (scrip_keys_harden_process() != SCRIP_OK) {
        tool_note(tool, "this process can be dumped: the system refused to forbid it");
    }
    catch_signals();
    int code = open_all(serve);
    if (code == TOOL_OK) {
        say_ready(serve);
        const enum scrip_status status = scrip_http_run(serve->http, &stop);
        code = status == SCRIP_OK ? TOOL_OK : tool_fail_status(tool, status, "serving");
        tool_note(tool, "stopped");
    }
    close_all(serve);
    free(serve);
    return code;
}

const struct tool_command tool_serve = {
    .name = "serve",
    .summary = "the top-up server: over the air, API, metrics",
    .text =
        "Serves the relay protocol below /ota/, the JSON API below /api/v1/, and /metrics. One thread answers; a "
        "second one counts the book where it is large. Every answer that stands on a change leaves after the change is "
        "on disk. Several instances may share one ledger file and one key store; a session begun with one goes on with "
        "any other.\n\n"
        "Each option may stand in the configuration file instead, in the section [server], as name = value; what is "
        "given here counts more. SIGTERM and SIGINT stop it: it takes no new connection and finishes what is in "
        "flight. One line of JSON per request goes to standard error; tokens appear there as digests only, keys never.",
    .options =
        (const struct tool_option[]){
            {.name = "config", .kind = TOOL_FILE, .value = "FILE", .help = "configuration file"},
            {.name = "keys", .kind = TOOL_FILE, .value = "STORE", .help = "the issuer's key store"},
            TOOL_OPTION_PASSPHRASE,
            {.name = "ledger", .kind = TOOL_FILE, .value = "FILE", .help = "the ledger, made when it is not there"},
            {.name = "listen", .kind = TOOL_TEXT, .value = "ADDRESS", .help = "numeric address, else 127.0.0.1"},
            {.name = "port", .kind = TOOL_NUMBER, .value = "PORT", .help = "else 8080; 0 takes any free one"},
            {.name = "cert", .kind = TOOL_FILE, .value = "FILE", .help = "certificate chain, PEM: serves TLS"},
            {.name = "cert-key", .kind = TOOL_FILE, .value = "FILE", .help = "private key of --cert, PEM"},
            {.name = "dev-cert",
             .kind = TOOL_FLAG,
             .help = "make --cert and --cert-key for localhost when they are not there"},
            {.name = "operator-key-file",
             .kind = TOOL_FILE,
             .value = "FILE",
             .help = "its first line is the operator's API key, made when it is not there; else SCRIP_OPERATOR_KEY"},
            {.name = "server-id",
             .kind = TOOL_HEX,
             .value = "HEX",
             .help = "4 bytes, the reader id of top-ups; the same on all instances, else 53525631"},
            {.name = "currency", .kind = TOOL_TEXT, .value = "CODE", .help = "ISO 4217 code, else EUR"},
            {.name = "order-days", .kind = TOOL_NUMBER, .value = "DAYS", .help = "how long an order may wait, else 30"},
            {.name = "rate",
             .kind = TOOL_NUMBER,
             .value = "N",
             .help = "requests a minute from one address and one phone token, else 600; 0: no limit"},
            {.name = "trust-forwarded",
             .kind = TOOL_FLAG,
             .help = "behind a proxy: the last address of X-Forwarded-For is the client's"},
            {.name = "idle-timeout", .kind = TOOL_NUMBER, .value = "SECONDS", .help = "idle connections, else 75"},
            {.name = "connections", .kind = TOOL_NUMBER, .value = "N", .help = "most at a time, else 20000"},
            {.name = "quiet", .kind = TOOL_FLAG, .help = "no log lines"},
            {.name = NULL}},
    .example = "  scrip serve --keys issuer.keys --ledger book.db --operator-key-file operator.key\n"
               "  scrip serve --config /etc/scrip.ini --port 8443 --cert srv.pem --cert-key srv.key",
    .run = run,
};
