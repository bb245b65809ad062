#include <scrip/field.h>

#define START_US  5000U /* [ISO/IEC 14443-3, 5: a card is ready 5 ms after the field came] */
#define FRAME_MAX 256U

static enum scrip_status radio_power(void *ctx, bool on)
{
    struct scrip_field *field = ctx;
    const bool starts = on && !field->on;

    field->listen = SCRIP_RATE_106;
    (void)scrip_field_power(field, on);
    if (starts) {
        scrip_field_wait(field, START_US);
    }
    return SCRIP_OK;
}

static enum scrip_status radio_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                        uint32_t timeout_us)
{
    struct scrip_field *field = ctx;
    const enum scrip_status status = scrip_field_exchange(field, tx, rx, timeout_us);

    if (status != SCRIP_OK) { /* a reader cannot tell silence from an empty field */
        return status == SCRIP_E_ARGUMENT ? SCRIP_E_LINK : SCRIP_E_TIMEOUT;
    }
    return rx->rate == field->listen ? SCRIP_OK : SCRIP_E_MAC;
}

static enum scrip_status radio_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    struct scrip_field *field = ctx;
    if (to_card > SCRIP_RATE_848 || from_card > SCRIP_RATE_848) {
        return SCRIP_E_UNSUPPORTED;
    }
    field->listen = from_card;
    return SCRIP_OK;
}

static void radio_wait(void *ctx, uint32_t us)
{
    scrip_field_wait(ctx, us);
}

void scrip_field_radio(struct scrip_field *field, struct scrip_radio *radio)
{
    *radio = (struct scrip_radio){
        .ctx = field,
        .power = radio_power,
        .exchange = radio_exchange,
        .rates = radio_rates,
        .wait = radio_wait,
        .frame_max = FRAME_MAX,
    };
}
