/* A terminal's journal comes in: lines of SCRIP_JOURNAL_LINE bytes, in any order, any number of times. Each line stands
 * for itself: a refused one leaves the others alone.
 *
 * A line that would be taken if only its card were registered, or registered with the purse that it names, is no fault
 * of the terminal, and terminals stop when their journal is full. So it is set aside: kept whole, acknowledged, and
 * taken as soon as its card is registered. */
#include "api.h"

#include <scrip/defect.h>
#include <scrip/journal.h>
#include <scrip/purse_desfire.h>
#include <scrip/purse_storage.h>
#include <stdio.h>
#include <string.h>

struct line_result {
    const char *result; /* for the terminal; static */
    const char *why;    /* of a refusal; static */
    bool taken;         /* the terminal need not send the line again */
    bool aside;         /* it cannot be taken yet */
};

static const char why_unknown[] = "no card with this UID is registered: the line is kept until it is";
static const char why_other[] = "the card is registered with another purse: the line is kept";

static const char *const taken_names[] = {
    [SCRIP_DEBIT_BOOKED] = "booked", [SCRIP_DEBIT_KNOWN] = "known",   [SCRIP_DEBIT_WAITING] = "waiting",
    [SCRIP_DEBIT_VOID] = "void",     [SCRIP_DEBIT_FORKED] = "forked",
};

/* ---- the TMV of a line ---- */

static enum scrip_status tmac_key(struct context *context, const uint8_t uid[7],
                                  const struct scrip_desfire_purse *purse, unsigned version, uint8_t key[16])
{
    uint8_t m[SCRIP_PURSE_DIVERSIFY_MAX];
    const struct scrip_bytes input = scrip_purse_diversify_input(SCRIP_PURSE_TMAC, uid, purse->aid, m);
    return scrip_keys_diversify(context->keys, SCRIP_KEY_TMAC, version, input, key);
}

static struct scrip_purse_debit debit_of(const struct scrip_journal_line *line)
{
    struct scrip_purse_debit made = {.amount = line->amount};
    memcpy(made.reader, line->terminal, sizeof made.reader);
    memcpy(made.timestamp, line->timestamp, sizeof made.timestamp);
    memcpy(made.tmri, line->tmri, sizeof made.tmri);
    return made;
}

static enum scrip_status check_with(const uint8_t key[16], const struct scrip_desfire_purse *purse,
                                    const struct scrip_journal_line *line, struct scrip_ledger_debit *debit)
{
    uint8_t bytes[SCRIP_PURSE_TMI_MAX];
    struct scrip_buf tmi = SCRIP_BUF_OF(bytes);
    const struct scrip_purse_debit made = debit_of(line);
    SCRIP_TRY(scrip_purse_debit_tmi(purse, &made, line->balance, line->enc_tmri, &tmi));
    SCRIP_TRY(scrip_purse_tmv_check(key, line->uid, line->tmc, scrip_buf_bytes(&tmi), line->tmv));
    debit->tmv_ok = true;
    if (line->has_reader && purse->reader_id) {
        scrip_purse_previous_reader(key, line->uid, line->tmc, line->enc_tmri, debit->prev_tmri);
        debit->has_prev = true;
    }
    return SCRIP_OK;
}

static enum scrip_status verify_tmv(struct context *context, const struct scrip_desfire_purse *purse,
                                    const struct scrip_journal_line *line, struct scrip_ledger_debit *debit)
{
    struct scrip_key_info info;
    for (size_t i = 0; !debit->tmv_ok && scrip_keys_info(context->keys, i, &info) == SCRIP_OK; i++) {
        uint8_t key[16];
        if (info.role == SCRIP_KEY_TMAC) {
            SCRIP_TRY(tmac_key(context, line->uid, purse, info.version, key));
            (void)check_with(key, purse, line, debit);
            scrip_wipe(key, sizeof key);
        }
    }
    return SCRIP_OK;
}

/* ---- a line ---- */

/* The entry that this debit leaves in the card's log follows from amount, time and terminal. The log proves debits by
 * their entries, so a line with another one, or with none, would have its money counted under somebody else's. */
static enum scrip_status take_record(const struct scrip_desfire_purse *purse, const struct scrip_journal_line *line,
                                     uint8_t record[SCRIP_PURSE_RECORD])
{
    uint8_t wanted[SCRIP_PURSE_RECORD];
    const struct scrip_purse_debit made = debit_of(line);
    const bool logs = purse->log_file != SCRIP_PURSE_NONE && !purse->smallest_debit;
    scrip_purse_debit_record(&made, wanted);
    if (line->has_record != logs || (logs && memcmp(line->record, wanted, sizeof wanted) != 0)) {
        return SCRIP_E_FORMAT;
    }
    if (logs) {
        memcpy(record, wanted, sizeof wanted);
    }
    return SCRIP_OK;
}

