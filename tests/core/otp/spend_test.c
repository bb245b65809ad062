/* The subtraction: 6000 units one by one and in random multiples, and what is refused. */
#include "bench.h"

static struct bench bench;

static void six_thousand_units_are_spent_one_by_one(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 3, 6000);
    for (uint16_t n = 1; n <= 6000; n++) {
        const unsigned writes = b->tear.writes;
        assert_int_equal(decrement(b, 3), SILENCE);
        assert_int_equal(transfer(b), ACK);
        assert_int_equal(b->card.picc.busy_us, 200);
        assert_int_equal(b->tear.writes, writes + 1);
        assert_int_equal(used(b), n);
        assert_int_equal(balance(b), 3 * (6000 - n));
    }
    assert_int_equal(decrement(b, 3), 0x4);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(balance(b), 0);
    bench_free(b);
}

static void random_multiples_program_one_bit_each_until_nothing_is_left(void **state)
{
    struct bench *b = &bench;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scrip_random_seeded seeded;
        unsigned gone = 0;
        scrip_random_seeded_init(&seeded, seed);
        struct scrip_random random = scrip_random_seeded(&seeded);
        given_sold(b, 7, 6000);
        while (gone < 6000) {
            uint8_t dice[2];
            assert_ok(random.fill(random.ctx, dice, sizeof dice));
            const unsigned many = seed % 2 == 0 ? scrip_get_le16(dice) % 300U : dice[0] % 8U;
            if (gone + many > 6000) {
                assert_int_equal(decrement(b, 7 * many), 0x4);
                enter(b, 2, true, KEY_DEFAULT);
                assert_int_equal(used(b), gone);
                continue;
            }
            const unsigned writes = b->tear.writes;
            assert_int_equal(decrement(b, 7 * many), SILENCE);
            assert_int_equal(transfer(b), ACK);
            assert_int_equal(b->tear.writes - writes, many > 0 ? 1 : 0);
            gone += many;
            if (used(b) != gone || balance(b) != (int32_t)(7 * (6000 - gone))) {
                fail_msg("seed %u: %u units gone, the card says %u", (unsigned)seed, gone, used(b));
            }
        }
        bench_free(b);
    }
}

struct step {
    enum { DEC, XFER, READ } op;
    uint32_t amount;
    bool good;
    uint16_t used;
    int32_t balance;
};

/* The published vectors otp-01 to otp-04: U, T, the face value block, steps, the last balance block. */
static const struct vector {
    uint32_t unit;
    uint16_t units;
    const char *face;
    struct step steps[12];
    unsigned count;
    const char *last;
} vectors[] = {
    {2,
     50,
     "02000000fdffffff3200cdff00000000",
     {{DEC, 6, true, 0, 100},
      {XFER, 0, true, 3, 94},
      {READ, 0, true, 3, 94},
      {DEC, 7, false, 3, 94},
      {READ, 0, true, 3, 94},
      {DEC, 94, true, 3, 94},
      {XFER, 0, true, 50, 0},
      {READ, 0, true, 50, 0},
      {DEC, 2, false, 50, 0}},
     9,
     "00000000ffffffff0000000001fe01fe"},
    {5,
     6000,
     "05000000faffffff70178fe800000000",
     {{READ, 0, true, 0, 30000}, {DEC, 30000, true, 0, 30000}, {XFER, 0, true, 6000, 0}, {READ, 0, true, 6000, 0}},
     4,
     "00000000ffffffff0000000001fe01fe"},
    {1,
     1,
     "01000000feffffff0100feff00000000",
     {{DEC, 0, true, 0, 1},
      {XFER, 0, true, 0, 1},
      {READ, 0, true, 0, 1},
      {DEC, 1, true, 0, 1},
      {XFER, 0, true, 1, 0},
      {READ, 0, true, 1, 0}},
     6,
     "00000000ffffffff0000000001fe01fe"},
    {100,
     20,
     "640000009bffffff1400ebff00000000",
     {{DEC, 500, true, 0, 2000},
      {DEC, 700, true, 0, 2000},
      {XFER, 0, true, 7, 1300},
      {READ, 0, true, 7, 1300},
      {XFER, 0, false, 7, 1300}},
     5,
     "14050000ebfaffff1405000001fe01fe"},
};

static void take(struct bench *b, const struct step *step)
{
    const int answer = step->op == DEC ? decrement(b, step->amount) : step->op == XFER ? transfer(b) : read_block(b, 1);
    const int wanted = !step->good ? 0x4 : step->op == DEC ? SILENCE : step->op == XFER ? ACK : BLOCK;
    assert_int_equal(answer, wanted);
    if (!step->good) {
        assert_int_equal(read_block(b, 1), SILENCE); /* a NAK deselects */
        enter(b, 1, false, KEY_DEFAULT);
    }
    assert_int_equal(used(b), step->used);
    if (step->op == READ) {
        assert_int_equal(balance(b), step->balance);
    }
}

