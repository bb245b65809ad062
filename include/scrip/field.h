/* field.h: the field of a reader, with any number of virtual cards in it, power and time.
 *
 * Every card hears every frame; answers that overlap collide bit by bit as on the air. Time passes only by frames, the
 * delays between them, what cards take to work, and scrip_field_wait; so a run repeats exactly. */
#ifndef SCRIP_FIELD_H
#define SCRIP_FIELD_H

#include <scrip/pcd.h>
#include <scrip/picc.h>

/** Most cards in one field. */
#define SCRIP_FIELD_CARDS 8U

/** Where the time of a field went, in cycles of the carrier. */
struct scrip_field_times {
    uint64_t reader_fc; /**< frames of the reader */
    uint64_t card_fc;   /**< frames of cards */
    uint64_t delay_fc;  /**< frame delay times in both directions */
    uint64_t busy_fc;   /**< cards at work */
    uint64_t idle_fc;   /**< time-outs and waiting */
    uint32_t frames;    /**< exchanges */
};

/** A field. Read `on` and `times`; the rest is private. */
struct scrip_field {
    struct scrip_picc *cards[SCRIP_FIELD_CARDS]; /* borrowed */
    size_t count;
    bool on;
    uint8_t listen; /* enum scrip_rate that the radio over it hears */
    bool answered;  /* the last exchange had an answer: a delay precedes the next frame */
    struct scrip_field_times times;
    struct scrip_frame other; /* the answer that is merged in */
    /** Told of every frame with its beginning in cycles; may be NULL. Frames are as on the air: enciphered ones stay
     * so. */
    void (*sniff)(void *ctx, const struct scrip_frame *frame, bool from_card, uint64_t at_fc);
    void *sniff_ctx;
};

/** An empty field without power. */
void scrip_field_init(struct scrip_field *field);

/** Lay a card into the field; it is powered when the field is. A card that does not start stays in it, silent.
 *  @return SCRIP_OK; SCRIP_E_LIMIT: the field is full; SCRIP_E_EXISTS: it is in it already; as its power() */
enum scrip_status scrip_field_add(struct scrip_field *field, struct scrip_picc *card);

/** Take a card out; it loses power. A card that is not there is no error. */
void scrip_field_remove(struct scrip_field *field, struct scrip_picc *card);

/** Switch the carrier. Switching on what is on does nothing. @return SCRIP_OK; the first card that did not start */
enum scrip_status scrip_field_power(struct scrip_field *field, bool on);

/** Send a frame, hear the answer. An answer that begins too late is not heard. A bit in which answers differ reads 1.
 *  @param tx  not `rx`
 *  @param timeout_us  how long to listen after the end of `tx` for an answer to begin
 *  @return SCRIP_OK: `rx`, whose `collision` says where answers of several cards differ; SCRIP_E_TIMEOUT: silence;
 *          SCRIP_E_STATE: no carrier; SCRIP_E_ARGUMENT: nothing to send, or too long; SCRIP_E_NV: silence, and a card
 *          lost power in the middle. `rx` is only of use with SCRIP_OK */
enum scrip_status scrip_field_exchange(struct scrip_field *field, const struct scrip_frame *tx, struct scrip_frame *rx,
                                       uint32_t timeout_us);

/** Let time pass, microseconds. */
void scrip_field_wait(struct scrip_field *field, uint32_t us);

/** Now, in cycles since scrip_field_init. */
uint64_t scrip_field_now_fc(const struct scrip_field *field);

/** The air of a field for a reader's half (pcd.h). Frames are sent as they are given, rate and parity included; what is
 * heard at another rate than `rates` said is SCRIP_E_MAC. Switching on waits 5 ms; a card that does not start is no
 * card. `field` is borrowed. */
void scrip_field_radio(struct scrip_field *field, struct scrip_radio *radio);

#endif
