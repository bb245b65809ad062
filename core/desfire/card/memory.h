/* memory.h: the card's non-volatile memory, changed atomically and handed out page by page. */
#ifndef SCRIP_DESFIRE_CARD_MEMORY_H
#define SCRIP_DESFIRE_CARD_MEMORY_H

#include <scrip/desfire_card.h>

/* Where things are. One page is SCRIP_NV_PAGE bytes; the map and the pool follow and depend on the storage size. */
enum {
    PAGE_IDENTITY = 0,
    PAGE_SIGNATURE = 1,
    PAGE_COMMIT = 2,                                     /* the commit record */
    PAGE_TARGETS = 3,                                    /* targets of a commit that do not fit into its record */
    PAGE_LOG = 6,                                        /* staged pages */
    PAGE_PICC = PAGE_LOG + (int)SCRIP_DESFIRE_LOG_SLOTS, /* settings of the card */
    PAGE_PICC_TEXT = PAGE_PICC + 1,                      /* ATS, name */
    PAGE_PICC_KEYS = PAGE_PICC + 2,                      /* four pages of two keys */
    PAGE_MAP = PAGE_PICC_KEYS + 4,                       /* two bytes per page of the pool */
};

#define NV_PAGE  SCRIP_NV_PAGE

/* What a page of the pool is followed by, as the map says it. Pages of the pool are numbered from 1. */
#define MAP_FREE 0x0000U
#define MAP_END  0xFFFFU

/* Pages of the pool for a storage byte of GetVersion; 0: not a size this card comes in. */
uint16_t memory_pool_pages(uint8_t storage);

/* Pages of the whole memory for a storage byte. */
uint32_t memory_pages(uint8_t storage);

/* Take up memory of the given size; nothing is read yet. */
void memory_attach(struct scrip_desfire_card *card, const struct scrip_nv *nv, uint8_t storage);

/* Carry out a commit that a power loss interrupted. */
enum scrip_status memory_repair(struct scrip_desfire_card *card);

/* Read bytes as the running command sees them. After a fault: zeros. */
void memory_read(struct scrip_desfire_card *card, uint32_t at, void *dst, size_t len);

/* Change bytes when the command is done (memory_commit), or not at all (memory_drop). */
void memory_write(struct scrip_desfire_card *card, uint32_t at, const void *src, size_t len);

/* Program a page at once: only for pages that nothing valid refers to. */
void memory_program(struct scrip_desfire_card *card, uint32_t page, const uint8_t data[SCRIP_NV_PAGE]);

/* Make all staged changes durable in one step. @return the fault, SCRIP_OK if there is none */
enum scrip_status memory_commit(struct scrip_desfire_card *card);

/* Forget all staged changes. */
void memory_drop(struct scrip_desfire_card *card);

/* Did the command stage more pages than the log holds? Then it must be refused. */
bool memory_overflowed(const struct scrip_desfire_card *card);

/* ---- the pool: chains of pages ---- */

/* Byte address of a pool page. */
uint32_t pool_address(const struct scrip_desfire_card *card, uint16_t page);

/* A chain of `pages` zeroed pages; staged in the map. @return its first page, 0: no memory */
uint16_t pool_take(struct scrip_desfire_card *card, size_t pages);

/* Give a chain back; 0 is the empty chain. */
void pool_give(struct scrip_desfire_card *card, uint16_t first);

/* Give everything back. */
void pool_clear(struct scrip_desfire_card *card);

/* Read from, and stage changes to, a chain at a byte offset. The caller keeps within its length. */
void chain_read(struct scrip_desfire_card *card, uint16_t first, size_t offset, void *dst, size_t len);
void chain_write(struct scrip_desfire_card *card, uint16_t first, size_t offset, const void *src, size_t len);

/* Change a chain at once, page by page: only for chains that nothing valid refers to. */
void chain_program(struct scrip_desfire_card *card, uint16_t first, size_t offset, const void *src, size_t len);

/* Copy whole chains of equal length at once, under the rule of chain_program. */
void chain_copy(struct scrip_desfire_card *card, uint16_t from, uint16_t to);

#endif
