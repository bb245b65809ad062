/* A terminal's journal comes in: lines of SCRIP_JOURNAL_LINE bytes, in any order, any number of times. Each line stands
 * for itself: a refused one leaves the others alone. */
#include "api.h"

#include <scrip/defect.h>
#include <scrip/journal.h>
#include <scrip/purse_desfire.h>
#include <stdio.h>
#include <string.h>

struct line_result {
    const char *result; /* for the terminal; static */
    const char *why;    /* of a refusal; static */
    bool taken;         /* the terminal need not send the line again */
};

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

static enum scrip_status fill_debit(struct context *context, const struct scrip_journal_line *line,
                                    struct scrip_ledger_debit *debit)
{
    struct scrip_ledger_card card;
    struct scrip_desfire_profile profile;
    memset(debit, 0, sizeof *debit);
    SCRIP_TRY(scrip_ledger_card_get(context->ledger, line->uid, &card));
    SCRIP_TRY(scrip_desfire_profile_make(card.profile, &profile));
    memcpy(debit->uid, line->uid, sizeof debit->uid);
    memcpy(debit->terminal, line->terminal, sizeof debit->terminal);
    SCRIP_TRY(take_record(&profile.purse, line, debit->record));
    if (profile.purse.reader_id) {
        memcpy(debit->tmri, line->tmri, sizeof debit->tmri);
    }
    (void)scrip_purse_timestamp_get(line->timestamp, &debit->at_ms);
    debit->sequence = line->sequence;
    debit->amount = (uint32_t)line->amount;
    debit->answered = counts_as_answered(line, &card);
    debit->has_tmc = card.tmac && (debit->answered ? line->has_tmv : line->has_tmc_before);
    debit->tmc = debit->answered ? line->tmc : line->tmc_before;
    debit->has_balance = line->has_balance;
    debit->balance = line->balance;
    if (card.tmac && line->state == SCRIP_JOURNAL_CONFIRMED && line->has_tmv) {
        memcpy(debit->tmv, line->tmv, sizeof debit->tmv);
        SCRIP_TRY(verify_tmv(context, &profile.purse, line, debit));
    }
    return SCRIP_OK;
}

static struct line_result refuse(enum scrip_status status)
{
    struct line_result result = {"refused", scrip_strerror(status), false};
    if (status == SCRIP_E_MAC) {
        result.why = "the Transaction MAC does not verify: altered, or made with another key";
    } else if (status == SCRIP_E_NOT_FOUND) {
        result.why = "no such card or terminal here";
    } else if (status == SCRIP_E_FORMAT) {
        result.why = "the log entry of the line is not the one that this debit writes on a card of this profile";
    }
    return result;
}

static enum scrip_status take_line(struct context *context, const struct scrip_journal_line *line,
                                   struct line_result *result)
{
    struct scrip_ledger_debit debit;
    enum scrip_ledger_taken taken;
    if (line->kind != SCRIP_JOURNAL_DEBIT || line->amount < 1) {
        *result = (struct line_result){"refused", "a credit is booked by its order, not by a journal", false};
        return SCRIP_OK;
    }
    if (line->state == SCRIP_JOURNAL_VOID) {
        *result = (struct line_result){"void", NULL, true}; /* nothing to book; a waiting intent waits for the card */
        return SCRIP_OK;
    }
    enum scrip_status status = fill_debit(context, line, &debit);
    if (status == SCRIP_OK) {
        status = scrip_ledger_debit_add(context->ledger, &debit, &taken, NULL);
    }
    if (status == SCRIP_E_STORE || status == SCRIP_E_MEMORY) {
        return status;
    }
    *result = status == SCRIP_OK ? (struct line_result){taken_names[taken], NULL, true} : refuse(status);
    context->server->counters.debits_booked += status == SCRIP_OK && taken == SCRIP_DEBIT_BOOKED;
    context->server->counters.debits_refused += status != SCRIP_OK;
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
        struct line_result result = {"refused", NULL, false};
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
