/* info.c: what a card says about itself. */
#include "card.h"
#include <string.h>

/* Hardware and software frames of GetVersion: vendor, type, subtype, major, minor, storage, protocol. */
static const struct product {
    uint8_t hardware[7];
    uint8_t software[7];
} products[] = {
    [SCRIP_DESFIRE_EV1] = {{0x04, 0x01, 0x01, 0x01, 0x00, 0, 0x05}, {0x04, 0x01, 0x01, 0x01, 0x04, 0, 0x05}},
    [SCRIP_DESFIRE_EV2] = {{0x04, 0x01, 0x01, 0x12, 0x00, 0, 0x05}, {0x04, 0x01, 0x01, 0x02, 0x01, 0, 0x05}},
    [SCRIP_DESFIRE_EV3] = {{0x04, 0x01, 0x01, 0x33, 0x00, 0, 0x05}, {0x04, 0x01, 0x01, 0x03, 0x00, 0, 0x05}},
    [SCRIP_DESFIRE_LIGHT] = {{0x04, 0x08, 0x01, 0x30, 0x00, 0, 0x05}, {0x04, 0x08, 0x01, 0x30, 0x00, 0, 0x05}},
};

#define STORAGE_AT   5U
#define STORAGE_16K  0x1CU
#define EV2_XL_MAJOR 0x22U

static void add_version_frame(const struct scrip_desfire_identity *identity, const uint8_t frame[7], bool hardware,
                              struct scrip_buf *out)
{
    uint8_t bytes[7];
    memcpy(bytes, frame, sizeof bytes);
    bytes[STORAGE_AT] = identity->storage;
    if (identity->generation == SCRIP_DESFIRE_EV2 && identity->storage >= STORAGE_16K) {
        bytes[hardware ? 3 : 4] = hardware ? EV2_XL_MAJOR : 0x02;
    }
    (void)scrip_buf_add(out, bytes, sizeof bytes);
}

uint8_t desfire_get_version(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    const struct scrip_desfire_identity *identity = &card->identity;
    const struct product *product = &products[identity->generation];
    struct scrip_buf *out = &reply->data;

    add_version_frame(identity, product->hardware, true, out);
    add_version_frame(identity, product->software, false, out);
    if (config_random_id(card) && !cmd->in_session) {
        (void)scrip_buf_fill(out, 0, sizeof identity->uid);
    } else {
        (void)scrip_buf_add(out, identity->uid, sizeof identity->uid);
    }
    (void)scrip_buf_add(out, identity->batch, sizeof identity->batch);
    (void)scrip_buf_add_u8(out, identity->week);
    (void)scrip_buf_add_u8(out, identity->year);
    return DF_OK;
}

uint8_t desfire_get_card_uid(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)cmd;
    if (card->session.sm == SCRIP_DESFIRE_SM_D40) {
        return DF_PERMISSION_DENIED;
    }
    (void)scrip_buf_add(&reply->data, card->identity.uid, sizeof card->identity.uid);
    return DF_OK;
}

uint8_t desfire_get_free_memory(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    (void)cmd;
    (void)scrip_buf_add_le(&reply->data, blocks_free(card) * 32, 3);
    return DF_OK;
}

uint8_t desfire_read_sig(struct scrip_desfire_card *card, struct command *cmd, struct reply *reply)
{
    if (cmd->header[0] != 0) {
        return DF_PARAMETER_ERROR;
    }
    (void)scrip_buf_add(&reply->data, card->identity.signature, sizeof card->identity.signature);
    return DF_OK;
}
