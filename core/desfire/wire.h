/* wire.h: constants of the DESFire data sheets for the rooms of this folder: opcodes by name, and the codecs of
 * settings that both sides read and write. */
#ifndef SCRIP_DESFIRE_WIRE_H
#define SCRIP_DESFIRE_WIRE_H

#include <scrip/desfire.h>

/** Opcodes: CMD_CREDIT = 0x0C and so on, straight from the table. */
enum {
#define DESFIRE_COMMAND(opcode, id, name, generations, levels, comm, header, data_min, data_max, flags, handler)       \
    CMD_##id = (opcode),
#include "commands.def"
#undef DESFIRE_COMMAND
};

/* KS1, key settings of a level. */
#define KS1_MASTER_CHANGEABLE   0x01U /* bit 0 */
#define KS1_FREE_DIRECTORY      0x02U /* bit 1 */
#define KS1_FREE_CREATE         0x04U /* bit 2 */
#define KS1_SETTINGS_CHANGEABLE 0x08U /* bit 3 */
#define KS1_CHANGE_SAME_KEY     0xEU  /* bits 7..4: ChangeKey needs the key that is changed */
#define KS1_CHANGE_FROZEN       0xFU  /* bits 7..4: no key but the master key changes */

/* KS2 and KS3 of an application. */
#define KS2_KEY_COUNT           0x0FU
#define KS2_HAS_KS3             0x10U
#define KS2_ISO_FIDS            0x20U
#define KS2_TYPE_SHIFT          6U
#define KS3_KEY_SETS            0x01U

/* Key types as KS2 bits 7..6 and key numbers of the PICC level carry them. */
#define KEY_TYPE_DES            0U
#define KEY_TYPE_3K             1U
#define KEY_TYPE_AES            2U

/* File types. */
#define FILE_STANDARD           0U
#define FILE_BACKUP             1U
#define FILE_VALUE              2U
#define FILE_LINEAR             3U
#define FILE_CYCLIC             4U
#define FILE_TMAC               5U

/* Value file flags. */
#define VALUE_LIMITED_CREDIT    0x01U
#define VALUE_FREE_GET          0x02U

/* Secure dynamic messaging options. */
#define SDM_UID                 0x80U
#define SDM_COUNTER             0x40U
#define SDM_LIMIT               0x20U
#define SDM_ENC_FILE            0x10U
#define SDM_ASCII               0x01U

/* Keys of the PICC level beside the master key. */
#define PICC_KEY_DAM_AUTH       0x10U
#define PICC_KEY_DAM_MAC        0x11U
#define PICC_KEY_DAM_ENC        0x12U
#define PICC_KEY_VC_CONFIG      0x20U
#define PICC_KEY_PROXIMITY      0x21U
#define PICC_KEY_VC_SELECT      0x22U
#define PICC_KEY_VC_AUTH        0x23U

#endif
