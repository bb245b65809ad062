/* picc.h: the card's half of ISO/IEC 14443 type A: anticollision and selection (part 3), the block protocol (part 4).
 *
 * A proximity card (PICC) answers frames. A card of part 4 puts its application behind scrip_picc_4; others (MIFARE
 * Classic) embed scrip_picc_a and handle the frames that it passes on. */
#ifndef SCRIP_PICC_H
#define SCRIP_PICC_H

#include <scrip/frame.h>

struct scrip_picc;

/** What a card does with the field. */
struct scrip_picc_ops {
    /** The field comes (true) or goes. Coming when it is there already is a power cycle.
     *  @return SCRIP_OK; SCRIP_E_NV, SCRIP_E_CORRUPT, SCRIP_E_RANDOM: the card does not start, and is silent */
    enum scrip_status (*power)(struct scrip_picc *picc, bool on);
    /** A frame arrived, which is not `out`'s memory. `out` is silent (bits 0) when it comes and takes the answer.
     *  @return SCRIP_OK, silence and refusals included; SCRIP_E_NV: power was lost in the middle, nothing is answered
     *          until the next power(true) */
    enum scrip_status (*frame)(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out);
};

/** Embed as first member. */
struct scrip_picc {
    const struct scrip_picc_ops *ops;
    uint32_t busy_us; /**< what the answer cost beyond the frame delay time, microseconds; the field makes it 0 before
                       * each frame */
    uint64_t now_fc;  /**< the field's time, cycles of the carrier: the field sets it before power() and frame() */
};

/* ---- part 3: who is there ---- */

#define SCRIP_REQA       0x26U
#define SCRIP_WUPA       0x52U
#define SCRIP_CASCADE_CT 0x88U

/** States of part 3. The mirror states READY* and ACTIVE* are READY and ACTIVE with `starred`. */
enum scrip_picc_state {
    SCRIP_PICC_OFF,
    SCRIP_PICC_IDLE,
    SCRIP_PICC_READY,
    SCRIP_PICC_ACTIVE,
    SCRIP_PICC_HALT,
};

/** Part 3 of one card. */
struct scrip_picc_a {
    uint8_t uid[10];
    uint8_t uid_len; /**< 4, 7 or 10 */
    uint8_t atqa[2]; /**< as sent, low byte first */
    uint8_t sak;     /**< of the last cascade level */
    uint8_t state;   /**< enum scrip_picc_state */
    uint8_t level;   /**< READY: cascade level, 0..2 */
    bool starred;    /**< woken out of HALT: falls back to HALT */
};

/** What became of a frame. */
enum scrip_picc_did {
    SCRIP_PICC_SILENT,   /**< nothing to answer; the card may have fallen back to IDLE or HALT */
    SCRIP_PICC_ANSWERED, /**< `out` has the answer */
    SCRIP_PICC_SELECTED, /**< `out` has the SAK; the card is active from now on: forget any session */
    SCRIP_PICC_PASS,     /**< the card is active and the frame is for the layer above */
};

/** The field came: IDLE. Set uid, uid_len, atqa and sak before. */
void scrip_picc_a_on(struct scrip_picc_a *a);

/** The field went. */
void scrip_picc_a_off(struct scrip_picc_a *a);

/** A frame arrived. Short frames are handled here in every state, other frames until the card is active. */
enum scrip_picc_did scrip_picc_a_frame(struct scrip_picc_a *a, const struct scrip_frame *in, struct scrip_frame *out);

/** The layer above was halted (HLTA, DESELECT): HALT. */
void scrip_picc_a_halt(struct scrip_picc_a *a);

/** The layer above got what it may not have: back to IDLE, or HALT when starred. */
void scrip_picc_a_drop(struct scrip_picc_a *a);

/** Is this HLTA (50 00) in the clear, with a good CRC? */
bool scrip_picc_is_hlta(const struct scrip_frame *in);

/* ---- part 4: blocks ---- */

/** Frame sizes FSD and FSC by code: 16, 24 … 256 for codes 0..8; codes above count as 256. */
uint16_t scrip_frame_size(uint8_t code);

/** The application behind a card of part 4. */
struct scrip_picc_app {
    void *ctx;
    /** Power comes or goes; when it comes, fill in uid, uid_len, atqa, sak and the ATS with its length byte (33 bytes
     *  of room). @return as scrip_picc_ops.power */
    enum scrip_status (*power)(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33]);
    /** Answer a command. `busy_us` is 0 and may be set to what it costs: above the frame waiting time the card asks for
     *  more (S(WTX)) first. @return SCRIP_OK; SCRIP_E_NV: power was lost. After anything but SCRIP_OK the card is
     * silent until the next power */
    enum scrip_status (*apdu)(void *ctx, struct scrip_bytes command, struct scrip_buf *response, uint32_t *busy_us);
    /** S(DESELECT): sessions and whatever else is volatile go; uid stays as it is. May be NULL.
     *  @return as scrip_picc_ops.power */
    enum scrip_status (*deselect)(void *ctx);
};

/** A card of part 4. Fields private but for `picc`, which goes into a field. */
struct scrip_picc_4 {
    struct scrip_picc picc;
    struct scrip_picc_a a;
    struct scrip_picc_app app;
    struct scrip_buf command;  /* borrowed: chained I-blocks are put together here */
    struct scrip_buf response; /* borrowed: sent in pieces from here */
    size_t sent;               /* bytes of `response` that were sent and acknowledged */
    size_t piece;              /* bytes of the piece that is out */
    uint8_t ats[33];
    uint16_t fsd;     /* what the reader can take */
    uint16_t fsc;     /* what the card takes */
    uint8_t cid;      /* given by RATS */
    bool takes_cid;   /* the ATS says that CID is supported */
    bool with_cid;    /* the block that is answered has one */
    uint8_t block;    /* the card's block number */
    uint8_t stage;    /* private to picc_4.c */
    uint8_t last;     /* PCB of the block sent last, for R(NAK); 0: none yet */
    uint8_t ta;       /* rates that the ATS offers */
    uint8_t rate_in;  /* reader to card, enum scrip_rate */
    uint8_t rate_out; /* card to reader */
    uint8_t fwi;
    uint8_t wtxm;
    uint32_t busy_us; /* work that is left */
};

/** A card without power. Commands longer than `command` are not acknowledged to their end.
 *  @param command, response  memory for one command and one response, as large as the longest; borrowed */
void scrip_picc_4_init(struct scrip_picc_4 *card, const struct scrip_picc_app *app, struct scrip_buf command,
                       struct scrip_buf response);

#endif
