/* Reading captures, in either form, from memory. A file is whatever somebody sends us: every length is checked against
 * what is left, unknown blocks, interfaces and frames are passed over, and only damage ends the reading. */
#include "capture_format.h"
#include <scrip/capture.h>
#include <string.h>

enum { TO_CARD, TO_READER };

/* "Nothing to hand out from this, go on": an entry kind of our own. */
#define KIND_NONE ((enum scrip_capture_kind)(-1))

static void card_reset(struct scrip_capture_reader *reader)
{
    memset(&reader->card, 0, sizeof reader->card);
    reader->activated = false;
    reader->card_pending = false;
    reader->len[TO_CARD] = 0;
    reader->len[TO_READER] = 0;
}

/* ---- ISO 14443 frames -------------------------------------------------------------------------------------------- */

/* SELECT at a cascade level: three or four more bytes of the UID. */
static void uid_learn(struct scrip_card_info *card, struct scrip_bytes frame)
{
    const size_t level = (frame.at[0] - 0x93U) / 2U;
    const size_t known = 3 * level;
    const bool more = frame.at[2] == CASCADE_TAG && level < 2;
    memcpy(card->uid + known, frame.at + (more ? 3 : 2), more ? 3 : 4);
    card->uid_len = (uint8_t)(known + (more ? 3 : 4));
}

/* A frame before the card speaks ISO 14443-4. */
static void frame_activation(struct scrip_capture_reader *reader, int way, struct scrip_bytes frame)
{
    const uint8_t first = frame.at[0];
    if (way == TO_CARD && frame.len >= 7 && frame.at[1] == 0x70 && (first == 0x93 || first == 0x95 || first == 0x97)) {
        uid_learn(&reader->card, frame);
    } else if (way == TO_CARD && first == 0xE0 && frame.len >= 2) {
        reader->activated = true; /* RATS; the next frame of the card is its ATS */
        reader->card_pending = true;
        reader->card.ats_len = reader->card.ats_len != 0 ? reader->card.ats_len : UINT8_MAX; /* ATS to come */
    }
}

static void ats_learn(struct scrip_card_info *card, struct scrip_bytes frame)
{
    card->ats_len = 0;
    if (frame.at[0] > 1 && frame.at[0] <= frame.len && frame.at[0] <= sizeof card->ats) {
        memcpy(card->ats, frame.at, frame.at[0]);
        card->ats_len = frame.at[0];
    }
}

static void card_hand_out(struct scrip_capture_reader *reader, struct scrip_capture_entry *entry)
{
    entry->kind = SCRIP_CAPTURE_CARD;
    entry->card = reader->card;
    reader->card_pending = false;
}

/* An ISO 14443-4 block; an APDU is handed out with the last block of its chain. */
static enum scrip_status frame_block(struct scrip_capture_reader *reader, int way, struct scrip_bytes frame,
                                     struct scrip_capture_entry *entry)
{
    const uint8_t pcb = frame.at[0];
    if ((pcb & 0xF7) == 0xC2) { /* S(DESELECT) */
        if (way == TO_CARD) {
            entry->kind = SCRIP_CAPTURE_GONE;
        }
        return SCRIP_OK;
    }
    if ((pcb & 0xE2) != 0x02) {
        return SCRIP_OK; /* acknowledgements and waiting time extensions carry nothing */
    }
    const size_t head = 1U + ((pcb & 0x08) != 0) + ((pcb & 0x04) != 0);
    const struct scrip_bytes part = scrip_bytes_from(frame, head);
    if (part.len > SCRIP_CAPTURE_APDU_MAX - reader->len[way]) {
        return SCRIP_E_FORMAT;
    }
    if (part.len != 0) {
        memcpy(reader->apdu[way] + reader->len[way], part.at, part.len);
    }
    reader->len[way] += part.len;
    if ((pcb & 0x10) == 0) {
        entry->kind = way == TO_CARD ? SCRIP_CAPTURE_COMMAND : SCRIP_CAPTURE_RESPONSE;
        entry->bytes = scrip_bytes(reader->apdu[way], reader->len[way]);
        reader->len[way] = 0;
    }
    return SCRIP_OK;
}

