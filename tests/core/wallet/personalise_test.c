/* Personalising a card that lies on a reader: torn anywhere the same request finishes it; a finished one is left as it
 * is; a card or an application of another kind is refused by its own name, and stays what it was. */
#include "image.h"
#include "memory.h"
#include "purse_bench.h"
#include <stdlib.h>

static struct bench bench;

#define FARE 250

struct kind {
    const char *profile;
    enum scrip_desfire_generation generation;
};

static const struct kind kinds[] = {
    {"an12113", SCRIP_DESFIRE_EV2},
    {"an12113", SCRIP_DESFIRE_EV3},
    {"an12113+smallest", SCRIP_DESFIRE_EV3},
    {"an12113+random-id", SCRIP_DESFIRE_EV3},
    {"split", SCRIP_DESFIRE_EV3},
    {"split+random-id", SCRIP_DESFIRE_EV2},
    {"ev1", SCRIP_DESFIRE_EV1},
    {"ev1", SCRIP_DESFIRE_EV3},
    {"ev1+random-id", SCRIP_DESFIRE_EV1},
    {"ev1+smallest", SCRIP_DESFIRE_EV1},
    {"plain", SCRIP_DESFIRE_EV1},
    {"plain+random-id+smallest", SCRIP_DESFIRE_EV3},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

/* ---- a request with more to say than the bench's own ---- */

struct wish {
    enum scrip_status (*get)(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16]);
    void *ctx;
    struct scrip_bytes picc_key;
    uint16_t currency;
    int32_t amount;
};

static const struct wish usual = {.get = bench_key};

static enum scrip_status init(struct bench *b, const struct wish *wish)
{
    struct scrip_purse_request *request = &b->request;
    *request = (struct scrip_purse_request){
        .profile = &b->profile,
        .keys = {wish->ctx, wish->get},
        .random = scrip_random_seeded(&b->seeded),
        .header = &b->header,
        .picc_key = wish->picc_key,
        .currency = wish->currency,
        .amount = wish->amount,
    };
    b->now_ms += 1000;
    scrip_purse_timestamp(b->now_ms, request->timestamp);
    SCRIP_TRY(scrip_link_connect(&b->link, 0, &request->card));
    const enum scrip_status status =
        scrip_purse_run(&b->job, &scrip_purse_desfire, SCRIP_PURSE_PERSONALISE, request, &b->link);
    b->request.currency = 0;
    return status;
}

/* ---- what the card holds ---- */

static void change_picc_page(struct bench *b, void (*change)(struct picc_page *picc, unsigned n), unsigned n)
{
    struct scrip_card_info info;
    struct picc_page picc;
    assert_ok(scrip_link_connect(&b->link, 0, &info));
    picc_load(&b->card, &picc);
    change(&picc, n);
    picc_store(&b->card, &picc);
    assert_ok(memory_commit(&b->card));
}

/* All that is the card's: what is before it is how changes are made. */
struct image {
    uint8_t *at;
    size_t len;
};

static struct image image_of(const struct bench *b)
{
    const size_t skip = (size_t)PAGE_PICC * NV_PAGE;
    struct image image = {.len = (size_t)b->card_memory.pages * NV_PAGE - skip};
    image.at = malloc(image.len);
    assert_non_null(image.at);
    memcpy(image.at, b->card_memory.at + skip, image.len);
    return image;
}

static void assert_unchanged(const struct bench *b, struct image *before)
{
    struct image now = image_of(b);
    assert_memory_equal(now.at, before->at, now.len);
    free(now.at);
    free(before->at);
}

/* Failed authentications are not counted: then whatever is written was asked for. */
static void count_nothing(struct picc_page *picc, unsigned n)
{
    (void)n;
    picc->fail_counting = 0;
}

/* As on a card whose deleted applications keep their memory. */
static void lose_memory(struct picc_page *picc, unsigned n)
{
    scrip_put_le16(picc->used, (uint16_t)(scrip_get_le16(picc->used) + n));
}

