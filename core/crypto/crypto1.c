/* crypto1.c: many keystream bits at a time.
 *
 * The register is kept as one number, x0 in bit 0. Clocking only appends bits behind x47, so the register of the next
 * sixteen clocks is one word of 64 bits: bit i + k is x_i after k clocks. Shifted and combined as a whole, such a word
 * gives the filter's output of all these clocks at once (lane k: after k clocks). The feedback taps end at x43, so four
 * bits of feedback are known at a time; fed-back input must be known beforehand, else the bits go one by one. */
#include <scrip/crypto1.h>

#define REGISTER_BITS 48U
#define REGISTER_MASK ((UINT64_C(1) << REGISTER_BITS) - 1U)
#define FEEDBACK_STEP 4U

void scrip_crypto1_load(struct scrip_crypto1 *cipher, const uint8_t key[6])
{
    cipher->state = scrip_get_le64((const uint8_t[8]){key[0], key[1], key[2], key[3], key[4], key[5]});
}

/* Lanes 0..3 (up to 4, in truth). */
static inline uint64_t feedback(uint64_t x)
{
    return x ^ x >> 5 ^ x >> 9 ^ x >> 10 ^ x >> 12 ^ x >> 14 ^ x >> 15 ^ x >> 17 ^ x >> 19 ^ x >> 24 ^ x >> 25 ^
           x >> 27 ^ x >> 29 ^ x >> 35 ^ x >> 39 ^ x >> 41 ^ x >> 42 ^ x >> 43;
}

/* Four inputs of the filter, every other bit, beginning with the lowest. */
static inline uint64_t filter_a(uint64_t x)
{
    const uint64_t a = x, b = x >> 2, c = x >> 4, d = x >> 6;
    return ((a | b) ^ (a & d)) ^ (c & ((a ^ b) | d));
}

static inline uint64_t filter_b(uint64_t x)
{
    const uint64_t a = x, b = x >> 2, c = x >> 4, d = x >> 6;
    return ((a & b) | c) ^ ((a ^ b) & (c | d));
}

static inline uint64_t filter(uint64_t x)
{
    const uint64_t a = filter_a(x >> 9), b = filter_b(x >> 17), c = filter_b(x >> 25), d = filter_a(x >> 33),
                   e = filter_b(x >> 41);
    return (a | ((b | e) & (d ^ e))) ^ ((a ^ (b & d)) & ((c ^ d) | (b & e)));
}

/* `count` clocks: 4, 8 or 16. Inlined, so that the loop dissolves. */
static inline uint32_t run(struct scrip_crypto1 *cipher, uint32_t in, unsigned count)
{
    uint64_t x = cipher->state;
    for (unsigned at = 0; at < count; at += FEEDBACK_STEP) {
        x |= ((feedback(x >> at) ^ (in >> at)) & 0xFU) << (REGISTER_BITS + at);
    }
    cipher->state = x >> count;
    return (uint32_t)filter(x) & ((1U << count) - 1U);
}

static inline void clock_once(struct scrip_crypto1 *cipher, uint32_t in)
{
    const uint64_t fed = (feedback(cipher->state) ^ in) & 1U;
    cipher->state = (cipher->state | fed << REGISTER_BITS) >> 1;
}

bool scrip_crypto1_peek(const struct scrip_crypto1 *cipher)
{
    return (filter(cipher->state) & 1U) != 0;
}

bool scrip_crypto1_bit(struct scrip_crypto1 *cipher, bool in)
{
    const bool out = scrip_crypto1_peek(cipher);
    clock_once(cipher, in ? 1U : 0U);
    return out;
}

uint8_t scrip_crypto1_nibble(struct scrip_crypto1 *cipher)
{
    return (uint8_t)run(cipher, 0, 4);
}

uint8_t scrip_crypto1_byte(struct scrip_crypto1 *cipher, uint8_t in)
{
    return (uint8_t)run(cipher, in, 8);
}

/* A word begins with its most significant byte; the register takes least significant bits first. */
static inline uint32_t swap(uint32_t word)
{
    return word << 24 | (word & 0xFF00U) << 8 | (word >> 8 & 0xFF00U) | word >> 24;
}

uint32_t scrip_crypto1_word(struct scrip_crypto1 *cipher, uint32_t in)
{
    const uint32_t bits = swap(in);
    const uint32_t first = run(cipher, bits & 0xFFFFU, 16);
    return swap(first | run(cipher, bits >> 16, 16) << 16);
}

uint32_t scrip_crypto1_word_open(struct scrip_crypto1 *cipher, uint32_t enciphered, uint32_t mask)
{
    const uint32_t in = swap(enciphered);
    const uint32_t masks = swap(mask);
    uint32_t plain = 0;
    for (unsigned at = 0; at < 32; at++) {
        const uint32_t bit = ((uint32_t)filter(cipher->state) ^ in >> at) & 1U;
        clock_once(cipher, bit ^ (masks >> at & 1U));
        plain |= bit << at;
    }
    return swap(plain);
}

uint32_t scrip_crypto1_begin(struct scrip_crypto1 *cipher, const uint8_t key[6], uint32_t uid4, uint32_t nt)
{
    scrip_crypto1_load(cipher, key);
    return scrip_crypto1_word(cipher, uid4 ^ nt);
}

/* Taps 16, 18, 19 and 21 of 32 bits: eleven lanes; eight are taken at a time. */
uint32_t scrip_crypto1_successor(uint32_t nonce, uint32_t steps)
{
    uint32_t bits = swap(nonce);
    for (; steps >= 8; steps -= 8) {
        bits = bits >> 8 | (bits >> 16 ^ bits >> 18 ^ bits >> 19 ^ bits >> 21) << 24;
    }
    for (; steps > 0; steps--) {
        bits = bits >> 1 | (bits >> 16 ^ bits >> 18 ^ bits >> 19 ^ bits >> 21) << 31;
    }
    return swap(bits);
}
