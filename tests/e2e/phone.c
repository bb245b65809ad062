/* Phones: the relay's core, driven by hand, with everything that can happen to a phone and behind its back. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define STEPS_MAX 400 /* a phone that does more than this goes round in circles */

struct phone *world_phone(struct world *world, const char *order)
{
    struct phone *phone = NULL;
    for (size_t i = 0; i < WORLD_PHONES && phone == NULL; i++) {
        phone = world->phones[i].used ? NULL : &world->phones[i];
    }
    if (phone == NULL) {
        return NULL;
    }
    phone->used = true;
    phone->gone = false;
    phone->powered = false;
    phone->fetches = false;
    phone->saved_len = 0;
    (void)snprintf(phone->order, sizeof phone->order, "%s", order);
    if (scrip_server_phone_token(world->server[world->instance], order, phone->token) != SCRIP_OK) {
        world_fail(world, "no phone token for order %s", order);
    }
    return phone;
}

static struct scrip_relay_config config_of(const struct world *world, const struct phone *phone, char uri[128])
{
    (void)snprintf(uri, 128, "/ota/o/%s", phone->order);
    return (struct scrip_relay_config){
        .order_uri = uri,
        .preamble = scrip_bytes(world->scene->preamble, phone->fetches ? 0 : world->scene->preamble_len),
        .give_up_ms = 3000,
        .backoff_ms = 500,
        .seed = 1};
}

static void phone_start(struct world *world, struct phone *phone)
{
    char uri[128];
    const struct scrip_relay_config config = config_of(world, phone, uri);
    if (scrip_relay_start(&phone->relay, &config, world->now_ms) != SCRIP_OK) {
        world_fail(world, "the phone does not start");
    }
}

bool world_phone_revive(struct world *world, struct phone *phone)
{
    char uri[128];
    const struct scrip_relay_config config = config_of(world, phone, uri);
    if (!phone->used || phone->gone || phone->saved_len == 0) {
        return false;
    }
    return scrip_relay_restore(&phone->relay, &config, scrip_bytes(phone->saved, phone->saved_len), world->now_ms) ==
           SCRIP_OK;
}

static void phone_save(struct world *world, struct phone *phone, struct scrip_bytes state)
{
    if (state.len > sizeof phone->saved) {
        world_fail(world, "a phone's state of %zu bytes", state.len);
        return;
    }
    if (state.len > 0) {
        memcpy(phone->saved, state.at, state.len);
    }
    phone->saved_len = state.len;
}

/* CommitTransaction in plain, as anybody could send it: in EV1 messaging the card takes it. */
static void commit_early(struct world *world)
{
    static const uint8_t commit[] = {0x90, 0xC7, 0x00, 0x00, 0x00};
    uint8_t room[64];
    struct scrip_buf rapdu = SCRIP_BUF_OF(room);
    world->cheated = world->cheated || world->scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV1;
    if (world->card_on) {
        (void)scrip_link_transmit(&world->link, SCRIP_BYTES_OF(commit), &rapdu);
    }
}

/* An image that was saved when the case began. */
static void restore_card(struct world *world)
{
    struct scrip_ledger_card card;
    world_card_off(world);
    if (world->scene->layout.purse.tmac_file == SCRIP_PURSE_NONE) {
        return; /* without a Transaction MAC counter only a missing top-up gives it away */
    }
    world->tampered = true;
    if (scrip_ledger_card_get(world->ledger, world->scene->uid, &card) == SCRIP_OK && card.tmc > world->scene->tmc) {
        world->restored = true;
    }
    memcpy(world->card_memory.bytes, world->scene->card, world->scene->card_size);
}

/* The first phone is lost at a moment that the procedure has chosen. */
static bool is_lost(struct world *world, const struct scrip_relay_ask *ask)
{
    const bool writes = ask->want == SCRIP_RELAY_WANT_COMMAND && ask->bytes.len > 1 &&
                        (ask->bytes.at[1] == 0x8B || ask->bytes.at[1] == 0x3B);
    if ((world->lose == LOSE_BATCH && writes) ||
        (world->lose == LOSE_REPORT && ask->want == SCRIP_RELAY_WANT_POST && world->committing)) {
        world->lose = LOSE_NOTHING;
        return true;
    }
    return false;
}

static void another_phone(struct world *world, const char *order, bool powered)
{
    struct phone *other = world_phone(world, order);
    if (other == NULL) {
        return;
    }
    other->powered = powered;
    world->field_kept = powered && world->card_on;
    world_phone_run(world, other);
    other->gone = true;
}

/* What happens behind the phone's back. @return false: this phone stops here */
static bool happens(struct world *world, struct phone *phone)
{
    const enum fault fault = plan_pass(world->plan, POINT_STEP);
    if (fault != FAULT_none) {
        world_note(world, "%s", fault_text(fault));
    }
    switch (fault) {
    case FAULT_phone_stopped:
        return false;
    case FAULT_phone_lost:
        phone->gone = true;
        return false;
    case FAULT_second_phone:
        another_phone(world, phone->order, false);
        return true;
    case FAULT_second_phone_powered:
        another_phone(world, phone->order, true);
        return true;
    case FAULT_second_order:
        world->second = true;
        world_order(world, "second", SCRIP_KIND_TOPUP, SECOND_AMOUNT);
        another_phone(world, "second", false);
        return true;
    case FAULT_cancel:
        world_cancel(world, phone->order);
        return true;
    case FAULT_claim:
        world_claim(world, phone->order);
        return true;
    case FAULT_time_passes:
        world->now_ms += 40ULL * 24 * 3600 * 1000;
        world_expire(world);
        return true;
    case FAULT_card_restored:
        restore_card(world);
        return true;
    case FAULT_commit_flushes:
        world->flushes = 10;
        world->cheated = world->cheated || world->scene->layout.purse.sm == SCRIP_DESFIRE_SM_EV1;
        return true;
    case FAULT_commit_early:
        commit_early(world);
        return true;
    case FAULT_gate:
        (void)world_terminal_tap(world, GATE_AMOUNT);
        return true;
    case FAULT_gate_powered:
        world->field_kept = world->card_on;
        (void)world_terminal_tap(world, GATE_AMOUNT);
        return true;
    default:
        return true;
    }
}

