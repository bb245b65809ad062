/* The CIU towards the cards: bytes and registers into frames, frames into bytes and error bits.
 *
 * Two radios stand here one on the other. `air` is the field with the rates of the registers; cipher.radio enciphers
 * over it while MFCrypto1On is set. With parity off (MfRx bit 4) a byte stream holds nine bits a byte, the parity bit
 * behind its eight, and whoever computes Crypto-1 outside the chip does so over both. */
#include "ciu_air.h"

#include <scrip/crc.h>
#include <string.h>

#define MF_RX_PARITY_OFF     0x10U
#define MODE_CRC             0x80U
#define RATE_SHIFT           4U
#define RATE_MASK            0x70U
#define FRAMING              0x03U /* of the PN532's TxMode: 0 is type A */
#define COLL_KEEP            0x80U /* ValuesAfterColl */
#define COLL_NOT_VALID       0x20U
#define COLL_BITS            32U /* CollPos can name these */
#define CONTROL_RX_LAST_BITS 0x07U

static bool bit_at(const uint8_t *data, size_t i)
{
    return (data[i / 8] >> (i % 8) & 1) != 0;
}

static void bit_put(uint8_t *data, size_t i, bool value)
{
    data[i / 8] = (uint8_t)((data[i / 8] & ~(1U << i % 8)) | (unsigned)value << i % 8);
}

/* ---- the radios -------------------------------------------------------------------------------------------------- */

static uint8_t rate_of(const struct scrip_ciu *ciu, uint8_t mode_register)
{
    return (ciu->reg[mode_register] & RATE_MASK) >> RATE_SHIFT;
}

static enum scrip_status air_power(void *ctx, bool on)
{
    scrip_ciu_antenna(ctx, on);
    return SCRIP_OK;
}

/* A card that lost power, or speaks at another rate than the receiver listens for, is silence. */
static enum scrip_status air_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                      uint32_t timeout_us)
{
    struct scrip_ciu *ciu = ctx;
    struct scrip_frame at_rate = *tx;
    at_rate.rate = rate_of(ciu, CIU_TX_MODE);
    const enum scrip_status status = scrip_field_exchange(ciu->field, &at_rate, rx, timeout_us);
    if (status != SCRIP_OK || rx->bits == 0 || rx->rate != rate_of(ciu, CIU_RX_MODE)) {
        scrip_frame_clear(rx);
        return SCRIP_E_TIMEOUT;
    }
    return SCRIP_OK;
}

static enum scrip_status air_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    struct scrip_ciu *ciu = ctx;
    if (to_card > SCRIP_RATE_848 || from_card > SCRIP_RATE_848) {
        return SCRIP_E_UNSUPPORTED;
    }
    ciu->reg[CIU_TX_MODE] = (uint8_t)((ciu->reg[CIU_TX_MODE] & ~RATE_MASK) | (unsigned)to_card << RATE_SHIFT);
    ciu->reg[CIU_RX_MODE] = (uint8_t)((ciu->reg[CIU_RX_MODE] & ~RATE_MASK) | (unsigned)from_card << RATE_SHIFT);
    return SCRIP_OK;
}

static void air_wait(void *ctx, uint32_t us)
{
    const struct scrip_ciu *ciu = ctx;
    scrip_field_wait(ciu->field, us);
}

static enum scrip_status radio_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                        uint32_t timeout_us)
{
    struct scrip_ciu *ciu = ctx;
    const struct scrip_radio *below = ciu->cipher.on ? &ciu->cipher.radio : &ciu->air;
    ciu->last = below->exchange(below->ctx, tx, rx, timeout_us);
    return ciu->last;
}

void ciu_air_bind(struct scrip_ciu *ciu)
{
    ciu->air = (struct scrip_radio){.ctx = ciu,
                                    .power = air_power,
                                    .exchange = air_exchange,
                                    .rates = air_rates,
                                    .wait = air_wait,
                                    .frame_max = CIU_FIFO};
    ciu->radio = ciu->air;
    ciu->radio.exchange = radio_exchange;
    scrip_mifare_soft_init(&ciu->cipher, &ciu->air, ciu->random);
}

