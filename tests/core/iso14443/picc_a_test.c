/* Part 3 of a card: the table of states, exhaustively; bit anticollision; known answers. */
#include "check.h"
#include <scrip/picc.h>

static struct scrip_picc_a card_of(const char *uid, const char *atqa, uint8_t sak)
{
    struct scrip_picc_a a = {.sak = sak};
    a.uid_len = (uint8_t)from_hex(uid, a.uid, sizeof a.uid);
    from_hex(atqa, a.atqa, sizeof a.atqa);
    scrip_picc_a_on(&a);
    return a;
}

/* A frame of so many bits, with odd parity. */
static struct scrip_frame bits_of(const char *hex, uint16_t bits)
{
    uint8_t data[32];
    struct scrip_frame frame;
    const size_t len = from_hex(hex, data, sizeof data);
    assert_ok(scrip_frame_bytes(&frame, scrip_bytes(data, len)));
    frame.bits = bits;
    return frame;
}

static enum scrip_picc_did hears(struct scrip_picc_a *a, const char *hex, uint16_t bits, struct scrip_frame *out)
{
    const struct scrip_frame in = bits_of(hex, bits);
    scrip_frame_clear(out);
    return scrip_picc_a_frame(a, &in, out);
}

static void answers(struct scrip_picc_a *a, const char *hex, uint16_t bits, const char *answer)
{
    struct scrip_frame out;
    assert_int_not_equal(hears(a, hex, bits, &out), SCRIP_PICC_SILENT);
    assert_hex(scrip_bytes(out.data, out.bits / 8U), answer);
    for (size_t i = 0; i < out.bits / 8U; i++) {
        assert_int_equal(scrip_frame_parity(&out, i), scrip_odd_parity(out.data[i]));
    }
}

/* ---- vectors act-01, act-02, act-03 ---- */

static void a_4_byte_uid_is_selected_in_one_level(void **state)
{
    struct scrip_picc_a a = card_of("9C599B32", "0400", 0x08);
    (void)state;
    answers(&a, "26", 7, "0400");
    answers(&a, "9320", 16, "9C599B326C");
    answers(&a, "93709C599B326C6B30", 72, "08B6DD");
    assert_int_equal(a.state, SCRIP_PICC_ACTIVE);
    a = card_of("14579F69", "0200", 0x18);
    answers(&a, "26", 7, "0200");
    answers(&a, "9320", 16, "14579F69B5");
    answers(&a, "937014579F69B52E51", 72, "1837CD");
}

static void a_7_byte_uid_takes_two_levels(void **state)
{
    struct scrip_picc_a a = card_of("04A1B2C3D4E5F6", "4200", 0x18);
    (void)state;
    answers(&a, "26", 7, "4200");
    answers(&a, "9320", 16, "8804A1B29F");
    answers(&a, "93708804A1B29FAE4B", 72, "04DA17");
    answers(&a, "9520", 16, "C3D4E5F604");
    answers(&a, "9570C3D4E5F6049E03", 72, "1837CD");
}

static void a_10_byte_uid_takes_three_levels(void **state)
{
    struct scrip_picc_a a = card_of("04010203040506070809", "8400", 0x20);
    (void)state;
    /* level uid: 88 04 01 02 | 88 03 04 05 | 06 07 08 09 */
    struct scrip_frame out;
    answers(&a, "52", 7, "8400");
    answers(&a, "9320", 16, "880401028F");
    for (unsigned level = 0; level < 3; level++) {
        static const uint8_t uids[3][4] = {{0x88, 0x04, 0x01, 0x02}, {0x88, 0x03, 0x04, 0x05}, {6, 7, 8, 9}};
        uint8_t select[7] = {(uint8_t)(0x93 + 2 * level), 0x70};
        struct scrip_frame in;
        memcpy(select + 2, uids[level], 4);
        select[6] = select[2] ^ select[3] ^ select[4] ^ select[5];
        assert_ok(scrip_frame_bytes_crc(&in, SCRIP_BYTES_OF(select)));
        assert_int_equal(scrip_picc_a_frame(&a, &in, &out), level < 2 ? SCRIP_PICC_ANSWERED : SCRIP_PICC_SELECTED);
        assert_int_equal(out.data[0], level < 2 ? 0x04 : 0x20);
    }
}