/* What the terminal found out later without a TMV is, on a card that has one, still the terminal's word: an intent. */
static bool counts_as_answered(const struct scrip_journal_line *line, const struct scrip_ledger_card *card)
{
    return line->state == SCRIP_JOURNAL_CONFIRMED || (line->state == SCRIP_JOURNAL_FOUND && !card->tmac);
}

static void fill_common(const struct scrip_journal_line *line, struct scrip_ledger_debit *debit)
{
    memset(debit, 0, sizeof *debit);
    memcpy(debit->uid, line->uid, sizeof debit->uid);
    memcpy(debit->terminal, line->terminal, sizeof debit->terminal);
    (void)scrip_purse_timestamp_get(line->timestamp, &debit->at_ms);
    debit->sequence = line->sequence;
    debit->amount = (uint32_t)line->amount;
    debit->has_balance = line->has_balance;
    debit->balance = line->balance;
}

static enum scrip_status fill_debit(struct context *context, const struct scrip_journal_line *line,
                                    const struct scrip_ledger_card *registered, struct scrip_ledger_debit *debit)
{
    const struct scrip_ledger_card card = *registered;
    struct scrip_desfire_profile profile;
    SCRIP_TRY(scrip_desfire_profile_make(card.profile, &profile));
    fill_common(line, debit);
    SCRIP_TRY(take_record(&profile.purse, line, debit->record));
    if (profile.purse.reader_id) {
        memcpy(debit->tmri, line->tmri, sizeof debit->tmri);
    }
    debit->answered = counts_as_answered(line, &card);
    debit->has_tmc = card.tmac && (debit->answered ? line->has_tmv : line->has_tmc_before);
    debit->tmc = debit->answered ? line->tmc : line->tmc_before;
    if (card.tmac && line->state == SCRIP_JOURNAL_CONFIRMED && line->has_tmv) {
        memcpy(debit->tmv, line->tmv, sizeof debit->tmv);
        SCRIP_TRY(verify_tmv(context, &profile.purse, line, debit));
    }
    return SCRIP_OK;
}

/* Such a card has no log and no MAC: the terminal's word is all there is. Its record, which is none of a log, is the
 * name of the line: with the time in it, a journal that begins again at line 1 is not taken for the old one. */
static void fill_storage(const struct scrip_journal_line *line, struct scrip_ledger_debit *debit)
{
    const struct scrip_purse_debit made = debit_of(line);
    fill_common(line, debit);
    scrip_purse_debit_record(&made, debit->record);
    debit->credit = line->kind == SCRIP_JOURNAL_CREDIT;
    debit->reference = line->reference;
    debit->answered = line->state == SCRIP_JOURNAL_CONFIRMED || line->state == SCRIP_JOURNAL_FOUND;
    debit->undone = line->state == SCRIP_JOURNAL_VOID;
}

/* Is the line of the purse that the card is registered with? A line of a storage card says kind, access and sector. */
static bool is_of_purse(const struct scrip_journal_line *line, const struct scrip_ledger_card *card)
{
    struct scrip_storage_purse purse;
    const bool storage = scrip_storage_purse_make(card->profile, &purse) == SCRIP_OK;
    if ((line->profile & SCRIP_STORAGE_PROFILE) == 0) {
        return !storage;
    }
    return storage && line->profile == scrip_storage_profile_id(&purse) && line->record[0] == purse.sector;
}

static struct line_result refuse(enum scrip_status status)
{
    struct line_result result = {.result = "refused", .why = scrip_strerror(status)};
    if (status == SCRIP_E_MAC) {
        result.why = "the Transaction MAC does not verify: altered, or made with another key";
    } else if (status == SCRIP_E_NOT_FOUND) {
        result.why = "no such card or terminal here";
    } else if (status == SCRIP_E_FORMAT) {
        result.why = "the log entry of the line is not the one that this debit writes on a card of this profile";
    } else if (status == SCRIP_E_CONFLICT) {
        result.why = "this terminal has used the sequence for another line: a new journal takes a new terminal id";
    }
    return result;
}

static enum scrip_status set_aside(struct context *context, const struct scrip_journal_line *line, const char *why,
                                   struct line_result *result)
{
    struct scrip_ledger_aside aside = {.sequence = line->sequence};
    memcpy(aside.terminal, line->terminal, sizeof aside.terminal);
    memcpy(aside.uid, line->uid, sizeof aside.uid);
    (void)snprintf(aside.why, sizeof aside.why, "%s", why);
    scrip_journal_line_encode(line, aside.line);
    *result = (struct line_result){.result = "aside", .why = why, .taken = true, .aside = true};
    /* An intent says less than what may be there: it comes out of an older upload. */
    return scrip_ledger_aside_add(context->ledger, &aside, line->state != SCRIP_JOURNAL_INTENT);
}