const struct scrip_radio *scrip_ciu_radio(struct scrip_ciu *ciu)
{
    return &ciu->radio;
}

enum scrip_status scrip_ciu_authenticate(struct scrip_ciu *ciu, uint8_t command, uint8_t block, const uint8_t key[6],
                                         const uint8_t uid4[4])
{
    return ciu->cipher.auth.authenticate(ciu->cipher.auth.ctx, command, block, key, uid4);
}

void scrip_ciu_crypto_off(struct scrip_ciu *ciu)
{
    scrip_mifare_soft_drop(&ciu->cipher);
}

/* ---- bytes to a frame -------------------------------------------------------------------------------------------- */

uint16_t ciu_crc_start(const struct scrip_ciu *ciu)
{
    static const uint16_t presets[4] = {0x0000, SCRIP_CRC16_START, 0xA671, 0xFFFF};
    return presets[ciu->reg[CIU_MODE] & 3];
}

/* Nine bits a byte; what is left at the end has no parity. */
static void frame_packed(struct scrip_frame *frame, const uint8_t *packed, size_t bits)
{
    uint16_t out = 0;
    scrip_frame_clear(frame);
    for (size_t i = 0; i < bits; i++) {
        if (i % 9 == 8) {
            scrip_frame_parity_set(frame, i / 9, bit_at(packed, i));
        } else {
            bit_put(frame->data, out++, bit_at(packed, i));
        }
    }
    frame->bits = out;
}

static enum scrip_status frame_make(const struct scrip_ciu *ciu, struct scrip_bytes bytes, struct scrip_frame *frame)
{
    const uint8_t last_bits = ciu->reg[CIU_BIT_FRAMING] & 7;
    const size_t bits = 8 * bytes.len - (last_bits != 0 ? 8U - last_bits : 0);
    uint8_t room[SCRIP_FRAME_MAX];
    if (bytes.len + 2 > sizeof room) {
        return SCRIP_E_SPACE;
    }
    if ((ciu->reg[CIU_MF_RX] & MF_RX_PARITY_OFF) != 0) {
        frame_packed(frame, bytes.at, bits);
        return SCRIP_OK;
    }
    memcpy(room, bytes.at, bytes.len);
    size_t len = bytes.len;
    if ((ciu->reg[CIU_TX_MODE] & MODE_CRC) != 0 && last_bits == 0) {
        scrip_put_le16(room + len, scrip_crc16(ciu_crc_start(ciu), bytes));
        len += 2;
    }
    SCRIP_TRY(scrip_frame_bytes(frame, scrip_bytes(room, len)));
    frame->bits = (uint16_t)(last_bits != 0 ? bits : 8 * len);
    return SCRIP_OK;
}

/* ---- a frame to bytes -------------------------------------------------------------------------------------------- */

/* Where the first collision is, and what stands behind it. */
static uint8_t note_collision(struct scrip_ciu *ciu, struct scrip_frame *rx)
{
    const uint8_t keep = ciu->reg[CIU_COLL] & COLL_KEEP;
    const uint16_t at = rx->collision;
    if (at == 0) {
        ciu->reg[CIU_COLL] = keep | COLL_NOT_VALID;
        return 0;
    }
    ciu->reg[CIU_COLL] = (uint8_t)(keep | (at > COLL_BITS ? COLL_NOT_VALID : at % COLL_BITS));
    for (size_t i = at - 1U; keep == 0 && i < rx->bits; i++) {
        bit_put(rx->data, rx->align + i, false);
    }
    return CIU_E_COLL;
}

static uint8_t check_parity(const struct scrip_frame *rx)
{
    const size_t whole = (rx->align + (size_t)rx->bits) / 8;
    for (size_t i = rx->align == 0 ? 0 : 1; i < whole; i++) { /* of a byte that was cut the parity means nothing */
        if (scrip_frame_parity(rx, i) != scrip_odd_parity(rx->data[i])) {
            return CIU_E_PARITY;
        }
    }
    return 0;
}

