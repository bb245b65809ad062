#include "crypto.h"

#include <scrip/desfire_sm.h>
#include <string.h>

enum {
    STEPS_MAX = 8,
    SLICES = 40,
    REPEATS = 20,
};

/* One command of the session as it is before protection. */
struct step {
    uint8_t cmd;
    uint8_t comm;
    uint8_t header_len, data_len, back_len;
    uint8_t header[16];
    bool in_tmi;
};

struct visit {
    uint8_t key_no;
    size_t steps;
    struct step step[STEPS_MAX];
};

#define WRITE_HEADER(file)                                                                                             \
    {                                                                                                                  \
        file, 0, 0, 0, 16, 0, 0                                                                                        \
    }

static const struct visit topup = {
    3,
    7,
    {{0x8B, SCRIP_DESFIRE_FULL, 7, 16, 0, WRITE_HEADER(4), false},
     {0xA7, SCRIP_DESFIRE_MAC, 0, 0, 0, {0}, false},
     {0x6C, SCRIP_DESFIRE_FULL, 1, 0, 4, {3}, true},
     {0x0C, SCRIP_DESFIRE_FULL, 1, 4, 0, {3}, true},
     {0x8B, SCRIP_DESFIRE_FULL, 7, 16, 0, WRITE_HEADER(4), true},
     {0xC8, SCRIP_DESFIRE_MAC, 16, 0, 16, "SRV1", true},
     {0xC7, SCRIP_DESFIRE_MAC, 1, 0, 12, {1}, false}},
};

static const struct visit debit = {
    1,
    5,
    {{0x6C, SCRIP_DESFIRE_FULL, 1, 0, 4, {3}, true},
     {0xDC, SCRIP_DESFIRE_FULL, 1, 4, 0, {3}, true},
     {0x8B, SCRIP_DESFIRE_FULL, 7, 16, 0, WRITE_HEADER(2), true},
     {0xC8, SCRIP_DESFIRE_MAC, 16, 0, 16, "GAT1", true},
     {0xC7, SCRIP_DESFIRE_MAC, 1, 0, 12, {1}, false}},
};

/* What passes between the two, and what both know. */
struct wire {
    uint8_t challenge[64], token[64], proof[64];
    size_t challenge_len, token_len, proof_len;
    struct passed {
        uint8_t command[64], response[64];
        size_t command_len, response_len;
        struct scrip_desfire_expect expect;
    } passed[STEPS_MAX];
};

static const uint8_t master[16] = "yardstick master";
static const uint8_t uid[7] = {4, 1, 2, 3, 4, 5, 6};
static const struct scrip_desfire_auth_info info = {.ti = {1, 2, 3, 4}};

static void must(enum scrip_status status)
{
    if (status != SCRIP_OK) {
        bench_die("cryptography", scrip_strerror(status));
    }
}

static struct scrip_desfire_protection protection(const struct step *step)
{
    return (struct scrip_desfire_protection){.comm = step->comm,
                                             .file_data = step->comm == SCRIP_DESFIRE_FULL,
                                             .data_back = step->back_len > 0,
                                             .back_len = step->back_len};
}

static void card_key(struct scrip_desfire_key *key)
{
    memset(key, 0, sizeof *key);
    key->cipher = SCRIP_AES128;
    memcpy(key->bytes, master, 16);
}

/* ---- the terminal: diversify, handshake, wrap everything; later open everything ---- */

static void host_keys(struct scrip_desfire_key *key)
{
    static const uint8_t m[20] = "1234567DI.OTA TOP-UP";
    memset(key, 0, sizeof *key);
    key->cipher = SCRIP_AES128;
    must(scrip_an10922(SCRIP_AES128, master, SCRIP_BYTES_OF(m), key->bytes));
}

static void host_begin(struct wire *wire, struct scrip_desfire_auth *auth)
{
    struct scrip_desfire_key key;
    host_keys(&key);
    card_key(&key); /* the yardstick's card has the master itself */
    must(scrip_desfire_auth_open_challenge(auth, &key, scrip_bytes(wire->challenge, wire->challenge_len)));
    struct scrip_buf token = SCRIP_BUF_OF(wire->token);
    must(scrip_desfire_auth_token(auth, &key, &token));
    wire->token_len = token.len;
}

