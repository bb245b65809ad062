/* States, sessions, refusals: how the card answers frames. */
#include "bench.h"

static const uint8_t text[16] = "sixteen letters";

/* ---- as it comes from the factory ---- */

static void a_new_card_opens_with_the_transport_key_everywhere(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    assert_ok(select_card(b));
    for (uint8_t sector = 0; sector < SCRIP_CLASSIC_1K_SECTORS; sector++) {
        const uint8_t trailer = scrip_classic_trailer(sector);
        assert_ok(do_auth(b, false, trailer, KEY_FF));
        for (uint8_t block = scrip_classic_first(sector); block < trailer; block++) {
            assert_ok(do_read(b, block, data));
            assert_hex(SCRIP_BYTES_OF(data),
                       block == 0 ? "9C599B326C0804000000007363726970" : "00000000000000000000000000000000");
        }
        assert_ok(do_read(b, trailer, data));
        assert_hex(SCRIP_BYTES_OF(data), "000000000000FF078069FFFFFFFFFFFF");
    }
}

struct product {
    bool is_4k;
    const char *uid, *block_0;
    uint8_t atqa, sak;
};

static void each_product_says_what_it_is(void **state)
{
    static const struct product products[] = {
        {false, "9C599B32", "9C599B326C0804000000007363726970", 0x04, 0x08},
        {true, "14579F69", "14579F69B51802000000007363726970", 0x02, 0x18},
        {false, "04A1B2C3D4E5F6", "04A1B2C3D4E5F6084400007363726970", 0x44, 0x08},
        {true, "04A1B2C3D4E5F6", "04A1B2C3D4E5F6184200007363726970", 0x42, 0x18},
    };
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        struct bench b;
        struct scrip_target target;
        uint8_t data[16];
        bench_lay(&b, products[i].is_4k, products[i].uid, SCRIP_CLASSIC_HARDENED);
        assert_ok(scrip_pcd_find(&b.air, false, &target));
        assert_hex(scrip_bytes(target.uid, target.uid_len), products[i].uid);
        assert_int_equal(target.atqa[0], products[i].atqa);
        assert_int_equal(target.atqa[1], 0);
        assert_int_equal(target.sak, products[i].sak);
        b.target = target;
        assert_ok(do_auth(&b, false, 0, KEY_FF));
        assert_ok(do_read(&b, 0, data));
        assert_hex(SCRIP_BYTES_OF(data), products[i].block_0);
        bench_clear(&b);
    }
}

static void what_is_written_is_read(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_write(b, 5, text));
    assert_ok(do_read(b, 5, data));
    assert_memory_equal(data, text, 16);
    power_cycle(b);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_read(b, 5, data));
    assert_memory_equal(data, text, 16);
}

/* ---- refusals ---- */

/* What is asked in a session with key A of sector 1 (transport configuration), or outside of any. */
struct refusal {
    const char *frame; /* CRC is added */
    int outside;       /* the answer before an authentication: in the clear */
    int inside;        /* in the session */
};

static const struct refusal refusals[] = {
    {"3004", 0x4, -1}, /* commands that the session may */
    {"A005", 0x4, 0xA},         {"B004", 0x4, 0x4},
    {"C006", 0x4, 0xA},         {"C106", 0x4, 0xA},
    {"C206", 0x4, 0xA},         {"3008", 0x4, 0x4}, /* another sector */
    {"3003", 0x4, 0x4},         {"30FF", 0x4, 0x4},
    {"A008", 0x4, 0x4},         {"A000", 0x4, 0x4},
    {"B008", 0x4, 0x4},         {"C008", 0x4, 0x4},
    {"C004", 0x4, 0x4}, /* no value block */
    {"C104", 0x4, 0x4},         {"C204", 0x4, 0x4},
    {"C007", 0x4, 0x4}, /* the trailer */
    {"C107", 0x4, 0x4},         {"C207", 0x4, 0x4},
    {"B006", 0x4, 0x4},                             /* nothing in the buffer */
    {"4000", 0x4, 0x4},         {"5001", 0x4, 0x4}, /* halts with a zero only */
    {"0004", NO_ANSWER, 0x4},   {"3104", NO_ANSWER, 0x4},
    {"FF04", NO_ANSWER, 0x4}, /* no such command */
    {"E050", NO_ANSWER, 0x4},   {"C2", NO_ANSWER, 0x4},
    {"30", NO_ANSWER, 0x4}, /* wrong length; RATS, DESELECT */
    {"300400", NO_ANSWER, 0x4}, {"A004000000000000000000000000000000", NO_ANSWER, 0x4},
    {"50", NO_ANSWER, 0x4},     {"6004FF", NO_ANSWER, 0x4},
    {"02", NO_ANSWER, 0x4},     {"B2", NO_ANSWER, 0x4},
};

