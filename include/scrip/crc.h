/* crc.h: the two checksums of the MIFARE families. */
#ifndef SCRIP_CRC_H
#define SCRIP_CRC_H

#include <scrip/bytes.h>

/** Start of a CRC_A. */
#define SCRIP_CRC16_START 0x6363U

/** Continue a CRC_A (poly 1021 reflected) over `data`. */
uint16_t scrip_crc16(uint16_t crc, struct scrip_bytes data);

/** CRC_A of ISO/IEC 14443-3 (poly 1021 reflected, start 6363h). Sent least significant byte first. */
uint16_t scrip_crc16_a(struct scrip_bytes data);

/** Start of a CRC-32 as DESFire uses it: no final inversion (JAMCRC). */
#define SCRIP_CRC32_START 0xFFFFFFFFU

/** Continue a CRC-32 (poly 04C11DB7 reflected) over `data`. Sent least significant byte first. */
uint32_t scrip_crc32(uint32_t crc, struct scrip_bytes data);

#endif
