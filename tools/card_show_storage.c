/* card_show_storage.c: the memory of storage cards in words. Keys are never shown. */
#include "card.h"
#include <scrip/bcd.h>
#include <scrip/card_dump.h>
#include <string.h>

/* ---- access bits ------------------------------------------------------------------------------------------------ */

struct right_name {
    enum scrip_classic_right right;
    const char *name;
};

static const struct right_name DATA_RIGHTS[] = {{SCRIP_CLASSIC_MAY_READ, "read"},
                                                {SCRIP_CLASSIC_MAY_WRITE, "write"},
                                                {SCRIP_CLASSIC_MAY_INCREMENT, "increment"},
                                                {SCRIP_CLASSIC_MAY_DECREMENT, "decrement"}};
static const struct right_name TRAILER_RIGHTS[] = {{SCRIP_CLASSIC_MAY_WRITE_KEY_A, "write key A"},
                                                   {SCRIP_CLASSIC_MAY_READ_ACCESS, "read access bits"},
                                                   {SCRIP_CLASSIC_MAY_WRITE_ACCESS, "write access bits"},
                                                   {SCRIP_CLASSIC_MAY_READ_KEY_B, "read key B"},
                                                   {SCRIP_CLASSIC_MAY_WRITE_KEY_B, "write key B"}};

/* "A or B: read, decrement; B: write": who may do what; nothing of what nobody may. */
static const char *rights_text(uint8_t condition, bool b_usable, const struct right_name *names, size_t count,
                               char text[160])
{
    static const char *const who[] = {NULL, "A", "B", "A or B"};
    size_t len = 0;
    text[0] = '\0';
    for (unsigned keys = 3; keys > 0; keys--) {
        const char *before = len > 0 ? "; " : "";
        bool first = true;
        for (size_t i = 0; i < count; i++) {
            const bool a = scrip_classic_may(condition, names[i].right, false);
            const bool b = b_usable && scrip_classic_may(condition, names[i].right, true);
            if ((a ? 1U : 0U) + (b ? 2U : 0U) != keys) {
                continue;
            }
            len += (size_t)(first ? snprintf(text + len, 160 - len, "%s%s: %s", before, who[keys], names[i].name)
                                  : snprintf(text + len, 160 - len, ", %s", names[i].name));
            first = false;
        }
    }
    return len > 0 ? text : "nothing is allowed";
}

static const char *data_rights(uint8_t condition, bool b_usable, char text[160])
{
    return rights_text(condition, b_usable, DATA_RIGHTS, sizeof DATA_RIGHTS / sizeof DATA_RIGHTS[0], text);
}

static const char *trailer_rights(uint8_t condition, bool b_usable, char text[160])
{
    return rights_text(condition, b_usable, TRAILER_RIGHTS, sizeof TRAILER_RIGHTS / sizeof TRAILER_RIGHTS[0], text);
}

/* ---- sectors ---------------------------------------------------------------------------------------------------- */

static bool is_empty(const uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    static const uint8_t zeros[SCRIP_CLASSIC_BLOCK];
    return memcmp(block, zeros, sizeof zeros) == 0;
}

static const char *key_text(const uint8_t key[SCRIP_CLASSIC_KEY])
{
    return memcmp(key, "\xFF\xFF\xFF\xFF\xFF\xFF", SCRIP_CLASSIC_KEY) == 0 ? "transport key" : "own key";
}

static const char *block_text(const uint8_t block[SCRIP_CLASSIC_BLOCK], char text[64])
{
    int32_t value;
    uint8_t address;
    if (is_empty(block)) {
        return "empty";
    }
    if (scrip_classic_value_get(block, &value, &address) == SCRIP_OK) {
        snprintf(text, 64, "value %ld, address %02X", (long)value, address);
        return text;
    }
    return tool_hex_text(scrip_bytes(block, SCRIP_CLASSIC_BLOCK), text);
}

/* Keys and access bits as delivered, and no data. */
static bool is_factory(const struct scrip_card_dump *dump, uint8_t sector)
{
    static const uint8_t trailer[SCRIP_CLASSIC_BLOCK] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07,
                                                         0x80, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    const uint8_t first = scrip_classic_first(sector);
    for (uint8_t i = sector == 0 ? 1 : 0; i + 1 < scrip_classic_sector_blocks(sector); i++) {
        if (!is_empty(dump->data[first + i])) {
            return false;
        }
    }
    return memcmp(dump->data[scrip_classic_trailer(sector)], trailer, sizeof trailer) == 0;
}

