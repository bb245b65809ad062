/* fake_card.h: a card that answers each command with its own instruction byte and a count, and can lose power. */
#ifndef TEST_FAKE_CARD_H
#define TEST_FAKE_CARD_H

#include <scrip/reader.h>
#include <string.h>

struct fake_card {
    struct scrip_vcard card;
    bool on;
    unsigned powered; /* how often */
    unsigned answered;
    unsigned dies_at; /* the command that it does not survive; 0: none */
    bool closed;
    size_t long_answer; /* bytes of data to answer INS EE */
};

static enum scrip_status fake_on(struct scrip_vcard *card, struct scrip_card_info *info)
{
    struct fake_card *self = (struct fake_card *)card;
    *info = (struct scrip_card_info){
        .uid = {0x04, 1, 2, 3, 4, 5, 6}, .uid_len = 7, .ats = {0x06, 0x75, 0x77, 0x81, 0x02, 0x80}, .ats_len = 6};
    self->on = true;
    self->powered++;
    return SCRIP_OK;
}

static enum scrip_status fake_apdu(struct scrip_vcard *card, struct scrip_bytes command, struct scrip_buf *rsp)
{
    struct fake_card *self = (struct fake_card *)card;
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

static void fake_off(struct scrip_vcard *card)
{
    ((struct fake_card *)card)->on = false;
}

static void fake_close(struct scrip_vcard *card)
{
    ((struct fake_card *)card)->closed = true;
}

static inline void fake_card_init(struct fake_card *self)
{
    static const struct scrip_vcard_ops ops = {.on = fake_on, .apdu = fake_apdu, .off = fake_off, .close = fake_close};
    *self = (struct fake_card){.card = {.ops = &ops}};
}

#endif
