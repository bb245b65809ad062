/* The PC/SC reader with real cards in its field: MIFARE Classic 1K and 4K, the one-time wallet, DESFire. */
#include "model/pcsc_reader.h"
#include "pcsc_talk.h"
#include <scrip/desfire_card.h>
#include <scrip/posix.h>
#include <scrip/vcard.h>
#include <stdlib.h>

struct bench {
    struct scrip_nv_memory memory;
    struct scrip_nv nv;
    struct scrip_random_seeded seeded;
    struct scrip_random random;
    struct scrip_vcard_host host;
    struct scrip_vcard *card;
    struct scrip_picc *cards[1];
    struct pcsc_reader reader;
    struct talk talk;
};

static enum scrip_status apdu(void *reader, struct scrip_bytes command, struct scrip_buf *response)
{
    return pcsc_reader_apdu(reader, command, response);
}

static struct bench *given(const struct scrip_vcard_identity *identity)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    assert_ok(scrip_nv_memory_init(&b->memory, scrip_vcard_pages(identity)));
    b->nv = scrip_nv_memory(&b->memory);
    scrip_random_seeded_init(&b->seeded, 1);
    b->random = scrip_random_seeded(&b->seeded);
    b->host = (struct scrip_vcard_host){.random = &b->random};
    assert_ok(scrip_vcard_open_nv(&b->nv, identity, true, &b->host, &b->card));
    b->cards[0] = scrip_vcard_picc(b->card);
    assert_non_null(b->cards[0]);
    assert_ok(pcsc_reader_init(&b->reader, b->cards, 1, b->random));
    assert_ok(pcsc_reader_on(&b->reader));
    b->talk = (struct talk){.reader = &b->reader, .apdu = apdu};
    return b;
}

static struct bench *given_classic(bool is_4k)
{
    return given(&(struct scrip_vcard_identity){.family = SCRIP_VCARD_CLASSIC,
                                                .variant = is_4k ? SCRIP_VCARD_4K : SCRIP_VCARD_1K,
                                                .uid_len = 4,
                                                .uid = {0xDE, 0xAD, 0xBE, 0xEF}});
}

static struct bench *given_desfire(void)
{
    return given(&(struct scrip_vcard_identity){.family = SCRIP_VCARD_DESFIRE,
                                                .generation = SCRIP_DESFIRE_EV3,
                                                .uid_len = 7,
                                                .uid = {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66},
                                                .storage = 0x16});
}

static void finish(struct bench *b)
{
    pcsc_reader_off(&b->reader);
    scrip_vcard_close(b->card);
    scrip_nv_memory_free(&b->memory);
    free(b);
}

static void is_shown_as(const struct bench *b, const char *atr)
{
    assert_hex(scrip_bytes(b->reader.atr, b->reader.atr_len), atr);
}

