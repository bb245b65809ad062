#include "store.h"

#include <scrip/block.h>
#include <scrip/cmac.h>
#include <scrip/crc.h>
#include <string.h>

#define MAGIC        0x50524353U /* "SCRP" */
#define COPY_PAGES   6U
#define COPY_BYTES   (COPY_PAGES * SCRIP_NV_PAGE)
#define JOURNAL_PAGE (2U * COPY_PAGES)

/* The struct as it is in memory, between magic and checksum: only this program reads it. */
struct copy {
    uint32_t magic;
    struct settings settings;
    uint32_t crc; /* of all before it */
};
_Static_assert(sizeof(struct copy) <= COPY_BYTES, "a copy must fit its pages");

static uint32_t crc_of(const struct copy *copy)
{
    return scrip_crc32(SCRIP_CRC32_START, scrip_bytes(copy, offsetof(struct copy, crc)));
}

static enum scrip_status copy_read(const struct scrip_nv *flash, unsigned which, struct copy *copy, bool *whole)
{
    SCRIP_TRY(flash->read(flash->ctx, (uint32_t)(which * COPY_BYTES), (uint8_t *)copy, sizeof *copy));
    *whole = copy->magic == MAGIC && copy->crc == crc_of(copy);
    return SCRIP_OK;
}

static void defaults(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    memcpy(settings->terminal, "\x00\x00\x00\x01", 4);
    memcpy(settings->desfire, "an12113", sizeof "an12113");
    memcpy(settings->classic, "classic", sizeof "classic");
    settings->currency = 978;
    settings->price = 250;
    settings->clock_ms = 1767225600000ULL; /* 2026-01-01 */
}

enum scrip_status store_load(const struct scrip_nv *flash, struct settings *settings)
{
    struct copy copy;
    bool whole = false;
    defaults(settings);
    for (unsigned which = 0; which < 2; which++) {
        SCRIP_TRY(copy_read(flash, which, &copy, &whole));
        if (whole && copy.settings.generation > settings->generation) {
            *settings = copy.settings;
        }
    }
    scrip_wipe(&copy, sizeof copy);
    return SCRIP_OK;
}

/* Odd generations are in the first copy. */
enum scrip_status store_save(const struct scrip_nv *flash, struct settings *settings)
{
    union {
        struct copy copy;
        uint8_t page[COPY_PAGES][SCRIP_NV_PAGE];
    } out;
    enum scrip_status status = SCRIP_OK;
    memset(&out, 0, sizeof out);
    out.copy.magic = MAGIC;
    out.copy.settings = *settings;
    out.copy.settings.generation++;
    out.copy.crc = crc_of(&out.copy);
    const uint32_t first = out.copy.settings.generation % 2 == 1 ? 0 : COPY_PAGES;
    for (uint32_t i = 0; i * SCRIP_NV_PAGE < sizeof out.copy && status == SCRIP_OK; i++) {
        status = flash->write(flash->ctx, first + i, out.page[i]);
    }
    settings->generation += status == SCRIP_OK ? 1U : 0U;
    scrip_wipe(&out, sizeof out);
    return status;
}

/* ---- the journal's share ---- */

static enum scrip_status share_read(void *ctx, uint32_t at, uint8_t *dst, size_t len)
{
    const struct scrip_nv *flash = *(const struct scrip_nv **)ctx;
    return flash->read(flash->ctx, at + JOURNAL_PAGE * SCRIP_NV_PAGE, dst, len);
}

static enum scrip_status share_write(void *ctx, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    const struct scrip_nv *flash = *(const struct scrip_nv **)ctx;
    return flash->write(flash->ctx, page + JOURNAL_PAGE, data);
}

const struct scrip_nv *store_journal(const struct scrip_nv *flash)
{
    static const struct scrip_nv *whole;
    static struct scrip_nv share = {.ctx = &whole, .read = share_read, .write = share_write};
    whole = flash;
    share.pages = flash->pages - JOURNAL_PAGE;
    return &share;
}

/* ---- keys ---- */

