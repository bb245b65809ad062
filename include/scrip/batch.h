/* batch.h: commands for a card that are sent in one go, and what came back.
 *
 * A terminal procedure is asked for its next batch, the longest run of commands that can be computed without seeing a
 * response of the same batch, and is given the responses. Who carries them is not its business: a local reader
 * (scrip_run), a phone that relays for a server, or a test. */
#ifndef SCRIP_BATCH_H
#define SCRIP_BATCH_H

#include <scrip/bytes.h>
#include <scrip/link.h>

#define SCRIP_BATCH_COMMANDS 24U   /**< most commands in a batch */
#define SCRIP_BATCH_BYTES    2048U /**< most bytes of all its APDUs */
#define SCRIP_REPLY_BYTES    4096U /**< most bytes of all responses to a batch */

/** Commands in order. A batch stops at the first response whose status word is not good. */
struct scrip_batch {
    size_t count;
    uint16_t end[SCRIP_BATCH_COMMANDS]; /* offset behind command i in `bytes` */
    uint8_t good_count;                 /* status words that let the batch go on */
    struct scrip_good {
        uint16_t value;
        uint16_t mask;
    } good[4];
    size_t len;
    uint8_t bytes[SCRIP_BATCH_BYTES];
};

/** Responses in order; the last may be a bad one. `unanswered`: the command after them was sent and not answered. */
struct scrip_replies {
    size_t count;
    bool unanswered;
    uint16_t end[SCRIP_BATCH_COMMANDS];
    size_t len;
    uint8_t bytes[SCRIP_REPLY_BYTES];
};

/** Make empty: no commands, no good status words. */
void scrip_batch_clear(struct scrip_batch *batch);

/** Append a command APDU. @return SCRIP_E_SPACE: too many, or too many bytes */
enum scrip_status scrip_batch_add(struct scrip_batch *batch, struct scrip_bytes apdu);

/** Declare status words good: (SW & mask) == value. @return SCRIP_E_SPACE */
enum scrip_status scrip_batch_good(struct scrip_batch *batch, uint16_t value, uint16_t mask);

/** Is this status word good for the batch? */
bool scrip_batch_is_good(const struct scrip_batch *batch, uint16_t sw);

/** Command `i` (i < count), borrowed. */
struct scrip_bytes scrip_batch_command(const struct scrip_batch *batch, size_t i);

/** Make empty. */
void scrip_replies_clear(struct scrip_replies *replies);

/** Append a response APDU. @return SCRIP_E_SPACE: too many, or too many bytes */
enum scrip_status scrip_replies_add(struct scrip_replies *replies, struct scrip_bytes rapdu);

/** Response `i` (i < count), borrowed. */
struct scrip_bytes scrip_replies_at(const struct scrip_replies *replies, size_t i);

/** A procedure without I/O. Embed as first member; fill both functions. */
struct scrip_flow {
    /** Give the next batch; an empty one means done. */
    enum scrip_status (*next)(struct scrip_flow *flow, struct scrip_batch *batch);
    /** Take the responses of the last batch. */
    enum scrip_status (*take)(struct scrip_flow *flow, const struct scrip_replies *replies);
};

/** Carry out a batch on a link: stops at the first bad status word or the first command without an answer.
 *  @return SCRIP_OK even then (see `replies`); a link's own failure before the first command otherwise */
enum scrip_status scrip_batch_transmit(const struct scrip_batch *batch, struct scrip_link *link,
                                       struct scrip_replies *replies);

/** Step a flow on a link until it is done or fails. */
enum scrip_status scrip_run(struct scrip_flow *flow, struct scrip_link *link);

#endif
