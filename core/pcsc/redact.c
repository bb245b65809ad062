/* What must not stand in a trace: keys on their way to the reader, into a trailer, and out of one.
 *
 * Raw frames, of a transparent session and through the chip (InCommunicateThru), are those of a program that speaks
 * MIFARE Classic by itself while the reader enciphers: a trailer is written in two of them, of which only the first
 * says where, and is read by one whose answer says nothing. So what a frame announces is remembered. */
#include "session.h"
#include <scrip/apdu.h>
#include <scrip/classic.h>
#include <scrip/crc.h>
#include <scrip/mifare.h>
#include <string.h>

enum { EXCHANGE = 1 }; /* P2 of a transparent exchange */

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

/* ---- Raw frames -------------------------------------------------------------------------------------------------- */

/* Nine bits to the byte: that many bytes are what they say they are. */
static bool parity_take(struct scrip_bytes bits, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned two = (unsigned)bits.at[9 * i / 8] | (unsigned)bits.at[9 * i / 8 + 1] << 8;
        bytes[i] = (uint8_t)(two >> i);
        if ((two >> (i + 8) & 1U) != (scrip_odd_parity(bytes[i]) ? 1U : 0U)) {
            return false;
        }
    }
    return true;
}

/* Code and block of a command of two bytes, with the reader's CRC or its own, and with its own parity. */
static bool command_take(struct scrip_bytes frame, uint8_t command[2])
{
    switch (frame.len) {
    case 2:
        memcpy(command, frame.at, 2);
        return true;
    case 4:
        memcpy(command, frame.at, 2);
        return scrip_crc16_a(scrip_bytes_head(frame, 2)) == scrip_get_le16(frame.at + 2);
    case 3: /* 18 bits */
    case 5: /* 36 bits */
        return parity_take(frame, command, 2);
    default:
        return false;
    }
}

/* A block as it is leaves its access bits to the reader of the trace; in any other form all of it goes. */
static bool hide_block(uint8_t *data, size_t len)
{
    return len == SCRIP_CLASSIC_BLOCK ? hide_trailer(data, len) : hide(data, len);
}

/* One frame to the card. */
static bool hide_frame(struct scrip_pcsc_redaction *seen, uint8_t *data, size_t len)
{
    uint8_t command[2] = {0};
    const bool is_content = seen->writes;
    const bool at_trailer = command_take(scrip_bytes(data, len), command) && is_trailer(command[1]);
    seen->writes = at_trailer && command[0] == SCRIP_MIFARE_WRITE;
    seen->reads = seen->reads || (at_trailer && command[0] == SCRIP_MIFARE_READ);
    return is_content && !seen->writes && hide_block(data, len);
}

/* The objects of a transparent exchange; what is behind the last sound one may be anything. */
static bool hide_objects(struct scrip_pcsc_redaction *seen, uint8_t *data, size_t len)
{
    struct scrip_bytes left = scrip_bytes(data, len);
    struct scrip_bytes value;
    uint16_t tag = 0;
    bool hidden = false;
    bool any = false;
    while (left.len != 0) {
        const size_t at = len - left.len;
        if (pcsc_tlv_take(&left, &tag, &value) != SCRIP_OK) {
            return hide(data + at, len - at) || hidden;
        }
        if (tag == TAG_TRANSMIT || tag == TAG_TRANSCEIVE) {
            seen->reads = seen->reads && any; /* what came before this command has been answered */
            any = true;
            hidden = hide_frame(seen, data + (value.at - data), value.len) || hidden;
        }
    }
    return hidden;
}

/* What was heard, where a trailer was asked for: not an acknowledgement, which is one byte. */
static bool hide_heard(uint8_t *answer, size_t len)
{
    struct scrip_bytes left = scrip_bytes(answer, len);
    struct scrip_bytes value;
    uint16_t tag = 0;
    bool hidden = false;
    while (left.len != 0) {
        const size_t at = len - left.len;
        if (pcsc_tlv_take(&left, &tag, &value) != SCRIP_OK) {
            return hide(answer + at, len - at) || hidden;
        }
        if (tag == TAG_RESPONSE && value.len > 1) {
            hidden = hide_block(answer + (value.at - answer), value.len) || hidden;
        }
    }
    return hidden;
}

/* ---- The chip ---------------------------------------------------------------------------------------------------- */

/* InCommunicateThru of a PN532, D4 42 and a raw frame; InDataExchange, D4 40 target, then a command of MIFARE Classic.
 */
static bool hide_chip(struct scrip_pcsc_redaction *seen, uint8_t *data, size_t len)
{
    if (len > 2 && data[0] == 0xD4 && data[1] == 0x42) {
        seen->reads = false;
        return hide_frame(seen, data + 2, len - 2);
    }
    seen->writes = false;
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

bool scrip_pcsc_redact(struct scrip_pcsc_redaction *seen, uint8_t *command, size_t len)
{
    size_t data_len = 0;
    bool sound = false;
    if (len < 5 || command[0] != 0xFF) {
        return false;
    }
    uint8_t *data = data_find(command, len, &data_len, &sound);
    if (command[1] != 0xC2 && command[1] != 0x00) {
        seen->writes = false; /* the reader selects anew */
    }
    switch (command[1]) {
    case 0x82:
        return hide(data, data_len);
    case 0xD6:
        return sound && command[2] == 0 ? hide_trailers(data, data_len, command[3]) : hide(data, data_len);
    case 0xD7: /* a value, or blocks of a sector counted in a way that differs between readers */
        return (!sound || data_len >= SCRIP_CLASSIC_BLOCK) && hide(data, data_len);
    case 0x00:
        return sound ? hide_chip(seen, data, data_len) : hide(data, data_len);
    case 0xC2:
        if (command[3] != EXCHANGE) {
            return false;
        }
        return sound ? hide_objects(seen, data, data_len) : hide(data, data_len);
    default:
        return false;
    }
}

/* D5 41 or 43 and a status in front of what a PN532 hands on. */
static bool hide_chip_answer(const struct scrip_pcsc_redaction *seen, struct scrip_bytes sent, uint8_t *data,
                             size_t len)
{
    if (sent.len >= 3 && sent.at[0] == 0xD4 && sent.at[1] == 0x42) {
        return seen->reads && len > 4 && hide_block(data + 3, len - 3);
    }
    const bool reads = sent.len >= 5 && sent.at[0] == 0xD4 && sent.at[1] == 0x40 && sent.at[3] == SCRIP_MIFARE_READ;
    return reads && len > 3 && is_trailer(sent.at[4]) && hide_trailer(data + 3, len - 3);
}

bool scrip_pcsc_redact_answer(const struct scrip_pcsc_redaction *seen, struct scrip_bytes command, uint8_t *answer,
                              size_t len)
{
    struct scrip_apdu apdu;
    if (len <= 2 || scrip_apdu_parse(command, &apdu) != SCRIP_OK || apdu.cla != 0xFF) {
        return false;
    }
    switch (apdu.ins) {
    case 0xB0:
        return apdu.p1 == 0 ? hide_trailers(answer, len - 2, apdu.p2) : hide(answer, len - 2);
    case 0x00:
        return hide_chip_answer(seen, apdu.data, answer, len - 2);
    case 0xC2:
        return apdu.p2 == EXCHANGE && seen->reads && hide_heard(answer, len - 2);
    default:
        return false;
    }
}
