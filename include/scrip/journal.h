/* journal.h: a terminal's durable record of what it took and gave. The same bytes on a gate, in firmware, in an upload
 * and on the server.
 *
 * A line is written before the commit leaves (the intent) and gets its result afterwards, in a page of its own, so that
 * losing power anywhere leaves a whole line: without result if the result was not finished. A line without result is an
 * intent whose outcome is unknown; the next tap of the same card, or the server, settles it.
 *
 * Layout of the memory: pages 0 and 1 hold the head (alternating, the newer valid one counts), then slots of four pages
 * each; line `s` is in slot (s - 1) modulo their number. A slot is overwritten only after its line was acknowledged. */
#ifndef SCRIP_JOURNAL_H
#define SCRIP_JOURNAL_H

#include <scrip/bytes.h>
#include <scrip/host.h>

/** Bytes of a line as stored and uploaded. */
#define SCRIP_JOURNAL_LINE         256U

/** Where in a line the card's UID stands, 7 bytes. */
#define SCRIP_JOURNAL_LINE_UID     20U

/** Pages of memory for a journal of `lines` lines. */
#define SCRIP_JOURNAL_PAGES(lines) (2U + 4U * (lines))

/** What a line records. */
enum scrip_journal_kind {
    SCRIP_JOURNAL_DEBIT = 1,
    SCRIP_JOURNAL_CREDIT = 2, /**< at a trusted terminal */
};

/** What became of it. */
enum scrip_journal_state {
    SCRIP_JOURNAL_INTENT = 0,    /**< no result: unknown */
    SCRIP_JOURNAL_CONFIRMED = 1, /**< the card answered the commit under the session MAC */
    SCRIP_JOURNAL_FOUND = 2,     /**< a later tap proved that it was committed; no TMV */
    SCRIP_JOURNAL_VOID = 3,      /**< a later tap proved that it was not and never will be */
};

/** One line. Amounts in minor units; times are record timestamps (BCD). */
struct scrip_journal_line {
    uint64_t sequence; /**< from 1; given by scrip_journal_append */
    uint8_t kind;      /**< enum scrip_journal_kind */
    uint8_t state;     /**< enum scrip_journal_state */
    uint8_t profile;   /**< scrip_desfire_profile_id: which codes and files were used */
    uint8_t terminal[4];
    uint8_t uid[7];
    uint8_t timestamp[8];
    int32_t amount;
    uint32_t reference; /**< credits: issue number; debits 0 */
    bool has_balance;
    int32_t balance; /**< GetValue before the change; part of the TMI where the profile reads it */
    bool has_record;
    uint8_t record[16];  /**< as written into the card's log */
    uint8_t same_before; /**< records equal to it that the log held before */
    bool has_reader;
    uint8_t tmri[16];     /**< as sent with CommitReaderID */
    uint8_t enc_tmri[16]; /**< the card's answer: the reader before, enciphered */
    bool has_tmc_before;
    uint32_t tmc_before;
    bool has_displaced;
    uint8_t displaced[16]; /**< the log entry that the commit overwrites, saved here first */
    bool has_tmv;          /**< CONFIRMED: the commit's answer had TMC and TMV; FOUND, VOID: TMC was read later */
    uint32_t tmc;
    uint8_t tmv[8];
};

/** Write a line as SCRIP_JOURNAL_LINE bytes. */
void scrip_journal_line_encode(const struct scrip_journal_line *line, uint8_t out[SCRIP_JOURNAL_LINE]);

/** Read a line. A damaged result page makes it an intent.
 *  @return SCRIP_OK; SCRIP_E_LENGTH; SCRIP_E_FORMAT: no line; SCRIP_E_CORRUPT: checksum; SCRIP_E_UNSUPPORTED: a newer
 *          version */
enum scrip_status scrip_journal_line_decode(struct scrip_bytes in, struct scrip_journal_line *line);

/** A journal. Read `terminal`, `last`, `acknowledged`; the rest is private. */
struct scrip_journal {
    const struct scrip_nv *nv; /* borrowed */
    uint32_t slots;
    uint32_t generation;
    uint8_t terminal[4];   /**< whose it is */
    uint64_t last;         /**< newest line, 0: none */
    uint64_t acknowledged; /**< the server has all lines up to this one */
};

/** Make an empty journal. Everything in `nv` is given up.
 *  @return SCRIP_OK; SCRIP_E_SPACE: less than SCRIP_JOURNAL_PAGES(1); SCRIP_E_NV */
enum scrip_status scrip_journal_format(const struct scrip_nv *nv, const uint8_t terminal[4]);

/** Open a journal and find its newest line.
 *  @return SCRIP_OK; SCRIP_E_CORRUPT: not a journal; SCRIP_E_NV */
enum scrip_status scrip_journal_open(struct scrip_journal *journal, const struct scrip_nv *nv);

/** The sequence that the next line will get. */
uint64_t scrip_journal_next(const struct scrip_journal *journal);

/** The oldest line that is still there; last + 1 when there is none. */
uint64_t scrip_journal_first(const struct scrip_journal *journal);

/** Append an intent: durable when this returns SCRIP_OK.
 *  @param line  its sequence, terminal and state are filled in
 *  @return SCRIP_OK; SCRIP_E_LIMIT: full of lines that were not uploaded: upload first; SCRIP_E_NV: not durable, take
 *          it as not written; SCRIP_E_FORMAT: a line that could not be read back */
enum scrip_status scrip_journal_append(struct scrip_journal *journal, struct scrip_journal_line *line);

/** Give a line its result. A line that was acknowledged counts as not acknowledged again.
 *  @param tmv  NULL: none; else 8 bytes, and `tmc` is the counter
 *  @return SCRIP_OK; SCRIP_E_NOT_FOUND; SCRIP_E_CORRUPT; SCRIP_E_STATE: it is CONFIRMED already, or the result would be
 *          INTENT; SCRIP_E_NV: it may be an intent again (memory that failed behind the write, and shows it, has made
 *          it); SCRIP_E_OVERFLOW: as scrip_journal_acknowledge */
enum scrip_status scrip_journal_settle(struct scrip_journal *journal, uint64_t sequence, enum scrip_journal_state state,
                                       uint32_t tmc, const uint8_t *tmv);

/** A line. @return SCRIP_OK; SCRIP_E_NOT_FOUND: gone or never there; SCRIP_E_CORRUPT; SCRIP_E_NV */
enum scrip_status scrip_journal_get(const struct scrip_journal *journal, uint64_t sequence,
                                    struct scrip_journal_line *line);

/** A line as bytes, for the upload. @return as scrip_journal_get */
enum scrip_status scrip_journal_read(const struct scrip_journal *journal, uint64_t sequence,
                                     uint8_t out[SCRIP_JOURNAL_LINE]);

/** The newest line of a card that has no result, at or before sequence `from`; start with scrip_journal_next and go on
 *  with the sequence found minus one.
 *  @return SCRIP_OK: `*line`; SCRIP_E_NOT_FOUND: no more; SCRIP_E_NV */
enum scrip_status scrip_journal_find_open(const struct scrip_journal *journal, const uint8_t uid[7], uint64_t from,
                                          struct scrip_journal_line *line);

/** The server has taken all lines up to `sequence`.
 *  @return SCRIP_OK; SCRIP_E_ARGUMENT: beyond the last; SCRIP_E_NV; SCRIP_E_OVERFLOW: the head has been written
 *          2^32 times */
enum scrip_status scrip_journal_acknowledge(struct scrip_journal *journal, uint64_t sequence);

#endif
