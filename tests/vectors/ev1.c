/* EV1: handshakes, the chain of IVs, files, settings, keys. */
#include "sides.h"
#include <string.h>

struct pair {
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
};

static struct pair sessions(struct vector *v, enum scrip_cipher cipher)
{
    struct pair pair;
    const struct start start = {
        .sm = SCRIP_DESFIRE_SM_EV1, .cipher = cipher, .key = in_bytes(v, "session_key"), .iv = in_bytes(v, "iv")};
    session_start(v, &pair.host, &start);
    session_start(v, &pair.card, &start);
    return pair;
}

static struct pair sessions_named(struct vector *v)
{
    return sessions(v, cipher_named(v, in_text(v, "cipher")));
}

static void want_iv(struct vector *v, const struct pair *pair)
{
    const struct scrip_bytes wanted = out_bytes(v, "iv_after");
    same_bytes(v, "host: iv_after", wanted, session_iv(v, &pair->host));
    same_bytes(v, "card: iv_after", wanted, session_iv(v, &pair->card));
}

/* ---- handshakes ---- */

static void auth(struct vector *v, enum scrip_cipher cipher)
{
    const struct handshake handshake = {
        .sm = SCRIP_DESFIRE_SM_EV1,
        .key = key_of(cipher, in_bytes(v, "key")),
        .challenge = in_bytes(v, "enc_rndb"),
        .rnda = in_bytes(v, "rnda"),
        .rndb = out_bytes(v, "rndb"),
        .token = out_bytes(v, "token"),
        .reply = out_bytes(v, "card_reply"),
    };
    struct pair pair = {0};
    both_authenticate(v, &handshake, &pair.host, &pair.card);
    const struct scrip_bytes wanted = out_bytes(v, "session_key");
    same_bytes(v, "host: session_key", wanted, session_key(v, &pair.host, 0, wanted.len));
    same_bytes(v, "card: session_key", wanted, session_key(v, &pair.card, 0, wanted.len));
}

static void auth_des(struct vector *v)
{
    auth(v, SCRIP_DES);
}

static void auth_2k3des(struct vector *v)
{
    auth(v, SCRIP_2K3DES);
}

static void auth_3k3des(struct vector *v)
{
    auth(v, SCRIP_3K3DES);
}

static void auth_aes(struct vector *v)
{
    auth(v, SCRIP_AES128);
}

/* ---- the chain ---- */

/* Once waiting for each response, which shows the IV between command and response, once running ahead of the
 * status-only ones as the terminal does. */
static void chain_host_step(struct vector *v, struct scrip_desfire_session *host, json_t *step, bool ahead)
{
    const struct scrip_bytes command = object_bytes(v, step, "command");
    const struct scrip_bytes answer = object_bytes(v, step, "response_data");
    const struct scrip_bytes mac = object_bytes(v, step, "response_mac");
    const struct scrip_desfire_protection protection = {.comm = SCRIP_DESFIRE_MAC,
                                                        .data_back = !ahead || answer.len > 0};
    struct scrip_desfire_expect expect;
    uint8_t wire[512];
    uint8_t reply_bytes[512];
    struct scrip_buf out = SCRIP_BUF_OF(wire);
    struct scrip_buf reply = SCRIP_BUF_OF(reply_bytes);

    all_right(v, "host: command",
              scrip_desfire_sm_wrap_command(host, &protection, command.at[0], scrip_bytes_from(command, 1),
                                            scrip_bytes(NULL, 0), &out, &expect));
    if (!ahead) {
        same_bytes(v, "host: iv_after_command", object_bytes(v, step, "iv_after_command"), session_iv(v, host));
    }
    all_right(v, "reply", scrip_buf_add_bytes(&reply, answer));
    all_right(v, "reply", scrip_buf_add_bytes(&reply, mac));
    out.len = 0;
    all_right(v, "host: response", scrip_desfire_sm_open_response(host, &expect, 0x00, scrip_buf_bytes(&reply), &out));
    same_bytes(v, "host: response_data", answer, scrip_buf_bytes(&out));
    same_bytes(v, "host: iv_after_response", object_bytes(v, step, "iv_after_response"), session_iv(v, host));
}

