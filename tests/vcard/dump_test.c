#include "check.h"
#include <scrip/card_dump.h>
#include <scrip/posix.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t text[SCRIP_DUMP_TEXT_MAX], other[SCRIP_DUMP_TEXT_MAX];
static char error[SCRIP_DUMP_ERROR_MAX];
static struct scrip_card_dump dump, again;

/* A card full of random content with proper trailers. Its keys begin with C0 FF EE, so that they can be looked for. */
static void random_card(uint64_t seed, uint16_t blocks, uint8_t uid_len)
{
    struct scrip_random_seeded seeded;
    scrip_random_seeded_init(&seeded, seed);
    const struct scrip_random random = scrip_random_seeded(&seeded);
    memset(&dump, 0, sizeof dump);
    dump.blocks = blocks;
    assert_ok(random.fill(random.ctx, dump.data[0], (size_t)blocks * 16));
    for (unsigned b = 0; b < blocks; b++) {
        dump.known[b] = 0xFFFF;
        if (scrip_classic_group((uint8_t)b) == 3) {
            memcpy(dump.data[b], "\xC0\xFF\xEE", 3);
            memcpy(dump.data[b] + 6, "\x08\x77\x8F\x69\xC0\xFF\xEE", 7);
        }
    }
    uint8_t *block = dump.data[0];
    block[0] = 0x04;
    block[3] = 0x30;
    memcpy(dump.uid, block, uid_len);
    dump.uid_len = uid_len;
    dump.sak = blocks == 64 ? 0x08 : 0x18;
    dump.atqa[0] = (uint8_t)((blocks == 64 ? 4 : 2) | (uid_len == 7 ? 0x40 : 0));
    block[4] = uid_len == 4 ? (uint8_t)(block[0] ^ block[1] ^ block[2] ^ block[3]) : block[4];
    block[uid_len == 4 ? 5 : 7] = dump.sak;
    memcpy(block + (uid_len == 4 ? 6 : 8), dump.atqa, 2);
}

static struct scrip_bytes written(enum scrip_dump_format format, const struct scrip_card_dump *card, bool with_keys,
                                  uint8_t *room)
{
    struct scrip_buf out = scrip_buf(room, SCRIP_DUMP_TEXT_MAX);
    assert_ok(scrip_dump_write(format, card, with_keys, &out));
    return scrip_buf_bytes(&out);
}

static const struct {
    uint16_t blocks;
    uint8_t uid_len;
} CARDS[] = {{64, 4}, {64, 7}, {256, 4}, {256, 7}};

static void a_card_survives_every_format_bit_by_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CARDS / sizeof CARDS[0]; i++) {
        for (int f = 0; f < SCRIP_DUMP_FORMATS; f++) {
            enum scrip_dump_format found;
            random_card(i + 1, CARDS[i].blocks, CARDS[i].uid_len);
            const struct scrip_bytes first = written((enum scrip_dump_format)f, &dump, true, text);
            assert_ok(scrip_dump_format_of_text(first, &found));
            assert_int_equal(found, f);
            memset(&again, 0xA5, sizeof again);
            assert_ok(scrip_dump_read(found, first, &again, error));
            assert_memory_equal(&again, &dump, sizeof dump);
            const struct scrip_bytes second = written(found, &again, true, other);
            assert_int_equal(second.len, first.len);
            assert_memory_equal(second.at, first.at, first.len);
        }
    }
}

static void a_dump_goes_round_through_all_formats(void **state)
{
    (void)state;
    random_card(9, 256, 7);
    const struct scrip_bytes start = written(SCRIP_DUMP_MFD, &dump, true, other);
    again = dump;
    for (int f = SCRIP_DUMP_FORMATS - 1; f >= 0; f--) {
        const struct scrip_bytes out = written((enum scrip_dump_format)f, &again, true, text);
        assert_ok(scrip_dump_read((enum scrip_dump_format)f, out, &again, error));
    }
    const struct scrip_bytes end = written(SCRIP_DUMP_MFD, &again, true, text);
    assert_memory_equal(end.at, start.at, start.len);
}

