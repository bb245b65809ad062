#include "check.h"
#include <scrip/capture.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t fixed_ms(void *ctx)
{
    return (*(uint64_t *)ctx)++;
}

struct bench {
    char path[64];
    uint64_t ms;
    struct scrip_clock clock;
    struct scrip_capture *capture;
    struct scrip_capture_reader reader;
    uint8_t file[300000];
    size_t len;
};

static struct bench *given(const char *suffix)
{
    static unsigned number;
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    snprintf(b->path, sizeof b->path, "/tmp/scrip-capture-%ld-%u%s", (long)getpid(), number++, suffix);
    b->ms = 1763690000000U;
    b->clock = (struct scrip_clock){.ctx = &b->ms, .now_ms = fixed_ms};
    assert_ok(scrip_capture_create(b->path, &b->clock, &b->capture));
    return b;
}

static void finish_writing(struct bench *b)
{
    scrip_capture_close(b->capture);
    b->capture = NULL;
    FILE *file = fopen(b->path, "rb");
    assert_non_null(file);
    b->len = fread(b->file, 1, sizeof b->file, file);
    fclose(file);
    unlink(b->path);
    assert_ok(scrip_capture_read(&b->reader, scrip_bytes(b->file, b->len)));
}

static const struct scrip_card_info desfire = {
    .uid = {4, 1, 2, 3, 4, 5, 6}, .uid_len = 7, .ats = {6, 0x75, 0x77, 0x81, 2, 0x80}, .ats_len = 6};

static struct scrip_capture_entry next(struct bench *b, enum scrip_capture_kind kind)
{
    struct scrip_capture_entry entry;
    assert_ok(scrip_capture_next(&b->reader, &entry));
    assert_int_equal(entry.kind, kind);
    return entry;
}

static void command(struct bench *b, const char *hex)
{
    uint8_t at[64];
    assert_ok(scrip_capture_frame(b->capture, SCRIP_TRACE_COMMAND, scrip_bytes(at, from_hex(hex, at, sizeof at))));
}

static void response(struct bench *b, const char *hex)
{
    uint8_t at[64];
    assert_ok(scrip_capture_frame(b->capture, SCRIP_TRACE_RESPONSE, scrip_bytes(at, from_hex(hex, at, sizeof at))));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static const char *const forms[] = {".pcapng", ".txt"};
    for (size_t form = 0; form < 2; form++) {
        struct bench *b = given(forms[form]);
        assert_ok(scrip_capture_card(b->capture, &desfire));
        command(b, "9060000000");
        response(b, "04010101001A0591AF");
        command(b, "90AF000000");
        response(b, "9100");
        assert_ok(scrip_capture_frame(b->capture, SCRIP_TRACE_EVENT, scrip_bytes("card lost", 9)));
        finish_writing(b);

        struct scrip_capture_entry entry = next(b, SCRIP_CAPTURE_CARD);
        assert_memory_equal(entry.card.uid, desfire.uid, 7);
        assert_int_equal(entry.card.uid_len, 7);
        assert_hex(scrip_bytes(entry.card.ats, entry.card.ats_len), "067577810280");
        entry = next(b, SCRIP_CAPTURE_COMMAND);
        assert_hex(entry.bytes, "9060000000");
        assert_true(entry.at_ns >= 1763690000000000000U && entry.at_ns < 1763690001000000000U);
        assert_hex(next(b, SCRIP_CAPTURE_RESPONSE).bytes, "04010101001A0591AF");
        assert_hex(next(b, SCRIP_CAPTURE_COMMAND).bytes, "90AF000000");
        assert_hex(next(b, SCRIP_CAPTURE_RESPONSE).bytes, "9100");
        assert_true(scrip_bytes_equal(next(b, SCRIP_CAPTURE_GONE).bytes, scrip_bytes("card lost", 9)));
        assert_status(scrip_capture_next(&b->reader, &entry), SCRIP_E_NOT_FOUND);
        free(b);
    }
}

