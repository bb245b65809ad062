/* Who may read and write what, once. */
#include "bench.h"

static struct bench bench;

static const uint8_t DATA[16] = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x81};
static const uint8_t data_blocks[] = {2, 4, 5, 6, 8, 9, 10, 12, 13, 14};

static void it_is_selected_as_a_classic_1k_with_four_sectors(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_blank(b);
    for (unsigned block = 0; block < 256; block++) {
        assert_true(reselect(b));
        assert_int_equal(login(b, (uint8_t)block, block % 2 == 0, KEY_DEFAULT), block < 16);
    }
    enter(b, 0, false, KEY_DEFAULT);
    assert_int_equal(read_block(b, 0), BLOCK);
    assert_hex(SCRIP_BYTES_OF(b->block), "5C0A1199 DE 08 0400 7465737400000000");
    bench_free(b);
}

static void nothing_is_done_before_authentication_or_with_a_wrong_key(void **state)
{
    static const uint8_t codes[] = {0x30, 0xA0, 0xB0, 0xC0, 0xC1, 0xC2, 0x40};
    struct bench *b = &bench;
    (void)state;
    given_blank(b);
    for (size_t i = 0; i < sizeof codes; i++) {
        const uint8_t command[2] = {codes[i], 1};
        assert_int_equal(say(b, command, sizeof command), 0x4);
        assert_int_equal(say(b, command, sizeof command), SILENCE);
        assert_true(reselect(b));
    }
    assert_false(login(b, 1, false, key_of(0x11)));
    assert_int_equal(read_block(b, 1), SILENCE);
    bench_free(b);
}

static void a_hardened_card_is_silent_to_a_wrong_proof_and_a_genuine_one_is_not(void **state)
{
    struct bench *b = &bench;
    const struct scrip_otp_options genuine = {.genuine = true};
    (void)state;
    given_blank(b);
    assert_false(login(b, 1, false, key_of(0x22)));
    assert_int_equal(b->rx.bits, 0);
    scrip_otp_card_init(&b->card, &b->host, &genuine);
    power_cycle(b);
    assert_true(login(b, 1, false, KEY_DEFAULT));
    assert_int_equal(b->card.front.nt, 0x01200145); /* no time has gone by since the field came */
    unsigned answered = 0;
    for (unsigned i = 0; i < 4000 && answered == 0; i++) { /* parity is right once in 256 times */
        uint8_t proof[8] = {(uint8_t)i, (uint8_t)(i >> 8), 1, 2, 3, 4, 5, 6};
        const uint8_t command[2] = {0x60, 1};
        assert_true(reselect(b));
        (void)scrip_frame_bytes_crc(&b->tx, SCRIP_BYTES_OF(command));
        (void)b->card.picc.ops->frame(&b->card.picc, &b->tx, &b->rx);
        (void)scrip_frame_bytes(&b->tx, SCRIP_BYTES_OF(proof));
        (void)b->card.picc.ops->frame(&b->card.picc, &b->tx, &b->rx);
        answered += b->rx.bits == 4 ? 1 : 0;
    }
    assert_int_equal(answered, 1);
    bench_free(b);
}

static void a_genuine_nonce_is_of_the_time_since_the_field_came(void **state)
{
    static const uint64_t clocks[] = {0, 1, 160, 65534, 65535, 65536, 2 * 65535 + 7, UINT64_C(65535) << 24, 1ULL << 40};
    struct bench *b = &bench;
    const struct scrip_otp_options genuine = {.genuine = true};
    (void)state;
    given_blank(b);
    scrip_otp_card_init(&b->card, &b->host, &genuine);
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        b->card.picc.now_fc = 1000000;
        power_cycle(b);
        b->card.picc.now_fc += clocks[i] * 128 + 127;
        assert_true(login(b, 1, false, KEY_DEFAULT));
        assert_int_equal(b->card.front.nt, scrip_crypto1_successor(0x01200145, (uint32_t)(clocks[i] % 65535)));
    }
    bench_free(b);
}

