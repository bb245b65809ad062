/* vcard.h: a virtual card of any family behind one interface. `reader` and tests see cards only through this. */
#ifndef SCRIP_VCARD_H
#define SCRIP_VCARD_H

#include <scrip/host.h>
#include <scrip/link.h>

struct scrip_vcard;

struct scrip_vcard_ops {
    /** Power on and activate. @return SCRIP_OK; SCRIP_E_CORRUPT; SCRIP_E_NV */
    enum scrip_status (*on)(struct scrip_vcard *card, struct scrip_card_info *info);
    /** Answer an APDU. @return SCRIP_OK; SCRIP_E_NV: power was lost, `on` again */
    enum scrip_status (*apdu)(struct scrip_vcard *card, struct scrip_bytes command, struct scrip_buf *rsp);
    /** Lose power. */
    void (*off)(struct scrip_vcard *card);
    /** Free. */
    void (*close)(struct scrip_vcard *card);
};

/** Embed as first member. */
struct scrip_vcard {
    const struct scrip_vcard_ops *ops;
};

#endif
