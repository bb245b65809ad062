/* Power lost at every write of every command, with every subset that torn cells can be left in. */
#include "bench.h"

static struct bench bench;

static const uint8_t DATA[16] = {0x31, 0x62, 0x90, 0xA4, 0x55, 0x66, 0x70, 0x81, 0x0F};

/* Every way to tear write `n` of an action: nothing, everything, then each subset. @return false: no more ways */
static bool plan(struct bench *b, unsigned n, unsigned way)
{
    if (way >= 2 && way - 2 >= b->tear.picks) {
        return false;
    }
    const unsigned picks = b->tear.picks;
    otp_tear_plan(&b->tear, n,
                  way == 0   ? OTP_TEAR_NONE
                  : way == 1 ? OTP_TEAR_ALL
                             : OTP_TEAR_PICK,
                  way < 2 ? 0 : way - 2);
    b->tear.picks = picks;
    return true;
}

/* ---- the deduction ---- */

static const struct spend {
    uint16_t before;
    uint16_t units;
} spends[] = {{0, 1}, {0, 6000}, {1, 1}, {7, 1}, {8, 1}, {63, 2}, {511, 1}, {512, 1}, {511, 513}, {3000, 7}, {5999, 1}};

static void spend_to(struct bench *b, uint16_t units)
{
    if (units > 0) {
        assert_int_equal(decrement(b, 3U * units), SILENCE);
        assert_int_equal(transfer(b), ACK);
    }
}

static void a_torn_deduction_leaves_the_units_before_or_after_and_nothing_else(void **state)
{
    struct bench *b = &bench;
    unsigned cases = 0;
    (void)state;
    for (size_t i = 0; i < sizeof spends / sizeof spends[0]; i++) {
        const struct spend *s = &spends[i];
        unsigned picks = 1;
        for (unsigned way = 0; way < 2 + picks; way++) {
            uint8_t before[16 * SCRIP_NV_PAGE];
            given_sold(b, 3, 6000);
            spend_to(b, s->before);
            memcpy(before, b->memory.at, sizeof before);
            b->tear.picks = way < 2 ? 0 : picks;
            (void)plan(b, 1, way);
            assert_int_equal(decrement(b, 3U * s->units), SILENCE);
            assert_int_equal(transfer(b), SILENCE);
            assert_true(b->tear.no_power);
            picks = way >= 2 ? b->tear.picks : picks;
            power_cycle(b);
            enter(b, 1, false, KEY_DEFAULT);
            const uint16_t now = used(b);
            if (now != s->before && now != s->before + s->units) {
                fail_msg("%u and %u units, way %u: %u are gone", s->before, s->units, way, now);
            }
            assert_true(way != 0 || now == s->before);
            assert_true(way != 1 || now == s->before + s->units);
            assert_int_equal(balance(b), 3 * (6000 - now));
            assert_memory_equal(before, b->memory.at, sizeof before); /* the blocks */
            if (now == s->before) {                                   /* it did not happen: it still can */
                spend_to(b, s->units);
            }
            assert_int_equal(used(b), s->before + s->units);
            bench_free(b);
            cases++;
        }
    }
    print_message("%u torn deductions\n", cases);
    assert_true(cases > 100);
}

static void power_lost_before_the_transfer_takes_nothing(void **state)
{
    struct bench *b = &bench;
    static const uint8_t command[2] = {0xC0, 1};
    (void)state;
    given_sold(b, 3, 6000);
    for (unsigned when = 0; when < 3; when++) {
        if (when == 0) {
            assert_int_equal(say(b, command, sizeof command), ACK);
        } else {
            assert_int_equal(decrement(b, 30), SILENCE);
        }
        if (when == 2) {
            assert_int_equal(balance(b), 18000);
        }
        power_cycle(b);
        enter(b, 1, false, KEY_DEFAULT);
        assert_int_equal(transfer(b), 0x4);
        enter(b, 1, false, KEY_DEFAULT);
        assert_int_equal(balance(b), 18000);
    }
    bench_free(b);
}

/* ---- writes ---- */

enum target { TARGET_DATA, TARGET_FACE, TARGET_PASSWORD, TARGETS };

