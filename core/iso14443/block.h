/* block.h: blocks of ISO/IEC 14443-4 and the answer to select, as both sides read and write them. */
#ifndef SCRIP_ISO14443_BLOCK_H
#define SCRIP_ISO14443_BLOCK_H

#include <scrip/frame.h>

#define RATS_START        0xE0U
#define PPS_START         0xD0U
#define PPS_WITH_RATES    0x11U
#define PPS_WITHOUT_RATES 0x01U
#define CID_MAX           14U

/* Protocol control bytes; of all but the first the kind is known from the whole byte, less the bits below. */
#define PCB_I             0x02U
#define PCB_R_ACK         0xA2U
#define PCB_R_NAK         0xB2U
#define PCB_S_DESELECT    0xC2U
#define PCB_S_WTX         0xF2U

#define PCB_NUMBER        0x01U /* I, R */
#define PCB_NAD           0x04U /* I */
#define PCB_CID           0x08U
#define PCB_MORE          0x10U /* I: chaining */

#define WTXM_MAX          59U
#define FWI_MAX           14U
#define FWT_UNIT_US       302U /* 4096/fc, rounded down */

/** A block that was received. */
struct block {
    uint8_t kind; /* PCB_I, PCB_R_ACK, PCB_R_NAK, PCB_S_DESELECT or PCB_S_WTX */
    uint8_t number;
    bool more;
    bool has_cid;
    uint8_t cid;
    struct scrip_bytes inf; /* borrowed from the frame */
};

/** Read a block. @return false: damaged, or no block of the standard. One with a node address is none: nobody here
 *  offers that */
bool block_parse(const struct scrip_frame *frame, struct block *block);

/** Write a block; it fits when `inf` is within block_inf_max.
 *  @param cid  0..14, or above: none */
void block_make(struct scrip_frame *frame, uint8_t pcb, uint8_t cid, struct scrip_bytes inf);

/** Most bytes of INF in a frame of so many bytes. */
size_t block_inf_max(uint16_t frame_size, bool has_cid);

/** Frame waiting time, microseconds, of FWI 0..14 and a WTXM, capped at the longest that there is. */
uint32_t block_fwt_us(uint8_t fwi, uint8_t wtxm);

/** What an ATS says, or leaves to the defaults. */
struct ats {
    uint8_t fsci;
    uint8_t ta; /* rates offered */
    uint8_t fwi;
    uint8_t sfgi;
    bool cid; /* supported */
};

/** Read an ATS: TL, and as many bytes as it says. @return false: it is none */
bool ats_parse(struct scrip_bytes bytes, struct ats *ats);

/** Does TA offer these rates together? enum scrip_rate */
bool ats_offers(uint8_t ta, uint8_t to_card, uint8_t from_card);

#endif