#define REFUSALS (sizeof refusals / sizeof *refusals)

/* After a NAK or silence the card is idle: it answers REQA at once. */
static void assert_idle(struct bench *b)
{
    uint8_t atqa[2];
    assert_ok(scrip_pcd_request(&b->air, false, atqa));
}

static void before_an_authentication_commands_are_refused_in_the_clear_and_the_rest_is_ignored(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < REFUSALS; i++) {
        assert_ok(select_card(b));
        const int answer = ask(b, refusals[i].frame);
        if (answer != refusals[i].outside) {
            fail_msg("%s: %X", refusals[i].frame, (unsigned)answer);
        }
        assert_idle(b);
    }
}

static void in_a_session_what_may_not_be_is_refused_and_ends_it(void **state)
{
    struct bench *b = *state;
    given_value(b, 6, 10, 6);
    for (size_t i = 0; i < REFUSALS; i++) {
        if (refusals[i].inside < 0) {
            continue;
        }
        given_session(b, false, 4, KEY_FF);
        const int answer = ask(b, refusals[i].frame);
        if (answer != refusals[i].inside) {
            fail_msg("%s: %X", refusals[i].frame, (unsigned)answer);
        }
        if (answer != SCRIP_CLASSIC_ACK) {
            assert_idle(b);
        }
    }
}

static void authentication_to_a_block_that_is_not_there_is_not_answered(void **state)
{
    struct bench *b = *state;
    assert_ok(select_card(b));
    assert_int_equal(ask(b, "6040"), NO_ANSWER);
    assert_idle(b);
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(ask(b, "61FF"), NO_ANSWER);
    assert_idle(b);
}

static void a_wrong_key_is_not_answered(void **state)
{
    struct bench *b = *state;
    given_trailer(b, 1, 0, 3);
    assert_ok(select_card(b));
    assert_status(do_auth(b, false, 4, KEY_B), SCRIP_E_AUTH);
    assert_idle(b);
    assert_ok(select_card(b));
    assert_status(do_auth(b, true, 4, KEY_A), SCRIP_E_AUTH);
    assert_ok(select_card(b));
    assert_ok(do_auth(b, true, 4, KEY_B));
}

static void the_nak_says_whether_the_transfer_buffer_is_valid(void **state)
{
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 4, 1));
    assert_int_equal(ask(b, "3008"), 0x0);
    given_session(b, false, 4, KEY_FF); /* selection has emptied it */
    assert_int_equal(ask(b, "3008"), 0x4);
}

/* ---- operands ---- */

static void an_operand_of_another_length_is_refused(void **state)
{
    static const char *const operands[] = {"",    "00", "000000", "0000000000", "00000000000000000000000000000000",
                                           "3004"};
    struct bench *b = *state;
    given_value(b, 4, 100, 4);
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++) {
        given_session(b, false, 4, KEY_FF);
        assert_int_equal(ask(b, "C004"), SCRIP_CLASSIC_ACK);
        const int answer = ask(b, operands[i]);
        assert_true(answer == 0x4 ||
                    (answer == NO_ANSWER && operands[i][0] == '\0')); /* no content: no frame of ours */
        assert_idle(b);
        if (i != 4) {
            given_session(b, false, 4, KEY_FF);
            assert_int_equal(ask(b, "A005"), SCRIP_CLASSIC_ACK);
            assert_true(ask(b, operands[i]) != SCRIP_CLASSIC_ACK);
            assert_idle(b);
        }
    }
}

static void a_command_in_place_of_an_operand_is_none(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(ask(b, "A005"), SCRIP_CLASSIC_ACK);
    assert_int_equal(ask(b, "6004"), 0x4);
    peek(b, 5, data);
    assert_hex(SCRIP_BYTES_OF(data), "00000000000000000000000000000000");
}

