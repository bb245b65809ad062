/* Facts of the one-time wallet card. */
#include <scrip/otp.h>
#include <string.h>

enum { AT_UNIT = 0, AT_NOT_UNIT = 4, AT_UNITS = 8, AT_NOT_UNITS = 10, AT_ISSUER = 12 };

/* The balance must fit the 32-bit value block that shows it. */
static bool in_range(const struct scrip_otp_face *face)
{
    return face->unit >= 1 && face->units >= 1 && face->units <= SCRIP_OTP_UNITS &&
           (uint64_t)face->unit * face->units <= INT32_MAX;
}

enum scrip_status scrip_otp_face_put(const struct scrip_otp_face *face, uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    if (!in_range(face)) {
        return SCRIP_E_LIMIT;
    }
    scrip_put_le32(block + AT_UNIT, face->unit);
    scrip_put_le32(block + AT_NOT_UNIT, ~face->unit);
    scrip_put_le16(block + AT_UNITS, face->units);
    scrip_put_le16(block + AT_NOT_UNITS, (uint16_t)~face->units);
    memcpy(block + AT_ISSUER, face->issuer, sizeof face->issuer);
    return SCRIP_OK;
}

enum scrip_status scrip_otp_face_get(const uint8_t block[SCRIP_CLASSIC_BLOCK], struct scrip_otp_face *face)
{
    struct scrip_otp_face read = {.unit = scrip_get_le32(block + AT_UNIT), .units = scrip_get_le16(block + AT_UNITS)};
    if ((scrip_get_le32(block + AT_NOT_UNIT) ^ read.unit) != UINT32_MAX ||
        (scrip_get_le16(block + AT_NOT_UNITS) ^ read.units) != UINT16_MAX) {
        return SCRIP_E_FORMAT;
    }
    if (!in_range(&read)) {
        return SCRIP_E_LIMIT;
    }
    memcpy(read.issuer, block + AT_ISSUER, sizeof read.issuer);
    *face = read;
    return SCRIP_OK;
}

int32_t scrip_otp_balance(const struct scrip_otp_face *face, uint16_t used)
{
    return used < face->units ? (int32_t)(face->unit * (uint32_t)(face->units - used)) : 0;
}

enum scrip_status scrip_otp_deduct(const struct scrip_otp_face *face, uint16_t used, uint32_t amount, uint16_t *next)
{
    const uint32_t units = amount / face->unit;
    if (amount % face->unit != 0) {
        return SCRIP_E_UNIT;
    }
    if (used > face->units || units > (uint32_t)(face->units - used)) {
        return SCRIP_E_FUNDS;
    }
    *next = (uint16_t)(used + units);
    return SCRIP_OK;
}
