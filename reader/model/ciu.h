/* ciu.h: the contactless interface unit that MFRC522 and PN532 share, as a model: registers, FIFO, timer, interrupts,
 * CRC, Crypto-1, over a field of virtual cards. Private to reader/model.
 *
 * Register numbers are the MFRC522's (01..3F); the PN532 shows the same at 6330+r for r < 10h and at 6300+(r-10h)
 * above. Time is the field's: an exchange is over when the write that starts it returns, and its time has passed then;
 * each register access takes `access_us` more. What that leaves out: a FIFO filled or emptied while a frame is on the
 * air, so frames end at 64 bytes as they do for a driver that does not stream. */
#ifndef READER_MODEL_CIU_H
#define READER_MODEL_CIU_H

#include <scrip/field.h>
#include <scrip/host.h>
#include <scrip/mifare.h>

enum ciu_register {
    CIU_COMMAND = 0x01,
    CIU_COM_IEN,
    CIU_DIV_IEN,
    CIU_COM_IRQ,
    CIU_DIV_IRQ,
    CIU_ERROR,
    CIU_STATUS1,
    CIU_STATUS2,
    CIU_FIFO_DATA,
    CIU_FIFO_LEVEL,
    CIU_WATER_LEVEL,
    CIU_CONTROL,
    CIU_BIT_FRAMING,
    CIU_COLL,
    CIU_MODE = 0x11,
    CIU_TX_MODE,
    CIU_RX_MODE,
    CIU_TX_CONTROL,
    CIU_TX_ASK,
    CIU_MF_TX = 0x1C,
    CIU_MF_RX,
    CIU_CRC_HIGH = 0x21,
    CIU_CRC_LOW,
    CIU_T_MODE = 0x2A,
    CIU_T_PRESCALER,
    CIU_T_RELOAD_HIGH,
    CIU_T_RELOAD_LOW,
    CIU_T_COUNTER_HIGH,
    CIU_T_COUNTER_LOW,
    CIU_VERSION = 0x37,
    CIU_REGISTERS = 0x40,
};

enum ciu_command {
    CIU_IDLE,
    CIU_MEM,
    CIU_RANDOM_ID,
    CIU_CALC_CRC,
    CIU_TRANSMIT,
    CIU_NO_CHANGE = 7,
    CIU_RECEIVE,
    CIU_TRANSCEIVE = 0xC,
    CIU_MF_AUTHENT = 0xE,
    CIU_SOFT_RESET,
};

/* Bits of CIU_ERROR. */
#define CIU_E_PROTOCOL 0x01U
#define CIU_E_PARITY   0x02U
#define CIU_E_CRC      0x04U
#define CIU_E_COLL     0x08U
#define CIU_E_OVERFLOW 0x10U
#define CIU_E_WRITE    0x80U

#define CIU_FIFO       64U
#define CIU_BUFFER     25U

/* A CIU. Must not move: the radios point back into it. */
struct scrip_ciu {
    struct scrip_field *field; /* borrowed */
    uint32_t access_us;        /* what a register access takes */
    bool all_framings;         /* the PN532 has other framings than type A, which no card of ours hears */
    uint8_t reg[CIU_REGISTERS];
    uint8_t fifo[CIU_FIFO];
    uint8_t fifo_len;
    uint8_t buffer[CIU_BUFFER]; /* of the commands Mem and GenerateRandomID */
    uint8_t waking;             /* reads of the command register that still show PowerDown */
    bool timer_on;
    uint64_t timer_end_fc;
    uint16_t heard_len; /* the answer to Transmit waits for Receive */
    uint8_t heard[SCRIP_FRAME_MAX];
    enum scrip_status last;            /* how the last exchange on the air ended, as scrip_radio.exchange */
    const struct scrip_random *random; /* borrowed */
    struct scrip_radio air;            /* the field as it is */
    struct scrip_radio radio;          /* over cipher or air */
    struct scrip_mifare_soft cipher;   /* Crypto-1 over the air; MFCrypto1On is cipher.on */
    struct scrip_frame tx, rx;
};

/** A chip after power-on, antenna off. `field` and `random` are borrowed. */
void scrip_ciu_init(struct scrip_ciu *ciu, struct scrip_field *field, const struct scrip_random *random);

/** Registers as after power-on; the field loses its carrier. */
void scrip_ciu_reset(struct scrip_ciu *ciu);

/** Registers as the host sees them. Numbers above 3F read 00 and ignore writes. */
uint8_t scrip_ciu_read(struct scrip_ciu *ciu, uint8_t number);
void scrip_ciu_write(struct scrip_ciu *ciu, uint8_t number, uint8_t value);

/** Does the chip pull its interrupt pin? */
bool scrip_ciu_irq(const struct scrip_ciu *ciu);

/** Send bytes and hear the answer as the registers say (CRC, parity, rates, last bits, alignment, Crypto-1), past the
 *  FIFO. CIU_ERROR, CIU_COLL and RxLastBits are set as by Transceive.
 *  @param rx          receives what fits; CIU_E_OVERFLOW when something did not
 *  @return SCRIP_OK: something was heard, see CIU_ERROR; SCRIP_E_TIMEOUT: nothing was */
enum scrip_status scrip_ciu_transceive(struct scrip_ciu *ciu, struct scrip_bytes tx, struct scrip_buf *rx,
                                       uint32_t timeout_us);

/** A radio over the chip as its firmware uses it: frames as given, enciphered while Crypto-1 is on. */
const struct scrip_radio *scrip_ciu_radio(struct scrip_ciu *ciu);

/** The three passes of MFAuthent. @return as scrip_mifare_auth.authenticate */
enum scrip_status scrip_ciu_authenticate(struct scrip_ciu *ciu, uint8_t command, uint8_t block, const uint8_t key[6],
                                         const uint8_t uid4[4]);

/** Crypto-1 off. */
void scrip_ciu_crypto_off(struct scrip_ciu *ciu);

/** Carrier on or off, by the antenna bits of CIU_TX_CONTROL. */
void scrip_ciu_antenna(struct scrip_ciu *ciu, bool on);

#endif
