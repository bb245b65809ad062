/* The settings of a terminal: power lost at every page, and random numbers that no start repeats. */
#include "../../firmware/store.h"
#include "check.h"

#include <scrip/cmac.h>
#include <string.h>

#define PAGES 32U

/* Flash that loses power at one write: before it, in the middle of it, or after it. */
struct flash {
    uint8_t at[PAGES][SCRIP_NV_PAGE];
    struct scrip_nv nv;
    unsigned writes_left; /* 0: the next one fails */
    bool half;
};

static enum scrip_status flash_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    memcpy(dst, (const uint8_t *)((struct flash *)ctx)->at + at, len);
    return SCRIP_OK;
}

static enum scrip_status flash_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct flash *flash = ctx;
    if (flash->writes_left == 0) {
        for (size_t i = 0; flash->half && i < SCRIP_NV_PAGE; i++) {
            flash->at[page][i] = (uint8_t)(flash->at[page][i] ^ (data[i] & 0x5A));
        }
        return SCRIP_E_NV;
    }
    flash->writes_left--;
    memcpy(flash->at[page], data, SCRIP_NV_PAGE);
    return SCRIP_OK;
}

static void flash_init(struct flash *flash)
{
    memset(flash, 0, sizeof *flash);
    flash->nv = (struct scrip_nv){.ctx = flash, .pages = PAGES, .read = flash_read, .write = flash_write};
    flash->writes_left = UINT32_MAX;
}

