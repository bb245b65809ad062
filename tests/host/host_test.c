#include "check.h"
#include <fcntl.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGES 4U

static void page_of(uint8_t *page, uint8_t value)
{
    memset(page, value, SCRIP_NV_PAGE);
}

static void fresh_memory_reads_ff_and_keeps_what_is_written(void **state)
{
    struct scrip_nv_memory memory;
    uint8_t page[SCRIP_NV_PAGE];
    uint8_t byte;
    (void)state;
    assert_ok(scrip_nv_memory_init(&memory, PAGES));
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    assert_int_equal(nv.pages, PAGES);
    assert_ok(nv.read(nv.ctx, 200, &byte, 1));
    assert_int_equal(byte, 0xFF);
    page_of(page, 0x11);
    assert_ok(nv.write(nv.ctx, 3, page));
    assert_ok(nv.read(nv.ctx, 3 * SCRIP_NV_PAGE, &byte, 1));
    assert_int_equal(byte, 0x11);
    scrip_nv_memory_free(&memory);
}

static void nothing_past_the_end_is_touched(void **state)
{
    struct scrip_nv_memory memory;
    uint8_t page[SCRIP_NV_PAGE] = {0};
    (void)state;
    assert_ok(scrip_nv_memory_init(&memory, PAGES));
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    assert_status(nv.write(nv.ctx, PAGES, page), SCRIP_E_NV);
    assert_status(nv.write(nv.ctx, UINT32_MAX, page), SCRIP_E_NV);
    assert_status(nv.read(nv.ctx, PAGES * SCRIP_NV_PAGE, page, 1), SCRIP_E_NV);
    assert_status(nv.read(nv.ctx, PAGES * SCRIP_NV_PAGE - 1, page, 2), SCRIP_E_NV);
    assert_status(nv.read(nv.ctx, UINT32_MAX, page, SIZE_MAX), SCRIP_E_NV);
    assert_ok(nv.read(nv.ctx, PAGES * SCRIP_NV_PAGE, page, 0));
    scrip_nv_memory_free(&memory);
}

static void a_file_holds_its_pages_where_it_was_told(void **state)
{
    char path[] = "/tmp/scrip-nv-XXXXXX";
    const int fd = mkstemp(path);
    struct scrip_nv_file file;
    uint8_t page[SCRIP_NV_PAGE];
    uint8_t raw[2];
    (void)state;
    assert_true(fd >= 0);
    (void)unlink(path);
    assert_int_equal(ftruncate(fd, 100 + (off_t)(PAGES * SCRIP_NV_PAGE)), 0);
    for (int sync = 0; sync < 2; sync++) {
        const struct scrip_nv nv = scrip_nv_file(&file, fd, 100, PAGES, sync != 0);
        page_of(page, (uint8_t)(0x40 + sync));
        assert_ok(nv.write(nv.ctx, 1, page));
        memset(page, 0, sizeof page);
        assert_ok(nv.read(nv.ctx, SCRIP_NV_PAGE, page, sizeof page));
        assert_int_equal(page[63], 0x40 + sync);
        assert_int_equal(pread(fd, raw, 2, 100 + SCRIP_NV_PAGE - 1), 2);
        assert_int_equal(raw[0], 0);
        assert_int_equal(raw[1], 0x40 + sync);
        assert_status(nv.write(nv.ctx, PAGES, page), SCRIP_E_NV);
        assert_status(nv.read(nv.ctx, PAGES * SCRIP_NV_PAGE, page, 1), SCRIP_E_NV);
    }
    assert_int_equal(close(fd), 0);
}

static void a_file_that_is_too_short_is_an_error(void **state)
{
    char path[] = "/tmp/scrip-nv-XXXXXX";
    const int fd = mkstemp(path);
    struct scrip_nv_file file;
    uint8_t byte;
    (void)state;
    assert_true(fd >= 0);
    (void)unlink(path);
    const struct scrip_nv nv = scrip_nv_file(&file, fd, 0, PAGES, false);
    assert_status(nv.read(nv.ctx, 0, &byte, 1), SCRIP_E_NV);
    assert_int_equal(close(fd), 0);
    assert_status(nv.read(nv.ctx, 0, &byte, 1), SCRIP_E_NV);
}

static void power_is_lost_at_the_write_that_was_asked_for(void **state)
{
    static const struct {
        enum scrip_tear how;
        uint8_t after;
    } rows[] = {{SCRIP_TEAR_BEFORE, 0xFF}, {SCRIP_TEAR_AFTER, 0x22}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scrip_nv_memory memory;
        struct scrip_nv_tearing tearing;
        uint8_t page[SCRIP_NV_PAGE];
        assert_ok(scrip_nv_memory_init(&memory, PAGES));
        const struct scrip_nv nv = scrip_nv_tearing(&tearing, scrip_nv_memory(&memory), 1);
        scrip_nv_tear_after(&tearing, 2, rows[i].how);
        page_of(page, 0x22);
        assert_ok(nv.write(nv.ctx, 0, page));
        assert_status(nv.write(nv.ctx, 1, page), SCRIP_E_NV);
        assert_true(tearing.no_power);
        assert_status(nv.write(nv.ctx, 2, page), SCRIP_E_NV);
        assert_status(nv.read(nv.ctx, 0, page, 1), SCRIP_E_NV);
        assert_int_equal(tearing.writes, 2);
        scrip_nv_power_up(&tearing);
        assert_ok(nv.read(nv.ctx, SCRIP_NV_PAGE, page, 1));
        assert_int_equal(page[0], rows[i].after);
        assert_ok(nv.read(nv.ctx, 2 * SCRIP_NV_PAGE, page, 1));
        assert_int_equal(page[0], 0xFF);
        page_of(page, 0x33);
        assert_ok(nv.write(nv.ctx, 1, page));
        scrip_nv_memory_free(&memory);
    }
}

