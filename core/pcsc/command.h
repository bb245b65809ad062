/* command.h: what the pseudo-APDUs share. Private to core/pcsc. */
#ifndef CORE_PCSC_COMMAND_H
#define CORE_PCSC_COMMAND_H

#include <scrip/apdu.h>
#include <scrip/pcsc.h>

/* Status words beside those of pcsc.h. */
#define SW_END_REACHED    0x6282U /* fewer bytes than Le */
#define SW_NO_SUCH_BLOCK  0x6581U /* authentication */
#define SW_CARD_KEY       0x6982U /* Load Keys: how it may not be loaded, or where */
#define SW_READER_KEY     0x6983U
#define SW_SECURED        0x6985U
#define SW_NOT_VOLATILE   0x6987U
#define SW_SLOT           0x6988U
#define SW_KEY_LENGTH     0x6989U
#define SW_KEY_TYPE       0x6986U /* authentication */
#define SW_WRONG_LE       0x6C00U /* + the right one */
#define SW_CHIP_CHECKSUM  0x6327U /* direct transmit */
#define SW_CHIP_PARAMETER 0x637FU

/* A pseudo-APDU whose P1, P2, Lc and Le are as its row says. */
struct pseudo {
    uint8_t p1, p2;
    struct scrip_bytes data;
    size_t le; /* 0: everything there is */
};

/* The answer: a handler appends data to `out`; the pipeline appends the status word. */
struct answer {
    struct scrip_buf *out;
    uint16_t sw; /* 0: what follows from the handler's status */
    bool bare;   /* nothing goes behind the data: the ACR122U's own habit */
};

/** A handler. SCRIP_OK: sw or 9000. SCRIP_E_CARD: refused, with sw or 6300; what was appended is dropped. For the rest
 *  see status_word in pcsc.c. */
typedef enum scrip_status pseudo_handler(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer);

#define PSEUDO(ins, p1, p2, lc_min, lc_max, what, handler) pseudo_handler pcsc_##handler;
#define ANY                                                0
#include "commands.def"
#undef ANY
#undef PSEUDO

/** Refuse with this status word. */
static inline enum scrip_status refuse(struct answer *answer, uint16_t sw)
{
    answer->sw = sw;
    return SCRIP_E_CARD;
}

/** Data under the rules of Le [PC/SC part 3, 3.2.2.1.3]: too short a Le is refused and told the right one, too long a
 *  one is warned of. */
enum scrip_status pcsc_data(struct answer *answer, size_t le, struct scrip_bytes data);

/** Blocks that a storage card has by its SAK; 0: not a MIFARE Classic. */
uint16_t pcsc_blocks(const struct scrip_target *target);

/** Make sure that the card is selected. @return SCRIP_OK; SCRIP_E_NO_CARD: it is gone, nothing was sent; SCRIP_E_LINK
 */
enum scrip_status pcsc_select(struct scrip_pcsc *pcsc);

/** The card's state is no longer known, or it fell out of it: select before the next command. */
void pcsc_drop(struct scrip_pcsc *pcsc);

/** A command of MIFARE Classic (mifare.h). Anything but SCRIP_OK drops the card. */
enum scrip_status pcsc_mifare(struct scrip_pcsc *pcsc, struct scrip_bytes command, struct scrip_buf *response);

/** The block of this address, authenticated. Refuses with 6A82 or 6982. */
enum scrip_status pcsc_block(struct scrip_pcsc *pcsc, struct answer *answer, uint8_t high, uint8_t block);

/** Increment (C1) or decrement (C0) `block` and transfer the result to it. @param value  least significant byte first
 */
enum scrip_status pcsc_value_change(struct scrip_pcsc *pcsc, struct answer *answer, uint8_t command, uint8_t block,
                                    const uint8_t value[4]);

/** Take a pseudo-APDU apart. The old authentication has no Lc: FF 88 high block type slot. @return as scrip_apdu_parse
 */
enum scrip_status pcsc_parse(struct scrip_bytes bytes, struct scrip_apdu *apdu);

/** One tag-length-value object in front of `*left`, tags of one or two bytes. @return SCRIP_OK; SCRIP_E_LENGTH */
enum scrip_status pcsc_tlv_take(struct scrip_bytes *left, uint16_t *tag, struct scrip_bytes *value);

#endif
