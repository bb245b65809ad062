/* The CIU towards its host: registers, FIFO, timer, interrupts and the commands of the command register.
 *
 * What a register does when it is read or written stands in one table each; a register without a row is plain memory
 * under its mask. Reset values and bits are those of the MFRC522 data sheet, chapter 9. */
#include "ciu_air.h"

#include <scrip/crc.h>
#include <string.h>

#define COMMAND_CODE       0x0FU
#define COMMAND_POWER_DOWN 0x10U
#define COMMAND_RCV_OFF    0x20U

#define IRQ_SET            0x80U
#define IRQ_TX             0x40U
#define IRQ_RX             0x20U
#define IRQ_IDLE           0x10U
#define IRQ_HIGH           0x08U
#define IRQ_LOW            0x04U
#define IRQ_ERROR          0x02U
#define IRQ_TIMER          0x01U
#define DIV_IRQ_CRC        0x04U

#define STATUS1_CRC_OK     0x40U
#define STATUS1_CRC_READY  0x20U
#define STATUS1_IRQ        0x10U
#define STATUS1_RUNNING    0x08U
#define STATUS1_HIGH       0x02U
#define STATUS1_LOW        0x01U
#define STATUS2_CRYPTO     0x08U
#define FIFO_FLUSH         0x80U
#define CONTROL_STOP       0x80U
#define CONTROL_START      0x40U
#define FRAMING_START      0x80U
#define TX_ANTENNA         0x03U
#define T_AUTO             0x80U
#define T_RESTART          0x10U

#define FOR_EVER_US        5000000U /* without a timer the receiver waits; no card thinks that long */
#define MF_AUTHENT_LEN     12U
#define RANDOM_ID_LEN      10U

/* Registers with a reset value, or with bits that cannot be written. Other registers: 00, and all bits. */
static const struct {
    uint8_t number, reset, writable;
} rows[] = {
    {CIU_COMMAND, 0x20, 0x3F},
    {CIU_COM_IEN, 0x80, 0xFF},
    {CIU_DIV_IEN, 0x00, 0x94},
    {CIU_COM_IRQ, 0x14, 0x00},
    {CIU_DIV_IRQ, 0x00, 0x00},
    {CIU_ERROR, 0x00, 0x00},
    {CIU_STATUS1, 0x21, 0x00},
    {CIU_STATUS2, 0x00, 0xC0},
    {CIU_WATER_LEVEL, 0x08, 0x3F},
    {CIU_CONTROL, 0x10, 0x10},
    {CIU_BIT_FRAMING, 0x00, 0x77},
    {CIU_COLL, 0xA0, 0x80},
    {CIU_MODE, 0x3F, 0xFF},
    {CIU_TX_CONTROL, 0x80, 0xFF},
    {0x16, 0x10, 0xFF}, /* TxSel, RxSel, RxThreshold, Demod: analog, remembered only */
    {0x17, 0x84, 0xFF},
    {0x18, 0x84, 0xFF},
    {0x19, 0x4D, 0xFF},
    {CIU_MF_TX, 0x62, 0xFF},
    {0x1F, 0xEB, 0xFF}, /* SerialSpeed */
    {CIU_CRC_HIGH, 0xFF, 0x00},
    {CIU_CRC_LOW, 0xFF, 0x00},
    {0x24, 0x26, 0xFF}, /* ModWidth, RFCfg, GsN, CWGsP, ModGsP */
    {0x26, 0x48, 0xFF},
    {0x27, 0x88, 0xFF},
    {0x28, 0x20, 0xFF},
    {0x29, 0x20, 0xFF},
    {CIU_T_COUNTER_HIGH, 0x00, 0x00},
    {CIU_T_COUNTER_LOW, 0x00, 0x00},
    {0x36, 0x40, 0xFF}, /* AutoTest */
    {CIU_VERSION, 0x92, 0x00},
};

/* ---- FIFO -------------------------------------------------------------------------------------------------------- */

static bool fifo_high(const struct scrip_ciu *ciu)
{
    return CIU_FIFO - ciu->fifo_len <= ciu->reg[CIU_WATER_LEVEL];
}

