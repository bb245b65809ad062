/* picc_4.c: blocks as a card sees them [ISO/IEC 14443-4, 7.5.3, 7.5.4 and 7.5.6].
 *
 * The card's block number begins at 1 and changes with every I-block that is taken and with every R(ACK) that calls for
 * the next piece of a response. `=` and `#` say that a block carries the card's number, or the other one.
 *
 *   stage      I(#)           R(ACK =) R(NAK =)   R(NAK #)   R(ACK #)        S(WTX)         S(DESELECT)
 *   ATS, IDLE  take, answer   again               R(ACK)     silence         silence        echo, HALT
 *   COMMAND    take, answer   again               R(ACK)     silence         silence        echo, HALT
 *   WORK       silence        again               R(ACK)     silence         work on        echo, HALT
 *   RESPONSE   silence        again               R(ACK)     the next piece  silence        echo, HALT
 *
 * "Again" sends the last block once more. I(=), damaged blocks, those of another CID and all else are met with silence:
 * recovery is the reader's. A command is executed once, when its last block is taken: its block number changes at that
 * moment, so that no repetition can look like a new command. */
#include "block.h"
#include <scrip/picc.h>
#include <string.h>

#define CRC_LEN 2U

enum stage {
    STAGE_OFF,      /* no power, or it did not start */
    STAGE_PART_3,   /* not activated: frames of part 3, then RATS */
    STAGE_ATS,      /* activated, nothing else came yet: PPS is allowed */
    STAGE_IDLE,     /* waits for a command */
    STAGE_COMMAND,  /* has a part of a command */
    STAGE_WORK,     /* asked for more time */
    STAGE_RESPONSE, /* has sent a part of a response */
};

static const struct scrip_bytes NOTHING = {0};

static struct scrip_picc_4 *self(struct scrip_picc *picc)
{
    return (struct scrip_picc_4 *)picc;
}

static void send(struct scrip_picc_4 *card, uint8_t pcb, struct scrip_bytes inf, struct scrip_frame *out)
{
    block_make(out, pcb, card->with_cid ? card->cid : UINT8_MAX, inf);
    out->rate = card->rate_out;
}

/* ---- what is sent ---- */

static void send_last(struct scrip_picc_4 *card, struct scrip_frame *out)
{
    const struct scrip_bytes piece = scrip_bytes(card->response.at + card->sent, card->piece);
    const struct scrip_bytes wtxm = scrip_bytes(&card->wtxm, 1);

    if (card->last != 0) {
        send(card, card->last,
             card->last == PCB_S_WTX                 ? wtxm
             : (card->last & PCB_R_ACK) == PCB_R_ACK ? NOTHING
                                                     : piece,
             out);
    }
}

static void send_new(struct scrip_picc_4 *card, uint8_t pcb, struct scrip_frame *out)
{
    card->last = pcb;
    send_last(card, out);
}

static void send_piece(struct scrip_picc_4 *card, struct scrip_frame *out)
{
    const size_t left = card->response.len - card->sent;
    const size_t most = block_inf_max(card->fsd, card->with_cid);
    const bool more = left > most;

    card->piece = more ? most : left;
    card->stage = more ? STAGE_RESPONSE : STAGE_IDLE;
    send_new(card, (uint8_t)(PCB_I | (more ? PCB_MORE : 0U) | card->block), out);
}

/* Answer, or ask for more time where `window_us` does not suffice; half of it has gone by then. */
static void work(struct scrip_picc_4 *card, uint32_t window_us, struct scrip_frame *out)
{
    if (card->busy_us <= window_us) {
        card->picc.busy_us = card->busy_us;
        card->busy_us = 0;
        send_piece(card, out);
        return;
    }
    card->picc.busy_us = window_us / 2;
    card->busy_us -= window_us / 2;
    const uint32_t windows = card->busy_us / block_fwt_us(card->fwi, 1) + 1;
    card->wtxm = (uint8_t)(windows < WTXM_MAX ? windows : WTXM_MAX);
    card->stage = STAGE_WORK;
    send_new(card, PCB_S_WTX, out);
}

