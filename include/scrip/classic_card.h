/* classic_card.h: a MIFARE Classic card, 1K or 4K, at the level of frames: memory, access bits, both keys, value
 * blocks, Crypto-1 with encrypted parity. It stands in a field as a `struct scrip_picc`.
 *
 * Memory: one block of 16 bytes in each page of `nv` (the first 16 bytes), so that a torn write can harm no other
 * block, as on the chip. Block b is page b. Page 0 also says what the factory decided; it is never written in the
 * field. One page behind the last block keeps what PersonalizeUIDUsage decided. */
#ifndef SCRIP_CLASSIC_CARD_H
#define SCRIP_CLASSIC_CARD_H

#include <scrip/host.h>
#include <scrip/mifare_front.h>

/** How the card answers those who do not know a key. */
enum scrip_classic_profile {
    SCRIP_CLASSIC_HARDENED, /**< random nonces of 32 bits; silence to a wrong reader: the default */
    SCRIP_CLASSIC_GENUINE,  /**< as the chip: nonces of a 16-bit generator that runs with the field's bit clock from a
                                 fixed state on; an enciphered NAK to a wrong answer whose parity bits are right */
};

/** What the factory decides. */
struct scrip_classic_identity {
    uint8_t uid[7];
    uint8_t uid_len; /**< 4 or 7 */
    bool is_4k;
};

/** How a card of seven bytes shows itself (PersonalizeUIDUsage). It counts from the next power-on. */
enum scrip_classic_uid_usage {
    SCRIP_CLASSIC_UIDF0 = 0x00, /**< seven bytes: as delivered */
    SCRIP_CLASSIC_UIDF1 = 0x40, /**< seven bytes (the chip's shorter selection is not offered) */
    SCRIP_CLASSIC_UIDF2 = 0x20, /**< a random number of four bytes, new at each power-on, beginning with 08 */
    SCRIP_CLASSIC_UIDF3 = 0x60, /**< four bytes computed from the seven [AN10927] */
};

/** Pages of memory that a card takes. */
uint32_t scrip_classic_card_pages(bool is_4k);

/** Options of an emulated card. */
struct scrip_classic_options {
    uint8_t profile; /**< enum scrip_classic_profile */
};

struct scrip_classic_host {
    const struct scrip_nv *nv;
    const struct scrip_random *random; /**< nonces and random UIDs */
};

/** A card. Put `picc` into a field. Fields private otherwise. */
struct scrip_classic_card {
    struct scrip_picc picc;
    struct scrip_mifare_front front;
    const struct scrip_nv *nv;
    bool is_4k;
    bool intact; /* the authenticated sector's access bits are; they are kept in `access` */
    struct scrip_classic_access access;
    int32_t buffer; /* what the transfer buffer holds, when front.buffer_valid */
    uint8_t buffer_address;
};

/** Make a card as it comes from the factory: all keys FF, access bits FF 07 80, other blocks 00.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: UID of a wrong length, or that begins like a cascade (88 as first byte of four
 *          or fourth byte of seven); SCRIP_E_SPACE: nv too small; SCRIP_E_NV */
enum scrip_status scrip_classic_card_make(const struct scrip_nv *nv, const struct scrip_classic_identity *identity);

/** Bind a card to its memory; unpowered. Borrowed: host's members, for as long as the card is used.
 *  picc.ops->power: SCRIP_E_NV; SCRIP_E_CORRUPT: there is no card in this memory; SCRIP_E_RANDOM.
 *  picc.busy_us: 300 for what is computed or read, 4000 for a block written [decided here, as the chip's data sheet has
 *  no figures] */
void scrip_classic_card_init(struct scrip_classic_card *card, const struct scrip_classic_host *host,
                             const struct scrip_classic_options *options);

/** Who the card in this memory is; the UID is that of block 0. @return SCRIP_OK; SCRIP_E_CORRUPT: no card; SCRIP_E_NV
 */
enum scrip_status scrip_classic_card_identity(const struct scrip_nv *nv, struct scrip_classic_identity *identity);

/** Read or write a block past all rights, as an image tool does; never while the card is powered. Writing block 0
 *  changes the UID.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: no such block; SCRIP_E_CORRUPT: no card; SCRIP_E_NV */
enum scrip_status scrip_classic_card_peek(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK]);
enum scrip_status scrip_classic_card_poke(const struct scrip_nv *nv, uint8_t block,
                                          const uint8_t data[SCRIP_CLASSIC_BLOCK]);

#endif
