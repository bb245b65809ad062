/* Bits that never return, and the places of all of them. */
#include "bench.h"
#include "memory.h"

struct pages {
    struct scrip_nv_memory memory;
    struct otp_tear below; /* counts writes */
    struct scrip_nv raw;
    struct scrip_otp_nv once;
    struct scrip_nv nv;
};

static void given_pages(struct pages *p)
{
    assert_ok(scrip_nv_memory_init(&p->memory, SCRIP_OTP_PAGES));
    memset(p->memory.at, 0, SCRIP_OTP_PAGES * SCRIP_NV_PAGE);
    p->raw = otp_tear(&p->below, scrip_nv_memory(&p->memory));
    p->nv = scrip_otp_nv(&p->once, &p->raw);
}

static void a_write_that_would_clear_any_single_bit_is_refused_and_changes_nothing(void **state)
{
    struct pages p;
    uint8_t full[SCRIP_NV_PAGE];
    (void)state;
    given_pages(&p);
    memset(full, 0xFF, sizeof full);
    assert_ok(p.nv.write(p.nv.ctx, 3, full));
    for (unsigned bit = 0; bit < SCRIP_NV_PAGE * 8U; bit++) {
        uint8_t less[SCRIP_NV_PAGE];
        memcpy(less, full, sizeof less);
        less[bit / 8] = (uint8_t)(less[bit / 8] & ~(1U << bit % 8));
        assert_status(p.nv.write(p.nv.ctx, 3, less), SCRIP_E_NV);
        assert_memory_equal(p.memory.at + 3 * SCRIP_NV_PAGE, full, sizeof full);
    }
    assert_int_equal(p.below.writes, 1);
    assert_int_equal(p.below.backwards, 0);
    scrip_nv_memory_free(&p.memory);
}

static void random_writes_succeed_exactly_when_they_keep_every_bit(void **state)
{
    struct pages p;
    struct scrip_random_seeded seeded;
    uint8_t shadow[SCRIP_NV_PAGE] = {0};
    unsigned taken = 0;
    (void)state;
    given_pages(&p);
    scrip_random_seeded_init(&seeded, 11);
    struct scrip_random random = scrip_random_seeded(&seeded);
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t data[SCRIP_NV_PAGE];
        uint8_t dice[2];
        assert_ok(random.fill(random.ctx, dice, sizeof dice));
        memcpy(data, shadow, sizeof data);
        data[dice[0] % SCRIP_NV_PAGE] ^= (uint8_t)(1U << dice[1] % 8);
        const bool keeps = (shadow[dice[0] % SCRIP_NV_PAGE] & ~data[dice[0] % SCRIP_NV_PAGE]) == 0;
        assert_status(p.nv.write(p.nv.ctx, 7, data), keeps ? SCRIP_OK : SCRIP_E_NV);
        if (keeps) {
            memcpy(shadow, data, sizeof shadow);
            taken++;
        }
        assert_memory_equal(p.memory.at + 7 * SCRIP_NV_PAGE, shadow, sizeof shadow);
    }
    assert_int_equal(taken, SCRIP_NV_PAGE * 8U);
    assert_int_equal(p.below.backwards, 0);
    scrip_nv_memory_free(&p.memory);
}

static void what_is_there_already_is_not_written_again(void **state)
{
    struct pages p;
    uint8_t data[SCRIP_NV_PAGE] = {1, 2, 3};
    (void)state;
    given_pages(&p);
    assert_ok(p.nv.write(p.nv.ctx, 0, data));
    assert_ok(p.nv.write(p.nv.ctx, 0, data));
    assert_int_equal(p.below.writes, 1);
    assert_status(p.nv.write(p.nv.ctx, SCRIP_OTP_PAGES, data), SCRIP_E_NV);
    scrip_nv_memory_free(&p.memory);
}

/* Which page and bit a function programmed: exactly one cell must have changed. */
static unsigned the_cell(struct pages *p)
{
    unsigned cell = ~0U;
    for (unsigned i = 0; i < SCRIP_OTP_PAGES * SCRIP_NV_PAGE; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            if ((p->memory.at[i] & 1U << bit) != 0) {
                assert_int_equal(cell, ~0U);
                cell = i * 8 + bit;
            }
        }
    }
    assert_int_not_equal(cell, ~0U);
    return cell;
}

