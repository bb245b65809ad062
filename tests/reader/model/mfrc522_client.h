/* mfrc522_client.h: what the usual Arduino driver does with an MFRC522, register by register: an independent hand at
 * the model, not our own driver. Its calls end in a number of its own kind, 0 for success. */
#ifndef SCRIP_TEST_MFRC522_CLIENT_H
#define SCRIP_TEST_MFRC522_CLIENT_H

#include "model/mfrc522.h"
#include "tag.h"

enum client_result { CLIENT_OK, CLIENT_TIMEOUT, CLIENT_ERROR, CLIENT_COLLISION, CLIENT_CRC, CLIENT_NAK };

/* A chip, and how it is reached. */
struct client {
    struct scrip_mfrc522_model chip;
    struct scrip_field field;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    bool by_uart;
};

static inline uint8_t client_read(struct client *c, uint8_t reg)
{
    if (c->by_uart) {
        const int value = scrip_mfrc522_model_uart(&c->chip, 0x80 | reg);
        assert_true(value >= 0);
        return (uint8_t)value;
    }
    const uint8_t out[2] = {(uint8_t)(0x80 | reg << 1), 0};
    uint8_t in[2];
    scrip_mfrc522_model_spi(&c->chip, out, in, sizeof out);
    return in[1];
}

static inline void client_write(struct client *c, uint8_t reg, uint8_t value)
{
    if (c->by_uart) {
        assert_int_equal(scrip_mfrc522_model_uart(&c->chip, reg), -1);
        assert_int_equal(scrip_mfrc522_model_uart(&c->chip, value), reg);
        return;
    }
    const uint8_t out[2] = {(uint8_t)(reg << 1), value};
    scrip_mfrc522_model_spi(&c->chip, out, NULL, sizeof out);
}

static inline void client_write_fifo(struct client *c, const uint8_t *at, size_t len)
{
    uint8_t out[1 + CIU_FIFO] = {CIU_FIFO_DATA << 1};
    memcpy(out + 1, at, len);
    if (!c->by_uart) {
        scrip_mfrc522_model_spi(&c->chip, out, NULL, 1 + len); /* all bytes in one transfer */
        return;
    }
    for (size_t i = 0; i < len; i++) {
        client_write(c, CIU_FIFO_DATA, at[i]);
    }
}

static inline void client_read_fifo(struct client *c, uint8_t *at, size_t len)
{
    uint8_t both[1 + CIU_FIFO];
    for (size_t i = 0; c->by_uart && i < len; i++) {
        at[i] = client_read(c, CIU_FIFO_DATA);
    }
    if (!c->by_uart && len > 0) {
        memset(both, 0x80 | CIU_FIFO_DATA << 1, len);
        both[len] = 0;
        scrip_mfrc522_model_spi(&c->chip, both, both, len + 1);
        memcpy(at, both + 1, len);
    }
}

static inline void client_set(struct client *c, uint8_t reg, uint8_t bits)
{
    client_write(c, reg, client_read(c, reg) | bits);
}

static inline void client_clear(struct client *c, uint8_t reg, uint8_t bits)
{
    client_write(c, reg, client_read(c, reg) & (uint8_t)~bits);
}

static inline void client_begin(struct client *c, bool by_uart)
{
    memset(c, 0, sizeof *c);
    c->by_uart = by_uart;
    scrip_field_init(&c->field);
    scrip_random_seeded_init(&c->seeded, 522);
    c->random = scrip_random_seeded(&c->seeded);
    scrip_mfrc522_model_init(&c->chip, &c->field, &c->random);
    client_write(c, CIU_COMMAND, CIU_SOFT_RESET);
    for (int i = 0; (client_read(c, CIU_COMMAND) & 0x10) != 0; i++) {
        assert_true(i < 3);
    }
    client_write(c, CIU_TX_MODE, 0x00);
    client_write(c, CIU_RX_MODE, 0x00);
    client_write(c, 0x24, 0x26);
    client_write(c, CIU_T_MODE, 0x80);
    client_write(c, CIU_T_PRESCALER, 0xA9);
    client_write(c, CIU_T_RELOAD_HIGH, 0x03);
    client_write(c, CIU_T_RELOAD_LOW, 0xE8);
    client_write(c, CIU_TX_ASK, 0x40);
    client_write(c, CIU_MODE, 0x3D);
    client_set(c, CIU_TX_CONTROL, 0x03);
}

