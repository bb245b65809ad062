/* mfrc522_chip.h: registers of the MFRC522, and its three layers: bus, radio, coupler. */
#ifndef READER_CHIP_MFRC522_CHIP_H
#define READER_CHIP_MFRC522_CHIP_H

#include <scrip/mfrc522.h>

enum mfrc522_register {
    REG_COMMAND = 0x01,
    REG_COM_IRQ = 0x04,
    REG_ERROR = 0x06,
    REG_STATUS2 = 0x08,
    REG_FIFO_DATA = 0x09,
    REG_FIFO_LEVEL = 0x0A,
    REG_CONTROL = 0x0C,
    REG_BIT_FRAMING = 0x0D,
    REG_COLL = 0x0E,
    REG_MODE = 0x11,
    REG_TX_MODE = 0x12,
    REG_RX_MODE = 0x13,
    REG_TX_CONTROL = 0x14,
    REG_TX_ASK = 0x15,
    REG_MF_RX = 0x1D,
    REG_SERIAL_SPEED = 0x1F,
    REG_MOD_WIDTH = 0x24,
    REG_T_MODE = 0x2A,
    REG_T_PRESCALER = 0x2B,
    REG_T_RELOAD_HIGH = 0x2C,
    REG_T_RELOAD_LOW = 0x2D,
    REG_VERSION = 0x37,
};

enum mfrc522_command {
    CMD_IDLE = 0x0,
    CMD_TRANSCEIVE = 0xC,
    CMD_MF_AUTHENT = 0xE,
    CMD_SOFT_RESET = 0xF,
};

#define COMMAND_POWER_DOWN 0x10U
#define COMMAND_CODE       0x0FU

/* One register. Anything but SCRIP_OK is SCRIP_E_LINK; chip->mute: because the UART does not answer. */
enum scrip_status mfrc522_read(struct scrip_mfrc522 *chip, enum mfrc522_register reg, uint8_t *value);
enum scrip_status mfrc522_write(struct scrip_mfrc522 *chip, enum mfrc522_register reg, uint8_t value);

/* The FIFO, at most SCRIP_MFRC522_FIFO bytes. */
enum scrip_status mfrc522_fifo_read(struct scrip_mfrc522 *chip, uint8_t *at, size_t len);
enum scrip_status mfrc522_fifo_write(struct scrip_mfrc522 *chip, const uint8_t *at, size_t len);

/* An exchange of bits. */
struct mfrc522_bits {
    const uint8_t *tx;
    size_t tx_bits;
    uint8_t rx_align; /* bit of the first byte that the first bit received goes to */
    uint8_t rx[SCRIP_MFRC522_FIFO];
    size_t rx_bits;     /* without those below rx_align */
    uint16_t collision; /* 1 + number of the first bit received that collided; 0: none */
};

/* As scrip_radio.exchange. */
enum scrip_status mfrc522_exchange(struct scrip_mfrc522 *chip, struct mfrc522_bits *bits, uint32_t timeout_us);

/* Fill in chip->radio and chip->auth. */
void mfrc522_radio_init(struct scrip_mfrc522 *chip);

/* Crypto-1 off. As scrip_radio.power. */
enum scrip_status mfrc522_crypto_off(struct scrip_mfrc522 *chip);

#endif