/* Check the CRC and take it off. What is no row of whole bytes has none. */
static uint8_t check_crc(const struct scrip_ciu *ciu, struct scrip_frame *rx)
{
    const size_t len = rx->bits / 8U;
    if (rx->bits % 8 != 0 || rx->align != 0 || len < 2) {
        return CIU_E_CRC;
    }
    rx->bits = (uint16_t)(rx->bits - 16);
    const uint16_t crc = scrip_crc16(ciu_crc_start(ciu), scrip_bytes(rx->data, len - 2));
    return crc == scrip_get_le16(rx->data + len - 2) ? 0 : CIU_E_CRC;
}

/* Bits of the answer one after the other, the first at RxAlign; with `packed` each whole byte's parity behind it.
 * @return bits written */
static size_t unpack(const struct scrip_ciu *ciu, const struct scrip_frame *rx, bool packed, uint8_t *out)
{
    size_t at = packed ? 0 : ciu->reg[CIU_BIT_FRAMING] >> 4 & 7;
    for (size_t i = 0; i < rx->bits; i++) {
        const size_t place = rx->align + i;
        bit_put(out, at++, bit_at(rx->data, place));
        if (packed && place % 8 == 7) {
            bit_put(out, at++, scrip_frame_parity(rx, place / 8));
        }
    }
    return at;
}

static void receive(struct scrip_ciu *ciu, enum scrip_status heard, struct scrip_buf *out)
{
    uint8_t bytes[SCRIP_FRAME_MAX + SCRIP_FRAME_MAX / 8 + 2] = {0};
    struct scrip_frame *rx = &ciu->rx;
    const bool packed = (ciu->reg[CIU_MF_RX] & MF_RX_PARITY_OFF) != 0;
    uint8_t errors = note_collision(ciu, rx);
    if (!packed && errors == 0) {
        errors |= heard == SCRIP_E_MAC ? CIU_E_PARITY : 0;
        errors |= ciu->cipher.on ? 0 : check_parity(rx);
        errors |= (ciu->reg[CIU_RX_MODE] & MODE_CRC) != 0 ? check_crc(ciu, rx) : 0;
    }
    const size_t bits = unpack(ciu, rx, packed, bytes);
    const size_t len = (bits + 7) / 8;
    const size_t room = out->cap - out->len;
    (void)scrip_buf_add(out, bytes, len < room ? len : room);
    ciu->reg[CIU_ERROR] |= errors | (len > room ? CIU_E_OVERFLOW : 0);
    ciu->reg[CIU_CONTROL] = (uint8_t)((ciu->reg[CIU_CONTROL] & ~CONTROL_RX_LAST_BITS) | (bits & 7));
}

enum scrip_status scrip_ciu_transceive(struct scrip_ciu *ciu, struct scrip_bytes tx, struct scrip_buf *rx,
                                       uint32_t timeout_us)
{
    ciu->reg[CIU_ERROR] = 0;
    ciu->reg[CIU_CONTROL] &= (uint8_t)~CONTROL_RX_LAST_BITS;
    const bool foreign = ciu->all_framings && (ciu->reg[CIU_TX_MODE] & FRAMING) != 0;
    if (tx.len == 0 || foreign || frame_make(ciu, tx, &ciu->tx) != SCRIP_OK) {
        scrip_field_wait(ciu->field, timeout_us);
        ciu->last = SCRIP_E_TIMEOUT;
        return SCRIP_E_TIMEOUT;
    }
    const enum scrip_status status = radio_exchange(ciu, &ciu->tx, &ciu->rx, timeout_us);
    if (status != SCRIP_OK && status != SCRIP_E_MAC) {
        return SCRIP_E_TIMEOUT;
    }
    receive(ciu, status, rx);
    return SCRIP_OK;
}