static void given_blank(struct bench *b, const char *profile, enum scrip_desfire_generation generation)
{
    given_fresh_card(b, profile, generation);
    change_picc_page(b, count_nothing, 0);
}

static void given_made(struct bench *b, const char *profile, enum scrip_desfire_generation generation)
{
    given_blank(b, profile, generation);
    assert_ok(init(b, &usual));
}

/* Refused in so many words, and nothing of the card has changed. */
static void assert_refused(struct bench *b, const struct wish *wish, enum scrip_purse_found found,
                           enum scrip_status status)
{
    struct image before = image_of(b);
    assert_status(init(b, wish), status);
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
    assert_int_equal(b->job.result.found, found);
    assert_false(b->job.result.begun);
    assert_false(b->job.result.committed);
    assert_unchanged(b, &before);
}

/* ---- a session of somebody else with the card ---- */

struct visitor {
    struct scrip_desfire_term term;
    struct scrip_batch batch;
    struct scrip_replies replies;
};

static void send(struct bench *b, struct visitor *v)
{
    assert_ok(scrip_batch_transmit(&v->batch, &b->link, &v->replies));
    while (scrip_desfire_term_waiting(&v->term) > 0) {
        assert_ok(scrip_desfire_term_take(&v->term, &v->replies, NULL));
    }
    scrip_batch_clear(&v->batch);
}

static void visit(struct bench *b, struct visitor *v)
{
    struct scrip_card_info info;
    assert_ok(scrip_link_connect(&b->link, 0, &info));
    scrip_desfire_term_start(&v->term);
    scrip_batch_clear(&v->batch);
}

static void authenticate(struct bench *b, struct visitor *v, const struct scrip_desfire_key *key)
{
    static const uint8_t rnda[16] = {3};
    assert_ok(scrip_desfire_term_auth_ask(&v->term, &v->batch, SCRIP_DESFIRE_SM_EV1, (enum scrip_cipher)key->cipher, 0,
                                          true));
    assert_ok(scrip_batch_transmit(&v->batch, &b->link, &v->replies));
    assert_ok(scrip_desfire_term_auth_challenge(&v->term, &v->replies));
    scrip_batch_clear(&v->batch);
    assert_ok(scrip_desfire_term_auth_answer(&v->term, &v->batch, key, rnda));
    assert_ok(scrip_batch_transmit(&v->batch, &b->link, &v->replies));
    assert_ok(scrip_desfire_term_auth_proof(&v->term, &v->replies, key));
    scrip_batch_clear(&v->batch);
}

static struct scrip_desfire_key picc_key_of_ours(void)
{
    struct scrip_desfire_key key = {.cipher = SCRIP_AES128};
    assert_ok(bench_key(NULL, SCRIP_PURSE_PICC, scrip_bytes(NULL, 0), key.bytes));
    return key;
}

/* The master key becomes another one, of any type. */
static void given_master_key(struct bench *b, const struct scrip_desfire_key *key)
{
    static const uint8_t types[] = {[SCRIP_AES128] = 0x80, [SCRIP_3K3DES] = 0x40};
    const struct scrip_desfire_key factory = {.cipher = SCRIP_DES};
    struct visitor v;
    visit(b, &v);
    authenticate(b, &v, &factory);
    assert_ok(
        scrip_desfire_change_key(&v.term, &v.batch, key->cipher < sizeof types ? types[key->cipher] : 0, key, NULL));
    send(b, &v);
}

