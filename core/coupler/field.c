#include "raw.h"
#include <scrip/coupler_field.h>
#include <string.h>

#define LOOKS       3U
#define DESELECT_US 5300U

static struct scrip_coupler_field *self(struct scrip_coupler *coupler)
{
    return (struct scrip_coupler_field *)coupler; /* the first member */
}

static enum scrip_status part_4_begin(struct scrip_coupler_field *c)
{
    c->part_4 = false;
    c->target.ats_len = 0;
    if ((c->target.sak & SCRIP_SAK_PART_4) == 0) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_pcd_4_begin(&c->blocks, &c->air, &c->target, 0, c->fastest));
    c->part_4 = true;
    return SCRIP_OK;
}

static enum scrip_status look(struct scrip_coupler_field *c)
{
    SCRIP_TRY(c->soft.radio.power(&c->soft, false));
    SCRIP_TRY(c->soft.radio.power(&c->soft, true));
    SCRIP_TRY(scrip_pcd_find(&c->air, false, &c->target));
    return part_4_begin(c);
}

static enum scrip_status find(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target)
{
    struct scrip_coupler_field *c = self(coupler);
    enum scrip_status status = SCRIP_E_NO_CARD;
    (void)timeout_ms;

    for (unsigned i = 0; i < LOOKS && status != SCRIP_OK; i++) {
        c->part_4 = false;
        status = look(c);
    }
    if (status != SCRIP_OK) {
        c->target.uid_len = 0;
        return SCRIP_E_NO_CARD;
    }
    *target = c->target;
    return SCRIP_OK;
}

/* Back to part 3. Software that speaks to the card by `raw` may have activated it itself. */
static void deselect(struct scrip_coupler_field *c)
{
    static const uint8_t block[] = {0xC2};
    struct scrip_frame sent;
    struct scrip_frame heard;

    if (c->part_4) {
        (void)scrip_pcd_4_deselect(&c->blocks);
    } else if ((c->target.sak & SCRIP_SAK_PART_4) != 0) {
        (void)scrip_frame_bytes_crc(&sent, SCRIP_BYTES_OF(block));
        (void)c->air.exchange(c->air.ctx, &sent, &heard, DESELECT_US);
    }
    c->part_4 = false;
}

static enum scrip_status again(struct scrip_coupler *coupler)
{
    struct scrip_coupler_field *c = self(coupler);
    enum scrip_status status = SCRIP_E_NO_CARD;

    if (c->target.uid_len == 0) {
        return SCRIP_E_NO_CARD;
    }
    scrip_mifare_soft_drop(&c->soft);
    deselect(c);
    for (unsigned i = 0; i < LOOKS && status != SCRIP_OK; i++) {
        status = scrip_pcd_wake(&c->air, &c->target);
    }
    return status == SCRIP_OK && part_4_begin(c) == SCRIP_OK ? SCRIP_OK : SCRIP_E_NO_CARD;
}

static enum scrip_status apdu(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct scrip_coupler_field *c = self(coupler);
    return c->part_4 ? scrip_pcd_4_exchange(&c->blocks, command, response) : SCRIP_E_STATE;
}

static enum scrip_status mifare(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct scrip_coupler_field *c = self(coupler);
    return c->part_4 ? SCRIP_E_STATE : scrip_mifare_exchange(&c->soft.radio, &c->soft.auth, command, response);
}

static enum scrip_status raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                             struct scrip_buf *rx, uint8_t *last_bits)
{
    struct scrip_coupler_field *c = self(coupler);
    const struct scrip_radio *radio = how->parity ? &c->soft.radio : &c->air;
    struct scrip_frame sent;
    struct scrip_frame heard;

    SCRIP_TRY(raw_to_frame(how, tx, &sent));
    sent.rate = c->part_4 ? c->blocks.rate_to : SCRIP_RATE_106;
    SCRIP_TRY(radio->exchange(radio->ctx, &sent, &heard, how->timeout_us));
    return raw_from_frame(how, &heard, rx, last_bits);
}

static enum scrip_status power(struct scrip_coupler *coupler, bool on)
{
    struct scrip_coupler_field *c = self(coupler);
    c->part_4 = false;
    c->target.uid_len = 0;
    return c->soft.radio.power(&c->soft, on);
}

void scrip_coupler_field_init(struct scrip_coupler_field *coupler, struct scrip_field *field,
                              const struct scrip_random *random)
{
    static const struct scrip_coupler_ops ops = {
        .find = find, .again = again, .apdu = apdu, .mifare = mifare, .raw = raw, .power = power};

    memset(coupler, 0, sizeof *coupler);
    coupler->coupler.ops = &ops;
    scrip_field_radio(field, &coupler->air);
    scrip_mifare_soft_init(&coupler->soft, &coupler->air, random);
}
