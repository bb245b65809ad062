/* desk.h: a ledger in a file of its own, a clock that stands still, one card, one merchant, one terminal, and the few
 * sentences that the tests are made of. */
#ifndef SCRIP_TEST_DESK_H
#define SCRIP_TEST_DESK_H

#include "check.h"

#include <scrip/ledger.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REACH_ALL 10

static const uint8_t ALICE[7] = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80};
static const uint8_t BOB[7] = {0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66};
static const uint8_t GATE[4] = {0x00, 0x00, 0x00, 0x42};

struct desk {
    struct scrip_ledger *ledger;
    char path[64];
    uint64_t now;
    bool fail_before;
    bool fail_after;
};

static inline uint64_t desk_now(void *ctx)
{
    return ((struct desk *)ctx)->now;
}

static inline bool desk_hook(void *ctx, bool after)
{
    const struct desk *desk = ctx;
    return after ? !desk->fail_after : !desk->fail_before;
}

static inline struct scrip_ledger *desk_open(struct desk *desk)
{
    struct scrip_ledger *ledger = NULL;
    const struct scrip_ledger_config config = {.path = desk->path,
                                               .clock = {.ctx = desk, .now_ms = desk_now},
                                               .busy_ms = 2000,
                                               .commit_hook = desk_hook,
                                               .commit_ctx = desk};
    assert_ok(scrip_ledger_open(&config, &ledger));
    return ledger;
}

static inline void enrol(struct scrip_ledger *ledger, const uint8_t uid[7], bool tmac, bool marked)
{
    struct scrip_ledger_card card = {.tmac = tmac, .marked = marked, .key_version = 1};
    memcpy(card.uid, uid, 7);
    (void)snprintf(card.profile, sizeof card.profile, "%s", marked ? "ev1" : "an12113");
    assert_ok(scrip_ledger_card_add(ledger, &card));
}

static inline void desk_begin(struct desk *desk)
{
    assert_ok(scrip_ledger_begin(desk->ledger));
}

static inline void desk_commit(struct desk *desk)
{
    assert_ok(scrip_ledger_commit(desk->ledger));
}

static inline void desk_furnish(struct desk *desk)
{
    struct scrip_ledger_merchant shop = {.id = "kiosk", .name = "Kiosk"};
    struct scrip_ledger_terminal gate = {.merchant = "kiosk", .name = "Gate 42"};
    memcpy(gate.id, GATE, 4);
    desk_begin(desk);
    enrol(desk->ledger, ALICE, true, false);
    enrol(desk->ledger, BOB, false, true);
    assert_ok(scrip_ledger_merchant_add(desk->ledger, &shop));
    assert_ok(scrip_ledger_terminal_add(desk->ledger, &gate));
    desk_commit(desk);
}

static inline int desk_setup(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    desk->now = 1700000000000U;
    (void)snprintf(desk->path, sizeof desk->path, "/tmp/scrip-ledger-XXXXXX");
    const int fd = mkstemp(desk->path);
    if (fd < 0) {
        return -1;
    }
    close(fd);
    desk->ledger = desk_open(desk);
    desk_furnish(desk);
    *state = desk;
    return 0;
}

static inline int desk_teardown(void **state)
{
    struct desk *desk = *state;
    char path[80];
    scrip_ledger_close(desk->ledger);
    for (int i = 0; i < 3; i++) {
        static const char *const endings[] = {"", "-wal", "-shm"};
        (void)snprintf(path, sizeof path, "%s%s", desk->path, endings[i]);
        (void)unlink(path);
    }
    free(desk);
    return 0;
}

/* ---- Sentences. Each runs inside the caller's transaction. ---- */

static inline enum scrip_status order_for(struct scrip_ledger *ledger, const char *id, const uint8_t uid[7],
                                          uint32_t amount)
{
    struct scrip_ledger_order order = {.kind = SCRIP_KIND_TOPUP, .amount = amount};
    (void)snprintf(order.id, sizeof order.id, "%s", id);
    memcpy(order.uid, uid, 7);
    return scrip_ledger_order_create(ledger, &order);
}

static inline void funded(struct scrip_ledger *ledger, const char *id, const uint8_t uid[7], uint32_t amount)
{
    char funding[80];
    (void)snprintf(funding, sizeof funding, "pay-%s", id);
    assert_ok(order_for(ledger, id, uid, amount));
    assert_ok(scrip_ledger_order_fund(ledger, id, funding));
}

static inline struct scrip_ledger_card card_now(struct scrip_ledger *ledger, const uint8_t uid[7])
{
    struct scrip_ledger_card card;
    assert_ok(scrip_ledger_card_get(ledger, uid, &card));
    return card;
}

static inline struct scrip_ledger_issue issue_wanted(struct scrip_ledger *ledger, const char *id, const uint8_t uid[7],
                                                     uint8_t session)
{
    const struct scrip_ledger_card card = card_now(ledger, uid);
    struct scrip_ledger_issue issue = {.session_issue_no = card.issue_no};
    (void)snprintf(issue.order_id, sizeof issue.order_id, "%s", id);
    memset(issue.session, session, sizeof issue.session);
    scrip_put_le32(issue.record + 12, scrip_ledger_next_reference(&card));
    if (card.tmac) {
        memcpy(issue.tmri, "SRV1", 4);
        scrip_put_le32(issue.tmri + 4, scrip_ledger_next_reference(&card));
        issue.tmri[8] = (uint8_t)(card.issue_no + 1);
    }
    return issue;
}

