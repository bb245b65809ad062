/* card.c: a card and its field: who it says it is, and what the front asks it. */
#include "card.h"
#include <scrip/crc.h>
#include <string.h>

/* Four bytes out of seven: CRC_A over the first three, and on over the rest, both with the high byte first; the first
 * byte is marked as belonging to a number that is not unique. [AN10927] */
static void short_uid(const uint8_t uid[7], uint8_t nuid[4])
{
    const uint16_t head = scrip_crc16(SCRIP_CRC16_START, scrip_bytes(uid, 3));
    scrip_put_be16(nuid, head);
    scrip_put_be16(nuid + 2, scrip_crc16(head, scrip_bytes(uid + 3, 4)));
    nuid[0] = (nuid[0] | 0x0FU) & 0xEFU;
}

static enum scrip_status random_uid(const struct scrip_random *random, uint8_t uid[4])
{
    uint8_t number[3];
    SCRIP_TRY(random->fill(random->ctx, number, sizeof number));
    uid[0] = 0x08;
    memcpy(uid + 1, number, sizeof number);
    return SCRIP_OK;
}

/* What anticollision shows. */
static enum scrip_status show(struct scrip_classic_card *card, const struct scrip_classic_identity *identity)
{
    struct scrip_picc_a *a = &card->front.a;
    uint8_t usage;
    bool decided;

    SCRIP_TRY(memory_usage(card->nv, identity->is_4k, &usage, &decided));
    memcpy(a->uid, identity->uid, identity->uid_len);
    a->uid_len = identity->uid_len;
    if (identity->uid_len == 7 && (usage & SCRIP_CLASSIC_UIDF2) != 0) {
        a->uid_len = 4;
        if (usage == SCRIP_CLASSIC_UIDF3) {
            short_uid(identity->uid, a->uid);
        } else {
            SCRIP_TRY(random_uid(card->front.random, a->uid));
        }
    }
    a->atqa[0] = (uint8_t)((identity->is_4k ? 0x02U : 0x04U) | (a->uid_len == 7 ? 0x40U : 0x00U));
    a->atqa[1] = 0;
    a->sak = identity->is_4k ? 0x18 : 0x08;
    return SCRIP_OK;
}

static struct scrip_classic_card *card_of(struct scrip_picc *picc)
{
    return (struct scrip_classic_card *)picc;
}

static enum scrip_status start(struct scrip_classic_card *card)
{
    struct scrip_classic_identity identity;
    SCRIP_TRY(scrip_classic_card_identity(card->nv, &identity));
    card->is_4k = identity.is_4k;
    return show(card, &identity);
}

static enum scrip_status card_power(struct scrip_picc *picc, bool on)
{
    struct scrip_classic_card *card = card_of(picc);
    const enum scrip_status status = on ? start(card) : SCRIP_OK;
    scrip_mifare_front_power(&card->front, picc, on && status == SCRIP_OK);
    return status;
}

static enum scrip_status card_frame(struct scrip_picc *picc, const struct scrip_frame *in, struct scrip_frame *out)
{
    struct scrip_classic_card *card = card_of(picc);
    const bool selected = card->front.a.state == SCRIP_PICC_ACTIVE;
    const enum scrip_status status = scrip_mifare_front_frame(&card->front, picc, in, out);
    if (selected && picc->busy_us == 0) {
        picc->busy_us = BUSY_US;
    }
    return status;
}

/* ---- what the front asks ---- */

/* The sector's access bits are taken along for what comes in the session. */
static enum scrip_status card_key(struct scrip_picc *picc, uint8_t block, bool key_b, uint8_t key[6])
{
    struct scrip_classic_card *card = card_of(picc);
    const uint8_t trailer = scrip_classic_trailer(scrip_classic_sector(block));
    uint8_t data[SCRIP_CLASSIC_BLOCK];

    if (block >= memory_blocks(card->is_4k)) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(memory_block(card->nv, trailer, data));
    memcpy(key, data + (key_b ? SCRIP_CLASSIC_AT_KEY_B : SCRIP_CLASSIC_AT_KEY_A), SCRIP_CLASSIC_KEY);
    card->intact = scrip_classic_access_get(data + SCRIP_CLASSIC_AT_ACCESS, &card->access) == SCRIP_OK;
    scrip_wipe(data, sizeof data);
    return SCRIP_OK;
}

static const struct scrip_mifare_handler handlers[] = {
#define CLASSIC_FRONT_COMMAND(opcode, id, name, operand_len, answer, timeout_ms, timeout2_ms)
#define CLASSIC_COMMAND(opcode, id, name, operand_len, answer, timeout_ms, timeout2_ms, handler)                       \
    {(opcode), check_##handler, finish_##handler},
#include "commands.def"
#undef CLASSIC_COMMAND
#undef CLASSIC_FRONT_COMMAND
};

static const struct scrip_mifare_front_ops front_ops = {
    .handlers = handlers,
    .count = sizeof handlers / sizeof handlers[0],
    .key = card_key,
};

void scrip_classic_card_init(struct scrip_classic_card *card, const struct scrip_classic_host *host,
                             const struct scrip_classic_options *options)
{
    static const struct scrip_picc_ops picc_ops = {.power = card_power, .frame = card_frame};
    *card = (struct scrip_classic_card){.picc = {.ops = &picc_ops}, .front = {.ops = &front_ops}, .nv = host->nv};
    card->front.random = host->random;
    card->front.genuine = options != NULL && options->profile == SCRIP_CLASSIC_GENUINE;
}