static void the_published_vectors_come_out(void **state)
{
    struct bench *b = &bench;
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        uint8_t block[16];
        given_sold(b, v->unit, v->units);
        stored(b, 1, block);
        assert_hex(SCRIP_BYTES_OF(block), v->face);
        for (unsigned s = 0; s < v->count; s++) {
            take(b, &v->steps[s]);
        }
        assert_int_equal(read_block(b, 1), BLOCK);
        assert_hex(SCRIP_BYTES_OF(b->block), v->last);
        bench_free(b);
    }
}

static void what_is_no_multiple_or_too_much_is_refused_and_leaves_nothing_pending(void **state)
{
    static const uint32_t amounts[] = {1, 9, 11, 1010, 1001, UINT32_MAX, 0x80000000U, UINT32_MAX - 5U};
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 10, 100);
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        assert_int_equal(decrement(b, amounts[i]), 0x4);
        enter(b, 1, false, KEY_DEFAULT);
        assert_int_equal(transfer(b), 0x4);
        enter(b, 1, false, KEY_DEFAULT);
        assert_int_equal(balance(b), 1000);
    }
    assert_int_equal(decrement(b, 50), SILENCE);
    assert_int_equal(decrement(b, 51), 0x0); /* while an address was pending: the NAK says so, and it is gone */
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(transfer(b), 0x4);
    assert_int_equal(used(b), 0);
    bench_free(b);
}

static void a_deduction_of_nothing_is_taken_and_programs_nothing(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 10, 100);
    for (unsigned round = 0; round < 2; round++) {
        const unsigned writes = b->tear.writes;
        assert_int_equal(decrement(b, 0), SILENCE);
        assert_int_equal(transfer(b), ACK);
        assert_int_equal(b->card.picc.busy_us, 0);
        assert_int_equal(b->tear.writes, writes);
        assert_int_equal(decrement(b, 20), SILENCE);
        assert_int_equal(transfer(b), ACK);
    }
    assert_int_equal(used(b), 4);
    bench_free(b);
}

static void what_is_pending_dies_with_whatever_ends_it(void **state)
{
    struct bench *b = &bench;
    uint8_t bad[6] = {0xC0, 0x01, 0, 0};
    (void)state;
    given_sold(b, 1, 50);
    for (unsigned end = 0; end < 6; end++) {
        assert_int_equal(decrement(b, 5), SILENCE);
        switch (end) {
        case 0:
            power_cycle(b);
            enter(b, 1, false, KEY_DEFAULT);
            break;
        case 1:
            enter(b, 1, false, KEY_DEFAULT);
            break;
        case 2:
            assert_true(login(b, 0, true, KEY_DEFAULT)); /* nested */
            break;
        case 3:
            assert_int_equal(say(b, bad, 2), ACK);
            assert_int_equal(say(b, bad, 3), 0x0);
            enter(b, 1, false, KEY_DEFAULT);
            break;
        case 4:
            assert_int_equal(read_block(b, 77), 0x0);
            enter(b, 1, false, KEY_DEFAULT);
            break;
        default:
            assert_int_equal(transfer(b), ACK);
            break;
        }
        assert_int_equal(transfer(b), 0x4);
        assert_int_equal(used(b), end == 5 ? 5 : 0);
        enter(b, 1, false, KEY_DEFAULT);
    }
    bench_free(b);
}

static void a_read_between_the_two_halves_shows_the_old_balance_and_disturbs_nothing(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 4, 50);
    assert_int_equal(decrement(b, 40), SILENCE);
    assert_int_equal(balance(b), 200);
    assert_int_equal(transfer(b), ACK);
    assert_int_equal(balance(b), 160);
    bench_free(b);
}

static void increment_and_restore_do_not_exist(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 1, 50);
    for (uint8_t code = 0xC1; code <= 0xC2; code++) {
        for (uint8_t block = 0; block < 4; block++) {
            const uint8_t command[2] = {code, block};
            assert_int_equal(say(b, command, sizeof command), 0x4);
            enter(b, 1, false, KEY_DEFAULT);
        }
    }
    assert_int_equal(balance(b), 50);
    bench_free(b);
}

static void only_block_one_can_be_deducted_from(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 1, 50);
    for (unsigned block = 0; block < 256; block++) {
        const uint8_t halves[2][2] = {{0xC0, (uint8_t)block}, {0xB0, (uint8_t)block}};
        if (block == 1) {
            continue;
        }
        for (unsigned half = 0; half < 2; half++) {
            assert_int_equal(decrement(b, 5), SILENCE);
            assert_int_equal(say(b, halves[half], 2), 0x0);
            enter(b, 1, false, KEY_DEFAULT);
        }
    }
    assert_true(login(b, 4, false, KEY_DEFAULT)); /* another sector */
    assert_int_equal(decrement(b, 5), 0x4);
    assert_int_equal(used(b), 0);
    bench_free(b);
}

