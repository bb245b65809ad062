/* pn532_parts.h: what the files of the PN532 model share. */
#ifndef READER_MODEL_PN532_PARTS_H
#define READER_MODEL_PN532_PARTS_H

#include "pn532.h"

/* Status bytes of commands to a card. */
enum pn532_status {
    PN532_OK = 0x00,
    PN532_TIMEOUT = 0x01,
    PN532_CRC = 0x02,
    PN532_PARITY = 0x03,
    PN532_COLLISION = 0x06,
    PN532_SPACE = 0x07,
    PN532_OVERFLOW = 0x09,
    PN532_NO_FIELD = 0x0A,
    PN532_PROTOCOL = 0x0B,
    PN532_PARAMETER = 0x10,
    PN532_FORM = 0x13,
    PN532_AUTHENTICATION = 0x14,
    PN532_STATE = 0x27,
};

#define PN532_MORE          0x40U /* in a target number, and in a status byte */
#define PN532_NUMBER        0x0FU
#define PN532_AUTO_RATS     0x10U /* of SetParameters */
#define PN532_FOR_EVER      0xFFU /* a number of retries */

#define PN532_TYPE_GENERIC  0x00U /* of InAutoPoll */
#define PN532_TYPE_MIFARE   0x10U
#define PN532_TYPE_14443_4A 0x20U

/** A command: parameters without the code; the answer holds its code already.
 *  @return as scrip_pn532_model_command */
typedef enum scrip_status pn532_handler(struct scrip_pn532_model *chip, struct scrip_bytes p, struct scrip_buf *answer);

/* Commands to cards: pn532_targets.c and pn532_exchange.c. */
pn532_handler pn532_list_passive, pn532_auto_poll, pn532_select, pn532_deselect, pn532_release, pn532_psl;
pn532_handler pn532_data_exchange, pn532_communicate_thru;

/** The target of a number, or NULL: none is listed under it. */
struct pn532_model_target *pn532_target(struct scrip_pn532_model *chip, uint8_t number);

/** Make the target active, waking it if it is not. @return enum pn532_status */
uint8_t pn532_activate(struct scrip_pn532_model *chip, uint8_t number);

/** Forget all cards. */
void pn532_forget(struct scrip_pn532_model *chip);

/** The status byte for how the last exchange on the air ended. */
uint8_t pn532_air_status(const struct scrip_pn532_model *chip);

#endif
