/* Cards whose keys are not the newest of the store: new keys come to cards one by one, and terminals take both. */
#include "purse_bench.h"

static struct bench bench;

/* What a terminal's store has: the newest version, and perhaps older ones. */
struct store {
    uint8_t newest, oldest;
};

static enum scrip_status get_exact(void *ctx, enum scrip_purse_role role, uint8_t version, struct scrip_bytes m,
                                   uint8_t out[16])
{
    const struct store *store = ctx;
    uint8_t master[16];
    if (version > store->newest || version < store->oldest) {
        return SCRIP_E_KEY;
    }
    memset(master, 0x10 * version + (int)role, sizeof master);
    if (m.len == 0) {
        memcpy(out, master, sizeof master);
        return SCRIP_OK;
    }
    return scrip_an10922(SCRIP_AES128, master, m, out);
}

static bool is_rolled(enum scrip_purse_role role)
{
    return role == SCRIP_PURSE_PAY || role == SCRIP_PURSE_WRITE || role == SCRIP_PURSE_TOPUP;
}

/* The keys that are not rolled are of version 1 for ever. */
static enum scrip_status get_newest(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    static const struct store first = {1, 1};
    const struct store *store = ctx;
    return is_rolled(role) ? get_exact(ctx, role, store->newest, m, out) : get_exact((void *)&first, role, 1, m, out);
}

static const struct store old_only = {1, 1};
static const struct store both = {2, 1};
static const struct store new_only = {2, 2};

static enum scrip_status visit(struct bench *b, const struct store *store, enum scrip_purse_operation operation,
                               int32_t amount, uint32_t reference)
{
    struct scrip_purse_request *request = &b->request;
    *request = (struct scrip_purse_request){
        .profile = &b->profile,
        .keys = {(void *)store, get_newest},
        .get_version = get_exact,
        .random = scrip_random_seeded(&b->seeded),
        .journal = &b->journal,
        .amount = amount,
        .reference = reference,
        .header = &b->header,
        .new_key_version = store->newest,
    };
    b->now_ms += 1000;
    scrip_purse_timestamp(b->now_ms, request->timestamp);
    SCRIP_TRY(scrip_link_connect(&b->link, 0, &request->card));
    return scrip_purse_run(&b->job, &scrip_purse_desfire, operation, request, &b->link);
}

static void given_card_of(struct bench *b, const struct store *store, const char *profile,
                          enum scrip_desfire_generation generation)
{
    given_fresh_card(b, profile, generation);
    assert_ok(visit(b, store, SCRIP_PURSE_PERSONALISE, 1000, 0));
}

static int32_t value_on(struct bench *b)
{
    assert_ok(visit(b, &both, SCRIP_PURSE_BALANCE, 0, 0));
    return b->job.result.balance;
}

static const struct {
    const char *profile;
    enum scrip_desfire_generation generation;
} kinds[] = {
    {"an12113", SCRIP_DESFIRE_EV2}, {"an12113+smallest", SCRIP_DESFIRE_EV3}, {"an12113+random-id", SCRIP_DESFIRE_EV3},
    {"split", SCRIP_DESFIRE_EV3},   {"split+random-id", SCRIP_DESFIRE_EV2},  {"ev1", SCRIP_DESFIRE_EV1},
    {"ev1", SCRIP_DESFIRE_EV3},     {"ev1+random-id", SCRIP_DESFIRE_EV1},    {"plain", SCRIP_DESFIRE_EV1},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- both versions are good ---- */

static void a_card_with_the_older_keys_does_all_that_others_do(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < KINDS; i++) {
        print_message("%s\n", kinds[i].profile);
        given_card_of(b, &old_only, kinds[i].profile, kinds[i].generation);
        assert_int_equal(value_on(b), 1000);
        assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 250, 0));
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
        assert_true(b->job.result.has_key_version);
        assert_int_equal(b->job.result.key_version, 1);
        assert_int_equal(b->job.result.role, SCRIP_PURSE_PAY);
        assert_int_equal(b->job.result.failure.status, SCRIP_OK);
        assert_ok(visit(b, &both, SCRIP_PURSE_CREDIT, 50, 7));
        assert_int_equal(b->job.result.role, SCRIP_PURSE_TOPUP);
        assert_ok(visit(b, &both, SCRIP_PURSE_HISTORY, 0, 0));
        assert_int_equal(b->job.result.balance, 800);
        assert_memory_equal(b->job.result.uid, b->uid, 7);
        assert_ok(visit(b, &both, SCRIP_PURSE_RECOVER, 0, 0));
        bench_free(b);
    }
}

static void the_normal_card_is_asked_nothing_more(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < KINDS; i++) {
        given_card_of(b, &new_only, kinds[i].profile, kinds[i].generation);
        assert_ok(visit(b, &new_only, SCRIP_PURSE_DEBIT, 1, 0));
        const unsigned frames = b->frames;
        assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 1, 0));
        assert_int_equal(b->frames, frames);
        assert_false(b->job.result.has_key_version);
        bench_free(b);
    }
}

