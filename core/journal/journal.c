/* The ring of lines in non-volatile memory. */
#include <scrip/crc.h>
#include <scrip/journal.h>
#include <string.h>

#define HEAD_PAGES    2U
#define LINE_PAGES    (SCRIP_JOURNAL_LINE / SCRIP_NV_PAGE)
#define INTENT_PAGES  3U
#define HEAD_VERSION  1U
#define AT_HEAD_CRC   60U
#define RESULT_OFFSET (INTENT_PAGES * SCRIP_NV_PAGE)

_Static_assert(LINE_PAGES == 4, "a line is three pages of intent and one of result");

/* ---- the head: who, and how far the server is; two pages that take turns ---- */

static enum scrip_status write_head(const struct scrip_nv *nv, const uint8_t terminal[4], uint32_t generation,
                                    uint64_t acknowledged)
{
    uint8_t page[SCRIP_NV_PAGE] = {'S', 'C', 'R', 'J', HEAD_VERSION};
    memcpy(page + 8, terminal, 4);
    scrip_put_le32(page + 12, generation);
    scrip_put_le64(page + 16, acknowledged);
    scrip_put_le32(page + AT_HEAD_CRC, scrip_crc32(SCRIP_CRC32_START, scrip_bytes(page, AT_HEAD_CRC)));
    return nv->write(nv->ctx, generation % HEAD_PAGES, page);
}

static bool read_head(const struct scrip_nv *nv, uint32_t number, uint8_t page[SCRIP_NV_PAGE])
{
    return nv->read(nv->ctx, number * SCRIP_NV_PAGE, page, SCRIP_NV_PAGE) == SCRIP_OK && memcmp(page, "SCRJ", 4) == 0 &&
           page[4] == HEAD_VERSION &&
           scrip_get_le32(page + AT_HEAD_CRC) == scrip_crc32(SCRIP_CRC32_START, scrip_bytes(page, AT_HEAD_CRC));
}

static enum scrip_status take_head(struct scrip_journal *journal)
{
    uint8_t page[SCRIP_NV_PAGE];
    bool found = false;
    for (uint32_t i = 0; i < HEAD_PAGES; i++) {
        if (!read_head(journal->nv, i, page)) {
            continue;
        }
        const uint32_t generation = scrip_get_le32(page + 12);
        if (!found || generation > journal->generation) {
            journal->generation = generation;
            journal->acknowledged = scrip_get_le64(page + 16);
            memcpy(journal->terminal, page + 8, 4);
            found = true;
        }
    }
    return found ? SCRIP_OK : SCRIP_E_CORRUPT;
}

static enum scrip_status put_acknowledged(struct scrip_journal *journal, uint64_t acknowledged)
{
    if (journal->generation == UINT32_MAX) {
        return SCRIP_E_OVERFLOW;
    }
    SCRIP_TRY(write_head(journal->nv, journal->terminal, journal->generation + 1, acknowledged));
    journal->generation++;
    journal->acknowledged = acknowledged;
    return SCRIP_OK;
}

/* ---- slots ---- */

static uint32_t page_of(const struct scrip_journal *journal, uint64_t sequence)
{
    return HEAD_PAGES + LINE_PAGES * (uint32_t)((sequence - 1) % journal->slots);
}

static enum scrip_status read_slot(const struct scrip_journal *journal, uint32_t page, uint8_t out[SCRIP_JOURNAL_LINE])
{
    return journal->nv->read(journal->nv->ctx, page * SCRIP_NV_PAGE, out, SCRIP_JOURNAL_LINE);
}

static enum scrip_status write_pages(const struct scrip_journal *journal, uint32_t page, const uint8_t *data,
                                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        SCRIP_TRY(journal->nv->write(journal->nv->ctx, page + i, data + i * SCRIP_NV_PAGE));
    }
    return SCRIP_OK;
}

enum scrip_status scrip_journal_format(const struct scrip_nv *nv, const uint8_t terminal[4])
{
    static const uint8_t blank[SCRIP_NV_PAGE];
    if (nv->pages < SCRIP_JOURNAL_PAGES(1U)) {
        return SCRIP_E_SPACE;
    }
    for (uint32_t page = 0; page < nv->pages; page++) { /* old lines must not come back to life */
        SCRIP_TRY(nv->write(nv->ctx, page, blank));
    }
    return write_head(nv, terminal, 0, 0);
}

enum scrip_status scrip_journal_open(struct scrip_journal *journal, const struct scrip_nv *nv)
{
    uint8_t bytes[SCRIP_JOURNAL_LINE];
    struct scrip_journal_line line;
    if (nv->pages < SCRIP_JOURNAL_PAGES(1U)) {
        return SCRIP_E_CORRUPT;
    }
    *journal = (struct scrip_journal){.nv = nv, .slots = (nv->pages - HEAD_PAGES) / LINE_PAGES};
    SCRIP_TRY(take_head(journal));
    for (uint32_t slot = 0; slot < journal->slots; slot++) {
        const uint32_t page = HEAD_PAGES + LINE_PAGES * slot;
        SCRIP_TRY(read_slot(journal, page, bytes));
        if (scrip_journal_line_decode(SCRIP_BYTES_OF(bytes), &line) == SCRIP_OK &&
            page_of(journal, line.sequence) == page && line.sequence > journal->last) {
            journal->last = line.sequence;
        }
    }
    if (journal->last < journal->acknowledged) { /* the newest line was lost to a fault, not to a torn write */
        journal->last = journal->acknowledged;
    }
    return SCRIP_OK;
}

uint64_t scrip_journal_next(const struct scrip_journal *journal)
{
    return journal->last + 1;
}

