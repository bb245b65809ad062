/* tlv.h: one element of a message; private to the codec. */
#ifndef RELAY_TLV_H
#define RELAY_TLV_H

#include <scrip/relay_tlv.h>

struct relay_tlv {
    uint8_t tag;
    struct scrip_bytes value;
};

/** Take one element off the front of `*rest`; both are untouched if it is bad. */
enum scrip_relay_bad relay_tlv_take(struct scrip_bytes *rest, struct relay_tlv *tlv);

#endif
