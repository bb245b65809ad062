/* pn532_port.h: frames of the PN532 and the ways they travel.
 *
 *   normal    00 00 FF  LEN LCS  TFI data DCS 00            LEN + LCS = 0, TFI + data + DCS = 0 (mod 256)
 *   extended  00 00 FF  FF FF  LENM LENL LCS  TFI data DCS 00
 *   ACK       00 00 FF  00 FF  00            NACK  00 00 FF  FF 00  00
 *   error     00 00 FF  01 FF  7F 81  00 */
#ifndef READER_CHIP_PN532_PORT_H
#define READER_CHIP_PN532_PORT_H

#include <scrip/pn532.h>

enum pn532_kind {
    PN532_ACK,
    PN532_NACK,
    PN532_DATA, /* the error frame is one too: its content is 7F */
};

/* What stands behind 00 FF. */
struct pn532_head {
    enum pn532_kind kind;
    size_t len; /* of the content, TFI included; 0 for ACK and NACK */
};

/* What the chip is expected to say. */
enum pn532_expect {
    PN532_EXPECT_ACK,    /* after a command: skip what is left of older conversations */
    PN532_EXPECT_ANSWER, /* after the ACK: anything but zeros in front of a frame means that the frame is damaged */
};

struct scrip_pn532_port {
    /* Bring the chip out of power-down. */
    enum scrip_status (*wake)(struct scrip_pn532 *pn532);
    /* Send the frame of `len` bytes at pn532->frame + 1; the byte before it is the port's, and all may be altered. */
    enum scrip_status (*send)(struct scrip_pn532 *pn532, size_t len);
    /* Hear one frame; its content (TFI and data) is left at pn532->frame.
     * Returns SCRIP_E_TIMEOUT: none came; SCRIP_E_MAC: something came and is damaged; SCRIP_E_LINK. */
    enum scrip_status (*receive)(struct scrip_pn532 *pn532, enum pn532_expect expect, struct pn532_head *head,
                                 uint32_t timeout_ms);
    /* Throw away what the chip says until it is quiet. */
    enum scrip_status (*drain)(struct scrip_pn532 *pn532);
};

#define PN532_CONTENT_MAX (SCRIP_PN532_DATA + 1U) /* with TFI */
#define PN532_HEAD_MAX    5U                      /* FF FF LENM LENL LCS */
#define PN532_QUIET_MS    10U                     /* silence after which nothing more will come */
#define PN532_PIECE_MS    500U /* for the rest of a frame that has begun; 265 bytes take 24 ms, a busy host more */

/* Length of the head that begins with these two bytes: 2, or 5 for an extended frame. */
size_t pn532_head_size(const uint8_t begin[2]);

/* Decode a head of that length. Returns SCRIP_E_MAC: no head, or a length that no frame has. */
enum scrip_status pn532_head_get(const uint8_t *at, struct pn532_head *head);

/* Are content, DCS and postamble whole? */
bool pn532_body_good(const uint8_t *at, size_t len);

/* Milliseconds since `since`. */
uint32_t pn532_elapsed_ms(const struct scrip_pn532 *pn532, uint32_t since);

/* One command: `code`, then `head` and `body`; neither may lie in pn532->frame. The answer without D5 and code is
 * borrowed from pn532->frame until the next call. Results as scrip_pn532_command. */
enum scrip_status pn532_converse(struct scrip_pn532 *pn532, uint8_t code, struct scrip_bytes head,
                                 struct scrip_bytes body, struct scrip_bytes *answer, uint32_t timeout_ms);

/* Common to the three scrip_pn532_init_. */
void pn532_init(struct scrip_pn532 *pn532, const struct scrip_pn532_port *port, const struct scrip_ticks *ticks);

#endif