/* ---- what comes ---- */

static enum scrip_status execute(struct scrip_picc_4 *card, struct scrip_frame *out)
{
    card->response.len = 0;
    card->sent = 0;
    card->busy_us = 0;
    if (card->command.len > 0) { /* an empty I-block only asks whether the card is there */
        const enum scrip_status status =
            card->app.apdu(card->app.ctx, scrip_buf_bytes(&card->command), &card->response, &card->busy_us);
        if (status != SCRIP_OK) {
            card->stage = STAGE_OFF;
            return status;
        }
    }
    work(card, block_fwt_us(card->fwi, 1), out);
    return SCRIP_OK;
}

static enum scrip_status take_i(struct scrip_picc_4 *card, const struct block *block, struct scrip_frame *out)
{
    if (block->number == card->block || (card->stage != STAGE_IDLE && card->stage != STAGE_COMMAND)) {
        return SCRIP_OK;
    }
    if (card->stage == STAGE_IDLE) {
        card->command.len = 0;
    }
    if (scrip_buf_add_bytes(&card->command, block->inf) != SCRIP_OK) {
        return SCRIP_OK;
    }
    card->block ^= 1;
    if (block->more) {
        card->stage = STAGE_COMMAND;
        send_new(card, (uint8_t)(PCB_R_ACK | card->block), out);
        return SCRIP_OK;
    }
    return execute(card, out);
}

static void take_r(struct scrip_picc_4 *card, const struct block *block, struct scrip_frame *out)
{
    if (block->number == card->block) {
        send_last(card, out);
    } else if (block->kind == PCB_R_NAK) {
        send(card, (uint8_t)(PCB_R_ACK | card->block), NOTHING, out); /* `last` stays: it may still be asked for */
    } else if (card->stage == STAGE_RESPONSE) {
        card->block ^= 1;
        card->sent += card->piece;
        send_piece(card, out);
    }
}

static enum scrip_status take_deselect(struct scrip_picc_4 *card, struct scrip_frame *out)
{
    card->stage = STAGE_OFF;
    if (card->app.deselect != NULL) {
        SCRIP_TRY(card->app.deselect(card->app.ctx));
    }
    send(card, PCB_S_DESELECT, NOTHING, out);
    card->stage = STAGE_PART_3;
    scrip_picc_a_halt(&card->a);
    return SCRIP_OK;
}

/* Blocks of other cards are not heard; a card whose CID is 0 also takes blocks without one. */
static bool is_meant(const struct scrip_picc_4 *card, const struct block *block)
{
    return block->has_cid ? card->takes_cid && block->cid == card->cid : !card->takes_cid || card->cid == 0;
}

/* PPS: D0|CID, 11 and the rates, or 01 alone; the answer still goes at the old rate. @return is it one? */
static bool take_pps(struct scrip_picc_4 *card, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_bytes pps;
    const uint8_t start = PPS_START | card->cid;

    if (scrip_frame_content_crc(in, &pps) != SCRIP_OK || pps.len < 2 || pps.at[0] != start ||
        pps.at[1] != (pps.len == 3 ? PPS_WITH_RATES : PPS_WITHOUT_RATES) || pps.len > 3) {
        return false;
    }
    const uint8_t rates = pps.len == 3 ? pps.at[2] : 0;
    if (rates > 0x0F || !ats_offers(card->ta, rates & 3U, rates >> 2)) {
        return true;
    }
    (void)scrip_frame_bytes_crc(out, scrip_bytes(&start, 1));
    card->rate_in = rates & 3U;
    card->rate_out = rates >> 2;
    card->stage = STAGE_IDLE;
    return true;
}