static void keys_leave_only_when_they_are_asked_for(void **state)
{
    (void)state;
    static const char *const spellings[] = {"\xC0\xFF\xEE", "C0FFEE", "C0 FF EE"};
    for (int f = 0; f < SCRIP_DUMP_FORMATS; f++) {
        bool with = false;
        random_card(3, 64, 4);
        const struct scrip_bytes kept = written((enum scrip_dump_format)f, &dump, false, text);
        const struct scrip_bytes shown = written((enum scrip_dump_format)f, &dump, true, other);
        for (size_t s = 0; s < sizeof spellings / sizeof spellings[0]; s++) {
            const size_t len = strlen(spellings[s]);
            assert_null(memmem(kept.at, kept.len, spellings[s], len));
            with = with || memmem(shown.at, shown.len, spellings[s], len) != NULL;
        }
        assert_true(with);
        assert_ok(scrip_dump_read((enum scrip_dump_format)f, kept, &again, error));
        assert_memory_equal(again.data[3] + 6, "\x08\x77\x8F\x69", 4); /* access bits are no secret */
        assert_memory_equal(again.data[4], dump.data[4], 16);
    }
}

static void what_is_unknown_stays_unknown_or_becomes_as_new(void **state)
{
    (void)state;
    struct scrip_dump_gaps gaps;
    random_card(5, 64, 4);
    dump.known[7] = 0x03E0;  /* half of key A, access bits, no key B */
    dump.known[11] = 0xFBFF; /* one byte of key B */
    dump.known[15] = 0xFDFF; /* one byte behind the access bits */
    dump.known[13] = 0x7FFF;
    const struct scrip_bytes flipper = written(SCRIP_DUMP_FLIPPER, &dump, true, text);
    assert_ok(scrip_dump_read(SCRIP_DUMP_FLIPPER, flipper, &again, error));
    assert_int_equal(again.known[7], 0x03E0);
    assert_int_equal(again.known[11], 0xFBFF);
    assert_int_equal(again.known[13], 0x7FFF);
    scrip_dump_fill(&again, &gaps);
    assert_int_equal(gaps.keys, 3);
    assert_int_equal(gaps.bytes, 5);
    assert_memory_equal(again.data[7], "\xFF\xFF\xFF\xFF\xFF\xFF", 6);
    assert_memory_equal(again.data[7] + 10, "\xFF\xFF\xFF\xFF\xFF\xFF", 6);
    assert_memory_equal(again.data[7] + 6, "\x08\x77\x8F\x69", 4);
    assert_int_equal(again.data[13][15], 0);
    const struct scrip_bytes mfd = written(SCRIP_DUMP_MFD, &dump, true, text);
    assert_memory_equal(mfd.at + 7 * 16, again.data[7], 16);
}

static void keys_beside_the_blocks_go_where_a_trailer_shows_none(void **state)
{
    (void)state;
    static const char json[] =
        "{\"FileType\": \"mfc v2\", \"Card\": {\"UID\": \"11223344\", \"ATQA\": \"0400\", \"SAK\": \"08\"},"
        "\"blocks\": {\"0\": \"11223344440804006263646566676869\","
        "\"3\": \"000000000000FF078069FFFFFFFFFFFF\", \"7\": \"------------FF078069------------\"},"
        "\"SectorKeys\": {\"0\": {\"KeyA\": \"A0A1A2A3A4A5\", \"KeyB\": \"FFFFFFFFFFFF\"},"
        "\"1\": {\"KeyA\": \"B0B1B2B3B4B5\", \"KeyB\": \"C0C1C2C3C4C5\"}}}";
    assert_ok(scrip_dump_read(SCRIP_DUMP_PROXMARK, scrip_bytes(json, sizeof json - 1), &dump, error));
    assert_memory_equal(dump.data[3], "\xA0\xA1\xA2\xA3\xA4\xA5\xFF\x07\x80\x69\xFF\xFF\xFF\xFF\xFF\xFF", 16);
    assert_memory_equal(dump.data[7], "\xB0\xB1\xB2\xB3\xB4\xB5\xFF\x07\x80\x69\xC0\xC1\xC2\xC3\xC4\xC5", 16);
    assert_int_equal(dump.known[7], 0xFFFF);
    assert_int_equal(dump.known[4], 0);
}