static void host_wrap(struct wire *wire, const struct visit *visit, struct scrip_desfire_auth *auth,
                      struct scrip_desfire_session *session)
{
    struct scrip_desfire_key key;
    uint8_t data[16] = {0xD0, 0x07};
    card_key(&key);
    must(scrip_desfire_auth_finish(auth, &key, scrip_bytes(wire->proof, wire->proof_len), session, NULL));
    for (size_t i = 0; i < visit->steps; i++) {
        const struct step *step = &visit->step[i];
        const struct scrip_desfire_protection how = protection(step);
        struct passed *passed = &wire->passed[i];
        struct scrip_buf out = SCRIP_BUF_OF(passed->command);
        must(scrip_desfire_sm_wrap_command(session, &how, step->cmd, scrip_bytes(step->header, step->header_len),
                                           scrip_bytes(data, step->data_len), &out, &passed->expect));
        passed->command_len = out.len;
    }
}

static void host_open(struct wire *wire, const struct visit *visit, struct scrip_desfire_session *session)
{
    for (size_t i = 0; i < visit->steps; i++) {
        uint8_t room[32];
        struct scrip_buf out = SCRIP_BUF_OF(room);
        const struct passed *passed = &wire->passed[i];
        must(scrip_desfire_sm_open_response(session, &passed->expect, 0,
                                            scrip_bytes(passed->response, passed->response_len), &out));
    }
}

/* ---- the card ---- */

static void card_begin(struct wire *wire, struct scrip_desfire_auth *auth)
{
    struct scrip_desfire_key key;
    struct scrip_buf out = SCRIP_BUF_OF(wire->challenge);
    card_key(&key);
    must(scrip_desfire_auth_challenge(auth, &key, &out));
    wire->challenge_len = out.len;
}

static void card_prove(struct wire *wire, struct scrip_desfire_auth *auth, struct scrip_desfire_session *session)
{
    struct scrip_desfire_key key;
    struct scrip_buf out = SCRIP_BUF_OF(wire->proof);
    card_key(&key);
    must(scrip_desfire_auth_open_token(auth, &key, scrip_bytes(wire->token, wire->token_len)));
    scrip_desfire_auth_begin(auth, &key, info.ti, session);
    must(scrip_desfire_auth_reply(auth, &key, &info, session, &out));
    wire->proof_len = out.len;
}

/* A command's part of the Transaction MAC input: code and header, then data, each filled up to whole blocks. */
static void feed(struct scrip_cmac *tmi, const struct step *step, struct scrip_bytes data)
{
    static const uint8_t zeros[16];
    uint8_t fixed[32] = {step->cmd};
    memcpy(fixed + 1, step->header, step->header_len);
    scrip_cmac_add(tmi, scrip_bytes(fixed, step->header_len + 1U > 16 ? 32 : 16));
    scrip_cmac_add(tmi, data);
    scrip_cmac_add(tmi, scrip_bytes(zeros, (16 - data.len % 16) % 16));
}