static void uids_of_all_lengths_and_atrs_survive(void **state)
{
    (void)state;
    static const uint8_t lengths[] = {0, 4, 7, 10};
    static const char *const forms[] = {".pcapng", ".txt"};
    for (size_t i = 0; i < 8; i++) {
        struct bench *b = given(forms[i % 2]);
        struct scrip_card_info info = {.uid = {0x08, 9, 8, 7, 6, 5, 4, 3, 2, 1}, .uid_len = lengths[i / 2]};
        memcpy(info.ats, "\x3B\x81\x80\x01\x80\x80", 6);
        info.ats_len = 6;
        assert_ok(scrip_capture_card(b->capture, &info));
        command(b, "00A40400");
        finish_writing(b);
        const struct scrip_capture_entry entry = next(b, SCRIP_CAPTURE_CARD);
        assert_int_equal(entry.card.uid_len, info.uid_len);
        assert_memory_equal(entry.card.uid, info.uid, info.uid_len);
        assert_hex(scrip_bytes(entry.card.ats, entry.card.ats_len), "3B8180018080");
        free(b);
    }
}

static void long_apdus_are_put_together_again(void **state)
{
    (void)state;
    static const size_t lengths[] = {4, 261, 32768, 32769, 65544};
    static const char *const forms[] = {".pcapng", ".txt"};
    uint8_t *at = calloc(1, 65545);
    assert_non_null(at);
    memset(at, 0xA5, 65545);
    for (size_t i = 0; i < 10; i++) {
        struct bench *b = given(forms[i % 2]);
        const struct scrip_bytes apdu = scrip_bytes(at, lengths[i / 2]);
        assert_ok(scrip_capture_card(b->capture, &desfire));
        assert_ok(scrip_capture_frame(b->capture, SCRIP_TRACE_COMMAND, apdu));
        response(b, "9000");
        assert_status(scrip_capture_frame(b->capture, SCRIP_TRACE_COMMAND, scrip_bytes(at, 65545)), SCRIP_E_LENGTH);
        finish_writing(b);
        next(b, SCRIP_CAPTURE_CARD);
        assert_true(scrip_bytes_equal(next(b, SCRIP_CAPTURE_COMMAND).bytes, apdu));
        assert_hex(next(b, SCRIP_CAPTURE_RESPONSE).bytes, "9000");
        free(b);
    }
    free(at);
}

static void two_cards_in_one_capture_are_kept_apart(void **state)
{
    (void)state;
    struct bench *b = given(".pcapng");
    assert_ok(scrip_capture_card(b->capture, &desfire));
    command(b, "9060000000");
    struct scrip_card_info other = desfire;
    other.uid[6] = 0x77;
    assert_ok(scrip_capture_card(b->capture, &other));
    finish_writing(b);
    assert_int_equal(next(b, SCRIP_CAPTURE_CARD).card.uid[6], 6);
    next(b, SCRIP_CAPTURE_COMMAND);
    assert_int_equal(next(b, SCRIP_CAPTURE_CARD).card.uid[6], 0x77);
    free(b);
}

/* A capture as another tool writes it: big-endian, microseconds, CRCs kept, blocks chained and acknowledged, CID. */
static void be32(struct bench *b, uint32_t value)
{
    scrip_put_be32(b->file + b->len, value);
    b->len += 4;
}

static void foreign_packet(struct bench *b, uint8_t event, const char *hex)
{
    uint8_t frame[64];
    const size_t len = from_hex(hex, frame, sizeof frame);
    const size_t padded = (4 + len + 3) / 4 * 4;
    be32(b, 6);
    be32(b, (uint32_t)(32 + padded));
    be32(b, 0);
    be32(b, 0);
    be32(b, 1500000);
    be32(b, (uint32_t)(4 + len));
    be32(b, (uint32_t)(4 + len));
    const uint8_t pseudo[] = {0, event, 0, (uint8_t)len};
    memset(b->file + b->len, 0, padded);
    memcpy(b->file + b->len, pseudo, 4);
    memcpy(b->file + b->len + 4, frame, len);
    b->len += padded;
    be32(b, (uint32_t)(32 + padded));
}

