/* Sealed tokens: what the phone carries for the server, it can neither read nor change nor use elsewhere. */
#include "bench.h"
#include "token.h"

#include <stdio.h>

static struct bench bench;
static const struct scrip_bytes REALM = {(const uint8_t *)"SRV1", 4};
static const struct scrip_bytes OTHER_REALM = {(const uint8_t *)"SRV2", 4};

static int set_up(void **state)
{
    *state = &bench;
    bench_open(&bench);
    return 0;
}

static int tear_down(void **state)
{
    bench_close(*state);
    return 0;
}

static void sealed(const struct bench *b, const char *plain, char *text)
{
    assert_ok(token_seal(b->keys, REALM, scrip_bytes(plain, strlen(plain)), text, TOKEN_TEXT_MAX));
}

static enum scrip_status opened(const struct bench *b, struct scrip_bytes realm, const char *text)
{
    uint8_t plain[TOKEN_PLAIN_MAX];
    struct scrip_buf out = SCRIP_BUF_OF(plain);
    SCRIP_TRY(token_open(b->keys, realm, text, &out));
    assert_memory_equal(plain, "session of order 7", out.len);
    return SCRIP_OK;
}

static void a_token_opens_where_it_was_sealed(void **state)
{
    struct bench *b = *state;
    char text[TOKEN_TEXT_MAX];
    sealed(b, "session of order 7", text);
    assert_ok(opened(b, REALM, text));
    assert_status(opened(b, OTHER_REALM, text), SCRIP_E_MAC);
    assert_null(strstr(text, "order"));
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(text));
}

static void the_same_state_gives_the_same_token_and_another_state_another_nonce(void **state)
{
    struct bench *b = *state;
    char a[TOKEN_TEXT_MAX];
    char c[TOKEN_TEXT_MAX];
    sealed(b, "session of order 7", a);
    sealed(b, "session of order 7", c);
    assert_string_equal(a, c);
    sealed(b, "session of order 8", c);
    assert_memory_not_equal(a + 4, c + 4, 24);
}

static void every_changed_character_closes_it(void **state)
{
    struct bench *b = *state;
    char text[TOKEN_TEXT_MAX];
    sealed(b, "session of order 7", text);
    for (size_t i = 0; text[i] != '\0'; i++) {
        const char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(opened(b, REALM, text), SCRIP_OK);
        text[i] = was;
    }
    assert_ok(opened(b, REALM, text));
}

static void a_shorter_or_longer_text_is_no_token(void **state)
{
    struct bench *b = *state;
    char text[TOKEN_TEXT_MAX + 4];
    sealed(b, "session of order 7", text);
    const size_t len = strlen(text);
    for (size_t cut = 0; cut < len; cut++) {
        char part[TOKEN_TEXT_MAX];
        memcpy(part, text, cut);
        part[cut] = '\0';
        assert_int_not_equal(opened(b, REALM, part), SCRIP_OK);
    }
    strcat(text, "AAAA");
    assert_int_not_equal(opened(b, REALM, text), SCRIP_OK);
    assert_status(opened(b, REALM, "not base64!"), SCRIP_E_FORMAT);
}

/* The decoder would pass over all of this, and leave the last bits of a text of another length alone. */
static void white_space_padding_and_spare_bits_are_no_part_of_a_token(void **state)
{
    static const char plain[] = "session of order 7";
    static const char *const more[] = {" ", "\n", "=", "==", "\t="};
    struct bench *b = *state;
    for (size_t len = sizeof plain - 4; len < sizeof plain; len++) {
        char text[TOKEN_TEXT_MAX];
        char other[TOKEN_TEXT_MAX + 4];
        assert_ok(token_seal(b->keys, REALM, scrip_bytes(plain, len), text, sizeof text));
        assert_ok(opened(b, REALM, text));
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
            assert_true(snprintf(other, sizeof other, "%s%s", text, more[i]) < (int)sizeof other);
            assert_status(opened(b, REALM, other), SCRIP_E_FORMAT);
            assert_true(snprintf(other, sizeof other, "%.9s%s%s", text, more[i], text + 9) < (int)sizeof other);
            assert_status(opened(b, REALM, other), SCRIP_E_FORMAT);
        }
        memcpy(other, text, sizeof text);
        if (strlen(text) % 4 != 0) {
            other[strlen(text) - 1]++; /* the next digit: only its lowest bit changes, and that is to spare */
            assert_status(opened(b, REALM, other), SCRIP_E_FORMAT);
        }
    }
}

