/* A host that enciphers by itself: Crypto-1 in software over InCommunicateThru with parity off, nine bits a byte, as
 * raw clients of libnfc do it. What the chip then carries must be the card's bits, parity bits included. */
#include "pn532_bench.h"
#include <scrip/mifare.h>

/* The chip as a radio for frames whose parity bits are the host's. */
struct thru {
    struct bench b;
    struct scrip_radio radio;
    unsigned frames;
    unsigned wrong; /* number of the frame whose last parity bit is turned over; 0: none */
};

static void set_last_bits(struct bench *b, unsigned bits)
{
    uint8_t command[] = {0x08, 0x63, 0x3D, (uint8_t)bits};
    struct scrip_buf answer = SCRIP_BUF_OF(b->answer);
    assert_ok(scrip_pn532_model_command(&b->chip, SCRIP_BYTES_OF(command), &answer));
}

static bool bit_at(const uint8_t *data, size_t i)
{
    return (data[i / 8] >> i % 8 & 1) != 0;
}

static size_t pack(const struct scrip_frame *frame, uint8_t *out)
{
    size_t at = 0;
    for (size_t i = 0; i < frame->bits; i++) {
        out[at / 8] |= (uint8_t)(bit_at(frame->data, i) << at % 8);
        at++;
        if (i % 8 == 7) {
            out[at / 8] |= (uint8_t)(scrip_frame_parity(frame, i / 8) << at % 8);
            at++;
        }
    }
    return at;
}

static void unpack(const uint8_t *packed, size_t bits, struct scrip_frame *frame)
{
    uint16_t at = 0;
    memset(frame, 0, sizeof *frame);
    for (size_t i = 0; i < bits; i++) {
        if (i % 9 == 8) {
            scrip_frame_parity_set(frame, i / 9, bit_at(packed, i));
        } else {
            frame->data[at / 8] |= (uint8_t)(bit_at(packed, i) << at % 8);
            at++;
        }
    }
    frame->bits = at;
}

static enum scrip_status thru_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                       uint32_t timeout_us)
{
    struct thru *t = ctx;
    uint8_t command[64] = {0x42};
    struct scrip_buf answer = SCRIP_BUF_OF(t->b.answer);
    const size_t bits = pack(tx, command + 1);
    (void)timeout_us;
    if (++t->frames == t->wrong) {
        command[1 + (bits - 1) / 8] ^= (uint8_t)(1U << (bits - 1) % 8);
    }
    set_last_bits(&t->b, bits % 8);
    assert_ok(scrip_pn532_model_command(&t->b.chip, scrip_bytes(command, 1 + (bits + 7) / 8), &answer));
    if (answer.at[1] != 0) {
        assert_int_equal(answer.at[1], 0x01);
        return SCRIP_E_TIMEOUT;
    }
    const size_t len = answer.len - 2;
    uint8_t packed[64];
    memcpy(packed, answer.at + 2, len);
    assert_ok(bench_try(&t->b, "06 63 3C"));
    const unsigned last = t->b.answer[1] & 7U;
    unpack(packed, 8 * len - (last != 0 ? 8 - last : 0), rx);
    return SCRIP_OK;
}

static void thru_begin(struct thru *t, struct classic *classic)
{
    memset(t, 0, sizeof *t);
    given_classic(&t->b, classic);
    bench_ask(&t->b, "4A 01 00", "4B 01 01 00 04 08 04 DE AD BE EF");
    bench_ask(&t->b, "08 63 02 00 63 03 00 63 0D 10", "09"); /* CRC and parity off */
    t->radio = (struct scrip_radio){.ctx = t, .exchange = thru_exchange, .frame_max = SCRIP_FRAME_MAX};
}

static enum scrip_status run(struct scrip_mifare_soft *soft, const char *hex, struct scrip_buf *out)
{
    uint8_t command[32];
    const size_t len = from_hex(hex, command, sizeof command);
    out->len = 0;
    return scrip_mifare_exchange(&soft->radio, &soft->auth, scrip_bytes(command, len), out);
}

static void a_session_enciphered_by_the_host_is_one_with_the_card(void **state)
{
    static struct thru t;
    static struct classic classic;
    struct scrip_mifare_soft soft;
    uint8_t bytes[16];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    (void)state;
    thru_begin(&t, &classic);
    scrip_mifare_soft_init(&soft, &t.radio, &t.b.random);
    assert_ok(run(&soft, "60 05 FF FF FF FF FF FF DE AD BE EF", &out));
    assert_false(t.b.chip.ciu.cipher.on); /* the chip's own is not in use */
    assert_ok(run(&soft, "A0 05 64 00 00 00 9B FF FF FF 64 00 00 00 05 FA 05 FA", &out));
    assert_ok(run(&soft, "30 05", &out));
    assert_hex(scrip_buf_bytes(&out), "64 00 00 00 9B FF FF FF 64 00 00 00 05 FA 05 FA");
    assert_ok(run(&soft, "C0 05 0A 00 00 00", &out));
    assert_ok(run(&soft, "B0 05", &out));
    assert_ok(run(&soft, "60 08 FF FF FF FF FF FF DE AD BE EF", &out)); /* nested */
    assert_ok(run(&soft, "30 08", &out));
    assert_hex(scrip_buf_bytes(&out), "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
    assert_status(run(&soft, "30 05", &out), SCRIP_E_CARD); /* an enciphered NAK of four bits */
    assert_int_equal(t.frames, 2 + 2 + 1 + 2 + 1 + 2 + 1 + 1);
    classic_free(&classic);
}

/* Inside a session the card refuses with four bits; before, it says nothing. */
static void a_parity_bit_that_the_host_gets_wrong_is_noticed(void **state)
{
    static struct thru t;
    static struct classic classic;
    struct scrip_mifare_soft soft;
    uint8_t bytes[16];
    struct scrip_buf out = SCRIP_BUF_OF(bytes);
    (void)state;
    for (unsigned wrong = 1; wrong <= 2; wrong++) {
        thru_begin(&t, &classic);
        t.wrong = wrong;
        scrip_mifare_soft_init(&soft, &t.radio, &t.b.random);
        assert_status(run(&soft, "60 05 FF FF FF FF FF FF DE AD BE EF", &out), SCRIP_E_AUTH);
        assert_int_equal(t.frames, wrong);
        classic_free(&classic);
    }
    thru_begin(&t, &classic);
    scrip_mifare_soft_init(&soft, &t.radio, &t.b.random);
    assert_ok(run(&soft, "60 05 FF FF FF FF FF FF DE AD BE EF", &out));
    t.wrong = 3;
    assert_status(run(&soft, "30 05", &out), SCRIP_E_CARD);
    classic_free(&classic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_enciphered_by_the_host_is_one_with_the_card),
        cmocka_unit_test(a_parity_bit_that_the_host_gets_wrong_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