/* An application, with one file if wanted. */
static void given_application(struct bench *b, const struct scrip_desfire_key *picc,
                              const struct scrip_desfire_application *application,
                              const struct scrip_desfire_file *file, const struct scrip_desfire_key *master)
{
    const struct scrip_desfire_key zero = {.cipher = SCRIP_AES128};
    struct visitor v;
    visit(b, &v);
    authenticate(b, &v, picc);
    assert_ok(scrip_desfire_create_application(&v.term, &v.batch, application));
    send(b, &v);
    assert_ok(scrip_desfire_select_application(&v.term, &v.batch, application->aid));
    send(b, &v);
    if (file != NULL || master != NULL) {
        authenticate(b, &v, &zero);
    }
    if (file != NULL) {
        assert_ok(scrip_desfire_create_file(&v.term, &v.batch, file));
        send(b, &v);
    }
    if (master != NULL) {
        assert_ok(scrip_desfire_change_key(&v.term, &v.batch, 0, master, NULL));
        send(b, &v);
    }
}

static const struct scrip_desfire_key factory_des = {.cipher = SCRIP_DES};

/* ---- torn ---- */

enum fault { CARD_BEFORE, CARD_AFTER, CARD_HALF, LINK_BEFORE, LINK_AFTER, FAULTS };

static void plan(struct bench *b, int fault, unsigned n)
{
    static const enum scrip_tear how[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    if (fault <= CARD_HALF) {
        scrip_nv_tear_after(&b->card_tearing, n, how[fault]);
    } else {
        b->cut_before = fault == LINK_BEFORE ? n : 0;
        b->cut_after = fault == LINK_AFTER ? n : 0;
    }
}

static bool struck(const struct bench *b, int fault, unsigned n)
{
    return fault <= CARD_HALF ? b->card_tearing.no_power : b->frames >= n;
}

/* What a tear left behind is said rightly: untouched means untouched, and nobody is told that it was accepted. */
static void check_torn(struct bench *b, struct image *before)
{
    const struct scrip_purse_result *result = &b->job.result;
    assert_int_not_equal(result->outcome, SCRIP_OUTCOME_ACCEPTED);
    assert_false(result->committed);
    if (!result->begun) {
        assert_unchanged(b, before);
    } else {
        free(before->at);
    }
}

static void check_made(struct bench *b, int32_t amount)
{
    assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
    assert_true(b->job.result.has_balance);
    assert_int_equal(b->job.result.balance, amount);
    assert_memory_equal(b->job.result.uid, b->uid, 7);
    assert_ok(tap(b, SCRIP_PURSE_HISTORY, 0, 0));
    assert_true(b->job.result.has_header);
    assert_string_equal(b->job.result.header.card_number, b->header.card_number);
    assert_int_equal(b->job.result.balance, amount);
    assert_int_equal(b->job.result.tmc, 0);
    assert_int_equal(b->job.result.entries, 2); /* one opening record in each log */
    assert_ok(tap(b, SCRIP_PURSE_CREDIT, 2 * FARE, 9));
    assert_ok(tap(b, SCRIP_PURSE_DEBIT, FARE, 0));
    assert_int_equal(balance_of(b), amount + FARE);
}

/* `again` 0: torn once; else the second attempt is torn too. */
static bool torn_case(const struct kind *kind, const struct wish *wish, const struct scrip_desfire_key *master,
                      int fault, unsigned n, unsigned again)
{
    struct bench *b = &bench;
    given_blank(b, kind->profile, kind->generation);
    if (master != NULL) {
        given_master_key(b, master);
    }
    struct image before = image_of(b);
    plan(b, fault, n);
    enum scrip_status status = init(b, wish);
    bool hit = struck(b, fault, n);
    if (status != SCRIP_OK) {
        check_torn(b, &before);
    } else {
        free(before.at);
    }
    power_back(b);
    if (again != 0) {
        plan(b, fault, again);
        status = init(b, wish);
        hit = struck(b, fault, again);
        power_back(b);
    }
    status = init(b, wish);
    if (status != SCRIP_OK) {
        fail_msg("%s: fault %d at %u, %u: %s, found %d, at %02X %04X", kind->profile, fault, n, again,
                 scrip_status_name(status), b->job.result.found, b->job.result.failure.cmd, b->job.result.failure.sw);
    }
    check_made(b, wish->amount);
    bench_free(b);
    return hit;
}

static void torn_at_any_point_the_same_request_finishes_it(void **state)
{
    (void)state;
    unsigned cases = 0;
    for (size_t i = 0; i < KINDS; i++) {
        for (int fault = 0; fault < FAULTS; fault++) {
            for (unsigned n = 1; torn_case(&kinds[i], &usual, NULL, fault, n, 0); n++) {
                cases++;
            }
        }
    }
    print_message("%u torn personalisations\n", cases);
    assert_true(cases > 3000);
}

static void torn_twice_the_third_finishes_it(void **state)
{
    (void)state;
    static const struct kind some[] = {{"an12113", SCRIP_DESFIRE_EV3}, {"ev1+random-id", SCRIP_DESFIRE_EV1}};
    unsigned cases = 0;
    for (size_t i = 0; i < 2; i++) {
        for (int fault = 0; fault < FAULTS; fault++) {
            const unsigned step = fault <= CARD_HALF ? 11 : 3;
            for (unsigned n = 1; torn_case(&some[i], &usual, NULL, fault, n, 0); n += step) {
                for (unsigned m = 1 + n % step; torn_case(&some[i], &usual, NULL, fault, n, m); m += step) {
                    cases++;
                }
            }
        }
    }
    print_message("%u pairs\n", cases);
    assert_true(cases > 1000);
}

static void a_half_made_application_is_told_from_none(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
    assert_ok(init(b, &usual));
    assert_int_equal(b->job.result.found, SCRIP_FOUND_NOTHING);
    const unsigned frames = b->frames;
    bench_free(b);
    given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
    b->cut_after = frames - 1;
    assert_status(init(b, &usual), SCRIP_E_TORN);
    assert_true(b->job.result.begun);
    power_back(b);
    assert_ok(init(b, &usual));
    assert_int_equal(b->job.result.found, SCRIP_FOUND_HALF);
    bench_free(b);
}

/* ---- done already ---- */

static void a_finished_card_is_left_as_it_is(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct wish other_amount = usual;
    other_amount.amount = 700;
    for (size_t i = 0; i < KINDS; i++) {
        given_made(b, kinds[i].profile, kinds[i].generation);
        assert_ok(tap(b, SCRIP_PURSE_CREDIT, 1000, 3));
        struct image before = image_of(b);
        assert_ok(init(b, &other_amount));
        assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_ACCEPTED);
        assert_int_equal(b->job.result.found, SCRIP_FOUND_PURSE);
        assert_int_equal(b->job.result.balance, 1000); /* what it has, not what was asked for */
        assert_int_equal(b->job.result.tmc, b->profile.purse.tmac_file != SCRIP_PURSE_NONE ? 1 : 0);
        assert_string_equal(b->job.result.header.card_number, "1234567890");
        assert_memory_equal(b->job.result.uid, b->uid, 7);
        assert_false(b->job.result.begun);
        assert_int_equal(b->job.result.failure.status, SCRIP_OK);
        assert_unchanged(b, &before);
        bench_free(b);
    }
}

