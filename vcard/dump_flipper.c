/* dump_flipper.c: text of Flipper devices: lines "Name: value", '#' begins a comment. */
#include "dump.h"
#include <stdio.h>
#include <string.h>

#define LINE_MAX_LEN 512U /* the comments of a device are long */

/* What was read so far. */
struct reader {
    struct scrip_card_dump *dump;
    char *error;
    unsigned line;
    unsigned version; /* 0: none yet */
    bool header, device, atqa, sak, size, format;
    uint8_t names; /* bit per row of NAMES that was there */
    uint8_t seen[SCRIP_CLASSIC_4K_BLOCKS / 8];
};

static enum scrip_status refuse(const struct reader *reader, enum scrip_status status, const char *why)
{
    return dump_fail(reader->error, status, "line %u: %s", reader->line, why);
}

/* Pairs of digits with single blanks between them, ?? for unknown ones. */
static bool bytes_read(const char *text, size_t count, uint8_t *data, uint16_t *known)
{
    uint16_t found = 0;
    if (strlen(text) != 3 * count - 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const int byte = dump_byte(text + 3 * i);
        if (byte == -2 || (i + 1 < count && text[3 * i + 2] != ' ')) {
            return false;
        }
        data[i] = byte >= 0 ? (uint8_t)byte : 0;
        found = (uint16_t)(found | (byte >= 0 ? 1U << i : 0U));
    }
    *known = found;
    return true;
}

static bool bytes_whole(const char *text, size_t count, uint8_t *data)
{
    uint16_t known = 0;
    return bytes_read(text, count, data, &known) && known == (uint16_t)((1U << count) - 1U);
}

/* ---- one function per name -------------------------------------------------------------------------------------- */

static enum scrip_status on_filetype(struct reader *reader, const char *value)
{
    reader->header = strcmp(value, "Flipper NFC device") == 0;
    return reader->header ? SCRIP_OK : refuse(reader, SCRIP_E_UNSUPPORTED, "not a dump of an NFC card");
}

static enum scrip_status on_version(struct reader *reader, const char *value)
{
    reader->version = strlen(value) == 1 && value[0] >= '2' && value[0] <= '4' ? (unsigned)(value[0] - '0') : 0;
    return reader->version != 0 ? SCRIP_OK : refuse(reader, SCRIP_E_UNSUPPORTED, "Version is 2, 3 or 4");
}

static enum scrip_status on_device(struct reader *reader, const char *value)
{
    reader->device = strcmp(value, "Mifare Classic") == 0;
    return reader->device ? SCRIP_OK : refuse(reader, SCRIP_E_UNSUPPORTED, "the card is no MIFARE Classic");
}

static enum scrip_status on_uid(struct reader *reader, const char *value)
{
    struct scrip_card_dump *dump = reader->dump;
    dump->uid_len = strlen(value) == 20 ? 7 : 4;
    return bytes_whole(value, dump->uid_len, dump->uid) ? SCRIP_OK
                                                        : refuse(reader, SCRIP_E_FORMAT, "UID is 4 or 7 bytes");
}

/* Version 2 wrote the ATQA as sent, since version 3 its high byte comes first. */
static enum scrip_status on_atqa(struct reader *reader, const char *value)
{
    uint8_t bytes[2];
    if (!bytes_whole(value, 2, bytes)) {
        return refuse(reader, SCRIP_E_FORMAT, "ATQA is 2 bytes");
    }
    reader->dump->atqa[0] = bytes[reader->version == 2 ? 0 : 1];
    reader->dump->atqa[1] = bytes[reader->version == 2 ? 1 : 0];
    reader->atqa = true;
    return SCRIP_OK;
}

static enum scrip_status on_sak(struct reader *reader, const char *value)
{
    uint16_t blocks;
    if (!bytes_whole(value, 1, &reader->dump->sak)) {
        return refuse(reader, SCRIP_E_FORMAT, "SAK is one byte");
    }
    reader->sak = dump_size(reader->dump->sak, &blocks) == SCRIP_OK;
    return reader->sak ? SCRIP_OK : refuse(reader, SCRIP_E_UNSUPPORTED, "the SAK is of no MIFARE Classic 1K or 4K");
}

static enum scrip_status on_type(struct reader *reader, const char *value)
{
    reader->size = strcmp(value, "1K") == 0 || strcmp(value, "4K") == 0;
    reader->dump->blocks = value[0] == '4' ? SCRIP_CLASSIC_4K_BLOCKS : SCRIP_CLASSIC_1K_BLOCKS;
    return reader->size ? SCRIP_OK : refuse(reader, SCRIP_E_UNSUPPORTED, "only 1K and 4K are known");
}

static enum scrip_status on_format(struct reader *reader, const char *value)
{
    reader->format = strcmp(value, "2") == 0;
    return reader->format ? SCRIP_OK : refuse(reader, SCRIP_E_UNSUPPORTED, "Data format version is 2");
}

static enum scrip_status on_block(struct reader *reader, const char *number, const char *value)
{
    unsigned block = 0;
    char again[8];
    if (sscanf(number, "%3u", &block) != 1 || block >= reader->dump->blocks) {
        return refuse(reader, SCRIP_E_FORMAT,
                      reader->size ? "no such block" : "blocks come behind \"Mifare Classic type\"");
    }
    snprintf(again, sizeof again, "%u", block);
    if (strcmp(again, number) != 0 || ((unsigned)reader->seen[block / 8] >> block % 8 & 1U) != 0) {
        return refuse(reader, SCRIP_E_FORMAT, "no number of a block, or the second time");
    }
    reader->seen[block / 8] = (uint8_t)(reader->seen[block / 8] | 1U << block % 8);
    return bytes_read(value, SCRIP_CLASSIC_BLOCK, reader->dump->data[block], &reader->dump->known[block])
               ? SCRIP_OK
               : refuse(reader, SCRIP_E_FORMAT, "a block is 16 bytes, ?? where one is unknown");
}

