/* The strings that name links. */
#include "links.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8 /* links in links; nobody types more */

enum scrip_status link_fail(struct scrip_link *link, enum scrip_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(link->error, sizeof link->error, format, arguments);
    va_end(arguments);
    return status;
}

enum scrip_status open_fail(char error[SCRIP_LINK_ERROR_MAX], enum scrip_status status, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error, SCRIP_LINK_ERROR_MAX, format, arguments);
        va_end(arguments);
    }
    return status;
}

void link_error_copy(struct scrip_link *to, const struct scrip_link *from)
{
    memcpy(to->error, from->error, sizeof to->error);
}

/* ---- Parts of a string ------------------------------------------------------------------------------------------- */

/* The text up to a single colon, with doubled colons made single; `*rest` is what stands behind the colon, or NULL.
 * Freed by the caller; NULL when out of memory. */
static char *field_take(const char *text, const char **rest)
{
    char *field = malloc(strlen(text) + 1);
    size_t len = 0;
    if (field == NULL) {
        return NULL;
    }
    while (*text != '\0' && (text[0] != ':' || text[1] == ':')) {
        text += *text == ':' ? 1 : 0;
        field[len++] = *text++;
    }
    field[len] = '\0';
    *rest = *text == ':' ? text + 1 : NULL;
    return field;
}

struct world {
    const struct scrip_link_world *given; /* may be NULL */
    unsigned depth;
};

static enum scrip_status open_any(const char *spec, struct world *world, struct scrip_link **link, char *error);

/* Open what a wrapper wraps, then wrap; the inner link is closed if that fails. */
static enum scrip_status wrap(const char *rest, const char *example, struct world *world, struct scrip_link **inner,
                              char *error)
{
    if (rest == NULL || *rest == '\0') {
        return open_fail(error, SCRIP_E_ARGUMENT, "it wraps another link, as in %s", example);
    }
    return open_any(rest, world, inner, error);
}

static enum scrip_status open_trace(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    const struct scrip_clock *clock = world->given != NULL ? world->given->clock : NULL;
    const char *rest = NULL;
    struct scrip_link *inner = NULL;
    char *file = field_take(target, &rest);
    if (file == NULL) {
        return SCRIP_E_MEMORY;
    }
    enum scrip_status status = wrap(rest, "trace:out.pcapng:card:alice.card", world, &inner, error);
    if (status == SCRIP_OK) {
        status = scrip_link_trace(file, clock, inner, link);
        if (status != SCRIP_OK) {
            scrip_link_close(inner);
            (void)open_fail(error, status, "cannot write the capture %s", file);
        }
    }
    free(file);
    return status;
}

/* ---- fault: ------------------------------------------------------------------------------------------------------ */

/* One "name=number". */
static enum scrip_status fault_option(struct scrip_link_faults *faults, const char *option, size_t len)
{
    const struct {
        const char *name;
        uint32_t *into;
        uint32_t max;
    } table[] = {
        {"drop", &faults->drop_permille, 1000},          {"lose", &faults->lose_permille, 1000},
        {"corrupt", &faults->corrupt_permille, 1000},    {"cut-after", &faults->cut_after, UINT32_MAX},
        {"lose-after", &faults->lose_after, UINT32_MAX}, {"delay", &faults->delay_ms, 60000},
    };
    const char *equals = memchr(option, '=', len);
    const size_t name_len = equals != NULL ? (size_t)(equals - option) : len;
    char digits[24] = "";
    char *end = digits;
    if (equals == NULL || len - name_len - 1 >= sizeof digits || equals[1] < '0' || equals[1] > '9') {
        return SCRIP_E_ARGUMENT;
    }
    memcpy(digits, equals + 1, len - name_len - 1);
    const uint64_t value = strtoull(digits, &end, 10);
    if (*end != '\0') {
        return SCRIP_E_ARGUMENT;
    }
    if (name_len == 4 && memcmp(option, "seed", 4) == 0) {
        faults->seed = value;
        return SCRIP_OK;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) == name_len && memcmp(option, table[i].name, name_len) == 0 &&
            value <= table[i].max) {
            *table[i].into = (uint32_t)value;
            return SCRIP_OK;
        }
    }
    return SCRIP_E_ARGUMENT;
}

