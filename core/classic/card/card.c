/* card.c: a card and its field: who it says it is. */
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

static enum scrip_status random_uid(const struct scrip_classic_card *card, uint8_t uid[4])
{
    uint8_t number[3];
    const struct scrip_random *random = card->host.random;
    SCRIP_TRY(random->fill(random->ctx, number, sizeof number));
    uid[0] = 0x08;
    memcpy(uid + 1, number, sizeof number);
    return SCRIP_OK;
}

/* What anticollision shows. */
static enum scrip_status show(struct scrip_classic_card *card, const struct scrip_classic_identity *identity)
{
    struct scrip_picc_a *a = &card->a;
    uint8_t usage;
    bool decided;

    SCRIP_TRY(memory_usage(card->host.nv, identity->is_4k, &usage, &decided));
    memcpy(a->uid, identity->uid, identity->uid_len);
    a->uid_len = identity->uid_len;
    if (identity->uid_len == 7 && (usage & SCRIP_CLASSIC_UIDF2) != 0) {
        a->uid_len = 4;
        if (usage == SCRIP_CLASSIC_UIDF3) {
            short_uid(identity->uid, a->uid);
        } else {
            SCRIP_TRY(random_uid(card, a->uid));
        }
    }
    a->atqa[0] = (uint8_t)((identity->is_4k ? 0x02U : 0x04U) | (a->uid_len == 7 ? 0x40U : 0x00U));
    a->atqa[1] = 0;
    a->sak = identity->is_4k ? 0x18 : 0x08;
    return SCRIP_OK;
}

static enum scrip_status card_power(struct scrip_picc *picc, bool on)
{
    struct scrip_classic_card *card = (struct scrip_classic_card *)picc;
    struct scrip_classic_identity identity;

    card_forget(card);
    scrip_picc_a_off(&card->a);
    if (!on) {
        return SCRIP_OK;
    }
    SCRIP_TRY(scrip_classic_card_identity(card->host.nv, &identity));
    SCRIP_TRY(show(card, &identity));
    card->is_4k = identity.is_4k;
    card->power_fc = picc->now_fc;
    scrip_picc_a_on(&card->a);
    return SCRIP_OK;
}

void scrip_classic_card_init(struct scrip_classic_card *card, const struct scrip_classic_host *host,
                             const struct scrip_classic_options *options)
{
    static const struct scrip_picc_ops ops = {.power = card_power, .frame = card_frame};
    memset(card, 0, sizeof *card);
    card->picc.ops = &ops;
    card->host = *host;
    if (options != NULL) {
        card->options = *options;
    }
    scrip_picc_a_off(&card->a);
}