uint64_t scrip_journal_first(const struct scrip_journal *journal)
{
    return journal->last > journal->slots ? journal->last - journal->slots + 1 : 1;
}

enum scrip_status scrip_journal_append(struct scrip_journal *journal, struct scrip_journal_line *line)
{
    uint8_t bytes[SCRIP_JOURNAL_LINE];
    struct scrip_journal_line check;
    const uint64_t sequence = scrip_journal_next(journal);
    if (sequence > journal->slots && sequence - journal->slots > journal->acknowledged) {
        return SCRIP_E_LIMIT;
    }
    line->sequence = sequence;
    line->state = SCRIP_JOURNAL_INTENT;
    line->has_tmv = false;
    memcpy(line->terminal, journal->terminal, sizeof line->terminal);
    scrip_journal_line_encode(line, bytes);
    SCRIP_TRY(scrip_journal_line_decode(SCRIP_BYTES_OF(bytes), &check)); /* what could not be read back is refused */
    SCRIP_TRY(write_pages(journal, page_of(journal, sequence), bytes, INTENT_PAGES));
    journal->last = sequence;
    return SCRIP_OK;
}

enum scrip_status scrip_journal_get(const struct scrip_journal *journal, uint64_t sequence,
                                    struct scrip_journal_line *line)
{
    struct scrip_journal_line read;
    uint8_t bytes[SCRIP_JOURNAL_LINE];
    if (sequence < scrip_journal_first(journal) || sequence > journal->last) {
        return SCRIP_E_NOT_FOUND;
    }
    SCRIP_TRY(read_slot(journal, page_of(journal, sequence), bytes));
    const enum scrip_status status = scrip_journal_line_decode(SCRIP_BYTES_OF(bytes), &read);
    if (status != SCRIP_OK || read.sequence != sequence) {
        return SCRIP_E_CORRUPT;
    }
    *line = read;
    return SCRIP_OK;
}

enum scrip_status scrip_journal_read(const struct scrip_journal *journal, uint64_t sequence,
                                     uint8_t out[SCRIP_JOURNAL_LINE])
{
    struct scrip_journal_line line;
    SCRIP_TRY(scrip_journal_get(journal, sequence, &line));
    scrip_journal_line_encode(&line, out); /* without remains of an older result */
    return SCRIP_OK;
}

/* Memory may fail behind a write that it made: what is there counts. */
static bool is_kept(const struct scrip_journal *journal, uint64_t sequence, const uint8_t bytes[SCRIP_JOURNAL_LINE])
{
    uint8_t kept[SCRIP_JOURNAL_LINE];
    return scrip_journal_read(journal, sequence, kept) == SCRIP_OK && memcmp(kept, bytes, sizeof kept) == 0;
}

enum scrip_status scrip_journal_settle(struct scrip_journal *journal, uint64_t sequence, enum scrip_journal_state state,
                                       uint32_t tmc, const uint8_t *tmv)
{
    uint8_t bytes[SCRIP_JOURNAL_LINE];
    struct scrip_journal_line line;
    SCRIP_TRY(scrip_journal_get(journal, sequence, &line));
    if (line.state == SCRIP_JOURNAL_CONFIRMED || state == SCRIP_JOURNAL_INTENT) {
        return SCRIP_E_STATE;
    }
    if (sequence <= journal->acknowledged) { /* first: a line that is uploaded twice does no harm, one too few does */
        SCRIP_TRY(put_acknowledged(journal, sequence - 1));
    }
    line.state = (uint8_t)state;
    line.has_tmv = tmv != NULL;
    line.tmc = tmv != NULL ? tmc : 0;
    memset(line.tmv, 0, sizeof line.tmv);
    if (tmv != NULL) {
        memcpy(line.tmv, tmv, sizeof line.tmv);
    }
    scrip_journal_line_encode(&line, bytes);
    const enum scrip_status status =
        write_pages(journal, page_of(journal, sequence) + INTENT_PAGES, bytes + RESULT_OFFSET, 1);
    return status != SCRIP_OK && is_kept(journal, sequence, bytes) ? SCRIP_OK : status;
}

enum scrip_status scrip_journal_find_open(const struct scrip_journal *journal, const uint8_t uid[7], uint64_t from,
                                          struct scrip_journal_line *line)
{
    struct scrip_journal_line read;
    uint64_t sequence = from <= journal->last ? from : journal->last;
    for (; sequence >= scrip_journal_first(journal) && sequence > 0; sequence--) {
        uint8_t whose[sizeof read.uid];
        const uint32_t at = page_of(journal, sequence) * SCRIP_NV_PAGE + SCRIP_JOURNAL_LINE_UID;
        SCRIP_TRY(journal->nv->read(journal->nv->ctx, at, whose, sizeof whose));
        if (memcmp(whose, uid, sizeof whose) != 0) {
            continue; /* a gate sees many cards: most lines need not be decoded */
        }
        const enum scrip_status status = scrip_journal_get(journal, sequence, &read);
        if (status == SCRIP_E_NV) {
            return status;
        }
        if (status == SCRIP_OK && read.state == SCRIP_JOURNAL_INTENT && memcmp(read.uid, uid, sizeof read.uid) == 0) {
            *line = read;
            return SCRIP_OK;
        }
    }
    return SCRIP_E_NOT_FOUND;
}

enum scrip_status scrip_journal_acknowledge(struct scrip_journal *journal, uint64_t sequence)
{
    if (sequence > journal->last) {
        return SCRIP_E_ARGUMENT;
    }
    return sequence > journal->acknowledged ? put_acknowledged(journal, sequence) : SCRIP_OK;
}
