/* The MFRC522 as a radio: frames through its FIFO, time-outs by its timer, Crypto-1 by MFAuthent.
 *
 * Registers that make no sense (a wire that came off reads 00 or FF) are a failed reader, never an answer: bits that
 * the chip cannot show, levels above its FIFO, a command that never ends. */
#include "mfrc522_chip.h"
#include <string.h>

#define IRQ_CLEAR        0x7FU
#define IRQ_NEVER        0x80U /* reads 0 in every chip */
#define IRQ_RX           0x20U
#define IRQ_IDLE         0x10U
#define IRQ_TIMER        0x01U

#define ERROR_BAD        0x13U /* FIFO overflow, parity, protocol */
#define ERROR_COLLISION  0x08U
#define FIFO_FLUSH       0x80U
#define START_SEND       0x80U
#define LAST_BITS        0x07U
#define COLL_NOT_VALID   0x20U
#define COLL_POS         0x1FU
#define CRYPTO_ON        0x08U
#define ANTENNA_OFF      0x80U
#define ANTENNA_ON       0x83U

#define TIMER_AUTO       0x80U /* runs from the end of the transmission to the first bit received */
#define PRESCALER_FINE   169U  /* 25 us a tick, up to 1.6 s */
#define PRESCALER_COARSE 4095U /* 604 us a tick, up to 39 s */
#define TICK_FINE_US     25U
#define TICK_COARSE_US   604U
#define FINE_MAX_US      1600000U
#define COARSE_MAX_US    39000000U
#define ANSWER_BEGINS_US 200U /* the latest answer begins a little after its time */
#define OVERTIME_MS      500U /* beyond the chip's own timer: it does not answer */
#define AUTHENTICATE_US  10000U
#define FIELD_US         6000U /* cards need 5 ms to start, and to be sure that the field was away */
#define POLL_US          50U

static enum scrip_status timer_set(struct scrip_mfrc522 *chip, uint32_t timeout_us)
{
    const uint32_t us = (timeout_us < COARSE_MAX_US ? timeout_us : COARSE_MAX_US) + ANSWER_BEGINS_US;
    const bool fine = us <= FINE_MAX_US;
    const uint16_t prescaler = fine ? PRESCALER_FINE : PRESCALER_COARSE;
    const uint16_t reload = (uint16_t)(us / (fine ? TICK_FINE_US : TICK_COARSE_US));
    if (prescaler != chip->timer_prescaler) {
        SCRIP_TRY(mfrc522_write(chip, REG_T_MODE, (uint8_t)(TIMER_AUTO | prescaler >> 8)));
        SCRIP_TRY(mfrc522_write(chip, REG_T_PRESCALER, (uint8_t)prescaler));
        chip->timer_prescaler = prescaler;
    }
    if (reload != chip->timer_reload) {
        SCRIP_TRY(mfrc522_write(chip, REG_T_RELOAD_HIGH, (uint8_t)(reload >> 8)));
        SCRIP_TRY(mfrc522_write(chip, REG_T_RELOAD_LOW, (uint8_t)reload));
        chip->timer_reload = reload;
    }
    return SCRIP_OK;
}

/* Stop what runs, empty the FIFO. */
static enum scrip_status prepare(struct scrip_mfrc522 *chip, uint32_t timeout_us)
{
    SCRIP_TRY(mfrc522_write(chip, REG_COMMAND, CMD_IDLE));
    SCRIP_TRY(mfrc522_write(chip, REG_COM_IRQ, IRQ_CLEAR));
    SCRIP_TRY(mfrc522_write(chip, REG_FIFO_LEVEL, FIFO_FLUSH));
    return timer_set(chip, timeout_us);
}

/* Transceive waits for StartSend. Neither bus has a checksum, and the wrong command would send
 * something else than a frame; so it is looked at before the FIFO is filled. */
static enum scrip_status transceive_set(struct scrip_mfrc522 *chip)
{
    uint8_t runs = 0;
    SCRIP_TRY(mfrc522_write(chip, REG_COMMAND, CMD_TRANSCEIVE));
    SCRIP_TRY(mfrc522_read(chip, REG_COMMAND, &runs));
    return (runs & COMMAND_CODE) == CMD_TRANSCEIVE ? SCRIP_OK : SCRIP_E_LINK;
}

/* Wait until one of `done` is up. SCRIP_E_TIMEOUT: the timer came first. */
static enum scrip_status irq_wait(struct scrip_mfrc522 *chip, uint8_t done, uint32_t timeout_us)
{
    const uint32_t start = chip->ticks.now_ms(chip->ticks.ctx);
    do {
        uint8_t irq = 0;
        SCRIP_TRY(mfrc522_read(chip, REG_COM_IRQ, &irq));
        if ((irq & IRQ_NEVER) != 0) {
            return SCRIP_E_LINK;
        }
        if ((irq & done) != 0) {
            return SCRIP_OK;
        }
        if ((irq & IRQ_TIMER) != 0) {
            return SCRIP_E_TIMEOUT;
        }
        chip->ticks.wait_us(chip->ticks.ctx, POLL_US);
    } while (chip->ticks.now_ms(chip->ticks.ctx) - start <= timeout_us / 1000 + OVERTIME_MS);
    return SCRIP_E_LINK;
}

