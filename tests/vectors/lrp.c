/* LRP: the primitive, the handshake, commands. */
#include "sides.h"
#include <stdio.h>
#include <string.h>

static void wanted_list(struct vector *v, const char *name, const uint8_t (*got)[16], size_t count)
{
    json_t *list = want_json(v, name);
    json_t *item;
    size_t i;
    if (json_array_size(list) != count) {
        vector_fail(v, "%s: %zu of them", name, json_array_size(list));
    }
    json_array_foreach(list, i, item)
    {
        const char *hex = json_string_value(item);
        same_bytes(v, name, vector_hex(v, name, hex == NULL ? "-" : hex), scrip_bytes(got[i], 16));
    }
}

static void plaintexts(struct vector *v)
{
    struct scrip_lrp lrp;
    scrip_lrp_init(&lrp, in_exactly(v, "key", 16), 1);
    wanted_list(v, "plaintexts", (const uint8_t(*)[16])lrp.plain, 16);
}

static void updated_keys(struct vector *v)
{
    struct scrip_lrp lrp;
    const int64_t q = in_int(v, "q");
    const uint8_t *key = in_exactly(v, "key", 16);
    if (q < 1 || q > 4) {
        vector_fail(v, "in.q: %lld", (long long)q);
    }
    scrip_lrp_init(&lrp, key, (unsigned)q);
    wanted_list(v, "updated_keys", (const uint8_t(*)[16])lrp.updated, (size_t)q);
}

static unsigned index_of(struct vector *v)
{
    const int64_t index = in_int(v, "updated_key_index");
    if (index < 0 || index > 3) {
        vector_fail(v, "in.updated_key_index: %lld", (long long)index);
    }
    return (unsigned)index;
}

static void eval(struct vector *v)
{
    struct scrip_lrp lrp;
    const unsigned index = index_of(v);
    const char *nibbles = in_text(v, "input_nibbles");
    char even[64];
    uint8_t y[16];

    if (snprintf(even, sizeof even, "%s%s", nibbles, strlen(nibbles) % 2 == 0 ? "" : "0") >= (int)sizeof even) {
        vector_fail(v, "in.input_nibbles: too long");
    }
    scrip_lrp_init(&lrp, in_exactly(v, "key", 16), index + 1);
    const struct scrip_bytes input = vector_hex(v, "input_nibbles", even);
    scrip_lrp_eval(&lrp, index, input.at, strlen(nibbles), in_bool(v, "final"), y);
    want_bytes(v, "y", SCRIP_BYTES_OF(y));
}

static void lricb(struct vector *v)
{
    struct scrip_lrp lrp;
    const unsigned index = index_of(v);
    const struct scrip_bytes start = in_bytes(v, "counter");
    const bool padding = in_bool(v, "padding");
    const struct scrip_bytes plain = in_bytes(v, "plain");
    uint8_t counter[16];
    uint8_t padded[256];
    uint8_t bytes[256];
    struct scrip_buf data = SCRIP_BUF_OF(padded);

    scrip_lrp_init(&lrp, in_exactly(v, "key", 16), index + 1);
    all_right(v, "plain", scrip_buf_add_bytes(&data, plain));
    if (padding) {
        all_right(v, "padding", scrip_buf_add_u8(&data, 0x80));
        all_right(v, "padding", scrip_buf_fill(&data, 0, (16 - data.len % 16) % 16));
    }
    if (start.len > sizeof counter || data.len % 16 != 0) {
        vector_fail(v, "in.counter or in.plain: length");
    }
    memcpy(counter, start.at, start.len);
    scrip_lrp_icb(&lrp, index, counter, start.len, true, data.len / 16, bytes, data.at);
    want_bytes(v, "cipher", scrip_bytes(bytes, data.len));
    memcpy(counter, start.at, start.len);
    scrip_lrp_icb(&lrp, index, counter, start.len, false, data.len / 16, bytes, bytes);
    same_bytes(v, "deciphered", scrip_buf_bytes(&data), scrip_bytes(bytes, data.len));
}