static void a_new_terminal_has_settings_and_no_key(void **state)
{
    struct flash flash;
    struct settings settings;
    uint8_t key[16];
    (void)state;
    flash_init(&flash);
    assert_ok(store_load(&flash.nv, &settings));
    assert_int_equal(settings.generation, 0);
    assert_true(settings.price > 0);
    const struct scrip_purse_keys keys = store_keys(&settings);
    for (int role = 0; role < 12; role++) {
        assert_int_equal(keys.get(keys.ctx, (enum scrip_purse_role)role, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    }
}

static void power_lost_at_any_page_leaves_the_old_settings_or_the_new(void **state)
{
    (void)state;
    for (unsigned before = 1; before <= 3; before++) {
        for (unsigned writes = 0; writes < 8; writes++) {
            for (int half = 0; half < 2; half++) {
                struct flash flash;
                struct settings settings;
                flash_init(&flash);
                assert_ok(store_load(&flash.nv, &settings));
                for (unsigned i = 1; i <= before; i++) {
                    settings.price = (int32_t)i;
                    assert_ok(store_save(&flash.nv, &settings));
                }
                flash.writes_left = writes;
                flash.half = half != 0;
                settings.price = 1000;
                const enum scrip_status status = store_save(&flash.nv, &settings);
                assert_ok(store_load(&flash.nv, &settings));
                assert_int_equal(settings.price, status == SCRIP_OK ? 1000 : (int32_t)before);
                flash.writes_left = UINT32_MAX; /* and the next ones are kept again */
                settings.price = 2000;
                assert_ok(store_save(&flash.nv, &settings));
                assert_ok(store_load(&flash.nv, &settings));
                assert_int_equal(settings.price, 2000);
            }
        }
    }
}

static void a_key_is_diversified_as_the_purse_asks(void **state)
{
    struct flash flash;
    struct settings settings;
    uint8_t key[16], wanted[16];
    const uint8_t m[] = {0x04, 0x5B, 0x2C, 0x8A};
    (void)state;
    flash_init(&flash);
    assert_ok(store_load(&flash.nv, &settings));
    memset(settings.key[SCRIP_PURSE_PAY], 0xA1, 16);
    settings.has_key = 1U << SCRIP_PURSE_PAY;
    const struct scrip_purse_keys keys = store_keys(&settings);
    assert_ok(keys.get(keys.ctx, SCRIP_PURSE_PAY, SCRIP_BYTES_OF(m), key));
    assert_ok(scrip_an10922(SCRIP_AES128, settings.key[SCRIP_PURSE_PAY], SCRIP_BYTES_OF(m), wanted));
    assert_memory_equal(key, wanted, 16);
    assert_ok(keys.get(keys.ctx, SCRIP_PURSE_PAY, scrip_bytes(NULL, 0), key));
    assert_memory_equal(key, settings.key[SCRIP_PURSE_PAY], 16);
    assert_int_equal(keys.get(keys.ctx, SCRIP_PURSE_TOPUP, SCRIP_BYTES_OF(m), key), SCRIP_E_KEY);
}

/* New keys reach cards one by one. */
static void the_key_before_stays_for_the_cards_that_have_it(void **state)
{
    const uint8_t first[16] = {1}, second[16] = {2}, third[16] = {3};
    struct flash flash;
    struct settings settings;
    uint8_t key[16];
    (void)state;
    flash_init(&flash);
    assert_ok(store_load(&flash.nv, &settings));
    store_take_key(&settings, SCRIP_PURSE_PAY, first);
    assert_int_equal(store_older_key(&settings, SCRIP_PURSE_PAY, 1, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    store_take_key(&settings, SCRIP_PURSE_PAY, second);
    assert_ok(store_save(&flash.nv, &settings));
    assert_ok(store_load(&flash.nv, &settings));
    assert_ok(store_older_key(&settings, SCRIP_PURSE_PAY, 1, scrip_bytes(NULL, 0), key));
    assert_memory_equal(key, first, 16);
    assert_int_equal(store_older_key(&settings, SCRIP_PURSE_TOPUP, 1, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    store_take_key(&settings, SCRIP_PURSE_PAY, third);
    assert_ok(store_older_key(&settings, SCRIP_PURSE_PAY, 200, scrip_bytes(NULL, 0), key));
    assert_memory_equal(key, second, 16);
    store_take_key(&settings, SCRIP_PURSE_PAY, third); /* forget the older one */
    assert_int_equal(store_older_key(&settings, SCRIP_PURSE_PAY, 2, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    store_take_key(&settings, SCRIP_PURSE_AMK, first);
    store_take_key(&settings, SCRIP_PURSE_AMK, second);
    store_take_key(&settings, SCRIP_PURSE_BCD, first);
    for (int role = 0; role < 12; role++) { /* no others are kept */
        assert_int_equal(store_older_key(&settings, (enum scrip_purse_role)role, 1, scrip_bytes(NULL, 0), key),
                         SCRIP_E_KEY);
    }
}

/* The board's entropy is the same at every start: the secret in flash alone must do. */
static void no_start_repeats_the_random_numbers_of_another(void **state)
{
    static uint8_t drawn[16][64];
    const uint8_t entropy[16] = {0};
    struct flash flash;
    struct settings settings;
    struct generator generator;
    (void)state;
    flash_init(&flash);
    for (unsigned start = 0; start < 16; start++) {
        assert_ok(store_load(&flash.nv, &settings));
        assert_ok(generator_start(&generator, &settings, &flash.nv, entropy));
        const struct scrip_random random = generator_random(&generator);
        assert_ok(random.fill(random.ctx, drawn[start], 40));
        assert_ok(random.fill(random.ctx, drawn[start] + 40, 24));
        for (unsigned i = 0; i < start; i++) {
            assert_memory_not_equal(drawn[i], drawn[start], 16);
            assert_memory_not_equal(drawn[i] + 40, drawn[start] + 40, 16);
        }
    }
}

static void nothing_is_drawn_under_a_seed_that_was_not_replaced(void **state)
{
    const uint8_t entropy[16] = {7};
    struct flash flash;
    struct settings settings;
    struct generator generator;
    (void)state;
    flash_init(&flash);
    assert_ok(store_load(&flash.nv, &settings));
    assert_ok(store_save(&flash.nv, &settings));
    const unsigned needed = UINT32_MAX - flash.writes_left;
    assert_true(needed > 1);
    for (unsigned writes = 0; writes < needed; writes++) {
        flash_init(&flash);
        assert_ok(store_load(&flash.nv, &settings));
        flash.writes_left = writes;
        assert_int_equal(generator_start(&generator, &settings, &flash.nv, entropy), SCRIP_E_NV);
    }
}

static void the_journal_lies_behind_both_copies(void **state)
{
    struct flash flash;
    struct settings settings;
    struct scrip_journal journal;
    const uint8_t id[4] = {1, 2, 3, 4};
    struct scrip_journal_line line = {.kind = SCRIP_JOURNAL_DEBIT, .amount = 5};
    (void)state;
    flash_init(&flash);
    assert_ok(store_load(&flash.nv, &settings));
    assert_ok(scrip_journal_format(store_journal(&flash.nv), id));
    assert_ok(scrip_journal_open(&journal, store_journal(&flash.nv)));
    assert_ok(store_save(&flash.nv, &settings));
    assert_ok(scrip_journal_append(&journal, &line));
    assert_ok(store_save(&flash.nv, &settings));
    assert_ok(scrip_journal_open(&journal, store_journal(&flash.nv)));
    assert_int_equal(journal.last, 1);
    assert_ok(store_load(&flash.nv, &settings));
    assert_int_equal(settings.generation, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_terminal_has_settings_and_no_key),
        cmocka_unit_test(power_lost_at_any_page_leaves_the_old_settings_or_the_new),
        cmocka_unit_test(a_key_is_diversified_as_the_purse_asks),
        cmocka_unit_test(the_key_before_stays_for_the_cards_that_have_it),
        cmocka_unit_test(no_start_repeats_the_random_numbers_of_another),
        cmocka_unit_test(nothing_is_drawn_under_a_seed_that_was_not_replaced),
        cmocka_unit_test(the_journal_lies_behind_both_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
