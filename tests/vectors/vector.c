#include "vector.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vector_fail(struct vector *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(v->why, sizeof v->why, format, args);
    va_end(args);
    longjmp(v->failed, 1);
}

static int nibble(char c)
{
    static const char digits[] = "0123456789ABCDEF0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)((at - digits) % 16);
}

struct scrip_bytes vector_hex(struct vector *v, const char *what, const char *hex)
{
    const size_t len = strlen(hex) / 2;
    uint8_t *at = v->memory + v->used;

    if (strlen(hex) % 2 != 0 || len > sizeof v->memory - v->used) {
        vector_fail(v, "%s: odd or too long", what);
    }
    for (size_t i = 0; i < len; i++) {
        const int high = nibble(hex[2 * i]);
        const int low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            vector_fail(v, "%s: not hex", what);
        }
        at[i] = (uint8_t)(high << 4 | low);
    }
    v->used += len;
    return scrip_bytes(at, len);
}

/* A field, marked as used by taking it out of the copy; the file's own tree keeps the value alive. */
static json_t *take(struct vector *v, json_t *from, const char *side, const char *name)
{
    json_t *value = json_object_get(from, name);
    if (value == NULL) {
        vector_fail(v, "%s.%s: missing, or used twice", side, name);
    }
    json_object_del(from, name);
    return value;
}

static const char *text_of(struct vector *v, json_t *value, const char *name)
{
    if (!json_is_string(value)) {
        vector_fail(v, "%s: not a string", name);
    }
    return json_string_value(value);
}

static int64_t int_of(struct vector *v, json_t *value, const char *name)
{
    if (!json_is_integer(value)) {
        vector_fail(v, "%s: not an integer", name);
    }
    return json_integer_value(value);
}

struct scrip_bytes in_bytes(struct vector *v, const char *name)
{
    return vector_hex(v, name, text_of(v, take(v, v->in, "in", name), name));
}

const uint8_t *in_exactly(struct vector *v, const char *name, size_t len)
{
    const struct scrip_bytes bytes = in_bytes(v, name);
    if (bytes.len != len) {
        vector_fail(v, "in.%s: %zu bytes, must be %zu", name, bytes.len, len);
    }
    return bytes.at;
}

int64_t in_int(struct vector *v, const char *name)
{
    return int_of(v, take(v, v->in, "in", name), name);
}

const char *in_text(struct vector *v, const char *name)
{
    return text_of(v, take(v, v->in, "in", name), name);
}

bool in_bool(struct vector *v, const char *name)
{
    json_t *value = take(v, v->in, "in", name);
    if (!json_is_boolean(value)) {
        vector_fail(v, "in.%s: neither true nor false", name);
    }
    return json_is_true(value);
}

json_t *in_json(struct vector *v, const char *name)
{
    return take(v, v->in, "in", name);
}

bool in_has(const struct vector *v, const char *name)
{
    return json_object_get(v->in, name) != NULL;
}

bool want_has(const struct vector *v, const char *name)
{
    return json_object_get(v->out, name) != NULL;
}

static void hex_text(struct scrip_bytes bytes, char *text, size_t cap)
{
    size_t at = 0;
    for (size_t i = 0; i < bytes.len && at + 4 < cap; i++) {
        at += (size_t)snprintf(text + at, cap - at, "%02X", bytes.at[i]);
    }
    text[at] = '\0';
}

void same_bytes(struct vector *v, const char *what, struct scrip_bytes wanted, struct scrip_bytes got)
{
    char wanted_text[200];
    char got_text[200];
    if (scrip_bytes_equal(wanted, got)) {
        return;
    }
    hex_text(wanted, wanted_text, sizeof wanted_text);
    hex_text(got, got_text, sizeof got_text);
    vector_fail(v, "%s: %s, should be %s", what, got_text, wanted_text);
}

void want_bytes(struct vector *v, const char *name, struct scrip_bytes got)
{
    same_bytes(v, name, out_bytes(v, name), got);
}

struct scrip_bytes out_bytes(struct vector *v, const char *name)
{
    return vector_hex(v, name, text_of(v, take(v, v->out, "out", name), name));
}

void want_int(struct vector *v, const char *name, int64_t got)
{
    const int64_t wanted = int_of(v, take(v, v->out, "out", name), name);
    if (wanted != got) {
        vector_fail(v, "%s: %lld, should be %lld", name, (long long)got, (long long)wanted);
    }
}

void want_text(struct vector *v, const char *name, const char *got)
{
    const char *wanted = text_of(v, take(v, v->out, "out", name), name);
    if (strcmp(wanted, got) != 0) {
        vector_fail(v, "%s: %s, should be %s", name, got, wanted);
    }
}

void want_bool(struct vector *v, const char *name, bool got)
{
    json_t *value = take(v, v->out, "out", name);
    if (!json_is_boolean(value) || json_is_true(value) != got) {
        vector_fail(v, "%s: %s", name, got ? "true" : "false");
    }
}

json_t *want_json(struct vector *v, const char *name)
{
    return take(v, v->out, "out", name);
}

struct scrip_bytes object_bytes(struct vector *v, json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    if (value == NULL) {
        vector_fail(v, "%s: missing", name);
    }
    return vector_hex(v, name, text_of(v, value, name));
}

void all_right(struct vector *v, const char *what, enum scrip_status status)
{
    if (status != SCRIP_OK) {
        vector_fail(v, "%s: %s (%s)", what, scrip_status_name(status), scrip_strerror(status));
    }
}
