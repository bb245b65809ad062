/* How often a customer waits: requests, and round trips with the card in the field, counted by the phone. */
#include "check.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

static struct world *world;
static struct plan plan;
static const struct world_options ordinary = {false, false};

struct counted {
    unsigned requests, waits;
};

static struct scene *given_scene(const char *profile)
{
    char why[WORLD_SUMMARY] = "";
    struct scene *scene = scene_make(profile, false, why, sizeof why);
    if (scene == NULL) {
        fail_msg("scene %s: %s", profile, why);
    }
    return scene;
}

/* A phone brings an order to the card. */
static struct counted bring(const char *order, bool fetches)
{
    world_order(world, order, SCRIP_KIND_TOPUP, ORDER_AMOUNT);
    struct phone *phone = world_phone(world, order);
    assert_non_null(phone);
    phone->fetches = fetches;
    world_phone_run(world, phone);
    const struct scrip_relay_counts *counts = scrip_relay_counts(&phone->relay);
    return (struct counted){counts->requests, counts->waits};
}

static void assert_confirmed(const char *order)
{
    assert_false(world->broken);
    assert_string_equal(scrip_settle_state_name(world_state(world, order)), "CONFIRMED");
}

/* One top-up of a card of this profile. */
static void assert_topup(const char *profile, bool fetches, unsigned requests, unsigned waits)
{
    struct scene *scene = given_scene(profile);
    memset(&plan, 0, sizeof plan);
    world_begin(world, scene, &plan, &ordinary, 1);
    const struct counted got = bring("first", fetches);
    assert_confirmed("first");
    print_message("%-20s %s: %u requests, %u waits\n", profile, fetches ? "preamble fetched" : "preamble known",
                  got.requests, got.waits);
    assert_int_equal(got.requests, requests);
    assert_int_equal(got.waits, waits);
    world_end(world);
    scene_free(scene);
}

static uint16_t last_point(enum point kind)
{
    for (uint16_t i = plan.points; i > 0; i--) {
        if (plan.kind[i - 1] == kind) {
            return (uint16_t)(i - 1);
        }
    }
    fail_msg("no such point");
    return 0;
}

/* A top-up whose report was lost, phone and all; then the next one of the same card. */
static void assert_topup_after_open_one(const char *profile, unsigned requests, unsigned waits)
{
    struct scene *scene = given_scene(profile);
    memset(&plan, 0, sizeof plan);
    world_begin(world, scene, &plan, &ordinary, 1);
    (void)bring("first", false);
    const uint16_t upload = last_point(POINT_REQUEST);
    world_end(world);

    memset(&plan, 0, sizeof plan);
    plan.count = 1;
    plan.planned[0] = (struct planned){(uint16_t)(upload - 1), FAULT_phone_lost};
    world_begin(world, scene, &plan, &ordinary, 1);
    (void)bring("first", false);
    assert_int_equal(plan.fired, 1);
    assert_string_equal(scrip_settle_state_name(world_state(world, "first")), "ISSUED");
    const struct counted got = bring("second", false);
    if (world_state(world, "first") != SCRIP_STATE_CONFIRMED) {
        print_error("HTTP %d: %.*s\n", world->response.status, (int)world->response.body_len,
                    (const char *)world->response.body);
    }
    assert_confirmed("first");
    assert_confirmed("second");
    print_message("%-20s after an open one: %u requests, %u waits\n", profile, got.requests, got.waits);
    assert_int_equal(got.requests, requests);
    assert_int_equal(got.waits, waits);
    world_end(world);
    scene_free(scene);
}

static void an_ev2_topup_waits_twice(void **state)
{
    (void)state;
    assert_topup("an12113", false, 3, 2);
    assert_topup("split", false, 3, 2);
}

static void an_ev1_topup_waits_once(void **state)
{
    (void)state;
    assert_topup("ev1", false, 2, 1);
}

static void fetching_the_preamble_costs_a_request_and_no_wait(void **state)
{
    (void)state;
    assert_topup("an12113", true, 4, 2);
    assert_topup("ev1", true, 3, 1);
}

static void settling_an_earlier_order_costs_one_wait(void **state)
{
    (void)state;
    assert_topup_after_open_one("an12113", 4, 3);
    assert_topup_after_open_one("ev1", 3, 2);
}

static void a_card_with_random_id_waits_three_times(void **state)
{
    (void)state;
    assert_topup("an12113+random-id", false, 4, 3);
}

static int make_world(void **state)
{
    (void)state;
    world = calloc(1, sizeof *world);
    return world == NULL;
}

static int free_world(void **state)
{
    (void)state;
    scrip_response_free(&world->response);
    free(world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ev2_topup_waits_twice),
        cmocka_unit_test(an_ev1_topup_waits_once),
        cmocka_unit_test(fetching_the_preamble_costs_a_request_and_no_wait),
        cmocka_unit_test(settling_an_earlier_order_costs_one_wait),
        cmocka_unit_test(a_card_with_random_id_waits_three_times),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
