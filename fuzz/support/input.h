/* input.h: for fuzz targets: what must hold, and an input that is taken from its head as it is needed. */
#ifndef SCRIP_FUZZ_INPUT_H
#define SCRIP_FUZZ_INPUT_H

#include <scrip/bytes.h>
#include <stdlib.h>

static inline void must(bool held)
{
    if (!held) {
        abort();
    }
}

/** The next byte; 0 behind the last. */
static inline uint8_t next_u8(struct scrip_bytes *input)
{
    struct scrip_bytes head;
    return scrip_bytes_take(input, 1, &head) == SCRIP_OK ? head.at[0] : 0;
}

/** The next `len` bytes, or as many as there are. */
static inline struct scrip_bytes next_bytes(struct scrip_bytes *input, size_t len)
{
    const struct scrip_bytes head = scrip_bytes_head(*input, len);
    *input = scrip_bytes_from(*input, head.len);
    return head;
}

/** The next step of a target that does one after the other: a byte that says what, a byte of length, and that many
 *  bytes, or as many as there are. @return whether there was one */
static inline bool next_step(struct scrip_bytes *input, uint8_t *what, struct scrip_bytes *bytes)
{
    struct scrip_bytes head;
    if (scrip_bytes_take(input, 2, &head) != SCRIP_OK) {
        return false;
    }
    *what = head.at[0];
    *bytes = next_bytes(input, head.at[1]);
    return true;
}

#endif
