/* EV2: handshakes, session keys, IVs, commands of every mode, ChangeKey. */
#include "sides.h"
#include <string.h>

static void want_keys(struct vector *v, const struct scrip_desfire_session *host,
                      const struct scrip_desfire_session *card)
{
    const struct scrip_bytes enc = out_bytes(v, "ses_auth_enc_key");
    const struct scrip_bytes mac = out_bytes(v, "ses_auth_mac_key");
    same_bytes(v, "host: ses_auth_enc_key", enc, session_key(v, host, 0, 16));
    same_bytes(v, "host: ses_auth_mac_key", mac, session_key(v, host, 1, 16));
    same_bytes(v, "card: ses_auth_enc_key", enc, session_key(v, card, 0, 16));
    same_bytes(v, "card: ses_auth_mac_key", mac, session_key(v, card, 1, 16));
}

static void auth(struct vector *v, const struct scrip_desfire_auth_info *info, struct scrip_desfire_session *host,
                 struct scrip_desfire_session *card)
{
    const struct handshake handshake = {
        .sm = SCRIP_DESFIRE_SM_EV2,
        .key = key_of(SCRIP_AES128, scrip_bytes(in_exactly(v, "key", 16), 16)),
        .key_no = *in_exactly(v, "key_no", 1),
        .challenge = in_bytes(v, "enc_rndb"),
        .rnda = in_bytes(v, "rnda"),
        .rndb = out_bytes(v, "rndb"),
        .token = out_bytes(v, "token"),
        .reply = out_bytes(v, "card_reply"),
        .info = info,
    };
    both_authenticate(v, &handshake, host, card);
    want_keys(v, host, card);
}

static void auth_first(struct vector *v)
{
    struct scrip_desfire_session host = {0};
    struct scrip_desfire_session card = {0};
    struct scrip_desfire_auth_info info;
    memcpy(info.ti, in_exactly(v, "ti", 4), 4);
    memcpy(info.pdcap2, in_exactly(v, "pdcap2", 6), 6);
    memcpy(info.pcdcap2, in_exactly(v, "pcdcap2", 6), 6);
    auth(v, &info, &host, &card);
    same_bytes(v, "host: TI", SCRIP_BYTES_OF(info.ti), SCRIP_BYTES_OF(host.ti));
}

/* TI and counter of the session before are kept. */
static void auth_non_first(struct vector *v)
{
    static const uint8_t ti[4] = {0x7A, 0x21, 0xF0, 0x0D};
    static const uint8_t old_key[16] = {1};
    const struct start start = {.sm = SCRIP_DESFIRE_SM_EV2,
                                .cipher = SCRIP_AES128,
                                .key = SCRIP_BYTES_OF(old_key),
                                .mac_key = SCRIP_BYTES_OF(old_key),
                                .ti = SCRIP_BYTES_OF(ti),
                                .cmd_ctr = 7};
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    session_start(v, &host, &start);
    session_start(v, &card, &start);
    auth(v, NULL, &host, &card);
    if (session_cmd_ctr(v, &host) != 7 || session_cmd_ctr(v, &card) != 7 || memcmp(host.ti, ti, 4) != 0 ||
        memcmp(card.ti, ti, 4) != 0) {
        vector_fail(v, "TI or CmdCtr did not outlive NonFirst");
    }
}

static void session_keys(struct vector *v)
{
    struct scrip_desfire_session session = {0};
    static const uint8_t ti[4] = {0};
    const uint8_t *key = in_exactly(v, "key", 16);
    const uint8_t *rnda = in_exactly(v, "rnda", 16);
    const uint8_t *rndb = in_exactly(v, "rndb", 16);
    scrip_desfire_sm_begin_ev2(&session, 0, key, rnda, rndb, ti);
    want_keys(v, &session, &session);
}

/* The IV is not an output of the public interface, but what it does is: the first cipher block of a known plain block,
 * deciphered with the same key, is the plain block xor IV. */
static void iv(struct vector *v)
{
    const char *direction = in_text(v, "direction");
    const bool command = strcmp(direction, "command") == 0;
    const uint16_t ctr = (uint16_t)in_int(v, "cmd_ctr");
    static const uint8_t mac_key[16] = {0};
    const struct start start = {.sm = SCRIP_DESFIRE_SM_EV2,
                                .cipher = SCRIP_AES128,
                                .key = scrip_bytes(in_exactly(v, "ses_auth_enc_key", 16), 16),
                                .mac_key = SCRIP_BYTES_OF(mac_key),
                                .ti = in_bytes(v, "ti"),
                                .cmd_ctr = ctr};
    const struct scrip_desfire_protection full = {.comm = SCRIP_DESFIRE_FULL, .data_back = true};
    struct scrip_desfire_session session;
    struct scrip_desfire_expect expect;
    struct scrip_block block;
    uint8_t wire[64];
    struct scrip_buf out = SCRIP_BUF_OF(wire);
    uint8_t plain[16] = {0};

    if (!command && strcmp(direction, "response") != 0) {
        vector_fail(v, "in.direction: %s", direction);
    }
    session_start(v, &session, &start);
    if (command) {
        all_right(v, "command",
                  scrip_desfire_sm_wrap_command(&session, &full, 0, scrip_bytes(NULL, 0), SCRIP_BYTES_OF(plain), &out,
                                                &expect));
    } else {
        all_right(v, "response", scrip_desfire_sm_wrap_response(&session, &full, 0, SCRIP_BYTES_OF(plain), &out));
    }
    scrip_block_init(&block, SCRIP_AES128, start.key.at);
    scrip_block_decrypt(&block, 1, plain, wire);
    want_bytes(v, "iv", SCRIP_BYTES_OF(plain));
}

