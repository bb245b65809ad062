/* Value blocks, in the dialects of four makers; below them the same three commands of the card. A change is made in
 * the card's buffer and is nothing before the transfer, so a refusal of either step has changed nothing. */
#include "command.h"
#include <scrip/classic.h>
#include <scrip/mifare.h>
#include <string.h>

enum acs_operation { ACS_STORE, ACS_INCREMENT, ACS_DECREMENT, ACS_RESTORE };

/* The card's buffer goes to `block`. */
static enum scrip_status transfer(struct scrip_pcsc *pcsc, uint8_t block, struct scrip_buf *out)
{
    const uint8_t command[] = {SCRIP_MIFARE_TRANSFER, block};
    return pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), out);
}

static enum scrip_status buffer_and_transfer(struct scrip_pcsc *pcsc, uint8_t operation, uint8_t from, uint8_t to,
                                             const uint8_t operand[4], struct scrip_buf *out)
{
    const uint8_t command[] = {operation, from, operand[0], operand[1], operand[2], operand[3]};
    SCRIP_TRY(pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), out));
    return transfer(pcsc, to, out);
}

enum scrip_status pcsc_value_change(struct scrip_pcsc *pcsc, struct answer *answer, uint8_t command, uint8_t block,
                                    const uint8_t value[4])
{
    SCRIP_TRY(pcsc_block(pcsc, answer, 0, block));
    return buffer_and_transfer(pcsc, command, block, block, value, answer->out);
}

/* ---- ACS: D7 and B1, most significant byte first ----------------------------------------------------------------- */

static enum scrip_status store(struct scrip_pcsc *pcsc, struct answer *answer, uint8_t block, int32_t value)
{
    uint8_t command[2 + SCRIP_CLASSIC_BLOCK] = {SCRIP_MIFARE_WRITE, block};
    SCRIP_TRY(pcsc_block(pcsc, answer, 0, block));
    if (block == scrip_classic_trailer(scrip_classic_sector(block))) {
        return refuse(answer, SCRIP_PCSC_NO_BLOCK); /* no value block, and its access bits would be a number */
    }
    scrip_classic_value_put(value, block, command + 2);
    return pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), answer->out);
}

enum scrip_status pcsc_acs_value(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const uint32_t value = scrip_get_be32(cmd->data.at + 1);
    uint8_t operand[4];
    scrip_put_le32(operand, value);
    switch (cmd->data.at[0]) {
    case ACS_STORE:
        return store(pcsc, answer, cmd->p2, scrip_get_le32s(operand));
    case ACS_INCREMENT:
        return pcsc_value_change(pcsc, answer, SCRIP_MIFARE_INCREMENT, cmd->p2, operand);
    case ACS_DECREMENT:
        return pcsc_value_change(pcsc, answer, SCRIP_MIFARE_DECREMENT, cmd->p2, operand);
    default:
        return refuse(answer, SCRIP_PCSC_NO_FUNCTION);
    }
}

enum scrip_status pcsc_acs_restore(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    static const uint8_t ignored[4];
    if (cmd->data.at[0] != ACS_RESTORE) {
        return refuse(answer, SCRIP_PCSC_NO_FUNCTION);
    }
    SCRIP_TRY(pcsc_block(pcsc, answer, 0, cmd->p2));
    SCRIP_TRY(pcsc_block(pcsc, answer, 0, cmd->data.at[1]));
    return buffer_and_transfer(pcsc, SCRIP_MIFARE_RESTORE, cmd->p2, cmd->data.at[1], ignored, answer->out);
}

enum scrip_status pcsc_acs_read_value(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const uint8_t command[] = {SCRIP_MIFARE_READ, cmd->p2};
    uint8_t block[SCRIP_CLASSIC_BLOCK] = {0};
    uint8_t wire[4];
    struct scrip_buf room = SCRIP_BUF_OF(block);
    int32_t value = 0;
    uint8_t address = 0;
    SCRIP_TRY(pcsc_block(pcsc, answer, 0, cmd->p2));
    SCRIP_TRY(pcsc_mifare(pcsc, SCRIP_BYTES_OF(command), &room));
    if (scrip_classic_value_get(block, &value, &address) != SCRIP_OK) {
        return refuse(answer, SCRIP_PCSC_FAILED);
    }
    scrip_put_be32(wire, (uint32_t)value);
    return pcsc_data(answer, cmd->le, SCRIP_BYTES_OF(wire));
}

/* ---- The others, least significant byte first -------------------------------------------------------------------- */

/* Identiv: operation, block once more, value. */
enum scrip_status pcsc_identiv_value(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    const uint8_t operation = cmd->data.at[0];
    if (operation != SCRIP_MIFARE_INCREMENT && operation != SCRIP_MIFARE_DECREMENT) {
        return refuse(answer, SCRIP_PCSC_NO_FUNCTION);
    }
    if (cmd->data.at[1] != cmd->p2) {
        return refuse(answer, SCRIP_PCSC_WRONG_DATA);
    }
    return pcsc_value_change(pcsc, answer, operation, cmd->p2, cmd->data.at + 2);
}

/* Omnikey: one to four bytes of value. */
static enum scrip_status omnikey(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer,
                                 uint8_t operation)
{
    uint8_t operand[4] = {0};
    memcpy(operand, cmd->data.at, cmd->data.len);
    return pcsc_value_change(pcsc, answer, operation, cmd->p2, operand);
}

enum scrip_status pcsc_omnikey_increment(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    return omnikey(pcsc, cmd, answer, SCRIP_MIFARE_INCREMENT);
}

enum scrip_status pcsc_omnikey_decrement(struct scrip_pcsc *pcsc, const struct pseudo *cmd, struct answer *answer)
{
    return omnikey(pcsc, cmd, answer, SCRIP_MIFARE_DECREMENT);
}
