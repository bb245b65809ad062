/* classic_card.h: a MIFARE Classic card, 1K or 4K, at the level of frames: memory, access bits, both keys, value
 * blocks, Crypto-1 with encrypted parity. It stands in a field as a `struct scrip_picc`.
 *
 * Memory: one block of 16 bytes in each page of `nv` (the first 16 bytes), so that a torn write can harm no other
 * block, as on the chip. Block b is page b. One page more keeps what the factory and PersonalizeUIDUsage decided. */
#ifndef SCRIP_CLASSIC_CARD_H
#define SCRIP_CLASSIC_CARD_H

#include <scrip/classic.h>
#include <scrip/crypto1.h>
#include <scrip/host.h>
#include <scrip/picc.h>

/** How the card answers those who do not know a key. */
enum scrip_classic_profile {
    SCRIP_CLASSIC_HARDENED, /**< random nonces; silence to a wrong reader: the default */
    SCRIP_CLASSIC_GENUINE,  /**< the chip's 16-bit nonce generator, clocked by the field; the encrypted NAK */
};

/** What the factory decides. */
struct scrip_classic_identity {
    uint8_t uid[7];
    uint8_t uid_len; /**< 4 or 7 */
    bool is_4k;
};

/** Pages of memory that a card takes. */
uint32_t scrip_classic_card_pages(bool is_4k);

/** Options of an emulated card. */
struct scrip_classic_options {
    uint8_t profile; /**< enum scrip_classic_profile */
};

struct scrip_classic_host {
    const struct scrip_nv *nv;
    const struct scrip_random *random;
};

/** A card. Put `picc` into a field. Fields private otherwise. */
struct scrip_classic_card {
    struct scrip_picc picc;
    struct scrip_picc_a a;
    struct scrip_classic_host host;
    struct scrip_classic_options options;
    bool is_4k;
    struct scrip_crypto1 cipher;
    uint8_t stage;     /* private to card.c */
    uint8_t sector;    /* authenticated */
    bool key_b;        /* with key B */
    uint8_t command;   /* of which the second part is awaited */
    uint8_t block;     /* its block */
    bool buffer_valid; /* transfer buffer */
    int32_t buffer;
    uint8_t buffer_address;
    uint32_t nt;
    uint64_t clock; /* genuine: bit clocks since the field came */
    uint8_t row;    /* private: of the command table */
};

/** Make a card as it comes from the factory: all keys FF, access bits FF 07 80.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: UID of a wrong length, or of four bytes and beginning with 88; SCRIP_E_SPACE:
 *          nv too small; SCRIP_E_NV */
enum scrip_status scrip_classic_card_make(const struct scrip_nv *nv, const struct scrip_classic_identity *identity);

/** Bind a card to its memory; unpowered. Borrowed: host's members, for as long as the card is used. */
void scrip_classic_card_init(struct scrip_classic_card *card, const struct scrip_classic_host *host,
                             const struct scrip_classic_options *options);

/** Read or write a block past all rights, as an image tool does; never while the card is powered.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: no such block; SCRIP_E_NV */
enum scrip_status scrip_classic_card_peek(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK]);
enum scrip_status scrip_classic_card_poke(const struct scrip_nv *nv, uint8_t block,
                                          const uint8_t data[SCRIP_CLASSIC_BLOCK]);

#endif
