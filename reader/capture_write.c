/* Writing captures. Everything is flushed at once: a capture is wanted most when the program that made it died. */
#include "capture_format.h"
#include <inttypes.h>
#include <scrip/capture.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct scrip_capture {
    FILE *file;
    bool text;
    const struct scrip_clock *clock;
    uint8_t block_number;
};

static uint64_t now_ns(const struct scrip_capture *capture)
{
    if (capture->clock != NULL) {
        return capture->clock->now_ms(capture->clock->ctx) * 1000000U;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static enum scrip_status flushed(struct scrip_capture *capture)
{
    return fflush(capture->file) == 0 && ferror(capture->file) == 0 ? SCRIP_OK : SCRIP_E_IO;
}

/* ---- pcapng ------------------------------------------------------------------------------------------------------ */

static void put(FILE *file, struct scrip_bytes bytes)
{
    if (bytes.len != 0) {
        fwrite(bytes.at, 1, bytes.len, file);
    }
}

static void put16(FILE *file, uint16_t value)
{
    fwrite(&value, 1, sizeof value, file); /* pcapng is in the byte order of its writer, and says so */
}

static void put32(FILE *file, uint32_t value)
{
    fwrite(&value, 1, sizeof value, file);
}

static void pad(FILE *file, size_t len)
{
    fwrite("\0\0\0", 1, (4 - len % 4) % 4, file);
}

static void option(FILE *file, uint16_t code, const void *value, size_t len)
{
    put16(file, code);
    put16(file, (uint16_t)len);
    fwrite(value, 1, len, file);
    pad(file, len);
}

static uint32_t padded(size_t len)
{
    return (uint32_t)((len + 3) / 4 * 4);
}

static void section_write(FILE *file)
{
    static const char name[] = "scrip";
    const uint32_t len = 28 + 4 + padded(sizeof name - 1) + 4;
    put32(file, PCAPNG_SECTION);
    put32(file, len);
    put32(file, PCAPNG_MAGIC);
    put16(file, 1);
    put16(file, 0);
    put32(file, UINT32_MAX); /* section length, 8 bytes: unknown */
    put32(file, UINT32_MAX);
    option(file, PCAPNG_USER_APPL, name, sizeof name - 1);
    put32(file, 0); /* end of options */
    put32(file, len);

    put32(file, PCAPNG_INTERFACE);
    put32(file, 20 + 8 + 4);
    put16(file, PCAPNG_ISO14443);
    put16(file, 0);
    put32(file, 0); /* no snap length */
    option(file, PCAPNG_TS_RESOL, "\x09", 1);
    put32(file, 0);
    put32(file, 20 + 8 + 4);
}

/* One packet: event, bytes in two parts (a head of its own and the payload), and a comment or NULL. */
static void packet_write(struct scrip_capture *capture, uint8_t event, struct scrip_bytes head,
                         struct scrip_bytes payload, const char *comment)
{
    FILE *file = capture->file;
    const size_t inner = head.len + payload.len;
    const size_t data = ISO14443_HEADER + inner;
    const size_t comment_len = comment != NULL ? strlen(comment) : 0;
    const uint32_t options = comment_len != 0 ? 4 + padded(comment_len) + 4 : 0;
    const uint32_t len = 32 + padded(data) + options;
    const uint64_t at = now_ns(capture);
    const uint8_t pseudo[ISO14443_HEADER] = {0, event, (uint8_t)(inner >> 8), (uint8_t)inner};
    put32(file, PCAPNG_PACKET);
    put32(file, len);
    put32(file, 0); /* interface */
    put32(file, (uint32_t)(at >> 32));
    put32(file, (uint32_t)at);
    put32(file, (uint32_t)data);
    put32(file, (uint32_t)data);
    fwrite(pseudo, 1, sizeof pseudo, file);
    put(file, head);
    put(file, payload);
    pad(file, data);
    if (options != 0) {
        option(file, PCAPNG_COMMENT, comment, comment_len);
        put32(file, 0);
    }
    put32(file, len);
}

static void frame_write(struct scrip_capture *capture, uint8_t event, const void *at, size_t len)
{
    packet_write(capture, event, scrip_bytes(NULL, 0), scrip_bytes(at, len), NULL);
}

/* One cascade level: SELECT with four bytes and their check byte, and the SAK. */
static void select_write(struct scrip_capture *capture, uint8_t level, const uint8_t part[4], bool more)
{
    const uint8_t bcc = part[0] ^ part[1] ^ part[2] ^ part[3];
    const uint8_t frame[] = {(uint8_t)(0x93 + 2 * level), 0x70, part[0], part[1], part[2], part[3], bcc};
    const uint8_t sak = more ? 0x04 : 0x20;
    frame_write(capture, EVENT_TO_CARD_X, frame, sizeof frame);
    frame_write(capture, EVENT_TO_READER_X, &sak, 1);
}

static void anticollision_write(struct scrip_capture *capture, const struct scrip_card_info *info)
{
    const uint8_t levels = info->uid_len == 4 ? 1 : info->uid_len == 7 ? 2 : info->uid_len == 10 ? 3 : 0;
    if (levels == 0) {
        return;
    }
    const uint8_t atqa[] = {(uint8_t)(0x04 + 0x40 * (levels - 1)), 0x03};
    frame_write(capture, EVENT_TO_CARD_X, "\x26", 1);
    frame_write(capture, EVENT_TO_READER_X, atqa, sizeof atqa);
    const uint8_t *uid = info->uid;
    for (uint8_t level = 0; level < levels; level++) {
        const bool more = level + 1 < levels;
        const uint8_t cascade[] = {CASCADE_TAG, uid[0], uid[1], uid[2]};
        select_write(capture, level, more ? cascade : uid, more);
        uid += more ? 3 : 4;
    }
}

static bool is_ats(const struct scrip_card_info *info)
{
    return info->ats_len != 0 && info->ats[0] == info->ats_len;
}

static void hex_write(char *text, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sprintf(text + 2 * i, "%02X", at[i]);
    }
    text[2 * len] = '\0';
}

static void card_write(struct scrip_capture *capture, const struct scrip_card_info *info)
{
    char atr[8 + 2 * sizeof info->ats] = "";
    if (!is_ats(info) && info->ats_len != 0) {
        strcpy(atr, "ATR ");
        hex_write(atr + 4, info->ats, info->ats_len);
    }
    packet_write(capture, EVENT_FIELD_ON, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0), atr[0] != '\0' ? atr : NULL);
    anticollision_write(capture, info);
    static const uint8_t no_ats[] = {0x01};
    frame_write(capture, EVENT_TO_CARD_X, "\xE0\x80", 2);
    frame_write(capture, EVENT_TO_READER_X, is_ats(info) ? info->ats : no_ats, is_ats(info) ? info->ats_len : 1);
    capture->block_number = 0;
}