/* ---- Frames ------------------------------------------------------------------------------------------------------ */

/* CollPos is 1..32 (0: the 32nd bit). Sources disagree on what it counts from when RxAlign is not 0; the chip's maker
 * indexes the bytes received with it, so that is where we begin (see mfrc522.c for how the driver learns). */
static enum scrip_status collision_read(struct scrip_mfrc522 *chip, struct mfrc522_bits *bits)
{
    uint8_t coll = 0;
    SCRIP_TRY(mfrc522_read(chip, REG_COLL, &coll));
    const unsigned pos = (coll & COLL_POS) != 0 ? coll & COLL_POS : 32U;
    const unsigned skip = chip->coll_first ? 0U : bits->rx_align;
    chip->coll_doubt = chip->coll_doubt || bits->rx_align != 0;
    if ((coll & COLL_NOT_VALID) != 0 || pos <= skip || pos - skip > bits->rx_bits) {
        return SCRIP_E_MAC;
    }
    bits->collision = (uint16_t)(pos - skip);
    return SCRIP_OK;
}

/* What is in the FIFO. A CRC_A over data and its own CRC is 0, and stays so over zeros: a level that was misread too
 * high would make a longer frame with a good CRC, so it is read twice. Four bits have no CRC, so they must have come
 * out of the FIFO: it is empty afterwards. */
static enum scrip_status fifo_take(struct scrip_mfrc522 *chip, uint8_t *at, uint8_t *level)
{
    uint8_t again = 0, left = 0;
    SCRIP_TRY(mfrc522_read(chip, REG_FIFO_LEVEL, level));
    SCRIP_TRY(mfrc522_read(chip, REG_FIFO_LEVEL, &again));
    if (*level > SCRIP_MFRC522_FIFO) {
        return SCRIP_E_LINK;
    }
    SCRIP_TRY(mfrc522_fifo_read(chip, at, *level));
    SCRIP_TRY(mfrc522_read(chip, REG_FIFO_LEVEL, &left));
    return *level == again && left == 0 ? SCRIP_OK : SCRIP_E_MAC;
}

static enum scrip_status heard(struct scrip_mfrc522 *chip, struct mfrc522_bits *bits)
{
    uint8_t error = 0, level = 0, control = 0;
    SCRIP_TRY(mfrc522_read(chip, REG_ERROR, &error));
    SCRIP_TRY(fifo_take(chip, bits->rx, &level));
    SCRIP_TRY(mfrc522_read(chip, REG_CONTROL, &control));
    const size_t last = (control & LAST_BITS) != 0 ? control & LAST_BITS : 8U;
    const size_t all = level > 0 ? 8U * (level - 1U) + last : 0;
    if (all <= bits->rx_align) {
        return SCRIP_E_MAC;
    }
    bits->rx_bits = all - bits->rx_align;
    bits->collision = 0;
    if ((error & ERROR_COLLISION) != 0) {
        return collision_read(chip, bits);
    }
    return (error & ERROR_BAD) != 0 ? SCRIP_E_MAC : SCRIP_OK;
}

static enum scrip_status transceive(struct scrip_mfrc522 *chip, struct mfrc522_bits *bits, uint32_t timeout_us)
{
    const uint8_t framing = (uint8_t)((unsigned)bits->rx_align << 4 | bits->tx_bits % 8);
    SCRIP_TRY(prepare(chip, timeout_us));
    SCRIP_TRY(mfrc522_write(chip, REG_BIT_FRAMING, framing));
    SCRIP_TRY(transceive_set(chip));
    SCRIP_TRY(mfrc522_fifo_write(chip, bits->tx, (bits->tx_bits + 7) / 8));
    chip->sent = true;
    SCRIP_TRY(mfrc522_write(chip, REG_BIT_FRAMING, (uint8_t)(START_SEND | framing)));
    const enum scrip_status status = irq_wait(chip, IRQ_RX | IRQ_IDLE, timeout_us);
    const enum scrip_status got = status == SCRIP_OK ? heard(chip, bits) : status;
    SCRIP_TRY(mfrc522_write(chip, REG_COMMAND, CMD_IDLE));
    return got;
}

enum scrip_status mfrc522_exchange(struct scrip_mfrc522 *chip, struct mfrc522_bits *bits, uint32_t timeout_us)
{
    if (bits->tx_bits == 0 || bits->tx_bits > 8U * SCRIP_MFRC522_FIFO) {
        return SCRIP_E_SPACE;
    }
    return transceive(chip, bits, timeout_us);
}

