#include <scrip/picc.h>
#include <string.h>

#define SEL_LEVEL_1 0x93U
#define LEVELS      3U
#define NVB_SELECT  0x70U
#define SELECT_LEN  7U /* SEL NVB UID[4] BCC */
#define CL_LEN      5U /* UID CLn and its BCC */
#define HEAD_BITS   16U
#define SAK_CASCADE 0x04U

/* What a frame is to a card in its state. Only a card that is READY looks into frames that are not short. */
enum event {
    EVENT_REQA,
    EVENT_WUPA,
    EVENT_SHORT,   /* any other short frame */
    EVENT_ANTI,    /* ANTICOLLISION that fits */
    EVENT_MISS,    /* ANTICOLLISION that another card is meant by */
    EVENT_CASCADE, /* SELECT that fits, with more of the UID to come */
    EVENT_SELECT,  /* SELECT that fits and completes the UID */
    EVENT_FRAME,   /* whatever else: also damaged, also a SELECT of another card */
    EVENTS
};

enum action { QUIET, SEND_ATQA, SEND_UID, SEND_CASCADE, SEND_SAK, PASS_ON };

/* The state to rest in: IDLE, or HALT once the card was woken out of it. */
#define REST                ((uint8_t)(SCRIP_PICC_HALT + 1))

/* A step of the table: the state that follows, and what is done. */
#define STEP(state, action) ((uint8_t)((state) | (action) << 4))
#define STEP_STATE(step)    ((step)&0x0FU)
#define STEP_ACTION(step)   ((step) >> 4)

#define STAY(state)         STEP(state, QUIET)
#define FALL                STEP(REST, QUIET)
#define WAKE                STEP(SCRIP_PICC_READY, SEND_ATQA)
#define UID                 STEP(SCRIP_PICC_READY, SEND_UID)
#define MORE                STEP(SCRIP_PICC_READY, SEND_CASCADE)
#define DONE                STEP(SCRIP_PICC_ACTIVE, SEND_SAK)
#define PASS                STEP(SCRIP_PICC_ACTIVE, PASS_ON)
#define OFF                 STAY(SCRIP_PICC_OFF)
#define IDLE                STAY(SCRIP_PICC_IDLE)
#define READY               STAY(SCRIP_PICC_READY)
#define HALT                STAY(SCRIP_PICC_HALT)

/* [ISO/IEC 14443-3, 6.4; the states with a star are the same rows, with another state to rest in] */
static const uint8_t steps[][EVENTS] = {
    /* clang-format off */
    /*                     REQA  WUPA  SHORT ANTI  MISS   CASCADE SELECT FRAME */
    [SCRIP_PICC_OFF]    = {OFF,  OFF,  OFF,  OFF,  OFF,   OFF,    OFF,   OFF},
    [SCRIP_PICC_IDLE]   = {WAKE, WAKE, IDLE, IDLE, IDLE,  IDLE,   IDLE,  IDLE},
    [SCRIP_PICC_READY]  = {FALL, FALL, FALL, UID,  READY, MORE,   DONE,  FALL},
    [SCRIP_PICC_ACTIVE] = {FALL, FALL, FALL, PASS, PASS,  PASS,   PASS,  PASS},
    [SCRIP_PICC_HALT]   = {HALT, WAKE, HALT, HALT, HALT,  HALT,   HALT,  HALT},
    /* clang-format on */
};

/* UID CLn and BCC of the level that the card is at. @return is it the last level? */
static bool level_uid(const struct scrip_picc_a *a, uint8_t cl[CL_LEN])
{
    const size_t from = 3U * a->level;
    const bool last = a->level + 1U == LEVELS || a->uid_len <= from + 4;

    if (last) {
        memcpy(cl, a->uid + from, 4);
    } else {
        cl[0] = SCRIP_CASCADE_CT;
        memcpy(cl + 1, a->uid + from, 3);
    }
    cl[4] = cl[0] ^ cl[1] ^ cl[2] ^ cl[3];
    return last;
}

static uint8_t sel_of(const struct scrip_picc_a *a)
{
    return (uint8_t)(SEL_LEVEL_1 + 2 * a->level);
}

/* ANTICOLLISION: SEL, NVB, and as many bits as NVB says, the last byte cut where they end. */
static bool is_anticollision(const struct scrip_picc_a *a, const struct scrip_frame *in)
{
    const uint8_t nvb = in->data[1];
    if (in->align != 0 || in->rate != SCRIP_RATE_106 || in->bits < HEAD_BITS || in->data[0] != sel_of(a) ||
        nvb >= NVB_SELECT || (nvb & 0x0FU) > 7 || 8U * (nvb >> 4) + (nvb & 0x0FU) != in->bits) {
        return false;
    }
    for (size_t i = 0; i < in->bits / 8U; i++) {
        if (scrip_frame_parity(in, i) != scrip_odd_parity(in->data[i])) {
            return false;
        }
    }
    return true;
}

