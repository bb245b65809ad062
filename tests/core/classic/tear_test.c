/* Power lost at every write of every command that writes, in every way of eeprom_tear.h; and the link cut before and
 * after every frame. */
#include "bench.h"
#include "eeprom_tear.h"

#define MASKS 64 /* random masks for each way */
#define SEED  0xC1A551CU

/* ---- the matrix ---- */

static struct last_tear {
    const char *name;
    int how;
    uint64_t seed;
} last_tear;

/* A command that writes one block, from a scene that is laid anew each time. */
struct writer {
    const char *name;
    uint32_t page;                             /* what it writes */
    void (*lay)(struct bench *b);              /* keys, blocks */
    enum scrip_status (*act)(struct bench *b); /* from selection on; the write is the only one */
    void (*check)(struct bench *b, const uint8_t old[16], const uint8_t new[16], const uint8_t left[16]);
};

static void snapshot(struct bench *b, uint8_t *image)
{
    assert_ok(b->under.read(b->under.ctx, 0, image, (size_t)b->under.pages * SCRIP_NV_PAGE));
}

static void restore(struct bench *b, const uint8_t *image)
{
    for (uint32_t page = 0; page < b->under.pages; page++) {
        assert_ok(b->under.write(b->under.ctx, page, image + page * SCRIP_NV_PAGE));
    }
}

#define IMAGE (257U * SCRIP_NV_PAGE)

static void assert_others_unchanged(const struct writer *writer, const uint8_t *before, const uint8_t *after,
                                    uint32_t pages)
{
    for (uint32_t page = 0; page < pages; page++) {
        if (page != writer->page &&
            memcmp(before + page * SCRIP_NV_PAGE, after + page * SCRIP_NV_PAGE, SCRIP_NV_PAGE) != 0) {
            fail_msg("%s: page %u changed", writer->name, page);
        }
    }
}

/* Other sectors open as before. */
static void assert_alive(struct bench *b)
{
    uint8_t data[16];
    given_session(b, false, 60, KEY_FF);
    assert_ok(do_read(b, 60, data));
}

static void tear_once(struct bench *b, struct eeprom_tear *tear, const struct writer *writer, const uint8_t *before,
                      const uint8_t new_block[16], enum eeprom_tear_how how, uint64_t seed)
{
    static uint8_t after[IMAGE];
    uint8_t data[16];

    restore(b, before);
    power_cycle(b);
    tear->seed = seed;
    tear->how = how;
    tear->tear_at = tear->writes + 1;
    assert_status(writer->act(b), SCRIP_E_TORN);
    assert_true(tear->no_power);
    assert_status(select_card(b), SCRIP_E_NO_CARD); /* silent until the field comes again */

    tear->no_power = false;
    tear->tear_at = 0;
    power_cycle(b);
    snapshot(b, after);
    assert_others_unchanged(writer, before, after, b->under.pages);
    memcpy(data, after + writer->page * SCRIP_NV_PAGE, 16);
    writer->check(b, before + writer->page * SCRIP_NV_PAGE, new_block, data);
    assert_alive(b);
}

/* What the command writes when nothing happens to it. */
static void run_whole(struct bench *b, const struct eeprom_tear *tear, const struct writer *writer, uint8_t written[16])
{
    static uint8_t after[IMAGE];
    const unsigned writes = tear->writes;
    assert_ok(writer->act(b));
    assert_int_equal(tear->writes, writes + 1);
    snapshot(b, after);
    memcpy(written, after + writer->page * SCRIP_NV_PAGE, 16);
}

static void tear_everywhere(const struct writer *writer)
{
    static uint8_t before[IMAGE];
    struct eeprom_tear tear;
    struct bench b;
    uint8_t written[16];

    bench_lay(&b, false, "04183F09321B85", SCRIP_CLASSIC_HARDENED);
    const struct scrip_nv nv = eeprom_tear(&tear, b.under);
    b.card.nv = &nv;
    writer->lay(&b);
    snapshot(&b, before);
    run_whole(&b, &tear, writer, written);
    for (int how = 0; how < EEPROM_TEARS; how++) {
        const int times = how < EEPROM_OLD_AND ? 1 : MASKS;
        for (int i = 0; i < times; i++) {
            const uint64_t seed = SEED + (uint64_t)(how * MASKS + i);
            last_tear = (struct last_tear){writer->name, how, seed};
            tear_once(&b, &tear, writer, before, written, (enum eeprom_tear_how)how, seed);
        }
    }
    bench_clear(&b);
}

/* What a failure was the failure of. */
static int name_the_last_tear(void **state)
{
    (void)state;
    print_message("last tear: %s, way %d, seed %llx\n", last_tear.name, last_tear.how,
                  (unsigned long long)last_tear.seed);
    return 0;
}

static bool same(const uint8_t a[16], const uint8_t b[16])
{
    return memcmp(a, b, 16) == 0;
}

/* ---- WRITE ---- */

static const uint8_t text[16] = "sixteen letters";

