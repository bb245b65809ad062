/* What is done to a card from outside the field: made at the factory, read as an image. */
#include "memory.h"
#include <string.h>

enum scrip_status scrip_otp_card_make(const struct scrip_nv *nv, const struct scrip_otp_identity *identity)
{
    static const uint8_t blank[SCRIP_NV_PAGE];
    const uint8_t *uid = identity->uid;
    const uint8_t bcc = uid[0] ^ uid[1] ^ uid[2] ^ uid[3];
    uint8_t block[SCRIP_CLASSIC_BLOCK] = {uid[0], uid[1], uid[2], uid[3], bcc, 0x08, 0x04, 0x00};
    struct scrip_otp_nv memory;
    uint32_t bits = 0;
    if (uid[0] == SCRIP_CASCADE_CT) {
        return SCRIP_E_ARGUMENT;
    }
    if (nv->pages < SCRIP_OTP_PAGES) {
        return SCRIP_E_SPACE;
    }
    for (uint32_t page = 0; page < SCRIP_OTP_PAGES; page++) {
        SCRIP_TRY(nv->write(nv->ctx, page, blank));
    }
    memcpy(block + 8, identity->manufacturer, sizeof identity->manufacturer);
    const struct scrip_nv once = scrip_otp_nv(&memory, nv);
    SCRIP_TRY(otp_block_put(&once, 0, block, &bits));
    return otp_block_close(&once, 0, &bits);
}

enum scrip_status scrip_otp_card_peek(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    return block < SCRIP_OTP_BLOCKS ? otp_block_get(nv, block, data) : SCRIP_E_ARGUMENT;
}

enum scrip_status scrip_otp_card_bit(const struct scrip_nv *nv, uint16_t bit, bool *programmed)
{
    return bit >= 1 && bit <= SCRIP_OTP_BITS ? otp_bit_get(nv, bit, programmed) : SCRIP_E_ARGUMENT;
}

enum scrip_status scrip_otp_card_used(const struct scrip_nv *nv, uint16_t *used)
{
    return otp_units_used(nv, used);
}