static bool fifo_low(const struct scrip_ciu *ciu)
{
    return ciu->fifo_len <= ciu->reg[CIU_WATER_LEVEL];
}

static void fifo_changed(struct scrip_ciu *ciu)
{
    ciu->reg[CIU_COM_IRQ] |= (fifo_high(ciu) ? IRQ_HIGH : 0U) | (fifo_low(ciu) ? IRQ_LOW : 0U);
}

static void fifo_put(struct scrip_ciu *ciu, const uint8_t *at, size_t len)
{
    const size_t room = CIU_FIFO - ciu->fifo_len;
    if (len > room) {
        ciu->reg[CIU_ERROR] |= CIU_E_OVERFLOW;
        len = room;
    }
    memcpy(ciu->fifo + ciu->fifo_len, at, len);
    ciu->fifo_len = (uint8_t)(ciu->fifo_len + len);
    fifo_changed(ciu);
}

static uint8_t fifo_get(struct scrip_ciu *ciu)
{
    if (ciu->fifo_len == 0) {
        return 0;
    }
    const uint8_t value = ciu->fifo[0];
    ciu->fifo_len--;
    memmove(ciu->fifo, ciu->fifo + 1, ciu->fifo_len);
    fifo_changed(ciu);
    return value;
}

static void fifo_flush(struct scrip_ciu *ciu)
{
    scrip_wipe(ciu->fifo, sizeof ciu->fifo); /* it may have held a key */
    ciu->fifo_len = 0;
    ciu->reg[CIU_ERROR] &= (uint8_t)~CIU_E_OVERFLOW;
    fifo_changed(ciu);
}

/* ---- timer ------------------------------------------------------------------------------------------------------- */

static uint64_t timer_tick_fc(const struct scrip_ciu *ciu)
{
    const uint32_t prescaler = (uint32_t)(ciu->reg[CIU_T_MODE] & 0x0F) << 8 | ciu->reg[CIU_T_PRESCALER];
    return 2U * (uint64_t)prescaler + 1;
}

static uint64_t timer_period_fc(const struct scrip_ciu *ciu)
{
    return (scrip_get_be16(ciu->reg + CIU_T_RELOAD_HIGH) + 1U) * timer_tick_fc(ciu);
}

static uint32_t us_of_fc(uint64_t fc)
{
    return (uint32_t)((fc * 1000000U + SCRIP_FC_HZ - 1) / SCRIP_FC_HZ);
}

static void timer_start(struct scrip_ciu *ciu)
{
    ciu->timer_on = true;
    ciu->timer_end_fc = scrip_field_now_fc(ciu->field) + timer_period_fc(ciu);
}

static void timer_expired(struct scrip_ciu *ciu)
{
    ciu->reg[CIU_COM_IRQ] |= IRQ_TIMER;
    ciu->timer_on = false;
    if ((ciu->reg[CIU_T_MODE] & T_RESTART) != 0) {
        timer_start(ciu);
    }
}

static void timer_look(struct scrip_ciu *ciu)
{
    if (ciu->timer_on && scrip_field_now_fc(ciu->field) >= ciu->timer_end_fc) {
        timer_expired(ciu);
    }
}

static uint16_t timer_counter(const struct scrip_ciu *ciu)
{
    const uint64_t now = scrip_field_now_fc(ciu->field);
    if (!ciu->timer_on || now >= ciu->timer_end_fc) {
        return 0;
    }
    return (uint16_t)((ciu->timer_end_fc - now) / timer_tick_fc(ciu));
}

/* How long to listen: the automatic timer runs from the end of the transmission, one started by hand runs already. */
static uint32_t listen_us(const struct scrip_ciu *ciu)
{
    if ((ciu->reg[CIU_T_MODE] & T_AUTO) != 0) {
        return us_of_fc(timer_period_fc(ciu));
    }
    const uint64_t now = scrip_field_now_fc(ciu->field);
    return ciu->timer_on && ciu->timer_end_fc > now ? us_of_fc(ciu->timer_end_fc - now) : FOR_EVER_US;
}