static enum scrip_desfire_comm comm_named(struct vector *v, const char *name)
{
    static const struct {
        const char *name;
        enum scrip_desfire_comm comm;
    } names[] = {{"plain", SCRIP_DESFIRE_PLAIN}, {"mac", SCRIP_DESFIRE_MAC}, {"full", SCRIP_DESFIRE_FULL}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].comm;
        }
    }
    vector_fail(v, "no mode %s", name);
}

static void sessions(struct vector *v, struct scrip_desfire_session *host, struct scrip_desfire_session *card)
{
    const struct start start = {.sm = SCRIP_DESFIRE_SM_EV2,
                                .cipher = SCRIP_AES128,
                                .key = scrip_bytes(in_exactly(v, "ses_auth_enc_key", 16), 16),
                                .mac_key = scrip_bytes(in_exactly(v, "ses_auth_mac_key", 16), 16),
                                .ti = in_bytes(v, "ti"),
                                .cmd_ctr = (uint16_t)in_int(v, "cmd_ctr")};
    session_start(v, host, &start);
    session_start(v, card, &start);
}

static void command(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    struct exchange exchange = {.cmd = *in_exactly(v, "cmd", 1)};

    sessions(v, &host, &card);
    exchange.header = in_bytes(v, "cmd_header");
    exchange.data = in_bytes(v, "cmd_data");
    exchange.answer = in_bytes(v, "resp_data");
    exchange.protection.comm = (uint8_t)comm_named(v, in_text(v, "comm_mode"));
    exchange.protection.data_back = exchange.answer.len > 0;
    exchange.protection.back_len = (uint16_t)exchange.answer.len;
    exchange.params = apdu_params(v, out_bytes(v, "c_apdu"), exchange.cmd);
    exchange.reply = apdu_data(v, out_bytes(v, "r_apdu"), &exchange.status);
    both_sides(v, &host, &card, &exchange);
    const int64_t after = session_cmd_ctr(v, &card);
    if (after != session_cmd_ctr(v, &host)) {
        vector_fail(v, "the sides count differently");
    }
    want_int(v, "cmd_ctr_after", after);
}

static void change_key(struct vector *v)
{
    struct scrip_desfire_session host;
    struct scrip_desfire_session card;
    struct scrip_desfire_key next = key_of(SCRIP_AES128, scrip_bytes(in_exactly(v, "new_key", 16), 16));
    struct scrip_desfire_key old = {0};
    struct scrip_desfire_key opened;
    const struct scrip_desfire_key *current = NULL;
    uint8_t plain[64];
    struct scrip_buf made = SCRIP_BUF_OF(plain);
    struct exchange exchange = {.cmd = *in_exactly(v, "cmd", 1)};

    sessions(v, &host, &card);
    next.version = *in_exactly(v, "key_version", 1);
    exchange.header = in_bytes(v, "cmd_header");
    if (in_has(v, "old_key")) {
        old = key_of(SCRIP_AES128, in_bytes(v, "old_key"));
        current = &old;
    }
    all_right(
        v, "plain",
        scrip_desfire_change_key_data(SCRIP_DESFIRE_SM_EV2, exchange.cmd, exchange.header, &next, current, &made));
    want_bytes(v, "plain", scrip_buf_bytes(&made));
    exchange.data = scrip_buf_bytes(&made);
    exchange.protection = (struct scrip_desfire_protection){.comm = SCRIP_DESFIRE_FULL, .no_mac_back = current == NULL};
    exchange.params = apdu_params(v, out_bytes(v, "c_apdu"), exchange.cmd);
    exchange.reply = apdu_data(v, out_bytes(v, "r_apdu"), &exchange.status);
    both_sides(v, &host, &card, &exchange);
    all_right(v, "card: key",
              scrip_desfire_change_key_open(SCRIP_DESFIRE_SM_EV2, exchange.cmd, exchange.header, SCRIP_AES128, current,
                                            exchange.data, &opened));
    same_bytes(v, "card: key", scrip_bytes(&next, sizeof next), scrip_bytes(&opened, sizeof opened));
}

const struct vector_kind VECTORS_EV2[] = {
    {"auth-ev2first", auth_first},
    {"auth-ev2nonfirst", auth_non_first},
    {"ev2-session-keys", session_keys},
    {"ev2-iv", iv},
    {"ev2-command", command},
    {"ev2-changekey", change_key},
    {NULL, NULL},
};
