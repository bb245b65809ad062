#include "check.h"
#include "frame.h"
#include <fcntl.h>
#include <scrip/journal.h>
#include <scrip/keys.h>
#include <scrip/posix.h>
#include <scrip/purse_desfire.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[3][96];

/* A journal whose newest line is of the year 2099: the terminal's clock was set back since. */
static void given_a_journal_from_the_future(void)
{
    static const uint8_t terminal[4] = {0, 0, 0, 0x42};
    struct scrip_nv_file region;
    struct scrip_journal journal;
    struct scrip_journal_line line = {.kind = SCRIP_JOURNAL_DEBIT, .amount = 100, .uid = {4, 1, 2, 3, 4, 5, 6}};
    const int fd = open(path[0], O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)SCRIP_JOURNAL_PAGES(10U) * (off_t)SCRIP_NV_PAGE), 0);
    const struct scrip_nv nv = scrip_nv_file(&region, fd, 0, SCRIP_JOURNAL_PAGES(10U), false);
    scrip_purse_timestamp(4070908800000U, line.timestamp);
    assert_ok(scrip_journal_format(&nv, terminal));
    assert_ok(scrip_journal_open(&journal, &nv));
    assert_ok(scrip_journal_append(&journal, &line));
    close(fd);
}

static void given_a_key_store(void)
{
    const struct scrip_passphrase passphrase = {.file = path[2]};
    const struct scrip_random random = scrip_random_system();
    struct scrip_keys *keys = NULL;
    FILE *file = fopen(path[2], "w");
    fputs("secret of the test\n", file);
    fclose(file);
    assert_ok(scrip_keys_file_new(&keys));
    assert_ok(scrip_keys_file_fill(keys, &random, NULL));
    assert_ok(scrip_keys_file_save(keys, path[1], &passphrase, SCRIP_KEYS_COST_TEST, false));
    scrip_keys_close(keys);
}

static void a_terminal_whose_clock_was_set_back_takes_nothing(void **state)
{
    (void)state;
    char err[2048];
    FILE *out = tmpfile(), *errors = tmpfile();
    given_a_journal_from_the_future();
    given_a_key_store();
    char *argv[] = {"scrip", "pay",       "1",    "--reader", "card:/nowhere", "--keys", path[1], "--passphrase-file",
                    path[2], "--journal", path[0]};
    assert_int_equal(tool_main(sizeof argv / sizeof argv[0], argv, out, errors), TOOL_FAILED);
    rewind(errors);
    err[fread(err, 1, sizeof err - 1, errors)] = '\0';
    assert_non_null(strstr(err, ": clock: "));
    assert_non_null(strstr(err, "2099-01-01"));
    assert_non_null(strstr(err, "nothing on the card was changed"));
    assert_non_null(strstr(err, "remedy: set the clock"));
    fclose(out);
    fclose(errors);
}

static int make_folder(void **state)
{
    static const char *const names[] = {"gate.journal", "gate.keys", "pass"};
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/scrip-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    for (size_t i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        unlink(path[i]);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_terminal_whose_clock_was_set_back_takes_nothing, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
