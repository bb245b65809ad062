/* raw.h: frames as software hands them to a reader: bytes, or a stream of bits with parity in it. */
#ifndef SCRIP_COUPLER_RAW_H
#define SCRIP_COUPLER_RAW_H

#include <scrip/coupler.h>

/** What is to be sent. @return SCRIP_OK; SCRIP_E_SPACE: longer than a frame; SCRIP_E_ARGUMENT: nothing */
enum scrip_status raw_to_frame(const struct scrip_coupler_raw *how, struct scrip_bytes tx, struct scrip_frame *frame);

/** What was heard, as scrip_coupler_ops.raw says. @return SCRIP_OK; SCRIP_E_MAC; SCRIP_E_SPACE */
enum scrip_status raw_from_frame(const struct scrip_coupler_raw *how, const struct scrip_frame *frame,
                                 struct scrip_buf *rx, uint8_t *last_bits);

#endif
