/* otp_card.h: the one-time wallet card, at the level of frames: a MIFARE Classic 1K to whoever selects it, with four
 * sectors of memory that can be written once and a balance that can only fall. It stands in a field as a
 * `struct scrip_picc`.
 *
 * Memory, pages of `nv`: block b in the first 16 bytes of page b; unit bits 1..6000 in pages 16..27; the pointers of
 * block b in page 28 + b, alone, so that no write puts anything at risk but what it writes. One command programs at
 * most two pages, the data and then its pointers; a deduction programs one bit of one page. */
#ifndef SCRIP_OTP_CARD_H
#define SCRIP_OTP_CARD_H

#include <scrip/host.h>
#include <scrip/mifare_front.h>
#include <scrip/otp.h>

/** Pages of memory that a card takes. */
#define SCRIP_OTP_PAGES  44U

/** What programming one bit takes, microseconds. */
#define SCRIP_OTP_BIT_US 200U

/* ---- memory in which a programmed bit never returns ---- */

/** Memory around another one that can only set bits. Fields private. */
struct scrip_otp_nv {
    const struct scrip_nv *under; /* borrowed */
};

/** One-time memory over `under`, whose pages start as zeros. A write programs the bits that the page does not have yet;
 *  data that would clear one is refused with SCRIP_E_NV and nothing changes; data that adds none is not written.
 *
 *  An interrupted write may leave any of the new bits programmed and others not, which is what one-time cells do. The
 *  memory below must not do worse: a host that may leave garbage in an interrupted page cannot carry this card. */
struct scrip_nv scrip_otp_nv(struct scrip_otp_nv *otp, const struct scrip_nv *under);

/* ---- the card ---- */

/** What the factory decides. */
struct scrip_otp_identity {
    uint8_t uid[4];          /**< not beginning with 88 */
    uint8_t manufacturer[8]; /**< last bytes of block 0 */
};

struct scrip_otp_host {
    const struct scrip_nv *nv; /**< the memory itself, not wrapped: the card does that */
    const struct scrip_random *random;
};

/** Options of an emulated card. */
struct scrip_otp_options {
    bool genuine; /**< answers those who know no key as the chip does: scrip_mifare_front.genuine */
};

/** A card. Put `picc` into a field. Fields private otherwise. */
struct scrip_otp_card {
    struct scrip_picc picc;
    struct scrip_mifare_front front;
    struct scrip_otp_nv memory;
    struct scrip_nv nv; /* one-time memory over the host's */
    uint16_t pending;   /* unit bit that TRANSFER programs, when front.buffer_valid */
};

/** Make a card as it leaves the factory: block 0 written, everything else blank, default passwords.
 *  @param nv  overwritten, the only time that bits of it are cleared
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: UID begins with 88; SCRIP_E_SPACE: nv too small; SCRIP_E_NV */
enum scrip_status scrip_otp_card_make(const struct scrip_nv *nv, const struct scrip_otp_identity *identity);

/** Bind a card to its memory; unpowered. Borrowed: host's members, for as long as the card is used. The card may not
 *  move. */
void scrip_otp_card_init(struct scrip_otp_card *card, const struct scrip_otp_host *host,
                         const struct scrip_otp_options *options);

/* ---- past all rights, as an image tool reads; never while the card is powered ---- */

/** A block as stored. @return SCRIP_OK; SCRIP_E_ARGUMENT: no such block; SCRIP_E_NV */
enum scrip_status scrip_otp_card_peek(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK]);

/** Is a bit of the subtraction area programmed? @param bit  1..6144
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: no such bit; SCRIP_E_NV */
enum scrip_status scrip_otp_card_bit(const struct scrip_nv *nv, uint16_t bit, bool *programmed);

/** The highest programmed unit bit, 0: none. @return SCRIP_OK; SCRIP_E_NV */
enum scrip_status scrip_otp_card_used(const struct scrip_nv *nv, uint16_t *used);

#endif
