/* memory.c: changes that happen wholly or not at all.
 *
 * The memory is a redo log in front of pages. What a command changes is staged: the new page is programmed into a slot
 * of the log, and reads of the same command see it there. At the end the commit record is programmed: how many slots,
 * which page each is for, and a checksum over all of it. That single page is the moment of truth. Then the slots are
 * copied to their pages.
 *
 *   power lost while staging         the old commit record is there, or its checksum fails; the old state
 *   while programming the record     it is whole (new state) or not (old state); nothing else was touched yet
 *   while copying                    memory_repair copies again; copying is idempotent, so it may itself be cut short
 *
 * A commit record is not cleared after its slots were copied: repairing again finds every page equal and writes
 * nothing, and from the first slot that the next command programs, the checksum fails. One write less per change.
 *
 * Pages that nothing valid refers to are programmed directly: those a new file is made of, and the shadow of a backup
 * file while a transaction is open. They never are in the newest commit record: getting them took a commit of its own
 * that named other pages. Hence repairing cannot disturb them, nor their tearing anything else.
 *
 * Storage failures are sticky (`fault`): handlers need not look at each access, the pipeline looks once before it
 * answers, and no answer leaves a card whose memory did not take the change. */
#include "memory.h"
#include <scrip/crc.h>
#include <string.h>

#define COMMIT_MAGIC   0x4C43U
#define NO_SLOT        ((uint16_t)SCRIP_DESFIRE_LOG_SLOTS)
#define OVERFLOW_MARK  ((uint16_t)(SCRIP_DESFIRE_LOG_SLOTS + 1U))
#define INLINE_TARGETS 26U
#define PAGE_TARGETS_N 32U

/* The commit record: magic[2] count[2] generation[4] checksum[4] targets[52], all least significant byte first. */
enum { COMMIT_COUNT = 2, COMMIT_GENERATION = 4, COMMIT_SUM = 8, COMMIT_TARGETS = 12 };

_Static_assert(COMMIT_TARGETS + 2 * INLINE_TARGETS == NV_PAGE, "the record is one page");
_Static_assert(SCRIP_DESFIRE_LOG_SLOTS <= INLINE_TARGETS + PAGE_TARGETS_N * (PAGE_LOG - PAGE_TARGETS),
               "every slot has a place for its target");

static enum scrip_status nv_read(struct scrip_desfire_card *card, uint32_t at, void *dst, size_t len)
{
    const struct scrip_nv *nv = card->host.nv;
    if (card->memory.fault == SCRIP_OK) {
        card->memory.fault = nv->read(nv->ctx, at, dst, len);
    }
    if (card->memory.fault != SCRIP_OK) {
        memset(dst, 0, len);
    }
    return card->memory.fault;
}

void memory_program(struct scrip_desfire_card *card, uint32_t page, const uint8_t data[SCRIP_NV_PAGE])
{
    const struct scrip_nv *nv = card->host.nv;
    if (card->memory.fault == SCRIP_OK) {
        card->memory.fault = nv->write(nv->ctx, page, data);
    }
}

uint16_t memory_pool_pages(uint8_t storage)
{
    if (storage < 0x11 || storage > 0x20) {
        return 0;
    }
    const uint32_t nominal = UINT32_C(1) << ((storage + 1) / 2); /* odd: less than the next power of two */
    return (uint16_t)(nominal * 5 / 4 / 32);                     /* genuine 4K cards report 5120 free bytes */
}

static uint32_t map_pages(uint16_t pool_pages)
{
    return (pool_pages * 2U + NV_PAGE - 1) / NV_PAGE;
}

uint32_t memory_pages(uint8_t storage)
{
    const uint16_t pool = memory_pool_pages(storage);
    return (uint32_t)PAGE_MAP + map_pages(pool) + pool;
}

void memory_attach(struct scrip_desfire_card *card, const struct scrip_nv *nv, uint8_t storage)
{
    card->host.nv = nv;
    card->memory = (struct scrip_desfire_memory){.open_slot = NO_SLOT};
    card->memory.pool_pages = memory_pool_pages(storage);
    card->memory.pool_first = (uint16_t)(PAGE_MAP + (int)map_pages(card->memory.pool_pages));
}

/* ---- staging ---- */

