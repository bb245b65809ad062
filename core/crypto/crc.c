#include <scrip/crc.h>

/* CRC16 bit by bit: the messages are short, and a table would cost a microcontroller half a KiB. */

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
