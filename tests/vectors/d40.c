/* D40: handshake, MAC, cryptograms both ways, ChangeKey. */
#include "sides.h"
#include <string.h>

static enum scrip_cipher des_cipher(size_t len)
{
    return len == 8 ? SCRIP_DES : SCRIP_2K3DES;
}

static void auth(struct vector *v)
{
    const struct scrip_bytes key = in_bytes(v, "key");
    const struct handshake handshake = {
        .sm = SCRIP_DESFIRE_SM_D40,
        .key = key_of(des_cipher(key.len), key),
        .challenge = in_bytes(v, "enc_rndb"),
        .rnda = in_bytes(v, "rnda"),
        .rndb = out_bytes(v, "rndb"),
        .token = out_bytes(v, "token"),
        .reply = out_bytes(v, "card_reply"),
    };
    struct scrip_desfire_session host = {0};
    struct scrip_desfire_session card = {0};
    uint8_t cleared[24];

    both_authenticate(v, &handshake, &host, &card);
    const struct scrip_bytes printed = out_bytes(v, "session_key");
    memcpy(cleared, printed.at, printed.len);
    scrip_des_key_set_version(cleared, printed.len, 0);
    same_bytes(v, "host: session_key", scrip_bytes(cleared, printed.len), session_key(v, &host, 0, printed.len));
    same_bytes(v, "card: session_key", scrip_bytes(cleared, printed.len), session_key(v, &card, 0, printed.len));
    want_bytes(v, "session_key_version_bits_cleared", scrip_bytes(cleared, printed.len));
}

static void sessions(struct vector *v, struct scrip_bytes key, struct scrip_desfire_session *host,
                     struct scrip_desfire_session *card)
{
    const struct start start = {.sm = SCRIP_DESFIRE_SM_D40, .cipher = des_cipher(key.len), .key = key};
    session_start(v, host, &start);
    session_start(v, card, &start);
}

/* Data as it is, without checksum: the way of ChangeKey. */
static void send_cipher(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    sessions(v, in_bytes(v, "key"), &host, &card);
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .own_checksums = true},
        .cmd = 0xC4,
        .data = in_bytes(v, "plain"),
        .params = out_bytes(v, "sent"),
    };
    both_sides(v, &host, &card, &exchange);
}

static void credit_mac(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    sessions(v, in_bytes(v, "session_key"), &host, &card);
    const struct scrip_bytes frame = out_bytes(v, "native_frame");
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_MAC, .file_data = true},
        .cmd = frame.at[0],
        .header = scrip_bytes(frame.at + 1, 1),
        .data = in_bytes(v, "data"),
        .params = scrip_bytes_from(frame, 1),
    };
    both_sides(v, &host, &card, &exchange);
    want_bytes(v, "mac4", scrip_bytes_from(frame, frame.len - 4));
}

static void full_command(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    uint8_t plain[64];
    struct scrip_buf opened = SCRIP_BUF_OF(plain);
    sessions(v, in_bytes(v, "session_key"), &host, &card);
    const struct scrip_bytes frame = out_bytes(v, "native_frame");
    const size_t header_len = (frame.len - 1) % 8; /* FileNo of Credit; none of ChangeKeySettings */
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .file_data = header_len > 0, .settings = header_len == 0},
        .cmd = frame.at[0],
        .header = scrip_bytes(frame.at + 1, header_len),
        .data = in_bytes(v, "data"),
        .params = scrip_bytes_from(frame, 1),
    };
    const struct scrip_bytes sent = scrip_bytes_from(exchange.params, header_len);
    both_sides(v, &host, &card, &exchange);
    if (want_has(v, "sent")) {
        want_bytes(v, "sent", sent);
    }
    if (want_has(v, "plain_block")) { /* seen by a card that is not told to strip it */
        const struct scrip_desfire_protection raw = {.comm = SCRIP_DESFIRE_FULL, .own_checksums = true};
        all_right(v, "plain_block",
                  scrip_desfire_sm_open_command(&card, &raw, exchange.cmd, sent, 0, SIZE_MAX, &opened));
        want_bytes(v, "plain_block", scrip_buf_bytes(&opened));
    }
}

static void full_response(struct vector *v)
{
    static const uint8_t file_no[] = {0x03};
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    sessions(v, in_bytes(v, "session_key"), &host, &card);
    struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .file_data = true, .data_back = true},
        .cmd = 0x6C,
        .header = SCRIP_BYTES_OF(file_no),
        .params = SCRIP_BYTES_OF(file_no),
        .answer = in_bytes(v, "data"),
        .reply = out_bytes(v, "reply"),
    };
    both_sides(v, &host, &card, &exchange);
    exchange.protection.back_len = 4; /* the same when the length is known */
    both_sides(v, &host, &card, &exchange);
}

static void change_key(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    struct scrip_desfire_key opened;
    uint8_t plain[64];
    struct scrip_buf made = SCRIP_BUF_OF(plain);
    const struct scrip_desfire_key next = key_of(SCRIP_2K3DES, in_bytes(v, "new_key"));
    const struct scrip_bytes frame = out_bytes(v, "native_frame");
    const struct scrip_bytes header = in_bytes(v, "key_no");

    sessions(v, in_bytes(v, "session_key"), &host, &card);
    all_right(v, "plain", scrip_desfire_change_key_data(SCRIP_DESFIRE_SM_D40, 0xC4, header, &next, NULL, &made));
    const struct exchange exchange = {
        .protection = {.comm = SCRIP_DESFIRE_FULL, .own_checksums = true, .no_mac_back = true},
        .cmd = 0xC4,
        .header = header,
        .data = scrip_buf_bytes(&made),
        .params = scrip_bytes_from(frame, 1),
    };
    both_sides(v, &host, &card, &exchange);
    const struct scrip_bytes padded = out_bytes(v, "plain_block");
    same_bytes(v, "plain_block", scrip_bytes_head(padded, made.len), scrip_buf_bytes(&made));
    all_right(v, "card: key",
              scrip_desfire_change_key_open(SCRIP_DESFIRE_SM_D40, 0xC4, header, SCRIP_2K3DES, NULL, padded, &opened));
    same_bytes(v, "card: key", scrip_bytes(next.bytes, 16), scrip_bytes(opened.bytes, 16));
}

const struct vector_kind VECTORS_D40[] = {
    {"auth-d40", auth},
    {"d40-send-cipher", send_cipher},
    {"d40-mac", credit_mac},
    {"d40-full-command", full_command},
    {"d40-full-response", full_response},
    {"d40-changekey", change_key},
    {NULL, NULL},
};
