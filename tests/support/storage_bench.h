/* storage_bench.h: a MIFARE Classic in the field of a reader, a terminal with its journal, and the link between them,
 * in one process. The card's memory can lose power at any write and leave every block that mifare's model of tearing
 * knows; the link can be cut at any APDU; single frames on the air can be lost while the card keeps its power. */
#ifndef SCRIP_TEST_STORAGE_BENCH_H
#define SCRIP_TEST_STORAGE_BENCH_H

#include "check.h"
#include <scrip/classic_card.h>
#include <scrip/cmac.h>
#include <scrip/coupler_field.h>
#include <scrip/pcsc.h>
#include <scrip/posix.h>
#include <scrip/wallet.h>

#define SB_JOURNAL_LINES 12U
#define SB_PAGES         (SCRIP_CLASSIC_4K_BLOCKS + 1U)

/* What a block is like when power was lost while it was written. */
enum sb_tear {
    SB_OLD,
    SB_NEW,
    SB_ZEROS,   /* erased */
    SB_ONES,    /* erased, on cells of the other kind */
    SB_OLD_AND, /* being erased: old AND mask */
    SB_NEW_AND, /* being programmed from 00: new AND mask */
    SB_OLD_OR,  /* the mirror images */
    SB_NEW_OR,
    SB_TEARS
};

struct sb {
    struct scrip_link link; /* first: the link is the bench */
    uint8_t pages[SB_PAGES][SCRIP_NV_PAGE];
    struct scrip_nv nv;
    unsigned writes;  /* since the last power_back */
    unsigned tear_at; /* this one fails; 0: none */
    bool weak;        /* by leaving its block so, and saying that all is well */
    enum sb_tear tear;
    uint64_t mask_state;
    bool dark; /* it has */

    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_card card;
    struct scrip_field field;
    struct scrip_coupler_field coupler;
    struct scrip_radio clear_air; /* what the coupler had, below the frames that get lost */
    unsigned frames;
    unsigned lose_frame;  /* this one does not reach the card */
    unsigned lose_answer; /* this one does, its answer is not heard */
    struct scrip_pcsc pcsc;
    bool connected;
    unsigned apdus;
    unsigned cut_before, cut_after;

    struct scrip_nv_memory journal_memory;
    struct scrip_nv_tearing journal_tearing;
    struct scrip_nv journal_nv;
    struct scrip_journal journal;

    struct scrip_storage_purse purse;
    uint8_t version;             /* of the keys that the terminal has */
    enum scrip_status key_store; /* what its key store fails with */
    uint64_t now_ms;
    struct scrip_purse_job job;
    struct scrip_purse_request request;
};

/* ---- memory ---- */

static inline uint8_t sb_mask(struct sb *b)
{
    b->mask_state = b->mask_state * 6364136223846793005U + 1442695040888963407U;
    return (uint8_t)(b->mask_state >> 33);
}

static inline uint8_t sb_torn(struct sb *b, uint8_t old, uint8_t new)
{
    const uint8_t mask = sb_mask(b);
    switch (b->tear) {
    case SB_OLD:
        return old;
    case SB_NEW:
        return new;
    case SB_ZEROS:
        return 0x00;
    case SB_ONES:
        return 0xFF;
    case SB_OLD_AND:
        return old & mask;
    case SB_NEW_AND:
        return new &mask;
    case SB_OLD_OR:
        return old | mask;
    default:
        return new | mask;
    }
}

static inline enum scrip_status sb_nv_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    struct sb *b = ctx;
    if (b->dark) {
        return SCRIP_E_NV;
    }
    memcpy(dst, (const uint8_t *)b->pages + at, len);
    return SCRIP_OK;
}

static inline enum scrip_status sb_nv_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct sb *b = ctx;
    if (b->dark) {
        return SCRIP_E_NV;
    }
    if (++b->writes != b->tear_at) {
        memcpy(b->pages[page], data, SCRIP_NV_PAGE);
        return SCRIP_OK;
    }
    b->dark = !b->weak;
    for (size_t i = 0; i < SCRIP_CLASSIC_BLOCK; i++) {
        b->pages[page][i] = sb_torn(b, b->pages[page][i], data[i]);
    }
    return b->weak ? SCRIP_OK : SCRIP_E_NV;
}

/* ---- the air ---- */

