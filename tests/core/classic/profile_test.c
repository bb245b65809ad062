/* What the card tells those who know no key: nonces, and answers to a wrong proof. */
#include "bench.h"

#define WAIT_US 1000

static struct scrip_frame auth_frame(void)
{
    static const uint8_t bytes[2] = {SCRIP_MIFARE_AUTH_A, 4};
    struct scrip_frame frame;
    assert_ok(scrip_frame_bytes_crc(&frame, SCRIP_BYTES_OF(bytes)));
    return frame;
}

static uint32_t ask_nonce(struct bench *b)
{
    const struct scrip_frame frame = auth_frame();
    struct scrip_frame nonce;
    assert_ok(select_card(b));
    assert_ok(b->air.exchange(b->air.ctx, &frame, &nonce, WAIT_US));
    assert_int_equal(nonce.bits, 32);
    return scrip_get_be32(nonce.data);
}

/* Is it what the 16-bit generator could give? */
static bool is_of_the_generator(uint32_t nonce)
{
    return nonce == scrip_crypto1_successor(nonce >> 16, 16);
}

/* Authenticate with the right key, but answer `wrong` bits beside the right ones; parity as it should be, or with one
 * bit of it flipped. @return the four bits that the card says, deciphered; or NO_ANSWER */
static int prove_wrongly(struct bench *b, uint32_t wrong, bool good_parity)
{
    const uint32_t nt = ask_nonce(b);
    uint8_t proof[8] = {1, 2, 3, 4};
    struct scrip_crypto1 cipher;
    struct scrip_frame frame;
    struct scrip_frame answer;

    (void)scrip_crypto1_begin(&cipher, KEY_FF, scrip_get_be32(b->target.uid), nt);
    scrip_put_be32(proof + 4, scrip_crypto1_successor(nt, 64) ^ wrong);
    assert_ok(scrip_frame_bytes(&frame, SCRIP_BYTES_OF(proof)));
    scrip_mifare_sm_encrypt_nonce(&cipher, &frame, 0);
    if (!good_parity) {
        scrip_frame_parity_set(&frame, 5, !scrip_frame_parity(&frame, 5));
    }
    const enum scrip_status status = b->air.exchange(b->air.ctx, &frame, &answer, WAIT_US);
    if (status == SCRIP_E_TIMEOUT) {
        return NO_ANSWER;
    }
    assert_ok(status);
    assert_int_equal(answer.bits, 4);
    assert_ok(scrip_mifare_sm_decrypt(&cipher, &answer));
    return answer.data[0];
}

static void a_hardened_card_draws_all_bits_of_its_nonces(void **state)
{
    struct bench *b = *state;
    unsigned generated = 0;
    uint32_t ones = 0;
    uint32_t zeros = 0;
    for (int i = 0; i < 200; i++) {
        const uint32_t nonce = ask_nonce(b);
        generated += is_of_the_generator(nonce);
        ones |= nonce;
        zeros |= ~nonce;
    }
    assert_true(generated < 3); /* by chance one in 65536 */
    assert_int_equal(ones, 0xFFFFFFFFU);
    assert_int_equal(zeros, 0xFFFFFFFFU);
}

static void a_hardened_card_never_answers_a_wrong_proof(void **state)
{
    struct bench *b = *state;
    for (unsigned bit = 0; bit < 32; bit++) {
        assert_int_equal(prove_wrongly(b, 1U << bit, true), NO_ANSWER);
        assert_int_equal(prove_wrongly(b, 1U << bit, false), NO_ANSWER);
    }
    assert_int_equal(prove_wrongly(b, 0, false), NO_ANSWER); /* right, but damaged */
}

static void genuine(struct bench *b)
{
    bench_lay(b, false, "9C599B32", SCRIP_CLASSIC_GENUINE);
}

static void a_genuine_card_says_nak_to_a_wrong_proof_whose_parity_is_right(void **state)
{
    struct bench b;
    uint8_t atqa[2];
    (void)state;
    genuine(&b);
    for (unsigned bit = 0; bit < 32; bit++) {
        assert_int_equal(prove_wrongly(&b, 1U << bit, true), 0x5);
        assert_ok(scrip_pcd_request(&b.air, false, atqa)); /* idle, as after any NAK */
        assert_int_equal(prove_wrongly(&b, 1U << bit, false), NO_ANSWER);
    }
    assert_int_equal(prove_wrongly(&b, 0, false), NO_ANSWER);
    bench_clear(&b);
}

/* The nonce's distance from that of another time, in clocks of the generator. */
static uint32_t distance(uint32_t from, uint32_t to)
{
    for (uint32_t steps = 0; steps < 65535; steps++) {
        if (from == to) {
            return steps;
        }
        from = scrip_crypto1_successor(from, 1);
    }
    fail_msg("not of the generator");
    return 0;
}

/* Clocks of the carrier's bits from power-on to the moment of the last nonce, `wait_us` of them waited. */
static uint32_t nonce_after(struct bench *b, uint32_t wait_us, uint64_t *clocks)
{
    power_cycle(b);
    const uint64_t on_fc = scrip_field_now_fc(&b->field) - 5U * SCRIP_FC_HZ / 1000U; /* it waited 5 ms */
    scrip_field_wait(&b->field, wait_us);
    const uint32_t nonce = ask_nonce(b);
    *clocks = (b->card.picc.now_fc - on_fc) / 128U;
    return nonce;
}

static void a_genuine_card_s_nonces_run_with_the_carrier_from_power_on(void **state)
{
    struct bench b;
    uint64_t clocks[2];
    (void)state;
    genuine(&b);
    const uint32_t first = nonce_after(&b, 0, &clocks[0]);
    assert_true(is_of_the_generator(first));
    assert_int_equal(nonce_after(&b, 0, &clocks[1]), first); /* the same moment, the same nonce */
    for (uint32_t wait_us = 0; wait_us < 2500000000U; wait_us += wait_us / 2 + 7777) { /* up to 40 minutes */
        const uint32_t nonce = nonce_after(&b, wait_us, &clocks[1]);
        assert_int_equal(distance(first, nonce), (clocks[1] - clocks[0]) % 65535U);
    }
    bench_clear(&b);
}

static void a_genuine_card_works_like_any_other_for_those_who_know_the_key(void **state)
{
    struct bench b;
    uint8_t data[16];
    (void)state;
    genuine(&b);
    assert_ok(select_card(&b));
    for (uint8_t sector = 0; sector < 16; sector++) {
        assert_ok(do_auth(&b, false, scrip_classic_first(sector), KEY_FF));
        assert_ok(do_read(&b, scrip_classic_trailer(sector), data));
    }
    bench_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hardened_card_draws_all_bits_of_its_nonces, bench_1k, bench_done),
        cmocka_unit_test_setup_teardown(a_hardened_card_never_answers_a_wrong_proof, bench_1k, bench_done),
        cmocka_unit_test(a_genuine_card_says_nak_to_a_wrong_proof_whose_parity_is_right),
        cmocka_unit_test(a_genuine_card_s_nonces_run_with_the_carrier_from_power_on),
        cmocka_unit_test(a_genuine_card_works_like_any_other_for_those_who_know_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
