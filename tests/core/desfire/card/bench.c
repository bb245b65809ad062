#include "bench.h"
#include <scrip/crc.h>
#include <stdio.h>
#include <stdlib.h>

#define SEED 20260101U

struct bench *bench_new_sized(enum scrip_desfire_generation generation, uint8_t storage)
{
    struct bench *b = calloc(1, sizeof *b);
    struct scrip_desfire_identity identity = {.generation = (uint8_t)generation,
                                              .uid = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80},
                                              .storage = storage,
                                              .batch = {0xBA, 0x45, 0x19, 0xE3, 0x20},
                                              .week = 0x49,
                                              .year = 0x13};
    memset(identity.signature, 0x5A, sizeof identity.signature);
    assert_non_null(b);
    assert_ok(scrip_nv_memory_init(&b->memory, scrip_desfire_card_pages(storage)));
    b->nv = scrip_nv_tearing(&b->tearing, scrip_nv_memory(&b->memory), SEED);
    scrip_random_seeded_init(&b->seeded, SEED);
    b->random = scrip_random_seeded(&b->seeded);
    b->clock = scrip_clock_fake(&b->clock_fake);
    b->host = (struct scrip_desfire_host){.nv = &b->nv, .random = &b->random, .clock = &b->clock};
    b->comm = SCRIP_DESFIRE_FULL;
    b->frame_data = 52;
    assert_ok(scrip_desfire_card_make(&b->nv, &identity));
    assert_ok(scrip_desfire_card_on(&b->card, &b->host, &b->options));
    return b;
}

struct bench *bench_new(enum scrip_desfire_generation generation)
{
    return bench_new_sized(generation, generation == SCRIP_DESFIRE_LIGHT ? 0x13 : 0x1A);
}

void bench_free(struct bench *b)
{
    scrip_desfire_card_off(&b->card);
    scrip_nv_memory_free(&b->memory);
    free(b);
}

void power_cycle(struct bench *b)
{
    scrip_desfire_card_off(&b->card);
    scrip_desfire_sm_end(&b->session);
    scrip_nv_power_up(&b->tearing);
    b->dead = false;
    assert_ok(scrip_desfire_card_on(&b->card, &b->host, &b->options));
}

/* ---- frames ---- */

/* Send bytes, keep the response in b->data. @return false: no answer */
static bool exchange(struct bench *b, struct scrip_bytes command)
{
    struct scrip_buf rsp = SCRIP_BUF_OF(b->data);
    const enum scrip_status status = scrip_desfire_card_apdu(&b->card, command, &rsp);
    b->len = rsp.len;
    if (status == SCRIP_E_NV) {
        b->dead = true;
        return false;
    }
    assert_ok(status);
    return true;
}

uint16_t apdu(struct bench *b, const char *hex)
{
    uint8_t command[600];
    if (!exchange(b, scrip_bytes(command, from_hex(hex, command, sizeof command)))) {
        return 0;
    }
    assert_true(b->len >= 2);
    return scrip_get_be16(b->data + b->len - 2);
}

/* One frame in the bench's framing; its data is left in b->data. @return the status byte; EE if there is no answer */
static uint8_t send_frame(struct bench *b, uint8_t cmd, struct scrip_bytes params)
{
    uint8_t bytes[SCRIP_DESFIRE_DATA_MAX + 64];
    struct scrip_buf command = SCRIP_BUF_OF(bytes);

    b->frames++;
    if (b->framing == NATIVE) {
        assert_ok(scrip_buf_add_u8(&command, cmd));
        assert_ok(scrip_buf_add_bytes(&command, params));
    } else {
        assert_ok(scrip_apdu_add(&command, 0x90, cmd, 0, 0, params, 256));
    }
    if (!exchange(b, scrip_buf_bytes(&command))) {
        return DF_EEPROM_ERROR;
    }
    if (b->framing == NATIVE) {
        const uint8_t status = b->data[0];
        memmove(b->data, b->data + 1, --b->len);
        return status;
    }
    assert_true(b->len >= 2);
    b->len -= 2;
    assert_int_equal(b->data[b->len], 0x91);
    return b->data[b->len + 1];
}

