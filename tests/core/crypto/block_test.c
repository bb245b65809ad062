/* Published answers of the ciphers, and both back ends against each other. The portable one is compiled into this
 * program a second time under other names. */
#include "check.h"
#include "portable_names.h"
#include <scrip/block.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct known {
    enum scrip_cipher cipher;
    const char *key;
    const char *plain;
    const char *cipher_text;
} KNOWN[] = {
    /* FIPS 197 appendix C, with counting keys */
    {SCRIP_AES128, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF",
     "69C4E0D86A7B0430D8CDB78070B4C55A"},
    {SCRIP_AES192, "000102030405060708090A0B0C0D0E0F1011121314151617", "00112233445566778899AABBCCDDEEFF",
     "DDA97CA4864CDFE06EAF70A0EC0D7191"},
    {SCRIP_AES256, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
     "00112233445566778899AABBCCDDEEFF", "8EA2B7CA516745BFEAFC49904B496089"},
    /* SP 800-38A F.1: four blocks */
    {SCRIP_AES128, "2B7E151628AED2A6ABF7158809CF4F3C",
     "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51"
     "30C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710",
     "3AD77BB40D7A3660A89ECAF32466EF97F5D3D58503B9699DE785895A96FDBAAF"
     "43B1CD7F598ECE23881B00E3ED0306887B0C785E27E8AD3F8223207104725DD4"},
    /* the worked example of the DES literature, and the weak key of a factory-new card */
    {SCRIP_DES, "133457799BBCDFF1", "0123456789ABCDEF", "85E813540F0AB405"},
    {SCRIP_DES, "0000000000000000", "0000000000000000", "8CA64DE9C1B123A7"},
    /* SP 800-67 appendix B.1 (keying option 1) and its two-key form */
    {SCRIP_3K3DES, "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123",
     "5468652071756663 6B2062726F776E20 666F78206A756D70", "A826FD8CE53B855F CCE21C8112256FE6 68D5C05DD9B6B900"},
};

static void each_cipher_gives_the_published_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        uint8_t key[SCRIP_KEY_MAX];
        uint8_t data[64];
        struct scrip_block block;
        assert_int_equal(from_hex(KNOWN[i].key, key, sizeof key), scrip_cipher_key_len(KNOWN[i].cipher));
        const size_t len = from_hex(KNOWN[i].plain, data, sizeof data);
        scrip_block_init(&block, KNOWN[i].cipher, key);
        scrip_block_encrypt(&block, len / scrip_block_len(&block), data, data);
        assert_hex(scrip_bytes(data, len), KNOWN[i].cipher_text);
        scrip_block_decrypt(&block, len / scrip_block_len(&block), data, data);
        assert_hex(scrip_bytes(data, len), KNOWN[i].plain);

        portable_block_init(&block, KNOWN[i].cipher, key);
        portable_block_encrypt(&block, len / scrip_block_len(&block), data, data);
        assert_hex(scrip_bytes(data, len), KNOWN[i].cipher_text);
        portable_block_decrypt(&block, len / scrip_block_len(&block), data, data);
        assert_hex(scrip_bytes(data, len), KNOWN[i].plain);
    }
}

static uint64_t stream;

static uint8_t random_byte(void)
{
    stream = stream * 6364136223846793005U + 1442695040888963407U;
    return (uint8_t)(stream >> 56);
}

static void fill(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = random_byte();
    }
}

static void compare_once(enum scrip_cipher cipher)
{
    uint8_t key[SCRIP_KEY_MAX];
    uint8_t plain[7 * SCRIP_BLOCK_MAX];
    uint8_t a[sizeof plain];
    uint8_t b[sizeof plain];
    struct scrip_block host;
    struct scrip_block portable;
    const size_t len = scrip_cipher_block_len(cipher);
    const size_t count = 1 + random_byte() % 7U;

    fill(key, sizeof key);
    fill(plain, sizeof plain);
    scrip_block_init(&host, cipher, key);
    portable_block_init(&portable, cipher, key);
    scrip_block_encrypt(&host, count, a, plain);
    portable_block_encrypt(&portable, count, b, plain);
    assert_memory_equal(a, b, count * len);
    portable_block_decrypt(&portable, count, a, a);
    assert_memory_equal(a, plain, count * len);
    scrip_block_decrypt(&host, count, a, plain);
    portable_block_decrypt(&portable, count, b, plain);
    assert_memory_equal(a, b, count * len);
    scrip_block_init_encrypt(&host, cipher, key);
    scrip_block_encrypt(&host, count, b, a);
    assert_memory_equal(b, plain, count * len);
    portable_block_init_encrypt(&portable, cipher, key);
    portable_block_encrypt(&portable, count, b, a);
    assert_memory_equal(b, plain, count * len);
}

