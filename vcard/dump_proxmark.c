/* dump_proxmark.c: JSON of the Proxmark3 client. */
#include "dump.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Hex of `count` bytes into `data`, which ones are known into `known`. */
static bool hex_read(const char *text, size_t count, uint8_t *data, uint16_t *known)
{
    uint16_t found = 0;
    if (text == NULL || strlen(text) != 2 * count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const int byte = dump_byte(text + 2 * i);
        if (byte == -2) {
            return false;
        }
        data[i] = byte >= 0 ? (uint8_t)byte : 0;
        found = (uint16_t)(found | (byte >= 0 ? 1U << i : 0U));
    }
    *known = found;
    return true;
}

/* The same where every byte must be known. */
static bool hex_whole(const char *text, size_t count, uint8_t *data)
{
    uint16_t known = 0;
    return hex_read(text, count, data, &known) && known == (uint16_t)((1U << count) - 1U);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* A number as keys of objects have it: decimal, without zeros in front. */
static bool number_of(const char *text, unsigned below, unsigned *number)
{
    char again[16];
    unsigned value = 0;
    if (sscanf(text, "%3u", &value) != 1 || value >= below) {
        return false;
    }
    snprintf(again, sizeof again, "%u", value);
    if (strcmp(again, text) != 0) {
        return false;
    }
    *number = value;
    return true;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static enum scrip_status card_read(const json_t *card, struct scrip_card_dump *dump, char *error)
{
    const char *uid = text_of(card, "UID");
    if (card == NULL) {
        return SCRIP_OK; /* the oldest files have none */
    }
    dump->uid_len = uid != NULL && strlen(uid) == 14 ? 7 : 4;
    if (!hex_whole(uid, dump->uid_len, dump->uid)) {
        return dump_fail(error, SCRIP_E_FORMAT, "Card.UID is not 8 or 14 hex digits");
    }
    if (!hex_whole(text_of(card, "ATQA"), 2, dump->atqa) || !hex_whole(text_of(card, "SAK"), 1, &dump->sak)) {
        return dump_fail(error, SCRIP_E_FORMAT, "Card.ATQA is not 4 hex digits, or Card.SAK not 2");
    }
    if (dump_size(dump->sak, &dump->blocks) != SCRIP_OK) {
        return dump_fail(error, SCRIP_E_UNSUPPORTED, "Card.SAK is of no MIFARE Classic 1K or 4K");
    }
    return SCRIP_OK;
}

static enum scrip_status blocks_read(json_t *blocks, struct scrip_card_dump *dump, char *error)
{
    const char *name;
    json_t *value;
    unsigned most = 0;
    if (!json_is_object(blocks) || json_object_size(blocks) == 0) {
        return dump_fail(error, SCRIP_E_FORMAT, "it has no \"blocks\"");
    }
    json_object_foreach(blocks, name, value)
    {
        unsigned block = 0;
        if (!number_of(name, SCRIP_CLASSIC_4K_BLOCKS, &block)) {
            return dump_fail(error, SCRIP_E_FORMAT, "blocks: a name is no number of 0 to 255");
        }
        if (!hex_read(json_string_value(value), SCRIP_CLASSIC_BLOCK, dump->data[block], &dump->known[block])) {
            return dump_fail(error, SCRIP_E_FORMAT, "blocks.%u is not 32 hex digits", block);
        }
        most = block > most ? block : most;
    }
    const uint16_t wanted = most < SCRIP_CLASSIC_1K_BLOCKS ? SCRIP_CLASSIC_1K_BLOCKS : SCRIP_CLASSIC_4K_BLOCKS;
    if (dump->blocks == 0) {
        dump->blocks = wanted;
    }
    return dump->blocks >= wanted ? SCRIP_OK
                                  : dump_fail(error, SCRIP_E_FORMAT, "blocks.%u is behind the end of a 1K card", most);
}

/* A key beside the blocks counts where the trailer has none: unknown, or the zeros that READ puts in its place. */
static enum scrip_status key_read(const char *text, uint8_t *at, uint16_t *known, unsigned shift)
{
    static const uint8_t zeros[SCRIP_CLASSIC_KEY];
    uint8_t key[SCRIP_CLASSIC_KEY];
    const uint16_t mask = (uint16_t)(0x3FU << shift);
    enum scrip_status status = SCRIP_OK;
    if (text == NULL) {
        return SCRIP_OK;
    }
    if (!hex_whole(text, sizeof key, key)) {
        return SCRIP_E_LENGTH;
    }
    if ((*known & mask) != mask || memcmp(at, zeros, sizeof zeros) == 0) {
        memcpy(at, key, sizeof key);
        *known |= mask;
    } else {
        status = memcmp(at, key, sizeof key) == 0 ? SCRIP_OK : SCRIP_E_CONFLICT;
    }
    scrip_wipe(key, sizeof key);
    return status;
}

static enum scrip_status sector_keys_read(json_t *sectors, struct scrip_card_dump *dump, char *error)
{
    const char *name;
    json_t *keys;
    json_object_foreach(sectors, name, keys)
    {
        unsigned sector = 0;
        if (!number_of(name, dump->blocks == SCRIP_CLASSIC_1K_BLOCKS ? 16 : 40, &sector)) {
            return dump_fail(error, SCRIP_E_FORMAT, "SectorKeys: a name is no number of a sector");
        }
        const uint8_t trailer = scrip_classic_trailer((uint8_t)sector);
        uint8_t *block = dump->data[trailer];
        enum scrip_status status = key_read(text_of(keys, "KeyA"), block, &dump->known[trailer], 0);
        status = status == SCRIP_OK ? key_read(text_of(keys, "KeyB"), block + 10, &dump->known[trailer], 10) : status;
        if (status != SCRIP_OK) {
            return dump_fail(error, SCRIP_E_FORMAT, "SectorKeys.%u: %s", sector,
                             status == SCRIP_E_LENGTH ? "a key is not 12 hex digits"
                                                      : "a key is another one than in the sector's trailer");
        }
    }
    return SCRIP_OK;
}

static enum scrip_status document_read(const json_t *root, struct scrip_card_dump *dump, char *error)
{
    const char *type = text_of(root, "FileType");
    if (type == NULL || strncmp(type, "mfc", 3) != 0) {
        return dump_fail(error, type == NULL ? SCRIP_E_FORMAT : SCRIP_E_UNSUPPORTED,
                         "its \"FileType\" is not that of a MIFARE Classic (mfc v2, mfc v3, mfcard)");
    }
    SCRIP_TRY(card_read(json_object_get(root, "Card"), dump, error));
    SCRIP_TRY(blocks_read(json_object_get(root, "blocks"), dump, error));
    return sector_keys_read(json_object_get(root, "SectorKeys"), dump, error);
}

enum scrip_status dump_proxmark_read(struct scrip_bytes text, struct scrip_card_dump *dump, char *error)
{
    json_error_t where;
    json_t *root = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) {
        /* the library's own sentence may quote what it found: only the line is passed on */
        return dump_fail(error, SCRIP_E_FORMAT, "line %d: not JSON", where.line);
    }
    const enum scrip_status status = document_read(root, dump, error);
    json_decref(root);
    return status;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static enum scrip_status hex_write(struct scrip_buf *out, const char *before, const uint8_t *at, size_t len,
                                   const char *behind)
{
    SCRIP_TRY(dump_print(out, "%s\"", before));
    for (size_t i = 0; i < len; i++) {
        SCRIP_TRY(dump_print(out, "%02X", at[i]));
    }
    return dump_print(out, "\"%s", behind);
}

static enum scrip_status sector_keys_write(const struct scrip_card_dump *dump, bool with_keys, struct scrip_buf *out)
{
    const unsigned sectors = dump->blocks == SCRIP_CLASSIC_1K_BLOCKS ? 16 : 40;
    SCRIP_TRY(dump_print(out, "  \"SectorKeys\": {\n"));
    for (unsigned s = 0; s < sectors; s++) {
        const uint8_t *trailer = dump->data[scrip_classic_trailer((uint8_t)s)];
        SCRIP_TRY(dump_print(out, "    \"%u\": {\n", s));
        if (with_keys) {
            SCRIP_TRY(hex_write(out, "      \"KeyA\": ", trailer, 6, ",\n"));
            SCRIP_TRY(hex_write(out, "      \"KeyB\": ", trailer + 10, 6, ",\n"));
        }
        SCRIP_TRY(hex_write(out, "      \"AccessConditions\": ", trailer + 6, 4, "\n"));
        SCRIP_TRY(dump_print(out, "    }%s\n", s + 1 < sectors ? "," : ""));
    }
    return dump_print(out, "  }\n");
}

enum scrip_status dump_proxmark_write(const struct scrip_card_dump *dump, bool with_keys, struct scrip_buf *out)
{
    SCRIP_TRY(dump_print(out, "{\n  \"Created\": \"scrip\",\n  \"FileType\": \"mfc v2\",\n  \"Card\": {\n"));
    SCRIP_TRY(hex_write(out, "    \"UID\": ", dump->uid, dump->uid_len, ",\n"));
    SCRIP_TRY(hex_write(out, "    \"ATQA\": ", dump->atqa, 2, ",\n"));
    SCRIP_TRY(hex_write(out, "    \"SAK\": ", &dump->sak, 1, "\n"));
    SCRIP_TRY(dump_print(out, "  },\n  \"blocks\": {\n"));
    for (unsigned b = 0; b < dump->blocks; b++) {
        SCRIP_TRY(dump_print(out, "    \"%u\": ", b));
        SCRIP_TRY(hex_write(out, "", dump->data[b], SCRIP_CLASSIC_BLOCK, b + 1U < dump->blocks ? ",\n" : "\n"));
    }
    SCRIP_TRY(dump_print(out, "  },\n"));
    SCRIP_TRY(sector_keys_write(dump, with_keys, out));
    return dump_print(out, "}\n");
}
