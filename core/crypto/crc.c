#include <scrip/crc.h>

/* Bit by bit: the messages are short, and a table would cost a microcontroller 1.5 KiB. */

uint16_t scrip_crc16(uint16_t crc, struct scrip_bytes data)
{
    for (size_t i = 0; i < data.len; i++) {
        crc ^= data.at[i];
        for (int bit = 0; bit < 8; bit++) {
            const uint16_t feedback = (uint16_t)(0U - (crc & 1U));
            crc = (uint16_t)((crc >> 1) ^ (0x8408U & feedback));
        }
    }
    return crc;
}

uint16_t scrip_crc16_a(struct scrip_bytes data)
{
    return scrip_crc16(SCRIP_CRC16_START, data);
}

uint32_t scrip_crc32(uint32_t crc, struct scrip_bytes data)
{
    for (size_t i = 0; i < data.len; i++) {
        crc ^= data.at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
        }
    }
    return crc;
}