static enum scrip_status take_block(struct scrip_picc_4 *card, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct block block;
    if (in->rate != card->rate_in || scrip_frame_len(in) > card->fsc ||
        (card->stage == STAGE_ATS && take_pps(card, in, out)) || !block_parse(in, &block) || !is_meant(card, &block)) {
        return SCRIP_OK;
    }
    card->with_cid = block.has_cid;
    card->stage = card->stage == STAGE_ATS ? STAGE_IDLE : card->stage;
    switch (block.kind) {
    case PCB_I:
        return take_i(card, &block, out);
    case PCB_S_DESELECT:
        return take_deselect(card, out);
    case PCB_S_WTX:
        if (card->stage == STAGE_WORK && (block.inf.at[0] & 0x3FU) == card->wtxm) {
            work(card, block_fwt_us(card->fwi, card->wtxm), out);
        }
        return SCRIP_OK;
    default:
        take_r(card, &block, out);
        return SCRIP_OK;
    }
}

/* The first frame after selection: RATS, HLTA, or what sends the card back. */
static void take_rats(struct scrip_picc_4 *card, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_bytes rats;
    uint8_t ats[sizeof card->ats];
    if (scrip_picc_is_hlta(in)) {
        scrip_picc_a_halt(&card->a);
        return;
    }
    if (in->rate != SCRIP_RATE_106 || scrip_frame_content_crc(in, &rats) != SCRIP_OK || rats.len != 2 ||
        rats.at[0] != RATS_START || (rats.at[1] & 0x0FU) > CID_MAX) {
        scrip_picc_a_drop(&card->a);
        return;
    }
    card->cid = rats.at[1] & 0x0FU;
    card->fsd = scrip_frame_size(rats.at[1] >> 4);
    card->block = 1;
    card->last = 0;
    card->rate_in = SCRIP_RATE_106;
    card->rate_out = SCRIP_RATE_106;
    card->stage = STAGE_ATS;
    memcpy(ats, card->ats, sizeof ats);
    if (ats[0] + CRC_LEN > card->fsd) { /* historical bytes give way: nothing may be longer than FSD */
        ats[0] = (uint8_t)(card->fsd - CRC_LEN);
    }
    (void)scrip_frame_bytes_crc(out, scrip_bytes(ats, ats[0]));
}

/* ---- as a card in a field ---- */

static enum scrip_status picc_4_power(struct scrip_picc *picc, bool on)
{
    struct scrip_picc_4 *card = self(picc);
    struct ats ats;

    card->stage = STAGE_OFF;
    scrip_picc_a_off(&card->a);
    SCRIP_TRY(card->app.power(card->app.ctx, on, &card->a, card->ats));
    if (!on) {
        return SCRIP_OK;
    }
    if (card->ats[0] > sizeof card->ats || !ats_parse(scrip_bytes(card->ats, card->ats[0]), &ats)) {
        return SCRIP_E_CORRUPT;
    }
    card->fsc = scrip_frame_size(ats.fsci);
    card->fwi = ats.fwi;
    card->ta = ats.ta;
    card->takes_cid = ats.cid;
    card->stage = STAGE_PART_3;
    scrip_picc_a_on(&card->a);
    return SCRIP_OK;
}

static enum scrip_status picc_4_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_picc_4 *card = self(picc);

    if (card->stage == STAGE_OFF) {
        return SCRIP_OK;
    }
    if (card->stage != STAGE_PART_3) {
        return take_block(card, in, out);
    }
    if (scrip_picc_a_frame(&card->a, in, out) == SCRIP_PICC_PASS) {
        take_rats(card, in, out);
    }
    return SCRIP_OK;
}

void scrip_picc_4_init(struct scrip_picc_4 *card, const struct scrip_picc_app *app, struct scrip_buf command,
                       struct scrip_buf response)
{
    static const struct scrip_picc_ops ops = {.power = picc_4_power, .frame = picc_4_frame};

    memset(card, 0, sizeof *card);
    card->picc.ops = &ops;
    card->app = *app;
    card->command = command;
    card->response = response;
}
