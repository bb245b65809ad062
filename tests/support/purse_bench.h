/* purse_bench.h: a card, a terminal and the link between them in one process; the card's and the terminal's memory can
 * lose power at any write, the link can be cut at any frame. Fixed seeds. */
#ifndef SCRIP_TEST_PURSE_BENCH_H
#define SCRIP_TEST_PURSE_BENCH_H

#include "check.h"
#include <scrip/cmac.h>
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <scrip/wallet.h>

#define BENCH_JOURNAL_LINES 8U

struct bench {
    struct scrip_link link; /* first: the link is the bench */
    struct scrip_nv_memory card_memory;
    struct scrip_nv_tearing card_tearing;
    struct scrip_nv card_nv;
    struct scrip_random_seeded card_seeded;
    struct scrip_random card_random;
    struct scrip_desfire_host card_host;
    struct scrip_desfire_options options;
    struct scrip_desfire_card card;
    bool powered;
    unsigned frames;     /* sent since the last connect */
    unsigned cut_before; /* this frame (from 1) does not reach the card */
    unsigned cut_after;  /* this frame reaches the card, its answer is lost */
    void (*spy)(void *ctx, struct scrip_bytes capdu, struct scrip_bytes rapdu); /* sees every exchange; may be NULL */
    void *spy_ctx;

    struct scrip_nv_memory journal_memory;
    struct scrip_nv_tearing journal_tearing;
    struct scrip_nv journal_nv;
    struct scrip_journal journal;

    struct scrip_random_seeded seeded;
    struct scrip_desfire_profile profile;
    struct scrip_purse_header header;
    uint8_t uid[7];
    uint64_t now_ms;
    struct scrip_purse_job job;
    struct scrip_purse_request request;
};

/* ---- keys: a master key per role, its number repeated ---- */

static inline enum scrip_status bench_key(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    uint8_t master[16];
    (void)ctx;
    memset(master, 0x10 + (int)role, sizeof master);
    if (m.len == 0) {
        memcpy(out, master, sizeof master);
        return SCRIP_OK;
    }
    return scrip_an10922(SCRIP_AES128, master, m, out);
}

static inline void bench_tmac_key(const struct bench *b, uint8_t out[16])
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    assert_ok(bench_key(NULL, SCRIP_PURSE_TMAC,
                        scrip_purse_diversify_input(SCRIP_PURSE_TMAC, b->uid, b->profile.purse.aid, m), out));
}

/* ---- the link ---- */

static inline enum scrip_status bench_connect(struct scrip_link *link, uint32_t timeout_ms,
                                              struct scrip_card_info *info)
{
    struct bench *b = (struct bench *)(void *)link;
    (void)timeout_ms;
    if (b->powered) {
        scrip_desfire_card_off(&b->card);
    }
    b->frames = 0;
    SCRIP_TRY(scrip_desfire_card_on(&b->card, &b->card_host, &b->options));
    b->powered = true;
    memset(info, 0, sizeof *info);
    info->uid_len = (uint8_t)scrip_desfire_card_uid(&b->card, info->uid);
    info->ats_len = (uint8_t)scrip_desfire_card_ats(&b->card, info->ats);
    return SCRIP_OK;
}

static inline void bench_disconnect(struct scrip_link *link)
{
    struct bench *b = (struct bench *)(void *)link;
    if (b->powered) {
        scrip_desfire_card_off(&b->card);
    }
    b->powered = false;
}

static inline enum scrip_status bench_transmit(struct scrip_link *link, struct scrip_bytes capdu,
                                               struct scrip_buf *rapdu)
{
    struct bench *b = (struct bench *)(void *)link;
    uint8_t memory[SCRIP_DESFIRE_RAPDU_MAX];
    struct scrip_buf answer = SCRIP_BUF_OF(memory);
    if (!b->powered) {
        return SCRIP_E_NO_CARD;
    }
    b->frames++;
    const bool delivered = b->frames != b->cut_before;
    const enum scrip_status status = delivered ? scrip_desfire_card_apdu(&b->card, capdu, &answer) : SCRIP_E_TORN;
    if (status != SCRIP_OK || b->frames == b->cut_after) {
        bench_disconnect(link);
        return SCRIP_E_TORN;
    }
    if (b->spy != NULL) {
        b->spy(b->spy_ctx, capdu, scrip_buf_bytes(&answer));
    }
    return scrip_buf_add_bytes(rapdu, scrip_buf_bytes(&answer));
}

