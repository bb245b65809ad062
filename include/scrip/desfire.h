/* desfire.h: what both sides of MIFARE DESFire share: status codes, the table of commands, the small numbers of the
 * data sheet. Facts only. */
#ifndef SCRIP_DESFIRE_H
#define SCRIP_DESFIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most plain data bytes that one command moves (this project's limit; longer files are read and written piecewise). */
#define SCRIP_DESFIRE_DATA_MAX   4096U

/** The pseudo command and status that asks for, or announces, one more frame. */
#define SCRIP_DESFIRE_AF         0xAFU

/** Wrapped status word of a native status byte: 91xx. */
#define SCRIP_DESFIRE_SW(status) ((uint16_t)(0x9100U | (status)))

/** Status bytes of the card, as on the wire. */
enum scrip_desfire_status {
    DF_OK = 0x00,
    DF_NO_CHANGES = 0x0C,
    DF_OUT_OF_EEPROM = 0x0E,
    DF_ILLEGAL_COMMAND = 0x1C,
    DF_INTEGRITY_ERROR = 0x1E,
    DF_NO_SUCH_KEY = 0x40,
    DF_LENGTH_ERROR = 0x7E,
    DF_OK_90 = 0x90, /**< success of Read_Sig and of the proximity check */
    DF_PERMISSION_DENIED = 0x9D,
    DF_PARAMETER_ERROR = 0x9E,
    DF_APPLICATION_NOT_FOUND = 0xA0,
    DF_APPL_INTEGRITY_ERROR = 0xA1,
    DF_AUTHENTICATION_DELAY = 0xAD,
    DF_AUTHENTICATION_ERROR = 0xAE,
    DF_ADDITIONAL_FRAME = 0xAF,
    DF_BOUNDARY_ERROR = 0xBE,
    DF_PICC_INTEGRITY_ERROR = 0xC1,
    DF_COMMAND_ABORTED = 0xCA,
    DF_PICC_DISABLED = 0xCD,
    DF_COUNT_ERROR = 0xCE,
    DF_DUPLICATE_ERROR = 0xDE,
    DF_EEPROM_ERROR = 0xEE,
    DF_FILE_NOT_FOUND = 0xF0,
    DF_FILE_INTEGRITY_ERROR = 0xF1,
};

/** The name of a status byte as the data sheets print it ("BOUNDARY_ERROR"); "UNKNOWN" otherwise. Static memory. */
const char *scrip_desfire_status_name(uint8_t status);

/** Product generations, as bits of scrip_desfire_command.generations: 1 << enum scrip_desfire_generation. */
enum scrip_desfire_generation {
    SCRIP_DESFIRE_EV1,
    SCRIP_DESFIRE_EV2,
    SCRIP_DESFIRE_EV3,
    SCRIP_DESFIRE_LIGHT,
};

/** How a command travels inside a session (the mode of a FILE command comes from the file and the rights). */
enum scrip_desfire_command_comm {
    SCRIP_DESFIRE_COMM_NONE, /**< outside any session */
    SCRIP_DESFIRE_COMM_MAC,
    SCRIP_DESFIRE_COMM_FULL,
    SCRIP_DESFIRE_COMM_FILE,
    SCRIP_DESFIRE_COMM_KEY, /**< ChangeKey: Full with checksums of its own */
};

/** Where a command may be issued. */
#define SCRIP_DESFIRE_AT_PICC    1U
#define SCRIP_DESFIRE_AT_APP     2U

/** Flags of a command. */
#define SCRIP_DESFIRE_AF_IN      0x01U /**< a long command is sent in AF frames */
#define SCRIP_DESFIRE_AF_OUT     0x02U /**< a long response comes in AF frames */
#define SCRIP_DESFIRE_TWO_FRAMES 0x04U /**< always sent in two frames */
#define SCRIP_DESFIRE_DATA_BACK  0x08U /**< a success carries data (CommitTransaction: with option 01 only) */
#define SCRIP_DESFIRE_STATUS_90  0x10U /**< success is status 90 */

/** One row of the table of commands. */
struct scrip_desfire_command {
    const char *name; /**< "Credit" */
    uint8_t opcode;
    uint8_t generations; /**< bits 1 << enum scrip_desfire_generation */
    uint8_t levels;      /**< SCRIP_DESFIRE_AT_PICC, _AT_APP */
    uint8_t comm;        /**< enum scrip_desfire_command_comm */
    uint8_t flags;
    uint8_t header_len; /**< parameter bytes that stay plain under Full */
    uint16_t data_min;  /**< plain bytes behind the header, least */
    uint16_t data_max;  /**< and most */
};

/** The row of an opcode, NULL if there is none. Static memory. */
const struct scrip_desfire_command *scrip_desfire_command(uint8_t opcode);

/** Row `i` of the table, in its order; NULL past the end. */
const struct scrip_desfire_command *scrip_desfire_command_at(size_t i);

/* FileOption bits beside the communication mode in bits 1..0. */
#define SCRIP_DESFIRE_OPTION_SETS      0x80U /**< additional access right sets */
#define SCRIP_DESFIRE_OPTION_SDM       0x40U /**< secure dynamic messaging */
#define SCRIP_DESFIRE_OPTION_TMC_LIMIT 0x20U /**< Transaction MAC file: a limit is set */

/* Nibbles of access rights beside key numbers. */
#define SCRIP_DESFIRE_FREE             0xEU
#define SCRIP_DESFIRE_NEVER            0xFU

#endif
