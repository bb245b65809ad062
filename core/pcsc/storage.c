/* Storage cards: who they are, keys, blocks. */
#include "command.h"
#include <scrip/classic.h>
#include <scrip/mifare.h>
#include <string.h>

/* ---- Get Data ---------------------------------------------------------------------------------------------------- */

enum scrip_status pcsc_get_uid(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const struct scrip_bytes uid = scrip_bytes(pcsc->target.uid, pcsc->target.uid_len);
    return uid.len != 0 ? pcsc_data(answer, cmd->le, uid) : refuse(answer, SCRIP_PCSC_NO_FUNCTION);
}

enum scrip_status pcsc_get_ats(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const struct scrip_bytes ats = scrip_bytes(pcsc->target.ats, pcsc->target.ats_len);
    const bool part_4 = (pcsc->target.sak & SCRIP_SAK_PART_4) != 0;
    return part_4 && ats.len != 0 ? pcsc_data(answer, cmd->le, ats) : refuse(answer, SCRIP_PCSC_NO_FUNCTION);
}

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

/* P1: a card key, in the clear, into volatile memory. */
static uint16_t key_place(uint8_t p1)
{
    static const struct {
        uint8_t bit;
        uint16_t sw;
    } refusals[] = {{0x80, SW_READER_KEY}, {0x40, SW_SECURED}, {0x20, SW_NOT_VOLATILE}, {0x1F, SCRIP_PCSC_NO_FUNCTION}};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if ((p1 & refusals[i].bit) != 0) {
            return refusals[i].sw;
        }
    }
    return SCRIP_PCSC_OK;
}

enum scrip_status pcsc_load_key(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const uint16_t place = key_place(cmd->p1);
    if (place != SCRIP_PCSC_OK) {
        return refuse(answer, place);
    }
    if (cmd->p2 >= SCRIP_PCSC_SLOTS) {
        return refuse(answer, SW_SLOT);
    }
    if (cmd->data.len != sizeof pcsc->keys[0]) {
        return refuse(answer, SW_KEY_LENGTH);
    }
    memcpy(pcsc->keys[cmd->p2], cmd->data.at, sizeof pcsc->keys[0]);
    pcsc->key_set |= (uint8_t)(1U << cmd->p2);
    return SCRIP_OK;
}

/* ---- Authentication ---------------------------------------------------------------------------------------------- */

static uint16_t authentication_refusal(const struct scrip_pcsc *pcsc, uint8_t high, uint8_t block, uint8_t type,
                                       uint8_t slot)
{
    if (high != 0 || block >= pcsc_blocks(&pcsc->target)) {
        return SW_NO_SUCH_BLOCK;
    }
    if (type != SCRIP_MIFARE_AUTH_A && type != SCRIP_MIFARE_AUTH_B) {
        return SW_KEY_TYPE;
    }
    if (slot >= SCRIP_PCSC_SLOTS) {
        return SW_SLOT;
    }
    return (pcsc->key_set >> slot & 1U) != 0 ? SCRIP_PCSC_OK : SCRIP_PCSC_NO_KEY;
}

static enum scrip_status authenticate(struct scrip_pcsc *pcsc, struct answer *answer, uint8_t high,
                                      const uint8_t block_type_slot[3])
{
    const uint8_t block = block_type_slot[0];
    const uint8_t type = block_type_slot[1];
    const uint8_t slot = block_type_slot[2];
    const uint16_t refusal = authentication_refusal(pcsc, high, block, type, slot);
    uint8_t command[12] = {type, block};
    if (refusal != SCRIP_PCSC_OK) {
        return refuse(answer, refusal);
    }
    SCRIP_TRY(pcsc_select(pcsc)); /* which may give it another random UID */
    memcpy(command + 2, pcsc->keys[slot], sizeof pcsc->keys[0]);
    memcpy(command + 8, pcsc->target.uid + pcsc->target.uid_len - 4, 4); /* of a long UID, the end */
    pcsc->authenticated = false;
    const enum scrip_status status = pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), answer->out);
    scrip_wipe(command, sizeof command);
    SCRIP_TRY(status);
    pcsc->authenticated = true;
    pcsc->sector = scrip_classic_sector(block);
    return SCRIP_OK;
}

