/* GetVersion. */
#include "private.h"
#include <string.h>

#define FAB_KEY_ID_FOLLOWS 0x1FU

/* 2^(n/2) bytes; an odd n means between that and the next power. */
static void storage_of(uint8_t n, uint32_t *least, uint32_t *most)
{
    const unsigned shift = n / 2U;
    *least = shift < 31 ? UINT32_C(1) << shift : UINT32_MAX;
    *most = n % 2U == 0 ? *least : shift < 30 ? UINT32_C(2) << shift : UINT32_MAX;
}

enum scrip_status scrip_desfire_version_parse(struct scrip_bytes response, struct scrip_desfire_version *version)
{
    if (response.len != 28 && response.len != 29) {
        return SCRIP_E_LENGTH;
    }
    const uint8_t *at = response.at;
    struct scrip_desfire_version read = {
        .hw_vendor = at[0],
        .hw_type = at[1],
        .hw_subtype = at[2],
        .hw_major = at[3],
        .hw_minor = at[4],
        .hw_storage = at[5],
        .hw_protocol = at[6],
        .sw_vendor = at[7],
        .sw_type = at[8],
        .sw_subtype = at[9],
        .sw_major = at[10],
        .sw_minor = at[11],
        .sw_storage = at[12],
        .sw_protocol = at[13],
        .week = at[26] & 0x7FU,
        .year = at[27],
        .has_fab_key_id = response.len == 29,
    };
    const unsigned fab_key = (at[25] & 0x0FU) << 1 | at[26] >> 7;
    if (read.has_fab_key_id && fab_key == FAB_KEY_ID_FOLLOWS) {
        read.fab_key_id = at[28];
    }
    memcpy(read.uid, at + 14, sizeof read.uid);
    memcpy(read.batch, at + 21, sizeof read.batch);
    storage_of(read.hw_storage, &read.storage_min, &read.storage_max);
    *version = read;
    return SCRIP_OK;
}

const char *scrip_desfire_version_product(const struct scrip_desfire_version *version)
{
    static const struct {
        uint8_t type, major;
        const char *name;
    } products[] = {
        {0x01, 0x00, "MIFARE DESFire (MF3ICD40)"},
        {0x01, 0x01, "MIFARE DESFire EV1"},
        {0x01, 0x12, "MIFARE DESFire EV2"},
        {0x01, 0x22, "MIFARE DESFire EV2 XL"},
        {0x01, 0x33, "MIFARE DESFire EV3"},
        {0x08, 0x30, "MIFARE DESFire Light"},
        {0x04, 0x30, "NTAG 424 DNA"},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        if (products[i].type == version->hw_type && products[i].major == version->hw_major) {
            return products[i].name;
        }
    }
    return "unknown product";
}