/* ---- damaged frames ---- */

/* Damage a frame: bit `damage` of its parity bits, then of its content. @return false: there is no such bit */
static bool damage_frame(struct scrip_frame *frame, size_t damage)
{
    const size_t len = scrip_frame_len(frame);
    if (damage < len) {
        scrip_frame_parity_set(frame, damage, !scrip_frame_parity(frame, damage));
        return true;
    }
    damage -= len;
    if (damage >= 8 * len) {
        return false;
    }
    frame->data[damage / 8] ^= (uint8_t)(1U << damage % 8);
    scrip_frame_parity_fill(frame); /* the CRC alone must find it */
    return true;
}

static struct scrip_frame command_frame(const char *hex)
{
    struct scrip_frame frame;
    uint8_t bytes[20];
    const size_t len = from_hex(hex, bytes, sizeof bytes);
    assert_ok(scrip_frame_bytes_crc(&frame, scrip_bytes(bytes, len)));
    return frame;
}

static void a_damaged_first_frame_is_told_so_in_a_session(void **state)
{
    static const char *const frames[] = {"3004", "A005", "C006", "B006", "6008", "5000"};
    struct bench *b = *state;
    given_value(b, 6, 10, 6);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        for (size_t damage = 0;; damage++) {
            struct scrip_frame frame = command_frame(frames[i]);
            if (!damage_frame(&frame, damage)) {
                break;
            }
            given_session(b, false, 4, KEY_FF);
            assert_int_equal(ask_frame(b, &frame), 0x5);
            assert_idle(b);
        }
    }
}

static void a_damaged_operand_is_told_so_and_nothing_is_done(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    given_value(b, 6, 10, 6);
    for (size_t damage = 0;; damage++) {
        struct scrip_frame write = command_frame("000102030405060708090A0B0C0D0E0F");
        struct scrip_frame amount = command_frame("01000000");
        if (!damage_frame(&write, damage)) {
            break;
        }
        given_session(b, false, 4, KEY_FF);
        assert_int_equal(ask(b, "A005"), SCRIP_CLASSIC_ACK);
        assert_int_equal(ask_frame(b, &write), 0x5);
        assert_idle(b);
        if (damage_frame(&amount, damage)) {
            given_session(b, false, 4, KEY_FF);
            assert_ok(do_value(b, SCRIP_MIFARE_RESTORE, 6, 0));
            assert_int_equal(ask(b, "C006"), SCRIP_CLASSIC_ACK);
            assert_int_equal(ask_frame(b, &amount), 0x1); /* what was restored is still there to be lost */
            assert_idle(b);
        }
    }
    peek(b, 5, data);
    assert_hex(SCRIP_BYTES_OF(data), "00000000000000000000000000000000");
}

static void before_an_authentication_damage_is_told_of_commands_only(void **state)
{
    struct bench *b = *state;
    for (size_t damage = 0;; damage++) {
        struct scrip_frame frame = command_frame("6004");
        if (!damage_frame(&frame, damage)) {
            break;
        }
        assert_ok(select_card(b));
        const int answer = ask_frame(b, &frame);
        assert_int_equal(answer, scrip_classic_command(frame.data[0]) != NULL ? 0x5 : NO_ANSWER);
        assert_idle(b);
    }
    assert_ok(select_card(b));
    struct scrip_frame others = command_frame("9320"); /* as for another card: without CRC */
    others.bits = 16;
    assert_int_equal(ask_frame(b, &others), NO_ANSWER);
    assert_idle(b);
}

static void frames_that_are_no_bytes_are_not_answered(void **state)
{
    struct bench *b = *state;
    for (uint16_t bits = 1; bits < 36; bits++) {
        if (bits % 8 == 0) {
            continue;
        }
        for (int session = 0; session < 2; session++) {
            struct scrip_frame frame = command_frame("3004");
            frame.bits = bits;
            assert_ok(select_card(b));
            if (session == 1) {
                assert_ok(do_auth(b, false, 4, KEY_FF));
            }
            assert_int_equal(ask_frame(b, &frame), NO_ANSWER);
            assert_idle(b);
        }
    }
}

