/* Key stores: what goes in can be used, what must not come out does not. */
#include "check.h"

#include <scrip/keys.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t next_random;

static enum scrip_status counting_random(void *ctx, uint8_t *dst, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        dst[i] = next_random++;
    }
    return SCRIP_OK;
}

static const struct scrip_random counting = {.fill = counting_random};
static const struct scrip_passphrase right = {.env = "SCRIP_TEST_PASSPHRASE"};
static const struct scrip_passphrase wrong = {.env = "SCRIP_TEST_OTHER"};

static struct {
    char dir[64];
    char path[96];
    struct scrip_keys *keys;
} bench;

static int set_up(void **state)
{
    (void)state;
    next_random = 0x10;
    setenv("SCRIP_TEST_PASSPHRASE", "correct horse", 1);
    setenv("SCRIP_TEST_OTHER", "battery staple", 1);
    strcpy(bench.dir, "/tmp/scrip-keys-XXXXXX");
    if (mkdtemp(bench.dir) == NULL) {
        return -1;
    }
    (void)snprintf(bench.path, sizeof bench.path, "%s/k.keys", bench.dir);
    return scrip_keys_file_new(&bench.keys) == SCRIP_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    scrip_keys_close(bench.keys);
    bench.keys = NULL;
    (void)unlink(bench.path);
    return rmdir(bench.dir); /* also says that no temporary file was left behind */
}

static void given_key(enum scrip_key_role role, uint8_t version, uint8_t first_byte)
{
    uint8_t key[32];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)(first_byte + i);
    }
    assert_ok(scrip_keys_file_add(bench.keys, role, version, scrip_bytes(key, scrip_key_role_len(role)), NULL, NULL));
}

static void saved(void)
{
    assert_ok(scrip_keys_file_save(bench.keys, bench.path, &right, SCRIP_KEYS_COST_TEST, false));
}

static struct scrip_bytes m_of_the_example(void)
{
    static const uint8_t m[] = {0x04, 0x5B, 0x2C, 0x8A, 0x91, 0x6E, 0x80, 0x01, 0x44, 0x99,
                                'O',  'T',  'A',  ' ',  'T',  'O',  'P',  '-',  'U',  'P'};
    return SCRIP_BYTES_OF(m);
}

static void a_card_key_is_the_published_one(void **state)
{
    (void)state;
    uint8_t key[16];
    given_key(SCRIP_KEY_PAY, 1, 0x10);
    given_key(SCRIP_KEY_TOPUP, 1, 0x30);
    given_key(SCRIP_KEY_TMAC, 1, 0x40);
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_PAY, 1, m_of_the_example(), key));
    assert_hex(SCRIP_BYTES_OF(key), "D53B0FBB8CF14BB7F55BBF540BBA275D");
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_TOPUP, SCRIP_KEY_NEWEST, m_of_the_example(), key));
    assert_hex(SCRIP_BYTES_OF(key), "C4E520D70531DD9792847E18AF6F97BE");
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_TMAC, 1, m_of_the_example(), key));
    assert_hex(SCRIP_BYTES_OF(key), "BFA5967C1E3646F02F2EC5B40A952611");
}

static void without_an_input_the_key_is_the_role_s_own(void **state)
{
    (void)state;
    uint8_t key[16];
    given_key(SCRIP_KEY_AMK, 0, 0x50);
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_AMK, 0, scrip_bytes(NULL, 0), key));
    assert_hex(SCRIP_BYTES_OF(key), "505152535455565758595A5B5C5D5E5F");
}