static void cmac(struct vector *v)
{
    struct scrip_lrp lrp;
    uint8_t mac[16];
    const unsigned index = index_of(v);
    scrip_lrp_init(&lrp, in_exactly(v, "key", 16), index + 1);
    scrip_lrp_cmac(&lrp, index, in_bytes(v, "message"), mac);
    want_bytes(v, "cmac", SCRIP_BYTES_OF(mac));
}

static void cmac_subkeys(struct vector *v)
{
    struct scrip_lrp lrp;
    uint8_t k1[16];
    uint8_t k2[16];
    const unsigned index = index_of(v);
    scrip_lrp_init(&lrp, in_exactly(v, "key", 16), index + 1);
    scrip_lrp_cmac_subkeys(&lrp, index, k1, k2);
    want_bytes(v, "k1", SCRIP_BYTES_OF(k1));
    want_bytes(v, "k2", SCRIP_BYTES_OF(k2));
}

/* ---- handshake ---- */

/* 00 01 00 80 || context || 96 69, rebuilt from the random numbers to look at it. */
static void want_vector(struct vector *v, const uint8_t *rnda, const uint8_t *rndb)
{
    uint8_t sv[32] = {0x00, 0x01, 0x00, 0x80, rnda[0], rnda[1]};
    for (size_t i = 0; i < 6; i++) {
        sv[6 + i] = rnda[2 + i] ^ rndb[i];
    }
    memcpy(sv + 12, rndb + 6, 10);
    memcpy(sv + 22, rnda + 8, 8);
    sv[30] = 0x96;
    sv[31] = 0x69;
    want_bytes(v, "session_vector", SCRIP_BYTES_OF(sv));
}

static struct scrip_bytes wrapped(struct vector *v, uint8_t cmd, struct scrip_bytes data, uint8_t *at, size_t cap)
{
    struct scrip_buf out = scrip_buf(at, cap);
    const uint8_t head[] = {0x90, cmd, 0, 0, (uint8_t)data.len};
    all_right(v, "apdu", scrip_buf_add(&out, head, sizeof head));
    all_right(v, "apdu", scrip_buf_add_bytes(&out, data));
    all_right(v, "apdu", scrip_buf_add_u8(&out, 0));
    return scrip_buf_bytes(&out);
}

static struct scrip_bytes answered(struct vector *v, struct scrip_bytes data, uint8_t status, uint8_t *at, size_t cap)
{
    struct scrip_buf out = scrip_buf(at, cap);
    all_right(v, "apdu", scrip_buf_add_bytes(&out, data));
    all_right(v, "apdu", scrip_buf_add_u8(&out, 0x91));
    all_right(v, "apdu", scrip_buf_add_u8(&out, status));
    return scrip_buf_bytes(&out);
}

static struct scrip_bytes joined(struct vector *v, struct scrip_bytes a, struct scrip_bytes b, uint8_t *at, size_t cap)
{
    struct scrip_buf out = scrip_buf(at, cap);
    all_right(v, "joined", scrip_buf_add_bytes(&out, a));
    all_right(v, "joined", scrip_buf_add_bytes(&out, b));
    return scrip_buf_bytes(&out);
}

static void want_wire(struct vector *v, const struct handshake *h)
{
    const uint8_t part1[] = {h->key_no, 0x06, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00};
    uint8_t at[64];
    want_bytes(v, "c_apdu_1", wrapped(v, 0x71, SCRIP_BYTES_OF(part1), at, sizeof at));
    want_bytes(v, "r_apdu_1", answered(v, h->challenge, 0xAF, at, sizeof at));
    want_bytes(v, "c_apdu_2", wrapped(v, 0xAF, h->token, at, sizeof at));
    want_bytes(v, "r_apdu_2", answered(v, h->reply, 0x00, at, sizeof at));
}