static inline enum scrip_status sb_air_power(void *ctx, bool on)
{
    struct sb *b = ctx;
    return b->clear_air.power(b->clear_air.ctx, on);
}

static inline enum scrip_status sb_air_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                                uint32_t timeout_us)
{
    struct sb *b = ctx;
    b->frames++;
    if (b->frames == b->lose_frame) {
        return SCRIP_E_TIMEOUT;
    }
    const enum scrip_status status = b->clear_air.exchange(b->clear_air.ctx, tx, rx, timeout_us);
    return b->frames == b->lose_answer ? SCRIP_E_TIMEOUT : status;
}

static inline enum scrip_status sb_air_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    struct sb *b = ctx;
    return b->clear_air.rates(b->clear_air.ctx, to_card, from_card);
}

static inline void sb_air_wait(void *ctx, uint32_t us)
{
    struct sb *b = ctx;
    b->clear_air.wait(b->clear_air.ctx, us);
}

/* ---- the link ---- */

static inline enum scrip_status sb_connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    struct sb *b = (struct sb *)(void *)link;
    b->apdus = 0;
    b->frames = 0;
    const enum scrip_status status = scrip_pcsc_connect(&b->pcsc, timeout_ms, info);
    b->connected = status == SCRIP_OK;
    return status;
}

static inline void sb_disconnect(struct scrip_link *link)
{
    struct sb *b = (struct sb *)(void *)link;
    scrip_pcsc_off(&b->pcsc);
    b->connected = false;
}

static inline enum scrip_status sb_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct sb *b = (struct sb *)(void *)link;
    uint8_t memory[512];
    struct scrip_buf answer = SCRIP_BUF_OF(memory);
    if (!b->connected) {
        return SCRIP_E_NO_CARD;
    }
    b->apdus++;
    const enum scrip_status status =
        b->apdus == b->cut_before ? SCRIP_E_TORN : scrip_pcsc_apdu(&b->pcsc, capdu, &answer);
    if (status != SCRIP_OK || b->apdus == b->cut_after) {
        sb_disconnect(link);
        return status == SCRIP_OK ? SCRIP_E_TORN : status;
    }
    return scrip_buf_add_bytes(rapdu, scrip_buf_bytes(&answer));
}

static inline void sb_close(struct scrip_link *link)
{
    (void)link;
}

/* ---- keys: a master key per role and version ---- */

static inline enum scrip_status sb_key_of(uint8_t version, enum scrip_purse_role role, struct scrip_bytes m,
                                          uint8_t out[16])
{
    uint8_t master[16];
    memset(master, 0x10 + (int)role + 0x20 * version, sizeof master);
    if (role == SCRIP_PURSE_BCD && m.len == 0 && version == 0) {
        (void)from_hex("B0B1B2B3B4B5", master, sizeof master); /* the test key of the BCD wallet */
    }
    if (m.len == 0) {
        memcpy(out, master, sizeof master);
        return SCRIP_OK;
    }
    return scrip_an10922(SCRIP_AES128, master, m, out);
}

static inline enum scrip_status sb_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    const struct sb *b = ctx;
    return b->key_store == SCRIP_OK ? sb_key_of(b->version, role, m, out) : b->key_store;
}

/* The version after it. */
static inline enum scrip_status sb_next_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m,
                                            uint8_t out[16])
{
    return sb_key_of((uint8_t)(((struct sb *)ctx)->version + 1), role, m, out);
}

/* What a gate has. */
static inline enum scrip_status sb_gate_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m,
                                            uint8_t out[16])
{
    return role == SCRIP_PURSE_PAY ? sb_key(ctx, role, m, out) : SCRIP_E_KEY;
}

/* ---- scenes ---- */

static inline void sb_free(struct sb *b)
{
    scrip_nv_memory_free(&b->journal_memory);
}

/* A terminal with an empty journal. */
static inline void sb_new_journal(struct sb *b)
{
    static const uint8_t terminal[4] = {'T', 'E', 'S', 'T'};
    scrip_nv_memory_free(&b->journal_memory);
    assert_ok(scrip_nv_memory_init(&b->journal_memory, SCRIP_JOURNAL_PAGES(SB_JOURNAL_LINES)));
    b->journal_nv = scrip_nv_tearing(&b->journal_tearing, scrip_nv_memory(&b->journal_memory), 3);
    assert_ok(scrip_journal_format(&b->journal_nv, terminal));
    assert_ok(scrip_journal_open(&b->journal, &b->journal_nv));
}

