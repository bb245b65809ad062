#include "air.h"
#include <string.h>

/* ---- loading ---- */

static bool direction(struct vector *v, const char *text)
{
    if (text == NULL || (strcmp(text, "C>R") != 0 && strcmp(text, "R>C") != 0)) {
        vector_fail(v, "a frame without direction");
    }
    return text[0] == 'C';
}

/* Bits 7 and 4: a short frame, an answer of four bits, written as one hex digit or two. */
static void load_bits(struct vector *v, struct scrip_frame *frame, json_int_t bits, const char *hex)
{
    char padded[3] = {'0', hex[0], '\0'};
    scrip_frame_clear(frame);
    if (bits == 0 && hex[0] == '\0') {
        return;
    }
    if (bits == 4 && strlen(hex) == 1) {
        scrip_frame_nibble(frame, vector_hex(v, "air", padded).at[0]);
        return;
    }
    const struct scrip_bytes bytes = vector_hex(v, "air", hex);
    if (bits == 7 && bytes.len == 1) {
        scrip_frame_short(frame, bytes.at[0]);
        return;
    }
    if (bits != (json_int_t)(8 * bytes.len)) {
        vector_fail(v, "a frame of %lld bits", (long long)bits);
    }
    all_right(v, "frame", scrip_frame_bytes(frame, bytes));
}

static void load_parity(struct vector *v, struct scrip_frame *frame, const char *parity)
{
    if (strlen(parity) != (frame->bits % 8 == 0 ? frame->bits / 8U : 0U)) {
        vector_fail(v, "par: not one for each byte");
    }
    for (size_t i = 0; parity[i] != '\0'; i++) {
        scrip_frame_parity_set(frame, i, parity[i] == '1');
    }
}

static const char *text_of(struct vector *v, json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL) {
        vector_fail(v, "%s: missing in a frame", name);
    }
    return text;
}

static void load_one(struct vector *v, json_t *item, struct air_frame *frame)
{
    char padded[3] = "0";
    if (json_is_array(item)) {
        frame->from_card = direction(v, json_string_value(json_array_get(item, 0)));
        load_bits(v, &frame->frame, json_integer_value(json_array_get(item, 1)),
                  json_string_value(json_array_get(item, 2)));
        return;
    }
    const char *plain = text_of(v, item, "plain");
    frame->from_card = direction(v, text_of(v, item, "dir"));
    load_bits(v, &frame->frame, json_integer_value(json_object_get(item, "bits")), text_of(v, item, "air"));
    load_parity(v, &frame->frame, text_of(v, item, "par"));
    if (strlen(plain) == 1) {
        padded[1] = plain[0];
        plain = padded;
    }
    frame->plain = vector_hex(v, "plain", plain);
}

void air_load(struct vector *v, json_t *frames, struct air *air)
{
    json_t *item;
    size_t i;
    memset(air, 0, sizeof *air);
    air->v = v;
    if (json_array_size(frames) == 0 || json_array_size(frames) > AIR_FRAMES) {
        vector_fail(v, "%zu frames", json_array_size(frames));
    }
    json_array_foreach(frames, i, item)
    {
        load_one(v, item, &air->frames[air->count++]);
        if (air->frames[i].from_card != (i % 2 == 1)) {
            vector_fail(v, "frame %zu: reader and card do not take turns", i);
        }
    }
}

/* ---- comparing ---- */

void air_same(struct vector *v, const char *what, size_t number, const struct scrip_frame *wanted,
              const struct scrip_frame *got)
{
    char name[64];
    const size_t len = scrip_frame_len(wanted);
    (void)snprintf(name, sizeof name, "%s frame %zu", what, number);
    if (got->bits != wanted->bits || got->align != wanted->align) {
        vector_fail(v, "%s: %u bits, should be %u", name, got->bits, wanted->bits);
    }
    same_bytes(v, name, scrip_bytes(wanted->data, len), scrip_bytes(got->data, len));
    for (size_t i = 0; i < wanted->bits / 8U; i++) {
        if (scrip_frame_parity(got, i) != scrip_frame_parity(wanted, i)) {
            vector_fail(v, "%s: parity bit %zu", name, i);
        }
    }
}

/* ---- playing ---- */

void air_to_card(struct air *air, struct scrip_picc *card)
{
    for (size_t i = 0; i < air->count; i += 2) {
        struct scrip_frame out;
        scrip_frame_clear(&out);
        all_right(air->v, "card", card->ops->frame(card, &air->frames[i].frame, &out));
        if (i + 1 < air->count) {
            air_same(air->v, "card:", i + 1, &air->frames[i + 1].frame, &out);
        }
    }
}

static enum scrip_status player_power(void *ctx, bool on)
{
    (void)ctx;
    (void)on;
    return SCRIP_OK;
}

static enum scrip_status player_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                         uint32_t timeout_us)
{
    struct air *air = ctx;
    (void)timeout_us;
    if (air->next >= air->count) {
        vector_fail(air->v, "reader: sends more than was recorded");
    }
    air_same(air->v, "reader:", air->next, &air->frames[air->next].frame, tx);
    air->next += 2;
    if (air->next > air->count || air->frames[air->next - 1].frame.bits == 0) {
        return SCRIP_E_TIMEOUT;
    }
    *rx = air->frames[air->next - 1].frame;
    return SCRIP_OK;
}

struct scrip_radio air_player(struct air *air)
{
    return (struct scrip_radio){
        .ctx = air, .power = player_power, .exchange = player_exchange, .frame_max = SCRIP_FRAME_MAX};
}

void air_ended(const struct air *air)
{
    if (air->next < air->count) {
        vector_fail(air->v, "reader: frame %zu was not sent", air->next);
    }
}