static inline int client_crc(struct client *c, const uint8_t *at, size_t len, uint8_t crc[2])
{
    client_write(c, CIU_COMMAND, CIU_IDLE);
    client_write(c, CIU_DIV_IRQ, 0x04);
    client_write(c, CIU_FIFO_LEVEL, 0x80);
    client_write_fifo(c, at, len);
    client_write(c, CIU_COMMAND, CIU_CALC_CRC);
    if ((client_read(c, CIU_DIV_IRQ) & 0x04) == 0) {
        return CLIENT_TIMEOUT;
    }
    client_write(c, CIU_COMMAND, CIU_IDLE);
    crc[0] = client_read(c, CIU_CRC_LOW);
    crc[1] = client_read(c, CIU_CRC_HIGH);
    return CLIENT_OK;
}

/* What goes out and what comes back. */
struct client_exchange {
    uint8_t command, wait_for;
    const uint8_t *tx;
    uint8_t tx_len, tx_last_bits, rx_align;
    uint8_t rx[CIU_FIFO];
    uint8_t rx_len, rx_last_bits;
};

static inline int client_communicate(struct client *c, struct client_exchange *x)
{
    const uint8_t framing = (uint8_t)(x->rx_align << 4 | x->tx_last_bits);
    uint8_t irq = 0;
    client_write(c, CIU_COMMAND, CIU_IDLE);
    client_write(c, CIU_COM_IRQ, 0x7F);
    client_write(c, CIU_FIFO_LEVEL, 0x80);
    client_write_fifo(c, x->tx, x->tx_len);
    client_write(c, CIU_BIT_FRAMING, framing);
    client_write(c, CIU_COMMAND, x->command);
    if (x->command == CIU_TRANSCEIVE) {
        client_set(c, CIU_BIT_FRAMING, 0x80);
    }
    for (int i = 0; i < 20 && (irq & (x->wait_for | 0x01)) == 0; i++) {
        irq = client_read(c, CIU_COM_IRQ);
    }
    if ((irq & x->wait_for) == 0) {
        return CLIENT_TIMEOUT;
    }
    const uint8_t errors = client_read(c, CIU_ERROR);
    if ((errors & 0x13) != 0) {
        return CLIENT_ERROR;
    }
    x->rx_len = client_read(c, CIU_FIFO_LEVEL);
    client_read_fifo(c, x->rx, x->rx_len);
    x->rx_last_bits = client_read(c, CIU_CONTROL) & 7;
    return (errors & 0x08) != 0 ? CLIENT_COLLISION : CLIENT_OK;
}

static inline int client_request(struct client *c, uint8_t code, struct client_exchange *x)
{
    *x = (struct client_exchange){
        .command = CIU_TRANSCEIVE, .wait_for = 0x30, .tx = &code, .tx_len = 1, .tx_last_bits = 7};
    client_clear(c, CIU_COLL, 0x80);
    const int result = client_communicate(c, x);
    x->tx = NULL;
    return result;
}

/* Bytes with a CRC made by the chip; a whole answer's CRC is checked the same way and taken off. */
static inline int client_transceive_crc(struct client *c, const uint8_t *at, uint8_t len, struct client_exchange *x)
{
    uint8_t tx[CIU_FIFO];
    uint8_t crc[2];
    memcpy(tx, at, len);
    assert_int_equal(client_crc(c, tx, len, tx + len), CLIENT_OK);
    *x = (struct client_exchange){.command = CIU_TRANSCEIVE, .wait_for = 0x30, .tx = tx, .tx_len = (uint8_t)(len + 2)};
    const int result = client_communicate(c, x);
    x->tx = NULL;
    if (result != CLIENT_OK) {
        return result;
    }
    if (x->rx_len == 1 && x->rx_last_bits == 4) {
        return x->rx[0] == 0x0A ? CLIENT_OK : CLIENT_NAK;
    }
    if (x->rx_len < 3 || x->rx_last_bits != 0) {
        return CLIENT_CRC;
    }
    assert_int_equal(client_crc(c, x->rx, (size_t)x->rx_len - 2, crc), CLIENT_OK);
    x->rx_len = (uint8_t)(x->rx_len - 2);
    return memcmp(crc, x->rx + x->rx_len, 2) == 0 ? CLIENT_OK : CLIENT_CRC;
}

