#include "block.h"
#include <scrip/picc.h>
#include <string.h>

#define CRC_LEN     2U
#define FRAME_LARGE 256U

#define I_MASK      0xE2U
#define I_FIXED     0x02U
#define R_MASK      0xE6U
#define R_FIXED     0xA2U
#define S_MASK      0xF7U

#define T0_TA       0x10U
#define T0_TB       0x20U
#define T0_TC       0x40U
#define TA_SAME     0x80U
#define TA_RFU      0x08U
#define TC_CID      0x02U
#define FSCI_NO_T0  2U
#define FWI_DEFAULT 4U

uint16_t scrip_frame_size(uint8_t code)
{
    static const uint16_t sizes[] = {16, 24, 32, 40, 48, 64, 96, 128};
    return code < sizeof sizes / sizeof *sizes ? sizes[code] : FRAME_LARGE;
}

/* @return the kind that a PCB is of, 0: none */
static uint8_t kind_of(uint8_t pcb)
{
    if ((pcb & I_MASK) == I_FIXED) {
        return (pcb & PCB_NAD) == 0 ? PCB_I : 0;
    }
    if ((pcb & R_MASK) == R_FIXED) {
        return (pcb & (PCB_R_ACK ^ PCB_R_NAK)) != 0 ? PCB_R_NAK : PCB_R_ACK;
    }
    const uint8_t s = pcb & S_MASK;
    return s == PCB_S_DESELECT || s == PCB_S_WTX ? s : 0;
}

bool block_parse(const struct scrip_frame *frame, struct block *block)
{
    struct scrip_bytes rest;
    if (scrip_frame_content_crc(frame, &rest) != SCRIP_OK || rest.len == 0) {
        return false;
    }
    const uint8_t pcb = rest.at[0];
    *block = (struct block){.kind = kind_of(pcb), .number = pcb & PCB_NUMBER, .has_cid = (pcb & PCB_CID) != 0};
    const size_t head = block->has_cid ? 2 : 1;
    if (block->kind == 0 || rest.len < head) {
        return false;
    }
    block->cid = block->has_cid ? rest.at[1] & 0x0FU : 0; /* above it a card may say how much power it has */
    block->more = block->kind == PCB_I && (pcb & PCB_MORE) != 0;
    block->inf = scrip_bytes_from(rest, head);
    return block->kind == PCB_I || block->inf.len == (block->kind == PCB_S_WTX ? 1U : 0U);
}

void block_make(struct scrip_frame *frame, uint8_t pcb, uint8_t cid, struct scrip_bytes inf)
{
    size_t len = 0;
    const bool has_cid = cid <= CID_MAX;

    frame->data[len++] = (uint8_t)(pcb | (has_cid ? PCB_CID : 0U));
    if (has_cid) {
        frame->data[len++] = cid;
    }
    if (inf.len > 0) {
        memcpy(frame->data + len, inf.at, inf.len);
        len += inf.len;
    }
    (void)scrip_frame_bytes_crc(frame, scrip_bytes(frame->data, len));
}

size_t block_inf_max(uint16_t frame_size, bool has_cid)
{
    return (size_t)frame_size - CRC_LEN - 1U - (has_cid ? 1U : 0U);
}

uint32_t block_fwt_us(uint8_t fwi, uint8_t wtxm)
{
    const uint64_t fwt_us = (uint64_t)(FWT_UNIT_US << fwi) * wtxm;
    const uint32_t longest_us = FWT_UNIT_US << FWI_MAX;
    return fwt_us < longest_us ? (uint32_t)fwt_us : longest_us;
}

bool ats_parse(struct scrip_bytes bytes, struct ats *ats)
{
    struct ats read = {.fsci = FSCI_NO_T0, .fwi = FWI_DEFAULT, .cid = true};
    if (bytes.len == 0 || bytes.at[0] != bytes.len) {
        return false;
    }
    if (bytes.len > 1) {
        const uint8_t t0 = bytes.at[1];
        size_t at = 2;
        const size_t ta_at = (t0 & T0_TA) != 0 ? at++ : 0;
        const size_t tb_at = (t0 & T0_TB) != 0 ? at++ : 0;
        const size_t tc_at = (t0 & T0_TC) != 0 ? at++ : 0;
        if (at > bytes.len) {
            return false;
        }
        read.fsci = t0 & 0x0FU;
        read.ta = ta_at != 0 && (bytes.at[ta_at] & TA_RFU) == 0 ? bytes.at[ta_at] : 0;
        read.fwi = tb_at != 0 ? bytes.at[tb_at] >> 4 : FWI_DEFAULT;
        read.sfgi = tb_at != 0 ? bytes.at[tb_at] & 0x0FU : 0;
        read.cid = tc_at == 0 || (bytes.at[tc_at] & TC_CID) != 0;
    }
    read.fwi = read.fwi > FWI_MAX ? FWI_DEFAULT : read.fwi; /* 15 is reserved: as if it were not there */
    read.sfgi = read.sfgi > FWI_MAX ? 0 : read.sfgi;
    *ats = read;
    return true;
}

bool ats_offers(uint8_t ta, uint8_t to_card, uint8_t from_card)
{
    const unsigned to_bits = (ta & 0x07U) << 1 | 1U; /* bit r: rate r */
    const unsigned from_bits = (ta >> 4 & 0x07U) << 1 | 1U;
    return to_card <= SCRIP_RATE_848 && from_card <= SCRIP_RATE_848 && (to_bits >> to_card & 1U) != 0 &&
           (from_bits >> from_card & 1U) != 0 && ((ta & TA_SAME) == 0 || to_card == from_card);
}
