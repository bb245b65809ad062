/* fake_picc.h: a contactless card of part 4 that answers each command with its own instruction byte and a count, and
 * can lose power. */
#ifndef TEST_FAKE_PICC_H
#define TEST_FAKE_PICC_H

#include <scrip/picc.h>
#include <string.h>

struct fake_picc {
    struct scrip_picc_4 air;
    bool on;
    unsigned powered; /* how often */
    unsigned answered;
    unsigned dies_at;   /* the command that it does not survive; 0: none */
    size_t long_answer; /* bytes of data to answer INS EE */
    uint8_t command[70000], response[70000];
};

static enum scrip_status fake_picc_power(void *ctx, bool on, struct scrip_picc_a *a, uint8_t ats[33])
{
    struct fake_picc *self = ctx;
    static const uint8_t uid[] = {0x04, 1, 2, 3, 4, 5, 6};
    self->on = on;
    if (on) {
        self->powered++;
        memcpy(a->uid, uid, sizeof uid);
        a->uid_len = sizeof uid;
        a->atqa[0] = 0x44;
        a->atqa[1] = 0x03;
        a->sak = 0x20;
        memcpy(ats, "\x06\x75\x77\x81\x02\x80", 6);
    }
    return SCRIP_OK;
}

static enum scrip_status fake_picc_apdu(void *ctx, struct scrip_bytes command, struct scrip_buf *rsp, uint32_t *busy_us)
{
    struct fake_picc *self = ctx;
    (void)busy_us;
    if (++self->answered == self->dies_at) {
        self->on = false;
        return SCRIP_E_NV;
    }
    if (command.len < 4) {
        return scrip_buf_add_be(rsp, 0x6700, 2);
    }
    if (command.at[1] == 0xEE) {
        SCRIP_TRY(scrip_buf_fill(rsp, 0xEE, self->long_answer));
        return scrip_buf_add_be(rsp, 0x9000, 2);
    }
    SCRIP_TRY(scrip_buf_add_u8(rsp, command.at[1]));
    SCRIP_TRY(scrip_buf_add_u8(rsp, (uint8_t)self->answered));
    return scrip_buf_add_be(rsp, 0x9000, 2);
}

static inline void fake_picc_init(struct fake_picc *self)
{
    memset(self, 0, sizeof *self);
    const struct scrip_picc_app app = {.ctx = self, .power = fake_picc_power, .apdu = fake_picc_apdu};
    scrip_picc_4_init(&self->air, &app, SCRIP_BUF_OF(self->command), SCRIP_BUF_OF(self->response));
}

#endif
