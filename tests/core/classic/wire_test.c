#include "access_table.h"
#include "check.h"
#include <scrip/classic.h>

/* ---- where blocks are ---- */

static void sectors_of_a_1k_are_the_first_sixteen_of_a_4k(void **state)
{
    (void)state;
    for (unsigned block = 0; block < 128; block++) {
        assert_int_equal(scrip_classic_sector((uint8_t)block), block / 4);
        assert_int_equal(scrip_classic_group((uint8_t)block), block % 4);
    }
    for (uint8_t sector = 0; sector < 32; sector++) {
        assert_int_equal(scrip_classic_sector_blocks(sector), 4);
        assert_int_equal(scrip_classic_first(sector), 4 * sector);
        assert_int_equal(scrip_classic_trailer(sector), 4 * sector + 3);
    }
}

static void large_sectors_have_groups_of_five_blocks_and_a_trailer(void **state)
{
    static const uint8_t groups[16] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3};
    (void)state;
    for (unsigned block = 128; block < 256; block++) {
        assert_int_equal(scrip_classic_sector((uint8_t)block), 32 + (block - 128) / 16);
        assert_int_equal(scrip_classic_group((uint8_t)block), groups[(block - 128) % 16]);
    }
    for (uint8_t sector = 32; sector < 40; sector++) {
        assert_int_equal(scrip_classic_sector_blocks(sector), 16);
        assert_int_equal(scrip_classic_first(sector), 128 + 16 * (sector - 32));
        assert_int_equal(scrip_classic_trailer(sector), 128 + 16 * (sector - 32) + 15);
    }
}

static void every_sector_holds_its_blocks_and_ends_with_its_trailer(void **state)
{
    unsigned next = 0;
    (void)state;
    for (uint8_t sector = 0; sector < SCRIP_CLASSIC_4K_SECTORS; sector++) {
        assert_int_equal(scrip_classic_first(sector), next);
        for (unsigned i = 0; i < scrip_classic_sector_blocks(sector); i++, next++) {
            const bool last = i + 1U == scrip_classic_sector_blocks(sector);
            assert_int_equal(scrip_classic_sector((uint8_t)next), sector);
            assert_int_equal(scrip_classic_group((uint8_t)next) == 3, last);
        }
        assert_int_equal(scrip_classic_trailer(sector), next - 1);
    }
    assert_int_equal(next, SCRIP_CLASSIC_4K_BLOCKS);
}

/* ---- access conditions, as the data sheet prints them ---- */

static void check_right(const char *condition, enum scrip_classic_right right, const char *who)
{
    const uint8_t bits = condition_of(condition);
    assert_int_equal(scrip_classic_may(bits, right, false), has(who, false));
    assert_int_equal(scrip_classic_may(bits, right, true), has(who, true));
}

static void data_blocks_give_the_rights_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        const struct data_row *row = &data_table[i];
        check_right(row->condition, SCRIP_CLASSIC_MAY_READ, row->read);
        check_right(row->condition, SCRIP_CLASSIC_MAY_WRITE, row->write);
        check_right(row->condition, SCRIP_CLASSIC_MAY_INCREMENT, row->increment);
        check_right(row->condition, SCRIP_CLASSIC_MAY_DECREMENT, row->decrement);
    }
}

static void trailers_give_the_rights_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        const struct trailer_row *row = &trailer_table[i];
        check_right(row->condition, SCRIP_CLASSIC_MAY_WRITE_KEY_A, row->write_a);
        check_right(row->condition, SCRIP_CLASSIC_MAY_READ_ACCESS, row->read_access);
        check_right(row->condition, SCRIP_CLASSIC_MAY_WRITE_ACCESS, row->write_access);
        check_right(row->condition, SCRIP_CLASSIC_MAY_READ_KEY_B, row->read_b);
        check_right(row->condition, SCRIP_CLASSIC_MAY_WRITE_KEY_B, row->write_b);
        assert_int_equal(scrip_classic_key_b_usable(condition_of(row->condition)), row->b_usable);
    }
}

/* ---- access bits as they are stored ---- */

static unsigned bit_of(const uint8_t bytes[3], unsigned byte, unsigned bit)
{
    return bytes[byte - 6] >> bit & 1U;
}

static void access_bits_stand_where_the_data_sheet_says(void **state)
{
    (void)state;
    for (unsigned all = 0; all < 4096; all++) {
        struct scrip_classic_access access;
        struct scrip_classic_access back = {{0}};
        uint8_t bytes[3];
        for (unsigned group = 0; group < 4; group++) {
            access.group[group] = all >> (3 * group) & 7U;
        }
        scrip_classic_access_put(&access, bytes);
        for (unsigned group = 0; group < 4; group++) {
            const unsigned c1 = access.group[group] >> 2 & 1U;
            const unsigned c2 = access.group[group] >> 1 & 1U;
            const unsigned c3 = access.group[group] & 1U;
            assert_int_equal(bit_of(bytes, 6, 4 + group), !c2);
            assert_int_equal(bit_of(bytes, 6, group), !c1);
            assert_int_equal(bit_of(bytes, 7, 4 + group), c1);
            assert_int_equal(bit_of(bytes, 7, group), !c3);
            assert_int_equal(bit_of(bytes, 8, 4 + group), c3);
            assert_int_equal(bit_of(bytes, 8, group), c2);
        }
        assert_ok(scrip_classic_access_get(bytes, &back));
        assert_memory_equal(&back, &access, sizeof back);
    }
}

