/* tap.h: what the files of a visit share. */
#ifndef SCRIP_WALLET_TAP_H
#define SCRIP_WALLET_TAP_H

#include <scrip/purse_desfire.h>

/** The number of a role's key. @return SCRIP_OK; SCRIP_E_KEY: this purse has none */
enum scrip_status tap_key_number(const struct scrip_desfire_purse *purse, enum scrip_purse_role role, uint8_t *no);

/** What a command that is out was for. */
enum item {
    ITEM_NOTHING, /* only its success matters */
    ITEM_CHALLENGE,
    ITEM_PROOF,
    ITEM_UID,
    ITEM_VALUE,
    ITEM_VALUE_AFTER,
    ITEM_TMAC,
    ITEM_TOPUPS, /* a whole top-up log */
    ITEM_TOPUP,  /* one more, older record */
    ITEM_DEBITS,
    ITEM_DEBIT,
    ITEM_HEADER,
    ITEM_READER,
    ITEM_COMMIT,
    ITEM_COMMIT_TMV,
    ITEM_KEY,
    ITEM_TOPUP_COUNT,
    ITEM_COUNT
};

/** Note what the command just appended was for, if it was appended. @return `status` */
enum scrip_status tap_note(struct scrip_desfire_tap *tap, enum scrip_status status, enum item item);

/** A top-up without its commit. */
enum scrip_status tap_topup_open(struct scrip_desfire_tap *tap, struct scrip_batch *batch,
                                 const struct scrip_purse_topup *topup);

#endif