static void one_that_counts_in_another_currency_is_declined(void **state)
{
    (void)state;
    struct bench *b = &bench;
    struct wish yen = usual;
    yen.currency = 392;
    given_made(b, "split", SCRIP_DESFIRE_EV3);
    assert_refused(b, &yen, SCRIP_FOUND_PURSE, SCRIP_E_CURRENCY);
    bench_free(b);
}

static void a_card_without_a_number_gets_its_uid_as_one(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const uint8_t most[7] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t none[7];
    char text[21];
    given_blank(b, "an12113+random-id", SCRIP_DESFIRE_EV3);
    b->header.card_number[0] = '\0';
    assert_ok(init(b, &usual));
    assert_ok(tap(b, SCRIP_PURSE_HISTORY, 0, 0));
    assert_string_equal(b->job.result.header.card_number, "1226146768318080"); /* 045B2C8A916E80 */
    bench_free(b);
    scrip_purse_number_of_uid(most, text);
    assert_string_equal(text, "72057594037927935");
    scrip_purse_number_of_uid(none, text);
    assert_string_equal(text, "0");
}

/* ---- another purse, other keys ---- */

static void another_profile_is_told_and_left_alone(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const char *const profiles[] = {"an12113", "an12113+smallest", "an12113+random-id", "split",
                                           "ev1",     "ev1+smallest",     "ev1+random-id",     "plain"};
    for (size_t i = 0; i < 8; i++) {
        for (size_t k = 0; k < 8; k++) {
            given_made(b, profiles[i], SCRIP_DESFIRE_EV3);
            assert_ok(scrip_desfire_profile_make(profiles[k], &b->profile));
            if (i != k) {
                assert_refused(b, &usual, SCRIP_FOUND_OTHER_PROFILE, SCRIP_E_EXISTS);
            } else {
                assert_ok(init(b, &usual));
            }
            bench_free(b);
        }
    }
}

