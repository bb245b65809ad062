/* posix.h: what host.h asks for, on a POSIX system, and its stand-ins for tests.
 *
 * Each thing is a struct of the caller's and a function that gives the interface of host.h over it; the struct must
 * outlive the interface and must not move. Nothing here is shared between threads unless it says so. */
#ifndef SCRIP_POSIX_H
#define SCRIP_POSIX_H

#include <scrip/host.h>
#include <stdbool.h>

/* ---- time ---- */

/** The system's clock. Needs no struct; may be shared. */
struct scrip_clock scrip_clock_system(void);

/** A clock that stands still until it is told otherwise: tests. */
struct scrip_clock_fake {
    uint64_t now_ms; /**< milliseconds since 1970; set or add to it freely */
};

/** The clock over it. */
struct scrip_clock scrip_clock_fake(struct scrip_clock_fake *fake);

/* ---- randomness ---- */

/** Cryptographic randomness of the operating system, through libsodium. May be shared. */
struct scrip_random scrip_random_system(void);

/** A repeatable stream out of a seed: tests and demonstrations only, never for keys or challenges of real cards. */
struct scrip_random_seeded {
    uint8_t key[32];
    uint64_t block; /* next block of the stream */
    uint8_t pool[64];
    size_t left; /* unused bytes at the end of pool */
};

/** Start the stream of `seed`; the same seed gives the same bytes for ever. */
void scrip_random_seeded_init(struct scrip_random_seeded *seeded, uint64_t seed);

/** The interface over it. */
struct scrip_random scrip_random_seeded(struct scrip_random_seeded *seeded);

/** Given bytes in their order, then SCRIP_E_RANDOM: to make a card answer as in a published trace. Tests only. */
struct scrip_random_scripted {
    struct scrip_bytes left; /**< borrowed; what was not yet handed out */
};

/** The interface over it. */
struct scrip_random scrip_random_scripted(struct scrip_random_scripted *scripted);

/* ---- non-volatile memory ---- */

/** Memory that is gone with the process. */
struct scrip_nv_memory {
    uint8_t *at; /* owned */
    uint32_t pages;
};

/** Allocate `pages` pages, all FF as on a fresh chip. @return SCRIP_OK; SCRIP_E_MEMORY */
enum scrip_status scrip_nv_memory_init(struct scrip_nv_memory *memory, uint32_t pages);

/** Free. */
void scrip_nv_memory_free(struct scrip_nv_memory *memory);

/** The interface over it. */
struct scrip_nv scrip_nv_memory(struct scrip_nv_memory *memory);

/** Pages inside a file: a card file, a terminal's journal. */
struct scrip_nv_file {
    int fd;
    uint64_t at;    /* byte offset of page 0 in the file */
    uint32_t pages; /* of SCRIP_NV_PAGE bytes */
    bool sync;      /* fdatasync after every page */
};

/** Over an open file.
 *  @param fd    stays the caller's, open for reading and writing; the region must exist
 *  @param at    byte offset of page 0
 *  @param sync  true: a written page survives the loss of power of this machine, at the price of one flush each;
 *               false: it survives the end of the process only */
struct scrip_nv scrip_nv_file(struct scrip_nv_file *file, int fd, uint64_t at, uint32_t pages, bool sync);

/** How power fails. */
enum scrip_tear {
    SCRIP_TEAR_BEFORE, /**< the page is as it was */
    SCRIP_TEAR_AFTER,  /**< the page is written, but nobody is told */
    SCRIP_TEAR_HALF,   /**< half-programmed: any mixture of old, new and garbage */
};

/** Memory around another one that loses power at a chosen write. After that nothing can be read or written until power
 *  is restored; what the other memory holds then is what the chip woke up with. */
struct scrip_nv_tearing {
    struct scrip_nv under;
    uint64_t writes;     /**< writes tried since the start, the torn one included */
    uint64_t tear_at;    /**< the write that fails, counted from 1 as `writes` is; 0 never */
    enum scrip_tear how; /**< the way it fails */
    bool no_power;       /**< it has happened */
    uint64_t garbage;    /* state of the generator of half-programmed bytes */
};

/** Wrap `under`. @param seed of the garbage */
struct scrip_nv scrip_nv_tearing(struct scrip_nv_tearing *tearing, struct scrip_nv under, uint64_t seed);

/** Lose power at the `n`th write from now (1: the very next). */
void scrip_nv_tear_after(struct scrip_nv_tearing *tearing, uint64_t n, enum scrip_tear how);

/** Power is back; no tear is planned. */
void scrip_nv_power_up(struct scrip_nv_tearing *tearing);

#endif
