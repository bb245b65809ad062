/* The card header, file 1. */
#include <scrip/crc.h>
#include <scrip/purse_desfire.h>
#include <string.h>

enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_PROFILE = 5,
    AT_CURRENCY = 6,
    AT_EXPONENT = 8,
    AT_NUMBER = 10,
    AT_ISSUED = 20,
    AT_EXPIRES = 28,
    AT_ISSUER = 32,
    AT_FREE = 64,
    AT_CRC = 124,
};

#define LAYOUT_VERSION 1U
#define NUMBER_DIGITS  20U
#define FILLER         0xFU

static uint32_t checksum(const uint8_t *header)
{
    return scrip_crc32(SCRIP_CRC32_START, scrip_bytes(header, AT_CRC));
}

static enum scrip_status put_number(const char *text, uint8_t out[10])
{
    memset(out, 0xFF, 10);
    size_t i = 0;
    for (; text[i] != '\0'; i++) {
        if (i == NUMBER_DIGITS || text[i] < '0' || text[i] > '9') {
            return SCRIP_E_ARGUMENT;
        }
        const unsigned digit = (unsigned)(text[i] - '0');
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 | FILLER : (out[i / 2] & 0xF0U) | digit);
    }
    return i > 0 ? SCRIP_OK : SCRIP_E_ARGUMENT;
}

static enum scrip_status get_number(const uint8_t in[10], char out[NUMBER_DIGITS + 1])
{
    size_t len = 0;
    for (size_t i = 0; i < NUMBER_DIGITS; i++) {
        const unsigned digit = i % 2 == 0 ? in[i / 2] >> 4 : in[i / 2] & 0xFU;
        if (digit == FILLER) {
            break;
        }
        if (digit > 9) {
            return SCRIP_E_FORMAT;
        }
        out[len++] = (char)('0' + digit);
    }
    out[len] = '\0';
    return len > 0 ? SCRIP_OK : SCRIP_E_FORMAT;
}

/* One decimal digit off a number in place, most significant byte first. */
static char last_digit(uint8_t number[7], bool *is_zero)
{
    unsigned rest = 0;
    *is_zero = true;
    for (size_t i = 0; i < 7; i++) {
        rest = rest << 8 | number[i];
        number[i] = (uint8_t)(rest / 10);
        rest %= 10;
        *is_zero = *is_zero && number[i] == 0;
    }
    return (char)('0' + rest);
}

void scrip_purse_number_of_uid(const uint8_t uid[7], char text[21])
{
    uint8_t number[7];
    char digits[NUMBER_DIGITS];
    size_t len = 0;
    bool is_zero = false;
    memcpy(number, uid, sizeof number);
    while (!is_zero) { /* 17 digits at most */
        digits[len++] = last_digit(number, &is_zero);
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = digits[len - 1 - i];
    }
    text[len] = '\0';
}

enum scrip_status scrip_purse_header_put(const struct scrip_purse_header *header, uint8_t out[SCRIP_PURSE_HEADER])
{
    uint8_t at[SCRIP_PURSE_HEADER] = {'S', 'C', 'R', 'P', LAYOUT_VERSION, header->profile};
    scrip_put_le16(at + AT_CURRENCY, header->currency);
    at[AT_EXPONENT] = header->exponent;
    SCRIP_TRY(put_number(header->card_number, at + AT_NUMBER));
    memcpy(at + AT_ISSUED, header->issued, sizeof header->issued);
    memcpy(at + AT_EXPIRES, header->expires, sizeof header->expires);
    memcpy(at + AT_ISSUER, header->issuer, sizeof header->issuer - 1);
    memcpy(at + AT_FREE, header->free_data, sizeof header->free_data);
    scrip_put_le32(at + AT_CRC, checksum(at));
    memcpy(out, at, sizeof at);
    return SCRIP_OK;
}

enum scrip_status scrip_purse_header_get(struct scrip_bytes in, struct scrip_purse_header *header)
{
    if (in.len != SCRIP_PURSE_HEADER || memcmp(in.at + AT_MAGIC, "SCRP", 4) != 0) {
        return SCRIP_E_FORMAT;
    }
    if (in.at[AT_VERSION] > LAYOUT_VERSION) {
        return SCRIP_E_UNSUPPORTED;
    }
    if (scrip_get_le32(in.at + AT_CRC) != checksum(in.at)) {
        return SCRIP_E_CORRUPT;
    }
    struct scrip_purse_header read = {
        .profile = in.at[AT_PROFILE],
        .currency = scrip_get_le16(in.at + AT_CURRENCY),
        .exponent = in.at[AT_EXPONENT],
    };
    SCRIP_TRY(get_number(in.at + AT_NUMBER, read.card_number));
    memcpy(read.issued, in.at + AT_ISSUED, sizeof read.issued);
    memcpy(read.expires, in.at + AT_EXPIRES, sizeof read.expires);
    memcpy(read.issuer, in.at + AT_ISSUER, sizeof read.issuer - 1);
    memcpy(read.free_data, in.at + AT_FREE, sizeof read.free_data);
    *header = read;
    return SCRIP_OK;
}