static uint8_t target_block(enum target target, uint8_t data[16])
{
    static const uint8_t blocks[TARGETS] = {6, 1, 7};
    if (target == TARGET_FACE) {
        face_block(2, 50, data);
    } else if (target == TARGET_PASSWORD) {
        password_block(0xA1, "7F0788", 0xB2, data);
    } else {
        memcpy(data, DATA, sizeof DATA);
    }
    return blocks[target];
}

/* Another block of the same kind, which would make sense in its place. */
static void other_block(enum target target, uint8_t data[16])
{
    (void)target_block(target, data);
    if (target == TARGET_FACE) {
        face_block(5, 6000, data);
    } else {
        data[0] ^= 0xFF;
        data[12] ^= 0x3C;
    }
}

/* After a tear nothing counts that was not finished, and what is there is a part of what was to be there. */
static void check_half(struct bench *b, enum target target, uint8_t block, const uint8_t data[16])
{
    uint8_t now[16];
    const bool password = target == TARGET_PASSWORD;
    const bool in_force = bit_of(b, password ? SCRIP_OTP_PASSWORD_POINTER(1U) : SCRIP_OTP_BLOCK_POINTER(block));
    const bool any_pointer = in_force || bit_of(b, SCRIP_OTP_BLOCK_POINTER(block));
    stored(b, block, now);
    for (size_t i = 0; i < sizeof now; i++) {
        assert_int_equal(now[i] & ~data[i], 0);
    }
    if (any_pointer) { /* data first, then the pointer */
        assert_memory_equal(now, data, sizeof now);
    }
    assert_true(reselect(b));
    assert_int_equal(login(b, block, false, KEY_DEFAULT), !(password && in_force));
    if (password && in_force) {
        enter(b, block, false, key_of(0xA1));
    }
    for (uint8_t other = 1; other < SCRIP_OTP_BLOCKS; other++) {
        assert_true(other == block || !bit_of(b, SCRIP_OTP_BLOCK_POINTER(other)));
    }
    assert_int_equal(used(b), 0);
}

static void complete(struct bench *b, enum target target, uint8_t block, const uint8_t data[16])
{
    uint8_t other[16];
    uint8_t now[16];
    const uint8_t *password = target == TARGET_PASSWORD ? key_of(0xA1) : KEY_DEFAULT;
    const bool in_force =
        bit_of(b, target == TARGET_PASSWORD ? SCRIP_OTP_PASSWORD_POINTER(1U) : SCRIP_OTP_BLOCK_POINTER(block));
    bool conflict = in_force;
    stored(b, block, now);
    other_block(target, other);
    for (size_t i = 0; i < sizeof now; i++) {
        conflict = conflict || (now[i] & ~other[i]) != 0;
    }
    if (conflict) { /* a different one is refused; where nothing stands in its way it is a first write like any */
        enter(b, block, false, in_force ? password : KEY_DEFAULT);
        assert_int_equal(write_block(b, block, other), 0x4);
        stored(b, block, other);
        assert_memory_equal(other, now, sizeof now);
    }
    enter(b, block, false, in_force ? password : KEY_DEFAULT);
    assert_int_equal(write_block(b, block, data), in_force ? 0x4 : ACK);
    stored(b, block, now);
    assert_memory_equal(now, data, sizeof now);
    assert_true(bit_of(b, SCRIP_OTP_BLOCK_POINTER(block)) || target == TARGET_PASSWORD);
    enter(b, block, false, password);
    assert_int_equal(write_block(b, block, data), 0x4);
}

static bool one_torn_write(struct bench *b, enum target target, unsigned n, unsigned way, unsigned *picks)
{
    uint8_t data[16];
    given_blank(b);
    const uint8_t block = target_block(target, data);
    enter(b, block, false, KEY_DEFAULT);
    b->tear.picks = *picks;
    if (!plan(b, n, way)) {
        bench_free(b);
        return false;
    }
    const int answer = write_block(b, block, data);
    assert_int_equal(answer, b->tear.no_power ? SILENCE : ACK);
    const bool torn = b->tear.no_power;
    *picks = b->tear.picks > *picks ? b->tear.picks : *picks;
    power_cycle(b);
    if (torn) {
        check_half(b, target, block, data);
        complete(b, target, block, data);
    }
    bench_free(b);
    return torn;
}

