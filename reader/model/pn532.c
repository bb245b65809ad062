/* The PN532: its table of commands, and those that concern the chip itself. */
#include "pn532_parts.h"

#include <string.h>

#define IC            0x32U
#define VERSION       0x01U
#define REVISION      0x06U
#define SUPPORTS      0x07U /* ISO/IEC 14443 A, B, 18092 */
#define COM_TIMEOUT   0x0AU /* 51.2 ms */
#define CIU_PAGE      0x63U
#define CRC_ON        0x80U
#define MODE_READER   0x3DU /* CRC preset 6363 */

#define ITEM_FIELD    0x01U
#define ITEM_TIMINGS  0x02U
#define ITEM_COM      0x04U
#define ITEM_RETRIES  0x05U

#define TEST_LINE     0x00U
#define TEST_ROM      0x01U
#define TEST_RAM      0x02U
#define TEST_POLLING  0x04U
#define TEST_PRESENCE 0x06U
#define TEST_ANTENNA  0x07U

/* ---- the chip ---------------------------------------------------------------------------------------------------- */

static uint8_t presence(struct scrip_pn532_model *chip)
{
    struct pn532_model_target *target = pn532_target(chip, chip->active);
    if (target == NULL || !target->part_4) {
        return PN532_STATE;
    }
    target->fresh = false;
    return scrip_pcd_4_check(&target->blocks) == SCRIP_OK ? PN532_OK : PN532_TIMEOUT;
}

static enum scrip_status diagnose(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    switch (p.at[0]) {
    case TEST_LINE:
        return scrip_buf_add_bytes(answer, p);
    case TEST_ROM:
    case TEST_RAM:
    case TEST_ANTENNA:
    case TEST_POLLING: /* with FeliCa cards, none of which failed */
        return scrip_buf_add_u8(answer, PN532_OK);
    case TEST_PRESENCE:
        return scrip_buf_add_u8(answer, presence(chip));
    default:
        return SCRIP_E_FORMAT;
    }
}

static enum scrip_status get_version(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    static const uint8_t version[] = {IC, VERSION, REVISION, SUPPORTS};
    (void)chip;
    (void)p;
    return scrip_buf_add(answer, version, sizeof version);
}

static enum scrip_status get_status(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)p;
    SCRIP_TRY(scrip_buf_add_u8(answer, chip->error));
    SCRIP_TRY(scrip_buf_add_u8(answer, chip->ciu.field->on ? 1 : 0));
    const size_t count_at = answer->len;
    SCRIP_TRY(scrip_buf_add_u8(answer, 0));
    for (uint8_t number = 1; number <= PN532_MODEL_TARGETS; number++) {
        const struct pn532_model_target *target = pn532_target(chip, number);
        if (target != NULL) {
            const uint8_t row[] = {number, target->rate_in, target->rate_out, 0x00};
            SCRIP_TRY(scrip_buf_add(answer, row, sizeof row));
            answer->at[count_at]++;
        }
    }
    return scrip_buf_add_u8(answer, 0x00); /* the SAM, of which there is none */
}

/* Number of the CIU's register at an address of the chip, or CIU_REGISTERS: something else. */
static uint8_t ciu_number(const uint8_t address[2])
{
    if (address[0] != CIU_PAGE || address[1] > 0x3F) {
        return CIU_REGISTERS;
    }
    return (uint8_t)(address[1] >= 0x30 ? address[1] - 0x30 : address[1] + 0x10);
}

/* Registers outside the CIU belong to the processor; they read 00. */
static enum scrip_status read_register(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    if (p.len % 2 != 0) {
        return SCRIP_E_FORMAT;
    }
    for (size_t i = 0; i < p.len; i += 2) {
        SCRIP_TRY(scrip_buf_add_u8(answer, scrip_ciu_read(&chip->ciu, ciu_number(p.at + i))));
    }
    return SCRIP_OK;
}

static enum scrip_status write_register(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)answer;
    if (p.len % 3 != 0) {
        return SCRIP_E_FORMAT;
    }
    for (size_t i = 0; i < p.len; i += 3) {
        scrip_ciu_write(&chip->ciu, ciu_number(p.at + i), p.at[i + 2]);
    }
    return SCRIP_OK;
}

static enum scrip_status read_gpio(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)p;
    return scrip_buf_add(answer, chip->gpio, sizeof chip->gpio);
}

/* P3 and P7 change when bit 7 says so. */
static enum scrip_status write_gpio(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)answer;
    for (size_t i = 0; i < 2; i++) {
        chip->gpio[i] = (p.at[i] & 0x80) != 0 ? p.at[i] & 0x7F : chip->gpio[i];
    }
    return SCRIP_OK;
}

/* The line has no speed of its own here. */
static enum scrip_status set_baud_rate(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)chip;
    (void)answer;
    return p.at[0] <= 8 ? SCRIP_OK : SCRIP_E_FORMAT;
}

static enum scrip_status set_parameters(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)answer;
    chip->parameters = p.at[0];
    return SCRIP_OK;
}

static enum scrip_status configure_sam(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)answer;
    if (p.at[0] < 1 || p.at[0] > 4) {
        return SCRIP_E_FORMAT;
    }
    chip->sam = p.at[0];
    return SCRIP_OK;
}

static void field_off(struct scrip_pn532_model *chip)
{
    pn532_forget(chip);
    scrip_ciu_antenna(&chip->ciu, false);
}

static enum scrip_status power_down(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    (void)p;
    field_off(chip);
    chip->asleep = true;
    return scrip_buf_add_u8(answer, PN532_OK);
}

