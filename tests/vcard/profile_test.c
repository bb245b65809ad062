#include "check.h"
#include <scrip/card_dump.h>
#include <scrip/profile.h>
#include <stdio.h>

static struct scrip_profile profile;
static char error[SCRIP_PROFILE_ERROR_MAX];

static enum scrip_status parse(const char *text)
{
    return scrip_profile_parse("test", scrip_bytes(text, strlen(text)), &profile, error);
}

static const char *const SHIPPED[] = {"an12113", "split", "ev1", "plain", "an12113+random-id", "an12113+smallest"};
#define SHIPPED_COUNT (sizeof SHIPPED / sizeof SHIPPED[0])

/* The files and the tables in the wallet are two descriptions of the same cards. */
static void the_shipped_profiles_say_what_the_wallet_knows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHIPPED_COUNT; i++) {
        struct scrip_desfire_profile known, read;
        char path[64];
        snprintf(path, sizeof path, "profiles/%s.profile", SHIPPED[i]);
        assert_ok(scrip_profile_load(path, &profile, error));
        assert_ok(scrip_desfire_profile_make(SHIPPED[i], &known));
        assert_string_equal(profile.about, known.about);
        read = profile.desfire;
        assert_memory_equal(&read.purse, &known.purse, sizeof known.purse);
        assert_memory_equal(&read.application, &known.application, sizeof known.application);
        assert_memory_equal(&read.tmac, &known.tmac, sizeof known.tmac);
        assert_int_equal(read.key_count, known.key_count);
        assert_memory_equal(read.key_roles, known.key_roles, sizeof known.key_roles);
        assert_memory_equal(read.key_diversified, known.key_diversified, sizeof known.key_diversified);
        assert_int_equal(read.file_count, known.file_count);
        for (size_t f = 0; f < known.file_count; f++) {
            assert_memory_equal(&read.files[f], &known.files[f], sizeof known.files[f]);
        }
        assert_int_equal(read.random_id, known.random_id);
        assert_int_equal(scrip_desfire_profile_id(&read), scrip_desfire_profile_id(&known));
    }
}

struct findings {
    unsigned count[3];
    char text[8192];
};

static void collect(void *ctx, enum scrip_lint_level level, const char *sentence)
{
    struct findings *findings = ctx;
    const size_t len = strlen(findings->text);
    findings->count[level]++;
    snprintf(findings->text + len, sizeof findings->text - len, "%s\n", sentence);
}

static void no_shipped_profile_lets_a_gate_make_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHIPPED_COUNT; i++) {
        struct findings found = {0};
        char path[64];
        snprintf(path, sizeof path, "profiles/%s.profile", SHIPPED[i]);
        assert_ok(scrip_profile_load(path, &profile, error));
        assert_ok(scrip_profile_lint(&profile, collect, &found));
        assert_int_equal(found.count[SCRIP_LINT_ERROR], 0);
        assert_non_null(strstr(found.text, "(topup) may credit"));
        assert_non_null(strstr(found.text, "(pay) may debit only"));
    }
}

#define BASE_KEYS                                                                                                      \
    "[card]\nfamily = desfire\n[application 014499]\nsettings = 09\nkey 0 = amk\nkey 1 = pay, diversified\n"           \
    "key 2 = write, diversified\nkey 3 = topup, diversified\n"
#define BASE_FILES                                                                                                     \
    "[file 1]\ntype = backup\ncomm = full\nsize = 128\n"                                                               \
    "[file 2]\ntype = cyclic\ncomm = full\nread = pay\nwrite = pay\nrecord-size = 16\nrecords = 11\n"
#define BASE_VALUE  "[file 3]\ntype = value\ncomm = full\nread = pay\nread-write = topup\nchange = amk\nupper = 500\n"
#define BASE_TOPUPS "[file 4]\ntype = cyclic\ncomm = full\nread = pay\nwrite = topup\nrecord-size = 16\nrecords = 11\n"
#define BASE_PURSE                                                                                                     \
    "[purse]\nmessaging = EV1\nheader-file = 1\nlog-file = 2\nvalue-file = 3\ntopup-file = 4\npay-key = pay\n"         \
    "write-key = write\ntopup-key = topup\n"

