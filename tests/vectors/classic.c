/* classic.c: facts of MIFARE Classic: CRC, Crypto-1, nonces, access bits, value blocks, air time. */
#include "vector.h"
#include <math.h>
#include <scrip/classic.h>
#include <scrip/classic_card.h>
#include <scrip/crc.h>
#include <scrip/field.h>
#include <scrip/mifare_sm.h>
#include <scrip/posix.h>
#include <string.h>

static uint32_t in_word(struct vector *v, const char *name)
{
    return scrip_get_be32(in_exactly(v, name, 4));
}

static void want_word(struct vector *v, const char *name, uint32_t got)
{
    uint8_t bytes[4];
    scrip_put_be32(bytes, got);
    want_bytes(v, name, SCRIP_BYTES_OF(bytes));
}

/* ---- sums and nonces ---- */

static void crc_a(struct vector *v)
{
    uint8_t crc[2];
    scrip_put_le16(crc, scrip_crc16_a(in_bytes(v, "data")));
    want_bytes(v, "crc", SCRIP_BYTES_OF(crc));
}

static void prng(struct vector *v)
{
    const uint32_t nonce = in_word(v, "nonce");
    want_word(v, "successor", scrip_crypto1_successor(nonce, (uint32_t)in_int(v, "steps")));
}

static void prng_expand(struct vector *v)
{
    want_word(v, "nonce", scrip_crypto1_successor(scrip_get_be16(in_exactly(v, "first_half", 2)), 16));
}

/* ---- the cipher ---- */

static void keystream(struct vector *v)
{
    struct scrip_crypto1 cipher;
    uint8_t state[8];
    uint8_t next[16];

    scrip_crypto1_load(&cipher, in_exactly(v, "key", 6));
    want_word(v, "ks_while_feed1", scrip_crypto1_word(&cipher, in_word(v, "feed1")));
    scrip_put_be64(state, cipher.state);
    want_bytes(v, "lfsr_after_feed1", scrip_bytes(state + 2, 6));
    want_word(v, "ks_while_feed2", scrip_crypto1_word(&cipher, in_word(v, "feed2")));
    for (size_t i = 0; i < sizeof next; i++) {
        next[i] = scrip_crypto1_byte(&cipher, 0);
    }
    want_bytes(v, "ks_next16", SCRIP_BYTES_OF(next));
}

/* One frame of a session as both ends see it: enciphered it is what was recorded, deciphered what it means. */
static void both_ways(struct vector *v, struct scrip_crypto1 *cipher, struct scrip_bytes air, struct scrip_bytes plain)
{
    struct scrip_crypto1 other = *cipher;
    struct scrip_frame frame;

    all_right(v, "frame", scrip_frame_bytes(&frame, plain));
    scrip_mifare_sm_encrypt(cipher, &frame);
    same_bytes(v, "enciphered", air, scrip_bytes(frame.data, plain.len));
    all_right(v, "parity", scrip_mifare_sm_decrypt(&other, &frame));
    same_bytes(v, "deciphered", plain, scrip_bytes(frame.data, plain.len));
}

/* {nR}{aR}: the card opens it. The recording has no parity bits. */
static void want_reader_nonce(struct vector *v, struct scrip_crypto1 *cipher, uint32_t nt)
{
    const uint32_t nr = scrip_crypto1_word_open(cipher, in_word(v, "enc_nr"), 0);
    const uint32_t ar = in_word(v, "enc_ar") ^ scrip_crypto1_word(cipher, 0);
    want_word(v, "nr", nr);
    want_word(v, "ar", ar);
    if (ar != scrip_crypto1_successor(nt, 64)) {
        vector_fail(v, "ar: not suc64 of nt");
    }
}

static void published_trace(struct vector *v)
{
    const uint32_t nt = in_word(v, "nt");
    struct scrip_crypto1 cipher;
    json_t *frames = in_json(v, "enc_frames");
    json_t *plains = want_json(v, "decrypted");
    json_t *good = want_json(v, "crc_ok");
    json_t *text;
    size_t i;

    (void)scrip_crypto1_begin(&cipher, in_exactly(v, "key", 6), in_word(v, "uid"), nt);
    want_reader_nonce(v, &cipher, nt);
    const uint32_t at = in_word(v, "enc_at") ^ scrip_crypto1_word(&cipher, 0);
    want_word(v, "at", at);
    if (at != scrip_crypto1_successor(nt, 96) || json_array_size(plains) != json_array_size(frames) ||
        json_array_size(good) != json_array_size(frames)) {
        vector_fail(v, "at: not suc96 of nt; or lists of different lengths");
    }
    json_array_foreach(frames, i, text)
    {
        const struct scrip_bytes plain = vector_hex(v, "decrypted", json_string_value(json_array_get(plains, i)));
        both_ways(v, &cipher, vector_hex(v, "enc_frames", json_string_value(text)), plain);
        const bool crc =
            scrip_crc16_a(scrip_bytes_head(plain, plain.len - 2)) == scrip_get_le16(plain.at + plain.len - 2);
        if (crc != json_is_true(json_array_get(good, i))) {
            vector_fail(v, "crc_ok: frame %zu", i);
        }
    }
}

