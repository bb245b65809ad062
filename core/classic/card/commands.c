/* commands.c: what each command may and does. The checks come in the order in which the card makes them. */
#include "card.h"
#include <string.h>

/* ---- rights ---- */

/* In the authenticated sector, its access bits intact, and the key one that opens anything. */
static bool reachable(const struct scrip_classic_card *card, uint8_t block)
{
    return scrip_classic_sector(block) == card->sector && block < memory_blocks(card->is_4k) && card->intact &&
           (!card->key_b || scrip_classic_key_b_usable(card->access.group[3]));
}

static bool may(const struct scrip_classic_card *card, uint8_t block, enum scrip_classic_right right)
{
    return scrip_classic_may(card->access.group[scrip_classic_group(block)], right, card->key_b);
}

static bool is_trailer(uint8_t block)
{
    return scrip_classic_group(block) == 3;
}

static enum verdict read_block(const struct scrip_classic_card *card, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    return memory_block(card->host.nv, block, data) == SCRIP_OK ? YES : LOST;
}

static enum verdict write_block(struct scrip_classic_card *card, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    card->picc.busy_us = BUSY_WRITE_US;
    return memory_block_put(card->host.nv, block, data) == SCRIP_OK ? YES : LOST;
}

/* ---- READ ---- */

enum verdict check_read(struct scrip_classic_card *card, const struct command *command)
{
    const uint8_t block = command->block;
    return reachable(card, block) && (is_trailer(block) || may(card, block, SCRIP_CLASSIC_MAY_READ)) ? YES : NO;
}

enum verdict finish_read(struct scrip_classic_card *card, const struct command *command)
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    const uint8_t block = command->block;

    if (read_block(card, block, data) != YES) {
        return LOST;
    }
    if (is_trailer(block)) {
        memset(data + SCRIP_CLASSIC_AT_KEY_A, 0, SCRIP_CLASSIC_KEY);
        if (!may(card, block, SCRIP_CLASSIC_MAY_READ_KEY_B)) {
            memset(data + SCRIP_CLASSIC_AT_KEY_B, 0, SCRIP_CLASSIC_KEY);
        }
    }
    (void)scrip_frame_bytes_crc(command->out, SCRIP_BYTES_OF(data));
    return YES;
}

/* ---- WRITE ---- */

/* The parts of a trailer, and the right that each takes. */
static const struct {
    uint8_t at;
    uint8_t len;
    uint8_t right;
} trailer_parts[] = {
    {SCRIP_CLASSIC_AT_KEY_A, SCRIP_CLASSIC_KEY, SCRIP_CLASSIC_MAY_WRITE_KEY_A},
    {SCRIP_CLASSIC_AT_ACCESS, SCRIP_CLASSIC_AT_KEY_B - SCRIP_CLASSIC_AT_ACCESS, SCRIP_CLASSIC_MAY_WRITE_ACCESS},
    {SCRIP_CLASSIC_AT_KEY_B, SCRIP_CLASSIC_KEY, SCRIP_CLASSIC_MAY_WRITE_KEY_B},
};

#define TRAILER_PARTS (sizeof trailer_parts / sizeof trailer_parts[0])

static bool may_write_trailer(const struct scrip_classic_card *card, uint8_t block)
{
    for (size_t i = 0; i < TRAILER_PARTS; i++) {
        if (may(card, block, (enum scrip_classic_right)trailer_parts[i].right)) {
            return true;
        }
    }
    return false;
}

enum verdict check_write(struct scrip_classic_card *card, const struct command *command)
{
    const uint8_t block = command->block;
    if (!reachable(card, block) || block == 0) {
        return NO;
    }
    return (is_trailer(block) ? may_write_trailer(card, block) : may(card, block, SCRIP_CLASSIC_MAY_WRITE)) ? YES : NO;
}

/* Only the parts change for which there is a right. New access bits count at once, new keys when they are next asked
 * for. Damaged ones are taken too, and block the sector for ever. */
static enum verdict write_trailer(struct scrip_classic_card *card, uint8_t block,
                                  const uint8_t wanted[SCRIP_CLASSIC_BLOCK])
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    enum verdict verdict = read_block(card, block, data);

    if (verdict == YES) {
        for (size_t i = 0; i < TRAILER_PARTS; i++) {
            if (may(card, block, (enum scrip_classic_right)trailer_parts[i].right)) {
                memcpy(data + trailer_parts[i].at, wanted + trailer_parts[i].at, trailer_parts[i].len);
            }
        }
        verdict = write_block(card, block, data);
        card->intact = scrip_classic_access_get(data + SCRIP_CLASSIC_AT_ACCESS, &card->access) == SCRIP_OK;
    }
    scrip_wipe(data, sizeof data);
    return verdict;
}