static void the_lint_finds_every_way_to_make_value(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scrip_status verdict;
        const char *sentence;
    } rows[] = {
        {BASE_KEYS BASE_FILES BASE_VALUE BASE_TOPUPS BASE_PURSE, SCRIP_OK, "key 3 (topup) may credit"},
        {BASE_KEYS BASE_FILES
         "[file 3]\ntype = value\ncomm = full\nread-write = pay\nchange = amk\n" BASE_TOPUPS BASE_PURSE,
         SCRIP_E_LIMIT, "key 1 (pay) may credit"},
        {BASE_KEYS BASE_FILES BASE_VALUE "more = pay never pay never\n" BASE_TOPUPS BASE_PURSE, SCRIP_E_LIMIT,
         "key 1 (pay) may credit"},
        {BASE_KEYS BASE_FILES
         "[file 3]\ntype = value\ncomm = full\nread = pay\nread-write = topup\nchange = pay\n" BASE_TOPUPS BASE_PURSE,
         SCRIP_E_LIMIT, "may change the rights"},
        {BASE_KEYS BASE_FILES
         "[file 3]\ntype = value\ncomm = full\nread = pay\nread-write = free\nchange = amk\n" BASE_TOPUPS BASE_PURSE,
         SCRIP_E_LIMIT, "anybody may write file 3"},
        {BASE_KEYS BASE_FILES "[file 3]\ntype = value\ncomm = full\nwrite = pay\nread-write = topup\nchange = amk\n"
                              "limited-credit = yes\n" BASE_TOPUPS BASE_PURSE,
         SCRIP_E_LIMIT, "LimitedCredit"},
        {BASE_KEYS BASE_FILES BASE_VALUE
         "[file 4]\ntype = cyclic\ncomm = full\nwrite = pay\nrecord-size = 16\nrecords = 11\n" BASE_PURSE,
         SCRIP_E_LIMIT, "may write the top-up log"},
        {BASE_KEYS BASE_FILES "[file 3]\ntype = value\ncomm = plain\nread = pay\nread-write = topup\nchange = amk\n"
                              "free-read = yes\n" BASE_TOPUPS BASE_PURSE,
         SCRIP_OK, "plain: amounts travel readable and alterable"},
        {"[card]\nfamily = desfire\n[application 014499]\nkey 0 = amk\nkey 1 = pay\nkey 2 = write\nkey 3 = "
         "topup\n" BASE_FILES BASE_VALUE BASE_TOPUPS BASE_PURSE,
         SCRIP_OK, "key 1 (pay) is not diversified"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct findings found = {0};
        assert_ok(parse(rows[i].text));
        assert_status(scrip_profile_lint(&profile, collect, &found), rows[i].verdict);
        assert_non_null(strstr(found.text, rows[i].sentence));
    }
}

static void a_wrong_profile_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"", "family is missing"},
        {"[card]\nfamily = calypso\n", "line 2: [card] family: 'calypso' is not possible here"},
        {"[card]\nfamly = desfire\n", "line 2: [card] famly: no such name"},
        {"[kard]\nfamily = desfire\n", "line 2"},
        {"[card]\nfamily\n", "line 2"},
        {"[file 1]\ntype = value\n", "must come first"},
        {"[application 0144]\nkey 0 = amk\n", "an AID is six hex digits"},
        {"[application 014499]\nkey 1 = amk\n", "numbered 0, 1, 2"},
        {"[application 014499]\nkey 0 = master\n", "ROLE"},
        {BASE_KEYS "[file 32]\ntype = value\n", "0..31"},
        {BASE_KEYS "[file 3]\ntype = value\n[file 4]\ntype = value\n[file 3]\nupper = 2\n", "described twice"},
        {BASE_KEYS "[file 3]\nread = janitor\n", "'janitor' is not possible"},
        {BASE_KEYS "[file 3]\nread = 9\n", "'9' is not possible"},
        {BASE_KEYS "[file 3]\nupper = 2147483648\n", "is not possible"},
        {BASE_KEYS BASE_FILES BASE_TOPUPS BASE_PURSE, "value-file"},
        {BASE_KEYS BASE_FILES BASE_VALUE BASE_TOPUPS BASE_PURSE "tmac-file = 15\n", "tmac-file"},
        {BASE_KEYS BASE_FILES BASE_VALUE "[file 4]\ntype = cyclic\nrecord-size = 17\nrecords = 11\n" BASE_PURSE,
         "16 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(parse(rows[i].text), SCRIP_E_FORMAT);
        if (strstr(error, rows[i].sentence) == NULL) {
            fail_msg("row %zu: '%s' instead of '%s'", i, error, rows[i].sentence);
        }
    }
}

