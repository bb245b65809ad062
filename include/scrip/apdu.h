/* apdu.h: command APDUs of ISO/IEC 7816-4, short and extended, and the status words of this project's cards. */
#ifndef SCRIP_APDU_H
#define SCRIP_APDU_H

#include <scrip/bytes.h>

/** A command APDU taken apart. `data` borrows from the bytes that were parsed. */
struct scrip_apdu {
    uint8_t cla, ins, p1, p2;
    struct scrip_bytes data; /**< empty without Lc */
    bool has_le;
    bool extended; /**< extended length fields */
    uint32_t le;   /**< most response bytes wanted, 0 without Le: Le 00 is 256, or 65536 extended */
};

/** Take a command APDU apart.
 *  @return SCRIP_OK; SCRIP_E_LENGTH: Lc does not agree with the number of bytes (6700) */
enum scrip_status scrip_apdu_parse(struct scrip_bytes bytes, struct scrip_apdu *apdu);

/** Append a command APDU with short length fields.
 *  @param le 0: no Le; else 1..256
 *  @return SCRIP_OK; SCRIP_E_LENGTH: more than 255 data bytes or le over 256; SCRIP_E_SPACE (nothing appended) */
enum scrip_status scrip_apdu_add(struct scrip_buf *out, uint8_t cla, uint8_t ins, uint8_t p1, uint8_t p2,
                                 struct scrip_bytes data, uint32_t le);

/** Status words of ISO/IEC 7816-4. */
enum scrip_sw {
    SCRIP_SW_OK = 0x9000,
    SCRIP_SW_WARNING = 0x6283,    /**< selected, but can not be written any more */
    SCRIP_SW_MEMORY = 0x6581,     /**< memory failure */
    SCRIP_SW_LENGTH = 0x6700,     /**< wrong length */
    SCRIP_SW_SECURITY = 0x6982,   /**< security status not satisfied */
    SCRIP_SW_CONDITIONS = 0x6985, /**< conditions of use not satisfied */
    SCRIP_SW_DATA = 0x6A80,       /**< wrong data */
    SCRIP_SW_NOT_FOUND = 0x6A82,  /**< file or application not found */
    SCRIP_SW_RECORD = 0x6A83,     /**< record not found */
    SCRIP_SW_P1P2 = 0x6A86,       /**< wrong P1 P2 */
    SCRIP_SW_LC = 0x6A87,         /**< Lc does not fit P1 P2 */
    SCRIP_SW_REFERENCE = 0x6A88,  /**< key not found */
    SCRIP_SW_OFFSET = 0x6B00,     /**< offset outside the file */
    SCRIP_SW_LE = 0x6C00,         /**< wrong Le; the low byte says the right one */
    SCRIP_SW_INS = 0x6D00,        /**< unknown instruction */
    SCRIP_SW_CLA = 0x6E00,        /**< unknown class */
};

#endif