static void silence(struct scrip_ciu *ciu)
{
    if ((ciu->reg[CIU_T_MODE] & T_AUTO) != 0) {
        timer_expired(ciu);
    } else {
        timer_look(ciu);
    }
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static void go_idle(struct scrip_ciu *ciu)
{
    ciu->reg[CIU_COMMAND] &= (uint8_t)~COMMAND_CODE;
    ciu->reg[CIU_COM_IRQ] |= IRQ_IDLE;
}

static void raise_errors(struct scrip_ciu *ciu)
{
    if (ciu->reg[CIU_ERROR] != 0) {
        ciu->reg[CIU_COM_IRQ] |= IRQ_ERROR;
    }
}

/* What came from the air goes into the FIFO, behind what is there. */
static void deliver(struct scrip_ciu *ciu, struct scrip_bytes heard)
{
    fifo_put(ciu, heard.at, heard.len);
    ciu->timer_on = false;
    ciu->reg[CIU_COM_IRQ] |= IRQ_RX;
    raise_errors(ciu);
}

static void send_fifo(struct scrip_ciu *ciu, bool then_receive)
{
    uint8_t sent[CIU_FIFO];
    uint8_t bytes[SCRIP_FRAME_MAX];
    struct scrip_buf heard = scrip_buf(bytes, sizeof bytes);
    const size_t len = ciu->fifo_len;
    memcpy(sent, ciu->fifo, len);
    ciu->fifo_len = 0;
    const bool answered = scrip_ciu_transceive(ciu, scrip_bytes(sent, len), &heard, listen_us(ciu)) == SCRIP_OK;
    ciu->reg[CIU_COM_IRQ] |= IRQ_TX;
    fifo_changed(ciu);
    if (!answered || (ciu->reg[CIU_COMMAND] & COMMAND_RCV_OFF) != 0) {
        silence(ciu);
    } else if (then_receive) {
        deliver(ciu, scrip_buf_bytes(&heard));
    } else {
        ciu->heard_len = (uint16_t)heard.len;
        memcpy(ciu->heard, bytes, heard.len);
    }
}

static void begin_transmit(struct scrip_ciu *ciu)
{
    send_fifo(ciu, false);
    go_idle(ciu);
}

/* The answer to what Transmit sent. */
static void begin_receive(struct scrip_ciu *ciu)
{
    if (ciu->heard_len > 0) {
        deliver(ciu, scrip_bytes(ciu->heard, ciu->heard_len));
        ciu->heard_len = 0;
    }
}

static void begin_mem(struct scrip_ciu *ciu)
{
    if (ciu->fifo_len == 0) {
        fifo_put(ciu, ciu->buffer, sizeof ciu->buffer);
    } else {
        memset(ciu->buffer, 0, sizeof ciu->buffer);
        for (size_t i = 0; i < sizeof ciu->buffer && ciu->fifo_len > 0; i++) {
            ciu->buffer[i] = fifo_get(ciu);
        }
    }
    go_idle(ciu);
}

static void begin_random_id(struct scrip_ciu *ciu)
{
    memset(ciu->buffer, 0, sizeof ciu->buffer);
    (void)ciu->random->fill(ciu->random->ctx, ciu->buffer, RANDOM_ID_LEN);
    go_idle(ciu);
}

/* Takes what is in the FIFO and what comes into it until the host writes Idle. */
static void feed_crc(struct scrip_ciu *ciu)
{
    uint16_t crc = scrip_get_be16(ciu->reg + CIU_CRC_HIGH);
    crc = scrip_crc16(crc, scrip_bytes(ciu->fifo, ciu->fifo_len));
    ciu->fifo_len = 0;
    scrip_put_be16(ciu->reg + CIU_CRC_HIGH, crc);
    ciu->reg[CIU_DIV_IRQ] |= DIV_IRQ_CRC;
    fifo_changed(ciu);
}

static void begin_crc(struct scrip_ciu *ciu)
{
    scrip_put_be16(ciu->reg + CIU_CRC_HIGH, ciu_crc_start(ciu));
    feed_crc(ciu);
}

/* Waits for its twelve bytes: 60|61, block, key, UID. A card that does not answer leaves it to the timer. */
static void run_authent(struct scrip_ciu *ciu)
{
    uint8_t p[MF_AUTHENT_LEN];
    if (ciu->fifo_len < sizeof p) {
        return;
    }
    for (size_t i = 0; i < sizeof p; i++) {
        p[i] = fifo_get(ciu);
    }
    const enum scrip_status status = scrip_ciu_authenticate(ciu, p[0], p[1], p + 2, p + 8);
    scrip_wipe(p, sizeof p);
    scrip_wipe(ciu->fifo + ciu->fifo_len, sizeof ciu->fifo - ciu->fifo_len);
    if (status == SCRIP_OK) {
        ciu->timer_on = false;
        go_idle(ciu);
        return;
    }
    scrip_field_wait(ciu->field, listen_us(ciu));
    silence(ciu);
}

/* Register values come back, the carrier goes, and the oscillator takes a moment. */
static void begin_reset(struct scrip_ciu *ciu)
{
    scrip_ciu_reset(ciu);
    ciu->reg[CIU_COMMAND] |= COMMAND_POWER_DOWN;
    ciu->waking = 1;
}

static void begin_nothing(struct scrip_ciu *ciu)
{
    (void)ciu;
}

/* What happens when a command is written; Transceive begins with StartSend. */
static void (*const begin[16])(struct scrip_ciu *ciu) = {
    [CIU_IDLE] = begin_nothing,       [CIU_MEM] = begin_mem,           [CIU_RANDOM_ID] = begin_random_id,
    [CIU_CALC_CRC] = begin_crc,       [CIU_TRANSMIT] = begin_transmit, [CIU_RECEIVE] = begin_receive,
    [CIU_TRANSCEIVE] = begin_nothing, [CIU_MF_AUTHENT] = run_authent,  [CIU_SOFT_RESET] = begin_reset,
};

/* ---- what writing does ------------------------------------------------------------------------------------------- */

/* PowerDown takes the carrier and stops the command; without it the chip comes back after a moment. */
static void power_down(struct scrip_ciu *ciu, bool down)
{
    const bool was = (ciu->reg[CIU_COMMAND] & COMMAND_POWER_DOWN) != 0;
    if (down && !was) {
        ciu->reg[CIU_COMMAND] = (uint8_t)((ciu->reg[CIU_COMMAND] & ~COMMAND_CODE) | COMMAND_POWER_DOWN);
        (void)scrip_field_power(ciu->field, false);
        scrip_ciu_crypto_off(ciu);
        ciu->waking = 0;
    } else if (!down && was) {
        ciu->waking = 1;
    }
}

static void write_command(struct scrip_ciu *ciu, uint8_t value)
{
    const uint8_t code = value & COMMAND_CODE;
    power_down(ciu, (value & COMMAND_POWER_DOWN) != 0);
    ciu->reg[CIU_COMMAND] = (uint8_t)((ciu->reg[CIU_COMMAND] & ~COMMAND_RCV_OFF) | (value & COMMAND_RCV_OFF));
    if (code == CIU_NO_CHANGE || (value & COMMAND_POWER_DOWN) != 0) {
        return;
    }
    if (begin[code] == NULL) {
        ciu->reg[CIU_COM_IRQ] |= IRQ_IDLE;
        return;
    }
    ciu->reg[CIU_COMMAND] = (uint8_t)((ciu->reg[CIU_COMMAND] & ~COMMAND_CODE) | code);
    if (code != CIU_RECEIVE) {
        ciu->reg[CIU_ERROR] = 0;
        ciu->heard_len = 0;
    }
    begin[code](ciu);
}

static void write_com_irq(struct scrip_ciu *ciu, uint8_t value)
{
    const uint8_t marked = value & (uint8_t)~IRQ_SET;
    ciu->reg[CIU_COM_IRQ] =
        (uint8_t)((value & IRQ_SET) != 0 ? ciu->reg[CIU_COM_IRQ] | marked : ciu->reg[CIU_COM_IRQ] & ~marked);
}

static void write_div_irq(struct scrip_ciu *ciu, uint8_t value)
{
    const uint8_t marked = value & 0x14U;
    ciu->reg[CIU_DIV_IRQ] =
        (uint8_t)((value & IRQ_SET) != 0 ? ciu->reg[CIU_DIV_IRQ] | marked : ciu->reg[CIU_DIV_IRQ] & ~marked);
}

static void write_status2(struct scrip_ciu *ciu, uint8_t value)
{
    ciu->reg[CIU_STATUS2] = value & 0xC0U;
    if ((value & STATUS2_CRYPTO) == 0) { /* writing 1 does not switch it on */
        scrip_ciu_crypto_off(ciu);
    }
}

static void write_fifo_data(struct scrip_ciu *ciu, uint8_t value)
{
    const uint8_t code = ciu->reg[CIU_COMMAND] & COMMAND_CODE;
    fifo_put(ciu, &value, 1);
    if (code == CIU_CALC_CRC) {
        feed_crc(ciu);
    } else if (code == CIU_MF_AUTHENT) {
        run_authent(ciu);
    }
}

static void write_fifo_level(struct scrip_ciu *ciu, uint8_t value)
{
    if ((value & FIFO_FLUSH) != 0) {
        fifo_flush(ciu);
    }
}

static void write_control(struct scrip_ciu *ciu, uint8_t value)
{
    ciu->reg[CIU_CONTROL] = (uint8_t)((ciu->reg[CIU_CONTROL] & ~0x10U) | (value & 0x10U));
    if ((value & CONTROL_STOP) != 0) {
        ciu->timer_on = false;
    } else if ((value & CONTROL_START) != 0) {
        timer_start(ciu);
    }
}

static void write_bit_framing(struct scrip_ciu *ciu, uint8_t value)
{
    ciu->reg[CIU_BIT_FRAMING] = value & 0x77U;
    if ((value & FRAMING_START) != 0 && (ciu->reg[CIU_COMMAND] & COMMAND_CODE) == CIU_TRANSCEIVE) {
        send_fifo(ciu, true);
    }
}

static void write_coll(struct scrip_ciu *ciu, uint8_t value)
{
    ciu->reg[CIU_COLL] = (uint8_t)((ciu->reg[CIU_COLL] & 0x7FU) | (value & 0x80U));
}

static void write_tx_control(struct scrip_ciu *ciu, uint8_t value)
{
    ciu->reg[CIU_TX_CONTROL] = value;
    scrip_ciu_antenna(ciu, (value & TX_ANTENNA) != 0);
}

static const struct {
    uint8_t number;
    void (*write)(struct scrip_ciu *ciu, uint8_t value);
} writes[] = {
    {CIU_COMMAND, write_command},       {CIU_COM_IRQ, write_com_irq},     {CIU_DIV_IRQ, write_div_irq},
    {CIU_STATUS2, write_status2},       {CIU_FIFO_DATA, write_fifo_data}, {CIU_FIFO_LEVEL, write_fifo_level},
    {CIU_CONTROL, write_control},       {CIU_COLL, write_coll},           {CIU_BIT_FRAMING, write_bit_framing},
    {CIU_TX_CONTROL, write_tx_control},
};

/* ---- what reading does ------------------------------------------------------------------------------------------- */

static uint8_t read_command(struct scrip_ciu *ciu)
{
    const uint8_t value = ciu->reg[CIU_COMMAND];
    if (ciu->waking > 0 && --ciu->waking == 0) {
        ciu->reg[CIU_COMMAND] &= (uint8_t)~COMMAND_POWER_DOWN;
    }
    return value;
}

static uint8_t read_status1(struct scrip_ciu *ciu)
{
    const bool crc_ready =
        (ciu->reg[CIU_COMMAND] & COMMAND_CODE) != CIU_CALC_CRC || (ciu->reg[CIU_DIV_IRQ] & DIV_IRQ_CRC) != 0;
    return (uint8_t)((scrip_get_be16(ciu->reg + CIU_CRC_HIGH) == 0 ? STATUS1_CRC_OK : 0U) |
                     (crc_ready ? STATUS1_CRC_READY : 0U) | (scrip_ciu_irq(ciu) ? STATUS1_IRQ : 0U) |
                     (ciu->timer_on ? STATUS1_RUNNING : 0U) | (fifo_high(ciu) ? STATUS1_HIGH : 0U) |
                     (fifo_low(ciu) ? STATUS1_LOW : 0U));
}

static uint8_t read_status2(struct scrip_ciu *ciu)
{
    return (uint8_t)(ciu->reg[CIU_STATUS2] | (ciu->cipher.on ? STATUS2_CRYPTO : 0U));
}

static uint8_t read_fifo_level(struct scrip_ciu *ciu)
{
    return ciu->fifo_len;
}

static uint8_t read_counter_high(struct scrip_ciu *ciu)
{
    return (uint8_t)(timer_counter(ciu) >> 8);
}

static uint8_t read_counter_low(struct scrip_ciu *ciu)
{
    return (uint8_t)timer_counter(ciu);
}

static const struct {
    uint8_t number;
    uint8_t (*read)(struct scrip_ciu *ciu);
} reads[] = {
    {CIU_COMMAND, read_command},           {CIU_STATUS1, read_status1},
    {CIU_STATUS2, read_status2},           {CIU_FIFO_DATA, fifo_get},
    {CIU_FIFO_LEVEL, read_fifo_level},     {CIU_T_COUNTER_HIGH, read_counter_high},
    {CIU_T_COUNTER_LOW, read_counter_low},
};

/* ---- the host's side --------------------------------------------------------------------------------------------- */

void scrip_ciu_antenna(struct scrip_ciu *ciu, bool on)
{
    const unsigned bits = ciu->reg[CIU_TX_CONTROL] & ~TX_ANTENNA;
    if (on != ((ciu->reg[CIU_TX_CONTROL] & TX_ANTENNA) != 0)) {
        ciu->reg[CIU_TX_CONTROL] = (uint8_t)(on ? bits | TX_ANTENNA : bits);
    }
    (void)scrip_field_power(ciu->field, on); /* a card that does not start is a card that is silent */
    if (!on) {
        scrip_ciu_crypto_off(ciu);
    }
}

void scrip_ciu_reset(struct scrip_ciu *ciu)
{
    memset(ciu->reg, 0, sizeof ciu->reg);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ciu->reg[rows[i].number] = rows[i].reset;
    }
    scrip_wipe(ciu->fifo, sizeof ciu->fifo);
    ciu->fifo_len = 0;
    ciu->heard_len = 0;
    ciu->waking = 0;
    ciu->timer_on = false;
    ciu->last = SCRIP_E_TIMEOUT;
    scrip_ciu_antenna(ciu, false);
}

