/* /metrics in the OpenMetrics text format. */
#include "totals.h"

#include <inttypes.h>
#include <stdio.h>

#define TEXT_MAX 16384U

struct text {
    char at[TEXT_MAX];
    size_t len;
};

static void add_sample(struct text *text, const char *name, const char *label, const char *value_of, int64_t value)
{
    const size_t left = sizeof text->at - text->len;
    const int len = label == NULL ? snprintf(text->at + text->len, left, "%s %" PRId64 "\n", name, value)
                                  : snprintf(text->at + text->len, left, "%s{%s=\"%s\"} %" PRId64 "\n", name, label,
                                             value_of, value);
    text->len += len > 0 && (size_t)len < left ? (size_t)len : 0; /* what does not fit whole is left out */
}

static void add_family(struct text *text, const char *name, const char *type, const char *help)
{
    const size_t left = sizeof text->at - text->len;
    const int len = snprintf(text->at + text->len, left, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
    text->len += len > 0 && (size_t)len < left ? (size_t)len : 0;
}

static void add_counters(struct text *text, const struct counters *counters)
{
#define COUNTER(name, help)                                                                                            \
    add_family(text, "scrip_" #name, "counter", help);                                                                 \
    add_sample(text, "scrip_" #name "_total", NULL, NULL, (int64_t)counters->name);
    SERVER_COUNTERS(COUNTER)
#undef COUNTER
}

static void add_counts(struct text *text, const struct scrip_ledger_counts *counts)
{
    const struct {
        const char *name;
        const char *help;
        uint64_t value;
    } gauges[] = {
        {"scrip_cards", "cards enrolled", counts->cards},
        {"scrip_cards_held", "cards held", counts->held},
        {"scrip_cards_denied", "cards deny-listed", counts->denied},
        {"scrip_debits", "debits in the book", counts->debits},
        {"scrip_debits_waiting", "intents whose outcome is open", counts->waiting},
        {"scrip_lines_aside", "journal lines set aside: of cards that are not registered so", counts->aside},
        {"scrip_entries", "entries in the book", counts->entries},
    };
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        add_family(text, gauges[i].name, "gauge", gauges[i].help);
        add_sample(text, gauges[i].name, NULL, NULL, (int64_t)gauges[i].value);
    }
    add_family(text, "scrip_orders", "gauge", "orders by state");
    for (unsigned i = 0; i < SCRIP_STATE_COUNT; i++) {
        add_sample(text, "scrip_orders", "state", scrip_settle_state_name((enum scrip_settle_state)i),
                   (int64_t)counts->by_state[i]);
    }
}

static void add_balances(struct text *text, const int64_t *balances)
{
    add_family(text, "scrip_balance_minor", "gauge", "balance of an account in minor units");
    for (unsigned i = 0; i < SCRIP_ACCOUNT_COUNT; i++) {
        add_sample(text, "scrip_balance_minor", "account", scrip_account_name((enum scrip_account)i), balances[i]);
    }
}

static void add_book(struct text *text, const struct totals *totals)
{
    add_counts(text, &totals->counts);
    add_balances(text, totals->balances);
    add_family(text, "scrip_book_age_seconds", "gauge",
               "since cards, orders, debits, entries and balances were counted");
    add_sample(text, "scrip_book_age_seconds", NULL, NULL, totals->age_us / 1000000);
}

enum scrip_status metrics_get(struct context *context)
{
    struct text text = {.len = 0};
    struct totals totals;
    SCRIP_TRY(totals_read(context->server, &totals));
    add_counters(&text, &context->server->counters);
    if (totals.known) {
        add_book(&text, &totals);
    }
    (void)snprintf(text.at + text.len, sizeof text.at - text.len, "# EOF\n");
    return response_text(context->response, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", text.at);
}