static const struct {
    const char *name;
    enum scrip_status (*read)(struct reader *reader, const char *value);
} NAMES[] = {{"Filetype", on_filetype},
             {"Version", on_version},
             {"Device type", on_device},
             {"UID", on_uid},
             {"ATQA", on_atqa},
             {"SAK", on_sak},
             {"Mifare Classic type", on_type},
             {"Data format version", on_format}};

/* ---- lines ------------------------------------------------------------------------------------------------------ */

/* What a newer device adds is passed over. */
static enum scrip_status line_read(struct reader *reader, char *line)
{
    char *colon = strstr(line, ": ");
    if (line[0] == '#' || line[0] == '\0') {
        return SCRIP_OK;
    }
    if (colon == NULL) {
        return refuse(reader, SCRIP_E_FORMAT, "not \"Name: value\"");
    }
    *colon = '\0';
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(NAMES[i].name, line) != 0) {
            continue;
        }
        if (i != 0 && !reader->header) {
            return refuse(reader, SCRIP_E_FORMAT, "\"Filetype\" comes first");
        }
        if (((unsigned)reader->names >> i & 1U) != 0) {
            return refuse(reader, SCRIP_E_FORMAT, "this was said before");
        }
        reader->names = (uint8_t)(reader->names | 1U << i);
        return NAMES[i].read(reader, colon + 2);
    }
    return strncmp(line, "Block ", 6) == 0 ? on_block(reader, line + 6, colon + 2) : SCRIP_OK;
}

static enum scrip_status end_check(const struct reader *reader)
{
    const struct {
        bool there;
        const char *name;
    } wanted[] = {{reader->header, "Filetype"},
                  {reader->version != 0, "Version"},
                  {reader->device, "Device type"},
                  {reader->dump->uid_len != 0, "UID"},
                  {reader->atqa, "ATQA"},
                  {reader->sak, "SAK"},
                  {reader->size, "Mifare Classic type"},
                  {reader->format, "Data format version"}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (!wanted[i].there) {
            return dump_fail(reader->error, SCRIP_E_FORMAT, "it has no \"%s\"", wanted[i].name);
        }
    }
    uint16_t blocks = 0;
    SCRIP_TRY(dump_size(reader->dump->sak, &blocks));
    return blocks == reader->dump->blocks ? SCRIP_OK
                                          : dump_fail(reader->error, SCRIP_E_FORMAT,
                                                      "its SAK is of another size than its \"Mifare Classic type\"");
}

enum scrip_status dump_flipper_read(struct scrip_bytes text, struct scrip_card_dump *dump, char *error)
{
    struct reader reader = {.dump = dump, .error = error};
    enum scrip_status status = SCRIP_OK;
    char line[LINE_MAX_LEN];
    for (size_t at = 0; at < text.len && status == SCRIP_OK;) {
        const uint8_t *end = memchr(text.at + at, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - text.at) - at : text.len - at;
        const size_t next = at + len + 1;
        reader.line++;
        if (len >= sizeof line || memchr(text.at + at, '\0', len) != NULL) {
            status = refuse(&reader, SCRIP_E_FORMAT, "no line of text, or too long");
            break;
        }
        memcpy(line, text.at + at, len);
        len -= len > 0 && line[len - 1] == '\r' ? 1 : 0;
        line[len] = '\0';
        status = line_read(&reader, line);
        at = next;
    }
    scrip_wipe(line, sizeof line);
    return status == SCRIP_OK ? end_check(&reader) : status;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static enum scrip_status bytes_write(struct scrip_buf *out, const uint8_t *at, size_t len, uint16_t known)
{
    for (size_t i = 0; i < len; i++) {
        SCRIP_TRY(((unsigned)known >> i & 1U) != 0 ? dump_print(out, " %02X", at[i]) : dump_print(out, " ??"));
    }
    return dump_print(out, "\n");
}

enum scrip_status dump_flipper_write(const struct scrip_card_dump *dump, struct scrip_buf *out)
{
    SCRIP_TRY(dump_print(out, "Filetype: Flipper NFC device\nVersion: 4\n# Written by scrip\n"));
    SCRIP_TRY(dump_print(out, "Device type: Mifare Classic\nUID:"));
    SCRIP_TRY(bytes_write(out, dump->uid, dump->uid_len, DUMP_KNOWN));
    SCRIP_TRY(dump_print(out, "ATQA: %02X %02X\nSAK: %02X\n", dump->atqa[1], dump->atqa[0], dump->sak));
    SCRIP_TRY(dump_print(out, "Mifare Classic type: %s\nData format version: 2\n",
                         dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? "4K" : "1K"));
    SCRIP_TRY(dump_print(out, "# ?? stands for an unknown byte\n"));
    for (unsigned b = 0; b < dump->blocks; b++) {
        SCRIP_TRY(dump_print(out, "Block %u:", b));
        SCRIP_TRY(bytes_write(out, dump->data[b], SCRIP_CLASSIC_BLOCK, dump->known[b]));
    }
    return SCRIP_OK;
}