/* Select, two of authentication, refused; GetKeyVersion; then as always. */
static void an_older_card_costs_four_commands_more(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_card_of(b, &old_only, "an12113", SCRIP_DESFIRE_EV3);
    assert_ok(visit(b, &old_only, SCRIP_PURSE_DEBIT, 1, 0));
    const unsigned frames = b->frames;
    assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 1, 0));
    assert_int_equal(b->frames, frames + 4);
    bench_free(b);
}

/* ---- neither is ---- */

static void a_version_that_the_store_lacks_is_named(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_card_of(b, &new_only, "an12113", SCRIP_DESFIRE_EV3);
    assert_status(visit(b, &old_only, SCRIP_PURSE_DEBIT, 10, 0), SCRIP_E_CARD);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
    assert_true(b->job.result.has_key_version);
    assert_int_equal(b->job.result.key_version, 2);
    assert_int_equal(b->job.result.failure.cmd, 0xAF); /* what was refused is the key */
    assert_int_equal(b->job.result.failure.sw, 0x91AE);
    assert_int_equal(b->frames, 4);
    assert_int_equal(value_on(b), 1000);
    bench_free(b);
}

static enum scrip_status foreign_newest(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    (void)ctx;
    return bench_key(NULL, (enum scrip_purse_role)(role + 0x60), m, out);
}

static enum scrip_status foreign_exact(void *ctx, enum scrip_purse_role role, uint8_t version, struct scrip_bytes m,
                                       uint8_t out[16])
{
    (void)version;
    return foreign_newest(ctx, role, m, out);
}

/* The store has a key of that version, but it is the one that was refused. */
static void the_refused_key_is_not_tried_again(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_card_of(b, &old_only, "an12113", SCRIP_DESFIRE_EV3);
    struct scrip_purse_request *request = &b->request;
    request->keys = (struct scrip_purse_keys){NULL, foreign_newest};
    request->get_version = foreign_exact;
    assert_ok(scrip_link_connect(&b->link, 0, &request->card));
    assert_status(scrip_purse_run(&b->job, &scrip_purse_desfire, SCRIP_PURSE_BALANCE, request, &b->link), SCRIP_E_CARD);
    assert_int_equal(b->frames, 4);
    request->get_version = NULL; /* a terminal that has one version asks for none */
    assert_ok(scrip_link_connect(&b->link, 0, &request->card));
    assert_status(scrip_purse_run(&b->job, &scrip_purse_desfire, SCRIP_PURSE_BALANCE, request, &b->link), SCRIP_E_CARD);
    assert_int_equal(b->frames, 3);
    assert_false(b->job.result.has_key_version);
    bench_free(b);
}

/* ---- a card, or somebody on the way, that lies about its version ---- */

static uint8_t lie;

static enum scrip_status lying_transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    const size_t start = rapdu->len;
    SCRIP_TRY(bench_transmit(link, capdu, rapdu));
    if (capdu.at[1] == 0x64 && rapdu->len > start) {
        rapdu->at[start] = lie;
    }
    return SCRIP_OK;
}

static void a_lie_about_the_version_gains_nothing(void **state)
{
    (void)state;
    static const struct scrip_link_ops lying = {bench_connect, lying_transmit, bench_disconnect, bench_close};
    static const struct store three = {3, 1};
    struct bench *b = &bench;
    given_card_of(b, &old_only, "an12113", SCRIP_DESFIRE_EV3);
    b->link.ops = &lying;
    for (unsigned said = 0; said < 256; said++) {
        lie = (uint8_t)said;
        const enum scrip_status status = visit(b, &three, SCRIP_PURSE_DEBIT, 1, 0);
        assert_status(status, said == 1 ? SCRIP_OK : SCRIP_E_CARD);
        assert_true(b->frames <= (said == 1 ? 64U : 7U)); /* two keys are tried, never more */
    }
    lie = 1;
    assert_int_equal(value_on(b), 999);
    bench_free(b);
}

/* ---- faults ---- */

/* The link breaks before or after any frame of the whole visit: the next one pays, once. */
static void a_broken_link_takes_nothing_twice(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const size_t some[] = {0, 2, 5};
    for (size_t i = 0; i < 3; i++) {
        enum scrip_status status = SCRIP_E_TORN;
        for (unsigned cut = 2; status != SCRIP_OK; cut++) {
            given_card_of(b, &old_only, kinds[some[i]].profile, kinds[some[i]].generation);
            b->cut_before = cut % 2 == 0 ? cut / 2 : 0;
            b->cut_after = cut % 2 == 0 ? 0 : cut / 2;
            status = visit(b, &both, SCRIP_PURSE_DEBIT, 100, 0);
            power_back(b);
            if (status != SCRIP_OK) {
                assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ASK_AGAIN);
                assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 100, 0));
            }
            assert_int_equal(value_on(b), 900);
            bench_free(b);
        }
    }
}

/* ---- the roll-over, as the server does it ---- */