static void a_raw_dump_is_asked_for_its_uid(void **state)
{
    (void)state;
    random_card(6, 64, 7);
    const struct scrip_bytes seven = written(SCRIP_DUMP_MFD, &dump, true, text);
    assert_ok(scrip_dump_read(SCRIP_DUMP_MFD, seven, &again, error));
    assert_int_equal(again.uid_len, 7);
    assert_int_equal(again.atqa[0], 0x44);
    memcpy(text, "\x11\x22\x33\x44\x44\x88\x04\x00\xC8\x00\x00\x00\x00\x00\x00\x00",
           16); /* SAK 88 stored: an old chip */
    assert_ok(scrip_dump_read(SCRIP_DUMP_MFD, seven, &again, error));
    assert_int_equal(again.uid_len, 4);
    assert_int_equal(again.sak, 0x08);
    assert_memory_equal(again.uid, "\x11\x22\x33\x44", 4);
}

static void the_old_and_the_new_order_of_the_atqa_are_the_same_card(void **state)
{
    (void)state;
    static const char head[] =
        "Filetype: Flipper NFC device\nVersion: %c\nDevice type: Mifare Classic\nUID: 11 22 33 44\n"
        "ATQA: %s\nSAK: 18\nMifare Classic type: 4K\nData format version: 2\n";
    static const char *const atqas[] = {"02 00", "00 02", "00 02"};
    for (char version = '2'; version <= '4'; version++) {
        char lines[256];
        snprintf(lines, sizeof lines, head, version, atqas[version - '2']);
        assert_ok(scrip_dump_read(SCRIP_DUMP_FLIPPER, scrip_bytes(lines, strlen(lines)), &dump, error));
        assert_int_equal(dump.atqa[0], 0x02);
        assert_int_equal(dump.atqa[1], 0x00);
        assert_int_equal(dump.blocks, 256);
    }
}

#define FLIPPER    "Filetype: Flipper NFC device\nVersion: 4\nDevice type: Mifare Classic\n"
#define FLIPPER_1K FLIPPER "UID: 11 22 33 44\nATQA: 00 04\nSAK: 08\nMifare Classic type: 1K\nData format version: 2\n"
#define ZEROS      " 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n"
#define JSON(card) "{\"FileType\": \"mfc v2\", \"Card\": {" card "}, "
#define JSON_CARD  JSON("\"UID\": \"11223344\", \"ATQA\": \"0400\", \"SAK\": \"08\"")
#define JSON_BLOCK "\"00000000000000000000000000000000\""

