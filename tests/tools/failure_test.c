#include "check.h"
#include "frame.h"

/* What must be told apart, as it arrives from the layers below. */
static const struct {
    const char *name;
    const char *layer;
    struct tool_failure failure;
} NAMED[] = {
    {"wrong key", "key", {.status = SCRIP_E_CARD, .sw = 0x91AE, .stage = TOOL_STAGE_AUTH_2}},
    {"wrong key type", "key", {.status = SCRIP_E_CARD, .sw = 0x91AE, .stage = TOOL_STAGE_AUTH_1}},
    {"wrong application", "card", {.status = SCRIP_E_CARD, .sw = 0x91A0, .stage = TOOL_STAGE_SELECT}},
    {"missing key", "key", {.status = SCRIP_E_KEY}},
    {"newest key", "key", {.problem = TOOL_PROBLEM_NEWEST_KEY}},
    {"missing right", "right", {.status = SCRIP_E_CARD, .sw = 0x919D, .stage = TOOL_STAGE_DATA}},
    {"limit", "limit", {.status = SCRIP_E_CARD, .sw = 0x91BE, .stage = TOOL_STAGE_DATA}},
    {"another currency", "card", {.status = SCRIP_E_CURRENCY, .card = TOOL_CARD_UNTOUCHED}},
    {"currency not known", "card", {.problem = TOOL_PROBLEM_NO_CURRENCY}},
    {"no multiple of the unit", "limit", {.status = SCRIP_E_UNIT}},
    {"torn card", "card", {.status = SCRIP_E_TORN, .card = TOOL_CARD_UNKNOWN}},
    {"unknown card", "ledger", {.problem = TOOL_PROBLEM_UNKNOWN_CARD}},
    {"rollback", "ledger", {.status = SCRIP_E_ROLLBACK}},
    {"held card", "ledger", {.status = SCRIP_E_HELD}},
    {"expired order", "ledger", {.status = SCRIP_E_EXPIRED}},
    {"funded twice", "ledger", {.problem = TOOL_PROBLEM_FUNDED_TWICE}},
    {"clock skew", "clock", {.problem = TOOL_PROBLEM_CLOCK}},
    {"no DESFire", "card", {.problem = TOOL_PROBLEM_NO_DESFIRE}},
    {"card too old", "card", {.problem = TOOL_PROBLEM_OLD_CARD}},
    {"too little memory", "card", {.problem = TOOL_PROBLEM_NO_MEMORY}},
    {"unknown master key", "key", {.problem = TOOL_PROBLEM_MASTER_KEY}},
    {"foreign application", "card", {.problem = TOOL_PROBLEM_FOREIGN_APPLICATION}},
    {"purse of another profile", "card", {.problem = TOOL_PROBLEM_OTHER_PROFILE}},
    {"purse with other keys", "key", {.problem = TOOL_PROBLEM_OTHER_KEYS}},
    {"torn while it was made", "card", {.problem = TOOL_PROBLEM_TORN_MAKING, .card = TOOL_CARD_HALF_MADE}},
};

#define NAMED_COUNT (sizeof NAMED / sizeof NAMED[0])

static void every_named_error_has_its_own_words_layer_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        const struct tool_verdict verdict = tool_failure_lookup(&NAMED[i].failure);
        assert_string_equal(verdict.name, NAMED[i].name);
        assert_string_equal(tool_layer_name(verdict.layer), NAMED[i].layer);
        assert_true(strlen(verdict.text) > 10 && strlen(verdict.remedy) > 10);
        for (size_t k = 0; k < i; k++) {
            const struct tool_verdict other = tool_failure_lookup(&NAMED[k].failure);
            assert_string_not_equal(verdict.text, other.text);
            assert_string_not_equal(verdict.remedy, other.remedy);
        }
    }
}

static void a_missing_right_inside_a_session_is_not_taken_for_a_wrong_key(void **state)
{
    (void)state;
    const struct tool_failure failure = {.status = SCRIP_E_CARD, .sw = 0x91AE, .stage = TOOL_STAGE_DATA};
    assert_string_equal(tool_failure_lookup(&failure).name, "missing right");
}

static void every_status_leads_to_a_text_and_a_remedy(void **state)
{
    (void)state;
    for (int status = 1; status < SCRIP_STATUS_COUNT; status++) {
        const struct tool_verdict verdict =
            tool_failure_lookup(&(struct tool_failure){.status = (enum scrip_status)status});
        assert_true(strlen(verdict.text) > 3 && strlen(verdict.remedy) > 3);
    }
}

