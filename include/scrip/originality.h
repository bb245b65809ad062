/* originality.h: is this chip from NXP? The factory signs each UID; anybody can check it with the public key of the
 * product. It says nothing about who holds the chip now or what is stored on it: a genuine chip can relay another one.
 */
#ifndef SCRIP_ORIGINALITY_H
#define SCRIP_ORIGINALITY_H

#include <scrip/status.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIP_ORIGINALITY_PUBLIC    57U /**< 04 || x || y on secp224r1 */
#define SCRIP_ORIGINALITY_SIGNATURE 56U /**< r || s, as Read_Sig answers */

/** The key that NXP signs a product with, as published. */
struct scrip_originality_key {
    const char *product; /**< "MIFARE DESFire EV2" */
    uint8_t public_key[SCRIP_ORIGINALITY_PUBLIC];
};

/** Key number `i`; NULL behind the last. Static memory. */
const struct scrip_originality_key *scrip_originality_key_at(size_t i);

/** Check a signature: ECDSA over the UID itself, which is taken as the number that is signed, without a hash.
 *  @param uid  the true 7 bytes
 *  @return SCRIP_OK; SCRIP_E_MAC: not signed by that key; SCRIP_E_KEY: no point of the curve */
enum scrip_status scrip_originality_verify(const uint8_t public_key[SCRIP_ORIGINALITY_PUBLIC], const uint8_t uid[7],
                                           const uint8_t signature[SCRIP_ORIGINALITY_SIGNATURE]);

/** Which product's key signed this? NULL: none. Static memory. */
const struct scrip_originality_key *scrip_originality_signer(const uint8_t uid[7],
                                                             const uint8_t signature[SCRIP_ORIGINALITY_SIGNATURE]);

#endif
