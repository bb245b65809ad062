/* eeprom_tear.h: EEPROM blocks of 16 bytes that lose power in the middle of a write, as a storage card's do: old, new,
 * erased, half erased, half programmed. No other block changes. */
#ifndef SCRIP_TEST_EEPROM_TEAR_H
#define SCRIP_TEST_EEPROM_TEAR_H

#include <scrip/host.h>
#include <string.h>

#define EEPROM_BLOCK 16U

/** What is left of the torn block; m is random. */
enum eeprom_tear_how {
    EEPROM_OLD,
    EEPROM_NEW,
    EEPROM_ERASED_0,
    EEPROM_ERASED_1,
    EEPROM_OLD_AND, /* erase towards 0 in progress: old & m */
    EEPROM_OLD_OR,  /* erase towards 1: old | m */
    EEPROM_NEW_AND, /* programming from 0: new & m */
    EEPROM_NEW_OR,  /* programming from 1: new | m */
    EEPROM_TEARS
};

struct eeprom_tear {
    struct scrip_nv under;
    unsigned writes;  /* tried since the start */
    unsigned tear_at; /* number of the write that is torn, counted as `writes` is; 0 never */
    enum eeprom_tear_how how;
    uint64_t seed; /* of m */
    bool no_power;
};

static inline uint8_t eeprom_mask(struct eeprom_tear *tear)
{
    tear->seed = tear->seed * 6364136223846793005U + 1442695040888963407U;
    return (uint8_t)(tear->seed >> 56);
}

static inline void eeprom_torn(struct eeprom_tear *tear, const uint8_t *old, const uint8_t *data, uint8_t *left)
{
    for (size_t i = 0; i < EEPROM_BLOCK; i++) {
        const uint8_t m = eeprom_mask(tear);
        const uint8_t results[EEPROM_TEARS] = {
            [EEPROM_OLD] = old[i],          [EEPROM_NEW] = data[i],        [EEPROM_ERASED_0] = 0x00,
            [EEPROM_ERASED_1] = 0xFF,       [EEPROM_OLD_AND] = old[i] & m, [EEPROM_OLD_OR] = old[i] | m,
            [EEPROM_NEW_AND] = data[i] & m, [EEPROM_NEW_OR] = data[i] | m,
        };
        left[i] = results[tear->how];
    }
}

static inline enum scrip_status eeprom_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct eeprom_tear *tear = (const struct eeprom_tear *)ctx;
    return tear->no_power ? SCRIP_E_NV : tear->under.read(tear->under.ctx, at, dst, len);
}

static inline enum scrip_status eeprom_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    struct eeprom_tear *tear = (struct eeprom_tear *)ctx;
    uint8_t left[SCRIP_NV_PAGE];
    uint8_t old[SCRIP_NV_PAGE];

    if (tear->no_power) {
        return SCRIP_E_NV;
    }
    tear->writes++;
    if (tear->writes != tear->tear_at) {
        return tear->under.write(tear->under.ctx, page, data);
    }
    tear->no_power = true;
    SCRIP_TRY(tear->under.read(tear->under.ctx, page * SCRIP_NV_PAGE, old, sizeof old));
    memcpy(left, data, sizeof left);
    eeprom_torn(tear, old, data, left);
    SCRIP_TRY(tear->under.write(tear->under.ctx, page, left));
    return SCRIP_E_NV;
}

/** Memory over `under` that tears where `tear` says. */
static inline struct scrip_nv eeprom_tear(struct eeprom_tear *tear, struct scrip_nv under)
{
    *tear = (struct eeprom_tear){.under = under};
    return (struct scrip_nv){.ctx = tear, .pages = under.pages, .read = eeprom_read, .write = eeprom_write};
}

#endif