uint8_t frame(struct bench *b, const char *hex)
{
    uint8_t command[SCRIP_DESFIRE_DATA_MAX];
    const size_t len = from_hex(hex, command, sizeof command);
    const enum framing framing = b->framing;
    b->framing = NATIVE;
    const uint8_t status = send_frame(b, command[0], scrip_bytes(command + 1, len - 1));
    b->framing = framing;
    return status;
}

/* All frames of a command; the joined response is left in `joined`. @return the last status */
static uint8_t send_command(struct bench *b, const struct scrip_desfire_command *row, struct scrip_bytes params,
                            struct scrip_buf *joined)
{
    const bool chained = (row->flags & SCRIP_DESFIRE_AF_IN) != 0;
    size_t part = chained && params.len > b->frame_data ? b->frame_data : params.len;
    if ((row->flags & SCRIP_DESFIRE_TWO_FRAMES) != 0) {
        part = params.len - (b->session.sm == SCRIP_DESFIRE_SM_EV2 ? 48 : 40);
    }
    b->frames = 0;
    uint8_t status = send_frame(b, row->opcode, scrip_bytes_head(params, part));
    for (params = scrip_bytes_from(params, part); params.len > 0 && status == DF_ADDITIONAL_FRAME;) {
        part = chained && params.len > b->frame_data ? b->frame_data : params.len;
        status = send_frame(b, SCRIP_DESFIRE_AF, scrip_bytes_head(params, part));
        params = scrip_bytes_from(params, part);
    }
    b->first_frame = b->len;
    while (true) {
        assert_ok(scrip_buf_add(joined, b->data, b->len));
        if (status != DF_ADDITIONAL_FRAME || row->comm == SCRIP_DESFIRE_COMM_NONE) {
            return status;
        }
        status = send_frame(b, SCRIP_DESFIRE_AF, scrip_bytes(NULL, 0));
    }
}

/* ---- commands ---- */

static bool reads_all(const struct scrip_desfire_command *row, const uint8_t *params)
{
    return row->comm == SCRIP_DESFIRE_COMM_FILE && row->header_len == 7 && row->data_max == 0 &&
           scrip_get_le24(params + 4) == 0;
}

static struct scrip_desfire_protection protection_of(const struct bench *b, const struct scrip_desfire_command *row,
                                                     struct scrip_bytes params)
{
    const bool file = row->comm == SCRIP_DESFIRE_COMM_FILE;
    const bool tmac_back = row->opcode == CMD_COMMIT_TRANSACTION && (params.len == 0 || params.at[0] == 0);
    return (struct scrip_desfire_protection){
        .comm = file                                      ? b->comm
                : row->comm == SCRIP_DESFIRE_COMM_MAC     ? SCRIP_DESFIRE_MAC
                : row->opcode == CMD_CHANGE_FILE_SETTINGS ? b->comm
                                                          : SCRIP_DESFIRE_FULL,
        .file_data = file,
        .settings = row->comm == SCRIP_DESFIRE_COMM_FULL || row->comm == SCRIP_DESFIRE_COMM_KEY,
        .own_checksums = row->comm == SCRIP_DESFIRE_COMM_KEY,
        .unknown_len = reads_all(row, params.at) || (row->opcode == CMD_SET_CONFIGURATION && params.at[0] == 2),
        .data_back = (row->flags & SCRIP_DESFIRE_DATA_BACK) != 0 && !tmac_back,
        .no_mac_back = row->opcode == CMD_ROLL_KEY_SET,
    };
}

