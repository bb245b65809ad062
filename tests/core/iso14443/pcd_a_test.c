/* Part 3 of the reader over a field: every card is found, exactly once. */
#include "check.h"
#include "tag.h"

struct table {
    struct scrip_field field;
    struct scrip_radio radio;
    struct tag tags[SCRIP_FIELD_CARDS];
    size_t count;
};

static void lay(struct table *t, const struct tag *tags, size_t count)
{
    scrip_field_init(&t->field);
    scrip_field_radio(&t->field, &t->radio);
    t->count = count;
    for (size_t i = 0; i < count; i++) {
        t->tags[i] = tags[i];
        assert_ok(scrip_field_add(&t->field, &t->tags[i].picc));
    }
    assert_ok(t->radio.power(t->radio.ctx, true));
}

static size_t index_of(const struct table *t, const struct scrip_target *target)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->tags[i].a.uid_len == target->uid_len && memcmp(t->tags[i].a.uid, target->uid, target->uid_len) == 0) {
            return i;
        }
    }
    fail_msg("a card was found that is not there");
    return 0;
}

/* Find and halt until nobody answers. */
static void find_all(struct table *t)
{
    unsigned seen = 0;
    struct scrip_target target;
    for (size_t i = 0; i < t->count; i++) {
        assert_ok(scrip_pcd_find(&t->radio, false, &target));
        const size_t at = index_of(t, &target);
        assert_false(seen >> at & 1);
        seen |= 1U << at;
        assert_int_equal(target.sak, t->tags[at].a.sak);
        assert_int_equal(target.ats_len, 0);
        assert_int_equal(t->tags[at].a.state, SCRIP_PICC_ACTIVE);
        assert_ok(scrip_pcd_halt(&t->radio));
        assert_int_equal(t->tags[at].a.state, SCRIP_PICC_HALT);
    }
    assert_status(scrip_pcd_find(&t->radio, false, &target), SCRIP_E_NO_CARD);
}

static struct tag random_tag(uint64_t *seed)
{
    static const uint8_t lens[] = {4, 4, 7, 7, 10};
    static const uint8_t saks[] = {0x08, 0x18, 0x20};
    uint8_t uid[10];
    const uint32_t kind = next_number(seed);
    const uint8_t len = lens[kind % 5];
    for (size_t i = 0; i < sizeof uid; i++) {
        uid[i] = (uint8_t)next_number(seed);
    }
    if (len == 4 && (uid[0] == SCRIP_CASCADE_CT || (kind & 0x100) != 0)) {
        uid[0] = 0x08; /* a random ID */
    }
    if (len != 4 && (kind & 0x200) != 0) {
        memcpy(uid, "\x04\x11\x22\x33\x44", 5); /* of one maker and one batch: long common beginnings */
    }
    if (len != 4 && uid[0] == SCRIP_CASCADE_CT) {
        uid[0] = 0x04;
    }
    return tag_of(uid, len, saks[kind / 5 % 3]);
}

static bool is_new(const struct tag *tags, size_t count, const struct tag *tag)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(tags[i].a.uid, tag->a.uid, 10) == 0 ||
            (tags[i].a.uid_len == tag->a.uid_len && memcmp(tags[i].a.uid, tag->a.uid, tag->a.uid_len) == 0)) {
            return false;
        }
    }
    return true;
}

static void one_to_eight_cards_are_each_found_once(void **state)
{
    uint64_t seed = 14443;
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        struct tag tags[SCRIP_FIELD_CARDS];
        struct table t;
        const size_t count = 1 + round % SCRIP_FIELD_CARDS;
        for (size_t i = 0; i < count;) {
            tags[i] = random_tag(&seed);
            i += is_new(tags, i, &tags[i]) ? 1 : 0;
        }
        lay(&t, tags, count);
        find_all(&t);
    }
}

static void uids_that_differ_in_one_bit_are_told_apart(void **state)
{
    static const uint8_t uid[10] = {0x04, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0, 0x11};
    static const uint8_t lens[] = {4, 7, 10};
    (void)state;
    for (size_t i = 0; i < sizeof lens; i++) {
        for (unsigned bit = 0; bit < 8U * lens[i]; bit++) {
            struct tag tags[2] = {tag_of(uid, lens[i], 0x08), tag_of(uid, lens[i], 0x20)};
            struct table t;
            tags[1].a.uid[bit / 8] ^= (uint8_t)(1U << bit % 8);
            if (lens[i] == 4 && tags[1].a.uid[0] == SCRIP_CASCADE_CT) {
                continue;
            }
            lay(&t, tags, 2);
            find_all(&t);
        }
    }
}