static void a_missing_key_changes_nothing(void **state)
{
    (void)state;
    uint8_t key[32] = {0xEE};
    given_key(SCRIP_KEY_PAY, 1, 0x10);
    assert_status(scrip_keys_diversify(bench.keys, SCRIP_KEY_PAY, 2, m_of_the_example(), key), SCRIP_E_KEY);
    assert_status(scrip_keys_diversify(bench.keys, SCRIP_KEY_TOPUP, 1, m_of_the_example(), key), SCRIP_E_KEY);
    assert_status(scrip_keys_diversify(bench.keys, SCRIP_KEY_SEAL, 1, m_of_the_example(), key), SCRIP_E_KEY);
    assert_status(scrip_keys_hash(bench.keys, SCRIP_KEY_PAY, 1, "x", NULL, 0, key), SCRIP_E_KEY);
    assert_status(scrip_keys_hash(bench.keys, SCRIP_KEY_SEAL, 1, "x", NULL, 0, key), SCRIP_E_KEY);
    assert_int_equal(key[0], 0xEE);
}

static void the_newest_version_is_listed_first(void **state)
{
    (void)state;
    struct scrip_key_info info;
    uint8_t version;
    given_key(SCRIP_KEY_TOPUP, 2, 0x30);
    given_key(SCRIP_KEY_PAY, 3, 0x10);
    given_key(SCRIP_KEY_PAY, 7, 0x11);
    given_key(SCRIP_KEY_PAY, 5, 0x12);
    const uint8_t versions[] = {7, 5, 3, 2};
    for (size_t i = 0; i < sizeof versions; i++) {
        assert_ok(scrip_keys_info(bench.keys, i, &info));
        assert_int_equal(info.version, versions[i]);
    }
    assert_int_equal(info.role, SCRIP_KEY_TOPUP);
    assert_status(scrip_keys_info(bench.keys, 4, &info), SCRIP_E_NOT_FOUND);
    assert_ok(scrip_keys_newest(bench.keys, SCRIP_KEY_PAY, &version));
    assert_int_equal(version, 7);
    assert_status(scrip_keys_newest(bench.keys, SCRIP_KEY_SEAL, &version), SCRIP_E_KEY);
}

static void a_check_value_is_a_cmac_of_zeros(void **state)
{
    (void)state;
    struct scrip_key_info info;
    const uint8_t rfc4493[16] = {0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6,
                                 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C};
    assert_ok(scrip_keys_file_add(bench.keys, SCRIP_KEY_PAY, 0, SCRIP_BYTES_OF(rfc4493), NULL, NULL));
    assert_ok(scrip_keys_info(bench.keys, 0, &info));
    assert_hex(SCRIP_BYTES_OF(info.check), "7AD386");
}

static void a_version_is_never_replaced(void **state)
{
    (void)state;
    uint8_t key[16] = {0};
    given_key(SCRIP_KEY_PAY, 1, 0x10);
    assert_status(scrip_keys_file_add(bench.keys, SCRIP_KEY_PAY, 1, SCRIP_BYTES_OF(key), NULL, NULL), SCRIP_E_EXISTS);
    assert_status(scrip_keys_file_add(bench.keys, SCRIP_KEY_PAY, 2, scrip_bytes(key, 15), NULL, NULL), SCRIP_E_LENGTH);
    assert_status(scrip_keys_file_add(bench.keys, SCRIP_KEY_PAY, 2, scrip_bytes(NULL, 0), NULL, NULL),
                  SCRIP_E_ARGUMENT);
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_PAY, 1, scrip_bytes(NULL, 0), key));
    assert_int_equal(key[0], 0x10);
}