static uint8_t ask_protected(struct bench *b, const struct scrip_desfire_command *row,
                             const struct scrip_desfire_protection *protection, struct scrip_bytes params)
{
    static uint8_t wrapped_bytes[SCRIP_DESFIRE_DATA_MAX + 64];
    static uint8_t joined_bytes[SCRIP_DESFIRE_DATA_MAX + 64];
    struct scrip_buf wrapped = SCRIP_BUF_OF(wrapped_bytes);
    struct scrip_buf joined = SCRIP_BUF_OF(joined_bytes);
    struct scrip_desfire_expect expect = {0};
    const bool in_session = b->session.sm != SCRIP_DESFIRE_SM_NONE && row->comm != SCRIP_DESFIRE_COMM_NONE;

    if (in_session) {
        assert_ok(scrip_desfire_sm_wrap_command(&b->session, protection, row->opcode,
                                                scrip_bytes_head(params, row->header_len),
                                                scrip_bytes_from(params, row->header_len), &wrapped, &expect));
    } else {
        assert_ok(scrip_buf_add_bytes(&wrapped, params));
    }
    const uint8_t status = send_command(b, row, scrip_buf_bytes(&wrapped), &joined);
    if (status == DF_ADDITIONAL_FRAME || status == DF_NO_CHANGES) {
        return status;
    }
    if (status != DF_OK && status != DF_OK_90) {
        assert_int_equal(joined.len, 0); /* a refusal carries nothing */
        scrip_desfire_sm_end(&b->session);
        return status;
    }
    struct scrip_buf plain = SCRIP_BUF_OF(b->data);
    if (in_session) {
        assert_ok(scrip_desfire_sm_open_response(&b->session, &expect, status, scrip_buf_bytes(&joined), &plain));
    } else {
        assert_ok(scrip_buf_add_bytes(&plain, scrip_buf_bytes(&joined)));
    }
    b->len = plain.len;
    if (row->opcode == CMD_SELECT_APPLICATION || row->opcode == CMD_ROLL_KEY_SET) {
        scrip_desfire_sm_end(&b->session);
    }
    return DF_OK;
}

uint8_t ask_bytes(struct bench *b, uint8_t cmd, struct scrip_bytes params)
{
    const struct scrip_desfire_command *row = scrip_desfire_command(cmd);
    assert_non_null(row);
    const struct scrip_desfire_protection protection = protection_of(b, row, params);
    return ask_protected(b, row, &protection, params);
}

uint8_t ask(struct bench *b, uint8_t cmd, const char *params)
{
    uint8_t bytes[SCRIP_DESFIRE_DATA_MAX + 64];
    return ask_bytes(b, cmd, scrip_bytes(bytes, from_hex(params, bytes, sizeof bytes)));
}

/* ---- keys ---- */

static struct scrip_desfire_key key_from(const char *hex, bool aes)
{
    struct scrip_desfire_key key = {0};
    const size_t len = from_hex(hex, key.bytes, sizeof key.bytes);
    key.cipher = aes ? SCRIP_AES128 : len == 8 ? SCRIP_DES : len == 16 ? SCRIP_2K3DES : SCRIP_3K3DES;
    return key;
}

static uint8_t handshake(struct bench *b, enum scrip_desfire_sm sm, uint8_t code, struct scrip_bytes params,
                         const struct scrip_desfire_key *key, bool first)
{
    struct scrip_desfire_auth auth = {.sm = (uint8_t)sm, .key_no = params.at[0], .first = first};
    uint8_t bytes[64];
    struct scrip_buf token = SCRIP_BUF_OF(bytes);

    assert_ok(b->random.fill(b->random.ctx, auth.rnda, sizeof auth.rnda));
    if (first) {
        scrip_desfire_sm_end(&b->session);
    }
    uint8_t status = send_frame(b, code, params);
    if (status != DF_ADDITIONAL_FRAME) {
        scrip_desfire_sm_end(&b->session);
        return status;
    }
    assert_ok(scrip_desfire_auth_open_challenge(&auth, key, scrip_bytes(b->data, b->len)));
    assert_ok(scrip_desfire_auth_token(&auth, key, &token));
    status = send_frame(b, SCRIP_DESFIRE_AF, scrip_buf_bytes(&token));
    if (status != DF_OK) {
        assert_int_equal(b->len, 0);
        scrip_desfire_sm_end(&b->session);
        return status;
    }
    assert_ok(scrip_desfire_auth_finish(&auth, key, scrip_bytes(b->data, b->len), &b->session, NULL));
    return DF_OK;
}

uint8_t authenticate(struct bench *b, enum scrip_desfire_sm sm, uint8_t key_no, const char *hex)
{
    const struct scrip_desfire_key key = key_from(hex, true);
    uint8_t params[9] = {key_no};
    size_t len = 1;
    uint8_t code = CMD_AUTH_AES;

    if (sm == SCRIP_DESFIRE_SM_EV2 || sm == SCRIP_DESFIRE_SM_LRP) {
        code = CMD_AUTH_EV2_FIRST;
        params[1] = sm == SCRIP_DESFIRE_SM_LRP ? 6 : 0;
        params[2] = sm == SCRIP_DESFIRE_SM_LRP ? 2 : 0;
        len = 2U + params[1];
    }
    return handshake(b, sm, code, scrip_bytes(params, len), &key, true);
}