static void chain_card_step(struct vector *v, struct scrip_desfire_session *card, json_t *step)
{
    const struct scrip_bytes command = object_bytes(v, step, "command");
    const struct scrip_bytes params = scrip_bytes_from(command, 1);
    const struct scrip_bytes answer = object_bytes(v, step, "response_data");
    const struct scrip_desfire_protection protection = {.comm = SCRIP_DESFIRE_MAC, .data_back = answer.len > 0};
    uint8_t wire[512];
    struct scrip_buf out = SCRIP_BUF_OF(wire);

    all_right(v, "card: command",
              scrip_desfire_sm_open_command(card, &protection, command.at[0], params, params.len, 0, &out));
    same_bytes(v, "card: iv_after_command", object_bytes(v, step, "iv_after_command"), session_iv(v, card));
    out.len = 0;
    all_right(v, "card: response", scrip_desfire_sm_wrap_response(card, &protection, 0x00, answer, &out));
    same_bytes(v, "card: response_mac", object_bytes(v, step, "response_mac"),
               scrip_bytes_from(scrip_buf_bytes(&out), answer.len));
    same_bytes(v, "card: iv_after_response", object_bytes(v, step, "iv_after_response"), session_iv(v, card));
}

static void cmac_chain(struct vector *v)
{
    struct pair pair = sessions_named(v);
    struct scrip_desfire_session ahead = pair.host;
    json_t *steps = want_json(v, "steps");
    json_t *step;
    size_t i;

    json_array_foreach(steps, i, step)
    {
        if (json_object_size(step) != 5) {
            vector_fail(v, "step %zu has other fields", i);
        }
        chain_host_step(v, &pair.host, step, false);
        chain_host_step(v, &ahead, step, true);
        chain_card_step(v, &pair.card, step);
    }
}

/* ---- settings and keys ---- */

static void change_key_settings(struct vector *v)
{
    struct pair pair = sessions_named(v);
    const struct scrip_bytes frame = out_bytes(v, "native_frame");
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .settings = true},
        .cmd = frame.at[0],
        .data = in_bytes(v, "settings"),
        .params = scrip_bytes_from(frame, 1),
        .reply = out_bytes(v, "response_mac"),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    want_iv(v, &pair);
}

/* The type of the new key: by its length and whether it has a version of its own. */
static struct scrip_desfire_key next_key(struct vector *v)
{
    const struct scrip_bytes bytes = in_bytes(v, "new_key");
    struct scrip_desfire_key key = key_of(in_has(v, "key_version") ? SCRIP_AES128
                                          : bytes.len == 24        ? SCRIP_3K3DES
                                                                   : SCRIP_2K3DES,
                                          bytes);
    if (key.cipher == SCRIP_AES128) {
        key.version = *in_exactly(v, "key_version", 1);
    }
    return key;
}

static void change_key_at_card(struct vector *v, struct scrip_bytes header, const struct scrip_desfire_key *next,
                               const struct scrip_desfire_key *current, struct scrip_bytes padded)
{
    struct scrip_desfire_key opened;
    const size_t len = next->cipher == SCRIP_3K3DES ? 24 : 16;
    uint8_t wanted[24] = {0};

    all_right(v, "card: key",
              scrip_desfire_change_key_open(SCRIP_DESFIRE_SM_EV1, 0xC4, header, (enum scrip_cipher)next->cipher,
                                            current, padded, &opened));
    memcpy(wanted, next->bytes, opened.cipher == SCRIP_DES ? 8 : len);
    same_bytes(v, "card: key", SCRIP_BYTES_OF(wanted), SCRIP_BYTES_OF(opened.bytes));
    if (next->cipher == SCRIP_AES128 && opened.version != next->version) {
        vector_fail(v, "card: version %02X", opened.version);
    }
}

