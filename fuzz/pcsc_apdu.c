/* rooms: pcsc coupler_field classic_card host */
/* Anybody's pseudo-APDUs, transparent sessions included, at one of two readers: one whose chip answers anything at any
 * length (hostile cards, and drivers that fail), and one with a MIFARE Classic card in its field. What must hold: no
 * crash, nothing written before or behind the answer, an answer whole or none, no block given without an
 * authentication, no key in what a trace may show; and the real card is never locked by its reader: all access bits
 * stay intact, and it can always be found and opened again.
 *
 * The input: one byte that chooses reader and card, one for the length of what the chip says, that, and then commands,
 * each behind a byte of length. */
#include "input.h"
#include <scrip/classic_card.h>
#include <scrip/coupler_field.h>
#include <scrip/pcsc.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct scrip_coupler coupler;
    struct scrip_bytes says; /* what the chip says is made of this, over and over */
    size_t at;
    uint8_t sak;
    struct scrip_pcsc pcsc;
    struct scrip_pcsc_redaction seen, told;
    bool raw_write; /* a trailer was written in raw frames, which are passed on as they are */
    uint8_t room[2048];
    /* the reader with a card in its field */
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_host host;
    struct scrip_classic_card card;
    struct scrip_field field;
    struct scrip_coupler_field real;
};

#define REAL   0x40U /* bits of the first byte */
#define DIRECT 0x80U
#define IS_4K  0x01U

static uint8_t next(struct table *t)
{
    return t->says.len != 0 ? t->says.at[t->at++ % t->says.len] : 0;
}

/* Mostly well, else one of the failures that a chip may report. */
static enum scrip_status outcome(struct table *t)
{
    static const enum scrip_status failures[] = {
        SCRIP_E_CARD,        SCRIP_E_TORN, SCRIP_E_NO_CARD, SCRIP_E_TIMEOUT,  SCRIP_E_MAC,
        SCRIP_E_UNSUPPORTED, SCRIP_E_LINK, SCRIP_E_AUTH,    SCRIP_E_ARGUMENT, SCRIP_E_STATE};
    const uint8_t how = next(t);
    return how < 0xC0 ? SCRIP_OK : failures[how % (sizeof failures / sizeof failures[0])];
}

static enum scrip_status say(struct table *t, struct scrip_buf *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        SCRIP_TRY(scrip_buf_add_u8(out, next(t)));
    }
    return outcome(t);
}

static enum scrip_status find(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target)
{
    struct table *t = (struct table *)coupler;
    (void)timeout_ms;
    *target = (struct scrip_target){.sak = t->sak, .uid_len = (uint8_t)(4 + next(t) % 3 * 3)};
    target->ats_len = next(t) % (sizeof target->ats + 1);
    for (size_t i = 0; i < target->ats_len; i++) {
        target->ats[i] = next(t);
    }
    return SCRIP_OK;
}

static enum scrip_status again(struct scrip_coupler *coupler)
{
    return outcome((struct table *)coupler);
}

static enum scrip_status apdu(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    (void)command;
    return say((struct table *)coupler, response, next((struct table *)coupler) * 3U);
}

/* A driver keeps its own rules: 16 bytes for READ, none for the rest. */
static enum scrip_status mifare(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    must(command.len >= 2 && command.len <= 18);
    return say((struct table *)coupler, response, command.at[0] == 0x30 ? 16 : 0);
}

static enum scrip_status raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                             struct scrip_buf *rx, uint8_t *last_bits)
{
    struct table *t = (struct table *)coupler;
    must(how->last_bits < 8 && how->timeout_us <= 5000000 && tx.len != 0);
    *last_bits = next(t) % 8;
    return say(t, rx, next(t) + (tx.at[0] == 0x30 ? 18U : 0U));
}

static enum scrip_status power(struct scrip_coupler *coupler, bool on)
{
    (void)on;
    return next((struct table *)coupler) == 0xFF ? SCRIP_E_LINK : SCRIP_OK;
}

static enum scrip_status direct(void *ctx, struct scrip_bytes command, struct scrip_buf *response)
{
    must(command.len >= 2 && command.at[0] == 0xD4);
    return say(ctx, response, next(ctx));
}

