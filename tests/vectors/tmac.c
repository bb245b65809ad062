/* The Transaction MAC: its keys, its input, its value. */
#include "sides.h"
#include <string.h>

static void want_keys(struct vector *v, const struct scrip_desfire_tmac_keys *keys)
{
    want_bytes(v, "ses_tm_mac_key", SCRIP_BYTES_OF(keys->mac));
    want_bytes(v, "ses_tm_enc_key", SCRIP_BYTES_OF(keys->enc));
}

static void session_keys(struct vector *v)
{
    struct scrip_desfire_tmac_keys keys;
    const uint8_t *key = in_exactly(v, "app_tmac_key", 16);
    const uint32_t next = scrip_get_le32(in_exactly(v, "tmc_plus_1", 4));
    scrip_desfire_tmac_keys(key, next, in_exactly(v, "uid", 7), &keys);
    want_keys(v, &keys);
}

static void session_keys_lrp(struct vector *v)
{
    struct scrip_desfire_tmac_keys keys;
    const uint8_t *key = in_exactly(v, "app_tmac_key", 16);
    const uint16_t act = scrip_get_le16(in_exactly(v, "act_tmc_plus_1", 2));
    const uint16_t ses = scrip_get_le16(in_exactly(v, "ses_tmc_plus_1", 2));
    scrip_desfire_tmac_keys_lrp(key, act, ses, in_exactly(v, "uid", 7), &keys);
    want_keys(v, &keys);
}

static void reader_id(struct vector *v)
{
    struct scrip_desfire_tmac_keys keys = {0};
    uint8_t out[16];
    const uint8_t *previous = in_exactly(v, "tmri_prev", 16);
    memcpy(keys.enc, in_exactly(v, "ses_tm_enc_key", 16), 16);
    scrip_desfire_tmri_encrypt(&keys, previous, out);
    want_bytes(v, "enc_tmri", SCRIP_BYTES_OF(out));
    scrip_desfire_tmri_decrypt(&keys, out, out);
    same_bytes(v, "deciphered", scrip_bytes(previous, 16), SCRIP_BYTES_OF(out));
}

/* Fields of a command, each appended at its place. */
static void add_le(struct vector *v, json_t *object, const char *name, size_t len, struct scrip_buf *out)
{
    json_t *value = json_object_get(object, name);
    if (value == NULL) {
        return;
    }
    if (!json_is_integer(value)) {
        vector_fail(v, "%s: not an integer", name);
    }
    all_right(v, name, scrip_buf_add_le(out, (uint64_t)json_integer_value(value), len));
}

static void add_bytes(struct vector *v, json_t *object, const char *name, struct scrip_buf *out)
{
    if (json_object_get(object, name) != NULL) {
        all_right(v, name, scrip_buf_add_bytes(out, object_bytes(v, object, name)));
    }
}

/* One command's part, both ways: into a TMI that is kept and one that is fed through. */
static void add_part(struct vector *v, json_t *command, struct scrip_buf *tmi, struct scrip_desfire_tmi *fed,
                     const struct scrip_desfire_tmac_keys *keys)
{
    uint8_t fixed_bytes[64];
    uint8_t data_bytes[256];
    struct scrip_buf fixed = SCRIP_BUF_OF(fixed_bytes);
    struct scrip_buf data = SCRIP_BUF_OF(data_bytes);

    all_right(v, "cmd", scrip_buf_add_bytes(&fixed, object_bytes(v, command, "cmd")));
    add_le(v, command, "file_no", 1, &fixed);
    add_le(v, command, "record_no", 3, &fixed);
    add_le(v, command, "record_count", 3, &fixed);
    add_le(v, command, "offset", 3, &fixed);
    add_le(v, command, "length", 3, &fixed);
    add_le(v, command, "value", 4, &fixed);
    add_bytes(v, command, "tmri", &fixed);
    add_bytes(v, command, "enc_tmri", &fixed);
    add_bytes(v, command, "data", &data);
    all_right(v, "tmi", scrip_desfire_tmi_add(tmi, scrip_buf_bytes(&fixed), scrip_buf_bytes(&data)));
    scrip_desfire_tmi_feed(fed, keys, scrip_buf_bytes(&fixed), scrip_buf_bytes(&data));
}

static void known_fields(struct vector *v, json_t *command)
{
    static const char *const names[] = {"cmd",  "file_no", "record_no", "record_count",  "offset",  "length",
                                        "data", "value",   "tmri",      "authenticated", "enc_tmri"};
    const char *name;
    json_t *value;
    json_object_foreach(command, name, value)
    {
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(names[i], name) != 0) {
            i++;
        }
        if (i == sizeof names / sizeof *names) {
            vector_fail(v, "%s: nobody looks at it", name);
        }
    }
}

static void value(struct vector *v)
{
    struct scrip_desfire_tmac_keys keys;
    struct scrip_desfire_tmi fed = {0};
    uint8_t bytes[512];
    struct scrip_buf tmi = SCRIP_BUF_OF(bytes);
    uint8_t tmv[8];
    uint8_t again[8];
    json_t *commands = in_json(v, "commands");
    json_t *command;
    size_t i;
    const uint8_t *key = in_exactly(v, "app_tmac_key", 16);
    const uint32_t next = scrip_get_le32(in_exactly(v, "tmc_plus_1", 4));

    scrip_desfire_tmac_keys(key, next, in_exactly(v, "uid", 7), &keys);
    json_array_foreach(commands, i, command)
    {
        known_fields(v, command);
        add_part(v, command, &tmi, &fed, &keys);
    }
    scrip_desfire_tmv(&keys, scrip_buf_bytes(&tmi), tmv);
    scrip_desfire_tmi_tmv(&fed, &keys, again);
    want_bytes(v, "tmi", scrip_buf_bytes(&tmi));
    want_bytes(v, "ses_tm_mac_key", SCRIP_BYTES_OF(keys.mac));
    same_bytes(v, "fed through", SCRIP_BYTES_OF(tmv), SCRIP_BYTES_OF(again));
    want_bytes(v, "tmv", SCRIP_BYTES_OF(tmv));
}

static void input(struct vector *v)
{
    const struct scrip_desfire_tmac_keys keys = {0};
    struct scrip_desfire_tmi fed = {0};
    uint8_t bytes[512];
    struct scrip_buf tmi = SCRIP_BUF_OF(bytes);

    known_fields(v, v->in);
    if (json_is_false(json_object_get(v->in, "authenticated")) == (json_object_get(v->in, "enc_tmri") != NULL) &&
        json_object_get(v->in, "tmri") != NULL) {
        vector_fail(v, "EncTMRI is answered inside a session and only there");
    }
    add_part(v, v->in, &tmi, &fed, &keys);
    json_object_clear(v->in);
    want_bytes(v, "tmi_part", scrip_buf_bytes(&tmi));
}

const struct vector_kind VECTORS_TMAC[] = {
    {"tmac-session-keys", session_keys},
    {"tmac-session-keys-lrp", session_keys_lrp},
    {"tmac-reader-id", reader_id},
    {"tmac-value", value},
    {"tmac-input", input},
    {NULL, NULL},
};