static void frames_at_other_rates_are_not_answered(void **state)
{
    struct bench *b = *state;
    for (uint8_t rate = SCRIP_RATE_212; rate <= SCRIP_RATE_848; rate++) {
        for (int session = 0; session < 2; session++) {
            struct scrip_frame frame = command_frame("3004");
            frame.rate = rate;
            assert_ok(select_card(b));
            if (session == 1) {
                assert_ok(do_auth(b, false, 4, KEY_FF));
            }
            assert_int_equal(ask_frame(b, &frame), NO_ANSWER);
            assert_idle(b);
        }
    }
}

/* ---- halting and waking ---- */

static void a_halted_card_hears_wupa_only_and_falls_back_to_halt(void **state)
{
    struct bench *b = *state;
    uint8_t atqa[2];
    for (int session = 0; session < 2; session++) {
        assert_ok(select_card(b));
        if (session == 1) {
            assert_ok(do_auth(b, false, 4, KEY_FF));
        }
        assert_ok(do_halt(b));
        assert_status(scrip_pcd_request(&b->air, false, atqa), SCRIP_E_NO_CARD);
        assert_ok(select_card(b)); /* WUPA */
        assert_int_equal(ask(b, "3004"), 0x4);
        assert_status(scrip_pcd_request(&b->air, false, atqa), SCRIP_E_NO_CARD); /* the NAK put it back to HALT */
        power_cycle(b);
        assert_ok(scrip_pcd_request(&b->air, false, atqa));
    }
}

static void selecting_again_ends_a_session(void **state)
{
    struct bench *b = *state;
    given_session(b, false, 4, KEY_FF);
    assert_ok(select_card(b));
    assert_int_equal(ask(b, "3004"), 0x4);
}

static void cards_in_one_field_keep_their_sessions_apart(void **state)
{
    struct bench *b = *state;
    struct bench other;
    uint8_t data[16];
    struct scrip_target first;
    struct scrip_target second;

    bench_lay(&other, true, "04A1B2C3D4E5F6", SCRIP_CLASSIC_HARDENED);
    poke(b, 4, "11111111111111111111111111111111");
    poke(&other, 4, "22222222222222222222222222222222");
    assert_ok(scrip_field_add(&b->field, &other.card.picc));
    assert_ok(scrip_pcd_find(&b->air, false, &first));
    assert_ok(scrip_pcd_halt(&b->air));
    assert_ok(scrip_pcd_find(&b->air, false, &second));
    assert_ok(scrip_pcd_halt(&b->air));
    assert_int_equal(first.uid_len + second.uid_len, 11);
    for (int i = 0; i < 6; i++) {
        b->target = i % 2 == 0 ? first : second;
        assert_ok(scrip_pcd_wake(&b->air, &b->target));
        assert_ok(do_auth(b, false, 4, KEY_FF));
        assert_ok(do_read(b, 4, data));
        assert_int_equal(data[0], b->target.uid_len == 4 ? 0x11 : 0x22);
        assert_ok(do_halt(b));
    }
    scrip_field_remove(&b->field, &other.card.picc);
    bench_clear(&other);
}

/* ---- nested authentication ---- */

static void a_session_may_go_on_to_any_sector_with_either_key(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    for (uint8_t sector = 0; sector < SCRIP_CLASSIC_4K_SECTORS; sector++) {
        given_trailer(b, sector, 0, 3);
    }
    assert_ok(select_card(b));
    for (unsigned i = 0; i < 3 * SCRIP_CLASSIC_4K_SECTORS; i++) {
        const uint8_t sector = (uint8_t)(i * 17 % SCRIP_CLASSIC_4K_SECTORS);
        const uint8_t block = scrip_classic_first(sector);
        assert_ok(do_auth(b, i % 3 == 0, block, i % 3 == 0 ? KEY_B : KEY_A));
        assert_ok(do_read(b, (uint8_t)(block + 1), data));
        assert_ok(do_read(b, scrip_classic_trailer(sector), data));
    }
}

static void after_a_nested_authentication_the_sector_before_is_closed(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_auth(b, false, 130, KEY_FF));
    assert_ok(do_read(b, 130, data));
    assert_status(do_read(b, 4, data), SCRIP_E_CARD);
}

