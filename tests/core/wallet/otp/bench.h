/* bench.h: a one-time wallet card in place of the MIFARE Classic of storage_bench.h. */
#ifndef TEST_WALLET_OTP_BENCH_H
#define TEST_WALLET_OTP_BENCH_H

#include "otp_tear.h"
#include "storage_bench.h"
#include <scrip/otp_card.h>

struct ob {
    struct sb sb; /* first: the terminal, its journal, the reader and the link */
    struct scrip_nv_memory memory;
    struct otp_tear tear;
    struct scrip_nv nv;
    struct scrip_otp_card card;
};

/** A card from the factory, and a terminal that sells cards of `units` units of `unit`. */
static inline void ob_fresh(struct ob *b, uint32_t unit, uint16_t units)
{
    const struct scrip_otp_identity identity = {.uid = {0x5C, 0x0A, 0x11, 0x99}};
    const struct scrip_otp_options options = {0};
    sb_fresh(&b->sb, "otp", "01020304", false);
    scrip_field_remove(&b->sb.field, &b->sb.card.picc);
    assert_ok(scrip_nv_memory_init(&b->memory, SCRIP_OTP_PAGES));
    const struct scrip_nv raw = scrip_nv_memory(&b->memory);
    assert_ok(scrip_otp_card_make(&raw, &identity));
    b->nv = otp_tear(&b->tear, raw);
    const struct scrip_otp_host host = {.nv = &b->nv, .random = &b->sb.random};
    scrip_otp_card_init(&b->card, &host, &options);
    assert_ok(scrip_field_add(&b->sb.field, &b->card.picc));
    b->sb.purse.unit = unit;
    b->sb.purse.units = units;
}

static inline void ob_free(struct ob *b)
{
    assert_int_equal(b->tear.backwards, 0);
    scrip_nv_memory_free(&b->memory);
    sb_free(&b->sb);
}

/** Present the card once. */
static inline enum scrip_status ob_tap(struct ob *b, enum scrip_purse_operation operation, int32_t amount)
{
    struct sb *s = &b->sb;
    s->request.amount = amount;
    s->request.storage = &s->purse;
    s->request.random = s->random;
    s->request.journal = &s->journal;
    if (s->request.keys.get == NULL) {
        s->request.keys = (struct scrip_purse_keys){s, sb_key};
    }
    s->now_ms += 1000;
    scrip_purse_timestamp(s->now_ms, s->request.timestamp);
    memset(&s->job.result, 0, sizeof s->job.result);
    const enum scrip_status status = sb_connect(&s->link, 0, &s->request.card);
    if (status != SCRIP_OK) {
        s->job.result.status = status;
        return status;
    }
    const enum scrip_status result = scrip_purse_run(&s->job, &scrip_purse_otp, operation, &s->request, &s->link);
    sb_disconnect(&s->link);
    return result;
}

/** All faults are over. */
static inline void ob_power_back(struct ob *b)
{
    otp_tear_power_up(&b->tear);
    sb_power_back(&b->sb);
}

/** A card in use. */
static inline void ob_sold(struct ob *b, uint32_t unit, uint16_t units)
{
    ob_fresh(b, unit, units);
    assert_ok(ob_tap(b, SCRIP_PURSE_PERSONALISE, 0));
    assert_int_equal(b->sb.job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
}

static inline int32_t ob_balance(struct ob *b)
{
    assert_ok(ob_tap(b, SCRIP_PURSE_BALANCE, 0));
    assert_true(b->sb.job.result.has_balance);
    return b->sb.job.result.balance;
}

static inline uint16_t ob_used(struct ob *b)
{
    const struct scrip_nv raw = scrip_nv_memory(&b->memory);
    uint16_t used = 0;
    assert_ok(scrip_otp_card_used(&raw, &used));
    return used;
}

/** What the journal says was taken for certain, and how many lines are open. */
static inline int32_t ob_taken(const struct ob *b, unsigned *open)
{
    struct scrip_journal_line line;
    int32_t sum = 0;
    *open = 0;
    for (uint64_t at = 1; at <= b->sb.journal.last; at++) {
        assert_ok(scrip_journal_get(&b->sb.journal, at, &line));
        assert_int_equal(line.kind, SCRIP_JOURNAL_DEBIT);
        sum += line.state == SCRIP_JOURNAL_CONFIRMED || line.state == SCRIP_JOURNAL_FOUND ? line.amount : 0;
        *open += line.state == SCRIP_JOURNAL_INTENT ? 1 : 0;
    }
    return sum;
}

#endif
