/* proximity.c: the proximity check. The reader measures how soon the card answers; the MACs at the end prove that it
 * was this card which answered. An emulator gives the messages, not the timing. */
#include "card.h"
#include <string.h>

#define OPTION     0x00U
#define RANDOM_LEN 8U

static const uint8_t response_time[2] = {0x01, 0xF4}; /* in the unit of the data sheet, most significant byte first */

uint8_t desfire_prepare_pc(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct scrip_desfire_proximity *proximity = &card->proximity;
    const struct scrip_random *random = card->host.random;
    (void)cmd;

    *proximity = (struct scrip_desfire_proximity){.stage = 1};
    if (random->fill(random->ctx, proximity->rndr, RANDOM_LEN) != SCRIP_OK) {
        card->no_random = true;
        return DF_PERMISSION_DENIED;
    }
    (void)scrip_buf_add_u8(&reply->data, OPTION);
    (void)scrip_buf_add(&reply->data, response_time, sizeof response_time);
    return DF_OK;
}

/* n RndC_part[n] -> RndR_part[n] */
uint8_t desfire_proximity_check(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    struct scrip_desfire_proximity *proximity = &card->proximity;
    const size_t n = cmd->data.at[0];

    if (n == 0 || cmd->data.len != 1 + n) {
        return DF_LENGTH_ERROR;
    }
    if (proximity->stage != 1 || n > RANDOM_LEN - (size_t)proximity->len) {
        return DF_PERMISSION_DENIED;
    }
    const uint8_t *part = proximity->rndr + proximity->len;
    uint8_t *log = proximity->log + 2U * proximity->len;
    memcpy(log, part, n);
    memcpy(log + n, cmd->data.at + 1, n);
    (void)scrip_buf_add(&reply->data, part, n);
    proximity->len = (uint8_t)(proximity->len + n);
    proximity->stage = proximity->len == RANDOM_LEN ? 2 : 1;
    return DF_OK;
}

static void proximity_mac(const struct scrip_cmac_key *key, uint8_t first,
                          const struct scrip_desfire_proximity *proximity, uint8_t mac[8])
{
    const uint8_t head[] = {first, OPTION, response_time[0], response_time[1]};
    struct scrip_cmac cmac;
    uint8_t full[16];

    scrip_cmac_start(&cmac, key, NULL);
    scrip_cmac_add(&cmac, SCRIP_BYTES_OF(head));
    scrip_cmac_add(&cmac, SCRIP_BYTES_OF(proximity->log));
    scrip_cmac_final(&cmac, full);
    scrip_mact(full, mac);
}

uint8_t desfire_verify_pc(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct scrip_desfire_proximity proximity = card->proximity;
    struct key_slot slot;
    struct scrip_cmac_key key;
    uint8_t mac[8];

    card->proximity.stage = 0;
    if (proximity.stage != 2) {
        return DF_PERMISSION_DENIED;
    }
    key_load(card, NULL, 0, PICC_KEY_PROXIMITY, &slot);
    scrip_cmac_key_init(&key, SCRIP_AES128, slot.bytes);
    proximity_mac(&key, cmd->code, &proximity, mac);
    const bool right = scrip_equal_ct(mac, cmd->data.at, sizeof mac);
    proximity_mac(&key, DF_OK_90, &proximity, mac);
    scrip_cmac_key_wipe(&key);
    scrip_wipe(&slot, sizeof slot);
    if (!right) {
        return DF_INTEGRITY_ERROR;
    }
    (void)scrip_buf_add(&reply->data, mac, sizeof mac);
    return DF_OK;
}
