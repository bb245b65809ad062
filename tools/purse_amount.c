/* purse_amount.c: how much. What a person types is read in the currency that the card counts in.
 *
 * A purse takes minor units, whatever they are; what they are stands in the card's header alone. With --currency the
 * job compares the header with it. Without, the amount is read in a likely currency and the job compares with that: so
 * the header costs one command of the payment's own session on a card of that currency, and a card of another one says
 * so before anything is done, and is met once more with the amount as it is there. */
#include "purse_visit.h"
#include <string.h>

#define NO_HEADER "its header cannot be read, or is none"

enum { READ_DATA = 0xBD, READ_DATA_LONG = 0xAD, DEBIT = 0xDC };

/* EUR, else the first currency in which it is an amount at all; NULL: in none. */
static const struct scrip_currency *likely_currency(const char *text, int32_t *minor)
{
    const struct scrip_currency *currency = scrip_currency_find("EUR");
    for (size_t i = 0; currency != NULL && tool_amount_of(currency, text, minor) != SCRIP_OK; i++) {
        currency = scrip_currency_at(i);
    }
    return currency;
}

int visit_amount(struct tool *tool, struct visit *visit)
{
    const char *text = tool_text(tool, "amount");
    if (tool_has(tool, "currency") || !visit_is_desfire(visit)) {
        return tool_amount(tool, "amount", &visit->request.amount);
    }
    if (visit->request.skip_flush) {
        return tool_usage(tool, "--shortest does not look in which currency the card counts: say it with --currency");
    }
    visit->guess = likely_currency(text, &visit->request.amount);
    return visit->guess != NULL
               ? TOOL_OK
               : tool_usage(tool, "amount: '%s' is no amount above zero that a card holds, in any currency", text);
}

const char *visit_what(struct tool *tool, const struct visit *visit, const char *doing, char what[VISIT_WHAT_MAX])
{
    char money[SCRIP_MONEY_TEXT_MAX];
    const bool known = visit->guess == NULL;
    (void)snprintf(what, VISIT_WHAT_MAX, "%s %.64s", doing,
                   known ? tool_money(tool, visit->request.amount, money) : tool_text(tool, "amount"));
    if (known) {
        tool_put(tool, "amount", json_integer(visit->request.amount));
    }
    return what;
}

static int fail_no_currency(struct tool *tool, const char *what, const char *detail)
{
    tool_put(tool, "outcome", json_string(scrip_outcome_name(SCRIP_OUTCOME_DECLINED)));
    return tool_fail(tool, &(struct tool_failure){.status = SCRIP_E_CURRENCY,
                                                  .problem = TOOL_PROBLEM_NO_CURRENCY,
                                                  .card = TOOL_CARD_UNTOUCHED,
                                                  .what = what,
                                                  .detail = detail});
}

/* From here on it is known how much the amount is, and worth showing. */
static void amount_is_known(struct tool *tool, struct visit *visit)
{
    visit->guess = NULL;
    tool_set_currency(tool, visit->job.result.header.currency);
}

/* The amount as it is in the currency of the card that was met. */
static int amount_of_card(struct tool *tool, struct visit *visit, const char *what)
{
    char detail[64];
    const uint16_t number = visit->job.result.header.currency;
    const struct scrip_currency *currency = scrip_currency_find_number(number);
    amount_is_known(tool, visit);
    if (currency == NULL) {
        (void)snprintf(detail, sizeof detail, "ISO 4217 number %u is not known here", number);
        return fail_no_currency(tool, what, detail);
    }
    tool_put(tool, "outcome", json_string(scrip_outcome_name(SCRIP_OUTCOME_DECLINED)));
    return tool_amount_in(tool, "amount", currency, &visit->request.amount);
}

/* ---- debit ------------------------------------------------------------------------------------------------------- */

/* A job whose Debit leaves only after the header was compared. A header that is none cannot be: the job goes on then,
 * which is right for who named the currency, and wrong for who guessed it. */
struct careful_flow {
    struct scrip_flow flow;
    struct scrip_purse_job *job;
    bool stopped;
};

static bool has_debit(const struct scrip_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct scrip_bytes command = scrip_batch_command(batch, i);
        if (command.len > 1 && command.at[1] == DEBIT) {
            return true;
        }
    }
    return false;
}