static void an_older_version_goes_and_leaves_the_others(void **state)
{
    (void)state;
    uint8_t key[16];
    struct scrip_keys *again;
    struct scrip_key_info info;
    for (uint8_t version = 1; version <= 4; version++) {
        given_key(SCRIP_KEY_PAY, version, (uint8_t)(0x10 * version));
    }
    given_key(SCRIP_KEY_TOPUP, 2, 0x70);
    assert_ok(scrip_keys_file_remove(bench.keys, SCRIP_KEY_PAY, 2));
    assert_ok(scrip_keys_file_remove(bench.keys, SCRIP_KEY_PAY, 1));
    assert_status(scrip_keys_file_remove(bench.keys, SCRIP_KEY_PAY, 2), SCRIP_E_KEY);
    saved();
    assert_ok(scrip_keys_file_open(bench.path, &right, &again));
    assert_status(scrip_keys_diversify(again, SCRIP_KEY_PAY, 2, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    assert_ok(scrip_keys_diversify(again, SCRIP_KEY_PAY, 3, scrip_bytes(NULL, 0), key));
    assert_int_equal(key[0], 0x30);
    assert_ok(scrip_keys_diversify(again, SCRIP_KEY_PAY, SCRIP_KEY_NEWEST, scrip_bytes(NULL, 0), key));
    assert_int_equal(key[0], 0x40);
    assert_ok(scrip_keys_diversify(again, SCRIP_KEY_TOPUP, 2, scrip_bytes(NULL, 0), key));
    assert_int_equal(key[0], 0x70);
    assert_status(scrip_keys_info(again, 3, &info), SCRIP_E_NOT_FOUND);
    scrip_keys_close(again);
}

static void the_newest_version_stays(void **state)
{
    (void)state;
    uint8_t key[16];
    given_key(SCRIP_KEY_PAY, 1, 0x10);
    given_key(SCRIP_KEY_TOPUP, 1, 0x30);
    given_key(SCRIP_KEY_TOPUP, 9, 0x31);
    assert_status(scrip_keys_file_remove(bench.keys, SCRIP_KEY_PAY, 1), SCRIP_E_STATE);
    assert_status(scrip_keys_file_remove(bench.keys, SCRIP_KEY_TOPUP, 9), SCRIP_E_STATE);
    assert_status(scrip_keys_file_remove(bench.keys, SCRIP_KEY_SEAL, 1), SCRIP_E_KEY);
    assert_ok(scrip_keys_file_remove(bench.keys, SCRIP_KEY_TOPUP, 1));
    assert_status(scrip_keys_file_remove(bench.keys, SCRIP_KEY_TOPUP, 9), SCRIP_E_STATE);
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_TOPUP, 9, scrip_bytes(NULL, 0), key));
}

static void a_place_that_was_emptied_is_free_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        given_key(SCRIP_KEY_SEAL, (uint8_t)i, (uint8_t)i);
    }
    assert_ok(scrip_keys_file_remove(bench.keys, SCRIP_KEY_SEAL, 0));
    given_key(SCRIP_KEY_SEAL, 64, 64);
    saved();
}

static void a_store_takes_so_many_keys_and_no_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        given_key(SCRIP_KEY_SEAL, (uint8_t)i, (uint8_t)i);
    }
    assert_status(scrip_keys_file_add(bench.keys, SCRIP_KEY_SEAL, 64, scrip_bytes(NULL, 0), &counting, NULL),
                  SCRIP_E_LIMIT);
    saved();
    struct scrip_keys *again;
    struct scrip_key_info info;
    assert_ok(scrip_keys_file_open(bench.path, &right, &again));
    assert_ok(scrip_keys_info(again, 63, &info));
    scrip_keys_close(again);
}

static void a_saved_store_opens_with_its_passphrase_only(void **state)
{
    (void)state;
    uint8_t before[16];
    uint8_t after[16];
    struct scrip_keys *again = NULL;
    assert_ok(scrip_keys_file_fill(bench.keys, &counting, NULL));
    saved();
    assert_status(scrip_keys_file_open(bench.path, &wrong, &again), SCRIP_E_MAC);
    assert_null(again);
    assert_ok(scrip_keys_file_open(bench.path, &right, &again));
    assert_ok(scrip_keys_diversify(bench.keys, SCRIP_KEY_TMAC, 1, m_of_the_example(), before));
    assert_ok(scrip_keys_diversify(again, SCRIP_KEY_TMAC, 1, m_of_the_example(), after));
    assert_memory_equal(before, after, 16);
    scrip_keys_close(again);
}