static void each_data_block_is_written_once(void **state)
{
    struct bench *b = &bench;
    uint8_t blank[16] = {0};
    uint8_t more[16];
    (void)state;
    given_blank(b);
    memset(more, 0xFF, sizeof more);
    for (size_t i = 0; i < sizeof data_blocks; i++) {
        const uint8_t block = data_blocks[i];
        enter(b, block, i % 2 == 0, KEY_DEFAULT);
        assert_int_equal(read_block(b, block), BLOCK);
        assert_memory_equal(b->block, blank, sizeof blank);
        assert_int_equal(write_block(b, block, DATA), ACK);
        assert_int_equal(b->card.picc.busy_us, 200 * (14 + 1)); /* ones, and the pointer */
        assert_int_equal(read_block(b, block), BLOCK);
        assert_memory_equal(b->block, DATA, sizeof DATA);
        assert_true(bit_of(b, SCRIP_OTP_BLOCK_POINTER(block)));
        assert_int_equal(write_block(b, block, DATA), 0x4); /* not even the same */
        enter(b, block, false, KEY_DEFAULT);
        assert_int_equal(write_block(b, block, more), 0x4);
        enter(b, block, false, KEY_DEFAULT);
        assert_int_equal(read_block(b, block), BLOCK);
        assert_memory_equal(b->block, DATA, sizeof DATA);
    }
    bench_free(b);
}

static void a_block_of_zeros_is_written_once_too(void **state)
{
    struct bench *b = &bench;
    const uint8_t zeros[16] = {0};
    (void)state;
    given_blank(b);
    enter(b, 4, false, KEY_DEFAULT);
    assert_int_equal(write_block(b, 4, zeros), ACK);
    assert_int_equal(b->card.picc.busy_us, 200);
    assert_int_equal(write_block(b, 4, DATA), 0x4);
    bench_free(b);
}

static void the_manufacturer_block_and_blocks_beyond_are_never_written(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_blank(b);
    for (unsigned block = 0; block < 256; block++) {
        if (block == 0 || block >= 4) {
            enter(b, 0, false, KEY_DEFAULT);
            assert_int_equal(write_block(b, (uint8_t)block, DATA), 0x4);
        }
    }
    bench_free(b);
}

static void only_blocks_of_the_sector_and_the_virtual_one_are_read(void **state)
{
    struct bench *b = &bench;
    uint8_t face[16];
    (void)state;
    given_sold(b, 2, 50);
    face_block(2, 50, face);
    for (uint8_t sector = 0; sector < 4; sector++) {
        for (unsigned block = 0; block < 256; block++) {
            enter(b, (uint8_t)(4 * sector), false, KEY_DEFAULT);
            const bool readable = block / 4 == sector || (block == 16 && sector == 0);
            assert_int_equal(read_block(b, (uint8_t)block), readable ? BLOCK : 0x4);
            if (block == 16 && sector == 0) {
                assert_memory_equal(b->block, face, sizeof face);
            }
        }
    }
    bench_free(b);
}

static void a_face_value_out_of_range_or_with_a_wrong_complement_is_refused_and_programs_nothing(void **state)
{
    static const char *const bad[] = {
        "00000000FFFFFFFF 3200CDFF 00000000", "02000000FDFFFFFF 0000FFFF 00000000",
        "02000000FDFFFFFF 71178EE8 00000000", "02000000FDFFFFFF 3200CCFF 00000000",
        "02000000FCFFFFFF 3200CDFF 00000000", "00000080FFFFFF7F 0100FEFF 00000000",
        "FFFFFF7F00000080 0200FDFF 00000000", "00000000000000000000000000000000",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    };
    struct bench *b = &bench;
    uint8_t block[16];
    (void)state;
    given_blank(b);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enter(b, 1, false, KEY_DEFAULT);
        (void)from_hex(bad[i], block, sizeof block);
        assert_int_equal(write_block(b, 1, block), 0x4);
    }
    assert_int_equal(b->tear.writes, 0);
    enter(b, 1, false, KEY_DEFAULT);
    (void)from_hex("FFFFFF7F00000080 0100FEFF 01020304", block, sizeof block); /* the largest balance */
    assert_int_equal(write_block(b, 1, block), ACK);
    assert_int_equal(balance(b), INT32_MAX);
    bench_free(b);
}

