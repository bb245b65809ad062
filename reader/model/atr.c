/* The ATR that a contactless PC/SC reader makes up [PC/SC part 3, 3.1.3.2.3.1]: the historical bytes of the ATS. */
#include <scrip/reader.h>
#include <string.h>

/* Historical bytes: what stands behind TL, T0 and the interface bytes that T0 announces. */
static struct scrip_bytes historical(struct scrip_bytes ats)
{
    if (ats.len < 2) {
        return scrip_bytes(NULL, 0);
    }
    const uint8_t t0 = ats.at[1];
    const size_t head = 2U + ((t0 & 0x10) != 0) + ((t0 & 0x20) != 0) + ((t0 & 0x40) != 0);
    return scrip_bytes_head(scrip_bytes_from(ats, head), 15);
}

size_t scrip_present_atr(const struct scrip_card_info *info, uint8_t atr[33])
{
    if (info->ats_len > 1 && (info->ats[0] == 0x3B || info->ats[0] == 0x3F)) {
        memcpy(atr, info->ats, info->ats_len);
        return info->ats_len;
    }
    const struct scrip_bytes bytes = historical(scrip_bytes(info->ats, info->ats_len));
    const uint8_t head[] = {0x3B, (uint8_t)(0x80 | bytes.len), 0x80, 0x01};
    memcpy(atr, head, sizeof head);
    if (bytes.len != 0) {
        memcpy(atr + sizeof head, bytes.at, bytes.len);
    }
    const size_t len = sizeof head + bytes.len;
    uint8_t check = 0;
    for (size_t i = 1; i < len; i++) {
        check ^= atr[i];
    }
    atr[len] = check;
    return len + 1;
}