static void without_a_passphrase_nothing_opens(void **state)
{
    (void)state;
    struct scrip_keys *again;
    const struct scrip_passphrase none = {0};
    const struct scrip_passphrase unset = {.env = "SCRIP_TEST_NOT_SET"};
    const struct scrip_passphrase no_file = {.file = "/nonexistent/passphrase"};
    saved();
    assert_status(scrip_keys_file_open(bench.path, &none, &again), SCRIP_E_PASSPHRASE);
    assert_status(scrip_keys_file_open(bench.path, &unset, &again), SCRIP_E_PASSPHRASE);
    assert_status(scrip_keys_file_open(bench.path, &no_file, &again), SCRIP_E_PASSPHRASE);
}

static size_t answer_prompt(void *ctx, const char *question, char *out, size_t cap)
{
    assert_non_null(strstr(question, "k.keys"));
    assert_true(cap > strlen(ctx));
    memcpy(out, ctx, strlen(ctx));
    return strlen(ctx);
}

static void a_passphrase_comes_from_a_file_or_a_prompt_as_well(void **state)
{
    (void)state;
    char path[112];
    char text[] = "correct horse";
    struct scrip_keys *again;
    saved();
    (void)snprintf(path, sizeof path, "%s.pass", bench.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("correct horse\nnot this line\n", file);
    (void)fclose(file);
    const struct scrip_passphrase from_file = {.file = path};
    const struct scrip_passphrase from_prompt = {.prompt = answer_prompt, .prompt_ctx = text};
    assert_ok(scrip_keys_file_open(bench.path, &from_file, &again));
    scrip_keys_close(again);
    assert_ok(scrip_keys_file_open(bench.path, &from_prompt, &again));
    scrip_keys_close(again);
    (void)unlink(path);
}

static void every_altered_byte_is_noticed(void **state)
{
    (void)state;
    uint8_t bytes[8192];
    struct scrip_keys *again;
    given_key(SCRIP_KEY_PAY, 1, 0x10);
    saved();
    FILE *file = fopen(bench.path, "r+");
    assert_non_null(file);
    const size_t len = fread(bytes, 1, sizeof bytes, file);
    assert_true(len > 100);
    for (size_t i = 0; i < len; i++) {
        (void)fseek(file, (long)i, SEEK_SET);
        (void)fputc(bytes[i] ^ 0x04, file);
        (void)fflush(file);
        const enum scrip_status status = scrip_keys_file_open(bench.path, &right, &again);
        assert_true(status == SCRIP_E_MAC || status == SCRIP_E_FORMAT);
        (void)fseek(file, (long)i, SEEK_SET);
        (void)fputc(bytes[i], file);
    }
    (void)fclose(file);
    assert_ok(scrip_keys_file_open(bench.path, &right, &again));
    scrip_keys_close(again);
}

static void saving_does_not_overwrite_unless_asked(void **state)
{
    (void)state;
    struct stat info;
    saved();
    assert_int_equal(stat(bench.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_status(scrip_keys_file_save(bench.keys, bench.path, &right, SCRIP_KEYS_COST_TEST, false), SCRIP_E_EXISTS);
    assert_ok(scrip_keys_file_save(bench.keys, bench.path, &wrong, SCRIP_KEYS_COST_TEST, true));
    struct scrip_keys *again;
    assert_status(scrip_keys_file_open(bench.path, &right, &again), SCRIP_E_MAC);
}

static void no_key_is_readable_in_the_file(void **state)
{
    (void)state;
    uint8_t bytes[8192];
    const uint8_t key[16] = "A pay key.......";
    assert_ok(scrip_keys_file_add(bench.keys, SCRIP_KEY_PAY, 1, SCRIP_BYTES_OF(key), NULL, NULL));
    saved();
    FILE *file = fopen(bench.path, "r");
    assert_non_null(file);
    const size_t len = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    assert_null(memmem(bytes, len, key, 8));
}

static void a_terminal_gets_the_pay_keys_and_no_other(void **state)
{
    (void)state;
    struct scrip_keys *terminal;
    struct scrip_key_info info;
    uint8_t key[16];
    assert_status(scrip_keys_file_export_terminal(bench.keys, 0, &terminal), SCRIP_E_KEY);
    assert_ok(scrip_keys_file_fill(bench.keys, &counting, NULL));
    given_key(SCRIP_KEY_PAY, 2, 0x77);
    assert_ok(scrip_keys_file_export_terminal(bench.keys, 0, &terminal));
    size_t count = 0;
    for (; scrip_keys_info(terminal, count, &info) == SCRIP_OK; count++) {
        assert_int_equal(info.role, SCRIP_KEY_PAY);
    }
    assert_int_equal(count, 2);
    assert_status(scrip_keys_diversify(terminal, SCRIP_KEY_TOPUP, 1, m_of_the_example(), key), SCRIP_E_KEY);
    scrip_keys_close(terminal);
    assert_ok(scrip_keys_file_export_terminal(bench.keys, SCRIP_KEY_BIT(SCRIP_KEY_ID), &terminal));
    assert_ok(scrip_keys_diversify(terminal, SCRIP_KEY_ID, 1, scrip_bytes(NULL, 0), key));
    assert_status(scrip_keys_diversify(terminal, SCRIP_KEY_BCD, 1, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    scrip_keys_close(terminal);
    assert_ok(scrip_keys_file_export_terminal(bench.keys, SCRIP_KEY_BIT(SCRIP_KEY_BCD), &terminal));
    assert_ok(scrip_keys_diversify(terminal, SCRIP_KEY_BCD, 1, scrip_bytes(NULL, 0), key));
    assert_status(scrip_keys_diversify(terminal, SCRIP_KEY_ID, 1, scrip_bytes(NULL, 0), key), SCRIP_E_KEY);
    scrip_keys_close(terminal);
}

static enum scrip_status seal(unsigned version, const char *context, struct scrip_buf *out)
{
    const uint8_t nonce[24] = {9};
    return scrip_keys_seal(bench.keys, version, nonce, scrip_bytes(context, strlen(context)), scrip_bytes("state", 5),
                           out);
}

static enum scrip_status unseal(unsigned version, const char *context, struct scrip_bytes sealed)
{
    const uint8_t nonce[24] = {9};
    uint8_t plain[64];
    struct scrip_buf out = SCRIP_BUF_OF(plain);
    SCRIP_TRY(scrip_keys_unseal(bench.keys, version, nonce, scrip_bytes(context, strlen(context)), sealed, &out));
    assert_hex(scrip_buf_bytes(&out), "7374617465");
    return SCRIP_OK;
}

static void what_is_sealed_opens_in_its_own_context_only(void **state)
{
    (void)state;
    uint8_t sealed[64];
    struct scrip_buf out = SCRIP_BUF_OF(sealed);
    given_key(SCRIP_KEY_SEAL, 1, 0x60);
    given_key(SCRIP_KEY_SEAL, 2, 0x61);
    assert_ok(seal(1, "order 7", &out));
    assert_int_equal(out.len, 5 + 16);
    assert_ok(unseal(1, "order 7", scrip_buf_bytes(&out)));
    assert_status(unseal(2, "order 7", scrip_buf_bytes(&out)), SCRIP_E_MAC);
    assert_status(unseal(1, "order 8", scrip_buf_bytes(&out)), SCRIP_E_MAC);
    assert_status(unseal(3, "order 7", scrip_buf_bytes(&out)), SCRIP_E_KEY);
    assert_status(unseal(1, "order 7", scrip_bytes(sealed, 15)), SCRIP_E_LENGTH);
    sealed[3] ^= 1;
    assert_status(unseal(1, "order 7", scrip_buf_bytes(&out)), SCRIP_E_MAC);
    struct scrip_buf small = scrip_buf(sealed, 20);
    assert_status(seal(1, "order 7", &small), SCRIP_E_SPACE);
}

static void borders_between_hashed_pieces_count(void **state)
{
    (void)state;
    uint8_t a[32];
    uint8_t b[32];
    given_key(SCRIP_KEY_SEAL, 1, 0x60);
    const struct scrip_bytes ab_c[] = {scrip_bytes("ab", 2), scrip_bytes("c", 1)};
    const struct scrip_bytes a_bc[] = {scrip_bytes("a", 1), scrip_bytes("bc", 2)};
    assert_ok(scrip_keys_hash(bench.keys, SCRIP_KEY_SEAL, 1, "p", ab_c, 2, a));
    assert_ok(scrip_keys_hash(bench.keys, SCRIP_KEY_SEAL, 1, "p", a_bc, 2, b));
    assert_memory_not_equal(a, b, 32);
    assert_ok(scrip_keys_hash(bench.keys, SCRIP_KEY_SEAL, 1, "q", ab_c, 2, b));
    assert_memory_not_equal(a, b, 32);
    assert_ok(scrip_keys_hash(bench.keys, SCRIP_KEY_SEAL, 1, "p", ab_c, 2, b));
    assert_memory_equal(a, b, 32);
}

static void malformed_contents_add_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
    } malformed[] = {
        {""},
        {"00"},
        {"0100"},
        {"0000 00"},
        {"0100 01011000 0000000000000000"},
        {"0100 01011000 0000000000000000 000102030405060708090A0B0C0D0E"},
        {"0100 01011100 0000000000000000 000102030405060708090A0B0C0D0E0F10"},
        {"0100 63011000 0000000000000000 000102030405060708090A0B0C0D0E0F"},
        {"0100 01011000 0000000000000000 000102030405060708090A0B0C0D0E0F 00"},
        {"0200 01011000 0000000000000000 000102030405060708090A0B0C0D0E0F"
         "     01011000 0000000000000000 000102030405060708090A0B0C0D0E0F"},
    };
    struct scrip_key_info info;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        uint8_t plain[128];
        const size_t len = from_hex(malformed[i].hex, plain, sizeof plain);
        assert_status(scrip_keys_file_parse(bench.keys, scrip_bytes(plain, len)), SCRIP_E_CORRUPT);
        assert_status(scrip_keys_info(bench.keys, 0, &info), SCRIP_E_NOT_FOUND);
    }
}

static void every_role_has_a_name_that_leads_back(void **state)
{
    (void)state;
    enum scrip_key_role role;
    for (unsigned i = 0; i < SCRIP_KEY_ROLE_COUNT; i++) {
        assert_ok(scrip_key_role_of(scrip_key_role_name((enum scrip_key_role)i), &role));
        assert_int_equal(role, i);
        assert_true(strlen(scrip_key_role_about(role)) > 10);
    }
    assert_status(scrip_key_role_of("gate", &role), SCRIP_E_NOT_FOUND);
    assert_string_equal(scrip_key_role_name((enum scrip_key_role)99), "?");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_card_key_is_the_published_one),
        TEST(without_an_input_the_key_is_the_role_s_own),
        TEST(a_missing_key_changes_nothing),
        TEST(the_newest_version_is_listed_first),
        TEST(a_check_value_is_a_cmac_of_zeros),
        TEST(a_version_is_never_replaced),
        TEST(an_older_version_goes_and_leaves_the_others),
        TEST(the_newest_version_stays),
        TEST(a_place_that_was_emptied_is_free_again),
        TEST(a_store_takes_so_many_keys_and_no_more),
        TEST(a_saved_store_opens_with_its_passphrase_only),
        TEST(without_a_passphrase_nothing_opens),
        TEST(a_passphrase_comes_from_a_file_or_a_prompt_as_well),
        TEST(every_altered_byte_is_noticed),
        TEST(saving_does_not_overwrite_unless_asked),
        TEST(no_key_is_readable_in_the_file),
        TEST(a_terminal_gets_the_pay_keys_and_no_other),
        TEST(what_is_sealed_opens_in_its_own_context_only),
        TEST(borders_between_hashed_pieces_count),
        TEST(malformed_contents_add_nothing),
        TEST(every_role_has_a_name_that_leads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
