/* mifare_front.h: what every card with the command set of MIFARE Classic does before its memory is asked: selection,
 * the three passes, enciphered frames and parity, commands in one or two parts, ACK and NAK.
 *
 * A card embeds a front, gives it a table of its handlers and a few answers about keys; its handlers see plain data of
 * the right length inside an authenticated session, and say yes or no. They are given the card's `picc`, which is the
 * first member of the card. */
#ifndef SCRIP_MIFARE_FRONT_H
#define SCRIP_MIFARE_FRONT_H

#include <scrip/classic.h>
#include <scrip/host.h>
#include <scrip/mifare_sm.h>
#include <scrip/picc.h>

/** What a card does at one of its commands; the form of command and answer is in the row of scrip_classic_command. Both
 *  run inside an authenticated session only, and return
 *    SCRIP_OK      yes: ACK, block, or silence, as the row says
 *    SCRIP_E_CARD  no: NAK, and the card falls back to IDLE or HALT
 *    SCRIP_E_NV    power was lost: nothing is answered any more */
struct scrip_mifare_handler {
    uint8_t opcode;
    /** May it be? Asked at the first frame. @param block  as sent, not checked */
    enum scrip_status (*check)(struct scrip_picc *picc, uint8_t block);
    /** Do it: at once, or at the second frame where the row has an operand.
     *  @param operand  of the row's length, NULL where it has none
     *  @param data     receives the block that is answered */
    enum scrip_status (*finish)(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                uint8_t data[SCRIP_CLASSIC_BLOCK]);
};

/** What a card is asked. */
struct scrip_mifare_front_ops {
    const struct scrip_mifare_handler *handlers;
    size_t count;
    /** The key of a block's sector. @return SCRIP_OK; SCRIP_E_NOT_FOUND: no such block; SCRIP_E_NV */
    enum scrip_status (*key)(struct scrip_picc *picc, uint8_t block, bool key_b, uint8_t key[6]);
};

/** The front of a card. Set uid, uid_len, atqa and sak of `a`, and the public members; the rest is private. */
struct scrip_mifare_front {
    struct scrip_picc_a a;                    /**< who the card is */
    const struct scrip_mifare_front_ops *ops; /**< what it does */
    const struct scrip_random *random;        /**< borrowed; four bytes make a nonce */
    bool genuine;      /**< as the chip: nonces of the 16-bit generator that runs with the carrier, and a NAK under the
                            keystream for a wrong proof whose parity is right. Else random nonces, and silence */
    bool buffer_valid; /**< the transfer buffer; made invalid at selection, authentication and NAK */
    uint8_t sector;    /**< authenticated; for handlers */
    bool key_b;        /**< with key B; for handlers */
    uint8_t stage;
    uint8_t row;   /* of the handler whose operand is awaited */
    uint8_t block; /* its block */
    struct scrip_crypto1 cipher;
    uint32_t nt;
    uint64_t on_fc; /* when the field came */
};

/** The field comes or goes: IDLE without a session, or OFF. */
void scrip_mifare_front_power(struct scrip_mifare_front *front, struct scrip_picc *picc, bool on);

/** A frame arrived. picc->busy_us is made zero before any handler runs.
 *  @param picc  the card that embeds the front
 *  @return as scrip_picc_ops.frame */
enum scrip_status scrip_mifare_front_frame(struct scrip_mifare_front *front, struct scrip_picc *picc,
                                           const struct scrip_frame *in, struct scrip_frame *out);

#endif
