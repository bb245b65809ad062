#include "world.h"

#include <stdio.h>

struct world world;

int set_up_profile(const char *profile)
{
    bench_open(&world.b);
    phone_open(&world.p, &world.b, profile);
    return 0;
}

int set_up(void **state)
{
    (void)state;
    return set_up_profile("an12113");
}

int set_up_ev1(void **state)
{
    (void)state;
    return set_up_profile("ev1");
}

int set_up_smallest(void **state)
{
    (void)state;
    return set_up_profile("an12113+smallest");
}

int set_up_random(void **state)
{
    (void)state;
    return set_up_profile("an12113+random-id");
}

int tear_down(void **state)
{
    (void)state;
    phone_close(&world.p);
    bench_close(&world.b);
    return 0;
}

void given_order_for_card(const char *id, int amount)
{
    given_funded_order(&world.b, id, CARD_UID, amount);
}

void assert_state(const char *order, const char *state)
{
    assert_string_equal(state_of(&world.b, order), state);
}

json_int_t balance_of_account(const char *account)
{
    char path[64];
    (void)snprintf(path, sizeof path, "balances.%s.minor", account);
    assert_int_equal(ask(&world.b, "GET", "/api/v1/ledger/balances", NULL), 200);
    return number_of(&world.b, path);
}

/* The book agrees with the card: nothing is owed in these tests, no terminal uploads later. */
void assert_balanced(int32_t on_card)
{
    assert_int_equal(phone_balance(&world.p), on_card);
    assert_int_equal(balance_of_account("CARD"), on_card);
    assert_int_equal(balance_of_account("IN_FLIGHT"), 0);
}

/* The commit is carried out, and nobody hears of it. */
void lose_the_result(const char *order)
{
    const bool ev2 = world.p.profile.purse.sm == SCRIP_DESFIRE_SM_EV2;
    const bool random_id = world.p.profile.purse.id_key != SCRIP_PURSE_NONE;
    phone_take_order(&world.p, order);
    phone_tap(&world.p);
    for (int trips = random_id ? 3 : ev2 ? 2 : 1; trips > 0; trips--) {
        assert_int_equal(phone_post(&world.p), 200);
        phone_run(&world.p);
    }
    phone_leave(&world.p);
    assert_state(order, "ISSUED");
}
