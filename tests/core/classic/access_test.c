/* Every access condition of data block and trailer, with both keys, for every command, over the air. */
#include "access_table.h"
#include "bench.h"
#include <stdlib.h>

/* What is asked for. */
struct scene {
    struct bench *b;
    uint8_t sector;
    uint8_t block; /* a data block of the sector, whose group has the condition `data` */
    uint8_t other; /* one of another group, which allows everything */
    const struct data_row *data;
    const struct trailer_row *trailer;
    bool key_b;
};

static const uint8_t text[16] = "sixteen letters";

static void lay_sector(const struct scene *s)
{
    struct scrip_classic_access access = {{0, 0, 0, condition_of(s->trailer->condition)}};
    struct scrip_classic_trailer trailer = {.free_byte = 0x69};
    uint8_t block[16];

    access.group[scrip_classic_group(s->block)] = condition_of(s->data->condition);
    memcpy(trailer.key_a, KEY_A, 6);
    memcpy(trailer.key_b, KEY_B, 6);
    scrip_classic_access_put(&access, trailer.access);
    scrip_classic_trailer_put(&trailer, block);
    assert_ok(scrip_classic_card_poke(&s->b->under, scrip_classic_trailer(s->sector), block));
    given_value(s->b, s->block, 100, 7);
    given_value(s->b, s->other, 55, 8);
}

/* The sector as laid out, and a session with the key. */
static void begin(const struct scene *s)
{
    lay_sector(s);
    given_session(s->b, s->key_b, s->block, s->key_b ? KEY_B : KEY_A);
}

/* Is this right worth anything with this key? Where key B can be read, it opens nothing. */
static bool granted(const struct scene *s, const char *who)
{
    return has(who, s->key_b) && (!s->key_b || s->trailer->b_usable);
}

static void check_status(const struct scene *s, const char *command, bool allowed, enum scrip_status got)
{
    if (got != (allowed ? SCRIP_OK : SCRIP_E_CARD)) {
        fail_msg("%s of block %u: data %s, trailer %s, key %c: %s", command, s->block, s->data->condition,
                 s->trailer->condition, s->key_b ? 'B' : 'A', scrip_status_name(got));
    }
}

static int32_t value_at(const struct scene *s, uint8_t block)
{
    uint8_t data[16];
    int32_t value = 0;
    uint8_t address;
    peek(s->b, block, data);
    assert_ok(scrip_classic_value_get(data, &value, &address));
    return value;
}

static void read_and_write(const struct scene *s)
{
    uint8_t data[16] = {0};
    uint8_t stored[16];

    begin(s);
    peek(s->b, s->block, stored);
    check_status(s, "READ", granted(s, s->data->read), do_read(s->b, s->block, data));
    if (granted(s, s->data->read)) {
        assert_memory_equal(data, stored, 16);
    }
    begin(s);
    check_status(s, "WRITE", granted(s, s->data->write), do_write(s->b, s->block, text));
    peek(s->b, s->block, data);
    assert_memory_equal(data, granted(s, s->data->write) ? text : stored, 16);
}

/* The result of a value operation goes to a block that takes anything. */
static void value_operation(const struct scene *s, uint8_t opcode, const char *name, const char *who, int32_t result)
{
    begin(s);
    check_status(s, name, granted(s, who), do_value(s->b, opcode, s->block, 9));
    assert_int_equal(value_at(s, s->block), 100);
    if (granted(s, who)) {
        check_status(s, "TRANSFER", true, do_transfer(s->b, s->other));
        assert_int_equal(value_at(s, s->other), result);
    }
}

static void values(const struct scene *s)
{
    value_operation(s, SCRIP_MIFARE_DECREMENT, "DECREMENT", s->data->decrement, 91);
    value_operation(s, SCRIP_MIFARE_INCREMENT, "INCREMENT", s->data->increment, 109);
    value_operation(s, SCRIP_MIFARE_RESTORE, "RESTORE", s->data->decrement, 100);
}

/* Something is in the transfer buffer, if the key opens anything at all. */
static void transfer(const struct scene *s)
{
    begin(s);
    if (do_value(s->b, SCRIP_MIFARE_RESTORE, s->other, 0) != SCRIP_OK) {
        assert_false(granted(s, "AB"));
        begin(s);
    }
    check_status(s, "TRANSFER", granted(s, s->data->decrement), do_transfer(s->b, s->block));
    assert_int_equal(value_at(s, s->block), granted(s, s->data->decrement) ? 55 : 100);
}