enum verdict finish_write(struct scrip_classic_card *card, const struct command *command)
{
    return is_trailer(command->block) ? write_trailer(card, command->block, command->operand)
                                      : write_block(card, command->block, command->operand);
}

/* ---- values ---- */

static bool may_value(const struct scrip_classic_card *card, uint8_t block, enum scrip_classic_right right)
{
    return reachable(card, block) && block != 0 && !is_trailer(block) && may(card, block, right);
}

/* The source of a value operation: a value block that the key may use. */
static enum verdict source(const struct scrip_classic_card *card, uint8_t block, enum scrip_classic_right right)
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    int32_t value;
    uint8_t address;

    if (!may_value(card, block, right)) {
        return NO;
    }
    if (read_block(card, block, data) != YES) {
        return LOST;
    }
    return scrip_classic_value_get(data, &value, &address) == SCRIP_OK ? YES : NO;
}

/* The transfer buffer takes what the block holds, plus `change`. Until then it holds nothing: a refusal says so. */
static enum verdict fill_buffer(struct scrip_classic_card *card, uint8_t block, int64_t change)
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    int32_t value = 0;

    card->buffer_valid = false;
    if (read_block(card, block, data) != YES) {
        return LOST;
    }
    if (scrip_classic_value_get(data, &value, &card->buffer_address) != SCRIP_OK || value + change > INT32_MAX ||
        value + change < INT32_MIN) {
        return NO;
    }
    card->buffer = (int32_t)(value + change);
    card->buffer_valid = true;
    return YES;
}

enum verdict check_decrement(struct scrip_classic_card *card, const struct command *command)
{
    return source(card, command->block, SCRIP_CLASSIC_MAY_DECREMENT);
}

enum verdict check_increment(struct scrip_classic_card *card, const struct command *command)
{
    return source(card, command->block, SCRIP_CLASSIC_MAY_INCREMENT);
}

enum verdict check_restore(struct scrip_classic_card *card, const struct command *command)
{
    return source(card, command->block, SCRIP_CLASSIC_MAY_DECREMENT);
}

static enum verdict change_value(struct scrip_classic_card *card, const struct command *command, int64_t sign)
{
    const int64_t amount = scrip_get_le32s(command->operand);
    if (amount < 0) {
        card->buffer_valid = false;
        return NO;
    }
    return fill_buffer(card, command->block, sign * amount);
}

enum verdict finish_decrement(struct scrip_classic_card *card, const struct command *command)
{
    return change_value(card, command, -1);
}

enum verdict finish_increment(struct scrip_classic_card *card, const struct command *command)
{
    return change_value(card, command, 1);
}

enum verdict finish_restore(struct scrip_classic_card *card, const struct command *command)
{
    return fill_buffer(card, command->block, 0); /* whatever the operand says */
}

enum verdict check_transfer(struct scrip_classic_card *card, const struct command *command)
{
    return may_value(card, command->block, SCRIP_CLASSIC_MAY_DECREMENT) && card->buffer_valid ? YES : NO;
}

enum verdict finish_transfer(struct scrip_classic_card *card, const struct command *command)
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    scrip_classic_value_put(card->buffer, card->buffer_address, data);
    card->buffer_valid = false;
    return write_block(card, command->block, data);
}

/* ---- the card ---- */

enum verdict check_halt(struct scrip_classic_card *card, const struct command *command)
{
    (void)card;
    return command->block == 0 ? YES : NO;
}

enum verdict finish_halt(struct scrip_classic_card *card, const struct command *command)
{
    (void)command;
    card_forget(card);
    scrip_picc_a_halt(&card->a);
    return YES;
}

/* Once in a card's life, in sector 0, where there are seven bytes to hide. */
enum verdict check_personalize(struct scrip_classic_card *card, const struct command *command)
{
    struct scrip_classic_identity identity;
    uint8_t usage;
    bool decided;

    if (!reachable(card, 0)) {
        return NO;
    }
    if (scrip_classic_card_identity(card->host.nv, &identity) != SCRIP_OK ||
        memory_usage(card->host.nv, card->is_4k, &usage, &decided) != SCRIP_OK) {
        return LOST;
    }
    return identity.uid_len == 7 && !decided && (command->block & 0x9FU) == 0 ? YES : NO;
}

enum verdict finish_personalize(struct scrip_classic_card *card, const struct command *command)
{
    card->picc.busy_us = BUSY_WRITE_US;
    return memory_usage_put(card->host.nv, card->is_4k, command->block) == SCRIP_OK ? YES : LOST;
}