static enum scrip_status careful_next(struct scrip_flow *flow, struct scrip_batch *batch)
{
    struct careful_flow *careful = (struct careful_flow *)flow;
    SCRIP_TRY(careful->job->flow.next(&careful->job->flow, batch));
    careful->stopped = has_debit(batch) && !careful->job->result.has_header;
    return careful->stopped ? SCRIP_E_CURRENCY : SCRIP_OK;
}

static enum scrip_status careful_take(struct scrip_flow *flow, const struct scrip_replies *replies)
{
    struct scrip_flow *inner = &((struct careful_flow *)flow)->job->flow;
    return inner->take(inner, replies);
}

/* As scrip_purse_run. @return the card did not show what the amount is in, and nothing was taken */
static bool run_carefully(struct visit *visit)
{
    struct scrip_purse_job *job = &visit->job;
    struct scrip_purse_result *result = &job->result;
    struct careful_flow careful = {.flow = {careful_next, careful_take}, .job = job};
    if (scrip_purse_begin(job, visit->purse.family, SCRIP_PURSE_DEBIT, &visit->request) != SCRIP_OK) {
        return false;
    }
    const enum scrip_status status = scrip_run(&careful.flow, visit->link);
    if (result->status == SCRIP_OK && status != SCRIP_OK) {
        result->status = status;
        result->outcome = SCRIP_OUTCOME_ASK_AGAIN;
    }
    scrip_purse_end(job);
    const uint8_t refused = result->status == SCRIP_E_CARD && !result->has_header ? result->failure.cmd : 0;
    return careful.stopped || refused == READ_DATA || refused == READ_DATA_LONG;
}

/* In a session of its own, under the pay key. Nothing of it is told unless it fails. */
static int ask_apart(struct tool *tool, struct visit *visit, const char *what)
{
    const struct scrip_purse_result *result = &visit->job.result;
    (void)scrip_purse_run(&visit->job, visit->purse.family, SCRIP_PURSE_BALANCE, &visit->request, visit->link);
    if (result->outcome != SCRIP_OUTCOME_ACCEPTED || result->status != SCRIP_OK) {
        return visit_tell(tool, visit, SCRIP_PURSE_BALANCE, what);
    }
    if (visit->guess == NULL) {
        return TOOL_OK;
    }
    return result->has_header ? amount_of_card(tool, visit, what) : fail_no_currency(tool, what, NO_HEADER);
}

static int debit_guessed(struct tool *tool, struct visit *visit)
{
    char what[VISIT_WHAT_MAX];
    visit->request.currency = visit->guess->number;
    bool unknown = run_carefully(visit);
    if (!unknown && visit->job.result.status == SCRIP_E_CURRENCY) {
        const int code = amount_of_card(tool, visit, visit_what(tool, visit, "paying", what));
        if (code != TOOL_OK) {
            return code;
        }
        visit->request.currency = visit->job.result.header.currency;
        unknown = run_carefully(visit);
    }
    if (unknown) {
        return fail_no_currency(tool, visit_what(tool, visit, "paying", what), NO_HEADER);
    }
    if (visit->job.result.has_header) {
        amount_is_known(tool, visit);
    }
    return visit_tell(tool, visit, SCRIP_PURSE_DEBIT, visit_what(tool, visit, "paying", what));
}

int visit_debit(struct tool *tool, struct visit *visit)
{
    char what[VISIT_WHAT_MAX];
    return visit->guess != NULL ? debit_guessed(tool, visit)
                                : visit_run(tool, visit, SCRIP_PURSE_DEBIT, visit_what(tool, visit, "paying", what));
}

/* ---- credit ------------------------------------------------------------------------------------------------------ */

int visit_credit_currency(struct tool *tool, struct visit *visit)
{
    char what[VISIT_WHAT_MAX];
    uint8_t newest;
    if (!visit_is_desfire(visit)) {
        return TOOL_OK;
    }
    (void)visit_what(tool, visit, "crediting", what);
    if (scrip_keys_newest(visit->keys, SCRIP_KEY_PAY, &newest) == SCRIP_OK) {
        return ask_apart(tool, visit, what);
    }
    if (visit->guess != NULL) {
        return fail_no_currency(tool, what, "this key store has no pay key to read its header with");
    }
    tool_note(tool, "--currency is not compared with the card's: this key store has no pay key to read it with");
    return TOOL_OK;
}
