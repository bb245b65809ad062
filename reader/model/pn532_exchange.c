/* The PN532 and what is said to a card: InDataExchange and InCommunicateThru. */
#include "pn532_parts.h"

#include <string.h>

#define PIECE_MAX    (PN532_MODEL_DATA - 2U) /* behind code and status */
#define ACK          0x0AU
#define ANSWER_US    10000U
#define FOR_EVER_US  5000000U
#define TIMEOUT_UNIT 100U

uint8_t pn532_air_status(const struct scrip_pn532_model *chip)
{
    return chip->ciu.last == SCRIP_E_TIMEOUT ? PN532_TIMEOUT
           : chip->ciu.last == SCRIP_E_MAC   ? PN532_PARITY
                                             : PN532_PROTOCOL;
}

/* ---- a card of part 4: whole commands, in pieces where they are long --------------------------------------------- */

/* The next piece of the response. */
static enum scrip_status add_piece(struct scrip_pn532_model *chip, struct scrip_buf *answer)
{
    const size_t left = chip->out.len - chip->out_sent;
    const size_t len = left < PIECE_MAX ? left : PIECE_MAX;
    SCRIP_TRY(scrip_buf_add_u8(answer, len < left ? PN532_MORE : PN532_OK));
    SCRIP_TRY(scrip_buf_add(answer, chip->out.at + chip->out_sent, len));
    chip->out_sent += len;
    chip->error = PN532_OK;
    return SCRIP_OK;
}

static enum scrip_status add_error(struct scrip_pn532_model *chip, uint8_t status, struct scrip_buf *answer)
{
    chip->error = status;
    return scrip_buf_add_u8(answer, status);
}

static enum scrip_status run_apdu(struct scrip_pn532_model *chip, struct pn532_model_target *target,
                                  struct scrip_buf *answer)
{
    chip->out.len = chip->out_sent = 0;
    target->fresh = false;
    const enum scrip_status status = scrip_pcd_4_exchange(&target->blocks, scrip_buf_bytes(&chip->in), &chip->out);
    chip->in.len = 0;
    if (status == SCRIP_OK) {
        return add_piece(chip, answer);
    }
    chip->out.len = 0;
    return add_error(chip, status == SCRIP_E_SPACE ? (uint8_t)PN532_SPACE : pn532_air_status(chip), answer);
}

static enum scrip_status exchange_part_4(struct scrip_pn532_model *chip, struct pn532_model_target *target, bool more,
                                         struct scrip_bytes data, struct scrip_buf *answer)
{
    if (data.len == 0 && chip->in.len == 0 && chip->out_sent < chip->out.len) {
        return add_piece(chip, answer);
    }
    if (scrip_buf_add_bytes(&chip->in, data) != SCRIP_OK) {
        chip->in.len = 0;
        return add_error(chip, PN532_SPACE, answer);
    }
    return more ? add_error(chip, PN532_OK, answer) : run_apdu(chip, target, answer);
}

/* ---- a storage card: commands of MIFARE Classic, or frames as they are ------------------------------------------- */

static bool is_classic(uint8_t code)
{
    static const uint8_t codes[] = {SCRIP_MIFARE_AUTH_A,  SCRIP_MIFARE_AUTH_B,    SCRIP_MIFARE_READ,
                                    SCRIP_MIFARE_WRITE,   SCRIP_MIFARE_DECREMENT, SCRIP_MIFARE_INCREMENT,
                                    SCRIP_MIFARE_RESTORE, SCRIP_MIFARE_TRANSFER};
    return memchr(codes, code, sizeof codes) != NULL;
}

static uint8_t classic_status(const struct scrip_pn532_model *chip, enum scrip_status status)
{
    switch (status) {
    case SCRIP_OK:
        return PN532_OK;
    case SCRIP_E_AUTH:
        return PN532_AUTHENTICATION;
    case SCRIP_E_CARD:
        return PN532_FORM;
    case SCRIP_E_ARGUMENT:
        return PN532_PARAMETER;
    default:
        return chip->ciu.last == SCRIP_OK ? (uint8_t)PN532_FORM : pn532_air_status(chip);
    }
}