/* Four bits have neither parity nor CRC. Of the sixteen values ACK and four NAKs exist, and no ACK becomes a NAK or the
 * reverse by one bit: others are damaged, and must not be taken for a refusal that changed nothing. */
static bool is_damaged_nibble(const struct mfrc522_bits *bits)
{
    const unsigned known = 1U << 0x0 | 1U << 0x1 | 1U << 0x4 | 1U << 0x5 | 1U << 0xA;
    return bits->rx_bits == 4 && bits->rx_align == 0 && (known >> (bits->rx[0] & 0x0F) & 1U) == 0;
}

static enum scrip_status radio_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                        uint32_t timeout_us)
{
    struct scrip_mfrc522 *chip = ctx;
    struct mfrc522_bits bits = {.tx = tx->data, .tx_bits = tx->bits};
    if (tx->bits > 8) { /* an answer in anticollision goes on where the question was cut */
        bits.rx_align = tx->bits % 8;
    }
    scrip_frame_clear(rx);
    const enum scrip_status status = mfrc522_exchange(chip, &bits, timeout_us);
    if (status != SCRIP_OK) {
        return status == SCRIP_E_SPACE ? SCRIP_E_LINK : status;
    }
    if (is_damaged_nibble(&bits)) {
        return SCRIP_E_MAC;
    }
    rx->align = bits.rx_align;
    rx->bits = (uint16_t)bits.rx_bits;
    rx->collision = bits.collision;
    memcpy(rx->data, bits.rx, sizeof bits.rx);
    scrip_frame_parity_fill(rx); /* the chip has checked it */
    return SCRIP_OK;
}

/* ---- Carrier and cipher ------------------------------------------------------------------------------------------ */

enum scrip_status mfrc522_crypto_off(struct scrip_mfrc522 *chip)
{
    return mfrc522_write(chip, REG_STATUS2, 0);
}

static enum scrip_status radio_power(void *ctx, bool on)
{
    struct scrip_mfrc522 *chip = ctx;
    SCRIP_TRY(mfrc522_crypto_off(chip));
    SCRIP_TRY(mfrc522_write(chip, REG_TX_CONTROL, on ? ANTENNA_ON : ANTENNA_OFF));
    chip->ticks.wait_us(chip->ticks.ctx, FIELD_US);
    return SCRIP_OK;
}

static enum scrip_status radio_rates(void *ctx, uint8_t to_card, uint8_t from_card)
{
    (void)ctx;
    return to_card == SCRIP_RATE_106 && from_card == SCRIP_RATE_106 ? SCRIP_OK : SCRIP_E_UNSUPPORTED;
}

static void radio_wait(void *ctx, uint32_t us)
{
    struct scrip_mfrc522 *chip = ctx;
    chip->ticks.wait_us(chip->ticks.ctx, us);
}

static enum scrip_status passes(struct scrip_mfrc522 *chip, const uint8_t parameters[12])
{
    uint8_t status2 = 0;
    SCRIP_TRY(prepare(chip, AUTHENTICATE_US));
    SCRIP_TRY(mfrc522_fifo_write(chip, parameters, 12));
    chip->sent = true;
    SCRIP_TRY(mfrc522_write(chip, REG_COMMAND, CMD_MF_AUTHENT));
    SCRIP_TRY(irq_wait(chip, IRQ_IDLE, AUTHENTICATE_US));
    SCRIP_TRY(mfrc522_read(chip, REG_STATUS2, &status2));
    return (status2 & CRYPTO_ON) != 0 ? SCRIP_OK : SCRIP_E_AUTH;
}

static enum scrip_status authenticate(void *ctx, uint8_t command, uint8_t block, const uint8_t key[6],
                                      const uint8_t uid4[4])
{
    struct scrip_mfrc522 *chip = ctx;
    uint8_t parameters[12] = {command, block};
    memcpy(parameters + 2, key, 6);
    memcpy(parameters + 8, uid4, 4);
    const enum scrip_status status = passes(chip, parameters);
    scrip_wipe(parameters, sizeof parameters);
    if (status == SCRIP_OK || status == SCRIP_E_LINK) {
        return status;
    }
    SCRIP_TRY(mfrc522_write(chip, REG_COMMAND, CMD_IDLE));
    SCRIP_TRY(mfrc522_write(chip, REG_FIFO_LEVEL, FIFO_FLUSH)); /* the key may still be in it */
    SCRIP_TRY(mfrc522_crypto_off(chip));
    return SCRIP_E_AUTH;
}

void mfrc522_radio_init(struct scrip_mfrc522 *chip)
{
    chip->radio = (struct scrip_radio){.ctx = chip,
                                       .power = radio_power,
                                       .exchange = radio_exchange,
                                       .rates = radio_rates,
                                       .wait = radio_wait,
                                       .frame_max = SCRIP_MFRC522_FIFO};
    chip->auth = (struct scrip_mifare_auth){.ctx = chip, .authenticate = authenticate};
}