/* A card as it comes from the factory. @param uid  hex, 4 or 7 bytes */
static inline void sb_fresh(struct sb *b, const char *purse, const char *uid, bool is_4k)
{
    static const struct scrip_link_ops link_ops = {sb_connect, sb_transmit, sb_disconnect, sb_close};
    static const struct scrip_classic_options options = {0};
    struct scrip_classic_identity identity = {.is_4k = is_4k};
    memset(b, 0, sizeof *b);
    b->link.ops = &link_ops;
    b->mask_state = 1;
    b->nv = (struct scrip_nv){.ctx = b, .pages = SB_PAGES, .read = sb_nv_read, .write = sb_nv_write};
    identity.uid_len = (uint8_t)from_hex(uid, identity.uid, sizeof identity.uid);
    assert_ok(scrip_classic_card_make(&b->nv, &identity));
    scrip_random_seeded_init(&b->seeded, 5);
    b->random = scrip_random_seeded(&b->seeded);
    const struct scrip_classic_host host = {.nv = &b->nv, .random = &b->random};
    scrip_classic_card_init(&b->card, &host, &options);
    scrip_field_init(&b->field);
    assert_ok(scrip_field_add(&b->field, &b->card.picc));
    scrip_coupler_field_init(&b->coupler, &b->field, &b->random);
    b->clear_air = b->coupler.air;
    b->coupler.air.ctx = b;
    b->coupler.air.power = sb_air_power;
    b->coupler.air.exchange = sb_air_exchange;
    b->coupler.air.rates = sb_air_rates;
    b->coupler.air.wait = sb_air_wait;
    scrip_pcsc_init(&b->pcsc, &b->coupler.coupler);
    assert_ok(scrip_storage_purse_make(purse, &b->purse));
    sb_new_journal(b);
    b->now_ms = 1700000000000;
    b->writes = 0;
}

static inline const struct scrip_purse_family *sb_family(const struct sb *b)
{
    return b->purse.kind == SCRIP_STORAGE_BCD ? &scrip_purse_bcd : &scrip_purse_native;
}

/* Present the card once for what b->request says beside its usual contents. */
static inline enum scrip_status sb_run(struct sb *b, enum scrip_purse_operation operation)
{
    b->request.storage = &b->purse;
    b->request.random = scrip_random_seeded(&b->seeded);
    b->request.journal = &b->journal;
    b->request.next_keys = (struct scrip_purse_keys){b, sb_next_key};
    if (b->request.keys.get == NULL) {
        b->request.keys = (struct scrip_purse_keys){b, sb_key};
    }
    b->now_ms += 1000;
    scrip_purse_timestamp(b->now_ms, b->request.timestamp);
    memset(&b->job.result, 0, sizeof b->job.result);
    const enum scrip_status status = sb_connect(&b->link, 0, &b->request.card);
    if (status != SCRIP_OK) {
        b->job.result.status = status;
        return status;
    }
    const enum scrip_status result = scrip_purse_run(&b->job, sb_family(b), operation, &b->request, &b->link);
    sb_disconnect(&b->link);
    return result;
}

static inline enum scrip_status sb_tap(struct sb *b, enum scrip_purse_operation operation, int32_t amount,
                                       uint32_t reference)
{
    b->request.amount = amount;
    b->request.reference = reference;
    return sb_run(b, operation);
}

/* All faults are over. */
static inline void sb_power_back(struct sb *b)
{
    b->tear_at = 0;
    b->weak = false;
    b->writes = 0;
    b->dark = false;
    b->cut_before = 0;
    b->cut_after = 0;
    b->lose_frame = 0;
    b->lose_answer = 0;
    scrip_nv_power_up(&b->journal_tearing);
    assert_ok(scrip_journal_open(&b->journal, &b->journal_nv));
}

static inline void sb_purse(struct sb *b, const char *purse, int32_t value)
{
    sb_fresh(b, purse, "01020304", false);
    assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, value, 0));
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
    b->writes = 0;
}

static inline int32_t sb_balance(struct sb *b)
{
    assert_ok(sb_tap(b, SCRIP_PURSE_BALANCE, 0, 0));
    assert_true(b->job.result.has_balance);
    return b->job.result.balance;
}

static inline uint8_t *sb_block(struct sb *b, uint8_t block)
{
    return b->pages[block];
}

#endif
