/* The card's half of the phone: one script, element by element, into one answer. */
#include "phone.h"
#include <string.h>

/* Room kept for what may follow the next response: C6, E1 with its text, three-byte lengths. */
#define ANSWER_RESERVE  (SCRIP_RELAY_TEXT_MAX + 32U)
#define BAD_SCRIPTS_MAX 3U

static uint32_t response_max(const struct scrip_relay *relay)
{
    return relay->config.response_max != 0 ? relay->config.response_max : SCRIP_RELAY_RAPDU_MAX;
}

/* Begin the body: hello if a card has come since the last one, then the answer. The buffer holds the longest message,
 * and room is checked before each command, so writing cannot fail; if it does, what answers is not a card. */
static void answer_begin(struct scrip_relay *relay)
{
    relay->out = SCRIP_BUF_OF(relay->body);
    if (relay->hello) {
        (void)scrip_relay_put_hello(&relay->out, &relay->card, relay->config.command_max, relay->config.response_max);
        relay->hello = false;
    }
    (void)scrip_relay_answer_open(&relay->answer, &relay->out);
    relay->closing = false;
    relay->lost = false;
}

static void answer_end(struct scrip_relay *relay)
{
    (void)scrip_relay_answer_close(&relay->answer, &relay->out);
    relay_deliver(relay);
}

/* No more commands this time. */
static void answer_end_closed(struct scrip_relay *relay, bool lost, const char *why)
{
    char text[SCRIP_RELAY_TEXT_MAX];
    relay_text_set(text, sizeof text, why != NULL && why[0] != '\0' ? why : "card lost");
    (void)scrip_relay_answer_closed(&relay->answer, &relay->out, text);
    relay_text_set(relay->why, sizeof relay->why, text);
    relay->closing = true;
    relay->lost = lost;
    if (lost) {
        relay_card_leave(relay);
    }
    answer_end(relay);
}

void relay_answer_nothing(struct scrip_relay *relay)
{
    answer_begin(relay);
    answer_end(relay);
}

void relay_card_leave(struct scrip_relay *relay)
{
    if (relay->present) {
        relay->counts.field_ms += relay->last_ms - relay->came_ms;
    }
    relay->present = false;
    relay->hello = false;
    relay->waited = 0;
    relay->waited_ms = 0;
}

/* Go to the next element that needs someone. */
static void run_next(struct scrip_relay *relay)
{
    scrip_relay_script_next(&relay->cursor, &relay->item);
    if (relay->item.kind == SCRIP_RELAY_END) {
        answer_end(relay);
        return;
    }
    relay->stage = STAGE_RUN;
    if (relay->item.kind == SCRIP_RELAY_NOTICE) {
        relay_text_copy(relay->text, sizeof relay->text, relay->item.bytes);
        return;
    }
    if (relay->cancelled) {
        answer_end_closed(relay, false, relay->why);
        return;
    }
    if (relay->out.cap - relay->out.len < response_max(relay) + ANSWER_RESERVE) {
        answer_end_closed(relay, false, "no room for more answers in one message");
        return;
    }
    relay->counts.waits += relay->waited;
    relay->counts.net_ms += relay->waited_ms;
    relay->waited = 0;
    relay->waited_ms = 0;
    relay->asked_ms = relay->now_ms;
    if (relay->item.kind == SCRIP_RELAY_COMMAND) {
        relay->counts.apdus++;
    }
}

static void script_bad(struct scrip_relay *relay, enum scrip_relay_bad bad)
{
    if (++relay->bad_scripts > BAD_SCRIPTS_MAX) {
        relay_done(relay, SCRIP_RELAY_BROKEN, "the server keeps sending malformed scripts");
        return;
    }
    answer_begin(relay);
    (void)scrip_relay_answer_bad(&relay->answer, &relay->out, bad);
    answer_end(relay);
}

