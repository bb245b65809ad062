/* ciu_air.h: what ciu.c needs of ciu_air.c. */
#ifndef READER_MODEL_CIU_AIR_H
#define READER_MODEL_CIU_AIR_H

#include "ciu.h"

/** Set up the radios of a chip. */
void ciu_air_bind(struct scrip_ciu *ciu);

/** The CRC preset of the Mode register. */
uint16_t ciu_crc_start(const struct scrip_ciu *ciu);

#endif