static void captures_of_other_tools_are_read(void **state)
{
    (void)state;
    struct bench *b = given(".pcapng");
    finish_writing(b);
    b->len = 0;
    static const uint32_t head[] = {0x0A0D0D0A, 28, 0x1A2B3C4D, 0x00010000, UINT32_MAX, UINT32_MAX,
                                    28,         1,  20,         264u << 16, 0,          20};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        be32(b, head[i]);
    }
    foreign_packet(b, 0xFE, "52");
    foreign_packet(b, 0xFF, "4403");
    foreign_packet(b, 0xFE, "9320");
    foreign_packet(b, 0xFE, "9370 88040102 8F 0000");
    foreign_packet(b, 0xFE, "9570 03040506 04 0000");
    foreign_packet(b, 0xFE, "E050 0000");
    foreign_packet(b, 0xFF, "067577810280 0000");
    foreign_packet(b, 0xFE, "0A01 9060 0000");
    foreign_packet(b, 0xFE, "1B01 9060 0000"); /* chained: the first part goes on in the next block */
    foreign_packet(b, 0xFF, "A2 0000");
    foreign_packet(b, 0xFE, "0A01 000000 0000");
    foreign_packet(b, 0xFF, "F201 0000"); /* waiting time extension */
    foreign_packet(b, 0xFF, "0A01 9100 0000");
    foreign_packet(b, 0xFE, "C2 0000");
    assert_ok(scrip_capture_read(&b->reader, scrip_bytes(b->file, b->len)));
    const struct scrip_capture_entry card = next(b, SCRIP_CAPTURE_CARD);
    assert_hex(scrip_bytes(card.card.uid, card.card.uid_len), "04010203040506");
    assert_true(card.at_ns == 1500000000U);
    assert_hex(next(b, SCRIP_CAPTURE_COMMAND).bytes, "9060");
    assert_hex(next(b, SCRIP_CAPTURE_COMMAND).bytes, "9060000000");
    assert_hex(next(b, SCRIP_CAPTURE_RESPONSE).bytes, "9100");
    next(b, SCRIP_CAPTURE_GONE);
    free(b);
}

static void what_is_no_capture_is_refused(void **state)
{
    (void)state;
    struct scrip_capture_reader *reader = calloc(1, sizeof *reader);
    assert_non_null(reader);
    assert_status(scrip_capture_read(reader, scrip_bytes("", 0)), SCRIP_E_FORMAT);
    assert_status(scrip_capture_read(reader, scrip_bytes("\xD4\xC3\xB2\xA1 an old pcap file", 22)), SCRIP_E_FORMAT);
    static const char *const lines[] = {"x > 90\n",
                                        "1.000000001 > 9\n",
                                        "1.000000001 > 9G\n",
                                        "1.1 > 9060\n",
                                        "99999999999999999999.000000000 > 90\n",
                                        "1.000000001 card 04 ats 06\n",
                                        "1.000000001 card uid 0102030405060708090A0B ats 06\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[128];
        struct scrip_capture_entry entry;
        snprintf(text, sizeof text, "# scrip capture 1\n%s", lines[i]);
        assert_ok(scrip_capture_read(reader, scrip_bytes(text, strlen(text))));
        assert_status(scrip_capture_next(reader, &entry), SCRIP_E_FORMAT);
        assert_status(scrip_capture_next(reader, &entry), SCRIP_E_NOT_FOUND);
    }
    free(reader);
}

static void a_capture_cut_or_flipped_anywhere_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    struct bench *b = given(".pcapng");
    assert_ok(scrip_capture_card(b->capture, &desfire));
    command(b, "9060000000");
    response(b, "9100");
    finish_writing(b);
    for (size_t len = 12; len < b->len; len++) {
        uint8_t *exact = malloc(len);
        struct scrip_capture_entry entry;
        assert_non_null(exact);
        memcpy(exact, b->file, len);
        if (scrip_capture_read(&b->reader, scrip_bytes(exact, len)) == SCRIP_OK) {
            while (scrip_capture_next(&b->reader, &entry) == SCRIP_OK) {
                assert_true(entry.bytes.len <= SCRIP_CAPTURE_APDU_MAX);
            }
        }
        exact[len - 12] ^= 0x55;
        if (scrip_capture_read(&b->reader, scrip_bytes(exact, len)) == SCRIP_OK) {
            while (scrip_capture_next(&b->reader, &entry) == SCRIP_OK) {
            }
        }
        free(exact);
    }
    free(b);
}

static void a_path_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct scrip_capture *capture = NULL;
    assert_status(scrip_capture_create("/nonexistent/x.pcapng", NULL, &capture), SCRIP_E_IO);
    assert_null(capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(uids_of_all_lengths_and_atrs_survive),
        cmocka_unit_test(long_apdus_are_put_together_again),
        cmocka_unit_test(two_cards_in_one_capture_are_kept_apart),
        cmocka_unit_test(captures_of_other_tools_are_read),
        cmocka_unit_test(what_is_no_capture_is_refused),
        cmocka_unit_test(a_capture_cut_or_flipped_anywhere_is_read_as_far_as_it_goes),
        cmocka_unit_test(a_path_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
