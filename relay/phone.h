/* phone.h: the parts of the phone, among themselves.
 *
 *   stage     what is wanted             left by                          to
 *   SAVE      the state on disk          saved                            POST, or SLEEP if the server asked for a
 * pause POST      the request                an answer of ours                RUN, CARD, SAVE, POST (order again), DONE
 *                                        none, or not of ours             SLEEP, or DONE after give_up_ms
 *   SLEEP     a pause                    slept                            POST
 *   CARD      a card                     came                             RUN
 *                                        gone                             DONE (preamble), SAVE (tell the server)
 *   RUN       a command, reset, notice   answered, good                   RUN, SAVE behind the last
 *                                        answered, bad; silent; gone      SAVE
 *   DONE      nothing                    -                                -
 * An event that a stage does not name is ignored. */
#ifndef RELAY_PHONE_H
#define RELAY_PHONE_H

#include <scrip/relay.h>

enum relay_stage {
    STAGE_DONE,
    STAGE_SAVE,
    STAGE_POST,
    STAGE_SLEEP,
    STAGE_CARD,
    STAGE_RUN,
};

/* phone.c */
void relay_done(struct scrip_relay *relay, enum scrip_relay_outcome outcome, const char *why);
/** The body is complete: save it, then send it. */
void relay_deliver(struct scrip_relay *relay);

/* phone_card.c */
/** The script in `script` was received: check it and carry it out. */
void relay_script_begin(struct scrip_relay *relay);
/** An answer without content, for when the server has nothing for the card. */
void relay_answer_nothing(struct scrip_relay *relay);
/** The card's time in the field is over. */
void relay_card_leave(struct scrip_relay *relay);

/* phone_state.c */
/** Put what must survive into `state`. */
void relay_state_write(struct scrip_relay *relay);
/** Take order URI (into `uri` of the order), step URI and body out of saved bytes.
 *  @return SCRIP_E_CORRUPT */
enum scrip_status relay_state_read(struct scrip_relay *relay, struct scrip_bytes saved);

/* text.c */
/** Copy text with control characters replaced by blanks, cut at `cap` - 1 bytes between characters. */
void relay_text_copy(char *to, size_t cap, struct scrip_bytes text);
/** The same from a terminated text; NULL gives an empty one. */
void relay_text_set(char *to, size_t cap, const char *text);

#endif