static void lay_text(struct bench *b)
{
    poke(b, 5, "00112233445566778899AABBCCDDEEFF");
}

static enum scrip_status write_text(struct bench *b)
{
    given_session(b, false, 4, KEY_FF);
    return do_write(b, 5, text);
}

static void check_again(struct bench *b, const uint8_t old[16], const uint8_t new[16], const uint8_t left[16])
{
    uint8_t data[16];
    (void)old;
    (void)left; /* anything: a data block has no form */
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_write(b, 5, text));
    assert_ok(do_read(b, 5, data));
    assert_memory_equal(data, new, 16);
}

static void a_torn_write_harms_no_other_block_and_may_be_repeated(void **state)
{
    (void)state;
    tear_everywhere(&(struct writer){"WRITE", 5, lay_text, write_text, check_again});
}

/* ---- TRANSFER ---- */

static void lay_values(struct bench *b)
{
    given_value(b, 4, 1000, 0x04);
    given_value(b, 5, 1000, 0x04);
}

static enum scrip_status transfer_debit(struct bench *b)
{
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_DECREMENT, 4, 345));
    return do_transfer(b, 4);
}

static enum scrip_status transfer_backup(struct bench *b)
{
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_value(b, SCRIP_MIFARE_INCREMENT, 4, 77));
    return do_transfer(b, 5);
}

/* Never another value than the old one or the new one; and the buffer is gone with the power. */
static void check_value(struct bench *b, const uint8_t old[16], const uint8_t new[16], const uint8_t left[16])
{
    int32_t value;
    uint8_t address;
    if (scrip_classic_value_get(left, &value, &address) == SCRIP_OK) {
        assert_true(same(left, old) || same(left, new));
    }
    given_session(b, false, 4, KEY_FF);
    assert_int_equal(ask(b, "B004"), 0x4);
}

static void a_torn_transfer_leaves_the_old_value_the_new_one_or_none(void **state)
{
    (void)state;
    tear_everywhere(&(struct writer){"TRANSFER to the source", 4, lay_values, transfer_debit, check_value});
    tear_everywhere(&(struct writer){"TRANSFER to another block", 5, lay_values, transfer_backup, check_value});
}

/* ---- trailers ---- */

static void lay_trailer(struct bench *b)
{
    given_trailer(b, 1, 0, 3);
    given_value(b, 4, 5, 5);
}

/* Key A, key B and access bits at once: 110 for the data, 011 for the trailer. */
static enum scrip_status change_trailer(struct bench *b)
{
    uint8_t trailer[16];
    from_hex("101112131415 08778F 69 202122232425", trailer, sizeof trailer);
    given_session(b, true, 4, KEY_B);
    return do_write(b, 7, trailer);
}

/* Only the keys: the access bits are written as they were. */
static enum scrip_status change_keys(struct bench *b)
{
    uint8_t trailer[16];
    peek(b, 7, trailer);
    from_hex("101112131415", trailer, 6);
    from_hex("202122232425", trailer + 10, 6);
    given_session(b, true, 4, KEY_B);
    return do_write(b, 7, trailer);
}

static bool opens(struct bench *b, const uint8_t trailer[16], bool key_b)
{
    assert_ok(select_card(b));
    return do_auth(b, key_b, 4, trailer + (key_b ? 10 : 0)) == SCRIP_OK;
}

/* Access bits are the old ones, the new ones, or damaged; damaged ones block the sector, whatever the keys are. */
static void check_trailer(struct bench *b, const uint8_t old[16], const uint8_t new[16], const uint8_t left[16])
{
    struct scrip_classic_access access;
    uint8_t data[16];
    const bool intact = scrip_classic_access_get(left + 6, &access) == SCRIP_OK;

    if (intact) {
        assert_true(memcmp(left + 6, old + 6, 3) == 0 || memcmp(left + 6, new + 6, 3) == 0);
    }
    assert_int_equal(opens(b, old, false), memcmp(left, old, 6) == 0);
    assert_int_equal(opens(b, new, false), memcmp(left, new, 6) == 0);
    assert_int_equal(opens(b, old, true), memcmp(left + 10, old + 10, 6) == 0);
    assert_int_equal(opens(b, new, true), memcmp(left + 10, new + 10, 6) == 0);
    assert_true(opens(b, left, false)); /* authentication may still work */
    assert_status(do_read(b, 4, data), intact ? SCRIP_OK : SCRIP_E_CARD);
}

static void a_torn_trailer_blocks_its_sector_at_worst(void **state)
{
    (void)state;
    tear_everywhere(&(struct writer){"trailer", 7, lay_trailer, change_trailer, check_trailer});
    tear_everywhere(&(struct writer){"key change", 7, lay_trailer, change_keys, check_trailer});
}

/* ---- PersonalizeUIDUsage ---- */

static void lay_nothing(struct bench *b)
{
    (void)b;
}

static enum scrip_status choose_short(struct bench *b)
{
    given_session(b, false, 0, KEY_FF);
    return do_personalize(b, SCRIP_CLASSIC_UIDF3);
}

