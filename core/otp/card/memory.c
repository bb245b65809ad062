/* Where everything lies, and how it is programmed: read, compare, program, read back. */
#include "memory.h"
#include <string.h>

#define PAGE_UNITS    16U
#define PAGE_POINTERS 28U
#define PAGE_BITS     (SCRIP_NV_PAGE * 8U)

_Static_assert(PAGE_UNITS == SCRIP_OTP_BLOCKS, "blocks come first");
_Static_assert(PAGE_UNITS + SCRIP_OTP_AREA / SCRIP_NV_PAGE == PAGE_POINTERS, "then the units");
_Static_assert(PAGE_POINTERS + SCRIP_OTP_BLOCKS == SCRIP_OTP_PAGES, "then a page of pointers for each block");

struct place {
    uint32_t page;
    uint8_t byte;
    uint8_t mask; /* 0: there is no such cell */
};

static struct place place_of(unsigned bit)
{
    if (bit >= SCRIP_OTP_BLOCK_POINTER(0U) && bit < SCRIP_OTP_BLOCK_POINTER(SCRIP_OTP_BLOCKS)) {
        return (struct place){PAGE_POINTERS + bit - SCRIP_OTP_BLOCK_POINTER(0U), 0, 1};
    }
    if (bit >= SCRIP_OTP_PASSWORD_POINTER(0U) && bit < SCRIP_OTP_PASSWORD_POINTER(4U)) {
        const uint8_t sector = (uint8_t)(bit - SCRIP_OTP_PASSWORD_POINTER(0U));
        return (struct place){PAGE_POINTERS + scrip_classic_trailer(sector), 0, 2};
    }
    if (bit < 1 || bit > SCRIP_OTP_UNITS) {
        return (struct place){PAGE_POINTERS, 0, 0};
    }
    const unsigned i = bit - 1;
    return (struct place){PAGE_UNITS + i / PAGE_BITS, (uint8_t)(i % PAGE_BITS / 8), (uint8_t)(1U << i % 8)};
}

static enum scrip_status read_page(const struct scrip_nv *nv, uint32_t page, uint8_t data[SCRIP_NV_PAGE])
{
    return nv->read(nv->ctx, page * SCRIP_NV_PAGE, data, SCRIP_NV_PAGE);
}

static uint32_t ones(uint8_t byte)
{
    uint32_t count = 0;
    for (; byte != 0; byte = (uint8_t)(byte & (byte - 1U))) {
        count++;
    }
    return count;
}

static enum scrip_status program(const struct scrip_nv *nv, uint32_t page, const uint8_t data[SCRIP_NV_PAGE],
                                 uint32_t *bits)
{
    uint8_t old[SCRIP_NV_PAGE];
    uint32_t fresh = 0;
    SCRIP_TRY(read_page(nv, page, old));
    for (size_t i = 0; i < sizeof old; i++) {
        if ((old[i] & ~data[i]) != 0) {
            return SCRIP_E_CONFLICT;
        }
        fresh += ones((uint8_t)(data[i] & ~old[i]));
    }
    SCRIP_TRY(nv->write(nv->ctx, page, data));
    *bits += fresh;
    SCRIP_TRY(read_page(nv, page, old));
    return memcmp(old, data, sizeof old) == 0 ? SCRIP_OK : SCRIP_E_CORRUPT;
}

/* ---- blocks ---- */

enum scrip_status otp_block_get(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    return nv->read(nv->ctx, block * SCRIP_NV_PAGE, data, SCRIP_CLASSIC_BLOCK);
}

enum scrip_status otp_block_put(const struct scrip_nv *nv, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK],
                                uint32_t *bits)
{
    uint8_t page[SCRIP_NV_PAGE] = {0};
    memcpy(page, data, SCRIP_CLASSIC_BLOCK);
    return program(nv, block, page, bits);
}

static bool is_password(uint8_t block)
{
    return scrip_classic_group(block) == 3;
}

enum scrip_status otp_block_in_force(const struct scrip_nv *nv, uint8_t block, bool *in_force)
{
    return otp_bit_get(nv,
                       is_password(block) ? SCRIP_OTP_PASSWORD_POINTER(scrip_classic_sector(block))
                                          : SCRIP_OTP_BLOCK_POINTER(block),
                       in_force);
}

enum scrip_status otp_block_close(const struct scrip_nv *nv, uint8_t block, uint32_t *bits)
{
    uint8_t page[SCRIP_NV_PAGE] = {is_password(block) ? 3 : 1}; /* both pointers of a password block at once */
    return program(nv, PAGE_POINTERS + block, page, bits);
}

/* ---- units ---- */

/* The number of a byte's highest bit, from 1. */
static unsigned highest(uint8_t byte)
{
    unsigned number = 0;
    for (; byte != 0; byte >>= 1) {
        number++;
    }
    return number;
}

enum scrip_status otp_units_used(const struct scrip_nv *nv, uint16_t *used)
{
    uint8_t page[SCRIP_NV_PAGE];
    for (unsigned left = SCRIP_OTP_UNITS / 8; left > 0; left--) {
        const unsigned at = left - 1;
        const unsigned inside = at % SCRIP_NV_PAGE;
        if (inside == SCRIP_NV_PAGE - 1 || left == SCRIP_OTP_UNITS / 8) {
            SCRIP_TRY(read_page(nv, PAGE_UNITS + at / SCRIP_NV_PAGE, page));
        }
        if (page[inside] != 0) {
            *used = (uint16_t)(at * 8 + highest(page[inside]));
            return SCRIP_OK;
        }
    }
    *used = 0;
    return SCRIP_OK;
}

enum scrip_status otp_unit_put(const struct scrip_nv *nv, uint16_t unit, uint32_t *bits)
{
    const struct place place = place_of(unit);
    uint8_t page[SCRIP_NV_PAGE];
    SCRIP_TRY(read_page(nv, place.page, page));
    page[place.byte] = (uint8_t)(page[place.byte] | place.mask);
    return program(nv, place.page, page, bits);
}

enum scrip_status otp_bit_get(const struct scrip_nv *nv, unsigned bit, bool *set)
{
    const struct place place = place_of(bit);
    uint8_t byte;
    SCRIP_TRY(nv->read(nv->ctx, place.page * SCRIP_NV_PAGE + place.byte, &byte, 1));
    *set = (byte & place.mask) != 0;
    return SCRIP_OK;
}