/* ---- bit anticollision ---- */

/* Every number of known bits: the rest comes, from the first bit that was not sent. */
static void any_number_of_known_bits_is_answered_with_the_others(void **state)
{
    static const uint8_t cl[] = {0x9C, 0x59, 0x9B, 0x32, 0x6C};
    (void)state;
    for (uint16_t known = 0; known < 40; known++) {
        struct scrip_picc_a a = card_of("9C599B32", "0400", 0x08);
        uint8_t request[7] = {0x93, (uint8_t)((2 + known / 8) << 4 | known % 8)};
        struct scrip_frame in;
        struct scrip_frame out;
        answers(&a, "26", 7, "0400");
        memcpy(request + 2, cl, sizeof cl);
        assert_ok(scrip_frame_bytes(&in, SCRIP_BYTES_OF(request)));
        in.bits = (uint16_t)(16 + known);
        assert_int_equal(scrip_picc_a_frame(&a, &in, &out), SCRIP_PICC_ANSWERED);
        assert_int_equal(out.align, known % 8);
        assert_int_equal(out.bits, 40 - known);
        for (uint16_t bit = known; bit < 40; bit++) {
            const uint16_t at = (uint16_t)(bit - known + out.align);
            assert_int_equal(out.data[at / 8] >> at % 8 & 1, cl[bit / 8] >> bit % 8 & 1);
        }
        for (size_t i = 0; i < scrip_frame_len(&out); i++) {
            assert_int_equal(scrip_frame_parity(&out, i), scrip_odd_parity(cl[known / 8 + i]));
        }
        assert_int_equal(a.state, SCRIP_PICC_READY);
    }
}

/* One wrong bit among the known ones: another card is meant. */
static void a_card_whose_bits_differ_is_silent_and_stays_ready(void **state)
{
    static const uint8_t cl[] = {0x9C, 0x59, 0x9B, 0x32, 0x6C};
    (void)state;
    for (uint16_t wrong = 0; wrong < 39; wrong++) {
        struct scrip_picc_a a = card_of("9C599B32", "0400", 0x08);
        uint8_t request[7] = {0x93, 0x67};
        struct scrip_frame in;
        struct scrip_frame out;
        answers(&a, "26", 7, "0400");
        memcpy(request + 2, cl, sizeof cl);
        request[2 + wrong / 8] ^= (uint8_t)(1U << wrong % 8);
        assert_ok(scrip_frame_bytes(&in, SCRIP_BYTES_OF(request)));
        in.bits = 55;
        assert_int_equal(scrip_picc_a_frame(&a, &in, &out), SCRIP_PICC_SILENT);
        assert_int_equal(out.bits, 0);
        assert_int_equal(a.state, SCRIP_PICC_READY);
    }
}