static void for_every_condition(struct bench *b, uint8_t block, uint8_t other, void (*check)(const struct scene *s))
{
    for (size_t data = 0; data < 8; data++) {
        for (size_t trailer = 0; trailer < 8; trailer++) {
            for (int key = 0; key < 2; key++) {
                check(&(struct scene){.b = b,
                                      .sector = scrip_classic_sector(block),
                                      .block = block,
                                      .other = other,
                                      .data = &data_table[data],
                                      .trailer = &trailer_table[trailer],
                                      .key_b = key == 1});
            }
        }
    }
}

/* A block of each group in a sector of four, and first and last ones of each group in a sector of sixteen. */
static void for_every_group(void (*check)(const struct scene *s))
{
    static const uint8_t blocks[][2] = {{4, 5},     {5, 6},     {6, 4},     {240, 245}, {244, 249},
                                        {245, 250}, {249, 254}, {250, 240}, {254, 244}};
    void *state;
    assert_int_equal(bench_4k(&state), 0);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        for_every_condition(state, blocks[i][0], blocks[i][1], check);
    }
    bench_done(&state);
}

static void data_blocks_are_read_and_written_as_the_table_says(void **state)
{
    (void)state;
    for_every_group(read_and_write);
}

static void values_are_changed_as_the_table_says(void **state)
{
    (void)state;
    for_every_group(values);
}

static void transfer_needs_the_right_of_its_target(void **state)
{
    (void)state;
    for_every_group(transfer);
}

/* ---- trailers ---- */

static void read_trailer(const struct scene *s)
{
    const uint8_t trailer = scrip_classic_trailer(s->sector);
    static const uint8_t hidden[6];
    uint8_t stored[16];
    uint8_t data[16] = {0};

    begin(s);
    peek(s->b, trailer, stored);
    check_status(s, "READ trailer", granted(s, "AB"), do_read(s->b, trailer, data));
    if (granted(s, "AB")) {
        assert_memory_equal(data, hidden, 6);
        assert_memory_equal(data + 6, stored + 6, 4);
        assert_memory_equal(data + 10, granted(s, s->trailer->read_b) ? KEY_B : hidden, 6);
    }
}

/* Only the parts change for which there is a right; with none, the first frame is refused. */
static void write_trailer(const struct scene *s)
{
    static const uint8_t wanted[16] = {1, 2, 3, 4, 5, 6, 0xFF, 0x07, 0x80, 0x42, 7, 8, 9, 10, 11, 12};
    const uint8_t trailer = scrip_classic_trailer(s->sector);
    const bool a = granted(s, s->trailer->write_a);
    const bool access = granted(s, s->trailer->write_access);
    const bool b = granted(s, s->trailer->write_b);
    uint8_t stored[16];
    uint8_t data[16];

    begin(s);
    peek(s->b, trailer, stored);
    check_status(s, "WRITE trailer", a || access || b, do_write(s->b, trailer, wanted));
    peek(s->b, trailer, data);
    assert_memory_equal(data, a ? wanted : stored, 6);
    assert_memory_equal(data + 6, (access ? wanted : stored) + 6, 4);
    assert_memory_equal(data + 10, (b ? wanted : stored) + 10, 6);
}

static void trailers_are_read_and_written_as_the_table_says(void **state)
{
    (void)state;
    void *bench;
    assert_int_equal(bench_4k(&bench), 0);
    for_every_condition(bench, 4, 5, read_trailer);
    for_every_condition(bench, 4, 5, write_trailer);
    for_every_condition(bench, 128, 133, read_trailer);
    for_every_condition(bench, 128, 133, write_trailer);
    bench_done(&bench);
}

/* ---- what no access bits allow ---- */

static void the_manufacturer_block_is_never_written_and_holds_no_value(void **state)
{
    struct bench *b = *state;
    uint8_t before[16];
    uint8_t after[16];

    given_value(b, 0, 100, 0); /* by an image tool: even so */
    peek(b, 0, before);
    power_cycle(b);
    for (size_t i = 0; i < 4; i++) {
        static const uint8_t opcodes[] = {SCRIP_MIFARE_DECREMENT, SCRIP_MIFARE_INCREMENT, SCRIP_MIFARE_RESTORE};
        given_session(b, false, 0, KEY_FF);
        assert_status(i < 3 ? do_value(b, opcodes[i], 0, 1) : do_write(b, 0, text), SCRIP_E_CARD);
    }
    given_value(b, 1, 100, 0);
    given_session(b, false, 0, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_RESTORE, 1, 0));
    assert_status(do_transfer(b, 0), SCRIP_E_CARD);
    peek(b, 0, after);
    assert_memory_equal(after, before, 16);
}