static void change_key(struct vector *v)
{
    struct pair pair = sessions_named(v);
    const struct scrip_desfire_key next = next_key(v);
    struct scrip_desfire_key old = {0};
    const struct scrip_desfire_key *current = NULL;
    const struct scrip_bytes header = in_bytes(v, "key_no");
    const struct scrip_bytes frame = out_bytes(v, "native_frame");
    const struct scrip_bytes padded = out_bytes(v, "cryptogram_plain");
    uint8_t plain[64];
    struct scrip_buf made = SCRIP_BUF_OF(plain);

    if (in_has(v, "old_key")) {
        old = key_of((enum scrip_cipher)next.cipher, in_bytes(v, "old_key"));
        current = &old;
    }
    all_right(v, "plain", scrip_desfire_change_key_data(SCRIP_DESFIRE_SM_EV1, 0xC4, header, &next, current, &made));
    same_bytes(v, "cryptogram_plain", scrip_bytes_head(padded, made.len), scrip_buf_bytes(&made));
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .own_checksums = true, .no_mac_back = current == NULL},
        .cmd = frame.at[0],
        .header = header,
        .data = scrip_buf_bytes(&made),
        .params = scrip_bytes_from(frame, 1),
        .reply = out_bytes(v, "response_mac"),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    change_key_at_card(v, header, &next, current, padded);
}

/* ---- files ---- */

static void file_write(struct vector *v)
{
    struct pair pair = sessions(v, SCRIP_AES128);
    const struct scrip_bytes command = in_bytes(v, "command");
    const struct scrip_bytes header = scrip_bytes_from(command, 1);
    const struct scrip_bytes data = in_bytes(v, "data");
    const bool mac = want_has(v, "command_mac");
    uint8_t wire[1024];
    struct scrip_buf params = SCRIP_BUF_OF(wire);

    all_right(v, "params", scrip_buf_add_bytes(&params, header));
    all_right(v, "params", scrip_buf_add_bytes(&params, mac ? data : out_bytes(v, "sent_after_header")));
    if (mac) {
        all_right(v, "params", scrip_buf_add_bytes(&params, out_bytes(v, "command_mac")));
    }
    const struct exchange exchange = {
        .protection = {.comm = mac ? SCRIP_DESFIRE_MAC : SCRIP_DESFIRE_PLAIN, .file_data = true},
        .cmd = command.at[0],
        .header = header,
        .data = data,
        .params = scrip_buf_bytes(&params),
        .reply = out_bytes(v, "response_mac"),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    want_iv(v, &pair);
}

/* What the host sees inside the cryptogram: data, CRC32 over it and the status, padding. */
static void want_plain(struct vector *v, const char *name, const struct scrip_desfire_session *host_before,
                       struct scrip_bytes cipher)
{
    struct scrip_desfire_session session = *host_before;
    uint8_t plain[1024];
    struct scrip_buf opened = SCRIP_BUF_OF(plain);
    const struct scrip_desfire_protection raw = {.comm = SCRIP_DESFIRE_FULL, .own_checksums = true};
    all_right(v, name, scrip_desfire_sm_open_command(&session, &raw, 0, cipher, 0, SIZE_MAX, &opened));
    want_bytes(v, name, scrip_buf_bytes(&opened));
}

static void file_read_full(struct vector *v, struct scrip_bytes command)
{
    struct pair pair = sessions(v, SCRIP_AES128);
    const struct scrip_bytes header = scrip_bytes_from(command, 1);
    const struct scrip_bytes cipher = out_bytes(v, "response_ciphertext");
    const size_t data_len = scrip_get_le24(command.at + 5);
    struct scrip_desfire_session between = pair.card;
    uint8_t plain[1024];
    struct scrip_buf opened = SCRIP_BUF_OF(plain);
    const struct scrip_desfire_protection protection = {
        .comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true, .back_len = (uint16_t)data_len};

    all_right(v, "card: command",
              scrip_desfire_sm_open_command(&between, &protection, command.at[0], header, header.len, 0, &opened));
    const struct scrip_desfire_protection raw = {.comm = SCRIP_DESFIRE_FULL, .own_checksums = true};
    struct scrip_desfire_session peek = between;
    all_right(v, "plain", scrip_desfire_sm_open_command(&peek, &raw, 0, cipher, 0, SIZE_MAX, &opened));
    const struct scrip_bytes data = scrip_bytes_head(scrip_buf_bytes(&opened), data_len);
    const struct exchange exchange = {.protection = protection,
                                      .cmd = command.at[0],
                                      .header = header,
                                      .params = header,
                                      .answer = data,
                                      .reply = cipher};
    both_sides(v, &pair.host, &pair.card, &exchange);
    want_plain(v, "plain_with_crc_and_padding", &between, cipher);
    want_iv(v, &pair);
}

static void file_read(struct vector *v)
{
    const struct scrip_bytes command = in_bytes(v, "command");
    if (want_has(v, "response_ciphertext")) {
        file_read_full(v, command);
        return;
    }
    struct pair pair = sessions(v, SCRIP_AES128);
    const struct scrip_bytes header = scrip_bytes_from(command, 1);
    const struct scrip_bytes data = out_bytes(v, "response_data");
    uint8_t wire[1024];
    struct scrip_buf reply = SCRIP_BUF_OF(wire);
    all_right(v, "reply", scrip_buf_add_bytes(&reply, data));
    all_right(v, "reply", scrip_buf_add_bytes(&reply, out_bytes(v, "response_mac")));
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_MAC, .file_data = true, .data_back = true},
        .cmd = command.at[0],
        .header = header,
        .params = header,
        .answer = data,
        .reply = scrip_buf_bytes(&reply),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    want_iv(v, &pair);
}

