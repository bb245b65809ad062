/* coupler_field.h: a coupler (coupler.h) in software over a field of virtual cards. Private to reader/. */
#ifndef READER_COUPLER_FIELD_H
#define READER_COUPLER_FIELD_H

#include <scrip/coupler.h>
#include <scrip/field.h>
#include <scrip/mifare.h>

/* A coupler. Give `coupler` away; must not move. Everybody who is in the field when it looks is there at once, so
 * `find` looks once whatever its time limit. */
struct coupler_field {
    struct scrip_coupler coupler;
    struct scrip_radio air;
    struct scrip_mifare_soft crypto;
    struct scrip_target target;
    struct scrip_pcd_4 blocks;
    bool in_blocks; /* the card was activated for part 4 */
};

/** Bind. @param field, random  borrowed; random numbers for authentication */
void coupler_field_init(struct coupler_field *coupler, struct scrip_field *field, const struct scrip_random *random);

#endif
