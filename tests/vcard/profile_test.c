#include "check.h"
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
        cmocka_unit_test(a_profile_that_is_not_there_says_where_it_was_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
