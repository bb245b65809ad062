/* table.h: a table with cards on it and a reader over it: each of the drivers against the model of its chip, over each
 * of its buses. */
#ifndef TESTS_READER_CHIP_TABLE_H
#define TESTS_READER_CHIP_TABLE_H

#include "model/mfrc522.h"
#include "model/pn532_hsu.h"
#include "wire.h"
#include <scrip/classic_card.h>
#include <scrip/mfrc522.h>
#include <scrip/posix.h>
#include <stdio.h>
#include <stdlib.h>

enum reader { PN532_HSU, PN532_SPI, PN532_I2C, MFRC522_SPI, MFRC522_UART, READERS };

#define TABLE_CARDS 4U
#define APDU_MAX    4096U

/* A card of part 4 that gives back what it is sent, with a counter in front. */
struct echo {
    struct scrip_picc_4 card;
    uint8_t uid[10];
    uint8_t uid_len;
    uint8_t fsci;
    uint32_t busy_us;
    uint8_t answered;
    uint8_t command[APDU_MAX], response[APDU_MAX + 1];
};

struct classic {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_classic_host host;
    struct scrip_classic_card card;
};

struct table {
    enum reader reader;
    struct scrip_field field;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct wire wire;
    struct scrip_pn532_model pn532_model;
    struct scrip_pn532_hsu line;
    struct scrip_pn532 pn532;
    struct scrip_mfrc522_model mfrc522_model;
    struct scrip_mfrc522 mfrc522;
    struct scrip_coupler *coupler;
    struct classic classics[TABLE_CARDS];
    size_t classic_count;
    struct echo echo;
    size_t transfer_fails; /* SPI of the MFRC522: this transfer and those after it do; 0: none */
    size_t transfers;
    bool coll_from_byte; /* CollPos counts the bits below RxAlign too, which the model's does not */
    struct scrip_target target;
    uint8_t at[APDU_MAX + 2];
    struct scrip_buf out;
};

/* ---- Cards ------------------------------------------------------------------------------------------------------- */

static inline struct classic *lay_classic(struct table *t, const char *uid, bool is_4k)
{
    static const struct scrip_classic_options options = {.profile = SCRIP_CLASSIC_HARDENED};
    struct classic *classic = &t->classics[t->classic_count++];
    struct scrip_classic_identity identity = {.is_4k = is_4k};
    identity.uid_len = (uint8_t)from_hex(uid, identity.uid, sizeof identity.uid);
    assert_ok(scrip_nv_memory_init(&classic->memory, scrip_classic_card_pages(is_4k)));
    classic->nv = scrip_nv_memory(&classic->memory);
    assert_ok(scrip_classic_card_make(&classic->nv, &identity));
    classic->host = (struct scrip_classic_host){.nv = &classic->nv, .random = &t->random};
    scrip_classic_card_init(&classic->card, &classic->host, &options);
    assert_ok(scrip_field_add(&t->field, &classic->card.picc));
    return classic;
}

static inline void value_poke(struct classic *classic, uint8_t block, uint32_t value)
{
    uint8_t at[16] = {0};
    scrip_put_le32(at, value);
    scrip_put_le32(at + 4, ~value);
    scrip_put_le32(at + 8, value);
    at[12] = at[14] = block;
    at[13] = at[15] = (uint8_t)~block;
    assert_ok(scrip_classic_card_poke(&classic->nv, block, at));
}

/* The card is out of power for that. */
static inline uint32_t value_peek(struct table *t, struct classic *classic, uint8_t block)
{
    uint8_t at[16];
    assert_ok(scrip_field_power(&t->field, false));
    assert_ok(scrip_classic_card_peek(&classic->nv, block, at));
    assert_int_equal(scrip_get_le32(at), ~scrip_get_le32(at + 4));
    return scrip_get_le32(at);
}

static inline enum scrip_status echo_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    struct echo *echo = ctx;
    const uint8_t own[] = {0x06, (uint8_t)(0x70 | echo->fsci), 0x77, 0x81, 0x02, 0x80};
    if (on) {
        memcpy(a->uid, echo->uid, echo->uid_len);
        a->uid_len = echo->uid_len;
        a->atqa[0] = 0x44;
        a->atqa[1] = 0x03;
        a->sak = 0x20;
        memcpy(ats, own, sizeof own);
        echo->answered = 0;
    }
    return SCRIP_OK;
}

static inline enum scrip_status echo_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *response,
                                          uint32_t *busy_us)
{
    struct echo *echo = ctx;
    *busy_us = echo->busy_us;
    assert_ok(scrip_buf_add_u8(response, ++echo->answered));
    return scrip_buf_add_bytes(response, command);
}

static inline void lay_echo(struct table *t, const char *uid, uint8_t fsci)
{
    struct echo *echo = &t->echo;
    const struct scrip_picc_app app = {.ctx = echo, .power = echo_power, .apdu = echo_apdu};
    echo->uid_len = (uint8_t)from_hex(uid, echo->uid, sizeof echo->uid);
    echo->fsci = fsci;
    scrip_picc_4_init(&echo->card, &app, SCRIP_BUF_OF(echo->command), SCRIP_BUF_OF(echo->response));
    assert_ok(scrip_field_add(&t->field, &echo->card.picc));
}

/* ---- Readers ----------------------------------------------------------------------------------------------------- */

static inline struct table *table_of_wire(struct wire *wire)
{
    return (struct table *)(void *)((uint8_t *)wire - offsetof(struct table, wire));
}