/* Vectors anticol-01 and anticol-02, bits in order of transmission. */
static void split_frames_are_those_of_the_vectors(void **state)
{
    static const struct {
        const char *uid, *request, *answer;
    } known[] = {
        {"9C599B32", "1100100100101100001110011001", "1010110110010100110000110110"},
        {"14579F69", "110010010010001000101000111010101111", "10011001011010101101"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct scrip_picc_a a = card_of(known[i].uid, "0400", 0x08);
        uint8_t data[8] = {0};
        struct scrip_frame in;
        struct scrip_frame out;
        answers(&a, "52", 7, "0400");
        for (size_t bit = 0; known[i].request[bit] != '\0'; bit++) {
            data[bit / 8] |= (uint8_t)((known[i].request[bit] - '0') << bit % 8);
        }
        assert_ok(scrip_frame_bytes(&in, SCRIP_BYTES_OF(data)));
        in.bits = (uint16_t)strlen(known[i].request);
        assert_int_equal(scrip_picc_a_frame(&a, &in, &out), SCRIP_PICC_ANSWERED);
        assert_int_equal(out.bits, strlen(known[i].answer));
        for (size_t bit = 0; bit < out.bits; bit++) {
            const size_t at = bit + out.align;
            assert_int_equal(out.data[at / 8] >> at % 8 & 1, known[i].answer[bit] - '0');
        }
    }
}

/* ---- the table ---- */

enum state_of { OFF, IDLE, READY, READY_STAR, ACTIVE, ACTIVE_STAR, HALT, STATES };

static struct scrip_picc_a in_state(enum state_of wanted)
{
    struct scrip_picc_a a = card_of("14579F69", "0200", 0x18);
    if (wanted == OFF) {
        scrip_picc_a_off(&a);
        return a;
    }
    if (wanted == READY_STAR || wanted == ACTIVE_STAR || wanted == HALT) {
        scrip_picc_a_halt(&a);
    }
    if (wanted != IDLE && wanted != HALT) {
        answers(&a, "52", 7, "0200");
    }
    if (wanted == ACTIVE || wanted == ACTIVE_STAR) {
        answers(&a, "937014579F69B52E51", 72, "1837CD");
    }
    return a;
}

static enum state_of state_of(const struct scrip_picc_a *a)
{
    switch (a->state) {
    case SCRIP_PICC_IDLE:
        return IDLE;
    case SCRIP_PICC_READY:
        return a->starred ? READY_STAR : READY;
    case SCRIP_PICC_ACTIVE:
        return a->starred ? ACTIVE_STAR : ACTIVE;
    case SCRIP_PICC_HALT:
        return HALT;
    default:
        return OFF;
    }
}

/* Each state meets each frame. `did`: S silent, A answered, ! selected, P passed on. */
static void every_state_takes_every_event_as_the_standard_says(void **state)
{
    static const struct {
        const char *frame;
        uint16_t bits;
        const char *did; /* by state, in the order of enum state_of */
        enum state_of next[STATES];
    } rows[] = {
#define REST  IDLE, HALT
#define FALLS {OFF, IDLE, REST, REST, HALT}
#define UP                                                                                                             \
    {                                                                                                                  \
        OFF, IDLE, REST, ACTIVE, ACTIVE_STAR, HALT                                                                     \
    }
        {"26", 7, "SASSSSS", {OFF, READY, REST, REST, HALT}},
        {"52", 7, "SASSSSA", {OFF, READY, REST, REST, READY_STAR}},
        {"35", 7, "SSSSSSS", FALLS},
        {"7F", 7, "SSSSSSS", FALLS},
        {"9320", 16, "SSAAPPS", {OFF, IDLE, READY, READY_STAR, ACTIVE, ACTIVE_STAR, HALT}},
        {"934214570F", 34, "SSAAPPS", {OFF, IDLE, READY, READY_STAR, ACTIVE, ACTIVE_STAR, HALT}},
        {"934214540F", 34, "SSSSPPS", {OFF, IDLE, READY, READY_STAR, ACTIVE, ACTIVE_STAR, HALT}},
        {"937014579F69B52E51", 72, "SS!!PPS", {OFF, IDLE, ACTIVE, ACTIVE_STAR, ACTIVE, ACTIVE_STAR, HALT}},
        {"93709C599B326C6B30", 72, "SSSSPPS", UP}, /* another card's */
        {"937014579F69B52E50", 72, "SSSSPPS", UP}, /* CRC */
        {"937014579F69B42E51", 72, "SSSSPPS", UP}, /* BCC */
        {"937014579F69B5", 56, "SSSSPPS", UP},     /* no CRC */
        {"957014579F69B5", 56, "SSSSPPS", UP},     /* another level's */
        {"9520", 16, "SSSSPPS", UP},
        {"9320", 15, "SSSSPPS", UP},
        {"9328", 24, "SSSSPPS", UP},
        {"9310", 8, "SSSSPPS", UP},
        {"9321", 16, "SSSSPPS", UP}, /* NVB says one bit more than there is */
        {"500057CD", 32, "SSSSPPS", UP},
        {"E050BCA5", 32, "SSSSPPS", UP},
        {"0A", 4, "SSSSPPS", UP},
        {"01", 1, "SSSSPPS", UP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned from = OFF; from < STATES; from++) {
            struct scrip_picc_a a = in_state((enum state_of)from);
            struct scrip_frame out;
            const enum scrip_picc_did did = hears(&a, rows[i].frame, rows[i].bits, &out);
            if ("SA!P"[did] != rows[i].did[from] || state_of(&a) != rows[i].next[from] ||
                (out.bits != 0) != (did == SCRIP_PICC_ANSWERED || did == SCRIP_PICC_SELECTED)) {
                fail_msg("%s in state %u: did %c, went to %u", rows[i].frame, from, "SA!P"[did], state_of(&a));
            }
        }
    }
}

static void damaged_parity_and_other_rates_are_transmission_errors(void **state)
{
    struct scrip_frame out;
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct scrip_picc_a a = in_state(READY);
        struct scrip_frame in = bits_of("937014579F69B52E51", 72);
        scrip_frame_parity_set(&in, i, !scrip_frame_parity(&in, i));
        assert_int_equal(scrip_picc_a_frame(&a, &in, &out), SCRIP_PICC_SILENT);
        assert_int_equal(a.state, SCRIP_PICC_IDLE);
    }
    static const struct {
        const char *frame;
        uint16_t bits;
    } fast[] = {{"52", 7}, {"9320", 16}, {"937014579F69B52E51", 72}};
    for (size_t i = 0; i < 3; i++) {
        struct scrip_picc_a a = in_state(i == 0 ? IDLE : READY_STAR);
        struct scrip_frame in = bits_of(fast[i].frame, fast[i].bits);
        in.rate = SCRIP_RATE_212;
        assert_int_equal(scrip_picc_a_frame(&a, &in, &out), SCRIP_PICC_SILENT);
        assert_int_equal(a.state, i == 0 ? SCRIP_PICC_IDLE : SCRIP_PICC_HALT);
    }
    struct scrip_picc_a a = in_state(READY);
    struct scrip_frame in = bits_of("9320", 16);
    scrip_frame_parity_set(&in, 1, !scrip_frame_parity(&in, 1));
    assert_int_equal(scrip_picc_a_frame(&a, &in, &out), SCRIP_PICC_SILENT);
    assert_int_equal(a.state, SCRIP_PICC_IDLE);
}