/* A store in which the key of one role is another one. */
static enum scrip_status key_but_one(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    SCRIP_TRY(bench_key(NULL, role, m, out));
    if (role == *(const enum scrip_purse_role *)ctx) {
        out[3] ^= 1;
    }
    return SCRIP_OK;
}

static void the_key_that_is_another_one_is_named(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const enum scrip_purse_role roles[] = {SCRIP_PURSE_PAY, SCRIP_PURSE_WRITE, SCRIP_PURSE_TOPUP,
                                                  SCRIP_PURSE_ID};
    static const char *const profiles[] = {"split+random-id", "ev1+random-id"};
    for (size_t i = 0; i < 8; i++) {
        enum scrip_purse_role role = roles[i % 4];
        const struct wish other = {.get = key_but_one, .ctx = &role};
        given_made(b, profiles[i / 4], SCRIP_DESFIRE_EV3);
        assert_refused(b, &other, SCRIP_FOUND_OTHER_KEYS, SCRIP_E_EXISTS);
        assert_int_equal(b->job.result.role, role);
        bench_free(b);
    }
    enum scrip_purse_role master = SCRIP_PURSE_AMK;
    given_made(b, "an12113", SCRIP_DESFIRE_EV3);
    assert_refused(b, &(struct wish){.get = key_but_one, .ctx = &master}, SCRIP_FOUND_FOREIGN, SCRIP_E_EXISTS);
    bench_free(b);
}

static enum scrip_status key_or_none(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    return role == *(const enum scrip_purse_role *)ctx ? SCRIP_E_KEY : bench_key(NULL, role, m, out);
}

static void a_store_that_lacks_a_key_leaves_the_card_blank(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (int i = SCRIP_PURSE_AMK; i <= SCRIP_PURSE_ID; i++) {
        enum scrip_purse_role role = (enum scrip_purse_role)i;
        given_blank(b, "split+random-id", SCRIP_DESFIRE_EV3);
        assert_refused(b, &(struct wish){.get = key_or_none, .ctx = &role}, SCRIP_FOUND_NOTHING, SCRIP_E_KEY);
        assert_int_equal(b->job.result.role, role);
        assert_int_equal(b->frames, 0);
        bench_free(b);
    }
}

/* ---- somebody else's application ---- */