static enum scrip_status frame_take(struct scrip_capture_reader *reader, int way, struct scrip_bytes frame,
                                    struct scrip_capture_entry *entry)
{
    if (frame.len == 0) {
        return SCRIP_OK;
    }
    if (way == TO_CARD && frame.len == 1 && (frame.at[0] == 0x26 || frame.at[0] == 0x52)) { /* REQA, WUPA */
        if (reader->activated) { /* else the field has just come on, perhaps with an ATR */
            card_reset(reader);
        }
        return SCRIP_OK;
    }
    if (!reader->activated) {
        frame_activation(reader, way, frame);
        return SCRIP_OK;
    }
    if (reader->card_pending) {
        if (way == TO_READER) {
            if (reader->card.ats_len == UINT8_MAX) {
                ats_learn(&reader->card, frame);
            }
            card_hand_out(reader, entry);
        }
        return SCRIP_OK; /* a second RATS: still waiting for the ATS */
    }
    return frame_block(reader, way, frame, entry);
}

/* @return SCRIP_E_FORMAT: no hex; SCRIP_E_SPACE */
static enum scrip_status hex_take(struct scrip_bytes text, uint8_t *at, size_t cap, size_t *len)
{
    struct scrip_buf out = scrip_buf(at, cap);
    SCRIP_TRY(scrip_buf_add_hex(&out, text));
    *len = out.len;
    return SCRIP_OK;
}

/* The comment of "field on" names the ATR of a card whose reader tells no ATS. */
static void atr_learn(struct scrip_capture_reader *reader, struct scrip_bytes comment)
{
    size_t len = 0;
    if (comment.len > 4 && memcmp(comment.at, "ATR ", 4) == 0 &&
        hex_take(scrip_bytes_from(comment, 4), reader->card.ats, sizeof reader->card.ats, &len) == SCRIP_OK) {
        reader->card.ats_len = (uint8_t)len;
    }
}

/* A packet of link type ISO 14443: pseudo header and frame. */
static enum scrip_status packet_take(struct scrip_capture_reader *reader, struct scrip_bytes data,
                                     struct scrip_bytes comment, struct scrip_capture_entry *entry)
{
    if (data.len < ISO14443_HEADER || data.at[0] != 0) {
        return SCRIP_OK;
    }
    const uint8_t event = data.at[1];
    struct scrip_bytes frame = scrip_bytes_head(scrip_bytes_from(data, ISO14443_HEADER), scrip_get_be16(data.at + 2));
    switch (event) {
    case EVENT_FIELD_ON:
        card_reset(reader);
        atr_learn(reader, comment);
        return SCRIP_OK;
    case EVENT_FIELD_OFF:
        card_reset(reader);
        entry->kind = SCRIP_CAPTURE_GONE;
        entry->bytes = comment;
        return SCRIP_OK;
    case EVENT_TO_CARD:
    case EVENT_TO_READER:
        if (frame.len > 2) { /* two bytes of CRC, except behind the short frames */
            frame.len -= 2;
        }
        return frame_take(reader, event == EVENT_TO_CARD ? TO_CARD : TO_READER, frame, entry);
    case EVENT_TO_CARD_X:
    case EVENT_TO_READER_X:
        return frame_take(reader, event == EVENT_TO_CARD_X ? TO_CARD : TO_READER, frame, entry);
    default:
        return SCRIP_OK;
    }
}

/* ---- pcapng ------------------------------------------------------------------------------------------------------ */

static uint32_t get32(const struct scrip_capture_reader *reader, const uint8_t *at)
{
    return reader->big_endian ? scrip_get_be32(at) : scrip_get_le32(at);
}

static uint16_t get16(const struct scrip_capture_reader *reader, const uint8_t *at)
{
    return reader->big_endian ? scrip_get_be16(at) : scrip_get_le16(at);
}

/* The value of option `code` among `options`; empty if it is not there. */
static struct scrip_bytes option_find(const struct scrip_capture_reader *reader, struct scrip_bytes options,
                                      uint16_t code)
{
    while (options.len >= 4) {
        const uint16_t found = get16(reader, options.at);
        const size_t len = get16(reader, options.at + 2);
        options = scrip_bytes_from(options, 4);
        if (found == 0 || len > options.len) {
            break;
        }
        if (found == code) {
            return scrip_bytes_head(options, len);
        }
        options = scrip_bytes_from(options, (len + 3) / 4 * 4);
    }
    return scrip_bytes(NULL, 0);
}

static uint64_t to_ns(uint64_t at, uint8_t resolution)
{
    if ((resolution & 0x80) != 0) {
        const unsigned shift = resolution & 0x7F;
        if (shift >= 64) {
            return 0;
        }
        const uint64_t seconds = at >> shift;
        const uint64_t part = at - (seconds << shift);
        return seconds * 1000000000U + (uint64_t)((double)part * 1e9 / (double)(1ULL << shift));
    }
    for (; resolution < 9; resolution++) {
        at *= 10;
    }
    for (; resolution > 9; resolution--) {
        at /= 10;
    }
    return at;
}