static void the_face_block_takes_its_modelled_time(void **state)
{
    struct bench *b = &bench;
    (void)state;
    given_sold(b, 2, 50);
    assert_int_equal(b->card.picc.busy_us, 9600 + 200);
    bench_free(b);
}

/* ---- passwords ---- */

static void the_default_password_ends_where_a_password_is_written(void **state)
{
    struct bench *b = &bench;
    uint8_t block[16];
    (void)state;
    given_blank(b);
    password_block(0xA1, "7F0788", 0xB2, block); /* data 000, trailer 011 */
    for (uint8_t sector = 0; sector < 4; sector++) {
        const uint8_t trailer = (uint8_t)(4 * sector + 3);
        enter(b, trailer, sector % 2 == 0, KEY_DEFAULT);
        assert_int_equal(read_block(b, trailer), BLOCK);
        assert_hex(SCRIP_BYTES_OF(b->block), "000000000000 FF0780 69 FFFFFFFFFFFF");
        assert_int_equal(write_block(b, trailer, block), ACK);
        assert_true(bit_of(b, SCRIP_OTP_PASSWORD_POINTER(sector)));
        assert_true(bit_of(b, SCRIP_OTP_BLOCK_POINTER(trailer)));
        for (unsigned key = 0; key < 2; key++) {
            assert_true(reselect(b));
            assert_false(login(b, trailer, key == 1, KEY_DEFAULT));
            enter(b, trailer, key == 1, key_of(key == 0 ? 0xA1 : 0xB2));
        }
        assert_int_equal(read_block(b, trailer), BLOCK);
        assert_hex(SCRIP_BYTES_OF(b->block), "000000000000 7F0788 69 000000000000");
        assert_int_equal(write_block(b, trailer, block), 0x4); /* never again, whatever key B may */
        enter(b, trailer, false, key_of(0xA1));
    }
    bench_free(b);
}

static void damaged_access_bits_are_refused_as_nothing_could_mend_them(void **state)
{
    struct bench *b = &bench;
    uint8_t block[16];
    (void)state;
    given_blank(b);
    for (unsigned bit = 0; bit < 24; bit++) {
        password_block(0xA1, "FF0780", 0xB2, block);
        block[6 + bit / 8] ^= (uint8_t)(1U << bit % 8);
        enter(b, 3, false, KEY_DEFAULT);
        assert_int_equal(write_block(b, 3, block), 0x4);
    }
    assert_int_equal(b->tear.writes, 0);
    enter(b, 3, false, KEY_DEFAULT);
    bench_free(b);
}

static void key_b_that_can_be_read_is_no_key_except_by_default(void **state)
{
    struct bench *b = &bench;
    uint8_t block[16];
    (void)state;
    given_sold(b, 2, 50);
    password_block(0xA1, "FF0780", 0xB2, block); /* trailer 001: key B is readable */
    assert_int_equal(write_block(b, 3, block), ACK);
    enter(b, 1, true, key_of(0xB2));
    assert_int_equal(read_block(b, 1), 0x4);
    enter(b, 1, true, key_of(0xB2));
    assert_int_equal(decrement(b, 2), 0x4);
    enter(b, 1, false, key_of(0xA1));
    assert_int_equal(read_block(b, 3), BLOCK);
    assert_hex(SCRIP_BYTES_OF(b->block), "000000000000 FF0780 69 B2B2B2B2B2B2");
    assert_int_equal(balance(b), 100);
    bench_free(b);
}