static void published_nested(struct vector *v)
{
    const struct scrip_bytes nt = scrip_bytes(in_exactly(v, "nt", 4), 4);
    const uint32_t uid = in_word(v, "uid");
    const uint8_t *key = in_exactly(v, "key", 6);
    char parity[5] = "";
    struct scrip_crypto1 card;
    struct scrip_crypto1 reader;
    struct scrip_frame frame;

    scrip_crypto1_load(&card, key);
    scrip_crypto1_load(&reader, key);
    all_right(v, "frame", scrip_frame_bytes(&frame, nt));
    scrip_mifare_sm_encrypt_nonce(&card, &frame, uid);
    want_bytes(v, "enc_nt", scrip_bytes(frame.data, 4));
    for (size_t i = 0; i < 4; i++) {
        parity[i] = scrip_frame_parity(&frame, i) ? '1' : '0';
    }
    want_text(v, "enc_nt_par", parity);
    all_right(v, "reader", scrip_mifare_sm_decrypt_nonce(&reader, &frame, uid));
    same_bytes(v, "reader: nt", nt, scrip_bytes(frame.data, 4));
    want_reader_nonce(v, &card, scrip_get_be32(nt.at));
}

/* ---- memory ---- */

static void block_map(struct vector *v)
{
    const uint8_t block = (uint8_t)in_int(v, "block");
    const uint8_t sector = scrip_classic_sector(block);
    want_int(v, "sector", sector);
    want_int(v, "first_block", scrip_classic_first(sector));
    want_int(v, "trailer", scrip_classic_trailer(sector));
    want_int(v, "access_group", scrip_classic_group(block));
}

static void value_block(struct vector *v)
{
    const int32_t value = (int32_t)in_int(v, "value");
    const uint8_t address = (uint8_t)in_int(v, "adr");
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    int32_t back = ~value;
    uint8_t address_back = (uint8_t)~address;

    scrip_classic_value_put(value, address, block);
    all_right(v, "value", scrip_classic_value_get(block, &back, &address_back));
    if (back != value || address_back != address) {
        vector_fail(v, "value: another one comes back");
    }
    want_bytes(v, "block", SCRIP_BYTES_OF(block));
}

static void value_block_invalid(struct vector *v)
{
    int32_t value;
    uint8_t address;
    want_bool(v, "valid",
              scrip_classic_value_get(in_exactly(v, "block", SCRIP_CLASSIC_BLOCK), &value, &address) == SCRIP_OK);
}

/* ---- access bits ---- */

struct right_name {
    const char *name;
    enum scrip_classic_right right;
};

/* The members of `object` are exactly these rights of a condition, as the keys that have them. */
static void same_rights(struct vector *v, json_t *object, uint8_t condition, const struct right_name *names,
                        size_t count)
{
    if (json_object_size(object) != count) {
        vector_fail(v, "rights: not as many as we know");
    }
    for (size_t i = 0; i < count; i++) {
        const char *wanted = json_string_value(json_object_get(object, names[i].name));
        const bool a = scrip_classic_may(condition, names[i].right, false);
        const bool b = scrip_classic_may(condition, names[i].right, true);
        const char *got = a && b ? "AB" : a ? "A" : b ? "B" : "";
        if (wanted == NULL || strcmp(wanted, got) != 0) {
            vector_fail(v, "%s: \"%s\"", names[i].name, got);
        }
    }
}

static void same_data_rights(struct vector *v, const struct scrip_classic_access *access)
{
    static const struct right_name names[] = {
        {"read", SCRIP_CLASSIC_MAY_READ},
        {"write", SCRIP_CLASSIC_MAY_WRITE},
        {"increment", SCRIP_CLASSIC_MAY_INCREMENT},
        {"decrement_transfer_restore", SCRIP_CLASSIC_MAY_DECREMENT},
    };
    static const char *const groups[] = {"group0", "group1", "group2"};
    json_t *rights = want_json(v, "data_rights");
    if (json_object_size(rights) != 3) {
        vector_fail(v, "data_rights: not of three groups");
    }
    for (size_t i = 0; i < 3; i++) {
        same_rights(v, json_object_get(rights, groups[i]), access->group[i], names, sizeof names / sizeof *names);
    }
}

static void same_conditions(struct vector *v, const struct scrip_classic_access *access)
{
    static const char *const groups[] = {"group0", "group1", "group2", "trailer"};
    json_t *conditions = want_json(v, "conditions_C1C2C3");
    if (json_object_size(conditions) != 4) {
        vector_fail(v, "conditions: not four");
    }
    for (size_t i = 0; i < 4; i++) {
        const char *wanted = json_string_value(json_object_get(conditions, groups[i]));
        const char got[4] = {(char)('0' + (access->group[i] >> 2 & 1)), (char)('0' + (access->group[i] >> 1 & 1)),
                             (char)('0' + (access->group[i] & 1)), '\0'};
        if (wanted == NULL || strcmp(wanted, got) != 0) {
            vector_fail(v, "%s: %s", groups[i], got);
        }
    }
}

