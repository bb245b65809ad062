/* mifare_sm.h: Crypto-1 over frames, the same for card and reader: data bits, and parity bits under the keystream bit
 * that will encipher the next data bit. */
#ifndef SCRIP_MIFARE_SM_H
#define SCRIP_MIFARE_SM_H

#include <scrip/crypto1.h>
#include <scrip/frame.h>

/** Encipher a frame in place. Frames of four bits have no parity. */
void scrip_mifare_sm_encrypt(struct scrip_crypto1 *cipher, struct scrip_frame *frame);

/** Decipher in place. @return SCRIP_OK; SCRIP_E_MAC: a parity bit is wrong (the frame is deciphered all the same) */
enum scrip_status scrip_mifare_sm_decrypt(struct scrip_crypto1 *cipher, struct scrip_frame *frame);

#endif
