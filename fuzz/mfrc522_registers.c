/* rooms: reader_model classic_card host */
/* Anybody's register accesses to the MFRC522 model, over SPI and over its UART, before a MIFARE Classic. What must
 * hold: no crash, a FIFO that holds no more than it can, and a chip that hears a card after a reset.
 *
 * The input is a sequence of steps: one byte that says what, one for the length, then that many bytes. */
#include "../reader/model/mfrc522.h"
#include "input.h"
#include <scrip/classic_card.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct scrip_field field;
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_host host;
    struct scrip_classic_card classic;
    struct scrip_mfrc522_model chip;
};

static void lay(struct table *t)
{
    const struct scrip_classic_identity identity = {.uid = {0xDE, 0xAD, 0xBE, 0xEF}, .uid_len = 4};
    const struct scrip_classic_options options = {.profile = SCRIP_CLASSIC_GENUINE};
    scrip_field_init(&t->field);
    scrip_random_seeded_init(&t->seeded, 1);
    t->random = scrip_random_seeded(&t->seeded);
    must(scrip_nv_memory_init(&t->memory, scrip_classic_card_pages(false)) == SCRIP_OK);
    t->nv = scrip_nv_memory(&t->memory);
    must(scrip_classic_card_make(&t->nv, &identity) == SCRIP_OK);
    t->host = (struct scrip_classic_host){.nv = &t->nv, .random = &t->random};
    scrip_classic_card_init(&t->classic, &t->host, &options);
    must(scrip_field_add(&t->field, &t->classic.picc) == SCRIP_OK);
    scrip_mfrc522_model_init(&t->chip, &t->field, &t->random);
}

static uint8_t get(struct table *t, uint8_t number)
{
    uint8_t both[2] = {(uint8_t)(0x80 | number << 1), 0};
    scrip_mfrc522_model_spi(&t->chip, both, both, sizeof both);
    return both[1];
}

static void put(struct table *t, uint8_t number, uint8_t value)
{
    const uint8_t out[2] = {(uint8_t)(number << 1), value};
    scrip_mfrc522_model_spi(&t->chip, out, NULL, sizeof out);
}

/* Send what is given, hear what comes. @return bytes in the FIFO */
static uint8_t transceive(struct table *t, const uint8_t *at, size_t len, uint8_t last_bits)
{
    put(t, CIU_COMMAND, CIU_IDLE);
    put(t, CIU_FIFO_LEVEL, 0x80);
    for (size_t i = 0; i < len; i++) {
        put(t, CIU_FIFO_DATA, at[i]);
    }
    put(t, CIU_COMMAND, CIU_TRANSCEIVE);
    put(t, CIU_BIT_FRAMING, 0x80 | last_bits);
    return get(t, CIU_FIFO_LEVEL);
}

/* Reset, and wake the card: the first call may throw it back only. */
static void begin(struct table *t)
{
    static const uint8_t wake[] = {0x52};
    scrip_mfrc522_model_quiet(&t->chip);
    put(t, CIU_COMMAND, CIU_SOFT_RESET);
    must((get(t, CIU_COMMAND) & 0x10) != 0);
    must((get(t, CIU_COMMAND) & 0x10) == 0);
    put(t, CIU_T_MODE, 0x80);
    put(t, CIU_T_RELOAD_LOW, 0xFF);
    put(t, CIU_T_PRESCALER, 0x80);
    put(t, CIU_MODE, 0x3D);
    put(t, CIU_TX_CONTROL, 0x83);
    const uint8_t heard = transceive(t, wake, sizeof wake, 7);
    must(heard == 2 || transceive(t, wake, sizeof wake, 7) == 2);
}

static void select_card(struct table *t)
{
    static const uint8_t select[] = {0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22};
    begin(t);
    put(t, CIU_TX_MODE, 0x80);
    put(t, CIU_RX_MODE, 0x80);
    must(transceive(t, select, sizeof select, 0) == 1);
}

static void log_in(struct table *t)
{
    static const uint8_t p[] = {0x60, 0x04, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xDE, 0xAD, 0xBE, 0xEF};
    select_card(t);
    put(t, CIU_COMMAND, CIU_IDLE);
    put(t, CIU_FIFO_LEVEL, 0x80);
    for (size_t i = 0; i < sizeof p; i++) {
        put(t, CIU_FIFO_DATA, p[i]);
    }
    put(t, CIU_COMMAND, CIU_MF_AUTHENT);
}

static void take_step(struct table *t, uint8_t what, struct scrip_bytes bytes)
{
    uint8_t miso[256];
    switch (what % 8) {
    case 0:
        select_card(t);
        break;
    case 1:
        log_in(t);
        break;
    case 2:
        scrip_mfrc522_model_quiet(&t->chip);
        break;
    case 3:
        for (size_t i = 0; i < bytes.len; i++) {
            must(scrip_mfrc522_model_uart(&t->chip, bytes.at[i]) < 256);
        }
        break;
    case 4:
        (void)transceive(t, bytes.at, bytes.len, what >> 3 & 7);
        break;
    default:
        scrip_mfrc522_model_spi(&t->chip, bytes.at, miso, bytes.len);
        break;
    }
    must(t->chip.ciu.fifo_len <= CIU_FIFO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table t;
    struct scrip_bytes left = scrip_bytes(data, size);
    struct scrip_bytes bytes;
    uint8_t what;

    lay(&t);
    for (size_t steps = 0; steps < 400 && next_step(&left, &what, &bytes); steps++) {
        take_step(&t, what, bytes);
    }
    begin(&t);
    scrip_nv_memory_free(&t.memory);
    return 0;
}
