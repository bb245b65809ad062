/* UIDs of seven bytes, and what PersonalizeUIDUsage makes of them. */
#include "bench.h"

static void a_long_uid_gives_its_last_four_bytes_to_the_cipher(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    assert_ok(select_card(b));
    assert_hex(scrip_bytes(b->target.uid, b->target.uid_len), "04183F09321B85");
    assert_ok(do_auth(b, false, 4, KEY_FF));
    assert_ok(do_read(b, 4, data));
    assert_ok(select_card(b));
    memcpy(b->target.uid + 3, b->target.uid, 4); /* the first four instead */
    assert_status(do_auth(b, false, 4, KEY_FF), SCRIP_E_AUTH);
}

static void personalize(struct bench *b, uint8_t option)
{
    given_session(b, false, 0, KEY_FF);
    assert_ok(do_personalize(b, option));
}

static void the_choice_counts_from_the_next_power_on(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    personalize(b, SCRIP_CLASSIC_UIDF3);
    assert_ok(do_read(b, 0, data)); /* the session goes on */
    assert_ok(select_card(b));
    assert_int_equal(b->target.uid_len, 7);
    power_cycle(b);
    assert_ok(select_card(b));
    assert_int_equal(b->target.uid_len, 4);
}

static void a_short_number_is_computed_from_the_long_one(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    personalize(b, SCRIP_CLASSIC_UIDF3);
    for (int i = 0; i < 2; i++) {
        power_cycle(b);
        assert_ok(select_card(b));
        assert_hex(scrip_bytes(b->target.uid, b->target.uid_len), "4F505D7D");
        assert_ok(do_auth(b, false, 0, KEY_FF));
        assert_ok(do_read(b, 0, data));
        assert_hex(scrip_bytes(data, 7), "04183F09321B85"); /* memory is as it was */
    }
}

static void a_random_number_is_new_at_each_power_on(void **state)
{
    struct bench *b = *state;
    uint8_t before[4];
    uint8_t data[16];
    personalize(b, SCRIP_CLASSIC_UIDF2);
    power_cycle(b);
    assert_ok(select_card(b));
    assert_int_equal(b->target.uid_len, 4);
    assert_int_equal(b->target.uid[0], 0x08);
    memcpy(before, b->target.uid, 4);
    assert_ok(select_card(b)); /* not at each selection */
    assert_memory_equal(b->target.uid, before, 4);
    assert_ok(do_auth(b, false, 4, KEY_FF));
    assert_ok(do_read(b, 4, data));
    power_cycle(b);
    assert_ok(select_card(b));
    assert_memory_not_equal(b->target.uid, before, 4);
}

static void the_long_uid_may_be_chosen_for_good(void **state)
{
    static const uint8_t options[] = {SCRIP_CLASSIC_UIDF0, SCRIP_CLASSIC_UIDF1};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench b;
        bench_lay(&b, false, "04183F09321B85", SCRIP_CLASSIC_HARDENED);
        personalize(&b, options[i]);
        power_cycle(&b);
        given_session(&b, false, 0, KEY_FF);
        assert_int_equal(b.target.uid_len, 7);
        assert_status(do_personalize(&b, SCRIP_CLASSIC_UIDF2), SCRIP_E_CARD);
        bench_clear(&b);
    }
}

static void it_is_chosen_once(void **state)
{
    struct bench *b = *state;
    personalize(b, SCRIP_CLASSIC_UIDF3);
    assert_status(do_personalize(b, SCRIP_CLASSIC_UIDF2), SCRIP_E_CARD);
    power_cycle(b);
    given_session(b, false, 0, KEY_FF);
    assert_status(do_personalize(b, SCRIP_CLASSIC_UIDF0), SCRIP_E_CARD);
}

static void only_the_four_options_are_known(void **state)
{
    struct bench *b = *state;
    for (unsigned option = 0; option < 256; option++) {
        if ((option & 0x9FU) != 0) {
            given_session(b, false, 0, KEY_FF);
            assert_status(do_personalize(b, (uint8_t)option), SCRIP_E_CARD);
        }
    }
    personalize(b, SCRIP_CLASSIC_UIDF0);
}

static void it_is_chosen_in_sector_0_only(void **state)
{
    struct bench *b = *state;
    given_session(b, false, 4, KEY_FF);
    assert_status(do_personalize(b, SCRIP_CLASSIC_UIDF3), SCRIP_E_CARD);
    given_session(b, true, 0, KEY_FF); /* key B is plain data there */
    assert_status(do_personalize(b, SCRIP_CLASSIC_UIDF3), SCRIP_E_CARD);
}

static void a_short_uid_is_never_personalised(void **state)
{
    struct bench *b = *state;
    given_session(b, false, 0, KEY_FF);
    assert_status(do_personalize(b, SCRIP_CLASSIC_UIDF2), SCRIP_E_CARD);
}

static enum scrip_status no_random(void *ctx, uint8_t *dst, size_t len)
{
    (void)ctx;
    (void)dst;
    (void)len;
    return SCRIP_E_RANDOM;
}

static void without_randomness_there_is_neither_a_random_number_nor_a_nonce(void **state)
{
    static const struct scrip_random broken = {.fill = no_random};
    struct bench *b = *state;
    personalize(b, SCRIP_CLASSIC_UIDF2);
    power_cycle(b);
    assert_ok(select_card(b));
    b->card.front.random = &broken;
    assert_int_equal(ask(b, "6004"), NO_ANSWER);
    assert_status(b->card.picc.ops->power(&b->card.picc, true), SCRIP_E_RANDOM);
    assert_status(select_card(b), SCRIP_E_NO_CARD);
}

#define ON_7(test)  cmocka_unit_test_setup_teardown(test, bench_1k_7, bench_done)
#define ON_1K(test) cmocka_unit_test_setup_teardown(test, bench_1k, bench_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_7(a_long_uid_gives_its_last_four_bytes_to_the_cipher),
        ON_7(the_choice_counts_from_the_next_power_on),
        ON_7(a_short_number_is_computed_from_the_long_one),
        ON_7(a_random_number_is_new_at_each_power_on),
        cmocka_unit_test(the_long_uid_may_be_chosen_for_good),
        ON_7(it_is_chosen_once),
        ON_7(only_the_four_options_are_known),
        ON_7(it_is_chosen_in_sector_0_only),
        ON_1K(a_short_uid_is_never_personalised),
        ON_7(without_randomness_there_is_neither_a_random_number_nor_a_nonce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