/* Half a page: some bytes new, some old, some neither, and the same ones for the same seed. */
static void a_half_programmed_page_is_a_repeatable_mixture(void **state)
{
    uint8_t seen[3][SCRIP_NV_PAGE];
    static const uint64_t seeds[3] = {7, 7, 8};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scrip_nv_memory memory;
        struct scrip_nv_tearing tearing;
        uint8_t page[SCRIP_NV_PAGE];
        size_t kinds[3] = {0};
        assert_ok(scrip_nv_memory_init(&memory, PAGES));
        const struct scrip_nv nv = scrip_nv_tearing(&tearing, scrip_nv_memory(&memory), seeds[i]);
        scrip_nv_tear_after(&tearing, 1, SCRIP_TEAR_HALF);
        page_of(page, 0x22);
        assert_status(nv.write(nv.ctx, 1, page), SCRIP_E_NV);
        scrip_nv_power_up(&tearing);
        assert_ok(nv.read(nv.ctx, SCRIP_NV_PAGE, seen[i], SCRIP_NV_PAGE));
        for (size_t k = 0; k < SCRIP_NV_PAGE; k++) {
            kinds[seen[i][k] == 0x22 ? 0 : seen[i][k] == 0xFF ? 1 : 2]++;
        }
        assert_true(kinds[0] > 5 && kinds[1] > 5 && kinds[2] > 5);
        scrip_nv_memory_free(&memory);
    }
    assert_memory_equal(seen[0], seen[1], SCRIP_NV_PAGE);
    assert_memory_not_equal(seen[0], seen[2], SCRIP_NV_PAGE);
}

static void a_seed_gives_the_same_bytes_however_they_are_taken(void **state)
{
    struct scrip_random_seeded a;
    struct scrip_random_seeded b;
    struct scrip_random_seeded other;
    uint8_t whole[200];
    uint8_t pieces[200];
    (void)state;
    scrip_random_seeded_init(&a, 42);
    scrip_random_seeded_init(&b, 42);
    scrip_random_seeded_init(&other, 43);
    const struct scrip_random one = scrip_random_seeded(&a);
    const struct scrip_random two = scrip_random_seeded(&b);
    const struct scrip_random three = scrip_random_seeded(&other);
    assert_ok(one.fill(one.ctx, whole, sizeof whole));
    for (size_t at = 0; at < sizeof pieces; at += 8) {
        assert_ok(two.fill(two.ctx, pieces + at, 8));
    }
    assert_memory_equal(whole, pieces, sizeof whole);
    assert_ok(three.fill(three.ctx, pieces, sizeof pieces));
    assert_memory_not_equal(whole, pieces, 16);
}

static void scripted_bytes_come_in_order_and_then_no_more(void **state)
{
    struct scrip_random_scripted script = {.left = scrip_bytes("abcde", 5)};
    const struct scrip_random random = scrip_random_scripted(&script);
    uint8_t out[4] = {0};
    (void)state;
    assert_ok(random.fill(random.ctx, out, 2));
    assert_memory_equal(out, "ab", 2);
    assert_status(random.fill(random.ctx, out, 4), SCRIP_E_RANDOM);
    assert_ok(random.fill(random.ctx, out, 3));
    assert_memory_equal(out, "cde", 3);
    assert_status(random.fill(random.ctx, out, 1), SCRIP_E_RANDOM);
}

static void the_system_gives_randomness_and_time(void **state)
{
    const struct scrip_random random = scrip_random_system();
    const struct scrip_clock clock = scrip_clock_system();
    uint8_t a[16] = {0};
    uint8_t b[16] = {0};
    (void)state;
    assert_ok(random.fill(random.ctx, a, sizeof a));
    assert_ok(random.fill(random.ctx, b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(clock.now_ms(clock.ctx) > 1700000000000U);
}

static void a_fake_clock_stands_still(void **state)
{
    struct scrip_clock_fake fake = {.now_ms = 5};
    const struct scrip_clock clock = scrip_clock_fake(&fake);
    (void)state;
    assert_int_equal(clock.now_ms(clock.ctx), 5);
    fake.now_ms += 10;
    assert_int_equal(clock.now_ms(clock.ctx), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_memory_reads_ff_and_keeps_what_is_written),
        cmocka_unit_test(nothing_past_the_end_is_touched),
        cmocka_unit_test(a_file_holds_its_pages_where_it_was_told),
        cmocka_unit_test(a_file_that_is_too_short_is_an_error),
        cmocka_unit_test(power_is_lost_at_the_write_that_was_asked_for),
        cmocka_unit_test(a_half_programmed_page_is_a_repeatable_mixture),
        cmocka_unit_test(a_seed_gives_the_same_bytes_however_they_are_taken),
        cmocka_unit_test(scripted_bytes_come_in_order_and_then_no_more),
        cmocka_unit_test(the_system_gives_randomness_and_time),
        cmocka_unit_test(a_fake_clock_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
