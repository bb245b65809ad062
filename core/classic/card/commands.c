/* commands.c: what each command may and does. The checks come in the order in which the card makes them; the front has
 * seen to it that there is a session. */
#include "card.h"
#include <string.h>

static struct scrip_classic_card *card_of(struct scrip_picc *picc)
{
    return (struct scrip_classic_card *)picc;
}

static enum scrip_status only_if(bool allowed)
{
    return allowed ? SCRIP_OK : SCRIP_E_CARD;
}

/* ---- rights ---- */

/* In the authenticated sector, its access bits intact, and the key one that opens anything: where key B can be read it
 * is plain data. */
static bool reachable(const struct scrip_classic_card *card, uint8_t block)
{
    return block < memory_blocks(card->is_4k) && scrip_classic_sector(block) == card->front.sector && card->intact &&
           (!card->front.key_b || scrip_classic_key_b_usable(card->access.group[3]));
}

static bool may(const struct scrip_classic_card *card, uint8_t block, enum scrip_classic_right right)
{
    return scrip_classic_may(card->access.group[scrip_classic_group(block)], right, card->front.key_b);
}

static bool is_trailer(uint8_t block)
{
    return scrip_classic_group(block) == 3;
}

static enum scrip_status write_block(struct scrip_classic_card *card, uint8_t block,
                                     const uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    card->picc.busy_us = BUSY_WRITE_US;
    return memory_block_put(card->nv, block, data);
}

/* ---- READ ---- */

enum scrip_status check_read(struct scrip_picc *picc, uint8_t block)
{
    const struct scrip_classic_card *card = card_of(picc);
    return only_if(reachable(card, block) && (is_trailer(block) || may(card, block, SCRIP_CLASSIC_MAY_READ)));
}

enum scrip_status finish_read(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                              uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    const struct scrip_classic_card *card = card_of(picc);
    (void)operand;
    SCRIP_TRY(memory_block(card->nv, block, data));
    if (is_trailer(block)) {
        memset(data + SCRIP_CLASSIC_AT_KEY_A, 0, SCRIP_CLASSIC_KEY);
        if (!may(card, block, SCRIP_CLASSIC_MAY_READ_KEY_B)) {
            memset(data + SCRIP_CLASSIC_AT_KEY_B, 0, SCRIP_CLASSIC_KEY);
        }
    }
    return SCRIP_OK;
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

static bool may_part(const struct scrip_classic_card *card, uint8_t block, size_t part)
{
    return may(card, block, (enum scrip_classic_right)trailer_parts[part].right);
}

static bool may_write(const struct scrip_classic_card *card, uint8_t block)
{
    if (!is_trailer(block)) {
        return may(card, block, SCRIP_CLASSIC_MAY_WRITE);
    }
    return may_part(card, block, 0) || may_part(card, block, 1) || may_part(card, block, 2);
}

enum scrip_status check_write(struct scrip_picc *picc, uint8_t block)
{
    const struct scrip_classic_card *card = card_of(picc);
    return only_if(reachable(card, block) && block != 0 && may_write(card, block));
}

/* Only the parts change for which there is a right. New access bits count at once, new keys when they are next asked
 * for. Damaged ones are taken too, and block the sector for ever. */
static enum scrip_status write_trailer(struct scrip_classic_card *card, uint8_t block,
                                       const uint8_t wanted[SCRIP_CLASSIC_BLOCK])
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    SCRIP_TRY(memory_block(card->nv, block, data));
    for (size_t i = 0; i < TRAILER_PARTS; i++) {
        if (may_part(card, block, i)) {
            memcpy(data + trailer_parts[i].at, wanted + trailer_parts[i].at, trailer_parts[i].len);
        }
    }
    const enum scrip_status status = write_block(card, block, data);
    card->intact = scrip_classic_access_get(data + SCRIP_CLASSIC_AT_ACCESS, &card->access) == SCRIP_OK;
    scrip_wipe(data, sizeof data);
    return status;
}

enum scrip_status finish_write(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                               uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    (void)data;
    return is_trailer(block) ? write_trailer(card_of(picc), block, operand)
                             : write_block(card_of(picc), block, operand);
}

/* ---- values ---- */

static bool may_value(const struct scrip_classic_card *card, uint8_t block, enum scrip_classic_right right)
{
    return reachable(card, block) && block != 0 && !is_trailer(block) && may(card, block, right);
}