static void a_star_is_lost_only_with_the_field(void **state)
{
    struct scrip_picc_a a = in_state(ACTIVE_STAR);
    (void)state;
    scrip_picc_a_drop(&a);
    assert_int_equal(a.state, SCRIP_PICC_HALT);
    answers(&a, "52", 7, "0200");
    assert_true(a.starred);
    scrip_picc_a_drop(&a);
    scrip_picc_a_off(&a);
    scrip_picc_a_on(&a);
    answers(&a, "26", 7, "0200");
    assert_false(a.starred);
}

static void hlta_is_known_only_whole(void **state)
{
    struct scrip_frame in = bits_of("500057CD", 32);
    (void)state;
    assert_true(scrip_picc_is_hlta(&in));
    in.bits = 31;
    assert_false(scrip_picc_is_hlta(&in));
    in = bits_of("500057CC", 32);
    assert_false(scrip_picc_is_hlta(&in));
    in = bits_of("5000", 16);
    assert_false(scrip_picc_is_hlta(&in));
    in = bits_of("500057CD", 32);
    scrip_frame_parity_set(&in, 2, !scrip_frame_parity(&in, 2));
    assert_false(scrip_picc_is_hlta(&in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_4_byte_uid_is_selected_in_one_level),
        cmocka_unit_test(a_7_byte_uid_takes_two_levels),
        cmocka_unit_test(a_10_byte_uid_takes_three_levels),
        cmocka_unit_test(any_number_of_known_bits_is_answered_with_the_others),
        cmocka_unit_test(a_card_whose_bits_differ_is_silent_and_stays_ready),
        cmocka_unit_test(split_frames_are_those_of_the_vectors),
        cmocka_unit_test(every_state_takes_every_event_as_the_standard_says),
        cmocka_unit_test(damaged_parity_and_other_rates_are_transmission_errors),
        cmocka_unit_test(a_star_is_lost_only_with_the_field),
        cmocka_unit_test(hlta_is_known_only_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
