/* fake_coupler.h: a coupler that keeps a storage card in an array, writes down what it is asked, and fails on demand.
 */
#ifndef TEST_FAKE_COUPLER_H
#define TEST_FAKE_COUPLER_H

#include <scrip/classic.h>
#include <scrip/coupler.h>
#include <scrip/pcsc.h>
#include <stdio.h>
#include <string.h>

struct fake_coupler {
    struct scrip_coupler coupler;
    struct scrip_target target; /* found */
    bool absent;
    bool lost;               /* found only from the beginning */
    char log[2048];          /* what was asked since it was last cleared, in words and hex */
    unsigned fail_after;     /* calls to the card that still succeed before one fails; UINT32_MAX: all succeed */
    enum scrip_status fails; /* how it fails */
    uint8_t block[256][16];
    int32_t buffer;
    uint8_t answer[300]; /* what raw and apdu answer */
    size_t answer_len;
    uint8_t answer_bits;
    enum scrip_status answers; /* and how */
};

static inline void fake_note(struct fake_coupler *self, const char *word, struct scrip_bytes bytes)
{
    size_t at = strlen(self->log);
    at += (size_t)snprintf(self->log + at, sizeof self->log - at, "%s%s", at != 0 ? " " : "", word);
    for (size_t i = 0; i < bytes.len && at + 2 < sizeof self->log; i++) {
        at += (size_t)snprintf(self->log + at, sizeof self->log - at, "%02X", bytes.at[i]);
    }
}

static inline struct fake_coupler *fake_of(struct scrip_coupler *coupler)
{
    return (struct fake_coupler *)coupler;
}

static inline enum scrip_status fake_find(struct scrip_coupler *coupler, uint32_t timeout_ms,
                                          struct scrip_target *target)
{
    (void)timeout_ms;
    fake_note(fake_of(coupler), "find", scrip_bytes(NULL, 0));
    if (fake_of(coupler)->absent) {
        return SCRIP_E_NO_CARD;
    }
    *target = fake_of(coupler)->target;
    return SCRIP_OK;
}

static inline enum scrip_status fake_again(struct scrip_coupler *coupler)
{
    fake_note(fake_of(coupler), "again", scrip_bytes(NULL, 0));
    return fake_of(coupler)->absent || fake_of(coupler)->lost ? SCRIP_E_NO_CARD : SCRIP_OK;
}

static inline enum scrip_status fake_answer(struct fake_coupler *self, struct scrip_buf *response)
{
    return self->answers != SCRIP_OK ? self->answers : scrip_buf_add(response, self->answer, self->answer_len);
}

static inline enum scrip_status fake_apdu(struct scrip_coupler *coupler, struct scrip_bytes command,
                                          struct scrip_buf *response)
{
    fake_note(fake_of(coupler), "apdu:", command);
    return fake_answer(fake_of(coupler), response);
}

static inline enum scrip_status fake_memory(struct fake_coupler *self, struct scrip_bytes command,
                                            struct scrip_buf *response)
{
    static const uint8_t key[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    uint8_t *block = self->block[command.at[1]];
    uint8_t address = 0;
    int32_t operand = 0;
    switch (command.at[0]) {
    case 0x60:
    case 0x61:
        return memcmp(command.at + 2, key, sizeof key) == 0 ? SCRIP_OK : SCRIP_E_AUTH;
    case 0x30:
        return scrip_buf_add(response, block, 16);
    case 0xA0:
        memcpy(block, command.at + 2, 16);
        return SCRIP_OK;
    case 0xB0:
        scrip_classic_value_put(self->buffer, command.at[1], block);
        return SCRIP_OK;
    default:
        operand = command.at[0] == 0xC2 ? 0 : scrip_get_le32s(command.at + 2);
        if (scrip_classic_value_get(block, &self->buffer, &address) != SCRIP_OK || operand < 0) {
            return SCRIP_E_CARD;
        }
        self->buffer += command.at[0] == 0xC0 ? -operand : operand;
        return SCRIP_OK;
    }
}

static inline enum scrip_status fake_mifare(struct scrip_coupler *coupler, struct scrip_bytes command,
                                            struct scrip_buf *response)
{
    struct fake_coupler *self = fake_of(coupler);
    fake_note(self, "", command);
    if (self->fail_after == 0) {
        return self->fails;
    }
    self->fail_after--;
    return fake_memory(self, command, response);
}

static inline enum scrip_status fake_raw(struct scrip_coupler *coupler, const struct scrip_coupler_raw *how,
                                         struct scrip_bytes tx, struct scrip_buf *rx, uint8_t *last_bits)
{
    struct fake_coupler *self = fake_of(coupler);
    char word[64];
    snprintf(word, sizeof word, "raw%s%s%s,%u,%u:", how->crc_out ? "+crc" : "", how->crc_in ? "+check" : "",
             how->parity ? "" : "-parity", how->last_bits, (unsigned)how->timeout_us);
    fake_note(self, word, tx);
    *last_bits = self->answer_bits;
    return fake_answer(self, rx);
}

static inline enum scrip_status fake_power(struct scrip_coupler *coupler, bool on)
{
    fake_note(fake_of(coupler), on ? "on" : "off", scrip_bytes(NULL, 0));
    return SCRIP_OK;
}

/** A Classic 1K with the UID 04030201 and transport keys; block 5 holds the value 1000. */
static inline void fake_coupler_init(struct fake_coupler *self)
{
    static const struct scrip_coupler_ops ops = {.find = fake_find,
                                                 .again = fake_again,
                                                 .apdu = fake_apdu,
                                                 .mifare = fake_mifare,
                                                 .raw = fake_raw,
                                                 .power = fake_power};
    *self = (struct fake_coupler){
        .coupler = {.ops = &ops},
        .target = {.atqa = {0x04, 0x00}, .sak = 0x08, .uid = {0x04, 0x03, 0x02, 0x01}, .uid_len = 4},
        .fail_after = UINT32_MAX,
        .fails = SCRIP_E_CARD};
    for (unsigned i = 0; i < 256; i++) {
        memset(self->block[i], (int)i, 16);
    }
    scrip_classic_value_put(1000, 5, self->block[5]);
}

/** The same as a DESFire. */
static inline void fake_coupler_part_4(struct fake_coupler *self)
{
    fake_coupler_init(self);
    self->target = (struct scrip_target){.atqa = {0x44, 0x03},
                                         .sak = 0x20,
                                         .uid = {4, 1, 2, 3, 4, 5, 6},
                                         .uid_len = 7,
                                         .ats = {0x06, 0x75, 0x77, 0x81, 0x02, 0x80},
                                         .ats_len = 6};
}

#endif
