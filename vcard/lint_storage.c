/* lint_storage.c: who may make value on a storage card, from its profile or from its memory.
 *
 * Two facts stand above the rest. The cipher is broken: who has a card and a reader for a while has its keys. And the
 * card keeps no record of who changed it: what a terminal says of a debit is its word. */
#include "lint.h"
#include <scrip/card_dump.h>
#include <stdio.h>
#include <string.h>

/* ---- profiles --------------------------------------------------------------------------------------------------- */

/* Conditions of the blocks and of the trailer, as the purse writes them. */
struct conditions {
    uint8_t data, trailer;
};

static struct conditions conditions_of(const struct scrip_storage_purse *purse)
{
    if (purse->access == SCRIP_STORAGE_COMPATIBLE) {
        return (struct conditions){0, 1}; /* as delivered */
    }
    return (struct conditions){purse->kind == SCRIP_STORAGE_BCD ? 4 : 6, 3};
}

static bool may_credit(const struct scrip_storage_purse *purse, uint8_t data, bool key_b)
{
    return scrip_classic_may(data, SCRIP_CLASSIC_MAY_WRITE, key_b) ||
           (purse->kind == SCRIP_STORAGE_NATIVE && scrip_classic_may(data, SCRIP_CLASSIC_MAY_INCREMENT, key_b));
}

static bool may_debit(const struct scrip_storage_purse *purse, uint8_t data, bool key_b)
{
    return scrip_classic_may(
        data, purse->kind == SCRIP_STORAGE_BCD ? SCRIP_CLASSIC_MAY_WRITE : SCRIP_CLASSIC_MAY_DECREMENT, key_b);
}

static const char *role_of(const struct scrip_storage_key *key)
{
    return key->role == SCRIP_STORAGE_FACTORY ? "transport key" : scrip_profile_role_name(key->role);
}

static void lint_key_rights(struct lint_sink *sink, const struct scrip_storage_purse *purse, bool key_b)
{
    const struct scrip_storage_key *key = key_b ? &purse->key_b : &purse->key_a;
    const struct conditions is = conditions_of(purse);
    const bool gate = key->role == SCRIP_PURSE_PAY || key->role == SCRIP_PURSE_ID;
    const char letter = key_b ? 'B' : 'A';
    if (key_b && !scrip_classic_key_b_usable(is.trailer)) {
        lint_find(sink, SCRIP_LINT_WARNING, "key B (%s) can be read with key A: it is data, and opens nothing",
                  role_of(key));
        return;
    }
    if (purse->kind == SCRIP_STORAGE_OTP) {
        lint_find(sink, SCRIP_LINT_INFO, "key %c (%s) may debit; nobody may credit, the memory is one-time", letter,
                  role_of(key));
        return;
    }
    if (may_credit(purse, is.data, key_b)) {
        lint_find(sink, gate ? SCRIP_LINT_ERROR : (key_b ? SCRIP_LINT_INFO : SCRIP_LINT_WARNING),
                  "key %c (%s) may credit%s%s", letter, role_of(key),
                  may_debit(purse, is.data, key_b) ? ", and debit" : "",
                  gate ? ", and it is a gate's key" : (key_b ? "" : ": who can debit can make value"));
    } else {
        lint_find(sink, SCRIP_LINT_INFO, "key %c (%s) may %s, never credit", letter, role_of(key),
                  may_debit(purse, is.data, key_b) ? "debit only" : "read only");
    }
    if (purse->kind == SCRIP_STORAGE_NATIVE && !may_credit(purse, is.data, key_b)) {
        lint_find(sink, SCRIP_LINT_INFO,
                  "key %c (%s) may copy one value block to the other: it can undo a debit whose backup is not written",
                  letter, role_of(key));
    }
    if (gate && scrip_classic_may(is.trailer, SCRIP_CLASSIC_MAY_WRITE_ACCESS, key_b)) {
        lint_find(sink, SCRIP_LINT_ERROR, "key %c (%s) may change keys and access bits, and it is a gate's key", letter,
                  role_of(key));
    }
}

static void lint_key(struct lint_sink *sink, const struct scrip_storage_key *key, char letter)
{
    if (key->role == SCRIP_STORAGE_FACTORY) {
        lint_find(sink, SCRIP_LINT_WARNING, "key %c is the transport key FF FF FF FF FF FF: everybody knows it",
                  letter);
    } else if (!key->diversified) {
        lint_find(sink, SCRIP_LINT_WARNING, "key %c (%s) is not diversified: one opened card opens all of them", letter,
                  role_of(key));
    }
}

void lint_crypto1(struct lint_sink *sink)
{
    lint_find(
        sink, SCRIP_LINT_WARNING,
        "Crypto-1 is broken: who has a card and a reader for a while has its keys. Keep limits low and reconcile");
}

static void lint_purse(struct lint_sink *sink, const struct scrip_profile *profile)
{
    const struct scrip_storage_purse *purse = &profile->purse;
    char name[32];
    if (purse->kind == SCRIP_STORAGE_OTP) {
        lint_find(sink, SCRIP_LINT_INFO, "a new card holds %u units of %u minor units: %lu", purse->units,
                  (unsigned)purse->unit, (unsigned long)purse->unit * purse->units);
    } else {
        lint_find(sink, SCRIP_LINT_INFO, "terminals credit up to %ld minor units; the card itself has no limit",
                  (long)purse->upper);
    }
    lint_find(sink, SCRIP_LINT_WARNING,
              "there is no Transaction MAC and no log: a debit is proved by the terminal's word only");
    if (!scrip_profile_storage_name(profile, name)) {
        lint_find(sink, SCRIP_LINT_WARNING, "no terminal knows such a purse: they must be told about it");
    } else if (strcmp(name, profile->name) != 0) {
        lint_find(sink, SCRIP_LINT_INFO, "terminals call this purse %s (--purse)", name);
    }
}

