/* The reader: what it sends, how long it waits, what it makes of answers. */
#include "bench.h"

/* A radio that gives prepared answers and remembers what it was asked. */
struct script {
    struct scrip_frame answers[4];
    enum scrip_status statuses[4];
    uint32_t timeouts[4];
    struct scrip_frame sent[4];
    unsigned count; /* frames sent */
    unsigned authentications;
};

static enum scrip_status script_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                         uint32_t timeout_us)
{
    struct script *script = ctx;
    const unsigned i = script->count++;
    assert_true(i < 4);
    script->sent[i] = *tx;
    script->timeouts[i] = timeout_us;
    *rx = script->answers[i];
    return script->statuses[i];
}

static enum scrip_status script_authenticate(void *ctx, uint8_t command, uint8_t block, const uint8_t key[6],
                                             const uint8_t uid4[4])
{
    struct script *script = ctx;
    script->authentications++;
    assert_int_equal(command, SCRIP_MIFARE_AUTH_B);
    assert_int_equal(block, 9);
    assert_hex(scrip_bytes(key, 6), "010203040506");
    assert_hex(scrip_bytes(uid4, 4), "AABBCCDD");
    return SCRIP_OK;
}

enum kind { ACK, NAK, SILENCE, BLOCK, SHORT_BLOCK, BAD_CRC, DAMAGED, COLLIDED, LINK };

static void prepare(struct script *script, unsigned i, enum kind kind)
{
    static const uint8_t data[17] = {1, 2, 3};
    struct scrip_frame *answer = &script->answers[i];

    script->statuses[i] = kind == SILENCE   ? SCRIP_E_TIMEOUT
                          : kind == DAMAGED ? SCRIP_E_MAC
                          : kind == LINK    ? SCRIP_E_LINK
                                            : SCRIP_OK;
    if (kind == ACK || kind == NAK) {
        scrip_frame_nibble(answer, kind == ACK ? 0xA : 0x4);
        return;
    }
    assert_ok(scrip_frame_bytes_crc(answer, scrip_bytes(data, kind == SHORT_BLOCK ? 15 : 16)));
    if (kind == BAD_CRC) {
        answer->data[16] ^= 1;
        scrip_frame_parity_fill(answer);
    }
    answer->collision = kind == COLLIDED ? 5 : 0;
}

static enum scrip_status run(struct script *script, const char *hex, struct scrip_buf *response)
{
    uint8_t bytes[32];
    const size_t len = from_hex(hex, bytes, sizeof bytes);
    const struct scrip_radio radio = {.ctx = script, .exchange = script_exchange, .frame_max = 64};
    const struct scrip_mifare_auth auth = {.ctx = script, .authenticate = script_authenticate};
    return scrip_mifare_exchange(&radio, &auth, scrip_bytes(bytes, len), response);
}

#define WRITE_5 "A005000102030405060708090A0B0C0D0E0F"

struct answer_row {
    const char *command;
    enum kind first, second; /* second: of commands in two frames */
    enum scrip_status status;
    unsigned frames;
};

