#include "bench.h"

const uint8_t KEY_DEFAULT[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
static const uint8_t UID[4] = UID_BYTES;

/* ---- the scene ---- */

void given_blank(struct bench *b)
{
    const struct scrip_otp_identity identity = {.uid = UID_BYTES, .manufacturer = {'t', 'e', 's', 't'}};
    const struct scrip_otp_options options = {0};
    memset(b, 0, sizeof *b);
    assert_ok(scrip_nv_memory_init(&b->memory, SCRIP_OTP_PAGES));
    const struct scrip_nv raw = scrip_nv_memory(&b->memory);
    assert_ok(scrip_otp_card_make(&raw, &identity));
    b->nv = otp_tear(&b->tear, raw);
    scrip_random_seeded_init(&b->seeded, 0x07);
    b->random = scrip_random_seeded(&b->seeded);
    b->host = (struct scrip_otp_host){.nv = &b->nv, .random = &b->random};
    scrip_otp_card_init(&b->card, &b->host, &options);
    power_cycle(b);
}

void face_block(uint32_t unit, uint16_t units, uint8_t block[16])
{
    const struct scrip_otp_face face = {.unit = unit, .units = units};
    assert_ok(scrip_otp_face_put(&face, block));
}

void given_sold(struct bench *b, uint32_t unit, uint16_t units)
{
    uint8_t block[16];
    given_blank(b);
    enter(b, 1, false, KEY_DEFAULT);
    face_block(unit, units, block);
    assert_int_equal(write_block(b, 1, block), ACK);
}

const uint8_t *key_of(uint8_t byte)
{
    static uint8_t key[6];
    memset(key, byte, sizeof key);
    return key;
}

void password_block(uint8_t a, const char *access, uint8_t b, uint8_t block[16])
{
    memset(block, a, 6);
    (void)from_hex(access, block + 6, 3);
    block[9] = 0x69;
    memset(block + 10, b, 6);
}

void bench_free(struct bench *b)
{
    assert_int_equal(b->tear.backwards, 0);
    scrip_nv_memory_free(&b->memory);
}

/* ---- the reader ---- */

static void exchange(struct bench *b)
{
    b->rx.bits = 0;
    (void)b->card.picc.ops->frame(&b->card.picc, &b->tx, &b->rx);
}

void power_cycle(struct bench *b)
{
    b->open = false;
    (void)b->card.picc.ops->power(&b->card.picc, false);
    otp_tear_power_up(&b->tear);
    assert_ok(b->card.picc.ops->power(&b->card.picc, true));
    assert_true(reselect(b));
}

bool reselect(struct bench *b)
{
    uint8_t select[7] = {0x93, 0x70};
    b->open = false;
    scrip_frame_short(&b->tx, SCRIP_WUPA);
    exchange(b);
    if (b->rx.bits == 0) { /* it was active and fell back */
        exchange(b);
    }
    if (b->rx.bits != 16 || b->rx.data[0] != 0x04 || b->rx.data[1] != 0x00) {
        return false;
    }
    memcpy(select + 2, UID, 4);
    select[6] = UID[0] ^ UID[1] ^ UID[2] ^ UID[3];
    assert_ok(scrip_frame_bytes_crc(&b->tx, SCRIP_BYTES_OF(select)));
    exchange(b);
    return b->rx.bits == 24 && b->rx.data[0] == 0x08;
}

bool login(struct bench *b, uint8_t block, bool key_b, const uint8_t key[6])
{
    const uint8_t command[2] = {key_b ? 0x61 : 0x60, block};
    uint8_t proof[8] = {0x4E, 0x52, 0x00, 0x01};
    const uint32_t uid4 = scrip_get_be32(UID);
    const bool nested = b->open;
    assert_ok(scrip_frame_bytes_crc(&b->tx, SCRIP_BYTES_OF(command)));
    if (nested) {
        scrip_mifare_sm_encrypt(&b->cipher, &b->tx);
    }
    exchange(b);
    b->open = false;
    if (b->rx.bits != 32) {
        return false;
    }
    if (nested) {
        scrip_crypto1_load(&b->cipher, key);
        (void)scrip_mifare_sm_decrypt_nonce(&b->cipher, &b->rx, uid4);
    } else {
        (void)scrip_crypto1_begin(&b->cipher, key, uid4, scrip_get_be32(b->rx.data));
    }
    const uint32_t nt = scrip_get_be32(b->rx.data);
    scrip_put_be32(proof + 4, scrip_crypto1_successor(nt, 64));
    assert_ok(scrip_frame_bytes(&b->tx, SCRIP_BYTES_OF(proof)));
    scrip_mifare_sm_encrypt_nonce(&b->cipher, &b->tx, 0);
    exchange(b);
    if (b->rx.bits != 32) {
        return false;
    }
    assert_ok(scrip_mifare_sm_decrypt(&b->cipher, &b->rx));
    b->open = scrip_get_be32(b->rx.data) == scrip_crypto1_successor(nt, 96);
    return b->open;
}

void enter(struct bench *b, uint8_t block, bool key_b, const uint8_t key[6])
{
    assert_true(reselect(b));
    assert_true(login(b, block, key_b, key));
}

static int heard(struct bench *b)
{
    struct scrip_bytes content;
    if (b->rx.bits == 0) {
        return SILENCE;
    }
    if (b->open) {
        (void)scrip_mifare_sm_decrypt(&b->cipher, &b->rx);
    }
    if (b->rx.bits == 4) {
        return b->rx.data[0];
    }
    assert_ok(scrip_frame_content_crc(&b->rx, &content));
    assert_int_equal(content.len, sizeof b->block);
    memcpy(b->block, content.at, sizeof b->block);
    return BLOCK;
}

int say(struct bench *b, const void *bytes, size_t len)
{
    assert_ok(scrip_frame_bytes_crc(&b->tx, scrip_bytes(bytes, len)));
    if (b->open) {
        scrip_mifare_sm_encrypt(&b->cipher, &b->tx);
    }
    exchange(b);
    return heard(b);
}

/* ---- commands ---- */

int read_block(struct bench *b, uint8_t block)
{
    const uint8_t command[2] = {0x30, block};
    return say(b, command, sizeof command);
}

int write_block(struct bench *b, uint8_t block, const uint8_t data[16])
{
    const uint8_t command[2] = {0xA0, block};
    const int answer = say(b, command, sizeof command);
    return answer == ACK ? say(b, data, 16) : answer;
}

int decrement(struct bench *b, uint32_t amount)
{
    static const uint8_t command[2] = {0xC0, 1};
    uint8_t operand[4];
    const int answer = say(b, command, sizeof command);
    scrip_put_le32(operand, amount);
    return answer == ACK ? say(b, operand, sizeof operand) : answer;
}

int transfer(struct bench *b)
{
    static const uint8_t command[2] = {0xB0, 1};
    return say(b, command, sizeof command);
}

int32_t balance(struct bench *b)
{
    int32_t value = 0;
    uint8_t address = 0;
    assert_int_equal(read_block(b, 1), BLOCK);
    assert_ok(scrip_classic_value_get(b->block, &value, &address));
    assert_int_equal(address, SCRIP_OTP_ADDRESS);
    return value;
}

/* ---- the memory ---- */

uint16_t used(struct bench *b)
{
    const struct scrip_nv raw = scrip_nv_memory(&b->memory);
    uint16_t units = 0;
    assert_ok(scrip_otp_card_used(&raw, &units));
    return units;
}

bool bit_of(struct bench *b, unsigned bit)
{
    const struct scrip_nv raw = scrip_nv_memory(&b->memory);
    bool programmed = false;
    assert_ok(scrip_otp_card_bit(&raw, (uint16_t)bit, &programmed));
    return programmed;
}

void stored(struct bench *b, uint8_t block, uint8_t data[16])
{
    const struct scrip_nv raw = scrip_nv_memory(&b->memory);
    assert_ok(scrip_otp_card_peek(&raw, block, data));
}

void damage_unit(struct bench *b, unsigned bit)
{
    b->memory.at[16 * SCRIP_NV_PAGE + (bit - 1) / 8] |= (uint8_t)(1U << (bit - 1) % 8);
}