static void both_back_ends_agree_on_random_input(void **state)
{
    const char *given = getenv("SCRIP_SEED");
    (void)state;
    stream = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    print_message("seed %llu (SCRIP_SEED repeats it)\n", (unsigned long long)stream);
    for (unsigned i = 0; i < 3000; i++) {
        compare_once((enum scrip_cipher)(i % 6));
    }
}

static void parity_bits_of_a_des_key_change_nothing(void **state)
{
    static const uint8_t even[24] = {0x02, 0x10, 0x54, 0x32, 0x76, 0x98, 0xBA, 0xDC, 0x02, 0x54, 0x76, 0x98,
                                     0xBA, 0xDC, 0xFE, 0x10, 0x22, 0x44, 0x66, 0x88, 0xAA, 0xCC, 0xEE, 0x00};
    uint8_t odd[24];
    (void)state;
    for (size_t i = 0; i < sizeof odd; i++) {
        odd[i] = even[i] | 1;
    }
    for (int cipher = SCRIP_DES; cipher <= SCRIP_3K3DES; cipher++) {
        struct scrip_block a;
        struct scrip_block b;
        uint8_t x[8] = "abcdefg";
        uint8_t y[8] = "abcdefg";
        scrip_block_init(&a, (enum scrip_cipher)cipher, even);
        portable_block_init(&b, (enum scrip_cipher)cipher, odd);
        scrip_block_encrypt(&a, 1, x, x);
        portable_block_encrypt(&b, 1, y, y);
        assert_memory_equal(x, y, sizeof x);
    }
}

static void cbc_chains_through_the_iv_it_is_given(void **state)
{
    /* SP 800-38A F.2.1, in two steps */
    static const char *const cipher_text = "7649ABAC8119B246CEE98E9B12E9197D5086CB9B507219EE95DB113A917678B2";
    uint8_t key[16];
    uint8_t iv[16];
    uint8_t data[32];
    struct scrip_block block;
    (void)state;
    from_hex("2B7E151628AED2A6ABF7158809CF4F3C", key, sizeof key);
    from_hex("000102030405060708090A0B0C0D0E0F", iv, sizeof iv);
    from_hex("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51", data, sizeof data);
    scrip_block_init(&block, SCRIP_AES128, key);
    scrip_cbc_encrypt(&block, iv, 1, data, data);
    scrip_cbc_encrypt(&block, iv, 1, data + 16, data + 16);
    assert_hex(SCRIP_BYTES_OF(data), cipher_text);
    assert_memory_equal(iv, data + 16, 16);
    from_hex("000102030405060708090A0B0C0D0E0F", iv, sizeof iv);
    scrip_cbc_decrypt(&block, iv, 2, data, data);
    assert_hex(SCRIP_BYTES_OF(data), "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51");
}

static void a_wiped_key_is_gone(void **state)
{
    static const uint8_t key[16] = {1, 2, 3};
    struct scrip_block block;
    const uint8_t *at = (const uint8_t *)&block;
    (void)state;
    scrip_block_init(&block, SCRIP_AES128, key);
    scrip_block_wipe(&block);
    for (size_t i = 0; i < sizeof block; i++) {
        assert_int_equal(at[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cipher_gives_the_published_answer),
        cmocka_unit_test(both_back_ends_agree_on_random_input),
        cmocka_unit_test(parity_bits_of_a_des_key_change_nothing),
        cmocka_unit_test(cbc_chains_through_the_iv_it_is_given),
        cmocka_unit_test(a_wiped_key_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