/* One block, its rights in words. The rights of a block like those above it are not repeated. */
static json_t *show_block(struct tool *tool, uint8_t block, const uint8_t *data, const char *rights, bool same)
{
    char text[64];
    tool_say(tool, "  block %-3u     %-32s %s", block, block_text(data, text), same ? "the same" : rights);
    json_t *shown = json_pack("{s:i, s:s, s:s}", "block", block, "rights", rights, "text", block_text(data, text));
    json_object_set_new(shown, "data", json_string(tool_hex_text(scrip_bytes(data, SCRIP_CLASSIC_BLOCK), text)));
    return shown;
}

static void show_blocks(struct tool *tool, const struct scrip_card_dump *dump, uint8_t sector,
                        const struct scrip_classic_access *access, json_t *shown)
{
    const uint8_t first = scrip_classic_first(sector);
    const bool b_usable = scrip_classic_key_b_usable(access->group[3]);
    json_t *blocks = json_array();
    int before = -1;
    for (uint8_t i = 0; i + 1 < scrip_classic_sector_blocks(sector); i++) {
        const uint8_t block = (uint8_t)(first + i), condition = access->group[scrip_classic_group(block)];
        char rights[160];
        const char *words = block == 0 ? "read only, the manufacturer's" : data_rights(condition, b_usable, rights);
        json_array_append_new(blocks, show_block(tool, block, dump->data[block], words, condition == before));
        before = block == 0 ? -1 : condition;
    }
    json_object_set_new(shown, "blocks", blocks);
}

static json_t *show_sector(struct tool *tool, const struct scrip_card_dump *dump, uint8_t sector)
{
    struct scrip_classic_trailer trailer;
    struct scrip_classic_access access;
    char rights[160];
    scrip_classic_trailer_get(dump->data[scrip_classic_trailer(sector)], &trailer);
    const char *key_a = key_text(trailer.key_a);
    json_t *shown = json_pack("{s:i, s:s}", "sector", sector, "key_a", key_a);
    if (scrip_classic_access_get(trailer.access, &access) != SCRIP_OK) {
        tool_say(tool, "sector %-2u       the access bits are damaged: every access is refused for ever", sector);
        json_object_set_new(shown, "damaged", json_true());
        scrip_wipe(&trailer, sizeof trailer);
        return shown;
    }
    const bool b_usable = scrip_classic_key_b_usable(access.group[3]);
    const char *key_b = b_usable ? key_text(trailer.key_b) : "plain data";
    const char *words = trailer_rights(access.group[3], b_usable, rights);
    tool_say(tool, "sector %-2u       key A %s, key B %s%s", sector, key_a, key_b,
             is_factory(dump, sector) ? ", as delivered" : "");
    show_blocks(tool, dump, sector, &access, shown);
    tool_say(tool, "  trailer       %s", words);
    json_object_set_new(shown, "key_b", json_string(key_b));
    json_object_set_new(shown, "trailer", json_string(words));
    json_object_set_new(shown, "factory", json_boolean(is_factory(dump, sector)));
    scrip_wipe(&trailer, sizeof trailer);
    return shown;
}

/* Sectors in the state of delivery are a line together. */
static void show_sectors(struct tool *tool, const struct scrip_card_dump *dump)
{
    const uint8_t count = dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? 40 : 16;
    json_t *list = json_array();
    for (uint8_t s = 0; s < count; s++) {
        uint8_t end = s;
        while (s != 0 && end < count && is_factory(dump, end)) {
            end++;
        }
        if (end < s + 2) {
            json_array_append_new(list, show_sector(tool, dump, s));
            continue;
        }
        tool_say(tool, "sectors %u-%-4u  as delivered: transport keys, empty, key A may do everything", s, end - 1);
        json_array_append_new(list, json_pack("{s:i, s:i, s:b}", "sector", s, "to", end - 1, "factory", 1));
        s = (uint8_t)(end - 1);
    }
    tool_put(tool, "sectors", list);
}

/* ---- the purse -------------------------------------------------------------------------------------------------- */

/* As the purse itself judges two value blocks: the main one is written first, so it counts when it is whole. */
static enum scrip_copies_repair native_decide(const uint8_t *main, const uint8_t *backup, int32_t *value)
{
    int32_t first = 0, second = 0;
    uint8_t address;
    const bool whole = scrip_classic_value_get(main, &first, &address) == SCRIP_OK;
    const bool copy = scrip_classic_value_get(backup, &second, &address) == SCRIP_OK;
    if (!whole && !copy) {
        return SCRIP_COPIES_BOTH_DAMAGED;
    }
    *value = whole ? first : second;
    return !whole ? SCRIP_COPIES_MEND_MAIN : (copy && first == second ? SCRIP_COPIES_GOOD : SCRIP_COPIES_MEND_BACKUP);
}

