/* card.h: what the parts of the card share. */
#ifndef SCRIP_CLASSIC_CARD_PRIVATE_H
#define SCRIP_CLASSIC_CARD_PRIVATE_H

#include "wire.h"
#include <scrip/classic_card.h>

/* The command set: `check` looks and changes nothing, `finish` does it. [mifare_front.h] */
#define CLASSIC_FRONT_COMMAND(opcode, id, name, operand_len, answer, timeout_ms, timeout2_ms)
#define CLASSIC_COMMAND(opcode, id, name, operand_len, answer, timeout_ms, timeout2_ms, handler)                       \
    enum scrip_status check_##handler(struct scrip_picc *picc, uint8_t block);                                         \
    enum scrip_status finish_##handler(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,                 \
                                       uint8_t data[SCRIP_CLASSIC_BLOCK]);
#include "commands.def"
#undef CLASSIC_COMMAND
#undef CLASSIC_FRONT_COMMAND

#define BUSY_US       300U
#define BUSY_WRITE_US 4000U

/* ---- memory.c ---- */

uint32_t memory_blocks(bool is_4k);
enum scrip_status memory_block(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK]);
enum scrip_status memory_block_put(const struct scrip_nv *nv, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK]);

/* How the UID is shown; as delivered if it was never decided, or the decision was torn. */
enum scrip_status memory_usage(const struct scrip_nv *nv, bool is_4k, uint8_t *usage, bool *decided);
enum scrip_status memory_usage_put(const struct scrip_nv *nv, bool is_4k, uint8_t usage);

#endif
