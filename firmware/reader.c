#include "reader.h"

static enum scrip_status connect(struct scrip_link *link, uint32_t timeout_ms, struct scrip_card_info *info)
{
    return scrip_pcsc_connect(&((struct reader_link *)link)->pcsc, timeout_ms, info);
}

static enum scrip_status transmit(struct scrip_link *link, struct scrip_bytes capdu, struct scrip_buf *rapdu)
{
    return scrip_pcsc_apdu(&((struct reader_link *)link)->pcsc, capdu, rapdu);
}

static void disconnect(struct scrip_link *link)
{
    scrip_pcsc_off(&((struct reader_link *)link)->pcsc);
}

void reader_link_init(struct reader_link *reader, struct scrip_coupler *coupler)
{
    static const struct scrip_link_ops ops = {connect, transmit, disconnect, disconnect};
    *reader = (struct reader_link){.link = {.ops = &ops}};
    scrip_pcsc_init(&reader->pcsc, coupler);
}