static void apdu_write(struct scrip_capture *capture, enum scrip_trace_kind kind, struct scrip_bytes apdu)
{
    const uint8_t event = kind == SCRIP_TRACE_COMMAND ? EVENT_TO_CARD_X : EVENT_TO_READER_X;
    do {
        const struct scrip_bytes part = scrip_bytes_head(apdu, CHUNK);
        apdu = scrip_bytes_from(apdu, part.len);
        const uint8_t pcb = (uint8_t)(0x02 | (apdu.len != 0 ? 0x10 : 0) | capture->block_number);
        packet_write(capture, event, scrip_bytes(&pcb, 1), part, NULL);
    } while (apdu.len != 0);
    if (kind == SCRIP_TRACE_RESPONSE) {
        capture->block_number ^= 1;
    }
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

static void text_time(struct scrip_capture *capture)
{
    const uint64_t at = now_ns(capture);
    fprintf(capture->file, "%" PRIu64 ".%09" PRIu64 " ", at / 1000000000U, at % 1000000000U);
}

static void text_hex(struct scrip_capture *capture, const char *before, const uint8_t *at, size_t len)
{
    fputs(before, capture->file);
    for (size_t i = 0; i < len; i++) {
        fprintf(capture->file, "%02X", at[i]);
    }
}

/* Words in one line. */
static void text_words(struct scrip_capture *capture, struct scrip_bytes words)
{
    for (size_t i = 0; i < words.len; i++) {
        fputc(words.at[i] < 0x20 ? ' ' : words.at[i], capture->file);
    }
}

/* ---- Public ------------------------------------------------------------------------------------------------------ */

enum scrip_status scrip_capture_create(const char *path, const struct scrip_clock *clock,
                                       struct scrip_capture **capture)
{
    struct scrip_capture *made = calloc(1, sizeof *made);
    const size_t len = strlen(path);
    if (made == NULL) {
        return SCRIP_E_MEMORY;
    }
    made->clock = clock;
    made->text = len > 4 && strcmp(path + len - 4, ".txt") == 0;
    made->file = fopen(path, "wbe");
    if (made->file == NULL) {
        free(made);
        return SCRIP_E_IO;
    }
    if (made->text) {
        fputs(TEXT_HEAD, made->file);
    } else {
        section_write(made->file);
    }
    const enum scrip_status status = flushed(made);
    if (status != SCRIP_OK) {
        scrip_capture_close(made);
        return status;
    }
    *capture = made;
    return SCRIP_OK;
}

enum scrip_status scrip_capture_card(struct scrip_capture *capture, const struct scrip_card_info *info)
{
    if (capture->text) {
        text_time(capture);
        text_hex(capture, "card uid ", info->uid, info->uid_len);
        text_hex(capture, is_ats(info) ? " ats " : " atr ", info->ats, info->ats_len);
        fputc('\n', capture->file);
    } else {
        card_write(capture, info);
    }
    return flushed(capture);
}

enum scrip_status scrip_capture_frame(struct scrip_capture *capture, enum scrip_trace_kind kind,
                                      struct scrip_bytes bytes)
{
    if (bytes.len > SCRIP_CAPTURE_APDU_MAX) {
        return SCRIP_E_LENGTH;
    }
    if (capture->text) {
        text_time(capture);
        if (kind == SCRIP_TRACE_EVENT) {
            fputs("gone ", capture->file);
            text_words(capture, bytes);
        } else {
            text_hex(capture, kind == SCRIP_TRACE_COMMAND ? "> " : "< ", bytes.at, bytes.len);
        }
        fputc('\n', capture->file);
    } else if (kind == SCRIP_TRACE_EVENT) {
        char comment[256];
        snprintf(comment, sizeof comment, "%.*s", (int)scrip_bytes_head(bytes, 200).len, (const char *)bytes.at);
        packet_write(capture, EVENT_FIELD_OFF, scrip_bytes(NULL, 0), scrip_bytes(NULL, 0), comment);
    } else {
        apdu_write(capture, kind, bytes);
    }
    return flushed(capture);
}

void scrip_capture_close(struct scrip_capture *capture)
{
    if (capture != NULL) {
        fclose(capture->file);
        free(capture);
    }
}
