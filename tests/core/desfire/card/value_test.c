#include "bench.h"

static void credit_past_the_upper_limit_changes_nothing(void **state)
{
    struct bench *b = *state;
    given_session(b);
    given_value_file(b, 3, 0, 100, 90);

    assert_df(do_credit(b, 3, 11), DF_BOUNDARY_ERROR);
    assert_df(authenticate(b, SCRIP_DESFIRE_SM_EV2, 0, ZERO_KEY), DF_OK);
    assert_df(do_credit(b, 3, 10), DF_OK);
    assert_int_equal(value_of(b, 3), 90); /* not before the commit */
    assert_df(do_commit(b), DF_OK);
    assert_int_equal(value_of(b, 3), 100);
}

static int setup(void **state)
{
    *state = bench_new(SCRIP_DESFIRE_EV3);
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(credit_past_the_upper_limit_changes_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