static uint16_t slot_of(const struct scrip_desfire_memory *memory, uint16_t page)
{
    for (uint16_t i = 0; i < memory->staged && i < SCRIP_DESFIRE_LOG_SLOTS; i++) {
        if (memory->target[i] == page) {
            return i;
        }
    }
    return NO_SLOT;
}

/* Program the page that is held in RAM into its slot. */
static void close_slot(struct scrip_desfire_card *card)
{
    struct scrip_desfire_memory *memory = &card->memory;
    if (memory->open_slot != NO_SLOT) {
        memory_program(card, (uint32_t)PAGE_LOG + memory->open_slot, memory->page);
        memory->open_slot = NO_SLOT;
    }
}

/* Hold a page in RAM for change. @return false: the log is full */
static bool open_page(struct scrip_desfire_card *card, uint16_t page)
{
    struct scrip_desfire_memory *memory = &card->memory;
    const uint16_t slot = slot_of(memory, page);

    if (slot != NO_SLOT && slot == memory->open_slot) {
        return true;
    }
    if (slot == NO_SLOT && memory->staged >= SCRIP_DESFIRE_LOG_SLOTS) {
        memory->staged = OVERFLOW_MARK;
        return false;
    }
    close_slot(card);
    if (slot == NO_SLOT) {
        (void)nv_read(card, page * NV_PAGE, memory->page, NV_PAGE);
        memory->open_slot = memory->staged;
        memory->target[memory->staged++] = page;
    } else {
        (void)nv_read(card, ((uint32_t)PAGE_LOG + slot) * NV_PAGE, memory->page, NV_PAGE);
        memory->open_slot = slot;
    }
    return true;
}

static void read_in_page(struct scrip_desfire_card *card, uint16_t page, uint32_t within, void *dst, size_t len)
{
    const struct scrip_desfire_memory *memory = &card->memory;
    const uint16_t slot = slot_of(memory, page);

    if (slot == NO_SLOT) {
        (void)nv_read(card, page * NV_PAGE + within, dst, len);
    } else if (slot == memory->open_slot) {
        memcpy(dst, memory->page + within, len);
    } else {
        (void)nv_read(card, ((uint32_t)PAGE_LOG + slot) * NV_PAGE + within, dst, len);
    }
}

void memory_read(struct scrip_desfire_card *card, uint32_t at, void *dst, size_t len)
{
    uint8_t *byte = dst;
    while (len > 0) {
        const uint32_t within = at % NV_PAGE;
        const size_t part = len < NV_PAGE - within ? len : NV_PAGE - within;
        read_in_page(card, (uint16_t)(at / NV_PAGE), within, byte, part);
        at += (uint32_t)part;
        byte += part;
        len -= part;
    }
}

void memory_write(struct scrip_desfire_card *card, uint32_t at, const void *src, size_t len)
{
    const uint8_t *byte = src;
    while (len > 0) {
        const uint32_t within = at % NV_PAGE;
        const size_t part = len < NV_PAGE - within ? len : NV_PAGE - within;
        if (!open_page(card, (uint16_t)(at / NV_PAGE))) {
            return;
        }
        memcpy(card->memory.page + within, byte, part);
        at += (uint32_t)part;
        byte += part;
        len -= part;
    }
}

void memory_drop(struct scrip_desfire_card *card)
{
    card->memory.staged = 0;
    card->memory.open_slot = NO_SLOT;
    scrip_wipe(card->memory.page, sizeof card->memory.page);
}

bool memory_overflowed(const struct scrip_desfire_card *card)
{
    return card->memory.staged == OVERFLOW_MARK;
}

/* ---- committing ---- */

/* Targets behind those in the record itself go into pages of their own; `record` has its own already. */
static void program_targets(struct scrip_desfire_card *card, const struct scrip_desfire_memory *memory)
{
    for (uint32_t page = 0; INLINE_TARGETS + page * PAGE_TARGETS_N < memory->staged; page++) {
        uint8_t data[NV_PAGE] = {0};
        for (uint32_t i = 0; i < PAGE_TARGETS_N; i++) {
            const uint32_t slot = INLINE_TARGETS + page * PAGE_TARGETS_N + i;
            scrip_put_le16(data + 2 * i, slot < memory->staged ? memory->target[slot] : 0);
        }
        memory_program(card, PAGE_TARGETS + page, data);
    }
}