static enum scrip_status key_give(const uint8_t key[16], struct scrip_bytes m, uint8_t out[16])
{
    if (m.len == 0) {
        memcpy(out, key, 16);
        return SCRIP_OK;
    }
    return scrip_an10922(SCRIP_AES128, key, m, out);
}

static enum scrip_status key_get(void *ctx, enum scrip_purse_role role, struct scrip_bytes m, uint8_t out[16])
{
    const struct settings *settings = ctx;
    if ((unsigned)role >= STORE_KEYS || (settings->has_key >> role & 1U) == 0) {
        return SCRIP_E_KEY;
    }
    return key_give(settings->key[role], m, out);
}

/* The place of a role's older key; STORE_OLDER: it has none. */
static unsigned older_at(enum scrip_purse_role role)
{
    const unsigned at = (unsigned)role - (unsigned)STORE_OLDER_FIRST;
    return at < STORE_OLDER ? at : STORE_OLDER;
}

enum scrip_status store_older_key(void *ctx, enum scrip_purse_role role, uint8_t version, struct scrip_bytes m,
                                  uint8_t out[16])
{
    const struct settings *settings = ctx;
    const unsigned at = older_at(role);
    (void)version;
    return at < STORE_OLDER && (settings->has_older >> at & 1U) != 0 ? key_give(settings->older[at], m, out)
                                                                     : SCRIP_E_KEY;
}

void store_take_key(struct settings *settings, enum scrip_purse_role role, const uint8_t key[16])
{
    const unsigned at = older_at(role);
    const bool had = ((unsigned)settings->has_key >> role & 1U) != 0;
    if (at < STORE_OLDER) {
        const bool differs = had && memcmp(settings->key[role], key, 16) != 0;
        memcpy(settings->older[at], settings->key[role], 16);
        const uint8_t bit = (uint8_t)(1U << at);
        settings->has_older &= (uint8_t)~bit;
        settings->has_older |= differs ? bit : 0;
    }
    memcpy(settings->key[role], key, 16);
    settings->has_key |= (uint16_t)(1U << role);
}

struct scrip_purse_keys store_keys(struct settings *settings)
{
    return (struct scrip_purse_keys){.ctx = settings, .get = key_get};
}

/* ---- random numbers ---- */

static void mix(const uint8_t key[16], uint8_t tag, const uint8_t in[16], uint8_t out[16])
{
    struct scrip_block block;
    uint8_t text[16];
    memcpy(text, in, 16);
    text[0] ^= tag;
    scrip_block_init_encrypt(&block, SCRIP_AES128, key);
    scrip_block_encrypt(&block, 1, out, text);
    for (unsigned i = 0; i < 16; i++) {
        out[i] ^= text[i];
    }
    scrip_block_wipe(&block);
}

enum scrip_status generator_start(struct generator *generator, struct settings *settings, const struct scrip_nv *flash,
                                  const uint8_t entropy[16])
{
    uint8_t old[16];
    memcpy(old, settings->seed, 16);
    mix(old, 1, entropy, generator->key);
    mix(old, 2, entropy, settings->seed);
    generator->counter = 0;
    scrip_wipe(old, sizeof old);
    return store_save(flash, settings);
}

static enum scrip_status fill(void *ctx, uint8_t *dst, size_t len)
{
    struct generator *generator = ctx;
    struct scrip_block block;
    uint8_t out[16];
    scrip_block_init_encrypt(&block, SCRIP_AES128, generator->key);
    for (size_t at = 0; at < len; at += sizeof out) {
        memset(out, 0, sizeof out);
        scrip_put_le64(out, ++generator->counter);
        scrip_block_encrypt(&block, 1, out, out);
        memcpy(dst + at, out, len - at < sizeof out ? len - at : sizeof out);
    }
    scrip_block_wipe(&block);
    scrip_wipe(out, sizeof out);
    return SCRIP_OK;
}

struct scrip_random generator_random(struct generator *generator)
{
    return (struct scrip_random){.ctx = generator, .fill = fill};
}
