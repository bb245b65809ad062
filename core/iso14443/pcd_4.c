/* pcd_4.c: blocks as a reader sees them [ISO/IEC 14443-4, 7.5.3, 7.5.4 and 7.5.6].
 *
 * The reader's block number begins at 0 and changes with every block of the card that is taken and carries it.
 *
 *   what comes                         while a command is sent           while a response is received
 *   R(ACK) with the reader's number    the next piece of a chain         no sense
 *   R(ACK) with the other number       the same piece again              no sense
 *   I with the reader's number         after the last piece: taken       taken
 *   S(WTX)                             echoed, and waited longer for the next answer only
 *   silence, damage, no sense          R(NAK)                            R(ACK)
 *
 * After two retries without progress the card is deselected. What is repeated is always a block with its old number, so
 * the card executes a command once, whatever is lost. A card may keep a reader busy with S(WTX), with endless chains or
 * with calls for repetition; each has its limit. */
#include "block.h"
#include <scrip/pcd.h>
#include <scrip/picc.h>
#include <string.h>

#define RETRIES        2U
#define ATS_WITHIN_US  5000U     /* 65536/fc */
#define SLACK_US       3625U     /* 49152/fc: what a reader adds to every waiting time */
#define DESELECT_US    5300U     /* the waiting time of S(DESELECT) */
#define EXTENSIONS_US  60000000U /* by all S(WTX) of one command */
#define EXTENSIONS_MAX 4096U
#define BLOCKS_MAX     16384U /* of one response: 64 KiB in the smallest frames, and more */
#define ATS_MAX        sizeof((struct scrip_target *)NULL)->ats

static const struct scrip_bytes NOTHING = {0};

/* One command and what became of it so far. */
struct turn {
    struct scrip_bytes command;
    struct scrip_buf *response;
    size_t sent;  /* bytes of the command that the card has */
    size_t piece; /* bytes of the piece that is out */
    bool receiving;
    bool done;
    bool full; /* the response does not fit */
    unsigned tries, repeats;
    uint32_t blocks;
    uint32_t extensions;
    uint32_t extended_us;
};

static void make(struct scrip_pcd_4 *pcd, uint8_t pcb, struct scrip_bytes inf)
{
    block_make(&pcd->tx, pcb, pcd->has_cid ? pcd->cid : UINT8_MAX, inf);
    pcd->tx.rate = pcd->rate_to;
}

/* Send what was made, hear a block. Damage and nonsense are SCRIP_E_MAC. */
static enum scrip_status swap(struct scrip_pcd_4 *pcd, uint32_t timeout_us, struct block *block)
{
    const struct scrip_radio *radio = pcd->radio;
    SCRIP_TRY(radio->exchange(radio->ctx, &pcd->tx, &pcd->rx, timeout_us));
    return block_parse(&pcd->rx, block) && block->has_cid == pcd->has_cid && (!block->has_cid || block->cid == pcd->cid)
               ? SCRIP_OK
               : SCRIP_E_MAC;
}

static enum scrip_status set_rates(struct scrip_pcd_4 *pcd, uint8_t to_card, uint8_t from_card)
{
    const struct scrip_radio *radio = pcd->radio;
    if (radio->rates != NULL) {
        SCRIP_TRY(radio->rates(radio->ctx, to_card, from_card));
    }
    pcd->rate_to = to_card;
    pcd->rate_from = from_card;
    return SCRIP_OK;
}

/* ---- activation ---- */

/* The largest frame size that a radio can take, as a code. */
static uint8_t fsdi_of(uint16_t frame_max)
{
    uint8_t code = 0;
    while (code < 8 && scrip_frame_size((uint8_t)(code + 1)) <= frame_max) {
        code++;
    }
    return code;
}

static enum scrip_status hear_content(struct scrip_pcd_4 *pcd, uint32_t timeout_us, struct scrip_bytes *content)
{
    const struct scrip_radio *radio = pcd->radio;
    const enum scrip_status status = radio->exchange(radio->ctx, &pcd->tx, &pcd->rx, timeout_us);
    if (status != SCRIP_OK) {
        return status == SCRIP_E_TIMEOUT ? SCRIP_E_NO_CARD : status;
    }
    return scrip_frame_content_crc(&pcd->rx, content) == SCRIP_OK ? SCRIP_OK : SCRIP_E_MAC;
}

static enum scrip_status rats(struct scrip_pcd_4 *pcd, struct ats *ats)
{
    const uint8_t data[] = {RATS_START, (uint8_t)(fsdi_of(pcd->radio->frame_max) << 4 | pcd->cid)};
    struct scrip_bytes content;