/* ---- storage cards ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *file, *purse; /* as terminals call it */
} STORAGE[] = {{"classic", "classic"},
               {"classic-4k", "classic"},
               {"bcd", "bcd"},
               {"bcd+hardened", "bcd+hardened"},
               {"otp", "otp"}};
#define STORAGE_COUNT (sizeof STORAGE / sizeof STORAGE[0])

static void the_shipped_storage_profiles_are_purses_that_terminals_know(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORAGE_COUNT; i++) {
        struct scrip_storage_purse known;
        char path[64], name[32] = "";
        snprintf(path, sizeof path, "profiles/%s.profile", STORAGE[i].file);
        assert_ok(scrip_profile_load(path, &profile, error));
        assert_ok(scrip_storage_purse_make(STORAGE[i].purse, &known));
        assert_true(scrip_profile_storage_name(&profile, name));
        assert_string_equal(name, STORAGE[i].purse);
        assert_int_equal(profile.purse.kind, known.kind);
        assert_int_equal(profile.purse.access, known.access);
        assert_int_equal(profile.purse.main_block, known.main_block);
        assert_int_equal(profile.purse.backup_block, known.backup_block);
        assert_int_equal(profile.purse.trailer_block, known.trailer_block);
        assert_int_equal(profile.purse.upper, known.upper);
        assert_memory_equal(&profile.purse.key_a, &known.key_a, sizeof known.key_a);
        assert_memory_equal(&profile.purse.key_b, &known.key_b, sizeof known.key_b);
        assert_ok(scrip_storage_purse_check(&profile.purse));
    }
}

static void a_purse_of_the_wallet_needs_no_file(void **state)
{
    (void)state;
    char name[32] = "";
    assert_ok(scrip_profile_load("classic-4k+sector=7", &profile, error));
    assert_int_equal(profile.variant, SCRIP_VCARD_4K);
    assert_int_equal(profile.uid_len, 7);
    assert_int_equal(profile.purse.sector, 7);
    assert_true(profile.about[0] != '\0');
    assert_status(scrip_profile_load("otp-4k", &profile, error), SCRIP_E_NOT_FOUND);
    assert_status(scrip_profile_load("-4k", &profile, error), SCRIP_E_NOT_FOUND);
    assert_ok(scrip_profile_load("classic+sector=20", &profile, error));
    assert_int_equal(profile.family, SCRIP_VCARD_CLASSIC);
    assert_int_equal(profile.variant, SCRIP_VCARD_4K); /* 1K ends at sector 15 */
    assert_int_equal(profile.purse.trailer_block, 83);
    assert_true(scrip_profile_storage_name(&profile, name));
    assert_string_equal(name, "classic+sector=20");
    assert_status(scrip_profile_load("classic+sector=40", &profile, error), SCRIP_E_NOT_FOUND);
    assert_status(scrip_profile_load("classic+hardened", &profile, error), SCRIP_E_NOT_FOUND);
}

#define CLASSIC "[card]\nfamily = classic\n[purse]\n"
#define OTP     "[card]\nfamily = otp\n[purse]\nkind = otp\nkey-a = pay\nkey-b = topup\n"
#define KEYS    "key-a = pay, diversified\nkey-b = topup, diversified\n"

