/* desfire_card.h: the card's half of MIFARE DESFire EV1, EV2, EV3 and Light, as a state machine over non-volatile
 * memory. Every change of memory goes through the host's nv interface, page by page; losing power at any write leaves
 * the old or the new state, repaired at the next power-on. */
#ifndef SCRIP_DESFIRE_CARD_H
#define SCRIP_DESFIRE_CARD_H

#include <scrip/bytes.h>
#include <scrip/desfire.h>
#include <scrip/desfire_sm.h>
#include <scrip/host.h>

/** What the factory decides. */
struct scrip_desfire_identity {
    uint8_t generation;    /**< enum scrip_desfire_generation */
    uint8_t uid[7];        /**< first byte 04 for NXP */
    uint8_t storage;       /**< GetVersion storage byte: 16=2K 18=4K 1A=8K 1C=16K 1E=32K */
    uint8_t batch[5];      /**< GetVersion */
    uint8_t week, year;    /**< GetVersion, BCD */
    uint8_t signature[56]; /**< originality signature to return; all zero: none configured */
};

/** What no public document settles, and what tests vary. */
struct scrip_desfire_options {
    bool keep_pending_on_auth;     /**< a successful First/EV1/D40 authentication keeps an open transaction */
    bool end_session_on_0c;        /**< status 0C ends the session like an error: what a card without options does */
    uint32_t transaction_timer_ms; /**< 0: off; else the longest open transaction before it is aborted */
};

/** What the host supplies; all borrowed for the life of the card. `trace` may be NULL, `clock` too (no timer then). */
struct scrip_desfire_host {
    const struct scrip_nv *nv;
    const struct scrip_random *random;
    const struct scrip_clock *clock;
    const struct scrip_trace *trace;
};

/** Largest response APDU the card gives, bytes incl. SW. */
#define SCRIP_DESFIRE_RAPDU_MAX 4096U

struct scrip_desfire_card;
#include <scrip/desfire_card_state.h>

/** Pages of nv that a card of a GetVersion storage byte (11h..20h) takes; 0: no such size. */
uint32_t scrip_desfire_card_pages(uint8_t storage);

/** Make a factory-fresh card in `nv` (PICC master key: DES, zero, version 0; no applications).
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: no such generation or storage, or one too small for the other; SCRIP_E_SPACE: nv
 *          too small for the storage byte; SCRIP_E_NV */
enum scrip_status scrip_desfire_card_make(const struct scrip_nv *nv, const struct scrip_desfire_identity *identity);

/** Power a card that was made: repair what a power loss left, then be as after activation.
 *  @param options NULL: 0C ends the session, an authentication drops what is pending, no timer
 *  @return SCRIP_OK; SCRIP_E_CORRUPT: not a card image; SCRIP_E_NV */
enum scrip_status scrip_desfire_card_on(struct scrip_desfire_card *card, const struct scrip_desfire_host *host,
                                        const struct scrip_desfire_options *options);

/** Field lost or S(DESELECT): all volatile state goes, keys are wiped. The next use needs scrip_desfire_card_on. */
void scrip_desfire_card_off(struct scrip_desfire_card *card);

/** Answer one command APDU in any framing (wrapped 90.., ISO 7816-4, or native).
 *  @param rsp  receives the response; SCRIP_DESFIRE_RAPDU_MAX bytes should be free
 *  @return SCRIP_OK if the card answered, refusals included; SCRIP_E_SPACE: rsp too small;
 *          SCRIP_E_NV: storage failed or lost power, the card must be powered on again; SCRIP_E_RANDOM: the host's
 *          random source failed; SCRIP_E_ARGUMENT: an empty command */
enum scrip_status scrip_desfire_card_apdu(struct scrip_desfire_card *card, struct scrip_bytes command,
                                          struct scrip_buf *rsp);

/** UID for anticollision: the real one, or a fresh random 4-byte one (first byte 08) if random ID is configured.
 *  @param uid 10 bytes free @return its length, 4 or 7; 0: the random source failed */
size_t scrip_desfire_card_uid(struct scrip_desfire_card *card, uint8_t *uid);

/** SAK of the last cascade level: 20h unless SetConfiguration option 03 set another. */
uint8_t scrip_desfire_card_sak(struct scrip_desfire_card *card);

/** The answer to select, TL first. @param ats 32 bytes free @return its length */
size_t scrip_desfire_card_ats(const struct scrip_desfire_card *card, uint8_t *ats);

#endif
