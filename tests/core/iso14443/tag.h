/* tag.h: cards of part 3 alone, for the tests of this room; and repeatable numbers. */
#ifndef SCRIP_TEST_TAG_H
#define SCRIP_TEST_TAG_H

#include <scrip/field.h>
#include <string.h>

struct tag {
    struct scrip_picc picc;
    struct scrip_picc_a a;
    unsigned passed; /* frames that reached the layer above */
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

static inline enum scrip_status tag_frame(struct scrip_picc *picc, const struct scrip_frame *in,
                                          struct scrip_frame *out)
{
    struct tag *tag = (struct tag *)picc;
    if (scrip_picc_a_frame(&tag->a, in, out) != SCRIP_PICC_PASS) {
        return SCRIP_OK;
    }
    tag->passed++;
    if (scrip_picc_is_hlta(in)) {
        scrip_picc_a_halt(&tag->a);
    } else {
        scrip_picc_a_drop(&tag->a);
    }
    return SCRIP_OK;
}

static inline struct tag tag_of(const uint8_t *uid, uint8_t len, uint8_t sak)
{
    static const struct scrip_picc_ops ops = {.power = tag_power, .frame = tag_frame};
    struct tag tag = {.picc.ops = &ops};
    memcpy(tag.a.uid, uid, len);
    tag.a.uid_len = len;
    tag.a.atqa[0] = (uint8_t)(0x04 | (len == 7 ? 0x40 : len == 10 ? 0x80 : 0));
    tag.a.sak = sak;
    return tag;
}

/* xorshift64*: repeatable. */
static inline uint32_t next_number(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (uint32_t)(*seed * UINT64_C(2685821657736338717) >> 32);
}

#endif
