/* pcsc_dialect.h: purses speak one language to every reader (pcsc.h); readers do not. This stands between them, behind
 * pcsc: and before the reader. Private to reader/.
 *
 * Value operations are sent as ACS readers take them. A reader that says it does not know that is asked in the
 * dialects of PC/SC 2.02, Identiv and Omnikey, in that order, and the one that it knows is remembered. Only a status
 * word that says "not carried out" leads to another attempt: what may have been executed is never repeated.
 *
 * What a reader has in no dialect is made of what it has. Restore: both blocks are read; a target that is a value block
 * of the same address is incremented or decremented by the difference (so giving it more takes the right to increment),
 * any other is written as a value block with the address of its source, as the chip would do it. Store: writing.
 * Reading a value: reading the block.
 *
 * A write that would block a sector of a MIFARE Classic for ever (a trailer whose access bits are damaged, a value in a
 * trailer's place) is answered with 6A80 and not sent. */
#ifndef READER_PCSC_DIALECT_H
#define READER_PCSC_DIALECT_H

#include <scrip/bytes.h>

/* What a reader is known to speak. */
struct pcsc_dialect {
    uint8_t change;  /* number of the dialect for increment and decrement, 0: not known yet */
    bool no_store;   /* FF D7 .. 00 is not known to it */
    bool no_restore; /* FF D7 .. 03 */
    bool no_read;    /* FF B1 */
    bool trailers;   /* the card is a MIFARE Classic, or speaks like one */
};

/* The reader: a command out, its response appended. @return as scrip_link_ops.transmit */
typedef enum scrip_status pcsc_dialect_send(void *ctx, struct scrip_bytes capdu, struct scrip_buf *rapdu);

/** Send a command of pcsc.h, translated where need be. Others pass as they are.
 *  @return as `send` */
enum scrip_status pcsc_dialect_transmit(struct pcsc_dialect *dialect, pcsc_dialect_send *send, void *ctx,
                                        struct scrip_bytes capdu, struct scrip_buf *rapdu);

#endif