enum scrip_status pcsc_authenticate(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    return cmd->data.at[0] == 0x01 ? authenticate(pcsc, answer, cmd->data.at[1], cmd->data.at + 2)
                                   : refuse(answer, SCRIP_PCSC_NO_FUNCTION); /* another version of this command */
}

enum scrip_status pcsc_authenticate_old(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const uint8_t block_type_slot[] = {cmd->p2, cmd->data.at[0], cmd->data.at[1]};
    return authenticate(pcsc, answer, cmd->p1, block_type_slot);
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

enum scrip_status pcsc_block(struct scrip_pcsc *pcsc, struct answer *answer, uint8_t high, uint8_t block)
{
    if (high != 0 || block >= pcsc_blocks(&pcsc->target)) {
        return refuse(answer, SCRIP_PCSC_NO_BLOCK);
    }
    if (!pcsc->authenticated || pcsc->sector != scrip_classic_sector(block)) {
        return refuse(answer, SCRIP_PCSC_SECURITY);
    }
    return SCRIP_OK;
}

/* Blocks that can be taken from this one on in one command: data blocks up to the trailer, or the trailer alone. */
static size_t run_blocks(uint8_t block)
{
    const uint8_t trailer = scrip_classic_trailer(scrip_classic_sector(block));
    return block == trailer ? 1U : (size_t)trailer - block;
}

enum scrip_status pcsc_read_binary(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    SCRIP_TRY(pcsc_block(pcsc, answer, cmd->p1, cmd->p2));
    const size_t wanted = cmd->le != 0 ? cmd->le : SCRIP_CLASSIC_BLOCK;
    const size_t blocks = wanted / SCRIP_CLASSIC_BLOCK;
    if (wanted % SCRIP_CLASSIC_BLOCK != 0) {
        const size_t right = blocks == 0 ? SCRIP_CLASSIC_BLOCK : blocks * SCRIP_CLASSIC_BLOCK;
        return refuse(answer, (uint16_t)(SW_WRONG_LE | (right & 0xFF)));
    }
    for (size_t i = 0; i < blocks && i < run_blocks(cmd->p2); i++) {
        const uint8_t command[] = {SCRIP_MIFARE_READ, (uint8_t)(cmd->p2 + i)};
        SCRIP_TRY(pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), answer->out));
    }
    answer->sw = blocks > run_blocks(cmd->p2) ? SW_END_REACHED : SCRIP_PCSC_OK;
    return SCRIP_OK;
}

static enum scrip_status write_block(struct scrip_pcsc *pcsc, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK],
                                     struct scrip_buf *out)
{
    uint8_t command[2 + SCRIP_CLASSIC_BLOCK] = {SCRIP_MIFARE_WRITE, block};
    memcpy(command + 2, data, SCRIP_CLASSIC_BLOCK);
    const enum scrip_status status = pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), out);
    scrip_wipe(command, sizeof command); /* a trailer holds keys */
    return status;
}

enum scrip_status pcsc_update_binary(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const size_t blocks = cmd->data.len / SCRIP_CLASSIC_BLOCK;
    if (cmd->data.len % SCRIP_CLASSIC_BLOCK != 0) {
        return refuse(answer, SCRIP_PCSC_WRONG_LENGTH);
    }
    SCRIP_TRY(pcsc_block(pcsc, answer, cmd->p1, cmd->p2));
    if (blocks > run_blocks(cmd->p2)) {
        return refuse(answer, SCRIP_PCSC_NO_BLOCK);
    }
    if (scrip_classic_write_check(cmd->p2, cmd->data.at) !=
        SCRIP_OK) { /* would lock the sector; runs have no trailer */
        return refuse(answer, SCRIP_PCSC_WRONG_DATA);
    }
    for (size_t i = 0; i < blocks; i++) {
        SCRIP_TRY(write_block(pcsc, (uint8_t)(cmd->p2 + i), cmd->data.at + i * SCRIP_CLASSIC_BLOCK, answer->out));
    }
    return SCRIP_OK;
}