/* The conditions of the data blocks, with a trailer of 011 so that key B is a key. */
static const struct {
    uint8_t condition; /* C1 C2 C3 */
    const char *may;   /* for key A and key B: r read, w write, d decrement */
    const char *may_b;
} conditions[] = {
    {0, "rwd", "rwd"}, {2, "r", "r"}, {4, "r", "rw"}, {6, "rd", "rwd"},
    {1, "rd", "rd"},   {3, "", "rw"}, {5, "", "r"},   {7, "", ""},
};

static void access_bits_give_the_rights_of_the_table(void **state)
{
    struct bench *b = &bench;
    uint8_t block[16];
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        for (unsigned key = 0; key < 2; key++) {
            const char *may = key == 0 ? conditions[i].may : conditions[i].may_b;
            const uint8_t *bytes;
            const struct scrip_classic_access access = {
                {conditions[i].condition, conditions[i].condition, conditions[i].condition, 3}};
            given_sold(b, 2, 50);
            password_block(0xA1, "FF0780", 0xB2, block);
            scrip_classic_access_put(&access, block + 6);
            assert_int_equal(write_block(b, 3, block), ACK);
            bytes = key_of(key == 0 ? 0xA1 : 0xB2);
            enter(b, 1, key == 1, bytes);
            assert_int_equal(read_block(b, 1), strchr(may, 'r') != NULL ? BLOCK : 0x4);
            enter(b, 1, key == 1, bytes);
            assert_int_equal(read_block(b, 16), strchr(may, 'r') != NULL ? BLOCK : 0x4);
            enter(b, 1, key == 1, bytes);
            assert_int_equal(write_block(b, 2, DATA), strchr(may, 'w') != NULL ? ACK : 0x4);
            enter(b, 1, key == 1, bytes);
            assert_int_equal(decrement(b, 2), strchr(may, 'd') != NULL ? SILENCE : 0x4);
            if (strchr(may, 'd') != NULL) {
                assert_int_equal(transfer(b), ACK);
            }
            assert_int_equal(used(b), strchr(may, 'd') != NULL ? 1 : 0);
            bench_free(b);
        }
    }
}

/* ---- anything at all ---- */

static uint8_t dice(struct bench *b)
{
    uint8_t byte = 0;
    (void)b->random.fill(b->random.ctx, &byte, 1);
    return byte;
}

static void anything_goes(struct bench *b)
{
    static const uint8_t codes[] = {0x30, 0xA0, 0xA0, 0xA0, 0xB0, 0xB0, 0xC0, 0xC0, 0xC1, 0xC2, 0x40};
    uint8_t bytes[16];
    const uint8_t block = dice(b) % 17;
    const uint8_t command[2] = {codes[dice(b) % sizeof codes], dice(b) % 3 == 0 ? 1 : block};
    if (!b->open || dice(b) % 16 == 0) {
        (void)reselect(b);
        (void)login(b, block, dice(b) % 2 == 0, dice(b) % 4 == 0 ? key_of(0xA1) : KEY_DEFAULT);
    }
    const int answer = b->open ? say(b, command, sizeof command) : SILENCE;
    if (answer != ACK || command[0] == 0xB0) {
        b->open = b->open && answer != SILENCE && (answer == ACK || answer == BLOCK);
        return;
    }
    (void)b->random.fill(b->random.ctx, bytes, sizeof bytes);
    if (command[0] == 0xA0 && dice(b) % 2 == 0) {
        command[1] % 4 == 3 ? password_block(0xA1, "7F0788", 0xA1, bytes) : face_block(dice(b) + 1U, 50, bytes);
    }
    if (command[0] == 0xC0) {
        scrip_put_le32(bytes, dice(b) % 8U);
    }
    const int end = say(b, bytes, command[0] == 0xA0 ? 16 : 4);
    b->open = end == ACK || (command[0] == 0xC0 && end == SILENCE);
}

