/* rooms: desfire_card iso7816 desfire_sm host */
/* Anybody's bytes for the card: native, wrapped and ISO 7816-4 frames, with the field lost in between, and commands
 * under valid secure messaging, so that the handlers behind it are reached too. Memory loses power now and then. What
 * must hold: no crash, an answer of the right form to everything, and a card that wakes up again.
 *
 * The input is a sequence of steps: one byte that says what, one for the length, then that many bytes. */
#include "input.h"
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

#define STORAGE 0x16U /* 2K: small, so that it fills up */
#define PAGES   256U

struct table {
    struct scrip_nv_memory memory;
    struct scrip_nv_tearing tearing;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_clock_fake fake;
    struct scrip_clock clock;
    struct scrip_desfire_host host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;
    struct scrip_desfire_session session;
    uint8_t rsp[SCRIP_DESFIRE_RAPDU_MAX];
    size_t rsp_len;
};

static void wake(struct table *t)
{
    scrip_desfire_card_off(&t->card);
    scrip_desfire_sm_end(&t->session);
    scrip_nv_power_up(&t->tearing);
    must(scrip_desfire_card_on(&t->card, &t->host, &t->options) == SCRIP_OK);
}

static bool send(struct table *t, struct scrip_bytes command)
{
    struct scrip_buf rsp = scrip_buf(t->rsp, sizeof t->rsp);
    const enum scrip_status status = scrip_desfire_card_apdu(&t->card, command, &rsp);

    t->rsp_len = rsp.len;
    if (status == SCRIP_E_NV) {
        must(rsp.len == 0 && t->tearing.no_power);
        wake(t);
        return false;
    }
    must(status == SCRIP_OK || (status == SCRIP_E_ARGUMENT && command.len == 0));
    must(status != SCRIP_OK || rsp.len >= 1);
    return status == SCRIP_OK;
}

static bool send_text(struct table *t, const char *bytes, size_t len)
{
    return send(t, scrip_bytes(bytes, len));
}

/* An application with every type of file, whose rights name key 1 or everybody. */
static void furnish(struct table *t)
{
    (void)send_text(t, "\xCA\x99\x44\x01\x0F\xA4\x10\xE1", 8);
    (void)send_text(t, "\x5A\x99\x44\x01", 4);
    (void)send_text(t, "\xCD\x00\x01\xE1\x03\x10\x1E\x40\x00\x00", 10);
    (void)send_text(t, "\xCB\x01\x02\xE1\x01\x11\x11\x50\x00\x00", 10);
    (void)send_text(t, "\xCC\x02\x83\x11\x11\x00\x00\x00\x00\xE8\x03\x00\x00\x64\x00\x00\x00\x03", 18);
    (void)send_text(t, "\xC0\x03\x03\xE1\x03\x11\x11\x08\x00\x00\x04\x00\x00", 13);
    (void)send_text(t, "\xC1\x04\x04\xE1\x00\xEE\xEE\x08\x00\x00\x04\x00\x00", 13);
}

static const struct scrip_desfire_key zero_key = {.cipher = SCRIP_AES128};

/* A session with key `number`, as the harness knows all keys to be zero. */
static void open_session(struct table *t, uint8_t number, enum scrip_desfire_sm sm)
{
    uint8_t command[40] = {sm == SCRIP_DESFIRE_SM_EV2 ? 0x71 : 0xAA, number, 0};
    struct scrip_desfire_auth auth = {.sm = (uint8_t)sm, .key_no = number, .first = true, .rnda = {1}};
    struct scrip_buf token = {.at = command, .len = 1, .cap = sizeof command};

    scrip_desfire_sm_end(&t->session);
    if (!send(t, scrip_bytes(command, sm == SCRIP_DESFIRE_SM_EV2 ? 3 : 2)) || t->rsp[0] != 0xAF ||
        scrip_desfire_auth_open_challenge(&auth, &zero_key, scrip_bytes(t->rsp + 1, t->rsp_len - 1)) != SCRIP_OK) {
        return;
    }
    command[0] = 0xAF;
    if (scrip_desfire_auth_token(&auth, &zero_key, &token) != SCRIP_OK || !send(t, scrip_buf_bytes(&token)) ||
        t->rsp[0] != 0x00) {
        return;
    }
    (void)scrip_desfire_auth_finish(&auth, &zero_key, scrip_bytes(t->rsp + 1, t->rsp_len - 1), &t->session, NULL);
}