    (void)scrip_frame_bytes_crc(&pcd->tx, SCRIP_BYTES_OF(data));
    SCRIP_TRY(hear_content(pcd, ATS_WITHIN_US, &content));
    if (content.len > ATS_MAX || !ats_parse(content, ats)) {
        return SCRIP_E_FORMAT;
    }
    memcpy(pcd->target->ats, content.at, content.len);
    pcd->target->ats_len = (uint8_t)content.len;
    return SCRIP_OK;
}

/* The fastest rate up to `fastest` for each direction that the card offers, the same for both where it must be. */
static void choose_rates(uint8_t ta, uint8_t fastest, uint8_t *to_card, uint8_t *from_card)
{
    unsigned best = 0;
    *to_card = *from_card = SCRIP_RATE_106;
    for (uint8_t to = SCRIP_RATE_106; to <= fastest; to++) {
        for (uint8_t from = SCRIP_RATE_106; from <= fastest; from++) {
            if (ats_offers(ta, to, from) && (unsigned)to + from > best) {
                best = (unsigned)to + from;
                *to_card = to;
                *from_card = from;
            }
        }
    }
}

/* A PPS that was lost may be sent again; when its answer was lost the card has changed its rate, and is lost too. */
static enum scrip_status pps(struct scrip_pcd_4 *pcd, uint8_t to_card, uint8_t from_card)
{
    const uint8_t data[] = {PPS_START | pcd->cid, PPS_WITH_RATES, (uint8_t)(from_card << 2 | to_card)};
    struct scrip_bytes content;
    enum scrip_status status = SCRIP_E_NO_CARD;

    (void)scrip_frame_bytes_crc(&pcd->tx, SCRIP_BYTES_OF(data));
    for (unsigned tries = 0; tries <= RETRIES && status == SCRIP_E_NO_CARD; tries++) {
        status = hear_content(pcd, pcd->timeout_us, &content);
    }
    SCRIP_TRY(status);
    if (content.len != 1 || content.at[0] != data[0]) {
        return SCRIP_E_FORMAT;
    }
    return set_rates(pcd, to_card, from_card);
}

enum scrip_status scrip_pcd_4_begin(struct scrip_pcd_4 *pcd, const struct scrip_radio *radio,
                                    struct scrip_target *target, uint8_t cid, uint8_t fastest)
{
    struct ats ats;
    uint8_t to_card, from_card;

    if (cid > CID_MAX || fastest > SCRIP_RATE_848 || radio->frame_max < scrip_frame_size(0)) {
        return SCRIP_E_ARGUMENT;
    }
    pcd->radio = radio;
    pcd->target = target;
    pcd->cid = cid;
    pcd->block = 0;
    SCRIP_TRY(set_rates(pcd, SCRIP_RATE_106, SCRIP_RATE_106));
    SCRIP_TRY(rats(pcd, &ats));
    pcd->has_cid = ats.cid && cid != 0;
    pcd->fwi = ats.fwi;
    pcd->timeout_us = block_fwt_us(ats.fwi, 1) + SLACK_US;
    const uint16_t fsc = scrip_frame_size(ats.fsci);
    pcd->fsc = fsc < radio->frame_max ? fsc : radio->frame_max;
    if (ats.sfgi != 0 && radio->wait != NULL) {
        radio->wait(radio->ctx, block_fwt_us(ats.sfgi, 1));
    }
    choose_rates(ats.ta, radio->rates != NULL ? fastest : SCRIP_RATE_106, &to_card, &from_card);
    return to_card + from_card > 0 ? pps(pcd, to_card, from_card) : SCRIP_OK;
}

/* ---- an exchange ---- */

static void send_piece(struct scrip_pcd_4 *pcd, struct turn *turn)
{
    const size_t left = turn->command.len - turn->sent;
    const size_t most = block_inf_max(pcd->fsc, pcd->has_cid);
    const bool more = left > most;

    turn->piece = more ? most : left;
    make(pcd, (uint8_t)(PCB_I | (more ? PCB_MORE : 0U) | pcd->block),
         scrip_bytes_head(scrip_bytes_from(turn->command, turn->sent), turn->piece));
}

static void progress(struct scrip_pcd_4 *pcd, struct turn *turn)
{
    pcd->block ^= 1;
    turn->tries = 0;
    turn->repeats = 0;
}

