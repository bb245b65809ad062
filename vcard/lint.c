/* lint.c: who may make value and who may only take it, and what weakens that.
 *
 * The rule behind it: a gate is in a public place, so its key counts as known to a thief. Nothing that a gate's key
 * opens may add to the value file, change its rights, or write the log that proves top-ups. */
#include "lint.h"
#include <stdarg.h>
#include <stdio.h>

struct lint {
    struct lint_sink sink;
    const struct scrip_profile *profile;
    const struct scrip_desfire_profile *desfire;
};

void lint_find(struct lint_sink *sink, enum scrip_lint_level level, const char *format, ...)
{
    char sentence[256];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    sink->failed = sink->failed || level == SCRIP_LINT_ERROR;
    sink->each(sink->ctx, level, sentence);
}

enum right {
    RIGHT_READ = 1,
    RIGHT_WRITE = 2,
    RIGHT_READ_WRITE = 4,
    RIGHT_CHANGE = 8,
};

static unsigned rights_in(const struct scrip_desfire_rights *set, uint8_t who)
{
    return (set->read == who ? RIGHT_READ : 0U) | (set->write == who ? RIGHT_WRITE : 0U) |
           (set->read_write == who ? RIGHT_READ_WRITE : 0U) | (set->change == who ? RIGHT_CHANGE : 0U);
}

/* Every right that a key number (or free) has on a file, over all sets; Change counts in the first set only. */
static unsigned rights_of(const struct scrip_desfire_file *file, uint8_t who)
{
    unsigned rights = rights_in(&file->rights, who);
    for (uint8_t i = 0; i < file->more_count; i++) {
        rights |= rights_in(&file->more[i], who) & ~(unsigned)RIGHT_CHANGE;
    }
    return rights;
}

static const struct scrip_desfire_file *file_of(const struct lint *lint, uint8_t no)
{
    for (uint8_t i = 0; i < lint->desfire->file_count; i++) {
        if (lint->desfire->files[i].no == no) {
            return &lint->desfire->files[i];
        }
    }
    return NULL;
}

static const char *key_name(const struct lint *lint, uint8_t key)
{
    return scrip_profile_role_name(lint->desfire->key_roles[key]);
}

static bool is_gate_key(const struct lint *lint, uint8_t key)
{
    const struct scrip_desfire_purse *purse = &lint->desfire->purse;
    return key == purse->pay_key || key == purse->id_key || lint->desfire->key_roles[key] == SCRIP_PURSE_PAY ||
           lint->desfire->key_roles[key] == SCRIP_PURSE_ID;
}

/* What each key may do to the money. */
static void lint_value(struct lint *lint, const struct scrip_desfire_file *file)
{
    for (uint8_t key = 0; key < lint->desfire->key_count; key++) {
        const unsigned rights = rights_of(file, key);
        if ((rights & RIGHT_READ_WRITE) != 0) {
            lint_find(&lint->sink, is_gate_key(lint, key) ? SCRIP_LINT_ERROR : SCRIP_LINT_INFO,
                      "key %u (%s) may credit: it has ReadWrite on the value file %u%s", key, key_name(lint, key),
                      file->no, is_gate_key(lint, key) ? ", and it is a gate's key" : "");
        } else if ((rights & (RIGHT_READ | RIGHT_WRITE)) != 0) {
            lint_find(&lint->sink, SCRIP_LINT_INFO, "key %u (%s) may debit only, never credit", key,
                      key_name(lint, key));
        }
        if ((rights & RIGHT_WRITE) != 0 && (file->value_flags & 1U) != 0) {
            lint_find(&lint->sink, is_gate_key(lint, key) ? SCRIP_LINT_ERROR : SCRIP_LINT_WARNING,
                      "key %u (%s) may credit what it debited before: LimitedCredit is on", key, key_name(lint, key));
        }
        if ((rights & RIGHT_CHANGE) != 0 && is_gate_key(lint, key)) {
            lint_find(&lint->sink, SCRIP_LINT_ERROR,
                      "key %u (%s) may change the rights of the value file, so it may credit", key,
                      key_name(lint, key));
        }
    }
    if (file->comm != SCRIP_DESFIRE_FULL) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING, "value file %u is %s: amounts travel readable%s", file->no,
                  file->comm == SCRIP_DESFIRE_MAC ? "MACed only" : "plain",
                  file->comm == SCRIP_DESFIRE_PLAIN ? " and alterable" : "");
    }
    if ((file->value_flags & 2U) != 0) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING, "anybody with a reader may ask for the balance (free GetValue)");
    }
    lint_find(&lint->sink, SCRIP_LINT_INFO, "the value stays between %d and %d minor units", (int)file->lower,
              (int)file->upper);
    if (file->lower < 0) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING, "the value may go below zero: the card can be in debt");
    }
}