void scrip_ciu_init(struct scrip_ciu *ciu, struct scrip_field *field, const struct scrip_random *random)
{
    memset(ciu, 0, sizeof *ciu);
    ciu->field = field;
    ciu->random = random;
    ciu_air_bind(ciu);
    scrip_ciu_reset(ciu);
}

static void take_time(struct scrip_ciu *ciu)
{
    if (ciu->access_us > 0) {
        scrip_field_wait(ciu->field, ciu->access_us);
    }
    timer_look(ciu);
}

uint8_t scrip_ciu_read(struct scrip_ciu *ciu, uint8_t number)
{
    take_time(ciu);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        if (reads[i].number == number) {
            return reads[i].read(ciu);
        }
    }
    return number < CIU_REGISTERS ? ciu->reg[number] : 0;
}

void scrip_ciu_write(struct scrip_ciu *ciu, uint8_t number, uint8_t value)
{
    uint8_t writable = 0xFF;
    take_time(ciu);
    if (number >= CIU_REGISTERS) {
        return;
    }
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        if (writes[i].number == number) {
            writes[i].write(ciu, value);
            return;
        }
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        writable = rows[i].number == number ? rows[i].writable : writable;
    }
    ciu->reg[number] = (uint8_t)((ciu->reg[number] & ~writable) | (value & writable));
}

bool scrip_ciu_irq(const struct scrip_ciu *ciu)
{
    return (ciu->reg[CIU_COM_IRQ] & ciu->reg[CIU_COM_IEN] & 0x7FU) != 0 ||
           (ciu->reg[CIU_DIV_IRQ] & ciu->reg[CIU_DIV_IEN] & 0x14U) != 0;
}
