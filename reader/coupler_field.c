#include "coupler_field.h"

#define NO_CID     0
#define BITS       8U
#define BITS_RAW   9U /* a byte and its parity */
#define FRAME_BITS (SCRIP_FRAME_MAX * BITS)

static struct coupler_field *of(struct scrip_coupler *coupler)
{
    return (struct coupler_field *)coupler;
}

/* ---- Finding a card ---------------------------------------------------------------------------------------------- */

static enum scrip_status none(enum scrip_status status)
{
    return status == SCRIP_OK || status == SCRIP_E_LINK ? status : SCRIP_E_NO_CARD;
}

static void forget(struct coupler_field *self)
{
    scrip_mifare_soft_drop(&self->crypto);
    self->in_blocks = false;
}

static enum scrip_status power(struct scrip_coupler *coupler, bool on)
{
    forget(of(coupler));
    return of(coupler)->air.power(of(coupler)->air.ctx, on);
}

/* On to part 4, where the card can. */
static enum scrip_status activate(struct coupler_field *self)
{
    if ((self->target.sak & SCRIP_SAK_PART_4) == 0) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_pcd_4_begin(&self->blocks, &self->air, &self->target, NO_CID, SCRIP_RATE_106));
    self->in_blocks = true;
    return SCRIP_OK;
}

static enum scrip_status find(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target)
{
    struct coupler_field *self = of(coupler);
    (void)timeout_ms;
    SCRIP_TRY(power(coupler, false));
    SCRIP_TRY(power(coupler, true));
    SCRIP_TRY(none(scrip_pcd_find(&self->air, true, &self->target)));
    SCRIP_TRY(none(activate(self)));
    *target = self->target;
    return SCRIP_OK;
}

/* The card may be anywhere: in blocks it hears only DESELECT, and one that is active falls back at the first request
 * without an answer. */
