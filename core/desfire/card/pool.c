/* pool.c: pages for applications and files, in chains. The map holds two bytes for each page: free, end of a chain, or
 * the next page of it. */
#include "memory.h"
#include <string.h>

static uint32_t map_address(uint16_t page)
{
    return (uint32_t)PAGE_MAP * NV_PAGE + 2U * (page - 1U);
}

static uint16_t map_get(struct scrip_desfire_card *card, uint16_t page)
{
    uint8_t entry[2];
    memory_read(card, map_address(page), entry, sizeof entry);
    return scrip_get_le16(entry);
}

static void map_put(struct scrip_desfire_card *card, uint16_t page, uint16_t value)
{
    uint8_t entry[2];
    scrip_put_le16(entry, value);
    memory_write(card, map_address(page), entry, sizeof entry);
}

static bool in_pool(const struct scrip_desfire_card *card, uint16_t page)
{
    return page >= 1 && page <= card->memory.pool_pages;
}

uint32_t pool_address(const struct scrip_desfire_card *card, uint16_t page)
{
    /* A damaged image may name any page; keep every access inside the memory. */
    const uint32_t index = in_pool(card, page) ? page - 1U : 0;
    return (card->memory.pool_first + index) * NV_PAGE;
}

/* The page after `page`; 0 at the end of the chain. */
static uint16_t pool_next(struct scrip_desfire_card *card, uint16_t page)
{
    const uint16_t next = in_pool(card, page) ? map_get(card, page) : MAP_END;
    return in_pool(card, next) ? next : 0;
}

static uint16_t free_page_after(struct scrip_desfire_card *card, uint16_t page)
{
    for (page++; in_pool(card, page); page++) {
        if (map_get(card, page) == MAP_FREE) {
            return page;
        }
    }
    return 0;
}

uint16_t pool_take(struct scrip_desfire_card *card, size_t pages)
{
    static const uint8_t zeros[NV_PAGE];
    const uint16_t first = free_page_after(card, 0);
    uint16_t page = first;

    if (pages == 0) {
        return 0;
    }
    while (page != 0) {
        memory_program(card, pool_address(card, page) / NV_PAGE, zeros);
        const uint16_t next = --pages == 0 ? 0 : free_page_after(card, page);
        map_put(card, page, next == 0 ? MAP_END : next);
        if (pages == 0) {
            return first;
        }
        page = next;
    }
    return 0;
}

void pool_give(struct scrip_desfire_card *card, uint16_t first)
{
    /* counted: a damaged map must not send us round for ever */
    for (uint32_t n = 0; first != 0 && n < card->memory.pool_pages; n++) {
        const uint16_t next = pool_next(card, first);
        map_put(card, first, MAP_FREE);
        first = next;
    }
}

void pool_clear(struct scrip_desfire_card *card)
{
    static const uint8_t zeros[NV_PAGE];
    for (uint32_t page = PAGE_MAP; page < card->memory.pool_first; page++) {
        memory_write(card, page * NV_PAGE, zeros, NV_PAGE);
    }
}

/* What to do with one stretch of a chain that lies within a page. */
enum stretch { STRETCH_READ, STRETCH_WRITE, STRETCH_PROGRAM };

static void program_within(struct scrip_desfire_card *card, uint32_t at, const uint8_t *src, size_t len)
{
    uint8_t page[NV_PAGE];
    memory_read(card, at / NV_PAGE * NV_PAGE, page, NV_PAGE);
    memcpy(page + at % NV_PAGE, src, len);
    memory_program(card, at / NV_PAGE, page);
}

static void walk(struct scrip_desfire_card *card, uint16_t page, size_t offset, enum stretch what, uint8_t *dst,
                 const uint8_t *src, size_t len)
{
    for (; offset >= NV_PAGE && page != 0; offset -= NV_PAGE) {
        page = pool_next(card, page);
    }
    for (size_t done = 0; done < len && page != 0; page = pool_next(card, page), offset = 0) {
        const size_t part = len - done < NV_PAGE - offset ? len - done : NV_PAGE - offset;
        const uint32_t at = pool_address(card, page) + (uint32_t)offset;
        if (what == STRETCH_READ) {
            memory_read(card, at, dst + done, part);
        } else if (what == STRETCH_WRITE) {
            memory_write(card, at, src + done, part);
        } else {
            program_within(card, at, src + done, part);
        }
        done += part;
    }
}

void chain_read(struct scrip_desfire_card *card, uint16_t first, size_t offset, void *dst, size_t len)
{
    memset(dst, 0, len);
    walk(card, first, offset, STRETCH_READ, dst, NULL, len);
}

void chain_write(struct scrip_desfire_card *card, uint16_t first, size_t offset, const void *src, size_t len)
{
    walk(card, first, offset, STRETCH_WRITE, NULL, src, len);
}

void chain_program(struct scrip_desfire_card *card, uint16_t first, size_t offset, const void *src, size_t len)
{
    walk(card, first, offset, STRETCH_PROGRAM, NULL, src, len);
}

void chain_copy(struct scrip_desfire_card *card, uint16_t from, uint16_t to)
{
    uint8_t page[NV_PAGE];
    for (uint32_t n = 0; from != 0 && to != 0 && n < card->memory.pool_pages; n++) {
        memory_read(card, pool_address(card, from), page, NV_PAGE);
        memory_program(card, pool_address(card, to) / NV_PAGE, page);
        from = pool_next(card, from);
        to = pool_next(card, to);
    }
}
