/* config.c: SetConfiguration. */
#include "card.h"
#include <string.h>

#define PDCAP_LRP 0x02U

size_t config_frame_max(struct scrip_desfire_card *card)
{
    static const uint16_t fsc[] = {16, 24, 32, 40, 48, 64, 96, 128, 256};
    uint8_t ats[32];
    const size_t len = scrip_desfire_card_ats(card, ats);
    const uint8_t fsci = len > 1 ? ats[1] & 0xFU : 2;

    return (fsci < sizeof fsc / sizeof fsc[0] ? fsc[fsci] : 256U) - 5U; /* PCB, CID, CRC, status */
}

bool config_lrp(struct scrip_desfire_card *card)
{
    struct picc_page picc;
    picc_load(card, &picc);
    return (picc.pdcap2[0] & PDCAP_LRP) != 0;
}

bool config_no_chained_writing(struct scrip_desfire_card *card)
{
    struct picc_page picc;
    picc_load(card, &picc);
    return (picc.sm_disabled & 4U) != 0;
}

bool config_random_id(struct scrip_desfire_card *card)
{
    struct picc_page picc;
    picc_load(card, &picc);
    return (picc.flags & CONFIG_RANDOM_ID) != 0;
}

/* What the options do. `is` is the card's page as it will be. */
static uint8_t set_flags(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    const uint8_t irreversible = is->flags & (CONFIG_NO_FORMAT | CONFIG_RANDOM_ID);
    (void)card;
    if (cmd->data.at[0] > 0x0F || (irreversible & ~cmd->data.at[0]) != 0) {
        return DF_PARAMETER_ERROR;
    }
    is->flags = cmd->data.at[0];
    return DF_OK;
}

static uint8_t set_default_key(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    (void)card;
    memcpy(is->default_key, cmd->data.at, sizeof is->default_key);
    is->has_default_key = 1;
    return DF_OK;
}

/* Largest FSCI: EV1 64 bytes, EV2 128, EV3 256. */
static uint8_t fsci_max(uint8_t generation)
{
    return generation == SCRIP_DESFIRE_EV1 ? 5 : generation == SCRIP_DESFIRE_EV3 ? 8 : 7;
}

static uint8_t set_ats(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    struct picc_text_page text;
    const struct scrip_bytes ats = cmd->data;
    (void)is;

    if (ats.len < 2 || ats.len > sizeof text.ats || ats.at[0] != ats.len ||
        (ats.at[1] & 0xFU) > fsci_max(card->identity.generation)) {
        return DF_PARAMETER_ERROR;
    }
    picc_text_load(card, &text);
    text.ats_len = (uint8_t)ats.len;
    memcpy(text.ats, ats.at, ats.len);
    picc_text_store(card, &text);
    return DF_OK;
}

static uint8_t set_sak(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    (void)card;
    memcpy(is->sak, cmd->data.at, 2);
    is->has_sak = 1;
    return DF_OK;
}

static uint8_t set_messaging(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    (void)card;
    if (cmd->data.at[0] > 7) {
        return DF_PARAMETER_ERROR;
    }
    is->sm_disabled = cmd->data.at[0];
    return DF_OK;
}

/* Ten bytes of capabilities: byte 4 is PDCap2.1, bytes 8 and 9 are PDCap2.5 and 2.6. LRP stays on once it is. */
static uint8_t set_capabilities(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    const bool was_lrp = (is->pdcap2[0] & PDCAP_LRP) != 0;
    const bool lrp = (cmd->data.at[4] & PDCAP_LRP) != 0;

    if (card->identity.generation < SCRIP_DESFIRE_EV3 || (was_lrp && !lrp)) {
        return DF_PARAMETER_ERROR;
    }
    is->pdcap2[0] = cmd->data.at[4];
    is->pdcap2[4] = cmd->data.at[8];
    is->pdcap2[5] = cmd->data.at[9];
    cmd->protection.no_mac_back = lrp && !was_lrp; /* the session ends with its messaging */
    return DF_OK;
}