static void a_token_outlives_a_rotation_but_not_the_loss_of_its_key(void **state)
{
    struct bench *b = *state;
    char text[TOKEN_TEXT_MAX];
    struct scrip_keys *rotated;
    const struct scrip_random random = scrip_random_seeded(&b->random);
    sealed(b, "session of order 7", text);
    assert_ok(scrip_keys_file_add(b->keys, SCRIP_KEY_SEAL, 2, scrip_bytes(NULL, 0), &random, NULL));
    assert_ok(opened(b, REALM, text));
    assert_ok(scrip_keys_file_new(&rotated));
    assert_ok(scrip_keys_file_add(rotated, SCRIP_KEY_SEAL, 2, scrip_bytes(NULL, 0), &random, NULL));
    struct scrip_keys *mine = b->keys;
    b->keys = rotated;
    assert_status(opened(b, REALM, text), SCRIP_E_KEY);
    b->keys = mine;
    scrip_keys_close(rotated);
}

static void another_server_s_keys_do_not_open_it(void **state)
{
    struct bench *b = *state;
    char text[TOKEN_TEXT_MAX];
    struct scrip_keys *strange;
    const struct scrip_random random = scrip_random_system();
    sealed(b, "session of order 7", text);
    assert_ok(scrip_keys_file_new(&strange));
    assert_ok(scrip_keys_file_fill(strange, &random, NULL));
    struct scrip_keys *mine = b->keys;
    b->keys = strange;
    assert_status(opened(b, REALM, text), SCRIP_E_MAC);
    b->keys = mine;
    scrip_keys_close(strange);
}

static void a_phone_token_is_good_for_its_order_only(void **state)
{
    struct bench *b = *state;
    char seven[SCRIP_PHONE_TOKEN_MAX];
    char eight[SCRIP_PHONE_TOKEN_MAX];
    const struct scrip_random random = scrip_random_seeded(&b->random);
    assert_ok(phone_token_make(b->keys, "order-7", seven));
    assert_ok(phone_token_make(b->keys, "order-8", eight));
    assert_true(phone_token_is(b->keys, "order-7", seven));
    assert_false(phone_token_is(b->keys, "order-8", seven));
    assert_false(phone_token_is(b->keys, "order-7", eight));
    assert_false(phone_token_is(b->keys, "order-7", ""));
    assert_ok(scrip_keys_file_add(b->keys, SCRIP_KEY_SEAL, 2, scrip_bytes(NULL, 0), &random, NULL));
    assert_true(phone_token_is(b->keys, "order-7", seven));
    seven[5] = seven[5] == 'A' ? 'B' : 'A';
    assert_false(phone_token_is(b->keys, "order-7", seven));
}

static void a_state_that_is_too_long_is_refused(void **state)
{
    struct bench *b = *state;
    static uint8_t plain[TOKEN_PLAIN_MAX + 1];
    char text[TOKEN_TEXT_MAX];
    assert_status(token_seal(b->keys, REALM, SCRIP_BYTES_OF(plain), text, sizeof text), SCRIP_E_SPACE);
    assert_ok(token_seal(b->keys, REALM, scrip_bytes(plain, TOKEN_PLAIN_MAX), text, sizeof text));
    assert_status(token_seal(b->keys, REALM, scrip_bytes(plain, 10), text, 20), SCRIP_E_SPACE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_token_opens_where_it_was_sealed),
        TEST(the_same_state_gives_the_same_token_and_another_state_another_nonce),
        TEST(every_changed_character_closes_it),
        TEST(a_shorter_or_longer_text_is_no_token),
        TEST(white_space_padding_and_spare_bits_are_no_part_of_a_token),
        TEST(a_token_outlives_a_rotation_but_not_the_loss_of_its_key),
        TEST(another_server_s_keys_do_not_open_it),
        TEST(a_phone_token_is_good_for_its_order_only),
        TEST(a_state_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
