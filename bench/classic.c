#include "classic.h"
#include "fleet.h"

#include <scrip/classic_card.h>
#include <scrip/coupler_field.h>
#include <scrip/mifare.h>
#include <string.h>

enum {
    SECTORS = 16,
    BLOCKS = 64,
    SELECTION = 3,                                /* exchanges before the first authentication */
    EXCHANGES = SELECTION + 2 * SECTORS + BLOCKS, /* and all */
    PASSES = 200,
    WORD_BITS = 32,
};

struct exchange {
    struct scrip_frame sent, heard;
};

/* A card whose nonces come out of a list that begins anew with every power-on. */
struct scene {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random random;
    uint32_t nonce;
    struct scrip_classic_card card;
    struct exchange exchange[EXCHANGES];
    size_t count;
    size_t bits;
};

static struct scene scene;

static enum scrip_status next_nonce(void *ctx, uint8_t *dst, size_t len)
{
    struct scene *s = ctx;
    for (size_t i = 0; i < len; i++) {
        s->nonce = s->nonce * 1664525U + 1013904223U;
        dst[i] = (uint8_t)(s->nonce >> 24);
    }
    return SCRIP_OK;
}

/* ---- recording ---- */

static void record(void *ctx, const struct scrip_frame *frame, bool from_card, uint64_t at_fc)
{
    struct scene *s = ctx;
    (void)at_fc;
    if (s->count == EXCHANGES) {
        bench_die("1K", "more frames than a reading needs");
    }
    if (from_card) {
        s->exchange[s->count++].heard = *frame;
    } else {
        s->exchange[s->count].sent = *frame;
    }
}

static void command(struct scrip_coupler *coupler, struct scrip_bytes bytes, uint8_t block[SCRIP_CLASSIC_BLOCK])
{
    struct scrip_buf answer = scrip_buf(block, SCRIP_CLASSIC_BLOCK);
    fleet_must("1K", coupler->ops->mifare(coupler, bytes, &answer));
}

static void read_sector(struct scrip_coupler *coupler, const struct scrip_target *target, uint8_t sector)
{
    uint8_t block[SCRIP_CLASSIC_BLOCK];
    uint8_t open[12] = {SCRIP_MIFARE_AUTH_A, (uint8_t)(4 * sector), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    memcpy(open + 8, target->uid, 4);
    command(coupler, SCRIP_BYTES_OF(open), block);
    for (uint8_t i = 0; i < BLOCKS / SECTORS; i++) {
        const uint8_t read[] = {SCRIP_MIFARE_READ, (uint8_t)(4 * sector + i)};
        command(coupler, SCRIP_BYTES_OF(read), block);
    }
}

/* Every bit but those of the first command, which is in the clear. The first nonce goes in the clear too, but takes as
 * many bits while it is fed. */
static size_t count_bits(const struct scene *s)
{
    size_t bits = 0;
    for (size_t i = SELECTION; i < s->count; i++) {
        bits += s->exchange[i].sent.bits + s->exchange[i].heard.bits;
    }
    return bits - s->exchange[SELECTION].sent.bits;
}

static void record_reading(struct scene *s)
{
    static struct scrip_coupler_field reader;
    struct scrip_field field;
    struct scrip_target target;
    struct scrip_random_seeded seeded;
    scrip_random_seeded_init(&seeded, 1);
    const struct scrip_random random = scrip_random_seeded(&seeded);
    scrip_field_init(&field);
    fleet_must("field", scrip_field_add(&field, &s->card.picc));
    scrip_coupler_field_init(&reader, &field, &random);
    field.sniff = record;
    field.sniff_ctx = s;
    s->nonce = 1;
    fleet_must("1K", reader.coupler.ops->find(&reader.coupler, 0, &target));
    for (uint8_t sector = 0; sector < SECTORS; sector++) {
        read_sector(&reader.coupler, &target, sector);
    }
    fleet_must("1K", reader.coupler.ops->power(&reader.coupler, false));
    if (s->count != EXCHANGES) {
        bench_die("1K", "fewer frames than a reading needs");
    }
    s->bits = count_bits(s);
}

static struct scene *the_scene(void)
{
    const struct scrip_classic_identity identity = {.uid = {0xDE, 0xAD, 0xBE, 0xEF}, .uid_len = 4};
    const struct scrip_classic_options options = {.profile = SCRIP_CLASSIC_HARDENED};
    struct scene *s = &scene;
    if (s->count == EXCHANGES) {
        return s;
    }
    fleet_must("memory", scrip_nv_memory_init(&s->memory, scrip_classic_card_pages(false)));
    s->nv = scrip_nv_memory(&s->memory);
    s->random = (struct scrip_random){s, next_nonce};
    fleet_must("1K", scrip_classic_card_make(&s->nv, &identity));
    scrip_classic_card_init(&s->card, &(struct scrip_classic_host){.nv = &s->nv, .random = &s->random}, &options);
    record_reading(s);
    return s;
}

/* ---- playing ---- */

static bool same(const struct scrip_frame *a, const struct scrip_frame *b)
{
    return a->bits == b->bits && memcmp(a->data, b->data, scrip_frame_len(a)) == 0;
}

/* @return seconds from the first authentication on */
static double play(struct scene *s)
{
    struct scrip_picc *picc = &s->card.picc;
    struct scrip_frame out = {0};
    double start = 0;
    s->nonce = 1;
    fleet_must("1K", picc->ops->power(picc, true));
    for (size_t i = 0; i < EXCHANGES; i++) {
        start = i == SELECTION ? bench_now() : start;
        scrip_frame_clear(&out);
        fleet_must("1K", picc->ops->frame(picc, &s->exchange[i].sent, &out));
    }
    const double spent = bench_now() - start;
    if (!same(&out, &s->exchange[EXCHANGES - 1].heard)) { /* under a keystream that all the others made */
        bench_die("1K", "the card answers otherwise");
    }
    fleet_must("1K", picc->ops->power(picc, false));
    return spent;
}

double classic_read_s(void)
{
    struct scene *s = the_scene();
    double spent[PASSES];
    for (unsigned i = 0; i < PASSES; i++) {
        spent[i] = play(s);
    }
    return bench_typical(spent, PASSES);
}

size_t classic_keystream_bits(void)
{
    return the_scene()->bits;
}

double classic_keystream_s(void)
{
    static volatile uint32_t sink; /* somebody wants them */
    const uint8_t key[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    const size_t words = the_scene()->bits / WORD_BITS;
    struct scrip_crypto1 cipher;
    double spent[PASSES];
    uint32_t all = 0;
    scrip_crypto1_load(&cipher, key);
    for (unsigned i = 0; i < PASSES; i++) {
        const double start = bench_now();
        for (size_t k = 0; k < words; k++) {
            all ^= scrip_crypto1_word(&cipher, 0);
        }
        spent[i] = bench_now() - start;
    }
    sink = all;
    (void)sink;
    return bench_typical(spent, PASSES);
}
