/* fake_picc.h: the card of fake_card.h as a contactless one of part 4. */
#ifndef TEST_FAKE_PICC_H
#define TEST_FAKE_PICC_H

#include "fake_card.h"
#include <scrip/picc.h>

struct fake_picc {
    struct scrip_picc_4 air;
    struct fake_card fake;
    uint8_t command[70000], response[70000];
};

static enum scrip_status fake_picc_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    struct fake_picc *self = ctx;
    struct scrip_card_info info;
    if (!on) {
        fake_off(&self->fake.card);
        return SCRIP_OK;
    }
    SCRIP_TRY(fake_on(&self->fake.card, &info));
    memcpy(a->uid, info.uid, info.uid_len);
    a->uid_len = info.uid_len;
    a->atqa[0] = 0x44;
    a->atqa[1] = 0x03;
    a->sak = 0x20;
    memcpy(ats, info.ats, info.ats_len);
    return SCRIP_OK;
}

static enum scrip_status fake_picc_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *rsp, uint32_t *busy_us)
{
    struct fake_picc *self = ctx;
    (void)busy_us;
    return fake_apdu(&self->fake.card, command, rsp);
}

static inline void fake_picc_init(struct fake_picc *self)
{
    memset(self, 0, sizeof *self);
    fake_card_init(&self->fake);
    const struct scrip_picc_app app = {.ctx = self, .power = fake_picc_power, .apdu = fake_picc_apdu};
    scrip_picc_4_init(&self->air, &app, SCRIP_BUF_OF(self->command), SCRIP_BUF_OF(self->response));
}

#endif