static void an_application_of_another_kind_is_left_alone(void **state)
{
    (void)state;
    struct bench *b = &bench;
    const struct scrip_desfire_key ours = picc_key_of_ours();
    const struct scrip_desfire_key theirs = {.cipher = SCRIP_AES128, .bytes = {0x99}};
    struct scrip_desfire_profile profile;
    assert_ok(scrip_desfire_profile_make("an12113", &profile));
    struct scrip_desfire_application same = profile.application, open = same, des = same, many = same;
    struct scrip_desfire_file other_file = profile.files[2], smaller = profile.files[0];
    open.ks1 = 0x0F;
    des.ks2 = 4;
    many.ks2++;
    other_file.no = 7;
    smaller.size = 64;
    const struct {
        const struct scrip_desfire_application *application;
        const struct scrip_desfire_file *file;
        const struct scrip_desfire_key *master;
        bool on_our_card;
    } rows[] = {
        {&same, NULL, NULL, false},       /* like ours, but the card's master key is still the factory's */
        {&same, &smaller, NULL, true},    /* a file of another size */
        {&same, &other_file, NULL, true}, /* a file that the purse does not have */
        {&open, NULL, NULL, true},        /* other settings */
        {&many, NULL, NULL, true},        /* more keys */
        {&des, NULL, NULL, true},         /* keys of another type */
        {&same, NULL, &theirs, true},     /* a key that is neither the factory's nor ours */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
        if (rows[i].on_our_card) {
            given_master_key(b, &ours);
        }
        given_application(b, rows[i].on_our_card ? &ours : &factory_des, rows[i].application, rows[i].file,
                          rows[i].master);
        assert_refused(b, &usual, SCRIP_FOUND_FOREIGN, SCRIP_E_EXISTS);
        bench_free(b);
    }
}

/* ---- the card's master key ---- */

static const struct scrip_desfire_key master_keys[] = {
    {.cipher = SCRIP_DES, .bytes = {0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE}},
    {.cipher = SCRIP_2K3DES, .bytes = {0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE, 0x22, 0x44}},
    {.cipher = SCRIP_3K3DES, .bytes = {0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE, 0x22, 0x44, 0x66}},
    {.cipher = SCRIP_AES128, .bytes = {0x10, 0x32, 0x54}},
};

static struct scrip_bytes bytes_of(const struct scrip_desfire_key *key)
{
    const size_t len = key->cipher == SCRIP_DES ? 8 : key->cipher == SCRIP_3K3DES ? 24 : 16;
    return scrip_bytes(key->bytes, len);
}

static void a_master_key_that_the_operator_names_is_taken(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < 4; i++) {
        struct wish wish = usual;
        given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
        given_master_key(b, &master_keys[i]);
        assert_refused(b, &usual, SCRIP_FOUND_MASTER_KEY, SCRIP_E_AUTH);
        assert_int_equal(b->job.result.role, SCRIP_PURSE_PICC);
        wish.picc_key = bytes_of(&master_keys[(i + 1) % 4]);
        assert_refused(b, &wish, SCRIP_FOUND_MASTER_KEY, SCRIP_E_AUTH);
        wish.picc_key = bytes_of(&master_keys[i]);
        assert_ok(init(b, &wish));
        assert_int_equal(b->job.result.failure.status, SCRIP_OK);
        check_made(b, 0);
        bench_free(b);
    }
}

static void an_empty_master_key_of_any_type_is_the_factorys(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const uint8_t ciphers[] = {SCRIP_DES, SCRIP_3K3DES, SCRIP_AES128};
    for (size_t i = 0; i < 3; i++) {
        const struct scrip_desfire_key empty = {.cipher = ciphers[i]};
        given_blank(b, "ev1", SCRIP_DESFIRE_EV1);
        given_master_key(b, &empty);
        assert_ok(init(b, &usual));
        check_made(b, 0);
        bench_free(b);
    }
}

/* Whoever wrote down the old key uses the same command again, whether the key has become ours by then or not. */
static void torn_while_the_named_key_is_replaced_it_is_finished_too(void **state)
{
    (void)state;
    unsigned cases = 0;
    for (size_t i = 0; i < 4; i++) {
        struct wish wish = usual;
        wish.picc_key = bytes_of(&master_keys[i]);
        for (int fault = 0; fault < FAULTS; fault++) {
            const unsigned step = fault <= CARD_HALF ? 7 : 1;
            for (unsigned n = 1; torn_case(&kinds[1], &wish, &master_keys[i], fault, n, 0); n += step) {
                cases++;
            }
        }
    }
    assert_true(cases > 300);
}