/* No run of six bytes of what was to be hidden is left. */
static void hidden(struct table *t, struct scrip_bytes command, struct scrip_bytes response)
{
    uint8_t shown[256];
    uint8_t heard[1024];
    memcpy(shown, command.at, command.len);
    memcpy(heard, response.at, response.len < sizeof heard ? response.len : sizeof heard);
    if (command.len < 5 || command.at[0] != 0xFF) {
        must(!scrip_pcsc_redact(&t->seen, shown, command.len) && memcmp(shown, command.at, command.len) == 0);
        return;
    }
    const struct scrip_pcsc_redaction before = t->seen;
    const bool changed = scrip_pcsc_redact(&t->seen, shown, command.len);
    must(memcmp(shown, command.at, 4) == 0);
    must(changed || memcmp(shown, command.at, command.len) == 0);
    t->raw_write = t->raw_write || t->seen.writes || (changed && command.at[1] == 0xC2);
    for (size_t i = 5; command.at[1] == 0x82 && command.len == 5U + command.at[4] && i < command.len; i++) {
        must(shown[i] == 0);
    }
    if (before.writes && command.at[1] == 0xC2 && command.at[3] == 1 && command.len == 23 && command.at[4] == 18 &&
        command.at[5] == 0x95 && command.at[6] == 16) { /* the content of a trailer */
        must(scrip_get_le32(shown + 7) == 0 && scrip_get_le32(shown + 19) == 0);
    }
    if (response.len <= sizeof heard) {
        (void)scrip_pcsc_redact_answer(&t->seen, command, heard, response.len);
        must(response.len < 2 || memcmp(heard + response.len - 2, response.at + response.len - 2, 2) == 0);
    }
}

/* A line that ends, in whatever room there is. */
static void explained(struct table *t, struct scrip_bytes command, struct scrip_bytes response)
{
    char text[1024];
    const size_t cap = 1U + next(t) * 4U;
    const size_t len = scrip_pcsc_explain(&t->told, command, response, text, cap);
    must(len < cap && memchr(text, '\0', cap) == text + len);
}

static void command_run(struct table *t, struct scrip_bytes command)
{
    static const uint8_t canary[] = {0xCA, 0x4A, 0x27, 0x00};
    struct scrip_buf out = scrip_buf(t->room, next(t) % 8 == 0 ? 4U + next(t) : sizeof t->room - sizeof canary);
    const bool authenticated = t->pcsc.authenticated;
    memcpy(t->room, canary, sizeof canary);
    memcpy(t->room + out.cap, canary, sizeof canary);
    out.len = sizeof canary;
    const enum scrip_status status = scrip_pcsc_apdu(&t->pcsc, command, &out);
    must(memcmp(t->room, canary, sizeof canary) == 0);
    must(out.cap + sizeof canary > sizeof t->room || memcmp(t->room + out.cap, canary, sizeof canary) == 0);
    must(status == SCRIP_OK ? out.len >= sizeof canary + 2 || command.at[0] != 0xFF : true);
    must(status == SCRIP_OK || out.len == sizeof canary || command.at[0] != 0xFF);
    if (status == SCRIP_OK && command.len > 1 && command.at[0] == 0xFF && command.at[1] == 0xB0) {
        must(authenticated || out.len == sizeof canary + 2);
    }
    const struct scrip_bytes response = scrip_bytes(t->room + sizeof canary, out.len - sizeof canary);
    hidden(t, command, response);
    explained(t, command, response);
}

/* ---- The reader with a card -------------------------------------------------------------------------------------- */

static void lay_card(struct table *t, bool is_4k)
{
    const struct scrip_classic_identity identity = {.uid = {0xDE, 0xAD, 0xBE, 0xEF}, .uid_len = 4, .is_4k = is_4k};
    const struct scrip_classic_options options = {0};
    must(scrip_nv_memory_init(&t->memory, scrip_classic_card_pages(is_4k)) == SCRIP_OK);
    t->nv = scrip_nv_memory(&t->memory);
    must(scrip_classic_card_make(&t->nv, &identity) == SCRIP_OK);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    t->host = (struct scrip_classic_host){.nv = &t->nv, .random = &t->random};
    scrip_classic_card_init(&t->card, &t->host, &options);
    scrip_field_init(&t->field);
    must(scrip_field_add(&t->field, &t->card.picc) == SCRIP_OK);
    scrip_coupler_field_init(&t->real, &t->field, &t->random);
    scrip_pcsc_init(&t->pcsc, &t->real.coupler);
}