static void card_work(struct wire *wire, const struct visit *visit, struct scrip_desfire_session *session)
{
    struct scrip_desfire_tmac_keys keys;
    struct scrip_cmac_key tm_key; /* a card with room keeps the MAC running over the transaction */
    struct scrip_cmac tmi;
    uint8_t mac[16];
    uint8_t back[16] = {0};
    uint8_t room[32];
    scrip_desfire_tmac_keys(master, 7, uid, &keys);
    scrip_cmac_key_init(&tm_key, SCRIP_AES128, keys.mac);
    scrip_cmac_start(&tmi, &tm_key, NULL);
    for (size_t i = 0; i < visit->steps; i++) {
        const struct step *step = &visit->step[i];
        const struct scrip_desfire_protection how = protection(step);
        struct passed *passed = &wire->passed[i];
        struct scrip_buf data = SCRIP_BUF_OF(room);
        struct scrip_buf out = SCRIP_BUF_OF(passed->response);
        must(scrip_desfire_sm_open_command(session, &how, step->cmd, scrip_bytes(passed->command, passed->command_len),
                                           step->header_len, step->data_len, &data));
        if (step->cmd == 0xC8) {
            scrip_desfire_tmri_encrypt(&keys, back, back);
        }
        if (step->cmd == 0xC7) {
            scrip_cmac_final(&tmi, mac);
            scrip_mact(mac, back + 4);
        }
        if (step->in_tmi) {
            const struct scrip_bytes part =
                step->back_len > 0 ? scrip_bytes(back, step->back_len) : scrip_buf_bytes(&data);
            feed(&tmi, step, part);
        }
        must(scrip_desfire_sm_wrap_response(session, &how, 0, scrip_bytes(back, step->back_len), &out));
        passed->response_len = out.len;
    }
    scrip_cmac_key_wipe(&tm_key);
}

/* ---- timing ---- */

/* Either side as it begins: the other's random number is filled in over what stands here. */
static struct scrip_desfire_auth auth_of(const struct visit *visit)
{
    return (struct scrip_desfire_auth){.sm = SCRIP_DESFIRE_SM_EV2,
                                       .key_no = visit->key_no,
                                       .first = true,
                                       .rnda = "the reader's one",
                                       .rndb = "and the card's 1"};
}

static void card_once(struct wire *wire, const struct visit *visit)
{
    struct scrip_desfire_session session;
    struct scrip_desfire_auth auth = auth_of(visit);
    card_begin(wire, &auth);
    card_prove(wire, &auth, &session);
    card_work(wire, visit, &session);
    scrip_desfire_sm_end(&session);
}

static void both_once(struct wire *wire, const struct visit *visit)
{
    struct scrip_desfire_session card;
    struct scrip_desfire_session host;
    struct scrip_desfire_auth card_auth = auth_of(visit);
    struct scrip_desfire_auth host_auth = auth_of(visit);
    card_begin(wire, &card_auth);
    host_begin(wire, &host_auth);
    card_prove(wire, &card_auth, &card);
    host_wrap(wire, visit, &host_auth, &host);
    card_work(wire, visit, &card);
    host_open(wire, visit, &host);
    scrip_desfire_sm_end(&card);
    scrip_desfire_sm_end(&host);
}

double crypto_card_topup_s(void)
{
    struct wire wire;
    double spent[SLICES];
    both_once(&wire, &topup);
    for (int slice = 0; slice < SLICES; slice++) {
        const double start = bench_now();
        for (int i = 0; i < REPEATS; i++) {
            card_once(&wire, &topup);
        }
        spent[slice] = (bench_now() - start) / REPEATS;
    }
    return bench_typical(spent, SLICES);
}

double crypto_debit_s(void)
{
    struct wire wire;
    double spent[SLICES];
    for (int slice = 0; slice < SLICES; slice++) {
        const double start = bench_now();
        for (int i = 0; i < REPEATS; i++) {
            both_once(&wire, &debit);
        }
        spent[slice] = (bench_now() - start) / REPEATS;
    }
    return bench_typical(spent, SLICES);
}

/* The linker sends all uses of the block cipher through here (--wrap in CMakeLists.txt), to count blocks. */
static size_t blocks;

void __real_scrip_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);
void __real_scrip_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);
void __wrap_scrip_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);
void __wrap_scrip_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src);

void __wrap_scrip_block_encrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src)
{
    blocks += count;
    __real_scrip_block_encrypt(block, count, dst, src);
}

void __wrap_scrip_block_decrypt(const struct scrip_block *block, size_t count, uint8_t *dst, const uint8_t *src)
{
    blocks += count;
    __real_scrip_block_decrypt(block, count, dst, src);
}

size_t crypto_card_topup_blocks(void)
{
    struct wire wire;
    both_once(&wire, &topup);
    const size_t before = blocks;
    card_once(&wire, &topup);
    return blocks - before;
}