static void count_line(struct counters *counters, enum scrip_status status, enum scrip_ledger_taken taken, bool credit)
{
    const bool booked = status == SCRIP_OK && taken == SCRIP_DEBIT_BOOKED;
    counters->debits_booked += booked && !credit;
    counters->credits_booked += booked && credit;
    counters->debits_refused += status != SCRIP_OK;
}

static enum scrip_status take_line(struct context *context, const struct scrip_journal_line *line,
                                   struct line_result *result)
{
    struct scrip_ledger_card card;
    struct scrip_ledger_debit debit;
    enum scrip_ledger_taken taken = SCRIP_DEBIT_WAITING;
    const bool storage = (line->profile & SCRIP_STORAGE_PROFILE) != 0;
    if ((line->kind != SCRIP_JOURNAL_DEBIT && !storage) || line->amount < 1) {
        *result = (struct line_result){.result = "refused", .why = "a credit is booked by its order, not by a journal"};
        return SCRIP_OK;
    }
    if (line->state == SCRIP_JOURNAL_VOID && !storage) {
        *result = (struct line_result){.result = "void", .taken = true}; /* a waiting intent waits for the card */
        return SCRIP_OK;
    }
    enum scrip_status status = scrip_ledger_card_get(context->ledger, line->uid, &card);
    if (status == SCRIP_E_NOT_FOUND || (status == SCRIP_OK && !is_of_purse(line, &card))) {
        return set_aside(context, line, status == SCRIP_OK ? why_other : why_unknown, result);
    }
    if (status == SCRIP_OK && storage) {
        fill_storage(line, &debit);
    } else if (status == SCRIP_OK) {
        status = fill_debit(context, line, &card, &debit);
    }
    if (status == SCRIP_OK) {
        status = scrip_ledger_debit_add(context->ledger, &debit, &taken, NULL);
    }
    if (status == SCRIP_E_STORE || status == SCRIP_E_MEMORY) {
        return status;
    }
    *result = status == SCRIP_OK ? (struct line_result){.result = taken_names[taken], .taken = true} : refuse(status);
    count_line(&context->server->counters, status, taken, line->kind == SCRIP_JOURNAL_CREDIT);
    return SCRIP_OK;
}

/* ---- the upload ---- */

/* Terminals delete what is acknowledged, so this is the last line before the first gap or refusal. The upload need not
 * be in order: what counts is that every sequence from the lowest on was taken. A line that cannot be read may be any
 * of them. */
static json_int_t acknowledged(const json_t *lines)
{
    json_int_t lowest = 0;
    json_int_t end = 0;
    bool found = true;
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        const json_int_t sequence = json_integer_value(json_object_get(line, "sequence"));
        if (sequence <= 0) {
            return 0;
        }
        lowest = lowest == 0 || sequence < lowest ? sequence : lowest;
    }
    for (json_int_t next = lowest; found && lowest != 0; next++) {
        found = false;
        json_array_foreach(lines, i, line)
        {
            found |= json_integer_value(json_object_get(line, "sequence")) == next &&
                     json_is_true(json_object_get(line, "taken"));
        }
        end = found ? next : end;
    }
    return end;
}

static enum scrip_status take_upload(struct context *context, const uint8_t terminal[4], json_t *lines)
{
    struct scrip_bytes body = context->request->body;
    struct scrip_bytes bytes;
    while (scrip_bytes_take(&body, SCRIP_JOURNAL_LINE, &bytes) == SCRIP_OK) {
        struct scrip_journal_line line;
        struct line_result result = {.result = "refused"};
        const enum scrip_status decoded = scrip_journal_line_decode(bytes, &line);
        if (decoded != SCRIP_OK) {
            result.why = scrip_strerror(decoded);
            line.sequence = 0;
        } else if (memcmp(line.terminal, terminal, 4) != 0) {
            result.why = "the line is another terminal's";
        } else {
            SCRIP_TRY(take_line(context, &line, &result));
        }
        json_t *item = json_pack("{sI ss sb ss*}", "sequence", (json_int_t)line.sequence, "result", result.result,
                                 "taken", result.taken, "why", result.why);
        if (json_array_append_new(lines, item) != 0) {
            return SCRIP_E_MEMORY;
        }
    }
    return SCRIP_OK;
}