static inline enum scrip_status issue_of(struct scrip_ledger *ledger, const char *id, const uint8_t uid[7],
                                         uint8_t session)
{
    const struct scrip_ledger_issue issue = issue_wanted(ledger, id, uid, session);
    return scrip_ledger_issue(ledger, &issue, NULL);
}

static inline void issued(struct scrip_ledger *ledger, const char *id, const uint8_t uid[7], uint32_t amount)
{
    funded(ledger, id, uid, amount);
    assert_ok(issue_of(ledger, id, uid, 1));
}

/** The answers to the batch of the card's newest issue, all good. */
static inline struct scrip_settle_evidence batch_answer(struct scrip_ledger *ledger, const uint8_t uid[7], uint32_t tmc)
{
    const struct scrip_ledger_card card = card_now(ledger, uid);
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_BATCH,
                                             .reference = card.issue_no,
                                             .session_issue_no = card.issue_no - 1,
                                             .commit_ok = true,
                                             .has_tmc = card.tmac,
                                             .tmc = tmc,
                                             .tmv_ok = card.tmac};
    return evidence;
}

/** A later session of the newest issue number that has read everything; `records` are the top-ups in the log, in front
 * of the record that personalisation began it with. */
static inline struct scrip_settle_evidence session_reads(struct scrip_ledger *ledger, const uint8_t uid[7],
                                                         uint32_t tmc, const struct scrip_settle_record *records,
                                                         uint8_t count)
{
    const struct scrip_ledger_card card = card_now(ledger, uid);
    struct scrip_settle_evidence evidence = {.source = SCRIP_SOURCE_SESSION,
                                             .session_issue_no = card.issue_no,
                                             .tmc_floor = card.tmc,
                                             .has_tmc = card.tmac,
                                             .tmc = tmc,
                                             .has_log = true,
                                             .log_capacity = 10,
                                             .log_count = (uint8_t)(count + 1U),
                                             .has_debits = true};
    for (uint8_t i = 0; i < count; i++) {
        evidence.log[i] = records[i];
    }
    evidence.log[count].timestamp[0] = 0x20;
    return evidence;
}

static inline enum scrip_settle_event settled(struct scrip_ledger *ledger, const uint8_t uid[7],
                                              const struct scrip_settle_evidence *evidence)
{
    struct scrip_ledger_settlement out;
    assert_ok(scrip_ledger_settle(ledger, uid, evidence, &out));
    return out.event;
}

static inline void confirmed(struct scrip_ledger *ledger, const char *id, const uint8_t uid[7], uint32_t amount)
{
    issued(ledger, id, uid, amount);
    const struct scrip_settle_evidence evidence = batch_answer(ledger, uid, card_now(ledger, uid).tmc + 1);
    assert_int_equal(settled(ledger, uid, &evidence), SCRIP_EVENT_PROOF_COMMIT);
}

static inline enum scrip_settle_state state_of(struct scrip_ledger *ledger, const char *id)
{
    struct scrip_ledger_order order;
    assert_ok(scrip_ledger_order_get(ledger, id, &order));
    return order.state;
}

static inline int64_t balance_of(struct scrip_ledger *ledger, enum scrip_account account)
{
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    assert_ok(scrip_ledger_balances(ledger, balances));
    return balances[account];
}

static inline struct scrip_ledger_debit debit_line(const uint8_t uid[7], uint64_t sequence, uint32_t tmc,
                                                   uint32_t amount)
{
    struct scrip_ledger_debit debit = {.sequence = sequence,
                                       .amount = amount,
                                       .at_ms = 1700000000000U + sequence,
                                       .answered = true,
                                       .has_tmc = tmc != 0,
                                       .tmc = tmc,
                                       .tmv_ok = tmc != 0};
    memcpy(debit.uid, uid, 7);
    memcpy(debit.terminal, GATE, 4);
    memcpy(debit.record, GATE, 4);
    scrip_put_le32(debit.record + 4, (uint32_t)sequence);
    scrip_put_le32(debit.record + 12, amount);
    memcpy(debit.tmri, GATE, 4);
    scrip_put_le64(debit.tmri + 8, sequence);
    return debit;
}

static inline enum scrip_ledger_taken taken(struct scrip_ledger *ledger, const struct scrip_ledger_debit *debit)
{
    enum scrip_ledger_taken result = SCRIP_DEBIT_VOID;
    assert_ok(scrip_ledger_debit_add(ledger, debit, &result, NULL));
    return result;
}

/** The whole book is right. */
static inline void assert_book(struct scrip_ledger *ledger)
{
    struct scrip_ledger_report report;
    assert_ok(scrip_ledger_verify(ledger, NULL, NULL, &report));
    if (report.problems != 0) {
        fail_msg("%s (and %d more)", report.first, (int)report.problems - 1);
    }
    int64_t balances[SCRIP_ACCOUNT_COUNT];
    int64_t sum = 0;
    assert_ok(scrip_ledger_balances(ledger, balances));
    for (int i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
        sum += balances[i];
    }
    assert_int_equal(sum, 0);
}

#endif
