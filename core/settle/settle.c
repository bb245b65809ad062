#include <scrip/defect.h>
#include <scrip/settle.h>

/* What a cell does to the card beside what it does to the order. */
enum mark { MARK_NOTHING, MARK_HOLD, MARK_DENY };

static const struct scrip_settle_step table[SCRIP_STATE_COUNT][SCRIP_EVENT_COUNT] = {
#define PAIR(state, event, answer_, next_, booking_, mark)                                                             \
    [SCRIP_STATE_##state][SCRIP_EVENT_##event] = {.answer = SCRIP_ANSWER_##answer_,                                    \
                                                  .next = SCRIP_STATE_##next_,                                         \
                                                  .booking = SCRIP_BOOKING_##booking_,                                 \
                                                  .hold = MARK_##mark == MARK_HOLD,                                    \
                                                  .deny = MARK_##mark == MARK_DENY},
#include "table.def"
#undef PAIR
};

#define POSITIONS 6U /* FUNDING, IN_FLIGHT, CARD, DISPUTE, RECEIVABLE, BREAKAGE: the columns of SCRIP_SETTLE_STATES */

static const struct {
    const char *name;
    const char *text;
    int8_t position[POSITIONS];
} states[SCRIP_STATE_COUNT] = {
#define STATE(name_, text_, a, b, c, d, e, f) [SCRIP_STATE_##name_] = {#name_, text_, {a, b, c, d, e, f}},
    SCRIP_SETTLE_STATES(STATE)
#undef STATE
};

static const struct {
    const char *name;
    const char *text;
} events[SCRIP_EVENT_COUNT] = {
#define EVENT(name_, text_) [SCRIP_EVENT_##name_] = {#name_, text_},
    SCRIP_SETTLE_EVENTS(EVENT)
#undef EVENT
};

static const struct {
    const char *name;
    uint8_t from;
    uint8_t to;
} bookings[SCRIP_BOOKING_COUNT] = {
#define BOOKING(name_, from_, to_) [SCRIP_BOOKING_##name_] = {#name_, SCRIP_ACCOUNT_##from_, SCRIP_ACCOUNT_##to_},
    SCRIP_SETTLE_BOOKINGS(BOOKING)
#undef BOOKING
};

static const char *const accounts[SCRIP_ACCOUNT_COUNT] = {"FUNDING",  "IN_FLIGHT", "CARD",       "MERCHANT", "FEE",
                                                          "BREAKAGE", "SUSPENSE",  "RECEIVABLE", "DISPUTE"};

static const char *const kinds[SCRIP_KIND_COUNT] = {"topup", "read", "write", "rekey"};

/* Both kinds share what people and the clock do before anything has happened; the rest belongs to one of them. */
static bool belongs(enum scrip_settle_kind kind, enum scrip_settle_event event)
{
    if (event == SCRIP_EVENT_CANCEL || event == SCRIP_EVENT_EXPIRE) {
        return true;
    }
    const bool work = event == SCRIP_EVENT_START || event == SCRIP_EVENT_FINISH;
    return work == (kind != SCRIP_KIND_TOPUP);
}

static struct scrip_settle_step go(enum scrip_settle_state next, enum scrip_booking booking)
{
    return (struct scrip_settle_step){.answer = SCRIP_ANSWER_GO, .next = (uint8_t)next, .booking = (uint8_t)booking};
}

struct scrip_settle_step scrip_settle_next(enum scrip_settle_kind kind, enum scrip_settle_state state,
                                           enum scrip_settle_event event)
{
    const struct scrip_settle_step refused = {.answer = SCRIP_ANSWER_REFUSE, .next = (uint8_t)state};
    if ((unsigned)kind >= SCRIP_KIND_COUNT || (unsigned)state >= SCRIP_STATE_COUNT ||
        (unsigned)event >= SCRIP_EVENT_COUNT || !belongs(kind, event)) {
        return refused;
    }
    if (state == SCRIP_STATE_ISSUED && ((SCRIP_DEFECT(refund_by_clock) && event == SCRIP_EVENT_EXPIRE) ||
                                        (SCRIP_DEFECT(cancel_without_cas) && event == SCRIP_EVENT_CANCEL))) {
        return go(event == SCRIP_EVENT_EXPIRE ? SCRIP_STATE_EXPIRED : SCRIP_STATE_CANCELLED, SCRIP_BOOKING_REFUND);
    }
    if (SCRIP_DEFECT(double_confirm_booking) && state == SCRIP_STATE_CONFIRMED && event == SCRIP_EVENT_PROOF_COMMIT) {
        return go(SCRIP_STATE_CONFIRMED, SCRIP_BOOKING_CONFIRM);
    }
    return table[state][event];
}

bool scrip_settle_is_final(enum scrip_settle_state state)
{
    switch (state) {
    case SCRIP_STATE_CONFIRMED:
    case SCRIP_STATE_CANCELLED:
    case SCRIP_STATE_EXPIRED:
    case SCRIP_STATE_REFUNDED:
    case SCRIP_STATE_WRITTEN_OFF:
    case SCRIP_STATE_DONE:
        return true;
    default:
        return false;
    }
}

int scrip_settle_position(enum scrip_settle_state state, enum scrip_account account)
{
    static const int8_t column[SCRIP_ACCOUNT_COUNT] = {
        [SCRIP_ACCOUNT_FUNDING] = 0,   [SCRIP_ACCOUNT_IN_FLIGHT] = 1,  [SCRIP_ACCOUNT_CARD] = 2,
        [SCRIP_ACCOUNT_DISPUTE] = 3,   [SCRIP_ACCOUNT_RECEIVABLE] = 4, [SCRIP_ACCOUNT_BREAKAGE] = 5,
        [SCRIP_ACCOUNT_MERCHANT] = -1, [SCRIP_ACCOUNT_FEE] = -1,       [SCRIP_ACCOUNT_SUSPENSE] = -1,
    };
    if ((unsigned)state >= SCRIP_STATE_COUNT || (unsigned)account >= SCRIP_ACCOUNT_COUNT || column[account] < 0) {
        return 0;
    }
    return states[state].position[column[account]];
}

enum scrip_account scrip_booking_from(enum scrip_booking booking)
{
    return (enum scrip_account)((unsigned)booking < SCRIP_BOOKING_COUNT ? bookings[booking].from : 0);
}

enum scrip_account scrip_booking_to(enum scrip_booking booking)
{
    return (enum scrip_account)((unsigned)booking < SCRIP_BOOKING_COUNT ? bookings[booking].to : 0);
}

const char *scrip_settle_kind_name(enum scrip_settle_kind kind)
{
    return (unsigned)kind < SCRIP_KIND_COUNT ? kinds[kind] : "?";
}

const char *scrip_settle_state_name(enum scrip_settle_state state)
{
    return (unsigned)state < SCRIP_STATE_COUNT ? states[state].name : "?";
}

const char *scrip_settle_state_text(enum scrip_settle_state state)
{
    return (unsigned)state < SCRIP_STATE_COUNT ? states[state].text : "?";
}

const char *scrip_settle_event_name(enum scrip_settle_event event)
{
    return (unsigned)event < SCRIP_EVENT_COUNT ? events[event].name : "?";
}

const char *scrip_settle_event_text(enum scrip_settle_event event)
{
    return (unsigned)event < SCRIP_EVENT_COUNT ? events[event].text : "?";
}

const char *scrip_account_name(enum scrip_account account)
{
    return (unsigned)account < SCRIP_ACCOUNT_COUNT ? accounts[account] : "?";
}

const char *scrip_booking_name(enum scrip_booking booking)
{
    return (unsigned)booking < SCRIP_BOOKING_COUNT ? bookings[booking].name : "?";
}
