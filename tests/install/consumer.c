/* A program of somebody else's: diversifies a key and compares it with the published answer of AN10922, 2.2.1. */
#include <scrip/cmac.h>
#include <scrip/desfire_card.h>
#include <scrip/purse_desfire.h>
#include <scrip/reader.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static const uint8_t master[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                       0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF};
    static const uint8_t input[17] = {0x04, 0x78, 0x2E, 0x21, 0x80, 0x1D, 0x80, 0x30, 0x42,
                                      0xF5, 0x4E, 0x58, 0x50, 0x20, 0x41, 0x62, 0x75};
    static const uint8_t wanted[16] = {0xA8, 0xDD, 0x63, 0xA3, 0xB8, 0x9D, 0x54, 0xB3,
                                       0x7C, 0xA8, 0x02, 0x47, 0x3F, 0xDA, 0x91, 0x75};
    uint8_t key[16];
    if (scrip_an10922(SCRIP_AES128, master, scrip_bytes(input, sizeof input), key) != SCRIP_OK ||
        memcmp(key, wanted, sizeof key) != 0 || scrip_desfire_profile_at(0) == NULL) {
        puts("wrong");
        return 1;
    }
    puts("right");
    return 0;
}