/* A card that hides its settings does not say of which type its master key is. */
static void a_card_that_hides_its_settings_is_tried_with_what_is_known(void **state)
{
    (void)state;
    struct bench *b = &bench;
    for (size_t i = 0; i < 4; i++) {
        struct wish wish = usual;
        struct visitor v;
        given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
        given_master_key(b, &master_keys[i]);
        visit(b, &v);
        authenticate(b, &v, &master_keys[i]);
        assert_ok(scrip_desfire_change_key_settings(&v.term, &v.batch, 0x0D));
        send(b, &v);
        assert_refused(b, &usual, SCRIP_FOUND_MASTER_KEY, SCRIP_E_AUTH);
        wish.picc_key = bytes_of(&master_keys[i]);
        assert_ok(init(b, &wish));
        check_made(b, 0);
        bench_free(b);
    }
}

/* ---- the wrong card ---- */

static void a_card_without_the_profiles_messaging_is_called_too_old(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const char *const profiles[] = {"an12113", "split", "split+random-id"};
    for (size_t i = 0; i < 3; i++) {
        given_blank(b, profiles[i], SCRIP_DESFIRE_EV1);
        assert_refused(b, &usual, SCRIP_FOUND_OLD_CARD, SCRIP_E_UNSUPPORTED);
        assert_string_equal(b->job.result.product, "MIFARE DESFire EV1");
        bench_free(b);
    }
}

static void a_light_is_no_card_to_personalise(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
    const struct scrip_desfire_identity light = {
        .generation = SCRIP_DESFIRE_LIGHT, .uid = {0x04, 1, 2, 3, 4, 5, 6}, .storage = 0x13};
    assert_ok(scrip_desfire_card_make(&b->card_nv, &light));
    assert_refused(b, &usual, SCRIP_FOUND_NO_DESFIRE, SCRIP_E_UNSUPPORTED);
    assert_string_equal(b->job.result.product, "MIFARE DESFire Light");
    bench_free(b);
}

/* Any other card with a processor. */
static enum scrip_status stranger(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    struct bench *b = (struct bench *)(void *)link;
    static const uint8_t unknown[] = {0x6D, 0x00};
    (void)capdu;
    b->frames++;
    return scrip_buf_add(rapdu, unknown, sizeof unknown);
}

static void a_card_that_is_no_desfire_is_called_that(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const struct scrip_link_ops ops = {bench_connect, stranger, bench_disconnect, bench_close};
    given_blank(b, "ev1", SCRIP_DESFIRE_EV1);
    b->link.ops = &ops;
    assert_refused(b, &usual, SCRIP_FOUND_NO_DESFIRE, SCRIP_E_UNSUPPORTED);
    assert_null(b->job.result.product);
    assert_int_equal(b->job.result.failure.sw, 0x6D00);
    assert_int_equal(b->frames, 1);
    bench_free(b);
}

/* ---- memory ---- */

static void a_product_with_too_little_memory_is_refused(void **state)
{
    (void)state;
    struct bench *b = &bench;
    given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
    const struct scrip_desfire_identity small = {
        .generation = SCRIP_DESFIRE_EV3, .uid = {0x04, 1, 2, 3, 4, 5, 6}, .storage = 0x12};
    assert_ok(scrip_desfire_card_make(&b->card_nv, &small));
    assert_refused(b, &usual, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
    assert_true(b->job.result.memory_free < b->job.result.memory_needed);
    bench_free(b);
}

static void a_card_full_of_other_applications_is_refused(void **state)
{
    (void)state;
    struct bench *b = &bench;
    const struct scrip_desfire_application other = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0x81};
    given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
    given_application(b, &factory_des, &other, NULL, NULL);
    change_picc_page(b, lose_memory, memory_pool_pages(0x18) - 10);
    assert_refused(b, &usual, SCRIP_FOUND_TOO_SMALL, SCRIP_E_LIMIT);
    assert_true(b->job.result.memory_free < b->job.result.memory_needed);
    bench_free(b);
}

