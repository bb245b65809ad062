/* otp.h: facts of the one-time wallet card: where its blocks and units are, the face value block, what is left of it.
 * Behaviour is in otp_card.h. Frames, access bits and value blocks are those of MIFARE Classic (classic.h).
 *
 * The card is sold with a face value of T units of U minor currency units each and can only be spent. The subtraction
 * area has one bit per unit; the highest programmed bit says how many were used. */
#ifndef SCRIP_OTP_H
#define SCRIP_OTP_H

#include <scrip/classic.h>

#define SCRIP_OTP_BLOCKS              16U   /**< 4 sectors of 4 blocks of 16 bytes */
#define SCRIP_OTP_UNITS               6000U /**< most units; unit bits are numbered 1..6000 */
#define SCRIP_OTP_BITS                6144U /**< bits of the subtraction area; those above the units hold the pointers */
#define SCRIP_OTP_AREA                768U  /**< its bytes: bit i is bit (i - 1) % 8 of byte (i - 1) / 8 */
#define SCRIP_OTP_FACE_BLOCK          1U    /**< face value as written; balance as a value block once it is in force */
#define SCRIP_OTP_FACE_VIRTUAL        16U   /**< READ only: the face value block as written */
#define SCRIP_OTP_ADDRESS             0x01U /**< ADR of the value block that shows the balance */

/** Bits of the spare part: block pointer of block b, password pointer of sector s. */
#define SCRIP_OTP_BLOCK_POINTER(b)    (6001U + (b))
#define SCRIP_OTP_PASSWORD_POINTER(s) (6017U + (s))

/** A face value. */
struct scrip_otp_face {
    uint32_t unit;     /**< U: minor units per bit, at least 1 */
    uint16_t units;    /**< T: 1..6000; U * T at most 2^31 - 1 */
    uint8_t issuer[4]; /**< free */
};

/** Write a face value block: U, its complement, T, its complement (all least significant byte first), issuer bytes.
 *  @return SCRIP_OK; SCRIP_E_LIMIT: a figure is out of its range */
enum scrip_status scrip_otp_face_put(const struct scrip_otp_face *face, uint8_t block[SCRIP_CLASSIC_BLOCK]);

/** Read one. @return SCRIP_OK; SCRIP_E_FORMAT: complements do not match; SCRIP_E_LIMIT: as above */
enum scrip_status scrip_otp_face_get(const uint8_t block[SCRIP_CLASSIC_BLOCK], struct scrip_otp_face *face);

/** What is left, minor units; 0 when more than T units are gone, which only damage can do.
 *  @param used  highest programmed unit bit, 0: none */
int32_t scrip_otp_balance(const struct scrip_otp_face *face, uint16_t used);

/** The bit to program for a deduction.
 *  @param amount  minor units; 0 is legal and programs nothing
 *  @param next    the unit bit: used plus amount / U
 *  @return SCRIP_OK; SCRIP_E_UNIT: no multiple of U; SCRIP_E_FUNDS: more than is left */
enum scrip_status scrip_otp_deduct(const struct scrip_otp_face *face, uint16_t used, uint32_t amount, uint16_t *next);

#endif
