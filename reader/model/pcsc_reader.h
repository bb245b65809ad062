/* pcsc_reader.h: a contactless PC/SC reader as a model: cards in its field, the pseudo-APDUs of core/pcsc, and a PN532
 * for direct transmit. The skin of vpcd.c makes it one that PC/SC programs see. Private to reader/.
 *
 * Two masters speak to the cards: the reader, which selects and enciphers in software, and the chip's own commands.
 * Each finds the cards in a state that the other has left; so the reader selects again after the chip (core/pcsc does),
 * and the chip is given the card as its target 1 after the reader, as an ACR122U, which polls, has it there already. */
#ifndef READER_MODEL_PCSC_READER_H
#define READER_MODEL_PCSC_READER_H

#include "pn532.h"
#include <scrip/coupler_field.h>
#include <scrip/pcsc.h>

/* A reader. Must not move. */
struct pcsc_reader {
    struct scrip_field field;
    struct scrip_random random;
    struct scrip_coupler_field coupler;
    struct scrip_pn532_model chip;
    bool chip_speaks; /* since the reader itself did last */
    struct scrip_pcsc pcsc;
    bool powered;
    size_t atr_len; /* of the card that was selected last, powered or not */
    uint8_t atr[33];
};

/** Lay cards before the reader; no power yet. @param random  copied; what its ctx points at is borrowed
 *  @return SCRIP_OK; SCRIP_E_LIMIT, SCRIP_E_ARGUMENT: as scrip_field_add */
enum scrip_status pcsc_reader_init(struct pcsc_reader *reader, struct scrip_picc *const *cards, size_t count,
                                   struct scrip_random random);

/** A cold or warm reset: power off and on, one card selected, its ATR made.
 *  @return SCRIP_OK; SCRIP_E_NO_CARD: no card answers */
enum scrip_status pcsc_reader_on(struct pcsc_reader *reader);

/** Take power away; sessions and keys are forgotten. */
void pcsc_reader_off(struct pcsc_reader *reader);

/** Answer an APDU. @return as scrip_pcsc_apdu */
enum scrip_status pcsc_reader_apdu(struct pcsc_reader *reader, struct scrip_bytes command, struct scrip_buf *response);

#endif
