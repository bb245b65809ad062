#include "wire.h"
#include <string.h>

/* ---- commands ---- */

#define CLASSIC_COMMAND(op, id, text, operand_, answer_, timeout, timeout2, handler)                                   \
    CLASSIC_FRONT_COMMAND(op, id, text, operand_, answer_, timeout, timeout2)

static const struct scrip_classic_command commands[ROWS] = {
#define CLASSIC_FRONT_COMMAND(op, id, text, operand_, answer_, timeout, timeout2)                                      \
    {.name = (text),                                                                                                   \
     .opcode = (op),                                                                                                   \
     .operand = (operand_),                                                                                            \
     .answer = SCRIP_CLASSIC_ANSWER_##answer_,                                                                         \
     .timeout_ms = (timeout),                                                                                          \
     .timeout2_ms = (timeout2)},
#include "commands.def"
#undef CLASSIC_FRONT_COMMAND
};

/* Row number + 1 of each opcode: the compiler refuses two rows with one opcode (override of an initialiser). */
static const uint8_t row_of[256] = {
#define CLASSIC_FRONT_COMMAND(op, id, text, operand_, answer_, timeout, timeout2) [(op)] = ROW_##id + 1,
#include "commands.def"
#undef CLASSIC_FRONT_COMMAND
};

const struct scrip_classic_command *scrip_classic_command(uint8_t opcode)
{
    return row_of[opcode] == 0 ? NULL : &commands[row_of[opcode] - 1];
}

/* ---- geometry: 32 sectors of 4 blocks, then 8 of 16 ---- */

#define SMALL_SECTORS 32U
#define SMALL_BLOCKS  128U

uint8_t scrip_classic_sector(uint8_t block)
{
    return (uint8_t)(block < SMALL_BLOCKS ? block / 4U : SMALL_SECTORS + (block - SMALL_BLOCKS) / 16U);
}

uint8_t scrip_classic_first(uint8_t sector)
{
    return (uint8_t)(sector < SMALL_SECTORS ? 4U * sector : SMALL_BLOCKS + 16U * (sector - SMALL_SECTORS));
}

uint8_t scrip_classic_sector_blocks(uint8_t sector)
{
    return sector < SMALL_SECTORS ? 4 : 16;
}

uint8_t scrip_classic_trailer(uint8_t sector)
{
    return (uint8_t)(scrip_classic_first(sector) + scrip_classic_sector_blocks(sector) - 1U);
}

uint8_t scrip_classic_group(uint8_t block)
{
    return (uint8_t)(block < SMALL_BLOCKS ? block % 4U : block % 16U / 5U);
}

/* ---- access bits ---- */

/* Bytes 6..8 as six nibbles: ~C2 ~C1, C1 ~C3, C3 C2; bit i of a nibble belongs to group i. */
enum scrip_status scrip_classic_access_get(const uint8_t bytes[3], struct scrip_classic_access *access)
{
    const unsigned c1 = bytes[1] >> 4;
    const unsigned c2 = bytes[2] & 0xFU;
    const unsigned c3 = bytes[2] >> 4;

    if ((c1 ^ (bytes[0] & 0xFU)) != 0xFU || (c2 ^ bytes[0] >> 4) != 0xFU || (c3 ^ (bytes[1] & 0xFU)) != 0xFU) {
        return SCRIP_E_CORRUPT;
    }
    for (unsigned i = 0; i < 4; i++) {
        access->group[i] = (uint8_t)((c1 >> i & 1U) << 2 | (c2 >> i & 1U) << 1 | (c3 >> i & 1U));
    }
    return SCRIP_OK;
}

void scrip_classic_access_put(const struct scrip_classic_access *access, uint8_t bytes[3])
{
    unsigned c1 = 0;
    unsigned c2 = 0;
    unsigned c3 = 0;
    for (unsigned i = 0; i < 4; i++) {
        c1 |= (access->group[i] >> 2 & 1U) << i;
        c2 |= (access->group[i] >> 1 & 1U) << i;
        c3 |= (access->group[i] & 1U) << i;
    }
    bytes[0] = (uint8_t)((c2 ^ 0xFU) << 4 | (c1 ^ 0xFU));
    bytes[1] = (uint8_t)(c1 << 4 | (c3 ^ 0xFU));
    bytes[2] = (uint8_t)(c3 << 4 | c2);
}