void relay_script_begin(struct scrip_relay *relay)
{
    const uint32_t said = relay->config.command_max;
    const struct scrip_relay_limits limits = {.command_max = said != 0 ? said : SCRIP_RELAY_CAPDU_MAX};
    const enum scrip_relay_bad bad =
        scrip_relay_script_open(&relay->cursor, scrip_bytes(relay->script, relay->script_len), &limits);
    if (bad != SCRIP_RELAY_FINE) {
        script_bad(relay, bad);
        return;
    }
    if (relay->cursor.items != 0 && !relay->present && !relay->cancelled) {
        relay->stage = STAGE_CARD;
        return;
    }
    answer_begin(relay);
    run_next(relay);
}

/* ---- What the card did ------------------------------------------------------------------------------------------- */

static bool running(const struct scrip_relay *relay, enum scrip_relay_item_kind kind)
{
    return relay->stage == STAGE_RUN && relay->item.kind == kind;
}

void scrip_relay_card_came(struct scrip_relay *relay, uint64_t now_ms, const struct scrip_card_info *info)
{
    relay->now_ms = now_ms;
    if (relay->stage == STAGE_CARD) {
        relay->card = *info;
        relay->present = true;
        relay->hello = true;
        relay->came_ms = now_ms;
        relay->last_ms = now_ms;
        relay->counts.taps++;
        answer_begin(relay);
        run_next(relay);
    } else if (running(relay, SCRIP_RELAY_RESET)) {
        relay->card = *info;
        relay->last_ms = now_ms;
        relay->counts.card_ms += now_ms - relay->asked_ms;
        (void)scrip_relay_answer_reset(&relay->answer, &relay->out, scrip_bytes(info->ats, info->ats_len));
        run_next(relay);
    }
}

void scrip_relay_card_answered(struct scrip_relay *relay, uint64_t now_ms, struct scrip_bytes rapdu)
{
    if (!running(relay, SCRIP_RELAY_COMMAND)) {
        return;
    }
    if (rapdu.len < SCRIP_RELAY_RAPDU_MIN || rapdu.len > response_max(relay)) {
        scrip_relay_card_silent(relay, now_ms, rapdu.len < SCRIP_RELAY_RAPDU_MIN ? "card lost" : "answer too long");
        return;
    }
    relay->now_ms = now_ms;
    relay->last_ms = now_ms;
    relay->counts.card_ms += now_ms - relay->asked_ms;
    (void)scrip_relay_answer_rapdu(&relay->answer, &relay->out, rapdu);
    if (scrip_relay_sw_good(relay->item.good, scrip_get_be16(rapdu.at + rapdu.len - 2))) {
        run_next(relay);
    } else {
        answer_end(relay);
    }
}

void scrip_relay_card_silent(struct scrip_relay *relay, uint64_t now_ms, const char *why)
{
    if (!running(relay, SCRIP_RELAY_COMMAND)) {
        return;
    }
    relay->now_ms = now_ms;
    (void)scrip_relay_answer_unanswered(&relay->answer, &relay->out, relay->item.number);
    answer_end_closed(relay, true, why);
}

void scrip_relay_card_gone(struct scrip_relay *relay, uint64_t now_ms, const char *why)
{
    relay->now_ms = now_ms;
    if (relay->stage == STAGE_CARD) {
        if (relay->own_script) { /* the server waits for nothing yet */
            relay_done(relay, SCRIP_RELAY_INCOMPLETE, why != NULL ? why : "no card came");
            return;
        }
        answer_begin(relay);
        answer_end_closed(relay, true, why != NULL ? why : "no card came");
        relay->taps_left = 0; /* nobody is tapping */
    } else if (running(relay, SCRIP_RELAY_RESET)) {
        (void)scrip_relay_answer_unanswered(&relay->answer, &relay->out, relay->item.number);
        answer_end_closed(relay, true, why);
    } else if (running(relay, SCRIP_RELAY_COMMAND)) {
        relay->counts.apdus--;
        answer_end_closed(relay, true, why);
    }
}

void scrip_relay_shown(struct scrip_relay *relay, uint64_t now_ms)
{
    relay->now_ms = now_ms;
    if (running(relay, SCRIP_RELAY_NOTICE)) {
        run_next(relay);
    }
}