static void an_operand_of_wrong_crc_parity_or_length_is_refused_and_leaves_nothing_pending(void **state)
{
    static const uint8_t command[2] = {0xC0, 1};
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 1, 50);
    for (unsigned wrong = 0; wrong < 3; wrong++) {
        uint8_t operand[6] = {5, 0, 0, 0};
        assert_int_equal(say(b, command, sizeof command), ACK);
        assert_ok(scrip_frame_bytes_crc(&b->tx, scrip_bytes(operand, wrong == 2 ? 5 : 4)));
        b->tx.data[4] ^= wrong == 0 ? 1 : 0;
        if (wrong == 0) {
            scrip_frame_parity_fill(&b->tx);
        }
        scrip_mifare_sm_encrypt(&b->cipher, &b->tx);
        b->tx.parity[0] ^= wrong == 1 ? 1 : 0;
        (void)b->card.picc.ops->frame(&b->card.picc, &b->tx, &b->rx);
        assert_int_equal(b->rx.bits, 4);
        scrip_mifare_sm_decrypt(&b->cipher, &b->rx);
        assert_int_equal(b->rx.data[0], wrong == 2 ? 0x4 : 0x5);
        enter(b, 1, false, KEY_DEFAULT);
        assert_int_equal(transfer(b), 0x4);
        enter(b, 1, false, KEY_DEFAULT);
    }
    assert_int_equal(used(b), 0);
    bench_free(b);
}

static void a_cell_that_does_not_take_its_bit_is_never_acknowledged(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 1, 50);
    b->tear.stuck_page = 16;
    b->tear.stuck_bit = 4;
    assert_int_equal(decrement(b, 5), SILENCE);
    assert_int_equal(transfer(b), 0x0);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(transfer(b), 0x4);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(balance(b), 50);
    assert_int_equal(decrement(b, 6), SILENCE); /* the next one does */
    assert_int_equal(transfer(b), ACK);
    assert_int_equal(balance(b), 44);
    bench_free(b);
}

static void damage_makes_the_card_worthless_never_richer(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 2, 50);
    assert_int_equal(decrement(b, 20), SILENCE);
    assert_int_equal(transfer(b), ACK);
    damage_unit(b, 3); /* below: nothing depends on it */
    assert_int_equal(balance(b), 80);
    damage_unit(b, 50);
    assert_int_equal(balance(b), 0);
    damage_unit(b, 51); /* UT above T */
    assert_int_equal(balance(b), 0);
    assert_int_equal(decrement(b, 0), 0x4);
    enter(b, 1, false, KEY_DEFAULT);
    damage_unit(b, 6000);
    assert_int_equal(balance(b), 0);
    assert_int_equal(decrement(b, 2), 0x4);
    bench_free(b);
}

static void a_card_without_a_face_value_in_force_has_no_wallet(void **state)
{
    struct bench *b = &bench;
    uint8_t block[16];
    int32_t value;
    uint8_t address;
    (void)state;
    given_blank(b);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(decrement(b, 0), 0x4);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(read_block(b, 16), 0x4);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(read_block(b, 1), BLOCK);
    assert_hex(SCRIP_BYTES_OF(b->block), "00000000000000000000000000000000");
    assert_status(scrip_classic_value_get(b->block, &value, &address), SCRIP_E_FORMAT);
    face_block(2, 50, block);
    otp_tear_plan(&b->tear, 2, OTP_TEAR_NONE, 0); /* data, but no pointer */
    assert_int_equal(write_block(b, 1, block), SILENCE);
    power_cycle(b);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(read_block(b, 1), BLOCK);
    assert_memory_equal(b->block, block, sizeof block);
    assert_status(scrip_classic_value_get(b->block, &value, &address), SCRIP_E_FORMAT);
    assert_int_equal(decrement(b, 2), 0x4);
    enter(b, 1, false, KEY_DEFAULT);
    assert_int_equal(read_block(b, 16), 0x4);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_thousand_units_are_spent_one_by_one),
        cmocka_unit_test(random_multiples_program_one_bit_each_until_nothing_is_left),
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(what_is_no_multiple_or_too_much_is_refused_and_leaves_nothing_pending),
        cmocka_unit_test(a_deduction_of_nothing_is_taken_and_programs_nothing),
        cmocka_unit_test(what_is_pending_dies_with_whatever_ends_it),
        cmocka_unit_test(a_read_between_the_two_halves_shows_the_old_balance_and_disturbs_nothing),
        cmocka_unit_test(increment_and_restore_do_not_exist),
        cmocka_unit_test(only_block_one_can_be_deducted_from),
        cmocka_unit_test(an_operand_of_wrong_crc_parity_or_length_is_refused_and_leaves_nothing_pending),
        cmocka_unit_test(a_cell_that_does_not_take_its_bit_is_never_acknowledged),
        cmocka_unit_test(damage_makes_the_card_worthless_never_richer),
        cmocka_unit_test(a_card_without_a_face_value_in_force_has_no_wallet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
