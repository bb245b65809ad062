/* pcd.h: the reader's half of ISO/IEC 14443 type A: finding and selecting cards (part 3), the block protocol (part 4).
 *
 * Everything is done over a `radio`, which sends a frame and hears one: a field of virtual cards, or a reader chip. */
#ifndef SCRIP_PCD_H
#define SCRIP_PCD_H

#include <scrip/frame.h>

/** The air as a reader has it. */
struct scrip_radio {
    void *ctx;
    /** Switch the carrier. Off and on again is a power cycle; waits as long as cards need.
     *  @return SCRIP_OK; SCRIP_E_LINK */
    enum scrip_status (*power)(void *ctx, bool on);
    /** Send a frame, hear one. A radio that computes parity itself sends odd parity and sets rx->parity accordingly.
     *  @return SCRIP_OK; SCRIP_E_TIMEOUT: silence; SCRIP_E_MAC: heard, but damaged (parity, framing); SCRIP_E_LINK: the
     *          reader itself failed */
    enum scrip_status (*exchange)(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us);
    /** Speak at these rates from the next frame on (enum scrip_rate); frames have theirs in tx->rate too. NULL: 106
     *  only. @return SCRIP_OK; SCRIP_E_UNSUPPORTED */
    enum scrip_status (*rates)(void *ctx, uint8_t to_card, uint8_t from_card);
    /** Wait so many microseconds, for the guard time after an ATS. NULL: the radio is slow enough by itself. */
    void (*wait)(void *ctx, uint32_t us);
    uint16_t frame_max; /**< longest frame, bytes with CRC, that it can send and hear: limits FSD */
};

/** A card that was found. */
struct scrip_target {
    uint8_t atqa[2]; /**< as received, low byte first */
    uint8_t sak;
    uint8_t uid[10];
    uint8_t uid_len; /**< 4, 7 or 10 */
    uint8_t ats[33]; /**< with its length byte */
    uint8_t ats_len; /**< 0: no part 4, or not asked for */
};

#define SCRIP_SAK_INCOMPLETE 0x04U
#define SCRIP_SAK_PART_4     0x20U

/* ---- part 3 ---- */

/** REQA (cards in IDLE), or WUPA (those in HALT too), at 106 kbit/s.
 *  @param atqa  as received; where several cards answer, their bits are mixed
 *  @return SCRIP_OK; SCRIP_E_NO_CARD: silence; SCRIP_E_MAC: something that is no ATQA; SCRIP_E_LINK */
enum scrip_status scrip_pcd_request(const struct scrip_radio *radio, bool wake, uint8_t atqa[2]);

/** Anticollision and selection of one of the cards that answered the request. Of colliding bits the 1 is taken.
 *  @param target  uid, uid_len and sak are filled in
 *  @return SCRIP_OK; SCRIP_E_NO_CARD: nobody answers any more; SCRIP_E_MAC: wrong BCC or CRC, or no sense in it;
 *          SCRIP_E_LINK */
enum scrip_status scrip_pcd_anticollision(const struct scrip_radio *radio, struct scrip_target *target);

/** Select a card whose UID is known (target->uid, uid_len), without anticollision. Fills in sak.
 *  @return as scrip_pcd_anticollision; SCRIP_E_ARGUMENT: a UID has 4, 7 or 10 bytes */
enum scrip_status scrip_pcd_select(const struct scrip_radio *radio, struct scrip_target *target);

/** Request and anticollision in one; atqa is filled in too, and no ATS. @return as scrip_pcd_request and
 * scrip_pcd_anticollision */
enum scrip_status scrip_pcd_find(const struct scrip_radio *radio, bool wake, struct scrip_target *target);

/** Wake a card by its UID. @return as scrip_pcd_request and scrip_pcd_select */
enum scrip_status scrip_pcd_wake(const struct scrip_radio *radio, struct scrip_target *target);

/** HLTA; silence is success. @return SCRIP_OK; SCRIP_E_MAC: something answered; SCRIP_E_LINK */
enum scrip_status scrip_pcd_halt(const struct scrip_radio *radio);

/* ---- part 4 ---- */

/** A conversation in blocks. Fields private, but for `target`. */
struct scrip_pcd_4 {
    const struct scrip_radio *radio; /* borrowed */
    struct scrip_target *target;     /**< borrowed; its ATS is filled in */
    uint16_t fsc;                    /* what the card can take */
    uint8_t cid;
    bool has_cid;  /* every block carries it */
    uint8_t block; /* the reader's block number */
    uint8_t fwi;
    uint8_t rate_to, rate_from; /* enum scrip_rate */
    uint32_t timeout_us;        /* for the next answer */
    struct scrip_frame tx, rx;  /* room for blocks */
};

/** RATS, and PPS to the highest rate that both sides can, where `fastest` is above SCRIP_RATE_106. Nothing is repeated
 *  of RATS, since a card takes it but once: after a failure find or wake the card again.
 *  @param cid      0..14: card identifier; above 0 it goes into every block when the card supports that
 *  @param fastest  enum scrip_rate that the radio should go up to
 *  @return SCRIP_OK; SCRIP_E_NO_CARD: no answer; SCRIP_E_MAC: a damaged one; SCRIP_E_FORMAT: no ATS, or one of more
 *          than 33 bytes; SCRIP_E_ARGUMENT: no such cid or rate, or frames of less than 16 bytes; SCRIP_E_LINK */
enum scrip_status scrip_pcd_4_begin(struct scrip_pcd_4 *pcd, const struct scrip_radio *radio,
                                    struct scrip_target *target, uint8_t cid, uint8_t fastest);

/** One command, one response: I-blocks, chaining, waiting time extension, error recovery (two retries; the card is
 *  deselected when they do not help).
 *  @return SCRIP_OK; SCRIP_E_TORN: the card went away, or made no sense, after a block of the command was sent;
 *          SCRIP_E_SPACE: the response does not fit, and the card is ready for the next command; SCRIP_E_LINK */
enum scrip_status scrip_pcd_4_exchange(struct scrip_pcd_4 *pcd, struct scrip_bytes command, struct scrip_buf *response);

/** Is the card still there? R(NAK) and its answer. @return SCRIP_OK; SCRIP_E_NO_CARD; SCRIP_E_LINK */
enum scrip_status scrip_pcd_4_check(struct scrip_pcd_4 *pcd);

/** S(DESELECT): the card goes to HALT, and the radio back to 106 kbit/s.
 *  @return SCRIP_OK; SCRIP_E_NO_CARD: it did not answer; SCRIP_E_LINK */
enum scrip_status scrip_pcd_4_deselect(struct scrip_pcd_4 *pcd);

#endif