static void a_failed_nested_authentication_ends_everything(void **state)
{
    struct bench *b = *state;
    uint8_t atqa[2];
    given_session(b, false, 4, KEY_FF);
    /* the reader sees by the parity of the nonce that its key is wrong, and leaves the card waiting for a proof */
    assert_status(do_auth(b, false, 8, KEY_A), SCRIP_E_AUTH);
    assert_int_equal(ask(b, "3004"), NO_ANSWER);
    assert_ok(scrip_pcd_request(&b->air, false, atqa));
}

static void in_place_of_a_proof_only_a_proof_will_do(void **state)
{
    static const char *const frames[] = {"3004", "6004", "5000", "00000000000000", "00000000", "000000000000"};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct scrip_frame frame = command_frame("6004");
        struct scrip_frame nonce;
        assert_ok(select_card(b));
        assert_ok(b->air.exchange(b->air.ctx, &frame, &nonce, 1000));
        assert_int_equal(nonce.bits, 32);
        assert_int_equal(ask(b, frames[i]), NO_ANSWER);
        assert_idle(b);
    }
}

static void large_sectors_hold_sixteen_blocks(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    for (unsigned block = 128; block < 256; block++) {
        if (block % 16 == 0) {
            given_session(b, false, (uint8_t)block, KEY_FF);
        }
        if (block % 16 != 15) {
            memset(data, (int)block, sizeof data);
            assert_ok(do_write(b, (uint8_t)block, data));
        }
    }
    for (unsigned block = 128; block < 256; block++) {
        peek(b, (uint8_t)block, data);
        assert_int_equal(data[9], block % 16 == 15 ? 0x69 : block);
    }
}

/* ---- time ---- */

static void the_card_takes_its_time(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(b->card.picc.busy_us, 300);
    assert_ok(do_read(b, 4, data));
    assert_int_equal(b->card.picc.busy_us, 300);
    assert_ok(do_write(b, 4, text));
    assert_int_equal(b->card.picc.busy_us, 4000);
    given_value(b, 5, 1, 1);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 5, 1));
    assert_int_equal(b->card.picc.busy_us, 300);
    assert_ok(do_transfer(b, 5));
    assert_int_equal(b->card.picc.busy_us, 4000);
    assert_ok(select_card(b));
    assert_int_equal(b->card.picc.busy_us, 0); /* answers of selection come to the cycle */
}

/* ---- whatever comes ---- */

static void random_frames_never_upset_the_card(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    uint8_t first[16];
    peek(b, 0, first);
    for (int round = 0; round < 3000; round++) {
        struct scrip_frame frame;
        struct scrip_frame answer;
        uint16_t bits;
        assert_ok(b->random.fill(b->random.ctx, frame.data, sizeof frame.data));
        assert_ok(b->random.fill(b->random.ctx, frame.parity, sizeof frame.parity));
        assert_ok(b->random.fill(b->random.ctx, (uint8_t *)&bits, sizeof bits));
        scrip_frame_clear(&frame);
        frame.bits = (uint16_t)(1U + bits % (round % 3 == 0 ? 8U * SCRIP_FRAME_MAX : 160U));
        if (round % 2 == 0) {
            given_session(b, false, 4, KEY_FF);
        } else if (round % 5 == 0) {
            assert_ok(select_card(b));
        }
        (void)b->soft.radio.exchange(b->soft.radio.ctx, &frame, &answer, 1000);
    }
    given_session(b, false, 0, KEY_FF);
    assert_ok(do_read(b, 0, data));
    assert_memory_equal(data, first, 16);
}

/* ---- making, image tools ---- */

static void a_card_needs_a_proper_uid_and_room(void **state)
{
    struct bench *b = *state;
    struct scrip_classic_identity identity = {.uid = {1, 2, 3, 4, 5, 6, 7}, .uid_len = 5};
    struct scrip_nv small = b->under;

    assert_status(scrip_classic_card_make(&b->under, &identity), SCRIP_E_ARGUMENT);
    identity.uid_len = 4;
    identity.uid[0] = 0x88;
    assert_status(scrip_classic_card_make(&b->under, &identity), SCRIP_E_ARGUMENT);
    identity.uid_len = 7;
    identity.uid[3] = 0x88;
    assert_status(scrip_classic_card_make(&b->under, &identity), SCRIP_E_ARGUMENT);
    identity.uid[3] = 4;
    small.pages = scrip_classic_card_pages(false) - 1;
    assert_status(scrip_classic_card_make(&small, &identity), SCRIP_E_SPACE);
    identity.is_4k = true;
    assert_status(scrip_classic_card_make(&b->under, &identity), SCRIP_E_SPACE);
    assert_int_equal(scrip_classic_card_pages(false), 65);
    assert_int_equal(scrip_classic_card_pages(true), 257);
}

