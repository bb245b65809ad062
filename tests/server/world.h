/* world.h: the world of the tests over the air: one server, and one phone with its card. */
#ifndef SCRIP_TEST_SERVER_WORLD_H
#define SCRIP_TEST_SERVER_WORLD_H

#include "phone.h"

extern struct world {
    struct bench b;
    struct phone p;
} world;

/** A fresh world with a card of this profile; for cmocka, of those that most tests want. */
int set_up_profile(const char *profile);
int set_up(void **state);
int set_up_ev1(void **state);
int set_up_smallest(void **state);
int set_up_random(void **state);
int tear_down(void **state);

#define TEST(name)          cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_EV1(name)      cmocka_unit_test_setup_teardown(name, set_up_ev1, tear_down)
#define TEST_RANDOM(name)   cmocka_unit_test_setup_teardown(name, set_up_random, tear_down)
#define TEST_SMALLEST(name) cmocka_unit_test_setup_teardown(name, set_up_smallest, tear_down)

/** A funded order for the phone's card. */
void given_order_for_card(const char *id, int amount);

void assert_state(const char *order, const char *state);

/** Minor units, as the API tells them. */
json_int_t balance_of_account(const char *account);

/** The book agrees with the card: nothing is owed in these tests, no terminal uploads later. */
void assert_balanced(int32_t on_card);

/** A tap in which the commit is carried out, and nobody hears of it. */
void lose_the_result(const char *order);

#endif
