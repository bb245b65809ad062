/* The reader before cards in a field: a MIFARE Classic down to its bits, and a card of part 4. */
#include "../../reader/fake_picc.h"
#include "pcsc_talk.h"
#include <scrip/classic_card.h>
#include <scrip/coupler_field.h>
#include <scrip/posix.h>
#include <stdlib.h>

struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_classic_host host;
    struct scrip_classic_card card;
    struct fake_picc part_4;
    struct scrip_field field;
    struct scrip_coupler_field coupler;
    struct scrip_pcsc pcsc;
    struct scrip_card_info info;
    struct talk talk;
};

static struct bench *given_reader(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    scrip_random_seeded_init(&b->seeded, 7);
    b->random = scrip_random_seeded(&b->seeded);
    scrip_field_init(&b->field);
    scrip_coupler_field_init(&b->coupler, &b->field, &b->random);
    scrip_pcsc_init(&b->pcsc, &b->coupler.coupler);
    b->talk = (struct talk){.reader = &b->pcsc, .apdu = talk_pcsc_apdu};
    return b;
}

static void lay_classic(struct bench *b, uint8_t uid_len)
{
    const struct scrip_classic_identity identity = {.uid = {0x04, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77},
                                                    .uid_len = uid_len};
    const struct scrip_classic_options options = {0};
    assert_ok(scrip_nv_memory_init(&b->memory, scrip_classic_card_pages(false)));
    b->nv = scrip_nv_memory(&b->memory);
    assert_ok(scrip_classic_card_make(&b->nv, &identity));
    b->host = (struct scrip_classic_host){.nv = &b->nv, .random = &b->random};
    scrip_classic_card_init(&b->card, &b->host, &options);
    assert_ok(scrip_field_add(&b->field, &b->card.picc));
}

static void lay_part_4(struct bench *b)
{
    fake_picc_init(&b->part_4);
    assert_ok(scrip_field_add(&b->field, &b->part_4.air.picc));
}

static struct bench *given_classic(void)
{
    struct bench *b = given_reader();
    lay_classic(b, 4);
    assert_ok(scrip_pcsc_connect(&b->pcsc, 0, &b->info));
    return b;
}

static struct bench *given_part_4(void)
{
    struct bench *b = given_reader();
    lay_part_4(b);
    assert_ok(scrip_pcsc_connect(&b->pcsc, 0, &b->info));
    return b;
}

static void finish(struct bench *b)
{
    scrip_pcsc_off(&b->pcsc);
    assert_false(b->field.on);
    scrip_nv_memory_free(&b->memory);
    free(b);
}

static void blocks_and_values_reach_the_card_enciphered(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FFB0000410", "6982"},
        {KEY, "9000"},
        {AUTH, "9000"},
        {"FFD6000410" D16, "9000"},
        {"FFB0000410", D16 "9000"},
        {"FFD7000505 00 00000064", "9000"},
        {"FFD7000505 02 00000007", "9000"},
        {"FFB1000504", "0000005D9000"},
        {"FFD7000405 01 00000001", "6300"}, /* refused by the card: its session is over */
        {"FFB1000504", "6982"},
        {"FF8800056000", "9000"}, /* and it was selected again */
        {"FFB1000504", "0000005D9000"},
        {"FFD6000010" D16, "6982"},
        {"FF860000050100006000", "9000"},
        {"FFD6000010" D16, "6300"}, /* the manufacturer's block */
    };
    struct bench *b = given_classic();
    CONVERSE(&b->talk, lines);
    finish(b);
}

/* What a raw exchange carries inside a session is enciphered like any other frame. */
static void raw_frames_go_into_an_open_session(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {KEY, "9000"},
        {AUTH, "9000"},
        {"FFD6000410" D16, "9000"},
        {"FFC2000104 9502 3004", "C003009000 920100 96020000 9710" D16 "9000"},
        {AUTH, "9000"},
        {"FFC2000104 9502 A004", "C003009000 920104 96020000 97010A 9000"}, /* ACK: four bits */
    };
    struct bench *b = given_classic();
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void a_classic_card_is_found_bit_by_bit(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FFC2000002 8100", "C003009000 9000"},
        {"FFC2000204 8F020002", "C003009000 9000"},
        {"FFC200010A 90020003 910107 9501 26", "C003009000 920100 96020000 97020400 9000"}, /* REQA, ATQA */
        {"FFC2000104 9502 9320", "C003009000 920100 96020000 970504223344 51 9000"},
        {"FFC200010D 90020000 9507 937004223344 51", "C003009000 920100 96020000 970108 9000"}, /* SAK */
        {"FFC2000104 9502 5000", "C003016401 9000"},                                            /* HLTA: silence */
        {"FFC200010A 90020003 910107 9501 26", "C003036401 9000"},                              /* it sleeps */
        {"FFC200010A 90020003 910107 9501 52", "C003009000 920100 96020000 97020400 9000"},     /* WUPA */
        {"FFC2000002 8200", "C003009000 9000"},
        {KEY, "9000"},
        {AUTH, "9000"},
    };
    struct bench *b = given_classic();
    CONVERSE(&b->talk, lines);
    finish(b);
}

