/* The serial line of the PN532 model: frames, whatever stands between them. */
#include "pn532_bench.h"

#define ACK   "00 00 FF 00 FF 00 "
#define ERROR "00 00 FF 01 FF 7F 81 00 "

struct line {
    struct bench b;
    struct scrip_pn532_hsu hsu;
    uint8_t out[4096];
    struct scrip_buf sent;
};

static void line_begin(struct line *l)
{
    bench_begin(&l->b);
    scrip_pn532_hsu_init(&l->hsu, &l->b.chip);
    l->sent = SCRIP_BUF_OF(l->out);
}

static void line_feed(struct line *l, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_true(l->sent.cap - l->sent.len >= PN532_HSU_OUT);
        scrip_pn532_hsu_take(&l->hsu, at[i], &l->sent);
    }
}

static void line_send(struct line *l, const char *hex)
{
    uint8_t bytes[512];
    l->sent.len = 0;
    line_feed(l, bytes, from_hex(hex, bytes, sizeof bytes));
}

#define line_says(l, hex, wanted)                                                                                      \
    do {                                                                                                               \
        line_send((l), (hex));                                                                                         \
        assert_hex(scrip_buf_bytes(&(l)->sent), (wanted));                                                             \
    } while (0)

#define VERSION_FRAME  "00 00 FF 02 FE D4 02 2A 00"
#define VERSION_ANSWER ACK "00 00 FF 06 FA D5 03 32 01 06 07 E8 00"

static void a_frame_is_acknowledged_and_answered(void **state)
{
    static struct line l;
    (void)state;
    line_begin(&l);
    line_says(&l, VERSION_FRAME, VERSION_ANSWER);
    line_says(&l, "55 55 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 FF 03 FD D4 14 01 17 00",
              ACK "00 00 FF 02 FE D5 15 16 00");
    assert_true(l.hsu.woken);
}

static void preambles_may_be_long_short_or_missing(void **state)
{
    static const char *const frames[] = {"00 FF 02 FE D4 02 2A", "00 00 00 00 00 FF 02 FE D4 02 2A 00 00 00",
                                         "12 34 FF 00 56 00 00 FF 02 FE D4 02 2A 00"};
    static struct line l;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        line_begin(&l);
        line_says(&l, frames[i], VERSION_ANSWER);
    }
}

static void what_is_damaged_is_not_acknowledged_and_the_next_frame_is(void **state)
{
    static const char *const frames[] = {
        "00 00 FF 02 FD D4 02 2A 00",          /* length checksum */
        "00 00 FF 02 FE D4 02 2B 00",          /* data checksum */
        "00 00 FF FF FF 00 02 FF D4 02 2A 00", /* length checksum of the extended form */
        "00 00 FF FF FF 01 0A F5 00",          /* longer than any frame */
        "00 00 FF 00 00 00",                   /* no length */
        "00 00 FF 00",                         /* a false start that ends in the true one */
    };
    static struct line l;
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        line_begin(&l);
        line_says(&l, frames[i], "");
        line_says(&l, VERSION_FRAME, VERSION_ANSWER);
    }
}

static void the_extended_form_holds_any_length(void **state)
{
    static struct line l;
    uint8_t frame[300] = {0x00, 0x00, 0xFF, 0xFF, 0xFF};
    (void)state;
    line_begin(&l);
    line_says(&l, "00 00 FF FF FF 00 02 FE D4 02 2A 00", VERSION_ANSWER);
    for (size_t len = 3; len <= PN532_HSU_LEN; len++) { /* Diagnose echoes */
        uint8_t sum = 0;
        scrip_put_be16(frame + 5, (uint16_t)len);
        frame[7] = (uint8_t) - (frame[5] + frame[6]);
        memset(frame + 8, (int)len, len);
        memcpy(frame + 8, "\xD4\x00\x00", 3);
        for (size_t i = 0; i < len; i++) {
            sum = (uint8_t)(sum + frame[8 + i]);
        }
        frame[8 + len] = (uint8_t)-sum;
        frame[9 + len] = 0;
        l.sent.len = 0;
        line_feed(&l, frame, 10 + len);
        const bool extended = len > 255;
        const size_t head = extended ? 8 : 5;
        assert_int_equal(l.sent.len, 6 + head + len + 2);
        assert_memory_equal(l.out + 6 + head + 2, frame + 8 + 2, len - 2); /* the echo */
        assert_int_equal(l.out[6 + 3] == 0xFF && l.out[6 + 4] == 0xFF, extended);
        sum = 0;
        for (size_t i = 0; i <= len; i++) {
            sum = (uint8_t)(sum + l.out[6 + head + i]);
        }
        assert_int_equal(sum, 0);
    }
}