static void only_4096_of_all_access_bytes_are_valid(void **state)
{
    struct scrip_classic_access access;
    unsigned valid = 0;
    (void)state;
    for (uint32_t all = 0; all < 1U << 24; all++) {
        const uint8_t bytes[3] = {(uint8_t)all, (uint8_t)(all >> 8), (uint8_t)(all >> 16)};
        valid += scrip_classic_access_get(bytes, &access) == SCRIP_OK;
    }
    assert_int_equal(valid, 4096);
}

static void damaged_access_bits_leave_the_result_alone(void **state)
{
    static const uint8_t damaged[3] = {0x08, 0x77, 0x8E};
    struct scrip_classic_access access = {{9, 9, 9, 9}};
    (void)state;
    assert_status(scrip_classic_access_get(damaged, &access), SCRIP_E_CORRUPT);
    assert_int_equal(access.group[0], 9);
}

/* ---- trailers and value blocks ---- */

static void a_trailer_is_taken_apart_and_put_together(void **state)
{
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    uint8_t back[SCRIP_CLASSIC_BLOCK];
    struct scrip_classic_trailer trailer;
    (void)state;
    from_hex("A0A1A2A3A4A5 08778F 69 B0B1B2B3B4B5", block, sizeof block);
    scrip_classic_trailer_get(block, &trailer);
    assert_hex(SCRIP_BYTES_OF(trailer.key_a), "A0A1A2A3A4A5");
    assert_hex(SCRIP_BYTES_OF(trailer.access), "08778F");
    assert_int_equal(trailer.free_byte, 0x69);
    assert_hex(SCRIP_BYTES_OF(trailer.key_b), "B0B1B2B3B4B5");
    scrip_classic_trailer_put(&trailer, back);
    assert_memory_equal(back, block, sizeof back);
}

static void a_new_trailer_is_the_transport_configuration(void **state)
{
    struct scrip_classic_access access;
    (void)state;
    assert_hex(SCRIP_BYTES_OF(scrip_classic_trailer_new), "FFFFFFFFFFFF FF0780 69 FFFFFFFFFFFF");
    assert_ok(scrip_classic_access_get(scrip_classic_trailer_new + SCRIP_CLASSIC_AT_ACCESS, &access));
    assert_hex(SCRIP_BYTES_OF(access.group), "00000001");
}

static void a_value_block_comes_back_as_it_was_put(void **state)
{
    static const int32_t values[] = {0, 1, -1, 100, 255, 256, -12345678, INT32_MAX, INT32_MIN};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (unsigned address = 0; address < 256; address++) {
            uint8_t block[SCRIP_CLASSIC_BLOCK];
            int32_t value = 7;
            uint8_t back = 7;
            scrip_classic_value_put(values[i], (uint8_t)address, block);
            assert_ok(scrip_classic_value_get(block, &value, &back));
            assert_int_equal(value, values[i]);
            assert_int_equal(back, address);
        }
    }
}

static void a_value_block_with_any_bit_flipped_is_none(void **state)
{
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    int32_t value = 7;
    uint8_t address = 7;
    (void)state;
    scrip_classic_value_put(500, 9, block);
    for (unsigned bit = 0; bit < 128; bit++) {
        block[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_status(scrip_classic_value_get(block, &value, &address), SCRIP_E_FORMAT);
        block[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(value, 7);
    assert_int_equal(address, 7);
}

/* ---- commands ---- */

struct command_row {
    uint8_t opcode, operand, answer;
};

static void commands_are_those_of_the_data_sheet_and_no_others(void **state)
{
    static const struct command_row rows[] = {
        {0x60, 0, SCRIP_CLASSIC_ANSWER_NONCE},   {0x61, 0, SCRIP_CLASSIC_ANSWER_NONCE},
        {0x30, 0, SCRIP_CLASSIC_ANSWER_BLOCK},   {0xA0, 16, SCRIP_CLASSIC_ANSWER_ACK},
        {0xC0, 4, SCRIP_CLASSIC_ANSWER_SILENCE}, {0xC1, 4, SCRIP_CLASSIC_ANSWER_SILENCE},
        {0xC2, 4, SCRIP_CLASSIC_ANSWER_SILENCE}, {0xB0, 0, SCRIP_CLASSIC_ANSWER_ACK},
        {0x50, 0, SCRIP_CLASSIC_ANSWER_SILENCE}, {0x40, 0, SCRIP_CLASSIC_ANSWER_ACK},
    };
    unsigned known = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct scrip_classic_command *command = scrip_classic_command(rows[i].opcode);
        assert_non_null(command);
        assert_int_equal(command->opcode, rows[i].opcode);
        assert_int_equal(command->operand, rows[i].operand);
        assert_int_equal(command->answer, rows[i].answer);
    }
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        known += scrip_classic_command((uint8_t)opcode) != NULL;
    }
    assert_int_equal(known, sizeof rows / sizeof *rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sectors_of_a_1k_are_the_first_sixteen_of_a_4k),
        cmocka_unit_test(large_sectors_have_groups_of_five_blocks_and_a_trailer),
        cmocka_unit_test(every_sector_holds_its_blocks_and_ends_with_its_trailer),
        cmocka_unit_test(data_blocks_give_the_rights_of_the_table),
        cmocka_unit_test(trailers_give_the_rights_of_the_table),
        cmocka_unit_test(access_bits_stand_where_the_data_sheet_says),
        cmocka_unit_test(only_4096_of_all_access_bytes_are_valid),
        cmocka_unit_test(damaged_access_bits_leave_the_result_alone),
        cmocka_unit_test(a_trailer_is_taken_apart_and_put_together),
        cmocka_unit_test(a_new_trailer_is_the_transport_configuration),
        cmocka_unit_test(a_value_block_comes_back_as_it_was_put),
        cmocka_unit_test(a_value_block_with_any_bit_flipped_is_none),
        cmocka_unit_test(commands_are_those_of_the_data_sheet_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
