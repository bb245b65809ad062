/* MFRC522 as a coupler: setting it up, finding a card, raw frames; the rest is core/iso14443 and core/classic/term over
 * its radio. */
#include "mfrc522_chip.h"
#include <scrip/crc.h>
#include <string.h>

#define BAUD_RESET  9600U
#define BAUD_FAST   115200U
#define SPEED_FAST  0x7AU /* 115200 in SerialSpeedReg */
#define PROBE_TRIES 3U
#define RESET_US    1000U
#define RESET_TRIES 50U
#define LOOK_US     20000U
#define LOOKS       3U
#define PARITY_OFF  0x10U
#define CRC_LEN     2U

static struct scrip_mfrc522 *of_coupler(struct scrip_coupler *coupler)
{
    return (struct scrip_mfrc522 *)coupler; /* the first member */
}

/* ---- Setting up -------------------------------------------------------------------------------------------------- */

/* Two registers must keep two patterns: neither a loose wire nor an echo does that. */
static enum scrip_status registers_check(struct scrip_mfrc522 *chip)
{
    static const uint8_t patterns[] = {0x5A, 0xA5};
    for (size_t i = 0; i < sizeof patterns; i++) {
        uint8_t high = 0, low = 0;
        SCRIP_TRY(mfrc522_write(chip, REG_T_RELOAD_HIGH, patterns[i]));
        SCRIP_TRY(mfrc522_write(chip, REG_T_RELOAD_LOW, (uint8_t)~patterns[i]));
        SCRIP_TRY(mfrc522_read(chip, REG_T_RELOAD_HIGH, &high));
        SCRIP_TRY(mfrc522_read(chip, REG_T_RELOAD_LOW, &low));
        if (high != patterns[i] || (high ^ low) != 0xFF) {
            return SCRIP_E_FORMAT;
        }
    }
    return SCRIP_OK;
}

static enum scrip_status probe(struct scrip_mfrc522 *chip)
{
    uint8_t version = 0;
    if (chip->over_uart) {
        SCRIP_TRY(chip->bus.uart.flush(chip->bus.uart.ctx));
    }
    SCRIP_TRY(mfrc522_read(chip, REG_VERSION, &version));
    if (version == 0x00 || version == 0xFF) {
        return SCRIP_E_UNSUPPORTED;
    }
    SCRIP_TRY(registers_check(chip));
    return mfrc522_read(chip, REG_VERSION, &chip->version); /* that before may have been the echo of another access */
}

static enum scrip_status baud(struct scrip_mfrc522 *chip, uint32_t rate)
{
    if (!chip->over_uart || chip->bus.uart.baud == NULL) {
        return SCRIP_OK;
    }
    return chip->bus.uart.baud(chip->bus.uart.ctx, rate);
}

/* A chip that was left in the middle of an access takes the first byte for the rest of it, hence the tries; one that an
 * earlier program left at the higher speed is looked for there. */
static enum scrip_status meet(struct scrip_mfrc522 *chip)
{
    static const uint32_t rates[] = {BAUD_RESET, BAUD_FAST};
    enum scrip_status status = SCRIP_E_TIMEOUT;
    for (unsigned i = 0; i < (chip->over_uart ? 2 * PROBE_TRIES : 1U) && status != SCRIP_OK; i++) {
        SCRIP_TRY(baud(chip, rates[i % 2]));
        chip->mute = false;
        status = probe(chip);
        if (status == SCRIP_E_LINK && !chip->over_uart) {
            return status;
        }
    }
    return status == SCRIP_E_LINK && chip->mute ? SCRIP_E_TIMEOUT : status;
}

static enum scrip_status reset(struct scrip_mfrc522 *chip)
{
    uint8_t command = COMMAND_POWER_DOWN;
    SCRIP_TRY(mfrc522_write(chip, REG_COMMAND, CMD_SOFT_RESET));
    SCRIP_TRY(baud(chip, BAUD_RESET));
    for (unsigned i = 0; i < RESET_TRIES; i++) {
        chip->ticks.wait_us(chip->ticks.ctx, RESET_US);
        SCRIP_TRY(mfrc522_read(chip, REG_COMMAND, &command));
        if ((command & COMMAND_POWER_DOWN) == 0) {
            return SCRIP_OK;
        }
    }
    return SCRIP_E_TIMEOUT;
}

static enum scrip_status go_faster(struct scrip_mfrc522 *chip)
{
    if (!chip->over_uart || chip->bus.uart.baud == NULL) {
        return SCRIP_OK;
    }
    SCRIP_TRY(mfrc522_write(chip, REG_SERIAL_SPEED, SPEED_FAST));
    return baud(chip, BAUD_FAST);
}

