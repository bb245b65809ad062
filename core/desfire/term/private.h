/* private.h: what the files of the terminal driver share. */
#ifndef SCRIP_DESFIRE_TERM_PRIVATE_H
#define SCRIP_DESFIRE_TERM_PRIVATE_H

#include "wire.h"
#include <scrip/desfire_term.h>

/** What a command that is out is, as far as taking its response goes. */
enum kind {
    KIND_COMMAND,   /* opened by secure messaging */
    KIND_CHALLENGE, /* part 1 of an authentication */
    KIND_PROOF,     /* part 2 */
    KIND_ISO,       /* ISO 7816-4 framing, no secure messaging */
    KIND_COUNT
};

/** Stages of struct scrip_desfire_handshake. */
enum stage { STAGE_NONE, STAGE_ASKED, STAGE_CHALLENGED, STAGE_ANSWERED, STAGE_COUNT };

/** Prepare for another command: a new batch starts its responses at 0, a closed one takes no more.
 *  @param apdus, bytes  what is going to be appended */
enum scrip_status term_room(struct scrip_desfire_term *term, struct scrip_batch *batch, size_t apdus, size_t bytes);

/** Append 90 cmd 00 00 [Lc params] 00. Room was checked. */
enum scrip_status term_wrap(struct scrip_batch *batch, uint8_t cmd, struct scrip_bytes params);

/** Let the batch go on at a status word. */
enum scrip_status term_good(struct scrip_batch *batch, uint16_t sw);

/** Remember a command that was appended. */
struct scrip_desfire_pending *term_push(struct scrip_desfire_term *term, enum kind kind, uint8_t cmd, size_t frames);

/** Forget the oldest command. */
void term_pop(struct scrip_desfire_term *term);

/** Something went wrong with a command: keep what, end session and everything that is out.
 *  @return `status` */
enum scrip_status term_fail(struct scrip_desfire_term *term, uint8_t cmd, uint16_t sw, enum scrip_status status);

/** The next response of the present batch, split into data and status word.
 *  @return SCRIP_OK; SCRIP_E_TORN, SCRIP_E_NO_CARD: there is none; SCRIP_E_LENGTH: shorter than a status word */
enum scrip_status term_reply(struct scrip_desfire_term *term, const struct scrip_replies *replies,
                             struct scrip_bytes *data, uint16_t *sw);

#endif
