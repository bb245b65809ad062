#include "api.h"

#include <inttypes.h>
#include <scrip/money.h>
#include <scrip/purse_storage.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum scrip_status api_body(struct context *context, json_t **root)
{
    const struct scrip_bytes body = context->request->body;
    json_error_t error;
    if (body.len == 0) {
        *root = json_object();
        return *root == NULL ? SCRIP_E_MEMORY : SCRIP_OK;
    }
    *root = json_loadb((const char *)body.at, body.len, JSON_REJECT_DUPLICATES, &error);
    if (*root != NULL && json_is_object(*root)) {
        return SCRIP_OK;
    }
    json_decref(*root);
    const bool parsed = *root != NULL;
    *root = NULL;
    return problem(context, SCRIP_PROBLEM_MALFORMED, parsed ? "the body must be a JSON object" : error.text);
}

bool api_unpack(struct context *context, json_t *root, const char *format, ...)
{
    json_error_t error;
    va_list args;
    va_start(args, format);
    const int failed = json_vunpack_ex(root, &error, JSON_STRICT, format, args);
    va_end(args);
    if (failed != 0) {
        (void)problem(context, SCRIP_PROBLEM_MALFORMED, error.text);
    }
    return failed == 0;
}

bool api_hex_some(const char *text, uint8_t *out, size_t cap, size_t *len)
{
    const size_t digits = strlen(text);
    const char *end = NULL;
    return digits % 2 == 0 && digits / 2 <= cap && sodium_hex2bin(out, cap, text, digits, NULL, len, &end) == 0 &&
           *end == '\0';
}

bool api_hex(const char *text, uint8_t *out, size_t len)
{
    uint8_t bytes[64];
    size_t got;
    if (len > sizeof bytes || !api_hex_some(text, bytes, len, &got) || got != len) {
        return false;
    }
    memcpy(out, bytes, len);
    return true;
}

json_t *api_hex_json(const void *at, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *bytes = at;
    char text[2 * SCRIP_LEDGER_DATA_MAX + 1];
    if (len > SCRIP_LEDGER_DATA_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return json_stringn(text, 2 * len);
}

bool api_uid(const char *text, uint8_t uid[7])
{
    uint8_t four[4];
    if (!api_hex(text, four, sizeof four)) {
        return api_hex(text, uid, 7);
    }
    return scrip_storage_uid(SCRIP_BYTES_OF(four), uid) == SCRIP_OK;
}

enum scrip_status api_path_uid(const struct context *context, uint8_t uid[7])
{
    char text[UID_TEXT];
    if (param_text(context, 0, text, sizeof text) != SCRIP_OK || !api_uid(text, uid)) {
        return SCRIP_E_NOT_FOUND;
    }
    return SCRIP_OK;
}

json_t *api_amount(const struct context *context, int64_t minor)
{
    const char *code = context->server->config.currency;
    const struct scrip_currency *currency = scrip_currency_find(code);
    json_t *amount = json_pack("{sI ss}", "minor", (json_int_t)minor, "currency", code);
    if (currency != NULL && amount != NULL) {
        char text[SCRIP_MONEY_TEXT_MAX];
        scrip_money_format(currency, minor, text);
        (void)json_object_set_new(amount, "text", json_string(text));
    }
    return amount;
}

bool api_currency(struct context *context, const char *currency)
{
    char detail[64];
    if (strcmp(currency, context->server->config.currency) == 0) {
        return true;
    }
    (void)snprintf(detail, sizeof detail, "this server counts in %s", context->server->config.currency);
    (void)problem(context, SCRIP_PROBLEM_MALFORMED, detail);
    return false;
}

static bool refuse_query(struct context *context, const struct api_query *members, size_t count)
{
    char detail[128] = "the query takes, each once and with a value:";
    for (size_t i = 0; i < count; i++) {
        const size_t len = strlen(detail);
        (void)snprintf(detail + len, sizeof detail - len, " %s", members[i].name);
    }
    (void)problem(context, SCRIP_PROBLEM_MALFORMED, detail);
    return false;
}

static const struct api_query *query_member(const struct api_query *members, size_t count, const char *at, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(members[i].name) == len && memcmp(members[i].name, at, len) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

bool api_query(struct context *context, const struct api_query *members, size_t count)
{
    const char *at = context->request->query;
    for (size_t i = 0; i < count; i++) {
        members[i].text[0] = '\0';
    }
    while (at != NULL && *at != '\0') {
        const size_t len = strcspn(at, "&");
        const size_t name = strcspn(at, "=&");
        const struct api_query *member = query_member(members, count, at, name);
        if (member == NULL || member->text[0] != '\0' || len < name + 2 || len - name - 1 >= member->cap) {
            return refuse_query(context, members, count);
        }
        memcpy(member->text, at + name + 1, len - name - 1);
        member->text[len - name - 1] = '\0';
        at += len + (at[len] == '&');
    }
    return true;
}

bool api_query_number(struct context *context, const char *name, const char *text, uint64_t min, uint64_t max,
                      uint64_t *out)
{
    char detail[96];
    const size_t len = strlen(text);
    if (len == 0) {
        return true;
    }
    if (strspn(text, "0123456789") == len && len <= 19) { /* which fit 64 bits */
        const uint64_t number = strtoull(text, NULL, 10);
        if (number >= min && number <= max) {
            *out = number;
            return true;
        }
    }
    (void)snprintf(detail, sizeof detail, "%s must be a number from %" PRIu64 " to %" PRIu64, name, min, max);
    (void)problem(context, SCRIP_PROBLEM_MALFORMED, detail);
    return false;
}

bool api_query_uid(struct context *context, const char *name, const char *text, uint8_t uid[7])
{
    char detail[96];
    if (api_uid(text, uid)) {
        return true;
    }
    (void)snprintf(detail, sizeof detail, "%s must be 14 hex digits, or 8 where the card's UID is that short", name);
    (void)problem(context, SCRIP_PROBLEM_MALFORMED, detail);
    return false;
}

json_t *api_time(uint64_t ms)
{
    char text[32];
    struct tm parts;
    const time_t seconds = (time_t)(ms / 1000);
    if (ms == 0 || ms / 1000 > 253402300799U || gmtime_r(&seconds, &parts) == NULL) {
        return json_null();
    }
    const size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_stringn(text, len);
}

enum scrip_status api_health(struct context *context)
{
    return response_json(context->response, 200, json_pack("{ss}", "status", "ok"));
}
