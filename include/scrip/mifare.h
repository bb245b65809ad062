/* mifare.h: the reader's half of MIFARE Classic: commands in the clear in, frames out; and Crypto-1 in software for
 * radios that have none.
 *
 * Commands are those that a PN532 takes in InDataExchange:
 *   60|61 block key[6] uid4[4]   authenticate with key A | B       30 block           read: 16 bytes
 *   A0 block data[16]            write                             C0|C1|C2 block v[4]  decrement, increment, restore
 *   B0 block                     transfer                          50 00              halt
 *   40 option                    personalise UID usage
 * Operands are least significant byte first; RESTORE takes four that do not matter. uid4 is the UID of four bytes, or
 * the last four of a longer one. */
#ifndef SCRIP_MIFARE_H
#define SCRIP_MIFARE_H

#include <scrip/host.h>
#include <scrip/mifare_sm.h>
#include <scrip/pcd.h>

#define SCRIP_MIFARE_AUTH_A      0x60U
#define SCRIP_MIFARE_AUTH_B      0x61U
#define SCRIP_MIFARE_READ        0x30U
#define SCRIP_MIFARE_WRITE       0xA0U
#define SCRIP_MIFARE_DECREMENT   0xC0U
#define SCRIP_MIFARE_INCREMENT   0xC1U
#define SCRIP_MIFARE_RESTORE     0xC2U
#define SCRIP_MIFARE_TRANSFER    0xB0U
#define SCRIP_MIFARE_HALT        0x50U
#define SCRIP_MIFARE_PERSONALIZE 0x40U

/** Longest command: opcode, block, and 16 bytes. */
#define SCRIP_MIFARE_COMMAND_MAX 18U

/** Who does the three passes: a chip, or scrip_mifare_soft. */
struct scrip_mifare_auth {
    void *ctx;
    /** @return SCRIP_OK: what the radio sends is enciphered from now on; SCRIP_E_AUTH: refused, the card is gone;
     *          SCRIP_E_RANDOM; SCRIP_E_LINK */
    enum scrip_status (*authenticate)(void *ctx, uint8_t command, uint8_t block, const uint8_t key[6],
                                      const uint8_t uid4[4]);
};

/** Carry out one command: its frames, in one or two parts, with CRC. The radio enciphers them once it was told to.
 *  @param response  16 bytes are appended for READ, nothing otherwise
 *  @return SCRIP_OK; SCRIP_E_AUTH: the authentication failed; SCRIP_E_CARD: refused by the card (NAK) before anything
 *          was changed; SCRIP_E_TORN: no answer, or a damaged one: what a write or transfer did is not known;
 *          SCRIP_E_ARGUMENT: no such command, or of the wrong length; SCRIP_E_SPACE: no room for the response;
 *          SCRIP_E_CORRUPT: WRITE of a trailer whose access bits are damaged, which would block its sector for ever;
 *          SCRIP_E_RANDOM; SCRIP_E_LINK.
 *          Nothing was sent with SCRIP_E_ARGUMENT, SCRIP_E_SPACE and SCRIP_E_CORRUPT; after SCRIP_OK and these the card
 *          is as it was, after all others it must be selected again */
enum scrip_status scrip_mifare_exchange(const struct scrip_radio *radio, const struct scrip_mifare_auth *auth,
                                        struct scrip_bytes command, struct scrip_buf *response);

/** The same for the model of a reader chip, which passes on every trailer as the chip does. Terminals take
 *  scrip_mifare_exchange. @return as there, without SCRIP_E_CORRUPT */
enum scrip_status scrip_mifare_exchange_unchecked(const struct scrip_radio *radio, const struct scrip_mifare_auth *auth,
                                                  struct scrip_bytes command, struct scrip_buf *response);

/** Crypto-1 in software over a radio that sends parity as it is told to. `radio` and `auth` are what
 *  scrip_mifare_exchange takes; both point back into the struct, so it may not move. A NAK of the card and switching
 *  the carrier end the session. Wipe when done (scrip_mifare_soft_drop). */
struct scrip_mifare_soft {
    struct scrip_radio radio;
    struct scrip_mifare_auth auth;
    const struct scrip_radio *air;     /* borrowed */
    const struct scrip_random *random; /* borrowed; for nR */
    struct scrip_crypto1 cipher;
    bool on; /* a session is open */
    struct scrip_frame room;
};

/** Bind; no session is open. `air` is used as it is for selection. */
void scrip_mifare_soft_init(struct scrip_mifare_soft *soft, const struct scrip_radio *air,
                            const struct scrip_random *random);

/** Forget the session: the card was selected anew, or lost. */
void scrip_mifare_soft_drop(struct scrip_mifare_soft *soft);

#endif