/* RATS and its CRC, each byte followed by its parity: 36 bits, the last four in a byte of their own. */
static void parity_may_be_ones_own(void **state)
{
    (void)state;
    static const uint8_t rats[] = {0xE0, 0x80, 0x31, 0x73};
    uint8_t command[] = {0xFF, 0xC2, 0, 1, 14, 0x90, 2, 0, 0x0F, 0x91, 1, 4, 0x95, 5, 0, 0, 0, 0, 0};
    struct bench *b = given_part_4();
    struct scrip_buf out = SCRIP_BUF_OF(b->talk.at);
    assert_hex(talk_ask(&b->talk, "FFC2000002 8100"), "C003009000 9000");
    assert_hex(talk_ask(&b->talk, "FFC2000204 8F020003"), "C003009000 8F0120 9000");
    for (size_t i = 0; i < 36; i++) {
        const unsigned byte = rats[i / 9];
        const unsigned bit = i % 9 < 8 ? byte >> i % 9 & 1U : scrip_odd_parity(rats[i / 9]);
        command[14 + i / 8] = (uint8_t)(command[14 + i / 8] | bit << i % 8);
    }
    assert_ok(scrip_pcsc_apdu(&b->pcsc, SCRIP_BYTES_OF(command), &out));
    /* the ATS in the same form: 06 75 77 81 02 80 and its CRC, 72 bits */
    assert_hex(scrip_bytes_head(scrip_buf_bytes(&out), 14), "C003009000 920100 96020000 9709");
    assert_int_equal(b->talk.at[14], 0x06);
    assert_int_equal(b->talk.at[15], (uint8_t)(0x75 << 1 | 1)); /* two bits of 06 are one: its parity is 1 */
    finish(b);
}

static void a_card_of_part_4_is_spoken_to_at_every_layer(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"9060000000", "60019000"},
        {"FFC2000002 8100", "C003009000 9000"},
        {"FFC2000204 8F020003", "C003009000 8F0120 9000"},
        {"FFC2000104 9502 E080", "C003009000 920100 96020000 9706067577810280 9000"},
        {"FFC2000108 9506 029061000000", "C003009000 920100 96020000 9705 0261029000 9000"},
        {"FFC2000204 8F020004", "C003009000 5F51063B8180018080 9000"},
        {"FFC2000107 9505 9062000000", "C003009000 920100 96020000 9704 62039000 9000"},
        {"FFC2000204 8F020003", "C003009000 8F0120 9000"},
        {"FFC2000002 8200", "C003009000 9000"},
        {"9063000000", "63049000"}, /* taken back out of part 3 */
        {"FF860000050100046000", "6A81"},
    };
    struct bench *b = given_part_4();
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void cards_that_collide_cannot_be_selected_by_hand(void **state)
{
    (void)state;
    struct bench *b = given_reader();
    lay_part_4(b);
    lay_classic(b, 7);
    assert_ok(scrip_pcsc_connect(&b->pcsc, 0, &b->info));
    talk_ask(&b->talk, "FFC2000002 8100");
    talk_ask(&b->talk, "FFC2000204 8F020002");
    talk_ask(&b->talk, "FFC200010A 90020003 910107 9501 26");
    assert_hex(scrip_bytes_head(talk_ask(&b->talk, "FFC2000104 9502 9320"), 5), "C003016F00");
    finish(b);
}

static void a_random_uid_is_followed_through_power_cycles(void **state)
{
    (void)state;
    struct bench *b = given_reader();
    uint8_t first[4];
    lay_classic(b, 7);
    assert_ok(scrip_pcsc_connect(&b->pcsc, 0, &b->info));
    talk_ask(&b->talk, KEY);
    assert_hex(talk_ask(&b->talk, "FF860000050100006000"), "9000");
    assert_hex(talk_ask(&b->talk, "FFC2000104 9502 4020"),
               "C003009000 920104 96020000 97010A 9000"); /* PersonalizeUIDUsage */
    assert_ok(scrip_pcsc_connect(&b->pcsc, 0, &b->info));
    assert_int_equal(b->info.uid_len, 4);
    assert_int_equal(b->info.uid[0], 0x08);
    memcpy(first, b->info.uid, sizeof first);
    assert_hex(talk_ask(&b->talk, AUTH), "9000");
    talk_ask(&b->talk, "FFC2000006 810083008400");
    assert_hex(talk_ask(&b->talk, AUTH), "9000"); /* with the UID that it has now */
    assert_memory_not_equal(b->pcsc.target.uid, first, sizeof first);
    finish(b);
}

static void a_card_that_is_taken_away_is_missed(void **state)
{
    (void)state;
    static const uint8_t read[] = {0xFF, 0xB0, 0, 4, 16};
    static const uint8_t open[] = {0xFF, 0x86, 0, 0, 5, 1, 0, 4, 0x60, 0};
    struct bench *b = given_classic();
    uint8_t room[32];
    struct scrip_buf out = SCRIP_BUF_OF(room);
    talk_ask(&b->talk, KEY);
    talk_ask(&b->talk, AUTH);
    scrip_field_remove(&b->field, &b->card.picc);
    assert_ok(scrip_pcsc_apdu(&b->pcsc, SCRIP_BYTES_OF(read), &out));
    assert_hex(scrip_buf_bytes(&out), "6301");
    out.len = 0;
    assert_status(scrip_pcsc_apdu(&b->pcsc, SCRIP_BYTES_OF(open), &out), SCRIP_E_NO_CARD);
    assert_ok(scrip_field_add(&b->field, &b->card.picc));
    assert_hex(talk_ask(&b->talk, AUTH), "9000"); /* it came back */
    finish(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_and_values_reach_the_card_enciphered),
        cmocka_unit_test(raw_frames_go_into_an_open_session),
        cmocka_unit_test(a_classic_card_is_found_bit_by_bit),
        cmocka_unit_test(parity_may_be_ones_own),
        cmocka_unit_test(a_card_of_part_4_is_spoken_to_at_every_layer),
        cmocka_unit_test(cards_that_collide_cannot_be_selected_by_hand),
        cmocka_unit_test(a_random_uid_is_followed_through_power_cycles),
        cmocka_unit_test(a_card_that_is_taken_away_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