static void a_torn_write_counts_whole_or_not_at_all_and_only_the_same_completes_it(void **state)
{
    struct bench *b = &bench;
    unsigned cases = 0;
    (void)state;
    for (int target = 0; target < TARGETS; target++) {
        for (unsigned n = 1; n <= 2; n++) {
            unsigned picks = 1;
            unsigned way = 0;
            while (one_torn_write(b, (enum target)target, n, way, &picks)) {
                way++;
                cases++;
            }
            assert_true(way > 10);
        }
        unsigned picks = 1;
        assert_false(one_torn_write(b, (enum target)target, 3, 0, &picks)); /* two writes, never more */
    }
    print_message("%u torn writes\n", cases);
    assert_true(cases > 300);
}

static void a_completion_may_be_torn_again_and_again(void **state)
{
    struct bench *b = &bench;
    (void)state;
    for (int target = 0; target < TARGETS; target++) {
        uint8_t data[16];
        unsigned tears = 0;
        given_blank(b);
        const uint8_t block = target_block((enum target)target, data);
        for (unsigned round = 0; round < 200; round++) {
            const bool in_force =
                bit_of(b, target == TARGET_PASSWORD ? SCRIP_OTP_PASSWORD_POINTER(1U) : SCRIP_OTP_BLOCK_POINTER(block));
            if (in_force) {
                break;
            }
            enter(b, block, false, KEY_DEFAULT);
            otp_tear_plan(&b->tear, 1, OTP_TEAR_PICK, 0); /* one more bit each time */
            assert_int_equal(write_block(b, block, data), SILENCE);
            tears++;
            power_cycle(b);
            check_half(b, (enum target)target, block, data);
        }
        assert_true(tears > 10);
        complete(b, (enum target)target, block, data);
        bench_free(b);
    }
}

static void a_password_block_with_one_of_its_two_pointers_is_still_open(void **state)
{
    struct bench *b = &bench;
    uint8_t data[16];
    (void)state;
    given_blank(b);
    const uint8_t block = target_block(TARGET_PASSWORD, data);
    enter(b, block, false, KEY_DEFAULT);
    otp_tear_plan(&b->tear, 2, OTP_TEAR_PICK, 0); /* the block pointer alone */
    assert_int_equal(write_block(b, block, data), SILENCE);
    power_cycle(b);
    assert_true(bit_of(b, SCRIP_OTP_BLOCK_POINTER(block)));
    assert_false(bit_of(b, SCRIP_OTP_PASSWORD_POINTER(1U)));
    enter(b, block, false, KEY_DEFAULT);
    assert_int_equal(write_block(b, block, data), ACK);
    enter(b, block, false, key_of(0xA1));
    bench_free(b);
}

static void a_cell_that_does_not_take_its_bit_keeps_a_block_out_of_force(void **state)
{
    struct bench *b = &bench;
    uint8_t data[16];
    (void)state;
    for (int target = 0; target < TARGETS; target++) {
        for (unsigned pointer = 0; pointer < 2; pointer++) {
            given_blank(b);
            const uint8_t block = target_block((enum target)target, data);
            b->tear.stuck_page = pointer == 1 ? 28U + block : block;
            b->tear.stuck_bit = pointer == 1 && target == TARGET_PASSWORD ? 1 : 0;
            data[0] |= 1;
            if (target == TARGET_FACE) {
                face_block(3, 50, data);
            }
            enter(b, block, false, KEY_DEFAULT);
            assert_int_equal(write_block(b, block, data), 0x4);
            assert_false(b->tear.no_power);
            assert_false(
                bit_of(b, target == TARGET_PASSWORD ? SCRIP_OTP_PASSWORD_POINTER(1U) : SCRIP_OTP_BLOCK_POINTER(block)));
            enter(b, block, false, KEY_DEFAULT);
            bench_free(b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_torn_deduction_leaves_the_units_before_or_after_and_nothing_else),
        cmocka_unit_test(power_lost_before_the_transfer_takes_nothing),
        cmocka_unit_test(a_torn_write_counts_whole_or_not_at_all_and_only_the_same_completes_it),
        cmocka_unit_test(a_completion_may_be_torn_again_and_again),
        cmocka_unit_test(a_password_block_with_one_of_its_two_pointers_is_still_open),
        cmocka_unit_test(a_cell_that_does_not_take_its_bit_keeps_a_block_out_of_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
