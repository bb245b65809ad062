/* pcsc.h: what a contactless PC/SC reader adds to a card (PC/SC part 3): the synthetic ATR and the pseudo-APDUs of
 * class FF for storage cards. The same code stands behind the presented reader, behind the links pn532:, mfrc522: and
 * card:, and in the firmware, so that a purse speaks one language to every reader.
 *
 * The language of our purses on storage cards (all of it understood by ACS-style readers):
 *   FF 82 00 slot 06 key            load a key, slot 0 or 1
 *   FF 86 00 00 05 01 00 block 60|61 slot     authenticate with key A | B
 *   FF B0 00 block 10               read a block
 *   FF D6 00 block 10 data          write a block
 *   FF D7 00 block 05 01|02 v[4]    increment | decrement and transfer, most significant byte first
 *   FF D7 00 source 02 03 target    restore and transfer */
#ifndef SCRIP_PCSC_H
#define SCRIP_PCSC_H

#include <scrip/coupler.h>
#include <scrip/link.h>

/** Key slots of the reader. */
#define SCRIP_PCSC_SLOTS        2U

/** Status words of pseudo-APDUs. */
#define SCRIP_PCSC_OK           0x9000U
#define SCRIP_PCSC_FAILED       0x6300U /**< refused by the card, or the wrong key */
#define SCRIP_PCSC_NO_CARD      0x6301U /**< the card did not answer: what a write did is not known */
#define SCRIP_PCSC_SECURITY     0x6982U /**< not authenticated for that block */
#define SCRIP_PCSC_NO_KEY       0x6984U /**< the slot holds no key */
#define SCRIP_PCSC_NO_FUNCTION  0x6A81U
#define SCRIP_PCSC_WRONG_DATA   0x6A80U /**< two blocks named, or a trailer that would lock its sector */
#define SCRIP_PCSC_NO_BLOCK     0x6A82U
#define SCRIP_PCSC_WRONG_LENGTH 0x6700U
#define SCRIP_PCSC_NO_COMMAND   0x6D00U

/** A reader with one card. Fields private, but for `target` and `direct`. Wipe with scrip_pcsc_off. */
struct scrip_pcsc {
    struct scrip_coupler *coupler; /* borrowed */
    struct scrip_target target;    /**< who is there */
    bool present;
    bool active; /* selected; false: select again before the next command */
    bool authenticated;
    uint8_t sector;  /* authenticated */
    uint8_t key_set; /* bit per slot that holds a key */
    uint8_t keys[SCRIP_PCSC_SLOTS][6];
    bool transparent; /* a transparent session is open */
    bool dark;        /* it has switched the carrier off */
    bool cycled;      /* or off and on: the card must be found anew */
    bool prologue;    /* it leaves blocks of part 4 to the reader */
    uint8_t layer;    /* it speaks at: 2, 3 or 4 */
    uint32_t fwt_us;  /* it waits for an answer */
    struct scrip_coupler_raw raw;
    uint8_t lamps; /* ACR122U: bit 0 red, bit 1 green; polling */
    uint8_t parameter;
    /** FF 00 00 00: commands to the chip itself, in the PN532's form: D4 and a command in, D5 and the answer out. Set
     *  after scrip_pcsc_init; NULL: this reader has none (6D00). What it does to the card is followed by a selection.
     *  @return SCRIP_OK; SCRIP_E_TIMEOUT (6301); SCRIP_E_MAC: checksum (6327); SCRIP_E_FORMAT: no such command (637F);
     *          SCRIP_E_SPACE; SCRIP_E_LINK */
    enum scrip_status (*direct)(void *ctx, struct scrip_bytes command, struct scrip_buf *response);
    void *direct_ctx;
};

/** A reader over a coupler. */
void scrip_pcsc_init(struct scrip_pcsc *pcsc, struct scrip_coupler *coupler);

/** Look for a card, power it up and select it. @param info  UID, and the ATR in place of the ATS of storage cards
 *  @return as scrip_coupler_ops.find */
enum scrip_status scrip_pcsc_connect(struct scrip_pcsc *pcsc, uint32_t timeout_ms, struct scrip_card_info *info);

/** Answer a command APDU: class FF here, the rest by a card of part 4 (storage cards: 6D00).
 *  @return SCRIP_OK; SCRIP_E_TORN: the card went in the middle of it (pseudo-APDUs answer SCRIP_PCSC_NO_CARD instead);
 *          SCRIP_E_NO_CARD: there is none; SCRIP_E_SPACE; SCRIP_E_LINK */
enum scrip_status scrip_pcsc_apdu(struct scrip_pcsc *pcsc, struct scrip_bytes command, struct scrip_buf *response);

/** Take power from the card, forget keys and sessions. */
void scrip_pcsc_off(struct scrip_pcsc *pcsc);

/** The ATR of a card: of its historical bytes (part 4), or the 20 bytes of a storage card named by its SAK.
 *  @return length */
size_t scrip_pcsc_atr(const struct scrip_target *target, uint8_t atr[33]);

/** What raw frames have announced: the next one writes a trailer, what is heard now is one. For one card's commands in
 *  their order; all zeros to begin with. Fields private. */
struct scrip_pcsc_redaction {
    bool writes;
    bool reads;
};

/** Put zeros over key material in a pseudo-APDU before it goes into a trace: keys that are loaded, and trailers that
 *  are written, by the reader's commands, through the chip or in raw frames. Other APDUs stay as they are. Frames that
 *  a program enciphers by itself are shown as they go through the air.
 *  @param command  changed in place @return whether anything was hidden */
bool scrip_pcsc_redact(struct scrip_pcsc_redaction *seen, uint8_t *command, size_t len);

/** The same for its answer: where key B is data a trailer that is read shows it, and it may be the key A of others.
 *  @param seen     after scrip_pcsc_redact of the command
 *  @param command  as it was sent or as it is shown  @param answer  with its status word, changed in place */
bool scrip_pcsc_redact_answer(const struct scrip_pcsc_redaction *seen, struct scrip_bytes command, uint8_t *answer,
                              size_t len);

/** Most bytes of a command, and of an answer, that are looked at for its explanation. */
#define SCRIP_PCSC_EXPLAIN_COMMAND 320U

/** A pseudo-APDU and its answer in one line of words, without newline: "reader: decrement block 4 by 150 -> OK". Keys
 *  are never among them.
 *  @param seen      as for scrip_pcsc_redact
 *  @param response  empty: it was not answered
 *  @param text      receives the line and its NUL, cut where it does not fit; @param cap at least 1
 *  @return length of the line; 0: not of class FF */
size_t scrip_pcsc_explain(struct scrip_pcsc_redaction *seen, struct scrip_bytes command, struct scrip_bytes response,
                          char *text, size_t cap);

#endif
