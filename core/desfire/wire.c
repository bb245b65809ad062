#include "wire.h"

enum {
    EV1 = 1U << SCRIP_DESFIRE_EV1,
    EV2 = 1U << SCRIP_DESFIRE_EV2,
    EV3 = 1U << SCRIP_DESFIRE_EV3,
    LT = 1U << SCRIP_DESFIRE_LIGHT,
    PICC = SCRIP_DESFIRE_AT_PICC,
    APP = SCRIP_DESFIRE_AT_APP,
    NONE = SCRIP_DESFIRE_COMM_NONE,
    MAC = SCRIP_DESFIRE_COMM_MAC,
    FULL = SCRIP_DESFIRE_COMM_FULL,
    FILE = SCRIP_DESFIRE_COMM_FILE,
    KEY = SCRIP_DESFIRE_COMM_KEY,
    AF_IN = SCRIP_DESFIRE_AF_IN,
    AF_OUT = SCRIP_DESFIRE_AF_OUT,
    TWO = SCRIP_DESFIRE_TWO_FRAMES,
    BACK = SCRIP_DESFIRE_DATA_BACK,
    S90 = SCRIP_DESFIRE_STATUS_90,
};

static const struct scrip_desfire_command commands[] = {
#define DESFIRE_COMMAND(op, id, text, generations_, levels_, comm_, header, min, max, flags_, handler)                 \
    {.name = (text),                                                                                                   \
     .opcode = (op),                                                                                                   \
     .generations = (generations_),                                                                                    \
     .levels = (levels_),                                                                                              \
     .comm = (comm_),                                                                                                  \
     .flags = (flags_),                                                                                                \
     .header_len = (header),                                                                                           \
     .data_min = (min),                                                                                                \
     .data_max = (max)},
#include "commands.def"
#undef DESFIRE_COMMAND
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* Row number + 1 of each opcode: the compiler refuses two rows with one opcode (override of an initialiser). */
enum {
#define DESFIRE_COMMAND(op, id, text, generations_, levels_, comm_, header, min, max, flags_, handler) ROW_##id,
#include "commands.def"
#undef DESFIRE_COMMAND
};

static const uint8_t row_of[256] = {
#define DESFIRE_COMMAND(op, id, text, generations_, levels_, comm_, header, min, max, flags_, handler)                 \
    [(op)] = ROW_##id + 1,
#include "commands.def"
#undef DESFIRE_COMMAND
};

const struct scrip_desfire_command *scrip_desfire_command(uint8_t opcode)
{
    return row_of[opcode] == 0 ? NULL : &commands[row_of[opcode] - 1];
}

const struct scrip_desfire_command *scrip_desfire_command_at(size_t i)
{
    return i < COMMAND_COUNT ? &commands[i] : NULL;
}

static const struct {
    uint8_t status;
    const char *name;
} status_names[] = {
    {DF_OK, "OPERATION_OK"},
    {DF_NO_CHANGES, "NO_CHANGES"},
    {DF_OUT_OF_EEPROM, "OUT_OF_EEPROM"},
    {DF_ILLEGAL_COMMAND, "ILLEGAL_COMMAND"},
    {DF_INTEGRITY_ERROR, "INTEGRITY_ERROR"},
    {DF_NO_SUCH_KEY, "NO_SUCH_KEY"},
    {DF_LENGTH_ERROR, "LENGTH_ERROR"},
    {DF_OK_90, "OPERATION_OK"},
    {DF_PERMISSION_DENIED, "PERMISSION_DENIED"},
    {DF_PARAMETER_ERROR, "PARAMETER_ERROR"},
    {DF_APPLICATION_NOT_FOUND, "APPLICATION_NOT_FOUND"},
    {DF_APPL_INTEGRITY_ERROR, "APPL_INTEGRITY_ERROR"},
    {DF_AUTHENTICATION_DELAY, "AUTHENTICATION_DELAY"},
    {DF_AUTHENTICATION_ERROR, "AUTHENTICATION_ERROR"},
    {DF_ADDITIONAL_FRAME, "ADDITIONAL_FRAME"},
    {DF_BOUNDARY_ERROR, "BOUNDARY_ERROR"},
    {DF_PICC_INTEGRITY_ERROR, "PICC_INTEGRITY_ERROR"},
    {DF_COMMAND_ABORTED, "COMMAND_ABORTED"},
    {DF_PICC_DISABLED, "PICC_DISABLED"},
    {DF_COUNT_ERROR, "COUNT_ERROR"},
    {DF_DUPLICATE_ERROR, "DUPLICATE_ERROR"},
    {DF_EEPROM_ERROR, "EEPROM_ERROR"},
    {DF_FILE_NOT_FOUND, "FILE_NOT_FOUND"},
    {DF_FILE_INTEGRITY_ERROR, "FILE_INTEGRITY_ERROR"},
};

const char *scrip_desfire_status_name(uint8_t status)
{
    for (size_t i = 0; i < sizeof status_names / sizeof status_names[0]; i++) {
        if (status_names[i].status == status) {
            return status_names[i].name;
        }
    }
    return "UNKNOWN";
}