static void interface_take(struct scrip_capture_reader *reader, struct scrip_bytes body)
{
    if (body.len < 8 || reader->interfaces == SCRIP_CAPTURE_INTERFACES) {
        return;
    }
    const struct scrip_bytes resolution = option_find(reader, scrip_bytes_from(body, 8), PCAPNG_TS_RESOL);
    reader->interface[reader->interfaces].iso14443 = get16(reader, body.at) == PCAPNG_ISO14443;
    reader->interface[reader->interfaces].ts_resol = resolution.len == 1 ? resolution.at[0] : 6;
    reader->interfaces++;
}

static enum scrip_status enhanced_take(struct scrip_capture_reader *reader, struct scrip_bytes body,
                                       struct scrip_capture_entry *entry)
{
    if (body.len < 20) {
        return SCRIP_E_FORMAT;
    }
    const size_t interface = get32(reader, body.at);
    const size_t len = get32(reader, body.at + 12);
    const struct scrip_bytes rest = scrip_bytes_from(body, 20);
    if (len > rest.len) {
        return SCRIP_E_FORMAT;
    }
    if (interface >= reader->interfaces || !reader->interface[interface].iso14443) {
        return SCRIP_OK;
    }
    const uint64_t at = (uint64_t)get32(reader, body.at + 4) << 32 | get32(reader, body.at + 8);
    entry->at_ns = to_ns(at, reader->interface[interface].ts_resol);
    const struct scrip_bytes options = scrip_bytes_from(rest, (len + 3) / 4 * 4);
    return packet_take(reader, scrip_bytes_head(rest, len), option_find(reader, options, PCAPNG_COMMENT), entry);
}

static enum scrip_status simple_take(struct scrip_capture_reader *reader, struct scrip_bytes body,
                                     struct scrip_capture_entry *entry)
{
    if (body.len < 4) {
        return SCRIP_E_FORMAT;
    }
    if (reader->interfaces == 0 || !reader->interface[0].iso14443) {
        return SCRIP_OK;
    }
    const struct scrip_bytes data = scrip_bytes_head(scrip_bytes_from(body, 4), get32(reader, body.at));
    return packet_take(reader, data, scrip_bytes(NULL, 0), entry);
}

/* A section may be in another byte order than the one before. */
static enum scrip_status section_begin(struct scrip_capture_reader *reader)
{
    if (reader->rest.len < 12) {
        return SCRIP_E_FORMAT;
    }
    const uint8_t *magic = reader->rest.at + 8;
    reader->big_endian = scrip_get_be32(magic) == PCAPNG_MAGIC;
    if (!reader->big_endian && scrip_get_le32(magic) != PCAPNG_MAGIC) {
        return SCRIP_E_FORMAT;
    }
    reader->interfaces = 0;
    card_reset(reader);
    return SCRIP_OK;
}

static enum scrip_status block_take(struct scrip_capture_reader *reader, struct scrip_capture_entry *entry)
{
    if (reader->rest.len < 12) {
        return SCRIP_E_FORMAT;
    }
    if (scrip_get_le32(reader->rest.at) == PCAPNG_SECTION) { /* a palindrome: the same in either order */
        SCRIP_TRY(section_begin(reader));
    }
    const uint32_t type = get32(reader, reader->rest.at);
    const size_t len = get32(reader, reader->rest.at + 4);
    if (len < 12 || len % 4 != 0 || len > reader->rest.len) {
        return SCRIP_E_FORMAT;
    }
    const struct scrip_bytes body = scrip_bytes(reader->rest.at + 8, len - 12);
    reader->rest = scrip_bytes_from(reader->rest, len);
    switch (type) {
    case PCAPNG_INTERFACE:
        interface_take(reader, body);
        return SCRIP_OK;
    case PCAPNG_PACKET:
        return enhanced_take(reader, body, entry);
    case PCAPNG_SIMPLE:
        return simple_take(reader, body, entry);
    default:
        return SCRIP_OK;
    }
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* The part of a line up to a blank; the blank goes too. */
static struct scrip_bytes word_take(struct scrip_bytes *line)
{
    size_t len = 0;
    while (len < line->len && line->at[len] != ' ') {
        len++;
    }
    const struct scrip_bytes word = scrip_bytes_head(*line, len);
    *line = scrip_bytes_from(*line, len < line->len ? len + 1 : len);
    return word;
}

static bool word_is(struct scrip_bytes word, const char *text)
{
    return scrip_bytes_equal(word, scrip_bytes(text, strlen(text)));
}

/* Seconds with nine decimals. */
static enum scrip_status time_take(struct scrip_bytes word, uint64_t *at_ns)
{
    uint64_t at = 0;
    size_t digits = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '.' && i + 10 == word.len && i > 0) {
            continue;
        }
        if (word.at[i] < '0' || word.at[i] > '9' || ++digits > 19) {
            return SCRIP_E_FORMAT;
        }
        at = at * 10 + (uint64_t)(word.at[i] - '0');
    }
    *at_ns = at;
    return word.len > 10 && digits + 1 == word.len ? SCRIP_OK : SCRIP_E_FORMAT;
}

