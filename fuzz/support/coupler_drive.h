/* coupler_drive.h: for fuzz targets: the calls of a coupler, and what each promises whatever the chip behind it says.
 */
#ifndef SCRIP_FUZZ_COUPLER_DRIVE_H
#define SCRIP_FUZZ_COUPLER_DRIVE_H

#include "input.h"
#include <scrip/coupler.h>
#include <string.h>

static inline void drive_find(struct scrip_coupler *coupler)
{
    struct scrip_target target = {0};
    if (coupler->ops->find(coupler, 0, &target) == SCRIP_OK) {
        must(target.uid_len == 4 || target.uid_len == 7 || target.uid_len == 10);
        must(target.ats_len <= sizeof target.ats && (target.ats_len == 0 || target.ats[0] == target.ats_len));
    } else {
        must(target.uid_len == 0);
    }
}

/** An APDU, or a command of MIFARE Classic. */
static inline void drive_talk(struct scrip_coupler *coupler, bool apdu, struct scrip_bytes command)
{
    uint8_t at[700];
    struct scrip_buf out = {.at = at, .len = 3, .cap = apdu ? sizeof at : 20};
    memset(at, 0x77, sizeof at);
    const enum scrip_status status =
        apdu ? coupler->ops->apdu(coupler, command, &out) : coupler->ops->mifare(coupler, command, &out);
    must(at[0] == 0x77 && at[2] == 0x77 && out.len >= 3 && out.len <= out.cap);
    must(status == SCRIP_OK || out.len == 3);
    must(apdu || out.len == 3 || out.len == 19);
}

static inline void drive_raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *options,
                             struct scrip_bytes bits)
{
    uint8_t at[64];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    uint8_t last_bits = 99;
    if (coupler->ops->raw(coupler, options, bits, &out, &last_bits) == SCRIP_OK) {
        must(last_bits < 8);
    } else {
        must(out.len == 0 && last_bits == 99);
    }
}

#endif
