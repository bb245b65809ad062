/* The protocol model and the program use one table: every line T(...) and H(...) of docs/model/topup.pml is a cell of
 * it, and every cell that moves an order or holds a card is such a line. */
#include "check.h"

#include <scrip/settle.h>
#include <stdio.h>
#include <stdlib.h>

struct line {
    char from[24], event[24], to[24], booking[24], mark[16];
};

static bool table_says(enum scrip_settle_state from, enum scrip_settle_event event, struct line *line)
{
    const struct scrip_settle_step step = scrip_settle_next(SCRIP_KIND_TOPUP, from, event);
    memset(line, 0, sizeof *line);
    (void)snprintf(line->from, sizeof line->from, "%s", scrip_settle_state_name(from));
    (void)snprintf(line->event, sizeof line->event, "%s", scrip_settle_event_name(event));
    if (step.answer == SCRIP_ANSWER_GO) {
        (void)snprintf(line->to, sizeof line->to, "%s", scrip_settle_state_name((enum scrip_settle_state)step.next));
        (void)snprintf(line->booking, sizeof line->booking, "%s", scrip_booking_name((enum scrip_booking)step.booking));
        (void)snprintf(line->mark, sizeof line->mark, "%s", step.hold ? "HOLD" : step.deny ? "DENY" : "NOTHING");
        return true;
    }
    return step.answer == SCRIP_ANSWER_SAME && step.hold;
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 1000);
    fclose(file);
    return text;
}

static unsigned model_lines(const char *text, struct line *lines, unsigned cap)
{
    unsigned count = 0;
    for (const char *at = text; at != NULL && count < cap; at = strchr(at + 1, '\n')) {
        struct line line = {0};
        if (sscanf(at, " T(%23[A-Z_], %23[A-Z_], %23[A-Z_], %23[A-Z_], %15[A-Z])", line.from, line.event, line.to,
                   line.booking, line.mark) == 5 ||
            sscanf(at, " H(%23[A-Z_], %23[A-Z_])", line.from, line.event) == 2) {
            lines[count++] = line;
        }
        if (strchr(at + 1, '\n') == NULL) {
            break;
        }
    }
    return count;
}

static bool found_in(const struct line *line, const struct line *lines, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(line, &lines[i], sizeof *line) == 0) {
            return true;
        }
    }
    return false;
}

static void the_model_has_the_table_of_the_program(void **state)
{
    (void)state;
    static struct line model[200];
    char *text = read_text("docs/model/topup.pml");
    const unsigned count = model_lines(text, model, 200);
    unsigned wanted = 0;
    free(text);
    for (int s = 0; s < SCRIP_STATE_STARTED; s++) { /* the states behind it are those of work without money */
        for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
            struct line line;
            if (!table_says((enum scrip_settle_state)s, (enum scrip_settle_event)e, &line)) {
                continue;
            }
            wanted++;
            if (!found_in(&line, model, count)) {
                fail_msg("not in the model, or otherwise: %s, %s, %s, %s, %s", line.from, line.event, line.to,
                         line.booking, line.mark);
            }
        }
    }
    assert_true(wanted > 40);
    assert_int_equal(count, wanted); /* and nothing else */
}

static void the_page_on_settlement_has_it_too(void **state)
{
    (void)state;
    static const char *const marks[] = {"", "held", "deny-listed"};
    char row[160];
    char *text = read_text("docs/settlement.md");
    for (int s = 0; s < SCRIP_STATE_COUNT; s++) {
        for (int e = 0; e < SCRIP_EVENT_COUNT; e++) {
            const enum scrip_settle_event event = (enum scrip_settle_event)e;
            const bool work = event == SCRIP_EVENT_START || event == SCRIP_EVENT_FINISH || s >= SCRIP_STATE_STARTED;
            const struct scrip_settle_step step =
                scrip_settle_next(work ? SCRIP_KIND_READ : SCRIP_KIND_TOPUP, (enum scrip_settle_state)s, event);
            (void)snprintf(row, sizeof row, "| %s | %s | %s | %s | %s |",
                           scrip_settle_state_name((enum scrip_settle_state)s), scrip_settle_event_name(event),
                           scrip_settle_state_name((enum scrip_settle_state)step.next),
                           scrip_booking_name((enum scrip_booking)step.booking), marks[step.hold ? 1 : step.deny * 2]);
            if ((strstr(text, row) != NULL) != (step.answer == SCRIP_ANSWER_GO)) {
                fail_msg("docs/settlement.md: %s", row);
            }
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_has_the_table_of_the_program),
        cmocka_unit_test(the_page_on_settlement_has_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