static void the_lint_explains_storage_cards(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scrip_status verdict;
        const char *sentence;
    } rows[] = {
        {CLASSIC "kind = native\n" KEYS, SCRIP_OK, "key A (pay) may debit only, never credit"},
        {CLASSIC "kind = native\n" KEYS, SCRIP_OK, "key B (topup) may credit, and debit"},
        {CLASSIC "kind = native\n" KEYS, SCRIP_OK, "Crypto-1 is broken"},
        {CLASSIC "kind = native\n" KEYS, SCRIP_OK, "key A (pay) may copy one value block to the other"},
        {CLASSIC "kind = native\n" KEYS, SCRIP_OK, "by the terminal's word only"},
        {CLASSIC "kind = native\nsector = 5\n" KEYS, SCRIP_OK, "call this purse classic+sector=5"},
        {CLASSIC "kind = native\nmain-block = 6\n" KEYS, SCRIP_OK, "no terminal knows such a purse"},
        {CLASSIC "kind = native\naccess = compatible\n" KEYS, SCRIP_E_LIMIT,
         "key A (pay) may credit, and debit, and it is"},
        {CLASSIC "kind = native\nkey-a = topup\nkey-b = pay\n", SCRIP_E_LIMIT, "key B (pay) may credit"},
        {CLASSIC "kind = native\nkey-a = topup\nkey-b = pay\n", SCRIP_E_LIMIT, "key B (pay) may change keys"},
        {CLASSIC "kind = bcd\n" KEYS, SCRIP_OK, "key A (pay) may read only, never credit"},
        {CLASSIC "kind = bcd\naccess = compatible\nkey-a = bcd\nkey-b = bcd\n", SCRIP_OK,
         "key A (bcd) may credit, and debit: who can debit can make value"},
        {CLASSIC "kind = bcd\naccess = compatible\nkey-a = bcd\nkey-b = bcd\n", SCRIP_OK, "key B (bcd) can be read"},
        {CLASSIC "kind = bcd\naccess = compatible\nkey-a = bcd\nkey-b = bcd\n", SCRIP_OK,
         "key A (bcd) is not diversified"},
        {CLASSIC "kind = native\nkey-a = factory\nkey-b = topup\n", SCRIP_OK, "key A is the transport key"},
        {OTP "unit = 2\nunits = 50\n", SCRIP_OK, "nobody may credit"},
        {OTP "unit = 2\nunits = 50\n", SCRIP_OK, "50 units of 2 minor units: 100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct findings found = {0};
        assert_ok(parse(rows[i].text));
        assert_status(scrip_profile_lint(&profile, collect, &found), rows[i].verdict);
        if (strstr(found.text, rows[i].sentence) == NULL) {
            fail_msg("row %zu: no '%s' in\n%s", i, rows[i].sentence, found.text);
        }
    }
}

static void a_wrong_storage_profile_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {"[card]\nfamily = classic\n", "[purse] kind"},
        {CLASSIC "kind = otp\n" KEYS, "a classic card has native or bcd"},
        {OTP "kind = bcd\n", "an otp card has the kind otp"},
        {CLASSIC "kind = plastic\n", "line 4: [purse] kind: 'plastic' is not possible here"},
        {CLASSIC "kind = native\nkey-a = pay\n", "key-a and key-b must be named"},
        {CLASSIC "kind = native\nkey-a = janitor\n", "line 5: [purse] key-a"},
        {CLASSIC "kind = native\nkey-a = pay, sometimes\n", "line 5: [purse] key-a"},
        {CLASSIC "kind = native\nkey-a = factory, diversified\n", "line 5: [purse] key-a"},
        {CLASSIC "kind = native\nsector = 16\n" KEYS, "no such sector"},
        {CLASSIC "kind = native\nsector = 256\n", "line 5: [purse] sector"},
        {CLASSIC "kind = native\nmain-block = 8\n" KEYS, "two data blocks of the sector"},
        {CLASSIC "kind = native\nmain-block = 7\n" KEYS, "two data blocks of the sector"},
        {CLASSIC "kind = native\nmain-block = 5\n" KEYS, "two data blocks of the sector"},
        {CLASSIC "kind = native\nsector = 0\n" KEYS, "two data blocks of the sector"},
        {CLASSIC "kind = bcd\nupper = 100000000\n" KEYS, "and upper possible"},
        {CLASSIC "kind = native\nupper = -1\n" KEYS, "and upper possible"},
        {CLASSIC "kind = native\nunits = 5\n" KEYS, "only otp cards"},
        {CLASSIC "kind = native\nvalue-file = 3\n", "line 5: [purse] value-file: no such name"},
        {"[card]\nfamily = classic\n[application 014499]\n key 0 = amk\n", "a storage card has [card] and [purse]"},
        {"[card]\nfamily = classic\nsize = 2K\n", "line 3: [card] size"},
        {"[card]\nfamily = classic\nuid = 10\n", "line 3: [card] uid"},
        {"[card]\nfamily = otp\nuid = 7\n[purse]\nkind = otp\nunit = 1\nunits = 1\n" KEYS, "one size of otp cards"},
        {OTP "unit = 0\nunits = 50\n", "1 to 6000 units"},
        {OTP "unit = 1\nunits = 6001\n", "1 to 6000 units"},
        {OTP "unit = 16777215\nunits = 6000\n", "together at most 2147483647"},
        {BASE_KEYS "[card]\nsize = 4K\n" BASE_FILES BASE_VALUE BASE_TOPUPS BASE_PURSE, "a desfire card has storage"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(parse(rows[i].text), SCRIP_E_FORMAT);
        if (strstr(error, rows[i].sentence) == NULL) {
            fail_msg("row %zu: '%s' instead of '%s'", i, error, rows[i].sentence);
        }
    }
}