static enum scrip_status read_value(const struct scrip_classic_card *card, uint8_t block, int32_t *value,
                                    uint8_t *address)
{
    uint8_t data[SCRIP_CLASSIC_BLOCK];
    SCRIP_TRY(memory_block(card->nv, block, data));
    return only_if(scrip_classic_value_get(data, value, address) == SCRIP_OK);
}

/* The source of a value operation: a value block that the key may use. */
static enum scrip_status check_source(struct scrip_picc *picc, uint8_t block, enum scrip_classic_right right)
{
    int32_t value;
    uint8_t address;
    SCRIP_TRY(only_if(may_value(card_of(picc), block, right)));
    return read_value(card_of(picc), block, &value, &address);
}

enum scrip_status check_decrement(struct scrip_picc *picc, uint8_t block)
{
    return check_source(picc, block, SCRIP_CLASSIC_MAY_DECREMENT);
}

enum scrip_status check_increment(struct scrip_picc *picc, uint8_t block)
{
    return check_source(picc, block, SCRIP_CLASSIC_MAY_INCREMENT);
}

enum scrip_status check_restore(struct scrip_picc *picc, uint8_t block)
{
    return check_source(picc, block, SCRIP_CLASSIC_MAY_DECREMENT);
}

/* The transfer buffer takes what the block holds, plus `change`. */
static enum scrip_status fill_buffer(struct scrip_picc *picc, uint8_t block, int64_t change)
{
    struct scrip_classic_card *card = card_of(picc);
    int32_t value = 0;
    uint8_t address = 0;

    SCRIP_TRY(read_value(card, block, &value, &address));
    SCRIP_TRY(only_if(value + change <= INT32_MAX && value + change >= INT32_MIN));
    card->buffer = (int32_t)(value + change);
    card->buffer_address = address;
    card->front.buffer_valid = true;
    return SCRIP_OK;
}

enum scrip_status finish_decrement(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                   uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    const int64_t amount = scrip_get_le32s(operand);
    (void)data;
    SCRIP_TRY(only_if(amount >= 0));
    return fill_buffer(picc, block, -amount);
}

enum scrip_status finish_increment(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                   uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    const int64_t amount = scrip_get_le32s(operand);
    (void)data;
    SCRIP_TRY(only_if(amount >= 0));
    return fill_buffer(picc, block, amount);
}

enum scrip_status finish_restore(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                 uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    (void)operand; /* whatever it says */
    (void)data;
    return fill_buffer(picc, block, 0);
}

enum scrip_status check_transfer(struct scrip_picc *picc, uint8_t block)
{
    const struct scrip_classic_card *card = card_of(picc);
    return only_if(may_value(card, block, SCRIP_CLASSIC_MAY_DECREMENT) && card->front.buffer_valid);
}

enum scrip_status finish_transfer(struct scrip_picc *picc, uint8_t block, const uint8_t *operand,
                                  uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_classic_card *card = card_of(picc);
    (void)operand;
    scrip_classic_value_put(card->buffer, card->buffer_address, data);
    card->front.buffer_valid = false;
    return write_block(card, block, data);
}

/* ---- PersonalizeUIDUsage: the option stands where other commands have their block ---- */

#define UNKNOWN_OPTION_BITS 0x9FU

/* Once in a card's life, in sector 0, where there are seven bytes to hide. */
enum scrip_status check_personalize(struct scrip_picc *picc, uint8_t option)
{
    const struct scrip_classic_card *card = card_of(picc);
    struct scrip_classic_identity identity;
    uint8_t usage;
    bool decided;

    SCRIP_TRY(only_if(reachable(card, 0)));
    SCRIP_TRY(scrip_classic_card_identity(card->nv, &identity));
    SCRIP_TRY(memory_usage(card->nv, card->is_4k, &usage, &decided));
    return only_if(identity.uid_len == 7 && !decided && (option & UNKNOWN_OPTION_BITS) == 0);
}

enum scrip_status finish_personalize(struct scrip_picc *picc, uint8_t option, const uint8_t *operand,
                                     uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_classic_card *card = card_of(picc);
    (void)operand;
    (void)data;
    card->picc.busy_us = BUSY_WRITE_US;
    return memory_usage_put(card->nv, card->is_4k, option);
}