/* The bytes as a command with a valid MAC or cryptogram, in the mode that `mode` says. */
static void send_protected(struct table *t, uint8_t mode, struct scrip_bytes bytes)
{
    uint8_t wrapped[1024];
    struct scrip_buf out = {.at = wrapped, .len = 1, .cap = sizeof wrapped};
    struct scrip_desfire_expect expect;
    static const uint8_t modes[4] = {SCRIP_DESFIRE_PLAIN, SCRIP_DESFIRE_MAC, SCRIP_DESFIRE_FULL, SCRIP_DESFIRE_FULL};
    const struct scrip_desfire_command *row = bytes.len > 0 ? scrip_desfire_command(bytes.at[0]) : NULL;

    if (row == NULL || t->session.sm == SCRIP_DESFIRE_SM_NONE || bytes.len < 1U + row->header_len) {
        return;
    }
    const struct scrip_desfire_protection protection = {
        .comm = row->comm == SCRIP_DESFIRE_COMM_MAC    ? (uint8_t)SCRIP_DESFIRE_MAC
                : row->comm == SCRIP_DESFIRE_COMM_FILE ? modes[mode & 3]
                                                       : (uint8_t)SCRIP_DESFIRE_FULL,
        .file_data = row->comm == SCRIP_DESFIRE_COMM_FILE,
        .own_checksums = row->comm == SCRIP_DESFIRE_COMM_KEY,
        .settings = true,
    };
    wrapped[0] = bytes.at[0];
    const struct scrip_bytes params = scrip_bytes_from(bytes, 1);
    if (scrip_desfire_sm_wrap_command(&t->session, &protection, bytes.at[0], scrip_bytes_head(params, row->header_len),
                                      scrip_bytes_from(params, row->header_len), &out, &expect) != SCRIP_OK) {
        return;
    }
    if (!send(t, scrip_buf_bytes(&out)) || (t->rsp[0] != 0x00 && t->rsp[0] != 0x90 && t->rsp[0] != 0xAF)) {
        scrip_desfire_sm_end(&t->session);
        return;
    }
    if (t->session.sm == SCRIP_DESFIRE_SM_EV1) {
        memcpy(t->session.iv, t->card.session.iv, sizeof t->session.iv); /* the answer is not opened here */
        t->session.waiting = 0;
    }
}

enum step {
    RAW,
    RAW_AGAIN,
    PROTECTED_MAC,
    PROTECTED_FULL,
    PROTECTED_PLAIN,
    SESSION_EV2,
    SESSION_EV1,
    TEAR,
    OFF,
    TIME,
    STEPS
};

static void take_step(struct table *t, uint8_t what, struct scrip_bytes bytes)
{
    const uint8_t first = bytes.len > 0 ? bytes.at[0] : 0;
    switch (what % STEPS) {
    case PROTECTED_MAC:
        send_protected(t, 1, bytes);
        break;
    case PROTECTED_FULL:
        send_protected(t, 2, bytes);
        break;
    case PROTECTED_PLAIN:
        send_protected(t, 0, bytes);
        break;
    case SESSION_EV2:
        open_session(t, first & 3U, SCRIP_DESFIRE_SM_EV2);
        break;
    case SESSION_EV1:
        open_session(t, first & 3U, SCRIP_DESFIRE_SM_EV1);
        break;
    case TEAR:
        scrip_nv_tear_after(&t->tearing, 1U + first % 24U, (enum scrip_tear)(first % 3U));
        break;
    case OFF:
        wake(t);
        break;
    case TIME:
        t->fake.now_ms += 100U * first;
        break;
    default:
        (void)send(t, bytes);
        break;
    }
}

static void lay(struct table *t, uint8_t flags)
{
    const struct scrip_desfire_identity identity = {
        .generation = flags & 3U, .uid = {0x04, 1, 2, 3, 4, 5, 6}, .storage = STORAGE, .week = 1, .year = 0x26};

    memset(t, 0, sizeof *t);
    must(scrip_nv_memory_init(&t->memory, PAGES) == SCRIP_OK);
    must(scrip_desfire_card_pages(STORAGE) <= PAGES);
    t->nv = scrip_nv_tearing(&t->tearing, scrip_nv_memory(&t->memory), 1);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    t->clock = scrip_clock_fake(&t->fake);
    t->host = (struct scrip_desfire_host){.nv = &t->nv, .random = &t->random, .clock = &t->clock};
    t->options = (struct scrip_desfire_options){.keep_pending_on_auth = (flags & 4) != 0,
                                                .end_session_on_0c = (flags & 8) != 0,
                                                .transaction_timer_ms = (flags & 16) != 0 ? 500 : 0};
    must(scrip_desfire_card_make(&t->nv, &identity) == SCRIP_OK);
    must(scrip_desfire_card_on(&t->card, &t->host, &t->options) == SCRIP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table t;
    struct scrip_bytes left = scrip_bytes(data, size);
    struct scrip_bytes bytes;
    uint8_t what;

    lay(&t, next_u8(&left));
    furnish(&t);
    while (next_step(&left, &what, &bytes)) {
        take_step(&t, what, bytes);
    }
    wake(&t);
    (void)send_text(&t, "\x60", 1);
    must(t.rsp_len == 8 && t.rsp[0] == 0xAF);
    scrip_desfire_card_off(&t.card);
    scrip_nv_memory_free(&t.memory);
    return 0;
}
