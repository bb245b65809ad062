/* Who is there: the synthetic ATR [PC/SC part 3, 3.1.3.2.3], and how many blocks a storage card has.
 *
 * A SAK says little: MIFARE Plus in SL1 looks like a Classic, and all Ultralights look alike; readers that do not ask
 * further call them by the older name, and so do we. */
#include "command.h"
#include <string.h>

static const struct kind {
    uint8_t sak;
    uint16_t name;
    uint16_t blocks; /* 0: not a MIFARE Classic */
} kinds[] = {
    {0x08, 0x0001, 64},  /* Classic 1K, Plus 2K SL1, the one-time wallet */
    {0x88, 0x0001, 64},  /* Classic 1K of another maker */
    {0x18, 0x0002, 256}, /* Classic 4K, Plus 4K SL1 */
    {0x09, 0x0026, 20},  /* Mini */
    {0x00, 0x0003, 0},   /* Ultralight, Ultralight C and EV1 */
    {0x10, 0x0038, 0},   /* Plus 2K SL2 */
    {0x11, 0x0039, 0},   /* Plus 4K SL2 */
};

static const struct kind *kind_of(const struct scrip_target *target)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].sak == target->sak) {
            return &kinds[i];
        }
    }
    return NULL;
}

uint16_t pcsc_blocks(const struct scrip_target *target)
{
    const struct kind *kind = kind_of(target);
    return kind != NULL ? kind->blocks : 0;
}

/* What stands behind TL, T0 and the interface bytes that T0 announces. */
static struct scrip_bytes historical(const struct scrip_target *target)
{
    const struct scrip_bytes ats = scrip_bytes(target->ats, target->ats_len);
    if (ats.len < 2) {
        return scrip_bytes_head(ats, 0);
    }
    const uint8_t t0 = ats.at[1];
    const size_t head = 2U + ((t0 & 0x10) != 0) + ((t0 & 0x20) != 0) + ((t0 & 0x40) != 0);
    return scrip_bytes_head(scrip_bytes_from(ats, head), 15);
}

/* 4F: an application identifier follows, PC/SC's own; 03: ISO 14443 A part 3; the name. Unknown ones are named by
 * their SAK, as ACS readers do. */
static struct scrip_bytes storage(const struct scrip_target *target, uint8_t room[15])
{
    static const uint8_t head[] = {0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06, 0x03};
    const struct kind *kind = kind_of(target);
    memset(room, 0, 15);
    memcpy(room, head, sizeof head);
    scrip_put_be16(room + sizeof head, kind != NULL ? kind->name : (uint16_t)(0xFF00U | target->sak));
    return scrip_bytes(room, 15);
}

size_t scrip_pcsc_atr(const struct scrip_target *target, uint8_t atr[33])
{
    uint8_t room[15];
    const bool part_4 = (target->sak & SCRIP_SAK_PART_4) != 0;
    const struct scrip_bytes bytes = part_4 ? historical(target) : storage(target, room);
    const uint8_t head[] = {0x3B, (uint8_t)(0x80U | bytes.len), 0x80, 0x01};
    const size_t len = sizeof head + bytes.len;
    uint8_t check = 0;
    memcpy(atr, head, sizeof head);
    if (bytes.len != 0) {
        memcpy(atr + sizeof head, bytes.at, bytes.len);
    }
    for (size_t i = 1; i < len; i++) {
        check ^= atr[i];
    }
    atr[len] = check;
    return len + 1;
}
