/* otp_tear.h: one-time cells that lose power in the middle of a write, or never take a bit. Stands below the card's own
 * one-time memory, and holds it to its promise: a write that would clear a bit is counted. */
#ifndef SCRIP_TEST_OTP_TEAR_H
#define SCRIP_TEST_OTP_TEAR_H

#include <scrip/host.h>
#include <string.h>

/** What is left of the new bits of the torn write. */
enum otp_tear_how {
    OTP_TEAR_NONE, /* as before */
    OTP_TEAR_ALL,  /* written, but nobody is told */
    OTP_TEAR_PICK, /* a subset, `pick` of all that are tried */
};

#define OTP_TEAR_RANDOM 8U /* random subsets tried after every single bit and every single bit missing */

struct otp_tear {
    struct scrip_nv under;
    unsigned writes;
    unsigned tear_at; /* number of the write that is torn, counted as `writes` is; 0 never */
    enum otp_tear_how how;
    unsigned pick;
    unsigned picks; /* how many subsets the torn write has */
    bool no_power;
    unsigned backwards;  /* writes that would have cleared a bit */
    uint32_t stuck_page; /* page with a bit that cannot be programmed; ~0: none */
    uint16_t stuck_bit;  /* its number in the page */
};

/* Subset `pick` of n new bits: only the pick-th; then all but the pick-th; then at random. */
static inline bool otp_tear_keeps(unsigned pick, unsigned n, unsigned i)
{
    if (pick < n) {
        return i == pick;
    }
    if (pick < 2 * n) {
        return i != pick - n;
    }
    uint64_t z = (uint64_t)(pick * 4099U + i + 1U) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    return (z >> 40 & 1U) != 0;
}

static inline void otp_tear_mix(struct otp_tear *tear, const uint8_t *old, const uint8_t *data, uint8_t *mixed)
{
    unsigned n = 0;
    unsigned i = 0;
    for (unsigned bit = 0; bit < SCRIP_NV_PAGE * 8U; bit++) {
        n += ((data[bit / 8] & ~old[bit / 8]) >> bit % 8 & 1);
    }
    tear->picks = 2 * n + OTP_TEAR_RANDOM;
    memcpy(mixed, old, SCRIP_NV_PAGE);
    for (unsigned bit = 0; bit < SCRIP_NV_PAGE * 8U; bit++) {
        if (((data[bit / 8] & ~old[bit / 8]) >> bit % 8 & 1) != 0 && otp_tear_keeps(tear->pick, n, i++)) {
            mixed[bit / 8] = (uint8_t)(mixed[bit / 8] | 1U << bit % 8);
        }
    }
}

static inline enum scrip_status otp_tear_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct otp_tear *tear = (const struct otp_tear *)ctx;
    return tear->no_power ? SCRIP_E_NV : tear->under.read(tear->under.ctx, at, dst, len);
}

static inline enum scrip_status otp_tear_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct otp_tear *tear = (struct otp_tear *)ctx;
    uint8_t old[SCRIP_NV_PAGE];
    uint8_t mixed[SCRIP_NV_PAGE];
    if (tear->no_power || tear->under.read(tear->under.ctx, page * SCRIP_NV_PAGE, old, sizeof old) != SCRIP_OK) {
        return SCRIP_E_NV;
    }
    for (size_t i = 0; i < sizeof old; i++) {
        tear->backwards += (old[i] & ~data[i]) != 0 ? 1 : 0;
    }
    memcpy(mixed, data, sizeof mixed);
    tear->writes++;
    if (tear->writes == tear->tear_at) {
        tear->no_power = true;
        if (tear->how == OTP_TEAR_NONE) {
            return SCRIP_E_NV;
        }
        if (tear->how == OTP_TEAR_PICK) {
            otp_tear_mix(tear, old, data, mixed);
        }
    } else if (page == tear->stuck_page) {
        mixed[tear->stuck_bit / 8] = (uint8_t)(mixed[tear->stuck_bit / 8] & ~(1U << tear->stuck_bit % 8));
    }
    const enum scrip_status status = tear->under.write(tear->under.ctx, page, mixed);
    return tear->no_power ? SCRIP_E_NV : status;
}

/** Wrap memory. */
static inline struct scrip_nv otp_tear(struct otp_tear *tear, struct scrip_nv under)
{
    *tear = (struct otp_tear){.under = under, .stuck_page = UINT32_MAX};
    return (struct scrip_nv){.ctx = tear, .pages = under.pages, .read = otp_tear_read, .write = otp_tear_write};
}

/** Lose power at the `n`th write from now. */
static inline void otp_tear_plan(struct otp_tear *tear, unsigned n, enum otp_tear_how how, unsigned pick)
{
    tear->tear_at = tear->writes + n;
    tear->how = how;
    tear->pick = pick;
    tear->picks = 0;
}

/** Power is back. */
static inline void otp_tear_power_up(struct otp_tear *tear)
{
    tear->no_power = false;
    tear->tear_at = 0;
}

#endif
