/* From one layer of ISO/IEC 14443 to another. Each switch begins with a power cycle: there is no other way back that
 * every card takes. */
#include "session.h"
#include <string.h>

static enum scrip_status radio_power(void *ctx, bool on)
{
    struct scrip_coupler *coupler = ctx;
    return coupler->ops->power(coupler, on);
}

static enum scrip_status radio_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                        uint32_t timeout_us)
{
    struct scrip_coupler *coupler = ctx;
    const struct scrip_coupler_raw how = {
        .parity = true, .last_bits = (uint8_t)(tx->bits % 8), .timeout_us = timeout_us};
    uint8_t last_bits = 0;
    scrip_frame_clear(rx);
    struct scrip_buf heard = scrip_buf(rx->data, sizeof rx->data);
    SCRIP_TRY(coupler->ops->raw(coupler, &how, scrip_bytes(tx->data, scrip_frame_len(tx)), &heard, &last_bits));
    const size_t cut = last_bits != 0 ? 8U - last_bits : 0;
    rx->bits = (uint16_t)(heard.len != 0 ? heard.len * 8 - cut : 0);
    scrip_frame_parity_fill(rx);
    return SCRIP_OK;
}

static enum scrip_status power_cycle(struct scrip_pcsc *pcsc)
{
    pcsc->dark = true;
    SCRIP_TRY(pcsc->coupler->ops->power(pcsc->coupler, false));
    SCRIP_TRY(pcsc->coupler->ops->power(pcsc->coupler, true));
    pcsc->dark = false;
    return SCRIP_OK;
}

/* Select as part 3 alone; a coupler would go on to part 4 by itself where the card can. */
static enum scrip_status select_3(struct scrip_pcsc *pcsc)
{
    const struct scrip_radio radio = {
        .ctx = pcsc->coupler, .power = radio_power, .exchange = radio_exchange, .frame_max = SCRIP_FRAME_MAX};
    struct scrip_target found;
    if (!session_part_4(pcsc)) {
        return pcsc_select(pcsc);
    }
    SCRIP_TRY(power_cycle(pcsc));
    SCRIP_TRY(scrip_pcd_find(&radio, true, &found));
    memcpy(pcsc->target.uid, found.uid, sizeof found.uid); /* a random one is a new one */
    pcsc->target.uid_len = found.uid_len;
    return SCRIP_OK;
}

static enum scrip_status layer_3(struct session *session)
{
    SCRIP_TRY(select_3(session->pcsc));
    return session_put(session->answer->out, TAG_PROTOCOL, scrip_bytes(&session->pcsc->target.sak, 1));
}

static enum scrip_status layer_4(struct session *session)
{
    uint8_t atr[33];
    SCRIP_TRY(pcsc_select(session->pcsc));
    const size_t len = scrip_pcsc_atr(&session->pcsc->target, atr);
    return session_put(session->answer->out, TAG_ATR, scrip_bytes(atr, len));
}

enum scrip_status session_protocol(struct session *session, struct scrip_bytes value)
{
    struct scrip_pcsc *pcsc = session->pcsc;
    const uint8_t most = session_part_4(pcsc) ? 4 : 3;
    const uint8_t layer = value.at[1] == 0 ? most : value.at[1];
    if (value.at[0] != 0 || layer < 2 || layer > most) {
        return refuse(session->answer, NOT_SUPPORTED);
    }
    pcsc_drop(pcsc);
    pcsc->cycled = true;
    pcsc->layer = layer;
    return layer == 4 ? layer_4(session) : layer == 3 ? layer_3(session) : power_cycle(pcsc);
}