static void the_lint_finds_what_is_dangerous_in_a_memory(void **state)
{
    (void)state;
    static struct scrip_card_dump dump;
    struct scrip_dump_gaps gaps;
    struct findings found = {0};
    memset(&dump, 0, sizeof dump);
    dump.blocks = 64;
    dump.uid_len = 4;
    scrip_dump_fill(&dump, &gaps);
    memcpy(dump.data[7], "\xA0\xA1\xA2\xA3\xA4\xA5\x08\x77\x8F\x69\xC0\xC1\xC2\xC3\xC4\xC5", 16);
    memcpy(dump.data[11] + 6, "\x08\x77\x8F", 3);
    memcpy(dump.data[15] + 6, "\x00\x00\x00", 3);
    scrip_classic_value_put(5, 0, dump.data[4]);  /* key A takes only */
    scrip_classic_value_put(5, 0, dump.data[17]); /* key A may do everything */
    assert_ok(scrip_dump_lint(&dump, collect, &found));
    assert_non_null(strstr(found.text, "sector 3: the access bits are damaged"));
    assert_non_null(strstr(found.text, "sectors 0, 2, 4-15: key A is the transport key"));
    assert_non_null(strstr(found.text, "sector 2: key B is the transport key"));
    assert_non_null(strstr(found.text, "sectors 0, 4-15: key B can be read with key A"));
    assert_non_null(strstr(found.text, "sector 4: there is a value block, and key A may credit it"));
    assert_non_null(strstr(found.text, "Crypto-1 is broken"));
    assert_int_equal(found.count[SCRIP_LINT_WARNING], 6);
}

static void a_profile_that_is_not_there_says_where_it_was_looked_for(void **state)
{
    (void)state;
    assert_status(scrip_profile_load("nonexistent", &profile, error), SCRIP_E_NOT_FOUND);
    assert_non_null(strstr(error, "./profiles"));
    assert_status(scrip_profile_load("/nowhere/x.profile", &profile, error), SCRIP_E_NOT_FOUND);
    assert_ok(scrip_profile_load("an12113", &profile, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_profiles_say_what_the_wallet_knows),
        cmocka_unit_test(no_shipped_profile_lets_a_gate_make_value),
        cmocka_unit_test(the_lint_finds_every_way_to_make_value),
        cmocka_unit_test(a_wrong_profile_is_refused_with_its_line),
        cmocka_unit_test(the_shipped_storage_profiles_are_purses_that_terminals_know),
        cmocka_unit_test(a_purse_of_the_wallet_needs_no_file),
        cmocka_unit_test(the_lint_explains_storage_cards),
        cmocka_unit_test(a_wrong_storage_profile_is_refused_with_its_line),
        cmocka_unit_test(the_lint_finds_what_is_dangerous_in_a_memory),
        cmocka_unit_test(a_profile_that_is_not_there_says_where_it_was_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