static void each_unit_has_one_cell_of_its_own_in_the_order_of_the_image(void **state)
{
    struct pages p;
    uint32_t bits = 0;
    bool set = false;
    uint16_t used = 0;
    (void)state;
    given_pages(&p);
    for (uint16_t unit = 1; unit <= SCRIP_OTP_UNITS; unit++) {
        memset(p.memory.at, 0, SCRIP_OTP_PAGES * SCRIP_NV_PAGE);
        assert_ok(otp_bit_get(&p.nv, unit, &set));
        assert_false(set);
        assert_ok(otp_unit_put(&p.nv, unit, &bits));
        assert_int_equal(the_cell(&p), 16U * 64U * 8U + unit - 1);
        assert_ok(otp_bit_get(&p.nv, unit, &set));
        assert_true(set);
        assert_ok(otp_units_used(&p.nv, &used));
        assert_int_equal(used, unit);
    }
    assert_int_equal(bits, SCRIP_OTP_UNITS);
    scrip_nv_memory_free(&p.memory);
}

static void the_pointers_of_a_block_stand_alone_in_a_page(void **state)
{
    struct pages p;
    (void)state;
    given_pages(&p);
    for (uint8_t block = 0; block < SCRIP_OTP_BLOCKS; block++) {
        uint32_t bits = 0;
        uint16_t used = 0;
        bool in_force = true;
        assert_ok(otp_block_in_force(&p.nv, block, &in_force));
        assert_false(in_force);
        assert_ok(otp_block_close(&p.nv, block, &bits));
        assert_int_equal(bits, block % 4 == 3 ? 2 : 1);
        assert_int_equal(p.memory.at[(28U + block) * SCRIP_NV_PAGE], block % 4 == 3 ? 3 : 1);
        assert_ok(otp_block_in_force(&p.nv, block, &in_force));
        assert_true(in_force);
        assert_ok(otp_bit_get(&p.nv, SCRIP_OTP_BLOCK_POINTER(block), &in_force));
        assert_true(in_force);
        assert_ok(otp_units_used(&p.nv, &used));
        assert_int_equal(used, 0);
    }
    for (unsigned bit = 6021; bit <= SCRIP_OTP_BITS; bit++) {
        bool set = true;
        assert_ok(otp_bit_get(&p.nv, bit, &set));
        assert_false(set);
    }
    scrip_nv_memory_free(&p.memory);
}

static void programming_tells_what_it_did(void **state)
{
    struct pages p;
    const uint8_t first[16] = {0x0F};
    const uint8_t more[16] = {0x1F};
    const uint8_t other[16] = {0xF0};
    uint8_t read[16];
    uint32_t bits = 0;
    (void)state;
    given_pages(&p);
    assert_ok(otp_block_put(&p.nv, 5, first, &bits));
    assert_int_equal(bits, 4);
    assert_ok(otp_block_put(&p.nv, 5, more, &bits));
    assert_int_equal(bits, 5);
    assert_status(otp_block_put(&p.nv, 5, other, &bits), SCRIP_E_CONFLICT);
    assert_ok(otp_block_get(&p.nv, 5, read));
    assert_memory_equal(read, more, sizeof read);
    p.below.stuck_page = 5;
    p.below.stuck_bit = 9;
    assert_status(otp_block_put(&p.nv, 5, (const uint8_t[16]){0x1F, 0x03}, &bits), SCRIP_E_CORRUPT);
    assert_int_equal(p.below.writes, 3);
    assert_int_equal(p.below.backwards, 0);
    scrip_nv_memory_free(&p.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_would_clear_any_single_bit_is_refused_and_changes_nothing),
        cmocka_unit_test(random_writes_succeed_exactly_when_they_keep_every_bit),
        cmocka_unit_test(what_is_there_already_is_not_written_again),
        cmocka_unit_test(each_unit_has_one_cell_of_its_own_in_the_order_of_the_image),
        cmocka_unit_test(the_pointers_of_a_block_stand_alone_in_a_page),
        cmocka_unit_test(programming_tells_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