static void get_card_uid(struct vector *v)
{
    struct pair pair = sessions_named(v);
    struct scrip_desfire_session between = pair.card;
    uint8_t none[1];
    struct scrip_buf out = SCRIP_BUF_OF(none);
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .data_back = true},
        .cmd = 0x51,
        .answer = out_bytes(v, "uid"),
        .reply = out_bytes(v, "reply"),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    all_right(v, "card: command",
              scrip_desfire_sm_open_command(&between, &exchange.protection, exchange.cmd, exchange.params, 0, 0, &out));
    want_plain(v, "plain", &between, exchange.reply);
    want_iv(v, &pair);
}

/* ---- value files ---- */

static void value_mac(struct vector *v)
{
    struct pair pair = sessions(v, SCRIP_AES128);
    const struct scrip_bytes command = in_bytes(v, "command");
    uint8_t wire[32];
    struct scrip_buf params = SCRIP_BUF_OF(wire);
    all_right(v, "params", scrip_buf_add_bytes(&params, scrip_bytes_from(command, 1)));
    all_right(v, "params", scrip_buf_add_bytes(&params, out_bytes(v, "command_mac")));
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_MAC, .file_data = true},
        .cmd = command.at[0],
        .header = scrip_bytes(command.at + 1, 1),
        .data = scrip_bytes_from(command, 2),
        .params = scrip_buf_bytes(&params),
        .reply = out_bytes(v, "response_mac"),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    want_iv(v, &pair);
}

static void value_full(struct vector *v)
{
    struct pair pair = sessions_named(v);
    const struct scrip_bytes head = in_bytes(v, "header");
    const struct scrip_bytes frame = out_bytes(v, "native_frame");
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .file_data = true},
        .cmd = head.at[0],
        .header = scrip_bytes_from(head, 1),
        .data = in_bytes(v, "data"),
        .params = scrip_bytes_from(frame, 1),
        .reply = out_bytes(v, "response_mac"),
    };
    both_sides(v, &pair.host, &pair.card, &exchange);
    want_iv(v, &pair);
}

const struct vector_kind VECTORS_EV1[] = {
    {"auth-ev1-des", auth_des},
    {"auth-ev1-2k3des", auth_2k3des},
    {"auth-ev1-3k3des", auth_3k3des},
    {"auth-ev1-aes", auth_aes},
    {"ev1-cmac-chain", cmac_chain},
    {"ev1-changekeysettings", change_key_settings},
    {"ev1-changekey", change_key},
    {"ev1-file-write", file_write},
    {"ev1-file-read", file_read},
    {"ev1-getcarduid", get_card_uid},
    {"ev1-value-mac", value_mac},
    {"ev1-value-full", value_full},
    {NULL, NULL},
};
