/* What must not stand in a trace: keys on their way to the reader, into a trailer, and out of one. */
#include "command.h"
#include <scrip/apdu.h>
#include <scrip/classic.h>
#include <scrip/mifare.h>
#include <string.h>

static bool hide(uint8_t *at, size_t len)
{
    scrip_wipe(at, len);
    return len != 0;
}

static bool is_trailer(size_t block)
{
    return block < 256 && block == scrip_classic_trailer(scrip_classic_sector((uint8_t)block));
}

/* The keys of a trailer, access bits left for the reader of the trace; of a part of one, all of it. */
static bool hide_trailer(uint8_t *data, size_t len)
{
    if (len < SCRIP_CLASSIC_BLOCK) {
        return hide(data, len);
    }
    (void)hide(data, SCRIP_CLASSIC_KEY);
    return hide(data + SCRIP_CLASSIC_BLOCK - SCRIP_CLASSIC_KEY, SCRIP_CLASSIC_KEY);
}

/* Blocks from this one on; a reader may write a trailer behind data in one command. */
static bool hide_trailers(uint8_t *data, size_t len, size_t block)
{
    bool hidden = false;
    for (; len != 0; block++) {
        const size_t part = len < SCRIP_CLASSIC_BLOCK ? len : SCRIP_CLASSIC_BLOCK;
        hidden = (is_trailer(block) && hide_trailer(data, part)) || hidden;
        data += part;
        len -= part;
    }
    return hidden;
}

/* InDataExchange of a PN532: D4 40 target, then a command of MIFARE Classic. */
static bool hide_chip(uint8_t *data, size_t len)
{
    if (len < 5 || data[0] != 0xD4 || data[1] != 0x40) {
        return false;
    }
    uint8_t *body = data + 5;
    const size_t body_len = len - 5;
    switch (data[3]) {
    case SCRIP_MIFARE_AUTH_A:
    case SCRIP_MIFARE_AUTH_B:
        return hide(body, body_len < SCRIP_CLASSIC_KEY ? body_len : SCRIP_CLASSIC_KEY);
    case SCRIP_MIFARE_WRITE:
        return is_trailer(data[4]) && hide_trailer(body, body_len);
    default:
        return false;
    }
}

/* The data of a command; of one that is no APDU, everything behind P2. */
static uint8_t *data_find(uint8_t *command, size_t len, size_t *data_len, bool *sound)
{
    struct scrip_apdu apdu;
    *sound = scrip_apdu_parse(scrip_bytes(command, len), &apdu) == SCRIP_OK;
    if (!*sound) {
        *data_len = len - 4;
        return command + 4;
    }
    *data_len = apdu.data.len;
    return apdu.data.len != 0 ? command + (apdu.data.at - command) : command + 4;
}

bool scrip_pcsc_redact(uint8_t *command, size_t len)
{
    size_t data_len = 0;
    bool sound = false;
    if (len < 5 || command[0] != 0xFF) {
        return false;
    }
    uint8_t *data = data_find(command, len, &data_len, &sound);
    switch (command[1]) {
    case 0x82:
        return hide(data, data_len);
    case 0xD6:
        return sound && command[2] == 0 ? hide_trailers(data, data_len, command[3]) : hide(data, data_len);
    case 0xD7: /* a value, or blocks of a sector counted in a way that differs between readers */
        return (!sound || data_len >= SCRIP_CLASSIC_BLOCK) && hide(data, data_len);
    case 0x00:
        return sound ? hide_chip(data, data_len) : hide(data, data_len);
    default:
        return false;
    }
}

/* D5 41 and a status in front of what a PN532 hands on. */
static bool hide_chip_answer(struct scrip_bytes sent, uint8_t *data, size_t len)
{
    const bool reads = sent.len >= 5 && sent.at[0] == 0xD4 && sent.at[1] == 0x40 && sent.at[3] == SCRIP_MIFARE_READ;
    return reads && len > 3 && is_trailer(sent.at[4]) && hide_trailer(data + 3, len - 3);
}

bool scrip_pcsc_redact_answer(struct scrip_bytes command, uint8_t *answer, size_t len)
{
    struct scrip_apdu apdu;
    if (len <= 2 || scrip_apdu_parse(command, &apdu) != SCRIP_OK || apdu.cla != 0xFF) {
        return false;
    }
    switch (apdu.ins) {
    case 0xB0:
        return apdu.p1 == 0 ? hide_trailers(answer, len - 2, apdu.p2) : hide(answer, len - 2);
    case 0x00:
        return hide_chip_answer(apdu.data, answer, len - 2);
    default:
        return false;
    }
}