static void what_is_no_dump_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        enum scrip_dump_format format;
        const char *text, *sentence;
    } rows[] = {
        {SCRIP_DUMP_MFD, "", "1024 or 4096 bytes"},
        {SCRIP_DUMP_MFD, "0123456789ABCDEF", "1024 or 4096 bytes"},
        {SCRIP_DUMP_FLIPPER, "", "no \"Filetype\""},
        {SCRIP_DUMP_FLIPPER, "Filetype: Flipper SubGhz Key File\n", "line 1: not a dump of an NFC card"},
        {SCRIP_DUMP_FLIPPER, "Version: 4\n", "\"Filetype\" comes first"},
        {SCRIP_DUMP_FLIPPER, "Filetype: Flipper NFC device\nVersion: 5\n", "line 2: Version"},
        {SCRIP_DUMP_FLIPPER, "Filetype: Flipper NFC device\nVersion: 4\nDevice type: EMV\n", "no MIFARE Classic"},
        {SCRIP_DUMP_FLIPPER, FLIPPER "UID: 11 22 33\n", "line 4: UID"},
        {SCRIP_DUMP_FLIPPER, FLIPPER "UID: 11 22 33 4G\n", "line 4: UID"},
        {SCRIP_DUMP_FLIPPER,
         FLIPPER "UID: 88 22 33 44\nATQA: 00 04\nSAK: 08\nMifare Classic type: 1K\n"
                 "Data format version: 2\n",
         "88 is no first byte"},
        {SCRIP_DUMP_FLIPPER, FLIPPER "SAK: 20\n", "line 4: the SAK"},
        {SCRIP_DUMP_FLIPPER, FLIPPER "Mifare Classic type: MINI\n", "only 1K and 4K"},
        {SCRIP_DUMP_FLIPPER, FLIPPER "Block 0:" ZEROS, "behind \"Mifare Classic type\""},
        {SCRIP_DUMP_FLIPPER, FLIPPER "no colon\n", "line 4: not"},
        {SCRIP_DUMP_FLIPPER,
         FLIPPER "UID: 11 22 33 44\nATQA: 00 04\nSAK: 18\nMifare Classic type: 1K\nData format version: 2\n",
         "its SAK is of another size"},
        {SCRIP_DUMP_FLIPPER, FLIPPER_1K "UID: 11 22 33 44\n", "line 9: this was said before"},
        {SCRIP_DUMP_FLIPPER, FLIPPER_1K "Block 64:" ZEROS, "line 9: no such block"},
        {SCRIP_DUMP_FLIPPER, FLIPPER_1K "Block 1:" ZEROS "Block 1:" ZEROS,
         "line 10: no number of a block, or the second"},
        {SCRIP_DUMP_FLIPPER, FLIPPER_1K "Block 01:" ZEROS, "no number of a block"},
        {SCRIP_DUMP_FLIPPER, FLIPPER_1K "Block 1: 00 00\n", "16 bytes"},
        {SCRIP_DUMP_FLIPPER, FLIPPER_1K "Block 0:" ZEROS, "UID is not the one in block 0"},
        {SCRIP_DUMP_FLIPPER, FLIPPER "UID: 11 22 33 44\nATQA: 00 04\nSAK: 08\nMifare Classic type: 1K\n",
         "no \"Data format version\""},
        {SCRIP_DUMP_PROXMARK, "", "not JSON"},
        {SCRIP_DUMP_PROXMARK, "[]", "FileType"},
        {SCRIP_DUMP_PROXMARK, "{\"FileType\": \"mfu\"}", "FileType"},
        {SCRIP_DUMP_PROXMARK, "{\"FileType\": \"mfc v2\"}", "no \"blocks\""},
        {SCRIP_DUMP_PROXMARK, "{\"FileType\": \"mfcard\", \"blocks\": {\"1\": " JSON_BLOCK "}}", "no UID"},
        {SCRIP_DUMP_PROXMARK, JSON("\"UID\": \"1122334\"") "\"blocks\": {}}", "Card.UID"},
        {SCRIP_DUMP_PROXMARK, JSON("\"UID\": \"11223344\", \"SAK\": \"08\"") "\"blocks\": {}}", "Card.ATQA"},
        {SCRIP_DUMP_PROXMARK, JSON("\"UID\": \"11223344\", \"ATQA\": \"0400\", \"SAK\": \"09\"") "\"blocks\": {}}",
         "Card.SAK"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": []}", "no \"blocks\""},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"x\": " JSON_BLOCK "}}", "no number"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"256\": " JSON_BLOCK "}}", "no number"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"1\": \"00\"}}", "blocks.1 is not 32"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"1\": 5}}", "blocks.1 is not 32"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"70\": " JSON_BLOCK "}}", "behind the end of a 1K card"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"1\": " JSON_BLOCK ", \"1\": " JSON_BLOCK "}}", "not JSON"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"0\": " JSON_BLOCK "}}", "UID is not the one in block 0"},
        {SCRIP_DUMP_PROXMARK, JSON_CARD "\"blocks\": {\"1\": " JSON_BLOCK "}, \"SectorKeys\": {\"16\": {}}}",
         "no number of a sector"},
        {SCRIP_DUMP_PROXMARK,
         JSON_CARD "\"blocks\": {\"1\": " JSON_BLOCK "}, \"SectorKeys\": {\"0\": {\"KeyA\": \"C0FFEE\"}}}",
         "SectorKeys.0: a key is not 12"},
        {SCRIP_DUMP_PROXMARK,
         JSON_CARD "\"blocks\": {\"3\": \"C0FFEEC0FFEEFF078069FFFFFFFFFFFF\"}, \"SectorKeys\": {\"0\": "
                   "{\"KeyA\": \"C0FFEEC0FFEF\"}}}",
         "another one than in the sector's trailer"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&dump, 0xA5, sizeof dump);
        again = dump;
        const enum scrip_status status =
            scrip_dump_read(rows[i].format, scrip_bytes(rows[i].text, strlen(rows[i].text)), &dump, error);
        if ((status != SCRIP_E_FORMAT && status != SCRIP_E_UNSUPPORTED) || strstr(error, rows[i].sentence) == NULL) {
            fail_msg("row %zu: status %d, '%s' instead of '%s'", i, (int)status, error, rows[i].sentence);
        }
        assert_null(strstr(error, "C0FFEE")); /* keys in no message */
        assert_memory_equal(&dump, &again, sizeof dump);
    }
}

