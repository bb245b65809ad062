/* mifare_sm.h: Crypto-1 over frames, the same for card and reader: data bits, and parity bits under the keystream bit
 * that will encipher the next data bit. Both ends run through the same keystream; silence takes none of it. */
#ifndef SCRIP_MIFARE_SM_H
#define SCRIP_MIFARE_SM_H

#include <scrip/crypto1.h>
#include <scrip/frame.h>

/** Encipher a frame in place. Only bytes that are complete have parity: answers of four bits have none. */
void scrip_mifare_sm_encrypt(struct scrip_crypto1 *cipher, struct scrip_frame *frame);

/** Decipher in place. @return SCRIP_OK; SCRIP_E_MAC: a parity bit is wrong (the frame is deciphered all the same) */
enum scrip_status scrip_mifare_sm_decrypt(struct scrip_crypto1 *cipher, struct scrip_frame *frame);

/* ---- the frames of an authentication: their first four bytes are fed back as they are enciphered ---- */

/** Encipher {nR}{aR} at the reader (mask 0), or the nonce of a nested authentication at the card (mask: uid4; the new
 *  key was loaded). A frame of less than four bytes is left alone. */
void scrip_mifare_sm_encrypt_nonce(struct scrip_crypto1 *cipher, struct scrip_frame *frame, uint32_t mask);

/** Decipher {nR}{aR} at the card (mask 0), or the nested nonce at the reader (mask: uid4; the new key was loaded).
 *  @return as scrip_mifare_sm_decrypt; SCRIP_E_LENGTH: less than four bytes, nothing was done */
enum scrip_status scrip_mifare_sm_decrypt_nonce(struct scrip_crypto1 *cipher, struct scrip_frame *frame, uint32_t mask);

#endif
