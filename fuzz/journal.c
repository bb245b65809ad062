/* rooms: journal host
 * journal.c: a damaged journal. The input is the memory's first pages, and the last 256 bytes of it are an uploaded
 * line. */
#include <scrip/journal.h>
#include <scrip/posix.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES 4U

static void line(const uint8_t *data, size_t size)
{
    struct scrip_journal_line read;
    struct scrip_journal_line again;
    uint8_t bytes[SCRIP_JOURNAL_LINE];
    const size_t from = size > SCRIP_JOURNAL_LINE ? size - SCRIP_JOURNAL_LINE : 0;
    if (scrip_journal_line_decode(scrip_bytes(data + from, size - from), &read) != SCRIP_OK) {
        return;
    }
    scrip_journal_line_encode(&read, bytes);
    if (scrip_journal_line_decode(scrip_bytes(bytes, sizeof bytes), &again) != SCRIP_OK ||
        again.sequence != read.sequence || again.state != read.state || again.amount != read.amount) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scrip_nv_memory memory;
    struct scrip_journal journal;
    struct scrip_journal_line read;
    const uint8_t uid[7] = {4};
    line(data, size);
    if (scrip_nv_memory_init(&memory, SCRIP_JOURNAL_PAGES(LINES)) != SCRIP_OK) {
        return 0;
    }
    const size_t room = (size_t)memory.pages * SCRIP_NV_PAGE;
    memcpy(memory.at, data, size < room ? size : room);
    const struct scrip_nv nv = scrip_nv_memory(&memory);
    if (scrip_journal_open(&journal, &nv) == SCRIP_OK) {
        for (uint64_t i = 0; i < LINES; i++) {
            (void)scrip_journal_get(&journal, scrip_journal_first(&journal) + i, &read);
        }
        (void)scrip_journal_find_open(&journal, uid, scrip_journal_next(&journal), &read);
        (void)scrip_journal_settle(&journal, journal.last, SCRIP_JOURNAL_VOID, 0, NULL);
        (void)scrip_journal_acknowledge(&journal, journal.last);
        read = (struct scrip_journal_line){.kind = SCRIP_JOURNAL_DEBIT, .amount = 1};
        (void)scrip_journal_append(&journal, &read);
    }
    scrip_nv_memory_free(&memory);
    return 0;
}