/* Chosen, or as delivered and still to be chosen. */
static void check_choice(struct bench *b, const uint8_t old[16], const uint8_t new[16], const uint8_t left[16])
{
    const bool chosen = memcmp(left, new, 4) == 0;
    (void)old;
    given_session(b, false, 0, KEY_FF);
    assert_int_equal(b->target.uid_len, chosen ? 4 : 7);
    assert_status(do_personalize(b, SCRIP_CLASSIC_UIDF3), chosen ? SCRIP_E_CARD : SCRIP_OK);
    if (!chosen) {
        power_cycle(b);
        assert_ok(select_card(b));
        assert_int_equal(b->target.uid_len, 4);
    }
}

static void a_torn_choice_of_uid_may_be_repeated(void **state)
{
    const uint32_t page = SCRIP_CLASSIC_1K_BLOCKS; /* behind the blocks */
    (void)state;
    tear_everywhere(&(struct writer){"personalise", page, lay_nothing, choose_short, check_choice});
}

/* ---- the link is cut ---- */

/* A radio that loses the card at its `cut`th frame: before the card hears it, or after. */
struct cutter {
    const struct scrip_radio *air;
    unsigned frames;
    unsigned cut;
    bool heard;
    bool gone;
};

static enum scrip_status cut_exchange(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                      uint32_t timeout_us)
{
    struct cutter *cutter = ctx;
    cutter->frames++;
    if (cutter->frames == cutter->cut) {
        if (cutter->heard) {
            (void)cutter->air->exchange(cutter->air->ctx, tx, rx, timeout_us);
        }
        cutter->gone = true;
    }
    return cutter->gone ? SCRIP_E_TIMEOUT : cutter->air->exchange(cutter->air->ctx, tx, rx, timeout_us);
}

/* A procedure after selection, its frames, and the one that changes memory. */
struct procedure {
    bool (*act)(struct bench *b);
    unsigned frames;
    unsigned writing;
};

/* 60, proof, C0, operand, B0 */
static bool debit(struct bench *b)
{
    return do_auth(b, false, 4, KEY_FF) == SCRIP_OK && do_value(b, SCRIP_MIFARE_DECREMENT, 4, 30) == SCRIP_OK &&
           do_transfer(b, 4) == SCRIP_OK;
}

/* 60, proof, A0, data */
static bool overwrite(struct bench *b)
{
    uint8_t data[16];
    scrip_classic_value_put(70, 4, data);
    return do_auth(b, false, 4, KEY_FF) == SCRIP_OK && do_write(b, 4, data) == SCRIP_OK;
}

/* @return did the reader see it acknowledged */
static bool act_over(struct bench *b, const struct procedure *procedure, struct cutter *cutter)
{
    const struct scrip_radio radio = {.ctx = cutter, .exchange = cut_exchange, .frame_max = SCRIP_FRAME_MAX};
    assert_ok(select_card(b));
    scrip_mifare_soft_init(&b->soft, &radio, &b->random);
    const bool believed = procedure->act(b);
    scrip_mifare_soft_init(&b->soft, &b->air, &b->random);
    return believed;
}

static int32_t value_now(struct bench *b)
{
    uint8_t data[16];
    int32_t value = 0;
    uint8_t address;
    power_cycle(b);
    given_session(b, false, 4, KEY_FF);
    assert_ok(do_read(b, 4, data));
    assert_ok(scrip_classic_value_get(data, &value, &address));
    return value;
}

static void over_a_link_that_is_cut_a_change_is_made_or_not_and_never_believed_wrongly(void **state)
{
    static const struct procedure procedures[] = {{debit, 5, 5}, {overwrite, 4, 4}};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof procedures / sizeof *procedures; i++) {
        for (unsigned cut = 1; cut <= procedures[i].frames + 1; cut++) {
            for (int heard = 0; heard < 2; heard++) {
                struct cutter cutter = {.air = &b->air, .cut = cut, .heard = heard == 1};
                const bool done = cut > procedures[i].writing || (cut == procedures[i].writing && heard == 1);
                given_value(b, 4, 100, 4);
                assert_int_equal(act_over(b, &procedures[i], &cutter), cut > procedures[i].frames);
                assert_int_equal(value_now(b), done ? 70 : 100);
            }
        }
    }
}

#define AT_EVERY_WRITE(test) cmocka_unit_test_teardown(test, name_the_last_tear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_EVERY_WRITE(a_torn_write_harms_no_other_block_and_may_be_repeated),
        AT_EVERY_WRITE(a_torn_transfer_leaves_the_old_value_the_new_one_or_none),
        AT_EVERY_WRITE(a_torn_trailer_blocks_its_sector_at_worst),
        AT_EVERY_WRITE(a_torn_choice_of_uid_may_be_repeated),
        cmocka_unit_test_setup_teardown(over_a_link_that_is_cut_a_change_is_made_or_not_and_never_believed_wrongly,
                                        bench_1k, bench_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