enum scrip_status scrip_classic_write_check(uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_classic_access access;
    return block == scrip_classic_trailer(scrip_classic_sector(block))
               ? scrip_classic_access_get(data + SCRIP_CLASSIC_AT_ACCESS, &access)
               : SCRIP_OK;
}

/* Who has each right. Columns: the condition C1 C2 C3 from 000 to 111. */
enum { NO = 0, A = 1, B = 2, AB = 3 };

static const uint8_t rights[SCRIP_CLASSIC_RIGHTS][8] = {
    [SCRIP_CLASSIC_MAY_READ] = {AB, AB, AB, B, AB, B, AB, NO},
    [SCRIP_CLASSIC_MAY_WRITE] = {AB, NO, NO, B, B, NO, B, NO},
    [SCRIP_CLASSIC_MAY_INCREMENT] = {AB, NO, NO, NO, NO, NO, B, NO},
    [SCRIP_CLASSIC_MAY_DECREMENT] = {AB, AB, NO, NO, NO, NO, AB, NO},
    [SCRIP_CLASSIC_MAY_WRITE_KEY_A] = {A, A, NO, B, B, NO, NO, NO},
    [SCRIP_CLASSIC_MAY_READ_ACCESS] = {A, A, A, AB, AB, AB, AB, AB},
    [SCRIP_CLASSIC_MAY_WRITE_ACCESS] = {NO, A, NO, B, NO, B, NO, NO},
    [SCRIP_CLASSIC_MAY_READ_KEY_B] = {A, A, A, NO, NO, NO, NO, NO},
    [SCRIP_CLASSIC_MAY_WRITE_KEY_B] = {A, A, NO, B, B, NO, NO, NO},
};

bool scrip_classic_may(uint8_t condition, enum scrip_classic_right right, bool key_b)
{
    return (rights[right][condition & 7U] & (key_b ? B : A)) != 0;
}

bool scrip_classic_key_b_usable(uint8_t trailer_condition)
{
    return !scrip_classic_may(trailer_condition, SCRIP_CLASSIC_MAY_READ_KEY_B, false);
}

/* ---- trailer ---- */

const uint8_t scrip_classic_trailer_new[SCRIP_CLASSIC_BLOCK] = {
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x80, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
};

void scrip_classic_trailer_get(const uint8_t block[SCRIP_CLASSIC_BLOCK], struct scrip_classic_trailer *trailer)
{
    memcpy(trailer->key_a, block + SCRIP_CLASSIC_AT_KEY_A, sizeof trailer->key_a);
    memcpy(trailer->access, block + SCRIP_CLASSIC_AT_ACCESS, sizeof trailer->access);
    trailer->free_byte = block[SCRIP_CLASSIC_AT_FREE];
    memcpy(trailer->key_b, block + SCRIP_CLASSIC_AT_KEY_B, sizeof trailer->key_b);
}

void scrip_classic_trailer_put(const struct scrip_classic_trailer *trailer, uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    memcpy(block + SCRIP_CLASSIC_AT_KEY_A, trailer->key_a, sizeof trailer->key_a);
    memcpy(block + SCRIP_CLASSIC_AT_ACCESS, trailer->access, sizeof trailer->access);
    block[SCRIP_CLASSIC_AT_FREE] = trailer->free_byte;
    memcpy(block + SCRIP_CLASSIC_AT_KEY_B, trailer->key_b, sizeof trailer->key_b);
}

/* ---- value blocks: value, complement, value, address, complement, address, complement ---- */

void scrip_classic_value_put(int32_t value, uint8_t address, uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    const uint32_t bits = (uint32_t)value;
    scrip_put_le32(block, bits);
    scrip_put_le32(block + 4, ~bits);
    scrip_put_le32(block + 8, bits);
    scrip_put_le32(block + 12, address * 0x00010001U | (~(uint32_t)address & 0xFFU) * 0x01000100U);
}

enum scrip_status scrip_classic_value_get(const uint8_t block[SCRIP_CLASSIC_BLOCK], int32_t *value, uint8_t *address)
{
    uint8_t whole[SCRIP_CLASSIC_BLOCK];
    scrip_classic_value_put(scrip_get_le32s(block), block[12], whole);
    if (memcmp(whole, block, sizeof whole) != 0) {
        return SCRIP_E_FORMAT;
    }
    *value = scrip_get_le32s(block);
    *address = block[12];
    return SCRIP_OK;
}