static void access_bits(struct vector *v)
{
    static const struct right_name names[] = {
        {"keyA_write", SCRIP_CLASSIC_MAY_WRITE_KEY_A},    {"access_read", SCRIP_CLASSIC_MAY_READ_ACCESS},
        {"access_write", SCRIP_CLASSIC_MAY_WRITE_ACCESS}, {"keyB_read", SCRIP_CLASSIC_MAY_READ_KEY_B},
        {"keyB_write", SCRIP_CLASSIC_MAY_WRITE_KEY_B},
    };
    const uint8_t *bytes = in_exactly(v, "bytes6to8", 3);
    uint8_t back[3];
    struct scrip_classic_access access;
    const bool valid = scrip_classic_access_get(bytes, &access) == SCRIP_OK;

    want_bool(v, "valid", valid);
    if (!valid) {
        return;
    }
    scrip_classic_access_put(&access, back);
    same_bytes(v, "access bits", scrip_bytes(bytes, 3), SCRIP_BYTES_OF(back));
    same_conditions(v, &access);
    same_data_rights(v, &access);
    same_rights(v, want_json(v, "trailer_rights"), access.group[3], names, sizeof names / sizeof *names);
    want_bool(v, "keyB_usable", scrip_classic_key_b_usable(access.group[3]));
}

/* ---- time on the air ---- */

#define FC_PER_ETU 128U

static void want_us(struct vector *v, const char *name, uint64_t fc)
{
    const double got = (double)fc * 1e6 / SCRIP_FC_HZ;
    if (fabs(json_number_value(want_json(v, name)) - got) > 0.0051) {
        vector_fail(v, "%s: %.2f", name, got);
    }
}

/* What a card waits before it answers a frame that ends with a 1. */
static uint64_t measured_delay(struct vector *v)
{
    static const struct scrip_classic_identity identity = {.uid = {1, 2, 3, 4}, .uid_len = 4};
    struct scrip_nv_memory memory;
    struct scrip_classic_card card;
    struct scrip_field field;
    struct scrip_frame tx;
    struct scrip_frame rx;

    all_right(v, "nv", scrip_nv_memory_init(&memory, scrip_classic_card_pages(false)));
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    const enum scrip_status made = scrip_classic_card_make(&nv, &identity);
    scrip_classic_card_init(&card, &(struct scrip_classic_host){.nv = &nv}, NULL);
    scrip_field_init(&field);
    (void)scrip_field_add(&field, &card.picc);
    (void)scrip_field_power(&field, true);
    scrip_frame_short(&tx, SCRIP_WUPA);
    const enum scrip_status heard = scrip_field_exchange(&field, &tx, &rx, 1000);
    scrip_nv_memory_free(&memory);
    all_right(v, "card", made);
    all_right(v, "card", heard);
    return field.times.delay_fc;
}

static uint32_t frame_etu(struct vector *v, json_t *len, uint8_t code, bool from_card)
{
    static const uint8_t bytes[SCRIP_FRAME_MAX];
    struct scrip_frame frame;
    if (json_is_integer(len)) {
        all_right(v, "frame", scrip_frame_bytes(&frame, scrip_bytes(bytes, (size_t)json_integer_value(len))));
    } else if (from_card) {
        scrip_frame_nibble(&frame, code);
    } else {
        scrip_frame_short(&frame, code);
    }
    return scrip_frame_time_fc(&frame, from_card) / FC_PER_ETU;
}

static void air_time_model(struct vector *v)
{
    const char *reader = in_text(v, "reader_frame");
    const char *card = in_text(v, "card_frame");
    json_t *reader_len = in_json(v, "reader_bytes");
    json_t *card_len = in_json(v, "card_bytes");

    if (json_is_null(reader_len) != (strcmp(reader, "short frame") == 0) ||
        json_is_null(card_len) != (strcmp(card, "ACK") == 0)) {
        vector_fail(v, "a frame that is neither short nor of bytes");
    }
    const uint32_t reader_etu = frame_etu(v, reader_len, SCRIP_REQA, false);
    const uint32_t card_etu = frame_etu(v, card_len, SCRIP_CLASSIC_ACK, true);
    want_int(v, "reader_etu", reader_etu);
    want_int(v, "card_etu", card_etu);
    want_us(v, "us_at_106", (uint64_t)(reader_etu + card_etu) * FC_PER_ETU);
    want_us(v, "fdt_us_min", measured_delay(v));
}

const struct vector_kind VECTORS_CLASSIC[] = {
    {"crc_a", crc_a},
    {"prng", prng},
    {"prng_expand", prng_expand},
    {"crypto1_keystream", keystream},
    {"published_trace", published_trace},
    {"published_nested", published_nested},
    {"block_map", block_map},
    {"value_block", value_block},
    {"value_block_invalid", value_block_invalid},
    {"access_bits", access_bits},
    {"air_time_model", air_time_model},
    {NULL, NULL},
};