static bool bits_equal(const uint8_t *x, const uint8_t *y, size_t bits)
{
    const unsigned cut = (1U << bits % 8) - 1U;
    return memcmp(x, y, bits / 8) == 0 && (cut == 0 || ((unsigned)(x[bits / 8] ^ y[bits / 8]) & cut) == 0);
}

static enum event ready_event(const struct scrip_picc_a *a, const struct scrip_frame *in)
{
    uint8_t cl[CL_LEN];
    struct scrip_bytes content;
    const bool last = level_uid(a, cl);

    if (is_anticollision(a, in)) {
        return bits_equal(in->data + 2, cl, in->bits - HEAD_BITS) ? EVENT_ANTI : EVENT_MISS;
    }
    if (in->rate != SCRIP_RATE_106 || scrip_frame_content_crc(in, &content) != SCRIP_OK || content.len != SELECT_LEN ||
        content.at[0] != sel_of(a) || content.at[1] != NVB_SELECT || memcmp(content.at + 2, cl, CL_LEN) != 0) {
        return EVENT_FRAME;
    }
    return last ? EVENT_SELECT : EVENT_CASCADE;
}

static enum event event_of(const struct scrip_picc_a *a, const struct scrip_frame *in)
{
    if (in->bits == 7 && in->align == 0) {
        if (in->rate != SCRIP_RATE_106) {
            return EVENT_SHORT;
        }
        const uint8_t code = in->data[0] & 0x7FU;
        return code == SCRIP_REQA ? EVENT_REQA : code == SCRIP_WUPA ? EVENT_WUPA : EVENT_SHORT;
    }
    return a->state == SCRIP_PICC_READY ? ready_event(a, in) : EVENT_FRAME;
}

/* The rest of UID CLn and BCC from the first bit that the reader did not send. */
static void send_uid(const struct scrip_picc_a *a, uint16_t known, struct scrip_frame *out)
{
    uint8_t cl[CL_LEN];
    const size_t whole = known / 8U;

    (void)level_uid(a, cl);
    (void)scrip_frame_bytes(out, scrip_bytes(cl + whole, CL_LEN - whole));
    out->align = known % 8U;
    out->bits = (uint16_t)(8U * CL_LEN - known);
    out->data[0] &= (uint8_t)(0xFFU << out->align);
}

static void answer(struct scrip_picc_a *a, uint8_t action, uint16_t known, struct scrip_frame *out)
{
    static const uint8_t cascade = SAK_CASCADE;
    switch (action) {
    case SEND_ATQA:
        a->level = 0;
        (void)scrip_frame_bytes(out, SCRIP_BYTES_OF(a->atqa));
        break;
    case SEND_UID:
        send_uid(a, known, out);
        break;
    case SEND_CASCADE:
        a->level++;
        (void)scrip_frame_bytes_crc(out, scrip_bytes(&cascade, 1));
        break;
    default: /* SEND_SAK */
        (void)scrip_frame_bytes_crc(out, scrip_bytes(&a->sak, 1));
        break;
    }
}

void scrip_picc_a_on(struct scrip_picc_a *a)
{
    a->state = SCRIP_PICC_IDLE;
    a->level = 0;
    a->starred = false;
}

void scrip_picc_a_off(struct scrip_picc_a *a)
{
    a->state = SCRIP_PICC_OFF;
    a->starred = false;
}

void scrip_picc_a_halt(struct scrip_picc_a *a)
{
    a->state = SCRIP_PICC_HALT;
}

void scrip_picc_a_drop(struct scrip_picc_a *a)
{
    a->state = a->starred ? SCRIP_PICC_HALT : SCRIP_PICC_IDLE;
}

enum scrip_picc_did scrip_picc_a_frame(struct scrip_picc_a *a, const struct scrip_frame *in, struct scrip_frame *out)
{
    const uint8_t step = steps[a->state][event_of(a, in)];
    const uint8_t action = STEP_ACTION(step);
    const bool woken = action == SEND_ATQA;

    out->bits = 0;
    if (woken) {
        a->starred = a->state == SCRIP_PICC_HALT;
    }
    if (STEP_STATE(step) == REST) {
        scrip_picc_a_drop(a);
    } else {
        a->state = STEP_STATE(step);
    }
    if (action == QUIET || action == PASS_ON) {
        return action == PASS_ON ? SCRIP_PICC_PASS : SCRIP_PICC_SILENT;
    }
    answer(a, action, (uint16_t)(in->bits - (woken ? 0 : HEAD_BITS)), out);
    return action == SEND_SAK ? SCRIP_PICC_SELECTED : SCRIP_PICC_ANSWERED;
}

bool scrip_picc_is_hlta(const struct scrip_frame *in)
{
    static const uint8_t hlta[] = {0x50, 0x00};
    struct scrip_bytes content;
    return in->rate == SCRIP_RATE_106 && scrip_frame_content_crc(in, &content) == SCRIP_OK &&
           scrip_bytes_equal(content, SCRIP_BYTES_OF(hlta));
}