static inline void bench_close(struct scrip_link *link)
{
    (void)link;
}

/* ---- scenes ---- */

static inline void bench_free(struct bench *b)
{
    bench_disconnect(&b->link);
    scrip_nv_memory_free(&b->card_memory);
    scrip_nv_memory_free(&b->journal_memory);
}

/* A factory-fresh card and a terminal with an empty journal. */
static inline void given_fresh_card(struct bench *b, const char *profile, enum scrip_desfire_generation generation)
{
    static const struct scrip_link_ops ops = {bench_connect, bench_transmit, bench_disconnect, bench_close};
    static const uint8_t terminal[4] = {'T', 'E', 'S', 'T'};
    const struct scrip_desfire_identity identity = {
        .generation = (uint8_t)generation, .uid = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80}, .storage = 0x18};
    memset(b, 0, sizeof *b);
    b->link.ops = &ops;
    memcpy(b->uid, identity.uid, sizeof b->uid);
    assert_ok(scrip_desfire_profile_make(profile, &b->profile));
    assert_ok(scrip_nv_memory_init(&b->card_memory, scrip_desfire_card_pages(identity.storage)));
    b->card_nv = scrip_nv_tearing(&b->card_tearing, scrip_nv_memory(&b->card_memory), 1);
    assert_ok(scrip_desfire_card_make(&b->card_nv, &identity));
    scrip_random_seeded_init(&b->card_seeded, 2);
    b->card_random = scrip_random_seeded(&b->card_seeded);
    b->card_host = (struct scrip_desfire_host){.nv = &b->card_nv, .random = &b->card_random};
    assert_ok(scrip_nv_memory_init(&b->journal_memory, SCRIP_JOURNAL_PAGES(BENCH_JOURNAL_LINES)));
    b->journal_nv = scrip_nv_tearing(&b->journal_tearing, scrip_nv_memory(&b->journal_memory), 3);
    assert_ok(scrip_journal_format(&b->journal_nv, terminal));
    assert_ok(scrip_journal_open(&b->journal, &b->journal_nv));
    scrip_random_seeded_init(&b->seeded, 4);
    b->now_ms = 1700000000000;
    b->header = (struct scrip_purse_header){
        .currency = 978, .exponent = 2, .card_number = "1234567890", .issuer = "Test transport"};
}

/* Tap the card once for an operation; `b->job.result` tells the rest. */
static inline enum scrip_status tap(struct bench *b, enum scrip_purse_operation operation, int32_t amount,
                                    uint32_t reference)
{
    struct scrip_purse_request *request = &b->request;
    const struct scrip_purse_request wanted = *request;
    *request = (struct scrip_purse_request){
        .profile = &b->profile,
        .keys = {NULL, bench_key},
        .random = scrip_random_seeded(&b->seeded),
        .journal = &b->journal,
        .amount = amount,
        .reference = reference,
        .skip_flush = wanted.skip_flush,
        .currency = wanted.currency,
        .with_header = wanted.with_header,
        .header = &b->header,
    };
    b->now_ms += 1000;
    scrip_purse_timestamp(b->now_ms, request->timestamp);
    const enum scrip_status status = scrip_link_connect(&b->link, 0, &request->card);
    if (status != SCRIP_OK) {
        return status;
    }
    return scrip_purse_run(&b->job, &scrip_purse_desfire, operation, request, &b->link);
}

static inline void power_back(struct bench *b)
{
    b->cut_before = 0;
    b->cut_after = 0;
    scrip_nv_power_up(&b->card_tearing);
    scrip_nv_power_up(&b->journal_tearing);
    assert_ok(scrip_journal_open(&b->journal, &b->journal_nv));
}

static inline int32_t balance_of(struct bench *b)
{
    assert_ok(tap(b, SCRIP_PURSE_BALANCE, 0, 0));
    return b->job.result.balance;
}

static inline void given_purse(struct bench *b, const char *profile, enum scrip_desfire_generation generation,
                               int32_t value)
{
    given_fresh_card(b, profile, generation);
    const enum scrip_status status = tap(b, SCRIP_PURSE_PERSONALISE, value, 0);
    if (status != SCRIP_OK) {
        print_error("personalising %s: command %02X, status word %04X, step role %d\n", profile,
                    b->job.result.failure.cmd, b->job.result.failure.sw, b->job.result.role);
    }
    assert_ok(status);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
}

#endif