/* Checksum over everything but the checksum: the record, the further targets, the slots. */
static uint32_t commit_sum(struct scrip_desfire_card *card, const uint8_t record[NV_PAGE], uint16_t count)
{
    uint8_t page[NV_PAGE];
    uint32_t crc = scrip_crc32(SCRIP_CRC32_START, scrip_bytes(record, COMMIT_SUM));
    crc = scrip_crc32(crc, scrip_bytes(record + COMMIT_TARGETS, NV_PAGE - COMMIT_TARGETS));
    for (uint32_t i = 0; INLINE_TARGETS + i * PAGE_TARGETS_N < count; i++) {
        (void)nv_read(card, (PAGE_TARGETS + i) * NV_PAGE, page, NV_PAGE);
        crc = scrip_crc32(crc, SCRIP_BYTES_OF(page));
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)nv_read(card, ((uint32_t)PAGE_LOG + i) * NV_PAGE, page, NV_PAGE);
        crc = scrip_crc32(crc, SCRIP_BYTES_OF(page));
    }
    scrip_wipe(page, sizeof page);
    return crc;
}

/* Copy the slots to their pages. Pages that are equal already are left alone. */
static void apply(struct scrip_desfire_card *card, const uint16_t *target, uint16_t count)
{
    uint8_t slot[NV_PAGE];
    uint8_t page[NV_PAGE];
    for (uint32_t i = 0; i < count; i++) {
        (void)nv_read(card, ((uint32_t)PAGE_LOG + i) * NV_PAGE, slot, NV_PAGE);
        (void)nv_read(card, target[i] * NV_PAGE, page, NV_PAGE);
        if (memcmp(slot, page, NV_PAGE) != 0) {
            memory_program(card, target[i], slot);
        }
    }
    scrip_wipe(slot, sizeof slot);
    scrip_wipe(page, sizeof page);
}

enum scrip_status memory_commit(struct scrip_desfire_card *card)
{
    struct scrip_desfire_memory *memory = &card->memory;
    uint8_t record[NV_PAGE] = {0};

    if (memory->staged == 0) {
        return memory->fault;
    }
    close_slot(card);
    program_targets(card, memory);
    scrip_put_le16(record, COMMIT_MAGIC);
    scrip_put_le16(record + COMMIT_COUNT, memory->staged);
    scrip_put_le32(record + COMMIT_GENERATION, ++memory->generation);
    for (uint32_t i = 0; i < memory->staged && i < INLINE_TARGETS; i++) {
        scrip_put_le16(record + COMMIT_TARGETS + 2 * i, memory->target[i]);
    }
    scrip_put_le32(record + COMMIT_SUM, commit_sum(card, record, memory->staged));
    memory_program(card, PAGE_COMMIT, record);
    apply(card, memory->target, memory->staged);
    memory_drop(card);
    return memory->fault;
}

enum scrip_status memory_repair(struct scrip_desfire_card *card)
{
    struct scrip_desfire_memory *memory = &card->memory;
    uint8_t record[NV_PAGE];
    uint8_t further[2];

    SCRIP_TRY(nv_read(card, PAGE_COMMIT * NV_PAGE, record, NV_PAGE));
    const uint16_t count = scrip_get_le16(record + COMMIT_COUNT);
    if (scrip_get_le16(record) != COMMIT_MAGIC || count == 0 || count > SCRIP_DESFIRE_LOG_SLOTS ||
        scrip_get_le32(record + COMMIT_SUM) != commit_sum(card, record, count)) {
        return memory->fault;
    }
    memory->generation = scrip_get_le32(record + COMMIT_GENERATION);
    for (uint32_t i = 0; i < count; i++) {
        if (i < INLINE_TARGETS) {
            memory->target[i] = scrip_get_le16(record + COMMIT_TARGETS + 2 * i);
        } else {
            (void)nv_read(card, PAGE_TARGETS * NV_PAGE + 2 * (i - INLINE_TARGETS), further, sizeof further);
            memory->target[i] = scrip_get_le16(further);
        }
        if (memory->target[i] < PAGE_PICC || memory->target[i] >= memory->pool_first + memory->pool_pages) {
            return SCRIP_E_CORRUPT; /* a checksum that fits a record no card writes: not our image */
        }
    }
    apply(card, memory->target, count);
    return memory->fault;
}