uint8_t authenticate_again(struct bench *b, uint8_t key_no, const char *hex)
{
    const struct scrip_desfire_key key = key_from(hex, true);
    const enum scrip_desfire_sm sm =
        b->session.sm == SCRIP_DESFIRE_SM_LRP ? SCRIP_DESFIRE_SM_LRP : SCRIP_DESFIRE_SM_EV2;
    return handshake(b, sm, CMD_AUTH_EV2_NONFIRST, scrip_bytes(&key_no, 1), &key, false);
}

uint8_t authenticate_des(struct bench *b, enum scrip_desfire_sm sm, uint8_t key_no, const char *hex)
{
    const struct scrip_desfire_key key = key_from(hex, false);
    const uint8_t code = sm == SCRIP_DESFIRE_SM_D40 ? CMD_AUTH_D40 : CMD_AUTH_ISO;
    return handshake(b, sm, code, scrip_bytes(&key_no, 1), &key, true);
}

uint8_t change_key_to(struct bench *b, uint8_t cmd, const char *header_hex, const struct scrip_desfire_key *next,
                      const struct scrip_desfire_key *old)
{
    uint8_t bytes[64];
    uint8_t header_bytes[2];
    const struct scrip_bytes header =
        scrip_bytes(header_bytes, from_hex(header_hex, header_bytes, sizeof header_bytes));
    struct scrip_buf params = SCRIP_BUF_OF(bytes);
    const struct scrip_desfire_command *row = scrip_desfire_command(cmd);

    assert_ok(scrip_buf_add_bytes(&params, header));
    assert_ok(scrip_desfire_change_key_data((enum scrip_desfire_sm)b->session.sm, cmd, header, next, old, &params));
    struct scrip_desfire_protection protection = protection_of(b, row, scrip_buf_bytes(&params));
    protection.no_mac_back = old == NULL;
    const uint8_t status = ask_protected(b, row, &protection, scrip_buf_bytes(&params));
    if (status == DF_OK && old == NULL) {
        scrip_desfire_sm_end(&b->session);
    }
    return status;
}

uint8_t change_key(struct bench *b, uint8_t key_no, const char *next, uint8_t version, const char *old)
{
    char header[3];
    struct scrip_desfire_key fresh = key_from(next, true);
    const struct scrip_desfire_key present = key_from(old != NULL ? old : ZERO_KEY, true);

    (void)snprintf(header, sizeof header, "%02X", key_no);
    fresh.version = version;
    return change_key_to(b, CMD_CHANGE_KEY, header, &fresh, old != NULL ? &present : NULL);
}

/* ---- scenes ---- */

void given_app(struct bench *b, uint8_t ks1, uint8_t keys)
{
    char params[32];
    (void)snprintf(params, sizeof params, AID "%02X%02X", ks1, 0x80 | keys);
    assert_df(ask(b, CMD_CREATE_APPLICATION, params), DF_OK);
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
}