static void auth_first(struct vector *v)
{
    static const uint8_t one[] = {0x01};
    struct scrip_desfire_session host = {0};
    struct scrip_desfire_session card = {0};
    struct scrip_desfire_auth_info info;
    uint8_t challenge[17];
    uint8_t token[32];
    uint8_t reply[32];
    struct handshake h = {.sm = SCRIP_DESFIRE_SM_LRP, .info = &info};

    h.key = key_of(SCRIP_AES128, scrip_bytes(in_exactly(v, "key", 16), 16));
    h.key_no = *in_exactly(v, "key_no", 1);
    h.rnda = in_bytes(v, "rnda");
    h.rndb = in_bytes(v, "rndb");
    memcpy(info.ti, in_exactly(v, "ti", 4), 4);
    memcpy(info.pdcap2, in_exactly(v, "pdcap2", 6), 6);
    memcpy(info.pcdcap2, in_exactly(v, "pcdcap2", 6), 6);
    h.challenge = joined(v, SCRIP_BYTES_OF(one), h.rndb, challenge, sizeof challenge);
    h.token = joined(v, h.rnda, out_bytes(v, "pcd_response"), token, sizeof token);
    const struct scrip_bytes picc_data = out_bytes(v, "picc_data");
    h.reply = joined(v, picc_data, out_bytes(v, "picc_response"), reply, sizeof reply);
    both_authenticate(v, &h, &host, &card);
    want_bytes(v, "ses_auth_master_key", session_key(v, &host, 0, 16));
    want_bytes(v, "ses_auth_mac_update_key", SCRIP_BYTES_OF(host.lrp.updated[0]));
    want_bytes(v, "ses_auth_enc_update_key", SCRIP_BYTES_OF(card.lrp.updated[1]));
    if (session_enc_ctr(v, &host) != 1 || session_enc_ctr(v, &card) != 1) {
        vector_fail(v, "EncCtr after First");
    }
    want_vector(v, h.rnda.at, h.rndb.at);
    want_wire(v, &h);
}

static void command(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    const struct start start = {.sm = SCRIP_DESFIRE_SM_LRP,
                                .cipher = SCRIP_AES128,
                                .key = scrip_bytes(in_exactly(v, "ses_auth_master_key", 16), 16),
                                .ti = in_bytes(v, "ti"),
                                .cmd_ctr = (uint16_t)in_int(v, "cmd_ctr"),
                                .enc_ctr = (uint32_t)in_int(v, "enc_ctr")};
    struct exchange exchange = {.cmd = *in_exactly(v, "cmd", 1)};

    session_start(v, &host, &start);
    session_start(v, &card, &start);
    same_bytes(v, "ses_auth_mac_update_key", in_bytes(v, "ses_auth_mac_update_key"),
               SCRIP_BYTES_OF(host.lrp.updated[0]));
    same_bytes(v, "ses_auth_enc_update_key", in_bytes(v, "ses_auth_enc_update_key"),
               SCRIP_BYTES_OF(host.lrp.updated[1]));
    exchange.header = in_bytes(v, "cmd_header");
    exchange.data = in_bytes(v, "cmd_data");
    exchange.answer = in_bytes(v, "resp_data");
    exchange.protection =
        (struct scrip_desfire_protection){.comm = SCRIP_DESFIRE_FULL, .data_back = exchange.answer.len > 0};
    exchange.params = apdu_params(v, out_bytes(v, "c_apdu"), exchange.cmd);
    exchange.reply = apdu_data(v, out_bytes(v, "r_apdu"), &exchange.status);
    both_sides(v, &host, &card, &exchange);
    const int64_t after = session_enc_ctr(v, &card);
    if (after != session_enc_ctr(v, &host)) {
        vector_fail(v, "the sides count blocks differently");
    }
    want_int(v, "enc_ctr_after", after);
}

const struct vector_kind VECTORS_LRP[] = {
    {"lrp-plaintexts", plaintexts},
    {"lrp-updated-keys", updated_keys},
    {"lrp-eval", eval},
    {"lrp-lricb", lricb},
    {"lrp-cmac", cmac},
    {"lrp-cmac-subkeys", cmac_subkeys},
    {"auth-lrpfirst", auth_first},
    {"lrp-command", command},
    {NULL, NULL},
};