static void memory_without_a_card_does_not_start(void **state)
{
    struct bench *b = *state;
    static const uint8_t blank[SCRIP_NV_PAGE];
    struct scrip_classic_identity identity;
    uint8_t data[16];
    uint8_t atqa[2];
    assert_ok(b->air.power(b->air.ctx, false));
    assert_ok(b->under.write(b->under.ctx, 0, blank));
    assert_status(scrip_classic_card_identity(&b->under, &identity), SCRIP_E_CORRUPT);
    assert_status(scrip_classic_card_peek(&b->under, 0, data), SCRIP_E_CORRUPT);
    assert_status(scrip_classic_card_poke(&b->under, 0, data), SCRIP_E_CORRUPT);
    assert_status(b->card.picc.ops->power(&b->card.picc, true), SCRIP_E_CORRUPT);
    assert_ok(b->air.power(b->air.ctx, true));
    assert_status(scrip_pcd_request(&b->air, true, atqa), SCRIP_E_NO_CARD);
}

static void image_tools_reach_every_block_and_no_more(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    struct scrip_classic_identity identity;
    for (unsigned block = 0; block < 256; block++) {
        const enum scrip_status wanted = block < 64 ? SCRIP_OK : SCRIP_E_ARGUMENT;
        assert_status(scrip_classic_card_poke(&b->under, (uint8_t)block, text), wanted);
        assert_status(scrip_classic_card_peek(&b->under, (uint8_t)block, data), wanted);
        assert_memory_equal(data, text, 16);
    }
    assert_ok(scrip_classic_card_identity(&b->under, &identity)); /* the UID is that of block 0 */
    assert_int_equal(identity.uid_len, 4);
    assert_memory_equal(identity.uid, text, 4);
    assert_false(identity.is_4k);
}

#define ON_1K(test) cmocka_unit_test_setup_teardown(test, bench_1k, bench_done)
#define ON_4K(test) cmocka_unit_test_setup_teardown(test, bench_4k, bench_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_1K(a_new_card_opens_with_the_transport_key_everywhere),
        cmocka_unit_test(each_product_says_what_it_is),
        ON_1K(what_is_written_is_read),
        ON_1K(before_an_authentication_commands_are_refused_in_the_clear_and_the_rest_is_ignored),
        ON_1K(in_a_session_what_may_not_be_is_refused_and_ends_it),
        ON_1K(authentication_to_a_block_that_is_not_there_is_not_answered),
        ON_1K(a_wrong_key_is_not_answered),
        ON_1K(the_nak_says_whether_the_transfer_buffer_is_valid),
        ON_1K(an_operand_of_another_length_is_refused),
        ON_1K(a_command_in_place_of_an_operand_is_none),
        ON_1K(a_damaged_first_frame_is_told_so_in_a_session),
        ON_1K(a_damaged_operand_is_told_so_and_nothing_is_done),
        ON_1K(before_an_authentication_damage_is_told_of_commands_only),
        ON_1K(frames_that_are_no_bytes_are_not_answered),
        ON_1K(frames_at_other_rates_are_not_answered),
        ON_1K(a_halted_card_hears_wupa_only_and_falls_back_to_halt),
        ON_1K(cards_in_one_field_keep_their_sessions_apart),
        ON_1K(selecting_again_ends_a_session),
        ON_4K(a_session_may_go_on_to_any_sector_with_either_key),
        ON_4K(after_a_nested_authentication_the_sector_before_is_closed),
        ON_1K(a_failed_nested_authentication_ends_everything),
        ON_1K(in_place_of_a_proof_only_a_proof_will_do),
        ON_4K(large_sectors_hold_sixteen_blocks),
        ON_1K(the_card_takes_its_time),
        ON_1K(random_frames_never_upset_the_card),
        ON_1K(a_card_needs_a_proper_uid_and_room),
        ON_1K(memory_without_a_card_does_not_start),
        ON_1K(image_tools_reach_every_block_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
