/* memory.c: pages of the card.
 *
 * Page b: block b in its first 16 bytes. Page 0 goes on with what the factory decided; nothing in the field writes it.
 * The page behind the blocks: UID usage, its complement and both again. A torn write leaves some mixture in which
 * value and complement do not match, and counts as never decided. */
#include "card.h"
#include <string.h>

#define FACTORY_AT  SCRIP_CLASSIC_BLOCK /* in page 0 */
#define FACTORY_LEN 8U

static const uint8_t factory_magic[4] = {'S', 'M', 'F', 'C'};

uint32_t memory_blocks(bool is_4k)
{
    return is_4k ? SCRIP_CLASSIC_4K_BLOCKS : SCRIP_CLASSIC_1K_BLOCKS;
}

uint32_t scrip_classic_card_pages(bool is_4k)
{
    return memory_blocks(is_4k) + 1U;
}

enum scrip_status memory_block(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    uint8_t read[SCRIP_CLASSIC_BLOCK];
    SCRIP_TRY(nv->read(nv->ctx, block * SCRIP_NV_PAGE, read, sizeof read));
    memcpy(data, read, sizeof read);
    scrip_wipe(read, sizeof read);
    return SCRIP_OK;
}

/* The rest of page 0 stays as it is; of the others there is none. */
enum scrip_status memory_block_put(const struct scrip_nv *nv, uint8_t block, const uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    uint8_t page[SCRIP_NV_PAGE] = {0};
    if (block == 0) {
        SCRIP_TRY(nv->read(nv->ctx, 0, page, sizeof page));
    }
    memcpy(page, data, SCRIP_CLASSIC_BLOCK);
    const enum scrip_status status = nv->write(nv->ctx, block, page);
    scrip_wipe(page, sizeof page);
    return status;
}

/* ---- UID usage ---- */

enum scrip_status memory_usage(const struct scrip_nv *nv, bool is_4k, uint8_t *usage, bool *decided)
{
    uint8_t kept[4];
    SCRIP_TRY(nv->read(nv->ctx, memory_blocks(is_4k) * SCRIP_NV_PAGE, kept, sizeof kept));
    *decided = kept[0] == kept[2] && kept[1] == kept[3] && (kept[0] ^ kept[1]) == 0xFF && (kept[0] & 0x9FU) == 0;
    *usage = *decided ? kept[0] : SCRIP_CLASSIC_UIDF0;
    return SCRIP_OK;
}

enum scrip_status memory_usage_put(const struct scrip_nv *nv, bool is_4k, uint8_t usage)
{
    const uint8_t page[SCRIP_NV_PAGE] = {usage, (uint8_t)~usage, usage, (uint8_t)~usage};
    return nv->write(nv->ctx, memory_blocks(is_4k), page);
}

/* ---- the factory ---- */

/* Block 0: UID (BCC behind four bytes), SAK, ATQA, then what the manufacturer likes. */
static void manufacturer_block(const struct scrip_classic_identity *identity, uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    static const uint8_t maker[] = {'s', 'c', 'r', 'i', 'p'};
    const uint8_t *uid = identity->uid;
    size_t at = identity->uid_len;

    memset(block, 0, SCRIP_CLASSIC_BLOCK);
    memcpy(block, uid, identity->uid_len);
    if (identity->uid_len == 4) {
        block[at++] = uid[0] ^ uid[1] ^ uid[2] ^ uid[3];
    }
    block[at++] = identity->is_4k ? 0x18 : 0x08;
    block[at++] = (uint8_t)((identity->is_4k ? 0x02U : 0x04U) | (identity->uid_len == 7 ? 0x40U : 0x00U));
    block[at + 1] = 0;
    memcpy(block + SCRIP_CLASSIC_BLOCK - sizeof maker, maker, sizeof maker);
}

static enum scrip_status make_page_0(const struct scrip_nv *nv, const struct scrip_classic_identity *identity)
{
    uint8_t page[SCRIP_NV_PAGE] = {0};
    uint8_t *factory = page + FACTORY_AT;

    manufacturer_block(identity, page);
    memcpy(factory, factory_magic, sizeof factory_magic);
    factory[4] = identity->uid_len;
    factory[5] = (uint8_t)~identity->uid_len;
    factory[6] = identity->is_4k ? 1 : 0;
    factory[7] = (uint8_t)~factory[6];
    return nv->write(nv->ctx, 0, page);
}

enum scrip_status scrip_classic_card_make(const struct scrip_nv *nv, const struct scrip_classic_identity *identity)
{
    static const uint8_t blank[SCRIP_NV_PAGE];
    const uint32_t blocks = memory_blocks(identity->is_4k);

    if ((identity->uid_len != 4 && identity->uid_len != 7) ||
        identity->uid[identity->uid_len == 4 ? 0 : 3] == SCRIP_CASCADE_CT) {
        return SCRIP_E_ARGUMENT;
    }
    if (nv->pages < scrip_classic_card_pages(identity->is_4k)) {
        return SCRIP_E_SPACE;
    }
    SCRIP_TRY(nv->write(nv->ctx, 0, blank));
    SCRIP_TRY(nv->write(nv->ctx, blocks, blank));
    for (uint32_t block = 1; block < blocks; block++) {
        const bool trailer = scrip_classic_group((uint8_t)block) == 3;
        SCRIP_TRY(memory_block_put(nv, (uint8_t)block, trailer ? scrip_classic_trailer_new : blank));
    }
    return make_page_0(nv, identity); /* last: without it there is no card */
}

enum scrip_status scrip_classic_card_identity(const struct scrip_nv *nv, struct scrip_classic_identity *identity)
{
    uint8_t page[FACTORY_AT + FACTORY_LEN];
    const uint8_t *factory = page + FACTORY_AT;

    if (nv->pages == 0) {
        return SCRIP_E_CORRUPT;
    }
    SCRIP_TRY(nv->read(nv->ctx, 0, page, sizeof page));
    if (memcmp(factory, factory_magic, sizeof factory_magic) != 0 || (factory[4] ^ factory[5]) != 0xFF ||
        (factory[6] ^ factory[7]) != 0xFF || (factory[4] != 4 && factory[4] != 7) || factory[6] > 1 ||
        nv->pages < scrip_classic_card_pages(factory[6] == 1)) {
        return SCRIP_E_CORRUPT;
    }
    *identity = (struct scrip_classic_identity){.uid_len = factory[4], .is_4k = factory[6] == 1};
    memcpy(identity->uid, page, identity->uid_len);
    return SCRIP_OK;
}

/* ---- image tools ---- */

static enum scrip_status check_block(const struct scrip_nv *nv, uint8_t block)
{
    struct scrip_classic_identity identity;
    SCRIP_TRY(scrip_classic_card_identity(nv, &identity));
    return block < memory_blocks(identity.is_4k) ? SCRIP_OK : SCRIP_E_ARGUMENT;
}

enum scrip_status scrip_classic_card_peek(const struct scrip_nv *nv, uint8_t block, uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    SCRIP_TRY(check_block(nv, block));
    return memory_block(nv, block, data);
}

enum scrip_status scrip_classic_card_poke(const struct scrip_nv *nv, uint8_t block,
                                          const uint8_t data[SCRIP_CLASSIC_BLOCK])
{
    SCRIP_TRY(check_block(nv, block));
    return memory_block_put(nv, block, data);
}
