/* memory.h: blocks, unit bits and pointers over the pages of a one-time memory. `nv` is a scrip_otp_nv throughout.
 *
 * Programming functions read back what they wrote. They return
 *   SCRIP_OK         done and verified, or there already
 *   SCRIP_E_CONFLICT a bit that is programmed would have to be cleared; nothing was written
 *   SCRIP_E_CORRUPT  written, and reads otherwise: a cell does not take its bit
 *   SCRIP_E_NV       memory failed or lost power
 * and add to `*bits` how many cells were programmed. */
#ifndef SCRIP_OTP_MEMORY_H
#define SCRIP_OTP_MEMORY_H

#include <scrip/otp_card.h>

/** The bytes of a block. */
enum scrip_status otp_block_get(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK]);

/** Program a block. */
enum scrip_status otp_block_put(const struct scrip_nv *nv, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK],
                                uint32_t *bits);

/** Is a block in force? For password blocks the password pointer says so, for others the block pointer. */
enum scrip_status otp_block_in_force(const struct scrip_nv *nv, uint8_t block, bool *in_force);

/** Set a block's pointers: from now on it counts and is never written again. */
enum scrip_status otp_block_close(const struct scrip_nv *nv, uint8_t block, uint32_t *bits);

/** The highest programmed unit bit, 0: none. */
enum scrip_status otp_units_used(const struct scrip_nv *nv, uint16_t *used);

/** Program a unit bit, 1..6000. */
enum scrip_status otp_unit_put(const struct scrip_nv *nv, uint16_t unit, uint32_t *bits);

/** Is a bit of the subtraction area programmed? Units and pointers, 1..6144. */
enum scrip_status otp_bit_get(const struct scrip_nv *nv, unsigned bit, bool *set);

#endif