/* The items of analog settings are taken and do nothing. */
static enum scrip_status configure_rf(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer)
{
    const uint8_t *value = p.at + 1;
    const size_t len = p.len - 1;
    (void)answer;
    switch (p.at[0]) {
    case ITEM_FIELD:
        if ((value[0] & 1) == 0) {
            field_off(chip);
        } else {
            scrip_ciu_antenna(&chip->ciu, true);
        }
        return SCRIP_OK;
    case ITEM_TIMINGS:
        if (len != 3) {
            return SCRIP_E_FORMAT;
        }
        chip->com_timeout = value[2];
        return SCRIP_OK;
    case ITEM_COM:
        chip->com_retries = value[0];
        return SCRIP_OK;
    case ITEM_RETRIES:
        if (len != sizeof chip->retries) {
            return SCRIP_E_FORMAT;
        }
        memcpy(chip->retries, value, sizeof chip->retries);
        return SCRIP_OK;
    default:
        return p.at[0] >= 0x0A && p.at[0] <= 0x0D ? SCRIP_OK : SCRIP_E_FORMAT;
    }
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const struct command {
    uint8_t code;
    uint16_t least, most; /* bytes of parameters */
    pn532_handler *run;
} commands[] = {
    {0x00, 1, PN532_MODEL_DATA - 1, diagnose},
    {0x02, 0, 0, get_version},
    {0x04, 0, 0, get_status},
    {0x06, 2, PN532_MODEL_DATA - 1, read_register},
    {0x08, 3, PN532_MODEL_DATA - 1, write_register},
    {0x0C, 0, 0, read_gpio},
    {0x0E, 2, 2, write_gpio},
    {0x10, 1, 1, set_baud_rate},
    {0x12, 1, 1, set_parameters},
    {0x14, 1, 3, configure_sam},
    {0x16, 1, 2, power_down},
    {0x32, 2, 16, configure_rf},
    {0x40, 1, PN532_MODEL_DATA - 1, pn532_data_exchange},
    {0x42, 0, PN532_MODEL_DATA - 1, pn532_communicate_thru},
    {0x44, 1, 1, pn532_deselect},
    {0x4A, 2, 16, pn532_list_passive},
    {0x4E, 3, 3, pn532_psl},
    {0x52, 1, 1, pn532_release},
    {0x54, 1, 1, pn532_select},
    {0x60, 3, 17, pn532_auto_poll},
};

static const struct command *command_of(struct scrip_bytes command)
{
    for (size_t i = 0; command.len > 0 && i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].code == command.at[0]) {
            const size_t len = command.len - 1;
            return len >= commands[i].least && len <= commands[i].most ? &commands[i] : NULL;
        }
    }
    return NULL;
}

static enum scrip_status run(struct scrip_pn532_model *chip, struct scrip_bytes command, struct scrip_buf *answer)
{
    const size_t before = answer->len;
    const struct command *row = command_of(command);
    enum scrip_status status = row != NULL ? SCRIP_OK : SCRIP_E_FORMAT;
    if (status == SCRIP_OK) {
        status = scrip_buf_add_u8(answer, command.at[0] + 1);
    }
    if (status == SCRIP_OK) {
        status = row->run(chip, scrip_bytes_from(command, 1), answer);
    }
    if (status != SCRIP_OK) {
        answer->len = before;
    }
    return status;
}

static enum scrip_status authenticate(void *ctx, uint8_t command, uint8_t block, const uint8_t key[6],
                                      const uint8_t uid4[4])
{
    return scrip_ciu_authenticate(ctx, command, block, key, uid4);
}

void scrip_pn532_model_init(struct scrip_pn532_model *chip, struct scrip_field *field,
                            const struct scrip_random *random)
{
    memset(chip, 0, sizeof *chip);
    scrip_ciu_init(&chip->ciu, field, random);
    chip->ciu.all_framings = true;
    chip->ciu.reg[CIU_MODE] = MODE_READER; /* as the firmware leaves it */
    chip->ciu.reg[CIU_TX_MODE] = CRC_ON;
    chip->ciu.reg[CIU_RX_MODE] = CRC_ON;
    chip->auth = (struct scrip_mifare_auth){.ctx = &chip->ciu, .authenticate = authenticate};
    chip->parameters = PN532_AUTO_RATS | 0x04;
    chip->retries[0] = PN532_FOR_EVER;
    chip->retries[1] = 1;
    chip->retries[2] = PN532_FOR_EVER;
    chip->com_timeout = COM_TIMEOUT;
    chip->sam = 1;
    chip->gpio[0] = 0x3F;
    chip->gpio[1] = 0x06;
    chip->asleep = true;
    chip->out = SCRIP_BUF_OF(chip->out_room);
    chip->in = SCRIP_BUF_OF(chip->in_room);
}

enum scrip_status scrip_pn532_model_command(struct scrip_pn532_model *chip, struct scrip_bytes command,
                                            struct scrip_buf *answer)
{
    chip->waiting_len = 0;
    chip->asleep = false;
    const enum scrip_status status = run(chip, command, answer);
    if (status == SCRIP_E_WAIT) {
        chip->waiting_len = (uint8_t)command.len; /* the commands that wait are short, see the table */
        memcpy(chip->waiting, command.at, command.len);
    }
    return status;
}

enum scrip_status scrip_pn532_model_again(struct scrip_pn532_model *chip, struct scrip_buf *answer)
{
    if (chip->waiting_len == 0) {
        return SCRIP_E_STATE;
    }
    const enum scrip_status status = run(chip, scrip_bytes(chip->waiting, chip->waiting_len), answer);
    if (status != SCRIP_E_WAIT) {
        chip->waiting_len = 0;
    }
    return status;
}

void scrip_pn532_model_abort(struct scrip_pn532_model *chip)
{
    chip->waiting_len = 0;
}