static inline void pn532_hear(struct wire *wire, uint8_t byte)
{
    struct table *t = table_of_wire(wire);
    uint8_t at[PN532_HSU_OUT];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    scrip_pn532_hsu_take(&t->line, byte, &out);
    if (out.len > 0) {
        wire_forget(wire);
        wire_say(wire, out.at, out.len);
    }
}

static inline void mfrc522_hear(struct wire *wire, uint8_t byte)
{
    const int answer = scrip_mfrc522_model_uart(&table_of_wire(wire)->mfrc522_model, byte);
    if (answer >= 0) {
        const uint8_t said = (uint8_t)answer;
        wire_say(wire, &said, 1);
    }
}

static inline enum scrip_status mfrc522_spi(void *ctx, const uint8_t *tx, uint8_t *rx, size_t len)
{
    struct table *t = ctx;
    if (++t->transfers >= t->transfer_fails && t->transfer_fails != 0) {
        return SCRIP_E_LINK;
    }
    uint8_t out[128], in[128];
    assert_true(len <= sizeof out);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(++t->wire.to_chip == t->wire.fault_to_chip ? tx[i] ^ t->wire.flip : tx[i]);
    }
    scrip_mfrc522_model_spi(&t->mfrc522_model, out, in, len);
    if (t->coll_from_byte && out[0] == (0x80U | CIU_COLL << 1) && (in[1] & 0x20) == 0) {
        in[1] = (uint8_t)((in[1] & 0xE0) | ((in[1] & 0x1F) + (t->mfrc522_model.ciu.reg[CIU_BIT_FRAMING] >> 4 & 7)));
    }
    for (size_t i = 0; i < len && rx != NULL; i++) {
        rx[i] = (uint8_t)(++t->wire.to_host == t->wire.fault_to_host ? in[i] ^ t->wire.flip : in[i]);
    }
    return SCRIP_OK;
}

static inline void connect_mfrc522(struct table *t)
{
    const struct scrip_ticks ticks = {.ctx = &t->wire, .now_ms = wire_now, .wait_us = wire_wait};
    const struct scrip_spi spi = {.ctx = t, .transfer = mfrc522_spi};
    const struct scrip_uart uart = {
        .ctx = &t->wire, .write = wire_uart_write, .read = wire_uart_read, .flush = wire_uart_flush};
    t->wire.hear = mfrc522_hear;
    t->wire.serial = true;
    if (t->reader == MFRC522_SPI) {
        scrip_mfrc522_init_spi(&t->mfrc522, &spi, &ticks);
    } else {
        scrip_mfrc522_init_uart(&t->mfrc522, &uart, &ticks);
    }
    t->coupler = &t->mfrc522.coupler;
}

/* The reader over the field of another bench. */
static inline void over_field(struct table *t, struct scrip_field *field)
{
    t->wire.field = field;
    scrip_pn532_model_init(&t->pn532_model, field, &t->random);
    scrip_pn532_hsu_init(&t->line, &t->pn532_model);
    scrip_mfrc522_model_init(&t->mfrc522_model, field, &t->random);
}

static inline struct table *given_table(enum reader reader)
{
    static const enum wire_bus buses[] = {WIRE_HSU, WIRE_SPI, WIRE_I2C};
    struct table *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->reader = reader;
    scrip_field_init(&t->field);
    scrip_random_seeded_init(&t->seeded, 7);
    t->random = scrip_random_seeded(&t->seeded);
    t->out = SCRIP_BUF_OF(t->at);
    over_field(t, &t->field);
    if (reader < MFRC522_SPI) {
        t->wire.hear = pn532_hear;
        wire_connect(&t->wire, buses[reader], &t->pn532);
        t->coupler = &t->pn532.coupler;
    } else {
        connect_mfrc522(t);
    }
    return t;
}

static inline enum scrip_status begun(struct table *t)
{
    return t->reader < MFRC522_SPI ? scrip_pn532_begin(&t->pn532) : scrip_mfrc522_begin(&t->mfrc522);
}

static inline struct table *given_reader(enum reader reader)
{
    struct table *t = given_table(reader);
    assert_ok(begun(t));
    return t;
}

static inline void clear(struct table *t)
{
    for (size_t i = 0; i < t->classic_count; i++) {
        scrip_nv_memory_free(&t->classics[i].memory);
    }
    free(t);
}

/* ---- What a program does ----------------------------------------------------------------------------------------- */

static inline enum scrip_status found(struct table *t)
{
    return t->coupler->ops->find(t->coupler, 0, &t->target);
}

static inline enum scrip_status did_again(struct table *t)
{
    return t->coupler->ops->again(t->coupler);
}

static inline enum scrip_status did_mifare(struct table *t, const char *hex)
{
    uint8_t at[32];
    t->out.len = 0;
    return t->coupler->ops->mifare(t->coupler, scrip_bytes(at, from_hex(hex, at, sizeof at)), &t->out);
}

/* Authenticate with FF*6 as key A or B, for the card that was found. */
static inline enum scrip_status did_auth(struct table *t, uint8_t command, uint8_t block)
{
    uint8_t at[12] = {command, block, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    memcpy(at + 8, t->target.uid + (t->target.uid_len == 4 ? 0 : t->target.uid_len - 4), 4);
    t->out.len = 0;
    return t->coupler->ops->mifare(t->coupler, SCRIP_BYTES_OF(at), &t->out);
}

static inline enum scrip_status did_apdu(struct table *t, const uint8_t *at, size_t len)
{
    t->out.len = 0;
    return t->coupler->ops->apdu(t->coupler, scrip_bytes(at, len), &t->out);
}

#endif