static enum scrip_status fault_options(struct scrip_link_faults *faults, const char *options, char *error)
{
    while (*options != '\0') {
        const size_t len = strcspn(options, ",");
        if (fault_option(faults, options, len) != SCRIP_OK) {
            return open_fail(
                error, SCRIP_E_ARGUMENT,
                "\"%.*s\" is no fault: seed, drop, lose, corrupt, cut-after, lose-after, delay, each =number", (int)len,
                options);
        }
        options += len + (options[len] == ',' ? 1 : 0);
    }
    return SCRIP_OK;
}

static enum scrip_status open_fault(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    struct scrip_link_faults faults = {.seed = 1};
    const char *rest = NULL;
    struct scrip_link *inner = NULL;
    char *options = field_take(target, &rest);
    if (options == NULL) {
        return SCRIP_E_MEMORY;
    }
    enum scrip_status status = fault_options(&faults, options, error);
    free(options);
    if (status == SCRIP_OK) {
        status = wrap(rest, "fault:seed=7,drop=50:card:alice.card", world, &inner, error);
    }
    if (status == SCRIP_OK) {
        status = scrip_link_fault(&faults, inner, link);
        if (status != SCRIP_OK) {
            scrip_link_close(inner);
        }
    }
    return status;
}

/* ---- The others -------------------------------------------------------------------------------------------------- */

static enum scrip_status open_card(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    char text[SCRIP_VCARD_ERROR_MAX] = "";
    const char *rest = NULL;
    const struct scrip_vcard_host *host = world->given != NULL ? world->given->card : NULL;
    struct scrip_vcard *card = NULL;
    char *path = field_take(target, &rest);
    if (path == NULL) {
        return SCRIP_E_MEMORY;
    }
    enum scrip_status status = SCRIP_E_ARGUMENT;
    if (rest != NULL || *path == '\0') {
        (void)open_fail(error, status, "card: needs one file name; write a colon in it twice");
    } else {
        status = scrip_vcard_open(path, host, &card, text);
        (void)(status != SCRIP_OK ? open_fail(error, status, "%s", text) : status);
    }
    free(path);
    if (status == SCRIP_OK) {
        status = scrip_link_to_card_seeded(card, true, host != NULL ? host->random : NULL, link);
    }
    return status;
}

static enum scrip_status open_pcsc(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    (void)world;
    return link_pcsc_open(target, link, error);
}

static enum scrip_status open_tcp(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    (void)world;
    return link_tcp_open(target, link, error);
}

static enum scrip_status open_pn532(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    (void)world;
    return link_pn532_open(target, link, error);
}

static enum scrip_status open_mfrc522(const char *target, struct world *world, struct scrip_link **link, char *error)
{
    (void)world;
    return link_mfrc522_open(target, link, error);
}

static enum scrip_status open_any(const char *spec, struct world *world, struct scrip_link **link, char *error)
{
    static const struct {
        const char *prefix;
        enum scrip_status (*open)(const char *target, struct world *world, struct scrip_link **link, char *error);
    } kinds[] = {
        {"card:", open_card}, {"pcsc:", open_pcsc},   {"pn532:", open_pn532}, {"mfrc522:", open_mfrc522},
        {"tcp:", open_tcp},   {"trace:", open_trace}, {"fault:", open_fault},
    };
    if (++world->depth > DEPTH_MAX) {
        return open_fail(error, SCRIP_E_ARGUMENT, "more than %d links in each other", DEPTH_MAX);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t len = strlen(kinds[i].prefix);
        if (strncmp(spec, kinds[i].prefix, len) == 0) {
            return kinds[i].open(spec + len, world, link, error);
        }
    }
    return open_fail(
        error, SCRIP_E_ARGUMENT,
        "\"%.40s\" names no link: card:FILE, pcsc:N, pn532:DEVICE, mfrc522:DEVICE, tcp:HOST:PORT, trace:, fault:",
        spec);
}

enum scrip_status scrip_link_open(const char *spec, const struct scrip_link_world *world, struct scrip_link **link,
                                  char error[SCRIP_LINK_ERROR_MAX])
{
    struct world inner = {.given = world};
    if (error != NULL) {
        error[0] = '\0';
    }
    const enum scrip_status status = open_any(spec, &inner, link, error);
    if (status != SCRIP_OK && error != NULL && error[0] == '\0') {
        (void)open_fail(error, status, "%s", scrip_strerror(status));
    }
    return status;
}