/* One cascade level, following the collisions. @return SAK, or -1 */
static inline int client_select_level(struct client *c, uint8_t sel, uint8_t cl[5])
{
    struct client_exchange x;
    uint8_t buffer[9] = {sel};
    unsigned known = 0;
    memset(cl, 0, 5);
    while (known < 32) {
        const unsigned whole = known / 8;
        buffer[1] = (uint8_t)((2 + whole) << 4 | known % 8);
        memcpy(buffer + 2, cl, 5);
        x = (struct client_exchange){.command = CIU_TRANSCEIVE,
                                     .wait_for = 0x30,
                                     .tx = buffer,
                                     .tx_len = (uint8_t)(2 + whole + (known % 8 != 0)),
                                     .tx_last_bits = known % 8,
                                     .rx_align = known % 8};
        const int result = client_communicate(c, &x);
        if (result != CLIENT_OK && result != CLIENT_COLLISION) {
            return -1;
        }
        assert_true(x.rx_len >= 1 && whole + x.rx_len <= 5);
        cl[whole] = (uint8_t)((cl[whole] & ((1U << known % 8) - 1)) | x.rx[0]);
        memcpy(cl + whole + 1, x.rx + 1, x.rx_len - 1U);
        if (result == CLIENT_OK) {
            break;
        }
        const uint8_t coll = client_read(c, CIU_COLL);
        assert_int_equal(coll & 0x20, 0);
        const unsigned at =
            known + ((coll & 0x1F) == 0 ? 32U : coll & 0x1FU) - 1; /* counted from the first bit heard */
        cl[at / 8] |= (uint8_t)(1U << at % 8);
        known = at + 1;
    }
    uint8_t select[7] = {sel, 0x70, cl[0], cl[1], cl[2], cl[3], (uint8_t)(cl[0] ^ cl[1] ^ cl[2] ^ cl[3])};
    return client_transceive_crc(c, select, sizeof select, &x) == CLIENT_OK && x.rx_len == 1 ? x.rx[0] : -1;
}

/* @return length of the UID, or 0 */
static inline size_t client_select(struct client *c, uint8_t uid[10], uint8_t *sak)
{
    size_t len = 0;
    client_clear(c, CIU_COLL, 0x80);
    for (uint8_t sel = 0x93; sel <= 0x97; sel += 2) {
        uint8_t cl[5];
        const int got = client_select_level(c, sel, cl);
        if (got < 0) {
            return 0;
        }
        *sak = (uint8_t)got;
        if ((got & 0x04) == 0) {
            memcpy(uid + len, cl, 4);
            return len + 4;
        }
        memcpy(uid + len, cl + 1, 3);
        len += 3;
    }
    return 0;
}

static inline int client_authenticate(struct client *c, uint8_t command, uint8_t block, const uint8_t key[6],
                                      const uint8_t uid4[4])
{
    uint8_t tx[12] = {command, block};
    memcpy(tx + 2, key, 6);
    memcpy(tx + 8, uid4, 4);
    struct client_exchange x = {.command = CIU_MF_AUTHENT, .wait_for = 0x10, .tx = tx, .tx_len = sizeof tx};
    const int result = client_communicate(c, &x);
    return result != CLIENT_OK ? result : (client_read(c, CIU_STATUS2) & 0x08) != 0 ? CLIENT_OK : CLIENT_ERROR;
}

static inline void client_stop_crypto(struct client *c)
{
    client_clear(c, CIU_STATUS2, 0x08);
}

static inline int client_read_block(struct client *c, uint8_t block, uint8_t data[16])
{
    const uint8_t command[2] = {0x30, block};
    struct client_exchange x;
    const int result = client_transceive_crc(c, command, sizeof command, &x);
    if (result == CLIENT_OK) {
        assert_int_equal(x.rx_len, 16);
        memcpy(data, x.rx, 16);
    }
    return result;
}

static inline int client_write_block(struct client *c, uint8_t block, const uint8_t data[16])
{
    const uint8_t command[2] = {0xA0, block};
    struct client_exchange x;
    const int result = client_transceive_crc(c, command, sizeof command, &x);
    return result == CLIENT_OK ? client_transceive_crc(c, data, 16, &x) : result;
}

/* Increment, decrement or restore: silence to the operand is success. */
static inline int client_value(struct client *c, uint8_t command, uint8_t block, uint32_t operand)
{
    const uint8_t first[2] = {command, block};
    uint8_t second[4];
    struct client_exchange x;
    scrip_put_le32(second, operand);
    const int result = client_transceive_crc(c, first, sizeof first, &x);
    if (result != CLIENT_OK) {
        return result;
    }
    const int answered = client_transceive_crc(c, second, sizeof second, &x);
    return answered == CLIENT_TIMEOUT ? CLIENT_OK : CLIENT_NAK;
}

static inline int client_transfer(struct client *c, uint8_t block)
{
    const uint8_t command[2] = {0xB0, block};
    struct client_exchange x;
    return client_transceive_crc(c, command, sizeof command, &x);
}

static inline int client_halt(struct client *c)
{
    static const uint8_t command[2] = {0x50, 0x00};
    struct client_exchange x;
    return client_transceive_crc(c, command, sizeof command, &x) == CLIENT_TIMEOUT ? CLIENT_OK : CLIENT_ERROR;
}

#endif