/* @return false: it makes no sense here, as in the others below */
static bool take_i(struct scrip_pcd_4 *pcd, struct turn *turn, const struct block *block)
{
    const bool all_sent = turn->sent + turn->piece == turn->command.len;
    if (block->number != pcd->block || !all_sent || ++turn->blocks > BLOCKS_MAX) {
        return false;
    }
    if (!turn->full && scrip_buf_add_bytes(turn->response, block->inf) != SCRIP_OK) {
        turn->full = true; /* the rest is heard, so that card and reader stay in step */
    }
    progress(pcd, turn);
    turn->receiving = true;
    turn->done = !block->more;
    if (block->more) {
        make(pcd, (uint8_t)(PCB_R_ACK | pcd->block), NOTHING);
    }
    return true;
}

static bool take_ack(struct scrip_pcd_4 *pcd, struct turn *turn, const struct block *block)
{
    if (turn->receiving) {
        return false;
    }
    if (block->number != pcd->block) {
        send_piece(pcd, turn);
        return ++turn->repeats <= RETRIES;
    }
    if (turn->sent + turn->piece == turn->command.len) {
        return false;
    }
    turn->sent += turn->piece;
    progress(pcd, turn);
    send_piece(pcd, turn);
    return true;
}

static bool take_wtx(struct scrip_pcd_4 *pcd, struct turn *turn, const struct block *block, uint32_t *timeout_us)
{
    const uint8_t wtxm = block->inf.at[0] & 0x3FU;
    const uint32_t wait_us = block_fwt_us(pcd->fwi, wtxm);

    if (wtxm == 0 || wtxm > WTXM_MAX || ++turn->extensions > EXTENSIONS_MAX ||
        wait_us > EXTENSIONS_US - turn->extended_us) {
        return false;
    }
    turn->extended_us += wait_us;
    turn->tries = 0;
    make(pcd, PCB_S_WTX, scrip_bytes(&wtxm, 1));
    *timeout_us = wait_us + SLACK_US;
    return true;
}

static bool take(struct scrip_pcd_4 *pcd, struct turn *turn, const struct block *block, uint32_t *timeout_us)
{
    switch (block->kind) {
    case PCB_I:
        return take_i(pcd, turn, block);
    case PCB_R_ACK:
        return take_ack(pcd, turn, block);
    case PCB_S_WTX:
        return take_wtx(pcd, turn, block, timeout_us);
    default:
        return false;
    }
}

/* @return as scrip_pcd_4_exchange, but for the memory that is to be put back */
static enum scrip_status converse(struct scrip_pcd_4 *pcd, struct turn *turn)
{
    uint32_t timeout_us = pcd->timeout_us;

    send_piece(pcd, turn);
    while (!turn->done) {
        struct block block;
        const enum scrip_status status = swap(pcd, timeout_us, &block);
        timeout_us = pcd->timeout_us;
        if (status == SCRIP_E_LINK) {
            return status;
        }
        if (status == SCRIP_OK && take(pcd, turn, &block, &timeout_us)) {
            continue;
        }
        if (++turn->tries > RETRIES) {
            make(pcd, PCB_S_DESELECT, NOTHING);
            (void)swap(pcd, DESELECT_US, &block);
            return SCRIP_E_TORN;
        }
        make(pcd, (uint8_t)((turn->receiving ? PCB_R_ACK : PCB_R_NAK) | pcd->block), NOTHING);
    }
    return turn->full ? SCRIP_E_SPACE : SCRIP_OK;
}

enum scrip_status scrip_pcd_4_exchange(struct scrip_pcd_4 *pcd, struct scrip_bytes command, struct scrip_buf *response)
{
    const size_t len = response->len;
    struct turn turn = {.command = command, .response = response};
    const enum scrip_status status = converse(pcd, &turn);

    if (status != SCRIP_OK) {
        response->len = len;
    }
    return status;
}

/* Ask until a block of this kind comes. */
static enum scrip_status ask(struct scrip_pcd_4 *pcd, uint8_t pcb, uint8_t kind, uint32_t timeout_us)
{
    for (unsigned tries = 0; tries <= RETRIES; tries++) {
        struct block block;
        make(pcd, pcb, NOTHING);
        const enum scrip_status status = swap(pcd, timeout_us, &block);
        if (status == SCRIP_E_LINK || (status == SCRIP_OK && block.kind == kind)) {
            return status;
        }
    }
    return SCRIP_E_NO_CARD;
}

enum scrip_status scrip_pcd_4_check(struct scrip_pcd_4 *pcd)
{
    return ask(pcd, (uint8_t)(PCB_R_NAK | pcd->block), PCB_R_ACK, pcd->timeout_us);
}

enum scrip_status scrip_pcd_4_deselect(struct scrip_pcd_4 *pcd)
{
    SCRIP_TRY(ask(pcd, PCB_S_DESELECT, PCB_S_DESELECT, DESELECT_US));
    return set_rates(pcd, SCRIP_RATE_106, SCRIP_RATE_106);
}
