/* bcd.h: the BCD credit block that makers put on MIFARE Classic: eight decimal digits, their ones' complement, zeros.
 *
 *   0..3   credits, packed BCD, most significant pair of digits first: 12,345,678 is 12 34 56 78
 *   4..7   ones' complement of bytes 0..3
 *   8..15  zeros
 * Two blocks of a sector hold the same credits; which of them counts is scrip_bcd_decide. The purse that is made of
 * them is in purse_storage.h. */
#ifndef SCRIP_BCD_H
#define SCRIP_BCD_H

#include <scrip/bytes.h>

#define SCRIP_BCD_MAX   99999999 /**< most credits */
#define SCRIP_BCD_BLOCK 16U      /**< bytes of a block */

/** Credits as four bytes of packed BCD. @return SCRIP_OK; SCRIP_E_OVERFLOW: below 0 or above SCRIP_BCD_MAX */
enum scrip_status scrip_bcd_put(int32_t credits, uint8_t digits[4]);

/** @return SCRIP_OK; SCRIP_E_FORMAT: a nibble is no decimal digit */
enum scrip_status scrip_bcd_get(const uint8_t digits[4], int32_t *credits);

/** Add or take away, byte by byte with decimal adjustment, as the original does it.
 *  @param digits  changed in place
 *  @return SCRIP_OK; SCRIP_E_OVERFLOW: above 99,999,999, or below 0: nothing changed;
 *          SCRIP_E_ARGUMENT: a nibble of either is no decimal digit: nothing changed */
enum scrip_status scrip_bcd_add(uint8_t digits[4], const uint8_t step[4]);
enum scrip_status scrip_bcd_sub(uint8_t digits[4], const uint8_t step[4]);

/** Write a block. @return as scrip_bcd_put */
enum scrip_status scrip_bcd_block_put(int32_t credits, uint8_t block[SCRIP_BCD_BLOCK]);

/** Read a block. @return SCRIP_OK: a valid copy; SCRIP_E_FORMAT: complement, a nibble or the zeros are wrong */
enum scrip_status scrip_bcd_block_get(const uint8_t block[SCRIP_BCD_BLOCK], int32_t *credits);

/** What is to be written before anything else is done with a purse of two copies. */
enum scrip_copies_repair {
    SCRIP_COPIES_GOOD,         /**< both valid and equal */
    SCRIP_COPIES_MEND_BACKUP,  /**< write the backup from the main copy, which counts */
    SCRIP_COPIES_MEND_MAIN,    /**< write the main copy from the backup, which counts */
    SCRIP_COPIES_BOTH_DAMAGED, /**< nobody knows: an operator must decide */
};

/** Which of two copies counts. The main copy is always written first, so it wins when both are valid.
 *  @param credits  untouched when both are damaged */
enum scrip_copies_repair scrip_bcd_decide(const uint8_t data[SCRIP_BCD_BLOCK], const uint8_t backup[SCRIP_BCD_BLOCK],
                                          int32_t *credits);

/** For the operator in front of two damaged copies, never for a program: an amount that two of the four fields (each
 *  value, each complement) agree on, and that is decimal. Where two amounts have as many supporters there is none.
 *  @return SCRIP_OK; SCRIP_E_NOT_FOUND */
enum scrip_status scrip_bcd_propose(const uint8_t data[SCRIP_BCD_BLOCK], const uint8_t backup[SCRIP_BCD_BLOCK],
                                    int32_t *credits);

#endif
