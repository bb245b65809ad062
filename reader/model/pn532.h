/* pn532.h: the PN532 as a model: its commands, without frames, over a CIU and a field of virtual cards. On it sit the
 * serial line of pn532_hsu.h and the direct transmit of a PC/SC reader. Private to reader/.
 *
 * Commands and answers begin with the command code, D4 and D5 left out: 4A 01 00 in, 4B 00 out.
 *
 * What a card of ISO/IEC 14443-4 is sent goes through real blocks; what a MIFARE Classic is sent is enciphered by the
 * CIU. Time is the field's: a command is over when the function returns. */
#ifndef READER_MODEL_PN532_H
#define READER_MODEL_PN532_H

#include "ciu.h"

/** Most bytes behind D4 and D5, the code included: a frame's LEN is at most 265 with the direction byte. */
#define PN532_MODEL_DATA    264U

/** Longest command and response of a card, put together from pieces of 262 bytes. */
#define PN532_MODEL_APDU    4096U

/** Cards that the chip keeps at a time. */
#define PN532_MODEL_TARGETS 2U

/* A card that was listed. */
struct pn532_model_target {
    struct scrip_target card;
    struct scrip_pcd_4 blocks;
    bool known;  /* listed, and not released */
    bool part_4; /* activated by RATS */
    bool fresh;  /* no block was exchanged yet: PPS is still allowed */
    uint8_t rate_in, rate_out;
};

/** A PN532. Fields private; must not move. */
struct scrip_pn532_model {
    struct scrip_ciu ciu;
    struct scrip_mifare_auth auth;
    struct pn532_model_target targets[PN532_MODEL_TARGETS];
    uint8_t active;       /* number of the selected target, 1 or 2; 0: none */
    uint8_t parameters;   /* of SetParameters */
    uint8_t retries[3];   /* MxRtyATR, MxRtyPSL, MxRtyPassiveActivation */
    uint8_t com_retries;  /* MaxRtyCOM */
    uint8_t com_timeout;  /* code: 100 us * 2^(n-1) */
    uint8_t sam;          /* mode of SAMConfiguration */
    uint8_t error;        /* status of the last command to a card */
    uint8_t gpio[3];      /* P3, P7, I0I1 */
    bool asleep;          /* after PowerDown, until anything arrives */
    uint8_t waiting[18];  /* a command that waits for a card */
    uint8_t waiting_len;  /* 0: none */
    struct scrip_buf out; /* response of a card of which pieces are still to be fetched */
    size_t out_sent;
    struct scrip_buf in; /* command to a card that comes in pieces */
    uint8_t out_room[PN532_MODEL_APDU];
    uint8_t in_room[PN532_MODEL_APDU];
};

/** A chip after power-on, in LowVBat, carrier off. `field` and `random` are borrowed. */
void scrip_pn532_model_init(struct scrip_pn532_model *chip, struct scrip_field *field,
                            const struct scrip_random *random);

/** Carry out one command; it ends one that still waits for a card.
 *  @param answer  PN532_MODEL_DATA bytes must be free; unchanged unless SCRIP_OK
 *  @return SCRIP_OK; SCRIP_E_FORMAT: no such command, or not of this form: the chip sends its error frame;
 *          SCRIP_E_WAIT: no card yet and the host told it to go on for ever: see scrip_pn532_model_again;
 *          SCRIP_E_SPACE */
enum scrip_status scrip_pn532_model_command(struct scrip_pn532_model *chip, struct scrip_bytes command,
                                            struct scrip_buf *answer);

/** Look once more for the card that a command waits for. @return as scrip_pn532_model_command; SCRIP_E_STATE: nothing
 *  waits */
enum scrip_status scrip_pn532_model_again(struct scrip_pn532_model *chip, struct scrip_buf *answer);

/** Give up what waits (the host sent ACK). */
void scrip_pn532_model_abort(struct scrip_pn532_model *chip);

#endif
