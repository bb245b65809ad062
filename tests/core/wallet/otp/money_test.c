/* Is there any way to value, or to lose some? Random visits of one card at two terminals, with everything failing: the
 * one-time wallet. More of it: wallet_otp_money_test EPISODES [SEED]. */
#include "bench.h"
#include "money_search.h"

enum { UNIT = 1, UNITS = 4200, AMOUNTS = 6 };

static struct ob bench;
static unsigned long episodes, first_seed;
static enum ms_fault planned;
static unsigned planned_n;

static void seat(struct ms *ms, struct scrip_nv_memory *memory)
{
    struct sb *s = &bench.sb;
    (void)ms;
    s->journal_nv = scrip_nv_tearing(&s->journal_tearing, scrip_nv_memory(memory), 3);
    assert_ok(scrip_journal_open(&s->journal, &s->journal_nv));
}

static void plan(struct ms *ms, enum ms_fault fault, unsigned n, unsigned how)
{
    static const enum scrip_tear tears[] = {SCRIP_TEAR_BEFORE, SCRIP_TEAR_AFTER, SCRIP_TEAR_HALF};
    struct sb *s = &bench.sb;
    (void)ms;
    planned = fault;
    planned_n = n;
    s->cut_before = fault == MS_CUT_BEFORE ? n : 0;
    s->cut_after = fault == MS_CUT_AFTER ? n : 0;
    s->lose_frame = fault == MS_FRAME ? n : 0;
    s->lose_answer = fault == MS_ANSWER ? n : 0;
    if (fault == MS_CARD) {
        otp_tear_plan(&bench.tear, 1 + n % 2, (enum otp_tear_how)(how % 3), how / 3);
    } else if (fault == MS_JOURNAL) {
        scrip_nv_tear_after(&s->journal_tearing, n, tears[how % 3]);
    }
}

static bool struck(void)
{
    switch (planned) {
    case MS_CARD:
        return bench.tear.no_power;
    case MS_CUT_BEFORE:
    case MS_CUT_AFTER:
        return bench.sb.apdus >= planned_n;
    case MS_FRAME:
    case MS_ANSWER:
        return bench.sb.frames >= planned_n;
    case MS_JOURNAL:
        return bench.sb.journal_tearing.no_power;
    default:
        return false;
    }
}

static bool visit(struct ms *ms, enum scrip_purse_operation operation, int32_t amount, uint32_t reference,
                  struct scrip_purse_result *result)
{
    (void)ms;
    (void)reference;
    (void)ob_tap(&bench, operation, amount);
    *result = bench.sb.job.result;
    const bool hit = struck();
    ob_power_back(&bench);
    return hit;
}

static bool worth(struct ms *ms, int32_t *value)
{
    (void)ms;
    *value = UNIT * (UNITS - (int32_t)ob_used(&bench));
    return true;
}

static void no_sequence_of_visits_makes_or_loses_value(void **state)
{
    struct ms ms = {.name = "otp",
                    .begins = UNIT * UNITS,
                    .most = AMOUNTS,
                    .seat = seat,
                    .plan = plan,
                    .visit = visit,
                    .worth = worth};
    (void)state;
    for (unsigned long i = 0; i < episodes; i++) {
        ob_sold(&bench, UNIT, UNITS);
        scrip_nv_memory_free(&bench.sb.journal_memory);
        ms_episode(&ms, first_seed + i);
        assert_int_equal(bench.tear.backwards, 0);
        scrip_nv_memory_free(&bench.memory);
    }
    print_message("otp: %u visits, %u of them with a fault that struck\n", ms.visits, ms.struck);
    assert_true(ms.struck > ms.visits / 5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_sequence_of_visits_makes_or_loses_value)};
    episodes = ms_argument(argc, argv, 1, 300);
    first_seed = ms_argument(argc, argv, 2, 1);
    return cmocka_run_group_tests_name("otp_money", tests, NULL, NULL);
}