void lint_storage(struct lint_sink *sink, const struct scrip_profile *profile)
{
    const struct scrip_storage_purse *purse = &profile->purse;
    lint_key_rights(sink, purse, false);
    lint_key_rights(sink, purse, true);
    lint_key(sink, &purse->key_a, 'A');
    lint_key(sink, &purse->key_b, 'B');
    lint_purse(sink, profile);
    lint_crypto1(sink);
}

/* ---- the memory of a card --------------------------------------------------------------------------------------- */

enum { SECTORS_MAX = 40 };

/* What is found in sectors; one bit per sector. */
enum finding { FOUND_DAMAGED, FOUND_TRANSPORT_A, FOUND_TRANSPORT_B, FOUND_B_READABLE, FOUND_A_CREDITS, FOUND_COUNT };

static const struct {
    enum scrip_lint_level level;
    const char *text;
} FINDINGS[FOUND_COUNT] = {
    {SCRIP_LINT_WARNING, "the access bits are damaged, so every access is refused for ever"},
    {SCRIP_LINT_WARNING, "key A is the transport key FF FF FF FF FF FF: everybody knows it"},
    {SCRIP_LINT_WARNING, "key B is the transport key FF FF FF FF FF FF: everybody knows it"},
    {SCRIP_LINT_WARNING, "key B can be read with key A: it is data, and opens nothing"},
    {SCRIP_LINT_WARNING, "there is a value block, and key A may credit it"},
};

static bool is_transport(const uint8_t key[SCRIP_CLASSIC_KEY])
{
    return memcmp(key, "\xFF\xFF\xFF\xFF\xFF\xFF", SCRIP_CLASSIC_KEY) == 0;
}

static bool value_for_key_a(const struct scrip_card_dump *dump, uint8_t sector,
                            const struct scrip_classic_access *access)
{
    const uint8_t first = scrip_classic_first(sector);
    for (uint8_t i = 0; i + 1 < scrip_classic_sector_blocks(sector); i++) {
        const uint8_t block = (uint8_t)(first + i), condition = access->group[scrip_classic_group(block)];
        int32_t value;
        uint8_t address;
        if (scrip_classic_value_get(dump->data[block], &value, &address) == SCRIP_OK && block != 0 &&
            (scrip_classic_may(condition, SCRIP_CLASSIC_MAY_INCREMENT, false) ||
             scrip_classic_may(condition, SCRIP_CLASSIC_MAY_WRITE, false))) {
            return true;
        }
    }
    return false;
}

static void sector_findings(const struct scrip_card_dump *dump, uint8_t sector, bool found[FOUND_COUNT])
{
    struct scrip_classic_trailer trailer;
    struct scrip_classic_access access = {{0}};
    scrip_classic_trailer_get(dump->data[scrip_classic_trailer(sector)], &trailer);
    found[FOUND_DAMAGED] = scrip_classic_access_get(trailer.access, &access) != SCRIP_OK;
    if (!found[FOUND_DAMAGED]) {
        const bool usable = scrip_classic_key_b_usable(access.group[3]);
        found[FOUND_TRANSPORT_A] = is_transport(trailer.key_a);
        found[FOUND_TRANSPORT_B] = usable && is_transport(trailer.key_b);
        found[FOUND_B_READABLE] = !usable;
        found[FOUND_A_CREDITS] = value_for_key_a(dump, sector, &access);
    }
    scrip_wipe(&trailer, sizeof trailer);
}

/* "sector 3" or "sectors 0-2, 7". */
static void sectors_text(uint64_t sectors, char *text, size_t cap)
{
    size_t len = (size_t)snprintf(text, cap, "sector%s", (sectors & (sectors - 1)) != 0 ? "s" : "");
    const char *between = " ";
    for (unsigned s = 0; s < SECTORS_MAX && len < cap; s++) {
        unsigned last = s;
        if ((sectors >> s & 1U) == 0) {
            continue;
        }
        while (last + 1 < SECTORS_MAX && (sectors >> (last + 1) & 1U) != 0) {
            last++;
        }
        len += (size_t)(last > s ? snprintf(text + len, cap - len, "%s%u-%u", between, s, last)
                                 : snprintf(text + len, cap - len, "%s%u", between, s));
        between = ", ";
        s = last;
    }
}

enum scrip_status scrip_dump_lint(const struct scrip_card_dump *dump,
                                  void (*each)(void *ctx, enum scrip_lint_level level, const char *sentence), void *ctx)
{
    struct lint_sink sink = {.each = each, .ctx = ctx};
    uint64_t sectors[FOUND_COUNT] = {0};
    const uint8_t count = dump->blocks == SCRIP_CLASSIC_4K_BLOCKS ? SECTORS_MAX : 16;
    for (uint8_t s = 0; s < count; s++) {
        bool found[FOUND_COUNT] = {false};
        sector_findings(dump, s, found);
        for (size_t f = 0; f < FOUND_COUNT; f++) {
            sectors[f] |= (uint64_t)found[f] << s;
        }
    }
    for (size_t f = 0; f < FOUND_COUNT; f++) {
        char where[160];
        if (sectors[f] != 0) {
            sectors_text(sectors[f], where, sizeof where);
            lint_find(&sink, FINDINGS[f].level, "%s: %s", where, FINDINGS[f].text);
        }
    }
    lint_crypto1(&sink);
    return sink.failed ? SCRIP_E_LIMIT : SCRIP_OK;
}
