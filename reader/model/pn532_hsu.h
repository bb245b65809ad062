/* pn532_hsu.h: the PN532's high speed UART: frames out of a stream of bytes, ACK, NACK and error frames. Private to
 * reader/.
 *
 *   normal    00 00 FF LEN LCS D4 code ... DCS 00        extended  00 00 FF FF FF LENM LENL LCS D4 code ... DCS 00
 *   ACK       00 00 FF 00 FF 00                          NACK      00 00 FF FF 00 00
 *
 * The chip acknowledges a frame, then answers. An ACK or a new command from the host ends a command that still waits
 * for a card; NACK asks for the last answer again. What is no frame is skipped, up to the next 00 FF. */
#ifndef READER_MODEL_PN532_HSU_H
#define READER_MODEL_PN532_HSU_H

#include "pn532.h"

/** LEN of a frame: direction, code and data. */
#define PN532_HSU_LEN (PN532_MODEL_DATA + 1U)

/** Most bytes that one byte of input can bring out: ACK, and an answer in the extended form. */
#define PN532_HSU_OUT (6U + 10U + PN532_HSU_LEN)

/** The line of a chip. Fields private, but for `woken`. */
struct scrip_pn532_hsu {
    struct scrip_pn532_model *chip; /* borrowed */
    bool woken;                     /**< a wake-up preamble came: what was sent before is for nobody; yours to clear */
    uint8_t stage;
    uint8_t before; /* while hunting: the byte before */
    uint8_t head[3];
    uint8_t head_len;
    uint16_t len;
    uint16_t got;
    uint8_t sum;
    uint8_t frame[PN532_HSU_LEN];
    uint16_t last_len; /* the last answer, for NACK */
    uint8_t last[PN532_HSU_OUT];
};

/** A quiet line. `chip` is borrowed. */
void scrip_pn532_hsu_init(struct scrip_pn532_hsu *line, struct scrip_pn532_model *chip);

/** One byte from the host. @param out  what the chip sends is appended; PN532_HSU_OUT bytes must be free */
void scrip_pn532_hsu_take(struct scrip_pn532_hsu *line, uint8_t byte, struct scrip_buf *out);

/** Time passes: look again for the card that a command waits for. @param out  as above */
void scrip_pn532_hsu_again(struct scrip_pn532_hsu *line, struct scrip_buf *out);

/** Nothing came for long: a frame that was begun will not be completed. */
void scrip_pn532_hsu_quiet(struct scrip_pn532_hsu *line);

/** Does a command wait for a card? */
bool scrip_pn532_hsu_waits(const struct scrip_pn532_hsu *line);

#endif