/* Tears have eaten the memory of a card that has nothing else on it: formatting gives it back. */
static void a_card_that_tears_have_filled_is_formatted(void **state)
{
    (void)state;
    struct bench *b = &bench;
    static const struct kind some[] = {{"an12113", SCRIP_DESFIRE_EV3}, {"ev1", SCRIP_DESFIRE_EV1}};
    unsigned cases = 0;
    for (size_t i = 0; i < 2; i++) {
        enum scrip_status status = SCRIP_E_TORN;
        for (unsigned cut = 1; status != SCRIP_OK; cut++) {
            given_blank(b, some[i].profile, some[i].generation);
            b->cut_after = cut;
            status = init(b, &usual);
            power_back(b);
            if (status != SCRIP_OK) {
                change_picc_page(b, lose_memory, memory_pool_pages(0x18) - 10U);
                assert_ok(init(b, &usual));
                check_made(b, 0);
                cases++;
            }
            bench_free(b);
        }
    }
    assert_true(cases > 50);
}

/* The card itself says that it is full, in the middle. */
static void a_card_that_runs_full_half_way_is_called_too_small(void **state)
{
    (void)state;
    struct bench *b = &bench;
    const struct scrip_desfire_application other = {.aid = {1, 2, 3}, .ks1 = 0x0F, .ks2 = 0x81};
    unsigned begun = 0;
    for (unsigned left = 20; left < 60; left++) {
        given_blank(b, "an12113", SCRIP_DESFIRE_EV3);
        given_application(b, &factory_des, &other, NULL, NULL);
        change_picc_page(b, lose_memory, memory_pool_pages(0x18) - left);
        const enum scrip_status status = init(b, &usual);
        if (status != SCRIP_OK) {
            assert_int_equal(status, SCRIP_E_LIMIT);
            assert_int_equal(b->job.result.outcome, SCRIP_OUTCOME_DECLINED);
            assert_int_equal(b->job.result.found, SCRIP_FOUND_TOO_SMALL);
            begun += b->job.result.begun;
        } else {
            check_made(b, 0);
        }
        bench_free(b);
    }
    assert_true(begun > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torn_at_any_point_the_same_request_finishes_it),
        cmocka_unit_test(torn_twice_the_third_finishes_it),
        cmocka_unit_test(a_half_made_application_is_told_from_none),
        cmocka_unit_test(a_finished_card_is_left_as_it_is),
        cmocka_unit_test(one_that_counts_in_another_currency_is_declined),
        cmocka_unit_test(a_card_without_a_number_gets_its_uid_as_one),
        cmocka_unit_test(another_profile_is_told_and_left_alone),
        cmocka_unit_test(the_key_that_is_another_one_is_named),
        cmocka_unit_test(a_store_that_lacks_a_key_leaves_the_card_blank),
        cmocka_unit_test(an_application_of_another_kind_is_left_alone),
        cmocka_unit_test(a_master_key_that_the_operator_names_is_taken),
        cmocka_unit_test(an_empty_master_key_of_any_type_is_the_factorys),
        cmocka_unit_test(torn_while_the_named_key_is_replaced_it_is_finished_too),
        cmocka_unit_test(a_card_that_hides_its_settings_is_tried_with_what_is_known),
        cmocka_unit_test(a_card_without_the_profiles_messaging_is_called_too_old),
        cmocka_unit_test(a_light_is_no_card_to_personalise),
        cmocka_unit_test(a_card_that_is_no_desfire_is_called_that),
        cmocka_unit_test(a_product_with_too_little_memory_is_refused),
        cmocka_unit_test(a_card_full_of_other_applications_is_refused),
        cmocka_unit_test(a_card_that_tears_have_filled_is_formatted),
        cmocka_unit_test(a_card_that_runs_full_half_way_is_called_too_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
