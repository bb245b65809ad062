/* Purses on MIFARE Classic, torn: power lost at every write with every block that the model of tearing knows, the same
 * without a word from the card (a weak cell), the link cut at every APDU, every frame on the air and every answer lost
 * while the card stays, the journal's memory failing; once, and once more in the visit after that. No unit is made and
 * none is lost, but for trailers, which no order of writing can save. */
#include "journal_sum.h"
#include "storage_bench.h"

static struct sb bench;

#define START 1000
#define FARE  250
#define BAD   (-1)

enum kind {
    TEAR,
    WEAK,
    CUT_BEFORE,
    CUT_AFTER,
    LOSE_FRAME,
    LOSE_ANSWER,
    JOURNAL_BEFORE,
    JOURNAL_AFTER,
    JOURNAL_HALF,
    KINDS
};

struct fault {
    enum kind kind;
    unsigned n; /* from 1; 0: none */
    enum sb_tear tear;
    unsigned mask;
};

/* The masks that a model of tearing is tried with: those without a mask once. */
static unsigned masks_of(enum sb_tear tear, unsigned masks)
{
    return tear >= SB_OLD_AND ? masks : 1;
}

/* The next fault of the enumeration. `was_hit`: the last one struck, so that there may be one more of its kind. */
static bool next_fault(struct fault *fault, bool was_hit, unsigned masks)
{
    if (fault->kind <= WEAK && was_hit) {
        if (++fault->mask < masks_of(fault->tear, masks)) {
            return true;
        }
        fault->mask = 0;
        fault->tear = (enum sb_tear)(fault->tear + 1);
        if (fault->tear < SB_TEARS) {
            return true;
        }
        fault->tear = SB_OLD;
    }
    if (was_hit) {
        fault->n++;
        return true;
    }
    *fault = (struct fault){.kind = (enum kind)(fault->kind + 1), .n = 1};
    return fault->kind < KINDS;
}