static void a_trailer_holds_no_value_whatever_its_condition(void **state)
{
    struct bench *b = *state;
    static const uint8_t opcodes[] = {SCRIP_MIFARE_DECREMENT, SCRIP_MIFARE_INCREMENT, SCRIP_MIFARE_RESTORE};

    for (uint8_t condition = 0; condition < 8; condition++) {
        given_trailer(b, 1, 0, condition);
        for (size_t i = 0; i < 3; i++) {
            given_session(b, false, 4, KEY_A);
            assert_status(do_value(b, opcodes[i], 7, 1), SCRIP_E_CARD);
        }
        given_value(b, 4, 100, 0);
        given_session(b, false, 4, KEY_A);
        assert_ok(do_value(b, SCRIP_MIFARE_RESTORE, 4, 0));
        assert_status(do_transfer(b, 7), SCRIP_E_CARD);
    }
}

static void damaged_access_bits_block_a_sector_but_not_the_authentication(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];

    for (unsigned bit = 0; bit < 24; bit++) {
        given_trailer(b, 1, 0, 1);
        given_value(b, 4, 100, 0);
        peek(b, 7, data);
        data[6 + bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_ok(scrip_classic_card_poke(&b->under, 7, data));
        for (int command = 0; command < 6; command++) {
            given_session(b, command % 2 == 1, 4, command % 2 == 1 ? KEY_B : KEY_A);
            assert_status(command == 0   ? do_read(b, 4, data)
                          : command == 1 ? do_read(b, 7, data)
                          : command == 2 ? do_write(b, 4, text)
                          : command == 3 ? do_write(b, 7, scrip_classic_trailer_new)
                          : command == 4 ? do_value(b, SCRIP_MIFARE_DECREMENT, 4, 1)
                                         : do_value(b, SCRIP_MIFARE_RESTORE, 4, 0),
                          SCRIP_E_CARD);
        }
    }
}

static void who_damages_access_bits_loses_the_sector_at_once(void **state)
{
    static const uint8_t damaged[16] = {0};
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(ask(b, "A007"), SCRIP_CLASSIC_ACK); /* the library would not do it */
    assert_int_equal(ask(b, "00000000000000000000000000000000"), SCRIP_CLASSIC_ACK);
    assert_status(do_read(b, 4, data), SCRIP_E_CARD);
    given_session(b, false, 4, damaged); /* key A is 00 now, and opens a sector that gives nothing */
    assert_status(do_read(b, 4, data), SCRIP_E_CARD);
    given_session(b, false, 8, KEY_FF);
    assert_ok(do_read(b, 8, data));
}

static void new_access_bits_count_at_once_and_new_keys_from_the_next_authentication_on(void **state)
{
    struct bench *b = *state;
    uint8_t trailer[16];
    uint8_t data[16];
    from_hex("A0A1A2A3A4A5 F0FF00 69 B0B1B2B3B4B5", trailer, sizeof trailer); /* 100 everywhere: A may read */
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_write(b, 7, trailer));
    assert_ok(do_read(b, 4, data));
    assert_status(do_write(b, 4, text), SCRIP_E_CARD);
    assert_ok(select_card(b));
    assert_status(do_auth(b, false, 4, KEY_FF), SCRIP_E_AUTH);
    given_session(b, true, 4, KEY_B);
    assert_ok(do_write(b, 4, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_blocks_are_read_and_written_as_the_table_says),
        cmocka_unit_test(values_are_changed_as_the_table_says),
        cmocka_unit_test(transfer_needs_the_right_of_its_target),
        cmocka_unit_test(trailers_are_read_and_written_as_the_table_says),
        cmocka_unit_test_setup_teardown(the_manufacturer_block_is_never_written_and_holds_no_value, bench_1k,
                                        bench_done),
        cmocka_unit_test_setup_teardown(a_trailer_holds_no_value_whatever_its_condition, bench_1k, bench_done),
        cmocka_unit_test_setup_teardown(damaged_access_bits_block_a_sector_but_not_the_authentication, bench_1k,
                                        bench_done),
        cmocka_unit_test_setup_teardown(who_damages_access_bits_loses_the_sector_at_once, bench_1k, bench_done),
        cmocka_unit_test_setup_teardown(new_access_bits_count_at_once_and_new_keys_from_the_next_authentication_on,
                                        bench_1k, bench_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
