#include "bench.h"
#include <stdlib.h>

const uint8_t KEY_FF[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
const uint8_t KEY_A[6] = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5};
const uint8_t KEY_B[6] = {0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5};

/* ---- the scene ---- */

void bench_lay(struct bench *b, bool is_4k, const char *uid, enum scrip_classic_profile profile)
{
    struct scrip_classic_identity identity = {.is_4k = is_4k};
    const struct scrip_classic_options options = {.profile = (uint8_t)profile};

    memset(b, 0, sizeof *b);
    identity.uid_len = (uint8_t)from_hex(uid, identity.uid, sizeof identity.uid);
    assert_ok(scrip_nv_memory_init(&b->memory, scrip_classic_card_pages(is_4k)));
    b->under = scrip_nv_memory(&b->memory);
    b->nv = scrip_nv_tearing(&b->tearing, b->under, 1);
    scrip_random_seeded_init(&b->seeded, 1);
    b->random = scrip_random_seeded(&b->seeded);
    assert_ok(scrip_classic_card_make(&b->under, &identity));
    scrip_classic_card_init(&b->card, &(struct scrip_classic_host){.nv = &b->nv, .random = &b->random}, &options);
    scrip_field_init(&b->field);
    scrip_field_radio(&b->field, &b->air);
    scrip_mifare_soft_init(&b->soft, &b->air, &b->random);
    assert_ok(scrip_field_add(&b->field, &b->card.picc));
    assert_ok(b->air.power(b->air.ctx, true));
}

void bench_clear(struct bench *b)
{
    scrip_mifare_soft_drop(&b->soft);
    scrip_nv_memory_free(&b->memory);
}

static int bench_new(void **state, bool is_4k, const char *uid)
{
    struct bench *b = malloc(sizeof *b);
    if (b == NULL) {
        return -1;
    }
    bench_lay(b, is_4k, uid, SCRIP_CLASSIC_HARDENED);
    *state = b;
    return 0;
}

int bench_1k(void **state)
{
    return bench_new(state, false, "9C599B32");
}

int bench_4k(void **state)
{
    return bench_new(state, true, "14579F69");
}

int bench_1k_7(void **state)
{
    return bench_new(state, false, "04183F09321B85");
}

int bench_done(void **state)
{
    bench_clear(*state);
    free(*state);
    return 0;
}

enum scrip_status select_card(struct bench *b)
{
    uint8_t atqa[2];
    scrip_mifare_soft_drop(&b->soft);
    if (scrip_pcd_request(&b->air, true, atqa) != SCRIP_OK) { /* it was active, and has fallen back now */
        SCRIP_TRY(scrip_pcd_request(&b->air, true, atqa));
    }
    return scrip_pcd_anticollision(&b->air, &b->target);
}

void power_cycle(struct bench *b)
{
    assert_ok(b->air.power(b->air.ctx, false));
    scrip_nv_power_up(&b->tearing);
    assert_ok(b->air.power(b->air.ctx, true));
}

/* ---- commands ---- */

static enum scrip_status command(struct bench *b, struct scrip_bytes bytes, uint8_t *data)
{
    uint8_t room[16];
    struct scrip_buf response = SCRIP_BUF_OF(room);
    const enum scrip_status status = scrip_mifare_exchange(&b->soft.radio, &b->soft.auth, bytes, &response);
    assert_int_equal(response.len, status == SCRIP_OK && bytes.at[0] == SCRIP_MIFARE_READ ? 16 : 0);
    if (data != NULL && response.len > 0) {
        memcpy(data, room, sizeof room);
    }
    return status;
}

enum scrip_status do_auth(struct bench *b, bool key_b, uint8_t block, const uint8_t key[6])
{
    uint8_t bytes[12] = {key_b ? SCRIP_MIFARE_AUTH_B : SCRIP_MIFARE_AUTH_A, block};
    memcpy(bytes + 2, key, 6);
    memcpy(bytes + 8, b->target.uid + b->target.uid_len - 4, 4);
    return command(b, SCRIP_BYTES_OF(bytes), NULL);
}

