#include "check.h"
#include "frame.h"
#include <stdlib.h>

#define TEXT_MAX 262144U

struct shown {
    int code;
    char out[TEXT_MAX];
    char err[TEXT_MAX];
};

static void read_back(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, TEXT_MAX - 1, file)] = '\0';
    fclose(file);
}

/* Run `scrip WORDS...`; words are separated by single blanks. */
static void scrip(struct shown *shown, const char *words)
{
    char copy[512];
    char *argv[24] = {"scrip"};
    int argc = 1;
    FILE *out = tmpfile(), *err = tmpfile();
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    shown->code = tool_main(argc, argv, out, err);
    read_back(out, shown->out);
    read_back(err, shown->err);
}

static void from_generator(char *text, void (*generate)(FILE *out))
{
    FILE *file = tmpfile();
    generate(file);
    read_back(file, text);
}

static char bash[TEXT_MAX], zsh[TEXT_MAX], man[TEXT_MAX];
static struct shown help;

/* What one command's table says must be in its help, its man page and both completions. */
static void check_option(void *ctx, const struct tool_option *option)
{
    char word[128], roff[160];
    (void)ctx;
    snprintf(word, sizeof word, "--%s", option->name);
    assert_non_null(strstr(help.out, word));
    assert_non_null(strstr(bash, word));
    assert_non_null(strstr(zsh, word));
    size_t len = 0;
    for (const char *c = word; *c != '\0'; c++) {
        len += (size_t)snprintf(roff + len, sizeof roff - len, *c == '-' ? "\\-" : "%c", *c);
    }
    assert_non_null(strstr(man, roff));
}

static void help_man_page_and_completions_agree_with_the_tables(void **state)
{
    (void)state;
    const struct tool_command *command;
    from_generator(bash, tool_completion_bash);
    from_generator(zsh, tool_completion_zsh);
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        char words[128];
        snprintf(words, sizeof words, "%s --help", command->name);
        scrip(&help, words);
        assert_int_equal(help.code, TOOL_OK);
        FILE *file = tmpfile();
        tool_man_command(file, command);
        read_back(file, man);
        assert_non_null(strstr(bash, command->name));
        assert_non_null(strstr(zsh, command->name));
        tool_options_each(command, check_option, NULL);
    }
}

static void every_command_says_what_it_is_for(void **state)
{
    (void)state;
    const struct tool_command *command;
    for (size_t i = 0; (command = tool_command_at(i)) != NULL; i++) {
        assert_true(strlen(command->summary) > 8 && strlen(command->summary) < 90);
        for (const struct tool_option *o = command->options; o != NULL && o->name != NULL; o++) {
            assert_true(o->kind == TOOL_FLAG ? o->value == NULL : o->value != NULL);
            assert_true((o->kind == TOOL_CHOICE) == (o->choices != NULL));
            assert_true(strlen(o->help) > 5);
            assert_true(o->help[strlen(o->help) - 1] != '.');
        }
        for (const struct tool_option *o = command->operands; o != NULL && o->name != NULL; o++) {
            assert_true(o->kind != TOOL_FLAG && o->value != NULL);
        }
    }
}

static void wrong_usage_exits_2_and_points_to_help(void **state)
{
    (void)state;
    static const char *const wrong[] = {"card exchange",
                                        "card exchange a b",
                                        "card exchange a --random xyz",
                                        "card exchange a --random ABC",
                                        "card exchange a --nonsense",
                                        "card show a --wait soon",
                                        "card present a --port 99999999999999999999",
                                        "keys list --keys",
                                        "keys list --keys a --keys b",
                                        "keys list --json=yes --keys a"};
    struct shown *shown = &help;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        scrip(shown, wrong[i]);
        assert_int_equal(shown->code, TOOL_USAGE);
        assert_non_null(strstr(shown->err, "--help"));
        assert_string_equal(shown->out, "");
    }
    scrip(shown, "carb");
    assert_int_equal(shown->code, TOOL_USAGE);
    scrip(shown, "card");
    assert_int_equal(shown->code, TOOL_USAGE);
    scrip(shown, "card --help");
    assert_int_equal(shown->code, TOOL_OK);
    assert_non_null(strstr(shown->out, "card exchange"));
}

