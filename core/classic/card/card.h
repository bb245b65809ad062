/* card.h: what the parts of the card share. */
#ifndef SCRIP_CLASSIC_CARD_PRIVATE_H
#define SCRIP_CLASSIC_CARD_PRIVATE_H

#include "wire.h"
#include <scrip/classic_card.h>
#include <scrip/mifare_sm.h>

/* Where the card is once it was selected.
 *
 *   stage    | authenticate        | {nR}{aR}            | command            | operand
 *   ---------+---------------------+---------------------+--------------------+---------------------
 *   SELECTED | nT, then NONCE      | -                   | NAK, fall          | -
 *   NONCE    | -                   | aT, then SESSION;   | -                  | -
 *            |                     | else silence, fall  |                    |
 *   SESSION  | nT, then NONCE      | -                   | answer; in two     | -
 *            |                     |                     | frames: OPERAND    |
 *   OPERAND  | -                   | -                   | -                  | done, then SESSION
 *
 * "-" cannot be told apart from what the stage awaits, and is taken for it. To fall is to lose session and selection.
 * Everything that is refused or damaged falls. */
enum stage { STAGE_SELECTED, STAGE_NONCE, STAGE_SESSION, STAGE_OPERAND };

/* What a handler says. */
enum verdict {
    YES,
    NO,      /* a NAK, and the card falls */
    DAMAGED, /* a NAK that says so, and the card falls */
    SILENT,  /* no answer, and the card falls */
    LOST,    /* memory lost power: nothing is answered any more */
};

/* A command under way. */
struct command {
    uint8_t opcode;
    uint8_t block;          /* second byte of the first frame */
    const uint8_t *operand; /* of the length that the row says */
    struct scrip_frame *out;
};

/* `check` looks and changes nothing; `finish` does it, and puts an answer with data in the clear into `out`. */
#define CLASSIC_COMMAND(opcode, id, name, session, operand, answer, timeout_ms, timeout2_ms, handler)                  \
    enum verdict check_##handler(struct scrip_classic_card *card, const struct command *command);                      \
    enum verdict finish_##handler(struct scrip_classic_card *card, const struct command *command);
#include "commands.def"
#undef CLASSIC_COMMAND

#define BUSY_US       300U
#define BUSY_WRITE_US 4000U

/* ---- memory.c ---- */

uint32_t memory_blocks(bool is_4k);
enum scrip_status memory_block(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK]);
enum scrip_status memory_block_put(const struct scrip_nv *nv, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK]);

/* How the UID is shown; as delivered if it was never decided, or the decision was torn. */
enum scrip_status memory_usage(const struct scrip_nv *nv, bool is_4k, uint8_t *usage, bool *decided);
enum scrip_status memory_usage_put(const struct scrip_nv *nv, bool is_4k, uint8_t usage);

/* ---- pipeline.c ---- */

enum scrip_status card_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out);

/* Session, transfer buffer and half commands are gone. */
void card_forget(struct scrip_classic_card *card);

/* ---- auth.c ---- */

/* {nR}{aR} arrived; `frame` is a copy to work in, `out` gets aT. */
enum verdict auth_prove(struct scrip_classic_card *card, struct scrip_frame *frame, struct scrip_frame *out);

#endif