void given_session(struct bench *b)
{
    given_app(b, 0x0F, 5);
    const bool ev1 = b->card.identity.generation == SCRIP_DESFIRE_EV1;
    assert_df(authenticate(b, ev1 ? SCRIP_DESFIRE_SM_EV1 : SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
}

void given_value_file(struct bench *b, uint8_t no, int32_t lower, int32_t upper, int32_t value)
{
    uint8_t params[17] = {no, 0x03, 0x00, 0x00};
    scrip_put_le32(params + 4, (uint32_t)lower);
    scrip_put_le32(params + 8, (uint32_t)upper);
    scrip_put_le32(params + 12, (uint32_t)value);
    params[16] = VALUE_LIMITED_CREDIT;
    assert_df(ask_bytes(b, CMD_CREATE_VALUE_FILE, SCRIP_BYTES_OF(params)), DF_OK);
}

int32_t value_of(struct bench *b, uint8_t no)
{
    assert_df(ask_bytes(b, CMD_GET_VALUE, scrip_bytes(&no, 1)), DF_OK);
    assert_int_equal(b->len, 4);
    return scrip_get_le32s(b->data);
}

static uint8_t move_value(struct bench *b, uint8_t cmd, uint8_t no, int32_t amount)
{
    uint8_t params[5] = {no};
    scrip_put_le32(params + 1, (uint32_t)amount);
    return ask_bytes(b, cmd, SCRIP_BYTES_OF(params));
}

uint8_t do_credit(struct bench *b, uint8_t no, int32_t amount)
{
    return move_value(b, CMD_CREDIT, no, amount);
}

uint8_t do_debit(struct bench *b, uint8_t no, int32_t amount)
{
    return move_value(b, CMD_DEBIT, no, amount);
}

uint8_t do_limited_credit(struct bench *b, uint8_t no, int32_t amount)
{
    return move_value(b, CMD_LIMITED_CREDIT, no, amount);
}

uint8_t do_commit(struct bench *b)
{
    return ask(b, CMD_COMMIT_TRANSACTION, "");
}

uint8_t do_abort(struct bench *b)
{
    return ask(b, CMD_ABORT_TRANSACTION, "");
}

int with_ev1(void **state)
{
    *state = bench_new(SCRIP_DESFIRE_EV1);
    return 0;
}

int with_ev2(void **state)
{
    *state = bench_new(SCRIP_DESFIRE_EV2);
    return 0;
}

int with_ev3(void **state)
{
    *state = bench_new(SCRIP_DESFIRE_EV3);
    return 0;
}

int with_light(void **state)
{
    *state = bench_new(SCRIP_DESFIRE_LIGHT);
    return 0;
}

int bench_done(void **state)
{
    bench_free(*state);
    return 0;
}

uint32_t memory_sum(const struct bench *b)
{
    /* pages 2 to 117 are the commit record and the log: scratch of every command */
    const size_t log_end = (size_t)(6 + SCRIP_DESFIRE_LOG_SLOTS) * SCRIP_NV_PAGE;
    return scrip_crc32(SCRIP_CRC32_START,
                       scrip_bytes(b->memory.at + log_end, (size_t)b->memory.pages * SCRIP_NV_PAGE - log_end));
}

void check_refusals(struct bench *b, void (*open)(struct bench *b), const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        open(b);
        const uint32_t before = memory_sum(b);
        const uint8_t got = ask(b, rows[i].cmd, rows[i].params);
        if (got != rows[i].status) {
            fail_msg("row %zu: %02X %s: %02X %s, not %02X", i, rows[i].cmd, rows[i].params, got,
                     scrip_desfire_status_name(got), rows[i].status);
        }
        if (before != memory_sum(b)) {
            fail_msg("row %zu: %02X %s left a trace", i, rows[i].cmd, rows[i].params);
        }
        assert_int_equal(b->card.session.sm, SCRIP_DESFIRE_SM_NONE);
        assert_false(b->card.transaction.open);
    }
}

void login(struct bench *b, uint8_t key_no)
{
    const bool ev1 = b->card.identity.generation == SCRIP_DESFIRE_EV1;
    assert_df(authenticate(b, ev1 ? SCRIP_DESFIRE_SM_EV1 : SCRIP_DESFIRE_SM_EV2, key_no, ZERO_KEY), DF_OK);
}

void login_0(struct bench *b)
{
    login(b, 0);
}

void given_purse(struct bench *b, bool tmac)
{
    given_app(b, 0x09, 4);
    login(b, 0);
    assert_df(ask(b, CMD_CREATE_BACKUP_DATA_FILE, "01 03 2012 800000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "02 03 1011 100000 0B0000"), DF_OK);
    assert_df(ask(b, CMD_CREATE_VALUE_FILE, "03 03 3013 00000000 50C30000 D2040000 00"), DF_OK);
    assert_df(ask(b, CMD_CREATE_CYCLIC_RECORD_FILE, "04 03 3013 100000 0B0000"), DF_OK);
    if (tmac) {
        assert_df(ask(b, CMD_CREATE_TRANSACTION_MAC_FILE, "0F 81 303F 02" ZERO_KEY "00"), DF_OK);
        assert_df(ask(b, CMD_CHANGE_FILE_SETTINGS, "0F 81 303F 01 1F1F"), DF_OK);
    }
    assert_df(ask(b, CMD_SELECT_APPLICATION, AID), DF_OK);
}