static void a_classic_card_is_read_and_written(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FFCA000000", "DEADBEEF9000"},
        {"FFCA010000", "6A81"},
        {"FFB0000410", "6982"},
        {KEY, "9000"},
        {AUTH, "9000"},
        {"FFB0000410", Z16 "9000"},
        {"FFD6000410" D16, "9000"},
        {"FFB0000410", D16 "9000"},
        {"FFB0000430", D16 Z16 Z16 "9000"},
        {"FFD6000520" D16 D16, "9000"},
        {"FFB0000530", D16 D16 "6282"},
        {"FFB0000710", "000000000000FF078069FFFFFFFFFFFF9000"}, /* key A is never shown */
        {"9060000000", "6D00"},
    };
    struct bench *b = given_classic(false);
    is_shown_as(b, "3B8F8001804F0CA000000306030001000000006A");
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void values_change_in_every_dialect_by_the_same_card(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {KEY, "9000"},
        {AUTH, "9000"},
        {"FFD7000505 00 000003E8", "9000"},
        {"FFD7000505 01 0000000A", "9000"},
        {"FFB1000504", "000003F29000"},
        {"FFD7000505 02 00000002", "9000"},
        {"FFF0000506 C105 05000000", "9000"},
        {"FFF0000506 C005 03000000", "9000"},
        {"FFD4000504 01000000", "9000"},
        {"FFD8000501 02", "9000"},
        {"FFC200030B A009 800105 8104 04000000 00", "C003009000 9000"},
        {"FFC200030B A109 800105 8104 01000000 00", "C003009000 9000"},
        {"FFB1000504", "000003F49000"}, /* 1000 + 10 - 2 + 5 - 3 + 1 - 2 + 4 - 1 = 1012 */
        {"FFD7000502 03 06", "9000"},
        {"FFB0000610", "F40300000BFCFFFFF403000005FA05FA9000"}, /* with the address of its source */
        {"FFB1000404", "6300"},                                 /* no value block */
        {"FFB1000504", "000003F49000"},                         /* that was said by the reader, not by the card */
        {"FFD7000405 01 00000001", "6300"},                     /* and that by the card */
        {"FFB1000504", "6982"},
        {AUTH, "9000"},
        {"FFD7000505 01 7FFFFFFF", "6300"}, /* past the range */
        {AUTH, "9000"},
        {"FFB1000504", "000003F49000"},
    };
    struct bench *b = given_classic(false);
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void keys_that_are_changed_count_from_the_next_authentication_on(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {KEY, "9000"},
        {"FF82000106 A0A1A2A3A4A5", "9000"},
        {AUTH, "9000"},
        {"FFD6000710 A0A1A2A3A4A5 787788 69 B0B1B2B3B4B5", "9000"}, /* B writes, A reads */
        {AUTH, "6300"},
        {"FF860000050100046001", "9000"},
        {"FFB0000410", Z16 "9000"},
        {"FFD6000410" D16, "6300"}, /* not with key A */
        {"FFB0000410", "6982"},
        {"FF82000106 B0B1B2B3B4B5", "9000"},
        {"FF860000050100046101", "9000"},
        {"FFD6000410" D16, "9000"},
        {"FFD6000710 A0A1A2A3A4A5 FF0781 69 B0B1B2B3B4B5", "6A80"}, /* would lock the sector */
        {"FFB0000410", D16 "9000"},
    };
    struct bench *b = given_classic(false);
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void a_4k_card_has_large_sectors(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {KEY, "9000"},
        {"FF860000050100F06100", "9000"},
        {"FFB000FF10", "6300"}, /* key B of a new card can be read, so it opens nothing */
        {"FF860000050100F06000", "9000"},
        {"FFD600FE10" D16, "9000"},
        {"FFB000FE20", D16 "6282"},
        {"FFB000FF10", "000000000000FF078069FFFFFFFFFFFF9000"},
    };
    struct bench *b = given_classic(true);
    is_shown_as(b, "3B8F8001804F0CA0000003060300020000000069");
    CONVERSE(&b->talk, lines);
    assert_int_equal(talk_ask(&b->talk, "FFB000F0F0").len, 242);
    finish(b);
}