static const enum scrip_purse_role rolled[] = {SCRIP_PURSE_PAY, SCRIP_PURSE_WRITE, SCRIP_PURSE_TOPUP};

static void change_key(struct bench *b, struct scrip_desfire_tap *card, struct scrip_batch *batch, size_t i)
{
    const struct scrip_desfire_purse *purse = &b->profile.purse;
    const uint8_t numbers[] = {purse->pay_key, purse->write_key, purse->topup_key};
    uint8_t memory[SCRIP_PURSE_DIVERSIFY_MAX];
    const struct scrip_bytes m = scrip_purse_diversify_input(rolled[i], b->uid, purse->aid, memory);
    uint8_t next[16];
    uint8_t current[16];
    assert_ok(get_exact((void *)&both, rolled[i], 2, m, next));
    assert_ok(get_exact((void *)&both, rolled[i], 1, m, current));
    assert_ok(scrip_desfire_tap_change_key(card, batch, numbers[i], next, 2, current));
}

/* Answers may fail to come. */
static void roll_over(struct bench *b)
{
    static const uint8_t rnda[16] = {7};
    struct scrip_desfire_tap card;
    struct scrip_batch batch;
    struct scrip_replies replies;
    struct scrip_card_info info;
    uint8_t amk[16];
    scrip_desfire_tap_start(&card, &b->profile.purse, b->uid);
    scrip_batch_clear(&batch);
    assert_ok(scrip_link_connect(&b->link, 0, &info));
    assert_ok(get_newest((void *)&both, SCRIP_PURSE_AMK, scrip_bytes(NULL, 0), amk));
    assert_ok(scrip_desfire_tap_preamble(&card, &batch, SCRIP_PURSE_AMK));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_tap_take(&card, &replies, amk));
    scrip_batch_clear(&batch);
    assert_ok(scrip_desfire_tap_answer(&card, &batch, amk, rnda));
    assert_ok(scrip_batch_transmit(&batch, &b->link, &replies));
    assert_ok(scrip_desfire_tap_take(&card, &replies, amk));
    scrip_batch_clear(&batch);
    for (size_t i = 0; i < 3; i++) {
        change_key(b, &card, &batch, i);
    }
    (void)scrip_batch_transmit(&batch, &b->link, &replies);
    scrip_desfire_tap_wipe(&card);
}

static void after_the_roll_over_the_new_keys_do(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < KINDS; i++) {
        given_card_of(b, &old_only, kinds[i].profile, kinds[i].generation);
        assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 100, 0));
        roll_over(b);
        assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 100, 0));
        assert_false(b->job.result.has_key_version);
        assert_ok(visit(b, &new_only, SCRIP_PURSE_DEBIT, 100, 0));
        assert_status(visit(b, &old_only, SCRIP_PURSE_DEBIT, 100, 0), SCRIP_E_CARD);
        assert_int_equal(value_on(b), 700);
        bench_free(b);
    }
}

/* Power lost at any write, or the field after any frame, of a roll-over: some keys are new and some are old, and the
 * card pays and is credited all the same. */
static void a_torn_roll_over_leaves_a_card_that_pays(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const enum scrip_tear ways[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    unsigned mixed = 0, cases = 0;
    for (size_t i = 0; i < 2; i++) {
        uint64_t writes = 0;
        for (uint64_t cut = 0; cut <= writes; cut++) { /* 0: counts them */
            for (size_t way = 0; way < 3; way++) {
                given_card_of(b, &old_only, i == 0 ? "an12113" : "ev1", i == 0 ? SCRIP_DESFIRE_EV3 : SCRIP_DESFIRE_EV1);
                const uint64_t before = b->card_tearing.writes;
                if (cut > 0) {
                    scrip_nv_tear_after(&b->card_tearing, cut, ways[way]);
                }
                roll_over(b);
                writes = cut == 0 ? b->card_tearing.writes - before : writes;
                power_back(b);
                assert_ok(visit(b, &both, SCRIP_PURSE_DEBIT, 100, 0));
                const bool old_pay = b->job.result.has_key_version;
                assert_ok(visit(b, &both, SCRIP_PURSE_CREDIT, 30, 5));
                mixed += !old_pay && b->job.result.has_key_version;
                cases++;
                assert_int_equal(value_on(b), 930);
                bench_free(b);
            }
        }
        assert_true(writes >= 9);
    }
    print_message("  %u cases, %u cards with keys of both versions\n", cases, mixed);
    assert_true(mixed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_with_the_older_keys_does_all_that_others_do),
        cmocka_unit_test(the_normal_card_is_asked_nothing_more),
        cmocka_unit_test(an_older_card_costs_four_commands_more),
        cmocka_unit_test(a_version_that_the_store_lacks_is_named),
        cmocka_unit_test(the_refused_key_is_not_tried_again),
        cmocka_unit_test(a_lie_about_the_version_gains_nothing),
        cmocka_unit_test(a_broken_link_takes_nothing_twice),
        cmocka_unit_test(after_the_roll_over_the_new_keys_do),
        cmocka_unit_test(a_torn_roll_over_leaves_a_card_that_pays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