/* Vector act-02, and its time without the way back of the last frame. */
static void a_selection_is_made_of_the_known_frames(void **state)
{
    static const uint8_t uid[] = {0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6};
    const struct tag tag = tag_of(uid, sizeof uid, 0x18);
    struct table t;
    struct scrip_target target;
    (void)state;
    lay(&t, &tag, 1);
    assert_int_equal(t.field.times.idle_fc, 5 * 13560);
    assert_ok(scrip_pcd_find(&t.radio, false, &target));
    assert_hex(scrip_bytes(target.uid, target.uid_len), "04A1B2C3D4E5F6");
    assert_hex(SCRIP_BYTES_OF(target.atqa), "4400");
    assert_int_equal(target.sak, 0x18);
    assert_int_equal(t.field.times.frames, 5);
    assert_int_equal(t.field.times.reader_fc, (9 + 2 * (20 + 83)) * 128);
    assert_int_equal(t.field.times.card_fc, (20 + 2 * (47 + 29)) * 128);
}

static void a_card_is_woken_by_its_uid_among_others(void **state)
{
    uint64_t seed = 7;
    struct tag tags[5];
    struct table t;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        tags[i] = random_tag(&seed);
    }
    lay(&t, tags, 5);
    find_all(&t);
    for (size_t i = 0; i < 5; i++) {
        struct scrip_target target = {.uid_len = t.tags[i].a.uid_len};
        memcpy(target.uid, t.tags[i].a.uid, sizeof target.uid);
        assert_ok(scrip_pcd_wake(&t.radio, &target));
        assert_int_equal(target.sak, t.tags[i].a.sak);
        for (size_t other = 0; other < 5; other++) {
            assert_int_equal(t.tags[other].a.state, other == i ? SCRIP_PICC_ACTIVE : SCRIP_PICC_HALT);
        }
        assert_ok(scrip_pcd_halt(&t.radio));
    }
    struct scrip_target nobody = {.uid = {1, 2, 3, 4}, .uid_len = 4};
    assert_status(scrip_pcd_wake(&t.radio, &nobody), SCRIP_E_NO_CARD);
    nobody.uid_len = 5;
    assert_status(scrip_pcd_select(&t.radio, &nobody), SCRIP_E_ARGUMENT);
}

static void reqa_leaves_halted_cards_asleep_and_wupa_wakes_them(void **state)
{
    static const uint8_t uid[] = {0x08, 0x11, 0x22, 0x33};
    const struct tag tag = tag_of(uid, sizeof uid, 0x20);
    struct table t;
    struct scrip_target target;
    uint8_t atqa[2] = {0xAA, 0xAA};
    (void)state;
    lay(&t, &tag, 1);
    find_all(&t);
    assert_status(scrip_pcd_request(&t.radio, false, atqa), SCRIP_E_NO_CARD);
    assert_int_equal(atqa[0], 0xAA);
    assert_ok(scrip_pcd_find(&t.radio, true, &target));
    assert_hex(SCRIP_BYTES_OF(target.atqa), "0400");
}

static void nothing_is_found_without_a_card_or_without_power(void **state)
{
    struct table t;
    struct scrip_target target = {.sak = 0x77};
    (void)state;
    lay(&t, NULL, 0);
    assert_status(scrip_pcd_find(&t.radio, true, &target), SCRIP_E_NO_CARD);
    assert_ok(t.radio.power(t.radio.ctx, false));
    assert_status(scrip_pcd_find(&t.radio, true, &target), SCRIP_E_NO_CARD);
    assert_int_equal(target.sak, 0x77);
}

/* ---- answers that no card gives ---- */

struct script {
    const char *answers[6]; /* NULL: silence; "!": damaged; "+": the link fails */
    uint16_t bits[6];
    size_t at;
};

static enum scrip_status scripted(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx, uint32_t timeout_us)
{
    struct script *s = ctx;
    uint8_t data[32];
    const char *answer = s->at < 6 ? s->answers[s->at] : NULL;
    const uint16_t bits = s->at < 6 ? s->bits[s->at] : 0;
    (void)tx;
    (void)timeout_us;
    s->at++;
    if (answer == NULL || answer[0] == '!' || answer[0] == '+') {
        return answer == NULL ? SCRIP_E_TIMEOUT : answer[0] == '!' ? SCRIP_E_MAC : SCRIP_E_LINK;
    }
    assert_ok(scrip_frame_bytes(rx, scrip_bytes(data, from_hex(answer, data, sizeof data))));
    rx->bits = bits != 0 ? bits : rx->bits;
    return SCRIP_OK;
}