static enum scrip_status text_card(struct scrip_bytes line, struct scrip_capture_entry *entry)
{
    size_t len = 0;
    if (!word_is(word_take(&line), "uid")) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(hex_take(word_take(&line), entry->card.uid, sizeof entry->card.uid, &len));
    entry->card.uid_len = (uint8_t)len;
    const struct scrip_bytes name = word_take(&line);
    if (!word_is(name, "ats") && !word_is(name, "atr")) {
        return SCRIP_E_FORMAT;
    }
    SCRIP_TRY(hex_take(word_take(&line), entry->card.ats, sizeof entry->card.ats, &len));
    entry->card.ats_len = (uint8_t)len;
    entry->kind = SCRIP_CAPTURE_CARD;
    return SCRIP_OK;
}

static enum scrip_status text_apdu(struct scrip_capture_reader *reader, struct scrip_bytes line,
                                   enum scrip_capture_kind kind, struct scrip_capture_entry *entry)
{
    size_t len = 0;
    SCRIP_TRY(hex_take(line, reader->hex, sizeof reader->hex, &len));
    entry->kind = kind;
    entry->bytes = scrip_bytes(reader->hex, len);
    return SCRIP_OK;
}

static enum scrip_status line_take(struct scrip_capture_reader *reader, struct scrip_capture_entry *entry)
{
    const uint8_t *end = memchr(reader->rest.at, '\n', reader->rest.len);
    const size_t len = end != NULL ? (size_t)(end - reader->rest.at) : reader->rest.len;
    struct scrip_bytes line = scrip_bytes_head(reader->rest, len);
    reader->rest = scrip_bytes_from(reader->rest, end != NULL ? len + 1 : len);
    if (line.len != 0 && line.at[line.len - 1] == '\r') {
        line.len--;
    }
    if (line.len == 0 || line.at[0] == '#') {
        return SCRIP_OK;
    }
    SCRIP_TRY(time_take(word_take(&line), &entry->at_ns));
    const struct scrip_bytes what = word_take(&line);
    if (word_is(what, ">")) {
        return text_apdu(reader, line, SCRIP_CAPTURE_COMMAND, entry);
    }
    if (word_is(what, "<")) {
        return text_apdu(reader, line, SCRIP_CAPTURE_RESPONSE, entry);
    }
    if (word_is(what, "card")) {
        return text_card(line, entry);
    }
    entry->kind = word_is(what, "gone") ? SCRIP_CAPTURE_GONE : SCRIP_CAPTURE_NOTE;
    entry->bytes = line;
    return SCRIP_OK;
}

/* ---- Public ------------------------------------------------------------------------------------------------------ */

enum scrip_status scrip_capture_read(struct scrip_capture_reader *reader, struct scrip_bytes file)
{
    const size_t head = sizeof TEXT_HEAD - 1;
    const bool text = file.len >= head && memcmp(file.at, TEXT_HEAD, head) == 0;
    if (!text && (file.len < 12 || scrip_get_le32(file.at) != PCAPNG_SECTION)) {
        return SCRIP_E_FORMAT;
    }
    memset(reader, 0, offsetof(struct scrip_capture_reader, apdu));
    reader->rest = file;
    reader->text = text;
    return SCRIP_OK;
}

enum scrip_status scrip_capture_next(struct scrip_capture_reader *reader, struct scrip_capture_entry *entry)
{
    while (reader->rest.len != 0) {
        *entry = (struct scrip_capture_entry){.kind = KIND_NONE};
        const enum scrip_status status = reader->text ? line_take(reader, entry) : block_take(reader, entry);
        if (status != SCRIP_OK) {
            reader->rest.len = 0;
            return SCRIP_E_FORMAT;
        }
        if (entry->kind != KIND_NONE) {
            return SCRIP_OK;
        }
    }
    return SCRIP_E_NOT_FOUND;
}
