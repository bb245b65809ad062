/* link.h: the way to a card. A link carries APDUs; links wrap links (trace:, fault:). */
#ifndef SCRIP_LINK_H
#define SCRIP_LINK_H

#include <scrip/bytes.h>

/** What is known of a card when it arrives. */
struct scrip_card_info {
    uint8_t uid[10];
    uint8_t uid_len; /**< 0 where the reader cannot tell */
    uint8_t ats[33]; /**< ATS with its length byte, or ATR */
    uint8_t ats_len;
};

struct scrip_link;

/** What a kind of link must do. */
struct scrip_link_ops {
    /** Wait for a card up to `timeout_ms` (0: look once), power it, activate it. Powers off and on a card that is
     *  already active. @return SCRIP_OK; SCRIP_E_NO_CARD; SCRIP_E_LINK */
    enum scrip_status (*connect)(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info);
    /** Send one command APDU, get its response (at least SW1 SW2), unchanged in both directions.
     *  @return SCRIP_OK; SCRIP_E_TORN: sent and not answered, its effect is unknown, connect again;
     *          SCRIP_E_NO_CARD: not sent; SCRIP_E_SPACE: answered, but `rapdu` is too small; SCRIP_E_LINK */
    enum scrip_status (*transmit)(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu);
    /** Take power from the card. */
    void (*disconnect)(struct scrip_link *link);
    /** Free the link and all that it wraps. The link may not be used again. */
    void (*close)(struct scrip_link *link);
};

/** Embed as first member. */
struct scrip_link {
    const struct scrip_link_ops *ops;
    char error[160]; /**< what failed last, for people; never key material */
};

/** Wait for a card and power it. Parameters and results: scrip_link_ops.connect */
static inline enum scrip_status scrip_link_connect(struct scrip_link *link, uint32_t timeout_ms,
                                                   struct scrip_card_info *info)
{
    return link->ops->connect(link, timeout_ms, info);
}

/** One command, one response. Parameters and results: scrip_link_ops.transmit */
static inline enum scrip_status scrip_link_transmit(struct scrip_link *link, struct scrip_bytes capdu,
                                                    struct scrip_buf *rapdu)
{
    return link->ops->transmit(link, capdu, rapdu);
}

/** Take power from the card. */
static inline void scrip_link_disconnect(struct scrip_link *link)
{
    link->ops->disconnect(link);
}

/** Free the link and all that it wraps. */
static inline void scrip_link_close(struct scrip_link *link)
{
    link->ops->close(link);
}

#endif