enum scrip_status scrip_mfrc522_begin(struct scrip_mfrc522 *chip)
{
    static const struct {
        enum mfrc522_register reg;
        uint8_t value;
    } rows[] = {
        {REG_TX_MODE, 0x00},   {REG_RX_MODE, 0x00}, /* 106 kbit/s; CRC is done in software, of answers of 4 bits too */
        {REG_MOD_WIDTH, 0x26}, {REG_TX_ASK, 0x40},  /* 100 % */
        {REG_MODE, 0x3D},                           /* send only into a field; CRC_A */
        {REG_COLL, 0x00},                           /* bits behind a collision read 0 */
        {REG_MF_RX, 0x00},     {REG_TX_CONTROL, 0x80}, /* parity on, antenna off */
    };
    chip->part_4 = false;
    chip->target.uid_len = 0;
    SCRIP_TRY(meet(chip));
    SCRIP_TRY(reset(chip));
    SCRIP_TRY(go_faster(chip));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SCRIP_TRY(mfrc522_write(chip, rows[i].reg, rows[i].value));
    }
    chip->timer_prescaler = UINT16_MAX; /* neither is a value that is ever set */
    chip->timer_reload = 0;
    return SCRIP_OK;
}

void scrip_mfrc522_end(struct scrip_mfrc522 *chip)
{
    if (mfrc522_write(chip, REG_TX_CONTROL, 0x80) == SCRIP_OK) {
        (void)mfrc522_write(chip, REG_COMMAND, COMMAND_POWER_DOWN);
    }
    chip->part_4 = false;
    chip->target.uid_len = 0;
}

/* ---- Finding a card ---------------------------------------------------------------------------------------------- */

static enum scrip_status part_4_begin(struct scrip_mfrc522 *chip)
{
    chip->part_4 = false;
    chip->target.ats_len = 0;
    if ((chip->target.sak & SCRIP_SAK_PART_4) == 0) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_pcd_4_begin(&chip->blocks, &chip->radio, &chip->target, 0, SCRIP_RATE_106));
    chip->part_4 = true;
    return SCRIP_OK;
}

/* Everything but a failed reader is no card. Cards that were lost in an anticollision answer the second request: the
 * first one throws them back. Where it came to nothing after a collision whose position can be read in two ways, the
 * other way is tried. */
static enum scrip_status look(struct scrip_mfrc522 *chip)
{
    enum scrip_status status = SCRIP_E_NO_CARD;
    bool answered = true;
    for (unsigned i = 0; i < LOOKS && answered && status != SCRIP_OK && status != SCRIP_E_LINK; i++) {
        chip->coll_doubt = false;
        status = scrip_pcd_find(&chip->radio, true, &chip->target);
        chip->coll_first = chip->coll_first != (status != SCRIP_OK && chip->coll_doubt);
        status = status == SCRIP_OK ? part_4_begin(chip) : status;
        answered = i > 0 || status != SCRIP_E_NO_CARD || chip->coll_doubt;
    }
    return status == SCRIP_OK || status == SCRIP_E_LINK ? status : SCRIP_E_NO_CARD;
}

static enum scrip_status find(struct scrip_coupler *coupler, uint32_t timeout_ms, struct scrip_target *target)
{
    struct scrip_mfrc522 *chip = of_coupler(coupler);
    const uint32_t start = chip->ticks.now_ms(chip->ticks.ctx);
    for (;;) {
        chip->target.uid_len = 0;
        SCRIP_TRY(chip->radio.power(chip, false));
        SCRIP_TRY(chip->radio.power(chip, true));
        const enum scrip_status status = look(chip);
        if (status == SCRIP_OK) {
            *target = chip->target;
        }
        if (status != SCRIP_E_NO_CARD || chip->ticks.now_ms(chip->ticks.ctx) - start >= timeout_ms) {
            return status;
        }
        chip->ticks.wait_us(chip->ticks.ctx, LOOK_US);
    }
}

/* A card that is still active answers the first request by falling back, and the second as it should. */
static enum scrip_status again(struct scrip_coupler *coupler)
{
    struct scrip_mfrc522 *chip = of_coupler(coupler);
    enum scrip_status status = SCRIP_E_NO_CARD;
    if (chip->target.uid_len == 0) {
        return SCRIP_E_NO_CARD;
    }
    SCRIP_TRY(mfrc522_crypto_off(chip));
    if (chip->part_4 && scrip_pcd_4_deselect(&chip->blocks) == SCRIP_E_LINK) {
        return SCRIP_E_LINK;
    }
    for (unsigned i = 0; i < LOOKS && status != SCRIP_OK && status != SCRIP_E_LINK; i++) {
        status = scrip_pcd_wake(&chip->radio, &chip->target);
    }
    if (status == SCRIP_OK) {
        status = part_4_begin(chip);
    }
    return status == SCRIP_OK || status == SCRIP_E_LINK ? status : SCRIP_E_NO_CARD;
}