static uint8_t set_name(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    struct picc_text_page text;
    (void)is;

    picc_text_load(card, &text);
    text.name_len = (uint8_t)cmd->data.len;
    memcpy(text.name, cmd->data.at, cmd->data.len);
    picc_text_store(card, &text);
    return DF_OK;
}

static uint8_t set_fail_counter(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    (void)card;
    if (cmd->data.at[0] > 1 || scrip_get_le16(cmd->data.at + 1) == 0) {
        return DF_PARAMETER_ERROR;
    }
    is->fail_counting = cmd->data.at[0];
    memcpy(is->fail_limit, cmd->data.at + 1, 2);
    memcpy(is->fail_decrement, cmd->data.at + 3, 2);
    return DF_OK;
}

static uint8_t set_back_modulation(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is)
{
    (void)card;
    is->back_modulation = cmd->data.at[0];
    return DF_OK;
}

enum {
    EV1 = 1U << SCRIP_DESFIRE_EV1,
    EV2 = 1U << SCRIP_DESFIRE_EV2,
    EV3 = 1U << SCRIP_DESFIRE_EV3,
    LIGHT = 1U << SCRIP_DESFIRE_LIGHT
};

static const struct config_option {
    uint8_t number;
    uint8_t generations;
    uint8_t len_min, len_max;
    bool once; /* a second time it is refused */
    uint8_t (*set)(struct scrip_desfire_card *card, struct command *cmd, struct picc_page *is);
} config_options[] = {
    {0x00, EV1 | EV2 | EV3 | LIGHT, 1, 1, false, set_flags},
    {0x01, EV1 | EV2 | EV3, 25, 25, false, set_default_key},
    {CONFIG_ATS, EV1 | EV2 | EV3 | LIGHT, 2, 20, false, set_ats},
    {0x03, EV2 | EV3 | LIGHT, 2, 2, false, set_sak},
    {0x04, EV2 | EV3 | LIGHT, 2, 2, false, set_messaging},
    {0x05, EV2 | EV3 | LIGHT, 10, 10, false, set_capabilities},
    {0x06, EV2 | EV3, 1, NAME_MAX, false, set_name},
    {0x06, LIGHT, 1, NAME_MAX, true, light_rename_application},
    {0x08, LIGHT, LIGHT_RENAME_LEN, LIGHT_RENAMES *LIGHT_RENAME_LEN, true, light_rename_files},
    {0x09, LIGHT, 14, 14, true, light_set_value_file},
    {0x0A, EV2 | EV3 | LIGHT, 5, 5, false, set_fail_counter},
    {0x0B, EV2 | EV3 | LIGHT, 1, 1, false, set_back_modulation},
};

static const struct config_option *option_of(const struct scrip_desfire_card *card, uint8_t number)
{
    for (size_t i = 0; i < sizeof config_options / sizeof config_options[0]; i++) {
        if (config_options[i].number == number && (config_options[i].generations >> card->identity.generation & 1U)) {
            return &config_options[i];
        }
    }
    return NULL;
}

uint8_t desfire_set_configuration(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct config_option *option = option_of(card, cmd->header[0]);
    struct picc_page picc;

    if (option == NULL) {
        return DF_PARAMETER_ERROR;
    }
    if (cmd->data.len < option->len_min || cmd->data.len > option->len_max) {
        return DF_LENGTH_ERROR;
    }
    if (!access_has_key(card, 0)) {
        return DF_AUTHENTICATION_ERROR;
    }
    picc_load(card, &picc);
    const uint16_t bit = (uint16_t)(option->once ? 1U << option->number : 0U);
    const uint16_t taken = scrip_get_le16(picc.once);
    if ((taken & bit) != 0) {
        return DF_PERMISSION_DENIED;
    }
    scrip_put_le16(picc.once, taken | bit);
    const uint8_t status = option->set(card, cmd, &picc);
    if (status == DF_OK) {
        picc_store(card, &picc);
        reply->ends_session = cmd->protection.no_mac_back;
    }
    return status;
}
