/* frame.h: frames of ISO/IEC 14443-3 type A as they are on the air: bits, parity and rate.
 *
 * Bytes travel least significant bit first. Every byte that is complete when the frame ends is followed by a parity
 * bit; a short frame (7 bits), a MIFARE answer of 4 bits and the cut last byte of an anticollision frame have none. */
#ifndef SCRIP_FRAME_H
#define SCRIP_FRAME_H

#include <scrip/bytes.h>

/** Most bytes of a frame: FSD and FSC of 256 (ISO/IEC 14443-4 code 8), and room to be too long. */
#define SCRIP_FRAME_MAX 264U

/** The carrier, Hz. Times of the air are counted in its cycles ("fc"). */
#define SCRIP_FC_HZ     13560000U

/** Bit rates; the numbers are those of DSI and DRI in PPS. */
enum scrip_rate {
    SCRIP_RATE_106,
    SCRIP_RATE_212,
    SCRIP_RATE_424,
    SCRIP_RATE_848,
};

/** One frame. Bits are packed from bit `align` of data[0] on, least significant first. */
struct scrip_frame {
    uint16_t bits; /**< data bits, parity not counted; 0: silence */
    uint8_t align; /**< 0..7: bits of data[0] that the other side has sent already (anticollision answers) */
    uint8_t rate;  /**< enum scrip_rate */
    uint16_t
        collision; /**< received from several cards: 1 + number of the first data bit in which they differ; 0: none */
    uint8_t data[SCRIP_FRAME_MAX];
    uint8_t parity[SCRIP_FRAME_MAX / 8]; /**< bit i % 8 of parity[i / 8]: the parity bit behind data[i] */
};

/** Silence. */
void scrip_frame_clear(struct scrip_frame *frame);

/** A short frame: REQA 26h, WUPA 52h. */
void scrip_frame_short(struct scrip_frame *frame, uint8_t code);

/** A MIFARE answer of four bits, without parity. */
void scrip_frame_nibble(struct scrip_frame *frame, uint8_t value);

/** A standard frame of whole bytes with odd parity, without CRC. @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_frame_bytes(struct scrip_frame *frame, struct scrip_bytes bytes);

/** The same with CRC_A behind it. @return SCRIP_OK; SCRIP_E_SPACE */
enum scrip_status scrip_frame_bytes_crc(struct scrip_frame *frame, struct scrip_bytes bytes);

/** Bytes that the frame touches, a cut first or last one included. */
size_t scrip_frame_len(const struct scrip_frame *frame);

/** The parity bit behind byte `i`; and how to set it. */
bool scrip_frame_parity(const struct scrip_frame *frame, size_t i);
void scrip_frame_parity_set(struct scrip_frame *frame, size_t i, bool parity);

/** Odd parity of a byte: 1 when it has an even number of ones. */
bool scrip_odd_parity(uint8_t byte);

/** Make every parity bit odd, as for a frame in the clear. */
void scrip_frame_parity_fill(struct scrip_frame *frame);

/** The content of a standard frame in the clear, borrowed from the frame.
 *  @return SCRIP_OK; SCRIP_E_LENGTH: no whole bytes, or none; SCRIP_E_MAC: a parity bit is wrong, or bits collided */
enum scrip_status scrip_frame_content(const struct scrip_frame *frame, struct scrip_bytes *content);

/** The same of a frame with CRC_A, which is checked and left out.
 *  @return as scrip_frame_content; SCRIP_E_MAC also for a wrong CRC; SCRIP_E_LENGTH also for less than a CRC */
enum scrip_status scrip_frame_content_crc(const struct scrip_frame *frame, struct scrip_bytes *content);

/** How long a frame is on the air, in cycles of the carrier. Reader short frame 9 etu, standard frame 9n + 2, card's
 *  4 bits 6; an etu is 128, 64, 32, 16 cycles by rate; above 106 kbit/s 512 cycles precede what a card sends. */
uint32_t scrip_frame_time_fc(const struct scrip_frame *frame, bool from_card);

#endif