static void help_is_found_in_every_way_people_ask_for_it(void **state)
{
    (void)state;
    static const char *const ways[] = {"card new --help", "help card new", "card new --keys x --help"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        scrip(&help, ways[i]);
        assert_int_equal(help.code, TOOL_OK);
        assert_non_null(strstr(help.out, "usage: scrip card new"));
    }
    static const char *const lists[] = {"--help", "help", "help card", "card --help"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        scrip(&help, lists[i]);
        assert_int_equal(help.code, TOOL_OK);
        assert_non_null(strstr(help.out, "card new"));
        assert_true((strstr(help.out, "topup") == NULL) == (strstr(lists[i], "card") != NULL));
    }
}

static void what_is_no_command_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *words, *named, *see;
    } rows[] = {
        {"carb", "'carb'", "see: scrip --help"},
        {"carb new", "'carb'", "see: scrip --help"},
        {"card nothing", "'card nothing'", "see: scrip card --help"},
        {"card nothing --help", "'card nothing'", "see: scrip card --help"},
        {"help carb", "'carb'", "see: scrip --help"},
        {"help card nothing", "'card nothing'", "see: scrip card --help"},
        {"--nothing", "'--nothing'", "see: scrip --help"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scrip(&help, rows[i].words);
        assert_int_equal(help.code, TOOL_USAGE);
        assert_non_null(strstr(help.err, rows[i].named));
        assert_non_null(strstr(help.err, rows[i].see));
        assert_string_equal(help.out, "");
    }
}

static void json_is_one_object_also_when_it_fails(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int code;
    } rows[] = {
        {"version --json", TOOL_OK},
        {"--version", TOOL_OK},
        {"--version --json", TOOL_OK},
        {"--json", TOOL_USAGE},
        {"carb --json", TOOL_USAGE},
        {"card --json", TOOL_USAGE},
        {"card nothing --json", TOOL_USAGE},
        {"card show /nowhere/at/all.card --json", TOOL_FAILED},
        {"keys list --keys /nowhere/at/all.keys --passphrase-file /dev/null --json", TOOL_FAILED},
        {"card exchange --json", TOOL_USAGE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scrip(&help, rows[i].words);
        assert_int_equal(help.code, rows[i].code);
        if (strstr(rows[i].words, "--json") == NULL) {
            continue;
        }
        json_t *object = json_loads(help.out, 0, NULL);
        assert_non_null(object);
        assert_true(json_is_boolean(json_object_get(object, "ok")));
        assert_true(json_is_true(json_object_get(object, "ok")) == (rows[i].code == TOOL_OK));
        if (rows[i].code != TOOL_OK) {
            assert_non_null(json_string_value(json_object_get(json_object_get(object, "error"), "layer")));
        }
        json_decref(object);
    }
}

static void an_option_may_be_written_with_an_equals_sign(void **state)
{
    (void)state;
    scrip(&help, "card exchange --random=ABC /nowhere");
    assert_int_equal(help.code, TOOL_USAGE);
    scrip(&help, "card exchange --random=ABCD /nowhere/at/all.card");
    assert_int_equal(help.code, TOOL_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_man_page_and_completions_agree_with_the_tables),
        cmocka_unit_test(every_command_says_what_it_is_for),
        cmocka_unit_test(wrong_usage_exits_2_and_points_to_help),
        cmocka_unit_test(help_is_found_in_every_way_people_ask_for_it),
        cmocka_unit_test(what_is_no_command_is_named),
        cmocka_unit_test(json_is_one_object_also_when_it_fails),
        cmocka_unit_test(an_option_may_be_written_with_an_equals_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
