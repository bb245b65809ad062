/* classic.h: facts of MIFARE Classic (S50 1K, S70 4K): its commands, where blocks are, what access bits allow, value
 * blocks. Behaviour is in classic_card.h (the card) and mifare.h (the reader). */
#ifndef SCRIP_CLASSIC_H
#define SCRIP_CLASSIC_H

#include <scrip/bytes.h>

#define SCRIP_CLASSIC_BLOCK      16U
#define SCRIP_CLASSIC_KEY        6U
#define SCRIP_CLASSIC_1K_BLOCKS  64U
#define SCRIP_CLASSIC_4K_BLOCKS  256U
#define SCRIP_CLASSIC_1K_SECTORS 16U
#define SCRIP_CLASSIC_4K_SECTORS 40U

/* ---- commands ---- */

/** How a command ends when the card does what it is told. */
enum scrip_classic_answer {
    SCRIP_CLASSIC_ANSWER_NONCE,   /**< four bytes without CRC: the three passes begin */
    SCRIP_CLASSIC_ANSWER_BLOCK,   /**< 16 bytes with CRC */
    SCRIP_CLASSIC_ANSWER_ACK,     /**< four bits */
    SCRIP_CLASSIC_ANSWER_SILENCE, /**< nothing: silence is success */
};

/** One command: two bytes with CRC, and a second frame where `operand` is not 0 (after an ACK to the first). */
struct scrip_classic_command {
    const char *name;
    uint8_t opcode;
    uint8_t operand;     /**< bytes of the second frame without CRC */
    uint8_t answer;      /**< enum scrip_classic_answer, to the last frame */
    uint8_t timeout_ms;  /**< how long a reader waits for the first answer */
    uint8_t timeout2_ms; /**< and for the answer to the second frame */
};

/** The row of an opcode; NULL: the chip knows no such command. */
const struct scrip_classic_command *scrip_classic_command(uint8_t opcode);

/** Four-bit answers. A NAK is a sum: SCRIP_CLASSIC_NAK, and the bits that say more. */
#define SCRIP_CLASSIC_ACK           0xAU
#define SCRIP_CLASSIC_NAK           0x0U
#define SCRIP_CLASSIC_NAK_DAMAGED   0x1U /**< wrong parity or CRC */
#define SCRIP_CLASSIC_NAK_NO_BUFFER 0x4U /**< the transfer buffer is not valid */

/* ---- memory ---- */

/** Sector of a block, its first block, its trailer, and how many blocks it has (4, or 16 from sector 32 on). */
uint8_t scrip_classic_sector(uint8_t block);
uint8_t scrip_classic_first(uint8_t sector);
uint8_t scrip_classic_trailer(uint8_t sector);
uint8_t scrip_classic_sector_blocks(uint8_t sector);

/** Group 0..3 of a block inside its sector: its place in the access bits. 3 is the trailer. */
uint8_t scrip_classic_group(uint8_t block);

/** The access conditions of a sector: for each group C1 in bit 2, C2 in bit 1, C3 in bit 0 ("110" is 6). */
struct scrip_classic_access {
    uint8_t group[4];
};

/** Bytes 6..8 of a trailer. @return SCRIP_OK; SCRIP_E_CORRUPT: the inverted copies do not match */
enum scrip_status scrip_classic_access_get(const uint8_t bytes[3], struct scrip_classic_access *access);
void scrip_classic_access_put(const struct scrip_classic_access *access, uint8_t bytes[3]);

/** A block that is about to be written. The card takes a trailer whose access bits are damaged, and its sector is
 *  blocked for ever; so whoever sends blocks asks here first.
 *  @return SCRIP_OK; SCRIP_E_CORRUPT: a trailer whose inverted copies do not match */
enum scrip_status scrip_classic_write_check(uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK]);

/** Rights. Each is asked for with the key that was used: false A, true B. */
enum scrip_classic_right {
    SCRIP_CLASSIC_MAY_READ,
    SCRIP_CLASSIC_MAY_WRITE,
    SCRIP_CLASSIC_MAY_INCREMENT,
    SCRIP_CLASSIC_MAY_DECREMENT,   /**< also transfer and restore */
    SCRIP_CLASSIC_MAY_WRITE_KEY_A, /**< this and the rest: of the trailer (group 3) */
    SCRIP_CLASSIC_MAY_READ_ACCESS,
    SCRIP_CLASSIC_MAY_WRITE_ACCESS,
    SCRIP_CLASSIC_MAY_READ_KEY_B,
    SCRIP_CLASSIC_MAY_WRITE_KEY_B,
    SCRIP_CLASSIC_RIGHTS
};

/** Does this condition give the right to this key? */
bool scrip_classic_may(uint8_t condition, enum scrip_classic_right right, bool key_b);

/** Is key B a key under this condition of the trailer? Where it can be read it is plain data. */
bool scrip_classic_key_b_usable(uint8_t trailer_condition);

/** A sector trailer. Wipe when done. */
struct scrip_classic_trailer {
    uint8_t key_a[SCRIP_CLASSIC_KEY];
    uint8_t access[3]; /**< as stored */
    uint8_t free_byte; /**< byte 9 */
    uint8_t key_b[SCRIP_CLASSIC_KEY];
};
void scrip_classic_trailer_get(const uint8_t block[SCRIP_CLASSIC_BLOCK], struct scrip_classic_trailer *trailer);
void scrip_classic_trailer_put(const struct scrip_classic_trailer *trailer, uint8_t block[SCRIP_CLASSIC_BLOCK]);

/** Where the parts of a trailer begin. */
#define SCRIP_CLASSIC_AT_KEY_A  0U
#define SCRIP_CLASSIC_AT_ACCESS 6U
#define SCRIP_CLASSIC_AT_FREE   9U
#define SCRIP_CLASSIC_AT_KEY_B  10U

/** The trailer as the factory delivers it: keys FF, access bits FF 07 80 (key A may do everything), byte 9 69. */
extern const uint8_t scrip_classic_trailer_new[SCRIP_CLASSIC_BLOCK];

/** A value block. @return SCRIP_OK; SCRIP_E_FORMAT: copies do not agree */
enum scrip_status scrip_classic_value_get(const uint8_t block[SCRIP_CLASSIC_BLOCK], int32_t *value, uint8_t *address);
void scrip_classic_value_put(int32_t value, uint8_t address, uint8_t block[SCRIP_CLASSIC_BLOCK]);

#endif