static void a_long_uid_authenticates_with_its_end(void **state)
{
    (void)state;
    static const struct line lines[] = {{"FFCA000000", "041122334455669000"}, {KEY, "9000"}, {AUTH, "9000"}};
    struct bench *b = given(&(struct scrip_vcard_identity){
        .family = SCRIP_VCARD_CLASSIC, .uid_len = 7, .uid = {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}});
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void the_one_time_wallet_looks_like_a_1k(void **state)
{
    (void)state;
    struct bench *b =
        given(&(struct scrip_vcard_identity){.family = SCRIP_VCARD_OTP, .uid_len = 4, .uid = {0x5C, 0x0A, 0x11, 0x99}});
    is_shown_as(b, "3B8F8001804F0CA000000306030001000000006A");
    assert_hex(talk_ask(&b->talk, "FFCA000000"), "5C0A11999000");
    finish(b);
}

static void a_reset_forgets_the_session_and_power_off_the_keys(void **state)
{
    (void)state;
    struct bench *b = given_classic(false);
    talk_ask(&b->talk, KEY);
    assert_hex(talk_ask(&b->talk, AUTH), "9000");
    assert_ok(pcsc_reader_on(&b->reader));
    assert_hex(talk_ask(&b->talk, "FFB0000410"), "6982");
    assert_hex(talk_ask(&b->talk, AUTH), "9000");
    pcsc_reader_off(&b->reader);
    assert_ok(pcsc_reader_on(&b->reader));
    assert_hex(talk_ask(&b->talk, AUTH), "6984");
    finish(b);
}

static void of_two_cards_one_is_taken(void **state)
{
    (void)state;
    struct bench *one = given_classic(false);
    struct bench *other = given_desfire();
    struct scrip_picc *const both[] = {one->cards[0], other->cards[0]};
    pcsc_reader_off(&one->reader);
    pcsc_reader_off(&other->reader);
    struct pcsc_reader *reader = calloc(1, sizeof *reader);
    assert_non_null(reader);
    assert_ok(pcsc_reader_init(reader, both, 2, one->random));
    assert_ok(pcsc_reader_on(reader));
    const uint8_t sak = reader->pcsc.target.sak;
    assert_true(sak == 0x08 || sak == 0x20);
    assert_ok(pcsc_reader_on(reader));
    assert_int_equal(reader->pcsc.target.sak, sak); /* the same one again */
    pcsc_reader_off(reader);
    free(reader);
    finish(one);
    finish(other);
}

/* ---- DESFire ----------------------------------------------------------------------------------------------------- */

static void a_desfire_answers_in_blocks_and_its_reader_for_itself(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FFCA000000", "041122334455669000"},
        {"FFCA010000", "0675778102809000"},
        {"FFB0000410", "6A81"},
        {"906E000000", "000A009100"}, /* free memory: nothing is on it */
        {"90CA000005 5310F5 0F02 00", "9100"},
        {"905A000003 5310F5 00", "9100"},
        {"90CD000007 01 00 EEEE 640000 00", "9100"},
        {"903D00003B 01 000000 340000"
         "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F30313233 00",
         "9100"}, /* longer than a frame of 64 bytes: chained */
        {"90BD000007 01 000000 040000 00", "000102039100"},
    };
    struct bench *b = given_desfire();
    is_shown_as(b, "3B8180018080");
    CONVERSE(&b->talk, lines);
    finish(b);
}

/* ---- Transparent session ----------------------------------------------------------------------------------------- */

static void a_classic_card_is_found_by_hand(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FFC2000002 8100", "C003009000 9000"},
        {"FFC2000204 8F020002", "C003009000 9000"},
        {"FFC200010A 90020003 910107 9501 26", "C003009000 920100 96020000 97020400 9000"}, /* REQA */
        {"FFC2000104 9502 9320", "C003009000 920100 96020000 9705DEADBEEF22 9000"},
        {"FFC200010D 90020000 9507 9370DEADBEEF22", "C003009000 920100 96020000 970108 9000"}, /* SAK */
        {"FFC2000104 9502 6004", NULL},                                                        /* a nonce, see below */
        {"FFC2000104 9502 3004", "C003016401 9000"}, /* no part of the three passes: silence */
        {"FFC2000204 8F020003", "C003009000 8F0108 9000"},
        {"FFC2000002 8200", "C003009000 9000"},
        {KEY, "9000"},
        {AUTH, "9000"},
    };
    struct bench *b = given_classic(false);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct scrip_bytes answer = talk_ask(&b->talk, lines[i].command);
        print_message("%s\n", lines[i].command);
        if (lines[i].answer != NULL) {
            assert_hex(answer, lines[i].answer);
        } else { /* four bytes without CRC: damaged, as far as a reader that checks can see */
            assert_hex(answer, "C003016F00 96020100 9000");
        }
    }
    finish(b);
}