/* A frame with CRC; the answer with its CRC taken off, or the four bits of an acknowledgement. */
static uint8_t exchange_frame(struct scrip_pn532_model *chip, struct scrip_bytes data, struct scrip_buf *out)
{
    const struct scrip_radio *radio = scrip_ciu_radio(&chip->ciu);
    struct scrip_frame tx;
    struct scrip_frame rx;
    struct scrip_bytes content;
    if (scrip_frame_bytes_crc(&tx, data) != SCRIP_OK) {
        return PN532_PARAMETER;
    }
    const enum scrip_status status = radio->exchange(radio->ctx, &tx, &rx, ANSWER_US);
    if (status != SCRIP_OK) {
        return pn532_air_status(chip);
    }
    if (rx.bits == 4) {
        return (rx.data[0] & 0x0F) == ACK ? PN532_OK : PN532_FORM;
    }
    if (scrip_frame_content_crc(&rx, &content) != SCRIP_OK) {
        return PN532_CRC;
    }
    return scrip_buf_add_bytes(out, content) == SCRIP_OK ? PN532_OK : PN532_SPACE;
}

static enum scrip_status exchange_storage(struct scrip_pn532_model *chip, struct scrip_bytes data,
                                          struct scrip_buf *answer)
{
    uint8_t room[PIECE_MAX];
    struct scrip_buf out = SCRIP_BUF_OF(room);
    uint8_t status = PN532_PARAMETER;
    if (data.len > 0 && is_classic(data.at[0])) {
        const struct scrip_radio *radio = scrip_ciu_radio(&chip->ciu);
        status = classic_status(chip, scrip_mifare_exchange_unchecked(radio, &chip->auth, data, &out));
    } else if (data.len > 0) {
        status = exchange_frame(chip, data, &out);
    }
    SCRIP_TRY(add_error(chip, status, answer));
    return status == PN532_OK ? scrip_buf_add_bytes(answer, scrip_buf_bytes(&out)) : SCRIP_OK;
}

enum scrip_status pn532_data_exchange(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    const uint8_t number = p.at[0] & PN532_NUMBER;
    const struct scrip_bytes data = scrip_bytes_from(p, 1);
    if (!chip->ciu.field->on && chip->active != 0) {
        return add_error(chip, PN532_NO_FIELD, answer);
    }
    const uint8_t status = pn532_activate(chip, number);
    if (status != PN532_OK) {
        return add_error(chip, status, answer);
    }
    struct pn532_model_target *target = pn532_target(chip, number);
    return target->part_4 ? exchange_part_4(chip, target, (p.at[0] & PN532_MORE) != 0, data, answer)
                          : exchange_storage(chip, data, answer);
}

/* ---- raw frames, as the registers say ---------------------------------------------------------------------------- */

static uint32_t thru_timeout_us(const struct scrip_pn532_model *chip)
{
    const uint8_t code = chip->com_timeout;
    return code == 0 ? FOR_EVER_US : TIMEOUT_UNIT << (code - 1U < 16 ? code - 1U : 16U);
}

static uint8_t thru_status(uint8_t errors)
{
    static const struct {
        uint8_t bit, status;
    } rows[] = {{CIU_E_COLL, PN532_COLLISION},
                {CIU_E_PARITY, PN532_PARITY},
                {CIU_E_CRC, PN532_CRC},
                {CIU_E_OVERFLOW, PN532_OVERFLOW},
                {CIU_E_PROTOCOL, PN532_PROTOCOL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((errors & rows[i].bit) != 0) {
            return rows[i].status;
        }
    }
    return PN532_OK;
}

enum scrip_status pn532_communicate_thru(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    uint8_t room[PIECE_MAX];
    struct scrip_buf out = SCRIP_BUF_OF(room);
    if (!chip->ciu.field->on) {
        return add_error(chip, PN532_NO_FIELD, answer);
    }
    if (scrip_ciu_transceive(&chip->ciu, p, &out, thru_timeout_us(chip)) != SCRIP_OK) {
        return add_error(chip, PN532_TIMEOUT, answer);
    }
    const uint8_t status = thru_status(chip->ciu.reg[CIU_ERROR]);
    SCRIP_TRY(add_error(chip, status, answer));
    return status == PN532_OK ? scrip_buf_add_bytes(answer, scrip_buf_bytes(&out)) : SCRIP_OK;
}