enum scrip_status api_terminal_journal(struct context *context)
{
    char text[9];
    uint8_t id[4];
    struct scrip_ledger_terminal terminal;
    if (param_text(context, 0, text, sizeof text) != SCRIP_OK || !api_hex(text, id, 4)) {
        return SCRIP_E_NOT_FOUND;
    }
    if (context->actor == ACTOR_TERMINAL && memcmp(context->key.terminal, id, 4) != 0) {
        return problem(context, SCRIP_PROBLEM_FORBIDDEN, "this key is another terminal's");
    }
    SCRIP_TRY(scrip_ledger_terminal_get(context->ledger, id, &terminal));
    if (context->request->body.len % SCRIP_JOURNAL_LINE != 0) {
        return problem(context, SCRIP_PROBLEM_MALFORMED, "the body must be whole journal lines of 256 bytes");
    }
    json_t *lines = json_array();
    const enum scrip_status status = take_upload(context, id, lines);
    if (status != SCRIP_OK) {
        json_decref(lines);
        return status;
    }
    context->response->made_durable |= SCRIP_DURABLE_OTHER;
    const json_int_t last = acknowledged(lines);
    return response_json(context->response, 200, json_pack("{sI so}", "acknowledged", last, "lines", lines));
}

/* ---- what was set aside ---- */

struct aside_cursor {
    struct scrip_ledger_aside after; /* look behind this one */
    struct scrip_ledger_aside found;
    bool any;
};

static bool next_aside(void *ctx, const struct scrip_ledger_aside *aside)
{
    struct aside_cursor *cursor = ctx;
    const int terminals = memcmp(aside->terminal, cursor->after.terminal, sizeof aside->terminal);
    if (terminals < 0 || (terminals == 0 && aside->sequence <= cursor->after.sequence)) {
        return true;
    }
    cursor->found = *aside;
    cursor->any = true;
    return false;
}

/* A line that is refused now stays aside: its terminal may have forgotten it. */
static enum scrip_status retry(struct context *context, const struct scrip_ledger_aside *aside)
{
    struct scrip_journal_line line;
    struct line_result result = {.result = "refused"};
    if (scrip_journal_line_decode(SCRIP_BYTES_OF(aside->line), &line) != SCRIP_OK) {
        return SCRIP_OK;
    }
    SCRIP_TRY(take_line(context, &line, &result));
    return result.taken && !result.aside ? scrip_ledger_aside_remove(context->ledger, aside->terminal, aside->sequence)
                                         : SCRIP_OK;
}

enum scrip_status api_journal_retry(struct context *context, const uint8_t uid[7])
{
    struct aside_cursor cursor = {.any = true};
    while (cursor.any) {
        cursor.any = false;
        SCRIP_TRY(scrip_ledger_asides(context->ledger, uid, next_aside, &cursor));
        if (cursor.any) {
            SCRIP_TRY(retry(context, &cursor.found));
            cursor.after = cursor.found;
        }
    }
    return SCRIP_OK;
}

struct aside_list {
    struct context *context;
    uint8_t terminal[4];
    json_t *items;
};

static bool list_aside(void *ctx, const struct scrip_ledger_aside *aside)
{
    static const char *const states[] = {"intent", "confirmed", "found", "void"};
    struct aside_list *list = ctx;
    struct scrip_journal_line line;
    if (memcmp(list->terminal, aside->terminal, sizeof list->terminal) != 0 ||
        scrip_journal_line_decode(SCRIP_BYTES_OF(aside->line), &line) != SCRIP_OK) {
        return true;
    }
    json_t *item = json_pack("{sI so so ss ss so ss so}", "sequence", (json_int_t)aside->sequence, "card",
                             api_hex_json(aside->uid, 7), "at", api_time(aside->at_ms), "kind",
                             line.kind == SCRIP_JOURNAL_CREDIT ? "credit" : "debit", "state", states[line.state & 3U],
                             "amount", api_amount(list->context, line.amount), "why", aside->why, "line",
                             api_hex_json(aside->line, sizeof aside->line));
    return json_array_append_new(list->items, item) == 0;
}

enum scrip_status api_journal_aside(struct context *context)
{
    char text[9];
    struct aside_list list = {.context = context};
    struct scrip_ledger_terminal terminal;
    if (param_text(context, 0, text, sizeof text) != SCRIP_OK || !api_hex(text, list.terminal, 4)) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(scrip_ledger_terminal_get(context->ledger, list.terminal, &terminal));
    list.items = json_array();
    const enum scrip_status status = scrip_ledger_asides(context->ledger, NULL, list_aside, &list);
    if (status != SCRIP_OK) {
        json_decref(list.items);
        return status;
    }
    return response_json(context->response, 200, json_pack("{so}", "lines", list.items));
}