static enum scrip_status again(struct scrip_coupler *coupler)
{
    static const uint8_t deselect[] = {0xC2};
    struct coupler_field *self = of(coupler);
    forget(self);
    if ((self->target.sak & SCRIP_SAK_PART_4) != 0) {
        struct scrip_frame tx;
        struct scrip_frame rx;
        SCRIP_TRY(scrip_frame_bytes_crc(&tx, SCRIP_BYTES_OF(deselect)));
        (void)self->air.exchange(self->air.ctx, &tx, &rx, 5000);
    }
    enum scrip_status status = scrip_pcd_wake(&self->air, &self->target);
    if (status != SCRIP_OK) {
        status = scrip_pcd_wake(&self->air, &self->target);
    }
    SCRIP_TRY(none(status));
    return none(activate(self));
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static enum scrip_status apdu(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct coupler_field *self = of(coupler);
    return self->in_blocks ? scrip_pcd_4_exchange(&self->blocks, command, response) : SCRIP_E_STATE;
}

static enum scrip_status mifare(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct coupler_field *self = of(coupler);
    return self->in_blocks ? SCRIP_E_STATE
                           : scrip_mifare_exchange(&self->crypto.radio, &self->crypto.auth, command, response);
}

/* ---- Bits -------------------------------------------------------------------------------------------------------- */

static bool bit_get(const uint8_t *at, size_t i)
{
    return (at[i / BITS] >> (i % BITS) & 1U) != 0;
}

static void bit_set(uint8_t *at, size_t i)
{
    at[i / BITS] = (uint8_t)(at[i / BITS] | 1U << (i % BITS));
}

/* Bytes as they are; parity is made here. */
static enum scrip_status whole_bytes(const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                                     struct scrip_frame *frame)
{
    if (how->crc_out) {
        return how->last_bits == 0 ? scrip_frame_bytes_crc(frame, tx) : SCRIP_E_UNSUPPORTED;
    }
    SCRIP_TRY(scrip_frame_bytes(frame, tx));
    frame->bits = (uint16_t)(frame->bits - (how->last_bits != 0 ? BITS - how->last_bits : 0));
    return SCRIP_OK;
}

/* A stream of bits in which every eight are followed by their parity. */
static enum scrip_status bare_bits(const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                                   struct scrip_frame *frame)
{
    const size_t bits = tx.len * BITS - (how->last_bits != 0 ? BITS - how->last_bits : 0);
    const size_t data = bits - bits / BITS_RAW;
    if (how->crc_out || how->crc_in) {
        return SCRIP_E_UNSUPPORTED;
    }
    if (data > FRAME_BITS) {
        return SCRIP_E_SPACE;
    }
    scrip_frame_clear(frame);
    frame->bits = (uint16_t)data;
    for (size_t i = 0; i < bits; i++) {
        const size_t byte = i / BITS_RAW;
        if (i % BITS_RAW == BITS) {
            scrip_frame_parity_set(frame, byte, bit_get(tx.at, i));
        } else if (bit_get(tx.at, i)) {
            bit_set(frame->data, byte * BITS + i % BITS_RAW);
        }
    }
    return SCRIP_OK;
}

static bool parity_is_odd(const struct scrip_frame *frame)
{
    const size_t whole = frame->align == 0 ? frame->bits / BITS : 0; /* of a cut byte the parity means nothing */
    for (size_t i = 0; i < whole; i++) {
        if (scrip_frame_parity(frame, i) != scrip_odd_parity(frame->data[i])) {
            return false;
        }
    }
    return true;
}

/* Answers of less than two bytes have no CRC; those of a request and an anticollision must be asked for without. */
static enum scrip_status heard_bytes(const struct scrip_coupler_raw *how, const struct scrip_frame *frame,
                                     struct scrip_buf *rx, uint8_t *last_bits)
{
    size_t len = scrip_frame_len(frame);
    if (frame->collision != 0 || !parity_is_odd(frame)) {
        return SCRIP_E_MAC;
    }
    if (how->crc_in && frame->bits >= 2 * BITS) {
        struct scrip_bytes content;
        if (scrip_frame_content_crc(frame, &content) != SCRIP_OK) {
            return SCRIP_E_MAC;
        }
        len = content.len;
    }
    *last_bits = (uint8_t)((frame->align + frame->bits) % BITS);
    return scrip_buf_add(rx, frame->data, len);
}

static enum scrip_status heard_bits(const struct scrip_frame *frame, struct scrip_buf *rx, uint8_t *last_bits)
{
    uint8_t bits[SCRIP_FRAME_MAX * BITS_RAW / BITS + 1] = {0};
    const size_t count = frame->bits + frame->bits / BITS;
    for (size_t i = 0; i < count; i++) {
        const size_t byte = i / BITS_RAW;
        const bool one =
            i % BITS_RAW == BITS ? scrip_frame_parity(frame, byte) : bit_get(frame->data, byte * BITS + i % BITS_RAW);
        if (one) {
            bit_set(bits, i);
        }
    }
    *last_bits = (uint8_t)(count % BITS);
    return scrip_buf_add(rx, bits, (count + BITS - 1) / BITS);
}

static enum scrip_status raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                             struct scrip_buf *rx, uint8_t *last_bits)
{
    struct coupler_field *self = of(coupler);
    struct scrip_frame out;
    struct scrip_frame in;
    if (tx.len == 0 || tx.len > SCRIP_FRAME_MAX || how->last_bits >= BITS) {
        return SCRIP_E_UNSUPPORTED;
    }
    SCRIP_TRY(how->parity ? whole_bytes(how, tx, &out) : bare_bits(how, tx, &out));
    forget(self);
    scrip_frame_clear(&in);
    SCRIP_TRY(self->air.exchange(self->air.ctx, &out, &in, how->timeout_us));
    return how->parity ? heard_bytes(how, &in, rx, last_bits) : heard_bits(&in, rx, last_bits);
}

void coupler_field_init(struct coupler_field *coupler, struct scrip_field *field, const struct scrip_random *random)
{
    static const struct scrip_coupler_ops ops = {
        .find = find, .again = again, .apdu = apdu, .mifare = mifare, .raw = raw, .power = power};
    *coupler = (struct coupler_field){.coupler = {.ops = &ops}};
    scrip_field_radio(field, &coupler->air);
    scrip_mifare_soft_init(&coupler->crypto, &coupler->air, random);
}