static void a_desfire_is_spoken_to_in_frames_blocks_and_apdus(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FFC2000002 8100", "C003009000 9000"},
        {"FFC2000204 8F020003", "C003009000 8F0120 9000"},
        {"FFC2000104 9502 E080", "C003009000 920100 96020000 9706067577810280 9000"}, /* RATS by hand */
        {"FFC2000104 9502 026E", "C003009000 920100 96020000 97050200000A00 9000"},   /* an I-block, native */
        {"FFC2000204 8F020004", "C003009000 5F51063B8180018080 9000"},
        {"FFC2000107 9505 906E000000", "C003009000 920100 96020000 9705000A009100 9000"},
        {"FFC2000004 83008400", "C003009000 9000"},
        {"FFC2000107 9505 906E000000", "C003009000 920100 96020000 9705000A009100 9000"},
        {"FFC2000002 8200", "C003009000 9000"},
        {"906E000000", "000A009100"},
    };
    struct bench *b = given_desfire();
    CONVERSE(&b->talk, lines);
    finish(b);
}

/* ---- The chip ---------------------------------------------------------------------------------------------------- */

static void the_chip_lists_and_drives_a_classic_card(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FF00480000", "41435231323255323037"},
        {"FF00000002 D402", "D503320106079000"},
        {"FF00000004 D44A0100", "D54B010100040804DEADBEEF9000"},
        {"FF0000000F D4400160 04 FFFFFFFFFFFF DEADBEEF", "D541009000"},
        {"FF00000005 D440013004", "D54100" Z16 "9000"},
        {KEY, "9000"},
        {AUTH, "9000"}, /* the reader takes the card back */
        {"FFD6000410" D16, "9000"},
        {"FF0000000F D4400160 04 FFFFFFFFFFFF DEADBEEF", "D541009000"}, /* the chip has it as target 1 */
        {"FF00000005 D440013004", "D54100" D16 "9000"},
        {"FF0000000F D4400160 04 000000000000 DEADBEEF", "D541149000"}, /* wrong key */
        {"FF00000004 D44A0100", "D54B010100040804DEADBEEF9000"},
        {"FF00000003 D4FF00", "637F"},
        {"FF00000003 D44A01", "637F"},
        {"FF00000005 D43205FF01", "637F"},
        {AUTH, "9000"},
    };
    struct bench *b = given_classic(false);
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void the_chip_lists_and_drives_a_desfire(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FF00000004 D44A0100", "D54B01010344200704112233445566067577810280 9000"},
        {"FF00000008 D44001 906E000000", "D54100000A009100 9000"},
        {"906E000000", "000A009100"},
        {"FF00000008 D44001 906E000000", "D54100000A009100 9000"},
        {"FF00000003 D45201", "D553009000"},
    };
    struct bench *b = given_desfire();
    CONVERSE(&b->talk, lines);
    finish(b);
}

static void a_chip_that_looks_for_ever_is_called_back(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"FF00000006 D43205FFFFFF", "D5339000"},
        {"FF00000008 D44A0100 11223344", "6301"}, /* nobody of that name */
        {"FF00000004 D44A0100", "D54B010100040804DEADBEEF9000"},
    };
    struct bench *b = given_classic(false);
    CONVERSE(&b->talk, lines);
    finish(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_classic_card_is_read_and_written),
        cmocka_unit_test(values_change_in_every_dialect_by_the_same_card),
        cmocka_unit_test(keys_that_are_changed_count_from_the_next_authentication_on),
        cmocka_unit_test(a_4k_card_has_large_sectors),
        cmocka_unit_test(a_long_uid_authenticates_with_its_end),
        cmocka_unit_test(the_one_time_wallet_looks_like_a_1k),
        cmocka_unit_test(a_reset_forgets_the_session_and_power_off_the_keys),
        cmocka_unit_test(of_two_cards_one_is_taken),
        cmocka_unit_test(a_desfire_answers_in_blocks_and_its_reader_for_itself),
        cmocka_unit_test(a_classic_card_is_found_by_hand),
        cmocka_unit_test(a_desfire_is_spoken_to_in_frames_blocks_and_apdus),
        cmocka_unit_test(the_chip_lists_and_drives_a_classic_card),
        cmocka_unit_test(the_chip_lists_and_drives_a_desfire),
        cmocka_unit_test(a_chip_that_looks_for_ever_is_called_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