/* Whatever was said to it: no sector is locked, and the card opens to whoever knows its key. A raw frame may lock one;
 * it is then one that a trace would have hidden. */
static void look_at_card(struct table *t, bool is_4k)
{
    static const uint8_t load[] = {0xFF, 0x82, 0, 0, 6};
    uint8_t command[11];
    struct scrip_card_info info;
    struct scrip_classic_access access;
    struct scrip_classic_trailer trailer;
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    uint8_t sw[2];
    static const uint8_t open[] = {0xFF, 0x86, 0, 0, 5, 1, 0, 4, 0x60, 0};
    struct scrip_buf out = SCRIP_BUF_OF(sw);
    scrip_pcsc_off(&t->pcsc);
    if (t->raw_write) {
        scrip_nv_memory_free(&t->memory);
        return;
    }
    for (uint8_t sector = 0; sector < (is_4k ? 40 : 16); sector++) {
        must(scrip_classic_card_peek(&t->nv, scrip_classic_trailer(sector), block) == SCRIP_OK);
        must(scrip_classic_access_get(block + SCRIP_CLASSIC_AT_ACCESS, &access) == SCRIP_OK);
    }
    must(scrip_classic_card_peek(&t->nv, scrip_classic_trailer(1), block) == SCRIP_OK);
    scrip_classic_trailer_get(block, &trailer);
    memcpy(command, load, sizeof load);
    memcpy(command + sizeof load, trailer.key_a, sizeof trailer.key_a);
    must(scrip_pcsc_connect(&t->pcsc, 0, &info) == SCRIP_OK);
    must(scrip_pcsc_apdu(&t->pcsc, SCRIP_BYTES_OF(command), &out) == SCRIP_OK && sw[0] == 0x90);
    out.len = 0;
    must(scrip_pcsc_apdu(&t->pcsc, SCRIP_BYTES_OF(open), &out) == SCRIP_OK && sw[0] == 0x90);
    scrip_pcsc_off(&t->pcsc);
    scrip_nv_memory_free(&t->memory);
}

/* ---- Both -------------------------------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scrip_coupler_ops ops = {
        .find = find, .again = again, .apdu = apdu, .mifare = mifare, .raw = raw, .power = power};
    static const uint8_t saks[] = {0x08, 0x18, 0x09, 0x00, 0x20, 0x28, 0x10, 0xFF};
    static struct table t;
    struct scrip_bytes left = scrip_bytes(data, size);
    struct scrip_bytes head;
    struct scrip_card_info info;
    if (scrip_bytes_take(&left, 2, &head) != SCRIP_OK) {
        return 0;
    }
    const uint8_t scene = head.at[0];
    memset(&t, 0, sizeof t);
    t.coupler.ops = &ops;
    t.sak = saks[scene % sizeof saks];
    t.says = scrip_bytes_head(left, head.at[1]);
    left = scrip_bytes_from(left, t.says.len);
    if ((scene & REAL) != 0) {
        lay_card(&t, (scene & IS_4K) != 0);
    } else {
        scrip_pcsc_init(&t.pcsc, &t.coupler);
    }
    if ((scene & REAL) == 0 && (scene & DIRECT) != 0) {
        t.pcsc.direct = direct;
        t.pcsc.direct_ctx = &t;
    }
    while (scrip_bytes_take(&left, 1, &head) == SCRIP_OK) {
        const struct scrip_bytes command = scrip_bytes_head(left, head.at[0]);
        left = scrip_bytes_from(left, command.len);
        if (!t.pcsc.present) {
            must(scrip_pcsc_connect(&t.pcsc, 0, &info) == SCRIP_OK && info.ats_len <= sizeof info.ats);
        }
        if (command.len != 0) {
            command_run(&t, command);
        }
    }
    scrip_pcsc_off(&t.pcsc);
    for (size_t i = 0; i < sizeof t.pcsc.keys; i++) {
        must(((const uint8_t *)t.pcsc.keys)[i] == 0);
    }
    if ((scene & REAL) != 0) {
        look_at_card(&t, (scene & IS_4K) != 0);
    }
    return 0;
}
