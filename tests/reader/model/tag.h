/* tag.h: cards of ISO/IEC 14443-3 alone, which answer READ with sixteen bytes in the clear. */
#ifndef SCRIP_TEST_MODEL_TAG_H
#define SCRIP_TEST_MODEL_TAG_H

#include "check.h"
#include "fresh_classic.h"
#include <scrip/field.h>

struct tag {
    struct scrip_picc picc;
    struct scrip_picc_a a;
    bool flip_parity; /* answers come with a wrong parity bit */
    bool flip_crc;    /* ... with a wrong CRC */
};

static inline enum scrip_status tag_power(struct scrip_picc *picc, bool on)
{
    struct tag *tag = (struct tag *)picc;
    if (on) {
        scrip_picc_a_on(&tag->a);
    } else {
        scrip_picc_a_off(&tag->a);
    }
    return SCRIP_OK;
}

/* READ of block n answers n, n + 1, ...; 5F is refused with four bits. */
static inline void tag_answer(struct tag *tag, struct scrip_bytes command, struct scrip_frame *out)
{
    uint8_t block[16];
    if (command.len == 2 && command.at[0] == 0x30 && command.at[1] != 0x5F) {
        for (size_t i = 0; i < sizeof block; i++) {
            block[i] = (uint8_t)(command.at[1] + i);
        }
        assert_ok(scrip_frame_bytes_crc(out, SCRIP_BYTES_OF(block)));
        out->data[3] ^= tag->flip_crc ? 0x11 : 0; /* two bits: the parity stays right */
        scrip_frame_parity_set(out, 1, scrip_frame_parity(out, 1) != tag->flip_parity);
    } else {
        scrip_frame_nibble(out, 0x4);
    }
}

static inline enum scrip_status tag_frame(struct scrip_picc *picc, const struct scrip_frame *in,
                                          struct scrip_frame *out)
{
    struct tag *tag = (struct tag *)picc;
    struct scrip_bytes command;
    if (scrip_picc_a_frame(&tag->a, in, out) != SCRIP_PICC_PASS) {
        return SCRIP_OK;
    }
    if (scrip_picc_is_hlta(in)) {
        scrip_picc_a_halt(&tag->a);
    } else if (scrip_frame_content_crc(in, &command) == SCRIP_OK) {
        tag_answer(tag, command, out);
    } else {
        scrip_picc_a_drop(&tag->a);
    }
    return SCRIP_OK;
}

static inline void tag_init(struct tag *tag, const char *uid, uint8_t sak)
{
    static const struct scrip_picc_ops ops = {.power = tag_power, .frame = tag_frame};
    *tag = (struct tag){.picc.ops = &ops};
    tag->a.uid_len = (uint8_t)from_hex(uid, tag->a.uid, sizeof tag->a.uid);
    tag->a.atqa[0] = tag->a.uid_len == 4 ? 0x04 : tag->a.uid_len == 7 ? 0x44 : 0x84;
    tag->a.sak = sak;
}

#endif