static void tap(struct world *world, struct scrip_relay *relay)
{
    struct scrip_card_info info;
    if (scrip_link_connect(&world->link, 0, &info) == SCRIP_OK) {
        scrip_relay_card_came(relay, world->now_ms, &info);
    } else {
        scrip_relay_card_gone(relay, world->now_ms, "no card");
    }
}

static void meddle(struct world *world, enum passing passing, struct scrip_buf *bytes)
{
    if (world->meddle != NULL) {
        world->meddle(world, passing, bytes);
    }
}

static void command(struct world *world, struct scrip_relay *relay, struct scrip_bytes apdu)
{
    uint8_t sent[WORLD_APDU_MAX];
    uint8_t room[SCRIP_DESFIRE_RAPDU_MAX];
    struct scrip_buf rapdu = SCRIP_BUF_OF(room);
    struct scrip_buf capdu = SCRIP_BUF_OF(sent);
    if (scrip_buf_add_bytes(&capdu, apdu) != SCRIP_OK) {
        world_fail(world, "a command of %zu bytes", apdu.len);
    }
    meddle(world, PASSING_COMMAND, &capdu);
    switch (scrip_link_transmit(&world->link, scrip_buf_bytes(&capdu), &rapdu)) {
    case SCRIP_OK:
        meddle(world, PASSING_ANSWER, &rapdu);
        scrip_relay_card_answered(relay, world->now_ms, scrip_buf_bytes(&rapdu));
        break;
    case SCRIP_E_TORN:
        scrip_relay_card_silent(relay, world->now_ms, "no answer");
        break;
    default:
        scrip_relay_card_gone(relay, world->now_ms, "card gone");
        break;
    }
}

/* One wish of the phone. @return false: it has none any more */
static bool phone_step(struct world *world, struct phone *phone)
{
    struct scrip_relay *relay = &phone->relay;
    struct scrip_relay_ask ask;
    struct scrip_relay_http http;
    scrip_relay_next(relay, world->now_ms, &ask);
    if (ask.want != SCRIP_RELAY_WANT_DONE && ask.want != SCRIP_RELAY_WANT_SLEEP && !happens(world, phone)) {
        return false;
    }
    if (world->flushes > 0 && ask.want == SCRIP_RELAY_WANT_COMMAND && ask.bytes.len > 1 && ask.bytes.at[1] == 0xA7) {
        world->flushes--;
        commit_early(world);
    }
    if (is_lost(world, &ask)) {
        phone->gone = true;
        return false;
    }
    world->now_ms += 5;
    switch (ask.want) {
    case SCRIP_RELAY_WANT_DONE:
        return false;
    case SCRIP_RELAY_WANT_SAVE:
        phone_save(world, phone, ask.bytes);
        scrip_relay_saved(relay, world->now_ms);
        return true;
    case SCRIP_RELAY_WANT_POST:
        world_post(world, phone, &ask, &http);
        scrip_relay_responded(relay, world->now_ms, &http);
        return !phone->gone;
    case SCRIP_RELAY_WANT_SLEEP:
        world->now_ms += ask.ms;
        scrip_relay_slept(relay, world->now_ms);
        return true;
    case SCRIP_RELAY_WANT_CARD:
    case SCRIP_RELAY_WANT_RESET:
        tap(world, relay);
        return true;
    case SCRIP_RELAY_WANT_COMMAND:
        command(world, relay, ask.bytes);
        return true;
    case SCRIP_RELAY_WANT_SHOW:
        scrip_relay_shown(relay, world->now_ms);
        return true;
    }
    return false;
}

void world_phone_run(struct world *world, struct phone *phone)
{
    if (scrip_relay_outcome(&phone->relay) != SCRIP_RELAY_RUNNING || phone->saved_len == 0) {
        phone_start(world, phone);
    }
    int steps = 0;
    world->phones_run++;
    world_note(world, "phone of %s begins", phone->order);
    world->depth++;
    const unsigned before = world->speaker;
    world->speaker = ++world->speakers;
    while (!world->broken && phone_step(world, phone)) {
        if (++steps > STEPS_MAX) {
            world_fail(world, "the phone goes round in circles");
        }
    }
    world->speaker = before;
    world->depth--;
    world_note(world, "phone of %s: %s, %s", phone->order, scrip_relay_outcome_name(scrip_relay_outcome(&phone->relay)),
               scrip_relay_why(&phone->relay));
    scrip_link_disconnect(&world->link);
    const enum scrip_relay_outcome outcome = scrip_relay_outcome(&phone->relay);
    if (outcome == SCRIP_RELAY_FINISHED || outcome == SCRIP_RELAY_REFUSED || outcome == SCRIP_RELAY_INCOMPLETE) {
        phone->gone = true; /* it owes nothing */
    }
    world_release_requests(world, false);
}