static void no_run_of_commands_ever_clears_a_bit_or_raises_the_balance(void **state)
{
    struct bench *b = &bench;
    unsigned written = 0;
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        uint8_t before[SCRIP_OTP_PAGES * SCRIP_NV_PAGE];
        given_blank(b);
        scrip_random_seeded_init(&b->seeded, round);
        memcpy(before, b->memory.at, sizeof before);
        for (unsigned step = 0; step < 400; step++) {
            const uint16_t units = used(b);
            anything_goes(b);
            for (size_t i = 0; i < sizeof before; i++) {
                assert_int_equal(before[i] & ~b->memory.at[i], 0);
            }
            memcpy(before, b->memory.at, sizeof before);
            assert_true(used(b) >= units);
        }
        written += b->tear.writes;
        bench_free(b); /* no write was even tried that would clear one */
    }
    assert_true(written > 600);
}

static void a_card_that_was_never_finished_does_not_wake_up(void **state)
{
    struct bench *b = &bench;
    const struct scrip_otp_identity identity = {.uid = UID_BYTES};
    const struct scrip_otp_identity cascade = {.uid = {0x88}};
    (void)state;
    given_blank(b);
    assert_status(scrip_otp_card_make(&b->nv, &cascade), SCRIP_E_ARGUMENT);
    struct scrip_nv small = b->nv;
    small.pages--;
    assert_status(scrip_otp_card_make(&small, &identity), SCRIP_E_SPACE);
    for (unsigned n = 1; n <= SCRIP_OTP_PAGES + 1; n++) { /* the last write is the pointer of block 0 */
        b->card.picc.ops->power(&b->card.picc, false);
        otp_tear_plan(&b->tear, n, OTP_TEAR_NONE, 0);
        const enum scrip_status made = scrip_otp_card_make(&b->nv, &identity);
        otp_tear_power_up(&b->tear);
        assert_status(made, SCRIP_E_NV);
        if (n > 29) { /* the pointer of what was there before is gone */
            assert_status(b->card.picc.ops->power(&b->card.picc, true), SCRIP_E_CORRUPT);
            assert_false(reselect(b));
        }
    }
    assert_ok(scrip_otp_card_make(&b->nv, &identity));
    power_cycle(b);
    b->tear.backwards = 0; /* the factory may */
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_selected_as_a_classic_1k_with_four_sectors),
        cmocka_unit_test(nothing_is_done_before_authentication_or_with_a_wrong_key),
        cmocka_unit_test(a_hardened_card_is_silent_to_a_wrong_proof_and_a_genuine_one_is_not),
        cmocka_unit_test(a_genuine_nonce_is_of_the_time_since_the_field_came),
        cmocka_unit_test(each_data_block_is_written_once),
        cmocka_unit_test(a_block_of_zeros_is_written_once_too),
        cmocka_unit_test(the_manufacturer_block_and_blocks_beyond_are_never_written),
        cmocka_unit_test(only_blocks_of_the_sector_and_the_virtual_one_are_read),
        cmocka_unit_test(a_face_value_out_of_range_or_with_a_wrong_complement_is_refused_and_programs_nothing),
        cmocka_unit_test(the_face_block_takes_its_modelled_time),
        cmocka_unit_test(the_default_password_ends_where_a_password_is_written),
        cmocka_unit_test(damaged_access_bits_are_refused_as_nothing_could_mend_them),
        cmocka_unit_test(key_b_that_can_be_read_is_no_key_except_by_default),
        cmocka_unit_test(access_bits_give_the_rights_of_the_table),
        cmocka_unit_test(no_run_of_commands_ever_clears_a_bit_or_raises_the_balance),
        cmocka_unit_test(a_card_that_was_never_finished_does_not_wake_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
