/* Is there any way to value? Random visits of one card at two terminals, with everything failing: the native purse and
 * the BCD wallet. More of it: money_test EPISODES [SEED]. */
#include "money_search.h"
#include "storage_bench.h"

enum { BEGINS = 50000000, AMOUNTS = 12 };

static struct sb bench;
static unsigned long episodes, first_seed;
static enum ms_fault planned;
static unsigned planned_n;

static void seat(struct ms *ms, struct scrip_nv_memory *memory)
{
    (void)ms;
    bench.journal_nv = scrip_nv_tearing(&bench.journal_tearing, scrip_nv_memory(memory), 3);
    assert_ok(scrip_journal_open(&bench.journal, &bench.journal_nv));
}

static void plan(struct ms *ms, enum ms_fault fault, unsigned n, unsigned how)
{
    static const enum scrip_tear tears[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    (void)ms;
    planned = fault;
    planned_n = n;
    bench.tear_at = fault == MS_CARD ? n : 0;
    bench.tear = (enum sb_tear)(how % SB_TEARS);
    bench.weak = how / SB_TEARS % 3 == 0;
    bench.mask_state = how;
    bench.cut_before = fault == MS_CUT_BEFORE ? n : 0;
    bench.cut_after = fault == MS_CUT_AFTER ? n : 0;
    bench.lose_frame = fault == MS_FRAME ? n : 0;
    bench.lose_answer = fault == MS_ANSWER ? n : 0;
    if (fault == MS_JOURNAL) {
        scrip_nv_tear_after(&bench.journal_tearing, n, tears[how % 3]);
    }
}

static bool struck(void)
{
    switch (planned) {
    case MS_CARD:
        return bench.writes >= planned_n;
    case MS_CUT_BEFORE:
    case MS_CUT_AFTER:
        return bench.apdus >= planned_n;
    case MS_FRAME:
    case MS_ANSWER:
        return bench.frames >= planned_n;
    case MS_JOURNAL:
        return bench.journal_tearing.no_power;
    default:
        return false;
    }
}

static bool visit(struct ms *ms, enum scrip_purse_operation operation, int32_t amount, uint32_t reference,
                  struct scrip_purse_result *result)
{
    (void)ms;
    bench.writes = 0;
    (void)sb_tap(&bench, operation, amount, reference);
    *result = bench.job.result;
    const bool hit = struck();
    sb_power_back(&bench);
    return hit;
}

static bool copy_value(uint8_t block, int32_t *value)
{
    uint8_t address;
    const uint8_t *at = sb_block(&bench, block);
    return (bench.purse.kind == SCRIP_STORAGE_BCD ? scrip_bcd_block_get(at, value)
                                                  : scrip_classic_value_get(at, value, &address)) == SCRIP_OK;
}

static bool worth(struct ms *ms, int32_t *value)
{
    (void)ms;
    return copy_value(bench.purse.main_block, value) || copy_value(bench.purse.backup_block, value);
}

static void search(const char *purse, bool same, bool may_lose)
{
    struct ms ms = {.name = purse,
                    .begins = BEGINS,
                    .most = same ? MS_STEPS : AMOUNTS,
                    .credits = true,
                    .same = same,
                    .may_lose = may_lose,
                    .seat = seat,
                    .plan = plan,
                    .visit = visit,
                    .worth = worth};
    for (unsigned long i = 0; i < episodes; i++) {
        sb_fresh(&bench, purse, "01020304", false);
        bench.purse.upper = SCRIP_BCD_MAX;
        assert_ok(sb_tap(&bench, SCRIP_PURSE_PERSONALISE, BEGINS, 0));
        scrip_nv_memory_free(&bench.journal_memory);
        ms_episode(&ms, first_seed + i);
    }
    print_message("%s: %u visits, %u of them with a fault that struck\n", purse, ms.visits, ms.struck);
    assert_true(ms.struck > ms.visits / 5);
}

static void no_sequence_of_visits_makes_or_loses_value_on_the_native_purse(void **state)
{
    (void)state;
    search("classic", false, false);
}

static void no_sequence_of_visits_makes_or_loses_value_on_the_bcd_wallet(void **state)
{
    (void)state;
    search("bcd", false, false);
    search("bcd+hardened", false, false);
}

static void a_gate_and_a_till_with_one_price_give_nothing_away(void **state)
{
    (void)state;
    search("classic", true, false);
    search("bcd", true, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_sequence_of_visits_makes_or_loses_value_on_the_native_purse),
        cmocka_unit_test(no_sequence_of_visits_makes_or_loses_value_on_the_bcd_wallet),
        cmocka_unit_test(a_gate_and_a_till_with_one_price_give_nothing_away),
    };
    episodes = ms_argument(argc, argv, 1, 300);
    first_seed = ms_argument(argc, argv, 2, 1);
    return cmocka_run_group_tests_name("money", tests, NULL, NULL);
}
