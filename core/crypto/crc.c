#include <scrip/crc.h>

/* CRC16 a byte at a time without a table, which would cost a microcontroller half a KiB: of the polynomial's terms 16,
 * 12, 5 and 0 the eight steps of a byte leave the byte itself in three places, once it was folded on itself. [ISO/IEC
 * 14443-3, annex B] */

uint16_t scrip_crc16(uint16_t crc, struct scrip_bytes data)
{
    for (size_t i = 0; i < data.len; i++) {
        unsigned byte = (crc ^ data.at[i]) & 0xFFU;
        byte ^= byte << 4 & 0xFFU;
        crc = (uint16_t)((unsigned)crc >> 8 ^ byte << 8 ^ byte << 3 ^ byte >> 4);
    }
    return crc;
}

uint16_t scrip_crc16_a(struct scrip_bytes data)
{
    return scrip_crc16(SCRIP_CRC16_START, data);
}

#if __STDC_HOSTED__
/* Four bytes at a time, out of tables that the compiler makes: a table is linear, so the remainders of the eight single
 * bits give all 256 of it. */
#define OF_BIT(n, bit, remainder) (((n) >> (bit)&1U) != 0 ? (remainder) : 0U)
#define BYTE0(n)                                                                                                       \
    (OF_BIT(n, 0, 0x77073096U) ^ OF_BIT(n, 1, 0xEE0E612CU) ^ OF_BIT(n, 2, 0x076DC419U) ^ OF_BIT(n, 3, 0x0EDB8832U) ^   \
     OF_BIT(n, 4, 0x1DB71064U) ^ OF_BIT(n, 5, 0x3B6E20C8U) ^ OF_BIT(n, 6, 0x76DC4190U) ^ OF_BIT(n, 7, 0xEDB88320U))
#define BYTE1(n)                                                                                                       \
    (OF_BIT(n, 0, 0x191B3141U) ^ OF_BIT(n, 1, 0x32366282U) ^ OF_BIT(n, 2, 0x646CC504U) ^ OF_BIT(n, 3, 0xC8D98A08U) ^   \
     OF_BIT(n, 4, 0x4AC21251U) ^ OF_BIT(n, 5, 0x958424A2U) ^ OF_BIT(n, 6, 0xF0794F05U) ^ OF_BIT(n, 7, 0x3B83984BU))
#define BYTE2(n)                                                                                                       \
    (OF_BIT(n, 0, 0x01C26A37U) ^ OF_BIT(n, 1, 0x0384D46EU) ^ OF_BIT(n, 2, 0x0709A8DCU) ^ OF_BIT(n, 3, 0x0E1351B8U) ^   \
     OF_BIT(n, 4, 0x1C26A370U) ^ OF_BIT(n, 5, 0x384D46E0U) ^ OF_BIT(n, 6, 0x709A8DC0U) ^ OF_BIT(n, 7, 0xE1351B80U))
#define BYTE3(n)                                                                                                       \
    (OF_BIT(n, 0, 0xB8BC6765U) ^ OF_BIT(n, 1, 0xAA09C88BU) ^ OF_BIT(n, 2, 0x8F629757U) ^ OF_BIT(n, 3, 0xC5B428EFU) ^   \
     OF_BIT(n, 4, 0x5019579FU) ^ OF_BIT(n, 5, 0xA032AF3EU) ^ OF_BIT(n, 6, 0x9B14583DU) ^ OF_BIT(n, 7, 0xED59B63BU))
#define ROW4(byte, n)  byte(n), byte(n + 1U), byte(n + 2U), byte(n + 3U)
#define ROW16(byte, n) ROW4(byte, n), ROW4(byte, n + 4U), ROW4(byte, n + 8U), ROW4(byte, n + 12U)
#define ROW64(byte, n) ROW16(byte, n), ROW16(byte, n + 16U), ROW16(byte, n + 32U), ROW16(byte, n + 48U)
#define ROW256(byte)                                                                                                   \
    {                                                                                                                  \
        ROW64(byte, 0U), ROW64(byte, 64U), ROW64(byte, 128U), ROW64(byte, 192U)                                        \
    }

static const uint32_t crc32_of_byte[4][256] = {ROW256(BYTE0), ROW256(BYTE1), ROW256(BYTE2), ROW256(BYTE3)};

uint32_t scrip_crc32(uint32_t crc, struct scrip_bytes data)
{
    size_t i = 0;
    for (; i + 4 <= data.len; i += 4) {
        crc ^= scrip_get_le32(data.at + i);
        crc = crc32_of_byte[3][crc & 0xFFU] ^ crc32_of_byte[2][crc >> 8 & 0xFFU] ^ crc32_of_byte[1][crc >> 16 & 0xFFU] ^
              crc32_of_byte[0][crc >> 24];
    }
    for (; i < data.len; i++) {
        crc = (crc >> 8) ^ crc32_of_byte[0][(crc ^ data.at[i]) & 0xFFU];
    }
    return crc;
}
#else
/* Half a byte at a time: the card's commit record sums over whole pages, and 64 bytes of table are little. */
static const uint32_t crc32_of_nibble[16] = {
    0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U, 0x4DB26158U, 0x5005713CU,
    0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU, 0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU,
};

uint32_t scrip_crc32(uint32_t crc, struct scrip_bytes data)
{
    for (size_t i = 0; i < data.len; i++) {
        crc ^= data.at[i];
        crc = (crc >> 4) ^ crc32_of_nibble[crc & 0xFU];
        crc = (crc >> 4) ^ crc32_of_nibble[crc & 0xFU];
    }
    return crc;
}
#endif