static enum scrip_status power(struct scrip_coupler *coupler, bool on)
{
    struct scrip_mfrc522 *chip = of_coupler(coupler);
    chip->part_4 = false;
    chip->target.uid_len = 0;
    return chip->radio.power(chip, on);
}

/* ---- Talking to it ----------------------------------------------------------------------------------------------- */

/* A reader that fails when a frame has left leaves open what the card did. */
static enum scrip_status outcome(const struct scrip_mfrc522 *chip, enum scrip_status status)
{
    return status == SCRIP_E_LINK && chip->sent ? SCRIP_E_TORN : status;
}

static enum scrip_status apdu(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct scrip_mfrc522 *chip = of_coupler(coupler);
    if (!chip->part_4) {
        return SCRIP_E_STATE;
    }
    chip->sent = false;
    return outcome(chip, scrip_pcd_4_exchange(&chip->blocks, command, response));
}

static enum scrip_status mifare(struct scrip_coupler *coupler, struct scrip_bytes command, struct scrip_buf *response)
{
    struct scrip_mfrc522 *chip = of_coupler(coupler);
    chip->sent = false;
    return outcome(chip, scrip_mifare_exchange(&chip->radio, &chip->auth, command, response));
}

/* ---- Raw frames -------------------------------------------------------------------------------------------------- */

static enum scrip_status crc_strip(struct mfrc522_bits *bits)
{
    const size_t len = bits->rx_bits / 8;
    if (bits->rx_bits % 8 != 0 || len < CRC_LEN ||
        scrip_crc16_a(scrip_bytes(bits->rx, len - CRC_LEN)) != scrip_get_le16(bits->rx + len - CRC_LEN)) {
        return SCRIP_E_MAC;
    }
    bits->rx_bits -= 8 * CRC_LEN;
    return SCRIP_OK;
}

static enum scrip_status raw_exchange(struct scrip_mfrc522 *chip, const struct scrip_coupler_raw *how,
                                      struct mfrc522_bits *bits)
{
    if (how->parity) {
        return mfrc522_exchange(chip, bits, how->timeout_us);
    }
    SCRIP_TRY(mfrc522_write(chip, REG_MF_RX, PARITY_OFF));
    const enum scrip_status status = mfrc522_exchange(chip, bits, how->timeout_us);
    SCRIP_TRY(mfrc522_write(chip, REG_MF_RX, 0));
    return status;
}

static enum scrip_status raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how, struct scrip_bytes tx,
                             struct scrip_buf *rx, uint8_t *last_bits)
{
    struct scrip_mfrc522 *chip = of_coupler(coupler);
    uint8_t at[SCRIP_MFRC522_FIFO];
    struct scrip_buf out = SCRIP_BUF_OF(at);
    SCRIP_TRY(scrip_buf_add_bytes(&out, tx));
    if (how->crc_out) {
        SCRIP_TRY(scrip_buf_add_le(&out, scrip_crc16_a(tx), CRC_LEN));
    }
    const size_t cut = (how->last_bits & 7U) != 0 && out.len > 0 ? 8U - (how->last_bits & 7U) : 0;
    struct mfrc522_bits bits = {.tx = at, .tx_bits = 8 * out.len - cut};
    SCRIP_TRY(raw_exchange(chip, how, &bits));
    if (bits.collision != 0) {
        return SCRIP_E_MAC;
    }
    if (how->crc_in) {
        SCRIP_TRY(crc_strip(&bits));
    }
    SCRIP_TRY(scrip_buf_add(rx, bits.rx, (bits.rx_bits + 7) / 8));
    *last_bits = (uint8_t)(bits.rx_bits % 8);
    return SCRIP_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void init(struct scrip_mfrc522 *chip, const struct scrip_ticks *ticks)
{
    static const struct scrip_coupler_ops ops = {
        .find = find, .again = again, .apdu = apdu, .mifare = mifare, .raw = raw, .power = power};
    memset(chip, 0, sizeof *chip);
    chip->coupler.ops = &ops;
    chip->ticks = *ticks;
    mfrc522_radio_init(chip);
}

void scrip_mfrc522_init_spi(struct scrip_mfrc522 *chip, const struct scrip_spi *spi, const struct scrip_ticks *ticks)
{
    init(chip, ticks);
    chip->bus.spi = *spi;
}

void scrip_mfrc522_init_uart(struct scrip_mfrc522 *chip, const struct scrip_uart *uart, const struct scrip_ticks *ticks)
{
    init(chip, ticks);
    chip->over_uart = true;
    chip->bus.uart = *uart;
}