static void every_problem_of_the_list_is_in_the_table(void **state)
{
    (void)state;
    for (int problem = 1; problem < TOOL_PROBLEM_OTHER; problem++) {
        const struct tool_verdict verdict =
            tool_failure_lookup(&(struct tool_failure){.problem = (enum tool_problem)problem});
        assert_int_equal(verdict.problem, problem);
    }
}

static void what_only_the_server_has_words_for_is_told_in_them(void **state)
{
    (void)state;
    const struct tool_said said = {"the order is for another card", "hold the right card to the phone", "card"};
    struct tool_failure failure = {.problem = TOOL_PROBLEM_REFUSED_BY_SERVER, .said = &said};
    struct tool_verdict verdict = tool_failure_lookup(&failure);
    assert_string_equal(verdict.text, said.title);
    assert_string_equal(verdict.remedy, said.remedy);
    assert_int_equal(verdict.layer, TOOL_LAYER_CARD);
    failure.problem = TOOL_PROBLEM_HELD; /* this program's own words tell what to do with it */
    verdict = tool_failure_lookup(&failure);
    assert_string_not_equal(verdict.text, said.title);
    failure = (struct tool_failure){.problem = TOOL_PROBLEM_REFUSED_BY_SERVER, .said = &(struct tool_said){0}};
    verdict = tool_failure_lookup(&failure);
    assert_string_equal(verdict.text, "the server refused");
    assert_int_equal(verdict.layer, TOOL_LAYER_LEDGER);
}

static char *printed(FILE *file, char *text, size_t cap)
{
    fflush(file);
    rewind(file);
    text[fread(text, 1, cap - 1, file)] = '\0';
    return text;
}

static void a_failure_says_layer_state_of_the_card_and_remedy(void **state)
{
    (void)state;
    char text[2048];
    struct tool tool = {.command = tool_command_at(0), .json = json_object(), .out = tmpfile(), .err = tmpfile()};
    const int code = tool_fail(&tool, &(struct tool_failure){.status = SCRIP_E_CARD,
                                                             .sw = 0x91BE,
                                                             .stage = TOOL_STAGE_DATA,
                                                             .card = TOOL_CARD_UNTOUCHED,
                                                             .what = "crediting",
                                                             .detail = "command 0C: BOUNDARY_ERROR"});
    assert_int_equal(code, TOOL_FAILED);
    printed(tool.err, text, sizeof text);
    static const char *const wanted[] = {"limit: crediting: ", "91BE", "BOUNDARY_ERROR", "card:   nothing on the card",
                                         "remedy: "};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_non_null(strstr(text, wanted[i]));
    }
    const json_t *error = json_object_get(tool.json, "error");
    assert_string_equal(json_string_value(json_object_get(error, "layer")), "limit");
    assert_string_equal(json_string_value(json_object_get(error, "sw")), "91BE");
    assert_non_null(json_object_get(error, "card"));
    assert_non_null(json_object_get(error, "remedy"));
    json_decref(tool.json);
    fclose(tool.out);
    fclose(tool.err);
}

static void what_others_wrote_does_not_move_the_cursor(void **state)
{
    (void)state;
    static const char bell_and_clear[] = "\033[2J\a\r\177";
    char text[2048];
    const struct tool_said said = {bell_and_clear, bell_and_clear, "card"};
    struct tool tool = {.command = tool_command_at(0), .json = json_object(), .out = tmpfile(), .err = tmpfile()};
    tool_fail(&tool, &(struct tool_failure){.problem = TOOL_PROBLEM_REFUSED_BY_SERVER,
                                            .what = bell_and_clear,
                                            .detail = bell_and_clear,
                                            .said = &said});
    tool_usage(&tool, "%s", bell_and_clear);
    tool_note(&tool, "%s", bell_and_clear);
    printed(tool.err, text, sizeof text);
    assert_null(strpbrk(text, bell_and_clear + 4));
    assert_null(strchr(text, bell_and_clear[0]));
    tool_say(&tool, "%s", bell_and_clear);
    assert_string_equal(printed(tool.out, text, sizeof text), "?[2J???\n");
    json_decref(tool.json);
    fclose(tool.out);
    fclose(tool.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_named_error_has_its_own_words_layer_and_remedy),
        cmocka_unit_test(a_missing_right_inside_a_session_is_not_taken_for_a_wrong_key),
        cmocka_unit_test(every_status_leads_to_a_text_and_a_remedy),
        cmocka_unit_test(every_problem_of_the_list_is_in_the_table),
        cmocka_unit_test(what_only_the_server_has_words_for_is_told_in_them),
        cmocka_unit_test(a_failure_says_layer_state_of_the_card_and_remedy),
        cmocka_unit_test(what_others_wrote_does_not_move_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