static void show_purse(struct tool *tool, const struct scrip_card_dump *dump, const char *profile_name)
{
    static const char *const states[] = {"both copies agree", "the next visit writes the backup again",
                                         "the next visit writes the main copy again", "both copies are damaged"};
    static struct scrip_profile profile;
    char error[SCRIP_PROFILE_ERROR_MAX] = "";
    int32_t value = 0;
    if (profile_name[0] == '\0') {
        return;
    }
    if (scrip_profile_load(profile_name, &profile, error) != SCRIP_OK || profile.family != SCRIP_VCARD_CLASSIC) {
        tool_say(tool, "purse           where it is is not known: %s", error);
        return;
    }
    const struct scrip_storage_purse *purse = &profile.purse;
    const uint8_t *main = dump->data[purse->main_block], *backup = dump->data[purse->backup_block];
    const enum scrip_copies_repair state =
        purse->kind == SCRIP_STORAGE_BCD ? scrip_bcd_decide(main, backup, &value) : native_decide(main, backup, &value);
    if (state == SCRIP_COPIES_BOTH_DAMAGED) {
        tool_say(tool, "purse           %s, blocks %u and %u: %s", scrip_storage_kind_name(purse->kind),
                 purse->main_block, purse->backup_block, states[state]);
    } else {
        tool_say(tool, "purse           %s, blocks %u and %u: %ld minor units, %s",
                 scrip_storage_kind_name(purse->kind), purse->main_block, purse->backup_block, (long)value,
                 states[state]);
        tool_put(tool, "balance", json_integer(value));
    }
    tool_put(tool, "purse", json_string(scrip_storage_kind_name(purse->kind)));
    tool_put(tool, "copies", json_string(states[state]));
}

int card_show_classic(struct tool *tool, const char *path, const struct scrip_vcard_identity *identity)
{
    static struct scrip_card_dump dump;
    char error[SCRIP_VCARD_ERROR_MAX] = "";
    const enum scrip_status status = scrip_vcard_dump(path, &dump, error);
    if (status != SCRIP_OK) {
        return card_fail_file(tool, status, error);
    }
    tool_put(tool, "size", json_string(identity->variant == SCRIP_VCARD_4K ? "4K" : "1K"));
    show_purse(tool, &dump, identity->profile);
    show_sectors(tool, &dump);
    scrip_wipe(&dump, sizeof dump);
    return TOOL_OK;
}

/* ---- the one-time wallet ---------------------------------------------------------------------------------------- */

static void show_face(struct tool *tool, const struct scrip_otp_dump *dump)
{
    struct scrip_otp_face face;
    if (((unsigned)dump->written >> SCRIP_OTP_FACE_BLOCK & 1U) == 0 ||
        scrip_otp_face_get(dump->blocks[SCRIP_OTP_FACE_BLOCK], &face) != SCRIP_OK) {
        tool_say(tool, "purse           no face value yet");
        return;
    }
    const int32_t balance = scrip_otp_balance(&face, dump->used);
    tool_say(tool, "purse           %u units of %lu minor units, %u spent: %ld left", face.units,
             (unsigned long)face.unit, dump->used, (long)balance);
    tool_put(tool, "unit", json_integer(face.unit));
    tool_put(tool, "units", json_integer(face.units));
    tool_put(tool, "used", json_integer(dump->used));
    tool_put(tool, "balance", json_integer(balance));
}

int card_show_otp(struct tool *tool, const char *path)
{
    struct scrip_otp_dump dump;
    char error[SCRIP_VCARD_ERROR_MAX] = "", text[64];
    json_t *sectors = json_array();
    tool_put(tool, "sectors", sectors);
    const enum scrip_status status = scrip_vcard_dump_otp(path, &dump, error);
    if (status != SCRIP_OK) {
        return card_fail_file(tool, status, error);
    }
    show_face(tool, &dump);
    for (unsigned s = 0; s < SCRIP_OTP_BLOCKS / 4; s++) {
        const bool own = ((unsigned)dump.passwords >> s & 1U) != 0;
        json_t *blocks = json_array();
        tool_say(tool, "sector %-2u       %s", s, own ? "passwords of its own" : "default passwords");
        for (unsigned b = 4 * s; b < 4 * s + 3; b++) {
            const bool closed = ((unsigned)dump.written >> b & 1U) != 0;
            tool_say(tool, "  block %-3u     %-32s %s", b, block_text(dump.blocks[b], text),
                     closed ? "written for ever" : "may be written once");
            json_array_append_new(blocks, json_pack("{s:i, s:b}", "block", b, "written", (int)closed));
        }
        json_array_append_new(sectors,
                              json_pack("{s:i, s:b, s:o}", "sector", s, "own_password", (int)own, "blocks", blocks));
    }
    scrip_wipe(&dump, sizeof dump);
    return TOOL_OK;
}