static void a_file_tells_its_format_by_name_and_by_content(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum scrip_status status;
        enum scrip_dump_format format;
    } rows[] = {{"a.mfd", SCRIP_OK, SCRIP_DUMP_MFD},       {"x/hf-mf-11223344-dump.bin", SCRIP_OK, SCRIP_DUMP_MFD},
                {"a.json", SCRIP_OK, SCRIP_DUMP_PROXMARK}, {"a.nfc", SCRIP_OK, SCRIP_DUMP_FLIPPER},
                {"a.txt", SCRIP_E_NOT_FOUND, 0},           {".mfd", SCRIP_E_NOT_FOUND, 0}};
    enum scrip_dump_format format = SCRIP_DUMP_FORMATS;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_status(scrip_dump_format_of_name(rows[i].name, &format), rows[i].status);
        assert_true(rows[i].status != SCRIP_OK || format == rows[i].format);
    }
    assert_status(scrip_dump_format_of_text(scrip_bytes("hello", 5), &format), SCRIP_E_FORMAT);
    assert_status(scrip_dump_format_of_text(scrip_bytes("", 0), &format), SCRIP_E_FORMAT);
    assert_ok(scrip_dump_format_of_text(scrip_bytes(" \n{}", 4), &format));
    assert_int_equal(format, SCRIP_DUMP_PROXMARK);
}

static void a_dump_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    random_card(2, 256, 4);
    for (int f = 0; f < SCRIP_DUMP_FORMATS; f++) {
        struct scrip_buf out = scrip_buf(text, 4000);
        assert_status(scrip_dump_write((enum scrip_dump_format)f, &dump, true, &out), SCRIP_E_SPACE);
        assert_int_equal(out.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_survives_every_format_bit_by_bit),
        cmocka_unit_test(a_dump_goes_round_through_all_formats),
        cmocka_unit_test(keys_leave_only_when_they_are_asked_for),
        cmocka_unit_test(what_is_unknown_stays_unknown_or_becomes_as_new),
        cmocka_unit_test(keys_beside_the_blocks_go_where_a_trailer_shows_none),
        cmocka_unit_test(a_raw_dump_is_asked_for_its_uid),
        cmocka_unit_test(the_old_and_the_new_order_of_the_atqa_are_the_same_card),
        cmocka_unit_test(what_is_no_dump_is_refused_with_a_reason),
        cmocka_unit_test(a_file_tells_its_format_by_name_and_by_content),
        cmocka_unit_test(a_dump_that_does_not_fit_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
