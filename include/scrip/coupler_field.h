/* coupler_field.h: a coupler in software, over a field of virtual cards: what a reader chip with its driver does,
 * without the chip. Freestanding. */
#ifndef SCRIP_COUPLER_FIELD_H
#define SCRIP_COUPLER_FIELD_H

#include <scrip/coupler.h>
#include <scrip/field.h>
#include <scrip/mifare.h>

/** A reader over a field. Give `coupler` to whoever wants one. Other fields private, but for `fastest`. It points into
 *  itself and may not move. */
struct scrip_coupler_field {
    struct scrip_coupler coupler;
    uint8_t fastest; /**< enum scrip_rate up to which cards of part 4 are spoken to; SCRIP_RATE_106 after _init */
    struct scrip_radio air;
    struct scrip_mifare_soft soft; /* over `air` */
    struct scrip_target target;    /* of the last find; uid_len 0: none */
    struct scrip_pcd_4 blocks;
    bool part_4; /* `blocks` is under way */
};

/** Bind to a field, whose carrier stays as it is; no card is found yet. What the operations of coupler.h do here:
 *
 *  find: up to three power cycles, until a card is selected (and activated, where it can part 4). Cards do not come
 *  while a call is under way, so `timeout_ms` is not waited for. With several cards in the field it is always the same.
 *
 *  again: S(DESELECT) where it applies, then WUPA up to three times: the first throws back a card that is active still.
 *
 *  mifare: Crypto-1 in software. Also SCRIP_E_RANDOM: `random` failed; SCRIP_E_STATE: the card is one of part 4.
 *
 *  raw: with parity as any other frame, so enciphered inside a session of `mifare`; without, nine bits to the byte, as
 *  they are. What is shorter than a byte (ACK) is never looked at for a CRC. An answer to an ANTICOLLISION that ended
 *  inside a byte begins at that bit of the first byte; the bits below are 0, and `last_bits` counts them. Never
 *  SCRIP_E_UNSUPPORTED or SCRIP_E_LINK; SCRIP_E_ARGUMENT: nothing to send.
 *
 *  power: the carrier; the card is forgotten.
 *
 *  @param field, random  borrowed */
void scrip_coupler_field_init(struct scrip_coupler_field *coupler, struct scrip_field *field,
                              const struct scrip_random *random);

#endif