static void what_the_chip_does_not_know_gets_the_error_frame(void **state)
{
    static struct line l;
    (void)state;
    line_begin(&l);
    line_says(&l, "00 00 FF 02 FE D4 99 93 00", ACK ERROR);
    line_says(&l, "00 00 FF 02 FE D5 02 29 00", ACK ERROR); /* not to the chip */
    line_says(&l, "00 00 FF 01 FF D4 2C 00", ACK ERROR);
}

static void nack_brings_the_last_answer_again(void **state)
{
    static struct line l;
    (void)state;
    line_begin(&l);
    line_says(&l, "00 00 FF FF 00 00", "");
    line_says(&l, VERSION_FRAME, VERSION_ANSWER);
    line_says(&l, "00 00 FF FF 00 00", "00 00 FF 06 FA D5 03 32 01 06 07 E8 00");
    line_says(&l, "00 00 FF FF 00 00", "00 00 FF 06 FA D5 03 32 01 06 07 E8 00");
}

static void an_ack_or_a_new_command_ends_one_that_waits(void **state)
{
    static struct line l;
    struct tag tag;
    (void)state;
    line_begin(&l);
    tag_init(&tag, "DEADBEEF", 0x08);
    line_says(&l, "00 00 FF 04 FC D4 4A 01 00 E1 00", ACK);
    assert_true(scrip_pn532_hsu_waits(&l.hsu));
    l.sent.len = 0;
    scrip_pn532_hsu_again(&l.hsu, &l.sent);
    assert_int_equal(l.sent.len, 0);
    line_says(&l, "00 00 FF 00 FF 00", "");
    assert_false(scrip_pn532_hsu_waits(&l.hsu));
    line_says(&l, "00 00 FF 04 FC D4 4A 01 00 E1 00", ACK);
    line_says(&l, VERSION_FRAME, VERSION_ANSWER);
    assert_false(scrip_pn532_hsu_waits(&l.hsu));

    line_says(&l, "00 00 FF 04 FC D4 4A 01 00 E1 00", ACK);
    bench_lay(&l.b, &tag.picc);
    l.sent.len = 0;
    scrip_pn532_hsu_again(&l.hsu, &l.sent);
    assert_hex(scrip_buf_bytes(&l.sent), "00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 DE AD BE EF 96 00");
}

static void half_a_frame_is_forgotten_when_the_line_is_quiet(void **state)
{
    static struct line l;
    (void)state;
    line_begin(&l);
    line_says(&l, "00 00 FF 20 E0 D4 02", "");
    scrip_pn532_hsu_quiet(&l.hsu);
    line_says(&l, VERSION_FRAME, VERSION_ANSWER);
}

static void preamble_and_postamble_can_be_left_out(void **state)
{
    static struct line l;
    (void)state;
    line_begin(&l);
    line_says(&l, "00 00 FF 03 FD D4 12 54 C6 00", ACK "00 FF 02 FE D5 13 18");
    line_says(&l, VERSION_FRAME, "00 FF 00 FF 00 FF 06 FA D5 03 32 01 06 07 E8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_acknowledged_and_answered),
        cmocka_unit_test(preambles_may_be_long_short_or_missing),
        cmocka_unit_test(what_is_damaged_is_not_acknowledged_and_the_next_frame_is),
        cmocka_unit_test(the_extended_form_holds_any_length),
        cmocka_unit_test(what_the_chip_does_not_know_gets_the_error_frame),
        cmocka_unit_test(nack_brings_the_last_answer_again),
        cmocka_unit_test(an_ack_or_a_new_command_ends_one_that_waits),
        cmocka_unit_test(half_a_frame_is_forgotten_when_the_line_is_quiet),
        cmocka_unit_test(preamble_and_postamble_can_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
