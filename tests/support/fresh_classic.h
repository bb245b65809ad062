/* fresh_classic.h: MIFARE Classic cards in memory, as they come from the factory. */
#ifndef SCRIP_TEST_FRESH_CLASSIC_H
#define SCRIP_TEST_FRESH_CLASSIC_H

#include "check.h"
#include <scrip/classic_card.h>
#include <scrip/posix.h>

/** One card with all that it needs. Freed by classic_free. */
struct classic {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_host host;
    struct scrip_classic_card card;
};

static inline void classic_init(struct classic *classic, const char *uid, bool is_4k)
{
    struct scrip_classic_identity identity = {.is_4k = is_4k};
    const struct scrip_classic_options options = {.profile = SCRIP_CLASSIC_HARDENED};
    identity.uid_len = (uint8_t)from_hex(uid, identity.uid, sizeof identity.uid);
    assert_ok(scrip_nv_memory_init(&classic->memory, scrip_classic_card_pages(is_4k)));
    classic->nv = scrip_nv_memory(&classic->memory);
    scrip_random_seeded_init(&classic->seeded, 7);
    classic->random = scrip_random_seeded(&classic->seeded);
    assert_ok(scrip_classic_card_make(&classic->nv, &identity));
    classic->host = (struct scrip_classic_host){.nv = &classic->nv, .random = &classic->random};
    scrip_classic_card_init(&classic->card, &classic->host, &options);
}

static inline void classic_free(struct classic *classic)
{
    scrip_nv_memory_free(&classic->memory);
}

#endif