static void plan(struct sb *b, const struct fault *fault)
{
    static const enum scrip_tear how[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    b->writes = 0;
    b->tear_at = fault->kind <= WEAK ? fault->n : 0;
    b->weak = fault->kind == WEAK;
    b->tear = fault->tear;
    b->mask_state = 77 + fault->mask;
    b->cut_before = fault->kind == CUT_BEFORE ? fault->n : 0;
    b->cut_after = fault->kind == CUT_AFTER ? fault->n : 0;
    b->lose_frame = fault->kind == LOSE_FRAME ? fault->n : 0;
    b->lose_answer = fault->kind == LOSE_ANSWER ? fault->n : 0;
    if (fault->kind >= JOURNAL_BEFORE && fault->n > 0) {
        scrip_nv_tear_after(&b->journal_tearing, fault->n, how[fault->kind - JOURNAL_BEFORE]);
    }
}

static bool struck(const struct sb *b, const struct fault *fault)
{
    switch (fault->kind) {
    case TEAR:
        return b->dark;
    case WEAK:
        return fault->n > 0 && b->writes >= fault->n;
    case CUT_BEFORE:
    case CUT_AFTER:
        return b->apdus >= fault->n;
    case LOSE_FRAME:
    case LOSE_ANSWER:
        return b->frames >= fault->n;
    default:
        return b->journal_tearing.no_power;
    }
}

/* ---- scenes ---- */

struct scene {
    const char *purse;
    enum scrip_purse_operation operation;
    int32_t main, backup; /* what the card holds at the beginning */
    int32_t begins;       /* what that is worth */
    int32_t ends;
};

static struct {
    uint8_t pages[SB_PAGES][SCRIP_NV_PAGE];
} image;

static void put_copy(struct sb *b, uint8_t block, int32_t value)
{
    if (b->purse.kind == SCRIP_STORAGE_BCD) {
        assert_ok(scrip_bcd_block_put(value == BAD ? 77 : value, sb_block(b, block)));
    } else {
        scrip_classic_value_put(value == BAD ? 77 : value, b->purse.main_block, sb_block(b, block));
    }
    sb_block(b, block)[3] ^= value == BAD ? 0x20 : 0;
}

static void given_scene(const struct scene *scene)
{
    struct sb *b = &bench;
    sb_fresh(b, scene->purse, "01020304", false);
    if (scene->operation != SCRIP_PURSE_PERSONALISE) {
        assert_ok(sb_tap(b, SCRIP_PURSE_PERSONALISE, 1, 0));
        put_copy(b, b->purse.main_block, scene->main);
        put_copy(b, b->purse.backup_block, scene->backup);
    }
    memcpy(image.pages, b->pages, sizeof image.pages);
}

static void restore(struct sb *b)
{
    sb_new_journal(b);
    memcpy(b->pages, image.pages, sizeof image.pages);
    memset(&b->request, 0, sizeof b->request);
    b->version = 0;
    sb_power_back(b);
}

/* Is this key of the trailer one that anybody has: the transport key, the old one, the new one? */
static bool is_known(const struct sb *b, const uint8_t *key, bool key_b)
{
    static const uint8_t transport[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    static const uint8_t uid[] = {1, 2, 3, 4};
    const struct scrip_storage_key *want = key_b ? &b->purse.key_b : &b->purse.key_a;
    bool known = memcmp(key, transport, sizeof transport) == 0;
    for (uint8_t version = 0; version < 2; version++) {
        uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
        uint8_t own[16];
        const struct scrip_bytes input = want->diversified
                                             ? scrip_storage_diversify_input(SCRIP_BYTES_OF(uid), b->purse.sector, m)
                                             : scrip_bytes(NULL, 0);
        assert_ok(sb_key_of(version, (enum scrip_purse_role)want->role, input, own));
        known = known || memcmp(key, own, 6) == 0;
    }
    return known;
}

/* The one loss that is allowed: a torn trailer whose access bits do not match, or that no key may write any more. */
static bool is_locked(struct sb *b)
{
    struct scrip_classic_trailer trailer;
    struct scrip_classic_access access;
    scrip_classic_trailer_get(sb_block(b, b->purse.trailer_block), &trailer);
    if (scrip_classic_access_get(trailer.access, &access) != SCRIP_OK) {
        return true;
    }
    const bool a_writes = scrip_classic_may(access.group[3], SCRIP_CLASSIC_MAY_WRITE_KEY_A, false);
    const bool b_writes = scrip_classic_may(access.group[3], SCRIP_CLASSIC_MAY_WRITE_KEY_A, true) &&
                          scrip_classic_key_b_usable(access.group[3]);
    return !(a_writes && is_known(b, trailer.key_a, false)) && !(b_writes && is_known(b, trailer.key_b, true));
}

static void say(const struct scene *scene, const struct fault *first, const struct fault *second, const char *what)
{
    fail_msg("%s %s %d/%d: fault %d at %u (%d, %u), then %d at %u (%d, %u): %s: %s, balance %d", scene->purse,
             scrip_purse_operation_name(scene->operation), scene->main, scene->backup, first->kind, first->n,
             first->tear, first->mask, second->kind, second->n, second->tear, second->mask, what,
             scrip_status_name(bench.job.result.status), bench.job.result.balance);
}

/* A terminal that loses power behind the very write that says "done" or "found" has said so to nobody: it comes back,
 * the line is settled, and the customer's next tap is a new purchase. Card and journal agree all the same. */
static int32_t paid_more(const struct scene *scene, const struct fault *first, const struct fault *second)
{
    const int32_t times = (first->n > 0 && first->kind == JOURNAL_AFTER ? 1 : 0) +
                          (second->n > 0 && second->kind == JOURNAL_AFTER ? 1 : 0);
    return scene->operation == SCRIP_PURSE_DEBIT ? times * FARE : 0;
}

/* A credit on a card without a tag that seems not to have happened: it waits, and the operator, who sees the balance,
 * makes a new order. */
static uint32_t reference;

static bool operator_decides(const struct scene *scene)
{
    struct sb *b = &bench;
    if (scene->operation != SCRIP_PURSE_CREDIT || b->purse.kind != SCRIP_STORAGE_BCD ||
        b->job.result.status != SCRIP_E_WAIT) {
        return false;
    }
    assert_int_equal(b->job.result.balance, scene->begins);
    reference++;
    return true;
}

static bool attempt(const struct scene *scene, const struct fault *fault, bool *hit)
{
    struct sb *b = &bench;
    const int32_t amount =
        scene->operation == SCRIP_PURSE_PERSONALISE || scene->operation == SCRIP_PURSE_FORCE_INIT ? scene->ends : FARE;
    plan(b, fault);
    const enum scrip_status status = sb_tap(b, scene->operation, amount, reference);
    *hit = struck(b, fault);
    sb_power_back(b);
    (void)operator_decides(scene);
    return (status == SCRIP_OK && b->job.result.outcome == SCRIP_OUTCOME_ACCEPTED) ||
           (status == SCRIP_E_EXISTS && scene->operation == SCRIP_PURSE_CREDIT); /* and known to be */
}

/* The card in the end: debits and credits happened once, everything else left the value alone. */
static void settle_up(const struct scene *scene, const struct fault *first, const struct fault *second)
{
    struct sb *b = &bench;
    unsigned open = 0;
    b->version = scene->operation == SCRIP_PURSE_REKEY ? 1 : 0;
    const enum scrip_status recovered = sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0);
    const unsigned waiting = reference - 9; /* orders that the operator gave up */
    if (recovered != (waiting > 0 ? SCRIP_E_WAIT : SCRIP_OK)) {
        say(scene, first, second, "recover");
    }
    const bool moves = scene->operation == SCRIP_PURSE_DEBIT || scene->operation == SCRIP_PURSE_CREDIT;
    const int32_t sum = journal_taken(&b->journal, &open);
    const int32_t balance = sb_balance(b);
    const int32_t more = scene->ends - balance;
    const bool once = more >= 0 && more <= paid_more(scene, first, second) && more % FARE == 0;
    if (!once || open != waiting || (moves && sum != scene->begins - balance)) {
        say(scene, first, second, "not once");
    }
}

/* Two faults in the first two visits, then as many visits as it takes. @return what was hit */
static void one_case(const struct scene *scene, const struct fault *first, const struct fault *second, bool *hit_first,
                     bool *hit_second, unsigned *locked)
{
    static const struct fault none = {.n = 0};
    struct sb *b = &bench;
    bool ignored = false;
    restore(b);
    reference = 9;
    *hit_second = false;
    bool done = attempt(scene, first, hit_first);
    if (!done && *hit_first && second->n > 0) {
        done = attempt(scene, second, hit_second);
    }
    for (unsigned n = 0; !done && n < 5; n++) {
        done = attempt(scene, &none, &ignored);
    }
    const bool writes_trailer = scene->operation == SCRIP_PURSE_PERSONALISE || scene->operation == SCRIP_PURSE_REKEY;
    if (!done && writes_trailer && is_locked(b)) {
        (*locked)++;
        return;
    }
    if (!done && !(paid_more(scene, first, second) > 0 && b->job.result.status == SCRIP_E_FUNDS)) {
        say(scene, first, second, "never accepted");
    }
    settle_up(scene, first, second);
}

struct count {
    unsigned cases, pairs, locked;
};

static void all_faults(const struct scene *scene, bool pairs, unsigned masks, struct count *count)
{
    const struct fault none = {.n = 0};
    struct fault first = {.kind = TEAR, .n = 1};
    bool hit = false;
    bool hit_second = false;
    given_scene(scene);
    do {
        one_case(scene, &first, &none, &hit, &hit_second, &count->locked);
        count->cases += hit ? 1 : 0;
        struct fault second = {.kind = TEAR, .n = 1};
        bool hit_first = hit;
        while (pairs && hit && hit_first) {
            one_case(scene, &first, &second, &hit_first, &hit_second, &count->locked);
            count->pairs += hit_second ? 1 : 0;
            if (!next_fault(&second, hit_second, 1)) {
                break;
            }
        }
    } while (next_fault(&first, hit, masks));
    sb_free(&bench);
}

static void run(const char *title, const struct scene *scenes, size_t scene_count, bool pairs, bool may_lock)
{
    struct count count = {0};
    for (size_t i = 0; i < scene_count; i++) {
        all_faults(&scenes[i], pairs, 6, &count);
    }
    print_message("%s: %u single faults, %u pairs, %u locked by a torn trailer\n", title, count.cases, count.pairs,
                  count.locked);
    assert_true(count.cases > 0);
    assert_true(!pairs || count.pairs > count.cases);
    assert_true(may_lock || count.locked == 0);
}

#define RUN(title, scenes, pairs, may_lock) run(title, scenes, sizeof(scenes) / sizeof((scenes)[0]), pairs, may_lock)

static void a_torn_debit_happens_once(void **state)
{
    static const struct scene scenes[] = {
        {"classic", SCRIP_PURSE_DEBIT, START, START, START, START - FARE},
        {"bcd", SCRIP_PURSE_DEBIT, START, START, START, START - FARE},
        {"bcd+hardened", SCRIP_PURSE_DEBIT, START, START, START, START - FARE},
        {"classic", SCRIP_PURSE_DEBIT, FARE, FARE, FARE, 0},
        {"bcd", SCRIP_PURSE_DEBIT, FARE, FARE, FARE, 0},
    };
    (void)state;
    RUN("debit", scenes, true, false);
}

static void a_torn_credit_happens_once(void **state)
{
    static const struct scene scenes[] = {
        {"classic", SCRIP_PURSE_CREDIT, START, START, START, START + FARE},
        {"bcd", SCRIP_PURSE_CREDIT, START, START, START, START + FARE},
        {"bcd+hardened", SCRIP_PURSE_CREDIT, 0, 0, 0, FARE},
    };
    (void)state;
    RUN("credit", scenes, true, false);
}

/* What an earlier tear left, and what the original BCD code leaves: it repairs no backup that is merely old. */
static void a_debit_on_a_card_torn_before_is_torn_again(void **state)
{
    static const struct scene scenes[] = {
        {"classic", SCRIP_PURSE_DEBIT, START, START + 70, START, START - FARE},
        {"classic", SCRIP_PURSE_DEBIT, START, BAD, START, START - FARE},
        {"classic", SCRIP_PURSE_DEBIT, BAD, START, START, START - FARE},
        {"bcd", SCRIP_PURSE_DEBIT, START, START + 70, START, START - FARE},
        {"bcd", SCRIP_PURSE_DEBIT, START, START - FARE, START, START - FARE},
        {"bcd", SCRIP_PURSE_DEBIT, START, BAD, START, START - FARE},
        {"bcd", SCRIP_PURSE_DEBIT, BAD, START, START, START - FARE},
    };
    (void)state;
    RUN("debit after a tear", scenes, true, false);
}

static void a_torn_repair_is_repaired(void **state)
{
    static const struct scene scenes[] = {
        {"classic", SCRIP_PURSE_RECOVER, START, START + 70, START, START},
        {"classic", SCRIP_PURSE_RECOVER, START, BAD, START, START},
        {"classic", SCRIP_PURSE_RECOVER, BAD, START, START, START},
        {"bcd", SCRIP_PURSE_RECOVER, START, 0, START, START},
        {"bcd", SCRIP_PURSE_RECOVER, START, BAD, START, START},
        {"bcd", SCRIP_PURSE_RECOVER, BAD, START, START, START},
        {"bcd+hardened", SCRIP_PURSE_RECOVER, BAD, START, START, START},
        {"bcd", SCRIP_PURSE_BALANCE, BAD, START, START, START},
        {"classic", SCRIP_PURSE_BALANCE, BAD, START, START, START},
    };
    (void)state;
    RUN("repair", scenes, true, false);
}

static void a_torn_initialisation_is_done_again(void **state)
{
    static const struct scene scenes[] = {
        {"classic", SCRIP_PURSE_PERSONALISE, 0, 0, 0, 500},
        {"bcd", SCRIP_PURSE_PERSONALISE, 0, 0, 0, 0},
        {"bcd+hardened", SCRIP_PURSE_PERSONALISE, 0, 0, 0, 500},
    };
    (void)state;
    RUN("initialise", scenes, true, true);
}

static void a_torn_change_of_keys_is_completed(void **state)
{
    static const struct scene scenes[] = {
        {"classic", SCRIP_PURSE_REKEY, START, START, START, START},
        {"classic", SCRIP_PURSE_REKEY, START, BAD, START, START},
        {"bcd", SCRIP_PURSE_REKEY, START, START, START, START},
        {"bcd", SCRIP_PURSE_REKEY, BAD, START, START, START},
        {"bcd+hardened", SCRIP_PURSE_REKEY, START, START, START, START},
    };
    (void)state;
    RUN("rekey", scenes, true, true);
}

/* A forced value is torn like any other: before its first copy is whole the operator does it again. */
static void a_torn_force_init_is_done_again_or_recovered(void **state)
{
    static const char *const purses[] = {"classic", "bcd", "bcd+hardened"};
    struct sb *b = &bench;
    unsigned cases = 0;
    (void)state;
    for (size_t i = 0; i < sizeof purses / sizeof purses[0]; i++) {
        const struct scene scene = {purses[i], SCRIP_PURSE_FORCE_INIT, BAD, BAD, 0, 640};
        struct fault fault = {.kind = TEAR, .n = 1};
        bool hit = false;
        given_scene(&scene);
        do {
            restore(b);
            memcpy(b->request.copies[0], sb_block(b, b->purse.main_block), 16);
            memcpy(b->request.copies[1], sb_block(b, b->purse.backup_block), 16);
            (void)attempt(&scene, &fault, &hit);
            cases += hit ? 1 : 0;
            if (sb_tap(b, SCRIP_PURSE_RECOVER, 0, 0) == SCRIP_E_CORRUPT) {
                memcpy(b->request.copies, b->job.result.copies, sizeof b->request.copies);
                assert_ok(sb_tap(b, SCRIP_PURSE_FORCE_INIT, 640, 0));
            }
            assert_int_equal(sb_balance(b), 640);
        } while (next_fault(&fault, hit, 6));
        sb_free(b);
    }
    print_message("force-init: %u single faults\n", cases);
    assert_true(cases > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_debit_happens_once),
        cmocka_unit_test(a_torn_credit_happens_once),
        cmocka_unit_test(a_debit_on_a_card_torn_before_is_torn_again),
        cmocka_unit_test(a_torn_repair_is_repaired),
        cmocka_unit_test(a_torn_initialisation_is_done_again),
        cmocka_unit_test(a_torn_change_of_keys_is_completed),
        cmocka_unit_test(a_torn_force_init_is_done_again_or_recovered),
    };
    return cmocka_run_group_tests_name("storage_tear", tests, NULL, NULL);
}