static void lint_free(struct lint *lint, const struct scrip_desfire_file *file)
{
    const unsigned rights = rights_of(file, SCRIP_DESFIRE_RIGHT_FREE);
    const bool money = file->no == lint->desfire->purse.value_file || file->no == lint->desfire->purse.topup_file;
    if ((rights & (RIGHT_WRITE | RIGHT_READ_WRITE | RIGHT_CHANGE)) != 0) {
        lint_find(&lint->sink, money ? SCRIP_LINT_ERROR : SCRIP_LINT_WARNING,
                  "anybody may write file %u or change its rights", file->no);
    } else if ((rights & RIGHT_READ) != 0) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING, "anybody may read file %u", file->no);
    }
}

static void lint_topup_log(struct lint *lint, const struct scrip_desfire_file *file)
{
    for (uint8_t key = 0; key < lint->desfire->key_count; key++) {
        if (is_gate_key(lint, key) && (rights_of(file, key) & (RIGHT_WRITE | RIGHT_READ_WRITE | RIGHT_CHANGE)) != 0) {
            lint_find(&lint->sink, SCRIP_LINT_ERROR,
                      "key %u (%s) is a gate's key and may write the top-up log, which proves top-ups", key,
                      key_name(lint, key));
        }
    }
}

static void lint_keys(struct lint *lint)
{
    const struct scrip_desfire_purse *purse = &lint->desfire->purse;
    for (uint8_t key = 0; key < lint->desfire->key_count; key++) {
        const uint8_t role = lint->desfire->key_roles[key];
        if (lint->desfire->key_diversified[key]) {
            continue;
        }
        if (role == SCRIP_PURSE_AMK || role == SCRIP_PURSE_ID) {
            lint_find(&lint->sink, SCRIP_LINT_INFO, "key %u (%s) is the same on every card%s", key, key_name(lint, key),
                      role == SCRIP_PURSE_AMK ? ": it is used to personalise only" : ": it says only which card it is");
        } else {
            lint_find(&lint->sink, SCRIP_LINT_WARNING,
                      "key %u (%s) is not diversified: one opened card opens all of them", key, key_name(lint, key));
        }
    }
    if (purse->pay_key == purse->topup_key) {
        lint_find(&lint->sink, SCRIP_LINT_ERROR, "gates and the server use the same key %u", purse->pay_key);
    }
}

static void lint_application(struct lint *lint)
{
    const uint8_t ks1 = lint->desfire->application.ks1;
    struct scrip_desfire_profile known;
    if (scrip_desfire_profile_make(lint->profile->name, &known) != SCRIP_OK) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING,
                  "no terminal or server knows a purse of this name: they must be told about it");
    }
    if ((ks1 & 0x02U) != 0) {
        lint_find(&lint->sink, SCRIP_LINT_INFO,
                  "anybody may see which files there are and their settings (key settings bit 1)");
    }
    if ((ks1 & 0x04U) != 0) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING, "anybody may create and delete files (key settings bit 2)");
    }
    if ((ks1 >> 4) == 0xE) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING,
                  "every key may change itself (key settings E): a stolen gate can lock cards");
    }
    if (lint->desfire->purse.tmac_file == SCRIP_PURSE_NONE) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING,
                  "there is no Transaction MAC: a debit is proved by the terminal's word only");
    } else {
        lint_find(&lint->sink, SCRIP_LINT_INFO,
                  "every transaction is proved to the issuer by a Transaction MAC (file %u)",
                  lint->desfire->purse.tmac_file);
    }
    if (lint->desfire->purse.sm == SCRIP_DESFIRE_SM_EV1) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING,
                  "EV1 messaging: a phone may send a commit early; the top-up log's mark shows it");
    }
    if (lint->desfire->purse.smallest_debit) {
        lint_find(&lint->sink, SCRIP_LINT_WARNING,
                  "smallest debit: no record on the card, so an unanswered commit is settled by the server only");
    }
}

static void lint_desfire(struct lint *lint)
{
    const struct scrip_desfire_file *value = file_of(lint, lint->desfire->purse.value_file);
    const struct scrip_desfire_file *topups = file_of(lint, lint->desfire->purse.topup_file);
    if (value != NULL) {
        lint_value(lint, value);
    }
    if (topups != NULL) {
        lint_topup_log(lint, topups);
    }
    for (uint8_t i = 0; i < lint->desfire->file_count; i++) {
        lint_free(lint, &lint->desfire->files[i]);
    }
    lint_keys(lint);
    lint_application(lint);
}

enum scrip_status scrip_profile_lint(const struct scrip_profile *profile,
                                     void (*each)(void *ctx, enum scrip_lint_level level, const char *sentence),
                                     void *ctx)
{
    struct lint lint = {.sink = {.each = each, .ctx = ctx}, .profile = profile, .desfire = &profile->desfire};
    if (profile->family == SCRIP_VCARD_DESFIRE) {
        lint_desfire(&lint);
    } else {
        lint_storage(&lint.sink, profile);
    }
    return lint.sink.failed ? SCRIP_E_LIMIT : SCRIP_OK;
}