static void senseless_answers_are_refused(void **state)
{
    static const struct {
        struct script script;
        enum scrip_status status;
    } cases[] = {
        {{.answers = {"04"}}, SCRIP_E_MAC},
        {{.answers = {"040000"}}, SCRIP_E_MAC},
        {{.answers = {"0400"}, .bits = {15}}, SCRIP_E_MAC},
        {{.answers = {"!"}}, SCRIP_E_MAC},
        {{.answers = {"+"}}, SCRIP_E_LINK},
        {{.answers = {"0400"}}, SCRIP_E_NO_CARD},
        {{.answers = {"0400", "+"}}, SCRIP_E_LINK},
        {{.answers = {"0400", "9C599B32"}}, SCRIP_E_MAC},             /* short */
        {{.answers = {"0400", "9C599B326C00"}}, SCRIP_E_MAC},         /* long */
        {{.answers = {"0400", "9C599B326D"}}, SCRIP_E_MAC},           /* BCC */
        {{.answers = {"0400", "9C599B326C"}}, SCRIP_E_NO_CARD},       /* no SAK */
        {{.answers = {"0400", "9C599B326C", "08B6DC"}}, SCRIP_E_MAC}, /* CRC */
        {{.answers = {"0400", "9C599B326C", "0808C44A"}}, SCRIP_E_MAC},
        {{.answers = {"0400", "9C599B326C", "04DA17"}}, SCRIP_E_MAC}, /* incomplete, but no cascade tag */
        {{.answers = {"0400", "8804A1B29F", "04DA17", "8804A1B29F", "04DA17", "8804A1B29F"}}, SCRIP_E_NO_CARD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script script = cases[i].script;
        const struct scrip_radio radio = {.ctx = &script, .exchange = scripted, .frame_max = 64};
        struct scrip_target target = {.sak = 0x77};
        assert_status(scrip_pcd_find(&radio, false, &target), cases[i].status);
        assert_int_equal(target.sak, 0x77);
    }
}

static void a_selection_that_ends_at_another_level_is_refused(void **state)
{
    static const struct {
        const char *answers[2];
        uint8_t uid_len;
        enum scrip_status status;
    } cases[] = {
        {{"08B6DD"}, 4, SCRIP_OK},           {{"04DA17"}, 4, SCRIP_E_MAC}, /* there should be no more */
        {{"08B6DD"}, 7, SCRIP_E_MAC},                                      /* there should be */
        {{"04DA17", "08B6DD"}, 7, SCRIP_OK}, {{"04DA17", "04DA17"}, 7, SCRIP_E_MAC}, {{"04DA17"}, 7, SCRIP_E_NO_CARD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script script = {.answers = {cases[i].answers[0], cases[i].answers[1]}};
        const struct scrip_radio radio = {.ctx = &script, .exchange = scripted, .frame_max = 64};
        struct scrip_target target = {.uid = {4, 1, 2, 3, 4, 5, 6}, .uid_len = cases[i].uid_len, .sak = 0x77};
        assert_status(scrip_pcd_select(&radio, &target), cases[i].status);
        assert_int_equal(target.sak, cases[i].status == SCRIP_OK ? 0x08 : 0x77);
    }
}

/* 9C 59 9B 32 6C with the parity of byte `n` inverted. */
static enum scrip_status bad_parity(void *ctx, const struct scrip_frame *tx, struct scrip_frame *rx,
                                    uint32_t timeout_us)
{
    static const uint8_t cl[] = {0x9C, 0x59, 0x9B, 0x32, 0x6C};
    const size_t *n = ctx;
    (void)tx;
    (void)timeout_us;
    assert_ok(scrip_frame_bytes(rx, SCRIP_BYTES_OF(cl)));
    scrip_frame_parity_set(rx, *n, !scrip_frame_parity(rx, *n));
    return SCRIP_OK;
}

static void a_uid_with_damaged_parity_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < 5; n++) {
        const struct scrip_radio radio = {.ctx = &n, .exchange = bad_parity, .frame_max = 64};
        struct scrip_target target;
        assert_status(scrip_pcd_anticollision(&radio, &target), SCRIP_E_MAC);
    }
}

static void three_levels_are_all_there_are(void **state)
{
    struct script script = {.answers = {"8804A1B29F", "04DA17", "8804A1B29F", "04DA17", "8804A1B29F", "04DA17"}};
    const struct scrip_radio radio = {.ctx = &script, .exchange = scripted, .frame_max = 64};
    struct scrip_target target;
    (void)state;
    assert_status(scrip_pcd_anticollision(&radio, &target), SCRIP_E_MAC);
    assert_int_equal(script.at, 6);
}

static void halt_is_answered_by_silence_alone(void **state)
{
    static const struct {
        const char *answer;
        enum scrip_status status;
    } cases[] = {{NULL, SCRIP_OK}, {"0A", SCRIP_E_MAC}, {"!", SCRIP_E_MAC}, {"+", SCRIP_E_LINK}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script script = {.answers = {cases[i].answer}};
        const struct scrip_radio radio = {.ctx = &script, .exchange = scripted, .frame_max = 64};
        assert_status(scrip_pcd_halt(&radio), cases[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_to_eight_cards_are_each_found_once),
        cmocka_unit_test(uids_that_differ_in_one_bit_are_told_apart),
        cmocka_unit_test(a_selection_is_made_of_the_known_frames),
        cmocka_unit_test(a_card_is_woken_by_its_uid_among_others),
        cmocka_unit_test(reqa_leaves_halted_cards_asleep_and_wupa_wakes_them),
        cmocka_unit_test(nothing_is_found_without_a_card_or_without_power),
        cmocka_unit_test(senseless_answers_are_refused),
        cmocka_unit_test(a_selection_that_ends_at_another_level_is_refused),
        cmocka_unit_test(a_uid_with_damaged_parity_is_refused),
        cmocka_unit_test(three_levels_are_all_there_are),
        cmocka_unit_test(halt_is_answered_by_silence_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
