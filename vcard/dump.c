/* dump.c: dumps of MIFARE Classic: what is common to all formats, and the raw one. */
#include "dump.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_A  0x003FU /* bytes of a trailer, as bits of `known` */
#define ACCESS 0x03C0U
#define KEY_B  0xFC00U

enum scrip_status dump_fail(char *error, enum scrip_status status, const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(error, SCRIP_DUMP_ERROR_MAX, format, args);
        va_end(args);
    }
    return status;
}

enum scrip_status dump_print(struct scrip_buf *out, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return scrip_buf_add(out, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

int dump_byte(const char *text)
{
    if ((text[0] == '?' && text[1] == '?') || (text[0] == '-' && text[1] == '-')) {
        return -1;
    }
    const int high = scrip_hex_digit(text[0]), low = high >= 0 ? scrip_hex_digit(text[1]) : -1;
    return low >= 0 ? high << 4 | low : -2;
}

/* ---- which format ----------------------------------------------------------------------------------------------- */

const char *scrip_dump_format_name(enum scrip_dump_format format)
{
    static const char *const names[] = {"mfd", "proxmark", "flipper"};
    return (unsigned)format < SCRIP_DUMP_FORMATS ? names[format] : "?";
}

enum scrip_status scrip_dump_format_of_name(const char *path, enum scrip_dump_format *format)
{
    static const struct {
        const char *ending;
        enum scrip_dump_format format;
    } rows[] = {{".mfd", SCRIP_DUMP_MFD},
                {".bin", SCRIP_DUMP_MFD},
                {".dump", SCRIP_DUMP_MFD},
                {".json", SCRIP_DUMP_PROXMARK},
                {".nfc", SCRIP_DUMP_FLIPPER}};
    const size_t len = strlen(path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t ending = strlen(rows[i].ending);
        if (len > ending && strcmp(path + len - ending, rows[i].ending) == 0) {
            *format = rows[i].format;
            return SCRIP_OK;
        }
    }
    return SCRIP_E_NOT_FOUND;
}

enum scrip_status scrip_dump_format_of_text(struct scrip_bytes text, enum scrip_dump_format *format)
{
    static const char flipper[] = "Filetype:";
    const size_t first = sizeof flipper - 1;
    size_t blank = 0;
    if (text.len >= first && memcmp(text.at, flipper, first) == 0) {
        *format = SCRIP_DUMP_FLIPPER;
        return SCRIP_OK;
    }
    if (text.len == SCRIP_CLASSIC_1K_BLOCKS * SCRIP_CLASSIC_BLOCK ||
        text.len == SCRIP_CLASSIC_4K_BLOCKS * SCRIP_CLASSIC_BLOCK) {
        /* An object of JSON of just this length begins with a brace and a quote; a card's UID could begin with 7B 22,
         * but its dump does not end with a brace. */
        if (text.at[0] != '{' || memchr("}\n\r", text.at[text.len - 1], 3) == NULL) {
            *format = SCRIP_DUMP_MFD;
            return SCRIP_OK;
        }
    }
    while (blank < text.len && memchr(" \t\r\n", text.at[blank], 4) != NULL) {
        blank++;
    }
    if (blank < text.len && text.at[blank] == '{') {
        *format = SCRIP_DUMP_PROXMARK;
        return SCRIP_OK;
    }
    return SCRIP_E_FORMAT;
}

/* ---- what cards answer ------------------------------------------------------------------------------------------ */

/* Bit 5 of the SAK: 4K [spec of NXP, AN10833]. 28h and 38h are smart cards that play a Classic, 88h and 98h chips of
 * other makers. */
enum scrip_status dump_size(uint8_t sak, uint16_t *blocks)
{
    switch (sak) {
    case 0x08:
    case 0x28:
    case 0x88:
        *blocks = SCRIP_CLASSIC_1K_BLOCKS;
        return SCRIP_OK;
    case 0x18:
    case 0x38:
    case 0x98:
        *blocks = SCRIP_CLASSIC_4K_BLOCKS;
        return SCRIP_OK;
    default:
        return SCRIP_E_UNSUPPORTED;
    }
}

void dump_answers(struct scrip_card_dump *dump)
{
    const bool is_4k = dump->blocks == SCRIP_CLASSIC_4K_BLOCKS;
    dump->atqa[0] = (uint8_t)((is_4k ? 0x02U : 0x04U) | (dump->uid_len == 7 ? 0x40U : 0U));
    dump->atqa[1] = 0x00;
    dump->sak = is_4k ? 0x18 : 0x08;
}

/* ---- block 0 ---------------------------------------------------------------------------------------------------- */

static uint8_t bcc(const uint8_t uid[4])
{
    return (uint8_t)(uid[0] ^ uid[1] ^ uid[2] ^ uid[3]);
}

/* SAK and ATQA stand behind the UID in both layouts. */
static bool answers_at(const uint8_t *at, uint8_t size)
{
    uint16_t blocks;
    return dump_size(at[0], &blocks) == SCRIP_OK && (at[1] & 0xF0U) == size && at[2] == 0;
}

/* A raw dump does not say how long the UID is. Four bytes have their BCC behind them; seven have SAK and ATQA, which a
 * four-byte card can have there only by chance. */
static enum scrip_status uid_from_block_0(struct scrip_card_dump *dump, char *error)
{
    const uint8_t *block = dump->data[0];
    const bool four = block[4] == bcc(block), seven = answers_at(block + 7, 0x40);
    if (!four && !seven) {
        return dump_fail(error, SCRIP_E_FORMAT,
                         "block 0 is no manufacturer's block: no UID with its BCC, or with ATQA");
    }
    dump->uid_len = seven && !(four && answers_at(block + 5, 0x00)) ? 7 : 4;
    memcpy(dump->uid, block, dump->uid_len);
    return SCRIP_OK;
}

static enum scrip_status uid_check(struct scrip_card_dump *dump, char *error)
{
    const uint16_t mask = (uint16_t)((1U << dump->uid_len) - 1U);
    if (dump->uid_len == 0) {
        return dump->known[0] == DUMP_KNOWN
                   ? uid_from_block_0(dump, error)
                   : dump_fail(error, SCRIP_E_FORMAT, "it has no UID, and block 0 is not wholly known");
    }
    if ((dump->known[0] & mask) == mask && memcmp(dump->uid, dump->data[0], dump->uid_len) != 0) {
        return dump_fail(error, SCRIP_E_FORMAT, "its UID is not the one in block 0");
    }
    if (dump->uid[dump->uid_len - 4U] == SCRIP_CASCADE_CT) {
        return dump_fail(error, SCRIP_E_FORMAT, "88 is no first byte of a UID of four bytes, and no fourth of seven");
    }
    return SCRIP_OK;
}

/* ---- gaps and keys ---------------------------------------------------------------------------------------------- */

static bool is_trailer(uint16_t block)
{
    return scrip_classic_group((uint8_t)block) == 3;
}

/* A block as the factory makes it. */
static void factory_block(const struct scrip_card_dump *dump, uint16_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    static const uint8_t trailer[SCRIP_CLASSIC_BLOCK] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07,
                                                         0x80, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    memset(data, 0, SCRIP_CLASSIC_BLOCK);
    if (is_trailer(block)) {
        memcpy(data, trailer, sizeof trailer);
    } else if (block == 0) {
        memcpy(data, dump->uid, dump->uid_len);
        uint8_t *behind = data + dump->uid_len;
        if (dump->uid_len == 4) {
            *behind++ = bcc(dump->uid);
        }
        behind[0] = dump->sak;
        memcpy(behind + 1, dump->atqa, 2);
    }
}

static void count_gap(struct scrip_dump_gaps *gaps, uint16_t block, uint16_t unknown)
{
    if (is_trailer(block)) {
        gaps->keys = (uint16_t)(gaps->keys + ((unknown & KEY_A) != 0) + ((unknown & KEY_B) != 0));
        unknown = (uint16_t)(unknown & ACCESS);
    }
    for (; unknown != 0; unknown = (uint16_t)(unknown & (unknown - 1U))) {
        gaps->bytes++;
    }
}

/* Half of a key is of no use, half of the access bits is damage: such groups are replaced whole. */
static uint16_t whole_groups(uint16_t block, uint16_t unknown)
{
    static const uint16_t groups[] = {KEY_A, ACCESS, KEY_B};
    for (size_t i = 0; is_trailer(block) && i < sizeof groups / sizeof groups[0]; i++) {
        if ((unknown & groups[i]) != 0) {
            unknown = (uint16_t)(unknown | groups[i]);
        }
    }
    return unknown;
}

void scrip_dump_fill(struct scrip_card_dump *dump, struct scrip_dump_gaps *gaps)
{
    *gaps = (struct scrip_dump_gaps){0};
    for (uint16_t b = 0; b < dump->blocks; b++) {
        uint8_t factory[SCRIP_CLASSIC_BLOCK];
        const uint16_t unknown = whole_groups(b, (uint16_t)~dump->known[b]);
        factory_block(dump, b, factory);
        for (size_t i = 0; i < SCRIP_CLASSIC_BLOCK; i++) {
            dump->data[b][i] = ((unsigned)unknown >> i & 1U) != 0 ? factory[i] : dump->data[b][i];
        }
        count_gap(gaps, b, unknown);
        dump->known[b] = DUMP_KNOWN;
    }
}

void dump_shown(const struct scrip_card_dump *dump, bool with_keys, struct scrip_card_dump *shown)
{
    *shown = *dump;
    for (uint16_t b = 0; b < dump->blocks; b++) {
        if (!with_keys && is_trailer(b)) {
            shown->known[b] = (uint16_t)(shown->known[b] & ACCESS);
        }
        for (size_t i = 0; i < SCRIP_CLASSIC_BLOCK; i++) {
            shown->data[b][i] = ((unsigned)shown->known[b] >> i & 1U) != 0 ? shown->data[b][i] : 0;
        }
    }
}

/* ---- the raw format, and the three together --------------------------------------------------------------------- */

static enum scrip_status mfd_read(struct scrip_bytes text, struct scrip_card_dump *dump, char *error)
{
    const size_t blocks = text.len / SCRIP_CLASSIC_BLOCK;
    if (text.len % SCRIP_CLASSIC_BLOCK != 0 ||
        (blocks != SCRIP_CLASSIC_1K_BLOCKS && blocks != SCRIP_CLASSIC_4K_BLOCKS)) {
        return dump_fail(error, SCRIP_E_FORMAT, "a raw dump has 1024 or 4096 bytes, this one %zu", text.len);
    }
    dump->blocks = (uint16_t)blocks;
    memcpy(dump->data, text.at, text.len);
    for (size_t b = 0; b < blocks; b++) {
        dump->known[b] = DUMP_KNOWN;
    }
    return SCRIP_OK;
}

enum scrip_status scrip_dump_read(enum scrip_dump_format format, struct scrip_bytes text, struct scrip_card_dump *dump,
                                  char error[SCRIP_DUMP_ERROR_MAX])
{
    struct scrip_card_dump read;
    enum scrip_status status = SCRIP_E_ARGUMENT;
    if (error != NULL) {
        error[0] = '\0';
    }
    if (text.len > SCRIP_DUMP_TEXT_MAX) {
        return dump_fail(error, SCRIP_E_LENGTH, "it is longer than %u bytes", SCRIP_DUMP_TEXT_MAX);
    }
    memset(&read, 0, sizeof read);
    switch (format) {
    case SCRIP_DUMP_MFD:
        status = mfd_read(text, &read, error);
        break;
    case SCRIP_DUMP_PROXMARK:
        status = dump_proxmark_read(text, &read, error);
        break;
    case SCRIP_DUMP_FLIPPER:
        status = dump_flipper_read(text, &read, error);
        break;
    default:
        break;
    }
    status = status == SCRIP_OK ? uid_check(&read, error) : status;
    if (status == SCRIP_OK) {
        if (read.sak == 0) {
            dump_answers(&read);
        }
        *dump = read;
    }
    scrip_wipe(&read, sizeof read);
    return status;
}

enum scrip_status scrip_dump_write(enum scrip_dump_format format, const struct scrip_card_dump *dump, bool with_keys,
                                   struct scrip_buf *out)
{
    const size_t before = out->len;
    struct scrip_card_dump shown;
    struct scrip_dump_gaps gaps;
    enum scrip_status status = SCRIP_E_ARGUMENT;
    dump_shown(dump, with_keys, &shown);
    if (format == SCRIP_DUMP_FLIPPER) {
        status = dump_flipper_write(&shown, out);
    } else {
        scrip_dump_fill(&shown, &gaps);
        status = format == SCRIP_DUMP_MFD ? scrip_buf_add(out, shown.data, (size_t)shown.blocks * SCRIP_CLASSIC_BLOCK)
                                          : dump_proxmark_write(&shown, with_keys, out);
    }
    scrip_wipe(&shown, sizeof shown);
    if (status != SCRIP_OK) {
        out->len = before;
    }
    return status;
}