enum scrip_status do_read(struct bench *b, uint8_t block, uint8_t data[16])
{
    const uint8_t bytes[2] = {SCRIP_MIFARE_READ, block};
    return command(b, SCRIP_BYTES_OF(bytes), data);
}

enum scrip_status do_write(struct bench *b, uint8_t block, const uint8_t data[16])
{
    uint8_t bytes[18] = {SCRIP_MIFARE_WRITE, block};
    memcpy(bytes + 2, data, 16);
    return command(b, SCRIP_BYTES_OF(bytes), NULL);
}

enum scrip_status do_value(struct bench *b, uint8_t opcode, uint8_t block, uint32_t operand)
{
    uint8_t bytes[6] = {opcode, block};
    scrip_put_le32(bytes + 2, operand);
    return command(b, SCRIP_BYTES_OF(bytes), NULL);
}

enum scrip_status do_transfer(struct bench *b, uint8_t block)
{
    const uint8_t bytes[2] = {SCRIP_MIFARE_TRANSFER, block};
    return command(b, SCRIP_BYTES_OF(bytes), NULL);
}

enum scrip_status do_halt(struct bench *b)
{
    const uint8_t bytes[2] = {SCRIP_MIFARE_HALT, 0};
    const enum scrip_status status = command(b, SCRIP_BYTES_OF(bytes), NULL);
    scrip_mifare_soft_drop(&b->soft);
    return status;
}

enum scrip_status do_personalize(struct bench *b, uint8_t option)
{
    const uint8_t bytes[2] = {SCRIP_MIFARE_PERSONALIZE, option};
    return command(b, SCRIP_BYTES_OF(bytes), NULL);
}

void given_session(struct bench *b, bool key_b, uint8_t block, const uint8_t key[6])
{
    assert_ok(select_card(b));
    assert_ok(do_auth(b, key_b, block, key));
}

/* ---- frames ---- */

int ask_frame(struct bench *b, const struct scrip_frame *frame)
{
    struct scrip_frame rx;
    const enum scrip_status status = b->soft.radio.exchange(b->soft.radio.ctx, frame, &rx, 5000);
    if (status == SCRIP_E_TIMEOUT) {
        return NO_ANSWER;
    }
    assert_ok(status);
    assert_int_equal(rx.bits, 4);
    return rx.data[0];
}

int ask(struct bench *b, const char *hex)
{
    uint8_t bytes[40];
    struct scrip_frame frame;
    const size_t len = from_hex(hex, bytes, sizeof bytes);
    assert_ok(scrip_frame_bytes_crc(&frame, scrip_bytes(bytes, len)));
    return ask_frame(b, &frame);
}

/* ---- memory ---- */

void poke(struct bench *b, uint8_t block, const char *hex)
{
    uint8_t data[16];
    assert_int_equal(from_hex(hex, data, sizeof data), 16);
    assert_ok(scrip_classic_card_poke(&b->under, block, data));
}

void peek(struct bench *b, uint8_t block, uint8_t data[16])
{
    assert_ok(scrip_classic_card_peek(&b->under, block, data));
}

void given_trailer(struct bench *b, uint8_t sector, uint8_t data_condition, uint8_t trailer_condition)
{
    const struct scrip_classic_access access = {{data_condition, data_condition, data_condition, trailer_condition}};
    struct scrip_classic_trailer trailer = {.free_byte = 0x69};
    uint8_t block[16];

    memcpy(trailer.key_a, KEY_A, sizeof trailer.key_a);
    memcpy(trailer.key_b, KEY_B, sizeof trailer.key_b);
    scrip_classic_access_put(&access, trailer.access);
    scrip_classic_trailer_put(&trailer, block);
    assert_ok(scrip_classic_card_poke(&b->under, scrip_classic_trailer(sector), block));
}

void given_value(struct bench *b, uint8_t block, int32_t value, uint8_t address)
{
    uint8_t data[16];
    scrip_classic_value_put(value, address, data);
    assert_ok(scrip_classic_card_poke(&b->under, block, data));
}