static void answers_mean_what_the_command_s_row_says(void **state)
{
    static const struct answer_row rows[] = {
        {"3004", BLOCK, ACK, SCRIP_OK, 1},
        {"3004", NAK, ACK, SCRIP_E_CARD, 1},
        {"3004", ACK, ACK, SCRIP_E_TORN, 1},
        {"3004", SILENCE, ACK, SCRIP_E_TORN, 1},
        {"3004", SHORT_BLOCK, ACK, SCRIP_E_TORN, 1},
        {"3004", BAD_CRC, ACK, SCRIP_E_TORN, 1},
        {"3004", DAMAGED, ACK, SCRIP_E_TORN, 1},
        {"3004", COLLIDED, ACK, SCRIP_E_TORN, 1},
        {"3004", LINK, ACK, SCRIP_E_LINK, 1},
        {WRITE_5, ACK, ACK, SCRIP_OK, 2},
        {WRITE_5, NAK, ACK, SCRIP_E_CARD, 1},
        {WRITE_5, SILENCE, ACK, SCRIP_E_TORN, 1},
        {WRITE_5, BLOCK, ACK, SCRIP_E_TORN, 1},
        {WRITE_5, ACK, NAK, SCRIP_E_CARD, 2},
        {WRITE_5, ACK, SILENCE, SCRIP_E_TORN, 2},
        {WRITE_5, ACK, DAMAGED, SCRIP_E_TORN, 2},
        {WRITE_5, ACK, BLOCK, SCRIP_E_TORN, 2},
        {WRITE_5, ACK, LINK, SCRIP_E_LINK, 2},
        {"C00401000000", ACK, SILENCE, SCRIP_OK, 2},
        {"C00401000000", ACK, NAK, SCRIP_E_CARD, 2},
        {"C00401000000", ACK, DAMAGED, SCRIP_E_TORN, 2},
        {"C00401000000", ACK, BLOCK, SCRIP_E_TORN, 2},
        {"C00401000000", NAK, SILENCE, SCRIP_E_CARD, 1},
        {"C00401000000", SILENCE, SILENCE, SCRIP_E_TORN, 1},
        {"C10401000000", ACK, SILENCE, SCRIP_OK, 2},
        {"C20400000000", ACK, SILENCE, SCRIP_OK, 2},
        {"B004", ACK, ACK, SCRIP_OK, 1},
        {"B004", NAK, ACK, SCRIP_E_CARD, 1},
        {"B004", SILENCE, ACK, SCRIP_E_TORN, 1},
        {"5000", SILENCE, ACK, SCRIP_OK, 1},
        {"5000", NAK, ACK, SCRIP_E_CARD, 1},
        {"4040", ACK, ACK, SCRIP_OK, 1},
        {"4040", NAK, ACK, SCRIP_E_CARD, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct script script = {0};
        uint8_t room[16];
        struct scrip_buf response = SCRIP_BUF_OF(room);
        prepare(&script, 0, rows[i].first);
        prepare(&script, 1, rows[i].second);
        const enum scrip_status status = run(&script, rows[i].command, &response);
        if (status != rows[i].status || script.count != rows[i].frames) {
            fail_msg("row %zu, %s: %s after %u frames", i, rows[i].command, scrip_status_name(status), script.count);
        }
        assert_int_equal(response.len, rows[i].command[0] == '3' && status == SCRIP_OK ? 16 : 0);
    }
}

static void each_frame_is_waited_for_as_long_as_its_row_says(void **state)
{
    static const struct {
        const char *command;
        uint32_t first_us, second_us;
    } rows[] = {
        {"3004", 5000, 0},
        {WRITE_5, 5000, 30000},
        {"C00401000000", 5000, 5000},
        {"C10401000000", 5000, 5000},
        {"C20401000000", 5000, 5000},
        {"B004", 30000, 0},
        {"5000", 1000, 0},
        {"4040", 30000, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct script script = {0};
        struct scrip_buf none = {0};
        uint8_t room[16];
        struct scrip_buf response = SCRIP_BUF_OF(room);
        prepare(&script, 0, ACK);
        prepare(&script, 1, ACK);
        (void)run(&script, rows[i].command, rows[i].command[0] == '3' ? &response : &none);
        assert_int_equal(script.timeouts[0], rows[i].first_us);
        assert_int_equal(script.timeouts[1], rows[i].second_us);
    }
}

static void frames_are_those_of_the_data_sheet(void **state)
{
    struct script script = {0};
    struct scrip_buf none = {0};
    (void)state;
    prepare(&script, 0, ACK);
    prepare(&script, 1, ACK);
    assert_ok(run(&script, "A004 1AE4AB24C0BED4329301B862556FA54B", &none));
    assert_hex(scrip_bytes(script.sent[0].data, 4), "A004 7BF7");
    assert_int_equal(script.sent[0].bits, 32);
    assert_hex(scrip_bytes(script.sent[1].data, 18), "1AE4AB24C0BED4329301B862556FA54B AD3A");
    assert_int_equal(script.sent[1].bits, 144);
}

static void commands_of_no_known_form_are_not_sent(void **state)
{
    static const char *const commands[] = {
        "",
        "30",
        "300400",
        "A005",
        "A0050001",
        WRITE_5 "10",
        "C004",
        "C0040000",
        "B0",
        "B00400",
        "50",
        "500000",
        "40",
        "404000",
        "60",
        "6004",
        "6004FFFFFFFFFFFF",
        "6004FFFFFFFFFFFFAABBCC",
        "6004FFFFFFFFFFFFAABBCCDDEE",
        "0004",
        "E050",
        "C2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct script script = {0};
        uint8_t room[16];
        struct scrip_buf response = SCRIP_BUF_OF(room);
        assert_status(run(&script, commands[i], &response), SCRIP_E_ARGUMENT);
        assert_int_equal(script.count + script.authentications, 0);
    }
}

static void a_trailer_with_damaged_access_bits_is_not_sent(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 24; bit++) {
        for (int trailer = 0; trailer < 2; trailer++) {
            static const uint8_t trailers[2] = {7, 255};
            uint8_t bytes[18] = {SCRIP_MIFARE_WRITE, trailers[trailer]};
            struct script script = {0};
            struct scrip_buf none = {0};
            const struct scrip_radio radio = {.ctx = &script, .exchange = script_exchange, .frame_max = 64};
            const struct scrip_mifare_auth auth = {.ctx = &script, .authenticate = script_authenticate};
            prepare(&script, 0, ACK);
            prepare(&script, 1, ACK);
            memcpy(bytes + 2, scrip_classic_trailer_new, 16);
            bytes[8 + bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_status(scrip_mifare_exchange(&radio, &auth, SCRIP_BYTES_OF(bytes), &none), SCRIP_E_CORRUPT);
            assert_int_equal(script.count, 0);
            assert_ok(
                scrip_mifare_exchange_unchecked(&radio, &auth, SCRIP_BYTES_OF(bytes), &none)); /* a chip's model */
            script = (struct script){0};
            prepare(&script, 0, ACK);
            prepare(&script, 1, ACK);
            bytes[1]--; /* a data block takes anything */
            assert_ok(scrip_mifare_exchange(&radio, &auth, SCRIP_BYTES_OF(bytes), &none));
        }
    }
}

static void a_read_without_room_is_not_sent(void **state)
{
    struct script script = {0};
    uint8_t room[20];
    struct scrip_buf response = {.at = room, .len = 5, .cap = sizeof room};
    (void)state;
    prepare(&script, 0, BLOCK);
    assert_status(run(&script, "3004", &response), SCRIP_E_SPACE);
    assert_int_equal(script.count, 0);
    response.len = 4;
    assert_ok(run(&script, "3004", &response));
    assert_int_equal(response.len, 20);
}

static void authentication_is_left_to_who_can_do_it(void **state)
{
    struct script script = {0};
    struct scrip_buf none = {0};
    (void)state;
    assert_ok(run(&script, "6109 010203040506 AABBCCDD", &none));
    assert_int_equal(script.authentications, 1);
    assert_int_equal(script.count, 0);
}

/* ---- Crypto-1 in software ---- */

/* The air of a bench, with its `at`th answer changed on the way. */
struct meddler {
    const struct scrip_radio *air;
    unsigned count, at;
    enum { FLIP_BIT, FLIP_PARITY, CUT, LOSE, COLLIDE, FAIL } how;
};

static enum scrip_status meddle(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us)
{
    struct meddler *meddler = ctx;
    const enum scrip_status status = meddler->air->exchange(meddler->air->ctx, tx, rx, timeout_us);
    if (++meddler->count != meddler->at) {
        return status;
    }
    switch (meddler->how) {
    case FLIP_BIT:
        rx->data[0] ^= 1;
        return status;
    case FLIP_PARITY:
        scrip_frame_parity_set(rx, 0, !scrip_frame_parity(rx, 0));
        return status;
    case CUT:
        rx->bits -= 8;
        return status;
    case COLLIDE:
        rx->collision = 3;
        return status;
    case LOSE:
        return SCRIP_E_TIMEOUT;
    default:
        return SCRIP_E_LINK;
    }
}

static void a_card_that_does_not_prove_the_key_is_refused(void **state)
{
    static const int hows[] = {FLIP_BIT, FLIP_PARITY, CUT, COLLIDE, LOSE, FAIL};
    struct bench *b = *state;
    for (int nested = 0; nested < 2; nested++) {
        for (unsigned at = 1; at <= 2; at++) { /* the nonce; the proof */
            for (size_t how = 0; how < sizeof hows / sizeof *hows; how++) {
                struct meddler meddler = {.air = &b->air};
                const struct scrip_radio radio = {.ctx = &meddler, .exchange = meddle, .frame_max = 64};
                const bool harmless = hows[how] == FLIP_PARITY && at == 1 && nested == 0; /* nobody looks at it */
                assert_ok(select_card(b));
                scrip_mifare_soft_init(&b->soft, &radio, &b->random);
                if (nested == 1) {
                    assert_ok(do_auth(b, false, 4, KEY_FF));
                }
                meddler.at = meddler.count + at;
                meddler.how = hows[how];
                const enum scrip_status status = do_auth(b, false, 8, KEY_FF);
                assert_status(status, harmless ? SCRIP_OK : hows[how] == FAIL ? SCRIP_E_LINK : SCRIP_E_AUTH);
                assert_int_equal(b->soft.on, harmless);
                assert_int_equal(b->soft.cipher.state != 0, harmless);
                scrip_mifare_soft_init(&b->soft, &b->air, &b->random);
            }
        }
    }
}

static enum scrip_status no_random(void *ctx, uint8_t *dst, size_t len)
{
    (void)ctx;
    (void)dst;
    (void)len;
    return SCRIP_E_RANDOM;
}

static void without_randomness_the_reader_does_not_authenticate(void **state)
{
    static const struct scrip_random broken = {.fill = no_random};
    struct bench *b = *state;
    assert_ok(select_card(b));
    scrip_mifare_soft_init(&b->soft, &b->air, &broken);
    assert_status(do_auth(b, false, 4, KEY_FF), SCRIP_E_RANDOM);
    scrip_mifare_soft_init(&b->soft, &b->air, &b->random);
}

static void a_nak_and_a_damaged_answer_end_the_reader_s_session(void **state)
{
    struct bench *b = *state;
    uint8_t data[16];
    given_session(b, false, 4, KEY_FF);
    assert_status(do_read(b, 8, data), SCRIP_E_CARD);
    assert_false(b->soft.on);
    assert_true(b->soft.cipher.state == 0);

    struct meddler meddler = {.air = &b->air, .at = 3, .how = FLIP_PARITY};
    const struct scrip_radio radio = {.ctx = &meddler, .exchange = meddle, .frame_max = 64};
    assert_ok(select_card(b));
    scrip_mifare_soft_init(&b->soft, &radio, &b->random);
    assert_ok(do_auth(b, false, 4, KEY_FF));
    assert_status(do_read(b, 4, data), SCRIP_E_TORN);
    assert_false(b->soft.on);
    scrip_mifare_soft_init(&b->soft, &b->air, &b->random);
}

static void switching_the_carrier_ends_the_reader_s_session(void **state)
{
    struct bench *b = *state;
    given_session(b, false, 4, KEY_FF);
    assert_ok(b->soft.radio.power(b->soft.radio.ctx, false));
    assert_false(b->soft.on);
    assert_true(b->soft.cipher.state == 0);
    assert_false(b->field.on);
}

static void the_soft_radio_can_what_the_air_can(void **state)
{
    struct bench *b = *state;
    struct scrip_mifare_soft soft;
    struct scrip_radio bare = b->air;
    const uint64_t then = scrip_field_now_fc(&b->field);
    b->soft.radio.wait(b->soft.radio.ctx, 100);
    assert_true(scrip_field_now_fc(&b->field) - then == 1356);
    assert_ok(b->soft.radio.rates(b->soft.radio.ctx, SCRIP_RATE_106, SCRIP_RATE_106));
    assert_int_equal(b->soft.radio.frame_max, b->air.frame_max);
    bare.rates = NULL;
    bare.wait = NULL;
    scrip_mifare_soft_init(&soft, &bare, &b->random);
    assert_null(soft.radio.rates);
    assert_null(soft.radio.wait);
}

#define ON_1K(test) cmocka_unit_test_setup_teardown(test, bench_1k, bench_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean_what_the_command_s_row_says),
        cmocka_unit_test(each_frame_is_waited_for_as_long_as_its_row_says),
        cmocka_unit_test(frames_are_those_of_the_data_sheet),
        cmocka_unit_test(commands_of_no_known_form_are_not_sent),
        cmocka_unit_test(a_trailer_with_damaged_access_bits_is_not_sent),
        cmocka_unit_test(a_read_without_room_is_not_sent),
        cmocka_unit_test(authentication_is_left_to_who_can_do_it),
        ON_1K(a_card_that_does_not_prove_the_key_is_refused),
        ON_1K(without_randomness_the_reader_does_not_authenticate),
        ON_1K(a_nak_and_a_damaged_answer_end_the_reader_s_session),
        ON_1K(switching_the_carrier_ends_the_reader_s_session),
        ON_1K(the_soft_radio_can_what_the_air_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
